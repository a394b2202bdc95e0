-- Which process a worker is, so that a neighbour can see that it is gone. Not set: a worker of before, of which nobody knows.
ALTER TABLE workers ADD COLUMN process_started TEXT NOT NULL DEFAULT '';
