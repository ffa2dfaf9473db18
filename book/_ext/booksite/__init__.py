"""What this book adds to Jupyter Book, as a Sphinx extension.

- `records`: reads the JSON that scripts/build_book.py leaves, and gives chapters the outputs of their execution.
- `directives`: the tables, cards and the figure made from that JSON.
- `finish`: turns the theme's HTML into right HTML after Sphinx wrote it, with `repairs`, `icons` (in place of a 1.5 MB
  script), `media` (sounds and moving pictures as files), `terms` (definitions on hover, numbers of figures), `maths`
  (typeset here instead of in the browser), `pictures` (which have a fault) and `styles` (without rules that no page
  can use).
"""

import hashlib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from . import directives, finish, records, terms

__version__ = "1.0"


def own_digest() -> str:
    """Return a hash of this package, so that an edit here renders every page again."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the parts; Sphinx calls this once."""
    app.add_config_value("booksite_digest", own_digest(), "html")
    records.connect(app)
    terms.connect(app)
    directives.connect(app)
    finish.connect(app)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
