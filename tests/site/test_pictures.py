"""Faults of pictures in finished pages: which are found, and which pictures are fine."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from booksite import pictures

BAD = {
    "no alt": '<img src="a.png">',
    "empty alt": '<img src="a.png" alt="">',
    "blank alt": '<img src="a.png" alt="  ">',
    "file name": '<img src="a.png" alt="a.png">',
    "path of the theme": '<img src="../_images/a.png" alt="../_images/a.png">',
    "drawing without a name": '<svg viewBox="0 0 1 1"><path/></svg>',
    "drawing with an empty title": "<svg><title> </title></svg>",
}
GOOD = {
    "alt": '<img src="a.png" alt="a rising line">',
    "decoration": '<img src="a.png" alt="" aria-hidden="true">',
    "drawing with a label": '<svg role="img" aria-label="a rising line"><path/></svg>',
    "drawing with a title": "<svg><title>A rising line</title></svg>",
    "drawing in a drawing": '<svg aria-label="a rising line"><svg><path/></svg></svg>',
    "mathematics": "<mjx-container><svg></svg></mjx-container>",
    "data": '<img src="data:image/png;base64,x" alt="a rising line">',
    "another host": '<img src="https://example.org/a.png" alt="a rising line">',
    "escaped name": '<img src="a%20b.png" alt="a rising line">',
}


def faults(html: str, folder: Path) -> list[str]:
    for name in ("a.png", "a b.png"):
        (folder / name).touch()
    (folder.parent / "_images").mkdir(exist_ok=True)
    (folder.parent / "_images/a.png").touch()
    soup = BeautifulSoup(f"<img><article>{html}</article>", "html.parser")  # outside of the article: the theme's
    return pictures.faults(soup, folder / "page.html")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@pytest.mark.parametrize("html", BAD.values(), ids=BAD)
def test_a_picture_without_a_text_is_named(folder, html):
    (fault,) = faults(html, folder)
    assert "without alt text" in fault
    assert "a.png" in fault or "<svg>" in fault


@pytest.mark.parametrize("html", GOOD.values(), ids=GOOD)
def test_a_good_picture_is_left_alone(folder, html):
    assert faults(html, folder) == []


@pytest.mark.parametrize("tag", ['<img src="no such.png" alt="a rising line">', '<video src="no such.mp4"></video>'])
def test_a_file_that_the_site_does_not_have_is_named(folder, tag):
    (fault,) = faults(tag, folder)
    assert "no such" in fault
    assert "not on the site" in fault
