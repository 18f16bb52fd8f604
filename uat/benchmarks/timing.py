"""Time, memory and FLOPs of one call, by the same code on a processor and on a GPU."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from proofs_check.devices import module_of, wait

Call = Callable[[], Any]
FLOPS_ARE = "torch.utils.flop_counter: matrix products and attention, 2 a multiply-add; elementwise operations are not counted"
MEMORY_IS = {"cpu": "largest sum of torch's allocations during the first call (torch.profiler), output included",
             "cuda": "torch.cuda.max_memory_allocated during the first call less what was allocated before"}
SPREAD_IS = "seconds: median of the calls; seconds_low, seconds_high: their quartiles"


@dataclass(frozen=True)
class Spread:
    """Seconds of a call: the median of several and their quartiles."""

    median: float
    low: float
    high: float
    calls: int


def interleaved(calls: Sequence[Call], repetitions: Sequence[int], device: torch.device) -> list[Spread]:
    """Time calls in turn, each as often as asked, so that what slows the machine for a while slows all of them."""
    seen: list[list[float]] = [[] for _ in calls]
    for turn in range(max(repetitions, default=0)):
        for call, times, wanted in zip(calls, seen, repetitions, strict=True):
            if turn < wanted:
                times.append(seconds_of(call, device))
    return [_spread(times) for times in seen]


def _spread(times: Sequence[float]) -> Spread:
    low, median, high = np.quantile(times, (0.25, 0.5, 0.75))
    return Spread(float(median), float(low), float(high), len(times))


def seconds_of(call: Call, device: torch.device) -> float:
    """Return the seconds of one call, until a GPU is done with it."""
    wait(device)
    start = time.perf_counter()
    call()
    wait(device)
    return time.perf_counter() - start


def flops_of(call: Call) -> tuple[int, Any]:
    """Return the FLOPs of a call as torch's counter sees them, and the call's value."""
    # torch 2.13 counts the fused attention of a GPU and not that of a processor
    fused: dict[Any, Any] = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}
    with FlopCounterMode(display=False, custom_mapping=fused) as counter:
        value = call()
    return int(counter.get_total_flops()), value


def _attention_flops(Q: Any, K: Any, V: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(Q, K, V))  # type: ignore[no-untyped-call]  # torch leaves it unannotated


@contextlib.contextmanager
def little_garbage() -> Iterator[None]:
    """Leave what exists now out of every later collection: one is due before each call whose memory is looked at."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def peak_bytes(call: Call, device: torch.device) -> int:
    """Return how much more memory torch holds at the worst moment of a call than before it."""
    if device.type != "cpu":
        memory = module_of(device)
        wait(device)
        memory.reset_peak_memory_stats(device)
        before = memory.memory_allocated(device)
        call()
        wait(device)
        return int(memory.max_memory_allocated(device) - before)
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler writes to stderr otherwise
    gc.collect()  # what it would free during the call is none of the call's, and the profiler complains of it
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        kept = call()
    del kept  # held so far, as a caller would
    events = profile.profiler.kineto_results.events() if profile.profiler and profile.profiler.kineto_results else []
    memory = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return max(0, int(np.cumsum([size for _, size in memory]).max(initial=0)))
