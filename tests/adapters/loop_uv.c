/* Driver of the cases for <resqlite/uv.h>. */
#include "loop.h"

#include <resqlite/uv.h>

struct watch {
    rsq_uv_source source;
};

struct test_loop {
    uv_loop_t uv;
    uv_timer_t timer;
    bool fired;
};

static void on_timer(uv_timer_t *timer)
{
    ((test_loop *)timer->data)->fired = true;
}

test_loop *loop_new(void)
{
    test_loop *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    if (uv_loop_init(&l->uv) != 0) {
        free(l);
        return NULL;
    }
    (void)uv_timer_init(&l->uv, &l->timer);
    l->timer.data = l;
    return l;
}

bool loop_free(test_loop *l)
{
    bool empty;

    uv_close((uv_handle_t *)&l->timer, NULL);
    /* Not zero means that a handle is still alive after this turn, which waits for none. */
    empty = uv_run(&l->uv, UV_RUN_NOWAIT) == 0 && uv_loop_close(&l->uv) == 0;
    free(l);
    return empty;
}

int loop_attach(test_loop *l, rsq_queue *q, size_t max, watch **out)
{
    watch *w = calloc(1, sizeof *w);
    int rc = w ? rsq_uv_attach(&w->source, &l->uv, q) : UV_ENOMEM;

    if (rc != 0) {
        if (w)
            rsq_uv_detach(&w->source);
        free(w);
        return rc;
    }
    w->source.max = max;
    *out = w;
    return 0;
}

void loop_detach(test_loop *l, watch *w)
{
    (void)l;
    rsq_uv_detach(&w->source);
    rsq_uv_detach(&w->source);
    free(w);
}

bool loop_watches(test_loop *l, int fd)
{
    (void)l;
    return loop_epoll_holds(fd);
}

void loop_timer(test_loop *l, unsigned ms)
{
    l->fired = false;
    if (ms == 0) {
        (void)uv_timer_stop(&l->timer);
        return;
    }
    uv_update_time(&l->uv);
    (void)uv_timer_start(&l->timer, on_timer, ms, 0);
}

bool loop_fired(const test_loop *l)
{
    return l->fired;
}

bool loop_turn(test_loop *l)
{
    (void)uv_run(&l->uv, UV_RUN_ONCE);
    return true;
}
