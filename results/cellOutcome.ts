/**
 * Which outcome holds for a cell of a revision. A cell belongs to the device class of the revision; but where it was too large for
 * that one and the revision names a larger class, it belongs to the larger one, whatever came of it there, and is open until
 * something did. The reporting views say the same (migration larger_class).
 */
import type { PlanClasses } from '../domain/plan.js';
import { Prisma } from './generated/client.js';

/** SQL of {@link PlanClasses}. */
export interface ClassesSql {
  readonly deviceClass: Prisma.Sql;
  readonly largerDeviceClass: Prisma.Sql;
  readonly engineVersion: Prisma.Sql;
}

/** Those of the revision `r`. */
export const OF_REVISION: ClassesSql = {
  deviceClass: Prisma.sql`r.device_class`,
  largerDeviceClass: Prisma.sql`r.larger_device_class`,
  engineVersion: Prisma.sql`r.engine_version`,
};

export const ofPlan = ({ deviceClass, largerDeviceClass, engineVersion }: PlanClasses): ClassesSql => ({
  deviceClass: Prisma.sql`${deviceClass}::text`,
  largerDeviceClass: Prisma.sql`${largerDeviceClass}::text`,
  engineVersion: Prisma.sql`${engineVersion}::text`,
});

/** Of a row `f` of outcomes, whether it says that the cell is too large for the classes' own. */
export const isTooLarge = (key: Prisma.Sql, { deviceClass, engineVersion }: ClassesSql): Prisma.Sql =>
  Prisma.sql`(f.cell_key = ${key} AND f.device_class = ${deviceClass} AND f.engine_version = ${engineVersion} AND f.state = 'infeasible' AND f.code = 'OUT_OF_MEMORY')`;

/** The device class that is to try the cell, or tried it last. */
export const classOfCell = (key: Prisma.Sql, classes: ClassesSql): Prisma.Sql => Prisma.sql`CASE
  WHEN ${classes.largerDeviceClass} IS NOT NULL AND EXISTS (SELECT FROM outcomes f WHERE ${isTooLarge(key, classes)})
  THEN ${classes.largerDeviceClass} ELSE ${classes.deviceClass} END`;

/** Of a row `o` of outcomes, whether it is the one that holds for the cell. */
export const holdsFor = (key: Prisma.Sql, classes: ClassesSql): Prisma.Sql =>
  Prisma.sql`(o.cell_key = ${key} AND o.engine_version = ${classes.engineVersion} AND o.device_class = ${classOfCell(key, classes)})`;

/** Of a row `o` of outcomes, whether it belongs to the classes, whichever of them. */
export const belongsTo = ({ deviceClass, largerDeviceClass, engineVersion }: ClassesSql): Prisma.Sql =>
  Prisma.sql`(o.device_class IN (${deviceClass}, ${largerDeviceClass}) AND o.engine_version = ${engineVersion})`;
