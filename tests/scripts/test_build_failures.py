"""What makes a build fail, and that it says so: every kind of fault at once in one tiny book."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import build_book
import psutil
import pytest
from scripts.tinybook import TinyBook, chapter, config, markdown, notebook

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DISPLAY = "from IPython.display import publish_display_data\n"

CHAPTERS = {
    "good": chapter("good", "print('well')"),
    "raises": chapter("raises", "x = 1", "x = {}\nprint(x['colour'])", "trace('went on')", budget=70),
    "dies": chapter("dies", "import os\nos._exit(3)"),
    "hangs": chapter("hangs", "import time\ntime.sleep(60)"),
    "claims": chapter("claims", "from mmbook.claims import claim\nclaim('pigs fly', holds=False)\nclaim('pigs walk')"),
    "asserts": chapter(
        "asserts", "from mmbook.claims import claim\nclaim('pigs swim')\nassert 1 == 2, 'pigs do not dance'"
    ),
    "slow": chapter("slow", "import time\ntime.sleep(1.2)", budget=1),
    "picture": chapter("picture", f"{DISPLAY}publish_display_data({{'image/png': '{PNG}', 'text/plain': 'x'}})"),
    "html": chapter("html", f"{DISPLAY}publish_display_data({{'text/html': '<img src=\"a.png\">'}})"),
    "text": chapter("text", markdown("A picture: ![](a.png)")),
}


@dataclass
class Run:
    code: int
    out: str
    err: str
    events: list[str]
    rendered: bool
    claims: list[str]
    times: dict[str, dict[str, float]]


def run(book: TinyBook, *arguments: str) -> Run:
    """The command in this process, so that the time limit can be made short."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = build_book.main(["--root", str(book.root), *arguments])
    claims = [c["statement"] for c in book.record("claims")]
    return Run(code, out.getvalue(), err.getvalue(), book.events(), book.rendered, claims, book.record("times"))


