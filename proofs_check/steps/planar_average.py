"""planar-average: averages with weights e^K over two coordinates of a token, hats on triangles in the place of cells; every n."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy
from flint import arb, ctx

from proofs_check.average_instances import PRECISION, SLACK, ZERO, ball
from proofs_check.evidence import Objection, enclosed, every, identities, property_based
from proofs_check.inequalities import Combination, follows
from proofs_check.kernel import Status
from proofs_check.plane_instances import Case, claimed, drawn, filled, gap, groups, held, tilts, too_far
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep
from proofs_check.steps.exponential_average import tilted
from proofs_check.triangulation import Knot, around, barycentric, edges, hat, offsets, triangles

Claims = dict[str, tuple[Any, Combination]]
CELLS = [(o, triangle) for o in (1, -1) for triangle in triangles((0, 0), o)]  # two orientations, two triangles each


def largest_less_least(given: Given) -> Evidence:
    """rho = relu(-x) + relu(y) + relu(x - y) is the largest of 0, x, y less the least, in each of their six orders.

    So |x|, |y|, |x - y| <= rho, and a hat is 0 if one of them is at least 1; shown from R >= x, R >= 0 alone, R = relu(x).
    """
    x, y = sympy.symbols("x y", real=True)
    a, b = sympy.symbols("a b", nonnegative=True)
    claims: Claims = {}
    for order in itertools.permutations(range(3)):
        values = [(0, a, a + b)[place] for place in order]
        claims[f"order {order}"] = (_rho(values[1] - values[0], values[2] - values[0], given) - (a + b), [])
    R = sympy.symbols("R_1 R_2 R_3", nonnegative=True)  # of -x, y, x - y
    known = [(1, R[0] + x), (1, R[1] - y), (1, R[2] - (x - y))]
    for name, low, used in (("x", x, (1, 2)), ("-x", -x, (0,)), ("y", y, (1,)), ("-y", -y, (0, 2)),
                            ("x - y", x - y, (2,)), ("y - x", y - x, (0, 1))):
        left = [(1, R[k]) for k in range(3) if k not in used]
        claims[f"rho >= {name}"] = (R[0] + R[1] + given["third"] * R[2] - low, [*(known[k] for k in used), *left])
    return follows(claims, "rho = max(0, x, y) - min(0, x, y)")


def hats_on_triangles(given: Given) -> Evidence:
    """At sum lambda_k k in a triangle: the hats of its vertices are 1 - rho = lambda_k >= 0, all others are 0.

    ``one`` is lambda_1 + lambda_2 + lambda_3, so everything is linear. m >= 0 counts how much farther away another knot is. And
    rho is linear on triangles that are farther away: there sum lambda_k (edges to k).
    """
    weights = sympy.symbols("lambda_1:4", nonnegative=True)
    one, m = sum(weights), sympy.Symbol("m", integer=True, nonnegative=True)
    claims: Claims = {}
    for o, triangle in CELLS:
        at = [sum(w * knot[c] for w, knot in zip(weights, triangle, strict=True)) for c in (0, 1)]
        for centre in itertools.product(range(-1, 3), range(-1, 3)):
            name = f"o = {o}, {triangle}, hat of {centre}"
            rho = _rho(at[0] - centre[0] * one, given["turn"] * o * (at[1] - centre[1] * one), given)
            steps = edges(centre, o, 4)
            claims[f"{name}, edges"] = (rho - sum(w * steps[knot] for w, knot in zip(weights, triangle, strict=True)), [])
            if centre in triangle:
                claims[name] = (one - rho - weights[triangle.index(centre)], [])
            else:
                claims[f"{name} is 0"] = (rho - one, [(sympy.expand(rho - one), 1)])
        for c in (0, 1):  # a knot 2 + m or more, or -1 - m or less, along one coordinate
            above, below = sympy.expand((2 + m) * one - at[c] - one), sympy.expand(at[c] + (1 + m) * one - one)
            claims[f"o = {o}, {triangle}, beyond in {c + 1}"] = (above, [(above, 1)])
            claims[f"o = {o}, {triangle}, before in {c + 1}"] = (below, [(below, 1)])
    return follows(claims, "hats of a triangle's vertices are its barycentric coordinates, the others vanish; they add up to 1")


def _rho(x: Any, y: Any, given: Given) -> Any:
    return sympy.Max(0, sympy.expand(-x)) + sympy.Max(0, sympy.expand(y)) + given["third"] * sympy.Max(0, sympy.expand(x - y))


def of_one_coordinate_each(given: Given) -> Evidence:
    """sum lambda_k (f_i + g_j) = line of f + line of g on a triangle, so a sum's chord errors add: kappa = kappa_1 + kappa_2."""
    weights = sympy.symbols("lambda_1:4", nonnegative=True)
    one, f, g = sum(weights), sympy.symbols("f_0 f_1", real=True), sympy.symbols("g_0 g_1", real=True)
    claims: Claims = {}
    for o, triangle in CELLS:
        p, q = (sum(w * knot[c] for w, knot in zip(weights, triangle, strict=True)) for c in (0, 1))
        lines = (one - p) * f[0] + p * f[1] + (one - q) * g[0] + q * g[1]
        claims[f"o = {o}, {triangle}"] = (sum(w * (f[i] + g[j]) for w, (i, j) in zip(weights, triangle, strict=True)) - lines, [])
    m, M, off = (sympy.symbols(f"{name}_1:3", real=True) for name in ("m", "M", "off"))
    kappa, widths = sympy.symbols("kappa_1:3", nonnegative=True), [M[c] - m[c] for c in (0, 1)]
    both = kappa[0] + given["both"] * kappa[1]
    claims |= {"at most M_1 + M_2": (sum(M) - sum(off), [(1, M[c] - off[c]) for c in (0, 1)]),
               "at least m_1 + m_2": (sum(off) - sum(m), [(1, off[c] - m[c]) for c in (0, 1)]),
               "kappa_1 + kappa_2": (both - (sum(M) - sum(m)), [(1, kappa[c] - widths[c]) for c in (0, 1)])}
    return follows(claims, "linear on each triangle, and off by what the two coordinates are off together")


