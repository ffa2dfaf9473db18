"""The reader of R's files: values, names, attributes and things met twice, in a file written here by hand."""

import bz2
import struct

import numpy as np
import pytest

from bookkit.data.rdata import read_rdata, walk


def integer(*values: int) -> bytes:
    return struct.pack(f">{len(values)}i", *values)


def text(word: str) -> bytes:
    return integer(9, len(word)) + word.encode()


def symbol(word: str) -> bytes:
    return integer(1) + text(word)


def pair(name: bytes, value: bytes, rest: bytes) -> bytes:
    return integer(2 | 0x400) + name + value + rest


END = integer(254)
HEAD = b"RDX3\nX\n" + integer(3, 0x30603, 0x30500, 5) + b"UTF-8"


def saved(path, body: bytes, pack=bytes) -> object:
    path.write_bytes(pack(HEAD + body))
    return read_rdata(path)


@pytest.mark.parametrize("pack", [bytes, bz2.compress])
def test_a_matrix_with_names(tmp_path, pack):
    names = pair(symbol("dim"), integer(13, 2, 3, 1), END)
    matrix = integer(14 | 0x200, 3) + struct.pack(">3d", 1.5, -2.0, 7.25) + names
    found = saved(tmp_path / "a.RData", pair(symbol("x"), matrix, END), pack)
    assert found["x"].value.tolist() == [1.5, -2.0, 7.25]
    assert found["x"].attributes["dim"].value.tolist() == [3, 1]


def test_lists_strings_and_a_name_met_twice(tmp_path):
    words = integer(16, 2) + text("one") + integer(9, -1)  # the second is NA
    again = integer(255 | 1 << 8)  # the first symbol once more
    body = pair(symbol("x"), integer(19, 1) + words, pair(again, integer(10, 1, 1), END))
    found = saved(tmp_path / "a.RData", body)
    assert list(found) == ["x"]  # the second value has the same name and replaces the first
    body = pair(symbol("x"), integer(19, 1) + words, pair(symbol("y"), integer(10, 1, 1), END))
    found = saved(tmp_path / "a.RData", body)
    assert found["x"].value[0].value == ["one", None]
    assert found["y"].value.tolist() == [1]


def test_a_range_in_compact_form(tmp_path):
    info = integer(2) + symbol("compact_intseq") + END
    state = integer(14, 3) + struct.pack(">3d", 4, 10, 1)
    found = saved(tmp_path / "a.RData", pair(symbol("x"), integer(238) + info + state + END, END))
    assert found["x"].value.tolist() == [10, 11, 12, 13]


def test_an_environment_is_walked_once(tmp_path):
    inside = pair(symbol("me"), integer(255 | 2 << 8), pair(symbol("n"), integer(13, 1, 5), END))
    body = pair(symbol("x"), integer(4, 0) + integer(253) + inside + END + END, END)
    found = saved(tmp_path / "a.RData", body)
    numbers = [o.value for o in walk(found["x"]) if isinstance(o.value, np.ndarray)]
    assert [n.tolist() for n in numbers] == [[5]]


def test_what_it_does_not_know_is_named(tmp_path):
    with pytest.raises(ValueError, match="kind 99"):
        saved(tmp_path / "a.RData", pair(symbol("x"), integer(99), END))
    (tmp_path / "b.RData").write_bytes(b"not one")
    with pytest.raises(ValueError, match=r"b\.RData"):
        read_rdata(tmp_path / "b.RData")
