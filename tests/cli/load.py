"""resqlite import: what goes in, and what becomes of it."""
import json
import os
import sqlite3
import subprocess

from box import case, expect_equal, expect_in

TYPES = "SELECT group_concat(name || ':' || lower(type), ' ') AS c FROM pragma_table_info('t')"


def rows(b, sql="SELECT * FROM t"):
    return json.loads(b.query(sql))


def columns(b):
    return rows(b, TYPES)[0]["c"]


def load(b, name, *words):
    return b.run("import", "t.db", name, "--table", "t", "--quiet", *words).expect(out="")


def types_of(b, column):
    return [r["t"] for r in rows(b, f"SELECT typeof({column}) AS t FROM t ORDER BY rowid")]


# ----------------------------------------------------------------- formats --


@case
def csv_is_text_without_types(b):
    b.write("a.csv", 'name,"n ""1"""\r\ntea,5\r\n"a, ""b""\r\nc",\r\n')
    load(b, "a.csv")
    expect_equal(columns(b), 'name:text n "1":text')
    expect_equal(rows(b), [{"name": "tea", 'n "1"': "5"}, {"name": 'a, "b"\r\nc', 'n "1"': ""}])


@case
def csv_keeps_spaces_and_skips_blank_lines(b):
    b.write("a.csv", "a,b\n\n 1 , 2\n\n\n3,4")
    load(b, "a.csv")
    expect_equal(rows(b), [{"a": " 1 ", "b": " 2"}, {"a": "3", "b": "4"}])


@case
def csv_with_every_kind_of_line_end_and_a_byte_order_mark(b):
    for number, end in enumerate(("\n", "\r\n", "\r")):
        b.write("a.csv", b"\xef\xbb\xbf" + end.join(["a,b", '1,"x"', "2,y", ""]).encode())
        b.run("import", f"{number}.db", "a.csv", "--table", "t", "-q").expect()
        expect_equal(json.loads(b.query("SELECT * FROM t", db=f"{number}.db")),
                     [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}])


@case
def csv_with_names_only_makes_an_empty_table(b):
    b.write("a.csv", "a,b\n")
    load(b, "a.csv")
    expect_equal((columns(b), rows(b)), ("a:text b:text", []))


@case
def csv_of_our_own_comes_back(b):
    values = ["", '"', ",", "\r\n", "\n", "\r", " x ", "a\"b,c", "日本", "'", "--", "\x1b"]
    b.exec("CREATE TABLE s (a TEXT, b TEXT)")
    for value in values:
        b.exec("INSERT INTO s VALUES (?, ?)", "--text", value, "--text", value + "!")
    out = b.run("query", "t.db", "SELECT a, b FROM s ORDER BY rowid", "--csv").expect().out
    b.write("a.csv", out.encode("utf-8", "surrogateescape"))
    load(b, "a.csv")
    expect_equal(rows(b), [{"a": v, "b": v + "!"} for v in values])


@case
def json_values_keep_their_types(b):
    b.write("a.json", """[ {"s": "x", "i": -5, "r": 1.5, "t": true, "f": false, "n": null},
        {"s": "03", "i": 9223372036854775807, "r": 1e2, "t": {"a": [1, "é"]}, "f": [ ], "n": "\\u00e9\\ud83d\\ude00\\n\\u0000"} ]""")
    load(b, "a.json")
    expect_equal(rows(b), [
        {"s": "x", "i": -5, "r": 1.5, "t": 1, "f": 0, "n": None},
        {"s": "03", "i": 9223372036854775807, "r": 100, "t": '{"a": [1, "é"]}', "f": "[ ]", "n": "é😀\n\0"},
    ])
    expect_equal([types_of(b, c) for c in "sirtfn"], [
        ["text", "text"], ["integer", "integer"], ["real", "real"], ["integer", "text"], ["integer", "text"],
        ["null", "text"]])
    expect_equal(columns(b), "s: i: r: t: f: n:")


