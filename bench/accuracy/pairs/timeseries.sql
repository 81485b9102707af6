-- index: btree, partitioned
CREATE INDEX ON measurements (at);
-- pair: part_day
SELECT avg(value) FROM measurements WHERE at >= '2025-06-10' AND at < '2025-06-11';
-- pair: part_across_months
SELECT count(*) FROM measurements WHERE at >= '2025-06-29' AND at < '2025-07-02';
-- pair: part_latest
SELECT * FROM measurements ORDER BY at DESC LIMIT 20;
-- pair: part_month_unused
SELECT sum(value) FROM measurements WHERE at >= '2025-03-01' AND at < '2025-04-01';
-- pair: part_max
SELECT max(at) FROM measurements;

-- index: btree, partitioned
CREATE INDEX ON measurements (sensor, at DESC);
-- pair: part_sensor_latest
SELECT * FROM measurements WHERE sensor = 17 ORDER BY at DESC LIMIT 5;
-- pair: part_sensor_week
SELECT avg(value) FROM measurements WHERE sensor = 17 AND at >= '2025-04-07' AND at < '2025-04-14';
-- pair: part_sensor_all
SELECT count(value) FROM measurements WHERE sensor = 17;
-- pair: part_sensors
SELECT sensor, count(*) FROM measurements WHERE sensor IN (1, 2, 3) AND at >= '2025-11-15' GROUP BY sensor;
-- pair: part_sensor_all_default; settings: default
SELECT count(value) FROM measurements WHERE sensor = 17;

-- index: btree, partitioned, other than plain
CREATE INDEX ON measurements (at, sensor) WHERE status <> 0;
-- pair: part_faults
SELECT * FROM measurements WHERE status <> 0 AND at >= '2025-02-01' AND at < '2025-02-08';
-- pair: part_faults_all
SELECT count(*) FROM measurements WHERE status <> 0;

-- index: btree, partitioned, other than plain
CREATE INDEX ON measurements (((at AT TIME ZONE 'UTC')::date));
-- pair: part_by_date
SELECT avg(value) FROM measurements WHERE (at AT TIME ZONE 'UTC')::date = '2025-05-05';

-- index: btree, partitioned, other than plain
CREATE INDEX ON measurements (sensor) INCLUDE (value);
-- pair: part_covered
SELECT avg(value) FROM measurements WHERE sensor = 99;

-- index: brin, partitioned
CREATE INDEX ON measurements USING brin (at) WITH (pages_per_range = 16);
-- pair: part_brin_hours
SELECT avg(value) FROM measurements WHERE at >= '2025-06-10 06:00' AND at < '2025-06-10 18:00';
-- pair: part_brin_days
SELECT avg(value) FROM measurements WHERE at >= '2025-06-29' AND at < '2025-07-03';

-- index: hash, partitioned
CREATE INDEX ON measurements USING hash (sensor);
-- pair: part_hash
SELECT count(value) FROM measurements WHERE sensor = 17 AND at >= '2025-10-01';

-- index: brin, minmax
CREATE INDEX ON readings USING brin (at);
-- pair: brin_day
SELECT avg(value) FROM readings WHERE at >= '2025-06-10' AND at < '2025-06-11';
-- pair: brin_hour
SELECT * FROM readings WHERE at >= '2025-06-10 06:00' AND at < '2025-06-10 07:00' AND sensor = 9;
-- pair: brin_month
SELECT count(*) FROM readings WHERE at >= '2025-06-01' AND at < '2025-07-01';
-- pair: brin_all_unused
SELECT count(*) FROM readings WHERE at >= '2025-01-02';
-- pair: brin_day_default; settings: default
SELECT avg(value) FROM readings WHERE at >= '2025-06-10' AND at < '2025-06-11';
-- pair: brin_month_parallel; settings: parallel
SELECT count(*) FROM readings WHERE at >= '2025-06-01' AND at < '2025-09-01';

-- index: brin, minmax
CREATE INDEX ON readings USING brin (at) WITH (pages_per_range = 4);
-- pair: brin4_day
SELECT avg(value) FROM readings WHERE at >= '2025-06-10' AND at < '2025-06-11';
-- pair: brin4_hour
SELECT * FROM readings WHERE at >= '2025-06-10 06:00' AND at < '2025-06-10 07:00';

