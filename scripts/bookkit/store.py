"""The jupyter-cache between execution and rendering, and what each record was made from."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn


class Store:
    """Executed notebooks by their code, each with the key it was made under.

    jupyter-cache looks a notebook up by its code cells alone, so a record counts only while its key
    (which also covers helpers, data, pins and seed) is the wanted one.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._cache = get_cache(str(folder))

    def get(self, notebook: dict[str, Any], key: str) -> dict[str, Any] | None:
        """Facts of the valid record of a notebook (seconds, peak_mb), or None."""
        try:
            record = self._cache.match_cache_notebook(nbformat.from_dict(notebook))
            bundle_exists = self._cache.get_cache_bundle(record.pk) is not None
        except (KeyError, OSError, ValueError):
            return None
        return dict(record.data) if bundle_exists and record.data.get("key") == key else None

    def put(self, executed: nbformat.NotebookNode, uri: str, facts: dict[str, Any]) -> None:
        """Keep an executed notebook; ``facts`` hold its key, seconds and peak memory."""
        data = {**facts, "execution_seconds": facts["seconds"]}
        self._cache.cache_notebook_bundle(CacheBundleIn(executed, uri, data=data), check_validity=False, overwrite=True)

    def forget(self, notebook: dict[str, Any]) -> None:
        """Drop the record of a notebook, if there is one."""
        with contextlib.suppress(KeyError):
            self._cache.remove_cache(self._cache.match_cache_notebook(nbformat.from_dict(notebook)).pk)

    def merged(self, notebook: dict[str, Any]) -> nbformat.NotebookNode:
        """The notebook with the outputs of its record."""
        return self._cache.merge_match_into_notebook(nbformat.from_dict(notebook))[1]
