"""product: x y through two squares."""

from __future__ import annotations

import itertools
from fractions import Fraction

import sympy

from proofs_check.evidence import every, identities
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def polarisation(given: Given) -> Evidence:
    """R^2 (((x + y)/2R)^2 - ((x - y)/2R)^2) = x y."""
    x, y, R = sympy.symbols("x y R", positive=True)
    scale = given["scale"](R)
    return identities({"R^2 (sq - sq) - x y": scale * (((x + y) / (2 * R)) ** 2 - ((x - y) / (2 * R)) ** 2) - x * y},
                      "two exact squares give the exact product")


def error(given: Given) -> Evidence:
    """Squares with errors e_1, e_2 in [0, e]: the product is off by R^2 (e_1 - e_2), at most R^2 e, both signs."""
    R, e, e1, e2 = sympy.symbols("R e e_1 e_2", nonnegative=True)
    off = given["scale"](R) * (e1 - e2)
    return follows({"R^2 e - error": (R**2 * e - off, [(R**2, e - e1), (R**2, e2)]),
                    "R^2 e + error": (R**2 * e + off, [(R**2, e - e2), (R**2, e1)])}, "|error| <= R^2 e")


def approximate_factors(given: Given) -> Evidence:
    """|p q| of approximations P, Q: P Q - p q = P (Q - q) + q (P - p), each at most R times an error. So polynomials are limits.

    Sums and products make a polynomial from coordinates, and R^2 e of the network's own error is added for each product.
    """
    p, q, P, Q, error, value = sympy.symbols("p q P Q d v", real=True)
    R, e, e_p, e_q = sympy.symbols("R e e_p e_q", nonnegative=True)
    first, second = sympy.symbols("f s", real=True)  # P (Q - q) and q (P - p)
    half, budget = sympy.Rational(1, 2), given["factors"] * R * (e_p + e_q)
    return follows({"telescoped": (P * Q - p * q - (P * (Q - q) + q * (P - p)), []),
                    "|v| <= R, |d| <= e": (R * e - value * error, [(half, (R - value) * (e + error)),
                                                                  (half, (R + value) * (e - error))]),
                    "both": (budget - (first + second), [(1, R * e_q - first), (1, R * e_p - second)])},
                   "|P Q - p q| <= R (e_p + e_q), so every polynomial is a limit of ReLU networks on a box")


def with_folds(given: Given) -> Evidence:
    """Products with interpolated squares of 2^m pieces, on a lattice, R = 3."""
    lattice = [Fraction(k, 4) for k in range(-12, 13)]
    cases = itertools.product(range(given.effort(4, 6)), lattice, lattice)
    return every(cases, lambda case: _too_far(*case), "{} products: |error| <= R^2 4^-m/4")


def _too_far(m: int, x: Fraction, y: Fraction) -> str:
    def square(u: Fraction) -> Fraction:
        k = min(int(u * 2**m), 2**m - 1)
        left = Fraction(k, 2**m)
        return left**2 + (u - left) * (2 * left + Fraction(1, 2**m))

    R = Fraction(3)
    gap = R**2 * (square(abs(x + y) / (2 * R)) - square(abs(x - y) / (2 * R))) - x * y
    return "" if abs(gap) <= R**2 / 4 ** (m + 1) else f"m = {m}, x = {x}, y = {y}: error {gap}"


STEP = ProofStep(
    id="product", section=5,
    plain="|x|, |y| <= R: x y = R^2 (sq(|x+y|/2R) - sq(|x-y|/2R)), error <= R^2 e when sq has a one-sided error <= e.",
    latex=r"xy=R^2\Bigl(\bigl(\tfrac{|x+y|}{2R}\bigr)^2-\bigl(\tfrac{|x-y|}{2R}\bigr)^2\Bigr)",
    source="Yarotsky 2017, proposition 3",
    depends_on=("square-sawtooth",), constants={"scale": lambda R: R**2, "factors": 1},
    checks=(Check("polarisation", Method.SYMBOLIC, polarisation), Check("the error", Method.SYMBOLIC, error),
            Check("products of approximations", Method.SYMBOLIC, approximate_factors),
            Check("products of folded squares", Method.EXHAUSTIVE, with_folds, support=True)),
    mutations=(Mutation("R^2 becomes R", {"scale": lambda R: R}),
               Mutation("errors of factors count half", {"factors": sympy.Rational(1, 2)})))
