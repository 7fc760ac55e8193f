"""The published record of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184), taken into our tables.

Reads the JSON files of github.com/pradyuprasad/llms_overconfidence, in both of its layouts, from a folder that the user names; nothing of
it is shipped, since no licence covers the transcripts.  Values are never altered: what cannot be read becomes NULL with a reason, and what
looks doubtful gets a flag.  Each judge's vote is an episode of its own, as everywhere in the arena.

Left out: the prompts (scaffolds only, not what was sent), token counts (by model, not by call), old paths, and the labels of the side
files.  The publication keeps no times but the start in the file's name, in an unknown zone: it stands as the start and, since a status
needs a time, as the end (1970-01-01 where the name has none).  It does not number the repeats of a debate, so `repeat` is NULL there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from arena.errors import StudyError
from arena.imports.published import (
    OPTIONS,
    PHASES,
    SIDES,
    SOURCE,
    Bet,
    FolderContents,
    PublishedPlay,
    Vote,
    digest,
    read_folder,
)
from arena.store import database
from arena.store.journal import line, row_of, write_journal
from arena.studies.motions import subject_id
from arena.text import utc_now, writable
from arena.types import READ, Subject

ORIGIN = f"imported from {SOURCE}"
VERSION = "published"
LONG_REASONS = 30_000
UNKNOWN_TIME = datetime(1970, 1, 1)

Row = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did.

    `debates` counts the new ones by study, `unfinished` those of them that stay open because a speech was not given, `verdicts` the new
    votes, `known` the debates that were in the store before, `copies` further copies of a file, `flags` the doubts and missing values
    among the new turns and votes.  `put_off` says why the rows still wait in the journal (None: they do not).
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


def import_llms_overconfidence(folder: Path, path: Path) -> ImportResult:
    """Import the published debates that lie anywhere below `folder` into the store at `path`; what is there already stays as it is.

    Raises StudyError where the folder holds no debate that can be read, or a study of the same name was played into this store, and
    StoreError where the store cannot be written.  Then nothing is imported.
    """
    found = read_folder(folder)
    if not found.plays:
        raise StudyError(f"nothing to import from {folder}: {why_nothing(found)}")
    database.create(path)
    origins = dict(database.query(path, "select study, origin from studies"))
    taken = {episode for (episode,) in database.query(path, "select episode from plays")}
    new = [play for play in found.plays.values() if play.episode not in taken]
    for study in {play.study for play in new}:
        if origins.get(study, ORIGIN) != ORIGIN:
            raise StudyError(
                f"{path} holds a study named {study!r} that was {origins[study]}; import into another store with --db"
            )
    rows = [row for play in new for row in (*debate_rows(play), *judging_rows(play))]
    if new:
        now = utc_now()
        names = sorted({play.study for play in new} - set(origins))
        runs = [
            (
                "runs",
                {
                    "run": f"import-{name}",
                    "study": name,
                    "origin": ORIGIN,
                    "simulated": False,
                    "started_at": now,
                },
            )
            for name in names
        ]
        journal = (
            f"{now:%Y%m%dT%H%M%S}-import-{digest(sorted(play.episode for play in new))[:6]}.jsonl"
        )
        write_journal(
            database.journal_folder(path) / journal,
            (line(table, row) for table, row in runs + rows),
        )
    return ImportResult(
        debates=dict(sorted(Counter(play.study for play in new).items())),
        unfinished=sum(not play.is_complete() for play in new),
        verdicts=sum(table == "rulings" for table, _ in rows),
        already_stored=len(found.plays) - len(new),
        copies=tuple(found.copies),
        passed_over=tuple(found.passed_over),
        refused=tuple(found.refused),
        flags=dict(sorted(count_doubts(rows).items())),
        put_off=database.fold(path).put_off,
    )


def summary_lines(imported: ImportResult) -> list[str]:
    """What an import did, as lines for the terminal: what came in, what is doubtful, and each refused file with the reason."""
    new = sum(imported.debates.values())
    by_study = ", ".join(f"{study} {count}" for study, count in imported.debates.items())
    lines = (
        [
            f"imported {pluralize(new, 'debate')} ({by_study}) and {pluralize(imported.verdicts, 'verdict')}"
        ]
        if new
        else ["nothing new"]
    )
    if imported.already_stored:
        lines.append(f"{pluralize(imported.already_stored, 'debate')} had been imported before")
    if imported.unfinished:
        lines.append(
            f"{pluralize(imported.unfinished, 'debate')} with speeches not yet given: left open"
        )
    if imported.flags:
        lines.append(
            "flagged, not altered: "
            + ", ".join(f"{words} {count}" for words, count in imported.flags.items())
        )
    if imported.copies:
        lines.append(
            f"counted once: {pluralize(len(imported.copies), 'further copy', 'further copies')} of the same file"
        )
    if imported.passed_over:
        lines.append(f"passed over {pluralize(len(imported.passed_over), 'file')} without debates")
    lines += [f"refused {name}: {reason}" for name, reason in imported.refused]
    return lines + ([f"not folded yet: {imported.put_off}"] if imported.put_off else [])


def pluralize(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def why_nothing(found: FolderContents) -> str:
    """Why a folder gave no debate, in one sentence, with the first ten refused files."""
    if not found.refused:
        return "there is no debate of llms-overconfidence below it"
    more = f"; and {len(found.refused) - 10} more" if len(found.refused) > 10 else ""
    return "; ".join(f"{name}: {reason}" for name, reason in found.refused[:10]) + more


def count_doubts(rows: list[Row]) -> Counter[str]:
    """How often each flag, each missing confidence and each doubtful vote stands in new rows."""
    count: Counter[str] = Counter()
    for table, row in rows:
        if table == "turns":
            count.update(flag for flag in row["flags"] if not flag.startswith("amount"))
            if row["confidence_status"] != READ:
                count[f"confidence {row['confidence_status']}"] += 1
        elif table == "rulings" and row["status"] != READ:
            count[f"verdict {row['status']}"] += 1
    return count


def debate_rows(play: PublishedPlay) -> Iterator[Row]:
    """The rows of a debate: motion, play, seats, one turn by side and phase, and, where every speech was given, its end."""
    subject = Subject(writable(play.debate.motion.topic_description), source=SOURCE)
    yield "subjects", {"subject": subject_id(subject), **row_of(subject)}
    yield (
        "plays",
        play_row(play, play.episode, "published", "debate", subject_id(subject), None)
        | {"options": OPTIONS[play.study]},
    )
    for side, model in zip(
        SIDES, (play.debate.proposition_model, play.debate.opposition_model), strict=True
    ):
        yield (
            "seats",
            {
                "episode": play.episode,
                "seat": side,
                "agent": writable(model),
                "model": writable(model),
            },
        )
        for step, phase in enumerate(PHASES[play.study]):
            yield "turns", turn_row(play, side, phase, step)
    if play.is_complete():
        yield "statuses", status_row(play, play.episode)


def play_row(
    play: PublishedPlay, episode: str, arm: str, protocol: str, subject: str, repeat: int | None
) -> dict[str, object]:
    """The row of one play: the debate itself, or one judge's reading of it."""
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


