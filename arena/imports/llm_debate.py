"""Read debates of "Debating with More Persuasive LLMs ..." (arXiv 2402.06782).

    github.com/ucl-dark/llm_debate, MIT: no file is shipped with us

Two tables in CSV are read, both with a debate's state as JSON in the column `transcript`: the
judgements of people (data/llm_debate_dataset.zip, unpacked), and what its experiments write, where
`answer_judge` has a judge's words and the folder's name is the judge's.  The sides are seats by the
place of their answers: proposition argues for the first answer (A) and opposition for the second;
`turns.answer` is what a side argues for, and the subject's right answer is the correct one.  A
consultant's seat is `consultant`.  A judge's answer is graded against the question, so that
`accuracy` has the judges' shares of right answers.

What should come out: the shares of right answers by method of the paper's Figure 1 (people: 88% in
debate, 60% without; models: 76% and 48%, both from its abstract), and the order of the debaters'
strengths.  The values of its Elo ratings are not known here.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from arena.errors import StudyError
from arena.imports.files import columns_of, files_in, number_of, read_rows, truth_of
from arena.imports.mapped import look, text_at
from arena.imports.play_rows import episode_of
from arena.imports.records import (
    ImportedAnswer,
    ImportedPlay,
    ImportedTurn,
    ImportedVerdict,
    Refused,
)
from arena.text import writable
from arena.types import Subject

SOURCE = "llm_debate"
PLACES = ("proposition", "opposition")
# A reply of a judge ends with a letter, as "Answer: <A>" or alone.
LETTER = re.compile(r"^(?:Final )?Answer: <?([AB])>?(?:\n|$)", re.MULTILINE)
ALONE = re.compile(r"\(?([AB])\)?")


def read_llm_debate(place: Path, study: str | None) -> Iterator[ImportedPlay | Refused]:
    """Yield the debates, consultancies and their judgements of the tables at a place."""
    for name, file in files_in(place, (".csv",)):
        try:
            rows = read_rows(file)
            columns_of(rows, ("question", "transcript"), "table of llm_debate")
        except StudyError as error:
            yield Refused(name, writable(str(error)))
            continue
        # Several people have judged one debate.
        judged: defaultdict[str, list[ImportedVerdict]] = defaultdict(list)
        plays: dict[str, ImportedPlay] = {}
        for number, row in enumerate(rows):
            try:
                play = play_of(row, file, study)
            except StudyError as error:
                yield Refused(f"{name}, row {number + 1}", writable(str(error)))
                continue
            if play is None:
                continue
            # Of one number and other words are two plays.
            key = episode_of(SOURCE, play)
            plays.setdefault(key, play)
            judged[key] += play.verdicts
        yield from (replace(play, verdicts=judged[key]) for key, play in plays.items())


def play_of(row: Mapping[str, Any], file: Path, study: str | None) -> ImportedPlay | None:
    """Return a row as a play with its judgement; None: a baseline, in which nobody spoke."""
    try:
        state = json.loads(row["transcript"])
    except (ValueError, RecursionError) as error:
        raise StudyError(f"has no transcript in JSON: {str(row['transcript'])[:60]!r}") from error
    answers = [look(state, "answers.correct"), look(state, "answers.incorrect")]
    rounds = look(state, "rounds")
    if not all(isinstance(answer, str) for answer in answers) or not isinstance(rounds, list):
        raise StudyError("has a transcript without answers and rounds")
    if answers[0] == answers[1]:
        raise StudyError("has the same answer twice, so that no side is right")
    swap = truth_of(look(state, "swap")) is True
    shown = answers[::-1] if swap else answers
    turns = list(turns_of(rounds, answers, swap))
    if not turns:
        return None
    # Without a column of the method, the folder's name begins with it.
    method = str(row.get("debate_method") or file.parent.parent.name.partition("_")[0])
    forms = [str(look(state, "rollout_type") or "")]
    if (kind := row.get("consultant_type")) not in (None, ""):
        forms.append(f"{kind} consultant")
    return ImportedPlay(
        key=f"{method}/{row.get('debate_id') or look(state, 'index')}{'/swap' if swap else ''}",
        study=study or str(row.get("experiment_name") or file.parent.parent.name or SOURCE),
        subject=Subject(
            str(row["question"]),
            gold=answers[0],
            choices=tuple(shown),
            source=str(look(state, "story_title") or SOURCE),
        ),
        seats=seats_of(state, turns, swap, row),
        turns=turns,
        arm=", ".join(filter(None, [method, *forms])) or "published",
        protocol="consultancy"
        if {turn.seat for turn in turns} <= {"consultant", "judge"}
        else "debate",
        options={"swap": swap, "schedule": "sequential" if "seq" in forms[0] else "simultaneous"},
        verdicts=list(judgements(row, file, shown, answers[0], swap)),
    )


def turns_of(
    rounds: Sequence[object], answers: Sequence[str], swap: bool
) -> Iterator[ImportedTurn]:
    """Yield the speeches of all rounds, and the judge's questions before them."""
    debated = any(
        look(each, "correct") is not None and look(each, "incorrect") is not None for each in rounds
    )
    for number, each in enumerate(rounds):
        if isinstance(question := look(each, "judge"), str) and question.strip():
            yield ImportedTurn("judge", question, phase="question", round=number)
        for side, answer in zip(("correct", "incorrect"), answers, strict=True):
            said = look(each, side)
            if said is None:
                continue
            if not isinstance(said, str):
                raise StudyError(f"has a speech of the {side} side that is no text")
            seat = seat_of(side, swap) if debated else "consultant"
            yield ImportedTurn(seat, said, phase="speech", round=number, answer=answer)


