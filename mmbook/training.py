"""One training loop for the whole book: seeded, early-stopped on validation, with a progress bar."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from mmbook.threads import use_threads

Tensors = Mapping[str, torch.Tensor]
Call = Callable[[nn.Module, Tensors], torch.Tensor]


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and torch; training begins here, so this chooses the number of threads, too."""
    use_threads()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def progress(items: Iterable[Any], description: str, **options: Any) -> Iterator[Any]:
    """A bar that erases itself; silent in the build, whose pages should hold no trace of it."""
    quiet = bool(os.environ.get("MMBOOK_QUIET"))
    return tqdm(items, desc=description, leave=False, disable=quiet, **options)


def parameter_count(model: nn.Module, trainable: bool = True) -> int:
    """Number of parameters, by default only those that training changes."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)


@dataclass
class History:
    """Per epoch: training loss, validation loss and accuracy; ``best`` is the epoch that was kept."""

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    best: int = 0


def by_name(model: nn.Module, inputs: Tensors) -> torch.Tensor:
    """Call ``model(text=..., image=...)``."""
    return model(**inputs)


def fit(
    build: Callable[[], nn.Module],
    train: tuple[Tensors, torch.Tensor],
    validation: tuple[Tensors, torch.Tensor],
    *,
    seed: int,
    epochs: int = 30,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    patience: int = 5,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = nn.functional.cross_entropy,
    call: Call = by_name,
    description: str = "training",
) -> tuple[nn.Module, History]:
    """Build a model, train it with AdamW, and keep the weights of the epoch with the lowest validation loss.

    Args:
        build: makes the model, which returns logits (batch, classes); a class will do if it takes no arguments.
        train, validation: (named tensors, each (items, ...); target (items,)).
        seed: first weights, order of the batches, dropout.
        patience: epochs without a better validation loss before training stops.
        call: how the model takes named tensors; by keyword unless given.

    Raises:
        ValueError: inputs of unequal length, an empty part, or a loss that is not finite.
    """
    _check_lengths(train, "train")
    _check_lengths(validation, "validation")
    inputs, target = train
    set_seed(seed)
    model = build()
    set_seed(seed)  # so that two models of one seed see the same batches, however many weights each drew
    trainable = [p for p in model.parameters() if p.requires_grad]
    # fused: one kernel for all parameters, which halves the time of a step on a CPU
    optimizer = torch.optim.AdamW(trainable, lr=learning_rate, weight_decay=weight_decay, fused=True)
    history = History()
    best_loss, best_state = float("inf"), None
    for epoch in progress(range(epochs), description):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(target)).split(batch_size):
            batch_loss = loss(call(model, {k: v[rows] for k, v in inputs.items()}), target[rows])
            optimizer.zero_grad()
            batch_loss.backward()
            optimizer.step()
            total += batch_loss.item() * len(rows)
        history.train_loss.append(total / len(target))
        logits = predict(model, validation[0], call=call)
        history.validation_loss.append(loss(logits, validation[1]).item())
        if logits.ndim == 2 and not validation[1].is_floating_point():
            history.validation_accuracy.append(accuracy(logits, validation[1]))
        if not np.isfinite(history.validation_loss[-1]):
            raise ValueError(f"{description}: the validation loss is not finite in epoch {epoch}; lower learning_rate")
        if history.validation_loss[-1] < best_loss:
            best_loss, history.best = history.validation_loss[-1], epoch
            best_state = copy.deepcopy(model.state_dict())
        elif epoch - history.best >= patience:
            break
    if best_state is not None:
        model.load_state_dict(best_state)
    model.eval()
    return model, history


@torch.no_grad()
def predict(model: nn.Module, inputs: Tensors, *, batch_size: int = 512, call: Call = by_name) -> torch.Tensor:
    """Logits (items, classes) in evaluation mode."""
    use_threads()
    model.eval()
    count = len(next(iter(inputs.values())))
    parts = [
        call(model, {k: v[start : start + batch_size] for k, v in inputs.items()})
        for start in range(0, count, batch_size)
    ]
    return torch.cat(parts)


def accuracy(logits: torch.Tensor, target: torch.Tensor) -> float:
    """Share of items whose largest logit is the target's."""
    return (logits.argmax(dim=-1) == target).double().mean().item()


def evaluate(model: nn.Module, inputs: Tensors, target: torch.Tensor, *, call: Call = by_name) -> float:
    """Accuracy of ``model`` on named tensors."""
    return accuracy(predict(model, inputs, call=call), target)


def shuffled(inputs: Tensors, modality: str, seed: int) -> dict[str, torch.Tensor]:
    """The shuffled-modality control: one modality permuted across items, the others as they were.

    Raises:
        KeyError: no such modality; the message lists the ones there are.
    """
    if modality not in inputs:
        raise KeyError(f"no modality {modality!r}; there are {', '.join(sorted(inputs))}")
    order = torch.randperm(len(inputs[modality]), generator=torch.Generator().manual_seed(seed))
    return {k: (v[order] if k == modality else v) for k, v in inputs.items()}


def _check_lengths(part: tuple[Tensors, torch.Tensor], name: str) -> None:
    inputs, target = part
    lengths = {k: len(v) for k, v in inputs.items()}
    if not lengths or set(lengths.values()) != {len(target)} or not len(target):
        raise ValueError(f"{name}: inputs {lengths} and target ({len(target)}) must have the same length, not 0")
