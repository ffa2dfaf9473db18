"""Training for several seeds at once: one stacked computation instead of a loop over small models."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from mmbook.training import History, Tensors, accuracy, progress, set_seed

Part = tuple[Tensors, torch.Tensor]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass
class Fitted:
    """One trained model; ``learning_rate`` is the one that validation picked."""

    model: nn.Module
    history: History
    learning_rate: float


def stack_parts(parts: Sequence[Part]) -> Part:
    """One part per seed, of equal sizes -> the same with a first axis of seeds."""
    names = parts[0][0]
    return {k: torch.stack([x[k] for x, _ in parts]) for k in names}, torch.stack([y for _, y in parts])


def fit_many(
    build: Callable[[], nn.Module],
    train: Part,
    validation: Part,
    *,
    seeds: Sequence[int],
    learning_rates: Sequence[float] = (1e-3,),
    epochs: int = 30,
    batch_size: int = 64,
    weight_decay: float = 1e-4,
    patience: int = 5,
    loss: Loss = nn.functional.cross_entropy,
    description: str = "training",
) -> list[Fitted]:
    """What ``mmbook.training.fit`` does, for one small model per seed at once, each on data of its own.

    A loop over seeds spends most of its time on calling small kernels; ``torch.func.vmap`` calls each once.
    For each seed, validation loss picks the epoch and the learning rate.

    Args:
        build: makes one model, called by keyword; ``build`` is called once per seed, after seeding.
        train, validation: (named tensors, each (seeds, items, ...); target (seeds, items)), as of ``stack_parts``.
        learning_rates: each is tried from the same first weights.
        patience: epochs without a better validation loss of *any* seed before training stops.

    Raises:
        ValueError: no entry for each seed on the first axis, a loss that is not finite, or a model with batch
            normalisation, whose running averages can't be stacked.
    """
    for name, (inputs, target) in (("train", train), ("validation", validation)):
        shapes = {k: tuple(v.shape[:2]) for k, v in inputs.items()}
        if set(shapes.values()) != {tuple(target.shape[:2])} or len(target) != len(seeds) or not target.numel():
            shape = tuple(target.shape)
            raise ValueError(f"{name}: inputs {shapes} and target {shape} must begin with (seeds={len(seeds)}, items)")
    models = []
    for seed in seeds:
        set_seed(seed)
        models.append(build())
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in models[0].modules()):
        raise ValueError(f"{description}: batch normalisation keeps running averages; use LayerNorm, or fit() per seed")
    tries = []
    for rate in learning_rates:
        stack = _Stack(models, rate, weight_decay, loss)
        set_seed(seeds[0])  # dropout
        tries.append(_trained(stack, train, validation, seeds, epochs, batch_size, patience, description))
    return [min(of_seed, key=lambda f: min(f.history.validation_loss)) for of_seed in zip(*tries, strict=True)]


def _trained(
    stack: _Stack,
    train: Part,
    validation: Part,
    seeds: Sequence[int],
    epochs: int,
    batch_size: int,
    patience: int,
    description: str,
) -> list[Fitted]:
    inputs, target = train
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    row = torch.arange(len(seeds))[:, None]
    worse = 0
    for epoch in progress(range(epochs), description):
        total = torch.zeros(len(seeds))
        order = torch.stack([torch.randperm(target.shape[1], generator=g) for g in generators])  # (seeds, items)
        for rows in order.split(batch_size, dim=1):
            batch = {k: v[row, rows] for k, v in inputs.items()}  # (seeds, batch, ...)
            total += stack.step(batch, target[row, rows]) * rows.shape[1]
        better = stack.check(total / target.shape[1], validation, epoch, description)
        worse = 0 if better else worse + 1
        if worse >= patience:
            break
    return stack.fitted()


@contextmanager
def _stackable_attention() -> Iterator[None]:
    """The attention kernels that vmap can stack; torch's faster ones would warn or fail."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class _Stack:
    """One model per seed as stacked weights, with their optimizer and the best weights so far."""

    def __init__(self, models: Sequence[nn.Module], rate: float, weight_decay: float, loss: Loss) -> None:
        self.models, self.rate = models, rate
        self.module = copy.deepcopy(models[0])
        weights, self.buffers = stack_module_state(list(models))  # name -> (seeds, ...)
        trainable = {k for k, p in models[0].named_parameters() if p.requires_grad}
        self.weights = {k: v.detach().clone().requires_grad_(k in trainable) for k, v in weights.items()}
        self.kept = {k: v.detach().clone() for k, v in weights.items()}
        self.best = torch.full((len(models),), float("inf"))
        self.histories = [History() for _ in models]
        learned = [v for k, v in self.weights.items() if k in trainable]
        self.optimizer = torch.optim.AdamW(learned, lr=rate, weight_decay=weight_decay, fused=True)

        def of_one(
            weights: Tensors, buffers: Tensors, x: Mapping[str, torch.Tensor], y: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            logits = functional_call(self.module, (dict(weights), dict(buffers)), kwargs=dict(x))
            return loss(logits, y), logits

        self.of_all = vmap(of_one, randomness="different")

    def step(self, batch: Tensors, target: torch.Tensor) -> torch.Tensor:
        """One step of every model; the losses (seeds,)."""
        self.module.train()
        with _stackable_attention():
            losses, _ = self.of_all(self.weights, self.buffers, batch, target)
        self.optimizer.zero_grad()
        losses.sum().backward()
        self.optimizer.step()
        return losses.detach()

    @torch.no_grad()
    def check(self, train_loss: torch.Tensor, validation: Part, epoch: int, description: str) -> bool:
        """Note the losses of an epoch and keep the weights of the seeds that got better; whether any did."""
        inputs, target = validation
        self.module.eval()
        with _stackable_attention():
            found, logits = self.of_all(self.weights, self.buffers, dict(inputs), target)
        if not found.isfinite().all():
            raise ValueError(f"{description}: the validation loss is not finite in epoch {epoch}; lower the rate")
        better = found < self.best
        self.best = torch.where(better, found, self.best)
        for name, values in self.weights.items():
            self.kept[name][better] = values.detach()[better]
        for i, history in enumerate(self.histories):
            history.train_loss.append(train_loss[i].item())
            history.validation_loss.append(found[i].item())
            if logits.ndim == 3 and not target.is_floating_point():
                history.validation_accuracy.append(accuracy(logits[i], target[i]))
            history.best = epoch if better[i] else history.best
        return bool(better.any())

    def fitted(self) -> list[Fitted]:
        """Each seed's model with its best weights, in evaluation mode."""
        found = []
        for i, model in enumerate(self.models):
            own = copy.deepcopy(model)
            own.load_state_dict({k: v[i] for k, v in self.kept.items()}, strict=False)
            found.append(Fitted(own.eval(), self.histories[i], self.rate))
        return found
