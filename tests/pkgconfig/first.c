/*
 * The smallest program that uses the installed library: it is compiled the way a user would compile it, with
 * the flags of pkg-config and nothing else, once against the shared and once against the static library.
 */
#include <resqlite.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    rsq_db *db = NULL;
    rsq_result *r = NULL;
    rsq_error err;

    if (argc != 2 || rsq_open(argv[1], NULL, &db, &err) != RSQ_OK ||
        rsq_execute(db, "CREATE TABLE t(a)", NULL, 0, NULL, NULL, &err) != RSQ_OK ||
        rsq_execute(db, "INSERT INTO t VALUES ('it works')", NULL, 0, NULL, NULL, &err) != RSQ_OK ||
        rsq_select(db, "SELECT a FROM t", NULL, 0, NULL, &r, &err) != RSQ_OK) {
        fprintf(stderr, "%s\n", argc == 2 ? err.message : "usage: first DATABASE");
        return 1;
    }
    printf("%s\n", rsq_result_text(r, 0, 0, NULL));
    rsq_result_unref(r);
    return rsq_close(db) == RSQ_OK ? 0 : 1;
}
