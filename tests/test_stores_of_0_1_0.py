"""Stores of version 0.1.0 are read, reported and continued, and its ids, hashes and seeds hold.

The stores, what 0.1.0 says of them, and the program that made both are in tests/data/v0_1_0.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import importlib.util
import io
import json
import math
import random
import re
import runpy
import signal
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents import agent as agent_by_reference
from agents.scripted import scripted_model
from arena import Agent, Arena, Arm, Episode, Sampling, Study, Subject, Turn, motions, run_stages
from arena.play.episode import request_content, request_hash
from arena.store.replay import digest, reask_key
from arena.studies.motions import subject_id
from arena.studies.questions import questions
from arena.studies.study import plays
from arena.studies.versions import in_version, study_in_version
from arena.tournaments.stages import stages_in_version
from arena.tournaments.stored_debates import stored_debate
from arena.types import Message, Place, Request

DATA = Path(__file__).resolve().parent / "data" / "v0_1_0"
sys.path.insert(0, str(DATA))

from common import WORDS, as_json, chosen, draw, place_of, serving  # noqa: E402

# Imports in the study files of 0.1.0 that are written otherwise now.
MOVED = {
    "from agents.simulated_questions import": "from agents.simulated.questions import",
    "from protocols.leap import leap, leap_segmented": (
        "from protocols.leap import leap\nfrom protocols.leap_segmented import leap_segmented"
    ),
}
# Fields of Sampling that are called otherwise than in hashes.
FIELDS = {"options": "choices"}
# Modules of protocols that are not called as their function is.
PROTOCOLS = {"confidence_elicitation": "protocols.confidence"}

# "torn", which is "unfolded" with a line torn, is read by the test that folds it.
STORES = ["finished", "half_played", "unfolded", "schema_1", "schema_3"]
# Every table, view and question is asked of this one; of the others, the tables and some views.
WHOLE = "finished"
REPORTED = ["finished", "half_played"]
LIVE = ["studies", "episodes", "calls", "saw", "cost", "missing", "confidence_by_round"]
# Those that are continued, which takes a second each, with the options that they were made with.
OPTIONS: dict[str, dict[str, Any]] = {
    "half_played": {},
    "torn": {"name": "torn"},
    "schema_1": {"name": "schema 1", "motions": 1},
}
# One jury is enough to see the prompts of judges.
SIMULATED = ["debates", "jury", "sequential", "questions", "confidence"]
BASE = ["runs", "plays", "statuses", "seats", "subjects", "turns", "unfinished_turns"]
BASE += ["call_starts", "call_ends", "rulings", "answers", "routes", "measures", "folded"]
# Sentences for people, which may be worded anew.
WORDING = {"rules"}
# What version 0.2.0 estimates in another way than 0.1.0: intervals with what hangs on them, and
# strengths.  They are held to a truth that was put in by tests of their own.
ESTIMATED = re.compile(r"(?:\w+_)?ci_(?:low|high)|p|p_holm|t|se|verdict|strength|seat\.proposition")


# Fields that have another name since, where they stand under no old one.
RENAMED = {"models": "contestants", "model": "contestant"}
# Since then one vote a judge decides who won, over both orders of sides, and an answer to a
# question without a gold answer is not missing.  tests/analysis/test_wins.py counts by hand.
COUNTED_ANEW = {
    *("outcomes", "leaderboard", "vote_splits", "proposition_wins_by_motion", "side_bias"),
    *("calibration_by_phase", "calibration_by_model", "reliability", "speeches", "token_payout"),
    *("higher_confidence_wins", "longer_sides", "model_motion_side", "missing"),
}
DECIDED_ANEW = {"outcomes", "calibration", "win_rate", "win_rate_by_sum", "verdicts", "related"}


def read_json(name: str) -> Any:
    """Read what is kept as JSON, gzipped or not."""
    packed = DATA / f"{name}.json.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else None
    return json.loads((DATA / f"{name}.json").read_bytes() if text is None else text)


def unpacked(name: str, folder: Path) -> Path:
    """Unpack a store with its journals and its study file; return the store."""
    with tarfile.open(DATA / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    file = folder / "study.py"
    text = file.read_text()
    for old, new in MOVED.items():
        text = text.replace(old, new)
    file.write_text(text)
    return folder / "store.duckdb"


@contextlib.contextmanager
def arguments(*words: str) -> Iterator[None]:
    """Set the command line, and put back what a command changes of the process."""
    argv, stop = sys.argv, signal.getsignal(signal.SIGTERM)
    sys.argv = ["arena", *words]
    try:
        yield
    finally:
        sys.argv = argv
        signal.signal(signal.SIGTERM, stop)


def arena(*words: str, status: int = 0) -> str:
    """Run `python -m arena` with these words, in this process, and return what it printed."""
    printed = io.StringIO()
    with arguments(*words), contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        runpy.run_module("arena", run_name="__main__", alter_sys=True)
    assert ended.value.code == status, printed.getvalue()
    return printed.getvalue()


def studies_in(file: Path, **options: Any) -> Any:
    """Load a study file with these options: its study, or its stages, with the prompts of 0.1.0."""
    spec = importlib.util.spec_from_file_location("study_of_0_1_0", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.study(**options)
    if isinstance(made, Study):
        return study_in_version(made, "1")
    return stages_in_version(made, "1")


def rows_of(store: Path, wanted: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of tables and views, each row by its columns; `wanted` says which columns."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
    for name, row in Arena(store).sql(as_json(wanted, wanted)).rows:
        rows[name].append(json.loads(row))
    return rows


def is_other_turn(row: Mapping[str, Any]) -> bool:
    """Tell whether a row of `saw` names another turn, as all did in 0.1.0."""
    shown = row["seen_episode"], row["seen_seat"], row["seen_step"]
    return row["seen_step"] is not None and shown != (row["episode"], row["seat"], row["step"])


def counts_of(store: Path, *names: str) -> list[int]:
    """Count the rows of tables and views."""
    counted = " union all ".join(f"select count(*) from {name}" for name in names)
    return [row[0] for row in Arena(store).sql(counted).rows]


def differences(now: Any, then: Any, where: str = "") -> Iterator[str]:
    """Yield where something is not as it was; what only the new version says is left out."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in then.keys() - WORDING - DECIDED_ANEW:
            parent = "seat." if where.endswith(".seat") else ""
            name = key if key in now else RENAMED.get(key, key)
            if name not in now:
                yield f"{where}.{key} is not there any more"
            elif ESTIMATED.fullmatch(key) is None and not ESTIMATED.fullmatch(parent + key):
                yield from differences(now[name], then[key], f"{where}.{key}")
    elif isinstance(then, list) and isinstance(now, list):
        now, then = comparable(now), comparable(then)
        if len(now) != len(then):
            yield f"{where}: {len(now)} rows, in 0.1.0 {len(then)}"
        for number, pair in enumerate(zip(now, then, strict=False)):
            yield from differences(*pair, f"{where}[{number}]")
    elif not alike(now, then):
        yield f"{where}: {now!s:.80}, in 0.1.0 {then!s:.80}"


