"""Read the records of the build (`_build/*.json`) and tell Sphinx which pages depend on them.

Sphinx would compare file times, but the build rewrites the files each time. Pages are read
again exactly when the content that they showed has changed.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

logger = logging.getLogger(__name__)


def folder(app: Sphinx) -> Path:
    """Return the folder of the records: `_build`, beside `_build/html`."""
    return Path(app.outdir).parent


def digest(path: Path) -> str:
    """Return a hash of a file's content, or an empty string when it does not exist."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def uses(env: BuildEnvironment) -> dict[str, dict[str, str]]:
    """Return the table page -> record -> hash at reading time. It is kept in Sphinx's environment."""
    if not hasattr(env, "booksite_uses"):
        env.booksite_uses = {}
    return env.booksite_uses


def load(env: BuildEnvironment, name: str) -> Any:
    """Return the content of record `name`, or None when it is missing or unreadable, and note the use."""
    path = folder(env.app) / f"{name}.json"
    uses(env).setdefault(env.docname, {})[name] = digest(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        logger.warning("%s is not JSON (%s): run `make book` again", path, error)
        return None


def outdated(app: Sphinx, env: BuildEnvironment, added: set, changed: set, removed: set) -> list[str]:
    """List the pages that show a record whose content has changed (event `env-get-outdated`)."""
    here = folder(app)
    # A chapter that was executed again must be read again although its source is as old as before.
    path = here / "executions.json"
    stamps = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    before = getattr(env, "booksite_stamps", {})
    env.booksite_stamps = stamps
    executed = [page for page, stamp in stamps.items() if page in env.found_docs and before.get(page) != stamp]
    return executed + [
        page
        for page, records in uses(env).items()
        if page in env.found_docs and any(digest(here / f"{name}.json") != old for name, old in records.items())
    ]


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget a page that is about to be read again (event `env-purge-doc`)."""
    uses(env).pop(docname, None)


def merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    """Take over what a parallel reader noted (event `env-merge-info`)."""
    uses(env).update({page: records for page, records in uses(other).items() if page in docnames})


def connect(app: Sphinx) -> None:
    """Register the three event handlers."""
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
