"""Say which words of a stored reply an estimator compares, and how probable the reply was.

Only public words and answers are compared: other models read them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from arena.grading.grade import LETTERS
from arena.score import SCORED, Score
from arena.tournaments.stored_replies import StoredReply, StoredSamples

TextKind = Literal["answer", "speech"]
# An estimator's name with a number for each reply that was used, with one for all of them, or with
# the reason why there is none.
Values = tuple[str, list[float] | float | str]
TOO_FEW = "one reply alone agrees with nobody; sample the question more than once"


@dataclass(frozen=True, slots=True)
class Compared:
    """The replies of a question that hold words to compare.

    `kind` says which words; `texts` holds those of the replies `used`, by their places among all;
    `missing` says why a reply has none, by its place.
    """

    kind: TextKind
    used: tuple[int, ...]
    texts: tuple[str, ...]
    missing: Mapping[int, str]


def compared(samples: StoredSamples, kind: TextKind | None) -> Compared:
    """Return the words to compare: answers to a question, speeches on a motion, unless `kind`."""
    kind = kind or ("speech" if samples.question.kind == "motion" else "answer")
    texts: dict[int, str] = {}
    missing: dict[int, str] = {}
    for place, reply in enumerate(samples.replies):
        text = answer_words(samples, reply) if kind == "answer" else reply.turn.public
        if text is None or not text.strip():
            missing[place] = "no answer to compare" if kind == "answer" else "no readable speech"
        else:
            texts[place] = text.strip()
    return Compared(kind, tuple(texts), tuple(texts.values()), missing)


def answer_words(samples: StoredSamples, reply: StoredReply) -> str | None:
    """Return the answer of a reply in words, None without one.

    Of a question with options it is the text of the option: letters entail nothing.
    """
    answer = reply.turn.answer or reply.canonical
    options = samples.question.choices
    letter = reply.canonical or answer
    if letter is not None and len(letter) == 1 and letter in LETTERS[: len(options)]:
        return options[LETTERS.index(letter)]
    return answer


def log_probability(reply: StoredReply) -> tuple[float, float] | None:
    """Return (log probability of the whole reply, mean a token); None: not stored.

    Both are in nats, <= 0, of all tokens of the reply: its reasoning counts, too.
    """
    if reply.logprobs:
        values = [choice.logprob for choice in reply.logprobs]
        total = math.fsum(values)
        return min(0.0, total), min(0.0, total / len(values))
    measures = reply.turn.measures or {}
    if "logprob_sum" not in measures or "logprob_mean" not in measures:
        return None
    # A sum of log probabilities can end a bit above 0 by rounding.
    return min(0.0, measures["logprob_sum"]), min(0.0, measures["logprob_mean"])


def scores_of(
    samples: StoredSamples,
    chosen: Compared,
    rows: Iterable[Values],
    details: Mapping[str, object] | None = None,
    own: Mapping[int, Mapping[str, object]] | None = None,
    alone: Collection[str] = (),
) -> list[Score]:
    """Return the score of every reply by each estimator, estimator by estimator.

    Of a reply that was not used its own reason is the status.  `details` are those of all, `own`
    further ones of some replies, by their places.  `alone` names estimators that read the reply
    alone, and none of its samples.
    """
    about = {"text": chosen.kind, **(details or {})}
    further = own or {}
    scores = []
    for name, values in rows:
        reason = values if isinstance(values, str) else SCORED
        each = values if isinstance(values, list) else [values] * len(chosen.used)
        known = dict(zip(chosen.used, each, strict=True))
        for place, reply in enumerate(samples.replies):
            value = known.get(place)
            scores.append(
                Score(
                    reply.turn,
                    name,
                    value if isinstance(value, float) else None,
                    status=chosen.missing.get(place, reason),
                    samples=1 if name in alone else max(1, len(chosen.used)),
                    details={**about, **further.get(place, {})},
                )
            )
    return scores


def negated(uncertainty: float) -> float:
    """Return an uncertainty as a score; 0 stays 0, where a minus sign would make it -0."""
    return 0.0 - uncertainty
