"""The build: execute what has no valid result, check it, leave the records, render the site.

Whatever fails, the rest of the site is whole: a page without a result is rendered without outputs, under a banner.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bookkit.build import collect
from bookkit.build.book import Book, Chapter
from bookkit.build.colab import write_copies
from bookkit.build.executed import Executed, Run, with_outputs, without_outputs
from bookkit.build.files import as_folder, read_json, write_json
from bookkit.build.keys import PACKAGE, Helpers, code_sources, page_key
from bookkit.build.render import Warm, render, warmed_up
from bookkit.build.seeds import Record, fared
from bookkit.lock import alone

STRICT = 1.5  # times the budget: processor seconds rise, too, when kernels share the machine's caches
MEMORY = 2500  # MB
HEAVY = 2_000_000  # bytes of one page
NO_COST = Run(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Options:
    """How to build."""

    workers: int = 1
    scheduler: str | None = None
    no_cache: bool = False
    strict: bool = False


def build(book: Book, chosen: list[Chapter], options: Options, warm: Warm | None = None) -> list[str]:
    """Execute, check, render; returns what is wrong, in words. Nothing is: the build is good.

    Args:
        warm: a process that has imported Jupyter Book already, if the caller has one.

    Raises:
        BookError: another build is at work in the same folder; no cluster answers.
        KeyboardInterrupt: after Ctrl-C; the kernels are gone, and results so far are kept.
    """
    start = time.perf_counter()
    out = as_folder(book.root / "_build")
    with alone(out), contextlib.ExitStack() as stack:
        results = Executed(out / "executed")
        record = Record.read(book.root / "seeds.json")
        for chapter in book.chapters:
            found = results.get(chapter.docname, chapter.key, len(code_sources(chapter.data)))
            if found and not (options.no_cache and chapter in chosen):
                chapter.executed, chapter.run = found
        # what is executed is rendered: Jupyter Book is imported meanwhile
        if warm is None and any(c.run is None for c in chosen):
            warm = stack.enter_context(warmed_up(book.root))
        execute(book, chosen, results, options)
        outputs = {c.docname: with_outputs(c.data, c.executed) for c in book.chapters if c.executed}
        problems = [f"FAILED {c.failure}" for c in book.chapters if c.failure]
        problems += _claims_that_fail(outputs) + _unexecuted(book, chosen)
        problems += _cost(book, options.strict)
        for name, notebook in outputs.items():
            problems += collect.unshown(name, notebook)
        problems += _write_records(book, outputs, results, record)
        problems += render(book.root, book.docnames, warm)
        _place_artifacts(outputs, out / "html")
        write_copies(book, outputs, out)
        _warn_of_weight(book, out / "html")
    if not problems:
        print(_summary(book, out, time.perf_counter() - start))
    return problems


def execute(book: Book, chosen: list[Chapter], results: Executed, options: Options) -> None:
    """Run the chosen chapters that have no valid result; the others go on when one fails."""
    for chapter in book.chapters:
        if chapter.run is None and chapter.idle:
            _keep(results, chapter, json.dumps(without_outputs(chapter.data)), NO_COST)
    waiting = [chapter for chapter in chosen if chapter.run is None]
    if not waiting:
        return
    from bookkit.build.execute import Job, Result  # slow to import, and mostly nothing is to be run

    by_name = {chapter.docname: chapter for chapter in waiting}

    def settle(result: Result) -> None:
        chapter = by_name[result.docname]
        if result.failure:
            chapter.failure = result.failure
            results.drop(chapter.docname, chapter.key)  # an older result would let the next build pass
            return
        cost = Run(round(result.seconds, 2), round(result.cpu_seconds, 2), round(result.peak_mb, 1))
        _keep(results, chapter, result.notebook, cost)
        print(f"executed {result.docname}: {cost.cpu_seconds:.0f} processor seconds in {cost.seconds:.0f} s, "
              f"peak {cost.peak_mb:.0f} MB", flush=True)  # fmt: skip

    environment = {"MMBOOK_SEED": book.seed}
    with helpers_copy(book.root) as folder:
        if not options.scheduler:
            kept = Path(folder) if options.no_cache else book.root / "_build"
            environment["MMBOOK_CACHE"] = str(kept / "embeddings" / Helpers(book.root).encoders_digest())
        jobs = [
            Job(c.docname, json.dumps(without_outputs(c.data)), folder, environment, gpu=bool(c.marks.get("gpu")))
            for c in _longest_first(book, waiting)
        ]
        if options.scheduler:
            from bookkit.build import cluster

            cluster.run_all(jobs, options.scheduler, settle)
        else:
            from bookkit.build import local

            local.run_all(jobs, options.workers, settle)


def _keep(results: Executed, chapter: Chapter, notebook: str, cost: Run) -> None:
    results.put(chapter.docname, chapter.key, notebook, cost)
    chapter.executed, chapter.run, chapter.fresh = json.loads(notebook), cost, True


@contextlib.contextmanager
def helpers_copy(root: Path) -> Iterator[str]:
    """A folder with a copy of the helper package, which an author may edit while chapters run."""
    with TemporaryDirectory(prefix="mmbook-helpers-") as folder:
        if (root / PACKAGE).is_dir():
            of_editors = shutil.ignore_patterns("__pycache__", ".*", "*~")
            target = Path(folder) / PACKAGE
            shutil.copytree(root / PACKAGE, target, ignore=of_editors, ignore_dangling_symlinks=True)
        yield folder


def _longest_first(book: Book, waiting: list[Chapter]) -> list[Chapter]:
    """By the seconds of an earlier build; a chapter without them by its budget and its length, before the others."""
    times = read_json(book.root / "_build/times.json", {})

    def expected(chapter: Chapter) -> tuple[bool, float, int]:
        row = times.get(chapter.name)
        seconds = row.get("seconds") if isinstance(row, dict) else None
        length = len("".join(code_sources(chapter.data)))
        if isinstance(seconds, int | float):
            return False, seconds, length
        return True, chapter.budget, length

    return sorted(waiting, key=expected, reverse=True)


def _claims_that_fail(outputs: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"{name}: claim fails: {claim['statement']}"
        for name, notebook in outputs.items()
        for claim in collect.claims(name, notebook)
        if not claim["holds"]
    ]


def _unexecuted(book: Book, chosen: list[Chapter]) -> list[str]:
    """Chapters that nobody asked for and that have no result yet."""
    names = [c.docname for c in book.chapters if c.run is None and c not in chosen]
    few = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return [f"not executed yet, so without outputs on the site: {few}; run without --only"] if names else []


def _cost(book: Book, strict: bool) -> list[str]:
    """A line for each chapter that took too much; returns those that are a fault under ``--strict``."""
    faults = []
    for chapter in book.chapters:
        if chapter.run is None:
            continue
        used, budget = chapter.run.cpu_seconds, chapter.budget
        if used > budget:
            line = f"{chapter.docname}: took {used:.0f} processor seconds, its budget is {budget:g}"
            if strict and used > STRICT * budget:
                faults.append(f"{line}; more than {STRICT} times as much fails under --strict; profile it")
            else:
                print(f"warning: {line}")
        if chapter.run.peak_mb > MEMORY:
            print(f"warning: {chapter.docname}: used {chapter.run.peak_mb:.0f} MB of memory, more than {MEMORY}")
    return faults


def _write_records(book: Book, outputs: dict[str, dict[str, Any]], results: Executed, record: Record) -> list[str]:
    """What the site's own pages and other tools read; returns what is wrong with the chapters' cards."""
    out = book.root / "_build"
    cards: dict[str, Any] = {}
    before, faults = _what_comes_before(book)
    claims: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    times: dict[str, Any] = {}
    for chapter in book.chapters:
        # A page is read again when this small file changes; it says which result the page shows.
        page: dict[str, Any] = {"executed": None, "failed": chapter.failure is not None}
        page |= {"after": before[chapter.name], "leads": [n for n, names in before.items() if chapter.name in names]}
        if chapter.run is not None:
            notebook = outputs[chapter.docname]
            claims += collect.claims(chapter.docname, notebook)
            figures |= collect.figures(chapter.docname, notebook)
            card, wrong = collect.chapter_card(chapter.docname, notebook)
            figures[f"{chapter.name}#card"] = card.pop("figure")
            cards[chapter.name] = card
            faults += wrong
            path = results.path(chapter.docname, chapter.key)
            page |= {"executed": os.path.relpath(path, out), "written": path.stat().st_mtime_ns}
            page |= {"cpu_seconds": chapter.run.cpu_seconds, "peak_mb": chapter.run.peak_mb}
            times[chapter.name] = {
                "seconds": chapter.run.seconds,
                "cpu_seconds": chapter.run.cpu_seconds,
                "peak_mb": chapter.run.peak_mb,
                "budget": chapter.budget,
                "cached": not chapter.fresh,
            }
        write_json(out / "pages" / f"{chapter.docname}.json", page)
    _add_seeds(book, claims, record)
    write_json(out / "claims.json", claims)
    write_json(out / "figures.json", figures)
    write_json(out / "chapters.json", cards)
    write_json(out / "times.json", times)
    write_json(out / "cards.json", collect.cards(book.root, {c.docname: c.reached for c in book.chapters}))
    return faults


def _what_comes_before(book: Book) -> tuple[dict[str, list[str]], list[str]]:
    """For each chapter those that its card asks to read first, and a line for each name that is no chapter."""
    before = {c.name: collect.asked_card(c.docname, c.marks)[0].get("after", []) for c in book.chapters}
    faults = [
        f"book/{name}: metadata mmbook.card.after names {earlier!r}, which is no chapter of the book"
        for name, names in before.items()
        for earlier in names
        if earlier not in before
    ]
    return before, faults


def _warn_of_weight(book: Book, site: Path) -> None:
    for docname in book.docnames:
        path = site / f"{docname}.html"
        if path.is_file() and path.stat().st_size > HEAVY:
            size = path.stat().st_size / 1e6
            print(f"warning: {docname}: the page has {size:.1f} MB, more than {HEAVY / 1e6:g}; are all outputs needed?")


def _place_artifacts(outputs: dict[str, dict[str, Any]], site: Path) -> None:
    """What demonstrations in the pages load, at ``_artifacts/<chapter>/<name>`` of the site."""
    shutil.rmtree(site / "_artifacts", ignore_errors=True)
    for docname, notebook in outputs.items():
        for name, data in collect.artifacts(docname, notebook).items():
            path = site / "_artifacts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _add_seeds(book: Book, claims: list[dict[str, Any]], record: Record) -> None:
    """Say of each claim how it fared over many seeds (`make seeds`), and whether that was the chapter as it is."""
    helpers = Helpers(book.root)
    keys = {c.name: page_key(c.data, helpers, "any") for c in book.chapters if c.name in record.chapters}
    for claim in claims:
        row = record.chapters.get(claim["chapter"])
        if row:
            old = "" if row["key"] == keys[claim["chapter"]] else " (before the chapter changed)"
            claim["fared"] = fared(row["seeds"], claim["statement"], claim.get("unit", "")) + old


def _summary(book: Book, out: Path, seconds: float) -> str:
    ran = sum(chapter.fresh for chapter in book.chapters)
    claims = len(read_json(out / "claims.json", []))
    return (
        f"built {len(book.docnames)} pages in {seconds:.0f} s: {ran} executed, {len(book.chapters) - ran} kept, "
        f"{claims} claims hold: {out / 'html/index.html'}"
    )
