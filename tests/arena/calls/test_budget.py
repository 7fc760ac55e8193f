"""The budget: reserved before, booked after, never exceeded, and continued with a larger one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import agent as by_reference
from arena import Arena, Arm, Price, Sampling, Study, Subject
from arena.calls.budget import Budget
from arena.calls.retry import Retry
from arena.errors import BudgetSpentError, ModelError, StudyError
from arena.store.views.record import KNOWN_USD
from arena.text import describe_cost
from arena.types import Agent, Reply, Request
from tests.fake_agents import agent, by_seed, study
from tests.fake_server import Fault, chat_server

VERSION = "1"
PRICE = Price(0.0, 1_000_000.0)  # a dollar for each token of a reply


def dollars(tokens: int = 1) -> Agent:
    """An agent whose replies cost a dollar a token, and have `tokens` of at most 3."""
    paid = agent(reply=lambda request: Reply(by_seed(request), tokens_in=5, tokens_out=tokens))
    return replace(paid, sampling=Sampling(max_tokens=3))


def arena(path: Path, budget_usd: float, concurrency: int = 4) -> Arena:
    return Arena(
        path, budget_usd=budget_usd, prices={"scripted/echo": PRICE}, concurrency=concurrency
    )


def test_a_spent_budget_ends_the_run_and_a_larger_one_continues(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    summary = arena(path, 10).run(
        study(dollars(), subjects=4)
    )  # 24 calls of one dollar, three reserved for each
    assert summary.stopped is not None
    assert "the budget of $10 allows no further call" in str(summary)
    assert (summary.failed, summary.done + summary.open) == (0, 4)
    paid = (
        Arena(path)
        .sql("select sum(cost_usd), count(*), bool_and(status = 'ok') from calls")
        .rows[0]
    )
    assert 8 <= paid[0] <= 10
    again = arena(path, 100).run(study(dollars(), subjects=4))
    assert (again.stopped, again.done, again.replies) == (None, 4, 24 - paid[1])


def test_the_earlier_runs_of_a_study_count(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    arena(path, 10).run(study(dollars(), subjects=4))
    spent = Arena(path).sql("select sum(cost_usd) from calls").rows[0][0]
    assert arena(path, 10).run(study(dollars(), subjects=4)).replies <= 10 - spent
    assert Arena(path).sql("select sum(cost_usd) from calls").rows[0][0] <= 10


@pytest.mark.slow
def test_what_is_in_flight_when_the_budget_ends_is_kept(tmp_path: Path) -> None:
    async def slow(request: Request) -> Reply:
        await asyncio.sleep(0.05 * (1 + request.seed % 3))
        return Reply(by_seed(request), tokens_in=5, tokens_out=1)

    path = tmp_path / "a.duckdb"
    arena(path, 13, concurrency=8).run(
        study(replace(dollars(), model=agent(reply=slow).model), subjects=8)
    )
    assert Arena(path).sql("select count(*) from calls where status <> 'ok'").rows == ((0,),)
    assert Arena(path).sql(
        "select (select count(*) from turns) - (select count(*) from calls)"
    ).rows == ((0,),)


def test_a_call_that_died_with_its_process_counts_at_its_worst(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"

    def dies(request: Request) -> Reply:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        arena(path, 100, concurrency=1).run(
            study(replace(dollars(), model=agent(reply=dies).model), subjects=1)
        )
    at_most = Arena(path).sql("select sum(cost_usd), sum(at_most_usd) from cost").rows[0]
    assert at_most[1] >= 3
    summary = arena(path, at_most[1] + 2).run(study(dollars(), subjects=1))
    assert (summary.replies, summary.stopped is not None) == (0, True)


async def test_a_reply_without_text_is_paid_and_an_error_status_is_not(tmp_path: Path) -> None:
    answers = [Fault("500"), Fault("empty text"), "words|70", *["words|70"] * 50]
    async with chat_server(lambda body: answers.pop(0)) as server:
        paid = by_reference(f"http/any@{server.url}", sampling=Sampling(max_tokens=50))
        made = Arena(
            tmp_path / "a.duckdb",
            prices={"http/any": Price(1.0, 1.0)},
            retry=Retry(first_wait_s=0.01),
            concurrency=1,
            budget_usd=1,
        )
        await made.play(study(paid, subjects=1, rounds=1))
    rows = made.sql(
        "select status, http_status, cost_usd > 0, cost_source from calls order by started_at"
    ).rows
    assert rows[0] == ("failed", 500, False, "not billed at status 500")
    assert rows[1] == ("failed", 200, True, "by hand")
    assert rows[2] == ("ok", 200, True, "by hand")


async def test_a_provider_that_does_not_count_is_booked_at_its_worst_and_shown_as_unknown(
    tmp_path: Path,
) -> None:
    async with chat_server(
        lambda body: {"choices": [{"message": {"content": "words|70"}}]}
    ) as server:
        paid = by_reference(f"http/any@{server.url}", sampling=Sampling(max_tokens=1_000_000))
        made = Arena(
            tmp_path / "a.duckdb",
            prices={"http/any": Price(0.0, 1.0)},
            budget_usd=3.5,
            concurrency=1,
        )
        summary = await made.play(study(paid, subjects=2))
    assert (summary.calls, summary.unpriced, summary.cost_usd) == (3, 3, 0.0)
    assert "cost unknown" in str(summary)
    assert made.sql(
        "select sum(cost_usd), sum(calls_of_unknown_cost), sum(at_most_usd) from cost"
    ).rows == ((None, 3, 3.0),)


def test_calls_that_cost_nothing_do_not_make_unknown_cost_a_zero() -> None:
    assert describe_cost(0.0, 12) == describe_cost(None, 12) == "cost unknown"
    assert describe_cost(0.0, 0) == "$0.0000"
    assert describe_cost(0.5, 1) == "$0.5000 and 1 call of unknown cost"
    for costs, known in (("0.0), (null", None), ("0.0", 0.0), ("null", None), ("0.5), (null", 0.5)):
        sql = f"select {KNOWN_USD} from (values ({costs})) calls(cost_usd)"
        assert duckdb.sql(sql).fetchall() == [(known,)]


def test_an_unknown_price_or_an_unbounded_reply_is_an_error_before_anything_starts(
    tmp_path: Path,
) -> None:
    unpriced = by_reference("http/any@http://127.0.0.1:9/v1")
    with pytest.raises(StudyError, match=r"the price of http/any is not known.*--price"):
        Arena(tmp_path / "a.duckdb", budget_usd=1).run(study(unpriced))
    with pytest.raises(
        StudyError, match=r"nothing bounds the length of a reply of http/any.*max_tokens"
    ):
        Arena(tmp_path / "a.duckdb", budget_usd=1, prices={"http/any": Price(1, 1)}).run(
            study(unpriced)
        )
    with pytest.raises(StudyError, match="a price is given for 'http/other'"):
        Arena(tmp_path / "a.duckdb", prices={"http/other": Price(1, 1)}).run(study(unpriced))
    with pytest.raises(StudyError, match="more than 0 dollars"):
        Arena(budget_usd=0)
    assert list(tmp_path.iterdir()) == []


def test_simulated_models_cost_nothing_and_need_no_price(tmp_path: Path) -> None:
    made = Arena(tmp_path / "a.duckdb", budget_usd=0.01)
    assert made.run(study()).done == 2
    assert made.sql("select cost_usd, cost_source, count(*) from calls group by all").rows == (
        (0.0, "simulated", 12),
    )


async def test_calls_wait_for_those_in_flight_and_go_in_their_order() -> None:
    budget, gone = Budget(10), []

    async def one(number: int) -> None:
        await budget.reserve(6)
        gone.append(number)
        await asyncio.sleep(0.001)
        budget.settle(6, 1)

    await asyncio.gather(*(one(n) for n in range(5)))
    assert (gone, budget.spent_usd, budget.reserved_usd) == ([0, 1, 2, 3, 4], 5, 0)
    with pytest.raises(BudgetSpentError):
        await budget.reserve(6)
    with pytest.raises(BudgetSpentError):
        await budget.reserve(0.1)


async def test_a_cancelled_wait_keeps_no_money_and_nobody_waiting() -> None:
    budget = Budget(10)
    await budget.reserve(8)
    first, second = (asyncio.create_task(budget.reserve(usd)) for usd in (5, 2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait_for(second, 1)
    assert (budget.reserved_usd, budget.waiting) == (10, 0)


@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 1), st.integers(0, 3)), max_size=40),
    st.floats(0.1, 20),
)
def test_the_budget_is_never_exceeded(calls: list[tuple[float, float, int]], limit: float) -> None:
    async def play() -> None:
        budget = Budget(limit)

        async def one(worst: float, share: float, turns: int) -> None:
            await budget.reserve(worst)
            for _ in range(turns):
                await asyncio.sleep(0)
            budget.settle(worst, worst * share)
            assert budget.spent_usd + budget.reserved_usd <= limit + 1e-9

        ended = await asyncio.gather(*(one(*call) for call in calls), return_exceptions=True)
        assert all(end is None or isinstance(end, BudgetSpentError) for end in ended)

    asyncio.run(play())


def test_model_errors_say_whether_anything_was_sent() -> None:
    assert ModelError("x").sent
    assert not ModelError("x", sent=False).sent


@pytest.mark.slow
def test_calls_that_had_no_price_when_they_were_made_cost_what_their_tokens_cost_today(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.duckdb"
    unpriced = replace(
        dollars(),
        model=agent(reply=lambda request: Reply(by_seed(request), tokens_in=5, tokens_out=1)).model,
    )
    object.__setattr__(unpriced.model, "simulated", False)
    Arena(path).run(study(unpriced, subjects=1))
    assert Arena(path).sql("select count(cost_usd) from calls").rows == ((0,),)
    summary = arena(path, 8).run(study(unpriced, subjects=2))
    assert (summary.stopped is not None, summary.uncounted) == (True, 0)
    assert summary.replies <= 2


@pytest.mark.slow
def test_a_protocol_that_swallows_the_end_of_the_budget_is_not_done(tmp_path: Path) -> None:
    async def deaf(episode: object, motion: object, speaker: object) -> None:
        for _ in range(3):
            await asyncio.gather(
                episode.ask(speaker, motion.text, phase="x"), return_exceptions=True
            )  # type: ignore[attr-defined]

    made = Study(
        "deaf", [Arm("a", deaf, [{"speaker": dollars()}])], [Subject(f"m{n}") for n in range(6)]
    )
    summary = arena(tmp_path / "a.duckdb", 8, concurrency=2).run(made)
    done = arena(tmp_path / "a.duckdb", 100).run(made)
    assert summary.stopped is not None
    assert summary.done < 6
    assert (done.done, Arena(tmp_path / "a.duckdb").sql("select count(*) from turns").rows) == (
        6,
        ((18,),),
    )
