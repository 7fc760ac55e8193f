"""One play of a protocol, and `Episode.ask`: the only way to speak.

The transcript is the memo.  A reply is durable before the protocol sees it, under the key (episode, seat, step, ask); to resume is to call
the protocol again, and what is stored is replayed instead of asked.  The step counter belongs to the seat, since a seat is a sequential
process and concurrency exists only between seats.  Seeds and random streams come from the episode's id: no clock, no global random.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from arena.calls.ledger import RunContext, call, reuse
from arena.calls.token_measures import measures_of
from arena.errors import STOPPING, ArenaError, BusySeatError, LeakError, ProtocolError, ReplayError
from arena.play.prompt import BuiltPrompt, Prompt, PromptPart, build_prompt
from arena.play.records import agent_row
from arena.store.journal import line, row_of
from arena.store.replay import StoredTurn, digest, reask_key, turn_of
from arena.text import utc_now, writable
from arena.types import GeneratedSpan, Message, Place, Reading, Request, Sampling, Seat, Turn

Reader = Callable[[str], Reading]
SHORTEST_SECRET = 16


@dataclass(frozen=True, slots=True)
class Step:
    """What is asked of a seat: the place of the step in the play, its stored form, and how to read the reply."""

    seat: Seat
    step: int
    phase: str
    round: int
    read: Reader
    rating_public: bool
    sampling: Sampling
    built: BuiltPrompt


def read_as_public(text: str) -> Reading:
    """The reader of protocols without private words: the whole reply is public."""
    return Reading(public=text)


def request_content(request: Request) -> bytes:
    """Messages and sampling of a request as JSON, without its seed."""
    return orjson.dumps((request.messages, request.sampling.content()))


def request_hash(request: Request, content: bytes) -> str:
    """What identifies a request when it is replayed: messages, sampling and seed, as 64 hex digits; `content` is the request's."""
    return hashlib.sha256(b"%b,%d]" % (content[:-1], request.seed)).hexdigest()


