"""Cross-attention: the tokens of one modality ask, the tokens of another answer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion


def attend(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """``softmax(Q K^T / sqrt(d)) V`` and its weights.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1.

    Args:
        queries: (..., n, d). keys: (..., m, d). values: (..., m, e).
        mask: (..., n, m) or what broadcasts to it, True where a query may look.

    Returns:
        (..., n, e) and the weights (..., n, m), whose rows sum to 1.
    """
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5  # (..., n, m)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-1)
    return weights @ values, weights


class MultiHeadAttention(nn.Module):
    """Attention in ``heads`` subspaces at once, of queries and context of different widths.

    Source: Vaswani et al. 2017, section 3.2.2.
    """

    def __init__(self, query_dim: int, context_dim: int, dim: int, heads: int = 4) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim={dim} is not a multiple of heads={heads}")
        self.heads = heads
        self.query = nn.Linear(query_dim, dim)
        self.key = nn.Linear(context_dim, dim)
        self.value = nn.Linear(context_dim, dim)
        self.out = nn.Linear(dim, dim)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, dim) -> (batch, heads, tokens, dim / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self, queries: torch.Tensor, context: torch.Tensor, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, n, query_dim), (batch, m, context_dim), mask (batch, m), True where there is a token.

        Returns (batch, n, dim) and the weights (batch, heads, n, m).
        """
        q, k, v = self.split(self.query(queries)), self.split(self.key(context)), self.split(self.value(context))
        allowed = None if mask is None else mask[:, None, None, :]  # (batch, 1, 1, m)
        found, weights = attend(q, k, v, allowed)  # (batch, heads, n, dim / heads)
        return self.out(found.transpose(1, 2).flatten(start_dim=2)), weights


class CrossAttention(Fusion):
    """The tokens of one modality query those of another; the answers are averaged over the queries.

    Inputs are sequences: name -> (batch, tokens, dims[name]).

    Args:
        query: name of the modality that asks. The other one gives keys and values.
    """

    def __init__(self, dims: Mapping[str, int], dim: int, query: str, heads: int = 4) -> None:
        super().__init__(dims, dim)
        if len(self.dims) != 2 or query not in self.dims:
            raise ValueError(f"query={query!r} must be one of two modalities, got {', '.join(self.dims)}")
        self.query_name = query
        (self.context_name,) = set(self.dims) - {query}
        self.attention = MultiHeadAttention(self.dims[query], self.dims[self.context_name], dim, heads)
        self.residual = nn.Linear(self.dims[query], dim)

    def forward(
        self, inputs: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """name -> (batch, tokens, dims[name]); masks: name -> (batch, tokens), True where there is a token.

        Returns (batch, dim).
        """
        found, masks = self.ordered(inputs), masks or {}
        queries = found[self.query_name]
        answers, _ = self.attention(queries, found[self.context_name], masks.get(self.context_name))
        return mean_tokens(self.residual(queries) + answers, masks.get(self.query_name))


def mean_tokens(tokens: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over real tokens: (batch, tokens, dim), (batch, tokens) -> (batch, dim)."""
    if mask is None:
        return tokens.mean(dim=1)
    real = mask.unsqueeze(-1).to(tokens.dtype)  # (batch, tokens, 1)
    return (tokens * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
