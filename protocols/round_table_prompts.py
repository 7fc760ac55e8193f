"""Say the words of round_table.py: what a seat is told, and how the replies of others are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt, rated
from arena.play.reading import Reader
from arena.types import Seat, Subject, Turn
from protocols import asking
from protocols.confidence_prompts import ANSWER, ANSWER_WITH_OPTIONS, CLOSING, MEANING
from protocols.parsing.confidence import answer_apart_from_confidence
from protocols.society_of_minds import REVISE
from protocols.table_talk import ONE_REPLY, Heard, History, last_turns, list_heard

Shown = Literal["latest", "history", "grouped", "summary"]
Confidence = Literal["none", "stated", "stability", "answer_stability"]
Peers = Literal["replies", "answers", "misplaced", "nobody"]

WEIGH = """
These replies are from agents who answer the same question, perhaps one of them from yourself. \
Weigh them: keep what holds, and correct what does not. Then give your reply, with its reasoning, \
as it stands now.
"""
HEARD = """
These replies are from other agents, who answered before you. Weigh them: keep what holds, and \
correct what does not. Then give your own reply, with its reasoning.
"""
OWN = """
Your own reply from the round before:

"""
AGAIN = """
Weigh it together with anything else that stands above: keep what holds, and correct what does \
not. Then give your reply, with its reasoning, as it stands now.
"""
SUMMARISE = """
Sum up in a few sentences which answers these replies give, with the best reasons for each. Do not \
decide which is right, and give no answer of your own.
"""
ANSWERS = "These are the answers to it that agents have given, perhaps one of them yourself:\n"
MISPLACED = asking.REPLIES_INTRO.replace("to this question", "to another question")
SUMMED_UP = ONE_REPLY.replace("a reply to this", "a summary of replies to this")
CONFIDENT = "Give your confidence in your answer, too. {meaning}{seen} End with these two lines:\n"
SEEN = " The other agents will see it."
STABILITY = " ({what}: {count} of its {all} replies)"
WHAT = {"stability": "its most frequent answer", "answer_stability": "the answer given here"}
HINT = "\nAn agent for which this is less than half of its replies is probably wrong.\n"
# The answer stands last: its author could go on in our words.
GROUPED = "{name}, with {count} of {all} for this answer, in its author's own words: {answer}"
NO_ANSWER = "No readable answer: {name}"


@dataclass(frozen=True, slots=True)
class TableWords:
    """The options that decide the words of a round table."""

    question: Subject
    shown: Shown
    mark_own: bool
    confidence: Confidence
    show_confidence: bool
    peers: Peers = "replies"

    @property
    def rates(self) -> bool:
        """Whether a confidence is asked for."""
        return self.confidence == "stated"

    @property
    def is_counted(self) -> bool:
        """Whether the confidence is computed from a seat's own answers."""
        return self.confidence in WHAT

    @property
    def is_seen(self) -> bool:
        """Whether others see a confidence that is asked for: beside the replies, if at all."""
        are_read = self.peers == "replies" and self.shown != "summary"
        return self.rates and self.show_confidence and are_read


def reader(words: TableWords, reask: bool) -> Reader:
    """Return the reader of replies, whose public face never holds a confidence."""
    plain = asking.reader(words.question, reask)
    if not words.rates:
        return plain
    letters = LETTERS[: len(words.question.choices)]
    return partial(
        answer_apart_from_confidence, letters=letters, options=words.question.choices, reask=reask
    )


def prompt_of(words: TableWords, seat: int, own: Turn | None, replies: Prompt | None) -> Prompt:
    """Return the prompt of a seat that is shown these replies (None: it has none to read).

    `own` is its last turn.  Where others' replies are not shown as such, it stands alone.
    """
    question = words.question
    if replies is None and not words.rates:
        return asking.question_prompt(question)
    form: Prompt = asking.form(question)
    if words.rates:
        answer = ANSWER_WITH_OPTIONS if question.choices else ANSWER
        seen = SEEN if words.is_seen else ""
        form = CONFIDENT.format(meaning=MEANING, seen=seen) + CLOSING.format(answer=answer)
    if replies is None:
        return [asking.shown_question(question), asking.STEPS, form]
    shown: list[Prompt] = [asking.shown_question(question), replies]
    if own is None:
        return [*shown, HEARD, form]
    if words.peers != "replies" or words.shown == "summary":
        return [*shown, OWN, own, "\n", AGAIN, form]
    return [*shown, REVISE.format(name=f"Agent {seat + 1}") if words.mark_own else WEIGH, form]


