"""Flip single bits in journals, and count the flips that a reader does not notice.

    python experiments/benchmarks/flips.py [--flips 300] [--seed 1]

Debates, a jury and peer reasoning are played and read anew, and their journals kept from the
database: some of runs that ended, one of a run that was killed.  Each flip changes one bit of a
copy in which its journal alone is not folded: by turns in a line of each kind, and there anywhere,
in the line break too.  Then the store is read and folded.  A flip is `found` if both say that a
line is damaged (or, in the last line of a killed run, torn).  No row may be shown or folded that is
not in the journals as they were written: those are `wrong`.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents import agent
from agents.scripted import scripted_model
from agents.simulated.questions import simulated_questions
from arena import Agent, Arena, Arm, Study, Subject, against_itself, run_stages
from arena.errors import StoreWarning
from arena.store import database
from arena.store.checksums import SEAL_BYTES
from arena.store.folding import FoldResult
from arena.store.journal import Journal, line
from arena.store.schema import JOURNALED
from arena.store.unfolded import PARSED_JOURNALS
from arena.types import Reply, Request
from protocols.debate import debate
from protocols.judging import jury
from protocols.leap_segmented import leap_segmented

KIND = re.compile(rb'\{"t":"(\w+)"')
# A hash of each row of each base table.
ROWS = " union all ".join(f"select '{name}', hash(r)::varchar from {name} r" for name in JOURNALED)
Rows = set[tuple[str, str]]


@dataclass
class Counts:
    """Flips by the kind of the line, and what became of them.

    `unseen` and `wrong` must be zero.
    """

    flips: int = 0
    found: int = 0
    unseen: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Spot:
    """A line of a journal: where it begins, its length with its line break, and its kind."""

    journal: str
    start: int
    length: int
    kind: str


def speak(request: Request) -> Reply:
    """Return a speech with a number that the store keeps as a measure; some have no rating."""
    rating = "" if request.seed % 5 == 0 else f"<rating>{request.seed % 101}%</rating>"
    words = f"<thoughts>Hm.</thoughts><speech>Point {request.seed}.</speech>{rating}"
    return Reply(words, finish_reason="stop", measures={"mean_logprob": -0.5})


def think(request: Request) -> str:
    """Return a piece of reasoning with its summary, in the last turn with an answer."""
    box = f"\\boxed{{{request.seed % 7}}}" if request.place.step else ""
    return f"So {request.seed}. {box} <summarize>Number {request.seed}.</summarize>"


def play_unfolded(path: Path) -> None:
    """Play debates, a jury and peer reasoning, read them anew, and leave the journals unfolded."""
    fold, database.fold = database.fold, lambda *_, **__: FoldResult()
    try:
        arena = Arena(path)
        sides = against_itself([Agent("speaker", scripted_model(speak, name="speaker"))])
        motions = [Subject(f"This house would count to {n}.") for n in range(2)]
        debates = Study("debates", [Arm("only", debate, sides)], motions)
        run_stages(arena, [debates, jury("jury", debates, [agent("sim/judge")])])
        lineup = {"solver": Agent("thinker", scripted_model(think, name="thinker"))}
        team = Arm("only", leap_segmented, [lineup], {"paths": 3, "turns": 2})
        arena.run(Study("peers", [team], simulated_questions(2)))
        arena.reread()
        write_rare_lines(path)
    finally:
        database.fold = fold


def write_rare_lines(path: Path) -> None:
    """Write a line of each kind that that these studies write none of."""
    journal = Journal(database.journal_folder(path), "99990101T000000-000000")
    at = "2026-11-27T00:00:00"
    journal.append(
        line("plan_changes", {"episode": "e", "run": "r", "planned": False, "changed_at": at}),
        line("forgotten", {"study": "s", "forgotten_at": at, "episodes": 1, "what": "leftovers"}),
        line("other_servings", {"episode": "e", "seat": "judge", "model_served": "another"}),
        line("registrations", {"hash": "0", "study": "s", "registered_at": at, "content": "{}"}),
        line("deviations", {"registration": "0", "run": "r", "part": "arms", "noted_at": at}),
        line("label_entries", {"item": "e", "kind": "episode", "question": "winner", "rater": "r"}),
        line("published_numbers", {"item": "e", "model": "m", "name": "tokens", "value": 1.0}),
        line("scores", {"scoring": "s", "episode": "e", "seat": "a", "step": 0, "name": "length"}),
        line("images", {"image": "0", "media_type": "image/png", "base64": "iVBORw0KGgo="}),
        line(
            "batch_plans", {"batch": "b", "run": "r", "study": "s", "model": "m", "planned_at": at}
        ),
        line("batch_states", {"batch": "b", "provider_id": "p", "state": "ended", "at": at}),
    )
    journal.close()


def as_killed(journal: Path) -> None:
    """Leave a journal as a kill does: without its last line, and with half of another one."""
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + line("subjects", {"subject": "torn"})[:20])


def spots_in(path: Path) -> dict[str, list[Spot]]:
    """Return the lines of a store's journals by kind; half a line is none."""
    spots: defaultdict[str, list[Spot]] = defaultdict(list)
    for journal in database.journals(path):
        start = 0
        for text in journal.read_bytes().splitlines(keepends=True):
            match = KIND.match(text)
            if match and text.endswith(b"\n"):
                kind = match[1].decode()
                spots[kind].append(Spot(journal.name, start, len(text), kind))
            start += len(text)
    return spots


