"""Inspect's models speak in the arena, and its protocols solve Inspect's samples: no network."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from arena_inspect import InspectModel, as_solver, inspect_model
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelOutput,
    ModelUsage,
    TopLogprob,
    get_model,
)
from inspect_ai.scorer import match

from agents import agent, model
from arena import Agent, Arena, Arm, Sampling, Study, Subject
from arena.errors import (
    BadReplyError,
    ContextOverflowError,
    EmptyReplyError,
    ModelError,
    RateLimitedError,
    RefusedError,
    StudyError,
    UnreachableError,
)
from arena.play.sync import run_blocking
from arena.types import Message, Place, Request
from protocols import named

USAGE = ModelUsage(
    input_tokens=10,
    output_tokens=7,
    total_tokens=25,
    input_tokens_cache_read=5,
    input_tokens_cache_write=3,
    reasoning_tokens=2,
)
Script = Callable[[list[ChatMessage], GenerateConfig], ModelOutput]


def said(content: object, stop: str = "stop", **fields: object) -> ModelOutput:
    """Return an output of Inspect."""
    message = ChatMessageAssistant(content=content)  # type: ignore[arg-type]
    logprobs = fields.pop("logprobs", None)
    choice = ChatCompletionChoice(message=message, stop_reason=stop, logprobs=logprobs)  # type: ignore[arg-type]
    usage = fields.pop("usage", USAGE)
    return ModelOutput(model="mock-1", choices=[choice], usage=usage, **fields)  # type: ignore[arg-type]


def mock(reply: Script) -> InspectModel:
    """Return a mock of Inspect whose words are scripted."""
    return inspect_model(
        "mockllm/model", custom_outputs=lambda input, tools, choice, config: reply(input, config)
    )


def request(sampling: Sampling | None = None) -> Request:
    """Return a request of the opening of a debate."""
    messages = (Message("system", "Be brief."), Message("user", "Speak."))
    place = Place("e", "proposition", 0, 0, "opening", 0)
    return Request(messages, sampling or Sampling(), 7, place)


def test_a_reference_is_found_by_entry_point_and_marked_as_a_mock() -> None:
    made = model("inspect/mockllm/model")
    assert (made.name, made.simulated) == ("inspect/mockllm/model", True)
    reply = run_blocking(lambda: made(request()))
    assert (reply.text, reply.tokens_in) == ("Default output from mockllm/model", None)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("inspect/nonsense/x", "API nonsense of model"),
        ("inspect/gpt-4o", "format of <api_name>"),
        ("inspect/openai/gpt-4o", "OPENAI_API_KEY"),
    ],
)
def test_what_inspect_cannot_make_is_refused_in_one_sentence(
    reference: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(StudyError, match=words) as caught:
        model(reference)
    assert "[" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_and_messages_arrive_and_nothing_is_asked_for_twice() -> None:
    seen: list[tuple[list[ChatMessage], GenerateConfig]] = []

    def reply(input: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        seen.append((input, config))
        return said("Yes.")

    sampling = Sampling(
        temperature=0.5, top_p=0.9, top_k=4, max_tokens=20, stop=("END",), logprobs=2
    )
    run_blocking(lambda: mock(reply)(request(sampling)))
    ((input, config),) = seen
    assert [(m.role, m.text) for m in input] == [("system", "Be brief."), ("user", "Speak.")]
    assert config.model_dump(exclude_none=True) == {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
        "max_tokens": 20,
        "stop_seqs": ["END"],
        "logprobs": True,
        "top_logprobs": 2,
        "seed": 7,
        "max_retries": 0,
        "max_connections": 10_000,
    }


def test_text_reasoning_tokens_and_log_probabilities_are_taken_over() -> None:
    thought = [ContentReasoning(reasoning="Hm."), ContentText(text="Yes.")]
    tops = [TopLogprob(token="Yes.", logprob=-0.1), TopLogprob(token="No.", logprob=-2.0)]
    logprobs = Logprobs(content=[Logprob(token="Yes.", logprob=-0.1, top_logprobs=tops)])
    reply = run_blocking(
        lambda: mock(lambda *_: said(thought, "max_tokens", logprobs=logprobs))(request())
    )
    # "length" is the word by which protocols know a reply that was cut.
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("Yes.", "Hm.", "length")
    assert (reply.tokens_in, reply.tokens_cached) == (10 + 5 + 3, 5)
    assert (reply.tokens_out, reply.tokens_reasoning) == (7, 2)
    assert reply.model_served == "mock-1"
    assert reply.logprobs is not None
    assert [each.token for each in reply.logprobs[0].alternatives] == ["Yes.", "No."]


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (said("", "model_length"), ContextOverflowError),
        (said("I'd rather not.", "content_filter"), RefusedError),
        (said("So", "unknown", error="it broke"), BadReplyError),
        (said("  "), EmptyReplyError),
        (said("", "max_tokens"), EmptyReplyError),
    ],
)
def test_what_is_no_whole_reply_is_an_error_with_its_billed_tokens(
    output: ModelOutput, kind: type[ModelError]
) -> None:
    with pytest.raises(kind) as caught:
        run_blocking(lambda: mock(lambda *_: output)(request()))
    assert caught.value.reply is not None
    assert caught.value.reply.tokens_out == 7


def test_tokens_that_nobody_counted_are_unknown_and_not_zero() -> None:
    reply = run_blocking(lambda: mock(lambda *_: said("Yes.", usage=ModelUsage()))(request()))
    assert (reply.tokens_in, reply.tokens_out, reply.cost_usd) == (None, None, None)


def test_settings_that_inspect_does_not_pass_on_are_refused_or_dropped() -> None:
    with pytest.raises(StudyError, match="takes no min_p"):
        agent("inspect/mockllm/model", sampling=Sampling(min_p=0.1))
    kept = agent(
        "inspect/mockllm/model", sampling=Sampling(min_p=0.1, top_k=3), drop_unsupported=True
    )
    assert kept.sampling == Sampling(top_k=3)


class Server:
    """A chat server that answers with one status, and counts requests."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: dict[str, str] = {}
        self.body: dict[str, object] = {"error": {"message": "it is broken"}}
        self.requests = 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.requests += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                body = json.dumps(server.body).encode()
                self.send_response(server.status)
                for name, value in {"Content-Type": "application/json", **server.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Stay silent."""

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve as OpenAI for Inspect."""
    made = Server()
    threading.Thread(target=made.http.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-tests")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{made.http.server_port}/v1")
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (500, "broken", UnreachableError),
        (429, "slow down", RateLimitedError),
        (429, "insufficient_quota", RefusedError),
        (401, "wrong key sk-secret-of-the-tests", RefusedError),
        (400, "no such parameter", RefusedError),
    ],
)
def test_a_call_is_one_request_and_its_status_is_the_arenas_error(
    server: Server, status: int, message: str, kind: type[ModelError]
) -> None:
    server.status = status
    server.body = {"error": {"message": message, "code": message, "type": "t"}}
    server.headers = {"Retry-After": "3"}
    asked = inspect_model("openai/gpt-4o")
    with pytest.raises(ModelError) as caught:
        run_blocking(lambda: asked(request()))
    assert type(caught.value) is kind
    assert caught.value.http_status == status
    assert "sk-secret" not in str(caught.value)
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after_s == 3
    assert server.requests == 1


