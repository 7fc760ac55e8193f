"""Shift attention to relevance (SAR): weigh tokens and samples by how much they matter.

Jinhao Duan et al., arXiv 2307.01379; formulas: token_relevance.py.  A token is relevant as far as
question and reply change in meaning without it, a sample as far as others are near to it.

    token_sar                            of a reply, alone
    token_sar_mean, sentence_sar, sar    of the question: the mean over its replies
    sentence_sar_reply, sar_reply        of a reply: its own term of that mean

All are negated, so that higher is surer.  `relevance` removes the one token, as lm-polygraph does;
`relevance_every` (names end in "_every") all places where the token's text stands, as the authors'
code does, in the middle of other words, too.

Kept: the question before both texts, temperature 0.001, which divides the similar samples alone.
Different: special tokens are no part of a reply, so that none is weighed; where no token is
relevant all weigh the same; only public words are read.  Left out: the authors' 5 samples at
temperature 0.5, which is a matter of the study that is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from arena.play.episode import Episode
from arena.score import Score
from arena.tournaments.stored_replies import StoredSamples
from arena.types import Seat
from protocols.estimators import names_of
from protocols.estimators.arrays import Array
from protocols.estimators.pairs import Details, similarity_without
from protocols.estimators.pairs import similarity as ask_similarity
from protocols.estimators.reply_texts import TOO_FEW, Compared, TextKind, Values, scores_of
from protocols.estimators.reply_tokens import ReplyTokens, tokens_of
from protocols.estimators.token_relevance import TEMPERATURE, sentence_energies, token_sar

VERSION = "1"


async def relevance(
    episode: Episode,
    samples: StoredSamples,
    similarity: Seat,
    *,
    text: TextKind = "speech",
    with_question: bool = True,
    temperature: float = TEMPERATURE,
) -> list[Score]:
    """Return tokenSAR, sentSAR and SAR, with one token removed at a time.

    `text` says which tokens count: all public words of a reply, or its answer alone.
    """
    return await score_relevance(
        episode, samples, similarity, text, with_question, temperature, every=False
    )


async def relevance_every(
    episode: Episode,
    samples: StoredSamples,
    similarity: Seat,
    *,
    text: TextKind = "speech",
    with_question: bool = True,
    temperature: float = TEMPERATURE,
) -> list[Score]:
    """Return tokenSAR, sentSAR and SAR, with every place of a token's text removed at once."""
    return await score_relevance(
        episode, samples, similarity, text, with_question, temperature, every=True
    )


async def score_relevance(
    episode: Episode,
    samples: StoredSamples,
    seat: Seat,
    kind: TextKind,
    with_question: bool,
    temperature: float,
    *,
    every: bool,
) -> list[Score]:
    """Return the scores of every reply, by a request or two a reply and one for all pairs."""
    question = samples.question.text if with_question else None
    names = names_of("relevance_every" if every else "relevance")
    details: Details = {
        "similarity": seat.agent.model.name,
        "with_question": with_question,
        "removed": "every place of a token's text" if every else "one token",
        "temperature": temperature,
    }
    found: dict[int, ReplyTokens] = {}
    near: list[Array] = []
    missing: dict[int, str] = {}
    for place, reply in enumerate(samples.replies):
        tokens = tokens_of(reply, kind)
        # One after the other: a seat says one thing at a time.
        kept = (
            tokens
            if isinstance(tokens, str)
            else await ask_without(episode, seat, tokens, question, details, every=every)
        )
        if isinstance(tokens, str) or isinstance(kept, str):
            missing[place] = str(kept)
        else:
            found[place] = tokens
            near.append(kept)
    texts = tuple(tokens.text for tokens in found.values())
    chosen = Compared(kind, tuple(found), texts, missing)
    between = await ask_between(episode, seat, texts, question, details)
    logprobs = [tokens.logprobs for tokens in found.values()]
    rows = sar_rows(names, logprobs, near, between, temperature)
    return scores_of(samples, chosen, rows, details, alone=names[:1])


async def ask_without(
    episode: Episode,
    seat: Seat,
    tokens: ReplyTokens,
    question: str | None,
    details: Details,
    *,
    every: bool,
) -> Array | str:
    """Return how alike a reply is to itself without each token (n,), or why that is not known."""
    before = "" if question is None else f"{question} "
    whole = before + tokens.text
    shift = len(before)
    spans = [(start + shift, end + shift) for start, end in tokens.spans]
    spelt = [tokens.spelling(index) for index in range(len(spans))]
    # Most tokens stand in one place, and removing it is both forms; the others need whole texts.
    several = [every and tokens.text.count(each) > 1 for each in spelt]
    once = [span for span, many in zip(spans, several, strict=True) if not many]
    often = [each for each, many in zip(spelt, several, strict=True) if many]
    pairs = [(whole, before + tokens.text.replace(each, "")) for each in often]
    alone = iter(await similarity_without(episode, seat, whole, once, details=details))
    together = iter(await ask_similarity(episode, seat, pairs, details=details))
    values = [next(together if many else alone) for many in several]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return f"{len(values) - len(known)} of {len(values)} similarities could not be read"
    return np.array(known)


async def ask_between(
    episode: Episode, seat: Seat, texts: Sequence[str], question: str | None, details: Details
) -> Array | str:
    """Return how alike the replies are to each other (J, J), or why that is not known."""
    if len(texts) < 2:
        return TOO_FEW
    pairs = list(combinations(texts, 2))
    values = await ask_similarity(episode, seat, pairs, question=question, details=details)
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return f"{len(values) - len(known)} of {len(values)} similarities could not be read"
    near = np.eye(len(texts))
    near[np.triu_indices(len(texts), 1)] = known
    return np.maximum(near, near.T)


def sar_rows(
    names: Sequence[str],
    logprobs: Sequence[Array],
    near: Sequence[Array],
    between: Array | str,
    temperature: float,
) -> list[Values]:
    """Return the numbers of all replies by name, higher is surer.

    `names` are those of token SAR (of a reply, of the question), of sentence SAR and of SAR (of the
    question, of a reply).
    """
    by_token = [token_sar(each, kept) for each, kept in zip(logprobs, near, strict=True)]
    rows: list[Values] = [(names[0], [-value for value in by_token])]
    if isinstance(between, str):
        return [*rows, *((name, between) for name in names[1:])]
    rows.append((names[1], -float(np.mean(by_token))))
    whole = np.array([float(each.sum()) for each in logprobs])
    for k, log_probability in ((2, whole), (4, -np.array(by_token))):
        energy = sentence_energies(log_probability, between, temperature=temperature)
        rows += [(names[k], -float(energy.mean())), (names[k + 1], (-energy).tolist())]
    return rows
