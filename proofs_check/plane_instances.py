"""Small averages with exponential weights over two coordinates, in balls (mathematics: planar-average)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, ctx
from hypothesis import strategies as st

from proofs_check.average_instances import ONE, PRECISION, SLACK, ZERO, ball, stepped
from proofs_check.triangulation import Knot, edges, hat, neighbours, offsets, triangles

Rows = tuple[tuple[Fraction, ...], ...]  # a number for each knot; or for each cell of one coordinate, and of the other


@dataclass(frozen=True)
class Token:
    """So many tokens at one place, (1 - p) t_i + p t_{i+1} and (1 - q) t_j + q t_{j+1} of the cell (i, j).

    Its features g^+ and g^- are held with errors of ``most`` and ``least`` times eta, at every knot where they may be off.
    """

    cell: Knot
    p: Fraction
    q: Fraction
    times: int = 1
    most: int = 0
    least: int = 0

    def __str__(self) -> str:
        """Write it down as a part of a witness."""
        return f"{self.times} in cell {self.cell}, p = {self.p}, q = {self.q}, errors {self.most} and {self.least}"


@dataclass(frozen=True)
class Case:
    """A sequence at one u: logarithms L and values s at the knots, where the diagonals go, and the tokens.

    In a cell (i, j), K is linear on its two triangles plus 4 p (1 - p) bulges[0][i] + 4 q (1 - q) bulges[1][j], and so is s
    with ``bends``.
    """

    L: Rows
    s: Rows
    bulges: Rows
    bends: Rows
    orientation: int
    tokens: tuple[Token, ...]
    delta: Fraction = Fraction(1, 2**60)
    eta: Fraction = ZERO

    def __str__(self) -> str:
        """Write it down as a witness."""
        L, s, bulges, bends = (" | ".join(", ".join(map(str, row)) for row in rows)
                               for rows in (self.L, self.s, self.bulges, self.bends))
        return (f"L = {L}, s = {s}, bulges {bulges}, bends {bends}, o = {self.orientation}, delta = {self.delta}, "
                f"eta = {self.eta}, tokens: {'; '.join(map(str, self.tokens))}")

    @property
    def low(self) -> Fraction:
        """The least value of the mixtures, s_-."""
        return min(map(min, self.s))

    @property
    def height(self) -> Fraction:
        """The largest value of the mixtures less the least, H."""
        return max(map(max, self.s)) - self.low or ONE

    def knots(self) -> Iterator[Knot]:
        """Yield all knots."""
        return itertools.product(range(len(self.L)), range(len(self.L[0])))

    def triangles(self) -> Iterator[tuple[Knot, ...]]:
        """Yield all triangles."""
        for i, j in itertools.product(range(len(self.L) - 1), range(len(self.L[0]) - 1)):
            yield from triangles((i, j), self.orientation)

    def between(self, rows: Rows, token: Token, above: Rows) -> Fraction:
        """Return what is linear on triangles, and what lies above it, where a token is."""
        (i, j), p, q = token.cell, token.p, token.q
        chord = sum((hat * rows[m][n] for (m, n), hat in self.hats(token)), ZERO)
        return chord + 4 * p * (1 - p) * above[0][i] + 4 * q * (1 - q) * above[1][j]

    def hats(self, token: Token) -> list[tuple[Knot, Fraction]]:
        """Return the knots whose hats are not 0 at a token, with these."""
        at = token.cell[0] + token.p, token.cell[1] + token.q
        found = ((knot, hat(*offsets(at, knot, self.orientation))) for knot in self.knots())
        return [(knot, height) for knot, height in found if height]

    def features(self, token: Token) -> Iterator[tuple[Knot, Fraction, Fraction]]:
        """Yield knots with g^+ and g^- of a token as they are held; 0 where the hats of a knot and its neighbours are 0."""
        hats = dict(self.hats(token))
        for knot in self.knots():
            if hats.keys() & {knot, *neighbours(knot, self.orientation)}:
                height, z = hats.get(knot, ZERO), self.share(knot)
                most, least = z * height + token.most * self.eta, (1 - z) * height + token.least * self.eta
                yield knot, max(most, ZERO), max(least, ZERO)

    def share(self, knot: Knot) -> Fraction:
        """Return z of a knot, the part of it that counts with the largest value."""
        return (self.s[knot[0]][knot[1]] - self.low) / self.height


def rises(rows: Rows, triangle: Iterable[Knot], orientation: int, diagonal: int = 1) -> tuple[Fraction, ...]:
    """Return |D_1|, |D_2| and |D_1 + o D_2| along the sides of a triangle, or with ``diagonal`` times o in the place of o."""
    sides: dict[Knot, Fraction] = {}
    for (i, j), (m, n) in itertools.permutations(triangle, 2):
        sides[m - i, n - j] = rows[m][n] - rows[i][j]
    D_1, D_2 = sides[1, 0], sides[0, 1]
    return abs(D_1), abs(D_2), abs(D_1 + diagonal * orientation * D_2)


def wanted(case: Case) -> arb:
    """Return F, from its tokens one by one."""
    above, below = arb(0), arb(0)
    for token in case.tokens:
        weight = token.times * ball(case.between(case.L, token, case.bulges)).exp()
        below += weight
        above += weight * ball(case.between(case.s, token, case.bends))
    return above / below


def constructed(case: Case) -> arb:
    """Return G from the pooled features: sigma of the difference of two logarithms."""
    most = {knot: case.delta * case.share(knot) for knot in case.knots()}
    least = {knot: case.delta * (1 - case.share(knot)) for knot in case.knots()}
    n = sum(token.times for token in case.tokens)
    for token in case.tokens:
        for knot, more, less in case.features(token):
            most[knot] += more * token.times / n
            least[knot] += less * token.times / n
    P, N = (sum((ball(nu) * ball(case.L[i][j]).exp() for (i, j), nu in row.items()), arb(0)) for row in (most, least))
    return stepped(P, N, case.low, case.height)


def gap(case: Case) -> arb:
    """Return |G - F|."""
    return abs(constructed(case) - wanted(case))


def claimed(case: Case, constants: Mapping[str, Any]) -> arb:
    """Return the bound of the statement, with its constants or those of a false variant."""
    tilted, theta = [arb(0)], ZERO
    for triangle in case.triangles():
        rise = max(rises(case.L, triangle, case.orientation, constants["diagonal"]))
        step = max(rises(case.s, triangle, case.orientation, constants["diagonal"]))
        theta = max(theta, rise)
        tilted.append(ball(step) * ball(constants["quarter"] * rise).tanh())
    kappas = [(max(ZERO, *row) - min(ZERO, *row)) if constants["two"] else max(map(abs, row)) for row in case.bulges]
    kappa = sum(kappas) if constants["both"] else max(kappas)
    values = [case.between(case.s, token, case.bends) for token in case.tokens]
    each = ball(sum(max(map(abs, row)) for row in case.bends)) + max(tilted, key=float)
    weighed = ball(max(values) - min(values)) * ball(constants["quarter"] * (constants["eighth"] * theta**2 + kappa)).tanh()
    moved = ball(case.eta) * sum((count * ball(k * theta).exp() for k, count in enumerate(constants["ring"])), arb(0))
    highest, lowest = max(map(max, case.L)), min(map(min, case.L))
    added = ball(len(list(case.knots())) * case.delta) * ball(constants["spread"] * (highest - lowest)).exp()
    return each + weighed + ball(case.height) * (moved + added)


def too_far(case: Case, constants: Mapping[str, Any]) -> str:
    """Return a line if G is farther from F than claimed."""
    with ctx.workprec(PRECISION):
        found, most = gap(case), claimed(case, constants)
        return f"{case}: |G - F| = {found.str(8)} > {most.str(8)}" if found > most + SLACK else ""


def flat(*shape: int) -> Rows:
    """Return zeros."""
    return tuple((ZERO,) * size for size in shape)


def added(first: Iterable[Fraction | int], second: Iterable[Fraction | int]) -> Rows:
    """Return the sums of one number for each i and one for each j."""
    second = tuple(second)
    return tuple(tuple(Fraction(a + b) for b in second) for a in first)


def tilts() -> tuple[Case, Case]:
    """Return a token in the middle of a diagonal, one for each orientation; s and L move by twice what they do along a side."""
    step, half = Fraction(1, 16), Fraction(1, 2)
    token = Token((0, 0), half - step / 4, half - step / 4)
    turned = Token((0, 0), half - step / 4, half + step / 4)
    return (Case(added((0, step), (0, step)), added((0, 1), (0, 1)), flat(1, 1), flat(1, 1), 1, (token,)),
            Case(added((0, step), (0, -step)), added((0, 1), (0, -1)), flat(1, 1), flat(1, 1), -1, (turned,)))


def groups() -> Case:
    """Return tokens of two cells, in the proportion 1 : 5, nearly e^(8/5): one exponent above its chord, the other below it."""
    c, half = Fraction(4, 5), Fraction(1, 2)
    tokens = (Token((0, 0), half, half, 10**6), Token((2, 2), half, half, 5 * 10**6))
    bulges = (c, ZERO, -c), (c, ZERO, -c)
    return Case(flat(4, 4, 4, 4), _rows(4, lambda i, j: Fraction(i + j > 3)), bulges, flat(3, 3), -1, tokens)


def held() -> Case:
    """Return a token near a knot from which L rises with every edge, all features that may be off held as too large."""
    steep, near = Fraction(3, 2), Fraction(1, 2**20)
    steps = edges((1, 1), 1)
    L = _rows(4, lambda i, j: steep * steps[i, j])
    token = Token((1, 1), 2 * near, near, most=1)
    return Case(L, flat(4, 4, 4, 4), flat(3, 3), flat(3, 3), 1, (token,), eta=Fraction(1, 2**12))


def filled() -> Case:
    """Return a token at a knot with the least L, where nearly all knots have the largest L, and the largest value."""
    L, s = added((0, 0, *(6,) * 22), (0, 0)), added((0, *(1,) * 23), (0, 0))
    return Case(L, s, flat(23, 1), flat(23, 1), 1, (Token((0, 0), ZERO, ZERO),), Fraction(1, 2**24))


def _rows(size: int, value: Callable[[int, int], Fraction]) -> Rows:
    return tuple(tuple(value(i, j) for j in range(size)) for i in range(size))


def drawn() -> st.SearchStrategy[Case]:
    """Return a strategy for cases: up to 3 times 3 cells, up to 4 places of tokens, as many as 10^9 at one of them."""
    small, eighths, off = st.integers(-4, 4), st.integers(0, 8), st.integers(-1, 1)
    knots = st.lists(st.tuples(small, small, small, small), min_size=2, max_size=4)
    token = st.builds(Token, st.tuples(st.integers(0, 5), st.integers(0, 5)), eighths, eighths,
                      st.sampled_from((1, 2, 1000, 10**9)), off, off)
    return st.builds(_read, knots, knots, st.sampled_from((1, -1)), st.lists(token, min_size=1, max_size=4),
                     st.integers(0, 12), st.integers(0, 1), st.booleans())


def _read(first: list[tuple[int, ...]], second: list[tuple[int, ...]], orientation: int, tokens: list[Token], places: int,
          held: int, rounded: bool) -> Case:
    (L, s, bulges, bends), (M, t, swells, turns) = ([tuple(Fraction(row[k], 8) for row in rows) for k in range(4)]
                                                    for rows in (first, second))
    where = tuple(Token((token.cell[0] % (len(L) - 1), token.cell[1] % (len(M) - 1)), Fraction(token.p, 8), Fraction(token.q, 8),
                        token.times, token.most, token.least) for token in tokens)
    off = Fraction(int(rounded), 32)  # what makes L no sum of two
    logarithms = tuple(tuple(x + off * ((3 * i + 5 * j + i * j) % 4) for j, x in enumerate(row))
                       for i, row in enumerate(added(L, M)))
    return Case(logarithms, added(s, t), (bulges[1:], swells[1:]), (bends[1:], turns[1:]), orientation, where,
                Fraction(1, 8**places), Fraction(held, 256))
