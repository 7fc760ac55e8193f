"""Canned queries on small stores written by hand, for cases that published debates do not hold."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from arena.play.run import Arena
from arena.store import database
from arena.store.database import query
from arena.store.folding import FoldResult
from arena.store.journal import line, write_journal
from arena.store.migrations import COLUMN_COMMENTS
from arena.store.views.registry import ALL_VIEWS, CANNED, find_views, with_dependencies
from tests.fake_agents import agent, study

NOW = datetime(2026, 1, 2, 3, 4, 5)
Rows = list[tuple[str, dict[str, Any]]]


NUMBERS = itertools.count()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    database.create(tmp_path / "a.duckdb")
    return tmp_path / "a.duckdb"


def put(path: Path, rows: Rows) -> None:
    write_journal(
        # No name is ever used again, also if a journal was removed.
        database.journal_folder(path) / f"{next(NUMBERS)}.jsonl",
        [line(table, row) for table, row in rows],
    )
    database.fold(path)


def debate(
    name: str = "d",
    *ratings: tuple[int | None, int | None],
    status: str = "done",
    options: object = None,
    **turn: Any,
) -> Rows:
    """Return a debate of m/a (proposition) and m/b with the ratings of both by phase, in percent.

    `turn` holds columns of all its turns.
    """
    rows: Rows = [
        (
            "plays",
            {
                "episode": name,
                "study": "s",
                "arm": "x",
                "protocol": "debate",
                "options": options,
                "subject": "motion",
            },
        )
    ]
    rows += [
        ("seats", {"episode": name, "seat": side, "agent": model, "model": model})
        for side, model in SEATS
    ]
    for step, pair in enumerate(ratings):
        for (side, _), rating in zip(SEATS, pair, strict=True):
            read = {
                "confidence": None if rating is None else rating / 100,
                "confidence_status": "no number" if rating is None else "read",
            }
            place = {
                "episode": name,
                "seat": side,
                "step": step,
                "round": step,
                "phase": f"phase {step}",
                "asks": 1,
            }
            rows.append(
                (
                    "turns",
                    place
                    | read
                    | {"public": "One two three four five.", "request_hash": "h"}
                    | turn,
                )
            )
    return rows + (
        [("statuses", {"episode": name, "status": status, "ended_at": NOW})]
        if status != "open"
        else []
    )


SEATS = (("proposition", "m/a"), ("opposition", "m/b"))


def ruling(
    name: str,
    winner: str | None,
    confidence: float | None = 0.8,
    judge: str = "j",
    order: str = "as played",
    debate: str = "d",
) -> Rows:
    """One judge's word on a debate."""
    said = {
        "debate": debate,
        "judge": judge,
        "seat_order": order,
        "repeat": 0,
        "winner": winner,
        "confidence": confidence,
        "status": "read",
    }
    return [
        ("plays", {"episode": name, "study": "jury", "arm": order, "protocol": "judging"}),
        ("rulings", {"episode": name, **said}),
        ("statuses", {"episode": name, "status": "done", "ended_at": NOW}),
    ]


def call(
    seat: str, step: int, attempt: int = 0, status: str = "ok", episode: str = "d", **how: Any
) -> tuple[str, dict[str, Any]]:
    """One attempt on the wire."""
    place = {
        "episode": episode,
        "seat": seat,
        "step": step,
        "ask": 0,
        "run": "r",
        "attempt": attempt,
        "started_at": NOW,
    }
    return "call_ends", place | {"status": status} | how


@pytest.mark.slow
def test_every_canned_query_has_a_question_and_words_for_every_column(path: Path) -> None:
    for name, canned in CANNED.items():
        assert canned.question.endswith("?"), name
        arguments = f"({', '.join('null' for _ in canned.parameters)})" if canned.parameters else ""
        for column in query(path, f"from {name}{arguments}").columns:
            assert column in canned.columns or column in COLUMN_COMMENTS, (name, column)


@pytest.mark.slow
def test_unfinished_and_failed_debates_count_nowhere(path: Path) -> None:
    calls = [
        call(side, 0, episode=name, latency_s=1.0, tokens_in=1)
        for name in ("d", "e")
        for side, _ in SEATS
    ]
    put(
        path,
        [
            *debate("d", (60, 70), (70, 80), status="open"),
            *debate("e", (60, 70), status="failed"),
            *calls,
            *ruling("v", "opposition"),
        ],
    )
    for name, canned in CANNED.items():
        if name not in ("agents", "cost", "completeness", "missing"):
            arguments = {
                "transcript": "('')",
                "prompt_of": "('', 'proposition', 0)",
                "debates_of": "('m')",
            }.get(name, "")
            assert query(path, f"from {name}{arguments}").rows == (), name
            assert bool(arguments) == bool(canned.parameters), name


