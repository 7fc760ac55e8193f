"""Import the debates of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184).

Reads the JSON files of github.com/pradyuprasad/llms_overconfidence, in both of its layouts, from a
folder that the user names; no file is shipped, since no licence covers the transcripts.  Values are
never altered: an unreadable value becomes NULL with a reason, and a doubtful one gets a flag.  Each
judge's vote is an episode of its own, as everywhere in the arena.

Token counts, costs and labels of private reasoning are imported too (side_files.py).

Left out: the prompts (scaffolds only, not the text that was sent), and old paths.  The only time in
the publication is the start in the file's name, in an unknown zone: it stands as the start and,
since a status needs a time, as the end (1970-01-01 if the name has none).  The repeats of a debate
have no numbers, so `repeat` is NULL there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arena.errors import StudyError
from arena.imports import published
from arena.imports.published import PHASES, SIDES, SOURCE, PublishedPlay
from arena.imports.side_files import UNKNOWN_TIME, Row, side_rows
from arena.store import database
from arena.store.journal import line, row_of, write_journal
from arena.studies.motions import subject_id
from arena.text import pluralize, utc_now, writable
from arena.types import READ, Subject

ORIGIN = f"imported from {SOURCE}"
# In the place of the version of our protocol's source, which did not play these debates.
VERSION = "published"
LONG_REASONS = 30_000
# Files that a summary names.
MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import.

    `debates` counts the new debates by study, `unfinished` those of them that stay open because a
    speech is missing, `verdicts` the new votes, `already_stored` the debates that were in the store
    before, `flags` the doubts and missing values among the new turns and votes.  `copies` are
    further copies of a file, `passed_over` files with nothing to import, `refused` files with the
    reason.  `put_off` is the reason why the rows still wait in the journal, None if they do not.
    Of the side files `labels` counts newly labelled turns, `labels_left_out` labels by the reason,
    `counted` the debates whose counts of tokens are new, and `sides` are their names.
    """

    debates: dict[str, int]
    unfinished: int
    verdicts: int
    already_stored: int
    copies: tuple[str, ...]
    passed_over: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    flags: dict[str, int]
    put_off: str | None = None
    labels: int = 0
    labels_left_out: dict[str, int] = field(default_factory=dict)
    counted: int = 0
    sides: tuple[str, ...] = ()


def import_llms_overconfidence(folder: Path, path: Path) -> ImportResult:
    """Import the published debates anywhere below `folder` into the store at `path`.

    Debates that are in the store already stay as they are; labels and counts that they lack are
    added.  Raises StudyError if the folder holds
    no debate that can be read, or a study of the same name was played into this store, and
    StoreError if the store cannot be written.  Then nothing is imported.
    """
    contents = published.read_folder(folder)
    if not contents.plays:
        raise StudyError(f"nothing to import from {folder}: {why_nothing(contents)}")
    database.create(path)
    studies = database.select_rows(path, "select study, origin from studies")
    origins: dict[str, str] = dict(studies.rows)
    stored = {episode for (episode,) in database.select_rows(path, "select episode from plays")}
    new = [play for play in contents.plays.values() if play.episode not in stored]
    for study in {play.study for play in new}:
        if origins.get(study, ORIGIN) != ORIGIN:
            raise StudyError(
                f"{path} holds a study named {study!r} that was {origins[study]}; import into"
                " another store with --db"
            )
    rows = [row for play in new for row in (*debate_rows(play), *judging_rows(play))]
    beside = side_rows(contents.plays, contents.sides, stored_items(path))
    # Through a journal, like a run: readers see all of an import or nothing.
    if new or beside.rows:
        write_rows(path, new, rows + beside.rows, known_studies=set(origins))
    return ImportResult(
        debates=dict(sorted(Counter(play.study for play in new).items())),
        unfinished=sum(not play.is_complete() for play in new),
        verdicts=sum(table == "rulings" for table, _ in rows),
        already_stored=len(contents.plays) - len(new),
        copies=tuple(contents.copies),
        passed_over=tuple(contents.passed_over),
        refused=tuple(contents.refused),
        flags=dict(sorted(count_doubts(rows).items())),
        put_off=database.fold(path).put_off,
        labels=beside.labels,
        labels_left_out=dict(sorted(beside.left_out.items())),
        counted=beside.counted,
        sides=beside.files,
    )


