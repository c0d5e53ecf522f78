/*
 * Options of rsq_open(), databases without a file, attached databases, and everything that cannot be opened.
 *
 * What cannot be opened is opened all the same by somebody, every day: a path with a typing error, a
 * directory, a text file, a damaged file. Each gets its own code and a message, and the directory is the same
 * afterwards, byte for byte.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEMA "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL)"

/* The open must fail with this code, make nothing and change nothing. */
static void expect_refused(fixture *f, rsq_code code, const char *path, const rsq_open_options *opts)
{
    uint64_t before = fixture_digest(f->dir);
    rsq_db *db = NULL;

    WANT(f, code, rsq_open(path, opts, &db, &f->err));
    WANT_CODE(code, rsq_open(path, opts, &db, NULL));
    assert_null(db);
    if (fixture_digest(f->dir) != before)
        fail_msg("a refused open of %s changed the directory", path);
}

/* The usual calls, on whatever `f->db` is. */
static void use_database(fixture *f)
{
    const rsq_value rows[] = {rsq_text("b"), rsq_text("c")};
    rsq_result *json = NULL;

    EXEC(f, SCHEMA);
    EXEC(f, "INSERT INTO items(name) VALUES ('a')");
    WANT(f, RSQ_OK,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", rows, 2, 1, NULL, NULL, &f->err));
    EXPECT_ROWS(f, "SELECT * FROM items ORDER BY id", "1|'a'\n2|'b'\n3|'c'");
    WANT(f, RSQ_OK,
         rsq_select_json(f->db, "SELECT name FROM items WHERE id = 2", NULL, 0, NULL, &json, &f->err));
    assert_string_equal(rsq_result_json(json, NULL), "[{\"name\":\"b\"}]");
    rsq_result_unref(json);
}

/* ------------------------------------------------------------------ options -- */

/* The defaults that the header promises, asked of the file by an independent process after the close. */
static void defaults_are_as_documented(void **state)
{
    fixture *f = *state;
    char *said;

    fixture_open(f, NULL);
    use_database(f);
    EXPECT_ROWS(f, "SELECT foreign_keys FROM pragma_foreign_keys", "1");
    EXPECT_ROWS(f, "SELECT cache_size FROM pragma_cache_size", "-8192");
    fixture_close(f);
    said = foreign_sql(f, f->path, "PRAGMA journal_mode; PRAGMA page_size; PRAGMA integrity_check");
    assert_string_equal(said, "wal\n4096\nok");
    free(said);
}

/* Options that are zero but for the size, and the initializer of the header, mean the defaults too. */
static void empty_options_are_the_defaults(void **state)
{
    fixture *f = *state;
    rsq_open_options zero = {.size = sizeof zero};
    rsq_open_options macro = RSQ_OPEN_OPTIONS_INIT;

    assert_memory_equal(&zero, &macro, sizeof zero);
    fixture_open(f, &zero);
    use_database(f);
    fixture_close(f);
    fixture_open(f, &macro);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
}

/* The page size counts when the file is made, and only then. */
static void page_size_at_creation(void **state)
{
    fixture *f = *state;
    static const uint32_t sizes[] = {512, 1024, 8192, 65536};

    for (size_t i = 0; i < LENGTH(sizes); i++) {
        rsq_open_options opts = {.size = sizeof opts, .page_size = sizes[i]};
        char name[32], expected[32], *path, *said;

        snprintf(name, sizeof name, "page%u.db", (unsigned)sizes[i]);
        snprintf(expected, sizeof expected, "%u", (unsigned)sizes[i]);
        path = fixture_file(f, name);
        f->db = fixture_open_path(f, path, &opts);
        use_database(f);
        fixture_close(f);
        opts.page_size = 4096;
        f->db = fixture_open_path(f, path, &opts);
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
        fixture_close(f);
        said = foreign_sql(f, path, "PRAGMA page_size");
        assert_string_equal(said, expected);
        free(said);
        free(path);
    }
}

/* Threads that use one database, and what they found wrong. */
typedef struct load {
    rsq_db *db;
    verdict verdict;
} load;

static void read_in_crew(size_t index, void *ctx)
{
    load *l = ctx;
    rsq_error err;
    (void)index;

    for (int i = 0; i < 50; i++) {
        rsq_result *r = NULL;
        rsq_code rc = rsq_select(l->db, "SELECT count(*) FROM items", NULL, 0, NULL, &r, &err);

        BLAME(&l->verdict, rc == RSQ_OK, &err);
        if (rc == RSQ_OK)
            BLAME(&l->verdict, rsq_result_int64(r, 0, 0) == 3, NULL);
        rsq_result_unref(r);
    }
}

/* Any number of readers from 1 to 64 serves any number of threads. */
static void number_of_readers(void **state)
{
    fixture *f = *state;
    static const uint32_t numbers[] = {1, 2, 8, 64};

    for (size_t i = 0; i < LENGTH(numbers); i++) {
        rsq_open_options opts = {.size = sizeof opts, .readers = numbers[i]};
        load readers;

        fixture_open(f, &opts);
        if (i == 0)
            use_database(f);
        readers.db = f->db;
        verdict_init(&readers.verdict);
        crew_run(8, read_in_crew, &readers);
        VERDICT(&readers.verdict);
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
        fixture_close(f);
    }
}

/* Memory map and cache of every size, none included, change speed and not answers. */
static void mmap_and_cache_sizes(void **state)
{
    fixture *f = *state;
    static const int64_t mmap_bytes[] = {-1, 1 << 20, INT64_C(1) << 40};
    static const int64_t cache_bytes[] = {1, 64 << 10, 64 << 20};

    fixture_open(f, NULL);
    use_database(f);
    fixture_close(f);
    for (size_t i = 0; i < LENGTH(mmap_bytes); i++) {
        rsq_open_options opts = {
            .size = sizeof opts, .mmap_bytes = mmap_bytes[i], .cache_bytes = cache_bytes[i]};

        fixture_open(f, &opts);
        EXPECT_ROWS(f, "SELECT * FROM items ORDER BY id", "1|'a'\n2|'b'\n3|'c'");
        EXEC(f, "UPDATE items SET name = name || '' WHERE id = 1");
        fixture_close(f);
    }
}

static rsq_code read_synchronous(rsq_tx *tx, void *ctx)
{
    rsq_result *r = NULL;
    rsq_code rc = rsq_tx_select(tx, "SELECT synchronous FROM pragma_synchronous", NULL, 0, NULL, &r, NULL);

    *(int64_t *)ctx = rc == RSQ_OK ? rsq_result_int64(r, 0, 0) : -1;
    rsq_result_unref(r);
    return rc;
}

/* Each value of the option reaches the writer's connection, where commits happen. */
static void synchronous_reaches_the_writer(void **state)
{
    fixture *f = *state;
    static const uint32_t options[] = {RSQ_SYNC_DEFAULT, RSQ_SYNC_OFF, RSQ_SYNC_NORMAL, RSQ_SYNC_FULL,
                                       RSQ_SYNC_EXTRA};
    static const int64_t pragma[] = {1, 0, 1, 2, 3};

    for (size_t i = 0; i < LENGTH(options); i++) {
        rsq_open_options opts = {.size = sizeof opts, .synchronous = options[i]};
        int64_t value = -1;

        fixture_open(f, &opts);
        WANT(f, RSQ_OK, rsq_transaction(f->db, read_synchronous, &value, NULL, &f->err));
        assert_int_equal(value, pragma[i]);
        fixture_close(f);
    }
}

/* T24: foreign keys are enforced unless the option says otherwise; a program cannot forget a PRAGMA. */
static void foreign_keys_can_be_off(void **state)
{
    fixture *f = *state;
    rsq_open_options off = {.size = sizeof off, .flags = RSQ_OPEN_NO_FOREIGN_KEYS};

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE parent(id INTEGER PRIMARY KEY)");
    EXEC(f, "CREATE TABLE child(parent REFERENCES parent(id))");
    WANT(f, RSQ_ESQL, rsq_execute(f->db, "INSERT INTO child VALUES (1)", NULL, 0, NULL, NULL, &f->err));
    assert_int_equal(f->err.sqlite_code & 0xff, 19);
    fixture_close(f);
    fixture_open(f, &off);
    EXEC(f, "INSERT INTO child VALUES (1)");
    EXPECT_ROWS(f, "SELECT * FROM child", "1");
}

/* A database that is opened read-only answers reads, refuses writes, and its file is not changed. SQLite
 * itself leaves an empty log and its index beside it, since it could not remove them either. */
static void read_only(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_READONLY};
    rsq_value v = rsq_text("x");
    rsq_result *r = NULL;
    uint64_t before;
    bool called = false;

    fixture_open(f, NULL);
    use_database(f);
    fixture_close(f);
    before = fixture_file_digest(f->path);
    fixture_open(f, &opts);
    EXPECT_ROWS(f, "SELECT * FROM items ORDER BY id", "1|'a'\n2|'b'\n3|'c'");
    WANT(f, RSQ_EREADONLY, rsq_execute(f->db, "DELETE FROM items", NULL, 0, NULL, &r, &f->err));
    WANT(f, RSQ_EREADONLY, rsq_execute(f->db, "CREATE TABLE t(x)", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_EREADONLY,
         rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", &v, 1, 1, NULL, NULL, &f->err));
    WANT(f, RSQ_EREADONLY, rsq_transaction(f->db, read_synchronous, &called, NULL, &f->err));
    assert_null(r);
    assert_false(called);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
    fixture_close(f);
    assert_true(fixture_file_digest(f->path) == before);
}

/* A file that plain SQLite made in another journal mode: read-only reads it as it is, else it is put into
 * WAL. */
static void file_made_by_plain_sqlite(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_READONLY};
    uint64_t before;

    free(foreign_sql(f, f->path, "PRAGMA journal_mode=DELETE; CREATE TABLE t(x); INSERT INTO t VALUES (7)"));
    before = fixture_file_digest(f->path);
    fixture_open(f, &opts);
    EXPECT_ROWS(f, "SELECT x FROM t", "7");
    fixture_close(f);
    assert_true(fixture_file_digest(f->path) == before);
    fixture_open(f, NULL);
    EXEC(f, "INSERT INTO t VALUES (8)");
    EXPECT_ROWS(f, "SELECT x FROM t ORDER BY x", "7\n8");
}

/* With creation off an existing file opens, and works. */
static void no_create_opens_what_exists(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_NO_CREATE};

    fixture_open(f, NULL);
    use_database(f);
    fixture_close(f);
    fixture_open(f, &opts);
    EXEC(f, "DELETE FROM items WHERE id = 1");
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "2");
}

