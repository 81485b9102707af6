#!/usr/bin/env python3
"""Builds btree indexes over tables of many kinds and records how large they really are.

    createdb sizes
    tpchgen-cli -s 0.1 --tables=lineitem,orders,customer,part --output-dir=tpch
    PGDATABASE=sizes python3 tests/cases/btree_sizes.py tpch > tests/cases/btree_sizes_15.json

The output holds, for each index, its definition and the statistics of its table as the advisor reads them (default
statistics target, taken before the index existed), then the pages and the root level that CREATE INDEX made. The test of
`src/cost/size.rs` compares its estimates with them. Needs psql, pageinspect and an empty database of its own; makes about
3 GB there and takes some minutes. The data are the same each time and on each server version, but ANALYZE samples at random.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

TABLES = {
    "numbers": """
        CREATE TABLE numbers (id bigint PRIMARY KEY, shuffled int, few int, thousand int, many int, pairs int,
            skewed int, mostly_null int, half_null int, flag boolean, small smallint, real8 float8, price numeric(10,2),
            amount numeric, day date, at timestamptz, logged timestamp, sorted int);
        INSERT INTO numbers SELECT i, (i * 7919::bigint) % 1000003, random() * 9, random() * 999, random() * 99999,
            random() * 500000, (random() ^ 4 * 10000)::int, CASE WHEN random() < .05 THEN (random() * 1e6)::int END,
            CASE WHEN random() < .5 THEN i END, random() < .3, random() * 30000, random(), (random() * 5000)::numeric(10,2),
            (random() * 1e9)::bigint::numeric / 1000, date '2015-01-01' + (random() * 3650)::int,
            timestamptz '2020-01-01 UTC' + random() * interval '1000 days', timestamp '2020-01-01' + i * interval '1 minute',
            i / 20
        FROM generate_series(1, 1000000) i;""",
    "words": """
        CREATE TYPE mood AS ENUM ('sad', 'fine', 'glad');
        CREATE TABLE words (id int PRIMARY KEY, short text, person text, email text, hash text, long text, code char(8),
            token uuid, city varchar(40), address inet, raw bytea, feeling mood, note varchar, mostly_empty text, internal name,
            status text, big text, feelings int[], tag varchar(12));
        INSERT INTO words SELECT i, left(md5(i::text), 3 + (i * 31 % 6)),
            initcap(left(md5((i * 3)::text), 3 + i % 7)) || ' ' || initcap(left(md5((i * 5)::text), 4 + i % 9)),
            left(md5((i * 11)::text), 4 + (random() * 12)::int) || i || '@' || (ARRAY['example.com', 'mail.example.org', 'x.io'])[1 + i % 3],
            md5(i::text), left(repeat(md5((i * 13)::text), 7), 60 + (random() * 140)::int), lpad((i % 50000)::text, 8, '0'),
            md5((i * 17)::text)::uuid, 'City ' || (random() ^ 3 * 1000)::int, ('10.' || i % 200 || '.' || i % 7 || '.' || i % 250)::inet,
            decode(md5((i * 19)::text), 'hex'), (ARRAY['sad', 'fine', 'glad'])[1 + (random() * 2)::int]::mood,
            CASE WHEN random() < .3 THEN 'note ' || (random() * 1e5)::int END,
            CASE WHEN random() < .1 THEN md5((i * 23)::text) ELSE '' END, ('obj_' || i % 3000)::name,
            (ARRAY['new', 'paid', 'shipped', 'shipped', 'shipped', 'closed', 'closed', 'closed', 'closed', 'closed'])[1 + (random() * 9)::int],
            left(repeat(md5((i * 29)::text), 20), 300 + (random() * 200)::int), ARRAY[i % 10, i % 7], 'T' || lpad((random() * 999999)::int::text, 6, '0')
        FROM generate_series(1, 300000) i;""",
    "big": """
        CREATE TABLE big (a int, b int, c bigint);
        INSERT INTO big SELECT i, random() * 1000000, (random() * 1e15)::bigint FROM generate_series(1, 5000000) i;""",
    "one": "CREATE TABLE one (a int, t text); INSERT INTO one VALUES (1, 'x');",
    "none": "CREATE TABLE none (a int, t text);",
    "hundred": "CREATE TABLE hundred (a int, t text); INSERT INTO hundred SELECT i, md5(i::text) FROM generate_series(1, 100) i;",
    "thousand": "CREATE TABLE thousand (a int, t text, f int); INSERT INTO thousand SELECT i, 'name ' || md5(i::text), i % 5 FROM generate_series(1, 1000) i;",
    "events": """
        CREATE TABLE events (customer int, kind text, at timestamp, id bigint, deleted_at timestamp, payload text)
            PARTITION BY RANGE (at);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
        CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM ('2024-07-01') TO ('2024-10-01');
        CREATE TABLE events_4 PARTITION OF events FOR VALUES FROM ('2024-10-01') TO ('2025-01-01');
        INSERT INTO events SELECT random() * 20000, (ARRAY['view', 'view', 'click', 'buy'])[1 + (random() * 3)::int],
            timestamp '2024-01-01' + random() * interval '364 days', i, CASE WHEN random() < .02 THEN now() END, 'p'
        FROM generate_series(1, 400000) i;""",
    "lineitem": """
        CREATE TABLE lineitem (l_orderkey int, l_partkey int, l_suppkey int, l_linenumber int, l_quantity numeric(15,2),
            l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag char(1),
            l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct char(25),
            l_shipmode char(10), l_comment varchar(44), PRIMARY KEY (l_orderkey, l_linenumber));""",
    "orders": """
        CREATE TABLE orders (o_orderkey int PRIMARY KEY, o_custkey int, o_orderstatus char(1), o_totalprice numeric(15,2),
            o_orderdate date, o_orderpriority char(15), o_clerk char(15), o_shippriority int, o_comment varchar(79));""",
    "customer": """
        CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name varchar(25), c_address varchar(40), c_nationkey int,
            c_phone char(15), c_acctbal numeric(15,2), c_mktsegment char(10), c_comment varchar(117));""",
    "part": """
        CREATE TABLE part (p_partkey int PRIMARY KEY, p_name varchar(55), p_mfgr char(25), p_brand char(10), p_type varchar(25),
            p_size int, p_container char(10), p_retailprice numeric(15,2), p_comment varchar(23));""",
}
TPCH = ["lineitem", "orders", "customer", "part"]

# What follows ON in CREATE INDEX.
INDEXES = """
numbers (id)
numbers (shuffled)
numbers (shuffled DESC)
numbers (few)
numbers (thousand)
numbers (many)
numbers (pairs)
numbers (skewed)
numbers (mostly_null)
numbers (mostly_null NULLS FIRST)
numbers (half_null)
numbers (flag)
numbers (small)
numbers (real8)
numbers (price)
numbers (amount)
numbers (day)
numbers (day DESC)
numbers (at)
numbers (logged)
numbers (sorted)
numbers (few, thousand)
numbers (few, flag)
numbers (few, day)
numbers (flag, few, small)
numbers (thousand, many)
numbers (day, few, flag, thousand)
numbers (few, at)
numbers (mostly_null, few)
numbers (mostly_null, half_null)
numbers (small, flag, id)
numbers (many, price)
numbers (few) INCLUDE (price)
numbers (day) INCLUDE (id, flag)
numbers (many) INCLUDE (half_null)
numbers (mostly_null) WHERE mostly_null IS NOT NULL
numbers (day) WHERE mostly_null IS NULL
numbers (shuffled) WHERE few = 3
numbers (many) WHERE flag
numbers (day) WHERE day > '2024-06-01'
numbers (few, day) WHERE half_null IS NOT NULL
numbers (half_null) WHERE half_null IS NULL
numbers (abs(many))
numbers (((many % 2) = 0))
numbers (id, few)
words (short)
words (person)
words (email)
words (lower(email))
words (hash)
words (long)
words (code)
words (token)
words (city)
words (city text_pattern_ops)
words (address)
words (raw)
words (feeling)
words (note)
words (mostly_empty)
words (internal)
words (status)
words (tag)
words (feelings)
words (status, city)
words (status, city, feeling)
words (city, token)
words (status, person)
words (status, note)
words (short, code)
words (email) INCLUDE (person)
words (status) INCLUDE (note, id)
words (token) WHERE status = 'new'
words (note) WHERE note IS NOT NULL
words (big)
words (upper(city))
words (city COLLATE "C")
big (a)
big (b)
big (c)
big (b, a)
one (a)
one (t)
none (a)
hundred (a)
hundred (t)
hundred (t, a)
thousand (a)
thousand (t)
thousand (f)
thousand (f, t)
events (customer)
events (kind, at)
events (at)
events (id)
events (customer) WHERE deleted_at IS NULL
lineitem (l_orderkey)
lineitem (l_partkey)
lineitem (l_suppkey)
lineitem (l_partkey, l_suppkey)
lineitem (l_orderkey, l_linenumber)
lineitem (l_shipdate)
lineitem (l_receiptdate)
lineitem (l_shipdate, l_discount, l_quantity)
lineitem (l_quantity)
lineitem (l_extendedprice)
lineitem (l_returnflag, l_linestatus)
lineitem (l_shipmode)
lineitem (l_shipmode, l_shipdate)
lineitem (l_shipinstruct)
lineitem (l_comment)
lineitem (l_shipdate) INCLUDE (l_extendedprice, l_discount)
lineitem (l_orderkey) INCLUDE (l_quantity)
lineitem (l_orderkey, l_suppkey)
lineitem (l_partkey, l_shipdate)
lineitem (l_returnflag, l_shipdate)
lineitem (l_shipdate) WHERE l_returnflag = 'R'
lineitem (l_shipdate, l_receiptdate)
orders (o_custkey)
orders (o_orderdate)
orders (o_orderdate, o_custkey)
orders (o_orderstatus)
orders (o_orderpriority)
orders (o_clerk)
orders (o_totalprice)
orders (o_custkey) INCLUDE (o_orderdate, o_totalprice)
orders (o_comment)
customer (c_name)
customer (c_phone)
customer (c_mktsegment, c_nationkey)
customer (c_acctbal)
customer (c_address)
part (p_brand, p_container)
part (p_name)
part (p_type)
part (p_size, p_brand)
part (p_type text_pattern_ops, p_size)
""".strip().splitlines()


def sql(text: str) -> str:
    """The output of a script, unaligned."""
    command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.strip()


def rows(query: str) -> list:
    return json.loads(sql(f"SELECT coalesce(json_agg(q), '[]') FROM ({query}) q"))


def significant(number: float) -> float:
    return float(f"{number:.6g}")


def leaves(name: str) -> str:
    """A query for the leaf partitions of a table or index, or itself."""
    tree = f"pg_partition_tree('{name}')"
    return f"SELECT relid FROM {tree} WHERE isleaf UNION ALL SELECT '{name}'::regclass WHERE NOT EXISTS (SELECT FROM {tree})"


def columns(table: str) -> dict:
    found = rows(f"""
        SELECT a.attnum, a.attname, quote_ident(a.attname) AS quoted, a.atttypid::oid::int AS type, a.attlen, a.attalign, a.atttypmod,
               s.stanullfrac, s.stawidth, s.stadistinct,
               CASE 1 WHEN stakind1 THEN stanumbers1 WHEN stakind2 THEN stanumbers2 WHEN stakind3 THEN stanumbers3
                    WHEN stakind4 THEN stanumbers4 WHEN stakind5 THEN stanumbers5 END AS common,
               (CASE 3 WHEN stakind1 THEN stanumbers1 WHEN stakind2 THEN stanumbers2 WHEN stakind3 THEN stanumbers3
                    WHEN stakind4 THEN stanumbers4 WHEN stakind5 THEN stanumbers5 END)[1] AS correlation
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_statistic s ON s.starelid = a.attrelid AND s.staattnum = a.attnum
             AND s.stainherit = (c.relkind = 'p')
        WHERE a.attrelid = '{table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum""")
    result = {}
    for row in found:
        statistics = None
        if row["stawidth"] is not None:
            statistics = {
                "null_fraction": significant(row["stanullfrac"]),
                "average_width": row["stawidth"],
                "distinct": significant(row["stadistinct"]),
                "common_frequencies": [significant(share) for share in row["common"] or []],
                "correlation": significant(row["correlation"] or 0),
            }
        result[row["attnum"]] = {
            "number": row["attnum"], "name": row["attname"], "sql_name": row["quoted"], "type_oid": row["type"],
            "type_length": row["attlen"], "alignment": {"c": 1, "s": 2, "i": 4, "d": 8}[row["attalign"]],
            "type_modifier": row["atttypmod"], "statistics": statistics,
        }
    return result


