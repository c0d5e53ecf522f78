"""What is different when stdout or stderr is a terminal."""
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios

import tap
from box import PATIENCE_S, case, expect_equal, expect_in, read_until


class Terminal:
    """A terminal of a given size; what the command writes to it is read from `fd`."""

    def __init__(self, columns=40, rows=12):
        self.fd, self.slave = pty.openpty()
        self.resize(columns, rows)
        mode = termios.tcgetattr(self.slave)
        mode[1] &= ~termios.OPOST  # newlines come as they were written
        termios.tcsetattr(self.slave, termios.TCSANOW, mode)

    def resize(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def let_go(self):
        """The command has the other side now; when it ends, reading ends."""
        os.close(self.slave)

    def rest(self, so_far=b""):
        text = read_until(self.fd, lambda _: False, so_far)
        os.close(self.fd)
        return text.decode()


def on_terminal(b, *words, columns=40, env=None):
    t = Terminal(columns)
    p = subprocess.Popen([b.command, *words], cwd=b.folder, env=b.environment(env), stdin=subprocess.DEVNULL,
                         stdout=t.slave, stderr=subprocess.PIPE)
    t.let_go()
    text = t.rest()
    expect_equal((p.wait(timeout=PATIENCE_S), p.stderr.read()), (0, b""))
    return text


@case
def table_on_a_terminal_has_dim_nulls_and_a_count(b):
    b.exec("CREATE TABLE t (x)")
    sql = "SELECT 1 AS a, NULL AS b UNION ALL SELECT 2, 'x'"
    expect_equal(on_terminal(b, "query", "t.db", sql),
                 "a | b\n--+-----\n1 | \033[2mNULL\033[0m\n2 | x\n(2 rows)\n")
    expect_in("1 | NULL\n", on_terminal(b, "query", "t.db", sql, env={"NO_COLOR": "1"}))
    expect_in("1 | NULL\n", on_terminal(b, "query", "t.db", sql, env={"TERM": "dumb"}))
    expect_equal(on_terminal(b, "query", "t.db", "SELECT 5 AS a", "--no-header"), "5\n")


@case
def table_is_cut_to_the_terminal(b):
    b.exec("CREATE TABLE t (x)")
    sql = f"SELECT '{'東' * 30}' AS a, 123456789012 AS b, '{'y' * 50}' AS c, 'short' AS d"
    out = on_terminal(b, "query", "t.db", sql).splitlines()
    expect_equal(out[0], "a        | " + "b".rjust(12) + " | c        | d")
    expect_equal(out[2], "東東東…  | 123456789012 | yyyyyyy… | short")
    out = on_terminal(b, "query", "t.db", f"SELECT '{'y' * 40}' AS a").splitlines()
    expect_equal(out[2], "y" * 40)
    out = on_terminal(b, "query", "t.db", f"SELECT '{'y' * 41}' AS a, x'{'ab' * 50}' AS b", columns=60).splitlines()
    expect_equal((len(out[2]), out[2][-1]), (59, "…"))


@case
def data_cannot_control_the_terminal(b):
    b.exec("CREATE TABLE t (x)")
    nasty = "SELECT char(27) || ']0;title' || char(7) || char(0x9b) || '2J' AS \"\x1b[2J\""
    out = on_terminal(b, "query", "t.db", nasty, env={"NO_COLOR": "1"}, columns=100)
    expect_equal(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out), [])


@case
def json_on_a_terminal_is_the_same_bytes(b):
    b.exec("CREATE TABLE t (x)")
    expect_equal(on_terminal(b, "query", "t.db", "SELECT NULL AS a", "--json"), '[{"a":null}]\n')


