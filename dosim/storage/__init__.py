"""The storage engine of one object: keys, SQL and alarm in one transaction. No awaits: it acts at call time."""