def along_the_sides(given: Given) -> Evidence:
    """Any two vertices of a triangle differ by D_1, D_2 or D_1 + o D_2, up to sign; so does their largest less their least."""
    D = sympy.symbols("D_1 D_2", real=True)
    claims = {}
    for o, triangle in CELLS:
        seen = set()
        for one, other in itertools.combinations(triangle, 2):
            step = (other[0] - one[0], other[1] - one[1])
            step = step if step > (0, 0) else (-step[0], -step[1])  # (1, 0), (0, 1) or (1, o)
            seen.add(step)
            kind = D[0] + given["diagonal"] * o * D[1] if all(step) else D[step[0] == 0]
            claims[f"o = {o}, {one} and {other}"] = step[0] * D[0] + step[1] * D[1] - kind
        claims[f"o = {o}, {triangle}: all three"] = sympy.Integer(len(seen) - 3)
    return identities(claims, "theta = max(|D_1|, |D_2|, |D_1 + o D_2|)")


def hoeffding(given: Given) -> Evidence:
    """0 <= log(sum lambda_k e^(L_k)) - sum lambda_k L_k <= theta^2/8: f(t) = log(sum lambda_k e^(t l_k)), l_k = L_k - mean.

    f(0) = f'(0) = 0; f'' is the variance of l_k with weights w_k ~ lambda_k e^(t l_k): >= 0 and, as l_k = low + c_k with
    0 <= c_k <= theta, at most theta^2/4. Taylor: f(1) is the integral of (1 - t) f''(t).
    """
    t, mean = sympy.symbols("t m", real=True)
    weights, L = sympy.symbols("lambda_1:4", positive=True), sympy.symbols("L_1:4", real=True)
    E = sympy.symbols("E_1:4", positive=True)  # e^(t L_k)
    Z = sum(w * sympy.exp(t * x) for w, x in zip(weights, L, strict=True))
    f, g = sympy.log(Z) - t * mean, sympy.Function("g")
    second = f.diff(t, 2).subs({sympy.exp(t * x): e for x, e in zip(L, E, strict=True)})
    tilt = [w * e / sum(a * b for a, b in zip(weights, E, strict=True)) for w, e in zip(weights, E, strict=True)]
    variance = sum(w * x**2 for w, x in zip(tilt, L, strict=True)) - sum(w * x for w, x in zip(tilt, L, strict=True)) ** 2
    average = sum(w * x for w, x in zip(weights, L, strict=True)) / sum(weights)
    known = identities({"f(0)": f.subs(t, 0).subs(weights[0], 1 - weights[1] - weights[2]),
                        "f'(0)": f.diff(t).subs(t, 0) - (average - mean),
                        "f''": second - variance,
                        "Taylor": ((1 - t) * g(t).diff(t) + g(t)).diff(t) - (1 - t) * g(t).diff(t, 2)}, "")
    if known.status is not Status.PROVED:
        return known
    theta, c = sympy.Symbol("theta", nonnegative=True), sympy.symbols("c_1:4", nonnegative=True)
    w = sympy.symbols("w_1:4", nonnegative=True)
    moments = [sum(a * b**k for a, b in zip(w, c, strict=True)) for k in range(3)]
    most = theta**2 / 4 * moments[0] ** 2 - (moments[0] * moments[2] - moments[1] ** 2)
    pairs = [(w[i] * w[j], (c[i] - c[j]) ** 2) for i, j in itertools.combinations(range(3), 2)]
    return follows({"f'' >= 0": (moments[0] * moments[2] - moments[1] ** 2, pairs),
                    "f'' <= theta^2/4": (most, [*((moments[0] * a * b, theta - b) for a, b in zip(w, c, strict=True)),
                                                (1, (theta / 2 * moments[0] - moments[1]) ** 2)]),
                    "theta^2/8": (sympy.Rational(given["eighth"]) * theta**2 - sympy.integrate((1 - t) * theta**2 / 4, (t, 0, 1)),
                                  [])}, "the logarithm lies in [0, theta^2/8]")