@case
def import_draws_its_progress(b):
    b.write("a.csv", "a,b\n" + "1,2\n" * 100000)
    for words, labels in ([["--infer"], ["finding types", "importing"]], [[], ["importing"]]):
        t = Terminal(80)
        p = subprocess.Popen([b.command, "import", "t.db", "a.csv", "--table", "t", *words], cwd=b.folder,
                             env=b.environment(), stderr=t.slave)
        t.let_go()
        text = t.rest()
        expect_equal(p.wait(timeout=PATIENCE_S), 0)
        for label in labels:
            if not re.search(rf"\r{label} \[[#.]{{24}}\] +\d+ %  [\d,]+ rows  [\d,]+ rows/s\033\[K", text):
                raise tap.Failed(f"no bar for {label} in {text!r}")
        # The bar is erased and one line is left.
        left = re.sub(r"[^\r\n]*\r", "", text).replace("\033[K", "")
        if not re.fullmatch(r"100,000 rows imported into t in \d+\.\d\d s \([\d,]+ rows/s\)\n", left):
            raise tap.Failed(repr(text))


@case
def import_from_a_pipe_shows_bytes_without_a_percentage(b):
    t = Terminal(80)
    p = subprocess.Popen([b.command, "import", "t.db", "-", "--table", "t", "--format", "csv"], cwd=b.folder,
                         env=b.environment(), stdin=subprocess.PIPE, stderr=t.slave)
    t.let_go()
    p.stdin.write(b"a\n" + b"1\n" * 1000)
    p.stdin.close()
    text = t.rest()
    expect_equal(p.wait(timeout=PATIENCE_S), 0)
    if not re.search(r"\rimporting 0\.0 MB  [\d,]+ rows", text):
        raise tap.Failed(repr(text))


@case
def error_of_an_import_stands_alone_on_its_line(b):
    b.write("a.csv", "a,b\n" + "1,2\n" * 100000 + "x\n")
    t = Terminal(100)
    p = subprocess.Popen([b.command, "import", "t.db", "a.csv", "--table", "t"], cwd=b.folder, env=b.environment(),
                         stderr=t.slave)
    t.let_go()
    text = t.rest()
    expect_equal(p.wait(timeout=PATIENCE_S), 1)
    left = re.sub(r"[^\r\n]*\r", "", text).replace("\033[K", "")
    expect_equal(left, "resqlite: a.csv:100002:1: 1 fields, but the header has 2; 100,000 rows kept\n")


# ------------------------------------------------------------------- watch --


def screen(text, columns, rows):
    """What a terminal shows after this output: the sequences watch uses, and no others."""
    lines, row, column = [""] * rows, 0, 0
    for part in re.findall(r"\033\[\d*[AGHJKm]|\r|\n|[^\r\n\033]+|\033", text):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            if row == rows:
                lines, row = lines[1:] + [""], rows - 1
        elif part[0] == "\033" and len(part) > 1:
            number, letter = int(part[2:-1] or 0), part[-1]
            if letter == "A":
                row = max(0, row - number)
            elif letter == "G":
                column = number - 1
            elif letter == "H":
                row = column = 0
            elif letter == "K":
                lines[row] = lines[row][:column]
            elif letter == "J":
                keep = 0 if number == 2 else row
                lines[keep:] = ["" if number == 2 else lines[keep][:column]] + [""] * (rows - keep - 1)
            elif letter != "m":
                raise tap.Failed(f"unknown sequence {part!r}")
        elif part == "\033":
            raise tap.Failed("an escape sequence that is not one of ours")
        else:
            lines[row] = (lines[row][:column].ljust(column) + part + lines[row][column + len(part):])
            column += len(part)
            if len(lines[row]) > columns:
                raise tap.Failed(f"wider than the terminal: {lines[row]!r}")
    return [line.rstrip() for line in lines]


def watch_on_terminal(b, t, sql, *words, stdin):
    return subprocess.Popen([b.command, "watch", "t.db", sql, *words], cwd=b.folder, env=b.environment(), stdin=stdin,
                            stdout=t.slave, stderr=subprocess.PIPE)


