"""Files that a chapter publishes for demonstrations in the page. No chapter ever reads another chapter's."""

from __future__ import annotations

import base64
import re

MIME = "application/vnd.mmbook.artifact+json"
LARGEST = 2 * 2**20  # bytes


def publish(name: str, data: bytes) -> None:
    """Leave a file for the site, where it stands at ``_artifacts/<chapter>/<name>``.

    Args:
        name: a file name of small letters, digits, hyphens and dots.

    Raises:
        ValueError: another name, or more than 2 MiB.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise ValueError(f"{name!r} is no plain file name: use small letters, digits, hyphens and dots")
    if len(data) > LARGEST:
        raise ValueError(f"{name} has {len(data)} bytes, more than the {LARGEST} that a page may load")
    from IPython.display import publish_display_data

    record = {"name": name, "data": base64.b64encode(data).decode()}
    publish_display_data({MIME: record, "text/plain": f"Published {name}, {len(data) / 1000:.0f} kB."})
