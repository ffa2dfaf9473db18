"""Which notebooks run, when and where: --only, --no-cache, --workers, longest first, a Dask cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from scripts.tinybook import REPOSITORY, TinyBook, chapter

from bookkit.build import local
from bookkit.build.cluster import pack
from bookkit.build.execute import Job, Result

BETWEEN = "trace('{0} ends')"
# Waits until the three short chapters have ended: impossible when one of them queues behind it.
WAITS = """
import os, time
for _ in range(250):
    done = open(os.environ["TINY_TRACE"]).read().count("ends")
    if done == 3:
        break
    time.sleep(0.1)
trace(f"long saw {done}")
"""


def set_times(book: TinyBook, **seconds: float) -> None:
    rows = {n: {"seconds": s, "peak_mb": 1, "budget": 60, "cached": True} for n, s in seconds.items()}
    (book.root / "_build").mkdir(exist_ok=True)
    (book.root / "_build/times.json").write_text(json.dumps(rows))


class TestChoice:
    @pytest.fixture(scope="class")
    def book(self, tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
        book = TinyBook(tmp_path_factory.mktemp("choice") / "book")
        for name in ("a", "b", "c", "d"):
            slow = "import time\ntime.sleep(0.7)"  # two at a time would overlap
            book.page(
                f"part/{name}.ipynb", chapter(name, slow, BETWEEN.format(name), budget=100 if name == "d" else 60)
            )
        book.page("part/never.ipynb", chapter("never"))
        return book

    def test_only_with_one_worker_longest_first(self, book):
        set_times(book, **{"part/a": 1, "part/c": 5})  # unknown ones come first, the larger budget before
        done = book.build("--workers", "1", "--only", "part/c", "book/part/a", "part/b.ipynb", "part/d")
        assert done.returncode == 1  # part/never has no outputs
        assert "book/part/never" in done.stderr
        assert book.events() == ["d", "d ends", "b", "b ends", "c", "c ends", "a", "a ends"]
        assert book.rendered

    def test_no_cache_executes_again_what_was_chosen(self, book):
        if not (book.root / "_build/executed").exists():
            pytest.skip("runs after the test above")
        book.build("--no-cache", "--only", "part/a", MMBOOK_WORKERS="1")
        assert book.events() == ["a", "a ends"]
        times = book.record("times")
        assert times["part/a"]["cached"] is False
        assert times["part/b"]["cached"] is True


def test_nothing_queues_behind_the_longest(tmp_path):
    """Two kernels at a time: the long chapter takes one, all others go through the other one."""
    book = TinyBook(tmp_path / "book")
    book.page("never.ipynb", chapter("never"))
    book.page("long.ipynb", chapter("long", WAITS))
    for name in ("s1", "s2", "s3"):
        book.page(f"{name}.ipynb", chapter(name, BETWEEN.format(name)))
    set_times(book, long=50, s1=3, s2=2, s3=1)
    done = book.build("--workers", "2", "--only", "long", "s1", "s2", "s3")
    assert "FAILED" not in done.stderr
    assert "long saw 3" in book.events()


@contextmanager
def started(*arguments: str, folder: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Dask, in a folder and an environment that know nothing of this repository."""
    clean = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV") and not k.startswith("MMBOOK_")
    }
    with open(folder / "dask.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dask", *arguments],
            cwd=folder,
            env={**clean, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """A scheduler, a plain worker and, once asked for, a worker with a GPU."""
    folder = tmp_path_factory.mktemp("cluster")
    address = folder / "scheduler.json"
    with ExitStack() as stack:
        listen = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(address))
        stack.enter_context(started("scheduler", *listen, folder=folder))
        wait_for(lambda: address.is_file() and address.stat().st_size > 0)
        where = json.loads(address.read_text())["address"]
        trace = folder / "events.trace"

        def worker(name: str, *more: str):
            options = ("worker", where, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name, *more)
            home = folder / name
            home.mkdir()
            return started(*options, folder=home, TINY_WORKER=name, TINY_TRACE=str(trace), MMBOOK_SEED="99")

        yield {"address": where, "worker": worker, "stack": stack, "trace": trace}


