/*
 * Fixture of the integration tests; see fixture.h for its rules.
 *
 * Waiting is always one of three things: rsq_queue_wait() for events, a gate for a thread of the test, a read
 * from a pipe for another process. The only loop that looks again and again is the one that counts threads at
 * a test's end, since the kernel removes a thread from /proc a moment after it could be joined.
 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A test that hangs is killed, and with it those after it: so late that a slow one on a busy machine under a
 * sanitizer, which may take a minute and a half, does not get there. */
#define HANG_SECONDS (4 * FIXTURE_DEADLINE_MS / 1000)

static void fail_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fail_at(const char *file, int line, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _fail(file, line);
}

static void *grown(void *old, size_t bytes)
{
    void *p = realloc(old, bytes ? bytes : 1);

    if (!p) {
        fprintf(stderr, "out of memory in a test\n");
        abort();
    }
    return p;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ----------------------------------------------------- set up and tear down -- */

/* Entries of a directory of /proc, less the "." and ".." that every one has. */
static size_t count_entries(const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

size_t fixture_descriptors(void)
{
    return count_entries("/proc/self/fd");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static bool back_to(const char *what, const char *dir, size_t before)
{
    uint64_t deadline = now_ms() + FIXTURE_DEADLINE_MS;
    size_t now;

    while ((now = count_entries(dir)) > before && now_ms() < deadline)
        sched_yield();
    if (now > before)
        print_error("%zu %s before the test, %zu after it\n", before, what, now);
    return now <= before;
}

static void *do_nothing(void *arg)
{
    return arg;
}

int fixture_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    pthread_t first;

    if (!f)
        return -1;
    /* A sanitizer starts a thread of its own beside the program's first one; it must be there before we
     * count. */
    if (pthread_create(&first, NULL, do_nothing, NULL) == 0)
        pthread_join(first, NULL);
    signal(SIGPIPE, SIG_IGN);
    alarm(HANG_SECONDS);
    f->fds = fixture_descriptors();
    f->threads = count_entries("/proc/self/task");
    snprintf(f->dir, sizeof f->dir, "%s/resqlite-test-XXXXXX", tmp && strlen(tmp) < 200 ? tmp : P_tmpdir);
    if (!mkdtemp(f->dir)) {
        free(f);
        return -1;
    }
    snprintf(f->path, sizeof f->path, "%s/test.db", f->dir);
    *state = f;
    return 0;
}

/* Every probe that was opened must have got exactly one end event, now that the database is closed. */
static bool probes_ended(const fixture *f)
{
    bool good = true;

    for (const probe *p = f->probes; p; p = p->next) {
        if (p->ends != 1 && !p->abandoned) {
            print_error("a live query got %zu end events\n", p->ends);
            good = false;
        }
        if (p->blame[0]) {
            print_error("a live query: %s\n", p->blame);
            good = false;
        }
    }
    return good;
}

static void free_event(probe_event *e)
{
    rsq_result_unref(e->result);
    rsq_result_unref(e->before);
    free(e->changes);
}

static void free_probes(fixture *f)
{
    probe *next;

    for (probe *p = f->probes; p; p = next) {
        next = p->next;
        for (size_t i = 0; i < p->count; i++)
            free_event(&p->events[i]);
        free(p->events);
        free(p);
    }
    f->probes = NULL;
}

static void free_parked(fixture *f)
{
    parked *p = f->parked;

    if (!p)
        return;
    gate_open(&p->go);
    if (!p->joined)
        pthread_join(p->thread.id, NULL);
    gate_fini(&p->inside);
    gate_fini(&p->go);
    free(p);
}

int fixture_teardown(void **state)
{
    fixture *f = *state;
    bool good = true;

    free_parked(f);
    rsq_close(f->db);
    if (f->queue && rsq_queue_dispatch(f->queue, 0, NULL) != RSQ_OK)
        good = false;
    good = probes_ended(f) && good;
    rsq_queue_free(f->queue);
    free_probes(f);
    good = back_to("descriptors", "/proc/self/fd", f->fds) && good;
    good = back_to("threads", "/proc/self/task", f->threads) && good;
    nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    alarm(0);
    free(f);
    return good ? 0 : -1;
}

char *fixture_file(const fixture *f, const char *name)
{
    size_t size = strlen(f->dir) + strlen(name) + 2;
    char *path = grown(NULL, size);

    snprintf(path, size, "%s/%s", f->dir, name);
    return path;
}

rsq_db *fixture_open_path(fixture *f, const char *path, const rsq_open_options *opts)
{
    rsq_db *db = NULL;

    WANT(f, RSQ_OK, rsq_open(path, opts, &db, &f->err));
    assert_non_null(db);
    return db;
}

rsq_db *fixture_open(fixture *f, const rsq_open_options *opts)
{
    f->db = fixture_open_path(f, f->path, opts);
    return f->db;
}

void fixture_close(fixture *f)
{
    WANT_CODE(RSQ_OK, rsq_close(f->db));
    f->db = NULL;
    f->canary = NULL;
}

rsq_queue *fixture_queue(fixture *f)
{
    if (!f->queue)
        WANT(f, RSQ_OK, rsq_queue_new(&f->queue, &f->err));
    return f->queue;
}

/* ------------------------------------------------------------- expectations -- */

/* Bytes of the UTF-8 sequence that `s` begins with; 0 if it is none. A NUL ends any sequence, so nothing
 * beyond it is read. Overlong forms and surrogates pass: no message has them unless it was given them. */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : 4;

    if ((s[0] >= 0x80 && s[0] < 0xc2) || s[0] >= 0xf5)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

/* Terminated inside its field, not empty, one line, and not cut in the middle of a character. */
static bool is_good_message(const rsq_error *err)
{
    const unsigned char *at = (const unsigned char *)err->message;
    size_t n = 1;

    if (!memchr(err->message, 0, sizeof err->message) || !*at)
        return false;
    while (*at && n > 0) {
        n = *at < ' ' ? 0 : utf8_length(at);
        at += n;
    }
    return n > 0;
}

void fixture_want(rsq_code expected, rsq_code got, rsq_error *err, const char *call, const char *file,
                  int line)
{
    if (got != expected) {
        fail_at(file, line, "%s\n  gives %s, expected %s%s%s", call, rsq_code_name(got),
                rsq_code_name(expected), err && got != RSQ_OK ? ": " : "",
                err && got != RSQ_OK ? err->message : "");
    }
    if (err && got != RSQ_OK) {
        if (err->code != (int32_t)got)
            fail_at(file, line, "%s\n  gives %s, its error says %d", call, rsq_code_name(got),
                    (int)err->code);
        if (!is_good_message(err))
            fail_at(file, line,
                    "%s\n  gives %s with a message that is empty, not UTF-8 or not one line: %.447s", call,
                    rsq_code_name(got), err->message);
    }
}

void fixture_exec(fixture *f, rsq_db *db, const char *sql, const char *file, int line)
{
    fixture_want(RSQ_OK, rsq_execute(db, sql, NULL, 0, NULL, NULL, &f->err), &f->err, sql, file, line);
}

void fixture_expect_result(const rsq_result *r, const char *rows, const char *file, int line)
{
    char *got = fixture_dump(r);
    bool same = strcmp(got, rows) == 0;

    if (!same)
        fprintf(stderr, "got\n%s\nexpected\n%s\n", got, rows);
    free(got);
    if (!same)
        fail_at(file, line, "other rows than expected");
}

void fixture_expect_rows(fixture *f, rsq_db *db, const char *sql, const char *rows, const char *file,
                         int line)
{
    rsq_result *r = NULL;

    fixture_want(RSQ_OK, rsq_select(db, sql, NULL, 0, NULL, &r, &f->err), &f->err, sql, file, line);
    fixture_expect_result(r, rows, file, line);
    rsq_result_unref(r);
}

static bool same_cell(const rsq_value *a, const rsq_value *b)
{
    if (a->type != b->type || a->len != b->len)
        return false;
    if (a->type >= RSQ_TEXT)
        return memcmp(a->as.blob, b->as.blob, a->len) == 0;
    return a->type == RSQ_NULL || a->as.i == b->as.i;
}

void fixture_expect_part(const rsq_result *chunk, const rsq_result *whole, size_t from, const char *file,
                         int line)
{
    size_t columns = rsq_result_columns(whole);

    if (rsq_result_columns(chunk) != columns || from + rsq_result_rows(chunk) > rsq_result_rows(whole))
        fail_at(file, line, "%zu rows of %zu columns are no part of the answer from row %zu",
                rsq_result_rows(chunk), rsq_result_columns(chunk), from);
    for (size_t c = 0; c < columns; c++) {
        _assert_string_equal(rsq_result_column_name(chunk, c), rsq_result_column_name(whole, c), file, line);
        for (size_t r = 0; r < rsq_result_rows(chunk); r++) {
            if (!same_cell(rsq_result_cell(chunk, r, c), rsq_result_cell(whole, from + r, c)))
                fail_at(file, line, "row %zu, column %zu is another one", from + r, c);
        }
    }
}

int64_t fixture_integer(fixture *f, rsq_db *db, const char *sql, const char *file, int line)
{
    rsq_result *r = NULL;
    int64_t i;

    fixture_want(RSQ_OK, rsq_select(db, sql, NULL, 0, NULL, &r, &f->err), &f->err, sql, file, line);
    if (rsq_result_rows(r) != 1 || rsq_result_type(r, 0, 0) != RSQ_INTEGER)
        fail_at(file, line, "%s\n  does not answer one integer", sql);
    i = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    return i;
}

/* ---------------------------------------------------------- rows as text -- */

typedef struct text {
    char *bytes;
    size_t len, cap;
} text;

static void text_add(text *t, const char *bytes, size_t len)
{
    if (t->len + len + 1 > t->cap) {
        t->cap = 2 * (t->len + len + 1);
        t->bytes = grown(t->bytes, t->cap);
    }
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    t->bytes[t->len] = 0;
}

static void text_add_cell(text *t, const rsq_value *v)
{
    char number[64];

    switch (v->type) {
    case RSQ_NULL:
        text_add(t, "NULL", 4);
        break;
    case RSQ_INTEGER:
        text_add(t, number, (size_t)snprintf(number, sizeof number, "%" PRId64, v->as.i));
        break;
    case RSQ_REAL:
        snprintf(number, sizeof number, "%.17g", v->as.d);
        if (!strpbrk(number, ".enia"))
            strcat(number, ".0");
        text_add(t, number, strlen(number));
        break;
    case RSQ_TEXT:
        text_add(t, "'", 1);
        text_add(t, v->as.text, v->len);
        text_add(t, "'", 1);
        break;
    default:
        text_add(t, "x'", 2);
        for (uint32_t i = 0; i < v->len; i++) {
            unsigned byte = ((const unsigned char *)v->as.blob)[i];
            text_add(t, number, (size_t)snprintf(number, sizeof number, "%02x", byte));
        }
        text_add(t, "'", 1);
        break;
    }
}

char *fixture_dump(const rsq_result *r)
{
    text t = {0};
    size_t rows, columns;
    const rsq_value *cells = rsq_result_cells(r, &rows, &columns);

    text_add(&t, "", 0);
    for (size_t row = 0; row < rows; row++) {
        if (row > 0)
            text_add(&t, "\n", 1);
        for (size_t column = 0; column < columns; column++) {
            if (column > 0)
                text_add(&t, "|", 1);
            text_add_cell(&t, &cells[row * columns + column]);
        }
    }
    return t.bytes;
}

bool fixture_changed(const rsq_result *r, const char *table)
{
    size_t n = 0;
    const char *const *names = rsq_result_changed_tables(r, &n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], table) == 0)
            return true;
    }
    return false;
}

