"""Training for several seeds and several settings (learning rate, weight decay) at once, with wide first layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from mmbook.many_seeds import Part
from mmbook.training import Tensors, set_seed

Setting = tuple[float, float]
STOCHASTIC = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)


@dataclass
class Tried:
    """What ``fit_settings`` found; S seeds and K settings, each network at its epoch of least validation loss.

    Attributes:
        settings: the K pairs of a learning rate and a weight decay.
        best: validation losses (S, K); ``epoch`` (S, K) says when, counted from 1.
        test: test logits (S, K, items, classes).
        target: test classes (S, items).
        curve: "train" and "validation" -> mean losses (checks, S, K), not a number once a setting has stopped.
    """

    settings: list[Setting]
    best: torch.Tensor
    epoch: torch.Tensor
    test: torch.Tensor
    target: torch.Tensor
    curve: dict[str, torch.Tensor]

    def picked(self) -> torch.Tensor:
        """Per seed the setting with the least validation loss (S,)."""
        return self.best.argmin(dim=1)

    def logits(self) -> torch.Tensor:
        """Test logits of the picked settings (S, items, classes)."""
        return self.test[range(len(self.test)), self.picked()]

    def accuracy(self) -> torch.Tensor:
        """Test accuracies of the picked settings (S,), as doubles."""
        return (self.logits().argmax(-1) == self.target).double().mean(-1)


def cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of each network: (S, K, items, classes) and (S, items) -> (S, K)."""
    index = target[:, None, :, None].expand(*logits.shape[:3], 1)
    return -logits.log_softmax(-1).gather(-1, index)[..., 0].mean(-1)


def fit_settings(
    build: Callable[[], nn.Module],
    data: Mapping[str, Part],
    settings: Sequence[Setting],
    *,
    seeds: Sequence[int],
    optimiser: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW,
    batch_size: int = 50,
    every: int = 2,
    patience: int = 10,
    fall: float = 0.005,
    epochs: int = 240,
) -> Tried:
    """Train one small classifier per seed and setting at once; keep each at its epoch of least validation loss.

    All settings of a seed begin with the same weights and see the same batches. The matrices of the first layers
    are by far the largest here, so those of all settings are multiplied in one product.

    Args:
        build: makes a model, called by keyword, whose ``read`` is a ``ModuleDict`` with a ``Linear`` for each named
            input and which uses each only on that input; ``build`` is called once per seed, after seeding.
        data: "train", "validation" and "test", each (named tensors (seeds, items, width); classes (seeds, items)).
        settings: pairs of a learning rate and a weight decay.
        optimiser: takes groups of parameters and ``fused``, as torch's own do.
        every: epochs from one validation to the next.
        patience, fall: a setting stops when its best validation loss, averaged over the seeds, has not fallen by
            more than ``fall`` in this many validations.
        epochs: the most that any setting trains.

    Raises:
        ValueError: a part without one entry per seed, no setting, a model without ``read`` for these inputs, or with
            dropout or batch normalisation.
    """
    _check(data, settings, seeds)
    stack = _Stack(build, data["train"][0], optimiser, settings, seeds)
    (x, y), (held, known) = data["train"], data["validation"]
    on = [*range(len(settings))]  # not yet stopped
    best = torch.full((len(seeds), len(settings)), torch.inf)
    when = torch.zeros(best.shape, dtype=torch.long)
    kept = {k: w.detach() for k, w in stack.weights(on).items()}
    curve: dict[str, list[torch.Tensor]] = {"train": [], "validation": []}
    means: list[torch.Tensor] = []
    shuffle = [torch.Generator().manual_seed(s) for s in seeds]
    for epoch in range(0, epochs, every):
        for _ in range(every):
            order = torch.stack([torch.randperm(y.shape[1], generator=g) for g in shuffle])  # (S, items)
            total = stack.one_epoch(on, x, y, order.split(batch_size, dim=1))
        with torch.no_grad():
            now = stack.weights(on)
            found = cross_entropy(stack.logits(now, held), known)
        found = torch.where(found.isfinite(), found, torch.inf)
        better = torch.zeros(best.shape, dtype=torch.bool)
        better[:, on] = found < best[:, on]
        best[:, on] = best[:, on].minimum(found)
        when[better] = epoch + every
        for k, w in now.items():
            kept[k][better] = w[better[:, on]]
        for part, loss in (("train", total), ("validation", found)):
            curve[part].append(torch.full(best.shape, torch.nan))
            curve[part][-1][:, on] = loss
        means.append(best.mean(dim=0))
        if len(means) > patience:
            fell = means[-1 - patience] - means[-1] > fall
            on = [k for k in on if fell[k]]
        if not on:
            break
    with torch.no_grad():
        test = stack.logits(kept, data["test"][0])
    curves = {k: torch.stack(v) for k, v in curve.items()}
    return Tried([*settings], best, when, test, data["test"][1], curves)