def wait_for(condition, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def workers(address: str) -> set[str]:
    from distributed import Client

    with Client(address, timeout=10, set_as_default=False) as client:
        return {w["name"] for w in client.scheduler_info(n_workers=-1)["workers"].values()}


WHERE = """
import os, sys, mmbook
from mmbook.numbers import VALUE
trace(f"{0} on {{os.environ['TINY_WORKER']}} with seed {{os.environ['MMBOOK_SEED']}} and {{VALUE}}")
trace(f"{0} finds the repository: {{mmbook.__file__.startswith('{1}')}}")
trace(f"{0} holds {{os.listdir('.')}} and {{os.environ['OMP_NUM_THREADS']}} thread")
"""


class TestCluster:
    @pytest.fixture(scope="class")
    def book(self, tmp_path_factory: pytest.TempPathFactory, cluster) -> TinyBook:
        book = TinyBook(tmp_path_factory.mktemp("far") / "book")
        book.trace = cluster["trace"]
        for name in ("p1", "p2"):
            book.page(f"{name}.ipynb", chapter(name, WHERE.format(name, REPOSITORY)))
        for name in ("g1", "g2"):
            book.page(f"{name}.ipynb", chapter(name, WHERE.format(name, REPOSITORY), gpu=True))
        return book

    def build(self, book: TinyBook, cluster, *only: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return book.build("--scheduler", cluster["address"], "--only", *only, **environment)

    def test_no_worker_at_all_is_said(self, book, cluster):
        assert workers(cluster["address"]) == set()
        done = self.build(book, cluster, "p1")
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert "worker" in done.stderr

    def test_without_a_gpu_worker_one_line_says_so(self, book, cluster):
        cluster["stack"].enter_context(cluster["worker"]("plain"))
        wait_for(lambda: "plain" in workers(cluster["address"]))
        done = self.build(book, cluster, "p1", "g1")
        assert done.returncode == 1
        (line,) = done.stderr.strip().splitlines()
        assert "book/g1" in line
        assert "GPU" in line

    def test_gpu_chapters_run_on_the_gpu_worker_only(self, book, cluster):
        cluster["stack"].enter_context(cluster["worker"]("gpu", "--resources", "GPU=1"))
        wait_for(lambda: {"plain", "gpu"} <= workers(cluster["address"]))
        done = self.build(book, cluster, "p1", "p2", "g1", "g2", MMBOOK_SEED="5")
        assert done.returncode == 0, done.stderr
        events = book.events()
        told = {e.split(" on ")[0]: e.split(" on ")[1] for e in events if " on " in e}
        assert set(told) == {"p1", "p2", "g1", "g2"}
        assert told["g1"].startswith("gpu ")
        assert told["g2"].startswith("gpu ")
        assert any(told[p].startswith("plain ") for p in ("p1", "p2"))
        assert all("with seed 5 and value-of-first-edition" in text for text in told.values())
        assert "p1 finds the repository: False" in events
        assert "p1 holds [] and 1 thread" in events
        assert book.record("times")["g1"]["cached"] is False

    def test_the_same_page_runs_again_for_another_build(self, book, cluster):
        """Dask would give back what it had computed under an equal key."""
        before = book.events().count("p2")
        for _ in range(2):
            assert "FAILED" not in self.build(book, cluster, "p2", "--no-cache").stderr
        assert book.events().count("p2") == before + 2

    def test_helpers_travel_anew_after_an_edit(self, book, cluster):
        book.write("mmbook/deep/value.py", "VALUE = 'value-of-second-edition'\n")
        done = self.build(book, cluster, "p1")
        assert "FAILED" not in done.stderr
        assert any("value-of-second-edition" in e for e in book.events())

    def test_a_failing_cell_over_there_is_reported_here(self, book, cluster):
        book.page("p1.ipynb", chapter("p1", "raise ValueError('far away')"))
        done = self.build(book, cluster, "p1", MMBOOK_SEED="5")
        assert done.returncode == 1
        assert "book/p1, cell 4" in done.stderr
        assert "MMBOOK_SEED=5" in done.stderr
        assert "far away" in done.stderr

    @pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
    def test_an_address_where_nobody_answers(self, book, address):
        started_at = time.monotonic()
        done = book.build("--scheduler", address, "--only", "p2", "--no-cache")
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert address in done.stderr
        assert time.monotonic() - started_at < 60


class TestPack:
    def test_same_content_same_bytes(self, tmp_path):
        for folder in ("one", "two"):
            (tmp_path / folder / "mmbook/deep").mkdir(parents=True)
            (tmp_path / folder / "mmbook/__pycache__").mkdir()
            (tmp_path / folder / "mmbook/__pycache__/a.pyc").write_text(folder)
            (tmp_path / folder / "mmbook/deep/a.py").write_text("x = 1")
        assert pack(tmp_path / "one") == pack(tmp_path / "two")
        (tmp_path / "two/mmbook/deep/a.py").write_text("x = 2")
        assert pack(tmp_path / "one") != pack(tmp_path / "two")

    def test_an_empty_package(self, tmp_path):
        assert pack(tmp_path / "nowhere")


def test_a_kernel_that_does_not_exist_is_a_failure_of_its_page(tmp_path):
    page = chapter("x")
    page["metadata"]["kernelspec"]["name"] = "no-such-kernel"
    found: list[Result] = []
    local.run_all([Job("book/x", json.dumps(page), str(tmp_path), {})], 1, found.append)
    (result,) = found
    assert result.docname == "book/x"
    assert "no-such-kernel" in result.failure
    assert "set metadata.kernelspec.name to python3" in result.failure


def test_without_dask_the_option_says_what_to_install(tmp_path):
    book = TinyBook(tmp_path / "book")
    book.page("a.ipynb", chapter("a"))
    book.write("blocked/dask/__init__.py", "raise ImportError\n")
    done = book.build("--scheduler", "tcp://127.0.0.1:9", PYTHONPATH=str(book.root / "blocked"))
    assert done.returncode == 1
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
