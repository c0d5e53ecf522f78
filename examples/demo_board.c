/* The figures and events as lines; see demo_board.h. */
#include "demo_board.h"

/* ---------------------------------------------------------------- figures -- */

static uint64_t per_second(const reader_figures *f, size_t kind)
{
    if (!f->slice_ns[kind])
        return 0;
    return (uint64_t)((double)f->latency[kind].count * (double)NS_PER_SECOND / (double)f->slice_ns[kind]);
}

static uint64_t commits_per_second(const figures *f)
{
    return f->seconds > 0 ? (uint64_t)((double)f->writes.latency.count / f->seconds + 0.5) : 0;
}

/* ------------------------------------------------------------------ table -- */

/* Widths of columns: of the first table, and of the live queries. */
enum { LABEL = 30, COLUMN = 12, QUERY = 19, COUNT = 9, P50 = 16, P99 = 8 };

static text *next_line(board_line *lines, size_t *n, line_style style)
{
    board_line *line = &lines[(*n)++];

    line->style = (int)style;
    text_clear(&line->text);
    return &line->text;
}

static void add_quantiles(text *t, const histogram *h)
{
    text_add_duration_right(t, histogram_quantile(h, 0.50), COLUMN);
    text_add_duration_right(t, histogram_quantile(h, 0.99), COLUMN);
}

static void add_rates(board_line *lines, size_t *n, const figures *f)
{
    static const char *const labels[READ_KINDS] = {"  one city by key", "  1,000 rows × 6 columns", "  "};
    uint64_t jsons = f->reads.latency[READ_JSON].count;
    text *t = next_line(lines, n, STYLE_TITLE);

    text_add(t, "reads, one thread");
    text_pad(t, LABEL);
    text_add_right(t, "per second", COLUMN);
    text_add_right(t, "p50", COLUMN);
    text_add_right(t, "p99", COLUMN);
    for (size_t i = 0; i < READ_KINDS; i++) {
        t = next_line(lines, n, STYLE_PLAIN);
        text_add(t, "%s", labels[i]);
        if (i == READ_JSON)
            text_add(t, "the same as %llu KB of JSON",
                     (unsigned long long)(jsons ? f->reads.json_bytes / jsons / 1000 : 0));
        text_pad(t, LABEL);
        text_add_count_right(t, per_second(&f->reads, i), COLUMN);
        add_quantiles(t, &f->reads.latency[i]);
    }
    t = next_line(lines, n, STYLE_TITLE);
    text_add(t, "writes, another thread");
    t = next_line(lines, n, STYLE_PLAIN);
    text_add(t, "  commits, at a steady pace");
    text_pad(t, LABEL);
    text_add_count_right(t, commits_per_second(f), COLUMN);
    add_quantiles(t, &f->writes.latency);
}

static void add_queries(board_line *lines, size_t *n, const figures *f)
{
    uint64_t woken = 0, emitted = 0;
    text *t = next_line(lines, n, STYLE_TITLE);

    text_add(t, "live queries");
    text_pad(t, QUERY);
    text_add_right(t, "wake-ups", COUNT);
    text_add_right(t, "re-runs", COUNT);
    text_add_right(t, "same", COUNT);
    text_add_right(t, "events", COUNT);
    text_add_right(t, "write→event p50", P50);
    text_add_right(t, "p99", P99);
    for (size_t i = 0; i < LIVE_QUERIES; i++) {
        const live_figures *q = &f->queries[i];

        t = next_line(lines, n, (line_style)(STYLE_QUERY + i));
        text_add(t, "  %s", live_title(i));
        text_pad(t, QUERY);
        text_add_count_right(t, q->counters.woken, COUNT);
        text_add_count_right(t, q->counters.runs, COUNT);
        text_add_count_right(t, q->counters.suppressed, COUNT);
        text_add_count_right(t, q->counters.emitted, COUNT);
        text_add_duration_right(t, histogram_quantile(&q->latency, 0.50), P50);
        text_add_duration_right(t, histogram_quantile(&q->latency, 0.99), P99);
        woken += q->counters.woken;
        emitted += q->counters.emitted;
    }
    t = next_line(lines, n, STYLE_FAINT);
    text_add(t, "  ");
    text_add_count(t, woken);
    text_add(t, " wake-ups became ");
    text_add_count(t, emitted);
    text_add(t, " events: an answer that stays the same is not sent");
}

size_t board_table(board_line *lines, const figures *f)
{
    size_t n = 0;

    add_rates(lines, &n, f);
    add_queries(lines, &n, f);
    return n;
}

void board_status_line(text *line, const figures *f)
{
    uint64_t woken = 0, emitted = 0;

    for (size_t i = 0; i < LIVE_QUERIES; i++) {
        woken += f->queries[i].counters.woken;
        emitted += f->queries[i].counters.emitted;
    }
    text_clear(line);
    text_add(line, "%3.0f s  ", f->seconds);
    text_add_count(line, per_second(&f->reads, READ_CITY));
    text_add(line, " look-ups/s, 1,000 rows ");
    text_add_count(line, per_second(&f->reads, READ_ROWS));
    text_add(line, "/s, as JSON ");
    text_add_count(line, per_second(&f->reads, READ_JSON));
    text_add(line, "/s; ");
    text_add_count(line, f->writes.latency.count);
    text_add(line, " commits: ");
    text_add_count(line, woken);
    text_add(line, " wake-ups, ");
    text_add_count(line, emitted);
    text_add(line, " events");
}

/* ----------------------------------------------------------------- events -- */

void board_event_line(board_line *line, double seconds, size_t query, const text *change)
{
    line->style = STYLE_QUERY + (int)query;
    text_clear(&line->text);
    text_add(&line->text, "%7.3f s  %s", seconds, live_title(query));
    text_pad(&line->text, 30);
    text_add(&line->text, "%s", change->data);
}

void board_add_event(board *b, const board_line *line)
{
    b->events[b->nevents++ % BOARD_EVENTS] = *line;
}

size_t board_events(board_line *lines, size_t max, const board *b)
{
    size_t n = b->nevents < BOARD_EVENTS ? b->nevents : BOARD_EVENTS;

    if (n > max)
        n = max;
    for (size_t i = 0; i < n; i++)
        lines[i] = b->events[(b->nevents - n + i) % BOARD_EVENTS];
    return n;
}
