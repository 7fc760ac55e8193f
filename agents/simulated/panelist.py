"""A simulated solver that sits at tables: it moderates, opposes, votes, predicts and scores.

It is a solver (solver.py).  Beside answers to questions it gives:

Preferences, where `Preference: yes` may be written: if all answers that it is shown are one, that
one; else, with probability `decides`, one of them, in proportion to its own chances of them.

Opposition, where it is told to oppose at n of 10: with probability n / 10 it gives another answer
than the one that it is shown last, in proportion to its own chances.

Ballots about answers under letters: it stands for the answer that its sample gives, then for the
others by its own chances; it approves of that and of all with a chance of 0.3 or more, and divides
points and percentages in proportion to its chances.  Where it predicts the answers of others, it
takes the share of the right answer to be lower than it is, by the share `underestimates` of it: as
much as that, a right answer is surprisingly popular.

Scores of two texts from 1 to 10: 1 + 9 * its own chance of the answer of each, and `first_points`
more for the text that it reads first.  Asked for the better one, it names the one with more points.

Roles, where it is asked to describe an expert; they say that they are simulated.

This is a model of our own, not one of a paper.  The store and every report mark its plays as
simulated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agents.simulated import solver
from agents.simulated.debater import PANELIST, Bounds, parse_profile
from agents.simulated.replies import ParsedRequest, count_tokens, parse_request, statements_in
from agents.simulated.solver import (
    SimulatedSolver,
    SolverProfile,
    candidate,
    chances,
    uniforms,
)
from arena.types import Reply, Request

ASKS_FOR_PREFERENCE = "`Preference: yes`"
OPPOSES = re.compile(r"\boppose it at (\d{1,2})\b")
LISTED = re.compile(r"^(?P<letter>[A-Z]): (?P<answer>\d{1,3})$", re.MULTILINE)
ASKS_FOR_BALLOT = "These answers were given:"
ASKS_FOR_PREDICTION = "predict how many in a hundred"
ASKS_FOR_SCORES = "Score of text 1:"
ASKS_FOR_BETTER = "`Better: 1`"
ASKS_FOR_ROLE = "Describe one of them"
TWO_TEXTS = re.compile(
    r"\[(?P<code>[0-9a-f]{8})\] Text 1\n(?P<first>.*)"
    r"\n\[(?P=code)\] Text 2\n(?P<second>.*)\n\[(?P=code)\] End of the texts\.",
    re.DOTALL,
)
APPROVED = 0.3


@dataclass(frozen=True, slots=True)
class PanelistProfile(SolverProfile):
    """The parameters of a simulated panelist, those of a solver among them.

    `decides` and `underestimates` are shares in [0, 1]; `first_points` are points in [-9, 9].
    """

    decides: float = 0.5
    underestimates: float = 0.5
    first_points: float = 0.0


BOUNDS: Bounds = {
    **solver.BOUNDS,
    "decides": (0.0, 1.0),
    "underestimates": (0.0, 1.0),
    "first_points": (-9.0, 9.0),
}


@dataclass(frozen=True)
class SimulatedPanelist(SimulatedSolver):
    """A model that sits at tables by a profile; `simulated_panelist` makes one."""

    profile: PanelistProfile

    async def __call__(self, request: Request) -> Reply:
        """Return what is asked for: a preference, a ballot, scores, a role, or an answer.

        Raises RefusedError if the request holds no simulated question.
        """
        parsed = parse_request(request)
        text = None if parsed is None else self._said_at_table(parsed, request)
        if text is None:
            return await super().__call__(request)
        characters = sum(len(message.content) for message in request.messages)
        return Reply(
            text,
            model_served=self.name,
            finish_reason="stop",
            tokens_in=count_tokens(characters),
            tokens_out=count_tokens(len(text)),
        )

    def _said_at_table(self, parsed: ParsedRequest, request: Request) -> str | None:
        """Return what a table asks for, None for a plain answer."""
        words = parsed.words
        if ASKS_FOR_ROLE in words:
            return f"A simulated expert, number {request.place.round + 1}."
        if ASKS_FOR_PREFERENCE in words and parsed.statements:
            return self._preference(parsed, request.seed)
        if ASKS_FOR_BALLOT in words:
            return self._ballot(parsed, request)
        if texts := TWO_TEXTS.search(words):
            return self._scores(parsed, texts)
        if parsed.statements and (told := OPPOSES.search(words)):
            return self._opposition(parsed, request, int(told[1]) / 10)
        return None

    def _preference(self, parsed: ParsedRequest, seed: int) -> str:
        """Return whether it prefers an answer of those that it is shown, and which."""
        shown = parsed.answer_counts
        decides, which, *_ = uniforms("preference", self.profile.seed, seed)
        if len(shown) > 1 and decides >= self.profile.decides:
            return f"{parsed.opening}\n\nPreference: no"
        chance = chances(self.profile, parsed.question)
        among = {answer: chance.get(answer, 0.0) for answer in shown}
        answer = candidate(among, which * sum(among.values()))
        return f"{parsed.opening}\n\nPreference: yes\n#{parsed.mark} answers \\boxed{{{answer}}}"

    def _opposition(self, parsed: ParsedRequest, request: Request, share: float) -> str | None:
        """Return another answer than the last that is shown, None where it does not oppose."""
        opposes, which, *_ = uniforms("opposition", self.profile.seed, request.seed)
        if opposes >= share:
            return None
        *_, (_, _, last) = parsed.statements
        chance = chances(self.profile, parsed.question)
        others = {answer: each for answer, each in chance.items() if answer != last}
        answer = candidate(others, which * sum(others.values()))
        return f"{parsed.opening}\n\nI disagree. #{parsed.mark} answers \\boxed{{{answer}}}"

    def _ballot(self, parsed: ParsedRequest, request: Request) -> str:
        """Return a ballot about the answers under letters, in the form that is asked for."""
        words = parsed.words[parsed.words.rindex(ASKS_FOR_BALLOT) :]
        listed = {match["letter"]: match["answer"] for match in LISTED.finditer(words)}
        chance = chances(self.profile, parsed.question)
        belief = {letter: chance.get(answer, 0.0) for letter, answer in listed.items()}
        if ASKS_FOR_PREDICTION in words:
            right = 1 - self.profile.underestimates
            expected = {
                letter: each * (right if listed[letter] == parsed.question.right else 1)
                for letter, each in belief.items()
            }
            return self._written(parsed, in_parts(expected, 100))
        own = candidate(chance, self._sample_draw(request, parsed.question))
        order = sorted(belief, key=lambda letter: (listed[letter] != own, -belief[letter]))
        if "Ballot: X > Y" in words:
            return self._written(parsed, " > ".join(order))
        if "Ballot: X = N" in words:
            return self._written(parsed, in_parts(belief, 10))
        if "Ballot: X, Y" in words:
            some = [each for each in order if each == order[0] or belief[each] >= APPROVED]
            return self._written(parsed, ", ".join(some))
        return self._written(parsed, order[0])

    def _written(self, parsed: ParsedRequest, ballot: str) -> str:
        """Return a reply with a ballot."""
        return f"{parsed.opening}\n\nBallot: {ballot}"

    def _scores(self, parsed: ParsedRequest, texts: re.Match[str]) -> str:
        """Return scores of two texts by the answers that they give."""
        chance = chances(self.profile, parsed.question)
        points = []
        for number, name in enumerate(("first", "second")):
            said = statements_in(texts[name], "")
            level = chance.get(said[-1][2], 0.0) if said else 0.0
            points.append(1 + 9 * level + (0.0 if number else self.profile.first_points))
        if ASKS_FOR_BETTER in parsed.words:
            return f"{parsed.opening}\n\nBetter: {1 if points[0] >= points[1] else 2}"
        if ASKS_FOR_SCORES not in parsed.words:
            return parsed.opening
        whole = [min(max(round(each), 1), 10) for each in points]
        return f"{parsed.opening}\n\nScore of text 1: {whole[0]}\nScore of text 2: {whole[1]}"


def in_parts(belief: Mapping[str, float], whole: int) -> str:
    """Return whole numbers in proportion to these beliefs, by letter, which add up to `whole`."""
    total = sum(belief.values())
    even = {letter: 1 / len(belief) for letter in belief}
    exact = {
        letter: whole * (each / total if total else even[letter]) for letter, each in belief.items()
    }
    numbers = {letter: int(each) for letter, each in exact.items()}
    left = whole - sum(numbers.values())
    # What rounding left goes to the largest remainders, by letter.
    for letter in sorted(exact, key=lambda each: (numbers[each] - exact[each], each))[:left]:
        numbers[letter] += 1
    return ", ".join(f"{letter} = {number}" for letter, number in numbers.items())


def simulated_panelist(profile: str) -> SimulatedPanelist:
    """Return the panelist that `sim/panelist:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {PANELIST: PanelistProfile()}, BOUNDS)
    return SimulatedPanelist(f"sim/{name}", parameters)
