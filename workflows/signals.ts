import { defineQuery, defineSignal } from '@temporalio/workflow';
import { QUERIES, SIGNALS, type ShardEnd, type ShardSituation, type SweepSituation } from '../domain/orchestration.js';

export const shardEnded = defineSignal<[ShardEnd]>(SIGNALS.shardEnded);
export const news = defineSignal(SIGNALS.news);
export const shardSituation = defineQuery<ShardSituation>(QUERIES.situation);
export const sweepSituation = defineQuery<SweepSituation>(QUERIES.situation);
