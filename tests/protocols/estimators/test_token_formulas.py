"""SAR and CCP, against other implementations and by hand.

The numbers of SAR and CCP are those of lm-polygraph's functions (commits 2900f92, 1cfdee3).
"""

from __future__ import annotations

import numpy as np
import pytest

from protocols.estimators.claim_probability import both_ways, claim_ccp, token_ccp
from protocols.estimators.token_relevance import sar, sentence_sar, token_sar

LOGPROBS = [np.array(each) for each in ([-0.1, -2.3, -0.5], [-1.2, -0.05], [-0.7, -0.2, -0.1, -3])]
NEAR = [np.array(each) for each in ([0.9, 0.4, 0.95], [0.3, 0.99], [0.8, 0.97, 0.9, 0.5])]
SIMILARITY = np.array([[1, 0.82, 0.31], [0.82, 1, 0.27], [0.31, 0.27, 1]])


def test_sar_is_that_of_lm_polygraph() -> None:
    tokens = [token_sar(each, near) for each, near in zip(LOGPROBS, NEAR, strict=True)]
    assert tokens == pytest.approx([1.88666667, 1.18380282, 1.99518072])
    whole = np.array([each.sum() for each in LOGPROBS])
    assert sentence_sar(whole, SIMILARITY) == pytest.approx(-4.650101755725785)
    assert sar(LOGPROBS, NEAR, SIMILARITY) == pytest.approx(-5.210143518905494)


def test_sar_of_long_replies_does_not_underflow() -> None:
    """exp(-2000) is 0 to a computer: all that differs from shorter replies is the 2,000."""
    short = sentence_sar(np.array([-1.0, -2.0, -3.0]), SIMILARITY)
    assert sentence_sar(np.array([-2001.0, -2002, -2003]), SIMILARITY) == pytest.approx(
        short + 2000
    )


def test_where_no_token_is_relevant_all_weigh_the_same() -> None:
    assert token_sar(np.array([-1.0, -3.0]), np.ones(2)) == pytest.approx(2)
    with pytest.raises(ValueError, match="one or more tokens"):
        token_sar(np.empty(0), np.empty(0))


def test_ccp_is_that_of_lm_polygraph() -> None:
    """A name with three alternatives, a stop word, and an adjective."""
    place = np.array([-0.3, -1.9, -3.0, -4.0])
    size = np.array([-0.9, -1.2, -1.8])
    # In both directions; the drawn token stands first.
    relation = both_ways(np.array([1, -1, 0, 1]), np.array([1, -1, 1, 0]))
    adjective = both_ways(np.array([1, 1, -1]), np.array([1, 0, -1]))
    assert token_ccp(place, relation) == pytest.approx(0.8439538337526394)
    assert token_ccp(size, adjective) == pytest.approx(0.8106678055477147)
    logprobs = [place, np.array([-0.1, -2.5]), size]
    relations = [relation, np.array([1, -1]), adjective]
    content = np.array([True, False, True])
    assert claim_ccp(logprobs, relations, content) == pytest.approx(
        0.8439538337526394 * 0.8106678055477147
    )


def test_a_contradiction_in_one_direction_and_its_opposite_is_neutral() -> None:
    both = both_ways(np.array([1, 1, -1, 0]), np.array([-1, 0, 0, 0]))
    assert both.tolist() == [0, 1, -1, 0]
