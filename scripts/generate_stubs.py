"""Expand _toc.yml into notebook stubs, and keep stubs, titles and names in step with it.

Creates missing stubs, refreshes untouched stubs and managed cells; never touches an authored cell.
Exit codes: 0 done; 1 drift or problems under --check; 2 a TOC, configuration or usage error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bookkit.course.config import Repository, read_config
from bookkit.course.toc import Page, read_toc
from bookkit.errors import BookError, Parser, tolerant_streams
from bookkit.lock import alone
from bookkit.stubs import apply
from bookkit.stubs.plan import Plan, make_plan, retitled
from bookkit.stubs.stub import heading

SHOW_BAR_FROM = 300  # pages


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = Parser("generate_stubs", __doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder with _toc.yml (default: here)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; exit 1 if anything is to do or to mend")
    mode.add_argument("--dry-run", action="store_true", help="write nothing; print the plan")
    parser.add_argument("--rename", action="store_true", help="move pages that were renamed in the TOC")
    parser.add_argument("--retitle", action="store_true", help="give authored pages the H1 of the TOC")
    parser.add_argument("--prune", action="store_true", help="delete untouched stubs that the TOC no longer lists")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    tolerant_streams()
    try:
        options = parse(argv)
        plan = run(options)
    except BookError as error:
        print(f"generate_stubs: {error}", file=sys.stderr)
        return 2
    return 1 if options.check and not plan.clean else 0


def run(options: argparse.Namespace) -> Plan:
    """Plan, report, and unless told otherwise carry the plan out."""
    root = options.root
    writing = not (options.check or options.dry_run)
    with alone(root, wait=True) if writing else contextlib.nullcontext():
        return _run(root, options, writing)


def _run(root: Path, options: argparse.Namespace, writing: bool) -> Plan:
    config = read_config(root)
    empty: list[tuple[str, str]] = []
    pages = read_toc(root, config.excluded, empty)
    if writing:
        apply.sweep(root)
    plan = make_plan(root, pages, config, empty, _bar)
    done: list[str] = []
    shown = plan
    renamed: list[tuple[str, str]] = []
    while writing and options.rename and plan.rename:  # a move can make the next pair unambiguous
        _check_targets(root, plan)
        for old, new in plan.rename:
            apply.rename(root, old, new)
            done.append(f"rename   {old} -> {new}")
        renamed += plan.rename
        plan = make_plan(root, pages, config, empty, _bar)
        shown = Plan(**{**vars(plan), "rename": renamed})
    if writing:
        _carry_out(root, plan, options, pages, config.repository)
    _report(shown, done, options, writing)
    return plan


def _check_targets(root: Path, plan: Plan) -> None:
    for old, new in plan.rename:
        apply.check_ancestors(root, new)
        if (root / new).exists():
            raise BookError(root / new, f"already exists; {old} was not renamed, move one of them away")


def _carry_out(root: Path, plan: Plan, options: argparse.Namespace, pages: list[Page], repository: Repository) -> None:
    if options.retitle and plan.retitle:
        by_name = {page.docname: page for page in pages}
        for path, _, title in plan.retitle:
            before = plan.writes.get(path) or plan.texts.get(path) or (root / path).read_bytes().decode()
            page = by_name[path.rpartition(".")[0]]
            plan.writes[path] = retitled(before, root / path, heading(title), page, repository)
    apply.write_all(root, plan.writes)
    if options.prune:
        apply.prune(root, plan.prunable)


def _bar(items: Iterable[Any], what: str) -> Iterable[Any]:
    few = len(items) < SHOW_BAR_FROM if hasattr(items, "__len__") else True
    return items if few else tqdm(items, desc=what, leave=False, disable=None)


def _report(plan: Plan, done: list[str], options: argparse.Namespace, wrote: bool) -> None:
    if options.json:
        print(json.dumps(plan.as_json(), indent=1, ensure_ascii=False))
        return
    would = "" if wrote else "would "
    lines = list(done)
    lines += [f"{would}create   {path}" for path in plan.create]
    lines += [f"{would}refresh  {path}" for path in plan.refresh]
    if not (wrote and options.rename):
        lines += [f"renamed? {old} -> {new}: run with --rename to move it" for old, new in plan.rename]
    for path, old, new in plan.retitle:
        if wrote and options.retitle:
            lines.append(f"retitle  {path}: {old!r} -> {new!r}")
        else:
            lines.append(f"title    {path}: page says {old!r}, TOC says {new!r}: run with --retitle to change the page")
    for path in plan.orphans:
        if path not in plan.prunable:
            lines.append(f"orphan   {path}: not in the TOC, kept")
        elif wrote and options.prune:
            lines.append(f"prune    {path}")
        else:
            lines.append(f"orphan   {path}: an untouched stub, kept; --prune deletes it")
    lines += [f"problem  {p['where']}: {p['what']}" for p in plan.problems]
    print("\n".join([*lines, _summary(plan, would)]))


def _summary(plan: Plan, would: str) -> str:
    counts = {
        f"{would}create": plan.create,
        f"{would}refresh": plan.refresh,
        "renamed": plan.rename,
        "titles differ": plan.retitle,
        "orphans": plan.orphans,
        "problems": plan.problems,
    }
    return "stubs: " + ", ".join(f"{len(v)} {k}" for k, v in counts.items())


if __name__ == "__main__":
    sys.exit(main())
