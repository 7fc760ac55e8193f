"""The tables of a store, as data.  Names and columns are a promise to users; each has a comment.

A journal line is one row of one base table, with the table's name under "t".  Folding inserts each
row once, by its key.  The views on these tables are in `arena/store/views`.
"""

from __future__ import annotations

from arena.store.schema_annotations import ANNOTATIONS, TableSchema
from arena.store.schema_calls import CALLS
from arena.store.schema_scores import PARENT_COLUMNS, SCORES

# The version of the tables.  Views need none: `store_info` holds a hash of their texts.
SCHEMA_VERSION = 12

LOGPROBS = (
    "STRUCT(token VARCHAR, logprob DOUBLE, alternatives STRUCT(token VARCHAR, logprob DOUBLE)[])[]"
)
PROMPT = "STRUCT(text VARCHAR, episode VARCHAR, seat VARCHAR, step INTEGER, face VARCHAR)[]"
PREFILL = PROMPT.removesuffix(")[]") + ', "end" INTEGER)[]'
CONFIDENCE_SOURCE = (
    "VARCHAR",
    "what kind of number the confidence is: stated (in words or digits), stake, scored (paid by a"
    " scoring rule that the model was told), vote share, probability (of tokens), ...; NULL:"
    " unknown, or there is none",
)
TURN_COLUMNS = {
    "episode": ("VARCHAR", "the play this turn belongs to"),
    "seat": ("VARCHAR", "who spoke: a seat's name"),
    "step": ("INTEGER", "the seat's own counter, from 0"),
    "phase": ("VARCHAR", "opening, rebuttal, closing, ... in the protocol's words"),
    "round": ("INTEGER", "position of the phase, from 0"),
    "asks": ("INTEGER", "1, or 2 if something was unreadable and was asked again"),
    "text": ("VARCHAR", "the raw reply to the first ask"),
    "reasoning": ("VARCHAR", "reasoning text that the provider returned separately; NULL: none"),
    "reask_prompt": ("VARCHAR", "the re-ask, in the same conversation; NULL: none"),
    "reask_text": ("VARCHAR", "the raw reply to the re-ask; NULL: nothing was asked again"),
    "public": ("VARCHAR", "text that others may read; NULL: no readable speech"),
    "thoughts": ("VARCHAR", "private thoughts; NULL: none were given"),
    "confidence": ("DOUBLE", "stated confidence in [0, 1]; NULL: see confidence_status"),
    "confidence_status": ("VARCHAR", "read, not asked, or the reason why there is no confidence"),
    "rating_public": ("BOOLEAN", "whether the author was told that others see the rating"),
    "answer": ("VARCHAR", "the answer read from the reply; NULL: none"),
    "flags": ("VARCHAR[]", "doubts about this turn, in words"),
    "request_hash": ("VARCHAR", "sha256 of the first request, with its seed; NULL for imports"),
    "prompt": (PROMPT, "user message in parts: text, or a turn's key and face; NULL for imports"),
    "seed": ("BIGINT", "seed of the first ask; NULL for imports"),
    "model_served": ("VARCHAR", "the model's name as the provider gave it"),
    "token_ids": ("INTEGER[]", "generated token ids (local models)"),
    "started_at": ("TIMESTAMP", "UTC; NULL for imports"),
    "ended_at": ("TIMESTAMP", "UTC; NULL for imports"),
    "logprobs": (LOGPROBS, "tokens of the first reply with natural log probabilities; NULL: none"),
    "sample_key": (
        "VARCHAR",
        "sha256 of the first request without its seed, and of the sample it belongs to;"
        " --cache looks for it",
    ),
    "finish_reason": (
        "VARCHAR",
        "how the first reply ended: stop, length, ... in the provider's words; NULL: unknown",
    ),
    # Derived when lines are read: to count missing texts, no query then has to read all texts.
    "public_status": ("VARCHAR", "read, or the reason why there is no public text"),
    "prefill": (
        PREFILL,
        "text that the reply had to continue, in parts as in prompt, up to `end` characters of a"
        " turn; NULL: none",
    ),
    "confidence_source": CONFIDENCE_SOURCE,
    "fingerprint": (
        "VARCHAR",
        "the provider's word for the configuration that served model_served, such as OpenAI's"
        " system_fingerprint; NULL: none",
    ),
    "roles": (
        "VARCHAR[]",
        "of a chat: the role, user or assistant, of each part of `prompt`; parts of one role that"
        " follow each other are one message; NULL: one user message",
    ),
    "images": (
        "VARCHAR[]",
        "images in the prompt, by hash: one for each part of `prompt` whose face is image, in"
        " order; NULL: none",
    ),
    "reasoning_source": (
        "VARCHAR",
        "who wrote `reasoning`: model, or summary (of it, by another model of the provider); NULL:"
        " unknown, or there is none",
    ),
}
# The columns of a turn that its reader gives.
READING_COLUMNS = (
    "public",
    "thoughts",
    "confidence",
    "confidence_status",
    "answer",
    "flags",
    "confidence_source",
)
RULING_COLUMNS = {
    "episode": ("VARCHAR", "the judging"),
    "debate": ("VARCHAR", "the debate's episode"),
    "judge": ("VARCHAR", "the judge: its agent's name, by default its model reference"),
    "seat_order": ("VARCHAR", "the order in which the judge read the sides"),
    "repeat": ("INTEGER", "0 for the judge's first reading"),
    "winner": ("VARCHAR", "proposition, opposition or abstain; NULL: see status"),
    "confidence": ("DOUBLE", "the judge's confidence in [0, 1]; NULL: see status"),
    "reasons": ("VARCHAR", "the judge's reasons, which are not private"),
    "status": ("VARCHAR", "read, or the reason why not, or a doubt"),
}
ANSWER_COLUMNS = {
    "episode": ("VARCHAR", "the play"),
    "seat": ("VARCHAR", "who answered"),
    "answer": ("VARCHAR", "the answer; NULL: unreadable"),
    "correct": ("BOOLEAN", "NULL: unknown, see status"),
    "confidence": ("DOUBLE", "in [0, 1]; NULL: none"),
    "final": ("BOOLEAN", "whether it is the episode's answer"),
    "stage": ("INTEGER", "0 for the seat's first answer, 1 for its second, ..."),
    "status": (
        "VARCHAR",
        "graded, or the reason why correct is NULL: no answer, no gold answer, ...",
    ),
    "canonical": ("VARCHAR", "the answer's value, by which votes are counted"),
    "confidence_source": CONFIDENCE_SOURCE,
}
READ_AT = ("TIMESTAMP", "UTC, when it was read anew; the latest counts")
READER_VERSION = (
    "VARCHAR",
    "a hash of the code that read it anew and graded it; NULL: as it was read when it was played",
)