/* Kept snapshots are a matter of speed: with them off, a read still sees every commit before it. */
static void without_kept_snapshots(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_NO_KEPT_SNAPSHOTS};

    fixture_open(f, &opts);
    use_database(f);
    for (int i = 0; i < 20; i++) {
        EXEC(f, "INSERT INTO items(name) VALUES ('more')");
        assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 4 + i);
    }
}

/* ------------------------------------------------------------ without a file -- */

static rsq_code insert_then_fail(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_result *r = NULL;
    rsq_code rc = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('gone')", NULL, 0, NULL, NULL, &f->err);

    if (rc == RSQ_OK)
        rc = rsq_select(f->db, "SELECT count(*) FROM items", NULL, 0, NULL, &r, &f->err);
    if (rc == RSQ_OK && rsq_result_int64(r, 0, 0) != 4)
        rc = RSQ_EINVAL;
    rsq_result_unref(r);
    return rc == RSQ_OK ? RSQ_ECANCELLED : rc;
}

/* ":memory:" and "" have one connection and the same calls: reads, writes, transactions, live queries. */
static void databases_without_a_file(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {":memory:", ""};

    for (size_t i = 0; i < LENGTH(names); i++) {
        uint64_t before = fixture_digest(f->dir);
        rsq_result *write = NULL;
        probe *p;

        f->db = fixture_open_path(f, names[i], NULL);
        use_database(f);
        p = WATCH(f, "SELECT count(*) FROM items");
        EXPECT_EVENT(p, "3");
        WANT(f, RSQ_ECANCELLED, rsq_transaction(f->db, insert_then_fail, f, NULL, &f->err));
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "3");
        WANT(f, RSQ_OK, rsq_execute(f->db, "DELETE FROM items WHERE id = 3", NULL, 0, NULL, &write, &f->err));
        assert_true(fixture_changed(write, "main.items"));
        assert_int_equal(rsq_result_changes(write), 1);
        rsq_result_unref(write);
        EXPECT_EVENT(p, "2");
        fixture_close(f);
        EXPECT_END(p);
        assert_true(fixture_digest(f->dir) == before);
        assert_false(fixture_exists(":memory:"));
    }
}

