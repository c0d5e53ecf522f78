/*
 * What is run under callgrind to compare the library with and without the counters
 * of rsq_profile(), which are off here: point reads and single inserts, after as
 * many that are not counted.
 *
 *     count reads|inserts DIRECTORY
 *
 * Prints how many there are. Counted is what happens inside counted_block(). There
 * are so few writes that no checkpoint begins, and nothing else runs meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>

#include <resqlite.h>

#define OPERATIONS 200
#define ROWS 100
#define SQL_SCHEMA "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL)"
#define SQL_INSERT "INSERT INTO t(name, value) VALUES (?, ?)"
#define SQL_SELECT "SELECT * FROM t WHERE id = ?"

typedef bool (*operation)(rsq_db *db, unsigned i);

static bool fail(const char *what, const rsq_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    return false;
}

static bool insert(rsq_db *db, unsigned i)
{
    rsq_value row[2] = {rsq_text("a name of some length"), rsq_real(1.5 * i)};
    rsq_error err;

    return rsq_execute(db, SQL_INSERT, row, 2, NULL, NULL, &err) == RSQ_OK || fail("insert", &err);
}

static bool read_one(rsq_db *db, unsigned i)
{
    rsq_value key = rsq_integer(1 + i % ROWS);
    rsq_result *r;
    rsq_error err;

    if (rsq_select(db, SQL_SELECT, &key, 1, NULL, &r, &err) != RSQ_OK)
        return fail("select", &err);
    rsq_result_unref(r);
    return true;
}

/* Not static and not inlined: callgrind is told its name. */
bool counted_block(rsq_db *db, operation op);

__attribute__((noinline)) bool counted_block(rsq_db *db, operation op)
{
    bool ok = true;

    for (unsigned i = 0; i < OPERATIONS && ok; i++)
        ok = op(db, i);
    return ok;
}

static bool prepare(rsq_db *db, operation op)
{
    rsq_error err;
    bool ok = rsq_execute(db, SQL_SCHEMA, NULL, 0, NULL, NULL, &err) == RSQ_OK || fail("schema", &err);

    for (unsigned i = 0; i < ROWS && ok; i++)
        ok = insert(db, i);
    for (unsigned i = 0; i < OPERATIONS && ok; i++)
        ok = op(db, i);
    return ok;
}

int main(int argc, char **argv)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    bool writes = argc == 3 && strcmp(argv[1], "inserts") == 0;
    char path[512];
    rsq_error err;
    rsq_db *db;
    bool ok;

    if (argc != 3)
        return EXIT_FAILURE;
    snprintf(path, sizeof path, "%s/count.db", argv[2]);
    opts.keep_snapshot_ms =
        3600000; /* the keeper would end one after a time, and not after a number of reads */
    opts.flags = RSQ_OPEN_NO_EXTERNAL_WRITERS;
    if (rsq_open(path, &opts, &db, &err) != RSQ_OK)
        return fail("open", &err) ? EXIT_SUCCESS : EXIT_FAILURE;
    ok = prepare(db, writes ? insert : read_one) && counted_block(db, writes ? insert : read_one);
    rsq_close(db);
    printf("%d\n", OPERATIONS);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
