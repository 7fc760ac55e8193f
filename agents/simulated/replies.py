"""What a simulated solver (simulated_solver.py) is asked, and the words of its replies: no chance is drawn here.

Every answer that a solver states carries the mark of its sample, `#0a1b2c3d tends to 57` or `#0a1b2c3d answers \\boxed{57}`, so that a reader
tells its own words from a peer's, and counts a peer once however often it repeats itself.  A box without a mark is a voice of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agents.simulated.debater import rating_percent
from agents.simulated.questions import SimulatedQuestion, question_in
from arena.types import Request, Sampling

CHARACTERS_A_TOKEN = 4
STATEMENT = re.compile(
    r"#(?P<who>[0-9a-f]{8}) (?:tends to|answers) (?:\\boxed\{)?(?P<said>\d{1,3})(?!\d)|\\(?:boxed|fbox)\{(?P<box>\d{1,3})\}"
)
STEP_START = re.compile(r"Step (?P<step>\d{1,2}) of \d{1,2}\. #(?P<who>[0-9a-f]{8}) tends to \d")
RESPONSE = re.compile(r"\bResponse (\d{1,3})\b")
GUESS = re.compile(r"\bG(\d)\b")
OPENING = "Simulated reasoning of #{mark}: no language model said this."
STEP = "Step {step} of {steps}. #{mark} tends to {answer}. Here a paragraph stands where a model might think about {answer}; it holds no thought."
SUMMARY = " #{mark} tends to {answer}. The number {answer} fits so far, and each check of {answer} held.</summarize>"
NO_ANSWER = "Simulated reply without an answer: no language model said this."
# The paragraphs of a thought that tends to an answer, the opening first.
Thoughts = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """What a request asks: the question, the user's words, what the reply has begun with, the sample's mark, and who says what.

    `said` holds (place in words and beginning, who, answer) in order, the sample's own statements left out.
    """

    question: SimulatedQuestion
    words: str
    prefill: str
    mark: str
    statements: tuple[tuple[int, str, str], ...]

    @property
    def answer_counts(self) -> Counter[str]:
        """How many say each answer: of everybody the last that it said."""
        return Counter({who: answer for _, who, answer in self.statements}.values())

    @property
    def inside_summary(self) -> bool:
        """Whether the reply has begun in the middle of a summary."""
        return self.prefill.rfind("<summarize>") > self.prefill.rfind("</summarize>")

    @property
    def responses(self) -> dict[int, str]:
        """The last answer under each heading "Response k", where there are two or more; a heading without an answer is left out."""
        headings = [(int(match[1]), match.start()) for match in RESPONSE.finditer(self.words)]
        found: dict[int, str] = {}
        ends = [place for _, place in headings[1:]] + [len(self.words)]
        for (number, begin), end in zip(headings, ends, strict=False):
            answers = [answer for place, _, answer in self.statements if begin <= place < end]
            if answers:
                found.setdefault(number, answers[-1])
        return found if len(found) > 1 else {}


def parse_request(request: Request) -> ParsedRequest | None:
    """What a request asks; None where it holds no simulated question."""
    last = request.messages[-1] if request.messages else None
    begun = last.content if last is not None and last.role == "assistant" else ""
    words = "\n".join(
        message.content for message in request.messages if message.role != "assistant"
    )
    question = question_in(words)
    if question is None:
        return None
    mark = mark_of(request.place.episode, request.place.seat)
    return ParsedRequest(question, words, begun, mark, statements_in(f"{words}\n{begun}", mark))


def mark_of(episode: str, seat: str) -> str:
    """What a sample signs with: 8 hex digits."""
    return hashlib.sha256(f"{episode}/{seat}".encode()).hexdigest()[:8]


def statements_in(text: str, own: str) -> tuple[tuple[int, str, str], ...]:
    """(place, who, answer) of every statement in a text, those of `own` left out."""
    found = (
        (match.start(), match["who"] or f"place {match.start()}", match["said"] or match["box"])
        for match in STATEMENT.finditer(text)
    )
    return tuple((place, who, str(int(answer))) for place, who, answer in found if who != own)


def thoughts(mark: str, steps: int, answer: str, each: int | None = None) -> list[str]:
    """The opening and so many paragraphs of thought; `each` is the confidence of every step in percent, where it is asked for."""
    rated = "" if each is None else "\nConfidence of step {step}: {each}%"
    return [
        OPENING.format(mark=mark),
        *(
            (STEP + rated).format(step=step, steps=steps, mark=mark, answer=answer, each=each)
            for step in range(1, steps + 1)
        ),
    ]


def ending_of(asked: ParsedRequest, answer: str, level: float, chance: Mapping[str, float]) -> str:
    """The answer in the form that is asked for, with its confidence (`level`, clipped) where one is; `chance` orders the other guesses."""
    count = max((int(number) for number in GUESS.findall(asked.words)), default=0)
    if count:
        first = rating_percent(level) / 100
        others = sorted(
            (other for other in chance if other != answer), key=lambda other: -chance[other]
        )[: count - 1]
        total = sum(chance[other] for other in others) or 1.0
        guesses = [
            (answer, first),
            *((other, (1 - first) * chance[other] / total) for other in others),
        ]
        return "\n".join(
            f"G{place}: {guess}\nP{place}: {share:.2f}"
            for place, (guess, share) in enumerate(guesses, 1)
        )
    boxed = f"#{asked.mark} answers \\boxed{{{answer}}}"
    return f"{boxed}\nConfidence: {rating_percent(level)}%" if "onfidence" in asked.words else boxed


def write_solution(
    asked: ParsedRequest, write: Thoughts, answer: str, ending: str, sampling: Sampling
) -> str:
    """Thoughts and ending, or what is left of them after what the reply has begun with."""
    if not asked.prefill and "between <summarize> and" in asked.words:
        # A turn of a path that cannot be continued: its answer comes with the last one.
        last = f"\n{ending}" if "last turn" in asked.words else ""
        return (
            "\n\n".join(write(answer))
            + "\n\n<summarize>"
            + SUMMARY.format(mark=asked.mark, answer=answer)
            + last
        )
    begun = asked.prefill
    gap = "" if not begun or begun.endswith("\n\n") else "\n" if begun.endswith("\n") else "\n\n"
    opened, closed = begun.rfind("<think>"), begun.rfind("</think>")
    if closed > opened:
        after, rest = begun[closed + len("</think>") :], f"\n\n{ending}"
        return rest[len(after) :] if rest.startswith(after) else gap + ending
    close = "\n</think>\n\n" if opened >= 0 or "</think>" in sampling.stop else "\n\n"
    number, tail = last_paragraph(asked)
    script = write(answer)
    if number >= 0:
        # The paragraph may be half written, and with the answer that it tended to before others were heard.
        for again in (
            script[number],
            write(STATEMENT.search(tail)["said"])[number]
            if STATEMENT.search(tail)
            else script[number],
        ):
            rest = "\n\n".join((again, *script[number + 1 :])) + close + ending
            if rest.startswith(tail):
                return rest[len(tail) :]
    left = script[number + 1 :]
    return gap + "\n\n".join(left) + (close if left else close.lstrip("\n")) + ending


def last_paragraph(asked: ParsedRequest) -> tuple[int, str]:
    """(number, text from there on) of the last paragraph of its own that a reply has begun with; -1 where there is none."""
    if not asked.prefill:
        return -1, ""
    own = [match for match in STEP_START.finditer(asked.prefill) if match["who"] == asked.mark]
    if own:
        return int(own[-1]["step"]), asked.prefill[own[-1].start() :]
    opening = OPENING.format(mark=asked.mark)
    if (start := asked.prefill.rfind(opening)) >= 0:
        return 0, asked.prefill[start:]
    sizes = range(len(opening) - 1, 0, -1)
    # A letter or two at the end are its beginning only where a line begins with them.
    whole = f"\n{asked.prefill}"
    begun = next(
        (
            size
            for size in sizes
            if whole.endswith(opening[:size] if size > 9 else f"\n{opening[:size]}")
        ),
        0,
    )
    return (0, opening[:begun]) if begun else (-1, "")


def cut(text: str, sampling: Sampling) -> tuple[str, str]:
    """(text, finish reason): before the first stop word ("stop"), or after the most tokens ("length"), whichever comes first."""
    most = len(text) if sampling.max_tokens is None else CHARACTERS_A_TOKEN * sampling.max_tokens
    stop = min((at for word in sampling.stop if (at := text.find(word)) >= 0), default=len(text))
    return (text[:stop], "stop") if stop <= most else (text[:most], "length")


def count_tokens(characters: int) -> int:
    """The tokens of so many characters, the last one begun."""
    return -(-characters // CHARACTERS_A_TOKEN)
