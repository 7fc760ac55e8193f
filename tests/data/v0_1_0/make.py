"""Make the stores of this folder, and what version 0.1.0 says of them.

Needs version 0.1.0, which is commit 01b1dc3, with its extras `local` and `peers`:

    git worktree add /tmp/v010 01b1dc3
    PYTHONPATH=/tmp/v010 python -P tests/data/v0_1_0/make.py

Run again, it makes other times, run ids and journals; ids, seeds, hashes and words stay the same.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import orjson

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from common import (  # noqa: E402
    WORDS,
    Answer,
    Asked,
    Body,
    Server,
    as_json,
    draw,
    serving,
    tables,
    usual,
)

COMMIT = "01b1dc3393ec3d96049a33618b67e1acff5c2248"
# The name of this machine would stand in the stores.
LAUNCH = (
    "import socket, sys; socket.gethostname = lambda: 'maker'; from arena.cli import main;"
    " sys.exit(main(sys.argv[1:]))"
)
STORE = "store.duckdb"
SMALL_JSON = 100_000
PRICE = ["--price", "http/small=0.2,0.6"]
PARTS = "debates,jury,sequential,second_jury,questions,confidence"
# As tests/arena/test_store.py of 0.1.0 makes a store of version 1.
ADDED_IN_2 = {
    "runs": ("estimate", "budget_usd"),
    "seats": ("seeds",),
    "turns": ("logprobs", "sample_key"),
    "unfinished_turns": ("logprobs", "sample_key"),
    "call_starts": ("sent", "worst_usd"),
    "call_ends": ("sent", "worst_usd", "cached_from"),
}


def check_version() -> None:
    """End where the arena that is imported is not that of the commit."""
    import arena

    root = Path(arena.__file__).resolve().parents[1]
    asked = ["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"]
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True)
    changed = subprocess.run(asked, capture_output=True).stdout
    if head.stdout.decode().strip() != COMMIT or changed:
        raise SystemExit(f"{root} is not version 0.1.0, commit {COMMIT[:7]}, unchanged")


def command(*words: str | Path) -> list[str]:
    """Give the command line of 0.1.0 with these words."""
    return [sys.executable, "-P", "-c", LAUNCH, *map(str, words)]


def arena(folder: Path, *words: str | Path, status: int = 0) -> str:
    """Run a command of 0.1.0 in a folder and return what it printed."""
    ended = subprocess.run(command(*words), cwd=folder, capture_output=True, text=True)
    assert ended.returncode == status, (words, ended.returncode, ended.stdout, ended.stderr)
    return ended.stdout


def play(folder: Path, *words: str, status: int = 0) -> str:
    """Run the folder's study into the folder's store."""
    return arena(folder, "run", "study.py", "--db", STORE, *words, status=status)


def sql(path: Path, query: str) -> Any:
    """Ask a store by the library of 0.1.0."""
    from arena import Arena

    return Arena(path).sql(query)


def said_of(path: Path) -> dict[str, Any]:
    """Tell what 0.1.0 says of a store: reports, ranks, tables, views, canned questions, calls."""
    from arena.canned import MADE
    from arena.schema import TABLES

    names = [*TABLES, *(name for name, view in MADE.items() if not view.parameters)]
    found = tables(sql(path, as_json(names)).rows)
    return {
        "calls": sql(path, "select count(*) from calls").rows[0][0],
        "report": json.loads(arena(path.parent, "report", "--json", "--db", path)),
        "rank": json.loads(arena(path.parent, "rank", "--json", "--db", path)),
        "tables": {name: found.get(name, {"columns": [], "rows": []}) for name in names},
    }


def continued(folder: Path, options: Sequence[str]) -> dict[str, Any]:
    """Tell what 0.1.0 does with a copy of a store that is to be continued."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(shutil.copytree(folder, Path(place) / "copy"))
        with serving() as server:
            play(copy, *options, "-o", f"url={server.url}")
            requests = len(server.requests)
            play(copy, *options, "-o", f"url={server.url}")
            assert len(server.requests) == requests, "a second time, nothing was left to ask"
        path = copy / STORE
        statuses = sql(path, "select status, count(*) from calls group by all order by all").rows
        return {
            "requests": requests,
            "calls": dict(statuses),
            "skipped": int(sql(path, "select sum(skipped) from folded").rows[0][0]),
            **tables(sql(path, as_json(["turns"], {"turns": WORDS})).rows),
            "report": json.loads(arena(copy, "report", "--json", "--db", STORE)),
        }


