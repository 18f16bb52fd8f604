"""Subdivision of trained Sumformers of tokens with two coordinates: phi by slopes, and phi exact, at the vertices of its cells.

``python -m tests.benchmarks.two_coordinates`` trains networks (ReLU, n = 2, mean pooling) on two targets, samples their errors
and proves 1.25 times these: boxes and seconds of the processor both ways, ``+`` where a minute did not suffice, their ratios, and
what both have proved after about the same number of boxes, as a multiple of the sampled error.
"""

from __future__ import annotations

import tempfile
import time
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import torch
from safetensors.numpy import save_file

from constructions.network.relu import MeanSumformer
from constructions.targets.library import resolve
from constructions.targets.target import Target
from proofs_check.exact_phi import ExactPhi
from proofs_check.sup_norm import Problem, Search
from proofs_check.trained import read_trained
from tests.benchmarks.linear_bounds import stack

N = 2
SECONDS, BOXES, STEPS = 60, 4096, 3000
TARGETS = {
    "polynomial": "x[0]*mean(y[1]) + mean(y[0]*y[1])",
    "attention": "sum(exp(x[0]*y[0]+x[1]*y[1])*y[0])/sum(exp(x[0]*y[0]+x[1]*y[1]))",
}
WIDTHS = (((2, 8, 8), (10, 16, 1)), ((2, 16, 8), (10, 16, 1)), ((2, 32, 8), (10, 16, 1)),
          ((2, 16, 16, 8), (10, 16, 16, 1)), ((2, 32, 32, 8), (10, 32, 32, 1)))
Widths = tuple[tuple[int, ...], tuple[int, ...]]


def trained(target: Target, widths: Widths) -> tuple[MeanSumformer, float]:
    """Return a trained network, and its error on a sample with corners."""
    torch.manual_seed(1)
    phi, psi = (stack(part) for part in widths)

    def network(x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(psi(torch.cat([x, phi(x).mean(1, keepdim=True).expand(-1, N, -1)], -1)))

    optimiser = torch.optim.Adam([*phi.parameters(), *psi.parameters()], lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        x = (1 - torch.cos(torch.pi * torch.rand(512, N, 2, dtype=torch.float64))) / 2  # more of them near the boundary
        optimiser.zero_grad()
        ((network(x) - target.torch(x)) ** 2).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    x = torch.rand(400_000, N, 2, dtype=torch.float64)
    x[:100_000] = x[:100_000].round()
    with torch.no_grad():
        error = float((network(x) - target.torch(x)).abs().max())
    arrays = {f"{part}.{name}": value.detach().numpy().copy() for part, module in (("phi", phi), ("psi", psi))
              for name, value in module.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        save_file(arrays, Path(folder) / "network.safetensors")
        return read_trained(Path(folder) / "network.safetensors", d=2, d_out=1, n=N, pooling="mean"), error


def proved(problem: Problem, error: float) -> tuple[int, float, bool, float]:
    """Return boxes, seconds, whether the search ended, and the bound after ``BOXES`` boxes over the error."""
    search, start = Search.begin(problem, Fraction(error) * Fraction(5, 4)), time.process_time()
    while not search.finished and search.judged < BOXES:
        search.step()
    early = search.bound / error
    search.run(max(0.0, SECONDS - (time.process_time() - start)))
    return search.judged, time.process_time() - start, search.finished and search.witness is None, early


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(f"{'target':10s} {'phi, psi':36s} {'sampled':>8s} {'slopes':>23s} {'vertices':>20s}   boxes  time"
          f"   after {BOXES:,} boxes")
    for name, text in TARGETS.items():
        target = resolve(text, n=N, d=2, domain="0,1")
        assert isinstance(target, Target)
        for widths in WIDTHS:
            network, error = trained(target, widths)
            problem = Problem.of(target.outputs, network, N, target.box.sides)
            with patch.object(ExactPhi, "of", lambda network, n: None):
                ways = [proved(problem, error)]
            ways.append(proved(problem, error))
            (boxes, seconds, done, early), (fewer, faster, well, sharp) = ways
            print(f"{name:10s} {widths!s:36s} {error:8.4f} {boxes:10,d} {seconds:9.2f} s{' ' if done else '+'} {fewer:8,d}"
                  f" {faster:7.2f} s{' ' if well else '+'} {boxes / fewer:6.1f} {seconds / faster:5.1f}"
                  f" {early:8.3f} {sharp:6.3f}", flush=True)


if __name__ == "__main__":
    main()
