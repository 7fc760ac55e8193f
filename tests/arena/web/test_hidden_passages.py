"""Prompts with a passage and with checked quotes are rebuilt, in plays, judgings and asides."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agents import agent
from agents.simulated.passages import simulated_passages
from arena import Arena, Arm, Study, run_stages
from arena.cli.main import main
from arena.store.database import open_live
from arena.web.pages import PAGES
from arena.web.pages.call import find_step, request_or_reason
from arena.web.site import Ask, Site
from arena.web.words import render
from protocols.aside import aside
from protocols.oversight import judged_debate
from protocols.oversight_judges import panel

call = dict((kind, make) for kind, _, make in PAGES)["call"]
question_page = dict((kind, make) for kind, _, make in PAGES)["question"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a debate, a judging of it, and a question aside to those who have the text."""
    path = tmp_path_factory.mktemp("passages") / "p.duckdb"
    advocate, judge = agent("sim/advocate"), agent("sim/evidence_judge")
    seats = {"debater": advocate, "opponent": advocate, "judge": judge}
    options = {"rounds": 2, "judging": "asks", "beliefs": True}
    study = Study("debates", [Arm("d", judged_debate, [seats], options)], simulated_passages(1))
    asked = aside(study, ask="winning", seats="debater", agents=[advocate])
    run_stages(Arena(path), [study, panel("panel", study, [judge]), asked])
    return path


def test_every_prompt_is_rebuilt_to_the_request_that_was_sent(played: Path) -> None:
    with open_live(played, ("calls",)) as con:
        ask = Ask(con)
        rows = ask("from turns order by episode, seat, step")
        assert {row["phase"] for row in rows} >= {"speech", "question", "verdict"}
        assert any(row["phase"].startswith("aside") for row in rows)
        for row in rows:
            place = row["episode"], row["seat"], row["step"]
            turn, play, attempts = find_step(ask, *place)
            seat = ask("from seats where episode = ? and seat = ?", place[:2])[0]
            assert turn is not None
            rebuilt, reason = request_or_reason(ask, turn, seat, attempts, play)
            assert rebuilt is not None, (place, reason)
            assert rebuilt.same_hash, place


def test_pages_show_the_passage_and_the_marks_of_quotes(played: Path) -> None:
    (subject,) = simulated_passages(1)
    arena = Arena(played)
    ((episode,),) = arena.sql("select episode from episodes where study = 'debates'").rows
    site = Site(played, private=False)
    shown = render(site, call(site, episode, {"seat": "opponent", "step": "1"}))
    assert subject.passage in shown
    assert "public face, its quotes checked" in shown
    assert "verified&gt;" in shown
    # The private thoughts of the side are on no public page.
    assert "Simulated thoughts" not in shown
    page = render(site, question_page(site, episode, {}))
    assert subject.passage in page


def test_nobody_is_shown_the_passage_in_an_aside_who_has_not_read_it(played: Path) -> None:
    arena = Arena(played)
    rows = arena.sql(
        "select e.study, seat, bool_or(face = 'passage') as reads from saw"
        " join episodes e using (episode) group by all order by all"
    ).rows
    assert {(study, seat) for study, seat, reads in rows if reads} == {
        ("debates", "debater"),
        ("debates", "opponent"),
        *((study, "speaker") for study, seat, _ in rows if seat == "speaker"),
    }


def test_the_view_of_a_prompt_has_the_passage_and_the_words_that_were_said(played: Path) -> None:
    (subject,) = simulated_passages(1)
    arena = Arena(played)
    shown = "select face, words, author from prompt_of((select min(episode) from plays where"
    rows = arena.sql(f"{shown} study = 'debates'), 'opponent', 1) where face is not null").rows
    assert rows[0] == ("passage", subject.passage, None)
    checked = [words for face, words, _ in rows if face == "checked"]
    assert checked
    assert all("<quote>" in words for words in checked)


def test_public_exports_hold_of_a_passage_the_quotes_of_debaters_alone(
    played: Path, tmp_path: Path
) -> None:
    (subject,) = simulated_passages(1)
    folder = tmp_path / "out"
    assert main(["export", str(folder), "--format", "json", "--db", str(played)]) == 0
    texts = "\n".join(
        message["content"] or ""
        for file in folder.glob("*/*.json")
        for message in json.loads(file.read_text())["messages"]
    )
    assert "<quote>" in texts
    unquoted = re.sub(r"<quote>.*?</quote>", "", texts, flags=re.DOTALL)
    pieces = [subject.passage[at : at + 40] for at in range(0, len(subject.passage) - 40, 10)]
    assert any(piece in texts for piece in pieces)
    assert not [piece for piece in pieces if piece in unquoted]
    assert not [file for file in folder.rglob("*.json") if subject.passage in file.read_text()]
