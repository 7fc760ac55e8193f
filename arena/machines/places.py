"""Say where a study is played: `ray`, `ray://HOST:PORT`, `processes=N` or `shards`.

On Ray, models are on other machines and all else stays here; in processes, this machine plays
shares of the study side by side.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from arena.errors import StudyError
from arena.machines.record_file import RecordFile
from arena.machines.study_source import StudySource

MOST_PROCESSES = 256
MOST_ENGINES = 4096
FORMS = "ray, ray://HOST:PORT, processes=N or shards"
ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class OnRay:
    """A Ray cluster whose engines hold the models.

    `address` is HOST:PORT of its head; None: the cluster that Ray finds from here (RAY_ADDRESS, or
    one that runs on this machine), or else a new one on this machine, for this process.  `engines`
    is the number of engines; None: one a GPU, or one where there is none.  With `shards`, so many
    of its workers play shares of the study instead, which they find by its `source`; API keys are
    in their environment, or in the file `keys` of each node.
    """

    address: str | None = None
    engines: int | None = None
    shards: int | None = None
    source: StudySource | None = None
    keys: Path | None = None


@dataclass(frozen=True, slots=True)
class OnProcesses:
    """So many processes of this machine, each of which plays a share, with one record.

    With 0, the record waits for shares that are begun by hand (`arena run FILE --on shards --shard
    I/N`), which find it by a `file`; None: one of each study.  `source` is where the processes find
    the study.
    """

    processes: int
    source: StudySource | None = None
    file: RecordFile | None = None


Place = OnRay | OnProcesses


def parse_place(text: str, engines: int | None = None, shards: int | None = None) -> Place:
    """Return the place that a text names, with a number of engines or shards if it is on Ray.

    Raises StudyError, with all forms, for another text or a number out of range.
    """
    if shards is not None:
        if engines is not None or not text.startswith("ray"):
            raise StudyError(
                "--shards is how many workers of Ray play shares of a study: write --on ray"
                " --shards N, without engines; on one machine, --on processes=N"
            )
        whole_number(str(shards), "shards", 1, MOST_ENGINES)
    kind, equals, number = text.partition("=")
    if kind == "processes" and equals:
        if engines is not None:
            raise StudyError("engines are of Ray: write --on ray --engines N, or leave them out")
        return OnProcesses(whole_number(number, "processes", 2, MOST_PROCESSES))
    if text == "shards" and engines is None:
        return OnProcesses(0)
    if engines is not None:
        whole_number(str(engines), "engines", 1, MOST_ENGINES)
    if text == "ray":
        return OnRay(None, engines, shards)
    scheme, separator, address = text.partition("://")
    if scheme != "ray" or not separator:
        raise StudyError(f"a study is played on {FORMS}, found {text!r:.80}")
    match = ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 65536:
        raise StudyError(
            "the address of a Ray cluster is ray://HOST:PORT, as `ray start --head` prints it,"
            f" such as ray://10.0.0.5:6379, found {text!r:.80}"
        )
    return OnRay(address, engines, shards)


def whole_number(text: str, name: str, least: int, most: int) -> int:
    """Return a number in a range; StudyError if it is none."""
    # The length is checked first: int() refuses very long numbers with an error of its own.
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and least <= int(text) <= most):
        raise StudyError(f"{name} is a whole number from {least} to {most}, found {text!r:.80}")
    return int(text)
