/** How far the sweep is. */
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { DATA_SOURCE, sqlTarget } from './sqlTarget.js';

const PROGRESS = `SELECT state AS "State", revision AS "Revision", total_cells AS "Cells", measured_cells AS "Measured",
       planned_cells AS "To do", diverged_cells AS "Diverged", failed_cells AS "Failed", infeasible_cells AS "Out of memory",
       measured_cells::float8 / nullif(total_cells, 0) AS "Share measured", updated_at AS "Changed"
FROM reporting.sweeps
WHERE sweep = \${sweep:sqlstring}`;

export const needleProgress = (): PanelBuilder =>
  new PanelBuilder()
    .title('Cells of the sweep by state')
    .description('Cells of all revisions of the sweep. Failed cells were quarantined after their attempts, with a reason; diverged ones gave output that is not finite.')
    .datasource(DATA_SOURCE)
    .unit('none')
    .noValue('-')
    .height(4)
    .span(24)
    .withTarget(sqlTarget('A', PROGRESS))
    .overrideByName('Share measured', [{ id: 'unit', value: 'percentunit' }, { id: 'decimals', value: 1 }])
    .overrideByName('Changed', [{ id: 'unit', value: 'dateTimeAsIso' }]);
