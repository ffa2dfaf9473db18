"""Make a page lighter: sounds and pictures become files, and drawings don't name their fonts with each text."""

import base64
import hashlib
import re
from pathlib import Path

ENDINGS = {"audio/mpeg": "mp3", "image/svg+xml": "svg", "image/webp": "webp", "video/mp4": "mp4"}
SMALL = 2000  # bytes: a picture in a drawing for which a request of its own would cost more
INLINE = re.compile(rf'(src="|url\(|xlink:href=")data:({"|".join(map(re.escape, ENDINGS))});base64,([A-Za-z0-9+/=]+)')
# matplotlib's list of ten fonts stands in every text of a drawing; the style sheet names them once.
FONTS = re.compile(r"font-family: 'DejaVu Sans', '[^;\"]*; ?")


def without_fonts(text: str) -> str:
    """Return the HTML of a page whose drawings leave the fonts to the style sheet."""
    return FONTS.sub("", text)


def to_files(text: str, page: Path, site: Path) -> str:
    """Return the HTML of a page with links to files in `_media` instead of data."""
    root = "../" * (len(page.relative_to(site).parts) - 1)

    def move(found: re.Match[str]) -> str:
        data = base64.b64decode(found[3])
        if found[1].startswith("xlink") and len(data) < SMALL:
            return found[0]
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.{ENDINGS[found[2]]}"
        target = site / "_media" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
        return f"{found[1]}{root}_media/{name}"

    return INLINE.sub(move, text)
