"""The one kind of error that an author sees: a single line that names the place and the cure."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn


class BookError(Exception):
    """A fault in the course map, the configuration or a source file."""

    def __init__(self, where: object, what: str) -> None:
        line = " ".join(f"{where}: {what}".split())
        super().__init__(line)


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, too."""

    def __init__(self, command: str, about: str | None) -> None:
        super().__init__(prog=command, description=about, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Complain of the command line.

        Raises:
            BookError: always.
        """
        raise BookError("command line", f"{message}; see --help")


def tolerant_streams() -> None:
    """A console that lacks a letter of a title or a page name is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
