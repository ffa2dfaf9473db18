"""Calibration error by hand, and the temperature that was put in."""

import pytest
import torch

from mmbook.calibration import calibration_error, fit_temperature


def test_calibration_error_by_hand():
    """Bins of a tenth: two items at .9, one of them right (gap .4); one at .6, right (gap .4)."""
    probabilities = torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4]])
    assert calibration_error(probabilities, torch.tensor([0, 0, 0]), bins=10) == pytest.approx(0.4, abs=1e-6)
    right = torch.tensor([0, 1, 0])  # gaps .1 and .4
    assert calibration_error(probabilities, right, bins=10) == pytest.approx(2 / 3 * 0.1 + 1 / 3 * 0.4, abs=1e-6)


def test_certain_and_right_is_calibrated_certain_and_wrong_is_not():
    sure = torch.eye(3)
    assert calibration_error(sure, torch.arange(3)) == 0
    assert calibration_error(sure, torch.tensor([1, 2, 0])) == 1
    with pytest.raises(ValueError, match="softmax"):
        calibration_error(2 * sure, torch.arange(3))


def test_the_temperature_that_was_put_in_is_found():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 4, generator=generator)
    target = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator).flatten()
    assert fit_temperature(logits, target) == pytest.approx(1, abs=0.03)
    assert fit_temperature(3 * logits, target) == pytest.approx(3, abs=0.1)
    assert calibration_error((3 * logits / fit_temperature(3 * logits, target)).softmax(dim=-1), target) < 0.01
