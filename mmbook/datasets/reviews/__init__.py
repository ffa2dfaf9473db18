"""Clothing reviews: real text with a real table (CC0). Source, what was dropped and limits: the card."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import torch

from mmbook.datasets.base import Dataset, split_units
from mmbook.datasets.store import load_card, verified

NUMBERS = ("age", "positive_feedback")
CATEGORIES = ("division", "department", "garment")


def load_reviews(seed: int = 0, target: Literal["rating", "recommended"] = "rating") -> Dataset:
    """Reviews with one of two targets, split by garment.

    With target ``"rating"`` the table has the recommendation flag; with ``"recommended"`` it has not.
    The rating is never a column of the table: it tells the recommendation nearly by itself.

    Args:
        seed: decides which garments go where.
        target: ``"rating"``: 1 to 5 stars, float32; ``"recommended"``: 0 or 1, int64.

    Returns:
        modality ``table``, float32 (reviews, columns): numbers standardised on the training part,
        categories one-hot; ``extra["text"]``, a list of strings; ``extra["columns"]``, names of the
        table's columns; ``extra["frame"]``, the rows as a data frame.

    Raises:
        ValueError: an unknown target. DamagedDataError: a vendored file is missing or changed.
    """
    if target not in ("rating", "recommended"):
        raise ValueError(f"target must be 'rating' or 'recommended', not {target!r}")
    frame = pd.read_parquet(verified("reviews/reviews.parquet"))
    garment = torch.tensor(frame["clothing_id"].to_numpy())
    split = split_units(garment, seed)
    numbers = torch.tensor(frame[list(NUMBERS)].to_numpy(), dtype=torch.float32)
    train = numbers[split["train"]]
    numbers = (numbers - train.mean(dim=0)) / train.std(dim=0)
    categories = pd.get_dummies(frame[list(CATEGORIES)], dtype="float32")
    parts = [numbers, torch.tensor(categories.to_numpy())]
    columns = [*NUMBERS, *categories.columns]
    if target == "rating":
        parts.append(torch.tensor(frame[["recommended"]].to_numpy(), dtype=torch.float32))
        columns.append("recommended")
    return Dataset(
        name="reviews",
        modalities={"table": torch.cat(parts, dim=1)},
        target=torch.tensor(frame[target].to_numpy(), dtype=torch.float32 if target == "rating" else torch.int64),
        split=split,
        card=load_card("reviews"),
        unit=garment,
        extra={"text": frame["text"].tolist(), "columns": columns, "frame": frame},
    )
