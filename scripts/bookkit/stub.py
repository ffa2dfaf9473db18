"""Renders stubs and managed cells. The same page gives the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from bookkit.errors import BookError
from bookkit.notebook import KEY, Notebook, fingerprint, managed_slot, source
from bookkit.templates import NOTICE, SKELETONS, template_for
from bookkit.toc import TOC, Page, load_yaml

CONFIG = "_config.yml"
PLACEHOLDER_OWNER = "OWNER"  # of repository.url, until the public address is known


@dataclass(frozen=True)
class Repository:
    """Where the book will be public; the only thing that managed cells depend on."""

    url: str = f"https://github.com/{PLACEHOLDER_OWNER}/multimodal-learning"
    branch: str = "main"
    path_to_book: str = ""

    @property
    def is_placeholder(self) -> bool:
        return urlsplit(self.url).path.strip("/").split("/")[0] == PLACEHOLDER_OWNER

    @property
    def slug(self) -> str:
        """``owner/name``."""
        return urlsplit(self.url).path.strip("/").removesuffix(".git")


def read_repository(root: Path) -> tuple[Repository, tuple[str, ...]]:
    """The address in ``_config.yml`` (a placeholder without that file), and the excluded patterns.

    Raises:
        BookError: the file is broken, or the address is not one of GitHub.
    """
    path = root / CONFIG
    if not path.is_file():
        return Repository(), ()
    data = load_yaml(path) or {}
    given = data.get("repository") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(given or {}, dict):
        raise BookError(path, "is not a mapping with a mapping `repository`")
    known = {k: str(v).strip() for k, v in (given or {}).items() if k in ("url", "branch", "path_to_book") and v}
    repository = Repository(**{**known, "path_to_book": known.get("path_to_book", "").strip("/")})
    patterns = data.get("exclude_patterns") or []
    if not isinstance(patterns, list):
        raise BookError(path, "exclude_patterns is not a list")
    for key in ("branch", "path_to_book"):
        if not re.fullmatch(r"[\w./-]*", getattr(repository, key)):
            raise BookError(
                path, f"repository.{key} {getattr(repository, key)!r} holds odd characters; Colab needs a plain name"
            )
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/?", repository.url):
        raise BookError(
            path, f"repository.url {repository.url!r} is not https://github.com/OWNER/NAME; Colab opens only those"
        )
    return repository, tuple(map(str, patterns))


def managed_sources(page: Page, repository: Repository) -> dict[str, str]:
    """Slot -> source of the managed cells, in their order."""
    file = f"{repository.path_to_book}/{page.docname}.ipynb".lstrip("/")
    colab = f"https://colab.research.google.com/github/{repository.slug}/blob/{repository.branch}/{quote(file)}"
    return {
        "badge": f"[Open in Colab]({colab})",
        "setup": (
            "# Written by scripts/generate_stubs.py, which overwrites edits. It acts on Colab only.\n"
            "import sys\n\n"
            'if "google.colab" in sys.modules:\n'
            f'    %pip install --quiet "mmbook @ git+{repository.url}@{repository.branch}"'
        ),
    }


def managed_cell(page: Page, slot: str, text: str) -> dict[str, Any]:
    """One managed cell; its metadata names it."""
    metadata: dict[str, Any] = {KEY: {"managed": slot}}
    if slot == "setup":
        return _cell("code", page, slot, text, {**metadata, "tags": ["remove-cell"]})
    return _cell("markdown", page, slot, text, metadata)


def _cell(kind: str, page: Page, slot: str, text: str, metadata: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(f"{page.docname}#{slot}".encode()).hexdigest()[:8]
    cell = {"cell_type": kind, "id": f"{slot}-{digest}", "metadata": metadata, "source": text.splitlines(keepends=True)}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell


def _own_cells(page: Page) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The unmanaged cells of a stub, and the generator's notes about it.

    Raises:
        BookError: the page asks for a template that does not exist.
    """
    try:
        template = template_for(page.docname, page.meta.get("template"))
    except ValueError as error:
        raise BookError(TOC, f"{error} @ '{page.where}'") from None
    texts = [("title", f"# {heading(page.name)}"), ("stub-notice", NOTICE), *SKELETONS[template]]
    cells = [_cell("markdown", page, slot, text, {}) for slot, text in texts]
    return cells, {"fingerprint": fingerprint(cells), "template": template, "title": page.name}


def heading(title: str) -> str:
    """A title as the text of a Markdown heading, where closing hashes would vanish."""
    return re.sub(r"#(?=#*$)", r"\\#", title)


def render(page: Page, repository: Repository, old_metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    """The stub of a page as notebook data: title, managed cells, notice, skeleton.

    Args:
        old_metadata: notebook metadata to keep where the stub does not set it.

    Raises:
        BookError: the page asks for a template that does not exist.
    """
    cells, marks = _own_cells(page)
    cells[1:1] = [managed_cell(page, slot, text) for slot, text in managed_sources(page, repository).items()]
    metadata = {
        **(old_metadata or {}),
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    metadata[KEY] = {**metadata.get(KEY, {}), **marks}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def is_current(notebook: Notebook, page: Page, repository: Repository) -> bool:
    """Whether an untouched stub is what ``render`` would make now; traces of a run don't count.

    Untouched means that its own cells have the fingerprint it carries, so comparing fingerprints
    compares the cells.
    """
    _, marks = _own_cells(page)
    managed = {slot: source(cell) for cell in notebook.cells[1:3] if (slot := managed_slot(cell))}
    noted = notebook.marks
    return all(noted.get(k) == v for k, v in marks.items()) and managed == managed_sources(page, repository)


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
