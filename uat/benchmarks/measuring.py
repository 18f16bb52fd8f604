"""Measure one certified function as each architecture, at growing lengths, until a call would cost too much."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from constructions.adapters import CompiledMeanSumformer
from constructions.continuous import ContinuousConstruction
from constructions.errors import BadInput, Refused, nearest
from constructions.network.relu import MeanSumformer
from constructions.number_formats import FORMATS
from constructions.progress import Report, silent
from proofs_check.devices import module_of
from proofs_check.kernel import Certificate
from proofs_check.witness import choose_device
from proofs_check.workers import one_thread
from uat import pipeline, show
from uat.benchmarks.contenders import CONTENDERS, HEADS, PEER, Contender, contender, torch_dtype, width
from uat.benchmarks.growth import between, break_even, exponent, predicted
from uat.benchmarks.timing import (
    FLOPS_ARE,
    MEMORY_IS,
    SPREAD_IS,
    Spread,
    flops_of,
    interleaved,
    little_garbage,
    peak_bytes,
    seconds_of,
)
from uat.request import Request

GIB = 2**30
BREAK_EVEN_IS = ("smallest n from which on the upper quartile of seconds is below the peer's lower quartile, interpolated on a "
                 "log-log scale; null where that is not so at the longest length both were timed at; at_most: at all lengths")


@dataclass(frozen=True)
class Profile:
    """What a run may spend.

    Attributes:
        lengths: sequence lengths.
        call_seconds, call_bytes: a call predicted to need more is left out.
        seconds: spent on timing an architecture at a length, but at least ``fewest`` calls.
    """

    lengths: tuple[int, ...]
    call_seconds: float
    call_bytes: int
    seconds: float
    fewest: int
    most: int = 50


PROFILES = {"fast": Profile(tuple(2**k for k in range(6, 15)), 0.4, GIB, 0.15, 5),
            "full": Profile(tuple(2**k for k in range(6, 19)), 10.0, 8 * GIB, 1.0, 7)}


@dataclass(frozen=True)
class Network:
    """A certified network in one number format, and what is guaranteed of it."""

    construction: ContinuousConstruction
    certificate: Certificate

    @property
    def sumformer(self) -> MeanSumformer:
        """phi and psi."""
        return self.construction.sumformer

    def to_json(self) -> dict[str, Any]:
        """Return what the record says of it."""
        bound, network = self.certificate.proved_bound, self.sumformer
        return {"dtype": self.construction.number_format.name, "certified_bound": show.bound_text(bound),
                "certified_bound_exact": str(bound), "status": self.certificate.status.value,
                "assumptions": list(self.certificate.assumptions), "evaluated_up_to": self.construction.evaluated_up_to,
                "proved_for": list(self.certificate.claim.networks), "n_nonzero": network.n_nonzero,
                "d_latent": network.d_latent, "depth": network.depth, "width": width(network)}


@dataclass
class Costs:
    """What one architecture has cost so far, by length (seconds: median, lower and upper quartile), and why it stopped.

    ``glimpses`` holds seconds and bytes of single calls at lengths nobody asked for: predictions look at them, no record does.
    """

    seconds: dict[int, float] = field(default_factory=dict)
    low: dict[int, float] = field(default_factory=dict)
    high: dict[int, float] = field(default_factory=dict)
    bytes: dict[int, float] = field(default_factory=dict)
    glimpses: dict[int, tuple[float, float]] = field(default_factory=dict)
    no_memory: str = ""

    @property
    def lengths(self) -> set[int]:
        """All lengths of which something is known."""
        return {*self.seconds, *self.glimpses}

    def predicted(self, n: int) -> tuple[float, float]:
        """Return the seconds and the bytes that a call at a longer length is expected to need."""
        seconds = {length: both[0] for length, both in self.glimpses.items()} | self.seconds
        size = {length: both[1] for length, both in self.glimpses.items()} | self.bytes
        return predicted(seconds, n), predicted(size, n)


def measure(profile: str, *, device: str, seed: int, report: Report, target: str = "f", eps: str = "1e-2",
            lengths: Sequence[int] | None = None, dtypes: Sequence[str] = ("float64", "float32")) -> dict[str, Any]:
    """Return the content of a ``uat-bench/1`` record (docs/formats.md): rows, fits, break-even lengths, what was left out.

    Args:
        profile: fast or full, see ``PROFILES``.
        device: auto, cpu or cuda.
        seed: of tokens, and of the Performer's features.
        report: progress.
        target, eps: the function and its tolerance; one network for every n is built and certified a dtype.
        lengths: instead of the profile's.
        dtypes: float64, float32.

    Raises:
        BadInput: an unknown profile, device, dtype or target, or a length below 2.
        Refused: the target has no network for every n, or its bound is not certified.
    """
    scale, where = _profile(profile), choose_device(device)
    lengths = sorted(set(lengths or scale.lengths))
    _check(lengths, dtypes)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    networks = {dtype: certified_network(target, eps, dtype, lengths[-1], seed) for dtype in dtypes}
    content: dict[str, Any] = {
        "target": next(iter(networks.values())).construction.target.name,
        "expression": next(iter(networks.values())).construction.target.text, "eps": eps, "profile": profile, "seed": seed,
        "device": where.type, "device_name": None if where.type == "cpu" else module_of(where).get_device_name(where),
        "threads": 1 if where.type == "cpu" else None, "load_average": load,
        "limits": {"seconds_a_call": scale.call_seconds, "bytes_a_call": _bytes_allowed(scale, where)},
        "peer": PEER, "contenders": CONTENDERS, "flops_counted_by": FLOPS_ARE,
        "memory_is": MEMORY_IS["cpu" if where.type == "cpu" else "cuda"],
        "seconds_are": SPREAD_IS, "break_even_is": BREAK_EVEN_IS,
        "networks": [network.to_json() for network in networks.values()],
        "rows": [], "fits": [], "break_even": [], "skipped": []}
    with one_thread() if where.type == "cpu" else contextlib.nullcontext(), little_garbage():
        for dtype, network in networks.items():
            run = _Run(network, scale, where, seed, content)
            for k, n in enumerate(lengths):
                report(f"{dtype}, n = {n:,}", k, len(lengths))
                run.at(n)
            run.conclude()
    return content


def certified_network(target: str, eps: str, dtype: str, longest: int, seed: int = 0) -> Network:
    """Build a network for every n and prove its bound; evaluation up to the longest length is inside it where that can be.

    Raises:
        Refused: there is no such network, or its bound is not certified.
    """
    reason = ""
    for n in (longest, None):  # the format may be too coarse for sums over the longest sequence: then the usual length
        request = Request(target, eps, n, method="sum-decomposition", architecture=",".join(HEADS), precision=dtype, seed=seed)
        try:
            outcome = pipeline.run(request, n, [], samples=0, device="cpu", report=silent)
        except Refused as refused:
            reason = str(refused)
            continue
        built = outcome.construction
        if not isinstance(built, ContinuousConstruction) or not built.every_n:
            raise Refused(f"bench compares one network at many lengths, and that of {built.target.name} is for n = "
                          f"{built.target.n} alone; targets made of means have one for every n")
        if isinstance(outcome.verdict, Certificate):
            return Network(built, outcome.verdict)
        reason = outcome.verdict.reason
    raise Refused(reason)


class _Run:
    """All architectures of one network, length by length."""

    def __init__(self, network: Network, scale: Profile, device: torch.device, seed: int, content: dict[str, Any]) -> None:
        self._network, self._scale, self._device, self._seed, self._content = network, scale, device, seed, content
        self._format = network.construction.number_format
        self._costs = {name: Costs() for name in CONTENDERS}
        self._common = {"dtype": self._format.name, "device": device.type}
        self._bytes = content["limits"]["bytes_a_call"]

    def at(self, n: int) -> None:
        """Measure what is affordable at one length."""
        tokens = self._tokens(n)
        reference = CompiledMeanSumformer(self._network.sumformer, self._device, torch.float64)(tokens.double())
        found: list[tuple[Contender, dict[str, Any]]] = []
        for name, costs in self._costs.items():
            self._glance(name, costs, n)
            reason = costs.no_memory or self._too_much(costs, n)
            if not reason:
                with _memory_errors(costs, n):
                    found.append(self._first_calls(name, n, tokens, reference))
                reason = costs.no_memory
            if reason:
                self._content["skipped"].append({"architecture": name, "n": n, **self._common, "reason": reason})
        wanted = [min(max(self._scale.fewest, int(self._scale.seconds / max(row["seconds"], 1e-9))), self._scale.most)
                  for _, row in found]
        calls = [lambda one=one: one.forward(tokens) for one, _ in found]
        for (one, row), spread in zip(found, interleaved(calls, wanted, self._device), strict=True):
            self._content["rows"].append(self._noted(one.name, row, spread))

    def _tokens(self, n: int) -> Tensor:
        """Draw one sequence of the target's domain."""
        generator = torch.Generator().manual_seed(self._seed)
        sides = self._network.construction.target.box.sides
        low, high = (torch.tensor([float(side[k]) for side in sides], dtype=torch.float64) for k in (0, 1))
        unit = torch.rand(1, n, len(sides), generator=generator, dtype=torch.float64)
        return (low + (high - low) * unit).to(self._device, torch_dtype(self._format))

    def _glance(self, name: str, costs: Costs, n: int) -> None:
        """Call an architecture once at each doubling on the way to n that is affordable: what n costs is then foreseen well."""
        while not costs.no_memory and (step := between(costs.lengths, n)) is not None and not self._too_much(costs, step):
            with _memory_errors(costs, step):
                call = partial(self._contender(name, step).forward, self._tokens(step))
                size = peak_bytes(call, self._device)
                costs.glimpses[step] = seconds_of(call, self._device), size

    def conclude(self) -> None:
        """Fit exponents and find break-even lengths."""
        peer = self._costs[PEER]
        for name, costs in self._costs.items():
            time, memory = exponent(costs.seconds), exponent(costs.bytes)
            self._content["fits"].append({
                "architecture": name, **self._common,
                "time_exponent": time and time.value, "time_exponent_error": time and time.error,
                "memory_exponent": memory and memory.value, "memory_exponent_error": memory and memory.error,
                "from_n": time and time.shortest, "to_n": time and time.longest})
            if name != PEER:
                crossing = break_even(costs.high, peer.low)  # cheaper beyond the spread of both
                self._content["break_even"].append({"architecture": name, **self._common, "n": crossing.n,
                                                    "at_most": crossing.at_most, "up_to": crossing.up_to})

    def _too_much(self, costs: Costs, n: int) -> str:
        seconds, size = costs.predicted(n)
        if size > self._bytes:
            return f"a call is predicted to need {size / GIB:.3g} GiB, more than the limit of {self._bytes / GIB:.3g} GiB"
        if seconds > self._scale.call_seconds:
            return f"a call is predicted to take {seconds:.2g} s, more than the limit of {self._scale.call_seconds:g} s"
        return ""

    def _first_calls(self, name: str, n: int, tokens: Tensor, reference: Tensor) -> tuple[Contender, dict[str, Any]]:
        """Build, see how much memory the first call takes, count, and take the time of a later one roughly.

        A network may keep its working memory from one call to the next: only the first call shows it.
        """
        one = self._contender(name, n)
        peak = peak_bytes(lambda: one.forward(tokens), self._device)
        flops, values = flops_of(lambda: one.forward(tokens))
        deviation = float((values.double() - reference).abs().max()) if one.same_function else None
        del values
        (first,) = interleaved([lambda: one.forward(tokens)], [1], self._device)
        return one, {"n_parameters": one.n_parameters, "flops": flops, "peak_bytes": peak, "max_deviation": deviation,
                     "n": n, "seconds": first.median}

    def _contender(self, name: str, n: int) -> Contender:
        return contender(name, self._network.sumformer, self._format, n, device=self._device, seed=self._seed)

    def _noted(self, name: str, row: dict[str, Any], spread: Spread) -> dict[str, Any]:
        n = row["n"]
        costs = self._costs[name]
        costs.seconds[n], costs.low[n], costs.high[n], costs.bytes[n] = spread.median, spread.low, spread.high, row["peak_bytes"]
        return {"architecture": name, **self._common, **row, "seconds": spread.median, "seconds_low": spread.low,
                "seconds_high": spread.high, "calls": spread.calls}


@contextlib.contextmanager
def _memory_errors(costs: Costs, n: int) -> Iterator[None]:
    """Turn a call that found no memory into a reason to stop."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) and "memory" not in str(error):
            raise
        costs.no_memory = f"a call at n = {n:,} found no memory"


def _bytes_allowed(scale: Profile, device: torch.device) -> int:
    """Return the profile's limit, or half of a GPU's free memory or of the machine's memory where that is less."""
    if device.type != "cpu":
        return min(scale.call_bytes, module_of(device).mem_get_info(device)[0] // 2)
    if not hasattr(os, "sysconf"):
        return scale.call_bytes
    return min(scale.call_bytes, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise BadInput(f"--profile {name!r}: {nearest(name, PROFILES)}")
    return PROFILES[name]


def _check(lengths: Sequence[int], dtypes: Sequence[str]) -> None:
    for n in lengths:
        if n < 2:
            raise BadInput(f"--lengths {n}: expected lengths of at least 2 tokens")
    for dtype in dtypes:
        if dtype not in FORMATS:
            raise BadInput(f"--dtype {dtype!r}: {nearest(dtype, FORMATS)}")