def comparable(rows: list[Any]) -> list[Any]:
    """Put what is reported of models, which are contestants now, in the order of their names.

    What has no gold answer is left out: nothing is missing there any more.
    """
    kept = [
        row for row in rows if not (isinstance(row, dict) and row.get("reason") == "no gold answer")
    ]
    names = [isinstance(row, dict) and (row.get("model") or row.get("contestant")) for row in kept]
    if not all(names):
        return kept
    return [row for _, row in sorted(zip(names, kept, strict=True), key=lambda pair: pair[0])]


def alike(now: Any, then: Any) -> bool:
    """Tell whether two values are the same, numbers to 1e-9."""
    if isinstance(then, float) and isinstance(now, int | float):
        both_nan = math.isnan(then) and math.isnan(now)
        return both_nan or math.isclose(now, then, rel_tol=1e-9, abs_tol=1e-9)
    return bool(now == then)


def check(now: Any, then: Any) -> None:
    """Fail with the first differences where there are some."""
    assert list(differences(now, then))[:5] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", STORES)
def test_a_store_says_what_it_said(name: str, tmp_path: Path) -> None:
    told, store = read_json(name), unpacked(name, tmp_path)
    before = store.read_bytes()
    kept = told["tables"]
    asked = {one for one in kept if name == WHOLE or one in (*BASE, *LIVE)} - COUNTED_ANEW
    rows = rows_of(store, dict.fromkeys(sorted(asked), "*"))
    rows["saw"] = [row for row in rows["saw"] if is_other_turn(row)]
    assert len(rows["calls"]) == told["calls"]
    assert {one: len(rows[one]) for one in rows} == {one: len(kept[one]["rows"]) for one in rows}
    for one in rows:
        check({one: chosen(kept[one]["columns"], rows[one])}, {one: kept[one]})
    if name in REPORTED:
        check(json.loads(arena("report", "--json", "--db", str(store))), told["report"])
    if name == WHOLE:
        now = json.loads(arena("rank", "--json", "--db", str(store)))
        # Equal votes are equal strengths now, whose order is that of the names.
        for standings in (*now, *told["rank"]):
            standings["contestants"].sort(key=lambda row: row["agent"])
        check(now, told["rank"])
    assert store.read_bytes() == before, "to read a store changes nothing"


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_a_half_played_study_is_continued_and_nothing_is_asked_again(
    name: str, tmp_path: Path
) -> None:
    told, store = read_json(name)["after"], unpacked(name, tmp_path)
    content_before = store.read_bytes()
    journals_before = {
        file.name for file in store.with_name("store.duckdb.journal").glob("*.jsonl")
    }
    before = rows_of(store, {"turns": WORDS, "unfinished_turns": "seed"})
    answered = {row["seed"] for rows in before.values() for row in rows}
    with serving() as server:
        given = {"url": server.url, **OPTIONS[name]}
        file = store.with_name("study.py")
        if name == "half_played":
            given["version"] = "1"
            words = [word for key, value in given.items() for word in ("-o", f"{key}={value}")]
            arena("run", str(file), "--db", str(store), *words)
        else:
            # The same in less time.
            Arena(store).run(studies_in(file, **given))
    assert len(server.requests) == told["requests"]
    assert answered.isdisjoint(body["seed"] for body in server.requests)
    columns = {"turns": WORDS, "calls": "status", "folded": "*", "episodes": "status"}
    after = rows_of(store, columns)
    assert [row for row in before["turns"] if row not in after["turns"]] == []
    check(chosen(told["turns"]["columns"], after["turns"]), told["turns"])
    assert Counter(row["status"] for row in after["calls"]) == told["calls"]
    assert {row["status"] for row in after["episodes"]} == {"done"}
    # The new run's journal is removed once it is folded; nothing tells if an old run has ended.
    journals = {file.name for file in store.with_name("store.duckdb.journal").glob("*.jsonl")}
    assert len({row["journal"] for row in after["folded"]} - journals) == 1
    assert journals == journals_before
    assert sum(row["skipped"] for row in after["folded"]) == told["skipped"] == (name == "torn")
    if name.startswith("schema"):
        backup = store.with_name(f"store.duckdb.backup-v{name[-1]}")
        assert backup.read_bytes() == content_before


