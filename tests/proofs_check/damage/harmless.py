"""Changes that leave the function as it was."""

from __future__ import annotations

import numpy as np

from proofs_check.run_files import RunFiles
from tests.proofs_check.damage.blocks import _rank_one_block_later, _renumbered
from tests.proofs_check.damage.claims import claim
from tests.proofs_check.damage.pooling import _linformer
from tests.proofs_check.damage.registry import ALL, POOL, blocks, harmless, rank_sums, thresholds


@harmless("product")
def the_carry_of_sigma_is_dropped_where_nothing_reads_it_later(run: RunFiles) -> None:
    for architecture in ALL:
        assert blocks(run, architecture)[2]["carries"] == ["sigma.0"]
        blocks(run, architecture)[2]["carries"] = []


@harmless("product")
def sigma_is_carried_and_ranked_one_block_later(run: RunFiles) -> None:
    for architecture in ALL:
        _renumbered(run, architecture, [0, 1, 2, 3])
        _rank_one_block_later(run, architecture)


@harmless("product")
def only_W_K_of_the_normalised_performer_is_0_and_queries_are_moderate(run: RunFiles) -> None:
    run.arrays[f"performer-normalised.{POOL}.W_Q"][0] = 0.05


@harmless("product")
def only_W_Q_of_transformer_and_linformer_is_0(run: RunFiles) -> None:
    for architecture in ("transformer", "linformer"):
        run.arrays[f"{architecture}.{POOL}.W_K"][1] = 3.5


@harmless("product")
def the_factor_of_the_linformer_is_moved_from_W_V_to_F(run: RunFiles) -> None:
    _linformer(run, "F")[:] *= 4
    _linformer(run, "W_V")[:] /= 4


@harmless("product")
def the_slots_of_the_linformer_share_the_work_unevenly(run: RunFiles) -> None:
    F = _linformer(run, "F")
    F[0], F[1] = 0.5, 1.5


@harmless("product")
def E_is_anything_of_its_shape(run: RunFiles) -> None:
    _linformer(run, "E")[:] = np.arange(6.0).reshape(2, 3)


@harmless("product")
def features_are_any_other_draw(run: RunFiles) -> None:
    run.arrays[f"performer.{POOL}.w"][:] = -3.25


@harmless("product")
def the_value_radius_and_the_bound_are_larger(run: RunFiles) -> None:
    run.plan["value_radius"], claim(run)["bound"] = "1/100", "1/4"  # type: ignore[index]


@harmless("product")
def a_rank_threshold_is_moved_within_its_gap(run: RunFiles) -> None:
    sums, cuts = rank_sums(run), thresholds(run, "rank.0")
    cuts[4] = sums[5]  # H(0) = 1: still the same ranks of exact sums
    cuts[4] -= 0.5
