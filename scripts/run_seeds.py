"""Run chapters over more values of MMBOOK_SEED and add how each claim fared to the record in seeds.json.

make seeds N=10 CHAPTERS="fusion/early-fusion fusion/late-fusion"

Values that the record already has for a chapter as it is now are not run again, so an interrupted run goes on where it
stopped. The site says "held for 20 of 20 seeds"; a record whose chapter has changed since is marked old.
Exit codes: 0 every claim held; 1 one did not, or a chapter failed; 2 usage error; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from bookkit.build.book import choose, read_book
from bookkit.build.files import as_folder
from bookkit.build.run import helpers_copy
from bookkit.build.seed_runs import run_seeds
from bookkit.build.seeds import Record
from bookkit.errors import BookError, Parser, tolerant_streams
from bookkit.lock import alone


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = Parser("run_seeds", __doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with _toc.yml (default: here)")
    parser.add_argument("--count", type=int, default=10, help="more values for each chapter (default: 10)")
    parser.add_argument("--only", nargs="+", metavar="PAGE", help="these chapters alone")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="kernels at a time")
    options = parser.parse_args(argv)
    if options.count < 1 or options.workers < 1:
        parser.error("--count and --workers are numbers of at least 1")
    return options


def main(argv: list[str] | None = None) -> int:
    """Run the seeds; returns the exit code."""
    try:
        options = parse(argv)
        root = options.root.resolve()
        book = read_book(root, "0")
        chosen = [chapter for chapter in choose(book, options.only) if not chapter.idle]
        Record.read(root / "seeds.json")
    except BookError as error:
        print(f"run_seeds: {error}", file=sys.stderr)
        return 2
    try:
        with alone(as_folder(root / "_build")), helpers_copy(root) as folder:
            record = Record.read(root / "seeds.json")
            faults = run_seeds(root, chosen, record, options.count, options.workers, folder)
    except BookError as error:
        print(f"run_seeds: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("run_seeds: interrupted; the values that were done are in seeds.json", file=sys.stderr)
        return 130
    for chapter in chosen:
        print(record.summary(chapter.name))
    if faults:
        print("\n\n".join(["run_seeds: not everything held", *faults]), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    tolerant_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, and leaves nothing behind
    sys.exit(main())