@case
def watch_redraws_in_place(b):
    b.exec("CREATE TABLE t (x)")
    b.exec("INSERT INTO t VALUES ('first'), (NULL)")
    t = Terminal(60, 12)
    p = watch_on_terminal(b, t, "SELECT rowid, x FROM t", stdin=subprocess.PIPE)
    t.let_go()
    seen = read_until(t.fd, lambda s: b"NULL" in s and s.endswith(b"\033[J"))
    p.stdin.write(b"DELETE FROM t WHERE x IS NULL\n")
    p.stdin.flush()
    seen = read_until(t.fd, lambda s: s.count(b"commit ") == 2 and s.endswith(b"\033[J"), seen)
    shown = screen(seen.decode(), 60, 12)
    expect_in("1 row; ", shown[0])
    expect_equal(shown[1:], ["rowid | x", "------+------", "    1 | first"] + [""] * 8)
    p.stdin.write(b"DELETE FROM nowhere\n")
    p.stdin.flush()
    seen = read_until(t.fd, lambda s: b"nowhere" in s and s.endswith(b"\033[J"), seen)
    expect_in("t.db: line 2 of stdin: no such table", screen(seen.decode(), 60, 12)[4])
    p.send_signal(signal.SIGINT)
    t.rest()
    expect_equal((p.wait(timeout=PATIENCE_S), p.stderr.read()), (1, b""))


@case
def watch_is_never_larger_than_the_terminal(b):
    b.exec("CREATE TABLE t (a, b, c, d, e)")
    for i in range(30):
        b.exec("INSERT INTO t VALUES (?, ?, ?, ?, ?)", *[f"{i}" + "y" * 30] * 5)
    t = Terminal(40, 10)
    p = watch_on_terminal(b, t, "SELECT * FROM t", stdin=subprocess.PIPE)
    seen = read_until(t.fd, lambda s: s.endswith(b"\033[J"))
    p.stdin.write(b"DELETE FROM t WHERE a LIKE '0%'\n")
    p.stdin.flush()
    seen = read_until(t.fd, lambda s: s.count(b"commit ") == 2 and s.endswith(b"\033[J"), seen)
    shown = screen(seen.decode(), 40, 10)
    expect_in("29 rows", shown[0])
    expect_equal(shown[3][:8], "1yyyyyy…")
    expect_equal(shown[7], "… 25 more rows, 2 more columns")
    t.resize(60, 8)
    p.send_signal(signal.SIGWINCH)
    seen = read_until(t.fd, lambda s: b"27 more rows" in s and s.endswith(b"\033[J"), b"")
    expect_equal(screen(seen.decode(), 60, 8)[5], "… 27 more rows")
    p.send_signal(signal.SIGTERM)
    t.let_go()
    t.rest()
    expect_equal(p.wait(timeout=PATIENCE_S), 0)


