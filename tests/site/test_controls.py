"""The controls of the site, used as a reader uses them."""

import re

import pytest

import page_checks as checks

LANDING = "book/intro.html"


@pytest.fixture
def chapter(site) -> str:
    """A page with code, or the landing page of a book that has none."""
    pages = sorted(
        path for path in (site / "book").rglob("*.html") if 'class="highlight"' in path.read_text(encoding="utf-8")
    )
    return pages[0].relative_to(site).as_posix() if pages else LANDING


def test_first_page_leads_to_the_landing_page(address, browser):
    page = browser.new_page()
    page.goto(address)
    page.wait_for_url("**/book/intro.html")
    assert page.locator("article h1").is_visible()
    page.close()


@pytest.mark.parametrize("width", [1280, 375])
def test_search_finds_a_page_by_its_control(width, address, visit):
    page, did = visit(address, LANDING, viewport={"width": width, "height": 800})
    page.locator(".search-button__button:visible").first.click()
    page.locator("#pst-search-dialog input[name=q]").fill("glossary")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=glossary*")
    page.locator("#search-results li a", has_text="Glossary").first.click()
    page.wait_for_url("**/glossary.html*")
    assert not checks.third_parties(did) + checks.console(did)


def test_search_opens_by_keyboard(address, visit):
    page, _ = visit(address, LANDING)
    page.keyboard.press("Control+k")
    assert page.locator("#pst-search-dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#pst-search-dialog").is_visible()


def test_theme_switch_goes_round_and_is_remembered(address, visit):
    page, _ = visit(address, LANDING)
    mode = "() => [document.documentElement.dataset.mode, document.documentElement.dataset.theme]"
    assert page.evaluate(mode) == ["auto", "light"]
    seen = []
    for _ in range(3):
        page.locator(".theme-switch-button:visible").click()
        seen.append(tuple(page.evaluate(mode)))
    assert set(seen) == {("auto", "light"), ("light", "light"), ("dark", "dark")}
    while page.evaluate(mode)[0] != "dark":
        page.locator(".theme-switch-button:visible").click()
    page.reload()
    assert page.evaluate(mode) == ["dark", "dark"]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"


def test_theme_switch_shows_one_icon(address, visit):
    page, _ = visit(address, LANDING)
    shown = [icon.is_visible() for icon in page.locator(".theme-switch-button svg").all()]
    assert shown.count(True) == 1


def test_dark_system_never_flashes_light(address, visit):
    page, _ = visit(address, LANDING, color_scheme="dark")
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => window.early = document.documentElement.dataset.theme)"
    )
    page.reload()
    assert page.evaluate("window.early") == "dark"


def test_sidebar_opens_on_a_phone_and_hides_on_a_desktop(address, visit):
    page, _ = visit(address, LANDING, viewport={"width": 375, "height": 800})
    page.locator(".primary-toggle:visible").click()
    assert page.locator("#pst-primary-sidebar-modal nav").is_visible()
    page.keyboard.press("Escape")
    page.locator("#pst-primary-sidebar-modal").wait_for(state="hidden")
    page, _ = visit(address, LANDING)
    page.locator(".primary-toggle:visible").click()
    page.wait_for_function(
        "() => document.querySelector('#pst-primary-sidebar').classList.contains('pst-sidebar-hidden')"
    )


def test_download_menu_opens(address, visit, chapter):
    page, _ = visit(address, chapter)
    page.locator(".dropdown-download-buttons > button").click()
    assert page.locator(".dropdown-download-buttons .dropdown-item").first.is_visible()


def test_full_screen(address, visit):
    page, did = visit(address, LANDING)
    page.locator(".btn-fullscreen-button").click()
    page.wait_for_function("() => !!document.fullscreenElement")
    assert not checks.console(did)


def test_copy_button_copies_the_code(address, visit, chapter):
    page, _ = visit(address, chapter)
    block = page.locator("div.highlight:visible", has=page.locator("pre")).first  # imports are folded
    if not block.count():
        pytest.skip("no page with code yet")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    block.scroll_into_view_if_needed()
    block.hover()
    block.locator("button.copybtn").click(force=True)
    page.wait_for_function("async () => (await navigator.clipboard.readText()).length > 0")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert re.sub(r"\s", "", copied) == re.sub(r"\s", "", block.locator("pre").inner_text())


def test_site_works_from_a_folder(site, visit):
    """Offline, without a server. Chromium refuses the excerpts beside the results, which is a console error."""
    origin = site.as_uri() + "/"
    page, did = visit(origin, LANDING)
    page.locator(".search-button__button:visible").first.click()
    page.locator("#pst-search-dialog input[name=q]").fill("glossary")
    page.keyboard.press("Enter")
    page.locator("#search-results li a", has_text="Glossary").first.wait_for()
    assert not checks.third_parties(did)
    assert all("fetch" in text or "ERR_FAILED" in text for text in did.errors), did.errors


def test_site_reads_without_scripts(address, browser):
    """Text, figures and mathematics need no JavaScript."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + "book/reference/glossary.html")
    assert page.locator("dl.glossary dt").count() > 20
    assert page.locator("mjx-container").count() == page.locator(".math").count() > 0
    context.close()
