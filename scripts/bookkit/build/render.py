"""Lets Jupyter Book render the site, with execution off, and trusts nothing that it says."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bookkit.build.files import as_folder, read_json
from bookkit.course.tree import walk

# Edits of these are not seen by an incremental Sphinx build, so they make it start anew.
WHOLE_SITE = ("_config.yml", "_toc.yml", "requirements.txt", "book/_static", "book/_ext", "book/references.bib")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
TOLD = 20  # warnings at most


# Imported while chapters still run; a line on standard input starts it, and its end (we are gone) ends it.
PROGRAM = """
import sys
import jupyter_book.sphinx, myst_nb.sphinx_ext, sphinx_book_theme, sphinx_design, sphinx_external_toc.events
import a11y_pygments, pybtex.plugin, sphinx_jupyterbook_latex, sphinxcontrib.bibtex
from jupyter_book.cli.main import main
sys.stdin.readline() and main()
"""
Warm = subprocess.Popen[bytes]


@contextlib.contextmanager
def warmed_up(root: Path) -> Iterator[Warm]:
    """A process that has imported Jupyter Book and waits; it is gone when the block ends."""
    command = [sys.executable, "-c", PROGRAM, "build", str(root), "--path-output", str(root)]
    command += ["--warningiserror", "--nitpick", "--keep-going"]
    environment = {**os.environ, "PYTHONUTF8": "1", "NO_COLOR": "1"}
    environment.pop("MAKEFLAGS", None)
    with open(_log(root), "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def render(root: Path, docnames: list[str], warm: Warm | None = None) -> list[str]:
    """Build ``_build/html``; nothing to do if no input changed since the last time.

    Args:
        warm: what ``warmed_up`` gave, if there was time for it.

    Returns:
        What is wrong with the site: Sphinx's warnings, and pictures that are missing or have no alternative text.
    """
    build = as_folder(root / "_build")
    for name in (".doctrees", "html"):
        if os.path.lexists(build / name):
            as_folder(build / name)
    done_before = build / "rendered.sha256"
    inputs = _inputs(root, build, docnames)
    whole = _is_whole(build, docnames)
    if _text(done_before) != inputs or not whole:
        if not whole and done_before.exists():
            print("note: the site had lost a part; it is rendered anew")
            _forget(build)
        done_before.unlink(missing_ok=True)
        fresh = _start_anew_if_needed(root, build, docnames)
        warnings, broken = _sphinx(root, build, warm)
        if broken and not fresh:
            print("note: what Sphinx had kept was of no use; the site is rendered anew")
            _forget(build)
            warnings, broken = _sphinx(root, build)
        if warnings:
            shutil.rmtree(build / ".doctrees", ignore_errors=True)  # an incremental build would not say it again
            return ["the site was rendered with faults:\n" + "\n".join(warnings[:TOLD])]
        done_before.write_text(inputs)
    finished = read_json(build / "finished.json", {})
    return [f"{name}: {fault}" for name in docnames for fault in finished.get(name, {}).get("faults", ())]


def _sphinx(root: Path, build: Path, warm: Warm | None = None) -> tuple[list[str], bool]:
    """Run it; returns what it complained of, and whether it broke down without a word about the pages."""
    if warm is None:
        with warmed_up(root) as process:
            return _sphinx(root, build, process)
    # Sphinx keeps what it has read before it writes; interrupted in between, it would never write it.
    unfinished = build / "rendering"
    unfinished.touch()
    warm.communicate(b"go\n")
    unfinished.unlink()
    log = _log(root)
    text = ANSI.sub("", log.read_text(encoding="utf-8", errors="replace"))
    warnings = [line for line in text.splitlines() if re.search(r"\b(WARNING|ERROR)\b", line)]
    if warm.returncode and not warnings:
        return [*text.splitlines()[-15:], f"(the whole log: {log})"], True
    return [line.replace(f"{root}{os.sep}", "") for line in warnings], False


def _log(root: Path) -> Path:
    return root / "_build/sphinx.log"


def _is_whole(build: Path, docnames: list[str]) -> bool:
    """Whether every page is there, with what was found of it."""
    finished = read_json(build / "finished.json", {})
    pages = [build / "html" / f"{name}.html" for name in docnames]
    there = all(page.is_file() and page.stat().st_size for page in [*pages, build / "html/index.html"])
    return there and set(docnames) <= set(finished) and (build / "html/_static").is_dir()


def _inputs(root: Path, build: Path, docnames: list[str]) -> str:
    """Hash of all that a site is made from: each file of the project by time and size, the records by content."""
    digest = hashlib.sha256("\n".join(docnames).encode())
    for folder, names in walk(root):
        for name in names:
            try:
                facts = os.lstat(os.path.join(folder, name))
            except FileNotFoundError:  # an editor's, gone since it was listed
                continue
            digest.update(f"{folder}/{name} {facts.st_mtime_ns} {facts.st_size}\n".encode(errors="replace"))
    for path in sorted([*build.glob("*.json"), *(build / "pages").rglob("*.json")]):
        if path.name != "finished.json":
            digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def _start_anew_if_needed(root: Path, build: Path, docnames: list[str]) -> bool:
    """Forget what Sphinx keeps if it would not see a change; returns whether it has nothing."""
    digest = hashlib.sha256("\n".join(docnames).encode())
    for name in WHOLE_SITE:
        top = root / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    stamp = build / "site.sha256"
    if (build / "rendering").exists() or _text(stamp) != digest.hexdigest():
        _forget(build)
        stamp.write_text(digest.hexdigest())
    return not (build / ".doctrees").is_dir()


def _forget(build: Path) -> None:
    for name in (".doctrees", "html"):
        shutil.rmtree(as_folder(build / name), ignore_errors=True)
    (build / "finished.json").unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