def stored_items(path: Path) -> set[str]:
    """Return the items that have published numbers or labels in the store already."""
    rows = database.select_rows(
        path, "select item from published_numbers union select item from label_entries"
    )
    return {item for (item,) in rows}


def write_rows(
    path: Path, plays: list[PublishedPlay], rows: list[Row], *, known_studies: set[str]
) -> None:
    """Write the rows of new plays as a journal of the store, with a run for each new study."""
    now = utc_now()
    common = {"origin": ORIGIN, "simulated": False, "started_at": now}
    runs: list[Row] = [
        ("runs", {"run": f"import-{study}", "study": study, **common})
        for study in sorted({play.study for play in plays} - known_studies)
    ]
    # Two imports of the same second have different rows, and so different names.
    written = sorted(str(row.get("item") or row.get("episode")) for _, row in rows)
    code = published.digest([sorted(play.episode for play in plays), written])[:6]
    file = database.journal_folder(path) / f"{now:%Y%m%dT%H%M%S}-import-{code}.jsonl"
    write_journal(file, (line(table, row) for table, row in runs + rows))


def summary_lines(imported: ImportResult) -> list[str]:
    """Return the result of an import as lines for the terminal, with each refused file."""
    new = sum(imported.debates.values())
    by_study = ", ".join(f"{study} {count}" for study, count in imported.debates.items())
    verdicts = pluralize(imported.verdicts, "verdict")
    lines = [f"imported {pluralize(new, 'debate')} ({by_study}) and {verdicts}"]
    if not new:
        lines = ["nothing new"]
    if imported.already_stored:
        lines.append(f"{pluralize(imported.already_stored, 'debate')} had been imported before")
    if imported.unfinished:
        debates = pluralize(imported.unfinished, "debate")
        lines.append(f"{debates} with speeches not yet given: left open")
    if imported.flags:
        flags = ", ".join(f"{flag} {count}" for flag, count in imported.flags.items())
        lines.append(f"flagged, not altered: {flags}")
    if imported.copies:
        copies = pluralize(len(imported.copies), "further copy", "further copies")
        lines.append(f"counted once: {copies} of the same file")
    lines += side_lines(imported)
    if imported.passed_over:
        files = pluralize(len(imported.passed_over), "file")
        lines.append(
            f"passed over {files} with nothing to import{json_names(imported.passed_over)}"
        )
    lines += [f"refused {name}: {reason}" for name, reason in imported.refused]
    return lines + ([f"not folded yet: {imported.put_off}"] if imported.put_off else [])


def side_lines(imported: ImportResult) -> list[str]:
    """Return what was imported from beside the debates as lines."""
    lines = []
    if imported.counted:
        debates = pluralize(imported.counted, "debate")
        lines.append(f"imported the published counts of calls and tokens of {debates}")
    if imported.labels or imported.labels_left_out:
        left = "".join(f"; {n} {why}" for why, n in imported.labels_left_out.items())
        turns = pluralize(imported.labels, "turn")
        lines.append(f"imported labels of the private reasoning of {turns}{left}")
    if imported.sides:
        files = pluralize(len(imported.sides), "file")
        lines.append(f"read {files} of labels, costs and prices{json_names(imported.sides)}")
    return lines


def json_names(names: Sequence[str]) -> str:
    """Return the names of JSON files, which one might take for debates, as the end of a line."""
    files = [name for name in names if name.lower().endswith(".json")]
    more = [f"{len(files) - MOST_NAMES} more"] if len(files) > MOST_NAMES else []
    return f": {', '.join(files[:MOST_NAMES] + more)}" if files else ""


def why_nothing(contents: published.FolderContents) -> str:
    """Return why a folder gave no debate, with the first refused files."""
    if not contents.refused:
        return "there is no debate of llms-overconfidence below it"
    left = len(contents.refused) - MOST_NAMES
    more = f"; and {left} more" if left > 0 else ""
    return "; ".join(f"{name}: {reason}" for name, reason in contents.refused[:MOST_NAMES]) + more


