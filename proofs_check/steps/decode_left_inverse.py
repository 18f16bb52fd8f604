"""decode-left-inverse: psi recovers the multiset of the others from Sigma - phi(x_i)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy

from constructions.encodings import Code, bose_chowla, packed, positional
from constructions.encodings.multisets import multisets
from constructions.number_formats import FLOAT64
from constructions.sumformers.grid import decoder_nodes
from proofs_check.evidence import every, identities
from proofs_check.proof import Check, Evidence, Given, Method, Mutation, ProofStep


def argument_of_the_decoder(given: Given) -> Evidence:
    """Sigma - phi(x_i) is the sum over the others; an injective map has a left inverse on its values."""
    own, others = sympy.symbols("phi_i s", real=True)
    return identities({"argument - sum of the others": (own + others) - given["subtracts"] * own - others},
                      "Sigma - phi(x_i) = sum over the others of phi(x_j)")


def built_decoders(given: Given) -> Evidence:
    """Follow every own cell and multiset through the decoder that is built."""
    return every(_cases(given), lambda case: _misread(*case), "{} decoders, every own cell and multiset")


def _cases(given: Given) -> Iterator[tuple[Code, int]]:
    for n in range(2, given.effort(5, 6)):
        for K in range(2, given.effort(6, 8)):
            for code in (positional(K, n), bose_chowla(K, n), packed(K, n, FLOAT64, 8 * n)):
                yield code, given["subtracts"]


def _misread(code: Code, subtracts: int) -> str:
    others = multisets(code.cells, code.n - 1)
    nodes, order = decoder_nodes(code, others)
    for own in range(code.cells):
        sums = np.add.reduce(code.values[others], axis=1) + code.values[own]
        channels: dict[str, np.ndarray] = {f"sigma.{r}": sums[:, r] for r in range(code.d_latent)}
        subtracted = code.values[own] * subtracts
        channels |= {f"phi.{r}": np.full(len(others), subtracted[r], dtype=object) for r in range(code.d_latent)}
        for node in nodes:
            values = node.table(node.argument(channels))
            channels |= {channel: values[..., k].astype(np.int64) for k, channel in enumerate(node.writes)}
        read = others[order[channels[nodes[-1].writes[0]]]]
        wrong = np.flatnonzero((read != others).any(axis=1))
        if len(wrong):
            return (f"{code.name}, K = {code.cells}, n = {code.n}: own cell {own} beside {others[wrong[0]].tolist()} is read as "
                    f"{read[wrong[0]].tolist()}")
    return ""


STEP = ProofStep(
    id="decode-left-inverse", section=2, plain="psi recovers the multiset of the others from Sigma - phi(x_i).",
    latex=r"\exists D:\ D(\Sigma-\varphi(x_i))=\{z_j\}_{j\ne i}",
    source="paper, proof of theorem 4.1", depends_on=("quantiser-covers", "sum-code-injective"), constants={"subtracts": 1},
    checks=(Check("the decoder's argument is the sum over the others", Method.SYMBOLIC, argument_of_the_decoder),
            Check("the decoders that are built recover every multiset", Method.EXHAUSTIVE, built_decoders, support=True)),
    mutations=(Mutation("the own token is not subtracted", {"subtracts": 0}),))
