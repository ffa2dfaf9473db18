"""Runs chapters as Colab would: its packages, an empty folder, the copy of one chapter, and that copy's setup cell.

The setup cell fetches the helper package from the public address. Git is told to look into this repository instead,
so the commit that was checked out is what is installed; edits that are not committed are not.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bookkit.build import collect
from bookkit.build.book import Book, Chapter
from bookkit.build.colab import commit, copies
from bookkit.errors import BookError

RUNTIMES = Path(__file__).with_name("colab-runtimes.toml")
SLOW = 30.0  # seconds that a setup cell should not exceed when pip has cached what it fetches
KERNEL = "colab-trial"
# What makes a kernel Colab's: its module is loaded before the first cell.
STAND_IN = {"google/__init__.py": "", "google/colab/__init__.py": "", "sitecustomize.py": "import google.colab\n"}
VOICES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Runtime:
    """A runtime that Colab publishes."""

    name: str
    date: str
    commit: str
    python: str
    packages: Mapping[str, str]


@dataclass
class Outcome:
    """How a chapter fared."""

    chapter: str
    setup: float = 0.0  # seconds
    seconds: float = 0.0
    claims: int = 0
    faults: list[str] = field(default_factory=list)


def runtimes() -> list[Runtime]:
    """The published runtimes, the newest first."""
    return [Runtime(**row) for row in tomllib.loads(RUNTIMES.read_text(encoding="utf-8"))["runtime"]]


def pins(root: Path, runtime: Runtime) -> list[str]:
    """What is installed before a chapter comes: the runtime's packages, and torch as the book pins it."""
    torch = re.search(r"^torch==\S+", (root / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    if torch is None:
        raise BookError(root / "requirements.txt", "pins no torch; a trial needs its version, add `torch==...`")
    return [torch[0], *(f"{name}=={version}" for name, version in runtime.packages.items())]


class Environment:
    """A virtual environment with the packages of a runtime and nothing of ours."""

    def __init__(self, folder: Path, python: str, packages: list[str]) -> None:
        self.python = folder / "bin/python"
        stamp, wanted = folder / "packages.json", json.dumps([python, packages])
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([python, "-m", "venv", str(folder)], check=True)
            self.pip("install", "--quiet", *packages)
            stamp.write_text(wanted, encoding="utf-8")
        self.given = stamp.with_name("given.json")
        if not self.given.is_file():
            self.given.write_text(json.dumps(self.versions()), encoding="utf-8")

    def pip(self, *words: str) -> str:
        command = [str(self.python), "-m", "pip", "--disable-pip-version-check", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BookError(self.python, f"pip {words[0]} failed: {done.stderr.strip()[-400:]}")
        return done.stdout

    def version(self) -> str:
        """The interpreter's, in words."""
        asked = [str(self.python), "--version"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    def versions(self) -> dict[str, str]:
        return {row["name"].lower(): row["version"] for row in json.loads(self.pip("list", "--format=json"))}

    def changes(self) -> tuple[list[str], list[str]]:
        """What differs from what was given: packages changed or lost, and packages added."""
        given, now = json.loads(self.given.read_text(encoding="utf-8")), self.versions()
        changed = [f"{name} {old} -> {now.get(name, 'none')}" for name, old in given.items() if now.get(name) != old]
        return changed, [name for name in now if name not in given]

    def reset(self) -> None:
        """Take away what an earlier chapter installed.

        Raises:
            BookError: it changed a package of the runtime, so that the environment is spoilt.
        """
        changed, added = self.changes()
        if changed:
            shutil.rmtree(self.python.parents[1])
            raise BookError("colab_test", f"the environment was changed ({', '.join(changed)}); run it again")
        if added:
            self.pip("uninstall", "--yes", *added)


def run_chapter(book: Book, chapter: Chapter, environment: Environment) -> Outcome:
    """One chapter alone in an empty folder, from its setup cell to its last."""
    environment.reset()
    outcome = Outcome(chapter.name)
    notebook = copies(book, {}, book.root / "_build")[chapter.docname]
    begin = time.perf_counter()
    with _kernel(environment, _redirected(book, book.root)) as folder:
        done, error = _run(notebook, folder)
    outcome.seconds = time.perf_counter() - begin
    if error:
        outcome.faults.append(error)
    setup = next((cell for cell in done["cells"] if "google.colab" in cell["source"]), None)
    if setup is None:
        outcome.faults.append("its copy has no setup cell")
    else:
        outcome.setup = _seconds(setup)
        said = "".join("".join(o.get("text", "")) for o in setup["outputs"])
        if said and not re.fullmatch(r"Fetching [^\n]*\n", said):
            outcome.faults.append(f"the setup cell says {said[:200]!r}")
    claims = collect.claims(chapter.docname, done)
    outcome.claims = len(claims)
    outcome.faults += [f"claim fails: {claim['statement']}" for claim in claims if not claim["holds"]]
    changed, _ = environment.changes()
    outcome.faults += [f"the setup cell changed {change}" for change in changed]
    return outcome


def without_network(book: Book, chapter: Chapter, environment: Environment) -> str:
    """What a reader sees when the address can't be reached: what the setup cell of a chapter shows."""
    environment.reset()
    notebook = copies(book, {}, book.root / "_build")[chapter.docname]
    # pip keeps the wheel of a commit: a second trial of the same one would need no network
    variables = _redirected(book, Path("/nowhere")) | {"PIP_NO_CACHE_DIR": "1"}
    with _kernel(environment, variables) as folder:
        done, _ = _run(notebook, folder)
    setup = next(cell for cell in done["cells"] if "google.colab" in cell["source"])
    shown = ["\n".join(o["traceback"]) for o in setup["outputs"] if o["output_type"] == "error"]
    return VOICES.sub("", "\n".join(shown))


def uncommitted(root: Path) -> bool:
    """Whether edits are missing in the commit that a trial installs."""
    asked = ["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"]
    return bool(subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip())


def _redirected(book: Book, target: Path) -> dict[str, str]:
    """Environment variables that make git look into ``target`` for the book's address."""
    if not commit(book.root):
        raise BookError(book.root, "is no git repository with a commit; a trial installs the commit, so make one")
    address = book.config.repository.url
    rules = {f"url.{target.absolute().as_uri()}.insteadOf": address, "safe.directory": "*"}
    found = {"GIT_CONFIG_COUNT": str(len(rules))}
    for number, (key, value) in enumerate(rules.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


@contextmanager
def _kernel(environment: Environment, variables: dict[str, str]) -> Iterator[Path]:
    """An empty folder, and a kernel named ``KERNEL`` of the environment that starts as Colab's does."""
    with TemporaryDirectory(prefix="colab-") as place:
        home = Path(place)
        for name, text in STAND_IN.items():
            (home / "stand-in" / name).parent.mkdir(parents=True, exist_ok=True)
            (home / "stand-in" / name).write_text(text, encoding="utf-8")
        spec = home / "jupyter/kernels" / KERNEL
        spec.mkdir(parents=True)
        variables = {**variables, "PYTHONPATH": str(home / "stand-in"), "MMBOOK_CACHE": str(home / "cache")}
        variables["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # else a kernel complains of itself as it starts
        argv = [str(environment.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel = {"argv": argv, "display_name": KERNEL, "language": "python", "env": variables}
        (spec / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
        (home / "empty").mkdir()
        before = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = str(home / "jupyter")
        try:
            yield home / "empty"
        finally:
            os.environ.pop("JUPYTER_PATH")
            if before is not None:
                os.environ["JUPYTER_PATH"] = before


def _run(notebook: dict[str, Any], folder: Path) -> tuple[dict[str, Any], str]:
    """Execute it in the folder; returns the notebook with what was reached, and the error in one line."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    (folder / "chapter.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    node = nbformat.from_dict(notebook)
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(node, kernel_name=KERNEL, resources=place, timeout=3600, record_timing=True)
    try:
        client.execute()
    except CellExecutionError as error:
        return node, VOICES.sub("", f"{error.ename}: {error.evalue}").strip()
    except DeadKernelError:
        return node, "the kernel died"
    return node, ""


def _seconds(cell: dict[str, Any]) -> float:
    times = cell.get("metadata", {}).get("execution", {})
    begin, end = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    if not begin or not end:
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
