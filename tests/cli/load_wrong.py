"""resqlite import: bad input, its place, and what is kept."""
import json
import os

import tap
from box import case, expect_equal, expect_in


def count(b):
    return json.loads(b.query("SELECT count(*) AS n FROM t"))[0]["n"]


def wrong(b, name, content, place, what, *words, status=1, rows=0):
    """A file is refused at LINE:COLUMN; `rows` rows before it are kept, none with --atomic."""
    b.write(name, content)
    kept = {0: "nothing imported", 1: "1 row kept"}.get(rows, f"{rows:,} rows kept")
    for atomic in ([], ["--atomic"]):
        b.exec("DROP TABLE IF EXISTS t")
        err = b.run("import", "t.db", name, "--table", "t", *words, *atomic).expect(status=status, out="").err
        told = f"resqlite: {name}:{place}: {what}; {'nothing imported' if atomic else kept}\n"
        expect_equal(err, told, f"message for {content[:80]!r} {atomic}")
        there = json.loads(b.query("SELECT count(*) AS n FROM sqlite_schema"))[0]["n"]
        expect_equal(there, 0 if atomic or not rows else 1, "tables")
        if there:
            expect_equal(count(b), rows)


@case
def csv_wrong_number_of_fields(b):
    wrong(b, "a.csv", "a,b\n1,2\n3\n4,5\n", "3:1", "1 fields, but the header has 2", rows=1)
    wrong(b, "a.csv", "a,b\n1,2\n3,4\n5,6,7\n", "4:5", "3 fields, but the header has 2", rows=2)
    wrong(b, "a.csv", 'a,b\n"x\ny,",2\n"5,\n",6,\n', "5:5", "3 fields, but the header has 2", rows=1)


@case
def csv_wrong_quotes(b):
    wrong(b, "a.csv", 'a,b\n1,2\nx"y,3\n', "3:2", "a quote inside a field that does not begin with one", rows=1)
    wrong(b, "a.csv", 'a,b\n1,"2"x\n', "2:6", "text after the closing quote of a field")
    wrong(b, "a.csv", 'a,b\n1,2\n3,"4\n5,6\n', "3:3", "the quoted field that begins here is not closed", rows=1)


@case
def csv_wrong_names(b):
    wrong(b, "a.csv", "", "1:1", "no line with column names")
    wrong(b, "a.csv", "\n\n", "3:1", "no line with column names")
    wrong(b, "a.csv", "a,,c\n1,2,3\n", "1:3", "a column without a name")
    wrong(b, "a.csv", "a,b,A\n1,2,3\n", "1:5", 'the column name "a" appears twice')
    wrong(b, "a.csv", b"a,b\0c\n1,2\n", "1:3", "a column name with a NUL byte")


@case
def csv_that_is_not_utf_8(b):
    wrong(b, "a.csv", b"a,b\n1,2\nx,ab\xffc\n", "3:5", "not UTF-8", rows=1)
    wrong(b, "a.csv", b'a,b\n"x\n""\xc3\xa9 \xed\xa0\x80",2\n', "3:6", "not UTF-8")
    wrong(b, "a.csv", b"a,\xc0\x80\n1,2\n", "1:3", "not UTF-8")
    wrong(b, "a.csv", "a,b\n1,2\n".encode("utf-16"), "1:1", "not UTF-8")


