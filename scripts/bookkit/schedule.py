"""Hands notebooks to Dask workers, longest first: on this machine, or on a cluster that exists."""

from __future__ import annotations

import contextlib
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cloudpickle
import dask
from dask.distributed import Client, LocalCluster, as_completed
from tqdm import tqdm

from bookkit import execute
from bookkit.errors import BookError
from bookkit.execute import Job, Result


def run_all(jobs: list[Job], expected: dict[str, float], workers: int, scheduler: str | None) -> Iterator[Result]:
    """Execute every job; results come as they finish, failures among them.

    Args:
        expected: docname -> seconds of an earlier run; unknown ones count as the longest.
        workers: number of kernels at a time on this machine.
        scheduler: address of a running Dask scheduler, instead of this machine.

    Raises:
        BookError: the scheduler can't be reached, or no worker can take a job that asks for a GPU.
    """
    if not jobs:
        return
    ordered = sorted(jobs, key=lambda job: -expected.get(job.docname, float("inf")))
    with _client(min(workers, len(jobs)), scheduler) as client:
        _check_gpu(client, ordered)
        with warnings.catch_warnings():
            # Each job carries the helper package with its data, some ten megabytes, and so can run anywhere.
            warnings.filterwarnings("ignore", message="Sending large graph")
            futures = [
                client.submit(
                    pickle.loads,
                    cloudpickle.dumps(_Call(job)),
                    pure=False,
                    retries=0,
                    priority=-position,
                    resources={"GPU": 1} if job.gpu else None,
                    key=f"{job.docname}-{position}",
                )
                for position, job in enumerate(ordered)
            ]
        names = {future.key: job.docname for future, job in zip(futures, ordered, strict=True)}
        with tqdm(total=len(jobs), desc="executing", unit="page", disable=None, file=sys.stderr) as bar:
            for future in as_completed(futures):
                bar.update()
                if future.status == "finished":
                    yield future.result()
                else:  # the worker itself died or could not run the job
                    docname = names[future.key]
                    yield Result(docname, "", 0.0, 0.0, f"{docname}\nthe worker failed: {future.exception()!r}")


@dataclass(frozen=True)
class _Call:
    """Becomes the result of its job where it is unpickled.

    Dask itself pickles functions and arguments by reference where it can, and the scheduler, too, would
    have to import this project to read them; bytes pass it unread.
    """

    job: Job

    def __reduce__(self) -> tuple[Callable[[Job], Result], tuple[Job]]:
        return execute.run, (self.job,)


@contextlib.contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Client]:
    if scheduler:
        # Workers elsewhere need nbclient and the packages of requirements.txt, but not this project.
        cloudpickle.register_pickle_by_value(execute)
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, TimeoutError, ValueError) as error:
            raise BookError(
                scheduler, f"no Dask scheduler answers there ({type(error).__name__}); check --scheduler"
            ) from None
        with client:
            if not client.scheduler_info(n_workers=-1)["workers"]:
                raise BookError(scheduler, "the scheduler has no workers; start one with `dask worker ADDRESS`")
            yield client
        return
    # Threads are enough here: each job spends its time in a kernel, which is a process of its own.
    with (
        dask.config.set({"distributed.admin.tick.limit": "1h", "distributed.worker.memory.terminate": False}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",  # a free port, and for this machine only
            worker_dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _check_gpu(client: Client, jobs: list[Job]) -> None:
    wanting = [job.docname for job in jobs if job.gpu]
    if wanting and not any(
        "GPU" in w.get("resources", {}) for w in client.scheduler_info(n_workers=-1)["workers"].values()
    ):
        raise BookError(
            wanting[0], "asks for a GPU, and no worker offers one; start one with `dask worker --resources GPU=1`"
        )
