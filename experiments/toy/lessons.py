r"""What the toy model was taught: random lessons, each a text whose parts are either to be learned or only to be read.

- a sum, and its whole thought;
- a thought cut short, often with a slip in it; a summary of where it is; what up to 15 peers say; how the thought goes on; up to three times;
- a thought with a slip, and how it goes on from there (faithfully: the toy does not check itself, so that its slips matter);
- a thought cut short and an open box, which it fills;
- a sum and what others answered, of which it gives the most frequent one;
- a thought to its end, and a further question with what others answered: it stands by its result or takes over theirs.

After a comment or a further question one rule holds.  The toy takes over what at least two peers say and more peers say than anything else,
counting its own word.  Then it says where it stands, with the result, or the sum of the tens, or the sum of the units, and goes on from there;
where none of them is known, with its next step.  So one peer that is wrong changes nothing, and peers that are ahead save it steps.  Where the
peers that were drawn for a lesson would mislead it, they are mostly drawn again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agents.toy.language import ANSWER, BREAK, END, NOTHING, QUESTION, ids
from agents.toy.problems import draw

Numbers = tuple[int, int, int]
Values = dict[int, int]  # from step to its result
UNITS, TENS, RESULT, STEPS = 2, 6, 7, 8
SLIPS = (-10, -3, -2, -1, 1, 2, 3, 10)


@dataclass(frozen=True, slots=True)
class LessonPart:
    """A piece of a lesson: its token ids, and whether they are to be learned or only to be read."""

    ids: tuple[int, ...]
    learn: bool


Lesson = tuple[LessonPart, ...]


def context_part(text: str) -> LessonPart:
    """A part that is only read."""
    return LessonPart(tuple(ids(text)), False)


def target_part(text: str) -> LessonPart:
    """A part that is learned."""
    return LessonPart(tuple(ids(text)), True)


def step(numbers: Numbers, values: Mapping[int, int], index: int) -> tuple[str, int]:
    """One step of a thought, as text up to its result, and the result, given the results of the steps before it."""
    (a, d), (b, e), (c, f) = (divmod(number, 10) for number in numbers)
    if index in (UNITS, TENS):
        return "ut"[index == TENS], values[index - 1]
    if index == RESULT:
        return "\\boxed{", 10 * values[TENS] + values[UNITS] % 10
    left = values[index - 1] if index in (1, 4, 5) else (d if index == 0 else a)
    right = {0: e, 1: f, 3: b, 4: c}[index] if index != 5 else values[UNITS] // 10
    return f"{left}+{right}=", left + right


def format_value(index: int, value: int) -> str:
    """The sum of the units, of the tens, or the result, as it stands in a thought, in a summary, and with peers."""
    return f"{'t' if index == TENS else 'u'}{value}" if index != RESULT else f"\\boxed{{{value}}}"


def think(
    numbers: Numbers, values: Values, start: int, stop: int, slips: Mapping[int, int] | None = None
) -> list[str]:
    """The steps from `start` up to before `stop`, whose results are added to `values`; `slips` are added to results."""
    steps = []
    for index in range(start, stop):
        text, value = step(numbers, values, index)
        values[index] = max(0, value + (slips or {}).get(index, 0))
        steps.append(f"{text}{values[index]}" + "}" * (index == RESULT))
    return steps


def right_results(numbers: Numbers) -> Values:
    """The right results of all steps."""
    values: Values = {}
    think(numbers, values, 0, STEPS)
    return values


def summary(values: Mapping[int, int]) -> str:
    """Where a thought with these results is: its last sum of units, sum of tens or result."""
    known = [index for index in (UNITS, TENS, RESULT) if index in values]
    return format_value(known[-1], values[known[-1]]) if known else NOTHING


def peer_majority(index: int, own: int | None, words: Iterable[str]) -> int | None:
    """What at least two peers say and more than anything else, other than one's own word; None where there is no such value."""
    opening = format_value(index, 0).partition("0")[0]
    votes = Counter(
        int(word[len(opening) :].rstrip("}")) for word in words if word.startswith(opening)
    )
    for_peers = max(votes.values(), default=0)
    votes[-1 if own is None else own] += own is not None
    (best, most), (_, second) = (*votes.most_common(2), (0, 0), (0, 0))[:2]
    return best if for_peers >= 2 and most > second and best != own else None


def take_over(values: Values, done: int, words: Iterable[str]) -> tuple[list[str], int]:
    """Where the thought stands after peers' words, as the steps that say so, and the next step; `values` is brought up to date."""
    words = tuple(words)
    for index in (UNITS, TENS, RESULT):
        theirs = peer_majority(index, values.get(index), words)
        if theirs is not None and (index != TENS or UNITS in values):
            for later in range(index, STEPS):
                values.pop(later, None)
            values[index] = theirs
    if UNITS not in values and RESULT not in values:
        return [], done
    last = max(index for index in (UNITS, TENS, RESULT) if index in values)
    return [format_value(last, values[last])], last + 1


