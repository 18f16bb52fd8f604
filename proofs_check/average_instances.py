"""Small averages with exponential weights and what is constructed for them, in balls (mathematics: exponential-average)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, ctx
from hypothesis import strategies as st

PRECISION, SLACK = 256, arb(2) ** -200  # bits; what rounding may make of an equality
ZERO, ONE = Fraction(0), Fraction(1)
EXACT = (0, 0, 0, 0)


@dataclass(frozen=True)
class Token:
    """A token in a cell j, v = (1 - q) t_j + q t_{j+1}, and its own value z in [0, 1], where values are not those of v.

    The features g^+ and g^- of knots j - 1 to j + 2 are held with errors of ``most`` and ``least`` times eta, where they may be.
    """

    cell: int
    q: Fraction
    z: Fraction = ZERO
    most: tuple[int, ...] = EXACT
    least: tuple[int, ...] = EXACT

    def __str__(self) -> str:
        """Write it down as a part of a witness."""
        return f"cell {self.cell}, q = {self.q}, z = {self.z}, errors {self.most} and {self.least}"


@dataclass(frozen=True)
class Case:
    """A sequence at one u: logarithms L at the knots, values s there, none if tokens have their own; and the tokens.

    In cell j, K is its chord plus 4 q (1 - q) bulges[j], and s is its chord plus 4 q (1 - q) bends[j].
    """

    L: tuple[Fraction, ...]
    s: tuple[Fraction, ...]
    bulges: tuple[Fraction, ...]
    bends: tuple[Fraction, ...]
    tokens: tuple[Token, ...]
    delta: Fraction = Fraction(1, 2**60)
    eta: Fraction = ZERO

    def __str__(self) -> str:
        """Write it down as a witness."""
        L, s, bulges, bends = (", ".join(map(str, row)) for row in (self.L, self.s, self.bulges, self.bends))
        tokens = "; ".join(map(str, self.tokens))
        return f"L = {L}, s = {s}, bulges {bulges}, bends {bends}, delta = {self.delta}, eta = {self.eta}, tokens: {tokens}"

    @property
    def low(self) -> Fraction:
        """The least value of the mixtures, s_-."""
        return min(self.s, default=ZERO)

    @property
    def height(self) -> Fraction:
        """The largest value of the mixtures less the least, H."""
        return max(self.s, default=ONE) - self.low or ONE

    def spread(self) -> Fraction:
        """Return S, the length of an interval that holds all values."""
        if not self.s:
            return max(token.z for token in self.tokens) - min(token.z for token in self.tokens)
        highest = max(max(self.s[j], self.s[j + 1]) + max(bend, ZERO) for j, bend in enumerate(self.bends))
        return highest - min(min(self.s[j], self.s[j + 1]) + min(bend, ZERO) for j, bend in enumerate(self.bends))

    def value(self, token: Token) -> Fraction:
        """Return the value of a token."""
        if not self.s:
            return token.z
        return between(self.s, token) + 4 * token.q * (1 - token.q) * self.bends[token.cell]

    def share(self, i: int) -> Fraction:
        """Return the part of delta that is added to g^+ of a knot, z_i for values of v."""
        return (self.s[i] - self.low) / self.height if self.s else ONE

    def features(self, token: Token) -> Iterator[tuple[int, Fraction, Fraction]]:
        """Yield knots with g^+ and g^- of a token as they are held; 0 where the hats of three knots in a row are 0."""
        j, q = token.cell, token.q
        hats = {i: hat for i, hat in ((j, 1 - q), (j + 1, q)) if hat}
        for i, more, less in zip(range(j - 1, j + 3), token.most, token.least, strict=True):
            if 0 <= i < len(self.L) and {i - 1, i, i + 1} & set(hats):
                hat = hats.get(i, ZERO)
                part = self.share(i) * hat if self.s else hinges(hat, token.z)
                yield i, max(part + more * self.eta, ZERO), max(hat - part + less * self.eta, ZERO)


def ball(x: Fraction | int) -> arb:
    """Enclose a rational number."""
    return arb(Fraction(x).numerator) / Fraction(x).denominator


def between(row: tuple[Fraction, ...], token: Token) -> Fraction:
    """Return the chord of values at the knots."""
    return (1 - token.q) * row[token.cell] + token.q * row[token.cell + 1]


def hinges(h: Fraction, z: Fraction) -> Fraction:
    """Return g^+ of a hat h and a value z of the token's own."""
    return (max(h + z - 1, ZERO) + h - max(h - z, ZERO)) / 2


