"""Directives that show what the build found: claims, run times, data cards, one figure.

Each of them works when its record is missing: the page then says so in one line.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from . import records

logger = logging.getLogger(__name__)
Inline = Sequence[nodes.Node] | str
NO_RECORD = "Not built: {what} not known, since this copy of the book was rendered without running it."


def paragraph(*parts: nodes.Node | str, classes: Sequence[str] = ()) -> nodes.paragraph:
    """Return a paragraph of nodes and plain strings; `code` in backticks becomes literal."""
    node = nodes.paragraph(classes=list(classes))
    for part in parts:
        if isinstance(part, nodes.Node):
            node += part
            continue
        for number, text in enumerate(part.split("`")):
            if text:
                node += nodes.literal(text, text) if number % 2 else nodes.Text(text)
    return node


def missing(what: str, record: Any) -> list[nodes.Node]:
    """Return the one line that stands where a record is missing (None) or empty."""
    text = "This build has none yet." if record is not None else NO_RECORD.format(what=what)
    return [paragraph(text, classes=["mm-missing"])]


def link(env: Any, chapter: str, text: str = "") -> nodes.Node:
    """Return a link to a chapter, by default with its title, or plain text when it is not in the book."""
    page = f"book/{chapter}"
    label = text or chapter
    if page not in env.found_docs:
        return nodes.Text(label)
    return addnodes.pending_xref(
        "",
        nodes.inline(label, label),
        refdomain="std",
        reftype="doc",
        refexplicit=bool(text),
        refwarn=False,
        reftarget=f"/{page}",
        refdoc=env.docname,
    )


def external(text: str, url: str | None) -> nodes.Node:
    """Return a link to another site, or plain text without an address."""
    return nodes.reference("", text, refuri=url, internal=False) if url else nodes.Text(text)


def cell(content: Inline) -> nodes.entry:
    """Return a table cell."""
    return nodes.entry("", paragraph(*([content] if isinstance(content, str) else content)))


def table(headers: Sequence[str], rows: Iterable[nodes.row], classes: Sequence[str] = ()) -> nodes.table:
    """Return a table with one head row."""
    group = nodes.tgroup(cols=len(headers))
    group += [nodes.colspec(colwidth=1) for _ in headers]
    group += nodes.thead("", nodes.row("", *map(cell, headers)))
    group += nodes.tbody("", *rows)
    return nodes.table("", group, classes=["mm-table", *classes])


def number(value: Any) -> str:
    """Return a number with three significant digits and a real minus sign, or a dash for none."""
    if value is None:
        return "–"
    return f"{value:.3g}".replace("-", "−")


def position(env: Any, chapter: str) -> tuple[int, str]:
    """Return a sort key that puts chapters in the order of the book."""
    order = list(env.toctree_includes.get(env.config.root_doc, []))
    page = f"book/{chapter}"
    return (order.index(page) if page in order else len(order), chapter)


class ClaimCount(SphinxDirective):
    """One sentence: how many claims this build verified."""

    def run(self) -> list[nodes.Node]:
        claims = records.load(self.env, "claims")
        if claims is None:
            return missing("the number of verified claims is", claims)
        if not claims:
            return []
        held = sum(bool(claim["holds"]) for claim in claims)
        chapters = len({claim["chapter"] for claim in claims})
        text = f"{held} {'claim' if held == 1 else 'claims'}"
        where = f" in {chapters} {'chapter' if chapters == 1 else 'chapters'}."
        return [
            paragraph("This build verified ", link(self.env, "reference/claims", text), where, classes=["mm-count"])
        ]


class TimesTable(SphinxDirective):
    """Processor time and peak memory per chapter."""

    def run(self) -> list[nodes.Node]:
        times = records.load(self.env, "times")
        if not times:
            return missing("the run times are", times)
        rows: list[list[Inline]] = [
            [
                [link(self.env, chapter)],
                f"{time['cpu_seconds']:.0f} s",
                f"{time['budget']:.0f} s",
                f"{time['seconds']:.0f} s",
                f"{time['peak_mb']:.0f} MB",
            ]
            for chapter, time in sorted(times.items(), key=lambda item: position(self.env, item[0]))
        ]
        total = [sum(time[key] for time in times.values()) for key in ("cpu_seconds", "budget", "seconds")]
        rows.append(["Total", *(f"{seconds:.0f} s" for seconds in total), "–"])
        cells = [nodes.row("", *map(cell, row)) for row in rows]
        return [table(["Chapter", "Processor time", "Budget", "By the clock", "Peak memory"], cells, ["mm-times"])]


class BuildFigure(SphinxDirective):
    """A named figure of a chapter, taken from the run: `{build-figure} fusion/late-fusion#rules`.

    A chapter that ran without drawing it is the author's slip, so that is a warning; the build fails.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        figures = records.load(self.env, "figures") or {}
        figure, chapter = figures.get(self.arguments[0]), self.arguments[0].partition("#")[0]
        if not figure:
            page = records.load(self.env, f"pages/book/{chapter}") or {}
            if page.get("executed") and not page.get("failed"):
                there = ", ".join(name for name in figures if name.startswith(f"{chapter}#")) or "none"
                logger.warning(
                    "no figure %s; named figures of that chapter: %s",
                    self.arguments[0],
                    there,
                    location=self.get_location(),
                )
            return [paragraph("This figure is not built: its chapter was not run.", classes=["mm-missing"])]
        source = paragraph(
            "Drawn by this build, from the chapter ", link(self.env, chapter), ".", classes=["mm-caption"]
        )
        return [nodes.raw("", figure["html"], format="html"), source]


