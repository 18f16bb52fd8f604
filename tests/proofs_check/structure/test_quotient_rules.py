"""Quotients: the reciprocal is that of the denominator, and what both means have in common counts once."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from numpy.polynomial import chebyshev

from constructions.targets.language import parse
from proofs_check.enclosures.interval import Interval
from proofs_check.structure.content import Content
from proofs_check.structure.deviation import difference
from proofs_check.structure.functions import on_boxes
from proofs_check.structure.polynomial import Polynomial
from proofs_check.structure.ratio import MeanOfKernel
from proofs_check.structure.reading import NotUnderstood
from proofs_check.structure.variable import Variable
from tests.proofs_check.structure.draws import value
from tests.proofs_check.structure.from_text import built_and_proved, largest_error
from tests.proofs_check.structure.handmade import TOKEN, bounded, entry, form, layer, sumformer

Q = Fraction


def test_a_reciprocal_is_that_of_the_denominator() -> None:
    bends = [-0.7, 0.1, 0.1, 0.08, 0.05, 0.04, 0.03, 0.02]
    table = layer(*[({"x.0": 1.0}, -0.125 * k, {"r": weight}) for k, weight in enumerate(bends)])
    network = sumformer([table], [], [], {"r": 1.0, "x.0": 1.0}, b=1.0)
    reciprocal = entry("r", "function", {"r": 1}, 1, of=[form({"own": 1}, 2)], tree="x[0]**(-1)")
    quotient = entry("q", "quotient", {"r": 1}, 1, of=[form({}, 1), form({"own": 1}, 1)], reciprocal="r")
    with pytest.raises(NotUnderstood, match="not the reciprocal of the denominator"):
        bounded(network, "1/(1 + x)", [TOKEN, reciprocal, quotient], form({"q": 1}))


def test_a_number_that_equals_the_reciprocal_is_not_the_reciprocal_of_what_the_network_holds() -> None:
    """q = pi is held in about 2, 1/pi exactly, and the network forms 2/pi: that is not pi/pi."""
    tiny, inverse = Q(1, 2**30), Q(1 / np.pi)
    held = entry("q", "function", {"x.0": tiny}, 2, of=[form({"own": 1})], tree="pi")
    reciprocal = entry("r", "function", {"x.0": 0}, inverse, of=[form({"q": 1})], tree="pi**(-1)")
    one = entry("one", "quotient", {"x.0": tiny * inverse}, 2 * inverse, of=[form({"q": 1}), form({"q": 1})], reciprocal="r")
    network = sumformer([], [], [], {"x.0": float(tiny * inverse)}, b=float(2 * inverse))
    with pytest.raises(NotUnderstood, match="not the reciprocal of the denominator"):
        bounded(network, "1", [TOKEN, held, reciprocal, one], form({"one": 1}), every_n=True)


SHIFTED = ("mean(exp(x*y)*y)/(1+2*mean(exp(x*y)))", "(1-mean(exp(x*y)*y))/(1/2+mean(exp(x*y)))")


@pytest.mark.parametrize("text", SHIFTED)
def test_what_two_means_have_in_common_is_found_beside_numbers_too(text: str) -> None:
    construction, found = built_and_proved(text, "1e-2")
    assert found.identities
    assert found.bound <= float(construction.bound)
    for n in (2, 3, 64):
        assert largest_error(construction, n, 200) <= found.bound


@pytest.mark.parametrize(("c", "constant"), [(Q(2), Q(1)), (Q(-1, 3), Q(7, 5)), (Q(1), Q(0))])
def test_a_multiple_of_a_mean_and_a_number_is_as_far_from_its_kernel_as_it_says(c: Fraction, constant: Fraction) -> None:
    (K,) = parse("exp(x[0]*x[1])", 2)
    box = (Variable.of(0, 1), Variable.of(0, 1))
    p = Polynomial({(): fmpq(3, 2), (("u", 1),): fmpq(1, 3), (("u", 1), ("v", 1)): fmpq(1, 4)})
    expansion, beyond = difference(p, ("u", "v"), K, box, 1e-6)
    found = MeanOfKernel(Content(p), expansion, beyond, ("u", "v"), box, K, 1).followed(c, constant)
    for u, v in itertools.product((-1.0, -0.3, 0.4, 1.0), repeat=2):
        exact = float(c) * np.exp((1 + u) * (1 + v) / 4) + float(constant)
        held = float(value(found.content.main, {"u": Fraction(u), "v": Fraction(v)}))
        assert abs(chebyshev.chebval2d(u, v, found.expansion) - (held - exact)) <= found.beyond + 1e-14
        assert float(on_boxes(found.K, [Interval.of((1 + u) / 2), Interval.of((1 + v) / 2)]).lower) == pytest.approx(exact)