def values_tilted(given: Given) -> Evidence:
    """lambda' ~ lambda E, E = e^L: |sum (lambda' - lambda) s| <= (largest s - least s) tanh(theta/4).

    One or two of the vertices gain, from E_1 <= E_2 <= E_3; their share tau becomes at most tau E_3/(tau E_3 + (1 - tau) E_1).
    """
    w, E = sympy.symbols("lambda_1:4", positive=True), sympy.symbols("E_1:4", positive=True)
    s, gain = sympy.symbols("s_1:4", nonnegative=True), sympy.symbols("gain_1:3", nonnegative=True)  # s: less the least one
    S = sympy.Symbol("S", nonnegative=True)
    claims: Claims = {}
    for lose in ((0,), (0, 1)):
        win = [k for k in range(3) if k not in lose]
        (a, b), (tau, rest) = ([sum(x[k] * y[k] for k in some) for some in (win, lose)] for x, y in ((w, E), (w, (1, 1, 1))))
        top, bottom = tau * E[2], rest * E[0]
        scale = (top + bottom) * (a + b)
        claims[f"the share of {len(win)}"] = (top / (top + bottom) - a / (a + b), [
            *((b * w[k] / scale, E[2] - E[k]) for k in win), *((a * w[k] / scale, E[k] - E[0]) for k in lose)])
    won = sum(gain)
    for name, moved in (("one gains", (-gain[0], -gain[1], won)), ("two gain", (-won, *gain))):
        claims[name] = (S * won - sum(x * y for x, y in zip(moved, s, strict=True)),
                        [(x, S - y) if x.is_nonnegative else (-x, y) for x, y in zip(moved, s, strict=True)])
    return follows({**claims, **tilted(given["quarter"])}, "|c~ - sum lambda_k s_k| <= (max s_k - min s_k) tanh(theta_T/4)")


def ratios(given: Given) -> Evidence:
    """log(w~/w) = [log(sum lambda e^L) - chord] - (l - chord): in [-M_T, theta^2/8 - m_T] in triangle T."""
    log, chord, exponent = sympy.symbols("log chord l", real=True)
    of_log, m, M, off = (sympy.symbols(f"{name}_1:3", real=True) for name in ("h", "m", "M", "off"))
    most, kappa = sympy.symbols("theta^2/8 kappa", nonnegative=True)
    known = [(1, kappa - (M[1] - m[0]))] if given["two"] else [(1, kappa - (M[k] - m[k])) for k in (0, 1)]
    return follows({"w~/w": ((log - exponent) - ((log - chord) - (exponent - chord)), []),
                    "kappa >= M_T' - m_T": (kappa - (M[1] - m[0]), known),
                    "log r_1 - log r_0": (most + kappa - ((of_log[0] - off[0]) - (of_log[1] - off[1])),
                                          [(1, most - of_log[0]), (1, of_log[1]), (1, off[0] - m[0]), (1, M[1] - off[1]),
                                           (1, kappa - (M[1] - m[0]))])},
                   "r_1/r_0 <= e^(theta^2/8 + kappa), kappa = max M_T - min m_T over all triangles")


