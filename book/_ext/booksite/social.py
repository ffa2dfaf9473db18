"""What other sites read: previews of links (Open Graph), the sitemap, and the page for addresses that don't exist.

They need the site's address. It follows from `repository.url` in `_config.yml`, as GitHub Pages gives it.
"""

import re
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import Any
from urllib.parse import quote

import matplotlib
import resvg_py
from bs4 import BeautifulSoup
from sphinx.application import Sphinx

from . import cards

PLACEHOLDER = "OWNER"  # of `_config.yml`, until the book has an address
REPOSITORY = re.compile(r"https?://github\.com/([^/]+)/([^/]+?)(?:\.git)?/?$")
FONTS = [str(path) for path in (Path(matplotlib.get_data_path()) / "fonts" / "ttf").glob("DejaVuSans*.ttf")]
WIDTH, HEIGHT = 1200, 630  # what the networks ask for
FOLDER = "_media/social"
CARD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{WIDTH}"'
    f' height="{HEIGHT}" font-family="DejaVu Sans"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>{{}}</svg>'
)
NOT_FOUND = """<!DOCTYPE html>
<html lang="en" {mark}="1"><head><meta charset="utf-8"><title>Page not found — {title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="This address leads to no page of {title}.">
<meta name="robots" content="noindex">
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}}
@media(prefers-color-scheme:dark){{body{{background:#121212;color:#ced6dd}}a{{color:#7fb8e6}}}}</style></head>
<body><main><h1>Page not found</h1><p>Chapters move when the course grows. Look for yours on
<a href="{base}{root}.html">the first page</a>, or <a href="{base}search.html">search the book</a>.</p></main></body>
</html>
"""


def address(app: Sphinx) -> str:
    """Return the address of the site with a slash at its end, or nothing without a repository on GitHub."""
    found = REPOSITORY.match(str((app.config.html_theme_options or {}).get("repository_url", "")))
    return f"https://{found[1].lower()}.github.io/{found[2]}/" if found else ""


def mend(soup: BeautifulSoup, docname: str, source: str, known: dict[str, Any]) -> bool:
    """Let the reader report or mend a mistake, at the end of a page; returns whether the repository is a real one."""
    found = REPOSITORY.match(known.get("repository", ""))
    page = soup.select_one("article")
    if page is None or found is None or found[1] == PLACEHOLDER:
        return False
    home = f"https://github.com/{found[1]}/{found[2]}"
    about = quote(f"{docname.removeprefix('book/')}: ")
    words = f'A mistake? <a href="{home}/issues/new?title={about}">Report it</a>'
    words += f' or <a href="{home}/edit/{known["branch"]}/{source}">mend it</a>.'
    page.append(BeautifulSoup(f'<p class="mm-cost">{words}</p>', "html.parser"))
    return True


def lines(text: str, size: int, top: int, columns: int, weight: str = "normal") -> tuple[str, int]:
    """Return text as lines of an SVG from `top` on, and where the next one would stand (both in pixels)."""
    broken = wrap(text, columns)
    step = round(1.25 * size)
    style = f'x="60" font-size="{size}" font-weight="{weight}"'
    drawn = "".join(f'<text {style} y="{top + step * k}">{escape(line)}</text>' for k, line in enumerate(broken))
    return drawn, top + step * len(broken)


def picture(title: str, finding: str, book: str, figure: str) -> bytes:
    """Return the preview of a page as PNG, 1200 x 630: title and finding at the left, its figure at the right."""
    head, below = lines(title, 44, 110, 20, "bold")
    text, _ = lines(finding, 24, below + 24, 38)
    foot, _ = lines(book, 20, HEIGHT - 50, 60)
    drawing = cards.DRAWING.search(figure)
    shown = ""
    if drawing:
        inner = re.sub(r' (?:x|y|width|height|style)="[^"]*"', "", re.match(r"<svg[^>]*>", drawing[0])[0])  # type: ignore[index]
        inner = inner.replace("<svg", '<svg x="640" y="50" width="510" height="500"', 1)
        shown = inner + drawing[0].split(">", 1)[1]
    svg = CARD.format(head + text + foot + shown)
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, font_files=FONTS, skip_system_fonts=True))


def previews(soup: BeautifulSoup, docname: str, site: Path, base: str, known: dict[str, Any]) -> bool:
    """Tell other sites how to show a link to this page; returns whether it is one that they may show."""
    own = soup.select_one("article h1")
    about = soup.select_one("meta[name=description]")
    if not base or soup.head is None or own is None:
        return False
    name = docname.removeprefix("book/")
    title = own.get_text().removesuffix("#").strip()
    figure = known["figures"].get(f"{name}#card", {}).get("html", "")
    tags = {
        "og:type": "article",
        "og:title": title,
        "og:site_name": known["title"],
        "og:description": about["content"] if about else "",
        "og:url": f"{base}{docname}.html",
    }
    if figure:
        target = site / FOLDER / f"{name.replace('/', '-')}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        finding = known["chapters"].get(name, {}).get("finding", "")
        target.write_bytes(picture(title, finding, known["title"], figure))
        tags |= {"og:image": f"{base}{FOLDER}/{target.name}", "og:image:width": str(WIDTH)}
        tags |= {"og:image:height": str(HEIGHT), "og:image:alt": f"{title}: a figure of this page"}
    for key, value in tags.items():
        soup.head.append(soup.new_tag("meta", attrs={"property": key, "content": value}))
    card = "summary_large_image" if figure else "summary"
    soup.head.append(soup.new_tag("meta", attrs={"name": "twitter:card", "content": card}))
    return True


def write_map(app: Sphinx, site: Path, base: str) -> None:
    """Write `sitemap.xml` and `robots.txt`, which names it."""
    pages = sorted(app.env.found_docs)
    rows = "".join(f"<url><loc>{base}{page}.html</loc></url>\n" for page in pages)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    write(site / "sitemap.xml", f"{head}{rows}</urlset>\n")
    write(site / "robots.txt", f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n")


def write_not_found(app: Sphinx, site: Path, base: str, mark: str) -> None:
    """Write `404.html`, whose links are whole addresses because it is shown at any depth."""
    text = NOT_FOUND.format(mark=mark, title=app.config.html_title, base=base, root=app.config.root_doc)
    write(site / "404.html", text)


def write(path: Path, text: str) -> None:
    """Write a file unless it says this already: a build without changes leaves the site alone."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
