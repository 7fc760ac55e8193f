"""Standings of a small tournament that is really played and judged, by simulated models: counts
against SQL, flags, tables, and the CSV.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents import agent
from analysis.read.verdicts import judged_studies, read_verdicts
from analysis.reports.plain_json import json_object
from analysis.reports.standings import standings, study_standings
from analysis.reports.strengths import places
from analysis.reports.tables.standings import print_standings
from analysis.statistics.ranking import rank
from arena import Arena, Arm, Study, Subject, against_itself, round_robin, run_stages
from arena.errors import StoreError, StudyError
from arena.exports.pairwise import COLUMNS, export_pairwise
from protocols.debate import debate
from protocols.judging import jury

MODELS = {
    "weak": "sim/confident:strength=-1.0:words=90",
    "kin": "sim/modest:family=4",
    "strong\x1b[2J": "sim/even:strength=1.0:words=90",
}
JUDGES = {
    "fair": "sim/judge:seed=1",
    "first": "sim/judge:first=2.0",
    "loving": "sim/judge:family=4:love=3.0",
    "mute": "sim/judge:unreadable=0.4",
}
KEYS = (
    "study juries simulated debates contestants seat equal_form first_place pairs outcomes judges"
    " agreement surer_side verdicts missing related rules losses by pooled"
)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """Three contestants, mirrored on eight motions, and against themselves on the side; four judges
    in both orders, twice.
    """
    arena = Arena(tmp_path_factory.mktemp("standings") / "a.duckdb", concurrency=64)
    models = [agent(reference, name=name) for name, reference in MODELS.items()]
    lineups = [*round_robin(models), *against_itself(models[:1])]
    played = Study(
        "cup",
        [Arm("all", debate, lineups)],
        [Subject(f"This house would count to {n}.") for n in range(8)],
    )
    jurors = [agent(reference, name=name) for name, reference in JUDGES.items()]
    run_stages(arena, [played, jury("cup jury", played, jurors, repeats=2)])
    run_stages(arena, [jury("second jury", "cup", jurors[:1], orders=["as played"])])
    return arena


@pytest.fixture(scope="module")
def found(arena: Arena) -> dict[str, Any]:
    return standings(arena.path, "cup", jury="cup jury")


def of(found: dict[str, Any], judge: str) -> dict[str, Any]:
    """The row of one judge."""
    return next(row for row in found["judges"] if row["judge"] == judge)


def test_the_keys_are_a_promise_and_the_whole_is_json(found: dict[str, Any]) -> None:
    assert sorted(found) == sorted(KEYS.split())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {"agent", "strength", "ci_low", "ci_high", "elo", "win_rate", "votes", "debates"} < set(
        found["contestants"][0]
    )


def test_the_strongest_comes_first_with_its_interval(found: dict[str, Any]) -> None:
    assert [row["agent"] for row in found["contestants"]] == list(MODELS)[::-1]
    assert all(row["ci_low"] < row["strength"] < row["ci_high"] for row in found["contestants"])
    assert sum(row["strength"] for row in found["contestants"]) == pytest.approx(0, abs=1e-9)


def test_flips_are_those_of_the_view(arena: Arena, found: dict[str, Any]) -> None:
    view = arena.sql(
        "with two as (select judge, debate, v.repeat, count(distinct winner) as n from verdicts v"
        " join episodes e using (episode) where e.study = 'cup jury' and winner <> 'abstain' group"
        " by all having count(*) = 2) select judge, count(*), count(*) filter (n = 2) from two"
        " group by all"
    )
    assert {judge: (both, flips) for judge, both, flips in view} == {
        row["judge"]: (row["both_orders"], row["flips"]) for row in found["judges"]
    }
    assert of(found, "first")["flip_rate"] > of(found, "fair")["flip_rate"] + 0.1


def test_missing_verdicts_are_counted_with_their_reason(
    arena: Arena, found: dict[str, Any]
) -> None:
    missing = arena.sql("select count(*) from verdicts where winner is null").rows[0][0]
    assert missing > 20
    assert found["missing"] == [{"what": "winner", "reason": "no winner tag", "n": missing}]
    assert found["verdicts"]["missing"] == of(found, "mute")["missing"] == missing
    assert found["verdicts"]["all"] == (6 + 1) * 8 * 4 * 2 * 2


def test_judges_of_their_family_count_and_can_be_left_out(
    arena: Arena, found: dict[str, Any]
) -> None:
    """The loving judge read 4 of 7 lineups with its kin: 4 x 8 debates, twice."""
    assert found["related"]["judge_of_family"] == 4 * 8 * 2
    assert found["related"]["votes"] == 7 * 8 * 4 * 2
    excluded = standings(arena.path, "cup", jury="cup jury", exclude_related=True)
    kin = [
        next(row["win_rate"] for row in one["contestants"] if row["agent"] == "kin")
        for one in (excluded, found)
    ]
    assert kin[1] > kin[0]
    one, other = (
        sum(each["outcomes"]["votes"][key] for key in ("for_a_side", "abstained"))
        for each in (found, excluded)
    )
    assert one - other == 64
    first = [each["contestants"][0]["agent"] for each in (found, excluded)]
    assert [found["related"][key] for key in ("first", "first_otherwise")] == first
    assert [excluded["related"][key] for key in ("first", "first_otherwise")] == first[::-1]


def test_places_count_those_who_are_surely_better() -> None:
    """The second overlaps with the first and with the third, who is surely below the first."""
    low = np.array([1.0, 0.2, 0.0, -np.inf, np.nan])
    high = np.array([np.inf, 1.2, 0.9, -0.5, np.nan])
    assert places(low, high) == [1, 1, 2, 4, None]


def test_what_was_planted_in_judges_is_found(found: dict[str, Any]) -> None:
    first, loving = of(found, "first")["effects"]["first"], of(found, "loving")
    assert first["ci_low"] < 2.0 < first["ci_high"]
    assert loving["effects"]["family"]["ci_low"] > 1
    assert loving["own_family"]["ci_low"] > 0.1
    assert of(found, "fair")["effects"]["family"]["size"] is None


def test_words_are_counted_as_between_spaces_and_line_breaks(add: Callable[..., Path]) -> None:
    debate = {"ratings": [(60, 70, 80), (50, 60, 90)], "votes": [("proposition", 0.8)]}
    path = add("s", debate | {"public": "One two\n\nthree\tfour  five. \n## A\n - b\n2) c\n-d"})
    found = read_verdicts(path, "s")
    assert found.words.tolist() == [[36, 36]]
    assert (found.items.tolist(), found.headings.tolist()) == ([[6, 6]], [[3, 3]])
    assert found.confidence.tolist() == [[0.8, 0.9]]


def test_confidences_outside_of_the_range_are_missing_and_in_no_sum(
    add: Callable[..., Path],
) -> None:
    debate = {"ratings": [(60, 70, 80), (50, 60, 90)]}
    votes = [("proposition", 0.8), ("proposition", None), ("opposition", 0.9)]
    found = standings(add("s", debate | {"votes": votes}), "s")
    assert [(row["what"], row["n"]) for row in found["missing"]] == [("confidence", 1)]
    assert found["outcomes"]["majority"]["proposition"] == 1
    assert sum(found["outcomes"]["confidence_sum"].values()) == 0


def test_debates_against_oneself_are_judged_and_not_ranked(found: dict[str, Any]) -> None:
    assert found["debates"] == 7 * 8
    assert sum(row["votes"] for row in found["pairs"] if row["agent"] == row["against"]) == 0
    assert all(row["debates"] <= 4 * 8 for row in found["contestants"])


def test_one_jury_or_all(arena: Arena, found: dict[str, Any]) -> None:
    every = standings(arena.path, "cup")
    assert every["verdicts"]["all"] - found["verdicts"]["all"] == 7 * 8
    assert judged_studies(arena.path) == {"cup": ["cup jury", "second jury"]}
    assert (every["juries"], found["juries"]) == (
        [{"jury": "cup jury", "verdicts": 896}, {"jury": "second jury", "verdicts": 56}],
        [{"jury": "cup jury", "verdicts": 896}],
    )
    out = io.StringIO()
    print_standings([study_standings(arena.path, "cup")], out)
    assert "several juries are pooled here: cup jury (896), second jury (56)" in " ".join(
        out.getvalue().split()
    )


def test_the_tables_say_that_it_is_simulated_and_steer_no_terminal(arena: Arena) -> None:
    out = io.StringIO()
    print_standings([study_standings(arena.path, "cup", jury="cup jury")], out)
    text = out.getvalue()
    assert "SIMULATED" in text
    assert "\x1b" not in text
    assert "flips with the seat order" in " ".join(text.split())
    assert "no winner tag" in text
    assert max(map(len, text.splitlines())) <= 100
    for words in (
        "Leaderboard",
        "Krippendorff",
        "who is read first",
        "its own family",
        "counted here; --exclude-related leaves them out",
        "wins: by the majority of votes; by sum: by confidence sum",
    ):
        assert words in " ".join(text.split())


@pytest.mark.slow
def test_the_smallest_tournaments_are_printed_with_open_ends(tmp_path: Path) -> None:
    """One pair on one motion: by one judge in one order, in both, and by one that abstains."""
    arena = Arena(tmp_path / "a.duckdb")
    pair = [agent(f"sim/even:strength={strength}", name=f"m{strength}") for strength in (9, -9)]
    arm = Arm("one", debate, round_robin(pair), {"phases": ("opening",)})
    cup = Study("cup", [arm], [Subject("This house would count.")])
    fair, mute = (agent(f"sim/judge:abstain={share}", name=f"j{share}") for share in (0, 1))
    run_stages(
        arena,
        [
            cup,
            jury("one order", cup, [fair], orders=["as played"]),
            jury("both", cup, [fair]),
            jury("abstains", cup, [mute], may_abstain=True),
        ],
    )
    for name in ("one order", "both", "abstains"):
        out = io.StringIO()
        found = study_standings(arena.path, "cup", jury=name)
        print_standings([found], out)
        text = " ".join(out.getvalue().split())
        rows = json_object(found)["contestants"]
        assert [row["votes"] for row in rows] == [2, 2]
        if name == "abstains":
            assert [row["missing_end"] for row in rows] == [None, None]
            assert rows[0]["ci_low"] < 0 < rows[0]["ci_high"]
            assert "open" not in text.partition("Rules")[0]
        else:
            strong, weak = rows
            assert (strong["ci_high"], weak["ci_low"]) == (None, None)
            assert strong["ci_low"] < strong["strength"]
            assert strong["missing_end"].startswith("never lost")
            assert weak["missing_end"].startswith("never won")
            assert "m9 +" in text
            assert "no upper end" in text
            assert f"from {strong['ci_low']:+.2f} *" in text


def test_the_pairwise_file_gives_the_same_strengths(arena: Arena, tmp_path: Path) -> None:
    """In a fit without a prior, over judges that miss nothing; a flip is a win for each, as an
    abstention is half a win for both.
    """
    file = tmp_path / "new" / "pairwise.csv"
    wrote = export_pairwise(arena.path, file, ["cup"])
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [
            row
            for row in csv.DictReader(lines)
            if row["judge"] in ("fair", "first") and row["study"] == "cup"
        ]
    assert tuple(rows[0]) == COLUMNS
    assert {row["motion"] for row in rows} == {f"This house would count to {n}." for n in range(8)}
    assert {row["winner"] for row in rows} == {"model_a", "model_b"}
    names = sorted(MODELS)
    first, second = (
        np.array([names.index(row[key]) for row in rows]) for key in ("model_a", "model_b")
    )
    score = np.array([float(row["winner"] == "model_a") for row in rows])
    verdicts = read_verdicts(arena.path, "cup")
    kept = (
        np.isin(verdicts.judge, [verdicts.judges.index(name) for name in ("fair", "first")])
        & ~verdicts.against_itself()[verdicts.debate]
    )
    side = verdicts.side[verdicts.debate[kept]]
    cluster = np.arange(len(side))
    ours = rank(side[:, 0], side[:, 1], verdicts.winner[kept], cluster, 3)
    theirs = rank(first, second, score, cluster, 3)
    assert theirs.strength == pytest.approx(ours.strength, abs=1e-9)
    assert (wrote.related, wrote.missing > 0) == (0, True)
    assert (
        export_pairwise(arena.path, tmp_path / "some.csv", ["cup"], exclude_related=True).rows
        == wrote.rows - 128
    )


def test_an_export_replaces_nothing(arena: Arena, tmp_path: Path) -> None:
    (tmp_path / "pairwise.csv").write_text("mine")
    with pytest.raises(StoreError, match="cannot write"):
        export_pairwise(arena.path, tmp_path / "pairwise.csv", ["cup"])
    assert (tmp_path / "pairwise.csv").read_text() == "mine"


def test_a_study_without_verdicts_says_which_have_some(arena: Arena) -> None:
    with pytest.raises(
        StudyError,
        match=r"no verdict on debates of a study 'cup jury'; studies with verdicts: cup \(",
    ):
        standings(arena.path, "cup jury")
    with pytest.raises(StudyError, match="no verdict by the jury 'third'"):
        standings(arena.path, "cup", jury="third")
