"""Whisper (Radford et al. 2023), tiny.en and the multilingual base, from pip: opened up as a transformers model."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from math import gcd
from typing import Any, Literal

import numpy as np
import torch
from scipy.signal import resample_poly
from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor, WhisperForConditionalGeneration
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from mmbook.encoders.whisper_weights import config_of, opened, state_of, variables
from mmbook.threads import use_threads

RATE = 16_000  # samples per second that Whisper hears
FRAMES_A_SECOND = 50  # of what the encoder gives
# transformers 5.24 renamed the argument (2026-11-26); versions before it know only the old name.
CACHE = ({"cache", "past_key_values"} & set(signature(WhisperForConditionalGeneration.forward).parameters)).pop()

Task = Literal["transcribe", "translate"]


@dataclass(frozen=True)
class Heard:
    """What Whisper wrote for one sound.

    Attributes:
        text: the words. ids: their tokens, without those of the prompt and the end.
        nats: log-probability of each token, of the end, too, where it came.
        allowed: the same after what may not be written was taken out, as OpenAI's code counts; nearer to 0.
        silence: probability of "no speech" that the model gives before the first word.
    """

    text: str
    ids: list[int]
    nats: list[float]
    allowed: list[float]
    silence: float


class Whisper:
    """The encoder and decoder of Whisper, frozen, in float32.

    Its steps are open: ``features`` (log-mel), ``encode``, ``transcribe`` (greedy), ``log_probabilities`` and
    ``text_scores`` of any text for any sound, and ``attention`` of written tokens to the sound.

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
        self.size = size
        folder, stream = opened(size)
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        facts: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        with stream:
            state = state_of(variables(stream))
        self.model = WhisperForConditionalGeneration(config_of(state))
        self.model.load_state_dict(state)
        self._shorten(seconds)
        self.model.eval().requires_grad_(False)
        self.timing_heads: list[tuple[int, int]] = [(layer, head) for layer, head in facts["alignment_heads"]]
        self.start, self.end, self.silent = map(self._id, ("<|startoftranscript|>", "<|endoftext|>", "<|nocaptions|>"))
        tokens = facts["lang_ids"] if size == "base" else []  # tiny.en has the tokens, and never saw them
        codes = [name.strip("<|>") for name in self.tokenizer.convert_ids_to_tokens(tokens)]
        self.languages: dict[str, int] = dict(zip(codes, tokens, strict=True))
        commands = range(self.end + 1, self.model.config.vocab_size)  # languages, tasks, timestamps
        self._commands = torch.tensor(commands)
        self._never = torch.tensor(sorted({*facts["suppress_ids"], *commands}))
        self._never_first = torch.tensor(facts["suppress_ids_begin"])

    def _id(self, token: str) -> int:
        return int(self.tokenizer.get_vocab()[token])

    def shorter(self, seconds: int) -> Whisper:
        """The same model with a shorter window; the two share their weights, so it takes no memory of its own.

        Raises:
            ValueError: a window longer than that of this model, or less than a second.
        """
        if not 1 <= seconds <= self.seconds:
            raise ValueError(f"seconds must be 1 to {self.seconds}, not {seconds}")
        other = copy.copy(self)
        other.model = copy.deepcopy(self.model, {id(weight): weight for weight in self.model.parameters()})
        other._shorten(seconds)
        return other

    def _shorten(self, seconds: int) -> None:
        self.seconds = seconds
        self._extractor = WhisperFeatureExtractor(feature_size=80, chunk_length=seconds)
        encoder, positions = self.model.model.encoder, FRAMES_A_SECOND * seconds
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
        self,
        encoded: torch.Tensor,
        language: str = "en",
        task: Task = "transcribe",
        tokens: int = 60,
        *,
        free: bool = False,
    ) -> list[Heard]:
        """Greedy decoding of what ``encode`` gave, without timestamps.

        Signs that are no speech (brackets, notes, ...) are never written, as in OpenAI's code (``suppress_tokens``),
        nor is an empty text (``suppress_blank``).

        Args:
            tokens: at most this many are written; silence and music can make a model repeat itself.
            free: allow these signs and the empty text.
        """
        prompt = self.prompt(language, task)
        ids = torch.tensor([prompt] * len(encoded))
        written: list[torch.Tensor] = []
        chances: list[torch.Tensor] = []
        never = self._commands if free else self._never
        done = torch.zeros(len(encoded), dtype=torch.bool)
        step = ids
        past = {CACHE: EncoderDecoderCache(DynamicCache(), DynamicCache())}  # filled by each call of the model
        silence = torch.zeros(len(encoded))
        while len(written) < tokens and not done.all():
            out = self.model(encoder_outputs=(encoded,), decoder_input_ids=step, use_cache=True, **past)
            logits = out.logits[:, -1]
            nats = logits.log_softmax(dim=1)
            if not written:
                silence = out.logits[:, 0].softmax(dim=1)[:, self.silent]
                if not free:
                    logits[:, self._never_first] = -torch.inf
            logits[:, never] = -torch.inf
            best = logits.argmax(dim=1).masked_fill(done, self.end)
            written.append(best)
            both = torch.stack([nats, logits.log_softmax(dim=1)], dim=1)  # (sounds, 2, vocabulary)
            chances.append(both[torch.arange(len(best)), :, best])
            done |= best == self.end
            step = best[:, None]
        found = torch.stack(chances, dim=2).tolist()  # (sounds, 2, tokens)
        rows = zip(torch.stack(written, dim=1).tolist(), found, silence.tolist(), strict=True)
        return [self._heard(*row) for row in rows]

    def _heard(self, ids: list[int], chances: list[list[float]], silence: float) -> Heard:
        words = ids[: ids.index(self.end)] if self.end in ids else ids
        nats, allowed = (row[: len(words) + 1] for row in chances)
        return Heard(str(self.tokenizer.decode(words)).strip(), words, nats, allowed, silence)

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
    def text_scores(
        self,
        encoded: torch.Tensor,
        texts: Sequence[Sequence[int]],
        language: str = "en",
        task: Task = "transcribe",
    ) -> torch.Tensor:
        """Of each whole text, with the end after it, for each sound: (sounds, texts).

        The same as the sums of ``log_probabilities``, but what the decoder needs of a sound is computed once.
        """
        prompt = self.prompt(language, task)
        found = torch.zeros(len(encoded), len(texts))
        for rows in torch.arange(len(encoded)).split(6):  # a base sound takes 37 MB
            cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
            sounds = {"encoder_outputs": (encoded[rows],), "use_cache": True, CACHE: cache}
            self.model(decoder_input_ids=torch.tensor([prompt[:-1]]).expand(len(rows), -1), **sounds)
            for k, ids in enumerate(texts):
                row = torch.tensor([[prompt[-1], *ids]]).expand(len(rows), -1)
                nats = self.model(decoder_input_ids=row, **sounds).logits.log_softmax(dim=2)
                wanted = torch.tensor([*ids, self.end]).expand(len(rows), -1)
                found[rows, k] = nats.gather(2, wanted[:, :, None]).sum(dim=(1, 2))
                cache.crop(-len(ids) - 1)  # leaves the prompt
        return found

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
            out = self.model(encoder_outputs=(encoded,), decoder_input_ids=row, output_attentions=True, use_cache=False)
        finally:
            self.model.set_attn_implementation(before)
        return torch.stack(out.cross_attentions, dim=1)[:, :, :, len(prompt) - 1 : -1]

    def _logits(self, encoded: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        # Without a cache: it would hold keys and values of all sounds, 37 MB for each of 30 s.
        return self.model(encoder_outputs=(encoded,), decoder_input_ids=ids, use_cache=False).logits
