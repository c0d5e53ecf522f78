#!/usr/bin/env python3
"""The peers of rsq-bench, in whatever language, do the same work: that of the plan.

    peers.py RSQ_BENCH PEERS_SOURCE PEERS_BUILD

Each program that is installed is given small plans, and must answer with the sums and hashes that this test
works out for itself with Python's sqlite3. A reactive peer must tell of INSERT, UPDATE, DELETE, a batch and
REPLACE. What is not installed is skipped with its reason: `make bench-peers` installs it.
"""
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import tap

BENCH, SOURCE, BUILD = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
PROGRAMS = {
    "better-sqlite3": (["node", SOURCE / "better_sqlite3.mjs"], SOURCE / "node_modules" / "better-sqlite3"),
    "aiosqlite": (["/usr/bin/python3", SOURCE / "peer_aiosqlite.py"], pathlib.Path("/usr/bin/python3")),
    "sqlitecpp": ([BUILD / "peer-sqlitecpp"], BUILD / "peer-sqlitecpp"),
    "pglite": (["node", SOURCE / "pglite.mjs"], SOURCE / "node_modules" / "@electric-sql" / "pglite"),
}
ITEMS = ["CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, value REAL)",
         "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < 30) "
         "INSERT INTO items(id, name, value) SELECT i + 1, 'Item ' || i, i * 1.5 FROM c"]
EMPTY = {"pragmas": ["PRAGMA journal_mode = wal"], "sql_json1": None, "params": [], "batch": 0, "empty": None,
         "content": None, "watch": None, "expect": None, "expect_add": 0}
ROWS = {**EMPTY, "kind": "rows", "name": "rows", "schema": ITEMS, "sql": "SELECT * FROM items ORDER BY id"}
NULLS = {**ROWS, "sql": "SELECT id, NULL AS none, '' AS empty_text, value FROM items ORDER BY id"}
JSON = {**ROWS, "kind": "json", "name": "json", "sql_json1":
        "SELECT json_group_array(json_object('id', id, 'name', name, 'value', value)) FROM items"}
KEYS = {**ROWS, "name": "keys", "sql": "SELECT * FROM items WHERE id = ?",
        "params": [{"from": "random", "mod": 30, "add": 77, "prefix": ""}]}
NAMES = {**ROWS, "name": "names", "sql": "SELECT * FROM items WHERE name = ? OR id = ?",
         "params": [{"from": "text", "mod": 7, "add": 0, "prefix": "Item "},
                    {"from": "integer", "mod": 5, "add": 20, "prefix": ""}]}
INSERT = {**EMPTY, "kind": "execute", "name": "insert", "schema": ITEMS,
          "sql": "INSERT INTO items(name, value) VALUES (?, ?)", "empty": "DELETE FROM items WHERE true",
          "content": "SELECT * FROM items ORDER BY id",
          "params": [{"from": "text", "mod": 100, "add": 0, "prefix": "n_"},
                     {"from": "halves", "mod": 100, "add": 0, "prefix": ""}]}
BATCH = {**INSERT, "kind": "batch", "name": "batch", "batch": 7}
OPERATIONS = 11


def mix(x):
    for _ in range(2):
        x = ((x ^ (x >> 16)) * 0x45D9F3B) % 2**32
    return x ^ (x >> 16)


def value_of(p, number):
    return {"integer": lambda: number % p["mod"] + p["add"], "halves": lambda: number % p["mod"] * 1.5,
            "random": lambda: mix((number + p["add"]) % 2**32) % p["mod"] + 1,
            "text": lambda: p["prefix"] + str(number % p["mod"])}[p["from"]]()


def fnv(text, start=2166136261):
    for byte in text.encode():
        start = (start ^ byte) * 16777619 % 2**32
    return start


def as_text(rows):
    """Rows as the text that is hashed."""
    def cell(v):
        if v is None:
            return "z;"
        return f"t{len(v)}:{v}" if isinstance(v, str) else f"n{int(2 * v)};"
    return "".join("".join(map(cell, row)) + "\n" for row in rows)


def visit(rows):
    return sum(len(v) + ord(v[0]) + ord(v[-1]) if isinstance(v, str) and v else v or 0 for row in rows for v in row)