TABLES: dict[str, TableSchema] = {
    "runs": TableSchema(
        "One row is one run of a study: a process that played it for a while, or an import",
        ("run",),
        {
            "run": ("VARCHAR", "id of the run; its journals carry it in their names"),
            "study": ("VARCHAR", "the study that was played"),
            "origin": ("VARCHAR", "played, or the source of an import"),
            "simulated": ("BOOLEAN", "whether simulated or scripted models speak in it"),
            "planned": ("INTEGER", "how many episodes the study has; NULL for imports"),
            "git_commit": ("VARCHAR", "commit of the working folder; NULL outside git"),
            "versions": ("JSON", "versions of Python and of the packages that matter"),
            "host": ("VARCHAR", "machine"),
            "pid": ("INTEGER", "process"),
            "started_at": ("TIMESTAMP", "UTC"),
            "estimate": (
                "JSON",
                "calls, tokens and dollars that the run was expected to take, by model;"
                " NULL: no estimate was possible",
            ),
            "budget_usd": ("DOUBLE", "the budget of the run; NULL: none"),
        },
    ),
    "plays": TableSchema(
        "One row is one play of a protocol, without its status (see the view episodes)",
        ("episode",),
        {
            "episode": ("VARCHAR", "id: a hash of everything that defines the play"),
            "study": ("VARCHAR", "the study it belongs to"),
            "arm": ("VARCHAR", "the arm of the study"),
            "protocol": ("VARCHAR", "the protocol's name"),
            "version": ("VARCHAR", "the protocol's VERSION"),
            "code_hash": ("VARCHAR", "a hash of the protocol's source; NULL for imports"),
            "options": ("JSON", "the protocol's options that differ from its defaults"),
            "subject": ("VARCHAR", "the motion or question, by id"),
            "repeat": ("INTEGER", "0 for the first play"),
            "started_at": ("TIMESTAMP", "UTC; for imports from the file's name, zone unknown"),
            "grader": (
                "VARCHAR",
                "the study's own function that decides what is right; NULL: none, or not known",
            ),
            **PARENT_COLUMNS,
        },
    ),
    "statuses": TableSchema(
        "One row is the end of an episode; the latest counts (see the view episodes)",
        ("episode", "ended_at"),
        {
            "episode": ("VARCHAR", "the play"),
            "run": ("VARCHAR", "the run that ended it"),
            "status": ("VARCHAR", "done or failed"),
            "error_kind": ("VARCHAR", "class of the error; NULL when done"),
            "error": ("VARCHAR", "the error in words; NULL when done"),
            "ended_at": ("TIMESTAMP", "UTC"),
        },
    ),
    # Only changes are rows: a study that goes on with the same plan, or a larger one, has none.
    "plan_changes": TableSchema(
        "One row is a stored episode that a study's plan no longer holds, or holds again; the"
        " latest counts (see the view leftovers)",
        ("episode", "changed_at"),
        {
            "episode": ("VARCHAR", "the play"),
            "run": ("VARCHAR", "the run that came with another plan"),
            "planned": ("BOOLEAN", "whether its plan holds the episode"),
            "changed_at": ("TIMESTAMP", "UTC"),
        },
    ),
    "forgotten": TableSchema(
        "One row is what `arena forget` has removed from a study at one time",
        ("study", "forgotten_at"),
        {
            "study": ("VARCHAR", "the study"),
            "forgotten_at": ("TIMESTAMP", "UTC"),
            "episodes": ("BIGINT", "episodes that were removed"),
            "turns": ("BIGINT", "turns in them"),
            "calls": ("BIGINT", "attempts on the wire in them, which budgets go on counting"),
            "cost_usd": ("DOUBLE", "dollars of the calls whose cost is known; NULL: of none"),
            "calls_of_unknown_cost": ("BIGINT", "attempts that are not in cost_usd"),
            "worst_usd": (
                "DOUBLE",
                "dollars that those could cost at most, as far as known; NULL: of none",
            ),
            "unpriced": ("BIGINT", "of these, those whose worst case is unknown too"),
            "what": ("VARCHAR", "what was asked for: leftovers, an arm, a condition, ids"),
        },
    ),
    "seats": TableSchema(
        "One row is an agent in an episode",
        ("episode", "seat"),
        {
            "episode": ("VARCHAR", "the play"),
            "seat": ("VARCHAR", "the seat's name: proposition, opposition, ..."),
            "agent": ("VARCHAR", "the agent's name"),
            "model": ("VARCHAR", "model reference, without address or key"),
            "system": ("VARCHAR", "the agent's system prompt; NULL: unknown"),
            "sampling": ("JSON", "sampling settings that were set; NULL: unknown"),
            "seeds": (
                "VARCHAR",
                "honoured: same seed, same reply; sent: without that promise; not sent;"
                " NULL for imports",
            ),
            "digest": (
                "VARCHAR",
                "sha256 of a local model's weights, tokenizer, chat template and generation_config;"
                " NULL: not a local model, or not known",
            ),
            "code_hash": (
                "VARCHAR",
                "hash of a scripted function's source; NULL: not scripted, or not known",
            ),
        },
    ),
    # The first model that answers an agent needs no row, so that most studies have none.
    "other_servings": TableSchema(
        "One row is a seat in which a provider answered its agent by another model than the first"
        " that answered the agent in the study (see the view served_models)",
        ("episode", "seat"),
        {
            "episode": ("VARCHAR", "the play"),
            "seat": ("VARCHAR", "who spoke"),
            "model_served": ("VARCHAR", "the model's name as the provider gave it"),
        },
    ),
    "subjects": TableSchema(
        "One row is a motion or question",
        ("subject",),
        {
            "subject": ("VARCHAR", "id: a hash of the content"),
            "kind": (
                "VARCHAR",
                "motion, question, debate (one that is judged), or replies (stored ones, that are"
                " scored or asked about)",
            ),
            "text": (
                "VARCHAR",
                "the text; for a debate its motion, its episode and a hash of its public words",
            ),
            "gold": ("VARCHAR", "the right answer; NULL for motions"),
            "choices": ("VARCHAR[]", "the options of a multiple-choice question"),
            "source": ("VARCHAR", "its source; for a debate its episode"),
            "licence": ("VARCHAR", "terms of use; NULL: unknown"),
            "images": (
                "VARCHAR[]",
                "its images, by hash, in the order in which they are shown; NULL: none",
            ),
            "passage": (
                "VARCHAR",
                "a text that it is about, which only those read whose turns have the face passage"
                " in `saw`; NULL: none",
            ),
            "published": (
                "VARCHAR",
                "the day on which it came out, as YYYY, YYYY-MM or YYYY-MM-DD, no part of its id;"
                " NULL: unknown",
            ),
        },
    ),
    "images": TableSchema(
        "One row is an image that a subject or a prompt holds, stored once",
        ("image",),
        {
            "image": ("VARCHAR", "sha256 of its bytes, as 64 hex digits"),
            "media_type": ("VARCHAR", "image/png, image/jpeg, image/webp or image/gif"),
            # Journal lines are JSON, which has no bytes.
            "base64": ("VARCHAR", "its bytes; from_base64(base64) is the BLOB"),
        },
    ),
    "turns": TableSchema(
        "One row is one step of a seat, after re-asks", ("episode", "seat", "step"), TURN_COLUMNS
    ),
    "unfinished_turns": TableSchema(
        "One row is a first reply with something unreadable in it, kept so that a stopped run"
        " continues with the re-ask",
        ("episode", "seat", "step"),
        TURN_COLUMNS,
    ),
    # What `arena reread` has read anew.  The tables without it are never changed: replays and
    # `saw` go by them, the views latest_... and all that read these by the latest reading.
    "readings": TableSchema(
        "One row is a stored reply that was read anew (see the view latest_turns)",
        ("episode", "seat", "step", "read_at"),
        {
            **{name: TURN_COLUMNS[name] for name in ("episode", "seat", "step")},
            "read_at": READ_AT,
            "reader": ("VARCHAR", "the name of the function that read it"),
            "reader_version": READER_VERSION,
            "package": ("VARCHAR", "the version of peer-arena"),
            "status": ("VARCHAR", "read, or what was asked for and could not be read"),
            **{name: TURN_COLUMNS[name] for name in READING_COLUMNS},
            "correct": ("BOOLEAN", "whether the turn's answer is right; NULL: see grade_status"),
            "grade_status": (
                "VARCHAR",
                "graded, or the reason why correct is NULL: no answer, no question, ...",
            ),
        },
    ),
    "reread_rulings": TableSchema(
        "One row is what a judge's verdict is by replies that were read anew (see the view"
        " latest_rulings)",
        ("episode", "read_at"),
        {**RULING_COLUMNS, "read_at": READ_AT, "reader_version": READER_VERSION},
    ),
    "reread_answers": TableSchema(
        "One row is what an answer is by replies that were read anew and graded anew (see the view"
        " latest_answers)",
        ("episode", "seat", "stage", "read_at"),
        {**ANSWER_COLUMNS, "read_at": READ_AT, "reader_version": READER_VERSION},
    ),
    **CALLS,
    "rulings": TableSchema(
        "One row is a judge's verdict on a debate, as parsed (see the view verdicts)",
        ("episode",),
        RULING_COLUMNS,
    ),
    "answers": TableSchema(
        "One row is an answer to a question",
        ("episode", "seat", "stage"),
        ANSWER_COLUMNS,
    ),
    "routes": TableSchema(
        "One row is a summary sent to a peer",
        ("episode", "block", "path", "rank"),
        {
            "episode": ("VARCHAR", "the play"),
            "block": ("INTEGER", "the exchange, from 0"),
            "path": ("INTEGER", "the receiver"),
            "peer": ("INTEGER", "the sender"),
            "rank": ("INTEGER", "order in which it was shown, from 0"),
            "similarity": ("DOUBLE", "of the two summaries, in [0, 1]; NULL: the router uses none"),
            "router": ("VARCHAR", "dispersed, clustered, hybrid, random or all"),
        },
    ),
    "measures": TableSchema(
        "One row is a number computed from token probabilities: those of local models before"
        " temperature and filters, for names served_... those that the provider returned; one with"
        " a name that begins with stated is a number that the reply states",
        ("episode", "seat", "step", "name"),
        {
            "episode": ("VARCHAR", "the play"),
            "seat": ("VARCHAR", "who spoke"),
            "step": ("INTEGER", "the seat's step"),
            "name": ("VARCHAR", "name of the measure, with its unit"),
            "value": ("DOUBLE", "the number"),
        },
    ),
    **SCORES,
    **ANNOTATIONS,
    "folded": TableSchema(
        "One row is a journal that was folded into this database, up to some byte",
        ("journal", "bytes"),
        {
            "journal": ("VARCHAR", "file name in the folder beside the database"),
            "bytes": ("BIGINT", "how much of it has been folded"),
            "skipped": (
                "INTEGER",
                "lines that could not be read (a torn last line), damaged ones included",
            ),
            "folded_at": ("TIMESTAMP", "UTC"),
            "damaged": (
                "INTEGER",
                "lines that did not fit their checksums, and were left out with"
                " --ask-damaged-again",
            ),
        },
    ),
}
# Columns that no journal holds, as SQL over the columns of a line.
DERIVED = {"public_status": "case when public is null then 'no readable speech' else 'read' end"}
# Names that tables have in stores and journals of older versions.
FORMER_TABLE_NAMES = {"rulings": "verdicts"}
JOURNALED = tuple(name for name in TABLES if name != "folded")