def wanted(case: Case) -> arb:
    """Return F, from its tokens one by one."""
    above, below = arb(0), arb(0)
    for token in case.tokens:
        weight = ball(between(case.L, token) + 4 * token.q * (1 - token.q) * case.bulges[token.cell]).exp()
        below += weight
        above += weight * ball(case.value(token))
    return above / below


def constructed(case: Case) -> arb:
    """Return G from the pooled features: sigma of the difference of two logarithms."""
    most = [case.delta * case.share(i) for i in range(len(case.L))]
    least = [case.delta * (1 - case.share(i) if case.s else 1) for i in range(len(case.L))]
    for token in case.tokens:
        for i, more, less in case.features(token):
            most[i] += more / len(case.tokens)
            least[i] += less / len(case.tokens)
    P, N = (sum((ball(nu) * ball(L).exp() for nu, L in zip(row, case.L, strict=True)), arb(0)) for row in (most, least))
    return stepped(P, N, case.low, case.height)


def stepped(P: arb, N: arb, low: Fraction, height: Fraction) -> arb:
    """Return low + height sigma(log P - log N), or its limit where P = 0: no value is above the least one."""
    if not P > 0:
        return ball(low)
    A, B = P.log(), N.log()
    return ball(low) + ball(height) / (1 + (B - A).exp())


def gap(case: Case) -> arb:
    """Return |G - F|."""
    return abs(constructed(case) - wanted(case))


def claimed(case: Case, constants: Mapping[str, Any]) -> arb:
    """Return the bound of the statement, with its constants or those of a false variant."""
    rises = [abs(b - a) for a, b in itertools.pairwise(case.L)]
    theta, H = max(rises), ball(case.height)
    kappa = max(ZERO, *case.bulges) - min(ZERO, *case.bulges) if constants["two"] else max(map(abs, case.bulges))
    if case.s:
        steps = [abs(b - a) for a, b in itertools.pairwise(case.s)]
        tilted = [ball(step) * ball(constants["quarter"] * rise).tanh() for rise, step in zip(rises, steps, strict=True)]
        each = ball(max(map(abs, case.bends))) + max(tilted, key=float)
    else:
        each = H * two_hinges(theta, constants["half"])
    weighed = ball(case.spread()) * ball(constants["share"] * (constants["eighth"] * theta**2 + kappa)).tanh()
    moved = ball(case.eta) * 4 * ((1 + ball(theta).exp()) / 2) ** constants["far"]
    added = ball(len(case.L) * case.delta) * ball(constants["spread"] * (max(case.L) - min(case.L))).exp()
    return each + weighed + H * (moved + added)


def two_hinges(theta: Fraction, half: Fraction) -> arb:
    """Return 1/2 tanh(log((1 + e^theta)/2)/4)."""
    return ball(half) * (((1 + ball(theta).exp()) / 2).log() / 4).tanh()


def too_far(case: Case, constants: Mapping[str, Any]) -> str:
    """Return a line if G is farther from F than claimed."""
    with ctx.workprec(PRECISION):
        found, most = gap(case), claimed(case, constants)
        return f"{case}: |G - F| = {found.str(8)} > {most.str(8)}" if found > most + SLACK else ""


def drawn() -> st.SearchStrategy[Case]:
    """Return a strategy for cases: up to 5 cells and 5 tokens, values of v or of their own."""
    small, errors, eighths = st.integers(-4, 4), st.tuples(*[st.integers(-1, 1)] * 4), st.integers(0, 8)
    knots = st.lists(st.tuples(small, small, small, small), min_size=2, max_size=6)
    token = st.tuples(st.integers(0, 9), eighths, eighths, errors, errors)
    return st.builds(_read, knots, st.lists(token, min_size=1, max_size=5), st.integers(0, 12), st.integers(0, 1), st.booleans())


def _read(knots: list[tuple[int, ...]], tokens: list[tuple[Any, ...]], places: int, held: int, own: bool) -> Case:
    L, s, bulges, bends = (tuple(Fraction(row[k], 8) for row in knots) for k in range(4))
    where = tuple(Token(j % (len(knots) - 1), Fraction(q, 8), Fraction(z, 8), *errors) for j, q, z, *errors in tokens)
    return Case(L, () if own else s, bulges[1:], bends[1:], where, Fraction(1, 8**places), Fraction(held, 256))
