"""The page of claims: what each one says, what was found, how far from its margin, and where it is tested."""

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from . import directives, records

WIDTH, HEIGHT, EDGE = 220, 24, 6
EXACT = "Exact identities"
FILTER = """<fieldset class="mm-filter"><legend>Show</legend>
<label><input type="radio" name="mm-show" id="mm-all" checked> all claims</label>
<label><input type="radio" name="mm-show" id="mm-only-unwelcome"> the unwelcome ones</label>
<label><input type="radio" name="mm-show" id="mm-only-within"> that two things are about equal</label>
</fieldset>
<fieldset class="mm-filter"><legend>From</legend>
<label><input type="radio" name="mm-from" checked> all parts</label>
{parts}</fieldset>
<style>{rules}</style>"""
PART = '<label><input type="radio" name="mm-from" id="mm-from-{number}"> {name}</label>\n'
RULE = "article:has(#mm-from-{number}:checked) .mm-part:not(#{section}){{display:none}}"


class ClaimsTable(SphinxDirective):
    """All claims: the measured ones by part and chapter, the exact ones at the end."""

    def run(self) -> list[nodes.Node]:
        claims = records.load(self.env, "claims")
        if not claims:
            return directives.missing("the evidence for the claims is", claims)
        numbered(claims)
        groups: dict[str, list[dict[str, Any]]] = {}
        parts = {name: part.caption for part in self.config.external_site_map.root.subtrees for name in part.files()}
        for claim in sorted(claims, key=lambda claim: directives.position(self.env, claim["chapter"])):
            part = parts.get(f"book/{claim['chapter']}") or "Claims"
            groups.setdefault(EXACT if claim.get("kind") == "exact" else part, []).append(claim)
        if EXACT in groups:
            groups[EXACT] = groups.pop(EXACT)
        return [nodes.raw("", filters(list(groups)), format="html"), *(self.group(*group) for group in groups.items())]

    def group(self, name: str, claims: list[dict[str, Any]]) -> nodes.section:
        """Return the section of one part."""
        section = nodes.section(ids=[section_id(name)], names=[name.lower()], classes=["mm-part"])
        section += nodes.title("", name)
        for chapter in dict.fromkeys(claim["chapter"] for claim in claims):
            box = nodes.container(classes=["mm-of-chapter"])
            box += directives.paragraph(directives.link(self.env, chapter), classes=["mm-evidence-chapter"])
            box += [self.row(claim) for claim in claims if claim["chapter"] == chapter]
            section += box
        return section

    def row(self, claim: dict[str, Any]) -> nodes.container:
        """Return one claim: its words lead to the cell that tests it."""
        page = self.env.app.builder.get_relative_uri(self.env.docname, f"book/{claim['chapter']}")
        words, numbers = told(claim)
        link = nodes.reference("", words, refuri=f"{page}#{claim['id']}", internal=True)
        mark = [nodes.inline("", "unwelcome", classes=["mm-badge"])] if claim.get("unwelcome") else []
        classes = [
            "mm-evidence",
            f"mm-{claim.get('kind', 'difference')}",
            *(["mm-unwelcome"] if claim.get("unwelcome") else []),
        ]
        row = nodes.container(classes=classes)
        row += directives.paragraph(link, *mark)
        if plot := interval_plot(claim):
            row += nodes.raw("", plot, format="html")
        row += directives.paragraph(numbers)
        more = [f"The interval covers {claim['covers']}"] if claim.get("covers") else []
        more += [f"With other seeds: {claim['fared']}"] if claim.get("fared") else []
        if more:
            row += directives.paragraph(". ".join(more) + ".", classes=["mm-cost"])
        return row


def section_id(name: str) -> str:
    """Return the id of a part's section."""
    return nodes.make_id(f"claims of {name}")


def filters(names: list[str]) -> str:
    """Return the buttons that show a kind of claim or one part, with the style that obeys the latter; no script."""
    parts = "".join(PART.format(number=number, name=escape(name)) for number, name in enumerate(names, start=1))
    rules = [RULE.format(number=number, section=section_id(name)) for number, name in enumerate(names, start=1)]
    return FILTER.format(parts=parts, rules="".join(rules))


def told(claim: dict[str, Any]) -> tuple[str, str]:
    """Return the sentence of a claim and its numbers, in the words of its chapter."""
    found = claim.get("found") or directives.number(claim.get("effect"))
    asked = claim.get("asked") or directives.number(claim.get("at_least"))
    return f"{'' if claim['holds'] else 'FAILS: '}{claim['statement']}", f"Found {found}. Asked: {asked}."


def numbered(claims: list[dict[str, Any]]) -> None:
    """Give each claim the id of its row in its chapter, as `records.anchored` does."""
    counts: dict[tuple[str, str], int] = {}
    for claim in claims:
        cell = (claim["chapter"], str(claim.get("anchor")))
        counts[cell] = counts.get(cell, 0) + 1
        claim["id"] = records.claim_id(cell[1], counts[cell])


def interval_plot(claim: dict[str, Any]) -> str:
    """Return a small drawing of the interval (bar), the mean (dot), zero (line) and the margin (dashes)."""
    low, mean, high, asked = (claim.get(key) for key in ("low", "effect", "high", "at_least"))
    if claim.get("kind") == "exact" or low is None or mean is None or high is None or asked is None:
        return ""
    margins = [-asked, asked] if claim.get("kind") == "equivalence" else [asked]
    ends = [0.0, low, high, *margins]
    left, span = min(ends), (max(ends) - min(ends)) or 1.0

    def across(value: float) -> str:
        return f"{EDGE + (WIDTH - 2 * EDGE) * (value - left) / span:.1f}"

    middle = HEIGHT / 2
    upright = f'y1="2" y2="{HEIGHT - 2}"'
    lines = [f'<line class="mm-zero" x1="{across(0)}" x2="{across(0)}" {upright}/>']
    lines += [f'<line class="mm-margin" x1="{across(m)}" x2="{across(m)}" {upright}/>' for m in margins]
    lines.append(f'<line class="mm-range" x1="{across(low)}" x2="{across(high)}" y1="{middle}" y2="{middle}"/>')
    lines.append(f'<circle cx="{across(mean)}" cy="{middle}" r="4"/>')
    return f'<svg class="mm-interval" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(lines)}</svg>'


def connect(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("claims-table", ClaimsTable)
