/*
 * Which columns can an UPDATE change?
 *
 * Those that it sets, by the authorizer's word, and the generated ones. If nobody
 * reads any of them, its rows need not be looked at: the hook would have SQLite
 * take each row apart, which is most of what a watched table costs a writer.
 *
 * It holds for statements that change one table only, by the authorizer's word
 * too, so no trigger sets anything behind it, and a foreign key that points at its
 * own table has its columns named like the others. Other rows of the statement are
 * looked at: those that come, or go (victims of REPLACE), or move.
 */
#include <string.h>

#include "base/alloc.h"
#include "sql/catalog.h"

/* From names to numbers, in the table "schema.table". A name that is no column's is that of the row id: rows
 * whose row id changes are looked at. */
static void number_columns(rsq_conn *c, const char *target, const rsq_names *set, rsq_column_set *out)
{
    const char *dot = strchr(target, '.');
    char *schema = rsq_copy_text(target, (size_t)(dot - target));
    rsq_catalog cat = {.conn = c};
    const rsq_catalog_table *t = schema ? rsq_catalog_find(&cat, schema, dot + 1) : NULL;

    out->all = set->all || !t || t->kind != RSQ_CATALOG_TABLE;
    for (size_t i = 0; !out->all && i < t->ncolumns; i++) {
        if (t->columns[i].is_generated || rsq_names_contain(set, t->columns[i].name))
            rsq_column_set_add(out, (unsigned)i);
    }
    rsq_catalog_fini(&cat);
    rsq_free(schema);
}

void rsq_stmt_find_sets(rsq_conn *c, rsq_stmt *s)
{
    rsq_notes notes = {0};
    sqlite3_stmt *h = NULL;
    rsq_error ignored;

    s->sets_known = true;
    /* Compiled once more, for its names: few statements are ever asked. */
    c->guard.notes = &notes;
    if (rsq_conn_compile(c, s->sql, s->sql_len, 0, &h, &ignored) != RSQ_OK)
        notes.failed = true;
    c->guard.notes = NULL;
    sqlite3_finalize(h);
    if (notes.failed)
        s->sets.all = true;
    else
        number_columns(c, s->target, &notes.sets, &s->sets);
    rsq_notes_fini(&notes);
}

bool rsq_stmt_spares(const rsq_stmt *s, const rsq_watch_table *w)
{
    if (w->whole || rsq_stmt_was_reprepared(s))
        return false;
    for (size_t i = 0; i < w->ncolumns_watched; i++) {
        if (w->columns[i].doubtful || rsq_column_set_has(&s->sets, w->columns[i].column))
            return false;
    }
    for (size_t i = 0; i < w->nprimary; i++) {
        if (rsq_column_set_has(&s->sets, w->primary[i]))
            return false;
    }
    return true;
}
