"""One study: its findings as pictures, and its debates or plays, filtered and paged."""

from __future__ import annotations

from arena.errors import StudyError
from arena.web.site import Page, Query, Site


def study(site: Site, name: str, query: Query) -> Page:
    """The study of that name.  Raises StudyError where there is none."""
    with site.store(("studies", "episodes")) as ask:
        found = ask("from studies where study = ?", [name])
        if not found:
            raise StudyError(f"there is no study {name!r} in {site.db.name}")
        debates = ask("select episode, status from episodes where study = ? order by episode limit 50", [name])
    return Page("study.html", name, {"study": found[0], "debates": debates})
