"""Start or join a Ray cluster, quietly, and say what it has.

Nothing else of the package imports Ray.  A cluster of our own lives as long as this process.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from arena.errors import StudyError
from arena.machines.code import code_hash
from arena.machines.places import OnRay
from arena.packages import HOME, PACKAGES

CONNECT_S = 5.0
# Only long prompts and replies go through it.
OBJECT_STORE_BYTES = 256 * 2**20
# The folders of our packages, which travel to the nodes of a cluster.
CODE = [HOME / name for name in PACKAGES]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of so many nodes and GPUs; `own` if it was started for this process."""

    nodes: int
    gpus: int
    cpus: float
    own: bool

    def __str__(self) -> str:
        nodes = "1 node" if self.nodes == 1 else f"{self.nodes} nodes"
        gpus = "no GPU" if self.gpus == 0 else f"{self.gpus} GPUs" if self.gpus > 1 else "1 GPU"
        return f"{nodes} with {gpus} and {self.cpus:g} CPUs"


def check_installed() -> None:
    """Raise StudyError, which names the extra, where Ray is not installed."""
    if find_spec("ray") is None:
        raise StudyError(
            "--on ray needs Ray, which is not installed: pip install 'peer-arena[ray]'"
        )


def prepare(place: OnRay) -> None:
    """Set in the environment what Ray reads when it is imported, and import it.

    Raises StudyError if it is missing or cannot be.
    """
    check_installed()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if place.address is not None or "RAY_ADDRESS" in os.environ:
        show_token()
    try:
        import_module("ray")
    except ImportError as error:
        raise StudyError(
            f"--on ray needs Ray, which is installed but cannot be imported ({error}): pip install"
            " --force-reinstall 'peer-arena[ray]'"
        ) from error


def connect(place: OnRay) -> Cluster:
    """Join the cluster of a place, or start one on this machine; it takes seconds.

    A cluster that this process has joined already is taken as it is.  Raises StudyError if Ray is
    missing, or nobody answers at the address.
    """
    prepare(place)
    import ray

    if not ray.is_initialized():
        OWN.append(on_lasting_thread(lambda: join_or_start(ray, place.address)))
    resources = ray.cluster_resources()
    nodes = sum(bool(node["Alive"]) for node in ray.nodes())
    gpus, cpus = int(resources.get("GPU", 0)), resources.get("CPU", 0.0)
    return Cluster(nodes, gpus, cpus, OWN[-1] if OWN else False)


# Whether each cluster that this process has joined was its own.
OWN: list[bool] = []
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def show_token() -> None:
    """Let Ray show the token of clusters to the one at an address, if this user has one.

    By itself it does so only where it finds the cluster without an address.
    """
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    if given or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def on_lasting_thread(work: Callable[[], bool]) -> bool:
    """Return the result of work on a thread that lives as long as this process.

    The processes of Ray end with the thread that has started them.
    """
    done = threading.Event()
    outcome: list[bool | Exception] = []

    def do() -> None:
        """Work, and stay."""
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)
        done.set()
        if outcome[0] is True:
            threading.Event().wait()

    threading.Thread(target=do, name="ray", daemon=True).start()
    done.wait()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def join_or_start(ray: Any, address: str | None) -> bool:
    """Join a cluster, or start one; return whether it is our own."""
    own = not join(ray, address)
    if own:
        start(ray)
    keep_quiet()
    return own


def join(ray: Any, address: str | None) -> bool:
    """Join a running cluster; return whether there was one.  Our code travels to its nodes."""
    if address is not None:
        check_answers(address)
    elif "RAY_ADDRESS" not in os.environ and not found_near():
        return False
    # Before it is packed: what is compared is what travels.
    code_hash()
    code = {"py_modules": [str(folder) for folder in CODE]}
    try:
        ray.init(address=address or "auto", runtime_env=code, **QUIET)
    except (ConnectionError, RuntimeError) as error:
        if address is None and "RAY_ADDRESS" not in os.environ:
            return False
        at = address or os.environ["RAY_ADDRESS"]
        raise StudyError(
            f"the Ray cluster at {at} cannot be joined from here: {str(error)[:500]}; the run"
            " has to start on one of its nodes, with the same versions of Ray and Python, and with"
            " the cluster's token (`ray get-auth-token`) in ~/.ray/auth_token"
        ) from error
    return True


def start(ray: Any) -> None:
    """Start a cluster on this machine, which nobody else reaches, and which ends with us."""
    ray.init(
        address="local",
        _node_ip_address="127.0.0.1",
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        **QUIET,
    )


def found_near() -> bool:
    """Return whether a cluster runs on this machine.

    Ray notes the last one in a file, and waits for minutes where that has died without a word.
    """
    from ray._private.utils import read_ray_address

    noted = read_ray_address()
    try:
        if noted is not None:
            check_answers(noted)
    except StudyError:
        return False
    return noted is not None


def check_answers(address: str) -> None:
    """Raise StudyError if nobody takes a connection: Ray itself would wait for long, or end us."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except OSError as error:
        raise StudyError(
            f"there is no Ray cluster at {address} ({error.strerror or error}): start one with"
            " `ray start --head`, which prints its address, or leave the address out"
        ) from error


def keep_quiet() -> None:
    """Keep what Ray says of dead workers off standard output: the run says it in a sentence."""
    import ray._private.worker as worker

    if hasattr(worker, "print_worker_logs"):
        vars(worker)["print_worker_logs"] = lambda *_: None