static void load_memory(size_t index, void *ctx)
{
    load *l = ctx;
    rsq_error err;

    for (int i = 0; i < 25; i++) {
        rsq_result *r = NULL;
        rsq_code rc;

        if (index % 2 == 0)
            rc = rsq_execute(l->db, "INSERT INTO items(name) VALUES ('x')", NULL, 0, NULL, &r, &err);
        else
            rc = rsq_select(l->db, "SELECT count(*), max(id) FROM items", NULL, 0, NULL, &r, &err);
        BLAME(&l->verdict, rc == RSQ_OK, &err);
        if (rc == RSQ_OK && index % 2 == 1)
            BLAME(&l->verdict, rsq_result_int64(r, 0, 0) == rsq_result_int64(r, 0, 1), NULL);
        rsq_result_unref(r);
    }
}

/* One connection serves many threads in turn, and two databases in memory are two. */
static void memory_under_many_threads(void **state)
{
    fixture *f = *state;
    rsq_db *other = fixture_open_path(f, ":memory:", NULL);
    load writers;

    f->db = fixture_open_path(f, ":memory:", NULL);
    EXEC(f, SCHEMA);
    writers.db = f->db;
    verdict_init(&writers.verdict);
    crew_run(8, load_memory, &writers);
    VERDICT(&writers.verdict);
    EXPECT_ROWS(f, "SELECT count(*) FROM items", "100");
    EXPECT_ROWS_IN(f, other, "SELECT count(*) FROM sqlite_schema", "0");
    WANT_CODE(RSQ_OK, rsq_close(other));
}