def test_latency_is_that_of_answered_calls(path: Path) -> None:
    calls = [
        call("proposition", n, latency_s=s, tokens_out=10, queued_s=0.5)
        for n, s in enumerate((1.0, 2.0, 6.0))
    ]
    unanswered = [
        call("proposition", 0, attempt=1, status="failed", latency_s=99.0),
        call("proposition", 1, attempt=1, status="cached"),
    ]
    put(path, [*debate("d", (50, 50), (50, 50), (50, 50)), *calls, *unanswered])
    found = query(path, "select sum(calls), max(longest_s), max(mean_queued_s) from latency")
    assert found.rows == ((3, 6.0, 0.5),)
    one = query(path, "select mean_s, median_s, tokens_per_s from latency where phase = 'phase 1'")
    assert one.rows == ((2.0, 2.0, 5.0),)


@pytest.mark.parametrize(
    ("schedule", "path_s"), [("simultaneous", 3 + 4), ("sequential", 1 + 3 + 4 + 2)]
)
def test_the_critical_path_of_a_debate(path: Path, schedule: str, path_s: int) -> None:
    """The proposition takes 1 and 4 seconds, the opposition 3 and 2, a minute between phases."""
    rows = debate("d", (50, 50), (50, 50), options={"schedule": schedule})
    for (_, turn), seconds in zip(
        [row for row in rows if row[0] == "turns"], (1, 3, 4, 2), strict=True
    ):
        began = NOW + timedelta(minutes=turn["step"])
        turn |= {"started_at": began, "ended_at": began + timedelta(seconds=seconds)}
    put(path, rows)
    assert query(
        path, "select turns, wall_s, critical_path_s, all_turns_s from critical_path"
    ).rows == ((4, 64.0, path_s, 10.0),)


def test_attempts_and_what_was_asked_again(path: Path) -> None:
    calls = [
        call("proposition", 0, attempt=0, status="failed"),
        call("proposition", 0, attempt=1),
        call("opposition", 0),
    ]
    put(path, [*debate("d", (60, None), public=None, asks=2), *calls, *debate("e", (50, 50))])
    columns = (
        "model, turns, calls, failed, attempts_per_turn, most_attempts, asked_again, no_speech,"
        " no_confidence"
    )
    assert query(path, f"select {columns} from attempts order by model").rows == (
        ("m/a", 1, 2, 1, 2.0, 2, 1, 1, 0),
        ("m/b", 1, 1, 0, 1.0, 1, 1, 1, 1),
    )


def test_confidence_by_how_the_speech_was_had(path: Path) -> None:
    again = debate("again", (50, 60), (80, 90), asks=2)
    sent_twice = [
        *debate("twice", (50, 60)),
        call("proposition", 0, status="failed", episode="twice"),
    ]
    put(path, [*again, *sent_twice])
    assert query(path, "select phase, how, turns, mean, mean_change from reasked").rows == (
        ("phase 0", "asked again", 2, 0.55, None),
        ("phase 0", "at once", 1, 0.6, None),
        ("phase 0", "sent again", 1, 0.5, None),
        ("phase 1", "asked again", 2, 0.85, 0.3),
    )


def test_tokens_and_dollars_that_nobody_knows_are_null(path: Path) -> None:
    known = {"tokens_in": 10, "tokens_out": 5, "cost_usd": 0.5}
    calls = [
        call("proposition", 0, **known),
        call("proposition", 1, **known),
        call("opposition", 0, **known),
        call("opposition", 1),
    ]
    failed = [call("proposition", 0, attempt=1, status="failed")]
    put(path, [*debate("d", (50, 50)), *calls, *failed])
    columns = "model, calls, tokens_in, tokens_out, cost_usd, calls_of_unknown_cost"
    assert query(path, f"select {columns} from cost_per_episode").rows == (
        ("m/a", 3, 20, 10, 1.0, 1),
        ("m/b", 2, None, None, None, 1),
    )
    means = "model, episodes, mean_tokens_in, mean_cost_usd, cost_usd, of_unknown_cost"
    assert query(path, f"select {means} from cost_by_arm").rows == (
        ("m/a", 1, 20, 1.0, 1.0, 0),
        ("m/b", 1, None, None, None, 1),
    )


