"""UQAC: its steps against values worked by hand, and the pass against whole attention matrices."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from agents import model
from agents.local.readouts.attention_chain import (
    HEADS,
    Row,
    Variants,
    Watcher,
    backtrack,
    damped,
    is_stop_word,
    measure_chain,
    most_alike,
    product,
    variant_products,
    variants_of,
    watched,
)
from agents.local.readouts.passes import last_states
from arena.types import Message, Place, Request, Sampling
from tests.tiny_models import tiny, tokenizer

IDS = [3 * place % 240 for place in range(40)]
PROMPT, ANSWER = 14, (37, 39)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(
        tmp_path_factory.mktemp("tiny"),
        num_hidden_layers=3,
        num_attention_heads=20,
        num_key_value_heads=5,
        head_dim=4,
    )


@pytest.fixture(scope="module")
def weights(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()


def test_weights_near_the_query_are_damped_and_shares_sum_to_one() -> None:
    weights = torch.tensor([[[0.5, 0.1, 0.1, 0.2, 0.1]]])
    shares = damped(weights, 4)[0, 0]
    assert shares.tolist() == pytest.approx([0, 0.37803, 0.24015, 0.38181, 0], abs=1e-4)
    entropy = -sum(share * math.log(share) for share in shares.tolist() if share)
    assert entropy == pytest.approx(1.07793, abs=1e-4)


def test_a_chain_takes_at_most_three_tokens_a_step_and_leaves_stop_words_out() -> None:
    rows = {
        # The answer's source: 8 is a stop word, 9 its own token; 7, 6 and 4 are taken, not 3.
        8: {8: 0.4, 7: 0.3, 6: 0.2, 4: 0.06, 3: 0.04},
        6: {5: 0.9, 3: 0.1},
        5: {5: 0.5, 2: 0.5},
        3: {3: 1.0},
    }
    top = {source: tuple(row.items()) for source, row in rows.items()}
    open = [column not in (0, 1, 8) for column in range(10)]
    found = backtrack(lambda source: Row(top.get(source, ()), top.get(source, ())), [8], open)
    # Then 5 has .9 and 2 has .5; 3 has .1, too little for a chain of six, the answer among them.
    assert found == [6, 5, 3, 4, 1]


def test_a_chain_that_is_short_looks_beyond_five_stop_words() -> None:
    heavy = tuple((column, 0.15) for column in range(5))
    open = [column > 4 for column in range(9)]
    found = backtrack(
        lambda source: Row(heavy, ((6, 0.05), (5, 0.02))) if source == 8 else Row(), [8], open
    )
    assert found == [5]


def test_tokens_are_kept_by_the_mean_cosine_to_the_answer() -> None:
    states = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [1, 1], [1, 0], [0, 1]])
    # Sources 0, 1, 2 stand for tokens 1, 2, 3; the answer's tokens are 4 and 5.
    assert most_alike(states, [2, 1, 0], [3, 4]) == [0, 2]


def test_variants_replace_one_token_by_what_else_was_likely() -> None:
    probability = torch.tensor([[0.6, 0.3, 0.095, 0.005], [0.02, 0.97, 0.006, 0.004]])
    found = variants_of([9, 0, 9, 1], [0, 2], probability)
    assert found == Variants((0, 2), (None, (0, 1), (0, 2), (1, 0)))
    assert float(product(torch.tensor([[0.5, 0.0]]))) == pytest.approx(0.5e-12)


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
def test_the_pass_keeps_what_whole_matrices_say(weights: PreTrainedModel) -> None:
    """The reduced rows, the states and the sum are those of full attention matrices."""
    open = torch.tensor([place >= PROMPT and place % 5 > 0 for place in range(len(IDS))])
    watcher = Watcher(PROMPT, ANSWER[1] - 1, open, ANSWER[1] - ANSWER[0])
    ids = torch.tensor([IDS])
    whole = weights(input_ids=ids, output_attentions=True)
    heads = torch.cat([damped(layer[0], 0) for layer in whole.attentions])
    entropy = -(heads * (heads + 1e-12).log()).sum(-1)
    with watched(weights, watcher):
        output = last_states(weights, ids)
    assert watcher.layers == 3
    assert weights.config._attn_implementation == "eager"
    for source in range(PROMPT, ANSWER[1] - 1):
        best = entropy[:, source].topk(HEADS, largest=False).indices
        reduced = heads[best, source].amax(0)
        row = watcher.row(source)
        assert [column for column, _ in row.top] == reduced.topk(5).indices.tolist()
        assert [weight for _, weight in row.top] == pytest.approx(
            reduced.topk(5).values.tolist(), abs=1e-5
        )
        taken = reduced.masked_fill(~open, -1).topk(3)
        assert [weight for _, weight in row.open[:3]] == pytest.approx(
            taken.values.tolist(), abs=1e-5
        )
    measures = measure_chain(weights, IDS, output, watcher, ANSWER)
    sources = [ANSWER[0] - 1, ANSWER[0]]
    chain = backtrack(watcher.row, sources, open.tolist())
    kept = most_alike(output[0][0], chain, sources)
    shares = whole.logits[0].softmax(-1)
    variants = variants_of(IDS, kept, shares[torch.tensor(kept)])
    total = 0.0
    for change in variants.changes:
        said = list(IDS)
        if change is not None:
            said[kept[change[0]] + 1] = change[1]
        row = weights(input_ids=torch.tensor([said])).logits[0].softmax(-1)
        total += math.prod(float(row[place, said[place + 1]]) for place in (*kept, *sources))
    assert len(variants.changes) > 5
    assert measures["uqac_sum"] == pytest.approx(total, rel=1e-4)
    assert measures["uqac_variants"] == len(variants.changes) - 1
    own = [float(shares[place, following]) for place, (_, following) in enumerate(pairwise(IDS))]
    assert measures["uqac_answer_product"] == pytest.approx(math.prod(own[36:38]), rel=1e-4)
    assert measures["uqac_chain_mean"] == pytest.approx(
        sum(own[place] for place in (*chain, *sources)) / (len(chain) + 2), rel=1e-4
    )


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
def test_variants_in_batches_are_variants_alone(
    weights: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = Variants((20, 30), (None, (0, 5), (1, 6), (1, 7)))
    together = variant_products(weights, IDS[:39], variants, [36, 37])
    monkeypatch.setattr("agents.local.readouts.attention_chain.TOKENS_PER_PASS", 40)
    for one, other in zip(
        together, variant_products(weights, IDS[:39], variants, [36, 37]), strict=True
    ):
        assert one == pytest.approx(other, rel=1e-4)


def test_stop_words_are_told_without_spaces_and_case() -> None:
    assert all(map(is_stop_word, (" The", "\n", ".", "aren’t", "you")))
    assert not any(map(is_stop_word, ("12", "=", " cat", "then?")))


@pytest.mark.parametrize("kind", ["qwen3", "alibi"])
async def test_a_readout_gives_the_number_or_says_why_not(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    local = model(f"local/{tiny(tmp_path_factory.mktemp(kind), kind)}?slots=1")
    said = "an elephant, then twelve: 12"
    sampling = Sampling(readouts=(f"attention_chain@{len(said) - 2}:{len(said)}", "tokens"))
    messages = (Message("user", "how many?"), Message("assistant", said))
    reply = await local(Request(messages, sampling, 1, Place("e", "s", 0, 0, "p", 0)))
    await local.close()
    measures = reply.measures or {}
    if kind == "qwen3":
        assert 0 <= measures["uqac"] <= 1
        # The answer is one token.
        assert measures["uqac_answer_product"] == pytest.approx(measures["uqac_answer_mean"])
        assert reply.text == ""
    else:
        status = json.loads(reply.text)["attention_chain"]["status"]
        assert status == (
            "no attention: the attention of BloomForCausalLM cannot be read: it brings one of its"
            " own"
        )
        assert "uqac" not in measures
    assert measures["read_tokens"] == len(tokenizer()(said).input_ids)
