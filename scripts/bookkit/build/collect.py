"""Reads executed notebooks: claims, named figures, cards of chapters and data, outputs that no page can show."""

from __future__ import annotations

import base64
import re
import tomllib
from pathlib import Path
from typing import Any

from bookkit.course.managed import KEY
from bookkit.errors import BookError

ARTIFACT = "application/vnd.mmbook.artifact+json"
CLAIM = "application/vnd.mmbook.claim+json"
GLUED = re.compile(r"\{([\w-]+)\}")
SHOWN = ("text/", "image/", "application/javascript")  # what myst-nb renders


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
    """The claims a page made, in its order, each with the id of its cell."""
    return [
        {"chapter": chapter(docname), "anchor": notebook["cells"][index].get("id")} | _finite(output["data"][CLAIM])
        for index, output in _outputs(notebook)
        if CLAIM in output["data"]
    ]


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    """A record without numbers that JSON does not know; kernels send them as words."""
    numbers = ("effect", "low", "high", "at_least")
    odd = {key for key in numbers if isinstance(value := record.get(key), str) or value != value}
    return {key: None if key in odd else value for key, value in record.items()}


def figures(docname: str, notebook: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The figures that other pages may show."""
    found = {}
    for _, output in _outputs(notebook):
        mark = output.get("metadata", {}).get(KEY, {})
        if mark.get("figure"):
            html = output["data"]["text/html"]
            found[f"{chapter(docname)}#{mark['figure']}"] = {"html": "".join(html), "alt": mark["alt"]}
    return found


def glued(notebook: dict[str, Any]) -> dict[str, str]:
    """The values that the prose of a page may name."""
    found = {}
    for _, output in _outputs(notebook):
        mark = output.get("metadata", {}).get("scrapbook")
        if mark:
            values = [v for mime, v in output["data"].items() if mime.endswith("text/plain")]
            found[mark["name"]] = "".join(values[0]) if values else ""
    return found


def chapter_card(docname: str, notebook: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What the landing page tells of a chapter, and what is wrong with that.

    The author chooses in the notebook's metadata ``mmbook.card``: ``figure``, the id of a cell that shows one;
    ``finding``, a sentence in which ``{name}`` stands for a glued value, or for what the claim of the cell with that
    id found (``{id-2}``: the second claim of a cell); ``after``, chapters that a reader should know. Without a choice
    it is the first figure and the first measured claim.
    """
    asked, faults = asked_card(docname, notebook["metadata"].get(KEY, {}))
    shown: dict[str, list[tuple[str, str]]] = {}
    for index, output in _outputs(notebook):
        html = "".join(output["data"].get("text/html", ""))
        if "<figure" in html or "<img" in html:
            alt = output.get("metadata", {}).get(KEY, {}).get("alt", "")
            shown.setdefault(str(notebook["cells"][index].get("id")), []).append((html, alt))
    made = claims(docname, notebook)
    measured = [claim["statement"] for claim in made if claim.get("kind") != "exact"]
    cell = asked.get("figure") or next(iter(shown), "")
    finding = asked.get("finding") or (f"{measured[0]}." if measured else "")
    values = _values(made) | glued(notebook)
    faults += [
        f"{docname}: metadata mmbook.card.finding names {{{name}}}, which no cell glues or claims"
        for name in GLUED.findall(finding)
        if name not in values
    ]
    if cell and cell not in shown:
        faults.append(f"{docname}: metadata mmbook.card.figure {cell!r} is no cell that shows a figure")
    card = {
        "figure": {
            "html": "\n".join(html for html, _ in shown.get(cell, ())),
            "alt": " ".join(alt for _, alt in shown.get(cell, ()) if alt),
        },
        "finding": GLUED.sub(lambda mark: values.get(mark[1], mark[0]), finding),
        "after": list(asked.get("after", ())),
    }
    return card, faults


def asked_card(docname: str, marks: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What a page's metadata say of its card, and one line if that is of another form."""
    card = marks.get("card", {})
    texts = isinstance(card, dict) and all(isinstance(card.get(key, ""), str) for key in ("figure", "finding"))
    names = card.get("after", []) if texts else None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return card, []
    what = "is no mapping of figure and finding (texts) and after (a list of chapters)"
    return {}, [f"{docname}: metadata mmbook.card {what}; CONTRIBUTING.md shows one"]


def _values(made: list[dict[str, Any]]) -> dict[str, str]:
    """What each claim found, without its interval, by the id of its cell; the second one of a cell by ``id-2``."""
    counts: dict[str, int] = {}
    values = {}
    for claim in made:
        counts[claim["anchor"]] = count = counts.get(claim["anchor"], 0) + 1
        name = claim["anchor"] if count == 1 else f"{claim['anchor']}-{count}"
        values[name] = str(claim.get("found", "")).split(",")[0].lstrip("+").replace(" ", "\N{NO-BREAK SPACE}")
    return values


def artifacts(docname: str, notebook: dict[str, Any]) -> dict[str, bytes]:
    """The files that a page published for demonstrations: ``<chapter>/<name>`` -> bytes."""
    records = [output["data"][ARTIFACT] for _, output in _outputs(notebook) if ARTIFACT in output["data"]]
    return {f"{chapter(docname)}/{record['name']}": base64.b64decode(record["data"]) for record in records}


def unshown(docname: str, notebook: dict[str, Any]) -> list[str]:
    """One line for each output that a static page can't show (a widget, bare data)."""
    return [
        f"{docname}, output of cell {index + 1}: nothing that a page can show, only {', '.join(output['data'])}"
        for index, output in _outputs(notebook)
        if not any(mime.startswith(SHOWN) for mime in output["data"]) and "scrapbook" not in output.get("metadata", {})
    ]


def cards(root: Path, reached: dict[str, set[str]]) -> list[dict[str, Any]]:
    """The cards of data sets and generated worlds, with the size of the files and the chapters that use them.

    Args:
        reached: docname -> modules of the helper package that the page can reach.

    Raises:
        BookError: a card lacks what the page of data sets needs.
    """
    found = []
    for path in [
        *sorted((root / "mmbook/datasets").glob("*/card.toml")),
        *sorted((root / "mmbook/worlds").glob("*.toml")),
    ]:
        try:
            card = tomllib.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BookError(path, f"is no TOML ({error}); mend it") from None
        if lacks := [key for key in ("name", "title", "summary", "load", "size") if not card.get(key)]:
            raise BookError(path, f"the data card has no {' and no '.join(lacks)}; add it (another card shows how)")
        for source in card.get("sources", []):
            if not source.get("what") or not source.get("licence"):
                raise BookError(path, "a source of the data card has no `what` or no `licence`; add it")
        vendored = path.parent / "files"
        files = list(vendored.iterdir()) if path.name == "card.toml" and vendored.is_dir() else []
        if files:  # a generator has none
            card["size"]["bytes"] = sum(p.stat().st_size for p in files)
        module = path.parent if path.name == "card.toml" else path.with_suffix("")
        name = ".".join(module.relative_to(root).parts)
        card["used_in"] = [chapter(docname) for docname, modules in reached.items() if name in modules]
        found.append(card)
    return found
