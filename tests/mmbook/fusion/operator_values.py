"""At least one value worked out by hand for each operator. The same checks run against mmbook and against the chapter.

A check takes a namespace with the definitions. Weights are set to small numbers, so that paper is enough.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

Names = dict[str, Any]
TWO = {"image": 1, "text": 1}


def put(parameter: torch.Tensor, values: Any) -> None:
    """Set a parameter."""
    with torch.no_grad():
        parameter.copy_(torch.tensor(values, dtype=parameter.dtype).reshape(parameter.shape))


def one(*numbers: float) -> torch.Tensor:
    """A batch of one."""
    return torch.tensor([numbers], dtype=torch.float32)


def near(found: torch.Tensor, wanted: Any) -> None:
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=found.dtype), atol=1e-5, rtol=1e-5)


def concatenation(names: Names) -> None:
    fusion = names["Concatenation"](TWO, 2)
    put(fusion.joint.weight, [1, 2, -1, 0]), put(fusion.joint.bias, [0.5, 0])
    near(fusion({"image": one(1), "text": one(3)}), [[1 + 6 + 0.5, 0]])  # the second number is below zero


def gated(names: Names) -> None:
    fusion = names["GatedFusion"](TWO, 1)
    put(fusion.values["image"].weight, [0.5]), put(fusion.values["text"].weight, [1])
    put(fusion.gates["image"].weight, [1, 0]), put(fusion.gates["text"].weight, [0, -1])
    for layer in (*fusion.values.values(), *fusion.gates.values()):
        put(layer.bias, [0])
    sigmoid = {x: 1 / (1 + math.exp(-x)) for x in (1, -2)}
    near(fusion({"image": one(1), "text": one(2)}), [[sigmoid[1] * math.tanh(0.5) + sigmoid[-2] * math.tanh(2)]])


def film(names: Names) -> None:
    fusion = names["FiLM"](TWO, 1, condition="text")
    put(fusion.features.weight, [2]), put(fusion.features.bias, [1])
    put(fusion.modulation.weight, [3, 5]), put(fusion.modulation.bias, [0.5, 0.25])
    near(fusion({"image": one(4), "text": one(1)}), [[(1 + 3.5) * 9 + 5.25]])


def bilinear(names: Names) -> None:
    fusion = names["BilinearFusion"]({"image": 2, "text": 1}, 1)
    put(fusion.weight, [10, 100]), put(fusion.bias, [7])
    near(fusion({"image": one(1, 2), "text": one(3)}), [[1 * 10 * 3 + 2 * 100 * 3 + 7]])


def tensor(names: Names) -> None:
    fusion = names["TensorFusion"](TWO, 1)
    put(fusion.weight.weight, [1, 10, 100, 1000]), put(fusion.weight.bias, [5])
    near(fusion({"image": one(2), "text": one(3)}), [[6 + 10 * 2 + 100 * 3 + 1000 + 5]])
    near(names["append_one"](one(2, 3)), [[2, 3, 1]])


def low_rank(names: Names) -> None:
    fusion = names["LowRankFusion"](TWO, 1, rank=2)
    put(fusion.factors["image"], [1, 2, 3, 4]), put(fusion.factors["text"], [5, 6, 7, 8]), put(fusion.bias, [1])
    near(fusion({"image": one(2), "text": one(3)}), [[(2 + 2) * (15 + 6) + (6 + 4) * (21 + 8) + 1]])


def from_tensor(names: Names) -> None:
    whole = names["TensorFusion"](TWO, 1)
    put(whole.weight.weight, [1, 10, 100, 1000]), put(whole.weight.bias, [5])
    made = names["from_tensor_fusion"](whole)
    near(made({"image": one(2), "text": one(3)}), [[1331]])
    near(made({"image": one(0), "text": one(-1)}), [[-100 + 1000 + 5]])


def attend(names: Names) -> None:
    keys, values = torch.eye(2), torch.tensor([[10.0], [20.0]])
    first = 1 / (1 + math.exp(-1 / math.sqrt(2)))  # scores 1 / sqrt(2) and 0
    found, weights = names["attend"](torch.tensor([[1.0, 0.0]]), keys, values)
    near(weights, [[first, 1 - first]])
    near(found, [[10 * first + 20 * (1 - first)]])
    only = names["attend"](torch.tensor([[1.0, 0.0]]), keys, values, torch.tensor([[False, True]]))[0]
    near(only, [[20]])


def identity(attention: nn.Module, value: float = 1) -> None:
    """Queries, keys and output as they come; values times a number."""
    for layer, scale in ((attention.query, 1), (attention.key, 1), (attention.value, value), (attention.out, 1)):
        put(layer.weight, (scale * torch.eye(len(layer.weight))).tolist()), put(layer.bias, [0] * len(layer.bias))


def multi_head(names: Names) -> None:
    attention = names["MultiHeadAttention"](2, 2, 2, heads=2)
    identity(attention, 10)
    found, weights = attention(torch.tensor([[[1.0, 2.0]]]), torch.eye(2)[None])
    first, second = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-2))  # each head has one number: nothing to scale
    near(weights, [[[[first, 1 - first]], [[1 - second, second]]]])
    near(found, [[[10 * first, 10 * second]]])


def cross_attention(names: Names) -> None:
    fusion = names["CrossAttention"]({"image": 2, "text": 2}, 2, query="text", heads=1)
    identity(fusion.attention, 10)
    put(fusion.residual.weight, [3, 0, 0, 3]), put(fusion.residual.bias, [0, 0])
    inputs = {"text": torch.tensor([[[1.0, 0.0], [3.0, 2.0]]]), "image": torch.tensor([[[1.0, 2.0]]])}
    near(fusion(inputs), [[3 * 2 + 10, 3 * 1 + 20]])  # one answer for all: ten times the only image token
    masks = {"text": torch.tensor([[True, False]])}
    near(fusion(inputs, masks), [[3 * 1 + 10, 0 + 20]])
    near(names["mean_tokens"](inputs["text"], masks["text"]), [[1, 0]])


class Layer(nn.Module):
    """Stands in for a transformer layer: adds a number to all tokens, and the mean of its own to the shared ones."""

    def __init__(self, amount: float, shared: int = 0, seen: list[int] | None = None) -> None:
        super().__init__()
        self.amount, self.shared, self.seen = amount, shared, [] if seen is None else seen

    def forward(self, x: torch.Tensor, **_: Any) -> torch.Tensor:
        self.seen.append(x.shape[1])
        own = x[:, self.shared :].mean(dim=1, keepdim=True) if self.shared else 0
        return torch.cat([x[:, : self.shared] + own, x[:, self.shared :]], dim=1) + self.amount


def bottleneck(names: Names) -> None:
    """Image tokens are 1 and rise by 1 a layer, text tokens are 2 and rise by 2.

    First layer: the shared tokens get 1 + 1 in the image's half, 2 + 2 in the text's: 3 on average.
    Second layer: 2 + 1 and 4 + 2: 4.5 on average.
    """
    fusion = names["BottleneckFusion"]({"image": 4, "text": 4}, 4, bottleneck=3, layers=2, heads=1)
    seen: dict[str, list[int]] = {"image": [], "text": []}
    for layer in fusion.layers:
        layer["image"], layer["text"] = Layer(1, 3, seen["image"]), Layer(2, 3, seen["text"])
    for name, value in (("image", 1), ("text", 2)):
        put(fusion.project[name].weight, [[0] * 4] * 4), put(fusion.project[name].bias, [value] * 4)
    put(fusion.bottleneck, [[0, 0, 0, 6]] * 3)
    out = fusion({"image": torch.randn(1, 7, 4), "text": torch.randn(1, 5, 4)})
    near(out, [[7.5, 7.5, 7.5, 13.5]])
    assert seen == {"image": [3 + 7] * 2, "text": [3 + 5] * 2}  # its own tokens and the bottleneck, no others


class Answer(nn.Module):
    """Stands in for attention: always the same answer; notes the context."""

    def __init__(self, amount: float, seen: list[torch.Size]) -> None:
        super().__init__()
        self.amount, self.seen = amount, seen

    def forward(self, queries: torch.Tensor, context: torch.Tensor, *_: Any) -> tuple[torch.Tensor, None]:
        self.seen.append(context.shape)
        return torch.full_like(queries, self.amount), None


def latents(names: Names) -> None:
    """Two layers whose attention answers 0.5 and whose thinking adds 10: latents + 2 (0.5 + 10)."""
    fusion = names["LatentFusion"]({"image": 4, "text": 4}, 4, latents=3, layers=2, heads=1)
    seen: list[torch.Size] = []
    fusion.read = nn.ModuleList(Answer(0.5, seen) for _ in range(2))
    fusion.think = nn.ModuleList(Layer(10) for _ in range(2))
    put(fusion.latents, [[0, 0, 0, 6]] * 3)
    near(fusion({"image": torch.randn(1, 7, 4), "text": torch.randn(1, 5, 4)}), [[21, 21, 21, 27]])
    assert seen == [torch.Size([1, 12, 4])] * 2


SURE = {"a": torch.tensor([[0.9, 0.1]]).log(), "b": torch.tensor([[0.2, 0.8]]).log()}


def mean_probability(names: Names) -> None:
    near(names["MeanProbability"]("ab", 2)(SURE), [[math.log(0.55), math.log(0.45)]])


def mean_logit(names: Names) -> None:
    near(names["MeanLogit"]("ab", 2)(SURE), [[math.log(0.18) / 2, math.log(0.08) / 2]])


def vote(names: Names) -> None:
    logits = {"a": torch.tensor([[9.0, 0, 0]]), "b": torch.tensor([[0, 1.0, 0]]), "c": torch.tensor([[0, 1.0, 0]])}
    assert names["Vote"]("abc", 3)(logits).argmax().item() == 1  # two mild votes outdo a strong one
    tied = {key: logits[key] for key in "ab"}
    assert names["Vote"]("ab", 3)(tied).argmax().item() == 0  # a tie goes to the surer one
    near(names["Vote"]("ab", 2)(SURE), [[1 + 0.55 / 2, 1 + 0.45 / 2]])


def product_of_experts(names: Names) -> None:
    fused = names["ProductOfExperts"]("ab", 2, torch.tensor([0.7, 0.3]))(SURE).softmax(dim=-1)
    shares = (0.9 * 0.2 / 0.7, 0.1 * 0.8 / 0.3)
    near(fused, [[shares[0] / sum(shares), shares[1] / sum(shares)]])


def weighted(names: Names) -> None:
    fusion = names["WeightedLogit"]("ab", 2)
    put(fusion.weight["a"], 2), put(fusion.weight["b"], -1)
    near(fusion({"a": one(1, 5), "b": one(10, 3)}), [[2 - 10, 10 - 3]])


def stacking(names: Names) -> None:
    fusion = names["Stacking"]("ab", 2)
    put(fusion.combine.weight, [[1, 0, 2, 0], [0, 1, 0, -1]]), put(fusion.combine.bias, [0.5, 0])
    near(fusion({"a": one(1, 5), "b": one(10, 3)}), [[1 + 20 + 0.5, 5 - 3]])


CHECKS = {
    **{"Concatenation": concatenation, "GatedFusion": gated, "FiLM": film, "BilinearFusion": bilinear},
    **{"TensorFusion": tensor, "LowRankFusion": low_rank, "from_tensor_fusion": from_tensor, "attend": attend},
    **{"MultiHeadAttention": multi_head, "CrossAttention": cross_attention, "BottleneckFusion": bottleneck},
    **{"LatentFusion": latents, "MeanProbability": mean_probability, "MeanLogit": mean_logit, "Vote": vote},
    **{"ProductOfExperts": product_of_experts, "WeightedLogit": weighted, "Stacking": stacking},
}
