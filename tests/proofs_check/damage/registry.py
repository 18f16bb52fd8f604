"""Registers of damages and harmless changes, and ways to reach into a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from constructions.encodings.multisets import multisets
from proofs_check.run_files import RunFiles

Damage = Callable[[RunFiles], None]
MUTATIONS: list[Any] = []
HARMLESS: list[Any] = []
ALL = ("transformer", "linformer", "performer", "performer-normalised")
POOL = "blocks.2.attention"  # of the runs in one coordinate: quantise, encode, pool and rank, look up


def damaged(name: str, *sentences: str) -> Callable[[Damage], Damage]:
    """Register a way to damage the named run; its function's name is the sentence unless others are given."""
    def register(damage: Damage) -> Damage:
        MUTATIONS.append(pytest.param(name, damage, id=f"{name}: " + (sentences[0] if sentences else _sentence(damage))))
        return damage
    return register


def harmless(name: str) -> Callable[[Damage], Damage]:
    """Register a change that leaves the function and so the certificate as they were."""
    def register(change: Damage) -> Damage:
        HARMLESS.append(pytest.param(name, change, id=f"{name}: {_sentence(change)}"))
        return change
    return register


def _sentence(damage: Damage) -> str:
    return str(damage.__name__).replace("_", " ")  # type: ignore[attr-defined]


def node_of(run: RunFiles, channel: str) -> int:
    """Return the number of the node that writes a channel."""
    return next(i for i, node in enumerate(run.network["nodes"]) if channel in node["writes"])


def values(run: RunFiles, channel: str) -> np.ndarray:
    return np.asarray(run.arrays[f"nodes.{node_of(run, channel)}.values"])


def thresholds(run: RunFiles, channel: str) -> np.ndarray:
    return np.asarray(run.arrays[f"nodes.{node_of(run, channel)}.thresholds"])


def reads(run: RunFiles, channel: str) -> list[list[Any]]:
    return list_of(run.network["nodes"][node_of(run, channel)]["reads"])


def list_of(entry: Any) -> list[Any]:
    assert isinstance(entry, list)
    return entry


def blocks(run: RunFiles, architecture: str) -> list[dict[str, Any]]:
    return list_of(run.network["architectures"][architecture]["blocks"])


def rank_sums(run: RunFiles) -> np.ndarray:
    """Return the sums of the codes of the others that occur, increasing."""
    codes = values(run, "phi.0")[:, 0]
    return np.unique(codes[multisets(len(codes), run.network["n"] - 1)].sum(axis=1))
