-- Limits as users set them, advice that stays, and what less storage would give.
CREATE SCHEMA audit;
CREATE TABLE readings (device integer NOT NULL, taken timestamptz NOT NULL, "Value °C" numeric);
CREATE TABLE audit.log (who integer NOT NULL, what text NOT NULL);
INSERT INTO readings
SELECT i % 500, timestamptz '2026-01-01' + i * interval '1 minute', i % 40 FROM generate_series(1, 50000) i;
INSERT INTO audit.log SELECT i % 1000, md5(i::text) FROM generate_series(1, 50000) i;
ANALYZE readings, audit.log;
DO $$ BEGIN PERFORM pg_stat_statements_reset(); END $$;
SELECT count("Value °C") FROM readings WHERE device = 7;
SELECT count("Value °C") FROM readings WHERE taken = '2026-01-03';
SELECT count(what) FROM audit.log WHERE who = 7;
CREATE TABLE advice AS SELECT rank, ddl FROM index_advisor.recommend();
SELECT ddl FROM advice ORDER BY ddl;

-- One index a table.
SET pg_index_advisor.max_indexes_per_table = 1;
SELECT relation, count(*) FROM index_advisor.recommend() GROUP BY 1 ORDER BY 1;
RESET pg_index_advisor.max_indexes_per_table;
-- Tables and schemas left alone; their statements count.
SET pg_index_advisor.exclude_schemas = 'aud*';
SELECT ddl FROM index_advisor.recommend() ORDER BY ddl;
SELECT status FROM index_advisor.statements() WHERE query LIKE '%audit.log WHERE%';
SET pg_index_advisor.exclude_tables = 'Readings, audit."log"';
SELECT ddl FROM index_advisor.recommend() ORDER BY ddl;
RESET pg_index_advisor.exclude_schemas;
RESET pg_index_advisor.exclude_tables;
-- Only a hash index would be allowed.
SET pg_index_advisor.access_methods = 'hash';
SELECT ddl FROM index_advisor.recommend() WHERE ddl NOT LIKE '%USING hash%';
RESET pg_index_advisor.access_methods;
-- No index saves a day a day here.
SET pg_index_advisor.min_saving_per_day = '20d';
SELECT ddl FROM index_advisor.recommend() ORDER BY ddl;
RESET pg_index_advisor.min_saving_per_day;

-- The frontier rises in size, falls in cost, and ends in the recommendation.
SELECT count(*) > 1 AS some, bool_and(size_bytes > smaller) AS rises, bool_and(cost_percent < before) AS falls,
       count(*) FILTER (WHERE recommended) AS recommended, max(abs(cost_percent + saving_percent - 100)) < 1e-6 AS adds_up
FROM (SELECT *, lag(size_bytes) OVER points AS smaller, lag(cost_percent) OVER points AS before
      FROM index_advisor.frontier() WINDOW points AS (ORDER BY size_bytes)) AS f;
SELECT ARRAY(SELECT unnest(ddl) FROM index_advisor.frontier() WHERE recommended ORDER BY 1)
     = ARRAY(SELECT ddl FROM advice ORDER BY 1) AS what_is_recommended;

-- The earlier advice stays; what exists by now is left out of it.
SELECT ddl FROM index_advisor.recommend(previous => ARRAY(SELECT ddl FROM advice)) ORDER BY ddl;
CREATE INDEX ON readings (device);
SELECT ddl FROM index_advisor.recommend(previous => ARRAY(SELECT ddl FROM advice ORDER BY ddl)) ORDER BY ddl;
SELECT ddl FROM index_advisor.recommend(previous => ARRAY['CREATE INDEX ON nowhere (a)', NULL]) ORDER BY ddl;
