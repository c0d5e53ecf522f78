#include "exec/core.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "exec/begin.h"
#include "exec/cursor.h"

static void free_config(rsq_conn_config *config)
{
    for (size_t i = 0; i < config->nattach; i++) {
        rsq_free((char *)(uintptr_t)config->attach[i].name);
        rsq_free((char *)(uintptr_t)config->attach[i].path);
    }
    rsq_free(config->attach);
    rsq_free(config->path);
}

/*
 * The path from the root, since connections open later, when the program may
 * have gone to another folder. It is a file name, never a URI, whatever SQLite
 * was built to think of "file:".
 */
static char *copy_path(const char *path)
{
    size_t len = strlen(path);
    char folder[PATH_MAX];
    char *copy;

    if (path[0] == '/' || rsq_path_is_memory(path))
        return rsq_copy_text(path, len);
    /* In a folder that was deleted nothing can be opened in any case. */
    if (!getcwd(folder, sizeof folder))
        (void)snprintf(folder, sizeof folder, ".");
    len += strlen(folder) + 2;
    copy = rsq_alloc(len);
    if (!copy)
        return NULL;
    (void)snprintf(copy, len, "%s/%s", folder, path);
    return copy;
}

static bool copy_attachments(rsq_conn_config *config, const rsq_open_options *opts)
{
    config->attach = rsq_alloc_zero(opts->nattach * sizeof *config->attach);
    if (!config->attach)
        return false;
    config->nattach = opts->nattach;
    for (size_t i = 0; i < opts->nattach; i++) {
        rsq_attach *to = &config->attach[i];

        to->name = rsq_copy_text(opts->attach[i].name, strlen(opts->attach[i].name));
        to->path = copy_path(opts->attach[i].path);
        if (!to->name || !to->path)
            return false;
    }
    return true;
}

static bool init_config(rsq_core *core, const char *path, const rsq_open_options *opts)
{
    rsq_conn_config *config = &core->config;

    config->seq = &core->seq;
    config->board = &core->watched;
    config->flags = opts->flags;
    config->busy_timeout_ms = opts->busy_timeout_ms;
    config->synchronous = opts->synchronous;
    config->page_size = opts->page_size;
    config->mmap_bytes = opts->mmap_bytes;
    config->cache_bytes = opts->cache_bytes;
    config->path = copy_path(path);
    return config->path && copy_attachments(config, opts);
}

static rsq_code open_writer(rsq_core *core, rsq_commit_sink sink, rsq_error *err)
{
    rsq_conn_role role = core->single ? RSQ_CONN_ONLY : RSQ_CONN_WRITER;
    rsq_conn *conn;
    rsq_code code = rsq_conn_open(&core->config, role, &conn, err);

    if (code != RSQ_OK)
        return code;
    if (!core->single)
        rsq_checkpointer_init(&core->checkpointer, &core->config, &core->readers, &core->cursors,
                              &core->writer, rsq_conn_page_size(conn));
    rsq_writer_init(&core->writer, &core->config, conn, core->single ? NULL : &core->checkpointer, sink);
    atomic_store_explicit(&core->writable, true, memory_order_release);
    return RSQ_OK;
}

rsq_code rsq_core_make_writable(rsq_core *core, const rsq_open_options *opts, rsq_commit_sink sink,
                                rsq_error *err)
{
    /* Readers do not look at it. */
    core->config.synchronous = opts->synchronous;
    return open_writer(core, sink, err);
}

/* The first connection says whether the file is a database at all. */
static rsq_code open_first(rsq_core *core, bool readonly, rsq_commit_sink sink, rsq_error *err)
{
    rsq_reader *reader;
    rsq_code code = RSQ_OK;

    /* What is attached is looked at before the main file is made: a refused open leaves no file behind. */
    for (size_t i = 0; code == RSQ_OK && i < core->config.nattach; i++)
        code = rsq_conn_probe(&core->config, &core->config.attach[i], err);
    if (code != RSQ_OK)
        return code;
    if (!readonly)
        return open_writer(core, sink, err);
    code = rsq_readers_acquire(&core->readers, NULL, "open", 4, RSQ_NO_TIMEOUT, &reader, err);
    if (code == RSQ_OK)
        rsq_readers_release(&core->readers, reader);
    return code;
}

