"""Measure the toy model on sums that its training never saw.

`python experiments/toy/train.py --evaluate DIR` prints the figures and keeps them in DIR.  Each is
a share of `n` questions.  Samples are drawn from the whole vocabulary, without top-k or top-p.

The exchange has the steps of LeaP ("Learning from Peers in Reasoning Models", Tongxu Luo et al.,
arXiv 2505.07787) with words of our own: eight paths are cut back to their last whole step,
summarise (greedily), read the summaries of three peers, and go on.  They are compared with the
same eight beginnings continued alone.
"""

from __future__ import annotations

import copy
import datetime
import json
import platform
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import tokenizers
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.toy.language import BREAK, IDS, NOTHING
from agents.toy.problems import sums
from arena.types import Subject
from experiments.toy.lessons import RESULT, SLIPS, STEPS, UNITS, format_value, near, summary, think

# One sample is right about three times in five here, the majority of sixteen nearly always.
TEMPERATURE = 1.7
TEMPERATURES = (1.0, 1.4, TEMPERATURE, 2.0)
# The tokenizer drops every word of these that is not of the toy's language (language.py), as it
# drops those of any protocol.  The toy reads the tags, sums and boxes alone.
LEAD_SAYS = "Up to here my results are: "
LEAD = f"\n\nBefore I go on, let me write down how far I am. <summarize> {LEAD_SAYS}"
REFLECT = "\n\nNow that I have read my peers, let me check where we differ and go on from there."
EXAMPLE = (
    " Think in steps, and put the result within \\boxed{}. For example: two crates hold 21 and 49"
    " apples. <summarize> So far, 21+49=70 </summarize>"
    ' <comment> Peer 1: "I get \\boxed{63}" Peer 2: "21+49=70" </comment>'
    "\n\nThe result is \\boxed{70}."
)
# Rows of one batch, which bounds the memory that a call takes.
ROWS = 256

Ids = list[int]
Scores = dict[str, float | int]