class DataCard(SphinxDirective):
    """What stands on the card of one data set, below its samples: `{data-card} emoji`. {ref}`data-emoji` leads here."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        cards = records.load(self.env, "cards")
        if not cards:
            return missing("the card of this data set is", cards)
        name = self.arguments[0]
        card = next((card for card in cards if card["name"] == name), None)
        if card is None:
            known = ", ".join(card["name"] for card in cards)
            logger.warning("no data card %s; there are: %s", name, known, location=self.get_location())
            return []
        return [self.facts(card)]

    def facts(self, card: dict[str, Any]) -> nodes.Element:
        """Return the facts of one data set as a list of definitions."""
        used = [[", ", link(self.env, name)] for name in card.get("used_in", []) if f"book/{name}" != self.env.docname]
        facts: list[tuple[str, list[nodes.paragraph]]] = [
            ("What", [paragraph(f"{card['title']}. {card['summary']}")]),
            ("Modalities", [paragraph(f"`{name}`: {meaning}") for name, meaning in card.get("modalities", {}).items()]),
            ("Load it", [paragraph(f"`{card['load']}`")] if card.get("load") else []),
            ("Size", [paragraph(", ".join(map(size, card.get("size", {}).items())))]),
            ("Split", [paragraph(card["splits"])] if card.get("splits") else []),
            ("Source", [self.source(source) for source in card.get("source") or card.get("sources", [])]),
            ("Made by", [paragraph(f"`{card['made_by']}`")] if card.get("made_by") else []),
            ("Left out", [paragraph(text) for text in card.get("dropped", [])]),
            ("Limits", [paragraph(text) for text in card.get("limits", [])]),
            ("Used in", [paragraph(*[part for pair in used for part in pair][1:])] if used else []),
        ]
        anchor = f"data-{card['name']}"
        items = nodes.definition_list(ids=[anchor], names=[anchor], classes=["mm-facts"])
        self.state.document.note_explicit_target(items)
        for term, texts in facts:
            if texts:
                items += nodes.definition_list_item("", nodes.term("", term), nodes.definition("", *texts))
        return items

    def source(self, source: dict[str, str]) -> nodes.paragraph:
        """Return one line of origin: what, version, licence, whom to credit."""
        what = external(source["what"], source.get("url"))
        parts: list[nodes.Node | str] = [what]
        if source.get("package"):
            parts.append(f", package `{source['package']}`")
        parts.append(f" {source.get('version', '')}".rstrip())
        if source.get("licence"):
            parts += [", licence ", external(source["licence"], source.get("licence_url"))]
        if source.get("attribution"):
            parts.append(f". {source['attribution'].rstrip('.')}.")
        return paragraph(*parts)


def size(item: tuple[str, Any]) -> str:
    """Return one entry of a card's size in words."""
    name, value = item
    if name == "bytes":
        return f"{value / 1e6:.1f} MB" if value >= 1e5 else f"{value / 1e3:.0f} kB"
    return f"{value:,} {name}" if isinstance(value, int) else f"{name} {value}"


def connect(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("claim-count", ClaimCount)
    app.add_directive("times-table", TimesTable)
    app.add_directive("build-figure", BuildFigure)
    app.add_directive("data-card", DataCard)
