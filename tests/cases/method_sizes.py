#!/usr/bin/env python3
"""Builds hash, BRIN, bloom and pgvector indexes, and btrees with parameters or extended statistics, over tables of many kinds
and records how large they really are.

    createdb sizes
    PGDATABASE=sizes python3 tests/cases/method_sizes.py > tests/cases/method_sizes_15.json

The sibling of `btree_sizes.py`, whose output it shares the form of (without a root level). pgvector's part is left out where the
server has no pgvector. Needs psql, contrib's bloom and an empty database of its own; makes about 1 GB there.
"""

import json
import sys

from btree_sizes import definition, relation, rows, significant, sql

TABLES = {
    "readings": """
        CREATE TABLE readings (id bigint PRIMARY KEY, at timestamptz, sensor int, value float8, temperature numeric(6,2), day date,
            kind text, address inet, token uuid, note text, half_null int, skewed int, flag "char", mac macaddr, span tstzrange,
            place box, name text, shuffled bigint, price numeric, few int);
        INSERT INTO readings SELECT i, timestamptz '2024-01-01 UTC' + i * interval '20 seconds', random() * 999, random(),
            (15 + random() * 20)::numeric(6,2), date '2024-01-01' + i / 4320,
            (ARRAY['temperature', 'pressure', 'wind', 'wind', 'wind'])[1 + (random() * 4)::int],
            ('10.' || i % 200 || '.' || i % 7 || '.' || i % 250)::inet, md5(i::text)::uuid,
            CASE WHEN random() < .3 THEN 'note ' || (random() * 1e5)::int END, CASE WHEN random() < .5 THEN i END,
            (random() ^ 4 * 10000)::int, chr(65 + i % 26)::"char", ('08:00:2b:01:' || lpad(to_hex(i % 250), 2, '0') || ':' || lpad(to_hex(i % 90), 2, '0'))::macaddr,
            tstzrange(timestamptz '2024-01-01 UTC' + i * interval '20 seconds', timestamptz '2024-01-01 UTC' + (i + 50) * interval '20 seconds'),
            box(point(i % 1000, i / 1000), point(i % 1000 + 3, i / 1000 + 2)), 'sensor ' || md5((i % 5000)::text),
            (i * 7919::bigint) % 600011, (random() * 1e9)::bigint::numeric / 1000, i % 12
        FROM generate_series(1, 600000) i;""",
    "people": """
        CREATE TABLE people (id int PRIMARY KEY, email text, city varchar(40), code char(8), status text, pairs int, big text, nothing text,
            mostly_one int, hundred int, thousand int, ten_thousand int);
        INSERT INTO people SELECT i, left(md5((i * 11)::text), 4 + (random() * 12)::int) || i || '@example.com',
            'City ' || (random() ^ 3 * 1000)::int, lpad((i % 50000)::text, 8, '0'),
            (ARRAY['new', 'paid', 'shipped', 'shipped', 'closed', 'closed', 'closed', 'closed'])[1 + (random() * 7)::int],
            i / 2, left(repeat(md5((i * 29)::text), 20), 300 + (random() * 200)::int), NULL,
            CASE WHEN random() < .9 THEN 7 ELSE i END, i % 100, random() * 999, random() * 9999
        FROM generate_series(1, 150000) i;""",
    "places": """
        CREATE TABLE places (id int PRIMARY KEY, city text, district text, country text, zone int, status int, score int);
        INSERT INTO places SELECT i, 'City ' || (n % 20000), 'District ' || (n % 20000) / 10, 'Country ' || (n % 20000) / 200,
            (n % 20000) / 1000, i % 4, random() * 50 FROM (SELECT i, (random() ^ 2 * 19999)::int AS n FROM generate_series(1, 300000) i) w;
        CREATE STATISTICS places_city (ndistinct) ON city, district, country FROM places;
        CREATE STATISTICS places_zone (ndistinct) ON country, zone, city FROM places;""",
    "draws": """
        CREATE TABLE draws (wide bigint, narrow int, word text);
        INSERT INTO draws SELECT (random() * 1e9)::bigint, random() * 1e6, md5(random()::text) FROM generate_series(1, 300000);""",
    "small": "CREATE TABLE small (a int, t text); INSERT INTO small SELECT i, md5(i::text) FROM generate_series(1, 1000) i;",
    "tiny": "CREATE TABLE tiny (a int, t text); INSERT INTO tiny VALUES (1, 'x');",
    "none": "CREATE TABLE none (a int, t text);",
    "events": """
        CREATE TABLE events (customer int, kind text, at timestamp, id bigint) PARTITION BY RANGE (at);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
        CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
        INSERT INTO events SELECT random() * 20000, (ARRAY['view', 'view', 'click', 'buy'])[1 + (random() * 3)::int],
            timestamp '2024-01-01' + random() * interval '364 days', i FROM generate_series(1, 200000) i;""",
}
VECTOR_TABLES = {
    "items3": """
        CREATE TABLE items3 (id int PRIMARY KEY, v vector(3), kind int);
        INSERT INTO items3 SELECT i, ARRAY[random(), random(), random()]::vector, i % 10 FROM generate_series(1, 20000) i;""",
    "items128": """
        CREATE TABLE items128 (id int PRIMARY KEY, v vector(128), maybe vector(128), h halfvec(128), b bit(128));
        INSERT INTO items128 SELECT i, v, CASE WHEN i % 4 = 0 THEN v END, v::halfvec(128), binary_quantize(v) FROM generate_series(1, 5000) i,
            LATERAL (SELECT array_agg(random() - .5 + 0 * (i + n))::vector AS v FROM generate_series(1, 128) n) w;""",
    "items768": """
        CREATE TABLE items768 (id int PRIMARY KEY, v vector(768));
        INSERT INTO items768 SELECT i, v FROM generate_series(1, 2000) i,
            LATERAL (SELECT array_agg(random() - .5 + 0 * (i + n))::vector AS v FROM generate_series(1, 768) n) w;""",
    "items1536": """
        CREATE TABLE items1536 (id int PRIMARY KEY, v vector(1536));
        INSERT INTO items1536 SELECT i, v FROM generate_series(1, 2000) i,
            LATERAL (SELECT array_agg(random() - .5 + 0 * (i + n))::vector AS v FROM generate_series(1, 1536) n) w;""",
}

