"""Certify a continuous construction: by structure from its weights, or, where that does not reach, by its derivation.

*By structure* (proofs_check.structure): the stored layers are read as polynomials and tables and held against the expression.
Nothing of the builder's error analysis is used. *By derivation*: the construction is run again from the target text and every
stored weight is compared; then the bound is the builder's, and the certificate says so among its assumptions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from textwrap import shorten
from typing import Any

import numpy as np

from constructions.continuous import ContinuousConstruction, compile_target, construct_continuous
from constructions.errors import Refused
from constructions.network.relu import MeanSumformer
from constructions.number_formats import FORMATS, exact_number
from constructions.pooling import pooling_head
from constructions.progress import Report
from constructions.storage import load_mean_sumformer, store_mean
from constructions.sumformers.limits import Limits
from constructions.targets.target import AnyTarget, Target
from proofs_check.architecture_check import LARGEST_IN_STREAM
from proofs_check.certify import is_about
from proofs_check.companions import SUMFORMER, for_every_network
from proofs_check.decimals import counted, decimal_above
from proofs_check.definedness import defined_by, definedness_step
from proofs_check.evaluation import ID as EVALUATION
from proofs_check.evaluation import Evaluation
from proofs_check.kernel import Claim, Status, Step, reached
from proofs_check.lifted_roots import ID as LIFTED_ROOT
from proofs_check.lifted_roots import lifted_steps, lifted_target, steepness, stored_lifted
from proofs_check.mean_architectures import architecture_steps
from proofs_check.propositions import TARGET, Evaluated, Near
from proofs_check.quantity_steps import quantity_steps
from proofs_check.run_files import RunFiles
from proofs_check.stand_in import CLAIMED, POLYNOMIAL, polynomial_steps
from proofs_check.structure.proof import Proved, prove
from proofs_check.structure.quantity import Part
from proofs_check.structure.reading import NotUnderstood

A_PRIORI = ("the builder's error analysis (decomposition, expansions, tables, folds: docs/trust.md) is right; it was run again "
            "from the target text and gave these weights, but not checked by other arithmetic, because ")
LONGEST_REASON = 240  # characters: quantities are trees, and those may be long
OF_MEANS = "h(x, means)"  # what the network is held against
BUILT = "what was built in the place of f"
NEGLIGIBLE = Fraction(1, 2**200)  # of the largest share


def continuous_steps(run: RunFiles, claim: Claim, target: AnyTarget, report: Report) -> list[Step]:
    """Return the steps of the proof; a refuted one where the files hold something else than they say."""
    wrong = _misstated(run, claim, target)
    if wrong or not isinstance(target, Target):
        return [Step("claim", wrong or "an opaque callable has no structure", Status.REFUTED)]
    network = load_mean_sumformer(run.arrays, run.network)
    number_format = str(run.plan["number_format"])
    heads = architecture_steps(run, network, claim, number_format, LARGEST_IN_STREAM)
    if any(step.status is Status.REFUTED for step in heads):
        return heads
    fitted = "missed" in run.plan  # then the network is held against a polynomial p, and p against f
    if fitted and (claim.every_n or target.positional):
        return [Step("claim", "a fitted polynomial is about one length, without positions", Status.REFUTED)]
    defined = definedness_step(target, claim)
    lifted = stored_lifted(run.plan, target)  # or against f with lifted roots
    if lifted is not None and fitted:
        return [Step("claim", "a polynomial is said to be in the place of f, and f with lifted roots too", Status.REFUTED)]
    report("reading the network", 0, 0)
    read = partial(prove, network, run.network.get("derivation", {}), lifted or target, claim, elsewhere=fitted,
                   steep=steepness(lifted.outputs) if lifted else 1.0)
    try:
        proved = read()
    except NotUnderstood as not_read:
        report("deriving the network again", 0, 0)
        return _by_derivation(run, claim, target, defined, heads, f"the weights are not read by structure: {not_read}", report)
    if not proved.identities:
        why = "algebra did not show that what the network was held against is the target"
        return _by_derivation(run, claim, target, defined, heads, why, report)
    found = polynomial_steps(target, proved.definitions, exact_number(run.plan["missed"]), report) if fitted else []
    found = lifted_steps(target, lifted, claim, defined) if lifted else found
    defined, evaluation = _defined(defined, claim, found), Evaluation.of(run, network, proved)
    steps = _by_structure(claim, defined, network, heads, proved, found, evaluation)
    total = sum((step.bound for step in reached(steps)), Fraction(0))
    if total > claim.bound >= Fraction(proved.bound) and not evaluation.gap:
        report("reading the network with its roundings", 0, 0)
        computed = _of_computed(read, evaluation, proved)
        if computed is not None:
            steps = _by_structure(claim, defined, network, heads, proved, found, evaluation, computed)
            total = sum((step.bound for step in reached(steps)), Fraction(0))
    if total > claim.bound:  # the builder's own analysis may be the sharper one
        derived = _by_derivation(run, claim, target, defined, heads, _above(total, steps, claim), report)
        return derived if all(step.status.rank <= Status.ASSUMED.rank for step in reached(derived)) else steps
    return steps


def _of_computed(read: Callable[..., Proved], evaluation: Evaluation, proved: Proved) -> Fraction | None:
    """Return the bound of |h - S| where S is what is computed; None where computed numbers are not read, or another h is."""
    try:
        computed = read(roundings=evaluation.local)
    except NotUnderstood:
        return None
    return Fraction(computed.bound) if computed.identities and computed.definitions == proved.definitions else None


def _above(total: Fraction, steps: Sequence[Step], claim: Claim) -> str:
    """Say in one sentence what takes a bound by structure above the claim: rounding, or the largest share over the reals."""
    proved = [step for step in reached(steps) if step.bound]
    rounding = sum((step.bound for step in proved if step.id == EVALUATION), Fraction(0))
    real, claimed = total - rounding, f"the claimed {decimal_above(claim.bound, 3)}"
    if real <= claim.bound:
        return (f"by structure the bound is not reached: over the reals {decimal_above(real, 3)} is proved, but rounding is "
                f"bounded by {decimal_above(rounding, 3)} only, together more than {claimed}")
    most = max((step for step in proved if step.id != EVALUATION), key=lambda step: step.bound)
    return (f"by structure the bound is not reached: {decimal_above(real, 3)} is proved instead of {claimed}, "
            f"{decimal_above(most.bound, 3)} of it for {most.id}, {most.statement}")


def _by_structure(claim: Claim, defined: Step, network: MeanSumformer, heads: list[Step], proved: Proved, instead: list[Step],
                  evaluation: Evaluation, computed: Fraction | None = None) -> list[Step]:
    """Return the steps f = h, or |f - p| <= .. and p = h, then |h - S| <= .., and what follows for every network.

    Args:
        instead: that bound |f - p|, none where the network was held against f itself; p is a polynomial or f with lifted roots.
        computed: bound of |h - S| where S is what is computed, if that was proved.
    """
    name = _stands_in(instead)
    of, shown = ("a polynomial p", "read from the network") if name == POLYNOMIAL else (name, "shown by algebra")
    made = f"{of} is a function of the own token and {counted(network.d_latent, 'mean')}, for {claim.scope}"
    identity = Step("sum-decomposition", f"{made}; {shown}", Status.PROVED, says=Near(name, OF_MEANS, Fraction(0), claim.scope))
    parts_of = _above_rounding({key: Fraction(part) for key, part in proved.parts.items()})
    whole, bound = sum(parts_of.values(), Fraction(0)), Fraction(proved.bound)
    shares = [Step(name, proved.told(name, what), Status.CERTIFIED, bound * part / whole)
              for (name, what), part in parts_of.items()]
    if not shares and bound:
        shares = [Step("rational-constants", "constants of the weights", Status.CERTIFIED, bound)]
    parts = [*shares, *quantity_steps(proved, claim.scope)]
    held = _held(parts, bound, claim)
    rounding = evaluation.steps(claim) if computed is None else evaluation.as_computed(claim, held, computed)
    return _joined(defined, instead, identity, held, heads, rounding)


def _stands_in(instead: list[Step]) -> str:
    """Name the function that the network was held against; where nothing is shown of how far it is from f, it is not f."""
    if not instead:
        return TARGET
    return instead[-1].says.second if isinstance(instead[-1].says, Near) else BUILT


def _above_rounding(parts: Mapping[Part, Fraction]) -> dict[Part, Fraction]:
    """Leave out what outward rounding alone left, far below the last digit of anything: the others share the whole bound."""
    least = max(parts.values(), default=Fraction(0)) * NEGLIGIBLE
    return {key: part for key, part in parts.items() if part > least}


def _defined(step: Step, claim: Claim, instead: list[Step]) -> Step:
    """Show that f is defined; a subdivision that bounds |f - p| shows it too."""
    if step.status is Status.UNDECIDED and _stands_in(instead) == POLYNOMIAL:
        return defined_by(instead[-1], "a model of f was found on every box", claim.scope)
    return step


def _held(parts: list[Step], bound: Fraction, claim: Claim) -> Step:
    return Step("error-budget", "the error of each quantity, through h: the shares above add up to it", Status.CERTIFIED,
                says=Near(OF_MEANS, SUMFORMER, bound, claim.scope), premises=tuple(parts))


def _joined(defined: Step, instead: list[Step], identity: Step, held: Step, heads: list[Step], rounding: list[Step]
            ) -> list[Step]:
    """Join f = h (or f near p = h), h near the Sumformer, and the rest; where a premise failed, return what there is."""
    steps = [defined, *instead, identity, held, *heads, *rounding]
    if all(step.status.rank <= Status.ASSUMED.rank for step in reached(steps)):
        steps += for_every_network([*instead, identity], held, heads, rounding)
    return steps


def _by_derivation(run: RunFiles, claim: Claim, target: Target, defined: Step, heads: list[Step], reason: str,
                   report: Report) -> list[Step]:
    try:
        built = rebuilt(run.plan, target, list(run.network["architectures"]))
    except Refused as refused:
        return [Step("sum-decomposition", f"{reason}; and the derivation does not reach the tolerance: {refused}",
                     Status.UNDECIDED)]
    different = _difference(run, built)
    if different:
        return [Step("sum-decomposition", f"{reason}; and {different} is not what the derivation from the target text gives",
                     Status.UNDECIDED)]
    if built.every_n != claim.every_n:
        return [Step("claim", "the claim is about other lengths than those the derivation covers", Status.REFUTED)]
    found, proved = list[Step](), ""  # the share that these steps prove
    if built.stands_in:
        found, proved = polynomial_steps(target, built.stands_in, built.missed, report), CLAIMED
    elif built.lifted:
        found, proved = lifted_steps(target, lifted_target(built.lifted, target), claim, defined), LIFTED_ROOT
    made = f"f is a function of the own token and {counted(built.sumformer.d_latent, 'mean')}, for {claim.scope}"
    identity = Step("sum-decomposition", made, Status.CERTIFIED, assumption=A_PRIORI + shorten(reason, LONGEST_REASON),
                    says=Near(_stands_in(found), OF_MEANS, Fraction(0), claim.scope))
    shares = [share for share in built.compiled.shares if share.id != proved]
    parts = [Step(share.id, share.what, Status.CERTIFIED, share.bound) for share in shares if share.id != EVALUATION]
    (rounding,) = (share for share in shares if share.id == EVALUATION)
    evaluation = Step(EVALUATION, f"{rounding.what}, n <= {built.evaluated_up_to}", Status.CERTIFIED, rounding.bound,
                      says=Evaluated(claim.networks, rounding.bound, built.evaluated_up_to))
    bound = sum((part.bound for part in parts), Fraction(0))
    return _joined(_defined(defined, claim, found), found, identity, _held(parts, bound, claim), heads, [evaluation])


def rebuilt(plan: Mapping[str, Any], target: Target, architectures: Sequence[str]) -> ContinuousConstruction:
    """Run the construction that ``plan.json`` describes, from the start."""
    compile_target.cache_clear()
    heads = [pooling_head(name, linformer_k=int(plan["linformer_k"]), performer_features=int(plan["performer_features"]),
                          seed=int(plan["seed"])) for name in architectures]
    limits = Limits(**{key: int(value) for key, value in plan["limits"].items()})
    return construct_continuous(target, exact_number(plan["eps"]), str(plan["method"]), heads, limits=limits,
                                number_format=FORMATS[str(plan["number_format"])])


def _misstated(run: RunFiles, claim: Claim, target: AnyTarget) -> str:
    listed = ("sumformer", *run.network["architectures"])
    if not is_about(claim, target) or tuple(claim.networks) != listed or claim.bound < 0:
        return "the claim is about another target, domain or network than the one stored"
    return ""


def _difference(run: RunFiles, built: ContinuousConstruction) -> str:
    """Return the first thing in which the stored files differ from the derived network, "" if nothing does."""
    derived = store_mean(built.sumformer, built.architectures, built.compiled.derivation)
    if run.network != derived.network:
        return "network.json"
    if set(run.arrays) != set(derived.arrays) or run.exact:
        return f"the set of arrays ({sorted(set(run.arrays) ^ set(derived.arrays))[:3]})"
    for name, array in derived.arrays.items():
        if not np.array_equal(run.arrays[name], array):
            return f"the array {name}"
    return ""
