"""Keys are written nowhere.

They are planted in the environment and in a file of keys, used, echoed by hostile servers, and
searched for.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arena import Arena
from arena.calls.secrets import PIECE, SHORTEST, remove_secrets
from arena.errors import StudyError
from arena.types import Agent, Request
from tests.fake_agents import agent, study
from tests.fake_server import chat_process

KEY = "sk-planted-0123456789abcdef"
STUDY = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, filename="debug.log")
from agents import agent
from arena import Arm, Study, Subject
from protocols.debate import debate

def study(*, models: list[str]) -> Study:
    agents = [agent(model) for model in models]
    lineups = [dict.fromkeys(("proposition", "opposition"), a) for a in agents]
    return Study("keys", [Arm("a", debate, lineups)], [Subject("This house would keep keys.")])
"""


@pytest.mark.slow
def test_no_key_is_found_in_anything_that_a_run_writes(tmp_path: Path) -> None:
    """Every lane, replies and errors that echo the key, keys of both sources, debug logs on."""
    for package in ("openai", "anthropic", "litellm"):
        pytest.importorskip(package)
    (tmp_path / "study.py").write_text(STUDY)
    names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "ARENA_HTTP_API_KEY")
    keys = tmp_path / "keys"
    keys.write_text("".join(f"{name}={KEY}-{name[:4]}\n" for name in names[:2]))
    keys.chmod(0o600)
    with chat_process("--max-s", "60", "--echo-keys") as url:
        bare = url.removesuffix("/v1")
        environment = {
            name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")
        } | {
            **{name: f"{KEY}-{name[:4]}" for name in names[2:]},
            **{
                "OPENAI_BASE_URL": url,
                "ANTHROPIC_BASE_URL": bare,
                "GEMINI_API_BASE": f"{bare}/v1beta",
            },
        }
        models = (
            "openai/gpt-4o-mini,openai/gpt-5-mini,anthropic/claude-haiku-4-5,"
            f"gemini/gemini-2.5-flash,http/any@{url}"
        )
        command = [
            sys.executable,
            "-m",
            "arena",
            "run",
            "study.py",
            "-o",
            f"models={models}",
            "--attempts",
            "1",
            "--keys",
            "keys",
        ]
        environment["PYTHONPATH"] = str(Path(__file__).parents[3])
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100
        )
    assert "5 of 5 episodes done" in ended.stdout, ended.stdout + ended.stderr
    keys.unlink()
    store = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"[key]" in store
    for written in (store, ended.stdout.encode(), ended.stderr.encode()):
        assert KEY[:14].encode() not in written


def test_a_key_in_a_study_is_refused_without_repeating_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    with pytest.raises(
        StudyError, match="study 'talks' holds the value of a key of the environment"
    ) as caught:
        Arena(tmp_path / "a.duckdb").run(study(Agent("a", agent().model, system=f"use {KEY}")))
    assert KEY not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_holds_a_key_is_stored_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(request: Request) -> str:
        raise RuntimeError(f"401 for Bearer {KEY}")

    monkeypatch.setenv("SOME_API_KEY", KEY)
    arena = Arena(tmp_path / "a.duckdb")
    arena.run(study(agent(reply=careless)))
    assert all(
        "401 for Bearer [key]" in error
        for (error,) in arena.sql("select error from episodes union all select error from calls")
    )
    assert not any(
        KEY.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    )


KEY_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
SPACES = ["\u200b", "\u2060", "\u00ad", "\x00", " ", "\n", " \ufeff "]
# How a server may write a piece of a key.
ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "capitals": str.upper,
    "hexadecimal": lambda piece: piece.encode().hex(),
    "capital hexadecimal": lambda piece: piece.encode().hex(":").upper(),
    "escapes": lambda piece: "".join(f"\\x{ord(letter):02x}" for letter in piece),
    "JSON escapes": lambda piece: "".join(f"\\u{ord(letter):04x}" for letter in piece),
    "base64": lambda piece: base64.b64encode(piece.encode()).decode(),
    "base64 after a name": lambda piece: base64.b64encode(f"user:{piece}".encode()).decode(),
    "base64 for addresses": lambda piece: base64.urlsafe_b64encode(
        f"~?{piece}\n".encode()
    ).decode(),
    "base64 in lines": lambda piece: base64.encodebytes((piece * 3).encode()).decode(),
}
# A space is no letter of a key, so that nothing of these belongs to a piece.
around = st.text(st.sampled_from("  é中\u200b.!?"), max_size=20)


