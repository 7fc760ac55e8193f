"""A judge reads a stored debate: what it sees and does not see, what is stored of it, and that
nothing is counted twice or lost.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest

from agents import agent
from agents.scripted import scripted_model
from arena import Agent, Arena, Arm, Study, Subject, against_itself, round_robin
from arena.errors import RefusedError, StoreError, StudyError
from arena.play.memory import MemoryJournal
from arena.play.run import RunSelection
from arena.play.summary import Summary
from arena.tournaments.stages import Stage
from arena.tournaments.stored_debates import stored_debates
from arena.types import Request
from protocols import laws
from protocols.debate import PRESETS, debate
from protocols.judging import WORDINGS, judging, jury

VERDICT = "<reasons>Said better.</reasons><winner>opposition</winner><rating>80</rating>"
COUNTS = (
    "select count(*), count(distinct (judge, debate, seat_order, repeat)), count(winner) from"
    " verdicts"
)


def debater(name: str) -> Agent:
    """An agent that says words of its own, and thinks some."""

    def speech(request: Request) -> str:
        """Words by place."""
        where = f"{name}-{request.place.phase}-{request.place.seat}"
        return (
            f"<thoughts>thought {where}</thoughts><speech>speech"
            f" {where}</speech><rating>91%</rating>"
        )

    return Agent(f"agent named {name}", scripted_model(speech, name=f"model-{name}"))


def judge(name: str, reply: Callable[[Request], str] | str = VERDICT) -> Agent:
    """An agent that judges by a function or always alike."""
    return Agent(
        name, scripted_model(reply if callable(reply) else lambda request: reply, name=name)
    )


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    """A store with two debates of two agents, mirrored."""
    arena = Arena(tmp_path / "arena.duckdb")
    played = Study(
        "played",
        [Arm("only", debate, round_robin([debater("a"), debater("b")]))],
        [Subject("This house would judge.")],
    )
    assert arena.run(played).done == 2
    return arena


def run(arena: Arena, stage: Stage, *, retry_failed: bool = False) -> Summary:
    """Play a stage."""
    return arena.run(stage.write(arena.path), selection=RunSelection(retry_failed=retry_failed))


@pytest.mark.slow
def test_judges_orders_and_repeats_give_that_many_verdicts(arena: Arena) -> None:
    stage = jury("jury", "played", [judge("one"), judge("two"), judge("three")], repeats=2)
    assert stage.count_episodes(arena.path) == 3 * 2 * 2 * 2
    run(arena, stage)
    assert arena.sql(COUNTS).rows == ((24, 24, 24),)
    kept = arena.sql(
        "select distinct judge, seat_order, repeat, winner, confidence, reasons, status from"
        " verdicts order by all"
    ).rows
    assert len(kept) == 12
    assert kept[0] == ("one", "as played", 0, "opposition", 0.8, "Said better.", "read")


def test_a_judge_order_or_repeat_is_added_later_without_judging_again(arena: Arena) -> None:
    run(arena, jury("jury", "played", [judge("one")], orders=["as played"]))
    more = arena.run(
        jury("jury", "played", [judge("one"), judge("two")], repeats=2).write(arena.path)
    )
    assert (more.done, more.replies, more.others) == (16, 14, 0)
    assert arena.sql(COUNTS).rows == ((16, 16, 16),)


@pytest.mark.slow
def test_debates_are_not_played_again_and_new_ones_are_judged(arena: Arena) -> None:
    before = arena.sql("select * from turns where phase <> 'verdict' order by all").rows
    run(arena, jury("jury", "played", [judge("one")]))
    assert arena.sql("select * from turns where phase <> 'verdict' order by all").rows == before
    arena.run(
        Study(
            "played",
            [Arm("only", debate, round_robin([debater("a"), debater("c")]))],
            [Subject("This house would judge.")],
        )
    )
    assert arena.run(jury("jury", "played", [judge("one")]).write(arena.path)).replies == 4


def test_a_judge_sees_public_words_in_its_order_and_no_names_or_ratings(arena: Arena) -> None:
    asked: list[Request] = []

    def note(request: Request) -> str:
        """Note the request."""
        asked.append(request)
        return VERDICT

    run(arena, jury("jury", "played", [judge("one", note)]))
    assert len(asked) == 4
    for request in asked:
        words = "\n".join(message.content for message in request.messages)
        assert "This house would judge." in words
        for hidden in ("thought", "91", "agent named", "scripted"):
            assert hidden not in words
        places = [words.index(f"-{phase}-") for phase in ("opening", "rebuttal", "closing")]
        assert places == sorted(places)
    prompts = [request.messages[0].content for request in asked]
    assert sorted(
        words.index("opening-proposition") < words.index("opening-opposition") for words in prompts
    ) == [False, False, True, True]
    faces = arena.sql(
        "select distinct s.face, s.seen_seat, t.seat from saw s join turns t using (episode, seat,"
        " step) where t.phase = 'verdict'"
    )
    assert set(faces.rows) == {
        ("public", "proposition", "judge"),
        ("public", "opposition", "judge"),
    }
    assert arena.sql("select count(*) from who_saw_what where study = 'jury'").rows == ((4 * 6,),)


def test_ratings_that_were_public_in_the_debate_stay_hidden_from_judges(tmp_path: Path) -> None:
    arena, asked = Arena(tmp_path / "a.duckdb"), []
    arena.run(
        Study(
            "open",
            [Arm("public", debate, against_itself([debater("a")]), PRESETS["public"])],
            [Subject("This house would show.")],
        )
    )
    run(
        arena,
        jury(
            "jury",
            "open",
            [judge("one", lambda request: asked.append(request.messages[0].content) or VERDICT)],
        ),
    )
    assert asked
    assert not any("91" in words for words in asked)


@pytest.mark.slow
def test_a_heading_cannot_be_faked_by_a_speech(arena: Arena) -> None:
    """The code is the beginning of the debate's id, which nobody was told who spoke in it."""
    asked: dict[str, str] = {}

    def note(request: Request) -> str:
        """Keep the code of each judging."""
        asked[request.place.episode] = request.messages[0].content.partition("carry the code ")[2][
            :8
        ]
        return VERDICT

    run(arena, jury("jury", "played", [judge("one", note)]))
    assert len(asked) == 4
    debates = {id for (id,) in arena.sql("select episode from debates")}
    assert set(asked.values()) == {id[:8] for id in debates}
    prompts = arena.sql(
        "select words from turns said, prompt_of(said.episode, said.seat, said.step)"
        " where said.phase <> 'verdict'"
    ).rows
    assert len(prompts) > 50
    assert not any(code in (words or "") for code in asked.values() for (words,) in prompts)
    assert not any(
        code in said
        for code in asked.values()
        for (said,) in arena.sql("select public from turns where phase = 'opening'")
    )