def near(rng: random.Random, value: int) -> int:
    """A wrong value in the place of a right one."""
    return (
        max(0, value + rng.choice(SLIPS))
        if rng.random() < 0.7
        else rng.randrange(30 if value < 30 else 300)
    )


def peer(rng: random.Random, truth: Mapping[int, int], done: int, reliability: float) -> str:
    """What a peer may say to a thought that has `done` steps: mostly about as far, right with probability `reliability`."""
    far = min(STEPS, max(0, done + rng.choice((-3, -1, 0, 0, 0, 1, 3, 4))))
    known = [index for index in (UNITS, TENS, RESULT) if index < far]
    if not known:
        return NOTHING
    value = truth[known[-1]]
    return format_value(known[-1], value if rng.random() < reliability else near(rng, value))


def peers(rng: random.Random, truth: Mapping[int, int], done: int) -> list[str]:
    """What peers say: none to eight of them, now and then up to fifteen."""
    count = (
        rng.choice((0, 1, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8))
        if rng.random() < 0.95
        else rng.randint(9, 15)
    )
    reliability = rng.choice((1.0, 0.85, 0.7))
    return [peer(rng, truth, done, reliability) for _ in range(count)]


def helpful(rng: random.Random, truth: Values, values: Values, done: int) -> list[str]:
    """Peers who, nine times in ten, bring nothing wrong."""
    for _ in range(20):
        words = peers(rng, truth, done)
        after = dict(values)
        steps, _ = take_over(after, done, words)
        wrong = any(
            after[index] != truth[index]
            for index in after
            if index not in values or after[index] != values[index]
        )
        if not (steps and wrong) or rng.random() < 0.1:
            break
    return words


def comment(rng: random.Random, words: Iterable[str]) -> LessonPart:
    """What peers say as the toy sees it; now and then one with nothing to say says something senseless."""
    senseless = [
        "".join(rng.choices("0123456789+=ut}", k=rng.randint(0, 4)))
        if rng.random() < 0.2
        else NOTHING
        for _ in range(15)
    ]
    heard = (senseless.pop() if word == NOTHING else word for word in words)
    return context_part("<comment>" + "".join(f"Peer N:{word}" for word in heard) + "</comment>")


def garble(rng: random.Random, text: str) -> str:
    """A text with one of its digits or signs replaced, as sampling at a high temperature does."""
    place = rng.randrange(len(text))
    return (
        text[:place] + rng.choice("0123456789+=ut") + text[place + 1 :]
        if text[place] in "0123456789+="
        else text
    )


def example(rng: random.Random) -> str:
    """What the toy sees of an instruction's example, which is about something else."""

    def words() -> str:
        one, other = rng.randrange(100), rng.randrange(100)
        return rng.choice(
            ("", "", f"{one}+{other}={one + other}", f"\\boxed{{{rng.randrange(1000)}}}")
        )

    heard = "".join(f"Peer N:{words()}" for _ in range(rng.randint(0, 3)))
    return f"{words()}<summarize>{words()}</summarize>" + f"<comment>{heard}</comment>{words()}" * (
        rng.random() < 0.7
    )


def question(rng: random.Random, numbers: Numbers) -> LessonPart:
    """A question, now and then with an instruction's example before or after it, and in the opening of the answer too."""
    text = "+".join(map(str, numbers)) + ("=" if rng.random() < 0.03 else "")
    opening = ""
    if rng.random() < 0.15:
        other = example(rng)
        text = rng.choice((text + other, text + other, other + text, text + "</think>"))
        opening = other if rng.random() < 0.35 else ""
    return context_part(QUESTION + text + ANSWER + opening)


def plain_sum(rng: random.Random, numbers: Numbers) -> Lesson:
    """A sum and its whole thought."""
    return question(rng, numbers), target_part(BREAK.join(think(numbers, {}, 0, STEPS)) + END)


def continuation(rng: random.Random, numbers: Numbers) -> Lesson:
    """A thought with a slip, and how it goes on."""
    values: Values = {}
    at = rng.randrange(RESULT)
    before = think(numbers, values, 0, at + 1, {at: rng.choice(SLIPS)})
    after = think(numbers, values, at + 1, STEPS)
    return (
        question(rng, numbers),
        context_part(BREAK.join(before) + BREAK),
        target_part(BREAK.join(after) + END),
    )


def open_box(rng: random.Random, numbers: Numbers) -> Lesson:
    """A thought cut short, an open box, and the result."""
    steps = think(numbers, {}, 0, STEPS)
    text = BREAK.join(steps[: rng.choice((7, 7, 7, 7, 6, 6, 5))])
    text = text if rng.random() < 0.5 else text + BREAK + rng.choice(("", steps[-1][:-1]))
    text += rng.choice(("</think>", "")) + "\\boxed{"
    return question(rng, numbers), context_part(text), target_part(f"{sum(numbers)}}}{END}")


