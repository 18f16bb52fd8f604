"""What the screen says: tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from rich import markup
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from constructions.construct import roundings
from constructions.errors import Refused
from constructions.planner import GridPlan, code_comparison
from constructions.pooling import PoolingHead
from constructions.survey import Candidate, cheapest
from constructions.targets.library import LIBRARY
from constructions.targets.target import AnyTarget
from constructions.wording import rounded
from proofs_check.decimals import decimal_above, decimal_below, shortest_above
from proofs_check.kernel import CHECKED, Certificate, Step
from proofs_check.proof_tree import Branch, proof_tree
from uat.many_shares import grouped
from uat.printing import printable

_UNTAGGED = re.compile(r"(?<=\\)\[(?![a-z#/@][^[]*?\])")  # a bracket that opens no tag, after a backslash


def console(width: int = 110) -> Console:
    """Return a console for stdout that never cuts a table off when it is piped."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=width, highlight=False)


def print_json(content: Any) -> None:
    """Print one JSON object on stdout; half a surrogate pair in a file's text is escaped, it is no character."""
    print(json.dumps(content, indent=1, ensure_ascii=False).encode(errors="backslashreplace").decode())


def targets(as_json: bool) -> None:
    """Print the target library."""
    rows: list[dict[str, Any]] = [{"name": t.name, "formula": t.formula(t.d), "n": t.n, "d": t.d, "why": t.why}
                                  for t in LIBRARY.values()]
    if as_json:
        print_json({"targets": rows})
        return
    table = _table("name", "n", "d", "f(X)_i, with x = x_i and y running over all tokens / why it matters")
    for row in rows:
        table.add_row(f"[bold]{row['name']}[/bold]", str(row["n"]), str(row["d"]), f"{escape(row['formula'])}\n  {row['why']}")
    console().print(table)


def candidates_record(target: AnyTarget, tolerance: Fraction, found: Sequence[Candidate]) -> dict[str, Any]:
    """Return the object of ``plan --json`` for one length."""
    chosen = _cheapest(found)
    return {"target": target.name, "expression": target.text, "n": target.n, "d": target.d, "d_out": target.d_out,
            "domain": [[str(a), str(b)] for a, b in target.box.sides], "eps": str(tolerance),
            "method": chosen.method if chosen else None, "constructions": [vars(c) for c in found]}


def candidates(target: AnyTarget, tolerance: Fraction, found: Sequence[Candidate]) -> None:
    """Print every construction, what it needs, or why it does not apply."""
    chosen, out = _cheapest(found), console()
    out.print(f"plan for [bold]{escape(target.name)}[/bold] on {escape(str(target.box))}, n = {target.n}, "
              f"eps = {shortest_above(tolerance)}")
    table = _table("construction", "d'", "non-zero parameters", "depth", "holds for", "remark")
    for c in found:
        name = f"{c.method} (chosen)" if c is chosen else c.method
        if c.parameters is None:
            table.add_row(name, "-", "-", "-", "-", escape(c.reason))
            continue
        count = f"{c.parameters:,}" if c.parameters < 10**9 else rounded(c.parameters)
        table.add_row(name, str(c.d_latent), ("at least " if c.at_least else "") + count, str(c.depth),
                      "every n >= 2" if c.every_n else f"n = {target.n}", escape(c.reason))
    out.print(table)


def _cheapest(found: Sequence[Candidate]) -> Candidate | None:
    try:
        return cheapest(found)
    except Refused:
        return None


def plan_record(target: AnyTarget, planned: GridPlan, heads: Sequence[PoolingHead]) -> dict[str, Any]:
    """Return the object of ``plan --method grid --json`` for one length."""
    codes = code_comparison(planned, roundings(heads, planned.n))
    return {
        "target": target.name, "expression": target.text, "n": planned.n, "d": target.d, "d_out": planned.d_out,
        "domain": [[str(a), str(b)] for a, b in target.box.sides],
        "eps": str(planned.tolerance), "method": "grid", "lipschitz": str(planned.modulus.lipschitz),
        "slope_attained": planned.modulus.attained, "cells": planned.cells, "multisets": planned.multisets,
        "table_entries": planned.table_entries, "table_bytes": planned.table_bytes, "code": planned.code.name,
        "d_latent": planned.code.d_latent, "bits": planned.code.bits, "information_bits": planned.information_bits,
        "codes": [{"code": name, "d_latent": d, "bits": bits, "survives_pooling": ok} for name, d, bits, ok in codes],
        "seconds": planned.seconds,
    } | ({"lifted": planned.lifted.target.text} if planned.lifted else {})


