"""Damage to the pooling heads."""

from __future__ import annotations

import numpy as np

from proofs_check.run_files import RunFiles
from tests.proofs_check.damage.registry import ALL, POOL, damaged


def routed(weight: np.ndarray) -> tuple[int, int]:
    (place,) = np.argwhere(weight).tolist()
    return int(place[0]), int(place[1])


def _pooling_damage(architecture: str) -> None:
    def head(run: RunFiles, key: str) -> np.ndarray:
        return np.asarray(run.arrays[f"{architecture}.{POOL}.{key}"])

    @damaged("product", f"{architecture} W_V is scaled by 1 + 2^-50")
    def scaled(run: RunFiles) -> None:
        head(run, "W_V")[:] *= 1 + 2.0**-50

    @damaged("product", f"{architecture} W_V is 0")
    def zero(run: RunFiles) -> None:
        head(run, "W_V")[:] = 0

    @damaged("product", f"{architecture} W_V is negated")
    def negated(run: RunFiles) -> None:
        head(run, "W_V")[:] *= -1

    @damaged("product", f"{architecture} W_V leaks 1e-300 of the token into the table")
    def leaks(run: RunFiles) -> None:
        head(run, "W_V")[1, -1] = 1e-300

    @damaged("product", f"{architecture} W_V sums phi into the channel of 1")
    def misrouted(run: RunFiles) -> None:
        weight = head(run, "W_V")
        i, j = routed(weight)
        weight[i, 0], weight[i, j] = weight[i, j], 0

    @damaged("product", f"{architecture} W_V is transposed")
    def transposed(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_V"] = head(run, "W_V").T.copy()  # type: ignore[index]

    @damaged("product", f"{architecture} W_V is one channel narrower than the stream")
    def narrow(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_V"] = head(run, "W_V")[:-1, :-1].copy()  # type: ignore[index]

    @damaged("product", f"{architecture} W_Q and W_K are both not 0")
    def attends(run: RunFiles) -> None:
        head(run, "W_Q")[1], head(run, "W_K")[1] = 1.0, 1.0

    @damaged("product", f"{architecture} W_Q and W_K are both 1e-300 somewhere")
    def attends_a_little(run: RunFiles) -> None:
        head(run, "W_Q")[1], head(run, "W_K")[2] = 1e-300, 1e-300

    @damaged("product", f"{architecture} W_Q and W_K have no columns, so scores would be 0 / sqrt(0)")
    def headless(run: RunFiles) -> None:
        for key in ("W_Q", "W_K"):
            run.arrays[f"{architecture}.{POOL}.{key}"] = head(run, key)[:, :0].copy()  # type: ignore[index]
        if "w" in _keys(run, architecture):
            run.arrays[f"{architecture}.{POOL}.w"] = head(run, "w")[:, :0].copy()  # type: ignore[index]

    @damaged("product", f"{architecture} W_K has another number of columns than W_Q")
    def columns(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_K"] = np.zeros((len(head(run, "W_K")), 2))  # type: ignore[index]

    @damaged("product", f"{architecture} W_Q has another number of rows than the stream")
    def rows(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_Q"] = head(run, "W_Q")[:-1].copy()  # type: ignore[index]

    @damaged("product", f"{architecture} W_V is missing")
    def missing(run: RunFiles) -> None:
        del run.arrays[f"{architecture}.{POOL}.W_V"]  # type: ignore[attr-defined]

    @damaged("product", f"{architecture} stores an output matrix that its formula does not have")
    def output_matrix(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_O"] = np.zeros((7, 7))  # type: ignore[index]

    @damaged("product", f"{architecture} stores attention weights in a block without attention")
    def stray(run: RunFiles) -> None:
        run.arrays[f"{architecture}.blocks.0.attention.W_V"] = head(run, "W_V").copy()  # type: ignore[index]


def _keys(run: RunFiles, architecture: str) -> set[str]:
    prefix = f"{architecture}.{POOL}."
    return {key.removeprefix(prefix) for key in run.arrays if key.startswith(prefix)}


def _linformer(run: RunFiles, key: str) -> np.ndarray:
    return np.asarray(run.arrays[f"linformer.{POOL}.{key}"])


@damaged("product")
def F_is_scaled_by_n_over_k_as_in_the_printed_construction(run: RunFiles) -> None:
    _linformer(run, "F")[:] *= 3 / 2


@damaged("product")
def one_column_of_F_is_changed(run: RunFiles) -> None:
    _linformer(run, "F")[:, 1] += 0.5


@damaged("product")
def one_entry_of_F_is_changed_in_the_last_bit(run: RunFiles) -> None:
    _linformer(run, "F")[1, 1] += 2.0**-52


@damaged("product")
def the_slots_of_F_are_huge_and_cancel_which_floats_cannot(run: RunFiles) -> None:
    F = _linformer(run, "F")
    F[0], F[1] = 2.0**52, 2.0 - 2.0**52


@damaged("product")
def E_has_another_shape(run: RunFiles) -> None:
    run.arrays[f"linformer.{POOL}.E"] = np.ones((3, 3))  # type: ignore[index]


@damaged("product")
def E_and_F_are_for_a_longer_sequence(run: RunFiles) -> None:
    for key in ("E", "F"):
        run.arrays[f"linformer.{POOL}.{key}"] = np.ones((2, 4))  # type: ignore[index]


@damaged("product")
def E_and_F_have_no_slots(run: RunFiles) -> None:
    for key in ("E", "F"):
        run.arrays[f"linformer.{POOL}.{key}"] = np.ones((0, 3))  # type: ignore[index]


@damaged("product")
def only_W_Q_of_the_printed_performer_is_0(run: RunFiles) -> None:
    run.arrays[f"performer.{POOL}.W_K"][1] = 0.5


@damaged("product")
def only_W_K_of_the_printed_performer_is_0(run: RunFiles) -> None:
    run.arrays[f"performer.{POOL}.W_Q"][1] = 0.5


@damaged("product")
def only_W_Q_of_the_normalised_performer_is_0(run: RunFiles) -> None:
    run.arrays[f"performer-normalised.{POOL}.W_K"][1] = 0.5


@damaged("product")
def queries_of_the_normalised_performer_are_so_large_that_its_kernel_underflows(run: RunFiles) -> None:
    run.arrays[f"performer-normalised.{POOL}.W_Q"][:] = 1e3


@damaged("product")
def features_have_two_columns_for_one_query_column(run: RunFiles) -> None:
    run.arrays[f"performer.{POOL}.w"] = np.ones((4, 2))  # type: ignore[index]


@damaged("product")
def there_are_no_features(run: RunFiles) -> None:
    run.arrays[f"performer-normalised.{POOL}.w"] = np.ones((0, 1))  # type: ignore[index]


@damaged("product")
def a_query_weight_is_so_large_that_scores_overflow(run: RunFiles) -> None:
    run.arrays[f"transformer.{POOL}.W_Q"][:] = 1e300


@damaged("float32")
def factors_that_float32_cannot_hold_cancel_in_the_linformer(run: RunFiles) -> None:
    _linformer(run, "F")[:] *= 2.0**-150
    _linformer(run, "W_V")[:] *= 2.0**150


@damaged("float32")
def a_key_weight_overflows_in_float32(run: RunFiles) -> None:
    run.arrays[f"transformer.{POOL}.W_K"][:] = 2.0**150


@damaged("vast")
def keys_meet_tokens_so_large_that_float32_gives_infinity_times_zero(run: RunFiles) -> None:
    run.arrays[f"transformer.{POOL}.W_K"][:] = 2.0**29


for _architecture in ALL:
    _pooling_damage(_architecture)
