"""Find out before the answer whether a model knows what a question is about: self-familiarity.

"Zero-Resource Hallucination Prevention for Large Language Models", arXiv 2309.02654.  For each
concept of the question the model explains it, the concept's words are masked in the explanation,
and the model is asked what the masked text is about.  How surely it comes back to the concept is
its familiarity f; of all, with f_1 that of the rarest concept,

    weighted    sum of f_i / 2^(i - 1)  /  sum of 1 / 2^(i - 1)
    min, first  the least one, and that of the rarest concept

    self_familiarity_sampled    a variant for every model: the share of `replies` sampled replies
                                that name the concept
    self_familiarity_forced     for models with "readouts": the probability of the concept's words

Each gives weighted under its own name, and min and first as `..._min` and `..._first`.

Kept: an explanation of at most 100 tokens, drawn greedily; masking by replacement of the concept in
four forms of its letters, the longest first; the weights and their order.  Different: the words are
ours.  There is no beam search that is constrained to hold the concept.  `forced` puts each of the
four forms after the first words of the greedy reply, at each of the first `positions` places, reads
the probability of its tokens there, and takes the best geometric mean: another number than the
published one, which is that of a whole beam.  Concepts are given, or found by a rule
(concepts.py); `most` of them, the rarest, are asked about.  The rule by which a question is refused
is in analysis (statistics/familiarity.py).

No stored reply is read or shown, so that all replies to a question have the same number, as if it
had been asked before.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from annotated_types import Ge

from arena.errors import ProtocolError
from arena.play.episode import Episode
from arena.play.reading import read_as_public
from arena.score import Score
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Reading, Reply, Sampling, Seat
from protocols import asking
from protocols.estimators.concepts import MOST_COMMON, concepts_in, log_rarity

VERSION = "1"

EXPLAIN = "Explain {concept!r} in one paragraph.\n"
RECOVER = (
    "In the following text a term is replaced by {mask}:\n\n{text}\n\nWhich term is it? Reply with"
    " the term and nothing else.\n"
)
MASK = "..."
NO_CONCEPT = "no concept in the question"
NO_EXPLANATION = "no explanation of {concept!r} could be read"
NOT_MEASURED = "the model gave no probability of {concept!r}"
Concepts = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Familiarity:
    """How familiar a concept is, in [0, 1]; None: `status` says why."""

    concept: str
    value: float | None
    status: str = ""


async def self_familiarity_sampled(
    episode: Episode,
    samples: StoredSamples,
    scorer: Seat,
    *,
    concepts: Concepts | None = None,
    words: Sequence[str] = (),
    common: Annotated[int, Ge(0)] = MOST_COMMON,
    most: Annotated[int, Ge(1)] = 3,
    replies: Annotated[int, Ge(1)] = 5,
    explanation_tokens: Annotated[int, Ge(1)] | None = 100,
    temperature: Annotated[float, Ge(0)] | None = None,
) -> list[Score]:
    """Return the share of replies that recover the masked concepts: the black-box variant.

    `concepts` are lists by the question's text; of other questions they are found by `words`, from
    the commonest on, of which the first `common` are none.  `temperature` of the replies None is
    the agent's own; `explanation_tokens` None is the agent's own limit, for models that think.
    """
    asked = rarest(samples, concepts, words, common, most)
    sampling = scorer.agent.sampling
    if temperature is not None:
        sampling = replace(sampling, temperature=temperature)

    async def recover(number: int, concept: str) -> Familiarity:
        """Return the share of replies that name one concept."""
        text = await explain(episode, scorer, number, concept, explanation_tokens)
        if text is None:
            return Familiarity(concept, None, NO_EXPLANATION.format(concept=concept))
        prompt = RECOVER.format(mask=MASK, text=mask(text, concept))
        seats = [Seat(f"recover{number}_{each}", scorer.agent) for each in range(replies)]
        turns = await asyncio.gather(
            *(
                episode.ask(seat, prompt, phase="recover", round=1, sampling=sampling)
                for seat in seats
            )
        )
        named = sum(names(turn.public or "", concept) for turn in turns)
        return Familiarity(concept, named / replies)

    found = await asyncio.gather(*(recover(*each) for each in enumerate(asked)))
    readout = f"share of {replies} replies that name the masked concept"
    return scores_of(samples, "self_familiarity_sampled", found, readout, scorer)


async def self_familiarity_forced(
    episode: Episode,
    samples: StoredSamples,
    scorer: Seat,
    *,
    concepts: Concepts | None = None,
    words: Sequence[str] = (),
    common: Annotated[int, Ge(0)] = MOST_COMMON,
    most: Annotated[int, Ge(1)] = 3,
    positions: Annotated[int, Ge(1)] = 10,
    explanation_tokens: Annotated[int, Ge(1)] | None = 100,
) -> list[Score]:
    """Return the probability of the concepts' words at the best of the first `positions` places.

    Options are as of `self_familiarity_sampled`.  Raises ProtocolError for a model without
    "readouts".
    """
    if "readouts" not in scorer.agent.model.capabilities:
        raise ProtocolError(
            "self_familiarity_forced reads the probability of words that are given, which needs a"
            f" local model; {scorer.agent.model.name} is none: take self_familiarity_sampled"
        )
    asked = rarest(samples, concepts, words, common, most)

    async def force(number: int, concept: str) -> Familiarity:
        """Return the best geometric mean over forms and places of one concept."""
        text = await explain(episode, scorer, number, concept, explanation_tokens)
        if text is None:
            return Familiarity(concept, None, NO_EXPLANATION.format(concept=concept))
        prompt = RECOVER.format(mask=MASK, text=mask(text, concept))
        greedy = replace(scorer.agent.sampling, temperature=0.0, max_tokens=4 * positions)
        seat = Seat(f"recover{number}", scorer.agent)
        begun = await episode.ask(seat, prompt, phase="recover", round=1, sampling=greedy)
        places = places_in(begun.public or "", positions)
        means = []
        for place in places:
            for form in forms_of(concept):
                told = f"tokens@{len(place)}:{len(place) + len(form)}"
                turn = await episode.ask(
                    Seat(f"recover{number}", scorer.agent),
                    prompt,
                    phase="force",
                    round=2,
                    read=read_nothing,
                    prefill=place + form,
                    sampling=Sampling(readouts=(told,)),
                )
                mean = (turn.measures or {}).get("answer_logprob_mean")
                means += [] if mean is None else [mean]
        if not means:
            return Familiarity(concept, None, NOT_MEASURED.format(concept=concept))
        # A logarithm can end a bit above 0 by rounding.
        return Familiarity(concept, min(1.0, math.exp(max(means))))

    found = await asyncio.gather(*(force(*each) for each in enumerate(asked)))
    readout = f"best geometric mean of four forms at the first {positions} places, teacher-forced"
    return scores_of(samples, "self_familiarity_forced", found, readout, scorer)


async def explain(
    episode: Episode, scorer: Seat, number: int, concept: str, tokens: int | None
) -> str | None:
    """Return the scorer's explanation of a concept on one line; None without words."""
    own = scorer.agent.sampling
    turn = await episode.ask(
        Seat(f"explain{number}", scorer.agent),
        EXPLAIN.format(concept=concept),
        phase="explain",
        read=read_as_public,
        sampling=replace(own, temperature=0.0, max_tokens=tokens or own.max_tokens),
    )
    return asking.on_one_line(turn.public or "") or None