@case
def watch_marks_the_cells_that_changed(b):
    b.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    b.exec("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    t = Terminal(60, 12)
    p = watch_on_terminal(b, t, "SELECT id, x FROM t ORDER BY id", stdin=subprocess.PIPE)
    t.let_go()
    first = read_until(t.fd, lambda s: s.endswith(b"\033[J"))
    expect_equal(b"\033[7m" in first, False)
    p.stdin.write(b"UPDATE t SET x = 'bb' WHERE id = 2\n")
    p.stdin.flush()
    second = read_until(t.fd, lambda s: b"commit " in s and s.endswith(b"\033[J"))
    expect_in(" 1 | a\033[K", second.decode())
    expect_in(" 2 | \033[7mbb\033[0m\033[K", second.decode())
    p.stdin.write(b"INSERT INTO t VALUES (3, NULL)\n")
    p.stdin.flush()
    third = read_until(t.fd, lambda s: b"commit " in s and s.endswith(b"\033[J"))
    expect_in(" 2 | bb\033[K", third.decode())
    expect_in("\033[7m3\033[0m | \033[7m\033[2mNULL\033[0m\033[0m\033[K", third.decode())
    p.send_signal(signal.SIGINT)
    t.rest()
    expect_equal((p.wait(timeout=PATIENCE_S), p.stderr.read()), (0, b""))


@case
def watch_takes_typed_statements_with_i(b):
    b.exec("CREATE TABLE t (x)")
    t = Terminal(60, 12)
    p = watch_on_terminal(b, t, "SELECT count(*) AS n FROM t", "-i", stdin=t.slave)
    seen = read_until(t.fd, lambda s: s.endswith(b"\033[J"))
    for number in range(1, 4):
        os.write(t.fd, b"INSERT INTO t VALUES (1)\n")
        seen = read_until(t.fd, lambda s: s.count(b"commit ") == number + 1 and s.endswith(b"\033[J"), seen)
    shown = screen(seen.decode(), 60, 12)
    expect_equal(shown[1:5], ["n", "-", "3", ""])
    expect_in("commit ", shown[0])
    p.send_signal(signal.SIGINT)
    t.let_go()
    t.rest()
    expect_equal(p.wait(timeout=PATIENCE_S), 0)


@case
def watch_without_input_says_how_to_change_something(b):
    b.exec("CREATE TABLE t (x)")
    t = Terminal(120, 12)
    p = watch_on_terminal(b, t, "SELECT count(*) AS n FROM t", "--count", "1", stdin=t.slave)
    t.let_go()
    expect_in("-i to change something", t.rest())
    expect_equal(p.wait(timeout=PATIENCE_S), 0)


def watch_until(b, t, sql, *words, stdin=subprocess.PIPE):
    """A running watch, and what it has drawn first."""
    p = watch_on_terminal(b, t, sql, *words, stdin=stdin)
    return p, drawn(t, 1)


def drawn(t, count, so_far=b""):
    """All that was written once `count` tables are drawn."""
    return read_until(t.fd, lambda s: s.count(b"commit ") >= count and s.endswith(b"\033[J"), so_far)


def say(p, statement):
    p.stdin.write(statement.encode() + b"\n")
    p.stdin.flush()


def ended(p, t, number=signal.SIGTERM):
    """All the rest that is written until a signal has ended it."""
    p.send_signal(number)
    t.let_go()
    rest = t.rest()
    expect_equal((p.wait(timeout=PATIENCE_S), p.stderr.read()), (0, b""))
    return rest


@case
def watch_forgets_an_error_that_is_over(b):
    b.exec("CREATE TABLE t (x)")
    t = Terminal(60, 12)
    p, seen = watch_until(b, t, "SELECT count(*) AS n FROM t", stdin=subprocess.DEVNULL)
    b.exec("DROP TABLE t")
    seen = read_until(t.fd, lambda s: b"no such table" in s and s.endswith(b"\033[J"), seen)
    expect_equal(screen(seen.decode(), 60, 12)[1:5], ["n", "-", "0", "t.db: no such table: t"])
    b.exec("CREATE TABLE t AS SELECT 1 AS x")
    seen = read_until(t.fd, lambda s: s.endswith(b"\033[J") and screen(s.decode(), 60, 12)[3] == "1", seen)
    expect_equal(screen(seen.decode(), 60, 12)[1:6], ["n", "-", "1", "", ""])
    ended(p, t)


@case
def watch_leaves_the_message_of_a_statement(b):
    b.exec("CREATE TABLE t (x)")
    t = Terminal(60, 12)
    p, seen = watch_until(b, t, "SELECT count(*) AS n FROM t")
    say(p, "DELETE FROM nowhere")
    seen = read_until(t.fd, lambda s: b"nowhere" in s and s.endswith(b"\033[J"), seen)
    b.exec("INSERT INTO t VALUES (1)")
    seen = read_until(t.fd, lambda s: s.endswith(b"\033[J") and screen(s.decode(), 60, 12)[3] == "1", seen)
    expect_in("t.db: line 1 of stdin: no such table", screen(seen.decode(), 60, 12)[4])
    p.send_signal(signal.SIGTERM)
    t.let_go()
    t.rest()
    expect_equal(p.wait(timeout=PATIENCE_S), 1)


@case
def watch_draws_anew_when_it_comes_back(b):
    b.exec("CREATE TABLE t (x)")
    t = Terminal(60, 20)
    p, seen = watch_until(b, t, "SELECT count(*) AS n FROM t")
    p.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, p.pid, os.WSTOPPED | os.WNOWAIT)
    # What the shell writes meanwhile.
    os.write(t.slave, b"^Z\r\n[1]+  Stopped\r\n$ fg\r\n")
    p.send_signal(signal.SIGCONT)
    seen = drawn(t, 2, seen)
    say(p, "INSERT INTO t VALUES (1)")
    seen = drawn(t, 3, seen)
    shown = screen(seen.decode(), 60, 20)
    expect_equal(shown[1:7], ["n", "-", "0", "^Z", "[1]+  Stopped", "$ fg"])
    expect_in("commit ", shown[7])
    expect_equal(shown[8:12], ["n", "-", "1", ""])
    ended(p, t)


