#include "sql/notes.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "sql/internal.h"

void rsq_notes_add_function(rsq_notes *n, const char *name)
{
    if (rsq_functions_is_volatile(n->functions, name))
        (void)snprintf(n->volatile_by, sizeof n->volatile_by, "%s", name);
}

static char *copy(rsq_notes *n, const char *text)
{
    char *copied = rsq_copy_text(text, strlen(text));

    if (!copied)
        n->failed = true;
    return copied;
}

void rsq_notes_add_read(rsq_notes *n, const char *schema, const char *table, const char *column)
{
    rsq_note *grown = rsq_realloc(n->reads, (n->count + 1) * sizeof *grown);

    if (!grown) {
        n->failed = true;
        return;
    }
    n->reads = grown;
    grown[n->count++] = (rsq_note){.schema = schema ? copy(n, schema) : NULL,
                                   .table = copy(n, table ? table : ""),
                                   .column = copy(n, column ? column : "")};
}

void rsq_notes_fini(rsq_notes *n)
{
    for (size_t i = 0; i < n->count; i++) {
        rsq_free(n->reads[i].schema);
        rsq_free(n->reads[i].table);
        rsq_free(n->reads[i].column);
    }
    rsq_free(n->reads);
    rsq_names_fini(&n->sets);
    *n = (rsq_notes){0};
}
