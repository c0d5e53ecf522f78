/* Operations: check the arguments, pin the database, pass on. */
#include <string.h>

#include "api/db.h"
#include "api/options.h"
#include "api/request.h"
#include "base/error.h"
#include "exec/backup.h"
#include "exec/begin.h"
#include "exec/migrate.h"

static void give_figures(rsq_checkpoint_figures *out, const rsq_log_figures *log)
{
    rsq_checkpoint_figures figures = {
        .size = out->size, .log_pages = log->pages, .copied_pages = log->copied};

    memcpy(out, &figures, out->size < sizeof figures ? out->size : sizeof figures);
}

static rsq_code checkpoint(rsq_db *db, const rsq_checkpoint_options *o, rsq_log_figures *log, rsq_error *err)
{
    rsq_code code = rsq_core_may_write(&db->client, err);

    if (code != RSQ_OK)
        return code;
    if (rsq_tx_here(db->core))
        return rsq_error_set(err, RSQ_EMISUSE,
                             "a checkpoint would wait for the transaction that it is called in");
    code = rsq_begun_check_wait(db->core, err);
    if (code != RSQ_OK)
        return code;
    return rsq_core_checkpoint(db->core, &db->client, o->mode, o->timeout_ms, log, err);
}

rsq_code rsq_checkpoint(rsq_db *db, const rsq_checkpoint_options *opts, rsq_checkpoint_figures *out,
                        rsq_error *err)
{
    rsq_checkpoint_options o;
    rsq_log_figures log;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, err);

    if (code == RSQ_OK && o.mode > RSQ_CHECKPOINT_TRUNCATE)
        code = rsq_option_refuse("mode", err);
    if (code == RSQ_OK && out && out->size < sizeof out->size)
        code = rsq_error_set(err, RSQ_EINVAL, "the figures have no size");
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    code = checkpoint(db, &o, &log, err);
    rsq_db_unpin(db);
    if (code == RSQ_OK && out)
        give_figures(out, &log);
    return code;
}

/* A name without a schema is of the main database, as in SQL; a dot parts it from the schema. */
static rsq_code add_name(rsq_names *names, const char *name, size_t index, rsq_error *err)
{
    const char *dot = name ? strchr(name, '.') : NULL;
    char schema[80];

    if (!name || !name[0])
        return rsq_error_set(err, RSQ_EINVAL, "tables[%zu] is no name", index);
    if (!dot || (size_t)(dot - name) >= sizeof schema) {
        rsq_names_add(names, "main", name);
        return RSQ_OK;
    }
    memcpy(schema, name, (size_t)(dot - name));
    schema[dot - name] = '\0';
    rsq_names_add(names, schema, dot + 1);
    return RSQ_OK;
}

rsq_code rsq_notify(rsq_db *db, const char *const *tables, size_t count, rsq_error *err)
{
    rsq_changes changes = {.tables.all = tables == NULL};
    rsq_code code = RSQ_OK;

    if (!tables != !count)
        return rsq_error_set(err, RSQ_EINVAL, "there are %zu tables at %s", count,
                             tables ? "an address" : "NULL");
    for (size_t i = 0; code == RSQ_OK && i < count; i++)
        code = add_name(&changes.tables, tables[i], i, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code == RSQ_OK) {
        /* No number: up to which commit everything was told is not changed by this. */
        rsq_streams_commit(db->streams, &changes);
        rsq_db_unpin(db);
    }
    rsq_names_fini(&changes.tables);
    return code;
}

/* More than this in one list are a mistake; each is compared with all before it. */
#define MIGRATIONS_MAX 10000

static rsq_code check_list(const rsq_migration *list, size_t count, rsq_error *err)
{
    if ((count && !list) || count > MIGRATIONS_MAX)
        return rsq_error_set(err, RSQ_EINVAL, "the list of migrations is NULL, or has more than %d",
                             MIGRATIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t len;

        if (!list[i].name || !list[i].name[0] || !list[i].sql)
            return rsq_error_set(err, RSQ_EINVAL, "migrations[%zu] has no name or no SQL", i);
        if (rsq_sql_measure(list[i].sql, list[i].sql_len, &len, err) != RSQ_OK)
            return RSQ_ETOOBIG;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(list[i].name, list[j].name) == 0)
                return rsq_error_set(err, RSQ_EINVAL, "migrations[%zu] repeats the name \"%.100s\"", i,
                                     list[i].name);
        }
    }
    return RSQ_OK;
}

rsq_code rsq_migrate(rsq_db *db, const rsq_migration *migrations, size_t count, const rsq_call_options *opts,
                     size_t *applied, rsq_error *err)
{
    rsq_call_options o;
    size_t done;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, err);

    if (code == RSQ_OK)
        code = check_list(migrations, count, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_core_migrate(db->core, &db->client, migrations, count, o.timeout_ms, &done, err);
    rsq_db_unpin(db);
    if (code == RSQ_OK && applied)
        *applied = done;
    return code;
}

rsq_code rsq_backup(rsq_db *db, const char *path, const rsq_backup_options *opts, uint64_t *commit_seq,
                    rsq_error *err)
{
    rsq_backup_options o;
    uint64_t seq = 0;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, err);

    if (code == RSQ_OK && o.flags)
        code = rsq_option_refuse("flags", err);
    if (code == RSQ_OK && (!path || rsq_path_is_memory(path)))
        code = rsq_error_set(err, RSQ_EINVAL, "the path of the copy is NULL, or none of a file");
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_core_backup(db->core, &db->client, path, &o, &seq, err);
    rsq_db_unpin(db);
    if (code == RSQ_OK && commit_seq)
        *commit_seq = seq;
    return code;
}
