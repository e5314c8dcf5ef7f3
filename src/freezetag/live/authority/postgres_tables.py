"""The tables of a ledger in PostgreSQL, and every statement that is sent to them."""

from __future__ import annotations

VERSION = 1
CHANNEL = "freezetag"
FAILOVER = "interlock:failover"
"""Who presses for the fleet where the database is another one than before."""
MOST = 20_000
"""Records in one look."""
LOCK = 0x667265657A65  # of whoever makes the schema
UNREACHED = "the database was not reached yet."
SHORTER = (
    "the database holds fewer records than this node saw: it is an older copy, or lost what it had"
)
UNSIGNED = "the database holds records that no node of ours signed for: changed"
ALONE = (
    ". This ledger was begun without a synchronous standby, so nobody can say what was lost: serve "
    "a new folder, and enrol the agents there"
)
BEHIND = "there is more to read"
READ_WITHIN = 60.0
"""Seconds for a start to read the ledger, and for a page of it to come."""
SLACK = 5.0
PAGE = 1000
FROM = "SELECT i, record FROM freezetag.ledger WHERE i >= $1 AND i < $2 ORDER BY i"
AFTER = "SELECT i, record FROM freezetag.ledger WHERE i >= $1 ORDER BY i LIMIT $2"
ROWS = "SELECT name, i, life FROM freezetag.state"
STATE = "SELECT i, record FROM freezetag.state JOIN freezetag.ledger USING (i) ORDER BY i"
HEAD = "SELECT size, note, peaks, seal FROM freezetag.head"
NOTES = "SELECT size, note FROM freezetag.checkpoint ORDER BY size"
AT_ONE_MOMENT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
SCHEMA = """
CREATE SCHEMA freezetag;
CREATE TABLE freezetag.meta(one boolean PRIMARY KEY CHECK (one), version int NOT NULL,
  authority text NOT NULL, public bytea NOT NULL, system text NOT NULL, timeline bigint NOT NULL,
  synchronous boolean NOT NULL);
CREATE TABLE freezetag.head(one boolean PRIMARY KEY CHECK (one), size bigint NOT NULL,
  note text NOT NULL, peaks bytea NOT NULL, seal bytea NOT NULL);
CREATE TABLE freezetag.ledger(i bigint PRIMARY KEY, record bytea NOT NULL);
CREATE TABLE freezetag.checkpoint(size bigint PRIMARY KEY, note text NOT NULL);
CREATE TABLE freezetag.state(name text PRIMARY KEY, i bigint NOT NULL, life text);
CREATE TABLE freezetag.leaves(n bigint PRIMARY KEY, hashes bytea NOT NULL);
CREATE TABLE freezetag.nodes(name text PRIMARY KEY, incarnation text NOT NULL,
  beat bigint NOT NULL, lease double precision NOT NULL, addresses text NOT NULL,
  ended boolean NOT NULL);
CREATE UNLOGGED TABLE freezetag.told(node text PRIMARY KEY, beat bigint NOT NULL,
  tells text NOT NULL);
INSERT INTO freezetag.head VALUES (true, 0, '', '', '');
"""
IDENTITY = """
SELECT pg_is_in_recovery() AS replica, current_setting('fsync') AS fsync,
 (SELECT system_identifier::text FROM pg_control_system()) AS system,
 CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END
  AS timeline,
 current_setting('synchronous_standby_names') <> '' AS synchronous,
 to_regclass('freezetag.meta') IS NOT NULL AS there,
 (SELECT coalesce(string_agg(t.tgname, ', '), '') FROM pg_trigger t JOIN pg_class c
  ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND c.relnamespace = to_regnamespace('freezetag'))
  AS added
"""
LOOK = """
WITH mine AS (
 UPDATE freezetag.nodes SET beat = beat + 1, lease = $4, addresses = $5
 WHERE name = $1 AND incarnation = $2 RETURNING beat),
told AS (
 INSERT INTO freezetag.told AS t (node, beat, tells) SELECT $1, beat, $6 FROM mine
 ON CONFLICT (node) DO UPDATE SET beat = excluded.beat, tells = excluded.tells)
SELECT (SELECT beat FROM mine) AS beat, h.size, h.note, m.timeline, m.synchronous,
 current_setting('synchronous_standby_names') AS standbys,
 extract(epoch FROM clock_timestamp())::double precision AS clock,
 ARRAY(SELECT record FROM freezetag.ledger WHERE i >= $3 AND i < $3 + $7::bigint ORDER BY i)
  AS news,
 ARRAY(SELECT json_build_object('node', n.name, 'beat', n.beat, 'lease', n.lease,
   'addresses', n.addresses, 'tells', coalesce(t.tells, ''))
  FROM freezetag.nodes n LEFT JOIN freezetag.told t ON t.node = n.name AND t.beat = n.beat
  WHERE n.name <> $1) AS nodes
FROM freezetag.head h, freezetag.meta m
"""
WRITE = """
WITH a AS (INSERT INTO freezetag.ledger SELECT * FROM unnest($1::bigint[], $2::bytea[])),
b AS (DELETE FROM freezetag.state WHERE name = ANY($3::text[])),
c AS (INSERT INTO freezetag.state SELECT * FROM unnest($4::text[], $5::bigint[], $6::text[])
 ON CONFLICT (name) DO UPDATE SET i = excluded.i, life = excluded.life),
d AS (INSERT INTO freezetag.leaves SELECT * FROM unnest($7::bigint[], $8::bytea[])
 ON CONFLICT (n) DO NOTHING),
e AS (DELETE FROM freezetag.checkpoint WHERE $9 AND size > $10),
f AS (INSERT INTO freezetag.checkpoint SELECT $11::bigint, $12::text WHERE $9),
g AS (UPDATE freezetag.head SET size = $11, note = $12, peaks = $13, seal = coalesce($14, seal)),
h AS (UPDATE freezetag.meta SET timeline = coalesce($15::bigint, timeline))
SELECT pg_notify('freezetag', $16::text)
"""
