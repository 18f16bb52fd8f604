"""``uat report``: read a run, prove it again, search it, and write one HTML page about it."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from constructions.errors import BadInput
from proofs_check.certify import TRUST, certify
from proofs_check.kernel import Certificate, Refuted, decimal_above
from proofs_check.run_files import understanding
from uat import show
from uat.figures import error_map
from uat.figures.figure import Gathering
from uat.files import refuse_unwritable, replace_file
from uat.progress import progress
from uat.report.content import content
from uat.report.verdict import known
from uat.run_directory import method_text
from uat.stored_run import open_run


def report(run: str, *, out: str | None, samples: int, seed: int, recheck: bool, import_callable: bool) -> int:
    """Write the page; return 0 if it shows a certificate that nothing contradicts, else 1."""
    if samples < 0:
        raise BadInput(f"--samples {samples}: expected a number >= 0")
    path = Path(out) if out is not None else Path(run).with_name(f"{Path(run).resolve().name}.html")
    if path.is_dir():
        raise BadInput(f"--out {path}: is a folder; expected the name of a file")
    refuse_unwritable(path.parent)
    start = time.perf_counter()
    with progress() as told:
        opened = open_run(run, import_callable=import_callable)
        verdict = certify(opened.files, told, import_callable=import_callable) if recheck else None
        proving = time.perf_counter() - start if recheck else 0.0
        broken = isinstance(verdict, Refuted)
        found = opened.sample(samples, seed, told) if samples and not broken else None
        found = found and error_map.worst(Gathering(seed, False, told, opened, found))  # the page shows that map
        stored = opened.files.certificate
        with understanding(run):
            state = known(opened.claim, stored, verdict, found, TRUST,
                          method_text(verdict) if isinstance(verdict, Certificate) else str(stored["method"]))
            page = rendered(content(opened, state, found, seconds=proving, seed=seed))
    replace_file(path, page)
    spent = time.perf_counter() - start
    colour = "green" if state.state == "proved" else "red" if state.state == "refuted" else "yellow"
    show.console().print(f"[bold {colour}]{state.state}[/bold {colour}]; {len(page.encode()):,} bytes in {spent:.1f} s"
                         + (f", {proving:.1f} of them for the proof" if recheck else "; the bound was not proved again")
                         + f"\nwritten to {show.escape(str(path))}")
    return 0 if state.holds else 1


def rendered(variables: dict[str, Any]) -> str:
    """Fill the template; every variable is escaped."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    environment.filters["share"] = lambda exact: decimal_above(Fraction(exact))
    return environment.get_template("page.html").render(variables)