def knots_around(given: Given) -> Evidence:
    """The sum of g^(edges to a vertex) over the vertices of a triangle and their neighbours is 1 + 6 g + 5 g^2.

    For each vertex of either triangle, in both orientations; L moves by theta at most along an edge.
    """
    g = sympy.Symbol("g", positive=True)
    rate = sum(count * g**k for k, count in enumerate(given["ring"]))
    claims = {f"o = {o}, {triangle}, around {nearest}": sum(g ** edges(nearest, o)[k] for k in around(triangle, o)) - rate
              for o, triangle in CELLS for nearest in triangle}
    return identities(claims, "12 knots, 1 + 6 + 5 at 0, 1 and 2 edges")


def features_of_a_token(given: Given) -> Evidence:
    """e^L = X <= Y, Z at the vertices, six knots within a factor g of X, five within g^2: at most (1 + g)(1 + 5 g) w~.

    It is attained by e^(L_k) = g^(edges to X), v near X. w~ = p X + q Y + r Z, p + q + r = 1, is written with p + q + r for 1.
    """
    p, q, r, y = sympy.symbols("p q r y", nonnegative=True)
    X, Y, Z = sympy.symbols("X Y Z", positive=True)
    six, five = sympy.symbols("six five", positive=True)
    g = 1 + y
    rate = sum(count * g**k for k, count in enumerate(given["ring"]))
    off = rate * (p * X + q * Y + r * Z) - (p + q + r) * (X + six + five)
    return follows({"(1 + g)(1 + 5 g)": (rate - (1 + g) * (1 + 5 * g), []),
                    "attained near X": (off.subs({six: 6 * g * X, five: 5 * g**2 * X, q: 0, r: 0}), []),
                    "(1 + 6 g + 5 g^2) w~": (off, [(p + q + r, 6 * g * X - six), (p + q + r, 5 * g**2 * X - five),
                                                   (rate * q, Y - X), (rate * r, Z - X)])},
                   "off by at most x w~, x = eta (1 + e^theta)(1 + 5 e^theta)")


def what_is_added(given: Given) -> Evidence:
    """sum delta_k e^(L_k) <= Delta e^omega e^(min L) <= d B_0, d = Delta e^omega, as hats that add up to 1 give B_0 >= e^(min L).

    One knot more has delta more of Delta; a sum of two functions has omega = omega_1 + omega_2. In units of e^(min L).
    """
    delta, Delta, total = sympy.symbols("delta Delta total", nonnegative=True)
    B, E_k = sympy.symbols("B_0 E_k", positive=True)
    E = 1 + sympy.Symbol("e", nonnegative=True)  # e^omega
    a, b, omega = sympy.symbols("a b omega", real=True), sympy.symbols("A B", real=True), sympy.symbols("omega_1:3", real=True)
    factor = E ** sympy.Rational(given["spread"])
    return follows({"one knot more": ((Delta + delta) * E - (total + delta * E_k), [(1, Delta * E - total), (delta, E - E_k)]),
                    "at most d B_0": (Delta * factor * B - total, [(1, Delta * E - total), (Delta * E, B - 1)]),
                    "omega_1 + omega_2": (sum(omega) - ((b[0] + b[1]) - (a[0] + a[1])),
                                          [(1, omega[c] - (b[c] - a[c])) for c in (0, 1)])},
                   "at most Delta e^omega B_0, Delta = (J_1 + 1)(J_2 + 1) delta")


