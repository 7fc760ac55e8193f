"""Read stored debates and consultancies about a question, for judges that only read.

Judges get public words alone: raw replies, private thoughts, ratings, beliefs and the agents' names
are not even read here.  Of several candidates for one speech the judge reads the one that was
delivered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import orjson

from arena.errors import StudyError
from arena.private import reveal
from arena.store.database import open_live
from arena.store.query import read_result
from arena.types import Subject, Turn

SPEECH, REFINED, PREFERENCE, QUESTION = "speech", "refined speech", "preference", "question"
Form = Literal["debate", "unheard", "open debate", "consultancy", "open consultancy"]
# A seat that makes further candidates of a side's speech has a number behind its name.
SIDES = ("debater", "opponent", "consultant")
# As they were played: judges read what the play's own judge could read.
TURNS = """
    select e.episode, m.text as question, m.gold, m.choices, m.source, m.licence, m.passage,
           m.published, e.protocol, e.options, t.seat, t.step, t.phase, t.round, t.public,
           t.answer, t.confidence
    from episodes e join turns t using (episode) join subjects m using (subject)
    where e.study = ? and e.status = 'done' and e.protocol in ('judged_debate', 'consultancy')
      and t.phase in ('speech', 'refined speech', 'preference', 'question')
      -- With a question without words the judge ended the debate.
      and not (t.phase = 'question' and coalesce(t.public, '-') = '')
    order by e.episode, t.round, t.seat, t.step
"""
THERE = """
    select study, count(*) from episodes
    where protocol in ('judged_debate', 'consultancy') and status = 'done' group by all order by all
"""


@dataclass(frozen=True, slots=True)
class StoredArgument(Subject):
    """What was said for answers to a question, to be judged by somebody who was not there.

    `argument` is its episode, `form` how it was held, `question` the question without its right
    answer.  `turns` are the delivered speeches and the judge's questions in order, `claims` the
    letter of the answer that each side argued for; a side whose speeches nobody can read has none.
    Its identity is the question, the episode and a hash of all that a judge may read.
    """

    argument: str = ""
    form: Form = "debate"
    question: Subject = field(default_factory=lambda: Subject("", "question"))
    claims: tuple[tuple[str, str], ...] = ()
    turns: tuple[Turn, ...] = ()


def side_of(seat: str) -> str:
    """Return the side for which a seat speaks: the seat's name without the number behind it."""
    return seat.partition(" ")[0]


def form_of(protocol: str, options: Mapping[str, object]) -> Form:
    """Return how a debate or a consultancy is held, by its protocol and options."""
    is_open = options.get("argues") == "chosen"
    if protocol == "consultancy":
        return "open consultancy" if is_open else "consultancy"
    if options.get("hears") == "nobody":
        return "unheard"
    return "open debate" if is_open else "debate"


def delivered(turns: Sequence[Turn]) -> list[Turn]:
    """Return the speeches that were delivered, of the candidates for each, in order.

    In each round a side delivers one: of its refined speeches, else of its first ones, those that
    can be read; among these the one that a judge preferred most, the first of equals.
    """
    speeches = [turn for turn in turns if turn.phase in (SPEECH, REFINED)]
    liked = {(turn.seat, turn.round): turn for turn in turns if turn.phase == PREFERENCE}
    order = sorted(speeches, key=lambda turn: (turn.round, SIDES.index(side_of(turn.seat))))
    chosen = []
    for _, group in groupby(order, key=lambda turn: (turn.round, side_of(turn.seat))):
        of_side = list(group)
        readable = [turn for turn in of_side if turn.public] or of_side[:1]
        candidates = [turn for turn in readable if turn.phase == REFINED] or readable
        chosen.append(max(candidates, key=lambda turn: preference_for(turn, liked)))
    return chosen


def preference_for(turn: Turn, liked: Mapping[tuple[str, int], Turn]) -> float:
    """Return how probable a judge held the side after a candidate; -1 if none said so."""
    judged = liked.get((preferring_seat(turn), turn.round))
    if judged is None or judged.confidence is None:
        return -1.0
    # A preference names the likelier answer, with its probability of a half or more.
    probability: float = reveal(judged.confidence)
    return probability if judged.answer == turn.answer else 1 - probability


def preferring_seat(turn: Turn) -> str:
    """Return the seat that says how much it prefers a candidate."""
    return f"preference for {turn.phase} of {turn.seat}"


def stored_arguments(path: Path, study: str) -> tuple[StoredArgument, ...]:
    """Return the finished debates and consultancies of a study, by episode.

    Raises StudyError if there is none, with the studies that have some.
    """
    with open_live(path, ("episodes",)) as con:
        rows = read_result(con, TURNS, [study]).dicts()
        others = con.execute(THERE).fetchall() if not rows else []
    if not rows:
        studies = ", ".join(f"{name} ({count})" for name, count in others) or "none"
        raise StudyError(
            f"{path} holds no finished debate or consultancy of a study {study!r} to judge;"
            f" studies that do: {studies}"
        )
    by_episode = groupby(rows, key=lambda row: row["episode"])
    return tuple(stored_argument(episode, list(group)) for episode, group in by_episode)


def stored_argument(episode: str, rows: Sequence[Mapping[str, Any]]) -> StoredArgument:
    """Return one debate or consultancy as a subject."""
    first = rows[0]
    all_turns = [
        Turn(
            episode,
            row["seat"],
            row["step"],
            row["phase"],
            row["round"],
            text="",
            public=row["public"],
            confidence=row["confidence"],
            answer=row["answer"],
        )
        for row in rows
    ]
    questions = [turn for turn in all_turns if turn.phase == QUESTION]
    # Ratings of debaters and beliefs of the judge are nobody's to read.
    heard = [
        replace(turn, confidence=None, answer=None if turn.phase == QUESTION else turn.answer)
        for turn in (*delivered(all_turns), *questions)
    ]
    # A question of the judge follows the speeches of its round.
    turns = tuple(sorted(heard, key=lambda turn: (turn.round, turn.phase == QUESTION)))
    claims = {side_of(turn.seat): turn.answer for turn in turns if turn.answer is not None}
    words = [(turn.seat, turn.step, turn.phase, turn.public, turn.answer) for turn in turns]
    digest = hashlib.sha256(orjson.dumps(words)).hexdigest()[:20]
    terms = {name: first[name] for name in ("licence", "published")}
    passage, choices = first["passage"] or "", tuple(first["choices"] or ())
    return StoredArgument(
        f"{first['question']}\n(argument {episode}, public words {digest})",
        "replies",
        gold=first["gold"],
        choices=choices,
        source=episode,
        passage=passage,
        argument=episode,
        form=form_of(first["protocol"], orjson.loads(first["options"] or "{}")),
        claims=tuple(sorted(claims.items())),
        question=Subject(
            first["question"],
            "question",
            choices=choices,
            source=first["source"],
            passage=passage,
            **terms,
        ),
        turns=turns,
        **terms,
    )