def show_replies(
    episode: Episode,
    words: TableWords,
    heard: Heard,
    history: History,
    summaries: Sequence[Turn] = (),
) -> Prompt | None:
    """Return what a seat reads of others as a prompt, with all that is shown about them.

    None for a seat that reads nobody.  The last of `summaries` stands in place of the replies.
    """
    if not heard:
        return None
    names = [f"Agent {seat + 1}" for seat, _ in heard]
    turns = [turn for _, turn in heard]
    if words.peers == "nobody":
        return []
    if words.shown == "summary":
        return asking.list_replies(episode, summaries[-1:], ["Summary"], intro=SUMMED_UP)
    if words.peers == "answers":
        given = [f"{name}: {answer_of(turn)}\n" for name, turn in zip(names, turns, strict=True)]
        return ["\n", ANSWERS, *given]
    if words.peers == "misplaced":
        return asking.list_replies(episode, turns, names, intro=MISPLACED)
    if words.shown == "history":
        names = [f"Agent {seat + 1}, round {turn.round + 1}" for seat, turn in heard]
    # Of one reply alone nothing can be told: the paper shows it from the third round on.
    has_hint = words.is_counted and words.show_confidence and len(history) > 2
    if has_hint:
        seats = [seat for seat, _ in heard]
        names = [
            name + stability_words(history, seat, words)
            for name, seat in zip(names, seats, strict=True)
        ]
    if words.shown == "grouped":
        turns, names = by_answer(turns, names, words.question)
    shown = [rated(turn) if words.is_seen else turn for turn in turns]
    listed = list_heard(episode, shown, names)
    return [listed, HINT] if has_hint else listed


async def sum_up(episode: Episode, words: TableWords, author: Seat, history: History) -> Turn:
    """Return a summary of the last replies of all seats, which `author` writes."""
    turns = last_turns(history)
    names = [f"Agent {number + 1}" for number in range(len(turns))]
    replies = asking.list_replies(episode, turns, names)
    prompt = [asking.shown_question(words.question), replies, SUMMARISE]
    return await episode.ask(author, prompt, phase="summary", round=len(history) - 1)


def answer_of(turn: Turn) -> str:
    """Return a turn's answer on one line, or that none could be read."""
    return asking.on_one_line(turn.answer) if turn.answer else "no readable answer"


def by_answer(
    turns: list[Turn], names: list[str], question: Subject
) -> tuple[list[Turn], list[str]]:
    """Return replies grouped by answer, the commonest first, and headings that say how common.

    Every answer is a group of its own, as are the replies without one, which stand last.
    """
    votes = asking.votes(turns, question)
    counts = Counter(vote for vote in votes if vote is not None)
    # Of equally common answers the one that was named first stands first.
    order = [vote for vote, _ in counts.most_common()] + [None]
    ranked = sorted(zip(turns, names, votes, strict=True), key=lambda each: order.index(each[2]))
    headings = [
        NO_ANSWER.format(name=name)
        if vote is None
        else GROUPED.format(
            answer=asking.on_one_line(turn.answer or ""),
            count=counts[vote],
            all=len(votes),
            name=name,
        )
        for turn, name, vote in ranked
    ]
    return [turn for turn, _, _ in ranked], headings


def stability(history: History, seat: int, words: TableWords) -> tuple[int, int]:
    """Return (count of a seat's most frequent or last answer so far, count of its replies).

    Unreadable replies are replies, and no answer; a last reply without an answer counts 0.
    """
    said = [turns[seat] for turns in history]
    votes = asking.votes([turn for turn in said if turn is not None], words.question)
    counts = Counter(vote for vote in votes if vote is not None)
    if words.confidence == "answer_stability":
        last = votes[-1] if votes else None
        return 0 if last is None else counts[last], len(votes)
    return max(counts.values(), default=0), len(votes)


def stability_words(history: History, seat: int, words: TableWords) -> str:
    """Return the words that tell how stable a seat's answer is."""
    count, replies = stability(history, seat, words)
    return STABILITY.format(what=WHAT[words.confidence], count=count, all=replies)
