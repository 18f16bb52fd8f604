"""The proof for one constructed network: every constant of every step with its value, read off the stored weights.

Statuses are those of ``certify``; values are recomputed here from arrays and target text, exactly where they are rational.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions.encodings.multisets import multisets as all_multisets
from constructions.encodings.power_sums import printed_dimension, sharpened_dimension
from constructions.errors import Refused
from constructions.moduli import derived
from constructions.network.relu import MeanSumformer
from constructions.number_formats import exact_number
from constructions.storage import MEAN_FORMAT, load_mean_sumformer
from constructions.targets.target import Target
from proofs_check.architecture_check import pooling_factor, pooling_step
from proofs_check.certify import read_target
from proofs_check.kernel import Certificate, Claim, Verdict, decimal_above
from proofs_check.lifted_roots import heights, stored_lifted
from proofs_check.modulus import check_lipschitz
from proofs_check.path_sums import lipschitz_of_phi, lipschitz_of_psi
from proofs_check.propagate import Parts
from proofs_check.run_files import RunFiles, understanding
from proofs_check.step_network import enumerate_network, quantisers, stored_nodes

FEW_COORDINATES = 3  # n d up to which a Lipschitz constant is proved on the way
MANY = 200_000


@dataclass(frozen=True)
class Constant:
    """A number of the proof in this run; ``step`` is the id of the proof step it belongs to."""

    step: str
    name: str
    value: str


def instance_constants(run: RunFiles, verdict: Verdict) -> list[Constant]:
    """Return the constants of a run in the order of the proof.

    Raises:
        BadInput: the files do not have the documented structure.
    """
    with understanding("run directory"):
        claim = Claim.from_json(run.certificate["claim"])
        discretised = run.network.get("format") != MEAN_FORMAT
        own = _of_grid(run, claim) if discretised else _of_means(run, claim)
        return [*_of_target(run, claim, discretised), *own, *_of_heads(run, claim), *_of_budget(run, claim, verdict)]


def _of_target(run: RunFiles, claim: Claim, discretised: bool) -> Iterator[Constant]:
    domain = " x ".join(f"[{a}, {b}]" for a, b in claim.domain)
    yield Constant("equivariance-semi-invariance", "n, d, d_out, domain", f"{claim.n}, {claim.d}, {claim.d_out}, {domain}")
    yield Constant("symmetry-reduction", "(n - 1)!", f"{math.factorial(claim.n - 1):,}")
    if "lipschitz" in run.plan and discretised:
        declared = " (declared)" if run.plan["lipschitz_declared"] else ""
        of = ", of f with lifted roots" if "lifted" in run.plan else ""
        yield Constant("modulus", f"L{of}", f"{decimal_above(exact_number(run.plan['lipschitz']))}{declared}")
    if "lifted" in run.plan:
        target = read_target(run.plan, import_callable=False)
        lifted = stored_lifted(run.plan, target)
        assert lifted is not None
        assert isinstance(target, Target)
        roots = heights(lifted.outputs) - heights(target.outputs)
        yield Constant("lifted-root", "r", ", ".join(map(str, sorted({r for _, r in roots}))))
    yield Constant("latent-dimension", "binom(n-1+d, d) - 1", f"{sharpened_dimension(claim.n, claim.d):,}")
    yield Constant("printed-latent-dimension", "binom(n+d, d) - 1", f"{printed_dimension(claim.n, claim.d):,}")


def _of_grid(run: RunFiles, claim: Claim) -> Iterator[Constant]:
    nodes = stored_nodes(run.network, run.arrays, run.exact)
    axes, inner = quantisers(nodes, claim.domain)
    found = enumerate_network(axes, inner, run.network, claim.n)
    counts, radius = [len(axis.middles) for axis in axes], max(axis.radius for axis in axes)
    yield Constant("quantiser-covers", "N", " x ".join(map(str, counts)))
    widths = [max(b - a for a, b in zip(axis.edges, axis.edges[1:], strict=False)) for axis in axes]
    yield Constant("quantiser-covers", "delta", decimal_above(max(widths)))
    yield Constant("piecewise-constant-error", "largest distance from a cell's middle", decimal_above(radius))
    yield Constant("piecewise-constant-error", "w_f of it", decimal_above(exact_number(run.plan["lipschitz"]) * radius))
    codes = [node for node in nodes if set(node.writes) <= set(run.network["phi"]["outputs"])]
    yield from _of_code(codes[0].values, claim.n, str(run.plan["code"]))
    yield Constant("decode-left-inverse", "K R pairs followed", f"{len(found.cells):,}")
    yield Constant("step-network", "least distance of Sigma from a threshold", str(found.margin))
    yield Constant("step-network", "Heaviside units", f"{sum(len(node.thresholds) for node in nodes):,}")
    yield Constant("grid-sumformer", "radius of the table values", decimal_above(exact_number(run.plan["value_radius"])))


def _of_code(values: np.ndarray, n: int, name: str) -> Iterator[Constant]:
    codes = [tuple(int(v) for v in row) for row in values]
    cells, latent = len(codes), len(codes[0])
    multisets = math.comb(cells + n - 2, n - 1)
    sigma = [n * max(code[r] for code in codes) for r in range(latent)]
    yield Constant("sum-code-injective", "code, d', K, R", f"{name}, {latent}, {cells:,}, {multisets:,}")
    yield Constant("sum-code-injective", "largest Sigma, bits", f"{max(sigma):.6g}" if max(sigma) > 10**12 else f"{max(sigma):,}"
                   + f", {sum(s.bit_length() for s in sigma)}")
    if multisets <= MANY:
        sums = np.unique(np.add.reduce(values[all_multisets(cells, n - 1)].astype(object), axis=1).astype(str), axis=0)
        yield Constant("sum-code-injective", "different sums of n - 1 codes", f"{len(sums):,}")
    yield Constant("sum-code-injective", "information bound, bits", f"{math.log2(multisets):.1f}")


def _of_means(run: RunFiles, claim: Claim) -> Iterator[Constant]:
    network = load_mean_sumformer(run.arrays, run.network)
    target = read_target(run.plan, import_callable=False)
    if isinstance(target, Target) and target.n * target.d <= FEW_COORDINATES:
        yield _lipschitz(target)
    scope = "every n >= 2" if run.plan.get("every_n") else f"n = {run.plan['n']}"
    yield Constant("sum-decomposition", "d', holds for", f"{network.d_latent}, {scope}")
    for name, bound in (("Lip(phi)", lipschitz_of_phi(network)), ("Lip_mu(psi)", lipschitz_of_psi(network))):
        yield Constant("error-budget", f"{name}, over all paths", f"<= {decimal_above(bound)}")
    chains, folds = _folds(network)
    hidden = sum(layer.units for layer in (*network.phi, *network.psi))
    yield Constant("interpolation-error", "hidden units outside chains of folds", f"{hidden - folds:,}")
    yield Constant("square-sawtooth", "chains of folds, units in them", f"{chains:,}, {folds:,}")
    yield Constant("residual-layout", "channels, layers of phi, of psi",
                   f"{len(network.channels)}, {len(network.phi)}, {len(network.psi)}")


def _lipschitz(target: Target) -> Constant:
    """Propose a Lipschitz constant of the target and prove it by the checker's own subdivision."""
    try:
        proposed = derived(target).lipschitz
    except Refused:
        return Constant("modulus", "L", "no finite constant was found")
    found = check_lipschitz(target.outputs, target.n, target.d, target.box.lower, target.box.upper, proposed, max_boxes=200_000)
    return Constant("modulus", f"L for n = {target.n} ({found.status})", decimal_above(proposed))


