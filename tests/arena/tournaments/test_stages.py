"""Stages are written from the store, stop at open episodes, and pair the same when run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import agent
from agents.scripted import scripted_model
from arena import (
    Agent,
    Arena,
    Arm,
    Limit,
    Price,
    Sampling,
    Study,
    Subject,
    against_itself,
    run_stages,
    swiss_round,
)
from arena.cli.main import main
from arena.errors import StudyError
from arena.play.run import RunSelection, Summary
from arena.tournaments.stages import Stages, count_episodes, count_episodes_by_study
from arena.tournaments.stored_debates import results
from arena.types import Reply
from protocols.debate import VERSION, debate
from protocols.judging import jury

MODELS = [
    agent(f"sim/even:strength={strength}", name=f"{strength:g}")
    for strength in (-1.5, -0.5, 0.5, 1.5)
]
MOTIONS = [Subject(f"This house would stage number {n}.") for n in range(2)]
PAIRS = """
    select e.arm, p.agent, o.agent from episodes e
    join seats p on p.episode = e.episode and p.seat = 'proposition'
    join seats o on o.episode = e.episode and o.seat = 'opposition'
    where e.study = 'swiss' order by all"""
TWICE = "select count(*) - count(distinct (judge, debate, seat_order, repeat)) from verdicts"


def swiss_stages(
    rounds: int = 3, judges: tuple[str, ...] = ("sim/judge:seed=1", "sim/judge:seed=2")
) -> Stages:
    """A Swiss tournament of four, judged after each round."""
    jurors = [agent(reference) for reference in judges]
    numbered = [
        swiss_round("swiss", number, debate, MODELS, MOTIONS) for number in range(1, rounds + 1)
    ]
    return [stage for played in numbered for stage in (played, jury("jury", played, jurors))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """A tournament that was left alone."""
    arena = Arena(tmp_path_factory.mktemp("whole") / "a.duckdb")
    assert [summary.open + summary.failed for summary in run_stages(arena, swiss_stages())] == [
        0
    ] * 6
    return arena


@pytest.mark.slow
def test_everybody_meets_everybody_in_three_rounds_of_four(whole: Arena) -> None:
    rows = whole.sql(PAIRS).rows
    assert len(rows) == 3 * 4 * 2
    assert len({frozenset(row[1:]) for row in rows}) == 6
    assert whole.sql("select count(*) from verdicts").rows == ((24 * 2 * 2,),)


def test_the_preflight_counts_what_there_will_be(tmp_path: Path, whole: Arena) -> None:
    assert count_episodes_by_study(swiss_stages(), tmp_path / "none.duckdb") == {
        "swiss": 24,
        "jury": 96,
    }
    assert count_episodes_by_study(swiss_stages(), whole.path) == {"swiss": 24, "jury": 96}


@pytest.mark.slow
def test_to_run_it_again_asks_nothing_and_reports_nothing_odd(whole: Arena) -> None:
    again = run_stages(whole, swiss_stages())
    assert [(summary.replies, summary.others, summary.open) for summary in again] == [(0, 0, 0)] * 6


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 4])
def test_a_tournament_that_is_cut_and_continued_has_the_same_pairings(
    tmp_path: Path, whole: Arena, cut: int
) -> None:
    """Later stages wait after a cut in a stage; the next run ends as an untouched one does."""
    arena = Arena(tmp_path / "a.duckdb")
    run_stages(arena, swiss_stages()[:cut])
    stopped = run_stages(arena, swiss_stages(), selection=RunSelection(limit=3))
    assert stopped[-1].open > 0
    assert len(stopped) < 6
    run_stages(arena, swiss_stages())
    assert arena.sql(PAIRS).rows == whole.sql(PAIRS).rows
    assert arena.sql(TWICE).rows == ((0,),)
    verdicts = (
        "select judge, debate, seat_order, repeat, winner, confidence from verdicts order by all"
    )
    assert arena.sql(verdicts).rows == whole.sql(verdicts).rows


@pytest.mark.slow
def test_a_later_judge_changes_no_pairing(whole: Arena, tmp_path: Path) -> None:
    """It outvotes the two that paired the rounds; rounds that have begun stay as they were."""
    arena = Arena(tmp_path / "a.duckdb")
    run_stages(arena, swiss_stages(2))
    before = results(arena.path, "swiss", VERSION, before="round 2")
    paired = arena.sql(PAIRS).rows
    contrary = tuple(f"sim/judge:side=-20.0:seed={seed}" for seed in range(5))
    run_stages(arena, swiss_stages(2, ("sim/judge:seed=1", "sim/judge:seed=2", *contrary)))
    assert arena.sql(PAIRS).rows == paired
    assert results(arena.path, "swiss", VERSION, before="round 2") == before
    assert {result.score for result in results(arena.path, "swiss", VERSION)["round 1"]} == {0.0}


FAILING = """
from arena import Arm, Stage, Study, Subject
from arena.errors import StudyError
VERSION = "1"
async def fails(episode, question):
    1 / 0
