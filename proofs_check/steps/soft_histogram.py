"""soft-histogram: features of a partition of unity; sums closer than 2 in l1 mean tokens that can be matched within 2h."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import sympy

from proofs_check.evidence import every, identities, refuted, sampled
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

Hat = Callable[[Sequence[Fraction]], Fraction]


def tensor_hat(y: Sequence[Fraction]) -> Fraction:
    """prod_a max(0, 1 - |y_a|)."""
    value = Fraction(1)
    for part in y:
        value *= max(Fraction(0), 1 - abs(part))
    return value


def kuhn_hat(y: Sequence[Fraction]) -> Fraction:
    """relu(1 + min(0, min_a y_a) - max(0, max_a y_a)): exactly ReLU in every d."""
    return max(Fraction(0), 1 + min(Fraction(0), *y) - max(Fraction(0), *y))


def min_hat(y: Sequence[Fraction]) -> Fraction:
    """max(0, 1 - max_a |y_a|): no partition of unity for d > 1."""
    return max(Fraction(0), 1 - max(map(abs, y)))


def hall(given: Given) -> Evidence:
    """If tokens A have fewer than |A| partners within 2h, the nodes that A touches tell: ||s - s'||_1 >= 2.

    S, R: mass of s and s' on those nodes; S >= |A|, and only the partners N of A reach them, so R <= |N| <= |A| - 1. Both sums
    have the total n, so elsewhere s' has S - R more than s, and the l1 distance is at least 2 (S - R).
    """
    distance, S, R, A, N, n = sympy.symbols("l S R A N n", real=True)
    conclusion = distance - given["threshold"]
    return follows({"both sums have the total n": (distance - 2 * (S - R), [(1, distance - ((S - R) + ((n - R) - (n - S))))]),
                    "l1 distance >= 2": (conclusion, [(1, distance - 2 * (S - R)), (2, S - A), (2, N - R), (2, (A - 1) - N)])},
                   "no matching within 2h forces an l1 distance of at least 2")


def marriage(given: Given) -> Evidence:
    """Hall's theorem, by induction on the number of tokens; N(A): partners of a set A of tokens, N(A) >= |A| for every A.

    One token has a partner. If every proper A has one partner to spare, give any token any partner: the others A keep
    N(A) - 1 >= |A|. Otherwise some proper A has N(A) = |A| and is matched by induction, and so are the tokens outside: B of
    them has N(A + B) - N(A) >= |B| partners outside N(A).
    """
    A, B, N_A, N_AB, left = sympy.symbols("A B N_A N_AB L", real=True)
    spare = given["spare"]
    return follows({"with one to spare": (left - A, [(1, left - (N_A - 1)), (1, N_A - (A + spare))]),
                    "a tight set aside": ((N_AB - N_A) - B, [(1, N_AB - (A + B)), (1, A - N_A)])},
                   "enough partners for every set of tokens give a matching, for any number of tokens")


def tensor_hats(given: Given) -> Evidence:
    """For every d: the two hats of a coordinate t in [0, 1] of a cell add up to 1, so a coordinate more keeps the total."""
    t, total = sympy.symbols("t S")
    near, far = given["height"] - t, t  # the hats of the cell's lower and upper end; those further away are 0
    return identities({"one coordinate": near + far - 1, "one coordinate more": total * near + total * far - total},
                      "tensor hats add up to 1, for every d")


def kuhn_hats(given: Given) -> Evidence:
    """For every d: at 1 = t_0 >= t_1 >= .. >= t_d >= t_(d+1) = 0 in a cell (sorted) the corners with hats above 0 telescope.

    A corner v takes coordinates V up: min(0, min y) = min_V t - 1, max(0, max y) = max of t outside V. If V is {1 .. k} the hat
    is (t_k - 1) + 1 - t_(k+1), with t_0 and t_(d+1) where V or its complement is empty. Any other V has some c inside and e
    outside with t_c <= t_e. And a hat is 0 where some |y_c| >= 1.
    """
    t_0, t_k, t_next, t_after, inside, outside, t_c, t_e, y = sympy.symbols("t_0 t_k t_k+1 t_k+2 i o t_c t_e y", real=True)

    def hat(lowest: sympy.Expr, highest: sympy.Expr) -> sympy.Expr:
        return given["height"] + lowest - highest  # before the relu

    low, high = sympy.symbols("p q", real=True)  # min(0, min y) and max(0, max y)
    return follows({"{1 .. k}": (hat(t_k - 1, t_next) - (t_k - t_next), []),
                    "k to k + 1": ((t_0 - t_next) + hat(t_next - 1, t_after) - (t_0 - t_after), []),
                    "another corner": (-hat(inside - 1, outside), [(1, t_c - inside), (1, outside - t_e), (1, t_e - t_c)]),
                    "y >= 1": (-hat(low, high), [(1, high - y), (1, y - 1), (1, -low)]),
                    "y <= -1": (-hat(low, high), [(1, y - low), (1, -1 - y), (1, high)])},
                   "Kuhn hats add up to t_0 - t_(d+1) = 1 and vanish outside the support, for every d")


def partitions_of_unity(given: Given) -> Evidence:
    """Tensor and Kuhn hats add up to 1 on rational points, d = 1, 2, 3; their support has max-norm radius h."""
    cases = itertools.product(given["hats"] or (tensor_hat, kuhn_hat), _points(given.effort(4, 6)))
    return every(cases, lambda case: _total(*case), "{} hats and points")


def _points(parts: int) -> Iterator[tuple[Fraction, ...]]:
    for d in (1, 2, 3):
        yield from itertools.product([Fraction(k, parts) * 2 for k in range(parts + 1)], repeat=d)


def _total(hat: Hat, x: tuple[Fraction, ...]) -> str:
    nodes = itertools.product(range(3), repeat=len(x))
    total = sum((hat([p - q for p, q in zip(x, g, strict=True)]) for g in nodes), Fraction(0))
    return "" if total == 1 else f"{hat.__name__} at {tuple(map(str, x))}: total {total}"


def min_hats_are_none(given: Given) -> Evidence:
    """At the middle of a square the four min-type hats add up to 2."""
    middle = (Fraction(1, 2), Fraction(1, 2))
    total = sum(min_hat([p - q for p, q in zip(middle, g, strict=True)]) for g in itertools.product((0, 1), repeat=2))
    return Evidence(Status.PROVED, "min-type hats add up to 2 there") if total == 2 else refuted("another total", str(total))


def matchings(given: Given) -> Evidence:
    """Random and chosen pairs of sequences: whenever the l1 distance is below 2, scipy's assignment finds moves <= 2h."""
    used = 0

    def objection(case: tuple[np.ndarray, np.ndarray]) -> str:
        nonlocal used
        distance = np.abs(_sums(case[0]) - _sums(case[1])).sum()
        used += distance < given["threshold"]
        return "" if distance >= given["threshold"] or _matched(*case) else (
            f"h = 1, X = {case[0].tolist()}, X' = {case[1].tolist()}: l1 distance {distance}, but no matching with moves <= 2")

    found = sampled(every(_pairs(given.effort(2000, 20000), given.seed), objection, "{} pairs of sequences"))
    return replace(found, what=found.what if found.witness else f"{found.what}, {used:,} closer than 2")