@pytest.mark.slow
def test_a_journal_that_nobody_folded_is_folded_and_its_torn_line_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, store = read_json("torn")["tables"], unpacked("torn", tmp_path)
    names = ("turns", "unfinished_turns", "call_starts", "call_ends", "plays", "folded")
    counts = [len(told[name]["rows"]) for name in names]
    assert counts_of(store, *names) == counts
    arena("status", "--db", str(store))
    assert "1 torn journal lines were dropped" in capsys.readouterr().err
    assert counts_of(store, *names) == [*counts[:-1], 1]
    assert Arena(store).sql("select skipped from folded").rows == ((1,),)


def test_a_finished_study_asks_nothing_again(tmp_path: Path) -> None:
    store = unpacked("finished", tmp_path)
    names = ("calls", "plays", "statuses", "turns", "rulings", "answers", "subjects")
    before = counts_of(store, *names)
    with serving() as server:
        parts = ["debates", "jury", "second_jury", "remote", "faults", "again"]
        stages = studies_in(store.with_name("study.py"), parts=parts, url=server.url)
        summaries = run_stages(Arena(store), stages)
    assert [(one.open, one.calls) for one in summaries] == [(0, 0)] * len(stages)
    assert server.requests == []
    assert counts_of(store, *names) == before


@pytest.mark.slow
def test_the_same_studies_played_anew_have_the_same_ids_prompts_and_words(tmp_path: Path) -> None:
    told = read_json("finished")["tables"]
    file, store = unpacked("finished", tmp_path).with_name("study.py"), tmp_path / "anew.duckdb"
    run_stages(Arena(store), studies_in(file, parts=SIMULATED))
    wanted = {name: ", ".join(told[name]["columns"]) for name in ("rulings", "answers", "routes")}
    now = rows_of(store, {"turns": WORDS, "episodes": "episode, study", **wanted})
    studies = {row["study"] for row in now["episodes"]}
    expected = {row["episode"] for row in by_name(told["episodes"]) if row["study"] in studies}
    assert len(studies) == len(SIMULATED)
    assert {row["episode"] for row in now["episodes"]} == expected
    # Since then a simulated judge states no less than the 50 from which judges are asked.
    below = {row["episode"] for row in by_name(told["rulings"]) if (row["confidence"] or 1) < 0.5}
    assert len(below) < len(told["rulings"]["rows"]) / 2
    for name, columns in {"turns": WORDS, **wanted}.items():
        each = columns.split(", ")
        then = [row for row in by_name(told[name]) if row["episode"] in expected - below]
        kept = sorted(([row[column] for column in each] for row in then), key=place_of)
        today = [row for row in now[name] if row["episode"] not in below]
        check({name: chosen(each, today)["rows"]}, {name: kept})


