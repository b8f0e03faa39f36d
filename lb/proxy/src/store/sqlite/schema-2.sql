-- What is written a second time is known by its time and `row_id`; rows from before have none.
ALTER TABLE observations ADD COLUMN row_id INTEGER;
DROP INDEX observations_by_time;
CREATE UNIQUE INDEX observations_by_time ON observations (at_us, row_id);
