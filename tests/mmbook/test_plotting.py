"""Figures: one SVG with a name, the page's ink, readable colours, no clashing ids."""

import base64
import io
import re

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from mmbook import plotting


def drawn():
    figure, axis = plotting.figure()
    axis.plot([0, 1], [0, 1], label="line")
    axis.imshow(np.zeros((4, 4, 3), dtype=np.uint8), extent=(0, 0.2, 0, 0.2))
    axis.set(xlabel="x [m]", ylabel="y", title="title")
    axis.legend()
    return figure


def test_the_svg_has_a_name_and_takes_the_ink_of_the_page():
    html = plotting.to_html(drawn(), 'A line that "rises" from 0 to 1')
    svg = BeautifulSoup(html, "html.parser").svg
    assert svg["role"] == "img"
    assert svg["aria-label"] == 'A line that "rises" from 0 to 1'
    assert plotting.INK not in html
    assert "currentColor" in html
    assert "<metadata" not in html
    assert not re.search(r"fill: ?(#000|black|#ffffff|white)", html)
    assert "title" in svg.get_text()  # text stays text


def test_two_figures_of_a_page_share_no_id_and_refer_to_their_own():
    figure, axis = plotting.figure()
    axis.plot([3, 1])
    pages = [BeautifulSoup(plotting.to_html(f, "Some line that falls"), "html.parser") for f in (drawn(), figure)]
    ids = [{tag["id"] for tag in page.find_all(id=True)} for page in pages]
    assert not ids[0] & ids[1]
    for page, own in zip(pages, ids, strict=True):
        assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', str(page))) <= own


def test_the_same_figure_gives_the_same_bytes():
    assert plotting.to_html(drawn(), "A line that rises") == plotting.to_html(drawn(), "A line that rises")


@pytest.mark.parametrize("alt", ["", "figure", "plot.png"])
def test_a_figure_without_alternative_text_is_refused(alt):
    with pytest.raises(ValueError, match="alt="):
        plotting.show(drawn(), alt)


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("color", plotting.COLORS)
@pytest.mark.parametrize("page", ["#ffffff", "#14181e", "#121212"])
def test_data_colors_reach_3_to_1_on_light_and_dark(color, page):
    light, dark = sorted([luminance(color), luminance(page)], reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3.0


def test_a_diagram_holds_its_boxes_and_says_what_flows():
    figure, axis = plotting.diagram(across=8, up=2)
    plotting.box(axis, (1, 1), "encoder", width=2, height=1, color=plotting.BLUE)
    plotting.arrow(axis, (2, 1), (4, 1), "(batch, 8)")
    (frame,) = axis.patches
    assert (frame.get_x(), frame.get_y(), frame.get_width(), frame.get_height()) == (0, 0.5, 2, 1)
    arrow = next(t for t in axis.texts if getattr(t, "arrow_patch", None))
    assert (tuple(arrow.xyann), tuple(arrow.xy)) == ((2, 1), (4, 1))
    label = next(t for t in axis.texts if t.get_text() == "(batch, 8)")
    assert label.get_position()[0] == 3
    html = plotting.to_html(figure, "An encoder gives eight numbers")
    assert "encoder" in html
    assert plotting.BLUE in html
    assert plotting.INK not in html


def test_a_figure_is_light_and_looks_the_same():
    figure, axis = plotting.figure()
    axis.plot(np.arange(50), np.random.default_rng(0).random(50))
    pixels = np.random.default_rng(1).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    axis.imshow(pixels, extent=(0, 9, 0, 9), interpolation="none")
    axis.text(1, 1, "pi is 3.14159")
    html = plotting.to_html(figure, "A line over a picture of noise")
    paths = re.findall(r' d="([^"]+)"', html)
    assert any(re.search(r"\.\d\d", d) for d in paths)
    assert not any(re.search(r"\.\d{3}", d) for d in paths)
    assert "pi is 3.14159" in html
    assert "image/png" not in html
    (data,) = re.findall(r"data:image/webp;base64,([^\"]+)", html)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    assert {tuple(p) for p in pixels.reshape(-1, 3)} <= {tuple(p) for p in shown.reshape(-1, 3)}
