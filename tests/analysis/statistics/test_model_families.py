"""Families by name: what is one maker's, what is nobody's, what is both."""

from __future__ import annotations

import pytest

from analysis.statistics.model_families import families, relation


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("anthropic/claude-3.7-sonnet", "anthropic"),
        ("openrouter/anthropic/claude-sonnet-4", "anthropic"),
        ("bedrock/anthropic.claude-v2", "anthropic"),
        ("openai/o3-mini", "openai"),
        ("azure/gpt-4o", "openai"),
        ("google/gemma-3-27b-it", "google"),
        ("http/Meta-Llama-3-8B", "meta"),
        ("http/qwen2.5-7b-instruct", "qwen"),
        ("qwen/qwq-32b:free", "qwen"),
        ("deepseek/deepseek-r1-distill-qwen-14b:free", "deepseek qwen"),
        ("http/graphics-model", "http/graphics-model"),
        ("http/photon", "http/photon"),
        ("sim/even", "sim/even"),
        ("sim/even:strength=1.0:family=3:words=9", "sim-3"),
        ("sim/judge:family=3:seed=4", "sim-3"),
    ],
)
def test_families(model: str, expected: str) -> None:
    assert families(model) == set(expected.split())


@pytest.mark.parametrize(
    ("judge", "contestant", "expected"),
    [
        ("qwen/qwq-32b", "qwen/qwq-32b:free", "contestant"),
        ("openai/gpt-4o", "azure/gpt-4o", "contestant"),
        ("google/gemini-pro-1.5", "google/gemma-3-27b-it", "family"),
        ("qwen/qwq-32b", "deepseek/deepseek-r1-distill-qwen-14b:free", "family"),
        ("openai/o3-mini", "anthropic/claude-3.5-haiku", "none"),
        ("sim/judge:seed=1", "sim/even:seed=1", "none"),
        ("sim/judge:family=2", "sim/even:family=2", "family"),
        ("http/one", "http/other", "none"),
    ],
)
def test_relations(judge: str, contestant: str, expected: str) -> None:
    assert relation(judge, contestant) == expected
