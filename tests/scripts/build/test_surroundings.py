"""What happens around a build: Ctrl-C, two at once, a broken `_build`, a flood of outputs, a busy author."""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from scripts.tinybook import BUILD, TinyBook, chapter, code, markdown, notebook

SLOW = "import time\ntime.sleep(30)"


def start(book: TinyBook, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(BUILD), "--root", str(book.root), *arguments],
        env=book.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a background job of a shell ignores Ctrl-C, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def traced(book: TinyBook, word: str) -> bool:
    return book.trace.is_file() and word in book.trace.read_text()


def test_ctrl_c_ends_the_kernels_keeps_what_is_done_and_exits_with_130(tmp_path):
    book = TinyBook(tmp_path / "book")
    book.page("quick.ipynb", chapter("quick", "trace('quick ends')", budget=200))  # the larger budget goes first
    book.page("slow.ipynb", chapter("slow", SLOW, "trace('went on')"))
    process = start(book, "--workers", "1")
    wait_for(lambda: traced(book, "quick ends") and traced(book, " slow"))
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert time.monotonic() - asked < 3
    assert process.returncode == 130
    assert "Traceback" not in told
    assert "interrupted" in told
    gone, alive = psutil.wait_procs(family, timeout=2)
    assert not alive
    assert list((book.root / "_build/executed/book").glob("quick-*.ipynb"))
    assert "went on" not in book.events()


def test_a_second_build_at_the_same_time_is_one_line(tmp_path):
    book = TinyBook(tmp_path / "book")
    book.page("slow.ipynb", chapter("slow", SLOW))
    process = start(book)
    try:
        wait_for(lambda: traced(book, "slow"))
        second = book.build()
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1
        assert "another build" in second.stderr
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    with open(book.root / "_build/lock-is-free", "w") as file:  # the system let go of the lock
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> TinyBook:
    book = TinyBook(tmp_path_factory.mktemp("built") / "book")
    book.page("one.ipynb", chapter("one", "print('the result')"))
    assert book.build().returncode == 0
    book.events()
    return book


def damage_text(path: Path) -> None:
    path.write_text("{ broken")


