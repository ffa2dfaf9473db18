"""The list of chapters in README.md, each with the finding of its card, as the last build measured it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from bookkit.course.config import read_config
from bookkit.errors import BookError

BEGIN, END = "<!-- chapters: written by `make readme` -->", "<!-- end of chapters -->"
BLOCK = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
NUMBER = re.compile(r"−?\d+(?:\.\d+)?")


def site_address(root: Path) -> str:
    """The address of the site on GitHub Pages, with a slash at its end."""
    owner, name = read_config(root).repository.url.rstrip("/").split("/")[-2:]
    return f"https://{owner.lower()}.github.io/{name}/"


def chapter_list(root: Path, build: Path) -> str:
    """The chapters under their parts, as Markdown between the two marks; `build` is the folder of the records.

    Raises:
        BookError: the book is not built, or a chapter has no finding.
    """
    record = build / "chapters.json"
    try:
        cards: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BookError(record, "there is no record of a build; run `make book` first") from None
    base = site_address(root)
    lines = [BEGIN]
    for part in yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))["parts"]:
        entries = [entry for entry in part["chapters"] if not entry["file"].startswith("book/reference/")]
        if entries:
            lines += ["", f"**{part['caption']}**", ""]
        for entry in entries:
            finding = cards.get(entry["file"].removeprefix("book/"), {}).get("finding")
            if not finding:
                raise BookError(entry["file"], "has no finding yet; run `make book` until it succeeds")
            lines.append(f"- [{entry['title']}]({base}{entry['file']}.html). {finding}")
    return "\n".join([*lines, "", END])


def update(root: Path) -> bool:
    """Put the list into README.md; returns whether that changed it.

    Raises:
        BookError: README.md lacks the marks, or the book is not built.
    """
    path = root / "README.md"
    text = path.read_text(encoding="utf-8")
    if not BLOCK.search(text):
        raise BookError(path, f"lacks the lines {BEGIN} and {END}, between which the chapters are listed")
    made = chapter_list(root, root / "_build")
    new = BLOCK.sub(lambda _: made, text)
    if new != text:
        path.write_text(new, encoding="utf-8")
    return new != text


def differences(old: str, new: str) -> list[str]:
    """Lines of two lists that differ in words, or in a number by more than a quarter and more than five units.

    Another machine rounds elsewhere, so trainings end elsewhere; the claims say how far a finding may move.
    """
    faults = []
    before, after = old.splitlines(), new.splitlines()
    for one, other in zip(before, after, strict=False):
        numbers = [[float(x.replace("−", "-")) for x in NUMBER.findall(line)] for line in (one, other)]
        same = NUMBER.sub("#", one) == NUMBER.sub("#", other) and all(
            abs(a - b) <= max(5.0, 0.25 * abs(a)) for a, b in zip(*numbers, strict=True)
        )
        faults += [] if same else [f"README has: {one}\nthe build: {other}"]
    return faults + ([] if len(before) == len(after) else ["the lists have different lengths"])
