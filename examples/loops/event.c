/* A live query, an asynchronous read and a timer that writes, on a libevent base. */
#include <resqlite/event.h>
#include <stdio.h>
#include <stdlib.h>

static rsq_db *db;
static int results; /* of the live query, its end too */
static struct event_base *base;
static rsq_event_source source;

static void check(rsq_code code)
{
    if (code != RSQ_OK)
        exit(fprintf(stderr, "%s\n", rsq_code_name(code)));
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what, (void)ctx;
    check(rsq_execute(db, "INSERT INTO city VALUES ('Rome')", NULL, 0, NULL, NULL, NULL));
}

static void on_read(rsq_op *op, void *ctx)
{
    rsq_result *r = rsq_op_take_result(op);

    (void)ctx;
    check(rsq_op_status(op));
    printf("read: %s\n", rsq_result_json(r, NULL));
    rsq_result_unref(r);
    event_base_once(base, -1, EV_TIMEOUT, on_timer, NULL, &(struct timeval){.tv_usec = 10000});
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
        rsq_event_detach(&source); /* nothing is left on the base, so its loop ends */
}

int main(void)
{
    rsq_stream_options live = {.size = sizeof live, .event = on_event};
    rsq_stream *stream;

    check(rsq_open(":memory:", NULL, &db, NULL));
    check(rsq_execute(db, "CREATE TABLE city AS SELECT 'Oslo' AS name", NULL, 0, NULL, NULL, NULL));
    check(rsq_stream_open(db, "SELECT 'cities: ' || count(*) FROM city", NULL, 0, &live, &stream, NULL));
    if (!(base = event_base_new()) || rsq_event_attach(&source, base, rsq_queue_default(db)))
        return 1;
    event_base_dispatch(base);
    check(rsq_close(db));
    event_base_free(base);
}
