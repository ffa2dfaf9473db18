"""Hands notebooks to the workers of a Dask cluster that exists (``--scheduler``; extra ``mmbook[cluster]``)."""

from __future__ import annotations

import io
import pickle
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tqdm import tqdm

from bookkit.build import execute
from bookkit.build.execute import Job, Result
from bookkit.errors import BookError

try:
    import cloudpickle
    from dask.distributed import Client, as_completed
except ImportError:
    raise BookError("--scheduler", "needs Dask; install it with: pip install 'distributed' cloudpickle") from None


def run_all(jobs: list[Job], scheduler: str, done: Callable[[Result], None]) -> None:
    """Execute the jobs on the cluster, the first ones first; ``done`` gets each result as it comes.

    Raises:
        BookError: the scheduler can't be reached, or no worker can take a job that asks for a GPU.
    """
    cloudpickle.register_pickle_by_value(execute)  # workers have nbclient, and know nothing of this project
    package = pack(Path(jobs[0].helpers))
    with _client(scheduler) as client, warnings.catch_warnings():
        _check_gpu(client, jobs)
        # Each job carries the helper package with its data, some ten megabytes, and so can run anywhere.
        warnings.filterwarnings("ignore", message="Sending large graph")
        futures = [
            client.submit(
                pickle.loads,
                cloudpickle.dumps(_Call(job, package)),
                pure=False,
                retries=0,
                priority=-position,
                resources={"GPU": 1} if job.gpu else None,
                key=f"{job.docname}-{uuid4().hex}",  # Dask computes equal keys once, also those of another build
            )
            for position, job in enumerate(jobs)
        ]
        names = {future.key: job.docname for future, job in zip(futures, jobs, strict=True)}
        with tqdm(total=len(jobs), desc="executing", unit="page", disable=None, file=sys.stderr) as bar:
            for future in as_completed(futures):
                bar.update()
                if future.status == "finished":
                    done(future.result())
                else:  # the worker itself died or could not run the job
                    name = names[future.key]
                    done(Result(name, "", failure=f"{name}\nthe worker failed: {future.exception()!r}"))


def pack(folder: Path) -> bytes:
    """What a folder holds as a zip: same content, same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes())
    return buffer.getvalue()


@dataclass(frozen=True)
class _Call:
    """Becomes the result of its job where it is unpickled.

    Dask itself pickles functions and arguments by reference where it can, and the scheduler, too, would
    have to import this project to read them; bytes pass it unread.
    """

    job: Job
    package: bytes

    def __reduce__(self) -> tuple[Callable[[Job, bytes], Result], tuple[Job, bytes]]:
        return execute.run_packed, (self.job, self.package)


def _client(scheduler: str) -> Client:
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, TimeoutError, ValueError) as error:
        what = f"no Dask scheduler answers there ({type(error).__name__}); check --scheduler"
        raise BookError(scheduler, what) from None
    if not client.scheduler_info(n_workers=-1)["workers"]:
        client.close()
        raise BookError(scheduler, "the scheduler has no workers; start one with `dask worker ADDRESS`")
    return client


def _check_gpu(client: Client, jobs: list[Job]) -> None:
    wanting = [job.docname for job in jobs if job.gpu]
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if wanting and not any("GPU" in worker.get("resources", {}) for worker in workers):
        what = "asks for a GPU, and no worker offers one; start one with `dask worker --resources GPU=1`"
        raise BookError(wanting[0], what)