@case
def json_integers_beyond_64_bits_are_real_or_keep_their_digits_as_text(b):
    b.write("a.json", '[{"a": 12345678901234567890, "b": 12345678901234567890}]')
    load(b, "a.json", "--types", "b:text")
    expect_equal((types_of(b, "a"), rows(b)[0]["b"]), (["real"], "12345678901234567890"))


@case
def ndjson_is_one_object_after_the_other(b):
    b.write("a.ndjson", '{"a":1}\n{"a":2,\n "b":"x"} {"a":3}\n\n')
    load(b, "a.ndjson")
    b.write("a.jsonl", '{"b":"y"}')
    load(b, "a.jsonl")
    expect_equal(rows(b), [{"a": 1, "b": None}, {"a": 2, "b": "x"}, {"a": 3, "b": None}, {"a": None, "b": "y"}])


@case
def format_is_said_or_found_by_the_name(b):
    b.write("data", '{"a":1}\n')
    load(b, "data", "--format", "ndjson")
    b.write("a.json", '{"a":2}')
    load(b, "a.json", "--format=ndjson")
    expect_equal(rows(b), [{"a": 1}, {"a": 2}])


@case
def columns_stand_in_the_order_of_first_appearance(b):
    b.write("a.json", '[{"b":1},{"a":2,"b":3},{"c":4}]')
    load(b, "a.json")
    expect_equal(columns(b), "b: a: c:")
    expect_equal(rows(b), [{"b": 1, "a": None, "c": None}, {"b": 3, "a": 2, "c": None},
                           {"b": None, "a": None, "c": 4}])


@case
def a_column_that_first_appears_after_the_first_chunk_is_added(b):
    lines = [json.dumps({"a": i}) for i in range(10500)] + ['{"a":1,"late":"x"}', '{"later":[1]}']
    for words in ([], ["--atomic"], ["--infer"]):
        b.exec("DROP TABLE IF EXISTS t")
        b.write("a.ndjson", "\n".join(lines))
        load(b, "a.ndjson", *words)
        expect_equal(rows(b, "SELECT count(*) AS n, count(a) AS a, count(late) AS l, max(later) AS m FROM t"),
                     [{"n": 10502, "a": 10501, "l": 1, "m": "[1]"}])


@case
def names_are_quoted(b):
    b.write("a.json", json.dumps([{'a"b': 1, "select": 2, "x y": 3, "ü": 4, "'; --": 5, "`": 6}]))
    b.run("import", "t.db", "a.json", "--table", 'my "table', "-q").expect()
    expect_equal(json.loads(b.query('SELECT * FROM "my ""table"')),
                 [{'a"b': 1, "select": 2, "x y": 3, "ü": 4, "'; --": 5, "`": 6}])


@case
def existing_table_gets_values_by_name(b):
    b.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, Name TEXT, extra)")
    b.write("a.csv", "NAME,ID\nx,5\ny,7\n")
    load(b, "a.csv")
    expect_equal(rows(b), [{"id": 5, "Name": "x", "extra": None}, {"id": 7, "Name": "y", "extra": None}])
    expect_equal(types_of(b, "id"), ["integer", "integer"])


@case
def standard_input_is_a_file_too(b):
    words = ["import", "t.db", "-", "--table", "t", "--format", "csv", "-q"]
    b.run(*words, stdin=b"a\n1\n").expect()
    b.run(*words, "--infer", stdin=b"a\n2\n").expect()
    with open(b.path(b.write("a.csv", "skipped\na\n3\n")), "rb") as half_read:
        os.lseek(half_read.fileno(), 8, os.SEEK_SET)
        done = subprocess.run([b.command, *words, "--infer"], stdin=half_read, cwd=b.folder, check=False)
    expect_equal(done.returncode, 0)
    expect_equal(rows(b), [{"a": "1"}, {"a": "2"}, {"a": "3"}])


