"""Frozen pretrained encoders that come with pip packages, and the loader of full BERT models."""

from mmbook.encoders.image import ImageEncoder
from mmbook.encoders.text import TextEncoder, load_bert
from mmbook.encoders.weights import WeightsError

__all__ = ["ImageEncoder", "TextEncoder", "WeightsError", "load_bert"]
