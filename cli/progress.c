/* How far something long is; see progress.h. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plain.h"
#include "strbuf.h"
#include "terminal.h"
#include "visible.h"

#define DRAW_EVERY_NS UINT64_C(100000000)
#define BAR_WIDTH 24

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static uint64_t rate(uint64_t rows, uint64_t since_ns, uint64_t now)
{
    double seconds = (double)(now - since_ns) / 1e9;

    return seconds > 0 ? (uint64_t)((double)rows / seconds) : 0;
}

static void print(strbuf *line)
{
    fwrite(line->data, 1, line->len, stderr);
    fflush(stderr);
    strbuf_fini(line);
}

void progress_init(progress *p, bool quiet)
{
    memset(p, 0, sizeof *p);
    p->quiet = quiet;
    p->unit = "rows";
    p->opened_ns = now_ns();
    p->draws = !quiet && terminal_has_cursor(STDERR_FILENO);
}

void progress_begin(progress *p, const char *label, uint64_t size)
{
    p->label = label;
    p->size = size;
    p->began_ns = now_ns();
    p->drawn_ns = 0;
}

static void add_bar(strbuf *line, uint64_t bytes, uint64_t size)
{
    size_t full = (size_t)((double)bytes / (double)size * BAR_WIDTH);

    if (full > BAR_WIDTH)
        full = BAR_WIDTH;
    strbuf_puts(line, " [");
    strbuf_fill(line, '#', full);
    strbuf_fill(line, '.', BAR_WIDTH - full);
    strbuf_printf(line, "] %3u %%", (unsigned)(bytes >= size ? 100 : bytes * 100 / size));
}

void progress_update(progress *p, uint64_t bytes, uint64_t rows)
{
    strbuf line = {0};
    uint64_t now;

    if (!p->draws)
        return;
    now = now_ns();
    if (p->drawn_ns && now - p->drawn_ns < DRAW_EVERY_NS)
        return;
    p->drawn_ns = now;
    p->drawn = true;
    strbuf_printf(&line, "\r%s", p->label);
    if (p->size)
        add_bar(&line, bytes, p->size);
    else
        strbuf_printf(&line, " %.1f MB", (double)bytes / 1e6);
    strbuf_puts(&line, "  ");
    plain_add_count(&line, rows);
    strbuf_printf(&line, " %s  ", p->unit);
    plain_add_count(&line, rate(rows, p->began_ns, now));
    strbuf_printf(&line, " %s/s\033[K", p->unit);
    print(&line);
}

void progress_erase(progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}

void progress_done(progress *p, const char *table, uint64_t rows)
{
    uint64_t now = now_ns();
    strbuf line = {0};

    progress_erase(p);
    if (p->quiet)
        return;
    plain_add_count(&line, rows);
    strbuf_puts(&line, rows == 1 ? " row imported into " : " rows imported into ");
    visible_text(&line, table, strlen(table), 0);
    strbuf_printf(&line, " in %.2f s (", (double)(now - p->opened_ns) / 1e9);
    plain_add_count(&line, rate(rows, p->opened_ns, now));
    strbuf_puts(&line, " rows/s)\n");
    print(&line);
}
