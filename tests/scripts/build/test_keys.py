"""The cache key: what changes it, what does not, and that the static import graph misses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts.tinybook import code, markdown, notebook, setup_cell

from bookkit.build.keys import Helpers, page_key

PACKAGE = {
    "__init__.py": "",
    "leaf.py": "X = 1\n",
    "direct.py": "from mmbook import leaf\n",
    "lonely.py": "Y = 1\n",
    "lazy.py": "def f():\n    from mmbook.leaf import X\n    return X\n",
    "deep/__init__.py": "from mmbook.deep.inner import Z\n",
    "deep/inner.py": "Z = 1\n",
    "deep/other.py": "from . import inner\nfrom ..leaf import X\n",
    "datasets/__init__.py": "",
    "datasets/store.py": "S = 1\n",
    "datasets/toys/__init__.py": "from mmbook.datasets import store\n",
    "datasets/toys/card.toml": "name = 'toys'\n",
    "datasets/toys/files/toys.bin": "data\n",
    "datasets/other/__init__.py": "",
    "datasets/other/files/other.bin": "data\n",
    "worlds/__init__.py": "",
    "worlds/drawn.py": "",
    "worlds/drawn.toml": "name = 'drawn'\n",
    "models/__init__.py": "",
    "models/small/__init__.py": "",
    "models/small/weights.safetensors": "w\n",
}


def make(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / "mmbook" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("torch==1\n")
    return make(tmp_path, PACKAGE)


def key(root: Path, *cells: str, seed: str = "0") -> str:
    """The key of a page with these code cells; Helpers is made anew, as each build does."""
    return page_key(notebook(markdown("# T"), *cells), Helpers(root), seed)


def changes(root: Path, file: str, *cells: str) -> bool:
    """Whether an edit of ``file`` changes the key of a page with these code cells."""
    before, path = key(root, *cells), root / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    return key(root, *cells) != before


class TestPage:
    def test_prose_metadata_ids_and_outputs_keep_the_key(self, root):
        page = notebook(markdown("# A"), "x = 1")
        other = notebook(markdown("# A, with other words"), "x = 1", markdown("More."), budget=90)
        other["cells"][1] |= {"id": "another", "metadata": {"tags": ["hide-cell"]}, "execution_count": 3}
        other["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
        assert page_key(page, Helpers(root), "0") == page_key(other, Helpers(root), "0")

    def test_tags_that_change_the_execution_change_the_key_and_no_others(self, root):
        keys = {}
        for tag in ("raises-exception", "skip-execution", "hide-input", "solution"):
            page = notebook("x = 1")
            page["cells"][0]["metadata"] = {"tags": [tag], "executionInfo": {"user": "me"}, "id": "q"}
            keys[tag] = page_key(page, Helpers(root), "0")
        assert keys["hide-input"] == keys["solution"]
        assert len({keys["raises-exception"], keys["skip-execution"], keys["hide-input"]}) == 3

    @pytest.mark.parametrize("kernelspec", [None, {}, {"display_name": "Python 3 (ipykernel)", "name": "python3"}])
    def test_odd_kernels_are_no_obstacle(self, root, kernelspec):
        page = notebook("x = 1")
        page["metadata"]["kernelspec"] = kernelspec
        assert page_key(page, Helpers(root), "0")

    def test_comments_in_the_requirements_keep_the_key(self, root):
        before = key(root, "x = 1")
        (root / "requirements.txt").write_text("# why\n\ntorch==1  # the core\n")
        assert key(root, "x = 1") == before
        (root / "requirements.txt").write_text("torch==2\n")
        assert key(root, "x = 1") != before

    def test_weights_count_for_the_pages_that_need_them(self, root):
        def keys(weights: str) -> list[str]:
            (root / "weights.txt").write_text(weights)
            needs = (["big==1.0"], ["small==1.0"], [], None, "big==1.0", [5])
            pages = [notebook("x = 1") | {"metadata": {"mmbook": {"needs": need}}} for need in needs]
            return [page_key(page, Helpers(root), "0") for page in pages]

        before = keys("big==1.0  # 91 MB\nsmall==1.0\n")
        assert len(set(before)) == 3
        assert keys("big==1.0\nsmall==1.0\nanother==2.0\n") == before
        after = keys("big==1.1\nsmall==1.0\n")
        assert [a == b for a, b in zip(after, before, strict=True)] == [False, *[True] * 5]

    def test_another_address_in_the_managed_cells_keeps_the_key(self, root):
        page, other = notebook(setup_cell(), "x = 1"), notebook(setup_cell(), "x = 1")
        other["cells"][0]["source"] = other["cells"][0]["source"].replace("/OWNER/", "/elsewhere/")
        assert page != other
        assert page_key(page, Helpers(root), "0") == page_key(other, Helpers(root), "0")

    def test_source_as_list_or_string_is_the_same(self, root):
        page, other = notebook("x = 1\ny = 2"), notebook("x = 1\ny = 2")
        other["cells"][0]["source"] = ["x = 1\n", "y = 2"]
        assert page_key(page, Helpers(root), "0") == page_key(other, Helpers(root), "0")

    def test_code_seed_order_and_cell_borders_change_the_key(self, root):
        keys = [
            key(root, "x = 1", "y = 1"),
            key(root, "x = 2", "y = 1"),
            key(root, "y = 1", "x = 1"),
            key(root, "x = 1\ny = 1"),
            key(root, "x = 1", "y = 1", seed="1"),
        ]
        assert len(set(keys)) == len(keys)

    def test_works_without_package_and_requirements(self, tmp_path):
        assert key(tmp_path, "import mmbook.leaf") != key(tmp_path, "import mmbook")


class TestReach:
    """Which helper modules a piece of code depends on."""

    @pytest.mark.parametrize(
        ("file", "cell"),
        [
            ("leaf.py", "import mmbook.leaf"),
            ("leaf.py", "import os, mmbook.leaf as m"),
            ("leaf.py", "from mmbook import leaf"),
            ("leaf.py", "from mmbook.leaf import X"),
            ("leaf.py", "if True:\n    def f():\n        from mmbook import leaf"),
            ("leaf.py", "import mmbook.direct"),
            ("leaf.py", "from mmbook.lazy import f"),
            ("leaf.py", "from mmbook.deep import other"),
            ("deep/__init__.py", "import mmbook.deep.other"),
            ("deep/inner.py", "import mmbook.deep"),
            ("deep/inner.py", "from mmbook import deep"),
            ("deep/inner.py", "import mmbook.deep.other"),
            ("__init__.py", "import mmbook.lonely"),
            ("datasets/store.py", "from mmbook.datasets.toys import load"),
            ("datasets/toys/files/toys.bin", "from mmbook.datasets import toys"),
            ("datasets/toys/files/toys.bin", "from mmbook.datasets.toys import load"),
            ("datasets/toys/card.toml", "from mmbook.datasets.toys import load"),
            ("worlds/drawn.toml", "from mmbook.worlds import drawn"),
            ("models/small/weights.safetensors", "from mmbook.models.small import load"),
        ],
    )
    def test_an_edit_of_a_reachable_file_changes_the_key(self, root, file, cell):
        assert changes(root, f"mmbook/{file}", "x = 1", cell)

    @pytest.mark.parametrize(
        ("file", "cell"),
        [
            ("leaf.py", "x = 1"),
            ("__init__.py", "import mmbookish"),
            ("lonely.py", "import mmbook"),
            ("lonely.py", "import mmbook.deep.other, mmbook.lazy, mmbook.direct"),
            ("deep/other.py", "import mmbook.deep"),
            ("deep/inner.py", "from mmbook import leaf"),
            ("datasets/toys/files/toys.bin", "from mmbook import leaf"),
            ("datasets/other/files/other.bin", "from mmbook.datasets.toys import load"),
            ("worlds/drawn.toml", "import mmbook.worlds"),
            ("models/small/weights.safetensors", "import mmbook.models"),
            ("lonely.py", "%matplotlib inline\nfrom mmbook import leaf"),
        ],
    )
    def test_an_edit_of_an_unreachable_file_keeps_the_key(self, root, file, cell):
        assert not changes(root, f"mmbook/{file}", cell)

    def test_the_managed_setup_cell_reaches_nothing(self, root):
        page = notebook(setup_cell(), "from mmbook import leaf")
        before = page_key(page, Helpers(root), "0")
        (root / "mmbook/lonely.py").write_text("Y = 2\n")
        assert page_key(page, Helpers(root), "0") == before

    def test_evaluation_mode_of_a_model_is_no_dynamic_import(self, root):
        make(root, {"training.py": "def predict(model):\n    model.eval()\n    return frame.eval('a + b')\n"})
        assert not changes(root, "mmbook/lonely.py", "from mmbook.training import predict\nmodel.eval()")

    def test_a_new_module_that_hides_nothing_keeps_the_key(self, root):
        before = key(root, "import mmbook.leaf")
        make(root, {"fresh.py": ""})
        assert key(root, "import mmbook.leaf") == before

    def test_renamed_and_removed_modules_change_the_key(self, root):
        before = key(root, "try:\n    import mmbook.leaf\nexcept ImportError: pass")
        (root / "mmbook/leaf.py").unlink()
        assert key(root, "try:\n    import mmbook.leaf\nexcept ImportError: pass") != before

    @pytest.mark.parametrize("name", ["toys.csv", "a/b.png", "weights.safetensors"])
    def test_a_new_data_file_changes_the_key_of_those_who_load(self, root, name):
        loads, other = "import mmbook.datasets.toys", "import mmbook.datasets.other"
        before = key(root, loads), key(root, other)
        make(root, {f"datasets/toys/files/{name}": "1"})
        assert key(root, loads) != before[0]
        assert key(root, other) == before[1]


DYNAMIC = {
    "__import__": "__import__('mmbook.' + 'lonely')",
    "attribute": "import importlib\nimportlib.import_module('mmbook.' + name)",
    "alias of the module": "import importlib as il\nil.import_module('mmbook.' + name)",
    "name": "from importlib import import_module\nimport_module('mmbook.' + name)",
    "renamed": "from importlib import import_module as load\nload('mmbook.' + name)",
    "exec": "exec('import mmbook.lonely')",
    "builtins.exec": "import builtins\nbuiltins.exec('import mmbook.lonely')",
    "eval": "eval('__import__')('mmbook.lonely')",
    "runpy": "import runpy\nrunpy.run_module('mmbook.lonely')",
    "runpy renamed": "from runpy import run_module as go\ngo('mmbook.lonely')",
    "syntax error": "import mmbook.lonely\nx = = 1",
    "shell assignment": "files = !ls\nimport mmbook.lonely",
    "help": "import mmbook.lonely\nmmbook.lonely?",
    "line magic with code": "%time import mmbook.lonely",
    "indented line magic": "if True:\n    %time import mmbook.lonely",
    "run magic": "%run -m mmbook.lonely",
    "shell": "!python -m mmbook.lonely",
    "cell magic": "%%bash\npython -c 'import mmbook.lonely'",
    "python cell magic": "%%python\nimport mmbook.lonely",
    "script in a string": "script = 'from mmbook import lonely'\nsubprocess.run([sys.executable, '-c', script])",
    "command in a string": "subprocess.run('python -m mmbook.lonely', shell=True)",
    "module in a list": "subprocess.run([sys.executable, '-m', 'mmbook.lonely'])",
    "formatted script": "script = f'import mmbook.lonely as m; m.f({x})'",
    "ipython": "get_ipython().run_line_magic('run', '-m mmbook.lonely')",
    "a modulo sign at the start of a line": "x = (5\n  % 3)\nimport mmbook.lonely",
    "two strings with per cent": 'a = """\n%s"""\nimport mmbook.lonely\nb = """\n%s"""',
}


class TestInDoubt:
    """Where the import graph can't be known, everything counts as reached."""

    @pytest.mark.parametrize("cell", DYNAMIC.values(), ids=DYNAMIC)
    def test_in_a_notebook(self, root, cell):
        assert changes(root, "mmbook/lonely.py", cell)

    @pytest.mark.parametrize(
        "text",
        [
            "import importlib\nimportlib.import_module(name)\n",
            "def __getattr__(name):\n    return __import__(name)\n",
            "from importlib import import_module as load\nload('mmbook.' + 'lonely')\n",
            "x = = 1\n",
            'A = """\n%s"""\nimport mmbook.lonely\nB = """\n%s"""\n',
        ],
    )
    def test_in_a_helper(self, root, text):
        make(root, {"doubtful.py": text})
        assert changes(root, "mmbook/lonely.py", "from mmbook import doubtful")

    def test_star_import_of_a_package_with_all(self, root):
        make(root, {"deep/__init__.py": "__all__ = ['other']\n"})
        assert changes(root, "mmbook/deep/other.py", "from mmbook.deep import *")

    def test_a_file_that_is_not_text_is_no_traceback(self, root):
        (root / "mmbook/leaf.py").write_bytes(b"x = '\xff'\n")
        assert key(root, "import mmbook.leaf")