@case
def json_that_is_malformed(b):
    wrong(b, "a.json", '[{"a":1},\n {"a" 2}]', "2:7",
          "malformed JSON: object key and value must be separated by a colon (':')", rows=1)
    wrong(b, "a.json", '[{"a":1},\n {"a":2},]', "2:10", "malformed JSON: unallowed token at this point in JSON text",
          rows=2)
    wrong(b, "a.json", '[\n{"a":tru}]', "2:9", "malformed JSON: invalid string in json text")
    wrong(b, "a.json", '[{"a":\n01}]', "2:2", "malformed JSON: after key and value, inside map, I expect ',' or '}'")
    wrong(b, "a.json", '[{"a":1},{"a":"x\ty"}]', "1:17", "malformed JSON: invalid character inside string", rows=1)
    wrong(b, "a.json", '[{a:1}]', "1:3", "malformed JSON: invalid char in json text")
    wrong(b, "a.json", '[{"a":1}] x', "1:11", "malformed JSON: trailing garbage", rows=1)
    wrong(b, "a.json", '[{"a":1},\n{"a":', "2:6", "malformed JSON: the file ends in the middle of a value", rows=1)
    wrong(b, "a.json", '[{"a":1}\n', "2:1", "malformed JSON: the file ends in the middle of a value", rows=1)
    wrong(b, "a.json", "", "1:1", "malformed JSON: the file ends in the middle of a value")
    wrong(b, "a.ndjson", '{"a":1}\n{"a":2\n{"a":3}\n', "3:1",
          "malformed JSON: after key and value, inside map, I expect ',' or '}'", rows=1)
    wrong(b, "a.ndjson", '{"a":1}\n{"a":2}\n{"a":', "3:6", "malformed JSON: the file ends in the middle of a value",
          rows=2)


@case
def json_that_is_not_rows(b):
    wrong(b, "a.json", '{"a":1}', "1:1", "an array is expected; for objects without one, the format is ndjson")
    wrong(b, "a.ndjson", ' [{"a":1}]', "1:2", "an object is expected; for one array of objects, the format is json")
    wrong(b, "a.json", '[{"a":1}, 5]', "1:11", "an object is expected, as each row is one", rows=1)
    wrong(b, "a.json", '[{"a":1},\n[1]]', "2:1", "an object is expected, as each row is one", rows=1)
    wrong(b, "a.json", '"text"', "1:1", "an object is expected, as each row is one")
    wrong(b, "a.ndjson", '{"a":1}\n  null\n', "2:3", "an object is expected, as each row is one", rows=1)
    wrong(b, "a.ndjson", '{"a":1}\n17', "2:1", "an object is expected, as each row is one", rows=1)
    wrong(b, "a.json", '[{}]', "1:2", "an object without keys, before any column is known")


@case
def json_that_is_not_utf_8(b):
    wrong(b, "a.json", b'[{"a":"x"},\n{"a":"\xc3\xa9\xff"}]', "2:9", "not UTF-8", rows=1)
    wrong(b, "a.json", b'[{"a":{"b":"\xed\xa0\x80"}}]', "1:13", "not UTF-8")
    wrong(b, "a.json", b'[{"\xc0\x80":1}]', "1:4", "not UTF-8")
    half = "half of a surrogate pair in a \\u escape"
    wrong(b, "a.json", '[{"a":"\\u00e9\\ud800x"}]', "1:14", half)
    wrong(b, "a.json", '[{"a":"\\ud800\\u0041"}]', "1:8", half)
    wrong(b, "a.json", '[{"a":"\\\\ud800 \\udc00"}]', "1:16", half)
    wrong(b, "a.json", '[{"a":["\\ud83d\\ude00","\\ud83d"]}]', "1:24", half)


@case
def json_keys_that_cannot_be_columns(b):
    wrong(b, "a.json", '[{"a":1},{"b":1,"B":2}]', "1:17", 'the key "b" appears twice in one object', rows=1)
    wrong(b, "a.json", '[{"":1}]', "1:3", "a column without a name")
    wrong(b, "a.json", '[{"a\\u0000b":1}]', "1:3", "a column name with a NUL byte")
    wrong(b, "a.json", '[{"a":1},{"a":1e999}]', "1:15", 'column "a": a number in range is expected', rows=1)


@case
def the_place_is_right_wherever_blocks_end(b):
    """Blocks are 128 KiB: rows of three lines, the wrong one at different distances from a block's end."""
    for padding in range(0, 130, 13):
        head = '[{"a":"' + "x" * (131072 - 80 - padding) + '"},\n'
        row = '{\n"a":\n"é\\u00e9"},\n'
        wrong(b, "a.json", head + row * 8 + '{"a":"\\ud800"}]', "26:7", "half of a surrogate pair in a \\u escape", rows=9)
        head = 'a,b\n"' + "x" * (131072 - 80 - padding) + '",2\n'
        row = '"é\r\n""\r",5\r\n'
        wrong(b, "a.csv", head + row * 12 + "3,4,5\n", "39:5", "3 fields, but the header has 2", rows=13)


