"""CL, CS and RSS of probabilities: by the definition, and as the drawn answers would tend to."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.answer_changes import change
from analysis.statistics.clustered import Array, Codes
from analysis.statistics.option_changes import option_change


def made_up() -> tuple[Array, Array, Codes]:
    """Six questions with four options each."""
    rng = np.random.default_rng(7)
    first = rng.dirichlet(np.ones(4), 6)
    second = rng.dirichlet(np.ones(4), (6, 4))
    return first, second, rng.integers(4, size=6)


QUESTION = np.array([0, 0, 1, 2, 3, 4])


def test_they_are_those_of_all_answers_that_can_be_drawn_with_their_probabilities() -> None:
    """The form for drawn answers, tested on its own, with each pair of answers once."""
    first, second, right = made_up()
    rows = [
        (n, one == right[n], two == right[n], first[n, one] * second[n, one, two])
        for n in range(6)
        for one in range(4)
        for two in range(4)
    ]
    item, before, after, weight = (np.array(column) for column in zip(*rows, strict=True))
    drawn = change(before.astype(float), after.astype(float), QUESTION[item], weight)
    found = option_change(first, second, right, QUESTION)
    for name in ("acc1", "acc2", "cl", "cs", "rss"):
        one, other = getattr(found, name), getattr(drawn, name)
        ours = (one.mean, one.ci_low, one.ci_high)
        assert ours == pytest.approx((other.mean, other.ci_low, other.ci_high))


def test_they_are_means_over_questions_weighted_as_the_paper_says() -> None:
    first, second, right = made_up()
    sure = [first[n, right[n]] for n in range(6)]
    kept = [second[n, right[n], right[n]] for n in range(6)]
    mended = [
        sum(first[n, c] * second[n, c, right[n]] for c in range(4) if c != right[n]) / (1 - sure[n])
        for n in range(6)
    ]
    found = option_change(first, second, right, QUESTION)
    assert found.cl.mean == pytest.approx(np.average(kept, weights=sure))
    assert found.cs.mean == pytest.approx(np.average(mended, weights=1 - np.array(sure)))
    assert found.acc2.mean == pytest.approx(
        found.acc1.mean * found.cl.mean + (1 - found.acc1.mean) * found.cs.mean
    )


def test_answers_that_stay_are_half_and_what_cannot_be_is_refused() -> None:
    first, _, right = made_up()
    stays = np.broadcast_to(np.eye(4), (6, 4, 4))
    found = option_change(first, stays, right, QUESTION)
    assert (found.cl.mean, found.cs.mean, found.rss.mean) == pytest.approx((1, 0, 0.5))
    with pytest.raises(ValueError, match="sum to 1"):
        option_change(first * 0.9, stays, right, QUESTION)
    with pytest.raises(ValueError, match="found"):
        option_change(first, stays[:, :2], right, QUESTION)
