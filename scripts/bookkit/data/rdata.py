"""Reads what R's ``save`` wrote (``.RData``, binary): as much of the format as a saved data set needs.

The format is described in "R Internals", section 1.8, "Serialization Formats". A package that reads it exists
(``rdata``), but its converter fails on objects of Bioconductor, and it would add two pins to every chapter's key.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MISSING = -(2**31)  # R's NA among integers
OPENERS = {b"BZh": bz2.decompress, b"\x1f\x8b\x08": gzip.decompress, b"\xfd7z": lzma.decompress}


@dataclass
class RObject:
    """A value of R: ``value`` is an array, a list of strings or of objects; ``attributes`` by name."""

    value: Any
    attributes: dict[str, Any] = field(default_factory=dict)

    def named(self) -> dict[str, Any]:
        """A list of R with names, or a pairlist, as a dict."""
        names = self.attributes["names"].value if "names" in self.attributes else range(len(self.value))
        return self.value if isinstance(self.value, dict) else dict(zip(map(str, names), self.value, strict=True))


def read_rdata(path: Path) -> dict[str, RObject]:
    """Name -> object of each thing that was saved.

    Raises:
        ValueError: not a binary RData file, or a kind of value that this reader does not know.
    """
    raw = path.read_bytes()
    raw = OPENERS.get(raw[:3], bytes)(raw)
    if raw[:7] not in (b"RDX2\nX\n", b"RDX3\nX\n"):
        raise ValueError(f"{path}: not a binary RData file")
    reader = _Reader(raw, 7)
    version, _, _ = (reader.integer() for _ in range(3))
    if version == 3:
        reader.take(reader.integer())  # the name of the encoding
    return reader.item().value


def walk(thing: Any, seen: set[int] | None = None) -> Iterator[RObject]:
    """Every object inside another, each once: elements, attributes, what environments hold."""
    seen = set() if seen is None else seen
    if isinstance(thing, RObject):
        if id(thing) in seen:
            return
        seen.add(id(thing))
        yield thing
        parts = [thing.value, thing.attributes]
    else:
        parts = list(thing.values()) if isinstance(thing, dict) else thing if isinstance(thing, list) else []
    for part in parts:
        if isinstance(part, RObject | dict | list):
            yield from walk(part, seen)


class _Reader:
    """Reads big-endian values from where the last one ended."""

    def __init__(self, raw: bytes, start: int) -> None:
        self.raw, self.at = raw, start
        self.known: list[Any] = []  # symbols and environments, which later items refer to by number
        self.kinds: dict[int, Callable[[], Any]] = {
            1: self._symbol, 4: self._environment, 9: self._string, 10: self._integers, 13: self._integers,
            7: self._builtin, 8: self._builtin, 14: self._reals, 16: self._list, 19: self._list, 20: self._list, 21: self._compiled, 22: self._pointer, 25: lambda: RObject(None), 238: self._altrep,
        }  # fmt: skip

    def take(self, count: int) -> bytes:
        self.at += count
        return self.raw[self.at - count : self.at]

    def integer(self) -> int:
        return struct.unpack(">i", self.take(4))[0]

    def item(self) -> Any:
        """The next value.

        Raises:
            ValueError: a kind of value that this reader does not know.
        """
        flags = self.integer() & 0xFFFFFFFF
        kind, with_attributes, with_tag = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
        if kind in (2, 3, 5, 6, 17):  # pairlist, function, promise, call, dots
            return self._pairs(with_attributes, with_tag)
        if kind == 255:  # something seen before
            return self.known[(flags >> 8 or self.integer()) - 1]
        if kind in (254, 253, 252, 251, 242, 241):  # NULL and environments of R itself
            return RObject(None)
        if kind == 249 or kind == 250:  # a namespace or a package, by its name
            self.integer()
            self.known.append(RObject([self.item() for _ in range(self.integer())]))
            return self.known[-1]
        if kind not in self.kinds:
            raise ValueError(f"value of kind {kind} at byte {self.at}")
        found = self.kinds[kind]()
        if with_attributes and isinstance(found, RObject) and kind != 9:
            found.attributes = self.item().value
        elif with_attributes:
            self.item()
        return found

    def _pairs(self, with_attributes: bool, with_tag: bool) -> RObject:
        """A pair: a value, maybe its name, and the rest of the list. Calls and functions are pairs, too."""
        attributes = self.item().value if with_attributes else {}
        name = self.item() if with_tag else None
        first, rest = self.item(), self.item()
        more = list(rest.value.items()) if isinstance(rest, RObject) and isinstance(rest.value, dict) else []
        pairs = [(name if isinstance(name, str) else "", first), *more]
        return RObject({key or f"[{i}]": value for i, (key, value) in enumerate(pairs)}, attributes)

    def _symbol(self) -> str:
        self.known.append(self.item())
        return self.known[-1]

    def _environment(self) -> RObject:
        self.integer()  # locked
        found = RObject({})
        self.known.append(found)
        found.value = {part: self.item() for part in ("enclosure", "frame", "table")}
        found.attributes = self.item().value or {}
        return found

    def _string(self) -> str | None:
        length = self.integer()
        return None if length == -1 else self.take(length).decode("utf-8", "replace")

    def _integers(self) -> RObject:
        count = self.integer()
        return RObject(np.frombuffer(self.take(4 * count), dtype=">i4").astype(np.int64))

    def _reals(self) -> RObject:
        count = self.integer()
        return RObject(np.frombuffer(self.take(8 * count), dtype=">f8").astype(np.float64))

    def _list(self) -> RObject:
        return RObject([self.item() for _ in range(self.integer())])

    def _altrep(self) -> RObject:
        """A vector in a compact form: of these, a range of integers and a wrapped vector."""
        info, state, _ = self.item(), self.item(), self.item()
        name = next(iter(info.value.values()))
        if name == "compact_intseq":
            count, first, step = state.value
            return RObject((first + step * np.arange(count)).astype(np.int64))
        if name.startswith("wrap_"):
            return next(iter(state.value.values() if isinstance(state.value, dict) else state.value))
        raise ValueError(f"compact vector of kind {name}")

    def _builtin(self) -> str:
        return self.take(self.integer()).decode()

    def _pointer(self) -> RObject:
        self.known.append(RObject(None))
        self.item(), self.item()  # what it keeps alive, and its tag
        return RObject(None)

    def _compiled(self) -> RObject:
        """A compiled function: read past, as nothing here asks what it does."""
        self.integer()  # how many of its parts are shared
        self._byte_code()
        return RObject(None)

    def _byte_code(self) -> None:
        self.item()
        for _ in range(self.integer()):
            self._constant(self.integer())

    def _constant(self, kind: int) -> None:
        if kind == 21:
            self._byte_code()
        elif kind == 243:  # a shared part
            self.integer()
        elif kind in (2, 6, 239, 240, 244):  # a call or a list; 244 introduces a shared part
            if kind == 244:
                self.integer()
                kind = self.integer()
            if kind in (239, 240):
                self.item()  # attributes
            self.item()  # name
            self._constant(self.integer())
            self._constant(self.integer())
        else:
            self.item()
