"""Vendored files: where they lie, and the proof that they are the ones that were shipped."""

from __future__ import annotations

import hashlib
import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

DATASETS = Path(__file__).parent  # one folder a data set: card.toml, checksums.json, files/
WORLDS = DATASETS.parent / "worlds"  # generators; their cards are NAME.toml


class DamagedDataError(RuntimeError):
    """A vendored file is missing or differs from the one that was shipped."""


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _checksums(folder: Path) -> dict[str, str]:
    return json.loads((folder / "checksums.json").read_text(encoding="utf-8"))


def verified(relative: str) -> Path:
    """Path of a vendored file, after its SHA-256 was checked.

    Args:
        relative: data set and file, e.g. ``"emoji/noto.png"`` for ``mmbook/datasets/emoji/files/noto.png``.

    Raises:
        DamagedDataError: the file is missing, unlisted or changed; the message names it and the cure.
    """
    name, file = relative.split("/")
    path = DATASETS / name / "files" / file
    cure = f"restore it with `python scripts/prepare_data.py {name}` or reinstall mmbook"
    if not path.is_file():
        raise DamagedDataError(f"{path}: vendored file is missing; {cure}")
    if sha256(path) != _checksums(DATASETS / name).get(file):
        raise DamagedDataError(f"{path}: SHA-256 differs from checksums.json; {cure}")
    return path


def load_card(name: str) -> dict[str, Any]:
    """The card of a data set or of a generated world: source, licence, how it was made, limits.

    Raises:
        DamagedDataError: there is no such card.
    """
    for path in (DATASETS / name / "card.toml", WORLDS / f"{name}.toml"):
        if path.is_file():
            return tomllib.loads(path.read_text(encoding="utf-8"))
    path = DATASETS / name / "card.toml"
    raise DamagedDataError(f"{path}: data card is missing; restore it from the repository or reinstall mmbook")


def all_cards() -> list[dict[str, Any]]:
    """The cards of every data set, then of every generated world, by name."""
    names = sorted(path.parent.name for path in DATASETS.glob("*/card.toml"))
    return [load_card(name) for name in [*names, *sorted(path.stem for path in WORLDS.glob("*.toml"))]]
