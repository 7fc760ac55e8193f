"""The import of the published record: small files of both layouts, bad files, the whole record.

The whole record is made up if no copy is at hand, and has the published numbers if one is
(tests/publication.py).
"""

import copy
import json
import os
from collections import Counter
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.errors import StudyError
from arena.imports.llms_overconfidence import (
    ImportResult,
    debate_rows,
    import_llms_overconfidence,
    judging_rows,
    summary_lines,
)
from arena.imports.published import FOUR, SIDES, THREE, parse_debate, read_folder
from arena.store import database
from arena.store.journal import line, write_journal
from arena.text import writable
from tests import publication

STEM = "a_vs_b_20250316_163517"
SPEECH = "This speech has more than five words."
THOUGHTS = "I find our case stronger on two of the three clashes, so I stake this."
TYPES = {
    "cross_model": "private_bet",
    "self": "private_same_debator",
    "informed": "private_same_debator_informed",
    "public": "PUBLIC_SAME_DEBATOR",
    "red_team": "readteam_debate",
    "multi_round": "private_self_bet",
}


def published(study: str = "self", *, votes: int = 0) -> dict:
    """A file of a configuration, with amounts 60, 61, ... in the order of the calls."""
    phases = FOUR if study == "multi_round" else THREE
    calls = [(side, phase) for phase in phases for side in SIDES]
    bets = [
        {"side": s, "speech_type": p, "amount": 60 + i, "thoughts": THOUGHTS}
        for i, (s, p) in enumerate(calls)
    ]
    reduced = {
        "motion": {"topic_description": "This House would test"},
        "debate_type": TYPES[study],
        "proposition_model": "lab/a",
        "opposition_model": "lab/b" if study == "cross_model" else "lab/a",
        **{
            f"{side}_output": {
                "side": side,
                "speeches": {p: f"{side} {p}: {SPEECH}" for p in phases},
            }
            for side in SIDES
        },
        "debator_bets": bets,
        "path_to_store": "somewhere/else.json",
    }
    if study == "multi_round":
        return reduced
    text = "<winnerName>Opposition</winnerName><confidence>70</confidence>"
    vote = {"model": "lab/judge", "winner": "opposition", "confidence": 70, "logic": text}
    return reduced | {
        "prompts": {"judge_prompt": "..."},
        "judge_models": [],
        "judge_results": [vote] * votes,
        "judge_token_counts": {},
    }