def count_doubts(rows: list[Row]) -> Counter[str]:
    """Count the flags, missing confidences and doubtful votes in new rows."""
    counts: Counter[str] = Counter()
    for table, row in rows:
        if table == "turns":
            # A flag "amount 150" differs from debate to debate; its status is counted below.
            counts.update(flag for flag in row["flags"] if not flag.startswith("amount"))
            if row["confidence_status"] != READ:
                counts[f"confidence {row['confidence_status']}"] += 1
        elif table == "rulings" and row["status"] != READ:
            counts[f"verdict {row['status']}"] += 1
    return counts


def debate_rows(play: PublishedPlay) -> Iterator[Row]:
    """Yield the rows of a debate: motion, play, seats, one turn by side and phase, and its end.

    A debate with a missing speech has no end, and stays open.
    """
    subject = Subject(writable(play.debate.motion.topic_description), source=SOURCE)
    yield "subjects", {"subject": subject_id(subject), **row_of(subject)}
    row = play_row(play, play.episode, "published", "debate", subject_id(subject), None)
    yield "plays", row | {"options": published.OPTIONS[play.study]}
    models = (play.debate.proposition_model, play.debate.opposition_model)
    for side, model in zip(SIDES, models, strict=True):
        yield "seats", seat_row(play.episode, side, writable(model))
        for step, phase in enumerate(PHASES[play.study]):
            yield "turns", turn_row(play, side, phase, step)
    if play.is_complete():
        yield "statuses", status_row(play, play.episode)


def play_row(
    play: PublishedPlay, episode: str, arm: str, protocol: str, subject: str, repeat: int | None
) -> dict[str, object]:
    """Return the row of one play: the debate itself, or one judge's vote on it."""
    return {
        "episode": episode,
        "study": play.study,
        "arm": arm,
        "protocol": protocol,
        "version": VERSION,
        "options": {},
        "subject": subject,
        "repeat": repeat,
        "started_at": play.started_at,
    }


def seat_row(episode: str, seat: str, model: str) -> dict[str, object]:
    """Return the row of a seat, whose agent has the name of its model."""
    return {"episode": episode, "seat": seat, "agent": model, "model": model}


def status_row(play: PublishedPlay, episode: str) -> dict[str, object]:
    """Return the end of a play, at the only time that is known of it."""
    return {"episode": episode, "status": "done", "ended_at": play.started_at or UNKNOWN_TIME}


def turn_row(play: PublishedPlay, side: str, phase: str, step: int) -> dict[str, object]:
    """Return one speech with its bet, as published, and their flags."""
    speech = play.debate.output(side).speeches.get(phase)
    bets = play.debate.bets(side, phase)
    # A retry after the bet was stored left it there twice; the last one came with the speech that
    # was kept.
    thoughts = bets[-1].thoughts if bets else None
    confidence, status, flags = rating(bets)
    flags += thoughts_flags(bets[-1]) if bets else []
    flags += ["not yet given"] if speech is None else speech_flags(speech)
    if any(text is not None and writable(text) != text for text in (speech, thoughts)):
        flags.append("characters that are no text replaced")
    public = None if speech is None else writable(speech)
    return {
        "episode": play.episode,
        "seat": side,
        "step": step,
        "phase": phase,
        "round": step,
        "asks": 1,
        "text": public,
        "public": public,
        "thoughts": None if thoughts is None else writable(thoughts),
        "confidence": confidence,
        "confidence_status": status,
        "rating_public": play.study == "public",
        "flags": flags,
    }


def rating(bets: list[published.Bet]) -> tuple[float | None, str, list[str]]:
    """Return (confidence in [0, 1] or None, its status, flags) of a side's bets in one phase."""
    amounts = list(dict.fromkeys(bet.amount for bet in bets))
    flags = ["bet stored twice"] if len(bets) > 1 else []
    words = ", ".join("none" if amount is None else f"{amount:.15g}" for amount in amounts)
    if len(amounts) > 1:
        return None, "several numbers", [*flags, f"amounts {words}"]
    if not amounts or amounts[0] is None:
        return None, "missing", flags
    if not 0 <= amounts[0] <= 100:
        return None, "out of range", [*flags, f"amount {words}"]
    return amounts[0] / 100, READ, flags


