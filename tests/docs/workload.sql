SELECT id, total FROM orders WHERE customer_id = 4711 ORDER BY created_at DESC LIMIT 10;
SELECT id, total FROM orders WHERE customer_id = 42 ORDER BY created_at DESC LIMIT 10;
SELECT count(*) FROM orders WHERE status = 'open' AND created_at > timestamptz '2026-01-02';
SELECT id FROM customers WHERE email = 'c77@example.org';
SELECT country, sum(total) FROM customers JOIN orders ON orders.customer_id = customers.id GROUP BY country ORDER BY 2 DESC;
