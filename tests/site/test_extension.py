"""The parts of book/_ext/booksite that can be tested without a build."""

import base64
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from myst_nb.core.variables import format_plain_text
from PIL import Image

from booksite import cards, evidence, finish, icons, labels, maths, media, records, repairs, social, styles, terms


def soup_of(html: str) -> BeautifulSoup:
    return BeautifulSoup(f"<html data-content_root='../'><head></head><body>{html}</body></html>", "html.parser")


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".a{x:1}.b{x:2}", ".a{x:1}"),
        (".a,.b{x:1}", ".a{x:1}"),
        (".a:not(.b){x:1}", ".a:not(.b){x:1}"),
        (":is(.a,.b) p{x:1}", ":is(.a,.b) p{x:1}"),
        ("@media (x){.b{x:1}}", ""),
        ("@media (x){.a{x:1}.b{x:1}}", "@media (x){.a{x:1}}"),
        ('a[href^="https://b.org/"]{x:1}', 'a[href^="https://b.org/"]{x:1}'),
        ('.a{content:"}.b{"}', '.a{content:"}.b{"}'),
        ("@import 'x.css';.b{x:1}", "@import 'x.css';"),
        ("@keyframes k{0%{x:1}}", "@keyframes k{0%{x:1}}"),
        ("@font-face{x:1}", ""),
        (r".a\.b{x:1}", ""),
    ],
)
def test_trim_keeps_what_some_page_can_use(css, left):
    assert styles.trim(css, {"a"}) == left


def test_shrink_looks_at_pages_and_scripts_and_runs_once(tmp_path):
    static = tmp_path / "_static"
    static.mkdir()
    (tmp_path / "page.html").write_text('<p class="used">', encoding="utf-8")
    (static / "s.js").write_text("e.classList.add('later')", encoding="utf-8")
    sheet = static / "s.css"
    sheet.write_text("/*! licence */ /* note */.used{a:1}.later{a:1}.never{a:1}", encoding="utf-8")
    styles.shrink(tmp_path)
    assert sheet.read_text(encoding="utf-8") == "/*trimmed*//*! licence */.used{a:1}.later{a:1}"
    before = sheet.stat().st_mtime_ns
    styles.shrink(tmp_path)
    assert sheet.stat().st_mtime_ns == before


def test_icons_become_drawings_hidden_from_screen_readers(tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "fontawesome.js").write_text(
        '{sun:[1,2,[],"f","M0"]};{sun:[3,4,[],"f","M9"]}', encoding="utf-8"
    )
    soup = soup_of(
        '<button><i class="theme-switch fa-solid fa-sun fa-lg" data-mode="light" title="Light"></i></button>'
    )
    icons.replace(soup, tmp_path)
    svg = soup.svg
    assert svg["viewBox"] == "0 0 3 4"
    assert svg.path["d"] == "M9"
    assert svg["aria-hidden"] == "true"
    assert "theme-switch" in svg["class"]
    assert svg["data-mode"] == "light"
    with pytest.raises(icons.ExtensionError, match="fa-gone"):
        icons.replace(soup_of('<i class="fas fa-gone"></i>'), tmp_path)


def test_mathematics_is_typeset_with_words_for_screen_readers():
    soup = soup_of(
        r'<span class="math">\(\frac{1}{2}\)</span>'
        r'<div class="math"><span class="eqno">(1)</span>\[x \in \mathbb{R}\]</div>'
    )
    assert maths.typeset(soup, {})
    inline, displayed = soup.select("mjx-container")
    assert displayed.get("display") == "true"
    assert not inline.get("display")
    assert inline.select_one("mjx-assistive-mml mfrac")
    assert "\\" not in soup.body.get_text()
    assert "../_static/mathjax/MathJax_" in soup.style.string
    assert soup.select_one(".eqno").get_text() == "(1)"


def test_mathematics_knows_the_macros_of_the_configuration_only():
    page = r'<span class="math">\(\loss\)</span>'
    assert maths.typeset(soup_of(page), {"macros": {"loss": r"\mathcal{L}"}})
    with pytest.raises(maths.MathsError, match="Undefined control sequence"):
        maths.typeset(soup_of(page), {})
    assert not maths.typeset(soup_of("<p>no mathematics</p>"), {})


