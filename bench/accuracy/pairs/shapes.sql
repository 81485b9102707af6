-- index: btree, types
CREATE INDEX ON typed (m, id);
-- pair: enum_eq
SELECT * FROM typed WHERE m = 'good' ORDER BY id LIMIT 10;
-- pair: enum_range
SELECT count(*) FROM typed WHERE m > 'fair';

-- index: btree, types
CREATE INDEX ON typed (p);
-- pair: domain_eq
SELECT count(*) FROM typed WHERE p = 42;

-- index: btree, types
CREATE INDEX ON typed (c);
-- pair: citext_eq
SELECT id FROM typed WHERE c = 'WORD77';
-- pair: citext_sorted
SELECT c FROM typed ORDER BY c LIMIT 10;

-- index: btree, types
CREATE INDEX ON typed (path);
-- pair: ltree_eq
SELECT id FROM typed WHERE path = 'top.a1.b1.c1';

-- index: btree, types
CREATE INDEX ON typed (iv, t);
-- pair: interval_range
SELECT id FROM typed WHERE iv BETWEEN '1 day' AND '1 day 1 hour';

-- index: btree, types
CREATE INDEX ON typed (ts NULLS FIRST, b);
-- pair: timestamp_window
SELECT id FROM typed WHERE ts >= '2026-05-05' AND ts < '2026-05-06' AND b;
-- pair: timestamp_as_date
SELECT id FROM typed WHERE ts = date '2026-05-05';

-- index: btree, types
CREATE INDEX ON typed (b);
-- pair: boolean_true
SELECT * FROM typed WHERE b;
-- pair: boolean_not_known
SELECT count(*) FROM typed WHERE b IS NULL;
-- pair: boolean_is_not_false
SELECT count(id) FROM typed WHERE b IS TRUE;

-- index: btree, types
CREATE INDEX ON typed (bits);
-- pair: varbit_eq
SELECT id FROM typed WHERE bits = B'0000111100001111';

-- index: btree, types
CREATE INDEX ON typed (mac, o);
-- pair: macaddr_eq
SELECT id FROM typed WHERE mac = '00:00:07:08:00:01';

-- index: btree, types
CREATE INDEX ON typed (o);
-- pair: oid_in
SELECT id FROM typed WHERE o IN (1, 2, 3000000);

-- index: btree, types
CREATE INDEX ON typed (n);
-- pair: name_eq
SELECT id FROM typed WHERE n = 'n1234';

-- index: btree, types
CREATE INDEX ON typed (f4);
-- pair: real_range
SELECT id FROM typed WHERE f4 BETWEEN 10 AND 500;

-- index: btree, types
CREATE INDEX ON typed (f8);
-- pair: double_range
SELECT id FROM typed WHERE f8 > 0.499;
-- pair: double_abs_unused
SELECT id FROM typed WHERE abs(f8) > 0.499;

-- index: btree, types
CREATE INDEX ON typed (bin);
-- pair: bytea_eq
SELECT id FROM typed WHERE bin = decode('c4ca4238a0b923820dcc509a6f75849b', 'hex');

-- index: btree, types
CREATE INDEX ON typed (arr);
-- pair: array_eq
SELECT id FROM typed WHERE arr = '{7,8}';

-- index: btree, types
CREATE INDEX ON typed (j);
-- pair: jsonb_eq
SELECT id FROM typed WHERE j = '{"a": 77}';

-- index: btree, types
CREATE INDEX ON typed (r);
-- pair: range_eq
SELECT id FROM typed WHERE r = '[100,150)';

-- index: btree, types
CREATE INDEX ON typed (ch, money);
-- pair: char_eq
SELECT count(*) FROM typed WHERE ch = 'Q';
-- pair: char_money
SELECT id FROM typed WHERE ch = 'Q' AND money > 9990::money;

-- index: btree, types
CREATE INDEX ON typed (ts_ms DESC);
-- pair: milliseconds
SELECT id FROM typed WHERE ts_ms BETWEEN '2026-01-01 00:00:10' AND '2026-01-01 00:00:11';

-- index: btree, expression
CREATE INDEX ON typed (slow_length(c::text), id);
-- pair: function_of_own
SELECT id FROM typed WHERE slow_length(c::text) = 5;

-- index: btree, expression
CREATE INDEX ON typed ((p + id % 3), upper(n::text));
-- pair: two_expressions
SELECT id FROM typed WHERE p + id % 3 = 50 AND upper(n::text) = 'N1234';
-- pair: one_of_two_expressions
SELECT count(*) FROM typed WHERE p + id % 3 = 50;

