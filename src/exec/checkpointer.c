#include "exec/checkpointer.h"

#include <assert.h>

#include "base/error.h"
#include "exec/cursor.h"
#include "exec/writer.h"

/* Pages from which the log should begin anew: readers are asked to come back for at most SHORT_PAUSE_MS. */
#define LONG_PAGES 4000
#define SHORT_PAUSE_MS 10

/* And when a reader was in the way, again after so many more: writers wait meanwhile. */
#define AGAIN_PAGES 1000

/*
 * Pages from which it has to, 47 MiB in the usual size; documented at
 * rsq_cursor_open(). Then reads in chunks are ended, and writers and new reads
 * wait for the readers that are out, so that slow ones do not make a log without
 * end; but not for ever, since a reader may wait for a writer.
 */
#define OVERLONG_PAGES 12000
#define LONG_PAUSE_MS 5000

/* For how long a copy tries to get past another process; and how often a checkpoint that somebody waits for
 * looks again while one is in its way. */
#define RETRY_MS 10

void rsq_checkpointer_init(rsq_checkpointer *ck, const rsq_conn_config *config, rsq_readers *readers,
                           rsq_cursors *cursors, rsq_writer *writer, uint32_t page_size)
{
    *ck = (rsq_checkpointer){
        .config = config, .readers = readers, .cursors = cursors, .writer = writer, .page_size = page_size};
    ck->restart_at = LONG_PAGES;
    atomic_init(&ck->pages, 0);
    rsq_mutex_init(&ck->mu);
    rsq_cond_init(&ck->changed);
}

void rsq_checkpointer_stop(rsq_checkpointer *ck)
{
    rsq_mutex_lock(&ck->mu);
    ck->stopping = true;
    rsq_cond_broadcast(&ck->changed);
    rsq_mutex_unlock(&ck->mu);
}

void rsq_checkpointer_dismiss(rsq_checkpointer *ck)
{
    rsq_mutex_lock(&ck->mu);
    rsq_cond_broadcast(&ck->changed);
    rsq_mutex_unlock(&ck->mu);
}

void rsq_checkpointer_fini(rsq_checkpointer *ck)
{
    assert(ck->stopping);
    if (ck->started)
        rsq_thread_join(ck->thread);
    assert(!ck->busy);
    rsq_conn_close(ck->conn);
    rsq_cond_fini(&ck->changed);
    rsq_mutex_fini(&ck->mu);
}

/* --- one pass, by who is busy --- */

static rsq_code copy(rsq_checkpointer *ck, uint32_t mode, uint32_t busy_ms, rsq_log_figures *out,
                     rsq_error *err)
{
    rsq_code code = RSQ_OK;

    if (!ck->conn)
        code = rsq_conn_open(ck->config, RSQ_CONN_CHECKPOINTER, &ck->conn, err);
    if (code != RSQ_OK)
        return code;
    code = rsq_conn_checkpoint(ck->conn, mode, busy_ms, out, err);
    if (rsq_conn_broken(ck->conn)) {
        rsq_conn_close(ck->conn);
        ck->conn = NULL;
    }
    return code;
}

static bool is_complete(const rsq_log_figures *f)
{
    return f->copied == f->pages;
}

/* What came of an attempt to have the log begin anew. */
typedef struct attempt {
    bool quiet;        /* all readers had come back */
    rsq_code code;     /* of the copy */
    char holders[320]; /* who had not */
} attempt;

static void set_wants_turn(rsq_checkpointer *ck, bool wants)
{
    rsq_mutex_lock(&ck->mu);
    ck->wants_turn = wants;
    rsq_cond_broadcast(&ck->changed);
    rsq_mutex_unlock(&ck->mu);
}

/*
 * With the turn, and no reader out: copy all. With readers out, copy what goes.
 * RSQ_OK: it was tried. Else there was no turn.
 */
static rsq_code try_restart(rsq_checkpointer *ck, const rsq_client *client, uint32_t mode, uint32_t turn_ms,
                            uint32_t pause_ms, attempt *a, rsq_log_figures *out, rsq_error *err)
{
    static const char name[] = "a checkpoint";
    rsq_code code;

    set_wants_turn(ck, true);
    code = rsq_writer_acquire(ck->writer, client, name, sizeof name - 1, turn_ms, err);
    set_wants_turn(ck, false);
    if (code != RSQ_OK)
        return code;
    a->holders[0] = '\0';
    a->quiet = rsq_readers_pause(ck->readers, pause_ms);
    if (!a->quiet)
        rsq_readers_describe(ck->readers, a->holders, sizeof a->holders);
    a->code = copy(ck, a->quiet ? mode : RSQ_CHECKPOINT_PASSIVE, RETRY_MS, out, err);
    rsq_readers_resume(ck->readers);
    rsq_writer_release(ck->writer);
    return RSQ_OK;
}

