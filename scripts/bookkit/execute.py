"""Runs one notebook in a kernel of its own and measures time and memory.

``run`` also runs on Dask workers on other machines, to which this module is sent by value: it
imports nothing from this project, and a job holds everything it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import re
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil

if TYPE_CHECKING:
    from nbclient import NotebookClient

SINGLE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Job:
    """One notebook with its inputs."""

    docname: str
    notebook: str  # JSON text
    package: bytes  # zip with the helper package
    environment: dict[str, str]
    timeout: int  # seconds a cell may take
    gpu: bool = False


@dataclass
class Result:
    """What came of a job. ``failure`` is None when every cell ran."""

    docname: str
    notebook: str  # JSON text, with outputs
    seconds: float
    peak_mb: float
    failure: str | None = None
    cells: list[str] = field(default_factory=list)


def pack(folder: Path) -> bytes:
    """A folder as a zip: same content, same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(folder.parent).as_posix()
                archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return buffer.getvalue()


def _unpacked(package: bytes) -> Path:
    """The folder with the unpacked package; made once per machine and content."""
    target = Path(tempfile.gettempdir()) / f"mmbook-{hashlib.sha256(package).hexdigest()[:16]}-{os.getuid()}"
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=target.parent) as fresh:
            zipfile.ZipFile(io.BytesIO(package)).extractall(Path(fresh) / "all")
            with contextlib.suppress(OSError):  # another worker was faster
                os.rename(Path(fresh) / "all", target)
    return target


def run(job: Job) -> Result:
    """Execute a notebook in an empty folder, one thread for numerics, and report."""
    from nbclient import NotebookClient  # slow to import, and mostly nothing is to be run
    from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError

    notebook = nbformat.reads(job.notebook, as_version=4)
    environment = {
        **os.environ,
        **dict.fromkeys(SINGLE_THREAD, "1"),
        "MMBOOK_QUIET": "1",
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        **job.environment,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_unpacked(job.package)), os.environ.get("PYTHONPATH")])),
    }
    at = {"index": -1}
    with tempfile.TemporaryDirectory(prefix="mmbook-run-") as folder:
        client = NotebookClient(
            notebook,
            timeout=job.timeout,
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],  # else each kernel remarks on its transport
            record_timing=False,  # it would write into the cells' metadata, which the cache hashes
            on_cell_start=lambda cell, cell_index: at.update(index=cell_index),
        )
        failure, start = None, time.perf_counter()
        with _MemoryWatch(client) as watch:
            try:
                # A loop of its own: client.execute() would take one that other jobs may be running on.
                asyncio.run(client.async_execute(env=environment))
            except (CellExecutionError, CellControlSignal, DeadKernelError, RuntimeError) as error:
                failure = _describe(job, notebook, at["index"], error)
        seconds = time.perf_counter() - start
    return Result(job.docname, nbformat.writes(notebook), seconds, watch.peak / 2**20, failure)


def _describe(job: Job, notebook: nbformat.NotebookNode, index: int, error: Exception) -> str:
    cell = notebook.cells[index] if index >= 0 else {}
    seed = job.environment.get("MMBOOK_SEED", "0")
    head = f"{job.docname}, cell {index + 1} (id {cell.get('id', '?')}), MMBOOK_SEED={seed}"
    return f"{head}\n{ANSI.sub('', str(error)).strip()}"


class _MemoryWatch:
    """Samples the memory of the kernel and its children until the block ends."""

    def __init__(self, client: NotebookClient, every: float = 0.2) -> None:
        self.client, self.every, self.peak = client, every, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self.every):
            provisioner = getattr(getattr(self.client, "km", None), "provisioner", None)
            pid = getattr(provisioner, "pid", None)
            if pid:
                try:
                    kernel = psutil.Process(pid)
                    family = [kernel, *kernel.children(recursive=True)]
                    self.peak = max(self.peak, sum(p.memory_info().rss for p in family))
                except psutil.Error:
                    pass  # the kernel is starting or gone
