"""Let two sides debate an answer before a moderator who may end it: MAD and Multi-Persona.

mad            "Encouraging Divergent Thinking in Large Language Models through Multi-Agent Debate",
               Tian Liang et al., arXiv 2305.19118
multi_persona  the same on questions with options, as "Should we be going MAD?" (arXiv 2311.17371)
               plays it

Kept: the affirmative answers, the negative sees that and is told to oppose it, the moderator sees
both and may end the debate by preferring an answer (the adaptive break); then each side answers the
other.  If the moderator never decides, it must in the end: after a list of the candidate answers
(mad, `list_first`), or at once (multi_persona, where all see all that was said).  It is shown the
speeches and never its own earlier words, so that the last judge is a fresh one.
`opposition` from 0 to 10 is the papers' main knob: 10 minus the level of agreement of the second.
Different: preference and answer are read apart, and only both together end the debate (the released
code goes by the answer alone); the last judge reads the last speeches (`final_reads="first"` is as
released); unreadable speeches are shown as such, and are no answer.  Ours: all words.  Left out:
the variant for translations.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge, Le

from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.play.prompt import Prompt
from arena.play.reading import Reader
from arena.types import Answer, Seat, Subject, Turn
from protocols import asking
from protocols.parsing.moderation import moderation
from protocols.table_talk import list_heard

VERSION = "1"

View = Literal["last", "all"]
FinalReads = Literal["last", "first", "all"]

PRESETS: dict[str, dict[str, object]] = {
    "mad": {},
    "multi_persona": {"view": "all", "list_first": False, "final_reads": "all"},
}
OPPOSE = """
You are the opposing side of a debate about this question. On a scale from 0 (agree in all with \
the other side) over 5 (neutral) to 10 (disagree in all), oppose it at {opposition}. Say where you \
agree and where not, and give your own reply, with its reasoning.
"""
ANSWER_OTHER = """
You are the affirmative side of a debate about this question. Say whether you agree with the last \
reply of the other side, and why or why not. Then give your own reply, with its reasoning, as it \
stands now.
"""
MODERATE = """
You are the moderator of this debate, at the end of its round {round} of at most {rounds}. Weigh \
what both sides say. If one answer is clearly right, the debate ends with it; else it goes on.
Explain yourself briefly. Then write one line of this form, `Preference: yes` or `Preference: no`, \
and after a yes the answer that you prefer in \\boxed{{}}, with nothing else in the box.
"""
LIST = """
You judge this debate, which its moderator left undecided. List the different answers that the two \
sides gave, each with the best reason for it. Do not decide yet.
"""
JUDGE = """
You judge this debate, which its moderator left undecided. Decide now which answer is right, and \
say why.
"""


async def moderated(
    episode: Episode,
    question: Subject,
    affirmative: Seat,
    negative: Seat,
    moderator: Seat,
    *,
    rounds: Annotated[int, Ge(1)] = 3,
    opposition: Annotated[int, Ge(0), Le(10)] = 10,
    may_end: bool = True,
    view: View = "last",
    list_first: bool = True,
    final_reads: FinalReads = "last",
    reask: bool = True,
) -> list[Answer]:
    """Return the answer that the moderator prefers, or has to decide for in the end.

    Sides and moderator see the `last` speech of each side, or `all`.  Without `may_end` the
    moderator is not asked, and all `rounds` are played.  The sides' answers of round r have the
    stage r.  `reask` asks once more where no answer or preference can be read.
    """
    read = asking.reader(question, reask)
    decide = moderator_reader(question, reask)
    speeches: list[Turn] = []
    verdict = None
    for round in range(rounds):
        for side, seat in enumerate((affirmative, negative)):
            prompt = speech_prompt(episode, question, speeches, side, opposition, view)
            phase = "answer" if round == 0 else "reply"
            turn = await episode.ask(seat, prompt, phase=phase, round=round, read=read)
            speeches.append(turn)
        if may_end:
            told = MODERATE.format(round=round + 1, rounds=rounds)
            prompt = judge_prompt(episode, question, seen(speeches, view), told)
            verdict = await episode.ask(
                moderator, prompt, phase="moderation", round=round, read=decide
            )
            if verdict.answer is not None:
                break
    if verdict is None or verdict.answer is None:
        shown = seen(speeches, final_reads)
        verdict = await last_judgement(episode, question, moderator, list_first, shown, read)
    return [*asking.answers(speeches), Answer(moderator.name, verdict.answer)]


async def last_judgement(
    episode: Episode,
    question: Subject,
    moderator: Seat,
    list_first: bool,
    shown: list[Turn],
    read: Reader,
) -> Turn:
    """Return the decision of a debate that was left open, after a list of candidates or at once."""
    round = shown[-1].round + 1
    listed: list[Turn] = []
    if list_first:
        prompt = judge_prompt(episode, question, shown, LIST)
        listed = [await episode.ask(moderator, prompt, phase="candidates", round=round)]
    prompt = judge_prompt(episode, question, [*shown, *listed], [JUDGE, asking.form(question)])
    return await episode.ask(moderator, prompt, phase="judgement", round=round, read=read)


def speech_prompt(
    episode: Episode,
    question: Subject,
    speeches: list[Turn],
    side: int,
    opposition: int,
    view: View,
) -> Prompt:
    """Return the prompt of a side: the question, the speeches that it sees, its task."""
    if not speeches:
        return asking.question_prompt(question)
    shown = seen(speeches, view)
    task = OPPOSE.format(opposition=opposition) if side else ANSWER_OTHER
    replies = list_heard(episode, shown, [heading(turn) for turn in shown])
    return [asking.shown_question(question), replies, task, asking.form(question)]


def judge_prompt(episode: Episode, question: Subject, shown: list[Turn], task: Prompt) -> Prompt:
    """Return the prompt of a moderator or judge, who sees the question and these turns."""
    replies = list_heard(episode, shown, [heading(turn) for turn in shown])
    return [asking.shown_question(question), replies, task]


def heading(turn: Turn) -> str:
    """Return the heading of a turn: side and round, or the list of candidates."""
    if turn.phase == "candidates":
        return "Your list of candidates"
    return f"{turn.seat.capitalize()}, round {turn.round + 1}"


def seen(speeches: list[Turn], view: FinalReads) -> list[Turn]:
    """Return the last speech of each side, the first, or all."""
    return {"last": speeches[-2:], "first": speeches[:2], "all": speeches}[view]


def moderator_reader(question: Subject, reask: bool) -> Reader:
    """Return the reader of a moderator's preference."""
    letters = LETTERS[: len(question.choices)]
    return partial(moderation, letters=letters, options=question.choices, reask=reask)


def options_for_calls(calls: int, preset: str = "mad") -> dict[str, object]:
    """Return the options of a preset that make at most so many calls, where nobody decides early.

    Raises StudyError for fewer calls than a round and the last judgement take.
    """
    last = 2 if preset == "mad" else 1
    asking.check_calls(calls, 3 + last, f"moderated needs a round of three and {last} to judge")
    return {**PRESETS[preset], "rounds": (calls - last) // 3}
