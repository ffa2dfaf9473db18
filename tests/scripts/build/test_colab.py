"""The copies of the chapters for Colab, of the real book without outputs, and of tiny ones."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import nbformat
import pytest

import tinybook as tiny
from bookkit.build import colab
from bookkit.build.book import Book, Chapter, read_book
from bookkit.build.executed import Run
from bookkit.build.flatten import Targets
from bookkit.course.config import Config, Repository
from bookkit.course.managed import find, sources
from bookkit.course.notebook import source

ROOT = Path(__file__).resolve().parents[3]
REPOSITORY = Repository("https://github.com/first/book", colab_branch="copies")
TARGETS = Targets(REPOSITORY, ref="0f1e2d", pages=frozenset({"book/part/a"}))
RAW = re.compile(r"\{[a-z][\w:]*\}`|^\s*:{3,}|^\([\w-]+\)=|\]\((?!https?:|#scrollTo=|mailto:)", re.MULTILINE)
CODE = re.compile(r"^(`{3,}|~{3,}).*?^\1|(`+)[^`].*?\2", re.MULTILINE | re.DOTALL)


def chapter(*cells, **marks) -> Chapter:
    return Chapter("book/part/a", tiny.notebook(*cells, **marks), "key")


def made(*cells, **marks) -> dict:
    one = chapter(*cells, **marks)
    return colab.copy(one, one.data, TARGETS)


def cell_of(notebook, text: str) -> dict:
    (found,) = [cell for cell in notebook["cells"] if text in cell["source"]]
    return found


@pytest.mark.parametrize("one", read_book(ROOT, "0").chapters, ids=lambda c: c.name)
def test_every_chapter_keeps_its_code_and_shows_nothing_raw(one):
    targets = Targets(REPOSITORY, ref="0f1e2d", pages=frozenset({one.docname}))
    copy = colab.copy(one, None, targets)
    nbformat.validate(nbformat.from_dict(copy))
    slots = find(one.data["cells"]).cells
    before = [(source(c), i in slots) for i, c in enumerate(one.data["cells"]) if c["cell_type"] == "code"]
    after = [c for c in copy["cells"] if c["cell_type"] == "code"]
    for (text, managed), cell in zip(before, after, strict=True):
        plain = re.sub(r"\A#@title .+\n", "", cell["source"])
        assert plain == text or managed
        assert (plain != cell["source"]) == (cell["metadata"].get("cellView") == "form")
    for cell in copy["cells"]:
        assert cell["metadata"]["id"] == cell["id"]
        if cell["cell_type"] == "markdown":
            assert not RAW.search(CODE.sub("", cell["source"])), cell["source"]
    ids = {cell["id"] for cell in copy["cells"]}
    assert set(re.findall(r"#scrollTo=([\w-]+)", copy["cells"][1]["source"])) <= ids
    assert "## " not in copy["cells"][1]["source"]


def test_the_setup_cell_installs_the_commit_that_was_built():
    text = sources("book/part/a", REPOSITORY)["setup"]
    cell = {**tiny.code(text, mmbook={"managed": "setup"}, tags=["remove-cell"]), "id": "setup-0123abcd"}
    badge = {
        **tiny.markdown(sources("book/part/a", REPOSITORY)["badge"], mmbook={"managed": "badge"}),
        "id": "badge-0123abcd",
    }
    copy = made(tiny.markdown("# T"), badge, cell, "1", needs=["weights==1.0"])
    setup = cell_of(copy, "import sys")["source"]
    assert "\n        --no-deps weights==1.0\n        mmbook@git+https://github.com/first/book@0f1e2d\n" in setup
    assert not any("Open in Colab" in c["source"] for c in copy["cells"])


def test_what_is_folded_and_what_is_open():
    copy = made(
        tiny.markdown("## Exercises\n\n**2. Count the tokens.** How many?"),
        tiny.code("import sys\n\nSEEDS = 3", tags=["hide-input"]),
        tiny.code("plumbing(1)", tags=["hide-input"]),
        tiny.code("answer = 42", tags=["solution", "hide-cell"]),
        tiny.code("%%time\nslow()", tags=["hide-input"]),
        tiny.code("shown = 1"),
    )
    assert cell_of(copy, "SEEDS")["source"] == "#@title Imports\nimport sys\n\nSEEDS = 3"
    assert cell_of(copy, "plumbing")["source"].startswith("#@title Code of this step\n")
    solution = cell_of(copy, "answer")
    assert solution["source"].startswith("#@title Solution 2: Count the tokens (open it when you have tried)\n")
    assert solution["metadata"]["collapsed"]
    assert cell_of(copy, "slow")["source"] == "%%time\nslow()"
    assert cell_of(copy, "shown")["source"] == "shown = 1"
    assert "cellView" not in cell_of(copy, "shown")["metadata"]


def test_outputs_are_those_that_a_reader_sees():
    outputs = [
        tiny.output({"text/html": ["<table>", "</table>"], "text/plain": "table"}),
        tiny.output({"application/vnd.mmbook.claim+json": {}, "text/html": "<p>holds</p>"}),
        tiny.output({"application/papermill.record/text/plain": "27 points"}, scrapbook={"name": "gain"}),
        {"output_type": "stream", "name": "stderr", "text": "a warning"},
        {"output_type": "stream", "name": "stdout", "text": "seen"},
    ]
    cell = {**tiny.code("draw()"), "outputs": outputs, "execution_count": 3}
    copy = made(cell, tiny.markdown("It gains {glue:text}`gain`."))
    cell = cell_of(copy, "draw()")
    assert [o.get("data") or o["text"] for o in cell["outputs"]] == [
        {"text/html": "<table></table>", "text/plain": "table"},
        {"text/html": "<p>holds</p>"},
        "seen",
    ]
    assert cell["execution_count"] == 3
    assert cell_of(copy, "It gains")["source"] == "It gains 27 points."
    nbformat.validate(nbformat.from_dict(copy))


def test_drawings_are_pictures_with_alternative_text_and_the_numbers_of_the_site():
    drawing = (
        '<figure class="mm-figure" tabindex="0"><svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="A cat '
        '&amp; a dog." viewBox="0 0 4 3" style="width:100%;max-width:598px"><path stroke="currentColor"/></svg>'
    )
    caption = "<figcaption>Two towers &amp; a bridge. More.</figcaption>"
    first = tiny.output({"text/html": f"{drawing}{caption}</figure>"})
    bare = tiny.output({"text/html": f"{drawing}</figure>"})
    cells = [
        {**tiny.code(f"draw({i})", tags=["hide-input"]), "outputs": [o]} for i, o in enumerate([first, bare, first])
    ]
    copy = made(*cells)
    one, two, three = (cell_of(copy, f"draw({i})") for i in range(3))
    html = one["outputs"][0]["data"]["text/html"]
    assert html.startswith('<figure><img alt="A cat &amp; a dog." width="598" src="data:image/svg+xml;base64,')
    assert html.endswith("<figcaption><b>Figure 1.</b> Two towers &amp; a bridge. More.</figcaption></figure>")
    svg = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1]).decode()
    assert svg == (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3" color="#1b1b1b">'
        '<rect width="100%" height="100%" fill="#ffffff"/><path stroke="currentColor"/></svg>'
    )
    assert "Figure" not in two["outputs"][0]["data"]["text/html"]
    assert "<b>Figure 2.</b>" in three["outputs"][0]["data"]["text/html"]
    assert one["source"].startswith("#@title Drawing: Two towers & a bridge\n")
    assert two["source"].startswith("#@title Code of the drawing\n")


def test_the_contents_say_where_the_parts_are_and_what_it_takes():
    one = chapter(tiny.markdown("# T"), tiny.markdown("## First part\n\n```\n## code\n```\n\n### Not this"))
    one.run = Run(100.0, 83.4, 900.0)
    text = colab.copy(one, one.data, TARGETS)["cells"][1]["source"]
    assert "(https://first.github.io/book/book/part/a.html)" in text
    assert "83 seconds" in text
    assert text.endswith(f"**Contents:** [First part](#scrollTo={one.data['cells'][1]['id']})")


def test_copies_of_pages_that_are_gone_go_and_large_ones_are_named(tmp_path, monkeypatch, capsys):
    one = chapter(tiny.markdown("# T"), "1")
    book = Book(tmp_path, Config(REPOSITORY), "0", [one.docname], [one])
    old = tmp_path / "_build/colab/book/part/old.ipynb"
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    colab.write_copies(book, {}, tmp_path / "_build")
    path = tmp_path / "_build/colab/book/part/a.ipynb"
    assert json.loads(path.read_text())["cells"][0]["source"] == "# T"
    assert not old.exists()
    written = path.stat().st_mtime_ns
    colab.write_copies(book, {}, tmp_path / "_build")
    assert path.stat().st_mtime_ns == written
    assert "warning" not in capsys.readouterr().out
    monkeypatch.setattr(colab, "LARGEST", 100)
    colab.write_copies(book, {}, tmp_path / "_build")
    assert capsys.readouterr().out.startswith("warning: book/part/a: its copy for Colab has 0.0 MB")


def test_the_commit_is_that_of_the_root(tmp_path):
    assert colab.commit(tmp_path) == ""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@y.z"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert colab.commit(tmp_path) == ""
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    assert re.fullmatch(r"[0-9a-f]{40}", colab.commit(tmp_path))
