"""Turns the Markdown of a page, with MyST's roles and directives, into what Colab and GitHub show as it is meant.

Roles become words and links, directives become quotations, folds, formulas or code; what only the site can show is a
link to the site. Code, inline or fenced, stays as it is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pybtex.database import Entry, PybtexError, parse_file

from bookkit.course.config import Repository

# A span of code, or a role; the first that begins wins, so a role within code is code.
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)|\{([a-z][\w:.+-]*)\}(`+)(.+?)\4", re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)((?:\s+\"[^\"]*\")?)\)")
FENCE = re.compile(r"^([ \t]*)(`{3,}|~{3,}|:{3,})[ \t]*(.*?)[ \t]*$")
DIRECTIVE = re.compile(r"^\{([\w:.+-]+)\}[ \t]*(.*)$")
OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)$")
TITLED = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.DOTALL)
INVISIBLE = re.compile(r"^(?:\([\w:. -]+\)=|%.*|\+\+\+.*|\{[.#][^{}]*\})[ \t]*$")  # targets, comments, attributes
ATTRIBUTES = re.compile(r"(?<=[\])`*_])\{[.#][\w .#=\"'-]*\}")
ADMONITIONS = {"admonition", "attention", "caution", "danger", "error", "hint", "important", "note", "seealso", "tip"}
ADMONITIONS |= {"warning", "dropdown", "topic", "sidebar", "margin"}
CODE = {"code", "code-block", "sourcecode", "literalinclude"}


@dataclass(frozen=True)
class Work:
    """What a citation needs of a work."""

    authors: str
    year: str
    address: str


@dataclass(frozen=True)
class Targets:
    """Where the roles and links of the book's pages lead."""

    repository: Repository
    ref: str = ""  # the commit whose files pictures are taken from
    pages: frozenset[str] = frozenset()  # docnames
    terms: Mapping[str, str] = field(default_factory=dict)  # term in small letters -> page of the site with anchor
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # label -> page with anchor, title
    works: Mapping[str, Work] = field(default_factory=dict)
    bibliography: str = ""  # the page that lists them


def flatten(text: str, docname: str, targets: Targets, glued: Mapping[str, str] | None = None) -> str:
    """The text of a Markdown cell without anything of MyST's own.

    Args:
        docname: the page it stands on; links are relative to it.
        glued: name -> value of ``{glue:text}`` on this page; without one the text says that there is none.
    """
    return _Flattener(docname, targets, glued or {}).blocks(text.split("\n")).strip("\n")


def read_works(files: list[Path]) -> dict[str, Work]:
    """Key -> work, of bibliographies; a file that is broken gives nothing here, Sphinx complains of it."""
    works: dict[str, Work] = {}
    for file in files:
        try:
            entries = parse_file(str(file), bib_format="bibtex").entries
        except (OSError, PybtexError):
            continue
        works |= {key: Work(_authors(e), e.fields.get("year", "n.d."), _address(e)) for key, e in entries.items()}
    return works


def _authors(entry: Entry) -> str:
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [" ".join(str(x) for x in [*p.rich_prelast_names, *p.rich_last_names]) for p in people]
    if not names:
        return entry.fields.get("key") or entry.fields.get("title", "").split(":")[0]
    if len(names) > 2 or names[-1] == "others":
        return f"{names[0]} et al."
    return " and ".join(names)


def _address(entry: Entry) -> str:
    fields = entry.fields
    arxiv = re.search(r"arXiv:\s*([\w.-]+/?\d+(?:\.\d+)?)", " ".join(str(fields.get(k, "")) for k in fields), re.I)
    if fields.get("doi"):
        return f"https://doi.org/{fields['doi']}"
    if fields.get("url"):
        return fields["url"]
    if fields.get("eprint"):
        return f"https://arxiv.org/abs/{fields['eprint']}"
    return f"https://arxiv.org/abs/{arxiv[1]}" if arxiv else ""


def _link(words: str, address: str) -> str:
    return f"[{words}]({address})" if address else words


