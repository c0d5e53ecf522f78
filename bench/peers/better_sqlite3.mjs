// The peer better-sqlite3: rows as objects, statements prepared once, all of it synchronous, as its users have it.
import Database from "better-sqlite3";
import { createRequire } from "node:module";
import { HASH_START, blockOf, hashJson, hashRows, serve, timed, visitRows } from "./lines.mjs";

if (process.argv[2] === "--version") {
  const { version } = createRequire(import.meta.url)("better-sqlite3/package.json");
  const sqlite = new Database(":memory:").prepare("SELECT sqlite_version() AS v").get().v;
  console.log(`better-sqlite3 ${version}, SQLite ${sqlite}, Node ${process.versions.node} (needs 20 to 26)`);
  process.exit(0);
}

const open = (path, plan) => {
  const db = new Database(path);
  for (const pragma of plan.pragmas) db.exec(pragma);
  for (const sql of plan.schema) db.exec(sql);
  const statement = db.prepare(plan.sql);
  const batch = db.transaction((rows) => {
    for (const row of rows) statement.run(row);
  });
  const state = { calls: 0 };
  const json = (values) => Buffer.from(JSON.stringify(statement.all(values)), "utf8");

  const operate = (values) => {
    switch (plan.kind) {
      case "rows":
        return visitRows(0, statement.all(values));
      case "json":
        return json(values).length;
      case "execute":
        return statement.run(values).changes;
      default:
        batch.immediate(values);
        return values.length;
    }
  };

  return {
    prepare() {
      if (plan.empty) db.exec(plan.empty);
    },
    hash(operations) {
      const block = blockOf(plan, 0, operations, state);
      let hash = HASH_START;
      if (plan.content) {
        this.prepare();
        block.forEach(operate);
        return hashRows(hash, db.prepare(plan.content).all());
      }
      for (const values of block) {
        if (plan.kind === "json") hash = hashJson(hash, json(values).toString("utf8"));
        else hash = hashRows(hash, statement.all(values));
      }
      return hash;
    },
    run(request) {
      const block = blockOf(plan, request.first, request.count, state);
      return timed(request, (i) => operate(block[i]), false);
    },
    close() {
      db.close();
    },
  };
};

await serve(open);
