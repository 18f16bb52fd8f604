"""exponential-average: averages with weights e^K from pooled features, after them in logarithms alone; every n."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import sympy
from flint import ctx

from proofs_check.average_instances import (
    EXACT,
    PRECISION,
    SLACK,
    Case,
    Token,
    ball,
    claimed,
    drawn,
    gap,
    hinges,
    too_far,
    two_hinges,
)
from proofs_check.evidence import enclosed, every, identities, property_based
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def mixtures(given: Given) -> Evidence:
    """G averages two values, s_- + H with the weight P = e^A and s_- with N = e^B; s_j is z_j of one and 1 - z_j of the other."""
    A, B, mean, L = sympy.symbols("A B m L", real=True)  # m = log(mu + delta)
    low, s = sympy.symbols("s_- s_j", real=True)
    H, W, P, N, z = sympy.symbols("H W P N z", positive=True)
    inner, part = given["sign"] * (A - B), (s - low) / H
    return identities({"sigma(A - B)": 1 / (1 + sympy.exp(-inner)) - sympy.exp(A) / (sympy.exp(A) + sympy.exp(B)),
                       "two values": low + H * P / (P + N) - ((low + H) * P + low * N) / (P + N),
                       "a value between them": (low + H) * (part * W) + low * ((1 - part) * W) - s * W,
                       "one logarithm for both": sympy.exp(mean + L + sympy.log(z)) - z * sympy.exp(mean) * sympy.exp(L)},
                      "G = (s_- + H) e^A/(e^A + e^B) + s_- e^B/(e^A + e^B), and s_j W = (s_- + H) z_j W + s_- (1 - z_j) W")


def features_of_a_token(given: Given) -> Evidence:
    """v in a cell: at most four features are off by eta, of knots with e^L = A, X, Y, B that differ by factors <= g = e^theta.

    Together that is at most (1 + g)^2 eta of w~ = p X + q Y, p + q = 1, written with p + q in the place of 1. X <= Y: from the
    other side it is the same.
    """
    p, q, y = sympy.symbols("p q y", nonnegative=True)
    g = 1 + y
    A, X, Y, B = sympy.symbols("A X Y B", positive=True)
    near = 4 * ((1 + g) / 2) ** given["far"] * (p * X + q * Y) - (p + q) * (A + X + Y + B)
    return follows({"attained where q is almost 0": (near.subs({A: g * X, Y: g * X, B: g**2 * X, q: 0}), []),
                    "(1 + g)^2 w~ - (A + X + Y + B)": (near, [
                        (p, g * X - A), (p * (1 + g), g * X - Y), (p, g * Y - B),
                        (q, g * X - A), (q, g * Y - B), (q * (1 + g), Y - X), (q * y * (2 + y), Y)])},
                   "off by at most x w~, x = eta (1 + e^theta)^2, and so is the sum over tokens")


def moved_weights(given: Given) -> Evidence:
    """P >= P_0 - x B_0, N <= N_0 + (x + d) B_0, B_0 = P_0 + N_0, d = Delta e^omega: P/(P + N) falls by (x + d)/(1 + d) at most.

    It rises by no more: P and N change places. In units of e^(min L), B_0 is at least 1, as sum mu = 1; E = e^omega.
    """
    x, d, Delta, P_0, N_0, added = sympy.symbols("x d Delta P_0 N_0 added", nonnegative=True)
    P, N, B = sympy.symbols("P N B_0", positive=True)
    E, both, moved = 1 + sympy.Symbol("e", nonnegative=True), P_0 + N_0, x + sympy.Rational(given["once"]) * d
    claim = moved * both * (P + N) - (1 + d) * (P_0 * N - P * N_0)
    return follows({"Delta e^omega": (Delta * E ** sympy.Rational(given["spread"]) * B - added,
                                      [(1, Delta * E - added), (Delta * E, B - 1)]),
                    "the fall": (P_0 / both - P / (P + N) - (P_0 * N - P * N_0) / (both * (P + N)), []),
                    "attained": (claim.subs({N_0: 0, P: P_0 * (1 - x), N: P_0 * (x + d)}), []),
                    "(x + d)/(1 + d)": (claim, [(N, P - P_0 + x * both), (P, N_0 + (x + d) * both - N), (d * (P + N), N_0)]),
                    "x + d": ((x + d) * (1 + d) - moved, [(d, x + d)])},
                   "|G - G_0| <= H (x + Delta e^omega)")


def bracket(given: Given) -> Evidence:
    """1 <= p e^(-q theta) + q e^(p theta) <= e^(theta^2/8), p + q = 1 (Hoeffding's lemma), by e^z >= 1 + z and by Taylor.

    With f(theta) = log(p + q e^theta) - q theta, the logarithm: f(0) = f'(0) = 0 and f'' <= 1/4.
    """
    p, q, low, high = sympy.symbols("p q a b", positive=True)  # low, high: e^(-q theta), e^(p theta)
    theta, t, a = sympy.symbols("theta t a", real=True)
    exp, g, of_one = sympy.exp, sympy.Function("g"), {p: 1 - q}
    f = sympy.log(p + q * exp(t)) - q * t
    known = identities({"its logarithm": (p * exp(-q * t) + q * exp(t - q * t)) - exp(-q * t) * (p + q * exp(t)),
                        "f(0)": f.subs(t, 0).subs(of_one), "f'(0)": f.diff(t).subs(t, 0).subs(of_one),
                        "Taylor": ((a - t) * g(t).diff(t) + g(t)).diff(t) - (a - t) * g(t).diff(t, 2)}, "")
    if known.status is not Status.PROVED:
        return known
    Z = sympy.Symbol("Z", positive=True)  # e^t
    second, remainder = f.diff(t, 2).subs(exp(t), Z), sympy.integrate((theta - t) / 4, (t, 0, theta))
    return follows({"at least 1": (p * low + q * high - (p + q), [(p, low - (1 - q * theta)), (q, high - (1 + p * theta))]),
                    "f'' <= 1/4": (sympy.Rational(1, 4) - second, [(1 / (4 * (p + q * Z) ** 2), (p - q * Z) ** 2)]),
                    "theta^2/8": (sympy.Rational(given["eighth"]) * theta**2 - remainder, [])},
                   "p e^(-q theta) + q e^(p theta) lies in [1, e^(theta^2/8)]")


def tilt(given: Given) -> Evidence:
    """q' = q e^theta/(p + q e^theta): |q' - q| <= tanh(|theta|/4), attained at p = q e^(theta/2).

    For theta < 0, p and q change places.
    """
    p, q = sympy.symbols("p q", positive=True)
    y = sympy.Symbol("y", nonnegative=True)
    z = 1 + y  # e^(theta/2)
    after, before = q * z**2 / (p + q * z**2), q / (p + q)
    s, S = sympy.symbols("s_j s_{j+1}", real=True)
    return follows({**tilted(given["quarter"]),
                    "theta < 0": ((before - q / (p * z**2 + q)) - (p * z**2 / (q + p * z**2) - p / (p + q)), []),
                    "c~": ((p * s + q * z**2 * S) / (p + q * z**2) - (s + after * (S - s)), [])},
                   "|c~ - s(v)| <= e_s + |s_{j+1} - s_j| tanh(theta_j/4)")


def tilted(rate: Fraction) -> dict[str, Any]:
    """q e^theta/(p + q e^theta) - q/(p + q) <= tanh(rate theta), p, q > 0 any numbers; z = e^(theta/2) >= 1."""
    p, q = sympy.symbols("p q", positive=True)
    y = sympy.Symbol("y", nonnegative=True)
    z = 1 + y
    power = z ** (4 * sympy.Rational(rate))
    short = (power - 1) / (power + 1) - (q * z**2 / (p + q * z**2) - q / (p + q))
    return {"tanh(theta/4) - (q' - q)": (short, [(y / ((z + 1) * (p + q) * (p + q * z**2)), (p - q * z) ** 2)]),
            "attained": (short.subs(p, q * z), [])}


def two_hinges_a_knot(given: Given) -> Evidence:
    """g = (relu(h + z - 1) + h - relu(h - z))/2 for the hats h = p, q of a cell, p + q = 1: they add up to z, 0 <= g <= h.

    |g - z h| <= m d/2 with m = min(p, q), d = |p - q|, so 1 = 2 m + d: z is below both hats, between them, or above both.
    """
    m, d, t = sympy.symbols("m d t", nonnegative=True)  # below: z = t <= m; between: t <= d; above: t <= m
    places = {"below": (t, 0, d * t / 2), "between": (m + t, 1, m * (d - 2 * t) / 2), "above": (m + d + t, 2, -d * (m - t) / 2)}
    claims = {"below: from above": (m * d / 2 - d * t / 2, [(d / 2, m - t)]), "below: from below": (d * t / 2, [(d / 2, t)]),
              "between: from above": (m * d / 2 - m * (d - 2 * t) / 2, [(m, t)]),
              "between: from below": (m * d / 2 + m * (d - 2 * t) / 2, [(m, d - t)]),
              "above: from above": (d * (m - t) / 2, [(d / 2, m - t)]),
              "above: from below": (m * d / 2 - d * (m - t) / 2, [(d / 2, t)])}
    for name, (z, passed, off) in places.items():
        for p, q, sign in ((m, m + d, 1), (m + d, m, -1)):
            over = (passed > (p != m), passed > (q != m))  # z is above p, above q
            one, other = _hinges(p, q, z, *over, given["rest"]), _hinges(q, p, z, *over[::-1], given["rest"])
            opposite = _hinges(p, q, 2 * m + d - z, not over[1], not over[0], given["rest"])
            claims |= {f"{name}, h = {p}: the sum": (one + other - z, []),
                       f"{name}, h = {p}: g >= 0": (one, [(sympy.expand(one), 1)]),
                       f"{name}, h = {p}: h - g is g of 1 - z": (p - one - opposite, []),
                       f"{name}, h = {p}: g - z h": (one * (2 * m + d) - z * p - sign * off, [])}
    return follows(claims, "g_j + g_{j+1} = z, 0 <= g <= h, |g - z h| <= min(p, q)|p - q|/2")


def own_values(given: Given) -> Evidence:
    """c~ - s = H (g_j - z p)(X - Y)/(p X + q Y), |..| <= H/2 (r - 1)/(r + 1), r^2 = (1 + e^theta)/2; r = e^(2 t) gives tanh t.

    Y/X = e^theta = 2 r^2 - 1 >= 1; with the light end's hat q = 1 - p <= p, and with q >= p, m = p, what divides is larger.
    """
    a, z, X, Y = sympy.symbols("a z X Y", positive=True)
    q, y, m, d = sympy.symbols("q y m d", nonnegative=True)
    r, half = 1 + y, sympy.Rational(given["half"])
    ratio, most = 2 * r**2 - 1, half * (r - 1) / (r + 1)
    moved = q * (1 - 2 * q) / 2 * (ratio - 1) / (1 - q + q * ratio)
    up = sympy.Symbol("u", positive=True)
    return follows({"c~ - s": ((a * X + (z - a) * Y) / ((1 - q) * X + q * Y) - z
                               - (a - z * (1 - q)) * (X - Y) / ((1 - q) * X + q * Y), []),
                    "attained at q = 1/(2 r + 2), z = q": ((most - moved).subs(q, 1 / (2 * r + 2)), []),
                    "z h - g there": (q * (1 - q) - _hinges(1 - q, q, q, False, False, 1) - q * (1 - 2 * q) / 2, []),
                    "q <= p": (most - moved, [(y / (2 * (y + 2) * (1 + 2 * q * y * (y + 2))), (2 * (r + 1) * q - 1) ** 2)]),
                    "q >= p": ((m + (m + d) * ratio) - ((m + d) + m * ratio), [(2 * d * y, y + 2)]),
                    "tanh": ((up**2 - 1) / (up**2 + 1) - (up - 1 / up) / (up + 1 / up), [])},
                   "|c~ - s| <= H/2 tanh(1/4 log((1 + e^theta)/2))")


def _hinges(p: Any, q: Any, z: Any, over_p: bool, over_q: bool, rest: int) -> Any:
    """Return (relu(p + z - 1) + p - relu(p - z))/2 with p + q = 1, told whether z >= p and z >= q."""
    return ((z - q if over_q else 0) + rest * p - (0 if over_p else p - z)) / 2


def ratios(given: Given) -> Evidence:
    """r = w~/w of a token in cell i against one in cell j: log r is in [-M, theta^2/8 - m], each cell with its own M and m.

    So kappa has to compare cells, K above its chord in one of them, below it in another.
    """
    theta, q, L, K = sympy.symbols("theta q L K", real=True)
    chord = (1 - q) * L + q * (L + theta)
    split = ((1 - q) * sympy.exp(L) + q * sympy.exp(L + theta)) * sympy.exp(-K) - (
        (1 - q) * sympy.exp(-q * theta) + q * sympy.exp((1 - q) * theta)) * sympy.exp(chord - K)
    most, own, m_i, m_j = sympy.symbols("theta^2/8 theta_i^2/8 m_i m_j", real=True)
    kappa, a, b = sympy.symbols("kappa a b", nonnegative=True)  # a = M_i - m_i, b = M_j - m_j
    known = [(1, kappa - (m_j + b - m_i))] if given["two"] else [(1, kappa - a), (1, kappa - b)]
    within = kappa + m_i - (m_j + b)
    return follows({"w~/w": (split, []), "kappa >= M_j - m_i": (within, known),
                    "log r_1 - log r_0": (most + kappa - ((own - m_i) + (m_j + b)), [(1, most - own), (1, within)])},
                   "r_1/r_0 <= e^(theta^2/8 + kappa), kappa = max M - min m")


def reweighted(given: Given) -> Evidence:
    """G_0 - F = E~[c~ - s] + (E~[s] - E[s]), E weighs by w and E~ by w~ = r w: tokens with r > E r gain a share of the weight.

    The last term is at most S times what they gain together, and others lose: t = s - min s, in [0, S]. Their share tau of the
    weights, rest = 1 - tau, becomes a/(a + b), a <= r_1 tau, b >= r_0 rest: a tilt with e^theta = r_1/r_0.
    """
    c, s, F, V = sympy.symbols("c s F V", real=True)
    S, t, gain, gained = sympy.symbols("S t d gained", nonnegative=True)
    a, b, tau, rest, r_0, r_1 = sympy.symbols("a b tau rest r_0 r_1", positive=True)
    top, bottom = r_1 * tau, r_0 * rest
    return follows({"G_0 - F": (c - F - ((c - s) + (s - F)), []),
                    "a token more that gains": (S * (gained + gain) - (V + gain * t), [(1, S * gained - V), (gain, S - t)]),
                    "a token more that loses": (S * gained - (V - gain * t), [(1, S * gained - V), (gain, t)]),
                    "the share of those that gain": (top / (top + bottom) - a / (a + b), [
                        (b / ((top + bottom) * (a + b)), top - a), (a / ((top + bottom) * (a + b)), b - bottom)]),
                    **tilted(given["share"])},
                   "|G_0 - F| <= max|c~ - s| + S tanh(1/4 (theta^2/8 + kappa))")


def slope_of_sigma(given: Given) -> Evidence:
    """0 <= sigma' <= 1/4, Z = e^t; H times it, with what is held of A and B, and the table's error."""
    t = sympy.Symbol("t", real=True)
    Z, D, H = sympy.symbols("Z D H", positive=True)
    sigma, slope = 1 / (1 + sympy.exp(-t)), sympy.Rational(given["slope"])
    off, gap = sympy.symbols("off gap", real=True)  # off: table's, gap: of sigma, D: |A' - B' - (A - B)|
    e_A, e_B, e_sigma = sympy.symbols("e_A e_B e_sigma", nonnegative=True)
    return follows({"sigma'": (sigma.diff(t) - sympy.exp(t) / (1 + sympy.exp(t)) ** 2, []),
                    "sigma' <= 1/4": (slope - Z / (1 + Z) ** 2, [(1 / (4 * (1 + Z) ** 2), (Z - 1) ** 2)]),
                    "H times it": (H * (slope * (e_A + e_B) + e_sigma) - H * (off + gap),
                                   [(H, e_sigma - off), (H, D / 4 - gap), (H / 4, (e_A + e_B) - D)])},
                   "|G' - G| <= H ((e_A + e_B)/4 + e_sigma)")


def logarithm_of_a_sum(given: Given) -> Evidence:
    """log(e^x + e^y) is monotone and moves with x and y; T stands for softplus, y + T(x - y) for the logarithm."""
    x, y, moved = sympy.symbols("x y c", real=True)
    X, Y, X_held, Y_held, factor = sympy.symbols("X Y X' Y' f", positive=True)  # e^x, e^y, what is held, e^l or e^r
    low, high, off, low_T, high_T, off_T = sympy.symbols("l r e l_T r_T e_T", real=True)
    exp, both = sympy.exp, given["table"]
    return follows({"y + softplus(x - y)": (exp(y) * (1 + exp(x - y)) - (exp(x) + exp(y)), []),
                    "translation": (exp(x + moved) + exp(y + moved) - exp(moved) * (exp(x) + exp(y)), []),
                    "from below": ((X_held + Y_held) - factor * (X + Y), [(1, X_held - factor * X), (1, Y_held - factor * Y)]),
                    "from above": (factor * (X + Y) - (X_held + Y_held), [(1, factor * X - X_held), (1, factor * Y - Y_held)]),
                    "a table, from above": (high + both * high_T - (off + off_T), [(1, high - off), (1, high_T - off_T)]),
                    "a table, from below": ((off + off_T) - (low + both * low_T), [(1, off - low), (1, off_T - low_T)])},
                   "errors in [l, r] stay in [l, r], with a table in [l + l_T, r + r_T]")


def in_balls(given: Given) -> Evidence:
    """The bracket, the tilt and values of a token's own on a grid of q, theta and z."""
    grid = itertools.product([Fraction(k, 8) for k in range(9)], [Fraction(k, 4) for k in range(-given.effort(16, 64), 17)])
    return enclosed(every(grid, lambda case: _beyond(*case, given), "{} pairs of q and theta: within all bounds"))


def _beyond(q: Fraction, theta: Fraction, given: Given) -> str:
    with ctx.workprec(PRECISION):
        low, high = ball(1 - q) * ball(-q * theta).exp(), ball(q) * ball((1 - q) * theta).exp()
        most = ball(given["eighth"] * theta**2).exp()
        if low + high < 1 - SLACK or low + high > most + SLACK:
            return f"q = {q}, theta = {theta}: {(low + high).str(8)} outside [1, {most.str(8)}]"
        off, limit = abs(high / (low + high) - ball(q)), ball(given["quarter"] * abs(theta)).tanh()
        if off > limit + SLACK:
            return f"q = {q}, theta = {theta}: |q' - q| = {off.str(8)} > {limit.str(8)}"
        own = two_hinges(abs(theta), given["half"])
        own, (X, Y) = two_hinges(abs(theta), given["half"]), (1, ball(theta).exp())
        for z in (Fraction(k, 16) for k in range(17)):
            off = (ball(hinges(1 - q, z)) * X + ball(hinges(q, z)) * Y) / (ball(1 - q) * X + ball(q) * Y) - ball(z)
            if abs(off) > own + SLACK:
                return f"q = {q}, theta = {theta}, z = {z}: (c~ - s)/H = {off.str(8)}, farther from 0 than {own.str(8)}"
        return ""


def drawn_sequences(given: Given) -> Evidence:
    """G against F: knots, tokens, bulges, values of v or of their own, the errors of features and delta all drawn."""
    return property_based(drawn(), lambda case: too_far(case, given.constants), cases=given.effort(150, 1500), seed=given.seed,
                          what="|G - F| within the bound")


def near_the_bound(given: Given) -> Evidence:
    """Tokens with K above their chord and tokens with K below it; a token in a tilted cell, of both kinds; features held."""
    c, zero, one, sixth = Fraction(8, 5), Fraction(0), Fraction(1), Fraction(1, 6)
    theta, steep, half = Fraction(1, 8), Fraction(35, 18), Fraction(1, 2)  # e^c is nearly 5, e^(35/18) nearly 7
    groups = Case((zero,) * 4, (zero, zero, one, one), (c, zero, -c), (zero,) * 3, (Token(0, half), *[Token(2, half)] * 5))
    tilted = Case((zero, theta), (zero, one), (zero,), (zero,), (Token(0, half - theta / 8),))
    owned = Case((zero, steep), (), (zero,), (zero,), (Token(0, sixth, sixth),))
    held = Case((steep, zero, steep, 2 * steep), (zero,) * 4, (zero,) * 3, (zero,) * 3,
                (Token(1, Fraction(1, 2**20), zero, (1, 1, 1, 1), EXACT),), eta=Fraction(1, 2**12))
    return enclosed(every((groups, tilted, owned, held), lambda case: _not_near(case, given),
                          "{} sequences: at least 9/10 of the bound"))


def _not_near(case: Case, given: Given) -> str:
    with ctx.workprec(PRECISION):
        near = gap(case) > claimed(case, given.constants) * 9 / 10
    return too_far(case, given.constants) or ("" if near else f"{case}: less than 9/10 of the bound")


STEP = ProofStep(
    id="exponential-average", section=4,
    plain="mean w s / mean w, w = e^K, from pooled parts g^+ + g^- = h of hats and then logarithms: s_- + H sigma(A - B) is "
          "off by at most e + S tanh((theta^2/8 + kappa)/4) + H Delta e^omega, every n; e = e_s + max |s_{j+1} - s_j| "
          "tanh(theta_j/4) for values of v, e_s + H/2 tanh(log((1 + e^theta)/2)/4) for others.",
    latex=r"|G-F|\le e+S\tanh\tfrac14\bigl(\tfrac{\theta^2}8+\kappa\bigr)+H\Delta e^\omega,\quad e=e_s+"
          r"\max_j|s_{j+1}-s_j|\tanh\tfrac{\theta_j}4\text{ or }e_s+\tfrac H2\tanh\bigl(\tfrac14\log\tfrac{1+e^\theta}2\bigr)",
    source="ours; the bracket is Hoeffding's lemma (1963)", depends_on=("sum-decomposition",),
    hypotheses=("m_j <= K - chord <= M_j in cell j", "|s - chord| <= e_s, or |s - s_- - H z| <= e_s",
                "|L_{j+1} - L_j| <= theta_j", "sum delta_j^+, sum delta_j^- in (0, Delta]"),
    constants={"sign": 1, "far": 2, "spread": 1, "once": 1, "eighth": Fraction(1, 8), "quarter": Fraction(1, 4), "rest": 1,
               "half": Fraction(1, 2), "two": True, "share": Fraction(1, 4), "slope": Fraction(1, 4), "table": 1},
    checks=(Check("mixtures of two values", Method.SYMBOLIC, mixtures),
            Check("features held with errors", Method.SYMBOLIC, features_of_a_token),
            Check("delta and moved weights", Method.SYMBOLIC, moved_weights),
            Check("Hoeffding's lemma for a cell", Method.SYMBOLIC, bracket),
            Check("values tilted by the weights", Method.SYMBOLIC, tilt),
            Check("two hinges a knot", Method.SYMBOLIC, two_hinges_a_knot),
            Check("values of a token's own", Method.SYMBOLIC, own_values),
            Check("ratios of weights of two cells", Method.SYMBOLIC, ratios),
            Check("means with other weights", Method.SYMBOLIC, reweighted),
            Check("the slope of sigma", Method.SYMBOLIC, slope_of_sigma),
            Check("the logarithm of a sum", Method.SYMBOLIC, logarithm_of_a_sum),
            Check("q, theta and z in balls", Method.ENCLOSURE, in_balls, support=True),
            Check("drawn sequences in balls", Method.PROPERTY, drawn_sequences, support=True),
            Check("sequences near the bound", Method.ENCLOSURE, near_the_bound, support=True)),
    mutations=(Mutation("sigma(B - A)", {"sign": -1}),
               Mutation("2 (1 + e^theta) for (1 + e^theta)^2", {"far": 1}),
               Mutation("e^(omega/2)", {"spread": Fraction(1, 2)}),
               Mutation("half of what is added", {"once": Fraction(1, 2)}),
               Mutation("e^(theta^2/9)", {"eighth": Fraction(1, 9)}),
               Mutation("tanh(theta/5)", {"quarter": Fraction(1, 5)}),
               Mutation("h_j is left out", {"rest": 0}),
               Mutation("H/2 becomes H/3", {"half": Fraction(1, 3)}),
               Mutation("kappa from each cell alone", {"two": False}),
               Mutation("S tanh(1/5 ..)", {"share": Fraction(1, 5)}),
               Mutation("sigma' <= 1/5", {"slope": Fraction(1, 5)}),
               Mutation("the table of softplus is exact", {"table": 0})))