@pytest.mark.slow
def test_an_unreadable_verdict_is_asked_for_once_more_and_then_missing(arena: Arena) -> None:
    run(
        arena,
        jury(
            "jury",
            "played",
            [
                judge("mute", "The opposition, I think."),
                judge("unsure", VERDICT.replace("80", "quite")),
            ],
        ),
    )
    rows = arena.sql(
        "select judge, winner, confidence, status, count(*) from verdicts group by all order by all"
    ).rows
    assert rows == (
        ("mute", None, None, "no winner tag", 4),
        ("unsure", "opposition", None, "confidence: no number", 4),
    )
    assert arena.sql("select distinct asks from turns where phase = 'verdict'").rows == ((2,),)
    assert arena.sql(
        "select arm, reason, n from missing where study = 'jury' and what = 'winner'"
    ).rows == (("as played", "no winner tag", 2), ("swapped", "no winner tag", 2))


@pytest.mark.slow
def test_an_abstention_counts_only_where_it_is_allowed(arena: Arena) -> None:
    abstains = judge("shy", "<reasons>Even.</reasons><winner>abstain</winner>")
    run(arena, jury("strict", "played", [abstains]))
    run(arena, jury("lenient", "played", [abstains], may_abstain=True))
    rows = arena.sql(
        "select e.study, winner, v.status from verdicts v join episodes e using (episode) group by"
        " all order by all"
    ).rows
    assert rows == (("lenient", "abstain", "read"), ("strict", None, "abstained"))


@pytest.mark.slow
def test_a_judging_that_fails_has_a_row_until_it_is_repaired(arena: Arena) -> None:
    broken = [True]

    def fails(request: Request) -> str:
        """Refuse while it is broken."""
        if broken[0]:
            raise RefusedError("no", http_status=400)
        return VERDICT

    stage = jury("jury", "played", [judge("good"), judge("bad", fails)])
    run(arena, stage)
    assert arena.sql(COUNTS).rows == ((8, 8, 4),)
    failed = arena.sql(
        "select judge, seat_order, repeat, winner, status from verdicts where judge = 'bad' group"
        " by all order by all"
    ).rows
    assert failed == (
        ("bad", "as played", 0, None, "failed: Refused"),
        ("bad", "swapped", 0, None, "failed: Refused"),
    )
    # A vote is what a judge says over both orders of a debate.
    assert arena.sql("select sum(missing), sum(votes_opposition) from outcomes").rows == ((2, 2),)
    broken[0] = False
    run(arena, stage, retry_failed=True)
    assert arena.sql(COUNTS).rows == ((8, 8, 8),)


@pytest.mark.slow
def test_a_stopped_jury_continues_without_a_second_verdict(arena: Arena) -> None:
    calls = []

    def until_cut(request: Request) -> str:
        """Stop the run at the fourth call."""
        calls.append(request)
        if len(calls) == 4:
            raise StoreError("power cut")
        return VERDICT

    stage = jury("jury", "played", [judge("one", until_cut), judge("two")], repeats=2)
    slow = Arena(arena.path, concurrency=1)
    with pytest.raises(StoreError, match="power cut"):
        run(slow, stage)
    stored = arena.sql("select count(*) from verdicts").rows[0][0]
    assert 0 < stored < 16
    summary = arena.run(stage.write(arena.path))
    assert summary.replies == 16 - stored
    assert arena.sql(COUNTS).rows == ((16, 16, 16),)


