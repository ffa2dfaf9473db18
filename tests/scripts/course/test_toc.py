"""Which course maps the generator takes, and what it says of the others: one line, nothing written."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import generate_stubs
import pytest
from markdown_it import MarkdownIt

from bookkit.stubs.titles import plain

HERE = Path(__file__).parent
SCRIPT = Path(generate_stubs.__file__)
BAD = sorted((HERE / "tocs" / "bad").glob("*.yml"))
GOOD = sorted((HERE / "tocs" / "good").glob("*.yml"))
EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def note(toc: Path, word: str) -> str:
    """What the comment ``# word: ...`` at the top of a course map says."""
    found = re.search(rf"^# {word}: (.*)$", toc.read_bytes().decode("latin-1"), re.MULTILINE)
    return found[1].strip() if found else ""


def prepare(book, toc: Path) -> None:
    """A book with this course map and the files that its comment asks for."""
    book.toc(toc.read_bytes())
    for name in note(toc, "files").split():
        book.write(name, json.dumps(EMPTY) if name.endswith(".ipynb") else "Words.\n")


def assert_refused(book, pattern: str, *flags: str, file: str = "_toc.yml") -> None:
    """The run says one line that names the file and the place, and leaves everything as it was."""
    before = book.snapshot()
    result = book.run(*flags)
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"generate_stubs: \S.*\n", result.err), result.err  # one line
    assert file in result.err
    assert re.search(pattern, result.err), result.err
    assert book.snapshot() == before


@pytest.mark.parametrize("toc", BAD, ids=lambda toc: toc.stem)
def test_a_fault_in_the_map_is_one_line_with_its_place(book, toc):
    prepare(book, toc)
    assert note(toc, "expects")
    assert_refused(book, note(toc, "expects"))


@pytest.mark.parametrize("flag", ["--check", "--dry-run", "--json", "--rename", "--retitle", "--prune"])
def test_no_flag_hides_a_fault(book, flag):
    prepare(book, HERE / "tocs" / "bad" / "unknown-part-key.yml")
    assert_refused(book, "captoin", flag)


@pytest.mark.parametrize("toc", GOOD, ids=lambda toc: toc.stem)
def test_a_good_map_gives_its_golden_plan(book, toc):
    """``MMBOOK_GOLDEN=write`` rewrites the golden plans."""
    prepare(book, toc)
    found = {"plan": book.plan()}
    assert book.run().code == 0
    marks = {path: book.read(path)["metadata"]["mmbook"] for path in found["plan"]["create"]}
    found["stubs"] = {path: [mark["title"], mark["template"]] for path, mark in marks.items()}
    golden = toc.with_suffix(".json")
    if os.environ.get("MMBOOK_GOLDEN") == "write":
        golden.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(golden.read_text(encoding="utf-8"))
    assert book.plan() == {**found["plan"], "create": []}  # what was planned was done


@pytest.mark.parametrize(
    "title",
    [
        "Old",
        "*Stars* & `code` #",
        "漢字 😀",
        'a "b" \\ c',
        "# x",
        "C #",
        "#",
        "$x_1$",
        "List<int>",
        "$5 to $10",
        "__init__",
        "<script>",
        "{ref}`x`",
        "AT&T &amp; co",
        "a \\* b",
        "![x](y)",
        "~~no~~",
        "[a][b]",
    ],
)
def test_a_title_from_the_map_is_the_heading_of_its_page(book, title):
    book.pages(a=title)
    book.run()
    heading = "".join(book.read("a.ipynb")["cells"][0]["source"]).removeprefix("# ")
    assert plain(heading) == title
    shown = MarkdownIt().parseInline(heading)[0].children
    assert "".join(token.content for token in shown) == title
    assert {token.type for token in shown} <= {"text", "text_special"}
    book.write_over("a.ipynb")
    assert book.run("--check").code == 0  # the page is not told that its heading differs from itself


# --- faults on the disk ---


def test_a_page_behind_a_link_out_of_the_project_is_refused(book, new_book):
    elsewhere = new_book()
    elsewhere.write("page.ipynb", json.dumps(EMPTY))
    (book.root / "a.ipynb").symlink_to(elsewhere.root / "page.ipynb")
    book.pages(a=None)
    assert_refused(book, "line 4: .*symbolic link")


def test_a_relative_root_does_not_open_a_way_out(book, new_book, monkeypatch):
    elsewhere = new_book()
    elsewhere.write("page.ipynb", json.dumps(EMPTY))
    (book.root / "a.ipynb").symlink_to(elsewhere.root / "page.ipynb")
    book.pages(a=None)
    monkeypatch.chdir(book.root.parent)
    book.root = Path(book.root.name)
    assert_refused(book, "line 4: .*symbolic link")


