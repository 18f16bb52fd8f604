"""What the memory of a device can do, measured: the yardstick for how fast a search reads tokens."""

from __future__ import annotations

import time

import torch

from proofs_check.devices import wait

COPIED = 2**26  # bytes: more than a processor's caches hold


def copy_bandwidth(device: torch.device, repetitions: int = 3) -> float:
    """Return bytes a second that are read when a large array is copied on the device (as many are written besides)."""
    source = torch.ones(COPIED // 8, dtype=torch.float64, device=device)
    target = torch.empty_like(source)
    fastest = float("inf")
    for _ in range(repetitions + 1):  # the first touches the pages
        wait(device)
        start = time.perf_counter()
        target.copy_(source)
        wait(device)
        fastest = min(fastest, time.perf_counter() - start)
    return COPIED / fastest
