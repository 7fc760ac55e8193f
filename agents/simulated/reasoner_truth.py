"""Compute the figures that simulated reasoners (reasoner.py) must come to, from their parameters.

They are the truth that a play should find: means over the questions and over all possible draws,
of readable replies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from agents.simulated.debater import REASONER, parse_profile, rating_percent
from agents.simulated.documents import told_answer
from agents.simulated.questions import SimulatedQuestion
from agents.simulated.reasoner import BOUNDS, ReasonerProfile
from agents.simulated.solver import chances
from agents.simulated.truth import parse_questions
from arena.studies.lineups import agents_in
from arena.studies.study import Study
from arena.types import Subject


def reasoner_profile(profile: str) -> ReasonerProfile:
    """Return the parameters of `sim/reasoner:...`, without its "sim/"."""
    return parse_profile(profile, {REASONER: ReasonerProfile()}, BOUNDS)[1]


def profile_in(study: Study) -> str | None:
    """Return the profile of the one simulated reasoner that sits in a study, None if it has others.

    Nothing can be expected of a study with several agents, or of another model.
    """
    seated = [agent for arm in study.arms for each in arm.lineups for agent in agents_in(each)]
    names = {agent.model.name for agent in seated}
    if len(names) != 1 or not (name := names.pop()).startswith(f"sim/{REASONER}"):
        return None
    return name.removeprefix("sim/")


def expected_alone(profile: str, questions: Sequence[Subject]) -> float:
    """Return the exact accuracy of one sample without any help, in [0, 1]."""
    return accuracy_at(reasoner_profile(profile), questions, 0.0)


def accuracy_at(profile: ReasonerProfile, questions: Sequence[Subject], rise: float) -> float:
    """Return the exact accuracy of one sample whose ability is raised by `rise` logits."""
    able = replace(profile, ability=profile.ability + rise)
    right = [chances(able, each)[each.right] for each in parse_questions(questions)]
    return math.fsum(right) / len(right) * (1 - profile.unreadable)


def expected_after_triggers(profile: str, questions: Sequence[Subject], times: int) -> float:
    """Return the exact accuracy of a reply that was told so many times to look for mistakes."""
    solver = reasoner_profile(profile)
    right = expected_alone(profile, questions)
    for _ in range(times):
        right = right * solver.stays + (1 - right) * solver.corrects
    return right


def expected_after_feedback(
    profile: str, questions: Sequence[Subject], rounds: int, critic: str | None = None
) -> float:
    """Return the exact accuracy of replies that are written anew where a critic calls them wrong.

    The critic is the solver itself by default; a verdict is true with its `critic`.
    """
    solver = reasoner_profile(profile)
    true = reasoner_profile(critic or profile).critic
    total = []
    for question in parse_questions(questions):
        # Chances of (right, still under revision), and of a reply that was found right.
        right, wrong = (share := chances(solver, question)[question.right]), 1 - share
        kept = 0.0
        for _ in range(rounds):
            kept += right * true
            again, mended = right * (1 - true), wrong * true
            right = again * solver.stays + mended * solver.corrects
            wrong = again * (1 - solver.stays) + mended * (1 - solver.corrects)
        total.append(kept + right)
    return math.fsum(total) / len(total)


def expected_after_demonstrations(
    profile: str, questions: Sequence[Subject], shown: int, teaches: float | None = None
) -> float:
    """Return the exact accuracy after `shown` demonstrations, in [0, 1].

    `teaches` is the chance that one is right: that of the solver's own by default, 1 for those of
    people.
    """
    solver = reasoner_profile(profile)
    chance = solver.teaches if teaches is None else teaches
    return math.fsum(
        math.comb(shown, right)
        * chance**right
        * (1 - chance) ** (shown - right)
        * accuracy_at(solver, questions, solver.demonstrates * (2 * right - shown) / shown)
        for right in range(shown + 1)
    )


def expected_after_questions(
    profile: str,
    questions: Sequence[Subject],
    background: str,
    asker: str | None = None,
    *,
    first: bool | None = None,
) -> float:
    """Return the exact accuracy of self-questioning with this background, in [0, 1].

    `background` is that of the protocol; the keys are told where `asker`, itself by default, asks
    for them.  Of judgements, `first` says whether 1 stands for the first option; None: drawn.
    """
    solver = reasoner_profile(profile)
    hits = reasoner_profile(asker or profile).asks
    used = solver.knows * solver.uses
    share = {
        "answers": used + hits * (solver.knows - used),
        "passage": used + hits * (1 - used),
    }.get(background, used)
    right = share * accuracy_at(solver, questions, solver.insight)
    right += (1 - share) * accuracy_at(solver, questions, 0.0)
    if not questions[0].choices:
        return right
    same = math.fsum(each.gold == "A" for each in questions) / len(questions)
    one = 0.5 if first is None else same if first else 1 - same
    return (1 - solver.says_one) * right + solver.says_one * one


def expected_weighing(profile: str, questions: Sequence[Subject], method: str) -> float:
    """Return the exact accuracy of situated faithfulness by this method, in [0, 1].

    Each question has a passage that states an answer.  nan by the rules, but by stated confidences
    without `noise`: nothing is in closed form there.
    """
    solver = reasoner_profile(profile)
    total = []
    for subject, question in zip(questions, parse_questions(questions), strict=True):
        told = told_answer(subject.passage)
        right = chances(solver, question)[question.right]
        match method:
            case "closed":
                total.append(right)
            case "direct":
                total.append(chances(solver, question, {told: 1})[question.right])
            case "implicit" | "explicit":
                sees = solver.implicit if method == "implicit" else solver.explicit
                helped = right + (1 - right) * sees if told == question.right else right * sees
                total.append(helped)
            case "stated" if not solver.noise:
                total.append(right_by_rule(solver, question, told))
            case _:
                return math.nan
    return math.fsum(total) / len(total)


def right_by_rule(solver: ReasonerProfile, question: SimulatedQuestion, told: str) -> float:
    """Return the chance that the surer side is right, the own one if it is the surer of both."""
    alone, reader = chances(solver, question), chances(solver, question, {told: 1})

    def level(chance: dict[str, float], answer: str) -> int:
        """Return the percentage that is stated for an answer."""
        right = chance[question.right]
        difference = (answer == question.right) - right
        return rating_percent(right + solver.bias + solver.discrimination * difference)

    return math.fsum(
        share * other_share
        for own, share in alone.items()
        for other, other_share in reader.items()
        if (own if level(alone, own) > level(reader, other) else other) == question.right
    )
