"""A throw-away book to run the author's commands on."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import generate_stubs
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")

Snapshot = dict[str, bytes | None]
PART = ".mmbook-part"


@dataclass
class Result:
    """What a run of the command left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def plan(self) -> dict[str, Any]:
        """The plan of a run with ``--json``."""
        return json.loads(self.out)


class Book:
    """A folder with a course map; commands run on it in this process."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def toc(self, text: str | bytes) -> None:
        """Write the course map as it stands."""
        (self.root / "_toc.yml").write_bytes(text if isinstance(text, bytes) else text.encode())

    def pages(self, **titles: str | None) -> None:
        """A jb-book map: the root ``intro``, then a page for each name (``__`` stands for ``/``)."""
        lines = ["format: jb-book", "root: intro", *(["chapters:"] if titles else [])]
        for name, title in titles.items():
            lines.append(f"- file: {name.replace('__', '/').replace('_', '-')}")
            lines += [f"  title: {json.dumps(title, ensure_ascii=False)}"] if title else []
        self.toc("\n".join(lines) + "\n")

    def config(self, url: str | None = "https://github.com/first/book", **rest: Any) -> None:
        """Write ``_config.yml`` (JSON is YAML)."""
        data = {**({"repository": {"url": url}} if url else {}), **rest}
        self.write("_config.yml", json.dumps(data))

    def run(self, *flags: str) -> Result:
        """Run the generator."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = generate_stubs.main(["--root", str(self.root), *flags])
        out.seek(0), err.seek(0)
        return Result(code, out.read(), err.read())

    def plan(self, *flags: str) -> dict[str, Any]:
        """What a run would do."""
        return self.run("--dry-run", "--json", *flags).plan

    def read(self, path: str) -> dict[str, Any]:
        """A notebook as data."""
        return json.loads(self.text(path))

    def text(self, path: str) -> str:
        """A file as text, line ends and byte order mark untouched."""
        return (self.root / path).read_bytes().decode()

    def write(self, path: str, text: str | bytes) -> None:
        """A file, with its folder."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def edit(self, path: str, change: Callable[[dict[str, Any]], object], **style: Any) -> None:
        """Change a notebook as an author's editor would: parse, change, write all of it."""
        data = self.read(path)
        change(data)
        self.write(path, json.dumps(data, **{"indent": 1, "ensure_ascii": False, **style}) + "\n")

    def write_over(self, path: str, text: str = "My own words.") -> None:
        """Make a stub authored: one more cell."""
        cell = {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": [text]}
        self.edit(path, lambda data: data["cells"].append(cell))

    def snapshot(self) -> Snapshot:
        """Every file with its bytes (a link: where it leads) and every folder (None), git's own apart."""
        return dict(self._entries(self.root))

    def _entries(self, folder: Path) -> Iterator[tuple[str, bytes | None]]:
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            name = Path(entry.path).relative_to(self.root).as_posix()
            if entry.is_symlink():
                yield name, b"-> " + os.readlink(os.fsencode(entry.path))
            elif entry.is_dir():
                if entry.name != ".git":
                    yield name, None
                    yield from self._entries(Path(entry.path))
            else:
                yield name, Path(entry.path).read_bytes()

    def notebooks(self) -> set[str]:
        """The notebooks on disk."""
        return {name for name, data in self.snapshot().items() if data is not None and name.endswith(".ipynb")}


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush shows nothing to a test in the same process, and ``os.sync`` waits for everybody's files."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(os, "sync", lambda: None, raising=False)


@pytest.fixture
def new_book(tmp_path: Path) -> Iterator[Callable[[], Book]]:
    """A maker of empty books, in memory where the machine has a place for that."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield lambda: Book(Path(tempfile.mkdtemp(prefix="book", dir=folder)))


@pytest.fixture
def book(new_book: Callable[[], Book]) -> Book:
    """An empty book."""
    return new_book()
