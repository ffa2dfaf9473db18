"""Train a vendored model and put its weights into mmbook/models; an interrupted training goes on where it was.

python scripts/prepare_model.py emoji_towers
"""

from __future__ import annotations

import sys
from pathlib import Path

from bookkit.errors import BookError, Parser
from bookkit.models import JOBS
from bookkit.models.job import run, vendor

ROOT = Path(__file__).resolve().parent.parent


def main(argv: list[str] | None = None) -> int:
    """Exit 0 done, 2 a usage error, 130 interrupted (what is done is kept)."""
    parser = Parser("prepare_model", __doc__)
    parser.add_argument("name", choices=JOBS)
    try:
        name = parser.parse_args(argv).name
    except BookError as error:
        print(f"prepare_model: {error}", file=sys.stderr)
        return 2
    checkpoint = ROOT / "_build" / "models" / f"{name}.pt"
    try:
        job = JOBS[name]()
        log = run(job, checkpoint, lambda line: print(f"{name}: {line}", flush=True))
    except KeyboardInterrupt:
        print(f"\nprepare_model: interrupted; the same command goes on from {checkpoint}", file=sys.stderr)
        return 130
    made = vendor(job, ROOT / "mmbook" / "models" / name, f"python scripts/prepare_model.py {name}", log)
    for what, value in made["measured"].items():
        print(f"{name}: {what}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
