"""Reading a `.sql` file as psql reads it: where a statement ends, what is a command, which lines are rows.

PostgreSQL has no splitter to ask, and one that is nearly right is worse than none: a semicolon in a dollar
quote, a rule of two actions, a function with `BEGIN ATOMIC`, `E'it\\'s'` before rows of COPY, and the
rest of the file is read as something else. These are the rules of psql's own lexer (PostgreSQL 18), with
`standard_conforming_strings` on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

_WORD = r"A-Za-z0-9_$\x80-\U0010ffff"
_TOKEN = re.compile(
    rf"""(?=[-/eE'"$:bBcC;()\\])  # so that most characters are passed over at once
    (?:
      (?P<comment> --[^\n]* | /\* )
    | (?P<escaped> (?<![{_WORD}]) [eE]' (?: [^'\\] | \\. | '' )* (?: ' | \Z ) )
    | (?P<quoted>  '[^']*(?:'|\Z) | "[^"]*(?:"|\Z) )
    | (?P<dollar>  (?<![{_WORD}]) \$ (?: [A-Za-z_\x80-\U0010ffff] [A-Za-z0-9_\x80-\U0010ffff]* )? \$ )
    | (?P<variable> (?<!:) : (?: (?P<plain>[A-Za-z0-9_\x80-\U0010ffff]+)
                  | '(?P<literal>[A-Za-z0-9_\x80-\U0010ffff]+)'
                  | "(?P<identifier>[A-Za-z0-9_\x80-\U0010ffff]+)"
                  | \{{\?(?P<asked>[A-Za-z0-9_\x80-\U0010ffff]+)\}} ) )
    | (?P<block> (?<![{_WORD}]) (?: begin | case | end ) (?![{_WORD}]) )
    | (?P<tag> [;()\\] )
    )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_NESTED = re.compile(r"/\*|\*/")
_FUNCTION = re.compile(r"create\s+(?:or\s+replace\s+)?(?:function|procedure)\b", re.IGNORECASE)
_COMMAND = re.compile(r"\\([^\s\\]*)[ \t]*([^\n]*)")
_END_OF_ROWS = re.compile(r"^\\\.\r?$", re.MULTILINE)
_ARGUMENT = re.compile(
    r"""'(?P<single>(?:[^'\\]|\\.|'')*)' | "(?P<double>[^"]*)" | :'(?P<literal>\w+)' | (?P<word>[^\s'"]+)
    | (?P<space>\s+)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, and the line it begins on.

    Attributes:
        text: without its semicolon.
        line: counted from 1.
        plain: whether it is one as it stands in the file, in which no variable was replaced.
    """

    text: str
    line: int
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Command:
    """A command of psql's: its name without the backslash, the rest of its line, and where it stands.

    Attributes:
        pending: the statement before it that no semicolon has ended; the command takes it by `take_pending`.
    """

    name: str
    rest: str
    line: int
    pending: Statement | None


class Reader:
    """Gives what a script holds, one after the other.

    Args:
        text: the script.
        variables: psql's; a reference to one is replaced by its value. May change between two items.
    """

    def __init__(self, text: str, variables: MutableMapping[str, str]) -> None:
        self._text = text
        self._variables = variables
        self._at = 0
        self._counted = (0, 1)
        self._clear()
        self.unknown: set[str] = set()
        """Variables the last statement refers to that are not set."""

    def _clear(self) -> None:
        self._start: int | None = None
        self._from = self._at
        self._parts: list[str] = []
        self._parentheses = self._blocks = 0

    def __iter__(self) -> Iterator[Statement | Command]:
        while (item := self._next()) is not None:
            yield item

    def _next(self) -> Statement | Command | None:
        text = self._text
        if self._start is None:
            self.unknown = set()
        while (match := _TOKEN.search(text, self._at)) is not None:
            self._notice(self._at, match.start())
            kind, begin, end = match.lastgroup, match.start(), match.end()
            kind = "variable" if match["variable"] else kind
            if kind == "comment":
                if match[0] == "/*":
                    end = self._after_comment(end)
                if self._start is None:
                    self._from = end
                self._at = end
                continue
            if kind == "tag" and match[0] == "\\" and text[end : end + 1] not in (";", ":"):
                return self._command(begin)
            if self._start is None and (kind != "tag" or match[0] != ";"):
                self._start = begin
            self._at = end
            if kind == "dollar":
                closing = text.find(match[0], end)
                self._at = len(text) if closing < 0 else closing + len(match[0])
            elif kind == "variable":
                self._replace(match)
            elif kind == "block":
                self._count_block(match[0].lower())
            elif kind == "tag":
                if match[0] == "\\":
                    self._put(begin, end + 1, text[end])
                elif match[0] != ";":
                    self._parentheses = max(0, self._parentheses + (1 if match[0] == "(" else -1))
                elif self._parentheses == 0 and self._blocks == 0:
                    found = self._taken(begin)
                    if found is not None:
                        return found
        self._notice(self._at, len(text))
        self._at = len(text)
        return self._taken(self._at)

    def take_pending(self) -> None:
        """Leave the statement that a command has used."""
        self._clear()

    def rows(self) -> tuple[str, int]:
        """Take the rows of the COPY just given, the lines below it up to ``\\.``, and return their line."""
        text = self._text
        line_end = text.find("\n", self._at)
        if line_end < 0:
            return "", self._line(len(text))
        begin = line_end + 1
        closing = _END_OF_ROWS.search(text, begin)
        end = closing.start() if closing else len(text)
        after = closing.end() if closing else len(text)
        rows, line = text[begin:end], self._line(begin)
        if text[self._at : line_end].strip():
            # More of the script stands behind the COPY, on its line: the rows make way, lines still count.
            blank = "\n" * text.count("\n", begin, after)
            self._text = text[:begin] + blank + text[after:]
        else:
            self._at = self._from = after
        return rows, line

    def _notice(self, begin: int, end: int) -> None:
        if self._start is None:
            between = self._text[begin:end].lstrip()
            if between:
                self._start = end - len(between)

    def _after_comment(self, at: int) -> int:
        depth = 1
        while depth:
            match = _NESTED.search(self._text, at)
            if match is None:
                return len(self._text)
            depth += 1 if match[0] == "/*" else -1
            at = match.end()
        return at

    def _replace(self, match: re.Match[str]) -> None:
        if match["asked"]:
            self._put(match.start(), match.end(), "TRUE" if match["asked"] in self._variables else "FALSE")
            return
        name = match["plain"] or match["literal"] or match["identifier"]
        value = self._variables.get(name)
        if value is None:
            if not match["plain"]:
                self.unknown.add(name)
            return
        if match["literal"]:
            value = literal(value)
        elif match["identifier"]:
            value = '"' + value.replace('"', '""') + '"'
        self._put(match.start(), match.end(), value)

    def _put(self, begin: int, end: int, instead: str) -> None:
        start = max(self._from, self._start or 0)
        self._parts += [self._text[start:begin], instead]
        self._from = self._at = end

    def _count_block(self, word: str) -> None:
        if self._start is None or self._parentheses:
            return
        if word == "begin":
            self._blocks += _FUNCTION.match(self._text, self._start) is not None
        elif self._blocks:
            self._blocks += 1 if word == "case" else -1

    def _taken(self, end: int) -> Statement | None:
        found = self._pending(end)
        self._clear()
        return found

    def _pending(self, end: int) -> Statement | None:
        if self._start is None:
            return None
        text = "".join([*self._parts, self._text[max(self._from, self._start) : end]]).rstrip()
        return Statement(text, self._line(self._start), not self._parts) if text else None

    def _command(self, begin: int) -> Command:
        match = _COMMAND.match(self._text, begin)
        assert match is not None
        pending = self._pending(begin)
        if pending is None:
            self._at = match.end()
            self._clear()
        else:
            self._put(begin, match.end(), "")
        return Command(match[1], match[2].strip(), self._line(begin), pending)

    def _line(self, at: int) -> int:
        place, line = self._counted
        if at < place:
            return self._text.count("\n", 0, at) + 1
        self._counted = (at, line + self._text.count("\n", place, at))
        return self._counted[1]


def literal(value: str) -> str:
    """Return *value* as an SQL string."""
    quoted = "'" + value.replace("'", "''") + "'"
    return " E" + quoted.replace("\\", "\\\\") if "\\" in value else quoted


def arguments(rest: str, variables: MutableMapping[str, str]) -> list[str]:
    """Return the arguments of a command, without their quotes and with variables replaced."""
    found: list[str] = []
    joined = False
    for match in _ARGUMENT.finditer(rest):
        if match["space"]:
            joined = False
            continue
        if match["single"] is not None:
            value = re.sub(r"\\(.)", r"\1", match["single"].replace("''", "'"))
        elif match["double"] is not None:
            value = match["double"]
        elif match["literal"]:
            value = literal(variables.get(match["literal"], ""))
        else:
            word = match["word"]
            asked = re.fullmatch(r":\{\?(\w+)\}", word)
            known = word.startswith(":") and word[1:] in variables
            value = str(asked[1] in variables) if asked else variables[word[1:]] if known else word
        if joined:
            found[-1] += value
        else:
            found.append(value)
        joined = True
    return found
