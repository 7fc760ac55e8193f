"""Take in plays that other systems have recorded: one seam for all readers of their files.

A reader turns files into `ImportedPlay`s (records.py), or says in a sentence why one was refused;
their rows (play_rows.py) are written as a journal of the store.  An import says so:
`studies.origin` has its source, and nothing is simulated or priced that was not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arena.errors import StudyError
from arena.imports.play_rows import Row, digest, episode_of, play_rows
from arena.imports.records import ImportedPlay, Refused
from arena.store import database
from arena.store.journal import line, write_journal
from arena.text import pluralize, printable, utc_now, writable

# Refused files that are named.
MOST_NAMES = 10
# Columns of rounds, stages and repeats have 32 bits.
MOST_NUMBER = 2**31


@dataclass(frozen=True, slots=True)
class PlaysImport:
    """The result of an import: new plays by study, and what was not taken in."""

    plays: dict[str, int]
    verdicts: int
    verdicts_left_out: int
    already_stored: int
    refused: tuple[Refused, ...]
    put_off: str | None = None


def import_plays(
    found: Iterable[ImportedPlay | Refused], source: str, place: Path, path: Path
) -> PlaysImport:
    """Take the plays that a reader finds at `place` into the store at `path`.

    `source` is the name of the system or publication.  Plays that are in the store already stay as
    they are.  Raises StudyError if there is no play, or a study of the name was played into this
    store, and StoreError if the store cannot be written.  Then nothing is imported.
    """
    plays: dict[str, ImportedPlay] = {}
    refused = []
    for item in found:
        if isinstance(item, Refused):
            refused.append(item)
            continue
        play = replace(item, study=writable(item.study))
        try:
            check_play(play, source)
        except StudyError as error:
            refused.append(Refused(writable(play.key), writable(str(error))))
            continue
        plays.setdefault(episode_of(source, play), play)
    if not plays:
        raise StudyError(f"nothing to import from {place}: {reasons_of(refused)}")
    database.create(path)
    origins = dict(database.select_rows(path, "select study, origin from studies").rows)
    stored = {row[0] for row in database.select_rows(path, "select episode from plays")}
    origin = f"imported from {source}"
    new = {episode: play for episode, play in plays.items() if episode not in stored}
    for study in {play.study for play in new.values()}:
        if origins.get(study, origin) != origin:
            raise StudyError(
                f"{path} holds a study named {study!r} that was {origins[study]}; import into"
                " another store with --db, or under another name with --study"
            )
    grown = later_rows(path, {key: plays[key] for key in plays.keys() - new.keys()}, source)
    if new or grown:
        write_plays(path, new, source, grown, known=set(origins))
    kept = [
        [word for word in play.verdicts if play.is_debate or word.answer is not None]
        for play in new.values()
    ]
    return PlaysImport(
        plays=dict(sorted(Counter(play.study for play in new.values()).items())),
        verdicts=sum(len(judged) for judged in kept) + sum(t == "rulings" for t, _ in grown),
        verdicts_left_out=sum(len(play.verdicts) for play in new.values()) - sum(map(len, kept)),
        already_stored=len(plays) - len(new),
        refused=tuple(refused),
        put_off=database.fold(path).put_off,
    )


def check_play(play: ImportedPlay, source: str) -> None:
    """Raise StudyError with the reason if a play's rows cannot be written."""
    raw = dict.fromkeys([*play.seats, *(turn.seat for turn in play.turns)])
    clash = [name for name, count in Counter(map(writable, raw)).items() if count > 1]
    if clash:
        raise StudyError(f"has two seats that differ in signs which are no text alone: {clash[0]}")
    judges = dict.fromkeys(word.judge for word in play.verdicts)
    if len(set(map(writable, judges))) < len(judges):
        raise StudyError("has two judges that differ in signs which are no text alone")
    numbers = [play.repeat, *(turn.round for turn in play.turns)]
    numbers += [answer.stage for answer in play.answers]
    if any(number is not None and not 0 <= number < MOST_NUMBER for number in numbers):
        raise StudyError("has a round, stage or repeat that is no number from 0 to two billion")
    for _ in play_rows("check", play, source):
        pass


def reasons_of(refused: Sequence[Refused]) -> str:
    """Return why nothing was found, with the first refused files."""
    if not refused:
        return "it holds no play of this format"
    more = len(refused) - MOST_NAMES
    named = "; ".join(f"{item.name}: {item.reason}" for item in refused[:MOST_NAMES])
    return named + (f"; and {more} more" if more > 0 else "")


def later_rows(path: Path, plays: Mapping[str, ImportedPlay], source: str) -> list[Row]:
    """Return what files now tell of plays that are in the store, and the store does not hold.

    Of a play that its key alone names: its words, if none are there, and further verdicts.
    """
    known = {key: play for key, play in plays.items() if play.named_by_key}
    if not known:
        return []
    episodes = {row[0] for row in database.select_rows(path, "select episode from plays")}
    spoken = {row[0] for row in database.select_rows(path, "select distinct episode from turns")}
    return [
        (table, row)
        for episode, play in known.items()
        for table, row in play_rows(episode, play, source)
        if (table == "turns" and episode not in spoken)
        or (row.get("episode", episode) != episode and row["episode"] not in episodes)
    ]


def write_plays(
    path: Path,
    plays: Mapping[str, ImportedPlay],
    source: str,
    grown: Sequence[Row],
    *,
    known: set[str],
) -> None:
    """Write the rows of new plays as a journal of the store, with a run for each new study.

    `grown` are further rows of plays that are there.  A study that was not simulated so far gets
    another run where simulated plays come in.
    """
    now = utc_now()
    # Two imports of the same second have different rows, and so different names.
    code = digest([sorted(plays), sorted(str(row.get("episode")) for _, row in grown)])[:8]
    simulated: dict[str, bool] = {}
    for play in plays.values():
        simulated[play.study] = simulated.get(play.study, False) or play.simulated
    runs: list[Row] = [
        (
            "runs",
            {
                # Another import of the study, in another store, is another run after a merge.
                "run": f"import-{study}-{code}",
                "study": study,
                "origin": f"imported from {source}",
                "simulated": simulated[study],
                "started_at": now,
            },
        )
        for study in sorted(simulated)
        if study not in known or simulated[study]
    ]

    def lines() -> Iterator[bytes]:
        """Yield a line for each row."""
        for table, row in runs:
            yield line(table, row)
        for episode, play in plays.items():
            for table, row in play_rows(episode, play, source):
                yield line(table, row)
        for table, row in grown:
            yield line(table, row)

    folder = database.journal_folder(path)
    write_journal(folder / f"{now:%Y%m%dT%H%M%S}-import-{code}.jsonl", lines())


def summary_lines(result: PlaysImport) -> list[str]:
    """Return the result of an import as lines for the terminal, with each refused file."""
    new = sum(result.plays.values())
    by_study = ", ".join(
        f"{' '.join(study.split())} {count}" for study, count in result.plays.items()
    )
    verdicts = pluralize(result.verdicts, "verdict")
    lines = [f"imported {pluralize(new, 'play')} ({by_study}) and {verdicts}"]
    if not new:
        lines = ["nothing new"]
    if result.already_stored:
        lines.append(f"{pluralize(result.already_stored, 'play')} had been imported before")
    if result.verdicts_left_out:
        left = pluralize(result.verdicts_left_out, "verdict")
        lines.append(f"left out {left} on plays without the sides proposition and opposition")
    lines += [f"refused {item.name}: {item.reason}" for item in result.refused]
    lines += [f"not folded yet: {result.put_off}"] if result.put_off else []
    return [printable(line) for line in lines]
