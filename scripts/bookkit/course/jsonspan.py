"""Where in a JSON text a value stands, so that one value can change and every other byte stays."""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
Span = tuple[int, int]


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]


def object_spans(text: str, start: int) -> dict[str, Span]:
    """Key -> span of its value, for the object that begins at ``start``."""
    spans: dict[str, Span] = {}
    at = _skip(text, start + 1)
    while text[at] != "}":
        key, at = scanstring(text, at + 1)
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        _, end = _DECODER.raw_decode(text, at)
        spans[key] = (at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return spans


def array_spans(text: str, start: int) -> list[Span]:
    """Spans of the items of the array that begins at ``start``."""
    spans: list[Span] = []
    at = _skip(text, start + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        spans.append((at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return spans


def replace(text: str, edits: list[tuple[Span, str]]) -> str:
    """The text with each span replaced; spans must not overlap."""
    for (start, end), new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def dump_like(value: Any, text: str, at: int) -> str:
    """``value`` as JSON in the style of ``text`` around position ``at``: its indentation and escapes."""
    if "\n" not in text.strip():
        return json.dumps(value, ensure_ascii=text.isascii())
    unit = re.search(r"\n([ \t]+)", text)
    indent = unit[1] if unit else " "
    line = text[text.rfind("\n", 0, at) + 1 : at]
    margin = line[: len(line) - len(line.lstrip(" \t"))]
    dumped = json.dumps(value, indent=indent, ensure_ascii=text.isascii(), sort_keys=True)
    return dumped.replace("\n", ("\r\n" if "\r\n" in text else "\n") + margin)