def keep(folder: Path, name: str, told: dict[str, Any]) -> None:
    """Write a folder as an archive, and what is told of it as JSON beside it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                entry = tarfile.TarInfo(str(file.relative_to(folder)))
                entry.size, entry.mode = file.stat().st_size, 0o644
                with file.open("rb") as opened:
                    archive.addfile(entry, opened)
    written = HERE / f"{name}.tar.gz"
    written.write_bytes(gzip.compress(content.getvalue(), 9, mtime=0))
    write_json(name, told)
    print(f"{name}: {told['calls']} calls, {written.stat().st_size} bytes", flush=True)


def write_json(name: str, content: object) -> None:
    """Write JSON, gzipped where it is large."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    plain, packed = HERE / f"{name}.json", HERE / f"{name}.json.gz"
    for file in (plain, packed):
        file.unlink(missing_ok=True)
    if len(text) > SMALL_JSON:
        packed.write_bytes(gzip.compress(text, 9, mtime=0))
    else:
        plain.write_bytes(text)


@contextmanager
def folder_with(study: str) -> Iterator[Path]:
    """Make a folder with a study file."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "made"
        folder.mkdir()
        shutil.copyfile(HERE / study, folder / "study.py")
        yield folder


def make_finished() -> None:
    """Make the store that holds studies of every kind, all of them folded."""
    with folder_with("finished_study.py") as folder, serving(faulty()) as server:
        play(folder, "-o", f"parts={PARTS}")
        play(folder, "-o", "parts=toy")
        play(folder, "-o", "parts=remote", "-o", f"url={server.url}", *PRICE)
        play(folder, "-o", "parts=faults", "-o", f"url={server.url}", *PRICE, status=1)
        play(folder, "-o", "parts=again", "-o", f"url={server.url}", *PRICE, "--cache", status=1)
        path = folder / STORE
        journals = sorted(file.name for file in (folder / f"{STORE}.journal").glob("*.jsonl"))
        assert [row[0] for row in sql(path, "select journal from folded order by 1")] == journals
        keep(folder, "finished", said_of(path))


def faulty() -> Callable[[Body], Answer]:
    """Fail once for one motion, always for another, and answer the rest."""
    failed: list[int] = []

    def policy(body: Body) -> Answer:
        """Answer a request, or not."""
        asked = Asked.of(body)
        if "refused" in asked.motion and asked.side == "opposition":
            return 400, {"error": {"message": "this model does not debate that"}}
        if "after a fault" in asked.motion and asked.phase == "rebuttal" and not failed:
            failed.append(asked.seed)
            return 500, {"error": {"message": "out of order"}}
        return usual(body)

    return policy


def until_killed(body: Body) -> Answer:
    """Leave closing speeches of one motion without an answer, and the second asks of another."""
    asked = Asked.of(body)
    closing_speech = "in the end" in asked.motion and asked.phase == "closing"
    second_ask = "unreadable" in asked.motion and asked.again
    return None if closing_speech or second_ask else usual(body)


def killed(folder: Path, *options: str) -> None:
    """Play a study until six calls wait for an answer, and kill the process with SIGKILL."""
    with serving(until_killed) as server:
        words = ["run", "study.py", "--db", STORE, "-o", f"url={server.url}", *options]
        run = subprocess.Popen(command(*words), cwd=folder)
        try:
            wait_for_six(server, run, folder / STORE)
        finally:
            run.kill()
            run.wait()


def wait_for_six(server: Server, run: subprocess.Popen[bytes], path: Path) -> None:
    """Return when six calls wait and two episodes stand in the journal as done."""
    done = "select count(*) from episodes where status = 'done'"
    until = time.monotonic() + 60
    while server.waiting < 6 or sql(path, done).rows != ((2,),):
        assert run.poll() is None, "the run has ended"
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)
    time.sleep(0.5)


def is_half_played(path: Path, folded: int) -> None:
    """Check that a store holds everything that can be half done, and what of it is folded."""
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("select count(*) from turns").fetchone() == (folded,)
    count = "select count(*) from"
    waiting = f"{count} unfinished_turns anti join turns using (episode, seat, step)"
    expected = {
        f"{count} episodes where status = 'done'": 2,
        f"{count} episodes where status = 'open'": 4,
        f"{count} turns": 12 + 2 * 4 + 2,
        waiting: 2,
        f"{count} calls where status = 'unknown'": 6,
    }
    found = {query: sql(path, query).rows[0][0] for query in expected}
    assert found == expected, found


def make_half_played() -> None:
    """Make a store with one folded episode and the journal of a run that was killed."""
    with folder_with("half_played_study.py") as folder:
        with serving() as server:
            play(folder, "--limit", "1", "-o", f"url={server.url}")
        killed(folder, "--limit", "5")
        is_half_played(folder / STORE, folded=6)
        keep(folder, "half_played", said_of(folder / STORE) | {"after": continued(folder, [])})


def make_unfolded() -> None:
    """Make stores of runs that were killed before anything was folded; one has a torn line."""
    with folder_with("half_played_study.py") as folder:
        options = ["-o", "name=unfolded"]
        killed(folder, *options, "--limit", "6")
        is_half_played(folder / STORE, folded=0)
        keep(folder, "unfolded", said_of(folder / STORE) | {"after": continued(folder, options)})
    with folder_with("half_played_study.py") as folder:
        options = ["-o", "name=torn"]
        killed(folder, *options, "--limit", "6")
        (journal,) = (folder / f"{STORE}.journal").glob("*.jsonl")
        content = journal.read_bytes()
        last = content.rindex(b'\n{"t":"turns"') + 1
        journal.write_bytes(content[: (last + content.index(b"\n", last)) // 2])
        keep(folder, "torn", said_of(folder / STORE) | {"after": continued(folder, options)})


def make_older() -> None:
    """Make stores as the versions 1 and 3 of the schema had them, with an episode to play."""
    for version in (1, 3):
        with folder_with("half_played_study.py") as folder:
            options = ["-o", f"name=schema {version}", "-o", "motions=1"]
            with serving() as server:
                play(folder, *options, "--limit", "2", "-o", f"url={server.url}")
            with closing(duckdb.connect(str(folder / STORE))) as con:
                (as_version_1 if version == 1 else as_version_3)(con)
            told = said_of(folder / STORE) | {"after": continued(folder, options)}
            keep(folder, f"schema_{version}", told)


def as_version_1(con: duckdb.DuckDBPyConnection) -> None:
    """Take from a store what version 2 added."""
    views = con.execute("select view_name from duckdb_views() where not internal").fetchall()
    for (view,) in views:
        con.execute(f"drop view {view}")
    for table, columns in ADDED_IN_2.items():
        for column in columns:
            con.execute(f"alter table {table} drop column {column}")
    con.execute("alter table rulings rename to verdicts")
    con.execute("create view cost as select 1 as calls")
    con.execute("update store_info set schema_version = 1")


def as_version_3(con: duckdb.DuckDBPyConnection) -> None:
    """Take from a store what version 4 added."""
    con.execute("alter table turns drop column public_status")
    con.execute("update store_info set schema_version = 3")


SAMPLINGS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.7},
    {"temperature": 1},
    {"top_p": 0.95},
    {"max_tokens": 400},
    {"stop": ["END", "\n\n"]},
    {"logprobs": 0},
    {"logprobs": 5},
    {"top_k": 40},
    {"min_p": 0.05},
    {"options": ["True", "False"]},
    {"temperature": 0.6, "top_p": 0.95, "max_tokens": 4096, "top_k": 40, "min_p": 0.05},
    {
        "temperature": 1.5,
        "top_p": 1.0,
        "max_tokens": 1,
        "stop": ["x"],
        "logprobs": 20,
        "top_k": 1,
        "min_p": 0.0,
        "options": ["A", "B", "C"],
    },
]
SUBJECTS: list[dict[str, Any]] = [
    {"text": "This house would test."},
    {"text": "This house would test.", "source": "my.jsonl"},
    {"text": "This house would test.", "source": "my.jsonl", "licence": "CC0-1.0"},
    {"text": 'Ünïcödé 🙂 "quoted"\nand a second line', "kind": "motion"},
    {"text": "What is 17+25+31?", "kind": "question", "gold": "73"},
    {"text": "What is 17+25+31?", "kind": "question"},
    {"text": "Which?", "kind": "question", "gold": "B", "choices": ["one", "two", "three"]},
    {"text": "A stored debate", "kind": "debate", "source": "0123456789abcdef0123"},
]
SPEECHES: list[dict[str, Any]] = [
    {"seat": seat, "step": k, "phase": phase, "round": k, "public": public}
    for k, (phase, words) in enumerate(
        (("opening", ("For.", "Against.")), ("closing", ("Yes.", None)))
    )
    for seat, public in zip(("proposition", "opposition"), words, strict=True)
]
DEBATES: list[dict[str, Any]] = [
    {
        "episode": episode,
        "motion": "This house would judge.",
        "sequential": sequential,
        "turns": SPEECHES,
    }
    for episode, sequential in (("0123456789abcdef0123", False), ("f" * 20, True))
]
MODEST, EVEN = {"model": "sim/modest"}, {"model": "sim/even:bias=0.1:noise=0.05"}
SERVED = {"model": "http/llama-3.1-8b@http://127.0.0.1:8000/v1"}
NAMED = {
    "model": "sim/confident",
    "name": "a name of my own",
    "system": "You debate in plain words.\nBe brief.",
    "sampling": {"temperature": 0.7, "stop": ["END"]},
}
SOLVER = {"model": "sim/solver:ability=0.5", "sampling": {"temperature": 0.7, "max_tokens": 64}}
CHOOSER = {"model": "vllm/qwen@http://127.0.0.1:8000/v1", "sampling": {"options": ["Yes", "No"]}}
JUDGE = {"model": "sim/judge:first=0.7:seed=3"}


def arm(label: str, protocol: str, *lineups: dict[str, Any], **options: object) -> dict[str, Any]:
    """Describe an arm."""
    return {"label": label, "protocol": protocol, "lineups": list(lineups), "options": options}


def described_studies() -> list[dict[str, Any]]:
    """Describe the studies whose episodes get their ids written down."""
    from protocols.debate import PRESETS

    sides = [
        {"proposition": one, "opposition": other}
        for one, other in ((MODEST, EVEN), (EVEN, MODEST), (NAMED, NAMED), (SERVED, NAMED))
    ]
    presets = [arm(name, "debate", *sides[:2], **options) for name, options in PRESETS.items()]
    defaults = {"schedule": "simultaneous", "confidence": "private", "memory": True}
    others = [
        arm("no rating", "debate", *sides, confidence="none", phases=["opening", "closing"]),
        arm("defaults in words", "debate", sides[0], **defaults),
    ]
    solvers = [{"solver": SOLVER}, {"solver": NAMED}]
    ways = [
        arm("single", "single", *solvers, {"solver": CHOOSER}),
        arm("vote", "self_consistency", *solvers, paths=5),
        arm("vote of 16, the default", "self_consistency", solvers[0], paths=16),
        arm("agreement", "self_agreement", *solvers, paths=3, final_temperature=None),
        arm("aggregation", "self_aggregation", solvers[0], final_temperature=0.5, shuffled=False),
        arm("universal", "universal_self_consistency", solvers[0], paths=2),
        arm("best", "best_of_n", solvers[0], paths=4, power=0.5),
        arm("society", "society_of_minds", solvers[0], agents=2, rounds=3),
        arm("moa", "moa", solvers[0], layers=2, width=2),
        arm("leap", "leap", solvers[0], paths=3, top_k=-1, part=[0, 2], router="clustered"),
        arm("segmented", "leap_segmented", solvers[0], words=100, similarity="levenshtein"),
        arm("sure", "confidence_elicitation", *solvers, strategy="top_k", k=3, temperature=0.4),
    ]
    orders = [
        arm("as played", "judging", {"judge": JUDGE}),
        arm("swapped", "judging", {"judge": JUDGE}, order="swapped", may_abstain=True),
    ]
    return [
        {"name": "presets", "arms": presets, "subjects": SUBJECTS[:2], "repeats": 2},
        {"name": "debates", "arms": others, "subjects": SUBJECTS[:4], "repeats": 1},
        {"name": "Frägen 🙂", "arms": ways, "subjects": SUBJECTS[4:7], "repeats": 1},
        {"name": "jury", "arms": orders, "debates": DEBATES, "repeats": 2},
    ]


def played_studies() -> list[dict[str, Any]]:
    """Describe the studies that are played by a function, to write down seeds, hashes and keys."""
    one = {"model": "scripted/one", "system": "Be brief.", "sampling": {"temperature": 0.5}}
    other = {"model": "scripted/other", "sampling": {"top_k": 3, "options": ["a", "b"]}}
    sides = [{"proposition": one, "opposition": other}, {"proposition": other, "opposition": one}]
    debates = [
        arm("private", "debate", *sides),
        arm("public", "debate", sides[0], confidence="public"),
    ]
    ways = [
        arm("vote", "self_consistency", {"solver": one}, paths=3),
        arm("agreement", "self_agreement", {"solver": other}, paths=2),
        arm("sure", "confidence_elicitation", {"solver": one}, strategy="self_probing"),
    ]
    return [
        {"name": "played", "arms": debates, "subjects": SUBJECTS[:1], "repeats": 1},
        {"name": "asked", "arms": ways, "subjects": SUBJECTS[4:7:2], "repeats": 1},
    ]


REQUESTS: list[dict[str, Any]] = [
    {"messages": messages, "sampling": sampling, "seed": seed}
    for sampling in SAMPLINGS
    for messages, seed in (
        ([["user", "Hello"]], 0),
        ([["system", 'Be "brief".'], ["user", "Ünïcödé 🙂\n"], ["assistant", "I"]], 2**31 - 1),
    )
]
FILES: dict[str, list[dict[str, Any]]] = {
    "motions.jsonl": [
        {"motion": " This house would read a file. "},
        {"text": "This house would say whence.", "source": "a book", "license": "CC-BY-4.0"},
    ],
    "questions.jsonl": [
        {"question": "What is 17+25+31?", "answer": 73},
        {"problem": "What is a half?", "target": 0.5, "source": "a book"},
        {"question": "Which?", "choices": ["one", "two", "three", "four"], "answer": "A"},
        {"question": "Which now?", "options": ["red", "green", "blue"], "answer": "green"},
    ],
}


def agent_of(described: dict[str, Any]) -> Any:
    """Build an agent as its description says."""
    from agents.references import model
    from agents.scripted import scripted
    from arena.types import Agent

    kind, _, name = described["model"].partition("/")
    made = scripted(scripted_words, name) if kind == "scripted" else model(described["model"])
    given = described.get("name", made.name)
    return Agent(
        given, made, described.get("system", ""), sampling_of(described.get("sampling", {}))
    )


def scripted_words(request: Any) -> str:
    """Say what the function says: speeches, one of them unreadable, boxes and ratings."""
    place, words = request.place, request.messages[-1].content
    if place.ask:
        return "<rating>61%</rating>"
    if "<speech>" in words:
        unreadable = place.seat == "opposition" and place.step == 1
        rating = "" if unreadable else f"<rating>{draw(request.seed) % 101}%</rating>"
        return f"<thoughts>Hm, {request.seed}.</thoughts><speech>It is so.</speech>{rating}"
    return f"It may be. \\boxed{{{request.seed % 7}}}\nConfidence: {draw(request.seed) % 101}%"


def sampling_of(fields: dict[str, Any]) -> Any:
    """Build a sampling as its description says."""
    from arena.types import Sampling

    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Sampling(**(fields | lists))


def subject_of(fields: dict[str, Any]) -> Any:
    """Build a subject as its description says."""
    from arena.types import Subject

    return Subject(**(fields | {"choices": tuple(fields.get("choices", ()))}))


def debate_of(described: dict[str, Any]) -> Any:
    """Build a stored debate as its description says."""
    from arena.debates import stored_debate
    from arena.types import Turn

    episode = described["episode"]
    turns = tuple(Turn(episode, text="", **speech) for speech in described["turns"])
    return stored_debate(episode, described["motion"], described["sequential"], turns)


def study_of(described: dict[str, Any]) -> Any:
    """Build a study as its description says."""
    from arena.study import Arm, Study

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


def protocol_of(name: str) -> Any:
    """Find a protocol by its name."""
    from importlib import import_module

    module = {"leap_segmented": "leap", "confidence_elicitation": "confidence"}.get(name, name)
    return getattr(import_module(f"protocols.{module}"), name)


def with_plays(described: dict[str, Any]) -> dict[str, Any]:
    """Add to a described study its episodes in order: arm, repeat, episode, sample."""
    from arena.study import plays

    found = plays(study_of(described))
    return described | {"plays": [[p.arm, p.repeat, p.episode, p.sample] for p in found]}


def with_turns(described: dict[str, Any]) -> dict[str, Any]:
    """Add to a described study its requests, and what of its turns is a hash, after a play."""
    from arena import Arena
    from arena.memo import reask_key

    with tempfile.TemporaryDirectory() as place:
        played = Arena(Path(place) / STORE)
        assert not played.run(study_of(described), watch=lambda tally: None).failed
        chosen = "episode, seat, step, seed, request_hash, sample_key, text, reask_prompt"
        rows = played.sql(f"select {chosen} from turns order by all").rows
        calls = played.sql("select episode, seat, step, ask from calls order by all").rows
    keys = [[*row[:6], row[7] and reask_key(row[5], row[6], row[7])] for row in rows]
    return described | {"turns": keys, "asks": [list(row) for row in calls]}


def ids() -> dict[str, Any]:
    """Give the ids, hashes, keys and seeds that 0.1.0 makes of what is described."""
    from arena.episode import Episode, content, request_hash
    from arena.memo import digest, reask_key
    from arena.questions import questions
    from arena.subjects import motions, subject_id
    from arena.types import Message, Place, Request

    def hashed(described: dict[str, Any]) -> str:
        """Hash a described request."""
        messages = tuple(Message(role, text) for role, text in described["messages"])
        where = Place("e", "s", 0, 0, "p", 0)
        request = Request(messages, sampling_of(described["sampling"]), described["seed"], where)
        return request_hash(request, content(request))

    def read(name: str, rows: list[dict[str, Any]]) -> list[list[object]]:
        """Read a file of these rows and give of each subject its id, right answer and options."""
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / name
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            found = motions(file) if name.startswith("motions") else questions(file)
        return [[subject_id(one), one.gold, list(one.choices)] for one in found]

    def draws(episode: str, name: str) -> list[float]:
        """Draw from a random stream of an episode."""
        stream: random.Random = Episode(episode, None).rng(name)  # type: ignore[arg-type]
        return [stream.random() for _ in range(3)]

    words: list[list[object]] = [[], ["a"], ["a", 1, None], ["Ünï", "rng", 2.5, ["x"]]]
    samplings = [(one, orjson.dumps(sampling_of(one).content()).decode()) for one in SAMPLINGS]
    debates = [(one, debate_of(one)) for one in DEBATES]
    streams = [("0123456789abcdef0123", "headings"), ("e", "order"), ("e", "leads")]
    texts = [("k", "first reply", "again?"), ("", "", ""), ("0" * 64, "Ünï\n", '"?"')]
    return {
        "samplings": [{"fields": one, "content": made} for one, made in samplings],
        "subjects": [{"fields": one, "id": subject_id(subject_of(one))} for one in SUBJECTS],
        "debates": [one | {"text": made.text, "id": subject_id(made)} for one, made in debates],
        "files": [
            {"name": n, "rows": rows, "subjects": read(n, rows)} for n, rows in FILES.items()
        ],
        "requests": [one | {"hash": hashed(one)} for one in REQUESTS],
        "digests": [{"words": one, "digest": digest(*one).hex()} for one in words],
        "streams": [{"episode": e, "name": n, "draws": draws(e, n)} for e, n in streams],
        "second_asks": [{"words": one, "key": reask_key(*one)} for one in texts],
        "studies": [with_plays(one) for one in described_studies()],
        "played": [with_turns(with_plays(one)) for one in played_studies()],
    }


if __name__ == "__main__":
    check_version()
    socket.gethostname = lambda: "maker"
    os.chdir(tempfile.gettempdir())
    write_json("ids", ids())
    make_finished()
    make_half_played()
    make_unfolded()
    make_older()
