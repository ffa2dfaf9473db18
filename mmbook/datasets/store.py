"""Vendored files: where they lie, and the proof that they are the ones that were shipped."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent / "files"


class DamagedDataError(RuntimeError):
    """A vendored file is missing or differs from the one that was shipped."""


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _checksums() -> dict[str, str]:
    return json.loads((FILES / "checksums.json").read_text(encoding="utf-8"))


def verified(relative: str) -> Path:
    """Path of a vendored file, after its SHA-256 was checked.

    Args:
        relative: POSIX path below ``mmbook/datasets/files``, e.g. ``"emoji/noto.png"``.

    Raises:
        DamagedDataError: the file is missing, unlisted or changed; the message names it and the cure.
    """
    path = FILES / relative
    cure = f"restore it with `python scripts/prepare_data.py {relative.split('/')[0]}` or reinstall mmbook"
    if not path.is_file():
        raise DamagedDataError(f"{path}: vendored file is missing; {cure}")
    if sha256(path) != _checksums().get(relative):
        raise DamagedDataError(f"{path}: SHA-256 differs from checksums.json; {cure}")
    return path


def load_card(name: str) -> dict[str, Any]:
    """The data card of one data set: source, licence, how it was made, limits.

    Raises:
        DamagedDataError: there is no such card.
    """
    path = FILES / name / "card.json"
    if not path.is_file():
        raise DamagedDataError(f"{path}: data card is missing; restore it from the repository or reinstall mmbook")
    return json.loads(path.read_text(encoding="utf-8"))


def all_cards() -> list[dict[str, Any]]:
    """The cards of every data set, by name."""
    return [load_card(path.parent.name) for path in sorted(FILES.glob("*/card.json"))]