class Toy:
    """A model folder as transformers loads it, with the few operations that the figures need."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def prompt(self, text: str, answer: str = "") -> Ids:
        """Return the token ids of a question, followed by the beginning of its answer."""
        chat = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False
        )
        return self.tokenizer.encode(chat) + self.tokenizer.encode(answer)

    def generate(
        self, rows: Sequence[Ids], *, tokens: int = 96, temperature: float = 0.0
    ) -> list[Ids]:
        """Return the up to `tokens` tokens after each row, end token included.

        Temperature 0 is greedy; else tokens are drawn from torch's global random stream.
        """
        replies: list[Ids] = []
        for start in range(0, len(rows), ROWS):
            # Padded on the left, so that every row of the batch goes on at the same column.
            batch = self.tokenizer.pad(
                {"input_ids": list(rows[start : start + ROWS])}, return_tensors="pt"
            )
            settings = copy.deepcopy(self.model.generation_config)
            settings.update(
                max_new_tokens=tokens, do_sample=temperature > 0, temperature=temperature or 1.0
            )
            with torch.inference_mode():
                out = self.model.generate(
                    batch["input_ids"],
                    attention_mask=batch["attention_mask"],
                    generation_config=settings,
                )
            new = out[:, batch["input_ids"].shape[1] :].tolist()
            replies += [self.truncate_at_end(row) for row in new]
        return replies

    def truncate_at_end(self, row: Ids) -> Ids:
        """Return a row up to its end token, which stays; the whole row without one."""
        end = self.tokenizer.eos_token_id
        return row[: row.index(end) + 1] if end in row else row

    def summarise(self, rows: Sequence[Ids]) -> list[Ids]:
        """Return the summary after each row, which ends in an open <summarize>.

        The closing tag stays; a summary of 12 tokens without one is returned as it is.
        """
        close = IDS["</summarize>"]
        return [
            row[: row.index(close) + 1] if close in row else row
            for row in self.generate(rows, tokens=12)
        ]

    def text(self, row: Ids) -> str:
        """Return a row as text, without end and padding."""
        return self.tokenizer.decode(row, skip_special_tokens=True)


def boxed_answer(text: str) -> str | None:
    """Return the number in the last closed box, without leading zeros; None without a box."""
    boxes = re.findall(r"\\boxed\{([0-9]+)\}", text)
    return boxes[-1].lstrip("0") or "0" if boxes else None


def share(hits: Sequence[bool]) -> float:
    """Return the share of hits in [0, 1], to four decimals."""
    return round(sum(hits) / len(hits), 4)


def numbers(question: Subject) -> tuple[int, int, int]:
    """Return the three numbers of a question."""
    a, b, c = re.findall("[0-9]+", question.text)
    return int(a), int(b), int(c)


def majority(answers: Sequence[str | None]) -> str | None:
    """Return the most frequent readable answer, of equals the first; None without any."""
    votes = Counter(answer for answer in answers if answer is not None)
    return next((answer for answer, _ in votes.most_common(1)), None)


def single_and_majority(
    answers: Sequence[Sequence[str | None]], gold: Sequence[str], size: int
) -> dict[str, float]:
    """Return the accuracy of single answers, and of the majority of the first `size`."""
    single = [answer == right for row, right in zip(answers, gold, strict=True) for answer in row]
    voted = [majority(row[:size]) == right for row, right in zip(answers, gold, strict=True)]
    return {"single": share(single), f"majority of {size}": share(voted)}


def exact_share(
    toy: Toy, rows: Sequence[Ids], expected: Sequence[str | None], *, name: str = "accuracy"
) -> Scores:
    """Return the share of rows that go on (greedily) to the expected answer."""
    answers = [boxed_answer(toy.text(row)) for row in toy.generate(rows)]
    hits = [answer == right for answer, right in zip(answers, expected, strict=True)]
    return {name: share(hits), "n": len(rows)}


def greedy_accuracy(toy: Toy, n: int) -> Scores:
    """Return the accuracy at temperature 0."""
    questions = sums(n)
    rows = [toy.prompt(question.text) for question in questions]
    return exact_share(toy, rows, [question.gold for question in questions])


def sampled_accuracy(toy: Toy, temperature: float, n: int, samples: int = 16) -> Scores:
    """Return the accuracy of one sample, and of the majority of 8 and of all samples."""
    questions = sums(n)
    rows = toy.generate(
        [toy.prompt(question.text) for question in questions for _ in range(samples)],
        temperature=temperature,
    )
    answers = [boxed_answer(toy.text(row)) for row in rows]
    # One row a question, one column a sample.
    table = [answers[start : start + samples] for start in range(0, len(answers), samples)]
    gold = [question.gold or "" for question in questions]
    return {
        **single_and_majority(table, gold, 8),
        **single_and_majority(table, gold, samples),
        "n": n,
        "samples": samples,
    }


def cut_back(row: Ids) -> Ids:
    """Drop the last step of a thought, which may be unfinished, and the blank line before it."""
    breaks = [place for place, token in enumerate(row) if token == IDS[BREAK]]
    return row[: breaks[-1]] if breaks else []


def expected_summary(text: str) -> str:
    """Return the right summary of a thought: its last sum of units or of tens, or its result."""
    known = re.findall(r"(?:^|\n\n)([ut][0-9]+|\\boxed\{[0-9]+\})(?=\n\n|$)", text)
    return known[-1] if known else NOTHING


def summary_accuracy(toy: Toy, n: int, temperature: float, seed: int = 0) -> Scores:
    """Return how often a summary is right, for thoughts that are cut at a random place."""
    rng = random.Random(seed)
    prompts = [toy.prompt(question.text) for question in sums(n)]
    thoughts = [
        cut_back(row[: rng.randint(1, 50)])
        for row in toy.generate(prompts, temperature=temperature)
    ]
    contexts = [
        prompt + thought + toy.tokenizer.encode(LEAD)
        for prompt, thought in zip(prompts, thoughts, strict=True)
    ]
    summaries = [toy.text(row) for row in toy.summarise(contexts)]
    expected = [f"{expected_summary(toy.text(thought))}</summarize>" for thought in thoughts]
    hits = [summary == right for summary, right in zip(summaries, expected, strict=True)]
    return {"exact": share(hits), "n": n}


def comments(words: Sequence[str]) -> str:
    """Return the text in which a path reads the summaries of its peers."""
    shown = "\n".join(
        f'Peer {index}: "{LEAD_SAYS}{word}"' for index, word in enumerate(words, start=1)
    )
    return f" <comment> {shown or 'No comments'} </comment>{REFLECT}"


def contexts_after_block(
    toy: Toy, prompts: Sequence[Ids], thoughts: Sequence[Ids], peers: int
) -> list[Ids]:
    """Return the context of each path of one question after a block of summary and comments.

    A path that has ended takes no part, and its context stays as it is.
    """
    end = toy.tokenizer.eos_token_id
    active = [index for index, row in enumerate(thoughts) if end not in row]
    own = {
        index: prompts[index] + cut_back(thoughts[index]) + toy.tokenizer.encode(LEAD)
        for index in active
    }
    words = dict(zip(active, toy.summarise(list(own.values())), strict=True))
    out = [prompt + row for prompt, row in zip(prompts, thoughts, strict=True)]
    for place, index in enumerate(active):
        # The next paths in a circle, so that every summary is read equally often.
        shown = [
            active[(place + step) % len(active)]
            for step in range(1, min(peers, len(active) - 1) + 1)
        ]
        text = comments([toy.text(words[other]).removesuffix("</summarize>") for other in shown])
        out[index] = own[index] + words[index] + toy.tokenizer.encode(text)
    return out


def final_answers(
    toy: Toy, contexts: Sequence[Ids], begun: Sequence[Ids], temperature: float
) -> list[str | None]:
    """Return the answers of paths that go on from these contexts to their end.

    An answer is read from the path's own words alone, never from a peer's.
    """
    active = [index for index, row in enumerate(begun) if toy.tokenizer.eos_token_id not in row]
    rest = dict(
        zip(
            active,
            toy.generate([contexts[index] for index in active], temperature=temperature),
            strict=True,
        )
    )
    return [boxed_answer(toy.text(row + rest.get(index, []))) for index, row in enumerate(begun)]


def exchange_accuracy(
    toy: Toy, temperature: float, cut: int, n: int, *, paths: int = 8, peers: int = 3
) -> Scores:
    """Return the accuracy with and without one LeaP block after `cut` tokens.

    Both arms go on from the same beginnings.
    """
    # Another seed than that of the other figures, so that the exchange has questions of its own.
    questions = sums(n, seed=1)
    prompts = [toy.prompt(question.text) for question in questions for _ in range(paths)]
    begun = toy.generate(prompts, tokens=cut, temperature=temperature)
    alone = [prompt + row for prompt, row in zip(prompts, begun, strict=True)]
    together: list[Ids] = []
    for start in range(0, len(prompts), paths):
        together += contexts_after_block(
            toy, prompts[start : start + paths], begun[start : start + paths], peers
        )
    gold = [question.gold or "" for question in questions]
    result: Scores = {"n": n, "paths": paths, "peers": peers}
    for name, contexts in (("alone", alone), ("with peers", together)):
        answers = final_answers(toy, contexts, begun, temperature)
        table = [answers[start : start + paths] for start in range(0, len(answers), paths)]
        result |= {
            f"{key}, {name}": value
            for key, value in single_and_majority(table, gold, paths).items()
        }
    return result


def instructed_accuracy(toy: Toy, n: int) -> Scores:
    """Return the greedy accuracy with EXAMPLE, about other numbers, after the question."""
    questions = sums(n)
    rows = [toy.prompt(question.text + EXAMPLE) for question in questions]
    return exact_share(toy, rows, [question.gold for question in questions])


def choice_accuracy(toy: Toy, n: int, seed: int = 0) -> Scores:
    """Return how often the most frequent of five candidates is given.

    In a third of the questions the most frequent one is a wrong result.
    """
    rng = random.Random(seed)
    texts: list[str] = []
    best: list[str] = []
    for question in sums(n):
        right = int(question.gold or 0)
        most = right if rng.random() < 2 / 3 else near(rng, right)
        candidates = [most] * 3 + [near(rng, right), right if most != right else near(rng, right)]
        rng.shuffle(candidates)
        texts.append(
            question.text
            + " These were the answers:\n"
            + "\n".join(format_value(RESULT, candidate) for candidate in candidates)
        )
        best.append(str(most))
    rows = [toy.prompt(text) for text in texts]
    return exact_share(toy, rows, best, name="most frequent")


def peer_accuracy(toy: Toy, n: int, *, own_slips: bool, peers_wrong: int, seed: int = 0) -> Scores:
    """Return the greedy accuracy after a block at the sum of the units, with three peers.

    `peers_wrong` of the three say a wrong sum; `own_slips`: the thought itself has a slip.
    """
    rng = random.Random(seed)
    questions = sums(n)
    contexts: list[Ids] = []
    for question in questions:
        values: dict[int, int] = {}
        thought = BREAK.join(
            think(
                numbers(question),
                values,
                0,
                UNITS + 1,
                {rng.randrange(2): rng.choice(SLIPS)} if own_slips else {},
            )
        )
        right: dict[int, int] = {}
        think(numbers(question), right, 0, STEPS)
        words = [
            format_value(UNITS, near(rng, right[UNITS]) if index < peers_wrong else right[UNITS])
            for index in range(3)
        ]
        rng.shuffle(words)
        written = f"{summary(values)}</summarize>"
        contexts.append(
            toy.prompt(question.text, thought)
            + toy.tokenizer.encode(LEAD + written + comments(words))
        )
    return exact_share(toy, contexts, [question.gold for question in questions])


def versions() -> dict[str, str]:
    """Return the versions of the libraries that the figures depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
    }


