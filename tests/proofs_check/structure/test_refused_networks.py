"""Networks that are not what they seem are not read: channels changed after use, names twice, weights that are no numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from proofs_check.structure.reading import NotUnderstood
from tests.proofs_check.structure.handmade import COPY, HELD, MEAN, TOKEN, Unit, bounded, form, layer, sumformer


@pytest.mark.parametrize("change", [({"x.0": 0.0}, 1.0, {"mean.c": 1.0}), ({"x.0": 1.0}, 0.0, {"c": -1.0}),
                                    ({"x.0": 1.0}, 0.0, {"x.0": 1.0})])
def test_channels_may_not_be_added_to_after_they_were_used(change: Unit) -> None:
    network = sumformer([COPY], ["c"], [layer(change)], {"mean.c": 1.0, "c": 0.0})
    with pytest.raises(NotUnderstood, match="is changed after it was read"):
        bounded(network, "mean(y)", [TOKEN, HELD, MEAN], form({"m": 1}))


def test_phi_may_not_add_to_the_token() -> None:
    network = sumformer([layer(({"x.0": 0.0}, 1.0, {"x.0": 1.0}))], [], [], {"x.0": 1.0})
    with pytest.raises(NotUnderstood, match=r"x\.0 is changed"):
        bounded(network, "x", [TOKEN], form({"own": 1}))


def test_a_mean_may_not_have_the_name_of_a_channel_of_phi() -> None:
    network = sumformer([layer(({"x.0": 1.0}, 0.0, {"c": 1.0, "mean.c": 2.0}))], ["c", "mean.c"], [], {"mean.mean.c": 1.0})
    with pytest.raises(NotUnderstood, match=r"mean\.c is changed"):
        bounded(network, "mean(y)", [TOKEN], form({"own": 1}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_are_numbers(value: float) -> None:
    for layers in ([layer(({"x.0": value}, 0.0, {"c": 1.0}))], [layer(({"x.0": 1.0}, value, {"c": 1.0}))],
                   [layer(({"x.0": 1.0}, -9.0, {"c": value}), ({"x.0": 1.0}, 0.0, {"c": 1.0}))]):
        with pytest.raises(NotUnderstood, match="no number"):
            bounded(sumformer(layers, ["c"], [], {"mean.c": 1.0}), "mean(y)", [TOKEN, HELD, MEAN], form({"m": 1}))


def test_a_layer_may_not_name_a_channel_twice() -> None:
    doubled = replace(COPY, reads=("x.0", "x.0"), W_1=np.array([[1.0], [1.0]]))
    with pytest.raises(NotUnderstood, match="names a channel twice"):
        bounded(sumformer([doubled], ["c"], [], {"mean.c": 1.0}), "mean(y)", [TOKEN, HELD, MEAN], form({"m": 1}))
    written = replace(COPY, writes=("c", "c"), W_2=np.array([[1.0, 1.0]]))
    with pytest.raises(NotUnderstood, match="names a channel twice"):
        bounded(sumformer([written], ["c"], [], {"mean.c": 1.0}), "mean(2*y)", [TOKEN, HELD, MEAN], form({"m": 1}))
