"""Drop from the site's style sheets the rules that no page can use.

The theme ships 0.5 MB of CSS (all of Bootstrap and FontAwesome) that blocks the first paint of every page. A rule
stays when every class it asks for is on some page, or is a word in some script of the site.
Sphinx restores the whole files whenever it writes a page, so each trim starts from the original.
"""

import re
from collections.abc import Iterator
from pathlib import Path

MARK = "/*trimmed*/"
COMMENT = re.compile(r"/\*.*?\*/", re.S)
LICENCE = re.compile(r"/\*!.*?\*/", re.S)
CLASS = re.compile(r"\.(-?[A-Za-z_](?:[\w-]|\\.)*)")
OPTIONAL = re.compile(r":(?:not|is|where|has)\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\]]*\]")
NESTED = ("@media", "@supports", "@container", "@layer")
# Shipped with the theme but not wanted: the icon fonts (see icons.py).
UNWANTED_BLOCKS = ("@font-face",)


def blocks(css: str) -> Iterator[tuple[str, str | None]]:
    """Split CSS into (prelude, body) pairs; the body is None for statements such as `@import`."""
    start = position = 0
    while position < len(css):
        char = css[position]
        if char in "\"'":
            position = closing_quote(css, position)
        elif char == ";":
            yield css[start : position + 1].strip(), None
            start = position + 1
        elif char == "{":
            end = closing_brace(css, position)
            yield css[start:position].strip(), css[position + 1 : end]
            start = position = end
            start += 1
        position += 1


def closing_quote(css: str, position: int) -> int:
    """Return the place of the quote that closes the one at `position`."""
    quote = css[position]
    position += 1
    while position < len(css) and css[position] != quote:
        position += 2 if css[position] == "\\" else 1
    return position


def closing_brace(css: str, position: int) -> int:
    """Return the place of the brace that closes the one at `position`."""
    depth = 0
    while position < len(css):
        char = css[position]
        if char in "\"'":
            position = closing_quote(css, position)
        depth += (char == "{") - (char == "}")
        if depth == 0 and char == "}":
            return position
        position += 1
    return len(css)


def usable(selector: str, used: set[str]) -> bool:
    """Tell whether some element could match: every class that the selector asks for exists."""
    plain = OPTIONAL.sub("", selector)
    return all(re.sub(r"\\(.)", r"\1", name) in used for name in CLASS.findall(plain))


def trim(css: str, used: set[str]) -> str:
    """Return the CSS without rules that cannot match."""
    kept = []
    for prelude, body in blocks(css):
        if body is None:
            kept.append(prelude)
        elif prelude.startswith(NESTED):
            inner = trim(body, used)
            if inner:
                kept.append(f"{prelude}{{{inner}}}")
        elif prelude.startswith(UNWANTED_BLOCKS):
            continue
        elif prelude.startswith("@"):
            kept.append(f"{prelude}{{{body}}}")
        else:
            selectors = [one for one in split_selectors(prelude) if usable(one, used)]
            if selectors:
                kept.append(f"{','.join(selectors)}{{{body}}}")
    return "".join(kept)


def split_selectors(prelude: str) -> list[str]:
    """Split a selector list at its top-level commas."""
    parts, depth, start = [], 0, 0
    for position, char in enumerate(prelude):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            parts.append(prelude[start:position].strip())
            start = position + 1
    return [*parts, prelude[start:].strip()]


def used_words(site: Path) -> set[str]:
    """Return the classes on all pages, and all words in the scripts (they may set a class later)."""
    used: set[str] = set()
    for page in site.rglob("*.html"):
        for value in re.findall(r'class="([^"]*)"', page.read_text(encoding="utf-8")):
            used.update(value.split())
    for path in (site / "_static").rglob("*.js"):
        if path.name != "fontawesome.js":
            used.update(re.findall(r"[A-Za-z_][\w-]*", path.read_text(encoding="utf-8")))
    return used


def shrink(site: Path) -> None:
    """Trim every style sheet of the site that is not trimmed yet."""
    full = {
        path: css
        for path in sorted((site / "_static").rglob("*.css"))
        if not (css := path.read_text(encoding="utf-8")).startswith(MARK)
    }
    if not full:
        return
    used = used_words(site)
    for path, css in full.items():
        notices = "".join(LICENCE.findall(css))
        rules = COMMENT.sub("", css).replace('@charset "UTF-8";', "")
        path.write_text(MARK + notices + trim(rules, used), encoding="utf-8")
