"""Let a judge decide a question by what others, who know more, argue before it.

    Khan et al., "Debating with More Persuasive LLMs Leads to More Truthful Answers", 2402.06782
    Michael et al., "Debate Helps Supervise Unreliable Experts", 2311.08702
    Kenton et al., "On scalable oversight with weak LLMs judging strong LLMs", 2407.04622
    Arnesen et al., "Training Language Models to Win Debates with Self-Play ...", 2409.16636

Kept: a text that those who argue have read and the judge has not; two answers, one assigned to each
side (debate), or one to a consultant who is alone; open forms, in which a side chooses its answer
first, and in a debate the other side gets another; speeches at once, blind within a round, or from
the second round on in turn; quotes that are compared with the text, which all readers see marked; a
judge that is silent, asks before each further round, or may end; its beliefs after each round, by
which Michael et al. pay it; two separate consultants shown as one transcript, the control for
debate of Arnesen et al.; best of n, and critique and refine (oversight_speeches.py); verdicts in
both orders of the letters (oversight_judges.py).  Different: no debater knows the letters, and a
judge names answers by their words, so that both orders are read of one play, where Khan et al. play
again with the sides exchanged; the length of a speech is asked for and not enforced; a side does
not see its earlier thoughts; what cannot be read is asked for once more.  Left out: caps on quoted
characters, best of n against several sampled replies of the opponent, near quotes that are replaced
by the text's words (it repairs false quotes).  Ours: all words, and the private ratings that sides
give of how likely the judge is to decide for them (`confidence`).

A side's turns hold in `answer` what it argues for, the judge's what it leans to or decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge

from arena.grading.grade import LETTERS
from arena.play.episode import Episode
from arena.tournaments.stored_arguments import QUESTION, form_of
from arena.types import Answer, Seat, Subject, Turn
from protocols import asking
from protocols import oversight_words as words
from protocols.oversight_judges import (
    Orders,
    Quotes,
    Verdict,
    assigned,
    beside,
    claim_at,
    claim_of,
    decide,
    letters_in,
    orders_of,
    right_place,
    seats_of_judge,
)
from protocols.oversight_speeches import Floor, Rules, Side, deliver, heard_by, open_floor
from protocols.oversight_words import Claim
from protocols.parsing.judgements import belief, judges_turn

VERSION = "1"

Argues = Literal["right", "wrong", "chosen"]
Judging = Literal["silent", "asks", "may end"]
CHOICE, BELIEF = "choice", "belief"

PRESETS: dict[str, dict[str, object]] = {
    "khan": {},
    "khan_interactive": {"judging": "asks"},
    "khan_sequential": {"schedule": "sequential"},
    "michael": {"schedule": "sequential", "judging": "may end", "beliefs": True, "rounds": 5},
    "kenton_open": {"argues": "chosen"},
    "arnesen": {"hears": "nobody", "rounds": 2},
}


async def judged_debate(
    episode: Episode,
    question: Subject,
    debater: Seat,
    opponent: Seat,
    judge: Seat,
    *,
    argues: Argues | Literal["both wrong"] = "right",
    rounds: Annotated[int, Ge(1)] = 3,
    schedule: Literal["simultaneous", "sequential"] = "simultaneous",
    hears: Literal["each other", "nobody"] = "each other",
    judging: Judging = "silent",
    beliefs: bool = False,
    quotes: Quotes = "checked",
    confidence: Literal["private", "none"] = "private",
    best_of: Annotated[int, Ge(1)] = 1,
    critiques: Annotated[int, Ge(0)] = 0,
    verdict: Verdict = "words",
    orders: Orders = "both",
    length: Annotated[int, Ge(1)] = 100,
) -> list[Answer]:
    """Let two sides argue for two answers before a judge, who then decides.

    `argues`: the debater is assigned the right answer, or the wrong one, or chooses first, and the
    opponent gets the other (of several wrong ones the one behind the right one); both wrong, which
    takes three options, after which the judge may decide for neither.  `hears` nobody: each side
    hears itself and the judge alone.  `judging`: the judge asks before each round from the second
    on, or asks and may end.  `beliefs`: it also says which answer it leans to, and once before
    anybody has spoken.  `confidence`: each side rates its chances with each speech.
    """
    claims = await claims_of_sides(episode, question, debater, argues)
    if claims is None:
        return [Answer(judge.name, None)]
    first, second = claims
    sides = [Side(debater, first, second), Side(opponent, second, first)]
    form = form_of("judged_debate", {"argues": argues, "hears": hears})
    rules = Rules(rounds, length, confidence == "private", best_of, critiques, verdict)
    floor = open_floor(episode, question, judge, claims, sides, form, quotes, rules)
    turns = await argue(
        floor,
        sides,
        sequential=schedule == "sequential",
        hears=hears,
        judging=judging,
        beliefs=beliefs,
    )
    return await hear_verdict(floor, turns, orders, may_deny=argues == "both wrong")


async def consultancy(
    episode: Episode,
    question: Subject,
    consultant: Seat,
    judge: Seat,
    *,
    argues: Argues = "right",
    rounds: Annotated[int, Ge(1)] = 3,
    judging: Judging = "asks",
    beliefs: bool = False,
    quotes: Quotes = "checked",
    confidence: Literal["private", "none"] = "private",
    best_of: Annotated[int, Ge(1)] = 1,
    critiques: Annotated[int, Ge(0)] = 0,
    verdict: Verdict = "words",
    orders: Orders = "both",
    length: Annotated[int, Ge(1)] = 200,
) -> list[Answer]:
    """Let one consultant argue for an answer before a judge, who then decides.

    The options are those of `judged_debate`.  Play it for the right and for the wrong answer, and
    average: a judge that believes every consultant is right half of the time.
    """
    claims = await claims_of_sides(episode, question, consultant, argues)
    if claims is None:
        return [Answer(judge.name, None)]
    side = Side(consultant, claims[0], None)
    form = form_of("consultancy", {"argues": argues})
    rules = Rules(rounds, length, confidence == "private", best_of, critiques, verdict)
    floor = open_floor(episode, question, judge, claims, [side], form, quotes, rules)
    turns = await argue(
        floor, [side], sequential=False, hears="each other", judging=judging, beliefs=beliefs
    )
    return await hear_verdict(floor, turns, orders)


async def argue(
    floor: Floor,
    sides: Sequence[Side],
    *,
    sequential: bool,
    hears: str,
    judging: Judging,
    beliefs: bool,
) -> list[Turn]:
    """Let all sides speak in each round, and return what was delivered and asked, in order."""
    floor.episode.hide_passage_from(*seats_of_judge(floor.judge))
    turns: list[Turn] = []
    if beliefs:
        await ask_belief(floor)
    for round in range(floor.rules.rounds):
        if round > 0 and judging != "silent":
            turn = await ask_judge(floor, turns, round - 1, beliefs, judging == "may end")
            if turn.public == "":
                return turns
            turns.append(turn)
        # Openings are blind in either schedule.
        in_turn = sequential and round > 0
        for speakers in [[side] for side in sides] if in_turn else [sides]:
            asked = [deliver(floor, side, heard_by(side, turns, hears), round) for side in speakers]
            turns += await asyncio.gather(*asked)
    return turns


async def claims_of_sides(
    episode: Episode, question: Subject, chooser: Seat, argues: str
) -> tuple[Claim, Claim] | None:
    """Return the answer of the first side, and the other; None for a choice that nobody can read.

    Raises StudyError for a question that has not enough answers.
    """
    right, wrong = assigned(question)
    if argues == "right":
        return right, wrong
    if argues == "wrong":
        return wrong, right
    if argues == "both wrong":
        return wrong, claim_at(question, right_place(question) + 2)
    read = asking.reader(question)
    about = words.setting(question, [claim_of(question, each) for each in letters_of(question)])
    prompt = [about, words.CHOOSE, asking.question_text(question), asking.form(question)]
    choice = await episode.ask(chooser, prompt, phase=CHOICE, read=read)
    if choice.answer is None:
        return None
    chosen = claim_of(question, choice.answer)
    return chosen, beside(question, chosen.letter)


def letters_of(question: Subject) -> str:
    """Return the letters of a question's answers."""
    return LETTERS[: len(question.choices)]


