"""Weights on disk are told apart by a digest of the files that decide replies."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from agents import agent, model
from agents.local.weights import digest
from agents.local.weights.digest import digest_of, folder_of
from arena import Arena, Arm, Study
from arena.errors import StudyError
from arena.types import Sampling
from tests.agents.local.test_model import speak
from tests.fake_agents import MOTION
from tests.tiny_models import tiny

COMMITS = ("1" * 40, "2" * 40)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("original") / "small")


@pytest.fixture(autouse=True)
def _no_other_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def copy_of(original: Path, folder: Path) -> Path:
    shutil.copytree(original, folder)
    return folder


def change_weights(folder: Path) -> None:
    """Change one byte of the weights, whose size stays."""
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    # A model of the same reference that is still in memory keeps the digest of its weights.
    gc.collect()


def talk(reference: str, name: str = "s", repeats: int = 1) -> Study:
    speaker = agent(reference, sampling=Sampling(temperature=0.0, max_tokens=3))
    return Study(name, [Arm("a", speak, [{"speaker": speaker}])], [MOTION], repeats=repeats)


def in_hub_cache(cache: Path, original: Path) -> Path:
    """Put a model into a folder as the hub's cache has it, in two commits; main is the first."""
    place = cache / "models--tiny--small"
    (place / "refs").mkdir(parents=True)
    (place / "blobs").mkdir()
    (place / "refs" / "main").write_text(COMMITS[0])
    (place / "refs" / "trained-on").write_text(COMMITS[1])
    changed = copy_of(original, cache / "changed")
    change_weights(changed)
    for commit, source in zip(COMMITS, (original, changed), strict=True):
        snapshot = place / "snapshots" / commit
        snapshot.mkdir(parents=True)
        for file in source.iterdir():
            kind = "sha256" if file.suffix == ".safetensors" else "sha1"
            blob = place / "blobs" / hashlib.new(kind, file.read_bytes()).hexdigest()
            shutil.copy(file, blob)
            (snapshot / file.name).symlink_to(f"../../blobs/{blob.name}")
    return place


def test_a_digest_is_one_of_what_decides_replies_wherever_it_lies(
    original: Path, tmp_path: Path
) -> None:
    before = digest_of(original, "m")
    copy = copy_of(original, tmp_path / "copy")
    (copy / "README.md").write_text("not read by the model")
    (copy / "vocab.json").write_text("not read beside tokenizer.json")
    assert digest_of(copy, "m") == before
    seen = {before}
    for name in ("model.safetensors", "tokenizer.json", "generation_config.json", "config.json"):
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[:-1] + b" ")
        seen.add(digest_of(copy, "m"))
        (copy / name).write_bytes(content)
    (copy / "chat_template.jinja").write_text("another template")
    assert len({*seen, digest_of(copy, "m")}) == 6


@pytest.mark.slow
def test_a_large_file_is_hashed_once_and_again_when_somebody_writes_to_it(
    original: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(digest, "SMALL_BYTES", 100_000)
    monkeypatch.setattr(digest, "SETTLED_S", -1.0)
    read: list[str] = []
    hash_file = digest.hash_file
    monkeypatch.setattr(
        digest, "hash_file", lambda file, meter: hash_file(read.append(file.name) or file, meter)
    )
    copy = copy_of(original, tmp_path / "copy")
    first = digest_of(copy, "m")
    assert "model.safetensors" in read
    read.clear()
    assert digest_of(copy, "m") == first
    assert "model.safetensors" not in read
    found = (copy / "model.safetensors").stat()
    change_weights(copy)
    # The time of the content can be set back, that of the inode cannot.
    os.utime(copy / "model.safetensors", ns=(found.st_atime_ns, found.st_mtime_ns))
    assert digest_of(copy, "m") != first
    digest.memory_file().write_text("{")
    monkeypatch.setattr(digest, "QUIET_S", -1.0)
    digest_of(copy, "local/m")
    assert "hashing the weights of local/m" in capsys.readouterr().err


@pytest.mark.slow
def test_the_hubs_cache_is_read_by_revision_and_its_blobs_are_not_hashed(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    place = in_hub_cache(tmp_path, original)
    monkeypatch.setattr(digest, "hash_file", hash_no_weights)
    main, tagged, commit = (
        model(f"local/tiny/small{end}").find_digest()  # type: ignore[attr-defined]
        for end in ("", "@trained-on", f"@{COMMITS[1]}")
    )
    assert tagged == commit != main
    assert folder_of("tiny/small", "trained-on") == place / "snapshots" / COMMITS[1]
    assert folder_of("tiny/small", "elsewhere") is None
    monkeypatch.undo()
    assert main == digest_of(original, "m")


def hash_no_weights(file: Path, meter: digest.Meter) -> str:
    """Hash a file as digest.py does; the weights in the hub's cache need not be read."""
    assert file.suffix != ".safetensors"
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("{folder}@main", "8 to 64 digits"),
        ("{folder}@1234567", "8 to 64 digits"),
        ("tiny/small@", "branch, tag or commit"),
        ("tiny/small@a b", "branch, tag or commit"),
        ("./nowhere@12345678", "no folder nowhere"),
    ],
)
def test_a_revision_that_cannot_be_is_one_clear_sentence(
    reference: str, words: str, original: Path
) -> None:
    with pytest.raises(StudyError, match=words):
        model(f"local/{reference.format(folder=original)}")


@pytest.mark.slow
def test_a_study_stops_where_weights_have_changed_and_goes_on_under_their_digest(
    original: Path, tmp_path: Path
) -> None:
    folder = copy_of(original, tmp_path / "m@2")
    path = tmp_path / "a.duckdb"
    first = digest_of(folder, "m")
    assert Arena(path).run(talk(f"local/{folder}")).done == 1
    assert Arena(path).sql("select model, digest from seats").rows == (("local/m@2", first),)
    change_weights(folder)
    second = digest_of(folder, "m")
    stopped = (
        f"1 episode that local/m@2 played with other .*{first[:12]}.*{second[:12]}.* a revision"
    )
    for study in (talk(f"local/{folder}"), talk(f"local/{folder}", repeats=2)):
        with pytest.raises(StudyError, match=stopped):
            Arena(path).run(study)
    with pytest.raises(StudyError, match=f"theirs is {second[:12]}"):
        Arena(path).run(talk(f"local/{folder}@{first[:8]}"))
    assert Arena(path).run(talk(f"local/{folder}", "another")).done == 1
    assert Arena(path).run(talk(f"local/{folder}@{second[:12]}")).done == 1
    rows = "select study, model, digest from seats join plays using (episode) order by all"
    assert Arena(path).sql(rows).rows == (
        ("another", "local/m@2", second),
        ("s", "local/m@2", first),
        ("s", f"local/m@2@{second[:12]}", second),
    )


@pytest.mark.slow
def test_episodes_without_a_digest_go_on_and_the_run_says_so(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.duckdb"
    # As version 0.1.0 stored them.
    monkeypatch.setattr("arena.play.records.find_digest_of", lambda model: None)
    assert Arena(path).run(talk(f"local/{original}")).done == 1
    monkeypatch.undo()
    notes: list[str] = []
    going_on = Arena(path).run(
        talk(f"local/{original}", repeats=2), watch=lambda stats: notes.extend(stats.notes)
    )
    assert (going_on.done, going_on.replies) == (2, 1)
    assert {note for note in notes if "weights" in note} == {
        "with which weights local/small played 1 episode before is not in the store: reports tell"
        " these from today's, except --by model"
    }
    assert Arena(path).sql("select count(distinct contestant) from contestants").rows == ((2,),)