/* ------------------------------------------------------------ live queries -- */

static bool is_answer(rsq_event_kind kind)
{
    return kind == RSQ_EVENT_RESULT || kind == RSQ_EVENT_DIFFERENCE || kind == RSQ_EVENT_SIGNAL;
}

static void probe_blame(probe *p, const char *what)
{
    if (!p->blame[0])
        snprintf(p->blame, sizeof p->blame, "%s (event %zu)", what, p->count);
}

/* Everything that holds for each event of each live query is checked here, and noted; see the file's top. */
static void probe_check(probe *p, const rsq_stream *s, const rsq_stream_event *ev)
{
    if (ev->size != sizeof *ev)
        probe_blame(p, "the event's size is wrong");
    if (s != p->stream)
        probe_blame(p, "the event came before rsq_stream_open() had written the stream, or for another one");
    if (p->ends)
        probe_blame(p, "an event after the end event");
    if ((ev->kind == RSQ_EVENT_RESULT || ev->kind == RSQ_EVENT_DIFFERENCE) != (ev->result != NULL))
        probe_blame(p, "a result where none belongs, or none where one does");
    if ((ev->kind == RSQ_EVENT_ERROR) != (ev->error != NULL))
        probe_blame(p, "an error where none belongs, or none where one does");
    if ((ev->kind == RSQ_EVENT_DIFFERENCE) != (ev->before != NULL))
        probe_blame(p, "a difference without the answer before it, or such an answer without a difference");
    if ((ev->kind == RSQ_EVENT_END) != (ev->why == 0))
        probe_blame(p, "an event without a reason, or an end with one");
    if ((ev->tables != NULL) != (ev->ntables > 0))
        probe_blame(p, "a list of tables without tables, or tables without a list");
    if (is_answer(ev->kind) && p->results && ev->commit_seq <= p->newest && !p->may_repeat)
        probe_blame(p, "the commit number did not rise");
    if (p->count && p->events[p->count - 1].ended && ev->kind != RSQ_EVENT_END)
        probe_blame(p, "an event after the error that ended the stream");
}

