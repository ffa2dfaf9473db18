"""Text encoders: MiniLM-L6, a small pretrained BERT that comes with pip, and full BERT models."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch
from huggingface_hub import HfApi
from torch.nn import functional
from transformers import AutoTokenizer, BertModel

from mmbook.encoders.embedding_cache import cached
from mmbook.encoders.weights import MINILM, WeightsError
from mmbook.threads import use_threads
from mmbook.training import progress


class TextEncoder:
    """MiniLM-L6 (6 layers, 384-d), frozen: texts in, one embedding per text out.

    A BERT distilled with self-attention relations (Wang et al. 2020) and fine-tuned for sentence
    similarity; its sentence embedding is the mean of the last layer over the tokens
    (Reimers and Gurevych 2019, section 3).

    Attributes:
        dim: 384. model: the ``BertModel``. tokenizer: its word-piece tokenizer.

    Raises:
        WeightsError: the weights are not here, or are other ones.
    """

    dim = 384

    def __init__(self) -> None:
        folder = MINILM.folder_path()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = BertModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, weights_only=True)
        self.model.eval().requires_grad_(False)

    def tokens(self, texts: Sequence[str], max_length: int = 64) -> dict[str, torch.Tensor]:
        """``input_ids`` and ``attention_mask``, int64 (texts, tokens), padded to the longest."""
        batch = self.tokenizer(list(texts), padding=True, truncation=True, max_length=max_length, return_tensors="pt")
        return {k: batch[k] for k in ("input_ids", "attention_mask")}

    def encode(self, texts: Sequence[str], batch_size: int = 128) -> torch.Tensor:
        """Mean-pooled embeddings, float32 (texts, 384), not normalised; cached on disk."""
        key = [MINILM.sha256.encode(), b"mean-pool-64", *(t.encode() for t in texts)]
        return cached(key, lambda: self._encode(list(texts), batch_size))

    @torch.no_grad()
    def _encode(self, texts: list[str], batch_size: int) -> torch.Tensor:
        use_threads()
        out = torch.empty(len(texts), self.dim)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # texts of one length pad little
        for start in progress(range(0, len(texts), batch_size), "text embeddings"):
            rows = order[start : start + batch_size]
            batch = self.tokens([texts[i] for i in rows])
            hidden = self.model(**batch).last_hidden_state  # (batch, tokens, 384)
            out[rows] = mean_pool(hidden, batch["attention_mask"])
        return out


def mean_pool(hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Mean over real tokens: (batch, tokens, dim), (batch, tokens) -> (batch, dim)."""
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)


def similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Cosine similarities of all pairs: (n, dim), (m, dim) -> (n, m)."""
    return functional.normalize(a, dim=-1) @ functional.normalize(b, dim=-1).T


def load_bert(name: str = "bert-base-uncased", revision: str = "main") -> BertModel:
    """A pretrained BERT from the model hub (or from a local folder), with its pooler.

    Raises:
        WeightsError: the hub can't be reached and nothing is cached here; one line says what to do.
    """
    try:
        with suppress(Exception):  # a local folder, or a copy that an earlier run left here
            return BertModel.from_pretrained(name, revision=revision, local_files_only=True, weights_only=True)
        HfApi().model_info(name, revision=revision, timeout=10)  # fails at once, where a download would retry
        return BertModel.from_pretrained(name, revision=revision, weights_only=True)
    except Exception as error:  # the hub client raises a dozen kinds
        raise WeightsError(
            f"{name}: not on this machine and the model hub can't be reached ({type(error).__name__}); run this where "
            f"there is network (Colab), copy the model folder here and pass its path, or use mmbook's TextEncoder"
        ) from error
