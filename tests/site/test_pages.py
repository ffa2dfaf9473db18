"""Every page of the built site, as a reader's browser sees it."""

import json
import re
from collections import Counter
from pathlib import Path

from bs4 import BeautifulSoup
from PIL import Image

import page_checks as checks
from bookkit.build import readme
from bookkit.course.config import read_config
from booksite import finish, repairs

ROOT = Path(__file__).parents[2]


def test_page_in_the_browser(name, address, visit, axe):
    """One load per page: requests, errors, weight, mathematics, pictures, both themes, two phones."""
    if name == "index.html":
        return  # leaves at once for the landing page; test_controls.py follows it
    page, did = visit(address, name)
    problems = checks.third_parties(did) + checks.console(did) + checks.weight(did)
    problems += checks.maths(page) + checks.alternatives(page) + checks.contrast(page, "light")
    problems += checks.accessibility(page, axe, "light, desktop")
    problems += checks.overflow(page, 320) + checks.overflow(page, 375)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.wait_for_timeout(350)  # the theme decides 300 ms after a resize which boxes the keyboard reaches
    if name != "404.html" and page.evaluate("document.documentElement.dataset.theme") != "dark":
        problems.append("does not follow the system's dark theme")
    problems += checks.contrast(page, "dark") + checks.accessibility(page, axe, "dark, phone")
    assert not problems, "\n" + "\n".join(problems)


def test_head_and_links(name, site, soups):
    """Language, title, description, headings, ids; every link inside the site resolves."""
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    problems = checks.dead_links(name, soups, files)
    if name != "index.html":
        problems += checks.head(soups[name])
    assert not problems, "\n" + "\n".join(problems)


def test_every_repair_of_the_theme_still_matches_something(site):
    """One that matches nothing on the whole site is dead: the theme has changed, or its cause is gone."""
    finished = json.loads((site.parent / "finished.json").read_text(encoding="utf-8"))
    counts = Counter()
    for page in finished.values():
        counts.update(page.get("repairs", {}))
    assert set(counts) >= {repair.__name__ for repair in repairs.ALL}
    assert not [repair.__name__ for repair in repairs.ALL if not counts[repair.__name__]]
    assert counts["terms"] > 20


def test_words_of_code_whose_spans_are_left_out_have_the_colour_of_plain_code(site):
    css = (site / "_static/pygments.css").read_text(encoding="utf-8")
    for theme in ("light", "dark"):
        rules = re.findall(rf'html\[data-theme="{theme}"\] \.highlight( \.\w+)?{{([^}}]*)}}', css)
        colours = {name.strip(" ."): re.search(r"(?<!-)color: ?([^;} ]+)", rule) for name, rule in rules}
        plain = colours[""]
        assert plain
        for name in finish.PLAIN:
            assert name not in colours or colours[name][1] == plain[1], (theme, name)


def test_every_colab_link_of_the_site_leads_to_a_copy(site, soups):
    """The branch of the copies holds what lies in `_build/colab`, path by path."""
    repository = read_config(ROOT).repository
    copies = site.parent / "colab"
    start = f"https://colab.research.google.com/github/{repository.slug}/blob/{repository.colab_branch}/"
    followed = set()
    for name, soup in soups.items():
        for link in soup.select("a[href^='https://colab.research.google.com/github/']"):
            path = link["href"].removeprefix(start)
            assert (copies / path).is_file(), f"{name}: {link['href']}"
            followed.add(path)
    assert followed == {path.relative_to(copies).as_posix() for path in copies.rglob("*.ipynb")}


def test_what_the_copies_link_to_is_on_the_site(site, soups):
    home = read_config(ROOT).repository.site()
    count, ids = 0, {name: {tag["id"] for tag in soup.select("[id]")} for name, soup in soups.items()}
    for path in (site.parent / "colab").rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            for address in re.findall(rf"\]\({re.escape(home)}([^) \n]*)", "".join(cell["source"])):
                page, _, anchor = address.partition("#")
                assert page in ids, f"{path.name}: {address}"
                assert not anchor or anchor in ids[page], f"{path.name}: {address}"
                count += 1
        sizes = path.stat().st_size
        assert sizes <= 2_000_000, path.name
        assert sum(bool(cell.get("outputs")) for cell in cells) > 5, path.name
    assert count > 300


def test_no_chapter_uses_what_is_deprecated(site):
    """What a cell, or a module of ours, called that will go; libraries that warn of each other are theirs to mend."""
    for page in (site.parent / "pages").rglob("*.json"):
        executed = json.loads(page.read_text(encoding="utf-8"))["executed"]
        if executed is None:
            continue
        for cell in json.loads((site.parent / executed).read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                said = "".join(output.get("text", "")) if output.get("name") == "stderr" else ""
                assert not re.search(r"(ipykernel_|/mmbook/).*(Deprecation|Future)Warning", said), (page.name, said)


def test_the_readme_says_what_the_build_found(site):
    """Words exactly, numbers roughly: `make readme` writes them anew."""
    said = readme.BLOCK.search((ROOT / "README.md").read_text(encoding="utf-8"))[0]
    assert not readme.differences(said, readme.chapter_list(ROOT, site.parent))


def test_every_card_of_data_stands_on_the_page_of_data(site, soups):
    cards = json.loads((site.parent / "cards.json").read_text(encoding="utf-8"))
    page = soups["book/reference/datasets.html"]
    assert {f"data-{card['name']}" for card in cards} == {e["id"] for e in page.select("dl.mm-facts")}


def test_other_sites_get_a_preview_and_a_map(site, soups):
    """Pictures of the size that networks ask for, every page on the map, whole links on the page for lost readers."""
    base = readme.site_address(ROOT)
    pages = [name for name in soups if name.startswith("book/")]
    listed = re.findall(r"<loc>(.*?)</loc>", (site / "sitemap.xml").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(base + name for name in pages)
    for name in pages:
        tags = {tag["property"]: tag["content"] for tag in soups[name].select("meta[property^='og:']")}
        assert tags["og:url"] == base + name
        assert tags["og:title"]
        assert tags["og:description"]
        if "og:image" in tags:
            picture = site / tags["og:image"].removeprefix(base)
            with Image.open(picture) as image:
                assert image.size == (1200, 630)
    figures = json.loads((site.parent / "figures.json").read_text(encoding="utf-8"))
    with_picture = {name for name in pages if soups[name].select("meta[property='og:image']")}
    assert with_picture == {f"book/{name.removesuffix('#card')}.html" for name in figures if name.endswith("#card")}
    assert with_picture
    lost = BeautifulSoup((site / "404.html").read_text(encoding="utf-8"), "html.parser")
    assert all(link["href"].removeprefix(base) in {*soups, "search.html"} for link in lost.select("a"))
