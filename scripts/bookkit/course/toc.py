"""Reads ``_toc.yml`` as Jupyter Book does, and refuses what its parser lets pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sphinx_external_toc.parsing import FILE_FORMATS, TOCTREE_OPTIONS, FileFormat, MalformedError, parse_toc_data

from bookkit.course.names import check_name
from bookkit.course.tree import SUFFIXES, Tree, folded, sources
from bookkit.course.yaml_text import DEEPEST, load_yaml, located
from bookkit.errors import BookError

TOC = "_toc.yml"


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


def read_toc(root: Path, excluded: tuple[str, ...] = (), empty: list[tuple[str, str]] | None = None) -> list[Page]:
    """The pages of ``root/_toc.yml`` in reading order, the root page first; globs are expanded.

    Args:
        excluded: patterns of files that globs do not see (``exclude_patterns`` of ``_config.yml``).
        empty: gets (where, what) of each glob that matches no file, which in a new book is no fault.

    Raises:
        BookError: the first fault found, with its line in the TOC.
    """
    path = root / TOC
    data = load_yaml(path)
    if isinstance(data, list):
        raise BookError(path, f"is in the old list format; convert it with: jupyter-book toc migrate {TOC} -o {TOC}")
    try:
        pages = _pages(data, root, excluded, empty if empty is not None else [])
    except MalformedError as error:
        raise BookError(path, located(path, _cure(str(error)))) from None
    except RecursionError:
        raise BookError(path, "refers to itself (a YAML alias inside its own anchor)") from None
    return pages


def _pages(data: Any, root: Path, excluded: tuple[str, ...], empty: list[tuple[str, str]]) -> list[Page]:
    _check_listed_once(list(_check_shapes(data, "/")))
    parse_toc_data(data)
    # The parser compares names as written; walking the data finds the place of each entry.
    entries = list(_walk(data, FILE_FORMATS[data.get("format", "default")]))
    pages: list[Page] = []
    globbed = {
        entry.docname for entry in entries[:1] if isinstance(entry, Page)
    }  # as in Sphinx, a glob takes neither the root nor a page twice
    for entry in entries:
        if isinstance(entry, _Glob):
            found = _expand(entry, root, excluded)
            if not found:
                empty.append((entry.where, f"glob {entry.pattern!r} matches no file"))
            found = [page for page in found if page.docname not in globbed]
            globbed.update(page.docname for page in found)
            pages.extend(found)
        else:
            pages.append(entry)
    for page in pages:
        check_name(page.docname, page.where, is_root=page is pages[0])
    _check_unique(pages)
    _check_inside(pages, root)
    return pages


def _cure(message: str) -> str:
    """A fault that the parser found, in an author's words where the parser's are about Python."""
    if "'root' key" in message:
        return f"{message}; name the first page with `root:`"
    if re.search(r"Unknown keys found: \{[^}]*'(parts|chapters)'[^}]*\}.* @ '/'", message):
        return "`parts` and `chapters` need a first line `format: jb-book`; add it @ '/'"
    message = re.sub(r"toctree validation( @ '[^']*')?: .*unexpected keyword argument", r"unknown key\1", message)
    message = re.sub(r"(toctree|entry) validation @", "@", message)
    message = re.sub(
        r"must be \(<class 'bool'>, <class 'int'>\) \(got (.*) that is.*",
        r"is \1: write true, false or a number",
        message,
    )
    return re.sub(
        r"'url' must match regex .* \((.*) doesn't\)", r"the address \1 has no https:// in front; add it", message
    )


_NAME_KEYS = ("format", "root", "file", "glob", "url")
_TEXT_KEYS = (*_NAME_KEYS, "title", "caption")
_MAPPING_KEYS = ("options", "defaults", "meta")
_LIST_KEYS = ("parts", "subtrees", "chapters", "sections", "entries")


def _check_shapes(node: Any, where: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Refuse values of a wrong type, which the parser trips over; yields (page name, place)."""
    if not isinstance(node, Mapping):
        raise MalformedError(f"is {'empty' if node is None else 'not a mapping'} @ '{where}'")
    if depth > DEEPEST:
        raise RecursionError
    for key, value in node.items():
        here = f"@ '{where}{key}/'"
        if key in _TEXT_KEYS and not isinstance(value, str | None):
            raise MalformedError(f"{key} is read as {value!r}, not as text; put it in quotes {here}")
        if key in _NAME_KEYS and not (value or "").strip():
            raise MalformedError(f"{key!r} is not a name @ '{where}'")
        if key in _MAPPING_KEYS and not isinstance(value, Mapping) and not (value is None and _may_be_empty(key, node)):
            what = "is empty; fill it or remove the line" if value is None else "is not a mapping"
            raise MalformedError(f"{key!r} {what} {here}")
        if key == "meta":
            _check_title(value, where)
        if key in ("root", "file"):
            if "://" in value:
                raise MalformedError(f"{value!r} is an address; write `url: {value}` {here}")
            suffix = next((s for s in SUFFIXES if value.endswith(s)), "")
            yield value.removesuffix(suffix), where
        if key in _LIST_KEYS:
            if not isinstance(value, list):
                raise MalformedError(f"{key!r} is not a list @ '{where}'")
            for index, item in enumerate(value):
                yield from _check_shapes(item, f"{where}{key}/{index}/", depth + 1)


def _may_be_empty(key: str, node: Mapping[str, Any]) -> bool:
    """Whether the build's parser takes an empty value: it never looks at options beside ``parts``."""
    return key == "meta" or (key == "options" and not {"chapters", "sections", "entries"} & set(node))


def _check_title(meta: Any, where: str) -> None:
    title = (meta or {}).get("title")
    if not isinstance(title, str | None):
        raise MalformedError(f"meta.title is read as {title!r}, not as text; put it in quotes @ '{where}meta/title/'")


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
    title = " ".join((item.get("title") or meta.get("title") or "").split()) or None
    return Page(name.removesuffix(suffix or ""), where, title, suffix, caption, meta)


def _expand(entry: _Glob, root: Path, excluded: tuple[str, ...]) -> list[Page]:
    from sphinx.util.matching import patfilter

    names = sorted({str(p.with_suffix("")) for p in sources(root, excluded)})
    return [Page(name, entry.where, caption=entry.caption) for name in sorted(patfilter(names, entry.pattern))]


def _check_unique(pages: list[Page]) -> None:
    seen: dict[str, Page] = {}
    for page in pages:
        other = seen.setdefault(folded(page.docname), page)
        if other is page:
            continue
        if other.docname == page.docname:
            what = f"page {page.docname!r} is listed twice"
        else:
            what = f"{page.docname!r} and {other.docname!r} are one file where case or accents don't count"
        raise MalformedError(f"{what} @ '{page.where}' and '{other.where}'")


def _check_inside(pages: list[Page], root: Path) -> None:
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
            raise MalformedError(f"{page.docname!r} can't be looked up ({error}) @ '{page.where}'") from None
        if not inside[folder] or not all(link.is_relative_to(home) for link in links):
            raise MalformedError(f"{page.docname!r} leaves the project through a symbolic link @ '{page.where}'")