def status_row(play: PublishedPlay, episode: str) -> dict[str, object]:
    """The end of a play, at the only time that is known of it."""
    return {"episode": episode, "status": "done", "ended_at": play.started_at or UNKNOWN_TIME}


def turn_row(play: PublishedPlay, side: str, phase: str, step: int) -> dict[str, object]:
    """One speech with its bet, as published, and what is doubtful about them."""
    speech = play.debate.output(side).speeches.get(phase)
    bets = play.debate.bets(side, phase)
    # A retry after the bet was stored left it there twice; the last one came with the speech that was kept.
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


def rating(bets: list[Bet]) -> tuple[float | None, str, list[str]]:
    """(confidence in [0, 1] or None, its status, flags) of the bets that a side made in one phase."""
    amounts = list(dict.fromkeys(bet.amount for bet in bets))
    flags = ["bet stored twice"] if len(bets) > 1 else []
    if not amounts or amounts == [None]:
        return None, "missing", flags
    words = ", ".join("none" if amount is None else f"{amount:.15g}" for amount in amounts)
    if len(amounts) > 1:
        return None, "several numbers", [*flags, f"amounts {words}"]
    if not 0 <= amounts[0] <= 100:
        return None, "out of range", [*flags, f"amount {words}"]
    return amounts[0] / 100, READ, flags


