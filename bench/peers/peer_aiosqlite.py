#!/usr/bin/env python3
"""The peer aiosqlite: each call goes to a thread of the connection and is awaited.

Spoken to in lines of JSON; docs/benchmarks.md says what each line means, plan.c has the same functions in C.
"""
import asyncio
import json
import sys
import time

try:
    import aiosqlite
except ImportError:
    print("no module aiosqlite for this Python (make bench-peers)")
    sys.exit(1)

HASH_START = 2166136261


def mix(x):
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def value(p, number):
    if p["from"] == "integer":
        return number % p["mod"] + p["add"]
    if p["from"] == "halves":
        return number % p["mod"] * 1.5
    if p["from"] == "random":
        return mix((number + p["add"]) & 0xFFFFFFFF) % p["mod"] + 1
    return f"{p['prefix']}{number % p['mod']}"


def values(plan, number):
    return tuple(value(p, number) for p in plan["params"])


def block_of(plan, first, count):
    """For each operation its values, or for a batch those of each of its rows."""
    if plan["kind"] != "batch":
        return [values(plan, first + i) for i in range(count)]
    rows = plan["batch"]
    return [[values(plan, (first + i) * rows + k) for k in range(rows)] for i in range(count)]


def visit_rows(rows):
    total = 0
    for row in rows:
        for v in row:
            if isinstance(v, (int, float)):
                total += v
            elif v:
                total += len(v) + ord(v[0]) + ord(v[-1])
    return total


def hash_bytes(h, data):
    for byte in data:
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h


def hash_rows(h, rows):
    for row in rows:
        for v in row:
            if isinstance(v, (int, float)):
                h = hash_bytes(h, f"n{int(2 * v)};".encode())
            elif v is None:
                h = hash_bytes(h, b"z;")
            else:
                h = hash_bytes(h, f"t{len(v)}:{v}".encode())
        h = hash_bytes(h, b"\n")
    return h


class Peer:
    def __init__(self, db, plan):
        self.db = db
        self.plan = plan

    @staticmethod
    async def open(path, plan):
        # No implicit transactions: a statement alone commits by itself, as everywhere else.
        db = await aiosqlite.connect(path, isolation_level=None)
        for sql in plan["pragmas"] + plan["schema"]:
            await db.execute(sql)
        return Peer(db, plan)

    async def prepare(self):
        if self.plan["empty"]:
            await self.db.execute(self.plan["empty"])

    async def as_json(self, params):
        async with self.db.execute(self.plan["sql"], params) as cursor:
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row)) for row in await cursor.fetchall()]
        return json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()

    async def operate(self, params):
        kind = self.plan["kind"]
        if kind == "rows":
            return visit_rows(await self.db.execute_fetchall(self.plan["sql"], params))
        if kind == "json":
            return len(await self.as_json(params))
        if kind == "execute":
            await (await self.db.execute(self.plan["sql"], params)).close()
            return 1
        await self.db.execute("BEGIN IMMEDIATE")
        await self.db.executemany(self.plan["sql"], params)
        await self.db.execute("COMMIT")
        return len(params)

    async def hash(self, operations):
        h = HASH_START
        block = block_of(self.plan, 0, operations)
        if self.plan["content"]:
            await self.prepare()
            for params in block:
                await self.operate(params)
            return hash_rows(h, await self.db.execute_fetchall(self.plan["content"]))
        for params in block:
            if self.plan["kind"] == "json":
                text = (await self.as_json(params)).replace(b".0,", b",").replace(b".0}", b"}")
                h = hash_bytes(h, text)
            else:
                h = hash_rows(h, await self.db.execute_fetchall(self.plan["sql"], params))
        return h

    async def run(self, request):
        block = block_of(self.plan, request["first"], request["count"])
        each = []
        total = 0
        started = before = time.perf_counter_ns()
        for params in block:
            total += await self.operate(params)
            if request["each"]:
                now = time.perf_counter_ns()
                each.append(now - before)
                before = now
        answer = {"ns": time.perf_counter_ns() - started, "sum": total}
        if request["each"]:
            answer["each"] = each
        return answer


async def answer_to(request, peer):
    if "prepare" in request:
        await peer.prepare()
        return {"ok": True}
    if "hash" in request:
        return {"hash": await peer.hash(request["hash"])}
    return await peer.run(request["run"])


async def main():
    peer = None
    for line in sys.stdin:
        try:
            request = json.loads(line)
            if "open" in request:
                peer = await Peer.open(request["open"], request["plan"])
                answer = {"ok": True}
            else:
                answer = await answer_to(request, peer)
        except Exception as error:  # whatever it is, the one who asked must hear of it
            answer = {"error": str(error)}
        print(json.dumps(answer, separators=(",", ":")), flush=True)
    if peer:
        await peer.db.close()


if sys.argv[1:] == ["--version"]:
    import sqlite3

    version = getattr(aiosqlite, "__version__", "of unknown version")
    print(f"aiosqlite {version}, SQLite {sqlite3.sqlite_version}, Python {sys.version.split()[0]}")
else:
    asyncio.run(main())
