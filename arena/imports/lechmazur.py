"""Read the debates of the LLM Debate Benchmark, github.com/lechmazur/debate, with its judgements.

No file is shipped with us.  Read are, from a clone or single files: `transcripts/*.md`, one debate
each; `judgments/judge_results__*` (CSV, JSON lines, gzip), where a row is one judge's word on one
debate; and `participant_judging/*/raw_judgments.csv`, in which debaters judge debates of their own,
each in both orders of presentation.  PRO is the proposition, CON the opposition.  A judge's margin
stands in `published_numbers` as `signed margin` (a debater's own: `signed margin of a
participant`), above 0 where PRO is ahead.  A debate that is
judged and whose transcript is not there has a subject and seats, and no turns.

What should come out: its Bradley-Terry order (`arena rank`; it rates matchups of two debates with
sides exchanged, so that the order is to be met, not the numbers), the agreement of judges
(`judge_agreement`; 0.563 in the snapshot of 2026-03-22), and the margins of participants minus
the panel's, `self_panel_shift` in model_summary.csv (`own_minus_panel`): by debate and side, the
mean of the participant's margins for itself over both orders, minus the mean of the panel's.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena.errors import StudyError
from arena.imports.files import columns_of, files_in, number_of, read_rows, read_text
from arena.imports.records import ImportedPlay, ImportedTurn, ImportedVerdict, Refused
from arena.text import writable
from arena.types import Subject

SOURCE = "lechmazur/debate"
STUDY = "lechmazur debate"
SIDES = {"pro": "proposition", "con": "opposition", "tie": "abstain"}
HEAD = re.compile(r"^- (\w+): ?(.*)$")
TURN = re.compile(r"^## Turn (\d{1,4}): (PRO|CON) (.+)$")
NAME = re.compile(r"^# Debate (\S+)$")
# prop_0541__MODEL__MODEL__s0__tpl_...
DEBATE = re.compile(r"(?P<topic>[^_]+_\d+)__(?P<pro>.+?)__(?P<con>.+?)__s(?P<swap>[01])__")
JUDGED = ("debate_id", "judge_model", "winner_side", "signed_margin", "model_pro", "model_con")
PARTICIPANTS = ("debate_id", "participant_model", "side_a_source", "signed_margin_presented")
PHASES = {"Opening": 0, "Rebuttal 1": 1, "Pressure Questions": 2, "Rebuttal 2": 3, "Closing": 4}
MARGIN = "signed margin"
OWN_MARGIN = "signed margin of a participant"
# In the words of our own judges, by who is read first.
ORDERS = {"pro": "as played", "con": "opposition first"}


@dataclass(slots=True)
class Found:
    """What the files say of one debate."""

    turns: list[ImportedTurn] = field(default_factory=list)
    proposition: str = ""
    models: dict[str, str] = field(default_factory=dict)
    verdicts: list[ImportedVerdict] = field(default_factory=list)


def read_lechmazur(place: Path, study: str | None) -> Iterator[ImportedPlay | Refused]:
    """Yield the debates that transcripts and judgements at a place tell of."""
    debates: defaultdict[str, Found] = defaultdict(Found)
    seen: Counter[tuple[str, str]] = Counter()
    for name, file in files_in(place, (".md", ".csv", ".jsonl", ".gz")):
        try:
            if file.suffix == ".md":
                read_transcript(read_text(file), debates)
            elif is_table(file):
                read_judgements(read_rows(file), debates, seen)
        except StudyError as error:
            yield Refused(name, writable(str(error)))
    for name, found in debates.items():
        try:
            yield play_of(name, found, study)
        except StudyError as error:
            yield Refused(name, writable(str(error)))


def is_table(file: Path) -> bool:
    """Tell whether a table is one of single judgements; the others are made of these."""
    return file.name.startswith(("judge_results__", "raw_judgments", "source_judgments"))


def read_transcript(text: str, debates: dict[str, Found]) -> None:
    """Read a debate in Markdown.  Raises StudyError if it is none, unless it is another page."""
    lines = text.splitlines()
    named = NAME.match(lines[0]) if lines else None
    if named is None:
        return
    found = Found()
    heads = {}
    at = 1
    while at < len(lines) and not TURN.match(lines[at]):
        if head := HEAD.match(lines[at]):
            heads[head[1]] = head[2]
        at += 1
    while at < len(lines):
        at = read_turn(lines, at, found.turns)
    if not found.turns or "proposition" not in heads:
        raise StudyError("has no proposition, or no turn under a line such as '## Turn 1: PRO ...'")
    # Only a whole transcript is kept.
    debate = debates[named[1]]
    debate.turns = found.turns
    debate.proposition = heads["proposition"]
    debate.models = {
        side: heads[f"model_{side}"] for side in ("pro", "con") if f"model_{side}" in heads
    }


def read_turn(lines: list[str], at: int, turns: list[ImportedTurn]) -> int:
    """Read the turn that begins at a line, and return the line after it."""
    head = TURN.match(lines[at])
    assert head is not None
    body: list[str] = []
    at += 1
    # After the list of numbers comes the speech; what begins like a turn there is none of ours
    # unless it has the next number.
    while at < len(lines):
        following = TURN.match(lines[at])
        if following and int(following[1]) == int(head[1]) + 1:
            break
        if following and int(following[1]) > int(head[1]) + 1:
            raise StudyError(f"has a line of turn {following[1]} in turn {head[1]}: one is missing")
        body.append(lines[at])
        at += 1
    start = 0
    while start < len(body) and (not body[start].strip() or HEAD.match(body[start])):
        start += 1
    speech = "\n".join(body[start:]).strip()
    flags = ("clipped",) if speech.endswith("[clipped]") else ()
    turns.append(
        ImportedTurn(
            SIDES[head[2].lower()],
            speech or None,
            phase=head[3].strip().lower(),
            round=PHASES.get(head[3].strip(), len(turns) // 2),
            flags=flags,
        )
    )
    return at


def read_judgements(
    rows: list[dict[str, Any]], debates: dict[str, Found], seen: Counter[tuple[str, str]]
) -> None:
    """Read a table of judgements, of a panel or of participants.

    `seen` counts the words of each debate so far: the same table stands there in several formats,
    and a word counts as often as it does in the file that has it most often.
    """
    here: Counter[tuple[str, str]] = Counter()
    own = bool(rows) and "participant_model" in rows[0]
    columns_of(rows, PARTICIPANTS if own else JUDGED, "table of judgements of lechmazur/debate")
    for row in rows:
        debate = debates[str(row["debate_id"])]
        if not own:
            debate.proposition = debate.proposition or str(row.get("proposition_text") or "")
            debate.models |= {side: str(row[f"model_{side}"]) for side in ("pro", "con")}
        word = participant_word(row) if own else panel_word(row)
        key = (str(row["debate_id"]), repr(word))
        here[key] += 1
        if here[key] > seen[key]:
            debate.verdicts.append(word)
    seen |= here


def panel_word(row: Mapping[str, Any]) -> ImportedVerdict:
    """Return a judge's row as a verdict."""
    side = str(row["winner_side"]).lower()
    margin = number_of(row["signed_margin"])
    return ImportedVerdict(
        str(row["judge_model"]),
        SIDES.get(side),
        reasons=str(row.get("reasoning") or "") or None,
        order=ORDERS.get(str(row.get("presented_side_a_source")).strip().lower(), "as played"),
        status="read" if side in SIDES else f"winner {side[:40]!r} is no side",
        numbers={MARGIN: margin, "entertainment": number_of(row.get("entertainment_value"))},
    )


