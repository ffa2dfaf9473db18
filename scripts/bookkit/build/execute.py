"""Runs one notebook in a kernel of its own and measures time and memory.

This module is also sent by value to Dask workers on other machines (``run_packed``): it imports nothing from
this project, and a job holds everything it needs.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import io
import os
import re
import tempfile
import time
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import nbformat
import psutil
import zmq
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError

SINGLE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# When a cell is given up. Processor seconds, because a busy machine is no fault of the chapter.
CELL = 600  # processor seconds of one cell
STALL = 600  # seconds of the clock without any progress
NO_LIMIT = (  # in the kernel's own thread for outputs, without a name left behind
    "(lambda thread: thread.schedule(lambda: thread.socket.set(__import__('zmq').SNDHWM, 0)))"
    "(get_ipython().kernel.iopub_thread)"
)
SAMPLE = 0.2  # seconds between two looks at the kernel
STIRRING = 5.0  # processor seconds that count as progress; an idle kernel needs years for them


@dataclass(frozen=True)
class Job:
    """One notebook with its inputs."""

    docname: str
    notebook: str  # JSON text
    helpers: str  # folder that holds the helper package
    environment: dict[str, str]
    gpu: bool = False


@dataclass
class Result:
    """What came of a job. ``failure`` is None when every cell ran."""

    docname: str
    notebook: str  # JSON text, with outputs
    seconds: float = 0.0  # of the clock
    cpu_seconds: float = 0.0  # of the kernel and its children, start included
    peak_mb: float = 0.0
    failure: str | None = None
    raised: bool = False  # whether the failure is an error of a cell, and not of the machine


async def run(job: Job) -> Result:
    """Execute a notebook in an empty folder, one thread for numerics, and report.

    When cancelled, the kernel and its children are gone before this returns.
    """
    notebook = nbformat.reads(job.notebook, as_version=4)
    with tempfile.TemporaryDirectory(prefix="mmbook-run-") as folder:
        client = _Client(
            notebook,
            timeout=None,  # _Watch knows better
            startup_timeout=STALL,
            iopub_timeout=STALL,
            raise_on_iopub_timeout=True,  # else what the kernel said late would be missing without a word
            shutdown_kernel="immediate",
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],  # else each kernel remarks on its transport
            record_timing=False,
        )
        watch = _Watch(client)
        client.on_cell_start = watch.cell_starts
        client.on_cell_executed = watch.cell_ends
        start = time.perf_counter()
        failure = await _execute(client, watch, _environment(job), job)
        seconds = time.perf_counter() - start
    peak = watch.peak / 2**20
    return Result(job.docname, nbformat.writes(notebook), seconds, watch.cpu, peak, failure, raised=watch.raised)


def run_packed(job: Job, package: bytes) -> Result:
    """On a worker elsewhere: unpack the helpers from a zip, run, clean up."""
    with tempfile.TemporaryDirectory(prefix="mmbook-") as folder:
        zipfile.ZipFile(io.BytesIO(package)).extractall(folder)
        # The worker's own thread may have an event loop that runs.
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run(dataclasses.replace(job, helpers=folder))).result()


def _environment(job: Job) -> dict[str, str]:
    return {
        **os.environ,
        **dict.fromkeys(SINGLE_THREAD, "1"),
        "MMBOOK_QUIET": "1",
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        **job.environment,
        "PYTHONPATH": os.pathsep.join(filter(None, [job.helpers, os.environ.get("PYTHONPATH")])),
    }


async def _execute(client: _Client, watch: _Watch, environment: dict[str, str], job: Job) -> str | None:
    """Run the cells until they end, fail, or the watch gives one up; returns the failure in words."""
    cells = asyncio.ensure_future(client.async_execute(env=environment))
    guard = asyncio.ensure_future(watch.run())
    try:
        await asyncio.wait({cells, guard}, return_when=asyncio.FIRST_COMPLETED)
        if not cells.done():
            return _describe(job, client.nb, watch.index, guard.result())
        cells.result()
    except NoSuchKernel as error:
        return f"{job.docname}: no kernel {error.name!r} is installed here; set metadata.kernelspec.name to python3"
    except (CellExecutionError, CellControlSignal, DeadKernelError, RuntimeError) as error:
        watch.raised = isinstance(error, CellExecutionError)
        return _describe(job, client.nb, watch.index, str(error))
    finally:
        for task in (cells, guard):
            task.cancel()
        await asyncio.gather(cells, guard, return_exceptions=True)
    return None


def _describe(job: Job, notebook: nbformat.NotebookNode, index: int, what: str) -> str:
    cell = f"cell {index + 1} (id {notebook.cells[index].get('id', '?')})" if index >= 0 else "before the first cell"
    head = f"{job.docname}, {cell}, MMBOOK_SEED={job.environment.get('MMBOOK_SEED', '0')}"
    return f"{head}\n{ANSI.sub('', what).strip()}"


class _Client(NotebookClient):
    """nbclient without its signal handlers, which would let the cells behind the running one go on after Ctrl-C."""

    @contextlib.asynccontextmanager
    async def async_setup_kernel(self, **kwargs: Any) -> AsyncGenerator[None, None]:
        self.km = self.create_kernel_manager()
        try:
            await self.async_start_new_kernel(**kwargs)
            await self.async_start_new_kernel_client()
            await self._keep_all_outputs()
            yield
        finally:
            _end(_family(self))
            if self.km is not None:  # nbclient has cleaned up itself after a start that failed
                await self._async_cleanup_kernel()

    async def _keep_all_outputs(self) -> None:
        """Let both ends of the queue of outputs grow without end: zmq drops what a slow reader has not taken.

        Only once the two are connected: an option does not reach a connection that is still to be made.
        """
        assert self.kc is not None
        self.kc.iopub_channel.socket.set(zmq.RCVHWM, 0)
        await self.async_wait_for_reply(self.kc.execute(NO_LIMIT, silent=True))


def _family(client: NotebookClient) -> list[psutil.Process]:
    """The kernel and its children; empty while it is starting or when it is gone."""
    pid = getattr(getattr(client.km, "provisioner", None), "pid", None)
    try:
        kernel = psutil.Process(pid) if pid else None
        return [kernel, *kernel.children(recursive=True)] if kernel else []
    except psutil.Error:
        return []


def _end(processes: list[psutil.Process]) -> None:
    for process in processes[1:]:  # nbclient ends the kernel itself
        with contextlib.suppress(psutil.Error):
            process.kill()


class _Watch:
    """Measures a kernel and its children, and gives a cell up that exceeds its limits."""

    def __init__(self, client: NotebookClient) -> None:
        self.client = client
        self.index, self.cpu, self.peak, self.raised = -1, 0.0, 0, False
        self._cell_cpu, self._stirred = 0.0, (time.monotonic(), 0.0)

    def cell_starts(self, cell_index: int, **_: Any) -> None:
        self._sample()
        self.index, self._cell_cpu, self._stirred = cell_index, self.cpu, (time.monotonic(), self.cpu)

    def cell_ends(self, **_: Any) -> None:
        self._sample()

    async def run(self) -> str:
        """Look again and again; returns why the cell at ``index`` must end."""
        while True:
            await asyncio.sleep(SAMPLE)
            self._sample()
            if self.cpu - self._cell_cpu > CELL:
                return f"the cell took more than {CELL} processor seconds; make it smaller, or split it"
            now = time.monotonic()
            if self.cpu - self._stirred[1] >= STIRRING:
                self._stirred = (now, self.cpu)
            elif now - self._stirred[0] > STALL:
                return f"the cell made no progress for {STALL} seconds; does it wait for something?"

    def _sample(self) -> None:
        memory, used = 0, 0.0
        for process in _family(self.client):
            with contextlib.suppress(psutil.Error), process.oneshot():
                memory += process.memory_info().rss
                times = process.cpu_times()
                used += times.user + times.system
                if memory and process.pid == self.client.km.provisioner.pid:  # type: ignore[union-attr]
                    used += times.children_user + times.children_system  # those that ended
        self.peak, self.cpu = max(self.peak, memory), max(self.cpu, used)
