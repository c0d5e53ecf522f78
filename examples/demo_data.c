/* The demo's database; see demo_data.h. */
#include "demo_data.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool data_complain(const char *format, ...)
{
    va_list args;

    fputs("demo: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

/* --------------------------------------------------------------- import -- */

static bool wait_for(pid_t child, const char *command)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return data_complain("cannot wait for %s: %s", command, strerror(errno));
    }
    if (WIFSIGNALED(status))
        return data_complain("%s was ended by signal %d", command, WTERMSIG(status));
    return WEXITSTATUS(status) == 0; /* if not, it has said why */
}

/* In the data set the coordinates are strings; as text they would not sort as numbers. */
static bool import_cities(const data_source *source)
{
    const char *const words[] = {source->command, "import",  source->database,    source->cities, "--table",
                                 "cities",        "--types", "lat:real,lng:real", "--atomic",     NULL};
    pid_t child;
    int failure;

    printf("importing %s into %s\n", source->cities, source->database);
    fflush(stdout);
    failure = posix_spawnp(&child, source->command, NULL, NULL, (char *const *)words, environ);
    if (failure)
        return data_complain("cannot run %s: %s", source->command, strerror(failure));
    return wait_for(child, source->command);
}

/* ----------------------------------------------------------- completion -- */

/* The first cell of a query's only row, which is a number. */
static rsq_code select_number(rsq_db *db, const char *sql, int64_t *number, rsq_error *err)
{
    rsq_result *r;
    rsq_code code = rsq_select(db, sql, NULL, 0, NULL, &r, err);

    if (code == RSQ_OK) {
        *number = rsq_result_int64(r, 0, 0);
        rsq_result_unref(r);
    }
    return code;
}

/* Statements without parameters, ended by NULL, in the order given. */
static rsq_code run_all(rsq_tx *tx, const char *const *statements)
{
    rsq_code code = RSQ_OK;

    for (; *statements && code == RSQ_OK; statements++)
        code = rsq_tx_execute(tx, *statements, NULL, 0, NULL, NULL, NULL);
    return code;
}

static rsq_code complete(rsq_tx *tx, void *ctx)
{
    static const char *const statements[] = {
        "CREATE INDEX IF NOT EXISTS cities_country ON cities(country)",
        "CREATE INDEX IF NOT EXISTS cities_lat ON cities(lat)",
        "CREATE TABLE IF NOT EXISTS demo_saved(id INTEGER PRIMARY KEY, name, lat, lng)",
        "CREATE TRIGGER IF NOT EXISTS demo_save BEFORE UPDATE ON cities BEGIN"
        "  INSERT OR IGNORE INTO demo_saved VALUES (OLD.rowid, OLD.name, OLD.lat, OLD.lng);"
        "END",
        "CREATE TABLE demo_import(cities INTEGER, file_bytes INTEGER)",
        NULL,
    };
    rsq_value file_bytes = rsq_integer(*(const int64_t *)ctx);
    rsq_code code = run_all(tx, statements);

    /* The last step, and in the same commit as the others: where this row is, everything is. */
    if (code == RSQ_OK)
        code = rsq_tx_execute(tx, "INSERT INTO demo_import SELECT count(*), ? FROM cities", &file_bytes, 1,
                              NULL, NULL, NULL);
    return code;
}

static rsq_code forget(rsq_tx *tx, void *ctx)
{
    static const char *const statements[] = {
        "DROP TABLE demo_import",
        "DROP TABLE IF EXISTS cities",
        "DROP TABLE IF EXISTS demo_saved",
        NULL,
    };

    (void)ctx;
    return run_all(tx, statements);
}

static rsq_code restore(rsq_tx *tx, void *ctx)
{
    static const char *const statements[] = {
        "DELETE FROM cities WHERE rowid > (SELECT cities FROM demo_import)",
        "UPDATE cities SET name = old.name, lat = old.lat, lng = old.lng"
        " FROM demo_saved AS old WHERE old.id = cities.rowid",
        "DELETE FROM demo_saved",
        NULL,
    };

    (void)ctx;
    return run_all(tx, statements);
}

rsq_code data_restore(rsq_db *db, rsq_error *err)
{
    return rsq_transaction(db, restore, NULL, NULL, err);
}

/* ----------------------------------------------------------------- open -- */

typedef enum finding {
    FOUND_NOTHING, /* to be imported */
    FOUND_CITIES,  /* imported, not completed */
    FOUND_ALL
} finding;