def expression(text: str, table_columns: dict, type_oid: int, length: int, alignment: str) -> dict:
    """An expression; its columns are those whose names stand in it."""
    words = set(re.findall(r"\w+", text))
    return {
        "sql": text, "node": "", "type_oid": type_oid, "type_length": length,
        "alignment": {"c": 1, "s": 2, "i": 4, "d": 8}[alignment], "average_width": length if length > 0 else 32,
        "columns": [number for number, column in table_columns.items() if column["name"] in words],
    }


def definition(index: str, table_columns: dict) -> dict:
    keys, include, predicate = [], [], None
    for row in rows(f"""
        SELECT n, i.indnkeyatts AS key_count, i.indkey[n - 1] AS attnum, i.indrelid::int AS relation,
               i.indoption[n - 1] AS option, i.indcollation[n - 1]::int AS collation, o.oid::int AS class,
               o.opcfamily::int AS family, o.opcintype::int AS input, pg_get_indexdef(i.indexrelid, n, false) AS text,
               a.atttypid::int AS type, a.attlen, a.attalign, pg_get_expr(i.indpred, i.indrelid) AS predicate,
               m.amname AS method, c.reloptions AS parameters, a.attoptions AS options,
               CASE WHEN NOT o.opcdefault THEN o.opcname END AS class_name
        FROM pg_index i CROSS JOIN generate_series(1, i.indnatts) n
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
        JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = n
        LEFT JOIN pg_opclass o ON o.oid = i.indclass[n - 1] WHERE i.indexrelid = '{index}'::regclass ORDER BY n"""):
        if row["predicate"]:
            predicate = expression(row["predicate"], table_columns, 16, 1, "c")
        if row["n"] > row["key_count"]:
            include.append(row["attnum"])
            continue
        target = {"Column": row["attnum"]}
        if row["attnum"] == 0:
            target = {"Expression": expression(row["text"], table_columns, row["type"], row["attlen"], row["attalign"])}
        keys.append({
            "part": {
                "target": target,
                "operator_class": {
                    "oid": row["class"], "family": row["family"], "input_type": row["input"], "sql_name": row["class_name"],
                    "options": sorted("{} = '{}'".format(*option.split("=")) for option in row["options"] or []),
                },
                "collation": {"oid": row["collation"], "sql_name": None},
            },
            "descending": bool(row["option"] & 1), "nulls_first": bool(row["option"] & 2),
        })
    return {
        "relation": row["relation"], "access_method": row["method"], "keys": keys, "include": sorted(include), "predicate": predicate,
        "parameters": dict(option.split("=") for option in row["parameters"] or []),
    }


