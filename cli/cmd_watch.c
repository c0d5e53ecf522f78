/*
 * resqlite watch: a live query, printed again whenever its rows change.
 *
 * One thread and one poll(): signals come through a pipe, events of the live
 * query through the descriptor of the database's queue, statements to run from
 * standard input. Statements are read only after the first result, so that the
 * first one shows the database as it was found.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <resqlite.h>

#include "database.h"
#include "diag.h"
#include "json_out.h"
#include "number.h"
#include "out.h"
#include "statement.h"
#include "table.h"
#include "terminal.h"
#include "watch_diff.h"
#include "watch_input.h"
#include "watch_screen.h"

static const char help[] =
    "Usage: resqlite watch DATABASE SQL [PARAMETER…] [OPTION…]\n"
    "\n"
    "Prints the rows of a query, and again after each commit that changed them, by this\n"
    "command or by any other process. On a terminal the table is redrawn in place below\n"
    "a line with the commit number and the time, and cells that changed stand out;\n"
    "elsewhere each result is a block of lines. Ends on SIGINT (Ctrl-C), SIGTERM or\n"
    "SIGHUP, with status 0.\n"
    "\n"
    "To make commits, statements that write are read from standard input, one a line,\n"
    "after the first result: always when standard input is not a terminal, with -i on a\n"
    "terminal too. One that fails is reported, the others run. The end of standard input\n"
    "does not end the command.\n"
    "\n"
    "  --diff         after the first result only what changed: `+` a new row, `-` one\n"
    "                 that is gone, `~` one with other values, `>` one that moved\n"
    "  --ndjson       one JSON object for each result, with what it was run for:\n"
    "                 {\"commit\":…,\"why\":[\"value\",…],\"tables\":[\"main.t\",…],\"rows\":[…]},\n"
    "                 with --diff \"changes\":[{\"op\":\"insert\",…},…] instead of the rows\n"
    "  --until SQL    end when the first value of this query is neither NULL, 0 nor an\n"
    "                 empty text; it is asked again after each commit that may change it\n"
    "  --refresh MS   for a query with the clock or random(), which is refused else: run\n"
    "                 it after every commit, and every MS milliseconds\n"
    "  --count N      end after N results\n"
    "  -i, --input    read statements from a terminal as well\n"
    "  --no-header    tables without the line of column names\n"
    "\n"
    "Parameters, in the order of the SQL's `?`:\n"
    "  WORD           as text\n"
    "  --int N, --real X, --text T, --null, --blob-hex HEX\n"
    "  --infer        words that are written as numbers are numbers\n"
    "  --             all words that follow are parameters, not options\n"
    "\n"
    "Example:\n"
    "  echo \"INSERT INTO cities (name) VALUES ('Atlantis')\" |\n"
    "    resqlite watch cities.db 'SELECT count(*) FROM cities' --count 2\n"
    "  resqlite watch jobs.db 'SELECT id, state FROM job' --diff \\\n"
    "    --until \"SELECT count(*) = 0 FROM job WHERE state <> 'done'\"\n"
    "\n"
    "Exit status: 0 ended as asked, 1 SQL error, 2 usage, 3 cannot open, 4 output failed.\n";

typedef struct watch {
    statement statement;
    uint64_t count;      /* end after so many results; 0: never */
    uint32_t refresh_ms; /* 0: the query depends on tables only */
    const char *until;   /* borrowed; a query that says when to end; NULL: none */
    bool diff;
    bool read_terminal;

    rsq_db *db;            /* owned */
    rsq_stream *stream;    /* owned; NULL after its last event */
    rsq_stream *condition; /* the same of `until` */
    bool met;              /* the condition holds, in the commit that was shown last */
    uint64_t results;
    bool failed;    /* the query, since it was shown last: that is the screen's message */
    bool on_screen; /* drawn in place; else printed one after the other */
    bool reads_input;
    watch_screen screen;
    watch_input input;
    bool ended;
    int status;
} watch;

/* ---------------------------------------------------------- command line -- */

enum { OPTION_COUNT = 1, OPTION_INPUT, OPTION_DIFF, OPTION_UNTIL, OPTION_REFRESH };