/* Size of the data set; 0 if it is not there, which is of no interest once it has been imported. */
static int64_t file_bytes(const data_source *source)
{
    struct stat st;

    return stat(source->cities, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* Undo the last run, and see whether the cities are then those of the data set. */
static rsq_code check_import(data *d, int64_t bytes, finding *found, rsq_error *err)
{
    rsq_result *r = NULL;
    rsq_code code = data_restore(d->db, err);

    if (code == RSQ_OK)
        code = rsq_select(
            d->db,
            "SELECT (SELECT count(*) FROM cities) = cities AND (? IN (0, file_bytes)) FROM demo_import",
            (rsq_value[]){rsq_integer(bytes)}, 1, NULL, &r, err);
    if (code != RSQ_OK)
        return code;
    *found = rsq_result_int64(r, 0, 0) ? FOUND_ALL : FOUND_NOTHING;
    rsq_result_unref(r);
    return *found == FOUND_ALL ? RSQ_OK : rsq_transaction(d->db, forget, NULL, NULL, err);
}

static rsq_code look(data *d, int64_t bytes, finding *found, rsq_error *err)
{
    int64_t imported = 0, cities = 0;
    rsq_code code = select_number(
        d->db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'demo_import'", &imported,
        err);

    if (code == RSQ_OK && imported)
        return check_import(d, bytes, found, err);
    if (code == RSQ_OK)
        code = select_number(d->db,
                             "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'cities'",
                             &cities, err);
    *found = cities ? FOUND_CITIES : FOUND_NOTHING;
    return code;
}

/*
 * A reader for each live query and one for the reading thread. By default there is one a processor, and on a
 * small machine the two quick live queries would wait for the count per country, which takes ten
 * milliseconds.
 */
static rsq_code open_database(data *d, const char *path, rsq_error *err)
{
    rsq_open_options options = {.size = sizeof options, .flags = RSQ_OPEN_NO_CREATE, .readers = 4};

    return rsq_open(path, &options, &d->db, err);
}

/* A database that is not there has nothing in it. It is not made here: the import is to say what is wrong
 * with a path that cannot be one. */
static rsq_code open_and_look(data *d, const data_source *source, finding *found, rsq_error *err)
{
    rsq_code code;

    d->db = NULL;
    if (access(source->database, F_OK) != 0 && errno == ENOENT) {
        *found = FOUND_NOTHING;
        return RSQ_OK;
    }
    code = open_database(d, source->database, err);
    return code == RSQ_OK ? look(d, file_bytes(source), found, err) : code;
}

/* The keys 1 to n, the coordinates as numbers, and the city that everybody can check. */
static bool check_cities(data *d, const data_source *source)
{
    rsq_error err;
    rsq_result *r;
    rsq_value followed = rsq_text(DATA_FOLLOWED);
    const char *north;
    bool dense, ok;

    if (rsq_select(d->db,
                   "SELECT count(*), max(rowid), (SELECT name FROM cities ORDER BY lat DESC LIMIT 1),"
                   " (SELECT rowid FROM cities WHERE name = ? AND country = 'IS') FROM cities",
                   &followed, 1, NULL, &r, &err) != RSQ_OK)
        return data_complain("%s: %s", source->database, err.message);
    d->cities = rsq_result_int64(r, 0, 0);
    d->followed = rsq_result_int64(r, 0, 3);
    dense = d->cities == rsq_result_int64(r, 0, 1);
    north = rsq_result_text(r, 0, 2, NULL);
    if (!north || strcmp(north, "Longyearbyen") != 0)
        ok = data_complain("%s: the northernmost city is %s and not Longyearbyen: is this the right data?",
                           source->database, north ? north : "missing");
    else if (!dense || !d->followed)
        ok = data_complain("%s: the table cities is not what the demo imports; name another database",
                           source->database);
    else
        ok = true;
    rsq_result_unref(r);
    return ok;
}

/* A database that holds what was found is made one that holds all. */
static bool fill(data *d, const data_source *source, finding found)
{
    int64_t bytes = file_bytes(source);
    rsq_error err;

    if (found == FOUND_NOTHING) {
        /* Closed for the time of the import, which is then alone with the file. */
        rsq_close(d->db);
        d->db = NULL;
        if (!import_cities(source))
            return false;
        if (open_database(d, source->database, &err) != RSQ_OK)
            return data_complain("%s: %s", source->database, err.message);
    }
    if (found != FOUND_ALL && rsq_transaction(d->db, complete, &bytes, NULL, &err) != RSQ_OK)
        return data_complain("%s: %s", source->database, err.message);
    return check_cities(d, source);
}

bool data_open(data *d, const data_source *source)
{
    finding found = FOUND_NOTHING;
    rsq_error err;
    bool ok;

    if (open_and_look(d, source, &found, &err) == RSQ_OK)
        ok = fill(d, source, found);
    else
        ok = data_complain("%s: %s", source->database, err.message);
    if (!ok) {
        rsq_close(d->db);
        d->db = NULL;
    }
    return ok;
}
