"""Pages and files in, a plan out: what to create, refresh, rename, retitle; nothing is written here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
from sphinx_external_toc.parsing import MalformedError

from bookkit.course.config import Config, Repository
from bookkit.course.managed import NEED, sources
from bookkit.course.names import fits_windows
from bookkit.course.notebook import BOM, Notebook, find_h1, read_text, source
from bookkit.course.toc import TOC, Page
from bookkit.course.tree import SUFFIXES, Tree, folded, namesakes
from bookkit.course.tree import sources as source_files
from bookkit.course.yaml_text import line_of, located
from bookkit.errors import BookError
from bookkit.stubs.stub import is_current, managed_cell, render, to_text
from bookkit.stubs.titles import bare, is_stub, match_renames, plain

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
    config: Config,
    empty: Iterable[tuple[str, str]] = (),
    track: Track = lambda items, _: items,
) -> Plan:
    """Compare the course map with the files below ``root``.

    Args:
        empty: (place, what) of globs that match no file.

    Raises:
        BookError: a page file can't be read as what it should be.
    """
    plan = Plan()
    for where, what in empty:
        _problem(plan, root, where, what)
    try:
        _fill(plan, root, pages, config, track)
    except MalformedError as error:
        raise BookError(root / TOC, located(root / TOC, str(error))) from None
    return plan


def _problem(plan: Plan, root: Path, where: str, what: str) -> None:
    """Note a problem of an entry of the course map, with its line."""
    plan.problems.append({"where": f"{TOC} line {line_of(root / TOC, where)}", "what": what})


def _fill(plan: Plan, root: Path, pages: list[Page], config: Config, track: Track) -> None:
    missing: list[Page] = []
    present: set[str] = set()
    tree = Tree(root)
    for page in track(pages, "reading pages"):
        if not fits_windows(page.docname):
            what = f"{page.docname!r} can't be a file on Windows; use letters, digits and hyphens"
            _problem(plan, root, page.where, what)
        found = [PurePosixPath(f.name).suffix for f in tree.files(page.docname)]
        if not found:
            missing.append(page)
            continue
        if len(found) > 1:
            _problem(plan, root, page.where, f"{page.docname} exists as {' and as '.join(found)}; keep one")
        path = page.docname + found[0]
        present.add(path)
        if found[0] == ".ipynb":
            _plan_notebook(plan, path, Notebook.read(root / path), page, config.repository)
        else:
            text = read_text(root / path)
            heading = find_h1(text) if found[0] == ".md" else None
            _plan_title(plan, path, page, heading.title if heading else None)
    orphans = _orphans(root, pages, present, config.excluded)
    plan.rename = match_renames(root, orphans, missing)
    went, came = {old for old, _ in plan.rename}, {new for _, new in plan.rename}
    plan.orphans = [path for path in orphans if path not in went]
    plan.prunable = [path for path in plan.orphans if is_stub(root / path)]
    names = namesakes(root) if missing else {}
    for page in track(missing, "rendering stubs"):
        if not any(f"{page.docname}{suffix}" in came for suffix in SUFFIXES):
            _plan_missing(plan, root, page, names.get(folded(page.docname)), config.repository)


def _plan_missing(plan: Plan, root: Path, page: Page, namesake: str | None, repository: Repository) -> None:
    """A page without a file: a stub, unless that would be wrong."""
    if page.suffix in (".md", ".rst"):
        what = f"{page.docname}{page.suffix} does not exist; write it, or drop {page.suffix} to get a notebook"
        _problem(plan, root, page.where, what)
    elif namesake:
        what = f"{page.docname} differs from {namesake} only by case or accents; give both one spelling"
        _problem(plan, root, page.where, what)
    else:
        data = render(page, repository)
        _validate(data, page)
        plan.create.append(f"{page.docname}.ipynb")
        plan.writes[f"{page.docname}.ipynb"] = to_text(data)


def _plan_notebook(plan: Plan, path: str, notebook: Notebook, page: Page, repository: Repository) -> None:
    needs = _needs(plan, path, notebook)
    if notebook.untouched:
        if not is_current(notebook, page, repository, needs):
            wanted = render(page, repository, notebook.data["metadata"], needs)
            _validate(wanted, page)
            plan.refresh.append(path)
            plan.writes[path] = to_text(wanted)
        return
    plan.problems += [{"where": path, "what": fault} for fault in notebook.managed.faults]
    plan.texts[path] = notebook.text
    text = _with_managed_cells(notebook, page, sources(page.docname, repository, needs))
    if text != notebook.text:
        plan.refresh.append(path)
        plan.writes[path] = text
    _plan_title(plan, path, page, notebook.heading.title if notebook.heading else None)


def _needs(plan: Plan, path: str, notebook: Notebook) -> list[str]:
    """The packages that a chapter's metadata asks for; what is no pinned package is a problem."""
    needs = notebook.marks.get("needs", [])
    if isinstance(needs, list) and all(isinstance(need, str) and NEED.fullmatch(need) for need in needs):
        return needs
    what = f'metadata mmbook.needs {needs!r} is not a list of pinned packages such as ["name==1.0"]'
    plan.problems.append({"where": path, "what": what})
    return []


def _with_managed_cells(notebook: Notebook, page: Page, wanted: dict[str, str]) -> str:
    """The authored notebook's text with right managed cells and every other byte as it was.

    A managed cell that the author deleted comes back behind the title; a foreign notebook, which the
    generator did not make, is left alone.
    """
    managed = notebook.managed
    edits = {
        index: wanted[slot]
        for index, slot in managed.cells.items()
        if source(notebook.cells[index]).strip() != wanted[slot]
    }
    inserted = []
    if notebook.marks or managed.cells or managed.held:
        taken = {cell.get("id") for cell in notebook.cells}
        for slot, text in wanted.items():
            cell = managed_cell(page, slot, text)
            if slot not in managed.cells.values() and slot not in managed.held:
                if (notebook.data.get("nbformat_minor") or 0) < 5:  # older formats know no cell ids
                    del cell["id"]
                while cell.get("id") in taken - {None}:  # only if an author gave that id to another cell
                    cell["id"] += "x"
                inserted.append(cell)
    at = notebook.heading.cell + 1 if notebook.heading else 0
    return notebook.edited(edits, inserted, at)


def _plan_title(plan: Plan, path: str, page: Page, heading: str | None) -> None:
    if page.title and heading is not None and bare(plain(heading)) != bare(page.title):
        plan.retitle.append((path, heading, page.title))


def _orphans(root: Path, pages: list[Page], present: set[str], excluded: tuple[str, ...]) -> list[str]:
    """Source files that the map does not list: notebooks anywhere, text files only in the book's folders."""
    tops = {page.docname.split("/")[0] for page in pages if "/" in page.docname}
    known = {page.docname for page in pages}
    found = []
    real = {(root / path).resolve() for path in present} if len(present) < 2000 else set()
    for file in source_files(root, excluded):
        path, in_book = str(file), len(file.parts) > 1 and file.parts[0] in tops
        if path in present or str(file.with_suffix("")) in known or not (file.suffix == ".ipynb" or in_book):
            continue
        if (root / file).resolve() not in real:  # else a page that the map reaches through a linked folder
            found.append(path)
    return found


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
        needs = _needs(Plan(), str(path), made)
        if made.untouched and not is_current(made, page, repository, needs):
            return to_text(render(page, repository, made.data["metadata"], needs))
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
