"""Pages and files in, a plan out: what to create, refresh, rename, retitle; nothing is written here."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat

from bookkit.errors import BookError
from bookkit.notebook import BOM, Notebook, find_h1, managed_slot, read_text, source
from bookkit.stub import Repository, is_current, managed_cell, managed_sources, render, to_text
from bookkit.toc import Page
from bookkit.tree import SUFFIXES, Tree, folded, sources

Track = Callable[[Iterable[Any], str], Iterable[Any]]


@dataclass
class Plan:
    """Everything a run would do. Paths are relative to the root, POSIX style."""

    writes: dict[str, str] = field(default_factory=dict)  # path -> whole new text
    create: list[str] = field(default_factory=list)
    refresh: list[str] = field(default_factory=list)
    rename: list[tuple[str, str]] = field(default_factory=list)
    retitle: list[tuple[str, str, str]] = field(default_factory=list)  # path, old, new
    orphans: list[str] = field(default_factory=list)
    prunable: list[str] = field(default_factory=list)  # orphans that are untouched stubs
    problems: list[dict[str, str]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)  # what was read, for edits on top

    def as_json(self) -> dict[str, Any]:
        """The contract of ``--json``."""
        return {
            "create": self.create,
            "refresh": self.refresh,
            "rename": [list(pair) for pair in self.rename],
            "retitle": [list(row) for row in self.retitle],
            "orphans": self.orphans,
            "problems": self.problems,
        }

    @property
    def clean(self) -> bool:
        """Nothing to do and nothing to complain of."""
        return not any(self.as_json().values())


def make_plan(
    root: Path,
    pages: list[Page],
    repository: Repository,
    excluded: tuple[str, ...] = (),
    track: Track = lambda items, _: items,
) -> Plan:
    """Compare the course map with the files below ``root``.

    Raises:
        BookError: a page file can't be read as what it should be.
    """
    plan = Plan()
    missing: list[Page] = []
    present: set[str] = set()
    tree = Tree(root)
    for page in track(pages, "reading pages"):
        found = [PurePosixPath(f.name).suffix for f in tree.files(page.docname)]
        if not found:
            missing.append(page)
            continue
        if len(found) > 1:
            what = f"{page.docname} exists as {' and as '.join(found)}; keep one"
            plan.problems.append({"where": page.where, "what": what})
        path = page.docname + found[0]
        file = root / path
        present.add(path)
        if found[0] == ".ipynb":
            _plan_notebook(plan, path, Notebook.read(file), page, repository)
        else:
            text = read_text(file)
            heading = find_h1(text) if found[0] == ".md" else None
            _plan_title(plan, path, page, heading.title if heading else None)
    plan.orphans = _orphans(root, pages, present, excluded)
    _match_renames(plan, root, missing)
    plan.prunable = [path for path in plan.orphans if _is_stub(root / path)]
    taken = {new for _, new in plan.rename}
    namesakes = {folded(str(file.with_suffix(""))): str(file) for file in sources(root)} if missing else {}
    for page in track(missing, "rendering stubs"):
        if any(f"{page.docname}{suffix}" in taken for suffix in SUFFIXES):
            continue
        if page.suffix in (".md", ".rst"):
            what = f"{page.docname}{page.suffix} does not exist; write it, or drop {page.suffix} to get a notebook"
            plan.problems.append({"where": page.where, "what": what})
            continue
        if other := namesakes.get(folded(page.docname)):
            what = f"{page.docname} differs from {other} only by case or accents; give both one spelling"
            plan.problems.append({"where": page.where, "what": what})
            continue
        data = render(page, repository)
        _validate(data, page)
        plan.create.append(f"{page.docname}.ipynb")
        plan.writes[f"{page.docname}.ipynb"] = to_text(data)
    return plan


def _plan_notebook(plan: Plan, path: str, notebook: Notebook, page: Page, repository: Repository) -> None:
    if notebook.untouched:
        if not is_current(notebook, page, repository):
            wanted = render(page, repository, notebook.data["metadata"])
            _validate(wanted, page)
            plan.refresh.append(path)
            plan.writes[path] = to_text(wanted)
        return
    plan.texts[path] = notebook.text
    text = _with_managed_cells(notebook, page, repository)
    if text != notebook.text:
        plan.refresh.append(path)
        plan.writes[path] = text
    _plan_title(plan, path, page, notebook.heading.title if notebook.heading else None)


def _with_managed_cells(notebook: Notebook, page: Page, repository: Repository) -> str:
    """The authored notebook's text with right managed cells and every other byte as it was.

    A managed cell that the author deleted comes back behind the title; a foreign notebook, which the
    generator did not make, is left alone.
    """
    wanted = managed_sources(page, repository)
    slots = [managed_slot(cell) for cell in notebook.cells]
    edits = {
        index: wanted[slot]
        for index, slot in enumerate(slots)
        if slot in wanted and source(notebook.cells[index]) != wanted[slot]
    }
    inserted = []
    if notebook.marks or any(slots):
        taken = {cell.get("id") for cell in notebook.cells}
        for slot, text in wanted.items():
            cell = managed_cell(page, slot, text)
            if slot not in slots:
                if (notebook.data.get("nbformat_minor") or 0) < 5:  # older formats know no cell ids
                    del cell["id"]
                while cell.get("id") in taken - {None}:  # only if an author gave that id to another cell
                    cell["id"] += "x"
                inserted.append(cell)
    at = notebook.heading.cell + 1 if notebook.heading else 0
    return notebook.edited(edits, inserted, at)


def _plan_title(plan: Plan, path: str, page: Page, heading: str | None) -> None:
    if page.title and heading is not None and _bare(heading) != _bare(page.title):
        plan.retitle.append((path, heading, page.title))


def _bare(title: str) -> str:
    """A title without Markdown's emphasis, escaped hashes and spare spaces."""
    return " ".join(re.sub(r"[*_`]", "", title.replace("\\#", "#")).split())