def at_another_u(given: Given) -> Evidence:
    """e^K at u' is r e^K at u, log r = sum (u'_c - u_c) p_c(v_c) and a number for all tokens: two differ by sum P_c |u'_c - u_c|.

    P_c is the span of p_c. So F moves by S tanh(1/4 ..), the tilt of tokens, and tanh(x/4) <= x/4: f(0) = 0 and f' >= 0.
    """
    d, P = (sympy.symbols(f"{name}_1:3", nonnegative=True) for name in ("d", "P"))  # d: |u' - u|
    p = sympy.symbols("p_1:3", real=True)  # p_c(v_c) of one token less that of another
    x, T, rate = sympy.Symbol("x", real=True), sympy.Symbol("T", real=True), sympy.Rational(given["slope"])
    f = rate * x - sympy.tanh(x / 4)
    claims: Claims = {f"u' - u has the signs {signs}": (sum(d[c] * (P[c] - signs[c] * p[c]) for c in (0, 1)), [
        (d[c], P[c] - signs[c] * p[c]) for c in (0, 1)]) for signs in itertools.product((1, -1), repeat=2)}
    return follows({**claims, "f(0)": (f.subs(x, 0), []),
                    "f'": (f.diff(x).subs(sympy.tanh(x / 4), T) - (rate - (1 - T**2) / 4), []),
                    "f' >= 0": (rate - (1 - T**2) / 4, [(sympy.Rational(1, 4), T**2)])},
                   "|F(u') - F(u)| <= S tanh(1/4 sum P_c |u'_c - u_c|) <= S/4 sum P_c |u'_c - u_c|")


def on_small_grids(given: Given) -> Evidence:
    """The hat's formula at all places with denominator 6 of grids of 1 x 1 and 2 x 3 cells, both orientations."""
    cases = itertools.product((1, -1), ((1, 1), (2, 3)), range(6 * 2 + 1), range(6 * 3 + 1))
    inside = ((o, J, at) for o, J, *at in cases if all(a <= 6 * size for a, size in zip(at, J, strict=True)))
    return every(inside, lambda case: _wrong_hats(*case), "{} places: barycentric coordinates, 0 at all other knots")


def _wrong_hats(o: int, J: Knot, sixths: Sequence[int]) -> Objection:
    at = Fraction(sixths[0], 6), Fraction(sixths[1], 6)
    found = {k: hat(*offsets(at, k, o)) for k in itertools.product(range(J[0] + 1), range(J[1] + 1))}
    hats, places = ({k: height for k, height in row.items() if height} for row in (found, barycentric(at, o)))
    return "" if hats == places else f"o = {o}, {J} cells, at {at[0]}, {at[1]}: {hats}, and not {places}"


def in_balls(given: Given) -> Evidence:
    """Hoeffding's lemma and the tilt for barycentric coordinates of a grid and logarithms of vertices at both signs."""
    places = [(Fraction(a, 4), Fraction(b, 4), Fraction(4 - a - b, 4)) for a in range(5) for b in range(5 - a)]
    rows = itertools.product([Fraction(k, 2) for k in range(-given.effort(5, 12), given.effort(6, 13))], repeat=2)
    return enclosed(every(itertools.product(places, rows), lambda case: _beyond(*case, given), "{} points: within both bounds"))


def _beyond(weights: Sequence[Fraction], row: Sequence[Fraction], given: Given) -> str:
    L = (ZERO, *row)
    theta, where = max(L) - min(L), f"lambda = {', '.join(map(str, weights))}, L = {', '.join(map(str, L))}"
    with ctx.workprec(PRECISION):
        parts = [ball(w) * ball(x).exp() for w, x in zip(weights, L, strict=True)]
        Z = sum(parts, arb(0))
        off = Z.log() - sum((ball(w * x) for w, x in zip(weights, L, strict=True)), arb(0))
        gained = sum((max(part / Z - ball(w), arb(0), key=float) for w, part in zip(weights, parts, strict=True)), arb(0))
        most, limit = ball(given["eighth"] * theta**2), ball(given["quarter"] * theta).tanh()
        if off < -SLACK or off > most + SLACK:
            return f"{where}: the logarithm {off.str(8)} outside [0, {most.str(8)}]"
        return f"{where}: shares move by {gained.str(8)} > {limit.str(8)}" if gained > limit + SLACK else ""


def drawn_sequences(given: Given) -> Evidence:
    """G against F: both orientations, knots, tokens with any multiplicity, bulges, errors of features and delta all drawn."""
    return property_based(drawn(), lambda case: too_far(case, given.constants), cases=given.effort(100, 1000), seed=given.seed,
                          what="|G - F| within the bound")


