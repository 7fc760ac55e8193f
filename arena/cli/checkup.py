"""Look at this machine and this environment for what a run needs: the facts of `arena doctor`.

Nothing is sent, no model is called, nothing heavy is imported, and no value of a key is read into a
result.  The store is opened for reading alone.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from arena.calls.secrets import NAME as SECRET_NAME
from arena.errors import StoreError, StudyError
from arena.packages import HOME, PACKAGES, foreign_package, neighbour_files, other_distributions
from arena.plugins import HOOKS, MODELS, PROTOCOLS, find_plugin
from arena.plugins import plugins as installed_plugins

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# "absent" is something that only some runs need; "stops" would stop any.
State = Literal["ok", "absent", "warning", "stops"]
DISTRIBUTION = "peer-arena"
# For developers of the package, not for runs.
NOT_FOR_RUNS = {"test"}
# Shown even if they are not set; any other variable that may hold a key only if it is.
USUAL_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "ARENA_HTTP_API_KEY")
# They lead the calls of a provider elsewhere.
ADDRESSES = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
LITTLE_DISK = 10**9
TOO_LITTLE_DISK = 50 * 10**6
GPU_QUERY = ("--query-gpu=name,memory.total,memory.free", "--format=csv,noheader")
GPU_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and what to do if it is not well."""

    name: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class PackageCheck:
    """One package that we use: its version, None if it is not installed, and the one wanted.

    `extra` is the part of ours that needs it, "base" if all of it does.
    """

    extra: str
    name: str
    version: str | None
    wanted: str
    state: State


def machine() -> list[Check]:
    """Return Python, the system, and our own version with the place where it is installed."""
    python = f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}"
    return [Check("Python", "ok", python), Check("system", "ok", platform.platform()), ourselves()]


def ourselves() -> Check:
    """Return our own version, and whether the metadata of an installed clone are those of it."""
    install = f"pip install -e {shlex.quote(str(HOME))}"
    version = installed_version(DISTRIBUTION)
    if version is None:
        return Check("arena", "stops", f"{HOME}, not installed", install)
    written = version_of_clone(HOME / "pyproject.toml")
    if written in (None, version):
        return Check("arena", "ok", f"{DISTRIBUTION} {version}, {HOME}")
    older = (
        f"{HOME} is {DISTRIBUTION} {written}, and was installed when it was {version}: packages"
        " are checked against what that needed"
    )
    return Check("arena", "warning", older, install)


def version_of_clone(file: Path) -> str | None:
    """Return the version that a clone's pyproject.toml gives; None: there is none of ours."""
    try:
        project = tomllib.loads(file.read_text())["project"]
        return str(project["version"]) if project["name"] == DISTRIBUTION else None
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, KeyError):
        return None


def packages() -> list[PackageCheck]:
    """Return every package that the installed metadata name, without those of developers."""
    from packaging.requirements import Requirement

    try:
        written = metadata.requires(DISTRIBUTION) or ()
    except metadata.PackageNotFoundError:
        return []
    extras = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or ()
    return [
        check_package(extra, requirement)
        for requirement in map(Requirement, written)
        for extra in needed_by(requirement, extras)
        if extra not in NOT_FOR_RUNS
    ]


def needed_by(requirement: Requirement, extras: Iterable[str]) -> list[str]:
    """Return the extras that need a package on this system; ["base"] if all of ours does."""
    marker = requirement.marker
    # What the base needs is true for every extra too.
    if marker is None or marker.evaluate({"extra": ""}):
        return ["base"]
    return [extra for extra in extras if marker.evaluate({"extra": extra})]


def check_package(extra: str, requirement: Requirement) -> PackageCheck:
    """Compare the installed version of a package with the one that an extra needs."""
    version = installed_version(requirement.name)
    wanted = requirement.specifier
    state: State = "absent" if version is None else "warning"
    if version is not None and wanted.contains(version, prereleases=True):
        state = "ok"
    elif extra == "base":
        state = "stops"
    return PackageCheck(extra, requirement.name, version, str(wanted), state)


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, None if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def names() -> list[Check]:
    """Return whether the names of our packages mean ours, in this process and in this folder."""
    checks = []
    for name in PACKAGES:
        if (why := foreign_package(name)) is not None:
            checks.append(Check("names", "stops", why))
        elif others := other_distributions(name):
            whose = f"{', '.join(others)} installs a package `{name}` too, in the same folder"
            checks.append(Check("names", "warning", whose, "use an environment without it"))
    for file in neighbour_files(Path.cwd()):
        found = f"{file} has the name of a package of peer-arena"
        remedy = "rename it: programs in this folder import it in place of ours"
        checks.append(Check("names", "warning", found, remedy))
    return checks or [Check("names", "ok", f"{', '.join(PACKAGES)} are peer-arena's")]


def plugins() -> list[Check]:
    """Return what other packages add, none of it imported, and names that are taken twice.

    Empty if no package adds any, or a package that knows our own names is not ours.
    """
    if foreign_package("agents") or foreign_package("protocols"):
        return []
    from agents.references import is_ours
    from protocols import HOME as OUR_PROTOCOLS

    added: dict[str, list[str]] = {}
    refused = []
    for group, form in ((MODELS, "{}/<model>"), (PROTOCOLS, "the protocol {}")):
        for name in dict.fromkeys(plugin.name for plugin in installed_plugins(group)):
            ours = is_ours(name) if group == MODELS else name in OUR_PROTOCOLS
            try:
                plugin = find_plugin(group, name, ours=ours)
            except StudyError as error:
                refused.append(Check("plugins", "warning", str(error)))
            else:
                if plugin is not None:
                    added.setdefault(plugin.package, []).append(form.format(name))
    # Of one name there may be several, since each is told of every run.
    for plugin in installed_plugins(HOOKS):
        added.setdefault(plugin.package, []).append(f"the hook {plugin.name}")
    found = (f"{package} adds {', '.join(what)}" for package, what in sorted(added.items()))
    return [*(Check("plugins", "ok", words) for words in found), *refused]


