"""Views of contestants: who plays, told apart by name, model, weights, system prompt and sampling.

Three personas of one model, or one model at two temperatures, are different contestants: whatever
is counted "by model" pools them.  The label of a contestant is decided here and nowhere else.
"""

from __future__ import annotations

from arena.store.views.base import View


def is_judging(play: str) -> str:
    """Return SQL for whether a play, by its table's alias, is a judging."""
    return f"{play}.protocol = 'judging'"


# A seat with the model that answered it, where that is another one than the first of its agent.
SEATS = "(select s.*, o.model_served from seats s left join other_servings o using (episode, seat))"


def key_of(seat: str) -> str:
    """Return SQL for the key of the agent of a seat, by the alias of a row of `SEATS`.

    A hash may be another in another version of DuckDB: it serves within one query alone.
    """
    columns = ("agent", "model", "digest", "model_served", "system", "sampling")
    return f"hash({', '.join(f'{seat}.{column}' for column in columns)})"


def join_agents(alias: str, *, play: str, seat: str, agents: str = "agents") -> str:
    """Return the join of a seat and its play, by their aliases, to the row of its agent.

    A view that joins several seats names a materialized copy of the view `agents`.
    """
    return (
        f"left join {agents} {alias} on {alias}.study = {play}.study"
        f" and {alias}.judges = ({is_judging(play)}) and {alias}.key = {key_of(seat)}"
    )


# Values that would not fit into a label, such as a schema, stand there as a hash, and settings of a
# way of decoding as its name and a hash.
SETTINGS = """
    case when system is null then ['prompt unknown'] when system = '' then []
         else ['prompt ' || left(md5(system), 6)] end
    || case when sampling is null then ['settings unknown']
            else list_transform(json_keys(sampling), lambda name: replace(name, '_', ' ') || ' '
                || case when name = 'decoding'
                        then replace(sampling->name->>'by', '_', ' ') || ' '
                             || left(md5(sampling->>name), 6)
                        when length(sampling->>name) > 20 then left(md5(sampling->>name), 6)
                        else sampling->>name end) end
"""

IDENTITY = (
    "a hash of model, weights, served model, system prompt and sampling: agents that differ in"
    " nothing but their names share it; NULL: the model is unknown"
)

CONTESTANT_VIEWS: dict[str, View] = {
    "agents": View(
        "One row is an agent of a study, with the label by which it is told apart there",
        f"""
        with seated as (
            select p.study, {is_judging("p")} as judges, {key_of("s")} as key,
                   any_value(s.agent) as agent, any_value(s.model) as model,
                   any_value(s.digest) as digest, any_value(s.model_served) as model_served,
                   any_value(s.system) as system, any_value(s.sampling) as sampling
            from {SEATS} s join plays p using (episode) group by all),
        described as (
            select *, {SETTINGS} as settings,
                   [coalesce(model, 'model unknown'), 'weights ' || left(digest, 6),
                    'served ' || model_served] || settings as features
            from seated),
        compared as (
            select *, count(*) over namesakes as namesakes,
                   flatten(list(features) over namesakes) as all_features
            from described window namesakes as (partition by study, judges, agent))
        select study, judges, agent, model, digest, model_served, system, sampling,
               case when namesakes = 1 then agent else agent || ' [' || coalesce(nullif(
                   array_to_string(list_filter(features, lambda own: len(
                       list_filter(all_features, lambda other: other = own)) < namesakes), ', '),
                   ''), nullif(array_to_string(settings, ', '), ''), 'default') || ']' end
                   as contestant,
               coalesce(nullif(array_to_string(settings, ', '), ''), 'default') as setting,
               case when model is not null then
                   md5(array_to_string([model, coalesce(digest, ''), coalesce(model_served, ''),
                                        coalesce(system, chr(1)),
                                        coalesce(sampling::varchar, chr(1))], chr(0)))
                   end as identity, key
        from compared
        """,
        {
            "study": "the study in which it sat",
            # A debater needs no longer label because it judges elsewhere at another temperature.
            "judges": "whether it sat in judgings",
            "model_served": "the model by which a provider answered it, where that is another one"
            " than the first by which it did in the study; NULL: the first one, or not said",
            "key": "a hash of the columns agent to sampling, by which seats are joined",
            "identity": IDENTITY,
        },
    ),
    "contestants": View(
        "One row is a seat of an episode: who sat there, by the label that tells the agents of a"
        " study apart",
        f"""
        select s.episode, s.seat, a.contestant, s.agent, s.model, a.setting, a.identity
        from {SEATS} s join plays p using (episode) {join_agents("a", play="p", seat="s")}
        """,
        {"identity": IDENTITY},
    ),
}