rsq_code rsq_core_open(const char *path, const rsq_open_options *opts, rsq_commit_sink sink, rsq_core **out,
                       rsq_error *err)
{
    rsq_core *core = rsq_alloc_zero(sizeof *core);
    unsigned streams = opts->readers > 1 ? opts->readers - 1 : 1;
    rsq_code code;

    if (!core || !init_config(core, path, opts)) {
        if (core)
            free_config(&core->config);
        rsq_free(core);
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    }
    core->lease_timeout_ms = opts->lease_timeout_ms;
    core->reader_age_limit_ms = opts->reader_age_limit_ms;
    core->single = rsq_path_is_memory(path);
    atomic_init(&core->writable, false);
    atomic_init(&core->seq.newest, 0);
    atomic_init(&core->seq.base, 0);
    rsq_watch_board_init(&core->watched);
    if (!core->single)
        rsq_readers_init(&core->readers, &core->config, opts->readers, opts->keep_snapshot_ms,
                         opts->reader_age_limit_ms);
    code = open_first(core, opts->flags & RSQ_OPEN_READONLY, sink, err);
    if (code != RSQ_OK) {
        if (!core->single) {
            rsq_readers_stop(&core->readers);
            rsq_readers_fini(&core->readers);
        }
        rsq_watch_board_fini(&core->watched);
        free_config(&core->config);
        rsq_free(core);
        return code;
    }
    if (!core->single)
        core->config.file_known = rsq_file_identify(core->config.path, &core->config.file);
    /* Work for live queries leaves one reader to callers, if there is more than one. */
    rsq_workers_init(&core->workers, core->single ? 1 : streams, opts->flags);
    rsq_workers_init(&core->op_workers, core->single ? 1 : opts->readers, opts->flags);
    rsq_timer_init(&core->timer);
    rsq_mutex_init(&core->cursors.mu);
    rsq_cond_init(&core->cursors.fewer);
    rsq_mutex_init(&core->begins.mu);
    rsq_cond_init(&core->begins.none);
    atomic_init(&core->begins.thread, 0);
    *out = core;
    return RSQ_OK;
}

void rsq_core_dismiss(rsq_core *core, rsq_client *client)
{
    atomic_store_explicit(&client->closing, true, memory_order_relaxed);
    rsq_cursors_end(&core->cursors, client);
    if (!core->single)
        rsq_readers_dismiss(&core->readers, client);
    if (!client->readonly)
        rsq_writer_dismiss(&core->writer, client);
    /* After those that wait were sent away: none of them gets the turn that this gives back. */
    rsq_begins_end(core, client);
    if (!client->readonly && !core->single)
        rsq_checkpointer_dismiss(&core->checkpointer);
}

void rsq_core_finish(rsq_core *core, rsq_client *client)
{
    /* First what waits behind others' work; then what a chunk that was taken just now may have submitted. */
    rsq_workers_finish(&core->op_workers, client);
    rsq_cursors_wait(&core->cursors, client);
    rsq_workers_finish(&core->op_workers, client);
    if (!client->readonly)
        rsq_writer_await(&core->writer, client);
}

void rsq_core_close(rsq_core *core)
{
    /* Runs of live queries may still be in line for a connection. */
    if (!core->single)
        rsq_readers_stop(&core->readers);
    if (rsq_core_is_writable(core)) {
        rsq_writer_stop(&core->writer);
        rsq_writer_finish(&core->writer);
    }
    if (rsq_core_is_writable(core) && !core->single) {
        rsq_checkpointer_stop(&core->checkpointer);
        rsq_checkpointer_fini(&core->checkpointer);
    }
    rsq_workers_fini(&core->op_workers);
    rsq_workers_fini(&core->workers);
    rsq_timer_fini(&core->timer);
    rsq_cond_fini(&core->cursors.fewer);
    rsq_mutex_fini(&core->cursors.mu);
    rsq_cond_fini(&core->begins.none);
    rsq_mutex_fini(&core->begins.mu);
    if (!core->single)
        rsq_readers_fini(&core->readers);
    /* Last: when the last connection closes, SQLite copies the log into the database, for which it must
     * write. */
    if (rsq_core_is_writable(core))
        rsq_writer_fini(&core->writer);
    rsq_watch_board_fini(&core->watched);
    free_config(&core->config);
    rsq_free(core);
}

