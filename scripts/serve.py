"""Serve the site on this machine, render anew what is saved, and reload the page in the browser.

A saved page of words is rendered; a chapter whose code changed is executed first, and nothing else is. What is wrong is
said on the terminal, and the site stays up. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bookkit.build.book import read_book
from bookkit.build.render import Warm, warmed_up
from bookkit.build.run import Options, build
from bookkit.errors import BookError, Parser, tolerant_streams

WATCHED = ("_toc.yml", "_config.yml", "requirements.txt", "weights.txt", "book", "mmbook")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = Parser("serve", __doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with _toc.yml (default: here)")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (default: 8000)")
    return parser.parse_args(argv)


class Site:
    """The site of a book; a process that has imported Jupyter Book waits for the next edit, which saves seconds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stack = ExitStack()
        self.warm: Warm | None = None

    def rebuild(self) -> list[str]:
        """Bring it up to date; returns what is wrong, after saying so."""
        begin = time.perf_counter()
        try:
            book = read_book(self.root, os.environ.get("MMBOOK_SEED", "0"))
            problems = build(book, book.chapters, Options(workers=os.cpu_count() or 1), self.warm)
        except BookError as error:
            problems = [str(error)]
        print("\n\n".join(problems), end="\n" if problems else "", flush=True)
        print(f"{'with faults' if problems else 'up to date'} after {time.perf_counter() - begin:.1f} s", flush=True)
        self.stack.close()
        (self.root / "_build").mkdir(exist_ok=True)
        self.warm = self.stack.enter_context(warmed_up(self.root))
        return problems


def unwanted(path: str) -> bool:
    """Whether a file is an editor's, or Python's own."""
    name = os.path.basename(path)
    return name.startswith(".") or name.endswith("~") or "__pycache__" in path or ".ipynb_checkpoints" in path


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    try:
        options = parse(argv)
    except BookError as error:
        print(f"serve: {error}", file=sys.stderr)
        return 2
    try:
        from livereload import Server
    except ImportError:
        print("serve: livereload is not installed; run `make serve`, or pip install -r authoring.txt", file=sys.stderr)
        return 2
    site = Site(options.root.resolve())
    try:
        site.rebuild()
        server = Server()
        for name in WATCHED:
            server.watch(str(site.root / name), site.rebuild, ignore=unwanted)
        print(f"the site is on http://127.0.0.1:{options.port}; Ctrl-C ends it", flush=True)
        server.serve(root=str(site.root / "_build/html"), host="127.0.0.1", port=options.port)
    except KeyboardInterrupt:
        pass
    finally:
        site.stack.close()
    return 0


if __name__ == "__main__":
    tolerant_streams()
    sys.exit(main())