static void copy_changes(probe_event *e, const rsq_stream_event *ev)
{
    size_t columns = 0;
    uint32_t *to;

    for (size_t i = 0; i < ev->nchanges; i++)
        columns += ev->changes[i].ncolumns;
    e->changes = grown(NULL, ev->nchanges * sizeof *e->changes + columns * sizeof *to);
    e->nchanges = ev->nchanges;
    to = (uint32_t *)(void *)(e->changes + ev->nchanges);
    for (size_t i = 0; i < ev->nchanges; i++) {
        e->changes[i] = ev->changes[i];
        if (!ev->changes[i].ncolumns)
            continue;
        memcpy(to, ev->changes[i].columns, ev->changes[i].ncolumns * sizeof *to);
        e->changes[i].columns = to;
        to += ev->changes[i].ncolumns;
    }
}

static void copy_tables(probe_event *e, const rsq_stream_event *ev)
{
    size_t len = 0;

    for (size_t i = 0; i < ev->ntables && len < sizeof e->tables; i++)
        len += (size_t)snprintf(e->tables + len, sizeof e->tables - len, "%s%s", i ? " " : "", ev->tables[i]);
}

static void probe_event_came(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    probe *p = ctx;
    probe_event *e;

    probe_check(p, s, ev);
    p->events = grown(p->events, (p->count + 1) * sizeof *p->events);
    e = &p->events[p->count];
    memset(e, 0, sizeof *e);
    e->kind = ev->kind;
    e->ended = ev->ended;
    e->commit_seq = ev->commit_seq;
    e->why = ev->why;
    copy_tables(e, ev);
    e->result = ev->result ? rsq_result_ref(ev->result) : NULL;
    e->before = ev->before ? rsq_result_ref(ev->before) : NULL;
    if (ev->kind == RSQ_EVENT_DIFFERENCE)
        copy_changes(e, ev);
    if (ev->error)
        e->error = *ev->error;
    p->count++;
    if (is_answer(ev->kind)) {
        p->results++;
        p->newest = ev->commit_seq;
    } else if (ev->kind == RSQ_EVENT_END) {
        p->ends++;
        p->stream = NULL;
    }
    if (p->then)
        p->then(p, e, p->then_ctx);
}

