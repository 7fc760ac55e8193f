"""Read the records of ChatArena, MALLM and TextArena.

Each is a mapping of its file's names to ours, with what a mapping cannot say.

ChatArena (`Arena.save_history`, JSON or CSV): a message that not all could see is a thought,
flagged with who could.  MALLM (1.0, its output file): a play is a sample; what an agent said and
its solution are a turn, the final answer the panel's; votes are left out.  TextArena (0.7) writes
no file: what is read is a JSON object, or a list or lines of them, of the state of a finished game
by its own names (`logs`, `rewards`, `game_state`, `role_mapping`).  What the game itself said is
left out; of Debate-v0 the sides, the topic and the jury's votes are taken in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from arena.errors import StudyError
from arena.imports.files import files_in, read_json, read_rows
from arena.imports.mapped import PLAIN, look, objects_of, play_of
from arena.imports.records import ImportedPlay, ImportedTurn, ImportedVerdict, Refused
from arena.text import writable
from arena.types import Subject

CHATARENA = replace(PLAIN, name="agent_name", round="turn", model="", phase="", confidence="")
MALLM = replace(
    PLAIN,
    id="exampleId",
    study="dataset",
    arm="paradigm",
    subject="input",
    gold="references.0",
    choices="",
    seats="",
    messages="globalMemory",
    name="agent_id",
    content="message",
    phase="contribution",
    round="turn",
    answer="solution",
    final="finalAnswer",
    answers="",
    verdicts="",
    confidence="",
    model="",
    protocol="",
)
GAME = -1
SIDES = {"Affirmative": "proposition", "Negative": "opposition"}


def read_chatarena(place: Path, study: str | None) -> Iterator[ImportedPlay | Refused]:
    """Yield the histories that ChatArena has saved, one a file."""
    for name, file in files_in(place, (".json", ".csv")):
        try:
            messages = read_rows(file) if file.suffix == ".csv" else read_json(file)
            for found in objects_of(messages, CHATARENA):
                play = play_of(numbered(found), CHATARENA, name, study or "chatarena")
                turns = [
                    hidden(turn, said)
                    for turn, said in zip(play.turns, said_in(found), strict=True)
                ]
                yield replace(play, turns=turns, protocol="chatarena")
        except StudyError as error:
            yield Refused(name, writable(str(error)))


def said_in(play: object) -> list[Any]:
    """Return the messages of a play."""
    messages = look(play, "messages")
    return messages if isinstance(messages, list) else []


def numbered(play: object) -> object:
    """Return a play whose turns are numbers, also where CSV has made texts of them."""
    messages = [
        {**said, "turn": int(said["turn"])}
        if isinstance(said, Mapping) and re.fullmatch("[0-9]{1,9}", str(said.get("turn")))
        else said
        for said in said_in(play)
    ]
    return {**play, "messages": messages} if isinstance(play, Mapping) else play


def hidden(turn: ImportedTurn, message: Mapping[str, Any]) -> ImportedTurn:
    """Return a turn, as a thought if not all could see its message."""
    seen_by = message.get("visible_to", "all")
    if seen_by == "all":
        return turn
    words = ", ".join(map(str, seen_by)) if isinstance(seen_by, list) else str(seen_by)
    return replace(turn, public=None, thoughts=turn.public, flags=(f"visible to {words[:200]}",))


def read_mallm(place: Path, study: str | None) -> Iterator[ImportedPlay | Refused]:
    """Yield the samples of MALLM's output files that were discussed."""
    for name, file in files_in(place, (".json",)):
        try:
            samples = read_json(file)
            if not isinstance(samples, list):
                raise StudyError("is no output of MALLM, which is a list of samples")
        except StudyError as error:
            yield Refused(name, writable(str(error)))
            continue
        for number, sample in enumerate(samples):
            which = f"{name}, sample {number + 1}"
            # A baseline has no discussion.
            if look(sample, MALLM.messages) is None:
                yield Refused(which, "has no discussion (globalMemory)")
                continue
            try:
                yield mallm_play(sample, which, study)
            except StudyError as error:
                yield Refused(which, writable(str(error)))


