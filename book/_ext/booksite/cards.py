"""The cards of the landing page: each chapter with its own figure, one finding, its cost and what comes before it."""

import base64
import re
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from . import directives, records

DRAWING = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
PICTURE = re.compile(r'<img\b[^>]*\bsrc="([^"]+)"')
NAMESPACES = {"xmlns": "http://www.w3.org/2000/svg", "xmlns:xlink": "http://www.w3.org/1999/xlink"}
NO_CARD = ("reference",)


class ChapterCards(SphinxDirective):
    """One card per chapter, under the names of the parts, in the order of `_toc.yml`."""

    def run(self) -> list[nodes.Node]:
        cards = records.load(self.env, "chapters") or {}
        figures = records.load(self.env, "figures") or {}
        times = records.load(self.env, "times") or {}
        found: list[nodes.Node] = []
        for part in self.config.external_site_map.root.subtrees:
            chapters = [name.removeprefix("book/") for name in part.files()]
            chapters = [name for name in chapters if name.split("/")[0] not in NO_CARD]
            if chapters:
                found.append(nodes.rubric("", part.caption or ""))
                found.append(
                    nodes.container(
                        "", *(self.card(n, cards.get(n, {}), figures, times) for n in chapters), classes=["mm-cards"]
                    )
                )
        return found

    def card(
        self, chapter: str, known: dict[str, Any], figures: dict[str, Any], times: dict[str, Any]
    ) -> nodes.container:
        """Return the card of one chapter; what is not known is left out."""
        card = nodes.container(classes=["mm-chapter"])
        if picture := thumbnail(**figures.get(f"{chapter}#card", {"html": "", "alt": ""})):
            card += nodes.raw("", picture, format="html")
        card += directives.paragraph(directives.link(self.env, chapter), classes=["mm-chapter-title"])
        if known.get("finding"):
            card += directives.paragraph(known["finding"])
        facts: list[nodes.Node | str] = []
        if chapter in times:
            facts.append(f"{max(1, round(times[chapter]['cpu_seconds'] / 60))} min to run")
        if known.get("after"):
            facts.append((", " if facts else "") + "after ")
            for number, earlier in enumerate(known["after"]):
                facts += [", " if number else "", directives.link(self.env, earlier)]
        if facts:
            card += directives.paragraph(*facts, classes=["mm-cost"])
        return card


def thumbnail(html: str, alt: str) -> str:
    """Return the first picture of a figure as an image; `finish` moves its data into a file. Empty without one."""
    drawing, picture = DRAWING.search(html), PICTURE.search(html)
    if drawing and not (picture and picture.start() < drawing.start()):
        missing = [f'{name}="{url}"' for name, url in NAMESPACES.items() if f'{name}="' not in drawing[0]]
        svg = drawing[0].replace("<svg", " ".join(["<svg", *missing]), 1)
        source = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    elif picture:
        source = picture[1]
    else:
        return ""
    return f'<img class="mm-thumbnail" loading="lazy" alt="{escape(alt or "A figure of the chapter")}" src="{source}">'


def connect(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("chapter-cards", ChapterCards)