-- index: brin, minmax
CREATE INDEX ON readings USING brin (at) WITH (pages_per_range = 1024);
-- pair: brin1024_day
SELECT avg(value) FROM readings WHERE at >= '2025-06-10' AND at < '2025-06-11';

-- index: brin, minmax, several columns
CREATE INDEX ON readings USING brin (at, counter, sensor) WITH (pages_per_range = 64);
-- pair: brin_columns_counter
SELECT avg(value) FROM readings WHERE counter BETWEEN 4000000 AND 4010000;
-- pair: brin_columns_both
SELECT avg(value) FROM readings WHERE at >= '2025-06-10' AND at < '2025-06-12' AND counter > 4000000;
-- pair: brin_columns_uncorrelated
SELECT avg(value) FROM readings WHERE sensor = 55;

-- index: brin, minmax_multi
CREATE INDEX ON late USING brin (at timestamptz_minmax_multi_ops) WITH (pages_per_range = 32);
-- pair: multi_day
SELECT avg(value) FROM late WHERE at >= '2025-06-10' AND at < '2025-06-11';
-- pair: multi_hours
SELECT * FROM late WHERE at >= '2025-06-10 06:00' AND at < '2025-06-10 12:00';

-- index: brin, minmax_multi
CREATE INDEX ON late USING brin (batch int4_minmax_multi_ops(values_per_range = 8), at timestamptz_minmax_multi_ops);
-- pair: multi_batch_unused
SELECT count(value) FROM late WHERE batch = 77;

-- index: brin, minmax
CREATE INDEX ON late USING brin (batch) WITH (pages_per_range = 8);
-- pair: brin_batch
SELECT count(value) FROM late WHERE batch = 77;
-- pair: brin_batch_in
SELECT count(value) FROM late WHERE batch IN (7, 77);

-- index: brin, minmax, partial or expression
CREATE INDEX ON late USING brin (at) WITH (pages_per_range = 16, autosummarize = on) WHERE value IS NOT NULL;
-- pair: brin_partial
SELECT avg(value) FROM late WHERE value IS NOT NULL AND at >= '2025-06-10' AND at < '2025-06-11';

-- index: brin, minmax, partial or expression
CREATE INDEX ON readings USING brin ((counter / 1000)) WITH (pages_per_range = 32);
-- pair: brin_expression
SELECT avg(value) FROM readings WHERE counter / 1000 = 4000;

-- index: brin, bloom
CREATE INDEX ON late USING brin (batch int4_bloom_ops) WITH (pages_per_range = 32);
-- pair: bloom_batch
SELECT count(value) FROM late WHERE batch = 77;

-- index: brin, bloom
CREATE INDEX ON readings USING brin (host text_bloom_ops(n_distinct_per_range = 100, false_positive_rate = 0.02), sensor int4_bloom_ops) WITH (pages_per_range = 16);
-- pair: bloom_host
SELECT count(*) FROM readings WHERE host = 'host-7' AND sensor = 3;

-- index: brin, inclusion
CREATE INDEX ON readings USING brin (span) WITH (pages_per_range = 32);
-- pair: inclusion_span_unused
SELECT count(*) FROM readings WHERE span @> timestamptz '2025-05-05 05:05 UTC';
-- pair: inclusion_overlap_unused
SELECT count(*) FROM readings WHERE span && tstzrange('2025-05-05 05:00 UTC', '2025-05-05 06:00 UTC');

-- index: brin, inclusion
CREATE INDEX ON readings USING brin (address inet_inclusion_ops) WITH (pages_per_range = 16);
-- pair: inclusion_address
SELECT count(*) FROM readings WHERE address <<= '10.0.20.0/28';

-- index: brin, minmax, several columns
CREATE INDEX ON late USING brin (message, value);
-- pair: brin_message
SELECT count(*) FROM late WHERE message = 'sensor 3 said 33';

-- index: btree, one column
CREATE INDEX ON readings (at);
-- pair: at_day
SELECT avg(value) FROM readings WHERE at >= '2025-06-10' AND at < '2025-06-11';
-- pair: at_latest
SELECT * FROM readings ORDER BY at DESC LIMIT 10;
-- pair: at_count_parallel; settings: parallel
SELECT count(*) FROM readings WHERE at >= '2025-03-01' AND at < '2025-09-01';
-- pair: at_buckets
SELECT date_trunc('hour', at), avg(value) FROM readings WHERE at >= '2025-06-10' AND at < '2025-06-12' GROUP BY 1 ORDER BY 1;

