"""The text of a target as a tree: a recursive descent over docs/formats.md, "The text of a target"."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

Tree = tuple[Any, ...]
TOKEN = re.compile(r"\s*(?:(\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(\*\*|[-+*/(),\[\]]))")
REDUCTIONS = ("mean", "sum", "max", "min")


def parse(text: str) -> list[Tree]:
    """One tree an output."""
    reader = _Reader(text)
    outputs = reader.outputs()
    if reader.peek() is not None:
        raise ValueError(f"unexpected {reader.peek()!r} in {text!r}")
    return outputs


class _Reader:
    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        position = 0
        text = text.strip()
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"{text[position:]!r} in {text!r}")
            self.words.append(match.group(1) or match.group(2) or match.group(3))
            position = match.end()
        self.at = 0

    def peek(self) -> str | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def take(self, *expected: str) -> str:
        word = self.peek()
        if word is None or (expected and word not in expected):
            raise ValueError(f"expected {expected}, got {word!r}")
        self.at += 1
        return word

    def outputs(self) -> list[Tree]:
        """An expression, or several between commas, in parentheses or not."""
        if self.peek() == "(":
            start = self.at
            self.take("(")
            found = self.commas()
            self.take(")")
            if self.peek() is None:
                return found
            self.at = start  # the parenthesis was part of an expression
        return self.commas()

    def commas(self) -> list[Tree]:
        found = [self.sum()]
        while self.peek() == ",":
            self.take(",")
            if self.peek() not in (")", None):  # a comma may stand at the end
                found.append(self.sum())
        return found

    def sum(self) -> Tree:
        left = self.product()
        while self.peek() in ("+", "-"):
            left = (self.take(), left, self.product())
        return left

    def product(self) -> Tree:
        left = self.sign()
        while self.peek() in ("*", "/"):
            left = (self.take(), left, self.sign())
        return left

    def sign(self) -> Tree:
        if self.peek() in ("+", "-"):
            return self.sign() if self.take() == "+" else ("negative", self.sign())
        return self.power()

    def power(self) -> Tree:
        base = self.atom()
        if self.peek() == "**":
            self.take()
            return ("**", base, self.sign())
        return base

    def atom(self) -> Tree:
        word = self.take()
        if word == "(":
            inside = self.sum()
            self.take(")")
            return inside
        if word[0].isdigit() or word[0] == ".":
            return ("number", Fraction(word.replace("_", "")))
        if not (word[0].isalpha() or word[0] == "_"):
            raise ValueError(f"unexpected {word!r}")
        if self.peek() == "(":
            self.take()
            arguments = self.commas()
            self.take(")")
            return ("reduce" if word in REDUCTIONS else "call", word, *arguments)
        if self.peek() == "[":
            self.take()
            index = int(self.take())
            self.take("]")
            return ("coordinate", word, index)
        return ("coordinate", word, 0) if word in ("x", "y") else ("name", word)
