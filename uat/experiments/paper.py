"""What both of the paper's figures share: a stack of Sumformers of one kind, trained, and a row for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from constructions.targets.target import Target
from uat.experiments.context import Context, Row
from uat.experiments.data import examples
from uat.experiments.extracted import Extracted
from uat.experiments.sumformers import Member, StackedSumformer
from uat.experiments.training import Schedule, train
from uat.experiments.worst import worst_error

VALIDATION = 1000  # sequences; the paper does not give the number


@dataclass(frozen=True)
class Pupil:
    """One network to train: what it learns, with which latent dimension, as which repetition."""

    target: Target
    d_latent: int
    seed: int

    @property
    def name(self) -> str:
        """What seeds its weights."""
        return f"{self.target.name} d={self.target.d} d'={self.d_latent} seed={self.seed}"


def trained_rows(kind: str, pupils: Sequence[Pupil], points: int, schedule: Schedule, samples: int, context: Context, name: str,
                 checkpoint: Path | None) -> list[Row]:
    """Train a stack of one kind on targets of one n and d; return error curve, best error and worst error of every member."""
    targets = list(dict.fromkeys(pupil.target for pupil in pupils))
    data = examples(targets, points, VALIDATION, context.seed, context.device, [targets.index(one.target) for one in pupils])
    first = targets[0]
    stack = StackedSumformer(kind, [Member(one.name, one.d_latent) for one in pupils], first.d, first.d_out, context.seed)
    stack.standardise(*(part.cpu() for part in data.spread()))
    stack.to(context.device)
    done = train(stack, data, schedule, seed=context.seed, name=name, report=context.report, checkpoint=checkpoint)
    sizes = data.unseen_wanted.flatten(1).square().mean(1).sqrt().tolist()
    rows = []
    for e, one in enumerate(pupils):
        worst = worst_error(one.target, Extracted.of(stack, e), samples=samples, seed=context.seed, device=context.device)
        context.report(f"{name}: worst errors", e + 1, len(pupils))
        rows.append({"model": kind, "target": one.target.name, "n": one.target.n, "d": one.target.d, "d_latent": one.d_latent,
                     "seed": one.seed, "n_parameters": stack.parameters_of(e), "epochs": done.epochs,
                     "relative_l2": done.best[e], "last_relative_l2": done.history[-1]["error"][e], "rms": sizes[e],
                     "sup_error": worst.error,
                     "seconds": done.seconds / len(pupils),
                     "curve": [[entry["epoch"], entry["error"][e]] for entry in done.history]})
    return rows
