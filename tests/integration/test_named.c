/*
 * Parameters by name: P03 of the reference's behaviours, as far as the calls have names.
 *
 * There is a value for each parameter and a parameter for each value, or nothing happens: a name that is
 * missing, unknown or there twice is refused with the name in the message, and neither rows nor the number of
 * the newest commit change. No value of an earlier call is ever used again.
 */
#include "fixture.h"

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, value)"

static void start(fixture *f)
{
    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, "INSERT INTO items VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30)");
}

/* The answer of a read with these names must be these rows. */
static void expect_named(fixture *f, const char *sql, const rsq_named *named, size_t n, const char *rows)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select_named(f->db, sql, named, n, NULL, &r, &f->err));
    EXPECT_RESULT(r, rows);
    rsq_result_unref(r);
}

/* The number of the newest commit, and what is in the table. */
typedef struct state_of_it {
    uint64_t seq;
    char *rows;
} state_of_it;

static state_of_it state_now(fixture *f)
{
    state_of_it s;
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT * FROM items ORDER BY id", NULL, 0, NULL, &r, &f->err));
    s.seq = rsq_result_commit_seq(r);
    s.rows = fixture_dump(r);
    rsq_result_unref(r);
    return s;
}

static void expect_state(fixture *f, state_of_it before)
{
    state_of_it now = state_now(f);

    assert_int_equal(now.seq, before.seq);
    assert_string_equal(now.rows, before.rows);
    free(now.rows);
    free(before.rows);
}

static void expect_told(const rsq_error *err, const char *told)
{
    if (told && !strstr(err->message, told))
        fail_msg("\"%s\" does not name %s", err->message, told);
}

/* A write must refuse these, with `told` in the message (NULL: whatever), and change nothing. */
static void expect_write_refused(fixture *f, const char *sql, const rsq_named *named, size_t n,
                                 const char *told)
{
    state_of_it before = state_now(f);
    rsq_result *r = NULL;

    fixture_want(RSQ_EINVAL, rsq_execute_named(f->db, sql, named, n, NULL, &r, &f->err), &f->err, sql,
                 __FILE__, __LINE__);
    expect_told(&f->err, told);
    WANT_CODE(RSQ_EINVAL, rsq_execute_named(f->db, sql, named, n, NULL, NULL, NULL));
    assert_null(r);
    expect_state(f, before);
}

/* The same for a read, by all calls with names. */
static void expect_refused(fixture *f, const char *sql, const rsq_named *named, size_t n, const char *told)
{
    rsq_result *r = NULL;

    fixture_want(RSQ_EINVAL, rsq_select_named(f->db, sql, named, n, NULL, &r, &f->err), &f->err, sql,
                 __FILE__, __LINE__);
    expect_told(&f->err, told);
    fixture_want(RSQ_EINVAL, rsq_select_json_named(f->db, sql, named, n, NULL, &r, &f->err), &f->err, sql,
                 __FILE__, __LINE__);
    expect_told(&f->err, told);
    assert_null(r);
    expect_write_refused(f, sql, named, n, told);
}

/* ------------------------------------------------------------------------ names -- */

/* P03: the four kinds of parameters with their signs, and three of them without, in the order of the SQL. */
static void with_and_without_sign(void **state)
{
    fixture *f = *state;
    const char *sql = "SELECT :a, @b, $c, ?4";
    const rsq_named with[] = {
        {":a", rsq_integer(1)}, {"@b", rsq_integer(2)}, {"$c", rsq_integer(3)}, {"?4", rsq_integer(4)}};
    const rsq_named without[] = {
        {"a", rsq_integer(1)}, {"b", rsq_integer(2)}, {"c", rsq_integer(3)}, {"?4", rsq_integer(4)}};
    const rsq_named mixed[] = {
        {"a", rsq_integer(1)}, {"@b", rsq_integer(2)}, {"c", rsq_integer(3)}, {"?4", rsq_integer(4)}};

    start(f);
    expect_named(f, sql, with, LENGTH(with), "1|2|3|4");
    expect_named(f, sql, without, LENGTH(without), "1|2|3|4");
    expect_named(f, sql, mixed, LENGTH(mixed), "1|2|3|4");
}

