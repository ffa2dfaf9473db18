"""Fits the CLIP heads: ridge regression with the strength that ranks the drawings of validation nouns best."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mmbook.datasets.clipart import Clipart, load_clipart
from mmbook.models.clip_heads import FARTHEST, ClipHeads, features, sentences, towards

STRENGTHS = (0.3, 1.0, 3.0, 10.0)
TOP = (1, 10)


class ClipHeadsJob:
    """One strength an "epoch". Drawings of the test part are used for the final measurement only."""

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.epochs = seed, len(STRENGTHS)
        self.clipart = load_clipart()
        self.split = self.clipart.split_heads(seed=seed)
        self.seen, self.texts = features(self.clipart.images), sentences(self.clipart.captions)
        self.best, self.kept = -1.0, {"map": torch.zeros(0)}

    def epoch(self, number: int) -> str:
        """Fit with one strength, and measure it on drawings of validation nouns."""
        weights = fit(self.seen, self.texts, self.split["train"], STRENGTHS[number])
        some = one_each(self.clipart, self.split["validation"])
        scores = towards(self.texts[some], weights["middle"]) @ ClipHeads(weights).place(self.seen[some]).T
        quality = (1 / ranks(scores)).mean().item()
        if quality > self.best:
            self.best, self.kept = quality, weights
        return f"strength {STRENGTHS[number]}: mean 1/rank {quality:.3f} (best {self.best:.3f})"

    def state(self) -> dict[str, Any]:
        """The best heads so far."""
        return {"best": self.best, "kept": self.kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Back to what ``state`` gave."""
        self.best, self.kept = state["best"], state["kept"]

    def finish(self) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        """The best heads, measured on drawings of nouns that neither the fit nor the choice saw."""
        kept = ClipHeads({k: v.half().float() for k, v in self.kept.items()})  # as they will be loaded
        return self.kept, measure(kept, self.clipart, self.split["test"])


def fit(seen: torch.Tensor, texts: torch.Tensor, rows: np.ndarray, strength: float) -> dict[str, torch.Tensor]:
    """Ridge regression in its dual form, which inverts (rows, rows) instead of (3968, 3968).

    Args:
        seen: features of all pictures, (n, 3968). texts: unit embeddings of their captions, (n, 384).
        rows: which to fit. strength: of the ridge, in units of the mean squared length of a row.
    """
    x, y = seen[rows], texts[rows]
    weights = {"mean": x.mean(dim=0), "spread": x.std(dim=0) + 1e-6, "middle": y.mean(dim=0)}
    z = ((x - weights["mean"]) / weights["spread"]).clamp(-FARTHEST, FARTHEST)
    alike = z @ z.T
    ridge = strength * alike.diag().mean() * torch.eye(len(z))
    return weights | {"map": z.T @ torch.linalg.solve(alike + ridge, towards(y, weights["middle"]))}


def one_each(clipart: Clipart, rows: np.ndarray) -> np.ndarray:
    """The first drawing of each head noun among the rows."""
    first: dict[str, int] = {}
    for i in rows.tolist():
        first.setdefault(clipart.heads[i], i)
    return np.array(sorted(first.values()))


def ranks(scores: torch.Tensor) -> torch.Tensor:
    """(texts, pictures) with the right pairs on the diagonal -> the rank of each text's picture, 1 is best."""
    return 1.0 + (scores > scores.diagonal()[:, None]).sum(dim=1)


def measure(heads: ClipHeads, clipart: Clipart, test: np.ndarray) -> dict[str, float]:
    """Recall among one drawing of each test noun, text to picture."""
    rows = one_each(clipart, test)
    scores = heads.text([clipart.captions[i] for i in rows]) @ heads.image(clipart.images[rows]).T
    found = ranks(scores)
    measured = {f"recall@{top}, unseen nouns": (found <= top).double().mean().item() for top in TOP}
    return measured | {f"recall@{top} by chance": top / len(rows) for top in TOP}
