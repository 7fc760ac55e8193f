"""Tell the weights on disk apart: a sha256 over the files that decide a local model's replies.

These are weights, configuration, generation_config, tokenizer and chat template, by their names
inside the folder: a copy of a folder has the digest of the original, whoever downloaded it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from arena.errors import StudyError

CONFIGURATION = ("config.json", "generation_config.json", "adapter_config.json")
TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template.jinja", "chat_template.json"),
)
# Read only where there is no tokenizer.json: the hub's cache may hold them or not.
VOCABULARIES = (
    *("vocab.json", "merges.txt", "vocab.txt", "vocab.bpe", "tokenizer.model", "spiece.model"),
    *("sentencepiece.bpe.model", "tekken.json", "*.tiktoken"),
)
# In the order in which transformers looks for them; it reads the first that is there.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
# Smaller files are hashed in a moment, and not remembered.
SMALL_BYTES = 16 * 2**20
CHUNK_BYTES = 8 * 2**20
# A file that was changed a moment ago may change again without a new time stamp.
SETTLED_S = 2.0
MOST_REMEMBERED = 2000
QUIET_S = 2.0
SAY_EVERY_S = 10.0
SHA256 = re.compile(r"[0-9a-f]{64}")


def folder_of(where: str, revision: str | None) -> Path | None:
    """Return the folder of a model, or its snapshot in the hub's cache; None: not on this disk."""
    folder = Path(where)
    if folder.is_dir():
        return folder
    found = try_to_load_from_cache(where, "config.json", revision=revision)
    # Neither None nor the mark of a file that the hub does not have.
    return Path(found).parent if isinstance(found, str) else None


def digest_of(folder: Path, model: str, adapter: Path | None = None) -> str:
    """Return 64 hex digits that tell the model in a folder from others, and its adapter if any.

    Large files are hashed once: their hashes are remembered beside size, times and inode, and the
    hub's cache names its files by them.  `model` stands in lines about progress, on standard error.
    Raises OSError if a file cannot be read, ValueError or LookupError if an index is broken.
    """
    files = {name: folder / name for name in sorted(names_that_decide(folder))}
    keys = {name: file_key(file) for name, file in files.items()}
    remembered = read_remembered()
    known = {name: blob_name(file) or remembered.get(keys[name]) for name, file in files.items()}
    unknown = [name for name, content in known.items() if content is None]
    meter = Meter(model, sum(files[name].stat().st_size for name in unknown))
    read = {name: hash_file(files[name], meter) for name in unknown}
    worth = {
        keys[name]: content
        for name, content in read.items()
        if is_worth_remembering(files[name], keys[name])
    }
    if worth:
        remember(remembered | worth)
    lines = [f"{name} {content}\n" for name, content in (known | read).items()]
    if adapter is not None:
        lines.append(f"adapter {digest_of(adapter, model)}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_digest(name: str, where: str, revision: str | None, found: str | None) -> None:
    """Raise StudyError if a folder does not have the digest that its reference asks for."""
    found = found or ""
    if Path(where).is_dir() and revision and not found.startswith(revision):
        raise StudyError(
            f"{name} asks for a digest that the files in {where} do not have:"
            f" theirs is {found[:12] or 'unknown'}; restore them, or write that behind the @"
        )


def names_that_decide(folder: Path) -> set[str]:
    """Return the names of the files in a folder by which a model's replies are decided."""
    patterns = [*CONFIGURATION, *TOKENIZER, *ADAPTERS, "additional_chat_templates/*.jinja"]
    if not (folder / "tokenizer.json").is_file():
        patterns += VOCABULARIES
    files = (file for pattern in patterns for file in folder.glob(pattern))
    return {file.relative_to(folder).as_posix() for file in files} | set(weight_names(folder))


def weight_names(folder: Path) -> list[str]:
    """Return the names of the weights that transformers reads: one file, or an index and parts."""
    for name in WEIGHTS:
        if (folder / name).is_file():
            return [name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            return [index.name, *set(json.loads(index.read_bytes())["weight_map"].values())]
    return []


def blob_name(file: Path) -> str | None:
    """Return the sha256 in the name of a file of the hub's cache; None for other files.

    The cache holds large files as blobs that are named by their sha256, with links to them.
    """
    target = file.resolve()
    is_blob = target.parent.name == "blobs" and SHA256.fullmatch(target.name)
    return target.name if is_blob else None


@dataclass(slots=True)
class Meter:
    """The progress of hashing in bytes, told in a line when it takes more than two seconds."""

    model: str
    total: int
    done: int = 0
    due: float = field(default_factory=lambda: time.monotonic() + QUIET_S)

    def add(self, size: int) -> None:
        """Note that this many bytes have been hashed."""
        self.done += size
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + SAY_EVERY_S
        print(
            f"hashing the weights of {self.model}, once for these files:"
            f" {self.done / 1e9:.1f} of {self.total / 1e9:.1f} GB",
            file=sys.stderr,
            flush=True,
        )


def hash_file(file: Path, meter: Meter) -> str:
    """Return the sha256 of a file's content as hex digits."""
    content = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            content.update(chunk)
            meter.add(len(chunk))
    return content.hexdigest()


def file_key(file: Path) -> str:
    """Return the words by which a file is known again as long as nobody writes to it."""
    found = file.stat()
    # The time of the last change of the inode cannot be set back, unlike that of the content.
    times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
    return f"{file.resolve()} {found.st_size} {times} {found.st_ino}"


def is_worth_remembering(file: Path, key: str) -> bool:
    """Return whether a file's hash, taken since `key`, will still be its hash under that key."""
    found = file.stat()
    settled = time.time() - max(found.st_mtime, found.st_ctime) > SETTLED_S
    return found.st_size >= SMALL_BYTES and settled and file_key(file) == key


def memory_file() -> Path:
    """Return the file that remembers hashes of large files."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "peer-arena" / "file_hashes.json"


def read_remembered() -> dict[str, str]:
    """Return the remembered hashes by `file_key`; none if they cannot be read."""
    with suppress(OSError, ValueError, RuntimeError):
        found = json.loads(memory_file().read_bytes())
        if isinstance(found, dict):
            return {key: value for key, value in found.items() if isinstance(value, str)}
    return {}


def remember(hashes: Mapping[str, str]) -> None:
    """Write the hashes down, the latest ones if there are many; a disk that refuses is left so."""
    with suppress(OSError, RuntimeError):
        file = memory_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        # Renamed when it is whole: other processes read it at any time.
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.write_text(json.dumps(dict(list(hashes.items())[-MOST_REMEMBERED:])))
        draft.replace(file)