static int take(watch *w, int option, const char *value)
{
    number n;

    switch (option) {
    case OPTION_HELP:
        w->statement.help = true;
        return STATUS_OK;
    case OPTION_INPUT:
        w->read_terminal = true;
        return STATUS_OK;
    case OPTION_DIFF:
        w->diff = true;
        return STATUS_OK;
    case OPTION_UNTIL:
        w->until = value;
        return STATUS_OK;
    case OPTION_REFRESH:
        n = number_read(value, strlen(value));
        if (n.kind != NUMBER_INTEGER || n.i < 1 || n.i > UINT32_MAX)
            return diag_usage("watch", "watch: --refresh %s: a number of milliseconds is expected", value);
        w->refresh_ms = (uint32_t)n.i;
        return STATUS_OK;
    case OPTION_COUNT:
        n = number_read(value, strlen(value));
        if (n.kind != NUMBER_INTEGER || n.i < 1)
            return diag_usage("watch", "watch: --count %s: a number from 1 is expected", value);
        w->count = (uint64_t)n.i;
        return STATUS_OK;
    case ARGS_WRONG:
        return STATUS_USAGE;
    default:
        return statement_take(&w->statement, "watch", option, value);
    }
}

static int parse(watch *w, char **words)
{
    static const arg_option options[] = {
        PARAM_OPTIONS,
        {"ndjson", 0, false, OPTION_NDJSON},
        {"no-header", 0, false, OPTION_NO_HEADER},
        {"count", 0, true, OPTION_COUNT},
        {"diff", 0, false, OPTION_DIFF},
        {"until", 0, true, OPTION_UNTIL},
        {"refresh", 0, true, OPTION_REFRESH},
        {"input", 'i', false, OPTION_INPUT},
        HELP_OPTION,
        {NULL, 0, false, 0},
    };
    args a = {.command = "watch", .words = words, .options = options};
    const char *value;
    int option, status = STATUS_OK;

    while (status == STATUS_OK && !w->statement.help && (option = args_next(&a, &value)) != ARGS_END)
        status = take(w, option, value);
    return status == STATUS_OK && !w->statement.help ? statement_finish(&w->statement, "watch") : status;
}

/* ---------------------------------------------------------------- signals -- */

static int signal_pipe[2] = {-1, -1};

static void on_signal(int signo)
{
    int saved = errno;
    char byte = (char)signo;
    ssize_t ignored = write(signal_pipe[1], &byte, 1); /* full: it will be read, and one is as good as two */

    (void)ignored;
    errno = saved;
}

static bool catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT};
    struct sigaction action;

    if (pipe(signal_pipe) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
        fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
    return true;
}

static void take_signals(watch *w)
{
    bool is_drawn = w->on_screen && w->results;
    char signo;

    while (read(signal_pipe[0], &signo, 1) == 1) {
        if (signo != SIGWINCH && signo != SIGCONT)
            w->ended = true;
        if (!is_drawn)
            continue;
        if (signo == SIGWINCH)
            watch_screen_resized(&w->screen);
        else if (signo == SIGCONT)
            watch_screen_continued(&w->screen);
        else if (signo == SIGINT)
            watch_screen_interrupted();
    }
}

/* ----------------------------------------------------------------- events -- */

static void add_time(strbuf *b, const char *pattern)
{
    time_t now = time(NULL);
    struct tm local;
    char text[32];

    if (localtime_r(&now, &local) && strftime(text, sizeof text, pattern, &local))
        strbuf_puts(b, text);
}

static void show_on_screen(watch *w, const rsq_stream_event *ev)
{
    strbuf *status = &w->screen.status;
    size_t rows = rsq_result_rows(ev->result);

    rsq_result_unref(w->screen.result);
    w->screen.result = rsq_result_ref(ev->result);
    free(w->screen.changed);
    w->screen.changed = ev->kind == RSQ_EVENT_DIFFERENCE ? watch_diff_cells(ev) : NULL;
    if (w->failed)
        strbuf_cut(&w->screen.message, 0);
    w->failed = false;
    strbuf_cut(status, 0);
    strbuf_printf(status, "commit %" PRIu64 ", ", ev->commit_seq);
    add_time(status, "%H:%M:%S");
    strbuf_printf(status, ", %zu row%s; ", rows, rows == 1 ? "" : "s");
    strbuf_puts(status, w->reads_input ? "Ctrl-C ends, each line is a statement to run"
                                       : "Ctrl-C ends, -i to change something");
    watch_screen_draw(&w->screen);
}

static bool is_difference(const watch *w, const rsq_stream_event *ev)
{
    return w->diff && ev->kind == RSQ_EVENT_DIFFERENCE;
}

