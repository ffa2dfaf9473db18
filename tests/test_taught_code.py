"""What a chapter teaches and mmbook keeps a copy of is one piece of code: the syntax trees are compared.

Docstrings, comments and annotations may differ: a chapter has its prose around them.
"""

import ast
import json
from pathlib import Path

import pytest

from bookkit.toc import read_toc
from mmbook import fusion

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "mmbook/fusion").glob("*.py")) + [ROOT / "mmbook/encoders/audio.py"]
NOT_TAUGHT = {"Fusion"}  # plumbing: checks names and sorts them


def definitions(code: str) -> dict[str, str]:
    """Name -> normalised syntax tree of each class and function on the top level."""
    found = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = ast.dump(Plain().visit(node))
    return found


class Plain(ast.NodeTransformer):
    """Drops docstrings, annotations and what only annotations need."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return self.generic_visit(ast.Assign([node.target], node.value, lineno=node.lineno))

    def _without_docstring(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)


def chapter_definitions() -> list[tuple[str, str, str]]:
    """(chapter, name, tree) of every definition of the book that mmbook has, too."""
    kept = library()
    rows = []
    pages = [ROOT / f"{page.docname}.ipynb" for page in read_toc(ROOT, ())]
    for path in filter(Path.is_file, pages):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            code = "".join(cell["source"])
            if cell["cell_type"] == "code" and "%pip" not in code:
                rows += [(path.stem, name, tree) for name, tree in definitions(code).items() if name in kept]
    return rows


def library() -> dict[str, str]:
    return {name: tree for path in MODULES for name, tree in definitions(path.read_text(encoding="utf-8")).items()}


TAUGHT = chapter_definitions()


@pytest.mark.parametrize(("chapter", "name", "tree"), TAUGHT, ids=[f"{c}:{n}" for c, n, _ in TAUGHT])
def test_chapter_and_package_agree(chapter, name, tree):
    assert tree == library()[name], f"{chapter} and mmbook define {name} differently; make them one"


def test_the_comparison_sees_a_changed_statement_and_no_changed_docstring():
    one = definitions('def f(x: int) -> int:\n    """Doc."""\n    return x + 1\n')["f"]
    assert one == definitions("def f(x):\n    return x + 1\n")["f"]
    assert one != definitions("def f(x):\n    return x + 2\n")["f"]


def test_every_operator_is_taught_in_one_chapter():
    taught = [name for _, name, _ in TAUGHT]
    elsewhere = {"Concatenation"}  # early fusion teaches it as the first half of its own classifier
    for name in set(fusion.__all__) - NOT_TAUGHT - elsewhere:
        assert taught.count(name) == 1, name
