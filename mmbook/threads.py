"""How many threads torch uses: chosen here alone, where training and encoding begin."""

from __future__ import annotations

import os

import torch


def use_threads() -> int:
    """Let torch use one thread from here on, or as many as the environment variable ``MMBOOK_THREADS`` says.

    The models of this book are too small to share. Measured on two cores: with two threads the training of a small
    network took 0.5 s instead of 0.6, pictures 0.6 s instead of 1.0, texts 2.6 s instead of 4.7; but beside two other
    busy programs 5.6 s instead of 1.0, 3.5 instead of 1.4 and 7.9 instead of 7.0, since threads wait for each other.

    Raises:
        ValueError: the variable is not an integer of at least 1.
    """
    text = os.environ.get("MMBOOK_THREADS", "1").strip()
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"MMBOOK_THREADS={text!r} is not an integer of at least 1; unset it or give it a number")
    if torch.get_num_threads() != int(text):
        torch.set_num_threads(int(text))
    return int(text)
