"""OpenClipart drawings with captions: what people drew and titled, each looked at and its words mended by us."""

from __future__ import annotations

import html
import io
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from bookkit.data.packages import DebPackage
from bookkit.data.pictures import fitted, write_sheet
from mmbook.datasets.clipart import COLUMNS, SIDE

PACKAGE = DebPackage(
    "openclipart-svg", "1:0.18+dfsg-19", "989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5"
)
FOLDER = "usr/share/openclipart/svg"
DEDICATION = re.compile(
    r'<cc:license[^>]*rdf:resource="http://(web\.resource\.org/cc/PublicDomain|creativecommons\.org/licenses/publicdomain/)"'
)


def prepare(out: Path, downloads: Path) -> None:
    """Write ``drawings.webp`` (one sheet) and ``words.json`` into ``out``.

    The words stand in ``clipart_words.json``: path, caption, head noun, keywords of each drawing that was kept. They
    rest on title and keywords of the author; each drawing was looked at, and its words were mended or it was dropped.

    Raises:
        ValueError: a drawing without a public-domain dedication.
    """
    folder = PACKAGE.fetch(downloads) / FOLDER
    listed = json.loads((Path(__file__).parent / "clipart_words.json").read_text(encoding="utf-8"))
    pictures, rows = [], []
    for path, caption, head, keywords in listed:
        text = _decoded((folder / path).read_bytes())
        if not DEDICATION.search(text):
            raise ValueError(f"{path}: not dedicated to the public domain")
        pictures.append(drawn(text))
        rows.append([path, caption, head, keywords, _author(text)])
    out.mkdir(parents=True, exist_ok=True)
    write_sheet(out / "drawings.webp", pictures, COLUMNS)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (out / "words.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def drawn(svg: str) -> np.ndarray:
    """uint8 (96, 96, 3): the ink of a drawing, as large as it fits, on white."""
    import resvg_py

    # Sizes in the files range from 1 to 13,000 pixels, and some name none: dots per inch and a size are needed.
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=240, height=240, dpi=96, skip_system_fonts=True))
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    return fitted(picture.crop(picture.getbbox()), SIDE, margin=3)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _author(svg: str) -> str:
    """Name of the author as the file's metadata have it; many are nicknames, some are missing."""
    found = re.search(r"<dc:creator>.*?<dc:title>(.*?)</dc:title>.*?</dc:creator>", svg, re.DOTALL)
    return " ".join(html.unescape(found[1]).split()) if found else ""
