-- What a checkpoint says of its training: findings compare checkpoints at equal tokens, and by training seed.

ALTER TABLE "arms" ADD COLUMN "training" JSONB;
