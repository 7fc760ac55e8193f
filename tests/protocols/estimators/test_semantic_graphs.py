"""Meanings of replies, against the authors' formulas on a hand-written table and by hand.

The numbers come from the code of lm-polygraph (commits 00de9b16, 0085197, 5c7797b), of UQ-NLG
(2e31420), of semantic_uncertainty (b48e3c1) and of kernel-language-entropy (be650e4), run on the
table of tests/entailment_table.py.  lm-polygraph 0.7.0 agrees on 300 random tables to 3e-15.
"""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.estimators import semantic_graphs as graphs
from tests.entailment_table import (
    LOG_PROBABILITIES,
    PROBABILITIES_A_TOKEN,
    RELATIONS,
    REPLIES,
)


def test_sets_and_their_entropies_are_those_of_the_papers() -> None:
    sets = graphs.semantic_sets(RELATIONS)
    assert sets.tolist() == [0, 0, 1, 2]
    assert graphs.entropy_of_counts(sets) == pytest.approx(1.5 * log(2))
    entropy = graphs.entropy_of_likelihoods(sets, LOG_PROBABILITIES)
    assert entropy == pytest.approx(0.8364006740762193)
    one_draw = graphs.entropy_of_likelihoods(sets, LOG_PROBABILITIES, form="monte carlo")
    assert one_draw == pytest.approx(2.2183691562408887)


def test_looser_rules_find_fewer_meanings() -> None:
    """The weaker reply is entailed by none and contradicts none, so that it is no set of its own.

    Linked parts join three replies of which no two need to entail each other.
    """
    assert graphs.semantic_sets(RELATIONS, strict=False).tolist() == [0, 0, 0, 1]
    assert graphs.number_of_sets(RELATIONS) == 2


def test_degree_eigenvalues_and_eccentricity_are_those_of_lin_et_al() -> None:
    near = graphs.affinity_matrix(RELATIONS)
    assert graphs.degrees(near) == pytest.approx([0.57875, 0.51, 0.4375, 0.30125])
    assert 1 - graphs.degrees(near).mean() == pytest.approx(0.543125)
    assert graphs.eigenvalue_sum(near) == pytest.approx(2.323465611296723)
    distance = graphs.eccentricities(near)
    assert distance == pytest.approx([0.40578811, 0.62219192, 0.83794613, 0.86420916])
    assert np.linalg.norm(distance) == pytest.approx(1.4144956534155488)


def test_density_is_that_of_lm_polygraph_and_counts_a_text_once() -> None:
    density = graphs.densities(RELATIONS, REPLIES, PROBABILITIES_A_TOKEN)
    assert density[0] == pytest.approx(0.6667883966000914)
    # The first reply said twice more: its neighbours stay the same, and so does its density.
    again = [0, 0, 0, 1, 2, 3]
    texts = [REPLIES[k] for k in again]
    longer = graphs.densities(RELATIONS[np.ix_(again, again)], texts, PROBABILITIES_A_TOKEN[again])
    assert longer[:3] == pytest.approx([density[0]] * 3)


def test_kernel_entropy_is_that_of_its_authors() -> None:
    laplacian = graphs.weighted_laplacian(RELATIONS)
    heat = graphs.von_neumann_entropy(graphs.heat_kernel(laplacian))
    assert heat == pytest.approx(0.8796980186261214)
    matern = graphs.von_neumann_entropy(graphs.matern_kernel(laplacian))
    assert matern == pytest.approx(0.9087368021985769)
    smoother = graphs.matern_kernel(laplacian, nu=2, kappa=0.5)
    assert graphs.von_neumann_entropy(smoother) == pytest.approx(0.9834313143046147)


def blocks(sizes: list[int]) -> np.ndarray:
    """Relations of replies with so many of each meaning, all sure of it."""
    owner = np.repeat(np.arange(len(sizes)), sizes)
    same = owner[:, None] == owner[None, :]
    return np.stack([same, np.zeros_like(same), ~same], axis=2).astype(float)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_meanings_that_nobody_doubts_are_counted_by_all(sizes: list[int]) -> None:
    """Sets, linked parts and eigenvalues count k meanings; entropies are those of their shares."""
    relations = blocks(sizes)
    share = np.array(sizes) / sum(sizes)
    entropy = -float(share @ np.log(share))
    sets = graphs.semantic_sets(relations)
    near = graphs.affinity_matrix(relations)
    assert sets.max() + 1 == graphs.number_of_sets(relations) == len(sizes)
    assert graphs.eigenvalue_sum(near) == pytest.approx(len(sizes))
    assert graphs.entropy_of_counts(sets) == pytest.approx(entropy, abs=1e-12)
    equal = np.full(sum(sizes), -700.0)
    assert graphs.entropy_of_likelihoods(sets, equal) == pytest.approx(entropy, abs=1e-9)
    assert graphs.degrees(near) == pytest.approx(np.repeat(share, sizes))
    # A kernel that never stops flowing knows nothing but the linked parts.
    flat = graphs.heat_kernel(graphs.weighted_laplacian(relations), time=1e3)
    assert graphs.von_neumann_entropy(flat, scaled=False) == pytest.approx(entropy, abs=1e-6)


def test_one_reply_is_one_meaning() -> None:
    alone = np.zeros((1, 1, 3))
    assert graphs.semantic_sets(alone).tolist() == [0]
    near = graphs.affinity_matrix(alone)
    assert graphs.eccentricities(near).tolist() == [0]
    kernel = graphs.heat_kernel(graphs.weighted_laplacian(alone))
    assert graphs.von_neumann_entropy(kernel) == 0
    with pytest.raises(ValueError, match="relations must be"):
        graphs.semantic_sets(np.zeros((2, 3, 3)))
