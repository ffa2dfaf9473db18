"""What a page of the site must satisfy. Each check returns a list of problems, in words; an empty list is good.

The same functions judge the built site (test_pages.py) and pages that are bad on purpose (test_checks.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup
from playwright.sync_api import Page

MAX_KB = 1200
FILE_NAME = re.compile(r"^[\w./-]+\.(png|jpe?g|svg|gif|webp)$", re.I)

IMAGES = """() => [...document.images].map(i => ({src: i.getAttribute("src"), alt: i.getAttribute("alt"),
    logo: !!i.closest(".navbar-brand")}))"""
DRAWINGS = """() => [...document.querySelectorAll("svg")].filter(s => !s.closest("[aria-hidden=true]"))
    .filter(s => !(s.getAttribute("aria-label") || s.querySelector(":scope > title")?.textContent || "").trim())
    .map(s => s.outerHTML.slice(0, 80))"""
OVERFLOW = """() => { const wide = document.documentElement.clientWidth;
    const cut = [...document.querySelectorAll("span.math")].filter(m => { const inner = m.querySelector("mjx-math");
        return inner && inner.getBoundingClientRect().right > m.getBoundingClientRect().right + 2; });
    if (cut.length) return ["inline mathematics is cut off, display it: " + cut[0].textContent.slice(0, 60)];
    if (document.scrollingElement.scrollWidth <= wide) return [];
    const out = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > wide + 1
        && e.checkVisibility()).map(e => e.tagName.toLowerCase() + "." + e.className);
    return ["wider than the screen by " + (document.scrollingElement.scrollWidth - wide) + " px: "
        + out.slice(0, 3).join(" ")]; }"""
MATHS = """() => { const all = [...document.querySelectorAll("article .math")];
    const dollar = m => m.previousSibling?.data?.endsWith("$") && m.nextSibling?.data?.startsWith("$");
    const raw = all.filter(m => !m.querySelector("mjx-container") || dollar(m));
    const walker = document.createTreeWalker(document.querySelector("article") || document.body, NodeFilter.SHOW_TEXT);
    const text = []; let node;
    while ((node = walker.nextNode())) if (!node.parentElement.closest("pre, code, script, style, mjx-container")
        && /\\\\\\(|\\\\\\[|\\$\\$|\\\\begin\\{/.test(node.data)) text.push(node.data.trim().slice(0, 60));
    const bad = [...document.querySelectorAll("mjx-merror, [data-mjx-error]")].map(e => e.textContent.slice(0, 60));
    return raw.map(m => "not rendered: " + m.textContent.trim().slice(0, 60))
        .concat(text.map(t => "raw mathematics: " + t), bad.map(t => "error in mathematics: " + t)); }"""
# Contrast of the text in drawings, which axe leaves undecided. The ground is the page, or the last shape drawn before
# the text whose box holds the text's middle (a bar, the frame of a legend), mixed by its opacity.
CONTRAST = """() => {
    const parse = c => { const p = c.match(/[\\d.]+/g).map(Number); return p.length > 3 ? p : [...p, 1]; };
    const mix = (over, under, share) => over.slice(0, 3).map((v, k) => v * share + under[k] * (1 - share));
    const light = c => { const f = c.slice(0, 3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 :
        ((v + .055) / 1.055) ** 2.4; }); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
    const page = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
        if (c[3] > .5) return c; } return [255, 255, 255, 1]; };
    const share = s => (Number(s.opacity) || 0) * (Number(s.fillOpacity) || 0);
    const seen = {};
    for (const svg of document.querySelectorAll("figure svg, article svg[role=img]")) {
        const shapes = [];
        for (const e of svg.querySelectorAll("path, rect, polygon, circle, text")) {
            if (e.closest("defs, clipPath")) continue;
            const style = getComputedStyle(e); if (style.fill === "none") continue;
            const box = e.getBoundingClientRect();
            if (e.tagName !== "text") { shapes.push([box, style]); continue; }
            const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
            let ground = page(svg);
            for (const [b, s] of shapes) if (b.left <= x && x <= b.right && b.top <= y && y <= b.bottom)
                ground = mix(parse(s.fill), ground, share(s) * parse(s.fill)[3]);
            const ink = mix(parse(style.fill), ground, share(style) * parse(style.fill)[3]);
            const [a, b] = [light(ink), light(ground)].sort((m, n) => n - m), ratio = (a + .05) / (b + .05);
            if (ratio < 4.5) seen[style.fill + " on " + ground.slice(0, 3).map(Math.round)] =
                "contrast " + ratio.toFixed(1) + ":1 of figure text '" + e.textContent.trim().slice(0, 30) + "'";
        } }
    return Object.entries(seen).map(([k, v]) => v + " (" + k + ")"); }"""


@dataclass
class Visit:
    """What a page did while it loaded."""

    origin: str
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    bytes: int = 0

    def watch(self, page: Page) -> None:
        """Note requests, errors and bytes of `page`, and stop requests to other hosts."""
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("response", self.weigh)
        page.route(lambda url: not url.startswith((self.origin, "data:", "blob:", "about:")), self.refuse)

    def refuse(self, route: Any) -> None:
        """Stop a request to another host and note it."""
        self.foreign.append(route.request.url)
        route.abort()

    def weigh(self, response: Any) -> None:
        """Add the size of an answer, and note answers that are errors."""
        self.bytes += int(response.headers.get("content-length", 0))
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.url}")


def ready(page: Page) -> None:
    """Wait until mathematics and fonts are there."""
    page.evaluate(
        "async () => { if (window.MathJax?.startup) await MathJax.startup.promise; await document.fonts.ready; }"
    )


def third_parties(visit: Visit) -> list[str]:
    """The page asks no other host for anything."""
    return [f"request to another host: {url}" for url in visit.foreign]


def console(visit: Visit) -> list[str]:
    """The page reports no error."""
    return [f"console: {text}" for text in visit.errors]


def weight(visit: Visit, limit: int = MAX_KB) -> list[str]:
    """The page and all it loads stay small, uncompressed."""
    kilobytes = visit.bytes / 1000
    return [f"weighs {kilobytes:.0f} kB, more than {limit} kB"] if kilobytes > limit else []


def accessibility(page: Page, axe: str, where: str) -> list[str]:
    """axe finds no violation, of any of its rules."""
    if not page.evaluate("() => !!window.axe"):
        page.evaluate(axe)
    options = {"resultTypes": ["violations"], "elementRef": False}
    found = page.evaluate("options => axe.run(document, options).then(r => r.violations)", options)
    return [
        f"axe ({where}): {rule['id']}: {rule['help']}: {node['html'][:120]}"
        for rule in found
        for node in rule["nodes"][:3]
    ]


def alternatives(page: Page) -> list[str]:
    """Each image has a text that is more than its file name, each drawing that is not decoration has a name."""
    problems = [f"drawing without a name: {html}" for html in page.evaluate(DRAWINGS)]
    for image in page.evaluate(IMAGES):
        alt = (image["alt"] or "").strip()
        if not alt and not (image["logo"] and image["alt"] is not None):
            problems.append(f"image without alternative text: {image['src'][:80]}")
        elif FILE_NAME.match(alt) or (alt and alt == Path(urlsplit(image["src"]).path).stem):
            problems.append(f"alternative text is only a file name: {alt}")
    return problems


def overflow(page: Page, width: int) -> list[str]:
    """A screen `width` pixels wide needs no sideways scrolling."""
    page.set_viewport_size({"width": width, "height": 800})
    return [f"{problem} (at {width} px)" for problem in page.evaluate(OVERFLOW)]


def maths(page: Page) -> list[str]:
    """All mathematics is typeset."""
    return page.evaluate(MATHS)


def contrast(page: Page, theme: str) -> list[str]:
    """Text in figures can be read."""
    return [f"{problem} in the {theme} theme" for problem in page.evaluate(CONTRAST)]


def head(soup: BeautifulSoup) -> list[str]:
    """Language, title, description, one first heading, ids that occur once, and an icon."""
    problems = []
    if not soup.html or not soup.html.get("lang"):
        problems.append("no language on <html>")
    if not soup.title or not soup.title.get_text(strip=True):
        problems.append("no title")
    description = soup.select_one("meta[name=description]")
    if not description or len(description.get("content", "")) < 20:
        problems.append("no description")
    if len(soup.select("main article h1, main .bd-search-container h1, main > h1")) != 1:
        problems.append("not exactly one first heading")
    ids = [element["id"] for element in soup.select("[id]")]
    problems += [f"id used twice: {name}" for name in sorted({name for name in ids if ids.count(name) > 1})]
    return problems


def dead_links(name: str, soups: dict[str, BeautifulSoup], files: set[str]) -> list[str]:
    """Each link, image and script of page `name` leads to a file and an anchor of the site."""
    problems = []
    for element in soups[name].select("a[href], link[href], img[src], script[src]"):
        target = element.get("href") or element.get("src") or ""
        if urlsplit(target).scheme or target.startswith("//"):
            continue
        path, anchor = urldefrag(urljoin(f"/{name}", target))
        path = unquote(urlsplit(path).path).lstrip("/") or "index.html"
        if path not in files:
            problems.append(f"leads nowhere: {target}")
        elif anchor and path in soups and not soups[path].find(id=unquote(anchor)):
            problems.append(f"no such anchor: {target}")
    return problems
