"""universal-pooling: what other token-mixing layers need in order to be the token mean."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from proofs_check import mixers
from proofs_check.evidence import counterexample, every, identities
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


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
    """P = J/m is idempotent and symmetric, so its own pseudo-inverse; the iteration has the fixed point 1 on its range."""
    p = sympy.Symbol("p")
    a, b, c = given["iteration"]
    step = p * (a - p * (b - p * (c - p))) / 4
    return identities({"at 1": step.subs(p, 1) - 1, "at 0": step.subs(p, 0)}, "J/m stays J/m under the iteration")


def odd_parts(given: Given) -> Evidence:
    """act(t) - act(-t) = t for ReLU, GELU, SiLU: a mixing layer with any of them passes values on."""
    t, u = sympy.Symbol("t", real=True), sympy.Symbol("u", positive=True)
    odd = given["odd"]
    gelu = t * (1 + sympy.erf(t / sympy.sqrt(2))) / 2
    silu = t / (1 + sympy.exp(-t))
    return identities({"GELU": gelu - odd * gelu.subs(t, -t) - t, "SiLU": sympy.simplify(silu - odd * silu.subs(t, -t)) - t,
                       "ReLU": sympy.Max(u, 0) - odd * sympy.Max(-u, 0) - u}, "act(t) - act(-t) = t")


def one_direction(given: Given) -> Evidence:
    """One direction alone is not enough: the first token sees only itself."""
    def forward_only(v: mixers.Values) -> list[Fraction]:
        return mixers.state_space(v, both=False)

    found = counterexample(range(2, 6), lambda n: _not_a_mean("one direction", forward_only, n), "")
    if found.status is Status.REFUTED:
        return Evidence(Status.PROVED, f"one direction fails: {found.witness[0]}")
    return Evidence(Status.REFUTED, "one direction suffices", found.cases, ("a one-directional scan gave the mean",))


def decay(given: Given) -> Evidence:
    """Decay a < 1 errs by at most n (1 - a^(n-1)) max|phi| before the division by n."""
    cases = [(n, Fraction(k, 8)) for n in range(2, 8) for k in range(1, 8)]
    return every(cases, lambda case: _decayed(*case), "{} lengths and decays within the bound")


def _decayed(n: int, a: Fraction) -> str:
    v = [Fraction(1)] * n
    worst = max(abs(x - 1) for x in mixers.state_space(v, decay=a))
    return "" if worst <= 1 - a ** (n - 1) else f"n = {n}, a = {a}: error {worst}"


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
    source="ours; conjectured in the paper's discussion", expected=Status.ASSUMED,
    hypotheses=("token-wise FCs on both sides", "x_i retained", "no layer norm"),
    depends_on=("theorem-transformer", "identity-channel", "error-budget"),
    constants={"both_directions": True, "iteration": (13, 15, 7), "odd": 1},
    checks=(Check("the layers are means", Method.EXACT, layers_are_means, "n <= 8"),
            Check("J/m is its own pseudo-inverse", Method.SYMBOLIC, pseudo_inverse),
            Check("activations pass values on", Method.SYMBOLIC, odd_parts),
            Check("one direction is not enough", Method.EXACT, one_direction, support=True),
            Check("decay", Method.EXACT, decay, support=True),
            Check("W_K = 0 and the skip are needed", Method.EXACT, own_token_lost, support=True)),
    mutations=(Mutation("a state space in one direction", {"both_directions": False}),
               Mutation("another iteration", {"iteration": (13, 15, 8)}), Mutation("act(t) + act(-t)", {"odd": -1})))