/* Go on with the permutations of named[0] … named[n - 1]; each must give the same row. */
static size_t each_order(fixture *f, rsq_named *named, size_t n, size_t all)
{
    size_t orders = 0;

    if (n == 1) {
        expect_named(f, "SELECT :a, @b, $c, ?4, :e", named, all, "1|2|3|4|5");
        return 1;
    }
    for (size_t i = 0; i < n; i++) {
        rsq_named kept = named[i];

        named[i] = named[n - 1];
        named[n - 1] = kept;
        orders += each_order(f, named, n - 1, all);
        named[n - 1] = named[i];
        named[i] = kept;
    }
    return orders;
}

/* P03: the order of the names is of no matter, in all 120 of them. */
static void any_order(void **state)
{
    fixture *f = *state;
    rsq_named named[] = {{":a", rsq_integer(1)},
                         {"b", rsq_integer(2)},
                         {"$c", rsq_integer(3)},
                         {"?4", rsq_integer(4)},
                         {"e", rsq_integer(5)}};

    start(f);
    assert_int_equal(each_order(f, named, LENGTH(named), LENGTH(named)), 120);
}

/* A parameter that is used several times is given once. */
static void used_several_times(void **state)
{
    fixture *f = *state;
    const rsq_named named[] = {{"n", rsq_integer(3)}, {"?2", rsq_integer(5)}};

    start(f);
    expect_named(f, "SELECT :n * :n, :n + ?2, ?2", named, 2, "9|8|5");
}

/* Numbered parameters are called as they stand in the SQL, in whatever order they stand there. */
static void numbered(void **state)
{
    fixture *f = *state;
    const rsq_named named[] = {{"?1", rsq_integer(1)}, {"?2", rsq_integer(2)}, {"?3", rsq_integer(3)}};

    start(f);
    expect_named(f, "SELECT ?3, ?1, ?2", named, 3, "3|1|2");
    expect_refused(f, "SELECT ?1", (rsq_named[]){{"1", rsq_integer(1)}}, 1, "\"1\"");
}

/* P03: names of any letters, digits and underscores; upper and lower case are different. */
static void unicode_and_digits(void **state)
{
    fixture *f = *state;
    const rsq_named named[] = {{"größe", rsq_text("größer")}, {"$名前", rsq_text("名")},
                               {"@имя", rsq_integer(1)},      {"🍎", rsq_integer(2)},
                               {"_1", rsq_integer(3)},        {"a_1_b2", rsq_integer(4)},
                               {"A_1_b2", rsq_integer(5)},    {"007", rsq_integer(6)}};

    start(f);
    expect_named(f, "SELECT :größe, $名前, @имя, :🍎, :_1, :a_1_b2, :A_1_b2, @007", named, LENGTH(named),
                 "'größer'|'名'|1|2|3|4|5|6");
}

/* Dollar names may have the suffixes of Tcl. */
static void tcl_names(void **state)
{
    fixture *f = *state;
    const rsq_named named[] = {{"$ns::list(7)", rsq_integer(1)}, {"a::b", rsq_integer(2)}};

    start(f);
    expect_named(f, "SELECT $ns::list(7), $a::b", named, 2, "1|2");
}

/* The same word with two signs is two parameters. Without a sign it stands for one of them, so the other one
 * has to be given by its full name. */
static void same_word_with_two_signs(void **state)
{
    fixture *f = *state;
    const char *sql = "SELECT :n, @n";
    const rsq_named both[] = {{"@n", rsq_integer(2)}, {":n", rsq_integer(1)}};

    start(f);
    expect_named(f, sql, both, 2, "1|2");
    expect_refused(f, sql, both, 1, ":n");
    expect_refused(f, sql, both + 1, 1, "@n");
}