probe *probe_new(fixture *f, rsq_queue *q, rsq_stream_options *opts)
{
    probe *p = grown(NULL, sizeof *p);

    memset(p, 0, sizeof *p);
    p->f = f;
    p->queue = q;
    p->next = f->probes;
    f->probes = p;
    memset(opts, 0, sizeof *opts);
    opts->size = sizeof *opts;
    opts->queue = q;
    opts->event = probe_event_came;
    opts->ctx = p;
    return p;
}

probe *probe_in_group(fixture *f, const char *sql)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    opts.group = 1;
    WATCH_SET(f, p, sql, &opts);
    return p;
}

probe *probe_open(fixture *f, rsq_db *db, rsq_queue *q, const char *sql, const rsq_value *params,
                  size_t nparams, const char *file, int line)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, q, &opts);
    rsq_code rc = rsq_stream_open(db, sql, params, nparams, &opts, &p->stream, &f->err);

    if (rc != RSQ_OK)
        p->abandoned = true;
    fixture_want(RSQ_OK, rc, &f->err, sql, file, line);
    return p;
}

/* Dispatch until `p` has more than `count` events; false when the deadline passes first. */
static bool probe_wait(probe *p, size_t count)
{
    uint64_t deadline = now_ms() + FIXTURE_DEADLINE_MS;

    while (p->count <= count) {
        uint64_t now = now_ms();

        if (now >= deadline || rsq_queue_wait(p->queue, (uint32_t)(deadline - now)) != RSQ_OK)
            return false;
        if (rsq_queue_dispatch(p->queue, 1, NULL) != RSQ_OK)
            return false;
    }
    return true;
}

