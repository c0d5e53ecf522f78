/* The reading thread; see demo_reader.h. */
#include "demo_reader.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "demo_random.h"

#define SLICE_NS (20 * NS_PER_MS)

/* A first key, with at least `rows` rows from there. */
static int64_t random_key(reader *r, int64_t rows)
{
    return 1 + (int64_t)(random_next(&r->random) % (uint64_t)(r->data->cities - rows + 1));
}

static rsq_code missing(rsq_error *err, int64_t wanted, size_t got)
{
    memset(err, 0, sizeof *err);
    snprintf(err->message, sizeof err->message, "%lld rows were to be read, %zu came", (long long)wanted,
             got);
    return RSQ_ECORRUPT;
}

/* `rows` rows from a random key on, and the latitude of each. */
static rsq_code read_rows(reader *r, const char *sql, int64_t rows)
{
    int64_t first = random_key(r, rows);
    rsq_value keys[] = {rsq_integer(first), rsq_integer(first + rows - 1)};
    rsq_code code;
    rsq_result *got;
    size_t n;

    code = rsq_select(r->data->db, sql, keys, rows == 1 ? 1 : 2, NULL, &got, &r->error);
    if (code != RSQ_OK)
        return code;
    n = rsq_result_rows(got);
    for (size_t i = 0; i < n; i++)
        r->latitudes += rsq_result_double(got, i, 1);
    rsq_result_unref(got);
    return n == (size_t)rows ? RSQ_OK : missing(&r->error, rows, n);
}

static rsq_code read_json(reader *r, const char *sql)
{
    int64_t first = random_key(r, READ_ROWS_COUNT);
    rsq_value keys[] = {rsq_integer(first), rsq_integer(first + READ_ROWS_COUNT - 1)};
    rsq_result *got;
    size_t bytes;
    rsq_code code = rsq_select_json(r->data->db, sql, keys, 2, NULL, &got, &r->error);

    if (code != RSQ_OK)
        return code;
    rsq_result_json(got, &bytes);
    r->own.json_bytes += bytes;
    rsq_result_unref(got);
    return RSQ_OK;
}

#define COLUMNS "SELECT name, lat, lng, country, admin1, admin2 FROM cities "

static rsq_code read_one(reader *r, size_t kind)
{
    switch (kind) {
    case READ_CITY:
        return read_rows(r, COLUMNS "WHERE rowid = ?", 1);
    case READ_ROWS:
        return read_rows(r, COLUMNS "WHERE rowid BETWEEN ? AND ?", READ_ROWS_COUNT);
    default:
        return read_json(r, COLUMNS "WHERE rowid BETWEEN ? AND ?");
    }
}

static rsq_code read_slice(reader *r, size_t kind)
{
    uint64_t began = now_ns(), before = began, after = began;
    rsq_code code = RSQ_OK;

    while (after - began < SLICE_NS && code == RSQ_OK) {
        code = read_one(r, kind);
        after = now_ns();
        histogram_add(&r->own.latency[kind], after - before);
        before = after;
    }
    r->own.slice_ns[kind] += after - began;
    return code;
}

static void publish(reader *r)
{
    pthread_mutex_lock(&r->mu);
    r->published = r->own;
    pthread_mutex_unlock(&r->mu);
}

static bool must_stop(const reader *r)
{
    struct pollfd fd = {.fd = r->stop_fd, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

static void *run(void *ctx)
{
    reader *r = ctx;
    rsq_code code = RSQ_OK;

    for (size_t slice = 0; code == RSQ_OK && !must_stop(r); slice++) {
        code = read_slice(r, slice % READ_KINDS);
        publish(r);
    }
    r->failed = code != RSQ_OK;
    if (r->failed && write(r->wake_fd, "f", 1) < 0)
        perror("demo: reader"); /* a pipe that nobody fills: cannot be */
    return NULL;
}

void reader_init(reader *r, const data *d, int stop_fd, int wake_fd)
{
    memset(r, 0, sizeof *r);
    r->data = d;
    r->stop_fd = stop_fd;
    r->wake_fd = wake_fd;
    r->random = 20240229;
    pthread_mutex_init(&r->mu, NULL);
}

bool reader_start(reader *r)
{
    return pthread_create(&r->thread, NULL, run, r) == 0;
}

void reader_join(reader *r)
{
    pthread_join(r->thread, NULL);
}

void reader_read(reader *r, reader_figures *f)
{
    pthread_mutex_lock(&r->mu);
    *f = r->published;
    pthread_mutex_unlock(&r->mu);
}

void reader_fini(reader *r)
{
    pthread_mutex_destroy(&r->mu);
}
