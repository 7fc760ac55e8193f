"""Rounds of batches: when they are sent, what is in them, and what becomes of each call."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from arena import Arena
from arena.batches import BatchState, BatchTerms
from arena.calls.batch_calls import BatchSettings
from arena.calls.batch_record import state_line
from arena.calls.retry import Retry
from arena.errors import RefusedError, StudyError, UnreachableError
from arena.types import Agent, Price, Request
from tests.batched_agents import EXPIRED, BatchedModel, Endpoint, batched_agent
from tests.fake_agents import by_seed, study

NOW = BatchSettings(first_wait_s=0.001, longest_wait_s=0.002, settle_s=0.0, quiet_s=0.01)
QUICK = Retry(attempts=3, first_wait_s=0.001, longest_wait_s=0.002)
PRICE = Price(1.0, 1.0)
ROWS = (
    "select episode, seat, step, text, asks, confidence, prompt, seed, request_hash, finish_reason"
    " from turns order by all"
)


def store(path: Path, settings: BatchSettings | None = NOW, budget: float | None = None) -> Arena:
    return Arena(path, batches=settings, retry=QUICK, budget_usd=budget)


async def test_calls_that_wait_are_asked_in_one_batch(tmp_path: Path) -> None:
    endpoint = Endpoint()
    summary = await store(tmp_path / "a.duckdb").play(study(batched_agent(endpoint), rounds=1))
    assert (summary.done, endpoint.sizes()) == (2, [4])


@pytest.mark.slow
async def test_a_study_of_three_phases_takes_three_rounds_and_its_rows_are_as_without(
    tmp_path: Path,
) -> None:
    endpoint = Endpoint()
    batched, single = store(tmp_path / "a.duckdb"), store(tmp_path / "b.duckdb", None)
    await batched.play(study(batched_agent(endpoint)))
    await single.play(study(batched_agent(Endpoint())))
    assert endpoint.sizes() == [4, 4, 4]
    assert batched.sql(ROWS).rows == single.sql(ROWS).rows
    assert (
        batched.sql("select lines, state, unread from batches").rows == ((4, "completed", 0),) * 3
    )


@pytest.mark.slow
async def test_a_mixed_study_batches_what_can_be_and_calls_the_rest(tmp_path: Path) -> None:
    endpoint, other = Endpoint(), batched_agent(None, "small/two")
    await store(tmp_path / "a.duckdb").play(study(batched_agent(endpoint), other))
    assert isinstance(other.model, BatchedModel)
    assert (endpoint.sizes(), other.model.calls) == ([2, 2, 2], 6)


@pytest.mark.slow
async def test_errors_of_lines_expiry_and_reasks_are_in_the_next_round(tmp_path: Path) -> None:
    def outcome(request: Request, times: int) -> str | Exception:
        """Fail once at the first step, expire at the second; leave out a number at the third."""
        place = request.place
        if place.seat == "proposition" and times == 0 and place.step < 2:
            return (UnreachableError("out of order", http_status=500), EXPIRED)[place.step]
        return "words" if (place.step, place.ask) == (2, 0) else by_seed(request)

    endpoint = Endpoint(outcome)
    arena = store(tmp_path / "a.duckdb")
    summary = await arena.play(study(batched_agent(endpoint), subjects=1))
    assert (summary.done, endpoint.sizes()) == (1, [2, 1, 2, 1, 2, 2])
    failed = arena.sql(
        "select step, attempt, error_kind, cost_source from calls where status <> 'ok' order by 1"
    )
    assert failed.rows == (
        (0, 0, "Unreachable", "not billed at status 500"),
        (1, 0, "NotAskedError", "never sent"),
    )


@pytest.mark.slow
async def test_a_line_that_cannot_be_read_fails_alone(tmp_path: Path) -> None:
    def outcome(request: Request, times: int) -> str | Exception:
        """Break the reader once."""
        first = request.place.seat == "proposition" and times == 0
        return TypeError("surrogates not allowed") if first else by_seed(request)

    endpoint = Endpoint(outcome)
    arena = store(tmp_path / "a.duckdb")
    summary = await arena.play(study(batched_agent(endpoint), rounds=1))
    assert (summary.done, endpoint.sizes()) == (2, [4, 2])
    assert arena.sql("select count(*) from calls where error_kind = 'BadReply'").rows == ((2,),)


@pytest.mark.slow
@pytest.mark.parametrize(
    "state",
    [
        BatchState("completed", ended=True),
        BatchState("expired", ended=True, partial=True, succeeded=3, failed=1),
    ],
)
async def test_results_that_lack_lines_are_read_again_and_never_paid_again(
    tmp_path: Path, state: BatchState
) -> None:
    endpoint = Endpoint(ends=lambda number: state, cuts=2)
    arena = store(tmp_path / "a.duckdb")
    assert (await arena.play(study(batched_agent(endpoint), rounds=1))).done == 2
    assert endpoint.sizes() == [4]
    gone = Endpoint(ends=lambda number: state, cuts=10**6)
    arena = store(tmp_path / "b.duckdb")
    summary = await arena.play(study(batched_agent(gone), rounds=1))
    assert (summary.open, gone.sizes()) == (2, [4])
    assert "its results hold 3 of 4 calls that are done" in (summary.stopped or "")
    assert arena.sql("select unread from batches").rows == ((4,),)
    gone.cuts = 0
    assert (await arena.play(study(batched_agent(gone), rounds=1))).done == 2
    assert gone.sizes() == [4]


@pytest.mark.slow
async def test_rounds_are_split_by_the_provider_s_limits(tmp_path: Path) -> None:
    endpoint = Endpoint(terms=BatchTerms(3, 10**6))
    await store(tmp_path / "a.duckdb").play(study(batched_agent(endpoint), rounds=1))
    assert endpoint.sizes() == [3, 1]
    narrow = Endpoint(terms=BatchTerms(1000, 130))
    await store(tmp_path / "b.duckdb").play(study(batched_agent(narrow), rounds=1))
    assert narrow.sizes() == [2, 2]


@pytest.mark.slow
async def test_no_more_rounds_are_sent_than_allowed_and_the_next_run_goes_on(
    tmp_path: Path,
) -> None:
    endpoint = Endpoint()
    arena = store(tmp_path / "a.duckdb", replace(NOW, max_rounds=2))
    summary = await arena.play(study(batched_agent(endpoint)))
    assert (summary.done, summary.open, endpoint.sizes()) == (0, 2, [4, 4])
    assert "--max-rounds" in (summary.stopped or "")
    assert (await arena.play(study(batched_agent(endpoint)))).done == 2
    assert endpoint.sizes() == [4, 4, 4]


@pytest.mark.slow
async def test_a_call_in_a_batch_costs_half_also_in_the_budget(tmp_path: Path) -> None:
    endpoint = Endpoint()
    arena = store(tmp_path / "a.duckdb", budget=1.0)
    await arena.play(study(batched_agent(endpoint, price=PRICE)))
    bill = arena.sql("select count(*), sum(cost_usd) from calls").rows
    assert bill == ((12, pytest.approx(12 * 20 * 0.5e-6)),)
    single = store(tmp_path / "b.duckdb", None)
    await single.play(study(batched_agent(Endpoint(), price=PRICE)))
    worst = "select sum(worst_usd) from calls"
    ((half,),), ((whole,),) = arena.sql(worst).rows, single.sql(worst).rows
    assert half == pytest.approx(whole / 2)


@pytest.mark.slow
async def test_what_does_not_fit_the_budget_waits_for_what_is_in_flight(tmp_path: Path) -> None:
    endpoint = Endpoint()
    # A call may cost 115 millionths at most, and costs 10.
    arena = store(tmp_path / "a.duckdb", budget=250e-6)
    summary = await arena.play(study(batched_agent(endpoint, price=PRICE), rounds=1, subjects=4))
    assert (summary.done, sum(endpoint.sizes())) == (4, 8)
    assert endpoint.sizes()[0] < 8
    short = store(tmp_path / "b.duckdb", budget=70e-6)
    summary = await short.play(study(batched_agent(Endpoint(), price=PRICE), rounds=1, subjects=4))
    assert "budget" in (summary.stopped or "")
    ((spent,),) = short.sql("select sum(cost_usd) from calls").rows
    assert spent <= 70e-6


@pytest.mark.slow
async def test_a_batch_whose_creation_is_in_doubt_is_looked_for_and_not_created_anew(
    tmp_path: Path,
) -> None:
    endpoint = Endpoint(faults=[UnreachableError("broke off"), UnreachableError("broke off")])
    await store(tmp_path / "a.duckdb").play(study(batched_agent(endpoint), rounds=1))
    assert endpoint.sizes() == [4]
    for status in (302, 408, 409, 429):
        refused = Endpoint(
            faults=[RefusedError("there already", http_status=status)], unnamed=2 * (status == 429)
        )
        await store(tmp_path / f"{status}.duckdb").play(study(batched_agent(refused), rounds=1))
        assert (refused.sizes(), set(refused.asked.values())) == ([4], {1})
    lost = Endpoint(faults=[UnreachableError("broke off")], creates_all_the_same=False)
    await store(tmp_path / "b.duckdb").play(study(batched_agent(lost), rounds=1))
    assert (lost.sizes(), set(lost.asked.values())) == ([4], {1})


@pytest.mark.slow
async def test_a_model_whose_batch_is_refused_is_asked_nothing_more(tmp_path: Path) -> None:
    refused = Endpoint(
        faults=[RefusedError("wrong key", http_status=401)], creates_all_the_same=False
    )
    summary = await store(tmp_path / "a.duckdb").play(study(batched_agent(refused)))
    assert (summary.open, refused.sizes()) == (2, [])
    assert "wrong key" in (summary.stopped or "")
    lines = Endpoint(lambda request, times: RefusedError("no such model", http_status=404))
    summary = await store(tmp_path / "b.duckdb").play(study(batched_agent(lines)))
    assert (summary.open, lines.sizes()) == (2, [4])
    whole = Endpoint(ends=lambda number: BatchState("failed", ended=True, error="bad line"))
    summary = await store(tmp_path / "c.duckdb").play(study(batched_agent(whole)))
    assert (summary.open, whole.sizes()) == (2, [4])
    assert "bad line" in (summary.stopped or "")


@pytest.mark.slow
async def test_a_full_queue_makes_batches_smaller(tmp_path: Path) -> None:
    def ends(number: int) -> BatchState:
        """Refuse the first batch."""
        if number:
            return BatchState("completed", ended=True)
        return BatchState("failed", ended=True, error="too many tokens", queue_full=True)

    endpoint = Endpoint(ends=ends)
    arena = store(tmp_path / "a.duckdb")
    assert (await arena.play(study(batched_agent(endpoint), rounds=1))).done == 2
    assert endpoint.sizes() == [4, 2, 2]


@pytest.mark.slow
async def test_a_batch_cancelled_meanwhile_keeps_its_replies_and_stops_the_run(
    tmp_path: Path,
) -> None:
    def outcome(request: Request, times: int) -> str | Exception:
        """Answer one side; the other's turn has not come."""
        done = request.place.seat == "proposition" or times
        return by_seed(request) if done else EXPIRED

    endpoint = Endpoint(outcome)
    endpoint.ends = lambda number: BatchState(
        "cancelled" if number == 0 else "completed",
        ended=True,
        partial=number == 0,
        cancelled=number == 0,
    )
    arena = store(tmp_path / "a.duckdb")
    summary = await arena.play(study(batched_agent(endpoint), rounds=1))
    assert (summary.open, endpoint.sizes()) == (2, [4])
    assert "was cancelled" in (summary.stopped or "")
    assert arena.sql("select count(*) from turns").rows == ((2,),)
    assert (await arena.play(study(batched_agent(endpoint), rounds=1))).done == 2
    assert endpoint.sizes() == [4, 2]


