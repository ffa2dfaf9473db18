"""An interrupted training ends as an uninterrupted one does; what is vendored is small and tells how it was made."""

import json

import pytest
import torch

from bookkit.models import emoji_towers
from bookkit.models.job import run, vendor
from mmbook.datasets.store import DamagedDataError
from mmbook.models import store


class Walk:
    """A random walk that depends on the number of the epoch and the seed."""

    def __init__(self, seed: int = 1, epochs: int = 6, stop_at: int | None = None, size: int = 3) -> None:
        self.seed, self.epochs, self.stop_at = seed, epochs, stop_at
        self.place = torch.zeros(size)
        self.visited: list[int] = []

    def epoch(self, number: int) -> str:
        if number == self.stop_at:
            raise KeyboardInterrupt
        self.visited.append(number)
        generator = torch.Generator().manual_seed(self.seed * 1000 + number)
        self.place = self.place / 2 + torch.randn(len(self.place), generator=generator)
        return "walked"

    def state(self):
        return {"place": self.place}

    def restore(self, state):
        self.place = state["place"]

    def finish(self):
        return {"place": self.place}, {"distance": self.place.norm().item()}


def test_an_interrupted_training_goes_on_and_ends_where_it_would_have(tmp_path):
    whole, broken, rest = Walk(), Walk(stop_at=4), Walk()
    run(whole, tmp_path / "whole.pt", lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        run(broken, tmp_path / "broken.pt", lambda line: None)
    said: list[str] = []
    log = run(rest, tmp_path / "broken.pt", said.append)
    assert broken.visited == [0, 1, 2, 3]
    assert rest.visited == [4, 5]
    assert torch.equal(rest.place, whole.place)
    assert said[0] == "goes on after epoch 4 of 6"
    assert said[-1].startswith("epoch 6 of 6, ")
    assert [line.split(",")[0] for line in log] == [f"epoch {k} of 6" for k in range(1, 7)]


@pytest.mark.parametrize("other", [{"seed": 2}, {"epochs": 7}])
def test_a_checkpoint_of_another_training_is_not_used(tmp_path, other):
    with pytest.raises(KeyboardInterrupt):
        run(Walk(stop_at=4), tmp_path / "a.pt", lambda line: None)
    job = Walk(**other)
    run(job, tmp_path / "a.pt", lambda line: None)
    assert job.visited == list(range(job.epochs))


def test_a_broken_checkpoint_is_one_line_and_a_new_start(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"no checkpoint")
    job, said = Walk(), []
    run(job, tmp_path / "a.pt", said.append)
    assert job.visited == list(range(6))
    assert "can't be read" in said[0]


def test_the_emoji_towers_can_be_interrupted_and_learn(tmp_path, monkeypatch):
    torch.manual_seed(0)
    fake = {i: torch.randn(2, 384) for i in range(1424)}
    monkeypatch.setattr(emoji_towers, "word_embeddings", lambda emoji, concepts: fake)

    def job(stop_at=9):
        made = emoji_towers.EmojiTowersJob(epochs=3)
        made.split = {**made.split, "train": made.split["train"][:40], "validation": made.split["validation"][:20]}
        one_epoch = made.epoch
        made.epoch = lambda number: one_epoch(number) if number < stop_at else (_ for _ in ()).throw(KeyboardInterrupt)
        return made

    whole, rest, said = job(), job(), []
    run(whole, tmp_path / "whole.pt", said.append)
    with pytest.raises(KeyboardInterrupt):
        run(job(stop_at=1), tmp_path / "broken.pt", lambda line: None)
    run(rest, tmp_path / "broken.pt", lambda line: None)
    for name, value in whole.model.state_dict().items():
        assert torch.allclose(rest.model.state_dict()[name], value, atol=1e-6), name
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in said]
    assert losses[-1] < losses[0]
    weights, measured = whole.finish()
    assert set(weights) == set(whole.model.state_dict())
    assert measured["recall@10 by chance"] == pytest.approx(10 / 300, abs=0.01)


def test_what_is_vendored_loads_and_any_change_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MODELS", tmp_path)
    job = Walk()
    job.place = torch.tensor([0.5, -2.0, 1 / 3])
    made = vendor(job, tmp_path / "walk", "python walk.py", ["epoch 1 of 1: walked"])
    assert made == json.loads((tmp_path / "walk/made.json").read_text())
    assert made["command"] == "python walk.py"
    assert made["log"] == ["epoch 1 of 1: walked"]
    assert (made["seed"], made["epochs"]) == (1, 6)
    assert made["measured"] == {"distance": round(job.place.norm().item(), 4)}
    loaded = store.load_weights("walk")["place"]
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded, job.place.half().float())
    path = tmp_path / "walk/weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(DamagedDataError, match=r"SHA-256 differs.*prepare_model\.py walk"):
        store.load_weights("walk")
    path.unlink()
    with pytest.raises(DamagedDataError, match="missing"):
        store.load_weights("walk")
    with pytest.raises(DamagedDataError, match=r"card\.toml: missing"):
        store.load_card("walk")


def test_a_model_that_is_too_large_is_refused_and_leaves_the_old_one(tmp_path):
    vendor(Walk(), tmp_path, "x", [])
    before = (tmp_path / "weights.safetensors").read_bytes()
    with pytest.raises(ValueError, match="at most 3145728"):
        vendor(Walk(size=1_600_000), tmp_path, "x", [])
    assert (tmp_path / "weights.safetensors").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made.json", "weights.safetensors"]
