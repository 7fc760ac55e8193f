"""The tables of the ledger, as data: calls that were sent, and how each of them ended."""

from __future__ import annotations

from arena.store.schema_annotations import TableSchema

CALL_KEY = ("episode", "seat", "step", "ask", "run", "attempt")
CALL_PLACE = {
    "episode": ("VARCHAR", "the play this call belongs to"),
    "seat": ("VARCHAR", "who was asked"),
    "step": ("INTEGER", "the seat's own counter, from 0"),
    "ask": ("INTEGER", "0, or 1 for the re-ask"),
    "run": ("VARCHAR", "the run that made the call"),
    "attempt": ("INTEGER", "0 for the first try of this ask within the run"),
    "started_at": ("TIMESTAMP", "UTC, when it was sent"),
    "sent": (
        "JSON",
        "the settings sent with model and messages, in the provider's words;"
        " NULL: the model does not report them",
    ),
    "worst_usd": (
        "DOUBLE",
        "dollars that the call could cost at most; NULL: no price, or no limit on the reply",
    ),
    "batch": (
        "VARCHAR",
        "the batch that it was sent in (see the view batches); NULL: a call of its own",
    ),
}

CALLS: dict[str, TableSchema] = {
    "call_starts": TableSchema(
        "One row is a call that was sent; one without an end has status unknown in the view calls",
        CALL_KEY,
        CALL_PLACE,
    ),
    "call_ends": TableSchema(
        "One row is how a call ended (see the view calls)",
        CALL_KEY,
        {
            **CALL_PLACE,
            "status": (
                "VARCHAR",
                "ok, failed, cancelled, or cached: taken from an earlier study, nothing was sent",
            ),
            "error_kind": ("VARCHAR", "class of the error; NULL when ok"),
            "error": ("VARCHAR", "the error in words; NULL when ok"),
            "http_status": ("INTEGER", "NULL: there was no HTTP response"),
            "tokens_in": ("BIGINT", "prompt tokens; NULL: the provider did not report them"),
            "tokens_cached": ("BIGINT", "prompt tokens that a cache served"),
            "tokens_out": ("BIGINT", "generated tokens, reasoning included"),
            "tokens_reasoning": ("BIGINT", "generated reasoning tokens"),
            "cost_usd": ("DOUBLE", "dollars; NULL: unknown, not zero"),
            "cost_source": (
                "VARCHAR",
                "source of the cost: the provider, a price table, by hand, ...; NULL: unknown",
            ),
            "latency_s": ("DOUBLE", "seconds from sending to the complete reply"),
            "queued_s": ("DOUBLE", "seconds the call waited for its turn"),
            "finish_reason": ("VARCHAR", "stop, length, ... in the provider's words"),
            "tokens_prefilled": (
                "BIGINT",
                "prompt tokens that a local model computed; it reused the others from a cache",
            ),
            "decode_steps": ("BIGINT", "steps in which a local model decoded"),
            "cached_from": ("VARCHAR", "the episode that the reply comes from; NULL: a new reply"),
            "tokens_cache_written": (
                "BIGINT",
                "prompt tokens that were written to the provider's cache; NULL: it did not say",
            ),
            "tokens_cache_written_long": (
                "BIGINT",
                "of these, tokens to be kept for longer than the provider's shortest time (an hour"
                " at Anthropic, 12 hours at OpenAI); NULL: it did not say",
            ),
            "cache_saved_usd": (
                "DOUBLE",
                "dollars that the cache saved: what the prompt would have cost without it, minus"
                " what it cost; below 0 where writing cost more; NULL: no price, or no counts",
            ),
            "prompt_bytes": (
                "BIGINT",
                "bytes of the prompt's messages in UTF-8; NULL: by an older version, or an import",
            ),
        },
    ),
    # Written before a batch is sent, with its calls: a process that dies on the way leaves a key by
    # which the next one finds the batch at the provider.
    "batch_plans": TableSchema(
        "One row is a batch of calls as it was written down before it was sent",
        ("batch",),
        {
            "batch": ("VARCHAR", "our key of the batch, which the provider is given with it"),
            "run": ("VARCHAR", "the run that sent it"),
            "study": ("VARCHAR", "the study that it was sent for"),
            "model": ("VARCHAR", "the model that was asked, without address or key"),
            "lines": ("INTEGER", "calls in it"),
            "bytes": ("BIGINT", "bytes of its lines"),
            "sha256": ("VARCHAR", "sha256 of its lines"),
            "planned_at": ("TIMESTAMP", "UTC, when it was written down"),
        },
    ),
    "batch_states": TableSchema(
        "One row is a state in which a batch was found; the latest counts (see the view batches)",
        ("batch", "seen_at"),
        {
            "batch": ("VARCHAR", "our key of the batch"),
            "provider_id": ("VARCHAR", "the provider's id of it; NULL: it has none yet"),
            "state": ("VARCHAR", "in the provider's words; never created, or forgotten, in ours"),
            "succeeded": ("INTEGER", "lines that were answered; NULL: the provider did not say"),
            "failed": ("INTEGER", "lines that failed; NULL: the provider did not say"),
            "error": ("VARCHAR", "why the whole batch failed; NULL: it did not"),
            "seen_at": ("TIMESTAMP", "UTC, when it was found so"),
        },
    ),
}
