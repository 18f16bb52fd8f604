"""A quotient that names another reciprocal than that of its denominator is not understood."""

from __future__ import annotations

import pytest

from proofs_check.structure.reading import NotUnderstood
from tests.proofs_check.structure.handmade import TOKEN, bounded, entry, form, layer, sumformer


def test_a_reciprocal_is_that_of_the_denominator() -> None:
    bends = [-0.7, 0.1, 0.1, 0.08, 0.05, 0.04, 0.03, 0.02]
    table = layer(*[({"x.0": 1.0}, -0.125 * k, {"r": weight}) for k, weight in enumerate(bends)])
    network = sumformer([table], [], [], {"r": 1.0, "x.0": 1.0}, b=1.0)
    reciprocal = entry("r", "function", {"r": 1}, 1, of=[form({"own": 1}, 2)], tree="x[0]**(-1)")
    quotient = entry("q", "quotient", {"r": 1}, 1, of=[form({}, 1), form({"own": 1}, 1)], reciprocal="r")
    with pytest.raises(NotUnderstood, match="not the reciprocal of the denominator"):
        bounded(network, "1/(1 + x)", [TOKEN, reciprocal, quotient], form({"q": 1}))
