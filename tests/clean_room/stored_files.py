"""The files of a run directory as exact numbers: json, the bytes of safetensors, hashes."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

# What docs/formats.md lists; the certificate has the SHA-256 of all but itself.
HASHED = ("weights.safetensors", "exact.json", "network.json", "plan.json")


@dataclass(frozen=True)
class Stored:
    """A run directory: arrays of float64 or, for what float64 cannot hold, of Fractions; the rest as json gives it."""

    arrays: dict[str, np.ndarray]
    network: dict[str, Any]
    plan: dict[str, Any]
    certificate: dict[str, Any]

    @property
    def bound(self) -> Fraction:
        """What the certificate claims of ||f - T||, T over the reals, for every network that it names."""
        return Fraction(self.certificate["bound"])

    @property
    def sides(self) -> list[tuple[Fraction, Fraction]]:
        """The interval of each coordinate of a token, the position among them."""
        return [(Fraction(lower), Fraction(upper)) for lower, upper in self.certificate["claim"]["domain"]]

    def evaluation(self) -> Fraction:
        """What the certificate allows floating point to differ from the reals."""
        return sum((Fraction(step["bound"]) for step in self.certificate["budget"] if step["step"] == "evaluation"), Fraction(0))


def read(folder: Path) -> Stored:
    """All files of a run directory.

    Raises:
        ValueError: a file is not the one that the certificate was written about, or an array is stored twice.
    """
    certificate = json.loads((folder / "certificate.json").read_text())
    for name in HASHED:
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != certificate["sha256"][name]:
            raise ValueError(f"{name} is not what the certificate is about")
    undigested = {key: value for key, value in certificate.items() if key != "digest"}
    # Separators ", " and ": ", UTF-8 without escapes.
    if hashlib.sha256(json.dumps(undigested, sort_keys=True, ensure_ascii=False).encode()).hexdigest() != certificate["digest"]:
        raise ValueError("certificate.json is not what was written")
    arrays = read_safetensors((folder / "weights.safetensors").read_bytes())
    exact = json.loads((folder / "exact.json").read_text())
    if twice := arrays.keys() & exact.keys():
        raise ValueError(f"stored twice: {sorted(twice)}")
    for name, entry in exact.items():
        arrays[name] = np.array([Fraction(text) for text in entry["values"]], dtype=object).reshape(entry["shape"])
    return Stored(arrays, json.loads((folder / "network.json").read_text()), json.loads((folder / "plan.json").read_text()),
                  certificate)


def read_safetensors(raw: bytes) -> dict[str, np.ndarray]:
    """The format itself: 8 bytes of length, a json header, then the arrays, little endian, rows first."""
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    data = raw[8 + length:]
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F64":
            raise ValueError(f"{name} is {entry['dtype']}, and all arrays of a run are float64")
        begin, end = entry["data_offsets"]
        arrays[name] = np.frombuffer(data[begin:end], dtype="<f8").reshape(entry["shape"])
    return arrays


def fractions(array: np.ndarray) -> list[Any]:
    """Nested lists of the exact numbers that an array holds."""
    exact = np.array([Fraction(value) for value in array.ravel().tolist()], dtype=object)
    return exact.reshape(array.shape).tolist()
