"""Equations of docstrings as MathML: plain text such as `(1/2n) sum_i (y_i - w.x_i)^2` becomes what print has.

An equation is an indented line of a docstring. Nothing else is written twice, and nothing is lost: what is no known
sign stays as it is, upright.
"""

import re
from collections.abc import Iterator
from html import escape

from ..words.phrases import GREEK, first_sentence

CAPITALS = {"Phi": "Φ", "Delta": "Δ", "Sigma": "Σ", "Lambda": "Λ", "Gamma": "Γ", "Omega": "Ω", "Theta": "Θ"}
LARGE = {"sum": "∑", "prod": "∏", "int": "∫", "oint": "∮"}
SIGNS = {
    "<->": "↔", "->": "→", "<-": "←", "<=": "≤", ">=": "≥", "!=": "≠", "+-": "±", "...": "…", "~": "∼", "*": "*",
    "-": "−", "'": "′",
}  # fmt: skip
FUNCTIONS = {
    "exp", "log", "ln", "sin", "cos", "tanh", "sinh", "cosh", "artanh", "asin", "erf", "relu", "sign", "max", "min",
    "tr", "diag", "vec", "pinv", "Var", "E",
}  # fmt: skip
TOKEN = re.compile(
    r"\s+|\d+(?:\.\d+)?(?:e-?\d+)?|[A-Za-z]{2,}(?:_[A-Za-z]{2,})+|[A-Za-z]+"
    r"|<->|->|<-|<=|>=|!=|\+-|\.\.\.|.",
)
RELATION = re.compile(r"=|<-|->|<=|>=|~")
# more words of prose make a line a sentence
MOST_WORDS = 4
CLOSING = {"(": ")", "{": "}", "[": "]"}


def equations(doc: str) -> list[str]:
    """The indented lines of a docstring that are equations, with one step of indentation left where they go on."""
    lines = [line for line in doc.splitlines() if line.startswith("    ") and line.strip()]
    least = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return [line[least:].rstrip() for line in lines if _is_equation(line)]


def _is_equation(line: str) -> bool:
    words = [w for w in re.findall(r"[A-Za-z_]{3,}", line) if "_" not in w and w not in FUNCTIONS]
    prose = [w for w in words if w not in GREEK and w not in LARGE and w not in CAPITALS and w != "sqrt"]
    follows = line.startswith("        ")
    return (bool(RELATION.search(line)) or follows) and len(prose) <= MOST_WORDS


def described(doc: str) -> dict[str, object]:
    """What a class is, in a sentence, and its equations as MathML."""
    return {"words": first_sentence(doc), "equations": [mathml(line) for line in equations(doc)]}


def mathml(line: str) -> str:
    """One line as a `math` element."""
    indent = len(line) - len(line.lstrip())
    shift = f'<mspace width="{min(indent, 12) * 0.5:g}em"/>' if indent else ""
    return f'<math display="block"><mrow>{shift}{_Reader(line.strip()).row()}</mrow></math>'


