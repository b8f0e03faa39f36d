-- One row per completed request. Times are microseconds (since 1970, or as spans), work and cost
-- are as the core has them, `features` is a JSON list of [name, value] in the model's order.
CREATE TABLE observations (
    id INTEGER PRIMARY KEY,
    route TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    host TEXT NOT NULL,
    status INTEGER NOT NULL,
    waiting_us INTEGER NOT NULL,
    response_us INTEGER NOT NULL,
    features TEXT NOT NULL,
    estimate_mean REAL,
    estimate_p90 REAL,
    work REAL NOT NULL,
    speed REAL NOT NULL,
    instructions REAL,
    basic_blocks REAL,
    methods REAL,
    cpu_seconds REAL,
    bytes_allocated REAL,
    build INTEGER NOT NULL
) STRICT;
CREATE INDEX observations_by_route ON observations (route, at_us);
CREATE INDEX observations_by_time ON observations (at_us);

-- The newest model of each route; `feature_names` is a JSON list.
CREATE TABLE models (
    route TEXT PRIMARY KEY,
    at_us INTEGER NOT NULL,
    feature_names TEXT NOT NULL,
    model TEXT NOT NULL
) STRICT, WITHOUT ROWID;
