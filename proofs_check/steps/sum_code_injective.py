"""sum-code-injective: three codes whose sums over n - 1 tokens determine their multiset."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import sympy

from constructions.encodings import Code, bose_chowla, information_bound, packed, positional
from constructions.encodings.multisets import multisets
from constructions.number_formats import FLOAT64
from proofs_check.evidence import every
from proofs_check.inequalities import follows
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def digits(given: Given) -> Evidence:
    """Base b >= n: counts are at most n - 1 <= b - 1, and (b - 1)(1 + .. + b^(k-1)) = b^k - 1 < b^k: digits are unique.

    Two sums that differ in digit k and agree above it, by D >= 1, differ by at least b^k D - (b^k - 1) >= 1.
    """
    n, b = sympy.symbols("n b", integer=True, positive=True)
    p = sympy.Symbol("p", positive=True)  # b^k
    D, below = sympy.symbols("D r", real=True)  # below: difference of what the digits below k make
    base = n + given["base"]
    return follows({"a count is a digit": ((b - 1 - (n - 1)).subs(b, base), [(base - n, 1)]),
                    "k digits stay below b^k: step from k to k + 1": ((b * p - 1) - ((p - 1) + (b - 1) * p), []),
                    "the highest digit that differs": (p * D + below - 1, [(p, D - 1), (1, below + (p - 1))]),
                    "Sigma of n tokens is at most n^K": (p * n - n * p, [])}, "base-n digits of the sum are the counts")


def sums_in_a_field(given: Given) -> Evidence:
    """Bose-Chowla for every q and h: theta^c(z) = theta + alpha_z, so equal sums are equal products of h factors at theta.

    Monic products of j factors differ by less than degree j; theta is a root of no non-zero polynomial of degree e < h, since
    its q^h - 1 different powers would be among the q^e - 1 non-zero polynomials in theta of degree below e. So the products
    are the same polynomial. At t = -a the one with the factor t + a vanishes, so the other has a factor with b - a = 0, a
    field having no zero divisors; both are divided by t + a, and so on.
    """
    t, a, b, low, p, q = sympy.symbols("t a b l p q")
    h, j, r = sympy.symbols("h j r", integer=True, positive=True)
    N, theta, s = sympy.symbols("N theta s", positive=True)  # N = q^h - 1, the order of theta
    u, w = sympy.symbols("u w", nonnegative=True)  # q^e >= 1 and q^(h - e) >= 2
    factors = h + given["more"]
    return follows({"sums that agree modulo N": (theta**s * (theta**N) ** r - theta ** (s + N * r), []),
                    "degree j to j + 1": ((t + a) * (t**j + low) - (t ** (j + 1) + (a * t**j + (t + a) * low)), []),
                    "the difference has degree < h": ((h - 1) - (factors - 1), []),
                    "q^h - 1 > q^e - 1": (u * w - u - 1, [(u, w - 2), (1, u - 1)]),
                    "a factor vanishes": (((t + a) * p).subs(t, -a), []),
                    "so does another": ((t + b).subs(t, -a) - (b - a), []),
                    "it is divided out": ((t + a) * p - (t + a) * q - (t + a) * (p - q), [])},
                   "h-fold sums of Bose-Chowla codes determine the multiset, for every prime power q and every h >= 2")


def sizes(given: Given) -> Evidence:
    """The least power of two q >= K has q/2 < K. Sums of n codes, each at most q^h - 2, are below n q^h."""
    K, n, half, order = sympy.symbols("K n w Q", positive=True)  # half: q/2; order: q^h
    return follows({"q < 2 K": (2 * K - 2 * half, [(2, K - half)]),
                    "sums of n codes": (n * order - given["size"] * n * (order - 2), [(n, 2)])}, "q < 2 K, Sigma < n q^h")


def all_sums(given: Given) -> Evidence:
    """Every multiset's sums, all codes, compared exactly."""
    return every(_codes(given), _collision, "{} codes: all sums of n - 1 codes differ")