async def interrupted(arena: Arena, agent: Agent, endpoint: Endpoint) -> None:
    """Play until a batch has been looked at once, and stop the run as Ctrl-C does."""
    task = asyncio.ensure_future(arena.play(study(agent, rounds=1)))
    await endpoint.was_looked_at.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.slow
async def test_a_stopped_run_leaves_its_batch_and_the_next_one_takes_it(tmp_path: Path) -> None:
    for name, settings in (("batch", NOW), ("single", None)):
        endpoint = Endpoint(looks=10**6)
        agent = batched_agent(endpoint, price=PRICE)
        arena = store(tmp_path / f"{name}.duckdb", budget=1.0)
        await interrupted(arena, agent, endpoint)
        assert arena.sql("select unread from batches").rows == ((4,),)
        endpoint.looks = 0
        again = store(tmp_path / f"{name}.duckdb", settings, budget=1.0)
        summary = await again.play(study(agent, rounds=1))
        assert isinstance(agent.model, BatchedModel)
        assert (summary.done, endpoint.sizes(), agent.model.calls) == (2, [4], 0)
        bill = "select count(*), count(distinct run), sum(cost_usd), any_value(status) from calls"
        assert again.sql(bill).rows == ((4, 1, pytest.approx(4 * 20 * 0.5e-6), "ok"),)


