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

from bookkit.build import execute

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DISPLAY = "from IPython.display import publish_display_data\n"

CHAPTERS = {
    "good": chapter("good", "print('well')", "import time\ntime.sleep(1.2)", budget=1),  # sleeping costs nothing
    "raises": chapter(
        "raises",
        markdown("Found {glue}`number`."),
        "x = 1",
        "x = {}\nprint(x['colour'])",
        "trace('went on')",
        budget=70,
    ),
    "dies": chapter("dies", "import os\nos._exit(3)"),
    "hangs": chapter("hangs", "import time\ntime.sleep(60)"),
    "burns": chapter("burns", "while True: pass"),
    "claims": chapter("claims", "from mmbook.claims import claim\nclaim('pigs fly', holds=False)\nclaim('pigs walk')"),
    "asserts": chapter(
        "asserts", "from mmbook.claims import claim\nclaim('pigs swim')\nassert 1 == 2, 'pigs do not dance'"
    ),
    "slow": chapter(
        "slow", "import time\nend = time.process_time() + 1.6\nwhile time.process_time() < end: pass", budget=1
    ),
    "picture": chapter("picture", f"{DISPLAY}publish_display_data({{'image/png': '{PNG}', 'text/plain': 'x'}})"),
    "html": chapter("html", f"{DISPLAY}publish_display_data({{'text/html': '<img src=\"a.png\">'}})"),
    "widget": chapter("widget", f"{DISPLAY}publish_display_data({{'application/json': {{}}}})"),
    "text": chapter("text", markdown('<div><img src="gone.png" alt="a rising line"></div>')),
    "gpu": chapter("gpu", "print('fast')", gpu=True),
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
    pages: dict[str, str]


def run(book: TinyBook, *arguments: str) -> Run:
    """The command in this process, so that the time limits can be made short."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = build_book.main(["--root", str(book.root), *arguments])
    claims = [c["statement"] for c in book.record("claims")]
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (book.root / "_build/html/book").glob("*.html")}
    return Run(code, out.getvalue(), err.getvalue(), book.events(), book.rendered, claims, book.record("times"), pages)


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
    book.page("figure.md", "# Figure\n\n```{image} a.png\n```\n")
    book.page("old.rst", "Old\n===\n\n.. image:: a.png\n")
    book.page("shown.md", "# Shown\n\n```{build-figure} raises#bars\n```\n")
    book.write("book/a.png", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "CELL", 3)
        patch.setattr(execute, "STALL", 8)
        patch.setenv("TINY_TRACE", str(book.trace))
        patch.setenv("MMBOOK_SEED", "11")
        patch.setenv("MMBOOK_WORKERS", "3")
        before = kernels()
        told = {"first": run(book)}
        told["first"].times["kernels left"] = {"count": kernels() - before}
        told["second"] = run(book, "--only", "raises", "claims", "text", "good", "slow", "--strict")
        for name in [n for n in CHAPTERS if n not in ("good", "raises")]:
            (book.root / f"book/{name}.ipynb").unlink()
        book.set_pages(["book/intro", "book/good", "book/raises"])
        book.page(
            "raises.ipynb", chapter("raises", "x = 1", "x = {'colour': 1}\nprint(x['colour'])", "trace('went on')")
        )
        told["mended"] = run(book)
        book.page("slip.md", "# Slip\n\n```{build-figure} good#bars\n```\n")
        book.set_pages(["book/intro", "book/good", "book/raises", "book/slip"])
        told["slip"] = run(book)
    return told


def paragraph(text: str, name: str) -> str:
    """The part of the report about one page."""
    parts = [p for p in re.split(r"\n\n+(?=FAILED|book/)|\n(?=book/)", text) if f"book/{name}" in p.splitlines()[0]]
    assert parts, f"no word about {name} in:\n{text}"
    return "\n".join(parts)


class TestFirstRun:
    def test_exit_code_and_the_reasons_last(self, runs):
        assert runs["first"].code == 1
        assert runs["first"].err.startswith("build_book: the build failed")

    def test_a_failing_cell_names_chapter_cell_seed_and_shows_the_traceback(self, runs):
        told = runs["first"].err
        cell = CHAPTERS["raises"]["cells"][5]
        text = told[told.index("book/raises") :]
        head = text.splitlines()[0]
        assert "cell 6" in head
        assert cell["id"] in head
        assert "MMBOOK_SEED=11" in head
        assert "print(x['colour'])" in text
        assert "KeyError" in text
        assert "\x1b[" not in text

    def test_cells_behind_the_failing_one_do_not_run(self, runs):
        assert "went on" not in runs["first"].events

    def test_the_other_chapters_go_on(self, runs):
        assert set(CHAPTERS) - {"gpu"} <= set(runs["first"].events)
        assert "executed book/good" in runs["first"].out

    def test_a_kernel_that_dies(self, runs):
        assert re.search(r"died", paragraph(runs["first"].err, "dies"), re.IGNORECASE)
        assert "cell 4" in paragraph(runs["first"].err, "dies")

    def test_a_cell_that_hangs(self, runs):
        told = paragraph(runs["first"].err, "hangs")
        assert "cell 4" in told
        assert "no progress for 8 seconds" in told

    def test_a_cell_that_burns_processor_time(self, runs):
        told = paragraph(runs["first"].err, "burns")
        assert "cell 4" in told
        assert "more than 3 processor seconds" in told

    def test_a_chapter_that_wants_a_gpu(self, runs):
        assert "--scheduler" in paragraph(runs["first"].err, "gpu")
        assert "gpu" not in runs["first"].events

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

    def test_over_budget_is_a_warning_in_processor_seconds(self, runs):
        (line,) = [line for line in runs["first"].out.splitlines() if "budget" in line and "book/slow" in line]
        assert line.startswith("warning: ")
        assert "its budget is 1" in line
        assert "book/slow" not in runs["first"].err

    @pytest.mark.parametrize("name", ["picture", "html", "figure", "old"])
    def test_a_picture_without_alternative_text(self, runs, name):
        assert "without alt text" in paragraph(runs["first"].err, name)

    @pytest.mark.parametrize(("name", "picture"), [("text", "gone.png"), ("html", "a.png")])
    def test_a_picture_that_is_not_on_the_site(self, runs, name, picture):
        assert f"picture {picture} is not on the site" in runs["first"].err.split(f"book/{name}: ", 1)[1]

    def test_an_output_that_no_page_can_show(self, runs):
        assert "application/json" in paragraph(runs["first"].err, "widget")

    def test_good_pages_are_not_accused(self, runs):
        assert "book/good" not in runs["first"].err
        assert "book/intro" not in runs["first"].err

    def test_no_kernel_is_left_behind(self, runs):
        assert runs["first"].times["kernels left"]["count"] == 0

    def test_no_internals_are_shown(self, runs):
        for name in ("nbclient/", "distributed/", "build_book.py", "asyncio"):
            assert name not in runs["first"].err, name


class TestSiteOfAFailedBuild:
    def test_the_rest_of_the_site_is_whole(self, runs):
        pages = runs["first"].pages
        assert {*CHAPTERS, "intro", "figure", "old"} <= set(pages)
        assert "well" in pages["good"]

    @pytest.mark.parametrize("name", ["raises", "dies", "hangs", "burns", "asserts", "gpu"])
    def test_a_failed_chapter_stands_there_without_outputs_under_a_banner(self, runs, name):
        page = runs["first"].pages[name]
        assert "<strong>failed</strong>" in page
        assert f"Prose of {name}." in page
        assert 'class="cell_output' not in page

    def test_what_needs_its_results_says_not_built(self, runs):
        assert "Found (not built)." in runs["first"].pages["raises"]
        assert "not built" in runs["first"].pages["shown"]
        assert "WARNING" not in runs["first"].err

    def test_a_figure_that_a_chapter_never_drew_is_a_fault(self, runs):
        assert runs["slip"].code == 1
        assert (
            "book/slip.md:3: WARNING: no figure good#bars; named figures of that chapter: good#card" in runs["slip"].err
        )

    def test_good_chapters_have_no_banner(self, runs):
        assert "<strong>failed</strong>" not in runs["first"].pages["good"]


class TestSecondRun:
    def test_fails_again(self, runs):
        second = runs["second"]
        assert second.code == 1
        assert "KeyError" in second.err
        assert "pigs fly" in second.err
        assert "gone.png" in paragraph(second.err, "text")

    def test_strict_fails_at_one_and_a_half_times_the_budget(self, runs):
        assert "its budget is 1" in paragraph(runs["second"].err, "slow")

    def test_executes_only_the_failed_one(self, runs):
        assert runs["second"].events == ["raises"]

    def test_nothing_that_stands_is_forgotten(self, runs):
        assert runs["second"].times["good"]["cached"] is True
        assert "raises" not in runs["second"].times

    def test_chapters_that_were_left_out_are_named(self, runs):
        assert "not executed yet, so without outputs on the site: book/dies" in runs["second"].err


class TestMended:
    def test_succeeds(self, runs):
        mended = runs["mended"]
        assert mended.code == 0, mended.err
        assert mended.rendered
        assert mended.events == ["raises", "went on"]
        assert set(mended.times) == {"good", "raises"}
        assert "<strong>failed</strong>" not in mended.pages["raises"]


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
    assert first.returncode == 1
    assert "book/never" in first.stderr
    assert "book/shaky" not in first.stderr
    assert "was <strong>not run</strong>" in book.html("never")
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

    @pytest.mark.parametrize(
        ("change", "cure"),
        [
            (lambda page: page["cells"][1].pop("id"), "cell 2 has no id; open the notebook in Jupyter"),
            (lambda page: page["cells"][1].pop("outputs"), "cell 2: 'outputs' is a required property"),
            (lambda page: page["cells"][1].update(outputs=[{"output_type": "stream"}]), "cell 2: "),
            (lambda page: page["metadata"].update(kernelspec=None), "metadata/kernelspec: "),
            (lambda page: page["metadata"]["kernelspec"].update(name="conda-env-x"), "'conda-env-x'.* to python3"),
            (
                lambda page: page["cells"][0].update(attachments={"a.png": {"image/png": PNG}}),
                "cell 1 .*pasted picture",
            ),
        ],
        ids=["id", "no outputs", "half an output", "no kernel", "another kernel", "attachment"],
    )
    def test_a_notebook_that_breaks_the_format_is_one_line(self, book, capsys, change, cure):
        page = notebook(markdown("# One"), "x = 1")
        change(page)
        book.page("one.ipynb", page)
        assert re.search(cure, expect_line(capsys, 2, ["--root", str(book.root)]))

    def test_a_broken_configuration(self, book, capsys):
        book.write("_config.yml", "title: [")
        code = build_book.main(["--root", str(book.root)])
        assert code in (1, 2)
        assert "_config.yml" in capsys.readouterr().err

    def test_nothing_was_written(self, book, capsys, monkeypatch):
        monkeypatch.setenv("MMBOOK_SEED", "abc")
        expect_line(capsys, 2, ["--root", str(book.root)])
        assert not (book.root / "_build").exists()
