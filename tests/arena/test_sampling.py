"""Settings are frozen, tell episodes apart, and hold no key."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import orjson
import pytest

from arena.errors import StudyError
from arena.sampling import LATER_SETTINGS, MOST_BYTES, JsonObject
from arena.store.replay import sampling_of
from arena.types import Sampling

FULL = Sampling(
    reasoning_effort="low",
    thinking_tokens=0,
    response_schema={"type": "object", "properties": {"why": {}, "answer": {"enum": [1, True]}}},
    presence_penalty=0.0,
    frequency_penalty=0.5,
    repetition_penalty=1.1,
    extra={"top_a": 0.1, "chat_template_kwargs": {"enable_thinking": False}},
)


def test_a_later_setting_stands_in_the_content_only_where_it_is_set() -> None:
    first = {"temperature": None, "top_p": None, "max_tokens": None, "stop": ()}
    assert Sampling().content() == first
    assert set(FULL.content()) == {*first, *LATER_SETTINGS}
    fields = {field.name for field in dataclasses.fields(Sampling)}
    others = {"logprobs", "top_k", "min_p", "choices", "readouts", "decoding"}
    assert fields == {*first, *others, *LATER_SETTINGS}


def test_a_sampling_comes_back_from_the_json_that_is_stored() -> None:
    stored = orjson.loads(orjson.dumps(FULL.content()))
    again = sampling_of({name: value for name, value in stored.items() if value not in (None, [])})
    assert again == FULL
    assert orjson.dumps(again.content()) == orjson.dumps(FULL.content())


def test_a_sampling_with_json_can_be_hashed_copied_and_pickled() -> None:
    for other in (copy.deepcopy(FULL), pickle.loads(pickle.dumps(FULL)), dataclasses.replace(FULL)):
        assert other == FULL
        assert hash(other) == hash(FULL)


def test_a_dictionary_that_changes_later_changes_no_sampling() -> None:
    given: dict[str, Any] = {"a": [1, {"b": 2}]}
    sampling = Sampling(extra=given)
    given["a"][1]["b"] = 3
    sampling.content()["extra"]["a"].append(4)  # type: ignore[index]
    assert sampling == Sampling(extra={"a": (1, {"b": 2})})


def test_the_order_of_a_schema_counts_and_that_of_extra_does_not() -> None:
    assert Sampling(extra={"a": 1, "b": 2}) == Sampling(extra={"b": 2, "a": 1})
    assert Sampling(response_schema={"a": 1, "b": 2}) != Sampling(response_schema={"b": 2, "a": 1})


def test_numbers_that_python_calls_equal_are_other_settings() -> None:
    assert len({JsonObject({"a": value}) for value in (1, 1.0, True)}) == 3
    assert JsonObject({"a": [1]}) == {"a": [1]} != JsonObject({"a": [True]})


def test_nothing_set_is_the_same_as_an_empty_object() -> None:
    assert Sampling(extra={}, response_schema={}) == Sampling()


@pytest.mark.parametrize(
    "value",
    [float("nan"), 2**63, {1: 2}, {None: 1}, {1, 2}, b"x", "\ud800", [object()], Sampling()],
)
def test_what_is_no_json_is_refused_by_the_name_of_its_setting(value: object) -> None:
    with pytest.raises(StudyError, match="response_schema h"):
        Sampling(response_schema={"a": value})
    with pytest.raises(StudyError, match="extra h"):
        Sampling(extra={"a": value})
    with pytest.raises(StudyError, match="extra is a JSON object, not"):
        Sampling(extra=[value])  # type: ignore[arg-type]


def test_what_is_nested_without_end_is_refused() -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    deep: dict[str, object] = {}
    for _ in range(3000):
        deep = {"a": deep}
    for value in (endless, deep):
        with pytest.raises(StudyError, match="extra is nested more than 50 deep"):
            Sampling(extra=value)
        with pytest.raises(StudyError, match="response_schema is nested more than 50 deep"):
            Sampling(response_schema=value)


def test_what_every_call_would_send_has_a_bound_that_counts_all_of_it() -> None:
    half = "ä" * (MOST_BYTES // 4)
    Sampling(extra={"a": half}, response_schema={"a": half})
    for setting in ("extra", "response_schema"):
        long: dict[str, Any] = {setting: {"a": half, "b": [half]}}
        with pytest.raises(
            StudyError, match=f"{setting} is 1,048,... bytes of JSON, and 1,048,576"
        ):
            Sampling(**long)


@pytest.mark.parametrize("name", ["reasoning_effort", "temperature", "stop", "choices"])
def test_a_list_is_no_value_of_a_plain_setting(name: str) -> None:
    setting: dict[str, Any] = {name: ({},)}
    with pytest.raises(StudyError, match=f"^{name} is no "):
        Sampling(**setting)


def test_lists_of_texts_are_taken_for_those_that_cannot_change() -> None:
    stop: Any = ["a"]
    assert hash(Sampling(stop=stop)) == hash(Sampling(stop=("a",)))


KEYS = (
    "api_key apiKey key X-Api-Key Authorization token access_token password client_secret"
    " aws_secret_access_key aws_access_key_id HF_TOKEN Set-Cookie"
)


@pytest.mark.parametrize("name", KEYS.split())
def test_extra_never_holds_a_key(name: str) -> None:
    for extra in ({name: "x"}, {"extra_headers": {name: "x"}}, {"a": [{"b": {name: "x"}}]}):
        with pytest.raises(StudyError, match="looks like the name of a key"):
            Sampling(extra=extra)


@pytest.mark.parametrize(
    "key",
    [
        *("sk-proj-" + "aB3" * 9, "sk-ant-api03-" + "A" * 90, "sk-or-v1-" + "0a" * 32),
        *("AIza" + "Sy-_x" * 7, "hf_" + "aB" * 17),
    ],
)
def test_a_key_in_extra_is_refused_and_not_told(key: str) -> None:
    places: dict[str, Any] = {
        "extra['user']": {"user": f"Bearer {key}"},
        "a name in extra": {key: 1},
    }
    places["extra['a']['b']"] = {"a": [{"b": ["x", key]}]}
    for place, extra in places.items():
        with pytest.raises(StudyError) as refused:
            Sampling(extra=extra)
        assert str(refused.value).startswith(f"{place} looks like a key of a provider")
        assert key not in str(refused.value)
    words = "task-2024-long-words-with-hyphens sk-learn AIza hf_transfer sk-some-words-without-any"
    Sampling(extra={"user": words})


def test_words_about_tokens_and_keys_of_a_cache_are_no_keys() -> None:
    names = (
        "prompt_cache_key max_tokens stop_token_ids skip_special_tokens add_bos_token logit_bias"
    )
    Sampling(extra=dict.fromkeys(names.split(), 1))
    Sampling(response_schema={"properties": {"key": {}, "secret": {}}})
