"""Write journals of made-up debates by the million, as runs write them, for store.py to measure.

Every line has the fields that a real run writes: plays, seats, calls, turns with their prompts in
parts, statuses; a quarter of the debates is judged, by two judges each.  The prompts are those of
protocols/debate.py and judging.py.  Texts are drawn word by word from 20,000 invented words whose
frequencies fall like those of a language (Zipf's law), so that compression finds no sentence twice.
3% of the ratings and 0.3% of the speeches are missing, 1% of the debates failed.  No language model
wrote any of it, and none of it means anything.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from arena import Subject
from arena.store.checksums import SEAL_BYTES, seal
from arena.store.database import journal_folder
from arena.store.journal import SEGMENT_BYTES, line, row_of, write_journal
from arena.studies.motions import subject_id
from protocols.debate import FIRST, THREE_SPEECHES
from protocols.debate_prompts import (
    debate_instructions,
    rating_instructions,
    speech_instructions,
)
from protocols.judging import EITHER, FORM, RUBRIC, SCHEDULES, TASK

SIDES = ("proposition", "opposition")
MODELS = (
    "sim/even",
    "sim/modest",
    "sim/confident",
    "sim/overconfident",
    "sim/erratic",
    "sim/confident:words=60",
)
JUDGES = ("sim/judge:seed=1", "sim/judge:seed=2")
MOTIONS = tuple(
    Subject(f"This house would settle question number {number}.", source="made up")
    for number in range(200)
)
STUDIES = 20
IN_FLIGHT = 32
WORDS_A_TURN = 222  # with spaces and tags some 1.5 kB of text
TURNS_A_DEBATE = 0.99 * (6 + 0.25 * len(JUDGES)) + 0.01 * 2
BEGAN = datetime(2026, 1, 1)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MadeUpDebate:
    """A made-up debate, for the rows of its judges to point at."""

    episode: str
    motion: Subject


class Source:
    """Chance, words, ids and the clock of one store; the same seed makes the same journals."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self._numpy = np.random.default_rng(seed)
        starts = [*"bdfgklmnprstvz", "st", "tr", "sh"]
        ends = [*"aeiou", "an", "er", "in", "or"]
        syllables = [start + end for start in starts for end in ends]
        # The most frequent words are the shortest.
        words = [
            "".join(self.random.choices(syllables, k=self.random.randint(1, 2) + (n > 200)))
            for n in range(20_000)
        ]
        self._words = np.array([*words, *(f"{word}." for word in words)], dtype=object)
        # Zipf's law with Mandelbrot's shift, as cumulative shares to draw from by bisection.
        shares = 1 / (np.arange(20_000) + 2.7)
        self._shares = np.cumsum(shares / shares.sum())
        self._stock: list[str] = []
        self.now = BEGAN

    def text(self, mean: float) -> str:
        """Return words with full stops, their number log-normal with this mean."""
        count = int(mean * self.random.lognormvariate(-0.06, 0.35)) + 3
        # One large draw at a time: numpy is slow for a few words.
        if len(self._stock) < count:
            ranks = np.searchsorted(self._shares, self._numpy.random(200_000)).clip(max=19_999)
            # The second half of the words are the same with a full stop.
            ends_sentence = self._numpy.random(200_000) < 0.08
            self._stock = self._words[ranks + 20_000 * ends_sentence].tolist()
        words = self._stock[-count:]
        del self._stock[-count:]
        return " ".join(words)

    def id(self, length: int = 20) -> str:
        """Return random hexadecimal digits, like a hash."""
        return f"{self.random.getrandbits(4 * length):0{length}x}"

    def tick(self) -> datetime:
        """Move the clock a little on, and return its time."""
        self.now += timedelta(microseconds=300 + int(3000 * self.random.random()))
        return self.now


def write(path: Path, turns: int) -> int:
    """Write the journals of at least `turns` turns beside the store at `path`; return how many."""
    source = Source()
    written = 0
    debates = round(turns / TURNS_A_DEBATE / STUDIES) + 1
    for number in range(STUDIES):
        study = f"made up {number + 1:02d}"
        judged: list[MadeUpDebate] = []
        written += write_run(path, source, study, debate_lines(source, study, debates, judged))
        jury = f"{study} jury"
        written += write_run(path, source, jury, judging_lines(source, jury, judged))
    return written


