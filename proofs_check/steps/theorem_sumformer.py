"""theorem-sumformer: every continuous equivariant f is approximated by Sumformers, to any tolerance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy

from constructions.continuous import construct_continuous
from constructions.domains import Box
from constructions.targets.target import Target
from proofs_check.evidence import every, refuted, sampled
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep
from proofs_check.witness import in_balls

BUILT = (("x*mean(y)", "1/100", "power-sums"), ("mean((y-mean(y))**2)", "1/100", "power-sums"),
         ("x*mean(y)", "1/1000", "sum-decomposition"), ("abs(x-mean(y))", "1/100", "sum-decomposition"))


def assembled_bound(given: Given) -> Evidence:
    """||f - P|| <= eps/2 by density, P = psi(x, Sigma) exactly, psi and phi realised to within eps/2: ||f - S|| <= eps."""
    eps, first, second = sympy.symbols("eps p s", nonnegative=True)
    density, realised = (sympy.Rational(share) for share in given["shares"])
    return follows({"eps - ||f - S||": (eps - (first + second), [(1, density * eps - first), (1, realised * eps - second)])},
                   "the two shares add up to eps")


def built(given: Given) -> Evidence:
    """Sumformers that are built stay within their tolerance at random sequences, both sides in balls."""
    cases = BUILT[: given.effort(2, 4)]
    return sampled(every(cases, lambda case: _too_far(*case, given), "{} Sumformers, errors at random sequences in balls"))


def _too_far(text: str, eps: str, method: str, given: Given) -> str:
    from flint import arb

    target = Target.from_text(text, n=3, box=Box.parse("0,1", 1))
    construction = construct_continuous(target, Fraction(eps), method, ())
    if construction.bound > Fraction(eps):
        return f"{text}: the bound {float(construction.bound)} exceeds {eps}"
    rng = np.random.default_rng(given.seed)
    for _ in range(given.effort(5, 40)):
        tokens = np.frompyfunc(lambda v: arb(float(v)), 1, 1)(rng.random((3, 1)))
        gap = np.abs(in_balls(construction.sumformer, tokens) - target.balls(tokens)).max()
        if gap > arb(construction.bound.numerator) / construction.bound.denominator:
            return f"{text}: an error of {gap.str(6)} occurs, claimed {float(construction.bound):.6g}"
    return ""


def searched(given: Given) -> Evidence:
    """Search for the largest error of a built Sumformer on the device; it has to stay below the proved bound."""
    import torch

    from proofs_check.sampling import sample
    from proofs_check.witness import choose_device, evaluator, thresholds_of

    device, count = choose_device(given.device), given.effort(20_000, 1_000_000)
    target = Target.from_text("sum(exp(2*x*y)*y)/sum(exp(2*x*y))", n=3, box=Box.parse("0,1", 1))
    built = construct_continuous(target, Fraction(1, 100), "sum-decomposition", ())
    found = sample(target, evaluator(built.sumformer, target, device), target.box, 3, thresholds_of(built.sumformer, target),
                   count, device, given.seed, dtype=torch.float64)
    shown = f"{found.samples:,} sequences on {device.type}: {found.maximum:.6f} <= {float(built.bound):.6f}, an attention head"
    if found.maximum > built.bound:
        return refuted("a sampled error exceeds the bound", f"{found.maximum} at {found.witness}", found.samples)
    return Evidence(Status.SAMPLED, shown, found.samples)


STEP = ProofStep(
    id="theorem-sumformer", section=5,
    plain="For every continuous equivariant f on a compact box and eps > 0 some Sumformer S has ||f - S|| <= eps: "
          "d' = binom(n-1+d, d) - 1 with continuous phi, psi; d' = 1 with discontinuous ones.",
    latex=r"\forall f,\varepsilon>0\ \exists\,\varphi,\psi:\ \sup|f(X)_i-\psi(x_i,\textstyle\sum_k\varphi(x_k))|\le\varepsilon",
    source="paper, theorem 4.1", constants={"shares": (Fraction(1, 2), Fraction(1, 2))},
    depends_on=("modulus", "grid-sumformer", "polynomial-density", "semi-invariant-form", "latent-dimension", "soft-histogram"),
    checks=(Check("the shares add up", Method.SYMBOLIC, assembled_bound),
            Check("Sumformers that are built", Method.SAMPLED, built, support=True),
            Check("the largest error that a search finds", Method.SAMPLED, searched, support=True)),
    mutations=(Mutation("density takes 2/3 of eps", {"shares": (Fraction(2, 3), Fraction(1, 2))}),))
