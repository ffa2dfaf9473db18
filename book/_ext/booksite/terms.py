"""Show what a term means where it is linked to the glossary: on hover and on focus, without a script."""

from html import escape

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

GLOSSARY = "book/reference/glossary"


def note_glossary(app: Sphinx, doctree: nodes.document) -> None:
    """Read a page that uses terms again when the glossary changes (event `doctree-read`)."""
    if GLOSSARY in app.env.found_docs and any(
        x.get("reftype") == "term" for x in doctree.findall(addnodes.pending_xref)
    ):
        app.env.note_dependency(app.env.doc2path(GLOSSARY))


def definitions(env: BuildEnvironment) -> dict[str, str]:
    """Return anchor -> first paragraph of the definition, as HTML whose mathematics is still to be typeset."""
    if GLOSSARY not in env.found_docs:
        return {}
    found = {}
    for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        meaning = next(item.findall(nodes.paragraph), None)
        for term in item.findall(nodes.term):
            if meaning is not None and term["ids"]:
                found[term["ids"][0]] = inline_html(meaning)
    return found


def inline_html(node: nodes.Element) -> str:
    """Return a paragraph's words and formulas, without its links."""
    parts = []
    for child in node.children:
        if isinstance(child, nodes.math):
            parts.append(f'<span class="math">\\({escape(child.astext())}\\)</span>')
        elif isinstance(child, nodes.Text):
            parts.append(escape(child.astext()))
        else:
            parts.append(inline_html(child))
    return "".join(parts)


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
        tip.append(BeautifulSoup(meaning, "html.parser"))
        box.append(tip)
    return count


def number_figures(soup: BeautifulSoup) -> int:
    """Give the captions of our figures their numbers, page by page; returns how many there are."""
    captions = soup.select("article figure.mm-figure > figcaption")
    for number, caption in enumerate(captions, start=1):
        mark = soup.new_tag("strong")
        mark.string = f"Figure {number}. "
        caption.insert(0, mark)
        if caption.parent:  # a figure with a caption may have no other role (ARIA in HTML)
            caption.parent.attrs.pop("role", None)
    return len(captions)


def connect(app: Sphinx) -> None:
    """Register the handler."""
    app.connect("doctree-read", note_glossary)