def kernels() -> int:
    """Kernels among the descendants of this process."""
    found = 0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found += any("ipykernel" in part for part in process.cmdline())
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    book = TinyBook(tmp_path_factory.mktemp("faults") / "book")
    for name, page in CHAPTERS.items():
        book.page(f"{name}.ipynb", page)
    book.page("figure.md", "# Figure\n\n```{figure} a.png\n:name: fig-a\n\nA caption.\n```\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_book, "CELL_TIMEOUT", 12)
        patch.setenv("TINY_TRACE", str(book.trace))
        patch.setenv("MMBOOK_SEED", "11")
        patch.setenv("MMBOOK_WORKERS", "3")
        before = kernels()
        told = {"first": run(book), "second": run(book, "--only", "raises", "claims", "text", "good", "slow")}
        told["first"].times["kernels left"] = {"count": kernels() - before}
        for name in [n for n in CHAPTERS if n not in ("good", "raises")]:
            (book.root / f"book/{name}.ipynb").unlink()
        book.set_pages(["book/intro", "book/good", "book/raises"])
        book.page(
            "raises.ipynb", chapter("raises", "x = 1", "x = {'colour': 1}\nprint(x['colour'])", "trace('went on')")
        )
        told["mended"] = run(book)
    return told


def paragraph(text: str, name: str) -> str:
    """The part of the report about one page."""
    parts = [p for p in re.split(r"\n\n+(?=FAILED|book/)|\n(?=book/)", text) if f"book/{name}" in p.splitlines()[0]]
    assert parts, f"no word about {name} in:\n{text}"
    return "\n".join(parts)


class TestFirstRun:
    def test_exit_code_and_no_site(self, runs):
        assert runs["first"].code == 1
        assert not runs["first"].rendered

    def test_a_failing_cell_names_chapter_cell_seed_and_shows_the_traceback(self, runs):
        told = runs["first"].err
        cell = CHAPTERS["raises"]["cells"][4]
        text = told[told.index("book/raises") :]
        head = text.splitlines()[0]
        assert "cell 5" in head
        assert cell["id"] in head
        assert "MMBOOK_SEED=11" in head
        assert "print(x['colour'])" in text
        assert "KeyError" in text
        assert "\x1b[" not in text

    def test_cells_behind_the_failing_one_do_not_run(self, runs):
        assert "went on" not in runs["first"].events

    def test_the_other_chapters_go_on(self, runs):
        assert set(CHAPTERS) <= set(runs["first"].events)
        assert "executed book/good" in runs["first"].out

    def test_a_kernel_that_dies(self, runs):
        assert re.search(r"died", paragraph(runs["first"].err, "dies"), re.IGNORECASE)
        assert "cell 4" in paragraph(runs["first"].err, "dies")

    def test_a_cell_that_hangs(self, runs):
        told = paragraph(runs["first"].err, "hangs")
        assert "cell 4" in told
        assert re.search(r"timed? ?out", told, re.IGNORECASE)
        assert "12 seconds" in told

    def test_a_claim_that_fails_without_an_error(self, runs):
        told = paragraph(runs["first"].err, "claims")
        assert "pigs fly" in told
        assert "pigs walk" not in told

    def test_a_claim_that_fails_with_an_error(self, runs):
        told = paragraph(runs["first"].err, "asserts")
        assert "pigs do not dance" in told
        assert "pigs swim" not in runs["first"].claims  # the chapter gave no result

    def test_claims_that_fail_are_on_record(self, runs):
        assert runs["first"].claims == ["pigs fly", "pigs walk"]

    def test_a_budget(self, runs):
        told = paragraph(runs["first"].err, "slow")
        assert "budget" in told
        assert "1 s" in told

    @pytest.mark.parametrize("name", ["picture", "html", "text", "figure"])
    def test_a_picture_without_alternative_text(self, runs, name):
        assert "without alt text" in paragraph(runs["first"].err, name)

    def test_good_pages_are_not_accused(self, runs):
        assert "book/good" not in runs["first"].err
        assert "book/intro" not in runs["first"].err

    def test_no_kernel_is_left_behind(self, runs):
        assert runs["first"].times["kernels left"]["count"] == 0

    def test_no_internals_are_shown(self, runs):
        for name in ("nbclient/", "distributed/", "build_book.py", "asyncio"):
            assert name not in runs["first"].err, name


class TestSecondRun:
    def test_fails_again(self, runs):
        second = runs["second"]
        assert second.code == 1
        assert "KeyError" in second.err
        assert "pigs fly" in second.err
        assert "without alt text" in paragraph(second.err, "text")
        assert not second.rendered

    def test_executes_only_the_failed_one_and_the_slow_one(self, runs):
        assert sorted(runs["second"].events) == ["raises", "slow"]  # a time over the budget is measured again

    def test_nothing_that_stands_is_forgotten(self, runs):
        assert runs["second"].times["good"]["cached"] is True
        assert "raises" not in runs["second"].times


class TestMended:
    def test_succeeds(self, runs):
        mended = runs["mended"]
        assert mended.code == 0, mended.err
        assert mended.rendered
        assert mended.events == ["raises", "went on"]
        assert set(mended.times) == {"good", "raises"}


SHAKY = """
import os
assert not os.path.exists(os.environ["TINY_TRACE"] + ".broken"), "the world changed"
trace("held")
"""


def test_a_failed_run_outweighs_an_older_record(tmp_path):
    """What fails on --no-cache fails again without it, although a good record with the same key is there."""
    book = TinyBook(tmp_path / "book")
    book.write("_config.yml", config().replace("github.com/tester", "github.com/OWNER"))
    book.page("shaky.ipynb", chapter("shaky", SHAKY))
    book.page("never.ipynb", chapter("never"))
    first = book.build("--only", "shaky")
    assert first.returncode == 0, first.stderr
    assert sum("placeholder" in line for line in first.stdout.splitlines()) == 1
    book.trace.with_name(f"{book.trace.name}.broken").touch()
    assert book.build("--only", "shaky", "--no-cache").returncode == 1
    again = book.build("--only", "shaky")
    assert again.returncode == 1
    assert "the world changed" in again.stderr


def expect_line(capsys: pytest.CaptureFixture[str], code: int, arguments: list[str]) -> str:
    """Run the command; it must end with this code and one line."""
    assert build_book.main(arguments) == code
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    assert "Traceback" not in told
    return told


class TestUsage:
    @pytest.fixture
    def book(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyBook:
        for name in ("MMBOOK_SEED", "MMBOOK_WORKERS"):
            monkeypatch.delenv(name, raising=False)
        book = TinyBook(tmp_path / "book")
        book.page("one.ipynb", notebook(markdown("# One"), "x = 1"))
        return book

    @pytest.mark.parametrize("value", ["abc", "-1", "1.5", "1 2", "½", "²"])
    def test_a_seed_that_is_no_number(self, book, capsys, monkeypatch, value):
        monkeypatch.setenv("MMBOOK_SEED", value)
        assert "MMBOOK_SEED" in expect_line(capsys, 2, ["--root", str(book.root)])

    @pytest.mark.parametrize(
        "arguments",
        [["--workers", "0"], ["--workers", "x"], ["--only"], ["--only", "nowhere"], ["--colour"], ["stray"]],
    )
    def test_arguments(self, book, capsys, arguments):
        expect_line(capsys, 2, ["--root", str(book.root), *arguments])

    def test_only_names_what_there_is(self, book, capsys):
        assert "book/one" in expect_line(capsys, 2, ["--root", str(book.root), "--only", "on"])

    @pytest.mark.parametrize("value", ["0", "x", "-1"])
    def test_workers_in_the_environment(self, book, capsys, monkeypatch, value):
        monkeypatch.setenv("MMBOOK_WORKERS", value)
        expect_line(capsys, 2, ["--root", str(book.root)])

    def test_a_page_without_a_file(self, book, capsys):
        book.set_pages([*book.pages, "book/missing"])
        told = expect_line(capsys, 2, ["--root", str(book.root)])
        assert "book/missing" in told
        assert "_toc.yml" in told

    def test_no_course_map(self, tmp_path, capsys):
        assert "_toc.yml" in expect_line(capsys, 2, ["--root", str(tmp_path)])

    def test_a_root_that_does_not_exist(self, tmp_path, capsys):
        expect_line(capsys, 2, ["--root", str(tmp_path / "nowhere")])

    @pytest.mark.parametrize(
        "text", ["{", "[]", "{}", '{"cells": 1}', '{"cells": [{}], "nbformat": 4, "metadata": {}}']
    )
    def test_a_file_that_is_no_notebook(self, book, capsys, text):
        book.write("book/one.ipynb", text)
        assert "one.ipynb" in expect_line(capsys, 2, ["--root", str(book.root)])

    @pytest.mark.parametrize("budget", ["90", None, "a lot", -1, 0, True, [60]])
    def test_a_budget_that_is_no_number_of_seconds(self, book, capsys, budget):
        book.page("one.ipynb", notebook(markdown("# One"), budget=budget))
        assert "budget" in expect_line(capsys, 2, ["--root", str(book.root)])

    @pytest.mark.parametrize("fence", ["```", "````", "~~~", ":::"])
    def test_a_markdown_page_with_code_cells(self, book, capsys, fence):
        """Sphinx would run it: no seed, no budget, no claims."""
        book.page("sly.md", f"---\nkernelspec: {{name: python3}}\n---\n# Sly\n\n{fence}{{code-cell}}\n1\n{fence}\n")
        assert "sly.md" in expect_line(capsys, 2, ["--root", str(book.root)])

    def test_a_page_in_another_format(self, book, capsys):
        book.page("old.rst", "Old\n===\n\n.. image:: a.png\n")
        assert "old.rst" in expect_line(capsys, 2, ["--root", str(book.root)])

    def test_a_broken_configuration(self, book, capsys):
        book.write("_config.yml", "title: [")
        code = build_book.main(["--root", str(book.root)])
        assert code in (1, 2)
        assert "_config.yml" in capsys.readouterr().err

    def test_nothing_was_written(self, book, capsys, monkeypatch):
        monkeypatch.setenv("MMBOOK_SEED", "abc")
        expect_line(capsys, 2, ["--root", str(book.root)])
        assert not (book.root / "_build").exists()
