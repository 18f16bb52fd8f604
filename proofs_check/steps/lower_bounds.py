"""lower-bounds: m d continuous features are needed in the worst case, m = n - 1, and pieces bound ReLU features."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import sympy

from proofs_check.evidence import cited, every, refuted
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep
from proofs_check.relu_pieces import confused, exact_layers, features_at, linear_pieces
from proofs_check.trained import read_stack

Features = Callable[[np.ndarray], np.ndarray]


def enough_dimensions(given: Given) -> Evidence:
    """The boundary of [-1, 1]^(m d) is a sphere of dimension m d - 1 >= d' for every d' < m d: Borsuk-Ulam gives F(u) = F(-u)."""
    dims, latent = sympy.symbols("m_d d'", integer=True, positive=True)
    fewer = dims - 1 + given["more"]  # the largest d' that is claimed to collide
    return follows({"dimension of the sphere": ((dims - 1) - latent, [(1, fewer - latent)])}, "d' <= m d - 1, for every m and d")


def features_give_u(given: Given) -> Evidence:
    """For every m and d: token c_k + u_k s/2 has T = u_k in block k and 0 elsewhere, so the sum of T is u, and -u for the others.

    Then the targets u and -u differ by 2 |u_r| = 2 in some coordinate r, and one of two errors against a common value is >= 1.
    """
    s, c, u = sympy.symbols("s c u", positive=True)
    answer, error, mirrored = sympy.symbols("a e e'", real=True)  # psi's one answer where |u_r| = 1, its errors for 1 and for -1

    half = sympy.Rational(1, 2)

    def block(y: sympy.Expr) -> sympy.Expr:
        return (y - c) * given["slope"] / s  # T inside the box of this block

    return follows({"its own block": (block(c + u * s / 2) - u, []), "its mirror image": (block(c - u * s / 2) + u, []),
                    "one error is >= 1": ((error + mirrored) / 2 - 1,
                                          [(half, error - (1 - answer)), (half, mirrored - (answer + 1))])},
                   "m d features are exact for this f, and u, -u are at distance 2, for every m and d")


def boxes(m: int) -> tuple[list[Fraction], Fraction]:
    """Return the centres of m disjoint intervals in [0, 1], and their common side s (d = 1)."""
    return [Fraction(2 * k + 1, 2 * m) for k in range(m)], Fraction(1, 2 * m)


def T(m: int, y: Fraction, slope: int = 2) -> list[Fraction]:
    """Return the m features of y: (2/s)(y - c_k) in its own box, 0 in the other blocks; continuous between boxes."""
    centres, s = boxes(m)
    values = []
    for c in centres:
        inside = min(max((y - c) * slope / s, Fraction(-1)), Fraction(1))
        gap = max(abs(y - c) - s / 2, Fraction(0)) / (s / 2)  # back to 0 before the next box begins
        values.append(inside * max(1 - gap, Fraction(0)))
    return values


def sums_are_the_parameter(given: Given) -> Evidence:
    """Tokens c_k + u_k s/2 have sum_k T = u; those of -u have -u: m features are exact, and the targets differ by 2."""
    return every(_boundary(given), lambda case: _wrong_sum(*case, given["slope"]), "{} points u of the boundary of the cube")


def _sums(m: int, u: Sequence[Fraction], slope: int = 2) -> list[Fraction]:
    centres, s = boxes(m)
    features = [T(m, c + v * s / 2, slope) for c, v in zip(centres, u, strict=True)]
    return [sum(column, Fraction(0)) for column in zip(*features, strict=True)]


def _boundary(given: Given) -> Iterator[tuple[int, tuple[Fraction, ...]]]:
    grid = [Fraction(k, 2) for k in range(-2, 3)]
    for m in range(1, given.effort(4, 5)):
        yield from ((m, u) for u in itertools.product(grid, repeat=m) if max(map(abs, u)) == 1)


def _wrong_sum(m: int, u: tuple[Fraction, ...], slope: int) -> str:
    total = _sums(m, u, slope)
    return "" if total == list(u) else f"m = {m}, u = {u}: the features add up to {total}"


def truncated_features(given: Given) -> Evidence:
    """The first d' of these m features, d' < m: u = (0, .., 0, 1) and -u collide. With all m nothing on the boundary does."""
    cases = [(m, latent) for m in range(1, 6) for latent in range(1, m + given["more"])]
    return every(cases, lambda case: _separates(*case), "{} pairs (m, d'): sequences at distance 2 collide")


def _separates(m: int, latent: int) -> str:
    u = [Fraction(0)] * (m - 1) + [Fraction(1)]
    sums = [_sums(m, [sign * v for v in u])[:latent] for sign in (1, -1)]
    return "" if sums[0] == sums[1] else f"m = {m}, d' = {latent}: the features T separate u from -u for every u != 0"


def search(given: Given) -> Evidence:
    """Look for u on the boundary with equal sums of random continuous features, d' = m - 1."""
    cases = [(m, seed) for m in (2, 3) for seed in range(given.effort(4, 12))]
    found = [(m, seed, _collision(m, seed + given.seed)) for m, seed in cases]
    missed = [f"m = {m}, seed {seed}" for m, seed, u in found if u is None]
    if missed:
        return Evidence(Status.UNDECIDED, f"no collision found for {missed[0]}", len(cases))
    m, _, u = found[-1]
    shown = ", ".join(f"{v:.6f}" for v in u) if u is not None else ""
    return Evidence(Status.SAMPLED, f"{len(cases)} collisions of tanh features, d' = m - 1; m = {m}: u = ({shown})", len(cases))


