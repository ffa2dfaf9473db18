"""Every page of the built site, as a reader's browser sees it."""

import json
import re
from collections import Counter

import page_checks as checks
from booksite import finish, repairs


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
    if page.evaluate("document.documentElement.dataset.theme") != "dark":
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
