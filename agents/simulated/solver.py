"""Simulated solvers: a generative model of answers with known parameters.

It serves to run protocols offline, and to check whether the analysis finds the parameters that were
put in.  A solver reads a simulated question (questions.py) of difficulty d, and the answers that
its prompt or prefill shows.  It gives answer a with a probability in proportion to

    own(a) * exp(peer_weight * peers who say a),    own(right) = 1 / (1 + exp(d - ability))

The rest, own(wrong), is divided: the share `concentration` of it goes to the commonest mistake, the
remainder evenly to the other `distractors` - 1.

With probability `shared` a sample decides by a draw that all samples of the question share, else by
one of its own, so that errors go together while chances stay as they are (the correlation of two
samples being right is shared ** 2).  A sample is a seat of an episode: asked again, it gives the
same answer until it reads other answers.  Answers that are no candidates of the question move
nobody.  Peers of the same seed share the draw too, so that the chances above, given the words of
peers, show as shares only with shared=0 or with other peers.

Where a conversation puts the question again after an answer of its own, it keeps a right answer
with probability `stays`, and gets a wrong one right with probability `corrects` (CL and CS of
arXiv 2412.19513); else a right one becomes a mistake, and a wrong one stays as it is.

Where it is to end with `Verdict: right` or `Verdict: wrong`, its verdict on the last answer that it
is shown is true with probability `critic`.  Asked how likely the answer of a reply is right, it
rates that answer; the logit rises by `swayed` with the logarithm of the reply's length.  Where it
may say that it does not know, it does with probability `abstains`, and `wanders` says how much
longer it thinks, the less sure it is.

Where "1" and "2" are the choices for the better of two replies, it prefers one with a probability
in proportion to its own chance of that answer; the logit rises by `love` for a reply of its own
style, which has as many `steps` as it writes itself, and by `first` for the reply that it reads
first.

A solver states the confidence 100 * clip(c + bias + discrimination * (right - c) + N(0, noise), 0,
1), where c is its chance to be right after reading its peers and `right` is 1 or 0.  But for
clipping, the mean exceeds accuracy by `bias`, and is `discrimination` higher for right answers.

The words of the prompt tell which reply is wanted:

- "most agreed", "most of these replies agree" or "most consistent": the commonest answer that is
  shown, the first of equals (under headings "Response 0", "Response 1", ... and without a request
  for \\boxed{}, its number); with probability `slip` another answer than the commonest;
- "possible answer": how likely that answer is right; for "one word, True or False" True with that
  probability;
- "More confident:" after two questions with answers: which of them it would state more of;
- "G1", "G2", ...: guesses with probabilities;
- "confidence": a last line with a percentage.

Where log probabilities are asked for, the token with the answer has the probability of that answer;
of choices, each has its chance (token_numbers.py).

A prefill that ends inside <summarize> is completed by a summary; any other is continued from where
it stops.  With probability `unreadable` a reply has neither answer nor confidence, and so has a
re-ask.  Temperature changes nothing.  A token is four characters.

This is a model of our own, not one of a paper.  The store and every report mark its plays as
simulated.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from agents.simulated import assessing, replies
from agents.simulated.comparisons import pair_in
from agents.simulated.debater import SOLVER, Bounds, parse_profile, rating_percent
from agents.simulated.questions import MOST_MISTAKES, SimulatedQuestion, mistakes_of
from agents.simulated.replies import ParsedRequest, count_tokens, parse_request
from agents.simulated.token_numbers import choice_reply, token_choices
from arena.errors import RefusedError
from arena.types import BaseModel, Reply, Request, TokenChoice

# A SHA-256 digest as four numbers of 64 bits.
FOUR_UINT64 = struct.Struct(">4Q")
NORMAL = NormalDist()
ASKS_FOR_MAJORITY = re.compile(
    r"most (?:agreed|consistent)|most of (?:these|the|them)\b[^.\n]{0,40}\bagree", re.IGNORECASE
)
CAPABILITIES = frozenset(
    {"seed", "same seed, same reply", "prefill", "images", "logprobs", "choices"}
)
TRUE_OR_FALSE = "one word, True or False"
POSSIBLE_ANSWER = re.compile(r"possible answer[\s:]{0,4}\\boxed\{(\d{1,3})\}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SolverProfile:
    """The parameters of a simulated solver.

    `ability`, `peer_weight`, `swayed`, `love`, `first`: logits, in [-20, 20].  `shared`,
    `concentration`, `slip`, `unreadable`, `stays`, `corrects`, `critic`, `abstains`, `wanders`: in
    [0, 1].
    `distractors`: the number of mistakes it can make, 1 to 9.  Of the stated confidence: `bias` in
    [-1, 1], `discrimination` in [0, 1] and `noise` (a standard deviation) in [0, 1].  `steps`:
    paragraphs of its thoughts, 1 to 64.  `seed`: a whole number; solvers with the same seed have
    the shared draws in common.
    """

    ability: float = 0.0
    shared: float = 0.3
    distractors: int = 4
    concentration: float = 0.5
    bias: float = 0.15
    discrimination: float = 0.1
    noise: float = 0.15
    peer_weight: float = 1.0
    slip: float = 0.05
    unreadable: float = 0.0
    steps: int = 4
    stays: float = 1.0
    corrects: float = 0.0
    critic: float = 0.8
    swayed: float = 0.0
    abstains: float = 0.0
    wanders: float = 0.0
    love: float = 0.0
    first: float = 0.0
    seed: int = 0


SHARES = dict.fromkeys(
    (
        *("shared", "concentration", "discrimination", "noise", "slip", "unreadable"),
        *("stays", "corrects", "critic", "abstains", "wanders"),
    ),
    (0.0, 1.0),
)
BOUNDS: Bounds = SHARES | {
    "ability": (-20.0, 20.0),
    "distractors": (1, MOST_MISTAKES),
    "bias": (-1.0, 1.0),
    "peer_weight": (-20.0, 20.0),
    "swayed": (-20.0, 20.0),
    "love": (-20.0, 20.0),
    "first": (-20.0, 20.0),
    "steps": (1, 64),
}


def solver_profile(profile: str) -> SolverProfile:
    """Return the parameters of `sim/solver:...`, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    return parse_profile(profile, {SOLVER: SolverProfile()}, BOUNDS)[1]