def test_a_server_that_is_not_there_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-tests")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    asked = inspect_model("openai/gpt-4o")
    with pytest.raises(UnreachableError):
        run_blocking(lambda: asked(request()))


def test_a_model_speaks_again_after_the_end_of_a_run(server: Server) -> None:
    server.status = 200
    choice = {"index": 0, "message": {"role": "assistant", "content": "Yes."}}
    server.body = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-1",
        "choices": [{**choice, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }
    asked = inspect_model("openai/gpt-4o")

    async def use() -> str:
        reply = await asked(request())
        await asked.close()
        return reply.text

    assert [run_blocking(use), run_blocking(use)] == ["Yes.", "Yes."]


def by_question(input: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
    """Answer the sum of two numbers wherever one is asked for, and by the seed at random."""
    words = input[-1].text
    sums = {"1+1": 2, "2+3": 5, "4+4": 8}
    (asked,) = {sum for sum in sums if sum in words}
    return said(f"I add. \\boxed{{{sums[asked]}}}")


def test_a_study_with_seats_of_inspect_is_played_and_goes_on(tmp_path: Path) -> None:
    seat = Agent("Ada", mock(by_question))
    arm = Arm("vote", named("self_consistency"), [{"solver": seat}], {"paths": 3})
    study = Study("s", [arm], [Subject("What is 1+1?", "question", "2")])
    arena = Arena(tmp_path / "a.duckdb")
    assert arena.run(study, watch=lambda stats: None).replies == 3
    assert arena.run(study, watch=lambda stats: None).replies == 0
    (row,) = arena.sql("select answer, correct, status from answers where final").rows
    assert row == ("2", True, "graded")
    (settings, tokens) = arena.sql("select any_value(sent), sum(tokens_in) from calls").rows[0]
    assert '"seed":' in str(settings).replace(" ", "")
    assert tokens == 3 * 18


SAMPLES = [
    Sample(input="What is 1+1?", target="2", id="one"),
    Sample(input="What is 2+3?", target="5", id="two"),
    Sample(input="What is 4+4?", target="9", id="wrong"),
]


def evaluate(folder: Path, reply: Script, solver: object, **options: object) -> EvalLog:
    """Evaluate a mock on three sums."""
    mocked = get_model(
        "mockllm/model", custom_outputs=lambda input, tools, choice, config: reply(input, config)
    )
    fields = {"samples": SAMPLES} | options
    task = Task(dataset=fields.pop("samples"), solver=solver, scorer=match("exact"))  # type: ignore[arg-type]
    (log,) = eval(task, model=mocked, display="none", log_dir=str(folder / "logs"), **fields)  # type: ignore[arg-type]
    return log


def test_a_protocol_solves_samples_and_its_record_is_in_both_logs(tmp_path: Path) -> None:
    store = str(tmp_path / "a.duckdb")
    solver = as_solver("self_consistency", options={"paths": 3}, store=store)
    log = evaluate(tmp_path, by_question, solver, temperature=0.7)
    assert log.status == "success", log.error
    assert log.samples is not None
    by_id = {sample.id: sample for sample in log.samples}
    # Inspect's scorer graded the protocol's answer.
    grades = {id: sample.scores["match"].value for id, sample in by_id.items() if sample.scores}
    assert grades == {"one": "C", "two": "C", "wrong": "I"}
    assert by_id["two"].output.completion == "5"
    turns = [message for message in by_id["two"].messages if message.role == "assistant"]
    assert [message.metadata["seat"] for message in turns if message.metadata] == [
        "path0",
        "path1",
        "path2",
    ]
    assert turns[0].text == "path0, path 0:\n\nI add. \\boxed{5}"
    # Each sample has the events and tokens of its own calls.
    for sample in by_id.values():
        asked = [event for event in sample.events if event.event == "model"]
        assert len(asked) == 3
        mine = f"\\boxed{{{sample.output.completion}}}"
        assert all(mine in event.output.completion for event in asked)
        assert sample.model_usage["mockllm/model"].output_tokens == 3 * 7
    arena = Arena(store)
    rows = arena.sql(
        """select e.study, e.episode, s.text, a.correct, s.gold from episodes e
           join subjects s using (subject) join answers a using (episode) where a.final"""
    ).rows
    assert {text: correct for _, _, text, correct, _ in rows} == {
        "What is 1+1?": True,
        "What is 2+3?": True,
        "What is 4+4?": False,
    }
    # Samples that wait are played together.
    assert arena.sql("select count(*) from runs").rows[0][0] <= 2
    place = by_id["one"].metadata["arena"]
    assert (place["study"], place["episode"]) in {(study, episode) for study, episode, *_ in rows}
    (sampling,) = arena.sql("select distinct sampling from seats where seat = 'solver'").rows[0]
    assert "0.7" in str(sampling)


def test_an_evaluation_that_is_repeated_asks_nothing_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def reply(input: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        asked.append(input[-1].text)
        return by_question(input, config)

    solver = as_solver("single", store=str(tmp_path / "a.duckdb"))
    for _ in range(2):
        assert evaluate(tmp_path, reply, solver).status == "success"
        assert len(asked) == 3
    # Another temperature is another agent, also for a solver that has served already.
    assert evaluate(tmp_path, reply, solver, temperature=0.9).status == "success"
    assert len(asked) == 6


def test_a_solver_may_serve_several_models_in_one_evaluation(tmp_path: Path) -> None:
    def mocked(name: str, answer: int) -> object:
        return get_model(f"mockllm/{name}", custom_outputs=lambda *_: said(f"\\boxed{{{answer}}}"))

    store = tmp_path / "a.duckdb"
    task = Task(dataset=SAMPLES[:1], solver=as_solver("single", store=str(store)), scorer=match())
    models = [mocked("one", 1), mocked("two", 2)]
    logs = eval(task, model=models, display="none", log_dir=str(tmp_path / "logs"))  # type: ignore[arg-type]
    given = {log.eval.model: log.samples and log.samples[0].output.completion for log in logs}
    assert given == {"mockllm/one": "1", "mockllm/two": "2"}
    rows = Arena(store).sql("select model, answer from answers join seats using (episode)").rows
    assert sorted(rows) == [("inspect/mockllm/one", "1"), ("inspect/mockllm/two", "2")]


def test_any_target_of_a_sample_is_right_in_both_logs(tmp_path: Path) -> None:
    store = tmp_path / "a.duckdb"
    samples = [Sample(input="What is 1+1?", target=["two", "2"])]
    log = evaluate(tmp_path, by_question, as_solver("single", store=str(store)), samples=samples)
    assert log.samples is not None
    assert log.samples[0].scores is not None
    assert log.samples[0].scores["match"].value == "C"
    assert Arena(store).sql("select correct from answers where final").rows[0] == (True,)


CHOICE = Sample(input="Which is even? 1+1", choices=["three", "four"], target="B")


def test_choices_are_shown_and_answered_by_their_letters(tmp_path: Path) -> None:
    def reply(input: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        assert "B) four" in input[-1].text or "B. four" in input[-1].text
        return said("It is \\boxed{B}.")

    store = tmp_path / "a.duckdb"
    log = evaluate(tmp_path, reply, as_solver("single", store=str(store)), samples=[CHOICE])
    assert log.samples is not None
    assert log.samples[0].scores is not None
    assert log.samples[0].scores["match"].value == "C"
    assert Arena(store).sql("select correct from answers where final").rows[0] == (True,)


def test_epochs_are_samples_of_their_own(tmp_path: Path) -> None:
    seeds: set[int | None] = set()

    def reply(input: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        seeds.add(config.seed)
        return by_question(input, config)

    solver = as_solver("single", store=str(tmp_path / "a.duckdb"))
    log = evaluate(tmp_path, reply, solver, epochs=3)
    assert log.status == "success"
    assert len(seeds) == 9


def test_a_failed_episode_is_an_error_of_its_sample_alone(tmp_path: Path) -> None:
    def reply(input: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        if "4+4" in input[-1].text:
            return said("No.", "content_filter")
        return by_question(input, config)

    solver = as_solver("single", store=str(tmp_path / "a.duckdb"))
    log = evaluate(tmp_path, reply, solver, fail_on_error=False)
    assert log.samples is not None
    errors = {sample.id: sample.error for sample in log.samples}
    assert errors["one"] is None
    assert errors["two"] is None
    assert errors["wrong"] is not None
    assert "Refused" in errors["wrong"].message


def test_a_limit_of_inspect_ends_the_sample_that_reached_it(tmp_path: Path) -> None:
    def reply(input: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        output = by_question(input, config)
        if "4+4" in input[-1].text:
            output.usage = ModelUsage(input_tokens=900, output_tokens=100, total_tokens=1000)
        return output

    store = str(tmp_path / "a.duckdb")
    solver = as_solver("self_consistency", options={"paths": 2}, store=store)
    log = evaluate(tmp_path, reply, solver, token_limit=500)
    assert log.samples is not None
    limits = {sample.id: sample.limit and sample.limit.type for sample in log.samples}
    assert limits == {"one": None, "two": None, "wrong": "token"}


def debater(input: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
    """Speak in a debate, with private thoughts and a rating."""
    return said("<thoughts>I may lose.</thoughts><speech>So it is.</speech><rating>80</rating>")


def test_a_debate_without_a_verdict_gives_its_public_words_and_keeps_private_ones(
    tmp_path: Path,
) -> None:
    store = str(tmp_path / "a.duckdb")
    lineup = {"proposition": "evaluated", "opposition": "sim/confident"}
    solver = as_solver("debate", lineup, store=store)
    log = evaluate(tmp_path, debater, solver, samples=[Sample(input="This house would wait.")])
    assert log.status == "success", log.error
    assert log.samples is not None
    (sample,) = log.samples
    assert sample.output.completion.count("So it is.") == 3
    told = [sample.output.completion, *(message.text for message in sample.messages)]
    assert not any("I may lose" in words or "80" in words for words in told)
    ratings = [m.metadata["confidence"] for m in sample.messages if m.metadata]
    assert ratings.count(0.8) == 3
    arena = Arena(store)
    models = arena.sql("select seat, model from seats order by seat").rows
    assert list(models) == [
        ("opposition", "sim/confident"),
        ("proposition", "inspect/mockllm/model"),
    ]
    (thoughts,) = arena.sql(
        "select distinct thoughts from turns where model_served = 'mock-1'"
    ).rows
    assert thoughts == ("I may lose.",)


TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import match

@task
def sums():
    return Task(dataset=[Sample(input="What is 1+1?", target="2")], scorer=match("exact"))
"""


def test_the_solver_is_found_by_inspects_command_line(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(TASK)
    inspect = [sys.executable, "-m", "inspect_ai", "eval", "task.py", "--display", "none"]
    inspect += ["--model", "none/none", "--solver", "arena_inspect/as_solver"]
    inspect += ["-S", "protocol=debate", "-S", "lineup=sim/confident", "-S", "kind=motion"]
    done = subprocess.run(inspect, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = Arena(tmp_path / "arena.duckdb").sql("select study, status from episodes").rows
    assert row == ("inspect debate", "done")
