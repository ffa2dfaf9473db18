"""A notebook file as text and as data, with the questions that the generator asks of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bookkit.course import jsonspan
from bookkit.course.managed import KEY, Managed, find
from bookkit.errors import BookError

# What editors and Colab write into the metadata of cells; it says nothing about the author's work.
NOISE = {
    *("id", "outputId", "colab", "colab_type", "executionInfo", "vscode", "pycharm", "cell_id", "ExecuteTime"),
    *("execution", "editable", "deletable", "slideshow", "trusted", "scrolled", "collapsed", "jupyter", "hidden"),
    *("heading_collapsed", "jp-MarkdownHeadingCollapsed"),
}
BOM = "\ufeff"


def read_text(path: Path) -> str:
    """The text of a source file, line ends untouched.

    Raises:
        BookError: unreadable, or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise BookError(path, f"is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except IsADirectoryError:
        raise BookError(path, "is a folder; a page was expected, rename the folder") from None
    except OSError as error:
        raise BookError(path, f"can't be read ({error.strerror}); mend the file or its rights") from None


@dataclass
class Notebook:
    """A parsed notebook of format 4, beside the exact text it came from."""

    path: Path
    text: str
    data: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Notebook:
        """Read and check the outline of a notebook.

        Raises:
            BookError: not UTF-8, not JSON, or not a notebook of format 4.
        """
        text = read_text(path)
        try:
            data = json.loads(text.removeprefix(BOM))
        except json.JSONDecodeError as error:
            raise BookError(path, f"line {error.lineno}: not JSON ({error.msg}); restore or delete the file") from None
        except ValueError as error:
            raise BookError(path, f"not JSON ({error}); restore or delete the file") from None
        except RecursionError:
            raise BookError(path, "not a notebook (nested too deep); restore or delete the file") from None
        fault = _outline_fault(data)
        if fault:
            raise BookError(path, f"not a notebook ({fault}); restore or delete the file")
        return cls(path, text, data)

    @property
    def cells(self) -> list[dict[str, Any]]:
        return self.data["cells"]

    @property
    def marks(self) -> dict[str, Any]:
        """What the generator noted in the notebook's metadata; empty for a foreign notebook."""
        found = self.data.get("metadata", {}).get(KEY)
        return found if isinstance(found, dict) else {}

    @cached_property
    def managed(self) -> Managed:
        """Which of the cells the generator writes."""
        return find(self.cells)

    @cached_property
    def untouched(self) -> bool:
        """Whether this is a stub that no author has changed; a tool that stripped all tags is no author."""
        noted = self.marks.get("fingerprint")
        if noted is None or self.managed.faults:
            return False
        mine = [cell for index, cell in enumerate(self.cells) if index not in self.managed.cells]
        stripped = not any(cell.get("metadata") for cell in mine)
        return fingerprint(mine) == (self.marks.get("stripped", noted) if stripped else noted)

    @cached_property
    def heading(self) -> Heading | None:
        """The first H1 of the notebook's Markdown."""
        for index, cell in enumerate(self.cells):
            if cell["cell_type"] == "markdown":
                found = find_h1(source(cell))
                if found:
                    return Heading(found.title, found.start, found.end, index)
        return None

    def edited(self, edits: dict[int, str], inserted: list[dict[str, Any]] = (), at: int = 0) -> str:  # type: ignore[assignment]
        """The text with new sources for some cells and new cells before cell ``at``; all else stays."""
        shift = len(BOM) if self.text.startswith(BOM) else 0
        text = self.text[shift:]
        top = jsonspan.object_spans(text, jsonspan._skip(text, 0))
        cells = jsonspan.array_spans(text, top["cells"][0])
        changes = []
        for index, new in edits.items():
            span = jsonspan.object_spans(text, cells[index][0])["source"]
            changes.append((span, _new_source(text, span, new)))
        if inserted:
            start = cells[at][0] if at < len(cells) else None
            if start is None:  # behind the last cell, or into an empty list
                end = cells[-1][1] if cells else top["cells"][0] + 1
                near = cells[-1][0] if cells else end
                body = ", ".join(jsonspan.dump_like(c, text, near) for c in inserted)
                changes.append(((end, end), f", {body}" if cells else body))
            else:
                margin = text[text.rfind("\n", 0, start) + 1 : start]
                newline = "\r\n" if "\r\n" in text else "\n"
                gap = " " if margin.strip() or "\n" not in text[:start] else f"{newline}{margin}"
                body = "".join(f"{jsonspan.dump_like(c, text, start)},{gap}" for c in inserted)
                changes.append(((start, start), body))
        result = jsonspan.replace(text, changes)
        wanted = [{**cell, "source": edits.get(i, source(cell))} for i, cell in enumerate(self.cells)]
        wanted[at:at] = [{**cell, "source": source(cell)} for cell in inserted]
        if [{**cell, "source": source(cell)} for cell in json.loads(result)["cells"]] != wanted:
            raise BookError(self.path, "its layout can't be edited in place; save it once in Jupyter and run again")
        return self.text[:shift] + result


def _outline_fault(data: Any) -> str | None:
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        return "no list of cells"
    if data.get("nbformat") != 4:
        return f"format {data.get('nbformat')!r} instead of 4"
    if not isinstance(data.get("nbformat_minor", 0), int):
        return f"minor format {data['nbformat_minor']!r} is no number"
    if not isinstance(data.get("metadata", {}), dict):
        return "its metadata is not a mapping"
    for index, cell in enumerate(data["cells"]):
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            return f"cell {index} has no type"
        if not isinstance(cell.get("metadata", {}), dict):
            return f"cell {index}: its metadata is not a mapping"
        if not isinstance(cell.get("id", ""), str):
            return f"cell {index}: its id is not a word"
        text = cell.get("source")
        if not isinstance(text, str) and not (isinstance(text, list) and all(isinstance(s, str) for s in text)):
            return f"cell {index} has no source"
    return None


def source(cell: dict[str, Any]) -> str:
    """The source of a cell as one string."""
    text = cell["source"]
    return text if isinstance(text, str) else "".join(text)


def fingerprint(cells: Iterable[dict[str, Any]]) -> str:
    """SHA-256 over what an author can have written in these cells: sources, types, tags, outputs.

    Sources count the same as list or string; traces of editors do not count, nor do ids and execution counts.
    """
    return digest_of(map(written, cells))


def digest_of(texts: Iterable[str]) -> str:
    """SHA-256 over texts that ``written`` made."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def written(cell: dict[str, Any]) -> str:
    """What an author can have written in one cell, as a text that is equal for nothing else."""
    metadata = cell.get("metadata")
    kept = {key: value for key, value in metadata.items() if key not in NOISE and value != []} if metadata else None
    rest = [kept or None, cell.get("outputs") or None, cell.get("attachments") or None]
    more = json.dumps(rest, sort_keys=True) if any(rest) else ""
    return f"{cell['cell_type']}\0{more}\0{source(cell)}"


@dataclass(frozen=True)
class Heading:
    """An H1: its text, where the text stands in the source, and the cell (0 in a Markdown file)."""

    title: str
    start: int
    end: int
    cell: int = 0


_ATX = re.compile(r" {0,3}#[ \t]+(.*?)(?:[ \t]+#+)?(?:[ \t]*<!--.*-->)?[ \t]*$")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # Markdown's idea of a line, not str.splitlines'
_COMMENT = re.compile(r" {0,3}<!--")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,}|:{3,})(.*)$")


def find_h1(text: str) -> Heading | None:
    """The first H1 of a Markdown text, outside of fenced blocks, HTML comments and front matter."""
    at, fence, previous, comment = _after_front_matter(text), None, None, False
    for line in _LINE.findall(text[at:]):
        bare = line.rstrip("\r\n")
        mark = _FENCE.match(bare)
        if comment or (not fence and _COMMENT.match(bare)):  # as in CommonMark, up to the end of the line with -->
            comment, previous = "-->" not in bare, None
        elif fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = None
        elif mark:
            fence, previous = mark[1], None
        elif (atx := _ATX.match(bare)) and atx[1]:
            return Heading(atx[1], at + atx.start(1), at + atx.end(1))
        elif previous and re.fullmatch(r" {0,3}=+[ \t]*", bare):
            return Heading(previous[1], previous[0], previous[0] + len(previous[1]))
        else:
            words = bare.strip()
            previous = (at + bare.index(words), words) if words else None
        at += len(line)
    return None


def _after_front_matter(text: str) -> int:
    start = len(BOM) if text.startswith(BOM) else 0
    match = re.compile(r"---[ \t]*\r?\n.*?\n(---|\.\.\.)[ \t]*(\r?\n|$)", re.DOTALL).match(text, start)
    return match.end() if match else start


def _new_source(text: str, span: jsonspan.Span, new: str) -> str:
    """``new`` as JSON in the form of the old source; lines that did not change keep their bytes."""
    old = json.loads(text[span[0] : span[1]])
    if isinstance(old, str):
        return json.dumps(new, ensure_ascii=text[span[0] : span[1]].isascii())
    lines = new.splitlines(keepends=True)
    if len(lines) != len(old) or not lines:
        return jsonspan.dump_like(lines, text, span[0])
    items = jsonspan.array_spans(text, span[0])
    changed = [
        (item, json.dumps(line, ensure_ascii=text[item[0] : item[1]].isascii()))
        for item, before, line in zip(items, old, lines, strict=True)
        if before != line
    ]
    piece = jsonspan.replace(text[: span[1]], changed)
    return piece[span[0] :]