def evaluate(folder: Path, n: int = 300) -> dict[str, object]:
    """Return all figures of the model in a folder, and write them into its accuracy.json.

    It takes a minute or two on one core.
    """
    # Sampling draws from torch's global stream: figures repeat only if they are computed in this
    # order, on one thread.
    torch.set_num_threads(1)
    torch.manual_seed(0)
    toy = Toy(folder)
    file = folder / "accuracy.json"
    figures: dict[str, object] = {
        "measured": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "training": json.loads(file.read_text())["training"] if file.is_file() else None,
        "versions": versions(),
        "temperature": TEMPERATURE,
        "greedy": greedy_accuracy(toy, n),
        "greedy, with an instruction's example in the prompt": instructed_accuracy(toy, n),
        **{f"sampled at {heat}": sampled_accuracy(toy, heat, 100) for heat in TEMPERATURES},
        "summaries of greedy thoughts": summary_accuracy(toy, n, 0.0),
        f"summaries of thoughts sampled at {TEMPERATURE}": summary_accuracy(toy, n, TEMPERATURE),
        **{
            f"exchange at {TEMPERATURE} after {cut} tokens": exchange_accuracy(
                toy, TEMPERATURE, cut, 150
            )
            for cut in (16, 20, 24)
        },
        "own units right, three peers right": peer_accuracy(toy, n, own_slips=False, peers_wrong=0),
        "own units right, one of three peers wrong": peer_accuracy(
            toy, n, own_slips=False, peers_wrong=1
        ),
        "own units wrong, three peers right": peer_accuracy(toy, n, own_slips=True, peers_wrong=0),
        "own units wrong, one of three peers wrong": peer_accuracy(
            toy, n, own_slips=True, peers_wrong=1
        ),
        "most frequent of five candidates": choice_accuracy(toy, n),
    }
    file.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def format_scores(figures: Mapping[str, object]) -> str:
    """Return the figures as lines: a name, then each share with its number of cases."""
    rows = [
        (
            name,
            ", ".join(f"{key} {value}" for key, value in row.items())
            if isinstance(row, dict)
            else row,
        )
        for name, row in figures.items()
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {row}" for name, row in rows)
