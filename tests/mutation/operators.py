"""The small changes that are tried: in Python by its syntax tree, in SQL by its words."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One change to a text: the characters from *start* to *end* become *new*."""

    start: int
    end: int
    new: str
    operator: str
    within: str = ""
    """The change itself, where it is a small part of what is replaced."""

    def applied(self, text: str) -> str:
        """Return *text* with the change made."""
        return text[: self.start] + self.new + text[self.end :]

    def shown(self, text: str) -> str:
        """Return line, operator, and what becomes of what, on one line."""
        change = self.within or f"{text[self.start : self.end]} -> {self.new}"
        return f"{text.count(chr(10), 0, self.start) + 1}: {self.operator}: {' '.join(change.split())}"


_SQL = re.compile(r"\b(?:SELECT|WHERE|ORDER BY|UPDATE|DELETE FROM|CREATE|LOCK TABLE|JOIN)\b|^\s*AND\b")
_WORDS = (
    (r"\bIS NOT DISTINCT FROM\b", "="),
    (r"\bIS DISTINCT FROM\b", "<>"),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r"(?<=pg_catalog\.)<>(?=\))|(?<= )<>(?= )", "="),
    (r"(?<=pg_catalog\.)=(?=\))", "<>"),
    (r"(?<= )<=(?= )", "<"),
    (r"(?<= )>=(?= )", ">"),
    (r"(?<= )<(?= )", "<="),
    (r"(?<= )>(?= )", ">="),
    (r"(?<= [+-] )1\b", "2"),
    (r"\bNOT (?=EXISTS|\(|\w+\.)(?<!IF NOT )", ""),
    (r" DESC\b", ""),
    (r"(?<=[ (])true\b", "false"),
    (r"(?<=[ (])false\b", "true"),
    (r"\bRAISE EXCEPTION [^;]*;", "NULL;"),
    (r"\bREPEATABLE READ\b", "READ COMMITTED"),
)
_CLAUSE_ENDS = re.compile(
    r"\b(?:AND|OR|ORDER|GROUP|HAVING|THEN|LIMIT|RETURNING|UNION|EXCEPT|WHERE|LOOP|FOR|LEFT|JOIN|END|ELSE|WHEN"
    r"|INTO|SET|LANGUAGE|FROM)\b|;|\$\$"
)


def of_sql(text: str) -> Iterator[Mutant]:
    """Yield the changes to SQL: other comparisons, conditions and orders dropped, refusals that are not."""
    comments = [match.span() for match in re.finditer(r"--[^\n]*", text)]

    def told(match: re.Match[str]) -> bool:
        return any(start <= match.start() < end for start, end in comments)

    for pattern, new in _WORDS:
        for match in re.finditer(pattern, text):
            if not told(match):
                yield Mutant(*match.span(), new, "SQL word")
    for match in re.finditer(r"\b(WHERE|AND|ORDER BY)\s", text):
        if told(match) or "BETWEEN" in text[max(0, match.start() - 60) : match.start()]:
            continue
        end = _end_of_clause(text, match.end())
        if match[1] == "WHERE":
            yield Mutant(match.end(), end, "true ", "SQL condition dropped")
        else:
            operator = "SQL order dropped" if match[1] == "ORDER BY" else "SQL condition dropped"
            yield Mutant(match.start(), end, "", operator)


def _end_of_clause(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth < 0 or (depth == 0 and _CLAUSE_ENDS.match(text, at) and re.match(r"\W", text[at - 1])):
            return at
    return len(text)


_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def of_python(text: str) -> Iterator[Mutant]:
    """Yield the changes to a module; not what only type checkers read."""
    tree = ast.parse(text)
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = text.splitlines()

    def place(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    def span(node: ast.expr | ast.stmt) -> tuple[int, int]:
        end = place(node.end_lineno or 1, node.end_col_offset or 0)
        return place(node.lineno, node.col_offset), end

    for node in _behaving(tree):
        start, end = span(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQL.search(node.value):
            for change in of_sql(node.value):
                what = f"{node.value[change.start : change.end]} -> {change.new}"
                yield Mutant(start, end, f"({change.applied(node.value)!r})", change.operator, what)
        for new, operator in _changed(node):
            yield Mutant(
                start, end, "pass" if isinstance(new, ast.Pass) else f"({ast.unparse(new)})", operator
            )
        if isinstance(node, ast.If):
            yield Mutant(*span(node.test), "False", "condition never met")


def _behaving(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield the nodes under *node* that say what happens."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            # The places inside an f-string are wrong before Python 3.12.
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            if isinstance(child, ast.expr | ast.stmt):
                yield child
            yield from _behaving(child)


def _changed(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _FLIPPED:
            new = copy.deepcopy(node)
            new.ops = [_FLIPPED[type(op)]()]
            yield new, "comparison flipped"
        case ast.BoolOp(values=values):
            for left_out in range(len(values)):
                rest = [value for at, value in enumerate(values) if at != left_out]
                yield (rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)), "condition dropped"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand, "not dropped"
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value), "boolean flipped"
        case ast.Constant(value=int(number)):
            yield ast.Constant(number + 1), "off by one"
        case ast.BinOp(left=left, op=ast.Sub() | ast.BitOr() | ast.BitAnd()):
            yield left, "operand dropped"
        case ast.Call(func=ast.Name(id="sorted"), args=[what]):
            yield ast.Call(ast.Name("list"), [what], []), "order dropped"
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            if any(part.ifs for part in node.generators):
                every = copy.deepcopy(node)
                for part in every.generators:
                    part.ifs = []
                yield every, "filter dropped"
        case ast.Raise() | ast.AugAssign() | ast.Continue() | ast.Break() | ast.Delete():
            yield ast.Pass(), "statement deleted"
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield ast.Pass(), "statement deleted"
