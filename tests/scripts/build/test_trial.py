"""Trials of Colab copies: the runtimes, and a chapter whose address can't be reached. `make colab-test` does more."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version
from scripts.tinybook import REPOSITORY, TinyBook, chapter

from bookkit.build import trial
from bookkit.build.book import read_book
from bookkit.errors import BookError

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_newest_runtime_stands_first_and_all_name_their_source():
    found = trial.runtimes()
    assert len(found) >= 3
    assert [r.date for r in found] == sorted((r.date for r in found), reverse=True)
    for runtime in found:
        assert re.fullmatch(r"[0-9a-f]{7,40}", runtime.commit)
        assert set(runtime.packages) == set(found[0].packages)


def test_the_lower_bounds_are_the_versions_of_the_oldest_runtime():
    oldest = trial.runtimes()[-1].packages
    bounds = dict(re.fullmatch(r"([\w-]+)>=([\w.]+)", line).groups() for line in PROJECT["dependencies"])
    assert set(bounds) - set(oldest) == {"torch"}
    for name, bound in bounds.items():
        if name != "torch":
            assert Version(bound) == Version(oldest[name]), name


def test_a_trial_begins_with_the_torch_of_the_book_and_the_packages_of_the_runtime(tmp_path):
    runtime = trial.runtimes()[0]
    pins = trial.pins(REPOSITORY, runtime)
    assert pins[0].startswith("torch==2")
    assert f"numpy=={runtime.packages['numpy']}" in pins
    assert not any(pin.startswith("mmbook") for pin in pins)
    (tmp_path / "requirements.txt").write_text("numpy==1\n")
    with pytest.raises(BookError, match="pins no torch"):
        trial.pins(tmp_path, runtime)


class Pip(trial.Environment):
    """An environment whose pip only remembers."""

    def __init__(self, folder: Path, *runs: dict[str, str]) -> None:
        self.runs, self.said = list(runs), []
        super().__init__(folder, sys.executable, [])

    def pip(self, *words: str) -> str:
        self.said.append(words)
        return ""

    def versions(self) -> dict[str, str]:
        return self.runs.pop(0) if len(self.runs) > 1 else self.runs[0]


def test_each_chapter_begins_without_what_another_installed(tmp_path):
    environment = Pip(tmp_path / "env", {"numpy": "2"}, {"numpy": "2", "mmbook": "0.1"})
    environment.reset()
    assert environment.said[-1] == ("uninstall", "--yes", "mmbook")
    spoilt = Pip(tmp_path / "env2", {"numpy": "2"}, {"numpy": "3"})
    with pytest.raises(BookError, match="numpy 2 -> 3"):
        spoilt.reset()
    assert not (tmp_path / "env2").exists()


@pytest.fixture
def book(tmp_path) -> TinyBook:
    book = TinyBook(tmp_path / "book")
    book.page("one.ipynb", chapter("one"))
    git = ["git", "-C", str(book.root), "-c", "user.name=x", "-c", "user.email=x@y.z"]
    subprocess.run(["git", "init", "-q", str(book.root)], check=True)
    with pytest.raises(BookError, match="make one"):
        trial._redirected(read_book(book.root, "0"), book.root)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    return book


class Here(trial.Environment):
    """The environment of the tests themselves; its pip is real, and here it can only fail."""

    def __init__(self) -> None:
        self.python = Path(sys.executable)

    def reset(self) -> None:
        """Nothing was installed."""

    def changes(self) -> tuple[list[str], list[str]]:
        return [], []


def test_without_a_network_a_reader_sees_one_line_and_nothing_runs_on(book):
    read = read_book(book.root, "0")
    line = trial.without_network(read, read.chapters[0], Here())
    assert line.startswith("mmbook@git+https://github.com/tester/tiny@")
    assert "can't be installed" in line
    assert "https://github.com/tester/tiny/issues" in line
    assert "\n" not in line


def test_a_wheel_that_pip_has_cached_is_no_network(book, monkeypatch):
    read, given = read_book(book.root, "0"), {}

    def run(notebook, folder):
        asked = json.loads((folder.parent / f"jupyter/kernels/{trial.KERNEL}/kernel.json").read_text())
        given.update(asked["env"])
        return notebook, ""

    monkeypatch.setattr(trial, "_run", run)
    trial.without_network(read, read.chapters[0], Here())
    assert given["PIP_NO_CACHE_DIR"] == "1"


def test_a_chapter_that_fails_is_told_with_its_error(book):
    read = read_book(book.root, "0")
    (book.root / "mmbook/__init__.py").unlink()  # its commit holds no package that pip could build
    assert trial.uncommitted(book.root)
    outcome = trial.run_chapter(read, read.chapters[0], Here())
    (fault,) = outcome.faults
    assert fault.startswith("SetupError: mmbook@git+https://github.com/tester/tiny@")
    assert outcome.claims == 0
