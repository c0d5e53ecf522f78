"""resqlite exec."""
import json

from box import case, expect_equal, expect_in


@case
def exec_makes_the_database_and_says_what_changed(b):
    b.run("exec", "t.db", "CREATE TABLE t (a INTEGER PRIMARY KEY, b)").expect(out="0 rows changed\n")
    b.run("exec", "t.db", "INSERT INTO t (b) VALUES ('x')").expect(out="1 row changed, last row id 1\n")
    b.run("exec", "t.db", "INSERT INTO t (a, b) VALUES (7, 'y'), (9, 'z')").expect(
        out="2 rows changed, last row id 9\n")
    b.run("exec", "t.db", "UPDATE t SET b = 'w'").expect(out="3 rows changed\n")


@case
def exec_says_it_in_the_format_asked_for(b):
    b.exec("CREATE TABLE t (a)")
    figures = json.loads(b.run("exec", "t.db", "INSERT INTO t VALUES (1)", "--json").expect().out)
    expect_equal((figures["changes"], figures["last_insert_rowid"]), (1, 1))
    if figures["commit"] < 1:
        raise AssertionError(figures)
    out = b.run("exec", "t.db", "INSERT INTO t VALUES (1)", "--csv").expect().out
    expect_in("changes,last_insert_rowid,commit\r\n1,2,", out)


@case
def exec_prints_rows_of_returning(b):
    b.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)")
    b.run("exec", "t.db", "INSERT INTO t (b) VALUES (?), (?) RETURNING a, b", "x", "--null").expect(
        out="a | b\n--+-----\n1 | x\n2 | NULL\n")
    b.run("exec", "t.db", "DELETE FROM t RETURNING a", "--ndjson").expect(out='{"a":1}\n{"a":2}\n')
    b.run("exec", "t.db", "DELETE FROM t RETURNING a", "--json").expect(out="[]\n")
    b.run("exec", "t.db", "DELETE FROM t RETURNING a", "--csv").expect(out="a\r\n")


@case
def exec_writes_json_as_query_does(b):
    values = [
        "0", "-0.0", "1.5", "0.1", "1e21", "1e-7", "123456789012345680000.0", "5e-324", "1.7976931348623157e308",
        "2.2250738585072014e-308", "9e999", "9007199254740993.0", "0.1 + 0.2", "100.0", "1e15", "9223372036854775807",
        "''", "'ä\"\\/'", "char(0, 1, 8, 9, 10, 11, 12, 13, 31, 127, 128, 0x2028, 0x1f600)", "CAST(x'ff' AS TEXT)",
        "CAST(x'61e28262' AS TEXT)", "CAST(x'f0908d' AS TEXT)", "CAST(x'eda080c080' AS TEXT)", "x''", "x'00'",
        "x'0001'", "x'000102'", "x'fffefdfc'", "NULL",
    ]
    b.exec("CREATE TABLE t (v)")
    b.exec("INSERT INTO t VALUES " + ", ".join(f"({v})" for v in values))
    asked = b.query('SELECT v, rowid AS "r\n" FROM t ORDER BY rowid')
    told = b.run("exec", "t.db", 'UPDATE t SET v = v RETURNING v, rowid AS "r\n"', "--json").expect().out
    expect_equal(told, asked + "\n")


@case
def exec_of_several_statements_is_one_transaction(b):
    b.run("exec", "t.db", "CREATE TABLE t (a UNIQUE); -- two\nINSERT INTO t VALUES (1), ('a;b');\n").expect(out="")
    expect_equal(b.query("SELECT a FROM t"), '[{"a":1},{"a":"a;b"}]')
    err = b.run("exec", "t.db", "DELETE FROM t; INSERT INTO t VALUES (2); INSERT INTO t VALUES (2)").expect(
        status=1, out="").err
    expect_in("t.db: UNIQUE constraint failed: t.a (at offset 41 of the SQL)", err)
    b.run("exec", "t.db", "DELETE FROM t; COMMIT").expect(status=1, out="")
    b.run("exec", "t.db", "DELETE FROM t; DELETE FROM t WHERE a = ?", "1").expect(status=1, out="")
    expect_equal(b.query("SELECT count(*) AS n FROM t"), '[{"n":2}]')
    b.run("exec", "t.db", "SELECT 1 FROM t;").expect()
    b.run("exec", "t.db", " -- nothing").expect(status=1, out="")


@case
def exec_that_fails_changes_nothing(b):
    b.exec("CREATE TABLE t (a UNIQUE)")
    b.exec("INSERT INTO t VALUES (1)")
    err = b.run("exec", "t.db", "INSERT INTO t VALUES (2), (1)").expect(status=1, out="").err
    expect_in("resqlite: t.db: UNIQUE constraint failed: t.a", err)
    for sql in ("BEGIN", "ATTACH 'x.db' AS x", "INSERT INTO t VALUES (?)", "INSERT INTO nowhere VALUES (1)"):
        b.run("exec", "t.db", sql).expect(status=1, out="")
    expect_equal(b.query("SELECT count(*) AS n FROM t"), '[{"n":1}]')


@case
def exec_into_a_folder_that_does_not_exist(b):
    expect_in("resqlite: no/t.db: ", b.run("exec", "no/t.db", "CREATE TABLE t (a)").expect(status=3).err)
