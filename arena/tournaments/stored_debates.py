"""Read stored debates as something to judge, and their results.

A debate is a finished episode with the seats proposition and opposition, whatever its protocol.
Judges get public words only: raw replies, private thoughts, ratings and the agents' names are not
even read here.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from arena.errors import StudyError
from arena.images import Image
from arena.store.database import open_live
from arena.types import Subject, Turn

SPEECHES = """
    select
        e.episode, m.text as motion, e.options->>'schedule' as schedule,
        m.images, t.seat, t.step, t.phase, t.round, t.public
    from episodes e join turns t using (episode) left join subjects m using (subject)
    where e.study = ? and e.status = 'done' and t.seat in ('proposition', 'opposition')
        -- A rating before the debate is no speech.
        and not (t.phase = 'before' and t.public = '')
    -- In descending order the proposition comes before the opposition.
    order by e.episode, t.round, t.seat desc, t.step
"""
IMAGES = "select image, base64 from images where image in (select unnest($1::varchar[]))"
JUDGEABLE = """
    select study, count(*) from episodes join seats using (episode)
    where seat = 'proposition' and status = 'done' group by all
"""
# Verdicts count that had ended when the arm $before began, all of them without such an arm, as they
# were read then: a round that was paired is not paired otherwise because a reader has changed.
# The view `outcomes` cannot serve: it knows no cutoff, and leaves debates without votes undecided.
# Leftovers count as they did when the round was paired.
RESULTS = """
    with cutoff as (
        select min(started_at) as began from plays
        where study = $study and version = $version and arm = $before),
    votes as (
        select
            v.debate,
            count(*) filter (v.winner = 'proposition') as pro,
            count(*) filter (v.winner = 'opposition') as con
        from rulings v join all_episodes j on j.episode = v.episode and j.status = 'done'
        where j.ended_at <= coalesce((select began from cutoff), j.ended_at) group by all)
    select
        e.arm, p.agent, o.agent,
        case when pro > con then 1.0 when pro < con then 0.0 else 0.5 end::double
    from all_episodes e
    join seats p on p.episode = e.episode and p.seat = 'proposition'
    join seats o on o.episode = e.episode and o.seat = 'opposition'
    left join votes on votes.debate = e.episode
    where e.study = $study and e.version = $version order by e.arm, e.episode
"""


@dataclass(frozen=True, slots=True)
class StoredDebate(Subject):
    """A debate to be judged.

    `debate` is its episode, `motion` its subject, `turns` the public faces of its speeches, round
    by round, the proposition's first.  `sequential` says that the opposition had heard the
    proposition's speech of the same round.  Its identity as a subject is the motion, the episode
    and a hash of all that a judge may read.
    """

    debate: str = ""
    motion: str = ""
    turns: tuple[Turn, ...] = ()
    sequential: bool = False


@dataclass(frozen=True, slots=True)
class DebateResult:
    """The result of one debate: the agents' names and the score of the first.

    The score is 1 if the first won, 0 if the second did, 0.5 if nobody did.
    """

    first: str
    second: str
    score: float


def stored_debates(path: Path, study: str) -> tuple[StoredDebate, ...]:
    """Return the finished debates of a study, by episode.

    Raises StudyError if there is none, with the studies that have some.
    """
    with open_live(path, ("episodes",)) as con:
        rows = con.execute(SPEECHES, [study]).fetchall()
        others = con.execute(JUDGEABLE).fetchall() if not rows else []
        hashes = sorted({each for row in rows for each in row[3] or ()})
        stored = dict(con.execute(IMAGES, [hashes]).fetchall()) if hashes else {}
    images = {name: Image(b64decode(data)) for name, data in stored.items()}
    if not rows:
        studies = ", ".join(f"{name} ({count})" for name, count in sorted(others)) or "none"
        raise StudyError(
            f"{path} holds no finished debate of a study {study!r} to judge;"
            f" studies with finished debates: {studies}"
        )
    speeches: dict[str, list[Turn]] = {}
    about: dict[str, tuple[str, bool]] = {}
    shown: dict[str, tuple[Image, ...]] = {}
    for episode, motion, schedule, pictures, seat, step, phase, round, public in rows:
        about[episode] = motion or "", schedule == "sequential"
        shown[episode] = tuple(images[each] for each in pictures or () if each in images)
        speeches.setdefault(episode, []).append(
            Turn(episode, seat, step, phase, round, text="", public=public)
        )
    return tuple(
        stored_debate(episode, *about[episode], tuple(turns), shown[episode])
        for episode, turns in speeches.items()
    )


def stored_debate(
    episode: str,
    motion: str,
    sequential: bool,
    turns: tuple[Turn, ...],
    images: tuple[Image, ...] = (),
) -> StoredDebate:
    """Return one debate as a subject."""
    words = [motion, [(turn.seat, turn.step, turn.phase, turn.public) for turn in turns]]
    digest = hashlib.sha256(orjson.dumps(words)).hexdigest()[:20]
    text = f"{motion}\n(debate {episode}, public words {digest})"
    return StoredDebate(
        text,
        "debate",
        source=episode,
        images=images,
        debate=episode,
        motion=motion,
        turns=turns,
        sequential=sequential,
    )


def results(
    path: Path, study: str, version: str, *, before: str | None = None
) -> Mapping[str, tuple[DebateResult, ...]]:
    """Return the results of a study's debates by arm, as they stood when the arm `before` began.

    Debates that another version of the protocol played are left out.
    Without `before`, or if it has not begun, as they stand now.  The majority of all verdicts that
    were in by then decides; equal numbers, and no verdicts at all, are nobody's win.  So a round
    that has begun keeps the results by which it was paired, even if a verdict is repaired or a
    judge added later.
    """
    with open_live(path, ("all_episodes",)) as con:
        rows = con.execute(
            RESULTS, {"study": study, "version": version, "before": before}
        ).fetchall()
    by_arm: dict[str, list[DebateResult]] = {}
    for arm, first, second, score in rows:
        by_arm.setdefault(arm, []).append(DebateResult(first, second, score))
    return {arm: tuple(debates) for arm, debates in by_arm.items()}
