"""The built site, served on this machine, and one browser for all tests."""

from __future__ import annotations

import functools
import http.server
import importlib.resources
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Error, Page, sync_playwright

import page_checks as checks

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("MMBOOK_SITE", ROOT / "_build" / "html")).resolve()
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def page_names() -> list[str]:
    """The pages of the built site, as paths below it."""
    pages = (path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    return sorted(name for name in pages if not name.startswith(("_static/", "_sources/")))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `name` on each page; without a site it runs once, and fails in `site`."""
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", page_names() or ["index.html"])


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"no site in {SITE}: run make book first", pytrace=False)
    return SITE


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a log, and lets connections live, as a real server does."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="session")
def serve() -> Iterator:
    """A function that serves a folder on loopback and returns its address."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(folder: Path) -> str:
        handler = functools.partial(Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def address(site: Path, serve) -> str:
    """The address of the built site."""
    return serve(site)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium; without one the tests skip, loudly (.ci/run looks for the line)."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("BROWSER TESTS SKIPPED: no chromium on this machine")
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            pytest.skip(f"BROWSER TESTS SKIPPED: {path} does not start: {error.message.splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator:
    """A function `visit(origin, path)` that loads a page with an empty cache and returns (page, what it did)."""
    contexts = []

    def load(origin: str, path: str, **options) -> tuple[Page, checks.Visit]:
        settings = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", "color_scheme": "light"}
        context = browser.new_context(**{**settings, **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        did = checks.Visit(origin)
        did.watch(page)
        page.goto(origin + path, wait_until="load")
        checks.ready(page)
        return page, did

    yield load
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    return importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def soups(site: Path) -> dict[str, BeautifulSoup]:
    """Every page of the site, parsed once."""
    return {name: BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser") for name in page_names()}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat the skip where nobody overlooks it."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum("BROWSER TESTS SKIPPED" in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.write_line(
            f"BROWSER TESTS SKIPPED: {count} tests of the site need Chromium and did not run", red=True
        )
