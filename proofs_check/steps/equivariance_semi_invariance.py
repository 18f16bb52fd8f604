"""equivariance-semi-invariance: f is equivariant if and only if f_i = g(x_i, others) with g symmetric in the others."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator

from proofs_check.evidence import every, refuted
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

Key = tuple[int, frozenset[tuple[int, int]]]


def _value(X: tuple[int, ...], i: int, symmetric: bool) -> object:
    """A free g: what it is given is all that is known of it; without the symmetry it sees the others in order."""
    others = X[:i] + X[i + 1:]
    return X[i], frozenset(Counter(others).items()) if symmetric else others


def if_semi_invariant(given: Given) -> Evidence:
    """For a free function g, all patterns of equal tokens and all permutations: f(P X) = P f(X)."""
    def objection(case: tuple[tuple[int, ...], tuple[int, ...]]) -> str:
        X, P = case
        PX = tuple(X[p] for p in P)
        wrong = next((i for i in range(len(X)) if _value(PX, i, given["symmetric"]) != _value(X, P[i], given["symmetric"])), None)
        return "" if wrong is None else f"X = {X}, P = {P}: f(P X)_{wrong + 1} is g{_value(PX, wrong, given['symmetric'])}, " \
                                        f"(P f(X))_{wrong + 1} is g{_value(X, P[wrong], given['symmetric'])}"
    return every(_pairs(given.effort(5, 6)), objection, "{} sequences and permutations, for a free g")


def _pairs(most: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    for n in range(2, most + 1):
        for X in _patterns(n):
            yield from ((X, P) for P in itertools.permutations(range(n)))


def _patterns(n: int) -> Iterator[tuple[int, ...]]:
    """Yield every way in which n tokens may be equal to each other, tokens numbered in order of appearance."""
    if n == 0:
        yield ()
        return
    for shorter in _patterns(n - 1):
        yield from ((*shorter, letter) for letter in range(max(shorter, default=-1) + 2))


def only_if_equivariant(given: Given) -> Evidence:
    """f(X)_i and f(X')_i' are forced to be equal when (x_i, others) agree: some P carries X to X' and i to i'."""
    def objection(case: tuple[tuple[int, ...], tuple[int, ...]]) -> str:
        X, P = case
        PX = tuple(X[p] for p in P)  # f(P X)_i = f(X)_{P(i)}: one value a class of (token, multiset of the others)
        moved = P if given["equivariant"] else range(len(X))
        bad = next((i for i in range(len(X)) if _value(PX, i, True) != _value(X, moved[i], True)), None)
        return "" if bad is None else f"X = {X}, P = {P}, i = {bad}"
    merged = every(_pairs(given.effort(5, 6)), objection, "{} identifications by equivariance stay within the classes of g")
    if merged.status is not Status.PROVED:
        return merged
    return _classes(given.effort(5, 6), merged.cases)


def _classes(most: int, cases: int) -> Evidence:
    """And they reach all of a class: the orbits of (X, i) under permutations are exactly the values of (x_i, {others})."""
    for n in range(2, most + 1):
        letters = min(n, 3)
        orbits = {min((tuple(X[p] for p in P), P.index(i)) for P in itertools.permutations(range(n)) if P[0] == i)
                  for X in itertools.product(range(letters), repeat=n) for i in range(n)}
        expected = letters * math.comb(letters + n - 2, n - 1)
        if len(orbits) != expected:
            return refuted("orbits and classes differ in number", f"n = {n}: {len(orbits)} orbits, {expected} classes")
    return Evidence(Status.PROVED, "orbits of (X, i) are the pairs of a token and a multiset of the others", cases)


STEP = ProofStep(
    id="equivariance-semi-invariance", section=1,
    plain="f is equivariant if and only if f(X)_i = g(x_i, {x_j : j != i}) with g symmetric in the others.",
    latex=r"f(PX)=Pf(X)\ \forall P\iff f(X)_i=g(x_i,\{x_j\}_{j\ne i})", source="paper, lemma 2.9",
    constants={"symmetric": True, "equivariant": True}, expected=Status.ASSUMED,
    checks=(Check("semi-invariant components give an equivariant f", Method.EXHAUSTIVE, if_semi_invariant, "n <= 5"),
            Check("an equivariant f has semi-invariant components", Method.EXHAUSTIVE, only_if_equivariant, "n <= 5")),
    mutations=(Mutation("g is not symmetric in the others", {"symmetric": False}),
               Mutation("f(P X) = f(X) in place of P f(X)", {"equivariant": False})))
