"""A scene and a question about it: what is where, in which colour, and what lies beside what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card
from mmbook.worlds.scene_words import one, tokenize
from mmbook.worlds.scenes import COLOR_NAMES, SHAPES, Scenes, draw_scenes, masks, render

QUARTERS = ("top left", "top right", "bottom left", "bottom right")
Kind = Literal["where", "color", "exists", "relation"]
KINDS: tuple[Kind, ...] = ("where", "color", "exists", "relation")
ANSWERS = (*QUARTERS, *COLOR_NAMES, "no", "yes")
LENGTH = 10  # words of the longest question


@dataclass(frozen=True)
class World:
    """A picture, a question about it, an answer. Kinds of questions take turns.

    where: "where is the red circle?", one of four quarters. color: "what color is the circle?", of a shape
    that occurs once. exists: "is there a red circle?", as often yes as no. relation: "is the red circle
    left of the blue square?", likewise. Without ``prior`` no question tells its answer.

    Attributes:
        objects: things in a scene. side: pixels. noise: standard deviation of what is added to each pixel.
        prior: for color questions, how often a shape has its own favourite color in training and
            validation (circle red, square green, ...); None for no favourite.
        test_prior: whether test pictures keep the favourites, have none, or show every color but them.

    Raises:
        ValueError: no kind, an unknown kind, or a prior outside 0 to 1.
    """

    kinds: tuple[Kind, ...] = KINDS
    objects: int = 3
    side: int = 32
    noise: float = 0.05
    prior: float | None = None
    test_prior: Literal["same", "balanced", "inverted"] = "same"

    def __post_init__(self) -> None:
        if not self.kinds or set(self.kinds) - set(KINDS) or (self.prior is not None and not 0 <= self.prior <= 1):
            raise ValueError(f"kinds={self.kinds} must be among {KINDS}, and prior={self.prior} None or a share")

    def sample(self, count: int, seed: int) -> Dataset:
        """Pictures, questions and answers.

        Returns:
            modalities ``image``, float32 (count, 3, side, side), and ``question``, int64 (count, 10), word
            numbers; target, an index into ``ANSWERS``; ``extra``: ``scenes``, ``kind`` (index into
            ``KINDS``), ``asked`` (which object), ``mask``, bool (count, side, side), where that object is
            (empty if it is not there), ``text``, the question in words.
        """
        generator = torch.Generator().manual_seed(seed)
        split = split_items(count, seed)
        scenes = draw_scenes(count, self.objects, generator)
        kind = torch.tensor([KINDS.index(k) for k in self.kinds])[torch.arange(count) % len(self.kinds)]
        scenes = _one_of_its_shape(scenes, kind == KINDS.index("color"))
        if self.prior is not None:
            scenes = _with_favourites(scenes, kind, self.prior, self.test_prior, split["test"], generator)
        coin = torch.rand(count, generator=generator)
        asked, texts, answers = [], [], []
        for i in range(count):
            thing, text, answer = _ask(scenes, i, KINDS[kind[i]], coin[i].item())
            asked.append(thing)
            texts.append(text)
            answers.append(ANSWERS.index(answer))
        there = torch.tensor(asked) >= 0
        every = masks(scenes, self.side)  # (count, objects, side, side)
        where = every[torch.arange(count), torch.tensor(asked).clamp(min=0)] & there[:, None, None]
        image = render(scenes, self.side, self.noise, generator)
        return Dataset(
            name="scene_questions",
            modalities={"image": image, "question": tokenize(texts, LENGTH)},
            target=torch.tensor(answers),
            split=split,
            card=load_card("scenes"),
            extra={"scenes": scenes, "kind": kind, "asked": torch.tensor(asked), "mask": where, "text": texts},
        )

    def oracle(self, data: Dataset, seen: str) -> torch.Tensor:
        """The best possible answers (items,) from ``"both"`` or from the ``"question"`` alone.

        With both it reads the true scene; from the words alone it says the favourite color, or any answer of the
        right kind.

        Raises:
            KeyError: neither of the two.
        """
        guess = {"both": _answer, "question": self._guess}[seen]
        scenes = data.extra["scenes"]
        return torch.tensor([ANSWERS.index(guess(scenes, i, text)) for i, text in enumerate(data.extra["text"])])

    def ceiling(self, seen: str) -> float:
        """Best possible accuracy from ``"both"`` or from the ``"question"`` alone, where the prior is the same."""
        chance = {"where": 1 / 4, "color": 1 / 6, "exists": 1 / 2, "relation": 1 / 2}
        chance["color"] = max(self.prior or 0.0, 1 / 6)
        return {"both": 1.0, "question": sum(chance[kind] for kind in self.kinds) / len(self.kinds)}[seen]

    def _guess(self, scenes: Scenes, i: int, question: str) -> str:
        words = question.rstrip(" ?").split()
        if words[0] == "what":
            return COLOR_NAMES[SHAPES.index(words[-1])]
        return QUARTERS[0] if words[0] == "where" else "no"


def _one_of_its_shape(scenes: Scenes, rows: torch.Tensor) -> Scenes:
    """In the given scenes the first object's shape becomes unique: others of it get the next shape."""
    shape, color = scenes.shape.clone(), scenes.color.clone()
    twin = (shape == shape[:, :1]) & rows[:, None]
    twin[:, 0] = False
    shape[twin] = (shape[twin] + 1) % len(SHAPES)
    return Scenes(shape, color, scenes.center, scenes.radius)


