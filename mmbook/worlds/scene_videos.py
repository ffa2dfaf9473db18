"""Scenes in which something moves, with a caption."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card
from mmbook.worlds.scene_words import tokenize
from mmbook.worlds.scenes import Scenes, draw_scenes, render

MOTIONS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


@dataclass(frozen=True)
class World:
    """Videos in which one object moves and the others stand still, with a caption.

    No frame alone tells the direction: the path runs through the object's place in the middle of the video.
    Two frames tell it, and the caption too.

    Attributes:
        step: how far it moves from frame to frame, in sides of the picture.
        objects: things in a scene. side: pixels. noise: standard deviation of what is added to each pixel.
    """

    frames: int = 8
    objects: int = 2
    side: int = 32
    noise: float = 0.05
    step: float = 0.03

    def sample(self, count: int, seed: int) -> Dataset:
        """Videos and captions.

        Returns:
            modalities ``video``, float32 (count, frames, 3, side, side), and ``caption``, int64 (count, 6), such
            as "the red circle moves left."; target, an index into ``MOTIONS``; ``extra``: ``scenes`` (at
            mid-time), ``text``.
        """
        generator = torch.Generator().manual_seed(seed)
        scenes = draw_scenes(count, self.objects, generator)
        motion = torch.randint(len(MOTIONS), (count,), generator=generator)
        direction = torch.tensor(list(MOTIONS.values()), dtype=torch.float32)[motion]  # (count, 2)
        shots = []
        for time in range(self.frames):
            center = scenes.center.clone()
            center[:, 0] += direction * self.step * (time - (self.frames - 1) / 2)
            shots.append(
                render(Scenes(scenes.shape, scenes.color, center, scenes.radius), self.side, self.noise, generator)
            )
        texts = [f"the {scenes.name(i, 0)} moves {list(MOTIONS)[motion[i]]} ." for i in range(count)]
        return Dataset(
            name="scene_videos",
            modalities={"video": torch.stack(shots, dim=1), "caption": tokenize(texts, 6)},
            target=motion,
            split=split_items(count, seed),
            card=load_card("scenes"),
            extra={"scenes": scenes, "text": texts},
        )