def _collision(m: int, seed: int) -> np.ndarray | None:
    from scipy.optimize import least_squares

    phi, (centres, s) = _tanh_features(m - 1, seed), boxes(m)
    middle, half = np.array([float(c) for c in centres]), float(s) / 2
    rng = np.random.default_rng(seed)

    def odd(inner: np.ndarray, face: int) -> np.ndarray:
        u = np.insert(inner, face, 1.0)
        return np.asarray(phi(middle + half * u).sum(0) - phi(middle - half * u).sum(0))

    for face in range(m):
        for start in rng.uniform(-1, 1, (24, m - 1)):
            solved = least_squares(odd, start, args=(face,), bounds=(-1, 1), xtol=1e-15, ftol=1e-15, gtol=1e-15)
            if np.abs(odd(solved.x, face)).max() < 1e-12:
                return np.asarray(np.insert(solved.x, face, 1.0))
    return None


def _tanh_features(latent: int, seed: int) -> Features:
    rng = np.random.default_rng(seed)
    A, b, C = rng.normal(0, 6, (1, 16)), rng.normal(0, 3, 16), rng.normal(0, 1, (16, latent))
    return lambda x: np.tanh(x[:, None] @ A + b) @ C


def piece_count(given: Given) -> Evidence:
    """On a piece [a, b] of length >= 1/P features are affine: {a, b} and its doubled middle have one sum, any d'."""
    low, length, slope = sympy.symbols("a l m", nonnegative=True)
    value = sympy.Symbol("v", real=True)

    def phi(t: sympy.Expr) -> sympy.Expr:
        return value + slope * (t - low)

    same = phi(low) + phi(low + length) - 2 * phi(low + length / 2)
    half_gap = ((2 * length - 1) - (2 * 0 - 1)) / 2
    return follows({"equal sums": (same, []), "error >= 1/P": (half_gap - given["pieces"] * length, [])},
                   "P linear pieces, any d': error >= 1/P for 2|x_j - x_k| - 1, n = 3")