def test_repairs_of_tables():
    soup = soup_of(
        '<article><div><style>x</style><table border="1" class="dataframe">'
        '<tr style="y"><th></th><th>a</th></tr></table></div></article>'
    )
    repairs.tables(soup, "")
    assert [cell.name for cell in soup.tr.find_all(True)] == ["td", "th"]
    assert soup.table.parent["tabindex"] == "0"
    assert not soup.style
    assert not soup.table.get("border")


def test_description_is_the_first_real_paragraph():
    ours = "<p>Open in Colab</p><p class='mm-cost'>It ran in 76 seconds on one processor core, with much memory.</p>"
    soup = soup_of(f"<article><section>{ours}<p>{'A sentence with words. ' * 20}</p></section></article>")
    repairs.description(soup, "Book")
    content = soup.select_one("meta[name=description]")["content"]
    assert content.startswith("A sentence")
    assert len(content) <= 155


def test_scripts_stand_behind_the_text_in_their_order():
    head = "<script data-cfasync='false'></script><script src='a.js'></script><script>a.b = 1;</script>"
    soup = BeautifulSoup(f"<head>{head}</head><body><article></article></body>", "html.parser")
    assert repairs.scripts_last(soup, "") == 2
    assert str(soup.head) == '<head><script data-cfasync="false"></script></head>'
    assert str(soup.body) == '<body><article></article><script src="a.js"></script><script>a.b = 1;</script></body>'


@pytest.fixture
def app(tmp_path):
    """As much of Sphinx as the records need."""
    noted: list[str] = []
    env = SimpleNamespace(docname="page", found_docs={"page"}, note_dependency=noted.append)
    env.doc2path = lambda docname: f"{docname}.ipynb"
    env.app = app = SimpleNamespace(outdir=tmp_path / "html", env=env, noted=noted)
    return app


def test_a_page_depends_on_each_record_that_it_read(app, tmp_path):
    assert records.load(app.env, "claims") is None
    (tmp_path / "claims.json").write_text("[1]", encoding="utf-8")
    assert records.load(app.env, "claims") == [1]
    assert set(app.noted) == {str(tmp_path / "claims.json")}


def page_source() -> str:
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# Title"]},
        {"cell_type": "code", "id": "setup-0123abcd", "metadata": {}, "source": [], "outputs": []},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": "x", "outputs": ["stale"]},
        {"cell_type": "markdown", "id": "c", "metadata": {}, "source": "We found {glue:text}`gain` and {glue}`x`."},
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_a_chapter_gets_the_outputs_of_its_execution_and_its_cost(app, tmp_path):
    glued = {"application/papermill.record/text/plain": "0.70"}
    fresh = [
        {"output_type": "stream", "name": "stdout", "text": "fresh"},
        {"output_type": "display_data", "data": glued, "metadata": {"scrapbook": {"name": "gain"}}},
    ]
    code = [{"cell_type": "code", "source": s, "outputs": o} for s, o in (("old address", []), (["x"], fresh))]
    (tmp_path / "executed.ipynb").write_text(json.dumps({"cells": [{"cell_type": "raw"}, *code]}), encoding="utf-8")
    (tmp_path / "pages").mkdir()
    page = {"executed": "executed.ipynb", "cpu_seconds": 34.2, "peak_mb": 900}
    (tmp_path / "pages/page.json").write_text(json.dumps(page), encoding="utf-8")
    source = [page_source()]
    records.fill(app, "page", source)
    title, setup, cell, prose = json.loads(source[0])["cells"]
    assert cell["outputs"][0] == fresh[0]
    (said,) = cell["outputs"][1]["data"].values()
    assert format_plain_text(said, "") == "0.70"  # as the chapter said it, not as the number 0.7
    assert format_plain_text(said, ".1f") == "0.7"
    assert "34 seconds" in title["source"]
    assert "0.9 GB" in title["source"]
    assert "{glue:text}`gain`" in prose["source"]
    assert setup["metadata"]["tags"] == ["remove-cell"]  # though a tool stripped it
    assert set(app.noted) == {str(tmp_path / "pages/page.json"), str(tmp_path / "executed.ipynb")}


