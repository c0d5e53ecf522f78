#include <resqlite.h>
#include <stdio.h>

static void on_event(rsq_stream *stream, const rsq_stream_event *ev, void *ctx)
{
    (void)stream, (void)ctx;
    puts(ev->error ? ev->error->message : ev->result ? "now:" : "closed");
    for (size_t i = 0; ev->result && i < rsq_result_rows(ev->result); i++)
        printf("  %s, %.2f\n", rsq_result_text(ev->result, i, 0, NULL), rsq_result_double(ev->result, i, 1));
}
int main(void)
{
    rsq_stream_options live = {.size = sizeof live, .event = on_event};
    rsq_value oslo[] = {rsq_text("Oslo"), rsq_real(59.91)};
    rsq_error err = {.message = "no event within 5 seconds"};
    rsq_stream *stream;
    rsq_result *json;
    rsq_db *db;
    if (rsq_open("first.db", NULL, &db, &err) ||
        rsq_execute(db, "CREATE TABLE IF NOT EXISTS city(name TEXT, lat REAL)", NULL, 0, NULL, NULL, &err) ||
        rsq_stream_open(db, "SELECT name, lat FROM city ORDER BY lat DESC", NULL, 0, &live, &stream, &err) ||
        rsq_queue_wait(rsq_queue_default(db), 5000) || rsq_queue_dispatch(rsq_queue_default(db), 0, NULL) ||
        rsq_execute(db, "INSERT INTO city VALUES (?, ?)", oslo, 2, NULL, NULL, &err) ||
        rsq_queue_wait(rsq_queue_default(db), 5000) || rsq_queue_dispatch(rsq_queue_default(db), 0, NULL) ||
        rsq_select_json(db, "SELECT * FROM city", NULL, 0, NULL, &json, &err))
        return fprintf(stderr, "%s\n", err.message), 1;
    puts(rsq_result_json(json, NULL));
    rsq_result_unref(json);
    return rsq_close(db) != RSQ_OK;
}
