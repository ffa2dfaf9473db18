"""SmolLM2 from pip: its numbers in transformers' order, scores that add up, gradients to the prefix."""

import pytest
import torch

from mmbook.encoders import language
from mmbook.encoders.language import LanguageModel


@pytest.fixture(scope="module")
def model():
    return LanguageModel()


def test_it_knows_what_a_language_model_knows(model):
    assert model.write(model.prompt("The capital of France is"), 8) == ["Paris."]
    assert model.write(model.prompt("One, two, three, four,"), 2) == ["five,"]


def test_every_parameter_is_from_the_file_and_frozen(model):
    assert sum(p.numel() for p in model.model.parameters()) == 134_515_008
    assert not model.model.training
    assert not any(p.requires_grad for p in model.model.parameters())
    assert model.model.lm_head.weight is model.model.model.embed_tokens.weight


def test_rows_that_rotate_together_are_put_half_a_head_apart():
    rows = torch.arange(8.0)[:, None]  # two heads of four rows: the file has (0, 1) and (2, 3) turn together
    assert language._halves_apart(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_a_score_is_the_sum_of_log_probabilities_of_the_whole_text(model):
    prompt, text = "The sky is", " blue and clear\n"
    found = model.score([text], model.prompt(prompt))
    before, ids = model.tokens([prompt])["input_ids"][0], model.tokens([text])["input_ids"][0]
    with torch.no_grad():
        nats = model.model(torch.cat([before, ids])[None]).logits[0].log_softmax(dim=1)
    expected = sum(nats[len(before) - 1 + i, token].item() for i, token in enumerate(ids))
    assert found.nats.item() == pytest.approx(expected, abs=5e-3)
    assert found.tokens.item() == len(ids) == 4
    assert found.loss.item() == pytest.approx(-expected / 4, abs=2e-3)


def test_a_score_does_not_depend_on_its_batch(model):
    texts = [" Paris\n", " a city of many bridges and towers\n"]
    prefix = model.prompt("The capital of France is")
    together = model.score(texts, prefix.expand(2, -1, -1))
    alone = torch.cat([model.score([text], prefix).nats for text in texts])
    assert torch.allclose(together.nats, alone, atol=1e-3)
    assert together.tokens.tolist() == [2, 8]
    assert together.nats[0] > together.nats[1]


def test_gradients_reach_every_vector_of_a_prefix_and_an_example_is_learnt_by_heart(model):
    torch.manual_seed(0)
    prefix = (0.1 * torch.randn(1, 4, model.dim)).requires_grad_()
    optimiser = torch.optim.Adam([prefix], lr=0.05)
    losses = []
    for _ in range(40):
        loss = model.score([" a purple teapot\n"], prefix).loss
        optimiser.zero_grad()
        loss.backward()
        assert (prefix.grad.norm(dim=2) > 0).all()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] > 4
    assert losses[-1] < 0.3
    assert model.write(prefix.detach()) == ["a purple teapot"]


def test_beam_search_finds_a_likelier_text_than_greedy_decoding(model):
    prefix = model.prompt("She opened the door and")
    texts = [model.write(prefix, 6, beams=beams)[0] for beams in (1, 4)]
    assert texts == ["stepped into the room. I", "stepped out into the night."]
    nats = [model.score([f" {text}"], prefix).nats.item() for text in texts]
    assert nats == pytest.approx([-6.935, -5.956], abs=0.01)


@pytest.mark.parametrize(
    ("texts", "shape", "said"),
    [(["a", "b"], (1, 2, 576), "prefix must be"), (["a"], (1, 0, 576), "prefix must be"), ([""], (1, 1, 576), "token")],
)
def test_wrong_shapes_and_empty_texts_are_refused(model, texts, shape, said):
    with pytest.raises(ValueError, match=said):
        model.score(texts, torch.zeros(shape))
