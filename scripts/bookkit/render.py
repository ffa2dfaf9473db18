"""Lets Jupyter Book render the site from the cache, and trusts nothing that it says."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bookkit.errors import BookError
from bookkit.tree import walk

# Edits of these are not seen by an incremental Sphinx build, so they make it start anew.
WHOLE_SITE = ("_config.yml", "_toc.yml", "requirements.txt", "book/_static", "book/_ext", "book/references.bib")


def render(root: Path, docnames: list[str]) -> None:
    """Build ``_build/html`` with warnings as errors; nothing to do if no input changed since the last time.

    Raises:
        BookError: Sphinx warned or failed, or left an error report.
    """
    build = root / "_build"
    # Sphinx keeps what it has read before it writes; interrupted in between, it would never write it.
    unfinished = build / "rendering"
    done_before = build / "rendered.sha256"
    inputs = _inputs(root, build, docnames)
    if done_before.is_file() and done_before.read_text() == inputs and (build / "html/index.html").is_file():
        return
    done_before.unlink(missing_ok=True)
    _start_anew_if_needed(root, build, docnames, forced=unfinished.exists())
    unfinished.touch()
    log = build / "sphinx.log"
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(root),
        "--path-output",
        str(root),
    ]
    command += ["--warningiserror", "--nitpick", "--keep-going"]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    environment.pop("MAKEFLAGS", None)
    with open(log, "w", encoding="utf-8") as output:
        done = subprocess.run(command, cwd=root, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False)
    text = log.read_text(encoding="utf-8", errors="replace")
    # Every notebook is in the cache; one that Sphinx runs itself would show outputs that nothing checked.
    faults = ("WARNING", "ERROR", "Executing notebook using")
    warnings = [line for line in text.splitlines() if any(fault in line for fault in faults)]
    reports = sorted((build / "html/reports").rglob("*.log")) if (build / "html/reports").is_dir() else []
    if done.returncode or warnings or reports:
        # An incremental build would not mention the same fault again.
        shutil.rmtree(build / ".doctrees", ignore_errors=True)
        shutil.rmtree(build / "html/reports", ignore_errors=True)
        unfinished.unlink()
        told = warnings or [str(r) for r in reports] or text.splitlines()[-15:]
        raise BookError(log, "the site was not rendered: " + " | ".join(told[:20]))
    unfinished.unlink()
    done_before.write_text(inputs)


def _inputs(root: Path, build: Path, docnames: list[str]) -> str:
    """Hash of all that a site is made from: each file of the project by time and size, the records by content."""
    digest = hashlib.sha256("\n".join(docnames).encode())
    for folder, names in walk(root):
        for name in names:
            facts = os.lstat(os.path.join(folder, name))
            digest.update(f"{folder}/{name} {facts.st_mtime_ns} {facts.st_size}\n".encode(errors="replace"))
    for path in sorted(build.glob("*.json")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _start_anew_if_needed(root: Path, build: Path, docnames: list[str], forced: bool) -> None:
    digest = hashlib.sha256("\n".join(docnames).encode())
    for name in WHOLE_SITE:
        top = root / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    stamp = build / "site.sha256"
    if forced or not stamp.is_file() or stamp.read_text() != digest.hexdigest():
        shutil.rmtree(build / ".doctrees", ignore_errors=True)
        shutil.rmtree(build / "html", ignore_errors=True)
        build.mkdir(exist_ok=True)
        stamp.write_text(digest.hexdigest())


def write_json(path: Path, data: object) -> None:
    """Write JSON, only if it differs, so that nothing is rendered again for nothing."""
    text = json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
