"""Run models of pairs in batches: a classification of pairs, or an encoder of single texts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BatchEncoding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from agents.local.readouts.pair_outputs import LABELS, Kind, check_outputs, is_classifier, labels_of
from agents.local.settings import Settings
from arena.errors import StudyError

# Tokens of a batch, padding included.
TOKENS_PER_BATCH = 2**13
# Tokens of a text where neither model nor tokenizer bounds them.
LONGEST = 512
Scores = tuple[list[object], int, int]


class PairScorer(Protocol):
    """A model of pairs in memory; `dtype` and `device` are spelled as torch does."""

    dtype: str
    device: str

    def score(self, first: Sequence[str], second: Sequence[str]) -> Scores:
        """Return (values, pairs that were cut, tokens that were read)."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Texts, or pairs of them, as tokens: `ids` are lists, of which `cut` were longer."""

    ids: list[list[int]]
    types: list[list[int]] | None
    cut: list[bool]


class Weights:
    """A model with its tokenizer, run in batches of about equal length."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.dtype = str(model.dtype).removeprefix("torch.")
        self.device = str(model.device)
        self.longest = longest_of(model, tokenizer)

    def encode(self, first: Sequence[str], second: Sequence[str] | None = None) -> Encoded:
        """Return texts, or pairs, as tokens, cut to what the model takes."""
        texts = [list(first)] if second is None else [list(first), list(second)]
        found = self.tokenizer(*texts, truncation=True, max_length=self.longest)
        whole = self.tokenizer(*texts, truncation=False, verbose=False)
        lengths = zip(found.input_ids, whole.input_ids, strict=True)
        cut = [len(kept) < len(all_of_it) for kept, all_of_it in lengths]
        return Encoded(found.input_ids, found.get("token_type_ids"), cut)

    def batches(self, encoded: Encoded) -> Iterator[tuple[list[int], BatchEncoding]]:
        """Yield numbers of rows, the shortest first, and their padded tensors."""
        order = sorted(range(len(encoded.ids)), key=lambda row: len(encoded.ids[row]))
        while order:
            widths = [len(encoded.ids[row]) for row in order]
            rows = sum((n + 1) * width <= TOKENS_PER_BATCH for n, width in enumerate(widths)) or 1
            some, order = order[:rows], order[rows:]
            columns: dict[str, Any] = {"input_ids": [encoded.ids[row] for row in some]}
            if encoded.types is not None:
                columns["token_type_ids"] = [encoded.types[row] for row in some]
            padded = self.tokenizer.pad(columns, return_tensors="pt")
            yield some, padded.to(self.model.device)


class Classifier(Weights):
    """Three probabilities of a pair, or the sigmoid of one output."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]
    ) -> None:
        super().__init__(model, tokenizer)
        self.places = [labels.index(label) for label in LABELS] if len(labels) > 1 else None

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
    def score(self, first: Sequence[str], second: Sequence[str]) -> Scores:
        """Return (values, pairs that were cut, tokens that were read)."""
        if not first:
            return [], 0, 0
        encoded = self.encode(first, second)
        values: list[object] = [None] * len(first)
        for rows, batch in self.batches(encoded):
            logits = self.model(**batch).logits.float()
            if self.places is None:
                found = logits[:, 0].sigmoid()
            else:
                found = logits.softmax(-1)[:, self.places]
            for row, value in zip(rows, found.tolist(), strict=True):
                values[row] = value
        return values, sum(encoded.cut), sum(map(len, encoded.ids))


class Encoder(Weights):
    """The cosine of the mean last states of two texts; each text is read once."""

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
    def score(self, first: Sequence[str], second: Sequence[str]) -> Scores:
        """Return (values, pairs that were cut, tokens that were read)."""
        texts = list(dict.fromkeys((*first, *second)))
        if not texts:
            return [], 0, 0
        encoded = self.encode(texts)
        means: list[torch.Tensor] = [torch.empty(0)] * len(texts)
        for rows, batch in self.batches(encoded):
            states = self.model(**batch).last_hidden_state.float()
            mask = batch["attention_mask"][..., None].float()
            mean = (states * mask).sum(1) / mask.sum(1).clamp_min(1)
            for row, value in zip(rows, mean.cpu(), strict=True):
                means[row] = value
        place = {text: number for number, text in enumerate(texts)}
        pairs = [(place[one], place[other]) for one, other in zip(first, second, strict=True)]
        values: list[object] = [
            float(torch.cosine_similarity(means[one], means[other], dim=0)) for one, other in pairs
        ]
        cut = sum(encoded.cut[one] or encoded.cut[other] for one, other in pairs)
        return values, cut, sum(map(len, encoded.ids))


def longest_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many tokens a text, or a pair, may have."""
    positions = getattr(model.config, "max_position_embeddings", None) or LONGEST
    # The first positions of RoBERTa and its kin are those of padding.
    if getattr(model.config, "model_type", "") in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= (model.config.pad_token_id or 0) + 1
    return int(min(positions, tokenizer.model_max_length))


def load_scorer(
    kind: Kind,
    name: str,
    where: str,
    settings: Settings,
    revision: str | None,
) -> PairScorer:
    """Read weights and tokenizer from a folder, or from the hub (its cache on disk first).

    Raises StudyError if there is no such model, or it gives other numbers.
    """
    try:
        return read_scorer(kind, name, where, settings, revision, local_files_only=True)
    except (OSError, ValueError) as error:
        if Path(where).exists() or os.environ.get("HF_HUB_OFFLINE") == "1":
            raise unreadable_error(name, where, error) from error
    try:
        return read_scorer(kind, name, where, settings, revision, local_files_only=False)
    except (OSError, ValueError) as error:
        raise unreadable_error(name, where, error) from error


def read_scorer(
    kind: Kind,
    name: str,
    where: str,
    settings: Settings,
    revision: str | None,
    *,
    local_files_only: bool,
) -> PairScorer:
    """Return a model as transformers reads it; code that comes with a model is never run."""
    device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    default = torch.float32 if device == "cpu" else "auto"
    dtype = getattr(torch, settings.dtype) if settings.dtype else default
    place = {"revision": revision or "main", "local_files_only": local_files_only}
    tokenizer = AutoTokenizer.from_pretrained(where, **place)
    check_pooling(name, Path(where))
    config = AutoConfig.from_pretrained(where, **place).to_dict()
    check_outputs(kind, name, config)
    classifies = is_classifier(config)
    reader = AutoModelForSequenceClassification if classifies else AutoModel
    model = reader.from_pretrained(where, dtype=dtype, **place).to(device).eval()
    if classifies:
        return Classifier(model, tokenizer, labels_of(config))
    return Encoder(model, tokenizer)


def check_pooling(name: str, folder: Path) -> None:
    """Raise StudyError if a folder of sentence-transformers pools otherwise than by the mean."""
    file = folder / "1_Pooling" / "config.json"
    if file.is_file() and not json.loads(file.read_bytes()).get("pooling_mode_mean_tokens", True):
        raise StudyError(
            f"{name} does not take the mean of its states, which is all that is done here: take"
            " another encoder, or a cross-encoder"
        )


def unreadable_error(name: str, where: str, error: BaseException) -> StudyError:
    """Return the error for a model that cannot be read, in one sentence."""
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    if Path(where).exists():
        return StudyError(f"transformers cannot read {name} from {where}: {reason}")
    return StudyError(
        f"{name} is neither a folder nor in the hub's cache on this disk, and it could not be"
        f" fetched; give a folder, or open the network once ({reason})"
    )
