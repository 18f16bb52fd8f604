"""The paper's figure 1: Polynomial and MLP Sumformer on polynomial and other targets, n = 5, d = 4, error over the epochs.

The paper prints neither its targets nor optimiser and learning rate. These are ours: two targets of each type, Adam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean

from constructions.domains import Box
from constructions.targets.target import Target
from uat.experiments.context import Context, Row
from uat.experiments.monomials import printed_latent_dimension
from uat.experiments.paper import Pupil, trained_rows
from uat.experiments.sumformers import KINDS
from uat.experiments.training import Schedule

TITLE = "Figure 1: learning curves of the Polynomial and the MLP Sumformer, n = 5, d = 4"
COLUMNS = ("target", "model", "seed", "d_latent", "n_parameters", "epochs", "relative_l2", "sup_error", "rms", "seconds")
N, D = 5, 4
_DOT = " + ".join(f"x[{c}]*y[{c}]" for c in range(D))
_SQUARE = " + ".join(f"(x[{c}]-y[{c}])**2" for c in range(D))
POLYNOMIAL = {"squared-similarity": f"mean(({_DOT})**2)",
              "moment-interaction": "x[0]*mean(y[1]**2) - x[2]**2*mean(y[3]) + mean(y[0])*mean(y[1]*y[2])"}
OTHER = {"attention": f"sum(exp({_DOT})*y[0])/sum(exp({_DOT}))", "gaussian-kernel": f"mean(exp(-2*({_SQUARE})))"}


@dataclass(frozen=True)
class Settings:
    """Points, repetitions, epochs and samples of a search."""

    points: int = 2000
    seeds: int = 5
    epochs: int = 250
    samples: int = 1_000_000


SETTINGS = {"small": Settings(seeds=1, samples=50_000), "full": Settings()}


def targets() -> list[Target]:
    """Return the four targets, the polynomial ones first."""
    return [Target.from_text(text, n=N, box=Box.parse("0,1", D), name=name) for name, text in (POLYNOMIAL | OTHER).items()]


def rows(settings: Settings, context: Context) -> list[Row]:
    """Train both kinds on all targets, each kind as one stack."""
    pupils = [Pupil(target, printed_latent_dimension(N, D), seed) for target in targets() for seed in range(settings.seeds)]
    schedule = Schedule(settings.epochs)
    found: list[Row] = []
    for kind in KINDS:
        found += context.unit(kind, partial(trained_rows, kind, pupils, settings.points, schedule, settings.samples, context,
                                            f"figure 1, {kind}"))
    for row in found:
        row["type"] = "polynomial" if row["target"] in POLYNOMIAL else "other"
    return sorted(found, key=lambda row: ([*POLYNOMIAL, *OTHER].index(row["target"]), row["seed"]))


def reduced(settings: Settings) -> list[str]:
    """Say what a profile leaves out of the full one."""
    full = SETTINGS["full"]
    changes = [(f"{settings.seeds} seed instead of {full.seeds}", settings.seeds != full.seeds),
               (f"{settings.points:,} points instead of {full.points:,}", settings.points != full.points),
               (f"{settings.epochs} epochs instead of {full.epochs}", settings.epochs != full.epochs),
               (f"{settings.samples:,} samples a search instead of {full.samples:,}", settings.samples != full.samples)]
    return [text for text, changed in changes if changed]


def finding(found: Sequence[Row]) -> str:
    """Compare both kinds on both types of targets: mean relative L2, and which is better."""
    sentences = []
    for kind_of_target, names in (("polynomial", POLYNOMIAL), ("other", OTHER)):
        error = {model: mean(row["relative_l2"] for row in found if row["model"] == model and row["target"] in names)
                 for model in KINDS}
        worst = max(row["sup_error"] / row["rms"] for row in found if row["target"] in names)
        better = min(error, key=lambda model: error[model])
        sentences.append(f"On the {kind_of_target} targets the Polynomial Sumformer ends at a relative L2 error of "
                         f"{error['polynomial']:.3g}, the MLP Sumformer at {error['mlp']:.3g} (the {better} one is better); the "
                         f"worst error found is up to {worst:.2g} times the root mean square of the target.")
    return " ".join(sentences)