def write_run(path: Path, source: Source, study: str, lines: Iterator[bytes]) -> int:
    """Write the journals of one run, a new one whenever 64 MB are full; return how many turns."""
    run = f"{source.tick():%Y%m%dT%H%M%S}-{source.id(6)}"
    turns = 0
    segment = 0
    unfinished = True
    origin = {
        "run": run,
        "study": study,
        "origin": "played",
        "simulated": True,
        "planned": 0,
        "host": "made up",
        "pid": 1,
    }

    def segment_lines() -> Iterator[bytes]:
        nonlocal turns, unfinished
        size = 0
        if segment == 0:
            versions = {"python": "3.11"}
            yield line("runs", {**origin, "versions": versions, "started_at": source.tick()})
        # `lines` goes on where the segment before stopped.
        for text in lines:
            # The checksum is of the line with the run's name.
            text = text.replace(b'"RUN"', b'"' + run.encode() + b'"', 1)
            text = seal(text[:-SEAL_BYTES] + b"}")
            turns += text.startswith(b'{"t":"turns"')
            size += len(text)
            yield text
            if size > SEGMENT_BYTES:
                return
        unfinished = False

    while unfinished:
        write_journal(journal_folder(path) / f"{run}-{segment:03d}.jsonl", segment_lines())
        segment += 1
    return turns


def debate_lines(
    source: Source, study: str, debates: int, judged: list[MadeUpDebate]
) -> Iterator[bytes]:
    """Write the lines of a study's debates, IN_FLIGHT of them at a time.

    Debates that a jury is to read are added to `judged`.
    """
    for motion in MOTIONS:
        yield line("subjects", {"subject": subject_id(motion), **row_of(motion)})
    for first in range(0, debates, IN_FLIGHT):
        playing = [
            MadeUpDebate(source.id(), source.random.choice(MOTIONS))
            for _ in range(min(IN_FLIGHT, debates - first))
        ]
        failed = {debate.episode for debate in playing if source.random.random() < 0.01}
        for debate in playing:
            models = source.random.choices(MODELS, k=2)
            subject = subject_id(debate.motion)
            yield from entry_lines(source, study, "debate", debate.episode, subject, models)
        # Phase by phase and in any order of seats, as concurrent debates come in.
        for round, phase in enumerate(THREE_SPEECHES):
            speakers = [
                (debate, side)
                for debate in playing
                for side in SIDES
                if not (round and debate.episode in failed)
            ]
            for debate, side in source.random.sample(speakers, len(speakers)):
                yield from speech_lines(source, debate, side, phase, round)
        for debate in playing:
            ending = {"status": "done"}
            if debate.episode in failed:
                ending = {"status": "failed", "error_kind": "Unreachable", "error": "no answer"}
            row = {"episode": debate.episode, "run": "RUN", **ending, "ended_at": source.tick()}
            yield line("statuses", row)
            if debate.episode not in failed and source.random.random() < 0.25:
                judged.append(debate)


def entry_lines(
    source: Source, study: str, protocol: str, episode: str, subject: str, models: Sequence[str]
) -> Iterator[bytes]:
    """Write the lines that an episode begins with: the play and its seats."""
    play = {
        "study": study,
        "arm": "round robin",
        "protocol": protocol,
        "version": "1",
        "code_hash": protocol * 8,
        "options": {},
    }
    times = {"repeat": 0, "started_at": source.tick()}
    yield line("plays", {"episode": episode, **play, "subject": subject, **times})
    for seat, model in zip(SIDES if protocol == "debate" else ("judge",), models, strict=True):
        row = {
            "agent": model,
            "model": model,
            "system": "",
            "sampling": {"temperature": 0.7, "max_tokens": 2000},
            "seeds": "sent",
        }
        yield line("seats", {"episode": episode, "seat": seat, **row})


def speech_lines(
    source: Source, debate: MadeUpDebate, side: str, phase: str, round: int
) -> Iterator[bytes]:
    """Write a call and the speech that it brought."""
    speech = source.text(0.75 * WORDS_A_TURN)
    thoughts = source.text(0.25 * WORDS_A_TURN)
    rating = None
    if source.random.random() >= 0.03:
        rating = min(100, max(0, round + int(source.random.gauss(72, 12))))
    shown = [(seat, step, "public") for step in range(round) for seat in SIDES]
    prompt: list[Row] = [
        {"text": debate_instructions(debate.motion.text, "none", "heard", FIRST)},
        {"text": FIRST.history},
    ]
    for seat, step, face in (*shown, *((side, step, "notes") for step in range(round))):
        prompt += [
            {"text": f"\n--- {seat}, {THREE_SPEECHES[step]} ---\n"},
            {"episode": debate.episode, "seat": seat, "step": step, "face": face},
        ]
        prompt.append({"text": "\n"})
    prompt.append({"text": speech_instructions(side, phase, FIRST)})
    rating_words = rating_instructions(phase, "private", "both", "plain", FIRST)
    prompt.append({"text": rating_words})
    text = f"<speech>{speech}</speech>\n<thoughts>{thoughts}</thoughts>\n"
    text += "" if rating is None else f"<rating>{rating}%</rating>"
    # A reply that was cut off has no end of its speech, so that nothing of it may be shown.
    public = None if source.random.random() < 0.003 else speech
    read: Row = {
        "public": public,
        "thoughts": thoughts,
        "confidence": rating and rating / 100,
        "answer": None,
        "flags": [],
    }
    read["confidence_status"] = "no rating" if rating is None else "read"
    place = {"episode": debate.episode, "seat": side, "step": round}
    when = {"phase": phase, "round": round}
    yield from turn_lines(source, place, when, text, prompt, read)


