"""Damaged journals: nothing of a damaged line is read, and a run goes on only on request."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count
from pathlib import Path

import duckdb
import pytest

from arena.cli.main import main
from arena.errors import StoreError, StoreWarning
from arena.play.run import Arena, RunSelection
from arena.store import database, journal_reader
from arena.store.checksums import Tally, is_whole
from arena.store.database import create, fold, journal_folder, journals, query
from arena.store.folding import FoldResult
from arena.store.journal import first_line, line
from arena.store.journal_reader import NOT_IN_ORDER, JournalReader
from arena.studies.study import Study
from arena.types import Request
from tests.fake_agents import agent, by_seed, study

pytestmark = pytest.mark.filterwarnings("ignore::arena.errors.StoreWarning")
AGAIN = RunSelection(ask_damaged_again=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create(tmp_path / "a.duckdb")
    return tmp_path / "a.duckdb"


def subject(name: str) -> bytes:
    return line("subjects", {"subject": name, "text": name})


def put(path: Path, *lines: bytes, name: str = "j") -> Path:
    """Write a journal with these lines and nothing after them, as a killed run does."""
    journal = journal_folder(path) / f"{name}.jsonl"
    journal.write_bytes(b"".join((first_line(), *lines)))
    return journal


def subjects(path: Path) -> str:
    return "".join(row[0] for row in query(path, "select subject from subjects order by 1"))


def ended(*lines: bytes) -> list[bytes]:
    """Lines as a closed journal has them after its first line."""
    tally = Tally()
    tally.add([first_line(), *lines])
    return [*lines, tally.end_line()]


def test_each_bit_of_a_line_is_covered() -> None:
    text = subject("é 1")
    for bit in range(8 * len(text)):
        flipped = bytearray(text)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not is_whole(bytes(flipped))
    assert is_whole(text)


def read(journal: Path, *, growing: bool = False) -> tuple[str, list[int], int]:
    """Read a journal: the subjects in it, the numbers of the damaged lines, and torn ends."""
    reader = JournalReader(journal)
    pieces = list(reader.read(journal.stat().st_size, growing=growing))
    found = [text for lines in pieces for text in lines if b'"t":"subjects"' in text]
    names = "".join(text.split(b'"subject":"')[1][:1].decode() for text in found)
    return names, [damage.line for damage in reader.damaged], reader.torn


A, B, C = map(subject, "abc")


@pytest.mark.parametrize(
    ("lines", "names", "damaged", "torn"),
    [
        ([A, B], "ab", [], 0),
        ([A, B[:-1]], "ab", [], 0),  # a whole line needs no line break
        ([A, B[:-2]], "a", [], 1),
        ([A, B[:3]], "a", [], 1),
        ([A, B[:-1] + b"\x0b"], "a", [3], 0),  # a changed line break is no torn line
        ([A, B[:-1] + b"*" + C[:20]], "a", [3], 0),
        ([A, b"x" + B[1:]], "a", [3], 0),
        ([A[:-1] + b"\x0b", B], "", [2], 0),  # two lines become one
        ([A[:9] + b"\n" + A[10:], B], "b", [2, 3], 0),
        ([A, b"\n", B], "ab", [3], 0),
        (ended(A, B), "ab", [], 0),
        (ended(A, B)[:1] + ended(A, B)[2:], "a", [NOT_IN_ORDER], 0),
        ([B, A, ended(A, B)[-1]], "ba", [NOT_IN_ORDER], 0),
        ([A, A, B, ended(A, B)[-1]], "aab", [NOT_IN_ORDER], 0),
        ([A, B, ended(A, B)[-1][:-3] + b"x}\n"], "ab", [4], 0),
        ([*ended(A, B), C[:5]], "ab", [], 1),
    ],
)
def test_lines_are_whole_torn_or_damaged(
    path: Path, lines: list[bytes], names: str, damaged: list[int], torn: int
) -> None:
    journal = put(path, *lines)
    assert read(journal) == (names, damaged, torn)
    # Live readers see the same lines; they wait for the other half of a torn one.
    assert read(journal, growing=True) == (names, damaged, 0)


@pytest.mark.parametrize(
    ("lines", "names", "damaged"),
    [
        (ended(A, B), "ab", []),
        ([*ended(A), B], "a", [4]),
        ([*ended(A), B, C], "a", [4, 5]),
        ([*ended(A, B), *ended(A, B)], "ab", [5, 6, 7]),
        ([A, ended(A, B)[-1], C], "a", [NOT_IN_ORDER, 4]),
        ([A, b"x" + B[1:], ended(A, B)[-1], C], "a", [3, 5]),
    ],
)
@pytest.mark.parametrize("kind", ["in one piece", "in pieces", "as it grows"])
def test_what_stands_behind_an_end_line_is_damaged_however_it_is_read(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    names: str,
    damaged: list[int],
    kind: str,
) -> None:
    if kind == "in pieces":
        monkeypatch.setattr(journal_reader, "COPIED_BYTES", 2)
    if kind != "as it grows":
        assert read(put(path, *lines)) == (names, damaged, 0)
        return
    reader = JournalReader(put(path))
    pieces = []
    for number in range(len(lines) + 1):
        size = put(path, *lines[:number]).stat().st_size
        pieces += [text for found in reader.read(size, growing=True) for text in found]
    assert [text for text in pieces if b'"t":"subjects"' in text] == lines[: len(names)]
    assert [damage.line for damage in reader.damaged] == damaged


@pytest.mark.parametrize(
    "changed", [b'{"t":"journal","schema_version":4', b'{"u":"journal","schema_version":5']
)
def test_a_damaged_first_line_does_not_make_an_old_journal_of_it(
    path: Path, changed: bytes
) -> None:
    journal = put(path, A, B[:-9] + b"0" * 9)
    whole = journal.read_bytes()
    journal.write_bytes(changed + whole[len(changed) :])
    names, damaged, _ = read(journal)
    assert (names, damaged[0]) == ("a", 1)


OLD = b'{"t":"journal","schema_version":4}\n'
OLD_A = b'{"t":"subjects","subject":"a"}\n'


@pytest.mark.parametrize(
    ("content", "names", "damaged", "torn"),
    [
        (OLD + OLD_A, "a", [], 0),
        (OLD[:-1], "", [], 0),
        (OLD[:9], "", [], 1),
        (first_line()[:-9], "", [], 1),
        (b"", "", [], 0),
        (b"x" * 60 + b"\n" + A, "a", [1], 0),
        (first_line()[:30] + b"\0" * 30 + b"\n" + A + b"\0" * len(B) + b"\n", "a", [1, 3], 0),
        (OLD[:-3] + b"x}\n" + OLD_A, "", [1, 2], 0),
        (b"\n" + b"".join(ended(A, B)), "ab", [1], 0),
        (b"\0" * 4096, "", [1], 0),
        (b"\0" * 50 + b"\n", "", [1], 0),
    ],
)
def test_a_journal_without_a_readable_first_line_is_damaged(
    path: Path, content: bytes, names: str, damaged: list[int], torn: int
) -> None:
    journal = put(path)
    journal.write_bytes(content)
    assert read(journal) == (names, damaged, torn)
    assert read(journal, growing=True) == (names, damaged, 0)


def test_random_bytes_are_no_journal(path: Path) -> None:
    put(path).write_bytes(random.Random(1).randbytes(30_000))
    result = fold(path)
    assert (result.journals, result.skipped) == (0, 0)
    assert "j.jsonl: lines 1, 2, 3, 4, 5 and" in str(result.put_off)


def test_damage_stops_folding_and_is_shown_to_nobody(path: Path) -> None:
    put(path, A, name="1")
    put(path, B, C[:20] + b"x" + C[21:], name="2")
    put(path, subject("d"), name="3")
    with pytest.warns(StoreWarning, match=r"2\.jsonl: line 3 is damaged; .*--ask-damaged-again"):
        assert subjects(path) == "abd"
    result = fold(path)
    assert (result.journals, [damage.line for damage in result.damaged]) == (1, [3])
    assert "2.jsonl: line 3 is damaged" in str(result.put_off)
    result = fold(path, leave_out_damaged=True)
    assert (result.journals, result.skipped, result.put_off) == (2, 1, None)
    assert subjects(path) == "abd"
    rows = query(path, "select journal, skipped, damaged from folded order by 1").rows
    assert rows == (("1.jsonl", 0, 0), ("2.jsonl", 1, 1), ("3.jsonl", 0, 0))
    assert (journal_folder(path) / "2.jsonl").exists()


@pytest.mark.parametrize("damaged", [B[:20] + b"x" + B[21:], b""])
def test_a_whole_copy_that_was_put_back_is_read_by_a_process_that_met_the_damage(
    path: Path, damaged: bytes
) -> None:
    end = ended(A, B)[-1]
    put(path, A, damaged or A, end)
    assert subjects(path) == "a"
    assert len(database.find_damage(path)) == 1
    put(path, A, B, end)
    assert subjects(path) == "ab"
    assert database.find_damage(path) == []


@pytest.fixture
def unfolded(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Study], Path]:
    """Play a study and leave its journal as a kill before its end does."""

    def play(path: Path, played: Study) -> Path:
        with monkeypatch.context() as patch:
            patch.setattr(database, "fold", lambda *_, **__: FoldResult())
            Arena(path).run(played)
        [journal] = journals(path)
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
        return journal

    return play


def damage(journal: Path, kind: bytes, number: int, *, at: float = 0.6) -> None:
    """Change a byte within a line: the n-th of its kind."""
    lines = journal.read_bytes().splitlines(keepends=True)
    index = [n for n, text in enumerate(lines) if text.startswith(b'{"t":"' + kind + b'"')][number]
    changed = bytearray(lines[index])
    changed[int(at * len(changed))] ^= 1
    lines[index] = bytes(changed)
    journal.write_bytes(b"".join(lines))


def different_each_time() -> Callable[[Request], str]:
    """A model that never says the same again, with a number that is missing now and then."""
    numbers = count()

    def reply(request: Request) -> str:
        rating = "" if request.seed % 3 == 0 and not request.place.ask else "|50"
        return f"{request.place.seat} says {next(numbers)}{rating}"

    return reply


TURNS = "select episode, hash(t) from turns t"


@pytest.mark.slow
@pytest.mark.parametrize("at", [0.6, 0.04])
@pytest.mark.parametrize(
    ("kind", "number", "lost"),
    [
        (b"turns", 5, True),
        (b"turns", 0, True),
        (b"unfinished_turns", 0, False),
        (b"call_ends", 3, False),
        (b"call_starts", 3, False),
        (b"plays", 1, False),
        (b"seats", 2, False),
        (b"statuses", 0, False),
        (b"runs", 0, False),
        (b"subjects", 1, False),
        (b"journal", 0, False),
    ],
)
def test_a_run_stops_at_damage_and_goes_on_on_request(
    path: Path,
    unfolded: Callable[[Path, Study], Path],
    kind: bytes,
    number: int,
    lost: bool,
    at: float,
) -> None:
    played = study(agent(reply=different_each_time()), subjects=3)
    journal = unfolded(path, played)
    before = query(path, TURNS).rows
    damage(journal, kind, number, at=at)
    with pytest.raises(StoreError, match=r"000\.jsonl: line \d+ is damaged; .*ask-damaged-again"):
        Arena(path).run(played)
    summary = Arena(path).run(played, selection=AGAIN)
    assert (summary.done, summary.failed, summary.open, summary.damaged) == (3, 0, 0, 1)
    after = query(path, TURNS).rows
    new = {*after} - {*before}
    assert len(after) == len(before) == 18
    assert (bool(new), summary.replies >= len(new)) == (lost, True)
    # What is asked again is the lost reply, and what its episode said after it.
    assert len({episode for episode, _ in new}) <= 1
    assert lost or summary.replies == 0
    assert query(path, "select count(*) from seats").rows == ((6,),)
    assert journal.exists()
    assert Arena(path).run(played).replies == 0


def test_a_store_with_damage_that_is_held_by_a_reader_is_not_played_on(
    path: Path, unfolded: Callable[[Path, Study], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    played = study(agent(reply=by_seed), subjects=1)
    damage(unfolded(path, played), b"turns", 2)
    monkeypatch.setattr(database, "fold", lambda *_, **__: FoldResult(put_off="it is held"))
    with pytest.raises(StoreError, match="is damaged"):
        Arena(path).run(played, selection=AGAIN)


@pytest.mark.slow
def test_commands_that_read_say_in_one_sentence_what_they_leave_out(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(path, A, b"x" + B[1:])
    (journal_folder(path) / "d.jsonl").mkdir()
    (journal_folder(path) / "l.jsonl").symlink_to("nowhere")
    for command in (["sql", "from subjects"], ["status"], ["report"]):
        main([*command, "--db", str(path)])
        said = capsys.readouterr().err
        assert said.count("j.jsonl: line 3 is damaged") == 1 + (command == ["status"])
        assert said.count("d.jsonl is no file, and left out") == 1
        assert said.count("l.jsonl is a link to nothing, and left out") == 1


@pytest.mark.parametrize("digits", [12, 6000])
def test_a_schema_version_of_many_digits_is_an_error_with_the_journals_name(
    path: Path, digits: int
) -> None:
    text = b'{"t":"journal","schema_version":%b}\n' % (b"9" * digits)
    (journal_folder(path) / "j.jsonl").write_bytes(text)
    with pytest.raises(StoreError, match=r"j\.jsonl names a schema version of") as raised:
        subjects(path)
    assert str(raised.value) == fold(path).put_off
    assert len(str(raised.value)) < 400


IN_FILE = 'IO Error: Could not read enough bytes from file "{path}"'
FULL = 'IO Error: Could not write all bytes to file "{path}": No space left on device'


@pytest.mark.parametrize(
    ("error", "of_a_user", "of_the_program"),
    [
        (duckdb.Error("Corrupt database file: computed checksum 1"), "damaged", "damaged"),
        (duckdb.IOException(IN_FILE), "damaged", "damaged"),
        (duckdb.IOException(IN_FILE.replace("{path}", "/else/{name}")), "failed: IO", "failed: IO"),
        (duckdb.IOException(FULL), "the disk is full", "the disk is full"),
        (duckdb.InternalException("INTERNAL Error: x\nStack: y"), "either DuckDB", "damaged"),
        (duckdb.FatalException("FATAL Error: x"), "either DuckDB", "damaged"),
        (duckdb.InvalidInputException("Corrupt database file"), "failed: Cor", "failed: Cor"),
    ],
)
def test_only_a_damaged_file_is_called_damaged(
    path: Path, error: duckdb.Error, of_a_user: str, of_the_program: str
) -> None:
    def fail(con: object) -> None:
        raise type(error)(str(error).format(path=path.resolve(), name=path.name))

    for trusted, words in ((False, of_a_user), (True, of_the_program)):
        with pytest.raises(StoreError) as raised:
            database.with_views(path, "", fail, trusted=trusted)
        assert words in str(raised.value)
        assert ("seems to be damaged" in str(raised.value)) == (words == "damaged")
        assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_random_bytes_in_the_database_are_one_sentence_in_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / "a.duckdb"
    Arena(whole).run(study(agent(), subjects=2))
    draw = random.Random(5)
    failed = 0
    for number in range(6):
        path = tmp_path / f"{number}.duckdb"
        data = bytearray(whole.read_bytes())
        for _ in range(4):
            start = draw.randrange(len(data) - 4096)
            data[start : start + 4096] = draw.randbytes(4096)
        path.write_bytes(data)
        for command in (["report"], ["status"], ["sql", "from turns"], ["rank"], ["show", "1"]):
            if main([*command, "--db", str(path)]) == 2:
                failed += 1
                assert len(capsys.readouterr().err.splitlines()) == 1
    assert failed
