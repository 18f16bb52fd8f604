"""The network representation: staircases of Heaviside units on named channels."""

from constructions.network.network import Network, Node
from constructions.network.staircase import Staircase

__all__ = ["Network", "Node", "Staircase"]
