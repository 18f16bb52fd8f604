"""printed-performer-pooling: W_Q = W_K = [e_1, 0] gives a random multiple of Sigma."""

from __future__ import annotations

import sympy

from proofs_check.evidence import counterexample, identities
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

DRAWS = (sympy.Integer(0), sympy.Rational(1, 2), sympy.Integer(1))


def factor(query: sympy.Expr, w: sympy.Expr) -> sympy.Expr:
    """Return lambda = a(q).a(q) for one feature: exp(-q^2/2)^2 exp(w q)^2."""
    return sympy.exp(-query**2 / 2) ** 2 * sympy.exp(w * query) ** 2


def one_factor_for_all_draws(given: Given) -> Evidence:
    """Compare lambda for one feature w = 0, 1/2, 1."""
    query = sympy.Integer(given["query"])
    first = factor(query, DRAWS[0])

    def differs(w: sympy.Expr) -> tuple[str, ...]:
        if sympy.simplify(factor(query, w) - first).is_zero is not False:  # only what certainly differs is a counterexample
            return ()
        values = ", ".join(f"w_1 = {v}: lambda = {sympy.simplify(factor(query, v))}" for v in DRAWS)
        return ("k = 1, the channel 1 of the stream as query and key: lambda = e^-1 exp(2 w_1)", values,
                "dividing by the constant of one draw is wrong after the next; the mean over w ~ N(0, 1) is e")

    return counterexample(DRAWS, differs, "lambda does not depend on the draw")


def mean_factor(given: Given) -> Evidence:
    """lambda times the density of N(0, 1) is e times the density of N(2, 1), so E lambda = e."""
    w = sympy.Symbol("w", real=True)
    return identities({"lambda exp(-w^2/2) - e exp(-(w - 2)^2/2)": sympy.expand(
        sympy.log(sympy.exp(-1 + 2 * w - w**2 / 2)) - sympy.log(sympy.exp(1 - (w - 2) ** 2 / 2)))}, "the mean of lambda is e")


STEP = ProofStep(
    id="printed-performer-pooling", section=5, corrects="performer-pooling",
    plain="With W_Q = W_K = [e_1, 0] the Performer's head is Sigma times a constant that is the same for every draw of features.",
    latex=r"W_Q=W_K=[e_1,0]\ \Rightarrow\ \mathrm{head}(X)=\lambda\,\mathbf 1\Sigma^\top,\ \lambda\text{ independent of }w",
    source="paper, proof of theorem 4.5, as printed", expected=Status.REFUTED, constants={"query": 1},
    checks=(Check("lambda is the same for w = 0, 1/2, 1", Method.EXACT, one_factor_for_all_draws),
            Check("its mean is e", Method.SYMBOLIC, mean_factor, support=True)),
    mutations=(Mutation("W_Q = W_K = 0", {"query": 0}),))
