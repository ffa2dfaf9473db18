"""The repairs of one page, each a small function `(soup, title of the book) -> how often it matched`.

`ALL` gives their order. A repair that matches nothing on the whole site is dead; tests/site says which.
"""

import re
from textwrap import shorten

from bs4 import BeautifulSoup, Comment, Tag

NUMBER = re.compile(r"[−+–-]?\s*\d")
LONG = 44  # characters: a column of longer texts wraps
THEME = """document.documentElement.dataset.mode = localStorage.getItem("mode") || "auto";
const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const mode = document.documentElement.dataset.mode;
document.documentElement.dataset.theme = mode === "auto" ? dark : mode;"""


def head(soup: BeautifulSoup, title: str) -> int:
    """Keep one viewport, a title that names the book once, and a script that knows the theme before the first paint."""
    extra = soup.select("meta[name=viewport]")[1:]
    for element in extra:
        element.decompose()
    if soup.title and soup.title.string:
        parts = soup.title.string.split(" — ")
        soup.title.string = " — ".join(dict.fromkeys(part.strip() for part in parts))
    if soup.head:
        soup.head.append(Comment(" Icons: Font Awesome Free, https://fontawesome.com/license/free (CC BY 4.0) "))
    script = soup.select_one("script[data-cfasync]")
    if script:
        script.string = "{" + THEME + "}"
    return len(extra) + bool(script)


def description(soup: BeautifulSoup, title: str) -> int:
    """Describe the page by its first paragraph of prose, for search engines and link previews.

    Lines with a class, such as how long the page runs and what to read first, are ours and no prose.
    """
    if soup.head is None or soup.select_one("meta[name=description]"):
        return 0
    prose = (p for p in soup.select("article section > p:not([class])") if not p.select(".math"))
    texts = (" ".join(p.get_text().split()) for p in prose)
    text = next((text for text in texts if len(text) >= 50), title)
    soup.head.append(
        soup.new_tag("meta", attrs={"name": "description", "content": shorten(text, 155, placeholder=" …")})
    )
    return 1


def weight(soup: BeautifulSoup, title: str) -> int:
    """Leave out scripts and styles that the page has no use for."""
    drop = [
        "script[src*='fontawesome.js']",
        "script[src*='mathjax']",
        "link[rel=preload][as=script]",
        "#ethical-ad-placement",
    ]
    if not soup.select_one("#search-results"):  # the search page needs them; search-as-you-type is off
        drop += [f"script[src*='{name}']" for name in ("searchtools.js", "language_data.js", "searchindex.js")]
    if not soup.select_one("article [class*='sd-']"):
        drop += ["script[src*='design-tabs']", "link[href*='sphinx-design']"]
    dropped = soup.select(", ".join(drop))
    seen: set[str] = set()
    for script in soup.select("script:not([src])"):
        if script.get_text() in seen or script.get_text().startswith("window.MathJax"):
            dropped.append(script)
        seen.add(script.get_text())
    for element in dropped:
        element.decompose()
    return len(dropped)


def scripts_last(soup: BeautifulSoup, title: str) -> int:
    """Move scripts behind the text, except the one that knows the theme: a page shows before they have come."""
    scripts = soup.select("head > script:not([data-cfasync])") if soup.body else []
    for script in scripts:
        soup.body.append(script.extract())
    return len(scripts)


def logo(soup: BeautifulSoup, title: str) -> int:
    """Put the logo into a landmark. One picture serves both themes."""
    brands = soup.select(".navbar-brand")
    for brand in brands:
        for extra in brand.select("img.only-dark"):
            extra.decompose()
        for image in brand.select("img.only-light"):
            image["class"] = ["logo__image"]
            image.attrs |= {"width": "48", "height": "30"}
        for text in brand.select("p.logo__title"):
            text.name = "span"
        if brand.parent:
            brand.parent["role"] = "banner"
    for header in soup.select("header#pst-header"):  # empty here, but the theme's script measures it
        header.name = "div"
    return len(brands)


def names(soup: BeautifulSoup, title: str) -> int:
    """Make the accessible name of each control contain the text that it shows, and give icons-only controls one."""
    labels = soup.select(".search-button-field[aria-label], summary[aria-label='Toggle hidden content']")
    for element in labels:
        del element["aria-label"]
    buttons = soup.select(".sidebar-toggle, .btn-fullscreen-button")
    for button in buttons:
        button["aria-label"] = button.get("title") or button.get("aria-label")
    sections = soup.select("nav summary")
    for summary in sections:
        link = summary.find_parent("li").find("a") if summary.find_parent("li") else None
        summary["aria-label"] = f"Sections of {link.get_text(strip=True)}" if link else "Sections"
    for section in soup.select(".prev-next-area a"):
        del section["title"]
    fields = soup.select("input[type=search]")
    for field in fields:
        field.attrs |= {"placeholder": "Search this book", "aria-label": "Search this book"}
    return len(labels) + len(buttons) + len(sections) + len(fields)


