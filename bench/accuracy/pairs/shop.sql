-- index: btree, one column
CREATE INDEX ON customers (city);
-- pair: city_frequent
SELECT sum(credit) FROM customers WHERE city = 'Bababa';
-- pair: city_seldom
SELECT * FROM customers WHERE city = 'Brakiba';
-- pair: city_sorted
SELECT city, count(*) FROM customers GROUP BY city ORDER BY city;
-- pair: city_four
SELECT id, name FROM customers WHERE city IN ('Brakiba', 'Drukiba', 'Bajeba', 'Nowhere');

-- index: btree, one column
CREATE INDEX ON customers (email);
-- pair: email_eq
SELECT * FROM customers WHERE email = 'Cebaba.dibaba17@shop.test';
-- pair: email_page
SELECT id, email FROM customers WHERE email > 'Dice' ORDER BY email LIMIT 50;
-- pair: email_like_unused
SELECT * FROM customers WHERE email LIKE 'Dibaba%';

-- index: btree, operator class or collation
CREATE INDEX ON customers (email text_pattern_ops);
-- pair: pattern_prefix
SELECT * FROM customers WHERE email LIKE 'Dibaba.%';
-- pair: pattern_short_prefix
SELECT count(*) FROM customers WHERE email LIKE 'D%';
-- pair: pattern_eq
SELECT id FROM customers WHERE email = 'Cebaba.dibaba17@shop.test';

-- index: btree, operator class or collation
CREATE INDEX ON customers (name COLLATE "C");
-- pair: c_name_prefix
SELECT id FROM customers WHERE name LIKE 'Dibaba F%';
-- pair: c_name_eq
SELECT id FROM customers WHERE name COLLATE "C" = 'Dibaba Fobaba';
-- pair: c_name_sorted
SELECT id, name FROM customers ORDER BY name COLLATE "C" LIMIT 20;

-- index: btree, operator class or collation
CREATE INDEX ON products (sku bpchar_pattern_ops);
-- pair: sku_prefix
SELECT id, name FROM products WHERE sku LIKE '000123%';

-- index: btree, expression
CREATE INDEX ON customers (lower(email));
-- pair: lower_email_eq
SELECT * FROM customers WHERE lower(email) = 'cebaba.dibaba17@shop.test';
-- pair: lower_email_in
SELECT * FROM customers WHERE lower(email) IN ('a@shop.test', 'b@shop.test', 'cebaba.dibaba17@shop.test');
-- pair: lower_email_sorted
SELECT id FROM customers ORDER BY lower(email) LIMIT 30;

-- index: btree, expression
CREATE INDEX ON customers (date_part('month', birthday), date_part('day', birthday));
-- pair: birthday_today
SELECT id, name FROM customers WHERE date_part('month', birthday) = 11 AND date_part('day', birthday) = 23;
-- pair: birthday_month
SELECT count(*) FROM customers WHERE date_part('month', birthday) = 2;

-- index: btree, expression
CREATE INDEX ON products ((attributes ->> 'maker'));
-- pair: maker_eq
SELECT id, price FROM products WHERE attributes ->> 'maker' = 'brakiba';
-- pair: maker_frequent
SELECT count(*) FROM products WHERE attributes ->> 'maker' = 'bababa';
-- pair: maker_sorted
SELECT attributes ->> 'maker', count(*) FROM products GROUP BY 1 ORDER BY 1 LIMIT 5;

-- index: btree, expression
CREATE INDEX ON products (((attributes -> 'weight')::integer));
-- pair: weight_range
SELECT id FROM products WHERE (attributes -> 'weight')::integer BETWEEN 100 AND 120;
-- pair: weight_least
SELECT id FROM products ORDER BY (attributes -> 'weight')::integer LIMIT 10;

-- index: btree, expression
CREATE INDEX ON orders (((placed_at AT TIME ZONE 'UTC')::date));
-- pair: order_day
SELECT sum(total) FROM orders WHERE (placed_at AT TIME ZONE 'UTC')::date = '2025-03-01';
-- pair: order_days
SELECT (placed_at AT TIME ZONE 'UTC')::date, sum(total) FROM orders WHERE (placed_at AT TIME ZONE 'UTC')::date > '2026-10-01' GROUP BY 1;

-- index: btree, expression
CREATE INDEX ON order_items ((quantity * price));
-- pair: item_value
SELECT * FROM order_items WHERE quantity * price > 4900;
-- pair: item_value_top
SELECT * FROM order_items ORDER BY quantity * price DESC LIMIT 10;

