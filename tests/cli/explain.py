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
    b.run("explain", "t.db", "SELECT 1", "--", "--live").expect(status=2)
    b.run("explain", "t.db").expect(status=2)
    b.run("explain", "--live", "t.db", "DELETE FROM t").expect(status=1)


@case
def explain_takes_its_options_anywhere(b):
    b.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    wanted = '[{"table":"main.t","level":"column","columns":"which rows there are","keys":null}]\n'
    for words in (("--live", "t.db", "SELECT count(*) FROM t", "--json"),
                  ("t.db", "--live", "--json", "SELECT count(*) FROM t"),
                  ("--json", "t.db", "SELECT count(*) FROM t", "--live")):
        b.run("explain", *words).expect(out=wanted)
    for words in (("--help",), ("--live", "--help"), ("t.db", "--help", "--live")):
        b.run("explain", *words).expect(out=b.run("explain", "--help").out)


@case
def messages_name_what_a_shell_has(b):
    """Not what a program has to call."""
    b.exec("CREATE TABLE t (x)")
    b.run("query", "t.db", "INSERT INTO t VALUES (1)").expect(
        status=1, err="resqlite: t.db: the statement writes: use resqlite exec\n")
    b.run("exec", "t.db", "BEGIN").expect(
        status=1, err="resqlite: t.db: transaction control is refused: give all statements to one resqlite exec\n")
    b.run("watch", "t.db", "SELECT random()").expect(
        status=1, err="resqlite: t.db: the answer depends on random(), which changes without a commit: "
                      "use resqlite watch --refresh\n")
