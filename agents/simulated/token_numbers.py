"""Give simulated solvers token probabilities with a known truth.

The token that holds the answer has the solver's own probability of that answer (solver.py), and its
alternatives are the other candidates; every other token is nearly certain.  So the least likely
token of a reply says exactly how sure the solver was.  Of choices, the numbers of candidates have
their chances, and True and False the chance that a possible answer is right, as it is stated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from agents.simulated.replies import CHARACTERS_A_TOKEN, STATEMENT, count_tokens
from arena.errors import RefusedError
from arena.types import Alternative, Reply, Request, TokenChoice

# Tokens besides the answer have log probabilities between this and 0.
LEAST_CERTAIN = -0.05
# No probability is 0 or 1, so that every logarithm is finite.
SMALLEST = 1e-6
ANOTHER = "…"


def token_choices(
    text: str, chance: Mapping[str, float], draw: Callable[[int], float], count: int
) -> tuple[TokenChoice, ...]:
    """Return the tokens of a reply with `count` alternatives each.

    `chance` has the probability of each candidate; `draw(i)` in (0, 1) decides the log probability
    of token i.
    """
    pieces = [
        text[start : start + CHARACTERS_A_TOKEN]
        for start in range(0, len(text), CHARACTERS_A_TOKEN)
    ]
    tokens = [
        token_choice({piece: math.exp(LEAST_CERTAIN * draw(number))}, piece, count)
        for number, piece in enumerate(pieces)
    ]
    stated = [match for match in STATEMENT.finditer(text)]
    if stated:
        group = "marked" if stated[-1]["marked"] else "box"
        start, answer = stated[-1].start(group), str(int(stated[-1][group]))
        if answer in chance:
            number, offset = divmod(start, CHARACTERS_A_TOKEN)
            # The other candidates as they would stand in this token.
            before, size = pieces[number][:offset], CHARACTERS_A_TOKEN
            shares = {pieces[number]: chance[answer]}
            for other in chance:
                token = (before + other)[:size]
                if other != answer:
                    shares[token] = shares.get(token, 0.0) + chance[other]
            tokens[number] = token_choice(shares, pieces[number], count)
    return tuple(tokens)


def token_choice(shares: dict[str, float], token: str, count: int) -> TokenChoice:
    """Return a token with its `count` likeliest alternatives; what is left is one more token."""
    rest = 1 - math.fsum(shares.values())
    if rest > SMALLEST:
        shares = {**shares, ANOTHER: rest}
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:count]
    alternatives = tuple(Alternative(name, logarithm(share)) for name, share in ranked)
    return TokenChoice(token, logarithm(shares[token]), alternatives)


def logarithm(share: float) -> float:
    """Return the natural logarithm of a probability, kept from 0."""
    return math.log(min(max(share, SMALLEST), 1.0))


def choice_reply(name: str, request: Request, shares: Mapping[str, float]) -> Reply:
    """Return the likeliest of a request's choices; raise RefusedError for one without a chance.

    The measures hold the log probability of each, and its probability among the choices.
    """
    choices = request.sampling.choices
    if unknown := [choice for choice in choices if choice.strip() not in shares]:
        raise RefusedError(
            f"{name} knows no probability of {unknown[0]!r}: its choices are True and False for a"
            " possible answer, or numbers that it may answer",
            sent=False,
        )
    given = {choice: max(shares[choice.strip()], SMALLEST) for choice in choices}
    total = math.fsum(given.values())
    measures = {f"logprob of {choice}": math.log(share) for choice, share in given.items()}
    measures |= {f"probability of {choice}": share / total for choice, share in given.items()}
    return Reply(
        max(given, key=lambda choice: given[choice]),
        model_served=name,
        finish_reason="options",
        tokens_in=count_tokens(sum(len(message.content) for message in request.messages)),
        tokens_out=0,
        measures=measures,
    )
