"""A claim holds, or raises with its numbers; in a notebook its record reaches the build."""

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from mmbook.claims import MIME, ClaimError, claim, claim_equivalence, claim_exact, claim_items, claim_order
from mmbook.statistics import mean_interval


def test_difference_compares_the_lower_end_with_the_margin():
    values = [0.10, 0.11, 0.12, 0.13, 0.14]
    low = mean_interval(values).low
    made = claim("a beats b", values, at_least=low - 1e-9)
    assert made.holds
    assert (made.kind, made.seeds) == ("difference", 5)
    with pytest.raises(ClaimError, match=r"FAILS: a beats b \| found \+0.12, 95 % interval"):
        claim("a beats b", values, at_least=low + 1e-9)


def test_words_say_what_was_found_and_asked():
    values = [0.26, 0.27, 0.28]
    made = claim("a beats b", values, at_least=0.15, unit="points", covers="data drawn anew", unwelcome=True)
    assert made.found == "+27.0 points, 95 % interval 24.5 to 29.5, 3 values"
    assert made.asked == "at least 15.0 points more"
    assert made.row() == f"holds: a beats b | found {made.found} (data drawn anew); asked {made.asked}"
    assert (made.unit, made.covers, made.unwelcome) == ("points", "data drawn anew", True)
    assert claim("a is not worse", values, at_least=-0.02, unit="points").asked == "at most 2.0 points less"
    assert claim("a is not worse", values, at_least=0).asked == "not less"
    assert (
        claim("b loses", [-0.5, -0.501, -0.499], at_least=-1).found == "−0.5, 95 % interval −0.502 to −0.498, 3 values"
    )
    assert claim_equivalence("same", [0.01, 0.0, -0.01], within=0.05, unit="bits").asked == "within ±0.05 bits"
    assert claim_exact("equal", [1.0], [1.0]).found == "equal"
    assert claim_exact("equal", [1.0], [1.0], tolerance=1e-6).asked == "equal up to 1e-06"
    ordered = claim_order("rising", {"one": [0.1, 0.2, 0.3], "two": [0.2, 0.3, 0.4]}, at_least=0.05, unit="points")
    assert ordered.found.startswith("smallest step +10.0 points")
    assert ordered.asked == "each step at least 5.0 points more"


def test_splits_of_one_pool_need_a_wider_margin():
    """A quarter as many test as training items: the variance grows from 1/5 to 1/5 + 1/4."""
    values = [0.10, 0.11, 0.12, 0.13, 0.14]
    plain, corrected = claim("a", values, at_least=0), claim("a", values, at_least=0, test_to_train=0.25)
    ratio = (corrected.effect - corrected.low) / (plain.effect - plain.low)
    assert ratio == pytest.approx((0.45 / 0.2) ** 0.5)


def test_equivalence_needs_the_whole_interval_inside():
    assert claim_equivalence("same", [0.01, -0.01, 0.0, 0.005], within=0.02).holds
    with pytest.raises(ClaimError):
        claim_equivalence("same", [0.01, -0.01, 0.0, 0.005], within=0.005)
    with pytest.raises(ClaimError):
        claim_equivalence("same", [0.05, 0.05, 0.05], within=0.02)


def test_exact_compares_the_largest_difference():
    a = torch.tensor([1.0, 2.0])
    assert claim_exact("equal", a, a.clone()).holds
    assert claim_exact("nearly", a, a + 1e-7, tolerance=1e-5).holds
    with pytest.raises(ClaimError, match="largest difference"):
        claim_exact("equal", a, a + 1e-3, tolerance=1e-5)
    with pytest.raises(ClaimError, match="shapes"):
        claim_exact("equal", a, a[:1])
    with pytest.raises(ClaimError):
        claim_exact("not a number is not equal", a, a * float("nan"))


def test_order_reports_its_smallest_step():
    arms = {"one": [0.5, 0.51, 0.49], "two": [0.6, 0.61, 0.59], "three": [0.9, 0.91, 0.89]}
    assert claim_order("rising", arms).effect == pytest.approx(0.1)
    with pytest.raises(ClaimError):
        claim_order("falling", dict(reversed(arms.items())))
    with pytest.raises(ClaimError):
        claim_order("rising by a lot", arms, at_least=0.2)


def test_an_order_is_judged_by_the_lower_end_of_each_step_not_by_its_mean():
    """The first step is larger on average and unsure; the second is smaller and sure."""
    zero = [0.0, 0.0, 0.0, 0.0]
    unsure = [0.1, 0.5, 0.1, 0.5]  # mean 0.3, interval down to about -0.07
    arms = {"one": zero, "two": unsure, "three": [x + 0.2 for x in unsure]}
    with pytest.raises(ClaimError, match=r"smallest step \+0.3"):
        claim_order("rising", arms, at_least=0.0)
    assert claim_order("rising", arms, at_least=-0.1).effect == pytest.approx(0.3)


def test_equivalence_is_judged_by_both_ends():
    for values in ([0.0, 0.0, 0.06], [0.0, 0.0, -0.06]):
        with pytest.raises(ClaimError):
            claim_equivalence("same", values, within=0.05)


def test_items_use_the_paired_bootstrap():
    a, b = [1, 1, 1, 0] * 50, [1, 0, 1, 0] * 50
    made = claim_items("a beats b", a, b, at_least=0.1)
    assert made.effect == pytest.approx(0.25)
    assert 0.1 < made.low < 0.25 < made.high


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.2]])
def test_too_few_values_are_no_evidence(values):
    with pytest.raises(ValueError, match="at least 3"):
        claim("a beats b", values, at_least=0)


def test_a_claim_needs_a_sentence():
    with pytest.raises(ValueError, match="statement"):
        claim("  ", [1, 1, 1], at_least=0)


def test_the_record_reaches_the_notebook_even_when_the_claim_fails():
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(
            "from mmbook.claims import claim\n_ = claim('1 < 2 & so on', [1, 1.1, 1.2], at_least=0.5)"
        ),
        nbformat.v4.new_code_cell("_ = claim('false', [1, 1.1, 1.2], at_least=2)"),
    ]
    NotebookClient(notebook, allow_errors=True).execute()
    held, failed = (next(o for o in cell.outputs if o.output_type == "display_data") for cell in notebook.cells)
    assert set(held.data[MIME]) == {
        *("statement", "kind", "effect", "low", "high", "at_least", "seeds", "holds"),
        *("found", "asked", "unit", "covers", "unwelcome"),
    }
    assert held.data[MIME]["holds"] is True
    assert "1 &lt; 2 &amp; so on" in held.data["text/html"]
    assert failed.data[MIME]["holds"] is False
    assert notebook.cells[1].outputs[-1].ename == "ClaimError"
