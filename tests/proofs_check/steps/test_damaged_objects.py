"""The checks of what is built notice when it is built wrong: a step is refuted if the construction under it is damaged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from constructions.encodings import Code
from constructions.network import Node, Staircase
from constructions.network.relu import MeanSumformer
from constructions.sumformers.power_sums import Form
from proofs_check.kernel import Status
from proofs_check.modulus import ModulusCheck
from proofs_check.proof import given_for, run_step
from proofs_check.steps import all_steps

Replace = Callable[[Any], Any]  # from what is built to something wrong in its place
DAMAGES: list[Any] = []


def damaged(step: str, name: str) -> Callable[[Replace], Replace]:
    """Register a replacement of ``name`` in the module of a step."""
    def register(replace: Replace) -> Replace:
        sentence = replace.__name__.strip("_").replace("_", " ")  # type: ignore[attr-defined]
        DAMAGES.append(pytest.param(step, name, replace, id=f"{step}: {sentence}"))
        return replace
    return register


def after(change: Callable[[Any], Any]) -> Replace:
    """Return the replacement that calls the original and changes what it returns."""
    return lambda original: lambda *arguments, **options: change(original(*arguments, **options))


def louder(sumformer: MeanSumformer) -> MeanSumformer:
    return dataclasses.replace(sumformer, W_out=sumformer.W_out * 1.25, b_out=sumformer.b_out + 0.125)


def heavier(head: type[Any], name: str) -> type[Any]:
    """Return a head whose weight array is half as large again."""
    class Heavier(head):  # type: ignore[misc]
        def weights(self, *arguments: Any, **options: Any) -> dict[str, np.ndarray]:
            arrays: dict[str, np.ndarray] = super().weights(*arguments, **options)
            return {**arrays, name: arrays[name] * 1.5}
    return Heavier


@damaged("quantiser-covers", "quantiser_nodes")
def thresholds_belong_to_the_cell_below(original: Any) -> Any:
    def late(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple(Node(n.reads, Staircase(np.nextafter(n.table.thresholds, 9), n.table.values), n.writes) for n in nodes)
    return after(late)(original)


@damaged("piecewise-constant-error", "cells_needed")
def one_cell_more_than_needed(original: Any) -> Any:
    return after(lambda N: N + 1)(original)


@damaged("sum-code-injective", "bose_chowla")
def a_code_of_consecutive_numbers(original: Any) -> Any:
    return lambda K, n: Code("bose-chowla", n, np.array([[z] for z in range(K)], dtype=object))


@damaged("decode-left-inverse", "decoder_nodes")
def two_multisets_are_swapped(original: Any) -> Any:
    return after(lambda built: (built[0], np.concatenate([built[1][1::-1], built[1][2:]])))(original)


@damaged("grid-sumformer", "construct")
def the_table_claims_to_be_exact(original: Any) -> Any:
    return after(lambda built: dataclasses.replace(built, value_radius=Fraction(0)))(original)


@damaged("power-sums-generate", "sharpened")
@damaged("semi-invariant-form", "sharpened")
def a_coefficient_is_off(original: Any) -> Any:
    return after(lambda form: Form({key: c + Fraction(1, 9) for key, c in form.terms.items()}, form.others))(original)


@damaged("latent-dimension", "multi_indices")
def an_index_is_missing(original: Any) -> Any:
    return after(lambda indices: indices[:-1])(original)


@damaged("polynomial-density", "bernstein_degree")
def a_degree_too_low(original: Any) -> Any:
    return after(lambda N: N - 1)(original)


@damaged("figure-2-target", "resolve")
def another_target(original: Any) -> Any:
    from constructions.targets.library import resolve

    return lambda name, *, d, **options: resolve("x*mean(y)" if d == 1 else f"({', '.join(f'x[{c}]' for c in range(d))})",
                                                 d=d, **options)


@damaged("modulus", "check_lipschitz")
def everything_is_certified(original: Any) -> Any:
    return lambda *arguments, **options: ModulusCheck("certified", Fraction(1), 1)


@damaged("sum-decomposition", "construct_continuous")
@damaged("theorem-sumformer", "construct_continuous")
def outputs_are_a_quarter_too_large(original: Any) -> Any:
    return after(lambda built: dataclasses.replace(
        built, compiled=dataclasses.replace(built.compiled, sumformer=louder(built.sumformer))))(original)


@damaged("interpolation-error", "interpolate")
def a_table_is_shifted_by_its_tolerance(original: Any) -> Any:
    return after(lambda table: dataclasses.replace(table, base=table.base + 1e-3))(original)


@damaged("square-sawtooth", "Square")
def a_fold_is_missing(original: Any) -> Any:
    return lambda folds: original(folds=max(1, folds - 1))


@damaged("linformer-pooling", "LinformerHead")
@damaged("printed-linformer-k", "LinformerHead")
def F_is_half_as_large_again(original: Any) -> Any:
    return heavier(original, "F")


@damaged("softmax-pooling", "SoftmaxHead")
@damaged("performer-pooling", "PerformerHead")
@damaged("performer-pooling", "NormalisedPerformerHead")
def W_V_is_half_as_large_again(original: Any) -> Any:
    return heavier(original, "W_V")


@damaged("residual-layout", "assemble_mean")
def the_readout_is_half_as_large_again(original: Any) -> Any:
    return after(lambda network: dataclasses.replace(network, W_out=network.W_out * 1.5))(original)


@damaged("lower-bounds", "linear_pieces")
def a_kink_is_overlooked(original: Any) -> Any:
    return after(lambda pieces: dataclasses.replace(pieces, ends=(Fraction(0), Fraction(1)), lines=pieces.lines[:1]))(original)


@damaged("soft-histogram", "tensor_hat")
def hats_of_the_minimum(original: Any) -> Any:
    from proofs_check.steps.soft_histogram import min_hat

    return min_hat


@damaged("order-statistics", "estimate")
def the_next_larger_token(original: Any) -> Any:
    return lambda X, m, N: original(X, max(m - 1, 1), N)


@damaged("order-statistics", "Group")
def a_token_too_many_at_the_lower_end(original: Any) -> Any:
    return lambda count, full, part: original(count if full or part else count + 1, full, part)


@damaged("step-network", "Staircase")
def thresholds_on_the_integers(original: Any) -> Any:
    return lambda thresholds, values: original(thresholds + Fraction(1, 2), values)


@damaged("printed-latent-dimension", "sharpened_dimension")
def an_index_too_many(original: Any) -> Any:
    return after(lambda d_latent: d_latent + 1)(original)


@damaged("positional-encoding", "Target")
def positions_begin_with_0(original: Any) -> Any:
    class Positions:
        @staticmethod
        def from_text(text: str, **options: Any) -> Any:
            return original.from_text(text.replace("i/n", "(i-1)/n"), **options)
    return Positions


@damaged("universal-pooling", "mixers")
def the_factor_of_the_global_token_is_forgotten(original: Any) -> Any:
    class Mixers:
        def __getattr__(self, name: str) -> Any:
            if name == "global_token":
                return lambda v: [x * len(v) / (len(v) + 1) for x in original.global_token(v)]
            return getattr(original, name)
    return Mixers()


@damaged("planar-average", "hat")
def hats_with_two_hinges(original: Any) -> Any:
    return lambda x, y: max(1 - max(-x, Fraction(0)) - max(y, Fraction(0)), Fraction(0))


@damaged("planar-average", "around")
def the_ring_around_a_triangle_is_forgotten(original: Any) -> Any:
    return lambda triangle, orientation: set(triangle)


@pytest.mark.parametrize(("step", "name", "replace"), DAMAGES)
def test_a_wrong_construction_is_noticed(step: str, name: str, replace: Replace, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(f"proofs_check.steps.{step.replace('-', '_')}")
    monkeypatch.setattr(module, name, replace(getattr(module, name)))
    result = run_step(all_steps()[step], given_for(all_steps()[step]))
    assert not result.crashed, [check.what for check in result.checks]
    assert result.status in (Status.REFUTED, Status.UNDECIDED)


def test_figure_2_is_not_refuted_by_features_that_are_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    step, module = all_steps()["printed-figure-2"], import_module("proofs_check.steps.figure_2_target")
    monkeypatch.setattr(module, "STEP", dataclasses.replace(module.STEP, constants={"factor": 2}))
    assert run_step(step, given_for(step)).status is Status.UNDECIDED
