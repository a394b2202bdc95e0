import { describe, expect, it } from 'vitest';
import { allowed, CELL_STATES, MEASUREMENT_STATES, SHARD_STATES } from '../../domain/states.js';

describe('states', () => {
  it('never leave a measurement', () => {
    for (const measured of MEASUREMENT_STATES) {
      for (const next of CELL_STATES) expect(allowed('cell', measured, next)).toBe(false);
    }
  });

  it('let a quarantined cell be planned again, and be measured by another sweep', () => {
    expect(allowed('cell', 'failed', 'planned')).toBe(true);
    expect(allowed('cell', 'infeasible', 'measured')).toBe(true);
  });

  it('never leave a shard that is done or superseded', () => {
    for (const next of SHARD_STATES) {
      expect(allowed('shard', 'done', next)).toBe(false);
      expect(allowed('shard', 'superseded', next)).toBe(false);
    }
  });

  it('hand a leased shard back', () => {
    expect(allowed('shard', 'leased', 'planned')).toBe(true);
  });

  it('let every ended sweep be run again', () => {
    for (const end of ['done', 'incomplete', 'stopped', 'cancelled'] as const) expect(allowed('sweep', end, 'running')).toBe(true);
  });
});
