"""Read the replies of rechecks beside the stored replies to the same requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from arena.store.database import open_live

# A stored request as EPISODE/SEAT/STEP; its subject names its prompt (arena/tournaments/
# stored_requests.py).
ITEM = "'(.*)/([^/]+)/([0-9]+)'"
PROMPT = r"'\(prompt ([0-9a-f]{20}), again [0-9]+\)$'"
BEFORE = "stated confidence in the stored reply"
REPLIES = f"""
    with asked as (
        select p.study as recheck, p.episode, m.source,
               regexp_extract(m.source, {ITEM}, 1) as old_episode,
               regexp_extract(m.source, {ITEM}, 2) as old_seat,
               regexp_extract(m.source, {ITEM}, 3)::integer as old_step,
               regexp_extract(m.text, {PROMPT}, 1) as prompt
        from plays p join subjects m using (subject)
        where p.protocol = 'recheck' and regexp_full_match(m.source, {ITEM}))
    select o.study, os.model, a.recheck, a.source, a.prompt, ns.model as asked_model,
           ot.text as old_text, b.value as old_rating, ot.ended_at as old_at,
           ot.model_served as old_served, ot.fingerprint as old_print,
           nt.text, nt.confidence, nt.ended_at, nt.model_served, nt.fingerprint
    from asked a
    join turns nt on nt.episode = a.episode and nt.seat = 'speaker'
    join seats ns on ns.episode = a.episode and ns.seat = 'speaker'
    join plays o on o.episode = a.old_episode
    join seats os on os.episode = a.old_episode and os.seat = a.old_seat
    join turns ot on ot.episode = a.old_episode and ot.seat = a.old_seat and ot.step = a.old_step
    left join measures b on b.episode = a.episode and b.seat = 'speaker' and b.name = $before
    where $study is null or o.study = $study
    order by o.study, os.model, a.recheck, a.source, a.episode
"""
MINUTE = "%Y-%m-%d %H:%M"
SOME = "select exists (from plays where protocol = 'recheck')"


@dataclass(frozen=True, slots=True)
class RecheckedReply:
    """A reply to a prompt: its words, its rating in [0, 1] (None: none), and who served it when."""

    prompt: str
    text: str
    rating: float | None
    at: datetime | None
    served: str | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Recheck:
    """What a model of a study replied then (`old`) and when it was asked again (`new`).

    `recheck` is the study that asked again, `asked_model` the reference that it asked.
    """

    study: str
    model: str
    recheck: str
    asked_model: str
    old: tuple[RecheckedReply, ...]
    new: tuple[RecheckedReply, ...]


def read_rechecks(path: Path, study: str | None = None) -> list[Recheck]:
    """Return the rechecks of a study, or of all, by study and in order of time."""
    with open_live(path, ("plays", "turns", "seats", "subjects", "measures")) as con:
        if not (some := con.execute(SOME).fetchone()) or not some[0]:
            return []
        rows = con.execute(REPLIES, {"before": BEFORE, "study": study}).fetchall()
    Old = dict[str, RecheckedReply]
    old: defaultdict[tuple[str, str, str, str], Old] = defaultdict(dict)
    new: defaultdict[tuple[str, str, str, str], list[RecheckedReply]] = defaultdict(list)
    for of, model, recheck, source, prompt, asked, *fields in rows:
        key = (of, model, recheck, asked)
        # A stored reply counts once, however often its request was asked again.
        old[key][source] = RecheckedReply(prompt, *fields[:5])
        new[key].append(RecheckedReply(prompt, *fields[5:]))
    found = [Recheck(*key, tuple(old[key].values()), tuple(new[key])) for key in new]
    return sorted(found, key=lambda each: (each.study, last_at(each.new), each.recheck, each.model))


def last_at(replies: Iterable[RecheckedReply]) -> datetime:
    """Return when the last of these replies came; the first of all times if that is unknown."""
    return max((reply.at for reply in replies if reply.at is not None), default=datetime.min)


def first_and_last_at(replies: Iterable[RecheckedReply]) -> tuple[str, str] | None:
    """Return when the first and the last of these came, such as 2026-11-27 09:41; None: unknown."""
    times = [reply.at for reply in replies if reply.at is not None]
    return (f"{min(times):{MINUTE}}", f"{max(times):{MINUTE}}") if times else None
