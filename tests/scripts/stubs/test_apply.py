"""Killed at any moment, or stopped by a full disk: files are whole, old or new, and the next run leaves no litter."""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import generate_stubs
import pytest

SCRIPT = Path(generate_stubs.__file__)
PART = ".mmbook-part"
CALLS = ("replace", "rename", "fsync", "sync", "unlink", "remove", "mkdir", "rmdir", "link", "chmod")


class Killed(BaseException):
    """Like KeyboardInterrupt, but nobody else raises it."""


class Trap:
    """Counts the calls that change the disk and raises at the n-th: before it, after it, or half-way in a write."""

    def __init__(self, patch: pytest.MonkeyPatch, error: Callable[[], BaseException] = Killed) -> None:
        self.count, self.at, self.after, self.error = 0, 0, False, error
        for name in CALLS:
            patch.setattr(os, name, self._guard(getattr(os, name)))
        opened = self._open(builtins.open)
        patch.setattr(builtins, "open", opened)
        patch.setattr(io, "open", opened)

    def set(self, at: int, after: bool = False) -> None:
        self.count, self.at, self.after = 0, at, after

    def step(self, act: Callable) -> object:
        self.count += 1
        mine = self.count == self.at
        if mine and not self.after:
            raise self.error()
        done = act()
        if mine:
            raise self.error()
        return done

    def _guard(self, real: Callable) -> Callable:
        return lambda *args, **named: self.step(lambda: real(*args, **named))

    def _open(self, real: Callable) -> Callable:
        def opened(file, mode="r", *args, **named):
            if not set(mode) & set("wax+"):
                return real(file, mode, *args, **named)
            stream = self.step(lambda: real(file, mode, *args, **named))
            write = stream.write

            def half(data):
                self.count += 1
                if self.count == self.at:
                    write(data[: len(data) // 2])
                    stream.flush()
                    raise self.error()
                return write(data)

            return Stream(stream, half)

        return opened


class Stream:
    """A file whose ``write`` is another one."""

    def __init__(self, stream, write: Callable) -> None:
        self._stream, self.write = stream, write

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def scene(book) -> tuple[str, ...]:
    """A book in which one run creates, refreshes, renames, retitles and prunes; returns the flags for it."""
    book.config("https://github.com/first/book")
    book.pages(part__kept="Kept", part__chapter="Chapter", old__moved="Moved", part__gone="Gone", part__text="Text")
    (book.root / "part").mkdir()
    book.write("part/text.md", "# Old text\n\nwords\n")
    book.run()
    for path in ("part/chapter.ipynb", "old/moved.ipynb"):
        book.write_over(path)
    book.config("https://github.com/other/place")
    book.pages(
        part__kept="Kept still", part__chapter="Another", fresh__moved="Moved", part__text="New text", new__page="New"
    )
    return "--rename", "--retitle", "--prune"


def states(book) -> dict[str, bytes]:
    return {name: data for name, data in book.snapshot().items() if data is not None and PART not in name}


MOVED = {"old/moved.ipynb": "fresh/moved.ipynb"}


@pytest.fixture
def undisturbed(new_book) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files before and after a run that nothing disturbs."""
    book = new_book()
    flags = scene(book)
    before = states(book)
    assert book.run(*flags).code == 0
    assert book.run("--check").code == 0
    return before, states(book)


def assert_whole(now: dict[str, bytes], before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Every file is the old one or the new one; of a page that moves, exactly one file is there."""
    for name, data in now.items():
        old = next((o for o, n in MOVED.items() if n == name), name)
        assert data in (before.get(name), before.get(old), after.get(name)), f"{name} is neither old nor new"
    for name in before:
        gone_by_prune = name not in after and name not in MOVED
        assert (name in now) + (MOVED.get(name) in now) == 1 or gone_by_prune, f"{name} is lost or doubled"


@pytest.mark.parametrize(
    ("after", "many"), [(False, False), (True, True)], ids=["before, few files", "after, many files"]
)
def test_killed_at_any_write_every_notebook_is_whole_and_the_next_run_ends_the_work(
    new_book, undisturbed, monkeypatch, after, many
):
    from bookkit.stubs import apply

    if many:  # the way of large runs: one sync for all
        monkeypatch.setattr(apply, "FEW", 0)
    before, done = undisturbed
    reached = False
    for number in range(1, 200):
        book = new_book()
        flags = scene(book)
        with monkeypatch.context() as patch:
            trap = Trap(patch)
            trap.set(number, after)
            with contextlib.suppress(Killed):
                book.run(*flags)
        reached = trap.count < number
        assert_whole(states(book), before, done)
        assert book.run(*flags).code == 0
        assert not [name for name in book.snapshot() if PART in name]
        assert states(book) == done
        shutil.rmtree(book.root)
        if reached:
            break
    assert reached
    assert number > 20


def test_a_full_disk_is_one_line_and_no_notebook_is_half_changed(new_book, undisturbed, monkeypatch):
    before, done = undisturbed
    for number in range(1, 200):
        book = new_book()
        flags = scene(book)
        with monkeypatch.context() as patch:
            trap = Trap(patch, lambda: OSError(errno.ENOSPC, "No space left on device"))
            trap.set(number)
            result = book.run(*flags)
        assert result.code in (0, 2)
        assert result.err.count("\n") == (1 if result.code else 0)
        assert_whole(states(book), before, done)
        assert book.run(*flags).code == 0
        assert states(book) == done
        shutil.rmtree(book.root)
        if trap.count < number:
            assert result.code == 0
            break
    assert number > 20


def test_a_disk_that_fills_up_while_writing_leaves_everything_as_it_was(new_book, monkeypatch):
    """Up to the first file that takes its place nothing is to be seen, not even a temporary file or an empty folder."""
    stopped = 0
    for number in range(1, 100):
        book = new_book()
        book.pages(a="A", b="B")
        book.run()
        book.pages(a="A2", b="B2", new__d="D")
        before, replaced = book.snapshot(), []
        with monkeypatch.context() as patch:
            real = os.replace
            patch.setattr(os, "replace", lambda *a, done=replaced, real=real: (real(*a), done.append(a)))
            trap = Trap(patch, lambda: OSError(errno.ENOSPC, "No space left on device"))
            trap.set(number)
            result = book.run()
        if not replaced:
            assert result.code == 2
            assert result.err.count("\n") == 1
            assert book.snapshot() == before
            stopped += 1
        if trap.count < number:
            break
    assert stopped > 8


def test_everything_is_on_disk_before_the_first_file_takes_its_place(book, monkeypatch):
    from bookkit.stubs import apply

    for few in (64, 0):
        events: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(apply, "FEW", few)
            for name in ("fsync", "sync", "replace"):
                real = getattr(os, name)
                patch.setattr(os, name, lambda *a, real=real, note=events.append, name=name: (note(name), real(*a))[1])
            book.pages(**{f"p{few}{number}": None for number in range(3)})
            book.run()
        flushed, _, rest = " ".join(events).partition("replace")
        assert flushed.split() in (["fsync"] * flushed.count("fsync"), ["sync"])
        assert flushed
        assert flushed.count("fsync") >= (3 if few else 0)
        assert "sync" in rest.rpartition("replace")[2]  # the folders, before success is reported


def test_litter_of_a_killed_run_goes_even_where_the_page_has_left_the_map(book):
    book.pages(part__a="A")
    book.run()
    for place in ("part", ".", "elsewhere/deep"):
        book.write(f"{place}/.b.ipynb{PART}", "half a note")
    book.pages(c="C")
    book.run()
    assert not [name for name in book.snapshot() if PART in name]


def test_a_dry_mode_does_not_even_sweep(book):
    book.pages(a="A")
    book.write(f".b.ipynb{PART}", "half a note")
    before = book.snapshot()
    book.run("--check"), book.run("--dry-run")
    assert book.snapshot() == before


def test_litter_that_is_not_ours_stays(book):
    book.pages(a="A")
    book.write(".a.ipynb.part", "x"), book.write(f"mine{PART}", "x")
    book.run()
    assert {".a.ipynb.part", f"mine{PART}"} <= set(book.snapshot())


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_real_kill_leaves_whole_notebooks(book):
    names = [f"part{number % 7}__p{number}" for number in range(60)]  # few enough for a flush of each file
    variants, plain = [], {}
    for owner in ("first", "other"):
        book.config(f"https://github.com/{owner}/book")
        book.pages(**{name: f"{name} {owner}" for name in names})
        assert book.run().code == 0
        variants.append(states(book))
        plain[owner] = (book.text("_config.yml"), book.text("_toc.yml"))
    command = [sys.executable, str(SCRIPT), "--root", str(book.root)]

    def start(owner: str) -> subprocess.Popen:
        book.write("_config.yml", plain[owner][0]), book.write("_toc.yml", plain[owner][1])
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    mixed = 0
    for turn in range(12):
        process = start(("other", "first")[turn % 2])
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:  # wait for the first write
            if any(name.endswith(PART) for name in os.listdir(book.root / "part0")):
                break
        time.sleep(0.0005 * turn)
        process.kill()
        process.wait()
        now = {name: data for name, data in states(book).items() if name.endswith(".ipynb")}
        assert len(now) == len(names) + 1
        kinds = {name: [data == variant[name] for variant in variants] for name, data in now.items()}
        assert all(any(kind) for kind in kinds.values())
        mixed += len({tuple(kind) for kind in kinds.values()}) > 1 or any(PART in name for name in book.snapshot())
    assert mixed  # at least one kill did hit the writing
    assert start("first").wait() == 0
    assert states(book) == {
        **variants[0],
        "_config.yml": plain["first"][0].encode(),
        "_toc.yml": plain["first"][1].encode(),
    }
    assert not [name for name in book.snapshot() if PART in name]
    assert json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True).stdout)["refresh"] == []
