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
    model, history = fit(Sum, data(64, 1), data(64, 2), seed=seed, **options)
    return model, history


def test_same_seed_same_weights_other_seed_other_weights():
    one, two, three = (trained(s, epochs=3)[0].state_dict() for s in (5, 5, 6))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], three[k]) for k in one)


def test_it_overfits_one_batch():
    batch = data(16)
    model, _ = fit(Sum, batch, batch, seed=0, epochs=300, learning_rate=1e-2, weight_decay=0, patience=300)
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
    fit(lambda: model, data(), data(), seed=0, epochs=2)
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
        fit(Sum, (inputs, target[:5]), (inputs, target), seed=0)
    with pytest.raises(ValueError, match="not finite"):
        fit(Sum, ({k: v * float("nan") for k, v in inputs.items()}, target), (inputs, target), seed=0)


def test_accuracy_counts():
    assert accuracy(torch.eye(4), torch.tensor([0, 1, 2, 0])) == 0.75


class Watched(nn.Module):
    """Notes which items it sees, and in which mode."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.seen: list[list[int]] = []
        self.modes: list[bool] = []

    def forward(self, number: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            self.seen.append(number[:, 0].long().tolist())
            self.modes.append(self.training)
        return number * self.weight


def watched(epochs: int = 2, **options) -> Watched:
    model = Watched()
    part = ({"number": torch.arange(20.0).unsqueeze(1).expand(-1, 2)}, torch.zeros(20, dtype=torch.long))
    fit(lambda: model, part, part, seed=3, epochs=epochs, batch_size=8, **options)
    return model


def test_each_epoch_sees_every_item_once_in_another_order():
    model = watched()
    assert [len(batch) for batch in model.seen] == [8, 8, 4] * 2
    first, second = sum(model.seen[:3], []), sum(model.seen[3:], [])
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert list(range(20)) not in (first, second)


def test_training_is_done_in_training_mode_in_each_epoch():
    assert watched().modes == [True] * 6


@pytest.mark.parametrize(("patience", "epochs"), [(1, 4), (3, 9), (50, 9)])
def test_patience_counts_epochs_without_a_better_validation_loss(patience, epochs):
    """The losses fall until epoch 2, rise once, fall to a new best in epoch 5 and then only rise."""
    losses = iter([0.9, 0.8, 0.7, 0.75, 0.71, 0.6, 0.7, 0.7, 0.7])

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return logits.square().mean() if logits.requires_grad else torch.tensor(next(losses))

    model = Watched()
    part = ({"number": torch.ones(4, 2)}, torch.zeros(4, dtype=torch.long))
    _, history = fit(lambda: model, part, part, seed=0, epochs=9, batch_size=4, patience=patience, loss=loss)
    assert len(history.validation_loss) == epochs
    assert history.best == (2 if patience == 1 else 5)


def test_the_epoch_that_is_kept_is_the_best_not_the_last():
    losses = iter([0.5, 0.9, 0.9])
    weights = []

    def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if logits.requires_grad:
            return (logits - 1).square().mean()
        weights.append(model.weight.detach().clone())
        return torch.tensor(next(losses))

    model = Watched()
    part = ({"number": torch.ones(4, 2)}, torch.zeros(4, dtype=torch.long))
    fit(lambda: model, part, part, seed=0, epochs=3, batch_size=4, loss=loss, learning_rate=0.1)
    assert torch.equal(model.weight, weights[0])
    assert not torch.equal(weights[0], weights[2])


def test_each_step_has_the_gradient_of_its_own_batch():
    """The loss is the sum of number * weight, so the gradient is the sum of the numbers of the last batch alone."""
    model = watched(epochs=1, loss=lambda logits, target: logits.sum())
    assert model.weight.grad.tolist() == [sum(model.seen[-1])] * 2


def test_weight_decay_reaches_the_optimizer():
    one, two = watched(epochs=5, weight_decay=0.0), watched(epochs=5, weight_decay=10.0)
    assert two.weight.abs().sum() < one.weight.abs().sum()


def test_prediction_turns_dropout_off():
    model = nn.Dropout(0.5)
    assert torch.equal(predict(model.train(), {"input": torch.ones(100)}), torch.ones(100))
