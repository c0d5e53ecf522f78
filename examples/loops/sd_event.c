/* A live query, an asynchronous read and a timer that writes, on an sd-event loop. */
#include <resqlite/sd_event.h>
#include <stdio.h>
#include <stdlib.h>

static rsq_db *db;
static int results; /* of the live query, its end too */
static sd_event *loop;
static rsq_sd_source source;

static void check(rsq_code code)
{
    if (code != RSQ_OK)
        exit(fprintf(stderr, "%s\n", rsq_code_name(code)));
}

static int on_timer(sd_event_source *timer, uint64_t usec, void *ctx)
{
    (void)timer, (void)usec, (void)ctx;
    check(rsq_execute(db, "INSERT INTO city VALUES ('Rome')", NULL, 0, NULL, NULL, NULL));
    return 0;
}

static void on_read(rsq_op *op, void *ctx)
{
    rsq_result *r = rsq_op_take_result(op);

    (void)ctx;
    check(rsq_op_status(op));
    printf("read: %s\n", rsq_result_json(r, NULL));
    rsq_result_unref(r);
    sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC, 10000, 1, on_timer, NULL);
}

static void on_event(rsq_stream *stream, const rsq_stream_event *ev, void *ctx)
{
    rsq_op_options read = {.size = sizeof read, .done = on_read};
    const char *text = ev->result ? rsq_result_text(ev->result, 0, 0, NULL) : "closed";

    (void)stream, (void)ctx;
    printf("live: %s\n", ev->error ? ev->error->message : text);
    if (results++ == 0)
        check(rsq_select_json_async(db, "SELECT name FROM city", NULL, 0, &read, NULL));
}

int main(void)
{
    rsq_stream_options live = {.size = sizeof live, .event = on_event};
    rsq_stream *stream;

    check(rsq_open(":memory:", NULL, &db, NULL));
    check(rsq_execute(db, "CREATE TABLE city AS SELECT 'Oslo' AS name", NULL, 0, NULL, NULL, NULL));
    check(rsq_stream_open(db, "SELECT 'cities: ' || count(*) FROM city", NULL, 0, &live, &stream, NULL));
    if (sd_event_default(&loop) < 0 || rsq_sd_attach(&source, loop, rsq_queue_default(db)))
        return 1;
    while (results < 2 && sd_event_run(loop, UINT64_MAX) >= 0)
        continue;
    rsq_sd_detach(&source);
    check(rsq_close(db));
}
