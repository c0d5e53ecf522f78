/*
 * Statements that have one row at most.
 *
 * That a query is at its end SQLite says when it is stepped once more. For a
 * query by key this is some 4 % of all. After a row a program goes on with the
 * next instruction; if that ends it, the statement can as well be reset, which
 * does the same. EXPLAIN lists the program. It is asked once, and only of
 * statements that are read again and again; a statement that is compiled anew,
 * for another schema, is another program.
 */
#include "sql/program.h"

__attribute__((cold)) void rsq_stmt_ask_one_row(rsq_conn *c, rsq_stmt *s)
{
    rsq_program p;

    /* Only a reader's schema is one that was committed. */
    if (c->role != RSQ_CONN_READER || s->kind != RSQ_STMT_READONLY ||
        (c->config->flags & RSQ_OPEN_NO_SHORTCUTS) ||
        rsq_program_load(c, s->sql, s->sql_len, &p, NULL) != RSQ_OK)
        return;
    s->one_row = rsq_program_ends_with_row(&p);
    rsq_program_fini(&p);
}
