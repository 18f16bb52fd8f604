"""A run directory read back: target, Sumformer and architectures as stored, to be looked at by figures and pages."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from constructions.architectures import Architecture, Block, assemble, assemble_mean
from constructions.errors import BadInput, nearest
from constructions.network.relu import MeanSumformer
from constructions.number_formats import FORMATS
from constructions.pooling import pooling_head
from constructions.progress import Report
from constructions.storage import load
from constructions.targets.target import AnyTarget, Target
from proofs_check.certify import is_about, read_target
from proofs_check.kernel import Claim
from proofs_check.run_files import RunFiles, read_run, understanding
from uat.sampling import PROBES, AnySumformer, Sampled, sample_network


@dataclass(frozen=True, eq=False)
class StoredRun:
    """What a run directory holds; everything is read from its arrays, nothing is built again."""

    path: Path
    files: RunFiles
    claim: Claim
    target: AnyTarget

    @cached_property
    def sumformer(self) -> AnySumformer:
        """phi and psi; raises BadInput where the description does not fit the arrays."""
        with understanding(str(self.path)):
            return load(self.files.arrays, self.files.exact, self.files.network)

    @cached_property
    def architectures(self) -> tuple[Architecture, ...]:
        """Every stored architecture, with the stored embedding, attention and readout; raises BadInput where they do not fit."""
        with understanding(str(self.path)):
            names = tuple(self.files.network["architectures"])
        return tuple(self.architecture(name) for name in names)

    def architecture(self, name: str) -> Architecture:
        """Return one of them; raises BadInput where the run has no such, or where its arrays do not fit."""
        with understanding(str(self.path)):
            if name not in self.files.network["architectures"]:
                raise BadInput(f"{self.path}: no architecture {name!r}: {nearest(name, self.files.network['architectures'])}")
            shaped = self._shaped(name, self.claim.n)
            if self.claim.n != int(self.files.plan["n"]):
                return shaped  # another length than the stored head's: of a bound for every n only the head's 1/n changes
            arrays = self.files.arrays
            blocks = tuple(block if block.attention is None else Block(
                {key: arrays[f"{name}.blocks.{i}.attention.{key}"] for key in block.attention}, block.feed_forward)
                for i, block in enumerate(shaped.blocks))
            return replace(shaped, blocks=blocks, W_embed=arrays[f"{name}.embed.weight"],
                           b_embed=arrays[f"{name}.embed.bias"], W_out=arrays[f"{name}.readout.weight"])

    def is_for_one_length(self, name: str) -> bool:
        """Say whether an architecture's weights are about the run's n: all of a grid's, and heads in which n occurs."""
        if not self.claim.every_n:
            return True
        heads = ([block.attention for block in self._shaped(name, n).blocks if block.attention is not None]
                 for n in (self.claim.n, self.claim.n + 1))
        return any(not np.array_equal(here[key], there[key]) for here, there in zip(*heads, strict=True) for key in here)

    def _shaped(self, name: str, n: int) -> Architecture:
        plan = self.files.plan
        head = pooling_head(name, linformer_k=int(plan["linformer_k"]), performer_features=int(plan["performer_features"]),
                            seed=int(plan["seed"]))
        if isinstance(self.sumformer, MeanSumformer):
            return assemble_mean(self.sumformer, head, n, FORMATS[str(plan["number_format"])])
        return assemble(self.sumformer, head)

    def at(self, n: int) -> StoredRun:
        """Return the run at another length; only for a bound for every n."""
        if not self.claim.every_n or not isinstance(self.target, Target):
            raise ValueError("the run is about one length")
        target = self.target
        moved = Target.from_text(target.text, n=n, box=target.box, name=target.name, positional=target.positional)
        return replace(self, claim=replace(self.claim, n=n), target=moved)

    @property
    def single(self) -> bool:
        """Whether the run is about float32."""
        return str(self.files.plan["number_format"]) == "float32"

    def sample(self, samples: int | None, seed: int, report: Report, device: str = "cpu",
               executor: Executor | None = None, *, so_far: bool = False) -> Sampled:
        """Search for the worst error, by ``samples`` sequences or the usual number (uat/sampling.py).

        With ``so_far`` Ctrl-C ends the search and not the call, once anything was found.

        Raises:
            BadInput: the claim, which what is found is compared with, is about something else than is searched, or the network
                reads or writes something else than f.
        """
        if not is_about(self.claim, self.target):
            raise BadInput(f"{self.path}: the claim is about another target or domain than the one stored")
        with understanding(str(self.path)):  # whether the network reads and writes what f does shows where it is run
            return sample_network(self.target, self.sumformer, self.claim.bound, samples=samples, device=device, seed=seed,
                                  report=report, executor=executor, so_far=so_far)

    @cached_property
    def _evaluate(self) -> Any:
        from proofs_check.witness import choose_device, evaluator

        return evaluator(self.sumformer, self.target, choose_device("cpu"))

    def values(self, tokens: np.ndarray) -> np.ndarray:
        """Evaluate the Sumformer in float64 on (*batch, n, d) tokens, many at once."""
        import torch

        return np.asarray(self._evaluate(torch.as_tensor(tokens)).numpy())

    @cached_property
    def rounded_target(self) -> AnyTarget:
        """f for float64, as the search evaluates it: what is under a root may be rounded to below 0."""
        from proofs_check.definedness import with_rounded_roots

        return with_rounded_roots(self.target) if isinstance(self.target, Target) else self.target

    def gaps(self, tokens: np.ndarray) -> np.ndarray:
        """Return f - S in float64, shape (*batch, n, d_out)."""
        gaps: np.ndarray = self.rounded_target.numpy(tokens) - self.values(tokens)
        return gaps

    def error_at(self, tokens: np.ndarray, own: int) -> float:
        """Return |f - S| of one token in an (n, d) sequence, rounded down with balls (with a callable, as float64 shows it)."""
        from proofs_check.search import SampleResult
        from proofs_check.witness import confirmed

        gap = self.gaps(tokens)[own]
        output = int(np.abs(gap).argmax())
        shown = SampleResult(float(abs(gap[output])), tokens.tolist(), own, output, 0.0, 0.0, 1, 0.0, 0.0, "")
        return confirmed(self.target, self.sumformer, shown).maximum

    def ends(self, coordinate: int) -> tuple[float, float]:
        """Return the least and the largest float64 of the domain in one coordinate."""
        import torch

        from proofs_check.draws import inward

        return inward(*self.target.box.sides[coordinate], torch.float64)

    def attended(self, architecture: Architecture, tokens: np.ndarray) -> np.ndarray:
        """Run an architecture densely in torch, in the run's number format, on (batch, n, d) tokens.

        Raises:
            Refused: a weight is an integer beyond machine arithmetic.
        """
        import torch

        from proofs_check.witness import run_densely

        return run_densely(architecture, tokens, torch.float32 if self.single else torch.float64)

    def probes(self, seed: int, count: int = PROBES) -> np.ndarray:
        """Return sequences that strain an architecture, shape (batch, n, d)."""
        import torch

        from proofs_check.witness import probing_sequences

        dtype = torch.float32 if self.single else torch.float64
        return probing_sequences(self.sumformer, self.target, count, seed, dtype)

    def sizes(self) -> Iterator[dict[str, Any]]:
        """Yield name, parameters, depth and width of the Sumformer and of every architecture."""
        yield _size("sumformer", self.sumformer)
        yield from (_size(a.name, a) for a in self.architectures)


def open_run(path: str | Path, *, import_callable: bool = False) -> StoredRun:
    """Read a run directory whose hashes agree.

    Raises:
        BadInput: not a run directory, or it names a Python callable and importing it was not allowed.
        Refused: a file changed since the run was written.
    """
    files = read_run(Path(path))
    with understanding(str(path)):
        return StoredRun(Path(path), files, Claim.from_json(files.certificate["claim"]),
                         read_target(files.plan, import_callable))


def _size(name: str, network: AnySumformer | Architecture) -> dict[str, Any]:
    return {"name": name, "n_parameters": network.n_parameters, "n_nonzero": network.n_nonzero, "depth": network.depth,
            "width": network.width}