@case
def watch_marks_an_empty_cell(b):
    b.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x, y)")
    b.exec("INSERT INTO t VALUES (1, 'a', 'b')")
    t = Terminal(60, 12)
    p, _ = watch_until(b, t, "SELECT id, x, y FROM t")
    say(p, "UPDATE t SET x = '', y = ''")
    expect_in(" 1 | \033[7m \033[0m | \033[7m \033[0m\033[K", drawn(t, 1).decode())
    ended(p, t)


@case
def watch_marks_cells_of_rows_without_a_key(b):
    b.exec("CREATE TABLE t (kind, x)")
    b.exec("INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 3)")
    t = Terminal(60, 12)
    p, _ = watch_until(b, t, "SELECT kind, sum(x) AS s FROM t GROUP BY kind")
    say(p, "INSERT INTO t VALUES ('b', 40)")
    text = drawn(t, 1).decode()
    expect_in("a    |  1\033[K", text)
    expect_in("b    | \033[7m42\033[0m\033[K", text)
    expect_in("c    |  3\033[K", text)
    # The rows behind move up; all but the first is another one at its place.
    say(p, "DELETE FROM t WHERE kind = 'a'")
    expect_equal("\033[7m" in drawn(t, 1).decode(), False)
    say(p, "INSERT INTO t VALUES ('d', 42)")
    expect_in("\033[7md\033[0m    | \033[7m42\033[0m\033[K", drawn(t, 1).decode())
    ended(p, t)


@case
def watch_says_how_many_columns_are_left_out(b):
    b.exec("CREATE TABLE t (x)")
    columns = ", ".join(f"'{'y' * 9}' AS c{i}" for i in range(6))
    t = Terminal(40, 12)
    p, seen = watch_until(b, t, f"SELECT {columns}", stdin=subprocess.DEVNULL)
    expect_equal(screen(seen.decode(), 40, 12)[1:6],
                 ["c0       | c1       | c2", "---------+----------+---------",
                  "yyyyyyy… | yyyyyyy… | yyyyyyy…", "… 3 more columns", ""])
    ended(p, t)


@case
def watch_fits_a_small_terminal(b):
    b.exec("CREATE TABLE t (name, x)")
    b.exec("INSERT INTO t VALUES ('aaaaaaaaaaaaaaaa', 1), ('b', 2), ('c', 3)")
    for columns, rows in ((9, 5), (20, 4), (40, 6), (12, 8)):
        t = Terminal(columns, rows)
        p, seen = watch_until(b, t, "SELECT name, x FROM t")
        for count in range(2, 6):
            say(p, "UPDATE t SET x = x + 1")
            seen = drawn(t, count, seen)
        shown = screen(seen.decode(), columns, rows)
        expect_equal((shown[0][:6], shown[-1]), ("commit", ""), f"{columns} x {rows}: {shown}")
        expect_in(f"… {3 - shown_rows(shown)} mo", "\n".join(shown))
        ended(p, t)
        b.exec("UPDATE t SET x = 1")


@case
def watch_is_cut_in_a_terminal_that_is_narrower_than_a_number(b):
    b.exec("CREATE TABLE t (x)")
    b.exec("INSERT INTO t VALUES (-1.2345678901234567e-100), (NULL)")
    for columns, wanted in ((20, ["-1.2345678901234567…", "NULL"]), (5, ["-1.2…", "NULL"]), (3, ["-1…", "NU…"]),
                            (1, ["…", "…"])):
        t = Terminal(columns, 9)
        p = watch_on_terminal(b, t, "SELECT x FROM t ORDER BY x DESC", stdin=subprocess.DEVNULL)
        seen = read_until(t.fd, lambda s: s.endswith(b"\033[J"))
        expect_equal(screen(seen.decode(), columns, 9)[3:5], wanted, f"{columns} columns")
        ended(p, t)