rsq_code rsq_core_checkpoint(rsq_core *core, const rsq_client *client, uint32_t mode, uint32_t timeout_ms,
                             rsq_log_figures *out, rsq_error *err)
{
    *out = (rsq_log_figures){0};
    if (core->single)
        return RSQ_OK;
    return rsq_checkpointer_run(&core->checkpointer, client, mode, rsq_core_timeout(core, timeout_ms), out,
                                err);
}

rsq_code rsq_core_take_turn(rsq_core *core, const rsq_client *client, const char *sql, size_t sql_len,
                            uint32_t timeout_ms, rsq_error *err)
{
    rsq_code code = rsq_begun_check_wait(core, err);

    return code == RSQ_OK ? rsq_writer_acquire(&core->writer, client, sql, sql_len, timeout_ms, err) : code;
}

static rsq_code acquire(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_lease *out,
                        rsq_error *err)
{
    rsq_code code;

    if (core->single) {
        code = rsq_core_take_turn(core, rq->client, rq->sql, rq->sql_len, timeout_ms, err);
        if (code == RSQ_OK)
            *out = (rsq_lease){.conn = core->writer.conn};
        return code;
    }
    code =
        rsq_readers_acquire(&core->readers, rq->client, rq->sql, rq->sql_len, timeout_ms, &out->reader, err);
    if (code == RSQ_OK)
        out->conn = out->reader->conn;
    return code;
}

typedef rsq_code (*open_snapshot)(rsq_conn *conn, rsq_error *err);

static rsq_code lease(rsq_core *core, const rsq_request *rq, open_snapshot open, uint32_t timeout_ms,
                      rsq_lease *out, rsq_error *err)
{
    rsq_code code = acquire(core, rq, timeout_ms, out, err);

    if (code != RSQ_OK)
        return code;
    code = open(out->conn, err);
    if (code != RSQ_OK)
        rsq_core_release(core, out);
    return code;
}

rsq_code rsq_core_lease_alone(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_lease *out,
                              rsq_error *err)
{
    return lease(core, rq, rsq_conn_snapshot_alone, timeout_ms, out, err);
}

rsq_code rsq_core_lease(rsq_core *core, const rsq_request *rq, uint32_t timeout_ms, rsq_lease *out,
                        rsq_error *err)
{
    return lease(core, rq, rsq_conn_snapshot_open, timeout_ms, out, err);
}

void rsq_core_release(rsq_core *core, const rsq_lease *lease)
{
    if (lease->reader)
        rsq_readers_release(&core->readers, lease->reader);
    else
        rsq_writer_release(&core->writer);
}

void rsq_core_limit_age(rsq_core *core, const rsq_lease *lease)
{
    if (core->reader_age_limit_ms && lease->reader)
        rsq_readers_limit_age(&core->readers, lease->reader);
}

rsq_code rsq_core_age_verdict(rsq_core *core, const rsq_lease *lease, rsq_code code, rsq_error *err)
{
    int64_t row;

    if (code != RSQ_ECANCELLED || !core->reader_age_limit_ms || !lease->reader ||
        !rsq_readers_was_too_old(&core->readers, lease->reader))
        return code;
    row = err ? err->row : -1;
    code = rsq_error_set(err, RSQ_ESNAPSHOT, "the log had to begin anew, and the read took longer than %u ms",
                         (unsigned)core->reader_age_limit_ms);
    if (err)
        err->row = row;
    return code;
}
