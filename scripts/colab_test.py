"""Run chapters as Colab would: the packages of a published runtime, an empty folder, the chapter's own setup cell.

make colab-test CHAPTERS="fusion/early-fusion fusion/late-fusion"

The environment is made in _build/colab-test and kept; each chapter begins without anything that another installed.
Exit codes: 0 every chapter ran and its claims held; 1 one did not; 2 usage error; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bookkit.build import trial
from bookkit.build.book import choose, read_book
from bookkit.errors import BookError, Parser, tolerant_streams


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    known = [runtime.name for runtime in trial.runtimes()]
    parser = Parser("colab_test", __doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with _toc.yml (default: here)")
    parser.add_argument("--only", nargs="+", metavar="PAGE", help="these chapters alone")
    parser.add_argument("--runtime", choices=known, default=known[0], help=f"of Colab (default: {known[0]})")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment (default: this one)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the trials; returns the exit code."""
    try:
        options = parse(argv)
        root = options.root.resolve()
        book = read_book(root, "0")
        chosen = [chapter for chapter in choose(book, options.only) if not chapter.idle]
        runtime = next(r for r in trial.runtimes() if r.name == options.runtime)
        if trial.uncommitted(root):
            print("note: a trial installs the last commit; edits of mmbook since then are not in it")
        print(f"Colab {runtime.name} ({runtime.date}, Python {runtime.python}): making its environment", flush=True)
        folder = root / "_build/colab-test" / runtime.name
        environment = trial.Environment(folder, options.python, trial.pins(root, runtime))
        print(f"this trial runs on {environment.version()}, with the torch of requirements.txt", flush=True)
        lines = trial.without_network(book, chosen[0], environment)
        faults = [] if "\n" not in lines and "can't be installed" in lines else [f"without a network: {lines!r}"]
        print(f"without a network: {lines}", flush=True)
        for chapter in chosen:
            outcome = trial.run_chapter(book, chapter, environment)
            faults += [f"{chapter.name}: {fault}" for fault in outcome.faults]
            took = f"setup {outcome.setup:.0f} s, {outcome.seconds:.0f} s in all, {outcome.claims} claims"
            print(f"{chapter.name}: {took}, {'FAILED' if outcome.faults else 'ran'}", flush=True)
            if outcome.setup > trial.SLOW:  # a busy machine is no fault of the chapter
                print(f"warning: {chapter.name}: its setup cell took longer than {trial.SLOW:.0f} s", flush=True)
    except BookError as error:
        print(f"colab_test: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("colab_test: interrupted", file=sys.stderr)
        return 130
    if faults:
        print("\n".join(["colab_test: not everything ran", *faults]), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    tolerant_streams()
    sys.exit(main())
