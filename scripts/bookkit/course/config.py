"""Reads ``_config.yml``: where the book will be public, and which files are none of its pages."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bookkit.course.yaml_text import line_of, load_yaml
from bookkit.errors import BookError

CONFIG = "_config.yml"
PLACEHOLDER_OWNER = "OWNER"  # of repository.url, until the public address is known
TEXTS = ("title", "author", "copyright", "logo")


@dataclass(frozen=True)
class Repository:
    """Where the book will be public; the only thing that managed cells depend on."""

    url: str = f"https://github.com/{PLACEHOLDER_OWNER}/multimodal-learning"
    branch: str = "main"
    path_to_book: str = ""

    @property
    def is_placeholder(self) -> bool:
        return urlsplit(self.url).path.strip("/").split("/")[0] == PLACEHOLDER_OWNER

    @property
    def slug(self) -> str:
        """``owner/name``."""
        return urlsplit(self.url).path.strip("/").removesuffix(".git")


@dataclass(frozen=True)
class Config:
    """What the commands need of ``_config.yml``."""

    repository: Repository = field(default_factory=Repository)
    excluded: tuple[str, ...] = ()  # exclude_patterns, in Sphinx's own notation


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
    _check_texts(path, given, ("url", "branch", "path_to_book"), "/repository/")
    patterns = data.get("exclude_patterns")
    if not isinstance(patterns, list | None):
        raise BookError(path, "exclude_patterns is not a list")
    _check_texts(path, dict(enumerate(patterns or ())), range(len(patterns or ())), "/exclude_patterns/")
    return Config(_repository(path, given), tuple(patterns or ()))


def _check_texts(path: Path, data: dict[Any, Any], keys: Any, place: str) -> None:
    """YAML reads 2025.10 as the number 2025.1 and ``on`` as true: what is not text is not what the author wrote."""
    for key in keys:
        value = data.get(key)
        if value is not None and not isinstance(value, str):
            where = f"line {line_of(path, f'{place}{key}/')}: {place.strip('/')}.{key}".replace(": .", ": ")
            raise BookError(path, f"{where} is read as {value!r}, not as text; put it in quotes")


def _repository(path: Path, given: dict[str, Any]) -> Repository:
    known = {key: given[key].strip() for key in ("url", "branch", "path_to_book") if (given.get(key) or "").strip()}
    folder = posixpath.normpath(known.get("path_to_book", "").strip("/") or ".")
    repository = Repository(**{**known, "path_to_book": "" if folder == "." else folder})
    for key in ("branch", "path_to_book"):
        value = getattr(repository, key)
        if not re.fullmatch(r"[\w./-]*", value) or ".." in value.split("/"):
            raise BookError(path, f"repository.{key} {value!r} holds odd characters; Colab needs a plain name")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/?", repository.url):
        what = f"repository.url {repository.url!r} is not https://github.com/OWNER/NAME; Colab opens only those"
        raise BookError(path, what)
    return repository
