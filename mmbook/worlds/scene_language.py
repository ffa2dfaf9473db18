"""Words about scenes: captions, questions with answers, and videos, each as a data set."""

from __future__ import annotations

from typing import Literal

import torch

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card
from mmbook.worlds.scenes import COLOR_NAMES, SHAPES, Scenes, draw_scenes, masks, render

QUARTERS = ("top left", "top right", "bottom left", "bottom right")
PUNCTUATION = ("<pad>", "?", ".")
WORDS = (
    *PUNCTUATION,
    *("where", "is", "the", "what", "color", "there", "a", "an", "of", "and", "left", "right", "above", "below"),
    *("moves", "up", "down"),
    *COLOR_NAMES,
    *SHAPES,
)
Kind = Literal["where", "color", "exists", "relation"]
KINDS: tuple[Kind, ...] = ("where", "color", "exists", "relation")
ANSWERS = (*QUARTERS, *COLOR_NAMES, "no", "yes")
MOTIONS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


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


def scene_questions(
    count: int,
    seed: int,
    *,
    kinds: tuple[Kind, ...] = KINDS,
    objects: int = 3,
    side: int = 32,
    noise: float = 0.05,
    prior: float | None = None,
    test_prior: Literal["same", "balanced", "inverted"] = "same",
) -> Dataset:
    """A picture, a question about it, an answer. Kinds of questions take turns.

    where: "where is the red circle?", one of four quarters. color: "what color is the circle?", of a shape
    that occurs once. exists: "is there a red circle?", as often yes as no. relation: "is the red circle
    left of the blue square?", likewise. Without ``prior`` no question tells its answer.

    Args:
        prior: for color questions, how often a shape has its own favourite color in training and
            validation (circle red, square green, ...); None for no favourite.
        test_prior: whether test pictures keep the favourites, have none, or show every color but them.

    Returns:
        modalities ``image``, float32 (count, 3, side, side), and ``question``, int64 (count, 10), word
        numbers; target, an index into ``ANSWERS``; ``extra``: ``scenes``, ``kind`` (index into
        ``KINDS``), ``asked`` (which object), ``mask``, bool (count, side, side), where that object is
        (empty if it is not there), ``text``, the question in words.

    Raises:
        ValueError: no kind, an unknown kind, or a prior outside 0 to 1.
    """
    if not kinds or set(kinds) - set(KINDS) or (prior is not None and not 0 <= prior <= 1):
        raise ValueError(f"kinds={kinds} must be among {KINDS}, and prior={prior} None or a share")
    generator = torch.Generator().manual_seed(seed)
    split = split_items(count, seed)
    scenes = draw_scenes(count, objects, generator)
    kind = torch.tensor([KINDS.index(k) for k in kinds])[torch.arange(count) % len(kinds)]
    scenes = _one_of_its_shape(scenes, kind == KINDS.index("color"))
    if prior is not None:
        scenes = _with_favourites(scenes, kind, prior, test_prior, split["test"], generator)
    coin = torch.rand(count, generator=generator)
    asked, texts, answers = [], [], []
    for i in range(count):
        thing, text, answer = _ask(scenes, i, KINDS[kind[i]], coin[i].item())
        asked.append(thing)
        texts.append(text)
        answers.append(ANSWERS.index(answer))
    there = torch.tensor(asked) >= 0
    where = masks(scenes, side)[torch.arange(count), torch.tensor(asked).clamp(min=0)] & there[:, None, None]
    return Dataset(
        name="scene_questions",
        modalities={"image": render(scenes, side, noise, generator), "question": tokenize(texts, 10)},
        target=torch.tensor(answers),
        split=split,
        card=load_card("scenes"),
        extra={"scenes": scenes, "kind": kind, "asked": torch.tensor(asked), "mask": where, "text": texts},
    )


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
            return 0, f"is there {_one(first)} ?", "yes"
        present = {scenes.name(i, thing) for thing in range(scenes.shape.shape[1])}
        absent = [f"{c} {s}" for c in COLOR_NAMES for s in SHAPES if f"{c} {s}" not in present]
        return -1, f"is there {_one(absent[int((2 * coin - 1) * len(absent))])} ?", "no"
    gap = scenes.center[i, 0] - scenes.center[i, 1]
    axis = int(gap.abs().argmax())
    true_word, false_word = (("above", "below"), ("left of", "right of"))[axis]
    if gap[axis] > 0:
        true_word, false_word = false_word, true_word
    word = true_word if coin < 0.5 else false_word
    return 0, f"is the {first} {word} the {scenes.name(i, 1)} ?", "yes" if coin < 0.5 else "no"


