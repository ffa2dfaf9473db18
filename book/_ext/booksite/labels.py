"""Labels of the bibliography that read as the citations in the prose do: [Arevalo et al., 2017]."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle

NAME = "author_year_labels"


class AuthorYearLabels(BaseLabelStyle):
    """Last names (from three authors on the first, "et al.") and the year; equal ones get a letter."""

    def format_labels(self, entries: list[Any]) -> Iterator[str]:
        """Yield the label of each entry."""
        labels = [f"{authors(entry)}, {entry.fields.get('year', 'n.d.')}" for entry in entries]
        often, seen = Counter(labels), Counter[str]()
        for label in labels:
            letter = chr(ord("a") + seen[label]) if often[label] > 1 else ""
            seen[label] += 1
            yield label + letter


def authors(entry: Any) -> str:
    """Return the last names of an entry's authors."""
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [str(Text.from_latex(" ".join([*person.prelast_names, *person.last_names]))) for person in people]
    if not names:
        return str(entry.key)
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


class Style(PlainStyle):
    """The plain style, sorted by author, with these labels."""

    default_label_style = AuthorYearLabels


def connect() -> None:
    """Let `_config.yml` name the style."""
    register_plugin("pybtex.style.formatting", NAME, Style, force=True)
