"""Sizes, tightness and speed of the continuous constructions.

Two tables: non-zero parameters of phi and psi, beside those of a first prototype without rigorous bounds, with the builder's
bound, the one that a certificate quotes (the checker's, where it reads the structure) and the largest error found at several
lengths; and the forward pass against sequence length, with its ratio to torch's scaled dot product attention.
Run ``python -m tests.benchmarks.continuous [--forward | --sizes] [target ..]``; either option prints one table alone.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import torch

from constructions.adapters import CompiledMeanSumformer
from constructions.continuous import compile_target
from constructions.errors import Refused
from constructions.network.relu import MeanSumformer
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.kernel import Claim
from proofs_check.sampling import sample
from proofs_check.structure.proof import prove
from proofs_check.structure.reading import NotUnderstood
from proofs_check.witness import evaluator, repetition, thresholds_of
from tests.benchmarks.printed import above

EPS = ("1/100", "1/10000", "1/1000000")
# Non-zero parameters of the prototype, float64 without outward rounding, at the same tolerances (None: not reached).
PROTOTYPE: dict[str, tuple[int | None, int | None, int | None]] = {
    "own-times-mean": (38, 95, 140), "standardise": (283, 1913, 17431), "f": (1144, 5284, 60853),
    "kernel-density": (961, 5956, 55340), "soft-rank": (913, 5832, 53561), "smooth-maximum": (82, 634, 6226),
    "figure-2": (313, 2092, 18014), "gravity-2d": (57922, None, None), "max": (None, None, None), "moments": (None, None, None)}
LENGTHS = (3, 16, 256, 4096)
SEARCHED = {3: 200_000, 16: 40_000, 256: 200_000, 4096: 1_000_000}  # the long ones have few different tokens
FORWARD = (2**12, 2**14, 2**16, 2**18)


def sizes(name: str, eps: str) -> str:
    """Compile once and search at several lengths; one line of the table."""
    target = resolve(name, n=None, d=None, domain="0,1")
    assert isinstance(target, Target)
    start = time.process_time()  # of the processor, so that other work on the machine does not count
    try:
        decomposition, compiled = compile_target(target, Fraction(eps), "sum-decomposition")
    except Refused as refused:
        return f"{name:15s} {float(Fraction(eps)):7.0e}  refused: {str(refused)[:90]}"
    seconds = time.process_time() - start
    worst, network = 0.0, compiled.sumformer
    for n in LENGTHS if decomposition.every_n else (target.n,):
        at_n = Target.from_text(target.text, n=n, box=target.box, name=name)
        repeated = repetition(at_n, compiled.sumformer)
        found = sample(at_n, evaluator(compiled.sumformer, at_n, torch.device("cpu")), target.box,
                       n if repeated is None else repeated.different, thresholds_of(compiled.sumformer, at_n),
                       SEARCHED.get(n, 200_000), "cpu", 0, repeated=repeated)
        worst = max(worst, found.maximum)
    quoted = min(float(compiled.bound), quoted_bound(network, compiled.derivation, target, compiled.bound, decomposition.every_n))
    earlier = PROTOTYPE.get(name, (None, None, None))[EPS.index(eps)]
    scope = "every n" if decomposition.every_n else f"n = {target.n}"
    return (f"{name:15s} {float(Fraction(eps)):7.0e} {network.n_nonzero:8,d} {earlier or '-':>9} {network.d_latent:5d} "
            f"{network.depth:6d} {above(compiled.bound):>11} {above(quoted):>11} {worst:9.3g} {quoted / worst:6.2f} "
            f"{float(compiled.bound) / worst:8.2f} {seconds:6.2f} s   {scope}")


def quoted_bound(network: MeanSumformer, derivation: Mapping[str, Any], target: Target, bound: Fraction, every_n: bool) -> float:
    """Return what the checker proves from the weights, which the certificate quotes; infinite where it reads no structure."""
    claim = Claim(target.name, target.text, target.n, target.d, target.d_out, target.box.sides, ("sumformer",), bound, every_n)
    try:
        proved = prove(network, derivation, target, claim)
    except NotUnderstood:
        return math.inf
    return proved.bound if proved.identities else math.inf


def forward(name: str, eps: str) -> str:
    """Time the forward pass at growing lengths, and attention of the same width at the first one."""
    target = resolve(name, n=None, d=None, domain="0,1")
    compiled = compile_target(target, Fraction(eps), "sum-decomposition")[1]
    run, width = CompiledMeanSumformer(compiled.sumformer), len(compiled.sumformer.channels)
    times = []
    for n in FORWARD:
        tokens = torch.rand(1, n, len(compiled.sumformer.tokens), dtype=torch.float64)
        times.append(_fastest(lambda tokens=tokens: run(tokens)))
    q = torch.rand(1, 1, FORWARD[0], width, dtype=torch.float64)
    attention = _fastest(lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q))
    growth = times[-1] / times[0] / (FORWARD[-1] / FORWARD[0])
    return (f"{name:15s} {float(Fraction(eps)):7.0e} {width:6d} " + " ".join(f"{1e3 * t:9.2f}" for t in times)
            + f" {growth:8.2f} {1e3 * attention:10.1f} {attention / times[0]:8.1f}")


def _fastest(call: Callable[[], object], repetitions: int = 9) -> float:
    """Return the shortest time: what other work on the machine adds is no property of either side."""
    call()
    seen = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        seen.append(time.perf_counter() - start)
    return min(seen)


def main(arguments: list[str]) -> None:
    """Print both tables, or the second."""
    names = [name for name in arguments if not name.startswith("--")]
    if "--forward" not in arguments:
        print_sizes(names)
    if "--sizes" not in arguments:
        print()
        print_forward(names)


def print_sizes(names: list[str]) -> None:
    """Print sizes, errors and construction times."""
    print("target              eps  non-zero prototype    d'  depth     builder   certified   sampled  ratio (builder)  "
          "build, CPU")
    for name in names or (known for known in PROTOTYPE if known != "gravity-2d"):  # half a minute by itself
        for eps in EPS:
            print(sizes(name, eps), flush=True)


def print_forward(names: list[str]) -> None:
    """Print times of the forward pass."""
    lengths = " ".join(f"n = {n:5,d}"[-9:].rjust(9) for n in FORWARD)
    print(f"forward in ms       eps  width {lengths}   growth  attention    ratio")
    for name in names or ("own-times-mean", "standardise", "f", "kernel-density"):
        for eps in EPS[:2]:
            print(forward(name, eps), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
