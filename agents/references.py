"""Resolve a written reference to a model or an agent, such as openai/gpt-4o-mini.

References have the form of LiteLLM, `<provider>/<model>`; `http/<model>@<base url>` and
`local/<folder or hub id>` are our own.  OpenAI and Anthropic are called through their own SDKs, the
other providers through LiteLLM, and models on this machine through torch and transformers.  Other
packages add providers by entry point (arena/plugins.py).
"""

from __future__ import annotations

import difflib
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any

from agents.providers.sampling import ProviderModel, out_of_range
from arena.decoding import decoding_problem
from arena.errors import StudyError
from arena.plugins import MODELS, Plugin, find_plugin, plugins
from arena.types import Agent, BaseModel, Model, Sampling

FORMS = {
    "openai": "openai/<model>, such as openai/gpt-4o-mini",
    "anthropic": "anthropic/<model>, such as anthropic/claude-sonnet-4-6",
    "litellm": "<provider>/<model> of LiteLLM, such as gemini/gemini-2.5-flash",
    "http": (
        "http/<model>@<base url>, such as http/llama-3.1-8b@http://127.0.0.1:8000/v1 (any"
        " OpenAI-compatible chat server)"
    ),
    "vllm": (
        "vllm/<model>@<base url>, such as vllm/qwen3-8b@http://127.0.0.1:8000/v1 (a vLLM or SGLang"
        " server, which can continue a prefilled reply), or vllm/<folder or hub id>@ray, which is"
        " served by a run with --on ray"
    ),
    "local": (
        "local/<folder or hub id>, such as local/Qwen/Qwen3-0.6B (weights on this machine;"
        " @<revision> says which, ?slots=, context=, dtype= and device= set how they run)"
    ),
    "toy": "toy/sum (a tiny model that really adds three numbers, no download)",
    "nli": "nli/<folder or hub id>, such as nli/microsoft/deberta-large-mnli (who entails whom)",
    "similarity": (
        "similarity/<folder or hub id>, such as similarity/cross-encoder/stsb-roberta-large (how"
        " alike two texts are)"
    ),
    "sim": (
        "sim/<profile>, such as sim/overconfident (a simulated debater, no network), sim/judge (a"
        " simulated judge), sim/solver (a simulated solver of questions), sim/reasoner (a solver"
        " that helps itself), sim/panelist (a solver that votes and moderates), sim/writer (who"
        " rewords questions), sim/advocate and sim/evidence_judge (who argue about a passage and"
        " decide by quotes) or sim/pairs (simulated entailment and similarity)"
    ),
}
# Settings of an agent that its reference may end in, and their fields in a sampling.
REFERENCE_SETTINGS = {"effort": "reasoning_effort", "thinking_tokens": "thinking_tokens"}
# The providers of chat models in LiteLLM 1.106, as a list: to query LiteLLM would import it, which
# takes seconds.
PROVIDERS = frozenset(
    """
    ai21 ai21_chat aiml amazon_nova azure azure_ai baseten bedrock bedrock_mantle bytez cerebras
    chutes clarifai cloudflare codestral cohere cohere_chat cometapi compactifai dashscope
    databricks datarobot deepinfra deepseek docker_model_runner featherless_ai fireworks_ai
    friendliai galadriel gemini gigachat github github_copilot gradient_ai groq heroku hosted_vllm
    huggingface hyperbolic inception lambda_ai lemonade litellm_proxy llamafile lm_studio maritalk
    meta_llama minimax mistral moonshot morph nano-gpt nebius nlp_cloud novita nscale nvidia_nim oci
    ollama ollama_chat oobabooga openrouter ovhcloud perplexity poe publicai replicate sagemaker
    sagemaker_chat sambanova scaleway snowflake synthetic together_ai v0 vercel_ai_gateway vertex_ai
    vertex_ai_beta volcengine wandb watsonx xai xinference zai
    """.split()  # noqa: SIM905
)
# Simulated models that are no debaters, by the first word of their reference.
SIMULATED = {
    "advocate": ("agents.simulated.advocate", "simulated_advocate"),
    "evidence_judge": ("agents.simulated.evidence_judge", "simulated_evidence_judge"),
    "judge": ("agents.simulated.judge", "simulated_judge"),
    "pairs": ("agents.simulated.pairs", "simulated_pairs"),
    "prover": ("agents.simulated.prover", "simulated_prover"),
    "panelist": ("agents.simulated.panelist", "simulated_panelist"),
    "reasoner": ("agents.simulated.reasoner", "simulated_reasoner"),
    "author": ("agents.simulated.author", "simulated_author"),
    "solver": ("agents.simulated.solver", "simulated_solver"),
    "writer": ("agents.simulated.writer", "simulated_writer"),
}
# Models whose own settings stand behind a "?".
WITH_QUERY = {"local", "toy", "nli", "similarity"}


