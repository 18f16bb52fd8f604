"""The commands that do work, each from options to exit code."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from constructions.construct import Construction
from constructions.domains import Box
from constructions.errors import BadInput, Interrupted, Refused
from proofs_check.certify import certify as certify_run
from proofs_check.decimals import shortest_above
from proofs_check.kernel import Certificate, Claim, Refuted, Verdict
from proofs_check.proof_tree import proof_tree
from proofs_check.run_files import read_run, understanding
from uat import devices, pipeline, show
from uat.output import naming
from uat.progress import progress
from uat.request import Request, Subdivision, Trained, worked_on
from uat.run_directory import choose_directory, method_text, status_text, write_run
from uat.sampling import Sampled
from uat.stored_run import open_run

LONGEST = 2**53  # tokens of a sequence that is sampled
DOUBT = "the error of the long sequence, in float64 and not enclosed, exceeds the bound"


def plan(request: Request, *, as_json: bool) -> int:
    """Show for each length what each construction would need, and the discretised one in detail where it was asked for.

    Returns 1 where none applies at some length.
    """
    records, code = [], 0
    for k, n in enumerate(request.lengths()):
        if k and not as_json:
            show.console().rule()
        record, good = (_plan_grid if request.method == "grid" else _plan_all)(request, n, as_json)
        records.append(record)
        code = code if good else 1
    if as_json:
        show.print_json(records[0] if len(records) == 1 else {"plans": records})
    return code


def _plan_grid(request: Request, n: int | None, as_json: bool) -> tuple[dict[str, Any], bool]:
    try:
        found = pipeline.prepare(request, n)
    except Refused as refused:
        if len(request.lengths()) == 1:
            raise
        if not as_json:  # other lengths may do
            show.console().print(f"n = {n}: refused: {show.escape(str(refused))}")
        return {"n": n, "method": None, "reason": str(refused)}, False
    if not as_json:
        show.plan(*found)
    return show.plan_record(*found), True


def _plan_all(request: Request, n: int | None, as_json: bool) -> tuple[dict[str, Any], bool]:
    with progress() as report:
        target, _, found = pipeline.candidates(request, n, report)
    if not as_json:
        show.candidates(target, request.tolerance(), found)
    return show.candidates_record(target, request.tolerance(), found), any(c.parameters is not None for c in found)


def construct(request: Request, *, out: str | None, samples: int | None, device: str, as_json: bool) -> int:
    """Build, prove, sample, write; return the exit code.

    A construction for every n is built once and sampled at all lengths asked for; any other is built for each of them.
    """
    _check_search(samples, device)
    if out is not None:
        choose_directory(out, "")
    written = list[Path]()
    try:
        with naming(written):
            return _constructed(request, out, samples, device, as_json, written)
    except KeyboardInterrupt:
        if not written:
            raise
        raise Interrupted(f"{', '.join(map(str, written))} was written, nothing after it") from None


def _constructed(request: Request, out: str | None, samples: int | None, device: str, as_json: bool, written: list[Path]) -> int:
    from proofs_check.executors import executor as workers

    lengths = request.lengths()
    sampled_at = [n for n in lengths if n is not None]
    records, code = [], 0
    for k, n in enumerate(lengths):
        with progress() as report, workers("processes", "proofs_check.sampling") as pool:
            outcome = pipeline.run(request, n, sampled_at, samples=samples, device=device, report=report, executor=pool)
        several = len(lengths) > 1 and not outcome.construction.every_n
        run = None
        if outcome.certificate is not None:
            place = f"{out}-n{n}" if out is not None and several else out
            run = choose_directory(place, pipeline.default_name(request, outcome.construction))
            write_run(run, outcome.stored, outcome.plan_record, outcome.certificate)
            written.append(run)
        code = code if outcome.certificate is not None else 1
        records.append(construct_record(outcome, run))
        if not as_json:
            if k:
                show.console().rule()
            _show_construct(outcome, run)
        if outcome.construction.every_n:
            break
    if as_json:
        show.print_json(records[0] if len(records) == 1 else {"runs": records})
    return code


def certify(run: str, *, import_callable: bool, as_json: bool) -> int:
    """Re-prove a run directory; return the exit code."""
    start = time.perf_counter()
    with progress() as report:
        files = read_run(Path(run))
        verdict = certify_run(files, report, import_callable=import_callable)
    seconds = time.perf_counter() - start
    if as_json:
        show.print_json(certify_record(verdict, seconds))
    else:
        _show_claim(verdict.claim)
        _show_verdict(verdict, f"re-proved from {run} in {seconds:.1f} s")
        _show_proof(verdict)
    return 0 if isinstance(verdict, Certificate) else 1


def subdivide(subject: str | Trained, asked: Subdivision, *, as_json: bool) -> int:
    """Certify a run directory or a trained network by subdivision; return the exit code."""
    from proofs_check.executors import executor as workers
    from proofs_check.subdivision import certify_by_subdivision, problem_of, problem_of_trained
    from proofs_check.trained import assumed

    start, device = time.perf_counter(), devices.accelerator(asked.device)
    seconds, checkpoint, assumptions = asked.time(), asked.file(), tuple[str, ...]()
    if isinstance(subject, Trained):
        target, bound = subject.resolved(asked.n), asked.tolerance({})
        claim, problem = problem_of_trained(target, Path(subject.network), subject.pooling, bound, subject.phi)
        assumptions = assumed(Path(subject.network), subject.phi, problem.network)
    else:
        files = read_run(Path(subject))
        with understanding(subject):
            bound = asked.tolerance(files.plan)
        claim, problem = problem_of(files, asked.n, bound)
    try:
        judged_on = "cpu" if device is None else asked.device
        with progress() as report, workers(worked_on(asked.executor, judged_on)) as pool:
            verdict, search = certify_by_subdivision(
                claim, problem, seconds=seconds, checkpoint=checkpoint, executor=pool, device=device,
                assumptions=assumptions,
                after_round=lambda state: report("boxes settled", state.judged - state.waiting.bound.size, state.judged))
    except KeyboardInterrupt:  # a second one: the first ends the search alone
        if checkpoint is None or not checkpoint.exists():
            raise
        raise Interrupted(f"what is finished is in {checkpoint}") from None
    spent = time.perf_counter() - start
    if as_json:
        show.print_json({**certify_record(verdict, spent), "n": verdict.claim.n, "boxes": search.judged,
                         "waiting": int(search.waiting.bound.size), "error_at_least": search.occurs,
                         "checkpoint_error": search.unkept or None})
    else:
        _show_claim(verdict.claim)
        _show_verdict(verdict, f"n = {verdict.claim.n}, {search.judged:,} boxes in {spent:.1f} s")
        _show_proof(verdict)
        show.console().print(f"an error of {show.found_text(search.occurs)} certainly occurs at the centre of a box")
        _show_broken(search.broken)
        if search.waiting.bound.size and not isinstance(verdict, Refuted) and not search.unkept:
            show.console().print(f"{search.waiting.bound.size:,} boxes wait: more --seconds go further"
                                 + (f", from {show.escape(str(checkpoint))}" if checkpoint and checkpoint.exists() else ""))
    if search.unkept and search.waiting.bound.size and not isinstance(verdict, Refuted):
        earlier = ", the file holds an earlier state" if checkpoint and checkpoint.exists() else ""
        raise BadInput(f"{search.unkept}; the search ended with the best bound so far{earlier}")
    return 0 if isinstance(verdict, Certificate) else 1


def sample(run: str, *, samples: int | None, device: str, seed: int, import_callable: bool, as_json: bool,
           n: int | None = None, executor: str | None = None) -> int:
    """Search a stored run for its worst error, for a run about every n at any length; return the exit code."""
    from proofs_check.executors import executor as workers

    _check_search(samples, device)
    if samples == 0:
        raise BadInput("--samples 0: expected at least 1")
    opened = open_run(run, import_callable=import_callable)
    claim = opened.claim
    if n is not None and n != claim.n:
        if not claim.every_n:
            raise BadInput(f"--n {n}: the run is about n = {claim.n} alone")
        if n > LONGEST:
            raise BadInput(f"--n {n}: expected at most {LONGEST} tokens, as far as float64 counts")
        opened = opened.at(n)
    place = "cpu" if devices.accelerator(device) is None else device
    with progress() as report, workers(worked_on(executor, place), "proofs_check.sampling") as pool:
        found = opened.sample(samples, seed, report, device, pool, so_far=True)
    tightness = _tightness(claim, found)
    if as_json:
        show.print_json({"certified_bound": show.bound_text(claim.bound), "certified_bound_exact": str(claim.bound),
                         **found.to_json(), "tightness": tightness, "interrupted": found.interrupted})
    else:
        _show_sample(show.console(), claim, found, "; ".join(opened.files.certificate.get("assumptions", [])[:1])
                     if opened.files.certificate.get("status") == "assumed" else "")
        _show_broken(found.broken)
    if found.refutes or found.doubtful:
        return 1
    if found.interrupted:
        raise Interrupted(f"this is the worst error of the first {found.samples:,} sequences")
    return 0


def construct_record(outcome: pipeline.Outcome, run: Path | None) -> dict[str, Any]:
    """Return the object of ``construct --json``."""
    construction, verdict = outcome.construction, outcome.verdict
    record, claim = outcome.plan_record, verdict.claim
    worst = max(outcome.sampled, key=lambda found: found.maximum, default=None)
    certified = outcome.certificate is not None
    contradiction = {}
    if outcome.refuted:
        contradiction = {"status": "refuted", "reason": "a sampled error exceeds the bound"}
    elif outcome.doubtful:
        contradiction = {"status": "undecided", "reason": DOUBT}
    known = ("target", "expression", "n", "every_n", "d", "d_out", "domain", "positional", "eps", "method", "code")
    return {
        **{key: record[key] for key in known if key in record},
        "for_every_n": outcome.longer and {"method": outcome.longer.method, "parameters": outcome.longer.parameters},
        "d_latent": construction.sumformer.d_latent,
        "certified_bound": show.bound_text(claim.bound) if certified else None,
        "certified_bound_exact": str(claim.bound) if certified else None, **_verdict_entries(verdict), **contradiction,
        "sampled_max": worst.maximum if worst else None, "tightness": _tightness(claim, worst) if worst else None,
        "sample": worst.to_json() if worst else None,
        "samples_by_length": [found.to_json() for found in outcome.sampled],
        "architectures": {row["name"]: {key: value for key, value in row.items() if key != "name"}
                          for row in architecture_rows(outcome)},
        "seconds": {stage: round(value, 3) for stage, value in outcome.seconds.items()}, "run": str(run) if run else None,
    }


def certify_record(verdict: Verdict, seconds: float) -> dict[str, Any]:
    """Return the object of ``certify --json``."""
    proved = verdict.proved_bound if isinstance(verdict, Certificate) else None
    return {"certified_bound": show.bound_text(proved) if proved is not None else None,
            "certified_bound_exact": str(proved) if proved is not None else None,
            "claimed_bound": show.bound_text(verdict.claim.bound), "method": method_text(verdict),
            **_verdict_entries(verdict),
            "proof": proof_tree(verdict).to_json() if isinstance(verdict, Certificate) else None, "seconds": round(seconds, 3)}


def architecture_rows(outcome: pipeline.Outcome) -> list[dict[str, Any]]:
    """Return sizes and deviations of the Sumformer and every architecture."""
    sumformer = outcome.construction.sumformer
    rows: list[dict[str, Any]] = [{"name": "sumformer", "n_parameters": sumformer.n_parameters, "n_nonzero": sumformer.n_nonzero,
                                   "depth": sumformer.depth, "width": sumformer.width, "max_deviation": 0.0}]
    deviations: dict[str, float] = {}
    for found in outcome.sampled:
        deviations |= {name: max(gap, deviations.get(name, 0.0)) for name, gap in found.deviations.items()}
    return rows + [{"name": a.name, "n_parameters": a.n_parameters, "n_nonzero": a.n_nonzero, "depth": a.depth,
                    "width": a.width, "max_deviation": deviations.get(a.name)} for a in outcome.construction.architectures]


def _verdict_entries(verdict: Verdict) -> dict[str, Any]:
    return {"status": status_text(verdict), "reason": None if isinstance(verdict, Certificate) else verdict.reason,
            "assumptions": list(verdict.assumptions) if isinstance(verdict, Certificate) else [],
            "budget": [step.to_json() for step in verdict.steps]}


def _tightness(claim: Claim, found: Sampled) -> float | None:
    return float(claim.bound) / found.maximum if found.maximum > 0 else None


def _check_search(samples: int | None, device: str) -> None:
    if samples is not None and samples < 0:
        raise BadInput(f"--samples {samples}: expected a number >= 0")
    devices.check_device(device)


def _show_construct(outcome: pipeline.Outcome, run: Path | None) -> None:
    out, construction = show.console(), outcome.construction
    target = construction.target
    out.print(f"[bold]{show.escape(target.name)}[/bold]: f(X)_i = {show.escape(target.text)}")
    length = "every n >= 2" if construction.every_n else f"n = {target.n} tokens"
    out.print(f"on {show.escape(str(target.box))}, {length}, eps = {shortest_above(construction.tolerance)}; "
              f"{_described(construction)}, d' = {construction.sumformer.d_latent}")
    if outcome.longer is not None:
        out.print(f"n = {target.n} alone needs fewer; for every n >= 2 it takes {outcome.longer.parameters:,} non-zero "
                  f"parameters: --method {outcome.longer.method}")
    out.print()
    _show_verdict(outcome.verdict, "")
    if not isinstance(outcome.verdict, Certificate):
        return
    out.print()
    out.print(show.architecture_table(architecture_rows(outcome)))
    for found in outcome.sampled:
        out.print()
        _show_sample(out, outcome.verdict.claim, found, _declared(construction))
    spent = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in outcome.seconds.items())
    out.print(f"\nseconds: {spent}")
    out.print(f"written to {run}" if run else "nothing written")


def _show_broken(why: str) -> None:
    if why:
        show.console().print(f"the executor broke, and what was left was done here: {show.escape(why)}")


def _described(construction: pipeline.AnyConstruction) -> str:
    if isinstance(construction, Construction):
        planned = construction.plan
        return f"{planned.cells} cells, {planned.table_entries:,} table entries, {planned.code.name} code"
    return f"{construction.method}, {construction.sumformer.n_nonzero:,} non-zero parameters"


def _declared(construction: pipeline.AnyConstruction) -> str:
    return construction.plan.modulus.assumption if isinstance(construction, Construction) else ""


def _show_claim(claim: Claim) -> None:
    """Say what is claimed of what: a run directory may be called anything."""
    length = "every n >= 2" if claim.every_n else f"n = {claim.n} tokens"
    sides = Box(tuple(a for a, _ in claim.domain), tuple(b for _, b in claim.domain))
    first = f"[bold]{show.escape(claim.target)}[/bold]: f(X)_i = {show.escape(claim.expression)}"
    first = first.replace("\n", "\\n")  # no text has a line of its own
    show.console().print(first)
    show.console().print(f"on {show.escape(str(sides))}, {length}; claimed bound {show.bound_text(claim.bound)}\n")


def _show_verdict(verdict: Verdict, title: str) -> None:
    out = show.console()
    out.print(show.budget_table(verdict.steps))
    claim = verdict.claim
    if isinstance(verdict, Certificate):
        scope = "on the whole domain" + (", for every n >= 2" if claim.every_n else "")
        out.print(f"\n[bold green]{verdict.status.value}[/bold green]: ||f - T|| <= "
                  f"[bold]{show.bound_text(verdict.proved_bound)}[/bold] {scope}, for T = {', '.join(claim.networks)}"
                  + (f"  ({show.escape(title)})" if title else ""))
        out.print("assuming: " + "; ".join(show.escape(text) for text in verdict.assumptions))
        return
    out.print(f"\n[bold red]{status_text(verdict)}[/bold red]: {show.escape(verdict.reason)}")
    best = None if isinstance(verdict, Refuted) else verdict.best_bound
    out.print(f"claimed bound {show.bound_text(claim.bound)}, best bound proved {show.bound_text(best)}")


def _show_proof(verdict: Verdict) -> None:
    if isinstance(verdict, Certificate):
        show.console().print("\nproof:", show.proof(verdict), sep="\n")


def _show_sample(out: Console, claim: Claim, found: Sampled, assumption: str) -> None:
    length = f" of {found.n} tokens" if claim.every_n else ""
    stopped = "interrupted: " if found.interrupted else ""
    out.print(f"{stopped}sampled {found.samples:,} sequences{length} on {found.device}, {found.throughput:,.0f} a second; "
              f"largest error found by {found.found_by}")
    different = "" if found.counts is None else f", {len(found.counts)} different ones a sequence"
    out.print(f"read {found.tokens_read:,.0f} tokens a second{different}; {100 * found.bandwidth_share:.2g} % of the memory "
              f"bandwidth")
    relation = ">" if found.refutes else "<="
    out.print(f"sandwich: sampled {show.found_text(found.maximum)} {relation} certified {show.bound_text(claim.bound)}; "
              f"tightness {_shown_tightness(_tightness(claim, found))}")
    out.print(f"witness: token {found.own + 1} of X = [{_shown_witness(found)}]".replace("[", "\\["))
    if found.streamed is not None:
        out.print(_shown_stream(found.n, found.streamed))
    if found.refutes:
        blame = f"so this is false: {assumption}" if assumption else "please report this"
        out.print(f"[bold red]refuted[/bold red]: the error at the witness exceeds the bound; {show.escape(blame)}")
    elif found.doubtful:
        out.print(f"[bold red]undecided[/bold red]: {DOUBT}; please report this")


def _shown_stream(n: int, streamed: dict[str, float]) -> str:
    return (f"one sequence of {n:,} different tokens: error {show.found_text(streamed['error'])} at "
            f"{streamed['tokens_looked_at']} of them (in float64, not enclosed); read "
            f"{streamed['tokens_per_second']:,.0f} tokens a second, "
            f"{100 * streamed['bandwidth_share']:.2g} % of the memory bandwidth")


def _shown_witness(found: Sampled) -> str:
    tokens = ["(" + ", ".join(f"{x:.17g}" for x in token) + ")" for token in found.witness]
    if found.counts is not None:
        often: dict[str, int] = {}
        for token, times in zip(tokens, found.counts, strict=True):
            often[token] = often.get(token, 0) + times
        tokens = [token if times == 1 else f"{token} {times:,} times" for token, times in often.items()]
    return ", ".join(tokens if len(tokens) <= 8 else [*tokens[:4], f".. {len(tokens) - 8} more ..", *tokens[-4:]])


def _shown_tightness(value: float | None) -> str:
    return "-" if value is None else f"{math.ceil(value * 1000) / 1000:.3f}"

