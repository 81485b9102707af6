#!/usr/bin/env python3
"""Builds GIN, GiST and SP-GiST indexes over tables of many kinds and records how large they are, with what a sample of 300 pages of
the table shows of each.

    createdb sampled
    PGDATABASE=sampled python3 tests/cases/sampled_sizes.py > tests/cases/sampled_sizes_15.json

Needs psql, contrib, this extension and an empty database of its own; makes about 3 GB there.
"""

import json
import subprocess

TABLES = """
CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gin; CREATE EXTENSION btree_gist; CREATE EXTENSION pg_index_advisor;
SELECT setseed(0.42);
CREATE FUNCTION word(n int) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT substr(translate(md5(n::text), '0123456789', 'ghijklmnop'), 1, 3 + n % 8) $$;
CREATE FUNCTION zipf(u float, n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT least(n, floor(exp(u * ln(n + 1)))::int) $$;
CREATE FUNCTION make(name text, n int) RETURNS void LANGUAGE plpgsql AS $make$ BEGIN
EXECUTE format($f$ CREATE TABLE %I AS SELECT *, to_tsvector('simple', body) AS v FROM (SELECT g AS id,
    (SELECT string_agg(word(zipf(random(), 20000)), ' ') FROM generate_series(1, 5 + (g %% 20)) WHERE g = g) AS body,
    (SELECT array_agg(zipf(random(), 5000)) FROM generate_series(1, 1 + (g %% 9)) WHERE g = g) AS tags,
    (SELECT array_agg((random() * 1e6)::int) FROM generate_series(1, 4) WHERE g = g) AS uniq_arr,
    jsonb_build_object('id', g, 'name', word(zipf(random(), 20000)), 'price', round((random() * 1000)::numeric, 2),
        'status', (ARRAY['new', 'paid', 'sent', 'done'])[1 + floor(random() * 4)::int],
        'address', jsonb_build_object('city', word(1 + (g %% 300)), 'zip', (random() * 99999)::int),
        'tags', jsonb_build_array(zipf(random(), 100), zipf(random(), 100))) AS doc,
    word(zipf(random(), 20000)) || '.' || word(1 + (random() * 1000)::int) || '@' || word(1 + (g %% 50)) || '.com' AS email,
    'https://' || word(1 + (g %% 200)) || '.org/' || word(zipf(random(), 3000)) || '/' || word(zipf(random(), 20000)) || '/' || g AS url,
    word(zipf(random(), 20000)) || ' ' || word(zipf(random(), 20000)) AS title,
    int4range((random() * 1e6)::int, (1e6 + random() * 1e4)::int) AS r4,
    tsrange(timestamp '2020-01-01' + g * interval '1 min', timestamp '2020-01-01' + g * interval '1 min' + random() * interval '3 h') AS during,
    point(random() * 1000, random() * 1000) AS p,
    box(point(random() * 1000, random() * 1000), point(random() * 1000, random() * 1000)) AS b,
    ('10.' || (g %% 200) || '.' || floor(random() * 256) || '.' || floor(random() * 256))::inet AS ip,
    (random() * 1e6)::int AS k, g %% 10 AS few, timestamp '2020-01-01' + g * interval '1 min' AS ts,
    md5(random()::text) AS hash, gen_random_uuid() AS u, random() AS f
    FROM generate_series(1, %s) AS g) AS w $f$, name, n); END $make$;
SELECT make('s', 1000); SELECT make('m', 30000); SELECT make('l', 400000);
VACUUM ANALYZE;
"""
INDEXES = """
gin (v)|gin (email gin_trgm_ops)|gin (title gin_trgm_ops)|gin (hash gin_trgm_ops)|gin (doc)|gin (doc jsonb_path_ops)|gin (tags)
gin (uniq_arr)|gin (k)|gin (few)|gin (few, tags)|gin (ts)|gin (lower(title) gin_trgm_ops)|gin (tags) WHERE few < 3
gist (r4)|gist (during)|gist (p)|gist (b)|gist (ip inet_ops)|gist (k)|gist (ts)|gist (few, during)|gist (v)|gist (title gist_trgm_ops)
gist (email gist_trgm_ops)|gist (hash)|gist (u)|gist (f)|gist (p) INCLUDE (id)|gist (during) WHERE few < 3
gist (p) WITH (fillfactor = 60)|gist (title gist_trgm_ops (siglen = 32))
spgist (p)|spgist (p kd_point_ops)|spgist (b)|spgist (r4)|spgist (during)|spgist (ip)|spgist (url)|spgist (email)|spgist (hash)
spgist (title)|spgist (p) WHERE few < 3|spgist (p) INCLUDE (id)
"""


def sql(text: str) -> str:
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], input=text, text=True, capture_output=True, check=True)
    return done.stdout


def significant(value):
    """Numbers with as many digits as matter."""
    if isinstance(value, dict):
        return {key: significant(item) for key, item in value.items()}
    if isinstance(value, list):
        return [significant(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main() -> None:
    sql(TABLES)
    cases = []
    for table in "sml":
        for definition in INDEXES.replace("\n", "|").strip("|").split("|"):
            sql(f"SET maintenance_work_mem = '64MB'; CREATE INDEX made ON {table} USING {definition}")
            pages = sql("SELECT pg_relation_size('made') / current_setting('block_size')::int; DROP INDEX made").strip()
            sample = sql(f"SELECT index_advisor._bench_sample('CREATE INDEX ON {table} USING {definition}')")
            method = definition.split(" ", 1)[0]
            cases.append({"index": f"{table} {definition}", "method": method, "pages": float(pages), "sample": significant(json.loads(sample))})
    print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")


if __name__ == "__main__":
    main()
