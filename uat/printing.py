"""Text from files for a terminal: a name in a run directory may hold what moves the cursor or clears the screen."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text in which every character that is not visible, a line's end apart, is spelled out.

    >>> print(printable("before" + chr(27) + "[2J after"))
    before\\x1b[2J after
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
