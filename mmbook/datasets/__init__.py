"""Data sets of the course. Each loads from files in this package or from a seeded generator."""

from mmbook.datasets.emoji import Emoji, load_emoji, matching_pairs
from mmbook.datasets.reviews import load_reviews
from mmbook.datasets.store import DamagedDataError, all_cards

__all__ = ["DamagedDataError", "Emoji", "all_cards", "load_emoji", "load_reviews", "matching_pairs"]
