"""Who won is one set of numbers: by hand, and in report, rank, views, figure and pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from analysis.figures.registry import figure
from analysis.reports.debates import report
from analysis.reports.standings import standings
from arena.imports.llms_overconfidence import import_llms_overconfidence
from arena.store.database import query
from arena.web.pages.debate import votes_and_outcomes
from arena.web.pages.study import WINNERS
from arena.web.site import Site
from tests.made_up_publication import write_publication
from tests.publication import NOT_HERE, folder, is_real

SIDES = ("proposition", "opposition")
Wins = dict[str, tuple[int, float, float]]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up publication: votes that are missing or without confidence, a tie, no flips."""
    root = tmp_path_factory.mktemp("made up")
    write_publication(root / "files")
    import_llms_overconfidence(root / "files", root / "arena.duckdb")
    return root / "arena.duckdb"


def larger(one: float, other: float) -> str:
    """The side with more."""
    return "tie" if round(one - other, 9) == 0 else SIDES[one < other]


def outcomes_by_hand(db: Path, study: str) -> dict[str, dict[str, Any]]:
    """What the readings in the store amount to, debate by debate, counted in plain Python."""
    readings = query(
        db,
        "select v.debate, j.study, v.judge, v.repeat, v.seat_order, v.winner, v.confidence"
        " from verdicts v join episodes j on j.episode = v.episode"
        " join episodes d on d.episode = v.debate where d.study = ?",
        parameters=[study],
    ).rows
    cast = defaultdict(list)
    for debate, jury, judge, repeat, order, winner, confidence in readings:
        cast[debate, jury, judge, repeat].append((order, winner, confidence))
    votes = defaultdict(list)
    for (debate, *_), said in cast.items():
        winners = {winner for _, winner, _ in said}
        confidences = [confidence for *_, confidence in said]
        winner = winners.pop() if len(winners) == 1 else "abstain"
        if None in (winner, *winners):
            winner = None
        mean = None if None in confidences else sum(confidences) / len(confidences)
        flipped = winner == "abstain" and len({order for order, *_ in said}) == 2
        votes[debate].append((winner, mean, flipped))
    return {debate: outcome_by_hand(own) for debate, own in votes.items()}


def outcome_by_hand(votes: list[tuple[str | None, float | None, bool]]) -> dict[str, Any]:
    """The winner by both rules, and the counts of votes."""
    winners = [winner for winner, *_ in votes]
    number = [winners.count(side) for side in SIDES]
    given = [[mean for winner, mean, _ in votes if winner == side] for side in SIDES]
    voted = len(winners) > winners.count(None)
    known = voted and None not in given[0] + given[1]
    sums = [sum(mean or 0 for mean in each) for each in given]
    return {
        "votes_proposition": number[0],
        "votes_opposition": number[1],
        "abstained": winners.count("abstain"),
        "flipped": sum(flipped for *_, flipped in votes),
        "missing": winners.count(None),
        "majority": larger(*number) if voted else None,
        "confidence_sum": larger(*sums) if known else None,
    }


def wins_by_hand(db: Path, study: str, outcomes: dict[str, dict[str, Any]]) -> Wins:
    """(Judged debates against others, wins by majority, wins by confidence sum) of each model."""
    seats = query(
        db,
        "select episode, max(model) filter (seat = 'proposition'),"
        " max(model) filter (seat = 'opposition') from seats join episodes using (episode)"
        " where study = ? group by episode",
        parameters=[study],
    ).rows
    wins: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0])
    for debate, *models in seats:
        outcome = outcomes.get(debate)
        if outcome is None or outcome["majority"] is None or models[0] == models[1]:
            continue
        for side, model in zip(SIDES, models, strict=True):
            own = wins[model]
            own[0] += 1
            for place, rule in enumerate(("majority", "confidence_sum"), start=1):
                own[place] += {side: 1.0, "tie": 0.5}.get(outcome[rule], 0.0)
    return {model: (int(n), won, by_sum) for model, (n, won, by_sum) in wins.items()}


def wins_of(rows: Iterable[dict[str, Any]], who: str, debates: str) -> Wins:
    """The wins in rows of a report or view; those without a judged debate are left out."""
    return {
        row[who]: (row[debates], row["wins"], row["wins_by_confidence_sum"])
        for row in rows
        if row[debates]
    }


def check(db: Path, study: str) -> dict[str, int]:
    """Compare all places with what is counted by hand; return the votes of all debates."""
    outcomes = outcomes_by_hand(db, study)
    wins = wins_by_hand(db, study, outcomes)
    [told] = report(db, study)
    ranked = standings(db, study)
    view = query(db, "from outcomes where study = ?", parameters=[study]).dicts()
    assert {row["debate"]: {key: row[key] for key in outcomes[row["debate"]]} for row in view} == (
        outcomes
    )
    assert wins_of(told["contestants"], "contestant", "judged") == wins
    assert wins_of(ranked["contestants"], "agent", "debates") == wins
    board = query(db, "from leaderboard where study = ?", parameters=[study]).dicts()
    assert wins_of(board, "agent", "debates") == wins
    assert wins_of(figure(db, study, "leaderboard").rows, "contestant", "debates") == wins
    flipped = {row["agent"]: row["flipped"] for row in board}
    assert flipped == {
        row["agent"]: row["flipped"] for row in ranked["contestants"] if row["debates"]
    }
    rules = ("majority", "confidence_sum")
    for found in (told["outcomes"], ranked["outcomes"]):
        assert found["judged"] == sum(each["majority"] is not None for each in outcomes.values())
        for rule in rules:
            winners = [each[rule] for each in outcomes.values()]
            assert found[rule] == {side: winners.count(side) for side in (*SIDES, "tie")}
    total = {key: sum(each[key] for each in outcomes.values()) for key in ("abstained", "flipped")}
    for found in (told["outcomes"]["votes"], ranked["outcomes"]["votes"]):
        assert {key: found[key] for key in total} == total
    with Site(db).store(()) as ask:
        for debate, expected in outcomes.items():
            _, outcome = ask.of(debate, votes_and_outcomes)
            assert {key: getattr(outcome, key) for key in expected} == expected
    with Site(db).store(("outcomes",)) as ask:
        listed = ask(WINNERS, {"debates": list(outcomes)})
    assert {row["debate"]: row["winner"] for row in listed} == {
        debate: each["majority"] for debate, each in outcomes.items()
    }
    return total


@pytest.mark.slow
def test_the_publication_has_one_set_of_wins(published: Path) -> None:
    assert check(published, "cross_model")["flipped"] == 0


@pytest.mark.slow
def test_a_cup_with_flips_has_one_set_of_wins(cup: Path) -> None:
    assert check(cup, "it's a cup")["flipped"] > 10


@pytest.mark.slow
@pytest.mark.skipif(not is_real(), reason=NOT_HERE)
def test_the_real_publication_has_one_set_of_wins(tmp_path: Path) -> None:
    import_llms_overconfidence(folder(), tmp_path / "arena.duckdb")
    assert check(tmp_path / "arena.duckdb", "cross_model")["abstained"] == 0