NAMES = ["a", "b", "c", "p", "p.d", "p.e", "p.q", "p.q.f", "p.q.g"]
FOLDERS = {"p", "p.q"}
FORMS = ["import", "from-package", "from-module", "as", "lazy", "relative"]


def statement(importer: str, target: str, form: str) -> str:
    """One import of ``target``, written in one of the ways Python has."""
    package, _, name = f"mmbook.{target}".rpartition(".")
    text = {
        "import": f"import mmbook.{target}",
        "from-package": f"from {package} import {name}",
        "from-module": f"from mmbook.{target} import X_{target.replace('.', '_')}",
        "as": f"import mmbook.{target} as other",
        "star": f"from mmbook.{target} import *",
        "relative": relative(importer, target),
    }
    if form == "lazy":
        name = f"f_{target.replace('.', '_')}"
        return f"def {name}():\n    import mmbook.{target}\nLATER.append({name})"
    return f"try:\n    {text[form]}\nexcept (ImportError, AttributeError):\n    pass"  # a cycle, perhaps


def relative(importer: str, target: str) -> str:
    if not importer:
        return f"from mmbook import {target.split('.')[0]}"
    home = f"mmbook.{importer}".split(".") if importer in FOLDERS else f"mmbook.{importer}".split(".")[:-1]
    package, _, name = f"mmbook.{target}".rpartition(".")
    there, shared = package.split("."), 0
    while shared < min(len(home), len(there)) and home[shared] == there[shared]:
        shared += 1
    dots = "." * (len(home) - shared + 1)
    return f"from {dots}{'.'.join(there[shared:])} import {name}"


