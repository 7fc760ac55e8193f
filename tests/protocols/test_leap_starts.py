"""LeaP's prefix trap and the influence of a block: wrong starts, and answers asked between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents import agent
from agents.simulated.leap_truth import expected_change, expected_trapped
from agents.simulated.questions import mistakes_of, question_in, simulated_questions
from analysis.reports.report import debate_report
from arena import Arena, Arm, Study
from arena.errors import StudyError
from arena.tournaments.wrong_starts import wrong_starts
from arena.types import Reply, Request, Subject
from protocols import laws
from protocols.leap import leap
from protocols.leap_wordings import OPENING
from protocols.self_consistency import self_consistency
from tests.in_memory import rows_of_play
from tests.played_accuracy import answers_of
from tests.question_agents import QUESTION, agent_with_capabilities, box

START = "Two and two are twenty-two, it is plain to see"
TRAP = replace(QUESTION, passage=START)
SMALL: dict[str, object] = {
    **{"paths": 2, "turns": 2, "think_tokens": 40, "summary_tokens": 64},
    **{"answer_tokens": 16, "router": "all"},
}


def thinker(seen: list[Request]) -> object:
    """A path that thinks up to its limit, sums up, and answers 4."""

    def script(request: Request) -> Reply:
        seen.append(request)
        if request.place.phase == "summary":
            return Reply(" it may be four.</summarize>", finish_reason="stop")
        if request.place.phase == "think":
            return Reply("so far.\n\nAnd then", finish_reason="length")
        return Reply("4}.", finish_reason="stop")

    return agent_with_capabilities(script, "prefill")


@pytest.mark.parametrize(("starts", "trapped"), [("own", []), ("first", [0]), ("all", [0, 1])])
def test_paths_begin_with_the_passage_after_the_opening(starts: str, trapped: list[int]) -> None:
    seen: list[Request] = []
    options = {**SMALL, "starts": starts}
    rows_of_play(leap, thinker(seen), options, TRAP)  # type: ignore[arg-type]
    first = [each for each in seen if each.place.phase == "think" and each.place.round == 0]
    begun = {int(each.place.seat[-1]): each.messages[-1].content for each in first}
    assert [path for path, text in sorted(begun.items()) if text == OPENING + START] == trapped
    # It stays where a block drops the last, unfinished paragraph.
    [summary] = [e for e in seen if e.place.phase == "summary" and e.place.seat == "path0"]
    assert (START in summary.messages[-1].content) == bool(trapped)
    assert "And then" not in summary.messages[-1].content


def test_probes_stand_around_each_block_and_leave_nothing_in_the_thought() -> None:
    seen: list[Request] = []
    rows = rows_of_play(leap, thinker(seen), {**SMALL, "probes": True})  # type: ignore[arg-type]
    plain: list[Request] = []
    rows_of_play(leap, thinker(plain), SMALL)  # type: ignore[arg-type]
    probes = [turn for turn in rows.rows("turns") if "block" in turn["phase"]]
    asked = {(turn["seat"], turn["phase"], turn["answer"]) for turn in probes}
    assert asked == {
        (seat, f"{when} block", "4") for seat in ("path0", "path1") for when in ("before", "after")
    }

    def thoughts(requests: list[Request]) -> list[str]:
        return [each.messages[-1].content[-300:] for each in requests if each.place.round == 1]

    before, after = (
        next(e.messages[-1].content for e in seen if e.place.phase == f"{when} block")
        for when in ("before", "after")
    )
    assert "<comment>" not in before.removeprefix(OPENING)
    assert "Peer 1:" in after.removeprefix(OPENING)
    assert before.endswith("\\boxed{")
    assert thoughts([e for e in seen if "block" not in e.place.phase])[0].count("no time left") == 0
    assert len(seen) == len(plain) + 4


def wrong(subject: Subject) -> Subject:
    """A simulated question with the beginning of a thought that makes its commonest mistake."""
    question = question_in(subject.text)
    assert question is not None
    mistake = mistakes_of(question)[0]
    return replace(subject, passage=f"Step 1 of 4. #00000bad tends to {mistake}. It may be")


PROFILE = "solver:peer_weight=2:shared=0"


def pass_at_1(questions: list[Subject], options: dict[str, object], path: str = "path") -> float:
    """The share of right answers of paths whose names begin so."""
    played = answers_of(leap, agent(f"sim/{PROFILE}"), questions, {**SMALL, **options})
    rows = [row for each in played for row in each.rows("answers") if not row["final"]]
    rights = [bool(row["correct"]) for row in rows if row["seat"].startswith(path)]
    return sum(rights) / len(rights)


@pytest.mark.slow
def test_a_wrong_start_costs_what_was_planted_and_peers_help_who_began_otherwise() -> None:
    questions = [wrong(each) for each in simulated_questions(60)]
    alone: dict[str, object] = {"communication": "never"}
    error = 4 * 0.5 / 120**0.5
    trapped = pass_at_1(questions, {**alone, "starts": "all"})
    assert trapped == pytest.approx(expected_trapped(PROFILE, questions), abs=error)
    free = pass_at_1(questions, alone)
    # Among three who are free one recovers; among others who are trapped too it does not.
    four = {"paths": 4}
    helped = pass_at_1(questions, {**four, "starts": "first"}, "path0")
    together = pass_at_1(questions, {**four, "starts": "all"}, "path0")
    assert free - trapped > 0.15
    assert helped > trapped + 0.1
    assert together < helped - 0.1


@pytest.mark.slow
def test_the_influence_of_a_block_is_that_of_the_peers(tmp_path: Path) -> None:
    questions = simulated_questions(60)
    lineup = [{"solver": agent(f"sim/{PROFILE}")}]
    probed = {**SMALL, "probes": True}
    arms = [
        Arm("peers", leap, lineup, probed),
        Arm("nobody", leap, lineup, {**probed, "router": "none"}),
    ]
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(Study("s", arms, questions)).failed == 0
    found = debate_report(arena.path, "s")
    [result] = found.results
    assert result.assessments is not None
    nobody, peers = result.assessments.influence or ()
    assert (nobody.arm, nobody.block, nobody.paths) == ("nobody", 0, 120)
    assert nobody.changed.mean == 0
    planted = expected_change(PROFILE, questions)
    assert peers.changed.mean == pytest.approx(planted, abs=4 * 0.5 / 120**0.5)
    assert peers.to_right.mean + peers.to_wrong.mean <= peers.changed.mean
    assert "right before and right after a block" in str(found)


def test_wrong_starts_are_the_beginnings_of_wrong_replies(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    arena = Arena(path)
    lineup = [{"solver": agent("sim/solver:ability=-20:distractors=1")}]
    arm = Arm("a", self_consistency, lineup, {"paths": 2})
    arena.run(Study("wrong", [arm], simulated_questions(3)))
    found = wrong_starts(path, "wrong", 0.3)
    assert len(found) == 3
    for each in found:
        assert each.passage.startswith("Simulated reasoning of #")
        assert "boxed" not in each.passage
        assert each.gold is not None
    lineup = [{"solver": agent("sim/solver:ability=20")}]
    arena.run(Study("right", [Arm("a", self_consistency, lineup, {"paths": 1})], found))
    with pytest.raises(StudyError, match="no reply of 'right' is wrong"):
        wrong_starts(path, "right", 0.15)
    with pytest.raises(StudyError, match="above 0 and up to 1"):
        wrong_starts(path, "wrong", 0)


def test_leap_with_wrong_starts_and_probes_obeys_the_laws() -> None:
    def by_seed(request: Request) -> Reply:
        reason = "length" if request.seed % 2 else "stop"
        return Reply(f"I thought {request.seed}. {box(request.seed % 3)}", finish_reason=reason)

    lineup = {"solver": agent_with_capabilities(by_seed, "prefill")}
    laws.check(leap, lineup, TRAP, options={**SMALL, "starts": "first", "probes": True})
