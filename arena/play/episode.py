"""Play a protocol once; `Episode.ask` is the only way to speak.

The transcript is the memo.  A reply is durable before the protocol sees it, under the key (episode,
seat, step, ask).  To resume is to call the protocol again: stored replies are replayed, the rest is
asked.  Each seat counts its own steps, since a seat is a sequential process and concurrency exists
only between seats.  Seeds and random streams come from the episode's id: no clock, no global random
state.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from arena.calls.ledger import RunContext, call, reuse
from arena.calls.token_measures import measures_of
from arena.errors import (
    STOPPING,
    ArenaError,
    BusySeatError,
    ReplayError,
)
from arena.play.abilities import check_abilities
from arena.play.disclosure import Disclosure
from arena.play.prompt import IMAGE, BuiltPrompt, Chat, Prompt, PromptPart
from arena.play.reading import (
    Reader,
    check_reader,
    fill_gaps,
    first_reading,
    read_as_public,
    read_off_loop,
)
from arena.play.records import agent_row
from arena.store.journal import line, row_of
from arena.store.replay import CachedReply, StoredTurn, digest, reask_key, turn_of
from arena.text import utc_now, writable
from arena.types import (
    Agent,
    Message,
    Place,
    Reading,
    Reply,
    Request,
    Sampling,
    Seat,
    SharedPrefix,
    Subject,
    Turn,
)

Row = Mapping[str, Any]
NOBODY: Mapping[str, Agent] = {}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a seat: its place in the play, its prompt, and how to read the reply."""

    seat: Seat
    step: int
    phase: str
    round: int
    read: Reader
    rating_public: bool
    sampling: Sampling
    built: BuiltPrompt


def request_content(request: Request) -> bytes:
    """Return messages and sampling of a request as JSON, without its seed."""
    messages = [message.identity() for message in request.messages]
    return orjson.dumps((messages, request.sampling.content()))


def request_hash(request: Request, content: bytes) -> str:
    """Return 64 hex digits that identify a request in a replay: messages, sampling and seed.

    `content` is the request's `request_content`, which is costly for long prompts.
    """
    # The seed as third element of the JSON list, without writing the messages a second time.
    return hashlib.sha256(b"%b,%d]" % (content[:-1], request.seed)).hexdigest()


