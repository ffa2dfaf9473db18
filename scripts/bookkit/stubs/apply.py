"""Carries out a plan: all texts are on disk before the first one takes its place."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bookkit.course.tree import walk
from bookkit.errors import BookError

MARK = ".mmbook-part"  # temporary files: .NAME.mmbook-part, beside NAME
FEW = 64  # up to so many files are flushed one by one, more in one call


def write_all(root: Path, texts: dict[str, str]) -> None:
    """Write every text beside its target, flush, then move each into place with ``os.replace``.

    Killed at any moment, each file is the old one or the new one; what is left lying about is
    removed by ``sweep`` at the start of the next run.

    Raises:
        BookError: a file can't be written; nothing was replaced unless the disk failed half-way.
    """
    pending: list[tuple[Path, Path]] = []
    made: list[Path] = []
    for path in {path.rpartition("/")[0]: path for path in texts}.values():
        check_ancestors(root, path)
    try:
        for folder in sorted({(root / path).parent for path in texts}):
            made += [f for f in reversed([folder, *folder.parents]) if not f.exists()]
            folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            target = (root / path).resolve() if (root / path).is_symlink() else root / path  # the link stays a link
            temporary = target.with_name(f".{target.name}{MARK}")
            pending.append((temporary, target))
            with open(temporary, "wb") as file:
                file.write(text.encode())
                if len(texts) <= FEW or not hasattr(os, "sync"):
                    file.flush()
                    os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, temporary)
        if len(texts) > FEW and hasattr(os, "sync"):
            os.sync()
        for temporary, target in pending:
            os.replace(temporary, target)
        _flush_folders({target.parent for _, target in pending})
    except OSError as error:
        for temporary, _ in pending:
            with contextlib.suppress(OSError):
                temporary.unlink()
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # only if it is empty
                folder.rmdir()
        raise BookError(error.filename or root, f"can't be written ({error.strerror})") from None


def _flush_folders(folders: Iterable[Path]) -> None:
    if os.name != "posix":
        return
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_ancestors(root: Path, path: str) -> None:
    """Refuse a target below something that is a file.

    Raises:
        BookError: names the file.
    """
    for parent in reversed(Path(path).parents):
        if os.path.lexists(root / parent) and not (root / parent).is_dir():
            raise BookError(root / parent, f"is a file, so {path} can't be made below it; move it away")


def sweep(root: Path) -> None:
    """Remove temporary files that a killed run left."""
    for folder, names in walk(root):
        for name in names:
            if name.startswith(".") and name.endswith(MARK):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, name))


def rename(root: Path, old: str, new: str) -> None:
    """Move a page: with ``git mv`` if git tracks it, else plainly.

    Raises:
        BookError: something is already there, or the move failed.
    """
    source, target = root / old, root / new
    if os.path.lexists(target):
        raise BookError(target, f"already exists; {old} was not renamed, move one of them away")
    check_ancestors(root, new)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BookError(target.parent, f"can't be made ({error.strerror})") from None
    tracked = shutil.which("git") and _git(root, "ls-files", "--error-unmatch", old).returncode == 0
    if tracked:
        done = _git(root, "mv", old, new)
        if done.returncode:
            with contextlib.suppress(OSError):
                target.parent.rmdir()  # only if it was made for nothing
            raise BookError(source, f"git mv failed: {done.stderr.strip()}")
    else:
        try:
            os.rename(source, target)
        except OSError as error:
            raise BookError(source, f"can't be moved to {new} ({error.strerror})") from None


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)


def prune(root: Path, paths: Iterable[str]) -> None:
    """Delete files that the caller knows to be untouched stubs."""
    for path in paths:
        try:
            (root / path).unlink()
        except OSError as error:
            raise BookError(root / path, f"can't be deleted ({error.strerror})") from None
