"""The repairs of one page, each a small function `(soup, title of the book) -> None`. `ALL` gives their order."""

import re
from textwrap import shorten

from bs4 import BeautifulSoup, Comment, Tag

THEME = """document.documentElement.dataset.mode = localStorage.getItem("mode") || "auto";
const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
const mode = document.documentElement.dataset.mode;
document.documentElement.dataset.theme = mode === "auto" ? dark : mode;"""


def head(soup: BeautifulSoup, title: str) -> None:
    """Keep one viewport, a title that names the book once, and a script that knows the theme before the first paint."""
    for extra in soup.select("meta[name=viewport]")[1:]:
        extra.decompose()
    if soup.title and soup.title.string:
        parts = soup.title.string.split(" — ")
        soup.title.string = " — ".join(dict.fromkeys(part.strip() for part in parts))
    if soup.head:
        soup.head.append(Comment(" Icons: Font Awesome Free, https://fontawesome.com/license/free (CC BY 4.0) "))
    script = soup.select_one("script[data-cfasync]")
    if script:
        script.string = "{" + THEME + "}"


def description(soup: BeautifulSoup, title: str) -> None:
    """Describe the page by its first real paragraph, for search engines and link previews."""
    if soup.head is None or soup.select_one("meta[name=description]"):
        return
    texts = (" ".join(p.get_text().split()) for p in soup.select("article section > p") if not p.select(".math"))
    text = next((text for text in texts if len(text) >= 50), title)
    soup.head.append(
        soup.new_tag("meta", attrs={"name": "description", "content": shorten(text, 155, placeholder=" …")})
    )


def weight(soup: BeautifulSoup, title: str) -> None:
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
    for element in soup.select(", ".join(drop)):
        element.decompose()
    seen: set[str] = set()
    for script in soup.select("script:not([src])"):
        if script.get_text() in seen or script.get_text().startswith("window.MathJax"):
            script.decompose()
        seen.add(script.get_text())


def logo(soup: BeautifulSoup, title: str) -> None:
    """Put the logo into a landmark. One picture serves both themes."""
    for brand in soup.select(".navbar-brand"):
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


def names(soup: BeautifulSoup, title: str) -> None:
    """Make the accessible name of each control contain the text that it shows, and give icons-only controls one."""
    for element in soup.select(".search-button-field, summary[aria-label='Toggle hidden content']"):
        del element["aria-label"]
    for button in soup.select(".sidebar-toggle, .btn-fullscreen-button"):
        button["aria-label"] = button.get("title") or button.get("aria-label")
    for summary in soup.select("nav summary"):
        link = summary.find_parent("li").find("a") if summary.find_parent("li") else None
        summary["aria-label"] = f"Sections of {link.get_text(strip=True)}" if link else "Sections"
    for section in soup.select(".prev-next-area a"):
        del section["title"]
    for field in soup.select("input[type=search]"):
        field.attrs |= {"placeholder": "Search this book", "aria-label": "Search this book"}


def headings(soup: BeautifulSoup, title: str) -> None:
    """Captions of the sidebar are labels of lists, not headings before the page's own first one."""
    for caption in soup.select("nav p.caption[role=heading]"):
        del caption["role"], caption["aria-level"]


def dropdowns(soup: BeautifulSoup, title: str) -> None:
    """Open and close folded boxes with the browser's own element, which works without a script."""
    for box in soup.select("div.admonition.dropdown"):
        head = box.select_one("p.admonition-title")
        if head:
            box.name, head.name = "details", "summary"


def solutions(soup: BeautifulSoup, title: str) -> None:
    """Say "solution" on the button that opens one."""
    for cell in soup.select(".cell.tag_solution"):
        for label, word in ((".collapsed", "Show"), (".expanded", "Hide")):
            for text in cell.select(f"summary {label}"):
                text.string = f"{word} the solution"


def lists(soup: BeautifulSoup, title: str) -> None:
    """Remove `role=list` from containers whose children have other roles, and roles that ARIA gave up (citations)."""
    for element in soup.select("[role=list]:not(ul):not(ol), [role=doc-biblioentry]"):
        del element["role"]


def tables(soup: BeautifulSoup, title: str) -> None:
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
    for table in soup.select("article table"):
        scroll_box(soup, table)


def scroll_box(soup: BeautifulSoup, table: Tag) -> None:
    """Make a table scroll in its own box that the keyboard can reach."""
    box = table.parent
    if box is None or "pst-scrollable-table-container" not in box.get("class", []):
        box = table.wrap(soup.new_tag("div", attrs={"class": ["pst-scrollable-table-container"]}))
    box.attrs |= {"tabindex": "0", "role": "group", "aria-label": "Table"}


def wide_maths(soup: BeautifulSoup, title: str) -> None:
    """Make displayed equations reachable by keyboard, for a narrow screen where they scroll."""
    for box in soup.select("div.math"):
        box.attrs |= {"tabindex": "0", "role": "group", "aria-label": "Equation"}


def landing(soup: BeautifulSoup, title: str) -> None:
    """Open links to other sites without giving them the opener or, from file://, the path."""
    for link in soup.select("a[href^='http'][target=_blank], article a.external"):
        link["rel"] = "noopener"


def spaces(soup: BeautifulSoup, title: str) -> None:
    """Remove the blank lines that templates leave between elements."""
    for text in soup.find_all(string=re.compile(r"^\s*\n\s*\n\s*$")):
        if not text.find_parent(["pre", "script", "style", "textarea"]):
            text.replace_with("\n")


ALL = (
    *(head, description, weight, logo, names, headings, dropdowns),
    *(solutions, lists, tables, wide_maths, landing, spaces),
)
