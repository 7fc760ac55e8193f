r"""The toy model's language, and the tokenizer that drops everything else.

A thought is `7+8=15`, `15+5=20`, `u20`, `3+4=7`, `7+2=9`, `9+2=11`, `t11`, `\boxed{110}`, with
blank lines between: the units, their sum, the tens with the carry, their sum, and the result.  The
model also knows the tags of summaries and comments, `Peer 3:` (whatever the number), `</think>`,
and `nothing is known yet`.

Everything else in a prompt is dropped before the model sees it.  A digit counts only in a sum,
after u or t, or in a box; a blank line counts only between two steps.  So the prompts of a
protocol, written for large models, work unchanged.
"""

from __future__ import annotations

import re

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

PAD = "<|pad|>"
END = "<|end|>"
QUESTION = "<|question|>"
ANSWER = "<|answer|>"
NOTHING = "nothing is known yet"
BREAK = "\n\n"
WORDS = (
    "<summarize>",
    "</summarize>",
    "<comment>",
    "</comment>",
    "</think>",
    "Peer N:",
    NOTHING,
    "\\boxed{",
    BREAK,
)
VOCABULARY = (PAD, END, QUESTION, ANSWER, *WORDS, *"}+=ut0123456789")
IDS = {token: index for index, token in enumerate(VOCABULARY)}

# The pieces of a text that the model sees.  `\z` lets a thought that was cut anywhere be read back:
# "7+", "u", an open box.  The lookarounds keep words and numbers such as "t2x" or "v2" out.
PIECES = "|".join(
    (
        r"</?summarize>|</?comment>|</think>|Peer N:|nothing is known yet",
        r"\\boxed\{(?:[0-9]+\}?|\z)",
        r"(?<![0-9A-Za-z_])[ut][0-9]+(?![0-9A-Za-z_])",
        r"(?<![0-9A-Za-z_])[0-9]+(?:\+[0-9]+)+(?:=[0-9]+|=\z|\+\z)?",
        r"(?<=\n\n)(?:[ut]|[0-9]+\+?)\z|\A(?:[ut]|[0-9]+\+?)\z",
        r"(?<=[0-9}])\n\n(?=[0-9]+(?:\+|\z)|[ut](?:[0-9]|\z)|\\boxed\{|\z)",
    )
)
# The tokens that a piece is cut into.
TOKENS = "|".join((*map(re.escape, WORDS), "[0-9+=ut}]"))

TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'assistant' -%}{{ '<|answer|>' + message.content + '<|end|>' }}"
    "{%- else -%}{{ '<|question|>' + message.content }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|answer|>' }}{%- endif -%}"
)


def ids(text: str) -> list[int]:
    """Return the token ids of a text that holds nothing but the language.

    They are those of the tokenizer; training needs no tokenizer this way.
    """
    return [IDS[token] for token in re.findall(rf"<\|\w+\|>|{TOKENS}", text)]


def tokenizer() -> PreTrainedTokenizerFast:
    """Return the tokenizer with its chat template.

    It is what `AutoTokenizer.from_pretrained` loads from the folder of the weights.
    """
    # No text reaches the unknown token: the pre-tokenizer lets only pieces of the language through.
    inner = Tokenizer(WordLevel(IDS, unk_token=PAD))
    inner.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex("Peer [0-9]+:"), "Peer N:"),
            # "37 + 48 = 85" is read like "37+48=85".
            normalizers.Replace(Regex(r"(?<=[0-9]) +(?=[+=] *[0-9])"), ""),
            normalizers.Replace(Regex(r"(?<=[0-9][+=]) +(?=[0-9])"), ""),
        ]
    )
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            # Inverted: the pieces stay, and all between them is removed.
            pre_tokenizers.Split(Regex(PIECES), behavior="removed", invert=True),
            pre_tokenizers.Split(Regex(TOKENS), behavior="isolated"),
        ]
    )
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[QUESTION, ANSWER],
        chat_template=TEMPLATE,
        padding_side="left",
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )
