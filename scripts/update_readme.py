"""Write the list of chapters in README.md, with one finding each, from the last build.

make readme
Exit codes: 0 done; 2 README.md has no place for it, or the book is not built.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bookkit.build.readme import update
from bookkit.errors import BookError, Parser, tolerant_streams


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit code."""
    tolerant_streams()
    try:
        parser = Parser("update_readme", __doc__)
        parser.add_argument("--root", type=Path, default=Path(), help="the folder with README.md (default: here)")
        changed = update(parser.parse_args(argv).root)
    except BookError as error:
        print(f"update_readme: {error}", file=sys.stderr)
        return 2
    print("README.md is written" if changed else "README.md says it already")
    return 0


if __name__ == "__main__":
    sys.exit(main())
