"""What the build reads from executed notebooks: claims, named figures, pictures without alternative text."""

from __future__ import annotations

import pytest
from scripts.tinybook import code, markdown, notebook, output

from bookkit.build import collect
from bookkit.errors import BookError

RECORD = {
    "found": "+0.5, 95 % interval 0.4 to 0.6, 5 values",
    "asked": "at least 0.1 more",
    "unit": "",
    "covers": "data drawn anew",
    "unwelcome": False,
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
        page = with_outputs(claim_output())
        (found,) = collect.claims("book/fusion/late-fusion", page)
        assert found == {"chapter": "fusion/late-fusion", "anchor": page["cells"][1]["id"], **RECORD}

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


class TestChapterCards:
    PAGE = (
        {**code("first"), "id": "one", "outputs": [output({"text/html": NAMED_SVG}, mmbook={"alt": "a rising line"})]},
        {**code("second"), "id": "two", "outputs": [claim_output(), claim_output(found="+12.5 points, 95 % interval")]},
        {**code("third"), "id": "three", "outputs": [output({"x/text/plain": "4 in 10"}, scrapbook={"name": "n-o"})]},
    )

    def page(self, **card):
        made = notebook(markdown("# T"), *self.PAGE)
        made["metadata"].setdefault("mmbook", {})["card"] = card
        return made

    def test_a_finding_names_glued_values_and_what_claims_found(self):
        told = "By {two}, by {two-2}, in {n-o}."
        card, faults = collect.chapter_card("book/a", self.page(finding=told, figure="one", after=["b"]))
        assert faults == []
        assert card["finding"] == "By 0.5, by 12.5\xa0points, in 4 in 10."
        assert card["figure"] == {"html": NAMED_SVG, "alt": "a rising line"}
        assert card["after"] == ["b"]

    def test_without_a_choice_it_is_the_first_figure_and_the_first_measured_claim(self):
        card, faults = collect.chapter_card("book/a", self.page())
        assert (card["finding"], card["figure"]["html"], faults) == ("fusion helps.", NAMED_SVG, [])

    def test_what_the_page_does_not_have_is_a_fault_that_names_it(self):
        _, faults = collect.chapter_card("book/a", self.page(finding="{nothing}", figure="two"))
        assert len(faults) == 2
        assert "book/a" in faults[0]
        assert "{nothing}" in faults[0]
        assert "'two'" in faults[1]

    @pytest.mark.parametrize("card", ["a text", {"after": "b"}, {"finding": 3}, {"after": [1]}])
    def test_a_card_of_another_form_is_one_line(self, card):
        page = self.page()
        page["metadata"]["mmbook"]["card"] = card
        made, faults = collect.chapter_card("book/a", page)
        assert made["finding"] == "fusion helps."
        assert len(faults) == 1
        assert "book/a: metadata mmbook.card is no mapping" in faults[0]


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


class TestUnshown:
    @pytest.mark.parametrize("mime", ["application/vnd.widget-view+json", "application/json", collect.CLAIM])
    def test_an_output_without_anything_to_show(self, mime):
        (fault,) = collect.unshown("book/a", with_outputs(output({mime: {}})))
        assert mime in fault
        assert "book/a, output of cell 2" in fault

    @pytest.mark.parametrize(
        "data",
        [{"text/html": "<p>x</p>"}, {"text/plain": "x"}, {"image/png": "x"}, {collect.CLAIM: RECORD, "text/html": "x"}],
        ids=str,
    )
    def test_others_are_left_alone(self, data):
        assert collect.unshown("book/a", with_outputs(output(data))) == []


def test_the_claim_type_is_the_one_of_mmbook():
    from mmbook import claims

    assert claims.MIME == collect.CLAIM
    fields = set(claims.Claim.__dataclass_fields__)
    assert fields == set(RECORD)


CARD = 'name = "toys"\ntitle = "Toys"\nsummary = "Few."\nload = "from x import y"\n[size]\nitems = 3\n'


class TestCards:
    def test_size_and_users(self, tmp_path):
        folder = tmp_path / "mmbook/datasets/toys"
        (folder / "files").mkdir(parents=True)
        (folder / "card.toml").write_text(CARD)
        (folder / "files/toys.bin").write_bytes(b"x" * 1000)
        (tmp_path / "mmbook/worlds").mkdir()
        (tmp_path / "mmbook/worlds/drawn.toml").write_text(CARD.replace("toys", "drawn"))
        reached = {
            "book/fusion/a": {"mmbook.datasets.toys", "mmbook.datasets"},
            "book/fusion/b": {"mmbook.datasets", "mmbook.worlds"},
            "book/fusion/c": {"mmbook.worlds.drawn"},
        }
        toys, drawn = collect.cards(tmp_path, reached)
        assert toys["used_in"] == ["fusion/a"]
        assert toys["size"] == {"items": 3, "bytes": 1000}
        assert drawn["used_in"] == ["fusion/c"]
        assert "bytes" not in drawn["size"]

    def test_none(self, tmp_path):
        assert collect.cards(tmp_path, {}) == []

    @pytest.mark.parametrize(
        ("text", "pattern"),
        [('name = "toys"', "no title and no summary and no load and no size; add"), ("name =", "TOML")],
    )
    def test_a_card_that_lacks_something_is_named(self, tmp_path, text, pattern):
        folder = tmp_path / "mmbook/datasets/toys"
        folder.mkdir(parents=True)
        (folder / "card.toml").write_text(text)
        with pytest.raises(BookError, match=rf"toys/card\.toml: .*{pattern}"):
            collect.cards(tmp_path, {})
