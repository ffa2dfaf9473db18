"""The parts of book/_ext/booksite that can be tested without a build."""

import json
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup

from booksite import directives, icons, maths, records, repairs, styles


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
    soup = soup_of(f"<article><section><p>Open in Colab</p><p>{'A sentence with words. ' * 20}</p></section></article>")
    repairs.description(soup, "Book")
    content = soup.select_one("meta[name=description]")["content"]
    assert content.startswith("A sentence")
    assert len(content) <= 155


@pytest.fixture
def env(tmp_path):
    """As much of Sphinx's environment as the records need."""
    app = SimpleNamespace(outdir=tmp_path / "html")
    return SimpleNamespace(app=app, docname="page", found_docs={"page"})


def test_page_is_read_again_exactly_when_its_record_changed(env, tmp_path):
    record = tmp_path / "claims.json"
    assert records.load(env, "claims") is None
    assert records.outdated(env.app, env, set(), set(), set()) == []
    record.write_text(json.dumps([1]), encoding="utf-8")
    assert records.outdated(env.app, env, set(), set(), set()) == ["page"]
    records.purge(env.app, env, "page")
    assert records.load(env, "claims") == [1]
    record.write_text(json.dumps([1]), encoding="utf-8")  # a new file with the same content
    assert records.outdated(env.app, env, set(), set(), set()) == []
    record.unlink()
    assert records.outdated(env.app, env, set(), set(), set()) == ["page"]


@pytest.mark.parametrize(
    ("kind", "margin", "words"),
    [
        ("difference", 0.05, "at least 0.05"),
        ("equivalence", 0.02, "within ±0.02"),
        ("order", 0.0, "each step at least 0"),
        ("exact", 0.0, "equal"),
        ("exact", 1e-6, "equal up to 1e−06"),
        ("order", None, "order"),
    ],
)
def test_margins_are_said_in_words(kind, margin, words):
    assert directives.asked({"kind": kind, "at_least": margin}) == words


def test_numbers_found():
    assert directives.found({"effect": -0.1234, "low": -0.2, "high": 0.1}) == "−0.123 [−0.2, 0.1]"
    assert directives.found({"effect": None, "low": None, "high": None}) == "–"


def test_a_folded_box_needs_no_script():
    soup = soup_of(
        '<div class="admonition dropdown"><p class="admonition-title">Check</p><p>Answer</p></div>'
        '<div class="admonition note"><p class="admonition-title">Note</p></div>'
    )
    repairs.dropdowns(soup, "")
    assert [tag.name for tag in soup.select(".dropdown, .dropdown > *")] == ["details", "summary", "p"]
    assert soup.select_one("div.note > p.admonition-title")
