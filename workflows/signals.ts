import { defineSignal } from '@temporalio/workflow';
import { SIGNALS, type ShardEnd } from '../domain/orchestration.js';

export const shardEnded = defineSignal<[ShardEnd]>(SIGNALS.shardEnded);
export const extend = defineSignal(SIGNALS.extend);
