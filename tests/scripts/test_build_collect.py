"""What the build reads from executed notebooks: claims, named figures, pictures without alternative text."""

from __future__ import annotations

import json

import pytest
from scripts.tinybook import code, markdown, notebook, output

from bookkit import collect
from bookkit.errors import BookError

RECORD = {
    "statement": "fusion helps",
    "kind": "difference",
    "effect": 0.5,
    "low": 0.4,
    "high": 0.6,
    "at_least": 0.1,
    "seeds": 5,
    "holds": True,
}
NAMED_SVG = '<figure class="mm-figure"><svg role="img" aria-label="rising line"><path/></svg></figure>'


def with_outputs(*outputs):
    return notebook(markdown("# T"), {**code("x"), "outputs": list(outputs)})


def claim_output(**changes):
    return output({collect.CLAIM: {**RECORD, **changes}, "text/html": "<div>row</div>", "text/plain": "row"})


class TestClaims:
    def test_keys_are_those_of_the_contract(self):
        (found,) = collect.claims("book/fusion/late-fusion", with_outputs(claim_output()))
        assert found == {"chapter": "fusion/late-fusion", **RECORD}

    def test_order_of_the_page_and_other_outputs_left_out(self):
        stream = {"output_type": "stream", "name": "stdout", "text": collect.CLAIM}
        error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
        page = with_outputs(
            claim_output(statement="b"), stream, error, output({"text/plain": "1"}), claim_output(statement="a")
        )
        page["cells"].append({**code("y"), "outputs": [claim_output(statement="c", holds=False)]})
        assert [(c["statement"], c["holds"]) for c in collect.claims("book/a", page)] == [
            ("b", True),
            ("a", True),
            ("c", False),
        ]

    def test_a_page_outside_of_the_folder_keeps_its_name(self):
        assert collect.claims("other/a", with_outputs(claim_output()))[0]["chapter"] == "other/a"


class TestFigures:
    def test_named_ones_only(self):
        page = with_outputs(
            output({"text/html": NAMED_SVG}, mmbook={"figure": "margins", "alt": "rising line"}),
            output({"text/html": ["<figure>", "x</figure>"]}, mmbook={"figure": "other", "alt": "a b c"}),
            output({"text/html": NAMED_SVG}, mmbook={"figure": None, "alt": "rising line"}),
            output({"text/html": NAMED_SVG}),
        )
        assert collect.figures("book/fusion/a", page) == {
            "fusion/a#margins": {"html": NAMED_SVG, "alt": "rising line"},
            "fusion/a#other": {"html": "<figure>x</figure>", "alt": "a b c"},
        }


BAD_MARKDOWN = {
    "picture": "![](a.png)",
    "picture with blanks": "![  ](a.png)",
    "file name": "![a.png](a.png)",
    "file name in capitals": "![IMG.JPEG](a.png)",
    "with title": '![](a.png "Title")',
    "attachment": "![](attachment:a.png)",
    "in a sentence": "See ![](a.png) here.",
    "second of two": "![a line](a.png) ![](b.png)",
    "by reference": "![][pic]\n\n[pic]: a.png",
    "blank in the path": "![](<a b.png>)",
    "in a list": "- first\n- ![](a.png)",
    "figure": "```{figure} a.png\nA caption.\n```",
    "figure with other options": "```{figure} a.png\n:name: a\n:width: 50%\n\nA caption.\n```",
    "figure with empty alt": "```{figure} a.png\n:alt:\n\nA caption.\n```",
    "image": "```{image} a.png\n```",
    "colon figure": ":::{figure} a.png\n:name: a\nA caption.\n:::",
    "long fence": "````{figure} a.png\nA caption.\n````",
    "tilde fence": "~~~{figure} a.png\nA caption.\n~~~",
    "indented figure": "1. Step\n\n   ```{figure} a.png\n   A caption.\n   ```",
    "figure in a note": "````{note}\n```{figure} a.png\nA caption.\n```\n````",
    "figure with a file name": "```{figure} a.png\n:alt: a.png\n```",
    "alt in the caption only": "```{figure} a.png\n\nThis caption explains alt: text.\nalt: no\n```",
    "html": '<img src="a.png">',
    "html in capitals": '<IMG SRC="a.png">',
    "html, empty": '<img src="a.png" alt="">',
    "html, file name": '<img src="a.png" alt="a.png">',
    "svg": '<svg viewBox="0 0 1 1"><path/></svg>',
    "after a code sample": "```python\nx = 1\n```\n\n![](a.png)",
    "between two code samples": "```\nx\n```\n\n![](a.png)\n\n```\ny\n```",
    "between two directives": "```{note}\nhi\n```\n\n![](a.png)\n\n```{note}\nho\n```",
    "between two directives, html": '```{note}\nhi\n```\n\n<img src="a.png">\n\n```{tip}\nho\n```',
    "figure between two directives": "```{note}\nhi\n```\n\n```{figure} a.png\n```\n\n```{note}\nho\n```",
    "raw": "```{raw} html\n<img src=a.png>\n```",
    "restructured text": "```{eval-rst}\n.. image:: a.png\n   :width: 50%\n```",
    "inside a directive": "```{note}\n![](a.png)\n```",
    "after a sample of a directive": "````\n```{note}\n````\n\n![](a.png)",
}

