"""resqlite query, parameters, formats, usage and errors."""
import csv
import io
import json
import os
import sqlite3
import subprocess

from box import case, expect_equal, expect_in


def shop(b):
    b.exec("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL)")
    b.exec("INSERT INTO item VALUES (1, 'tea', 3.5), (2, 'a longer name', 12.25), (10, NULL, 7)")


# ------------------------------------------------------------------ tables --


@case
def table_is_aligned(b):
    shop(b)
    b.run("query", "t.db", "SELECT * FROM item").expect(out=(
        "id | name          | price\n"
        "---+---------------+------\n"
        " 1 | tea           |   3.5\n"
        " 2 | a longer name | 12.25\n"
        "10 | NULL          |   7.0\n"
    ))


@case
def table_aligns_wide_and_combining_characters(b):
    sql = "SELECT 'Tōkyō' AS a, 1 AS b UNION ALL SELECT '東京', 2 UNION ALL SELECT 'e' || char(0x301) || 'a', 3"
    wanted = (
        "a     | b\n"
        "------+--\n"
        "Tōkyō | 1\n"
        "東京  | 2\n"
        "e\u0301a    | 3\n"
    )
    b.exec("CREATE TABLE t (x)")
    b.run("query", "t.db", sql).expect(out=wanted)
    # Widths do not depend on the locale: containers have none.
    b.run("query", "t.db", sql, env={"LC_ALL": "C"}).expect(out=wanted)
    b.run("query", "t.db", sql, env={"LC_ALL": "no_SUCH"}).expect(out=wanted)


@case
def table_tells_null_from_the_text_null_and_shows_blobs(b):
    b.exec("CREATE TABLE t (x)")
    b.run("query", "t.db", "SELECT NULL AS a, 'NULL' AS b, '' AS c, x'00ff' AS d, x'' AS e").expect(out=(
        "a    | b      | c | d       | e\n"
        "-----+--------+---+---------+----\n"
        "NULL | 'NULL' |   | x'00ff' | x''\n"
    ))


@case
def table_shows_what_could_control_the_terminal(b):
    b.exec("CREATE TABLE t (x)")
    sql = (
        "SELECT 'a' || char(27) || '[31m' AS esc, 'x' || char(10, 13, 9, 0, 127) AS c0, char(0x9b) AS c1,"
        " char(0x202e) AS bidi, CAST(x'61ff62' AS TEXT) AS bad"
    )
    out = b.run("query", "t.db", sql, "--no-header").expect().out
    expect_equal(out, "a\\x1b[31m | x\\n\\r\\t\\x00\\x7f | \\u009b | \\u202e | a\\xffb\n")


@case
def table_shows_control_characters_in_names(b):
    b.exec("CREATE TABLE t (x)")
    out = b.run("query", "t.db", 'SELECT 1 AS "a\x1b[2J\nb"').expect().out
    expect_equal(out, "a\\x1b[2J\\nb\n-----------\n          1\n")


@case
def table_without_rows_has_its_names(b):
    shop(b)
    b.run("query", "t.db", "SELECT id, name FROM item WHERE 0").expect(out="id | name\n---+-----\n")


@case
def table_is_not_cut_when_piped(b):
    b.exec("CREATE TABLE t (x)")
    long = "y" * 5000
    expect_in(long + "\n", b.run("query", "t.db", f"SELECT '{long}' AS x").expect().out)


@case
def no_header_gives_a_bare_value(b):
    shop(b)
    b.run("query", "t.db", "SELECT count(*) FROM item", "--no-header").expect(out="3\n")


@case
def table_shows_extreme_numbers(b):
    b.exec("CREATE TABLE t (x)")
    sql = "SELECT 9223372036854775807, -9223372036854775807 - 1, 1e300, 5e-324, 0.1, 9e999, -9e999, 1e21, 123456.0"
    out = b.run("query", "t.db", sql, "--no-header").expect().out
    expect_equal(out.strip().split(" | "), [
        "9223372036854775807", "-9223372036854775808", "1e+300", "5e-324", "0.1", "Inf", "-Inf", "1e+21", "123456.0",
    ])


# -------------------------------------------------------------------- JSON --

AWKWARD = "SELECT '},{' AS \"a}\", '\"},{\"' AS b, '\\' AS c, '\\\"}' AS d, char(10, 1) AS e, NULL AS n, x'00ff' AS \"{\""


