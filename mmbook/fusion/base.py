"""What every fusion operator is: a dict of named tensors in, one tensor out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


class Fusion(nn.Module):
    """Fuses named tensors; subclasses write ``forward`` and start it with ``self.ordered(inputs)``.

    Modalities are always read in sorted order of their names, so a result never depends on the order
    of a dict (after torchmultimodal's ``late_fusion.py``).

    Attributes:
        dims: name -> length of the last axis, sorted by name.
        dim: length of the last axis of the result.
        optional: names that may be missing from the inputs; the others must be there.
    """

    optional: frozenset[str] = frozenset()

    def __init__(self, dims: Mapping[str, int], dim: int) -> None:
        super().__init__()
        if not dims or min(*dims.values(), dim) < 1:
            raise ValueError(
                f"{type(self).__name__} needs modalities and sizes of at least 1, got {dict(dims)} and {dim}"
            )
        self.dims = dict(sorted(dims.items()))
        self.dim = dim

    def ordered(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The inputs in sorted order of their names, checked.

        Raises:
            KeyError: a modality is missing that must not be, none is there, or one is unknown.
            ValueError: a tensor's last axis has another length than was declared.
        """
        known, given = set(self.dims), set(inputs)
        missing, extra = sorted(known - given - self.optional), sorted(given - known)
        if missing or extra or not given:
            faults = [f"missing modality: {name}" for name in missing or (sorted(known) if not given else [])]
            faults += [f"unknown modality: {name}" for name in extra]
            raise KeyError(f"{type(self).__name__}: {'; '.join(faults)}; it was built for {', '.join(self.dims)}")
        for name in given:
            if inputs[name].shape[-1] != self.dims[name]:
                found, wanted = inputs[name].shape[-1], self.dims[name]
                raise ValueError(f"{type(self).__name__}: {name} has {found} numbers per item, not {wanted}")
        return {name: inputs[name] for name in self.dims if name in given}

    @property
    def parameter_count(self) -> int:
        """Numbers that training changes."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)
