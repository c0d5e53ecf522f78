// What the peers in JavaScript have in common: the lines they are spoken to in, the values of a plan, the visit and
// the hash. docs/benchmarks.md says what each line means; plan.c has the same functions in C.
import { createInterface } from "node:readline";

const mix = (x) => {
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return (x ^ (x >>> 16)) >>> 0;
};

// The values of an operation, or of a row of a batch; `state.calls` counts those of live plans.
export const values = (plan, number, state) =>
  plan.params.map((p) => {
    switch (p.from) {
      case "integer":
        return (number % p.mod) + p.add;
      case "halves":
        return (number % p.mod) * 1.5;
      case "random":
        return (mix((number + p.add) >>> 0) % p.mod) + 1;
      case "call":
        return p.add + ++state.calls;
      default:
        return p.prefix + (number % p.mod);
    }
  });

// Those of a block: for each operation its values, or for a batch those of each of its rows.
export const blockOf = (plan, first, count, state) => {
  const block = new Array(count);
  for (let i = 0; i < count; i++) {
    if (plan.kind === "batch") {
      block[i] = new Array(plan.batch);
      for (let k = 0; k < plan.batch; k++) block[i][k] = values(plan, (first + i) * plan.batch + k, state);
    } else {
      block[i] = values(plan, first + i, state);
    }
  }
  return block;
};

const visitValue = (sum, v) => {
  if (typeof v === "number") return sum + v;
  if (typeof v === "string" && v.length > 0) return sum + v.length + v.charCodeAt(0) + v.charCodeAt(v.length - 1);
  return sum;
};

// Every value of every row, each row an object.
export const visitRows = (sum, rows) => {
  for (const row of rows) {
    for (const name in row) sum = visitValue(sum, row[name]);
  }
  return sum;
};

export const HASH_START = 2166136261;

const hashText = (hash, text) => {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619) >>> 0;
  return hash;
};

export const hashRows = (hash, rows) => {
  for (const row of rows) {
    for (const name in row) {
      const v = row[name];
      if (typeof v === "number") hash = hashText(hash, `n${2 * v};`);
      else if (typeof v === "string") hash = hashText(hash, `t${v.length}:${v}`);
      else hash = hashText(hash, "z;");
    }
    hash = hashText(hash, "\n");
  }
  return hash;
};

export const hashJson = (hash, text) => hashText(hash, text.replace(/\.0([,}])/g, "$1"));

const nanoseconds = () => process.hrtime.bigint();

// Time `count` operations; `operate(i)` returns what it adds to the sum, or a promise of it.
export const timed = async (request, operate, isAsync) => {
  const { first, count, each } = request;
  const times = each ? new Array(count) : null;
  let sum = 0;
  const started = nanoseconds();
  let before = started;
  for (let i = 0; i < count; i++) {
    sum += isAsync ? await operate(i, first) : operate(i, first);
    if (each) {
      const now = nanoseconds();
      times[i] = Number(now - before);
      before = now;
    }
  }
  const ns = Number(nanoseconds() - started);
  return each ? { ns, sum, each: times } : { ns, sum };
};

// Answer each line of the input with a line; `open(path, plan)` makes a peer with prepare(), hash(n) and run(request).
export const serve = async (open) => {
  let peer = null;
  for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
      const request = JSON.parse(line);
      if (request.open !== undefined) {
        peer = await open(request.open, request.plan);
        answer = { ok: true };
      } else if (request.prepare) {
        await peer.prepare();
        answer = { ok: true };
      } else if (request.hash !== undefined) {
        answer = { hash: await peer.hash(request.hash) };
      } else {
        answer = await peer.run(request.run);
      }
    } catch (error) {
      answer = { error: String(error && error.message ? error.message : error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  if (peer) await peer.close();
};
