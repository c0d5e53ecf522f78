/*
 * raw_sql DB STATEMENT...: runs statements on a database with plain SQLite, in a process of its own.
 *
 * The tests need a second, independent view of a file: a foreign writer, a holder of a lock, a judge of what
 * is in the file. That cannot be a second SQLite in the test's process, because closing its descriptor of the
 * file would drop the POSIX locks that the first one holds; so it is this program.
 *
 * Rows are printed as columns joined by '|', NULL as nothing. The statement "-" prints "-" and waits for a
 * line on standard input, which lets a test hold a transaction open for as long as it wants. Exit code 1 on
 * an error, whose text is printed to standard output, where the test reads it.
 */
#include <sqlite3.h>

#include <stdio.h>
#include <string.h>

static int print_row(void *unused, int columns, char **values, char **names)
{
    (void)unused;
    (void)names;
    for (int i = 0; i < columns; i++)
        printf("%s%s", i > 0 ? "|" : "", values[i] ? values[i] : "");
    printf("\n");
    return 0;
}

static int wait_for_line(void)
{
    int c;

    printf("-\n");
    fflush(stdout);
    do
        c = getchar();
    while (c != '\n' && c != EOF);
    return SQLITE_OK;
}

int main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    int rc;

    if (argc < 2) {
        fprintf(stderr, "usage: raw_sql DB STATEMENT...\n");
        return 2;
    }
    rc = sqlite3_open(argv[1], &db);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, 10000);
    for (int i = 2; i < argc && rc == SQLITE_OK; i++)
        rc = strcmp(argv[i], "-") == 0 ? wait_for_line() : sqlite3_exec(db, argv[i], print_row, NULL, NULL);
    if (rc != SQLITE_OK)
        printf("error: %s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    return rc == SQLITE_OK ? 0 : 1;
}
