"""Transcripts for others: their own readers open them, and no private word is in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import duckdb
import orjson
import pytest

from analysis.read.selection import ALL
from arena.cli.main import main
from arena.exports.formats import FORMATS, TRANSCRIPTS, ExportOptions
from arena.exports.transcripts import transcripts_for
from arena.play.run import Arena
from arena.tournaments.stages import run_stages
from arena.types import Request, Subject
from experiments import oversight
from tests.fake_agents import agent, study
from tests.other_readers import read_with

OF_TRANSCRIPTS = [name for name, form in FORMATS.items() if form.options == TRANSCRIPTS]
HOSTILE = "</script><img src=x onerror=alert(1)> [a](javascript:b)\n---\nlicense: mit \u202e"
SCOUT = """
import asyncio, json
from inspect_scout import transcripts_from
from inspect_scout._transcript.types import TranscriptContent

async def main():
    async with transcripts_from("files").reader() as reader:
        infos = [info async for info in reader.index()]
        wanted = TranscriptContent(messages="all", events="all")
        first = await reader.read(infos[0], wanted)
        words = [[m.metadata["seat"], m.text] for m in first.messages[1:]]
        print(json.dumps([sorted(i.transcript_id for i in infos), infos[0].transcript_id, words]))

asyncio.run(main())
"""
INSPECT = """
import glob, json
from inspect_ai.log import read_eval_log

(file,) = glob.glob("files/*.eval")
log = read_eval_log(file)
first = log.samples[0]
words = [[m.metadata["seat"], m.text] for m in first.messages[1:]]
print(json.dumps([sorted(s.id for s in log.samples), first.id, words]))
"""
HUB = """
import json
from datasets import load_dataset

episodes = load_dataset("files", "episodes", split="train")["episode"]
turns = load_dataset("files", "turns", split="train")
first = episodes[0]
words = [[t["seat"], t["text"]] for t in turns if t["episode"] == first]
print(json.dumps([sorted(episodes), first, words]))
"""
DUCKDB = """
import json, os, duckdb

os.chdir("files")
con = duckdb.connect()
con.execute(open("views.sql").read())
episodes = [row[0] for row in con.execute("select episode from episodes").fetchall()]
first = episodes[0]
words = con.execute("select seat, public from turns where episode = ?", [first]).fetchall()
print(json.dumps([sorted(episodes), first, words]))
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `arena demo`."""
    path = tmp_path_factory.mktemp("demo") / "arena.duckdb"
    assert main(["demo", "--db", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small store of debaters with private thoughts, and hostile words everywhere."""
    path = tmp_path_factory.mktemp("small") / "arena.duckdb"

    def reply(request: Request) -> str:
        return f"said {request.place.step} {HOSTILE}|61"

    played = study(agent(reply=reply), subjects=1)
    Arena(path).run(replace(played, name="a | [b](c) <d>", subjects=[Subject(HOSTILE)]))
    return path


def export(path: Path, folder: Path, kind: str, *more: str) -> None:
    assert main(["export", str(folder), "--format", kind, "--db", str(path), *more]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "package", "program"),
    [
        ("scout", "inspect_scout", SCOUT),
        ("inspect", "inspect_ai", INSPECT),
        ("hub", "datasets", HUB),
        ("parquet", "duckdb", DUCKDB),
    ],
)
def test_the_demo_is_opened_by_the_other_sides_own_reader(
    demo: Path, tmp_path: Path, kind: str, package: str, program: str
) -> None:
    export(demo, tmp_path / "files", kind)
    episodes, first, words = read_with(package, program, tmp_path)
    arena = Arena(demo)
    assert episodes == [row[0] for row in arena.sql("select episode from episodes order by all")]
    spoken = arena.sql("select seat, public from turns where episode = $e", {"e": first})
    assert len(words) == len(spoken.rows)
    for (seat, text), (author, public) in zip(sorted(words), sorted(spoken.rows), strict=True):
        assert seat == author
        assert text is None or text.endswith(public or "(no public text)")


def all_texts(folder: Path) -> str:
    """Whatever stands in the files of a folder, opened."""
    texts = []
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".parquet":
            with duckdb.connect() as con:
                texts += map(str, con.execute(f"from '{file}'").fetchall())
        elif file.suffix == ".eval":
            with ZipFile(file) as log:
                texts += [log.read(name).decode() for name in log.namelist()]
        elif file.is_file():
            texts.append(file.read_text())
    return "\n".join(texts)


@pytest.mark.parametrize("kind", OF_TRANSCRIPTS)
def test_private_words_are_there_on_request_alone(store: Path, tmp_path: Path, kind: str) -> None:
    for more, wanted in (((), False), (("--private",), True)):
        folder = tmp_path / f"files{wanted}"
        export(store, folder, kind, *more)
        texts = all_texts(folder)
        assert ("secret said" in texts) == wanted
        assert ("0.61" in texts) == wanted, "a private rating"
        assert "said 0" in texts


def test_hostile_words_stay_words(store: Path, tmp_path: Path) -> None:
    export(store, tmp_path / "json", "json")
    (file,) = (tmp_path / "json").glob("*/*.json")
    play = orjson.loads(file.read_bytes())
    assert play["subject"] == HOSTILE
    assert play["messages"][0]["content"] == f"said 0 {HOSTILE}"
    export(store, tmp_path / "hub", "hub")
    card = (tmp_path / "hub" / "README.md").read_text()
    assert card.count("license:") == 1
    assert "a \\| \\[b\\](c) \\<d\\>" in card


def test_an_option_of_another_format_is_refused(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(tmp_path / "x"), "--db", str(store), "--format"]
    assert main([*words, "scout", "--items", "3"]) == 2
    assert "--items is for --format label-sheet, not for scout" in capsys.readouterr().err
    assert main([*words, "csv", "--private"]) == 2
    assert main([*words, "json", "--study", "none"]) == 2
    assert "there is no study 'none'" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "mine").write_text("mine")
    for kind in OF_TRANSCRIPTS:
        assert main([*words, kind]) == 2
        assert "is not empty" in capsys.readouterr().err


@pytest.mark.slow
def test_a_judges_private_leaning_stands_in_no_public_export(tmp_path: Path) -> None:
    played = oversight.study(preset="michael", number=3)
    path = tmp_path / "a.duckdb"
    run_stages(Arena(path), played)
    sql = "select count(*) from latest_turns where coalesce(public, '') = '' and answer is not null"
    [(leanings,)] = Arena(path).sql(sql).rows
    assert leanings > 0
    for private in (False, True):
        options = ExportOptions("json", ALL, private=private)
        plays = [*transcripts_for(path, options)]
        hidden = [turn for play in plays for turn in play.messages if not turn.text and turn.answer]
        assert len(hidden) == (leanings if private else 0)