-- index: btree, expression
CREATE INDEX ON customers (lower(name)) WHERE deleted_at IS NULL;
-- pair: live_name_eq
SELECT id FROM customers WHERE lower(name) = 'dibaba fobaba' AND deleted_at IS NULL;
-- pair: live_name_page
SELECT id, name FROM customers WHERE deleted_at IS NULL ORDER BY lower(name) LIMIT 40;
-- pair: live_name_all_unused
SELECT id FROM customers WHERE lower(name) = 'dibaba fobaba';

-- index: btree, partial
CREATE INDEX ON customers (created_at) WHERE deleted_at IS NULL;
-- pair: live_latest
SELECT * FROM customers WHERE deleted_at IS NULL ORDER BY created_at DESC LIMIT 20;
-- pair: live_week
SELECT count(*) FROM customers WHERE deleted_at IS NULL AND created_at BETWEEN '2024-03-01' AND '2024-03-08';

-- index: btree, partial
CREATE INDEX ON customers (deleted_at) WHERE deleted_at IS NOT NULL;
-- pair: deleted_lately
SELECT id FROM customers WHERE deleted_at > '2026-10-20';
-- pair: deleted_all
SELECT count(*) FROM customers WHERE deleted_at IS NOT NULL;

-- index: btree, partial
CREATE INDEX ON orders (placed_at) WHERE status IN ('new', 'paid', 'packed');
-- pair: open_oldest
SELECT * FROM orders WHERE status IN ('new', 'paid', 'packed') ORDER BY placed_at LIMIT 100;
-- pair: open_paid
SELECT count(*) FROM orders WHERE status = 'paid';
-- pair: open_new_window
SELECT id FROM orders WHERE status = 'new' AND placed_at > '2026-11-01';

-- index: btree, partial
CREATE INDEX ON orders (customer_id) WHERE coupon IS NOT NULL;
-- pair: coupon_of_customer
SELECT coupon FROM orders WHERE customer_id = 4711 AND coupon IS NOT NULL;
-- pair: coupon_strict
SELECT count(*) FROM orders WHERE customer_id < 2000 AND coupon = 'BABABA';

-- index: btree, partial
CREATE INDEX ON customers (status) WHERE status <> 'active';
-- pair: blocked
SELECT * FROM customers WHERE status = 'blocked' AND status <> 'active';
-- pair: not_active
SELECT count(*) FROM customers WHERE status <> 'active';

-- index: btree, partial
CREATE INDEX ON events (customer_id, happened_at) WHERE kind = 'error';
-- pair: errors_of_customer
SELECT * FROM events WHERE kind = 'error' AND customer_id = 12 ORDER BY happened_at;
-- pair: errors_count
SELECT count(*) FROM events WHERE kind = 'error';

-- index: btree, few distinct values
CREATE INDEX ON customers (status);
-- pair: status_blocked
SELECT * FROM customers WHERE status = 'blocked';
-- pair: status_active_unused
SELECT * FROM customers WHERE status = 'active';
-- pair: status_counts
SELECT status, count(*) FROM customers GROUP BY status;
-- pair: status_absent
SELECT * FROM customers WHERE status = 'merged';

-- index: btree, few distinct values
CREATE INDEX ON customers (newsletter);
-- pair: newsletter_count
SELECT count(*) FROM customers WHERE newsletter;
-- pair: newsletter_rows
SELECT email FROM customers WHERE newsletter;

-- index: btree, nulls
CREATE INDEX ON customers (referrer);
-- pair: referrer_eq
SELECT * FROM customers WHERE referrer = 'somebody';
-- pair: referrer_known
SELECT * FROM customers WHERE referrer IS NOT NULL;
-- pair: referrer_null_unused
SELECT * FROM customers WHERE referrer IS NULL;

-- index: btree, nulls
CREATE INDEX ON customers (birthday DESC NULLS LAST);
-- pair: youngest
SELECT id, birthday FROM customers ORDER BY birthday DESC NULLS LAST LIMIT 25;
-- pair: born_on
SELECT id FROM customers WHERE birthday = '1975-06-15';
-- pair: born_unknown
SELECT count(*) FROM customers WHERE birthday IS NULL;
-- pair: oldest_other_nulls_unused
SELECT id, birthday FROM customers ORDER BY birthday DESC LIMIT 25;

-- index: btree, nulls
CREATE INDEX ON events (customer_id);
-- pair: events_of_customer
SELECT * FROM events WHERE customer_id = 100000;
-- pair: events_of_frequent
SELECT kind, count(*) FROM events WHERE customer_id = 1 GROUP BY kind;
-- pair: events_of_newest
SELECT e.* FROM customers c JOIN events e ON e.customer_id = c.id WHERE c.id > 149900;
-- pair: events_anonymous_default; settings: default
SELECT count(*) FROM events WHERE customer_id IS NULL AND kind = 'cart';

