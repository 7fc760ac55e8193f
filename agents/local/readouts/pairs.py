"""Models of pairs of texts on this machine: `nli/<folder or hub id>`, `similarity/<...>`.

`nli/` reads a sequence classification whose three labels are entailment, neutral and contradiction,
such as `nli/microsoft/deberta-large-mnli`, and gives their probabilities.  `similarity/` reads a
cross-encoder with one output (`similarity/cross-encoder/stsb-roberta-large`), whose sigmoid is the
similarity, or an encoder, whose similarity is the cosine of the means of its last states.

A request holds JSON: `{"pairs": [[text, text], ...]}`, or, for similarity, `{"text": text,
"without": [[start, end], ...]}`, the text beside itself without each of these spans of characters.
The reply is JSON too: `{"probabilities": [[entailment, neutral, contradiction], ...]}` or
`{"similarity": [...]}`.  Revisions and settings are those of `local/` (dtype and device alone).
Texts that are longer than the model takes are cut; the measure `pairs_truncated` counts them.
"""

from __future__ import annotations

import asyncio
import json
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from agents.local.readouts.pair_outputs import Kind, check_outputs
from agents.local.settings import Settings, find_weights, parse_settings, portable
from arena.errors import RefusedError, StudyError
from arena.types import BaseModel, Price, Reply, Request

if TYPE_CHECKING:
    from agents.local.readouts.pair_scorers import PairScorer

EXAMPLES: dict[Kind, str] = {
    "nli": "microsoft/deberta-large-mnli",
    "similarity": "cross-encoder/stsb-roberta-large",
}
PAIRS = '{"pairs": [[text, text], ...]}'
WITHOUT = '{"text": text, "without": [[start, end], ...]}'
# Every model in use, by its whole reference, so that weights are read once.
MODELS: weakref.WeakValueDictionary[str, PairModel] = weakref.WeakValueDictionary()


def pair_model(kind: Kind, reference: str) -> PairModel:
    """Return the model of a reference without its "<kind>/"; no weights are read yet.

    Raises StudyError if torch or transformers is missing, a setting is wrong, or the reference
    names a folder without a model, or with one that gives other numbers.
    """
    name, where, query, revision = find_weights(kind, reference, EXAMPLES[kind])
    missing = [package for package in ("torch", "transformers") if find_spec(package) is None]
    if missing:
        raise StudyError(f"{name} needs {' and '.join(missing)}: pip install 'peer-arena[local]'")
    settings = parse_settings(name, query)
    if settings.quantized or settings != Settings(settings.dtype, settings.device):
        raise StudyError(f"{name} has the settings dtype (float32, bfloat16, float16) and device")
    if Path(where).is_dir():
        check_outputs(kind, name, json.loads((Path(where) / "config.json").read_bytes()))
    key = f"{kind}/{reference}"
    model = MODELS.get(key)
    if model is None:
        model = MODELS[key] = PairModel(kind, name, where, settings, revision)
    return model


class PairModel(BaseModel):
    """A model of pairs; `pair_model` or its reference makes one."""

    capabilities = frozenset({"pairs"})
    has_own_queue = True
    on_engines = True
    price = Price(0.0, 0.0, source="local")

    def __init__(
        self, kind: Kind, name: str, where: str, settings: Settings, revision: str | None
    ) -> None:
        self.name = name
        self._kind: Kind = kind
        self._where = where
        self._settings = settings
        self._revision = revision
        self._digest: str | None = None
        self._scorer: PairScorer | None = None
        # One batch at a time: it takes all cores, or the device.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __reduce__(self) -> tuple[object, ...]:
        """Travel as the reference that it was made of, never with weights."""
        where, settings = portable(self._where, self._settings)
        return PairModel, (self._kind, self.name, where, settings, self._revision)

    async def open(self) -> None:
        """Read the weights unless they are in memory; StudyError if there is no such model."""
        await asyncio.to_thread(self._loaded)

    def _loaded(self) -> PairScorer:
        """Return the weights in memory."""
        with self._lock:
            if self._scorer is None:
                # Imports torch and transformers, which plans do not need.
                from agents.local.readouts.pair_scorers import load_scorer
                from agents.local.weights.digest import check_digest

                check_digest(self.name, self._where, self._revision, self.find_digest())
                hub = None if Path(self._where).is_dir() else self._revision
                self._scorer = load_scorer(self._kind, self.name, self._where, self._settings, hub)
                self.find_digest()
            return self._scorer

    def find_digest(self) -> str | None:
        """Return the sha256 of the files that decide its replies; None: not on this disk."""
        if self._digest is None:
            from agents.local.weights.digest import digest_of, folder_of

            hub = None if Path(self._where).is_dir() else self._revision
            with suppress(OSError, ValueError, LookupError):
                folder = folder_of(self._where, hub)
                self._digest = None if folder is None else digest_of(folder, self.name)
        return self._digest

    def request_settings(self, request: Request) -> dict[str, object] | None:
        """Return number format and device, once the weights are in memory."""
        found = self._scorer
        return None if found is None else {"dtype": found.dtype, "device": found.device}

    async def __call__(self, request: Request) -> Reply:
        """Return the numbers of all pairs of a request as JSON.

        Raises RefusedError if the request is not one of pairs, or asks `nli/` for similarity.
        """
        first, second = self._texts(request.messages[-1].content)
        scorer = await asyncio.to_thread(self._loaded)
        values, cut, tokens = await asyncio.to_thread(self._score, scorer, first, second)
        name = "probabilities" if self._kind == "nli" else "similarity"
        return Reply(
            orjson.dumps({name: values}).decode(),
            model_served=self.name,
            finish_reason="stop",
            tokens_in=tokens,
            tokens_out=0,
            measures={"pairs_truncated": float(cut)} if cut else None,
        )

    def _score(
        self, scorer: PairScorer, first: Sequence[str], second: Sequence[str]
    ) -> tuple[list[object], int, int]:
        """Return (values, pairs that were cut, tokens that were read)."""
        with self._lock:
            return scorer.score(first, second)

    def _texts(self, content: str) -> tuple[list[str], list[str]]:
        """Return the first and the second text of each pair that a request asks about."""
        try:
            asked = orjson.loads(content)
            if "pairs" in asked:
                pairs = [(text_in(one), text_in(other)) for one, other in asked["pairs"]]
            elif self._kind == "nli":
                raise ValueError("similarity of nli")
            else:
                text = text_in(asked["text"])
                pairs = [(text, text[:start] + text[end:]) for start, end in asked["without"]]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            forms = PAIRS if self._kind == "nli" else f"{PAIRS} or {WITHOUT}"
            raise RefusedError(
                f"{self.name} is asked for {forms} in JSON, and the request is not that",
                sent=False,
            ) from error
        return [one for one, _ in pairs], [other for _, other in pairs]


def text_in(value: object) -> str:
    """Return a value that is a text; TypeError for any other."""
    if not isinstance(value, str):
        raise TypeError(f"no text: {value!r:.40}")
    return value