edges = st.lists(
    st.tuples(st.sampled_from(["__init__", *NAMES]), st.sampled_from(NAMES), st.sampled_from(FORMS)), max_size=14
)
starts = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([*FORMS, "star"])), min_size=1, max_size=3)
plain_starts = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(FORMS)), min_size=1, max_size=3)


def write_graph(root: Path, graph: list[tuple[str, str, str]]) -> None:
    texts = {name: ["LATER = []", f"X_{name.replace('.', '_')} = 1"] for name in ["__init__", *NAMES]}
    for importer, target, form in graph:
        texts[importer].append(statement("" if importer == "__init__" else importer, target, form))
    files = {}
    for name, lines in texts.items():
        path = name.replace(".", "/")
        files[f"{path}/__init__.py" if name in FOLDERS else f"{path}.py"] = "\n".join(lines) + "\n"
    make(root, files)


REALLY = """
import json, sys
sys.path.insert(0, sys.argv[1])
for code in json.loads(sys.argv[2]):
    exec(code, {"LATER": (later := [])})
    for f in later: f()
called = True
done = set()
while called:
    called = False
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "mmbook" and name not in done:
            done.add(name); called = True
            for f in module.LATER:
                try: f()
                except ImportError: pass
print(json.dumps(sorted(done)))
"""


