"""The checks themselves: each must find the fault of a page that has it, and stay quiet on a good one."""

import pytest
from bs4 import BeautifulSoup

import page_checks as checks

GOOD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Good</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><style>
html {{ background: #fff; color: #111 }} html[data-theme=dark] {{ background: #111; color: #eee }}</style></head>
<body><main><article><h1>Title</h1><p>Text.</p>{body}</article></main></body></html>"""


@pytest.fixture
def load(tmp_path, serve, visit):
    """A function that serves a page with some HTML in it and returns (page, what it did)."""
    origin = serve(tmp_path)

    def open_page(body: str):
        (tmp_path / "page.html").write_text(GOOD.format(body=body), encoding="utf-8")
        return visit(origin, "page.html")

    return open_page


def test_good_page_passes_every_check(load, axe):
    page, did = load(
        '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" alt="A grey dot">'
        '<p class="math"><mjx-container></mjx-container></p>'
    )
    found = (
        checks.third_parties(did) + checks.console(did) + checks.weight(did) + checks.accessibility(page, axe, "light")
    )
    found += (
        checks.alternatives(page) + checks.maths(page) + checks.contrast(page, "light") + checks.overflow(page, 320)
    )
    assert found == []


def test_request_to_another_host_is_found_and_stopped(load):
    _, did = load('<script src="https://cdn.example.org/x.js"></script>')
    assert checks.third_parties(did) == ["request to another host: https://cdn.example.org/x.js"]


@pytest.mark.parametrize("body", ["<script>missing()</script>", '<img src="gone.png" alt="A picture">'])
def test_errors_are_found(load, body):
    assert checks.console(load(body)[1])


def test_weight_is_counted(load, tmp_path):
    (tmp_path / "big.js").write_text("//" + "x" * 300_000, encoding="utf-8")
    _, did = load('<script src="big.js"></script>')
    assert checks.weight(did, limit=200)
    assert not checks.weight(did, limit=400)


@pytest.mark.parametrize("attributes", ["", 'alt=""', 'alt="img/plot_3.png"', 'alt="dot"'])
def test_images_without_a_real_alternative_are_found(load, tmp_path, attributes):
    (tmp_path / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', encoding="utf-8")
    assert checks.alternatives(load(f'<img src="dot.svg" {attributes}>')[0])


def test_drawing_without_a_name_is_found(load):
    assert checks.alternatives(load('<svg viewBox="0 0 1 1"></svg>')[0])
    assert not checks.alternatives(load('<svg viewBox="0 0 1 1" aria-hidden="true"></svg>')[0])
    assert not checks.alternatives(load('<svg role="img" aria-label="A bar chart" viewBox="0 0 1 1"></svg>')[0])


def test_page_wider_than_a_phone_is_found(load):
    page, _ = load('<p style="width: 350px">wide</p>')
    assert checks.overflow(page, 320)
    assert not checks.overflow(page, 375)


@pytest.mark.parametrize(
    "body",
    [
        r'<span class="math">\(x\)</span>',
        r"<p>\(x^2\)</p>",
        "<p>$$x$$</p>",
        '<p>$<span class="math"><mjx-container>x</mjx-container></span>$</p>',
    ],
)
def test_raw_mathematics_is_found(load, body):
    assert checks.maths(load(body)[0])


def test_code_is_not_taken_for_mathematics(load):
    assert not checks.maths(load(r"<pre>print('\(x\)')</pre><p><code>$$x$$</code></p>")[0])


@pytest.mark.parametrize(
    "drawing",
    [
        '<text y="9" fill="#999">pale</text>',
        '<rect width="99" height="99" fill="#222"/><text y="9" x="1" fill="#333">dark on dark</text>',
    ],
)
def test_pale_text_in_figures_is_found(load, drawing):
    assert checks.contrast(
        load(f'<figure><svg role="img" aria-label="A figure" viewBox="0 0 99 99">{drawing}</svg></figure>')[0], "light"
    )


def test_black_text_in_the_dark_theme_is_found(load):
    page, _ = load(
        '<figure><svg role="img" aria-label="A figure" viewBox="0 0 99 99"><text y="9">ink</text></svg></figure>'
    )
    assert not checks.contrast(page, "light")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert checks.contrast(page, "dark")


@pytest.mark.parametrize("body", ['<p style="color: #bbb">pale</p>', '<input type="text">', "<ul><p>no item</p></ul>"])
def test_violations_of_accessibility_are_found(load, axe, body):
    assert checks.accessibility(load(body)[0], axe, "light")


def test_faults_of_the_head_are_found():
    soup = BeautifulSoup("<html><body><i id=a></i><i id=a></i></body></html>", "html.parser")
    assert len(checks.head(soup)) == 5


def test_dead_links_and_anchors_are_found():
    html = {
        "a/x.html": '<a href="../y.html#here">ok</a><a href="../y.html#gone">no</a>'
        '<a href="z.html">no</a><a href="#top">no</a>',
        "y.html": '<b id="here"></b><a href="https://example.org/">not ours</a>',
    }
    soups = {name: BeautifulSoup(text, "html.parser") for name, text in html.items()}
    found = checks.dead_links("a/x.html", soups, set(html))
    assert found == ["no such anchor: ../y.html#gone", "leads nowhere: z.html", "no such anchor: #top"]
    assert checks.dead_links("y.html", soups, set(html)) == []
