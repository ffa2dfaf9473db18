"""Reads executed notebooks: claims, named figures, images without alternative text, data cards."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from bookkit.errors import BookError
from bookkit.notebook import KEY, source

CLAIM = "application/vnd.mmbook.claim+json"
SHOWN = ("text/", "image/", "application/javascript")  # what myst-nb renders
FILE_NAME = re.compile(r"^\S+\.(png|jpe?g|gif|svg|webp)$", re.IGNORECASE)
_MARKDOWN = MarkdownIt("commonmark").enable("table").use(colon_fence_plugin).use(front_matter_plugin)
_DATA_IMPORT = re.compile(r"from (mmbook\.datasets(?:\.\w+)*) import (\([^)]*\)|.*)")
_DIRECTIVE = re.compile(r"\{([\w:-]+)\}\s*(\S*)")
_HTML = ("html_block", "html_inline", "text")
_VERBATIM = {"code", "code-block", "code-cell", "sourcecode", "literalinclude", "math", "mermaid"}


def chapter(docname: str) -> str:
    """The chapter's name in reports: the page without the book's folder."""
    return docname.removeprefix("book/")


def _outputs(notebook: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    return [
        (index, output)
        for index, cell in enumerate(notebook["cells"])
        for output in cell.get("outputs", ())
        if output["output_type"] in ("display_data", "execute_result")
    ]


def claims(docname: str, notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims a page made, in its order."""
    return [{"chapter": chapter(docname), **o["data"][CLAIM]} for _, o in _outputs(notebook) if CLAIM in o["data"]]


def figures(docname: str, notebook: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The figures that other pages may show."""
    found = {}
    for _, output in _outputs(notebook):
        mark = output.get("metadata", {}).get(KEY, {})
        if mark.get("figure"):
            html = output["data"]["text/html"]
            found[f"{chapter(docname)}#{mark['figure']}"] = {"html": "".join(html), "alt": mark["alt"]}
    return found


def missing_alt(docname: str, notebook: dict[str, Any]) -> list[str]:
    """One line for each picture of an executed notebook that has no alternative text."""
    problems = []
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "markdown":
            problems += [f"{docname}, cell {index + 1}: {fault}" for fault in _markdown_faults(source(cell))]
    for index, output in _outputs(notebook):
        data = output["data"]
        if not any(mime.startswith(SHOWN) for mime in data):
            problems.append(
                f"{docname}, output of cell {index + 1}: nothing that a page can show, only {', '.join(data)}"
            )
        elif "text/html" in data:
            problems += [
                f"{docname}, output of cell {index + 1}: {f}" for f in _html_faults("".join(data["text/html"]))
            ]
        elif "text/markdown" in data:
            faults = _markdown_faults("".join(data["text/markdown"]))
            problems += [f"{docname}, output of cell {index + 1}: {fault}" for fault in faults]
        elif any(mime.startswith("image/") for mime in data):
            where = f"{docname}, output of cell {index + 1}"
            problems.append(f"{where}: a picture without alt text; use mmbook.plotting.show(..., alt=...)")
    return problems


def missing_alt_in_text(docname: str, text: str) -> list[str]:
    """The same for a Markdown page."""
    return [f"{docname}: {fault}" for fault in _markdown_faults(text)]


def _markdown_faults(text: str) -> list[str]:
    """Pictures of a MyST text without alternative text, those in directives and in raw HTML too."""
    tokens = _MARKDOWN.parse(text)
    pieces = [piece for token in tokens for piece in (token, *(token.children or ()))]
    html = [escape(p.content) if p.type == "text" else p.content for p in pieces if p.type in _HTML]
    return [fault for token in tokens for fault in _token_faults(token)] + _html_faults("\n".join(html))


def _token_faults(token: Token) -> list[str]:
    if token.type == "image":
        return [] if _is_alt(token.content) else [f"picture {token.attrs['src']} without alt text"]
    if token.type in ("fence", "colon_fence"):
        directive = _DIRECTIVE.match(token.info.strip())
        if not directive or directive[1] in _VERBATIM:
            return []
        if directive[1] == "raw":
            return _html_faults(token.content)
        if directive[1] == "eval-rst":
            return ["reStructuredText in a page, whose pictures can't be checked; write MyST"]
        if directive[1] in ("figure", "image"):
            head = re.match(r"---\n.*?^---$|(?:[ \t]*(?::.*)?\n)*", token.content, re.DOTALL | re.MULTILINE)
            alt = re.search(r"^[ \t]*:?alt:[ \t]*(\S.*)$", head[0] if head else "", re.MULTILINE)
            return [] if alt and _is_alt(alt[1]) else [f"{{{directive[1]}}} {directive[2]} without alt text"]
        return _markdown_faults(token.content)
    return [fault for child in token.children or () for fault in _token_faults(child)]


def _is_alt(text: str) -> bool:
    return bool(text.strip()) and not FILE_NAME.match(text.strip())


def _html_faults(html: str) -> list[str]:
    if not re.search(r"<(img|svg)\b", html, re.IGNORECASE):
        return []
    faults = []
    for tag in BeautifulSoup(html, "html.parser").find_all(["img", "svg"]):
        if tag.get("aria-hidden") == "true" or (tag.name == "svg" and tag.find_parent("svg")):
            continue
        name = tag.get("alt") if tag.name == "img" else (tag.get("aria-label") or (tag.title and tag.title.string))
        if not _is_alt(name or ""):
            faults.append(f"<{tag.name}> without alt text")
    return faults


def cards(root: Path, codes: dict[str, str]) -> list[dict[str, Any]]:
    """The data cards of the helper package, with the size of the files and the chapters that use them.

    Args:
        codes: docname -> all code of the page.

    Raises:
        BookError: a card lacks what the page of data sets needs.
    """
    imported = {docname: _imported(code) for docname, code in codes.items()}
    found = []
    for path in sorted((root / "mmbook/datasets/files").glob("*/card.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        if lacks := [key for key in ("name", "title", "summary", "loaders", "size") if not card.get(key)]:
            raise BookError(path, f"the data card has no {' and no '.join(lacks)}; add it (another card shows how)")
        files = [p for p in path.parent.iterdir() if p != path]
        if files:  # a generator has none
            card["size"]["bytes"] = sum(p.stat().st_size for p in files)
        card["used_in"] = [chapter(d) for d, names in imported.items() if names & set(card["loaders"])]
        found.append(card)
    return found


def _imported(code: str) -> set[str]:
    """What a page imports from ``mmbook.datasets``: names of functions, and of the modules that hold them."""
    found = set()
    for module, names in _DATA_IMPORT.findall(code):
        found |= {module, *re.findall(r"\w+", names)}
    return found
