"""Which family a model belongs to, by its reference: judges may love their own.

A family is a maker, or a line of models under one name; a model distilled from two makers' models belongs to both.  Read off names, so a
proxy that renames its models hides their families; a family that is not known here is the model itself.
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
    r"^(?:azure|azure_ai|bedrock|vertex_ai|openrouter|http|local|together_ai|fireworks_ai|groq|nvidia_nim|github)/"
)
VARIANT = re.compile(r":(?:free|beta|nitro|floor|extended|online|thinking|exacto)$")
SIMULATED = re.compile(r"^sim/.*:family=([0-9]+)")


def families(model: str) -> frozenset[str]:
    """The families of a model reference: known makers, "sim-N" for simulated models with a family, or the model itself."""
    if (planted := SIMULATED.search(model)) is not None:
        return frozenset({f"sim-{planted[1]}"})
    name = base_name(model)
    known = (
        {
            family
            for family, names in FAMILY_PATTERNS.items()
            if names.search(SERVED_BY.sub("", name))
        }
        if not name.startswith("sim/")
        else set()
    )
    return frozenset(known or {name})


def base_name(model: str) -> str:
    """The reference in lower case without the variant under which a proxy sells it, such as ":free"."""
    return VARIANT.sub("", model.strip().lower())


@cache
def relation(judge: str, contestant: str) -> Relation:
    """What a judge is to a contestant, both model references: the same model ("contestant"), of one family, or neither."""
    one, other = (base_name(model) for model in (judge, contestant))
    if one == other or (
        not one.startswith("sim/") and one.rpartition("/")[2] == other.rpartition("/")[2]
    ):
        return "contestant"
    return "family" if families(judge) & families(contestant) else "none"
