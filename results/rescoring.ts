/**
 * A changed scorer scores stored rows again: raw numbers stay (triggers refuse any other change), and no cell is planned anew.
 * Losses of documents are summed by their windows' convention, which no scorer changes: only needle cells have scores.
 */
import type { CellKey } from '../domain/ids.js';
import { scoreNeedle, type NeedleScores, type RawAnswers } from '../domain/scoring.js';
import { SCORER_VERSION } from '../domain/task.js';
import type { Client, Database } from './database.js';

/** Rows of one transaction: a killed process has at most these to do again. */
const BATCH = 5_000;

type Score = (raw: RawAnswers) => NeedleScores;

interface StoredRow extends RawAnswers {
  readonly key: CellKey;
  readonly stringRecall: number | null;
}

/** @returns how many rows were scored again; costs next to nothing where all are of this version or newer */
export async function rescore(database: Database, version = SCORER_VERSION, score: Score = scoreNeedle): Promise<number> {
  for (let total = 0; ; ) {
    const rows = await database.write((transaction) => rescoreBatch(transaction, version, score));
    total += rows;
    if (rows < BATCH) return total;
  }
}

async function rescoreBatch(transaction: Client, version: number, score: Score): Promise<number> {
  const raised = await transaction.$queryRaw<{ key: CellKey }[]>`
    UPDATE measurements x SET scorer_version = ${version}
    FROM (
      SELECT cell_key FROM measurements
      WHERE scorer_version < ${version} AND task_kind = 'needle' AND state = 'measured'
      ORDER BY cell_key LIMIT ${BATCH} FOR UPDATE
    ) AS old
    WHERE x.cell_key = old.cell_key
    RETURNING x.cell_key AS key`;
  if (raised.length === 0) return 0;
  const rows = await transaction.$queryRaw<StoredRow[]>`
    SELECT cell_key AS key, answer_ids AS "answerIds", top1_ids AS "top1Ids", nll, generated_text AS "generatedText", answers,
           string_recall AS "stringRecall"
    FROM needle_results WHERE cell_key = ANY (${raised.map(({ key }) => key)}::text[]) ORDER BY cell_key`;
  // A row of before the answers were kept cannot be searched for them again: it keeps what it has.
  const scored = rows.map((row) => ({ key: row.key, ...score(row), ...(row.answers === null && { stringRecall: row.stringRecall }) }));
  await transaction.$executeRaw`
    UPDATE needle_results n SET
      exact_match = r."exactMatch", token_recall = r."tokenRecall", string_recall = r."stringRecall", sum_nll = r."sumNll",
      token_count = r."tokenCount"
    FROM jsonb_to_recordset(${JSON.stringify(scored)}::jsonb) AS r(
      key text, "exactMatch" boolean, "tokenRecall" float8, "stringRecall" float8, "sumNll" float8, "tokenCount" int)
    WHERE n.cell_key = r.key`;
  return raised.length;
}
