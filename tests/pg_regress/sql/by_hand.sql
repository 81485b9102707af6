-- The what-if engine by hand: what a user sees, and what CREATE INDEX would refuse is refused alike.
SET search_path = public, index_advisor;
CREATE TABLE parcels (
    id integer PRIMARY KEY, sender text NOT NULL, "Weight kg" numeric, tags text[], sent timestamptz,
    area box, note text COLLATE "C", doc json);
INSERT INTO parcels (id, sender, "Weight kg", tags, sent)
SELECT i, 'sender ' || i % 500, i % 40, ARRAY['t' || i % 7], timestamptz '2026-01-01' + i * interval '1 minute' FROM generate_series(1, 20000) i;
VACUUM ANALYZE parcels;

-- Several statements; the name and CONCURRENTLY are ignored, what is no CREATE INDEX is skipped.
SELECT regexp_replace(indexname, '\d+', 'N') AS indexname FROM create_hypothetical_index('
    CREATE INDEX CONCURRENTLY my_name ON parcels (sender, sent DESC) INCLUDE ("Weight kg") WITH (fillfactor = 80);
    ANALYZE parcels;
    CREATE INDEX IF NOT EXISTS other ON ONLY parcels (lower(sender) text_pattern_ops, (note COLLATE "POSIX") NULLS FIRST) WHERE sent IS NOT NULL;
    CREATE UNIQUE INDEX ON parcels (id, (sender));');
SELECT regexp_replace(indexname, '\d+', 'N') AS indexname, schema_name, table_name, access_method, is_unique, ddl, size_bytes > 8192 AS sized, tuples, hidden
FROM hypothetical_indexes ORDER BY indexrelid;

-- Plain EXPLAIN sees them.
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP RETURN NEXT regexp_replace(line, '<\d+>', '<N>'); END LOOP;
END $$;
SELECT plan('SELECT * FROM parcels WHERE sender = ''sender 42'' ORDER BY sent DESC LIMIT 3');
SELECT plan('SELECT * FROM parcels WHERE lower(sender) LIKE ''sender 4999%'' AND sent IS NOT NULL');
-- What runs does not, nor EXPLAIN with an analyze option.
SELECT count(*) FROM parcels WHERE sender = 'sender 42';
EXPLAIN (COSTS OFF, ANALYZE OFF) SELECT * FROM parcels WHERE sender = 'sender 42';
CREATE FUNCTION analyzed(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ' || query INTO line;
    RETURN substring(line FROM '^[^(]*[^ (]');
END $$;
SELECT analyzed('SELECT * FROM parcels WHERE sender = ''sender 42''');
PREPARE by_sender(text) AS SELECT * FROM parcels WHERE sender = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_sender('sender 42');
EXECUTE by_sender('nobody');
RESET plan_cache_mode;
-- A switch, and hiding.
SET pg_index_advisor.hypothetical_indexes = off;
SELECT plan('SELECT * FROM parcels WHERE sender = ''sender 42''');
RESET pg_index_advisor.hypothetical_indexes;
SELECT hide_index('parcels_pkey'::regclass), hide_index((SELECT max(indexrelid) FROM hypothetical_indexes));
SELECT plan('SELECT * FROM parcels WHERE id = 4');
SELECT regexp_replace(indexname, '\d+', 'N') AS indexname, is_hypothetical FROM hidden_indexes ORDER BY 2;
SELECT hide_index('parcels_pkey'::regclass), unhide_index('parcels_pkey'::regclass), unhide_index('parcels_pkey'::regclass);
SELECT plan('SELECT * FROM parcels WHERE id = 4');
-- An error while planning leaves nothing behind.
EXPLAIN SELECT 1 / 0 FROM parcels WHERE sender = 'sender 42';
SELECT count(*) FROM parcels WHERE sender = 'sender 42';
-- They are no part of a transaction.
BEGIN;
SELECT drop_hypothetical_index(min(indexrelid)) FROM hypothetical_indexes;
ROLLBACK;
SELECT count(*) FROM hypothetical_indexes;
SELECT drop_hypothetical_index(0), reset_hypothetical_indexes();
SELECT count(*) FROM hypothetical_indexes;

-- Side by side.
SELECT regexp_replace(before, 'cost=\S+ rows=\d+ width=\d+|cost \S+', '...') AS before,
       regexp_replace(regexp_replace(after, 'cost=\S+ rows=\d+ width=\d+|cost .*|: \d+ kB', '...'), '<\d+>', '<N>') AS after
FROM explain('SELECT * FROM parcels WHERE sender = $1', ARRAY['CREATE INDEX ON parcels (sender)', 'CREATE INDEX ON parcels (sent)']);
SELECT before::json #>> '{0,Plan,Node Type}' AS before, after::json #>> '{0,Plan,Node Type}' AS after
FROM explain('SELECT * FROM parcels WHERE id = 3', hide => ARRAY['parcels_pkey'::regclass], format => 'json');
SELECT * FROM explain('SELECT * FROM parcels', format => 'pdf');
SELECT * FROM explain('SELECT * FROM nowhere');
SELECT * FROM explain('VACUUM parcels');

-- Refused as the real statement would be.
SELECT create_hypothetical_index('CREATE INDEX ON nowhere (id)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (nothing)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (sender, ctid)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (date_trunc(''day'', sent))');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (id) WHERE sent < now()');
SELECT create_hypothetical_index('CREATE INDEX ON parcels ((SELECT 1))');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (sum(id))');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (doc)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels USING hash (id, sender)');
SELECT create_hypothetical_index('CREATE UNIQUE INDEX ON parcels USING hash (id)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels USING gin (id)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels USING gin (tags) INCLUDE (id)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels USING gin (tags DESC)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (id COLLATE "C")');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (id) INCLUDE (lower(sender))');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (id) WITH (fillfactor = 5)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (id) WITH (colour = red)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (id int4_ops (siglen = 3))');
SELECT create_hypothetical_index('CREATE INDEX ON parcels USING magic (id)');
SELECT create_hypothetical_index('CREATE INDEX ON pg_class (relname)');
SELECT create_hypothetical_index('CREATE INDEX ON hypothetical_indexes (ddl)');
SELECT create_hypothetical_index('CREATE INDEX ON parcels (id');
SELECT hide_index(1);
SELECT count(*) FROM hypothetical_indexes;
