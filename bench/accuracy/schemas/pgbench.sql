-- pgbench's tables at scale 10, without pgbench: primary keys only, the history filled.
CREATE TABLE pgbench_branches (bid integer PRIMARY KEY, bbalance integer, filler char(88)) WITH (fillfactor = 100);
CREATE TABLE pgbench_tellers (tid integer PRIMARY KEY, bid integer, tbalance integer, filler char(84)) WITH (fillfactor = 100);
CREATE TABLE pgbench_accounts (aid integer NOT NULL, bid integer, abalance integer, filler char(84)) WITH (fillfactor = 100);
CREATE TABLE pgbench_history (tid integer, bid integer, aid integer, delta integer, mtime timestamp, filler char(22));

-- A number in [0, 1) for row `i`; another `salt` gives an independent one.
CREATE FUNCTION u(i bigint, salt bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (hashint8extended(i, salt) & 4503599627370495)::double precision / 4503599627370496';

INSERT INTO pgbench_branches SELECT i, 0, '' FROM generate_series(1, 10) i;
INSERT INTO pgbench_tellers SELECT i, (i - 1) / 10 + 1, 0, '' FROM generate_series(1, 100) i;
INSERT INTO pgbench_accounts
    SELECT i, (i - 1) / 100000 + 1, (u(i, 1) * 10000)::integer - 5000, '' FROM generate_series(1, 1000000) i;
ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid);
INSERT INTO pgbench_history
    SELECT 1 + (u(i, 2) * 99)::integer, 1 + (u(i, 3) * 9)::integer, 1 + (u(i, 4) * 999999)::integer, (u(i, 5) * 10000)::integer - 5000,
           timestamp '2026-01-01' + i * interval '7 seconds', NULL
    FROM generate_series(1, 300000) i;
