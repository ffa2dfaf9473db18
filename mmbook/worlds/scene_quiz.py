"""Four things and a question of one of six kinds, with dials for how often the usual answer is right."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

import torch

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card
from mmbook.worlds.scene_questions import QUARTERS
from mmbook.worlds.scene_words import one
from mmbook.worlds.scenes import COLOR_NAMES, SHAPES, Scenes, draw_scenes, render

Kind = Literal["exists", "color", "count", "compare", "where", "relation"]
THINGS = 4
COUNTS = ("0", "1", "2", "3")
TRUTH = ("no", "yes")
POSSIBLE: dict[Kind, tuple[str, ...]] = {  # the answers to each kind of question
    "exists": TRUTH,
    "color": COLOR_NAMES,
    "count": COUNTS,
    "compare": TRUTH,
    "where": QUARTERS,
    "relation": TRUTH,
}
KINDS = tuple(POSSIBLE)
ANSWERS = (*TRUTH, *COUNTS, *QUARTERS, *COLOR_NAMES)
PLURALS = ("circles", "squares", "triangles", "crosses")
WORDS = (
    *("<pad>", "?", "is", "are", "there", "a", "an", "the", "what", "color", "how", "many", "more", "than"),
    *("where", "left", "right", "of", "above", "below"),
    *(*COLOR_NAMES, *SHAPES, *PLURALS),
)
LENGTH = 10  # words of the longest question
PAIRS = ((1, 0), (2, 0), (3, 0), (2, 1), (3, 1))  # how many of the one and of the other shape, in a comparison


@dataclass(frozen=True)
class World:
    """A picture of four things in four colors, a question, an answer. Kinds of questions take turns.

    exists: "is there a red circle ?"; something red and a circle are always there. color: "what color is the
    circle ?", of a shape that occurs once. count: "how many circles are there ?", 0 to 3, equally often.
    compare: "are there more circles than squares ?". where: "where is the red circle ?", one of four quarters.
    relation: "is the red circle left of the blue square ?".
    With the dials as they are, no question tells anything about its answer.

    Attributes:
        favourite: how often the answer to a color question is the favourite of its shape (circle red, square
            green, triangle blue, cross yellow); the other colors share the rest.
        yes: how often the answer to an exists question is yes.
        side: pixels. noise: standard deviation of what is added to each pixel.

    Raises:
        ValueError: no kind, an unknown one, or a share outside 0 to 1.
    """

    kinds: tuple[Kind, ...] = KINDS
    favourite: float = 1 / 6
    yes: float = 0.5
    side: int = 32
    noise: float = 0.05

    def __post_init__(self) -> None:
        if not self.kinds or set(self.kinds) - set(KINDS):
            raise ValueError(f"kinds={self.kinds} must be among {KINDS}")
        if not (0 <= self.favourite <= 1 and 0 <= self.yes <= 1):
            raise ValueError(f"favourite={self.favourite} and yes={self.yes} must be shares, 0 to 1")

    def sample(self, count: int, seed: int) -> Dataset:
        """Pictures, questions and answers.

        Returns:
            modalities ``image``, float32 (count, 3, side, side), and ``question``, int64 (count, 10), numbers of
            ``WORDS``; target, an index into ``ANSWERS``; ``extra``: ``scenes``, ``kind`` (index into ``KINDS``),
            ``text``, the question in words.
        """
        generator, rng = torch.Generator().manual_seed(seed), random.Random(seed)
        drawn = draw_scenes(count, THINGS, generator)  # places and sizes stay, the rest is chosen by the question
        shapes, colors, texts, answers = [], [], [], []
        kinds = [self.kinds[i % len(self.kinds)] for i in range(count)]
        for kind, center in zip(kinds, drawn.center.tolist(), strict=True):
            shape, color, text, answer = self._ask(kind, center, rng)
            shapes.append(shape)
            colors.append(color)
            texts.append(text)
            answers.append(ANSWERS.index(answer))
        scenes = Scenes(torch.tensor(shapes), torch.tensor(colors), drawn.center, drawn.radius)
        return Dataset(
            name="scene_quiz",
            modalities={"image": render(scenes, self.side, self.noise, generator), "question": tokenize(texts)},
            target=torch.tensor(answers),
            split=split_items(count, seed),
            card=load_card("scenes"),
            extra={"scenes": scenes, "kind": torch.tensor([KINDS.index(k) for k in kinds]), "text": texts},
        )

    def _ask(self, kind: Kind, center: list[list[float]], rng: random.Random) -> tuple[list[int], list[int], str, str]:
        """Shapes and colors of four things at given places, a question, its answer."""
        colors = rng.sample(range(len(COLOR_NAMES)), THINGS)
        shapes = [rng.randrange(len(SHAPES)) for _ in range(THINGS)]
        coin = rng.random()
        first, *others = rng.sample(range(len(SHAPES)), len(SHAPES))
        if kind == "exists":
            shapes[:2] = first, others[0]
            shown = shapes[0] if coin < self.yes else shapes[1]
            text = f"is there {one(f'{COLOR_NAMES[colors[0]]} {SHAPES[shown]}')} ?"
            return shapes, colors, text, "yes" if coin < self.yes else "no"
        if kind == "color":
            shapes = [first, *(rng.choice(others) for _ in range(THINGS - 1))]
            rest = [c for c in range(len(COLOR_NAMES)) if c != first]
            colors[0] = first if coin < self.favourite else rng.choice(rest)
            colors[1:] = rng.sample([c for c in range(len(COLOR_NAMES)) if c != colors[0]], THINGS - 1)
            return shapes, colors, f"what color is the {SHAPES[first]} ?", COLOR_NAMES[colors[0]]
        if kind == "count":
            number = int(coin * len(COUNTS))
            shapes = [first] * number + [rng.choice(others) for _ in range(THINGS - number)]
            return shapes, colors, f"how many {PLURALS[first]} are there ?", COUNTS[number]
        if kind == "compare":
            many, few = rng.choice(PAIRS)
            second, *others = others
            rest = [rng.choice(others) for _ in range(THINGS - many - few)]
            shapes = [first] * many + [second] * few + rest
            more, less = (first, second) if coin < 0.5 else (second, first)
            text = f"are there more {PLURALS[more]} than {PLURALS[less]} ?"
            return shapes, colors, text, "yes" if coin < 0.5 else "no"
        names = [f"{COLOR_NAMES[c]} {SHAPES[s]}" for c, s in zip(colors, shapes, strict=True)]
        if kind == "where":
            return shapes, colors, f"where is the {names[0]} ?", _quarter(center[0])
        word = _relation(center, coin < 0.5)
        return shapes, colors, f"is the {names[0]} {word} the {names[1]} ?", "yes" if coin < 0.5 else "no"


def _quarter(center: list[float]) -> str:
    return f"{'top' if center[0] < 0.5 else 'bottom'} {'left' if center[1] < 0.5 else 'right'}"


def _relation(center: list[list[float]], true: bool) -> str:
    """A true or a false word for how the first thing lies to the second, along the axis that parts them most."""
    down, right = (center[0][axis] - center[1][axis] for axis in (0, 1))
    first, second = ("above", "below") if abs(down) >= abs(right) else ("left of", "right of")
    before = (down if abs(down) >= abs(right) else right) < 0
    return first if before == true else second


def possible(kind: torch.Tensor) -> torch.Tensor:
    """Which answers a question of each kind can have: int64 (n,), indices into ``KINDS`` -> bool (n, 16)."""
    return torch.tensor([[answer in POSSIBLE[kind] for answer in ANSWERS] for kind in KINDS])[kind]


def tokenize(texts: list[str]) -> torch.Tensor:
    """Questions -> numbers of their words, int64 (texts, 10), 0 where a question has ended.

    Raises:
        KeyError: a word that is not in ``WORDS``.
    """
    number = {word: i for i, word in enumerate(WORDS)}
    rows = [[number[word] for word in text.split()] for text in texts]
    return torch.tensor([row + [0] * (LENGTH - len(row)) for row in rows])


def true_answer(scenes: Scenes, i: int, question: str) -> str:
    """Reads a question in words and answers it from the true scene: the oracle."""
    words = question.rstrip(" ?").split()
    names = [scenes.name(i, thing) for thing in range(THINGS)]
    shapes = [PLURALS[s] for s in scenes.shape[i].tolist()]
    if words[0] == "what":
        return next(name.split()[0] for name in names if name.endswith(words[-1]))
    if words[0] == "where":
        return _quarter(scenes.center[i, names.index(" ".join(words[3:]))].tolist())
    if words[0] == "how":
        return str(shapes.count(words[2]))
    if words[0] == "are":
        return "yes" if shapes.count(words[3]) > shapes.count(words[5]) else "no"
    if words[1] == "there":
        return "yes" if " ".join(words[3:]) in names else "no"
    left, right = (scenes.center[i, names.index(" ".join(two))] for two in (words[2:4], words[-2:]))
    axis, sign = {"above": (0, -1), "below": (0, 1), "left": (1, -1), "right": (1, 1)}[words[4]]
    return "yes" if sign * float(left[axis] - right[axis]) > 0 else "no"
