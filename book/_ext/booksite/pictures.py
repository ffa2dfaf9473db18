"""Faults of pictures in a finished page: no alternative text, or a file that the site does not have."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

FILE_NAME = re.compile(r"^\S+\.(png|jpe?g|gif|svg|webp)$", re.IGNORECASE)


def faults(soup: BeautifulSoup, page: Path) -> list[str]:
    """Return one line for each fault of the pictures in the page's article."""
    found = []
    for picture in soup.select("article img, article svg, article video, article source[src]"):
        if picture.get("aria-hidden") == "true" or picture.find_parent(["svg", "mjx-container"]):
            continue
        label = name_of(picture)
        if picture.name in ("img", "svg") and not is_alt(alternative(picture)):
            found.append(f"picture {label} without alt text; say in a sentence what it shows")
        if missing(picture, page):
            found.append(f"picture {label} is not on the site; is the file there, and its name right?")
    return found


def alternative(picture: Tag) -> str:
    """Return the text that stands for a picture."""
    if picture.name == "img":
        return str(picture.get("alt") or "")
    return str(picture.get("aria-label") or (picture.title and picture.title.string) or "")


def is_alt(text: str) -> bool:
    """Tell whether a text says something; a file name does not."""
    return bool(text.strip()) and not FILE_NAME.match(text.strip())


def name_of(picture: Tag) -> str:
    """Return what an author knows a picture by."""
    source = str(picture.get("src") or "")
    return source.rpartition("/")[2][:80] if source and not source.startswith("data:") else f"<{picture.name}>"


def missing(picture: Tag, page: Path) -> bool:
    """Tell whether the picture is a file of this site that does not exist."""
    source = str(picture.get("src") or "")
    parts = urlsplit(source)
    if not source or parts.scheme or parts.netloc:
        return picture.name == "img" and not source
    return not (page.parent / unquote(parts.path)).is_file()