def column_groups(table: str) -> list:
    """Numbers of combinations, from extended statistics."""
    found = rows(f"SELECT n_distinct::text AS groups FROM pg_stats_ext WHERE tablename = '{table}' AND n_distinct IS NOT NULL")
    return [
        {"columns": sorted(int(number) for number in numbers.split(",")), "distinct": distinct}
        for row in found for numbers, distinct in json.loads(row["groups"]).items()
    ]


def relation(table: str) -> dict:
    found = rows(f"""
        SELECT root.oid::int AS oid, root.relkind, sum(leaf.reltuples) AS tuples, sum(leaf.relpages) AS pages, count(*) AS leaves,
               array_agg(leaf.reltuples) AS leaf_tuples
        FROM pg_class root, ({leaves(table)}) l JOIN pg_class leaf ON leaf.oid = l.relid
        WHERE root.oid = '{table}'::regclass GROUP BY 1, 2""")[0]
    table_columns = columns(table)
    existing = rows(f"""
        SELECT indexrelid::int AS oid, indexrelid::regclass::text AS name, pg_relation_size(indexrelid) AS size, indisunique,
               indisprimary FROM pg_index WHERE indrelid = '{table}'::regclass ORDER BY 1""")
    return {
        "oid": found["oid"], "schema": "public", "name": table, "sql_name": f"public.{table}",
        "kind": "PartitionedTable" if found["relkind"] == "p" else "Table", "tuples": found["tuples"],
        "pages": found["pages"], "all_visible_fraction": 1, "leaves": found["leaves"],
        "leaf_tuples": found["leaf_tuples"] if found["leaves"] > 1 else [], "columns": table_columns,
        "indexes": [{
            "oid": index["oid"], "name": index["name"], "definition": definition(index["name"], table_columns),
            "unique": index["indisunique"], "primary": index["indisprimary"], "constraint": True, "valid": True,
            "size_bytes": index["size"], "scans": 0,
        } for index in existing],
        "activity": {"inserted": 0, "updated": 0, "hot_updated": 0, "deleted": 0}, "column_groups": column_groups(table),
    }


