"""``uat check``: run the proof step by step and say of each step what is known, with the counterexamples of what is false."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from constructions.errors import BadInput
from constructions.progress import Report, silent
from proofs_check.certify import certify
from proofs_check.dag import inherited, proof_order, selected
from proofs_check.decimals import counted
from proofs_check.feature_maps import obstruction_for
from proofs_check.instances import instance_constants
from proofs_check.kernel import Certificate, Status, Verdict
from proofs_check.proof import ProofStep, StepResult
from proofs_check.run_files import read_run
from proofs_check.runner import Run, Settings, run_steps
from proofs_check.step_cache import StepCache, default_folder
from proofs_check.steps import all_steps
from uat import show
from uat.files import refuse_unwritable
from uat.progress import progress
from uat.proof_drawing import mermaid, svg
from uat.run_directory import status_text

PROFILES, DEVICES = ("fast", "full"), ("auto", "cpu", "cuda")
WIDTH = 100
ONE_FEATURE = "one-dimensional-latent-transformer"


@dataclass(frozen=True)
class CheckRequest:
    """Options of ``check`` as typed."""

    named: tuple[str, ...] = ()
    upto: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    profile: str = "full"
    device: str = "cpu"
    seed: int = 0
    phi: str | None = None
    svg: str | None = None
    mermaid: bool = False
    jobs: int | None = None
    cache: bool = True
    run: str | None = None
    import_callable: bool = False

    def settings(self) -> Settings:
        """Return what the steps are run with.

        Raises:
            BadInput: an unknown profile, a device that is not there, no job at all, or no folder for the picture.
        """
        if self.device not in DEVICES:
            raise BadInput(f"--device {self.device!r}: expected {', '.join(DEVICES[:-1])} or {DEVICES[-1]}")
        if self.device == "cuda":
            from proofs_check.witness import choose_device

            choose_device(self.device)
        if self.svg is not None and not Path(self.svg).parent.is_dir():
            raise BadInput(f"--svg {self.svg}: there is no folder {Path(self.svg).parent}")
        if self.svg is not None:
            refuse_unwritable(Path(self.svg).parent, "--svg")
        if self.profile not in PROFILES:
            raise BadInput(f"--profile {self.profile!r}: expected fast or full")
        if self.jobs is not None and self.jobs < 1:
            raise BadInput(f"--jobs {self.jobs}: expected at least 1")
        return Settings(self.profile == "full", self.device, self.seed, self.phi)


def check(request: CheckRequest, *, as_json: bool) -> int:
    """Run the steps; return 0 if every one of them came out as expected."""
    steps, settings, start = all_steps(), request.settings(), time.perf_counter()
    names = selected(steps, named=request.named, upto=request.upto, only=request.only)
    if request.phi is not None:  # a mistake in it is answered before any work
        about = obstruction_for(request.phi)
        names = [about] if len(names) == len(steps) else names
        if ONE_FEATURE in names and about != ONE_FEATURE:
            raise BadInput(f"--phi {request.phi}: has several features; {ONE_FEATURE} is about one, {about} about several")
    with progress() as report:
        run, weakest, rows = examined(names, settings, jobs=request.jobs, cache=request.cache, report=report)
    good = all(row["status"] == row["expected"] for row in rows)
    seconds = time.perf_counter() - start
    _draw(request, steps, run.results, weakest)
    if request.mermaid:
        print(mermaid(steps, {result.id: result.status for result in run.results}))
    elif as_json:
        show.print_json({"steps": rows, "as_expected": good, "profile": settings.profile, "device": settings.device,
                         "seed": settings.seed, "seconds": round(seconds, 3)})
    else:
        _show(steps, run, rows, seconds)
    return 0 if good else 1


def examined(names: Sequence[str], settings: Settings, *, jobs: int | None = None, cache: bool = True,
             report: Report = silent) -> tuple[Run, Mapping[str, Status | None], list[dict[str, Any]]]:
    """Run steps, unchanged ones from the cache; return the run, what each step inherits, and the rows of ``check --json``."""
    steps = all_steps()
    run = run_steps(names, settings, jobs=jobs or os.cpu_count() or 1, cache=StepCache(default_folder()) if cache else None,
                    report=report)
    weakest = inherited(steps, run.results)
    rows = [step_row(steps[result.id], result, weakest[result.id], result.id in run.cached) for result in run.results]
    return run, weakest, rows


def _draw(request: CheckRequest, steps: Mapping[str, ProofStep], results: Sequence[StepResult],
          weakest: Mapping[str, Status | None]) -> None:
    if request.svg is None:
        return
    picture = svg(steps, {result.id: result.status for result in results}, weakest)
    try:
        Path(request.svg).write_text(picture, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"--svg {request.svg}: {error.strerror or error}") from None


def step_row(step: ProofStep, result: StepResult, weakest: Status | None, cached: bool) -> dict[str, Any]:
    """Return the object of one step in ``check --json``."""
    return {"id": step.id, "status": result.status.value, "expected": step.expected.value, "method": step.method,
            "cases": result.cases, "seconds": round(result.seconds, 3), "depends_on": list(step.depends_on),
            "inherited": weakest.value if weakest else None, "statement": step.plain, "latex": step.latex, "source": step.source,
            "hypotheses": list(step.hypotheses), "corrected_by": step.corrects or None,
            "counterexample": list(result.witness) if result.status is Status.REFUTED else [],
            "checks": [{"claim": check.claim, "method": check.method, "reach": check.reach, "status": check.status.value,
                        "shown": check.what, "counterexample": list(check.witness), "cases": check.cases,
                        "support": check.support, "seconds": round(check.seconds, 3)}
                       for check in result.checks],
            "cached": cached}


def check_run(request: CheckRequest, *, as_json: bool) -> int:
    """Instantiate the proof for a run directory: every constant with its value, beside what is known in general and here.

    Returns 0 if the run is certified and the general steps came out as expected.

    Raises:
        BadInput: steps, a feature map or a drawing were asked for as well: a run says which steps it needs.
    """
    if request.named or request.upto or request.only or request.phi or request.svg or request.mermaid:
        raise BadInput("check --run instantiates the steps that the run needs: it takes no STEP, --upto, --only, --phi, --svg or "
                       "--mermaid")
    steps, settings, start = all_steps(), request.settings(), time.perf_counter()
    with progress() as report:
        files = read_run(Path(str(request.run)))
        verdict = certify(files, report, import_callable=request.import_callable)
        constants = instance_constants(files, verdict)
        names = [name for name in proof_order(steps) if name in {constant.step for constant in constants}]
        cache = StepCache(default_folder()) if request.cache else None
        done = run_steps(names, settings, jobs=request.jobs or os.cpu_count() or 1, cache=cache, report=report)
    general = {result.id: result.status for result in done.results}
    here = {step.id: step.status for step in verdict.steps}
    good = isinstance(verdict, Certificate) and all(steps[name].expected is status for name, status in general.items())
    rows = [{"step": c.step, "general": general[c.step].value, "here": here[c.step].value if c.step in here else None,
             "name": c.name, "value": c.value} for name in names for c in constants if c.step == name]
    bound = verdict.proved_bound if isinstance(verdict, Certificate) else None
    if as_json:
        show.print_json({"run": request.run, "constants": rows, "certified_bound": show.bound_text(bound) if bound else None,
                         "status": status_text(verdict),
                         "as_expected": good, "seconds": round(time.perf_counter() - start, 3)})
    else:
        _show_run(request, verdict, rows)
    return 0 if good else 1


def _show_run(request: CheckRequest, verdict: Verdict, rows: Sequence[Mapping[str, Any]]) -> None:
    out = show.console(WIDTH)
    out.print(show.escape(f"{verdict.claim.target}: f(X)_i = {verdict.claim.expression}, from {request.run}"))
    table = Table(box=None, header_style="bold", pad_edge=False, width=WIDTH)
    for column in ("step", "general", "here"):
        table.add_column(column, no_wrap=True)
    table.add_column("constant", overflow="fold")
    table.add_column("value", overflow="fold")
    previous = ""
    for row in rows:
        first = row["step"] != previous
        table.add_row(row["step"] if first else "", row["general"] if first else "", (row["here"] or "-") if first else "",
                      show.escape(row["name"]), show.escape(row["value"]))
        previous = row["step"]
    out.print(table)
    if isinstance(verdict, Certificate):
        out.print(f"\n[bold green]{verdict.status.value}[/bold green]: ||f - T|| <= {show.bound_text(verdict.proved_bound)}")
    else:
        out.print(f"\n[bold red]not certified[/bold red]: {show.escape(verdict.reason)}")


def _show(steps: Mapping[str, ProofStep], run: Run, rows: Sequence[Mapping[str, Any]], seconds: float) -> None:
    out = show.console(WIDTH)
    out.print(_table(rows))
    for row, result in zip(rows, run.results, strict=True):
        step = steps[result.id]
        if row["status"] != row["expected"]:
            out.print(f"\n[bold red]{step.id}[/bold red]: {row['status']}, expected {row['expected']}")
            for check in result.checks:
                if check.status.rank >= Status.UNDECIDED.rank:
                    out.print(show.escape(f"  {check.claim}: {check.what}"))
                    _lines(out, check.witness)
        elif result.witness:
            out.print(f"\n[bold]{step.id}[/bold]: {show.escape(step.plain)}")
            for check in result.checks:
                _lines(out, check.witness)
    out.print("\n" + _summary(rows, len(run.cached), seconds))


def _lines(out: Any, witness: Sequence[str]) -> None:
    for line in witness:
        out.print(show.escape(f"  {line}"), highlight=False)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, width=WIDTH)
    for column in ("step", "status", "inherited"):
        table.add_column(column, no_wrap=True)
    table.add_column("method", overflow="fold")
    for column in ("cases", "s"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row["id"], _status(row), row["inherited"] or "not run", show.escape(row["method"]), f"{row['cases']:,}",
                      f"{row['seconds']:.1f}")
    return table


def _status(row: Mapping[str, Any]) -> str:
    colour = "red" if row["status"] != row["expected"] else {"proved": "green", "certified": "green"}.get(row["status"], "yellow")
    return f"[{colour}]{row['status']}[/{colour}]"


def _summary(rows: Sequence[Mapping[str, Any]], cached: int, seconds: float) -> str:
    counts = {status.value: sum(row["status"] == status.value for row in rows) for status in Status}
    shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    wrong = sum(row["status"] != row["expected"] for row in rows)
    verdict = "all as expected" if not wrong else f"[bold red]{wrong} not as expected[/bold red]"
    kept = f", {cached} cached" if cached else ""
    return f"{counted(len(rows), 'step')}: {shown}; {verdict}; {sum(row['cases'] for row in rows):,} cases, {seconds:.1f} s{kept}"
