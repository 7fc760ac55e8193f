"""Read the requests to simulated solvers (solver.py), and write their replies; nothing is random.

Every answer that a solver states carries the mark of its sample, as in `#0a1b2c3d tends to 57` or
`#0a1b2c3d answers \\boxed{57}`.  By it a reader tells its own words from a peer's, and counts a
peer once however often it repeats itself.  A box without a mark counts as a peer of its own.
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
    r"#(?P<who>[0-9a-f]{8}) (?:tends to|answers) (?:\\boxed\{)?(?P<marked>\d{1,3})(?!\d)"
    r"|\\(?:boxed|fbox)\{(?P<box>\d{1,3})\}"
)
STEP_START = re.compile(r"Step (?P<step>\d{1,2}) of \d{1,2}\. #(?P<who>[0-9a-f]{8}) tends to \d")
RESPONSE = re.compile(r"\bResponse (\d{1,3})\b")
GUESS = re.compile(r"\bG(\d)\b")
OPENING = "Simulated reasoning of #{mark}: no language model said this."
STEP = (
    "Step {step} of {steps}. #{mark} tends to {answer}. Here a paragraph stands where a model might"
    " think about {answer}; it holds no thought."
)
SUMMARY = (
    " #{mark} tends to {answer}. The number {answer} fits so far, and each check of {answer}"
    " held.</summarize>"
)
NO_ANSWER = "Simulated reply without an answer: no language model said this."
# From an answer to the paragraphs of a thought that tends to it, the opening first.
Thoughts = Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A request as a solver reads it.

    `words` are all messages but the assistant's, `prefill` is the text that the reply has begun
    with, and `mark` the sample's own.  `statements` holds (place in words and prefill, who, answer)
    in order, without the sample's own.  `earlier` is its own last answer in a conversation in which
    the question is put again; None: in no such one.
    """

    question: SimulatedQuestion
    words: str
    prefill: str
    mark: str
    statements: tuple[tuple[int, str, str], ...]
    earlier: str | None = None

    @property
    def opening(self) -> str:
        """The words that open a reply, which say that it is simulated."""
        return OPENING.format(mark=self.mark)

    @property
    def answer_counts(self) -> Counter[str]:
        """The number of peers that say each answer; of each peer its last statement counts."""
        return Counter({who: answer for _, who, answer in self.statements}.values())

    @property
    def inside_summary(self) -> bool:
        """Whether the reply has begun in the middle of a summary."""
        return self.prefill.rfind("<summarize>") > self.prefill.rfind("</summarize>")

    @property
    def responses(self) -> dict[int, str]:
        """The last answer under each heading "Response k", if two or more have one."""
        headings = [(int(match[1]), match.start()) for match in RESPONSE.finditer(self.words)]
        last: dict[int, str] = {}
        ends = [place for _, place in headings[1:]] + [len(self.words)]
        for (number, begin), end in zip(headings, ends, strict=False):
            answers = [answer for place, _, answer in self.statements if begin <= place < end]
            if answers:
                last.setdefault(number, answers[-1])
        return last if len(last) > 1 else {}


def parse_request(request: Request) -> ParsedRequest | None:
    """Return a request as a solver reads it; None if it holds no simulated question."""
    last = request.messages[-1] if request.messages else None
    prefill = last.content if last is not None and last.role == "assistant" else ""
    others = [message.content for message in request.messages if message.role != "assistant"]
    words = "\n".join(others)
    question = question_in(words)
    if question is None:
        return None
    mark = mark_of(request.place.episode, request.place.seat)
    statements = statements_in(f"{words}\n{prefill}", mark)
    earlier = None if prefill else earlier_answer(request)
    return ParsedRequest(question, words, prefill, mark, statements, earlier)


def earlier_answer(request: Request) -> str | None:
    """Return the last answer of the sample itself, if the last message puts the question again."""
    said = [message.content for message in request.messages if message.role == "assistant"]
    if not said or question_in(request.messages[-1].content) is None:
        return None
    answers = [answer for _, _, answer in statements_in("\n".join(said), "")]
    return answers[-1] if answers else None


def mark_of(episode: str, seat: str) -> str:
    """Return the mark of a sample: 8 hex digits that depend on its episode and seat."""
    return hashlib.sha256(f"{episode}/{seat}".encode()).hexdigest()[:8]


def statements_in(text: str, own: str) -> tuple[tuple[int, str, str], ...]:
    """Return (place, who, answer) of every statement in a text, without those of `own`."""
    # A box without a mark is named by its place, which makes it a peer of its own.
    statements = (
        (match.start(), match["who"] or f"place {match.start()}", match["marked"] or match["box"])
        for match in STATEMENT.finditer(text)
    )
    return tuple((place, who, str(int(answer))) for place, who, answer in statements if who != own)