class Episode:
    """One play of a protocol.  `id` is the episode's id; `ask` speaks, `rng` draws.

    `memo` holds the stored turns by (seat, step).  `sample` tells the samples of this play from
    those of other plays, whatever their study.  `lineup` has the agents of the seats that are in
    the record already.  Of other episodes' turns, those of the `subject` alone can be shown.
    `stopped` is the error that stops the run, which a protocol may have caught; `shown_images` are
    the hashes of the images that anybody was shown.
    """

    def __init__(
        self,
        id: str,
        run: RunContext,
        memo: Mapping[tuple[str, int], StoredTurn] | None = None,
        sample: str = "",
        lineup: Mapping[str, Agent] = NOBODY,
        subject: Subject | None = None,
    ) -> None:
        self.id = id
        self.sample = sample or id
        self._run = run
        self._memo = memo or {}
        self._steps: defaultdict[str, int] = defaultdict(int)
        self._busy: set[str] = set()
        self._seated = set(lineup)
        self._streams: dict[str, random.Random] = {}
        self._outstanding: set[asyncio.Task[Turn]] = set()
        self.disclosure = Disclosure(id, run, lineup, subject)
        self.stopped: ArenaError | None = None
        self.shown_images: set[str] = set()

    @property
    def seats(self) -> frozenset[str]:
        """Return the names of all who sit in it: of its lineup, and of others who have spoken."""
        return frozenset(self._seated)

    @property
    def outstanding_asks(self) -> int:
        """Return how many asks have no reply yet."""
        return len(self._outstanding)

    def hide_passage_from(self, *seats: Seat) -> None:
        """Refuse the subject's passage, and its words as text, to these seats from now on.

        Public words of others may quote it.  Raises LeakError if one of them has read it.
        """
        for seat in seats:
            self.disclosure.hide_passage_from(seat)

    def rng(self, name: str) -> random.Random:
        """Return the random stream of this name, with the same draws in every replay."""
        if name not in self._streams:
            self._streams[name] = random.Random(digest(self.id, "rng", name))
        return self._streams[name]

    async def ask(
        self,
        seat: Seat,
        prompt: Prompt | Chat,
        *,
        phase: str,
        round: int = 0,
        read: Reader = read_as_public,
        public_rating: bool = False,
        prefill: Prompt = (),
        sampling: Sampling | None = None,
    ) -> Turn:
        """Ask a seat for its next turn, or replay the turn if it is stored.

        `prompt` is text, turns and images, or a chat of these (arena/play/prompt.py).  `read` takes
        the whole Reply apart; anything it could not read is asked for once more in the same
        conversation.  `public_rating` says that the prompt tells the author that others will see
        the rating.  `prefill` is the beginning of the reply: the model continues it, and the turn's
        text is only the continuation.  `sampling` replaces the agent's for this step.

        Raises BusySeatError if the seat is speaking already, LeakError if the request shows the
        seat something private, ReplayError if the stored turn answered another request,
        ProtocolError if another agent sat in this seat before or the model cannot continue a
        prefill, StudyError if it takes no images, ModelError if it gave no usable reply.
        """
        if seat.name in self._busy:
            raise BusySeatError(
                f"{seat.name} was asked for {phase} while it is still speaking;"
                " give parallel voices seats of their own"
            )
        sampling = sampling or seat.agent.sampling
        self.disclosure.check_agent(seat)
        built = self.disclosure.build(prompt, seat, prefill, sampling)
        check_abilities(seat, built, sampling)
        self.shown_images.update(built.images)
        self._record_seat(seat)
        # Steps are counted before anything is awaited: they follow the order of the calls.
        number = self._steps[seat.name]
        read = check_reader(read)
        step = Step(seat, number, phase, round, read, public_rating, sampling, built)
        self._steps[seat.name] += 1
        self._busy.add(seat.name)
        # A task of its own: if the protocol gives up on this ask because another one failed, the
        # reply is paid for all the same and must be kept.
        task = asyncio.create_task(self._take_turn(step))
        self._outstanding.add(task)
        task.add_done_callback(self._outstanding.discard)
        return await asyncio.shield(task)

    def _record_seat(self, seat: Seat) -> None:
        """Record a seat that the protocol created, such as a path, when it first speaks."""
        if seat.name in self._seated:
            return
        self._seated.add(seat.name)
        # Every replay writes it again; the store keeps one row of a key.
        row = {"episode": self.id, "seat": seat.name, **agent_row(seat.agent)}
        self._run.journal.append_later(line("seats", row))

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
        """Record that in a block the summary of `peer` was shown to `path` as number `rank`.

        All are counted from 0.  `similarity` of the two summaries is in [0, 1], None if the router
        uses none.
        """
        place = {"episode": self.id, "block": block, "path": path, "peer": peer, "rank": rank}
        row = {**place, "similarity": similarity, "router": router}
        self._run.journal.append_later(line("routes", row))

    async def settle(self) -> None:
        """Wait until no ask is outstanding.

        Their errors have reached the protocol already, or nobody waits for them any more.
        """
        while self._outstanding:
            await asyncio.gather(*self._outstanding, return_exceptions=True)

    async def abandon(self) -> None:
        """Cancel all outstanding asks, because the run is being stopped."""
        for task in self._outstanding:
            task.cancel()
        await self.settle()

    async def _take_turn(self, step: Step) -> Turn:
        try:
            turn = await self._replay_or_ask(step)
        except STOPPING as error:
            # A protocol may swallow this error, and must not end as if nothing had happened.
            self.stopped = self.stopped or error
            raise
        self.disclosure.note(turn, step.built, step.seat.agent.system)
        return turn

    async def _replay_or_ask(self, step: Step) -> Turn:
        try:
            request = self._request(step, 0, step.built.messages)
            stored = self._memo.get((step.seat.name, step.step))
            if stored is not None:
                self._check_replay(step, stored, request_hash(request, request_content(request)))
                if stored.finished:
                    self._run.stats.replayed += 1
                    return stored.turn
                # A crash between the first reply and the re-ask: go on with the re-ask.
                reading = first_reading(stored, step.read, step.seat.name)
                self.disclosure.check_reading(step.seat, reading)
                return await self._ask_again(step, request, stored.row, reading)
            return await self._ask_first(step, request)
        finally:
            self._busy.discard(step.seat.name)

    def _check_replay(self, step: Step, stored: StoredTurn, hash_now: str) -> None:
        if stored.request_hash != hash_now:
            raise ReplayError(
                f"episode {self.id}: {step.seat.name}'s step {step.step} ({step.phase}) is stored"
                " as the reply to another request; the protocol, its prompts or the agent changed."
                " Restore them, or raise the protocol's VERSION to play anew"
            )

    def _request(self, step: Step, ask: int, messages: tuple[Message, ...]) -> Request:
        name = step.seat.name
        # Generated tokens are marked in the first request alone.
        spans = step.built.generated_spans if ask == 0 else ()
        # 31 bits: a seed is never negative, also where it is read as a signed number.
        seed = int.from_bytes(digest(self.id, name, step.step, ask)[:4], "big") >> 1
        place = Place(self.id, name, step.step, ask, step.phase, step.round)
        prefixes = self._run.prefixes.get(self.id)
        shared: tuple[SharedPrefix, ...] = ()
        if prefixes is not None:
            model, built = step.seat.agent.model, step.built
            shared = prefixes.find(model, (name, step.step), built.messages, built.part_ends)
        return Request(messages, step.sampling, seed, place, spans, shared)

    async def _call(
        self, step: Step, request: Request, hit: CachedReply | None
    ) -> tuple[Reply, bytes]:
        """Return the reply, from the cache if it is there, and the line that ends the call."""
        if hit is not None:
            return reuse(self._run, request, hit)
        return await call(self._run, step.seat.agent.model, request)

    async def _ask_first(self, step: Step, request: Request) -> Turn:
        started_at = utc_now()
        content = request_content(request)
        key = b"%b %a %a %d" % (content, self.sample, step.seat.name, step.step)
        sample_key = hashlib.sha256(key).hexdigest()
        # The cache has no log probabilities: a request for them is always sent.
        hit = None if request.sampling.logprobs is not None else self._run.cache.get(sample_key)
        reply, call_end = await self._call(step, request, hit)
        measures = measures_of(reply) if hit is None else hit.measures
        turn_key = {"episode": self.id, "seat": step.seat.name, "step": step.step}
        row = {
            **turn_key,
            "phase": step.phase,
            "round": step.round,
            "asks": 1,
            "text": writable(reply.text),
            "rating_public": step.rating_public,
            "request_hash": request_hash(request, content),
            "prompt": [part_row(part) for part in step.built.parts],
            "prefill": [part_row(part) for part in step.built.prefill] or None,
            "roles": step.built.roles,
            "images": step.built.images or None,
            "seed": request.seed if hit is None else hit.seed,
            "model_served": reply.model_served,
            "fingerprint": reply.fingerprint,
            "finish_reason": reply.finish_reason,
            "token_ids": reply.token_ids,
            "reasoning": reply.reasoning,
            "reasoning_source": reply.reasoning_source if reply.reasoning else None,
            "started_at": started_at,
            "ended_at": utc_now(),
            "logprobs": reply.logprobs,
            "sample_key": sample_key,
            "measures": measures,
        }
        # In one write: readers never see a turn without its measures.
        call_end = b"".join((*measure_lines(turn_key, measures or {}), call_end))
        try:
            reading = await self._read(step, reply)
        except BaseException:
            # The reader is at fault, not the reply: keep the reply, so that a corrected reader can
            # read it without another call.
            self._run.journal.append(call_end, turn_line("unfinished_turns", row))
            raise
        if reading.reask is None:
            return await self._keep(step, "turns", row, reading, call_end)
        await self._keep(step, "unfinished_turns", row, reading, call_end)
        return await self._ask_again(step, request, row, reading)

    async def _read(self, step: Step, reply: Reply) -> Reading:
        """Return the reading of a reply.  Raises LeakError, or ProtocolError for a wrong reader."""
        reading = await read_off_loop(step.read, reply, step.seat.name)
        self.disclosure.check_reading(step.seat, reading)
        return reading

    async def _ask_again(self, step: Step, request: Request, row: Row, reading: Reading) -> Turn:
        """Ask once for the unreadable parts; everything readable in the first reply stays."""
        if reading.reask is None:
            return await self._keep(step, "turns", row, reading)
        *earlier, last = request.messages
        # A prefill and its continuation are one message of the assistant.
        prefilled = last.content if last.role == "assistant" else ""
        earlier = earlier if prefilled else [*earlier, last]
        first_reply = Message("assistant", prefilled + row["text"])
        request = self._request(step, 1, (*earlier, first_reply, Message("user", reading.reask)))
        hit = None
        if self._run.cache:
            key = reask_key(row["sample_key"] or "", row["text"], reading.reask)
            hit = self._run.cache.get(key)
        reply, call_end = await self._call(step, request, hit)
        try:
            second = await self._read(step, reply)
        except BaseException:
            self._run.journal.append(call_end)
            raise
        # What is unreadable in both replies is counted and kept: nothing is asked a third time.
        merged = fill_gaps(reading, second)
        finished = {
            **row,
            "asks": 2,
            "reask_prompt": reading.reask,
            "reask_text": writable(reply.text),
            "ended_at": utc_now(),
        }
        return await self._keep(step, "turns", finished, merged, call_end)

    async def _keep(
        self, step: Step, table: str, row: Row, reading: Reading, *call_end: bytes
    ) -> Turn:
        """Write a turn with the end of its call, and return it when both are on disk."""
        full = {
            **row,
            "public": None if reading.public is None else writable(reading.public),
            "thoughts": None if reading.thoughts is None else writable(reading.thoughts),
            "confidence": reading.confidence,
            "confidence_status": reading.confidence_status,
            "answer": None if reading.answer is None else writable(reading.answer),
            "flags": reading.flags,
            "confidence_source": reading.confidence_source,
        }
        if table == "unfinished_turns":
            full["reask_prompt"] = reading.reask
        else:
            agent = step.seat.agent
            served = full["model_served"]
            self._run.stats.note_turn(agent.model, self.id, reading.missing)
            if self._run.stats.note_serving(agent, served, full.get("fingerprint")):
                place = {"episode": self.id, "seat": step.seat.name, "model_served": served}
                call_end = (line("other_servings", place), *call_end)
        stated = measure_lines(full, reading.measures or {})
        self._run.journal.append(*call_end, *stated, turn_line(table, full))
        await self._run.journal.wait_until_durable()
        return turn_of(full)


def measure_lines(turn: Row, measures: Mapping[str, float]) -> list[bytes]:
    """Return the journal lines of the measures of a turn, by name."""
    place = {name: turn[name] for name in ("episode", "seat", "step")}
    return [
        line("measures", {**place, "name": name, "value": value})
        for name, value in measures.items()
    ]


def turn_line(table: str, row: Row) -> bytes:
    """Return the journal line of a turn; its measures are rows of another table."""
    return line(table, {name: value for name, value in row.items() if name != "measures"})


def part_row(part: PromptPart) -> dict[str, object]:
    """Return a part of a prompt as the store keeps it; the turn lists the images' hashes."""
    if part.image is not None:
        return {"face": IMAGE}
    return row_of(part) if part.text is None else {"text": part.text}
