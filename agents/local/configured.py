"""Say what a model's own configuration, or a sampling, asks for that the engine does not do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from arena.sampling import LATER_SETTINGS, Sampling

# Settings of generation_config.json that change logits before a token is drawn (logit_rules.py),
# with the values at which they change nothing; None never does.
RULES: dict[str, tuple[object, ...]] = {
    "sequence_bias": ({}, []),
    "repetition_penalty": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "no_repeat_ngram_size": (0,),
    "bad_words_ids": ([],),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "forced_bos_token_id": (),
    "forced_eos_token_id": (),
    "exponential_decay_length_penalty": (),
    "suppress_tokens": ([],),
    "begin_suppress_tokens": ([],),
}
# Others that change which tokens are drawn, or where a reply ends, and that the engine lacks.
REFUSED: dict[str, tuple[object, ...]] = {
    "encoder_repetition_penalty": (1,),
    "encoder_no_repeat_ngram_size": (0,),
    "typical_p": (1,),
    "epsilon_cutoff": (0,),
    "eta_cutoff": (0,),
    "top_h": (),
    "num_beams": (1,),
    "penalty_alpha": (0,),
    "guidance_scale": (1,),
    "watermarking_config": (),
    "dola_layers": (),
    "stop_strings": ([], ""),
    "remove_invalid_values": (False,),
    "token_healing": (False,),
}
PENALTIES = ("repetition_penalty", "presence_penalty", "frequency_penalty")
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
        f"{name} {config[name]!r:.40}" for name in REFUSED if not is_neutral(name, config.get(name))
    ]
    if not odd:
        return None
    return (
        f"its generation_config.json asks for {' and '.join(odd)}, which the local engine does not"
        " do: set a temperature, with which the settings of that file are left aside"
    )


def is_neutral(name: str, value: object) -> bool:
    """Return whether a setting of generation_config.json changes nothing at a value."""
    return value is None or value in (RULES | REFUSED)[name]


def logit_rules(config: Mapping[str, object], sampling: Sampling) -> dict[str, object]:
    """Return what changes the logits of a reply, by the names of generation_config.json.

    A sampling with a temperature leaves the model's own settings aside; its penalties count in
    either case.
    """
    asked = dict(config) if sampling.temperature is None else {}
    asked |= {name: value for name in PENALTIES if (value := getattr(sampling, name)) is not None}
    return {name: asked[name] for name in RULES if not is_neutral(name, asked.get(name))}


def unsupported_later(sampling: Sampling) -> dict[str, str]:
    """Return the reason for each setting of a sampling that the engine does not have."""
    reasons = {}
    for name in LATER_SETTINGS:
        value = getattr(sampling, name)
        if value is None or name in PENALTIES:
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
