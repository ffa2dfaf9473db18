"""The Markdown of pages as Colab and GitHub show it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookkit.build.flatten import Targets, Work, flatten, read_works
from bookkit.course.config import Repository

SITE = "https://first.github.io/book/"
TARGETS = Targets(
    Repository("https://github.com/first/book", path_to_book="sub"),
    ref="abc123",
    pages=frozenset({"book/fusion/late", "book/fusion/early", "book/reference/run"}),
    terms={"late fusion": "book/reference/glossary.html#term-late-fusion"},
    labels={"times": ("book/reference/run.html#times", "Time and memory")},
    works={
        "tan2019": Work("Tan and Le", "2019", "https://arxiv.org/abs/1905.11946"),
        "ma2021": Work("Ma et al.", "2021", ""),
    },
    bibliography="book/reference/bibliography",
)
TERM = f"{SITE}book/reference/glossary.html#term-late-fusion"


def flat(text: str, **glued: str) -> str:
    return flatten(text, "book/fusion/late", TARGETS, glued)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{term}`late fusion` is", f"[late fusion]({TERM}) is"),
        ("{term}`Late  fusions <late fusion>`", f"[Late  fusions]({TERM})"),
        ("{term}`unknown`", "unknown"),
        ("{cite:t}`tan2019`", "[Tan and Le (2019)](https://arxiv.org/abs/1905.11946)"),
        (
            "{cite:p}`tan2019,ma2021`",
            "([Tan and Le, 2019](https://arxiv.org/abs/1905.11946); "
            f"[Ma et al., 2021]({SITE}book/reference/bibliography.html))",
        ),
        ("a {glue:text}`gain` more, {glue:text}`gone`", "a 27 points more, (not built)"),
        ("{ref}`times`, {ref}`how long <times>`", f"[Time and memory]({SITE}book/reference/run.html#times), "
         f"[how long]({SITE}book/reference/run.html#times)"),
        ("{doc}`early`", f"[book/fusion/early]({SITE}book/fusion/early.html)"),
        ("{kbd}`Ctrl`, {math}`x^2`, {sub}`2`, {odd:role}`words`", "<kbd>Ctrl</kbd>, $x^2$, <sub>2</sub>, words"),
        ("[Early](early.ipynb#idea \"t\")", f"[Early]({SITE}book/fusion/early.html#idea \"t\")"),
        ("[*a* [b]](../reference/run.md)", f"[*a* [b]]({SITE}book/reference/run.html)"),
        ("[here](#idea), [there](#times)", f"[here]({SITE}book/fusion/late.html#idea), "
         f"[there]({SITE}book/reference/run.html#times)"),
        ("[x](https://a.org/b), [y](mailto:a@b.c)", "[x](https://a.org/b), [y](mailto:a@b.c)"),
        ("![a cat](cat.png)", "![a cat](https://raw.githubusercontent.com/first/book/abc123/sub/book/fusion/cat.png)"),
        ("(label)=\n## Head\n% a comment\n{.wide}\ntext", "## Head\ntext"),
        ("`{term}` and ``{glue:text}`x` `` stay", "`{term}` and ``{glue:text}`x` `` stay"),
        ("$\\{a\\}$ and {1, 2}", "$\\{a\\}$ and {1, 2}"),
    ],
)  # fmt: skip
def test_words(text, wanted):
    assert flat(text, gain="27 points") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            ":::{admonition} An *answer*\n:class: dropdown\nYes, {glue:text}`gain`.\n\nNo.\n:::",
            "<details>\n<summary><b>An *answer*</b></summary>\n\nYes, 27 points.\n\nNo.\n\n</details>",
        ),
        ("```{note}\na\n\nb\n```", "> **Note**\n>\n> a\n>\n> b"),
        ("::::{tip} T\n:::{warning}\nx\n:::\n::::", "> **T**\n>\n> > **Warning**\n> >\n> > x"),
        ("```{math}\n:label: eq\nx = 1\n```", "$$\nx = 1\n$$"),
        ("```{code-block} python\nx = '{term}`a`'\n```", "```python\nx = '{term}`a`'\n```"),
        ("```python\n{term}`late fusion`\n:::{note}\n```", "```python\n{term}`late fusion`\n:::{note}\n```"),
        (
            "```{figure} x/cat.png\n:alt: a cat\nA {term}`late fusion` cat.\n```",
            "![a cat](https://raw.githubusercontent.com/first/book/abc123/sub/book/fusion/x/cat.png)\n\n"
            f"A [late fusion]({TERM}) cat.",
        ),
        ("- one\n\n  ```{note}\n  a\n  ```\n- two", "- one\n\n  > **Note**\n  >\n  > a\n- two"),
        ("```{claims-table}\n```", f"*[The site shows more here.]({SITE}book/fusion/late.html)*"),
        (":::{note}\nnever closed", ":::{note}\nnever closed"),
    ],
)
def test_blocks(text, wanted):
    assert flat(text, gain="27 points") == wanted


@given(st.text(alphabet="ab `{}:[]()\n$*#-_<>\\\"'.", max_size=60))
def test_no_text_breaks_it_and_code_is_kept(text):
    flat(text)
    code = f"~~~~~~~~~~~~\n{text}\n~~~~~~~~~~~~"
    assert flat(code) == code


@given(st.text(alphabet="abc xyz.,;()*\n", max_size=80))
def test_plain_prose_stays(text):
    assert flat(text) == text.strip("\n")


def test_works_are_named_as_on_the_site(tmp_path):
    (tmp_path / "a.bib").write_text(
        "@article{one, author={van der Berg, Jan}, title={T}, year={2001}, doi={10.1/x}}\n"
        "@misc{two, author={M{\\'e}, A and Li, B}, title={T}, year={2002}, howpublished={arXiv:1610.01644}}\n"
        "@misc{three, author={A, A and B, B and others}, title={T}, year={2003}, url={https://x.org}}\n"
        "@misc{four, author={A, A and others}, title={T}, year={2004}}\n"
    )
    (tmp_path / "b.bib").write_text("@article{broken,")
    works = read_works([tmp_path / "a.bib", tmp_path / "b.bib", tmp_path / "none.bib"])
    assert works["one"] == Work("van der Berg", "2001", "https://doi.org/10.1/x")
    assert works["two"] == Work("Mé and Li", "2002", "https://arxiv.org/abs/1610.01644")
    assert works["three"] == Work("A et al.", "2003", "https://x.org")
    assert works["four"] == Work("A et al.", "2004", "")
