"""Reads ``_toc.yml`` as Jupyter Book does, and refuses what its parser lets pass."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from sphinx_external_toc.parsing import FILE_FORMATS, TOCTREE_OPTIONS, FileFormat, MalformedError, parse_toc_data

from bookkit.errors import BookError
from bookkit.tree import SKIPPED_FOLDERS, SUFFIXES, Tree, folded, sources

TOC = "_toc.yml"
LONGEST = 200  # bytes of a file name, so that a temporary name fits beside it


@dataclass(frozen=True)
class Page:
    """One entry of the course map. ``suffix`` is set where the entry names one."""

    docname: str
    where: str
    title: str | None = None
    suffix: str | None = None
    caption: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the page is called: TOC title, else ``meta.title``, else the humanised file name."""
        return self.title or self.docname.rsplit("/", 1)[-1].replace("-", " ").replace("_", " ").capitalize()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML that does not let a second key of the same name hide the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is a list or a mapping", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError) as error:  # a date that does not exist, ...
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None


def load_yaml(path: Path) -> Any:
    """The data in a YAML file.

    Raises:
        BookError: unreadable, not UTF-8, or not YAML; with the line.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise BookError(path, "does not exist; run in the folder that holds it, or pass --root") from None
    except UnicodeDecodeError as error:
        raise BookError(path, f"is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise BookError(path, f"can't be read ({error.strerror})") from None
    try:
        if re.search(r"^ {100}|.{500}", text, re.MULTILINE):
            _check_depth(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise BookError(path, f"{line}not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise BookError(path, f"not valid YAML: {error}") from None


def _check_depth(text: str) -> None:
    """Refuse a text whose nesting would overflow the stack of libyaml's composer; its event stream has none."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > 2 * DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deep", problem_mark=event.start_mark)


def read_toc(root: Path, excluded: tuple[str, ...] = ()) -> list[Page]:
    """The pages of ``root/_toc.yml`` in reading order, the root page first; globs are expanded.

    Args:
        excluded: patterns of files that globs do not see (``exclude_patterns`` of ``_config.yml``).

    Raises:
        BookError: the first fault found, with its place in the TOC.
    """
    path = root / TOC
    data = load_yaml(path)
    try:
        places = list(_check_shapes(data, "/"))
        _check_listed_once(places)
        parse_toc_data(data)
        # The parser compares names as written; walking the data finds the place of each entry.
        entries = list(_walk(data, FILE_FORMATS[data.get("format", "default")]))
    except MalformedError as error:
        if "'root' key" in str(error):
            raise BookError(path, f"{error}; name the first page with `root:`") from None
        raise BookError(path, str(error)) from None
    except RecursionError:
        raise BookError(path, "refers to itself (a YAML alias inside its own anchor)") from None
    pages: list[Page] = []
    globbed: set[str] = {entries[0].docname}  # as in Sphinx, a glob takes neither the root nor a page twice
    for entry in entries:
        if isinstance(entry, _Glob):
            found = [p for p in _expand(entry, root, path, excluded) if p.docname not in globbed]
            globbed.update(p.docname for p in found)
            pages.extend(found)
        else:
            pages.append(entry)
    for page in pages:
        _check_name(page, path)
    _check_unique(pages, path)
    _check_inside(pages, root, path)
    return pages


_TEXT_KEYS = ("format", "root", "file", "glob", "url")
_MAPPING_KEYS = ("options", "defaults", "meta")
_LIST_KEYS = ("parts", "subtrees", "chapters", "sections", "entries")
DEEPEST = 50  # levels of nesting; an alias inside its own anchor has no end