def unknown_reference_error(reference: str) -> StudyError:
    """Return the error for an unknown reference, with the nearest spelling and all forms.

    The part after an "@" is not repeated, since an address may hold a password.
    """
    shown = reference.partition("@")[0]
    kind, _, rest = shown.partition("/")
    installed = [f"{plugin.name}/<model> ({plugin.package})" for plugin in plugins(MODELS)]
    forms = "model references are " + "; ".join((*FORMS.values(), *installed))
    if kind in ("http:", "https:"):
        return StudyError(f"an address alone names no model; {forms}")
    if kind == "scripted":
        return StudyError(
            f"{shown} cannot be loaded by reference: create scripted models in Python, with"
            " agents.scripted.scripted_model(function)"
        )
    known = {*FORMS, *PROVIDERS, *(plugin.name for plugin in plugins(MODELS))} - {"litellm"}
    near = difflib.get_close_matches(kind.lower(), sorted(known), n=1)
    hint = f"did you mean {near[0]}/{rest}? " if near else ""
    return StudyError(f"there is no model reference {shown!r}; {hint}{forms}")


def unknown_setting_error(reference: str) -> StudyError:
    """Return the error for a reference that ends in what is no setting of an agent."""
    where, _, query = reference.rpartition("?")
    names = [pair.partition("=")[0] for pair in query.split("&")]
    wrong = " and ".join(name for name in names if name not in REFERENCE_SETTINGS)
    return StudyError(
        f"{where.partition('@')[0]} has no setting {wrong or query!r:.60}: a reference ends in"
        f" {' or '.join(f'?{name}=' for name in REFERENCE_SETTINGS)}, behind its address if it has"
        " one; other settings are fields of Sampling"
    )


def check_is_text(reference: object, what: str) -> None:
    """Raise StudyError for what is no text in place of a reference, such as a function."""
    if isinstance(reference, str):
        return
    way = "give a reference, such as 'openai/gpt-4o-mini'"
    if isinstance(reference, Agent):
        way = "it is an agent already, and is given as it is"
    elif callable(reference):
        is_model = hasattr(reference, "capabilities")
        way = f"seat it as Agent(name, {'model' if is_model else 'scripted_model(function)'})"
        way += "" if is_model else ", of agents.scripted"
    raise StudyError(
        f"agents.{what}(...) takes a reference, found {type(reference).__name__}; {way}"
    )


def is_ours(kind: str) -> bool:
    """Return whether the beginning of a reference is one that we resolve ourselves."""
    return kind in PROVIDERS or (kind in FORMS and kind != "litellm")


def model(reference: str) -> Model:
    """Return the model that a reference names.

    Nothing is sent and no connection is opened.  Raises StudyError if the reference is unknown or
    incomplete, its address is not usable, or a key is missing.
    """
    check_is_text(reference, "model")
    where, settings = split_settings(reference)
    if settings:
        raise StudyError(
            f"{', '.join(settings)} in a reference is a setting of an agent, not of a model: use"
            f" agents.agent({where.partition('@')[0]!r}, sampling=...)"
        )
    kind, _, rest = reference.partition("/")
    plugin = find_plugin(MODELS, kind, ours=is_ours(kind))
    if plugin is not None:
        return model_of_plugin(plugin, rest)
    served = kind == "vllm" and "@ray" in rest
    if "?" in rest and kind in {*FORMS, *PROVIDERS} - WITH_QUERY and not served:
        raise unknown_setting_error(reference)
    # Each provider is imported only when a reference names it: SDKs and torch take seconds.
    if kind == "openai":
        from agents.providers.openai_sdk import openai_model

        return openai_model(rest)
    if kind == "anthropic":
        from agents.providers.anthropic_sdk import anthropic_model

        return anthropic_model(rest)
    if kind in PROVIDERS:
        from agents.providers.litellm_sdk import litellm_model

        return litellm_model(reference)
    if kind == "http":
        from agents.providers.http import http_model

        return http_model(rest)
    if kind == "vllm":
        from agents.providers.served import served_model
        from agents.providers.vllm import vllm_model

        return served_model(rest) or vllm_model(rest)
    if kind == "local":
        from agents.local.model import local_model

        return local_model(rest)
    if kind == "toy":
        from agents.local.model import toy_model

        return toy_model(rest)
    if kind in ("nli", "similarity"):
        from agents.local.readouts.pairs import pair_model

        return pair_model("nli" if kind == "nli" else "similarity", rest)
    if kind == "sim":
        return simulated_model(rest)
    raise unknown_reference_error(reference)