def rarest(
    samples: StoredSamples,
    concepts: Concepts | None,
    words: Sequence[str],
    common: int,
    most: int,
) -> list[str]:
    """Return the concepts of a question that are asked about, the rarest first."""
    text = samples.question.text
    given = (concepts or {}).get(text)
    found = list(dict.fromkeys(given)) if given is not None else concepts_in(text, words, common)
    # Sorted is stable: equally rare ones stay in the order of the question.
    return sorted(found, key=lambda concept: log_rarity(concept, words))[:most]


def mask(text: str, concept: str) -> str:
    """Return an explanation without the concept: its forms and its words become three dots."""
    single = [word for word in re.findall(r"\w+", concept) if len(word) > 3]
    wanted = {form for each in (concept, *single) for form in forms_of(each)}
    for form in sorted(wanted, key=lambda each: (-len(each), each)):
        text = text.replace(form, MASK)
    return text


def forms_of(concept: str) -> list[str]:
    """Return the forms of a concept's letters: as it is, small, capital, and each word capital."""
    return list(dict.fromkeys((concept, concept.lower(), concept.capitalize(), concept.title())))


def places_in(reply: str, positions: int) -> list[str]:
    """Return the first beginnings of a reply, the empty one first, each up to the next word."""
    starts = [0, *(match.start() for match in re.finditer(r"(?<=\s)\S", reply))]
    return [reply[:start] for start in starts[:positions]]


def names(reply: str, concept: str) -> bool:
    """Return whether a reply holds a concept as whole words, whatever its capitals."""
    said = " ".join(re.findall(r"\w+", reply.casefold()))
    wanted = " ".join(re.findall(r"\w+", concept.casefold()))
    return bool(wanted) and f" {wanted} " in f" {said} "


def read_nothing(reply: Reply) -> Reading:
    """Read nothing: the measures are what was asked for."""
    return Reading(None)


def scores_of(
    samples: StoredSamples,
    name: str,
    found: Sequence[Familiarity],
    readout: str,
    scorer: Seat,
) -> list[Score]:
    """Return the three combinations for each reply; missing if one concept has no number."""
    missing = next((each.status for each in found if each.value is None), None)
    values = [each.value for each in found if each.value is not None]
    status = NO_CONCEPT if not found else missing
    details = {
        "concepts": [[each.concept, each.value] for each in found],
        "readout": readout,
        "asked": scorer.agent.name,
    }
    numbers = {} if status else combine(values)
    return [
        Score(reply.turn, f"{name}{end}", None, status=status, details=details)
        if status
        else Score(reply.turn, f"{name}{end}", numbers[end], details=details)
        for reply in samples.replies
        for end in ("", "_min", "_first")
    ]


def combine(values: Sequence[float]) -> dict[str, float]:
    """Return weighted, min and first of familiarities, the rarest concept first."""
    weights = [0.5**place for place in range(len(values))]
    weighted = math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)
    return {"": weighted, "_min": min(values), "_first": values[0]}