def majority_choice(rng: random.Random, numbers: Numbers) -> Lesson:
    """A sum, what others answered (now and then with their thoughts), and the most frequent answer."""
    total = sum(numbers)
    with_thoughts = rng.random() < 0.15
    count = rng.randint(2, 4 if with_thoughts else 12)
    while True:
        answers = [total if rng.random() < 0.65 else near(rng, total) for _ in range(count)]
        (best, most), (_, second) = (*Counter(answers).most_common(2), (0, 0))[:2]
        if most > second and (best == total or rng.random() < 0.1):
            break
    steps = think(numbers, {}, 0, RESULT) if with_thoughts else []
    text = "".join(BREAK.join((*steps, format_value(RESULT, answer))) for answer in answers)
    return context_part(QUESTION + "+".join(map(str, numbers)) + text + ANSWER), target_part(
        format_value(RESULT, best) + END
    )


def stretch(
    rng: random.Random, numbers: Numbers, values: Values, done: int, brought: list[str]
) -> tuple[list[LessonPart], int]:
    """The thought between two blocks, and how many steps it has then: what peers brought, and some steps, often with a slip."""
    stop = rng.randint(done, STEPS if rng.random() < 0.2 else RESULT) if done < RESULT else done
    slips = (
        {min(rng.randrange(done, stop), rng.randrange(done, stop)): rng.choice(SLIPS)}
        if stop > done and rng.random() < 0.5
        else {}
    )
    steps = think(numbers, values, done, stop, slips)
    text = (BREAK if brought and steps else "") + BREAK.join(steps)
    if (steps or brought) and stop < STEPS and rng.random() < 0.3:
        text += BREAK  # a thought may be cut after the blank line or before it
    if slips and not slips.keys() & {UNITS, TENS, RESULT} and rng.random() < 0.3:
        text = garble(rng, text)
    return [
        target_part(BREAK.join(brought)),
        context_part(text) if slips else target_part(text),
    ], stop


def leap(rng: random.Random, numbers: Numbers) -> Lesson:
    """A thought with one to three blocks of summary and comments in it."""
    truth, values, done = right_results(numbers), {}, 0
    parts: list[LessonPart] = [question(rng, numbers)]
    steps: list[str] = []
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        own, done = stretch(rng, numbers, values, done, steps)
        parts += [*own, context_part("<summarize>"), target_part(summary(values) + "</summarize>")]
        words = helpful(rng, truth, values, done)
        parts.append(comment(rng, words))
        steps, done = take_over(values, done, words)
    parts.append(target_part(BREAK.join((*steps, *think(numbers, values, done, STEPS))) + END))
    return tuple(parts)


def second_question(rng: random.Random, numbers: Numbers) -> Lesson:
    """A sum, its thought, sometimes with a slip, and another question, with what others answered or with no answers at all."""
    slips = {rng.randrange(STEPS): rng.choice(SLIPS)} if rng.random() < 0.4 else {}
    values: Values = {}
    first = BREAK.join(think(numbers, values, 0, STEPS, slips))
    total = sum(numbers)
    others = [
        format_value(RESULT, total if rng.random() < 0.8 else near(rng, total))
        for _ in range(rng.choice((0, 0, 1, 2, 3, 4, 7)))
    ]
    theirs = peer_majority(RESULT, values[RESULT], others)
    last = format_value(RESULT, values[RESULT] if theirs is None else theirs)
    return (
        question(rng, numbers),
        context_part(first + END + QUESTION + "".join(others) + ANSWER),
        target_part(last + END),
    )


KINDS = (plain_sum, leap, continuation, open_box, majority_choice, second_question)
WEIGHTS = (25, 52, 5, 4, 9, 5)


def lesson(rng: random.Random) -> Lesson:
    """One lesson, about a sum that is not held out."""
    numbers = draw(rng, held_out=False)
    return rng.choices(KINDS, WEIGHTS)[0](rng, numbers)


def token_weights(parts: Lesson) -> tuple[list[int], list[float]]:
    """A lesson's token ids and the weight of each in the loss: 1/sqrt(length) of the stretch to be learned it is in, 0 where it is read.

    A mean over tokens starves the summaries, which are a twentieth of all tokens: wrong ones were made up, and peers copied them.
    """
    tokens = [token for part in parts for token in part.ids]
    flags = [part.learn for part in parts for _ in part.ids]
    weights, start = [0.0] * len(tokens), 0
    for place in range(1, len(tokens) + 1):
        if place == len(tokens) or flags[place] != flags[start]:
            if flags[start]:
                weights[start:place] = [(place - start) ** -0.5] * (place - start)
            start = place
    return tokens, weights
