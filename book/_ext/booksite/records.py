"""Read what scripts/build_book.py leaves in `_build`: the records (`*.json`) and the outputs of executed chapters.

Every file that a page was made from is noted as its dependency, so Sphinx reads the page again when that changes.
The build writes a file only when its content differs.
"""

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

logger = logging.getLogger(__name__)
GLUE = re.compile(r"\{glue(?::\w+)?\}`[^`]*`")
GLUE_BLOCK = re.compile(r"^(`{3,}|:{3,})\{glue(?::\w+)?\}.*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r"^(?:#[ \t]+\S.*|[^\n]+\n=+[ \t]*)$", re.MULTILINE)
SETUP = re.compile(r"setup-[0-9a-f]{8}x*")
FAILED = "This chapter **failed** when the book was built, so it is shown without results."
NOT_RUN = "This chapter was **not run** when the book was built, so it is shown without results."
CLAIM_ROW = '<div class="mm-claim"'
BANNER = "\n\n:::{{warning}}\n{}\n:::"
COST = "\n\n{{.mm-cost}}\nIt ran in {time} on one processor core, with {memory:.1f} GB of memory."


def folder(app: Sphinx) -> Path:
    """Return the folder of the records: `_build`, beside `_build/html`."""
    return Path(app.outdir).parent


def load(env: BuildEnvironment, name: str) -> Any:
    """Return the content of record `name`, or None when it is missing or unreadable, and note the use."""
    env.note_dependency(str(folder(env.app) / f"{name}.json"))
    return read(env.app, name)


def read(app: Sphinx, name: str) -> Any:
    """Return the content of record `name`, or None when it is missing or unreadable."""
    path = folder(app) / f"{name}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        logger.warning("%s is not JSON (%s): run `make book` again", path, error)
        return None


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give a notebook the outputs of its execution, or a banner when there are none (event `source-read`)."""
    if not app.env.doc2path(docname).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    page = load(app.env, f"pages/{docname}") or {}
    executed = folder(app) / page["executed"] if page.get("executed") else None
    outputs, note = [], BANNER.format(FAILED if page.get("failed") else NOT_RUN)
    if executed is not None and executed.is_file():
        app.env.note_dependency(str(executed))
        done = [c for c in json.loads(executed.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
        if same_code(notebook, done):
            outputs, note = [cell["outputs"] for cell in done], cost(page)
        else:
            logger.warning("was edited while the book was built; build it again", location=docname)
    merge(notebook, outputs, note + way(page, app.env.found_docs))
    notebook["metadata"].setdefault("kernelspec", {"display_name": "Python 3", "name": "python3"})
    notebook["metadata"].setdefault("language_info", {"name": "python"})
    source[0] = json.dumps(notebook)


def same_code(notebook: dict[str, Any], done: list[dict[str, Any]]) -> bool:
    """Tell whether a notebook has the code that was executed; the address in its setup cell may be another one."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return len(code) == len(done) and all(
        SETUP.fullmatch(str(one.get("id"))) or "".join(one["source"]) == "".join(other["source"])
        for one, other in zip(code, done, strict=True)
    )


def merge(notebook: dict[str, Any], outputs: list[list[Any]], note: str) -> None:
    """Put outputs into the code cells, and a note below the title; without outputs glued values are not built."""
    cells = notebook["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    for index, cell in enumerate(code):
        shown = [as_said(output) for output in outputs[index]] if index < len(outputs) else []
        cell["outputs"] = anchored(shown, str(cell.get("id")))
    for cell in cells:
        cell["source"] = "".join(cell["source"])
        if SETUP.fullmatch(str(cell.get("id"))):  # some tools strip the tag that hides it
            cell["metadata"]["tags"] = ["remove-cell"]
        if cell["cell_type"] == "markdown" and len(outputs) < len(code):
            cell["source"] = GLUE.sub("(not built)", GLUE_BLOCK.sub("(not built)", cell["source"]))
    words = (cell for cell in cells if cell["cell_type"] == "markdown")
    titled = next(((cell, title) for cell in words if (title := TITLE.search(cell["source"]))), None)
    if titled:
        cell, title = titled
        cell["source"] = f"{cell['source'][: title.end()]}{note}\n{cell['source'][title.end() :]}"
    elif note:
        cells.insert(0, {"cell_type": "markdown", "id": "note", "metadata": {}, "source": note.strip()})


def as_said(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output; a glued value in quotes, because myst-nb reads bare words as Python and turns 0.70 into 0.7."""
    if "scrapbook" not in output.get("metadata", {}):
        return output
    data = {key: repr("".join(value)) if key.endswith("text/plain") else value for key, value in output["data"].items()}
    return {**output, "data": data}


def claim_id(cell: str, number: int) -> str:
    """Return the id that the row of a claim has in its chapter: of the first, second, ... claim of a cell."""
    return f"claim-{cell}" if number == 1 else f"claim-{cell}-{number}"


def anchored(outputs: list[dict[str, Any]], cell: str) -> list[dict[str, Any]]:
    """Return the outputs of a cell, its claims with ids to which the page of claims leads."""
    number = 0
    for place, output in enumerate(outputs):
        html = output.get("data", {}).get("text/html")
        if html and (text := "".join(html)).startswith(CLAIM_ROW):
            number += 1
            row = text.replace(CLAIM_ROW, f'{CLAIM_ROW} id="{claim_id(cell, number)}"', 1)
            outputs[place] = {**output, "data": {**output["data"], "text/html": row}}
    return outputs


def cost(page: dict[str, Any]) -> str:
    """Return the line that says how long a page ran, if it did."""
    seconds = page.get("cpu_seconds") or 0
    if not seconds:
        return ""
    time = f"{seconds:.0f} seconds" if seconds < 100 else f"{seconds / 60:.1f} minutes"
    return COST.format(time=time, memory=page["peak_mb"] / 1000)


def way(page: dict[str, Any], known: set[str]) -> str:
    """Return the line that says which chapters come before a page, and which build on it."""
    parts = []
    for word, key in (("Read first:", "after"), ("Leads to:", "leads")):
        links = [f"{{doc}}`/book/{name}`" for name in page.get(key, ()) if f"book/{name}" in known]
        parts += [f"{word} {', '.join(links)}"] if links else []
    return f"\n\n{{.mm-cost}}\n{' · '.join(parts)}" if parts else ""


def connect(app: Sphinx) -> None:
    """Register the handler."""
    app.connect("source-read", fill)
