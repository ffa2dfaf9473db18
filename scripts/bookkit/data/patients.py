"""Patients with adrenocortical carcinoma: the data set miniACC of the R package MultiAssayExperiment."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bookkit.data.packages import DebPackage
from bookkit.data.rdata import MISSING, RObject, read_rdata, walk

PACKAGE = DebPackage(
    "r-bioc-multiassayexperiment", "1.24.0+dfsg-2", "3ff729e9a8ecafdd3994430ce0d47d939ac9fea1fc78211cb4aae0f4ece017dd"
)
FILE = "usr/lib/R/site-library/MultiAssayExperiment/data/miniACC.RData"
LICENCE = "usr/share/doc/r-bioc-multiassayexperiment/copyright"
STAGES = {"stage i": 1, "stage ii": 2, "stage iii": 3, "stage iv": 4}
# Rows and columns (patients) of each matrix in the file -> its kind; of these, counts become log2(count + 1).
KINDS = {(198, 79): "RNA", (198, 90): "copy number", (33, 46): "protein", (97, 90): "mutations", (471, 80): "microRNA"}
COUNTS = ("RNA", "microRNA")
WHOLE = ("copy number", "mutations")  # small integers


def prepare(out: Path, downloads: Path) -> None:
    """Write ``patients.npz``, ``columns.json`` and ``LICENSES.txt`` into ``out``; barcodes of patients are left out.

    Raises:
        ValueError: a matrix that names a patient twice or not at all.
    """
    folder = PACKAGE.fetch(downloads)
    whole = read_rdata(folder / FILE)["miniACC"]
    table = whole.attributes["colData"].attributes["listData"].named()
    people = {code: row for row, code in enumerate(table["patientID"].value)}
    arrays, columns = _clinical(table), {"clinical": ["age", "male", "stage"]}
    for kind, matrix in _matrices(whole):
        names, barcodes = (axis.value for axis in matrix.attributes["dimnames"].value)
        rows = [people[code[:12]] for code in barcodes]
        if len(set(rows)) != len(rows):
            raise ValueError(f"{kind}: a patient stands there twice")
        values = np.reshape(matrix.value, (len(rows), len(names)))  # R goes through columns first
        values = np.log2(values + 1) if kind in COUNTS else values
        arrays[kind] = np.zeros((len(people), len(names)), dtype=np.int8 if kind in WHOLE else np.float16)
        arrays[kind][rows] = values
        arrays[f"{kind}, present"] = np.isin(np.arange(len(people)), rows)
        columns[kind] = names
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "patients.npz", **arrays)  # type: ignore[arg-type]
    (out / "columns.json").write_text(json.dumps(columns, indent=0) + "\n", encoding="utf-8")
    (out / "LICENSES.txt").write_text(_licence(folder / LICENCE), encoding="utf-8")


def _clinical(table: dict[str, RObject]) -> dict[str, np.ndarray]:
    stage = [STAGES.get(name, 0) for name in table["pathologic_stage"].value]
    male = [name == "male" for name in table["gender"].value]
    died, followed = table["days_to_death"].value, table["days_to_last_followup"].value
    return {
        "clinical": np.array([table["years_to_birth"].value, male, stage], dtype=np.int8).T,
        "deceased": table["vital_status"].value.astype(np.int8),
        "days": np.where(died == MISSING, followed, died).astype(np.int16),
    }


def _matrices(whole: RObject) -> list[tuple[str, RObject]]:
    found = [o for o in walk(whole) if len(o.attributes.get("dim", RObject([])).value) == 2]
    return sorted((KINDS[tuple(o.attributes["dim"].value.tolist())], o) for o in found)


def _licence(path: Path) -> str:
    head = (
        f"patients.npz, columns.json: made from miniACC.RData of the Debian package {PACKAGE.name} {PACKAGE.version}.\n"
        "What was changed: barcodes of patients and most clinical columns left out, counts as log2(count + 1), numbers\n"
        "rounded to half precision. The program that did it is scripts/bookkit/data/patients.py of this course.\n"
        "The measurements are open-access data of The Cancer Genome Atlas (TCGA). Nobody may use them to identify a\n"
        "patient.\n\nThe licence of the package:\n\n"
    )
    return head + path.read_text(encoding="utf-8")