-- index: btree, uuid
CREATE INDEX ON customers (token);
-- pair: token_eq
SELECT id FROM customers WHERE token = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';
-- pair: token_page
SELECT token FROM customers WHERE token > '80000000-0000-0000-0000-000000000000' ORDER BY token LIMIT 10;

-- index: btree, uuid
CREATE INDEX ON events (session);
-- pair: session_eq
SELECT * FROM events WHERE session = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';
-- pair: session_in
SELECT * FROM events WHERE session IN ('c4ca4238-a0b9-2382-0dcc-509a6f75849b', 'c81e728d-9d4c-2f63-6f06-7f89cc14862c');
-- pair: session_join
SELECT count(*) FROM events a JOIN events b USING (session) WHERE a.id < 500 AND b.kind = 'error';

-- index: btree, numeric
CREATE INDEX ON customers (credit);
-- pair: credit_most
SELECT * FROM customers ORDER BY credit DESC LIMIT 10;
-- pair: credit_above
SELECT id FROM customers WHERE credit > 990;
-- pair: credit_zero
SELECT count(*) FROM customers WHERE credit = 0;

-- index: btree, numeric
CREATE INDEX ON orders (total);
-- pair: total_band
SELECT id, total FROM orders WHERE total BETWEEN 900 AND 903;
-- pair: total_sum_unused
SELECT avg(total) FROM orders WHERE customer_id % 7 = 2 AND total > 20;

-- index: btree, char(n) and varchar(n)
CREATE INDEX ON customers (country);
-- pair: country_eq
SELECT count(*) FROM customers WHERE country = 'IT';
-- pair: country_rows
SELECT name FROM customers WHERE country = 'IT' AND credit > 900;

-- index: btree, char(n) and varchar(n)
CREATE INDEX ON customers (phone);
-- pair: phone_eq
SELECT id FROM customers WHERE phone = '+123456789';

-- index: btree, char(n) and varchar(n)
CREATE INDEX ON events (kind);
-- pair: kind_error
SELECT count(*) FROM events WHERE kind = 'error';
-- pair: kind_rows
SELECT * FROM events WHERE kind = 'view';

-- index: btree, wide text
CREATE INDEX ON customers (notes);
-- pair: notes_prefix_ordered
SELECT id FROM customers WHERE notes > 'xi' ORDER BY notes LIMIT 10;
-- pair: notes_null
SELECT count(*) FROM customers WHERE notes IS NULL;

-- index: btree, wide text
CREATE INDEX ON products (name);
-- pair: name_eq
SELECT * FROM products WHERE name = 'bababa bababa bababa';
-- pair: name_sorted
SELECT id, name FROM products ORDER BY name LIMIT 100 OFFSET 200;

-- index: btree, time
CREATE INDEX ON orders (placed_at);
-- pair: placed_day
SELECT * FROM orders WHERE placed_at >= '2025-05-05' AND placed_at < '2025-05-06';
-- pair: placed_latest
SELECT id FROM orders ORDER BY placed_at DESC LIMIT 10;
-- pair: placed_beyond
SELECT * FROM orders WHERE placed_at > '2026-11-05';
-- pair: placed_quarter_default; settings: default
SELECT sum(total) FROM orders WHERE placed_at >= '2025-01-01' AND placed_at < '2025-04-01';
-- pair: placed_quarter_parallel; settings: parallel
SELECT sum(total) FROM orders WHERE placed_at >= '2025-01-01' AND placed_at < '2025-10-01';

-- index: btree, time
CREATE INDEX ON orders (shipped_at DESC NULLS LAST);
-- pair: shipped_latest
SELECT id FROM orders ORDER BY shipped_at DESC NULLS LAST LIMIT 10;
-- pair: shipped_not
SELECT count(*) FROM orders WHERE shipped_at IS NULL;
-- pair: shipped_hour
SELECT * FROM orders WHERE shipped_at BETWEEN '2025-05-05 10:00' AND '2025-05-05 11:00';

-- index: btree, several columns
CREATE INDEX ON customers (city, country);
-- pair: city_country
SELECT * FROM customers WHERE city = 'Bajeba' AND country = 'AT';
-- pair: city_country_contradiction
SELECT * FROM customers WHERE city = 'Bajeba' AND country = 'SE';
-- pair: city_country_distinct
SELECT DISTINCT city, country FROM customers ORDER BY city, country;
-- pair: country_alone
SELECT count(*) FROM customers WHERE country = 'SE';

-- index: btree, several columns
CREATE INDEX ON customers (status, created_at DESC, id);
-- pair: status_page
SELECT id, created_at FROM customers WHERE status = 'invited' ORDER BY created_at DESC LIMIT 20;
-- pair: status_row_compare
SELECT id FROM customers WHERE status = 'active' AND created_at < '2023-01-01' ORDER BY created_at DESC, id LIMIT 20;
-- pair: status_blocked_range
SELECT * FROM customers WHERE status = 'blocked' AND created_at > '2024-01-01';

