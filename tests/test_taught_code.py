"""The code that chapters teach: it passes the checks of mmbook's own copy, and every parameter is trained."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bookkit.course.managed import find
from bookkit.course.toc import read_toc
from operator_values import CHECKS

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = {
    page.docname.removeprefix("book/"): path
    for page in read_toc(ROOT)
    if (path := ROOT / f"{page.docname}.ipynb").is_file()
}


def module_of(name: str) -> str:
    """The module of mmbook that defines an operator."""
    for path in sorted((ROOT / "mmbook/fusion").glob("*.py")):
        if any(getattr(node, "name", None) == name for node in ast.parse(path.read_text(encoding="utf-8")).body):
            return f"mmbook.fusion.{path.stem}"
    raise LookupError(name)


@functools.cache
def taught(chapter: str) -> dict[str, ast.stmt]:
    """Name -> definition of each class and function on the top level of a chapter's cells."""
    cells = json.loads(NOTEBOOKS[chapter].read_text(encoding="utf-8"))["cells"]
    ours = find(cells).cells
    code = ["".join(c["source"]) for i, c in enumerate(cells) if c["cell_type"] == "code" and i not in ours]
    nodes = [node for text in code for node in ast.parse(text).body]
    kinds = (ast.ClassDef, ast.FunctionDef)
    found = {node.name: node for node in nodes if isinstance(node, kinds)}
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return {"": ast.Module(imports, type_ignores=[]), **found}  # type: ignore[dict-item]


def names_of(chapter: str, **constants: Any) -> dict[str, Any]:
    """What a chapter defines, without running its experiments; constants that definitions need are given."""
    names: dict[str, Any] = dict(constants)
    imports, *definitions = taught(chapter).values()
    exec(compile(imports, chapter, "exec"), names)
    for node in definitions:
        with contextlib.suppress(NameError):  # a helper of some experiment
            exec(compile(ast.Module([node], type_ignores=[]), chapter, "exec"), names)
    return names


@functools.cache
def library() -> dict[str, Any]:
    """Every definition of mmbook.fusion."""
    names: dict[str, Any] = {}
    for path in sorted((ROOT / "mmbook/fusion").glob("*.py")):
        names |= vars(importlib.import_module(f"mmbook.fusion.{path.stem}"))
    return names


@pytest.mark.parametrize("name", CHECKS)
def test_the_operator_of_the_package(name):
    CHECKS[name](library())


IN_CHAPTERS = [(name, chapter) for chapter in NOTEBOOKS for name in taught(chapter) if name in CHECKS]


@pytest.mark.parametrize(("name", "chapter"), IN_CHAPTERS, ids=[f"{c}:{n}" for n, c in IN_CHAPTERS])
def test_the_operator_of_the_chapter(name, chapter):
    CHECKS[name]({**library(), **names_of(chapter)})


def test_every_operator_is_checked_and_taught_in_one_chapter():
    defined = {
        node.name
        for path in (ROOT / "mmbook/fusion").glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    plumbing = {"Fusion", "LateFusion", "FusionModel"}
    assert defined - plumbing <= set(CHECKS)
    where = [name for name, _ in IN_CHAPTERS]
    elsewhere = {"Concatenation"}  # early fusion teaches it as the first half of its own classifier
    for name in defined - plumbing - elsewhere:
        assert where.count(name) == 1, name


# --- the loss of the chapter on speech can be trained with ---


def test_the_gradient_of_the_taught_ctc_is_that_of_pytorch():
    chapter = "applications/speech-recognition"
    ctc = names_of(chapter, **CONSTANTS[chapter])["ctc"]
    scores = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for text in ([1, 2], [1, 1, 3], [2]):
        log_p = scores.log_softmax(dim=1)
        (ours,) = torch.autograd.grad(ctc(log_p, text)[0], scores, retain_graph=True)
        loss = nn.functional.ctc_loss(log_p, torch.tensor(text), (6,), (len(text),), reduction="sum")
        (theirs,) = torch.autograd.grad(-loss, scores)
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)  # not NaN where a state can't be reached