def flip(path: Path, spot: Spot, draw: random.Random) -> str:
    """Flip one bit of a line: one time in four of its checksum or line break; say which."""
    near_end = draw.random() < 0.25
    place = draw.randrange(spot.length - SEAL_BYTES if near_end else 0, spot.length)
    bit = draw.randrange(8)
    journal = database.journal_folder(path) / spot.journal
    with journal.open("r+b") as file:
        file.seek(spot.start + place)
        (byte,) = file.read(1)
        file.seek(spot.start + place)
        file.write(bytes([byte ^ 1 << bit]))
    return f"{spot.kind} line, bit {bit} of byte {place} of {spot.length} in {spot.journal}"


def rows_of(path: Path) -> Rows:
    """Return a hash of each row that a reader of the store is shown."""
    return set(database.select_rows(path, ROWS).rows)


def fold_others(template: Path, journal: Path, into: Path) -> Path:
    """Return a copy of a store, in a new folder, in which all journals but one are folded."""
    into.mkdir()
    path = into / template.name
    shutil.copyfile(template, path)
    shutil.copytree(database.journal_folder(template), database.journal_folder(path))
    mine = database.journal_folder(path) / journal.name
    kept = mine.rename(into / mine.name)
    if (folding := database.fold(path)).put_off or folding.damaged:
        raise SystemExit(f"folding went wrong: {folding}")
    for other in database.journals(path):
        other.unlink()
    kept.rename(mine)
    return path


def try_flip(template: Path, written: Rows, spot: Spot, draw: random.Random, into: Counts) -> None:
    """Flip one bit in a copy of the store, read and fold it, and count what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.duckdb"
        shutil.copyfile(template, path)
        shutil.copytree(database.journal_folder(template), database.journal_folder(path))
        where = flip(path, spot, draw)
        into.flips += 1
        into.kinds[spot.kind] += 1
        shown = rows_of(path)
        seen = bool(database.find_damage(path))
        stopped = database.fold(path)
        folded = database.fold(path, leave_out_damaged=True)
        kept = rows_of(path)
        PARSED_JOURNALS.pop(path, None)
        if seen and stopped.damaged and folded.damaged:
            into.found += 1
        else:
            into.unseen.append(where)
        if not (shown <= written and kept <= written):
            into.wrong.append(where)


def flip_bits(folder: Path, draw: random.Random, flips: int, kinds: Sequence[str] = ()) -> Counts:
    """Flip as many bits, one at a time, in lines of these kinds by turns; by default of all."""
    template = folder / "template.duckdb"
    play_unfolded(template)
    as_killed(database.journals(template)[0])
    written = rows_of(template)
    spots = spots_in(template)
    copies = {
        journal.name: fold_others(template, journal, folder / journal.stem)
        for journal in database.journals(template)
    }
    counts = Counts()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        for number in range(flips):
            names = sorted(kinds or spots)
            spot = draw.choice(spots[names[number % len(names)]])
            try_flip(copies[spot.journal], written, spot, draw, counts)
    return counts


def main() -> int:
    """Flip bits in a temporary folder; return 1 if a flip passed unseen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = flip_bits(Path(folder), random.Random(options.seed), options.flips)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.kinds.items()))
    print(f"{counts.flips} flips ({kinds})")
    print(f"{'found':8} {counts.found}")
    print(f"{'unseen':8} {len(counts.unseen)} {counts.unseen[:5] or ''}")
    print(f"{'wrong':8} {len(counts.wrong)} {counts.wrong[:5] or ''}")
    print(f"{'seconds':8} {time.monotonic() - began:.0f}")
    return int(bool(counts.unseen or counts.wrong))


if __name__ == "__main__":
    sys.exit(main())
