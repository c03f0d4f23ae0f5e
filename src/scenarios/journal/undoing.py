"""What puts a table back: the rows that remain when everything that cancels is gone.

A restore that built its SQL each time would parse and plan for longer than it works; one that kept only keys
and oldest images would depend on the order in which triggers fire, which a trigger that writes to the same
table, a cascade, or a function in a RETURNING clause turns round. So the SQL is generated once per table with
its columns written out, and the undo rows are counted, not ordered. Summed over a stretch of time per
distinct row, whatever is positive was there before and is gone, whatever is negative is there now and was
not; everything else cancels.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from scenarios.journal.tracked import Tracked, comma, own, raw

# The undo rows that count: since the mark, without the stretches that were undone already. The parameters go
# by number, for a column of the table may have any name.
_WINDOW = sql.SQL("u.n >= $1 AND NOT u.n OPERATOR(pg_catalog.<@) $2")

# Whatever statistics say, each undo row looks up its row of the table by an index, and never the other way
# round: an index can be read from end to end like a table, but a bitmap scan needs something to look for.
# Statistics say that a table is empty when a vacuum found it so, however many rows a test has written since.
_LOOK_UP = (
    "SET enable_hashjoin = off SET enable_mergejoin = off"
    " SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off"
)

# Where no index can be trusted to find a row, the table is read once, which costs by its size.
_READ_ALL = (
    " SET enable_nestloop = off SET enable_hashjoin = on SET enable_mergejoin = on SET enable_seqscan = on"
)

# To a planner who takes the table for small, any index that has a column of the key looks as good as the
# key's. One on `tenant` then gives every row of the tenant for each row looked for. Hence many rows, two for
# each page of the table or more, are looked for by reading it once.
_MANY = """IF put_there > 100 AND put_there * 4096 >= (
        SELECT sum(pg_relation_size(m.relation)) FROM scenarios_journal.members m WHERE m.tracked = {number})
    THEN
        RETURN {many}($1, $2);
    END IF;
    """

# Most tests only insert into a table, only delete from it, or update some of its rows once. Then nothing
# cancels, and the sums, which need the text of every row, are left out.
_RESTORER = """
DECLARE
    put_there bigint;
    taken_away bigint;
    met boolean := false;
    expected bigint;
    removed bigint := 0;
    returned bigint := 0;
    others bigint := 0;
BEGIN
    SELECT count(*) FILTER (WHERE u.op < 0), count(*) FILTER (WHERE u.op > 0)
      INTO put_there, taken_away FROM {undo} u WHERE {window};
    IF put_there = 0 AND taken_away = 0 THEN
        RETURN 0;
    END IF;
    {many}expected := put_there;{silence}
    IF put_there = 0{and_sure} THEN
        {insert} SELECT {undo_columns} FROM {undo} u WHERE {window};
        returned := taken_away;{only_inserted}
    ELSE{only_updated}
        IF NOT met THEN
            WITH net AS MATERIALIZED (
                SELECT * FROM {net}($1, 9223372036854775807, $2)
            ), gone AS (
                {gone}
            ), back AS (
                {insert} SELECT {net_columns} FROM net
                 WHERE net.op > 0 AND (SELECT count(*) FROM gone) >= 0  -- which makes it the second
             RETURNING {returning}
            )
            SELECT (SELECT count(*) FROM net WHERE net.op < 0), (SELECT count(*) FROM gone),
                   (SELECT count(*) FROM back), {others}
              INTO expected, removed, returned, others;
        END IF;
    END IF;{speak}
    IF expected <> removed THEN
        RAISE EXCEPTION '%', {missing} USING ERRCODE = 'SJ001';
    END IF;
    IF others > 0 THEN
        RAISE EXCEPTION '%', {computed_otherwise} USING ERRCODE = 'SJ001';
    END IF;
    RETURN removed + returned;