def by_name(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the rows of a table that is kept, each by its columns' names."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


@pytest.fixture(scope="module")
def ids() -> Any:
    """Read the ids of 0.1.0 with what they are made of."""
    return read_json("ids")


def sampling_of(fields: Mapping[str, Any]) -> Sampling:
    """Build a sampling as its description says."""
    given = {FIELDS.get(name, name): value for name, value in fields.items()}
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return Sampling(**(given | lists))


def subject_of(fields: Mapping[str, Any]) -> Subject:
    """Build a subject as its description says."""
    return Subject(**{**fields, "choices": tuple(fields.get("choices", ()))})


def debate_of(described: Mapping[str, Any]) -> Any:
    """Build a stored debate as its description says."""
    episode = described["episode"]
    turns = tuple(Turn(episode, text="", **speech) for speech in described["turns"])
    return stored_debate(episode, described["motion"], described["sequential"], turns)


def agent_of(described: Mapping[str, Any]) -> Agent:
    """Build an agent as its description says."""
    kind, _, name = described["model"].partition("/")
    if kind == "scripted":
        model = scripted_model(words_of, name)
    else:
        model = agent_by_reference(described["model"]).model
    given = described.get("name", model.name)
    sampling = sampling_of(described.get("sampling", {}))
    return Agent(given, model, described.get("system", ""), sampling)


def words_of(request: Any) -> str:
    """Say what scripted models say: speeches, one of them unreadable, boxes and ratings."""
    place, words = request.place, request.messages[-1].content
    if place.ask:
        return "<rating>61%</rating>"
    if "<speech>" in words:
        unreadable = place.seat == "opposition" and place.step == 1
        rating = "" if unreadable else f"<rating>{draw(request.seed) % 101}%</rating>"
        return f"<thoughts>Hm, {request.seed}.</thoughts><speech>It is so.</speech>{rating}"
    return f"It may be. \\boxed{{{request.seed % 7}}}\nConfidence: {draw(request.seed) % 101}%"


def protocol_of(name: str) -> Any:
    """Find a protocol by its name, as it asked in 0.1.0."""
    module = importlib.import_module(PROTOCOLS.get(name, f"protocols.{name}"))
    return in_version(getattr(module, name), "1")


def study_of(described: Mapping[str, Any]) -> Study:
    """Build a study as its description says."""
    arms = [
        Arm(
            one["label"],
            protocol_of(one["protocol"]),
            [{seat: agent_of(who) for seat, who in lineup.items()} for lineup in one["lineups"]],
            one["options"],
        )
        for one in described["arms"]
    ]
    subjects = [subject_of(one) for one in described.get("subjects", ())]
    subjects += [debate_of(one) for one in described.get("debates", ())]
    return Study(described["name"], arms, subjects, described["repeats"])


def planned(study: Study) -> list[list[object]]:
    """Give the episodes of a study in order: arm, repeat, id, and what tells its samples apart."""
    return [[play.arm, play.repeat, play.episode, play.sample] for play in plays(study)]


def test_samplings_have_the_content_that_is_hashed(ids: Any) -> None:
    for one in ids["samplings"]:
        assert orjson.dumps(sampling_of(one["fields"]).content()).decode() == one["content"]


def test_subjects_have_their_ids(ids: Any) -> None:
    for one in ids["subjects"]:
        assert subject_id(subject_of(one["fields"])) == one["id"], one
    for one in ids["debates"]:
        assert (debate_of(one).text, subject_id(debate_of(one))) == (one["text"], one["id"])


def test_subjects_read_from_files_have_their_ids(ids: Any, tmp_path: Path) -> None:
    for one in ids["files"]:
        file = tmp_path / one["name"]
        file.write_text("".join(json.dumps(row) + "\n" for row in one["rows"]))
        read: Sequence[Subject] = (motions if one["name"] == "motions.jsonl" else questions)(file)
        now = [[subject_id(subject), subject.gold, list(subject.choices)] for subject in read]
        assert now == one["subjects"]


def test_requests_have_their_hashes(ids: Any) -> None:
    place = Place("e", "s", 0, 0, "p", 0)
    for one in ids["requests"]:
        messages = tuple(Message(role, text) for role, text in one["messages"])
        request = Request(messages, sampling_of(one["sampling"]), one["seed"], place)
        assert request_hash(request, request_content(request)) == one["hash"], one


def test_digests_random_streams_and_keys_of_second_asks_hold(ids: Any) -> None:
    for one in ids["digests"]:
        assert digest(*one["words"]).hex() == one["digest"]
    for one in ids["streams"]:
        stream: random.Random = Episode(one["episode"], None).rng(one["name"])  # type: ignore[arg-type]
        assert [stream.random() for _ in range(3)] == one["draws"]
    for one in ids["second_asks"]:
        assert reask_key(*one["words"]) == one["key"]


def test_episodes_and_samples_have_their_ids(ids: Any) -> None:
    for one in ids["studies"]:
        assert planned(study_of(one)) == one["plays"], one["name"]


@pytest.mark.slow
def test_a_play_has_its_seeds_request_hashes_and_keys(ids: Any, tmp_path: Path) -> None:
    for number, one in enumerate(ids["played"]):
        study, played = study_of(one), Arena(tmp_path / f"{number}.duckdb")
        assert planned(study) == one["plays"]
        assert not played.run(study).failed
        columns = "episode, seat, step, seed, request_hash, sample_key, text, reask_prompt"
        rows = played.sql(f"select {columns} from turns order by all").rows
        keys = [[*row[:6], row[7] and reask_key(row[5], row[6], row[7])] for row in rows]
        assert keys == one["turns"]
        asks = played.sql("select episode, seat, step, ask from calls order by all").rows
        assert [list(row) for row in asks] == one["asks"]