def _folds(network: MeanSumformer) -> tuple[int, int]:
    """Count chains of folds in the weights (never taken from the builder), and the hidden units they are made of."""
    parts = Parts.of(network)
    layers = (*parts.phi, *parts.psi)
    starts = {(k, int(head)) for k, layer in enumerate(layers) for head in layer.chains.head}
    return len(starts), sum(layer.weights.units - len(layer.plain) for layer in layers)


def _number(value: Fraction) -> str:
    """Write a constant that bounds nothing: exactly, or where that is long as the nearest double."""
    return str(value) if len(str(value)) < 20 else f"{float(value):.17g}"


def _of_heads(run: RunFiles, claim: Claim) -> Iterator[Constant]:
    for name, description in run.network["architectures"].items():
        prefix = next(key for key in run.arrays if key.startswith(f"{name}.") and key.endswith(".W_V")).removesuffix("W_V")
        weights = {key.removeprefix(prefix): array for key, array in run.arrays.items() if key.startswith(prefix)}
        factor = pooling_factor(name, weights, claim.n)
        routes = sorted({Fraction(float(v)) for v in weights["W_V"][np.nonzero(weights["W_V"])]})
        shown = ", ".join(_number(factor * route) for route in routes)
        yield Constant(pooling_step(name), f"{name}: head = c sum over tokens, c", shown)
        sizes = {"E": "k", "w": "features"}
        for key, what in sizes.items():
            if key in weights:
                yield Constant(pooling_step(name), f"{name}: {what}", str(len(weights[key])))
        yield Constant("residual-layout", f"{name}: width", str(len(description["channels"])))


def _of_budget(run: RunFiles, claim: Claim, verdict: Verdict) -> Iterator[Constant]:
    for step in verdict.steps:
        if step.bound:
            yield Constant("error-budget", f"share of {step.id}", decimal_above(step.bound))
    yield Constant("error-budget", "sum of the shares",
                   decimal_above(sum((step.bound for step in verdict.steps), Fraction(0))))
    yield Constant("error-budget", "eps", decimal_above(exact_number(run.plan["eps"])))
    if isinstance(verdict, Certificate):
        for name in claim.networks:
            theorem = f"theorem-{name.removesuffix('-normalised')}"
            yield Constant(theorem, f"{name}: ||f - T|| <=", decimal_above(verdict.proved_bound))
