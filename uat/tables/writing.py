"""A table as text: LaTeX with booktabs, Markdown, CSV, and a table of the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from uat.tables.escaping import html_comment, latex_prose, plain_prose
from uat.tables.table import Column, Table

if TYPE_CHECKING:
    from rich.console import RenderableType


def latex(table: Table) -> str:
    """Return a longtable with booktabs rules, caption and label ``tab:uat-NAME``; packages as in docs/tables.md."""
    source = "".join(f"% {line}\n" for line in table.made_by)
    notes = "".join(f"\\par\\noindent {latex_prose(note)}\n" for note in table.notes)
    return (f"% uat tables: {table.name}\n{source}\\begingroup\\scriptsize\n{_longtable(table) if table.shown else ''}{notes}"
            f"\\par\\endgroup\n")


def _longtable(table: Table) -> str:
    import pandas

    shown = table.shown[1:] if table.headed else table.shown
    rows = []
    for begins, cells in table.displayed():
        texts = [cell.latex for cell in cells]
        space = "\\addlinespace\n" if begins else ""
        if table.headed:
            title, *texts = texts
            space += f"\\multicolumn{{{len(shown)}}}{{@{{}}l}}{{\\itshape {title}}} \\\\*\n" if title else ""
        rows.append([space + texts[0], *texts[1:]])
    frame = pandas.DataFrame(rows, columns=[latex_prose(column.heading) for column in shown], dtype=str)
    body: str = frame.style.hide(axis="index").to_latex(
        environment="longtable", hrules=True, column_format="@{}" + "".join(map(_latex_column, shown)) + "@{}",
        caption=latex_prose(table.caption), label=f"tab:uat-{table.name}")
    return f"\\setlength{{\\tabcolsep}}{{3pt}}\\setlength{{\\LTcapwidth}}{{\\linewidth}}\n{body}"


def markdown(table: Table) -> str:
    """Return a pipe table under its caption; mathematics stays between dollar signs."""
    head = [column.heading for column in table.shown]
    lines = [head, ["---:" if column.number else ":---" for column in table.shown]] if head else []
    lines += [[_piped(cell.plain) for cell in cells] for _, cells in table.displayed()]
    body = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    notes = "".join(f"\n{note}\n" for note in table.notes)
    source = "".join(f"\n{html_comment(line)}" for line in table.made_by)
    return f"**{table.name}.** {table.caption}\n\n{body}{notes}{source}\n"


def comma_separated(table: Table) -> str:
    """Return RFC 4180 with one line of names, nothing blanked, numbers with six digits and an empty field for what is missing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.csv for column in table.columns] or ["note"])
    writer.writerows([note] for note in table.notes if not table.columns)
    writer.writerows([cell.csv for cell in row] for row in table.rows)
    return text.getvalue()


def terminal(table: Table) -> RenderableType:
    """Return a table that rich prints."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    if not table.shown:
        return Text("\n".join((f"{table.name}: {plain_prose(table.caption)}", *map(plain_prose, table.notes))))

    shown = RichTable(box=box.SIMPLE_HEAD, title=f"{table.name}: {plain_prose(table.caption)}", title_justify="left",
                      caption="\n".join(map(plain_prose, table.notes)) or None, caption_justify="left", pad_edge=False,
                      header_style="bold")
    for column in table.shown:
        shown.add_column(plain_prose(column.heading), justify="right" if column.number else "left", overflow="fold")
    for _, cells in table.displayed():
        shown.add_row(*(cell.plain.replace("[", "\\[") for cell in cells))
    return shown


WRITERS: dict[str, tuple[str, Callable[[Table], str]]] = {
    "latex": ("tex", latex), "markdown": ("md", markdown), "csv": ("csv", comma_separated)}


def _latex_column(column: Column) -> str:
    if column.share:
        ragged = "raggedleft" if column.number else "raggedright"
        return rf">{{\{ragged}\arraybackslash}}p{{{column.share:g}\linewidth}}"
    return "r" if column.number else "l"


def _piped(text: str) -> str:
    """Return a cell of a pipe table: its bars escaped, and what Markdown would take for emphasis or a tag."""
    for sign in ("\\", "|", "*", "_", "<", "[", "`", "$"):
        text = text.replace(sign, "\\" + sign)
    return text
