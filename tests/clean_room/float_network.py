"""The same networks in float64, for batches of sequences: to look for bad places, never to judge one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.clean_room.stored_files import Stored

Streams = dict[str, np.ndarray]


class FloatNetwork:
    """T at one token, and where its hidden units bend or jump; tokens have the shape (batch, n, d)."""

    def __init__(self, stored: Stored) -> None:
        self.network, self.arrays = stored.network, stored.arrays
        self.steps = self.network["format"] == "uat-network/1"

    def __call__(self, tokens: np.ndarray, own: int) -> np.ndarray:
        """Outputs, (batch, d_out)."""
        return self._run(tokens, own)[0]

    def bends(self, tokens: np.ndarray, own: int) -> np.ndarray:
        """The argument of every hidden ReLU unit, (batch, units): phi of all tokens, then psi of the own one."""
        return self._run(tokens, own)[1]

    def _run(self, tokens: np.ndarray, own: int) -> tuple[np.ndarray, np.ndarray]:
        return (self._run_steps if self.steps else self._run_layers)(tokens, own)

    def _run_steps(self, tokens: np.ndarray, own: int) -> tuple[np.ndarray, np.ndarray]:
        phi = self.network["phi"]
        stream = {f"x.{c}": tokens[..., c] for c in range(tokens.shape[-1])}
        for i in range(phi["nodes"]):
            self._node(stream, i)
        stream = {name: values[:, own] for name, values in stream.items()} | {
            f"sigma.{r}": stream[name].sum(axis=1) for r, name in enumerate(phi["outputs"])}
        for i in range(phi["nodes"], len(self.network["nodes"])):
            self._node(stream, i)
        return np.stack([stream[name] for name in self.network["outputs"]], axis=-1), np.zeros((len(tokens), 0))

    def _node(self, stream: Streams, i: int) -> None:
        node = self.network["nodes"][i]
        t = sum(coefficient * stream[name] for name, coefficient in node["reads"])
        thresholds, values = (self.arrays[f"nodes.{i}.{part}"].astype(float) for part in ("thresholds", "values"))
        found = values[np.searchsorted(thresholds, t, side="right")]
        stream |= {name: found[..., k] for k, name in enumerate(node["writes"])}

    def _run_layers(self, tokens: np.ndarray, own: int) -> tuple[np.ndarray, np.ndarray]:
        stream = {name: tokens[..., c] for c, name in enumerate(self.network["tokens"])}
        bends = []
        for i, layer in enumerate(self.network["phi"]):
            bends.append(self._layer(stream, f"phi.{i}", layer).reshape(len(tokens), -1))
        zero = np.zeros(tokens.shape[:2])
        means = {f"mean.{name}": stream.get(name, zero).mean(axis=1) for name in self.network["pooled"]}
        stream = {name: values[:, own] for name, values in stream.items()} | means
        for i, layer in enumerate(self.network["psi"]):
            bends.append(self._layer(stream, f"psi.{i}", layer))
        read = self._columns(stream, self.network["readout"])
        return read @ self.arrays["readout.W_out"] + self.arrays["readout.b_out"], np.concatenate([zero[:, :0], *bends], axis=1)

    def _layer(self, stream: Streams, name: str, entry: Mapping[str, Any]) -> np.ndarray:
        W_1, bias, W_2 = (self.arrays[f"{name}.{part}"] for part in ("W_1", "bias", "W_2"))
        t = self._columns(stream, entry["reads"]) @ W_1 + bias
        added = np.maximum(t, 0) @ W_2
        for k, channel in enumerate(entry["writes"]):
            stream[channel] = stream.get(channel, 0) + added[..., k]
        return np.asarray(t)

    @staticmethod
    def _columns(stream: Streams, names: list[str]) -> np.ndarray:
        some = next(iter(stream.values()))
        columns = [stream.get(name, np.zeros(some.shape)) for name in names]
        return np.stack(columns, axis=-1) if columns else np.zeros((*some.shape, 0))