static void set_copying(rsq_checkpointer *ck, bool copying)
{
    rsq_mutex_lock(&ck->mu);
    ck->copying = copying;
    rsq_cond_broadcast(&ck->changed);
    rsq_mutex_unlock(&ck->mu);
}

/* In the background. What fails is tried again when the log has grown further. */
static void pass(rsq_checkpointer *ck, rsq_checkpoint_counts *counts)
{
    rsq_log_figures log = {0};
    attempt a;

    counts->passes++;
    rsq_readers_let_go(ck->readers);
    set_copying(ck, true);
    if (copy(ck, RSQ_CHECKPOINT_PASSIVE, RETRY_MS, &log, NULL) != RSQ_OK)
        counts->failed++;
    set_copying(ck, false);
    if (log.pages < LONG_PAGES)
        ck->restart_at = LONG_PAGES; /* it has begun anew */
    if (log.pages < ck->restart_at)
        return;
    ck->restart_at = log.pages + AGAIN_PAGES;
    if (log.pages >= OVERLONG_PAGES)
        rsq_cursors_cut(ck->cursors);
    if (try_restart(ck, NULL, RSQ_CHECKPOINT_PASSIVE, RSQ_NO_TIMEOUT,
                    log.pages < OVERLONG_PAGES ? SHORT_PAUSE_MS : LONG_PAUSE_MS, &a, &log, NULL) != RSQ_OK)
        return;
    counts->failed += a.code != RSQ_OK;
    if (a.quiet && a.code == RSQ_OK && is_complete(&log))
        counts->restarts++;
    else
        counts->blocked++;
}

static void end_pass_locked(rsq_checkpointer *ck, const rsq_checkpoint_counts *counts)
{
    ck->busy = false;
    ck->counts.passes += counts->passes;
    ck->counts.restarts += counts->restarts;
    ck->counts.blocked += counts->blocked;
    ck->counts.failed += counts->failed;
    rsq_cond_broadcast(&ck->changed);
}

static void *checkpointer_main(void *checkpointer)
{
    rsq_checkpointer *ck = checkpointer;

    rsq_mutex_lock(&ck->mu);
    while (!ck->stopping) {
        rsq_checkpoint_counts counts = {0};

        if (!ck->asked || ck->busy) {
            (void)rsq_cond_wait_until(&ck->changed, &ck->mu, RSQ_NO_DEADLINE);
            continue;
        }
        ck->asked = false;
        ck->busy = true;
        rsq_mutex_unlock(&ck->mu);
        pass(ck, &counts);
        rsq_mutex_lock(&ck->mu);
        end_pass_locked(ck, &counts);
    }
    rsq_mutex_unlock(&ck->mu);
    return NULL;
}

/* It copies, or is about to, and will then want the turn, which is the caller's; copying waits for nobody. */
static bool is_behind_locked(const rsq_checkpointer *ck)
{
    return ck->started && !ck->stopping && !ck->wants_turn && (ck->copying || (ck->asked && !ck->busy));
}

void rsq_checkpointer_note(rsq_checkpointer *ck, rsq_conn *writing)
{
    uint32_t pages = (uint32_t)rsq_conn_log_pages(writing);

    atomic_store_explicit(&ck->pages, pages, memory_order_relaxed);
    if (!rsq_conn_log_grew(writing))
        return;
    rsq_mutex_lock(&ck->mu);
    ck->asked = true;
    /* If it cannot be started, the next time may do better. */
    if (!ck->started && !ck->stopping)
        ck->started = rsq_thread_start(&ck->thread, checkpointer_main, ck) == 0;
    rsq_cond_broadcast(&ck->changed);
    while (pages >= OVERLONG_PAGES && is_behind_locked(ck))
        (void)rsq_cond_wait_until(&ck->changed, &ck->mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&ck->mu);
}

/* --- for a caller --- */

