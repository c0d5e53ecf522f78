/*
 * What a virtual table reads. Neither the authorizer nor the program says it, so
 * it is known here for the modules that come with SQLite: the tables that they
 * keep their data in, and the table that an FTS5 index describes. A module that
 * is not known, or a table whose definition is not understood: everything.
 */
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "sql/analysis.h"

/* --- a definition: CREATE VIRTUAL TABLE name USING module(arguments) --- */

static const char *skip_space(const char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    return s;
}

static char closing_quote(char ch)
{
    if (ch == '[')
        return ']';
    return ch == '"' || ch == '\'' || ch == '`' ? ch : '\0';
}

/* The end of a name or of something quoted; `s` itself: there is none. */
static const char *skip_name(const char *s)
{
    char quote = closing_quote(*s);

    if (!quote) {
        while (isalnum((unsigned char)*s) || *s == '_' || *s == '$' || (unsigned char)*s >= 0x80)
            s++;
        return s;
    }
    for (s++; *s; s++) {
        if (*s != quote)
            continue;
        if (s[1] != quote || quote == ']')
            return s + 1;
        s++;
    }
    return s;
}

/* A copy without quotes; NULL: no memory. */
static char *unquote(const char *from, const char *end)
{
    char quote = closing_quote(*from);
    char *copy = rsq_copy_text(from, (size_t)(end - from));
    size_t n = 0;

    if (!copy || !quote)
        return copy;
    for (const char *s = from + 1; s < end - 1; s++) {
        copy[n++] = *s;
        if (*s == quote && s[1] == quote)
            s++;
    }
    copy[n] = '\0';
    return copy;
}

/* The module's name in `sql`, which SQLite has stored in a form of its own; NULL: not understood. */
static const char *find_module(const char *sql, size_t *len)
{
    static const char begin[] = "CREATE VIRTUAL TABLE ";
    const char *s = sql, *end;

    if (sqlite3_strnicmp(s, begin, (int)sizeof begin - 1) != 0)
        return NULL;
    s = skip_space(s + sizeof begin - 1);
    end = skip_name(s);
    if (end == s)
        return NULL;
    s = skip_space(end);
    if (sqlite3_strnicmp(s, "USING", 5) != 0)
        return NULL;
    s = skip_space(s + 5);
    end = skip_name(s);
    *len = (size_t)(end - s);
    return end == s ? NULL : s;
}

/* FTS5 takes any beginning of an option's name for the option. */
static bool is_content(const char *name, size_t len)
{
    return len > 0 && len <= 7 && sqlite3_strnicmp(name, "content", (int)len) == 0;
}

/*
 * The table that an FTS5 index has its content from. False: the definition is
 * not understood. `*content` NULL: its own, empty: none; else owned by the caller.
 */
static bool find_content(const char *s, char **content)
{
    *content = NULL;
    s = skip_space(s);
    if (*s != '(')
        return true;
    do {
        const char *name = skip_space(s + 1);
        const char *end = skip_name(name);

        s = skip_space(end);
        if (*s == '=' && is_content(name, (size_t)(end - name))) {
            name = skip_space(s + 1);
            end = skip_name(name);
            rsq_free(*content);
            *content = unquote(name, end);
            if (!*content)
                return false;
            s = skip_space(end);
        }
        /* The rest of the argument: names, quoted or not, and marks. */
        while (*s && *s != ',' && *s != ')') {
            end = skip_name(s);
            s = end > s ? end : s + 1;
        }
    } while (*s == ',');
    return *s == ')';
}

/* --- what it reads --- */

/* Whole rows of a table; false: there is none of this name. */
static bool add_table(rsq_analysis *a, const char *schema, const char *name)
{
    rsq_catalog_table *t = rsq_catalog_find(&a->catalog, schema, name);
    rsq_table_dep *dep;

    if (!t || t->kind != RSQ_CATALOG_TABLE)
        return false;
    dep = rsq_analysis_table(a, t);
    if (dep)
        dep->columns.all = true;
    return true;
}

static void add_shadows(rsq_analysis *a, const char *schema, const char *name, const char *const *suffixes,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *shadow = sqlite3_mprintf("%s_%s", name, suffixes[i]);

        if (shadow)
            (void)add_table(a, schema, shadow); /* not every table has every shadow */
        else
            a->failed = true;
        sqlite3_free(shadow);
    }
}

