"""The two-minute example of CONTRIBUTING.md, its commands read from the file and run as they stand, and the example."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]


def clone(folder: Path) -> Path:
    """The repository as it is now, edits included, with this environment instead of one to be installed."""
    made = shutil.ignore_patterns(".*", "_build", "__pycache__", "node_modules")
    shutil.copytree(ROOT, folder, ignore=made)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return folder


def test_the_example_of_contributing_leads_to_a_page_with_a_claim_that_holds(tmp_path):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Two minutes")[1].split("\n## ")[0]
    commands = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(commands) == 3
    folder = clone(tmp_path / "course")
    for block in commands:
        # A clone with another date would install again; the environment is there.
        block = block.replace("make stubs", "make -o .venv/ready stubs")
        done = subprocess.run(["bash", "-ec", block], cwd=folder, capture_output=True, text=True, check=False)
        if "build_book" not in block:
            assert done.returncode == 0, done.stderr
    assert done.returncode == 1
    assert "not executed yet, so without outputs on the site" in done.stderr
    assert "FAILED" not in done.stderr
    assert "WARNING" not in done.stderr
    (claim,) = json.loads((folder / "_build/claims.json").read_text(encoding="utf-8"))
    assert claim["chapter"] == "trying-out/coin"
    assert claim["holds"]
    page = (folder / "_build/html/book/trying-out/coin.html").read_text(encoding="utf-8")
    assert "A coin that knows is right at least 30 points more often" in page
    assert "not run" not in page


def test_the_smallest_book_is_generated_and_built(tmp_path):
    """examples/smallest, elsewhere: only the path of the extension is another one."""
    book = tmp_path / "book"
    shutil.copytree(ROOT / "examples/smallest", book)
    settings = book / "_config.yml"
    settings.write_text(settings.read_text().replace("../../book/_ext", str(ROOT / "book/_ext")))
    run = [sys.executable, str(ROOT / "scripts/generate_stubs.py"), "--root", str(book)]
    assert subprocess.run(run, check=False).returncode == 0
    page = book / "lessons/first.ipynb"
    notebook = nbformat.read(page, as_version=4)
    claim = 'from mmbook.claims import claim_exact\nclaim_exact("Two halves are a whole", 0.5 + 0.5, 1.0);'
    notebook.cells.append(nbformat.v4.new_code_cell(claim))
    nbformat.write(notebook, page)
    build = [sys.executable, str(ROOT / "scripts/build_book.py"), "--root", str(book)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 claims hold" in done.stdout
    assert "Two halves are a whole" in (book / "_build/html/lessons/first.html").read_text(encoding="utf-8")
    assert (book / "_build/colab/lessons/first.ipynb").is_file()
