"""Turn the theme's HTML into right HTML, once, after Sphinx wrote it.

Most of this mends what axe reports on a stock Jupyter Book; the rest removes weight. A page that carries the mark
was done in an earlier build and is skipped, so a build without changes costs one short read per page.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from . import icons, maths, media, pictures, records, repairs, social, styles, terms

MARK = "data-booksite"
# Insides of figures and of highlighted code: nine elements of ten, and no repair looks at them.
BULK = re.compile(
    r'(<figure class="mm-figure"[^>]*>\s*<svg\b[^>]*>)(.*?)(</svg>)|(<div class="highlight"><pre>)(.*?)(</pre>)',
    re.DOTALL,
)
KEPT = re.compile(r"mm-bulk-(\d+);")
# Words, punctuation and spaces: both styles of the theme give them the colour of plain code (tests/site checks it).
PLAIN = ("n", "nn", "p", "w")
PLAIN_SPAN = re.compile(rf'<span class="(?:{"|".join(PLAIN)})">([^<]*)</span>')
REDIRECT = """<!DOCTYPE html>
<html lang="en" {mark}="1"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{title}">
<meta http-equiv="refresh" content="0; url={target}"><link rel="canonical" href="{target}"></head>
<body><main><h1>{title}</h1><p><a href="{target}">Open the book</a></p></main></body></html>
"""


def done(page: Path) -> bool:
    """Tell whether this pass has seen the page."""
    with page.open(encoding="utf-8") as file:
        return MARK in file.read(600)


def without_bulk(html: str) -> tuple[str, list[str]]:
    """Take the insides of figures and code out of a page; returns the rest and what was taken."""
    taken: list[str] = []

    def keep(found: re.Match[str]) -> str:
        before, inside, behind = (part for part in found.groups() if part is not None)
        taken.append(inside)
        return f"{before}mm-bulk-{len(taken) - 1};{behind}"

    return BULK.sub(keep, html), taken


def finish(
    page: Path, site: Path, tex: dict[str, Any], meanings: dict[str, str], base: str, known: dict[str, Any]
) -> dict[str, Any]:
    """Rewrite one page; returns how often each repair matched, and the faults of its pictures.

    `base` is the address of the site, `known` what the build recorded: figures, chapters and the title of the book.
    """
    html = media.without_fonts(page.read_text(encoding="utf-8"))
    text, taken = without_bulk(media.to_files(html, page, site))
    soup = BeautifulSoup(text, "html.parser")
    if soup.html is None:
        return {}
    soup.html[MARK] = "1"
    matched = {repair.__name__: repair(soup, known["title"]) for repair in repairs.ALL}
    docname = page.relative_to(site).with_suffix("").as_posix()
    social.previews(soup, docname, site, base, known)
    if source := known.get("sources", {}).get(docname):
        social.mend(soup, docname, source, known)
    matched |= {"terms": terms.explain(soup, meanings), "captions": terms.number_figures(soup)}
    faults = pictures.faults(soup, page)
    try:
        icons.replace(soup, site / "_static")
        if maths.typeset(soup, tex):
            maths.copy_fonts(site)
    except (maths.MathsError, ExtensionError) as fault:
        faults.append(f"the page can't be typeset: {fault}")
    page.write_text(KEPT.sub(lambda mark: PLAIN_SPAN.sub(r"\1", taken[int(mark[1])]), str(soup)), encoding="utf-8")
    return {"repairs": matched, "faults": faults}


def drop_unused(static: Path) -> None:
    """Delete what no page asks for any more: the icon script and fonts, maps of style sheets (5 MB)."""
    shutil.rmtree(static / "vendor" / "fontawesome", ignore_errors=True)
    for path in [*static.glob("scripts/fontawesome.*"), *static.rglob("*.css.map")]:
        path.unlink()


def write_redirect(app: Sphinx, site: Path) -> None:
    """Replace Jupyter Book's bare redirect by a page with language, title and link."""
    target = f"{app.config.root_doc}.html"
    text = REDIRECT.format(mark=MARK, title=app.config.html_title, target=target)
    (site / "index.html").write_text(text, encoding="utf-8")


def finish_site(app: Sphinx, error: Exception | None) -> None:
    """Finish every new page (event `build-finished`, also after an error: Sphinx will not write them again)."""
    if app.builder.name != "html":
        return
    site = Path(app.outdir)
    pages = [page for page in sorted(site.rglob("*.html")) if "_static" not in page.parts and not done(page)]
    tex = (app.config.mathjax3_config or {}).get("tex", {})
    meanings = {} if error else terms.definitions(app.env)
    record = records.folder(app) / "finished.json"  # scripts/build_book.py and the tests of the site read it
    try:
        finished = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        finished = {}
    base = social.address(app)
    known = {name: records.read(app, name) or {} for name in ("figures", "chapters")}
    known["title"] = app.config.html_title
    options = app.config.html_theme_options or {}
    known |= {"repository": options.get("repository_url", ""), "branch": options.get("repository_branch", "main")}
    known["sources"] = {name: str(app.env.doc2path(name, base=False)) for name in app.env.found_docs}
    for page in pages:
        docname = page.relative_to(site).with_suffix("").as_posix()
        finished[docname] = finish(page, site, tex, meanings, base, known)
    record.write_text(json.dumps(finished, indent=1))
    if app.config.root_doc != "index":
        write_redirect(app, site)
    if base:
        social.write_map(app, site, base)
        social.write_not_found(app, site, base, MARK)
    styles.shrink(site)
    if pages:
        drop_unused(site / "_static")


def connect(app: Sphinx) -> None:
    """Register the handler last, after the one of sphinx-external-toc that writes index.html."""
    app.add_config_value("comments_config", {}, "html")  # set by Jupyter Book although sphinx_comments is left out
    app.connect("build-finished", finish_site, priority=900)
