"""How long the stub generator takes for 10,000 pages, as ratios to what can't be avoided; exit 1 when over a limit.

First run: against ``sphinx-etoc to-project``, which writes one line per page.
No-change run: against parsing the course map with sphinx-external-toc and reading every file once.
Each is the median of three runs of a fresh process, taken in turns so that a busy machine hits both alike.
The clock decides; processor time stands beside it, because it hardly moves when others use the machine.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PARTS, CHAPTERS, SECTIONS = 100, 10, 9  # 100 x 10 x (1 + 9) = 10,000 pages
REPEATS = 3
LIMITS = {"first run": 2.5, "no-change run": 2.0}
GENERATOR = Path(__file__).parents[1] / "scripts" / "generate_stubs.py"
READ_ONCE = """
import sys
from pathlib import Path
from sphinx_external_toc.parsing import parse_toc_yaml
root = Path(sys.argv[1])
pages = list(parse_toc_yaml(root / "_toc.yml"))
total = sum(len((root / f"{page}.ipynb").read_bytes()) for page in pages)
assert len(pages) == int(sys.argv[2]) and total
"""


def course_map() -> str:
    """A map of parts, chapters and sections, each with a title."""
    lines = ["format: jb-book", "root: intro", "parts:"]
    for part in range(PARTS):
        lines += [f"- caption: Part {part}", "  numbered: true", "  chapters:"]
        for chapter in range(CHAPTERS):
            name = f"part-{part}/chapter-{chapter}"
            lines += [f"  - file: {name}", f"    title: Chapter {chapter} of part {part}", "    sections:"]
            for section in range(SECTIONS):
                lines += [f"    - file: {name}-{section}", f"      title: Section {section} of {chapter} in {part}"]
    return "\n".join(lines) + "\n"


@dataclass
class Time:
    """Seconds on the clock, and on the processors."""

    wall: float
    cpu: float


def measure(*words: object) -> Time:
    """The time of a command that must succeed."""
    begun, used = time.perf_counter(), os.times()
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
    now = os.times()
    cpu = now.children_user - used.children_user + now.children_system - used.children_system
    return Time(time.perf_counter() - begun, cpu)


def medians(ours: Callable[[], Time], theirs: Callable[[], Time]) -> tuple[Time, Time]:
    """The median of each, measured in turns."""
    columns = zip(*[(ours(), theirs()) for _ in range(REPEATS)], strict=True)
    mine, base = (
        Time(statistics.median(t.wall for t in column), statistics.median(t.cpu for t in column)) for column in columns
    )
    return mine, base


def main() -> int:
    """Measure, print, compare with the limits."""
    pages = PARTS * CHAPTERS * (1 + SECTIONS) + 1
    with tempfile.TemporaryDirectory(prefix="bench-stubs-") as folder:
        book, plain = Path(folder, "book"), Path(folder, "plain")

        def fresh(root: Path) -> Path:
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir()
            (root / "_toc.yml").write_text(course_map(), encoding="utf-8")
            return root

        def first() -> Time:
            return measure(sys.executable, GENERATOR, "--root", fresh(book))

        def to_project() -> Time:
            root = fresh(plain)
            return measure(Path(sys.executable).with_name("sphinx-etoc"), "to-project", "-p", root, root / "_toc.yml")

        def again() -> Time:
            return measure(sys.executable, GENERATOR, "--root", book)

        def read_once() -> Time:
            return measure(sys.executable, "-c", READ_ONCE, book, pages)

        measured = {"first run": medians(first, to_project), "no-change run": medians(again, read_once)}
    over = 0
    print(f"stub generator, {pages} pages, medians of {REPEATS}")
    for name, (mine, base) in measured.items():
        ratio, by_cpu = mine.wall / base.wall, mine.cpu / base.cpu
        verdict = "ok" if ratio <= LIMITS[name] else "OVER THE LIMIT"
        print(f"  {name:14} {mine.wall:6.2f} s / {base.wall:6.2f} s = {ratio:.2f}  (limit {LIMITS[name]})  {verdict}")
        print(f"  {'':14} processor time alone: {mine.cpu:.2f} s / {base.cpu:.2f} s = {by_cpu:.2f}")
        over += ratio > LIMITS[name]
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
