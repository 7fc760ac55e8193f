"""The doctor says what is there and what is missing, and never the value of a key."""

from __future__ import annotations

import json
import os
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from arena.cli import checkup
from arena.cli.checkup import PackageCheck
from arena.cli.commands.doctor import package_lines
from arena.cli.main import main
from arena.store import locks
from arena.store.database import create, journal_folder
from arena.store.journal import first_line, open_segment

SECRET = "sk-planted-0123456789abcdef"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")):
            monkeypatch.delenv(name)
    return tmp_path


def test_a_healthy_place_fits_one_screen_and_ends_well(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 30
    assert lines[-1] == "nothing here would stop a run"
    assert not any(line.startswith("STOP") for line in lines)
    assert any(line.startswith("ok    base") for line in lines)
    assert list(here.iterdir()) == []


def test_keys_are_told_by_name_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("GEMINI_API_KEY", "  ")
    monkeypatch.setenv("MYLAB_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://user:{SECRET}@proxy.example/v1")
    found: list[str] = []
    for flags in ([], ["--json"]):
        assert main(["doctor", *flags]) == 0
        out = capsys.readouterr().out
        assert SECRET[:12] not in out
        assert "proxy.example" not in out
        found.append(out)
    checks = json.loads(found[1])["checks"]
    keys = [check["found"] for check in checks if check["name"] == "keys"]
    assert keys == [
        "set: MYLAB_API_KEY, OPENAI_API_KEY",
        "not set: ANTHROPIC_API_KEY, GEMINI_API_KEY, ARENA_HTTP_API_KEY",
        "OPENAI_BASE_URL set: calls go to another address than the provider's",
    ]


def fake_distribution(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    """Stand in for the metadata of our distribution and of those that it needs."""
    message = metadata.metadata("pytest")
    for extra in ("view", "test"):
        message["Provides-Extra"] = extra  # type: ignore[index]
    needs = [
        *("duckdb<3,>=2.0", "numpy>=2", "gone>=1", "old; python_version < '3'"),
        *("altair>=6; extra == 'view'", "jinja2<4; extra == 'view'", "ruff; extra == 'test'"),
    ]

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(checkup.metadata, "requires", lambda name: needs)
    monkeypatch.setattr(checkup.metadata, "metadata", lambda name: message)
    monkeypatch.setattr(checkup.metadata, "version", version)


def test_packages_that_are_missing_or_out_of_range_are_marked(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_distribution(
        monkeypatch, {"peer-arena": "1", "duckdb": "1.5.6", "numpy": "2.1rc1", "altair": "5.0"}
    )
    packages = checkup.packages()
    assert packages == [
        PackageCheck("base", "duckdb", "1.5.6", "<3,>=2.0", "stops"),
        PackageCheck("base", "numpy", "2.1rc1", ">=2", "ok"),
        PackageCheck("base", "gone", None, ">=1", "stops"),
        PackageCheck("view", "altair", "5.0", ">=6", "warning"),
        PackageCheck("view", "jinja2", None, "<4", "absent"),
    ]
    base, view = package_lines(packages)
    assert base.found == (
        "duckdb 1.5.6 IS OUT OF RANGE (<3,>=2.0), numpy 2.1rc1, gone is not installed"
    )
    assert (base.state, base.remedy) == ("stops", "pip install 'peer-arena'")
    assert (view.state, view.remedy) == ("warning", "pip install 'peer-arena[view]'")
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 things would stop a run"


def test_a_clone_that_was_installed_as_another_version_says_what_to_do(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_distribution(monkeypatch, {"peer-arena": "0.1.0"})
    monkeypatch.setattr(checkup, "HOME", here)
    project = here / "pyproject.toml"

    def said() -> tuple[str, str]:
        return checkup.ourselves().state, checkup.ourselves().remedy

    stale = '[project]\nname = "peer-arena"\nversion = "0.2.0"\n'
    project.write_text(stale)
    assert said() == ("warning", f"pip install -e {here}")
    assert "is peer-arena 0.2.0, and was installed when it was 0.1.0" in checkup.ourselves().found
    # The same version, another project, and none at all.
    for text in (stale.replace("0.2", "0.1"), stale.replace("peer-", ""), "[", "[project]\n"):
        project.write_text(text)
        assert said() == ("ok", "")
    project.unlink()
    assert said() == ("ok", "")


@pytest.mark.parametrize("name", ["agents.py", "arena.py", "analysis/__init__.py"])
def test_a_neighbour_of_a_packages_name_is_named(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).write_text("")
    main(["doctor", "--json"])
    [check] = [c for c in json.loads(capsys.readouterr().out)["checks"] if c["name"] == "names"]
    assert check["state"] == "warning"
    assert str(here / name) in check["found"]
    assert "rename it" in check["remedy"]


def store_checks(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[dict[str, Any]]]:
    """Run the doctor on a store; return the exit status and what it says of the store."""
    status = main(["doctor", "--json", "--db", str(path)])
    checks = json.loads(capsys.readouterr().out)["checks"]
    return status, [check for check in checks if check["name"] == "store"]


def test_a_store_is_told_with_its_versions_and_journals(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = here / "a.duckdb"
    assert [check["state"] for check in store_checks(path, capsys)[1]] == ["absent"]
    create(path)
    status, [check] = store_checks(path, capsys)
    assert status == 0
    assert "schema " in check["found"]
    assert "storage format v1.4" in check["found"]
    descriptor, held = open_segment(journal_folder(path) / "20260101-000000-abc.jsonl")
    os.close(descriptor)
    status, [_, running] = store_checks(path, capsys)
    assert (status, running["found"]) == (0, "held by 1 run that is writing now")
    held.release()
    status, [_, left] = store_checks(path, capsys)
    assert (status, left["found"]) == (0, "1 journal of ended runs to fold")
    whole = path.read_bytes()
    for damaged in (b"no database, whatever its name says" * 200, whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        status, [check] = store_checks(path, capsys)
        assert (status, check["state"]) == (1, "stops")
        assert len(check["found"].splitlines()) == 1


def test_journals_that_cannot_be_read_are_no_missing_rows(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = here / "a.duckdb"
    create(path)
    put = journal_folder(path) / "j.jsonl"
    put.write_bytes(first_line())

    def refuse(journal: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(journal))

    with monkeypatch.context() as patch:
        patch.setattr(locks, "is_locked", refuse)
        status, [check] = store_checks(path, capsys)
    assert (status, check["state"], str(put) in check["found"]) == (1, "stops", True)
    shutil.rmtree(journal_folder(path))
    journal_folder(path).touch()
    status, [check] = store_checks(path, capsys)
    assert (status, check["state"]) == (1, "stops")
    for command in (["tidy"], ["status"], ["sql", "from turns"]):
        assert main([*command, "--db", str(path)]) == 2
        assert f"cannot read the journals in {journal_folder(path)}" in capsys.readouterr().err


def test_a_gpu_is_named_from_the_drivers_list(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = here / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100, 81559 MiB, 80000 MiB'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(here))
    versions = {"torch": "2.13.0"}
    monkeypatch.setattr(checkup, "installed_version", versions.get)
    assert checkup.gpu().found == "NVIDIA H100, 81559 MiB, 80000 MiB free"
    assert checkup.gpu().state == "ok"
    versions["torch"] = "2.13.0+cpu"
    assert checkup.gpu().state == "warning"
    assert "torch 2.13.0+cpu cannot use it" in checkup.gpu().found
    program.write_text("#!/bin/sh\nexit 9\n")
    assert (checkup.gpu().state, checkup.gpu().remedy) == ("warning", "mend the driver")
    assert "fails (CalledProcessError)" in checkup.gpu().found
    program.unlink()
    assert checkup.gpu().state == "absent"


def test_a_full_disk_or_a_place_where_no_folder_can_be_stops_a_run(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkup.disk(here / "a.duckdb").state == "ok"
    assert checkup.disk(here / "to" / "come" / "a.duckdb").state == "ok"
    (here / "file").touch()
    assert checkup.disk(here / "file" / "a.duckdb").state == "stops"
    usage = checkup.shutil.disk_usage(here)
    for free, state in ((10**8, "warning"), (10**6, "stops")):
        monkeypatch.setattr(
            checkup.shutil, "disk_usage", lambda folder, free=free: usage._replace(free=free)
        )
        assert checkup.disk(here / "a.duckdb").state == state
