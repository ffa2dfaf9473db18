"""The build from end to end, on a tiny book with real kernels and a real Sphinx.

One book lives through a story of six builds (fixture ``story``); each test looks at one thing that came of it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from scripts.tinybook import TinyBook, chapter, markdown, notebook, setup_cell

from bookkit.build import files, render

FACTS = """
import os
print("seed is", os.environ["MMBOOK_SEED"])
print("threads are", [os.environ[f"{n}_NUM_THREADS"] for n in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")])
print("folder holds", os.listdir("."))
"""
SHOW = "from mmbook.numbers import VALUE\nprint(VALUE)"
CLAIM = "from mmbook.claims import claim\nclaim('early beats late', 0.5)\nclaim('a second claim', 0.25)"
FIGURE = "from mmbook.plotting import show\nshow('bars of three models', name='bars')"
MEMORY = "import time\nblock = bytearray(200_000_000)\ntime.sleep(0.8)"


@dataclass
class Snapshot:
    """What one build left."""

    done: subprocess.CompletedProcess[str]
    events: list[str]
    records: dict[str, Any]
    pages: dict[str, str]
    ids: dict[str, list[str]] = field(default_factory=dict)  # page -> ids of its cells
    written: dict[str, int] = field(default_factory=dict)
    elsewhere: bool = False  # whether something was built in the current folder

    @property
    def output(self) -> str:
        return self.done.stdout + self.done.stderr


def take(book: TinyBook, **environment: str) -> Snapshot:
    done = book.build(**environment)
    html = book.root / "_build/html"
    files = [path for path in html.rglob("*.html") if "_static" not in path.parts]
    pages = {path.relative_to(html).with_suffix("").as_posix(): path for path in files}
    return Snapshot(
        done,
        book.events(),
        {name: book.record(name) for name in ("claims", "times", "figures", "cards")},
        {name: path.read_text(encoding="utf-8") for name, path in pages.items()},
        {
            f"book/{path.stem}": [c["id"] for c in json.loads(path.read_text())["cells"]]
            for path in (book.root / "book").glob("*.ipynb")
        },
        {name: path.stat().st_mtime_ns for name, path in pages.items()},
        (book.root.parent / "_build").exists(),
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Snapshot]:
    book = TinyBook(tmp_path_factory.mktemp("story") / "book")
    trace = "from mmbook.trace import trace\ntrace('one')"
    one = notebook(markdown("# One\n\nFirst prose."), setup_cell(), trace, SHOW, CLAIM, FACTS, budget=77)
    book.page("one.ipynb", one)
    book.page("two.ipynb", chapter("two", FIGURE, MEMORY))
    book.page("twin.ipynb", chapter("two", FIGURE))  # nearly the same code on another page
    book.page("stub.ipynb", notebook(markdown("# A stub\n\nNothing yet."), setup_cell()))
    book.page("claims.md", "# All claims\n\n```{claims-table}\n```\n")
    book.page("times.md", "# All times\n\n```{times-table}\n```\n")
    told = {"cold": take(book), "again": take(book)}

    page = book.root / "book/two.ipynb"
    page.write_text(page.read_text().replace("Prose of two.", "Prose of another kind."))
    book.write("mmbook/deep/value.py", "VALUE = 'value-of-second-edition'\n")
    told["edited"] = take(book)

    good = page.read_text()
    page.write_text(good.replace("another kind.", "another kind, [broken](nowhere.md)."))
    book.page("claims.md", "# All claims\n\n```{claims-tabel}\n```\n")
    told["warned"], told["warned again"] = take(book), take(book)

    page.write_text(good)
    book.page("claims.md", "# All claims\n\n```{claims-table}\n```\n")
    book.set_pages([p for p in book.pages if p != "book/twin"])
    told["repaired"] = take(book, MMBOOK_SEED="7")
    return told


class TestStory:
    def test_the_first_build_executes_everything_once_and_renders(self, story):
        cold = story["cold"]
        assert cold.done.returncode == 0, cold.output
        assert sorted(cold.events) == ["one", "two", "two"]
        assert {"index", "book/intro", "book/one", "book/two", "book/twin", "book/stub"} <= set(cold.pages)
        assert "value-of-first-edition" in cold.pages["book/one"]
        assert 'aria-label="bars of three models"' in cold.pages["book/two"]
        assert 'aria-label="bars of three models"' in cold.pages["book/twin"]
        assert "Traceback" not in cold.output

    def test_kernels_run_with_one_thread_the_seed_and_an_empty_folder(self, story):
        page = story["cold"].pages["book/one"]
        assert "seed is 0" in page
        assert "threads are ['1', '1', '1', '1']" in page.replace("&#39;", "'")
        assert "folder holds []" in page

    def test_claims_record(self, story):
        anchor = {"anchor": story["cold"].ids["book/one"][4]}
        numbers = {**anchor, "kind": "difference", "at_least": 0.1, "seeds": 5, "holds": True}
        assert story["cold"].records["claims"] == [
            {"chapter": "one", "statement": "early beats late", "effect": 0.5, "low": 0.4, "high": 0.6, **numbers},
            {"chapter": "one", "statement": "a second claim", "effect": 0.25, "low": 0.15, "high": 0.35, **numbers},
        ]
        assert "early beats late" in story["cold"].pages["book/claims"]

    def test_times_record(self, story):
        times = story["cold"].records["times"]
        assert set(times) == {"one", "two", "twin", "stub"}
        assert all(set(row) == {"seconds", "cpu_seconds", "peak_mb", "budget", "cached"} for row in times.values())
        assert times["one"]["budget"] == 77
        assert times["two"]["budget"] == 120
        assert 0.8 < times["two"]["seconds"] < 60
        assert 0 < times["two"]["cpu_seconds"] < times["two"]["seconds"] + 5  # it sleeps, mostly
        assert 200 < times["two"]["peak_mb"] < 2000
        assert times["one"]["cached"] is False

    def test_figures_record(self, story):
        figure = story["cold"].records["figures"]["two#bars"]
        assert figure["alt"] == "bars of three models"
        assert figure["html"].startswith("<figure")

    def test_a_stub_costs_no_kernel(self, story):
        assert story["cold"].records["times"]["stub"]["seconds"] == 0
        assert "executed book/stub" not in story["cold"].output
        assert "A stub" in story["cold"].pages["book/stub"]

    def test_the_second_build_executes_nothing_and_keeps_the_times(self, story):
        cold, again = story["cold"], story["again"]
        assert again.done.returncode == 0, again.output
        assert again.events == []
        assert all(row["cached"] is True for row in again.records["times"].values())
        for name in ("one", "two"):
            assert again.records["times"][name]["seconds"] == cold.records["times"][name]["seconds"]
        assert again.records["claims"] == cold.records["claims"]

    def test_the_second_build_writes_no_chapter_again(self, story):
        cold, again = story["cold"], story["again"]
        changed = [name for name in cold.written if again.written[name] != cold.written[name]]
        # The times say "cached" now, so the page that shows them is read again, and with it the root of the tree.
        assert set(changed) <= {"book/times", "book/intro", "index", "search", "genindex"}

    def test_an_edit_of_prose_executes_nothing_and_shows(self, story):
        edited = story["edited"]
        assert edited.done.returncode == 0, edited.output
        assert "two" not in edited.events
        assert "Prose of another kind." in edited.pages["book/two"]
        assert 'aria-label="bars of three models"' in edited.pages["book/two"]

    def test_an_edit_of_a_helper_executes_exactly_who_imports_it_and_shows(self, story):
        edited = story["edited"]
        assert edited.events == ["one"]
        assert "value-of-second-edition" in edited.pages["book/one"]
        assert "value-of-first-edition" not in edited.pages["book/one"]
        cached = {name: row["cached"] for name, row in edited.records["times"].items()}
        assert cached == {"one": False, "two": True, "twin": True, "stub": True}

    @pytest.mark.parametrize("which", ["warned", "warned again"])
    def test_a_warning_fails_and_fails_again(self, story, which):
        warned = story[which]
        assert warned.done.returncode == 1
        assert "nowhere.md" in warned.done.stderr
        assert "claims-tabel" in warned.done.stderr
        assert "book/two" in warned.done.stderr
        assert "Traceback" not in warned.output
        assert warned.events == []

    def test_another_seed_reaches_the_kernels_and_moves_the_key(self, story):
        repaired = story["repaired"]
        assert repaired.done.returncode == 0, repaired.output
        assert sorted(repaired.events) == ["one", "two"]
        assert "seed is 7" in repaired.pages["book/one"]

    def test_a_page_that_left_the_course_map_disappears(self, story):
        assert "book/twin" in story["warned again"].pages or "book/twin" in story["edited"].pages
        assert "book/twin" not in story["repaired"].pages
        assert "twin" not in story["repaired"].records["times"]
        assert "twin.html" not in story["repaired"].pages["book/two"]

    def test_sphinx_executes_nothing_itself(self, story):
        """Its own runs would leave a second trace; the events above count them, too."""
        assert not story["cold"].elsewhere
        for snapshot in story.values():
            assert snapshot.events.count("one") <= 1
            assert snapshot.events.count("two") <= 2  # two pages leave this word


class TestRender:
    """The steps around Sphinx, with an imitation of it."""

    @pytest.fixture
    def root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (tmp_path / "_build").mkdir()
        (tmp_path / "_config.yml").write_text("title: T\n")
        self.calls: list[bool] = []
        self.script = lambda root: 0
        self.line = "build succeeded."

        class Sphinx:
            def communicate(process, word):
                assert word == b"go\n"
                (tmp_path / "_build/sphinx.log").write_text(f"reading sources\n{self.line}\n")
                self.calls.append((tmp_path / "_build/.doctrees").exists())
                (tmp_path / "_build/.doctrees").mkdir(exist_ok=True)
                (tmp_path / "_build/html/book").mkdir(parents=True, exist_ok=True)
                (tmp_path / "_build/html/_static").mkdir(exist_ok=True)
                for name in ("index", "book/intro"):
                    (tmp_path / f"_build/html/{name}.html").write_text("x")
                (tmp_path / "_build/finished.json").write_text('{"book/intro": {}}')
                process.returncode = self.script(tmp_path)

        monkeypatch.setattr(render, "warmed_up", lambda root: contextlib.nullcontext(Sphinx()))
        return tmp_path

    def edit(self, root: Path) -> None:
        """Something that Sphinx would see."""
        (root / "book").mkdir(exist_ok=True)
        (root / f"book/new-{len(self.calls)}.md").write_text("x")

    def test_a_run_after_an_edit_is_incremental(self, root):
        render.render(root, ["book/intro"])
        render.render(root, ["book/intro"])
        assert self.calls == [False]
        self.edit(root)
        render.render(root, ["book/intro"])
        assert self.calls == [False, True]

    def test_after_an_interruption_sphinx_starts_anew(self, root):
        """It may have noted a chapter as read and not have written its page: that page would stay old for ever."""

        def interrupted(root):
            raise KeyboardInterrupt

        render.render(root, ["book/intro"])
        self.edit(root)
        self.script = interrupted
        with pytest.raises(KeyboardInterrupt):
            render.render(root, ["book/intro"])
        self.script = lambda root: 0
        render.render(root, ["book/intro"])
        assert self.calls == [False, True, False]

    def test_a_process_that_waits_is_used_and_ends_with_its_block(self, root, monkeypatch):
        monkeypatch.undo()
        script = "import sys; print('renders', flush=True) if sys.stdin.readline() else print('ends', flush=True)"
        monkeypatch.setattr(render, "PROGRAM", script)
        with render.warmed_up(root) as process:
            render.render(root, ["book/intro"], process)
        assert (root / "_build/sphinx.log").read_text() == "renders\n"
        with render.warmed_up(root) as process:
            assert process.poll() is None
        assert process.poll() is not None

    def test_an_exit_code_alone_fails(self, root):
        self.script, self.line = lambda root: 3, "Traceback: something broke"
        (told,) = render.render(root, ["book/intro"])
        assert "something broke" in told
        self.script = lambda root: 0
        assert render.render(root, ["book/intro"]) == []
        assert self.calls == [False, False]

    def test_what_sphinx_kept_may_be_broken_and_is_made_anew_once(self, root, capsys):
        render.render(root, ["book/intro"])
        self.script = lambda root: 3 if self.calls[-1] else 0
        self.edit(root)
        assert render.render(root, ["book/intro"]) == []
        assert self.calls == [False, True, False]
        assert "anew" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "line",
        ["book/one.md:3: WARNING: undefined label: 'x'", "\x1b[91mbook/one.md:3: ERROR: Unknown directive\x1b[0m"],
    )
    def test_a_line_in_the_log_alone_fails(self, root, line):
        self.line = line
        (told,) = render.render(root, ["book/intro"])
        assert "book/one.md:3" in told
        assert "\x1b" not in told
        assert " | " not in told
        assert render.render(root, ["book/intro"]) == [told]
        assert self.calls == [False, False]  # an incremental run would not say it again

    def test_faults_of_pictures_are_told_again_without_a_new_run(self, root):
        def finds(root):
            (root / "_build/finished.json").write_text('{"book/intro": {"faults": ["picture a.png without alt text"]}}')
            return 0

        self.script = finds
        assert render.render(root, ["book/intro"]) == ["book/intro: picture a.png without alt text"]
        assert render.render(root, ["book/intro"]) == ["book/intro: picture a.png without alt text"]
        assert self.calls == [False]

    @pytest.mark.parametrize("file", ["_config.yml", "_toc.yml", "book/references.bib", "book/_static/book.css"])
    def test_an_edit_of_what_sphinx_does_not_watch_starts_anew(self, root, file):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("a: 1\n")
        render.render(root, ["book/intro"])
        (root / file).write_text("a: 2\n")
        render.render(root, ["book/intro"])
        assert self.calls == [False, False]

    @pytest.mark.parametrize("left", ["book/gone", "gone"])
    def test_pages_that_left_the_book_are_removed(self, root, left):
        """Also without an edit of the course map: a glob matches one file less."""
        docnames = ["intro", "book/one"]
        html = root / "_build/html"

        def writes(root):
            for name in self.docnames:
                (html / f"{name}.html").write_text("x")
                (html / "_sources" / name).parent.mkdir(parents=True, exist_ok=True)
                (html / "_sources" / f"{name}.ipynb").write_text("x")
            (html / "index.html").write_text("x")
            return 0

        self.script = writes
        for self.docnames in ([*docnames, left], docnames):
            render.render(root, self.docnames)
        assert not (html / f"{left}.html").exists()
        assert not (html / "_sources" / f"{left}.ipynb").exists()
        for name in [*docnames, "index"]:
            assert (html / f"{name}.html").exists(), name

    def test_records_are_written_only_when_they_differ(self, tmp_path):
        path = tmp_path / "a/b.json"
        files.write_json(path, {"b": 1, "a": "é"})
        first = path.stat().st_mtime_ns
        files.write_json(path, {"a": "é", "b": 1})
        assert path.stat().st_mtime_ns == first
        files.write_json(path, {"a": "é", "b": 2})
        assert '"b": 2' in path.read_text(encoding="utf-8")
        assert "é" in path.read_text(encoding="utf-8")