def expected(plan, first):
    """The hash over OPERATIONS operations from 0, and the sum over as many from `first`."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    for sql in plan["schema"]:
        db.execute(sql)
    params = lambda number: [value_of(p, number) for p in plan["params"]]
    if plan["content"]:
        db.execute(plan["empty"])
        rows = OPERATIONS * (plan["batch"] or 1)
        for number in range(rows):
            db.execute(plan["sql"], params(number))
        return fnv(as_text(db.execute(plan["content"]))), rows
    answers = [db.execute(plan["sql"], params(number)) for number in range(OPERATIONS)]
    if plan["kind"] == "json":
        names = ("id", "name", "value")
        texts = [json.dumps([dict(zip(names, row)) for row in rows], separators=(",", ":")) for rows in answers]
        return fnv("".join(texts).replace(".0,", ",").replace(".0}", "}")), None
    return (fnv("".join(map(as_text, answers))),
            sum(visit(db.execute(plan["sql"], params(first + i))) for i in range(OPERATIONS)))


def command_of(name):
    command, needed = PROGRAMS[name]
    if not needed.exists():
        raise tap.Skip("not installed")
    done = subprocess.run([*map(str, command), "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise tap.Skip((done.stdout + done.stderr).strip().splitlines()[0])
    return list(map(str, command))


def talk(name, requests):
    """The answers to some requests, each a line; the program must end by itself at the end of its input."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(command_of(name), input=lines, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise tap.Failed(f"exit status {done.returncode}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def plan_is_done(name, plan):
    """A case: hash and sum of a plan are those that this test works out."""

    def check():
        first = 1000
        hash_wanted, sum_wanted = expected(plan, first)
        run = {"run": {"first": first, "count": OPERATIONS, "each": False}}
        each = {"run": {"first": first, "count": OPERATIONS, "each": True}}
        with tempfile.TemporaryDirectory() as folder:
            requests = [{"open": f"{folder}/db", "plan": plan}, {"hash": OPERATIONS}, {"prepare": True}, run,
                        {"prepare": True}, each]
            answers = talk(name, requests)
        problems = [f"not an answer: {a}" for a in answers if "error" in a]
        tap.expect_none(problems or ([] if len(answers) == len(requests) else [f"answers: {answers}"]))
        if answers[1]["hash"] != hash_wanted:
            problems.append(f"hash {answers[1]['hash']}, not {hash_wanted}")
        for answer in (answers[3], answers[5]):
            if sum_wanted is not None and answer["sum"] != sum_wanted:
                problems.append(f"sum {answer['sum']}, not {sum_wanted}")
            if answer["ns"] <= 0:
                problems.append(f"no time: {answer}")
        if len(answers[5]["each"]) != OPERATIONS:
            problems.append(f"times of {len(answers[5]['each'])} operations")
        tap.expect_none(problems)

    return check


def error_is_told(name):
    """A case: SQL that is wrong is an answer that says so, and not the end."""

    def check():
        wrong = {**ROWS, "sql": "SELECT * FROM nowhere"}
        with tempfile.TemporaryDirectory() as folder:
            answers = talk(name, [{"open": f"{folder}/db", "plan": wrong}, {"hash": 1}])
        if len(answers) != 2 or "nowhere" not in " ".join(a.get("error", "") for a in answers):
            raise tap.Failed(str(answers))

    return check


def live_query_tells_of_everything():
    """Five events with the answers of five steps, then one for each write."""
    schema = ["CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value INTEGER NOT NULL)",
              "INSERT INTO items(id, name, value) VALUES (1, 'one', 1)"]
    steps = [["INSERT INTO items(id, name, value) VALUES (2, 'two', 2)"], ["UPDATE items SET value = 3 WHERE id = 2"],
             ["DELETE FROM items WHERE id = 2"],
             ["INSERT INTO items(id, name, value) VALUES (3, 'a', 3)", "INSERT INTO items(id, name, value) VALUES (4, 'b', 4)"],
             ["INSERT OR REPLACE INTO items(id, name, value) VALUES (4, 'c', 5)"]]
    elsewhere = "INSERT INTO items(id, name, value) VALUES (4, 'c', 5) ON CONFLICT (id) DO UPDATE SET name = 'c', value = 5"
    plan = {**EMPTY, "kind": "live", "name": "live", "schema": schema, "watch": "SELECT * FROM items ORDER BY id",
            "sql": "UPDATE items SET value = ? WHERE id = 1", "expect": "value", "expect_add": 100, "steps": steps,
            "replace_elsewhere": elsewhere, "params": [{"from": "call", "mod": 1, "add": 100, "prefix": ""}]}
    db = sqlite3.connect(":memory:", isolation_level=None)
    wanted = ""
    for sql in schema:
        db.execute(sql)
    for step in steps:
        for sql in step:
            db.execute(sql)
        wanted += as_text(db.execute(plan["watch"]))
    answers = talk("pglite", [{"open": "", "plan": plan}, {"hash": 0}, {"run": {"first": 0, "count": 3, "each": False}}])
    if answers[1] != {"hash": fnv(wanted)} or answers[2].get("sum") != 3:
        raise tap.Failed(str(answers))


def missing_ones_are_said():
    """Each peer is in the table, or there is a line that says that it is not here."""
    out = tap.run_command(BENCH, "run", "--quick", "--filter", "peers/look-up-100")
    problems = []
    for name in PROGRAMS:
        said = [line for line in out.splitlines() if line.startswith(f"peer      {name}: ")]
        in_table = any(line.split()[:2] == ["peers/look-up-100", name] for line in out.splitlines())
        if len(said) != 1 or (name != "pglite" and in_table == ("MISSING" in said[0])):
            problems.append(f"{name}: {said}, in the table: {in_table}")
    tap.expect_none(problems)


CASES = [("peers that are not here are said", missing_ones_are_said)]
for peer in ("better-sqlite3", "aiosqlite", "sqlitecpp"):
    CASES += [(f"{peer} does plan {plan['name']}: {plan['sql'][:40]}", plan_is_done(peer, plan))
              for plan in (ROWS, NULLS, JSON, KEYS, NAMES, INSERT, BATCH)]
    CASES += [(f"{peer} tells an error", error_is_told(peer))]
CASES += [("a live query of pglite tells of everything", live_query_tells_of_everything)]
tap.main(CASES)
