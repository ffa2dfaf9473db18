"""Writes tiny books for the tests of the build: a course map, a helper package, a few notebooks."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bookkit.course.config import Repository
from bookkit.course.managed import sources

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "scripts/build_book.py"


def config() -> str:
    """The real settings, without the files and the bibliography that a tiny book does not have."""
    made = yaml.safe_load((REPOSITORY / "_config.yml").read_text(encoding="utf-8"))
    for name in ("logo", "bibtex_bibfiles"):
        made.pop(name, None)
    made["title"] = "Tiny book"
    made["repository"]["url"] = "https://github.com/tester/tiny"
    made.get("html", {}).pop("favicon", None)
    made["sphinx"]["local_extensions"] = {"booksite": str(REPOSITORY / "book/_ext")}
    settings = made["sphinx"]["config"]
    settings["extensions"] = [e for e in settings["extensions"] if "bibtex" not in e]
    for name in [
        n for n in settings if n.startswith(("html_static_path", "html_css_files", "html_js_files", "bibtex"))
    ]:
        del settings[name]
    settings.get("html_theme_options", {}).pop("logo", None)
    return yaml.safe_dump(made, sort_keys=False)


# Chapters note what they do, with the time, in the file TINY_TRACE.
TRACE = """
import os, time
def trace(word):
    with open(os.environ["TINY_TRACE"], "a") as file:
        file.write(f"{time.time()} {word}\\n")
"""

CLAIMS = """
from IPython.display import publish_display_data

def claim(statement, effect=0.5, holds=True):
    record = {"statement": statement, "kind": "difference", "effect": effect, "low": effect - 0.1,
              "high": effect + 0.1, "at_least": 0.1, "seeds": 5, "holds": holds}
    publish_display_data({"application/vnd.mmbook.claim+json": record, "text/html": "<div>claim</div>",
                          "text/plain": statement})
"""

PLOTTING = """
from IPython.display import publish_display_data

def show(alt, name=None):
    html = f'<figure class="mm-figure"><svg role="img" aria-label="{alt}" viewBox="0 0 1 1"></svg></figure>'
    publish_display_data({"text/html": html, "text/plain": alt}, metadata={"mmbook": {"figure": name, "alt": alt}})
"""

MODULES = {
    "__init__.py": "",
    "trace.py": TRACE,
    "claims.py": CLAIMS,
    "plotting.py": PLOTTING,
    "numbers.py": "from mmbook.deep.value import VALUE\n",
    "deep/__init__.py": "",
    "deep/value.py": "VALUE = 'value-of-first-edition'\n",
}


def markdown(text: str, **metadata: Any) -> dict[str, Any]:
    """A Markdown cell."""
    return {"cell_type": "markdown", "metadata": metadata, "source": text}


def code(text: str, **metadata: Any) -> dict[str, Any]:
    """A code cell."""
    return {"cell_type": "code", "metadata": metadata, "source": text, "execution_count": None, "outputs": []}


def setup_cell() -> dict[str, Any]:
    """The managed setup cell, as the generator writes it."""
    text = sources("tiny", Repository())["setup"]
    return {**code(text, mmbook={"managed": "setup"}, tags=["remove-cell"]), "id": "setup-0123abcd"}


def notebook(*cells: dict[str, Any] | str, **marks: Any) -> dict[str, Any]:
    """A notebook; plain strings are code cells. ``marks`` go into its ``mmbook`` metadata."""
    made = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    numbered = [
        {"id": f"cell-{i}-{hashlib.sha256(c['source'].encode()).hexdigest()[:6]}", **c} for i, c in enumerate(made)
    ]
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "mmbook": marks,
    }
    return {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def output(data: Mapping[str, Any], kind: str = "display_data", **metadata: Any) -> dict[str, Any]:
    """An output of a code cell."""
    return {"output_type": kind, "data": dict(data), "metadata": metadata}


def chapter(name: str, *cells: dict[str, Any] | str, **marks: Any) -> dict[str, Any]:
    """A chapter that leaves a trace when it runs."""
    return notebook(
        markdown(f"# Chapter {name}\n\nProse of {name}."),
        setup_cell(),
        f"from mmbook.trace import trace\ntrace({name!r})",
        *cells,
        **marks,
    )


class TinyBook:
    """A book in a folder, and the build run on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trace = root.parent / f"{root.name}.trace"
        self.pages: list[str] = []
        self.write("_config.yml", config())
        self.write("requirements.txt", "torch==1\n")
        for name, text in MODULES.items():
            self.write(f"mmbook/{name}", text)
        self.page("intro.md", "# Intro\n\nWelcome.\n")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def page(self, name: str, content: str | dict[str, Any]) -> Path:
        """Write ``book/name`` and list it in the course map."""
        docname = f"book/{name.rpartition('.')[0]}"
        if docname not in self.pages:
            self.set_pages([*self.pages, docname])
        return self.write(f"book/{name}", content if isinstance(content, str) else json.dumps(content, indent=1))

    def set_pages(self, pages: Sequence[str]) -> None:
        self.pages = list(pages)
        chapters = "".join(f"      - file: {page}\n" for page in pages[1:])
        parts = f"parts:\n  - caption: All\n    chapters:\n{chapters}" if chapters else ""
        self.write("_toc.yml", f"format: jb-book\nroot: {pages[0]}\n{parts}")

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MMBOOK_")}
        return {**kept, "TINY_TRACE": str(self.trace), **more}

    def build(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the real command, from another folder unless told."""
        command = [sys.executable, str(BUILD), "--root", str(self.root), *arguments]
        return subprocess.run(
            command,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=cwd or self.root.parent,
        )

    def events(self) -> list[str]:
        """What the chapters noted since the last call, in order of time."""
        if not self.trace.is_file():
            return []
        lines = sorted(self.trace.read_text().splitlines(), key=lambda line: float(line.split()[0]))
        self.trace.unlink()
        return [line.split(" ", 1)[1] for line in lines]

    def record(self, name: str) -> Any:
        """A JSON record of the build."""
        return json.loads((self.root / f"_build/{name}.json").read_text(encoding="utf-8"))

    def html(self, page: str) -> str:
        return (self.root / f"_build/html/book/{page}.html").read_text(encoding="utf-8")

    @property
    def rendered(self) -> bool:
        return (self.root / "_build/html/index.html").exists()
