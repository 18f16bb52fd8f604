"""``uat bench``: from options to a record, a table and one sentence."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from constructions.errors import BadInput
from uat import show
from uat.benchmarks.contenders import CONTENDERS, PEER
from uat.benchmarks.measuring import measure
from uat.devices import check_device
from uat.files import json_text, refuse_unwritable, replace_file
from uat.output import OutputLost
from uat.progress import progress
from uat.records import record

Record = Mapping[str, Any]
SHOWN = 6  # lengths in the table


@dataclass(frozen=True)
class BenchRequest:
    """Options of ``bench`` as typed."""

    target: str = "f"
    eps: str = "1e-2"
    profile: str = "fast"
    lengths: str | None = None
    device: str = "cpu"
    dtype: str = "float64,float32"
    seed: int = 0

    def sequence_lengths(self) -> list[int] | None:
        """Return the lengths asked for; raises BadInput unless they are whole numbers with commas."""
        try:
            return None if self.lengths is None else [int(part) for part in self.lengths.split(",")]
        except ValueError:
            raise BadInput(f"--lengths {self.lengths}: expected whole numbers with commas such as 256,1024,4096") from None

    def dtypes(self) -> list[str]:
        """Return the number formats, each once."""
        return list(dict.fromkeys(part.strip() for part in self.dtype.split(",")))


def bench(request: BenchRequest, *, out: str | None, as_json: bool) -> int:
    """Measure, write the record, print it."""
    start = time.perf_counter()
    check_device(request.device)
    if out is not None and Path(out).is_dir():
        raise BadInput(f"--out {out}: expected the name of a file, this is a folder")
    if out is not None:
        refuse_unwritable(Path(out).parent)
    lengths, dtypes = request.sequence_lengths(), request.dtypes()
    _advise()
    with progress() as report:
        content = measure(request.profile, device=request.device, seed=request.seed, report=report, target=request.target,
                          eps=request.eps, lengths=lengths, dtypes=dtypes)
    found = record("bench", {**content, "seconds": round(time.perf_counter() - start, 3)})
    try:
        if as_json:
            show.print_json(found)
        else:
            _show(found)
    except OutputLost as lost:  # what was measured is on the disk, whatever happens to the screen
        if out is None:
            raise
        replace_file(Path(out), json_text(found))
        raise OutputLost(lost.error, [Path(out)]) from None
    if out is not None:  # last: what was measured is on the screen, whatever happens to the disk
        replace_file(Path(out), json_text(found))
        if not as_json:
            show.console().print(f"written to {out}")
    return 0


def _advise() -> None:
    """Say on stderr how busy the machine is: times of a busy machine are not worth keeping."""
    if hasattr(os, "getloadavg"):
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        busy = "; stop other work first, times will scatter" if load > 0.5 else ", quiet enough"
        print(f"load average {load:.2f} on {cores} cores{busy}", file=sys.stderr)


def _show(found: Record) -> None:
    out = show.console()
    out.print(f"[bold]{show.escape(found['target'])}[/bold]: f(X)_i = {show.escape(found['expression'])}")
    for network in found["networks"]:
        out.print(f"{network['dtype']}: {network['n_nonzero']:,} non-zero parameters, ||f - T|| <= {network['certified_bound']} "
                  f"{network['status']} for every n >= 2; covers evaluation in {network['dtype']} up to n = "
                  f"{network['evaluated_up_to']:,}")
    threads = f", {found['threads']} thread" if found["threads"] else ""
    out.print(f"on {found['device_name'] or found['device']}{threads}")
    for network in found["networks"]:
        out.print()
        out.print(_times(found, network["dtype"]))
    limits = found["limits"]
    if found["skipped"]:
        out.print(f"\n-: left out, a call is predicted to need more than {limits['seconds_a_call']:g} s or "
                  f"{limits['bytes_a_call'] / 2**30:.3g} GiB")
    out.print()
    out.print(_growth(found))
    for network in found["networks"]:
        out.print("\n" + show.escape(sentence(found, network)))


def _times(found: Record, dtype: str) -> Table:
    rows = [row for row in found["rows"] if row["dtype"] == dtype]
    lengths = shown_lengths(sorted({row["n"] for row in rows}))
    table = _table(f"ms a call, {dtype}", *(f"n = {n:,}" for n in lengths))
    for name in CONTENDERS:
        mine = {row["n"]: row for row in rows if row["architecture"] == name}
        table.add_row(name, *(f"{1e3 * mine[n]['seconds']:.3g}" if n in mine else "-" for n in lengths))
    return table


def _growth(found: Record) -> Table:
    table = _table("fitted", "dtype", "parameters", "time ~ n^", "memory ~ n^", "peak MiB", "at n", "break-even n")
    for fit in found["fits"]:
        name, dtype = fit["architecture"], fit["dtype"]
        rows = [row for row in found["rows"] if (row["architecture"], row["dtype"]) == (name, dtype)]
        if rows:
            last = rows[-1]
            table.add_row(name, dtype, f"{last['n_parameters']:,}", _exponent(fit, "time"), _exponent(fit, "memory"),
                          f"{last['peak_bytes'] / 2**20:.3g}", f"{last['n']:,}",
                          "peer" if name == PEER else _crossing(found, name, dtype))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(first, no_wrap=True)
    for title in others:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def shown_lengths(lengths: Sequence[int]) -> list[int]:
    """Return at most six of the lengths, evenly, the last among them."""
    step = -(-len(lengths) // SHOWN)
    return list(lengths[::-1][::step][::-1]) if lengths else []


def sentence(found: Record, network: Mapping[str, Any]) -> str:
    """Say it in one sentence: same function, same guaranteed error, from which length on it is cheaper."""
    dtype = network["dtype"]
    parts = "; ".join(f"{row['architecture']} {_words(row)}" for row in found["break_even"] if row["dtype"] == dtype)
    return (f"{dtype}: same function, same guaranteed error ({network['certified_bound']}, for every n); break-even with {PEER} "
            f"of width {network['width']}: {parts}.")


def _words(crossing: Mapping[str, Any]) -> str:
    if crossing["n"] is not None:
        return f"at n {_relation(crossing)}"
    return "timed at no length of the peer's" if crossing["up_to"] is None else f"none up to n = {crossing['up_to']:,}"


def _relation(crossing: Mapping[str, Any]) -> str:
    return f"{'<=' if crossing['at_most'] else '='} {crossing['n']:,}"


def _crossing(found: Record, name: str, dtype: str) -> str:
    crossing = next(row for row in found["break_even"] if (row["architecture"], row["dtype"]) == (name, dtype))
    return "none" if crossing["n"] is None else _relation(crossing).removeprefix("= ")


def _exponent(fit: Mapping[str, Any], what: str) -> str:
    value = fit[f"{what}_exponent"]
    return "-" if value is None else f"{value:.2f} ± {fit[f'{what}_exponent_error']:.2f}"
