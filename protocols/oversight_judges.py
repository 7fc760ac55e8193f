"""Let a judge decide between two answers, alone or by what was said for them.

The judges of the formats in oversight.py: one that knows the question alone (naive), one that reads
the text as well (expert), and those that read a debate or a consultancy, in it or afterwards.  Each
decides in both orders of the letters, since judges favour a letter; each decision is an answer of a
seat of its own, and the final one goes by the mean of both probabilities.

Probabilities are those that the judge states, or its share of the probability of both letters, as
in Khan et al. (arXiv 2402.06782), who read them off the likeliest five tokens.  A letter that is
not among these counts as -100; a judge without any of them is missing, and nobody is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from arena.errors import StudyError
from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt, passage
from arena.private import reveal
from arena.studies.study import Arm, Study, plays, protocol_name
from arena.tournaments.pairings import check_agent_names
from arena.tournaments.stages import Rename, Stage, count_episodes, rename_stage
from arena.tournaments.stored_arguments import Form, StoredArgument, side_of, stored_arguments
from arena.types import Agent, Answer, Sampling, Seat, Subject, Turn
from protocols import oversight_words as words
from protocols.asking import check_calls
from protocols.oversight_words import Claim
from protocols.parsing.judgements import NEITHER, Letters, judgement, letter_alone

VERSION = "1"

Verdict = Literal["words", "logprobs"]
Quotes = Literal["checked", "unchecked", "off"]
Order = Literal["as drawn", "swapped"]
Orders = Literal["both", "as drawn", "swapped"]
ARGUING = ("judged_debate", "consultancy")
SHOWN = "AB"
LIKELIEST = 5
VERDICT = "verdict"


async def judge_alone(
    episode: Episode,
    question: Subject,
    judge: Seat,
    *,
    text: Literal["hidden", "shown"] = "hidden",
    verdict: Verdict = "words",
    orders: Orders = "both",
) -> list[Answer]:
    """Let a judge decide without hearing anybody: naive, or expert where the text is shown."""
    if text == "hidden":
        episode.hide_passage_from(*seats_of_judge(judge))
        seen: Prompt = words.DECIDE_ALONE
    else:
        seen = [words.TEXT, passage(question), words.END_OF_TEXT, words.DECIDE_ALONE]
    claims = draw_order(episode, assigned(question))
    reads = words.CAN_READ if text == "shown" else words.CANNOT_READ
    about = reads if question.passage else ""
    prompts = {
        order: [head(question, letters_in(claims, order), about), seen]
        for order in orders_of(orders)
    }
    return await decide(episode, question, judge, claims, prompts, verdict)


async def judged_argument(
    episode: Episode,
    argument: StoredArgument,
    judge: Seat,
    *,
    quotes: Quotes = "checked",
    verdict: Verdict = "words",
    orders: Orders = "both",
) -> list[Answer]:
    """Let a judge who was not there read a stored debate or consultancy, and decide."""
    episode.hide_passage_from(*seats_of_judge(judge))
    claims = draw_order(episode, claims_in(argument))
    sides = {side: claim_of(argument, letter) for side, letter in argument.claims}
    codes = (argument.argument[:8],) * (len(argument.turns) + 1)
    heard = Heard(argument.form, argument.question, sides, quotes, codes)
    prompts = {
        order: heard.prompt(letters_in(claims, order), argument.turns)
        for order in orders_of(orders)
    }
    return await decide(episode, argument, judge, claims, prompts, verdict)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a judge knows of who argues: the form, the claim of each side, and the quotes.

    `codes` stand in the headings, one for each number of turns that are shown: who spoke has read
    fewer turns, and knows another code.
    """

    form: Form
    question: Subject
    sides: Mapping[str, Claim]
    quotes: Quotes
    codes: Sequence[str]

    def transcript(self, letters: Letters, turns: Sequence[Turn]) -> Prompt:
        """Return question, answers by letter, and what was said."""
        question = self.question
        about = words.CANNOT_READ if question.passage else ""
        quotes = self.quotes if question.passage else "off"
        code = self.codes[len(turns)]
        told = words.HEARD.format(who=words.WHO[self.form], code=code, quotes=words.QUOTES[quotes])
        shown = {answer: letter for letter, answer in letters.items()}
        names = {side: f"for answer {shown[claim.letter]}" for side, claim in self.sides.items()}
        for turn in turns:
            # Nobody can read what it argued for.
            names.setdefault(side_of(turn.seat), "a side")
        faces = words.faces(turns, question, quotes)
        return [
            head(question, letters, about),
            told,
            words.said(turns, names, code, faces),
            words.END_OF_WORDS.format(code=code),
        ]

    def prompt(self, letters: Letters, turns: Sequence[Turn]) -> Prompt:
        """Return the transcript, and what to decide."""
        return [self.transcript(letters, turns), words.DECIDE]