@pytest.mark.slow
def test_speeches_that_could_not_be_read_stand_as_such(tmp_path: Path) -> None:
    arena, asked = Arena(tmp_path / "a.duckdb"), []
    mute = Agent("mute", scripted_model(lambda request: "no tags at all", name="mute"))
    arena.run(
        Study(
            "mute",
            [Arm("only", debate, against_itself([mute]))],
            [Subject("This house would be silent.")],
        )
    )
    run(
        arena,
        jury(
            "jury",
            "mute",
            [judge("one", lambda request: asked.append(request.messages[0].content) or VERDICT)],
        ),
    )
    assert all(words.count("[no readable speech]") == 6 for words in asked)
    assert not any("no tags at all" in words for words in asked)


@pytest.mark.slow
def test_what_cannot_be_judged_is_said_in_a_sentence(arena: Arena) -> None:
    with pytest.raises(StudyError, match=r"no finished debate of a study 'other'.*played \(2\)"):
        jury("jury", "other", [judge("one")]).write(arena.path)
    with pytest.raises(StudyError, match="there is no judge"):
        jury("jury", "played", [])
    with pytest.raises(StudyError, match="judges under the name 'one'"):
        jury("jury", "played", [judge("one"), judge("one")])
    arena.run(
        Study(
            "long",
            [Arm("rounds", debate, against_itself([debater("a")]), PRESETS["multi_round"])],
            [Subject("This house would talk.")],
        )
    )
    with pytest.raises(StudyError, match="would read the answer first"):
        jury("jury", "long", [judge("one")]).write(arena.path)
    assert run(arena, jury("long jury", "long", [judge("one")], orders=["as played"])).done == 1


@pytest.mark.slow
def test_a_debate_as_a_subject_is_its_public_words(arena: Arena) -> None:
    one, other = stored_debates(arena.path, "played")
    assert one.debate != other.debate
    assert one.text != other.text
    assert [turn.seat for turn in one.turns] == ["proposition", "opposition"] * 3
    assert all(
        turn.text == "" and turn.thoughts is None and turn.confidence is None for turn in one.turns
    )
    run(arena, jury("jury", "played", [judge("one")]))
    subjects = arena.sql(
        "select kind, source, text from subjects where kind = 'debate' order by source"
    ).rows
    assert [row[1] for row in subjects] == sorted(turn.debate for turn in (one, other))
    assert not any("speech a-opening" in row[2] for row in subjects)


def test_judging_obeys_the_laws(arena: Arena) -> None:
    subject = stored_debates(arena.path, "played")[0]
    options = {"order": "swapped", "wording": "third"}
    laws.check(judging, {"judge": agent("sim/judge")}, subject, options=options)


def test_no_text_of_a_judges_wording_changes() -> None:
    """If this fails: put the text back, and let what you wanted to say be a further wording."""
    texts = {
        name: hashlib.sha256(repr(astuple(words)).encode()).hexdigest()[:12]
        for name, words in WORDINGS.items()
    }
    assert texts == {
        "first": "93f443657b23",
        "second": "a6c49369d298",
        "third": "ba7db374c217",
    }


def test_every_wording_tells_a_judge_the_same(arena: Arena) -> None:
    """Simulated judges read the transcript by its code, and what follows it, in all of them."""
    subject = stored_debates(arena.path, "played")[0]
    verdicts = set()
    for wording in WORDINGS:
        journal = MemoryJournal()
        case = laws.Case(
            judging,
            {"judge": agent("sim/judge:first=20")},
            subject,
            {"wording": wording, "may_abstain": True, "order": "swapped"},
        )
        requests, _ = case.play("wording", laws.answer_at_once, journal)
        told = requests[0].messages[-1].content
        assert all(turn.public in told for turn in subject.turns if turn.public)
        assert subject.motion in told
        assert "abstain" in told
        verdicts |= {row["winner"] for row in journal.rows("rulings")}
    # It finds the first heading, which is not the side that it would take without one.
    assert verdicts == {"opposition"}


@pytest.mark.slow
def test_a_hundred_judgings_take_one_call_in_a_row(arena: Arena) -> None:
    """All judges, orders and repeats are asked at once: nobody answers before the last is asked."""
    everybody = asyncio.Barrier(100)

    async def wait_for_all(request: Request) -> str:
        async with asyncio.timeout(60):
            await everybody.wait()
        return VERDICT

    stage = jury(
        "jury",
        "played",
        [Agent(f"judge {n}", scripted_model(wait_for_all, name=f"{n}")) for n in range(5)],
        repeats=5,
    )
    summary = Arena(arena.path, concurrency=400).run(stage.write(arena.path))
    assert (summary.done, summary.calls) == (100, 100)
