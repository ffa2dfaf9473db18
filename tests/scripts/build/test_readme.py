"""The list of chapters in README.md."""

from __future__ import annotations

import json

import pytest
import update_readme

from bookkit.build import readme

TOC = """format: jb-book
root: book/intro
parts:
  - caption: One
    chapters:
      - {file: book/one/a, title: A}
      - {file: book/one/b, title: B}
  - caption: Reference
    chapters:
      - {file: book/reference/data, title: Data}
"""
CONFIG = "title: T\nrepository: {url: https://github.com/Ann/course, branch: main}\n"


@pytest.fixture
def root(tmp_path):
    """A course of two chapters that were built."""
    (tmp_path / "_toc.yml").write_text(TOC)
    (tmp_path / "_config.yml").write_text(CONFIG)
    (tmp_path / "README.md").write_text(f"# T\n\n{readme.BEGIN}\nold\n{readme.END}\n\nEnd.\n")
    (tmp_path / "_build").mkdir()
    cards = {"one/a": {"finding": "A saves 3.5 points."}, "one/b": {"finding": "B loses −2."}}
    (tmp_path / "_build" / "chapters.json").write_text(json.dumps(cards))
    return tmp_path


def test_the_list_has_each_chapter_with_its_link_and_finding(root, capsys):
    assert update_readme.main(["--root", str(root)]) == 0
    text = (root / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# T\n")
    assert text.endswith("\n\nEnd.\n")
    assert "**One**\n\n- [A](https://ann.github.io/course/book/one/a.html). A saves 3.5 points.\n- [B]" in text
    assert "old" not in text
    assert "Reference" not in text
    assert update_readme.main(["--root", str(root)]) == 0
    assert "says it already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda root: (root / "_build" / "chapters.json").unlink(), "run `make book` first"),
        (lambda root: (root / "_build" / "chapters.json").write_text('{"one/a": {"finding": "x"}}'), "book/one/b"),
        (lambda root: (root / "README.md").write_text("# T\n"), "lacks the lines"),
    ],
)
def test_what_is_missing_is_one_line_and_nothing_is_written(root, capsys, harm, said):
    harm(root)
    before = (root / "README.md").read_bytes()
    assert update_readme.main(["--root", str(root)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert (root / "README.md").read_bytes() == before


@pytest.mark.parametrize(
    ("new", "faults"),
    [
        ("saves 34.2 of 5", 0),
        ("saves 26.0 of 5", 0),
        ("saves 25.0 of 5", 1),
        ("saves 34.2 of 10.5", 1),
        ("loses 34.2 of 5", 1),
        ("saves −34.2 of 5", 1),
        ("saves 34.2 of 5\nmore", 1),
    ],
)
def test_words_must_agree_and_numbers_to_a_quarter(new, faults):
    assert len(readme.differences("saves 34.2 of 5", new)) == faults
