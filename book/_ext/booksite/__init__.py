"""What this book adds to Jupyter Book, as a Sphinx extension.

- `records`: reads the JSON that scripts/build_book.py leaves, and gives chapters the outputs of their execution.
- `directives`: the tables, cards of data sets and the figure made from that JSON; `cards`: those of the chapters;
  `evidence`: the page of claims; `labels`: those of the bibliography; `scorer.js`: how the search ranks pages.
- `finish`: turns the theme's HTML into right HTML after Sphinx wrote it, with `repairs`, `icons` (in place of a 1.5 MB
  script), `media` (sounds and moving pictures as files), `terms` (definitions on hover, numbers of figures), `maths`
  (typeset here instead of in the browser), `pictures` (which have a fault) and `styles` (without rules that no page
  can use).
"""

import hashlib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

from . import cards, directives, evidence, finish, labels, records, terms

__version__ = "1.0"
SCORER = Path(__file__).with_name("scorer.js")


def own_digest() -> str:
    """Return a hash of this package, so that an edit here renders every page again."""
    sources = sorted([*Path(__file__).parent.glob("*.py"), SCORER])
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def read_only_the_toc(app: Sphinx, config: Config) -> None:
    """Let Sphinx read the pages of `_toc.yml` alone (event `config-inited`, after sphinx-external-toc read it).

    Jupyter Book's `only_build_toc_files` says the same, except that it first lists every file of the project, of
    `_build` and of a virtual environment: a second of each build.
    """
    names = [*config.external_site_map, *config.external_site_map.globs()]
    config.include_patterns = [pattern for name in names for pattern in (name, f"{name}.*")]


def rank_by_all_words(app: Sphinx, config: Config) -> None:
    """Let the search count every word of a query (event `config-inited`); a book may name another rule."""
    config.html_search_scorer = config.html_search_scorer or str(SCORER)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the parts; Sphinx calls this once."""
    app.add_config_value("booksite_digest", own_digest(), "html")
    app.connect("config-inited", read_only_the_toc, priority=990)
    app.connect("config-inited", rank_by_all_words)
    records.connect(app)
    terms.connect(app)
    labels.connect()
    cards.connect(app)
    directives.connect(app)
    evidence.connect(app)
    finish.connect(app)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
