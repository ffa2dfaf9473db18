"""The patients: what the card says, gaps where they were, values that the source's own documentation states."""

import pytest
import torch

from mmbook.datasets.patients import KINDS, load_patients


@pytest.fixture(scope="module")
def patients():
    return load_patients()


def test_size_form_and_card(patients):
    size = patients.card["size"]
    assert len(patients) == size["patients"] == 92
    assert int(patients.complete.sum()) == size["with_all_six"] == 43
    assert int(patients.deceased.sum()) == size["deceased"] == 34
    assert set(patients.measurements) == set(patients.present) == set(patients.columns) == set(KINDS)
    for kind, values in patients.measurements.items():
        assert values.dtype == torch.float32
        assert values.shape == (92, len(patients.columns[kind]))
        assert len(set(patients.columns[kind])) == values.shape[1]


@pytest.mark.parametrize(
    ("kind", "columns", "people"),
    [("RNA", 198, 79), ("copy number", 198, 90), ("protein", 33, 46), ("mutations", 97, 90), ("microRNA", 471, 80)],
)
def test_as_many_as_the_source_says(patients, kind, columns, people):
    """The numbers of the help page of miniACC."""
    assert patients.measurements[kind].shape[1] == columns
    assert int(patients.present[kind].sum()) == people


def test_a_kind_is_there_whole_or_not_at_all(patients):
    for kind, values in patients.measurements.items():
        known = values.isfinite() if kind != "clinical" else values[:, :2].isfinite()
        assert torch.equal(known.all(dim=1), patients.present[kind])
        assert torch.equal(known.any(dim=1), patients.present[kind])
    assert int(patients.measurements["clinical"][:, 2].isnan().sum()) == 2


def test_values_of_three_patients_stand_where_they_stood(patients):
    """Read by hand from the source: the first patients of the table, and genes of the matrices."""
    assert patients.measurements["clinical"][:3].tolist() == [[58, 1, 2], [44, 0, 4], [23, 0, 3]]
    assert patients.deceased[:4].tolist() == [1, 1, 0, 1]
    assert patients.days[:4].tolist() == [1355, 1677, 2091, 423]
    assert patients.columns["RNA"][:2] == ["DIRAS3", "MAPK14"]
    counts = patients.measurements["RNA"][0, :2].exp2() - 1
    assert torch.allclose(counts, torch.tensor([1487.0317, 778.5783]), rtol=5e-3)
    counts = patients.measurements["microRNA"][0, :3].exp2() - 1
    assert torch.allclose(counts, torch.tensor([76213.0, 151321.0, 77498.0]), rtol=1e-2)
    assert not patients.present["protein"][0]  # the array begins with the second patient
    assert torch.allclose(patients.measurements["protein"][1, :2], torch.tensor([-0.0852, -0.2165]), atol=1e-3)


def test_values_are_what_their_kind_can_be(patients):
    def known(kind):
        return patients.measurements[kind][patients.present[kind]]

    assert set(known("mutations").unique().tolist()) == {0.0, 1.0}
    assert set(known("copy number").unique().tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert known("mutations").sum(dim=0).max() == 1  # a limit that the card names
    assert known("RNA").min() >= 0
    assert known("microRNA").min() >= 0
    assert (patients.days >= 0).all()


def test_no_barcode_of_a_patient_is_shipped(patients):
    assert not [name for names in patients.columns.values() for name in names if name.startswith("TCGA")]