def near_the_bound(given: Given) -> Evidence:
    """Tokens on a diagonal, groups with different bulges, features off by eta, and delta where no token is."""
    return enclosed(every((*tilts(), groups(), held(), filled()), lambda case: _not_near(case, given),
                          "{} sequences: at least 9/10 of the bound"))


def _not_near(case: Case, given: Given) -> str:
    with ctx.workprec(PRECISION):
        near = gap(case) > claimed(case, given.constants) * 9 / 10
    return too_far(case, given.constants) or ("" if near else f"{case}: less than 9/10 of the bound")


STEP = ProofStep(
    id="planar-average", section=4,
    plain="Averages with weights e^K over two coordinates, v = (v_1, v_2): hats relu(1 - relu(-x) - relu(y) - relu(x - y)) of "
          "triangles T, the same G from their means; off by at most e_s + max_T (max s_k - min s_k) tanh(theta_T/4) "
          "+ S tanh((theta^2/8 + kappa)/4) + H (eta (1 + e^theta)(1 + 5 e^theta) + Delta e^omega), every n; "
          "theta_T = max(|D_1|, |D_2|, |D_1 + o D_2|), kappa = max M_T - min m_T.",
    latex=r"|G-F|\le e_s+\max_T(\max_Ts_k-\min_Ts_k)\tanh\tfrac{\theta_T}4+S\tanh\tfrac14\bigl(\tfrac{\theta^2}8+\kappa\bigr)"
          r"+H\bigl(\eta(1+e^\theta)(1+5e^\theta)+\Delta e^\omega\bigr)",
    source="ours; hats of this triangulation are Courant's (1943), the bracket is Hoeffding's lemma (1963)",
    depends_on=("exponential-average",),
    hypotheses=("m_T <= K - interpolation <= M_T in triangle T", "|s - interpolation| <= e_s",
                "max L_k - min L_k <= theta_T over the vertices of T", "features off by eta, 0 where rho >= 2"),
    constants={"third": 1, "turn": 1, "both": 1, "diagonal": 1, "eighth": Fraction(1, 8), "quarter": Fraction(1, 4), "two": True,
               "ring": (1, 6, 5), "spread": 1, "slope": Fraction(1, 4)},
    checks=(Check("largest less least of three", Method.SYMBOLIC, largest_less_least),
            Check("hats on both triangles", Method.SYMBOLIC, hats_on_triangles),
            Check("functions of one coordinate each", Method.SYMBOLIC, of_one_coordinate_each),
            Check("differences along the sides", Method.SYMBOLIC, along_the_sides),
            Check("Hoeffding's lemma for a triangle", Method.SYMBOLIC, hoeffding),
            Check("values tilted over a triangle", Method.SYMBOLIC, values_tilted),
            Check("ratios of weights of two triangles", Method.SYMBOLIC, ratios),
            Check("knots around a triangle", Method.SYMBOLIC, knots_around),
            Check("features held with errors", Method.SYMBOLIC, features_of_a_token),
            Check("what is added to all knots", Method.SYMBOLIC, what_is_added),
            Check("the average at another u", Method.SYMBOLIC, at_another_u),
            Check("hats on small grids", Method.EXACT, on_small_grids, support=True),
            Check("triangles in balls", Method.ENCLOSURE, in_balls, support=True),
            Check("drawn sequences in balls", Method.PROPERTY, drawn_sequences, support=True),
            Check("sequences near the bound", Method.ENCLOSURE, near_the_bound, support=True)),
    mutations=(Mutation("without relu(x - y)", {"third": 0}),
               Mutation("hats of the other diagonal", {"turn": -1}),
               Mutation("kappa of one coordinate", {"both": 0}),
               Mutation("theta from |D_1| and |D_2| alone", {"diagonal": 0}),
               Mutation("D_1 - o D_2", {"diagonal": -1}),
               Mutation("theta^2/9", {"eighth": Fraction(1, 9)}),
               Mutation("tanh(theta/5)", {"quarter": Fraction(1, 5)}),
               Mutation("kappa from each triangle alone", {"two": False}),
               Mutation("features off at the vertices alone", {"ring": (1, 2, 0)}),
               Mutation("(1 + g)(1 + 4 g)", {"ring": (1, 5, 4)}),
               Mutation("delta without e^omega", {"spread": 0}),
               Mutation("S/5", {"slope": Fraction(1, 5)})))
