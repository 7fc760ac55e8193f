"""Put the local models of a study on the engines of a cluster, under their own names.

The study keeps its protocols, ids and agents; a model that may be elsewhere (`on_engines`) is
replaced by one that asks it there.  So a study that was begun in one process goes on with engines,
and back.  API models and simulated ones stay in this process.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import orjson

from agents.providers.served import ServedModel
from arena.calls.absences import Absence
from arena.errors import StudyError, UnreachableError
from arena.machines.places import OnRay
from arena.machines.ray_cluster import CODE, prepare
from arena.machines.ray_engines import Engines, PickledModel
from arena.machines.ray_servers import Servers, share_of
from arena.play.identity import check_digest
from arena.play.progress import Watch
from arena.play.run import Arena, RunSelection
from arena.play.summary import Summary
from arena.store.speakers import load_stored_models
from arena.studies.lineups import agents_in, map_agents
from arena.studies.study import Study
from arena.types import Agent, BaseModel, Model, Reply, Request, Sampling

# Engines outlive a study: the next one of this process finds its weights in their memory.
ENGINES: dict[OnRay, Engines] = {}
SERVERS: dict[tuple[object, ...], Servers] = {}


class EngineModel(BaseModel):
    """A model whose calls go to engines; all else it says is as the model itself says.

    `wanted` are the models of the study, of which this one has the `key`.  `check` raises
    StudyError if the store holds episodes of other weights than these.
    """

    def __init__(
        self,
        model: BaseModel,
        key: str,
        wanted: Mapping[str, PickledModel],
        engines: Engines,
        check: Callable[[Model], None],
    ) -> None:
        self.name = wanted[key].name
        self._model = model
        self._key = key
        self._wanted = wanted
        self._engines = engines
        self._check = check
        self._digest: str | None = None
        self._settings: dict[bytes, dict[str, object] | None] = {}
        self.capabilities = model.capabilities
        self.simulated = model.simulated
        self.has_own_queue = model.has_own_queue
        self.price = model.price
        self.longest_reply = model.longest_reply
        self.left_out = model.left_out
        self.code_hash = model.code_hash

    def __repr__(self) -> str:
        return f"<{self.name} on Ray>"

    @property
    def absences(self) -> tuple[Absence, ...]:
        """Return the latest absence of each of several engines that was ever gone."""
        return self._engines.absences(self._key)

    async def open(self) -> None:
        """Open the model on its engines, with the weights that the study has had so far."""
        opened = await self._engines.open(self._key, self._wanted)
        here = self._model.find_digest()
        if None not in (here, opened.digest) and here != opened.digest:
            raise StudyError(
                f"{self.name} has other weights on the engines than here: give its files the same"
                " content on all nodes, or a revision behind the reference"
            )
        self._digest = opened.digest
        self.capabilities = opened.capabilities
        self._check(self)

    async def close(self) -> None:
        """Close the model on its engines, whose memory keeps its weights."""
        await self._engines.close(self._key)

    def find_digest(self) -> str | None:
        """Return the digest of the weights on the engines, or of those here; None: not known."""
        return self._digest or self._model.find_digest()

    def on_episode_end(self, episode: str) -> None:
        """Let the engine of an episode give its memory to others."""
        self._engines.end_episode(self._key, episode)

    def unsupported_reason(self, sampling: Sampling) -> str | None:
        """Return why the model does not support a sampling; None if it does."""
        return self._model.unsupported_reason(sampling)

    def supported_sampling(self, sampling: Sampling) -> Sampling:
        """Return the sampling without the settings that the model does not take."""
        return self._model.supported_sampling(sampling)

    def request_settings(self, request: Request) -> dict[str, object] | None:
        """Return the settings of a request as they take effect on the engines.

        They depend on its sampling alone, besides the seed; an engine is asked once for each.
        """
        key = orjson.dumps(request.sampling.content(), option=orjson.OPT_SORT_KEYS)
        if key not in self._settings:
            try:
                self._settings[key] = self._engines.request_settings(self._key, request)
            except UnreachableError:
                # The call itself says so, and is tried again.
                return {"seed": request.seed}
        settings = self._settings[key]
        return settings if settings is None else settings | {"seed": request.seed}

    async def __call__(self, request: Request) -> Reply:
        """Answer a request on the engine of its episode."""
        return await self._engines.ask(self._key, request)


async def play_on_ray(
    place: OnRay,
    arena: Arena,
    study: Study,
    *,
    selection: RunSelection,
    watch: Watch | None = None,
) -> Summary:
    """Play the open episodes of a study with its local models on the engines of a cluster.

    Ray and the engines are started when there is something to play, and end with this process, or
    by `ray.shutdown()`.  Raises StudyError if Ray, its cards or a model cannot be had.
    """
    prepare(place)
    engines = ENGINES.setdefault(place, Engines(place))

    def check(model: Model) -> None:
        """Compare the weights of a model with those that the study has had so far."""
        for stored in load_stored_models(arena.path, study.name):
            if stored.name == model.name:
                check_digest(stored, [model], study.name)
        # Its engines have answered: if all are lost, they are waited for.
        arena.answered.add(model.name)

    placed = place_models(study, engines, check)
    if placed is study:
        print(f"{study.name}: none of its models can be on an engine: played here", file=sys.stderr)
    return await arena.play(placed, selection=selection, watch=watch)


def place_models(study: Study, engines: Engines, check: Callable[[Model], None]) -> Study:
    """Return the study with its models on engines where they can be; the study itself if none."""
    lineups = [lineup for arm in study.arms for lineup in arm.lineups]
    seated = {id(agent.model): agent.model for lineup in lineups for agent in agents_in(lineup)}
    models = {
        one: model
        for one, model in seated.items()
        if isinstance(model, BaseModel) and model.on_engines
    }
    served = {one: model for one, model in seated.items() if isinstance(model, ServedModel)}
    if models and served:
        names = f"{next(iter(models.values()))!r} and {next(iter(served.values()))!r}"
        raise StudyError(
            f"study {study.name!r} has models in engines and models behind servers ({names}): take"
            " one kind, or serve the second at an address of its own"
        )
    if not models and not served:
        return study
    pickled = {one: pickle_model(model) for one, model in models.items()}
    keys = {one: hashlib.sha256(each.pickled).hexdigest() for one, each in pickled.items()}
    wanted = {keys[one]: each for one, each in pickled.items()}
    placed = {
        one: EngineModel(model, keys[one], wanted, engines, check) for one, model in models.items()
    }
    share = share_of([*served.values()])
    hosts = {one: servers_of(engines.place, model, share) for one, model in served.items()}
    release_others(engines, [*hosts.values()])
    hosted = {one: model.on(hosts[one]) for one, model in served.items()}
    moves: dict[int, Model] = {**placed, **hosted}
    # An agent that holds several seats stays one object.
    agents: dict[int, Agent] = {}

    def moved(agent: Agent) -> Agent:
        """Return an agent whose model is on engines, if it can be."""
        if id(agent.model) not in moves:
            return agent
        return agents.setdefault(id(agent), replace(agent, model=moves[id(agent.model)]))

    arms = [
        replace(arm, lineups=[map_agents(lineup, moved) for lineup in arm.lineups])
        for arm in study.arms
    ]
    return replace(study, arms=arms)


def servers_of(place: OnRay, model: ServedModel, share: int) -> Servers:
    """Return the servers of a model at a place, those of an earlier study if there are some."""
    key = (place, model.name, model.weights, model.gpus, model.arguments)
    return SERVERS.setdefault(key, Servers(place, model, share))


def release_others(engines: Engines, wanted: Sequence[Servers]) -> None:
    """Give back the GPUs of servers that a study does not want, and of engines if it has servers.

    Those of another study that is being played stay.
    """
    for servers in SERVERS.values():
        if servers.place == engines.place and servers not in wanted:
            servers.release()
    if wanted:
        engines.release()


def release_all() -> None:
    """Give back what engines and servers of earlier studies hold of a cluster."""
    for engines in ENGINES.values():
        engines.release()
    for servers in SERVERS.values():
        servers.release()


def pickle_model(model: BaseModel) -> PickledModel:
    """Return a model as it travels, with the code of its user's own files.

    Raises StudyError for one that cannot travel.
    """
    from ray import cloudpickle

    name: str = getattr(model, "name", type(model).__name__)
    try:
        with by_value(type(model).__module__):
            return PickledModel(name, cloudpickle.dumps(model))
    except (TypeError, AttributeError, ValueError) as error:
        raise StudyError(
            f"{name} cannot travel to an engine: {error}; keep locks, files and connections out of"
            " it until open()"
        ) from error


@contextmanager
def by_value(module: str) -> Iterator[None]:
    """Let the modules in the folder of a user's module travel whole, not by their names.

    A package that is installed, ours among them, is found by its name on every node.
    """
    from ray import cloudpickle

    file = getattr(sys.modules.get(module), "__file__", None)
    folder = None if file is None else Path(file).resolve().parent
    own: list[ModuleType] = []
    if folder is not None and not is_installed(folder):
        own = [
            each
            for each in [*sys.modules.values()]
            if (place := getattr(each, "__file__", None)) and Path(place).resolve().parent == folder
        ]
    for each in own:
        cloudpickle.register_pickle_by_value(each)
    try:
        yield
    finally:
        for each in own:
            cloudpickle.unregister_pickle_by_value(each)


def is_installed(folder: Path) -> bool:
    """Return whether a folder is part of an installed package, or of ours."""
    ours = any(folder == home or home in folder.parents for home in CODE)
    return ours or bool({"site-packages", "dist-packages"} & set(folder.parts))
