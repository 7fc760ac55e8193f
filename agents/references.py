"""From a written reference to a model or an agent: `openai/<model>`, `http/<model>@<base url>`, `sim/<profile>`.

The form is LiteLLM's `<provider>/<model>`.  OpenAI and Anthropic are asked through their own SDKs.  Local weights and the toy model are not
in this version; any OpenAI-compatible endpoint can be reached by `http/`.
"""

from __future__ import annotations

import difflib

from arena.errors import StudyError
from arena.types import Agent, Model, Sampling

FORMS = {
    "openai": "openai/<model>, such as openai/gpt-4o-mini",
    "anthropic": "anthropic/<model>, such as anthropic/claude-sonnet-4-6",
    "http": "http/<model>@<base url>, such as http/llama-3.1-8b@http://127.0.0.1:8000/v1 (any OpenAI-compatible chat server)",
    "sim": "sim/<profile>, such as sim/overconfident (a simulated debater, no network)",
}
LATER = ("gemini", "vertex_ai", "azure", "bedrock", "mistral", "groq", "deepseek", "openrouter", "local", "toy")


def unknown(reference: str) -> StudyError:
    """The error for a reference that names no model of this version: what was asked, what there is, and the nearest spelling.

    What follows an "@" is not repeated, since an address may hold a password.
    """
    asked = reference.partition("@")[0]
    kind, _, rest = asked.partition("/")
    there_are = "model references are " + "; ".join(FORMS.values())
    if kind in ("http:", "https:"):
        return StudyError(f"an address alone names no model; {there_are}")
    if kind == "scripted":
        return StudyError(f"{asked} cannot be named: scripted models are made in Python, by agents.scripted.scripted(function)")
    if kind in LATER:
        return StudyError(f"{asked} is not built yet in this version; any OpenAI-compatible endpoint works as http/<model>@<url>; {there_are}")
    near = difflib.get_close_matches(kind.lower(), [*FORMS, *LATER], n=1)
    hint = f"did you mean {near[0]}/{rest}? " if near else ""
    return StudyError(f"there is no model reference {asked!r}; {hint}{there_are}")


def model(reference: str) -> Model:
    """The model that a reference names.

    Nothing is sent and no connection opened.  Raises StudyError where the reference is unknown or incomplete, its address is not usable,
    or a key is missing.
    """
    kind, _, rest = reference.partition("/")
    if kind == "openai" and rest:
        from agents.openai_sdk import openai_model

        return openai_model(rest)
    if kind == "anthropic" and rest:
        from agents.anthropic_sdk import anthropic_model

        return anthropic_model(rest)
    if kind == "http":
        from agents.http import http_model

        return http_model(rest)
    if kind == "sim":
        from agents.simulated import simulated

        return simulated(rest)
    raise unknown(reference)


def agent(reference: str, *, name: str | None = None, system: str = "", sampling: Sampling | None = None) -> Agent:
    """An agent that speaks with the model that a reference names.

    `name` defaults to the reference without its address, `sampling` to the provider's own settings.  Raises StudyError as `model` does,
    and where the model is known not to take the sampling.
    """
    speaker, sampling = model(reference), sampling or Sampling()
    objection = getattr(speaker, "objection", None)
    why = objection(sampling) if objection else None
    if why is not None:
        raise StudyError(f"{speaker.name} cannot be sampled so: {why}")
    return Agent(speaker.name if name is None else name, speaker, system, sampling)
