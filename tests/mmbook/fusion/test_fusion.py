"""Every fusion operator: shapes, order of names, gradients, dtype, errors, parameters, identities."""

import math

import pytest
import torch
from torch import nn

from mmbook.fusion.attention import CrossAttention, MultiHeadAttention, attend, mean_tokens
from mmbook.fusion.base import Fusion
from mmbook.fusion.bilinear import BilinearFusion
from mmbook.fusion.bottleneck import BottleneckFusion
from mmbook.fusion.concatenation import Concatenation
from mmbook.fusion.film import FiLM
from mmbook.fusion.gated import GatedFusion
from mmbook.fusion.late import MeanLogit, MeanProbability, ProductOfExperts, Stacking, Vote, WeightedLogit
from mmbook.fusion.latents import LatentFusion
from mmbook.fusion.low_rank import LowRankFusion, from_tensor_fusion
from mmbook.fusion.model import FusionModel
from mmbook.fusion.tensor import TensorFusion, append_one

BATCH, DIM, CLASSES = 6, 8, 3
DIMS = {"text": 5, "image": 4}
MEMBERS = ("text", "image")

VECTORS = {
    "concatenation": lambda: Concatenation(DIMS, DIM),
    "gated": lambda: GatedFusion(DIMS, DIM),
    "film": lambda: FiLM(DIMS, DIM, condition="text"),
    "bilinear": lambda: BilinearFusion(DIMS, DIM),
    "tensor": lambda: TensorFusion(DIMS, DIM),
    "low rank": lambda: LowRankFusion(DIMS, DIM, rank=3),
}
SEQUENCES = {
    "cross-attention": lambda: CrossAttention(DIMS, DIM, query="text", heads=2),
    "bottleneck": lambda: BottleneckFusion(DIMS, DIM, heads=2),
    "latents": lambda: LatentFusion(DIMS, DIM, heads=2),
}
DECISIONS = {
    "mean probability": lambda: MeanProbability(MEMBERS, CLASSES),
    "mean logit": lambda: MeanLogit(MEMBERS, CLASSES),
    "vote": lambda: Vote(MEMBERS, CLASSES),
    "product of experts": lambda: ProductOfExperts(MEMBERS, CLASSES, torch.tensor([0.5, 0.3, 0.2])),
    "weighted": lambda: WeightedLogit(MEMBERS, CLASSES),
    "stacking": lambda: Stacking(MEMBERS, CLASSES),
}
ALL = VECTORS | SEQUENCES | DECISIONS


