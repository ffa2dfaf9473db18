"""Late fusion: each modality has its own model; here their logits are combined into one decision.

The inputs of every rule are logits: name -> (batch, classes), so all ``dims`` are the number of classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion


class LateFusion(Fusion):
    """Common to all rules: the members' names and the number of classes. Any member may be missing."""

    def __init__(self, members: Iterable[str], classes: int) -> None:
        super().__init__(dict.fromkeys(members, classes), classes)
        self.optional = frozenset(self.dims)

    def stacked(self, logits: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """(members, batch, classes), in sorted order of the names."""
        return torch.stack(list(self.ordered(logits).values()))


class MeanProbability(LateFusion):
    """The mean of the members' probabilities. Returns its logarithm."""

    def forward(self, logits: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, classes); returns (batch, classes)."""
        return self.stacked(logits).softmax(dim=-1).mean(dim=0).log()


class MeanLogit(LateFusion):
    """The mean of the members' logits."""

    def forward(self, logits: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, classes); returns (batch, classes)."""
        return self.stacked(logits).mean(dim=0)


class Vote(LateFusion):
    """The number of members whose largest logit is the class; the mean probability breaks ties."""

    def forward(self, logits: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, classes); returns (batch, classes)."""
        members = self.stacked(logits)  # (members, batch, classes)
        votes = nn.functional.one_hot(members.argmax(dim=-1), self.dim).sum(dim=0)  # (batch, classes)
        return votes + members.softmax(dim=-1).mean(dim=0) / 2  # below 1, so that it never outvotes


class ProductOfExperts(LateFusion):
    """``sum_m log p(y | x_m) - (M - 1) log p(y)``: Bayes' rule for modalities independent given the class.

    Source: Kittler et al. 1998, "On combining classifiers", the product rule.

    Args:
        prior: share of each class in training, (classes,); uniform if not given.
    """

    def __init__(self, members: Iterable[str], classes: int, prior: torch.Tensor | None = None) -> None:
        super().__init__(members, classes)
        shares = torch.full((classes,), 1 / classes) if prior is None else prior
        if shares.shape != (classes,) or (shares <= 0).any():
            raise ValueError(f"prior must be {classes} shares above 0, got {shares.tolist()}")
        self.log_prior: torch.Tensor
        self.register_buffer("log_prior", shares.log())

    def forward(self, logits: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, classes); returns (batch, classes)."""
        members = self.stacked(logits).log_softmax(dim=-1)  # (members, batch, classes)
        return members.sum(dim=0) - (len(members) - 1) * self.log_prior.to(members)


class WeightedLogit(LateFusion):
    """A weighted sum of the members' logits, one learned weight per member; fit it on validation data."""

    def __init__(self, members: Iterable[str], classes: int) -> None:
        super().__init__(members, classes)
        self.weight = nn.ParameterDict({name: nn.Parameter(torch.ones(())) for name in self.dims})

    def forward(self, logits: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, classes); returns (batch, classes)."""
        weighted = [self.weight[name] * x for name, x in self.ordered(logits).items()]
        return torch.stack(weighted).sum(dim=0)


class Stacking(LateFusion):
    """A linear layer on the concatenated logits; fit it on validation data. No member may be missing.

    Source: Wolpert 1992, "Stacked generalization".
    """

    def __init__(self, members: Iterable[str], classes: int) -> None:
        super().__init__(members, classes)
        self.optional = frozenset()
        self.combine = nn.Linear(len(self.dims) * classes, classes)

    def forward(self, logits: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, classes); returns (batch, classes)."""
        return self.combine(torch.cat(list(self.ordered(logits).values()), dim=-1))
