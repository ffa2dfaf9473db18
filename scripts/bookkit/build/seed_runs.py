"""Runs chapters over more values of MMBOOK_SEED, and adds what they found to the record."""

from __future__ import annotations

import json
from pathlib import Path

from bookkit.build import collect, local
from bookkit.build.book import Chapter
from bookkit.build.execute import Job, Result
from bookkit.build.executed import without_outputs
from bookkit.build.keys import Helpers, page_key
from bookkit.build.seeds import Record

FIRST = 1  # the build itself has value 0


def run_seeds(root: Path, chosen: list[Chapter], record: Record, count: int, workers: int, helpers: str) -> list[str]:
    """Run each chapter with ``count`` more values that its record lacks; returns what failed, in words.

    The key of a chapter leaves the seed out, so that one row holds all values.

    Args:
        helpers: a folder with a copy of the helper package.

    Raises:
        KeyboardInterrupt: after Ctrl-C; what was done is in the record.
    """
    sources = Helpers(root)
    cache = str(root / "_build/embeddings" / sources.encoders_digest())
    jobs: list[Job] = []
    seeds: dict[str, tuple[Chapter, int]] = {}
    for chapter in chosen:
        known = record.known(chapter.name, page_key(chapter.data, sources, "any"))
        fresh = (seed for seed in range(FIRST, FIRST + count + len(known)) if str(seed) not in known)
        for seed, _ in zip(fresh, range(count), strict=False):
            name = f"{chapter.docname} (seed {seed})"
            seeds[name] = chapter, seed
            environment = {"MMBOOK_SEED": str(seed), "MMBOOK_CACHE": cache}
            text = json.dumps(without_outputs(chapter.data))
            jobs.append(Job(name, text, helpers, environment, gpu=bool(chapter.marks.get("gpu"))))
    jobs.sort(key=lambda job: seeds[job.docname][1])  # every chapter gets its first value before any gets its last
    faults: list[str] = []

    def settle(result: Result) -> None:
        chapter, seed = seeds[result.docname]
        claims = collect.claims(chapter.docname, json.loads(result.notebook)) if result.notebook else []
        if result.raised or not result.failure:  # a kernel that was killed says nothing about the chapter
            record.add(chapter.name, seed, None if result.failure and not claims else claims)
        if not result.failure:
            name = f"{chapter.name}, seed {seed}"
            faults.extend(f"{name}: claim fails: {claim['statement']}" for claim in claims if not claim["holds"])
        else:
            faults.append(f"FAILED {result.failure}")
        print(
            f"{chapter.name}, seed {seed}: {sum(c['holds'] for c in claims)} of {len(claims)} claims hold", flush=True
        )

    local.run_all(jobs, workers, settle)
    return faults