/* ------------------------------------------------------------------ attached -- */

/* Two attached databases are there on the writer and on every reader, and one transaction spans all files. */
static void two_attached_databases(void **state)
{
    fixture *f = *state;
    char *shop = fixture_file(f, "shop.db"), *log = fixture_file(f, "log.db");
    const rsq_attach attach[] = {{"shop", shop}, {"log", log}};
    rsq_open_options opts = {.size = sizeof opts, .readers = 2, .attach = attach, .nattach = 2};
    rsq_result *write = NULL;
    char *said;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT)");
    EXEC(f, "CREATE TABLE shop.orders(id INTEGER PRIMARY KEY, item INTEGER)");
    EXEC(f, "CREATE TABLE log.lines(text TEXT)");
    EXEC(f, "INSERT INTO items VALUES (1, 'pen')");
    WANT(f, RSQ_OK,
         rsq_execute(f->db, "INSERT INTO shop.orders VALUES (5, 1)", NULL, 0, NULL, &write, &f->err));
    assert_true(fixture_changed(write, "shop.orders"));
    assert_false(fixture_changed(write, "main.orders"));
    rsq_result_unref(write);
    EXEC(f, "INSERT INTO log.lines SELECT name FROM items");
    EXPECT_ROWS(f,
                "SELECT o.id, i.name, l.text FROM shop.orders o JOIN items i ON i.id = o.item, log.lines l",
                "5|'pen'|'pen'");
    fixture_close(f);
    said = foreign_sql(f, shop, "SELECT * FROM orders");
    assert_string_equal(said, "5|1");
    free(said);
    free(shop);
    free(log);
}

/* A live query on an attached table follows it, and does not take it for a table of the same name elsewhere.
 */
static void live_query_on_an_attached_table(void **state)
{
    fixture *f = *state;
    char *shop = fixture_file(f, "shop.db");
    const rsq_attach attach[] = {{"shop", shop}};
    rsq_open_options opts = {.size = sizeof opts, .attach = attach, .nattach = 1};
    probe *p;

    fixture_open(f, &opts);
    fixture_canary(f);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY)");
    EXEC(f, "CREATE TABLE shop.items(id INTEGER PRIMARY KEY)");
    p = WATCH(f, "SELECT count(*) FROM shop.items");
    EXPECT_EVENT(p, "0");
    EXEC(f, "INSERT INTO main.items VALUES (1)");
    EXPECT_QUIET(p);
    EXEC(f, "INSERT INTO shop.items VALUES (1)");
    EXPECT_EVENT(p, "1");
    free(shop);
}

/* Commits that touch an attached database only are commits like others: they have a number, it rises, and
 * live queries see them; also when the main database was never written. */
