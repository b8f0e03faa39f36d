-- Jobs, and what each of them is found by.
CREATE TABLE jobs (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    fleet TEXT NOT NULL,
    route TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    work REAL NOT NULL,
    overdue_at INTEGER NOT NULL,
    tick_at INTEGER NOT NULL,
    owner INTEGER,
    bytes INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    kept TEXT NOT NULL
);
CREATE INDEX jobs_line ON jobs (fleet, rank, work, not_before) WHERE phase = 1;
CREATE INDEX jobs_overdue ON jobs (fleet, overdue_at, work) WHERE phase = 1;
CREATE INDEX jobs_tick ON jobs (tick_at);
CREATE INDEX jobs_owner ON jobs (owner) WHERE owner IS NOT NULL;
CREATE INDEX jobs_phase ON jobs (phase);

-- What they were asked, by the number of the job.
CREATE TABLE requests (n INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB);

-- What they came to.
CREATE TABLE answers (n INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB);

-- What tells repeats.
CREATE TABLE keys (key BLOB PRIMARY KEY, payload BLOB NOT NULL, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX keys_n ON keys (n);

-- The ids of jobs that are no more.
CREATE TABLE forgotten (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);

-- Whom to tell of the end of jobs.
CREATE TABLE callbacks (
    n INTEGER PRIMARY KEY,
    job BLOB NOT NULL,
    url TEXT NOT NULL,
    event TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    since INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    is_dead INTEGER NOT NULL DEFAULT 0,
    reason TEXT
);
CREATE INDEX callbacks_next ON callbacks (next_at) WHERE is_dead = 0;
CREATE INDEX callbacks_dead ON callbacks (n) WHERE is_dead = 1;

-- How much there is: counting rows for each new one would take longer and longer.
CREATE TABLE totals (open INTEGER NOT NULL, bytes INTEGER NOT NULL, callbacks INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0, 0);
CREATE TRIGGER jobs_in AFTER INSERT ON jobs BEGIN
    UPDATE totals SET open = open + new.is_open, bytes = bytes + new.bytes;
END;
CREATE TRIGGER jobs_out AFTER DELETE ON jobs BEGIN
    UPDATE totals SET open = open - old.is_open, bytes = bytes - old.bytes;
END;
CREATE TRIGGER jobs_change AFTER UPDATE OF is_open, bytes ON jobs
WHEN old.is_open != new.is_open OR old.bytes != new.bytes BEGIN
    UPDATE totals SET
        open = open - old.is_open + new.is_open, bytes = bytes - old.bytes + new.bytes;
END;
CREATE TRIGGER callbacks_in AFTER INSERT ON callbacks BEGIN
    UPDATE totals SET callbacks = callbacks + 1;
END;
CREATE TRIGGER callbacks_out AFTER DELETE ON callbacks WHEN old.is_dead = 0 BEGIN
    UPDATE totals SET callbacks = callbacks - 1;
END;
CREATE TRIGGER callbacks_die AFTER UPDATE OF is_dead ON callbacks
WHEN old.is_dead != new.is_dead BEGIN
    UPDATE totals SET callbacks = callbacks - 1;
END;
