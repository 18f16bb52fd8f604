"""Exact reference forwards of token-mixing layers on one channel v, with weights for which they are token means.

Each takes the values of n tokens and returns what every token can read afterwards; scores are constant, so softmax is uniform.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

Values = Sequence[Fraction]
Mixer = Callable[[Values], list[Fraction]]


def mean(v: Values) -> Fraction:
    """Return the token mean."""
    return sum(v, Fraction(0)) / len(v)


def linear_attention(v: Values, *, keys: Callable[[Fraction], Fraction] = lambda x: Fraction(0)) -> list[Fraction]:
    """a(q).a(k) with positive features a(t) = (1 + relu(t), 1), normalised; W_K = 0 makes all keys 0, queries are the tokens."""
    def features(t: Fraction) -> tuple[Fraction, Fraction]:
        return 1 + max(t, Fraction(0)), Fraction(1)

    result = []
    for q in v:
        weights = [sum(a * b for a, b in zip(features(q), features(keys(k)), strict=True)) for k in v]
        result.append(sum((w * x for w, x in zip(weights, v, strict=True)), Fraction(0)) / sum(weights))
    return result


def nystroemformer(v: Values, landmarks: int) -> list[Fraction]:
    """(J_nm/m) Z (J_mn/n) v with Z the iterative pseudo-inverse of A = J_m/m, three steps from A^T/(|A|_1 |A|_inf)."""
    m, n = landmarks, len(v)
    A = [[Fraction(1, m)] * m for _ in range(m)]
    Z = A  # A is symmetric with row and column sums 1
    for _ in range(3):
        AZ = _times(A, Z)
        inner = _minus(7, AZ)
        inner = _minus(15, _times(AZ, inner))
        inner = _minus(13, _times(AZ, inner))
        Z = [[entry / 4 for entry in row] for row in _times(Z, inner)]
    slots = [sum(v, Fraction(0)) / n] * m
    middle = [sum((z * s for z, s in zip(row, slots, strict=True)), Fraction(0)) for row in Z]
    return [sum(middle, Fraction(0)) / m] * n


def _times(a: list[list[Fraction]], b: list[list[Fraction]]) -> list[list[Fraction]]:
    return [[sum((x * y for x, y in zip(row, column, strict=True)), Fraction(0)) for column in zip(*b, strict=True)] for row in a]


def _minus(c: int, a: list[list[Fraction]]) -> list[list[Fraction]]:
    return [[c * (i == j) - entry for j, entry in enumerate(row)] for i, row in enumerate(a)]


def isab(v: Values, *, keeps_query: bool = True) -> list[Fraction]:
    """Set transformer, one inducing point, W_K = 0: the point reads the mean, tokens then read the point beside their query."""
    induced = mean(v)  # uniform weights over the tokens
    return [(x if keeps_query else Fraction(0)) + induced - x for x in v]  # a token-wise FC subtracts the retained own part


def mlp_mixer(v: Values) -> list[Fraction]:
    """Token mixing 1 1^T/n through relu(t) - relu(-t)."""
    t = sum((x / len(v) for x in v), Fraction(0))
    return [max(t, Fraction(0)) - max(-t, Fraction(0))] * len(v)


def global_token(v: Values, window: int = 1) -> list[Fraction]:
    """Longformer, BigBird: a flagged global token, two layers; local tokens see a window and the global token, uniformly.

    Layer 1 gives the global token sum(v)/(n + 1), layer 2 gives a local token value and flag of the global one, both divided by
    what it sees; their quotient times (n + 1)/n is the mean.
    """
    n = len(v)
    pooled, flag = sum(v, Fraction(0)) / (n + 1), Fraction(1)
    result = []
    for i in range(n):
        seen = 1 + min(n - 1, i + window) - max(0, i - window) + 1
        value, share = pooled / seen, flag / seen
        result.append(value / share * (n + 1) / n)
    return result


def state_space(v: Values, *, decay: Fraction = Fraction(1), both: bool = True) -> list[Fraction]:
    """A bidirectional scan h <- decay h + v: forward + backward - own term, divided by n."""
    forward, backward = _scan(v, decay), _scan(v[::-1], decay)[::-1]
    return [(f + (b - x if both else 0)) / len(v) for f, b, x in zip(forward, backward, v, strict=True)]


def _scan(v: Values, decay: Fraction) -> list[Fraction]:
    h, states = Fraction(0), []
    for x in v:
        h = decay * h + x
        states.append(h)
    return states
