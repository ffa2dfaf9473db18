"""A training that can be interrupted: one checkpoint after each epoch, and what is vendored at the end."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file

from mmbook.datasets.store import sha256
from mmbook.models.store import MADE, WEIGHTS

LARGEST = 3 * 2**20  # bytes


class Job(Protocol):
    """What is trained. An epoch must depend on its number, the seed and the state, and on nothing else."""

    seed: int
    epochs: int

    def epoch(self, number: int) -> str:
        """Train one epoch; returns a line for the terminal."""

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch needs."""

    def restore(self, state: dict[str, Any]) -> None:
        """Back to what ``state`` gave."""

    def finish(self) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        """The weights to vendor, and what was measured on held-out data."""


class KeepsBest:
    """State of a training that keeps the best epoch: a base of jobs that have these four attributes."""

    model: Any  # the nn.Module that each job has
    optimizer: torch.optim.Optimizer
    best: float
    kept: dict[str, Any]

    def state(self) -> dict[str, Any]:
        """Model, optimizer and the best epoch so far."""
        parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return {**parts, "best": float(self.best), "kept": self.kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Back to what ``state`` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.kept = state["best"], state["kept"]


def run(job: Job, checkpoint: Path, say: Callable[[str], None]) -> list[str]:
    """Train to the end, from the last checkpoint of the same code and seed if there is one; returns a line an epoch."""
    mark = [hashlib.sha256(inspect.getsource(type(job)).encode()).hexdigest(), job.seed, job.epochs]
    first, seconds, log = 0, 0.0, list[str]()
    kept = _read(checkpoint, say)
    if kept.get("mark") == mark:
        job.restore(kept["state"])
        first, seconds, log = kept["epoch"] + 1, kept["seconds"], kept["log"]
        say(f"goes on after epoch {first} of {job.epochs}")
    for number in range(first, job.epochs):
        start = time.process_time()
        line = job.epoch(number)
        seconds += time.process_time() - start
        log.append(f"epoch {number + 1} of {job.epochs}, {seconds:.0f} processor seconds: {line}")
        say(log[-1])
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        fresh = checkpoint.with_suffix(".new")
        kept = {"mark": mark, "epoch": number, "seconds": seconds, "log": log, "state": job.state()}
        torch.save(kept, fresh)
        os.replace(fresh, checkpoint)
    return log


def _read(checkpoint: Path, say: Callable[[str], None]) -> dict[str, Any]:
    if not checkpoint.is_file():
        return {}
    try:
        return torch.load(checkpoint, weights_only=True)
    except Exception as error:  # whatever pickle and zip can raise
        say(f"{checkpoint} can't be read ({type(error).__name__}); training begins anew")
        return {}


def vendor(job: Job, folder: Path, command: str, log: list[str]) -> dict[str, Any]:
    """Write the weights (float16) and how they were made, with what ``run`` returned; returns the latter.

    Raises:
        ValueError: the file would be over 3 MiB.
    """
    weights, measured = job.finish()
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / (WEIGHTS + ".new")
    save_file({k: v.detach().half().contiguous() for k, v in weights.items()}, fresh)
    if fresh.stat().st_size > LARGEST:
        size = fresh.stat().st_size
        fresh.unlink()
        raise ValueError(f"{folder / WEIGHTS}: {size} bytes; a vendored model has at most {LARGEST}")
    os.replace(fresh, folder / WEIGHTS)
    made = {
        "command": command,
        "epochs": job.epochs,
        "log": log,
        "measured": {k: round(v, 4) for k, v in measured.items()},
        "seed": job.seed,
        "sha256": sha256(folder / WEIGHTS),
    }
    (folder / MADE).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    return made
