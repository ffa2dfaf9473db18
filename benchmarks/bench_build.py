"""How long the build takes, against a bare ``jupyter-book build`` of the same notebooks; exit 1 when over a limit.

The book is generated: eight notebooks that each train a small network on one thread.

- cold: two kernels at a time, against the serial bare build with its own empty cache.
- no change: against a bare build without a change; medians, taken in turns so that a busy machine hits both alike.
- one edit: after an edit of one chapter's code, against that chapter's run time plus the no-change build plus 2 s.

A bare build does not check claims, budgets or pictures, knows neither seed nor helper package, and leaves the theme's
HTML as it is.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
CHAPTERS, WORKERS, REPEATS = 8, 2, 3
TRAINING = 4.5  # seconds on one thread on this machine, beside 2 to 3 for the kernel and the import of torch
LIMITS = {"cold": 0.65, "no change": 1.0, "one edit": 1.0}
EXTRA = 2  # seconds that one edit may cost beside the chapter's run and the build without a change
TRAIN = """
import torch
from torch import nn
torch.set_num_threads(1)
torch.manual_seed({seed})
x = torch.randn(2048, 256)
y = (x[:, :10].sum(dim=1) > 0).long()
model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range({steps}):
    rows = torch.randint(len(x), (256,))
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
REPORT = "print('accuracy', (model(x).argmax(dim=1) == y).double().mean().item())"


def calibrated_steps() -> int:
    """Steps of training that take ``TRAINING`` seconds here."""
    probe = "import time\n" + TRAIN.format(seed=0, steps=50) + "\nbegun = time.perf_counter()\n"
    probe += TRAIN.format(seed=0, steps=400) + "\nprint(time.perf_counter() - begun)"
    told = subprocess.run([sys.executable, "-c", probe], env=environment(), check=True, capture_output=True, text=True)
    return int(400 * TRAINING / float(told.stdout))


def environment() -> dict[str, str]:
    """One thread for numerics, in both arms."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MMBOOK_")}
    return {**kept, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUTF8": "1"}


def cell(kind: str, name: str, text: str) -> dict[str, Any]:
    """One cell of a notebook."""
    made: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": text}
    return {**made, "execution_count": None, "outputs": []} if kind == "code" else made


def write_chapter(root: Path, number: int, steps: int, extra: str = "") -> None:
    """One chapter: a title, a training run, a result."""
    cells = [
        cell("markdown", "title", f"# Chapter {number}\n\nTrains a small network."),
        cell("code", "train", TRAIN.format(seed=number, steps=steps) + extra),
        cell("code", "report", REPORT),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "mmbook": {"budget": 600}}
    page = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (root / f"book/chapter-{number}.ipynb").write_text(json.dumps(page, indent=1), encoding="utf-8")


def write_book(root: Path, steps: int, bare: bool) -> None:
    """The generated book, with the settings of the real one as far as they need no other file."""
    settings = yaml.safe_load((REPOSITORY / "_config.yml").read_text(encoding="utf-8"))
    for name in ("logo", "bibtex_bibfiles"):
        settings.pop(name, None)
    settings.get("html", {}).pop("favicon", None)
    config = settings["sphinx"]["config"]
    config["extensions"] = [name for name in config["extensions"] if "bibtex" not in name]
    for name in ("html_static_path", "html_css_files", "bibtex_reference_style"):
        config.pop(name, None)
    if bare:
        settings["execute"] = {"execute_notebooks": "cache", "timeout": 300}
        config["extensions"].remove("booksite")
        del settings["sphinx"]["local_extensions"]
    else:
        settings["sphinx"]["local_extensions"] = {"booksite": str(REPOSITORY / "book/_ext")}
    (root / "book").mkdir(parents=True)
    (root / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (root / "book/intro.md").write_text("# Intro\n\nA generated book.\n", encoding="utf-8")
    entries = "".join(f"      - file: book/chapter-{n}\n" for n in range(CHAPTERS))
    toc = f"format: jb-book\nroot: book/intro\nparts:\n  - caption: All\n    chapters:\n{entries}"
    (root / "_toc.yml").write_text(toc, encoding="utf-8")
    for number in range(CHAPTERS):
        write_chapter(root, number, steps)


def seconds(root: Path, *words: object) -> float:
    """The wall time of a command that must succeed."""
    begun = time.perf_counter()
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=root, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return time.perf_counter() - begun


def ours(root: Path) -> float:
    """One run of the build."""
    return seconds(root, sys.executable, REPOSITORY / "scripts/build_book.py", "--root", root, "--workers", WORKERS)


def plain(root: Path) -> float:
    """One run of Jupyter Book alone."""
    return seconds(root, Path(sys.executable).with_name("jupyter-book"), "build", root)


def measure(folder: Path) -> dict[str, tuple[float, float]]:
    """Name -> (our seconds, what they are compared with)."""
    mine, base = folder / "ours", folder / "plain"
    steps = calibrated_steps()
    write_book(mine, steps, bare=False)
    write_book(base, steps, bare=True)
    cold = ours(mine), plain(base)
    times = json.loads((mine / "_build/times.json").read_text(encoding="utf-8"))
    each = [row["seconds"] for row in times.values()]
    last = (base / f"_build/html/book/chapter-{CHAPTERS - 1}.html").read_text(encoding="utf-8")
    if len(each) != CHAPTERS or "accuracy" not in last:
        sys.exit("the two arms did not run the same notebooks")
    print(f"  a chapter takes {min(each):.1f} to {max(each):.1f} s with {WORKERS} kernels at a time")
    pairs = [(ours(mine), plain(base)) for _ in range(REPEATS)]
    again, plain_again = (statistics.median(column) for column in zip(*pairs, strict=True))
    edits, runs = [], []
    for number in range(REPEATS):
        write_chapter(mine, number, steps, extra="\n# edited")
        edits.append(ours(mine))
        rows = json.loads((mine / "_build/times.json").read_text(encoding="utf-8"))
        runs.append(rows[f"chapter-{number}"]["seconds"])
    return {
        "cold": cold,
        "no change": (again, plain_again),
        "one edit": (statistics.median(edits), statistics.median(runs) + again + EXTRA),
    }


def main() -> int:
    """Measure, print, compare with the limits."""
    print(f"build, {CHAPTERS} training notebooks, {WORKERS} kernels, {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-build-") as folder:
        measured = measure(Path(folder))
    over = 0
    for name, (mine, base) in measured.items():
        verdict = "ok" if mine / base <= LIMITS[name] else "OVER THE LIMIT"
        print(f"  {name:10} {mine:6.1f} s / {base:6.1f} s = {mine / base:.2f}  (limit {LIMITS[name]})  {verdict}")
        over += mine / base > LIMITS[name]
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
