"""Contents of channels at random rational tokens against the exact run of the network; reused channels, copies that bend."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.network.relu import MeanSumformer, ReluLayer, mean_of, run
from proofs_check.folds import chains
from proofs_check.structure.content import expanded
from proofs_check.structure.derivation import Held
from proofs_check.structure.layers import through
from proofs_check.structure.reading import NotUnderstood, Reading
from tests.proofs_check.structure.handmade import Unit, exact, folds, layer, square, stacked, sumformer
from tests.proofs_check.structure.readings import UNIT, evaluated, read

TOKENS = st.lists(st.fractions(0, 1, max_denominator=97), min_size=2, max_size=3)
WEIGHTS = st.integers(-16, 16).map(lambda k: k / 8)
FEW = settings(max_examples=15, deadline=None)


def holds(network: MeanSumformer, tokens: Sequence[Fraction]) -> None:
    """Assert that the readout of every token is what the contents say, up to what they say."""
    reading = read(network)
    inputs = np.array(tokens, dtype=object).reshape(1, -1, 1)
    after_phi = run(network.phi, {"x.0": inputs[..., 0]})
    means = {channel: sum(after_phi[channel].ravel().tolist(), Fraction(0)) / len(tokens) for channel in network.pooled}
    output = exact(network, inputs)
    for k, token in enumerate(tokens):
        total, slack = Fraction(float(network.b_out[0])), 0.0
        for channel, weight in zip(network.readout, network.W_out[:, 0], strict=True):
            if channel in reading.contents:
                number, spread = evaluated(reading, reading.contents[channel], [token], means)
                total, slack = total + Fraction(float(weight)) * number, slack + abs(float(weight)) * spread
        assert abs(output[0, k, 0] - total) <= Fraction(slack) + Fraction(1, 10**40)


@st.composite
def networks(draw: st.DrawFn) -> MeanSumformer:
    """Draw copies, a chain and a table in phi; in psi a chain on a mean and the own token, and a table of its result."""
    a, b, c, d = (draw(WEIGHTS) for _ in range(4))
    m, g = draw(st.integers(1, 4)), draw(WEIGHTS) or 0.5
    first = layer(({"x.0": 1.0}, 0.0, {"c": a}), ({"x.0": -1.0}, 1.0, {"c": b, "d": 1.0}))
    chain = stacked(folds({"x.0": 2.0}, 0.0, {"d": [w * (1 + 0.01 * k) for k, w in enumerate(square(g, m))]}, "t"))
    bent = layer(({"x.0": 1.0}, -0.25, {"e": c}), ({"x.0": 1.0}, -0.5, {"e": d}))
    inner = folds({"mean.d": 1 / 64, "x.0": 1.0}, 0.5, {"f": square(1.0, 3), "g": square(-0.5, 3)}, "t")
    last = layer(({"f": 1.0, "mean.e": 0.5}, 0.1, {"h": 1.0}), ({"f": 1.0, "mean.e": 0.5}, -0.1, {"h": a}))
    return sumformer([first, *chain, bent], ["c", "d", "e"], [*stacked(inner), last],
                     {"c": 1.0, "mean.c": b, "f": c, "g": 1.0, "h": 1.0, "d": 0.25}, b=0.125)


@FEW
@given(networks(), TOKENS)
def test_contents_are_what_the_network_computes(network: MeanSumformer, tokens: list[Fraction]) -> None:
    try:
        read(network)
    except NotUnderstood:
        return
    holds(network, tokens)


@FEW
@given(st.lists(st.fractions(0, 1, max_denominator=97), min_size=2, max_size=2))
def test_a_layer_reads_before_its_chains_add(tokens: list[Fraction]) -> None:
    chain = folds({"x.0": 2.0}, 0.0, {"c": square(0.25, 3)})
    other = folds({"c": 1.0}, 0.5, {"e": square(0.5, 3)}, "u")
    copy: Unit = ({"c": 1.0}, 0.0, {"d": 1.0})
    first = layer(({"x.0": 1.0}, 0.0, {"c": 1.0}))
    both = stacked(chain, other, [copy])
    holds(sumformer([first, *both], [], [], {"d": 1.0, "c": 0.5, "e": 1.0}), tokens)


@FEW
@given(st.lists(st.fractions(0, 1, max_denominator=97), min_size=2, max_size=2))
def test_a_channel_may_be_added_to_after_it_was_named(tokens: list[Fraction]) -> None:
    squares = stacked(folds({"x.0": 2.0}, 0.0, {"c": square(0.5, 4)}))
    fourth = stacked(folds({"c": 2.0}, 1.0, {"e": square(0.25, 4)}, "u"))  # names c
    more = [layer(({"x.0": 1.0}, 0.0, {"c": 0.5}))]
    eighth = stacked(folds({"c": 1.0}, 0.75, {"f": square(0.25, 4)}, "v"))  # names it again
    network = sumformer([*squares, *fourth, *more, *eighth], ["c"], [], {"c": 1.0, "e": 1.0, "f": 1.0})
    assert {"channel.c", "channel.c'"} <= read(network).variables.keys()
    holds(network, tokens)


@FEW
@given(st.lists(st.fractions(0, 1, max_denominator=97), min_size=2, max_size=2))
def test_two_chains_from_one_unit_count_it_once(tokens: list[Fraction]) -> None:
    weights = square(0.5, 3)
    layers = [layer(({"x.0": 2.0}, 0.0, {"t": 1.0, "u": 1.0, "c": weights[0]}))]
    for s, weight in enumerate(weights[1:]):
        layers.append(layer(*[({fold: 1.0}, -(0.5**s), {fold: -2.0, "c": weight}) for fold in "tu"]))
    holds(sumformer(layers, [], [], {"c": 1.0}), tokens)


@FEW
@given(st.lists(st.fractions(0, 1, max_denominator=97), min_size=2, max_size=2))
def test_a_fold_that_starts_another_chain_is_what_it_is(tokens: list[Fraction]) -> None:
    chain = folds({"x.0": 2.0}, 0.0, {"c": square(0.5, 4)})
    reads, bias, writes = chain[3]  # sees t - 1/4
    chain[3] = (reads, bias, {**writes, "u": 1.0, "d": 1.0})
    again: Unit = ({"u": 1.0}, -1.0, {"d": 4.0})
    network = sumformer([*stacked(chain), layer(again)], [], [], {"c": 1.0, "d": 1.0})
    holds(network, tokens)


def test_a_fold_channel_of_phi_that_psi_reads_is_no_fold_channel() -> None:
    chain = stacked(folds({"x.0": 2.0}, 0.0, {"c": square(0.5, 2)}))
    again = stacked(folds({"x.0": 2.0}, 0.0, {"e": square(0.5, 2)}))  # the same channel t, which is not 0 any more
    network = sumformer(chain, ["c"], again, {"c": 1.0, "e": 1.0})
    try:
        reading = read(network)
    except NotUnderstood:
        return
    assert not any(name.startswith("square phi") for name in reading.contents["c"].noise)
    for k in range(17):
        holds(network, [Fraction(k, 16), Fraction(1, 3)])


@FEW
@given(st.integers(1, 9).map(lambda k: 2.0**-11 / k), st.fractions(0, 1, max_denominator=4096))
def test_a_copy_that_bends_a_little_is_off_by_as_little(below: float, token: Fraction) -> None:
    network = sumformer([layer(({"x.0": 1.0}, -below, {"c": 1.0, "d": -2.0}))], [], [], {"c": 1.0, "d": 0.25})
    reading = read(network)
    assert not reading.bends
    assert 0 < reading.contents["c"].sharp_spread() <= 0.51 * below
    holds(network, [token, Fraction(0)])


def test_a_copy_that_bends_more_is_a_table() -> None:
    network = sumformer([layer(({"x.0": 1.0}, -0.125, {"c": 1.0}))], [], [], {"c": 1.0})
    reading = read(network)
    assert list(reading.bends) == ["table.phi0.c"]
    holds(network, [Fraction(1, 16), Fraction(1, 2)])


def test_units_that_never_fire_add_nothing() -> None:
    network = sumformer([layer(({"x.0": 1.0}, -2.0, {"c": 1.0}), ({"x.0": 1.0}, 1.0, {"d": 1.0}))], [], [], {"c": 1.0, "d": 1.0})
    assert "c" not in read(network).contents
    holds(network, [Fraction(1, 3)] * 2)


@pytest.mark.parametrize("bias", [1.0, -1.6])
def test_folds_that_may_leave_their_interval_by_far_are_refused(bias: float) -> None:
    layers = stacked(folds({"x.0": 2.0}, bias, {"c": square(1.0, 3)}))
    with pytest.raises(NotUnderstood, match=r"outside \[0, 2\]"):
        read(sumformer(layers, [], [], {"c": 1.0}))


@FEW
@given(st.fractions(0, 1, max_denominator=64), st.booleans())
def test_folds_may_leave_their_interval_by_a_little(token: Fraction, above: bool) -> None:
    layers = stacked(folds({"x.0": 2.25}, 0.0 if above else -0.25, {"c": square(1.0, 3), "d": square(-0.5, 3)}))
    holds(sumformer(layers, [], [], {"c": 1.0, "d": 1.0}), [token, Fraction(1)])


def test_a_form_that_is_linear_in_means_ranges_where_what_is_averaged_does() -> None:
    layers = [layer(({"x.0": 1.0}, 0.0, {"c": 1.0}), ({"x.0": -1.0}, 1.0, {"d": 1.0}))]
    network = sumformer(layers, ["c", "d"], [layer(({"mean.c": 1.0, "mean.d": 1.0}, 0.0, {"e": 1.0}))], {"e": 1.0})
    reading = read(network)
    assert reading.range(reading.contents["e"]) == pytest.approx((1.0, 1.0), abs=1e-9)


@FEW
@given(st.floats(-1, 1), st.floats(-1, 1), st.lists(st.fractions(0, 1, max_denominator=50), min_size=3, max_size=3))
def test_ranges_contain_the_numbers_in_their_channels(a: float, b: float, tokens: list[Fraction]) -> None:
    squares = stacked(folds({"x.0": 2.0}, 0.0, {"c": square(0.5, 3)}))
    psi = [layer(({"mean.c": a, "x.0": b}, 3.0, {"e": 1.0}))]
    network = sumformer(squares, ["c"], psi, {"e": 1.0})
    reading = read(network)
    low, high = reading.range(reading.contents["e"])
    values = exact(network, np.array(tokens, dtype=object).reshape(1, 3, 1))
    assert all(Fraction(low) <= value <= Fraction(high) for value in values.ravel())


def test_at_another_token_noise_is_independent() -> None:
    reading = Reading(UNIT)
    network = sumformer(stacked(folds({"x.0": 2.0}, 0.0, {"c": square(0.5, 3)})), ["c"], [], {"c": 1.0, mean_of("c"): 1.0})
    reading.start(network)
    list(through(reading, network.phi, ["c"], "phi"))
    here, there = reading.contents["c"], reading.at_other(reading.contents["c"])
    assert there.variables == {"y.0"}
    assert not here.noise.keys() & there.noise.keys()


@FEW
@given(networks(), TOKENS)
def test_one_eps_in_the_place_of_all_noise_holds_the_same_values(network: MeanSumformer, tokens: list[Fraction]) -> None:
    try:
        reading = read(network)
    except NotUnderstood:
        return
    for channel, content in reading.contents.items():
        (low, high), alone = reading.flattened(content, "one")
        assert not alone.rest
        assert alone.noise.keys() <= {"one"}
        assert not reading.definitions.keys() & alone.variables
        exact = expanded(content, reading.definitions)
        assert alone.sharp_spread() >= exact.sharp_spread() * (1 - 1e-2), channel
        assert low <= high


def test_a_layer_without_units_that_write_changes_nothing() -> None:
    idle: ReluLayer = layer(({"x.0": 1.0}, 0.0, {"c": 0.0}))
    network = sumformer([idle], [], [], {"x.0": 1.0, "c": 1.0})
    holds(network, [Fraction(1, 7), Fraction(1)])


def test_a_fold_at_less_than_the_least_number_is_no_fold() -> None:
    """A bias of 2^-1075 is stored as 0, and -0 is equal to it."""
    layers = stacked(folds({"x.0": 1.0}, 0.0, {"c": [1.0, *[0.0] * 1075, 1e300]}))
    assert len(chains(layers[:-1], ["x.0"], [])) == 1
    assert not chains(layers, ["x.0"], [])


@pytest.mark.parametrize(("layers", "pooled", "least"), [
    ([layer(({"x.0": 1.0}, -0.5, {"c": 1.0}))], [], 0.25),
    ([layer(({"x.0": 1.0}, -0.5, {"c": 1.0}), ({"x.0": -1.0}, 0.5, {"c": 2.0}))], [], 0.25),
    ([layer(({"x.0": 1.0}, -0.5, {"c": 1.0}), ({"x.0": -1.0}, 0.5, {"c": -2.0}))], [], -np.inf),
    ([layer(({"x.0": 1.0}, -0.5, {"c": 1.0})), layer(({"x.0": 1.0}, 0.0, {"c": -1.0}))], [], -np.inf),
    ([layer(({"x.0": 1.0}, -0.5, {"x.0": 1.0, "c": 0.0}))], [], 0.25),
    ([layer(({"x.0": 1.0}, -0.5, {"d": 1.0}))], [], -np.inf)])
def test_a_channel_is_not_negative_if_its_weights_show_it(layers: list[ReluLayer], pooled: list[str], least: float) -> None:
    network = sumformer(layers, pooled, [], {"x.0": 1.0})
    reading = Reading([(Fraction(0), Fraction(1))])
    reading.start(network)
    assert reading.least(Held({"c": Fraction(2)}, Fraction(1, 4))) == pytest.approx(least)
    assert reading.least(Held({"c": Fraction(-2)}, Fraction(1, 4))) == -np.inf
    assert reading.least(Held({"x.0": Fraction(1)}, Fraction(1, 4))) == -np.inf


def test_a_mean_that_psi_adds_to_is_no_sum_of_units() -> None:
    phi, psi = layer(({"x.0": 1.0}, -2.0, {"c": 1.0})), layer(({"x.0": 1.0}, 0.0, {"mean.c": 1.0}))
    network = sumformer([phi], ["c"], [psi], {"mean.c": 1.0})
    reading = Reading([(Fraction(0), Fraction(1))])
    reading.start(network)
    assert reading.least(Held({"mean.c": Fraction(1)}, Fraction(0))) == -np.inf
