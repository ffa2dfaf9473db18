"""Execute every chapter, check claims, budgets and alt texts, and render the site into _build/html.

Exit codes: 0 every page executed, every claim held, no warning; 1 something failed; 2 usage or TOC error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import nbformat

from bookkit import collect
from bookkit.errors import BookError
from bookkit.execute import Job, Result, pack
from bookkit.keys import PACKAGE, Helpers, code_sources, page_key
from bookkit.notebook import KEY, Notebook, managed_slot, read_text
from bookkit.render import render, write_json
from bookkit.store import Store
from bookkit.stub import read_repository
from bookkit.toc import read_toc
from bookkit.tree import Tree

BUDGET = 60  # seconds, unless the page's own metadata says otherwise
CELL_TIMEOUT = 300


@dataclass
class Chapter:
    """One notebook of the book on its way through the build."""

    docname: str
    data: dict[str, Any]
    key: str
    facts: dict[str, Any] | None = None  # of the valid cache record
    fresh: bool = False
    failure: str | None = None

    @property
    def marks(self) -> dict[str, Any]:
        found = self.data.get("metadata", {}).get(KEY)
        return found if isinstance(found, dict) else {}

    @property
    def budget(self) -> Any:
        """Seconds the page may take."""
        return self.marks.get("budget", BUDGET)


@dataclass
class Book:
    """The pages of the TOC, read."""

    root: Path
    docnames: list[str]
    chapters: list[Chapter]
    texts: dict[str, str] = field(default_factory=dict)  # docname -> Markdown of pages without code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BookError("build_book", f"{message}; see --help")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with _toc.yml (default: here)")
    parser.add_argument("--workers", type=int, help="kernels at a time (default: MMBOOK_WORKERS, else the cores)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="run on an existing Dask cluster, e.g. tcp://host:8786")
    parser.add_argument("--only", nargs="+", metavar="PAGE", help="execute these pages alone")
    parser.add_argument("--no-cache", action="store_true", help="execute again what is cached")
    options = parser.parse_args(argv)
    if options.workers is None:
        options.workers = _number("MMBOOK_WORKERS", os.cpu_count() or 1)
    if options.workers < 1:
        raise BookError("build_book", f"--workers {options.workers} is not a number of at least 1")
    return options


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "").strip() or str(default)
    if not text.isdecimal():
        raise BookError(variable, f"{text!r} is not an integer of at least 0; unset it or give it a number")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Run the build; returns its exit code."""
    try:
        options = parse(argv)
        seed = str(_number("MMBOOK_SEED", 0))
        book = read_book(options.root.resolve(), seed)
        chosen = _choose(book, options.only)
    except BookError as error:
        print(f"build_book: {error}", file=sys.stderr)
        return 2
    try:
        return build(book, chosen, options, seed)
    except BookError as error:
        print(f"build_book: {error}", file=sys.stderr)
        return 1


def read_book(root: Path, seed: str) -> Book:
    """Read every page that the TOC lists.

    Raises:
        BookError: a fault in the TOC or a page; a page without a file.
    """
    helpers, tree = Helpers(root), Tree(root)
    book = Book(root, [], [])
    for page in read_toc(root, read_repository(root)[1]):
        files = tree.files(page.docname)
        if not files:
            raise BookError(
                root / "_toc.yml", f"{page.docname} has no file @ '{page.where}'; run scripts/generate_stubs.py"
            )
        book.docnames.append(page.docname)
        path = Path(files[0].path)
        if path.suffix == ".ipynb":
            data = Notebook.read(path).data
            chapter = Chapter(page.docname, data, page_key(data, helpers, seed))
            budget = chapter.budget
            if isinstance(budget, bool) or not isinstance(budget, int | float) or budget <= 0:
                raise BookError(path, f"metadata mmbook.budget {budget!r} is not a number of seconds above 0")
            book.chapters.append(chapter)
        elif path.suffix == ".md":
            book.texts[page.docname] = text = read_text(path)
            if re.search(r"^[ \t]*(?:`{3,}|~{3,}|:{3,})\{code-cell\}", text, re.MULTILINE):
                raise BookError(path, "holds code cells, which Sphinx would run unchecked; make it a notebook")
        else:
            raise BookError(path, "only notebooks and Markdown pages are built, whose pictures can be checked")
    return book


def _choose(book: Book, only: list[str] | None) -> list[Chapter]:
    if not only:
        return book.chapters
    by_name = {c.docname: c for c in book.chapters}
    chosen = []
    for name in only:
        plain = name.removesuffix(".ipynb")
        found = by_name.get(plain) or by_name.get(f"book/{plain}")
        if found is None:
            raise BookError("--only", f"{name!r} is no notebook of the TOC; there are {', '.join(by_name)}")
        chosen.append(found)
    return chosen