static void commits_to_an_attached_database_only(void **state)
{
    fixture *f = *state;
    char *shop = fixture_file(f, "shop.db");
    const rsq_attach attach[] = {{"shop", shop}};
    rsq_open_options opts = {.size = sizeof opts, .attach = attach, .nattach = 1};
    uint64_t last = 0;
    probe *p;

    free(foreign_sql(f, shop, "CREATE TABLE orders(id INTEGER PRIMARY KEY)"));
    fixture_open(f, &opts);
    p = WATCH(f, "SELECT count(*) FROM shop.orders");
    EXPECT_EVENT(p, "0");
    for (int i = 1; i <= 3; i++) {
        rsq_result *w = NULL, *r = NULL;
        char expected[16];

        WANT(f, RSQ_OK,
             rsq_execute(f->db, "INSERT INTO shop.orders DEFAULT VALUES", NULL, 0, NULL, &w, &f->err));
        snprintf(expected, sizeof expected, "%d", i);
        EXPECT_EVENT(p, expected);
        assert_true(rsq_result_commit_seq(w) > last);
        last = rsq_result_commit_seq(w);
        WANT(f, RSQ_OK, rsq_select(f->db, "SELECT count(*) FROM shop.orders", NULL, 0, NULL, &r, &f->err));
        assert_int_equal(rsq_result_int64(r, 0, 0), i);
        assert_true(rsq_result_commit_seq(r) == last);
        rsq_result_unref(w);
        rsq_result_unref(r);
    }
    free(shop);
}

/* A schema name may be anything that SQLite takes in quotes. */
static void attached_name_in_quotes(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "other.db");
    const rsq_attach attach[] = {{"it's \"odd\"", path}};
    rsq_open_options opts = {.size = sizeof opts, .attach = attach, .nattach = 1};

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE \"it's \"\"odd\"\"\".t(x)");
    EXEC(f, "INSERT INTO \"it's \"\"odd\"\"\".t VALUES (3)");
    EXPECT_ROWS(f, "SELECT x FROM \"it's \"\"odd\"\"\".t", "3");
    free(path);
}

/* Names that collide, or that SQLite has already, and attached files that cannot be opened: nothing is opened
 * and nothing is made, the main database included. */
static void bad_attached_databases(void **state)
{
    fixture *f = *state;
    char *other = fixture_file(f, "other.db"), *missing = fixture_file(f, "none/other.db");
    char *text_file = fixture_file(f, "text.txt");
    const struct {
        rsq_attach attach[2];
        rsq_code code;
    } cases[] = {
        {{{"a", other}, {"a", other}}, RSQ_EINVAL},    /* twice the same */
        {{{"a", other}, {"A", other}}, RSQ_EINVAL},    /* SQLite ignores case */
        {{{"a", other}, {"main", other}}, RSQ_EINVAL}, /* taken */
        {{{"a", other}, {"TEMP", other}}, RSQ_EINVAL}, /* taken */
        {{{"a", other}, {"", other}}, RSQ_EINVAL},     /* no name */
        {{{"a", other}, {NULL, other}}, RSQ_EINVAL},     {{{"a", other}, {"b", NULL}}, RSQ_EINVAL},
        {{{"a", other}, {"b", missing}}, RSQ_ECANTOPEN}, /* no such directory */
        {{{"a", other}, {"b", f->dir}}, RSQ_ECANTOPEN},  /* a directory */
        {{{"a", other}, {"b", text_file}}, RSQ_ENOTADB},
    };

    fixture_write_file(text_file, "This is a text, and a long enough one at that.\n", 47);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        rsq_open_options opts = {.size = sizeof opts, .attach = cases[i].attach, .nattach = 2};

        expect_refused(f, cases[i].code, f->path, &opts);
    }
    free(other);
    free(missing);
    free(text_file);
}

/* -------------------------------------------------------------- bad arguments -- */

/* What is not there cannot be passed. */
static void null_arguments(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .nattach = 1};
    rsq_db *db = NULL;

    WANT(f, RSQ_EINVAL, rsq_open(NULL, NULL, &db, &f->err));
    WANT(f, RSQ_EINVAL, rsq_open(f->path, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_open(f->path, &opts, &db, &f->err)); /* one attached database, at NULL */
    WANT_CODE(RSQ_EINVAL, rsq_open(NULL, NULL, NULL, NULL));
    assert_null(db);
    assert_false(fixture_exists(f->path));
}

/* Values that no option has are refused and not rounded to something near. */
static void option_values_out_of_range(void **state)
{
    fixture *f = *state;
    const rsq_open_options cases[] = {
        {.size = sizeof cases[0], .flags = 1u << 31}, {.size = sizeof cases[0], .readers = 65},
        {.size = sizeof cases[0], .synchronous = 5},  {.size = sizeof cases[0], .page_size = 256},
        {.size = sizeof cases[0], .page_size = 1000}, {.size = sizeof cases[0], .page_size = 131072},
        {.size = sizeof cases[0], .mmap_bytes = -2},  {.size = sizeof cases[0], .cache_bytes = -1},
    };

    for (size_t i = 0; i < LENGTH(cases); i++)
        expect_refused(f, RSQ_EINVAL, f->path, &cases[i]);
}

