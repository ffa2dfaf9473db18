"""Authors edit map and notebooks in any order, the generator runs in between: no work is ever lost, and it settles."""

from __future__ import annotations

import copy
import functools
import json
import re
from typing import Any

import nbformat
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

NAMES = ["a", "b", "c", "d", "x/a", "x/b", "y/a", "y/b"]
TITLES = [None, "Alpha", "Beta", "Gamma", "*Delta* one"]
NOISE = {"colab", "executionInfo", "outputId"}
FLAGS = ["--rename", "--retitle", "--prune"]
names, titles, numbers = st.sampled_from(NAMES), st.sampled_from(TITLES), st.integers(0, 99)


def humanised(name: str) -> str:
    return name.split("/")[-1].capitalize()


def bare(title: str) -> str:
    return title.replace("\\", "").replace("*", "")


def escaped(title: str) -> str:
    """A title of these books as Markdown."""
    return title.replace("*", "\\*")


SLOT = re.compile(r"(badge|setup)-[0-9a-f]{8}x*")
KINDS = {"badge": "markdown", "setup": "code"}


def slot(cell: dict[str, Any]) -> str | None:
    """The slot of a managed cell: its id is the slot's own, and no author typed into it."""
    found = SLOT.fullmatch(cell["id"])
    typed = "word" in "".join(cell["source"])
    return found[1] if found and not typed and cell["cell_type"] == KINDS[found[1]] else None


def held(data: dict[str, Any]) -> set[str]:
    """Slots whose marked cell an author typed into: it is theirs."""
    cells = [c for c in data["cells"] if "mmbook" in c["metadata"] and not slot(c)]
    return {c["metadata"]["mmbook"]["managed"] for c in cells if SLOT.fullmatch(c["id"])}