def thoughts_flags(bet: Bet) -> list[str]:
    """Doubts about a bet: "NA" was typed in by hand where the program found no thoughts."""
    thoughts = bet.thoughts.strip()
    found = {
        "thoughts are NA": thoughts.upper() == "NA",
        "thoughts under 40 characters": len(bet.thoughts) < 40,
        "zero": bet.amount == 0,
        "zero with no thoughts": bet.amount == 0 and thoughts.upper() in ("", "NA"),
    }
    return [flag for flag, holds in found.items() if holds]


def speech_flags(speech: str) -> list[str]:
    """Doubts about a speech: next to nothing said, or remnants of the private tags, which the opponent and the jury then read."""
    found = {
        "empty speech": not speech.strip(),
        "speech under 5 words": len(speech.split()) < 5,
        "private tag in speech": re.search(r"bet\\?_logic\\?_private", speech, re.I),
        "rating tag in speech": re.search(r"bet\\?_amount", speech, re.I),
        "rating in speech": re.search(r"<bet\\?_amount>\s*\d", speech, re.I),
    }
    return [flag for flag, holds in found.items() if holds]


def judging_rows(play: PublishedPlay) -> Iterator[Row]:
    """The rows of the jury: each vote is an episode of its own, with one seat and one verdict."""
    earlier: Counter[str] = Counter()
    for vote in play.debate.judge_results or ():
        judge, repeat = writable(vote.model), earlier[vote.model]
        earlier[vote.model] += 1
        episode = digest([SOURCE, "judging", play.episode, vote.model, repeat])
        yield "plays", play_row(play, episode, "jury", "judging", play.episode, repeat)
        yield "seats", {"episode": episode, "seat": "judge", "agent": judge, "model": judge}
        yield "rulings", verdict_row(vote, episode, play.episode, repeat)
        yield "statuses", status_row(play, episode)


def verdict_row(vote: Vote, episode: str, debate: str, repeat: int) -> dict[str, object]:
    """One vote as published; a winner or confidence that is none is NULL, and the status says so, or what is doubtful."""
    winner = (
        vote.winner.lower() if vote.winner is not None and vote.winner.lower() in SIDES else None
    )
    in_range = vote.confidence is not None and 0 <= vote.confidence <= 100
    wrong = [] if winner else [f"winner {str(vote.winner)[:40]!r} is neither side"]
    if vote.confidence is None:
        wrong.append("confidence missing")
    elif not in_range:
        wrong.append(f"confidence {vote.confidence:.15g} is out of range")
    doubtful = text_doubts(vote) if winner else []
    words = "; ".join(wrong + doubtful)
    return {
        "episode": episode,
        "debate": debate,
        "judge": writable(vote.model),
        "seat_order": "as played",
        "repeat": repeat,
        "winner": winner,
        "confidence": vote.confidence / 100 if in_range else None,
        "reasons": writable(vote.logic),
        "status": writable(words if wrong else f"doubtful: {words}" if words else READ),
    }


def text_doubts(vote: Vote) -> list[str]:
    """Where a vote is not what its text says, read as the published parser does: the last of each tag counts."""
    winners = re.findall(r"<winnerName>(\w+)</winnerName>", vote.logic)
    confidences = re.findall(r"<confidence>(\d+)</confidence>", vote.logic)
    found = []
    if not winners:
        found.append("no winner tag in the text")
    elif winners[-1].lower() != str(vote.winner).lower():
        found.append(f"the text names {winners[-1][:40]}")
    elif not confidences:
        found.append("no confidence tag in the text")
    elif vote.confidence is not None and float(confidences[-1]) != vote.confidence:
        found.append(f"the text says {confidences[-1][:40]}")
    return found + (
        [f"longer than {LONG_REASONS:,} characters"] if len(vote.logic) > LONG_REASONS else []
    )