@case
def json_is_one_array(b):
    shop(b)
    b.run("query", "t.db", "SELECT * FROM item", "--json").expect(out=(
        '[{"id":1,"name":"tea","price":3.5},{"id":2,"name":"a longer name","price":12.25},'
        '{"id":10,"name":null,"price":7}]\n'
    ))
    b.run("query", "t.db", "SELECT 1 WHERE 0", "--json").expect(out="[]\n")


@case
def ndjson_is_one_object_a_line(b):
    shop(b)
    b.run("query", "t.db", "SELECT id FROM item", "--ndjson").expect(out='{"id":1}\n{"id":2}\n{"id":10}\n')
    b.run("query", "t.db", "SELECT 1 WHERE 0", "--ndjson").expect(out="")


@case
def ndjson_splits_where_objects_end_and_nowhere_else(b):
    b.exec("CREATE TABLE t (x)")
    sql = f"{AWKWARD} UNION ALL {AWKWARD}"
    rows = json.loads(b.run("query", "t.db", sql, "--json").expect().out)
    lines = b.run("query", "t.db", sql, "--ndjson").expect().out.splitlines()
    expect_equal([json.loads(line) for line in lines], rows)
    expect_equal(rows[0]["b"], '"},{"')
    expect_equal(rows[0]["{"], "AP8=")


# --------------------------------------------------------------------- CSV --


@case
def csv_follows_rfc_4180(b):
    b.exec("CREATE TABLE t (x)")
    sql = "SELECT 'a,b' AS \"x,y\", 'say \"hi\"' AS q, 'two' || char(10) || 'lines' AS l, ' s' AS s, 1.0 AS r"
    b.run("query", "t.db", sql, "--csv").expect(
        out='"x,y",q,l,s,r\r\n"a,b","say ""hi""","two\nlines"," s",1.0\r\n'
    )


@case
def csv_tells_null_from_empty_text(b):
    b.exec("CREATE TABLE t (x)")
    b.run("query", "t.db", "SELECT NULL AS a, '' AS b, x'0aff' AS c", "--csv").expect(out='a,b,c\r\n,"",0aff\r\n')
    b.run("query", "t.db", "SELECT 5 AS a", "--csv", "--no-header").expect(out="5\r\n")


@case
def csv_is_read_back_by_another_reader(b):
    values = ["plain", "", '"', ",", "\r\n", "\n", " ", "a\"b,c\r\nd", "ünï", "'"]
    b.exec("CREATE TABLE t (a TEXT, b TEXT)")
    for value in values:
        b.exec("INSERT INTO t VALUES (?, ?)", "--text", value, "--text", value[::-1])
    out = b.run("query", "t.db", "SELECT a, b FROM t ORDER BY rowid", "--csv", "--no-header").expect().out
    expect_equal(list(csv.reader(io.StringIO(out, newline=""))), [[v, v[::-1]] for v in values])


# -------------------------------------------------------------- parameters --

TYPES = "SELECT typeof(?1) AS a, typeof(?2) AS b, typeof(?3) AS c, typeof(?4) AS d, typeof(?5) AS e"


@case
def parameters_are_text_unless_their_type_is_said(b):
    b.exec("CREATE TABLE t (x)")
    expect_equal(
        b.query(TYPES, "5", "--int", "-5", "--real", "5", "--null", "--blob-hex", "00Ff"),
        '[{"a":"text","b":"integer","c":"real","d":"null","e":"blob"}]',
    )
    expect_equal(b.query("SELECT ? AS a, hex(?) AS b, ? AS c", "--int=-9223372036854775808", "--blob-hex=00fF",
                         "--text", "--null"),
                 '[{"a":-9223372036854775808,"b":"00FF","c":"--null"}]')


@case
def infer_finds_numbers_among_plain_parameters_only(b):
    b.exec("CREATE TABLE t (x)")
    expect_equal(b.query(TYPES, "5", "-1.5", "03", "1e5", "--text", "7", "--infer"),
                 '[{"a":"integer","b":"real","c":"text","d":"real","e":"text"}]')
    expect_equal(b.query(TYPES, "+1", "1.", ".5", "9223372036854775808", "", "--infer"),
                 '[{"a":"text","b":"text","c":"text","d":"text","e":"text"}]')


