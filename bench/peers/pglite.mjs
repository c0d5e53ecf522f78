// The peer PGlite: PostgreSQL in WebAssembly, in memory, with live.query. It speaks another dialect: `?` becomes $1, $2,
// and INSERT OR REPLACE becomes ON CONFLICT.
import { PGlite } from "@electric-sql/pglite";
import { live } from "@electric-sql/pglite/live";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HASH_START, hashRows, serve, timed, values, visitRows } from "./lines.mjs";

// How long an event may take.
const TELL_MS = 5000;

if (process.argv[2] === "--version") {
  const file = fileURLToPath(new URL("./node_modules/@electric-sql/pglite/package.json", import.meta.url));
  const { version } = JSON.parse(readFileSync(file, "utf8"));
  console.log(`PGlite ${version} live.query, Node ${process.versions.node} (needs 20 or newer)`);
  process.exit(0);
}

const numbered = (sql) => {
  let n = 0;
  return sql.replace(/\?/g, () => `$${++n}`);
};

const open = async (path, plan) => {
  const db = await PGlite.create({ extensions: { live } });
  for (const sql of plan.schema) await db.exec(sql);
  const sql = numbered(plan.sql);
  const state = { calls: 0 };
  const events = [];
  let arrived = null;

  const watched = await db.live.query(plan.watch, [], (answer) => {
    events.push(answer.rows);
    if (arrived) arrived();
  });

  // The next event; those that came before are taken first.
  const next = () =>
    new Promise((resolve, reject) => {
      if (events.length > 0) return resolve(events.shift());
      const timer = setTimeout(() => reject(new Error("no event")), TELL_MS);
      arrived = () => {
        arrived = null;
        clearTimeout(timer);
        resolve(events.shift());
      };
    });
  // The initial answer may come as an event, or only as the result of the call.
  await new Promise((resolve) => setTimeout(resolve, 50));
  events.length = 0;

  const write = async () => {
    const params = values(plan, 0, state);
    const expected = plan.expect_add + state.calls;
    await db.query(sql, params);
    let rows = await next();
    // An event of an older answer may still be under way.
    while (rows.length === 0 || Number(rows[0][plan.expect]) !== expected) rows = await next();
    visitRows(0, rows);
    return 1;
  };

  return {
    prepare() {},
    async hash() {
      let hash = HASH_START;
      for (const [i, statements] of plan.steps.entries()) {
        const texts = i === plan.steps.length - 1 ? [plan.replace_elsewhere] : statements;
        await db.transaction(async (tx) => {
          for (const text of texts) await tx.query(text);
        });
        const now = JSON.stringify((await db.query(plan.watch)).rows);
        let rows = await next();
        while (JSON.stringify(rows) !== now) rows = await next();
        hash = hashRows(hash, rows);
      }
      return hash;
    },
    run(request) {
      return timed(request, write, true);
    },
    async close() {
      await watched.unsubscribe();
      await db.close();
    },
  };
};

await serve(open);
process.exit(0);
