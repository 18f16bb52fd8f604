"""power-sums-generate: power sums of degree at most m generate all multisymmetric polynomials of m tokens."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

from constructions.encodings.power_sums import multi_indices
from constructions.sumformers.power_sums import Form, sharpened
from proofs_check.evidence import every
from proofs_check.generating_power_sums import degrees_fall, equal_sums, every_index_is_new_or_old, full_cycles, signs_vanish
from proofs_check.multisymmetric import PAIRS, expanded, power_sum, tokens
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def next_degree(given: Given) -> Evidence:
    """Every p_a with |a| = m + 1 on m tokens, rewritten by the identity over S_{m+1} and expanded as a polynomial."""
    ranges = ((1, 3), (2, 3), (3, 3), (4, 3), *(((5, 1), (6, 1)) if given.full else ()))
    return every(_indices(ranges, given["less"]), _not_equal, "{} power sums of degree m + 1 through those of degree <= m")


def _indices(ranges: tuple[tuple[int, int], ...], less: int) -> Iterator[tuple[int, int, tuple[int, ...], int]]:
    for m, most in ranges:
        for d in range(1, most + 1):
            yield from ((m, d, a, m - less) for a in multi_indices(d, m + 1) if sum(a) == m + 1)


def _not_equal(case: tuple[int, int, tuple[int, ...], int]) -> str:
    m, d, a, degree = case
    sequence = ((0,) * d, *tokens(m, d))  # an own token, and the m others that the form is about
    form = sharpened(Form({((0,) * d, (a,)): Fraction(1)}, others=True), degree + 1, d)
    if form.degree > degree:
        return f"m = {m}, a = {a}: the rewritten form still has degree {form.degree}"
    difference = expanded(form, 0, sequence) - power_sum(sequence[1:], a)
    return "" if difference == 0 else f"m = {m}, d = {d}, a = {a}: power sums of degree <= {degree} give another polynomial"


def signs_cancel(given: Given) -> Evidence:
    """m + 1 indices among m tokens: two agree, and the signs over the permutations of a class of at least two add up to 0."""
    return every(range(2, given.effort(7, 9)), _signs, "{} sizes: the signs of S_k add up to 0")


def _signs(k: int) -> str:
    total = sum((-1) ** (k - _cycles(p)) for p in itertools.permutations(range(k)))
    return "" if total == 0 else f"k = {k}: {total}"


def _cycles(p: tuple[int, ...]) -> int:
    seen, count = set[int](), 0
    for start in range(len(p)):
        if start not in seen:
            count += 1
            at = start
            while at not in seen:
                seen.add(at)
                at = p[at]
    return count


def one_less_is_too_few(given: Given) -> Evidence:
    """Two multisets of m numbers with the same power sums up to degree m - 1."""
    return every(PAIRS.items(), lambda pair: _no_pair(*pair, given["too_few"]),
                 "{} pairs of multisets: degree m - 1 does not suffice for m = 2..6")


def _no_pair(m: int, pair: tuple[tuple[int, ...], tuple[int, ...]], too_few: int) -> str:
    A, B = pair
    equal = [sum(x**k for x in A) == sum(x**k for x in B) for k in range(1, m + 1)]
    return "" if len(A) == len(B) == m and equal == [True] * (m - too_few) + [False] * too_few else f"m = {m}: {A}, {B}: {equal}"


def all_degrees(given: Given) -> Evidence:
    """The coefficient of p(u_1 .. u_{m+1}) is (-1)^m m!, not 0: the number of (m+1)-cycles with their sign."""
    return every(range(1, given.effort(6, 8)), _leading, "{} values of m: the leading coefficient is (-1)^m m!")


def _leading(m: int) -> str:
    full = sum((-1) ** m for p in itertools.permutations(range(m + 1)) if _cycles(p) == 1)
    return "" if full == (-1) ** m * math.factorial(m) else f"m = {m}: {full}"


STEP = ProofStep(
    id="power-sums-generate", section=3,
    plain="The power sums p_a, 0 < |a| <= m, generate all multisymmetric polynomials of m tokens; |a| <= m - 1 does not suffice.",
    latex=r"\mathbb Q[x_1,\dots,x_m]^{S_m}=\mathbb Q[p_a:0<|a|\le m],\qquad p_a=\sum_i x_i^a",
    source="Briand 2004, theorem 3; paper, theorem 4.1 (continuous)",
    constants={"less": 0, "too_few": 1, "coincide": True, "proper": 1},
    checks=(Check("power sums of all degrees generate", Method.SYMBOLIC, every_index_is_new_or_old),
            Check("signs over S_(m+1) cancel", Method.SYMBOLIC, signs_vanish),
            Check("the leading coefficient is not 0", Method.SYMBOLIC, full_cycles),
            Check("degrees above m reduce", Method.SYMBOLIC, degrees_fall),
            Check("degree m - 1 does not suffice", Method.SYMBOLIC, equal_sums),
            Check("degree m + 1 reduces, as polynomials, (m, d) <= (4, 3)", Method.EXHAUSTIVE, next_degree, support=True),
            Check("signs over S_k, permutation by permutation", Method.EXHAUSTIVE, signs_cancel, support=True),
            Check("full cycles, one by one", Method.EXHAUSTIVE, all_degrees, support=True),
            Check("integers with equal power sums, m <= 6", Method.EXACT, one_less_is_too_few, support=True)),
    mutations=(Mutation("|a| <= m - 1", {"less": 1}), Mutation("nor does degree m suffice", {"too_few": 0}),
               Mutation("indices of different power sums never coincide", {"coincide": False}),
               Mutation("a proper subproduct may leave nothing out", {"proper": 0})))