END
"""

_ONLY_INSERTED = """
    ELSIF taken_away = 0 THEN
        DELETE FROM {target} t USING {undo} u WHERE {window} AND {same_key};
        GET DIAGNOSTICS removed = ROW_COUNT;"""

# An UPDATE leaves those indexes alone whose columns did not change; a row taken away and put back never does.
# It fits where each key was taken away once and put there once. It passes over rows in which a value changed
# that has to be unique, since two that swapped theirs would collide, and over those that did not change.
# Unless it met every pair, the sums do the rest: they say what is right, and find it done where it is.
_ONLY_UPDATED = """
        IF put_there = taken_away AND put_there = (
            SELECT count(*) FROM (
                SELECT FROM {undo} u WHERE {window} GROUP BY {undo_key} HAVING count(*) = 2) p)
        THEN
            UPDATE {target} t SET {assignments} FROM {undo} u
             WHERE {window} AND u.op > 0 AND {same_key} AND pg_catalog.record_image_eq({fixed}, {undo_fixed})
               AND pg_catalog.record_image_ne({free}, {undo_free});
            GET DIAGNOSTICS removed = ROW_COUNT;
            returned := removed;
            met := removed = expected;
        END IF;"""

_GONE_BY_KEY = "DELETE FROM {target} t USING net WHERE net.op < 0 AND {same_key} RETURNING 1"
# No key: as many rows of the same content as there are too many, wherever they lie.
_GONE_BY_CONTENT = """DELETE FROM {target} t USING (
                SELECT f.tableoid AS part, f.ctid AS spot, b.surplus,
                       row_number() OVER (PARTITION BY b.content) AS place
                  FROM {target} f JOIN (
                       SELECT net.content, count(*) AS surplus FROM net WHERE net.op < 0
                        GROUP BY net.content) b
                    ON {content} COLLATE "C" = b.content) a
             WHERE t.tableoid = a.part AND t.ctid = a.spot AND a.place <= a.surplus RETURNING 1"""
# What comes back has to have the values it had, in the columns that compute themselves, too.
_COMPUTED_OTHERWISE = """(SELECT count(*) FROM (
                       SELECT net.content FROM net WHERE net.op > 0
                       EXCEPT ALL SELECT back.content FROM back) z)"""


def undoing(tracked: Tracked) -> sql.Composed:
    """Compose what puts a table back, as statements separated by semicolons."""
    return sql.Composed([_net(tracked), _restorer(tracked)])


def _net(tracked: Tracked) -> sql.Composed:
    """`n_<number>(since, until, dead)`: the rows that remain when everything that cancels is gone."""
    entry = sql.SQL(
        'SELECT u.op, {content} COLLATE "C" AS content{columns} FROM {undo} u'
        " WHERE u.n >= since AND u.n < until AND NOT u.n OPERATOR(pg_catalog.<@) dead"
    ).format(
        content=tracked.content(tracked.undo_columns_of("u")),
        columns=sql.Composed([sql.SQL(", {}").format(column) for column in tracked.undo_columns_of("u")]),
        undo=tracked.undo,
    )
    result: list[sql.Composable] = [sql.SQL("op smallint"), sql.SQL("content text")]
    result += [
        sql.SQL("{} {}").format(column, raw(tracked.plain_type(place)))
        for place, column in enumerate(tracked.undo_columns)
    ]
    columns = sql.Composed([sql.SQL(", {}").format(column) for column in tracked.undo_columns_of("w")])
    body = sql.SQL(
        "SELECT w.op, w.content{columns} FROM ("
        " SELECT e.*, sum(e.op) OVER (PARTITION BY e.content) AS net,"
        " row_number() OVER (PARTITION BY e.content, e.op) AS place FROM ({entry}) e"
        ") w WHERE w.place <= w.net * w.op"
    ).format(columns=columns, entry=entry)
    return tracked.function(
        sql.SQL(
            "CREATE FUNCTION {}(since bigint, until bigint, dead int8multirange) RETURNS TABLE ({})"
            " LANGUAGE sql STABLE"
        ).format(own("n", tracked.number), comma(result)),
        body,
    )


def _restorer(tracked: Tracked) -> sql.Composed:
    """`r_<number>(since, dead)`: put the table back; returns how many rows that took."""
    table = tracked.table
    target = sql.SQL("{}{}").format(sql.SQL("ONLY " if table.inherits else ""), table.identifier)
    insert = (
        sql.SQL("INSERT INTO {} AS t ({}) OVERRIDING SYSTEM VALUE").format(
            table.identifier, comma(tracked.columns)
        )
        if table.names
        else sql.SQL("INSERT INTO {}").format(table.identifier)
    )
    only_inserted, only_updated = sql.Composed([]), sql.Composed([])
    if table.key:
        gone = sql.SQL(_GONE_BY_KEY).format(target=target, same_key=_same_key(tracked, "net"))
        same_key = _same_key(tracked, "u")
        only_inserted = sql.SQL(_ONLY_INSERTED).format(
            target=target, undo=tracked.undo, window=_WINDOW, same_key=same_key
        )
        if not table.computed:
            only_updated = _updater(tracked, target)
    else:
        gone = sql.SQL(_GONE_BY_CONTENT).format(
            target=target, content=tracked.content(tracked.columns_of("f"))
        )
    kept = len(table.names)
    parts: dict[str, sql.Composable] = {
        "undo": tracked.undo,
        "window": _WINDOW,
        "silence": _switched(tracked, "DISABLE"),
        "speak": _switched(tracked, "ENABLE"),
        "only_updated": only_updated,
        "only_inserted": only_inserted,
        "insert": insert,
        "net": own("n", tracked.number),
        "gone": gone,
        "undo_columns": comma(tracked.undo_columns_of("u")[:kept]),
        "net_columns": comma(tracked.undo_columns_of("net")[:kept]),
        "and_sure": sql.SQL(" AND false" if table.computed else ""),
        "returning": sql.SQL("{} AS content").format(tracked.content(tracked.columns_of("t")))
        if table.computed
        else sql.SQL("1"),
        "others": sql.SQL(_COMPUTED_OTHERWISE if table.computed else "0"),
        "computed_otherwise": sql.Literal(
            f"a generated column of {table.label} would come back with another value: it was computed under"
            " other settings, or its function has changed since"
        ),
        "missing": sql.Literal(
            f"rows of {table.label} are not as the journal knows them: they were written past its triggers"
        ),
    }

    def function(name: str, settings: str, many: sql.Composable) -> sql.Composed:
        return tracked.function(
            sql.SQL(
                "CREATE FUNCTION {}(since bigint, dead int8multirange) RETURNS bigint LANGUAGE plpgsql{}"
            ).format(own(name, tracked.number), raw(settings)),
            sql.SQL(_RESTORER).format(**parts, many=many),
        )

    if not table.key_rivals:
        return function("r", "" if table.key else _READ_ALL, sql.SQL(""))
    many = sql.SQL(_MANY).format(number=tracked.number, many=own("m", tracked.number))
    return function("r", "", many) + function("m", _READ_ALL, sql.SQL(""))


def _updater(tracked: Tracked, target: sql.Composed) -> sql.Composed:
    table = tracked.table
    fixed = frozenset(table.fixed)
    free = [place for place in range(len(table.names)) if place not in fixed]
    if not free or not table.key_groups:
        return sql.Composed([])

    theirs, undo = tracked.columns_of("t"), tracked.undo_columns_of("u")
    # Rows are compared as they are stored, which needs equal types: domains are left behind.
    plain = [
        sql.SQL("{}::{}").format(column, raw(tracked.plain_type(place)))
        for place, column in enumerate(theirs)
    ]

    def row(columns: Sequence[sql.Composable], places: Sequence[int]) -> sql.Composed:
        return sql.SQL("ROW({})").format(comma([columns[place] for place in places]))

    return sql.SQL(_ONLY_UPDATED).format(
        target=target,
        undo=tracked.undo,
        window=_WINDOW,
        undo_key=comma([undo[place] for place in table.key]),
        same_key=_same_key(tracked, "u"),
        fixed=row(plain, table.fixed),
        undo_fixed=row(undo, table.fixed),
        free=row(plain, free),
        undo_free=row(undo, free),
        assignments=comma(
            [sql.SQL("{} = {}").format(sql.Identifier(table.names[place]), undo[place]) for place in free]
        ),
    )


def _same_key(tracked: Tracked, alias: str) -> sql.Composed:
    """The condition that the row *t* of the table has the key of a row of *alias*."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} {} {}{}").format(
            sql.Identifier("t", tracked.table.names[place]),
            raw(operator),
            sql.Identifier(alias, f"c{place + 1}"),
            raw(_collation(tracked, place)),
        )
        for place, operator in zip(tracked.table.key, tracked.table.operators, strict=True)
    )


