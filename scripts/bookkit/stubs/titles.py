"""Titles of pages: the text that a heading shows, and which page that went is which one that came."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from bookkit.course.notebook import Notebook, find_h1, read_text
from bookkit.course.toc import Page
from bookkit.errors import BookError

_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])|&(?:#\w+|\w+);")


def plain(heading: str) -> str:
    """The Markdown of a heading as the text that it shows, its escapes and entities resolved."""
    return _ESCAPED.sub(lambda found: found[1] or html.unescape(found[0]), heading)


def bare(title: str) -> str:
    """A title without Markdown's emphasis and spare spaces."""
    return " ".join(re.sub(r"[*_`]", "", title).split())


def match_renames(root: Path, orphans: list[str], missing: list[Page]) -> list[tuple[str, str]]:
    """(old path, new path): a page that went and one that came are one when exactly these two share a title."""
    renames: list[tuple[str, str]] = []
    went: dict[str, list[str]] = defaultdict(list)
    for path in orphans if missing else ():
        for title in _titles(root / path):
            went[title].append(path)
    came: dict[str, list[Page]] = defaultdict(list)
    for page in missing:
        came[bare(page.name)].append(page)
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
                renames.append((old, f"{page.docname}{suffix}"))
    return renames


def _titles(path: Path) -> set[str]:
    """The titles a file answers to: its H1, and the TOC title it was made with."""
    try:
        if path.suffix == ".ipynb":
            notebook = Notebook.read(path)
            heading, noted = notebook.heading, notebook.marks.get("title")
            titles = (plain(heading.title) if heading else None, noted)
            return {bare(title) for title in titles if isinstance(title, str)}
        heading = find_h1(read_text(path)) if path.suffix == ".md" else None
        return {bare(plain(heading.title))} if heading else set()
    except BookError:
        return set()  # a broken orphan is listed, that is all


def is_stub(path: Path) -> bool:
    """Whether a file is a stub that no author has changed."""
    try:
        return path.suffix == ".ipynb" and Notebook.read(path).untouched
    except BookError:
        return False