def _pairs(count: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield chosen pairs, then random ones, half of them near each other; tokens are multiples of 1/16, sums exact."""
    yield np.array([[0.0]]), np.array([[4.0]])
    yield np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    rng = np.random.default_rng(seed)
    for k in range(count):
        n, d = int(rng.integers(1, 6)), int(rng.integers(1, 3))
        X = rng.integers(0, 65, (n, d)) / 16
        moves = rng.integers(-24, 25, (n, d)) / 16 if k % 2 else rng.integers(0, 65, (n, d)) / 16 - X
        yield X, np.clip(X + moves, 0, 4)


def _sums(X: np.ndarray) -> np.ndarray:
    nodes = np.array(list(itertools.product(range(5), repeat=X.shape[1])))
    return np.asarray(np.maximum(0, 1 - np.abs(X[:, None] - nodes[None])).prod(-1).sum(0))


def _matched(X: np.ndarray, other: np.ndarray) -> bool:
    from scipy.optimize import linear_sum_assignment

    far = np.abs(X[:, None] - other[None]).max(-1) > 2
    rows, columns = linear_sum_assignment(far.astype(float))
    return not far[rows, columns].any()


def decoder(given: Given) -> Evidence:
    """psi = w/2 + min over X' of [g(X') + (osc/2) l(X')], w = w_f(2h): X' = X gives the upper bound, two cases the lower one.

    With s moved by m, the X' that is best for one gives at most osc m/2 more for the other.
    """
    g, other, w, osc, distance = sympy.symbols("g G w o l", nonnegative=True)  # G = g(X') of any X'
    moved, farther = sympy.symbols("m f", nonnegative=True)  # l(X') of the moved s is at most l(X') + m
    base = given["base"] * w  # added to the infimum
    gain = base + other + osc / 2 * distance - (g - w / 2)
    return follows({"psi <= g + w/2": (g + w / 2 - (base + g), []),
                    "l < 2: G >= g - w": (gain, [(1, other - g + w), (osc / 2, distance)]),
                    "l >= 2: G >= g - osc": (gain, [(1, other - g + osc), (osc / 2, distance - 2), (1, w)]),
                    "osc/2-Lipschitz": ((other + osc / 2 * distance + given["slope"] * osc * moved) - (other + osc / 2 * farther),
                                        [(osc / 2, distance + moved - farther)])},
                   "|psi - g| <= w_f(2h)/2, and psi is osc/2-Lipschitz in l1")


STEP = ProofStep(
    id="soft-histogram", section=4,
    plain="Partition of unity of mesh h: ||s(X) - s(X')||_1 < 2 implies a matching with moves <= 2h; error <= w_f(2h)/2.",
    latex=r"\|s(X)-s(X')\|_1<2\Rightarrow\exists\pi:\ \max_k|x_k-x'_{\pi(k)}|\le2h", source="ours, by Hall's theorem",
    hypotheses=("hats are continuous and >= 0, add up to 1, and are 0 at max-norm distance >= h from their node",),
    depends_on=("equivariance-semi-invariance", "modulus"),
    constants={"threshold": 2, "base": sympy.Rational(1, 2), "slope": sympy.Rational(1, 2), "hats": None, "spare": 1,
               "height": 1},
    checks=(Check("tokens without partners are seen", Method.SYMBOLIC, hall),
            Check("enough partners for every set of tokens give a matching", Method.SYMBOLIC, marriage),
            Check("the decoder", Method.SYMBOLIC, decoder),
            Check("tensor hats are a partition of unity", Method.SYMBOLIC, tensor_hats),
            Check("Kuhn hats are a partition of unity", Method.SYMBOLIC, kuhn_hats),
            Check("hats at rational points, d <= 3", Method.EXACT, partitions_of_unity, support=True),
            Check("min-type hats are not", Method.EXACT, min_hats_are_none, support=True),
            Check("matchings found by assignment", Method.SAMPLED, matchings, support=True)),
    mutations=(Mutation("< 2 becomes < 3", {"threshold": 3}), Mutation("w/4 in place of w/2", {"base": sympy.Rational(1, 4)}),
               Mutation("a decoder with the constant osc/3", {"slope": sympy.Rational(1, 3)}),
               Mutation("min-type hats", {"hats": (min_hat,)}), Mutation("no partner to spare", {"spare": 0}),
               Mutation("hats of height 2", {"height": 2})))