-- index: btree, several columns
CREATE INDEX ON orders (customer_id, placed_at);
-- pair: orders_of_customer
SELECT * FROM orders WHERE customer_id = 77 ORDER BY placed_at DESC LIMIT 5;
-- pair: orders_of_customers_join
SELECT c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.city = 'Brakiba' AND o.placed_at > '2026-01-01';
-- pair: orders_lateral
SELECT c.id, o.placed_at FROM customers c, LATERAL (SELECT placed_at FROM orders WHERE customer_id = c.id ORDER BY placed_at DESC LIMIT 1) o WHERE c.id < 200;
-- pair: orders_exists
SELECT count(*) FROM customers c WHERE c.deleted_at > '2026-10-01' AND EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id);
-- pair: orders_group
SELECT customer_id, max(placed_at) FROM orders GROUP BY customer_id ORDER BY customer_id LIMIT 50;

-- index: btree, several columns
CREATE INDEX ON order_items (product_id, quantity);
-- pair: items_of_product
SELECT sum(quantity) FROM order_items WHERE product_id = 20000;
-- pair: items_bulk
SELECT * FROM order_items WHERE product_id = 1 AND quantity > 8;
-- pair: items_of_dear_products
SELECT p.id, sum(i.quantity * i.price) FROM products p JOIN order_items i ON i.product_id = p.id WHERE p.price > 1990 GROUP BY p.id;
-- pair: items_merge_default; settings: default
SELECT count(*) FROM products p JOIN order_items i ON i.product_id = p.id;
-- pair: items_count_parallel; settings: parallel
SELECT product_id, count(*) FROM order_items GROUP BY product_id;

-- index: btree, INCLUDE
CREATE INDEX ON orders (customer_id) INCLUDE (status, total);
-- pair: covered_totals
SELECT sum(total) FROM orders WHERE customer_id BETWEEN 100 AND 300;
-- pair: covered_status
SELECT status, total FROM orders WHERE customer_id = 5;
-- pair: covered_not
SELECT placed_at FROM orders WHERE customer_id = 5;

-- index: btree, INCLUDE
CREATE INDEX ON products (category, price) INCLUDE (name);
-- pair: category_cheapest
SELECT name, price FROM products WHERE category = 12 ORDER BY price LIMIT 10;
-- pair: category_list
SELECT category, avg(price) FROM products GROUP BY category ORDER BY category;

-- index: btree, INCLUDE
CREATE INDEX ON events (happened_at) INCLUDE (kind, customer_id) WHERE customer_id IS NOT NULL;
-- pair: known_day
SELECT kind, count(*) FROM events WHERE customer_id IS NOT NULL AND happened_at BETWEEN '2026-03-03' AND '2026-03-04' GROUP BY kind;

-- index: btree, storage parameters
CREATE INDEX ON order_items (product_id) WITH (fillfactor = 70);
-- pair: fillfactor_eq
SELECT * FROM order_items WHERE product_id = 333;
-- pair: fillfactor_count
SELECT count(*) FROM order_items WHERE product_id BETWEEN 100 AND 1000;

-- index: btree, storage parameters
CREATE INDEX ON order_items (product_id) WITH (deduplicate_items = off);
-- pair: no_deduplication_eq
SELECT * FROM order_items WHERE product_id = 333;
-- pair: no_deduplication_count
SELECT count(*) FROM order_items WHERE product_id BETWEEN 100 AND 1000;

-- index: btree, several indexes
CREATE INDEX ON customers (birthday);
CREATE INDEX ON customers (city);
-- pair: and_of_two
SELECT * FROM customers WHERE birthday BETWEEN '1980-01-01' AND '1981-01-01' AND city = 'Baceba';
-- pair: or_of_two
SELECT * FROM customers WHERE birthday = '1980-01-01' OR city = 'Brakiba';

-- index: btree, several indexes
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON order_items (product_id);
-- pair: both_ends
SELECT c.email FROM order_items i JOIN orders o ON o.id = i.order_id JOIN customers c ON c.id = o.customer_id WHERE i.product_id = 39000;
-- pair: from_customer
SELECT p.name FROM orders o JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id WHERE o.customer_id = 81234;
-- pair: two_sided_semi
SELECT count(*) FROM customers c WHERE EXISTS (SELECT FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.customer_id = c.id AND i.product_id = 4000);

-- index: btree, several indexes
CREATE INDEX ON events (session) INCLUDE (happened_at);
CREATE INDEX ON events (session);
-- pair: two_of_a_kind
SELECT min(happened_at) FROM events WHERE session = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';
-- pair: two_of_a_kind_rows
SELECT * FROM events WHERE session = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';

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
