"""Find the earlier versions of a protocol, whose prompts a study that was begun with them needs.

A protocol that asks otherwise raises its VERSION.  The package that has it keeps the former one for
a release: the function of the same name in the module of the same name in a folder `version_1`
beside it, as protocols/version_1/debate.py is to protocols/debate.py.  Nothing registers it.
"""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from arena.errors import StudyError
from arena.studies.study import Protocol, Study, protocol_name, protocol_version

FOLDER = "version_"


def versions_of(protocol: Protocol) -> dict[str, Protocol]:
    """Return a protocol by version: as it is today first, then as its package keeps it."""
    name = protocol_name(protocol)
    package, _, module = (getattr(protocol, "__module__", None) or "").rpartition(".")
    home, _, folder = package.rpartition(".")
    if folder.startswith(FOLDER):
        # An earlier version itself: today's stands one folder above it.
        package = home
        protocol = getattr(import_module(f"{home}.{module}"), name, protocol)
    versions = {protocol_version(protocol): protocol}
    for found in sorted(modules_in(package), reverse=True):
        if found.startswith(FOLDER):
            import_module(f"{package}.{found}")
            if module in modules_in(f"{package}.{found}"):
                earlier = getattr(import_module(f"{package}.{found}.{module}"), name, None)
                if earlier is not None:
                    versions.setdefault(protocol_version(earlier), earlier)
    return versions


def modules_in(package: str) -> list[str]:
    """Return the names of the modules and folders of a package that has been imported.

    None for a study file and a notebook, which are in no package.
    """
    paths = getattr(sys.modules.get(package), "__path__", ())
    return [each.name for each in pkgutil.iter_modules(paths)]


def in_version(protocol: Protocol, version: str) -> Protocol:
    """Return a protocol as it is in a version.  Raises StudyError if that is not kept."""
    if protocol_version(protocol) == version:
        return protocol
    versions = versions_of(protocol)
    if version not in versions:
        raise StudyError(f"{describe_versions(protocol)}, and no version {version!r}")
    return versions[version]


def study_in_version(study: Study, version: str) -> Study:
    """Return a study whose protocols are played in a version.

    A protocol that has not come to that version yet is played as it is.  Raises StudyError for one
    that does not keep it any more.
    """
    arms = [
        arm
        if is_before(arm.protocol, version)
        else replace(arm, protocol=in_version(arm.protocol, version))
        for arm in study.arms
    ]
    return replace(study, arms=arms)


def check_version(studies: Sequence[Study], version: str) -> None:
    """Raise StudyError if no protocol of these studies has come to a version."""
    protocols = {protocol_name(arm.protocol): arm.protocol for each in studies for arm in each.arms}
    if protocols and all(is_before(protocol, version) for protocol in protocols.values()):
        found = "; ".join(map(describe_versions, protocols.values()))
        raise StudyError(f"no protocol of this study has a version {version!r}: {found}")


def is_before(protocol: Protocol, version: str) -> bool:
    """Tell whether a protocol's VERSION today is a smaller number than this one."""
    today = next(iter(versions_of(protocol)))
    return today.isdecimal() and version.isdecimal() and int(today) < int(version)


def describe_versions(protocol: Protocol) -> str:
    """Return which versions of a protocol there are, in words."""
    versions = list(versions_of(protocol))
    word = "version" if len(versions) == 1 else "versions"
    return f"{protocol_name(protocol)} has {word} {' and '.join(versions)}"
