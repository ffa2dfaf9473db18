"""Execute every chapter, check claims, budgets and pictures, and render the site into _build/html.

Exit codes: 0 every page executed, every claim held, no warning; 1 something failed, and the rest of the site is
whole; 2 usage, TOC or page error; 130 interrupted, results so far kept.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from bookkit.build.book import choose, read_book
from bookkit.build.run import Options, build
from bookkit.errors import BookError, Parser, tolerant_streams


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = Parser("build_book", __doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with _toc.yml (default: here)")
    parser.add_argument("--workers", type=int, help="kernels at a time (default: MMBOOK_WORKERS, else the cores)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="run on an existing Dask cluster, e.g. tcp://host:8786")
    parser.add_argument("--only", nargs="+", metavar="PAGE", help="execute these pages alone")
    parser.add_argument("--no-cache", action="store_true", help="execute again what has a result")
    parser.add_argument("--strict", action="store_true", help="fail when a chapter takes 1.5 times its budget")
    options = parser.parse_args(argv)
    if options.workers is None:
        options.workers = _number("MMBOOK_WORKERS", os.cpu_count() or 1)
    if options.workers < 1:
        raise BookError("build_book", f"--workers {options.workers} is not a number of at least 1")
    return options


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "").strip() or str(default)
    if not text.isdecimal() or not text.isascii():
        raise BookError(variable, f"{text!r} is not an integer of at least 0; unset it or give it a number")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Run the build; returns its exit code."""
    try:
        options = parse(argv)
        book = read_book(options.root.resolve(), str(_number("MMBOOK_SEED", 0)))
        chosen = choose(book, options.only)
    except BookError as error:
        print(f"build_book: {error}", file=sys.stderr)
        return 2
    if book.config.repository.is_placeholder:
        print("note: repository.url in _config.yml is still the placeholder; Colab links lead nowhere until it is set")
    try:
        how = Options(options.workers, options.scheduler, options.no_cache, options.strict)
        problems = build(book, chosen, how)
    except BookError as error:
        print(f"build_book: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("build_book: interrupted; chapters that were done are kept", file=sys.stderr)
        return 130
    if problems:
        print("\n\n".join(["build_book: the build failed", *problems]), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    tolerant_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, and leaves nothing behind
    sys.exit(main())
