"""Photographs of an educational game, with names, and captions, questions and answers that we wrote by looking."""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from bookkit.data.packages import DebPackage
from bookkit.data.pictures import box, fitted, write_sheet
from mmbook.datasets.photos import COLUMNS, SIDE

PACKAGE = DebPackage("gcompris-qt-data", "3.1-2", "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f")
FOLDER = "usr/share/gcompris-qt/rcc"
ACTIVITIES = (
    "categorization",
    "explore_farm_animals",
    "explore_monuments",
    "explore_world_animals",
    "explore_world_music",
)
FREE = ("Public Domain", "CC0-1.0")


def prepare(out: Path, downloads: Path) -> None:
    """Write ``photos.webp`` (one sheet) and ``words.json`` into ``out``.

    Raises:
        ValueError: a photograph that is neither in the public domain nor CC0.
    """
    folder = PACKAGE.fetch(downloads) / FOLDER
    files = {
        f"{name}{path}": data for name in ACTIVITIES for path, data in unpacked((folder / f"{name}.rcc").read_bytes())
    }
    facts = {
        path: fact for readme in files if readme.endswith("/README") for path, fact in _facts(readme, files[readme])
    }
    rows = json.loads((Path(__file__).parent / "photo_words.json").read_text(encoding="utf-8"))
    pictures = []
    for row in rows:
        fact = facts[row["path"]]
        if fact["License"] not in FREE:
            raise ValueError(f"{row['path']}: {fact['License']}, not {' or '.join(FREE)}")
        picture = Image.open(io.BytesIO(files[row["path"]]))
        row |= {"author": fact["Copyright"], "source": fact["Source"], "licence": fact["License"]}
        row["box"] = box(picture.size, SIDE)
        pictures.append(fitted(picture, SIDE))
    out.mkdir(parents=True, exist_ok=True)
    write_sheet(out / "photos.webp", pictures, COLUMNS)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (out / "words.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def unpacked(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file in a Qt resource file (format 1 to 3).

    Raises:
        ValueError: another kind of file, or a file in it that is packed with zstd.
    """
    if archive[:4] != b"qres":
        raise ValueError("not a Qt resource file")
    version, tree, data, names = struct.unpack(">4I", archive[4:20])
    size = 14 if version == 1 else 22  # of an entry of the tree

    def walk(entry: int, path: str) -> Iterator[tuple[str, bytes]]:
        start = tree + entry * size
        name, flags = struct.unpack(">IH", archive[start : start + 6])
        if entry:
            length = struct.unpack(">H", archive[names + name : names + name + 2])[0]
            path += "/" + archive[names + name + 6 : names + name + 6 + 2 * length].decode("utf-16-be")
        if flags & 2:  # a folder
            count, first = struct.unpack(">II", archive[start + 6 : start + 14])
            for child in range(first, first + count):
                yield from walk(child, path)
            return
        where = data + struct.unpack(">I", archive[start + 10 : start + 14])[0]
        content = archive[where + 4 : where + 4 + struct.unpack(">I", archive[where : where + 4])[0]]
        if flags & 4:
            raise ValueError(f"{path}: packed with zstd")
        yield path, zlib.decompress(content[4:]) if flags & 1 else content

    yield from walk(0, "")


def _facts(readme: str, content: bytes) -> Iterator[tuple[str, dict[str, str]]]:
    """Path -> Copyright, License, Source, from the blocks of a README."""
    folder = readme.removesuffix("/README")
    for block in re.split(r"\n\s*\n", content.decode("utf-8")):
        head, found, files = block.partition("Files:")
        fact = dict(re.findall(r"^(Copyright|License|Source)\s*:\s*(.*?)\s*$", head, re.MULTILINE))
        for name in files.split("\n") if found else ():
            if name.strip():
                yield f"{folder}/{name.strip()}", fact
