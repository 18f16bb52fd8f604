"""ramp-exception-set: ramps in place of steps change S on a small set; an L^p statement follows, a sup-norm one does not."""

from __future__ import annotations

from fractions import Fraction

import sympy

from proofs_check.evidence import every, refuted
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def union_bound(given: Given) -> Evidence:
    """m = n d coordinates, each in a ramp with probability p: 1 - (1 - p)^m <= m p, by induction on m (q = (1 - p)^m)."""
    m, p, q = sympy.symbols("m p q", nonnegative=True)
    share = sympy.Rational(given["union"])
    slack = share * m * p - (1 - q)  # >= 0 by the induction hypothesis
    step = share * (m + 1) * p - (1 - q * (1 - p))
    return follows({"step from m to m + 1": (step, [(1, slack * (1 - p)), (m, p**2)])},
                   "P(some coordinate lies in a ramp) <= n d p; for 0 <= p <= 1 both terms are >= 0")


def outside_a_ramp(given: Given) -> Evidence:
    """A ramp clamp((t - l)/eta, 0, 1) of width eta with the threshold 0 in [l, l + eta] is the step H(t) outside of it."""
    eta = sympy.Symbol("eta", positive=True)
    t, low = sympy.symbols("t l", real=True)
    ramp = (t - low) / (given["width"] * eta)  # before it is clamped
    return follows({"above: it is 1": (ramp - 1, [(1 / eta, t - (low + eta))]), "below: it is 0": (-ramp, [(1 / eta, low - t)])},
                   "outside the ramps the quantiser gives the same cells, so S is the same")


def inside_a_ramp(given: Given) -> Evidence:
    """The last layer's ramps meet at most: 1 apart, 1/2 to each side. So S is (1 - u) v + u w for two neighbouring values of f.

    Both are at most D away from any other value of f.
    """
    f, v, w = sympy.symbols("f v w", real=True)
    D, u = sympy.symbols("D u", nonnegative=True)
    j, side = sympy.Symbol("j", integer=True), sympy.Rational(1, 2)
    mixed = (1 - u) * v + u * w
    return follows({"no overlap": ((j + 1 - side) - (j + side), []),
                    "f above": (given["diameter"] * D - (f - mixed), [(1, (1 - u) * (D - (f - v))), (u, D - (f - w))]),
                    "f below": (given["diameter"] * D - (mixed - f), [(1, (1 - u) * (D - (v - f))), (u, D - (w - f))])},
                   "|f - S| <= D everywhere")


def ramps_of_an_axis(given: Given) -> Evidence:
    """One ramp more adds at most eta to the measure of their union, disjoint or not, and thresholds are j delta, 0 < j < N."""
    N, k, eta, before, after = sympy.symbols("N k eta m M", nonnegative=True)
    return follows({"step from k to k + 1": ((k + 1) * eta - after, [(1, k * eta - before), (1, before + eta - after)]),
                    "N - 1 of them": ((N - given["ramps"]) * eta - (N - 1) * eta, [])},
                   "ramps of one coordinate have measure at most (N - 1) eta, for every N")


def measured(given: Given) -> Evidence:
    """N - 1 ramps of width eta <= delta are disjoint: p = (N - 1) eta/(b - a) exactly."""
    cases = [(N, k) for N in range(2, given.effort(9, 40)) for k in (1, 2, 3, 7)]
    return every(cases, lambda case: _measure(*case, given["ramps"]), "{} meshes and widths, measured exactly")


def _measure(N: int, k: int, missing: int) -> str:
    delta, eta = Fraction(1, N), Fraction(1, N * k)
    ends = [(j * delta - eta, j * delta) for j in range(1, N)]
    measured = sum((high - low for low, high in ends), Fraction(0))
    claimed = (N - missing) * eta
    return "" if measured <= claimed else f"N = {N}, eta = {eta}: ramps have measure {measured}, claimed {claimed}"


def l_p_norm(given: Given) -> Evidence:
    """Split the domain: |f - S| <= w outside the ramps, <= D inside, whose share is at most q."""
    w, D, q, share = sympy.symbols("w D q u", nonnegative=True)  # powers w^p, D^p; u <= q is the exact share
    bound = w + given["diameter"] * D * q
    return follows({"integral of |f - S|^p": (bound - (w * (1 - share) + D * share), [(D, q - share), (share, w)])},
                   "||f - S||_p^p <= w_f(delta/2)^p + D^p n d (N - 1) eta/(b - a)")


def random_tokens(given: Given) -> Evidence:
    """Draw uniform sequences on the device and count those with a coordinate in a ramp."""
    import torch

    from proofs_check.witness import choose_device

    n, d, N, eta, count = 3, 2, 8, 1 / 80, given.effort(200_000, 4_000_000)
    device = choose_device(given.device)
    generator = torch.Generator().manual_seed(given.seed)  # the processor's: a seed means the same sequences on every device
    tokens = torch.rand(count, n * d, generator=generator, dtype=torch.float64).to(device)
    part = (tokens * N) % 1.0  # a ramp is the last eta N of a cell, except of the last cell
    inside = ((part >= 1 - eta * N) & (tokens < 1 - 1 / N)).any(dim=1).double().mean().item()
    bound = n * d * (N - 1) * eta
    if inside > bound + 0.01:
        return refuted("more sequences than claimed", f"{inside} of the sequences, claimed at most {bound}", count)
    return Evidence(Status.SAMPLED, f"{inside:.4f} of {count:,} sequences on {device.type}, at most {bound:.4f}", count)


STEP = ProofStep(
    id="ramp-exception-set", section=2,
    plain="With ramps of width eta S changes on a set of measure at most n d (N - 1) eta/(b - a); this gives an L^p bound.",
    latex=r"\|f-S\|_p^p\le w_f(\delta/2)^p+D^p\,\frac{n d (N-1)\eta}{b-a}",
    source="ours; what the paper's d' = 1 Transformer proves", hypotheses=("uniform tokens", "eta <= delta"),
    depends_on=("step-network",),
    constants={"width": 1, "ramps": 1, "union": 1, "diameter": 1},
    checks=(Check("a ramp is a step outside of it", Method.SYMBOLIC, outside_a_ramp),
            Check("ramps of one coordinate", Method.SYMBOLIC, ramps_of_an_axis),
            Check("union over n d coordinates", Method.SYMBOLIC, union_bound),
            Check("inside a ramp S mixes two values of f", Method.SYMBOLIC, inside_a_ramp),
            Check("ramps measured, N <= 8", Method.EXACT, measured, support=True),
            Check("the L^p norm", Method.SYMBOLIC, l_p_norm),
            Check("random sequences", Method.SAMPLED, random_tokens, support=True)),
    mutations=(Mutation("N - 1 ramps become N - 2", {"ramps": 2}), Mutation("ramps twice as wide", {"width": 2}),
               Mutation("half of the union bound", {"union": Fraction(1, 2)}),
               Mutation("half of D^p", {"diameter": Fraction(1, 2)})))