def test_a_debater_who_speaks_second_hears_the_first_at_once(path: Path) -> None:
    put(path, debate("d", (50, 60), (70, 80), options={"schedule": "sequential"}))
    found = query(
        path,
        "select seat, round, opponent_before, opponent_after from speeches order by seat desc,"
        " round",
    )
    assert found.rows == (
        ("proposition", 0, None, 0.6),
        ("proposition", 1, 0.6, 0.8),
        ("opposition", 0, 0.5, 0.7),
        ("opposition", 1, 0.7, None),
    )


def test_missing_ratings_are_left_out_and_counted(path: Path) -> None:
    put(path, [*debate("d", (60, None), (90, 80)), *debate("e", (70, 50), (None, 40))])
    assert query(path, "select phase, debates, mean_excess, missing from excess_by_phase").rows == (
        ("phase 0", 1, 0.2, 1),
        ("phase 1", 1, 0.7, 1),
    )
    columns = "model, seats, n, first, last, rise, share_up, share_down"
    assert query(path, f"select {columns} from rise_by_model").rows == (
        ("m/a", 2, 1, 0.6, 0.9, 0.3, 1.0, 0.0),
        ("m/b", 2, 1, 0.5, 0.4, -0.1, 0.0, 1.0),
    )
    assert query(
        path, "select model, sum(missing) from confidence_by_model group by all order by all"
    ).rows == (("m/a", 1), ("m/b", 1))


def test_a_rating_that_was_not_asked_for_is_not_missing(path: Path) -> None:
    put(path, debate("d", (None, None), confidence_status="not asked"))
    assert query(path, "select n, missing from confidence_by_model").rows == ((0, 0), (0, 0))
    for name in ("side_confidence", "excess_by_phase", "rise", "reasked"):
        assert (
            query(
                path, f"select * from {name} where {'n > 0' if name == 'reasked' else 'true'}"
            ).rows
            == ()
        ), name


def test_ratings_that_are_shown_are_told_from_those_that_are_not(path: Path) -> None:
    hidden = [
        row
        for n, (a, b) in enumerate(((50, 50), (70, 70)))
        for row in debate(f"h{n}", (a, b), (a, b), rating_public=False)
    ]
    shown = [
        row
        for n, (a, b) in enumerate(((50, 50), (70, 60)))
        for row in debate(f"s{n}", (a, 50), (50, b), rating_public=True)
    ]
    put(path, [*hidden, *shown])
    found = query(
        path, "select visible, n, correlation is null as flat, slope from visible_confidence"
    ).rows
    assert found[0] == (False, 4, True, 0.0)
    # Shown: 50, 50, 70 and 50 are followed by 0, 0, +10 and -20 points.
    assert found[1] == (True, 4, False, pytest.approx(5 / 6))


def test_judges_are_compared_within_an_order_and_an_order_with_the_other(path: Path) -> None:
    verdicts = [
        ("a", "as played", "proposition"),
        ("a", "swapped", "opposition"),
        ("b", "as played", "proposition"),
    ]
    votes = [
        row
        for n, (judge, order, winner) in enumerate(verdicts)
        for row in ruling(f"v{n}", winner, judge=judge, order=order)
    ]
    again = (
        ruling("v9", "opposition", judge="b")
        + ruling("v8", None, None, judge="b")
        + ruling("v7", "abstain", judge="b", order="swapped")
    )
    put(path, [*debate("d", (60, 60)), *votes, *again])
    assert query(path, "select judge, other, pairs, same from judge_agreement").rows == (
        ("a", "b", 3, 1),
    )
    assert query(path, "select judge, pairs, same, share from judge_repeats").rows == (
        ("b", 1, 0, 0.0),
    )
    # Judge a names whoever stands first, both times; b read both orders too, and abstained in one.
    found = query(
        path,
        "select judge, named, proposition, abstained, share_proposition, share_first from"
        " side_bias",
    ).rows
    assert found == (("a", 2, 1, 0, 0.5, 1.0), ("b", 2, 1, 1, 0.5, 0.5))