def _orphans(root: Path, pages: list[Page], present: set[str], excluded: tuple[str, ...]) -> list[str]:
    """Source files that the map does not list: notebooks anywhere, text files only in the book's folders."""
    tops = {page.docname.split("/")[0] for page in pages if "/" in page.docname}
    known = {page.docname for page in pages}
    found = []
    real = {(root / path).resolve() for path in present} if len(present) < 2000 else set()
    for file in sources(root, excluded):
        path, in_book = str(file), len(file.parts) > 1 and file.parts[0] in tops
        if path in present or str(file.with_suffix("")) in known or not (file.suffix == ".ipynb" or in_book):
            continue
        if (root / file).resolve() not in real:  # else a page that the map reaches through a linked folder
            found.append(path)
    return found


def _match_renames(plan: Plan, root: Path, missing: list[Page]) -> None:
    """A page that went and one that came are one page when exactly these two share a title."""
    if not missing or not plan.orphans:
        return
    went: dict[str, list[str]] = defaultdict(list)
    for path in plan.orphans:
        for title in _titles(root / path):
            went[title].append(path)
    came: dict[str, list[Page]] = defaultdict(list)
    for page in missing:
        came[_bare(page.name)].append(page)
    gone: set[str] = set()
    for title, candidates in came.items():
        olds = [p for p in dict.fromkeys(went.get(title, ())) if p not in gone]
        if len(candidates) > 1 or len(olds) > 1:  # several of one title: the file name decides, if it can
            pairs = [(o, c) for o in olds for c in candidates if PurePosixPath(o).stem == c.docname.split("/")[-1]]
        else:
            pairs = [(o, c) for o in olds for c in candidates]
        for old, page in pairs:
            suffix = PurePosixPath(old).suffix
            unique = sum(o == old for o, _ in pairs) == 1 == sum(c == page for _, c in pairs)
            if unique and page.suffix in (None, suffix):
                gone.add(old)
                plan.rename.append((old, f"{page.docname}{suffix}"))
    plan.orphans = [path for path in plan.orphans if path not in gone]


def _titles(path: Path) -> set[str]:
    """The titles a file answers to: its H1, and the TOC title it was made with."""
    try:
        if path.suffix == ".ipynb":
            notebook = Notebook.read(path)
            heading, noted = notebook.heading, notebook.marks.get("title")
            return {_bare(t) for t in (heading.title if heading else None, noted) if isinstance(t, str)}
        heading = find_h1(read_text(path)) if path.suffix == ".md" else None
        return {_bare(heading.title)} if heading else set()
    except BookError:
        return set()  # a broken orphan is listed, that is all


def _is_stub(path: Path) -> bool:
    try:
        return path.suffix == ".ipynb" and Notebook.read(path).untouched
    except BookError:
        return False


def retitled(text: str, path: Path, title: str, page: Page, repository: Repository) -> str:
    """The text of an authored page with its first H1 replaced, every other byte kept.

    A notebook of which only the H1 had been changed is a stub again, and is brought up to date as one.
    """
    if path.suffix == ".ipynb":
        notebook = _parsed(text, path)
        heading = notebook.heading
        if heading is None:
            return text
        old = source(notebook.cells[heading.cell])
        made = _parsed(notebook.edited({heading.cell: old[: heading.start] + title + old[heading.end :]}), path)
        if made.untouched and not is_current(made, page, repository):
            return to_text(render(page, repository, made.data["metadata"]))
        return made.text
    heading = find_h1(text)
    return text if heading is None else text[: heading.start] + title + text[heading.end :]


def _parsed(text: str, path: Path) -> Notebook:
    return Notebook(path, text, json.loads(text.removeprefix(BOM)))


_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_valid: set[str] = set()  # cells that passed, without their ids: most of a stub's cells are in every stub


def _validate(data: dict[str, Any], page: Page) -> None:
    """Check a stub against the schema of nbformat, each distinct cell once.

    Raises:
        BookError: the stub would not be a valid notebook.
    """
    ids = {cell["id"] for cell in data["cells"]}
    fresh = {shape: cell for cell in data["cells"] if (shape := repr({**cell, "id": ""})) not in _valid}
    try:
        nbformat.validate({**data, "cells": list(fresh.values())}, relax_add_props=False)
    except nbformat.ValidationError as error:
        raise BookError(page.docname, f"its stub would not be a valid notebook: {error.message}") from None
    if len(ids) < len(data["cells"]) or not all(map(_ID.fullmatch, ids)):
        raise BookError(page.docname, "its stub would not be a valid notebook: cell ids are not unique names")
    _valid.update(fresh)