def build(book: Book, chosen: list[Chapter], options: argparse.Namespace, seed: str) -> int:
    """Execute, check, render. Returns 0 or 1."""
    start = time.perf_counter()
    out = book.root / "_build"
    store = Store(out / "jupyter-cache")
    repository, _ = read_repository(book.root)
    if repository.is_placeholder:
        print("note: repository.url in _config.yml is still the placeholder; Colab links lead nowhere until it is set")
    for chapter in book.chapters:
        forgotten = options.no_cache and chapter in chosen
        chapter.facts = None if forgotten else store.get(chapter.data, chapter.key)
        if chapter in chosen and chapter.facts and chapter.facts["seconds"] > chapter.budget:
            chapter.facts = None  # the machine may have been busy: a kept time would fail every later build
    execute(book, chosen, store, options, seed)
    failed = [c for c in book.chapters if c.failure]
    outputs = {c.docname: store.merged(c.data) for c in book.chapters if c.facts is not None}
    problems = [c.failure for c in failed if c.failure] + check(book, outputs)
    _write_records(book, outputs, out)
    if problems:
        print("\n\n".join(["build_book: the build failed", *problems]), file=sys.stderr)
        return 1
    waiting = [c.docname for c in book.chapters if c.facts is None]
    if waiting:
        print(f"not rendered: {len(waiting)} other page(s) not executed yet ({waiting[0]}, ...); run without --only")
        return 0
    render(book.root, book.docnames)
    ran = sum(c.fresh for c in book.chapters)
    claims = len(json.loads((out / "claims.json").read_text(encoding="utf-8")))
    print(
        f"built {len(book.docnames)} pages in {time.perf_counter() - start:.0f} s: {ran} executed, "
        f"{len(book.chapters) - ran} from the cache, {claims} claims hold: {out / 'html/index.html'}"
    )
    return 0


def execute(book: Book, chosen: list[Chapter], store: Store, options: argparse.Namespace, seed: str) -> None:
    """Run the chosen chapters that have no valid record; the others go on when one fails.

    Pages of equal code share one record of the cache, so they are run once.
    """
    waiting: dict[str, list[Chapter]] = {}
    for chapter in chosen:
        if chapter.facts is None:
            waiting.setdefault(chapter.key, []).append(chapter)
    for key, twins in list(waiting.items()):
        if all(managed_slot(cell) for cell in twins[0].data["cells"] if cell["cell_type"] == "code"):
            _keep(store, twins, nbformat.from_dict(twins[0].data), 0.0, 0.0)  # managed cells do nothing here
            del waiting[key]
    if not waiting:
        return
    from bookkit.schedule import run_all  # Dask takes a second to import, and mostly nothing is to be run

    package = pack(book.root / PACKAGE)
    environment = {"MMBOOK_SEED": seed}
    if not options.scheduler:
        environment["MMBOOK_CACHE"] = str(book.root / "_build/embeddings")
    first = {twins[0].docname: twins for twins in waiting.values()}
    jobs = [
        Job(name, json.dumps(twins[0].data), package, environment, CELL_TIMEOUT, gpu=bool(twins[0].marks.get("gpu")))
        for name, twins in first.items()
    ]
    for result in run_all(jobs, _earlier_times(book.root), options.workers, options.scheduler):
        _settle(first[result.docname], result, store)


def _settle(twins: list[Chapter], result: Result, store: Store) -> None:
    if result.failure:
        for chapter in twins:
            chapter.failure = f"FAILED {result.failure}"
        store.forget(twins[0].data)  # an older record of the same code would let the next build pass
        return
    print(f"executed {result.docname} in {result.seconds:.1f} s, peak {result.peak_mb:.0f} MB")
    _keep(store, twins, nbformat.reads(result.notebook, as_version=4), result.seconds, result.peak_mb)


def _keep(store: Store, twins: list[Chapter], executed: nbformat.NotebookNode, seconds: float, peak_mb: float) -> None:
    facts = {"key": twins[0].key, "seconds": round(seconds, 2), "peak_mb": round(peak_mb, 1), "stamp": time.time_ns()}
    store.put(executed, twins[0].docname, facts)
    for chapter in twins:
        chapter.facts, chapter.fresh = facts, True


def check(book: Book, outputs: dict[str, nbformat.NotebookNode]) -> list[str]:
    """Budgets, claims and alt texts of every page that has been executed."""
    problems = [p for name, text in book.texts.items() for p in collect.missing_alt_in_text(name, text)]
    for chapter in book.chapters:
        if chapter.facts is None:
            continue
        budget = chapter.budget
        if chapter.facts["seconds"] > budget:
            problems.append(
                f"{chapter.docname}: took {chapter.facts['seconds']:.0f} s, its budget is {budget} s; profile it"
            )
        merged = outputs[chapter.docname]
        problems += collect.missing_alt(chapter.docname, merged)
        problems += [
            f"{chapter.docname}: claim fails: {c['statement']}"
            for c in collect.claims(chapter.docname, merged)
            if not c["holds"]
        ]
    return problems


def _earlier_times(root: Path) -> dict[str, float]:
    try:
        times = json.loads((root / "_build/times.json").read_text(encoding="utf-8"))
        return {f"book/{name}": row["seconds"] for name, row in times.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_records(book: Book, outputs: dict[str, nbformat.NotebookNode], out: Path) -> None:
    """What other tools and the site's own pages read."""
    claims: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    times: dict[str, Any] = {}
    for chapter in book.chapters:
        if chapter.facts is None:
            continue
        merged = outputs[chapter.docname]
        claims += collect.claims(chapter.docname, merged)
        figures |= collect.figures(chapter.docname, merged)
        times[collect.chapter(chapter.docname)] = {
            "seconds": chapter.facts["seconds"],
            "peak_mb": chapter.facts["peak_mb"],
            "budget": chapter.budget,
            "cached": not chapter.fresh,
        }
    codes = {c.docname: "\n".join(code_sources(c.data)) for c in book.chapters}
    write_json(out / "claims.json", claims)
    write_json(out / "figures.json", figures)
    write_json(out / "times.json", times)
    write_json(out / "cards.json", collect.cards(book.root, codes))
    # Sphinx reads a page again when its stamp changed: the source may be as old as before.
    write_json(out / "executions.json", {c.docname: c.facts["stamp"] for c in book.chapters if c.facts})


if __name__ == "__main__":
    sys.exit(main())
