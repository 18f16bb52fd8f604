"""universal-pooling: what other token-mixing layers need in order to be the token mean."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from proofs_check import mixers
from proofs_check.evidence import counterexample, every, identities
from proofs_check.inequalities import follows
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def for_every_n(given: Given) -> Evidence:
    """The six layers with symbols for the sum of all tokens, the own token, the length, and what else occurs; mean = total/n."""
    total, own, w, before = sympy.symbols("T x w B", positive=True)  # w: the common weight; B: tokens before the own one
    n, m, seen = sympy.symbols("n m s", integer=True, positive=True)
    mean = total / n
    through_landmarks = m * (1 / m) * (m * (1 / m) * (total / n))  # J_nm/m, then J_m/m, then J_mn/n: m equal terms each
    induced = (own + mean) - own  # the point holds the mean; beside the query, which an FC subtracts
    layer_1, flag = total / (n + 1), sympy.Integer(1)  # the global token holds 0 and the flag 1
    local = (layer_1 / seen) / (flag / seen) * (n + 1) / n
    forward, backward = before + own, total - before
    scanned = (forward + backward - own) / n if given["both_directions"] else forward / n
    return identities({"linear attention": (w * total) / (w * n) - mean, "nystroemformer": through_landmarks - mean,
                       "set transformer": induced - mean, "mlp-mixer": n * (total / n) / n - mean,
                       "global token": local - mean, "state space": scanned - mean}, "each layer is the token mean, for every n")


def layers_are_means(given: Given) -> Evidence:
    """Six layers over the rationals, all lengths in the range."""
    return every(_cases(given), lambda case: _not_a_mean(*case), "{} layers and lengths are the token mean, exactly")


def _cases(given: Given) -> Iterator[tuple[str, mixers.Mixer, int]]:
    both = given["both_directions"]
    for n in range(2, given.effort(9, 17)):
        yield from (("linear attention, W_K = 0", mixers.linear_attention, n),
                    ("set transformer, one inducing point", mixers.isab, n),
                    ("mlp-mixer, 11^T/n", mixers.mlp_mixer, n), ("longformer, bigbird: a global token", mixers.global_token, n),
                    ("state space, bidirectional", lambda v: mixers.state_space(v, both=both), n))
        yield from ((f"nystroemformer, {m} landmarks", lambda v, m=m: mixers.nystroemformer(v, m), n)
                    for m in range(1, n + 1) if n % m == 0)


def _tokens(n: int) -> list[Fraction]:
    return [Fraction(k * k - 3, k + 2) for k in range(n)]


def _not_a_mean(name: str, layer: mixers.Mixer, n: int) -> str:
    v = _tokens(n)
    found = layer(v)
    return "" if found == [mixers.mean(v)] * n else f"{name}, n = {n}: {[str(x) for x in found]}, mean {mixers.mean(v)}"


def pseudo_inverse(given: Given) -> Evidence:
    """P = J/m is symmetric and P P = P, so it is its own pseudo-inverse, and the iteration starts there: its norms are 1.

    A polynomial in P acts by its values at the eigenvalues 1 and 0 of P, where the iteration stays.
    """
    p, m = sympy.Symbol("p"), sympy.Symbol("m", integer=True, positive=True)
    row = m * (1 / m)  # the sum of a row of P, and of a column
    a, b, c = given["iteration"]
    step = p * (a - p * (b - p * (c - p))) / 4
    return identities({"P P = P": row * (1 / m) - 1 / m, "the start": 1 / m / (row * row) - 1 / m,
                       "at 1": step.subs(p, 1) - 1, "at 0": step.subs(p, 0)}, "J/m stays J/m under the iteration")


def odd_parts(given: Given) -> Evidence:
    """act(t) - act(-t) = t for ReLU, GELU, SiLU: a mixing layer with any of them passes values on."""
    t, u = sympy.Symbol("t", real=True), sympy.Symbol("u", positive=True)
    odd = given["odd"]
    gelu = t * (1 + sympy.erf(t / sympy.sqrt(2))) / 2
    silu = t / (1 + sympy.exp(-t))
    return identities({"GELU": gelu - odd * gelu.subs(t, -t) - t, "SiLU": sympy.simplify(silu - odd * silu.subs(t, -t)) - t,
                       "ReLU, t > 0": sympy.Max(u, 0) - odd * sympy.Max(-u, 0) - u,
                       "ReLU, t < 0": sympy.Max(-u, 0) - odd * sympy.Max(u, 0) + u}, "act(t) - act(-t) = t")


def moments_tell_the_tokens(given: Given) -> Evidence:
    """Channels x^a, |a| <= 2n - 1: nu = delta of the own token + mean of all deltas is told by its moments, for every n.

    Two such measures live on 2n points. The product of a coordinate difference to each of the 2n - 1 other points is 0 at these
    and not at the chosen one, so the masses there agree. The own token alone has a mass above 1.
    """
    n, k = sympy.symbols("n k", integer=True, positive=True)  # k: how many tokens are equal to the own one
    t_j, t_k, rest = sympy.symbols("t_j t_k r")
    factors = (2 * n) - 1
    return follows({"degree of the product": (given["degree"](n) - factors, []),
                    "at another point": ((rest * (t_j - t_k)).subs(t_j, t_k), []),
                    "own token": ((1 + k / n) - 1 - 1 / n, [(1 / n, k - 1)]),
                    "another token": (1 - 1 / n - (n - k) / n, [(1 / n, k - 1)])}, "moments tell the own token and the others")


def lipschitz_near(given: Given) -> Evidence:
    """F_K(Z) = min over W of F(W) + K |Z - W|: constant K everywhere, and F - w_F(osc F/K) <= F_K <= F where F is given.

    At a minimiser W: K |Z - W| = F_K(Z) - F(W) <= F(Z) - F(W) <= osc F, and F(Z) - F_K(Z) <= F(Z) - F(W).
    """
    K = sympy.Symbol("K", positive=True)
    at_Z, at_W, low, osc, D = sympy.symbols("F_Z F_W m o D", real=True)  # low = F_K(Z) = F_W + K D
    distance = given["slack"] * osc / K - D
    minimiser = low - at_W - K * D  # 0
    return follows({"the minimiser is near": (distance, [(1 / K, osc - (at_Z - at_W)), (1 / K, at_Z - low), (1 / K, minimiser)]),
                    "and its value": ((at_Z - at_W) - (at_Z - low), [(1, minimiser), (K, D)])},
                   "a Lipschitz function on the whole space is as near to F as one likes")


def one_direction(given: Given) -> Evidence:
    """One direction alone is not enough: the first token sees only itself."""
    def forward_only(v: mixers.Values) -> list[Fraction]:
        return mixers.state_space(v, both=False)

    found = counterexample(range(2, 6), lambda n: _not_a_mean("one direction", forward_only, n), "")
    if found.status is Status.REFUTED:
        return Evidence(Status.PROVED, f"one direction fails: {found.witness[0]}")
    return Evidence(Status.REFUTED, "one direction suffices", found.cases, ("a one-directional scan gave the mean",))


def decay(given: Given) -> Evidence:
    """Decay a < 1: the sum is off by at most (n - 1)(1 - a^(n-1)) max|phi|."""
    cases = [(n, Fraction(k, 8)) for n in range(2, 8) for k in range(1, 8)]
    return every(cases, lambda case: _decayed(*case), "{} lengths and decays within the bound")


def _decayed(n: int, a: Fraction) -> str:
    v = [Fraction(1)] * n
    worst = max(abs(x - 1) for x in mixers.state_space(v, decay=a))
    return "" if n * worst <= (n - 1) * (1 - a ** (n - 1)) else f"n = {n}, a = {a}: error {worst}"


def own_token_lost(given: Given) -> Evidence:
    """W_Q = 0 in the set transformer loses the own token, and keys that see the token spoil linear attention."""
    v = _tokens(4)
    lost = mixers.isab(v, keeps_query=False) != [mixers.mean(v)] * 4
    keyed = mixers.linear_attention(v, keys=lambda x: x) != [mixers.mean(v)] * 4
    return Evidence(Status.PROVED if lost and keyed else Status.REFUTED, "both hypotheses are needed", 2,
                    () if lost and keyed else ("a hypothesis is not needed",))


STEP = ProofStep(
    id="universal-pooling", section=5,
    plain="Linear attention, Nystroemformer, set transformer, MLP-mixer, Longformer/BigBird and bidirectional state spaces can "
          "express the token mean, and so inherit the theorem.",
    latex=r"\mathrm{mix}(X)=\tfrac1n\mathbf 1\mathbf 1^\top X\ \text{for suitable weights}",
    source="ours; conjectured in the paper's discussion",
    hypotheses=("token-wise FCs on both sides", "x_i retained", "no layer norm",
                "n fixed for the mixer, landmarks that divide n"),
    depends_on=("theorem-transformer", "identity-channel", "error-budget", "polynomial-density", "product"),
    constants={"both_directions": True, "iteration": (13, 15, 7), "odd": 1, "degree": lambda n: 2 * n - 1, "slack": 1},
    checks=(Check("the layers are means, for every n", Method.SYMBOLIC, for_every_n),
            Check("reference forwards of the layers are means, n <= 8", Method.EXACT, layers_are_means, support=True),
            Check("J/m is its own pseudo-inverse", Method.SYMBOLIC, pseudo_inverse),
            Check("activations pass values on", Method.SYMBOLIC, odd_parts),
            Check("moments tell the own token from the others", Method.SYMBOLIC, moments_tell_the_tokens),
            Check("a function of moments is near a Lipschitz one", Method.SYMBOLIC, lipschitz_near),
            Check("one direction is not enough", Method.EXACT, one_direction, support=True),
            Check("decay", Method.EXACT, decay, support=True),
            Check("W_K = 0 and the skip are needed", Method.EXACT, own_token_lost, support=True)),
    mutations=(Mutation("a state space in one direction", {"both_directions": False}),
               Mutation("another iteration", {"iteration": (13, 15, 8)}), Mutation("act(t) + act(-t)", {"odd": -1}),
               Mutation("moments up to 2n - 2", {"degree": lambda n: 2 * n - 2}),
               Mutation("the minimiser is within osc/(2K)", {"slack": sympy.Rational(1, 2)})))
