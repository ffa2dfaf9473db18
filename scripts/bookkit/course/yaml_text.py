"""YAML as an author means it: no key twice, a fault named with its line, and the line of each entry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from bookkit.errors import BookError

DEEPEST = 50  # levels of nesting; an alias inside its own anchor has no end


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML that does not let a second key of the same name hide the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is a list or a mapping", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError) as error:  # a date that does not exist, ...
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None


def load_yaml(path: Path) -> Any:
    """The data in a YAML file.

    Raises:
        BookError: unreadable, not UTF-8, or not YAML; with the line.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise BookError(path, "does not exist; run in the folder that holds it, or pass --root") from None
    except UnicodeDecodeError as error:
        raise BookError(path, f"is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise BookError(path, f"can't be read ({error.strerror})") from None
    try:
        if re.search(r"^ {100}|.{500}", text, re.MULTILINE):
            _check_depth(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise BookError(path, f"{line}not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise BookError(path, f"not valid YAML: {error}") from None


def _check_depth(text: str) -> None:
    """Refuse a text whose nesting would overflow the stack of libyaml's composer; its event stream has none."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > 2 * DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deep", problem_mark=event.start_mark)


def line_of(path: Path, place: str) -> int:
    """The line where the entry at a place such as ``/parts/1/chapters/6/`` stands, or the nearest one around it."""
    node = yaml.compose(path.read_bytes().decode("utf-8"), Loader=_Loader)
    line = 1
    for step in filter(None, place.split("/")):
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if str(key.value) == step), None)
        elif isinstance(node, yaml.SequenceNode) and step.isdecimal() and int(step) < len(node.value):
            found = (node.value[int(step)],) * 2
        else:
            found = None
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


_PLACE = re.compile(r" ?@ '(/[^']*)'(?: and '(/[^']*)')?")


def located(path: Path, text: str) -> str:
    """A message with the lines of the file instead of places such as ``@ '/parts/1/'``."""
    found = _PLACE.search(text)
    if not found:
        return text
    again = f" (also in line {line_of(path, found[2])})" if found[2] else ""
    return f"line {line_of(path, found[1])}: {text[: found.start()]}{again}{text[found.end() :]}"