def own(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The author's cells, sources joined: what must never be lost."""
    return [{**c, "source": "".join(c["source"])} for c in data["cells"] if not slot(c)]


def written(cells: list[dict[str, Any]], tags: bool = True) -> list[tuple[Any, ...]]:
    """What of these cells an author can have written."""
    return [(c["cell_type"], c["source"], c.get("outputs"), tags and c["metadata"]) for c in cells]


def quiet(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells without what editors put into their metadata."""
    return [{**c, "metadata": {k: v for k, v in c["metadata"].items() if k not in NOISE}} for c in cells]


def managed(data: dict[str, Any]) -> dict[str, str]:
    return {name: "".join(c["source"]) for c in data["cells"] if (name := slot(c))}


def heading(data: dict[str, Any]) -> tuple[int, str] | None:
    """Which of its own cells holds the H1, and what that shows. In these books an H1 is a cell's first line."""
    for index, cell in enumerate(own(data)):
        if cell["cell_type"] == "markdown" and cell["source"].startswith("# "):
            return index, cell["source"].split("\n")[0][2:].replace("\\", "")
    return None


class Authors(RuleBasedStateMachine):
    """The model: the map, and for each stub the cells that the generator gave it."""

    def __init__(self, new_book) -> None:
        super().__init__()
        self.book = new_book()
        self.owner = "first"
        self.map: list[tuple[str, str | None]] = []
        self.made: dict[str, list[dict[str, Any]]] = {}  # path -> own cells as generated
        self.count = 0

    # --- the map ---

    def write_map(self) -> None:
        self.book.config(f"https://github.com/{self.owner}/book")
        self.book.pages(**{name.replace("/", "__"): title for name, title in self.map})

    @initialize(pages=st.dictionaries(names, titles, max_size=4))
    def begin(self, pages) -> None:
        self.map = list(pages.items())
        self.write_map()

    @rule(name=names, title=titles, at=numbers)
    def add_entry(self, name, title, at) -> None:
        if name not in dict(self.map):
            self.map.insert(at % (len(self.map) + 1), (name, title))
            self.write_map()

    @precondition(lambda self: self.map)
    @rule(at=numbers)
    def remove_entry(self, at) -> None:
        self.map.pop(at % len(self.map))
        self.write_map()

    @precondition(lambda self: self.map)
    @rule(at=numbers, name=names)
    def rename_entry(self, at, name) -> None:
        if name not in dict(self.map):
            self.map[at % len(self.map)] = (name, self.map[at % len(self.map)][1])
            self.write_map()

    @precondition(lambda self: self.map)
    @rule(at=numbers, title=titles)
    def retitle_entry(self, at, title) -> None:
        self.map[at % len(self.map)] = (self.map[at % len(self.map)][0], title)
        self.write_map()

    @precondition(lambda self: self.map)
    @rule(at=numbers, to=numbers)
    def move_entry(self, at, to) -> None:
        self.map.insert(to % len(self.map), self.map.pop(at % len(self.map)))
        self.write_map()

    @rule()
    def change_address(self) -> None:
        self.owner = {"first": "other", "other": "first"}[self.owner]
        self.write_map()

    # --- the authors ---

    def pick(self, at: int) -> str | None:
        found = sorted(self.book.notebooks())
        return found[at % len(found)] if found else None

    def edit(self, at: int, change) -> None:
        path = self.pick(at)
        if path:
            self.book.edit(path, change)

    def word(self) -> str:
        self.count += 1
        return f"word {self.count}"

    @rule(at=numbers, which=numbers)
    def change_a_cell(self, at, which) -> None:
        def change(data) -> None:
            cells = [c for c in data["cells"] if "mmbook" not in c["metadata"]]
            if cells:
                cell = cells[which % len(cells)]
                cell["source"] = "".join(cell["source"]) + "\n" + self.word()

        self.edit(at, change)

    @rule(at=numbers, which=numbers, kind=st.sampled_from(["markdown", "raw", "code"]))
    def add_a_cell(self, at, which, kind) -> None:
        def change(data) -> None:
            text = self.word()
            cell = {"cell_type": kind, "id": f"w{self.count}", "metadata": {"tags": [text]}, "source": text}
            if kind == "code":
                output = {"output_type": "stream", "name": "stdout", "text": [text + "\n", text]}
                cell |= {"execution_count": self.count, "outputs": [output]}
            data["cells"].insert(which % (len(data["cells"]) + 1), cell)

        self.edit(at, change)

    @rule(at=numbers, which=numbers)
    def delete_a_cell(self, at, which) -> None:
        self.edit(at, lambda data: data["cells"] and data["cells"].pop(which % len(data["cells"])))

    @rule(at=numbers)
    def delete_the_managed_cells(self, at) -> None:
        self.edit(at, lambda d: d.update(cells=[c for c in d["cells"] if "mmbook" not in c["metadata"]]))

    @rule(at=numbers, which=numbers, to=numbers, mine=st.booleans())
    def copy_a_managed_cell(self, at, which, to, mine) -> None:
        """As Jupyter does: the copy has a new id and keeps the mark; then its author may type into it."""

        def change(data) -> None:
            found = [c for c in data["cells"] if "mmbook" in c["metadata"]]
            if found:
                made = copy.deepcopy(found[which % len(found)])
                text = self.word()
                made |= {"id": f"w{self.count}", "source": text if mine else "".join(made["source"])}
                data["cells"].insert(to % (len(data["cells"]) + 1), made)

        self.edit(at, change)

    @rule(at=numbers, which=numbers)
    def type_into_a_managed_cell(self, at, which) -> None:
        def change(data) -> None:
            found = [c for c in data["cells"] if slot(c) and "mmbook" in c["metadata"]]
            if found:
                found[which % len(found)]["source"] = "".join(found[which % len(found)]["source"]) + "\n" + self.word()

        self.edit(at, change)

    @rule(at=numbers)
    def strip_the_metadata_of_cells(self, at) -> None:
        """As nb-clean and the like do before each commit."""

        def change(data) -> None:
            for cell in data["cells"]:
                cell["metadata"] = {}

        self.edit(at, change)

    @rule(at=numbers)
    def save_in_colab(self, at) -> None:
        def change(data) -> None:
            for number, cell in enumerate(data["cells"]):
                cell["metadata"] |= {"colab": {"base_uri": "x"}, "executionInfo": {"n": number}, "outputId": "o"}

        self.edit(at, change)

    @rule(at=numbers, one=numbers, two=numbers)
    def move_a_cell(self, at, one, two) -> None:
        def change(data) -> None:
            if data["cells"]:
                data["cells"].insert(two % len(data["cells"]), data["cells"].pop(one % len(data["cells"])))

        self.edit(at, change)

    @rule(at=numbers, title=st.sampled_from(["Alpha", "Beta", "Own title"]))
    def write_a_heading(self, at, title) -> None:
        def change(data) -> None:
            found = [
                c for c in data["cells"] if "".join(c["source"]).startswith("# ") and "mmbook" not in c["metadata"]
            ]
            if found and found[0]["cell_type"] == "markdown":
                found[0]["source"] = "\n".join([f"# {title}", *"".join(found[0]["source"]).split("\n")[1:]])

        self.edit(at, change)

    @rule(at=numbers)
    def run_the_notebook(self, at) -> None:
        def change(data) -> None:
            for cell in data["cells"]:
                if cell["cell_type"] == "code":
                    cell["execution_count"] = 1
                    cell["outputs"] = [{"output_type": "stream", "name": "stderr", "text": self.word()}]

        self.edit(at, change)

    @rule(at=numbers)
    def change_notebook_metadata(self, at) -> None:
        self.edit(at, lambda data: data["metadata"].update(note=self.word()))

    @rule(at=numbers)
    def save_in_jupyter(self, at) -> None:
        path = self.pick(at)
        if path:
            nbformat.write(nbformat.read(self.book.root / path, 4), self.book.root / path)

    @rule(
        at=numbers, style=st.sampled_from([{"indent": 4}, {"indent": None}, {"indent": "\t"}, {"ensure_ascii": True}])
    )
    def save_in_another_editor(self, at, style) -> None:
        path = self.pick(at)
        if path:
            self.book.edit(path, lambda data: None, **style)

    @rule(name=names, title=st.sampled_from(["Alpha", "Beta", "Own title"]))
    def bring_a_notebook(self, name, title) -> None:
        if f"{name}.ipynb" not in self.book.notebooks():
            cell = {"cell_type": "markdown", "id": "b", "metadata": {}, "source": [f"# {title}\n", self.word()]}
            data = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            self.book.write(f"{name}.ipynb", json.dumps(data))
            self.made.pop(f"{name}.ipynb", None)

    @rule(at=numbers, name=names)
    def copy_a_notebook(self, at, name) -> None:
        path = self.pick(at)
        if path and f"{name}.ipynb" not in self.book.notebooks():
            self.book.write(f"{name}.ipynb", self.book.text(path))
            self.made.pop(f"{name}.ipynb", None)
            if path in self.made:
                self.made[f"{name}.ipynb"] = self.made[path]

    @rule(at=numbers)
    def delete_a_notebook(self, at) -> None:
        path = self.pick(at)
        if path:
            (self.book.root / path).unlink()
            self.made.pop(path, None)

    # --- the generator ---

    def touched(self, path: str, data: dict[str, Any]) -> bool:
        if path not in self.made:
            return True
        mine, made = quiet(own(data)), quiet(self.made[path])
        stripped = not any(c["metadata"] for c in mine)
        return bool(held(data)) or written(mine, not stripped) != written(made, not stripped)

    def state(self) -> dict[str, dict[str, Any]]:
        return {path: self.book.read(path) for path in self.book.notebooks()}

    def answers_to(self, path: str, data: dict[str, Any]) -> set[str]:
        """The titles by which a page that moved may be known."""
        mark = data["metadata"].get("mmbook", {})
        found = heading(data)
        return {bare(t) for t in (mark.get("title"), found[1] if found else None) if t}

    @rule(flags=st.sets(st.sampled_from(FLAGS)))
    def run_with_any_flags(self, flags) -> None:
        self.generate(flags)

    @rule()
    def run_and_settle(self) -> None:
        """With --rename and --retitle one run settles everything but the orphans."""
        self.generate({"--rename", "--retitle"})
        before = self.book.snapshot()
        plan = self.book.run("--json").plan
        problems = plan.pop("problems")
        assert all("managed cell" in problem["what"] for problem in problems)
        listed = {"intro.ipynb", *(f"{name}.ipynb" for name, _ in self.map)}
        assert sorted(plan["orphans"]) == sorted(self.book.notebooks() - listed)
        assert {**plan, "orphans": []} == {
            "create": [],
            "refresh": [],
            "rename": [],
            "retitle": [],
            "orphans": [],
        }
        assert self.book.snapshot() == before
        assert listed <= self.book.notebooks()
        assert self.book.run("--check").code == bool(plan["orphans"] or problems)

    def generate(self, flags: set[str]) -> None:
        pages = {"intro.ipynb": ("intro", None), **{f"{n}.ipynb": (n, t) for n, t in self.map}}
        before, bytes_before = self.state(), self.book.snapshot()
        first = self.book.plan()
        result = self.book.run("--json", *sorted(flags))
        assert (result.code, result.err) == (0, "")
        plan, after, bytes_after = result.plan, self.state(), self.book.snapshot()
        moves = dict(plan["rename"]) if "--rename" in flags else {}
        waiting = {} if moves or "--rename" in flags else dict(plan["rename"])
        self.check_renames(plan["rename"], before, pages)
        self.check_completeness(first["rename"], before, pages)
        made = {}
        for path, data in before.items():
            new = moves.get(path, path)
            wanted = self.expected(data, pages.get(new), flags)
            if self.touched(path, data) and wanted != self.made.get(path):  # else it got its stub's heading back
                assert new in after, f"{path} is lost"
                assert own(after[new]) == wanted
                assert {k: v for k, v in after[new].items() if k != "cells"} == {
                    k: v for k, v in data.items() if k != "cells"
                }
                if path in self.made:
                    made[new] = self.made[path]
            elif new in pages:
                made[new] = own(after[new])
                assert heading(after[new]) == (0, self.title(pages[new]))
            elif "--prune" in flags and path not in waiting:
                assert new not in after
                continue
            else:
                made[path] = self.made[path]
            if new not in pages:
                assert bytes_after[path] == bytes_before[path]
        kept = {moves.get(path, path) for path in before}
        for path in after.keys() - kept:
            assert path in pages
            assert path in plan["create"]
            assert heading(after[path]) == (0, self.title(pages[path]))
            made[path] = own(after[path])
        assert pages.keys() - after.keys() == set(waiting.values())
        for path in pages.keys() & after.keys():
            self.check_managed(path, after[path])
            nbformat.validate(copy.deepcopy(after[path]), relax_add_props=False)
        assert {k: v for k, v in bytes_after.items() if v and not k.endswith(".ipynb")} == {
            k: v for k, v in bytes_before.items() if v and not k.endswith(".ipynb")
        }
        self.made = made

    def title(self, page: tuple[str, str | None]) -> str:
        return page[1] or humanised(page[0])

    def expected(self, data, page, flags) -> list[dict[str, Any]]:
        """The author's cells after a run: the same, but for an H1 under --retitle."""
        cells, found = own(data), heading(data)
        if page and page[1] and found and "--retitle" in flags and bare(found[1]) != bare(page[1]):
            old = cells[found[0]]["source"]
            cells[found[0]]["source"] = re.sub(r"\A# [^\n]*", lambda _: f"# {escaped(page[1])}", old)
        return cells

    def check_managed(self, path: str, data: dict[str, Any]) -> None:
        """Pages that the generator made have both managed cells; nobody else gets them."""
        found, theirs = managed(data), held(data)
        if "mmbook" in data["metadata"] or found or theirs:
            assert found.keys() | theirs == {"badge", "setup"}
            assert "badge" not in found or f"github/{self.owner}/book/blob/main/{path})" in found["badge"]
            assert "setup" not in found or f"git+https://github.com/{self.owner}/book@main" in found["setup"]

    def check_renames(self, renames, before, pages) -> None:
        """Each is of a page that left to one that came, of one title; none shares an end with another."""
        for old, new in renames:
            assert old in before
            assert old not in pages
            assert new in pages
            assert new not in before
            assert bare(self.title(pages[new])) in self.answers_to(old, before[old])
        assert len({old for old, _ in renames}) == len({new for _, new in renames}) == len(renames)

    def check_completeness(self, renames, before, pages) -> None:
        """Where one page that left and one that came have only each other, they are found."""
        missing = {path: bare(self.title(page)) for path, page in pages.items() if path not in before}
        gone = {path: self.answers_to(path, data) for path, data in before.items() if path not in pages}
        for new, title in missing.items():
            olds = [old for old, known in gone.items() if title in known]
            rivals = [n for n, t in missing.items() if n != new and any(t in gone[old] for old in olds)]
            if len(olds) == 1 and not rivals and list(missing.values()).count(title) == 1:
                assert [olds[0], new] in renames

    @invariant()
    def there_is_no_litter(self) -> None:
        assert not [name for name in self.book.snapshot() if name.endswith(".mmbook-part")]


@pytest.mark.parametrize("examples", [30])
def test_no_work_is_lost_and_every_sequence_settles(new_book, examples):
    run_state_machine_as_test(
        functools.partial(Authors, new_book), settings=settings(max_examples=examples, stateful_step_count=25)
    )
