-- CreateEnum
CREATE TYPE "sweep_state" AS ENUM ('running', 'done', 'incomplete', 'stopped', 'cancelled');

-- CreateEnum
CREATE TYPE "shard_state" AS ENUM ('planned', 'leased', 'done', 'failed', 'superseded');

-- CreateEnum
CREATE TYPE "cell_state" AS ENUM ('planned', 'measured', 'diverged', 'infeasible', 'failed');

-- CreateEnum
CREATE TYPE "cell_origin" AS ENUM ('grid', 'refine', 'audit');

-- CreateEnum
CREATE TYPE "measurement_state" AS ENUM ('measured', 'diverged');

-- CreateEnum
CREATE TYPE "outcome_state" AS ENUM ('infeasible', 'failed');

-- CreateEnum
CREATE TYPE "task_kind" AS ENUM ('needle');

-- CreateEnum
CREATE TYPE "mix_fingerprints" AS ENUM ('perArm', 'allow', 'refuse');

-- CreateTable
CREATE TABLE "sweeps" (
    "id" TEXT NOT NULL,
    "state" "sweep_state" NOT NULL,
    "revision" INTEGER NOT NULL,
    "fingerprint" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "sweeps_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sweep_progress" (
    "sweep_id" TEXT NOT NULL,
    "planned" INTEGER NOT NULL DEFAULT 0,
    "measured" INTEGER NOT NULL DEFAULT 0,
    "diverged" INTEGER NOT NULL DEFAULT 0,
    "infeasible" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "sweep_progress_pkey" PRIMARY KEY ("sweep_id")
);

-- CreateTable
CREATE TABLE "revisions" (
    "sweep_id" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "spec" JSONB NOT NULL,
    "plan_digest" TEXT NOT NULL,
    "tasks" JSONB NOT NULL,
    "excluded" JSONB NOT NULL,
    "device_class" TEXT NOT NULL,
    "dtype" TEXT NOT NULL,
    "engine_version" TEXT NOT NULL,
    "numerics_version" INTEGER NOT NULL,
    "mix_fingerprints" "mix_fingerprints" NOT NULL,
    "total_cells" INTEGER NOT NULL,
    "new_cells" INTEGER NOT NULL,
    "cached_cells" INTEGER NOT NULL,
    "failed_cells" INTEGER NOT NULL,
    "infeasible_cells" INTEGER NOT NULL,
    "excluded_cells" INTEGER NOT NULL,
    "prompt_tokens" BIGINT NOT NULL,
    "distinct_tokens" BIGINT NOT NULL,
    "flops" DOUBLE PRECISION NOT NULL,
    "kv_bytes" BIGINT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "revisions_pkey" PRIMARY KEY ("sweep_id","number")
);

-- CreateTable
CREATE TABLE "arms" (
    "sweep_id" TEXT NOT NULL,
    "arm_id" TEXT NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "label" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "method" JSONB NOT NULL,
    "method_label" TEXT NOT NULL,
    "weights_id" TEXT NOT NULL,
    "checkpoint_folder" TEXT NOT NULL,
    "original_context_tokens" INTEGER NOT NULL,
    "continual_pretrain_context_tokens" INTEGER,
    "effective_scale" DOUBLE PRECISION NOT NULL,
    "logit_scale" DOUBLE PRECISION NOT NULL,
    "tables" JSONB NOT NULL,
    "fingerprint" TEXT,

    CONSTRAINT "arms_pkey" PRIMARY KEY ("sweep_id","arm_id")
);

-- CreateTable
CREATE TABLE "memberships" (
    "sweep_id" TEXT NOT NULL,
    "cell_key" TEXT NOT NULL,
    "arm_id" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    "last_revision" INTEGER NOT NULL,
    "task" INTEGER NOT NULL,
    "task_kind" "task_kind" NOT NULL,
    "context_tokens" INTEGER NOT NULL,
    "depth" DOUBLE PRECISION,
    "seed" INTEGER,
    "ordinal" INTEGER NOT NULL,
    "state" "cell_state" NOT NULL,
    "origin" "cell_origin" NOT NULL DEFAULT 'grid',
    "shard_id" TEXT,

    CONSTRAINT "memberships_pkey" PRIMARY KEY ("sweep_id","cell_key","arm_id")
);

-- CreateTable
CREATE TABLE "measurements" (
    "cell_key" TEXT NOT NULL,
    "task_kind" "task_kind" NOT NULL,
    "state" "measurement_state" NOT NULL,
    "weights_id" TEXT NOT NULL,
    "table_digest" TEXT NOT NULL,
    "context_tokens" INTEGER NOT NULL,
    "token_digest" TEXT NOT NULL,
    "numerics_version" INTEGER NOT NULL,
    "scorer_version" INTEGER NOT NULL,
    "worker" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "engine_version" TEXT NOT NULL,
    "device_class" TEXT NOT NULL,
    "seconds" DOUBLE PRECISION NOT NULL,
    "measured_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "measurements_pkey" PRIMARY KEY ("cell_key")
);

-- CreateTable
CREATE TABLE "needle_results" (
    "cell_key" TEXT NOT NULL,
    "depth" DOUBLE PRECISION NOT NULL,
    "seed" INTEGER NOT NULL,
    "exact_match" BOOLEAN NOT NULL,
    "answer_ids" INTEGER[],
    "top1_ids" INTEGER[],
    "generated_ids" INTEGER[],
    "nll" DOUBLE PRECISION[],
    "sum_nll" DOUBLE PRECISION NOT NULL,
    "token_count" INTEGER NOT NULL,
    "margins" DOUBLE PRECISION[],
    "entropy_first" DOUBLE PRECISION NOT NULL,
    "entropy" DOUBLE PRECISION,
    "entropy_teacher_forced" DOUBLE PRECISION NOT NULL,
    "entropy_normalized" DOUBLE PRECISION NOT NULL,
    "max_probability" DOUBLE PRECISION NOT NULL,
    "sink_mass" DOUBLE PRECISION NOT NULL,
    "needle_mass" DOUBLE PRECISION NOT NULL,
    "needle_lift" DOUBLE PRECISION NOT NULL,
    "heads" BYTEA,
    "layers" INTEGER NOT NULL,
    "head_count" INTEGER NOT NULL,
    "needle_start" INTEGER NOT NULL,
    "needle_tokens" INTEGER NOT NULL,

    CONSTRAINT "needle_results_pkey" PRIMARY KEY ("cell_key")
);

-- CreateTable
CREATE TABLE "outcomes" (
    "cell_key" TEXT NOT NULL,
    "device_class" TEXT NOT NULL,
    "engine_version" TEXT NOT NULL,
    "state" "outcome_state" NOT NULL,
    "code" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "outcomes_pkey" PRIMARY KEY ("cell_key","device_class","engine_version")
);

-- CreateTable
CREATE TABLE "shards" (
    "id" TEXT NOT NULL,
    "sweep_id" TEXT NOT NULL,
    "revision" INTEGER NOT NULL,
    "arm_id" TEXT NOT NULL,
    "task" INTEGER NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "state" "shard_state" NOT NULL,
    "lease" INTEGER NOT NULL DEFAULT 0,
    "leased_by" TEXT,
    "leased_at" TIMESTAMPTZ(3),
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "cost_prompt_tokens" BIGINT NOT NULL,
    "cost_distinct_tokens" BIGINT NOT NULL,
    "cost_flops" DOUBLE PRECISION NOT NULL,
    "cost_kv_bytes" BIGINT NOT NULL,
    "prompt_tokens" BIGINT NOT NULL DEFAULT 0,
    "distinct_tokens" BIGINT NOT NULL DEFAULT 0,
    "computed_tokens" BIGINT NOT NULL DEFAULT 0,
    "load_seconds" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "run_seconds" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "error_code" TEXT,
    "error_reason" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "shards_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "workers" (
    "id" TEXT NOT NULL,
    "host" TEXT NOT NULL,
    "pid" INTEGER NOT NULL,
    "device_class" TEXT NOT NULL,
    "slots" INTEGER NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "self_test" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "heartbeat_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "workers_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "file_digests" (
    "path" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "mtime_ms" DOUBLE PRECISION NOT NULL,
    "sha256" TEXT NOT NULL,

    CONSTRAINT "file_digests_pkey" PRIMARY KEY ("path","size","mtime_ms")
);

-- CreateIndex
CREATE INDEX "memberships_cell_key_idx" ON "memberships"("cell_key");

-- CreateIndex
CREATE INDEX "memberships_shard_id_idx" ON "memberships"("shard_id");

-- CreateIndex
CREATE INDEX "memberships_sweep_id_arm_id_context_tokens_depth_seed_idx" ON "memberships"("sweep_id", "arm_id", "context_tokens", "depth", "seed");

-- CreateIndex
CREATE INDEX "shards_sweep_id_state_ordinal_idx" ON "shards"("sweep_id", "state", "ordinal");

-- AddForeignKey
ALTER TABLE "sweep_progress" ADD CONSTRAINT "sweep_progress_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "revisions" ADD CONSTRAINT "revisions_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "arms" ADD CONSTRAINT "arms_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_sweep_id_arm_id_fkey" FOREIGN KEY ("sweep_id", "arm_id") REFERENCES "arms"("sweep_id", "arm_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_shard_id_fkey" FOREIGN KEY ("shard_id") REFERENCES "shards"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "needle_results" ADD CONSTRAINT "needle_results_cell_key_fkey" FOREIGN KEY ("cell_key") REFERENCES "measurements"("cell_key") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "shards" ADD CONSTRAINT "shards_sweep_id_fkey" FOREIGN KEY ("sweep_id") REFERENCES "sweeps"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "shards" ADD CONSTRAINT "shards_sweep_id_arm_id_fkey" FOREIGN KEY ("sweep_id", "arm_id") REFERENCES "arms"("sweep_id", "arm_id") ON DELETE CASCADE ON UPDATE CASCADE;