def _codes(given: Given) -> Iterator[Code]:
    for n in range(2, given.effort(5, 7)):
        for K in range(1, given.effort(8, 12)):
            # a positional code of another base is the code of another length, summed over n - 1 tokens all the same
            yield Code("positional", n, positional(K, n + given["base"]).values)
            yield packed(K, n, FLOAT64, 8 * n)
            if K >= 2:
                yield given["bose_chowla"](K, n)


def _collision(code: Code) -> tuple[str, ...]:
    seen: dict[tuple[int, ...], tuple[int, ...]] = {}
    for row in multisets(code.cells, code.n - 1):
        sums = tuple(int(s) for s in np.add.reduce(code.values[row], axis=0))
        if sums in seen:
            return (f"{code.name}, K = {code.cells}, n = {code.n}: cells {seen[sums]} and {tuple(row.tolist())} sum to {sums}",)
        seen[sums] = tuple(row.tolist())
    return ()


def modular_sums(given: Given) -> Evidence:
    """Bose-Chowla: the sums differ even modulo q^h - 1, for all prime powers q = K in the range."""
    cases = [(q, h) for q in (2, 3, 4, 5, 7, 8, 9, 11, 13) for h in range(2, 12) if q**h < given.effort(3000, 20000)]
    return every(cases, lambda case: _modular_collision(*case, given["bose_chowla"]),
                 "{} fields: all h-fold sums differ modulo q^h - 1")


def _modular_collision(q: int, h: int, code: Callable[[int, int], Code]) -> str:
    values = code(q, h + 1).values.ravel().astype(np.int64)
    sums = values[multisets(q, h)].sum(axis=1) % (q**h - 1)
    return "" if len(np.unique(sums)) == len(sums) else f"q = {q}, h = {h}: two h-fold sums agree modulo {q**h - 1}"


def consecutive(K: int, n: int) -> Code:
    """Return the code c(z) = z, which is injective for one other token only."""
    return Code("consecutive", n, np.array([[z] for z in range(K)], dtype=object))


def bits(given: Given) -> Evidence:
    """The codes side by side, and that none beats the information bound."""
    K, n = 16, 4
    codes = (positional(K, n), bose_chowla(K, n), packed(K, n, FLOAT64, 8 * n))
    bound = information_bound(K, n)
    shown = ", ".join(f"{code.name} {code.bits} (d' = {code.d_latent})" for code in codes)
    return every(codes, lambda code: "" if code.bits >= bound else f"{code.name} has {code.bits} bits, fewer than {bound}",
                 f"bits of Sigma for K = {K}, n = {n}: {shown}; information bound {bound:.1f}")


STEP = ProofStep(
    id="sum-code-injective", section=2,
    plain="Sums of n - 1 codes determine the multiset of cells for the positional, the Bose-Chowla and the packed code.",
    latex=r"\textstyle\sum_{j\ne i}c(z_j)=\sum_{j\ne i}c(z_j')\ \Rightarrow\ \{z_j\}=\{z_j'\}",
    source="ours; Bose and Chowla 1962, theorem 1",
    hypotheses=("theta generates the multiplicative group of GF(q^h), which is cyclic",),
    constants={"base": 0, "bose_chowla": bose_chowla, "more": 0, "size": 1},
    checks=(Check("positional and packed: base-n digits are unique", Method.SYMBOLIC, digits),
            Check("Bose-Chowla: equal sums are equal products in a field", Method.SYMBOLIC, sums_in_a_field),
            Check("sizes of the codes", Method.SYMBOLIC, sizes),
            Check("Bose-Chowla: h-fold sums differ modulo q^h - 1", Method.EXHAUSTIVE, modular_sums, support=True),
            Check("all three codes, all multisets", Method.EXHAUSTIVE, all_sums, support=True),
            Check("bits of Sigma", Method.EXACT, bits, support=True)),
    mutations=(Mutation("base n - 1 in place of n", {"base": -1}), Mutation("consecutive numbers", {"bose_chowla": consecutive}),
               Mutation("sums of h + 1 codes too", {"more": 1}), Mutation("twice as many codes in a sum", {"size": 2})))
