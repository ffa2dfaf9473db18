"""A vehicle on a plain: a camera that sees where it is, an inertial sensor that feels how it accelerates.

Synthetic because only then is the true state known, and with it the best that any estimator can do: all is
linear and Gaussian, so the Kalman filter is the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card

STEP = 0.02  # seconds between readings of the sensor
STEPS = 100  # readings in a recording of two seconds
EVERY = 5  # one camera frame in so many readings
VIEW = 8.0  # metres from the middle of the picture to its edge
SIDE = 32  # pixels
BLOB = 0.8  # metres: radius of the vehicle in the picture


@dataclass(frozen=True)
class World:
    """The dials. Standard deviations; lengths in metres, times in seconds.

    Attributes:
        start, speed: of the first position and velocity. push: of the acceleration.
        smooth: correlation of the acceleration from one reading to the next.
        shake: of the camera, frame by frame. sensor: noise of the inertial sensor (m/s²).
        pixel: noise of each pixel (the vehicle has brightness 1).
        lost: share of camera frames that show no vehicle.
    """

    start: float = 1.0
    speed: float = 1.0
    push: float = 1.0
    smooth: float = 0.97
    shake: float = 0.3
    sensor: float = 0.3
    pixel: float = 0.02
    lost: float = 0.0

    def sample(self, count: int, seed: int) -> Dataset:
        """Recordings of two seconds; the task is the position and velocity at the end.

        Returns:
            modalities ``video``, float32 (count, 20, SIDE, SIDE), the picture after every fifth reading, and
            ``sensor``, float32 (count, 100, 2), acceleration in m/s² along x and y; target, float32 (count, 4): x,
            y (m), velocity along x and y (m/s) at the last reading; ``extra``: ``state``, float32 (count, 100,
            2, 3), position, velocity and acceleration along each axis; ``seen``, bool (count, 20).
        """
        generator = torch.Generator().manual_seed(seed)
        state = _drive(count, self, generator)  # (count, steps, 2, 3)
        sensor = state[..., 2] + self.sensor * torch.randn(count, STEPS, 2, generator=generator)
        place = state[:, EVERY - 1 :: EVERY, :, 0]  # (count, frames, 2)
        place = place + self.shake * torch.randn(place.shape, generator=generator)
        seen = torch.rand(place.shape[:2], generator=generator) >= self.lost
        video = _film(place, seen) + self.pixel * torch.randn(*place.shape[:2], SIDE, SIDE, generator=generator)
        return Dataset(
            name="vehicle",
            modalities={"video": video, "sensor": sensor},
            target=torch.cat([state[:, -1, :, 0], state[:, -1, :, 1]], dim=1),
            split=split_items(count, seed),
            card=load_card("vehicle"),
            extra={"state": state, "seen": seen},
        )

    def oracle(self, data: Dataset, seen: str) -> torch.Tensor:
        """The Kalman filter on what was seen (``"video"``, ``"sensor"`` or ``"both"``): the target, (count, 4)."""
        places, there = read_places(data.modalities["video"])
        mean = torch.zeros(len(data), 2, 3)
        covariance = _first(self).expand(len(data), 3, 3)
        for step in range(STEPS):
            mean, covariance = _predict(mean, covariance, self)
            if seen in ("sensor", "both"):
                mean, covariance = _update(mean, covariance, 2, data.modalities["sensor"][:, step], self.sensor**2)
            if seen in ("video", "both") and step % EVERY == EVERY - 1:
                frame = step // EVERY
                better = _update(mean, covariance, 0, places[:, frame], self.shake**2)
                found = there[:, frame, None, None]
                mean, covariance = torch.where(found, better[0], mean), torch.where(found, better[1], covariance)
        return torch.cat([mean[..., 0], mean[..., 1]], dim=1)

    def ceiling(self, seen: str) -> tuple[float, float]:
        """Root mean square error of the optimum, position (m) and velocity (m/s) along one axis, if no frame is lost.

        Args:
            seen: ``"video"``, ``"sensor"`` or ``"both"``.
        """
        covariance = _first(self)[None]
        nothing = torch.zeros(1, 2, 3)
        for step in range(STEPS):
            _, covariance = _predict(nothing, covariance, self)
            if seen in ("sensor", "both"):
                _, covariance = _update(nothing, covariance, 2, torch.zeros(1, 2), self.sensor**2)
            if seen in ("video", "both") and step % EVERY == EVERY - 1:
                _, covariance = _update(nothing, covariance, 0, torch.zeros(1, 2), self.shake**2)
        position, velocity, _ = covariance[0].diagonal().sqrt().tolist()
        return position, velocity


def _drive(count: int, world: World, generator: torch.Generator) -> torch.Tensor:
    """True position, velocity and acceleration at each reading: (count, steps, 2, 3)."""
    first = torch.tensor([world.start, world.speed, world.push])
    now = first * torch.randn(count, 2, 3, generator=generator)
    change, states = _transition(world.smooth), []
    kick = world.push * (1 - world.smooth**2) ** 0.5
    for _ in range(STEPS):
        now = now @ change.T
        now[..., 2] += kick * torch.randn(count, 2, generator=generator)
        states.append(now.clone())
    return torch.stack(states, dim=1)


def _transition(smooth: float) -> torch.Tensor:
    """One step of (position, velocity, acceleration): (3, 3)."""
    return torch.tensor([[1, STEP, STEP**2 / 2], [0, 1, STEP], [0, 0, smooth]])


def _film(place: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """A bright spot at each place: (count, frames, 2) -> (count, frames, SIDE, SIDE), rows are y from the top."""
    at = ((torch.arange(SIDE) + 0.5) / SIDE * 2 - 1) * VIEW
    across = (-0.5 * ((at - place[..., 0, None]) / BLOB).square()).exp()  # (count, frames, SIDE)
    upward = (-0.5 * ((-at - place[..., 1, None]) / BLOB).square()).exp()
    return upward.unsqueeze(-1) * across.unsqueeze(-2) * seen[..., None, None]


def read_places(video: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What pictures (..., SIDE, SIDE) say: places (..., 2) in metres, and whether there is a vehicle (...)."""
    bright = torch.where(video > 0.2, video, 0.0)
    at = ((torch.arange(SIDE) + 0.5) / SIDE * 2 - 1) * VIEW
    total = bright.sum(dim=(-2, -1)).clamp(min=1e-6)
    x = (bright.sum(dim=-2) * at).sum(dim=-1) / total
    y = (bright.sum(dim=-1) * -at).sum(dim=-1) / total
    return torch.stack([x, y], dim=-1), bright.amax(dim=(-2, -1)) > 0.4


def _first(world: World) -> torch.Tensor:
    return torch.diag(torch.tensor([world.start, world.speed, world.push]) ** 2)


def _predict(mean: torch.Tensor, covariance: torch.Tensor, world: World) -> tuple[torch.Tensor, torch.Tensor]:
    change = _transition(world.smooth)
    kick = torch.zeros(3, 3)
    kick[2, 2] = world.push**2 * (1 - world.smooth**2)
    return mean @ change.T, change @ covariance @ change.T + kick


def _update(
    mean: torch.Tensor, covariance: torch.Tensor, what: int, reading: torch.Tensor, variance: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bayes' rule for a reading (count, 2) of one of position, velocity, acceleration, on both axes."""
    column = covariance[..., what]  # (count, 3)
    gain = column / (column[..., what, None] + variance)
    surprise = reading - mean[..., what]  # (count, 2)
    return mean + surprise[..., None] * gain[:, None, :], covariance - gain[..., None] * column[..., None, :]