def _one(name: str) -> str:
    return f"{'an' if name[0] == 'o' else 'a'} {name}"


def scene_captions(
    count: int, seed: int, *, held_out: int = 4, objects: int = 2, side: int = 32, noise: float = 0.05
) -> Dataset:
    """Pictures with captions such as "a red circle and a blue square.", named from top to bottom.

    Args:
        held_out: how many of the 24 combinations of color and shape occur in test scenes only; every test
            scene has one, and every color and shape occurs in training.

    Returns:
        modalities ``image``, float32 (count, 3, side, side), and ``caption``, int64 (count, 4 * objects);
        target: the combination (``color * 4 + shape``) of the first object named; ``extra``: ``scenes``,
        ``text``, ``held_out`` (the combinations).

    Raises:
        ValueError: ``held_out`` is not 0 to 6.
    """
    if not 0 <= held_out <= len(COLOR_NAMES):
        raise ValueError(f"held_out={held_out} must be between 0 and {len(COLOR_NAMES)}")
    generator = torch.Generator().manual_seed(seed)
    split = split_items(count, seed)
    # One combination of each color at most, so that each color stays known.
    colors = torch.randperm(len(COLOR_NAMES), generator=generator)[:held_out]
    first = int(torch.randint(len(SHAPES), (1,), generator=generator))
    hidden = colors * len(SHAPES) + (torch.arange(held_out) + first) % len(SHAPES)
    everything = torch.arange(len(COLOR_NAMES) * len(SHAPES))
    scenes = draw_scenes(count, objects, generator, everything[~torch.isin(everything, hidden)])
    if held_out:
        test = split["test"]
        new = hidden[torch.randint(held_out, (len(test),), generator=generator)]
        scenes.color[test, 0], scenes.shape[test, 0] = new // len(SHAPES), new % len(SHAPES)
    order = scenes.center[..., 0].argsort(dim=1)  # top to bottom
    texts = [" and ".join(_one(scenes.name(i, int(j))) for j in order[i]) + " ." for i in range(count)]
    top = torch.arange(count), order[:, 0]
    return Dataset(
        name="scene_captions",
        modalities={"image": render(scenes, side, noise, generator), "caption": tokenize(texts, 4 * objects)},
        target=scenes.color[top] * len(SHAPES) + scenes.shape[top],
        split=split,
        card=load_card("scenes"),
        extra={"scenes": scenes, "text": texts, "held_out": hidden},
    )


def scene_videos(
    count: int, seed: int, *, frames: int = 8, objects: int = 2, side: int = 32, noise: float = 0.05, step: float = 0.03
) -> Dataset:
    """Videos in which one object moves and the others stand still, with a caption.

    No frame alone tells the direction: the path runs through the object's place in the middle of the video.

    Args:
        step: how far it moves from frame to frame, in sides of the picture.

    Returns:
        modalities ``video``, float32 (count, frames, 3, side, side), and ``caption``, int64 (count, 6), such
        as "the red circle moves left."; target, an index into ``MOTIONS``; ``extra``: ``scenes`` (at
        mid-time), ``text``.
    """
    generator = torch.Generator().manual_seed(seed)
    scenes = draw_scenes(count, objects, generator)
    motion = torch.randint(len(MOTIONS), (count,), generator=generator)
    direction = torch.tensor(list(MOTIONS.values()), dtype=torch.float32)[motion]  # (count, 2)
    shots = []
    for time in range(frames):
        center = scenes.center.clone()
        center[:, 0] += direction * step * (time - (frames - 1) / 2)
        shots.append(render(Scenes(scenes.shape, scenes.color, center, scenes.radius), side, noise, generator))
    texts = [f"the {scenes.name(i, 0)} moves {list(MOTIONS)[motion[i]]} ." for i in range(count)]
    return Dataset(
        name="scene_videos",
        modalities={"video": torch.stack(shots, dim=1), "caption": tokenize(texts, 6)},
        target=motion,
        split=split_items(count, seed),
        card=load_card("scenes"),
        extra={"scenes": scenes, "text": texts},
    )


def answer(scenes: Scenes, i: int, question: str) -> str:
    """The oracle: reads a question in words and answers it from the true scene."""
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
