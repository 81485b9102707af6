-- index: hash, text and uuid
CREATE INDEX ON customers USING hash (email);
-- pair: hash_email
SELECT id FROM customers WHERE email = 'Cebaba.dibaba17@shop.test';

-- index: hash, text and uuid
CREATE INDEX ON customers USING hash (token);
-- pair: hash_token
SELECT id FROM customers WHERE token = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';
-- pair: hash_token_in
SELECT id FROM customers WHERE token IN ('c4ca4238-a0b9-2382-0dcc-509a6f75849b', 'c81e728d-9d4c-2f63-6f06-7f89cc14862c');

-- index: hash, duplicates
CREATE INDEX ON customers USING hash (city);
-- pair: hash_city
SELECT * FROM customers WHERE city = 'Brakiba';
-- pair: hash_city_frequent
SELECT sum(credit) FROM customers WHERE city = 'Bababa';

-- index: hash, duplicates
CREATE INDEX ON events USING hash (session);
-- pair: hash_session
SELECT * FROM events WHERE session = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';

-- index: hash, duplicates
CREATE INDEX ON events USING hash (customer_id);
-- pair: hash_events_of_customer
SELECT * FROM events WHERE customer_id = 100000;
-- pair: hash_events_join
SELECT e.kind FROM customers c JOIN events e ON e.customer_id = c.id WHERE c.email = 'Cebaba.dibaba17@shop.test';

-- index: hash, partial or expression
CREATE INDEX ON customers USING hash (lower(email)) WHERE deleted_at IS NULL;
-- pair: hash_lower_email
SELECT id FROM customers WHERE lower(email) = 'cebaba.dibaba17@shop.test' AND deleted_at IS NULL;

-- index: gin, jsonb_ops
CREATE INDEX ON products USING gin (attributes);
-- pair: jsonb_contains
SELECT id FROM products WHERE attributes @> '{"color": "mauve", "maker": "brakiba"}';
-- pair: jsonb_contains_nested
SELECT id FROM products WHERE attributes @> '{"size": {"w": 7, "h": 11}}';
-- pair: jsonb_has_key
SELECT count(*) FROM products WHERE attributes ? 'fragile';
-- pair: jsonb_frequent
SELECT count(*) FROM products WHERE attributes @> '{"color": "red"}';

-- index: gin, jsonb_path_ops
CREATE INDEX ON products USING gin (attributes jsonb_path_ops);
-- pair: path_contains
SELECT id FROM products WHERE attributes @> '{"color": "mauve", "maker": "brakiba"}';
-- pair: path_nested
SELECT id FROM products WHERE attributes @> '{"size": {"w": 7}}';
-- pair: path_jsonpath
SELECT id FROM products WHERE attributes @@ '$.weight == 77';

-- index: gin, jsonb_path_ops
CREATE INDEX ON events USING gin (payload jsonb_path_ops);
-- pair: payload_product
SELECT * FROM events WHERE payload @> '{"product": 12345}';
-- pair: payload_two
SELECT * FROM events WHERE payload @> '{"product": 12, "ms": 100}';

-- index: gin, jsonb_ops
CREATE INDEX ON events USING gin (payload);
-- pair: payload_ops_product
SELECT * FROM events WHERE payload @> '{"product": 12345}';
-- pair: payload_ops_key
SELECT count(*) FROM events WHERE payload ? 'ms';

-- index: gin, arrays
CREATE INDEX ON products USING gin (tags);
-- pair: tags_contain
SELECT id FROM products WHERE tags @> '{brakiba}';
-- pair: tags_contain_two
SELECT id FROM products WHERE tags @> '{bababa,brakiba}';
-- pair: tags_overlap
SELECT count(*) FROM products WHERE tags && '{brakiba,drukiba,bajeba}';
-- pair: tags_equal
SELECT id FROM products WHERE tags = '{bababa,cebaba}';

-- index: gin, arrays
CREATE INDEX ON products USING gin (related);
-- pair: related_contain
SELECT id FROM products WHERE related @> '{17}';
-- pair: related_any
SELECT id FROM products WHERE related && '{17,18,19,20}';

