"""Formulas of ways of decoding against numbers computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from agents.local.decoding.ck_plug import plug
from agents.local.decoding.soft_thinking import Mixture, concepts, embed_mixtures
from agents.local.decoding.states import CertaintyState, SoftState
from arena.decoding import CertaintyStop, CkPlug, SoftThinking
from arena.reflection import classify, verifies

FIVE = torch.tensor([[0.5, 0.3, 0.15, 0.04, 0.01]]).log()
# The distributions with and without the context.
C = torch.tensor([[0.6, 0.2, 0.15, 0.05]])
P = torch.tensor([[0.1, 0.7, 0.15, 0.05]])


def close(found: torch.Tensor, wanted: list[float]) -> bool:
    return torch.allclose(found, torch.tensor(wanted), atol=1e-5)


def test_a_concept_token_is_what_passes_the_filters_renormalised() -> None:
    all_five = concepts(FIVE, SoftThinking(top_p=1.0, min_p=0.0, top_k=0))
    assert close(all_five.weights[0], [0.63388, 0.27056, 0.08522, 0.00942, 0.00093])
    assert close(all_five.entropy, [0.902973])
    three = concepts(FIVE, SoftThinking())
    assert close(three.weights[0, :3], [0.64050, 0.27338, 0.08611])
    assert three.weights[0, 3:].tolist() == [0.0, 0.0]
    two = concepts(FIVE, SoftThinking(concepts=2))
    assert close(two.weights[0], [0.70086, 0.29914])
    # The filters do not change the entropy, which is taken before them.
    assert close(two.entropy, [0.902973])


def test_a_mixture_of_embeddings_is_their_weighted_mean() -> None:
    embedding = torch.nn.Embedding(5, 2)
    with torch.no_grad():
        embedding.weight[:3] = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    found = concepts(FIVE, SoftThinking())
    three = Mixture(found.tokens[0, :3].tolist(), found.weights[0, :3].tolist())
    assert three.tokens == [0, 1, 2]
    mixed = embed_mixtures(embedding, [three, Mixture([1], [1.0])])
    assert close(mixed[0], [0.72662, 0.35950])
    assert mixed[1].tolist() == [0.0, 1.0]


def test_at_temperature_0_a_concept_token_is_the_likeliest_token() -> None:
    cold = concepts(FIVE, SoftThinking(temperature=0.0))
    assert (cold.tokens.tolist(), cold.weights.tolist()) == ([[0]], [[1.0]])
    assert close(cold.entropy, [-sum(p * math.log(p) for p in (0.5, 0.3, 0.15, 0.04, 0.01))])


@pytest.mark.parametrize(
    ("alpha", "wanted"),
    [
        (0.0, [0.72414, 0.03448, 0.12069, 0.12069]),
        (0.5, [0.42265, 0.24402, 0.21132, 0.12201]),
        (1.0, [0.1, 0.7, 0.15, 0.05]),
        (None, [0.52574, 0.26118, 0.16150, 0.05157]),
    ],
)
def test_the_weights_of_knowledge_and_context(alpha: float | None, wanted: list[float]) -> None:
    found = plug(C.log(), P.log(), [CkPlug(alpha=alpha)])
    assert close(found.gain, [-0.148452])
    assert found.adjusted.tolist() == [True]
    assert close(found.logits.softmax(-1)[0], wanted)


def test_the_two_rules_part_where_the_context_makes_surer_and_not_twice_as_sure() -> None:
    ways = [CkPlug(), CkPlug(rule="released"), CkPlug(epsilon=0.2)]
    # The context makes the model surer: the gain is 0.148452, H(p) - 2 H(c) is -0.765834.
    found = plug(P.log().repeat(3, 1), C.log().repeat(3, 1), ways)
    assert close(found.gain, [0.148452] * 3)
    assert found.adjusted.tolist() == [False, True, True]
    assert close(found.logits[0].softmax(-1), [0.1, 0.7, 0.15, 0.05])


def test_a_token_goes_only_where_both_distributions_let_it_go() -> None:
    c = torch.full((1, 20), -12.0)
    p = torch.full((1, 20), -12.0)
    c[0, :11] = torch.linspace(0, -3, 11)
    # Beyond the first ten with the context, and the likeliest without it.
    p[0, 15] = 0.0
    p[0, 16:] = -20.0
    kept = plug(c, p, [CkPlug(alpha=0.5)]).logits[0].isfinite()
    assert kept[:11].all()
    assert kept[15]
    assert not kept[16:].any()


def test_rows_of_other_settings_do_not_change_a_row() -> None:
    ways = [CkPlug(alpha=0.1), CkPlug(alpha=None), CkPlug(rule="released", alpha=0.9)]
    draw = torch.Generator().manual_seed(0)
    c, p = (torch.randn(3, 50, generator=draw) * 3 for _ in range(2))
    together = plug(c, p, ways).logits
    for row, way in enumerate(ways):
        assert torch.equal(plug(c[row : row + 1], p[row : row + 1], [way]).logits[0], together[row])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Wait, let me verify", -1),
        ("Yes, the final answer", 1),
        ("Wait, yes", -1),
        ("My eyes see it", 1),
        ("So 7 + 5 = 12.", 0),
        ("Let me check", -1),
    ],
)
def test_paragraphs_are_told_apart_by_their_words(text: str, kind: int) -> None:
    assert classify(text) == kind
    assert verifies(text) == any(word in text.lower() for word in ("verify", "check"))


def test_a_cold_stop_needs_so_many_sure_tokens_in_a_row() -> None:
    state = SoftState(SoftThinking(cold_entropy=0.5, cold_tokens=3), (8, 9))
    given = []
    for entropy in (0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1):
        given.append(state.next_token([4, 5], [0.9, 0.1], entropy))
        state.append(given[-1], 0.0)
    # One that is not sure begins the count anew; the end is written whole.
    assert given == [4, 4, 4, 4, 4, 8, 9]
    assert not state.is_thinking
    assert state.next_token([4], [1.0], 0.0) == -1
    assert state.measures() == {"thought_tokens": 7.0, "concept_tokens": 5.0, "cold_stop": 1.0}


def test_a_thought_that_ends_by_itself_is_no_cold_stop() -> None:
    state = SoftState(SoftThinking(cold_entropy=0.5, cold_tokens=3), (8, 9))
    for likeliest in (4, 8, 9):
        token = state.next_token([likeliest, 5], [0.9, 0.1], 2.0)
        state.append(token, 0.0)
        # The end itself runs through the model as it is, so that the answer begins after it.
        assert (state.mixture is None) == (likeliest == 9)
    assert state.measures() == {"thought_tokens": 3.0, "concept_tokens": 2.0, "cold_stop": 0.0}


def test_a_thought_ends_once_the_mean_of_the_window_is_sure() -> None:
    state = CertaintyState(CertaintyStop(2.0, window=2, least=3), (8,))
    given = []
    for certainty in (9.0, 9.0, 1.0, 1.0, 3.0, 0.0):
        given.append(state.next_token())
        state.append(5 if given[-1] < 0 else given[-1], certainty)
    # After three tokens, which are too few before, the last two have 5, 1 and 2 for a mean.
    assert given == [-1, -1, -1, 8, -1, -1]
    later = CertaintyState(CertaintyStop(2.0, window=2, least=4), (8,))
    given = []
    for certainty in (9.0, 9.0, 1.0, 1.0, 3.0, 0.0):
        given.append(later.next_token())
        later.append(5 if given[-1] < 0 else given[-1], certainty)
    assert given == [-1, -1, -1, -1, -1, 8]
