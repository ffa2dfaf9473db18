"""Vendored weights that ``scripts/prepare_model.py`` trained: one folder a model.

``weights.safetensors``, ``made.json`` (how they came to be: command, seed, epochs, what was measured, SHA-256) and
``card.toml`` (what they are for, licence, limits).
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mmbook.datasets.store import DamagedDataError, sha256

MODELS = Path(__file__).parent
WEIGHTS, MADE, CARD = "weights.safetensors", "made.json", "card.toml"


def load_weights(name: str) -> dict[str, torch.Tensor]:
    """The weights of a vendored model as float32, after their SHA-256 was checked.

    Raises:
        DamagedDataError: they are missing, or are not the ones that ``made.json`` tells of.
    """
    path = MODELS / name / WEIGHTS
    cure = f"restore it from the repository, or train it with `python scripts/prepare_model.py {name}`"
    if not path.is_file():
        raise DamagedDataError(f"{path}: vendored weights are missing; {cure}")
    if sha256(path) != load_made(name)["sha256"]:
        raise DamagedDataError(f"{path}: SHA-256 differs from made.json; {cure}")
    return {key: value.float() for key, value in load_file(path).items()}


def load_made(name: str) -> dict[str, Any]:
    """How the weights came to be, and what was measured on held-out data.

    Raises:
        DamagedDataError: there is no such record.
    """
    return json.loads(_text(name, MADE))


def load_card(name: str) -> dict[str, Any]:
    """What the model is for, its licence and its limits.

    Raises:
        DamagedDataError: there is no such card.
    """
    return tomllib.loads(_text(name, CARD))


def _text(name: str, file: str) -> str:
    path = MODELS / name / file
    if not path.is_file():
        raise DamagedDataError(f"{path}: missing; restore it from the repository or reinstall mmbook")
    return path.read_text(encoding="utf-8")
