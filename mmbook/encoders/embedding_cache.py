"""Embeddings on disk, keyed by weights and inputs. Two kernels may write the same one at once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch


def cache_folder() -> Path:
    """``$MMBOOK_CACHE``, else ``~/.cache/mmbook``."""
    return Path(os.environ.get("MMBOOK_CACHE") or Path.home() / ".cache" / "mmbook")


def cached(parts: list[bytes], compute: Callable[[], torch.Tensor]) -> torch.Tensor:
    """The tensor for this key: read when it is there and whole, else computed and kept.

    The file appears under its name in one step (temporary file, then rename), so a reader sees a
    whole file or none; of two writers the last wins with the same content. A cache that can't be
    written or read costs time, never a result.

    Args:
        parts: everything the result depends on.
        compute: makes the tensor.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    path = cache_folder() / f"{digest.hexdigest()}.npy"
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        pass  # not there, or damaged: made anew
    result = compute()
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            np.save(file, result.numpy(), allow_pickle=False)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return result
