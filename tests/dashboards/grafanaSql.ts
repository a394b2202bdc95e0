/**
 * SQL of panels as Grafana sends it: variables as its front end expands them, macros as its PostgreSQL data source does. Only
 * what the dashboards use is known: anything else that looks like a variable or macro is an error.
 */

export interface TimeRange {
  readonly from: Date;
  readonly to: Date;
  readonly intervalSeconds: number;
}

/** Values of the dashboard's variables; several of one that allows them. */
export type Values = Readonly<Record<string, string | readonly string[]>>;

const HOUR: TimeRange = { from: new Date(Date.now() - 3_600_000), to: new Date(), intervalSeconds: 60 };

export function expand(rawSql: string, variables: Values, { from, to, intervalSeconds }: TimeRange = HOUR): string {
  const sql = rawSql
    .replaceAll(/\$\{(\w+):sqlstring\}/g, (_whole, name: string) => {
      const value = variables[name];
      if (value === undefined) throw new Error(`the dashboard has no variable ${name}`);
      const values = typeof value === 'string' ? [value] : value;
      // Quotes are doubled; a variable without any value is an empty string.
      return values.length === 0 ? `''` : values.map((text) => `'${text.replaceAll(`'`, `''`)}'`).join(',');
    })
    .replaceAll('$__interval_ms', String(intervalSeconds * 1000))
    .replaceAll('$__interval', `${intervalSeconds}s`)
    // Arguments end at the first bracket, as they do in Grafana: an expression with brackets of its own would be cut.
    .replaceAll(/\$__(\w+)\(([^)]*)\)/g, (_whole, macro: string, text: string) => {
      const [column, interval] = text.split(',').map((argument) => argument.trim());
      if (column === undefined) throw new Error(`${macro} needs a column`);
      if (macro === 'timeFilter') return `${column} BETWEEN '${from.toISOString()}' AND '${to.toISOString()}'`;
      if (macro === 'timeGroupAlias' && interval === `${intervalSeconds}s`) return `floor(extract(epoch from ${column})/${intervalSeconds})*${intervalSeconds} AS "time"`;
      throw new Error(`the dashboards use no macro ${macro}(${text})`);
    });
  const left = /\$\{|\$__|\$[a-zA-Z]|\[\[/.exec(sql);
  if (left !== null) throw new Error(`not expanded: ${sql.slice(left.index, left.index + 40)}`);
  return sql;
}