def _check_shapes(node: Any, where: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Refuse values of a wrong type, which the parser trips over; yields (page name, place)."""
    if not isinstance(node, Mapping):
        raise MalformedError(f"is {'empty' if node is None else 'not a mapping'} @ '{where}'")
    if depth > DEEPEST:
        raise RecursionError
    for key, value in node.items():
        if key in _TEXT_KEYS and (not isinstance(value, str) or not value.strip()):
            raise MalformedError(f"{key!r} is not a name @ '{where}'")
        if key in _MAPPING_KEYS and not isinstance(value, Mapping):
            raise MalformedError(f"{key!r} is not a mapping @ '{where}'")
        if key in ("root", "file"):
            suffix = next((s for s in SUFFIXES if value.endswith(s)), "")
            yield value.removesuffix(suffix), where
        if key in _LIST_KEYS:
            if not isinstance(value, list):
                raise MalformedError(f"{key!r} is not a list @ '{where}'")
            for index, item in enumerate(value):
                yield from _check_shapes(item, f"{where}{key}/{index}/", depth + 1)


def _check_listed_once(places: list[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, where in places:
        if seen.setdefault(name, where) != where:
            raise MalformedError(f"page {name!r} is listed twice @ '{where}' and '{seen[name]}'")


@dataclass(frozen=True)
class _Glob:
    pattern: str
    where: str
    caption: str | None


def _walk(data: Mapping[str, Any], form: FileFormat) -> Iterator[Page | _Glob]:
    yield _page(data, "root", "/", None)
    yield from _walk_children(data, form, "/", 0, None)


def _walk_children(
    node: Mapping[str, Any], form: FileFormat, where: str, depth: int, caption: str | None
) -> Iterator[Page | _Glob]:
    subtrees, items = form.get_subtrees_key(depth), form.get_items_key(depth)
    if items in node:
        unknown = set(node.get("options") or {}) - set(TOCTREE_OPTIONS)
        _refuse_unknown(unknown, f"{where}options", TOCTREE_OPTIONS)
        yield from _walk_items(node[items], form, f"{where}{items}/", depth, caption)
    for index, part in enumerate(node.get(subtrees) or ()):
        place = f"{where}{subtrees}/{index}/"
        _refuse_unknown(set(part) - {items, *TOCTREE_OPTIONS}, place, (items, *TOCTREE_OPTIONS))
        yield from _walk_items(part[items], form, f"{place}{items}/", depth, part.get("caption") or caption)


def _walk_items(
    items: list[Mapping[str, Any]], form: FileFormat, where: str, depth: int, caption: str | None
) -> Iterator[Page | _Glob]:
    for index, item in enumerate(items):
        place = f"{where}{index}/"
        if "url" in item:
            _refuse_unknown(set(item) - {"url", "title"}, place, ("url", "title"))
        elif "glob" in item:
            _refuse_unknown(set(item) - {"glob"}, place, ("glob",))
            yield _Glob(item["glob"], place, caption)
        else:
            yield _page(item, "file", place, caption)
            yield from _walk_children(item, form, place, depth + 1, caption)


def _refuse_unknown(unknown: set[Any], where: str, allowed: tuple[str, ...]) -> None:
    if unknown:
        names = ", ".join(sorted(map(repr, unknown)))
        raise MalformedError(f"unknown key {names} @ '{where}'; allowed are {', '.join(allowed)}")


def _page(item: Mapping[str, Any], key: str, where: str, caption: str | None) -> Page:
    name, meta = item[key], item.get("meta") or {}
    suffix = next((s for s in SUFFIXES if name.endswith(s)), None)
    title = item.get("title") or meta.get("title")
    if title is not None:
        title = " ".join(str(title).split()) or None
    return Page(name.removesuffix(suffix or ""), where, title, suffix, caption, meta)


def _expand(entry: _Glob, root: Path, path: Path, excluded: tuple[str, ...]) -> list[Page]:
    from sphinx.util.matching import patfilter

    names = sorted({str(p.with_suffix("")) for p in sources(root, excluded)})
    found = sorted(patfilter(names, entry.pattern))
    if not found:
        raise BookError(path, f"glob {entry.pattern!r} matches no file @ '{entry.where}'")
    return [Page(name, entry.where, caption=entry.caption) for name in found]


def _check_name(page: Page, path: Path) -> None:
    name, place = page.docname, f"@ '{page.where}'"
    if name.startswith(("/", "~")) or re.match(r"[A-Za-z]:", name):
        raise BookError(path, f"{name!r} is an absolute path {place}; give it relative to {TOC}")
    if "\\" in name or any(unicodedata.category(c) == "Cc" for c in name):
        raise BookError(path, f"{name!r} holds a backslash or a control character {place}; use / and plain names")
    for segment in name.split("/"):
        if segment == "..":
            raise BookError(path, f"{name!r} leaves the project {place}; pages lie below {TOC}")
        if segment in ("", "."):
            raise BookError(path, f"{name!r} is not a clean path {place}; drop empty and '.' segments")
        if len(os.fsencode(segment)) > LONGEST:
            raise BookError(
                path, f"{segment[:30] + '...'!r} is longer than {LONGEST} bytes {place}; give it a shorter name"
            )
        if segment.startswith("."):
            raise BookError(path, f"{name!r} is hidden {place}; Jupyter Book would not build it")
        if segment in SKIPPED_FOLDERS:
            raise BookError(path, f"{name!r} lies in {segment} {place}; that folder is not for sources")


def _check_unique(pages: list[Page], path: Path) -> None:
    seen: dict[str, Page] = {}
    for page in pages:
        other = seen.setdefault(folded(page.docname), page)
        if other is page:
            continue
        if other.docname == page.docname:
            what = f"page {page.docname!r} is listed twice"
        else:
            what = f"{page.docname!r} and {other.docname!r} are one file where case or accents don't count"
        raise BookError(path, f"{what} @ '{page.where}' and '{other.where}'")


def _check_inside(pages: list[Page], root: Path, path: Path) -> None:
    """Symbolic links may not lead out of the project."""
    home, tree = root.resolve(), Tree(root)
    inside: dict[str, bool] = {}
    for page in pages:
        folder = page.docname.rpartition("/")[0]
        try:
            if folder not in inside:
                inside[folder] = (root / folder).resolve().is_relative_to(home)
            links = [Path(f.path).resolve() for f in tree.files(page.docname) if f.is_symlink()]
        except (OSError, RuntimeError) as error:  # a name too long, a loop of links
            raise BookError(path, f"{page.docname!r} can't be looked up ({error}) @ '{page.where}'") from None
        if not inside[folder] or not all(link.is_relative_to(home) for link in links):
            raise BookError(path, f"{page.docname!r} leaves the project through a symbolic link @ '{page.where}'")