static void print_block(const watch *w, const rsq_stream_event *ev)
{
    table_options options = {.header = !w->statement.format.no_header};
    strbuf text = {0};

    strbuf_printf(&text, "-- commit %" PRIu64 ", ", ev->commit_seq);
    add_time(&text, "%Y-%m-%d %H:%M:%S");
    strbuf_putc(&text, '\n');
    if (is_difference(w, ev))
        watch_diff_lines(&text, ev);
    out_take(&text);
    if (!is_difference(w, ev))
        table_print(ev->result, &options);
    out_puts("\n");
    strbuf_fini(&text);
}

/* The rules that matched, and the tables that changed. */
static void add_reason(strbuf *line, const rsq_stream_event *ev)
{
    const char *comma = "";

    strbuf_puts(line, "\"why\":[");
    for (uint32_t rule = 1; rule && rule <= ev->why; rule <<= 1) {
        const char *name = ev->why & rule ? rsq_why_name(rule) : NULL;

        if (!name)
            continue;
        strbuf_printf(line, "%s\"%s\"", comma, name);
        comma = ",";
    }
    strbuf_puts(line, "],\"tables\":[");
    for (size_t i = 0; i < ev->ntables; i++) {
        strbuf_puts(line, i ? "," : "");
        json_add_string(line, ev->tables[i], strlen(ev->tables[i]));
    }
    strbuf_puts(line, "],");
}

static void print_line(const watch *w, const rsq_stream_event *ev)
{
    strbuf line = {0};

    strbuf_printf(&line, "{\"commit\":%" PRIu64 ",", ev->commit_seq);
    add_reason(&line, ev);
    if (is_difference(w, ev)) {
        strbuf_puts(&line, "\"changes\":");
        watch_diff_json(&line, ev);
    } else {
        strbuf_puts(&line, "\"rows\":");
        json_add_rows(&line, ev->result);
    }
    strbuf_puts(&line, "}\n");
    json_print(line.data, line.len);
    strbuf_fini(&line);
}

static void show_result(watch *w, const rsq_stream_event *ev)
{
    w->results++;
    if (w->statement.format.format == FORMAT_NDJSON)
        print_line(w, ev);
    else if (w->on_screen)
        show_on_screen(w, ev);
    else
        print_block(w, ev);
    if (!out_flush() || w->results == w->count)
        w->ended = true;
}

/* Errors have their own line, which on a screen must be part of the drawing. */
static void report(watch *w, const char *subject, const rsq_error *err)
{
    if (!w->on_screen || !w->results) {
        diag_sql(subject, err);
        return;
    }
    strbuf_cut(&w->screen.message, 0);
    diag_message(&w->screen.message, subject, err);
    watch_screen_draw(&w->screen);
}

static void on_event(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    watch *w = ctx;

    (void)s;
    if (ev->kind == RSQ_EVENT_END) {
        w->stream = NULL; /* freed when this returns */
        w->ended = true;
    }
    if (w->ended)
        return;
    switch (ev->kind) {
    case RSQ_EVENT_RESULT:
    case RSQ_EVENT_DIFFERENCE:
        show_result(w, ev);
        break;
    case RSQ_EVENT_ERROR:
        report(w, w->statement.database, ev->error);
        w->failed = true;
        /* A query that never worked is a mistake; one that did may work again after another statement. */
        if (ev->ended || !w->results) {
            w->status = diag_status(ev->error);
            w->ended = true;
        }
        break;
    case RSQ_EVENT_END:
    case RSQ_EVENT_SIGNAL:
        break;
    }
}

/* As SQL has it, but that a text is true if it is not empty. */
static bool is_true(const rsq_value *v)
{
    if (!v || v->type == RSQ_NULL)
        return false;
    if (v->type == RSQ_INTEGER)
        return v->as.i != 0;
    return v->type == RSQ_REAL ? v->as.d < 0 || v->as.d > 0 : v->len > 0;
}

/* The condition: its event comes with the rows of the same commit, in one dispatch. */
static void on_condition(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    watch *w = ctx;

    (void)s;
    if (ev->kind == RSQ_EVENT_END)
        w->condition = NULL;
    if (ev->kind == RSQ_EVENT_RESULT)
        w->met = is_true(rsq_result_cell(ev->result, 0, 0));
    if (ev->kind != RSQ_EVENT_ERROR || w->ended)
        return;
    report(w, "--until", ev->error);
    if (ev->ended) {
        w->status = diag_status(ev->error);
        w->ended = true;
    }
}

/* ------------------------------------------------------------- statements -- */

/* Nothing to run: white space and a comment. */
static bool is_blank(const char *line)
{
    line += strspn(line, " \t\r;");
    return *line == '\0' || strncmp(line, "--", 2) == 0;
}

