"""The record of seeds: more values each time, what was done is kept, and an old record says that it is old."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from scripts.tinybook import REPOSITORY, TinyBook, chapter, markdown, notebook

from bookkit.build.seeds import Record, fared
from bookkit.errors import BookError
from bookkit.lock import alone

# Holds for every value but 2, and tells the value.
CLAIM = """
import os
from mmbook.claims import claim
seed = int(os.environ["MMBOOK_SEED"])
trace(f"seed {seed}")
claim("a beats b", 0.1 * seed, holds=seed != 2)
"""
BREAKS = """
import os
from mmbook.claims import claim
claim("first")
assert os.environ["MMBOOK_SEED"] != "1", "unlucky"
claim("second")
"""


@pytest.fixture
def book(tmp_path) -> TinyBook:
    book = TinyBook(tmp_path / "book")
    book.page("one.ipynb", chapter("one", CLAIM))
    book.page("two.ipynb", chapter("two", BREAKS))
    book.page("words.ipynb", notebook(markdown("# Words alone")))
    return book


def run(book: TinyBook, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "scripts/run_seeds.py"), "--root", str(book.root), *arguments]
    return subprocess.run(command, env=book.environment(), capture_output=True, text=True, timeout=120, check=False)


def record(book: TinyBook) -> dict:
    return json.loads((book.root / "seeds.json").read_text())


def test_each_run_adds_values_that_the_record_lacks(book):
    assert run(book, "--count", "1", "--only", "one").returncode == 0
    assert record(book)["one"]["seeds"] == {"1": {"a beats b": [0.1, True]}}
    done = run(book, "--count", "2", "--only", "one", "--workers", "1")
    assert book.events()[-4:] == ["one", "seed 2", "one", "seed 3"]
    assert set(record(book)["one"]["seeds"]) == {"1", "2", "3"}
    assert "held for 2 of 3 seeds, effects 0.1 to 0.3  a beats b" in done.stdout
    assert "one: 3 values, every claim held in 2\n" in done.stdout


def test_a_chapter_that_breaks_counts_against_the_claims_it_did_not_reach(book):
    done = run(book, "--count", "2", "--only", "two")
    assert done.returncode == 1
    assert "unlucky" in done.stderr
    assert "held for 2 of 2 seeds, effects 0.5 to 0.5  first" in done.stdout
    assert "held for 1 of 2 seeds, effects 0.5 to 0.5  second" in done.stdout
    assert "two: 2 values, every claim held in 1\n" in done.stdout


def test_the_site_says_how_claims_fared_and_when_the_record_is_old(book):
    run(book, "--count", "2", "--only", "one")
    book.page("claims.md", "# All claims\n\n```{claims-table}\n```\n")
    book.set_pages([page for page in book.pages if page != "book/two"])
    assert book.build().returncode == 0
    assert "held for 1 of 2 seeds, effects 0.1 to 0.2" in book.html("claims")
    assert "before the chapter changed" not in book.html("claims")
    path = book.root / "book/one.ipynb"
    path.write_text(path.read_text().replace("0.1 * seed", "0.2 * seed"))
    assert book.build().returncode == 0
    assert "before the chapter changed" in book.html("claims")
    run(book, "--count", "1", "--only", "one")  # an old row is begun anew
    assert record(book)["one"]["seeds"] == {"1": {"a beats b": [0.2, True]}}


def test_what_is_no_record_is_one_line(book):
    (book.root / "seeds.json").write_text("[]")
    done = run(book, "--only", "one")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "seeds.json" in done.stderr


def test_words(tmp_path):
    runs = {"1": {"a": [0.5, True]}, "2": {"a": [None, False]}, "3": None}
    assert fared(runs, "a") == "held for 1 of 3 seeds, effects 0.5 to 0.5"
    assert fared({"1": {"a": [-0.051, True]}}, "a", "points") == "held for 1 of 1 seeds, effects −5.1 to −5.1 points"
    (tmp_path / "seeds.json").write_text('{"x": {"key": "k"}}')
    with pytest.raises(BookError, match="restore it from git"):
        Record.read(tmp_path / "seeds.json")


def test_a_kernel_that_was_killed_says_nothing_about_the_chapter(book):
    book.page("one.ipynb", chapter("one", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"))
    done = run(book, "--count", "1", "--only", "one")
    assert done.returncode == 1
    assert "FAILED" in done.stderr
    assert not (book.root / "seeds.json").is_file() or "1" not in record(book).get("one", {}).get("seeds", {})


def test_two_at_once_are_one_line(book):
    (book.root / "_build").mkdir(exist_ok=True)
    with alone(book.root / "_build"):
        done = run(book, "--count", "1", "--only", "one")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "another build is at work" in done.stderr


@pytest.mark.parametrize("words", [("--count", "many"), ("--count", "0"), ("--sneeze",)])
def test_a_silly_command_line_is_one_line(book, words):
    done = run(book, *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "see --help" in done.stderr