@case
def options_stand_anywhere_and_two_dashes_end_them(b):
    shop(b)
    wanted = '{"id":2}\n'
    for words in (
        ["--ndjson", "t.db", "SELECT id FROM item WHERE id = ?", "--int", "2"],
        ["t.db", "--ndjson", "SELECT id FROM item WHERE id = ?", "--int=2"],
        ["t.db", "SELECT id FROM item WHERE id = ?", "--int", "2", "--ndjson"],
        ["--ndjson", "--int", "2", "--", "t.db", "SELECT id FROM item WHERE id = ?"],
    ):
        b.run("query", *words).expect(out=wanted)
    expect_equal(b.query("SELECT ? AS a, ? AS b, ? AS c", "-5", "--", "--csv", "--"),
                 '[{"a":"-5","b":"--csv","c":"--"}]')


@case
def parameters_that_do_not_parse_are_usage_errors(b):
    b.exec("CREATE TABLE t (x)")
    for words in (["--int", "abc"], ["--int", "1.5"], ["--int", ""], ["--int", "9223372036854775808"], ["--int", " 1"],
                  ["--real", "x"], ["--real", "1e999"], ["--real", "nan"], ["--real", "0x10"], ["--real", ""],
                  ["--blob-hex", "0"], ["--blob-hex", "0g"], ["--int"], ["--null=1"], [b"\xff"], ["--text", b"a\xe2\x82"]):
        b.run("query", "t.db", "SELECT ?", *words).expect(status=2)


@case
def wrong_number_of_parameters_is_an_sql_error(b):
    b.exec("CREATE TABLE t (x)")
    b.run("query", "t.db", "SELECT ?").expect(status=1)
    b.run("query", "t.db", "SELECT 1", "extra").expect(status=1)


# ------------------------------------------------------------ usage, help --


@case
def help_and_version_go_to_stdout(b):
    expect_in("resqlite 0.1.0 (SQLite 3.", b.run("--version").expect().out)
    expect_in("Exit status:", b.run("--help").expect().out)
    for command in ("query", "exec", "import", "watch"):
        out = b.run(command, "--help").expect().out
        for part in (f"Usage: resqlite {command} ", "Example:\n  ", "Exit status: 0 "):
            expect_in(part, out)
        expect_equal([line for line in out.splitlines() if len(line) > 85], [], "lines too long for a terminal")
        expect_equal(b.run(command, "t.db", "-h").expect().out, out)


@case
def usage_errors_are_one_line_and_status_2(b):
    for words in ([], ["nonsense"], ["--nonsense"], ["query"], ["query", "t.db"], ["query", "t.db", "SELECT 1", "--xyz"],
                  ["query", "t.db", "SELECT 1", "-x"], ["exec"], ["import"], ["import", "t.db"],
                  ["import", "t.db", "x.csv"], ["import", "t.db", "x.csv", "--table"],
                  ["import", "t.db", "x.dat", "--table", "t"], ["import", "t.db", "x.csv", "--table", ""],
                  ["import", "t.db", "x.csv", "--table", "t", "--format", "xml"],
                  ["import", "t.db", "x.csv", "--table", "t", "--types", "a:b"],
                  ["import", "t.db", "x.csv", "--table", "t", "--types", "a"],
                  ["import", "t.db", "x.csv", "--table", "t", "more"],
                  ["watch"], ["watch", "t.db"], ["watch", "t.db", "SELECT 1", "--count", "0"],
                  ["watch", "t.db", "SELECT 1", "--count", "x"], ["watch", "t.db", "SELECT 1", "--csv"]):
        b.run(*words).expect(status=2, out="")
    expect_equal(os.listdir(b.folder), [])


# ------------------------------------------------------------------ errors --


@case
def sql_error_names_the_file_and_the_offset(b):
    b.exec("CREATE TABLE t (x)")
    done = b.run("query", "t.db", "SELECT * FORM t").expect(status=1, out="")
    expect_in("resqlite: t.db: ", done.err)
    expect_in('near "FORM"', done.err)
    expect_in(" (at offset 9 of the SQL)\n", done.err)
    expect_in("no such table: u", b.run("query", "t.db", "SELECT * FROM u").expect(status=1).err)


@case
def error_with_control_characters_is_one_visible_line(b):
    b.exec("CREATE TABLE t (x)")
    err = b.run("query", "t.db", 'SELECT * FROM "a\n\x1b[31mb"').expect(status=1).err
    expect_in("[31mb", err)
    expect_equal([c for c in err[:-1] if c < " "], [])