@pytest.mark.slow
async def test_a_batch_that_its_provider_does_not_know_is_not_asked_again(tmp_path: Path) -> None:
    endpoint = Endpoint(looks=10**6)
    arena = store(tmp_path / "a.duckdb")
    await interrupted(arena, batched_agent(endpoint), endpoint)
    endpoint.lost = True
    summary = await arena.play(study(batched_agent(endpoint), rounds=1))
    assert (summary.open, endpoint.sizes()) == (2, [4])
    assert "arena batches --forget b0" in (summary.stopped or "")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [NOW, None])
async def test_a_batch_that_was_never_created_is_asked_anew_as_the_run_asks(
    tmp_path: Path, settings: BatchSettings | None
) -> None:
    endpoint = Endpoint(hangs=True)
    agent = batched_agent(endpoint, price=PRICE)
    await interrupted(store(tmp_path / "a.duckdb"), agent, endpoint)
    endpoint.hangs = False
    arena = store(tmp_path / "a.duckdb", settings, budget=1.0)
    summary = await arena.play(study(agent, rounds=1))
    assert isinstance(agent.model, BatchedModel)
    asked = (summary.done, endpoint.sizes(), agent.model.calls)
    assert asked == ((2, [4], 0) if settings else (2, [], 4))
    never = "select count(*), sum(cost_usd) from calls where cost_source = 'never sent'"
    assert arena.sql(never).rows == ((4, 0.0),)


async def test_a_study_without_any_such_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="--batch needs a model"):
        await store(tmp_path / "a.duckdb").play(study(batched_agent(None)))
    assert not (tmp_path / "a.duckdb").exists()


def test_no_key_of_a_provider_s_words_about_a_batch_is_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = "sk-test-0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    state = BatchState(f"bad {key} {'x' * 200}", ended=True, error=f"Authorization: Bearer {key}")
    written = orjson.loads(state_line("f" * 16, f"batch_{key}", state))
    assert key not in str(written)
    assert "Authorization: Bearer [key]" in str(written)
    assert "x" * 65 not in str(written)
