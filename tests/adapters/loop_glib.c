/* Driver of the cases for <resqlite/glib.h>: a main context of its own. */
#include "loop.h"

#include <resqlite/glib.h>

struct watch {
    rsq_glib_source source;
};

struct test_loop {
    GMainContext *context;
    GSource *timer; /* NULL: stopped */
    bool fired;
};

static gboolean on_timer(gpointer data)
{
    ((test_loop *)data)->fired = true;
    return G_SOURCE_CONTINUE; /* loop_timer() ends it */
}

test_loop *loop_new(void)
{
    test_loop *l = calloc(1, sizeof *l);

    if (l)
        l->context = g_main_context_new();
    return l;
}

/* Descriptors that the context would wait for now. */
static gint context_descriptors(GMainContext *context, GPollFD *fds, gint room)
{
    gint priority, timeout, n;

    if (!g_main_context_acquire(context))
        return -1;
    (void)g_main_context_prepare(context, &priority);
    n = g_main_context_query(context, G_MAXINT, &timeout, fds, room);
    (void)g_main_context_check(context, G_MAXINT, fds, n < room ? n : room);
    g_main_context_release(context);
    return n;
}

bool loop_free(test_loop *l)
{
    GPollFD fds[8];
    bool empty;

    loop_timer(l, 0);
    empty = context_descriptors(l->context, fds, 8) == 1; /* the context's own, for wake-ups */
    g_main_context_unref(l->context);
    free(l);
    return empty;
}

int loop_attach(test_loop *l, rsq_queue *q, size_t max, watch **out)
{
    watch *w = calloc(1, sizeof *w);
    int rc = w ? rsq_glib_attach(&w->source, l->context, q) : -ENOMEM;

    if (rc != 0) {
        if (w)
            rsq_glib_detach(&w->source);
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
    rsq_glib_detach(&w->source);
    rsq_glib_detach(&w->source);
    free(w);
}

bool loop_watches(test_loop *l, int fd)
{
    GPollFD fds[8];
    gint n = context_descriptors(l->context, fds, 8);
    bool watched = false;

    for (gint i = 0; i < n && i < 8; i++)
        watched = watched || fds[i].fd == fd;
    return watched;
}

void loop_timer(test_loop *l, unsigned ms)
{
    l->fired = false;
    if (l->timer) {
        g_source_destroy(l->timer);
        g_source_unref(l->timer);
        l->timer = NULL;
    }
    if (ms == 0)
        return;
    l->timer = g_timeout_source_new(ms);
    g_source_set_callback(l->timer, on_timer, l, NULL);
    (void)g_source_attach(l->timer, l->context);
}

bool loop_fired(const test_loop *l)
{
    return l->fired;
}

bool loop_turn(test_loop *l)
{
    (void)g_main_context_iteration(l->context, TRUE);
    return true;
}
