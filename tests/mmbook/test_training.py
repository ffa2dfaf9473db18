"""The training loop: seeded, stops early, keeps the best epoch, and can overfit one batch."""

import pytest
import torch
from torch import nn

from mmbook.training import accuracy, evaluate, fit, parameter_count, predict, set_seed, shuffled


class Sum(nn.Module):
    """Logits from the sum of two projected modalities."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 16), nn.Linear(6, 16)
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))

    def forward(self, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.a(text) + self.b(image))


def data(count: int = 32, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    inputs = {"text": torch.randn(count, 4, generator=generator), "image": torch.randn(count, 6, generator=generator)}
    return inputs, torch.randint(3, (count,), generator=generator)


def trained(seed: int, **options):
    set_seed(seed)
    model = Sum()
    history = fit(model, data(64, 1), data(64, 2), seed=seed, **options)
    return model, history


def test_same_seed_same_weights_other_seed_other_weights():
    one, two, three = (trained(s, epochs=3)[0].state_dict() for s in (5, 5, 6))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], three[k]) for k in one)


def test_it_overfits_one_batch():
    set_seed(0)
    model, batch = Sum(), data(16)
    fit(model, batch, batch, seed=0, epochs=300, learning_rate=1e-2, weight_decay=0, patience=300)
    assert evaluate(model, *batch) == 1.0


def test_it_stops_early_and_keeps_the_best_epoch():
    model, history = trained(0, epochs=200, learning_rate=3e-2, patience=4)
    assert len(history.train_loss) < 200
    assert history.best == min(range(len(history.validation_loss)), key=history.validation_loss.__getitem__)
    inputs, target = data(64, 2)
    kept = nn.functional.cross_entropy(predict(model, inputs), target).item()
    assert kept == pytest.approx(history.validation_loss[history.best], abs=1e-6)
    assert not model.training


def test_prediction_does_not_depend_on_the_batch_size():
    model, _ = trained(0, epochs=1)
    inputs, _ = data(50)
    assert torch.allclose(predict(model, inputs, batch_size=7), predict(model, inputs), atol=1e-6)


def test_frozen_parameters_stay_and_are_not_counted():
    set_seed(0)
    model = Sum()
    model.a.requires_grad_(False)
    before = model.a.weight.clone()
    fit(model, data(), data(), seed=0, epochs=2)
    assert torch.equal(before, model.a.weight)
    assert parameter_count(model) == parameter_count(model, trainable=False) - 4 * 16 - 16


def test_shuffled_permutes_one_modality_only():
    inputs, _ = data(50)
    control = shuffled(inputs, "image", seed=3)
    assert torch.equal(control["text"], inputs["text"])
    assert not torch.equal(control["image"], inputs["image"])
    assert torch.equal(control["image"].sort(dim=0).values, inputs["image"].sort(dim=0).values)
    with pytest.raises(KeyError, match="image, text"):
        shuffled(inputs, "audio", seed=3)


def test_faults_are_named():
    inputs, target = data()
    with pytest.raises(ValueError, match="train: inputs"):
        fit(Sum(), (inputs, target[:5]), (inputs, target), seed=0)
    with pytest.raises(ValueError, match="not finite"):
        fit(Sum(), ({k: v * float("nan") for k, v in inputs.items()}, target), (inputs, target), seed=0)


def test_accuracy_counts():
    assert accuracy(torch.eye(4), torch.tensor([0, 1, 2, 0])) == 0.75