def thoughts(mark: str, steps: int, answer: str, each: int | None = None) -> list[str]:
    """Return the opening and `steps` paragraphs of thought.

    `each` is the confidence of every step in percent, None if it is not asked for.
    """
    form = STEP if each is None else STEP + "\nConfidence of step {step}: {each}%"
    paragraphs = [
        form.format(step=step, steps=steps, mark=mark, answer=answer, each=each)
        for step in range(1, steps + 1)
    ]
    return [OPENING.format(mark=mark), *paragraphs]


def ending_of(parsed: ParsedRequest, answer: str, level: float, chance: Mapping[str, float]) -> str:
    """Return the answer in the form that is asked for, with its confidence if that is asked for.

    The confidence is `level`, clipped to [0, 1]; `chance` orders the further guesses.
    """
    # The prompt asks for as many guesses as the highest k of its "Gk".
    count = max((int(number) for number in GUESS.findall(parsed.words)), default=0)
    if count:
        first = rating_percent(level) / 100
        ranked = sorted(chance, key=lambda other: -chance[other])
        others = [other for other in ranked if other != answer][: count - 1]
        # The further guesses share the rest of the probability in proportion to their chances.
        total = sum(chance[other] for other in others) or 1.0
        guesses = [(answer, first)]
        guesses += [(other, (1 - first) * chance[other] / total) for other in others]
        return "\n".join(
            f"G{place}: {guess}\nP{place}: {share:.2f}"
            for place, (guess, share) in enumerate(guesses, 1)
        )
    boxed = f"#{parsed.mark} answers \\boxed{{{answer}}}"
    asks_for_confidence = "onfidence" in parsed.words
    return boxed + (f"\nConfidence: {rating_percent(level)}%" if asks_for_confidence else "")


def write_solution(
    parsed: ParsedRequest, write: Thoughts, answer: str, ending: str, sampling: Sampling
) -> str:
    """Return thoughts and ending, or the part of them that follows the prefill."""
    if not parsed.prefill and "between <summarize> and" in parsed.words:
        # A turn of a path that cannot be continued: its answer comes with the last one.
        last = f"\n{ending}" if "last turn" in parsed.words else ""
        summary = SUMMARY.format(mark=parsed.mark, answer=answer)
        return "\n\n".join(write(answer)) + "\n\n<summarize>" + summary + last
    prefill = parsed.prefill
    # The line breaks that are missing before a new paragraph, of two.
    breaks = len(prefill) - len(prefill.rstrip("\n"))
    gap = "\n" * max(2 - breaks, 0) if prefill else ""
    opened = prefill.rfind("<think>")
    closed = prefill.rfind("</think>")
    if closed > opened:
        # The thought is over, and perhaps some of the ending is written.
        written = prefill[closed + len("</think>") :]
        rest = f"\n\n{ending}"
        return rest[len(written) :] if rest.startswith(written) else gap + ending
    close = "\n</think>\n\n" if opened >= 0 or "</think>" in sampling.stop else "\n\n"
    number, tail = last_paragraph(parsed)
    script = write(answer)
    if number >= 0:
        # The last paragraph may be half written, and for the answer before others were heard.
        tended = STATEMENT.search(tail)
        former = write(tended["marked"])[number] if tended else script[number]
        for paragraph in (script[number], former):
            rest = "\n\n".join((paragraph, *script[number + 1 :])) + close + ending
            if rest.startswith(tail):
                return rest[len(tail) :]
    left = script[number + 1 :]
    return gap + "\n\n".join(left) + (close if left else close.lstrip("\n")) + ending


def last_paragraph(parsed: ParsedRequest) -> tuple[int, str]:
    """Return (number, text from there on) of the last paragraph of its own in the prefill.

    Number 0 is the opening; without any paragraph it is -1 and the text empty.
    """
    if not parsed.prefill:
        return -1, ""
    own = [match for match in STEP_START.finditer(parsed.prefill) if match["who"] == parsed.mark]
    if own:
        return int(own[-1]["step"]), parsed.prefill[own[-1].start() :]
    opening = parsed.opening
    if (start := parsed.prefill.rfind(opening)) >= 0:
        return 0, parsed.prefill[start:]
    # The prefill may end in the middle of the opening.  Up to nine letters count only if a line
    # begins with them: "S" ends many a word.
    lines = f"\n{parsed.prefill}"
    for size in range(len(opening) - 1, 0, -1):
        if lines.endswith(opening[:size] if size > 9 else f"\n{opening[:size]}"):
            return 0, opening[:size]
    return -1, ""


def cut(text: str, sampling: Sampling) -> tuple[str, str]:
    """Return (text, finish reason) of a text under the limits of a sampling.

    It ends before the first stop word ("stop") or after the most tokens ("length"), whichever comes
    first; a text that is complete counts as stopped.
    """
    most = len(text) if sampling.max_tokens is None else CHARACTERS_A_TOKEN * sampling.max_tokens
    places = [text.find(word) for word in sampling.stop]
    stop = min((place for place in places if place >= 0), default=len(text))
    return (text[:stop], "stop") if stop <= most else (text[:most], "length")


def count_tokens(characters: int) -> int:
    """Return the tokens of so many characters, rounded up."""
    return -(-characters // CHARACTERS_A_TOKEN)