async def ask_belief(floor: Floor) -> Turn:
    """Ask the judge what it believes before anybody has spoken."""
    letters = letters_in(floor.claims, "as drawn")
    before = floor.heard.transcript(letters, [])
    form = words.BELIEVE_FIRST.format(letters=" or ".join(letters))
    read = partial(belief, letters=letters)
    return await floor.episode.ask(floor.judge, [before, form], phase=BELIEF, read=read)


async def ask_judge(
    floor: Floor, turns: Sequence[Turn], round: int, beliefs: bool, may_end: bool
) -> Turn:
    """Let the judge ask after a round, say what it believes, and perhaps end."""
    letters = letters_in(floor.claims, "as drawn")
    alone = len(floor.heard.sides) == 1
    ask = words.ASK.format(
        whom="" if alone else ", of one side or of both",
        others="the consultant does" if alone else "the sides do",
        and_belief=" and your belief" * beliefs,
    )
    form = words.QUESTION_FORM.format(unless="; none, if you end" * may_end)
    form += words.BELIEF_FORM.format(letters=" or ".join(letters)) * beliefs
    prompt = [
        floor.heard.transcript(letters, turns),
        ask,
        words.BELIEVE * beliefs,
        words.MAY_END * may_end,
        form + words.END_FORM * may_end,
    ]
    read = partial(judges_turn, letters=letters, believes=beliefs, may_end=may_end)
    return await floor.episode.ask(floor.judge, prompt, phase=QUESTION, round=round, read=read)


async def hear_verdict(
    floor: Floor, turns: Sequence[Turn], orders: Orders, *, may_deny: bool = False
) -> list[Answer]:
    """Let the judge decide by what was said, in each order of the letters."""
    prompts = {
        order: floor.heard.prompt(letters_in(floor.claims, order), turns)
        for order in orders_of(orders)
    }
    return await decide(
        floor.episode,
        floor.question,
        floor.judge,
        floor.claims,
        prompts,
        floor.rules.verdict,
        may_deny=may_deny,
    )


def options_for_calls(calls: int, preset: str = "khan") -> dict[str, object]:
    """Return the options of a preset that make at most `calls` calls a debate, by its rounds.

    A consultancy makes fewer.  Raises StudyError for fewer calls than one round needs.
    """
    options = PRESETS[preset]
    asks = options.get("judging", "silent") != "silent"
    once = 2 + (options.get("argues") == "chosen") + bool(options.get("beliefs"))
    asking.check_calls(calls, once + 2, f"a debate of two sides ({preset}) needs {once + 2} calls")
    # Two speeches a round, and a question of the judge before each round but the first.
    rounds = (calls - once + asks) // (2 + asks)
    return {**options, "rounds": rounds}