-- index: btree, expression
CREATE INDEX ON typed ((m = 'good'));
-- pair: boolean_expression
SELECT count(id) FROM typed WHERE m = 'good';

-- index: btree, partial
CREATE INDEX ON typed (id) WHERE b;
-- pair: partial_boolean
SELECT * FROM typed WHERE b AND id < 50000;
-- pair: partial_boolean_all
SELECT count(*) FROM typed WHERE b;

-- index: hash, types
CREATE INDEX ON typed USING hash (m);
-- pair: hash_enum
SELECT count(id) FROM typed WHERE m = 'good';

-- index: hash, types
CREATE INDEX ON typed USING hash (c);
-- pair: hash_citext
SELECT id FROM typed WHERE c = 'WORD77';

-- index: hash, types
CREATE INDEX ON typed USING hash (j);
-- pair: hash_jsonb
SELECT id FROM typed WHERE j = '{"a": 77}';

-- index: brin, types
CREATE INDEX ON typed USING brin (id, ts_ms, p) WITH (pages_per_range = 2);
-- pair: brin_ids_unused
SELECT count(f4) FROM typed WHERE p < 2;

-- index: brin, types
CREATE INDEX ON typed USING brin (mac macaddr_bloom_ops, n name_bloom_ops) WITH (pages_per_range = 4);
-- pair: brin_bloom_mac
SELECT id FROM typed WHERE mac = '00:00:07:08:00:01';

-- index: gin, hstore and intarray
CREATE INDEX ON typed USING gin (h);
-- pair: hstore_contains
SELECT id FROM typed WHERE h @> 'k3=>77';
-- pair: hstore_key
SELECT count(*) FROM typed WHERE h ? 'k3';

-- index: gin, hstore and intarray
CREATE INDEX ON typed USING gin (arr gin__int_ops);
-- pair: intarray_contains
SELECT id FROM typed WHERE arr @> '{7,8}';

-- index: gin, arrays
CREATE INDEX ON typed USING gin (arr) WITH (fastupdate = off);
-- pair: gin_fastupdate_off
SELECT id FROM typed WHERE arr OPERATOR(pg_catalog.@>) ARRAY[7, 9];

-- index: gist, ltree, hstore and intarray
CREATE INDEX ON typed USING gist (path);
-- pair: ltree_below
SELECT id FROM typed WHERE path <@ 'top.a3.b7';
-- pair: ltree_match
SELECT id FROM typed WHERE path ~ 'top.*.c77';

-- index: gist, ltree, hstore and intarray
CREATE INDEX ON typed USING gist (h);
-- pair: gist_hstore
SELECT id FROM typed WHERE h @> 'k3=>77';

-- index: gist, ltree, hstore and intarray
CREATE INDEX ON typed USING gist (arr gist__int_ops);
-- pair: gist_intarray
SELECT id FROM typed WHERE arr @> '{7,8}';

-- index: gist, ranges
CREATE INDEX ON typed USING gist (r) WITH (fillfactor = 60);
-- pair: gist_range_loose
SELECT id FROM typed WHERE r @> 5000::bigint;

-- index: spgist, ranges
CREATE INDEX ON typed USING spgist (r) WITH (fillfactor = 60);
-- pair: spgist_range_loose
SELECT id FROM typed WHERE r @> 5000::bigint;

-- index: btree, unique
CREATE UNIQUE INDEX ON "Other Schema"."Mixed Case" ("Id" DESC);
-- pair: unique_eq
SELECT "select" FROM "Other Schema"."Mixed Case" WHERE "Id" = 77;
-- pair: unique_join
SELECT f.a, x."select" FROM few f JOIN "Other Schema"."Mixed Case" x ON x."Id" = f.a;

-- index: btree, unique
CREATE UNIQUE INDEX ON parent (id);
-- pair: unique_only
SELECT note FROM ONLY parent WHERE id = 7;
-- pair: unique_left_join_removed
SELECT f.a FROM few f LEFT JOIN ONLY parent p ON p.id = f.a;
-- pair: unique_lateral
SELECT f.a, p.note FROM few f JOIN ONLY parent p ON p.id = f.a;

-- index: btree, odd tables
CREATE INDEX ON "Other Schema"."Mixed Case" ("select", "Größe");
-- pair: quoted_eq
SELECT count(*) FROM "Other Schema"."Mixed Case" WHERE "select" = 'row 77';

-- index: btree, odd tables
CREATE INDEX ON "Other Schema"."Mixed Case" (("Größe" * 2)) WHERE "select" <> 'row 1';
-- pair: quoted_expression
SELECT * FROM "Other Schema"."Mixed Case" WHERE "Größe" * 2 = 44 AND "select" <> 'row 1';

