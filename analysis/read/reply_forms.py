"""Read which models were asked in tags where a study asks for replies by a schema."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from analysis.read.selection import ALL, Selection, open_selected

# How a prompt ends that asks for an object (ReplySchema.form in protocols/structured.py).
FORM = "Reply with one JSON object and nothing else."
# A schema is asked for by the option `replies`; a model that serves none is asked in tags.
IN_TAGS = """
    select e.study, coalesce(s.model, 'unknown') as model,
           count(*) filter (len(list_filter(t.prompt,
               lambda part: part.episode is null and contains(part.text, $form))) = 0) as in_tags,
           count(*) as turns
    from turns t join episodes e using (episode) left join seats s using (episode, seat)
    where ($study is null or e.study = $study) and e.options->>'replies' = 'schema'
      and t.prompt is not null
    group by all having in_tags > 0 order by all
"""


@dataclass(frozen=True, slots=True)
class InTags:
    """Of how many of its turns a model was asked in tags, where the study asks for a schema."""

    model: str
    in_tags: int
    turns: int


def read_in_tags(
    path: Path, study: str | None = None, selection: Selection = ALL
) -> dict[str, tuple[InTags, ...]]:
    """Return the models of each study that asks for a schema, as far as some turn had none.

    Raises StoreError if the store cannot be read.
    """
    with open_selected(path, selection) as (con, _):
        rows = con.execute(IN_TAGS, {"study": study, "form": FORM}).fetchall()
    found: defaultdict[str, list[InTags]] = defaultdict(list)
    for name, *row in rows:
        found[name].append(InTags(*row))
    return {name: tuple(each) for name, each in found.items()}
