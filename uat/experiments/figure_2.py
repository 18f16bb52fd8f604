"""The paper's figure 2: which latent dimension d' its one printed target needs, for d = 1..10, n = 3.

phi = id and d' = d represent the target exactly, and no continuous phi with d' < d does better than ignoring the sum
(theorem.md: figure-2-target). The paper reads its plot as "presumably exponential" growth of d' with d.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from constructions.targets.library import resolve
from constructions.targets.target import Target
from uat import show
from uat.experiments.context import Context, Row
from uat.experiments.paper import Pupil, trained_rows
from uat.experiments.sumformers import KINDS
from uat.experiments.training import Schedule

TITLE = "Figure 2: error over d and d' on the paper's printed target, n = 3"
COLUMNS = ("d", "model", "d_latent", "n_parameters", "epochs", "relative_l2", "sup_error")
TOGETHER = 64  # latent dimensions up to this are trained in one stack: padding costs less there than one operation more
NEAR_BEST = 1.5  # times the lowest error for this d


@dataclass(frozen=True)
class Settings:
    """The grid, points, repetitions, epochs and samples of a search."""

    dimensions: tuple[int, ...] = tuple(range(1, 11))
    latent: tuple[int, ...] = tuple(2**k for k in range(12))
    points: int = 2000
    seeds: int = 3
    epochs: int = 200
    samples: int = 200_000


SETTINGS = {"small": Settings((1, 2, 3, 4, 6, 8), (1, 2, 4, 8, 16, 32), seeds=1, epochs=100, samples=20_000), "full": Settings()}


def rows(settings: Settings, context: Context) -> list[Row]:
    """Train both kinds for every d; one stack for the small latent dimensions, one for each larger one."""
    found: list[Row] = []
    small = tuple(k for k in settings.latent if k <= TOGETHER)
    groups = [*([small] if small else []), *((k,) for k in settings.latent if k > TOGETHER)]
    for d in settings.dimensions:
        target = resolve("figure-2", n=None, d=d, domain="0,1")
        assert isinstance(target, Target)  # a library target is an expression
        for kind in KINDS:
            for group in groups:
                pupils = [Pupil(target, k, seed) for k in group for seed in range(settings.seeds)]
                found += context.unit(f"{kind}-d{d}-from{group[0]}", partial(
                    trained_rows, kind, pupils, settings.points, Schedule(settings.epochs), settings.samples, context,
                    f"d = {d}, {kind}, d' = {group[0]}.."))
    return found


def reduced(settings: Settings) -> list[str]:
    """Say what a profile leaves out of the full one."""
    full = SETTINGS["full"]
    changes = [(f"d in {', '.join(map(str, settings.dimensions))} instead of 1..10", settings.dimensions != full.dimensions),
               (f"d' up to {settings.latent[-1]} instead of {full.latent[-1]}", settings.latent != full.latent),
               (f"{settings.points:,} points instead of {full.points:,}", settings.points != full.points),
               (f"{settings.epochs} epochs instead of {full.epochs}", settings.epochs != full.epochs),
               (f"{settings.seeds} seed instead of {full.seeds}", settings.seeds != full.seeds),
               (f"{settings.samples:,} samples a search instead of {full.samples:,}", settings.samples != full.samples)]
    return [text for text, changed in changes if changed]


def needed(found: Sequence[Row], model: str, d: int) -> int:
    """Return the least d' whose error (the best seed's) is within 1.5 times the lowest one of this model at this d."""
    best: dict[int, float] = {}
    for row in found:
        if row["model"] == model and row["d"] == d:
            best[row["d_latent"]] = min(row["relative_l2"], best.get(row["d_latent"], float("inf")))
    return min(k for k, error in best.items() if error <= NEAR_BEST * min(best.values()))


def finding(found: Sequence[Row]) -> str:
    """Say for each model which d' was enough, beside d and what below d remains."""
    dimensions = sorted({row["d"] for row in found})
    shown = "; ".join(f"{model}: " + ", ".join(f"{needed(found, model, d)} for d = {d}" for d in dimensions) for model in KINDS)
    below = [row["sup_error"] for row in found if row["d_latent"] < row["d"]]
    least = (f" With d' < d the worst error was never below {show.found_text(min(below), 3)} (no continuous phi gets below 12)."
             if below else "")
    grid = sorted({row["d_latent"] for row in found})
    first = {d: next((k for k in grid if k >= d), None) for d in dimensions}
    agree = [d for d in dimensions if any(needed(found, model, d) == first[d] for model in KINDS)]
    exponential = "nothing exponential" if len(agree) == len(dimensions) else "not exponential, whatever training makes of it"
    return (f"Least d' whose relative L2 error is within {NEAR_BEST} times the lowest for this d: {shown}. "
            f"For {len(agree)} of {len(dimensions)} values of d that is the first d' >= d of the grid, for one or both. "
            f"In theory d' = d is enough, with phi = id, and less is not: {exponential}.{least}")