/* 200 characters (P03), and a few more. */
static void long_names(void **state)
{
    fixture *f = *state;
    static const size_t lengths[] = {200, 201, 447, 448, 5000};

    start(f);
    for (size_t i = 0; i < LENGTH(lengths); i++) {
        char sql[3][6000], name[5001];
        rsq_named named = {name, rsq_integer(7)};

        memset(name, 'n', lengths[i]);
        name[lengths[i]] = '\0';
        for (size_t k = 0; k < 3; k++) {
            snprintf(sql[k], sizeof sql[k], "SELECT %c%s", ":@$"[k], name);
            expect_named(f, sql[k], &named, 1, "7");
        }
        name[lengths[i] - 1] = 'x';
        expect_refused(f, sql[0], &named, 1, "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
    }
}

/* A long name that is quoted in a message is cut between two characters, not inside one. */
static void long_names_in_messages(void **state)
{
    fixture *f = *state;
    static const char *const letters[] = {"é", "語", "🍎"};
    char sql[2000], name[1000], text[900];

    start(f);
    for (size_t i = 0; i < LENGTH(letters); i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            rsq_named twice[] = {{name, rsq_integer(1)}, {name, rsq_integer(1)}};
            size_t at = 0;

            for (size_t k = 0; k < 200; k++)
                at += (size_t)snprintf(text + at, sizeof text - at, "%s", letters[i]);
            snprintf(name, sizeof name, ":%.*s%s", (int)shift, "abc", text);
            snprintf(sql, sizeof sql, "SELECT %s", name);
            expect_named(f, sql, twice, 1, "1");
            expect_refused(f, sql, twice, 0, letters[i]);
            expect_refused(f, sql, twice, 2, letters[i]);
            expect_refused(f, "SELECT 1", twice, 1, letters[i]);
        }
    }
}

/* As many as there may be in a sensible statement, from the last to the first. */
static void many_names(void **state)
{
    fixture *f = *state;
    enum { COUNT = 500 };
    static char names[COUNT][16], sql[COUNT * 20];
    rsq_named named[COUNT];
    size_t at = (size_t)snprintf(sql, sizeof sql, "SELECT 0");
    char expected[16];

    start(f);
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "p%zu", i);
        at += (size_t)snprintf(sql + at, sizeof sql - at, " + :p%zu * %d", i, i % 2 ? 1000 : 1);
        named[COUNT - 1 - i] = (rsq_named){names[i], rsq_integer((int64_t)i)};
    }
    snprintf(expected, sizeof expected, "%d", 249 * 250 + 1000 * 250 * 250);
    expect_named(f, sql, named, COUNT, expected);
    expect_refused(f, sql, named, COUNT - 1, "p0");
    expect_refused(f, sql, named + 1, COUNT - 1, "p499");
}

/* ----------------------------------------------------------------------- values -- */

/* P03: values of all types arrive as what they are. */
static void all_types(void **state)
{
    fixture *f = *state;
    const rsq_named named[] = {{"blob", rsq_blob("\0\xff", 2)},
                               {"text", rsq_text_n("a\0b", 3)},
                               {"real", rsq_real(-0.5)},
                               {"big", rsq_integer(INT64_MIN)},
                               {"null", rsq_null()}};

    start(f);
    expect_named(f,
                 "SELECT typeof(:null), typeof(:big), :big, typeof(:real), :real, typeof(:text), "
                 "hex(:text), typeof(:blob), :blob",
                 named, LENGTH(named),
                 "'null'|'integer'|-9223372036854775808|'real'|-0.5|'text'|'610062'|'blob'|x'00ff'");
}

/* P03: empty text and empty blob are not NULL, with bytes at NULL too. */
static void empty_values(void **state)
{
    fixture *f = *state;
    const rsq_named named[] = {
        {"a", rsq_text("")}, {"b", rsq_blob("", 0)}, {"c", rsq_text_n(NULL, 0)}, {"d", rsq_blob(NULL, 0)}};

    start(f);
    expect_named(f, "SELECT :a, :b, :c, :d, typeof(:a), typeof(:b), typeof(:c), typeof(:d)", named, 4,
                 "''|x''|''|x''|'text'|'blob'|'text'|'blob'");
}

