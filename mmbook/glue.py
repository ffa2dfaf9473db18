"""Findings in prose: a value that a cell computed, under a name by which a sentence of the page can say it.

In the text write ``{glue:text}`name` ``; the build fills in the value. In Jupyter and Colab nothing is shown.
"""

from __future__ import annotations

import re

PREFIX = "application/papermill.record/"  # how myst-nb marks a value that is not shown where it was made


def percent(share: float, digits: int = 0) -> str:
    """A share of 1 in words: ``percent(0.273)`` is ``"27 %"``, with a no-break space."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%".replace("-", "−")


def points(difference: float, digits: int = 0) -> str:
    """A difference of two shares in words: ``points(0.273)`` is ``"27 points"``, with a no-break space."""
    return f"{100 * difference:.{digits}f}\N{NO-BREAK SPACE}points".replace("-", "−")


def glue(name: str, value: str | float) -> None:
    """Keep a value for the prose of this page.

    Args:
        name: letters, digits, hyphens and underscores.
        value: words as they should stand in the sentence, or a number, of which three digits are kept.

    Raises:
        ValueError: a name with other characters.
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"{name!r} is no name for a value: use letters, digits, hyphens and underscores")
    text = value if isinstance(value, str) else f"{value:.3g}".replace("-", "−")
    from IPython import get_ipython
    from IPython.display import publish_display_data

    if get_ipython() is not None:
        metadata = {"scrapbook": {"name": name, "mime_prefix": PREFIX}}
        publish_display_data({f"{PREFIX}text/plain": text}, metadata=metadata)
