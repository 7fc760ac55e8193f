"""Judges that read stored debates: one transcript for all, probabilities, orders of letters."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.passages import simulated_passages
from arena import Agent, Arena, Arm, RunSelection, Study
from arena.errors import StudyError
from arena.reply import Alternative, Reply, TokenChoice
from arena.tournaments.stages import run_stages
from arena.tournaments.stored_arguments import stored_arguments
from arena.types import Request
from protocols import laws
from protocols.oversight import consultancy, judged_debate
from protocols.oversight_judges import judge_alone, judged_argument, panel
from protocols.parsing.judgements import judgement, judges_turn, letter_alone
from tests.watched_plays import play_once, words_of

DEBATER, JUDGE = agent("sim/advocate"), agent("sim/evidence_judge")
TWO = {"debater": DEBATER, "opponent": DEBATER, "judge": JUDGE}
ONE = {"consultant": DEBATER, "judge": JUDGE}
LETTERS = {"A": "B", "B": "A"}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with debates of several forms."""
    path = tmp_path_factory.mktemp("arguments") / "a.duckdb"
    arms = [
        Arm("debate", judged_debate, [TWO], {"rounds": 2, "judging": "asks"}),
        Arm("best", judged_debate, [TWO], {"rounds": 1, "best_of": 2, "critiques": 1}),
        Arm("consultancy", consultancy, [ONE], {"argues": "wrong", "rounds": 2}),
        Arm("open", consultancy, [ONE], {"argues": "chosen", "rounds": 1}),
        Arm("naive", judge_alone, [{"judge": JUDGE}]),
    ]
    Arena(path).run(Study("argued", arms, simulated_passages(2)))
    return path


def test_reading_a_stored_debate_obeys_the_laws(played: Path) -> None:
    for argument in stored_arguments(played, "argued"):
        laws.check(judged_argument, {"judge": JUDGE}, argument)


def test_a_judge_reads_what_the_judge_of_the_play_could_read(played: Path) -> None:
    found = stored_arguments(played, "argued")
    assert sorted(each.form for each in found) == sorted(
        ["debate", "consultancy", "open consultancy", "debate"] * 2
    )
    for argument in found:
        for request in play_once(judged_argument, {"judge": JUDGE}, argument, {}).requests:
            words = words_of(request)
            assert "<verified>" in words or "<unverified>" in words
            assert argument.passage not in words
            assert "Simulated thoughts" not in words
            assert "critique" not in words


def test_nobody_is_told_that_the_judge_of_a_play_ended_it(tmp_path: Path) -> None:
    def judge(request: Request) -> str:
        if request.place.phase == "verdict":
            return "<reasons>r</reasons><answer>A</answer><rating>60</rating>"
        end = "yes" if request.place.round else "no"
        return f"<thoughts>t</thoughts><speech>Where is it?</speech><end>{end}</end>"

    lineup = TWO | {"judge": Agent("scripted", scripted_model(judge))}
    arm = Arm("debate", judged_debate, [lineup], {"rounds": 4, "judging": "may end"})
    arena = Arena(tmp_path / "ended.duckdb")
    arena.run(Study("argued", [arm], simulated_passages(1)))
    (argument,) = stored_arguments(arena.path, "argued")
    asked = [turn.public for turn in argument.turns if turn.phase == "question"]
    assert asked == ["Where is it?"]


def test_of_several_candidates_the_delivered_one_is_read(played: Path) -> None:
    best = [each for each in stored_arguments(played, "argued") if len(each.turns) == 2]
    assert {turn.phase for each in best for turn in each.turns} == {"refined speech"}
    arena = Arena(played)
    shown = arena.sql(
        "select distinct seen_seat, seen_step from saw join episodes using (episode)"
        " join turns using (episode, seat, step)"
        " where arm = 'best' and phase = 'verdict' and face = 'checked'"
    ).rows
    assert {(turn.seat, turn.step) for each in best for turn in each.turns} == set(shown)