def chances(
    profile: SolverProfile, question: SimulatedQuestion, heard: Mapping[str, int] | None = None
) -> dict[str, float]:
    """Return the chance of each candidate, the right answer first, then the mistakes.

    `heard` counts the peers that say an answer.  The chances sum to 1.
    """
    right = 1 / (1 + math.exp(question.difficulty - profile.ability))
    first, *others = mistakes_of(question)[: profile.distractors]
    common = profile.concentration if others else 1.0
    own = {question.right: right, first: (1 - right) * common}
    own |= {mistake: (1 - right) * (1 - common) / len(others) for mistake in others}
    if not heard or not profile.peer_weight:
        return own
    weight = {answer: profile.peer_weight * heard.get(answer, 0) for answer in own}
    # The highest weight is subtracted, so that exp() does not overflow.
    highest = max(weight.values())
    tilted = {answer: share * math.exp(weight[answer] - highest) for answer, share in own.items()}
    total = sum(tilted.values())
    return {answer: share / total for answer, share in tilted.items()} if total > 0 else own


@dataclass(frozen=True)
class SimulatedSolver(BaseModel):
    """A model that answers simulated questions by a profile; `simulated_solver` makes one."""

    name: str
    profile: SolverProfile
    capabilities: frozenset[str] = CAPABILITIES
    simulated: bool = True

    async def __call__(self, request: Request) -> Reply:
        """Return the reply, cut before a stop word and after the most tokens.

        Raises RefusedError if the request holds no simulated question.
        """
        parsed = parse_request(request)
        if parsed is None:
            raise RefusedError(
                f"{self.name} answers simulated questions alone (agents.simulated.questions), and"
                " the request holds none",
                sent=False,
            )
        if request.sampling.choices:
            return choice_reply(self.name, request, self._choice_shares(parsed))
        text, finish = replies.cut(self._reply_text(parsed, request), request.sampling)
        characters = sum(len(message.content) for message in request.messages)
        return Reply(
            text,
            model_served=self.name,
            finish_reason=finish,
            tokens_in=count_tokens(characters),
            tokens_out=count_tokens(len(text)),
            logprobs=self._token_choices(text, parsed, request),
        )

    def _choice_shares(self, parsed: ParsedRequest) -> dict[str, float]:
        """Return the probability of each choice that it may be given."""
        if (first := self._first_is_better(parsed)) is not None:
            return {"1": first, "2": 1 - first}
        chance = chances(self.profile, parsed.question, parsed.answer_counts)
        possible = last_possible(parsed.words)
        if possible is None:
            return chance
        level = self._level(parsed.question, possible, chances(self.profile, parsed.question))
        level = min(max(level, 0.0), 1.0)
        return {**chance, "True": level, "False": 1 - level}

    def _first_is_better(self, parsed: ParsedRequest) -> float | None:
        """Return the probability that it prefers the first of two replies; None: not asked."""
        profile = self.profile
        chance = chances(profile, parsed.question)
        return assessing.first_is_better(parsed, chance, profile.steps, profile.love, profile.first)

    def _token_choices(
        self, text: str, parsed: ParsedRequest, request: Request
    ) -> tuple[TokenChoice, ...] | None:
        """Return the tokens of a reply with their probabilities, None if nobody asks for them."""
        count = request.sampling.logprobs
        if count is None:
            return None
        chance = chances(self.profile, parsed.question, parsed.answer_counts)

        def draw(number: int) -> float:
            return uniforms("token", self.profile.seed, request.seed, number)[0]

        return token_choices(text, chance, draw, count)

    def _reply_text(self, parsed: ParsedRequest, request: Request) -> str:
        """Return the whole reply, in the form that is asked for."""
        # One number for each decision, so that a parameter never shifts the draws of another.
        readable, slip, other, deviation = uniforms("reply", self.profile.seed, request.seed)
        if readable < self.profile.unreadable:
            return replies.NO_ANSWER
        noise = NORMAL.inv_cdf(deviation) * self.profile.noise
        if (pair := pair_in(parsed.words)) is not None:
            # Each of the two levels has a noise of its own.
            ahead = self._own_level(*pair[0]) - self._own_level(*pair[1]) + math.sqrt(2) * noise
            return f"More confident: {1 if ahead > 0 else 2}"
        possible = last_possible(parsed.words)
        if possible is not None:
            chance = chances(self.profile, parsed.question)
            level = self._level(parsed.question, possible, chance)
            if TRUE_OR_FALSE in parsed.words:
                return "True" if other < level else "False"
            return f"{parsed.opening}\n\nConfidence: {rating_percent(level + noise)}%"
        if (heard := assessing.heard_answer(parsed)) is not None:
            level = self._level(parsed.question, heard, chances(self.profile, parsed.question))
            level = assessing.swayed_level(parsed, level + noise, self.profile.swayed)
            return f"{parsed.opening}\n\nConfidence: {rating_percent(level)}%"
        if parsed.statements and "`Verdict: right`" in parsed.words:
            return self._verdict(parsed, request.seed)
        if parsed.statements and ASKS_FOR_MAJORITY.search(parsed.words):
            return self._majority_reply(parsed, noise, other if slip < self.profile.slip else None)
        chance = chances(self.profile, parsed.question, parsed.answer_counts)
        answer = candidate(chance, self._sample_draw(request, parsed.question))
        if parsed.earlier is not None:
            answer = self._second_answer(parsed.earlier, parsed.question, chance, request.seed)
        fixed = assessing.fixed_answer(parsed)
        answer = fixed or answer
        if parsed.inside_summary:
            return replies.SUMMARY.format(mark=parsed.mark, answer=answer)
        if parsed.prefill.rstrip().endswith(r"\boxed{"):
            return f"{answer}}}."
        level = self._level(parsed.question, answer, chance) + noise
        # The confidences of the steps are such that their product is that of the whole.
        steps = self.profile.steps
        if assessing.may_not_know(parsed):
            if uniforms("abstains", self.profile.seed, request.seed)[0] < self.profile.abstains:
                return f"{parsed.opening}\n\n{assessing.UNKNOWN}"
            steps = assessing.steps_of_doubt(steps, level, self.profile.wanders)
        if fixed is not None:
            steps = assessing.explanation_steps(parsed, steps)
        each = None
        if "onfidence of step" in parsed.words:
            each = rating_percent(min(max(level, 0.0), 1.0) ** (1 / steps))
        ending = replies.ending_of(parsed, answer, level, chance)

        def write(tended: str) -> list[str]:
            return replies.thoughts(parsed.mark, steps, tended, each)

        return replies.write_solution(parsed, write, answer, ending, request.sampling)

    def _verdict(self, parsed: ParsedRequest, seed: int) -> str:
        """Return a verdict on the answer that was shown last."""
        *_, (_, _, shown) = parsed.statements
        true, *_ = uniforms("verdict", self.profile.seed, seed)
        is_right = (shown == parsed.question.right) == (true < self.profile.critic)
        return f"{parsed.opening}\n\nVerdict: {'right' if is_right else 'wrong'}"

    def _second_answer(
        self, first: str, question: SimulatedQuestion, chance: Mapping[str, float], seed: int
    ) -> str:
        """Return the answer to a question that is put again after a first answer."""
        changes, mistake, *_ = uniforms("again", self.profile.seed, seed)
        if first != question.right:
            return question.right if changes < self.profile.corrects else first
        if changes < self.profile.stays:
            return first
        wrong = {answer: share for answer, share in chance.items() if answer != first}
        return candidate(wrong, mistake * sum(wrong.values()))

    def _sample_draw(self, request: Request, question: SimulatedQuestion) -> float:
        """Return the number in (0, 1) that decides a sample: its own, or the shared one."""
        place = request.place
        shares, own, *_ = uniforms("sample", self.profile.seed, place.episode, place.seat)
        return shared_draw(self.profile.seed, question) if shares < self.profile.shared else own

    def _level(
        self, question: SimulatedQuestion, answer: str, chance: Mapping[str, float]
    ) -> float:
        """Return the confidence that is stated for an answer, without noise and before clipping."""
        right = chance[question.right]
        difference = (answer == question.right) - right
        return right + self.profile.bias + self.profile.discrimination * difference

    def _own_level(self, question: SimulatedQuestion, answer: str) -> float:
        """Return the level for an answer to a question that was answered without peers."""
        return self._level(question, answer, chances(self.profile, question))

    def _majority_reply(self, parsed: ParsedRequest, noise: float, other: float | None) -> str:
        """Return the answer that most agree on, or the number of the first response that gives it.

        If the solver slips, `other` in [0, 1) chooses among the other answers; else it is None.
        """
        responses = parsed.responses
        answers = Counter(responses.values()) or parsed.answer_counts
        # Of equals, Counter gives the one that came first.
        [(answer, _)] = answers.most_common(1)
        others = sorted(answers.keys() - {answer})
        if other is not None and others:
            answer = others[int(other * len(others))]
        if responses and r"\boxed{}" not in parsed.words:
            number = next(number for number, response in responses.items() if response == answer)
            return f"{parsed.opening}\n\nThe most consistent is Response {number}."
        chance = chances(self.profile, parsed.question, parsed.answer_counts)
        level = self._level(parsed.question, answer, chance) + noise
        return f"{parsed.opening}\n\n{replies.ending_of(parsed, answer, level, {})}"