class _Reader:
    """Reads tokens from the left; every method leaves it behind what it has read."""

    def __init__(self, text: str) -> None:
        self.tokens = TOKEN.findall(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def row(self, end: str = "") -> str:
        """All up to `end` (which is left) or the end."""
        return "".join(self.parts(end))

    def parts(self, end: str) -> Iterator[str]:
        while self.peek() and self.peek() != end:
            if self.peek().isspace():
                yield self.space(end)
            else:
                yield self.scripted()

    def space(self, end: str) -> str:
        """A gap where two letters would touch, a wide one where the line is in columns."""
        before = self.tokens[self.at - 1] if self.at else ""
        wide = len(self.take()) > 1
        after = self.peek()
        if wide:
            return '<mspace width="1.5em"/>'
        lettered = (before[-1:].isalnum() or before[-1:] in ")]}'|,") and (after[:1].isalnum() or after[:1] in "([|")
        return '<mspace width="0.25em"/>' if lettered and after != end else ""

    def scripted(self) -> str:
        """An atom with what stands below and above it."""
        word = self.peek()
        base, below, above = self.atom(), "", ""
        while self.peek() in ("_", "^", "'"):
            sign = self.take()
            if sign == "'":
                above += "<mo>′</mo>"
            elif sign == "_":
                below = self.script()
            else:
                above += self.script()
        if not below and not above:
            return base
        below, above = (f"<mrow>{one}</mrow>" if one else "" for one in (below, above))
        kind = {(True, False): "sub", (False, True): "sup", (True, True): "subsup"}[bool(below), bool(above)]
        if word in ("sum", "prod"):
            kind = kind.replace("sub", "under").replace("sup", "over")
        return f"<m{kind}>{base}{below}{above}</m{kind}>"

    def script(self) -> str:
        """What follows `_` or `^`: a group without its brackets, or one token with its sign."""
        sign = f"<mo>{_sign(self.take())}</mo>" if self.peek() in ("-", "+") else ""
        if self.peek() in ("{", "("):
            return sign + self.inside()
        if self.peek() == "|":
            return sign + self.atom()
        return sign + (self.script_word() if self.peek() else "")

    def script_word(self) -> str:
        """`ik` are two indices, `max` is a word."""
        word = self.take()
        if word.isalpha() and word.isascii() and len(word) == 2 and word not in FUNCTIONS and word not in GREEK:
            return "".join(_letter(one) for one in word)
        return _letter(word)

    def inside(self) -> str:
        """A group without its brackets."""
        end = CLOSING[self.take()]
        held = self.row(end)
        if self.peek():
            self.take()
        return f"<mrow>{held}</mrow>"

    def atom(self) -> str:
        word = self.take()
        if word in LARGE:
            return f'<mo largeop="true">{LARGE[word]}</mo>'
        if word == "sqrt":
            while self.peek().isspace():
                self.take()
            held = self.inside() if self.peek() in CLOSING else self.scripted() if self.peek() else ""
            return f"<msqrt>{held}</msqrt>"
        if word in CLOSING:
            self.at -= 1
            return self.bracket()
        if word == "|":
            return self.bars()
        if word == "<" and ">" in self.tokens[self.at :] and not self.peek().isspace():
            held = self.row(">")
            self.take()
            return f"<mrow><mo>⟨</mo>{held}<mo>⟩</mo></mrow>"
        return _letter(word)

    def bracket(self) -> str:
        """A group with its brackets; a short fraction such as (1/2n) without."""
        shown = self.peek()
        ahead = re.match(r"\((\w+)/(\w+)\)", "".join(self.tokens[self.at : self.at + 8]))
        if ahead:
            above, below = (_Reader(part).row() for part in ahead.groups())
            while self.take() != ")":
                pass
            return f"<mfrac><mrow>{above}</mrow><mrow>{below}</mrow></mfrac>"
        held = self.inside()
        if shown == "{":
            return held
        return f'<mrow><mo stretchy="false">{shown}</mo>{held}<mo stretchy="false">{CLOSING[shown]}</mo></mrow>'

    def bars(self) -> str:
        """|x|, where the second bar is on the line; a bar alone otherwise."""
        bar = '<mo stretchy="false">|</mo>'
        if "|" not in self.tokens[self.at :]:
            return bar
        held = self.row("|")
        self.take()
        return f"<mrow>{bar}{held}{bar}</mrow>"


def _sign(word: str) -> str:
    return escape(SIGNS.get(word, word))


def _letter(word: str) -> str:
    """A letter, a Greek one, a number, a word or a sign."""
    if word[0].isdigit():
        return f"<mn>{word}</mn>"
    if word in GREEK or word in CAPITALS:
        return f"<mi>{GREEK.get(word) or CAPITALS[word]}</mi>"
    if not word[0].isalpha():
        return f"<mo>{'·' if word == '.' else _sign(word)}</mo>"
    # WW, xx and dt are letters beside each other
    pair = len(word) == 2 and (word.isupper() or word[0] == word[1] or word[0] == "d") and word not in FUNCTIONS
    if pair or len(word) == 1:
        return "".join(f"<mi>{one}</mi>" for one in word)
    return f'<mi mathvariant="normal">{escape(word)}</mi>'
