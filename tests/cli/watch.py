"""resqlite watch, piped."""
import json
import signal
import subprocess

import tap
from box import PATIENCE_S, case, expect_equal, expect_in, read_until


class Watch:
    """A running watch; one event is read before the next statement is written."""

    def __init__(self, b, *words, stdin=subprocess.PIPE):
        self.process = b.start("watch", "t.db", *words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.buffer = b""

    def line(self):
        self.buffer = read_until(self.process.stdout.fileno(), lambda s: b"\n" in s, self.buffer)
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode()

    def event(self):
        line = self.line()
        if not line:
            raise tap.Failed(f"no event; stderr: {self.process.stderr.read()!r}")
        return json.loads(line)

    def send(self, *statements):
        for statement in statements:
            self.process.stdin.write(statement.encode() + b"\n")

    def end(self, status=0, err=b""):
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe and pipe is self.process.stdin:
                pipe.close()
        got = self.process.wait(timeout=PATIENCE_S), self.process.stderr.read()
        expect_equal(got, (status, err), "status and stderr")


@case
def watch_emits_one_json_line_for_each_change(b):
    b.exec("CREATE TABLE t (x)")
    w = Watch(b, "SELECT count(*) AS n, max(x) AS x FROM t", "--ndjson", "--count", "3")
    first = w.event()
    expect_equal(first["rows"], [{"n": 0, "x": None}])
    w.send("INSERT INTO t VALUES ('a}\"')")
    second = w.event()
    expect_equal(second["rows"], [{"n": 1, "x": 'a}"'}])
    w.send("UPDATE t SET x = x'00ff'")
    third = w.event()
    expect_equal(third["rows"], [{"n": 1, "x": "AP8="}])
    expect_equal([first["commit"] < second["commit"], second["commit"] < third["commit"]], [True, True])
    expect_equal([(e["why"], e["tables"]) for e in (first, second, third)],
                 [(["first"], []), (["rows"], ["main.t"]), (["value"], ["main.t"])])
    w.end()


@case
def watch_stays_silent_when_nothing_changes(b):
    b.exec("CREATE TABLE t (x)")
    b.exec("CREATE TABLE other (x)")
    w = Watch(b, "SELECT count(*) AS n FROM t", "--ndjson", "--count", "2")
    w.event()
    w.send("INSERT INTO other VALUES (1)", "UPDATE t SET x = 1", "", "-- a comment", " ; ", "INSERT INTO t VALUES (5);")
    expect_equal(w.event()["rows"], [{"n": 1}])
    w.end()


@case
def watch_prints_blocks(b):
    b.exec("CREATE TABLE t (x)")
    w = Watch(b, "SELECT rowid, x FROM t WHERE x <> ?", "skip")
    lines = [w.line() for _ in range(4)]
    w.send("INSERT INTO t VALUES ('a')")
    lines += [w.line() for _ in range(5)]
    for title in (lines[0], lines[4]):
        expect_equal((title[:10], title[-1].isdigit()), ("-- commit ", True), title)
    expect_equal(lines[1:4] + lines[5:], ["rowid | x", "------+--", "", "rowid | x", "------+--", "    1 | a", ""])
    w.process.send_signal(signal.SIGINT)
    w.end()


@case
def watch_ends_cleanly_on_signals(b):
    b.exec("CREATE TABLE t (x)")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for stdin in (subprocess.PIPE, subprocess.DEVNULL):
            w = Watch(b, "SELECT 1 AS a", "--ndjson", stdin=stdin)
            w.event()
            w.process.send_signal(number)
            w.end()


@case
def watch_goes_on_after_the_end_of_its_input(b):
    b.exec("CREATE TABLE t (x)")
    w = Watch(b, "SELECT count(*) AS n FROM t", "--ndjson")
    w.event()
    w.process.stdin.write(b"INSERT INTO t VALUES (1)")  # no newline
    w.process.stdin.close()
    expect_equal(w.event()["rows"], [{"n": 1}])
    w.process.send_signal(signal.SIGTERM)
    w.end()


@case
def watch_reads_statements_that_were_there_before(b):
    b.exec("CREATE TABLE t (x)")
    done = b.run("watch", "t.db", "SELECT count(*) AS n FROM t", "--ndjson", "--count", "2",
                 stdin=b"INSERT INTO t VALUES (1)\n")
    done.expect()
    expect_equal([json.loads(line)["rows"] for line in done.out.splitlines()], [[{"n": 0}], [{"n": 1}]])


@case
def watch_reports_statements_that_fail_and_goes_on(b):
    b.exec("CREATE TABLE t (x UNIQUE)")
    w = Watch(b, "SELECT count(*) AS n FROM t", "--ndjson", "--count", "2")
    w.event()
    w.send("INSERT INTO nowhere VALUES (1)", "BEGIN", "INSERT INTO t VALUES (1)")
    expect_equal(w.event()["rows"], [{"n": 1}])
    w.process.stdin.close()
    lines = w.process.stderr.read().decode().splitlines()
    expect_equal((w.process.wait(timeout=PATIENCE_S), len(lines)), (1, 2), str(lines))
    expect_in("resqlite: t.db: line 1 of stdin: no such table: nowhere", lines[0])
    expect_in("resqlite: t.db: line 2 of stdin: ", lines[1])


@case
def watch_of_a_wrong_query_ends_with_its_error(b):
    b.exec("CREATE TABLE t (x)")
    for sql, words in (("SELECT * FORM t", []), ("SELECT * FROM nowhere", []), ("DELETE FROM t", []),
                       ("SELECT 1; SELECT 2", []), ("SELECT ?", []), ("SELECT 1", ["extra"])):
        err = b.run("watch", "t.db", sql, *words).expect(status=1, out="").err
        expect_in("resqlite: t.db: ", err)
    expect_in(" (at offset 9 of the SQL)\n", b.run("watch", "t.db", "SELECT * FORM t").expect(status=1).err)


@case
def watch_survives_a_table_that_goes_and_comes_back(b):
    b.exec("CREATE TABLE t (x)")
    w = Watch(b, "SELECT count(*) AS n FROM t", "--ndjson")
    w.event()
    w.send("DROP TABLE t")
    err = read_until(w.process.stderr.fileno(), lambda s: b"\n" in s)
    expect_in("no such table: t", err.decode())
    w.send("CREATE TABLE t AS SELECT 1 AS x")
    expect_equal(w.event()["rows"], [{"n": 1}])
    w.process.send_signal(signal.SIGTERM)
    w.process.wait(timeout=PATIENCE_S)


@case
def watch_ends_when_its_reader_is_gone(b):
    b.exec("CREATE TABLE t (x)")
    w = Watch(b, "SELECT 1 AS a", "--ndjson")
    w.event()
    w.process.stdout.close()
    expect_equal((w.process.wait(timeout=PATIENCE_S), w.process.stderr.read()), (0, b""))


@case
def watch_takes_parameters(b):
    b.exec("CREATE TABLE t (x)")
    done = b.run("watch", "t.db", "SELECT typeof(?) AS a, typeof(?) AS b, typeof(?) AS c", "--count", "1", "--ndjson",
                 "5", "--infer", "--blob-hex", "00", "-1.5").expect()
    expect_equal(json.loads(done.out)["rows"], [{"a": "integer", "b": "blob", "c": "real"}])


@case
def watch_sees_commits_of_other_processes(b):
    b.exec("CREATE TABLE t (x)")
    w = Watch(b, "SELECT count(*) AS n FROM t", "--ndjson", stdin=subprocess.DEVNULL)
    first = w.event()
    b.exec("INSERT INTO t VALUES (1)")
    second = w.event()
    expect_equal((first["rows"], second["rows"]), ([{"n": 0}], [{"n": 1}]))
    expect_equal(first["commit"] < second["commit"], True)
    b.exec("ALTER TABLE t RENAME TO u")
    expect_in("no such table: t", read_until(w.process.stderr.fileno(), lambda s: b"\n" in s).decode())
    b.exec("ALTER TABLE u RENAME TO t")
    expect_equal(w.event()["rows"], [{"n": 1}])
    w.process.send_signal(signal.SIGTERM)
    w.end()


@case
def watch_prints_differences_as_json(b):
    b.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x, y)")
    b.exec("INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30)")
    w = Watch(b, "SELECT id, x, y FROM t ORDER BY y", "--ndjson", "--diff", "--count", "4")
    expect_equal([row["id"] for row in w.event()["rows"]], [1, 2, 3])
    w.send("DELETE FROM t WHERE id = 1")
    expect_equal(w.event()["changes"], [{"op": "delete", "from": 0, "row": {"id": 1, "x": "a", "y": 10}}])
    w.send("INSERT INTO t VALUES (4, 'd', 25)")
    expect_equal(w.event()["changes"], [{"op": "insert", "to": 1, "row": {"id": 4, "x": "d", "y": 25}}])
    w.send("UPDATE t SET x = x || '!', y = CASE id WHEN 4 THEN 5 ELSE y END WHERE id IN (2, 4)")
    event = w.event()
    expect_equal(sorted(event), ["changes", "commit", "tables", "why"])
    expect_equal(event["changes"], [{"op": "move", "from": 1, "to": 0, "set": {"x": "d!", "y": 5}},
                                    {"op": "update", "from": 0, "to": 1, "set": {"x": "b!"}}])
    w.end()


