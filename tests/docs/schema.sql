-- What the documentation's examples are about: a small shop whose tables lack an index or two, and some statements that
-- a server has seen. Names here are public: the pages use them.
CREATE TABLE customers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email      text NOT NULL,
    country    text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE orders (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL,
    status      text NOT NULL,
    total       numeric(10, 2) NOT NULL,
    created_at  timestamptz NOT NULL
);
INSERT INTO customers (email, country, created_at)
SELECT 'c' || i || '@example.org', (ARRAY['SE', 'DE', 'FR', 'BR'])[1 + i % 4], timestamptz '2026-01-01' + i * interval '1 minute'
FROM generate_series(1, 5000) AS i;
INSERT INTO orders (customer_id, status, total, created_at)
SELECT 1 + (i * 7919) % 5000, CASE WHEN i % 50 = 0 THEN 'open' ELSE 'done' END, (i % 1000) / 10.0,
       timestamptz '2026-01-01' + i * interval '1 second'
FROM generate_series(1, 100000) AS i;
VACUUM ANALYZE customers, orders;