-- index: btree, tiny tables
CREATE INDEX ON nothing (a);
-- pair: empty_eq
SELECT * FROM nothing WHERE a = 1;

-- index: btree, tiny tables
CREATE INDEX ON few (a);
-- pair: few_eq_unused
SELECT * FROM few WHERE a = 7;
-- pair: few_join
SELECT p.note FROM few f JOIN parent p ON p.id = f.a WHERE f.a = 7;

-- index: gin, tiny tables
CREATE INDEX ON few USING gin (to_tsvector('simple', b));
-- pair: few_words
SELECT * FROM few WHERE to_tsvector('simple', b) @@ 'some'::tsquery;

-- index: brin, tiny tables
CREATE INDEX ON few USING brin (a);
-- pair: few_brin_unused
SELECT * FROM few WHERE a = 7;

-- index: hash, tiny tables
CREATE INDEX ON few USING hash (b);
-- pair: few_hash_unused
SELECT * FROM few WHERE b = 'x';

-- index: btree, odd tables
CREATE INDEX ON parent (kind);
-- pair: inherited_all
SELECT * FROM parent WHERE kind = 5;
-- pair: inherited_only
SELECT count(*) FROM ONLY parent WHERE kind = 5;

-- index: btree, odd tables
CREATE INDEX ON parent (id);
CREATE INDEX ON child_a (id);
CREATE INDEX ON child_b (id);
-- pair: inherited_eq
SELECT * FROM parent WHERE id = 45000;
-- pair: inherited_sorted
SELECT id FROM parent ORDER BY id DESC LIMIT 10;
-- pair: inherited_join
SELECT count(p.note) FROM few f JOIN parent p ON p.id = f.a;

-- index: btree, extended statistics
CREATE INDEX ON correlated (a, b);
-- pair: dependent_eq
SELECT d FROM correlated WHERE a = 1000 AND b = 100;
-- pair: dependent_groups
SELECT a, b, count(*) FROM correlated GROUP BY a, b ORDER BY a, b LIMIT 30;

-- index: btree, extended statistics
CREATE INDEX ON correlated (lower(c));
-- pair: statistics_on_expression
SELECT a FROM correlated WHERE lower(c) = 'c77';
-- pair: statistics_on_expression_range
SELECT count(*) FROM correlated WHERE lower(c) > 'c89';

-- index: btree, odd tables
CREATE INDEX ON summary (total DESC);
-- pair: summary_top
SELECT a FROM summary ORDER BY total DESC LIMIT 5;

-- index: btree, partitioned
CREATE INDEX ON sales (shop, day);
-- pair: sales_of_shop
SELECT sum(amount) FROM sales WHERE shop = 77 AND day >= '2026-06-01';
-- pair: sales_of_region
SELECT sum(amount) FROM sales WHERE shop = 77 AND region = 'south';
-- pair: sales_latest
SELECT * FROM sales WHERE shop = 77 ORDER BY day DESC LIMIT 5;
-- pair: sales_parallel; settings: parallel
SELECT shop, sum(amount) FROM sales WHERE shop < 40 GROUP BY shop;

-- index: btree, partitioned, other than plain
CREATE INDEX ON sales ((amount * 2)) WHERE shop > 10;
-- pair: sales_expression
SELECT * FROM sales WHERE amount * 2 > 19990 AND shop > 10;

-- index: btree, partitioned
CREATE INDEX ON sales_n (amount);
-- pair: sales_of_one_branch
SELECT * FROM sales WHERE amount > 9995;
-- pair: sales_of_one_branch_only
SELECT * FROM sales_n WHERE amount > 9995;

-- index: btree, never analysed
CREATE INDEX ON fresh (a);
-- pair: fresh_eq
SELECT * FROM fresh WHERE a = 77;
-- pair: fresh_range
SELECT * FROM fresh WHERE a BETWEEN 77 AND 78;

-- index: btree, never analysed
CREATE INDEX ON fresh (b, c);
-- pair: fresh_text
SELECT * FROM fresh WHERE b = 'text 777';

-- index: hash, never analysed
CREATE INDEX ON fresh USING hash (b);
-- pair: fresh_hash
SELECT * FROM fresh WHERE b = 'text 777';

-- index: brin, never analysed
CREATE INDEX ON fresh USING brin (c) WITH (pages_per_range = 8);
-- pair: fresh_brin_unused
SELECT * FROM fresh WHERE c BETWEEN '2026-02-02' AND '2026-02-03';