def make(name: str, dtype: torch.dtype = torch.float32) -> tuple[Fusion, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    fusion = ALL[name]().to(dtype)
    tokens = {"text": (3,), "image": (7,)} if name in SEQUENCES else {"text": (), "image": ()}
    inputs = {k: torch.randn(BATCH, *tokens[k], fusion.dims[k], dtype=dtype) for k in MEMBERS}
    return fusion, inputs


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_dtype_and_device(name, dtype):
    fusion, inputs = make(name, dtype)
    out = fusion(inputs)
    assert out.shape == (BATCH, fusion.dim)
    assert (out.dtype, out.device) == (dtype, inputs["text"].device)
    assert out.isfinite().all()


@pytest.mark.parametrize("name", ALL)
def test_nothing_leaves_the_device_of_the_inputs(name):
    fusion, inputs = make(name)
    out = fusion.to("meta")({k: v.to("meta") for k, v in inputs.items()})
    assert (out.device.type, out.shape) == ("meta", (BATCH, fusion.dim))


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_the_dict_is_irrelevant(name):
    fusion, inputs = make(name)
    assert list(inputs) != sorted(inputs)
    assert torch.equal(fusion(inputs), fusion(dict(sorted(inputs.items()))))
    torch.manual_seed(0)
    assert list(fusion.dims) == sorted(fusion.dims)


@pytest.mark.parametrize("name", ALL)
def test_items_of_a_batch_do_not_mix(name):
    fusion, inputs = make(name, torch.float64)
    whole, alone = fusion(inputs), fusion({k: v[2:3] for k, v in inputs.items()})
    torch.testing.assert_close(whole[2:3], alone)


@pytest.mark.parametrize("name", [n for n in ALL if n != "vote"])
def test_gradient_reaches_every_modality_and_parameter(name):
    fusion, inputs = make(name)
    inputs = {k: v.requires_grad_() for k, v in inputs.items()}
    fusion(inputs).square().sum().backward()
    for modality, x in inputs.items():
        assert x.grad.abs().flatten(start_dim=1).sum(dim=1).min() > 0, modality
    for parameter, p in fusion.named_parameters():
        # Adding one number to all keys changes no softmax: their bias has no effect, by mathematics.
        assert p.grad is not None or "key.bias" in parameter, parameter
        assert p.grad.abs().sum() > 0 or "key.bias" in parameter, parameter


@pytest.mark.parametrize("name", ALL)
def test_a_missing_modality_is_named_or_allowed(name):
    fusion, inputs = make(name)
    for gone in MEMBERS:
        rest = {k: v for k, v in inputs.items() if k != gone}
        if gone in fusion.optional:
            assert fusion(rest).shape == (BATCH, fusion.dim)
        else:
            with pytest.raises(KeyError, match=f"missing modality: {gone}"):
                fusion(rest)
    with pytest.raises(KeyError, match="missing modality: image"):
        fusion({})


@pytest.mark.parametrize("name", ALL)
def test_an_extra_modality_and_a_wrong_width_are_named(name):
    fusion, inputs = make(name)
    with pytest.raises(KeyError, match="unknown modality: smell"):
        fusion(inputs | {"smell": inputs["text"]})
    with pytest.raises(ValueError, match=f"text has {fusion.dims['text'] + 1} numbers"):
        fusion(inputs | {"text": torch.cat([inputs["text"], inputs["text"][..., :1]], dim=-1)})


def test_which_modalities_may_be_missing():
    free = {name for name in ALL if make(name)[0].optional == frozenset(MEMBERS)}
    assert free == {"bottleneck", "latents", "mean probability", "mean logit", "vote", "product of experts", "weighted"}


def test_parameter_counts_by_hand():
    text, image = DIMS["text"], DIMS["image"]
    wanted = {
        "concatenation": (text + image + 1) * DIM,
        "gated": (text + 1) * DIM + (image + 1) * DIM + 2 * (text + image + 1) * DIM,
        "film": (image + 1) * DIM + (text + 1) * 2 * DIM,
        "bilinear": (text * image + 1) * DIM,
        "tensor": ((text + 1) * (image + 1) + 1) * DIM,
        "low rank": 3 * ((text + 1) + (image + 1)) * DIM + DIM,
        "mean probability": 0,
        "mean logit": 0,
        "vote": 0,
        "product of experts": 0,
        "weighted": 2,
        "stacking": (2 * CLASSES + 1) * CLASSES,
    }
    assert {name: make(name)[0].parameter_count for name in wanted} == wanted


@pytest.mark.parametrize(
    "build",
    [
        lambda: Concatenation({}, DIM),
        lambda: Concatenation({"text": 0}, DIM),
        lambda: FiLM(DIMS, DIM, condition="smell"),
        lambda: FiLM({"text": 5}, DIM, condition="text"),
        lambda: BilinearFusion({**DIMS, "audio": 2}, DIM),
        lambda: LowRankFusion(DIMS, DIM, rank=0),
        lambda: CrossAttention(DIMS, DIM, query="smell"),
        lambda: MultiHeadAttention(4, 4, dim=10, heads=4),
        lambda: ProductOfExperts(MEMBERS, 3, torch.tensor([0.5, 0.5])),
        lambda: from_tensor_fusion(TensorFusion({**DIMS, "audio": 2}, DIM)),
    ],
)
def test_what_can_not_be_built(build):
    with pytest.raises(ValueError, match=r"."):
        build()


def test_three_modalities():
    dims = {"text": 3, "image": 2, "audio": 4}
    inputs = {k: torch.randn(BATCH, d) for k, d in dims.items()}
    for fusion in (Concatenation(dims, DIM), GatedFusion(dims, DIM), FiLM(dims, DIM, "audio"), TensorFusion(dims, DIM)):
        assert fusion(inputs).shape == (BATCH, DIM)
    assert LowRankFusion(dims, DIM)(inputs).shape == (BATCH, DIM)


def test_tensor_fusion_holds_unimodal_and_bimodal_terms():
    fusion, inputs = make("tensor", torch.float64)
    outer = fusion.outer(inputs)  # image first: names are sorted
    assert torch.equal(outer[:, :-1, -1], inputs["image"])
    assert torch.equal(outer[:, -1, :-1], inputs["text"])
    assert torch.equal(outer[:, -1, -1], torch.ones(BATCH, dtype=torch.float64))
    torch.testing.assert_close(outer[:, :-1, :-1], torch.einsum("bi,bj->bij", inputs["image"], inputs["text"]))


def test_low_rank_at_full_rank_is_tensor_fusion():
    fusion, inputs = make("tensor", torch.float64)
    made = from_tensor_fusion(fusion)
    torch.testing.assert_close(made(inputs), fusion(inputs), rtol=0, atol=1e-12)
    truncated = LowRankFusion(DIMS, DIM, rank=1).double()
    with torch.no_grad():
        for name in DIMS:
            truncated.factors[name].copy_(made.factors[name][:1])
    assert (truncated(inputs) - fusion(inputs)).abs().max() > 0.01


def test_tensor_fusion_of_three_is_the_product_of_three():
    dims = {"a": 2, "b": 3, "c": 4}
    inputs = {k: torch.randn(BATCH, d) for k, d in dims.items()}
    outer = TensorFusion(dims, DIM).outer(inputs)
    assert outer.shape == (BATCH, 3, 4, 5)
    wanted = torch.einsum("bi,bj,bk->bijk", *(append_one(inputs[k]) for k in "abc"))
    torch.testing.assert_close(outer, wanted)
    assert math.prod(outer.shape[1:]) == TensorFusion(dims, DIM).weight.in_features


def test_film_without_modulation_is_a_linear_map():
    fusion, inputs = make("film")
    nn.init.zeros_(fusion.modulation.weight)
    nn.init.zeros_(fusion.modulation.bias)
    assert torch.equal(fusion(inputs), fusion.features(inputs["image"]))


def test_closed_gates_let_nothing_through():
    fusion, inputs = make("gated")
    for gate in fusion.gates.values():
        nn.init.zeros_(gate.weight)
        nn.init.constant_(gate.bias, -200.0)
    assert torch.equal(fusion(inputs), torch.zeros(BATCH, DIM))


def test_attention_is_torchs():
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4), torch.randn(2, 3, 7, 6)
    mask = torch.rand(2, 1, 5, 7) > 0.3
    mask[..., 0] = True
    for m in (None, mask):
        ours, weights = attend(q, k, v, m)
        torch.testing.assert_close(ours, nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=m))
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 5))
    assert (weights[~mask.expand_as(weights)] == 0).all()