static void run_line(watch *w)
{
    const char *line = watch_input_line(&w->input);
    strbuf subject = {0};
    rsq_error err;

    if (!line)
        return;
    if (w->on_screen && isatty(STDIN_FILENO))
        watch_screen_typed(&w->screen, line, strlen(line));
    strbuf_cut(&w->screen.message, 0);
    w->failed = false;
    if (is_blank(line))
        return;
    if (rsq_execute(w->db, line, NULL, 0, NULL, NULL, &err) == RSQ_OK)
        return;
    strbuf_printf(&subject, "%s: line %" PRIu64 " of stdin", w->statement.database, w->input.number);
    report(w, strbuf_cstr(&subject), &err);
    strbuf_fini(&subject);
    w->status = diag_status(&err);
}

/* ------------------------------------------------------------------- loop -- */

static void loop(watch *w)
{
    rsq_queue *queue = rsq_queue_default(w->db);
    enum { SIGNALS, EVENTS, OUTPUT, INPUT, SOURCES };
    struct pollfd fds[SOURCES] = {
        [SIGNALS] = {.fd = signal_pipe[0], .events = POLLIN},
        [EVENTS] = {.fd = rsq_queue_fd(queue), .events = POLLIN},
        [OUTPUT] = {.fd = STDOUT_FILENO}, /* asked for nothing, it tells when its reader is gone */
        [INPUT] = {.fd = -1, .events = POLLIN},
    };

    while (!w->ended) {
        bool may_run = w->reads_input && w->results;
        bool waits = may_run && watch_input_waits(&w->input);

        fds[INPUT].fd = may_run && !w->input.ended ? STDIN_FILENO : -1;
        if (poll(fds, SOURCES, waits ? 0 : -1) < 0)
            continue; /* EINTR: the signal is in the pipe */
        if (fds[SIGNALS].revents)
            take_signals(w);
        if (fds[OUTPUT].revents & (POLLERR | POLLHUP))
            w->ended = true;
        if (!w->ended && fds[EVENTS].revents)
            rsq_queue_dispatch(queue, 0, NULL);
        if (w->met && w->results)
            w->ended = true;
        if (!w->ended && fds[INPUT].revents)
            watch_input_read(&w->input);
        if (!w->ended && may_run)
            run_line(w);
    }
}

/* Both in one group, so that the condition is asked of the very commit that is shown. */
static int open_streams(watch *w)
{
    statement *s = &w->statement;
    rsq_stream_options options = {
        .size = sizeof options, .event = on_event, .ctx = w, .mode = RSQ_STREAM_DIFFERENCE, .group = 1};
    rsq_error err;

    if (w->refresh_ms) {
        options.flags = RSQ_STREAM_VOLATILE;
        options.refresh_ms = w->refresh_ms;
    }
    if (rsq_stream_open(w->db, s->sql, s->params.values, s->params.count, &options, &w->stream, &err) !=
        RSQ_OK)
        return diag_sql(s->database, &err);
    options.event = on_condition;
    options.mode = RSQ_STREAM_RESULT;
    if (w->until && rsq_stream_open(w->db, w->until, NULL, 0, &options, &w->condition, &err) != RSQ_OK)
        return diag_sql("--until", &err);
    return STATUS_OK;
}

static int run(watch *w)
{
    statement *s = &w->statement;
    int status;

    w->on_screen = s->format.format == FORMAT_TABLE && !w->diff && terminal_has_cursor(STDOUT_FILENO);
    w->reads_input = w->read_terminal || !isatty(STDIN_FILENO);
    w->screen.no_header = s->format.no_header;
    if (!catch_signals()) {
        diag_error("no pipe for signals: %s", strerror(errno));
        return STATUS_SYSTEM;
    }
    status = open_streams(w);
    if (status == STATUS_OK)
        loop(w);
    w->ended = true;
    rsq_stream_close(w->stream);
    rsq_stream_close(w->condition);
    return status == STATUS_OK ? w->status : status;
}

int cmd_watch(char **words)
{
    watch w = {0};
    int status = parse(&w, words);

    if (w.statement.help) {
        out_puts(help);
    } else if (status == STATUS_OK) {
        status = database_open(w.statement.database, RSQ_OPEN_NO_CREATE, &w.db);
        if (status == STATUS_OK) {
            status = run(&w);
            rsq_close(w.db); /* delivers the stream's last event, so `w` must still be there */
        }
    }
    watch_screen_fini(&w.screen);
    watch_input_fini(&w.input);
    statement_fini(&w.statement);
    return status;
}
