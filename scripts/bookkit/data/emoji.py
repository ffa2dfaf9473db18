"""Emoji sprite sheets and names, from four picture packages and one package of CLDR words."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bookkit.data.packages import NpmPackage
from mmbook.datasets.emoji import COLUMNS, SIDE

PICTURES = {
    "noto": NpmPackage("@iconify-json/noto", "1.2.9", "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw=="),
    "twemoji": NpmPackage("@iconify-json/twemoji", "1.2.5", "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw=="),
    "openmoji": NpmPackage("@iconify-json/openmoji", "1.2.29", "vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ=="),
    "fluent": NpmPackage("@iconify-json/fluent-emoji-flat", "1.2.6", "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw=="),
}  # fmt: skip
WORDS = NpmPackage("emojibase-data", "17.0.0", "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==")  # fmt: skip

GENDERED = re.compile(r"-200d-264[02]|^1f46[89]-200d")  # ... + joiner + sign, or man/woman + joiner + ...
HOURS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
FAMILY_RULES = (
    (re.compile(rf"^({HOURS})(-thirty| o’clock)$"), "clock face"),
    (re.compile(r"^keycap: .*"), "keycap"),
    (re.compile(r"^(.*) button( \(.*\))?$"), "button"),
    (re.compile(r": facing right$"), ""),
    (re.compile(r"\b(men|women)’s\b"), "person’s"),
    (re.compile(r"\b(man|woman|boy|girl)\b"), "person"),
    (re.compile(r"^(prince|princess|person with crown)$"), "royalty"),
    (re.compile(r"^(Santa Claus|Mrs\. Claus|Mx Claus)$"), "Claus"),
    (re.compile(r"^(older|old) person$"), "old person"),
)
# Two pictures closer than this in at least two styles are one family: mean absolute difference
# of the 64 px pictures, 0 to 255, over the pixels that are not white in both.
NEAR_DUPLICATE = 12.0


def prepare(out: Path, downloads: Path) -> None:
    """Write ``concepts.json`` and one sheet per style into ``out``."""
    icons = {style: _pictures(package.fetch(downloads)) for style, package in PICTURES.items()}
    concepts = _select(WORDS.fetch(downloads), icons)
    tiles = {style: _rasterise([bodies[c["code"]] for c in concepts]) for style, bodies in icons.items()}
    _assign_families(concepts, tiles)
    out.mkdir(parents=True, exist_ok=True)
    for style, pictures in tiles.items():
        (out / f"{style}.png").write_bytes(_sheet(pictures))
    rows = ",\n".join(json.dumps(c, ensure_ascii=False, sort_keys=True) for c in concepts)
    (out / "concepts.json").write_text(f"[\n{rows}\n]\n", encoding="utf-8")


def _pictures(package: Path) -> dict[str, str]:
    """Code (no variation selectors) -> a complete SVG document."""
    data = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    names = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    found = {}
    for code, name in names.items():
        icon = data["icons"].get(name) or data["icons"].get(data.get("aliases", {}).get(name, {}).get("parent"))
        if icon:
            box = [icon.get(k, data.get(k, 0)) for k in ("left", "top", "width", "height")]
            view = " ".join(str(v or 0) for v in box)
            found[_plain(code)] = (
                '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'viewBox="{view}">{icon["body"]}</svg>'
            )
    return found


def _plain(code: str) -> str:
    return code.lower().replace("-fe0f", "")


def _select(package: Path, icons: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Concepts that all four styles draw, in Unicode order.

    Left out: flags and components (skin tones, hair, letters), and gendered joiner sequences, which are near-copies
    of a neutral concept.
    """
    words = json.loads((package / "en" / "data.json").read_text(encoding="utf-8"))
    names = json.loads((package / "meta" / "groups.json").read_text(encoding="utf-8"))
    concepts = []
    for entry in words:
        code = _plain(entry["hexcode"])
        group = names["groups"].get(str(entry.get("group")))
        drawn = all(code in bodies for bodies in icons.values())
        if group not in (None, "component", "flags") and drawn and not GENDERED.search(code):
            label = entry["label"]
            concepts.append(
                {
                    "code": code,
                    "label": label,
                    "keywords": [t for t in entry.get("tags", []) if t.lower() != label.lower()],
                    "group": group,
                    "subgroup": names["subgroups"][str(entry["subgroup"])],
                    "order": entry["order"],
                }
            )
    concepts.sort(key=lambda c: c.pop("order"))
    return concepts


def _rasterise(svgs: list[str]) -> np.ndarray:
    """uint8 (concepts, 64, 64, 3), drawn on white; pictures that are not square are centred."""
    import resvg_py
    from PIL import Image

    out = np.full((len(svgs), SIDE, SIDE, 3), 255, dtype=np.uint8)
    for i, svg in enumerate(svgs):
        png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE))
        drawn = Image.open(io.BytesIO(png)).convert("RGBA")
        canvas = Image.new("RGBA", (SIDE, SIDE), "white")
        canvas.alpha_composite(drawn, ((SIDE - drawn.width) // 2, (SIDE - drawn.height) // 2))
        out[i] = np.asarray(canvas.convert("RGB"))
    return out


def _assign_families(concepts: list[dict[str, Any]], tiles: dict[str, np.ndarray]) -> None:
    """Number the groups of near-duplicates by name rule or by picture (union-find)."""
    parent = list(range(len(concepts)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i, concept in enumerate(concepts):
        name = concept["label"]
        for pattern, replacement in FAMILY_RULES:
            name = pattern.sub(replacement, name)
        parent[root(i)] = root(first.setdefault(name, i))
    for i, j in _near_duplicates(tiles):
        parent[max(root(i), root(j))] = min(root(i), root(j))
    number: dict[int, int] = {}
    for i, concept in enumerate(concepts):
        concept["family"] = number.setdefault(root(i), len(number))


def _near_duplicates(tiles: dict[str, np.ndarray]) -> list[tuple[int, int]]:
    count = len(next(iter(tiles.values())))
    votes: Counter[tuple[int, int]] = Counter()
    for pictures in tiles.values():
        flat = pictures.reshape(count, -1).astype(np.int16)
        inked = (flat != 255).astype(np.int16)
        for i in range(count - 1):
            difference = np.abs(flat[i + 1 :] - flat[i]).sum(1)
            either = np.maximum(inked[i + 1 :], inked[i]).sum(1)
            near = np.flatnonzero(difference < NEAR_DUPLICATE * either)
            votes.update((i, i + 1 + int(j)) for j in near)
    return sorted(pair for pair, styles in votes.items() if styles >= 2)


def _sheet(pictures: np.ndarray) -> bytes:
    from PIL import Image

    rows = -(-len(pictures) // COLUMNS)
    grid = np.full((rows * COLUMNS, SIDE, SIDE, 3), 255, dtype=np.uint8)
    grid[: len(pictures)] = pictures
    pixels = grid.reshape(rows, COLUMNS, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4).reshape(rows * SIDE, -1, 3)
    image = Image.fromarray(pixels).quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
