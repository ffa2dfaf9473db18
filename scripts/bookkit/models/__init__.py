"""Trains the models that are vendored because a chapter has no time to."""

from bookkit.models.emoji_towers import EmojiTowersJob

JOBS = {"emoji_towers": EmojiTowersJob}

__all__ = ["JOBS"]
