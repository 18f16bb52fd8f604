"""Linear bounds of trained Sumformers over boxes beside CROWN as the package bound-propagation has it (not outward rounded).

Run ``pip install bound-propagation`` (GPL-3: for this comparison only, nothing else may use it), then
``python -m tests.benchmarks.linear_bounds``. Widths are those of the enclosed output, times are the processor's, the shortest of
three, in one run, both in float64. ``wider`` is the share of boxes where substitution is wider than CROWN by more than 1e-9 of
it, then the largest ratio. The second table needs no other package: subdivision of trained networks with slopes alone, and with
substitution in two ways.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from safetensors.numpy import save_file

from constructions.network.relu import MeanSumformer
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check import sup_norm
from proofs_check.propagate import linearise
from proofs_check.relaxation import ARGUMENT_LINES, relaxed
from proofs_check.sup_norm import Problem, Search
from proofs_check.trained import read_trained

N, OWN, BOXES = 3, 1, 1024
PAPER = ((1, 50, 50, 50, 50, 50, 8), (9, 50, 50, 50, 50, 50, 1))
WIDTHS = (((1, 16, 8), (9, 16, 1)), ((1, 20, 20, 8), (9, 20, 20, 1)))
DEEPER = (*WIDTHS, ((1, 32, 32, 8), (9, 32, 32, 32, 1)), ((1, 32, 32, 32, 8), (9, 32, 32, 32, 1)), PAPER)
RADII = (0.2, 0.05, 0.01)
Bounds = tuple[np.ndarray, np.ndarray]


def stack(widths: tuple[int, ...]) -> torch.nn.Sequential:
    """Linear maps with ReLU between them."""
    modules: list[torch.nn.Module] = []
    for before, after in itertools.pairwise(widths):
        modules += [torch.nn.Linear(before, after, dtype=torch.float64), torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def trained(phi: torch.nn.Module, psi: torch.nn.Module, steps: int = 300) -> None:
    """Fit softmax attention, beta = 2, at n = 3."""
    optimiser = torch.optim.Adam([*phi.parameters(), *psi.parameters()], lr=3e-3)
    for _ in range(steps):
        x = torch.rand(256, N, 1, dtype=torch.float64)
        y = x.transpose(1, 2)
        weight = torch.exp(2 * x * y)
        wanted = (weight * y).sum(2, keepdim=True) / weight.sum(2, keepdim=True)
        means = phi(x).mean(1, keepdim=True).expand(-1, N, -1)
        optimiser.zero_grad()
        loss = ((psi(torch.cat([x, means], -1)) - wanted) ** 2).mean()
        loss.backward()
        optimiser.step()


def flat(phi: torch.nn.Sequential, psi: torch.nn.Sequential) -> torch.nn.Sequential:
    """The same function of the N tokens, all >= 0, as one stack: phi side by side, the own token carried along."""
    def affine(W: torch.Tensor, b: torch.Tensor) -> torch.nn.Linear:
        made = torch.nn.Linear(W.shape[1], W.shape[0], dtype=torch.float64)
        made.weight.data, made.bias.data = W, b
        return made

    inner, outer = ([m for m in part if isinstance(m, torch.nn.Linear)] for part in (phi, psi))
    modules: list[torch.nn.Module] = []
    for k, m in enumerate(inner):
        beside = torch.kron(torch.eye(N, dtype=torch.float64), m.weight.data)
        carried = torch.zeros(1, beside.shape[1] + bool(k), dtype=torch.float64)
        carried[0, -1 if k else OWN] = 1.0
        W = torch.cat([torch.nn.functional.pad(beside, (0, int(k > 0))), carried])
        b = torch.cat([m.bias.data.repeat(N), torch.zeros(1)]).double()
        modules += [affine(W, b), torch.nn.ReLU()]
    d_latent = inner[-1].weight.shape[0]
    pool = torch.cat([torch.zeros(1, N * d_latent), torch.eye(d_latent).repeat(1, N) / N]).double()
    pool = torch.cat([pool, torch.zeros(1 + d_latent, 1)], dim=1)
    pool[0, -1] = 1.0
    last = modules[-2]
    assert isinstance(last, torch.nn.Linear)
    M = outer[0].weight.data @ pool
    modules[-2:] = [affine(M @ last.weight.data, M @ last.bias.data + outer[0].bias.data)]
    for m in outer[1:]:
        modules += [torch.nn.ReLU(), m]
    return torch.nn.Sequential(*modules)


def stored(phi: torch.nn.Module, psi: torch.nn.Module) -> MeanSumformer:
    """Read the two stacks as ``uat certify --network`` does."""
    arrays = {f"{part}.{name}": value.detach().numpy().copy() for part, module in (("phi", phi), ("psi", psi))
              for name, value in module.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        save_file(arrays, Path(folder) / "network.safetensors")
        return read_trained(Path(folder) / "network.safetensors", d=1, d_out=1, n=N, pooling="mean")


def by_slopes(network: MeanSumformer, centre: np.ndarray, radii: np.ndarray) -> Bounds:
    """Enclose the output on boxes (boxes, N, 1)."""
    found = linearise(network, OWN, centre, radii)
    reach = (found.slopes.magnitude()[:, :, 0] * radii[:, :, 0]).sum(axis=1) + found.centre.rad[:, 0]
    return found.centre.mid[:, 0] - reach, found.centre.mid[:, 0] + reach


def substituted(network: MeanSumformer, centre: np.ndarray, radii: np.ndarray) -> Bounds:
    """Enclose the output by substitution."""
    span = relaxed(network, OWN, centre, radii)[1].enclosure(radii.reshape(len(centre), -1))
    return span.lower[:, 0], span.upper[:, 0]


def shortest(call: Callable[[], Any]) -> float:
    """Return the shortest of three times."""
    seen = []
    for _ in range(3):
        start = time.process_time()
        call()
        seen.append(time.process_time() - start)
    return min(seen)


def compare_with_crown() -> None:
    """Print the first table, or what is missing."""
    try:
        peer = importlib.import_module("bound_propagation")
    except ImportError:
        print("bound-propagation is not installed: no comparison of linear bounds")
        return
    print("phi, psi                         radius  CROWN width   slopes: width  time   substitution: width  time  wider, worst")
    torch.manual_seed(0)
    for widths in WIDTHS:
        phi, psi = (stack(part) for part in widths)
        trained(phi, psi)
        network, bounded = stored(phi, psi), peer.BoundModelFactory().build(flat(phi, psi))
        for radius in RADII:
            centre = np.random.default_rng(0).uniform(radius, 1 - radius, (BOXES, N, 1))
            radii = np.full_like(centre, radius)
            low, high = (torch.tensor(centre[:, :, 0] + sign * radii[:, :, 0]) for sign in (-1, 1))

            def crown(low: torch.Tensor = low, high: torch.Tensor = high, bounded: Any = bounded) -> Bounds:
                with torch.no_grad():
                    found = bounded.crown(peer.HyperRectangle(low, high)).concretize()
                return found.lower.numpy()[:, 0], found.upper.numpy()[:, 0]

            theirs, spent = np.subtract(*reversed(crown())), shortest(crown)
            line = f"{widths!s:32s} {radius:6.2f} {theirs.mean():12.4g}  "
            for ours in (by_slopes, substituted):
                found = functools.partial(ours, network, centre, radii)
                width = np.subtract(*reversed(found()))
                line += f"{width.mean() / theirs.mean():14.3f} {shortest(found) / spent:5.2f}     "
            print(f"{line} {(width > theirs * (1 + 1e-9)).mean():8.2%} {(width / theirs).max():6.3f}", flush=True)


def subdivided() -> None:
    """Print the second table: boxes and seconds of the processor to prove one and a quarter times a sampled error."""
    target = resolve("f", n=N, d=None, domain="0,1")
    assert isinstance(target, Target)
    ways = ("slopes", "output only", "and arguments")
    print(f"{'phi, psi':61s} bound" + "".join(f"{way:>19s}" for way in ways))
    for widths in DEEPER:
        torch.manual_seed(1)
        phi, psi = (stack(part) for part in widths)
        trained(phi, psi, 800)
        problem = Problem.of(target.outputs, stored(phi, psi), N, target.box.sides)
        tokens = torch.rand(200_000, N, 1, dtype=torch.float64)
        with torch.no_grad():
            features = phi(tokens).mean(1, keepdim=True).expand(-1, N, -1)
            error = float((psi(torch.cat([tokens, features], -1)) - target.torch(tokens)).abs().max())
        line = f"{widths!s:56s} {1.25 * error:9.4f}"
        for way in (None, (), ARGUMENT_LINES):
            with patch.object(sup_norm, "applies", lambda _, way=way: way is not None), \
                    patch.object(sup_norm, "relaxed", lambda *given, way=way, **_: relaxed(*given, lines=way)):
                search, start = Search.begin(problem, Fraction(error) * Fraction(5, 4)), time.process_time()
                search.run(120)
            line += f" {search.judged:9,d} {time.process_time() - start:5.2f} s{' ' if search.finished else '+'}"
        print(line, flush=True)


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    compare_with_crown()
    subdivided()


if __name__ == "__main__":
    main()
