"""Which device a command was asked to work on: refused at once where there is none, before anything heavy is imported."""

from __future__ import annotations

import sys
from typing import Any

from constructions.errors import BadInput


def check_device(device: str) -> None:
    """Refuse a device that is unknown or not there, by BadInput."""
    if device not in ("auto", "cpu", "cuda"):
        raise BadInput(f"--device {device!r}: expected auto, cpu or cuda")
    if device == "cuda":
        _refuse_without_driver()
        from proofs_check.witness import choose_device

        choose_device(device)


def accelerator(name: str) -> Any:
    """Return the device of that name, None for the processor; raises BadInput as :func:`check_device`."""
    if name == "cpu":
        return None
    check_device(name)
    from proofs_check.witness import choose_device

    device = choose_device(name)
    return None if device.type == "cpu" else device


def _refuse_without_driver() -> None:
    """Answer at once where there is no CUDA driver, without the seconds that importing torch takes."""
    import ctypes

    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        raise BadInput("--device cuda: no CUDA device is available here; use --device cpu or auto") from None
