"""A scene and its caption, with combinations of colour and shape that training never shows."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card
from mmbook.worlds.scene_words import one, tokenize
from mmbook.worlds.scenes import COLOR_NAMES, SHAPES, draw_scenes, render


@dataclass(frozen=True)
class World:
    """Pictures with captions such as "a red circle and a blue square.", named from top to bottom.

    The picture tells every word of its caption, so the best possible caption is the true one.

    Attributes:
        held_out: how many of the 24 combinations of color and shape occur in test scenes only; every test
            scene has one, and every color and shape occurs in training.
        objects: things in a scene. side: pixels. noise: standard deviation of what is added to each pixel.

    Raises:
        ValueError: ``held_out`` is not 0 to 6.
    """

    held_out: int = 4
    objects: int = 2
    side: int = 32
    noise: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.held_out <= len(COLOR_NAMES):
            raise ValueError(f"held_out={self.held_out} must be between 0 and {len(COLOR_NAMES)}")

    def sample(self, count: int, seed: int) -> Dataset:
        """Pictures and captions.

        Returns:
            modalities ``image``, float32 (count, 3, side, side), and ``caption``, int64 (count, 4 * objects);
            target: the combination (``color * 4 + shape``) of the first object named; ``extra``: ``scenes``,
            ``text``, ``held_out`` (the combinations).
        """
        generator = torch.Generator().manual_seed(seed)
        split = split_items(count, seed)
        # One combination of each color at most, so that each color stays known.
        colors = torch.randperm(len(COLOR_NAMES), generator=generator)[: self.held_out]
        first = int(torch.randint(len(SHAPES), (1,), generator=generator))
        hidden = colors * len(SHAPES) + (torch.arange(self.held_out) + first) % len(SHAPES)
        everything = torch.arange(len(COLOR_NAMES) * len(SHAPES))
        scenes = draw_scenes(count, self.objects, generator, everything[~torch.isin(everything, hidden)])
        if self.held_out:
            test = split["test"]
            new = hidden[torch.randint(self.held_out, (len(test),), generator=generator)]
            scenes.color[test, 0], scenes.shape[test, 0] = new // len(SHAPES), new % len(SHAPES)
        order = scenes.center[..., 0].argsort(dim=1)  # top to bottom
        texts = [" and ".join(one(scenes.name(i, int(j))) for j in order[i]) + " ." for i in range(count)]
        top = torch.arange(count), order[:, 0]
        return Dataset(
            name="scene_captions",
            modalities={
                "image": render(scenes, self.side, self.noise, generator),
                "caption": tokenize(texts, 4 * self.objects),
            },
            target=scenes.color[top] * len(SHAPES) + scenes.shape[top],
            split=split,
            card=load_card("scenes"),
            extra={"scenes": scenes, "text": texts, "held_out": hidden},
        )
