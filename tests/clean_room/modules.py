"""The stored modules as attention networks: dense matrices, written out from docs/formats.md, in one number format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.clean_room.stored_files import Stored

Head = Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]


def softmax(scores: np.ndarray) -> np.ndarray:
    """By rows."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def transformer(X: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
    """softmax(X W_Q (X W_K)^T / sqrt(d_head)) X W_V."""
    Q, K = X @ w["W_Q"], X @ w["W_K"]
    return softmax(Q @ K.T / np.sqrt(X.dtype.type(Q.shape[1]))) @ (X @ w["W_V"])


def linformer(X: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
    """softmax(X W_Q (E X W_K)^T / sqrt(d_head)) F X W_V."""
    Q, K = X @ w["W_Q"], w["E"] @ (X @ w["W_K"])
    return softmax(Q @ K.T / np.sqrt(X.dtype.type(Q.shape[1]))) @ (w["F"] @ (X @ w["W_V"]))


def features(rows: np.ndarray, w: np.ndarray) -> np.ndarray:
    """k^(-1/2) e^(-|x|^2 / 2) (e^(w_1 . x), .., e^(w_k . x))."""
    return np.exp(rows @ w.T - (rows**2).sum(axis=-1, keepdims=True) / 2) / np.sqrt(rows.dtype.type(len(w)))


def performer(X: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
    """a(X W_Q) (a(X W_K)^T X W_V), without a normaliser."""
    return features(X @ w["W_Q"], w["w"]) @ (features(X @ w["W_K"], w["w"]).T @ (X @ w["W_V"]))


def performer_normalised(X: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
    """Row i divided by the i-th entry of a(X W_Q) (a(X W_K)^T 1)."""
    ones = np.ones((len(X), 1), X.dtype)
    normaliser = features(X @ w["W_Q"], w["w"]) @ (features(X @ w["W_K"], w["w"]).T @ ones)
    return performer(X, w) / normaliser


HEADS: dict[str, Head] = {"transformer": transformer, "linformer": linformer, "performer": performer,
                          "performer-normalised": performer_normalised}


class FeedForward:
    """act(X W_1) W_2, some units Heaviside with H(0) = 1, the others ReLU."""

    def __init__(self, channels: Sequence[str], dtype: Any) -> None:
        self.place = {name: k for k, name in enumerate(channels)}
        self.dtype = dtype
        self.incoming: list[np.ndarray] = []
        self.outgoing: list[np.ndarray] = []
        self.steps: list[bool] = []

    def unit(self, reads: dict[str, float], writes: dict[str, float], *, step: bool) -> None:
        """One hidden unit; a bias is what is read from the channel 1."""
        column, row = np.zeros(len(self.place), self.dtype), np.zeros(len(self.place), self.dtype)
        for vector, entries in ((column, reads), (row, writes)):
            for name, value in entries.items():
                vector[self.place[name]] += value
        self.incoming.append(column)
        self.outgoing.append(row)
        self.steps.append(step)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        if not self.steps:
            return np.zeros_like(X)
        hidden = X @ np.stack(self.incoming, axis=1)
        return np.where(self.steps, hidden >= 0, np.maximum(hidden, 0)).astype(self.dtype) @ np.stack(self.outgoing)


class Module:
    """One stored architecture; call it with tokens as rows, of shape (n, d), to get outputs of shape (n, d_out).

    A claim about every n is about any n; the stored head belongs to that of the plan.
    """

    def __init__(self, stored: Stored, name: str, dtype: Any = np.float64, n: int | None = None) -> None:
        entry = stored.network["architectures"][name]
        self.head, self.dtype, self.channels = HEADS[name], dtype, entry["channels"]
        own = {key.removeprefix(f"{name}."): array.astype(dtype) for key, array in stored.arrays.items()
               if key.startswith(f"{name}.")}
        self.embed, self.bias, self.readout = own["embed.weight"], own["embed.bias"], own["readout.weight"]
        steps = stored.network["format"] == "uat-network/1"
        self.blocks, pooling = (self._steps if steps else self._layers)(stored, entry)
        prefix = f"blocks.{pooling}.attention."
        self.attention = {key.removeprefix(prefix): array for key, array in own.items() if key.startswith(prefix)}
        if n is not None and n != stored.plan["n"]:
            self._move_to(name, n)
        self.pooling = pooling

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        X = tokens.astype(self.dtype) @ self.embed + self.bias
        for number, block in enumerate(self.blocks):
            X = X + block(X + self.head(X, self.attention) if number == self.pooling else X)
        return X @ self.readout

    def _move_to(self, name: str, n: int) -> None:
        """The head for another length, where the claim is about every one: its 1/n, and the columns of E and F."""
        head = self.attention
        if name == "linformer":
            head |= {"E": np.ones((len(head["E"]), n), self.dtype), "F": np.full((len(head["F"]), n), 1 / n, self.dtype)}
        if name == "performer":
            head["W_V"] = np.where(head["W_V"] != 0, 1 / n, 0).astype(self.dtype)

    def _steps(self, stored: Stored, entry: dict[str, Any]) -> tuple[list[FeedForward], int]:
        blocks = []
        for block in entry["blocks"]:
            dense = FeedForward(self.channels, self.dtype)
            for i in block["steps"]:
                node = stored.network["nodes"][i]
                thresholds, values = stored.arrays[f"nodes.{i}.thresholds"], stored.arrays[f"nodes.{i}.values"]
                for threshold, jump in zip(thresholds, np.diff(values, axis=0), strict=True):
                    dense.unit(dict(node["reads"]) | {"1": -threshold}, dict(zip(node["writes"], jump, strict=True)), step=True)
                dense.unit({"1": 1}, dict(zip(node["writes"], values[0], strict=True)), step=True)
            for name in block["carries"]:
                dense.unit({name: 1}, {name: 1}, step=False)
            blocks.append(dense)
        return blocks, [block["attention"] for block in entry["blocks"]].index(True)

    def _layers(self, stored: Stored, entry: dict[str, Any]) -> tuple[list[FeedForward], int]:
        blocks = {}
        for part in ("phi", "psi"):
            blocks[part] = [self._layer(stored, f"{part}.{i}", layer) for i, layer in enumerate(stored.network[part])]
        pool = FeedForward(self.channels, self.dtype)
        for name in stored.network["pooled"]:
            for sign in (1, -1):  # t = relu(t) - relu(-t)
                pool.unit({f"mean.{name}": sign}, {f"mean.{name}": sign}, step=False)
        return [*blocks["phi"], pool, *blocks["psi"]], entry["pooling_block"]

    def _layer(self, stored: Stored, name: str, entry: dict[str, Any]) -> FeedForward:
        W_1, bias, W_2 = (stored.arrays[f"{name}.{part}"] for part in ("W_1", "bias", "W_2"))
        dense = FeedForward(self.channels, self.dtype)
        for u, constant in enumerate(bias):
            dense.unit(dict(zip(entry["reads"], W_1[:, u], strict=True)) | {"1": constant},
                       dict(zip(entry["writes"], W_2[u], strict=True)), step=False)
        return dense
