"""A panel of three debaters with a moderator and an audience, as docs/writing_a_protocol.md has it,
played by simulated models: its numbers come out in SQL, report, rank and pages, and nothing that it
does not claim is reported as failed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from agents import agent
from agents.scripted import scripted_model
from analysis.reports.ballots import VoteStandings
from analysis.reports.debates import StudyReport
from analysis.reports.report import Report
from analysis.reports.seats import SeatFindings
from analysis.reports.sentences import sentences
from arena import (
    Agent,
    Answer,
    Arena,
    Arm,
    Episode,
    Reading,
    Reply,
    Seat,
    Study,
    Subject,
    Turn,
)
from arena.types import Request
from arena.web.pages.question import QuestionContent
from arena.web.pages.study import StudyContent, study
from arena.web.pages.transcript import transcript
from arena.web.site import Site
from protocols.parsing.tags import speech_and_confidence

# Whole stores are played and reported here, which takes seconds.
pytestmark = pytest.mark.slow

VERSION = "1"
FORM = "\nReply with <thoughts>, <speech> and <rating> (0 to 100, how sure you are) blocks."
DEBATERS = ("ann", "ben", "cem")
# What the audience says by motion; the fifth vote names two, and cannot be read.
SAID = {
    "Tea": ("Ben.", "Ben.", "Ben.", "Cem.", "Ann or Ben."),
    "Rail": ("Ann.", "Ann.", "Cem.", "Cem.", "Both ann and cem."),
}


def vote(reply: Reply) -> Reading:
    """Read the one debater that a ballot names."""
    named = [name for name in DEBATERS if name in reply.text.lower()]
    return Reading(reply.text, answer=named[0] if len(named) == 1 else None)


async def panel(
    episode: Episode, motion: Subject, ann: Seat, ben: Seat, cem: Seat, host: Seat, *audience: Seat
) -> list[Answer]:
    """Let three debaters speak twice and the moderator sum up; then the audience votes."""
    shown: list[str | Turn] = [motion.text]
    for number, phase in enumerate(("opening", "closing")):
        for seat in (ann, ben, cem):
            speech = [*shown, "\nWho is right?", FORM]
            turn = await episode.ask(
                seat, speech, phase=phase, round=number, read=speech_and_confidence
            )
            shown += [f"\n{seat.name}: ", turn]
    shown.append(await episode.ask(host, [*shown, "\nSum up."], phase="summary", round=2))
    ballot = [*shown, "\nWho was best: ann, ben or cem?"]
    asks = [episode.ask(seat, ballot, phase="vote", round=3, read=vote) for seat in audience]
    votes = await asyncio.gather(*asks)
    counts = Counter(turn.answer for turn in votes if turn.answer).most_common(2)
    tie = len(counts) == 2 and counts[0][1] == counts[1][1]
    winner = Answer(host.name, counts[0][0] if counts and not tie else None)
    return [winner, *(Answer(turn.seat, turn.answer, final=False) for turn in votes)]


def say(request: Request) -> str:
    """Vote as SAID has it, by the seat's number."""
    motion = next(key for key in SAID if request.messages[0].content.startswith(key))
    return SAID[motion][int(request.place.seat.removeprefix("audience")) - 1]


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    voter = Agent("voter", scripted_model(say, name="voter"))
    models = [agent(f"sim/{name}") for name in ("even", "confident", "modest")]
    lineups: list[dict[str, Agent | list[Agent]]] = [
        {
            **dict(zip(DEBATERS, models[k:] + models[:k], strict=True)),
            "host": agent("sim/even"),
            "audience": [voter] * 5,
        }
        for k in range(3)
    ]
    subjects = [Subject("Tea beats coffee."), Subject("Rail beats road.")]
    arena = Arena(tmp_path_factory.mktemp("panel") / "panel.duckdb")
    arena.run(Study("panel", [Arm("five", panel, lineups)], subjects))
    return arena


@pytest.fixture(scope="module")
def report(arena: Arena) -> Report[StudyReport]:
    return arena.report("panel")


@pytest.fixture(scope="module")
def found(report: Report[StudyReport]) -> StudyReport:
    [found] = report
    return found


@pytest.fixture(scope="module")
def seats(found: StudyReport) -> SeatFindings:
    assert found.seats is not None
    return found.seats


def test_ratings_of_three_debaters_are_in_the_report_as_they_are_in_the_turns(
    arena: Arena, seats: SeatFindings
) -> None:
    plain = arena.sql(
        "select seat, phase, avg(confidence), count(*) from turns"
        " where confidence is not null group by all order by any_value(round), seat"
    ).rows
    rows = [(row.seat, row.phase, row.rating.mean, row.rating.n) for row in seats.ratings]
    assert rows == [(*key, pytest.approx(mean), n) for *key, mean, n in plain]
    assert [row[:2] for row in rows] == [
        (seat, phase) for phase in ("opening", "closing") for seat in DEBATERS
    ]
    assert {row.source for row in seats.ratings} == {"stated"}


def test_rivals_are_whom_votes_name_and_can_be_right_at_a_third(
    arena: Arena, seats: SeatFindings
) -> None:
    opening, closing = seats.rivals
    assert (opening.seats, opening.phase, closing.phase) == (DEBATERS, "opening", "closing")
    assert opening.at_most == pytest.approx(1 / 3)
    above = arena.sql(
        "select count(*) filter (n >= 2), count(*) filter (n = 3) from (select count(*) filter"
        " (confidence > 0.5) as n from seat_ratings where phase = 'closing' group by episode)"
    ).rows
    assert [(closing.two_above_half, closing.all_above_half)] == list(above)


