"""semi-invariant-form: psi(x, Sigma) = sum_a x^a sigma_a(Sigma - phi(x))."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from constructions.domains import Box
from constructions.sumformers.power_sums import Form, partitions, polynomial_form, sharpened
from constructions.targets.target import Target
from proofs_check.chebyshev_span import conditioning, dependent, same_span, triangular
from proofs_check.evidence import every, identities
from proofs_check.multisymmetric import expanded, monomial, tokens
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def coefficients_are_symmetric(given: Given) -> Evidence:
    """g(x; y) = sum_a x^a c_a(y), for every n, d, degree: the lowest coefficient is g(0; y), symmetric in y as g is.

    One coordinate of x at a time. Subtract it and divide by x: what is left is symmetric again, and has a lower degree.
    """
    x, lowest, rest = sympy.symbols("x c_0 r")
    g, others, reordered = sympy.Function("g"), sympy.Symbol("y"), sympy.Symbol("y'")
    other_order = others if given["symmetric"] else reordered  # a symmetric g sees the multiset of the others
    polynomial = lowest + x * rest
    return identities({"value at 0": polynomial.subs(x, 0) - lowest, "divided": (polynomial - lowest) / x - rest,
                       "another order": g(0, others) - g(0, other_order),
                       "and what is left": (g(x, others) - g(0, others)) / x - (g(x, other_order) - g(0, other_order)) / x},
                      "every coefficient of x^a is a symmetric polynomial in the others")


def own_term_is_subtracted(given: Given) -> Evidence:
    """The others' power sum is Sigma_b - x_i^b, of whatever n: sum_(j != i) x_j^b is the sum over all less the own term."""
    own, others = sympy.symbols("x_b s_b")
    total = own + others
    return identities({"power sum of the others": (total - own if given["subtracts"] else total) - others},
                      "sigma_a of the others' power sums is sigma_a(Sigma - phi(x))")


def monomials(given: Given) -> Evidence:
    """x_i^a times the sum over all assignments of exponents to the others: these span the semi-invariant polynomials."""
    return every(_cases(given), lambda case: _not_a_form(*case, given["subtracts"]), "{} spanning polynomials as forms")


def _cases(given: Given) -> Iterator[tuple[int, int, tuple[tuple[int, ...], ...]]]:
    for n, d, most in ((2, 1, 4), (3, 1, 4), (4, 1, 4), (2, 2, 2), (3, 2, 2), *(((4, 1, 6), (3, 2, 3)) if given.full else ())):
        exponents = [a for a in itertools.product(range(most + 1), repeat=d) if sum(a) <= most]
        for chosen in itertools.combinations_with_replacement(exponents, n - 1):
            if any(any(a) for a in chosen) and sum(map(sum, chosen)) <= most:
                yield n, d, chosen


def _not_a_form(n: int, d: int, chosen: tuple[tuple[int, ...], ...], subtracts: bool) -> str:
    """Write the sum over injections of the chosen exponents into the others as products of power sums, and expand."""
    sequence, zero = tokens(n, d), (0,) * d
    used = [a for a in chosen if any(a)]
    wanted: Any = sum(_product(sequence, where, used) for where in itertools.permutations(range(1, n), len(used)))
    terms: dict[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]], Fraction] = {}
    for partition in partitions(list(range(len(used)))):
        sign, powers = Fraction(1), []
        for block in partition:
            for k in range(1, len(block)):
                sign *= -k
            powers.append(tuple(sum(used[j][c] for j in block) for c in range(d)))
        key = (zero, tuple(sorted(powers)))
        terms[key] = terms.get(key, Fraction(0)) + sign
    difference = expanded(Form(terms, others=subtracts), 0, sequence) - wanted
    return "" if difference == 0 else f"n = {n}, d = {d}, exponents {used} of the others: the form differs from the polynomial"


def _product(sequence: tuple[tuple[Any, ...], ...], where: tuple[int, ...], used: list[tuple[int, ...]]) -> Any:
    return math.prod((monomial(sequence[j], a) for j, a in zip(where, used, strict=True)), start=1)


TEXTS = ("x*mean(y)", "x + 7*x**2 + 3*x*(sum(y) - x)**3", "mean((y-mean(y))**2)", "sum((x-y)**4)", "mean(x*y)**2 - x**3")


def targets(given: Given) -> Evidence:
    """Polynomial targets through the builder's forms, sharpened to |a| <= n - 1, against the target over the rationals."""
    cases = itertools.product(TEXTS, range(2, given.effort(5, 6)))
    return every(cases, lambda case: _differs(*case), "{} targets and lengths, exactly")


def _differs(text: str, n: int) -> str:
    target = Target.from_text(text, n=n, box=Box.parse("0,1", 1))
    (form,) = polynomial_form(target)
    short = sharpened(form, n, 1)
    X = [[Fraction(k * k + 1, 7 + 3 * k)] for k in range(n)]
    wanted = target.fractions(np.array(X, dtype=object))[:, 0]
    wrong = next((i for i in range(n) if not form(X, i) == short(X, i) == wanted[i]), None)
    if wrong is not None or short.degree > n - 1:
        return f"{text}, n = {n}: token {wrong}, degree {short.degree}"
    return ""


STEP = ProofStep(
    id="semi-invariant-form", section=3,
    plain="An equivariant polynomial is psi(x, Sigma) = sum_a x^a sigma_a(Sigma - phi(x)), phi the power sums' monomials.",
    latex=r"\psi(x,\Sigma)=\sum_a x^a\,\sigma_a(\Sigma-\varphi(x))", source="paper, equation 38",
    depends_on=("equivariance-semi-invariance", "power-sums-generate"),
    constants={"subtracts": True, "drops_constant": False, "symmetric": True},
    checks=(Check("coefficients of x^a are symmetric in the others", Method.SYMBOLIC, coefficients_are_symmetric),
            Check("power sums of the others", Method.SYMBOLIC, own_term_is_subtracted),
            Check("spanning polynomials are such forms, n <= 4", Method.EXHAUSTIVE, monomials, support=True),
            Check("Chebyshev polynomials are monomials through a triangular matrix", Method.EXHAUSTIVE, triangular, support=True),
            Check("products with Chebyshev means span the same", Method.EXACT, same_span, support=True),
            Check("they are dependent for d >= 2", Method.EXACT, dependent, support=True),
            Check("and better conditioned", Method.SAMPLED, conditioning, support=True),
            Check("polynomial targets through the builder's forms", Method.EXACT, targets, support=True)),
    mutations=(Mutation("Sigma in place of Sigma - phi(x)", {"subtracts": False}),
               Mutation("g is not symmetric in the others", {"symmetric": False}),
               Mutation("products without x_i left out of the Chebyshev family", {"drops_constant": True})))
