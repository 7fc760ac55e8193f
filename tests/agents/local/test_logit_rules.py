"""A generation_config.json changes the logits here as it does in `generate`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest
import torch

from agents.local.cache import SlotRows
from agents.local.choosing import TokenSampling
from agents.local.configured import RULES
from agents.local.drafts import Draft, GenerationResult, Job, likeliest
from agents.local.engine import Engine
from agents.local.forward import OwnForward
from agents.local.lanes import LaneRows
from agents.local.loading import LoadedModel, load
from agents.local.settings import Settings
from arena.errors import RefusedError
from tests.tiny_models import tiny

GREEDY = TokenSampling(0.0)
PROMPT = tuple(range(30, 50))
ROWS = {
    "rows": lambda model: SlotRows(model, 8, 96),
    "exact lanes": lambda model: LaneRows(OwnForward(model, 96), 8, 96, widest=8, page=16),
    "free lanes": lambda model: LaneRows(
        OwnForward(model, 96), 8, 96, widest=8, page=16, exact=False
    ),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load(str(tiny(tmp_path_factory.mktemp("tiny"))), Settings())


def replies(
    loaded: LoadedModel, rows: str, jobs: Sequence[Job]
) -> list[GenerationResult | BaseException]:
    engine = Engine(ROWS[rows](loaded.model), loaded.tokenizer.decode)

    async def ask() -> list[GenerationResult | BaseException]:
        asking = map(engine.generate, jobs)
        return list(await asyncio.gather(*asking, return_exceptions=True))

    try:
        return asyncio.run(ask())
    finally:
        engine.close()


def alone(loaded: LoadedModel, longest: int = 16, **settings: object) -> tuple[int, ...]:
    ids = torch.tensor([PROMPT])
    whole = loaded.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=longest,
        do_sample=False,
        **settings,
    )
    return tuple(whole[0, len(PROMPT) :].tolist())


def some_rules(loaded: LoadedModel) -> list[dict[str, object]]:
    """Return rules that change the greedy reply: its own tokens are what they speak of."""
    plain = alone(loaded)
    end = sorted(loaded.end_ids)[0]
    return [
        {"repetition_penalty": 1.3},
        {"no_repeat_ngram_size": 1},
        {"suppress_tokens": [plain[0], plain[2]]},
        {"begin_suppress_tokens": [plain[0]]},
        {"bad_words_ids": [[plain[0], plain[1]], [plain[3]]]},
        {"sequence_bias": [[[end], 100.0]], "min_new_tokens": 8},
        {"sequence_bias": [[[end], 100.0]], "min_length": 30},
        {"forced_eos_token_id": end, "min_new_tokens": 15},
        {"exponential_decay_length_penalty": (0, 1e6)},
    ]


@pytest.mark.slow
@pytest.mark.parametrize("rows", ROWS)
def test_rules_do_in_a_batch_what_they_do_in_generate(loaded: LoadedModel, rows: str) -> None:
    rules = some_rules(loaded)
    ends = loaded.end_ids
    jobs = [Job(PROMPT, 16, GREEDY, end_ids=ends, rules=rule) for rule in [*rules, {}]]
    *ours, plain = (reply.ids for reply in replies(loaded, rows, jobs))
    assert ours == [alone(loaded, **rule) for rule in rules]
    assert not [rule for rule, reply in zip(rules, ours, strict=True) if reply == plain]
    # forced_bos is a rule of encoders and decoders: of a prompt of one token here.
    assert {name for rule in rules for name in rule} == set(RULES) - {
        *("presence_penalty", "frequency_penalty", "forced_bos_token_id")
    }


@pytest.mark.parametrize("rows", ROWS)
def test_rules_that_leave_no_token_fail_alone_and_measures_are_of_the_models_logits(
    loaded: LoadedModel, rows: str
) -> None:
    everything = list(range(loaded.model.config.vocab_size))
    first = alone(loaded, 1)[0]
    jobs = [
        Job(PROMPT, 3, GREEDY, rules={"suppress_tokens": everything}),
        Job(PROMPT, 1, GREEDY, rules={"suppress_tokens": [first]}, alternatives=2),
        Job(PROMPT, 3, GREEDY),
    ]
    banned, second, plain = replies(loaded, rows, jobs)
    assert isinstance(banned, RefusedError)
    assert "leave no token" in str(banned)
    assert isinstance(plain, GenerationResult)
    assert plain.ids == alone(loaded, 3)
    assert isinstance(second, GenerationResult)
    (record,) = second.records
    assert [token for token, _ in record.alternatives] == [first, second.ids[0]]
    assert second.measures["logprob_sum"] == pytest.approx(record.alternatives[1][1], abs=1e-4)


def test_presence_and_frequency_count_the_reply_and_not_the_prompt() -> None:
    rules = {"presence_penalty": 0.5, "frequency_penalty": 0.25}
    draft = Draft(Job((3, 3, 4), 9, rules=rules), future=None)  # type: ignore[arg-type]
    draft.ids.extend([5, 5, 6])
    changed = draft.ruled_logits(torch.zeros(1, 8))[0].tolist()
    assert changed == [0, 0, 0, 0, 0, -1.0, -0.75, 0]


def test_tokens_of_no_probability_are_no_alternatives() -> None:
    value = torch.tensor([1e-9, -2.0, -math.inf])
    assert likeliest(torch.tensor([4, 2, 1]), value) == ((4, 0.0), (2, -2.0))
