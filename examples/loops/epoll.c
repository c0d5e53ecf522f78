/* A live query, an asynchronous read and a timer that writes, in a loop around epoll_wait(). */
#include <resqlite/epoll.h>
#include <stdio.h>
#include <stdlib.h>

static rsq_db *db;
static int results;         /* of the live query, its end too */
static int timeout_ms = -1; /* until the write */

static void check(rsq_code code)
{
    if (code != RSQ_OK)
        exit(fprintf(stderr, "%s\n", rsq_code_name(code)));
}

static void on_read(rsq_op *op, void *ctx)
{
    rsq_result *r = rsq_op_take_result(op);

    (void)ctx;
    check(rsq_op_status(op));
    printf("read: %s\n", rsq_result_json(r, NULL));
    rsq_result_unref(r);
    timeout_ms = 10;
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
    struct epoll_event event = {0};
    int epfd = epoll_create1(0);
    rsq_epoll_source source;

    check(rsq_open(":memory:", NULL, &db, NULL));
    check(rsq_execute(db, "CREATE TABLE city AS SELECT 'Oslo' AS name", NULL, 0, NULL, NULL, NULL));
    check(rsq_stream_open(db, "SELECT 'cities: ' || count(*) FROM city", NULL, 0, &live, &stream, NULL));
    if (rsq_epoll_attach(&source, epfd, rsq_queue_default(db), (epoll_data_t){.ptr = &source}))
        return 1;
    while (results < 2) {
        if (epoll_wait(epfd, &event, 1, timeout_ms) == 0) {
            check(rsq_execute(db, "INSERT INTO city VALUES ('Rome')", NULL, 0, NULL, NULL, NULL));
            timeout_ms = -1;
        } else if (event.data.ptr == &source)
            check(rsq_epoll_dispatch(&source));
    }
    rsq_epoll_detach(&source);
    check(rsq_close(db));
}