static rsq_code begin_pass(rsq_checkpointer *ck, const rsq_client *client, int64_t deadline_ns,
                           rsq_error *err)
{
    rsq_code code = RSQ_OK;
    bool in_time = true;

    rsq_mutex_lock(&ck->mu);
    while (ck->busy && in_time && !rsq_client_is_closing(client))
        in_time = rsq_cond_wait_until(&ck->changed, &ck->mu, deadline_ns);
    if (rsq_client_is_closing(client))
        code = rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
    else if (ck->busy)
        code = rsq_error_set(err, RSQ_ETIMEOUT, "another checkpoint did not end in time");
    else
        ck->busy = true;
    rsq_mutex_unlock(&ck->mu);
    return code;
}

static rsq_code held_back(const attempt *a, rsq_error *err)
{
    return rsq_error_set(err, RSQ_ETIMEOUT, "the log cannot begin anew: held by %s",
                         a->holders[0] ? a->holders : "a reader");
}

/* Now, since it may go on for long. */
static void note_blocked(rsq_checkpointer *ck)
{
    rsq_mutex_lock(&ck->mu);
    ck->counts.blocked++;
    rsq_mutex_unlock(&ck->mu);
}

/* So that writers get their turn between two attempts. */
static void rest(rsq_checkpointer *ck)
{
    rsq_mutex_lock(&ck->mu);
    (void)rsq_cond_wait_until(&ck->changed, &ck->mu, rsq_deadline_ns(RETRY_MS));
    rsq_mutex_unlock(&ck->mu);
}

/* When one that is out now is too old at the latest, and the next attempt ends it. */
static int64_t next_look_ns(const rsq_checkpointer *ck, int64_t deadline_ns)
{
    int64_t look_ns = ck->readers->age_ms ? rsq_deadline_ns(ck->readers->age_ms) : RSQ_NO_DEADLINE;

    return look_ns < deadline_ns ? look_ns : deadline_ns;
}

/* Again and again, each time for a moment, until it is done or the time is over. */
static rsq_code restart(rsq_checkpointer *ck, const rsq_client *client, uint32_t mode, int64_t deadline_ns,
                        rsq_log_figures *out, rsq_checkpoint_counts *counts, rsq_error *err)
{
    for (;;) {
        uint32_t left = rsq_ms_until(deadline_ns);
        attempt a;
        rsq_code code =
            try_restart(ck, client, mode, left, left < SHORT_PAUSE_MS ? left : SHORT_PAUSE_MS, &a, out, err);

        if (code != RSQ_OK)
            return code;
        if (a.quiet && a.code == RSQ_OK) {
            counts->restarts++;
            return RSQ_OK;
        }
        note_blocked(ck);
        if (a.code != RSQ_OK && a.code != RSQ_EBUSY)
            return a.code;
        if (rsq_client_is_closing(client))
            return rsq_error_set(err, RSQ_ECLOSED, "the database is closed");
        if (rsq_now_ns() >= deadline_ns)
            return a.quiet ? a.code : held_back(&a, err);
        /* Another process is in the way for some time; our own readers say when they are not any more. */
        if (!a.quiet)
            (void)rsq_readers_outlast(ck->readers, client, next_look_ns(ck, deadline_ns));
        else
            rest(ck);
    }
}

rsq_code rsq_checkpointer_run(rsq_checkpointer *ck, const rsq_client *client, uint32_t mode,
                              uint32_t timeout_ms, rsq_log_figures *out, rsq_error *err)
{
    int64_t deadline_ns = rsq_deadline_ns(timeout_ms);
    rsq_checkpoint_counts counts = {.passes = 1};
    rsq_code code = begin_pass(ck, client, deadline_ns, err);

    *out = (rsq_log_figures){0};
    if (code != RSQ_OK)
        return code;
    rsq_readers_let_go(ck->readers);
    code = copy(ck, RSQ_CHECKPOINT_PASSIVE, RETRY_MS, out, err);
    if (mode != RSQ_CHECKPOINT_PASSIVE && (code == RSQ_OK || code == RSQ_EBUSY))
        code = restart(ck, client, mode, deadline_ns, out, &counts, err);
    counts.failed = code != RSQ_OK;
    rsq_mutex_lock(&ck->mu);
    end_pass_locked(ck, &counts);
    rsq_mutex_unlock(&ck->mu);
    return code;
}

void rsq_checkpointer_count(rsq_checkpointer *ck, rsq_checkpoint_counts *out)
{
    rsq_mutex_lock(&ck->mu);
    *out = ck->counts;
    rsq_mutex_unlock(&ck->mu);
}
