/**
 * Which outcome holds for a cell of a revision. A cell belongs to the device class of the revision; but where it was too large for
 * that one and the revision names a larger class, it belongs to the larger one, whatever came of it there, and is open until
 * something did. Outcomes that were forgotten hold for nobody, and are shown where the cell is not tried again; the reporting views
 * show them likewise (migration larger_class).
 */
import { PLACE_CODES } from '../domain/errors.js';
import type { PlanClasses } from '../domain/plan.js';
import type { Client } from './database.js';
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
const isTooLarge = (key: Prisma.Sql, { deviceClass, engineVersion }: ClassesSql): Prisma.Sql =>
  Prisma.sql`(f.cell_key = ${key} AND f.device_class = ${deviceClass} AND f.engine_version = ${engineVersion} AND f.state = 'infeasible' AND f.code = 'OUT_OF_MEMORY')`;

/** The larger class where an outcome `f` is `tooLarge`, else the own. */
const classBy = (tooLarge: Prisma.Sql, { deviceClass, largerDeviceClass }: ClassesSql): Prisma.Sql => Prisma.sql`CASE
  WHEN ${largerDeviceClass} IS NOT NULL AND EXISTS (SELECT FROM outcomes f WHERE ${tooLarge}) THEN ${largerDeviceClass} ELSE ${deviceClass} END`;

/** The device class that is to try the cell, or tried it last. */
export const classOfCell = (key: Prisma.Sql, classes: ClassesSql): Prisma.Sql => classBy(Prisma.sql`${isTooLarge(key, classes)} AND NOT f.forgotten`, classes);

/** Of a row `o` of outcomes, whether it is the one that holds for the cell. */
export const holdsFor = (key: Prisma.Sql, classes: ClassesSql): Prisma.Sql =>
  Prisma.sql`(o.cell_key = ${key} AND o.engine_version = ${classes.engineVersion} AND o.device_class = ${classOfCell(key, classes)} AND NOT o.forgotten)`;

/** Of a row `o` of outcomes, whether it says what became last of a cell that has no numbers in a sweep. */
export const isShownFor = (key: Prisma.Sql, classes: ClassesSql): Prisma.Sql =>
  Prisma.sql`(o.cell_key = ${key} AND o.engine_version = ${classes.engineVersion} AND o.device_class = ${classBy(isTooLarge(key, classes), classes)})`;

/** Of a row `o` of outcomes, whether it belongs to the classes, whichever of them. */
export const belongsTo = ({ deviceClass, largerDeviceClass, engineVersion }: ClassesSql): Prisma.Sql =>
  Prisma.sql`(o.device_class IN (${deviceClass}, ${largerDeviceClass}) AND o.engine_version = ${engineVersion})`;

/** Outcomes `o` of the cells `keys` (a query of `key`) no longer hold for these classes; those who do not try the cells again still show them. */
export const forgetOutcomes = (transaction: Client, classes: ClassesSql, keys: Prisma.Sql, which: Prisma.Sql) => transaction.$executeRaw`
  UPDATE outcomes o SET forgotten = true FROM (${keys}) AS c
  WHERE o.cell_key = c.key AND ${belongsTo(classes)} AND NOT o.forgotten AND ${which}`;

/** Its reason lies in the place where the cell was tried: a person may have mended that. */
export const IS_OF_PLACE = Prisma.sql`(o.code = ANY (${[...PLACE_CODES]}::text[]))`;