def put(folder: Path, content: object, name: str = f"{STEM}.json") -> Path:
    """Write a file, as JSON unless it is bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(
        content if isinstance(content, bytes) else json.dumps(content).encode()
    )
    return folder


def imported(tmp_path: Path, content: object) -> ImportResult:
    """Import one file into a new store, `tmp_path/arena.duckdb`."""
    return import_llms_overconfidence(put(tmp_path / "in", content), tmp_path / "arena.duckdb")


def rows(tmp_path: Path, sql: str) -> list[tuple]:
    """The answer of the store to a query."""
    return list(database.query(tmp_path / "arena.duckdb", sql))


def turn(content: dict, side: str = "proposition", phase: str = "opening") -> dict:
    """The row of one turn of a file."""
    result = debate_rows(parse_debate(STEM, content))
    return next(
        row
        for table, row in result
        if table == "turns" and (row["seat"], row["phase"]) == (side, phase)
    )


def verdicts(content: dict) -> list[dict]:
    """The rows of the verdicts of a file."""
    return [row for table, row in judging_rows(parse_debate(STEM, content)) if table == "rulings"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "schedule", "confidence", "memory", "note", "rating", "reflection"),
    [
        ("cross_model", "simultaneous", "private", True, "none", "both", "plain"),
        ("self", "simultaneous", "private", True, "copy", "both", "plain"),
        ("informed", "simultaneous", "private", False, "even_odds", "both", "plain"),
        ("public", "simultaneous", "public", True, "copy", "both", "plain"),
        ("red_team", "simultaneous", "private", False, "copy", "both", "both_sides"),
        ("multi_round", "sequential", "private", False, "copy", "stake", "plain"),
    ],
)
def test_each_configuration_is_named_by_its_preset_with_its_options(
    tmp_path, study, schedule, confidence, memory, note, rating, reflection
):
    assert imported(tmp_path, published(study)).debates == {study: 1}
    ((name, options),) = rows(
        tmp_path,
        "select study, options from episodes where protocol = 'debate' and status = 'done'",
    )
    assert name == study
    assert json.loads(options) == {
        "phases": list(FOUR if study == "multi_round" else THREE),
        "schedule": schedule,
        "confidence": confidence,
        "memory": memory,
        "opponent_note": note,
        "rating": rating,
        "reflection": reflection,
    }


@pytest.mark.parametrize(
    ("kind", "phases", "study"),
    [
        ("private_self_bet", "self", "self"),
        ("private_same_debator", "multi_round", "multi_round"),
        ("public_same_debator", "public", "public"),
        ("REDTEAM_debate", "red_team", "red_team"),
    ],
)
def test_case_spelling_and_phases_decide_where_the_type_alone_does_not(kind, phases, study):
    assert parse_debate(STEM, published(phases) | {"debate_type": kind}).study == study


def test_the_reduced_layout_gives_eight_turns_in_the_order_of_its_phases(tmp_path):
    imported(tmp_path, published("multi_round"))
    result = rows(
        tmp_path,
        "select seat, step, round, phase, confidence, public from turns order by round, seat desc",
    )
    calls = [(side, phase) for phase in FOUR for side in SIDES]
    assert result == [
        (
            side,
            FOUR.index(phase),
            FOUR.index(phase),
            phase,
            (60 + i) / 100,
            f"{side} {phase}: {SPEECH}",
        )
        for i, (side, phase) in enumerate(calls)
    ]


def test_a_debate_brings_its_motion_its_models_and_the_start_in_its_name(tmp_path):
    imported(tmp_path, published("cross_model"))
    assert rows(
        tmp_path,
        (
            "select e.started_at::varchar, s.text, s.source, s.licence from episodes e join"
            " subjects s using (subject)"
        ),
    ) == [("2025-03-16 16:35:17", "This House would test", "llms-overconfidence", None)]
    assert rows(
        tmp_path, "select seat, agent, model, system, sampling from seats order by seat"
    ) == [
        ("opposition", "lab/b", "lab/b", None, None),
        ("proposition", "lab/a", "lab/a", None, None),
    ]
    assert rows(tmp_path, "select study, simulated, origin from studies") == [
        ("cross_model", False, "imported from llms-overconfidence")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["no_time", "x_20251340_000000", "x_20250316_163517_copy"])
def test_a_name_without_a_time_gives_no_start_and_still_an_end(tmp_path, stem):
    import_llms_overconfidence(
        put(tmp_path / "in", published(), f"{stem}.json"), tmp_path / "arena.duckdb"
    )
    assert rows(tmp_path, "select status, started_at, ended_at::varchar from episodes") == [
        ("done", None, "1970-01-01 00:00:00")
    ]


def test_only_public_debates_say_that_others_see_the_rating():
    assert turn(published("public"))["rating_public"] is True
    assert turn(published("self"))["rating_public"] is False


@pytest.mark.slow
def test_importing_twice_changes_nothing(tmp_path):
    first = imported(tmp_path, published("cross_model", votes=2))
    before = {
        name: rows(tmp_path, f"from {name} order by all")
        for name in ("runs", "plays", "statuses", "turns", "rulings", "seats")
    }
    second = imported(tmp_path, published("cross_model", votes=2))
    assert (first.debates, first.verdicts, first.already_stored) == ({"cross_model": 1}, 2, 0)
    assert (second.debates, second.verdicts, second.already_stored, second.flags) == ({}, 0, 1, {})
    assert before == {name: rows(tmp_path, f"from {name} order by all") for name in before}
    assert rows(tmp_path, "select count(*) from folded") == [(1,)]


def test_a_later_import_adds_only_what_is_new_and_keeps_the_studys_date(tmp_path):
    imported(tmp_path, published())
    created = rows(tmp_path, "select created_at from studies")
    put(tmp_path / "in", published(), "later_20250401_000000.json")
    again = imported(tmp_path, published())
    assert (again.debates, again.already_stored) == ({"self": 1}, 1)
    assert rows(tmp_path, "select created_at from studies") == created


def test_the_same_file_counts_once_and_other_content_under_its_name_is_another_debate(tmp_path):
    folder = tmp_path / "in"
    put(folder / "copy", published())
    put(folder / "indented", json.dumps(published(), indent=2, sort_keys=True).encode())
    other = published()
    other["debator_bets"][0]["amount"] = 12
    put(folder / "other", other)
    result = imported(tmp_path, published())
    assert result.debates == {"self": 2}
    assert len(result.copies) == 2


def test_an_import_into_a_played_study_of_the_same_name_is_refused(tmp_path):
    path = tmp_path / "arena.duckdb"
    database.create(path)
    write_journal(
        database.journal_folder(path) / "0-run.jsonl",
        [line("runs", {"run": "r", "study": "self", "origin": "played"})],
    )
    with pytest.raises(
        StudyError, match="holds a study named 'self' that was played; import into another store"
    ):
        imported(tmp_path, published())
    assert rows(tmp_path, "select count(*) from plays") == [(0,)]


def test_a_debate_with_a_speech_not_given_stays_open(tmp_path):
    content = published()
    content["opposition_output"]["speeches"]["closing"] = -1
    content["debator_bets"].pop()
    result = imported(tmp_path, content)
    assert (result.unfinished, result.flags) == (1, {"not yet given": 1, "confidence missing": 1})
    assert rows(tmp_path, "select status, ended_at from episodes") == [("open", None)]
    assert rows(
        tmp_path,
        (
            "select text, public, thoughts, confidence from turns where seat = 'opposition' and"
            " phase = 'closing'"
        ),
    ) == [(None, None, None, None)]


def test_the_reduced_layout_may_lack_what_was_still_to_come_but_nothing_before(tmp_path):
    content = published("multi_round")
    for side in SIDES:
        del content[f"{side}_output"]["speeches"]["closing"]
    assert imported(tmp_path, content).unfinished == 1
    content["proposition_output"]["speeches"] = {"opening": SPEECH, "rebuttal_2": SPEECH}
    with pytest.raises(
        StudyError, match="speeches of the proposition lack 'rebuttal_1', 'closing'"
    ):
        parse_debate(STEM, content)


@pytest.mark.parametrize(
    ("amount", "confidence", "status", "flags"),
    [
        (0, 0.0, "read", ["zero"]),
        (100, 1.0, "read", []),
        (72.5, 0.725, "read", []),
        (None, None, "missing", []),
        (101, None, "out of range", ["amount 101"]),
        (-5, None, "out of range", ["amount -5"]),
        (10**30, None, "out of range", ["amount 1e+30"]),
    ],
)
def test_a_number_outside_0_to_100_is_no_confidence(amount, confidence, status, flags):
    content = published()
    content["debator_bets"][0]["amount"] = amount
    row = turn(content)
    assert (row["confidence"], row["confidence_status"], row["flags"]) == (
        confidence,
        status,
        flags,
    )


def test_two_different_bets_for_one_speech_are_no_confidence_and_two_equal_ones_are_one():
    content = published()
    content["debator_bets"].append(content["debator_bets"][0] | {"thoughts": THOUGHTS + " Again."})
    assert (turn(content)["confidence"], turn(content)["flags"]) == (0.6, ["bet stored twice"])
    content["debator_bets"][-1]["amount"] = 80
    row = turn(content)
    assert (row["confidence"], row["confidence_status"]) == (None, "several numbers")
    assert row["flags"] == ["bet stored twice", "amounts 60, 80"]
    assert row["thoughts"] == THOUGHTS + " Again."


@pytest.mark.parametrize("bets", [[], None])
def test_a_debate_without_bets_is_done_with_every_confidence_missing(tmp_path, bets):
    assert imported(tmp_path, published() | {"debator_bets": bets}).flags == {
        "confidence missing": 6
    }
    assert rows(tmp_path, "select what, reason, sum(n)::int from missing group by all") == [
        ("confidence", "missing", 6)
    ]


@pytest.mark.parametrize(
    ("amount", "thoughts", "flags"),
    [
        (80, "NA", ["thoughts are NA", "thoughts under 40 characters"]),
        (80, "Sure.", ["thoughts under 40 characters"]),
        (
            0,
            "NA",
            ["thoughts are NA", "thoughts under 40 characters", "zero", "zero with no thoughts"],
        ),
        (0, "", ["thoughts under 40 characters", "zero", "zero with no thoughts"]),
        (80, THOUGHTS, []),
    ],
)
def test_thoughts_are_flagged_and_kept(amount, thoughts, flags):
    content = published()
    content["debator_bets"][0] |= {"amount": amount, "thoughts": thoughts}
    row = turn(content)
    assert (row["flags"], row["thoughts"], row["confidence"]) == (flags, thoughts, amount / 100)


@pytest.mark.parametrize(
    ("speech", "flags"),
    [
        ("", ["empty speech", "speech under 5 words"]),
        ("```xml\n\n```", ["speech under 5 words"]),
        (f"{SPEECH} <BET_LOGIC_PRIVATE>we may lose", ["private tag in speech"]),
        (f"{SPEECH} **bet_amount: 85**", ["rating tag in speech"]),
        (f"{SPEECH} <Bet_Amount>\n85</bet_amount>", ["rating tag in speech", "rating in speech"]),
        (f"{SPEECH} We would bet a private amount on it.", []),
    ],
)
def test_speeches_are_flagged_and_kept(speech, flags):
    content = published()
    content["proposition_output"]["speeches"]["opening"] = speech
    row = turn(content)
    assert (row["flags"], row["text"], row["public"]) == (flags, speech, speech)


@given(speech=st.text(), thoughts=st.text(), amount=st.integers(0, 100))
def test_no_value_is_altered(speech, thoughts, amount):
    content = published()
    content["opposition_output"]["speeches"]["rebuttal"] = speech
    content["debator_bets"][3] |= {"amount": amount, "thoughts": thoughts}
    row = turn(json.loads(json.dumps(content)), "opposition", "rebuttal")
    assert (row["public"], row["thoughts"], row["confidence"]) == (
        writable(speech),
        writable(thoughts),
        amount / 100,
    )


def test_lone_surrogates_are_replaced_and_flagged_and_everything_else_survives_the_store(tmp_path):
    content = published()
    content["proposition_output"]["speeches"]["opening"] = f"{SPEECH} \ud800"
    content["opposition_output"]["speeches"]["opening"] = f"{SPEECH} 😀 \x00 'quoted' \u2028"
    assert imported(tmp_path, content).flags == {"characters that are no text replaced": 1}
    result = rows(tmp_path, "select public from turns where phase = 'opening' order by seat desc")
    assert result == [(writable(f"{SPEECH} \ud800"),), (f"{SPEECH} 😀 \x00 'quoted' \u2028",)]


def test_each_vote_is_an_episode_of_its_own(tmp_path):
    imported(tmp_path, published("cross_model", votes=2))
    debate = rows(tmp_path, "select episode from episodes where protocol = 'debate'")[0][0]
    play = (
        "select e.study, e.arm, e.subject, e.status, s.seat, s.model from episodes e join seats"
        " s using (episode)"
    )
    assert (
        rows(tmp_path, f"{play} where protocol = 'judging'")
        == [("cross_model", "jury", debate, "done", "judge", "lab/judge")] * 2
    )
    result = rows(
        tmp_path,
        (
            "select debate, judge, seat_order, repeat, winner, confidence, status from verdicts"
            " order by repeat"
        ),
    )
    assert result == [
        (debate, "lab/judge", "as played", repeat, "opposition", 0.7, "read") for repeat in (0, 1)
    ]
    assert rows(tmp_path, "select count(distinct episode) from verdicts") == [(2,)]


@pytest.mark.parametrize(
    ("change", "winner", "confidence", "status"),
    [
        ({"logic": "typed by hand"}, "opposition", 0.7, "doubtful: no winner tag in the text"),
        (
            {"logic": "x" * 30_001},
            "opposition",
            0.7,
            "doubtful: no winner tag in the text; longer than 30,000 characters",
        ),
        ({"winner": "proposition"}, "proposition", 0.7, "doubtful: the text names Opposition"),
        ({"confidence": 75}, "opposition", 0.75, "doubtful: the text says 70"),
        (
            {"logic": "<winnerName>opposition</winnerName>"},
            "opposition",
            0.7,
            "doubtful: no confidence tag in the text",
        ),
        ({"winner": "tie"}, None, 0.7, "winner 'tie' is neither side"),
        (
            {"confidence": 170},
            "opposition",
            None,
            "confidence 170 is out of range; the text says 70",
        ),
        ({"confidence": None}, "opposition", None, "confidence missing"),
    ],
)
def test_a_vote_that_its_text_does_not_bear_out_says_so(change, winner, confidence, status):
    content = published("cross_model", votes=1)
    content["judge_results"][0] |= change
    (row,) = verdicts(content)
    assert (row["winner"], row["confidence"], row["status"]) == (winner, confidence, status)


def test_the_last_winner_named_in_a_text_counts():
    content = published("cross_model", votes=1)
    content["judge_results"][0]["logic"] = (
        "<winnerName>proposition</winnerName>" + content["judge_results"][0]["logic"]
    )
    assert verdicts(content)[0]["status"] == "read"


def changed(*place: str | int, to: object = ...) -> dict:
    """A good file with one value changed or, without `to`, removed."""
    content = copy.deepcopy(published("cross_model", votes=1))
    inner = content
    for step in place[:-1]:
        inner = inner[step]
    if to is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = to
    return content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"{", "is not JSON"),
        (b"\xff\xfe{\x00}\x00", "is not UTF-8 text"),
        (b'{"debate_type": NaN}', "is not JSON: it has NaN"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"7" * 5000, "is not JSON"),
        ([published()], "has a list at the top level"),
        ({"debate_type": "private_bet"}, "lacks 'motion' (and 4 more)"),
        (changed("motion"), "lacks 'motion'"),
        (changed("motion", "topic_description", to=""), "motion.topic_description"),
        (
            changed("debate_type", to="baseline"),
            "debate_type 'baseline' is none of the published configurations",
        ),
        (
            changed("opposition_output", "speeches", "closing"),
            "speeches of the opposition lack 'closing'",
        ),
        (
            changed("opposition_output", "speeches", "rebuttal_1", to="x"),
            "speeches of the opposition have 'rebuttal_1'",
        ),
        (
            changed("opposition_output", "speeches", "closing", to=3),
            "opposition_output.speeches.closing should be a valid string, found 3",
        ),
        (
            changed("opposition_output", "side", to="proposition"),
            "opposition_output is of side 'proposition'",
        ),
        (
            changed("debator_bets", 2, "amount", to=True),
            "debator_bets.2.amount should be a valid number, found True",
        ),
        (
            changed("debator_bets", 2, "amount", to="75"),
            "debator_bets.2.amount should be a valid number, found '75'",
        ),
        (
            changed("debator_bets", 2, "side", to="judge"),
            "debator_bets.2.side should be 'proposition' or 'opposition', found 'judge'",
        ),
        (
            changed("debator_bets", 2, "speech_type", to="coda"),
            "a bet of the proposition is for 'coda'",
        ),
        (changed("debator_bets", 2, to=7), "debator_bets.2 should be an object, found 7"),
        (
            changed("judge_results", 0, "confidence", to="high"),
            "judge_results.0.confidence should be a valid number, found 'high'",
        ),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(tmp_path, content, reason):
    ((name, why),) = read_folder(put(tmp_path, content, "bad.json")).refused
    assert name == "bad.json"
    assert why.startswith(reason)


@pytest.mark.slow
def test_no_depth_of_nesting_gets_past_the_check(tmp_path):
    good = json.dumps(published())[:-1]
    for depth in range(900, 1010, 3):
        put(tmp_path, f'{good}, "more": {"[" * depth}{"]" * depth}}}'.encode(), f"{depth}.json")
    result = read_folder(tmp_path)
    assert {why for _, why in result.refused} <= {"is nested too deeply to be a debate"}
    assert len(result.plays) + len(result.refused) == 37


def test_good_files_are_imported_beside_refused_ones(tmp_path):
    put(tmp_path / "in" / "deep", b'{"debate_type": 1}', "bad.json")
    put(tmp_path / "in", b"{", "broken.JSON")
    result = imported(tmp_path, published())
    assert (result.debates, [name for name, _ in result.refused]) == (
        {"self": 1},
        ["broken.JSON", "deep/bad.json"],
    )
    assert summary_lines(result)[-2:] == [f"refused {name}: {why}" for name, why in result.refused]
    assert rows(tmp_path, "select count(*) from plays") == [(1,)]


def test_files_that_are_no_debates_are_passed_over_and_named(tmp_path):
    side = {
        "topics.json": [{"topic_description": "x"}],
        "models.json": {"lab/a": ["1.1", 4.4]},
        "pairs.json": [{"proposition": "lab/a", "opposition": "lab/b", "topic": "x"}],
        "labels.json": [{"debate_id": "x", "raw_bet_amount": 70, "analysis": {}}],
        "bet_analysis_results_public_bets.json": [],
        "costs.json": {"total_cost": 12.5, "by_model": {"lab/a": {"tokens": 7}}},
        "package.json": {"name": "package"},
        "seven.json": 7,
        "README.md": b"# not JSON",
    }
    for name, content in side.items():
        put(tmp_path / "in", content, name)
    put(tmp_path / "in" / ".git", b"{", "x.json")
    result = imported(tmp_path, published())
    assert (sorted(result.passed_over), result.refused) == (sorted(side), ())
    named = sorted(side.keys() - {"README.md"})
    assert (
        summary_lines(result)[1]
        == f"passed over 9 files with nothing to import: {', '.join(named)}"
    )


def test_a_debate_under_the_name_of_a_side_file_is_a_debate(tmp_path):
    result = import_llms_overconfidence(
        put(tmp_path / "in", published(), "topic_list.json"), tmp_path / "arena.duckdb"
    )
    assert (result.debates, result.passed_over) == ({"self": 1}, ())


def test_links_that_go_in_circles_are_walked_once_and_links_to_nowhere_refused(tmp_path):
    folder = put(tmp_path / "in" / "a", published())
    put(tmp_path / "in" / "b", published("public"))
    os.symlink(tmp_path / "in", folder / "up")
    os.symlink(tmp_path / "in" / "b", folder / "sideways")
    os.symlink(folder, tmp_path / "in" / "b" / "back")
    os.symlink(tmp_path / "gone", folder / "gone.json")
    result = import_llms_overconfidence(tmp_path / "in", tmp_path / "arena.duckdb")
    assert (result.debates, result.copies) == ({"public": 1, "self": 1}, ())
    assert result.refused == (("a/gone.json", "is not a file, or a link to nowhere"),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not a folder"),
        ([{"topic_description": "x"}], "there is no debate of llms-overconfidence below it"),
        (b"{", "a_vs_b_20250316_163517.json: is not JSON"),
    ],
)
def test_a_folder_that_gives_nothing_is_an_error_and_leaves_no_store(tmp_path, content, words):
    if content is not None:
        put(tmp_path / "in", content)
    with pytest.raises(StudyError, match=words):
        import_llms_overconfidence(tmp_path / "in", tmp_path / "arena.duckdb")
    assert not (tmp_path / "arena.duckdb").exists()


def test_the_summary_tells_what_came_in_and_what_is_doubtful(tmp_path):
    content = published("cross_model", votes=1)
    content["debator_bets"][0]["thoughts"] = "NA"
    put(tmp_path / "in", [{"topic_description": "x"}], "topic_list.json")
    assert summary_lines(imported(tmp_path, content)) == [
        "imported 1 debate (cross_model 1) and 1 verdict",
        "flagged, not altered: thoughts are NA 1, thoughts under 40 characters 1",
        "passed over 1 file with nothing to import: topic_list.json",
    ]
    assert summary_lines(imported(tmp_path, content))[:2] == [
        "nothing new",
        "1 debate had been imported before",
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, ImportResult]:
    """(store, result) of the publication, or of made-up files of its form, imported once."""
    place = tmp_path_factory.mktemp("whole")
    return place, import_llms_overconfidence(publication.folder(), place / "arena.duckdb")


@pytest.fixture(scope="module")
def debates() -> list[publication.PlainDebate]:
    """The same debates, straight from the files."""
    return publication.plain_debates()


@pytest.mark.slow
def test_the_published_debates_come_in_whole(whole, debates):
    place, result = whole
    counts = Counter(debate.study for debate in debates)
    votes = sum(len(debate.votes) for debate in debates)
    assert (result.debates, result.verdicts, result.refused) == (counts, votes, ())
    bets = Counter(
        debate.study for debate in debates for bet in debate.bets.values() if bet is not None
    )
    assert rows(
        place,
        (
            "select study, count(*), count(confidence) from turns join episodes using (episode)"
            " group by all order by all"
        ),
    ) == [(study, 6 * counts[study], bets[study]) for study in ("cross_model", "self")]
    assert (result.passed_over, result.sides) == (("topic_list.json",), ("debate_models.json",))
    if publication.is_real():
        assert (counts, votes) == ({"cross_model": 60, "self": 60}, 357)
        assert bets == {"cross_model": 360, "self": 360}


def test_the_published_means_by_phase_are_met(whole, debates):
    result = rows(whole[0], "select study, phase, 100 * mean from confidence_by_round order by all")
    for study, phase, found in result:
        bets = [
            bet
            for debate in debates
            for (_, at), bet in debate.bets.items()
            if (debate.study, at) == (study, phase) and bet is not None
        ]
        assert found == pytest.approx(mean(bets))
    if publication.is_real():
        means = {row[:2]: round(row[2], 2) for row in result}
        assert [means["cross_model", phase] for phase in THREE] == [72.92, 77.67, 83.26]
        assert [means["self", phase] for phase in THREE[::2]] == [64.08, 75.20]


def test_the_published_share_of_both_sides_sure_is_met(whole, debates):
    found = rows(
        whole[0],
        "select debates, above_75, at_least_75 from both_sides where study = 'cross_model' and"
        " phase = 'closing'",
    )
    bets = [[debate.bets[side, "closing"] for side in SIDES] for debate in debates]
    lower = [
        min(pair)
        for debate, pair in zip(debates, bets, strict=True)
        if debate.study == "cross_model" and None not in pair
    ]
    assert found == [(len(lower), sum(bet > 75 for bet in lower), sum(bet >= 75 for bet in lower))]
    assert not publication.is_real() or found == [(60, 37, 43)]


def test_the_published_jury_decides_as_counted_from_the_raw_files(whole, debates):
    judged = [debate for debate in debates if debate.votes]
    words = {1.0: "proposition", 0.0: "opposition", 0.5: "tie", None: None}
    for rule, winner, counts in (
        ("confidence_sum", publication.PlainDebate.by_confidence_sum, (38, 21, 1)),
        ("majority", publication.PlainDebate.result, (36, 17, 7)),
    ):
        result = dict(rows(whole[0], f"select {rule}, count(*) from outcomes group by all"))
        assert result == Counter(words[winner(debate, "proposition")] for debate in judged)
        if publication.is_real():
            assert (result["opposition"], result["proposition"], result["tie"]) == counts


def test_the_anomalies_of_the_published_files_are_flagged(whole, debates):
    """Flags by study, each (cross_model, self) as published: the made-up files have them all."""
    flagged = rows(
        whole[0],
        (
            "select f, study, count(*) from (select study, unnest(flags) as f from turns join"
            " episodes using (episode)) group by all"
        ),
    )
    result = {(flag, study): count for flag, study, count in flagged}
    assert result == Counter(
        (flag, debate.study)
        for debate in debates
        for flags in debate.flags.values()
        for flag in flags
    )
    table = {
        "zero": (0, 1),
        "thoughts under 40 characters": (5, 2),
        "empty speech": (1, 5),
        "speech under 5 words": (2, 8),
        "private tag in speech": (5, 10),
        "rating tag in speech": (4, 5),
        "rating in speech": (2, 3),
    }
    assert set(table) <= {flag for flag, _ in result}
    untagged = [
        vote for debate in debates for vote in debate.votes if "<winnerName>" not in vote.logic
    ]
    doubtful = "select count(*) from verdicts where status like 'doubtful: no winner tag%'"
    assert rows(whole[0], doubtful) == [(len(untagged),)]
    assert untagged
    if publication.is_real():
        assert len(untagged) == 5
        for flag, counts in table.items():
            assert (
                tuple(result.get((flag, study), 0) for study in ("cross_model", "self")) == counts
            )