const probe_event *probe_await(probe *p, const char *file, int line)
{
    if (p->taken == p->count && !probe_wait(p, p->taken))
        fail_at(file, line, "no event came");
    if (p->blame[0])
        fail_at(file, line, "%s", p->blame);
    return &p->events[p->taken++];
}

const probe_event *probe_expect_kind(probe *p, rsq_event_kind kind, const char *file, int line)
{
    static const char *const names[] = {"nothing", "a result",     "an error",
                                        "the end", "a difference", "a signal"};
    const probe_event *e = probe_await(p, file, line);

    if (e->kind != kind) {
        fail_at(file, line, "event %zu is %s, not %s%s%s", p->taken, names[e->kind], names[kind],
                e->kind == RSQ_EVENT_ERROR ? ": " : "", e->error.message);
    }
    return e;
}

void probe_expect_rows(probe *p, const char *rows, const char *file, int line)
{
    fixture_expect_result(probe_expect_kind(p, RSQ_EVENT_RESULT, file, line)->result, rows, file, line);
}

const rsq_error *probe_expect_error(probe *p, const char *file, int line)
{
    const probe_event *e = probe_expect_kind(p, RSQ_EVENT_ERROR, file, line);

    if (e->error.code == RSQ_OK || !e->error.message[0])
        fail_at(file, line, "an error event without code or message");
    return &e->error;
}

void probe_expect_end(probe *p, const char *file, int line)
{
    probe_expect_kind(p, RSQ_EVENT_END, file, line);
    if (p->count != p->taken)
        fail_at(file, line, "an event after the end");
}

void probe_expect_reaches(probe *p, const char *rows, const char *file, int line)
{
    for (;;) {
        const probe_event *e = probe_expect_kind(p, RSQ_EVENT_RESULT, file, line);
        char *got = fixture_dump(e->result);
        bool same = strcmp(got, rows) == 0;

        free(got);
        if (same)
            return;
    }
}

