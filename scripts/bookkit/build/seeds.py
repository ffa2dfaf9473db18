"""How each claim fared over many values of MMBOOK_SEED: the record in the repository."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bookkit.build.files import write_json
from bookkit.errors import BookError

DIGITS = 4  # of an effect in the record


@dataclass
class Record:
    """chapter -> {"key": of the chapter as it was run, "seeds": {value: {statement: [effect, held]} or None}}.

    A chapter that raised before its end has None for that value: nothing is known of its claims then.
    """

    path: Path
    chapters: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Record:
        """The record in a file; an empty one without it.

        Raises:
            BookError: the file is no record.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            for row in data.values():
                row["key"], row["seeds"].items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise BookError(path, "is no record of seeds; restore it from git, or delete it") from None
        return cls(path, data)

    def known(self, chapter: str, key: str) -> dict[str, Any]:
        """Value -> claims, of the chapter as it is now; a row of an older form of it is begun anew."""
        row = self.chapters.get(chapter)
        if row is None or row["key"] != key:
            row = self.chapters[chapter] = {"key": key, "seeds": {}}
        return row["seeds"]

    def add(self, chapter: str, seed: int, claims: list[dict[str, Any]] | None) -> None:
        """Note what one run found, and write the file at once."""
        found = None if claims is None else {c["statement"]: [_short(c["effect"]), c["holds"]] for c in claims}
        self.chapters[chapter]["seeds"][str(seed)] = found
        write_json(self.path, self.chapters)

    def summary(self, chapter: str) -> str:
        """How many runs held throughout, and one line for each claim of a chapter."""
        runs = self.chapters.get(chapter, {}).get("seeds", {})
        claims = statements(runs)
        whole = sum(bool(found) and all(found.get(claim, [0, 0])[1] for claim in claims) for found in runs.values())
        lines = [f"{chapter}: {len(runs)} values, every claim held in {whole}"]
        return "\n".join([*lines, *(f"  {fared(runs, statement)}  {statement}" for statement in claims)])


def _short(effect: float | None) -> float | None:
    return None if effect is None else float(f"{effect:.{DIGITS}g}")


def statements(runs: dict[str, Any]) -> list[str]:
    """The claims that any run reached, in the order of the page."""
    return list(dict.fromkeys(statement for found in runs.values() if found for statement in found))


def fared(runs: dict[str, Any], statement: str, unit: str = "") -> str:
    """``held for 9 of 10 seeds, effects 12 to 17 points``; a run that failed before the claim counts against it.

    Args:
        unit: of the effects; ``"points"`` are hundredths.
    """
    rows = [found.get(statement) if found else None for found in runs.values()]
    held = sum(bool(row and row[1]) for row in rows)
    effects = [row[0] for row in rows if row and row[0] is not None]
    scale = 100 if unit == "points" else 1
    low, high = (f"{scale * end:.3g}".replace("-", "−") for end in (min(effects, default=0), max(effects, default=0)))
    spread = f", effects {low} to {high} {unit}".rstrip() if effects else ""
    return f"held for {held} of {len(rows)} seeds{spread}"
