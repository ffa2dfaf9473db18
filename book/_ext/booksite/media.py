"""Move sounds and pictures out of a page into files: a third smaller than their text, and loaded when wanted."""

import base64
import hashlib
import re
from pathlib import Path

ENDINGS = {"audio/mpeg": "mp3", "image/svg+xml": "svg", "image/webp": "webp", "video/mp4": "mp4"}
SMALL = 2000  # bytes: a picture in a drawing for which a request of its own would cost more
INLINE = re.compile(rf'(src="|url\(|xlink:href=")data:({"|".join(map(re.escape, ENDINGS))});base64,([A-Za-z0-9+/=]+)')


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
