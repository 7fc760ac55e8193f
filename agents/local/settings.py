"""Read the settings of a local reference, such as `?slots=32&dtype=bfloat16`; imports no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl

from arena.errors import StudyError

# The settings that are whole numbers, and the largest number of each.
MAX_SETTINGS = {"slots": 4096, "context": 2**24}
# Formats that keep the weights of linear layers in few bits (weights/quantized.py).
QUANTIZED = ("int8", "int4", "fp8")
DTYPES = ("float32", "bfloat16", "float16", *QUANTIZED)
NAMES = ("dtype", "device", "slots", "context", "seeds", "adapter", "draft")
SEEDS = ("exact", "free")
REVISION = re.compile(r"[\w.][\w./-]{0,199}", re.ASCII)
DIGEST_START = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a reference; None leaves the choice to the program.

    `dtype` is the number format of the weights, `device` spelled as torch does ("cuda:1"; several
    with commas between them, and "cuda" for all GPUs), `slots` the number of sequences at once on
    each device, and `context` the most tokens of a sequence.  `seeds` tells whether a reply on a
    GPU depends on its own seed alone ("exact"), or may change with what runs beside it, for speed
    ("free").  `adapter` is the folder of a LoRA adapter, `draft` that of one that guesses tokens
    (decoding/kangaroo.py), which changes no reply.
    """

    dtype: str | None = None
    device: str | None = None
    slots: int | None = None
    context: int | None = None
    seeds: str | None = None
    adapter: str | None = None
    draft: str | None = None

    @property
    def quantized(self) -> str | None:
        """The format that keeps weights in few bits, None for those that transformers reads."""
        return self.dtype if self.dtype in QUANTIZED else None

    @property
    def adapter_folder(self) -> Path | None:
        """The folder of the adapter, None without one."""
        return None if self.adapter is None else Path(self.adapter).expanduser().resolve()

    @property
    def name_suffix(self) -> str:
        """What stands behind a model's name for weights that its files alone do not have."""
        parts = (self.adapter_folder and self.adapter_folder.name, self.quantized)
        return "".join(f"+{part}" for part in parts if part)


def portable(where: str, settings: Settings) -> tuple[str, Settings]:
    """Return a folder or hub id, and settings, that mean the same in another working folder."""
    adapter = settings.adapter_folder
    return (
        str(Path(where).resolve()) if Path(where).is_dir() else where,
        replace(
            settings,
            adapter=None if adapter is None else str(adapter),
            draft=settings.draft and str(Path(settings.draft).expanduser().resolve()),
        ),
    )


def parse_settings(name: str, query: str) -> Settings:
    """Return the settings in the query of the reference `name`.

    Raises StudyError for an unknown setting or a value out of range.
    """
    texts: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in NAMES:
            raise StudyError(
                f"{name} has no setting {key!r}: {', '.join(NAMES[:-1])} and {NAMES[-1]} can be set"
            )
        # The length is checked first: int() refuses very long numbers with an error of its own.
        if key in MAX_SETTINGS and not (
            value.isdecimal() and len(value) < 12 and 0 < int(value) <= MAX_SETTINGS[key]
        ):
            raise StudyError(
                f"{key} of {name} is a whole number from 1 to {MAX_SETTINGS[key]}, not {value!r}"
            )
        if key == "dtype" and value not in DTYPES:
            raise StudyError(f"the dtype of {name} is one of {', '.join(DTYPES)}, not {value!r}")
        if key == "adapter" and not (Path(value).expanduser() / "adapter_config.json").is_file():
            raise StudyError(
                f"the adapter of {name} is a folder that holds adapter_config.json, as peft writes"
                f" it, not {value!r}"
            )
        if key == "draft" and not (Path(value).expanduser() / "config.json").is_file():
            raise StudyError(
                f"the draft of {name} is a folder with config.json and the given weights of an"
                f" adapter of Kangaroo, not {value!r}"
            )
        if key == "seeds" and value not in SEEDS:
            raise StudyError(f"the seeds of {name} are exact or free, not {value!r}")
        if key in MAX_SETTINGS:
            numbers[key] = int(value)
        else:
            texts[key] = value
    return Settings(
        texts.get("dtype"),
        texts.get("device"),
        numbers.get("slots"),
        numbers.get("context"),
        texts.get("seeds"),
        texts.get("adapter"),
        texts.get("draft"),
    )


def find_weights(kind: str, reference: str, example: str) -> tuple[str, str, str, str | None]:
    """Return (name, folder or hub id, settings, revision) of a reference without its "<kind>/".

    Raises StudyError if it names a folder without a model, or a revision that none can have.
    """
    where, _, query = reference.partition("?")
    revision = None
    # A folder may have an "@" in its name.
    if not Path(where).expanduser().is_dir() and "@" in where:
        where, _, revision = where.rpartition("@")
    if not where:
        raise StudyError(
            f"{kind}/ names no model; give a folder or a hub id, such as {kind}/{example}"
        )
    folder = Path(where).expanduser()
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise StudyError(f"the folder {folder} holds no model: it has no config.json")
    looks_like_folder = where.startswith((".", "/", "~")) or where.count("/") != 1
    if looks_like_folder and not folder.is_dir():
        raise StudyError(
            f"there is no folder {folder}; a hub id has the form <organisation>/<model>"
        )
    if revision is not None:
        check_revision(f"{kind}/{reference}", revision, is_folder=folder.is_dir())
    name = f"{kind}/{folder.resolve().name if looks_like_folder else where}"
    name += "" if revision is None else f"@{revision}"
    return name, str(folder) if folder.is_dir() else where, query, revision


def check_revision(reference: str, revision: str, *, is_folder: bool) -> None:
    """Raise StudyError for a revision that a folder, or a model of the hub, cannot have."""
    if is_folder and not DIGEST_START.fullmatch(revision):
        raise StudyError(
            f"{reference} names a folder, which has no branches or tags: after its @ stand 8"
            " to 64 digits (0-9, a-f) with which its digest begins, as the column seats.digest has"
            " it; or leave the @ out"
        )
    if not REVISION.fullmatch(revision):
        raise StudyError(
            f"{reference} has no revision that a hub knows after its @: give a branch, tag"
            " or commit, such as local/Qwen/Qwen3-0.6B@main"
        )
