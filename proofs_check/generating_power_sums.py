"""The proof that power sums of degree at most m generate, for every m and every d (power-sums-generate), in symbols."""

from __future__ import annotations

import sympy

from proofs_check.evidence import decided, identities
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Evidence, Given


def every_index_is_new_or_old(given: Given) -> Evidence:
    """M(a_1 .. a_r) p_b = M(a_1, .., a_r, b) + sum_k M(.., a_k + b, ..): by induction on r all M are polynomials in the p_a.

    U: the monomial of one injective choice of r tokens; ``chosen``: what those tokens contribute to p_b, one by one U y_k^b,
    which raises the exponent a_k by b; the rest of p_b are the tokens that were not chosen, a choice of r + 1 tokens.
    """
    U, p_b, chosen = sympy.symbols("U p_b c")
    y, a, b = sympy.Symbol("y", positive=True), sympy.Symbol("a"), sympy.Symbol("b")
    merged = U * chosen if given["coincide"] else 0
    return identities({"one index more": U * p_b - (U * (p_b - chosen) + merged), "exponents add up": y**a * y**b - y ** (a + b)},
                      "sums over injections are polynomials in power sums, for every m, d and degree")


def signs_vanish(given: Given) -> Evidence:
    """The coefficient of prod_k u_k(y_i(k)) is the product over the fibres of i of F_size, F_k the sum of sgn over S_k.

    Inserting k + 1 into a permutation of k: as a cycle of its own (same sign), or behind one of k elements (other sign), each
    permutation of k + 1 once: F_(k+1) = F_k - k F_k, F_1 = 1. So F_2 = 0 and all later ones. m + 1 indices among m tokens: some
    fibre has at least 2.
    """
    m, k, before = sympy.symbols("m k F_k")
    following = before - k * before
    indices = m + 1 - given["less"]
    return follows({"more indices than tokens": (indices - (m + 1), []), "F_2": (following.subs({k: 1, before: 1}), []),
                    "F_k = 0 gives F_(k+1) = 0": (following.subs(before, 0), [])}, "the signs over S_(m+1) cancel, for every m")


def full_cycles(given: Given) -> Evidence:
    """Full cycles of k + 1: k + 1 behind one of k elements of a full cycle of k, other sign: c_(k+1) = -k c_k, c_1 = 1."""
    k = sympy.Symbol("k", integer=True, positive=True)
    m = sympy.Symbol("m", integer=True, positive=True)

    def signed(size: sympy.Expr) -> sympy.Expr:
        return (-1) ** (size - 1) * sympy.factorial(size - 1)

    cycles = {"c_1": signed(sympy.Integer(1)) - 1, "c_(k+1)": sympy.gammasimp(sympy.powsimp(signed(k + 1) + k * signed(k))),
              "of m + 1": sympy.powsimp(signed(m + 1 - given["less"]) - (-1) ** m * sympy.factorial(m))}
    return identities(cycles, "the coefficient of p(u_1 .. u_(m+1)) is (-1)^m m!, not 0, for every m")


def degrees_fall(given: Given) -> Evidence:
    """|a| > m: y^a is a product of m + 1 monomials other than 1, and a product of some but not all has a lower degree.

    And scaling y by s multiplies p_a by s^|a|: in an expression of an f of degree r the parts of weight above r cancel.
    """
    total, left_out = sympy.symbols("A l", real=True)  # degree of y^a; of the monomials that are left out, at least one of them
    s, y, a = sympy.symbols("s y a", positive=True)
    return follows({"a proper subproduct": ((total - 1) - (total - left_out), [(1, left_out - given["proper"])]),
                    "weights": ((s * y) ** a - s**a * y**a, [])}, "every p_a with |a| > m reduces, by induction on |a|")


def equal_sums(given: Given) -> Evidence:
    """The roots cos(2 pi k/m) and cos((2k + 1) pi/m), k < m, have the same power sums up to degree m - 1, and differ.

    cos^a t is a combination of cos j t, j <= a. Sum_k cos(j (t + 2 pi k/m)) is the real part of e^(ijt) (z^m - 1)/(z - 1) with
    z = e^(2 pi i j/m), z^m = 1, and z is not 1 for 0 < j < m; so it is 0 for t = 0 and t = pi/m alike (m for j = 0). 1 is in the
    first list, and cos((2k + 1) pi/m) is 1 only if (2k + 1)/m is an even number 2 l.
    """
    t, z = sympy.symbols("t z")
    j, m = sympy.symbols("j m", integer=True, positive=True)
    k, half = sympy.symbols("k l", integer=True)
    highest = m - given["too_few"]  # the degree up to which sums are claimed to agree
    found = follows({"products of cosines": (sympy.cos(t) * sympy.cos(j * t)
                                             - (sympy.cos((j + 1) * t) + sympy.cos((j - 1) * t)) / 2, []),
                     "telescoping": (z**j * (z - 1) - (z ** (j + 1) - z**j), []),
                     "z^m = 1": (sympy.exp(2 * sympy.pi * sympy.I * j / m) ** m - 1, []),
                     "j < m": ((m - 1) - highest, [])}, "")
    if found.status is not Status.PROVED:
        return found
    return decided({"2k + 1 is not 2 l m": (2 * k + 1 - 2 * half * m).is_odd}, "degree m - 1 does not suffice, for every m")