class _Flattener:
    """One cell on its way."""

    def __init__(self, docname: str, targets: Targets, glued: Mapping[str, str]) -> None:
        self.docname, self.targets, self.glued = docname, targets, glued

    # --- blocks ---

    def blocks(self, lines: list[str]) -> str:
        done: list[str] = []
        prose: list[str] = []
        at = 0
        while at < len(lines):
            fence = FENCE.match(lines[at])
            end = self._closing(lines, at, fence) if fence else None
            if fence is None or end is None:
                prose.append(lines[at])
                at += 1
                continue
            done += [self.prose(prose)] if prose else []
            prose = []
            directive = DIRECTIVE.match(fence[3])
            body = lines[at + 1 : end]
            if directive:
                margin = fence[1]
                made = self.directive(directive[1], directive[2], [x.removeprefix(margin) for x in body])
                done.append("\n".join(margin + line if line else line for line in made.split("\n")))
            elif fence[2][0] == ":":  # a plain div
                done.append(self.blocks(body))
            else:
                done.append("\n".join(lines[at : end + 1]))
            at = end + 1
        done += [self.prose(prose)] if prose else []
        return "\n".join(done)

    def _closing(self, lines: list[str], at: int, fence: re.Match[str]) -> int | None:
        """The line that closes a fence; None for one without an end, which is no fence."""
        mark = fence[2]
        closing = re.compile(rf"^[ \t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$")
        return next((i for i in range(at + 1, len(lines)) if closing.match(lines[i])), None)

    def directive(self, name: str, argument: str, body: list[str]) -> str:
        options: dict[str, str] = {}
        while body and (found := OPTION.match(body[0])):
            options[found[1]] = found[2]
            body = body[1:]
        plain = "\n".join(body).strip("\n")
        if name in ADMONITIONS:
            title = self.inline(argument) if argument else {"seealso": "See also"}.get(name, name.capitalize())
            if name == "dropdown" or "dropdown" in options.get("class", ""):
                inside = self.blocks(plain.split("\n"))
                return f"<details>\n<summary><b>{title}</b></summary>\n\n{inside}\n\n</details>"
            inside = f"**{title}**\n\n{self.blocks(plain.split(chr(10)))}"
            return "\n".join(f"> {line}".rstrip() for line in inside.split("\n"))
        if name == "math":
            return f"$$\n{plain}\n$$"
        if name in CODE:
            return f"```{argument}\n{plain}\n```"
        if name in ("image", "figure"):
            picture = f"![{options.get('alt', '')}]({self.address(argument, picture=True)})"
            return f"{picture}\n\n{self.blocks(plain.split(chr(10)))}" if plain else picture
        if name.startswith("glue"):
            return self.value(argument)
        page = self.targets.repository.site(f"{self.docname}.html")
        return f"*[The site shows more here.]({page})*"

    # --- words ---

    def prose(self, lines: list[str]) -> str:
        text = "\n".join(line for line in lines if not INVISIBLE.match(line))
        return self.inline(text)

    def inline(self, text: str) -> str:
        kept: list[str] = []

        def keep(made: str) -> str:
            kept.append(made)
            return f"\0{len(kept) - 1}\0"

        def span(found: re.Match[str]) -> str:
            return keep(self.role(found[3], found[5])) if found[3] else keep(found[0])

        text = SPAN.sub(span, text)
        text = ATTRIBUTES.sub("", text)
        text = LINK.sub(self.link, text)
        return re.sub(r"\0(\d+)\0", lambda mark: kept[int(mark[1])], text)

    def link(self, found: re.Match[str]) -> str:
        picture, words, address, title = found.groups()
        return f"{picture}[{words}]({self.address(address, picture=bool(picture))}{title})"

    def address(self, address: str, picture: bool = False) -> str:
        """The absolute form of an address as an author writes it."""
        if re.match(r"[a-z][a-z0-9+.-]*:", address, re.I):
            return address
        path, _, anchor = address.partition("#")
        anchor = f"#{anchor}" if anchor else ""
        site = self.targets.repository.site
        if not path:
            known = self.targets.labels.get(anchor[1:])
            return site(known[0]) if known else site(f"{self.docname}.html{anchor}")
        if path in self.targets.labels:
            return site(self.targets.labels[path][0])
        file = posixpath.normpath(posixpath.join(posixpath.dirname(self.docname), path)).lstrip("/")
        name = re.sub(r"\.(ipynb|md|rst|html)$", "", file)
        if name in self.targets.pages and not picture:
            return site(f"{name}.html{anchor}")
        return self.targets.repository.raw(file, self.targets.ref)

    def value(self, name: str) -> str:
        return self.glued.get(name.partition(":")[0].strip(), "(not built)")

    def role(self, name: str, text: str) -> str:
        """What a role says, in plain Markdown."""
        if name.startswith("cite"):
            return self.cite(name, text)
        if name.startswith("glue"):
            return self.value(text)
        made: dict[str, Callable[[], str]] = {
            "kbd": lambda: f"<kbd>{text}</kbd>",
            "sub": lambda: f"<sub>{text}</sub>",
            "sup": lambda: f"<sup>{text}</sup>",
            "math": lambda: f"${text}$",
            "eq": lambda: "the equation",
            "code": lambda: f"`{text}`",
        }
        if name in made:
            return made[name]()
        found = TITLED.match(text)
        words, target = (found[1], found[2]) if found else (text, text)
        if name == "term":
            page = self.targets.terms.get(" ".join(target.lower().split()))
            return _link(words, self.targets.repository.site(page) if page else "")
        page, title = self.reference(target)
        if not page:
            return words
        return _link(words if found else title, self.targets.repository.site(page))

    def reference(self, target: str) -> tuple[str, str]:
        """Page with anchor, and title, of a label or a document."""
        if target in self.targets.labels:
            return self.targets.labels[target]
        name = posixpath.normpath(posixpath.join(posixpath.dirname(self.docname), target)).lstrip("/")
        return (f"{name}.html", name) if name in self.targets.pages else ("", target)

    def cite(self, role: str, text: str) -> str:
        home = self.targets.bibliography
        listed = self.targets.repository.site(f"{home}.html") if home else ""
        words = []
        for key in map(str.strip, text.split(",")):
            work = self.targets.works.get(key)
            said = f"{work.authors} ({work.year})" if work and role.endswith(":t") else ""
            said = said or (f"{work.authors}, {work.year}" if work else key)
            words.append(_link(said, (work.address if work else "") or listed))
        return ", ".join(words) if role.endswith(":t") else f"({'; '.join(words)})"
