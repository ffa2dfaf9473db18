"""Inline the few icons that pages use, in place of the theme's 1.5 MB icon script.

The outlines are read at build time from that very script (FontAwesome Free, CC BY 4.0), so a theme update brings
its own icons. Icon classes stay on the `<svg>`, because the theme's style sheets select by them.
"""

import re
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from sphinx.errors import ExtensionError

STYLES = {"fa", "fas", "far", "fab", "fa-solid", "fa-regular", "fa-brands"}
SIZES = re.compile(r"fa-(\d*x[sl]|lg|sm|fw|\d+x|spin)$")


@cache
def script(static: Path) -> str:
    """Return the theme's icon script as the site holds it."""
    return (static / "scripts" / "fontawesome.js").read_text(encoding="utf-8")


@cache
def outline(static: Path, name: str) -> tuple[str, str]:
    """Return the view box and the path of an icon. The bundle lists its sets in the order brands, regular, solid."""
    pattern = rf'[{{,]"?{re.escape(name)}"?:\[(\d+),(\d+),\[[^\]]*\],"\w+","([^"]+)"\]'
    found = re.findall(pattern, script(static))
    if not found:
        raise ExtensionError(f"icon fa-{name} is not in the theme's fontawesome.js: did the theme change?")
    width, height, path = found[-1]
    return f"0 0 {width} {height}", path


def replace(soup: BeautifulSoup, static: Path) -> None:
    """Replace each `<i>` or `<span>` that stands for an icon by an `<svg>` hidden from screen readers."""
    for element in soup.select("i[class*=fa-], span[class*=fa-]"):
        names = [name for name in element.get("class", []) if name.startswith("fa-") and name not in STYLES]
        names = [name for name in names if not SIZES.match(name)]
        if len(names) == 1:
            element.replace_with(drawn(soup, element, *outline(static, names[0].removeprefix("fa-"))))


def drawn(soup: BeautifulSoup, element: Tag, box: str, path: str) -> Tag:
    """Return the `<svg>` for one icon, with the classes and data attributes of the element it replaces."""
    svg = soup.new_tag("svg", attrs={"class": ["svg-inline--fa", *element["class"]], "viewBox": box})
    svg.attrs |= {key: value for key, value in element.attrs.items() if key.startswith("data-")}
    svg.attrs |= {"aria-hidden": "true", "focusable": "false"}
    svg.append(soup.new_tag("path", attrs={"fill": "currentColor", "d": path}))
    return svg