def test_a_chapter_that_was_edited_since_has_no_outputs(app, tmp_path):
    code = [{"cell_type": "code", "source": s, "outputs": []} for s in ("", "another x")]
    (tmp_path / "executed.ipynb").write_text(json.dumps({"cells": code}), encoding="utf-8")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/page.json").write_text(json.dumps({"executed": "executed.ipynb"}), encoding="utf-8")
    source = [page_source()]
    records.fill(app, "page", source)
    title, _, cell, _ = json.loads(source[0])["cells"]
    assert cell["outputs"] == []
    assert "**not run**" in title["source"]


@pytest.mark.parametrize(("failed", "word"), [(True, "**failed**"), (False, "**not run**")])
def test_a_chapter_without_a_result_has_a_banner_and_no_outputs(app, tmp_path, failed, word):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/page.json").write_text(json.dumps({"executed": None, "failed": failed}), encoding="utf-8")
    source = [page_source()]
    records.fill(app, "page", source)
    title, _, cell, prose = json.loads(source[0])["cells"]
    assert word in title["source"]
    assert cell["outputs"] == []
    assert prose["source"] == "We found (not built) and (not built)."


def test_sounds_and_moving_pictures_become_files(tmp_path):
    page = tmp_path / "book/part/page.html"
    sound, strip = (base64.b64encode(data).decode() for data in (b"sound", b"strip"))
    text = f'<audio src="data:audio/mpeg;base64,{sound}"><div style="background:url(data:image/webp;base64,{strip}) 0">'
    left = f'<img src="data:image/png;base64,{sound}">'
    made = media.to_files(text + left, page, tmp_path)
    links = re.findall(r'(?:src="|url\()\.\./\.\./(_media/[0-9a-f]{16}\.\w+)', made)
    assert [(tmp_path / link).read_bytes() for link in links] == [b"sound", b"strip"]
    assert [link.rpartition(".")[2] for link in links] == ["mp3", "webp"]
    assert left in made


def test_pictures_in_drawings_become_files_if_that_saves_something(tmp_path):
    page = tmp_path / "book/page.html"
    large, small = (base64.b64encode(bytes(size)).decode() for size in (media.SMALL, media.SMALL - 1))
    text = "".join(f'<image xlink:href="data:image/webp;base64,{data}"/>' for data in (large, small))
    first, second = re.findall(r'xlink:href="([^"]+)"', media.to_files(text, page, tmp_path))
    assert (tmp_path / first.removeprefix("../")).read_bytes() == bytes(media.SMALL)
    assert second == f"data:image/webp;base64,{small}"


def test_drawings_leave_their_fonts_to_the_style_sheet():
    text = """<text style="font-size: 9px; font-family: 'DejaVu Sans', 'Verdana', sans-serif; fill: red">a</text>"""
    assert media.without_fonts(text) == '<text style="font-size: 9px; fill: red">a</text>'
    styles_of_ours = (Path(media.__file__).parents[2] / "_static/book.css").read_text(encoding="utf-8")
    assert 'svg text {\n  font-family: "DejaVu Sans"' in styles_of_ours


def test_a_term_says_what_it_means():
    link = '<a class="reference internal" href="../reference/glossary.html#term-fusion">fusion</a>'
    soup = soup_of(f"<article><h2>{link}</h2><p>{link} and {link.replace('fusion', 'unknown')}</p></article>")
    assert terms.explain(soup, {"term-fusion": "One decision from many."}) == 1
    tip = soup.select_one("p .mm-tip")
    assert tip.get_text() == "One decision from many."
    assert soup.select_one("p a")["aria-describedby"] == tip["id"]
    assert not soup.select("h2 .mm-tip")


