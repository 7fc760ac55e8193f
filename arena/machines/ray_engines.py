"""Keep the engine actors of a cluster: who holds which model, who is there, who is asked next.

An episode stays with the engine that it first asked, where its prompts are cached, as long as that
lives.  An engine that dies is started anew by Ray, and opened again here; meanwhile others take
over its episodes.  What was in flight is a failed attempt of its call, and nothing more.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from arena.calls.absences import Absence
from arena.errors import ArenaError, ModelError, StudyError, UnreachableError
from arena.machines.code import code_hash
from arena.machines.dealing import deal
from arena.machines.places import OnRay
from arena.machines.ray_cluster import Cluster, connect
from arena.machines.ray_engine import Engine, Home, OpenedModel
from arena.machines.waiting import say_while
from arena.text import join_words, pluralize
from arena.types import Reply, Request

# Calls that an engine takes at once; those above wait in Ray's queue.
MOST_AT_ONCE = 1000
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
# An engine tells its settings at once, unless it has just died.
SETTINGS_S = 5.0
ONE_ENGINE = (
    "note: one engine on this machine plays no faster than a run without --on ray; several do, with"
    " --engines N (one a GPU, where there are some)"
)


@dataclass(eq=False, slots=True)
class EngineActor:
    """An engine as the driver knows it.

    `there` is whether it takes calls, as far as known; `absence` the latest time in which not.
    """

    number: int
    actor: Any
    home: Home | None = None
    there: bool = False
    in_flight: int = 0
    absence: Absence | None = None

    @property
    def name(self) -> str:
        """Return the name of the engine in sentences."""
        return f"engine {self.number + 1}" + (f" on {self.home.node}" if self.home else "")

    def note_there(self) -> None:
        """Note that it takes calls."""
        if self.absence is not None and not self.there:
            self.absence.end()
        self.there = True


@dataclass(frozen=True, slots=True)
class PickledModel:
    """A model as it travels, and its name."""

    name: str
    pickled: bytes


@dataclass(slots=True)
class PlacedOn:
    """A model and the engines that hold it; its episodes, each at one of them."""

    model: PickledModel
    engines: tuple[EngineActor, ...]
    opened: OpenedModel | None = None
    at: dict[str, EngineActor] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the model."""
        return self.model.name


