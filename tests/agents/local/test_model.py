"""Local models are played and recorded like any other: references, studies, ledger, measures."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agents import agent, model
from agents.local.model import LocalModel
from arena import Arena, Arm, RunSelection, Study
from arena.errors import ContextOverflowError, RefusedError, StudyError
from arena.play.prompt import verbatim
from arena.types import Agent, Message, Place, Request, Sampling
from tests.fake_agents import MOTION
from tests.tiny_models import tiny, tokenizer

VERSION = "1"
GREEDY = Sampling(temperature=0.0, max_tokens=12)
PLACE = Place("e", "speaker", 0, 0, "p", 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("tiny"))


def request(
    text: str, sampling: Sampling = GREEDY, *, prefill: str | None = None, seed: int = 1
) -> Request:
    messages = (Message("user", text),) + (
        (Message("assistant", prefill),) if prefill is not None else ()
    )
    return Request(messages, sampling, seed, PLACE)


async def speak(episode: Any, motion: Any, speaker: Any) -> None:
    await episode.ask(speaker, motion.text, phase="speech")


async def think_on(episode: Any, motion: Any, speaker: Any) -> None:
    thought: list[Any] = []
    for part in range(4):
        turn = await episode.ask(speaker, motion.text, phase="think", round=part, prefill=thought)
        thought.append(verbatim(turn))


def play(path: Path, protocol: Any, who: Agent, repeats: int = 1) -> Arena:
    arena = Arena(path)
    summary = arena.run(
        Study("s", [Arm("a", protocol, [{"speaker": who}])], [MOTION], repeats=repeats)
    )
    assert (summary.failed, summary.done) == (0, repeats)
    return arena


def test_a_study_of_a_local_model_is_recorded_like_any_other(tmp_path: Path, folder: Path) -> None:
    arena = play(
        tmp_path / "a.duckdb",
        speak,
        agent(f"local/{folder}", sampling=Sampling(temperature=1.0, max_tokens=9)),
        repeats=3,
    )
    rows = arena.sql("select model_served, finish_reason, len(token_ids), text from turns").rows
    assert {row[0] for row in rows} == {f"local/{folder.name}"}
    assert len({row[3] for row in rows}) == 3
    assert arena.sql(
        "select distinct status, tokens_out - decode_steps, cost_usd, cost_source from calls"
    ).rows == (("ok", True, 0.0, "local"),)
    assert arena.sql(
        "select sum(tokens_prefilled), sum(tokens_cached), any_value(tokens_in) from calls"
    ).rows == ((42, 78, 40),)
    assert arena.sql("select distinct seeds from seats").rows == (("honoured",),)
    sent = arena.sql(
        "select sent->>'dtype', sent->>'device', (sent->>'temperature')::double from calls limit 1"
    ).rows
    assert sent == (("float32", "cpu", 1.0),)
    names = arena.sql("select name, count(*) from measures group by name order by name").rows
    assert names == tuple(
        (name, 3)
        for name in (
            "entropy_mean",
            "logprob_lowest_tenth",
            "logprob_mean",
            "logprob_sum",
            "self_certainty_mean",
        )
    )


@pytest.mark.slow
def test_thinking_in_parts_says_what_thinking_at_once_says(tmp_path: Path, folder: Path) -> None:
    parts = play(tmp_path / "a.duckdb", think_on, agent(f"local/{folder}", sampling=GREEDY))
    whole = play(
        tmp_path / "b.duckdb",
        speak,
        agent(f"local/{folder}", sampling=replace(GREEDY, max_tokens=48)),
    )
    at_once = whole.sql("select text, token_ids from turns").rows[0]
    four = parts.sql("select text, token_ids, finish_reason from turns order by step").rows
    assert [token for row in four for token in row[1]] == at_once[1]
    # A character may be cut in two where a part ends, so that only the tokens are all of it.
    assert [row[0] for row in four] == [tokenizer().decode(row[1]) for row in four]
    assert {row[2] for row in four} == {"length"}
    assert (
        parts.sql("select sum(tokens_prefilled) from calls").rows[0][0]
        <= whole.sql("select tokens_in from calls").rows[0][0] + 3
    )
    seen = parts.sql("select step, seen_step, face from saw order by all").rows
    assert seen == (
        (1, 0, "verbatim"),
        (2, 0, "verbatim"),
        (2, 1, "verbatim"),
        (3, 0, "verbatim"),
        (3, 1, "verbatim"),
        (3, 2, "verbatim"),
    )


@pytest.mark.slow
def test_a_thought_is_replayed_and_goes_on_from_the_stored_tokens(
    tmp_path: Path, folder: Path
) -> None:
    broken = [True]

    async def breaks_off(episode: Any, motion: Any, speaker: Any) -> None:
        thought: list[Any] = []
        for part in range(4):
            if part == 2 and broken and isinstance(speaker.agent.model, LocalModel):
                raise RuntimeError(broken.pop())
            turn = await episode.ask(
                speaker, motion.text, phase="think", round=part, prefill=thought
            )
            thought.append(verbatim(turn))

    who = agent(f"local/{folder}", sampling=GREEDY)
    whole = (
        play(tmp_path / "a.duckdb", think_on, who)
        .sql("select token_ids from turns order by step")
        .rows
    )
    arena, study = (
        Arena(tmp_path / "b.duckdb"),
        Study("s", [Arm("a", breaks_off, [{"speaker": who}])], [MOTION]),
    )
    assert arena.run(study).failed == 1
    again = arena.run(study, selection=RunSelection(retry_failed=True, accept_code_change=True))
    assert (again.done, again.replies, again.replayed) == (1, 2, 2)
    assert arena.sql("select token_ids from turns order by step").rows == whole


async def test_agents_of_one_reference_share_one_engine(folder: Path) -> None:
    local = model(f"local/{folder}")
    other = model(f"local/{folder}")
    assert local is other
    assert model(f"local/{folder}?slots=2") is not local
    await local(request("hello"))
    assert local.engine is not None
    await local.close()
    assert local.engine is None
    assert (await local(request("hello"))).text == (await other(request("hello"))).text
    await local.close()


async def test_options_are_chosen_by_their_probability(folder: Path) -> None:
    local = model(f"local/{folder}")
    assert isinstance(local, LocalModel)
    reply = await local(request("Is it true?", Sampling(choices=("True", "False", "the"))))
    shares = {
        name.removeprefix("probability of "): value
        for name, value in reply.measures.items()
        if name.startswith("probability")
    }
    assert math.isclose(sum(shares.values()), 1.0)
    assert reply.text == max(shares, key=shares.__getitem__)
    ids = local._tokenizer.ids(request("Is it true?"), local.name)
    code = local._tokenizer.tokenizer("False").input_ids
    with torch.inference_mode():
        table = (
            local._weights.model(torch.tensor([[*ids, *code]])).logits[0].double().log_softmax(-1)
        )
    expected = sum(float(table[len(ids) - 1 + n, token]) for n, token in enumerate(code))
    assert reply.measures["logprob of False"] == pytest.approx(expected, abs=1e-4)
    await local.close()


async def test_logprobs_come_with_alternatives(folder: Path) -> None:
    local = model(f"local/{folder}")
    reply = await local(request("hello", replace(GREEDY, logprobs=3)))
    await local.close()
    assert len(reply.logprobs) == len(reply.token_ids)
    for choice in reply.logprobs:
        assert choice.logprob == pytest.approx(choice.alternatives[0].logprob, abs=1e-4)
        assert len(choice.alternatives) == 3
    assert sum(choice.logprob for choice in reply.logprobs) == pytest.approx(
        reply.measures["logprob_sum"], abs=1e-3
    )


async def test_thoughts_in_tags_are_set_apart(folder: Path) -> None:
    local = model(f"local/{folder}")
    await local.open()
    whole = await local(request("hello", replace(GREEDY, max_tokens=30)))
    for text, reasoning, rest in (
        ("<think>so</think>\n\nyes", "so", "yes"),
        ("so\n</think>yes", "so", "yes"),
        ("[THINK]so[/THINK] yes", "so", "yes"),
        ("◁think▷so◁/think▷yes", "so", "yes"),
        ("<|begin_of_thought|>so<|end_of_thought|>yes", "so", "yes"),
        ("<think>\n\n</think>yes", "", "yes"),
        ("<thoughts>so</thoughts>yes", None, "<thoughts>so</thoughts>yes"),
        ("<think>so", None, "<think>so"),
        ("yes", None, "yes"),
    ):
        local._tokenizer.decode_after = lambda before, ids, text=text: text
        reply = await local(request("hello"))
        assert (reply.reasoning, reply.text) == (reasoning, rest)
        assert (await local(request("hello", prefill="<think>"))).text == text
        assert (
            await local(request("hello", replace(GREEDY, stop=("</think>",))))
        ).text == text.partition("</think>")[0]
    del local._tokenizer.decode_after
    assert (await local(request("hello", replace(GREEDY, max_tokens=30)))).text == whole.text
    await local.close()


async def test_a_reply_is_cut_before_its_stop_word(folder: Path) -> None:
    local = model(f"local/{folder}")
    free = (await local(request("hello", replace(GREEDY, max_tokens=40)))).text
    word = next(free[n : n + 2] for n in range(3, 30) if "\ufffd" not in free[n : n + 2])
    reply = await local(request("hello", replace(GREEDY, max_tokens=40, stop=(word,))))
    await local.close()
    assert (reply.text, reply.finish_reason) == (free[: free.index(word)], "stop")


async def test_prompts_that_do_not_fit_are_errors_and_silence_is_none(folder: Path) -> None:
    local = model(f"local/{folder}?context=64")
    await local.open()
    with pytest.raises(ContextOverflowError, match="context"):
        await local(request("word " * 80))
    with pytest.raises(RefusedError, match="max_tokens"):
        await local(request("hello", Sampling(max_tokens=0)))
    local._tokenizer.decode_after = lambda before, ids: ""
    silent = await local(request("hello"))
    assert (silent.text, silent.tokens_out) == ("", 12)
    await local.close()


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("local/", "names no model"),
        ("local/./nowhere", "no folder"),
        ("local/nowhere", "hub id"),
        ("local/a/b?speed=9", "no setting 'speed'"),
        ("local/a/b?slots=none", "whole number"),
        ("local/a/b?dtype=int1", "dtype"),
        ("local/a/b?seeds=some", "exact or free"),
        ("toy/sum?slots=1000000000", "from 1 to 4096"),
        ("toy/chess", "toy/sum"),
    ],
)
def test_a_wrong_reference_is_one_clear_sentence(reference: str, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        model(reference)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"config\.json"):
        model(f"local/{tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    study = Study("s", [Arm("a", speak, [{"speaker": agent(f"local/{tmp_path}")}])], [MOTION])
    with pytest.raises(StudyError, match="cannot read a causal language model"):
        Arena(tmp_path / "a.duckdb").run(study)


def test_a_model_that_is_not_on_disk_with_the_network_closed_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    study = Study("s", [Arm("a", speak, [{"speaker": agent("local/nobody/nothing-1b")}])], [MOTION])
    with pytest.raises(StudyError, match="neither a folder nor in the hub's cache") as caught:
        Arena(tmp_path / "a.duckdb").run(study)
    assert "\n" not in str(caught.value)
    assert Arena(tmp_path / "a.duckdb").sql("select count(*) from runs").rows == ((0,),)


@pytest.mark.parametrize("reference", ["toy/sum", "local/a/b"])
def test_without_torch_one_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    monkeypatch.setattr("agents.local.model.find_spec", lambda package: None)
    with pytest.raises(
        StudyError, match=r"needs torch and transformers: pip install 'peer-arena\[local\]'"
    ):
        model(reference + "?slots=77")


def test_naming_a_local_model_imports_nothing_heavy(folder: Path) -> None:
    import subprocess
    import sys

    code = (
        f"import sys; from agents import agent; agent('local/{folder}');"
        " print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


async def test_runs_that_overlap_share_an_engine_and_the_last_one_closes_it(folder: Path) -> None:
    local = model(f"local/{folder}?slots=3")
    await local.open()
    await local.open()
    engine = local.engine
    await local.close()
    assert local.engine is engine
    assert (await local(request("hello"))).text
    await local.close()
    assert local.engine is None


@pytest.mark.slow
def test_two_studies_at_once_do_not_stop_each_other(tmp_path: Path, folder: Path) -> None:
    who = agent(f"local/{folder}?slots=2", sampling=Sampling(temperature=1.0, max_tokens=20))
    with ThreadPoolExecutor(2) as threads:
        arenas = list(
            threads.map(lambda n: play(tmp_path / f"{n}.duckdb", think_on, who, n), (1, 8))
        )
    for arena in arenas:
        assert arena.sql("select count(*) from calls where status <> 'ok'").rows == ((0,),)


@pytest.mark.parametrize(
    "sampling",
    [Sampling(temperature=t) for t in (1e-300, 1e-38, 1e300)]
    + [Sampling(top_p=1e-300, temperature=1.0), Sampling(top_k=10**30, temperature=1.0)],
)
async def test_no_legal_sampling_stops_the_engine(folder: Path, sampling: Sampling) -> None:
    local = model(f"local/{folder}")
    reply = await local(request("hello", replace(sampling, max_tokens=4)))
    assert reply.tokens_out
    assert local.engine.alive
    await local.close()


async def test_a_lone_surrogate_is_no_error(folder: Path) -> None:
    local = model(f"local/{folder}")
    assert (await local(request("\ud800 hello"))).tokens_out
    await local.close()
