-- A web shop: soft deletes, e-mail addresses in mixed case, correlated and skewed columns, one that is always null, jsonb, arrays, text search.
CREATE EXTENSION pg_trgm;
CREATE EXTENSION btree_gin;

-- A number in [0, 1) for row `i`; another `salt` gives an independent one.
CREATE FUNCTION u(i bigint, salt bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (hashint8extended(i, salt) & 4503599627370495)::double precision / 4503599627370496';
-- The `n`th of 125000 made-up words of six letters.
CREATE FUNCTION word(n integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT s[1 + n % 50] || s[1 + n / 50 % 50] || s[1 + n / 2500 % 50] FROM (SELECT '{ba,ce,di,fo,gu,ha,je,ki,lo,mu,na,pe,ri,so,tu,va,we,xi,yo,zu,
    ab,ec,id,of,ug,ah,ej,ik,ol,um,an,ep,ir,os,ut,av,ew,ix,oy,uz,bra,cle,dri,flo,gru,sha,tre,pli,sto,dru}'::text[]) AS t(s) $$;
-- `n` words for row `i`, few of them often and most of them seldom.
CREATE FUNCTION words(i bigint, n integer, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT string_agg(word((power(u(i * 100 + j, salt), 3) * 20000)::integer), ' ' ORDER BY j) FROM generate_series(1, n) j $$;

CREATE TABLE customers (
    id         bigint PRIMARY KEY,
    email      text NOT NULL,
    name       text NOT NULL,
    city       text NOT NULL,      -- says the country
    country    char(2) NOT NULL,
    status     text NOT NULL,      -- active 90 %, invited 9 %, blocked 1 %
    phone      char(15),
    referrer   text,               -- always null
    token      uuid NOT NULL,
    credit     numeric(12, 2) NOT NULL,
    birthday   date,               -- null in 30 %
    notes      text,               -- null in 60 %, else some hundred bytes
    newsletter boolean NOT NULL,
    deleted_at timestamptz,        -- null in 95 %
    created_at timestamptz NOT NULL
);
INSERT INTO customers
    SELECT i, initcap(word((u(i, 1) * 3000)::integer)) || '.' || word((u(i, 2) * 3000)::integer) || i || '@'
              || (ARRAY['Example.com', 'mail.example.org', 'shop.test'])[1 + floor(power(u(i, 3), 2) * 3)::integer],
           initcap(word((u(i, 1) * 3000)::integer)) || ' ' || initcap(word((u(i, 2) * 3000)::integer)),
           initcap(word(city)), substr('ATBECHDEDKESFIFRGBIT', 1 + 2 * (city % 10), 2),
           CASE WHEN u(i, 5) < 0.9 THEN 'active' WHEN u(i, 5) < 0.99 THEN 'invited' ELSE 'blocked' END,
           '+' || (u(i, 6) * 1e11)::bigint, NULL, md5(i::text)::uuid, round((power(u(i, 7), 4) * 1000)::numeric, 2),
           CASE WHEN u(i, 8) > 0.3 THEN date '1940-01-01' + (u(i, 9) * 25000)::integer END,
           CASE WHEN u(i, 10) > 0.6 THEN words(i, 10 + (u(i, 11) * 60)::integer, 12) END,
           u(i, 13) < 0.2,
           CASE WHEN u(i, 14) < 0.05 THEN timestamptz '2026-01-01 00:00 UTC' + u(i, 15) * interval '300 days' END,
           timestamptz '2020-01-01 00:00 UTC' + i * interval '18 minutes'
    FROM (SELECT i, (power(u(i, 4), 2) * 400)::integer AS city FROM generate_series(1, 150000) i) AS drawn;

CREATE TABLE products (
    id           integer PRIMARY KEY,
    sku          char(12) NOT NULL,
    name         text NOT NULL,
    price        numeric(10, 2) NOT NULL,
    category     integer NOT NULL,
    attributes   jsonb NOT NULL,
    tags         text[] NOT NULL,
    related      integer[] NOT NULL,
    description  text NOT NULL,
    search       tsvector NOT NULL,
    discontinued boolean NOT NULL
);
INSERT INTO products
    SELECT i, lpad((u(i, 1) * 1e9)::bigint::text, 12, '0'), words(i, 3, 2), round((5 + power(u(i, 3), 3) * 2000)::numeric, 2), (power(u(i, 4), 2) * 200)::integer,
           jsonb_build_object('color', (ARRAY['red', 'green', 'blue', 'black', 'white', 'mauve'])[1 + floor(power(u(i, 5), 2) * 6)::integer],
                              'weight', (u(i, 6) * 5000)::integer, 'maker', word((power(u(i, 7), 2) * 500)::integer),
                              'size', jsonb_build_object('w', (u(i, 8) * 50)::integer, 'h', (u(i, 9) * 50)::integer))
           || CASE WHEN u(i, 10) < 0.05 THEN '{"fragile": true}'::jsonb ELSE '{}'::jsonb END,
           ARRAY(SELECT word((power(u(i * 20 + j, 11), 3) * 400)::integer) FROM generate_series(1, 1 + (u(i, 12) * 6)::integer) j),
           ARRAY(SELECT (u(i * 20 + j, 13) * 40000)::integer FROM generate_series(1, (u(i, 14) * 8)::integer) j),
           d, to_tsvector('simple', d), u(i, 15) < 0.1
    FROM (SELECT i, words(i, 15 + (u(i, 16) * 30)::integer, 17) AS d FROM generate_series(1, 40000) i) AS drawn;

CREATE TABLE orders (
    id          bigint PRIMARY KEY,
    customer_id bigint NOT NULL,
    status      text NOT NULL,        -- done 97 %, the others are the newest
    total       numeric(12, 2) NOT NULL,
    coupon      text,                 -- null in 90 %
    shipped_at  timestamptz,          -- null until shipped
    placed_at   timestamptz NOT NULL  -- in the order of rows
);
INSERT INTO orders
    SELECT i, 1 + (power(u(i, 1), 2) * 149999)::bigint,
           CASE WHEN i > 291000 THEN (ARRAY['new', 'paid', 'packed'])[1 + floor(u(i, 2) * 3)::integer] WHEN u(i, 2) < 0.02 THEN 'cancelled' ELSE 'done' END,
           round((10 + power(u(i, 3), 3) * 900)::numeric, 2), CASE WHEN u(i, 4) < 0.1 THEN upper(word((u(i, 5) * 200)::integer)) END,
           CASE WHEN i <= 291000 THEN timestamptz '2024-01-01 00:00 UTC' + i * interval '5 minutes' + u(i, 6) * interval '5 days' END,
           timestamptz '2024-01-01 00:00 UTC' + i * interval '5 minutes'
    FROM generate_series(1, 300000) i;

CREATE TABLE order_items (
    order_id   bigint NOT NULL,
    position   smallint NOT NULL,
    product_id integer NOT NULL,
    quantity   integer NOT NULL,
    price      numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, position)
);
INSERT INTO order_items
    SELECT i, j, 1 + (power(u(i * 8 + j, 1), 3) * 39999)::integer, 1 + floor(power(u(i * 8 + j, 2), 4) * 10)::integer, round((5 + u(i * 8 + j, 3) * 500)::numeric, 2)
    FROM generate_series(1, 300000) i, generate_series(1, 1 + (u(i, 9) * 3)::integer) j;

CREATE TABLE events (
    id          bigint NOT NULL,
    customer_id bigint,             -- null in 40 %
    kind        varchar(20) NOT NULL,
    session     uuid NOT NULL,      -- ten events each
    payload     jsonb,
    happened_at timestamptz NOT NULL
);
INSERT INTO events
    SELECT i, CASE WHEN u(i, 1) > 0.4 THEN 1 + (power(u(i, 2), 3) * 149999)::bigint END,
           (ARRAY['view', 'view', 'view', 'search', 'cart', 'checkout', 'login', 'error'])[1 + floor(power(u(i, 3), 2) * 8)::integer],
           md5((i / 10)::text)::uuid,
           CASE WHEN u(i, 4) < 0.5 THEN jsonb_build_object('product', (power(u(i, 5), 2) * 40000)::integer, 'ms', (u(i, 6) * 900)::integer) END,
           timestamptz '2026-01-01 00:00 UTC' + i * interval '40 seconds' + u(i, 7) * interval '10 minutes'
    FROM generate_series(1, 400000) i;