class Episode:
    """One play of a protocol.  `id` is the episode's id; `ask` speaks, `rng` draws.

    `memo` holds what is stored of it by (seat, step); `sample` tells its samples from those of other plays, whatever their study; `seated`
    names the seats that are written down already.
    """

    def __init__(
        self,
        id: str,
        run: RunContext,
        memo: Mapping[tuple[str, int], StoredTurn] | None = None,
        sample: str = "",
        seated: Iterable[str] = (),
    ) -> None:
        self.id = id
        self.sample = sample or id
        self._run = run
        self._memo = memo or {}
        self._steps: defaultdict[str, int] = defaultdict(int)
        self._busy: set[str] = set()
        self._seated = set(seated)
        self._streams: dict[str, random.Random] = {}
        self._outstanding: set[asyncio.Task[Turn]] = set()
        self._private: list[tuple[str, str]] = []
        self.stopped: ArenaError | None = None

    def rng(self, name: str) -> random.Random:
        """The random stream of this name: the same draws in every replay of this episode."""
        if name not in self._streams:
            self._streams[name] = random.Random(digest(self.id, "rng", name))
        return self._streams[name]

    async def ask(
        self,
        seat: Seat,
        prompt: Prompt,
        *,
        phase: str,
        round: int = 0,
        read: Reader = read_as_public,
        public_rating: bool = False,
        prefill: Prompt = (),
        sampling: Sampling | None = None,
    ) -> Turn:
        """Ask a seat for its next turn, or replay it where it is stored.

        `prompt` is text and turns (arena.prompt); `read` takes the reply apart, and what it could not read is asked for once more in the
        same conversation.  `public_rating` says that the prompt tells the author that others will see the rating.  `prefill` is what the
        reply has begun with: the model goes on from there, and the turn's text is what it adds.  `sampling` is for this step, in the place
        of the agent's.

        Raises BusySeatError where the seat is speaking already, LeakError where the prompt shows what is not the seat's to see,
        ReplayError where a stored turn answered another request, ProtocolError where the model cannot go on from a prefill, ModelError where
        the model gave no usable reply.
        """
        if seat.name in self._busy:
            raise BusySeatError(
                f"{seat.name} was asked for {phase} while it is still speaking; give parallel voices seats of their own"
            )
        built = build_prompt(prompt, seat, self.id, prefill)
        self._check_pasted((*built.parts, *built.prefill), seat)
        if built.prefill and "prefill" not in seat.agent.model.capabilities:
            raise ProtocolError(
                f"{seat.name} was to go on from given words, which {seat.agent.model.name} cannot: use a local model, or a server with prefill"
            )
        if seat.name not in self._seated:
            # A seat that the protocol made itself: a path, a sample.  Written again in every replay, and kept once.
            self._seated.add(seat.name)
            self._run.journal.append_later(
                line("seats", {"episode": self.id, "seat": seat.name, **agent_row(seat.agent)})
            )
        step = Step(
            seat,
            self._steps[seat.name],
            phase,
            round,
            read,
            public_rating,
            sampling or seat.agent.sampling,
            built,
        )
        self._steps[seat.name] += 1
        self._busy.add(seat.name)
        # A task of its own: when a protocol gives up on one ask because another failed, this reply is still paid for and must be kept.
        task = asyncio.create_task(self._take_turn(step))
        self._outstanding.add(task)
        task.add_done_callback(self._outstanding.discard)
        return await asyncio.shield(task)

    def route(
        self,
        *,
        block: int,
        path: int,
        peer: int,
        rank: int,
        router: str,
        similarity: float | None = None,
    ) -> None:
        """Write down that in a block the summary of `peer` was shown to `path` as its number `rank`; all counted from 0.

        `similarity` of the two summaries is in [0, 1], None where the router uses none.
        """
        row = {
            "episode": self.id,
            "block": block,
            "path": path,
            "peer": peer,
            "rank": rank,
            "similarity": similarity,
            "router": router,
        }
        self._run.journal.append_later(line("routes", row))

    def _check_pasted(self, parts: Sequence[PromptPart], seat: Seat) -> None:
        """Raise LeakError where a text holds what another seat said in private: pasted words leave no row in `saw`."""
        for author, words in self._private:
            if author != seat.name and any(
                part.text is not None and words in part.text for part in parts
            ):
                raise LeakError(
                    f"private words of {author} stand as text in a prompt for {seat.name}; put the turn itself into the prompt"
                )

    async def settle(self) -> None:
        """Wait until no ask is outstanding; their own errors have reached the protocol already or have lost their reader."""
        while self._outstanding:
            await asyncio.gather(*self._outstanding, return_exceptions=True)

    async def abandon(self) -> None:
        """Cancel what is outstanding: the run is being stopped."""
        for task in self._outstanding:
            task.cancel()
        await self.settle()

    async def _take_turn(self, step: Step) -> Turn:
        try:
            turn = await self._replay_or_ask(step)
        except STOPPING as error:
            # Remembered, since a protocol may swallow it, and must not end as if nothing had happened.
            self.stopped = self.stopped or error
            raise
        self._private += [
            (turn.seat, words)
            for words in (turn.thoughts, turn.text if turn.public != turn.text else None)
            if is_distinctive(words)
        ]
        return turn

    async def _replay_or_ask(self, step: Step) -> Turn:
        try:
            request = self._request(step, 0, step.built.messages, step.built.generated_spans)
            stored = self._memo.get((step.seat.name, step.step))
            if stored is not None:
                self._check_replay(step, stored, request_hash(request, request_content(request)))
                if stored.finished:
                    self._run.stats.replayed += 1
                    return stored.turn
                return await self._ask_again(
                    step, request, stored.row, first_reading(stored, step.read)
                )
            return await self._ask_first(step, request)
        finally:
            self._busy.discard(step.seat.name)

    def _check_replay(self, step: Step, stored: StoredTurn, asked: str) -> None:
        if stored.request_hash != asked:
            raise ReplayError(
                f"episode {self.id}: {step.seat.name}'s step {step.step} ({step.phase}) is stored as the reply to another request;"
                " the protocol, its prompts or the agent changed. Restore them, or raise the protocol's VERSION to play anew"
            )

    def _request(
        self,
        step: Step,
        ask: int,
        messages: tuple[Message, ...],
        spoken: tuple[GeneratedSpan, ...] = (),
    ) -> Request:
        name = step.seat.name
        seed = int.from_bytes(digest(self.id, name, step.step, ask)[:4], "big") >> 1
        place = Place(self.id, name, step.step, ask, step.phase, step.round)
        return Request(messages, step.sampling, seed, place, spoken)

    async def _ask_first(self, step: Step, request: Request) -> Turn:
        started_at = utc_now()
        asked = request_content(request)
        sample_key = hashlib.sha256(
            b"%b %a %a %d" % (asked, self.sample, step.seat.name, step.step)
        ).hexdigest()
        # Log probabilities are not kept for reuse: whoever asks for them asks anew.
        hit = None if request.sampling.logprobs is not None else self._run.cache.get(sample_key)
        reply, call_end = (
            await call(self._run, step.seat.agent.model, request)
            if hit is None
            else reuse(self._run, request, hit)
        )
        row = {
            "episode": self.id,
            "seat": step.seat.name,
            "step": step.step,
            "phase": step.phase,
            "round": step.round,
            "asks": 1,
            "text": writable(reply.text),
            "rating_public": step.rating_public,
            "request_hash": request_hash(request, asked),
            "prompt": [part_row(part) for part in step.built.parts],
            "prefill": [part_row(part) for part in step.built.prefill] or None,
            "seed": request.seed if hit is None else hit.seed,
            "model_served": reply.model_served,
            "finish_reason": reply.finish_reason,
            "token_ids": reply.token_ids,
            "reasoning": reply.reasoning,
            "started_at": started_at,
            "ended_at": utc_now(),
            "logprobs": reply.logprobs,
            "sample_key": sample_key,
            "measures": measures_of(reply) if hit is None else hit.measures,
        }
        if row["measures"]:
            key = {name: row[name] for name in ("episode", "seat", "step")}
            measured = b"".join(
                line("measures", {**key, "name": name, "value": value})
                for name, value in row["measures"].items()
            )
            call_end = measured + call_end
        try:
            reading = self._reading(step, reply.text)
        except BaseException:
            # The reader is at fault, not the reply: keep the reply, so that a mended reader reads it again without asking.
            self._run.journal.append(call_end, turn_line("unfinished_turns", row))
            raise
        if reading.reask is None:
            return await self._keep("turns", row, reading, call_end)
        await self._keep("unfinished_turns", row, reading, call_end)
        return await self._ask_again(step, request, row, reading)

    async def _ask_again(
        self, step: Step, request: Request, row: Mapping[str, Any], reading: Reading
    ) -> Turn:
        """Ask once for what was unreadable, and keep what was readable from the first reply."""
        if reading.reask is None:
            return await self._keep("turns", row, reading)
        *before, last = request.messages
        begun = last.content if last.role == "assistant" else ""
        before = before if begun else [*before, last]
        again = (*before, Message("assistant", begun + row["text"]), Message("user", reading.reask))
        request = self._request(step, 1, again)
        hit = (
            self._run.cache.get(reask_key(row["sample_key"] or "", row["text"], reading.reask))
            if self._run.cache
            else None
        )
        reply, call_end = (
            await call(self._run, step.seat.agent.model, request)
            if hit is None
            else reuse(self._run, request, hit)
        )
        try:
            second = self._reading(step, reply.text)
        except BaseException:
            self._run.journal.append(call_end)
            raise
        merged = reading.fill_gaps_from(second)
        if second.reask is not None:
            self._run.stats.unreadable += 1
        finished = {
            **row,
            "asks": 2,
            "reask_prompt": reading.reask,
            "reask_text": writable(reply.text),
            "ended_at": utc_now(),
        }
        return await self._keep("turns", finished, merged, call_end)

    def _reading(self, step: Step, text: str) -> Reading:
        """What the step's reader finds in a reply; ProtocolError where that is no reading that can be stored."""
        reading = step.read(text)
        if not isinstance(reading, Reading):
            raise ProtocolError(
                f"the reader of {step.seat.name} must return a Reading, found {type(reading).__name__}"
            )
        for name in ("public", "thoughts", "answer", "reask"):
            if not isinstance(getattr(reading, name), str | None):
                raise ProtocolError(
                    f"the reader of {step.seat.name} gave no text as {name}: {getattr(reading, name)!r:.80}"
                )
        confidence = reading.confidence
        if confidence is not None and not (
            isinstance(confidence, int | float) and 0 <= confidence <= 1
        ):
            raise ProtocolError(
                f"the reader of {step.seat.name} gave a confidence of {confidence!r:.40}; it must lie in [0, 1], or be None"
            )
        return (
            reading
            if type(confidence) in (float, int, type(None))
            else replace(reading, confidence=float(confidence))
        )

    async def _keep(
        self, table: str, row: Mapping[str, Any], reading: Reading, *call_end: bytes
    ) -> Turn:
        """Write a turn with the call that brought it, and return it when both are on disk."""
        read = {
            "public": None if reading.public is None else writable(reading.public),
            "thoughts": None if reading.thoughts is None else writable(reading.thoughts),
            "confidence": reading.confidence,
            "confidence_status": reading.confidence_status,
            "answer": None if reading.answer is None else writable(reading.answer),
            "flags": reading.flags,
        }
        full = {**row, **read}
        if table == "unfinished_turns":
            full["reask_prompt"] = reading.reask
        self._run.journal.append(*call_end, turn_line(table, full))
        await self._run.journal.wait_until_durable()
        return turn_of(full)


def turn_line(table: str, row: Mapping[str, Any]) -> bytes:
    """The journal line of a turn; its measures are rows of a table of their own."""
    return line(table, {name: value for name, value in row.items() if name != "measures"})


def part_row(part: PromptPart) -> dict[str, Any]:
    """How a part of a prompt stands in the store."""
    return row_of(part) if part.text is None else {"text": part.text}


def is_distinctive(words: str | None) -> bool:
    """Whether private words are long enough to be told from a coincidence."""
    return words is not None and len(words) >= SHORTEST_SECRET


def first_reading(stored: StoredTurn, read: Reader) -> Reading:
    """What was read out of the first reply; read anew only where the reader itself had failed."""
    turn = stored.turn
    if stored.reask_prompt is None:
        return read(turn.text)
    return Reading(
        turn.public,
        turn.thoughts,
        turn.confidence,
        turn.confidence_status,
        turn.answer,
        turn.flags,
        stored.reask_prompt,
    )
