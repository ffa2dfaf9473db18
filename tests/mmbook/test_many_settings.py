"""Every pair of a seed and a setting learns what it would learn alone, and validation picks one per seed."""

import math

import pytest
import torch
from torch import nn

from mmbook.many_seeds import stack_parts
from mmbook.many_settings import cross_entropy, fit_settings
from mmbook.training import set_seed

SEEDS = (3, 4)


class Small(nn.Module):
    def __init__(self, widths=(("wide", 12), ("narrow", 2)), bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.read = nn.ModuleDict({m: nn.Linear(n, 5, bias=bias) for m, n in widths})
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()
        self.out = nn.Linear(5, 3)

    def forward(self, **blocks):
        return self.out(self.drop(sum(self.read[m](x) for m, x in blocks.items()).relu()))


class OneWeight(nn.Module):
    """Logits (w1 x, w2 x) that start at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.ModuleDict({"x": nn.Linear(1, 2, bias=False)})
        nn.init.zeros_(self.read["x"].weight)

    def forward(self, x):
        return self.read["x"](x)


def part(count: int, seed: int):
    g = torch.Generator().manual_seed(seed)
    x = {"wide": torch.randn(count, 12, generator=g), "narrow": torch.randn(count, 2, generator=g)}
    return x, (x["narrow"][:, 0] > 0).long() + (x["wide"][:, 0] > 0).long()


def parts(count: int, offset: int):
    return stack_parts([part(count, seed + offset) for seed in SEEDS])


DATA = {"train": parts(40, 0), "validation": parts(30, 100), "test": parts(20, 200)}


def alone(i, setting, optimiser, epochs, every):
    """The same by a plain loop over one network: validation losses and the kept test logits."""
    x, y = ({m: v[i] for m, v in DATA["train"][0].items()}, DATA["train"][1][i])
    held, known = ({m: v[i] for m, v in DATA["validation"][0].items()}, DATA["validation"][1][i])
    set_seed(SEEDS[i])
    model = Small()
    step = optimiser(model.parameters(), lr=setting[0], weight_decay=setting[1])
    g = torch.Generator().manual_seed(SEEDS[i])
    losses, kept = [], None
    for epoch in range(1, epochs + 1):
        for rows in torch.randperm(len(y), generator=g).split(16):
            step.zero_grad()
            nn.functional.cross_entropy(model(**{m: v[rows] for m, v in x.items()}), y[rows]).backward()
            step.step()
        if epoch % every == 0:
            with torch.no_grad():
                losses.append(nn.functional.cross_entropy(model(**held), known).item())
                if losses[-1] == min(losses):
                    kept = model(**{m: v[i] for m, v in DATA["test"][0].items()})
    return losses, kept


@pytest.mark.parametrize("optimiser", [torch.optim.SGD, torch.optim.AdamW])
def test_each_seed_and_setting_is_the_network_that_a_plain_loop_trains(optimiser):
    settings = [(0.01, 0.0), (0.03, 0.5)]
    found = fit_settings(Small, DATA, settings, seeds=SEEDS, optimiser=optimiser, batch_size=16, epochs=8)
    for i in range(2):
        for k, setting in enumerate(settings):
            losses, kept = alone(i, setting, optimiser, epochs=8, every=2)
            assert found.curve["validation"][:, i, k].tolist() == pytest.approx(losses, abs=1e-5)
            assert found.best[i, k].item() == pytest.approx(min(losses), abs=1e-5)
            assert found.epoch[i, k] == 2 * (losses.index(min(losses)) + 1)
            assert torch.allclose(found.test[i, k], kept, atol=1e-4)


def test_one_step_by_hand():
    # One item x = 1 of class 0: p = 1/2 each, the gradient of (w1, w2) is (-1/2, 1/2), and at rate 1 the weights become
    # (1/2, -1/2). So the logits differ by 1, and the loss falls from log 2 to log(1 + 1/e).
    one = ({"x": torch.ones(1, 1, 1)}, torch.zeros(1, 1, dtype=torch.long))
    data = {"train": one, "validation": one, "test": one}
    found = fit_settings(
        OneWeight, data, [(1.0, 0.0), (0.0, 0.0)], seeds=(0,), optimiser=torch.optim.SGD, every=1, epochs=1
    )
    assert found.test[0, 0, 0].tolist() == [0.5, -0.5]
    assert found.curve["train"].flatten().tolist() == pytest.approx([math.log(2)] * 2)
    assert found.best[0].tolist() == pytest.approx([math.log(1 + 1 / math.e), math.log(2)])
    assert found.picked().tolist() == [0]
    assert found.logits().tolist() == [[[0.5, -0.5]]]
    assert found.accuracy().tolist() == [1.0]


def test_cross_entropy_by_hand():
    logits = torch.tensor([0.0, math.log(3)]).expand(1, 2, 4, 2)  # probabilities 1/4 and 3/4
    target = torch.tensor([[0, 1, 1, 1]])
    expected = (math.log(4) + 3 * math.log(4 / 3)) / 4
    assert cross_entropy(logits, target).tolist() == [pytest.approx([expected] * 2)]


def test_a_setting_stops_alone_and_does_not_change_the_others():
    options = {"seeds": SEEDS, "batch_size": 16, "patience": 2, "epochs": 40}
    both = fit_settings(Small, DATA, [(1e-9, 0.0), (0.01, 0.0)], **options)
    one = fit_settings(Small, DATA, [(0.01, 0.0)], **options)
    assert both.curve["validation"][:, 0, 0].isfinite().sum() == 3  # the first check and two without a fall
    assert both.curve["validation"][:, 0, 1].isfinite().sum() > 3
    assert torch.allclose(both.best[:, 1], one.best[:, 0], atol=1e-6)


def test_a_loss_that_is_not_finite_is_never_picked():
    found = fit_settings(
        Small, DATA, [(1e20, 0.0), (0.01, 0.0)], seeds=SEEDS, optimiser=torch.optim.SGD, batch_size=16, epochs=4
    )
    assert found.picked().tolist() == [1, 1]


def test_what_it_refuses():
    with pytest.raises(ValueError, match="at least one pair"):
        fit_settings(Small, DATA, [], seeds=SEEDS)
    with pytest.raises(ValueError, match=r"must begin with \(seeds=3, items\)"):
        fit_settings(Small, DATA, [(0.01, 0.0)], seeds=(1, 2, 3))
    with pytest.raises(ValueError, match="the model needs `read`"):
        fit_settings(lambda: Small((("wide", 12),)), DATA, [(0.01, 0.0)], seeds=SEEDS)
    with pytest.raises(ValueError, match="dropout"):
        fit_settings(lambda: Small(dropout=0.5), DATA, [(0.01, 0.0)], seeds=SEEDS)
