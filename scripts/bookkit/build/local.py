"""Runs notebooks on this machine: one event loop, so many kernels at a time, each a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from tqdm import tqdm

from bookkit.build.execute import Job, Result, run


def run_all(jobs: list[Job], workers: int, done: Callable[[Result], None]) -> None:
    """Execute the jobs in their order, ``workers`` at a time; ``done`` gets each result as it comes.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when all kernels are gone.
    """
    asyncio.run(_run_all(jobs, workers, done))


async def _run_all(jobs: list[Job], workers: int, done: Callable[[Result], None]) -> None:
    # After Ctrl-C a kernel that is killed may still raise while the loop shuts down; that is no news.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    gate = asyncio.Semaphore(workers)
    with tqdm(total=len(jobs), desc="executing", unit="page", disable=None, file=sys.stderr) as bar:

        async def one(job: Job) -> None:
            if job.gpu:
                where = "--scheduler ADDRESS leads to a cluster with a worker that has one (--resources GPU=1)"
                done(Result(job.docname, "", failure=f"{job.docname} asks for a GPU; {where}"))
            else:
                async with gate:
                    try:
                        result = await run(job)
                    except Exception as error:  # whatever it is, the other chapters go on
                        result = Result(job.docname, "", failure=f"{job.docname}\n{type(error).__name__}: {error}")
                done(result)
            bar.update()

        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(one(job))
