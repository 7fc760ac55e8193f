"""What a way of decoding keeps of one reply, and how it decides the next token.

The engine asks a state before each token is drawn (ruling.py), and tells it which token the reply
has got.  A token may be asked for twice, when a step is tried again: nothing counts before
`append`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from agents.local.decoding.soft_thinking import Mixture
from arena.decoding import CertaintyStop, CkPlug, SoftThinking

InEngine = SoftThinking | CkPlug | CertaintyStop


@dataclass(frozen=True, slots=True)
class Way:
    """A way of decoding as the engine has it: with `end` in tokens, where it writes one."""

    way: InEngine
    end: tuple[int, ...] = ()

    def state(self) -> State:
        """Return the state of a reply that begins."""
        if isinstance(self.way, SoftThinking):
            return SoftState(self.way, self.end)
        if isinstance(self.way, CertaintyStop):
            return CertaintyState(self.way, self.end)
        return PlugState(self.way)


class State:
    """The state of a reply; the model's own tokens, unless a way changes them."""

    # The concept token that runs through the model in the place of the last token, if one does.
    mixture: Mixture | None = None
    # Whether the reply is to be cut off.
    is_cut = False

    def append(self, token: int, certainty: float) -> None:
        """Note the next token, and its self-certainty (nats)."""

    def measures(self) -> dict[str, float]:
        """Return what it did to the reply so far, by name."""
        return {}


class Thought(State):
    """A thought at the beginning of a reply, which ends with the tokens `end`."""

    def __init__(self, end: tuple[int, ...]) -> None:
        self.end = end
        self.is_thinking = True
        self.tokens = 0
        # How many tokens of the end have been written for the model; 0: it writes by itself.
        self.written = 0
        self._last: deque[int] = deque(maxlen=len(end))

    def append(self, token: int, certainty: float) -> None:
        """Note the next token; the thought is over where its last ones are the end."""
        if self.is_thinking:
            self.tokens += 1
            self._last.append(token)
            self.is_thinking = tuple(self._last) != self.end


class SoftState(Thought):
    """A thought in concept tokens (soft_thinking.py)."""

    def __init__(self, way: SoftThinking, end: tuple[int, ...]) -> None:
        super().__init__(end)
        self.way = way
        self._cold = 0
        self._mixed = 0
        # Of the token that is being drawn: its concept token, and its entropy.
        self._next: Mixture | None = None
        self._entropy = 0.0

    @property
    def needs_concepts(self) -> bool:
        """Whether the concept token of the next token is to be computed."""
        return self.is_thinking or self.way.cold_answer

    def next_token(self, tokens: list[int], weights: list[float], entropy: float) -> int:
        """Return the next token of the thought, for its concept token and entropy (nats).

        That is the likeliest one, or one of the end; -1 in an answer, which the model writes.
        """
        self._next = None
        self._entropy = entropy
        if not self.is_thinking:
            return -1
        if self.written or self._is_cold():
            return self.end[self.written]
        count = sum(weight > 0 for weight in weights)
        self._next = Mixture(tokens[:count], weights[:count])
        return tokens[0]

    def _is_cold(self) -> bool:
        """Whether the token that is being drawn completes a run of sure ones."""
        way = self.way
        return self._entropy < way.cold_entropy and self._cold + 1 >= way.cold_tokens

    def append(self, token: int, certainty: float) -> None:
        """Note the next token, which runs through the model as a concept token while it thinks."""
        thought = self.is_thinking
        if thought and self._next is None:
            self.written += 1
        super().append(token, certainty)
        if thought and not self.is_thinking:
            # An answer is counted anew.
            self._cold = 0
        else:
            self.is_cut = not thought and self.way.cold_answer and self._is_cold()
            self._cold = self._cold + 1 if self._entropy < self.way.cold_entropy else 0
        is_mixed = self.is_thinking and self._next is not None and len(self._next.tokens) > 1
        self.mixture = self._next if is_mixed else None
        self._mixed += is_mixed

    def measures(self) -> dict[str, float]:
        """Return the tokens of the thought, those that were mixed, and whether it ended cold."""
        return {
            "thought_tokens": float(self.tokens),
            "concept_tokens": float(self._mixed),
            "cold_stop": float(self.written > 0),
            **({"cold_answer": 1.0} if self.is_cut else {}),
        }


class CertaintyState(Thought):
    """A thought that ends once the model is sure."""

    def __init__(self, way: CertaintyStop, end: tuple[int, ...]) -> None:
        super().__init__(end)
        self._way = way
        self._window: deque[float] = deque(maxlen=way.window)

    def next_token(self) -> int:
        """Return the next token of the end once the model is sure, else -1."""
        ends = self.is_thinking and (self.written or self._is_sure())
        return self.end[self.written] if ends else -1

    def _is_sure(self) -> bool:
        way = self._way
        full = len(self._window) == way.window and self.tokens >= way.least
        return full and sum(self._window) / way.window >= way.threshold

    def append(self, token: int, certainty: float) -> None:
        """Note the next token, and how sure the model was."""
        if self.is_thinking and (self.written or self._is_sure()):
            self.written += 1
        self._window.append(certainty)
        super().append(token, certainty)

    def measures(self) -> dict[str, float]:
        """Return the tokens of the thought, and whether it was ended."""
        return {"thought_tokens": float(self.tokens), "certainty_stop": float(self.written > 0)}


class PlugState(State):
    """A reply whose context is weighed against what the model knows (ck_plug.py)."""

    def __init__(self, way: CkPlug) -> None:
        self.way = way
        self._tokens = 0
        self._adjusted = 0
        self._gains = 0.0
        self._next = (0.0, False)

    def weigh(self, gain: float, adjusted: bool) -> None:
        """Note the confidence gain (nats) of the next token, and whether it is adjusted."""
        self._next = gain, adjusted

    def append(self, token: int, certainty: float) -> None:
        """Note the next token, and whether it was adjusted."""
        gain, adjusted = self._next
        self._tokens += 1
        self._adjusted += adjusted
        self._gains += gain

    def measures(self) -> dict[str, float]:
        """Return how many tokens were adjusted, and the mean confidence gain (nats)."""
        if not self._tokens:
            return {}
        return {
            "adjusted_tokens": float(self._adjusted),
            "confidence_gain_mean": self._gains / self._tokens,
        }