def test_a_vote_is_what_a_judge_says_in_all_orders_of_one_repeat(path: Path) -> None:
    """In the order of the judges: agreed; flipped; abstained in one order; one order missing; one
    order alone; twice in one order; without a confidence.
    """
    said: list[tuple[str, str, str | None, float | None]] = [
        ("a", "as played", "proposition", 0.8),
        ("a", "swapped", "proposition", 0.6),
        ("b", "as played", "proposition", 0.9),
        ("b", "swapped", "opposition", 0.6),
        ("c", "as played", "proposition", 0.9),
        ("c", "swapped", "abstain", None),
        ("d", "as played", "proposition", 0.9),
        ("d", "swapped", None, None),
        ("e", "as played", "opposition", 0.7),
        ("f", "as played", "proposition", 0.7),
        ("f", "as played", "opposition", 0.7),
        ("g", "as played", "opposition", None),
    ]
    rows = debate("d", (60, 60))
    for number, (judge, order, winner, confidence) in enumerate(said):
        rows += ruling(f"v{number}", winner, confidence, judge=judge, order=order)
    put(path, rows)
    columns = "judge, winner, round(confidence, 9), flipped, both_orders, readings"
    assert query(path, f"select {columns} from votes order by judge").rows == (
        ("a", "proposition", 0.7, False, True, 2),
        ("b", "abstain", None, True, True, 2),
        ("c", "abstain", None, False, False, 2),
        ("d", None, None, False, False, 2),
        ("e", "opposition", 0.7, False, False, 1),
        ("f", "abstain", None, False, False, 2),
        ("g", "opposition", None, False, False, 1),
    )
    columns = "votes_proposition, votes_opposition, abstained, flipped, missing"
    assert query(path, f"select {columns}, majority, confidence_sum from outcomes").rows == (
        (1, 2, 3, 1, 1, "opposition", None),
    )
    assert query(path, "select judge, pairs, flips from flips").rows == (("a", 1, 0), ("b", 1, 1))


def test_repeats_and_juries_have_votes_of_their_own(path: Path) -> None:
    rows = [*debate("d", (60, 60))]
    for number, (judging, repeat) in enumerate((("one", 0), ("one", 1), ("two", 0))):
        own = ruling(f"v{number}", "opposition" if number else "proposition")
        own[0][1]["study"] = judging
        own[1][1]["repeat"] = repeat
        rows += own
    put(path, rows)
    assert query(path, "select jury, repeat, winner from votes order by all").rows == (
        ("one", 0, "proposition"),
        ("one", 1, "opposition"),
        ("two", 0, "opposition"),
    )


def test_a_debate_on_which_all_abstain_is_a_tie(path: Path) -> None:
    put(path, [*debate("d", (60, 70)), *ruling("v", "abstain", None)])
    assert query(path, "select majority, confidence_sum from outcomes").rows == (("tie", "tie"),)


def test_undecided_debates_have_no_result(path: Path) -> None:
    """A vote without confidence decides no sum; a tie is half a win in means, not in rankings."""
    rows = [*debate("d", (60, 70)), *ruling("v0", None, None)]
    rows += [
        *debate("t", (60, 70)),
        *ruling("v1", "proposition", debate="t"),
        *ruling("v2", "opposition", debate="t", judge="k"),
    ]
    put(path, rows)
    assert query(path, "select count(result), avg(result) from speeches").rows == ((2, 0.5),)
    assert query(
        path, "select debates, ties, undecided, win_rate from proposition_wins_by_motion"
    ).rows == ((2, 1, 1, 0.5),)
    assert query(path, "select n, n_without_ties, ece, auroc from calibration_by_phase").rows == (
        (2, None, None, None),
    )
    assert query(path, "from reliability").rows == ()
    assert query(path, "select mean_payout from token_payout").rows == ((0.0,), (0.0,))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rating", "bin"), [(0, 1), (10, 1), (11, 2), (30, 3), (70, 7), (71, 8), (100, 10)]
)
def test_bins_are_closed_on_the_right(path: Path, rating: int, bin: int) -> None:
    put(path, [*debate("d", (rating, None)), *ruling("v", "proposition")])
    assert query(path, "select bin, n, win_rate from reliability").rows == ((bin, 1, 1.0),)