@case
def value_that_is_not_of_its_type(b):
    wrong(b, "a.csv", 'a,b\n"x,\n",5\ny,6x\n', "4:3", 'column "b": an integer is expected', "--types", "b:integer", rows=1)
    wrong(b, "a.csv", "a,b\n1,2.5\n", "2:3", 'column "b": an integer is expected', "--types", "b:integer")
    wrong(b, "a.csv", 'a,b\n1,""\n', "2:3", 'column "b": a number is expected', "--types", "b:real")
    wrong(b, "a.json", '[{"a":1},\n{"a": [1]}]', "2:7", 'column "a": a number is expected', "--types", "a:real", rows=1)
    wrong(b, "a.json", '[{"a":1},\n{"a": "1e999"}]', "2:7", 'column "a": a number is expected', "--types", "a:real", rows=1)


@case
def types_of_a_column_that_is_not_there(b):
    b.write("a.csv", "a,b\n1,2\n")
    err = b.run("import", "t.db", "a.csv", "--table", "t", "--types", "c:real").expect(status=1).err
    expect_equal(err, "resqlite: a.csv: no column has the name that --types gives: c; nothing imported\n")
    b.write("a.json", '[{"a":1}]')
    for words, kept in ([[], "1 row kept"], [["--atomic"], "nothing imported"], [["--infer"], "nothing imported"]):
        b.exec("DROP TABLE IF EXISTS t")
        err = b.run("import", "t.db", "a.json", "--table", "t", "--types", "c:real", *words).expect(status=1).err
        expect_equal(err, f"resqlite: a.json: no column has the name that --types gives: c; {kept}\n")


@case
def column_that_the_table_does_not_have(b):
    def check(name, content, place, *words):
        b.exec("DROP TABLE IF EXISTS t")
        b.exec("CREATE TABLE t (a, b)")
        b.exec("INSERT INTO t VALUES (1, 2)")
        b.write(name, content)
        err = b.run("import", "t.db", name, "--table", "t", *words).expect(status=1).err
        expect_in(f'resqlite: {name}:{place}: table "t" has no column "c"; ', err)

    check("a.csv", "a,c\n1,2\n", "1:3")
    expect_equal(count(b), 1)
    check("a.csv", "a,c\n1,2\n", "1:3", "--infer")
    check("a.json", '[{"a":1},\n{"c":1}]', "2:2", "--atomic")
    expect_equal(count(b), 1)
    check("a.json", '[{"a":1},\n{"c":1}]', "2:2")
    expect_equal(count(b), 2)


@case
def row_that_the_database_refuses(b):
    content = "id,s\n" + "".join(f"{i},s\n" for i in range(1, 12001)) + "17,again\n12001,s\n"
    for words, kept in ([[], "12,001 rows kept"], [["--atomic"], "nothing imported"]):
        b.exec("DROP TABLE IF EXISTS t")
        b.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, s NOT NULL)")
        b.exec("INSERT INTO t VALUES (0, 'before')")
        b.write("a.csv", content.replace("id,s\n", "id,s\n-1,x\n"))
        err = b.run("import", "t.db", "a.csv", "--table", "t", *words).expect(status=1).err
        expect_equal(err, f"resqlite: a.csv:12003:1: UNIQUE constraint failed: t.id; {kept}\n")
        expect_equal(count(b), 1 if words else 12002)
    b.exec("DELETE FROM t")
    b.write("a.json", '[{"id":1,"s":2},\n {"id":2},\n {"id":"x", "s":1}, 5]')
    err = b.run("import", "t.db", "a.json", "--table", "t").expect(status=1).err
    expect_equal(err, "resqlite: a.json:2:2: NOT NULL constraint failed: t.s; 1 row kept\n")