async def decide(
    episode: Episode,
    subject: Subject,
    judge: Seat,
    claims: Sequence[Claim],
    prompts: Mapping[Order, Prompt],
    verdict: Verdict,
    *,
    may_deny: bool = False,
) -> list[Answer]:
    """Ask a judge to decide in each order of the letters, and return all its answers.

    `may_deny`: it may decide for neither.  The final answer has the higher mean probability; where
    both are equal, it is the one that was named first.
    """

    async def decide_in(order: Order, prompt: Prompt) -> Answer:
        """Return the decision in one order."""
        # Of a seat of its own, since neither decision knows of the other.
        seat = Seat(f"{judge.name} {order}", judge.agent)
        letters = letters_in(claims, order) | ({NEITHER: NEITHER} if may_deny else {})
        turn = await ask_to_decide(episode, seat, prompt, letters, verdict)
        confidence = None if turn.answer is None else reveal(turn.confidence)
        source = turn.confidence_source
        return graded(seat, subject, turn.answer, claims, confidence, source, final=False)

    answers = await asyncio.gather(*(decide_in(*each) for each in prompts.items()))
    return [*answers, final_decision(judge, subject, claims, answers)]


def final_decision(
    judge: Seat,
    subject: Subject,
    claims: Sequence[Claim],
    answers: Sequence[Answer],
) -> Answer:
    """Return the final answer after decisions in both orders of the letters.

    Decisions that cannot be read are left out.  Where one of the others has no probability, each is
    a vote, and the final answer has no probability either: nobody gave the mean of a number and a
    vote.
    """
    read = [(each.answer, reveal(each.confidence)) for each in answers if each.answer is not None]
    if not read:
        return Answer(judge.name, None)
    is_rated = all(confidence is not None for _, confidence in read)
    first, second = (claim.letter for claim in claims)
    mean = sum(chance_of(first, each, sure if is_rated else None) for each, sure in read) / len(
        read
    )
    decision = first if mean > 0.5 else second if mean < 0.5 else read[0][0]
    sure = max(mean, 1 - mean) if is_rated else None
    source = next((each.confidence_source for each in answers if each.answer is not None), None)
    return graded(judge, subject, decision, claims, sure, source, final=True)


def graded(
    judge: Seat,
    subject: Subject,
    answer: str | None,
    claims: Sequence[Claim],
    confidence: float | None,
    source: str | None,
    *,
    final: bool,
) -> Answer:
    """Return a decision as an answer; for neither is right where both answers are wrong."""
    right = None
    if answer == NEITHER:
        right = subject.gold not in [claim.letter for claim in claims]
        confidence = None
    source = None if confidence is None else source
    return Answer(judge.name, answer, right, confidence, final, confidence_source=source)


def chance_of(first: str, answer: str, confidence: float | None) -> float:
    """Return the probability of the first answer after a decision; of a vote, 1 or 0."""
    if answer == NEITHER:
        return 0.5
    sure = 1.0 if confidence is None else confidence
    return sure if answer == first else 1 - sure


async def ask_to_decide(
    episode: Episode,
    judge: Seat,
    prompt: Prompt,
    letters: Letters,
    verdict: Verdict,
    phase: str = VERDICT,
    round: int = 0,
) -> Turn:
    """Ask for one decision, in words or as a letter whose probability is read."""
    shown = " or ".join(letters)
    deny = words.NEITHER_TOO if NEITHER in letters else ""
    if verdict == "words":
        form = words.VERDICT_FORM.format(letters=shown)
        return await episode.ask(
            judge,
            [prompt, deny, form],
            phase=phase,
            round=round,
            read=partial(judgement, letters=letters),
        )
    return await episode.ask(
        judge,
        [prompt, deny, words.LETTER_FORM.format(letters=shown)],
        phase=phase,
        round=round,
        read=partial(letter_alone, letters=letters),
        sampling=scoring(judge.agent, tuple(letters)),
    )


def scoring(agent: Agent, letters: tuple[str, ...]) -> Sampling:
    """Return the sampling with which the probabilities of letters can be read.

    Raises StudyError for a model that serves no probabilities.
    """
    if "choices" in agent.model.capabilities:
        return Sampling(choices=letters)
    if "logprobs" in agent.model.capabilities:
        return replace(agent.sampling, logprobs=LIKELIEST)
    raise StudyError(
        f"{agent.model.name} serves no probabilities of tokens, so that a verdict cannot be read"
        " off them; let the judge state its probability (verdict='words')"
    )


def head(question: Subject, letters: Letters, about: str) -> str:
    """Return the question as a judge is shown it, its answers by letter."""
    texts = dict(zip(LETTERS, question.choices, strict=False))
    answers = "\n".join(
        f"{letter}) {texts[answer]}" for letter, answer in letters.items() if answer != NEITHER
    )
    return words.JUDGE.format(cannot=about, question=question.text, answers=answers)


