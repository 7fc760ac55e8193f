"""Read stored requests as something to ask again, with the messages and the reader of their time.

A protocol that is replayed over its stored turns builds each request anew, with its messages, its
sampling and its reader; a request that is not the stored one, by its hash, is left out.  So the
messages need not be pieced together from the record, and today's reader reads both replies.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from arena.errors import StudyError
from arena.play.episode import Step
from arena.play.reading import Reader, read_as_public
from arena.play.reread import AT_ONCE, NOT_REACHED, NOTHING_SAID, RereadEpisode, replay
from arena.play.stored_plays import Sources, play_of
from arena.play.sync import run_blocking
from arena.private import reveal
from arena.store.database import open_live
from arena.store.readings import Place, StoredEpisode, load_episodes, load_turns
from arena.store.replay import StoredTurn
from arena.types import Message, Sampling, Subject, Turn

# Replaying more episodes of a model takes its time, and tells nothing more.
MOST_EPISODES = 1000
# Their replies are made up by their places in a play, which a request asked again has not.
SIMULATED = "sim/"
IS_SIMULATED = "a simulated model makes up its replies by their place in a play"
SPOKE = """
    select s.model, s.episode from seats s join plays p using (episode)
    where p.study = ? and exists (from turns t where t.episode = s.episode and t.seat = s.seat)
    group by all
"""


@dataclass(frozen=True, slots=True)
class StoredRequest(Subject):
    """A request whose reply is stored, to be asked again as number `again` of its prompt.

    `prompt` is a hash of its model, messages and sampling, the same for all requests that differ in
    nothing but their seeds.  `confidence` in [0, 1] is the rating that today's reader reads in the
    stored reply.  `turns` holds the words of the request, which are no secret to who was sent them.
    As a subject it is the stored turn and the hash: the words stand in the study and in prompts.
    """

    prompt: str = ""
    again: int = 0
    phase: str = ""
    round: int = 0
    messages: tuple[Message, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    read: Reader = read_as_public
    confidence: float | None = None
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who was asked: an agent's name, its model by reference, its system prompt and sampling."""

    agent: str
    model: str
    system: str
    sampling: Sampling


