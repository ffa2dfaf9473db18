"""Typeset mathematics while the book is built, so that pages need no script for it (MathJax alone weighs 0.8 MB).

MathJax 3 comes from the pip package sphinx-mathjax-offline and runs in QuickJS, a small JavaScript engine that pip
installs too. Each page gets its formulas as HTML (with MathML for screen readers) and the style sheet of the glyphs
it uses; the fonts are copied into the site. Every page starts a fresh engine (0.3 s), so no page depends on another.
"""

import json
import shutil
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import quickjs
from bs4 import BeautifulSoup, Tag
from sphinx.errors import ConfigError

PACKAGE = "sphinx-mathjax-offline"
FONTS = "output/chtml/fonts/woff-v2"
PARTS = (
    "core.js",
    "adaptors/liteDOM.js",
    "input/tex-full.js",
    "output/chtml.js",
    "output/chtml/fonts/tex.js",
    "a11y/assistive-mml.js",
)
# tex-full holds every TeX extension, so nothing is loaded later. `scale` fits MathJax's letters to the text font's.
BOOT = """
var setTimeout = function () { return 0; }, clearTimeout = function () {};
var console = {log: function () {}, info: function () {}, warn: function () {}, error: function () {}};
var MathJax = {
  loader: {
    load: ["adaptors/liteDOM", "input/tex-full", "output/chtml", "a11y/assistive-mml"],
    paths: {mathjax: "mathjax"},
    require: function (path) { (0, eval)(files[path]); return {}; }
  },
  startup: {typeset: false},
  tex: Object.assign({packages: {"[-]": ["require", "autoload", "noerrors", "noundefined"]}}, tex),
  chtml: {fontURL: fonts, adaptiveCSS: true}
};
"""
API = """
function render(tex, display) {
  var node = MathJax.tex2chtml(tex, {display: display, em: 16, ex: 8, containerWidth: 1280, scale: 1.15});
  return JSON.stringify(MathJax.startup.adaptor.outerHTML(node));
}
function sheet() { return JSON.stringify(MathJax.startup.adaptor.textContent(MathJax.chtmlStylesheet())); }
"""


class MathsError(Exception):
    """A formula that MathJax cannot typeset."""


@cache
def package() -> Path:
    """Return MathJax's folder in the installed package."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        raise ConfigError(f"{PACKAGE} is not installed: run `make book`, or pip install it") from None
    core = next(Path(file.locate()) for file in files if file.as_posix().endswith("/static/mathjax/core.js"))
    return core.parent


@cache
def sources() -> str:
    """Return MathJax's components as one JSON object: path -> source."""
    return json.dumps({f"mathjax/{name}": (package() / name).read_text(encoding="utf-8") for name in PARTS})


def engine(fonts: str, settings: dict[str, Any]) -> quickjs.Context:
    """Start MathJax; `settings` are the `tex` options of `mathjax3_config`, macros for example."""
    context = quickjs.Context()
    context.eval(f"var files = {sources()}, fonts = {json.dumps(fonts)}, tex = {json.dumps(settings)};" + BOOT + "0")
    context.eval((package() / "startup.js").read_text(encoding="utf-8") + ";0")
    while context.execute_pending_job():
        pass
    context.eval(API + "0")
    return context


def formula(element: Tag) -> tuple[str, bool]:
    """Return the TeX inside one `.math` element, without Sphinx's delimiters, and whether it is displayed."""
    tex = "".join(element.find_all(string=True, recursive=False)).strip()
    display = not tex.startswith(r"\(")
    if tex.startswith((r"\(", r"\[")):
        tex = tex[2:-2]
    return tex.strip(), display


def typeset(soup: BeautifulSoup, settings: dict[str, Any]) -> bool:
    """Replace the TeX of a page by typeset mathematics; tell whether there was any.

    Raises:
        MathsError: MathJax rejects a formula.
    """
    elements = soup.select(".math")
    if not elements or soup.head is None:
        return False
    root = soup.html.get("data-content_root", "") if soup.html else ""
    context = engine(f"{root}_static/mathjax", settings)
    for element in elements:
        tex, display = formula(element)
        html = json.loads(context.eval(f"render({json.dumps(tex)}, {json.dumps(display)})"))
        drawn = BeautifulSoup(html, "html.parser")
        error = drawn.select_one("mjx-merror, [data-mjx-error]")
        if error:
            raise MathsError(f"{error.get('data-mjx-error') or error.get_text()} in {tex!r}")
        for text in element.find_all(string=True, recursive=False):
            text.extract()
        element.append(drawn)
    style = soup.new_tag("style")
    style.string = json.loads(context.eval("sheet()"))
    soup.head.append(style)
    return True


def copy_fonts(site: Path) -> None:
    """Copy MathJax's fonts into the site, those that are missing."""
    target = site / "_static" / "mathjax"
    target.mkdir(parents=True, exist_ok=True)
    for font in (package() / FONTS).glob("*.woff"):
        if not (target / font.name).is_file():
            shutil.copyfile(font, target / font.name)