@case
def a_wrong_number_of_parameters_is_counted(b):
    b.exec("CREATE TABLE t (x)")
    for sql, words, told in (("SELECT ?", (), "1 parameter, 0 values were"), ("SELECT ?, ?", ("a",), "2 parameters, 1 value was"),
                             ("SELECT 1", ("a", "b"), "0 parameters, 2 values were")):
        b.run("query", "t.db", sql, *words).expect(status=1, err=f"resqlite: t.db: the statement has {told} given\n")


@case
def second_statement_is_refused(b):
    shop(b)
    b.run("query", "t.db", "SELECT 1; SELECT 2").expect(status=1, out="")
    b.run("exec", "t.db", "DELETE FROM item; DELETE FROM item WHERE id = ?", "1").expect(status=1, out="")
    b.run("query", "t.db", "").expect(status=1, out="")
    expect_equal(b.query("SELECT count(*) AS n FROM item;"), '[{"n":3}]')


@case
def write_through_query_is_refused(b):
    shop(b)
    for sql in ("DELETE FROM item", "CREATE TABLE u (x)", "UPDATE item SET id = id + 1 RETURNING id",
                "PRAGMA user_version = 5"):
        b.run("query", "t.db", sql).expect(status=1, out="")
    expect_equal(b.query("SELECT count(*) AS n, (SELECT count(*) FROM sqlite_schema) AS s FROM item"), '[{"n":3,"s":1}]')


@case
def missing_database_is_not_made_by_reading(b):
    for command in ("query", "watch"):
        err = b.run(command, "no.db", "SELECT 1").expect(status=3, out="").err
        expect_in("resqlite: no.db: ", err)
    expect_equal(os.listdir(b.folder), [])


@case
def what_is_no_database_cannot_be_opened(b):
    os.mkdir(b.path("folder"))
    b.write("text", "Dear diary, this is a longer text than the header of a database would be, and then some more.\n" * 20)
    b.exec("CREATE TABLE t (x)", db="good.db")
    damaged = bytearray(b.path("good.db").read_bytes())
    damaged[:16] = b"SQLite format 4\0"
    b.write("damaged", bytes(damaged))
    contents = {name: b.path(name).read_bytes() for name in ("text", "damaged")}
    for name in ("folder", "text", "damaged"):
        for words in (["query", name, "SELECT * FROM t"], ["exec", name, "CREATE TABLE u (x)"]):
            expect_in(f"resqlite: {name}: ", b.run(*words).expect(status=3, out="").err)
    for name, content in contents.items():
        expect_equal(b.path(name).read_bytes(), content, f"bytes of {name}")
    expect_equal([n for n in os.listdir(b.folder) if n.startswith(("text", "folder", "damaged"))].__len__(), 3)


@case
def failed_output_is_reported(b):
    b.exec("CREATE TABLE t (x)")
    with open("/dev/full", "wb") as full:
        done = b.run("query", "t.db", "SELECT 1", stdout=full).expect(status=4)
    expect_in("No space left on device", done.err)


@case
def a_reader_that_leaves_early_is_no_error(b):
    b.exec("CREATE TABLE t (x)")
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i, 'some text' FROM n"
    for form in ([], ["--json"], ["--ndjson"], ["--csv"]):
        p = b.start("query", "t.db", sql, *form, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdout.read(10)
        p.stdout.close()
        expect_equal((p.stderr.read(), p.wait()), (b"", 0), str(form))


@case
def reading_leaves_the_file_as_it_is(b):
    with sqlite3.connect(b.path("old.db")) as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    b.exec("CREATE TABLE t (x)", db="wal.db")
    b.write("empty.db", "")
    before = {name: b.path(name).read_bytes() for name in sorted(os.listdir(b.folder))}
    expect_equal(list(before), ["empty.db", "old.db", "wal.db"])
    for name in before:
        b.run("query", name, "SELECT * FROM sqlite_schema").expect()
    expect_equal({name: b.path(name).read_bytes() for name in sorted(os.listdir(b.folder))} == before, True)


@case
def databases_that_are_no_files_can_be_read(b):
    b.run("query", ":memory:", "SELECT 1 AS a", "--json").expect(out='[{"a":1}]\n')
    b.run("query", "", "SELECT 1 AS a", "--json").expect(out='[{"a":1}]\n')
    expect_equal(os.listdir(b.folder), [])