static const char *const fts5_shadows[] = {"data", "idx", "content", "docsize", "config"};
static const char *const rtree_shadows[] = {"node", "rowid", "parent"};

static void add_fts5(rsq_analysis *a, const char *schema, const char *name, const char *arguments)
{
    char *content;

    if (!find_content(arguments, &content)) {
        a->d->everything = true;
    } else {
        add_shadows(a, schema, name, fts5_shadows, sizeof fts5_shadows / sizeof fts5_shadows[0]);
        /* It may be a view, or another virtual table. */
        if (content && content[0] && !add_table(a, schema, content))
            a->d->everything = true;
    }
    rsq_free(content);
}

static bool is_named(const char *text, size_t len, const char *name)
{
    return strlen(name) == len && sqlite3_strnicmp(text, name, (int)len) == 0;
}

static void add_definition(rsq_analysis *a, const char *schema, const char *name, const char *sql)
{
    size_t len;
    const char *module = find_module(sql, &len);

    if (module && is_named(module, len, "fts5"))
        add_fts5(a, schema, name, module + len);
    else if (module && (is_named(module, len, "rtree") || is_named(module, len, "rtree_i32")))
        add_shadows(a, schema, name, rtree_shadows, sizeof rtree_shadows / sizeof rtree_shadows[0]);
    else
        a->d->everything = true;
}

/* --- which one it is --- */

/* Does reading `from` open the virtual table that the program names `pointer`? */
static bool opens(rsq_analysis *a, const char *from, const char *pointer)
{
    rsq_program p = {0};
    bool found = false;

    if (rsq_program_load(a->conn, from, strlen(from), &p, NULL) != RSQ_OK)
        return false;
    for (size_t i = 0; i < p.count; i++) {
        if (p.steps[i].opcode == RSQ_OP_VOPEN && p.steps[i].p4 && strcmp(p.steps[i].p4, pointer) == 0)
            found = true;
    }
    rsq_program_fini(&p);
    return found;
}

/* The names of a schema's virtual tables. */
typedef struct name_list {
    char **names; /* owned, each too */
    size_t count;
} name_list;

static int take_name(void *ctx, int n, char **v, char **names)
{
    name_list *list = ctx;
    char **grown = rsq_realloc(list->names, (list->count + 1) * sizeof *grown);
    char *copy = rsq_copy_text(v[0] ? v[0] : "", v[0] ? strlen(v[0]) : 0);

    (void)n;
    (void)names;
    if (grown)
        list->names = grown;
    if (!grown || !copy) {
        rsq_free(copy);
        return 1;
    }
    list->names[list->count++] = copy;
    return 0;
}

static bool add_if_opened(rsq_analysis *a, const char *schema, const char *name, const char *pointer)
{
    char *from = sqlite3_mprintf("SELECT 1 FROM \"%w\".\"%w\"", schema, name);
    bool found = from && opens(a, from, pointer);
    char *sql;

    sqlite3_free(from);
    if (!found)
        return false;
    sql = rsq_catalog_sql(&a->catalog, schema, name);
    if (sql)
        add_definition(a, schema, name, sql);
    else
        a->d->everything = true;
    rsq_free(sql);
    return true;
}

static bool find_in_schema(rsq_analysis *a, const char *schema, const char *pointer)
{
    name_list list = {0};
    bool found = false;

    rsq_catalog_ask(&a->catalog, take_name, &list,
                    "SELECT name FROM \"%w\".sqlite_schema WHERE type = 'table' AND rootpage = 0", schema);
    for (size_t i = 0; i < list.count; i++) {
        if (!found && a->catalog.rc == SQLITE_OK)
            found = add_if_opened(a, schema, list.names[i], pointer);
        rsq_free(list.names[i]);
    }
    rsq_free(list.names);
    return found;
}

void rsq_analysis_virtual(rsq_analysis *a, const char *pointer)
{
    const char *schema;

    for (int i = 0; (schema = sqlite3_db_name(a->conn->db, i)) != NULL; i++) {
        if (find_in_schema(a, schema, pointer))
            return;
    }
    /* These read their arguments, and nothing else. */
    if (opens(a, "SELECT 1 FROM json_each('[]')", pointer) ||
        opens(a, "SELECT 1 FROM json_tree('[]')", pointer))
        return;
    a->d->everything = true;
}
