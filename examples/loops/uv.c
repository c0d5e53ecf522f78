/* A live query, an asynchronous read and a timer that writes, on a libuv loop. */
#include <resqlite/uv.h>
#include <stdio.h>
#include <stdlib.h>

static rsq_db *db;
static int results; /* of the live query, its end too */
static uv_timer_t timer;
static rsq_uv_source source;

static void check(rsq_code code)
{
    if (code != RSQ_OK)
        exit(fprintf(stderr, "%s\n", rsq_code_name(code)));
}

static void on_timer(uv_timer_t *t)
{
    (void)t;
    check(rsq_execute(db, "INSERT INTO city VALUES ('Rome')", NULL, 0, NULL, NULL, NULL));
}

static void on_read(rsq_op *op, void *ctx)
{
    rsq_result *r = rsq_op_take_result(op);

    (void)ctx;
    check(rsq_op_status(op));
    printf("read: %s\n", rsq_result_json(r, NULL));
    rsq_result_unref(r);
    uv_timer_start(&timer, on_timer, 10, 0);
}

static void on_event(rsq_stream *stream, const rsq_stream_event *ev, void *ctx)
{
    rsq_op_options read = {.size = sizeof read, .done = on_read};
    const char *text = ev->result ? rsq_result_text(ev->result, 0, 0, NULL) : "closed";

    (void)stream, (void)ctx;
    printf("live: %s\n", ev->error ? ev->error->message : text);
    if (results++ == 0)
        check(rsq_select_json_async(db, "SELECT name FROM city", NULL, 0, &read, NULL));
    else
        uv_stop(timer.loop);
}

int main(void)
{
    rsq_stream_options live = {.size = sizeof live, .event = on_event};
    rsq_stream *stream;

    check(rsq_open(":memory:", NULL, &db, NULL));
    check(rsq_execute(db, "CREATE TABLE city AS SELECT 'Oslo' AS name", NULL, 0, NULL, NULL, NULL));
    check(rsq_stream_open(db, "SELECT 'cities: ' || count(*) FROM city", NULL, 0, &live, &stream, NULL));
    if (uv_timer_init(uv_default_loop(), &timer) || rsq_uv_attach(&source, timer.loop, rsq_queue_default(db)))
        return 1;
    uv_run(timer.loop, UV_RUN_DEFAULT);
    rsq_uv_detach(&source);
    check(rsq_close(db));
}
