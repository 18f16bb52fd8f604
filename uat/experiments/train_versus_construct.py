"""Trained Sumformers against the constructed one: error at equal wall time.

Construction is charged with planning, building and certifying. Each trained network gets that wall time, or a longer budget, on
the same machine with the same threads; validation is not charged to it. Worst errors come from the same search with as many
samples and the same seed; that of the constructed network also knows where it bends. Trained networks of both kinds are certified
too, by subdivision.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch

from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.kernel import Certificate
from uat import pipeline, show
from uat.experiments.context import Context, Row
from uat.experiments.data import examples, sequences
from uat.experiments.extracted import Extracted
from uat.experiments.monomials import printed_latent_dimension
from uat.experiments.proved import proved_bound
from uat.experiments.sumformers import KINDS, Member, StackedSumformer
from uat.experiments.training import Schedule, relative_l2, train
from uat.experiments.worst import worst_error
from uat.request import Request

TITLE = "Trained Sumformers against the constructed one, at equal wall time"
COLUMNS = ("model", "target", "eps", "against_eps", "n_parameters", "seconds", "relative_l2", "sup_error", "certified")
TRAINING, VALIDATION = 2000, 1000
# Of learning rates 1e-3, 3e-3 and 1e-2 and batches of 100 and 400, what gave both trained networks the lowest errors in 2 s on f.
BATCH, LEARNING_RATE = 100, 1e-2


@dataclass(frozen=True)
class Settings:
    """What to construct and to train, and how hard to look at it.

    Attributes:
        tolerances: to construct with, for each target.
        budgets: longer ones of training, in seconds.
        samples: of a search for the worst error.
        boxes: about as many are judged in a proof, which ends with the best bound so far.
    """

    tolerances: dict[str, Sequence[str]]
    budgets: dict[str, Sequence[float]]
    samples: int
    boxes: int


SETTINGS = {
    "fast": Settings({"f": ("1e-2", "1e-6"), "kernel-density": ("1e-4",)}, {}, 50_000, 2**12),
    "small": Settings({"f": ("1e-2", "1e-4", "1e-6"), "kernel-density": ("1e-4",)}, {"f": (10.0,)}, 100_000, 2**16),
    "full": Settings({"f": ("1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6", "1e-8"),
                      "kernel-density": ("1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6")},
                     {"f": (10.0, 60.0, 600.0), "kernel-density": (10.0, 60.0, 600.0)}, 1_000_000, 2**20),
}


def rows(settings: Settings, context: Context) -> list[Row]:
    """Construct for every tolerance, train for as long as that took, then for the longer budgets."""
    found: list[Row] = []
    for name, tolerances in settings.tolerances.items():
        target = resolve(name, n=None, d=None, domain="0,1")
        assert isinstance(target, Target)  # a library target is an expression
        _warm_up(target)
        budgets = list[tuple[str | None, float]]()
        for eps in tolerances:
            built = context.unit(f"{name}-{eps}", partial(_constructed, target, eps, settings.samples, context))
            found += built
            budgets.append((eps, built[0]["seconds"]))
        for against, seconds in (*budgets, *((None, float(budget)) for budget in settings.budgets.get(name, ()))):
            for kind in KINDS:
                unit = f"{name}-{kind}-{against or f'{seconds:g}s'}"
                found += context.unit(unit, partial(_trained, target, kind, against, seconds, settings, context))
    return found


def _warm_up(target: Target) -> None:
    """Load what both sides import on first use, so that neither is charged with it."""
    pipeline.run(Request("mean(y)", "1/2", architecture="sumformer"), None, (), samples=0, device="cpu",
                 report=lambda stage, done, total: None)
    stack = StackedSumformer("mlp", [Member("warm-up", 1)], target.d, target.d_out, 0)
    train(stack, examples([target], 100, 10, 0, torch.device("cpu")), Schedule(2), seed=0, name="warm-up")


def _constructed(target: Target, eps: str, samples: int, context: Context, checkpoint: Path | None) -> list[Row]:
    from uat.sampling import sample_network

    context.report(f"constructing {target.name} to {eps}", 0, 0)
    start = time.perf_counter()
    outcome = pipeline.run(Request(target.name, eps, architecture="sumformer", seed=context.seed), None, (), samples=0,
                           device="cpu", report=context.report)
    seconds = time.perf_counter() - start
    sumformer, verdict = outcome.construction.sumformer, outcome.verdict
    certified = verdict.claim.bound if isinstance(verdict, Certificate) else None
    worst = sample_network(target, sumformer, certified or Fraction(eps), samples=samples, device=context.device.type,
                           seed=context.seed, report=context.report)
    tokens = sequences(target, VALIDATION, context.seed, "judging")
    values = torch.from_numpy(sumformer(tokens.numpy()))
    return [{"model": "constructed", "target": target.name, "eps": eps, "against_eps": None, "n": target.n, "d": target.d,
            "d_latent": sumformer.d_latent, "n_parameters": sumformer.n_nonzero, "seconds": seconds, "steps": None,
            "sup_error": worst.maximum, "certified": None if certified is None else float(show.bound_text(certified)),
            "relative_l2": float(relative_l2(values[None], target.torch(tokens)[None]))}]


def _trained(target: Target, kind: str, against: str | None, seconds: float, settings: Settings, context: Context,
             state: Path | None) -> list[Row]:
    """Train for a wall time, judge, certify; nothing is kept of an interrupted one, whose time would not be comparable."""
    d_latent = printed_latent_dimension(target.n, target.d)
    data = examples([target], TRAINING, VALIDATION, context.seed, context.device)
    stack = StackedSumformer(kind, [Member(target.name, d_latent)], target.d, target.d_out, context.seed)
    stack.standardise(*data.spread())
    stack.to(context.device)
    schedule = Schedule(0, BATCH, LEARNING_RATE, seconds=seconds)
    done = train(stack, data, schedule, seed=context.seed, name=f"training {kind} on {target.name}", report=context.report)
    network = Extracted.of(stack, 0)
    tokens = sequences(target, VALIDATION, context.seed, "judging")
    worst = worst_error(target, network, samples=settings.samples, seed=context.seed, device=context.device,
                        report=context.report)
    file = None if state is None else state.with_stem(f"{state.stem}-network")
    bound = proved_bound(target, network, worst.error, boxes=settings.boxes, file=file, report=context.report)
    return [{"model": kind, "target": target.name, "eps": None, "against_eps": against, "n": target.n, "d": target.d,
            "d_latent": d_latent, "n_parameters": stack.parameters_of(0), "seconds": done.seconds, "steps": done.steps,
            "sup_error": worst.error, "certified": None if bound is None else float(show.bound_text(bound)),
            "relative_l2": float(relative_l2(network(tokens)[None], target.torch(tokens)[None]))}]


def reduced(settings: Settings) -> list[str]:
    """Say what a profile leaves out of the full one."""
    full = SETTINGS["full"]
    if settings == full:
        return []
    return [f"tolerances {', '.join(sorted({eps for row in settings.tolerances.values() for eps in row}, reverse=True))}",
            "no longer budgets than that of the construction" if not settings.budgets
            else f"longest training {_longest(settings):g} s instead of {_longest(full):g} s",
            f"{settings.samples:,} samples a search instead of {full.samples:,}",
            f"{settings.boxes:,} boxes a proof instead of {full.boxes:,}"]


def _longest(settings: Settings) -> float:
    return max(max(budgets) for budgets in settings.budgets.values())


def finding(found: Sequence[Row]) -> str:
    """Compare worst errors at equal wall time, target by target, in orders of magnitude."""
    sentences = []
    for name in dict.fromkeys(row["target"] for row in found):
        of_target = [row for row in found if row["target"] == name]
        built = {row["eps"]: row for row in of_target if row["model"] == "constructed" and row["certified"] is not None}
        equal = {eps: min(row["sup_error"] for row in of_target if row["against_eps"] == eps) for eps in built}
        if not equal:
            continue
        eps = max(equal, key=lambda e: equal[e] / built[e]["certified"])
        orders = math.log10(equal[eps] / built[eps]["certified"])
        best = min((row for row in of_target if row["model"] != "constructed"), key=lambda row: row["sup_error"])
        meant = "at least" if orders >= 2 else "only"
        sentences.append(
            f"On {name} the network constructed and certified in {built[eps]['seconds']:.1f} s is off by at most "
            f"{show.bound_text(Fraction(str(built[eps]['certified'])), 3)}, the better one trained for as long by at least "
            f"{show.found_text(equal[eps], 3)}: {meant} "
            f"{math.floor(10 * orders) / 10:.1f} orders of magnitude; the best training of all, {best['seconds']:.0f} s, still "
            f"errs by {show.found_text(best['sup_error'], 3)}.")
    return " ".join(sentences)
