-- Odd tables: many types, dropped columns, names that need quotes, an empty table, one never analysed, inheritance, extended statistics,
-- a materialized view, partitions of partitions, unique columns.
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION intarray;
CREATE FUNCTION u(i bigint, salt bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (hashint8extended(i, salt) & 4503599627370495)::double precision / 4503599627370496';
CREATE FUNCTION slow_length(t text) RETURNS integer LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS 'BEGIN RETURN length(t); END';

CREATE TYPE mood AS ENUM ('bad', 'so so', 'fair', 'good');
CREATE DOMAIN percentage AS integer CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE typed (
    id     integer PRIMARY KEY,
    gone   text,
    m      mood NOT NULL,
    p      percentage NOT NULL,
    c      citext NOT NULL,
    h      hstore NOT NULL,
    path   ltree NOT NULL,
    iv     interval NOT NULL,
    t      time NOT NULL,
    ts     timestamp,
    b      boolean,
    bits   varbit NOT NULL,
    mac    macaddr NOT NULL,
    o      oid NOT NULL,
    n      name NOT NULL,
    f4     real NOT NULL,
    f8     double precision NOT NULL,
    bin    bytea NOT NULL,
    arr    integer[] NOT NULL,
    j      jsonb NOT NULL,
    r      int8range NOT NULL,
    ch     "char" NOT NULL,
    money  money NOT NULL,
    ts_ms  timestamp(3) NOT NULL
);
ALTER TABLE typed DROP COLUMN gone;
INSERT INTO typed
    SELECT i, (enum_range(NULL::mood))[1 + floor(power(u(i, 1), 3) * 4)::integer], (u(i, 2) * 100)::integer, CASE WHEN i % 2 = 0 THEN 'Word' ELSE 'wOrd' END || (u(i, 3) * 5000)::integer,
           hstore('k' || (u(i, 4) * 30)::integer, (u(i, 5) * 1000)::integer::text) || hstore('all', (i % 7)::text),
           ('top.a' || (u(i, 6) * 9)::integer || '.b' || (u(i, 7) * 40)::integer || '.c' || i % 300)::ltree,
           (u(i, 8) * 1e6)::integer * interval '1 second', time '00:00' + (u(i, 9) * 86399)::integer * interval '1 second',
           CASE WHEN i % 3 > 0 THEN timestamp '2026-01-01' + u(i, 10) * interval '1 year' END, CASE WHEN u(i, 11) < 0.01 THEN true WHEN u(i, 11) < 0.5 THEN false END,
           (u(i, 12) * 65535)::integer::bit(16)::varbit, ('00:00:' || to_char((u(i, 13) * 99)::integer, 'FM00') || ':' || to_char(i % 97, 'FM00') || ':00:01')::macaddr,
           (u(i, 14) * 4e9)::bigint::oid, 'n' || i % 4000, (u(i, 15) * 1e6)::real, u(i, 16) - 0.5, decode(md5((i % 20000)::text), 'hex'),
           ARRAY[(u(i, 17) * 50)::integer, (u(i, 18) * 50)::integer], jsonb_build_object('a', (u(i, 19) * 400)::integer),
           int8range((u(i, 20) * 1e5)::bigint, (u(i, 20) * 1e5)::bigint + 1 + (u(i, 21) * 100)::integer), chr(65 + (u(i, 22) * 25)::integer)::"char",
           ((u(i, 23) * 1e4)::integer)::money, timestamp '2026-01-01' + (u(i, 24) * 1e6)::integer * interval '1 millisecond'
    FROM generate_series(1, 100000) i;

CREATE SCHEMA "Other Schema";
CREATE TABLE "Other Schema"."Mixed Case" ("Id" bigint NOT NULL, "select" text NOT NULL, "Größe" integer NOT NULL, CONSTRAINT k UNIQUE ("Id"));
INSERT INTO "Other Schema"."Mixed Case" SELECT i, 'row ' || (u(i, 1) * 9999)::integer, (u(i, 2) * 200)::integer FROM generate_series(1, 50000) i;

CREATE TABLE nothing (a integer, b text);
CREATE TABLE few (a integer NOT NULL, b text NOT NULL);
INSERT INTO few SELECT i, 'some text' FROM generate_series(1, 40) i;

CREATE TABLE parent (id integer NOT NULL, kind integer NOT NULL, note text);
CREATE TABLE child_a (extra integer) INHERITS (parent);
CREATE TABLE child_b () INHERITS (parent);
INSERT INTO parent SELECT i, (u(i, 1) * 90)::integer, 'parent ' || i FROM generate_series(1, 30000) i;
INSERT INTO child_a SELECT i, (u(i, 1) * 90)::integer, 'a ' || i, i % 5 FROM generate_series(30001, 60000) i;
INSERT INTO child_b SELECT i, (u(i, 1) * 900)::integer, 'b ' || i FROM generate_series(60001, 90000) i;

CREATE TABLE correlated (a integer NOT NULL, b integer NOT NULL, c text NOT NULL, d numeric NOT NULL);
INSERT INTO correlated SELECT (u(i / 7, 1) * 3000)::integer, (u(i / 7, 1) * 3000)::integer / 10, 'C' || (u(i, 3) * 900)::integer, (u(i, 4) * 1e5)::integer / 100.0
    FROM generate_series(1, 200000) i;
CREATE STATISTICS correlated_ab (ndistinct, dependencies, mcv) ON a, b FROM correlated;
CREATE STATISTICS correlated_c ON lower(c) FROM correlated;

CREATE MATERIALIZED VIEW summary AS SELECT a, count(*) AS rows, sum(d) AS total FROM correlated GROUP BY a;

CREATE TABLE sales (region text NOT NULL, day date NOT NULL, shop integer NOT NULL, amount numeric(10, 2) NOT NULL) PARTITION BY LIST (region);
CREATE TABLE sales_n PARTITION OF sales FOR VALUES IN ('north') PARTITION BY RANGE (day);
CREATE TABLE sales_n_1 PARTITION OF sales_n FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE sales_n_2 PARTITION OF sales_n FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE TABLE sales_s (extra text, day date NOT NULL, amount numeric(10, 2) NOT NULL, shop integer NOT NULL, region text NOT NULL);
ALTER TABLE sales_s DROP COLUMN extra;
ALTER TABLE sales ATTACH PARTITION sales_s FOR VALUES IN ('south');
INSERT INTO sales SELECT CASE WHEN u(i, 1) < 0.6 THEN 'north' ELSE 'south' END, date '2026-01-01' + (u(i, 2) * 364)::integer, (u(i, 3) * 800)::integer, round((u(i, 4) * 1e4)::numeric, 2)
    FROM generate_series(1, 200000) i;

-- never analysed: fresh
CREATE TABLE fresh (a integer NOT NULL, b text NOT NULL, c timestamptz NOT NULL);
INSERT INTO fresh SELECT (u(i, 1) * 5000)::integer, 'text ' || i, timestamptz '2026-01-01 00:00 UTC' + i * interval '1 minute' FROM generate_series(1, 100000) i;
