"""Show what a term means where it is linked to the glossary: on hover and on focus, without a script."""

from pathlib import Path
from textwrap import shorten

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "book/reference/glossary"
LONGEST = 260  # characters


def note_glossary(app: Sphinx, doctree: nodes.document) -> None:
    """Read a page that uses terms again when the glossary changes (event `doctree-read`)."""
    if GLOSSARY in app.env.found_docs and any(
        x.get("reftype") == "term" for x in doctree.findall(addnodes.pending_xref)
    ):
        app.env.note_dependency(app.env.doc2path(GLOSSARY))


def definitions(site: Path) -> dict[str, str]:
    """Return anchor -> definition, from the built glossary."""
    page = site / f"{GLOSSARY}.html"
    if not page.is_file():
        return {}
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    found = {}
    for term in soup.select("dl.glossary dt[id]"):
        meaning = term.find_next_sibling("dd")
        if meaning:
            found[str(term["id"])] = shorten(" ".join(meaning.get_text().split()), LONGEST, placeholder=" …")
    return found


def explain(soup: BeautifulSoup, meanings: dict[str, str]) -> int:
    """Put the definition beside each link to a term; returns how many there are."""
    count = 0
    for link in soup.select("article a.reference[href*='glossary.html#']"):
        meaning = meanings.get(str(link["href"]).partition("#")[2])
        if not meaning or link.find_parent(["dt", "h1", "h2", "h3"]):
            continue
        count += 1
        name = f"mm-term-{count}"
        box = link.wrap(soup.new_tag("span", attrs={"class": ["mm-term"]}))
        link["aria-describedby"] = name
        tip = soup.new_tag("span", attrs={"class": ["mm-tip"], "role": "tooltip", "id": name})
        tip.string = meaning
        box.append(tip)
    return count


def number_figures(soup: BeautifulSoup) -> int:
    """Give the captions of our figures their numbers, page by page; returns how many there are."""
    captions = soup.select("article figure.mm-figure > figcaption")
    for number, caption in enumerate(captions, start=1):
        mark = soup.new_tag("strong")
        mark.string = f"Figure {number}. "
        caption.insert(0, mark)
    return len(captions)


def connect(app: Sphinx) -> None:
    """Register the handler."""
    app.connect("doctree-read", note_glossary)
