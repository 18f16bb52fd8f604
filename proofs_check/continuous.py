"""Certify a continuous construction a priori: derive it again from the target text, and compare every stored weight.

What is proved here by arithmetic of the checker's own is the pooling; the error budget of phi and psi is the builder's sweep,
run again from the target text, and the certificate says so among its assumptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from constructions.continuous import ContinuousConstruction, compile_target, construct_continuous
from constructions.errors import Refused
from constructions.number_formats import FORMATS, exact_number
from constructions.pooling import pooling_head
from constructions.progress import Report
from constructions.storage import store_mean
from constructions.sumformers.compiler import Limits
from constructions.targets.target import AnyTarget, Target
from proofs_check.architecture_check import POOLING_STEPS, pooling_factor
from proofs_check.kernel import Claim, Status, Step
from proofs_check.run_files import RunFiles
from proofs_check.stand_in import CLAIMED, polynomial_steps
from proofs_check.step_network import Rejected

A_PRIORI = ("the builder's error analysis (decomposition, expansions, tables, folds: docs/trust.md) is right; it was run again "
            "from the target text and gave these weights, but not checked by other arithmetic")
# 1/n and its product with another weight are rounded once each; the budget allows for four roundings
LARGEST_DEFECT = {"float64": Fraction(4, 2**53), "float32": Fraction(4, 2**24)}


def continuous_steps(run: RunFiles, claim: Claim, target: AnyTarget, report: Report) -> list[Step]:
    """Return the steps of the proof; a refuted one where the files hold something else than what the derivation gives."""
    report("deriving the network again", 0, 0)
    wrong = _misstated(run, claim, target)
    if wrong or not isinstance(target, Target):
        return [Step("claim", wrong or "an opaque callable has no derivation", Status.REFUTED)]
    try:
        built = rebuilt(run.plan, target, list(run.network["architectures"]))
    except Refused as refused:
        return [Step("sum-decomposition", f"the derivation does not reach the tolerance: {refused}", Status.UNDECIDED)]
    different = _difference(run, built)
    if different:
        return [Step("sum-decomposition", f"{different} is not what the derivation from the target text gives", Status.UNDECIDED)]
    if built.every_n != claim.every_n:
        return [Step("claim", "the claim is about other lengths than those the derivation covers", Status.REFUTED)]
    scope = "every n >= 2" if built.every_n else f"n = {target.n}"
    of = "the polynomial" if built.stands_in else "f"
    steps = [Step("sum-decomposition", f"{of} is a function of the own token and {built.sumformer.d_latent} means, for {scope}",
                  Status.CERTIFIED, assumption=A_PRIORI)]
    steps += [_pooling(run, name, target.n, built.number_format.name) for name in run.network["architectures"]]
    if built.stands_in:
        steps += polynomial_steps(target, built, report)
    steps += [Step(share.id, _scoped(share.id, share.what, built), Status.CERTIFIED, share.bound, needs=("sum-decomposition",))
              for share in built.compiled.shares if not (built.stands_in and share.id == CLAIMED)]
    return steps


def rebuilt(plan: Mapping[str, Any], target: Target, architectures: Sequence[str]) -> ContinuousConstruction:
    """Run the construction that ``plan.json`` describes, from the start."""
    compile_target.cache_clear()
    heads = [pooling_head(name, linformer_k=int(plan["linformer_k"]), performer_features=int(plan["performer_features"]),
                          seed=int(plan["seed"])) for name in architectures]
    limits = Limits(**{key: int(value) for key, value in plan["limits"].items()})
    return construct_continuous(target, exact_number(plan["eps"]), str(plan["method"]), heads, limits=limits,
                                number_format=FORMATS[str(plan["number_format"])])


def _misstated(run: RunFiles, claim: Claim, target: AnyTarget) -> str:
    stated = (claim.target, claim.expression, claim.n, claim.d, claim.d_out, claim.domain)
    actual = (target.name, target.text, target.n, target.d, target.d_out, target.box.sides)
    listed = ("sumformer", *run.network["architectures"])
    if stated != actual or tuple(claim.networks) != listed or claim.bound < 0:
        return "the claim is about another target, domain or network than the one stored"
    return ""


def _difference(run: RunFiles, built: ContinuousConstruction) -> str:
    """Return the first thing in which the stored files differ from the derived network, "" if nothing does."""
    derived = store_mean(built.sumformer, built.architectures)
    if run.network != derived.network:
        return "network.json"
    if set(run.arrays) != set(derived.arrays) or run.exact:
        return f"the set of arrays ({sorted(set(run.arrays) ^ set(derived.arrays))[:3]})"
    for name, array in derived.arrays.items():
        if not np.array_equal(run.arrays[name], array):
            return f"the array {name}"
    return ""


def _pooling(run: RunFiles, name: str, n: int, number_format: str) -> Step:
    """Multiply the stored head out: it must give the mean, up to the rounding of its own weights that the budget allows for."""
    prefix = next(key for key in run.arrays if key.startswith(f"{name}.") and key.endswith(".W_V")).removesuffix("W_V")
    weights = {key.removeprefix(prefix): array for key, array in run.arrays.items() if key.startswith(prefix)}
    try:
        factor = pooling_factor(name, weights, n)
    except Rejected as rejected:
        return Step(POOLING_STEPS[name], str(rejected), Status.REFUTED)
    routes = {Fraction(float(value)) for value in weights["W_V"][np.nonzero(weights["W_V"])]}
    defect = max((abs(n * factor * route - 1) for route in routes), default=Fraction(0))
    if defect > LARGEST_DEFECT[number_format]:
        return Step(POOLING_STEPS[name], f"{name}: pooling gives {float(1 + defect)} times the mean", Status.REFUTED)
    exactly = "exactly the mean" if not defect else "the mean, its weights rounded"
    return Step(POOLING_STEPS[name], f"{name}: attention is {exactly}, blocks hold phi and psi", Status.PROVED)


def _scoped(name: str, what: str, built: ContinuousConstruction) -> str:
    return f"{what}, n <= {built.evaluated_up_to}" if name == "evaluation" else what