def mallm_play(sample: object, name: str, study: str | None) -> ImportedPlay:
    """Return a sample as a play, with the models and personas of its agents."""
    play = play_of(sample, MALLM, name, study)
    personas = look(sample, "personas")
    seats = dict(play.seats)
    told = {}
    for persona in personas if isinstance(personas, list) else ():
        seat = str(look(persona, "agentId"))
        if seat in seats:
            model = look(persona, "model")
            seats[seat] = model if isinstance(model, str) else None
            told[seat] = str(look(persona, "persona"))
    ended = look(sample, "decisionSuccess")
    return replace(
        play,
        key=f"{play.arm}/{play.key}",
        seats=seats,
        protocol="mallm",
        options={"personas": told, "decisionSuccess": ended},
    )


def read_textarena(place: Path, study: str | None) -> Iterator[ImportedPlay | Refused]:
    """Yield the games whose states were written as JSON."""
    for name, file in files_in(place, (".json", ".jsonl")):
        try:
            content = read_json(file)
        except StudyError as error:
            yield Refused(name, writable(str(error)))
            continue
        games = content if isinstance(content, list) else [content]
        for number, game in enumerate(games):
            which = name if len(games) == 1 else f"{name}, game {number + 1}"
            try:
                yield textarena_play(game, which, study or "textarena")
            except StudyError as error:
                yield Refused(which, writable(str(error)))


def textarena_play(game: object, name: str, study: str) -> ImportedPlay:
    """Return a game as a play.  Raises StudyError with the reason if it is none."""
    logs = look(game, "logs")
    if not isinstance(logs, list) or not logs:
        raise StudyError("has no logs, a list of [player, message], of a state of TextArena")
    sides = look(game, "game_state.sides")
    roles = look(game, "role_mapping")
    turns = []
    # A role that several players have is no name of one of them.
    given = list(roles.values()) if isinstance(roles, Mapping) else []
    alone = {
        player: role if given.count(role) == 1 else f"{role} {player}"
        for player, role in (roles.items() if isinstance(roles, Mapping) else ())
        if isinstance(role, str)
    }
    if isinstance(sides, Mapping) and len({str(side) for side in sides.values()}) < len(sides):
        raise StudyError("has two players on one side, which no debate of two sides has")
    for number, entry in enumerate(logs):
        if not isinstance(entry, list) or len(entry) < 2 or not isinstance(entry[1], str):
            raise StudyError(f"entry {number + 1} of its logs is no [player, message]")
        if entry[0] != GAME:
            seat = seat_of(entry[0], sides, alone)
            turns.append(ImportedTurn(seat, entry[1], phase="turn", round=number))
    if not turns:
        raise StudyError("has no message of a player in its logs")
    # Turns are numbered among those of players.
    turns = [replace(turn, round=number) for number, turn in enumerate(turns)]
    return ImportedPlay(
        key=name,
        study=study,
        subject=Subject(str(look(game, "game_state.topic") or look(game, "env_id") or "")),
        seats={turn.seat: None for turn in turns},
        turns=turns,
        protocol="debate" if isinstance(sides, Mapping) else "textarena",
        options={"schedule": "sequential"},
        verdicts=list(jury_of(game, sides)),
    )


def seat_of(player: object, sides: object, roles: object) -> str:
    """Return a player's seat: its side of a debate, its role, or its number."""
    side = look(sides, str(player))
    if isinstance(side, str) and side in SIDES:
        return SIDES[str(side)]
    role = look(roles, str(player))
    return str(role) if isinstance(role, str) and role else f"Player {player}"


def jury_of(game: object, sides: object) -> Iterator[ImportedVerdict]:
    """Yield the word of a debate's jury, which goes by how its votes have moved."""
    votes = look(game, "game_state.votes")
    rewards = look(game, "rewards")
    if not isinstance(votes, Mapping) or not isinstance(rewards, Mapping):
        return
    won = [player for player, reward in rewards.items() if reward == 1]
    winner = seat_of(won[0], sides, None) if len(won) == 1 else "abstain"
    yield ImportedVerdict(
        "textarena jury",
        winner if winner in (*SIDES.values(), "abstain") else None,
        reasons=f"votes before {look(votes, 'pre-debate')}, after {look(votes, 'post-debate')}",
    )