GOOD_MARKDOWN = {
    "picture": "![a rising line](a.png)",
    "picture with a title": '![a rising line](a.png "Title")',
    "brackets": "![accuracy [0, 1] by epoch](a.png)",
    "link": "[](a.md) and [a.png](a.png)",
    "figure": "```{figure} a.png\n:alt: a rising line\n:name: a\n\nA caption.\n```",
    "figure with alt further down": "```{figure} a.png\n:name: a\n:alt: a rising line\n```",
    "figure with yaml options": "```{figure} a.png\n---\nname: a\nalt: a rising line\n---\nA caption.\n```",
    "colon figure": ":::{figure} a.png\n:alt: a rising line\n:::",
    "image": "```{image} a.png\n:alt: a rising line\n```",
    "html": '<img src="a.png" alt="a rising line">',
    "html, decorative": '<img src="a.png" alt="" aria-hidden="true">',
    "svg with a label": '<svg role="img" aria-label="a rising line"><path/></svg>',
    "svg with a title": "<svg role='img'><title>A rising line</title><path/></svg>",
    "svg in svg": '<svg aria-label="a rising line"><svg><path/></svg></svg>',
    "code sample": "```markdown\n![](a.png)\n```",
    "tilde code sample": "~~~\n![](a.png)\n<img src=x>\n~~~",
    "code sample of a figure": "````markdown\n```{figure} a.png\n```\n````",
    "raw": "```{raw} html\n<img src=a.png alt='a rising line'>\n```",
    "math": "```{math}\nn![k](x)\n```",
    "inline code": "Write `![](a.png)` and `<img src=x>`.",
    "code block directive": "```{code-block} markdown\n![](a.png)\n```",
    "an index after a factorial": "n![k](x) is no picture: $n! [k]$",
}


class TestMarkdown:
    @pytest.mark.parametrize("text", BAD_MARKDOWN.values(), ids=BAD_MARKDOWN)
    def test_is_found(self, text):
        faults = collect.missing_alt_in_text("book/a", f"# T\n\n{text}\n")
        assert len(faults) == 1, faults
        assert faults[0].startswith("book/a")

    @pytest.mark.parametrize("text", GOOD_MARKDOWN.values(), ids=GOOD_MARKDOWN)
    def test_is_left_alone(self, text):
        assert collect.missing_alt_in_text("book/a", f"# T\n\n{text}\n") == []

    def test_in_a_notebook_the_cell_is_named(self):
        page = notebook(markdown("# T"), code("'![](a.png)'"), markdown("![](a.png)\n\n![](b.png)"))
        first, second = collect.missing_alt("book/a", page)
        assert "cell 3" in first
        assert "a.png" in first
        assert "b.png" in second