-- index: gin, tsvector
CREATE INDEX ON products USING gin (search);
-- pair: search_seldom
SELECT id FROM products WHERE search @@ to_tsquery('simple', 'trepligu');
-- pair: search_and
SELECT id FROM products WHERE search @@ to_tsquery('simple', 'bababa & baceba');
-- pair: search_or
SELECT id FROM products WHERE search @@ to_tsquery('simple', 'trepligu | brakiba');
-- pair: search_prefix
SELECT id FROM products WHERE search @@ to_tsquery('simple', 'trepl:*');
-- pair: search_frequent
SELECT count(*) FROM products WHERE search @@ to_tsquery('simple', 'bababa');
-- pair: search_ranked
SELECT id, ts_rank(search, q) FROM products, to_tsquery('simple', 'brakiba & cebaba') q WHERE search @@ q ORDER BY 2 DESC LIMIT 10;

-- index: gin, tsvector expression
CREATE INDEX ON products USING gin (to_tsvector('simple', name));
-- pair: name_words
SELECT id FROM products WHERE to_tsvector('simple', name) @@ to_tsquery('simple', 'brakiba');
-- pair: name_words_and
SELECT id FROM products WHERE to_tsvector('simple', name) @@ to_tsquery('simple', 'bababa & cebaba');

-- index: gin, tsvector expression
CREATE INDEX ON customers USING gin (to_tsvector('simple', notes)) WHERE notes IS NOT NULL;
-- pair: notes_words
SELECT id FROM customers WHERE to_tsvector('simple', notes) @@ to_tsquery('simple', 'trepligu') AND notes IS NOT NULL;

-- index: gin, pg_trgm
CREATE INDEX ON products USING gin (name gin_trgm_ops);
-- pair: trigram_like
SELECT id FROM products WHERE name LIKE '%trepli%';
-- pair: trigram_ilike
SELECT id FROM products WHERE name ILIKE '%Brakiba c%';
-- pair: trigram_similar
SELECT id FROM products WHERE name % 'brakiba cebaba dibaba';
-- pair: trigram_regex
SELECT id FROM products WHERE name ~ 'brak.*treg';
-- pair: trigram_too_short
SELECT count(*) FROM products WHERE name LIKE '%q%';

-- index: gin, pg_trgm
CREATE INDEX ON customers USING gin (email gin_trgm_ops);
-- pair: trigram_email
SELECT id FROM customers WHERE email LIKE '%dibaba17@%';
-- pair: trigram_email_domain
SELECT count(*) FROM customers WHERE email LIKE '%.test';

-- index: gin, several columns
CREATE INDEX ON products USING gin (category, tags);
-- pair: category_and_tag
SELECT id FROM products WHERE category = 150 AND tags @> '{bababa}';
-- pair: category_alone
SELECT id FROM products WHERE category = 150;
-- pair: tag_alone
SELECT id FROM products WHERE tags @> '{brakiba}';

-- index: gin, several columns
CREATE INDEX ON events USING gin (kind, session);
-- pair: kind_and_session
SELECT * FROM events WHERE kind = 'error' AND session = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';

-- index: gin, arrays
CREATE INDEX ON products USING gin (tags) WHERE NOT discontinued;
-- pair: sold_tags
SELECT id FROM products WHERE tags @> '{brakiba}' AND NOT discontinued;

-- index: gin, several columns
CREATE INDEX ON products USING gin (search, attributes jsonb_path_ops);
-- pair: search_and_attributes
SELECT id FROM products WHERE search @@ to_tsquery('simple', 'bababa') AND attributes @> '{"maker": "brakiba"}';

-- index: gist, tsvector
CREATE INDEX ON products USING gist (search);
-- pair: gist_search_seldom
SELECT id FROM products WHERE search @@ to_tsquery('simple', 'trepligu');
-- pair: gist_search_and
SELECT id FROM products WHERE search @@ to_tsquery('simple', 'bababa & baceba');

-- index: gist, pg_trgm
CREATE INDEX ON products USING gist (name gist_trgm_ops);
-- pair: gist_trigram_like
SELECT id FROM products WHERE name LIKE '%trepli%';
-- pair: gist_trigram_nearest
SELECT id, name FROM products ORDER BY name <-> 'brakiba cebaba dibaba' LIMIT 5;

-- index: brin, minmax
CREATE INDEX ON orders USING brin (placed_at);
-- pair: brin_placed_day
SELECT sum(total) FROM orders WHERE placed_at >= '2025-05-05' AND placed_at < '2025-05-06';
-- pair: brin_placed_random_unused
SELECT count(*) FROM orders WHERE total > 905;

-- index: brin, minmax
CREATE INDEX ON events USING brin (happened_at) WITH (pages_per_range = 16);
-- pair: brin_happened_hours
SELECT kind, count(*) FROM events WHERE happened_at BETWEEN '2026-03-03 10:00' AND '2026-03-03 16:00' GROUP BY kind;