def test_definitions_are_those_of_the_glossary():
    term = nodes.term("", "chance", ids=["term-chance"])
    words = [nodes.Text("A share < 1, such as "), nodes.math("", "1/k"), nodes.emphasis("", "", nodes.Text(" for k"))]
    meaning = nodes.definition("", nodes.paragraph("", "", *words), nodes.paragraph("", "More."))
    tree = nodes.container("", nodes.definition_list("", nodes.definition_list_item("", term, meaning)))
    env = SimpleNamespace(found_docs={terms.GLOSSARY}, get_doctree=lambda name: tree)
    html = 'A share &lt; 1, such as <span class="math">\\(1/k\\)</span> for k'
    assert terms.definitions(env) == {"term-chance": html}
    assert terms.definitions(SimpleNamespace(found_docs=set())) == {}


def test_captions_are_numbered_in_the_order_of_the_page():
    figure = '<figure class="mm-figure"><svg></svg><figcaption>What it shows.</figcaption></figure>'
    soup = soup_of(f"<article>{figure * 2}</article>")
    assert terms.number_figures(soup) == 2
    assert [c.get_text() for c in soup.select("figcaption")] == ["Figure 1. What it shows.", "Figure 2. What it shows."]


def test_a_figure_with_a_caption_has_no_other_role():
    soup = soup_of('<article><figure class="mm-figure" role="group"><figcaption>It.</figcaption></figure></article>')
    terms.number_figures(soup)
    assert "role" not in soup.figure.attrs


def test_a_column_without_a_heading_names_the_rows():
    head = "<thead><tr><th>{}</th><th>R@1</th></tr></thead>"
    body = "<tbody><tr><td>CLIP</td><td>3</td></tr></tbody>"
    for corner, name in (("", "th"), ("model", "td")):
        soup = soup_of(f"<article><table>{head.format(corner)}{body}</table></article>")
        repairs.tables(soup, "Book")
        assert [cell.name for cell in soup.select("tbody tr *")] == [name, "td"]


def test_claims_are_shown_by_part():
    html = evidence.filters(["Foundations", "Large & new"])
    assert "article:has(#mm-from-2:checked) .mm-part:not(#claims-of-large-new){display:none}" in html
    names = [label.get_text(strip=True) for label in soup_of(html).select("label:has([name=mm-from])")]
    assert names == ["all parts", "Foundations", "Large & new"]


def test_a_page_says_where_to_report_a_mistake_once_the_book_has_an_address():
    known = {"repository": "https://github.com/ann/course", "branch": "main"}
    soup = soup_of("<article><h1>A</h1></article>")
    assert social.mend(soup, "book/part/a", "book/part/a.ipynb", known)
    home = "https://github.com/ann/course"
    wanted = [f"{home}/issues/new?title=part/a%3A%20", f"{home}/edit/main/book/part/a.ipynb"]
    assert [link["href"] for link in soup.select("p a")] == wanted
    known["repository"] = "https://github.com/OWNER/multimodal-learning"
    assert not social.mend(soup_of("<article></article>"), "book/a", "book/a.md", known)


def test_the_bulk_of_a_page_is_taken_out_and_put_back(tmp_path):
    code = '<div class="highlight"><pre>x &lt; 1\n<span></span></pre></div>'
    html = f'<figure class="mm-figure" tabindex="0"><svg aria-label="a"><path d="M0"/></svg></figure>{code}'
    rest, taken = finish.without_bulk(html)
    assert taken == ['<path d="M0"/>', "x &lt; 1\n<span></span>"]
    assert "path" not in rest
    assert finish.KEPT.sub(lambda mark: taken[int(mark[1])], rest) == html


def test_code_keeps_its_colours_and_loses_the_spans_of_plain_words(tmp_path):
    page = tmp_path / "a.html"
    code = '<span class="k">def</span><span class="w"> </span><span class="nf">f</span><span class="p">(</span>'
    code += '<span class="n">x</span> <span class="o">&lt;</span> <span class="mi">1</span>'
    page.write_text(f'<html><body><div class="highlight"><pre>{code}</pre></div></body></html>')
    finish.finish(page, tmp_path, {}, {}, "", {"title": "Book"})
    found = soup_of(page.read_text()).pre
    assert found.get_text() == "def f(x < 1"
    assert [span["class"] for span in found.select("span")] == [["k"], ["nf"], ["o"], ["mi"]]