def seat_of(side: str, swap: bool) -> str:
    """Return the seat of a side: by the place of its answer."""
    return PLACES[(side == "incorrect") != swap]


def seats_of(
    state: object, turns: Sequence[ImportedTurn], swap: bool, row: Mapping[str, Any]
) -> dict[str, str | None]:
    """Return who sat where: the configured model, or the name that the experiment gave."""
    seats: dict[str, str | None] = {}
    for turn in turns:
        if turn.seat == "judge":
            seats["judge"] = text_at(state, "names.judge")
            continue
        # The name of a consultant stands under the side that it argues for.
        sides = ("correct", "incorrect")
        named = {seat_of(side, swap): look(state, f"names.{side}") for side in sides}
        alone = next(
            (look(state, f"names.{side}") for side in sides if look(state, f"names.{side}")), None
        )
        name = named.get(turn.seat, alone)
        seats[turn.seat] = str(row.get("debater_config") or name or "") or None
    return seats


def judgements(
    row: Mapping[str, Any], file: Path, shown: Sequence[str], right: str, swap: bool
) -> Iterator[ImportedVerdict]:
    """Yield the judgement of a row: a person's, or a model's in each of its votes."""
    if row.get("judge_id") not in (None, ""):
        correct = truth_of(row.get("correct"))
        answer = None if correct is None else right if correct else wrong_of(shown, right)
        sure = number_of(row.get("confidence"))
        # Some tables have percents.
        sure = sure / 100 if sure is not None and sure > 1 else sure
        sure = sure if sure is not None and 0 <= sure <= 1 else None
        yield verdict(
            f"person {row['judge_id']}", answer, shown, right, sure, row.get("explanation")
        )
    for column, words in row.items():
        if column.startswith("answer_judge") and str(words).strip():
            place = letter_in(str(words))
            answer = None if place is None else shown[place]
            yield verdict(file.parent.name or "judge", answer, shown, right, None, words)


def wrong_of(shown: Sequence[str], right: str) -> str:
    """Return the answer that is not right."""
    return next(answer for answer in shown if answer != right)


def letter_in(words: str) -> int | None:
    """Return the place of the answer that a judge's reply ends with; None: it names none."""
    found = LETTER.findall(words) or ALONE.findall(words.strip()) * (len(words.strip()) <= 3)
    return "AB".index(found[-1]) if len(set(found)) == 1 else None


def verdict(
    judge: str,
    answer: str | None,
    shown: Sequence[str],
    right: str,
    sure: float | None,
    reasons: object,
) -> ImportedVerdict:
    """Return a judgement as a verdict for the side whose answer it is."""
    winner = None if answer is None else PLACES[shown.index(answer)]
    graded = ImportedAnswer("judge", answer, confidence=sure, correct=None)
    if answer is not None:
        graded = replace(graded, correct=answer == right)
    return ImportedVerdict(
        judge,
        winner,
        sure,
        str(reasons) if reasons else None,
        status="read" if winner else "no answer that can be read",
        answer=graded,
    )
