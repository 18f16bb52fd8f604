"""error-budget: errors of f's approximation, of phi and of psi add up with the Lipschitz constant of psi in the mean."""

from __future__ import annotations

import itertools
from fractions import Fraction

import sympy
from hypothesis import strategies as st

from proofs_check.evidence import every, property_based, refuted
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def triangle(given: Given) -> Evidence:
    """f - T = (f - S) + (psi(x, mu) - psi(x, mu^)) + (psi(x, mu^) - psi^(x, mu^)) + rounding, each at most its share."""
    parts = sympy.symbols("a b c r", real=True)
    shares = sympy.symbols("A B C R", nonnegative=True)
    hypotheses = [(1, share - part) for part, share in zip(parts, shares, strict=True)]
    budget = sum(shares[: given["shares"]])
    return follows({"sum of shares - (f - T)": (budget - sum(parts), hypotheses)}, "||f - T|| <= sum of the shares")


def lipschitz_share(given: Given) -> Evidence:
    """|psi(x, mu) - psi(x, mu^)| <= sum_j |d psi/d mu_j| |mu_j - mu^_j| <= Lip_mu ||phi^ - phi||: errors of means are means."""
    slope, error, worst = sympy.symbols("s e E", nonnegative=True)
    return follows({"one feature's share": (given["lipschitz"] * slope * worst - slope * error, [(slope, worst - error)])},
                   "phi's share is Lip_mu(psi) ||phi^ - phi||")


def sum_convention(given: Given) -> Evidence:
    """psi(x, S) with S = n mu, for every n: a mean that moves by m moves the sum by n m. Attained by psi = S, phi^ = phi + e."""
    n, e = sympy.Symbol("n", integer=True, positive=True), sympy.Symbol("e", nonnegative=True)
    slope, moved = sympy.symbols("L m", nonnegative=True)  # L: Lip_Sigma
    change, factor = sympy.Symbol("c", real=True), given["factor"](n)
    return follows({"psi as a function of the mean": (factor * slope * e - change, [(1, slope * (n * moved) - change),
                                                                                  (n * slope, e - moved)]),
                    "attained": (n * e - factor * e, [])}, "Lip_mu = n Lip_Sigma, for every n")


def sums_of_errors(given: Given) -> Evidence:
    """psi = S with phi^ = phi + e, over the rationals."""
    cases = [(n, Fraction(1, k)) for n in range(2, 8) for k in (3, 10)]
    return every(cases, lambda case: _sum_off(*case, given["factor"](case[0])), "{} cases: the sum of n errors e is n e")


def _sum_off(n: int, e: Fraction, factor: int) -> str:
    tokens = [Fraction(k, n) for k in range(n)]
    off = sum((x + e for x in tokens), Fraction(0)) - sum(tokens, Fraction(0))
    return "" if abs(off) <= factor * e else f"n = {n}, psi(x, S) = S, phi^ = phi + {e}: error {off}, budget {factor * e}"


def bilinear(given: Given) -> Evidence:
    """psi(x, mu) = x mu and psi^ within 1/50 of it, all on a lattice: the error stays within the budget."""
    steps = [Fraction(k, 3) for k in range(4)]
    cases = itertools.product(steps, itertools.product(steps, repeat=3), (Fraction(-1, 50), Fraction(1, 50)))
    return every(cases, lambda case: _over_budget(*case), "{} sequences within the budget")


def _over_budget(x: Fraction, others: tuple[Fraction, ...], slack: Fraction) -> str:
    errors = [Fraction((-1) ** k, 40) for k in range(3)]
    mu = sum(others, Fraction(0)) / 3
    found = sum((y + e for y, e in zip(others, errors, strict=True)), Fraction(0)) / 3
    gap = abs((x * found + slack) - x * mu)
    return "" if gap <= 1 * Fraction(1, 40) + abs(slack) else f"x = {x}, others {others}: error {gap}"


def drawn_networks(given: Given) -> Evidence:
    """psi(x, mu) = a x mu + b mu + c and features off by e_k, psi^ off by s, all drawn: the error against the budget."""
    tokens = st.lists(st.tuples(st.integers(0, 30), st.integers(-20, 20)), min_size=2, max_size=6)
    cases = st.tuples(tokens, st.integers(-9, 9), st.integers(-9, 9), st.integers(-20, 20))  # thirtieths, twentieths, thirds
    return property_based(cases, _beyond_budget, cases=given.effort(200, 2000), seed=given.seed, what="errors within the budget")


def _beyond_budget(case: tuple[list[tuple[int, int]], int, int, int]) -> str:
    tokens = [(Fraction(y, 30), Fraction(e, 20)) for y, e in case[0]]
    a, b, slack = Fraction(case[1], 3), Fraction(case[2], 3), Fraction(case[3], 20)
    n, x = len(tokens), tokens[0][0]
    exact = sum((y for y, _ in tokens), Fraction(0)) / n
    found = sum((y + e for y, e in tokens), Fraction(0)) / n
    gap = abs((a * x * found + b * found + slack) - (a * x * exact + b * exact))
    budget = (abs(a) + abs(b)) * max(abs(e) for _, e in tokens) + abs(slack)  # Lip_mu <= |a| + |b| for x in [0, 1]
    return "" if gap <= budget else f"tokens and errors {tokens}, a = {a}, b = {b}, s = {slack}: error {gap}, budget {budget}"


def bounded_is_not_enough(given: Given) -> Evidence:
    """psi^ = psi + a step of height 1 just beyond the exact range: a bounded psi^, right on the range, off by 1 on mu^."""
    mu, moved = Fraction(1), Fraction(1) + Fraction(1, 1000)

    def psi_hat(m: Fraction) -> Fraction:
        return m + (1 if m > 1 else 0)

    if psi_hat(mu) != mu or abs(psi_hat(moved) - moved) != 1:
        return refuted("the example is wrong", f"{psi_hat(mu)}, {psi_hat(moved)}")
    return Evidence(Status.PROVED, "psi^ right on the exact range errs by 1 at distance 1/1000 from it", 2)


STEP = ProofStep(
    id="error-budget", section=5,
    plain="||f - T|| <= ||f - S|| + Lip_mu(psi) ||phi^ - phi|| + ||psi^ - psi|| + rounding; with sums, Lip_mu = n Lip_Sigma.",
    latex=r"\|f-T\|\le\|f-S\|+\mathrm{Lip}_\mu(\psi)\|\hat\varphi-\varphi\|+\|\hat\psi-\psi\|+\text{rounding}",
    source="paper, proof of theorem 4.3, with constants", constants={"factor": lambda n: n, "shares": 4, "lipschitz": 1},
    hypotheses=("psi is Lipschitz on the enlarged range of mu, or psi^ is and the last difference is taken on the exact range",),
    checks=(Check("the triangle inequality", Method.SYMBOLIC, triangle),
            Check("the share of phi", Method.SYMBOLIC, lipschitz_share),
            Check("the sum convention", Method.SYMBOLIC, sum_convention),
            Check("sums of equal errors, n <= 7", Method.EXACT, sums_of_errors, support=True),
            Check("a bilinear psi", Method.EXHAUSTIVE, bilinear, support=True),
            Check("drawn networks", Method.PROPERTY, drawn_networks, support=True),
            Check("a bounded psi^ is not enough", Method.EXACT, bounded_is_not_enough, support=True)),
    mutations=(Mutation("Lip_Sigma in place of n Lip_Sigma", {"factor": lambda n: 1}),
               Mutation("rounding is left out", {"shares": 3}),
               Mutation("half of Lip_mu", {"lipschitz": sympy.Rational(1, 2)})))
