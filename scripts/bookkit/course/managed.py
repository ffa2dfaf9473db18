"""The two cells of a notebook that the generator writes: the Colab badge and the setup cell.

A managed cell is one with the slot's own id and the mark, or with that id and text that only the generator writes
(tools that strip metadata take the mark away). Whatever else carries the mark is the author's, and is reported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bookkit.course.config import Repository

KEY = "mmbook"  # our key in notebook and cell metadata
KINDS = {"badge": "markdown", "setup": "code"}  # slot -> cell type
NEED = re.compile(r"[A-Za-z0-9][\w.-]*==[\w.+!-]+")
_BADGE = re.compile(r"\[Open in Colab\]\(https://colab\.research\.google\.com/[^)\n]*\)")
# One line instead of a traceback, and nothing runs on: what follows could only fail for the same reason.
_HEAD = """\
import sys

if "google.colab" in sys.modules:
    import re
    import subprocess

    class SetupError(Exception):
        def _render_traceback_(self):
            return [str(self)]

"""
_TAIL = '''\
    """.strip().splitlines():
        pip = [sys.executable, "-m", "pip", "install", "-q", *line.split()]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.splitlines() or ["pip failed"]
            why = [x for x in said if re.search("fatal:|ERROR:", x)] or said
            raise SetupError(
                f"{line.split()[-1]} can't be installed: {why[0].strip()}. "
                "Is there a network? Run this cell again, or report it: "
                "REPORT"
            )\
'''
_SETUP = re.compile(
    r"# Written by scripts/generate_stubs\.py[^\n]*\n(?:"
    r"import sys\n\nif \"google\.colab\" in sys\.modules:\n"
    r"(?:    %pip install --quiet [^\n]*(?:\n|\Z))+|"  # as it was until November 2026
    + re.escape(_HEAD)
    + r"(?:    print\(\"Fetching [^\"\n]*\"\)\n)?    for line in \"\"\"\n"
    + rf"(?:        --no-deps {NEED.pattern}\n)*        mmbook@git\+https://\S+\n"
    + re.escape(_TAIL).replace("REPORT", r"https://github[.]com/\S+?")
    + ")"
)
_BEGINNINGS = tuple(f"{slot}-" for slot in KINDS)
_FORMS = {"badge": _BADGE, "setup": _SETUP}


def sources(docname: str, repository: Repository, needs: Sequence[str] = (), ref: str = "") -> dict[str, str]:
    """Slot -> source of the managed cells, in their order.

    Args:
        needs: packages with heavy weights that the chapter asks for (its metadata ``mmbook.needs``), pinned.
        ref: commit whose helper package is installed; without one, the newest of the branch.
    """
    fetched = ""
    if needs:
        sizes = [repository.megabytes.get(need.partition("==")[0], 0) for need in needs]
        much = f"{sum(sizes)} MB of " if any(sizes) else ""
        fetched = f'    print("Fetching {much}pretrained weights; this may take a minute.")\n'
    lines = [*(f"--no-deps {need}" for need in needs), repository.package(ref)]
    setup = [
        "# Written by scripts/generate_stubs.py; put your own code into other cells. It acts on Colab only.\n",
        _HEAD,
        fetched,
        '    for line in """\n',
        *(f"        {line}\n" for line in lines),
        _TAIL.replace("REPORT", f"https://github.com/{repository.slug}/issues"),
    ]
    return {"badge": f"[Open in Colab]({repository.colab(docname)})", "setup": "".join(setup)}


@dataclass
class Managed:
    """Which cells are managed, and what stands in their way."""

    cells: dict[int, str] = field(default_factory=dict)  # index -> slot
    held: set[str] = field(default_factory=set)  # slots whose cell an author changed: it is theirs now
    faults: list[str] = field(default_factory=list)


def find(cells: list[dict[str, Any]]) -> Managed:
    """Tell the managed cells of a notebook from the author's."""
    found = Managed()
    for index, cell in enumerate(cells):
        mark = _mark(cell)
        name = cell.get("id") or cell.get("metadata", {}).get("id")  # Colab keeps it in the metadata
        if mark is None and isinstance(name, str) and not name.startswith(_BEGINNINGS):
            continue  # nearly all cells
        slot = _own_slot(cell, mark, name)
        if slot and slot not in found.cells.values() and slot not in found.held:
            if cell["cell_type"] == KINDS[slot] and _FORMS[slot].fullmatch(_source(cell).strip()):
                found.cells[index] = slot
            elif mark:
                found.held.add(slot)
                found.faults.append(_typed_into(index, cell, slot))
        elif mark in KINDS:
            what = f"cell {index + 1} is a copy of the managed cell {mark!r} and counts as yours"
            found.faults.append(f"{what}; delete the cell, or {KEY!r} in its metadata")
    return found


def _typed_into(index: int, cell: dict[str, Any], slot: str) -> str:
    where = f"cell {index + 1}, the managed cell {slot!r},"
    if cell["cell_type"] != KINDS[slot]:
        return f"{where} is no {KINDS[slot]} cell any more; change it back, or delete it to get it anew"
    return f"{where} holds text of yours, so it is left alone; move that to another cell and delete this one"


def _mark(cell: dict[str, Any]) -> str | None:
    metadata = cell.get("metadata")
    mark = metadata.get(KEY) if metadata else None
    slot = mark.get("managed") if isinstance(mark, dict) else None
    return slot if isinstance(slot, str) else None


def _own_slot(cell: dict[str, Any], mark: str | None, name: object) -> str | None:
    """The slot that a cell's id belongs to; in formats without ids the text decides."""
    if not isinstance(name, str):
        text = _source(cell).strip()
        return next((slot for slot, form in _FORMS.items() if mark in (slot, None) and form.fullmatch(text)), None)
    slot = next((slot for slot in KINDS if re.fullmatch(rf"{slot}-[0-9a-f]{{8}}x*", name)), None)
    return slot if mark in (slot, None) else None


def _source(cell: dict[str, Any]) -> str:
    text = cell["source"]
    return text if isinstance(text, str) else "".join(text)