def headings(soup: BeautifulSoup, title: str) -> int:
    """Captions of the sidebar are labels of lists, not headings before the page's own first one."""
    captions = soup.select("nav p.caption[role=heading]")
    for caption in captions:
        del caption["role"], caption["aria-level"]
    return len(captions)


def print_title(soup: BeautifulSoup, title: str) -> int:
    """Give the heading for print the words of the page's own; the theme writes its text as if it were HTML."""
    own, printed = soup.select_one("article h1"), soup.select("#jb-print-docs-body h1")
    for heading in printed:
        if own:
            heading.string = "".join(own.find_all(string=True)).removesuffix("#").strip()
    return len(printed)


def dropdowns(soup: BeautifulSoup, title: str) -> int:
    """Open and close folded boxes with the browser's own element, which works without a script."""
    boxes = [
        (box, head) for box in soup.select("div.admonition.dropdown") if (head := box.select_one(".admonition-title"))
    ]
    for box, head in boxes:
        box.name, head.name = "details", "summary"
    return len(boxes)


def solutions(soup: BeautifulSoup, title: str) -> int:
    """Say "solution" on the button that opens one."""
    cells = soup.select(".cell.tag_solution")
    for cell in cells:
        for label, word in ((".collapsed", "Show"), (".expanded", "Hide")):
            for text in cell.select(f"summary {label}"):
                text.string = f"{word} the solution"
    return len(cells)


def lists(soup: BeautifulSoup, title: str) -> int:
    """Remove `role=list` from containers whose children have other roles, and roles that ARIA gave up (citations)."""
    elements = soup.select("[role=list]:not(ul):not(ol), [role=doc-biblioentry]")
    for element in elements:
        del element["role"]
    return len(elements)


def tables(soup: BeautifulSoup, title: str) -> int:
    """Mend pandas' tables: empty head cells, obsolete attributes, styles repeated per table; name scroll boxes."""
    for cell in soup.select("th"):
        if not cell.get_text(strip=True) and not cell.find("img"):
            cell.name = "td"
    for table in soup.select("table.dataframe"):
        del table["border"]
        for style in table.parent.find_all("style", recursive=False) if table.parent else []:
            style.decompose()
        for row in table.select("tr[style]"):
            del row["style"]
        words_left(table)
    found = soup.select("article table")
    for table in found:
        for name in table.select("tbody > tr > :first-child") if without_corner(table) else []:
            name.name = "th"
            name["scope"] = "row"
        scroll_box(soup, table)
    return len(found)


def without_corner(table: Tag) -> bool:
    """Tell whether the first column of a table has no heading, so that it names the rows."""
    corner = table.select_one("thead > tr > *")
    return corner is not None and not corner.get_text(strip=True) and not corner.find("img")


def words_left(table: Tag) -> None:
    """Mark the columns of a data frame that hold words (they stand at the left), and long cells (they may wrap)."""
    rows = [row.find_all(["td", "th"], recursive=False) for row in table.select("tr")]
    for column in zip(*rows, strict=False):
        texts = [cell.get_text(strip=True) for cell in column if cell.find_parent("tbody")]
        if not texts or 2 * sum(bool(NUMBER.match(text)) for text in texts) >= len(texts):
            continue
        longest = max(map(len, texts))
        for cell in column:
            cell["class"] = [*cell.get("class", []), "mm-words", *(["mm-long"] if longest > LONG else [])]


def scroll_box(soup: BeautifulSoup, table: Tag) -> None:
    """Make a table scroll in its own box that the keyboard can reach."""
    box = table.parent
    if box is None or "pst-scrollable-table-container" not in box.get("class", []):
        box = table.wrap(soup.new_tag("div", attrs={"class": ["pst-scrollable-table-container"]}))
    box.attrs |= {"tabindex": "0", "role": "group", "aria-label": "Table"}


def wide_maths(soup: BeautifulSoup, title: str) -> int:
    """Make displayed equations reachable by keyboard, for a narrow screen where they scroll."""
    boxes = soup.select("div.math")
    for box in boxes:
        box.attrs |= {"tabindex": "0", "role": "group", "aria-label": "Equation"}
    return len(boxes)


def links(soup: BeautifulSoup, title: str) -> int:
    """Open links to other sites without giving them the opener or, from file://, the path."""
    found = soup.select("a[href^='http'][target=_blank], article a.external")
    for link in found:
        link["rel"] = "noopener"
    return len(found)


ALL = (
    *(head, description, weight, scripts_last, logo, names, headings, print_title, dropdowns),
    *(solutions, lists, tables, wide_maths, links),
)
