"""92 real patients with a rare cancer, six kinds of measurement, and gaps: not everybody had every test.

From the R package MultiAssayExperiment (``miniACC``), through ``scripts/prepare_data.py patients``; sources, licences
and limits stand in the card. Not for clinical use, and not to be used to identify anybody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmbook.datasets.store import load_card, verified

KINDS = ("clinical", "copy number", "microRNA", "mutations", "protein", "RNA")


@dataclass(frozen=True)
class Patients:
    """All patients; tensors are aligned: position ``i`` is one person everywhere.

    Attributes:
        measurements: kind -> float32 (92, columns). A person who lacks a kind has NaN in its whole row.
            ``clinical`` (3): age at diagnosis in years, 1 for male, stage 1 to 4 (NaN for the two without one);
            ``copy number`` (198): copies of a gene in the tumour, −2 (lost) to 2 (many), as GISTIC calls them;
            ``microRNA`` (471) and ``RNA`` (198): log2(count + 1); ``mutations`` (97): 1 if the gene has a mutation
            that is not silent; ``protein`` (33): amount relative to other samples (reverse-phase array).
        present: kind -> bool (92,), who was measured.
        columns: kind -> names, such as genes.
        deceased: int64 (92,), 1 for those whose death was recorded. The others lived when last heard of.
        days: int64 (92,), from diagnosis to death or to the last news. Part of the outcome: never an input.
        card: source, licence, limits.
    """

    measurements: dict[str, torch.Tensor]
    present: dict[str, torch.Tensor]
    columns: dict[str, list[str]]
    deceased: torch.Tensor
    days: torch.Tensor
    card: dict[str, Any]

    def __len__(self) -> int:
        return len(self.deceased)

    @property
    def complete(self) -> torch.Tensor:
        """bool (92,): who has all six kinds (a missing stage is not counted as a missing kind)."""
        return torch.stack(list(self.present.values())).all(dim=0)


def load_patients() -> Patients:
    """Load every patient. Licence: Artistic-2.0 (package), open-access data of TCGA (measurements).

    Raises:
        DamagedDataError: a vendored file is missing or changed.
    """
    with np.load(verified("patients/patients.npz")) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    everybody = torch.ones(len(arrays["deceased"]), dtype=torch.bool)
    present = {kind: arrays.get(f"{kind}, present", everybody) for kind in KINDS}
    measurements = {kind: arrays[kind].float() for kind in KINDS}
    for kind, values in measurements.items():
        values[~present[kind]] = torch.nan
    stage = measurements["clinical"][:, 2]
    stage[stage == 0] = torch.nan  # a view: changes the table
    return Patients(
        measurements=measurements,
        present=present,
        columns=json.loads(verified("patients/columns.json").read_text(encoding="utf-8")),
        deceased=arrays["deceased"].long(),
        days=arrays["days"].long(),
        card=load_card("patients"),
    )