/* Options of a later header, with more fields than this library knows. */
typedef struct longer_options {
    rsq_open_options known;
    uint64_t later[4];
} longer_options;

/* A program built with another version: fields that it does not have are zero, and fields that the library
 * does not know must be zero, since their wish could not be met. */
static void sizes_of_the_options(void **state)
{
    fixture *f = *state;
    longer_options opts;

    memset(&opts, 0, sizeof opts);
    expect_refused(f, RSQ_EINVAL, f->path, &opts.known); /* size 0 */
    opts.known.size = sizeof opts;
    opts.later[3] = 1;
    expect_refused(f, RSQ_EINVAL, f->path, &opts.known);
    opts.later[3] = 0;
    fixture_open(f, &opts.known);
    fixture_close(f);
    /* An older program's struct ends before `attach`; what lies behind it in memory is not ours to read. */
    opts.known.size = offsetof(rsq_open_options, attach);
    opts.known.nattach = 99;
    fixture_open(f, &opts.known);
    use_database(f);
}

/* ------------------------------------------------------ what cannot be opened -- */

/* Missing files: with creation off, to be read only, or in a directory that is missing itself. */
static void missing_files(void **state)
{
    fixture *f = *state;
    rsq_open_options no_create = {.size = sizeof no_create, .flags = RSQ_OPEN_NO_CREATE};
    rsq_open_options read_only_opts = {.size = sizeof read_only_opts, .flags = RSQ_OPEN_READONLY};
    char *deep = fixture_file(f, "missing/dir/test.db");

    expect_refused(f, RSQ_ECANTOPEN, f->path, &no_create);
    assert_non_null(strstr(f->err.message, "it does not exist"));
    expect_refused(f, RSQ_ECANTOPEN, f->path, &read_only_opts);
    assert_non_null(strstr(f->err.message, "it does not exist"));
    expect_refused(f, RSQ_ECANTOPEN, deep, NULL);
    assert_non_null(strstr(f->err.message, "its folder does not exist"));
    expect_refused(f, RSQ_ECANTOPEN, deep, &read_only_opts);
    assert_non_null(strstr(f->err.message, "its folder does not exist"));
    free(deep);
}

/* A directory is not a database, to be read only neither, though it can be opened for that. */
static void a_directory(void **state)
{
    static const uint32_t flags[] = {0, RSQ_OPEN_NO_CREATE, RSQ_OPEN_READONLY};
    fixture *f = *state;
    char *dir = fixture_file(f, "directory.db");

    assert_int_equal(mkdir(dir, 0700), 0);
    for (size_t i = 0; i < LENGTH(flags); i++) {
        rsq_open_options opts = {.size = sizeof opts, .flags = flags[i]};

        expect_refused(f, RSQ_ECANTOPEN, f->dir, &opts);
        expect_refused(f, RSQ_ECANTOPEN, dir, &opts);
        assert_non_null(strstr(f->err.message, "it is a directory"));
    }
    free(dir);
}

/* Neither is a pipe, at whose other end nobody may ever come. */
static void a_pipe(void **state)
{
    static const uint32_t flags[] = {0, RSQ_OPEN_NO_CREATE, RSQ_OPEN_READONLY};
    fixture *f = *state;
    char *path = fixture_file(f, "pipe.db");

    assert_int_equal(mkfifo(path, 0600), 0);
    for (size_t i = 0; i < LENGTH(flags); i++) {
        rsq_open_options opts = {.size = sizeof opts, .flags = flags[i]};
        rsq_db *db = NULL;

        WANT(f, RSQ_ECANTOPEN, rsq_open(path, &opts, &db, &f->err));
        assert_non_null(strstr(f->err.message, "it is a pipe"));
    }
    free(path);
}

/* Where the system says why a file cannot be opened, so does the message: not that it does not exist. */
static void a_path_to_nowhere(void **state)
{
    rsq_open_options read_only_opts = {.size = sizeof read_only_opts, .flags = RSQ_OPEN_READONLY};
    fixture *f = *state;
    char *loop = fixture_file(f, "loop.db");

    assert_int_equal(symlink(loop, loop), 0);
    expect_refused(f, RSQ_ECANTOPEN, loop, &read_only_opts);
    assert_non_null(strstr(f->err.message, strerror(ELOOP)));
    assert_int_equal(f->err.system_errno, ELOOP);
    free(loop);
}

