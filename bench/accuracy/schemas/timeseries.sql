-- Measurements: one table partitioned by month, one plain table, both in the order of time, and one that arrives late and mixed.
CREATE FUNCTION u(i bigint, salt bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (hashint8extended(i, salt) & 4503599627370495)::double precision / 4503599627370496';

CREATE TABLE measurements (
    sensor integer NOT NULL,
    at     timestamptz NOT NULL,
    value  double precision NOT NULL,
    status smallint NOT NULL
) PARTITION BY RANGE (at);
DO $$
BEGIN
    FOR m IN 0..11 LOOP
        EXECUTE format('CREATE TABLE measurements_%s PARTITION OF measurements FOR VALUES FROM (%L) TO (%L)', to_char(m + 1, 'FM00'),
                       timestamptz '2025-01-01 00:00 UTC' + m * interval '1 month', timestamptz '2025-01-01 00:00 UTC' + (m + 1) * interval '1 month');
    END LOOP;
END $$;
INSERT INTO measurements
    SELECT 1 + (u(i, 1) * 499)::integer, timestamptz '2025-01-01 00:00 UTC' + i * interval '52 seconds',
           20 + 10 * sin(i / 20000.0) + u(i, 2), CASE WHEN u(i, 3) < 0.99 THEN 0 ELSE 1 + (u(i, 4) * 4)::integer END
    FROM generate_series(1, 600000) i;

CREATE TABLE readings (
    at      timestamptz NOT NULL,
    sensor  integer NOT NULL,
    value   double precision NOT NULL,
    counter bigint NOT NULL,     -- grows, with noise
    host    text NOT NULL,
    address inet NOT NULL,       -- grows with time
    span    tstzrange NOT NULL,
    status  smallint NOT NULL
);
INSERT INTO readings
    SELECT timestamptz '2025-01-01 00:00 UTC' + i * interval '30 seconds', 1 + (u(i, 1) * 999)::integer, u(i, 2) * 100,
           i * 10 + (u(i, 3) * 20000)::bigint, 'host-' || (u(i, 4) * 60)::integer, inet '10.0.0.0' + i / 40,
           tstzrange(timestamptz '2025-01-01 00:00 UTC' + i * interval '30 seconds',
                     timestamptz '2025-01-01 00:00 UTC' + (i + 1 + (u(i, 5) * 100)::integer) * interval '30 seconds'),
           CASE WHEN u(i, 6) < 0.995 THEN 0 ELSE 1 END
    FROM generate_series(1, 900000) i;

CREATE TABLE late (
    at      timestamptz NOT NULL,  -- nine rows of ten in order, the tenth days late
    sensor  integer NOT NULL,
    batch   integer NOT NULL,      -- two thousand rows each, in no order
    value   numeric(8, 3),         -- null in 20 %
    message varchar(60) NOT NULL
);
INSERT INTO late
    SELECT timestamptz '2025-01-01 00:00 UTC' + i * interval '1 minute' - CASE WHEN i % 10 = 0 THEN u(i, 1) * interval '10 days' ELSE interval '0' END,
           1 + (power(u(i, 2), 2) * 200)::integer, (i / 2000 * 7919) % 211, CASE WHEN u(i, 3) > 0.2 THEN round((u(i, 4) * 1000)::numeric, 3) END,
           'sensor ' || (u(i, 5) * 30)::integer || ' said ' || (u(i, 6) * 100)::integer
    FROM generate_series(1, 400000) i;