def test_a_drifting_snapshot_shows(path: Path) -> None:
    for day, (served, rating) in enumerate((("m-1", 50), ("m-2", 90))):
        rows = debate(f"d{day}", (rating, rating), model_served=served)
        rows[0][1]["started_at"] = NOW + timedelta(days=day)
        put(path, rows)
    found = query(path, "select day::varchar, model_served, n, mean from drift_by_date").rows
    assert found == (("2026-01-02", "m-1", 2, 0.5), ("2026-01-03", "m-2", 2, 0.9))


def test_private_words_of_ours_are_found_too(path: Path) -> None:
    put(
        path,
        debate(
            "d",
            (50, 60),
            (70, 40),
            public="I argue. < Thoughts >I shall win</thoughts> <rating>90</rating>",
        ),
    )
    found = query(
        path,
        "select seat, private_tag, rating_tag, rating, opponent_change from private_words where"
        " round = 0 order by seat",
    ).rows
    assert found == (("opposition", True, True, True, 0.2), ("proposition", True, True, True, -0.2))


def test_a_prompt_comes_back_piece_by_piece(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(study(agent(), subjects=1))
    [(episode,)] = arena.sql("select episode from episodes").rows
    parts = arena.sql(f"from prompt_of('{episode[:6]}', 'opposition', 1)").rows
    assert [part[1:4] for part in parts] == [
        (None, None, None),
        ("proposition", 0, "public"),
        ("opposition", 0, "own"),
    ]
    assert parts[1][4].startswith("proposition says")


@pytest.mark.slow
def test_the_folded_record_answers_as_the_live_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.duckdb"
    with monkeypatch.context() as patch:
        patch.setattr(database, "fold", lambda *a, **k: FoldResult())
        Arena(path).run(study(agent("a"), agent("b"), subjects=2))
    names = [name for name, view in ALL_VIEWS.items() if not view.parameters]
    live = {name: query(path, f"from {name} order by all").rows for name in names}
    assert database.fold(path).journals == 1
    for name in names:
        assert query(path, f"from {name} order by all").rows == live[name], name
    assert len(live["confidence_by_model"]) == 6


@pytest.mark.slow
def test_plain_duckdb_has_every_view_and_macro(path: Path) -> None:
    put(path, debate("d", (60, 70)))
    with duckdb.connect(str(path), read_only=True) as con:
        for name, view in ALL_VIEWS.items():
            if not view.parameters:
                con.execute(f"from {name}").fetchall()
        assert con.execute("select seat, confidence from transcript('d')").fetchall() == [
            ("proposition", 0.6),
            ("opposition", 0.7),
        ]
        macros = con.execute(
            "select function_name, comment from duckdb_functions() where function_type ="
            " 'table_macro' and not internal"
        )
        assert dict(macros.fetchall()) == {
            name: view.comment for name, view in ALL_VIEWS.items() if view.parameters
        }


def test_a_query_makes_what_it_names_with_what_that_reads(path: Path) -> None:
    assert find_views("select 1 from turns") == ()
    assert find_views('from "Side_Bias"') == (
        "latest_rulings",
        "left_out",
        "episodes",
        "verdicts",
        "side_bias",
    )
    assert set(with_dependencies(["excess_by_phase"])) >= {
        "episodes",
        "phase_pairs",
        "side_confidence",
    }
    for catalogue in (
        "show tables",
        "from duckdb_views()",
        "select * from information_schema.tables",
        "from query('from ' || 'rise')",
    ):
        assert find_views(catalogue) == tuple(ALL_VIEWS)
    assert query(path, "select count(*) > 0 from duckdb_views() where view_name = 'rise'").rows == (
        (True,),
    )


def test_every_view_comes_after_what_it_reads() -> None:
    order = list(ALL_VIEWS)
    for name in ALL_VIEWS:
        assert all(
            order.index(read) < order.index(name)
            for read in with_dependencies([name])
            if read != name
        )


@pytest.mark.slow
def test_each_question_has_one_view_that_answers_it_debate_by_debate(path: Path) -> None:
    """Two debates: in one both sides are sure and one of them wins, in one a rating is missing."""
    put(path, [*debate("d", (60, 80), (70, 90)), *debate("e", (50, None), (40, 30))])
    put(path, [*ruling("v", "opposition"), *ruling("w", "proposition", debate="e")])
    columns = "episode, seat, label, confidence, asked, missing, against_itself"
    assert query(
        path, f"select {columns} from ratings where phase = 'phase 0' order by all"
    ).rows == (
        ("d", "opposition", "phase 0", 0.8, True, False, False),
        ("d", "proposition", "phase 0", 0.6, True, False, False),
        ("e", "opposition", "phase 0", None, True, True, False),
        ("e", "proposition", "phase 0", 0.5, True, False, False),
    )
    pairs = "select episode, phase, lower, excess from side_confidence order by all"
    assert query(path, pairs).rows == (
        ("d", "phase 0", 0.6, 0.4),
        ("d", "phase 1", 0.7, 0.6),
        ("e", "phase 0", None, None),
        ("e", "phase 1", 0.3, -0.3),
    )
    rises = "select episode, seat, first, round(rise, 9), earliest from first_and_last order by all"
    assert query(path, rises).rows == (
        ("d", "opposition", 0.8, 0.1, 0.8),
        ("d", "proposition", 0.6, 0.1, 0.6),
        ("e", "opposition", None, None, 0.3),
        ("e", "proposition", 0.5, -0.1, 0.5),
    )
    sides = "select episode, seat, model, opponent_model, result from debaters order by all"
    assert query(path, sides).rows == (
        ("d", "opposition", "m/b", "m/a", 1.0),
        ("d", "proposition", "m/a", "m/b", 0.0),
        ("e", "opposition", "m/b", "m/a", 0.0),
        ("e", "proposition", "m/a", "m/b", 1.0),
    )
    assert query(path, "from juries").rows == (("s", "jury", 2, None),)


def test_a_phase_that_comes_twice_is_told_apart_by_its_label(path: Path) -> None:
    """The first rating of a side meets the first of the other, and the second the second."""
    rows = debate("d", (10, 20), (30, 40), (50, 60))
    for table, row in rows:
        if table == "turns":
            row["phase"] = "speech"
            row["round"] = max(row["step"] - 1, 0)
    put(path, rows)
    found = query(path, "select label, proposition, opposition from side_confidence order by all")
    assert found.rows == (
        ("speech #2", 0.3, 0.4),
        ("speech, round 0", 0.1, 0.2),
        ("speech, round 1", 0.5, 0.6),
    )
    labels = query(path, "select distinct label from ratings order by all").rows
    assert [label for (label,) in labels] == ["speech #2", "speech, round 0", "speech, round 1"]


def test_a_phase_is_numbered_by_all_its_turns_whether_or_not_a_rating_was_asked_for(
    path: Path,
) -> None:
    """Both sides speak twice in one phase; a rating is asked for with the second speech only."""
    rows = debate("d", (None, None), (30, 40))
    for table, row in rows:
        if table == "turns":
            row["phase"] = "speech"
            row["round"] = 0
            if row["step"] == 0:
                row["confidence_status"] = "not asked"
    put(path, rows)
    pairs = query(path, "select label, proposition, opposition from side_confidence order by all")
    assert pairs.rows == (("speech #2", 0.3, 0.4),)
    labels = query(path, "select distinct label from ratings where asked").rows
    assert labels == (("speech #2",),)


def test_a_rating_counts_without_the_other_seat(path: Path) -> None:
    alone = [
        (table, row) for table, row in debate("e", (90, 20)) if row.get("seat") != "opposition"
    ]
    put(path, [*debate("d", (60, 80)), *alone])
    assert query(path, "select n, round(mean, 9) from confidence_by_round").rows == (
        (3, round((0.6 + 0.8 + 0.9) / 3, 9)),
    )
    assert query(path, "select sum(n) from confidence_by_model").rows == ((3,),)
    assert query(path, "select count(*) from speeches").rows == ((3,),)
    assert query(path, "select debates from both_sides").rows == ((1,),)
    assert query(path, "select distinct episode from ratings where in_debate").rows == (("d",),)
    assert query(path, "select distinct episode from debates").rows == (("d",),)


def test_completeness_counts_what_is_there_too(path: Path) -> None:
    put(path, [*debate("d", (60, None)), *debate("e", (60, 60), status="failed")])
    counts = (
        "select what, count(*) filter (missing), count(*) from completeness"
        " where what in ('episode', 'confidence') group by what order by what"
    )
    assert query(path, counts).rows == (("confidence", 1, 2), ("episode", 1, 2))
    assert query(path, "select what, n from missing where what <> 'speech' order by all").rows == (
        ("confidence", 1),
        ("episode", 1),
    )
