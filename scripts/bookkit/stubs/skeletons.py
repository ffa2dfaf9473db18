"""The skeletons of new pages: chapter-guide.md's anatomy in ``templates/chapter.md``, in the flavour of each part.

A line ``<!-- cell NAME -->`` begins a Markdown cell, ``<!-- cell NAME code TAG ... -->`` a code cell with tags. The
name, with the page, gives the cell its id. Code cells hold comments alone, so that nothing runs by accident.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).with_name("templates")
CELL = re.compile(r"^<!-- cell ([\w-]+)( code)?((?: [\w-]+)*) -->\n", re.MULTILINE)


@dataclass(frozen=True)
class Piece:
    """One cell of a skeleton."""

    slot: str
    kind: str  # "markdown" or "code"
    text: str
    tags: tuple[str, ...] = ()


def read_skeletons(folder: Path = HERE) -> dict[str, tuple[Piece, ...]]:
    """Template name -> its cells."""
    flavours = tomllib.loads((folder / "flavours.toml").read_text(encoding="utf-8"))
    chapter = (folder / "chapter.md").read_text(encoding="utf-8")
    found = {"reference": _pieces((folder / "reference.md").read_text(encoding="utf-8"))}
    for name, words in flavours.items():
        said = {**flavours["chapter"], **words}
        filled = chapter
        for key, hint in said.items():
            filled = filled.replace(f"[[{key}]]", hint)
        found[name] = _pieces(filled)
    return found


def _pieces(text: str) -> tuple[Piece, ...]:
    heads = list(CELL.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return tuple(
        Piece(head[1], "code" if head[2] else "markdown", text[head.end() : end].strip("\n"), tuple(head[3].split()))
        for head, end in zip(heads, ends, strict=True)
    )


SKELETONS = read_skeletons()


def template_for(docname: str, wanted: object = None) -> str:
    """The template's name: ``meta.template`` if given, else the innermost folder that has one.

    Raises:
        ValueError: there is no template of the wanted name.
    """
    if wanted is not None:
        if not isinstance(wanted, str) or wanted not in SKELETONS:
            raise ValueError(f"no template {wanted!r}; there are {', '.join(sorted(SKELETONS))}")
        return wanted
    folders = docname.split("/")[:-1]
    return next((f for f in reversed(folders) if f in SKELETONS), "chapter")