@dataclass(slots=True)
class StoredRequests:
    """The requests of a study that are asked again, by speaker.

    `left_out` counts episodes, and models, by the reason why their requests cannot be asked again.
    """

    by_speaker: dict[Speaker, list[StoredRequest]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


class AskedEpisode(RereadEpisode):
    """An episode that notes its steps while its stored replies are read anew."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.steps: dict[Place, Step] = {}

    async def _read_again(self, step: Step, place: Place, stored: StoredTurn) -> None:
        """Note the step, and read its stored reply."""
        self.steps[place] = step
        await super()._read_again(step, place, stored)


def stored_requests(path: Path, study: str, calls: int, sources: Sources) -> StoredRequests:
    """Return `calls` requests of each model of a study to ask again, the same for the same store.

    They are spread over the episodes, and are distinct prompts as far as there are so many; then
    prompts are asked several times.  More calls begin with fewer.  Raises StudyError if the store
    holds no episode of the study.
    """
    rows = load_episodes(path, study)
    if not rows:
        raise StudyError(
            f"{path} holds no episode of a study {study!r}; list its studies with:"
            f" arena status --db {path}"
        )
    chosen = choose_episodes(path, study)
    rows = [row for row in rows if row["episode"] in chosen]
    found = StoredRequests()
    asked: defaultdict[str, list[tuple[Speaker, StoredRequest]]] = defaultdict(list)
    for episodes in load_turns(path, rows):
        for speaker, request in run_blocking(partial(requests_of_all, episodes, sources, found)):
            asked[speaker.model].append((speaker, request))
    for model, some in sorted(asked.items()):
        if model.startswith(SIMULATED):
            found.left_out[IS_SIMULATED] += 1
            continue
        for speaker, request in choose_requests(some, calls):
            found.by_speaker.setdefault(speaker, []).append(request)
    return found


def choose_episodes(path: Path, study: str) -> set[str]:
    """Return episodes of a study by chance, the same ones each time, enough for each model."""
    with open_live(path, ("all_episodes",)) as con:
        spoke = con.execute(SPOKE, [study]).fetchall()
    by_model: defaultdict[str, list[str]] = defaultdict(list)
    for model, episode in sorted(spoke, key=lambda row: digest(row[1])):
        by_model[model].append(episode)
    return {one for episodes in by_model.values() for one in episodes[:MOST_EPISODES]}


async def requests_of_all(
    episodes: Sequence[StoredEpisode], sources: Sources, found: StoredRequests
) -> list[tuple[Speaker, StoredRequest]]:
    """Return the requests of some episodes; count those that cannot be asked again."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(stored: StoredEpisode) -> list[tuple[Speaker, StoredRequest]]:
        async with gate:
            return await requests_of(stored, sources, found)

    return [each for some in await asyncio.gather(*map(one, episodes)) for each in some]


async def requests_of(
    stored: StoredEpisode, sources: Sources, found: StoredRequests
) -> list[tuple[Speaker, StoredRequest]]:
    """Return the requests of one episode, or count why there are none."""
    try:
        play = play_of(stored, sources)
    except StudyError as error:
        found.left_out[str(error)] += 1
        return []
    memo = stored.memo.get(stored.id, {})
    if not memo:
        found.left_out[NOTHING_SAID] += 1
        return []
    episode, _, problem = await replay(AskedEpisode, stored, play, memo)
    assert isinstance(episode, AskedEpisode)
    if not episode.steps:
        found.left_out[problem or NOT_REACHED] += 1
    requests = []
    for (seat, step), taken in episode.steps.items():
        reread = episode.rereadings.get((seat, step))
        confidence = None if reread is None else reveal(reread.reading.confidence)
        requests.append(stored_request(taken, f"{stored.id}/{seat}/{step}", confidence))
    return requests


def stored_request(
    step: Step, item: str, confidence: float | None
) -> tuple[Speaker, StoredRequest]:
    """Return a step of a replay, an item EPISODE/SEAT/STEP, as a request to ask again."""
    agent = step.seat.agent
    messages = step.built.messages
    said_before = [message.identity() for message in messages]
    content = orjson.dumps((agent.model.name, said_before, step.sampling.content()))
    images = {placed.image.hash: placed.image for each in messages for placed in each.images}
    words = "\n".join(message.content for message in messages)
    episode = item.partition("/")[0]
    said = Turn(episode, step.seat.name, step.step, step.phase, step.round, text="", public=words)
    request = StoredRequest(
        "",
        "debate",
        source=item,
        images=tuple(images.values()),
        prompt=hashlib.sha256(content).hexdigest()[:20],
        phase=step.phase,
        round=step.round,
        messages=messages,
        sampling=step.sampling,
        read=step.read,
        confidence=confidence,
        turns=(said,),
    )
    return Speaker(agent.name, agent.model.name, agent.system, agent.sampling), request


def choose_requests(
    some: Sequence[tuple[Speaker, StoredRequest]], calls: int
) -> Iterator[tuple[Speaker, StoredRequest]]:
    """Yield `calls` requests of a model: one of each episode, the next of each, and so on.

    Each prompt comes once before one comes again; then it takes another of its stored replies.
    """
    by_episode: defaultdict[str, list[tuple[Speaker, StoredRequest]]] = defaultdict(list)
    for each in sorted(some, key=lambda each: digest(str(each[1].source))):
        by_episode[str(each[1].source).partition("/")[0]].append(each)
    ranked = [
        (rank, digest(episode), each)
        for episode, requests in by_episode.items()
        for rank, each in enumerate(requests)
    ]
    by_prompt: defaultdict[str, list[tuple[Speaker, StoredRequest]]] = defaultdict(list)
    for *_, each in sorted(ranked, key=lambda row: row[:2]):
        by_prompt[each[1].prompt].append(each)
    chosen = 0
    for again in count():
        for alike in by_prompt.values():
            if chosen == calls:
                return
            speaker, request = alike[again % len(alike)]
            text = f"stored request {request.source} (prompt {request.prompt}, again {again})"
            yield speaker, replace(request, text=text, again=again)
            chosen += 1


def digest(text: str) -> bytes:
    """Return the bytes by which texts are in an order of chance that is always the same."""
    return hashlib.sha256(text.encode()).digest()