# --- what the chapter on alignment teaches, on values worked out by hand ---


def test_the_taught_alignments():
    names = names_of("challenges/alignment")
    total = names["dtw"](np.array([[0, 1, 3, 2], [3, 2, 0, 1], [1, 0, 2, 1]]))
    assert total[1:, 1:].tolist() == [[0, 1, 4, 6], [3, 2, 1, 2], [4, 2, 3, 2]]
    assert names["way_back"](total) == [(0, 0), (0, 1), (1, 2), (2, 3)]
    two = names["soft_dtw"](torch.tensor([[1.0, 2.0]]), 0.5)  # one path only
    assert two.item() == pytest.approx(3)
    log_p = np.log([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    assert names["forced"](log_p, [1, 2]).tolist() == [0, 1, 1, 3]
    assert names["forced"](log_p, [1, 1]).tolist() == [0, 1, 2, 3]  # a blank between equal words
    plan = names["sinkhorn"](np.array([[0.0, 1.0], [1.0, 0.0]]), 0.5)
    assert plan.sum(0) == pytest.approx([0.5, 0.5])
    assert plan[0, 0] == pytest.approx(0.5 / (1 + np.exp(-2)))


# --- every parameter of a taught module is registered, and training reaches it ---

Build = Callable[[dict[str, Any]], tuple[nn.Module, Callable[[nn.Module], torch.Tensor]]]
B = 6
DIM = 8


def by_name(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {name: torch.randn(B, *shape) for name, shape in shapes.items()}


def keywords(make: Callable[[dict[str, Any]], nn.Module], **shapes: tuple[int, ...]) -> Build:
    """A module that takes its modalities as keywords."""
    return lambda names: (make(names), lambda model: model(**by_name(**shapes)))


def mapping(make: Callable[[dict[str, Any]], nn.Module], **shapes: tuple[int, ...]) -> Build:
    """A module that takes its modalities as one mapping."""
    return lambda names: (make(names), lambda model: model(by_name(**shapes)))


def scene_fusion(name: str, options: dict[str, int]) -> Build:
    """A fusion of 16 cells, 7 words and their mask."""
    mask = torch.ones(B, 7, dtype=torch.bool)
    return lambda names: (
        names[name](**options), lambda model: model(torch.randn(B, 16, DIM), torch.randn(B, 7, DIM), mask)
    )  # fmt: skip


def pair_of_tokens(name: str) -> Build:
    """A classifier of 16 cells and 12 words, 128 numbers each, with a mask of the words."""
    mask = torch.ones(B, 12, dtype=torch.bool)
    return lambda names: (
        names[name](),
        lambda model: model(image=torch.randn(B, 16, 128), text=torch.randn(B, 12, 128), text_mask=mask),
    )


def review_head(name: str) -> Build:
    """A classifier of 9 words, 384 numbers each, with a mask, beside a table row of 5."""
    mask = torch.ones(B, 9, dtype=torch.bool)
    return lambda names: (
        names[name](), lambda model: model(text=torch.randn(B, 9, 384), text_mask=mask, table=torch.randn(B, 5))
    )  # fmt: skip


def rows_of_fields() -> torch.Tensor:
    """Rows of three numbers and two categories (of 2 and 4), each category present."""
    codes = torch.stack([torch.arange(B) % 2, torch.arange(B) % 4], dim=1)
    return torch.cat([torch.randn(B, 3), codes], dim=1)


def two_tokenizers(n: dict[str, Any]) -> nn.Module:
    tokenizers = {"sound": n["FrameTokens"](5, dim=DIM), "row": n["RowTokens"](3, [2, 4], dim=DIM)}
    return n["OneSequence"](tokenizers, {"sound": 3}, dim=DIM)


BOTH_WORDS = torch.ones(B, 2, dtype=torch.bool)


def matcher(name: str) -> Build:
    """A matcher of the hybrid chapter, on features of EfficientNet and MiniLM."""
    return lambda n: (n[name](), lambda model: model(torch.randn(B, 3, 1280), torch.randn(B, 2, 384), BOTH_WORDS))


PAIR = {"image": 5, "text": 4}
SEEN = {"image": (5,), "text": (4,)}
TOKENS = {"image": (3, 5), "text": (2, 4)}
LATE = {"image": (3,), "text": (3,)}
CONSTANTS: dict[str, dict[str, Any]] = {
    "applications/image-captioning": {"WORDS": list("abcdefghijklmno"), "LONGEST": 8, "CELLS": 16},
    "applications/speech-recognition": {"BANDS": 5, "NEVER": -1e30},
    "applications/visual-question-answering": {"DIM": DIM},
    "foundations/modalities-as-tensors": {"BANDS": 32},
    "foundations/what-is-multimodal-learning": {"WIDTH": {"picture": 5, "question": 4}},
    "foundations/joint-and-complementary": {"DIMS": 6, "K": 3},
    "fusion/bottlenecks-and-latents": {"COLUMNS": 5},
    "fusion/cross-attention": {"DIM": DIM},
    "fusion/hybrid-fusion": {"WIDTH": DIM},
    "fusion/multiplicative-fusion": {
        "NARROW": PAIR, "features": {"image": torch.zeros(1, 5), "text": torch.zeros(1, 4)},
    },
    "large-models/whisper": {"FRAMES": 16, "LONGEST": 7, "TOKENS": list("abcde")},
}  # fmt: skip
BUILDS: dict[str, Build] = {
    "large-models/whisper:AudioEncoder": lambda n: (
        n["AudioEncoder"](DIM, heads=2), lambda model: model(torch.randn(B, 32, 16))
    ),
    "large-models/whisper:TextDecoder": lambda n: (
        n["TextDecoder"](5, DIM, heads=2), lambda model: model(torch.randint(5, (B, 6)), torch.randn(B, 4, DIM))
    ),
    "large-models/whisper:SmallWhisper": lambda n: (
        n["SmallWhisper"](), lambda model: model(sound=torch.randn(B, 32, 16), text=torch.randint(5, (B, 6)))
    ),
    "applications/image-captioning:Attention": lambda n: (
        n["Attention"](DIM), lambda model: model(torch.randn(B, 8, DIM), torch.randn(B, 16, DIM))[0]
    ),
    "applications/image-captioning:Captioner": lambda n: (
        n["Captioner"](DIM), lambda model: model(torch.randn(B, 16, 192), torch.randint(15, (B, 8)))
    ),
    "applications/image-captioning:Connector": lambda n: (
        n["Connector"](0.1, tokens=2, hidden=DIM), lambda model: model(torch.randn(B, 384))
    ),
    "applications/speech-recognition:Recogniser": lambda n: (
        n["Recogniser"](7, width=DIM), lambda model: model(torch.randn(B, 9, 5), torch.tensor([9, 9, 8, 8, 7, 5]))
    ),
    "applications/visual-question-answering:Detector": lambda n: (
        n["Detector"](), lambda model: model(torch.rand(B, 192))
    ),
    "applications/visual-question-answering:AttentionLayer": lambda n: (
        n["AttentionLayer"](), lambda model: model(torch.randn(B, 5, DIM), torch.randn(B, 4, DIM))
    ),
    "applications/visual-question-answering:MLP": lambda n: (n["MLP"](), lambda model: model(torch.randn(B, 5, DIM))),
    "applications/visual-question-answering:Words": lambda n: (
        n["Words"](), lambda model: model(torch.randint(1, 9, (B, 10)))
    ),
    **{
        f"applications/visual-question-answering:{name}": lambda n, name=name: (
            n[name](), lambda model: model(torch.randint(1, 9, (B, 10)), torch.randn(B, 16, 40))
        )
        for name in ("QuestionAnswerer", "FilmAnswerer", "MeanFirst", "CrossAnswerer", "CoAnswerer")
    },
    "applications/visual-question-answering:WithoutPrior": lambda n: (
        n["WithoutPrior"](n["FilmAnswerer"](), n["QuestionAnswerer"]()),
        lambda model: model(torch.randint(1, 9, (B, 10)), torch.randn(B, 16, 40)),
    ),
    "challenges/alignment:Recogniser": lambda n: (
        n["Recogniser"](bands=5, width=DIM, tokens=4),
        lambda model: model(torch.randn(B, 9, 5), torch.tensor([9, 9, 8, 8, 7, 5])),
    ),
    "challenges/alignment:SyncNet": lambda n: (
        n["SyncNet"](pixels=12, bands=4, width=DIM), lambda model: model(torch.randn(B, 6, 12), torch.randn(B, 10, 4))
    ),
    "challenges/alignment:Matcher": lambda n: (
        n["Matcher"](pixels=12), lambda model: model(torch.randn(B, 9, 12), torch.ones(B, 10))
    ),
    "challenges/alignment:Attending": lambda n: (
        n["Attending"](pixels=12), lambda model: model(torch.randn(B, 9, 12), torch.ones(B, 10))
    ),
    "challenges/honest-evaluation:Joint": lambda n: (
        n["Joint"](5, 4), lambda model: model(torch.randn(B, 5), torch.randn(B, 4))
    ),
    "challenges/missing-modalities:OneNetwork": lambda n: (
        n["OneNetwork"](0.5, indicator=True),
        lambda model: model(quarters=torch.randn(B, 4, 49), present=torch.ones(B, 4)),
    ),
    "challenges/missing-modalities:Placeholder": lambda n: (
        n["Placeholder"](0.5),
        lambda model: model(quarters=torch.randn(B, 4, 49), present=torch.eye(4).repeat(B, 1)[:B]),
    ),
    "challenges/missing-modalities:HalfDropout": lambda n: (
        n["HalfDropout"](0.5), lambda model: model(quarters=torch.randn(B, 4, 49), present=torch.ones(B, 4))
    ),
    "challenges/missing-modalities:Masked": lambda n: (
        n["Masked"](), lambda model: model(quarters=torch.randn(B, 4, 49), present=torch.ones(B, 4))
    ),
    "challenges/missing-modalities:Expert": lambda n: (
        n["Expert"](2), lambda model: model(quarters=torch.randn(B, 2, 49))
    ),
    "challenges/dimensional-mismatch:Concatenated": keywords(
        lambda n: n["Concatenated"]({"picture": 9, "numbers": 4}), picture=(9,), numbers=(4,)
    ),
    "challenges/dimensional-mismatch:Tokens": keywords(
        lambda n: n["Tokens"]({"picture": 9, "numbers": 4}), picture=(9,), numbers=(4,)
    ),
    "challenges/noise-and-dominance:TwoEncoders": lambda n: (
        n["TwoEncoders"]({"picture": 9, "sound": 7}, width=DIM),
        lambda model: sum(model(picture=torch.randn(B, 9), sound=torch.randn(B, 7)).values()),
    ),
    "contrastive/clip-from-scratch:Centred": lambda n: (
        nn.Sequential(n["Centred"](torch.randn(7, 4)), nn.Linear(4, DIM)), lambda model: model(torch.randn(B, 4))
    ),
    "contrastive/clip-from-scratch:PixelTower": lambda n: (
        n["PixelTower"](DIM), lambda model: model(torch.rand(B, 3, 48, 48))
    ),
    "contrastive/clip-from-scratch:WordTower": lambda n: (
        n["WordTower"](9, 8, DIM), lambda model: model(torch.randint(1, 9, (B, 4)))
    ),
    "contrastive/clip-from-scratch:TwoTowers": lambda n: (
        n["TwoTowers"](nn.Linear(5, DIM), nn.Linear(4, DIM)), lambda model: model(torch.randn(B, 5), torch.randn(B, 4))
    ),
    "foundations/what-is-multimodal-learning:Answerer": keywords(
        lambda n: n["Answerer"]("picture", "question"), picture=(5,), question=(4,)
    ),
    "foundations/what-is-multimodal-learning:SumOfScores": keywords(
        lambda n: n["SumOfScores"](), picture=(5,), question=(4,)
    ),
    "foundations/what-is-multimodal-learning:Product": keywords(
        lambda n: n["Product"](), picture=(5,), question=(4,)
    ),
    "foundations/modalities-as-tensors:RowTokens": lambda n: (
        n["RowTokens"](3, [2, 4], dim=DIM), lambda model: model(rows_of_fields())
    ),
    "foundations/modalities-as-tensors:WordTokens": lambda n: (
        n["WordTokens"](torch.randn(9, 5), dim=DIM), lambda model: model(torch.randint(9, (B, 4)))
    ),
    "foundations/modalities-as-tensors:PatchTokens": lambda n: (
        n["PatchTokens"](4, dim=DIM), lambda model: model(torch.randn(B, 3, 8, 8))
    ),
    "foundations/modalities-as-tensors:FrameTokens": lambda n: (
        n["FrameTokens"](5, dim=DIM), lambda model: model(torch.randn(B, 3, 5))
    ),
    "foundations/modalities-as-tensors:TubeletTokens": lambda n: (
        n["TubeletTokens"](2, 4, dim=DIM), lambda model: model(torch.randn(B, 4, 3, 8, 8))
    ),
    "foundations/modalities-as-tensors:WindowTokens": lambda n: (
        n["WindowTokens"](4, 2, 3, dim=DIM), lambda model: model(torch.randn(B, 10, 3))
    ),
    "foundations/modalities-as-tensors:OneSequence": lambda n: (
        two_tokenizers(n), lambda model: model(sound=torch.randn(B, 3, 5), row=rows_of_fields())[0]
    ),
    "foundations/modalities-as-tensors:SelfAttention": lambda n: (
        n["SelfAttention"](DIM), lambda model: model(torch.randn(B, 3, DIM), torch.ones(B, 3, dtype=torch.bool))
    ),
    "foundations/modalities-as-tensors:Classifier": lambda n: (
        n["Classifier"](two_tokenizers(n), 2, dim=DIM),
        lambda model: model(sound=torch.randn(B, 3, 5), row=rows_of_fields()),
    ),
    "foundations/modalities-as-tensors:Slots": lambda n: (
        n["Slots"](3, 5, 2), lambda model: model(torch.randn(B, 3, 5), torch.ones(B, 3, dtype=torch.bool))
    ),
    "foundations/modalities-as-tensors:DeepSet": lambda n: (
        n["DeepSet"](5, 2, places=3), lambda model: model(torch.randn(B, 3, 5), torch.ones(B, 3, dtype=torch.bool))
    ),
    "foundations/joint-and-complementary:Coordinated": keywords(lambda n: n["Coordinated"](), image=(6,), audio=(6,)),
    "foundations/joint-and-complementary:Joint": keywords(
        lambda n: n["Joint"](nn.Linear(6, 2)), image=(6,), audio=(6,)
    ),
    "foundations/joint-and-complementary:LearnedScale": keywords(lambda n: n["LearnedScale"](), image=(6,), audio=(6,)),
    "foundations/joint-and-complementary:ContrastAndReconstruct": keywords(
        lambda n: n["ContrastAndReconstruct"](), image=(6,), audio=(6,)
    ),
    "foundations/joint-and-complementary:JointWithDropout": keywords(
        lambda n: n["JointWithDropout"](nn.Linear(6, 2)), image=(6,), audio=(6,)
    ),
    "foundations/joint-and-complementary:PictureOnly": keywords(
        lambda n: n["PictureOnly"](nn.Linear(6, 2)), image=(6,), audio=(6,)
    ),
    "foundations/joint-and-complementary:MLPProbe": keywords(lambda n: n["MLPProbe"](6, 2), z=(6,)),
    "foundations/when-does-fusion-help:OneHidden": keywords(lambda n: n["OneHidden"](PAIR, 3), **SEEN),
    "foundations/when-does-fusion-help:LogisticRegression": keywords(
        lambda n: n["LogisticRegression"](PAIR, 3), **SEEN
    ),
    "fusion/early-fusion:MultimodalClassifier": keywords(lambda n: n["MultimodalClassifier"](4, 5, 6, 2), **SEEN),
    "fusion/early-fusion:SumOfNetworks": keywords(lambda n: n["SumOfNetworks"](5, 6), image=(5,), text=(5,)),
    "fusion/early-fusion:Product": keywords(lambda n: n["Product"](5, 6), image=(5,), text=(5,)),
    "fusion/early-fusion:Cosine": keywords(lambda n: n["Cosine"](5, 6), image=(5,), text=(5,)),
    "fusion/late-fusion:WeightedLogit": mapping(lambda n: n["WeightedLogit"](PAIR, 3), **LATE),
    "fusion/late-fusion:Stacking": mapping(lambda n: n["Stacking"](PAIR, 3), **LATE),
    "fusion/late-fusion:Member": lambda n: (n["Member"](), lambda model: model(image=torch.randn(B, 1, 16, 16))),
    "fusion/late-fusion:JointNetwork": keywords(lambda n: n["JointNetwork"](), audio=(1, 16, 24), image=(1, 16, 16)),
    "fusion/late-fusion:ShrunkStacking": mapping(lambda n: n["ShrunkStacking"](PAIR, 3), **LATE),
    "fusion/hybrid-fusion:CoAttention": lambda n: (
        n["CoAttention"](DIM, heads=2),
        lambda model: torch.cat(model(torch.randn(B, 3, DIM), torch.randn(B, 2, DIM), BOTH_WORDS), dim=1),
    ),
    "fusion/hybrid-fusion:SelfAttention": lambda n: (
        n["SelfAttention"](DIM, heads=2),
        lambda model: torch.cat(model(torch.randn(B, 3, DIM), torch.randn(B, 2, DIM), BOTH_WORDS), dim=1),
    ),
    "fusion/hybrid-fusion:SelfAttendingTowers": matcher("SelfAttendingTowers"),
    **{f"fusion/hybrid-fusion:{name}": matcher(name) for name in ("TwoTowers", "CoAttentionModel")},
    "fusion/hybrid-fusion:JoinAfter": keywords(lambda n: n["JoinAfter"](1, 8, inputs=5), audio=(5,), image=(5,)),
    "fusion/hybrid-fusion:Hybrid": keywords(lambda n: n["Hybrid"](8), audio=(100,), image=(100,)),
    "fusion/hybrid-fusion:DigitTowers": keywords(lambda n: n["DigitTowers"](8, inputs=5), audio=(5,), image=(5,)),
    "fusion/hybrid-fusion:Member": keywords(lambda n: n["Member"](8, inputs=5), image=(5,)),
    "fusion/cross-attention:MultiHeadAttention": lambda n: (
        n["MultiHeadAttention"](5, 4, DIM, heads=2), lambda model: model(torch.randn(B, 3, 5), torch.randn(B, 7, 4))[0]
    ),
    "fusion/cross-attention:CrossAttention": mapping(
        lambda n: n["CrossAttention"](PAIR, DIM, query="text", heads=2), **TOKENS
    ),
    "fusion/cross-attention:OneHead": lambda n: (
        n["OneHead"](5, 4, DIM), lambda model: model(torch.randn(B, 3, 5), torch.randn(B, 7, 4))[0]
    ),
    "fusion/cross-attention:CellCNN": lambda n: (n["CellCNN"](), lambda model: model(torch.randn(B, 3, 32, 32))),
    "fusion/cross-attention:CrossBlock": lambda n: (
        n["CrossBlock"](heads=2), lambda model: model(torch.randn(B, 7, DIM), torch.randn(B, 16, DIM))
    ),
    **{
        f"fusion/cross-attention:{name}": scene_fusion(name, heads)
        for name, heads in (("WordsAsk", {"heads": 1}), ("PictureAsks", {"heads": 2}), ("LayerAfterMean", {"heads": 2}))
    },
    **{
        f"fusion/cross-attention:{name}": scene_fusion(name, {}) for name in ("Pooled", "CellByCell")
    },
    "fusion/cross-attention:Answerer": lambda n: (
        n["Answerer"](n["CellByCell"]()), lambda model: model(torch.randn(len(all_words(n)), 16, DIM), all_words(n))
    ),
    "fusion/multiplicative-fusion:ProductOfProjections": lambda n: (
        n["ProductOfProjections"](5, 4, DIM), lambda model: model(torch.randn(B, 5), torch.randn(B, 4))
    ),
    **{f"fusion/cross-attention:{name}": pair_of_tokens(name) for name in ("EarlyPair", "ProductPair", "CrossPair")},
    "fusion/multiplicative-fusion:GatedFusion": mapping(lambda n: n["GatedFusion"](PAIR, DIM), **SEEN),
    "fusion/multiplicative-fusion:BimodalGate": mapping(lambda n: n["BimodalGate"](PAIR, DIM), **SEEN),
    "fusion/multiplicative-fusion:FiLM": mapping(lambda n: n["FiLM"](PAIR, DIM, condition="text"), **SEEN),
    "fusion/multiplicative-fusion:BilinearFusion": mapping(lambda n: n["BilinearFusion"](PAIR, DIM), **SEEN),
    "fusion/multiplicative-fusion:TensorFusion": mapping(lambda n: n["TensorFusion"](PAIR, DIM), **SEEN),
    "fusion/multiplicative-fusion:LowRankFusion": mapping(lambda n: n["LowRankFusion"](PAIR, DIM), **SEEN),
    "fusion/multiplicative-fusion:Additive": mapping(lambda n: n["Additive"](PAIR, DIM), **SEEN),
    "fusion/multiplicative-fusion:TwoLayers": mapping(lambda n: n["TwoLayers"](PAIR, DIM), **SEEN),
    "fusion/multiplicative-fusion:WithHead": keywords(lambda n: n["WithHead"](n["Additive"](PAIR, DIM), 3), **SEEN),
    "fusion/multiplicative-fusion:InnerProduct": lambda n: (
        n["InnerProduct"](), lambda model: model(torch.randn(B, 5), torch.randn(B, 5))
    ),
    "fusion/multiplicative-fusion:Matcher": keywords(
        lambda n: n["Matcher"](n["WithHead"](n["Additive"](PAIR, DIM), 2)), **SEEN
    ),
    "fusion/bottlenecks-and-latents:BottleneckFusion": mapping(
        lambda n: n["BottleneckFusion"](PAIR, DIM, heads=2), **TOKENS
    ),
    "fusion/bottlenecks-and-latents:LatentFusion": mapping(lambda n: n["LatentFusion"](PAIR, DIM, heads=2), **TOKENS),
    "fusion/bottlenecks-and-latents:NoExchange": mapping(lambda n: n["NoExchange"](PAIR, DIM), **TOKENS),
    "fusion/bottlenecks-and-latents:FullAttention": mapping(lambda n: n["FullAttention"](PAIR, DIM), **TOKENS),
    "fusion/bottlenecks-and-latents:EachToken": mapping(
        lambda n: n["EachToken"]({"question": 5, "recording": 4}, DIM), question=(1, 5), recording=(7, 4)
    ),
    "fusion/bottlenecks-and-latents:Answerer": keywords(
        lambda n: n["Answerer"](n["FullAttention"](PAIR, DIM), 3), **TOKENS
    ),
    "fusion/bottlenecks-and-latents:MeanHead": review_head("MeanHead"),
    "fusion/bottlenecks-and-latents:LatentHead": review_head("LatentHead"),
    **{
        f"fusion/choosing-a-fusion:{name}": keywords(lambda n, name=name, o=o: n[name](PAIR, 3, width=DIM, **o), **SEEN)
        for name, o in {"Early": {}, "Product": {"rank": 2}, "Hybrid": {}, "Intermediate": {}}.items()
    },
    "fusion/choosing-a-fusion:CellByCell": lambda n: (
        n["CellByCell"](PAIR, 3, width=DIM),
        lambda model: model(
            image=torch.randn(B, 9, 5), text=torch.randn(B, 7, 4), text_mask=torch.ones(B, 7, dtype=torch.bool)
        ),
    ),
}  # fmt: skip
NOT_BUILT = {
    "foundations/modalities-as-tensors:UnpackedRowTokens": "shows the fault: parameters that nobody registered",
    **dict.fromkeys(
        (f"fusion/late-fusion:{n}" for n in ("LateFusion", "MeanProbability", "MeanLogit", "Vote", "ProductOfExperts")),
        "has no parameters",
    ),
    "fusion/early-fusion:BlockPCA": "has buffers only",
    "fusion/hybrid-fusion:Matcher": "what three models share; built as each of them",
    "fusion/cross-attention:Pair": "what three fusions share; built as each of them",
}
NO_GRADIENT = {
    "key.bias": "adding one number to all keys changes no softmax",
    "in_proj_bias": "a third of it is the keys'",
}


def all_words(names: dict[str, Any]) -> torch.Tensor:
    """Questions in which every word but padding occurs."""
    rows = -(-len(names["WORDS"]) // 7)
    return (torch.arange(rows * 7) % (len(names["WORDS"]) - 1) + 1).reshape(rows, 7)[:B]


def modules_taught() -> list[str]:
    """Every class of a chapter whose bases lead to a module."""
    found = []
    for chapter in NOTEBOOKS:
        known = {"Module", "Fusion", *(n for n, v in library().items() if isinstance(v, type))}
        for name, node in taught(chapter).items():
            bases = {getattr(base, "attr", getattr(base, "id", "")) for base in getattr(node, "bases", ())}
            if isinstance(node, ast.ClassDef) and bases & known:
                known.add(name)
                found.append(f"{chapter}:{name}")
    return found


def test_every_taught_module_is_looked_at():
    assert set(modules_taught()) == set(BUILDS) | set(NOT_BUILT)


@pytest.mark.parametrize("name", BUILDS)
def test_every_parameter_is_registered_and_trained(name):
    torch.manual_seed(0)
    chapter = name.split(":")[0]
    names = {**library(), **names_of(chapter, **CONSTANTS.get(chapter, {}))}
    model, run = BUILDS[name](names)
    assert unregistered(model) == []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    reached: set[str] = set()
    for _ in range(3):
        optimizer.zero_grad()
        run(model.train()).square().mean().backward()
        reached |= {key for key, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        optimizer.step()
    missed = {key for key, _ in model.named_parameters()} - reached
    assert not {key for key in missed if not key.endswith(tuple(NO_GRADIENT))}


def unregistered(model: nn.Module) -> list[str]:
    """Tensors that want a gradient, and modules, which ``parameters()`` would not find."""
    known = {id(p) for p in model.parameters()} | {id(m) for m in model.modules()}
    found = []
    for part in model.modules():
        for key, value in vars(part).items():
            if key in ("_parameters", "_modules", "_buffers"):
                continue
            inside = (
                value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
            )
            for item in inside:
                wants = isinstance(item, nn.Module) or (isinstance(item, torch.Tensor) and item.requires_grad)
                if wants and id(item) not in known:
                    found.append(f"{type(part).__name__}.{key}")
    return found


def test_the_check_sees_what_is_not_registered():
    class Unpacked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(2, 3))
            self.layers = [nn.Linear(2, 2)]
            self.good = nn.Linear(2, 2)

    assert unregistered(Unpacked()) == ["Unpacked.weight", "Unpacked.bias", "Unpacked.layers"]
