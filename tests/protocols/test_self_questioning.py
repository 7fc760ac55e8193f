"""Questions and answers before a task, with a placebo and a text as controls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.backgrounds import simulated_judgements
from agents.simulated.reasoner_truth import expected_after_questions
from arena.types import Agent, Reply, Request, Subject
from protocols import laws
from protocols.self_questioning import read_code, read_questions, self_questioning
from tests.in_memory import final_of
from tests.played_accuracy import accuracy_of, answers_of
from tests.question_agents import QUESTION, box

PAIR = Subject("Are they alike?", "question", "A", ("alike", "not alike"), passage="They are.")
ASKED = "<question>What is\n it?</question><question>And why?</question>"


def script(request: Request) -> str:
    """Questions, background, and 1."""
    phase = request.place.phase
    return {"questions": ASKED, "background": "It is so."}.get(phase, box(1))


def watched(seen: list[Request]) -> Agent:
    """An agent by `script` whose requests are noted."""

    def note(request: Request) -> str:
        seen.append(request)
        return script(request)

    return Agent("s", scripted_model(note))


def play(options: dict[str, object], subject: Subject = PAIR) -> tuple[list[Request], object]:
    """The requests of one play, and its final answer."""
    seen: list[Request] = []
    agents = {"solver": watched(seen), "asker": watched(seen)}
    [journal] = answers_of(self_questioning, agents, [subject], options)
    return seen, final_of(journal)


def test_questions_are_answered_without_the_task_and_shown_before_it() -> None:
    seen, final = play({"polarity": "second"})
    asks, background, task = (request.messages[-1].content for request in seen)
    assert [request.place.seat for request in seen] == ["asker", "solver", "solver"]
    assert PAIR.text in asks
    assert PAIR.text not in background
    assert "1. What is it?\n2. And why?" in background
    assert "They are." not in background
    assert task.index("1. What is it?") < task.index("It is so.") < task.index("one digit")
    # 1 is the second option here, which is wrong.
    assert final == ("B", False, None)
    assert seen[-1].place.phase == "answer, 1 is B"


def test_controls_have_no_questions_and_a_passage_is_read_for_the_answers_alone() -> None:
    seen, final = play({"background": "placebo", "polarity": "first"})
    assert len(seen) == 1
    assert "chlorophyll" in seen[0].messages[-1].content
    assert final == ("A", True, None)
    seen, _ = play({"background": "none"})
    assert "chlorophyll" not in seen[0].messages[-1].content
    seen, _ = play({"background": "passage"})
    asks, background, task = (request.messages[-1].content for request in seen)
    assert "They are." in background
    assert "They are." not in asks + task


def test_the_code_is_drawn_for_each_episode() -> None:
    many = [replace(PAIR, text=f"Are {n} alike?") for n in range(12)]
    agents = {"solver": Agent("s", scripted_model(script)), "asker": agent("sim/reasoner")}
    played = answers_of(self_questioning, agents, many, {"background": "none"})
    assert {final_of(each)[0] for each in played} == {"A", "B"}


def test_other_questions_are_answered_in_their_usual_form() -> None:
    seen, final = play({"background": "none"}, QUESTION)
    assert "one digit" not in seen[0].messages[-1].content
    assert final == ("1", False, None)


def test_readers_miss_what_is_not_there() -> None:
    assert read_questions("No.", count=2).reask is not None
    assert read_questions(ASKED, count=1).public == "1. What is it?"
    code = {"1": "B", "0": "A"}
    assert read_code(box(0), code=code).answer == "A"
    assert read_code(box(7), code=code).flags == ("no digit",)
    cut = Reply("I think", finish_reason="length")
    assert read_code(cut, code=code, reask=False).flags == ("cut off",)


REASONER = "reasoner:ability=-0.5:insight=2:shared=0"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("knows", "uses", "asker"), [(0.7, 0.2, 0.9), (0.0, 0.2, 0.9), (0.7, 1.0, 0.9), (0.7, 0.2, 0.0)]
)
def test_own_questions_bring_out_what_is_known_and_not_used(
    knows: float, uses: float, asker: float
) -> None:
    """They help by unused knowledge alone; a text helps by what is missing too."""
    questions = simulated_judgements(150)
    profile, other = f"{REASONER}:knows={knows}:uses={uses}", f"reasoner:asks={asker}:seed=1"
    agents = {"solver": agent(f"sim/{profile}"), "asker": agent(f"sim/{other}")}
    planted, found = {}, {}
    for background in ("none", "placebo", "answers", "passage"):
        planted[background] = expected_after_questions(profile, questions, background, other)
        options = {"background": background}
        found[background] = accuracy_of(self_questioning, agents, questions, options)
        assert found[background] == pytest.approx(planted[background], abs=4 * 0.5 / 150**0.5)
    unused = knows * (1 - uses) * asker
    assert (planted["answers"] > planted["none"]) == (unused > 0)
    assert (planted["passage"] > planted["answers"] + 1e-9) == (knows < 1 and asker > 0)
    assert planted["placebo"] == planted["none"]


@pytest.mark.slow
def test_a_drawn_code_takes_away_what_a_liking_for_ones_adds() -> None:
    questions = [each for each in simulated_judgements(300) if each.gold == "A"]
    profile = "reasoner:says_one=0.5:shared=0:insight=0"
    both = {"solver": agent(f"sim/{profile}"), "asker": agent(f"sim/{profile}")}
    shares = {}
    for polarity, first in (("first", True), ("second", False), ("drawn", None)):
        options = {"background": "none", "polarity": polarity}
        shares[polarity] = accuracy_of(self_questioning, both, questions, options)
        planted = expected_after_questions(profile, questions, "none", first=first)
        assert shares[polarity] == pytest.approx(planted, abs=4 * 0.5 / len(questions) ** 0.5)
    assert shares["first"] > shares["drawn"] > shares["second"]


def test_self_questioning_obeys_the_laws() -> None:
    def by_seed(request: Request) -> str:
        return f"<question>Why {request.seed}?</question>\n{box(request.seed % 2)}"

    one = Agent("s", scripted_model(by_seed))
    for options in ({}, {"background": "passage", "paths": 2}):
        laws.check(self_questioning, {"solver": one, "asker": one}, PAIR, options=options)