-- index: btree, several columns
CREATE INDEX ON readings (sensor, at) INCLUDE (value);
-- pair: sensor_week
SELECT avg(value) FROM readings WHERE sensor = 17 AND at >= '2025-04-07' AND at < '2025-04-14';
-- pair: sensor_latest
SELECT at, value FROM readings WHERE sensor = 17 ORDER BY at DESC LIMIT 1;
-- pair: latest_of_all
SELECT DISTINCT ON (sensor) sensor, at, value FROM readings ORDER BY sensor, at;
-- pair: sensor_without_first
SELECT count(*) FROM readings WHERE at >= '2025-04-07' AND at < '2025-04-08';
-- pair: sensor_count_parallel; settings: parallel
SELECT sensor, count(*) FROM readings WHERE sensor < 500 GROUP BY sensor;

-- index: btree, partial
CREATE INDEX ON readings (at) WHERE status = 1;
-- pair: faults_latest
SELECT * FROM readings WHERE status = 1 ORDER BY at DESC LIMIT 10;
-- pair: faults_all
SELECT host, count(*) FROM readings WHERE status = 1 GROUP BY host;

-- index: btree, few distinct values
CREATE INDEX ON readings (host);
-- pair: host_count
SELECT count(*) FROM readings WHERE host = 'host-7';
-- pair: host_rows
SELECT avg(value) FROM readings WHERE host = 'host-7';

-- index: btree, several indexes
CREATE INDEX ON late (batch);
CREATE INDEX ON late (sensor, at);
-- pair: late_and
SELECT * FROM late WHERE batch = 77 AND sensor BETWEEN 40 AND 45;
-- pair: late_latest
SELECT * FROM late WHERE sensor = 150 ORDER BY at DESC LIMIT 3;

-- index: btree, nulls
CREATE INDEX ON late (value NULLS FIRST);
-- pair: late_null
SELECT count(*) FROM late WHERE value IS NULL;
-- pair: late_least
SELECT at, value FROM late WHERE value IS NOT NULL ORDER BY value NULLS FIRST LIMIT 10;
-- pair: late_band
SELECT count(*) FROM late WHERE value BETWEEN 500 AND 501;

-- index: brin, minmax_multi
CREATE INDEX ON readings USING brin (at timestamptz_minmax_multi_ops) WITH (pages_per_range = 2);
-- pair: multi_fine_hour
SELECT * FROM readings WHERE at >= '2025-06-10 06:00' AND at < '2025-06-10 07:00';

-- index: brin, minmax_multi
CREATE INDEX ON readings USING brin (value float8_minmax_multi_ops, sensor int4_minmax_multi_ops) WITH (pages_per_range = 8);
-- pair: multi_fine_uncorrelated_unused
SELECT count(*) FROM readings WHERE value > 99.9;

-- index: brin, minmax_multi
CREATE INDEX ON late USING brin (at timestamptz_minmax_multi_ops(values_per_range = 64)) WITH (pages_per_range = 4);
-- pair: multi_fine_late_hours
SELECT avg(value) FROM late WHERE at >= '2025-06-10 06:00' AND at < '2025-06-10 12:00';

-- index: brin, bloom
CREATE INDEX ON readings USING brin (sensor int4_bloom_ops) WITH (pages_per_range = 4);
-- pair: bloom_fine_sensor
SELECT count(*) FROM readings WHERE sensor = 55;

-- index: brin, bloom
CREATE INDEX ON readings USING brin (counter int8_bloom_ops(false_positive_rate = 0.05)) WITH (pages_per_range = 8);
-- pair: bloom_fine_counter
SELECT * FROM readings WHERE counter = 4000000;

-- index: brin, inclusion
CREATE INDEX ON readings USING brin (span range_inclusion_ops, address inet_inclusion_ops) WITH (pages_per_range = 2);
-- pair: inclusion_fine
SELECT count(*) FROM readings WHERE address <<= '10.0.20.0/28';

-- index: brin, minmax
CREATE INDEX ON readings USING brin (host, at) WITH (pages_per_range = 1);
-- pair: minmax_finest
SELECT * FROM readings WHERE at >= '2025-06-10 06:00' AND at < '2025-06-10 06:10';