def case(text: str, tables: dict) -> dict:
    """Builds the index, measures it and drops it."""
    table, _, keys = text.partition(" ")
    predicate = text.partition(" WHERE ")[2]
    share = 1.0
    if predicate:
        plan = json.loads(sql(f"EXPLAIN (FORMAT json) SELECT * FROM {table} WHERE {predicate}"))[0]["Plan"]
        share = plan["Plan Rows"] / max(tables[table]["tuples"], 1)
    sql(f"CREATE INDEX measured ON {table} {keys}")
    trees = rows(f"""
        SELECT pg_relation_size(relid) / current_setting('block_size')::int AS pages,
               (bt_metap(relid::regclass::text)).level FROM ({leaves("measured")}) l""")
    found = {
        "index": text, "relation": table, "definition": definition("measured", tables[table]["columns"]),
        "predicate_selectivity": significant(share), "pages": sum(tree["pages"] for tree in trees),
        "level": max(tree["level"] for tree in trees),
    }
    sql("DROP INDEX measured")
    return found


def main(tpch: Path) -> None:
    sql("CREATE EXTENSION IF NOT EXISTS pageinspect")
    for table, statements in TABLES.items():
        sql(f"SELECT setseed(0.25); {statements}")
        if table in TPCH:
            # The files end each line with the separator.
            rows_text = "\n".join(line.rstrip("|") for line in (tpch / f"{table}.tbl").read_text().splitlines())
            sql(f"COPY {table} FROM STDIN (DELIMITER '|');\n{rows_text}\n\\.\n")
        sql(f"VACUUM ANALYZE {table}")
        print(table, file=sys.stderr)
    tables = {table: relation(table) for table in TABLES}
    cases = [case(text, tables) for text in INDEXES]
    version, block_size, bpchar = sql("SHOW server_version; SHOW block_size; SELECT btequalimage('bpchar'::regtype)").splitlines()
    head = json.dumps({"server": version, "block_size": int(block_size), "bpchar_deduplicates": bpchar == "t"})[:-1]
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(table, separators=(',', ':'))}" for name, table in tables.items())
    case_lines = ",\n".join(" " + json.dumps(found, separators=(",", ":")) for found in cases)
    print(f"{head}, \"relations\": {{\n{lines}\n}}, \"cases\": [\n{case_lines}\n]}}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
