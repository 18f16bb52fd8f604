"""printed-linformer-pooling: E = (1/n) 1, F = (1/k) 1 and the block n I give (n/k) Sigma."""

from __future__ import annotations

from fractions import Fraction

from proofs_check.evidence import counterexample
from proofs_check.kernel import Status
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep

TOKENS = (Fraction(1), Fraction(2), Fraction(4), Fraction(8))


def head_is_sigma(given: Given) -> Evidence:
    """Multiply the printed head out on tokens 1, 2, 4, .. for k = 1, 2, n."""
    cases = [(n, k) for n in (3, 4) for k in dict.fromkeys((1, 2, n)) if given["any_k"] or k == n]
    return counterexample(cases, _not_sigma, "the head is Sigma")


def _not_sigma(case: tuple[int, int]) -> tuple[str, ...]:
    n, k = case
    if printed_head(TOKENS[:n], k) == sum(TOKENS[:n]):
        return ()
    shown = ", ".join(map(str, TOKENS[:n]))
    lines = [f"n = {n}, d = 1, X W_V = n X, tokens {shown}: Sigma = {sum(TOKENS[:n])}"]
    lines += [f"  k = {j}: every slot of F X W_V is ({n}/{j}) Sigma, the head returns {printed_head(TOKENS[:n], j)}"
              + ("  (right, since k = n)" if j == n else "") for j in dict.fromkeys((1, 2, n))]
    return tuple(lines)


def printed_head(tokens: tuple[Fraction, ...], k: int) -> Fraction:
    """Return a row of softmax(scores) F X W_V: scores are equal, so each of the k slots has weight 1/k."""
    n = len(tokens)
    slots = [sum((Fraction(1, k) * n * x for x in tokens), Fraction(0)) for _ in range(k)]
    return sum((Fraction(1, k) * slot for slot in slots), Fraction(0))


STEP = ProofStep(
    id="printed-linformer-pooling", section=5, corrects="linformer-pooling",
    plain="With E = (1/n) 1, F = (1/k) 1 and the block n I in W_V the Linformer head is Sigma.",
    latex=r"E=\tfrac1n\mathbf 1,\ F=\tfrac1k\mathbf 1\ \Rightarrow\ \mathrm{softmax}(\cdot)\,F X W_V=\mathbf 1\,\Sigma^\top",
    source="paper, proof of theorem 4.4, as printed", expected=Status.REFUTED,
    constants={"any_k": True},
    checks=(Check("the printed head is Sigma for k = 1, 2, n", Method.EXACT, head_is_sigma),),
    mutations=(Mutation("only k = n", {"any_k": False}),))