rsq_stream_counters probe_stats(probe *p)
{
    rsq_stream_counters c = {.size = sizeof c};

    WANT_CODE(RSQ_OK, rsq_stream_stats(p->stream, &c));
    return c;
}

void fixture_canary(fixture *f)
{
    EXEC(f, "CREATE TABLE canary(n INTEGER)");
    f->canary = WATCH(f, "SELECT count(*) FROM canary");
    EXPECT_EVENT(f->canary, "0");
}

void probe_expect_quiet(probe *p, const char *file, int line)
{
    rsq_result *write = NULL;
    rsq_stream_counters c;
    uint64_t seq;

    if (!p->f->canary)
        fail_at(file, line, "fixture_canary() was not called");
    if (p->count != p->taken)
        fail_at(file, line, "an event that was not looked at is there already");
    WANT(p->f, RSQ_OK,
         rsq_execute(p->f->db, "INSERT INTO canary VALUES (1)", NULL, 0, NULL, &write, &p->f->err));
    seq = rsq_result_commit_seq(write);
    rsq_result_unref(write);
    while (probe_expect_kind(p->f->canary, RSQ_EVENT_RESULT, file, line)->commit_seq < seq)
        continue;
    if (p->count != p->taken)
        fail_at(file, line, "an event came where none may come");
    c = probe_stats(p);
    if (c.emitted - c.replaced != p->results)
        fail_at(file, line, "%" PRIu64 " results emitted, %zu came", c.emitted - c.replaced, p->results);
}

void probe_close(probe *p)
{
    rsq_stream_close(p->stream);
    while (!p->ends) {
        if (!probe_wait(p, p->count))
            fail_at(__FILE__, __LINE__, "no end event came");
    }
    p->taken = p->count;
}

/* ----------------------------------------------------------------- threads -- */

void gate_init(gate *g)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&g->mu, NULL);
    pthread_cond_init(&g->opened, &attr);
    pthread_condattr_destroy(&attr);
    g->is_open = false;
}

void gate_fini(gate *g)
{
    pthread_cond_destroy(&g->opened);
    pthread_mutex_destroy(&g->mu);
}

void gate_open(gate *g)
{
    pthread_mutex_lock(&g->mu);
    g->is_open = true;
    pthread_cond_broadcast(&g->opened);
    pthread_mutex_unlock(&g->mu);
}

bool gate_wait(gate *g)
{
    struct timespec deadline;
    bool is_open;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += FIXTURE_DEADLINE_MS / 1000;
    pthread_mutex_lock(&g->mu);
    while (!g->is_open && pthread_cond_timedwait(&g->opened, &g->mu, &deadline) == 0)
        continue;
    is_open = g->is_open;
    pthread_mutex_unlock(&g->mu);
    return is_open;
}

bool gate_is_open(gate *g)
{
    bool is_open;

    pthread_mutex_lock(&g->mu);
    is_open = g->is_open;
    pthread_mutex_unlock(&g->mu);
    return is_open;
}

void verdict_init(verdict *v)
{
    pthread_mutex_init(&v->mu, NULL);
    v->text[0] = 0;
}

void verdict_blame(verdict *v, const char *what, const rsq_error *err, const char *file, int line)
{
    pthread_mutex_lock(&v->mu);
    if (!v->text[0]) {
        snprintf(v->text, sizeof v->text, "%s:%d: not so: %s%s%.200s", file, line, what, err ? ": " : "",
                 err ? err->message : "");
    }
    pthread_mutex_unlock(&v->mu);
}

void verdict_fini(verdict *v, const char *file, int line)
{
    pthread_mutex_destroy(&v->mu);
    if (v->text[0])
        fail_at(file, line, "%s", v->text);
}

static void *thread_main(void *arg)
{
    thread *t = arg;

    t->fn(t->ctx);
    gate_open(&t->done);
    return NULL;
}

