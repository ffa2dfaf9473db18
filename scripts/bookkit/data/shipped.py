"""Compares a rebuilt data set with the shipped one, or puts it in its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mmbook.datasets.store import DATASETS, sha256

# Another release of the rasteriser or of the palette code may round differently. A picture sheet
# counts as the same when its pixels differ by at most this much on average (0 to 255).
SHEET_TOLERANCE = 2.0


def compare(built: Path, name: str) -> list[str]:
    """One line for each shipped file that a rebuild does not reproduce."""
    problems = []
    folder = DATASETS / name / "files"
    listed = json.loads((DATASETS / name / "checksums.json").read_text(encoding="utf-8"))
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        if sha256(path) != listed.get(path.name):
            problems.append(f"{path}: differs from checksums.json")
    for fresh in sorted(built.iterdir()):
        shipped = folder / fresh.name
        if not shipped.is_file():
            problems.append(f"{shipped}: missing; run `python scripts/prepare_data.py {name}`")
        elif fresh.read_bytes() != shipped.read_bytes() and not _same_content(fresh, shipped):
            problems.append(f"{shipped}: a rebuild gives other content")
    return problems


def _same_content(a: Path, b: Path) -> bool:
    """Whether two files differ only in how a library's release wrote them."""
    if a.suffix == ".parquet":
        return pd.read_parquet(a).equals(pd.read_parquet(b))
    if a.suffix == ".npz":
        with np.load(a) as left, np.load(b) as right:
            return left.files == right.files and all(np.array_equal(left[k], right[k]) for k in left.files)
    if a.suffix not in (".png", ".webp"):
        return False
    with Image.open(a) as left, Image.open(b) as right:
        if left.size != right.size:
            return False
        pixels = [np.asarray(i.convert("RGB"), dtype=np.float32) for i in (left, right)]
    return float(np.abs(pixels[0] - pixels[1]).mean()) <= SHEET_TOLERANCE


def install(built: Path, name: str) -> None:
    """Copy the rebuilt files over the shipped ones and renew their checksums."""
    target = DATASETS / name / "files"
    target.mkdir(parents=True, exist_ok=True)
    for fresh in built.iterdir():
        shutil.copyfile(fresh, target / fresh.name)
    sums = {path.name: sha256(path) for path in sorted(target.iterdir()) if path.is_file()}
    (DATASETS / name / "checksums.json").write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")
