"""A simulated solver that helps itself, with known gains: to check ways of reasoning with oneself.

It is a solver (solver.py) whose ability depends on what its prompt holds beside the question.

Own demonstrations.  Asked for new questions with answers, it writes simulated questions; each
answer is right with probability `teaches`.  Where a prompt holds demonstrations, its ability rises
by `demonstrates` * (the share that is right - the share that is wrong), whoever wrote them.

Own questions.  What it knows of a question's background, uses, asks for and gains by is in
backgrounds.py.

Texts and peers.  A solver is moved by what it reads (`peer_weight`).  Told to weigh its own answer
against it, where exactly one of the two is right it takes that one with probability `implicit`, and
after reasons for both with `explicit`; where neither or both are, its own.  Asked for its answer
alone, it gives that without thoughts.

Mistakes.  Each time that its reply, or the user, says to go over what there is so far, a wrong
answer becomes right with probability `corrects`, and a right one stays with `stays`.

This is a model of our own, not one of a paper.  The store and every report mark its plays as
simulated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agents.simulated import backgrounds, documents, solver
from agents.simulated.debater import REASONER, Bounds, parse_profile, stream
from agents.simulated.questions import HIGHEST, SimulatedQuestion, question_in
from agents.simulated.replies import ParsedRequest, count_tokens, parse_request
from agents.simulated.solver import SimulatedSolver, SolverProfile, uniforms
from arena.types import Message, Reply, Request

ASKS_FOR_EXAMPLES = re.compile(r"Write (\d{1,2}) new questions of its kind")
# In other words than the questions that are asked, so that none of them is found in it.
TEXT = (
    "Simulated question {number}. Difficulty {difficulty}. What is sought here? [right answer"
    " {right}]"
)
EXAMPLE = (
    "<example>\n<question>{question}</question>\n<solution>Simulated solution: it is {answer}."
    "</solution>\n<answer>{answer}</answer>\n</example>"
)
GO_OVER = re.compile(r"\bgo over what (?:I|you) have so far", re.IGNORECASE)
# Questions of its own have numbers that no list of questions reaches.
NEW = 500_000
# A demonstration in a prompt: the right answer that its question states, and the one it gives.
SHOWN_EXAMPLE = re.compile(
    r"Question: Simulated question [^\[\]\n]*\[right answer (?P<right>\d{1,3})\]\n"
    r"(?:Solution: [^\n]*\n)?Answer: \\boxed\{(?P<given>\d{1,3})\}\n?"
)


@dataclass(frozen=True, slots=True)
class ReasonerProfile(SolverProfile):
    """The parameters of a simulated reasoner, those of a solver among them.

    `demonstrates`, `insight`: logits, in [-20, 20].  `teaches`, `knows`, `uses`, `asks`,
    `says_one`, `implicit`, `explicit`: in [0, 1].
    """

    demonstrates: float = 1.0
    teaches: float = 0.9
    insight: float = 0.0
    knows: float = 0.6
    uses: float = 0.3
    asks: float = 0.8
    says_one: float = 0.0
    implicit: float = 0.6
    explicit: float = 0.8


LOGITS = dict.fromkeys(("demonstrates", "insight"), (-20.0, 20.0))
SHARES = dict.fromkeys(
    ("teaches", "knows", "uses", "asks", "says_one", "implicit", "explicit"), (0.0, 1.0)
)
BOUNDS: Bounds = {**solver.BOUNDS, **LOGITS, **SHARES}


@dataclass(frozen=True)
class SimulatedReasoner(SimulatedSolver):
    """A model that helps itself by a profile; `simulated_reasoner` makes one."""

    profile: ReasonerProfile

    async def __call__(self, request: Request) -> Reply:
        """Return what is asked for: help for itself, or an answer after the help that is shown.

        Raises RefusedError if the request holds no simulated question.
        """
        words = "\n".join(message.content for message in request.messages)
        if (text := self._help(words, request.seed)) is not None:
            return self._written(text, request)
        rise = self._rise(words)
        able = replace(self.profile, ability=min(max(self.profile.ability + rise, -20.0), 20.0))
        # Without them, since an example may happen to have an answer of the question at hand.
        plain = replace(request, messages=tuple(map(without_examples, request.messages)))
        moved = replace(self, profile=able)
        decided = self._weighed(plain) or moved._deepened(plain)
        if decided is not None:
            plain = with_answer(plain, decided)
        reply = await SimulatedSolver.__call__(moved, plain)
        return self._in_code(reply, words, request.seed)

    def _help(self, words: str, seed: int) -> str | None:
        """Return what is to help itself or another, None if an answer is asked for."""
        own = self.profile
        if backgrounds.ASKS_FOR_ANSWERS in words:
            return backgrounds.told_answers(words, own.knows, own.seed)
        question = question_in(words)
        if question is None:
            return None
        if asked := ASKS_FOR_EXAMPLES.search(words):
            return self._examples(int(asked[1]), question, seed)
        if asked := backgrounds.ASKS_FOR_QUESTIONS.search(words):
            hits = uniforms("asks", own.seed, seed)[0] < own.asks
            return backgrounds.asked_questions(question, int(asked[1]), hits)
        return None

    def _rise(self, words: str) -> float:
        """Return by how many logits the words of a prompt raise its ability."""
        own = self.profile
        rise = own.demonstrates * rightness(words)
        question = question_in(words)
        if question is None:
            return rise
        insight = backgrounds.has_insight(words, question, own.knows, own.uses, own.seed)
        return rise + own.insight * insight

    def _weighed(self, request: Request) -> str | None:
        """Return which of its own answer and the one it is told it takes, None if not asked to."""
        parsed = parse_request(request)
        sides = None if parsed is None else documents.both_sides(parsed.words)
        if parsed is None or sides is None:
            return None
        own, told = sides
        right = parsed.question.right
        if (own == right) == (told == right):
            return own or told
        reasons = documents.gives_reasons(parsed.words)
        chance = self.profile.explicit if reasons else self.profile.implicit
        sees = uniforms("weighs", self.profile.seed, request.seed)[0] < chance
        wrong = told if own == right else own
        return right if sees or wrong is None else wrong

    def _deepened(self, request: Request) -> str | None:
        """Return the answer after it was told to look for mistakes, None if it was not."""
        parsed = parse_request(request)
        if parsed is None or not (times := len(GO_OVER.findall(parsed.words + parsed.prefill))):
            return None
        chance = solver.chances(self.profile, parsed.question, parsed.answer_counts)
        answer = solver.candidate(chance, self._sample_draw(request, parsed.question))
        place = request.place
        for number in range(times):
            draw = uniforms("goes over", self.profile.seed, place.episode, place.seat, number)[0]
            # A seed of its own for each time, the same whenever the reply goes on.
            answer = self._second_answer(answer, parsed.question, chance, int(draw * 2**31))
        return answer

    def _reply_text(self, parsed: ParsedRequest, request: Request) -> str:
        """Return the whole reply; the answer without thoughts where it is asked for alone."""
        text = super()._reply_text(parsed, request)
        start = text.rfind(f"#{parsed.mark} answers ")
        return text[start:] if start >= 0 and documents.ALONE in parsed.words else text

    def _in_code(self, reply: Reply, words: str, seed: int) -> Reply:
        """Return a reply with its answer as a digit, where the prompt asks for one."""
        question = question_in(words)
        boxed = re.search(r"\\boxed\{(\d{1,3})\}", reply.text)
        if question is None or boxed is None:
            return reply
        # Whatever mistake it makes, of two options it is the other one.
        same = (boxed[1] == question.right) == (question.right == "1")
        digit = backgrounds.digit_for(words, same)
        if digit is None:
            return reply
        if uniforms("says one", self.profile.seed, seed)[0] < self.profile.says_one:
            digit = "1"
        return replace(reply, text=reply.text.replace(boxed[0], f"\\boxed{{{digit}}}"))

    def _written(self, text: str, request: Request) -> Reply:
        """Return a text as a reply that ended by itself."""
        characters = sum(len(message.content) for message in request.messages)
        tokens_in, tokens_out = count_tokens(characters), count_tokens(len(text))
        return Reply(
            text,
            model_served=self.name,
            finish_reason="stop",
            tokens_in=tokens_in,
            tokens_out=tokens_out,
        )

    def _examples(self, count: int, like: SimulatedQuestion, seed: int) -> str:
        """Return simulated questions with answers, as many as are asked for."""
        draws = stream("examples", self.profile.seed, seed)
        written = []
        for number in range(count):
            right = draws.randint(0, HIGHEST)
            wrong = (right + draws.randint(1, HIGHEST)) % (HIGHEST + 1)
            answer = right if draws.random() < self.profile.teaches else wrong
            text = TEXT.format(
                number=NEW + draws.randrange(NEW // 2) + number,
                difficulty=f"{like.difficulty:.3f}",
                right=right,
            )
            written.append(EXAMPLE.format(question=text, answer=answer))
        return "\n".join(written)


def rightness(words: str) -> float:
    """Return the share of right demonstrations minus that of wrong ones, 0 without any."""
    found = [int(each["right"]) == int(each["given"]) for each in SHOWN_EXAMPLE.finditer(words)]
    return (2 * sum(found) - len(found)) / len(found) if found else 0.0


def with_answer(request: Request, answer: str) -> Request:
    """Return a request that says which answer to give, as a solver understands it."""
    messages = list(request.messages)
    place = max(number for number, each in enumerate(messages) if each.role == "user")
    said = f"{messages[place].content}\nYour answer to this question is \\boxed{{{answer}}}."
    messages[place] = replace(messages[place], content=said)
    return replace(request, messages=tuple(messages))


def without_examples(message: Message) -> Message:
    """Return a message without the demonstrations that it shows."""
    return replace(message, content=SHOWN_EXAMPLE.sub("", message.content))


def simulated_reasoner(profile: str) -> SimulatedReasoner:
    """Return the reasoner that `sim/reasoner:...` names, without its "sim/".

    Raises StudyError for unknown parameters or values.
    """
    name, parameters = parse_profile(profile, {REASONER: ReasonerProfile()}, BOUNDS)
    return SimulatedReasoner(f"sim/{name}", parameters)