@case
def rows_and_fields_larger_than_a_block_are_read(b):
    long = "x" * 300000 + "é\"\n"
    b.write("a.json", json.dumps([{"a": long, "b": [long]}, {"a": "é" * 200000, "b": 1}]))
    load(b, "a.json")
    expect_equal(rows(b, "SELECT a FROM t"), [{"a": long}, {"a": "é" * 200000}])
    expect_equal(json.loads(rows(b, "SELECT b FROM t")[0]["b"]), [long])
    b.exec("DELETE FROM t")
    b.write("a.csv", 'a,b\n"' + long.replace('"', '""') * 2 + '",5\n')
    load(b, "a.csv")
    expect_equal(rows(b), [{"a": long * 2, "b": "5"}])


@case
def more_than_one_chunk_is_complete(b):
    b.write("a.csv", "i,s\n" + "".join(f"{i},text {i}\n" for i in range(25001)))
    for words in ([], ["--atomic"]):
        b.exec("DROP TABLE IF EXISTS t")
        load(b, "a.csv", "--infer", *words)
        expect_equal(rows(b, "SELECT count(*) AS n, sum(i) AS s, count(DISTINCT s) AS d FROM t"),
                     [{"n": 25001, "s": 25000 * 25001 // 2, "d": 25001}])


@case
def last_line_goes_to_stderr_unless_quiet(b):
    b.write("a.csv", "a\n" + "1\n" * 1234)
    done = b.run("import", "t.db", "a.csv", "--table", "t")
    expect_equal((done.status, done.out, done.err.count("\n")), (0, "", 1))
    expect_in("1,234 rows imported into t in ", done.err)
    expect_in(" rows/s)\n", done.err)


# ------------------------------------------------------------------- types --


@case
def types_are_what_the_user_says(b):
    b.write("a.csv", "i,r,t,x:y\n05,1,7,+1.5\n-3,.5,,1\n,,x,\n")
    load(b, "a.csv", "--types", "i:integer,r:real", "--types", "x:y:real")
    expect_equal(columns(b), "i:integer r:real t:text x:y:real")
    expect_equal(rows(b), [{"i": 5, "r": 1, "t": "7", "x:y": 1.5}, {"i": -3, "r": 0.5, "t": "", "x:y": 1},
                           {"i": None, "r": None, "t": "x", "x:y": None}])


@case
def types_of_json_columns(b):
    b.write("a.json", '[{"i":"5","r":2,"t":5,"o":"x"},{"i":true,"r":"1e3","t":true,"o":2},{"t":[1, 2]},{"t":1.50}]')
    load(b, "a.json", "--types", "i:int,r:real,t:text")
    expect_equal(columns(b), "i:integer r:real t:text o:")
    expect_equal([(r["i"], r["r"], r["t"], r["o"]) for r in rows(b)],
                 [(5, 2, "5", "x"), (1, 1000, "true", 2), (None, None, "[1, 2]", None), (None, None, "1.50", None)])


@case
def infer_needs_every_value_to_be_a_number(b):
    table = {
        "plain": ["1", "-5", "0", "INTEGER"],
        "real": ["1", "-1.25", "1e5", "REAL"],
        "zeros": ["1", "2", "03", "TEXT"],
        "minus_zeros": ["1", "2", "-03", "TEXT"],
        "fraction": ["0.5", "-0.5", "00.5", "TEXT"],
        "plus": ["1", "2", "+3", "TEXT"],
        "space": ["1", "2", " 3", "TEXT"],
        "point": ["1", "2", "3.", "TEXT"],
        "hex": ["1", "2", "0x3", "TEXT"],
        "inf": ["1", "2", "inf", "TEXT"],
        "nan": ["1", "2", "NaN", "TEXT"],
        "large": ["1", "2", "1e999", "TEXT"],
        "long": ["1", "2", "9223372036854775808", "TEXT"],
        "longest": ["1", "-9223372036854775808", "9223372036854775807", "INTEGER"],
        "lossy": ["1.5", "2", "9007199254740993", "TEXT"],
        "exact": ["1.5", "2", "9007199254740992", "REAL"],
        "word": ["1", "2", "x", "TEXT"],
        "missing": ["1", "2", "", "INTEGER"],
        "all_missing": ["", "", "", "TEXT"],
        "quoted": ["1", "2", '""', "TEXT"],
        "quoted_number": ['"1"', "2", '"3"', "INTEGER"],
    }
    b.write("a.csv", ",".join(table) + "\n" + "\n".join(",".join(c[i] for c in table.values()) for i in range(3)))
    load(b, "a.csv", "--infer")
    expect_equal(columns(b).split(), [f"{name}:{column[3].lower()}" for name, column in table.items()])
    third = rows(b)[2]
    for name, column in table.items():
        text = column[2].strip('"')
        of_type = {"TEXT": str, "INTEGER": int, "REAL": float}[column[3]]
        expect_equal(third[name], of_type(text) if text or of_type is str else None, name)


@case
def infer_looks_at_the_whole_file(b):
    b.write("a.csv", "a,b\n" + "1,2\n" * 30000 + "x,3\n")
    load(b, "a.csv", "--infer")
    expect_equal(columns(b), "a:text b:integer")
    expect_equal(rows(b, "SELECT typeof(a) AS a, typeof(b) AS b, count(*) AS n FROM t GROUP BY 1, 2"),
                 [{"a": "text", "b": "integer", "n": 30001}])


@case
def infer_reads_numbers_from_json_strings(b):
    b.write("a.json", json.dumps([
        {"lat": "42.5", "code": "03", "n": 1, "m": "7", "bool": True, "mixed": True, "empty": "", "none": None},
        {"lat": "-7", "code": "12", "n": 2.5, "m": 8, "bool": None, "mixed": "x", "empty": "1", "none": None},
    ]))
    load(b, "a.json", "--infer")
    expect_equal(columns(b), "lat:real code:text n:real m:integer bool:integer mixed:text empty:text none:text")
    expect_equal(rows(b), [
        {"lat": 42.5, "code": "03", "n": 1, "m": 7, "bool": 1, "mixed": "true", "empty": "", "none": None},
        {"lat": -7, "code": "12", "n": 2.5, "m": 8, "bool": None, "mixed": "x", "empty": "1", "none": None},
    ])


@case
def types_win_over_infer(b):
    b.write("a.csv", "a,b\n1,2\n")
    load(b, "a.csv", "--infer", "--types", "a:text")
    expect_equal(columns(b), "a:text b:integer")
    expect_equal(rows(b), [{"a": "1", "b": 2}])


@case
def empty_fields_become_null_where_asked(b):
    b.write("a.csv", 'a,b\n,""\nx,y\n')
    load(b, "a.csv", "--empty-null")
    expect_equal(rows(b), [{"a": None, "b": ""}, {"a": "x", "b": "y"}])


@case
def temporary_file_is_gone_afterwards(b):
    os.mkdir(b.path("tmp"))
    b.run("import", "t.db", "-", "--table", "t", "--format", "csv", "--infer", "-q", stdin=b"a\n2\n",
          env={"TMPDIR": str(b.path("tmp"))}).expect()
    expect_equal(os.listdir(b.path("tmp")), [])
    err = b.run("import", "t.db", "-", "--table", "t", "--format", "csv", "--infer", stdin=b"a\n2\n",
                env={"TMPDIR": str(b.path("no"))}).expect(status=4).err
    expect_in("No such file or directory", err)


@case
def another_program_reads_what_was_imported(b):
    b.write("a.csv", "a,b\n1,x\n")
    load(b, "a.csv", "--infer")
    with sqlite3.connect(b.path("t.db")) as other:
        expect_equal(other.execute("SELECT a, b, typeof(a) FROM t").fetchall(), [(1, "x", "integer")])
