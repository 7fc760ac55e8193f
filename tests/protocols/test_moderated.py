"""Two sides before a moderator: when it ends, who decides, and who sees what."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agents.scripted import scripted_model
from arena.errors import StudyError
from arena.play.memory import MemoryJournal, play_in_memory
from arena.play.sync import run_blocking
from arena.studies.study import Arm, Study, plays
from arena.types import Agent, Request
from protocols import laws
from protocols.moderated import PRESETS, moderated, options_for_calls
from protocols.parsing.moderation import moderation
from tests.in_memory import final_of, others_of
from tests.question_agents import QUESTION, box

SEATS = ("affirmative", "negative", "moderator")


def play(script: Callable[[Request], str], **options: object) -> MemoryJournal:
    """Play a debate with one script in all seats."""
    agent = Agent("s", scripted_model(script))
    arm = Arm("a", moderated, [dict.fromkeys(SEATS, agent)], options)
    journal = MemoryJournal()
    run_blocking(lambda: play_in_memory(plays(Study("s", [arm], [QUESTION]))[0], journal))
    assert [row["error"] for row in journal.rows("statuses") if row["status"] != "done"] == []
    return journal


def talk(moderator: list[str], judge: str = box(4)) -> Callable[[Request], str]:
    """Sides that say 5 and 4, a moderator with these replies by round, and a judge."""

    def script(request: Request) -> str:
        place = request.place
        if place.phase in ("answer", "reply"):
            answer = 5 if place.seat == "affirmative" else 4
            return f"Words of {place.seat} in round {place.round}. \\boxed{{{answer}}}"
        if place.phase == "moderation":
            return moderator[min(place.round, len(moderator) - 1)]
        return "The candidates are 4 and 5." if place.phase == "candidates" else judge

    return script


YES, NO = f"It is clear.\nPreference: yes\n{box(4)}", "Preference: no"


@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize(("preset", "last"), [("mad", 2), ("multi_persona", 1)])
def test_an_undecided_debate_makes_the_calls_of_the_formula(
    preset: str, last: int, rounds: int
) -> None:
    rows = play(talk([NO]), **PRESETS[preset] | {"rounds": rounds})
    assert len(rows.rows("call_ends")) == 3 * rounds + last
    assert final_of(rows)[:2] == ("4", True)
    assert others_of(rows) == [
        (seat, round, answer, answer == "4")
        for round in range(rounds)
        for seat, answer in (("affirmative", "5"), ("negative", "4"))
    ]


@pytest.mark.parametrize(("replies", "calls"), [([YES], 3), ([NO, YES], 6), ([NO, NO, YES], 9)])
def test_a_moderator_who_prefers_an_answer_ends_the_debate(replies: list[str], calls: int) -> None:
    rows = play(talk(replies, judge=box(5)))
    assert (len(rows.rows("call_ends")), final_of(rows)[0]) == (calls, "4")


def test_without_a_break_the_moderator_is_not_asked() -> None:
    rows = play(talk([YES], judge=box(5)), may_end=False)
    assert (len(rows.rows("call_ends")), final_of(rows)[0]) == (2 * 3 + 2, "5")


@pytest.mark.parametrize(
    ("words", "answer", "flags"),
    [
        (YES, "4", ()),
        (f"Preference: no\nIt may be {box(4)}", None, ("undecided",)),
        (f"Preference: none\n{box(4)}", None, ("undecided",)),
        ("Preference: yes", None, ("no box",)),
        (box(4), None, ("no preference line",)),
        (f"Preference: yes or no\n{box(4)}", None, ("no preference line",)),
        (f"**Preference:** Yes.\n{box(4)}", "4", ()),
        (f"<think>Preference: yes {box(4)}</think>Hm.", None, ("no preference line",)),
        ("…", None, ("no preference line",)),
        (f"It wrote:\n> Preference: yes\n{box(9)}\nSo?", None, ("no preference line",)),
    ],
)
def test_preference_and_answer_are_read_apart(
    words: str, answer: str | None, flags: tuple[str, ...]
) -> None:
    reading = moderation(words)
    assert (reading.answer, reading.flags) == (answer, flags)
    assert (reading.reask is None) == (answer is not None or "undecided" in flags)


def test_a_moderator_that_names_an_answer_without_preferring_it_ends_nothing() -> None:
    rows = play(talk([f"Preference: no\n{box(9)}"]), rounds=2)
    assert (len(rows.rows("call_ends")), final_of(rows)[0]) == (8, "4")


def seen_by(rows: MemoryJournal, seat: str, step: int) -> list[tuple[str, int]]:
    """The (seat, step) of the turns that a seat was shown in a step."""
    [turn] = [row for row in rows.rows("turns") if (row["seat"], row["step"]) == (seat, step)]
    return [(part["seat"], part["step"]) for part in turn["prompt"] if part.get("seat")]


def test_sides_see_the_last_speeches_or_all() -> None:
    rows = play(talk([NO]))
    assert seen_by(rows, "affirmative", 0) == []
    assert seen_by(rows, "negative", 0) == [("affirmative", 0)]
    assert seen_by(rows, "affirmative", 2) == [("affirmative", 1), ("negative", 1)]
    assert seen_by(rows, "negative", 2) == [("negative", 1), ("affirmative", 2)]
    assert seen_by(rows, "moderator", 1) == [("affirmative", 1), ("negative", 1)]
    assert seen_by(rows, "moderator", 4) == [
        ("affirmative", 2),
        ("negative", 2),
        ("moderator", 3),
    ]
    rows = play(talk([NO]), final_reads="first")
    assert seen_by(rows, "moderator", 3) == [("affirmative", 0), ("negative", 0)]
    rows = play(talk([NO]), **PRESETS["multi_persona"])
    assert len(seen_by(rows, "negative", 2)) == 5
    assert len(seen_by(rows, "moderator", 3)) == 6
    # Its own earlier words are not shown to the moderator.
    assert "moderator" not in {seat for seat, _ in seen_by(rows, "moderator", 3)}


def test_the_level_of_opposition_stands_in_the_opponents_prompts_alone() -> None:
    prompts: dict[tuple[str, int], str] = {}

    def script(request: Request) -> str:
        prompts[request.place.seat, request.place.step] = request.messages[0].content
        return talk([NO])(request)

    play(script, opposition=3)
    told = {key for key, words in prompts.items() if "oppose it at 3" in words}
    assert told == {("negative", step) for step in range(3)}


@pytest.mark.parametrize("silent", [*SEATS, "candidates", "judgement"])
def test_an_unreadable_reply_is_missing_wherever_it_is(silent: str) -> None:
    def script(request: Request) -> str:
        place = request.place
        return "…" if silent in (place.seat, place.phase) else talk([NO])(request)

    rows = play(script, reask=False, rounds=2)
    assert len(rows.rows("call_ends")) == 8
    assert (final_of(rows)[0] is None) == (silent in ("moderator", "judgement"))
    for seat, _, answer, _ in others_of(rows):
        assert (answer is None) == (seat == silent)


def test_a_budget_plans_for_the_longest_debate() -> None:
    assert options_for_calls(11) == {"rounds": 3}
    assert options_for_calls(10, "multi_persona")["rounds"] == 3
    with pytest.raises(StudyError, match="too few"):
        options_for_calls(4)


def shy(request: Request) -> str:
    """An answer and a preference that depend on the seed, and a private thought."""
    prefers = "yes" if request.seed % 3 == 0 else "no"
    return (
        f"<think>secret of {request.place.seat} {request.seed}</think>I say so {request.seed}.\n"
        f"Preference: {prefers}\n\\boxed{{{request.seed % 3}}}"
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_moderated_debates_obey_the_laws(preset: str) -> None:
    agent = Agent("s", scripted_model(shy))
    options = PRESETS[preset] | {"rounds": 2}
    laws.check(moderated, dict.fromkeys(SEATS, agent), QUESTION, options=options)