def relu_features(given: Given) -> Evidence:
    """Exact pieces of ReLU features, the user's or random ones of any d': the longest is at least 1/P long, and collides."""
    stacks = {given.phi: read_stack(Path(given.phi))} if given.phi and Path(given.phi).exists() else _random_stacks(given.seed)
    found = {name: linear_pieces(stack) for name, stack in stacks.items()}
    for name, pieces in found.items():
        a, b, middle = pieces.collision()
        layers = exact_layers(stacks[name])
        ends = zip(features_at(layers, a), features_at(layers, b), features_at(layers, middle), strict=True)
        if any(u + v != 2 * w for u, v, w in ends):  # of the network itself, not of its pieces
            return refuted("a piece is not affine", f"{name}: phi(a) + phi(b) is not 2 phi((a + b)/2) on [{a}, {b}]")
        if (b - a) * len(pieces.lines) < given["pieces"]:
            return refuted("a longest piece is shorter", f"{name}: {len(pieces.lines)} pieces, the longest {float(b - a)} long")
    lines = tuple(line for name, pieces in found.items() for line in confused(name, pieces)) if given.phi else ()
    counts = ", ".join(str(len(pieces.lines)) for pieces in found.values())
    return Evidence(Status.PROVED, f"{len(found)} ReLU maps of {counts} pieces: each confuses two sequences", len(found), lines)


def _random_stacks(seed: int) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    rng = np.random.default_rng(seed)
    return {f"widths {widths}": [(rng.normal(size=shape), rng.normal(size=shape[1])) for shape in itertools.pairwise(widths)]
            for widths in ((1, 12, 4), (1, 8, 8, 3), (1, 6, 6, 6, 2))}


def count_for_line(given: Given) -> Evidence:
    """m = n - 1 for d = 1: power sums of degree <= m, d' = m, do separate multisets (Newton's identities), on a grid."""
    for m in (2, 3):
        grid = [Fraction(k, 6) for k in range(7)]
        seen = {tuple(sum(x**k for x in X) for k in range(1, m + 1)) for X in itertools.combinations_with_replacement(grid, m)}
        if len(seen) != math.comb(len(grid) + m - 1, m):
            return refuted("power sums collide", f"m = {m}")
    return Evidence(Status.PROVED, "d = 1: d' = m power sums separate all multisets of a grid, m = 2, 3", 2)


STEP = ProofStep(
    id="lower-bounds", section=3,
    plain="Some f needs d' = (n-1) d: fewer continuous features err by >= 1. P linear pieces err by >= 1/P for 2|x_j - x_k| - 1.",
    latex=r"d'<(n-1)d\Rightarrow\|f-S\|\ge1;\qquad P\text{ pieces}\Rightarrow\|f-S\|\ge1/P",
    source="ours, by Borsuk-Ulam; Wagstaff et al. 2019, 2022 for d = 1", hypotheses=("phi is continuous",),
    expected=Status.ASSUMED, constants={"more": 0, "pieces": 1, "slope": 2},
    checks=(Check("an odd map from the boundary of the cube to fewer dimensions vanishes somewhere", Method.CITED,
                  lambda given: cited("Borsuk-Ulam theorem")),
            Check("the sphere has enough dimensions", Method.SYMBOLIC, enough_dimensions),
            Check("m d features are exact for it", Method.SYMBOLIC, features_give_u),
            Check("a piece of an affine feature collides with its doubled middle", Method.SYMBOLIC, piece_count),
            Check("sums of these features, d = 1, m <= 3", Method.EXACT, sums_are_the_parameter, support=True),
            Check("fewer of these features collide, d = 1, m <= 5", Method.EXACT, truncated_features, support=True),
            Check("exact pieces of ReLU features", Method.EXACT, relu_features, support=True),
            Check("m power sums suffice on a line", Method.EXHAUSTIVE, count_for_line, support=True),
            Check("collisions of random features are found", Method.SAMPLED, search, support=True)),
    mutations=(Mutation("also d' = (n-1) d features collide", {"more": 1}), Mutation("error >= 2/P", {"pieces": 2}),
               Mutation("T of slope 1/s in a box", {"slope": 1})))
