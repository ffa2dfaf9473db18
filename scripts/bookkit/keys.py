"""What a chapter's result depends on: its code, the helper modules it can reach, data, pins, seed."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from bookkit.notebook import source

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
HARMLESS_MAGICS = {"pip", "matplotlib", "config"}


class Helpers:
    """The helper package of one book: its files, and which module imports which.

    The import graph is static and on the level of modules. Where code could import by name at run
    time (``importlib``, ``exec``, ...), the whole package counts as reached.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / PACKAGE

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Dotted name -> file."""
        found = {}
        for path in sorted(self.folder.rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    @cached_property
    def data_files(self) -> list[Path]:
        """Everything in the package that is not Python source."""
        skipped = (".py", ".pyc", ".part")
        return sorted(p for p in self.folder.rglob("*") if p.is_file() and p.suffix not in skipped)

    def reached(self, codes: Iterable[str]) -> set[str]:
        """Modules of the package that these pieces of code can import, directly or not."""
        todo: set[str] = set()
        for code in codes:
            todo |= self._imports(code, PACKAGE)
        done: set[str] = set()
        while todo:
            name = todo.pop()
            done.add(name)
            is_package = self.modules[name].name == "__init__.py"
            parent = name if is_package else name.rpartition(".")[0]
            todo |= self._imports(self.modules[name].read_text(encoding="utf-8", errors="replace"), parent) - done
        return done

    def _imports(self, code: str, parent: str) -> set[str]:
        """Modules that a piece of code names; all of them where it could import by name at run time."""
        tree = _parse(code)
        names = None if tree is None else _named(tree, parent)
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
        """Hash of every file that these pieces of code can reach."""
        reached = self.reached(codes)
        files = [self.modules[name] for name in reached]
        if any(name.startswith(f"{PACKAGE}.datasets") for name in reached):
            files += self.data_files
        parts = [f"{p.relative_to(self.root).as_posix()}:{_file_digest(p)}" for p in sorted(files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


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


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def code_sources(notebook: dict[str, Any]) -> list[str]:
    """The sources of the code cells, in order."""
    return [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def page_key(notebook: dict[str, Any], helpers: Helpers, seed: str) -> str:
    """The cache key of an executed page: equal keys give equal outputs."""
    codes = code_sources(notebook)
    pins = helpers.root / "requirements.txt"
    parts = {
        "code": codes,
        "kernel": notebook.get("metadata", {}).get("kernelspec", {}).get("name"),
        "helpers": helpers.digest(codes),
        "requirements": pins.read_text(encoding="utf-8") if pins.is_file() else "",
        "python": list(sys.version_info[:2]),
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