def participant_word(row: Mapping[str, Any]) -> ImportedVerdict:
    """Return the word of a participant on its own debate as a verdict."""
    first = str(row["side_a_source"]).strip().lower()
    # A margin for a side that is not named is a margin for nobody.
    shown = number_of(row["signed_margin_presented"]) if first in ORDERS else None
    margin = shown if shown is None or first == "pro" else -shown
    winner = (
        None
        if margin is None
        else "abstain"
        if margin == 0
        else SIDES["pro" if margin > 0 else "con"]
    )
    return ImportedVerdict(
        str(row["participant_model"]),
        winner,
        reasons=str(row.get("reasoning") or "") or None,
        order=ORDERS.get(first, "as played"),
        status="read" if winner else "no margin",
        numbers={OWN_MARGIN: margin},
    )


def play_of(name: str, found: Found, study: str | None) -> ImportedPlay:
    """Return what was found of a debate as a play.  Raises StudyError without its models."""
    parts = DEBATE.match(name)
    models = dict(found.models)
    if parts is not None:
        models = {"pro": parts["pro"], "con": parts["con"]} | models
    if set(models) != {"pro", "con"}:
        raise StudyError("names no two models, neither in a row nor in the debate's name")
    return ImportedPlay(
        key=name,
        study=study or STUDY,
        subject=Subject(found.proposition),
        seats={SIDES[side]: models[side] for side in ("pro", "con")},
        turns=found.turns,
        arm="debate",
        options={"schedule": "sequential", "side_swap": bool(parts and parts["swap"] == "1")},
        verdicts=found.verdicts,
        named_by_key=True,
    )