def digits_of(text: str, alphabet: str) -> str:
    """What a reader has who leaves out all else, in small letters."""
    kept = (letter for letter in text.lower() if letter in alphabet)
    return "".join(kept).replace("-", "+").replace("_", "/")


@pytest.mark.slow
@settings(max_examples=200)
@given(st.data())
def test_every_piece_of_a_key_is_removed_in_every_encoding(data: st.DataObject) -> None:
    encoding = data.draw(st.sampled_from(sorted(ENCODINGS)))
    key = data.draw(st.text(KEY_LETTERS, min_size=PIECE, max_size=90), "key")
    start = data.draw(st.integers(0, len(key) - PIECE), "start")
    end = data.draw(st.integers(start + PIECE, len(key)), "end")
    written = ENCODINGS[encoding](key[start:end])
    between = data.draw(st.sampled_from(["", "", *SPACES]), "between")
    before, after = data.draw(around), data.draw(around)
    cleaned = remove_secrets(before + between.join(written) + after, [key])
    assert "[key]" in cleaned
    # Of what was written, only the ends may be left: padding, and digits shared with neighbours.
    alphabet = KEY_LETTERS.lower() + "+/"
    left = digits_of(cleaned.replace("[key]", "|"), alphabet)
    whole = digits_of(written, alphabet)
    longest = PIECE - 1 if encoding in ("plain", "capitals") else 15
    windows = {whole[i : i + longest + 1] for i in range(max(1, len(whole) - longest))}
    assert not any(window in left for window in windows if len(window) > longest)


@given(st.text(KEY_LETTERS, min_size=SHORTEST, max_size=PIECE - 1), around, around)
def test_a_short_key_is_removed_whole(key: str, before: str, after: str) -> None:
    cleaned = remove_secrets(f"{before}{key}{after}", [key])
    assert key not in cleaned
    assert cleaned == f"{before}[key]{after}"


@given(st.text(max_size=300), st.integers(0, len(KEY) - PIECE + 2))
@example("the planted key of 0123456789 letters", 3)
def test_what_holds_no_piece_stays_as_it_is(text: str, start: int) -> None:
    # Ten letters of the key, which one of the hyphens may continue to eleven.
    text = f"{text}--{KEY[start : start + PIECE - 2]}--"
    assert remove_secrets(text, [KEY, "short", "1234567"]) == text


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("12345678", "\n".join(f"{n}. Argument {n} is sound." for n in range(1, 9))),
        ("sk-0123456789abcdef", "In 2012 they had 3 of 45 votes; 67 of 89 abstained. A bad cab."),
        (
            "sk-abcdefghijklmnop",
            "a bold case: do every father, girl, heir, ink, jar, key, lamp, man",
        ),
        ("313233343536373839", "3 of 1, 3 of 2, 3 of 3, 3 of 4, 3 of 5, 3 of 6, 3 of 7, 3 of 8"),
    ],
)
def test_words_and_numbers_that_hold_the_letters_of_a_key_in_order_stay(
    key: str, text: str
) -> None:
    assert remove_secrets(text, [key]) == text


def test_several_keys_that_touch_and_overlap_are_all_removed() -> None:
    one, two = "abcdefghijklmnopq", "mnopqrstuvwxyz0123"
    text = f"{one}{two} {one[:-5]}{two} {two}"
    assert remove_secrets(text, [one, two]) == "[key] [key] [key]"
    assert remove_secrets("kéy-of-many-lettérs!", ["kéy-of-many-lettérs"]) == "[key]!"


def test_keys_of_any_length_and_script_are_removed_together() -> None:
    long, short, foreign = "abcdefghijklmnopq", "12345678", "ключ-от-всех-дверей"
    keys = [foreign, long, short, long[:9]]
    text = f"{short} {long}, {long[:-2]} -- {foreign} {long[:9]} {short}"
    assert remove_secrets(text, keys) == "[key] [key], [key] -- [key] [key] [key]"
    assert remove_secrets("密" * 20, ["密" * 20]) == "[key]"
    assert remove_secrets("密" * 8 + long, ["密" * 8 + long]) == "[key]"


@pytest.mark.parametrize("piece", [KEY, KEY[:-1], KEY[: PIECE - 1], KEY[:6], "\u200b".join(KEY)])
def test_a_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    def seconds(size: int) -> float:
        """The least processor time of three."""
        text = (piece * (size // len(piece) + 1))[:size]
        times = []
        for _ in range(3):
            began = time.process_time()
            remove_secrets(text, [KEY])
            times.append(time.process_time() - began)
        return min(times)

    # Eight times as long: 64 times the time, if it were quadratic.
    assert seconds(160_000) < 25 * max(seconds(20_000), 0.001)