def test_a_folder_that_leads_out_of_the_project_is_refused(book, new_book):
    (book.root / "part").symlink_to(new_book().root)
    book.pages(part__a=None)
    assert_refused(book, "line 4: .*symbolic link")


def test_a_link_within_the_project_is_followed(book):
    book.write("real/x.md", "# X\n")
    (book.root / "a.md").symlink_to("real/x.md")
    (book.root / "part").symlink_to("real")
    book.pages(a=None, part__x=None)
    assert book.plan()["create"] == ["intro.ipynb"]


@pytest.mark.parametrize("link", ["a.ipynb", "part"])
def test_a_link_to_itself_is_refused(book, link):
    (book.root / link).symlink_to(link)
    book.pages(a=None, part__b=None)
    assert_refused(book, "", file=link)


def test_a_link_to_nothing_is_refused(book):
    (book.root / "a.ipynb").symlink_to("nothing")
    book.pages(a=None)
    assert_refused(book, "", file="a.ipynb")


def test_a_file_where_a_folder_is_needed_is_refused_before_any_folder_is_made(book):
    book.write("part", "I am a file.")
    book.pages(new__a=None, part__b=None)
    assert_refused(book, "", file="part")


def test_a_folder_named_like_a_notebook_is_refused(book):
    book.write("a.ipynb/inside.txt", "x")
    book.pages(a=None)
    assert_refused(book, "folder", file="a.ipynb")