def test_multi_head_attention_is_torchs():
    torch.manual_seed(0)
    ours, theirs = (
        MultiHeadAttention(5, 4, DIM, heads=2),
        nn.MultiheadAttention(DIM, 2, kdim=4, vdim=4, batch_first=True),
    )
    queries, context = torch.randn(BATCH, 3, 5), torch.randn(BATCH, 7, 4)
    theirs.q_proj_weight = nn.Parameter(torch.eye(DIM))
    theirs.k_proj_weight, theirs.v_proj_weight = ours.key.weight, ours.value.weight
    theirs.in_proj_bias = nn.Parameter(torch.cat([torch.zeros(DIM), ours.key.bias, ours.value.bias]))
    theirs.out_proj = ours.out
    padded = torch.zeros(BATCH, 7, dtype=torch.bool)
    padded[:, 5:] = True
    wanted, weights = theirs(ours.query(queries), context, context, key_padding_mask=padded, average_attn_weights=False)
    found, our_weights = ours(queries, context, ~padded)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(our_weights, weights)


@pytest.mark.parametrize("name", SEQUENCES)
@pytest.mark.parametrize("training", [True, False])
def test_masked_tokens_do_not_matter(name, training):
    fusion, inputs = make(name)
    fusion.train(training)
    masks = {k: torch.ones(BATCH, v.shape[1], dtype=torch.bool) for k, v in inputs.items()}
    masks["image"][:, 4:] = False
    masks["text"][:, 2:] = False
    changed = {k: torch.where(masks[k].unsqueeze(-1), v, 100.0) for k, v in inputs.items()}
    with torch.no_grad():
        torch.testing.assert_close(fusion(changed, masks), fusion(inputs, masks))
        short = {"text": inputs["text"][:, :2], "image": inputs["image"][:, :4]}
        torch.testing.assert_close(fusion(inputs, masks), fusion(short))
        assert (fusion(inputs) - fusion(inputs, masks)).abs().max() > 1e-3  # without masks padding does matter
        only = {"text": masks["text"]}
        torch.testing.assert_close(fusion(inputs, only), fusion({**short, "image": inputs["image"]}))