def shown_rows(shown):
    return sum(line[:2] in ("aa", "b ", "c ", "b", "c") for line in shown)


@case
def watch_leaves_a_clean_line(b):
    b.exec("CREATE TABLE t (x)")
    t = Terminal(60, 12)
    p, seen = watch_until(b, t, "SELECT 1 AS a")
    os.write(t.slave, b"^C")  # as the terminal echoes it
    seen += ended(p, t, signal.SIGINT).encode()
    expect_equal(screen((seen + b"$").decode(), 60, 12)[1:5], ["a", "-", "1", "$"])


# A family, a thumb with a tone of skin, a flag, a heart. Terminals draw each two columns wide, or as many as
# its parts have; screen() gives a column to each character.
UNSURE = "VALUES ('\U0001f468\u200d\U0001f469\u200d\U0001f467', 1), ('\U0001f44d\U0001f3fd', 2), " \
         "('\U0001f1f3\U0001f1f4', 3), ('\u2764\ufe0f', 4), ('plain', 5)"


@case
def columns_behind_joined_emoji_stay_in_line(b):
    b.exec("CREATE TABLE t (x)")
    out = on_terminal(b, "query", "t.db", UNSURE)
    expect_equal([line.index("| ") for line in screen(out, 40, 12)[2:7]], [8] * 5)
    # A cell that is surely as wide as it is counted needs no cursor, and neither does the last one of a row.
    expect_equal(out.count("\033[K\033[8G | "), 4)
    expect_equal(on_terminal(b, "query", "t.db", "VALUES (1, '\u2764\ufe0f')", "--no-header"), "1 | \u2764\ufe0f\n")
    # No sequences where they would not be obeyed, and none in a line that the terminal breaks.
    expect_equal(on_terminal(b, "query", "t.db", UNSURE, columns=7).count("G"), 0)
    for out in (on_terminal(b, "query", "t.db", UNSURE, env={"TERM": "dumb"}), b.run("query", "t.db", UNSURE).out):
        expect_equal(out.count("\033"), 0)


@case
def watch_keeps_columns_behind_joined_emoji_in_line(b):
    b.exec("CREATE TABLE t (x)")
    t = Terminal(40, 12)
    p = watch_on_terminal(b, t, f"SELECT * FROM ({UNSURE})", "--count", "1", stdin=subprocess.DEVNULL)
    t.let_go()
    shown = screen(t.rest(), 40, 12)
    expect_equal((p.wait(timeout=PATIENCE_S), p.stderr.read()), (0, b""))
    expect_equal([line.index("| ") for line in shown[3:8]], [8] * 5)


@case
def csv_cannot_control_the_terminal(b):
    """On a terminal only; a program gets the exact bytes. Lines in a field stay lines."""
    b.exec("CREATE TABLE t (x)")
    nasty = "SELECT char(27, 0x7f, 0x9b, 13) || '2J' AS \"a\u202e\", 'b' || char(10) || 'c,' AS d, cast(x'ff' AS TEXT)"
    expect_equal(on_terminal(b, "query", "t.db", nasty, "--csv", "--no-header"),
                 '"\\x1b\\x7f\\u009b\\r2J","b\nc,",\\xff\r\n')
    expect_in("a\\u202e,d,", on_terminal(b, "query", "t.db", nasty, "--csv"))
    expect_equal(b.run("query", "t.db", nasty, "--csv", "--no-header").expect().out,
                 '"\x1b\x7f\u009b\r2J","b\nc,",\udcff\r\n')


@case
def json_cannot_control_the_terminal(b):
    b.exec("CREATE TABLE t (x)")
    nasty = "SELECT char(27, 0x7f, 0x9b, 0x80, 0x202e) || '2J' AS a"
    for words in (["watch", "t.db", nasty, "--ndjson", "--count", "1"], ["query", "t.db", nasty, "--json"],
                  ["query", "t.db", nasty, "--ndjson"]):
        out = on_terminal(b, *words)
        expect_equal(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out), [], " ".join(words))
        expect_in("2J", out)
