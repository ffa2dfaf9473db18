"""Figures for light and dark pages alike, each with its alternative text.

A figure leaves the cell as one SVG whose ink is ``currentColor``: it takes the text colour of the
page around it. Colours of data reach a contrast of 3:1 on white and on the dark page.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

# After Okabe and Ito (2008), the light ones darkened until they read on white.
COLORS = ("#0072b2", "#d55e00", "#00956c", "#b9669a", "#a67c00", "#7a7a7a")
BLUE, ORANGE, GREEN, PURPLE, OCHRE, GREY = COLORS
INK = "#010203"  # replaced by currentColor
NARROWEST = 270  # CSS pixels that the smallest phone leaves for a figure

STYLE: dict[str, Any] = {
    "figure.figsize": (7.0, 3.6),  # as wide as the column at 96 pixels an inch
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.prop_cycle": plt.cycler(color=COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "font.size": 11,
    "font.family": "sans-serif",
    "grid.color": INK,
    "grid.alpha": 0.15,
    "legend.frameon": False,
    "legend.facecolor": "none",
    "image.interpolation": "nearest",
    "svg.fonttype": "none",
    "figure.constrained_layout.use": True,
    "figure.dpi": 96,
    **{f"{name}.color": INK for name in ("text", "xtick", "ytick")},
    **{f"axes.{name}": INK for name in ("edgecolor", "labelcolor")},
}


def figure(rows: int = 1, columns: int = 1, *, size: tuple[float, float] | None = None, **options: Any) -> Any:
    """``plt.subplots`` in the style of the book, which from then on holds: returns (figure, axes)."""
    plt.rcParams.update(STYLE)  # type: ignore[arg-type]  # not a context: legends and labels come later
    return plt.subplots(rows, columns, figsize=size or STYLE["figure.figsize"], **options)


def diagram(across: float = 10, up: float = 4, *, size: tuple[float, float] | None = None) -> Any:
    """An empty drawing for boxes and arrows, ``across`` by ``up`` units: returns (figure, axis)."""
    drawn, axis = figure(size=size or (7.0, 7.0 * up / across))
    axis.set(xlim=(-0.1, across + 0.1), ylim=(-0.1, up + 0.1))
    axis.axis("off")
    return drawn, axis


def box(
    axis: Any, centre: tuple[float, float], text: str, *, width: float = 1.8, height: float = 0.9, color: str = INK
) -> None:
    """A part of a model: its name in a frame, in the units of the drawing."""
    corner = (centre[0] - width / 2, centre[1] - height / 2)
    axis.add_patch(plt.Rectangle(corner, width, height, fill=False, edgecolor=color, linewidth=1.8))
    axis.text(*centre, text, ha="center", va="center", fontsize=10)


def arrow(axis: Any, start: tuple[float, float], end: tuple[float, float], label: str = "") -> None:
    """What flows from one part to another; ``label`` (a shape, say) stands above the middle."""
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.2})
    if label:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.08)
        axis.text(*middle, label, ha="center", va="bottom", fontsize=9)


def show(drawn: Figure, alt: str, name: str | None = None, caption: str | None = None) -> None:
    """Show a figure with its alternative text, and close it.

    Args:
        drawn: what ``figure`` returned.
        alt: what a reader who can't see the figure should learn from it, in a sentence or two.
        name: lets other pages of the site show the same figure.
        caption: what stands below it, in plain words; the site gives it a number.

    Raises:
        ValueError: no alternative text.
    """
    if len(alt.split()) < 3:
        raise ValueError(f"alt={alt!r}: say in a sentence what the figure shows")
    from IPython.display import publish_display_data

    markup = to_html(drawn, alt, caption)
    plt.close(drawn)
    metadata = {"mmbook": {"figure": name, "alt": alt}}
    publish_display_data({"text/html": markup, "text/plain": f"Figure: {alt}"}, metadata=metadata)


def to_html(drawn: Figure, alt: str, caption: str | None = None) -> str:
    """A ``<figure>`` with one inline SVG that has a name, no fixed size and no clashing ids."""
    buffer = io.StringIO()
    with plt.rc_context({**STYLE, "svg.hashsalt": "mmbook"}):  # type: ignore[dict-item]
        drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    text = buffer.getvalue()
    width = float(_found(r'width="([\d.]+)pt"', text)) * 96 / 72
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = body.replace(INK, "currentColor")
    # Matplotlib leaves black implied on some marks; the root's fill and style would hide the theme's ink.
    body = re.sub(r"font: ([^;]*?)'DejaVu Sans'[^;\"]*", r"font: \1sans-serif", body)
    body = _light(body)
    body = _own_ids(body, prefix="f" + hashlib.sha1(body.encode()).hexdigest()[:8])
    box = _found(r'viewBox="([^"]+)"', text)
    label = html.escape(alt, quote=True)
    # Shrunk below 0.7, text is too small to read; from there on the figure scrolls inside its own box.
    least = 0.7 * width
    most = 1.35 * width  # a narrow figure fills the column as far as its text does not grow out of proportion
    style = f"width:100%;max-width:{most:.0f}px;min-width:{least:.0f}px;height:auto"
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    scroll = f' tabindex="0" role="group" aria-label="Figure: {label}"' if least > NARROWEST else ""
    return (
        f'<figure class="mm-figure"{scroll}><svg xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{label}" viewBox="{box}" '
        f'style="{style}">{body.strip()}{below}</figure>'
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, f"matplotlib's SVG has no {pattern}"
    return match[1]


def _light(body: str) -> str:
    """Places to a hundredth of a point, and pictures as lossless WebP: less than half of what matplotlib writes."""

    def as_webp(found: re.Match[str]) -> str:
        file = io.BytesIO()
        Image.open(io.BytesIO(base64.b64decode(found[1]))).save(file, "WEBP", lossless=True)
        return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"

    body = re.sub(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", as_webp, body)
    return re.sub(r'(?<= d=")[^"]+|(?<= [xy]=")[^"]+', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), body)


def _own_ids(body: str, prefix: str) -> str:
    """Keep only ids that something refers to, with a prefix no other figure of the page has."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", body)
    return re.sub(r'(url\(#|href="#)([^)"]+)', rf"\g<1>{prefix}-\g<2>", body)


def show_images(
    images: Sequence[np.ndarray],
    alt: str,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 8,
    name: str | None = None,
    caption: str | None = None,
) -> None:
    """A grid of pictures, each (3, H, W) or (H, W, 3) uint8 or (H, W) grey."""
    rows = -(-len(images) // columns)
    drawn, axes = figure(rows, columns, size=(0.72 * columns, (1.0 if titles else 0.74) * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for i, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        pixels = np.asarray(image)
        axis.imshow(pixels.transpose(1, 2, 0) if pixels.ndim == 3 and pixels.shape[0] == 3 else pixels, cmap="gray")
        if titles:
            axis.set_title(titles[i], fontsize=8, loc="center")
    show(drawn, alt, name, caption)
