"""Trains the models that are vendored because a chapter has no time to."""

from bookkit.models.captioner import CaptionerJob
from bookkit.models.clip_heads import ClipHeadsJob
from bookkit.models.emoji_towers import EmojiTowersJob

JOBS = {"captioner": CaptionerJob, "clip_heads": ClipHeadsJob, "emoji_towers": EmojiTowersJob}

__all__ = ["JOBS"]
