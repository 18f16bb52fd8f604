"""The page docs/commands.md, from the declarations of the command line: ``python -m uat.command_reference [FILE]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from uat.cli import app
from uat.files import replace_file

HEAD = """# Commands

Printed by `python -m uat.command_reference docs/commands.md`; a test compares. Every command is started as
`python -m uat COMMAND`, and `--help` says the same.

Exit codes: 0 certified and not contradicted, or done; 1 refused, undecided or refuted by the mathematics; 2 bad input;
130 interrupted; 141 (128 + SIGPIPE) whoever read the output closed it, as `head` does, and nothing more can be said of the work.
"""


def page() -> str:
    """Return the page as Markdown: one section a command, one row a parameter."""
    group: Any = typer.main.get_command(app)
    return "\n".join([HEAD, *(line for name, command in group.commands.items() for line in _section(name, command))])


def _section(name: str, command: Any) -> Iterator[str]:
    shown = [_argument(parameter) for parameter in command.params if parameter.param_type_name == "argument"]
    yield f"## {name}\n"
    yield f"    python -m uat {' '.join([name, *shown])} [OPTIONS]\n"
    yield f"{' '.join((command.help or '').split())}\n"
    yield "| parameter | meaning | default |\n|---|---|---|"
    for parameter in command.params:
        default = _default(parameter)
        yield f"| `{_name(parameter)}` | {_escaped(parameter.help or '')} | {f'`{default}`' if default else ''} |"
    yield ""


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    several = f"{name} ..." if parameter.nargs == -1 else name
    return several if parameter.required else f"[{several}]"


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return parameter.metavar or str(parameter.name).upper()
    option = max(parameter.opts, key=len)
    return option if parameter.is_flag else f"{option} {parameter.metavar or 'TEXT'}"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.default is None or parameter.is_flag or parameter.default == [] else str(parameter.default)


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main(arguments: list[str]) -> None:
    """Print the page, or write it to a file."""
    if arguments:
        replace_file(Path(arguments[0]), page())
    else:
        print(page(), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