/* A value that is none is refused like one without a name. */
static void bad_values(void **state)
{
    fixture *f = *state;
    const rsq_named unknown = {"a", {.type = 5}}, at_null = {"a", {.type = RSQ_BLOB, .len = 1}};

    start(f);
    expect_refused(f, "SELECT :a", &unknown, 1, "type");
    expect_refused(f, "SELECT :a", &at_null, 1, "NULL");
}

/* One statement, used again with other values, with names and without: it never sees an older value. */
static void no_value_is_left(void **state)
{
    fixture *f = *state;
    const char *sql = "SELECT :a, typeof(:b)";

    start(f);
    for (int64_t i = 0; i < 10; i++) {
        rsq_named named[] = {{"b", i % 2 ? rsq_text("text") : rsq_null()}, {"a", rsq_integer(i)}};
        rsq_value values[] = {rsq_integer(-i), rsq_real(1)};
        rsq_result *r = NULL;
        char expected[32];

        snprintf(expected, sizeof expected, "%d|'%s'", (int)i, i % 2 ? "text" : "null");
        expect_named(f, sql, named, 2, expected);
        expect_refused(f, sql, named, 1, ":a");
        expect_refused(f, sql, named + 1, 1, ":b");
        WANT(f, RSQ_OK, rsq_select(f->db, sql, values, 2, NULL, &r, &f->err));
        snprintf(expected, sizeof expected, "%d|'real'", (int)-i);
        EXPECT_RESULT(r, expected);
        rsq_result_unref(r);
    }
}

/* What was given is the caller's again after the call. */
static void memory_is_borrowed(void **state)
{
    fixture *f = *state;
    char name[] = ":name", text[] = "the text";
    rsq_named named = {name, rsq_text(text)};
    rsq_result *r = NULL;

    start(f);
    WANT(f, RSQ_OK, rsq_select_named(f->db, "SELECT :name, upper(:name)", &named, 1, NULL, &r, &f->err));
    memset(name, 'x', sizeof name - 1);
    memset(text, 'x', sizeof text - 1);
    memset(&named, 0x77, sizeof named);
    EXPECT_RESULT(r, "'the text'|'THE TEXT'");
    rsq_result_unref(r);
}

/* --------------------------------------------------------------------- mistakes -- */

#define INSERT "INSERT INTO items(id, name, value) VALUES (:id, @name, $value)"