def simulated_model(rest: str) -> Model:
    """Return the simulated model of a reference's part after the slash."""
    module, function = SIMULATED.get(
        rest.partition(":")[0], ("agents.simulated.debater", "simulated_debater")
    )
    made: Model = getattr(import_module(module), function)(rest)
    return made


def split_settings(reference: str) -> tuple[str, dict[str, Any]]:
    """Return a reference without settings of its agent behind a "?", and these by field.

    They are effort= and thinking_tokens=; a query with other names is the model's own, and stays.
    """
    where, _, query = reference.rpartition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    if not where or any(name not in REFERENCE_SETTINGS for name, _, _ in pairs):
        return reference, {}
    settings: dict[str, Any] = {}
    for name, _, value in pairs:
        whole = name == "thinking_tokens" and value.isascii() and value.isdigit()
        settings[REFERENCE_SETTINGS[name]] = int(value) if whole else value
    return where, settings


def model_of_plugin(plugin: Plugin, name: str) -> Model:
    """Return the model that the function of a plugin makes of a reference's part after the slash.

    Raises StudyError, which names the package, if the function fails, or if the result is no model
    whose name begins with the provider's.
    """
    # Costs 50 ms of imports, which only plugins need.
    from arena.studies.study import check_agent

    make = plugin.load()
    with plugin.blame():
        made: Model = make(name)
    check_agent(Agent(f"{plugin.name}/{name.partition('@')[0]}", made))
    # Limits, prices and tables find a provider by the beginning of the model's name.
    if not made.name.startswith(f"{plugin.name}/"):
        wrong = ValueError(f"the model is named {made.name!r}, not {plugin.name}/...")
        raise plugin.error(wrong)
    return made


def agent(
    reference: str,
    *,
    name: str | None = None,
    system: str = "",
    sampling: Sampling | None = None,
    drop_unsupported: bool = False,
) -> Agent:
    """Return an agent that speaks with the model that a reference names.

    `name` defaults to the reference without its address, `sampling` to the provider's own settings.
    The reference may end in an effort or a bound of thoughts: `openai/gpt-5-mini?effort=low`.
    With `drop_unsupported` the agent gets the sampling without the settings that its model does not
    support, and what its provider alone knows is left out after it has said so (status 400 or 422).
    Raises StudyError as `model` does, if a setting is out of its range, and if the model
    is known not to support the sampling.
    """
    check_is_text(reference, "agent")
    reference, settings = split_settings(reference)
    speaker = model(reference)
    sampling = sampling or Sampling()
    for field, value in settings.items():
        if getattr(sampling, field) not in (None, value):
            raise StudyError(
                f"{speaker.name} is asked for {field} {value!r} in its reference and"
                f" {getattr(sampling, field)!r} in its sampling; say it once"
            )
    sampling = replace(sampling, **settings) if settings else sampling
    why = out_of_range(sampling)
    if isinstance(speaker, ProviderModel):
        speaker.drop_unsupported = drop_unsupported
    if why is None and drop_unsupported:
        asked, sampling = sampling, speaker.supported_sampling(sampling)
        if decoding_problem(sampling.decoding, speaker.capabilities) is not None:
            sampling = replace(sampling, decoding=None)
        note_left_out(speaker, asked, sampling)
    why = why or speaker.unsupported_reason(sampling)
    why = why or decoding_problem(sampling.decoding, speaker.capabilities)
    if why is not None:
        raise StudyError(f"{speaker.name} does not support this sampling: {why}")
    # Agents of two efforts need two names, as those of two models have them.
    query = "&".join(
        f"{word}={settings[field]}"
        for word, field in REFERENCE_SETTINGS.items()
        if field in settings and getattr(sampling, field) is not None
    )
    usual = f"{speaker.name}?{query}" if query else speaker.name
    return Agent(usual if name is None else name, speaker, system, sampling)


def note_left_out(speaker: Model, asked: Sampling, kept: Sampling) -> None:
    """Note on a model which settings of those asked for it is not sent, and why."""
    if isinstance(speaker, ProviderModel):
        reasons = speaker.unsupported(asked)
    else:
        # A model of another package says in its own words what it does not support, if at all.
        why = speaker.unsupported_reason(asked) or f"{speaker.name} does not support it"
        names = Sampling.__dataclass_fields__
        reasons = {name: why for name in names if getattr(asked, name) != getattr(kept, name)}
    if isinstance(speaker, BaseModel):
        # One that cannot be changed says nothing.
        with suppress(AttributeError):
            speaker.left_out = reasons or None