class Engines:
    """The engines of one place, for all studies that this process plays there."""

    def __init__(self, place: OnRay) -> None:
        self.place = place
        self._cluster: Cluster | None = None
        self._all: list[EngineActor] = []
        self._placed: dict[str, PlacedOn] = {}
        self._job: object = None
        self._starting = threading.Lock()
        self._revivals: set[asyncio.Task[None]] = set()

    async def open(self, key: str, wanted: Mapping[str, PickledModel]) -> OpenedModel:
        """Open one of the `wanted` models of a study, by key, on its engines.

        These are started if they are not yet.  Takes as long as its weights need.  Raises
        StudyError if Ray, enough cards or the model cannot be had, or if the code of a node is
        another than here.
        """
        await asyncio.to_thread(self._start, wanted)
        placed = self._placed[key]
        work = asyncio.gather(*(self._open_on(engine, key) for engine in placed.engines))
        words = f"{pluralize(len(placed.engines), 'engine')} on Ray ({self._cluster})"
        opened = await say_while(work, f"{placed.name}: {words} get ready")
        if len({(each.digest) for each in opened}) > 1:
            raise StudyError(
                f"{placed.name} has other weights on one node of the cluster than on another: give"
                " its files the same content on all nodes, or a revision behind the reference"
            )
        placed.opened = opened[0]
        for engine in placed.engines:
            engine.note_there()
        return opened[0]

    def _start(self, wanted: Mapping[str, PickledModel]) -> None:
        """Start the engines, and deal the models of a study to them."""
        with self._starting:
            cluster = connect(self.place)
            import ray

            # Whoever shuts Ray down has ended its actors.
            if self._job != (job := ray.get_runtime_context().get_job_id()):
                count, needs = self._size(cluster)
                actor = ray.remote(Engine).options(
                    max_restarts=-1, max_task_retries=0, max_concurrency=MOST_AT_ONCE, **needs
                )
                self._all = [EngineActor(number, actor.remote()) for number in range(count)]
                self._placed = {}
                self._cluster, self._job = cluster, job
            numbers = {key: [e.number for e in each.engines] for key, each in self._placed.items()}
            for key, dealt in deal([*wanted], len(self._all), numbers).items():
                if key not in self._placed:
                    engines = tuple(self._all[number] for number in dealt)
                    self._placed[key] = PlacedOn(wanted[key], engines)
            self._forget_others(wanted)

    def _forget_others(self, wanted: Mapping[str, PickledModel]) -> None:
        """Let engines forget models that no study has open, for their memory."""
        unwanted = {
            key
            for key, placed in self._placed.items()
            if key not in wanted and placed.opened is None
        }
        for engine in self._all if unwanted else ():
            engine.actor.drop.remote([*unwanted])
        for key in unwanted:
            del self._placed[key]

    def _size(self, cluster: Cluster) -> tuple[int, dict[str, float]]:
        """Return the number of engines, and what each needs of the cluster."""
        asked = self.place.engines
        if cluster.own and (asked or cluster.gpus or 1) == 1:
            print(ONE_ENGINE, file=sys.stderr, flush=True)
        if not cluster.gpus:
            count = asked or 1
            return count, {"num_cpus": max(cluster.cpus / count, 0.01)}
        if asked is not None and asked > cluster.gpus:
            raise StudyError(
                f"{asked} engines were asked for, one a GPU, and the Ray cluster has"
                f" {pluralize(cluster.gpus, 'GPU')}; leave --engines out for one on each"
            )
        return asked or cluster.gpus, {"num_gpus": 1, "num_cpus": 1}

    async def _open_on(self, engine: EngineActor, key: str) -> OpenedModel:
        """Open a model on one engine; StudyError says on which node it cannot be had."""
        import ray

        wait_s = FIRST_WAIT_S
        while True:
            try:
                if engine.home is None or not engine.there:
                    engine.home = await engine.actor.home.remote()
                    if self._cluster is None or not self._cluster.own:
                        check_code(engine)
                pickled = self._placed[key].model.pickled
                opened: OpenedModel | ArenaError = await engine.actor.open.remote(key, pickled)
            except ray.exceptions.ActorUnavailableError:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            except ray.exceptions.RayTaskError as error:
                raise StudyError(
                    f"{self._placed[key].name} cannot be opened by {engine.name}: {error.cause!r}"
                ) from error
            except ray.exceptions.RayError as error:
                raise StudyError(
                    f"{engine.name} died while it opened {self._placed[key].name} (of memory, or a"
                    f" crash; Ray's logs of that node tell): {str(error)[:300]}"
                ) from error
            if isinstance(opened, StudyError):
                raise StudyError(f"{engine.name}: {opened}")
            if isinstance(opened, ArenaError):
                raise opened
            return opened

    async def ask(self, key: str, request: Request) -> Reply:
        """Send a request to the engine of its episode, and return the reply.

        Raises the ModelError of the model; UnreachableError if the engine dies meanwhile, or if
        none of them is there.
        """
        placed = self._placed[key]
        sent = pickle.dumps(request, pickle.HIGHEST_PROTOCOL)
        answer: Reply | ModelError | None = None
        while answer is None:
            engine = self._choose(placed, request.place.episode)
            answer = await self._ask_engine(engine, placed, key, sent)
            if answer is None:
                # Started anew while nobody asked it: it has not opened the model again.
                self._note_gone(engine)
        if isinstance(answer, ModelError):
            raise answer
        return answer

    async def _ask_engine(
        self, engine: EngineActor, placed: PlacedOn, key: str, sent: bytes
    ) -> Reply | ModelError | None:
        """Return the answer of one engine, None if it does not have the model."""
        import ray

        engine.in_flight += 1
        pending = engine.actor.ask.remote(key, sent)
        try:
            answer: Reply | ModelError | None = pickle.loads(await pending)
            return answer
        except asyncio.CancelledError:
            if ray.is_initialized():
                ray.cancel(pending)
            raise
        except ray.exceptions.RayTaskError as error:
            # An error of the model that no other engine would mend.
            raise error.cause from None
        except ray.exceptions.RayError as error:
            self._note_gone(engine)
            raise UnreachableError(
                f"{engine.name} died, or was cut off, before {placed.name} had answered"
                f" ({type(error).__name__})"
            ) from None
        finally:
            engine.in_flight -= 1

    def _choose(self, placed: PlacedOn, episode: str) -> EngineActor:
        """Return the engine of an episode, of a new one that with the fewest calls in flight."""
        there = [engine for engine in placed.engines if engine.there]
        if not there:
            names = join_words([engine.name for engine in placed.engines])
            raise UnreachableError(
                f"{names} {'is' if len(placed.engines) == 1 else 'are'} being started again",
                sent=False,
                server=names,
            )
        own = placed.at.get(episode)
        if own is None or not own.there:
            episodes = list(placed.at.values())
            own = min(there, key=lambda one: (one.in_flight, episodes.count(one)))
            placed.at[episode] = own
        return own

    def _note_gone(self, engine: EngineActor) -> None:
        """Note that an engine is gone, once, and wait for it beside the run."""
        if not engine.there:
            return
        engine.there = False
        engine.absence = Absence(engine.name, tuple(each.name for each in self._all))
        task = asyncio.get_running_loop().create_task(self._revive(engine))
        self._revivals.add(task)
        task.add_done_callback(self._revivals.discard)

    async def _revive(self, engine: EngineActor) -> None:
        """Open the models of an engine again when Ray has started it anew, on whatever node."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                for key, placed in self._placed.items():
                    if engine in placed.engines and placed.opened is not None:
                        await self._open_on(engine, key)
            except ArenaError:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            engine.note_there()
            return

    def request_settings(self, key: str, request: Request) -> dict[str, object] | None:
        """Return the settings with which an engine answers a request; it is waited for.

        Raises UnreachableError if none of them tells.
        """
        import ray

        placed = self._placed[key]
        engine = self._choose(placed, request.place.episode)
        asked = engine.actor.request_settings.remote(key, pickle.dumps(request))
        try:
            settings: dict[str, object] | None = ray.get(asked, timeout=SETTINGS_S)
        except ray.exceptions.RayError as error:
            raise UnreachableError(f"{engine.name} does not tell its settings") from error
        return settings

    def release(self) -> None:
        """End the engines, unless a study is being played with them."""
        if self._job is None or any(each.opened for each in self._placed.values()):
            return
        import ray

        for engine in self._all if ray.is_initialized() else ():
            ray.kill(engine.actor)
        self._job = None

    def absences(self, key: str) -> tuple[Absence, ...]:
        """Return the latest absence of each of several engines of a model, if there was one."""
        placed = self._placed.get(key)
        if placed is None or len(placed.engines) == 1:
            return ()
        return tuple(each.absence for each in placed.engines if each.absence is not None)

    def end_episode(self, key: str, episode: str) -> None:
        """Let the engine of an episode know that it asks nothing more."""
        placed = self._placed.get(key)
        engine = None if placed is None else placed.at.pop(episode, None)
        if engine is not None and engine.there:
            engine.actor.end_episode.remote(key, episode)

    async def close(self, key: str) -> None:
        """Close a model on its engines; its weights stay in their memory."""
        import ray

        placed = self._placed.get(key)
        if placed is None or placed.opened is None:
            return
        placed.opened = None
        placed.at.clear()
        if not any(each.opened for each in self._placed.values()):
            for task in self._revivals:
                task.cancel()
        with suppress(ray.exceptions.RayError):
            closing = [each.actor.close.remote(key) for each in placed.engines if each.there]
            await asyncio.gather(*closing)


def check_code(engine: EngineActor) -> None:
    """Raise StudyError if the node of an engine runs other code of ours than this process."""
    if engine.home is not None and engine.home.code_hash != code_hash():
        raise StudyError(
            f"{engine.name} runs other code of peer-arena than this process (its files have"
            f" changed, or its version is another): install the same version on all nodes"
        )
