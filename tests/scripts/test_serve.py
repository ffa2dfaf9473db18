"""`make serve`: what an edit executes and renders. The library that watches and reloads is stood in for."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import serve
from scripts.tinybook import TinyBook, chapter


@pytest.fixture
def book(tmp_path, monkeypatch) -> TinyBook:
    book = TinyBook(tmp_path / "book")
    monkeypatch.setenv("TINY_TRACE", str(book.trace))
    book.page("words.md", "# Words\n\nBefore.\n")
    book.page("one.ipynb", chapter("one"))
    return book


def test_an_edit_of_words_executes_nothing_and_one_of_code_that_chapter_alone(book, monkeypatch, capsys):
    book.page("two.ipynb", chapter("two"))
    watched, seen = {}, []

    class Server:
        def watch(self, path, func, ignore) -> None:
            watched[path] = func
            assert ignore(f"{path}/.x.swp")
            assert not ignore(f"{path}/x.md")

        def serve(self, root, host, port) -> None:
            assert (root, host, port) == (str(book.root / "_build/html"), "127.0.0.1", 8123)
            save = watched[str(book.root / "book")]
            seen.append(book.events())
            book.page("words.md", "# Words\n\nAfter.\n")
            assert save() == []
            seen.append(book.events())
            assert "After." in book.html("words")
            book.page("one.ipynb", chapter("one", "assert False, 'wrong'"))
            assert save() != []
            book.page("one.ipynb", chapter("one", "print('mended')"))
            assert save() == []
            seen.append(book.events())
            assert "mended" in book.html("one")
            raise KeyboardInterrupt

    module = ModuleType("livereload")
    module.Server = Server  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "livereload", module)
    assert serve.main(["--root", str(book.root), "--port", "8123"]) == 0
    assert [sorted(events) for events in seen] == [["one", "two"], [], ["one", "one"]]
    assert str(book.root / "_toc.yml") in watched
    out = capsys.readouterr().out
    assert "wrong" in out
    assert out.count("up to date after") == 3


def test_a_broken_map_is_said_and_the_site_stays_up(book, monkeypatch, capsys):
    site = serve.Site(book.root)
    assert site.rebuild() == []
    book.write("_toc.yml", "format: jb-book\nroot: [\n")
    (problem,) = site.rebuild()
    assert "_toc.yml" in problem
    assert problem in capsys.readouterr().out
    assert book.rendered
    site.stack.close()


def test_without_the_library_one_line_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "livereload", None)
    assert serve.main([]) == 2
    assert "authoring.txt" in capsys.readouterr().err
