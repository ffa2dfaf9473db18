"""Tables of a chapter: pandas frames without an empty header cell, which a screen reader could not name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd


def table_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A table from dicts with the same keys; the first key names the rows.

    Raises:
        ValueError: no rows.
    """
    frame = pd.DataFrame(list(rows))
    if frame.empty:
        raise ValueError("a table needs at least one row")
    first = frame.columns[0]
    return frame.set_index(first).rename_axis(index=None, columns=first)
