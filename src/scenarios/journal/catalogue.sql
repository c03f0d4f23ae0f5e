-- One row for each table whose rows can be journalled: ordinary tables, and partition trees by their root.
-- What belongs to one table is looked up by an index, whatever statistics say (hence = ANY (array) and not IN
-- (SELECT ..)): a part that reads a whole catalogue for each table takes seconds where there are thousands.
WITH RECURSIVE bases AS (
    SELECT t.oid, t.typbasetype AS base, t.typtypmod AS typmod FROM pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT b.oid, t.typbasetype, t.typtypmod FROM bases b JOIN pg_type t ON t.oid = b.base WHERE t.typtype = 'd'
),
domains AS MATERIALIZED (
    SELECT b.oid, b.base, b.typmod FROM bases b JOIN pg_type t ON t.oid = b.base WHERE t.typtype <> 'd'
),
columns AS NOT MATERIALIZED (
    SELECT a.attrelid, a.attnum::integer, a.attname::text AS name, a.attgenerated,
           format_type(coalesce(d.base, a.atttypid), CASE WHEN d.oid IS NULL THEN a.atttypmod ELSE d.typmod END)
           || CASE WHEN a.attcollation NOT IN (0, 100)
              THEN (SELECT format(' COLLATE %I.%I', cn.nspname, co.collname) FROM pg_collation co
                      JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation)
              ELSE '' END AS type,
           format_type(a.atttypid, a.atttypmod) AS declared
      FROM pg_attribute a LEFT JOIN domains d ON d.oid = a.atttypid
     WHERE a.attnum > 0 AND NOT a.attisdropped
)
SELECT c.oid::bigint AS relation,
       n.nspname AS schema_name,
       c.relname AS table_name,
       c.relkind = 'p' AS partitioned,
       c.relkind <> 'p' AND (EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
           OR EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)) AS inherits,
       EXISTS (SELECT FROM pg_subscription_rel sr WHERE sr.srrelid = ANY (tree.relations)) AS subscribed,
       c.relpersistence = 'u' AS unlogged,
       EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                  AND d.refclassid = 'pg_extension'::regclass AND NOT c.oid = ANY (coalesce(e.extconfig, '{}')))
           AS inside_extension,
       c.relforcerowsecurity OR c.relrowsecurity AS row_security,
       cols.names, cols.types, cols.declared,
       made.names AS computed, made.types AS computed_types,
       keys.positions AS key_positions, keys.operators AS key_operators, keys.groups AS key_groups,
       keys.rivals AS key_rivals,
       held.positions AS fixed_positions,
       parts.members,
       parts.foreign_members,
       loud.switches
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL (
      SELECT CASE WHEN c.relkind = 'p' THEN ARRAY(SELECT pt.relid::oid FROM pg_partition_tree(c.oid) pt)
                  ELSE ARRAY[c.oid] END AS relations
       OFFSET 0  -- once for each table
  ) tree
  CROSS JOIN LATERAL (
      SELECT coalesce(array_agg(a.name ORDER BY a.attnum), '{}') AS names,
             coalesce(array_agg(a.attnum ORDER BY a.attnum), '{}') AS numbers,
             coalesce(array_agg(a.type ORDER BY a.attnum), '{}') AS types,
             coalesce(array_agg(a.declared ORDER BY a.attnum), '{}') AS declared
        FROM columns a WHERE a.attrelid = c.oid AND a.attgenerated = ''
  ) cols
  CROSS JOIN LATERAL (
      -- Stored columns that may be computed otherwise another time: by functions that are not PostgreSQL's own.
      SELECT coalesce(array_agg(a.name ORDER BY a.attnum), '{}') AS names,
             coalesce(array_agg(a.type ORDER BY a.attnum), '{}') AS types
        FROM columns a WHERE a.attrelid = c.oid AND a.attgenerated = 's' AND EXISTS (
             SELECT FROM pg_attrdef ad JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid
               JOIN pg_attribute pa ON pa.attrelid = ad.adrelid AND pa.attnum = ad.adnum
              WHERE ad.adrelid = ANY (tree.relations)
                AND pa.attname = a.name AND d.refclassid <> 'pg_class'::regclass)
  ) made
  LEFT JOIN LATERAL (
      -- The key that tells rows apart: immediate, whole, never null; the primary key if it is one.
      SELECT array_agg(array_position(cols.numbers, k.attnum::integer) ORDER BY k.place) AS positions,
             array_agg(k.operator ORDER BY k.place) AS operators,
             bool_and(k.groups) AS groups,
             bool_or(k.rivals) AS rivals
        FROM (
            SELECT i.indexrelid, i.indrelid, i.indkey, i.indclass, i.indcollation, i.indnkeyatts
              FROM pg_index i
              JOIN pg_class ic ON ic.oid = i.indexrelid
              JOIN pg_am am ON am.oid = ic.relam AND am.amname = 'btree'
             WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
               AND i.indpred IS NULL AND i.indexprs IS NULL
               AND NOT EXISTS (
                   SELECT FROM generate_series(0, i.indnkeyatts - 1) g
                     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[g]
                    WHERE NOT a.attnotnull OR a.attgenerated <> '' OR a.attcollation <> i.indcollation[g])
             ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
             LIMIT 1
        ) i
        CROSS JOIN LATERAL (
            SELECT g AS place, i.indkey[g] AS attnum,
                   -- Another index that has the column and does not begin with the whole key.
                   EXISTS (
                       SELECT FROM pg_index o
                         JOIN pg_attribute oa ON oa.attrelid = o.indrelid AND oa.attnum = ANY (o.indkey)
                         JOIN pg_attribute ka ON ka.attrelid = i.indrelid AND ka.attnum = i.indkey[g]
                                             AND ka.attname = oa.attname
                        WHERE o.indrelid = ANY (tree.relations)
                          AND (SELECT array_agg(xa.attname ORDER BY xa.attname)
                                 FROM generate_series(0, i.indnkeyatts - 1) x
                                 JOIN pg_attribute xa ON xa.attrelid = o.indrelid AND xa.attnum = o.indkey[x])
                              IS DISTINCT FROM
                              (SELECT array_agg(xa.attname ORDER BY xa.attname)
                                 FROM generate_series(0, i.indnkeyatts - 1) x
                                 JOIN pg_attribute xa ON xa.attrelid = i.indrelid AND xa.attnum = i.indkey[x])
                   ) AS rivals,
                   format('OPERATOR(%I.%s)', opn.nspname, op.oprname) AS operator,
                   oc.opcdefault AS groups
              FROM generate_series(0, i.indnkeyatts - 1) g
              JOIN pg_opclass oc ON oc.oid = i.indclass[g]
              JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
                             AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
              JOIN pg_operator op ON op.oid = ao.amopopr
              JOIN pg_namespace opn ON opn.oid = op.oprnamespace
        ) k
  ) keys ON true
  CROSS JOIN LATERAL (
      SELECT coalesce(array_agg(ARRAY[m.oid::bigint::text, format('%I.%I', mn.nspname, m.relname), m.relkind::text]
                                ORDER BY m.oid) FILTER (WHERE m.relkind IN ('r', 'p')), '{}') AS members,
             coalesce(array_agg(format('%I.%I', mn.nspname, m.relname)) FILTER (WHERE m.relkind = 'f'), '{}')
                 AS foreign_members
        FROM pg_class m JOIN pg_namespace mn ON mn.oid = m.relnamespace
       WHERE m.oid = ANY (tree.relations)
  ) parts
  CROSS JOIN LATERAL (
      -- Columns of whatever has to be unique, here or in a partition, also through expressions and predicates,
      -- and identity columns that take no value from an UPDATE.
      SELECT coalesce(array_agg(DISTINCT array_position(cols.names, x.name)), '{}') AS positions
        FROM (
            SELECT a.attname::text AS name
              FROM pg_index i
              CROSS JOIN LATERAL (
                  SELECT i.indkey[g] AS attnum FROM generate_series(0, i.indnkeyatts - 1) g
                  UNION ALL
                  SELECT d.refobjsubid FROM pg_depend d
                   WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                     AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid) k
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND a.attnum > 0
             WHERE i.indrelid = ANY (tree.relations) AND (i.indisunique OR i.indisexclusion)
            UNION ALL
            SELECT a.attname FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attidentity = 'a' AND NOT a.attisdropped
        ) x
       WHERE x.name = ANY (cols.names)
  ) held
  CROSS JOIN LATERAL (
      -- Triggers and rules that fire even where session_replication_role says replica.
      SELECT coalesce(array_agg(ARRAY[x.on_relation, x.kind, quote_ident(x.name), x.mode]
                                ORDER BY x.on_relation, x.name), '{}') AS switches
        FROM (
            SELECT format('%I.%I', mn.nspname, m.relname) AS on_relation, 'TRIGGER' AS kind, t.tgname AS name,
                   CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END AS mode
              FROM pg_trigger t
              JOIN pg_class m ON m.oid = t.tgrelid AND m.relkind IN ('r', 'p')
              JOIN pg_namespace mn ON mn.oid = m.relnamespace
             WHERE t.tgrelid = ANY (tree.relations) AND t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal AND t.tgname !~ '^scenarios_journal_'
            UNION ALL
            SELECT format('%I.%I', n.nspname, c.relname), 'RULE', r.rulename,
                   CASE r.ev_enabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END
              FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_enabled IN ('A', 'R')
        ) x
  ) loud
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'scenarios_journal')
 ORDER BY c.oid
