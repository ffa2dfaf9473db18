"""The executed book: a folder with a notebook for each page and key. "Is a result valid" is "does the file exist"."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bookkit.build.files import as_folder, write_text

RUN = "mmbook_run"  # our key in the metadata of an executed notebook
KEPT = 6  # results of one page: other seeds, and edits that may be taken back


@dataclass(frozen=True)
class Run:
    """What an execution cost."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


class Executed:
    """``<folder>/<docname>-<key>.ipynb`` for each page and key."""

    def __init__(self, folder: Path) -> None:
        self.folder = as_folder(folder)

    def path(self, docname: str, key: str) -> Path:
        """Where the result of a page under a key lies, if there is one."""
        return self.folder / f"{docname}-{key}.ipynb"

    def get(self, docname: str, key: str, code_cells: int) -> tuple[dict[str, Any], Run] | None:
        """The executed notebook and its cost, or None. A file that is broken, or of other cells, is dropped."""
        path = self.path(docname, key)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if sum(cell["cell_type"] == "code" for cell in data["cells"]) != code_cells:
                raise ValueError
            return data, Run(**data["metadata"][RUN])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            print(f"note: {path} was broken; {docname} is executed again")
            self.drop(docname, key)
            return None

    def put(self, docname: str, key: str, notebook: str, run: Run) -> None:
        """Keep an executed notebook, and forget the oldest ones of its page."""
        data = json.loads(notebook)
        data["metadata"][RUN] = asdict(run)
        path = self.path(docname, key)
        as_folder(path.parent)
        write_text(path, json.dumps(data, ensure_ascii=False))
        name = path.name.removesuffix(f"{key}.ipynb")
        of_page = [p for p in path.parent.glob(f"{name}*.ipynb") if len(p.stem) == len(path.stem)]
        for old in sorted(of_page, key=lambda p: p.stat().st_mtime_ns)[:-KEPT]:
            old.unlink(missing_ok=True)

    def drop(self, docname: str, key: str) -> None:
        """Forget a result."""
        path = self.path(docname, key)
        if path.is_dir():
            as_folder(path).rmdir()
        path.unlink(missing_ok=True)


def without_outputs(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook as if it had never run: what an author's editor saved is no result of this build."""
    bare: dict[str, Any] = {"outputs": [], "execution_count": None}
    return {**notebook, "cells": [{**c, **bare} if c["cell_type"] == "code" else c for c in notebook["cells"]]}


def with_outputs(notebook: dict[str, Any], executed: dict[str, Any]) -> dict[str, Any]:
    """The author's notebook, its prose as it is now, with the outputs of an execution of the same code."""
    done = iter([cell for cell in executed["cells"] if cell["cell_type"] == "code"])
    return {**notebook, "cells": [_filled(cell, next(done)) if cell["cell_type"] == "code" else cell
                                  for cell in notebook["cells"]]}  # fmt: skip


def _filled(cell: dict[str, Any], done: dict[str, Any]) -> dict[str, Any]:
    return {**cell, "outputs": done["outputs"], "execution_count": done["execution_count"]}