void thread_start(thread *t, void (*fn)(void *ctx), void *ctx)
{
    gate_init(&t->done);
    t->fn = fn;
    t->ctx = ctx;
    assert_int_equal(pthread_create(&t->id, NULL, thread_main, t), 0);
}

void thread_join(thread *t, const char *file, int line)
{
    /* All that it has to do may take longer than any one thing; and what it uses goes with the test, so that
     * a thread that only is slow would end the program. */
    for (int waits = 0; !gate_wait(&t->done); waits++) {
        if (waits == 2)
            fail_at(file, line, "a thread of the test hangs");
    }
    pthread_join(t->id, NULL);
    gate_fini(&t->done);
}

typedef struct crew_member {
    thread thread;
    size_t index;
    pthread_barrier_t *start;
    void (*fn)(size_t index, void *ctx);
    void *ctx;
} crew_member;

static void crew_main(void *arg)
{
    crew_member *m = arg;

    pthread_barrier_wait(m->start);
    m->fn(m->index, m->ctx);
}

void crew_run(size_t n, void (*fn)(size_t index, void *ctx), void *ctx)
{
    crew_member *members = grown(NULL, n * sizeof *members);
    pthread_barrier_t start;

    pthread_barrier_init(&start, NULL, (unsigned)n);
    for (size_t i = 0; i < n; i++) {
        members[i].index = i;
        members[i].start = &start;
        members[i].fn = fn;
        members[i].ctx = ctx;
        thread_start(&members[i].thread, crew_main, &members[i]);
    }
    for (size_t i = 0; i < n; i++)
        THREAD_JOIN(&members[i].thread);
    pthread_barrier_destroy(&start);
    free(members);
}

static rsq_code parked_body(rsq_tx *tx, void *ctx)
{
    parked *p = ctx;

    p->first = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('first')", NULL, 0, NULL, NULL, NULL);
    gate_open(&p->inside);
    if (!gate_wait(&p->go))
        return RSQ_ETIMEOUT;
    p->second = rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('second')", NULL, 0, NULL, NULL, NULL);
    return p->first == RSQ_OK ? p->second : p->first;
}

static void run_parked(void *ctx)
{
    parked *p = ctx;

    p->code = rsq_transaction(p->db, parked_body, p, NULL, &p->err);
    gate_open(&p->inside); /* if the function was not even called */
}

parked *fixture_park(fixture *f, rsq_db *db)
{
    parked *p = grown(NULL, sizeof *p);

    assert_null(f->parked);
    memset(p, 0, sizeof *p);
    p->db = db;
    gate_init(&p->inside);
    gate_init(&p->go);
    thread_start(&p->thread, run_parked, p);
    f->parked = p;
    assert_true(gate_wait(&p->inside));
    return p;
}

void parked_go(parked *p)
{
    gate_open(&p->go);
}

void parked_join(parked *p)
{
    THREAD_JOIN(&p->thread);
    p->joined = true;
    WANT_CODE(RSQ_OK, p->first);
    WANT_CODE(RSQ_OK, p->second);
    fixture_want(RSQ_OK, p->code, &p->err, "the parked transaction", __FILE__, __LINE__);
}

void fixture_unpark(fixture *f)
{
    if (!f->parked)
        return;
    parked_join(f->parked);
    gate_fini(&f->parked->inside);
    gate_fini(&f->parked->go);
    free(f->parked);
    f->parked = NULL;
}

/* -------------------------------------------------------------------- files -- */

bool fixture_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

void fixture_write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

char *fixture_read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    text t = {0};
    char block[4096];
    size_t n;

    assert_non_null(file);
    text_add(&t, "", 0);
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        text_add(&t, block, n);
    fclose(file);
    if (len)
        *len = t.len;
    return t.bytes;
}

/* FNV-1a, 64 bits: quick, and nobody here tries to make two files collide. */
#define HASH_START 0xcbf29ce484222325u

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return h;
}

