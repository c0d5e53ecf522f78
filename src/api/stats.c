/* rsq_stats(): gathers what each part counts. */
#include <string.h>

#include "api/db.h"
#include "base/error.h"
#include "exec/cursor.h"

_Static_assert(sizeof(((rsq_readers_figures *)0)->oldest) == RSQ_COUNTERS_TEXT, "a text is copied whole");
_Static_assert(sizeof(((rsq_writer_figures *)0)->holder) == RSQ_COUNTERS_TEXT, "a text is copied whole");

/* Of each page the log holds a header, and it begins with one. */
#define LOG_HEADER 32
#define LOG_PAGE_HEADER 24

/* Of something that goes on: less than a millisecond is not nothing. */
static uint64_t ms_of(int64_t ns)
{
    return ns < 1000000 ? 1 : (uint64_t)ns / 1000000;
}

static void count_readers(rsq_core *core, rsq_counters *c)
{
    rsq_readers_figures f;

    if (core->single)
        return;
    rsq_readers_count(&core->readers, &f);
    c->readers_max = core->readers.count;
    c->readers_open = f.open;
    c->readers_leased = f.leased;
    c->readers_waiting = f.waiting;
    c->readers_replaced = f.replaced;
    c->snapshots_kept = f.kept;
    c->leases = f.leases;
    c->statements += f.statements;
    c->oldest_read_ms = f.oldest[0] ? ms_of(f.oldest_ns) : 0;
    memcpy(c->oldest_read, f.oldest, sizeof f.oldest);
}

static void count_writer(rsq_core *core, rsq_counters *c)
{
    rsq_writer_figures f;

    rsq_writer_count(&core->writer, &f);
    c->writers_waiting = f.waiting;
    c->writer_held_ms = f.holder[0] ? ms_of(f.held_ns) : 0;
    memcpy(c->writer_holder, f.holder, sizeof f.holder);
    c->commits = f.commits;
    c->groups = f.groups.groups;
    c->grouped = f.groups.members;
    c->statements += f.statements;
}

static void count_log(rsq_checkpointer *ck, rsq_counters *c)
{
    rsq_checkpoint_counts counts;

    rsq_checkpointer_count(ck, &counts);
    c->log_pages = atomic_load_explicit(&ck->pages, memory_order_relaxed);
    c->log_bytes = c->log_pages ? LOG_HEADER + c->log_pages * (ck->page_size + LOG_PAGE_HEADER) : 0;
    c->checkpoints = counts.passes;
    c->log_restarts = counts.restarts;
    c->log_blocked = counts.blocked;
    c->checkpoint_errors = counts.failed;
}

static void count_jobs(rsq_db *db, rsq_counters *c)
{
    rsq_core *core = db->core;
    size_t waiting, running;

    rsq_workers_count(&core->workers, &waiting, &running);
    c->runs_waiting = waiting;
    c->runs_running = running;
    rsq_workers_count(&core->op_workers, &waiting, &running);
    c->ops_waiting = waiting;
    c->ops_running = running;
    c->cursors = rsq_cursors_count(&core->cursors);
}

static void count_streams(rsq_streams *ss, rsq_counters *c)
{
    rsq_streams_figures f;

    rsq_streams_count(ss, &f);
    c->live_queries = f.queries;
    c->streams = f.streams;
    c->live_woken = f.lives.woken;
    c->live_runs = f.lives.runs;
    c->live_suppressed = f.lives.suppressed;
    c->live_emitted = f.emitted;
    c->live_skipped = f.lives.skipped;
    c->live_checks = f.lives.checks;
    c->live_missed = f.lives.missed;
    c->live_spared_by_column = f.lives.spared.by_column;
    c->live_spared_by_value = f.lives.spared.by_value;
    c->live_spared_by_key = f.lives.spared.by_key;
}

rsq_code rsq_stats(rsq_db *db, rsq_counters *out, rsq_error *err)
{
    rsq_counters c = {0};
    rsq_code code;

    if (!out || out->size < sizeof out->size)
        return rsq_error_set(err, RSQ_EINVAL, "the counters are NULL or have no size");
    code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    c.size = out->size;
    c.handles = rsq_shared_handles(db->shared);
    c.commit_seq = atomic_load_explicit(&db->core->seq.newest, memory_order_relaxed);
    count_readers(db->core, &c);
    if (rsq_core_is_writable(db->core))
        count_writer(db->core, &c);
    if (rsq_core_is_writable(db->core) && !db->core->single)
        count_log(&db->core->checkpointer, &c);
    count_jobs(db, &c);
    count_streams(db->streams, &c);
    rsq_db_unpin(db);
    memcpy(out, &c, out->size < sizeof c ? out->size : sizeof c);
    return RSQ_OK;
}
