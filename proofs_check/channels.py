"""Whether the names in a stored ReLU Sumformer mean one thing: every checker then reads the same function."""

from __future__ import annotations

from constructions.network.relu import MeanSumformer, mean_of


def ambiguity(network: MeanSumformer) -> str:
    """Return what could be read in two ways, "" if nothing can: a name listed twice or no text, a mean called like another."""
    layers = (*network.phi, *network.psi)
    of_layers = (name for layer in layers for name in (*layer.reads, *layer.writes))
    names = (*network.given, *network.pooled, *network.readout, *of_layers)
    no_text = [name for name in names if not isinstance(name, str) or not name.isprintable()]
    if no_text:  # 2 and "2" have one mean
        return f"the channel {no_text[0]!r} has a name that is no printable text"
    if any(len(set(names)) < len(names) for layer in layers for names in (layer.reads, layer.writes)):
        return "a layer names a channel twice"
    for what, names in (("token", network.tokens), ("pooled", network.pooled), ("readout", network.readout)):
        if len(set(names)) < len(names):
            return f"a {what} channel is listed twice"
    both = set(network.given).union(*(layer.writes for layer in network.phi)) & set(map(mean_of, network.pooled))
    return f"{min(both)} is changed after it was read: it is a mean and another channel" if both else ""
