"""What is asked of a device itself: to be done with its work, how much memory it has."""

from __future__ import annotations

from typing import Any

import torch


def module_of(device: torch.device) -> Any:
    """Return the part of torch that knows a device which is no processor, ``torch.cuda`` for a GPU."""
    return getattr(torch, device.type)


def wait(device: torch.device) -> None:
    """Wait until a device is done: its operations are only queued when a call returns."""
    if device.type != "cpu":
        module_of(device).synchronize(device)