NOT_NOTEBOOKS = {
    "empty": "",
    "html": "<html>",
    "merge conflict": "<<<<<<< HEAD\n{}",
    "cut off": json.dumps(EMPTY)[:-5],
    "two texts": json.dumps(EMPTY) * 2,
    "latin 1": json.dumps({**EMPTY, "metadata": {"title": "é"}}, ensure_ascii=False).encode("latin-1"),
    "utf 16": json.dumps(EMPTY).encode("utf-16"),
    "a list": "[]",
    "a word": '"notebook"',
    "format 3": json.dumps({"worksheets": [{"cells": []}], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}),
    "format 5": json.dumps({**EMPTY, "nbformat": 5}),
    "no format": json.dumps({"cells": [], "metadata": {}}),
    "no cells": json.dumps({"metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
    "cells a mapping": json.dumps({**EMPTY, "cells": {}}),
    "metadata null": json.dumps({**EMPTY, "metadata": None}),
    "cell a number": json.dumps({**EMPTY, "cells": [3]}),
    "cell without type": json.dumps({**EMPTY, "cells": [{"source": ""}]}),
    "cell without source": json.dumps({**EMPTY, "cells": [{"cell_type": "code", "metadata": {}}]}),
    "source a number": json.dumps({**EMPTY, "cells": [{"cell_type": "code", "source": 3}]}),
    "source of numbers": json.dumps({**EMPTY, "cells": [{"cell_type": "code", "source": [3]}]}),
    "cell metadata a list": json.dumps({**EMPTY, "cells": [{"cell_type": "code", "source": "", "metadata": []}]}),
    "minor format a word": json.dumps({**EMPTY, "nbformat_minor": "five"}),
    "cell id a list": json.dumps({**EMPTY, "cells": [{"cell_type": "raw", "id": [], "source": ""}]}),
    "deep": '{"cells": ' + "[" * 100_000,
    "endless number": '{"nbformat": ' + "4" * 5000 + "}",
}


@pytest.mark.parametrize("text", NOT_NOTEBOOKS.values(), ids=NOT_NOTEBOOKS)
def test_a_file_that_is_no_notebook_is_named(book, text):
    book.write("part/a.ipynb", text)
    book.pages(new=None, part__a=None)
    assert_refused(book, "", file="part/a.ipynb")


def test_a_text_page_that_is_not_utf8_is_named(book):
    book.write("a.md", b"# caf\xe9")
    book.pages(a=None)
    assert_refused(book, "UTF-8", file="a.md")


def test_a_file_without_the_right_to_read_is_named(book, monkeypatch):
    book.write("a.ipynb", json.dumps(EMPTY))
    book.pages(a=None)
    real = io.open

    def deny(path, *rest, **named):  # root may read everything, so no chmod
        if str(path).endswith("a.ipynb"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *rest, **named)

    monkeypatch.setattr(io, "open", deny)
    result = book.run()
    assert result.code == 2
    assert "a.ipynb" in result.err


def test_a_folder_without_the_right_to_read_is_named(book, monkeypatch):
    book.write("part/a.md", "# A")
    book.pages(part__a=None, part__new=None)
    real = os.scandir

    def deny(path="."):
        if str(path).endswith("part"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    before = book.snapshot()
    monkeypatch.setattr(os, "scandir", deny)
    result = book.run()
    monkeypatch.undo()
    assert result.code == 2
    assert "part" in result.err
    assert result.err.count("\n") == 1
    assert book.snapshot() == before


def test_a_name_that_is_not_utf8_does_not_break_the_report(book):
    (book.root / os.fsdecode(b"caf\xe9.ipynb")).write_text(json.dumps(EMPTY))
    book.pages()
    assert book.run().code == 0
    assert "caf" in book.run().out
    assert len(book.plan()["orphans"]) == 1


# --- the configuration ---

CONFIGS = {
    "tab": ("a:\n\t- b\n", "line 2"),
    "not utf-8": (b"title: caf\xe9\n", "UTF-8"),
    "a list": ("- a\n", "mapping"),
    "repository a word": ("repository: here\n", "repository"),
    "address elsewhere": ("repository: {url: https://gitlab.com/a/b}\n", "repository.url"),
    "address without name": ("repository: {url: https://github.com/a}\n", "repository.url"),
    "address not a url": ("repository: {url: 'https://[github.com/a/b'}\n", "repository.url"),
    "address with a quote": ("repository: {url: 'https://github.com/a/b\"; x'}\n", "repository.url"),
    "address with a space": ("repository: {url: 'https://github.com/a/b c'}\n", "repository.url"),
    "branch with a line break": ('repository: {branch: "a\\nb"}\n', "branch"),
    "branch a list": ("repository: {branch: [main]}\n", "branch"),
    "branch with a quote": ("repository: {branch: 'a\"b'}\n", "branch"),
    "branch a number": ("repository: {branch: 2025.10}\n", "line 1: repository.branch .*quotes"),
    "branch a switch": ("repository:\n  branch: on\n", "line 2: repository.branch .*quotes"),
    "branch octal": ("repository:\n  branch: 0123\n", "line 2: repository.branch .*quotes"),
    "branch zero": ("repository: {branch: 0}\n", "repository.branch .*quotes"),
    "branch empty brackets": ("repository: {branch: {}}\n", "repository.branch .*quotes"),
    "title a number": ("a: 1\ntitle: 2025.10\n", "line 2: title .*quotes"),
    "a pattern that is no text": ("exclude_patterns:\n- 3\n", "line 2: exclude_patterns.0 .*quotes"),
    "a folder outside": ("repository: {path_to_book: ../x}\n", "path_to_book"),
    "patterns a number": ("exclude_patterns: 3\n", "exclude_patterns"),
    "patterns a word": ("exclude_patterns: tests\n", "exclude_patterns"),
}


@pytest.mark.parametrize(("text", "pattern"), CONFIGS.values(), ids=CONFIGS)
def test_a_fault_in_the_configuration_is_one_line(book, text, pattern):
    book.pages(a=None)
    book.write("_config.yml", text)
    assert_refused(book, pattern, file="_config.yml")


# --- the command line, as a command ---


def command(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, words)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **environment},
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "words", [["--nope"], ["--check", "--dry-run"], ["stray"], ["--root"], ["--root", "/no/such/place"]]
)
def test_a_usage_error_is_one_line(words):
    done = command(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("generate_stubs: ")


def test_the_command_works_and_reports_faults_without_traceback(book):
    book.pages(a="A")
    done = command("--root", book.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert "create   a.ipynb" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("stubs: 2 create")
    assert command("--root", book.root, "--check").returncode == 0
    book.pages(a="Another")
    assert command("--root", book.root, "--check").returncode == 1
    book.toc("root: [")
    done = command("--root", book.root)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_terminal_that_knows_only_ascii_gets_its_report(book):
    book.pages(a="Été")
    book.write("a.md", "# Eté\n")
    done = command("--root", book.root, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a.md" in done.stdout


@pytest.mark.parametrize("level", ["[", "{a: ", "- ", "? "])
def test_a_map_nested_without_end_does_not_crash_python(book, level):
    book.toc("root: intro\nmeta:\n  " + level * 100_000)
    done = command("--root", book.root)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_long_run_keeps_its_progress_bar_off_a_log(book):
    book.pages(**{f"p{number}": None for number in range(350)})
    done = command("--root", book.root)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_default_root_is_here(book, monkeypatch: pytest.MonkeyPatch, capsys: Callable):
    book.pages()
    monkeypatch.chdir(book.root)
    assert generate_stubs.main([]) == 0
    assert book.notebooks() == {"intro.ipynb"}