# Table, then what follows it in CREATE INDEX.
BTREE = """
places (city, country)
places (country, city)
places (city, district, country)
places (country, district, city)
places (zone, country)
places (country, zone, city)
places (city, country, status)
places (status, city, country)
places (district, country, score)
places (city, country) WITH (fillfactor = 70)
places (score) WITH (fillfactor = 100)
places (id, score) WITH (fillfactor = 50)
places (zone) WITH (deduplicate_items = off)
places (country, city) WITH (deduplicate_items = off)
readings (sensor) WITH (fillfactor = 60)
people (email) WITH (fillfactor = 75)
people (hundred) WITH (deduplicate_items = off, fillfactor = 100)
"""
HASH = """
readings (id)
readings (at)
readings (sensor)
readings (value)
readings (temperature)
readings (day)
readings (kind)
readings (address)
readings (token)
readings (note)
readings (half_null)
readings (skewed)
readings (flag)
readings (mac)
readings (name)
readings (shuffled)
readings (price)
readings (id) WITH (fillfactor = 100)
readings (id) WITH (fillfactor = 40)
readings (sensor) WITH (fillfactor = 90)
readings (note) WHERE note IS NOT NULL
readings (token) WHERE kind = 'wind'
readings (at) WHERE sensor < 50
people (id)
people (email)
people (city)
people (code)
people (status)
people (pairs)
people (nothing)
people (mostly_one)
people (hundred)
people (thousand)
people (ten_thousand)
people (lower(email))
people (email) WITH (fillfactor = 50)
small (a)
small (t)
tiny (a)
none (a)
events (customer)
events (id)
events (kind)
"""
BRIN = """
readings (id)
readings (at)
readings (at) WITH (pages_per_range = 32)
readings (at) WITH (pages_per_range = 4)
readings (at) WITH (pages_per_range = 1)
readings (id, at) WITH (pages_per_range = 1)
readings (sensor) WITH (pages_per_range = 1)
readings (value) WITH (pages_per_range = 1)
readings (temperature) WITH (pages_per_range = 1)
readings (day) WITH (pages_per_range = 2)
readings (kind) WITH (pages_per_range = 1)
readings (name) WITH (pages_per_range = 2)
readings (token) WITH (pages_per_range = 1)
readings (note) WITH (pages_per_range = 1)
readings (half_null) WITH (pages_per_range = 1)
readings (mac) WITH (pages_per_range = 1)
readings (flag, sensor, value) WITH (pages_per_range = 1)
readings (span) WITH (pages_per_range = 1)
readings (place) WITH (pages_per_range = 1)
readings (address) WITH (pages_per_range = 1)
readings (address inet_minmax_ops) WITH (pages_per_range = 1)
readings (span, at) WITH (pages_per_range = 4)
readings (at timestamptz_minmax_multi_ops) WITH (pages_per_range = 2)
readings (sensor int4_minmax_multi_ops) WITH (pages_per_range = 4)
readings (value float8_minmax_multi_ops) WITH (pages_per_range = 8)
readings (few int4_minmax_multi_ops) WITH (pages_per_range = 4)
readings (shuffled int8_minmax_multi_ops(values_per_range = 16)) WITH (pages_per_range = 4)
readings (temperature numeric_minmax_multi_ops) WITH (pages_per_range = 8)
readings (token uuid_minmax_multi_ops) WITH (pages_per_range = 8)
readings (id int8_bloom_ops)
readings (token uuid_bloom_ops)
readings (sensor int4_bloom_ops)
readings (few int4_bloom_ops)
readings (kind text_bloom_ops) WITH (pages_per_range = 32)
readings (token uuid_bloom_ops) WITH (pages_per_range = 8)
readings (name text_bloom_ops(n_distinct_per_range = 500)) WITH (pages_per_range = 16)
readings (sensor int4_bloom_ops(n_distinct_per_range = -0.02, false_positive_rate = 0.05)) WITH (pages_per_range = 32)
readings (id int8_bloom_ops(n_distinct_per_range = 100)) WITH (pages_per_range = 1)
readings (at) WHERE sensor < 50
draws (wide int8_minmax_multi_ops) WITH (pages_per_range = 4)
draws (wide int8_minmax_multi_ops(values_per_range = 16)) WITH (pages_per_range = 2)
draws (wide int8_minmax_multi_ops(values_per_range = 128)) WITH (pages_per_range = 8)
draws (narrow int4_minmax_multi_ops) WITH (pages_per_range = 2)
draws (narrow) WITH (pages_per_range = 1)
draws (word) WITH (pages_per_range = 1)
draws (word, narrow int4_bloom_ops) WITH (pages_per_range = 8)
draws (narrow int4_bloom_ops(n_distinct_per_range = 5000, false_positive_rate = 0.1))
people (big) WITH (pages_per_range = 1)
people (nothing) WITH (pages_per_range = 1)
people (email) WITH (pages_per_range = 4)
people (city) WITH (pages_per_range = 2)
people (code) WITH (pages_per_range = 2)
people (lower(email)) WITH (pages_per_range = 4)
small (a)
tiny (a)
none (a)
events (at)
events (id) WITH (pages_per_range = 1)
"""
BLOOM = """
readings (sensor)
readings (sensor, few)
readings (sensor, few, skewed) WITH (length = 160)
readings (sensor, few, skewed, half_null) WITH (length = 40, col1 = 4)
readings (half_null)
readings (sensor, kind) WITH (length = 256)
readings (sensor) WHERE kind = 'wind'
people (city, status)
people (email, status) WITH (length = 1)
people (hundred, thousand, ten_thousand) WITH (length = 4096)
small (a)
tiny (a)
none (a)
events (customer, kind)
"""
HNSW = """
items3 (v vector_l2_ops)
items3 (v vector_l2_ops) WITH (m = 8)
items3 (v vector_cosine_ops) WHERE kind < 5
items128 (v vector_l2_ops)
items128 (v vector_ip_ops) WITH (m = 32, ef_construction = 64)
items128 (maybe vector_l2_ops)
items128 (h halfvec_l2_ops)
items128 (b bit_hamming_ops)
items128 ((v::halfvec(128)) halfvec_l2_ops)
items768 (v vector_cosine_ops)
items768 (v vector_l2_ops) WITH (m = 64, ef_construction = 128)
items1536 (v vector_l2_ops)
"""
IVFFLAT = """
items3 (v vector_l2_ops)
items3 (v vector_cosine_ops) WITH (lists = 20)
items128 (v vector_l2_ops)
items128 (v vector_l2_ops) WITH (lists = 500)
items128 (maybe vector_l2_ops) WITH (lists = 10)
items128 (h halfvec_l2_ops)
items768 (v vector_cosine_ops) WITH (lists = 40)
items1536 (v vector_l2_ops) WITH (lists = 40)
"""