def test_a_contestant_rises_over_all_seats_that_it_held(arena: Arena, seats: SeatFindings) -> None:
    rows = {row.contestant: row for row in seats.contestants}
    plain = arena.sql(
        "select contestant, avg(c.confidence - o.confidence) from seat_ratings o join seat_ratings"
        " c using (episode, seat, contestant) where o.phase = 'opening' and c.phase = 'closing'"
        " group by all order by all"
    ).rows
    rises = {name: row.rise.mean for name, row in rows.items() if row.rise}
    assert rises == pytest.approx(dict(plain))
    assert {row.n for row in rows.values()} == {6}


def test_moderator_and_audience_have_rows_and_words_of_their_own(seats: SeatFindings) -> None:
    rows = {row.role: row for row in seats.words}
    assert list(rows) == [*DEBATERS, "host", "audience"]
    assert (rows["host"].turns, rows["host"].rated) == (6, False)
    assert (rows["audience"].seats, rows["audience"].turns) == (5, 30)
    # "Tea": four votes of one word and one of three; "Rail": one of four.
    assert rows["audience"].mean_words == pytest.approx((4 + 3 + 4 + 4) / 10)


def test_votes_are_counted_ties_are_no_failure_and_what_cannot_be_read_is_missing(
    arena: Arena, found: StudyReport, seats: SeatFindings
) -> None:
    assert seats.ballots is not None
    [poll] = seats.ballots.polls
    assert (poll.episodes, poll.voters, poll.votes, poll.ties) == (6, 30, 24, 3)
    assert (poll.unanimous, poll.overruled) == (0, 0)
    assert [(count.what, count.reason, count.n) for count in found.missing] == [
        ("vote", "no answer", 6)
    ]
    shares = {row.name: row.share.mean for row in seats.ballots.seats}
    assert shares == {
        seat: pytest.approx(n / 24) for seat, n in (("ann", 6), ("ben", 9), ("cem", 9))
    }
    counts = arena.sql("select votes, missing, tie, leader, result from ballot_counts").rows
    assert Counter(counts) == {(4, 1, False, "ben", "ben"): 3, (4, 1, True, None, None): 3}


def test_nothing_is_said_of_right_and_wrong(
    arena: Arena, report: Report[StudyReport], found: StudyReport
) -> None:
    assert (found.answers, found.debates) == (None, None)
    assert not arena.sql("from question_plays").rows
    text = "\n".join([str(report), *sentences(found)])
    assert "One of them can win, so that 33.3% can be right at most" in text
    assert "3 plays ended in a tie" in text
    assert "SIMULATED" in text
    assert "Right answers" not in text
    assert "gold" not in text


def test_contestants_are_ranked_by_the_votes_inside(arena: Arena) -> None:
    [standings] = arena.rank("panel")
    assert isinstance(standings, VoteStandings)
    won = arena.sql(
        "select contestant, sum(votes)::int from candidates group by all order by 2 desc, 1"
    ).rows
    assert [(row.name, row.votes) for row in standings.contestants] == list(won)
    assert [row.by_chance for row in standings.contestants] == [pytest.approx(1 / 3)] * 3
    strengths = [row.strength for row in standings.strengths]
    assert sum(strength.mean for strength in strengths) == pytest.approx(0, abs=1e-9)
    assert all(strength.ci_low < strength.mean < strength.ci_high for strength in strengths)


def test_a_turn_with_an_answer_is_a_vote_where_a_protocol_returns_nothing(tmp_path: Path) -> None:
    async def show(episode: Episode, motion: Subject, speaker: Seat, *audience: Seat) -> None:
        await episode.ask(speaker, motion.text, phase="speech")
        for seat in audience:
            await episode.ask(seat, motion.text, phase="vote", read=vote)

    said = {"speaker": "Words.", "audience1": "Ann", "audience2": "nobody", "audience3": "ANN!"}
    model = scripted_model(lambda request: said[request.place.seat])
    one = Agent("one", model)
    arena = Arena(tmp_path / "show.duckdb")
    arm = Arm("show", show, [{"speaker": one, "audience": [one] * 3}])
    arena.run(Study("show", [arm], [Subject("Tea.")]))
    assert arena.sql("select seat, option, reason from ballots order by seat").rows == (
        ("audience1", "ann", None),
        ("audience2", None, "no answer"),
        ("audience3", "ann", None),
    )
    [found] = arena.report()
    assert found.seats is not None
    assert found.seats.ballots is not None
    assert [(row.option, row.n) for row in found.seats.ballots.options] == [("ann", 2)]


def test_the_pages_show_the_same_numbers_and_call_votes_votes(
    arena: Arena, seats: SeatFindings
) -> None:
    site = Site(arena.path)
    page = study(site, "panel", {}).content
    assert isinstance(page, StudyContent)
    assert page.tables is not None
    shown = {(row["role"], row["phase"]): row["mean"] for row in page.tables.seats if row["n"]}
    assert shown == pytest.approx({(row.seat, row.phase): row.rating.mean for row in seats.ratings})
    assert seats.ballots is not None
    shares = [(row["contestant"], row["share"], row["by_chance"]) for row in page.tables.shares]
    assert shares == [
        (row.name, pytest.approx(row.share.mean), pytest.approx(row.by_chance))
        for row in seats.ballots.contestants
    ]
    play = transcript(site, page.rows[0]["episode"], {}).content
    assert isinstance(play, QuestionContent)
    assert play.only_votes
    assert play.transcript.lanes[:4] == (*DEBATERS, "host")
