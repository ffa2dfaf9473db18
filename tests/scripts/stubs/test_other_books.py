"""The generator on other people's books: trees like those of three public ones, made here. What is there stays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[3]

# Parts with sections in sections, notebooks of an older format, as in Project Pythia's Foundations.
PARTS = """
format: jb-book
root: landing-page
parts:
  - caption: Preamble
    chapters:
      - file: preamble/how-to-use
  - caption: Core packages
    chapters:
      - file: core/numpy
        sections:
          - file: core/numpy/numpy-basics
          - file: core/numpy/intermediate-numpy
      - file: core/new-topic
      - url: https://example.org/gallery
        title: Gallery
"""
# An article with numbered sections, capitals and underscores in names, titles in the map, as in Data 8's textbook.
ARTICLE = """
format: jb-article
root: chapters/intro
title: Introduction
options:
  numbered: true
sections:
- file: chapters/01/what-is-data-science
  title: What is Data Science?
  sections:
  - file: chapters/01/3/1/Literary_Characters
    title: Literary Characters
- file: chapters/03/4/Introduction_to_Tables
  title: 'Example: Growth Rates'
- file: chapters/18/More_Likely
  title: A "More Likely Than Not" Classifier
"""
# Chapters without parts, files named with their ending, globs, a title with a colon, as in many course sites.
CHAPTERS = """
format: jb-book
root: README
defaults:
  titlesonly: true
chapters:
- file: syllabus.md
- file: week1/README.md
  sections:
  - glob: week1/lab*
- file: week2/lecture
  title: "Week 2: models"
"""
OLD = {"cells": [{"cell_type": "markdown", "metadata": {}, "source": ["# An old page\n"]}], "metadata": {}}
OLD_NOTEBOOK = json.dumps({**OLD, "nbformat": 4, "nbformat_minor": 2}, indent=2)
MARKDOWN = "# A page\r\n\r\nWords.\r\n"
TREES = {
    "parts": (
        PARTS,
        {"landing-page.md", "preamble/how-to-use.ipynb", "core/numpy.md", "core/numpy/numpy-basics.ipynb"},
        {"core/numpy/intermediate-numpy.ipynb", "core/new-topic.ipynb"},
    ),
    "article": (
        ARTICLE,
        {"chapters/intro.md", "chapters/01/what-is-data-science.md", "chapters/01/3/1/Literary_Characters.ipynb"},
        {"chapters/03/4/Introduction_to_Tables.ipynb", "chapters/18/More_Likely.ipynb"},
    ),
    "chapters": (
        CHAPTERS,
        {"README.md", "syllabus.md", "week1/README.md", "week1/lab1.ipynb", "week1/lab2.ipynb", "week1/data.csv"},
        {"week2/lecture.ipynb"},
    ),
}
SETTINGS = """
title: Somebody's book
execute: {execute_notebooks: cache, timeout: 100}
repository: {url: https://github.com/somebody/book, path_to_book: docs, branch: gh}
html: {use_issues_button: true}
launch_buttons: {colab_url: https://colab.research.google.com, binderhub_url: https://mybinder.org}
sphinx: {extra_extensions: [sphinx_proof]}
"""


@pytest.mark.parametrize("name", TREES)
def test_the_generator_makes_what_is_missing_and_touches_nothing_else(book, name):
    toc, there, missing = TREES[name]
    book.toc(toc)
    book.write("_config.yml", SETTINGS)
    for path in there:
        book.write(path, OLD_NOTEBOOK if path.endswith(".ipynb") else MARKDOWN)
    before = book.snapshot()
    plan = book.plan()
    assert set(plan["create"]) == missing
    assert plan["refresh"] == plan["problems"] == plan["rename"] == []
    command = [sys.executable, str(ROOT / "scripts/generate_stubs.py"), "--root", str(book.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=book.root.parent)
    assert (done.returncode, done.stderr) == (0, "")
    after = book.snapshot()
    assert {path: data for path, data in after.items() if path in before} == before
    assert {path for path, data in after.items() if data is not None} - set(before) == missing
    for path in missing:
        nbformat.validate(book.read(path), relax_add_props=False)
        assert f"github/somebody/book/blob/gh/docs/{path}" in book.text(path)
    again = book.snapshot()
    assert book.run().code == 0
    assert book.snapshot() == again