def case(method: str, text: str, tables: dict) -> dict:
    """Builds the index, measures it and drops it."""
    table, _, keys = text.partition(" ")
    predicate = text.partition(" WHERE ")[2]
    share = 1.0
    if predicate:
        plan = json.loads(sql(f"EXPLAIN (FORMAT json) SELECT * FROM {table} WHERE {predicate}"))[0]["Plan"]
        share = plan["Plan Rows"] / max(tables[table]["tuples"], 1)
    sql(f"CREATE INDEX measured ON {table} USING {method} {keys}")
    pages = rows("""
        SELECT sum(pg_relation_size(leaf) / current_setting('block_size')::int) AS pages
          FROM (SELECT relid AS leaf FROM pg_partition_tree('measured') WHERE isleaf
                UNION SELECT 'measured'::regclass) l""")[0]["pages"]
    found = {
        "index": f"{method}: {text}", "relation": table, "definition": definition("measured", tables[table]["columns"]),
        "predicate_selectivity": significant(share), "pages": pages,
    }
    sql("DROP INDEX measured")
    return found


def main() -> None:
    sql("CREATE EXTENSION IF NOT EXISTS bloom")
    methods = {"btree": BTREE, "hash": HASH, "brin": BRIN, "bloom": BLOOM}
    scripts = dict(TABLES)
    if rows("SELECT FROM pg_available_extensions WHERE name = 'vector'"):
        sql("CREATE EXTENSION IF NOT EXISTS vector")
        methods |= {"hnsw": HNSW, "ivfflat": IVFFLAT}
        scripts |= VECTOR_TABLES
    for table, statements in scripts.items():
        sql(f"SELECT setseed(0.25); {statements}")
        sql(f"VACUUM ANALYZE {table}")
        print(table, file=sys.stderr)
    tables = {table: relation(table) for table in scripts}
    cases = [case(method, text, tables) for method, texts in methods.items() for text in texts.strip().splitlines()]
    version, block_size, bpchar = sql("SHOW server_version; SHOW block_size; SELECT btequalimage('bpchar'::regtype)").splitlines()
    head = json.dumps({"server": version, "block_size": int(block_size), "bpchar_deduplicates": bpchar == "t"})[:-1]
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(table, separators=(',', ':'))}" for name, table in tables.items())
    case_lines = ",\n".join(" " + json.dumps(found, separators=(",", ":")) for found in cases)
    print(f"{head}, \"relations\": {{\n{lines}\n}}, \"cases\": [\n{case_lines}\n]}}")


if __name__ == "__main__":
    main()