def write(path):
    raise StudyError("there is no reply to score")
def study():
    first = Study("first", [Arm("a", fails, [{}])], [Subject("?"), Subject("!")])
    return [first, Stage("scores", write, lambda path: 2, ())]
"""


def test_a_stage_that_cannot_be_written_after_failures_says_so_and_they_stand_above(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    asked = ["run", str(tmp_path / "failing.py"), "--db", str(tmp_path / "a.duckdb")]
    assert main(asked) == 2
    said = capsys.readouterr()
    assert "  failed: 2 x ZeroDivisionError: division by zero" in said.out
    assert (
        "scores was not played: 2 of 2 episodes of first failed; mend what failed, and run again"
        " with --retry-failed" in said.err
    )
    assert said.err.endswith("there is no reply to score\n")


def test_results_are_those_of_the_majority(whole: Arena) -> None:
    found = results(whole.path, "swiss", VERSION)
    assert list(found) == ["round 1", "round 2", "round 3"]
    majority = (
        "select sum(case majority when 'proposition' then 1 when 'tie' then 0.5 else 0 end)::double"
        " from outcomes"
    )
    assert (
        sum(result.score for round in found.values() for result in round)
        == whole.sql(majority).rows[0][0]
    )


def test_a_debate_nobody_has_judged_is_nobodys_win(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    run_stages(arena, swiss_stages(1)[:1])
    assert {result.score for result in results(arena.path, "swiss", VERSION)["round 1"]} == {0.5}


@pytest.mark.slow
def test_stages_are_told_one_by_one(tmp_path: Path) -> None:
    told: list[Summary] = []
    summaries = run_stages(Arena(tmp_path / "a.duckdb"), swiss_stages(1), on_stage_end=told.append)
    assert told == summaries
    assert [summary.study for summary in told] == ["swiss", "jury"]


def test_a_study_is_a_stage_of_itself(tmp_path: Path) -> None:
    study = swiss_stages(1)[0]
    assert not isinstance(study, Study)
    plain = study.write(tmp_path / "none.duckdb")
    assert (
        count_episodes(plain, tmp_path / "none.duckdb")
        == count_episodes(study, tmp_path / "none.duckdb")
        == 8
    )


def priced(words: str, name: str) -> Agent:
    """An agent whose calls cost a cent each."""
    return Agent(
        name,
        scripted_model(lambda request: Reply(words, cost_usd=0.01, cost_source="test"), name=name),
        sampling=Sampling(max_tokens=1),
    )


@pytest.mark.slow
def test_a_budget_is_for_all_stages_together(tmp_path: Path) -> None:
    """Twelve speeches cost twelve cents; three are left for the jury, which waits for more."""
    speaker = priced("<speech>Words.</speech><rating>60%</rating>", "speaker")
    played = Study("played", [Arm("only", debate, against_itself([speaker]))], MOTIONS)
    judge = priced("<reasons>So.</reasons><winner>opposition</winner><rating>70%</rating>", "judge")
    stages = [played, jury("jury", played, [judge], repeats=2)]
    prices = {agent.model.name: Price(0.0, 10_000.0) for agent in (speaker, judge)}

    def run(budget_usd: float) -> list[Summary]:
        """Play with this budget."""
        return run_stages(
            Arena(tmp_path / "a.duckdb", budget_usd=budget_usd, prices=prices, concurrency=1),
            stages,
        )

    first = run(0.15)
    assert [(summary.done, summary.open) for summary in first] == [(2, 0), (3, 5)]
    assert first[-1].stopped is not None
    assert [(summary.done, summary.replies) for summary in run(0.15)] == [(2, 0), (3, 0)]
    assert [(summary.done, summary.replies) for summary in run(0.20)] == [(2, 0), (8, 5)]


@pytest.mark.slow
def test_prices_and_limits_are_checked_against_all_stages(tmp_path: Path) -> None:
    limits = {
        "sim/even:strength=1.5": Limit(rpm=100_000),
        "sim/judge:seed=1": Limit(in_flight=3),
        "sim": Limit(in_flight=9),
    }
    assert [
        s.open for s in run_stages(Arena(tmp_path / "a.duckdb", limits=limits), swiss_stages(1))
    ] == [0, 0]
    with pytest.raises(
        StudyError,
        match="given for 'sim/jugde', but the models of this tournament are sim, sim/even",
    ):
        run_stages(
            Arena(tmp_path / "a.duckdb", limits={"sim/jugde": Limit(rpm=1)}), swiss_stages(1)
        )


@pytest.mark.slow
def test_a_dry_run_estimates_what_can_be_written_and_plays_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(__file__).resolve().parents[3] / "experiments" / "tournament.py"
    assert main(["run", str(file), "--dry-run", "--db", str(tmp_path / "a.duckdb")]) == 0
    out = capsys.readouterr().out
    assert "tournament: 300 episodes to play, 1800 calls" in out
    assert "tournament jury: 1,800 episodes, which are in no estimate here; it can be" in out
    assert not (tmp_path / "a.duckdb").exists()