@case
def watch_prints_differences_as_lines(b):
    b.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    b.exec("INSERT INTO t VALUES (1, 'a'), (2, NULL)")
    w = Watch(b, "SELECT id, x FROM t ORDER BY id", "--diff", "--no-header")
    expect_equal([w.line() for _ in range(4)][1:], ["1 | a", "2 | NULL", ""])
    w.send("UPDATE t SET x = x'00ff' WHERE id = 2")
    expect_equal([w.line() for _ in range(3)][1:], ["~ 2 | NULL → x'00ff'", ""])
    w.send("INSERT INTO t VALUES (3, 'new\tline')")
    expect_equal([w.line() for _ in range(3)][1:], ["+ 3 | new\\tline", ""])
    w.send("DELETE FROM t WHERE id = 1")
    expect_equal([w.line() for _ in range(3)][1:], ["- 1 | a", ""])
    w.process.send_signal(signal.SIGTERM)
    w.end()


@case
def watch_ends_when_a_condition_holds(b):
    b.exec("CREATE TABLE t (x)")
    w = Watch(b, "SELECT count(*) AS n FROM t", "--ndjson", "--until", "SELECT count(*) >= 2 FROM t")
    w.event()
    w.send("INSERT INTO t VALUES (1)")
    expect_equal(w.event()["rows"], [{"n": 1}])
    b.exec("INSERT INTO t VALUES (2)")
    # The row that met the condition is shown before the end.
    expect_equal(w.event()["rows"], [{"n": 2}])
    w.end()
    for value, ends in (("1", True), ("-0.5", True), ("'yes'", True), ("0", False), ("0.0", False), ("''", False),
                        ("NULL", False)):
        words = ["--until", f"SELECT {value}"] + ([] if ends else ["--count", "1"])
        b.run("watch", "t.db", "SELECT 1 AS a", "--ndjson", *words, stdin=b"").expect()
    b.run("watch", "t.db", "SELECT 1 AS a", "--until", "SELECT 1 WHERE 0", "--count", "1", stdin=b"").expect()


@case
def watch_reports_a_wrong_condition(b):
    b.exec("CREATE TABLE t (x)")
    w = Watch(b, "SELECT count(*) AS n FROM t", "--ndjson", "--until", "SELECT * FORM t", stdin=subprocess.DEVNULL)
    expect_equal(w.process.wait(timeout=PATIENCE_S), 1)
    expect_in("resqlite: --until: ", w.process.stderr.read().decode())
    expect_in("--until", b.run("watch", "t.db", "SELECT 1", "--until").expect(status=2).err)


@case
def watch_refreshes_what_depends_on_more_than_tables(b):
    b.exec("CREATE TABLE t (x)")
    sql = "SELECT random() AS a"
    expect_in("random()", b.run("watch", "t.db", sql, stdin=b"").expect(status=1).err)
    done = b.run("watch", "t.db", sql, "--ndjson", "--refresh", "5", "--count", "3", stdin=b"").expect()
    expect_equal(len({json.loads(line)["rows"][0]["a"] for line in done.out.splitlines()}), 3)
    for wrong in ("0", "x", "-1"):
        b.run("watch", "t.db", sql, "--refresh", wrong).expect(status=2)
