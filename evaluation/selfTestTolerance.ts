/** How far fused and reference attention may differ (selfTest.ts): both round in f32, and values are of order 1. */
export const SELF_TEST_TOLERANCE = 1e-4;
