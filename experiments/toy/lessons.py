r"""Draw the lessons that the toy model was trained on: texts with parts to learn and parts to read.

- a sum, and its whole thought;
- a thought cut short, often with a slip in it, a summary of its state, the comments of up to 15
  peers, and the rest of the thought; up to three blocks of summary and comments;
- a thought with a slip, and how it goes on from there (faithfully: the toy does not check itself,
  so that its slips matter);
- a thought cut short and an open box, which it fills;
- a sum and the answers of others, of which it gives the most frequent one;
- a thought to its end, and a further question with the answers of others: it stands by its result
  or takes over theirs.

After a comment or a further question one rule holds.  The toy takes over a value that at least two
peers say and that has more votes than any other, its own vote counted.  Then it says where it
stands, with the result, or the sum of the tens, or the sum of the units, and goes on from there;
if it knows none of them, it goes on with its next step.  So one wrong peer changes nothing, and
peers that are ahead save it steps.  Peers that would mislead the toy in a lesson are mostly drawn
again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agents.toy.language import ANSWER, BREAK, END, NOTHING, QUESTION, ids
from agents.toy.problems import draw

Numbers = tuple[int, int, int]
# From the index of a step to its result.
Values = dict[int, int]
# The steps with a value that summaries and peers speak of, and the number of all steps.
UNITS = 2
TENS = 6
RESULT = 7
STEPS = 8
# What is added to a result where the thought slips.
SLIPS = (-10, -3, -2, -1, 1, 2, 3, 10)


@dataclass(frozen=True, slots=True)
class LessonPart:
    """A piece of a lesson: its token ids, to be learned or (`learn` False) only to be read."""

    ids: tuple[int, ...]
    learn: bool


Lesson = tuple[LessonPart, ...]


def context_part(text: str) -> LessonPart:
    """Return a part that is only read."""
    return LessonPart(tuple(ids(text)), False)


def target_part(text: str) -> LessonPart:
    """Return a part that is learned."""
    return LessonPart(tuple(ids(text)), True)


def step(numbers: Numbers, values: Mapping[int, int], index: int) -> tuple[str, int]:
    """Return (text up to the result, result) of a step, from the results of the steps before it.

    Steps 0 and 1 add up the units, 2 names their sum; 3 and 4 add up the tens, 5 adds the carry,
    6 names the sum; 7 is the result.
    """
    (a, d), (b, e), (c, f) = (divmod(number, 10) for number in numbers)
    if index in (UNITS, TENS):
        return "ut"[index == TENS], values[index - 1]
    if index == RESULT:
        return "\\boxed{", 10 * values[TENS] + values[UNITS] % 10
    left = values[index - 1] if index in (1, 4, 5) else (d if index == 0 else a)
    right = {0: e, 1: f, 3: b, 4: c}[index] if index != 5 else values[UNITS] // 10
    return f"{left}+{right}=", left + right


def format_value(index: int, value: int) -> str:
    """Return a sum of units or tens, or a result, as thoughts, summaries and peers write it."""
    return f"{'t' if index == TENS else 'u'}{value}" if index != RESULT else f"\\boxed{{{value}}}"


def think(
    numbers: Numbers, values: Values, start: int, stop: int, slips: Mapping[int, int] | None = None
) -> list[str]:
    """Return the texts of steps `start` to `stop` - 1, and put their results into `values`.

    `slips` maps a step to the error that is added to its result; no result falls below 0.
    """
    steps = []
    for index in range(start, stop):
        text, value = step(numbers, values, index)
        values[index] = max(0, value + (slips or {}).get(index, 0))
        steps.append(f"{text}{values[index]}" + "}" * (index == RESULT))
    return steps


def right_results(numbers: Numbers) -> Values:
    """Return the right results of all steps."""
    values: Values = {}
    think(numbers, values, 0, STEPS)
    return values


def summary(values: Mapping[int, int]) -> str:
    """Return the state of a thought: its last sum of units or tens, or its result."""
    known = [index for index in (UNITS, TENS, RESULT) if index in values]
    return format_value(known[-1], values[known[-1]]) if known else NOTHING


def peer_majority(index: int, own: int | None, words: Iterable[str]) -> int | None:
    """Return the value of a step that peers outvote one's own with, or None.

    At least two peers say it, and it has more votes than any other, with one's own vote counted.
    """
    opening = format_value(index, 0).partition("0")[0]
    votes = Counter(
        int(word[len(opening) :].rstrip("}")) for word in words if word.startswith(opening)
    )
    most_peers = max(votes.values(), default=0)
    # A missing own value casts a vote of 0 for -1, which no peer says.
    votes[-1 if own is None else own] += own is not None
    (best, most), (_, second) = (*votes.most_common(2), (0, 0), (0, 0))[:2]
    return best if most_peers >= 2 and most > second and best != own else None


def take_over(values: Values, done: int, words: Iterable[str]) -> tuple[list[str], int]:
    """Return (steps that say where a thought stands after its peers' words, the next step).

    `values` is brought up to date: a value that was taken over drops those that were built on it.
    """
    words = tuple(words)
    for index in (UNITS, TENS, RESULT):
        # Tens without units are of no use: the result needs both.
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
    """Return a value in the place of a right one: mostly a slip away, else a random one."""
    return (
        max(0, value + rng.choice(SLIPS))
        if rng.random() < 0.7
        else rng.randrange(30 if value < 30 else 300)
    )


def peer(rng: random.Random, truth: Mapping[int, int], done: int, reliability: float) -> str:
    """Return the words of a random peer of a thought that has `done` steps.

    The peer is mostly about as far, and right with probability `reliability`.
    """
    far = min(STEPS, max(0, done + rng.choice((-3, -1, 0, 0, 0, 1, 3, 4))))
    known = [index for index in (UNITS, TENS, RESULT) if index < far]
    if not known:
        return NOTHING
    value = truth[known[-1]]
    return format_value(known[-1], value if rng.random() < reliability else near(rng, value))


def peers(rng: random.Random, truth: Mapping[int, int], done: int) -> list[str]:
    """Return the words of none to eight random peers, now and then of up to fifteen."""
    count = (
        rng.choice((0, 1, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8))
        if rng.random() < 0.95
        else rng.randint(9, 15)
    )
    reliability = rng.choice((1.0, 0.85, 0.7))
    return [peer(rng, truth, done, reliability) for _ in range(count)]


def helpful(rng: random.Random, truth: Values, values: Values, done: int) -> list[str]:
    """Return the words of random peers who, nine times in ten, bring nothing wrong."""
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
    """Return the words of peers as the toy reads them.

    A peer with nothing to say says something senseless in one case of five.
    """
    senseless = [
        "".join(rng.choices("0123456789+=ut}", k=rng.randint(0, 4)))
        if rng.random() < 0.2
        else NOTHING
        for _ in range(15)
    ]
    spoken = (senseless.pop() if word == NOTHING else word for word in words)
    return context_part("<comment>" + "".join(f"Peer N:{word}" for word in spoken) + "</comment>")


def garble(rng: random.Random, text: str) -> str:
    """Replace one digit or sign of a text, as sampling at a high temperature does."""
    place = rng.randrange(len(text))
    return (
        text[:place] + rng.choice("0123456789+=ut") + text[place + 1 :]
        if text[place] in "0123456789+="
        else text
    )


def example(rng: random.Random) -> str:
    """Return the part of an instruction's example that the toy sees: about other numbers."""

    def words() -> str:
        left = rng.randrange(100)
        right = rng.randrange(100)
        return rng.choice(
            ("", "", f"{left}+{right}={left + right}", f"\\boxed{{{rng.randrange(1000)}}}")
        )

    spoken = "".join(f"Peer N:{words()}" for _ in range(rng.randint(0, 3)))
    summarised = f"{words()}<summarize>{words()}</summarize>"
    return summarised + f"<comment>{spoken}</comment>{words()}" * (rng.random() < 0.7)


def question(rng: random.Random, numbers: Numbers) -> LessonPart:
    """Return a question, now and then with an instruction's example before or after it.

    The example may stand in the opening of the answer too, as protocols with a prefill write it.
    """
    text = "+".join(map(str, numbers)) + ("=" if rng.random() < 0.03 else "")
    opening = ""
    if rng.random() < 0.15:
        other = example(rng)
        text = rng.choice((text + other, text + other, other + text, text + "</think>"))
        opening = other if rng.random() < 0.35 else ""
    return context_part(QUESTION + text + ANSWER + opening)


def plain_sum(rng: random.Random, numbers: Numbers) -> Lesson:
    """Return a sum and its whole thought."""
    return question(rng, numbers), target_part(BREAK.join(think(numbers, {}, 0, STEPS)) + END)


def continuation(rng: random.Random, numbers: Numbers) -> Lesson:
    """Return a thought with a slip, and how it goes on."""
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
    """Return a thought cut short, an open box, and the result."""
    steps = think(numbers, {}, 0, STEPS)
    # Mostly only the result is missing, now and then up to three steps.
    text = BREAK.join(steps[: rng.choice((7, 7, 7, 7, 6, 6, 5))])
    text = text if rng.random() < 0.5 else text + BREAK + rng.choice(("", steps[-1][:-1]))
    text += rng.choice(("</think>", "")) + "\\boxed{"
    return question(rng, numbers), context_part(text), target_part(f"{sum(numbers)}}}{END}")


def majority_choice(rng: random.Random, numbers: Numbers) -> Lesson:
    """Return a sum, the answers of others, and the most frequent of them.

    Now and then the others' thoughts stand before their answers.
    """
    total = sum(numbers)
    with_thoughts = rng.random() < 0.15
    count = rng.randint(2, 4 if with_thoughts else 12)
    while True:
        answers = [total if rng.random() < 0.65 else near(rng, total) for _ in range(count)]
        # One answer must have more votes than any other; a wrong majority is kept in a tenth.
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
    """Return (parts of a thought between two blocks, number of steps that are done then).

    The thought begins with `brought`, the words taken over from peers, and goes on with some steps,
    often with a slip.
    """
    stop = rng.randint(done, STEPS if rng.random() < 0.2 else RESULT) if done < RESULT else done
    slips = (
        {min(rng.randrange(done, stop), rng.randrange(done, stop)): rng.choice(SLIPS)}
        if stop > done and rng.random() < 0.5
        else {}
    )
    steps = think(numbers, values, done, stop, slips)
    text = (BREAK if brought and steps else "") + BREAK.join(steps)
    if (steps or brought) and stop < STEPS and rng.random() < 0.3:
        # A thought may be cut after a blank line as well as before it.
        text += BREAK
    if slips and not slips.keys() & {UNITS, TENS, RESULT} and rng.random() < 0.3:
        text = garble(rng, text)
    # A slip is read and not learned: the toy should meet errors, not practise them.
    return [
        target_part(BREAK.join(brought)),
        context_part(text) if slips else target_part(text),
    ], stop


def leap(rng: random.Random, numbers: Numbers) -> Lesson:
    """Return a thought with one to three blocks of summary and comments in it."""
    truth = right_results(numbers)
    values: Values = {}
    done = 0
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
    """Return a sum, its thought, sometimes with a slip, and a further question.

    The further question shows the answers of up to seven others, or of none.
    """
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
    """Return a random lesson, about a sum that is not held out."""
    # Every lesson draws from `rng` in one fixed order: the seed of a training fixes all lessons.
    numbers = draw(rng, held_out=False)
    return rng.choices(KINDS, WEIGHTS)[0](rng, numbers)


def token_weights(parts: Lesson) -> tuple[list[int], list[float]]:
    """Return a lesson's token ids, and the weight of each token in the loss.

    A token that is only read weighs 0; one to be learned weighs 1/sqrt(length of its stretch).  A
    plain mean over tokens starves the summaries, which are a twentieth of all tokens: the toy made
    up wrong ones, and peers copied them.
    """
    tokens = [token for part in parts for token in part.ids]
    flags = [part.learn for part in parts for _ in part.ids]
    weights = [0.0] * len(tokens)
    start = 0
    for place in range(1, len(tokens) + 1):
        if place == len(tokens) or flags[place] != flags[start]:
            if flags[start]:
                weights[start:place] = [(place - start) ** -0.5] * (place - start)
            start = place
    return tokens, weights
