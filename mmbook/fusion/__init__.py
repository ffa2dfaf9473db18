"""Fusion operators, one small file each: a dict of named tensors in, (batch, dim) out."""

from mmbook.fusion.attention import CrossAttention, MultiHeadAttention, attend, mean_tokens
from mmbook.fusion.base import Fusion
from mmbook.fusion.bilinear import BilinearFusion
from mmbook.fusion.bottleneck import BottleneckFusion
from mmbook.fusion.concatenation import Concatenation
from mmbook.fusion.film import FiLM
from mmbook.fusion.gated import GatedFusion
from mmbook.fusion.late import (
    LateFusion,
    MeanLogit,
    MeanProbability,
    ProductOfExperts,
    Stacking,
    Vote,
    WeightedLogit,
)
from mmbook.fusion.latents import LatentFusion
from mmbook.fusion.low_rank import LowRankFusion, from_tensor_fusion
from mmbook.fusion.tensor import TensorFusion, append_one

__all__ = [
    "BilinearFusion",
    "BottleneckFusion",
    "Concatenation",
    "CrossAttention",
    "FiLM",
    "Fusion",
    "GatedFusion",
    "LateFusion",
    "LatentFusion",
    "LowRankFusion",
    "MeanLogit",
    "MeanProbability",
    "MultiHeadAttention",
    "ProductOfExperts",
    "Stacking",
    "TensorFusion",
    "Vote",
    "WeightedLogit",
    "append_one",
    "attend",
    "from_tensor_fusion",
    "mean_tokens",
]
