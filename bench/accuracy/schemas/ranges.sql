-- Ranges, geometry, networks, names and documents: what GiST, SP-GiST and bloom are for.
CREATE EXTENSION btree_gist;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION bloom;
CREATE FUNCTION u(i bigint, salt bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (hashint8extended(i, salt) & 4503599627370495)::double precision / 4503599627370496';
CREATE FUNCTION word(n integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT s[1 + n % 50] || s[1 + n / 50 % 50] || s[1 + n / 2500 % 50] FROM (SELECT '{ba,ce,di,fo,gu,ha,je,ki,lo,mu,na,pe,ri,so,tu,va,we,xi,yo,zu,
    ab,ec,id,of,ug,ah,ej,ik,ol,um,an,ep,ir,os,ut,av,ew,ix,oy,uz,bra,cle,dri,flo,gru,sha,tre,pli,sto,dru}'::text[]) AS t(s) $$;
CREATE FUNCTION words(i bigint, n integer, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT string_agg(word((power(u(i * 100 + j, salt), 3) * 20000)::integer), ' ' ORDER BY j) FROM generate_series(1, n) j $$;

CREATE TABLE bookings (
    id     integer NOT NULL,
    room   integer NOT NULL,
    during tstzrange NOT NULL,
    price  int4range,            -- null in 30 %
    guest  text NOT NULL,
    stay   daterange NOT NULL    -- mostly open at the end or empty
);
INSERT INTO bookings
    SELECT i, 1 + (u(i, 1) * 999)::integer, tstzrange(s, s + (1 + floor(power(u(i, 3), 3) * 240)) * interval '1 hour'),
           CASE WHEN u(i, 4) > 0.3 THEN int4range((u(i, 5) * 900)::integer, (u(i, 5) * 900)::integer + 10 + (u(i, 6) * 100)::integer) END, word((u(i, 7) * 9000)::integer),
           CASE WHEN u(i, 8) < 0.6 THEN daterange(s::date, NULL) WHEN u(i, 8) < 0.7 THEN 'empty' ELSE daterange(s::date, s::date + 3) END
    FROM (SELECT i, timestamptz '2026-01-01 00:00 UTC' + (u(i, 2) * 8760)::integer * interval '1 hour' AS s FROM generate_series(1, 150000) i) AS drawn;

CREATE TABLE places (
    id   integer PRIMARY KEY,
    spot point NOT NULL,         -- in forty towns, and some anywhere
    area box NOT NULL,
    disc circle,                 -- null in 50 %
    plot polygon NOT NULL,
    name text NOT NULL,
    kind smallint NOT NULL
);
INSERT INTO places
    SELECT i, point(x, y), box(point(x, y), point(x + u(i, 6) * 5, y + u(i, 7) * 5)), CASE WHEN u(i, 8) < 0.5 THEN circle(point(x, y), 0.1 + u(i, 9)) END,
           polygon(box(point(x, y), point(x + 1, y + u(i, 10)))), words(i, 2, 11), (power(u(i, 12), 2) * 20)::smallint
    FROM (SELECT i, CASE WHEN town < 40 THEN u(town, 1) * 1000 + (u(i, 2) + u(i, 3) - 1) * 20 ELSE u(i, 2) * 1000 END AS x,
                 CASE WHEN town < 40 THEN u(town, 4) * 1000 + (u(i, 3) + u(i, 5) - 1) * 20 ELSE u(i, 5) * 1000 END AS y
          FROM (SELECT i, (u(i, 13) * 44)::integer AS town FROM generate_series(1, 120000) i) AS towns) AS drawn;

CREATE TABLE hosts (
    id      integer NOT NULL,
    address inet NOT NULL,
    network cidr NOT NULL,
    name    text NOT NULL,        -- deep common prefixes
    url     text NOT NULL
);
INSERT INTO hosts
    SELECT i, inet '10.0.0.0' + (power(u(i, 1), 2) * 16000000)::bigint, network(set_masklen(inet '10.0.0.0' + (u(i, 2) * 16000000)::bigint, 16 + (u(i, 3) * 12)::integer)),
           'rack' || (u(i, 4) * 40)::integer || '.node' || i || '.example.net',
           'https://www.example.com/' || word((power(u(i, 5), 2) * 200)::integer) || '/' || word((u(i, 6) * 2000)::integer) || '/' || i % 977
    FROM generate_series(1, 150000) i;

CREATE TABLE documents (
    id    integer PRIMARY KEY,
    title text NOT NULL,
    body  tsvector NOT NULL,
    day   date NOT NULL,
    token uuid NOT NULL,
    score numeric(6, 2) NOT NULL,
    code  bigint NOT NULL
);
INSERT INTO documents
    SELECT i, words(i, 4, 1), to_tsvector('simple', words(i, 40, 2)), date '2015-01-01' + (u(i, 3) * 4000)::integer, md5(i::text)::uuid,
           round((u(i, 4) * 1000)::numeric, 2), (u(i, 5) * 1e12)::bigint
    FROM generate_series(1, 30000) i;

CREATE TABLE facets (a integer NOT NULL, b integer NOT NULL, c integer NOT NULL, d integer NOT NULL, e text NOT NULL, f integer);
INSERT INTO facets
    SELECT (u(i, 1) * 1000)::integer, (u(i, 2) * 1000)::integer, (u(i, 3) * 100)::integer, (u(i, 4) * 10000)::integer, word((u(i, 5) * 500)::integer),
           CASE WHEN u(i, 6) > 0.2 THEN (u(i, 7) * 50)::integer END
    FROM generate_series(1, 300000) i;
