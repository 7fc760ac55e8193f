"""Votes of samples by hand: shares, confidences, lists of guesses and Borda weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

import agents
from arena.score import Score
from arena.tournaments.stored_replies import StoredReply
from arena.types import Turn
from protocols.estimators import sample_votes as votes
from tests.estimator_play import asked
from tests.stored_samples import reply, samples_of

ANSWERS = ("4", "4.0", "5", None)
STATED = (0.9, 0.3, 0.4, None)
CERTAIN = (3.0, 1.0, 4.0, 2.0)


def scores_of(replies: Sequence[StoredReply], **options: float) -> dict[str, list[Score]]:
    """The scores by estimator, in order of the replies."""
    samples = samples_of("What is 2+2?", replies)
    scores, turns = asked(
        agents.agent("sim/pairs"),
        lambda episode, _: votes.sample_votes(episode, samples, **options),
    )
    assert turns == []
    found: dict[str, list[Score]] = {}
    for score in scores:
        found.setdefault(score.name, []).append(score)
    return found


def four(certain: Sequence[float | None] = CERTAIN) -> list[StoredReply]:
    """Four samples: two say 4, one 5, one nothing that can be read."""
    return [
        replace(
            reply(answer, place, measures=None if sure is None else {"self_certainty_mean": sure}),
            confidence=stated,
        )
        for place, (answer, stated, sure) in enumerate(zip(ANSWERS, STATED, certain, strict=True))
    ]


def values(scores: Sequence[Score]) -> list[float | None]:
    """The values of scores."""
    return [score.value for score in scores]


def test_each_reply_gets_the_share_of_its_own_answer() -> None:
    found = scores_of(four())
    assert values(found["consistency"]) == [0.5, 0.5, 0.25, None]
    expected = pytest.approx([0.75, 0.75, 0.25, None])
    assert values(found["average_confidence"]) == expected
    assert values(found["distinct_answers"]) == [-2.0] * 4
    assert found["consistency"][3].status == votes.NO_ANSWER
    assert {score.samples for scores in found.values() for score in scores} == {4}
    assert {score.kind for score in found["consistency"]} == {"probability"}


def test_borda_weighs_by_the_rank_of_self_certainty() -> None:
    """Ranks 2, 4, 1, 3: with p = 1 the weights are 3 + 1 for 4 and 4 for 5, of 8."""
    assert values(scores_of(four(), power=1.0)["borda_self_certainty"]) == [0.5, 0.5, 0.5, None]
    majority = scores_of(four(), power=0.0)["borda_self_certainty"]
    assert values(majority) == pytest.approx([2 / 3, 2 / 3, 1 / 3, None])
    missing = scores_of(four((1.0, None, 2.0, 3.0)))["borda_self_certainty"]
    assert {score.value for score in missing} == {None}
    assert "not measured of all samples" in missing[0].status


def test_one_sample_agrees_with_nobody() -> None:
    found = scores_of(four()[:1])
    names = ("consistency", "average_confidence", "borda_self_certainty", "distinct_answers")
    assert {found[name][0].status for name in names} == {votes.ONE_SAMPLE}


def with_guesses(place: int, *guesses: tuple[str, float]) -> StoredReply:
    """A reply that lists guesses, the likeliest first."""
    words = "\n".join(f"G{k}: {g}\nP{k}: {p:.0%}" for k, (g, p) in enumerate(guesses, 1))
    first, sure = guesses[0]
    turn = Turn("e", f"path{place}", 0, "path", 0, words, words, None, sure, "read", answer=first)
    return replace(reply(first, place), turn=turn, confidence=sure)


def test_lists_of_guesses_score_every_answer_that_they_name() -> None:
    found = scores_of(
        [
            with_guesses(0, ("4", 0.8), ("5", 0.1)),
            with_guesses(1, ("5", 0.6), ("4", 0.2)),
            with_guesses(2, ("4", 0.5), ("6", 0.3)),
        ]
    )
    assert values(found["top_k_average"]) == pytest.approx([0.5, 0.35, 0.5])
    first, second, third = values(found["pair_rank"])
    assert first == third
    assert 1 > (first or 0) > (second or 1) > 0
    assert {score.status for score in scores_of(four())["pair_rank"]} == {votes.NO_LISTS}