def _collation(tracked: Tracked, place: int) -> str:
    # A function's result has the default collation, and two that differ cannot be compared.
    _, collate, name = tracked.table.types[place].partition(" COLLATE ")
    return collate + name


def _switched(tracked: Tracked, to: str) -> sql.Composed:
    """Statements that silence triggers and rules that would fire even now, or give them their mode back."""
    return sql.Composed(
        [
            raw(
                f"\n    ALTER TABLE ONLY {relation} {to}{f' {mode}' if to == 'ENABLE' else ''} {kind} {name};"
            )
            for relation, kind, name, mode in tracked.table.loud
        ]
    )


def dispatcher(numbers: Sequence[int]) -> sql.Composed:
    """Compose `undo(which, since, dead)`, which calls the restorer of tracked table *which*.

    A call by name would be parsed and planned each time. This is a tree of comparisons whose leaves are
    calls, so any of a thousand tables is ten comparisons away. Leaves of dropped tables are not reached.
    """
    body = sql.SQL("\nBEGIN\n{}\nEND\n").format(_branch(sorted(numbers)))
    return sql.SQL(
        "CREATE OR REPLACE FUNCTION scenarios_journal.undo(which integer, since bigint, dead int8multirange)"
        " RETURNS bigint LANGUAGE plpgsql {} AS {};\n"
    ).format(sql.SQL(_LOOK_UP), sql.Literal(body.as_string(None)))


def _branch(numbers: Sequence[int]) -> sql.Composed:
    if not numbers:
        return sql.Composed([sql.SQL("RETURN 0;")])
    if len(numbers) == 1:
        return sql.SQL("RETURN {}(since, dead);").format(own("r", numbers[0]))
    middle = len(numbers) // 2
    return sql.SQL("IF which < {} THEN {} ELSE {} END IF;").format(
        numbers[middle], _branch(numbers[:middle]), _branch(numbers[middle:])
    )