/* Files that hold something else, and headers that are damaged: said when opening, not at the first query. */
static void files_that_are_no_database(void **state)
{
    fixture *f = *state;
    char text[200], header[4096], tiny[16] = "SQLite format 3";

    memset(text, 'x', sizeof text);
    fixture_write_file(f->path, text, sizeof text);
    expect_refused(f, RSQ_ENOTADB, f->path, NULL);

    memset(header, 0xa7, sizeof header); /* the magic is right, the page size and all else is not */
    memcpy(header, "SQLite format 3", 16);
    fixture_write_file(f->path, header, sizeof header);
    expect_refused(f, RSQ_ENOTADB, f->path, NULL);

    fixture_write_file(f->path, tiny, sizeof tiny); /* cut off after the magic */
    expect_refused(f, RSQ_ENOTADB, f->path, NULL);
    fixture_write_file(f->path, "no", 2); /* a file of one byte is an empty one for SQLite */
    expect_refused(f, RSQ_ENOTADB, f->path, NULL);
}

/* A path is the name of a file, byte for byte: no URI, no escape, nothing to expand. */
static void odd_file_names(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"a b.db", "ünï🎉.db", "per%20cent?.db", "it's.db",
                                        "#hash&mode=memory"};
    char *uri = fixture_file(f, "file:uri.db?mode=memory");
    int here = open(".", O_RDONLY);

    for (size_t i = 0; i < LENGTH(names); i++) {
        char *path = fixture_file(f, names[i]);

        f->db = fixture_open_path(f, path, NULL);
        use_database(f);
        fixture_close(f);
        assert_true(fixture_exists(path));
        free(path);
    }
    assert_true(here >= 0);
    assert_int_equal(chdir(f->dir), 0);
    f->db = fixture_open_path(f, "file:uri.db?mode=memory", NULL);
    use_database(f);
    fixture_close(f);
    assert_int_equal(fchdir(here), 0);
    assert_int_equal(close(here), 0);
    assert_true(fixture_exists(uri));
    free(uri);
}

/* A file that somebody cannot write to, or not even read. */
static void no_permission(void **state)
{
    fixture *f = *state;
    char *locked = fixture_file(f, "locked"), *inside = fixture_file(f, "locked/test.db");
    bool skipped = geteuid() == 0; /* root may do everything */

    if (!skipped) {
        assert_int_equal(mkdir(locked, 0500), 0);
        expect_refused(f, RSQ_ECANTOPEN, inside, NULL);
        fixture_write_file(f->path, "", 0);
        assert_int_equal(chmod(f->path, 0), 0);
        WANT(f, RSQ_ECANTOPEN, rsq_open(f->path, NULL, &f->db, &f->err));
    }
    free(locked);
    free(inside);
    if (skipped)
        skip();
}

/* Somebody to whom the modes of files apply, root or not; false: that cannot be had here. */
static bool give_root_up(const char *to_be_read)
{
    if (geteuid() == 0 && seteuid(65534) != 0)
        return false;
    return faccessat(AT_FDCWD, to_be_read, R_OK, AT_EACCESS) == 0;
}

/* A database in WAL mode needs files beside it, also to be read: the message says what is in the way, and not
 * that somebody tried to write. */
static void a_folder_that_cannot_be_written(void **state)
{
    rsq_open_options read_only_opts = {.size = sizeof read_only_opts, .flags = RSQ_OPEN_READONLY};
    fixture *f = *state;
    char *locked = fixture_file(f, "locked"), *inside = fixture_file(f, "locked/test.db");
    char message[sizeof f->err.message] = "";
    rsq_code code = RSQ_OK;
    bool asked;

    assert_int_equal(mkdir(locked, 0755), 0);
    f->db = fixture_open_path(f, inside, NULL);
    use_database(f);
    fixture_close(f);
    assert_int_equal(chmod(f->dir, 0711), 0);
    assert_int_equal(chmod(locked, 0555), 0);
    asked = give_root_up(inside);
    if (asked)
        code = rsq_open(inside, &read_only_opts, &f->db, &f->err);
    memcpy(message, f->err.message, sizeof message);
    assert_int_equal(seteuid(getuid()), 0);
    assert_int_equal(chmod(locked, 0755), 0);
    free(locked);
    free(inside);
    if (!asked)
        skip();
    assert_int_equal(code, RSQ_EREADONLY);
    assert_non_null(strstr(message, "folder cannot be written"));
}