def keys() -> list[Check]:
    """Return which keys are set, by name alone, and which addresses lead calls elsewhere."""
    candidates = {*USUAL_KEYS, *(name for name in os.environ if SECRET_NAME.search(name.upper()))}
    present = sorted(name for name in candidates if os.environ.get(name, "").strip())
    missing = [name for name in USUAL_KEYS if name not in present]
    checks = [
        Check("keys", "ok" if present else "absent", f"set: {', '.join(present) or 'none'}"),
        *([Check("keys", "absent", f"not set: {', '.join(missing)}")] if missing else []),
    ]
    addresses = [name for name in ADDRESSES if os.environ.get(name, "").strip()]
    if addresses:
        words = f"{' and '.join(addresses)} set: calls go to another address than the provider's"
        checks.append(Check("keys", "ok", words))
    return checks


def gpu() -> Check:
    """Return the GPUs that the driver lists; torch is not imported."""
    try:
        found = list(driver_lines())
    except (OSError, subprocess.SubprocessError) as error:
        why = f"nvidia-smi is there and fails ({type(error).__name__})"
        return Check("GPU", "warning", why, "mend the driver")
    if not found and sys.platform == "darwin" and platform.machine() == "arm64":
        found = ["Apple GPU (Metal)"]
    if not found:
        return Check("GPU", "absent", "none that nvidia-smi lists")
    torch = installed_version("torch")
    if torch is not None and torch.endswith("+cpu"):
        what = f"{'; '.join(found)}; but torch {torch} cannot use it"
        return Check("GPU", "warning", what, "install a build of torch for this GPU")
    return Check("GPU", "ok", "; ".join(found))


def driver_lines() -> Iterator[str]:
    """Yield a line for each NVIDIA GPU: its name, and its memory in all and free.

    Raises OSError or SubprocessError if the driver's program fails.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return
    listed = subprocess.run(
        [program, *GPU_QUERY], capture_output=True, text=True, timeout=GPU_TIMEOUT_S, check=True
    ).stdout
    for line in listed.splitlines():
        name, total, free = (part.strip() for part in f"{line},,".split(",")[:3])
        yield f"{name}, {total}, {free} free"


def disk(store: Path) -> Check:
    """Return the free space where the store is, or will be."""
    wanted = store.resolve().parent
    # A run makes the folders that are not there.
    folder = next(place for place in (wanted, *wanted.parents) if place.exists())
    if not folder.is_dir():
        return Check("disk", "stops", f"{folder} is no folder", "give another place with --db")
    if not os.access(folder, os.W_OK):
        return Check("disk", "stops", f"cannot write in {folder}", "give another place with --db")
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:,.1f} GB free in {folder}"
    if free < TOO_LITTLE_DISK:
        return Check("disk", "stops", found, "make room: a reply is written before it is used")
    if free < LITTLE_DISK:
        return Check("disk", "warning", found, "ten thousand debates take about a gigabyte")
    return Check("disk", "ok", found)


def store(path: Path) -> list[Check]:
    """Return the state of a store: its versions, its journals, and whether a run writes to it."""
    if not path.exists():
        return [Check("store", "absent", f"{path} is not there yet; a run makes it")]
    # DuckDB takes a quarter of a second to load, and is needed only here.
    from arena.store.connection import attach_store
    from arena.store.database import journals, translated_errors, unfolded_journals
    from arena.store.locks import is_locked
    from arena.store.schema import SCHEMA_VERSION

    try:
        with translated_errors(path), attach_store(path) as (con, info):
            listed = con.execute(
                "select tags['storage_version'] from duckdb_databases() where database_name ="
                " 'store'"
            ).fetchone()
            every_journal = journals(path)
            open_journals = unfolded_journals(con, every_journal)
        held = sum(is_locked(journal) for journal in open_journals)
    except (StoreError, OSError) as error:
        return [Check("store", "stops", str(error))]
    storage = listed[0] if listed and listed[0] else "unknown"
    size = f"{path.stat().st_size / 1e6:,.1f} MB"
    found = f"{path}, {size}, schema {info.schema_version}, storage format {storage}"
    checks = [Check("store", "ok", found)]
    if info.schema_version < SCHEMA_VERSION:
        older = (
            f"its schema is older than {SCHEMA_VERSION}; the next run copies it, then changes it"
        )
        checks.append(Check("store", "ok", older))
    left = len(open_journals) - held
    if held:
        running = f"held by {held} run{'s' if held > 1 else ''} that {'are' if held > 1 else 'is'}"
        checks.append(Check("store", "ok", f"{running} writing now"))
    if left:
        waiting = f"{left} journal{'s' if left > 1 else ''} of ended runs to fold"
        checks.append(Check("store", "ok", waiting, f"arena status --db {path} does it"))
    folded = [journal for journal in every_journal if journal not in open_journals]
    if folded:
        size = f"{sum(journal.stat().st_size for journal in folded) / 1e6:,.1f} MB"
        kept = f"{len(folded)} folded journal{'s' if len(folded) > 1 else ''} beside it, {size}"
        checks.append(Check("store", "ok", kept, f"arena tidy {path} removes what is in the store"))
    return checks
