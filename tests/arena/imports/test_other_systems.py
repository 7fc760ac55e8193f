"""Records of other systems come in as what they are, and planted truths come out of reports."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from analysis.reports.debates import study_reports
from arena.cli.main import main
from arena.errors import StudyError
from arena.imports.formats import import_format
from arena.imports.plays import PlaysImport
from arena.play.run import Arena
from tests.arena.imports import made_up_records as made_up
from tests.fake_agents import agent, study

HOSTILE = "</script><b>\u202e'; drop table turns; --\x00 \ud800 =1+1"


def put(folder: Path, content: object, name: str = "play.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    return list(Arena(path).sql(sql).rows)


def take(kind: str, place: Path, path: Path, **more: Any) -> PlaysImport:
    return import_format(kind, place, path, **more)


def test_lechmazurs_order_of_strengths_and_own_minus_panel_margins_come_out(tmp_path: Path) -> None:
    path = tmp_path / "arena.duckdb"
    result = take("lechmazur", made_up.lechmazur(tmp_path / "in"), path)
    assert (result.plays, result.verdicts, result.refused) == ({"lechmazur debate": 6}, 42, ())
    board = rows(path, "select contestant from leaderboard order by win_rate desc")
    assert board == [("model-a",), ("model-b",), ("model-c",)]
    margins = rows(path, "select model, own_minus_panel from own_minus_panel")
    assert dict(margins) == pytest.approx(made_up.OWN_MINUS_PANEL)
    agreement = "select share from judge_agreement where judge = 'judge-0' and other = 'judge-2'"
    assert rows(path, agreement) == [(1.0,)]
    speech = rows(path, "select public, round, phase from turns order by round, seat desc limit 1")
    assert speech == [("[P1.1] PRO speaks.\n- a list that is no head: it stays", 0, "opening")]
    assert rows(path, "select distinct origin, simulated from studies") == [
        ("imported from lechmazur/debate", False)
    ]


@pytest.mark.slow
def test_reports_ranks_and_pages_are_made_of_every_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "arena.duckdb"
    take("lechmazur", made_up.lechmazur(tmp_path / "one"), path)
    take("llm-debate", made_up.llm_debate(tmp_path / "two"), path)
    for kind, content in (
        ("chatarena", made_up.chatarena()),
        ("mallm", made_up.mallm()),
        ("textarena", made_up.textarena()),
    ):
        take(kind, put(tmp_path / kind, content), path)
    assert len(study_reports(path)) == 6
    for words in (["report"], ["rank"], ["publish", str(tmp_path / "pages")]):
        capsys.readouterr()
        assert main([*words, "--db", str(path)]) == 0
        if words == ["rank"]:
            assert "of them missing, imported from llm_debate" in capsys.readouterr().out
    pages = [tmp_path / "pages" / "index.html"]
    for kind in ("debate", "question", "figure"):
        pages += (tmp_path / "pages" / kind).glob("*.html")
    assert {page.parent.name for page in pages} == {"pages", "debate", "question", "figure"}
    assert [page.name for page in pages if "imported from" not in page.read_text()] == []


def test_judgements_alone_and_packed_are_debates_without_turns(tmp_path: Path) -> None:
    folder = made_up.lechmazur(tmp_path / "in")
    table = folder / "judgments" / "judge_results__made_up.csv"
    lines = [json.dumps(row) for row in csv.DictReader(io.StringIO(table.read_text()))]
    packed = tmp_path / "judge_results__made_up.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(lines).encode()))
    result = take("lechmazur", packed, tmp_path / "arena.duckdb")
    assert (sum(result.plays.values()), result.verdicts) == (6, 18)
    assert rows(tmp_path / "arena.duckdb", "select count(*) from turns") == [(0,)]


def test_llm_debates_judges_are_right_as_often_as_the_table_says(tmp_path: Path) -> None:
    path = tmp_path / "arena.duckdb"
    result = take("llm-debate", made_up.llm_debate(tmp_path / "in"), path)
    assert result.refused == ()
    assert result.plays == {"Experiment 8a": 8, "debate_sim": 4}
    shares = "select arm, sum(correct) / sum(episodes) from accuracy where study = 'Experiment 8a'"
    assert rows(path, f"{shares} group by all order by all") == [
        ("judge of consultancy, quality_sim, incorrect consultant", 0.25),
        ("judge of debate, quality_sim", 0.75),
    ]
    board = "select contestant from leaderboard where study = 'debate_sim' order by win_rate desc"
    assert rows(path, board) == [("Ann",), ("Ben",)]
    # Swapped, the right answer is the second, and its side the opposition.
    sides = rows(
        path,
        "select distinct e.options->>'swap', t.seat from turns t join episodes e using (episode)"
        " where t.answer = 'right' order by all",
    )
    assert sides == [("false", "proposition"), ("true", "opposition")]
    winners = "select judge, winner, count(*) from rulings group by all order by all"
    assert ("judge-model", "proposition", 3) in rows(path, winners)
    assert rows(path, "select count(*) from turns where seat = 'judge' and phase = 'question'") == [
        (12,)
    ]


def test_what_not_all_could_see_is_no_public_word_of_chatarena(tmp_path: Path) -> None:
    path = tmp_path / "arena.duckdb"
    history = made_up.chatarena()
    take("chatarena", put(tmp_path / "in", history), path)
    said = rows(path, "select seat, public, thoughts, flags from turns order by round")
    assert said == [
        ("Moderator", "Welcome.", None, []),
        ("Ann", "Hello.", None, []),
        ("Ben", None, "Psst.", ["visible to Ben"]),
    ]
    table = tmp_path / "csv" / "history.csv"
    made_up.write_table(table, history)
    take("chatarena", table, tmp_path / "other.duckdb", study="as csv")
    assert rows(tmp_path / "other.duckdb", "select count(public) from turns") == [(2,)]


def test_mallms_answers_are_graded_and_its_baselines_refused(tmp_path: Path) -> None:
    path = tmp_path / "arena.duckdb"
    result = take("mallm", put(tmp_path / "in", made_up.mallm()), path)
    assert [item.reason for item in result.refused] == ["has no discussion (globalMemory)"]
    assert rows(path, "select study, arm, correct, answer from question_plays") == [
        ("made up", "memory", True, "B")
    ]
    assert rows(path, "select distinct model from seats") == [("some/model",)]
    assert rows(path, "select count(*) from paths where correct") == [(3,)]


def test_textarenas_debate_has_sides_topic_and_jury(tmp_path: Path) -> None:
    path = tmp_path / "arena.duckdb"
    take("textarena", put(tmp_path / "in", made_up.textarena()), path)
    assert rows(path, "select seat, public from turns order by round") == [
        ("opposition", "Yes."),
        ("proposition", "No."),
    ]
    assert rows(path, "select winner from verdicts") == [("proposition",)]
    assert rows(path, "select text from subjects") == [("Tea beats coffee.",)]


def test_our_own_json_comes_in_again(tmp_path: Path) -> None:
    played, again = tmp_path / "a.duckdb", tmp_path / "b.duckdb"
    Arena(played).run(study(agent(), subjects=2))
    assert main(["export", str(tmp_path / "files"), "--format", "json", "--db", str(played)]) == 0
    assert main(["import", "json", str(tmp_path / "files"), "--db", str(again)]) == 0
    turns = "select seat, round, phase, public from turns order by all"
    assert rows(again, turns) == rows(played, turns)
    assert rows(again, "select simulated from studies") == [(True,)]


def test_other_names_are_mapped(tmp_path: Path) -> None:
    play = {"talk": {"lines": [{"who": "Ann", "what": {"text": "Hi."}, "sure": 0.7}]}, "q": "Why?"}
    file = put(tmp_path / "in", [play])
    words = ["import", "json", str(file), "--db", str(tmp_path / "a.duckdb"), "--study", "mine"]
    maps = ["messages=talk.lines", "name=who", "content=what.text", "confidence=sure", "subject=q"]
    assert main([*words, *(word for each in maps for word in ("--map", each))]) == 0
    said = "select study, seat, public, confidence, text from turns t join episodes using (episode)"
    found = rows(tmp_path / "a.duckdb", said.replace("t join", "join"))
    assert found == [("mine", "Ann", "Hi.", 0.7, "Hi.")]
    assert rows(tmp_path / "a.duckdb", "select text from subjects") == [("Why?",)]


def test_a_second_import_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "arena.duckdb"
    file = put(tmp_path / "in", made_up.textarena())
    take("textarena", file, path)
    result = take("textarena", file, path)
    assert (result.plays, result.already_stored) == ({}, 1)


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "arena.duckdb"
    play = {
        "subject": HOSTILE,
        "study": HOSTILE,
        "messages": [{"name": HOSTILE, "content": HOSTILE}],
    }
    take("json", put(tmp_path / "in", play), path)
    ((seat, public, flags),) = rows(path, "select seat, public, flags from turns")
    assert "drop table turns" in seat
    assert public == HOSTILE.replace("\ud800", "\ufffd").replace(
        "\x00", public[public.find("--") + 2]
    )
    assert flags == ["characters that are no text replaced"]
    assert main(["report", "--db", str(path)]) == 0


BAD = [
    ("json", "{", "is not JSON"),
    ("json", "", "is empty"),
    ("json", "[" * 100_000, "is nested too deeply"),
    ("json", '{"messages": NaN}', "it has NaN"),
    ("json", {"messages": []}, "has no list of messages"),
    ("json", {"messages": [{"name": "a", "content": 3}]}, "message 1 has no text"),
    ("json", {"messages": [{"content": "x"}]}, "message 1 has no speaker"),
    ("json", [1, 2], "it holds no play of this format"),
    ("chatarena", {"messages": [{"content": "x"}]}, "message 1 has no speaker"),
    ("mallm", {"a": 1}, "is no output of MALLM"),
    ("textarena", {"logs": [[0]]}, "is no [player, message]"),
    ("textarena", {"logs": [[-1, "x"]]}, "has no message of a player"),
]


@pytest.mark.parametrize(("kind", "content", "reason"), BAD)
def test_a_bad_file_is_one_sentence_and_changes_nothing(
    tmp_path: Path, kind: str, content: object, reason: str
) -> None:
    file = put(tmp_path / "in", content)
    path = tmp_path / "arena.duckdb"
    with pytest.raises(StudyError) as raised:
        take(kind, file, path)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not path.exists()


@pytest.mark.parametrize(
    ("kind", "name", "content", "reason"),
    [
        ("llm-debate", "x.csv", "a,b\n1,2\n", "lacks the column 'question'"),
        ("llm-debate", "x.csv", "question,transcript\nq,no\n", "has no transcript in JSON"),
        ("llm-debate", "x.csv", "question,transcript\nq\n", "more or fewer cells"),
        ("lechmazur", "raw_judgments.csv", "participant_model,x\na,b\n", "lacks the column"),
        ("lechmazur", "d.md", "# Debate prop_1__a__b__s0__t\n\nNothing.\n", "has no proposition"),
        ("lechmazur", "d.md", "# Another page\n", "it holds no play of this format"),
    ],
)
def test_a_bad_table_or_page_is_one_sentence(
    tmp_path: Path, kind: str, name: str, content: str, reason: str
) -> None:
    with pytest.raises(StudyError, match=reason):
        take(kind, put(tmp_path / "in", content, name), tmp_path / "arena.duckdb")


def test_good_files_come_in_beside_refused_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "in", "{", "bad.json")
    put(tmp_path / "in", made_up.textarena(), "good.json")
    words = ["import", "textarena", str(tmp_path / "in"), "--db", str(tmp_path / "a.duckdb")]
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "imported 1 play (textarena 1)" in out
    assert "refused bad.json: is not JSON" in out


def test_a_study_that_was_played_here_takes_no_import(tmp_path: Path) -> None:
    path = tmp_path / "arena.duckdb"
    Arena(path).run(study(agent(), subjects=1))
    with pytest.raises(StudyError, match="that was played"):
        take("textarena", put(tmp_path / "in", made_up.textarena()), path, study="talks")
