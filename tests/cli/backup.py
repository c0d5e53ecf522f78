"""resqlite backup."""
from box import case, expect_equal, expect_in


@case
def backup_copies_a_database(b):
    b.exec("CREATE TABLE t (a)")
    b.exec("INSERT INTO t VALUES (1), (2)")
    b.run("backup", "t.db", "copy.db").expect(out="")
    b.exec("DELETE FROM t")
    expect_equal(b.run("query", "copy.db", "SELECT count(*) AS n FROM t", "--json").expect().out.strip(), '[{"n":2}]')


@case
def backup_writes_over_nothing(b):
    b.exec("CREATE TABLE t (a)")
    expect_in("t.db: there is a file", b.run("backup", "t.db", "t.db").expect(status=3, out="").err)
    b.run("backup", "t.db", "nowhere/copy.db").expect(status=3, out="")
    b.run("backup", "missing.db", "copy.db").expect(status=3, out="")


@case
def backup_wants_two_names(b):
    b.exec("CREATE TABLE t (a)")
    b.run("backup", "t.db").expect(status=2, out="")
    b.run("backup", "t.db", "a", "b").expect(status=2, out="")
    expect_in("Usage: resqlite backup", b.run("backup", "--help").expect().out)
