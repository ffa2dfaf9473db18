"""The words that are said about scenes, and their numbers."""

from __future__ import annotations

import torch

from mmbook.worlds.scenes import COLOR_NAMES, SHAPES

PUNCTUATION = ("<pad>", "?", ".")
WORDS = (
    *PUNCTUATION,
    *("where", "is", "the", "what", "color", "there", "a", "an", "of", "and", "left", "right", "above", "below"),
    *("moves", "up", "down"),
    *COLOR_NAMES,
    *SHAPES,
)


def tokenize(texts: list[str], length: int) -> torch.Tensor:
    """Word numbers, int64 (texts, length), 0 where a text has ended.

    Raises:
        ValueError: a word that is not in ``WORDS``, or a text longer than ``length``.
    """
    number = {word: i for i, word in enumerate(WORDS)}
    out = torch.zeros(len(texts), length, dtype=torch.long)
    for row, text in zip(out, texts, strict=True):
        words = text.replace("?", " ?").replace(".", " .").split()
        unknown = [word for word in words if word not in number]
        if unknown or len(words) > length:
            raise ValueError(f"{text!r}: unknown words {unknown}" if unknown else f"{text!r} is longer than {length}")
        row[: len(words)] = torch.tensor([number[word] for word in words])
    return out


def one(name: str) -> str:
    """``"a red circle"``, ``"an orange circle"``."""
    return f"{'an' if name[0] == 'o' else 'a'} {name}"