/* An empty file is what a new database is before its first write, so it opens as one. */
static void an_empty_file_is_a_new_database(void **state)
{
    fixture *f = *state;

    fixture_write_file(f->path, "", 0);
    fixture_open(f, NULL);
    use_database(f);
}

/* Another process holds the database in a mode that lets nobody in: busy, after the busy timeout, unchanged.
 */
static void held_by_another_process(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .busy_timeout_ms = 20};
    const char *const sql[] = {"CREATE TABLE t(x)", "BEGIN EXCLUSIVE", "-", "COMMIT"};
    rsq_db *db = NULL;
    foreign x;

    foreign_start(f, &x, f->path, sql, LENGTH(sql));
    foreign_await(&x);
    WANT(f, RSQ_EBUSY, rsq_open(f->path, &opts, &db, &f->err));
    assert_null(db);
    foreign_go(&x);
    free(foreign_finish(&x));
    fixture_open(f, &opts);
    EXPECT_ROWS(f, "SELECT count(*) FROM t", "0");
}

/* Damage behind a header that is right is found when it is read; the rest of the database goes on serving. */
static void damage_behind_the_header(void **state)
{
    fixture *f = *state;
    rsq_result *r = NULL;
    const rsq_error *err;
    size_t len;
    char *bytes;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE broken(id INTEGER PRIMARY KEY, text)"); /* its root is page 2 */
    EXEC(f, "CREATE TABLE whole(x)");
    EXEC(f, "INSERT INTO broken VALUES (1, 'text')");
    EXEC(f, "INSERT INTO whole VALUES (4)");
    fixture_close(f);
    bytes = fixture_read_file(f->path, &len);
    assert_true(len >= 3 * 4096);
    memset(bytes + 4096, 0x5a, 4096);
    fixture_write_file(f->path, bytes, len);
    free(bytes);

    fixture_open(f, NULL);
    WANT(f, RSQ_ECORRUPT, rsq_select(f->db, "SELECT * FROM broken", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(f->err.sqlite_code & 0xff, 11);
    WANT(f, RSQ_ECORRUPT, rsq_select_json(f->db, "SELECT * FROM broken", NULL, 0, NULL, &r, &f->err));
    assert_null(r);
    p = WATCH(f, "SELECT * FROM broken");
    err = EXPECT_ERROR(p);
    assert_int_equal(err->code, RSQ_ECORRUPT);
    EXPECT_ROWS(f, "SELECT x FROM whole", "4");
}

/* The version functions answer before any database is open. */
static void versions(void **state)
{
    (void)state;
    assert_string_equal(rsq_version(), RSQ_VERSION);
    assert_int_equal(rsq_sqlite_version()[0], '3');
    assert_string_equal(rsq_code_name(RSQ_ECLOSED), "RSQ_ECLOSED");
    assert_string_equal(rsq_code_name(RSQ_OK), "RSQ_OK");
    assert_non_null(rsq_code_name((rsq_code)12345));
    assert_true(sizeof(rsq_value) == 16);
    (void)rsq_features();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(defaults_are_as_documented),
        CASE(empty_options_are_the_defaults),
        CASE(page_size_at_creation),
        CASE(number_of_readers),
        CASE(mmap_and_cache_sizes),
        CASE(synchronous_reaches_the_writer),
        CASE(foreign_keys_can_be_off),
        CASE(read_only),
        CASE(file_made_by_plain_sqlite),
        CASE(no_create_opens_what_exists),
        CASE(without_kept_snapshots),
        CASE(databases_without_a_file),
        CASE(memory_under_many_threads),
        CASE(two_attached_databases),
        CASE(live_query_on_an_attached_table),
        CASE(commits_to_an_attached_database_only),
        CASE(attached_name_in_quotes),
        CASE(bad_attached_databases),
        CASE(null_arguments),
        CASE(option_values_out_of_range),
        CASE(sizes_of_the_options),
        CASE(missing_files),
        CASE(a_directory),
        CASE(a_pipe),
        CASE(a_path_to_nowhere),
        CASE(files_that_are_no_database),
        CASE(odd_file_names),
        CASE(no_permission),
        CASE(a_folder_that_cannot_be_written),
        CASE(an_empty_file_is_a_new_database),
        CASE(held_by_another_process),
        CASE(damage_behind_the_header),
        CASE(versions),
    };

    return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}
