-- In the manner of scripts/demo.sql, but small enough for six machines: 60,000 rows of 240 bytes, then lookups that jump about.
PRAGMA cache_size = -262144;
CREATE TABLE thing (id INTEGER PRIMARY KEY, body BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO thing SELECT i, zeroblob(240) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
SELECT 'found by id', count(*), sum(length(t.body)) FROM n JOIN thing t ON t.id = (n.i * 15485863) % 60000 + 1;