def uniforms(*words: object) -> tuple[float, ...]:
    """Return four numbers in (0, 1) that depend on these words alone.

    They cost less than a random stream.
    """
    # 52 bits of each, and the middle of the step: never 0, never 1.
    return tuple(
        ((number >> 12) + 0.5) * 2**-52
        for number in FOUR_UINT64.unpack(hashlib.sha256(repr(words).encode()).digest())
    )


def last_possible(words: str) -> str | None:
    """Return the last possible answer in a prompt, or None; earlier ones may be examples."""
    found = POSSIBLE_ANSWER.findall(words)
    return str(int(found[-1])) if found else None


@lru_cache(maxsize=4096)
def shared_draw(seed: int, question: SimulatedQuestion) -> float:
    """Return the number in (0, 1) that all samples of a question have in common."""
    return uniforms("shared", seed, question.number, question.difficulty, question.right)[0]


def candidate(chance: Mapping[str, float], place: float) -> str:
    """Return the candidate at a place in [0, 1) of the cumulative chances.

    The right answer comes first: it is given if the place is below its chance.
    """
    for answer, share in chance.items():
        place -= share
        if place < 0:
            return answer
    # Rounding left the sum of the chances a hair below the place.
    return next(iter(chance))


def simulated_solver(profile: str) -> SimulatedSolver:
    """Return the solver that `sim/solver:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {SOLVER: SolverProfile()}, BOUNDS)
    return SimulatedSolver(f"sim/{name}", parameters)
