"""Which source files lie below the root: each folder is listed once, which makes 10,000 pages fast."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bookkit.errors import BookError

SUFFIXES = (".ipynb", ".md", ".rst")
SKIPPED_FOLDERS = {"_build", "node_modules", "__pycache__"}


def sources(root: Path, excluded: tuple[str, ...] = ()) -> list[PurePosixPath]:
    """Every page file below ``root``: no hidden, build, package or virtual environment folders.

    Args:
        excluded: ``exclude_patterns`` in Sphinx's notation; one that matches a folder excludes all below it.
    """
    matchers = []
    if excluded:
        from sphinx.util.matching import compile_matchers  # slow to import

        matchers = compile_matchers(excluded)
    outside: dict[str, bool] = {"": False}

    def is_excluded(path: str) -> bool:
        if path not in outside:
            parent = path.rpartition("/")[0]
            outside[path] = is_excluded(parent) or any(matches(path) for matches in matchers)
        return outside[path]

    found = []
    for folder, files in walk(root):
        base = PurePosixPath(Path(folder).relative_to(root).as_posix())
        for name in files:
            if name.endswith(SUFFIXES) and not name.startswith("."):
                relative = base / name
                if not is_excluded(str(relative)):
                    found.append(relative)
    return found


def walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    """(folder, its files) for every folder that may hold pages."""
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(
            s
            for s in subfolders
            if not s.startswith(".") and s not in SKIPPED_FOLDERS and not os.path.exists(f"{folder}/{s}/pyvenv.cfg")
        )
        yield folder, sorted(files)


def namesakes(root: Path) -> dict[str, str]:
    """Folded page name -> a file of that name, whatever the case of its suffix: on some disks it is the page's file."""
    found = {}
    for folder, files in walk(root):
        base = PurePosixPath(Path(folder).relative_to(root).as_posix())
        for name in files:
            if name.lower().endswith(SUFFIXES):
                found[folded(str((base / name).with_suffix("")))] = str(base / name)
    return found


class Tree:
    """Which files pages have. Each folder is listed once, which is what makes 10,000 pages fast."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, dict[str, os.DirEntry[str]]] = {}

    def files(self, docname: str) -> list[os.DirEntry[str]]:
        """The files of a page, in every suffix it exists in; notebooks first."""
        folder, _, name = docname.rpartition("/")
        listed = self._listing(folder)
        return [listed[name + s] for s in SUFFIXES if name + s in listed]

    def _listing(self, folder: str) -> dict[str, os.DirEntry[str]]:
        if folder not in self._folders:
            try:
                with os.scandir(self.root / folder) as entries:
                    self._folders[folder] = {entry.name: entry for entry in entries}
            except (FileNotFoundError, NotADirectoryError):
                self._folders[folder] = {}
            except OSError as error:
                raise BookError(self.root / folder, f"can't be listed ({error.strerror}); mend its rights") from None
        return self._folders[folder]


def folded(name: str) -> str:
    """Names that are equal so are one file on some disks."""
    return unicodedata.normalize("NFC", name).casefold()