def seats_of_judge(judge: Seat) -> list[Seat]:
    """Return the seats of a judge: the one that asks, and those that decide."""
    return [judge, *(Seat(f"{judge.name} {order}", judge.agent) for order in orders_of("both"))]


def orders_of(orders: Orders) -> tuple[Order, ...]:
    """Return the orders of the letters in which a judge decides."""
    return ("as drawn", "swapped") if orders == "both" else (orders,)


def letters_in(claims: Sequence[Claim], order: Order) -> dict[str, str]:
    """Return the answers by the letters that a judge sees, in this order."""
    first, second = claims if order == "as drawn" else reversed(claims)
    return {SHOWN[0]: first.letter, SHOWN[1]: second.letter}


def draw_order(episode: Episode, claims: Sequence[Claim]) -> tuple[Claim, Claim]:
    """Return both answers in the order that is drawn for this play."""
    first, second = claims
    return (first, second) if episode.rng("letters").random() < 0.5 else (second, first)


def assigned(question: Subject) -> tuple[Claim, Claim]:
    """Return the right answer, and the wrong one that stands behind it.

    Raises StudyError for a question without two options and a right one.
    """
    right = right_place(question)
    return claim_at(question, right), claim_at(question, right + 1)


def beside(question: Subject, letter: str) -> Claim:
    """Return the answer that stands against this one: the right one, or the wrong one behind it."""
    right, wrong = assigned(question)
    return wrong if letter == right.letter else right


def claim_of(question: Subject, letter: str) -> Claim:
    """Return an answer of a question by its letter."""
    return claim_at(question, LETTERS.index(letter))


def claim_at(question: Subject, place: int) -> Claim:
    """Return an answer of a question by its place; behind the last stands the first."""
    place %= len(question.choices)
    return Claim(LETTERS[place], question.choices[place])


def right_place(question: Subject) -> int:
    """Return the place of the right answer; StudyError for a question without two answers."""
    letters = LETTERS[: len(question.choices)]
    if len(letters) < 2 or question.gold is None or question.gold not in letters:
        raise StudyError(
            "a judge decides between two answers: the question needs at least two options and the"
            f" letter of the right one; found {len(letters)} and {question.gold!r} for"
            f" {question.text[:60]!r}"
        )
    return letters.index(question.gold)


def claims_in(argument: StoredArgument) -> tuple[Claim, Claim]:
    """Return the two answers between which a stored argument's judge decided."""
    letters = list(dict.fromkeys(letter for _, letter in argument.claims))
    if len(letters) == 2:
        return claim_of(argument, letters[0]), claim_of(argument, letters[1])
    if not letters:
        return assigned(argument)
    return claim_of(argument, letters[0]), beside(argument, letters[0])


def options_for_calls(calls: int) -> dict[str, object]:
    """Return the options that make at most `calls` calls: one order of the letters, or both."""
    check_calls(calls, 1, "a judge needs one call")
    return {"orders": "both" if calls > 1 else "as drawn"}


def panel(
    name: str,
    of: Study | Stage | str,
    judges: Sequence[Agent],
    *,
    quotes: Sequence[Quotes] = ("checked",),
    verdict: Verdict = "words",
    orders: Orders = "both",
    repeats: int = 1,
) -> Stage:
    """Return the stage in which each judge reads each finished debate or consultancy of a study.

    Nothing is argued again: one debate serves all judges, and each of them with its quotes checked
    and unchecked.  Raises StudyError for no judges, or two of one name; and, when the stage begins,
    for a study without debates or consultancies in the store.
    """
    check_agent_names(judges, "judge")
    lineups = [{"judge": judge} for judge in judges]
    options: dict[str, object] = {"verdict": verdict, "orders": orders}
    arms = [
        Arm(f"quotes {each}", judged_argument, lineups, options | {"quotes": each})
        for each in quotes
    ]

    def write(path: Path) -> Study:
        """Write the judgings of what has been played by now."""
        found = stored_arguments(path, of if isinstance(of, str) else of.name)
        return Study(name, arms, found, repeats)

    def rename(new_name: Rename) -> Stage:
        """Return the same panel under another name."""
        renamed = new_name(of) if isinstance(of, str) else rename_stage(of, new_name)
        return panel(
            new_name(name),
            renamed,
            judges,
            quotes=quotes,
            verdict=verdict,
            orders=orders,
            repeats=repeats,
        )

    def count(path: Path) -> int:
        """Count the judgings to come; of a study to come, by its plays that argue."""
        readings = len(judges) * len(arms) * repeats
        if isinstance(of, Study):
            return readings * sum(protocol_name(play.protocol) in ARGUING for play in plays(of))
        return count_episodes(write(path), path)

    return Stage(name, write, count, tuple(judges), rename)
