"""Tell the family of a model by its reference, since judges may prefer their own.

A family is a maker, or a line of models under one name; a model distilled from two makers' models
belongs to both.  Families are read off names, so that a proxy that renames its models hides them; a
model of no family that is listed here is a family of its own.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

Relation = Literal["none", "family", "contestant"]
FAMILIES = {
    "anthropic": r"claude|anthropic",
    "openai": r"gpt|chatgpt|o[1345](?![0-9a-z])|davinci|openai",
    "google": r"gemini|gemma|palm|bison|google",
    "meta": r"llama|meta",
    "qwen": r"qwen|qwq|qvq|tongyi",
    "deepseek": r"deepseek",
    "mistral": r"mistral|mixtral|magistral|codestral|ministral|pixtral|devstral|mistralai",
    "xai": r"grok|xai",
    "cohere": r"command|cohere|aya",
    "microsoft": r"phi|microsoft",
    "amazon": r"nova|titan",
    "nvidia": r"nemotron",
    "zhipu": r"glm|zhipu|zai",
    "moonshot": r"kimi|moonshotai",
    "minimax": r"minimax",
    "01": r"yi",
    "olmo": r"olmo|tulu",
    "falcon": r"falcon",
}
# A name is a word or the beginning of one ("llama3"), never the middle ("graphic" is no phi).
FAMILY_PATTERNS = {
    family: re.compile(rf"(?<![a-z0-9])(?:{names})(?![a-z])") for family, names in FAMILIES.items()
}
# Who serves a model is not who made it.
SERVED_BY = re.compile(
    r"^(?:azure|azure_ai|bedrock|vertex_ai|openrouter|http|local|together_ai|fireworks_ai|groq"
    r"|nvidia_nim|github)/"
)
VARIANT = re.compile(r":(?:free|beta|nitro|floor|extended|online|thinking|exacto)$")
SIMULATED = re.compile(r"^sim/.*:family=([0-9]+)")


def families(model: str) -> frozenset[str]:
    """Return the families of a model reference.

    Known makers, "sim-N" for simulated models with a family, or the model itself.
    """
    if (planted := SIMULATED.search(model)) is not None:
        return frozenset({f"sim-{planted[1]}"})
    name = base_name(model)
    # The other options of a simulated model are no names of makers.
    made_by = "" if name.startswith("sim/") else SERVED_BY.sub("", name)
    known = {family for family, names in FAMILY_PATTERNS.items() if names.search(made_by)}
    return frozenset(known or {name})


def base_name(model: str) -> str:
    """Return the reference in lower case, without a proxy's variant such as ":free"."""
    return VARIANT.sub("", model.strip().lower())


@cache
def relation(judge: str, contestant: str) -> Relation:
    """Return how a judge is related to a contestant, both model references.

    The same model ("contestant"), of one family ("family"), or neither ("none").
    """
    name, other = (base_name(model) for model in (judge, contestant))
    # One model under two servers is one model; simulated models differ by their whole reference.
    if name == other or (
        not name.startswith("sim/") and name.rpartition("/")[2] == other.rpartition("/")[2]
    ):
        return "contestant"
    return "family" if families(judge) & families(contestant) else "none"