def test_the_heading_for_print_is_text():
    soup = soup_of(
        '<div id="jb-print-docs-body"><h1>A<int></int></h1></div><article><h1>A&lt;int&gt;<a>#</a></h1></article>'
    )
    assert repairs.print_title(soup, "") == 1
    assert str(soup.select_one("#jb-print-docs-body h1")) == "<h1>A&lt;int&gt;</h1>"


def test_a_claim_says_the_words_of_its_chapter():
    claim = {"statement": "a beats b", "holds": True, "found": "+27 points", "asked": "at least 15 points more"}
    assert evidence.told(claim) == ("a beats b", "Found +27 points. Asked: at least 15 points more.")
    assert evidence.told({"statement": "a", "holds": False, "effect": 0.5}) == ("FAILS: a", "Found 0.5. Asked: –.")


def test_a_chapter_says_what_comes_before_and_what_builds_on_it():
    page = {"after": ["a", "gone"], "leads": ["c", "d"]}
    line = records.way(page, {"book/a", "book/c", "book/d"})
    assert line.endswith("Read first: {doc}`/book/a` · Leads to: {doc}`/book/c`, {doc}`/book/d`")
    assert records.way({"after": ["gone"]}, set()) == ""


def test_a_folded_box_needs_no_script():
    soup = soup_of(
        '<div class="admonition dropdown"><p class="admonition-title">Check</p><p>Answer</p></div>'
        '<div class="admonition note"><p class="admonition-title">Note</p></div>'
    )
    repairs.dropdowns(soup, "")
    assert [tag.name for tag in soup.select(".dropdown, .dropdown > *")] == ["details", "summary", "p"]
    assert soup.select_one("div.note > p.admonition-title")


SVG = '<svg viewBox="0 0 2 1"><path/></svg>'


def test_a_thumbnail_is_the_first_picture_of_a_figure():
    source = re.search(
        r'src="data:image/svg\+xml;base64,([^"]+)"', cards.thumbnail(f"<figure>{SVG}</figure>{SVG}", 'a "b"')
    )
    drawing = base64.b64decode(source[1]).decode()
    assert drawing.startswith('<svg xmlns="http://www.w3.org/2000/svg"')  # or no browser takes it for a picture
    assert drawing.endswith("<path/></svg>")
    assert 'alt="a &quot;b&quot;"' in cards.thumbnail(SVG, 'a "b"')
    assert 'src="x.webp"' in cards.thumbnail(f'<img alt="" src="x.webp">{SVG}', "")
    assert cards.thumbnail("<p>words</p>", "") == ""


def test_the_drawing_of_an_interval_is_to_scale():
    claim = {"kind": "difference", "low": 0.2, "effect": 0.3, "high": 0.4, "at_least": 0.1}
    drawing = BeautifulSoup(evidence.interval_plot(claim), "html.parser")
    width = evidence.WIDTH - 2 * evidence.EDGE  # from 0 to 0.4

    def place(share):
        return pytest.approx(evidence.EDGE + width * share)

    assert float(drawing.select_one(".mm-zero")["x1"]) == place(0)
    assert float(drawing.select_one(".mm-margin")["x1"]) == place(0.25)
    assert float(drawing.select_one(".mm-range")["x1"]) == place(0.5)
    assert float(drawing.select_one(".mm-range")["x2"]) == place(1)
    assert float(drawing.circle["cx"]) == place(0.75)
    both = evidence.interval_plot({**claim, "kind": "equivalence", "at_least": 0.5})
    assert both.count("mm-margin") == 2
    assert evidence.interval_plot({**claim, "kind": "exact"}) == ""
    assert evidence.interval_plot({**claim, "low": None}) == ""