class TestOutputs:
    @pytest.mark.parametrize(
        "data",
        [
            {"image/png": "iVBOR", "text/plain": "<Figure>"},
            {"image/svg+xml": "<svg/>", "text/plain": "x"},
            {"image/jpeg": "x"},
            {"text/html": '<img src="data:image/png;base64,x">'},
            {"text/html": ["<p>x</p>", '<svg viewBox="0 0 1 1"></svg>']},
            {"text/html": '<IMG SRC="x">'},
            {"text/markdown": "![](a.png)", "text/plain": "x"},
            {"text/markdown": '<img src="a.png">', "text/plain": "x"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("kind", ["display_data", "execute_result"])
    def test_is_found(self, data, kind):
        (fault,) = collect.missing_alt("book/a", with_outputs(output(data, kind)))
        assert "book/a" in fault
        assert "cell 2" in fault

    @pytest.mark.parametrize(
        "data",
        [
            {"text/html": NAMED_SVG, "text/plain": "x"},
            {"text/html": list(NAMED_SVG)},
            {"text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "x"},
            {"text/plain": "<img src=x>"},
            {"text/markdown": "![a rising line](a.png)"},
            {"application/vnd.mmbook.claim+json": RECORD, "text/html": "<div>row</div>"},
        ],
        ids=str,
    )
    def test_is_left_alone(self, data):
        assert collect.missing_alt("book/a", with_outputs(output(data))) == []

    @pytest.mark.parametrize("mime", ["application/vnd.widget-view+json", "application/json", collect.CLAIM])
    def test_an_output_without_anything_to_show(self, mime):
        (fault,) = collect.missing_alt("book/a", with_outputs(output({mime: {}})))
        assert mime in fault

    def test_streams_and_errors_are_no_pictures(self):
        stream = {"output_type": "stream", "name": "stdout", "text": "<img src=x>"}
        assert collect.missing_alt("book/a", with_outputs(stream)) == []

    def test_every_output_is_looked_at(self):
        good, bad = output({"text/html": NAMED_SVG}), output({"image/png": "x"})
        assert len(collect.missing_alt("book/a", with_outputs(good, bad, good, bad))) == 2


def test_what_mmbook_shows_passes_and_a_claim_is_collected():
    """The real package's markup, not the tests' imitation."""
    pytest.importorskip("matplotlib")
    from mmbook import plotting

    drawn, axes = plotting.figure()
    axes.plot([1, 2])
    made = plotting.to_html(drawn, alt='A "rising" line & more')
    assert collect.missing_alt("book/a", with_outputs(output({"text/html": made}))) == []
    assert collect.missing_alt("book/a", with_outputs(output({"text/html": made.replace("aria-label", "x")}))) != []


def test_the_claim_type_is_the_one_of_mmbook():
    from mmbook import claims

    assert claims.MIME == collect.CLAIM
    fields = set(claims.Claim.__dataclass_fields__)
    assert fields == set(RECORD)


class TestCards:
    def test_size_and_users(self, tmp_path):
        folder = tmp_path / "mmbook/datasets/files/toys"
        folder.mkdir(parents=True)
        card = {"name": "toys", "title": "Toys", "summary": "Few.", "size": {"items": 3}}
        card["loaders"] = ["load_toys", "mmbook.datasets.toys"]
        (folder / "card.json").write_text(json.dumps(card))
        (folder / "toys.bin").write_bytes(b"x" * 1000)
        codes = {
            "book/fusion/a": "from mmbook.datasets import load_toys",
            "book/fusion/b": "load_toys_too()",
            "book/fusion/c": "from sklearn.datasets import load_toys",
            "book/fusion/d": "from mmbook.datasets import (\n    load_other,\n    load_toys,\n)",
            "book/fusion/e": "from mmbook.datasets.toys import draw",
        }
        (found,) = collect.cards(tmp_path, codes)
        assert found["used_in"] == ["fusion/a", "fusion/d", "fusion/e"]
        assert found["size"]["bytes"] == 1000

    def test_none(self, tmp_path):
        assert collect.cards(tmp_path, {}) == []

    def test_a_card_that_lacks_something_is_named(self, tmp_path):
        folder = tmp_path / "mmbook/datasets/files/toys"
        folder.mkdir(parents=True)
        (folder / "card.json").write_text('{"name": "toys", "title": "Toys", "summary": "Few."}')
        with pytest.raises(BookError, match=r"toys/card\.json: the data card has no loaders and no size; add"):
            collect.cards(tmp_path, {})
