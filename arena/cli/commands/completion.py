"""Add `arena completion`, which prints a shell's completion script."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from arena.cli.commands import Command

# How to turn it on.
TURN_ON = {
    "bash": 'eval "$(arena completion bash)"    (in ~/.bashrc, to have it always)',
    "zsh": 'eval "$(arena completion zsh)"    (in ~/.zshrc after compinit, to have it always)',
    "fish": "arena completion fish > ~/.config/fish/completions/arena.fish",
}


def add(command: Command) -> None:
    """Add the command to the parser."""
    completion = command("completion", print_completion, "print the shell's completion script")
    completion.add_argument("shell", choices=list(TURN_ON), help="the shell")


def print_completion(options: argparse.Namespace) -> int:
    """Run `arena completion`: print a script that ends with how to turn it on."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["arena"], shell=options.shell).strip())
    # At the end: zsh reads its first line.
    print(f"# Turn it on with: {TURN_ON[options.shell]}")
    return 0


def complete_study(
    prefix: str,
    action: argparse.Action,
    parser: argparse.ArgumentParser,
    parsed_args: argparse.Namespace,
) -> Iterable[str]:
    """Return the studies that can be run: those of the package, and Python files (argcomplete)."""
    from argcomplete.completers import FilesCompleter

    from arena.tournaments.shipped import shipped_studies

    return [*shipped_studies(), *FilesCompleter(["py"])(prefix)]
