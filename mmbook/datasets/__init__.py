"""Data sets of the course. Each loads from files in this package or from a seeded generator."""

from mmbook.datasets.audio_visual import audio_visual_digits
from mmbook.datasets.digits import load_digits
from mmbook.datasets.emoji import Emoji, load_emoji, matching_pairs
from mmbook.datasets.reviews import load_reviews
from mmbook.datasets.store import DamagedDataError, all_cards
from mmbook.datasets.voices import load_speech, load_voices

__all__ = [
    "DamagedDataError",
    "Emoji",
    "all_cards",
    "audio_visual_digits",
    "load_digits",
    "load_emoji",
    "load_reviews",
    "load_speech",
    "load_voices",
    "matching_pairs",
]