class TestProperty:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(edges, starts)
    def test_the_static_closure_holds_all_that_python_imports(self, graph, start):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_graph(root, graph)
            codes = [statement("", target, form) for target, form in start]
            command = [sys.executable, "-S", "-E", "-B", "-c", REALLY, folder, json.dumps(codes)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            really = set(json.loads(done.stdout))
            assert really <= Helpers(root).reached(codes)

    @settings(max_examples=40, deadline=None)
    @given(edges, plain_starts)
    def test_the_closure_is_a_fixed_point_and_not_everything(self, graph, start):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_graph(root, graph)
            reached = Helpers(root).reached([statement("", t, f) for t, f in start])
            again = Helpers(root).reached([f"import {name}" for name in reached])
            assert again == reached
            named = {t for t, _ in start} | {target for _, target, _ in graph}
            possible = {"mmbook", *(f"mmbook.{n}" for n in named)}
            possible |= {m.rpartition(".")[0] for m in possible} - {""}
            possible |= {m.rpartition(".")[0] for m in possible} - {""}
            assert reached <= possible
            assert "mmbook" in reached


def test_embeddings_are_computed_anew_after_an_edit_of_encoders_or_pins_only(root):
    make(root, {"encoders/__init__.py": "", "encoders/text.py": "from mmbook import leaf\n"})

    def digest() -> str:
        return Helpers(root).encoders_digest()

    seen = [digest()]
    (root / "mmbook/lonely.py").write_text("Y = 2\n")
    assert digest() == seen[0]
    for name in ("mmbook/encoders/text.py", "mmbook/leaf.py", "requirements.txt"):
        path = root / name
        path.write_text(path.read_text() + "torchlike==2\n" if name.endswith("txt") else path.read_text() + "Z = 3\n")
        seen.append(digest())
    assert len(set(seen)) == 4


def test_same_key_in_another_checkout(tmp_path):
    one, two = make(tmp_path / "one", PACKAGE), make(tmp_path / "two/deep", PACKAGE)
    (one / "mmbook/__pycache__").mkdir()
    (one / "mmbook/__pycache__/leaf.pyc").write_bytes(b"1")
    cell = "import mmbook.datasets, mmbook.direct"
    assert key(one, cell) == key(two, cell)


def test_code_helper_makes_what_nbformat_accepts():
    import nbformat

    nbformat.validate(nbformat.from_dict(notebook(markdown("# T"), setup_cell(), code("x"))))