def test_the_mean_of_no_token_is_zero():
    assert (mean_tokens(torch.randn(2, 3, DIM), torch.zeros(2, 3, dtype=torch.bool)) == 0).all()


@pytest.mark.parametrize("name", ["latents", "bottleneck"])
def test_the_order_of_tokens_is_irrelevant_without_positions(name):
    fusion, inputs = make(name, torch.float64)
    permuted = {k: v[:, torch.randperm(v.shape[1])] for k, v in inputs.items()}
    torch.testing.assert_close(fusion(permuted), fusion(inputs))


def test_one_modality_reaches_another_only_through_the_bottleneck():
    """With one layer nothing can cross and come back; what the text's layer sees of the image is the bottleneck."""
    fusion, inputs = make("bottleneck")
    fusion.layers = fusion.layers[:1]
    text = inputs["text"].requires_grad_()
    image_tokens = fusion.project["image"](inputs["image"])
    shared = fusion.bottleneck.expand(BATCH, -1, -1)
    own = fusion.layers[0]["image"](torch.cat([shared, image_tokens], dim=1))
    assert torch.autograd.grad(own.sum(), text, allow_unused=True)[0] is None
    assert torch.autograd.grad(fusion(inputs).sum(), text)[0].abs().sum() > 0


def test_a_model_is_called_by_name_and_passes_masks_on():
    fusion, inputs = make("cross-attention")
    model = FusionModel({k: nn.Identity() for k in inputs}, fusion, nn.Linear(DIM, 2))
    mask = torch.tensor([[True, True, False]] * BATCH)
    torch.testing.assert_close(model(**inputs), model.head(fusion(inputs)))
    torch.testing.assert_close(model(**inputs, text_mask=mask), model.head(fusion(inputs, {"text": mask})))
    with pytest.raises(KeyError, match="unknown modality: smell"):
        model(**inputs, smell=inputs["text"])
    with pytest.raises(KeyError, match="a mask without its modality: audio"):
        model(**inputs, audio_mask=mask)


def test_product_of_experts_is_bayes_rule():
    """Two bits seen through noisy channels that are independent given the class."""
    prior = torch.tensor([0.7, 0.3], dtype=torch.float64)
    seen_a, seen_b = torch.tensor([0.9, 0.2]).double(), torch.tensor([0.6, 0.1]).double()  # p(observation | class)
    posterior = prior * seen_a * seen_b / (prior * seen_a * seen_b).sum()
    logits = {"a": (prior * seen_a).log()[None], "b": (prior * seen_b).log()[None]}
    fused = ProductOfExperts("ab", 2, prior)(logits).softmax(dim=-1)
    torch.testing.assert_close(fused[0], posterior, atol=1e-7, rtol=0)


@pytest.mark.parametrize("name", [n for n in ALL if n not in DECISIONS])
def test_a_model_with_it_overfits_one_batch(name):
    fusion, inputs = make(name)
    head, target = nn.Linear(DIM, 2), torch.tensor([0, 1, 0, 1, 1, 0])
    optimizer = torch.optim.Adam([*fusion.parameters(), *head.parameters()], lr=0.02)
    for _ in range(150):
        loss = nn.functional.cross_entropy(head(fusion(inputs)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