def test_one_debate_serves_many_judges_with_and_without_checked_quotes(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "panel.duckdb")
    arm = Arm("debate", judged_debate, [TWO], {"rounds": 1})
    study = Study("argued", [arm], simulated_passages(3))
    judges = [JUDGE, replace(agent("sim/evidence_judge:seed=2"), name="second")]
    stages = [study, panel("panel", study, judges, quotes=("checked", "unchecked"))]
    assert [stages[1].count_episodes(arena.path)] == [12]
    run_stages(arena, stages, selection=RunSelection())
    rows = arena.sql(
        "select arm, count(*) as n, count(distinct source) as debates"
        " from episodes join subjects using (subject) where study = 'panel' group by all order by 1"
    ).rows
    assert rows == (("quotes checked", 6, 3), ("quotes unchecked", 6, 3))
    run_stages(arena, stages, selection=RunSelection())
    assert arena.sql("select count(*) from turns where phase = 'speech'").rows == ((6,),)


def test_a_study_without_debates_has_nothing_to_judge(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "none.duckdb")
    arena.run(Study("alone", [Arm("n", judge_alone, [{"judge": JUDGE}])], simulated_passages(1)))
    with pytest.raises(StudyError, match="no finished debate or consultancy of a study 'alone'"):
        stored_arguments(arena.path, "alone")


def test_both_orders_of_the_letters_are_averaged_and_each_is_scored() -> None:
    """Of the facts page: .8 as A and .6 as B make .7."""

    def reply(request: Request) -> str:
        right_is_a = f"A) {question.choices['AB'.index(question.gold or '')]}" in words_of(request)
        letter, sure = ("A", 80) if right_is_a else ("B", 60)
        return f"<reasons>r</reasons><answer>{letter}</answer><rating>{sure}</rating>"

    (question,) = simulated_passages(1)
    judge = Agent("scripted", scripted_model(reply))
    found = play_once(judge_alone, {"judge": judge}, question, {})
    each = sorted(a["confidence"] for a in found.answers if not a["final"])
    (final,) = (a for a in found.answers if a["final"])
    assert each == [0.6, 0.8]
    assert final["confidence"] == pytest.approx(0.7)
    assert final["correct"] is True


@pytest.mark.parametrize(
    ("drawn", "swapped", "confidence"),
    [
        # Votes for the same answer, one of them with a probability.
        ("<answer>A</answer><rating>80</rating>", "<answer>B</answer>", None),
        # Of votes against each other the one that is named first.
        ("<answer>A</answer><rating>60</rating>", "<answer>A</answer>", None),
        ("<answer>A</answer>", "<answer>A</answer><rating>90</rating>", None),
        ("<answer>A</answer><rating>80</rating>", "nothing", 0.8),
    ],
)
def test_a_mean_of_a_stated_probability_and_a_vote_is_no_confidence(
    drawn: str, swapped: str, confidence: float | None
) -> None:
    def reply(request: Request) -> str:
        words = swapped if request.place.seat.endswith("swapped") else drawn
        return f"<reasons>r</reasons>{words}"

    (question,) = simulated_passages(1)
    found = play_once(judge_alone, {"judge": Agent("m", scripted_model(reply))}, question, {})
    first = next(a for a in found.answers if a["seat"] == "judge as drawn")
    (final,) = (a for a in found.answers if a["final"])
    assert (final["answer"], final["confidence"]) == (first["answer"], confidence)


def test_a_letter_has_its_share_of_the_probability_of_both() -> None:
    """Of the facts page: log p(A) -.2, log p(B) -1.8 give p(A) .832."""
    near = (Alternative(" A", -0.2), Alternative("B", -1.8), Alternative("C", -3.0))
    reply = Reply("A", finish_reason="stop", logprobs=(TokenChoice("A", -0.2, near),))
    reading = letter_alone(reply, letters=LETTERS)
    assert (reading.answer, reading.confidence_source) == ("B", "probability")
    assert reading.confidence == pytest.approx(1 / (1 + math.exp(-1.6)))