def thoughts_flags(bet: published.Bet) -> list[str]:
    """Return the doubts about a bet.

    The authors typed in "NA" by hand if their program could not read the thoughts.
    """
    thoughts = bet.thoughts.strip().upper()
    doubts = {
        "thoughts are NA": thoughts == "NA",
        "thoughts under 40 characters": len(bet.thoughts) < 40,
        "zero": bet.amount == 0,
        "zero with no thoughts": bet.amount == 0 and thoughts in ("", "NA"),
    }
    return [flag for flag, holds in doubts.items() if holds]


def speech_flags(speech: str) -> list[str]:
    """Return the doubts about a speech: almost empty, or with remnants of the private tags.

    The opponent and the jury read these remnants.
    """
    doubts = {
        "empty speech": not speech.strip(),
        "speech under 5 words": len(speech.split()) < 5,
        "private tag in speech": re.search(r"bet\\?_logic\\?_private", speech, re.I),
        "rating tag in speech": re.search(r"bet\\?_amount", speech, re.I),
        "rating in speech": re.search(r"<bet\\?_amount>\s*\d", speech, re.I),
    }
    return [flag for flag, holds in doubts.items() if holds]


def judging_rows(play: PublishedPlay) -> Iterator[Row]:
    """Yield the rows of the jury: each vote is an episode of its own, with one seat and verdict."""
    votes: Counter[str] = Counter()
    for vote in play.debate.judge_results or ():
        # The votes of one judge are numbered in the order of the file.
        repeat = votes[vote.model]
        votes[vote.model] += 1
        episode = published.digest([SOURCE, "judging", play.episode, vote.model, repeat])
        yield "plays", play_row(play, episode, "jury", "judging", play.episode, repeat)
        yield "seats", seat_row(episode, "judge", writable(vote.model))
        yield "rulings", verdict_row(vote, episode, play.episode, repeat)
        yield "statuses", status_row(play, episode)


def verdict_row(vote: published.Vote, episode: str, debate: str, repeat: int) -> dict[str, object]:
    """Return one vote as published.

    A winner or confidence that cannot be one is NULL; the status says so, or names the doubts.
    """
    named = str(vote.winner).lower()
    winner = named if named in SIDES else None
    confidence = None
    wrong = [] if winner else [f"winner {str(vote.winner)[:40]!r} is neither side"]
    if vote.confidence is None:
        wrong.append("confidence missing")
    elif 0 <= vote.confidence <= 100:
        confidence = vote.confidence / 100
    else:
        wrong.append(f"confidence {vote.confidence:.15g} is out of range")
    words = "; ".join(wrong + (text_doubts(vote) if winner else []))
    return {
        "episode": episode,
        "debate": debate,
        "judge": writable(vote.model),
        "seat_order": "as played",
        "repeat": repeat,
        "winner": winner,
        "confidence": confidence,
        "reasons": writable(vote.logic),
        "status": writable(words if wrong else f"doubtful: {words}" if words else READ),
    }


def text_doubts(vote: published.Vote) -> list[str]:
    """Return the doubts about a vote that differs from its text.

    The text is read as the published parser reads it: the last of each tag counts.
    """
    winners = re.findall(r"<winnerName>(\w+)</winnerName>", vote.logic)
    confidences = re.findall(r"<confidence>(\d+)</confidence>", vote.logic)
    doubts = []
    if not winners:
        doubts.append("no winner tag in the text")
    elif winners[-1].lower() != str(vote.winner).lower():
        doubts.append(f"the text names {winners[-1][:40]}")
    elif not confidences:
        doubts.append("no confidence tag in the text")
    elif vote.confidence is not None and float(confidences[-1]) != vote.confidence:
        doubts.append(f"the text says {confidences[-1][:40]}")
    if len(vote.logic) > LONG_REASONS:
        doubts.append(f"longer than {LONG_REASONS:,} characters")
    return doubts