@case
def deferred_constraint_fails_at_the_end(b):
    b.exec("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    b.exec("CREATE TABLE t (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
    b.write("a.csv", "p\n5\n")
    for words in ([], ["--atomic"]):
        err = b.run("import", "t.db", "a.csv", "--table", "t", *words).expect(status=1).err
        expect_in("FOREIGN KEY constraint failed; nothing imported\n", err)
        expect_equal(count(b), 0)


@case
def atomic_leaves_the_file_without_a_trace(b):
    b.exec("CREATE TABLE t (a, b)")
    b.exec("INSERT INTO t VALUES (1, 2)")
    before = b.query("SELECT * FROM t, sqlite_schema")
    b.write("a.csv", "a,b\n" + "1,2\n" * 30000 + "3\n")
    err = b.run("import", "t.db", "a.csv", "--table", "t", "--atomic").expect(status=1).err
    expect_equal(err, "resqlite: a.csv:30002:1: 1 fields, but the header has 2; nothing imported\n")
    expect_equal(b.query("SELECT * FROM t, sqlite_schema"), before)
    err = b.run("import", "t.db", "a.csv", "--table", "t").expect(status=1).err
    expect_equal(err, "resqlite: a.csv:30002:1: 1 fields, but the header has 2; 30,000 rows kept\n")
    expect_equal(count(b), 30001)


@case
def infer_that_fails_imports_nothing(b):
    b.write("a.json", '[{"a":1},{"a":2},\n{"a":]')
    err = b.run("import", "t.db", "a.json", "--table", "t", "--infer").expect(status=1).err
    expect_equal(err, "resqlite: a.json:2:6: malformed JSON: unallowed token at this point in JSON text;"
                      " nothing imported\n")


@case
def json_without_rows(b):
    b.write("a.json", "[]")
    err = b.run("import", "t.db", "a.json", "--table", "t").expect(status=1).err
    expect_equal(err, "resqlite: a.json: no rows, and so no columns to make the table of; nothing imported\n")
    b.exec("CREATE TABLE t (a)")
    b.run("import", "t.db", "a.json", "--table", "t", "-q").expect()
    b.run("import", "t.db", "-", "--table", "t", "-q", "--format", "ndjson", stdin=b" \n").expect()


@case
def files_that_cannot_be_read(b):
    os.mkdir(b.path("folder.csv"))
    for name, what in (("no.csv", "No such file or directory"), ("folder.csv", "Is a directory")):
        err = b.run("import", "t.db", name, "--table", "t").expect(status=3).err
        expect_equal(err, f"resqlite: {name}: {what}\n")
    expect_equal(sorted(os.listdir(b.folder)), ["folder.csv"])
    b.write("text", "no database at all, but a text that is longer than a header\n" * 20)
    b.write("a.csv", "a\n1\n")
    b.run("import", "text", "a.csv", "--table", "t").expect(status=3)
    b.run("import", "no/t.db", "a.csv", "--table", "t").expect(status=3)


@case
def table_that_cannot_be(b):
    b.write("a.csv", "a\n1\n")
    err = b.run("import", "t.db", "a.csv", "--table", "sqlite_x").expect(status=1).err
    expect_in("resqlite: t.db: object name reserved for internal use: sqlite_x", err)
    b.write("a.csv", ",".join(f"c{i}" for i in range(2001)) + "\n" + ",".join("1" * 2001) + "\n")
    err = b.run("import", "t.db", "a.csv", "--table", "t").expect(status=1).err
    expect_in("resqlite: t.db: too many columns", err)


@case
def random_damage_is_always_a_place_or_a_success(b):
    """Every prefix of a small file, and every byte of it replaced: one clean line, and a table that fits it."""
    files = {
        "a.json": b'[{"a":"x\\u00e9\xc3\xa9","b":[1,{"c":null}]},\n {"a":-1.5e3,"b":true}]',
        "a.csv": b'a,b\r\n1,"x ""\xc3\xa9"\r\n,y\n',
    }
    b.exec("CREATE TABLE t (a, b)")
    for name, whole in files.items():
        variants = [whole[:n] for n in range(len(whole))]
        variants += [whole[:i] + bytes([c]) + whole[i + 1:] for i in range(len(whole)) for c in b'"\\,{\n\xff']
        for content in variants[::3]:
            b.write(name, content)
            done = b.run("import", "t.db", name, "--table", "t", "--atomic")
            if done.status == 0:
                continue
            if done.status != 1 or not done.err.startswith(f"resqlite: {name}:") or done.err.count("\n") != 1:
                raise tap.Failed(f"{content!r}: status {done.status}, {done.err!r}")
