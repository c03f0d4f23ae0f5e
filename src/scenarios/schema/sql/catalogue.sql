-- Every object a person can create in a database, as (kind, name, definition), one row for each.
-- Left out: what belongs to the system or an extension, and what PostgreSQL makes by itself for something else
-- in the list (an index behind a constraint, a sequence behind an identity column, the row type of a table).
WITH schemas AS (
    SELECT n.oid, n.nspname AS name
      FROM pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT n.nspname = ANY (%(ignored_schemas)s)
), extension_members AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relations AS (
    SELECT c.*, s.name || '.' || c.relname AS full_name
      FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
     WHERE NOT c.relname = ANY (%(ignored_tables)s)
       AND NOT EXISTS (SELECT FROM extension_members e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid)
)
SELECT 'schema'::text AS kind, name::text AS name, ''::text AS definition FROM schemas WHERE name <> 'public'
UNION ALL
SELECT 'extension', extname, '' FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL
SELECT 'table', r.full_name,
       concat_ws(' ',
           CASE r.relkind WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(r.oid) ELSE 'plain' END,
           CASE r.relpersistence WHEN 'u' THEN 'unlogged' END,
           CASE WHEN r.relrowsecurity THEN 'row security' END,
           CASE WHEN r.relforcerowsecurity THEN 'forced' END,
           (SELECT string_agg('of ' || i.inhparent::regclass::text, ' ') FROM pg_inherits i WHERE i.inhrelid = r.oid),
           pg_get_expr(r.relpartbound, r.oid),
           array_to_string(r.reloptions, ','))
  FROM relations r WHERE r.relkind IN ('r', 'p')
UNION ALL
SELECT 'columns', r.full_name, string_agg(a.attname, ', ' ORDER BY a.attnum)
  FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE r.relkind IN ('r', 'p') GROUP BY r.full_name
UNION ALL
SELECT 'column', r.full_name || '.' || a.attname,
       concat_ws(' ',
           format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::regcollation::text END,
           CASE WHEN a.attnotnull THEN 'not null' END,
           CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
           CASE a.attgenerated WHEN 's' THEN 'generated stored' WHEN 'v' THEN 'generated virtual' END,
           'default ' || pg_get_expr(d.adbin, d.adrelid))
  FROM relations r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE r.relkind IN ('r', 'p')
UNION ALL
-- NOT NULL is in the columns; its constraints (PostgreSQL 18) carry names nobody chose.
SELECT 'constraint', r.full_name || '.' || k.conname,
       concat_ws(' ', pg_get_constraintdef(k.oid), CASE WHEN NOT k.convalidated THEN 'not validated' END)
  FROM pg_constraint k JOIN relations r ON r.oid = k.conrelid
 WHERE k.contype <> 'n' AND k.conparentid = 0
UNION ALL
SELECT 'index', r.full_name,
       concat_ws(' ', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN 'invalid' END)
  FROM pg_index i JOIN relations r ON r.oid = i.indexrelid
 WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
   AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
UNION ALL
SELECT 'trigger', r.full_name || '.' || t.tgname,
       concat_ws(' ', pg_get_triggerdef(t.oid), CASE WHEN t.tgenabled <> 'O' THEN 'enabled ' || t.tgenabled::text END)
  FROM pg_trigger t JOIN relations r ON r.oid = t.tgrelid
  JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND NOT n.nspname = ANY (%(ignored_schemas)s)
UNION ALL
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
       s.name || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
       CASE WHEN p.prokind = 'a' THEN format_type(p.prorettype, NULL) ELSE pg_get_functiondef(p.oid) END
  FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
 WHERE NOT EXISTS (SELECT FROM extension_members e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid)
UNION ALL
SELECT CASE r.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, r.full_name,
       concat_ws(' ', pg_get_viewdef(r.oid), array_to_string(r.reloptions, ','))
  FROM relations r WHERE r.relkind IN ('v', 'm')
UNION ALL
SELECT 'policy', r.full_name || '.' || p.polname,
       concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, p.polcmd::text,
           'to ' || (SELECT string_agg(CASE x WHEN 0 THEN 'public' ELSE pg_get_userbyid(x) END, ', ' ORDER BY x)
                       FROM unnest(p.polroles) AS x),
           'using ' || pg_get_expr(p.polqual, p.polrelid),
           'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_policy p JOIN relations r ON r.oid = p.polrelid
UNION ALL
SELECT 'sequence', r.full_name,
       concat_ws(' ', format_type(q.seqtypid, NULL), 'start', q.seqstart, 'increment', q.seqincrement,
           'min', q.seqmin, 'max', q.seqmax, CASE WHEN q.seqcycle THEN 'cycle' END)
  FROM pg_sequence q JOIN relations r ON r.oid = q.seqrelid
 WHERE NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype = 'i')
UNION ALL
SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'type' END, s.name || '.' || t.typname,
       CASE t.typtype
           WHEN 'e' THEN (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
                            FROM pg_enum e WHERE e.enumtypid = t.oid)
           WHEN 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
                             CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault,
                             (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname)
                                FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))
           ELSE ''
       END
  FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
 WHERE t.typtype IN ('e', 'd', 'r')
   AND NOT EXISTS (SELECT FROM extension_members e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid)
UNION ALL
SELECT 'grants', r.full_name,
       (SELECT string_agg(CASE g.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(g.grantee) END
                          || ':' || g.privilege_type, ', '
                          ORDER BY g.grantee <> 0, pg_get_userbyid(g.grantee), g.privilege_type)
          FROM aclexplode(r.relacl) AS g WHERE g.grantee <> r.relowner)
  FROM relations r
 WHERE EXISTS (SELECT FROM aclexplode(r.relacl) AS g WHERE g.grantee <> r.relowner)
UNION ALL
SELECT 'event trigger', e.evtname,
       concat_ws(' ', e.evtevent, array_to_string(e.evttags, ','), p.proname)
  FROM pg_event_trigger e
  JOIN pg_proc p ON p.oid = e.evtfoid JOIN schemas s ON s.oid = p.pronamespace
UNION ALL
SELECT 'comment', coalesce(r.full_name || coalesce('.' || a.attname, ''), ''), d.description
  FROM pg_description d
  JOIN relations r ON d.classoid = 'pg_class'::regclass AND d.objoid = r.oid
  LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.objsubid AND d.objsubid > 0
ORDER BY 1, 2
