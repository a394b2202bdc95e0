/**
 * Variables in SQL as Grafana's PostgreSQL data source expands them. Only the format that the dashboards use is known:
 * anything else that looks like a variable or macro is an error.
 */
export function expand(rawSql: string, variables: Readonly<Record<string, string | readonly string[]>>): string {
  const sql = rawSql.replaceAll(/\$\{(\w+):sqlstring\}/g, (_whole, name: string) => {
    const value = variables[name];
    if (value === undefined) throw new Error(`the dashboard has no variable ${name}`);
    const values = typeof value === 'string' ? [value] : value;
    // Quotes are doubled; a variable without any value is an empty string.
    return values.length === 0 ? `''` : values.map((text) => `'${text.replaceAll(`'`, `''`)}'`).join(',');
  });
  const left = /\$\{|\$__|\$[a-zA-Z]|\[\[/.exec(sql);
  if (left !== null) throw new Error(`not expanded: ${sql.slice(left.index, left.index + 40)}`);
  return sql;
}