def _with_favourites(
    scenes: Scenes, kind: torch.Tensor, prior: float, test_prior: str, test: torch.Tensor, generator: torch.Generator
) -> Scenes:
    """Color questions: the first object's color is its shape's favourite with probability ``prior``."""
    count, colors = len(scenes), len(COLOR_NAMES)
    share = torch.full((count,), prior)
    share[test] = {"same": prior, "balanced": 1 / colors, "inverted": 0.0}[test_prior]
    other = (scenes.shape[:, 0] + torch.randint(1, colors, (count,), generator=generator)) % colors
    favoured = torch.rand(count, generator=generator) < share
    color = scenes.color.clone()
    rows = kind == KINDS.index("color")
    color[rows, 0] = torch.where(favoured, scenes.shape[:, 0], other)[rows]
    return Scenes(scenes.shape, color, scenes.center, scenes.radius)


def _ask(scenes: Scenes, i: int, kind: Kind, coin: float) -> tuple[int, str, str]:
    """One question: (object asked about, or -1 if it is not there; the question; its answer)."""
    first = scenes.name(i, 0)
    row, column = scenes.center[i, 0].tolist()
    if kind == "where":
        return 0, f"where is the {first} ?", f"{'top' if row < 0.5 else 'bottom'} {'left' if column < 0.5 else 'right'}"
    if kind == "color":
        color, shape = first.split()
        return 0, f"what color is the {shape} ?", color
    if kind == "exists":
        if coin < 0.5:
            return 0, f"is there {one(first)} ?", "yes"
        present = {scenes.name(i, thing) for thing in range(scenes.shape.shape[1])}
        absent = [f"{c} {s}" for c in COLOR_NAMES for s in SHAPES if f"{c} {s}" not in present]
        return -1, f"is there {one(absent[int((2 * coin - 1) * len(absent))])} ?", "no"
    gap = scenes.center[i, 0] - scenes.center[i, 1]
    axis = int(gap.abs().argmax())
    true_word, false_word = (("above", "below"), ("left of", "right of"))[axis]
    if gap[axis] > 0:
        true_word, false_word = false_word, true_word
    word = true_word if coin < 0.5 else false_word
    return 0, f"is the {first} {word} the {scenes.name(i, 1)} ?", "yes" if coin < 0.5 else "no"


def _answer(scenes: Scenes, i: int, question: str) -> str:
    """Reads a question in words and answers it from the true scene."""
    words = question.rstrip(" ?").split()
    things = {scenes.name(i, thing): scenes.center[i, thing].tolist() for thing in range(scenes.shape.shape[1])}
    if words[0] == "where":
        row, column = things[" ".join(words[3:])]
        return f"{'top' if row < 0.5 else 'bottom'} {'left' if column < 0.5 else 'right'}"
    if words[0] == "what":
        return next(name.split()[0] for name in things if name.endswith(words[-1]))
    if words[1] == "there":
        return "yes" if " ".join(words[3:]) in things else "no"
    left, right = things[" ".join(words[2:4])], things[" ".join(words[-2:])]
    axis, sign = {"above": (0, -1), "below": (0, 1), "left": (1, -1), "right": (1, 1)}[words[4]]
    return "yes" if sign * (left[axis] - right[axis]) > 0 else "no"
