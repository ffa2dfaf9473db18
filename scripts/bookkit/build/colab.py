"""Writes ``_build/colab``: every chapter as a reader should meet it in Colab, with the outputs of this build.

Code cells are those of the source, byte for byte; a cell that is folded there begins with a line ``#@title``.
"""

from __future__ import annotations

import ast
import base64
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

from sphinx.util.inventory import InventoryFile

from bookkit.build import collect
from bookkit.build.book import Book, Chapter
from bookkit.build.files import as_folder, write_text
from bookkit.build.flatten import Targets, flatten, read_works
from bookkit.course.managed import find, sources
from bookkit.course.notebook import source

LARGEST = 2_000_000  # bytes; GitHub and Colab open larger ones slowly
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell", "solution"}
SHOWN = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png", "image/jpeg", "image/svg+xml")
EXERCISE = re.compile(r"^\*\*(\d+)\.\s*(.+?)\.?\*\*", re.MULTILINE)
HEADING = re.compile(r"^##[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
DRAWING = re.compile(r'<figure class="mm-figure"[^>]*>\s*<svg\b([^>]*)>(.*?</svg>)(<figcaption>)?', re.DOTALL)
PAPER, PEN = "#ffffff", "#1b1b1b"  # a drawing's ground and ink outside the site, in a light and in a dark theme
FENCED = re.compile(r"^(`{3,}|~{3,}).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)


def write_copies(book: Book, outputs: dict[str, dict[str, Any]], out: Path) -> None:
    """Write the copies, forget those of pages that are gone, and warn of large ones.

    Args:
        outputs: docname -> notebook with its outputs; a chapter without a result is copied without.
        out: the folder ``_build``; its ``html`` is the site, from which references are resolved.
    """
    folder = as_folder(out / "colab")
    kept = set()
    for docname, made in copies(book, outputs, out).items():
        text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        path = folder / f"{docname}.ipynb"
        kept.add(path)
        _write(path, text)
        if (size := len(text.encode())) > LARGEST:
            print(f"warning: {docname}: its copy for Colab has {size / 1e6:.1f} MB, at most 2 open well there")
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()


def copies(book: Book, outputs: dict[str, dict[str, Any]], out: Path) -> dict[str, dict[str, Any]]:
    """Docname -> copy of each chapter."""
    targets = _targets(book, out / "html")
    return {chapter.docname: copy(chapter, outputs.get(chapter.docname), targets) for chapter in book.chapters}


def copy(chapter: Chapter, notebook: dict[str, Any] | None, targets: Targets) -> dict[str, Any]:
    """One chapter as a notebook for Colab."""
    plain = notebook or {**chapter.data, "cells": [{**c, "outputs": []} for c in chapter.data["cells"]]}
    slots = find(plain["cells"]).cells
    glued, cells, before, numbers = collect.glued(plain), [], "", itertools.count(1)
    for index, cell in enumerate(plain["cells"]):
        slot = slots.get(index)
        text = source(cell)
        if cell["cell_type"] == "code":
            title = "Setup: installs what this notebook needs (on Colab alone)" if slot else _title(cell, before)
            if slot:
                text = sources(chapter.docname, targets.repository, chapter.marks.get("needs", ()), targets.ref)[slot]
            cells.append(_code(cell, text, title, numbers))
        elif slot != "badge":
            before = text
            cells.append(_words(cell, flatten(text, chapter.docname, targets, glued)))
    cells.insert(1 if cells and cells[0]["cell_type"] == "markdown" else 0, _contents(chapter, cells, targets))
    metadata = {
        "colab": {"provenance": [], "toc_visible": True},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _words(cell: dict[str, Any], text: str) -> dict[str, Any]:
    name = cell.get("id", "cell")
    return {"cell_type": "markdown", "id": name, "metadata": {"id": name}, "source": text}


def _code(cell: dict[str, Any], text: str, title: str, numbers: Iterator[int]) -> dict[str, Any]:
    """A code cell; with a title it is folded, in Colab (``cellView``) and in JupyterLab."""
    name = cell.get("id", "cell")
    metadata: dict[str, Any] = {"id": name}
    tags = cell.get("metadata", {}).get("tags") or []
    if tags:
        metadata["tags"] = tags
    if title and not text.startswith("%%"):  # a cell magic has to stand first
        text = f"#@title {title}\n{text}"
        metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
        if "solution" in tags:
            metadata |= {"collapsed": True}
            metadata["jupyter"]["outputs_hidden"] = True
    kept = {"execution_count": cell.get("execution_count"), "outputs": _outputs(cell, numbers)}
    return {"cell_type": "code", "id": name, "metadata": metadata, "source": text, **kept}


def _outputs(cell: dict[str, Any], numbers: Iterator[int]) -> list[dict[str, Any]]:
    """What a reader sees: no glued values, no records, no complaints of libraries."""
    kept = []
    for output in cell.get("outputs", ()):
        if output["output_type"] in ("display_data", "execute_result"):
            data = {mime: value for mime, value in output["data"].items() if mime in SHOWN}
            if "text/html" in data:
                data["text/html"] = DRAWING.sub(lambda found: _picture(found, numbers), "".join(data["text/html"]))
            if data:
                kept.append({**output, "data": data, "metadata": {}})
        elif output.get("name") != "stderr":
            kept.append(output)
    return kept


def _picture(found: re.Match[str], numbers: Iterator[int]) -> str:
    """A drawing as a picture with its alternative text: JupyterLab and GitHub take inline SVG out of saved outputs."""
    attributes, body, caption = found.groups()
    named = dict(re.findall(r'([\w:-]+)="([^"]*)"', attributes))
    size = re.search(r"max-width:(\d+)", named.get("style", ""))
    space = " ".join(f'{key}="{named[key]}"' for key in ("xmlns", "xmlns:xlink", "viewBox") if key in named)
    drawn = f'<svg {space} color="{PEN}"><rect width="100%" height="100%" fill="{PAPER}"/>{body}'
    coded = base64.b64encode(drawn.encode()).decode()
    picture = f'<img alt="{named.get("aria-label", "")}" width="{size[1] if size else 600}" '
    picture += f'src="data:image/svg+xml;base64,{coded}">'
    return f"<figure>{picture}" + (f"{caption}<b>Figure {next(numbers)}.</b> " if caption else "")


def _title(cell: dict[str, Any], before: str) -> str:
    """What stands above a folded cell; nothing for one that is open."""
    tags = set(cell.get("metadata", {}).get("tags") or ())
    if not tags & FOLDED:
        return ""
    if "solution" in tags:
        asked = EXERCISE.findall(before)
        return f"Solution {asked[-1][0]}: {asked[-1][1]} (open it when you have tried)" if asked else "Solution"
    if _imports_alone(source(cell)):
        return "Imports"
    html = "".join("".join(o["data"].get("text/html", "")) for o in cell.get("outputs", ()) if "data" in o)
    if "<svg" not in html:
        return "Code of this step"
    caption = re.search(r"<figcaption>([^<]+)", html)
    words = re.split(r"[.:;]", unescape(caption[1]))[0].strip() if caption else ""
    return f"Drawing: {words[:80]}" if words else "Code of the drawing"


def _imports_alone(text: str) -> bool:
    try:
        nodes = ast.parse(text).body
    except SyntaxError:
        return False
    settings = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr)
    return any(isinstance(node, settings[:2]) for node in nodes) and all(isinstance(node, settings) for node in nodes)


def _contents(chapter: Chapter, cells: list[dict[str, Any]], targets: Targets) -> dict[str, Any]:
    """The cell below the title: where the chapter is on the site, what it takes, and its parts."""
    parts = [
        f"[{heading}](#scrollTo={cell['id']})"
        for cell in cells
        if cell["cell_type"] == "markdown"
        for heading in HEADING.findall(FENCED.sub("", cell["source"]))
    ]
    text = f"This is the notebook of [a chapter on the site]({targets.repository.site(f'{chapter.docname}.html')}). "
    text += "*Runtime → Run all* runs it from top to bottom; no GPU is needed."
    if chapter.run is not None and chapter.run.cpu_seconds >= 1:
        text += f" On one processor core it took {chapter.run.cpu_seconds:.0f} seconds."
    if parts:
        text += f"\n\n**Contents:** {' · '.join(parts)}"
    name = f"contents-{cells[0]['id'] if cells else 'cell'}"[:64]
    return {"cell_type": "markdown", "id": name, "metadata": {"id": name}, "source": text}


def _targets(book: Book, site: Path) -> Targets:
    terms: dict[str, str] = {}
    labels: dict[str, tuple[str, str]] = {}
    inventory = site / "objects.inv"
    if inventory.is_file():
        with inventory.open("rb") as file:
            found = InventoryFile.load(file, "", lambda _, page: page)
        terms = {name.lower(): row[2] for name, row in found.get("std:term", {}).items()}
        labels = {name: (row[2], row[3]) for name, row in found.get("std:label", {}).items()}
        labels |= {name: (row[2], row[3]) for name, row in found.get("std:doc", {}).items()}
    works = read_works([book.root / name for name in book.config.bibliographies])
    texts = ((name, book.root / f"{name}.md") for name in book.docnames)
    listed = (name for name, path in texts if path.is_file() and "{bibliography}" in path.read_text(encoding="utf-8"))
    home = next(listed, "")
    repository, ref = book.config.repository, commit(book.root)
    return Targets(repository, ref, frozenset(book.docnames), terms, labels, works, home)


def commit(root: Path) -> str:
    """The commit that is built; empty where git knows none."""
    asked = ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", "HEAD"]
    if shutil.which("git") is None or not (root / ".git").exists():
        return ""
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _write(path: Path, text: str) -> None:
    """Write the file if it differs."""
    as_folder(path.parent)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
