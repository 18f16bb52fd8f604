"""printed-figure-2: the needed d' of figure 2's target read as growing exponentially with d."""

from __future__ import annotations

import sympy

from proofs_check.evidence import refuted
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep
from proofs_check.steps import figure_2_target


def growth(given: Given) -> Evidence:
    """A need of c a^d features, whatever c > 0 and a = 1 + r > 1, against d features that are exact for every d.

    a^d >= 1 + d r + d (d - 1)/2 r^2, by induction on d; so c a^d > d as soon as d >= 1 + 2/(c r^2).
    """
    d = sympy.Symbol("d", integer=True, positive=True)
    c, r = sympy.symbols("c r", positive=True)
    exact = figure_2_target.exact_sumformer(Given(figure_2_target.STEP.constants))
    if exact.status is not Status.PROVED:
        return Evidence(Status.UNDECIDED, f"d features: {exact.what}", 0)
    needed = given["needed"](d, c, r)
    if needed == d:
        return Evidence(Status.PROVED, "as many features are claimed as are exact")

    def binomial(power: sympy.Expr) -> sympy.Expr:
        return 1 + power * r + power * (power - 1) / 2 * r**2

    more = follows({"d to d + 1": ((1 + r) * binomial(d) - binomial(d + 1), [(r**3 / 2, d * (d - 1))]),
                    "needed > d": (needed - d, [(c, (1 + r) ** d - binomial(d)), (c, 1), (c * d * r, 1),
                                                (c * d * r**2 / 2, d - 1 - 2 / (c * r**2))])}, "c a^d > d for large d")
    if more.status is not Status.PROVED:
        return Evidence(Status.UNDECIDED, more.what, 0)
    shown = needed.subs({c: sympy.Rational(1, 2), r: 1, d: 3})
    return refuted("fewer features than any exponential are exact", (
        "phi(x) = x with d' = d features and, coordinate by coordinate, psi(x, Sigma) = x + 7 x^2 + 3 x (Sigma - x)^3 is exact",
        "for every d, since Sigma - x is the sum of the other two; and c a^d > d for every c > 0, a > 1 and large d",
        f"a need of 2^(d-1), for instance, is {shown} features for d = 3, where 3 are exact"))


STEP = ProofStep(
    id="printed-figure-2", section=3, corrects="figure-2-target",
    plain="The latent dimension that figure 2's target needs grows exponentially with d.",
    latex=r"d'(d)\ge c\,a^d\ \text{for some}\ c>0,\ a>1",
    source="paper, figure 2 and its discussion (\"presumably exponential\")",
    expected=Status.REFUTED, constants={"needed": lambda d, c, r: c * (1 + r) ** d},
    checks=(Check("c a^d features are needed, for some c > 0 and a > 1", Method.SYMBOLIC, growth),),
    mutations=(Mutation("it grows like d", {"needed": lambda d, c, r: d}),))
