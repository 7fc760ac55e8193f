"""Views are written in the words of DuckDB 1.4, so that other programs can open a store.

`make check` opens stores with DuckDB 1.4 itself; this says at once what it would stumble over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pytest

from arena.store.schema import DERIVED
from arena.store.views.registry import ALL_VIEWS

# Functions of DuckDB 2.0 that 1.4.5 does not have, by the difference of their functions:
# all but those of extensions, collations, and what 1.4 has as syntax (row_number, overlay, ...).
NEWER = """
    ago arg_max_nulls_last arg_min_nulls_last assert_true binom combine_aggr days_in_month
    decimal_average decimal_division get_type if invoke json_deep_merge json_insert
    json_merge_patch_diff json_normalize json_remove json_replace json_set json_strip_nulls lttb
    make_type parse_formatted_bytes path_join rank_dense read_duckdb setval sleep_ms struct_keys
    struct_values switch to_aggregate_state variant_array_length variant_contains variant_exists
    variant_extract_string variant_group_array variant_group_object variant_keys variant_normalize
    variant_type
"""


def newer_functions(sql: str) -> set[str]:
    """The newer functions that a query calls, as DuckDB reads it."""
    with duckdb.connect() as con:
        tree = con.execute("select json_serialize_sql(?)", [sql]).fetchall()[0][0]
    found = json.loads(tree)
    assert not found["error"], found
    return set(names(found)) & set(NEWER.split())


def names(tree: object) -> Iterator[str]:
    """The names of functions in a tree."""
    if isinstance(tree, dict):
        if "function_name" in tree:
            yield tree["function_name"].lower()
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from names(part)


def test_the_newer_spellings_are_found() -> None:
    assert newer_functions("select if(a, 1, 2), max(switch(b)) over () from t") == {
        "if",
        "switch",
    }


@pytest.mark.slow
def test_no_view_calls_a_function_that_duckdb_1_4_lacks() -> None:
    used = {name: newer_functions(view.sql) for name, view in ALL_VIEWS.items()}
    assert {name: newer for name, newer in used.items() if newer} == {}
    # Rows are derived by these when journals are read, in the same words.
    assert newer_functions(f"select {', '.join(DERIVED.values())}") == set()
