"""Say what a model's own configuration, or a sampling, asks for that the engine does not do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from arena.sampling import LATER_SETTINGS, Sampling

# Settings of generation_config.json that change which tokens are drawn, with the values at which
# they change nothing; None never does.
NEUTRAL: dict[str, tuple[object, ...]] = {
    "repetition_penalty": (1,),
    "encoder_repetition_penalty": (1,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "typical_p": (1,),
    "epsilon_cutoff": (0,),
    "eta_cutoff": (0,),
    "top_h": (),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "num_beams": (1,),
    "penalty_alpha": (0,),
    "guidance_scale": (1,),
    "bad_words_ids": ([],),
    "suppress_tokens": ([],),
    "begin_suppress_tokens": ([],),
    "forced_bos_token_id": (),
    "forced_eos_token_id": (),
    "sequence_bias": ({}, []),
    "exponential_decay_length_penalty": (),
    "watermarking_config": (),
    "dola_layers": (),
}
# Penalties of a sampling at which nothing changes: whoever sets them asks for what the engine does.
NO_PENALTY = {"presence_penalty": 0, "frequency_penalty": 0, "repetition_penalty": 1}
# Arguments of `apply_chat_template` that are ours.
OUR_ARGUMENTS = frozenset(
    {"conversation", "tools", "documents", "chat_template", "add_generation_prompt"}
    | {"continue_final_message", "tokenize", "padding", "truncation", "max_length"}
    | {"return_tensors", "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs"}
    | {"messages", "date_string", "strftime_now", "raise_exception"}
)


def read_generation_config(folder: Path | None) -> dict[str, object]:
    """Return the settings in a model's generation_config.json; none if it cannot be read."""
    if folder is None:
        return {}
    try:
        found = json.loads((folder / "generation_config.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def configured_problem(config: Mapping[str, object]) -> str | None:
    """Return why the draws that a generation_config.json asks for cannot be had, or None."""
    odd = [
        f"{name} {config[name]!r:.40}"
        for name, neutral in NEUTRAL.items()
        if config.get(name) is not None and config[name] not in neutral
    ]
    if not odd:
        return None
    return (
        f"its generation_config.json asks for {' and '.join(odd)}, which the local engine does not"
        " do: set a temperature, with which the settings of that file are left aside"
    )


def unsupported_later(sampling: Sampling) -> dict[str, str]:
    """Return the reason for each setting of a sampling that the engine does not have."""
    reasons = {}
    for name in LATER_SETTINGS:
        value = getattr(sampling, name)
        if value is None or (name in NO_PENALTY and value == NO_PENALTY[name]):
            continue
        why = extra_problem(sampling) if name == "extra" else f"it takes no {name}"
        if why is not None:
            reasons[name] = why
    return reasons


def extra_problem(sampling: Sampling) -> str | None:
    """Return why the extra settings of a sampling cannot be had, or None.

    Only `{"chat_template_kwargs": {...}}` can: arguments of the model's chat template.
    """
    extra = template_arguments(sampling)
    names = set(sampling.extra or ()) - {"chat_template_kwargs"}
    if names or extra is None:
        return "of extra settings it takes chat_template_kwargs alone, a JSON object"
    if taken := sorted(OUR_ARGUMENTS & set(extra)):
        return f"its chat template is given {', '.join(taken)} by the program"
    return None


def template_arguments(sampling: Sampling) -> dict[str, object] | None:
    """Return the arguments of a sampling for the chat template; None if they are none."""
    extra: dict[str, object] = getattr(sampling.extra, "plain", dict)()
    found = extra.get("chat_template_kwargs", {})
    return found if isinstance(found, dict) else None