def _check(data: Mapping[str, Part], settings: Sequence[Setting], seeds: Sequence[int]) -> None:
    if not settings:
        raise ValueError("no setting to train with: give at least one pair of a learning rate and a weight decay")
    for name in ("train", "validation", "test"):
        inputs, target = data[name]
        shapes = {k: tuple(v.shape[:2]) for k, v in inputs.items()}
        if set(shapes.values()) != {tuple(target.shape[:2])} or len(target) != len(seeds) or not target.numel():
            shape = tuple(target.shape)
            raise ValueError(f"{name}: inputs {shapes} and target {shape} must begin with (seeds={len(seeds)}, items)")


class _Stack:
    """One network for each of S seeds and K settings."""

    def __init__(
        self,
        build: Callable[[], nn.Module],
        inputs: Tensors,
        optimiser: Callable[..., torch.optim.Optimizer],
        settings: Sequence[Setting],
        seeds: Sequence[int],
    ) -> None:
        models = []
        for seed in seeds:
            set_seed(seed)
            models.append(build())
        self.rest = models[0]
        read = getattr(self.rest, "read", None)
        if not isinstance(read, nn.ModuleDict) or set(read) != set(inputs):
            raise ValueError(f"the model needs `read`, a ModuleDict with a Linear for each of {sorted(inputs)}")
        if any(isinstance(m, STOCHASTIC) for m in self.rest.modules()):
            raise ValueError("dropout and batch normalisation can't be stacked here; use fit() per seed")
        start = stack_module_state(models)[0].items()  # name -> (S, ...)
        self.tries = [{k: v.detach().clone().requires_grad_() for k, v in start} for _ in settings]
        for name in read:  # `logits` multiplies by these matrices
            read[name] = nn.Identity()
        groups = [
            {"params": [*w.values()], "lr": rate, "weight_decay": decay}
            for w, (rate, decay) in zip(self.tries, settings, strict=True)
        ]
        self.optimiser = optimiser(groups, fused=True)

    def weights(self, on: Sequence[int]) -> dict[str, torch.Tensor]:
        """Name -> (S, settings in training, ...)."""
        return {k: torch.stack([self.tries[i][k] for i in on], 1) for k in self.tries[0]}

    def logits(self, weights: Tensors, x: Tensors) -> torch.Tensor:
        """Weights (S, K, ...), inputs (S, items, width) -> (S, K, items, classes)."""
        own, z = dict(weights), {}
        for name, v in x.items():
            w = own.pop(f"read.{name}.weight")  # (S, K, hidden, width)
            read = w.flatten(1, 2) @ v.transpose(1, 2)  # (S, K * hidden, items)
            z[name] = read.unflatten(1, w.shape[1:3]).transpose(2, 3)
            if f"read.{name}.bias" in own:
                z[name] = z[name] + own.pop(f"read.{name}.bias")[:, :, None]

        def one(w: Tensors, inputs: Tensors) -> torch.Tensor:
            return functional_call(self.rest, dict(w), kwargs=dict(inputs))

        return vmap(vmap(one))(own, z)

    def one_epoch(
        self, on: Sequence[int], x: Tensors, y: torch.Tensor, batches: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Train the settings ``on`` on batches of rows (S, batch); mean losses (S, settings in training)."""
        row, total = torch.arange(len(y))[:, None], torch.zeros(())
        for rows in batches:
            here = {k: v[row, rows] for k, v in x.items()}
            loss = cross_entropy(self.logits(self.weights(on), here), y[row, rows])
            loss.sum().backward()
            self.optimiser.step()
            self.optimiser.zero_grad()
            total = total + loss.detach() * rows.shape[1] / y.shape[1]
        return total
