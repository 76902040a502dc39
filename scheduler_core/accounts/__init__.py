"""The accounts of an engine, in a store of SQLite: a log, the sums made of it, and what is answered from both."""
