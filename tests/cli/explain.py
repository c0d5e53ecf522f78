"""resqlite explain --live."""
from box import case


@case
def explain_live_says_which_commits_wake(b):
    b.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    b.run("explain", "--live", "t.db", "SELECT a FROM t WHERE id = ?").expect(out=(
        "table  | level | columns       | keys\n"
        "-------+-------+---------------+-----------\n"
        "main.t | key   | columns id, a | rowid = ?1\n"
    ))
    b.run("explain", "--live", "t.db", "SELECT count(*) FROM t", "--csv", "--no-header").expect(
        out="main.t,column,which rows there are,\r\n")


@case
def explain_wants_live(b):
    b.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    b.run("explain", "t.db", "SELECT 1").expect(status=2)
    b.run("explain", "--live", "t.db", "DELETE FROM t").expect(status=1)
