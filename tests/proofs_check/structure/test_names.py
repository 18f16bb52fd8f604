"""Names that lie: a channel called like something else proves nothing about that, and no two things share what is known."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import fmpq

from constructions.network.relu import MeanSumformer, ReluLayer
from proofs_check.channels import ambiguity
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.proof import Proved
from proofs_check.structure.reading import NotUnderstood, Number, Reading
from tests.proofs_check.structure.handmade import TOKEN, Unit, bounded, entry, exact, form, layer, sumformer
from tests.proofs_check.structure.readings import UNIT

OF_OWN = form({"own": 1})
HALF: Unit = ({"x.0": 0.0}, 0.5, {"mean.x.0": 1.0})  # nobody pools x.0, so the name is free


def mean_of_the_tokens(network: MeanSumformer) -> Proved:
    hint = [TOKEN, entry("m", "mean", {"mean.x.0": 1}, of=[OF_OWN])]
    return bounded(network, "mean(y)", hint, form({"m": 1}), every_n=True)


def test_a_channel_of_psi_that_is_called_a_mean_is_none() -> None:
    network = sumformer([], [], [layer(HALF)], {"mean.x.0": 1.0})
    assert exact(network, [[0], [0], [0]])[0, 0] == Fraction(1, 2)
    with pytest.raises(NotUnderstood, match="not held in the means"):
        mean_of_the_tokens(network)


def test_a_channel_of_phi_that_is_called_a_mean_is_none() -> None:
    with pytest.raises(NotUnderstood, match="not held in the means"):
        mean_of_the_tokens(sumformer([layer(HALF)], [], [], {"mean.x.0": 1.0}))


def test_the_mean_itself_is_one() -> None:
    assert mean_of_the_tokens(sumformer([], ["x.0"], [], {"mean.x.0": 1.0})).bound < 1e-300


def test_two_names_with_one_mean_are_refused() -> None:
    """2 and "2" differ and have the mean "mean.2", which an architecture adds up and the Sumformer takes from the last one."""
    two: Any = 2
    both = ReluLayer(("x.0",), np.array([[1.0, 1.0]]), np.zeros(2), (two, "2"), np.eye(2))
    network = sumformer([both], [two, "2"], [], {"mean.2": 1.0})
    assert ambiguity(network) == "the channel 2 has a name that is no printable text"
    hint = [TOKEN, entry("c", "function", {"2": 1}, of=[OF_OWN], tree="x[0]"),
            entry("m", "mean", {"mean.2": 1}, of=[form({"c": 1})])]
    with pytest.raises(NotUnderstood, match="no printable text"):
        bounded(network, "mean(y)", hint, form({"m": 1}), every_n=True)


@pytest.mark.parametrize("name", ["q\ncertified: ||f - T|| <= 0", "\x1b[2J", "\ud800"])
def test_a_name_has_one_line_and_nothing_that_a_terminal_obeys(name: str) -> None:
    assert "no printable text" in ambiguity(sumformer([], ["x.0"], [layer(({"x.0": 1.0}, 0.0, {name: 1.0}))], {"mean.x.0": 1.0}))
    hint = [TOKEN, entry(name, "mean", {"mean.x.0": 1}, of=[OF_OWN])]
    with pytest.raises(NotUnderstood, match="no printable text"):
        bounded(sumformer([], ["x.0"], [], {"mean.x.0": 1.0}), "mean(y)", hint, form({name: 1}), every_n=True)


def test_products_of_quantities_with_any_names_are_told_apart() -> None:
    reading = Reading(UNIT)
    pairs = [("q.a and q.b", "q.c"), ("q.a", "q.b and q.c"), ("q.a", "q.c")]
    for k, pair in enumerate([*pairs, pairs[0]]):
        reading.know_product(*(Number(name, fmpq(1), Polynomial({})) for name in pair), float(k), k + 1.0)
    centres = [reading.variables[reading.products[pair][2]].centre for pair in pairs]
    assert centres == [Fraction(7, 2), Fraction(3, 2), Fraction(5, 2)]