/* P03: missing, extra, misspelled and repeated names, and no names at all, are refused with what is wrong. */
static void wrong_names(void **state)
{
    fixture *f = *state;
    const rsq_named right[] = {
        {"id", rsq_integer(9)}, {"name", rsq_text("nine")}, {"value", rsq_integer(90)}, {"more", rsq_null()}};
    static const struct {
        const char *names[4];
        const char *told;
    } wrong[] = {
        {{"id", "name"}, "$value"},
        {{"name", "value"}, ":id"},
        {{"id"}, "@name"},
        {{"id", "name", "value", "more"}, "more"},
        {{"id", "name", "value", "Value"}, "Value"},
        {{"id", "name", "valu"}, "valu"},
        {{"id", "name", "values"}, "values"},
        {{"ID", "name", "value"}, "ID"},
        {{"@id", "name", "value"}, "@id"},
        {{"::id", "name", "value"}, "::id"},
        {{"id", "name", "?3"}, "?3"},
        {{"id", "name", "value", "id"}, "id"},
        {{"id", "name", "value", ":id"}, ":id"},
        {{":id", "name", "value", "id"}, "id"},
        {{"@name", "name", "id", "value"}, "name"},
        {{"id", "name", "value", "$value"}, "$value"},
        {{"id", "id", "name"}, "id"},
        {{"", "name", "value"}, "\"\""},
        {{":", "name", "value"}, "\":\""},
        {{"id", "name", " value"}, " value"},
    };

    start(f);
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        rsq_named named[4];
        size_t n = 0;

        for (; n < LENGTH(wrong[i].names) && wrong[i].names[n]; n++)
            named[n] = (rsq_named){wrong[i].names[n], right[n].value};
        expect_write_refused(f, INSERT, named, n, wrong[i].told);
    }
    expect_write_refused(f, INSERT, right, 0, ":id");
    expect_write_refused(f, INSERT, NULL, 0, NULL);
    WANT(f, RSQ_OK, rsq_execute_named(f->db, INSERT, right, 3, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT name, value FROM items WHERE id = 9", "'nine'|90");
}

/* A name with bytes that would break the message apart is quoted on one line. */
static void strange_names(void **state)
{
    fixture *f = *state;
    const rsq_named named[] = {{"a\nb\x1b[31m", rsq_null()}, {"%s%n%d", rsq_null()}, {"a\"b'c", rsq_null()}};

    start(f);
    expect_refused(f, "SELECT 1", &named[0], 1, "a b");
    expect_refused(f, "SELECT 1", &named[1], 1, "%s%n%d");
    expect_refused(f, "SELECT 1", &named[2], 1, "a\"b'c");
}

/* P03: a statement with nameless parameters takes no names, whatever else is in it. */
static void nameless_parameters(void **state)
{
    fixture *f = *state;
    const rsq_named a = {"a", rsq_integer(1)}, one = {"?1", rsq_integer(1)};
    const rsq_named both[] = {{"a", rsq_integer(1)}, {"?1", rsq_integer(1)}};

    start(f);
    expect_refused(f, "SELECT ?", &one, 1, NULL);
    expect_refused(f, "SELECT ?", &a, 1, NULL);
    expect_refused(f, "SELECT ?, :a", &a, 1, NULL);
    expect_refused(f, "SELECT :a, ?", &a, 1, NULL);
    expect_refused(f, "SELECT ?, :a", both, 2, NULL);
    expect_refused(f, "SELECT ?250", &(rsq_named){"?250", rsq_integer(1)}, 1, NULL);
}

/* No names for no parameters is a call like any other; the array may be NULL then. */
static void no_parameters(void **state)
{
    fixture *f = *state;
    const rsq_named a = {"a", rsq_integer(1)};

    start(f);
    expect_named(f, "SELECT 1", NULL, 0, "1");
    expect_named(f, "SELECT 1", &a, 0, "1");
    expect_refused(f, "SELECT 1", &a, 1, "a");
    expect_refused(f, "SELECT :a", NULL, 0, NULL);
}

static void bad_arguments(void **state)
{
    fixture *f = *state;
    const rsq_named no_name = {NULL, rsq_integer(1)}, a = {"a", rsq_integer(1)};
    rsq_result *r = NULL;
    rsq_db *db;

    start(f);
    expect_refused(f, "SELECT :a", &no_name, 1, NULL);
    expect_refused(f, "SELECT :a", NULL, 1, NULL);
    WANT(f, RSQ_EINVAL, rsq_select_named(NULL, "SELECT :a", &a, 1, NULL, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_named(f->db, NULL, &a, 1, NULL, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_named(f->db, "SELECT :a", &a, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_json_named(f->db, "SELECT :a", &a, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_named(NULL, "SELECT :a", &a, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_tx_select_named(NULL, "SELECT :a", &a, 1, NULL, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_tx_execute_named(NULL, "SELECT :a", &a, 1, NULL, &r, &f->err));
    WANT(f, RSQ_EREADONLY,
         rsq_select_named(f->db, "DELETE FROM items WHERE id = :a", &a, 1, NULL, &r, &f->err));
    WANT(f, RSQ_ESQL, rsq_select_named(f->db, "SELECT :a FORM items", &a, 1, NULL, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_named(f->db, "SELECT :a; SELECT :a", &a, 1, NULL, &r, &f->err));
    db = f->db;
    fixture_close(f);
    WANT(f, RSQ_ECLOSED, rsq_select_named(db, "SELECT :a", &a, 1, NULL, &r, &f->err));
    WANT(f, RSQ_ECLOSED, rsq_execute_named(db, "SELECT :a", &a, 1, NULL, &r, &f->err));
    assert_null(r);
}

/* -------------------------------------------------------------- the other calls -- */

/* rsq_execute_named() with RETURNING: rows and figures of the write. */
static void execute_with_returning(void **state)
{
    fixture *f = *state;
    const rsq_named insert[] = {
        {"value", rsq_integer(40)}, {"id", rsq_integer(4)}, {"name", rsq_text("four")}};
    const rsq_named update[] = {{"by", rsq_integer(1)}, {"above", rsq_integer(2)}};
    rsq_result *r = NULL;

    start(f);
    WANT(
        f, RSQ_OK,
        rsq_execute_named(f->db, INSERT " RETURNING value, id, name || @name", insert, 3, NULL, &r, &f->err));
    EXPECT_RESULT(r, "40|4|'fourfour'");
    assert_int_equal(rsq_result_changes(r), 1);
    assert_int_equal(rsq_result_last_insert_rowid(r), 4);
    assert_true(fixture_changed(r, "main.items"));
    rsq_result_unref(r);
    WANT(f, RSQ_OK,
         rsq_execute_named(f->db, "UPDATE items SET value = value + $by WHERE id > :above", update, 2, NULL,
                           &r, &f->err));
    assert_int_equal(rsq_result_changes(r), 2);
    assert_true(rsq_result_commit_seq(r) > 0);
    rsq_result_unref(r);
    EXPECT_ROWS(f, "SELECT id, value FROM items ORDER BY id", "1|10\n2|20\n3|31\n4|41");
}

/* rsq_select_json_named(), in the form of the options. */
static void json(void **state)
{
    fixture *f = *state;
    const rsq_named named[] = {{"name", rsq_text("\"quoted\"")}, {"min", rsq_integer(2)}};
    rsq_call_options opts = {.size = sizeof opts, .json = RSQ_JSON_ARRAYS};
    const char *sql = "SELECT id, @name AS name FROM items WHERE id >= :min ORDER BY id";
    rsq_result *r = NULL;

    start(f);
    WANT(f, RSQ_OK, rsq_select_json_named(f->db, sql, named, 2, NULL, &r, &f->err));
    assert_string_equal(rsq_result_json(r, NULL),
                        "[{\"id\":2,\"name\":\"\\\"quoted\\\"\"},{\"id\":3,\"name\":\"\\\"quoted\\\"\"}]");
    rsq_result_unref(r);
    WANT(f, RSQ_OK, rsq_select_json_named(f->db, sql, named, 2, &opts, &r, &f->err));
    assert_string_equal(rsq_result_json(r, NULL), "[[2,\"\\\"quoted\\\"\"],[3,\"\\\"quoted\\\"\"]]");
    rsq_result_unref(r);
}

/* The options of a call mean the same as without names. */
static void options(void **state)
{
    fixture *f = *state;
    const rsq_named a = {"a", rsq_integer(1)};
    rsq_call_options opts = {.size = sizeof opts, .sql_len = strlen("SELECT :a")};
    rsq_result *r = NULL;

    start(f);
    WANT(f, RSQ_OK, rsq_select_named(f->db, "SELECT :a, :b", &a, 1, &opts, &r, &f->err));
    EXPECT_RESULT(r, "1");
    rsq_result_unref(r);
    opts = (rsq_call_options){.size = sizeof opts, .max_result_bytes = 8};
    r = NULL;
    WANT(f, RSQ_ETOOBIG, rsq_select_named(f->db, "SELECT :a", &a, 1, &opts, &r, &f->err));
    opts = (rsq_call_options){.size = 0};
    WANT(f, RSQ_EINVAL, rsq_select_named(f->db, "SELECT :a", &a, 1, &opts, &r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_execute_named(f->db, "SELECT :a", &a, 1, &opts, &r, &f->err));
    assert_null(r);
}

/* What a transaction function of the next tests did. */
typedef struct inside_tx {
    fixture *f;
    rsq_code insert, select, missing, joined, again;
    rsq_error err;
    int64_t seen;
    rsq_code result; /* what it returns */
} inside_tx;

static rsq_code use_names(rsq_tx *tx, void *ctx)
{
    inside_tx *in = ctx;
    const rsq_named row[] = {{"value", rsq_integer(40)}, {"name", rsq_text("four")}, {"id", rsq_integer(4)}};
    const rsq_named id = {":id", rsq_integer(4)}, five = {"id", rsq_integer(5)};
    rsq_result *r = NULL;

    in->insert = rsq_tx_execute_named(tx, INSERT, row, 3, NULL, NULL, &in->err);
    in->select =
        rsq_tx_select_named(tx, "SELECT value FROM items WHERE id = :id", &id, 1, NULL, &r, &in->err);
    if (in->select == RSQ_OK)
        in->seen = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    in->joined =
        rsq_execute_named(in->f->db, "INSERT INTO items(id) VALUES (:id)", &five, 1, NULL, NULL, NULL);
    in->missing = rsq_tx_execute_named(tx, INSERT, row, 2, NULL, NULL, &in->err);
    in->again = rsq_tx_execute(tx, "UPDATE items SET value = 50 WHERE id = 5", NULL, 0, NULL, NULL, NULL);
    return in->result;
}

static void expect_inside(const inside_tx *in)
{
    WANT_CODE(RSQ_OK, in->insert);
    WANT_CODE(RSQ_OK, in->select);
    WANT_CODE(RSQ_OK, in->joined);
    WANT_CODE(RSQ_EINVAL, in->missing);
    assert_non_null(strstr(in->err.message, ":id"));
    WANT_CODE(RSQ_OK, in->again);
    assert_int_equal(in->seen, 40);
}

/* P03: in a transaction names see what it wrote; a wrong name changes nothing there, and the transaction goes
 * on. One that is rolled back takes what was written by names with it. */
static void in_a_transaction(void **state)
{
    fixture *f = *state;
    inside_tx kept = {.f = f}, dropped = {.f = f, .result = RSQ_ECANCELLED};

    start(f);
    WANT(f, RSQ_ECANCELLED, rsq_transaction(f->db, use_names, &dropped, NULL, &f->err));
    expect_inside(&dropped);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
    WANT(f, RSQ_OK, rsq_transaction(f->db, use_names, &kept, NULL, &f->err));
    expect_inside(&kept);
    EXPECT_ROWS(f, "SELECT id, name, value FROM items WHERE id > 3 ORDER BY id", "4|'four'|40\n5|NULL|50");
}

/* With one connection the same calls go to the same one. */
static void in_memory(void **state)
{
    fixture *f = *state;
    inside_tx in = {.f = f};

    f->db = fixture_open_path(f, ":memory:", NULL);
    EXEC(f, ITEMS);
    WANT(f, RSQ_OK, rsq_transaction(f->db, use_names, &in, NULL, &f->err));
    expect_inside(&in);
    expect_named(f, "SELECT name FROM items WHERE id = $id", &(rsq_named){"id", rsq_integer(4)}, 1, "'four'");
    expect_refused(f, "SELECT $id", &(rsq_named){"ID", rsq_integer(4)}, 1, "ID");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(with_and_without_sign),
        CASE(any_order),
        CASE(used_several_times),
        CASE(numbered),
        CASE(unicode_and_digits),
        CASE(tcl_names),
        CASE(same_word_with_two_signs),
        CASE(long_names),
        CASE(long_names_in_messages),
        CASE(many_names),
        CASE(all_types),
        CASE(empty_values),
        CASE(bad_values),
        CASE(no_value_is_left),
        CASE(memory_is_borrowed),
        CASE(wrong_names),
        CASE(strange_names),
        CASE(nameless_parameters),
        CASE(no_parameters),
        CASE(bad_arguments),
        CASE(execute_with_returning),
        CASE(json),
        CASE(options),
        CASE(in_a_transaction),
        CASE(in_memory),
    };

    return cmocka_run_group_tests_name("named", tests, NULL, NULL);
}