def test_of_several_spellings_of_a_letter_the_likeliest_counts() -> None:
    near = (Alternative(" A", -0.05), Alternative("B", -3.5), Alternative("a", -4.0))
    drawn = TokenChoice("a", -4.0, near)
    reading = letter_alone(Reply("a", finish_reason="stop", logprobs=(drawn,)), letters=LETTERS)
    assert reading.answer == LETTERS["A"]
    assert reading.confidence == pytest.approx(1 / (1 + math.exp(-3.45)))
    none = TokenChoice("B", math.nan, (Alternative("A", -1.0),))
    reading = letter_alone(Reply("B", finish_reason="stop", logprobs=(none,)), letters=LETTERS)
    assert reading.confidence == pytest.approx(1.0)


def test_an_article_is_no_letter() -> None:
    words = ("A", " careful", " judge", " says", " ", "B")
    tokens = tuple(TokenChoice(each, -0.1, ()) for each in words)
    reply = Reply("".join(words), finish_reason="stop", logprobs=tokens)
    assert letter_alone(reply, letters=LETTERS).answer == LETTERS["B"]


def test_a_letter_that_is_not_among_the_likeliest_counts_as_impossible() -> None:
    near = (Alternative("B", -0.1), Alternative("I", -3.0))
    reply = Reply("B", finish_reason="stop", logprobs=(TokenChoice("B", -0.1, near),))
    assert letter_alone(reply, letters=LETTERS).confidence == pytest.approx(1.0)
    # The likelier letter counts, also where the other one was drawn.
    near = (Alternative("A", -0.5), Alternative("B", -1.0))
    drawn = Reply("B", finish_reason="stop", logprobs=(TokenChoice("B", -1.0, near),))
    assert letter_alone(drawn, letters=LETTERS).answer == "B"
    assert letter_alone(Reply("C", finish_reason="stop"), letters=LETTERS).answer is None
    assert letter_alone(Reply("A", finish_reason="content_filter"), letters=LETTERS).answer is None


@pytest.mark.parametrize(
    ("text", "answer", "confidence"),
    [
        ("<reasons>r</reasons><answer>A</answer><rating>70</rating>", "B", 0.7),
        ("<reasons><answer>B</answer></reasons><answer> a </answer><rating>70%</rating>", "B", 0.7),
        ("<answer>**B**</answer><rating>50</rating>", "A", 0.5),
        ("<answer>Answer A</answer><rating>40</rating>", "B", None),
        ("<answer>A</answer><answer>B</answer><rating>70</rating>", None, 0.7),
        ("<answer>C</answer><rating>70</rating>", None, 0.7),
        ("<answer>A or B</answer><rating>70</rating>", None, 0.7),
        ("<answer>A", None, None),
        ("I decide for A.", None, None),
        ("", None, None),
    ],
)
def test_a_decision_is_read_by_its_letter(
    text: str, answer: str | None, confidence: float | None
) -> None:
    reading = judgement(text, letters=LETTERS)
    assert (reading.answer, reading.confidence) == (answer, confidence)
    assert (reading.reask is None) == (None not in (answer, confidence))


@pytest.mark.parametrize(
    ("text", "public", "answer", "confidence"),
    [
        ("<speech>why?</speech><answer>A</answer><rating>70</rating>", "why?", "B", 0.7),
        ("<thoughts>t</thoughts><speech>is <verified>x</verified> so?</speech>"
         "<answer>B</answer><rating>60</rating><end>no</end>",
         "is <quote>x</quote> so?", "A", 0.6),
        ("<answer>A</answer><rating>90</rating><end>Yes</end>", "", "B", 0.9),
        ("<speech>why?</speech><answer>A</answer><rating>90</rating><end>maybe</end>",
         "why?", "B", 0.9),
        ("<end>yes</end>", "", None, None),
        ("…", None, None, None),
    ],
)  # fmt: skip
def test_a_turn_of_the_judge_is_a_question_a_belief_or_an_end(
    text: str, public: str | None, answer: str | None, confidence: float | None
) -> None:
    reading = judges_turn(text, letters=LETTERS, believes=True, may_end=True)
    assert (reading.public, reading.answer, reading.confidence) == (public, answer, confidence)
    assert (reading.reask is None) == (None not in (public, answer, confidence))
