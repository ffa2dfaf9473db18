"""The pages of the course map, read and checked before anything runs."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from bookkit.build import collect
from bookkit.build.executed import Run
from bookkit.build.keys import Helpers, code_sources, kernel_name, page_key
from bookkit.course.config import Config, read_config
from bookkit.course.managed import KEY
from bookkit.course.notebook import Notebook, read_text
from bookkit.course.toc import read_toc
from bookkit.course.tree import Tree
from bookkit.course.yaml_text import located
from bookkit.errors import BookError

BUDGET = 120  # processor seconds, unless the page's own metadata says otherwise
KERNEL = "python3"
CODE_CELL = re.compile(r"^[ \t]*(?:`{3,}|~{3,}|:{3,})\{code-cell\}", re.MULTILINE)

EXAMPLE = re.compile(r"^(`{4,})(?!\{).*?^\1`*[ \t]*$", re.MULTILINE | re.DOTALL)  # a fence around a fence


@dataclass
class Chapter:
    """One notebook of the book on its way through the build."""

    docname: str
    data: dict[str, Any]
    key: str
    reached: set[str] = field(default_factory=set)  # modules of the helper package
    run: Run | None = None  # of the valid result
    executed: dict[str, Any] | None = None  # the notebook of that result
    fresh: bool = False
    failure: str | None = None

    @property
    def name(self) -> str:
        """The chapter in reports: the page without the book's folder."""
        return collect.chapter(self.docname)

    @property
    def marks(self) -> dict[str, Any]:
        found = self.data.get("metadata", {}).get(KEY)
        return found if isinstance(found, dict) else {}

    @property
    def budget(self) -> float:
        """Processor seconds the page may take."""
        return self.marks.get("budget", BUDGET)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to run: managed cells do nothing in a build, nor do comments."""
        lines = (line.strip() for text in code_sources(self.data) for line in text.splitlines())
        return all(not line or line.startswith("#") for line in lines)


@dataclass
class Book:
    """The pages of the TOC, read."""

    root: Path
    config: Config
    seed: str
    docnames: list[str] = field(default_factory=list)
    chapters: list[Chapter] = field(default_factory=list)


def read_book(root: Path, seed: str) -> Book:
    """Read every page that the TOC lists.

    Raises:
        BookError: a fault in the TOC or a page; a page without a file.
    """
    config = read_config(root)
    helpers, tree = Helpers(root), Tree(root)
    book = Book(root, config, seed)
    collect.cards(root, {})  # a faulty one is said before anything runs
    for page in read_toc(root, config.excluded):
        files = tree.files(page.docname)
        if not files:
            raise BookError(
                root / "_toc.yml",
                located(
                    root / "_toc.yml", f"{page.docname} has no file; run scripts/generate_stubs.py @ '{page.where}'"
                ),
            )
        book.docnames.append(page.docname)
        path = Path(files[0].path)
        if path.suffix == ".ipynb":
            data = _checked(path)
            reached = helpers.reached(code_sources(data))
            book.chapters.append(Chapter(page.docname, data, page_key(data, helpers, seed), reached))
        elif path.suffix == ".md" and CODE_CELL.search(EXAMPLE.sub("", read_text(path))):
            raise BookError(path, "holds code cells, which would never run; make it a notebook")
    return book


def _checked(path: Path) -> dict[str, Any]:
    """The data of a notebook that nbformat accepts and that has a sensible budget."""
    data = Notebook.read(path).data
    for index, cell in enumerate(data["cells"]):
        if (data.get("nbformat_minor") or 0) >= 5 and not cell.get("id"):
            raise BookError(path, f"cell {index + 1} has no id; open the notebook in Jupyter and save it")
        if "attachments" in cell and cell["attachments"]:
            what = "holds a pasted picture, which does not reach the site; save it as a file and link to that"
            raise BookError(path, f"cell {index + 1} {what}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fault = next(iter(nbformat.validator.iter_validate(data)), None)
    if fault is not None:
        place = list(fault.absolute_path)
        where = f"cell {place[1] + 1}" if place[:1] == ["cells"] and len(place) > 1 else "/".join(map(str, place))
        raise BookError(path, f"{where or 'the notebook'}: {fault.message[:200]}; open it in Jupyter and save it")
    marks = data.get("metadata", {}).get(KEY)
    budget = marks.get("budget", BUDGET) if isinstance(marks, dict) else BUDGET
    if isinstance(budget, bool) or not isinstance(budget, int | float) or budget <= 0:
        raise BookError(path, f"metadata mmbook.budget {budget!r} is not a number of seconds above 0")
    if kernel_name(data) not in (None, KERNEL):
        what = f"asks for the kernel {kernel_name(data)!r} of your own environment; set metadata.kernelspec.name to"
        raise BookError(path, f"{what} {KERNEL}")
    return data


def choose(book: Book, only: list[str] | None) -> list[Chapter]:
    """The chapters that ``--only`` names; all without it.

    Raises:
        BookError: a name that is no notebook of the TOC.
    """
    if not only:
        return book.chapters
    by_name = {c.docname: c for c in book.chapters}
    chosen = []
    for name in only:
        plain = name.removesuffix(".ipynb")
        found = by_name.get(plain) or by_name.get(f"book/{plain}")
        if found is None:
            raise BookError("--only", f"{name!r} is no notebook of the TOC; there are {', '.join(by_name)}")
        chosen.append(found)
    return list({chapter.docname: chapter for chapter in chosen}.values())
