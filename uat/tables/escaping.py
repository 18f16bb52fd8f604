r"""Text for LaTeX: every character that means something to TeX, or that its usual fonts lack, is spelt out."""

from __future__ import annotations

import re

from constructions.errors import Refused

SPELT = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": r"$\vert$", '"': r"\textquotedbl{}",
    "*": r"$*$", "[": "{[}", "\n": " ", "\t": " ", "`": r"\textasciigrave{}",
}
RELATIONS = {"<=": r"$\le$", ">=": r"$\ge$", "->": r"$\to$", "||": r"$\Vert$", '"': "''"}
DASH = r"-{}"  # before another one: TeX would make one long dash of the two of an option
_TOKENS = re.compile("|".join(("-(?=-)", *map(re.escape, (*RELATIONS, *SPELT)))))


def latex_text(text: str) -> str:
    r"""Return plain text as LaTeX; nothing in it is taken for a command.

    >>> latex_text("||f - S|| <= w_f(delta) & 5 %")
    '$\\Vert$f - S$\\Vert$ $\\le$ w\\_f(delta) \\& 5 \\%'
    >>> latex_text("tables --all")
    'tables -{}-all'

    Raises:
        Refused: a character outside ASCII; the tables' own texts have none, and pdfTeX's fonts do not have them all.
    """
    if not text.isascii():
        strange = next(ch for ch in text if not ch.isascii())
        raise Refused(f"{text!r}: {strange!r} cannot be printed with LaTeX; --format markdown or csv can")
    return _TOKENS.sub(lambda found: RELATIONS.get(found[0]) or SPELT.get(found[0], DASH), text)


def latex_prose(text: str) -> str:
    r"""Return text whose parts between dollar signs are LaTeX mathematics already.

    >>> latex_prose("100 % of $d'$")
    "100 \\% of $d'$"
    """
    parts = text.split("$")
    return "$".join(part if k % 2 else latex_text(part) for k, part in enumerate(parts))


def plain_prose(text: str) -> str:
    r"""Return such text for a terminal.

    >>> plain_prose(r"$d'$ for $\varepsilon = 0.1$, $n\ge3$: $\binom{n+d}{d}-1$")
    "d' for eps = 0.1, n >= 3: binom(n+d, d)-1"
    >>> plain_prose(r"$\log_2\binom{4}{2}$")
    'log_2 binom(4, 2)'
    """
    text = text.replace("$", "").replace(r"\varepsilon", "eps").replace(r"\times", "x")
    text = re.sub(r"\\([lg])e(?![a-z])", lambda found: " <= " if found[1] == "l" else " >= ", text)
    text = re.sub(r"(?<=\w)\\binom", r" \\binom", text)
    return re.sub(r"\\binom\{(.+?)\}\{(.+?)\}", r"binom(\1, \2)", text).replace("\\", "")


def html_comment(text: str) -> str:
    """Return text as a comment of HTML, which Markdown keeps for readers of the file: only what would end it is split.

    >>> html_comment("tables --all --out a-->b")
    '<!-- tables --all --out a-- >b -->'
    """
    return "<!-- " + re.sub("--(!?)>", r"--\1 >", text) + " -->"
