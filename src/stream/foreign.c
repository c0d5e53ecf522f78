#include "stream/foreign.h"

#include "stream/streams.h"

#define NS_PER_MS INT64_C(1000000)

/* While the writer is busy it is looked at so often, until what it does must be long over. */
#define BUSY_LOOK_NS NS_PER_MS
#define TRIES_MAX 100

/* A database that cannot be opened a second time is tried again so much later. */
#define REOPEN_NS (1000 * NS_PER_MS)

/* A first snapshot maps the shared memory, and remembers the schema. */
static bool open_conn(rsq_foreign *f, rsq_core *core)
{
    if (rsq_conn_open(&core->config, RSQ_CONN_READER, &f->conn, NULL) != RSQ_OK)
        return false;
    (void)rsq_conn_schema_changed(f->conn);
    f->useless = !rsq_conn_may_keep(f->conn);
    return true;
}

static bool writer_is_idle(rsq_core *core)
{
    return !rsq_core_is_writable(core) || rsq_writer_is_idle(&core->writer);
}

rsq_foreign_news rsq_foreign_look(rsq_foreign *f, rsq_core *core, rsq_streams *ss)
{
    rsq_foreign_news news = {.again_ns = RSQ_FOREIGN_LOOK_NS};
    uint64_t told_seq;
    bool idle;

    if (!f->conn && !open_conn(f, core)) {
        news.again_ns = REOPEN_NS;
        return news;
    }
    if (f->useless) {
        news.again_ns = RSQ_NO_DEADLINE;
        return news;
    }
    /* In this order: a commit of ours up to that number has been told if the writer is idle afterwards. */
    news.seq = rsq_conn_newest_seq(f->conn);
    idle = writer_is_idle(core);
    told_seq = rsq_streams_told(ss);
    if (news.seq > told_seq && !idle && ++f->tries < TRIES_MAX) {
        news.again_ns = BUSY_LOOK_NS;
        return news;
    }
    f->tries = 0;
    news.restarted = news.seq < f->seen_seq;
    news.committed = news.seq > told_seq || news.restarted;
    /* Which schema there was before the first look is not known. */
    if (news.committed)
        news.schema_changed = rsq_conn_schema_changed(f->conn) || !f->knows_schema;
    f->knows_schema = true;
    f->seen_seq = news.seq;
    return news;
}

void rsq_foreign_fini(rsq_foreign *f)
{
    rsq_conn_close(f->conn);
    *f = (rsq_foreign){0};
}