/* Continues the hash `h` with the bytes of a file. */
static uint64_t hash_file(uint64_t h, const char *path)
{
    size_t len;
    char *bytes = fixture_read_file(path, &len);

    h = hash_bytes(h, bytes, len);
    free(bytes);
    return h;
}

uint64_t fixture_file_digest(const char *path)
{
    return hash_file(HASH_START, path);
}

uint64_t fixture_digest(const char *dir)
{
    uint64_t sum = 0;
    DIR *d = opendir(dir);
    struct dirent *entry;

    assert_non_null(d);
    while ((entry = readdir(d))) {
        char path[1024];
        struct stat st;
        uint64_t h = hash_bytes(HASH_START, entry->d_name, strlen(entry->d_name));

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        assert_int_equal(lstat(path, &st), 0);
        h = hash_bytes(h, &st.st_mode, sizeof st.st_mode);
        if (S_ISREG(st.st_mode))
            h = hash_file(h, path);
        sum += h; /* a sum, since a directory has no order */
    }
    closedir(d);
    return sum;
}

/* ----------------------------------------------------------- other processes -- */

/* The helper program lies beside the test program unless the build says where it is. */
static void helper_path(char *out, size_t size)
{
    const char *given = getenv("RSQ_RAW_SQL");
    ssize_t n;
    char *slash;

    if (given) {
        snprintf(out, size, "%s", given);
        return;
    }
    n = readlink("/proc/self/exe", out, size - 1);
    assert_true(n > 0);
    out[n] = 0;
    slash = strrchr(out, '/');
    assert_non_null(slash);
    snprintf(slash + 1, size - (size_t)(slash + 1 - out), "raw_sql");
}

/* Not by fork(): in the child of a program with threads a sanitizer may wait for a lock that one of them had.
 */
void foreign_spawn(foreign *x, char *const argv[])
{
    posix_spawn_file_actions_t actions;
    int in[2], out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn(&x->pid, argv[0], &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    x->to = in[1];
    x->from = out[0];
}

void foreign_start(fixture *f, foreign *x, const char *path, const char *const *sql, size_t n)
{
    char helper[1024];
    char *argv[16];

    (void)f;
    assert_true(n + 3 <= LENGTH(argv));
    helper_path(helper, sizeof helper);
    argv[0] = helper;
    argv[1] = (char *)(uintptr_t)path;
    for (size_t i = 0; i < n; i++)
        argv[i + 2] = (char *)(uintptr_t)sql[i];
    argv[n + 2] = NULL;
    foreign_spawn(x, argv);
}

void foreign_await(foreign *x)
{
    char c = 0;

    do
        assert_int_equal(read(x->from, &c, 1), 1);
    while (c != '-');
    assert_int_equal(read(x->from, &c, 1), 1);
    assert_int_equal(c, '\n');
}

void foreign_go(foreign *x)
{
    assert_int_equal(write(x->to, "\n", 1), 1);
}

char *foreign_finish(foreign *x)
{
    text t = {0};
    char block[512];
    ssize_t n;
    int status = -1;

    text_add(&t, "", 0);
    while ((n = read(x->from, block, sizeof block)) > 0)
        text_add(&t, block, (size_t)n);
    close(x->to);
    close(x->from);
    assert_int_equal(waitpid(x->pid, &status, 0), x->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the other process failed: %s", t.bytes);
    while (t.len && t.bytes[t.len - 1] == '\n')
        t.bytes[--t.len] = 0;
    return t.bytes;
}

char *foreign_sql(fixture *f, const char *path, const char *sql)
{
    foreign x;

    foreign_start(f, &x, path, &sql, 1);
    return foreign_finish(&x);
}

/* ------------------------------------------------------------------ numbers -- */

uint64_t fixture_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t fixture_seed(const char *what)
{
    const char *given = getenv("RSQ_TEST_SEED");
    struct timespec t;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &t);
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)t.tv_nsec ^ ((uint64_t)t.tv_sec << 20);
    print_message("# %s: RSQ_TEST_SEED=%" PRIu64 "\n", what, seed);
    return seed;
}
