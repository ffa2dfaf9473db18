"""Reads ``_config.yml``: where the book will be public, and which files are none of its pages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from bookkit.course.yaml_text import line_of, load_yaml
from bookkit.errors import BookError

CONFIG = "_config.yml"
WEIGHTS = "weights.txt"
KEYS = ("url", "branch", "path_to_book", "colab_branch")  # of `repository`
SIZED = re.compile(r"^([\w.-]+)==\S+[ \t]+#.*?(\d+) MB", re.MULTILINE)
PLACEHOLDER_OWNER = "OWNER"  # of repository.url, until the public address is known
TEXTS = ("title", "author", "copyright", "logo")


@dataclass(frozen=True)
class Repository:
    """Where the book will be public; the only thing that managed cells depend on.

    ``colab_branch`` names the branch that holds the copies for Colab (``_build/colab`` of a build), each at the path of
    its page; without one, links lead to the sources on ``branch``.
    """

    url: str = f"https://github.com/{PLACEHOLDER_OWNER}/multimodal-learning"
    branch: str = "main"
    path_to_book: str = ""
    colab_branch: str = ""
    megabytes: Mapping[str, int] = field(default_factory=dict, hash=False)  # of the packages in weights.txt

    @property
    def is_placeholder(self) -> bool:
        return urlsplit(self.url).path.strip("/").split("/")[0] == PLACEHOLDER_OWNER

    @property
    def slug(self) -> str:
        """``owner/name``."""
        return urlsplit(self.url).path.strip("/").removesuffix(".git")

    def colab(self, docname: str) -> str:
        """The address that opens a page in Colab."""
        file = f"{docname}.ipynb" if self.colab_branch else f"{self.path_to_book}/{docname}.ipynb".lstrip("/")
        branch = self.colab_branch or self.branch
        return f"https://colab.research.google.com/github/{self.slug}/blob/{branch}/{quote(file)}"

    def site(self, page: str = "") -> str:
        """The address of a file of the built site, as GitHub Pages serves it."""
        owner, name = self.slug.split("/")
        return f"https://{owner}.github.io/{name}/{page}"

    def raw(self, file: str, ref: str = "") -> str:
        """The address of the bytes of a file of the repository."""
        path = f"{self.path_to_book}/{file}".lstrip("/")
        return f"https://raw.githubusercontent.com/{self.slug}/{ref or self.branch}/{quote(path)}"

    def package(self, ref: str = "") -> str:
        """What pip installs to get the helper package."""
        return f"mmbook@git+{self.url}@{ref or self.branch}"


@dataclass(frozen=True)
class Config:
    """What the commands need of ``_config.yml``."""

    repository: Repository = field(default_factory=Repository)
    excluded: tuple[str, ...] = ()  # exclude_patterns, in Sphinx's own notation
    bibliographies: tuple[str, ...] = ()  # bibtex_bibfiles


def read_config(root: Path) -> Config:
    """The settings in ``_config.yml``; a placeholder for the address without that file.

    Raises:
        BookError: the file is broken, a value is not the text that it should be, or the address is not one of GitHub.
    """
    path = root / CONFIG
    if not path.is_file():
        return Config()
    data = load_yaml(path)
    data = {} if data is None else data
    given = data.get("repository") if isinstance(data, dict) else None
    given = {} if given is None else given
    if not isinstance(data, dict) or not isinstance(given, dict):
        raise BookError(path, "is not a mapping with a mapping `repository`")
    _check_texts(path, data, TEXTS, "/")
    _check_texts(path, given, KEYS, "/repository/")
    excluded, bibliographies = (_texts(path, data, key) for key in ("exclude_patterns", "bibtex_bibfiles"))
    return Config(_repository(path, given), excluded, bibliographies)


def _texts(path: Path, data: dict[str, Any], key: str) -> tuple[str, ...]:
    found = data.get(key)
    if not isinstance(found, list | None):
        raise BookError(path, f"{key} is not a list")
    _check_texts(path, dict(enumerate(found or ())), range(len(found or ())), f"/{key}/")
    return tuple(found or ())


def _check_texts(path: Path, data: dict[Any, Any], keys: Any, place: str) -> None:
    """YAML reads 2025.10 as the number 2025.1 and ``on`` as true: what is not text is not what the author wrote."""
    for key in keys:
        value = data.get(key)
        if value is not None and not isinstance(value, str):
            where = f"line {line_of(path, f'{place}{key}/')}: {place.strip('/')}.{key}".replace(": .", ": ")
            raise BookError(path, f"{where} is read as {value!r}, not as text; put it in quotes")


def _repository(path: Path, given: dict[str, Any]) -> Repository:
    known: dict[str, Any] = {key: given[key].strip() for key in KEYS if (given.get(key) or "").strip()}
    folder = posixpath.normpath(known.get("path_to_book", "").strip("/") or ".")
    known |= {"path_to_book": "" if folder == "." else folder, "megabytes": _megabytes(path.parent / WEIGHTS)}
    repository = Repository(**known)
    for key in ("branch", "path_to_book", "colab_branch"):
        value = getattr(repository, key)
        if not re.fullmatch(r"[\w./-]*", value) or ".." in value.split("/"):
            raise BookError(path, f"repository.{key} {value!r} holds odd characters; Colab needs a plain name")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/?", repository.url):
        what = f"repository.url {repository.url!r} is not https://github.com/OWNER/NAME; Colab opens only those"
        raise BookError(path, what)
    return repository


def _megabytes(path: Path) -> dict[str, int]:
    """Package -> size, as the comments of ``weights.txt`` give it; a chapter says in Colab how much it fetches."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return {name: int(size) for name, size in SIZED.findall(text)}
