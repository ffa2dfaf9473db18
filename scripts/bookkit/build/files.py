"""The files below ``_build``: whatever is broken there is made anew, and said in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def as_folder(path: Path) -> Path:
    """The path as a folder, made if need be; a file in its place is removed."""
    for place in (*reversed(path.parents), path):
        if "_build" in place.parts and os.path.lexists(place) and not place.is_dir():
            print(f"note: {place} was no folder; it is made anew")
            place.unlink()
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is whole at any moment."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def write_json(path: Path, data: object) -> None:
    """Write JSON, only if it differs, so that nothing is rendered again for nothing."""
    text = json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    as_folder(path.parent)
    try:
        same = path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        same = False
    if not same:
        if path.is_dir():
            path.rmdir()
        write_text(path, text)


def read_json(path: Path, default: Any) -> Any:
    """What is in a record of an earlier build; the default where it is missing, broken or of another kind."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default
    return found if isinstance(found, type(default)) else default
