"""Trains the captioner: a connector from the CLIP heads into SmolLM2, on drawings and emoji with their captions."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import nn

from bookkit.models.clip_heads import fit, one_each
from bookkit.models.job import KeepsBest
from mmbook.datasets.clipart import Clipart, load_clipart
from mmbook.datasets.emoji import Emoji, load_emoji
from mmbook.encoders.language import LanguageModel
from mmbook.models.captioner import Captioner, score
from mmbook.models.clip_heads import ClipHeads, features, load_clip_heads, sentences
from mmbook.training import set_seed

STYLES = ("noto", "twemoji", "fluent")
FOLDS = 5
STRENGTH = 1.0  # of the ridge, as the heads chose it
BATCH, BLIND = 32, 8  # captions with their picture, and without
TOGETHER = 5  # epochs of both; in the others the tokens of no picture train alone, on as many captions a step
RATE, BLIND_RATE = 2e-3, 1e-2  # fall to zero as a cosine


class CaptionerJob(KeepsBest):
    """Nouns of the test part are never trained on, in drawings or emoji; validation nouns choose the epochs."""

    def __init__(self, seed: int = 0, epochs: int = 9) -> None:
        self.seed, self.epochs = seed, epochs
        self.clipart, self.emoji = load_clipart(), load_emoji()
        self.split = self.clipart.split_heads(seed=0)  # the heads' own, whatever the seed
        heads = load_clip_heads()
        self.drawings = heads.image(self.clipart.images)
        self.views = unseen_vectors(self.clipart, self.split["train"])
        self.symbols = {style: heads.image(self.emoji.images[style]) for style in STYLES}
        hidden = {self.clipart.heads[i] for part in ("test", "validation") for i in self.split[part]}
        self.concepts = [i for i in range(len(self.emoji)) if not mentions(self.emoji, i, hidden)]
        self.language = LanguageModel()
        words: Any = self.language.model.get_input_embeddings().weight
        set_seed(seed)
        self.model = Captioner(words.std().item())
        layers = {"params": list(self.model.layers.parameters()), "weight_decay": 0.05, "top": RATE}
        blind = {"params": [self.model.blind], "weight_decay": 0.0, "top": BLIND_RATE}
        self.optimizer = torch.optim.AdamW([layers, blind])
        self.best, self.kept = math.inf, copy.deepcopy(self.model.state_dict())

    def epoch(self, number: int) -> str:
        """Every training drawing once, mirrored or not, and every free emoji in a random style."""
        set_seed(self.seed * 100_003 + number)
        train = [(self.views[_one_of(2), k], self.clipart.captions[i]) for k, i in enumerate(self.split["train"])]
        for i in self.concepts:
            train.append((self.symbols[STYLES[_one_of(len(STYLES))]][i], self.emoji.labels[i].lower()))
        if number == TOGETHER:  # the connector is done: from its best epoch, with an optimizer that remembers nothing
            self.model.load_state_dict(self.kept)
            self.optimizer.state.clear()
            self.best = math.inf
        together = number < TOGETHER
        begun, phase = (number, TOGETHER) if together else (number - TOGETHER, self.epochs - TOGETHER)
        batches = torch.randperm(len(train)).split(BATCH)
        self.model.train()
        total = 0.0
        for step, rows in enumerate(batches):
            for group in self.optimizer.param_groups:
                group["lr"] = group["top"] * (1 + math.cos(math.pi * (begun + step / len(batches)) / phase)) / 2
            captions = [train[i][1] for i in rows]
            if together:
                seen = self.model(torch.stack([train[i][0] for i in rows]))
                tokens = torch.cat([seen, self.model.without(BLIND)])
                captions += [train[i][1] for i in torch.randperm(len(train))[:BLIND]]
            else:
                tokens = self.model.without(len(rows))
            with torch.autocast("cpu", torch.bfloat16):  # takes half the time where the processor knows bfloat16
                nats = score(self.language, tokens, captions).nats
            loss = -nats[: len(rows)].mean()
            total += loss.item() / len(batches)
            if together:
                loss = loss - nats[len(rows) :].mean()
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.layers.parameters(), 1.0)
            self.optimizer.step()
        unseen = measure(self.model, self.language, self.clipart, self.drawings, self.split["validation"])
        chooses = unseen["right picture" if together else "no picture"]
        if chooses < self.best:
            self.best, self.kept = chooses, copy.deepcopy(self.model.state_dict())
        return f"{total:.2f} nats a caption; unseen nouns: " + ", ".join(f"{k} {v:.2f}" for k, v in unseen.items())

    def finish(self) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        """The best epoch, measured on drawings of nouns that neither training nor the choice of the epoch saw."""
        self.model.load_state_dict({k: v.half().float() for k, v in self.kept.items()})  # as it will be loaded
        return self.kept, measure(self.model, self.language, self.clipart, self.drawings, self.split["test"])


def _one_of(count: int) -> int:
    return int(torch.randint(count, ()))


def unseen_vectors(clipart: Clipart, rows: np.ndarray) -> torch.Tensor:
    """Vectors of drawings and of their mirror images by heads that were fitted without their nouns, (2, rows, 384).

    The heads know the captions of the drawings that they were fitted on, so their vectors of these say more than any
    new drawing's would. Five times, heads are fitted on four fifths of the nouns and applied to the others (stacking,
    Wolpert 1992).
    """
    images, texts = clipart.images[rows], sentences([clipart.captions[i] for i in rows])
    views = [features(images), features(images.flip(3))]
    nouns = sorted({clipart.heads[i] for i in rows})
    order = np.random.default_rng(0).permutation(len(nouns)) % FOLDS
    fold = np.array([order[nouns.index(clipart.heads[i])] for i in rows])
    found = torch.empty(2, *texts.shape)
    for k in range(FOLDS):
        heads = ClipHeads(fit(views[0], texts, np.flatnonzero(fold != k), STRENGTH))
        for side, seen in enumerate(views):
            found[side, fold == k] = heads.place(seen[fold == k])
    return found


def mentions(emoji: Emoji, concept: int, nouns: set[str]) -> bool:
    """Whether the name or a keyword of an emoji contains one of the nouns, as whole words."""
    phrases = [f" {phrase.lower()} " for phrase in (emoji.labels[concept], *emoji.keywords[concept])]
    return any(f" {noun} " in phrase for noun in nouns for phrase in phrases)


@torch.no_grad()
def measure(
    model: Captioner, language: LanguageModel, clipart: Clipart, drawings: torch.Tensor, part: np.ndarray
) -> dict[str, float]:
    """Nats a caption, one drawing of each noun: with its picture, with the next noun's, with none."""
    model.eval()
    rows = one_each(clipart, part)
    captions, seen = [clipart.captions[i] for i in rows], drawings[rows]
    arms = {"right picture": model(seen), "another picture": model(seen.roll(1, dims=0))}
    arms["no picture"] = model.without(len(rows))
    return {name: -score(language, tokens, captions).nats.mean().item() for name, tokens in arms.items()}
