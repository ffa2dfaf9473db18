"""Trains the emoji towers: a contrastive loss over pictures in three styles and random subsets of their words."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch.nn import functional

from bookkit.models.job import KeepsBest
from mmbook.datasets.emoji import Emoji, load_emoji
from mmbook.encoders.text import TextEncoder
from mmbook.models.emoji_towers import EmojiTowers
from mmbook.training import set_seed

HELD_OUT = "fluent"
BATCH = 244  # four batches an epoch
RATE = 2e-3  # falls to zero as a cosine
TOP = (1, 10)
Words = dict[int, torch.Tensor]  # concept -> embeddings of its name and keywords, (1 + keywords, 384)


class EmojiTowersJob(KeepsBest):
    """Concepts of the test part and the style ``fluent`` are never trained on; validation keeps the best epoch."""

    def __init__(self, seed: int = 0, epochs: int = 120) -> None:
        self.seed, self.epochs = seed, epochs
        self.emoji = load_emoji()
        self.split = self.emoji.split_concepts(seed=0)  # the same for every seed, so that tests know the test part
        self.styles = [style for style in self.emoji.images if style != HELD_OUT]
        self.words = word_embeddings(self.emoji, np.arange(len(self.emoji)))
        set_seed(seed)
        self.model = EmojiTowers()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, weight_decay=0.05)
        self.best, self.kept = -1.0, copy.deepcopy(self.model.state_dict())

    def epoch(self, number: int) -> str:
        """Every training concept once, in a random style, moved and tinted, with some of its words."""
        set_seed(self.seed * 100_003 + number)
        rate = RATE * (1 + math.cos(math.pi * number / self.epochs)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        total, batches = 0.0, torch.tensor(self.split["train"])[torch.randperm(len(self.split["train"]))].split(BATCH)
        for rows in batches:
            style = torch.randint(len(self.styles), (len(rows),)).tolist()
            pictures = torch.stack([self.emoji.images[self.styles[s]][i] for s, i in zip(style, rows, strict=True)])
            scores = self.model(image=varied(pictures.float() / 255), text=self._some_words(rows.tolist()))
            right = torch.arange(len(rows))
            loss = (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.T, right)) / 2
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                self.model.log_scale.clamp_(max=math.log(100))
            total += loss.item() / len(batches)
        found = recall(self.model, self.emoji, self.words, self.split["validation"], self.styles)[10]
        if found > self.best:
            self.best, self.kept = found, copy.deepcopy(self.model.state_dict())
        return f"loss {total:.2f}, recall@10 of unseen concepts {found:.3f} (best {self.best:.3f})"

    def _some_words(self, rows: list[int]) -> torch.Tensor:
        """The mean of the name and of a random half of the keywords: (batch, 384)."""
        chosen = []
        for i in rows:
            name, *keywords = self.words[i]
            some = [word for word in keywords if torch.rand(()) < 0.5]
            chosen.append(torch.stack([name, *some]).mean(dim=0))
        return torch.stack(chosen)

    def finish(self) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        """The best epoch, measured on concepts that neither training nor the choice of the epoch saw."""
        self.model.load_state_dict({k: v.half().float() for k, v in self.kept.items()})  # as it will be loaded
        return self.kept, measure(self.model, self.emoji, self.words)


def measure(model: EmojiTowers, emoji: Emoji, words: Words) -> dict[str, float]:
    """Recall among the pictures of the 300 unseen concepts, in seen styles and in the unseen one."""
    test, seen = emoji.split_concepts(seed=0)["test"], [style for style in emoji.images if style != HELD_OUT]
    measured: dict[str, float] = {}
    for name, styles in (("seen styles", seen), ("unseen style", [HELD_OUT])):
        found = recall(model, emoji, words, test, styles)
        measured |= {f"recall@{top}, unseen concepts, {name}": value for top, value in found.items()}
    return measured | {f"recall@{top} by chance": top / len(test) for top in TOP}


def word_embeddings(emoji: Emoji, concepts: np.ndarray) -> Words:
    """For each concept the embeddings of its name and keywords, (1 + keywords, 384)."""
    texts = [[emoji.labels[i], *emoji.keywords[i]] for i in concepts]
    flat = TextEncoder().encode([text for some in texts for text in some])
    return dict(zip(concepts.tolist(), flat.split([len(some) for some in texts]), strict=True))


@torch.no_grad()
def recall(model: EmojiTowers, emoji: Emoji, words: Words, concepts: np.ndarray, styles: list[str]) -> dict[int, float]:
    """Text to picture, among one picture of each concept, averaged over styles: k -> recall@k."""
    model.eval()
    text = model.text(torch.stack([words[int(i)].mean(dim=0) for i in concepts]))
    found = dict.fromkeys(TOP, 0.0)
    for style in styles:
        scores = text @ model.image(emoji.images[style][concepts].float() / 255).T
        better = (scores > scores.diagonal()[:, None]).sum(dim=1)  # pictures before the right one
        for top in TOP:
            found[top] += (better < top).double().mean().item() / len(styles)
    return found


def varied(pictures: torch.Tensor) -> torch.Tensor:
    """Each picture shifted by up to six pixels, scaled by up to 15 %, and tinted a little."""
    count = len(pictures)
    scale = 1 + 0.3 * (torch.rand(count) - 0.5)
    shift = (torch.rand(count, 2) - 0.5) * 12 / 32
    zero = torch.zeros(count)
    grid = torch.stack([torch.stack([scale, zero, shift[:, 0]], 1), torch.stack([zero, scale, shift[:, 1]], 1)], 1)
    places = functional.affine_grid(grid, list(pictures.shape), align_corners=False)
    moved = functional.grid_sample(1 - pictures, places, align_corners=False)  # outside is white
    tint = 1 + 0.2 * (torch.rand(count, 3, 1, 1) - 0.5)
    return (1 - moved * tint).clamp(0, 1)