def judging_lines(source: Source, study: str, judged: Sequence[MadeUpDebate]) -> Iterator[bytes]:
    """Write the lines of a jury's study: every judge reads every debate once."""
    for debate in judged:
        text = f"{debate.motion.text}\n(debate {debate.episode}, public words {source.id()})"
        subject = Subject(text, source=debate.episode)
        row = {"subject": subject_id(subject), **row_of(subject), "kind": "debate"}
        yield line("subjects", row)
        for judge in JUDGES:
            episode = source.id()
            winner = SIDES[int(source.random.random() < 0.45)]
            sure = round(source.random.uniform(0.5, 1), 2)
            yield from entry_lines(source, study, "judging", episode, subject_id(subject), [judge])
            reasons = source.text(80)
            text = f"<reasons>{reasons}</reasons>\n<winner>{winner}</winner>\n"
            text += f"<rating>{100 * sure:g}%</rating>"
            read: Row = {
                "public": reasons,
                "thoughts": None,
                "confidence": sure,
                "confidence_status": "read",
                "answer": winner,
                "flags": [],
            }
            place = {"episode": episode, "seat": "judge", "step": 0}
            when = {"phase": "verdict", "round": 0}
            prompt = judging_prompt(debate, source.id(8))
            yield from turn_lines(source, place, when, text, prompt, read)
            verdict = {
                "debate": debate.episode,
                "judge": judge,
                "winner": winner,
                "confidence": sure,
                "reasons": reasons,
                "status": "read",
            }
            order = {"seat_order": "as played", "repeat": 0}
            yield line("rulings", {"episode": episode, **verdict, **order})
            done = {"status": "done", "ended_at": source.tick()}
            yield line("statuses", {"episode": episode, "run": "RUN", **done})


def judging_prompt(debate: MadeUpDebate, code: str) -> list[Row]:
    """Return the parts of a judge's prompt."""
    words = TASK.format(
        motion=debate.motion.text,
        first=SIDES[0],
        second=SIDES[1],
        schedule=SCHEDULES[False],
        code=code,
    )
    prompt: list[Row] = [{"text": words}]
    for step, phase in enumerate(THREE_SPEECHES):
        for seat in SIDES:
            prompt += [
                {"text": f"\n[{code}] {seat}, {phase}\n"},
                {"episode": debate.episode, "seat": seat, "step": step, "face": "public"},
            ]
            prompt.append({"text": "\n"})
    return [*prompt, {"text": RUBRIC}, {"text": FORM.format(winners=EITHER)}]


def turn_lines(
    source: Source, place: Row, when: Row, text: str, prompt: list[Row], read: Row
) -> Iterator[bytes]:
    """Write a turn with the beginning and the end of its call."""
    began = source.tick()
    call = {
        **place,
        "ask": 0,
        "run": "RUN",
        "attempt": 0,
        "started_at": began,
        "sent": {"temperature": 0.7, "max_tokens": 2000},
    }
    yield line("call_starts", call)
    tokens = {
        "tokens_in": sum(len(part.get("text", "")) for part in prompt) // 4,
        "tokens_out": len(text) // 4,
        "finish_reason": "stop",
    }
    cost = {
        "cost_usd": 1e-6 * tokens["tokens_out"],
        "cost_source": "made up",
        "status": "ok",
        "latency_s": 1.5,
        "queued_s": 0.001,
    }
    yield line("call_ends", {**call, **cost, **tokens, "http_status": 200})
    sample = {
        "request_hash": source.id(64),
        "seed": source.random.getrandbits(31),
        "model_served": "made up",
        "finish_reason": "stop",
    }
    times = {"started_at": began, "ended_at": source.tick(), "sample_key": source.id(64)}
    nothing = {"prefill": None, "token_ids": None, "reasoning": None, "logprobs": None}
    turn = {
        **place,
        **when,
        "asks": 1,
        "text": text,
        "rating_public": False,
        "prompt": prompt,
        **nothing,
        **sample,
        **times,
        **read,
    }
    yield line("turns", turn)