def damage_kind(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.write_text("in the way") if path.suffix == "" else path.mkdir()


BROKEN = {
    "executed notebook": ("executed/book/one-*.ipynb", damage_text, ["one"]),
    "executed notebook a folder": ("executed/book/one-*.ipynb", damage_kind, ["one"]),
    "executed folder a file": ("executed", damage_kind, ["one"]),
    "times": ("times.json", damage_text, []),
    "claims a folder": ("claims.json", damage_kind, []),
    "page": ("pages/book/one.json", damage_text, []),
    "pages a file": ("pages", damage_kind, []),
    "finished": ("finished.json", damage_text, []),
    "environment": (".doctrees/environment.pickle", damage_text, []),
    "doctree": (".doctrees/book/intro.doctree", damage_text, []),
    "doctrees a file": (".doctrees", damage_kind, []),
    "site a file": ("html", damage_kind, []),
    "stamp": ("rendered.sha256", damage_text, []),
    "all of it a file": (".", damage_kind, ["one"]),
}


@pytest.mark.parametrize(("name", "damage", "runs"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_in_the_build_folder_is_made_anew(built, name, damage, runs):
    folder = built.root / "_build"
    path = folder if name == "." else next(folder.glob(name))
    damage(path)
    (built.root / "book/intro.md").write_text(f"# Intro\n\nEdited {time.time()}.\n")  # so that Sphinx runs
    done = built.build()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert built.events() == runs
    assert "the result" in built.html("one")


def test_not_one_line_of_a_flood_is_dropped(tmp_path):
    book = TinyBook(tmp_path / "book")
    flood = "import sys\nfor i in range(20_000):\n    print(i)\n    sys.stdout.flush()"
    displays = "from IPython.display import publish_display_data\nfor i in range(1500):\n"
    displays += "    publish_display_data({'text/plain': f'item {i}.'})"
    book.page("flood.ipynb", chapter("flood", flood, displays))
    book.page("other.ipynb", chapter("other", flood))
    assert book.build("--workers", "2").returncode == 0
    text = next((book.root / "_build/executed/book").glob("flood-*.ipynb")).read_text()
    assert text.count('"item ') == 1500
    assert "19999\\n" in text
    assert text.count("\\n") >= 20_000


def test_an_edit_of_a_helper_while_chapters_run_does_not_reach_them(tmp_path):
    """Its result would be kept under the key of the old text."""
    book = TinyBook(tmp_path / "book")
    waits = "import time\ntrace('ready')\ntime.sleep(2)\nfrom mmbook.deep.value import VALUE\nprint(VALUE)"
    book.page("one.ipynb", chapter("one", waits))
    process = start(book)
    wait_for(lambda: traced(book, "ready"))
    book.write("mmbook/deep/value.py", "VALUE = 'value-of-second-edition'\n")
    process.communicate(timeout=60)
    assert "value-of-first-edition" in book.html("one")
    assert book.build().returncode == 0
    assert "value-of-second-edition" in book.html("one")


PICTURES = {
    "in a block of HTML": '<div><img src="gone.png" alt="a rising line"></div>',
    "with a space": "![a rising line](<my plot.png>)",
    "of markdown": "![a rising line](gone.png)",
    "of a directive": "```{image} gone.png\n:alt: a rising line\n```",
}


@pytest.mark.parametrize("text", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("kind", ["md", "ipynb"])
def test_a_picture_that_does_not_exist_fails_and_is_named(tmp_path, text, kind):
    book = TinyBook(tmp_path / "book")
    (book.root / "book/my plot.png").write_bytes(b"png")  # is there, but Sphinx copies no file with such a name
    book.page(f"one.{kind}", f"# One\n\n{text}\n" if kind == "md" else notebook(markdown(f"# One\n\n{text}")))
    for _ in range(2):  # an incremental build says it again
        done = book.build()
        assert done.returncode == 1
        assert "book/one" in done.stderr
        assert "plot.png" in done.stderr or "gone.png" in done.stderr


def test_pictures_that_are_there_are_fine(tmp_path):
    book = TinyBook(tmp_path / "book")
    (book.root / "book/here.png").write_bytes(b"png")
    text = "![a rising line](here.png)\n\n<img src='here.png' alt='a flat line'>"
    book.page("one.md", f"# One\n\n{text}\n")
    book.page("two.rst", "Two\n===\n\n.. image:: here.png\n   :alt: a rising line\n")
    done = book.build()
    assert done.returncode == 0, done.stderr


def test_editors_noise_executes_nothing(tmp_path):
    book = TinyBook(tmp_path / "book")
    page = chapter("one", code("print('x')"))
    book.page("one.ipynb", page)
    assert book.build().returncode == 0
    assert book.events() == ["one"]
    for cell in page["cells"]:
        cell["metadata"] |= {"executionInfo": {"status": "ok"}, "slideshow": {"slide_type": ""}, "trusted": True}
        if cell["cell_type"] == "code":
            cell["execution_count"] = 5
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "stale"}]
    page["metadata"]["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    book.page("one.ipynb", page)
    assert book.build().returncode == 0
    assert book.events() == []
    assert "stale" not in book.html("one")


def test_two_builds_of_another_seed_keep_both_results(tmp_path):
    book = TinyBook(tmp_path / "book")
    book.page("one.ipynb", chapter("one", "import os\nprint('seed', os.environ['MMBOOK_SEED'])"))
    for seed in ("0", "7", "0", "7"):
        assert book.build(MMBOOK_SEED=seed).returncode == 0
        assert f"seed {seed}" in book.html("one")
    assert book.events() == ["one", "one"]


def test_a_page_that_is_too_heavy_is_a_warning(tmp_path):
    book = TinyBook(tmp_path / "book")
    heavy = "from IPython.display import HTML\nHTML('<p>' + 'word ' * 500_000 + '</p>')"
    book.page("one.ipynb", chapter("one", heavy))
    done = book.build()
    assert done.returncode == 0, done.stderr
    page, copy = sorted((x for x in done.stdout.splitlines() if x.startswith("warning:")), key=lambda x: "Colab" in x)
    assert "book/one: the page has 2.5 MB" in page
    assert "book/one: its copy for Colab has 2.5 MB" in copy


SAVED = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<p>stale result</p>"}}


@pytest.mark.parametrize(
    "cell",
    [code("claim_of_yesterday = 1", tags=["skip-execution"]), code("# a comment alone"), code("print('fresh')")],
    ids=["skipped", "idle", "run"],
)
def test_outputs_that_an_editor_saved_are_no_results(tmp_path, cell):
    book = TinyBook(tmp_path / "book")
    book.page("one.ipynb", notebook(markdown("# One"), {**cell, "outputs": [SAVED], "execution_count": 9}))
    assert book.build().returncode == 0
    assert "stale result" not in book.html("one")
    assert "stale result" not in "".join(p.read_text() for p in (book.root / "_build/executed").rglob("*.ipynb"))


def test_a_notebook_that_is_saved_while_it_runs_gets_no_outputs_under_the_wrong_cells(tmp_path):
    book = TinyBook(tmp_path / "book")
    waits = "import time\ntime.sleep(3)\nprint('of the first')"
    book.page("one.ipynb", chapter("one", waits, "print('of the second')"))
    process = start(book)
    wait_for(lambda: traced(book, "one"))
    book.page("one.ipynb", chapter("one", "x = 1", waits))
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "edited while the book was built" in told
    assert "of the second" not in book.html("one")


def test_a_kernel_that_can_not_start_is_a_failure_of_its_page(tmp_path):
    book = TinyBook(tmp_path / "book")
    book.page("one.ipynb", chapter("one", "print('x')"))
    book.write("blocked/ipykernel_launcher.py", "raise SystemExit('no kernel today')\n")
    done = book.build(PYTHONPATH=str(book.root / "blocked"))
    assert done.returncode == 1
    assert "book/one, before the first cell" in done.stderr
    assert "Traceback" not in done.stderr
    assert book.rendered


def test_a_site_that_lost_a_page_is_rendered_anew(built):
    assert built.build().returncode == 0
    (built.root / "_build/html/book/one.html").unlink()
    done = built.build()
    assert done.returncode == 0
    assert "lost a part" in done.stdout
    assert "the result" in built.html("one")


def test_what_editors_leave_beside_an_open_helper_is_no_part_of_the_package(built):
    assert built.build().returncode == 0
    package = built.root / "mmbook"
    (package / ".#trace.py").symlink_to("me@here.123")
    for name in (".trace.py.swp", "trace.py~", ".DS_Store"):
        (package / name).write_text("x")
    built.events()
    built.page("two.ipynb", chapter("two", "%time x = 1"))  # may import anything, so the whole package counts
    done = built.build()
    assert done.returncode == 0, done.stderr
    assert built.events() == ["two"]


HEADS = {
    "label": "(a-label)=\n# Title\n\nWords.\n\n## Section",
    "underlined": "Title\n=====\n\nWords.",
    "none": "Only words.",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_failed_chapter_has_its_banner_whatever_its_title_looks_like(tmp_path, head):
    book = TinyBook(tmp_path / "book")
    glued = markdown("```{glue} number\n```\n\n{glue:text}`number`")
    book.page("one.ipynb", notebook(markdown(head), glued, "1 / 0"))
    done = book.build()
    assert done.returncode == 1
    page = book.html("one")
    assert page.count("<strong>failed</strong>") == 1
    assert page.count("(not built)") == 2
    if "## Section" in head:
        assert page.index("<strong>failed</strong>") < page.index("Words.")


def test_mathematics_that_can_not_be_typeset_names_its_page(tmp_path):
    book = TinyBook(tmp_path / "book")
    book.page("one.md", "# One\n\nA $\\frac{1}{$ and more.\n")
    for _ in range(2):
        done = book.build()
        assert done.returncode == 1
        assert "book/one: the page can't be typeset: Missing close brace" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_faulty_card_is_said_before_anything_runs(tmp_path):
    book = TinyBook(tmp_path / "book")
    book.page("one.ipynb", chapter("one"))
    card = 'name = "t"\ntitle = "T"\nsummary = "S"\nload = "l"\n[size]\nitems = 1\n[[sources]]\nwhat = "w"\n'
    book.write("mmbook/datasets/toys/card.toml", card)
    done = book.build()
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "licence" in done.stderr
    assert book.events() == []


def test_a_notebook_without_a_kernelspec_and_an_example_of_a_code_cell_are_fine(tmp_path):
    book = TinyBook(tmp_path / "book")
    page = chapter("one", "print('x')")
    del page["metadata"]["kernelspec"], page["metadata"]["language_info"]
    book.page("one.ipynb", page)
    book.page("two.md", "# Two\n\n````markdown\n```{code-cell}\n1\n```\n````\n")
    done = book.build()
    assert done.returncode == 0, done.stderr


def test_what_the_map_does_not_name_is_neither_read_nor_said(tmp_path):
    book = TinyBook(tmp_path / "book")
    book.page("words.md", "# Words\n")
    book.write("book/draft.md", "# Draft\n\n{nonsense}`x`\n")
    book.write("notes/words.md", "# Words of another folder\n\n![lost](lost.png)\n")
    book.write("book/words-2.md", "no title\n")
    result = book.build()
    assert result.returncode == 0, result.stdout + result.stderr
    assert sorted(p.name for p in (book.root / "_build/html/book").glob("*.html")) == ["intro.html", "words.html"]
    assert not (book.root / "_build/html/notes").exists()
