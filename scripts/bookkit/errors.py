"""The one kind of error that an author sees: a single line that names the place and the cure."""

import sys


class BookError(Exception):
    """A fault in the course map, the configuration or a source file."""

    def __init__(self, where: object, what: str) -> None:
        line = " ".join(f"{where}: {what}".split())
        super().__init__(line)


def tolerant_streams() -> None:
    """A console that lacks a letter of a title or a page name is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
