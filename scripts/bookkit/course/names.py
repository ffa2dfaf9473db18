"""Which page names are refused: what some disk or Sphinx can't hold."""

from __future__ import annotations

import os
import re
import unicodedata

from sphinx_external_toc.parsing import MalformedError

from bookkit.course.tree import SKIPPED_FOLDERS

LONGEST = 200  # bytes of a file name, so that a temporary name fits beside it
OF_SPHINX = {"search", "genindex", "modindex", "py-modindex", "index"}  # pages that Sphinx itself writes
WINDOWS = re.compile(
    r'[<>:"|?*]|[. ](?:/|$)|(?:^|/)(?: |(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|$))', re.IGNORECASE
)


def check_name(name: str, where: str, *, is_root: bool = False) -> None:
    """Refuse a page name that leads nowhere, out of the project, or to trouble on another machine.

    Args:
        where: the place of the entry, for the message.
        is_root: the first page, which alone may be called ``index``.

    Raises:
        MalformedError: says what is wrong and what to do.
    """
    place = f"@ '{where}'"
    if name.startswith(("/", "~")) or re.match(r"[A-Za-z]:", name):
        raise MalformedError(f"{name!r} is an absolute path; give it relative to _toc.yml {place}")
    if "\\" in name or any(unicodedata.category(c) == "Cc" for c in name):
        raise MalformedError(f"{name!r} holds a backslash or a control character; use / and plain names {place}")
    if name in OF_SPHINX and not (name == "index" and is_root):
        raise MalformedError(f"{name!r} is a page that Sphinx writes itself; give yours another name {place}")
    for segment in name.split("/"):
        _check_segment(name, segment, place)


def _check_segment(name: str, segment: str, place: str) -> None:
    if segment == "..":
        raise MalformedError(f"{name!r} leaves the project; pages lie below _toc.yml {place}")
    if segment in ("", "."):
        raise MalformedError(f"{name!r} is not a clean path; drop empty and '.' segments {place}")
    if len(os.fsencode(segment)) > LONGEST:
        short = segment[:30] + "..."
        raise MalformedError(f"{short!r} is longer than {LONGEST} bytes; give it a shorter name {place}")
    if segment.startswith("."):
        raise MalformedError(f"{name!r} is hidden, Jupyter Book would not build it; rename it {place}")
    if segment in SKIPPED_FOLDERS:
        raise MalformedError(f"{name!r} lies in {segment}, which is not for sources; move it {place}")


def fits_windows(name: str) -> bool:
    """Whether a page of this name can be a file on Windows."""
    return not WINDOWS.search(name)
