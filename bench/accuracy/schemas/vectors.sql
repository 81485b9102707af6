-- Embeddings of a few dimensions, in clusters.
CREATE EXTENSION vector;
CREATE FUNCTION u(i bigint, salt bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    'SELECT (hashint8extended(i, salt) & 4503599627370495)::double precision / 4503599627370496';
CREATE TABLE items (id integer PRIMARY KEY, category integer NOT NULL, small vector(8) NOT NULL, embedding vector(48) NOT NULL);
INSERT INTO items
    SELECT i, (u(i, 1) * 50)::integer, ARRAY(SELECT (u(i % 30, j) + u(i, 100 + j) / 4)::real FROM generate_series(1, 8) j)::vector(8),
           ARRAY(SELECT (u(i % 30, j) + u(i, 200 + j) / 4)::real FROM generate_series(1, 48) j)::vector(48)
    FROM generate_series(1, 20000) i;
