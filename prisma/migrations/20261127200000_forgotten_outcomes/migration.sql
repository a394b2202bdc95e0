-- An outcome that one sweep has tried again, or that a newer plan no longer foresees, is kept: other sweeps that have the cell show it.

ALTER TABLE outcomes ADD COLUMN forgotten BOOLEAN NOT NULL DEFAULT false;
