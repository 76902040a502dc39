"""Who used what, for people and their tables: `runai.usage(...)`, `%runai usage` and `jupyter runai report`."""
