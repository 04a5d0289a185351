-- A table of 400,000 rows with two indexes, then lookups that jump about in it: about 100 MiB in memory.
PRAGMA cache_size = -262144;
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, town INTEGER, born INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
INSERT INTO person SELECT i, printf('name %d of the family number %d', (i * 7919) % 400009, i % 977),
                          (i * 104729) % 5003, 1900 + (i * 31) % 120 FROM n;
CREATE INDEX by_name ON person (name);
CREATE INDEX by_town ON person (town, born);
SELECT 'rows', count(*) FROM person;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
SELECT 'found by id', count(*), sum(length(p.name)) FROM n JOIN person p ON p.id = (n.i * 15485863) % 400000 + 1;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
SELECT 'found by name', count(*) FROM n
  JOIN person p ON p.name = printf('name %d of the family number %d', (n.i * 7919) % 400009, n.i % 977);
SELECT 'largest town', town, count(*) AS people FROM person GROUP BY town ORDER BY people DESC, town LIMIT 1;