def test_the_page_of_claims_leads_to_the_row_of_each_claim():
    row = {
        "output_type": "display_data",
        "data": {"text/html": ['<div class="mm-claim" data-holds="true">', "x</div>"]},
    }
    other = {"output_type": "stream", "text": "y"}
    shown = records.anchored([row, other, row], "c")
    assert shown[0]["data"]["text/html"].startswith('<div class="mm-claim" id="claim-c" data-holds')
    assert 'id="claim-c-2"' in shown[2]["data"]["text/html"]
    claims = [{"chapter": "a", "anchor": "c"}, {"chapter": "a", "anchor": "c"}, {"chapter": "b", "anchor": "c"}]
    evidence.numbered(claims)
    assert [claim["id"] for claim in claims] == ["claim-c", "claim-c-2", "claim-c"]


def test_labels_of_the_bibliography_read_as_citations_do():
    people = [SimpleNamespace(prelast_names=["van", "den"], last_names=["Oord"])]
    people += [SimpleNamespace(prelast_names=[], last_names=[name]) for name in (r"{\v{S}}i", "{Big Team}")]
    entries = [
        SimpleNamespace(key=key, persons={"author": people[:count]}, fields={"year": "2018"})
        for key, count in (("a", 3), ("b", 2), ("c", 1), ("d", 1), ("e", 0))
    ]
    assert list(labels.AuthorYearLabels().format_labels(entries)) == [
        "van den Oord et al., 2018",
        "van den Oord and Ši, 2018",
        "van den Oord, 2018a",
        "van den Oord, 2018b",
        "e, 2018",
    ]


SMALL = '<svg viewBox="0 0 10 10" style="width:100%"><rect width="10" height="10" fill="#ff0000"/></svg>'


def test_a_link_to_a_page_has_a_preview_with_its_figure(tmp_path):
    soup = soup_of("<meta name='description' content='d'><article><h1>A &amp; B#</h1></article>")
    known = {"title": "Book", "figures": {"a/b#card": {"html": SMALL}}, "chapters": {"a/b": {"finding": "Found 3."}}}
    assert social.previews(soup, "book/a/b", tmp_path, "https://x.io/", known)
    tags = {tag["property"]: tag["content"] for tag in soup.select("meta[property]")}
    assert (tags["og:title"], tags["og:url"]) == ("A & B", "https://x.io/book/a/b.html")
    assert tags["og:image"] == "https://x.io/_media/social/a-b.png"
    with Image.open(tmp_path / "_media/social/a-b.png") as image:
        colours = image.convert("RGB")
        assert image.size == (1200, 630)
        assert colours.getpixel((895, 300)) == (255, 0, 0)  # the figure stands at the right
        assert any(colours.getpixel((x, y)) == (0, 0, 0) for x in range(60, 400) for y in range(70, 115))  # the title


def test_a_page_without_a_figure_or_an_address_has_no_picture(tmp_path):
    html = "<article><h1>A</h1></article>"
    soup = soup_of(html)
    known = {"title": "Book", "figures": {}, "chapters": {}}
    assert social.previews(soup, "book/a", tmp_path, "https://x.io/", known)
    assert not soup.select("meta[property='og:image']")
    assert not social.previews(soup_of(html), "book/a", tmp_path, "", known)


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://github.com/Ann/course", "https://ann.github.io/course/"),
        ("https://github.com/ann/a.git/", "https://ann.github.io/a/"),
        ("https://example.org/x", ""),
    ],
)
def test_the_address_of_the_site_follows_from_the_repository(url, site):
    made = SimpleNamespace(config=SimpleNamespace(html_theme_options={"repository_url": url}))
    assert social.address(made) == site


def test_columns_of_words_stand_at_the_left_and_long_ones_wrap():
    cells = "".join(f"<tr><th>{k}</th><td>{'word ' * n}</td><td>−{k}.5</td></tr>" for k, n in ((1, 2), (2, 20)))
    head = "<tr><th>row</th><th>text</th><th>number</th></tr>"
    soup = soup_of(f"<article><table class='dataframe'><thead>{head}</thead><tbody>{cells}</tbody></table></article>")
    repairs.tables(soup, "")
    found = [cell.get("class") for cell in soup.select("tr")[1].find_all(["th", "td"])]
    assert found == [None, ["mm-words", "mm-long"], None]
