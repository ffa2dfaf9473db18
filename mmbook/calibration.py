"""How well probabilities mean what they say: calibration error, and one temperature to mend it."""

from __future__ import annotations

import torch
from torch.nn import functional


def calibration_error(probabilities: torch.Tensor, target: torch.Tensor, bins: int = 15) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy, over bins of equal width.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2 (equation 3).

    Args:
        probabilities: (items, classes), rows sum to 1. target: (items,) class indices.

    Raises:
        ValueError: rows that do not sum to 1.
    """
    if not torch.allclose(
        probabilities.sum(dim=-1), torch.ones(len(probabilities), dtype=probabilities.dtype), atol=1e-3
    ):
        raise ValueError("probabilities must sum to 1 in each row; use softmax on logits")
    confidence, guess = probabilities.max(dim=-1)
    right = (guess == target).double()
    # a confidence on a border belongs to the bin below it
    place = (confidence.double() * bins).ceil().long().clamp(min=1) - 1
    error = 0.0
    for here in place.unique():
        inside = place == here
        gap = (right[inside].mean() - confidence[inside].double().mean()).abs()
        error += gap.item() * inside.double().mean().item()
    return error


def fit_temperature(logits: torch.Tensor, target: torch.Tensor) -> float:
    """The temperature T above 0 that makes ``softmax(logits / T)`` likeliest on validation data.

    Source: Guo et al. 2017, section 4.2.

    Args:
        logits: (items, classes). target: (items,) class indices.
    """
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], lr=0.1, max_iter=200, line_search_fn="strong_wolfe")
    scores = logits.detach().double()

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = functional.cross_entropy(scores / log_temperature.exp(), target)
        value.backward()
        return value

    optimizer.step(loss)
    return log_temperature.exp().item()