def plan(target: AnyTarget, planned: GridPlan, heads: Sequence[PoolingHead]) -> None:
    """Print what the discretised construction will consist of and cost."""
    codes, out = code_comparison(planned, roundings(heads, planned.n)), console()
    out.print(f"plan for [bold]{escape(target.name)}[/bold] on {escape(str(target.box))}, n = {planned.n}, "
              f"eps = {shortest_above(planned.tolerance)}")
    table = _table("quantity", "value")
    slope = "declared" if planned.modulus.assumption else f"a slope of {found_text(planned.modulus.attained, 5)} occurs"
    counts = [str(axis.cells) for axis in planned.grid.axes]
    lifted = (("roots lifted", planned.lifted.target.text),) if planned.lifted else ()
    for name, value in (
            ("construction", "grid: quantise, encode, sum, decode, look up"), *lifted,
            ("Lipschitz constant", f"{shortest_above(planned.modulus.lipschitz)}   ({slope})"),
            ("cells K", " x ".join(counts) + (f" = {planned.cells}" if len(counts) > 1 else "")),
            ("multisets of the others R", f"{planned.multisets:,}"),
            ("table entries K R", f"{planned.table_entries:,}"),
            ("table bytes", f"{planned.table_bytes:,}"),
            ("forecast seconds", f"{planned.seconds:.1f}")):
        table.add_row(name, escape(value))
    out.print(table)
    table = _table("code", "d'", "bits of Sigma", f"survives pooling in {planned.number_format.name}")
    for name, d, bits, ok in codes:
        chosen = " (chosen)" if name == planned.code.name else ""
        shown = "too large to tabulate" if bits is None else f"{bits:,}"
        table.add_row(name + chosen, "-" if d is None else str(d), shown, {True: "yes", False: "no", None: "-"}[ok])
    table.add_row("information bound", "", f"{planned.information_bits:.1f}", "")
    out.print(table)


def budget_table(steps: Sequence[Step]) -> Table:
    """Return the proof steps with their shares of the bound; many shares of one kind are one row with their sum."""
    table = _table("step", "status", "share of bound", "what was shown")
    for group in grouped(steps, lambda step: (step.id, step.status) if step.bound else None):
        first, total = group[0], sum((step.bound for step in group), Fraction(0))
        largest = decimal_above(max(step.bound for step in group)) if total else "0"
        shown = (first.statement if len(group) == 1 else
                 f"{len(group)} of this kind together, the largest {largest}; --json lists all")
        table.add_row(escape(first.id), _coloured(first.status.value), decimal_above(total) if total else "0", escape(shown))
    return table


def proof(certificate: Certificate) -> Tree:
    """Return the proof from the claim down to what was checked; a step met again is only named by its number."""
    def grown(branch: Branch, tree: Tree) -> Tree:
        for below in branch.below:
            grown(below, tree.add(_proof_line(below)))
        return tree

    root = proof_tree(certificate)
    return grown(root, Tree(_proof_line(root)))


def _proof_line(branch: Branch) -> str:
    step = branch.step
    if branch.again:
        return f"({branch.number}) above"
    says = "" if step.says is None else escape(str(step.says))
    if step.rule != CHECKED:
        return f"({branch.number}) {says}  by {step.rule}"
    shown = f"{says}: {escape(step.statement)}" if says else escape(step.statement)
    return f"({branch.number}) {_coloured(step.status.value)}{' ' if step.id else ''}{escape(step.id)}: {shown}"


def architecture_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return sizes and the measured deviation from the Sumformer."""
    table = _table("architecture", "parameters", "non-zero", "depth", "width", "max deviation")
    for row in rows:
        deviation = "-" if row["max_deviation"] is None else f"{row['max_deviation']:g}"
        table.add_row(row["name"], f"{row['n_parameters']:,}", f"{row['n_nonzero']:,}", str(row["depth"]), str(row["width"]),
                      deviation)
    return table


def bound_text(value: Fraction | None, digits: int = 6) -> str:
    """Return a bound as a decimal rounded up, or a dash."""
    return "-" if value is None else decimal_above(value, digits)


def found_text(error: float, digits: int = 6) -> str:
    """Return an error that occurs as a decimal rounded down."""
    return decimal_below(Fraction(error), digits)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _coloured(status: str) -> str:
    colour = {"proved": "green", "certified": "green", "assumed": "yellow", "undecided": "yellow"}.get(status, "red")
    return f"[{colour}]{status}[/{colour}]"


def escape(text: str) -> str:
    """Return text that rich prints as it is, from whatever file it comes: what a terminal would obey is spelled out.

    ``markup.escape`` leaves backslashes before a bracket that opens no tag, of which rich drops one, and several at the end, of
    which a tag of ours leaves half.
    """
    shown = printable(text)
    stem = shown.rstrip("\\")
    return _UNTAGGED.sub(r"\\[", markup.escape(stem)) + "\\" * (2 * (len(shown) - len(stem)))
