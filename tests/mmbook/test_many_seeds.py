"""Many seeds at once learn what each seed would learn alone, and validation picks the rate."""

import pytest
import torch
from torch import nn

from mmbook.many_seeds import fit_many, stack_parts
from mmbook.training import evaluate, fit

SEEDS = (3, 4, 5)


class Sum(nn.Module):
    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 16), nn.Linear(6, 16)
        self.register_buffer("scale", torch.ones(1))
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3))

    def forward(self, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        return self.head((self.a(text) + self.b(image)) * self.scale)


def part(count: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    inputs = {"text": torch.randn(count, 4, generator=generator), "image": torch.randn(count, 6, generator=generator)}
    return inputs, (inputs["text"][:, 0] > 0).long() + (inputs["image"][:, 0] > 0).long()


def parts(count: int, offset: int):
    return [part(count, seed + offset) for seed in SEEDS]


def test_one_seed_of_many_is_the_model_that_fit_trains_alone():
    train, validation = parts(40, 0), parts(30, 100)
    options = {"epochs": 6, "batch_size": 16, "patience": 6}
    many = fit_many(Sum, stack_parts(train), stack_parts(validation), seeds=SEEDS, **options)
    for i, seed in enumerate(SEEDS):
        # fit draws the order of its batches from the global stream, fit_many from one per seed
        alone, history = fit(Sum, train[i], validation[i], seed=seed, **options)
        assert many[i].history.train_loss == pytest.approx(history.train_loss, abs=1e-4)
        assert many[i].history.validation_loss == pytest.approx(history.validation_loss, abs=1e-4)
        assert many[i].history.validation_accuracy == pytest.approx(history.validation_accuracy)
        for name, value in alone.state_dict().items():
            assert torch.allclose(many[i].model.state_dict()[name], value, atol=1e-4)


def test_each_seed_keeps_its_best_epoch():
    options = {"epochs": 60, "batch_size": 8, "patience": 60, "learning_rates": (5e-2,), "weight_decay": 0}
    train, validation = parts(12, 0), parts(30, 100)
    for i, one in enumerate(fit_many(Sum, stack_parts(train), stack_parts(validation), seeds=SEEDS, **options)):
        losses = one.history.validation_loss
        inputs, target = validation[i]
        kept = nn.functional.cross_entropy(one.model(**inputs), target).item()
        assert one.history.best == losses.index(min(losses)) < 59
        assert kept == pytest.approx(min(losses), abs=1e-5)
        assert not one.model.training


def test_validation_picks_the_rate_and_a_silly_one_is_never_picked():
    many = fit_many(
        Sum, stack_parts(parts(60, 0)), stack_parts(parts(60, 9)), seeds=SEEDS, learning_rates=(1e-9, 1e-2), epochs=20
    )
    assert [one.learning_rate for one in many] == [1e-2] * 3


def test_training_stops_when_no_seed_gets_better():
    many = fit_many(
        Sum, stack_parts(parts(12, 0)), stack_parts(parts(12, 9)), seeds=SEEDS, epochs=500, patience=3,
        learning_rates=(5e-2,),
    )  # fmt: skip
    last = max(one.history.best for one in many)
    assert len(many[0].history.train_loss) == last + 4


def test_it_overfits_one_batch_with_dropout_and_leaves_frozen_weights_alone():
    def build():
        model = Sum(dropout=0.1)
        model.a.requires_grad_(False)
        return model

    batch = stack_parts(parts(16, 0))
    many = fit_many(
        build, batch, batch, seeds=SEEDS, epochs=300, patience=300, learning_rates=(2e-2,), weight_decay=0.0
    )
    for i, seed in enumerate(SEEDS):
        torch.manual_seed(seed)
        assert torch.equal(many[i].model.a.weight, build().a.weight)
        assert evaluate(many[i].model, {k: v[i] for k, v in batch[0].items()}, batch[1][i]) == 1.0


def test_dropout_acts_in_training_and_differs_from_seed_to_seed():
    one = part(16, 0)
    same = stack_parts([one] * 3)
    first = {}
    for dropout in (0.0, 0.5):
        build = lambda dropout=dropout: torch.manual_seed(0) and Sum(dropout)  # noqa: E731
        many = fit_many(build, same, same, seeds=SEEDS, epochs=1, batch_size=16)
        first[dropout] = [round(f.history.train_loss[0], 5) for f in many]
    assert len(set(first[0.0])) == 1  # one batch, one model
    assert len({*first[0.5], first[0.0][0]}) == 4


def test_attention_can_be_stacked():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, text):
            return self.head(self.attention(text, text, text, need_weights=False)[0].mean(dim=1))

    train = [({"text": torch.randn(20, 3, 4)}, torch.randint(2, (20,))) for _ in SEEDS]
    many = fit_many(Attends, stack_parts(train), stack_parts(train), seeds=SEEDS, epochs=3)
    assert all(one.history.train_loss[-1] < one.history.train_loss[0] for one in many)


def test_faults_are_named():
    good = stack_parts(parts(8, 0))
    with pytest.raises(ValueError, match=r"train: inputs .* begin with \(seeds=2, items\)"):
        fit_many(Sum, good, good, seeds=SEEDS[:2])
    with pytest.raises(ValueError, match="not finite"):
        fit_many(Sum, ({k: v * float("nan") for k, v in good[0].items()}, good[1]), good, seeds=SEEDS)
    with pytest.raises(ValueError, match="batch normalisation"):
        fit_many(lambda: nn.BatchNorm1d(4), good, good, seeds=SEEDS)
