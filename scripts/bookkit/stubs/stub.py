"""Renders stubs and managed cells. The same page gives the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from json.encoder import encode_basestring
from typing import Any

from sphinx_external_toc.parsing import MalformedError

from bookkit.course import managed
from bookkit.course.config import Repository
from bookkit.course.managed import KEY, KINDS
from bookkit.course.notebook import Notebook, digest_of, source, written
from bookkit.course.toc import Page
from bookkit.stubs.skeletons import SKELETONS, Piece, template_for


def managed_cell(page: Page, slot: str, text: str) -> dict[str, Any]:
    """One managed cell; its metadata names it."""
    metadata: dict[str, Any] = {KEY: {"managed": slot}}
    if slot == "setup":
        metadata["tags"] = ["remove-cell"]
    return _cell(KINDS[slot], page, slot, text, metadata)


def _cell(kind: str, page: Page, slot: str, text: str, metadata: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(f"{page.docname}#{slot}".encode()).hexdigest()[:8]
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"{slot}-{digest}",
        "metadata": metadata,
        "source": text.splitlines(keepends=True),
    }
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell


def _own_cells(page: Page) -> list[dict[str, Any]]:
    """The unmanaged cells of a stub."""
    cells = [_cell("markdown", page, "title", f"# {heading(page.name)}", {})]
    for piece in SKELETONS[_template(page)]:
        cells.append(_cell(piece.kind, page, piece.slot, piece.text, {"tags": [*piece.tags]} if piece.tags else {}))
    return cells


def _template(page: Page) -> str:
    """The name of a page's template.

    Raises:
        MalformedError: the page asks for a template that does not exist.
    """
    try:
        return template_for(page.docname, page.meta.get("template"))
    except ValueError as error:
        raise MalformedError(f"{error} @ '{page.where}'") from None


def _marks(page: Page) -> dict[str, str]:
    """The generator's notes about a stub: its fingerprint, and that of its cells without any metadata."""
    template = _template(page)
    title = written({"cell_type": "markdown", "source": f"# {heading(page.name)}"})
    whole, bare = _skeleton_texts(SKELETONS[template])
    marks = {"fingerprint": digest_of([title, *whole]), "template": template, "title": page.name}
    return marks if bare == whole else {**marks, "stripped": digest_of([title, *bare])}


@cache
def _skeleton_texts(pieces: tuple[Piece, ...]) -> tuple[list[str], list[str]]:
    """What ``written`` says of the cells of a skeleton, with their tags and without."""
    cells = [{"cell_type": p.kind, "source": p.text, "metadata": {"tags": [*p.tags]}} for p in pieces]
    return [written(cell) for cell in cells], [written({**cell, "metadata": {}}) for cell in cells]


_SPECIAL = re.compile(r"[\\`*_{}\[\]<>$&~]|#(?=#*$)")


def heading(title: str) -> str:
    """A title, which is plain text, as the Markdown of a heading."""
    return _SPECIAL.sub(r"\\\g<0>", title)


def render(
    page: Page, repository: Repository, old_metadata: dict[str, Any] | None = None, needs: Sequence[str] = ()
) -> dict[str, Any]:
    """The stub of a page as notebook data: title, managed cells, notice, skeleton.

    Args:
        old_metadata: notebook metadata to keep where the stub does not set it.
        needs: packages that its setup cell installs, beside ``mmbook``.

    Raises:
        MalformedError: the page asks for a template that does not exist.
    """
    cells = _own_cells(page)
    texts = managed.sources(page.docname, repository, needs)
    cells[1:1] = [managed_cell(page, slot, text) for slot, text in texts.items()]
    metadata = {
        **(old_metadata or {}),
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    metadata[KEY] = {**metadata.get(KEY, {}), **_marks(page)}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def is_current(notebook: Notebook, page: Page, repository: Repository, needs: Sequence[str] = ()) -> bool:
    """Whether an untouched stub is what ``render`` would make now; traces of a run don't count.

    Untouched means that its own cells have the fingerprint it carries, so comparing fingerprints
    compares the cells.
    """
    texts = {slot: source(notebook.cells[index]) for index, slot in notebook.managed.cells.items() if index in (1, 2)}
    noted = notebook.marks
    return all(noted.get(k) == v for k, v in _marks(page).items()) and texts == managed.sources(
        page.docname, repository, needs
    )


def to_text(data: dict[str, Any]) -> str:
    """Notebook data in the byte form that nbformat itself writes; what many stubs share is written once."""
    cells = ",\n  ".join(map(_cell_text, data["cells"]))
    rest = _dump({**data, "cells": []}, "\n")
    return rest.replace('"cells": []', f'"cells": [\n  {cells}\n ]', 1) + "\n"


_texts: dict[str, tuple[str, str]] = {}  # a cell without its id -> its text before and behind the id
FORGET = 1000  # texts; titles and badges are in one stub only


def _cell_text(cell: dict[str, Any]) -> str:
    shape = repr({**cell, "id": ""})
    if shape not in _texts:
        if len(_texts) >= FORGET:
            _texts.clear()
        before, mark, behind = _dump({**cell, "id": ""}, "\n  ").partition('"id": ""')
        _texts[shape] = (before + mark[:-2], behind)
    before, behind = _texts[shape]
    return f"{before}{encode_basestring(cell['id'])}{behind}"


def _dump(value: Any, margin: str) -> str:
    """``json.dumps`` with an indent of 1 and sorted keys, several times faster than its pure Python."""
    if isinstance(value, str):
        return encode_basestring(value)
    inner = margin + " "
    if isinstance(value, dict) and value:
        items = [f"{encode_basestring(key)}: {_dump(value[key], inner)}" for key in sorted(value)]
        return "{" + inner + f",{inner}".join(items) + margin + "}"
    if isinstance(value, list) and value:
        return "[" + inner + f",{inner}".join([_dump(item, inner) for item in value]) + margin + "]"
    return json.dumps(value)
