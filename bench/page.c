/*
 * The report; see page.h. Several results are put in the order of their dates: the
 * newest is shown in full, all of them make the history.
 *
 * What comes from files is escaped on its way into the page: labels and names of
 * machines may contain anything.
 */
#include "page.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "published.h"
#include "store.h"

/* Of page_parts.c, which tools/embed.py makes. The last three are empty if npm's packages are not there. */
extern const char page_css[];
extern const char page_js[];
extern const char page_uplot_css[];
extern const char page_uplot_js[];
extern const char page_uplot_license[];

#define SCALING_POINTS_MIN 3

typedef struct book {
    bench_set sets[BENCH_WORDS_MAX]; /* oldest first once all are read */
    size_t n;
} book;

static const bench_set *newest(const book *b)
{
    return &b->sets[b->n - 1];
}

/* ----------------------------------------------------------------- escapes -- */

static void html(const char *text, FILE *out)
{
    static const char special[] = "<>&\"";
    static const char *const entities[] = {"&lt;", "&gt;", "&amp;", "&quot;"};

    for (; *text; text++) {
        const char *found = strchr(special, *text);

        if (found)
            fputs(entities[found - special], out);
        else
            fputc(*text, out);
    }
}

/* A JSON string that may stand inside a script: no tag can end in it. */
static void script_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == '<' || c == '&')
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void script_row(const double *values, size_t n, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%.6g", i > 0 ? "," : "", values[i]);
    fputc(']', out);
}

/* --------------------------------------------------------- what is in a set -- */

/* Is it the first entry of its workload, or of its case? */
static bool begins_workload(const bench_set *s, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(s->entries[k].workload, s->entries[i].workload) == 0)
            return false;
    }
    return true;
}

/* The number that a case's name is; 0: it is a word. */
static double case_number(const bench_entry *e)
{
    char *end;
    double number = strtod(e->name, &end);

    return *end == '\0' && number > 0 ? number : 0;
}

/* A point of a scaling curve: this peer in a case of this workload whose name is a number. */
static bool is_point(const bench_entry *e, const bench_entry *of)
{
    return strcmp(e->workload, of->workload) == 0 && strcmp(e->peer, of->peer) == 0 && case_number(e) > 0 &&
           e->median > 0;
}

/*
 * The exponent k of median = c × size^k, by least squares of the logarithms; NAN:
 * not enough points for a curve.
 */
static double slope_of(const bench_set *s, const bench_entry *of)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;

    for (size_t i = 0; i < s->n; i++) {
        double lx;
        double ly;

        if (!is_point(&s->entries[i], of))
            continue;
        lx = log(case_number(&s->entries[i]));
        ly = log(s->entries[i].median);
        n += 1;
        x += lx;
        y += ly;
        xx += lx * lx;
        xy += lx * ly;
    }
    return n >= SCALING_POINTS_MIN ? (n * xy - x * y) / (n * xx - x * x) : NAN;
}

/* Is it the first entry of a curve? */
static bool begins_curve(const bench_set *s, size_t i)
{
    if (!is_point(&s->entries[i], &s->entries[i]) || isnan(slope_of(s, &s->entries[i])))
        return false;
    for (size_t k = 0; k < i; k++) {
        if (is_point(&s->entries[k], &s->entries[i]))
            return false;
    }
    return true;
}

static bool has_curves(const bench_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (begins_curve(s, i))
            return true;
    }
    return false;
}

/* -------------------------------------------------------- figures for charts -- */

static void data_entry(const bench_entry *e, FILE *out)
{
    const struct {
        const char *key, *text;
    } texts[] = {{"workload", e->workload},
                 {"name", e->name},
                 {"peer", e->peer},
                 {"unit", e->unit},
                 {"to", e->ratio_to ? e->ratio_to : e->peer}};

    fputc('{', out);
    for (size_t i = 0; i < BENCH_LENGTH(texts); i++) {
        fprintf(out, "%s\"%s\":", i > 0 ? "," : "", texts[i].key);
        script_text(texts[i].text, out);
    }
    fprintf(out, ",\"median\":%.6g,\"ratio\":%.6g,\"size\":%.6g,\"quantiles\":", e->median, e->ratio,
            case_number(e));
    script_row(e->quantiles, e->nquantiles, out);
    fputc('}', out);
}

static void data_set(const bench_set *s, FILE *out)
{
    fputs("{\"label\":", out);
    script_text(s->header.label[0] ? s->header.label : s->path, out);
    fputs(",\"date\":", out);
    script_text(s->header.date, out);
    fputs(",\"entries\":[", out);
    for (size_t i = 0; i < s->n; i++) {
        fputs(i > 0 ? ",\n" : "\n", out);
        data_entry(&s->entries[i], out);
    }
    fputs("]}", out);
}

static void data(const book *b, FILE *out)
{
    double percents[BENCH_QUANTILES];

    for (size_t i = 0; i < BENCH_QUANTILES; i++)
        percents[i] = bench_quantile_percent(i);
    fputs("<script type=\"application/json\" id=\"figures\">\n{\"percents\":", out);
    script_row(percents, BENCH_QUANTILES, out);
    fputs(",\"runs\":[", out);
    for (size_t i = 0; i < b->n; i++) {
        fputs(i > 0 ? ",\n" : "", out);
        data_set(&b->sets[i], out);
    }
    fputs("]}\n</script>\n", out);
}

/* ------------------------------------------------------------------- tables -- */

/* Three digits that say something, whatever the size. */
static void figure(double value, FILE *out)
{
    int digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;

    fprintf(out, "<td>%.*f", digits, value);
}

static void page_header(const book *b, FILE *out)
{
    const bench_header *h = &newest(b)->header;
    const struct {
        const char *what, *text;
    } lines[] = {
        {"Run", h->label},     {"Date", h->date},         {"resqlite", h->resqlite},
        {"Commit", h->commit}, {"SQLite", h->sqlite},     {"Processor", h->cpu},
        {"Kernel", h->kernel}, {"Compiler", h->compiler}, {"Files on", h->files_on},
        {"Others", h->others},
    };

    fputs("<header>\n<h1>resqlite: benchmark</h1>\n<dl>\n", out);
    for (size_t i = 0; i < BENCH_LENGTH(lines); i++) {
        if (!lines[i].text[0])
            continue;
        fprintf(out, "<dt>%s<dd>", lines[i].what);
        html(lines[i].text, out);
        fputc('\n', out);
    }
    fprintf(out, "<dt>Cores<dd>%ld\n", h->cores);
    for (size_t i = 0; i < h->npeers; i++) {
        fputs("<dt>", out);
        html(h->peers[i].name, out);
        fputs("<dd>", out);
        html(h->peers[i].version, out);
        fputc('\n', out);
    }
    fputs("</dl>\n<details><summary>Flags of SQLite</summary>\n<p>", out);
    html(h->sqlite_flags, out);
    fputs("</p>\n</details>\n</header>\n", out);
}

/* Where the script draws; stays empty, and unseen, if it does not. */
static void chart_box(const char *kind, const char *workload, FILE *out)
{
    fprintf(out, "<div class=\"chart\" data-kind=\"%s\" data-workload=\"", kind);
    html(workload, out);
    fputs("\"></div>\n", out);
}

static void workload_row(const bench_entry *e, bool first_of_case, FILE *out)
{
    fprintf(out, "<tr%s><th>", first_of_case ? " class=\"first\"" : "");
    if (first_of_case)
        html(e->name, out);
    fprintf(out, "<td class=\"text%s\">", bench_peer_is_ours(e->peer) ? " ours" : "");
    html(e->peer, out);
    figure(e->median, out);
    figure(e->p90, out);
    figure(e->p99, out);
    fprintf(out, "<td>%.1f %%<td>%.1f %%<td>", e->median > 0 ? 100 * e->mad / e->median : 0,
            100 * e->detectable);
    if (e->ratio_to && strcmp(e->ratio_to, e->peer) != 0)
        fprintf(out, "%.3f <small>[%.3f&nbsp;%.3f]</small>", e->ratio, e->ratio_low, e->ratio_high);
    fputs("<td class=\"text\">", out);
    if (e->ratio_to && strcmp(e->ratio_to, e->peer) != 0)
        html(e->ratio_to, out);
    fputs("<td class=\"text\">", out);
    html(e->unit, out);
    fputs(e->noisy ? " <em>noisy</em>\n" : "\n", out);
}

static void workload(const bench_set *s, size_t from, FILE *out)
{
    const char *name = s->entries[from].workload;
    const char *last = "";

    fputs("<section>\n<h3>", out);
    html(name, out);
    fputs("</h3>\n", out);
    chart_box("peers", name, out);
    fputs("<details><summary>Figures</summary>\n<table>\n<tr><th>case<th "
          "class=\"text\">peer<th>median<th>p90<th>p99"
          "<th>MAD<th>sees<th>ratio [95 % interval]<th class=\"text\">to<th class=\"text\">unit\n",
          out);
    for (size_t i = from; i < s->n; i++) {
        const bench_entry *e = &s->entries[i];

        if (strcmp(e->workload, name) != 0)
            continue;
        workload_row(e, strcmp(e->name, last) != 0, out);
        last = e->name;
    }
    fputs("</table>\n</details>\n</section>\n", out);
}

static void workloads(const bench_set *s, FILE *out)
{
    fputs("<h2 id=\"workloads\">Workloads, against peers</h2>\n"
          "<p>A bar is how many times as long a peer takes as the one that its ratio is to; downwards is "
          "faster. The axis is "
          "logarithmic, so twice as fast is as far from the line as twice as slow. Which peer each is set "
          "against, and "
          "the times themselves, are in the figures.</p>\n",
          out);
    for (size_t i = 0; i < s->n; i++) {
        if (begins_workload(s, i))
            workload(s, i, out);
    }
}

static void curve_row(const bench_set *s, const bench_entry *of, FILE *out)
{
    fputs("<tr><th>", out);
    html(of->workload, out);
    fprintf(out, "<td class=\"text%s\">", bench_peer_is_ours(of->peer) ? " ours" : "");
    html(of->peer, out);
    fprintf(out, "<td>%.2f<td class=\"text\">", slope_of(s, of));
    for (size_t i = 0; i < s->n; i++) {
        if (is_point(&s->entries[i], of))
            fprintf(out, "%g:&nbsp;%.3g ", case_number(&s->entries[i]), s->entries[i].median);
    }
    fputc('\n', out);
}

static void curves(const bench_set *s, FILE *out)
{
    const char *drawn = "";

    if (!has_curves(s))
        return;
    fputs("<h2 id=\"scaling\">Scaling</h2>\n<p>Both axes are logarithmic. The slope is the power by which "
          "the time grows "
          "with the size: 1 is twice the time for twice the size.</p>\n<div class=\"grid\">\n",
          out);
    for (size_t i = 0; i < s->n; i++) {
        if (!begins_curve(s, i) || strcmp(s->entries[i].workload, drawn) == 0)
            continue;
        drawn = s->entries[i].workload;
        chart_box("scaling", drawn, out);
    }
    fputs("</div>\n<details><summary>Figures</summary>\n<table>\n<tr><th>workload<th "
          "class=\"text\">peer<th>slope"
          "<th class=\"text\">median for each size\n",
          out);
    for (size_t i = 0; i < s->n; i++) {
        if (begins_curve(s, i))
            curve_row(s, &s->entries[i], out);
    }
    fputs("</table>\n</details>\n", out);
}

/* Columns of the table of distributions, as indices of quantiles. */
static const size_t shown[] = {0, 3, 6, 11, 16, 19, 20, 21, 22};

static void distributions(const bench_set *s, FILE *out)
{
    fputs(
        "<h2 id=\"latency\">Latency</h2>\n<p>Which share of the samples took at most so long. A sample is "
        "the time of a "
        "block of operations by their number, so single slow calls are averaged with their neighbours.</p>\n"
        "<div class=\"chart\" data-kind=\"latency\"></div>\n<details><summary>Figures</summary>\n<table>\n"
        "<tr><th>case<th class=\"text\">peer",
        out);
    for (size_t k = 0; k < BENCH_LENGTH(shown); k++)
        fprintf(out, "<th>%u&nbsp;%%", bench_quantile_percent(shown[k]));
    fputs("<th class=\"text\">unit\n", out);
    for (size_t i = 0; i < s->n; i++) {
        const bench_entry *e = &s->entries[i];

        if (e->nquantiles == 0)
            continue;
        fputs("<tr><th>", out);
        html(e->workload, out);
        fputc('/', out);
        html(e->name, out);
        fputs("<td class=\"text\">", out);
        html(e->peer, out);
        for (size_t k = 0; k < BENCH_LENGTH(shown); k++)
            figure(e->quantiles[shown[k]], out);
        fputs("<td class=\"text\">", out);
        html(e->unit, out);
        fputc('\n', out);
    }
    fputs("</table>\n</details>\n", out);
}

static void memory(const bench_set *s, FILE *out)
{
    bool begun = false;

    for (size_t i = 0; i < s->n; i++) {
        const bench_entry *e = &s->entries[i];

        if (e->memory[BENCH_RSS].n == 0)
            continue;
        if (!begun) {
            fputs("<h2 id=\"memory\">Memory</h2>\n<details><summary>Figures</summary>\n<table>\n<tr><th>case"
                  "<th class=\"text\">peer",
                  out);
            for (size_t k = 0; k < BENCH_MEMORIES; k++)
                fprintf(out, "<th>%s", bench_memory_names[k].text);
            fputc('\n', out);
            begun = true;
        }
        fputs("<tr><th>", out);
        html(e->workload, out);
        fputc('/', out);
        html(e->name, out);
        fputs("<td class=\"text\">", out);
        html(e->peer, out);
        for (size_t k = 0; k < BENCH_MEMORIES; k++) {
            if (e->memory[k].n > 0)
                figure(bench_entry_memory(e, (bench_memory_kind)k).value, out);
            else
                fputs("<td>", out);
        }
        fputc('\n', out);
    }
    if (begun)
        fputs("</table>\n</details>\n", out);
}

static void history_row(const book *b, const bench_entry *e, FILE *out)
{
    fputs("<tr><th>", out);
    html(e->workload, out);
    fputc('/', out);
    html(e->name, out);
    fputs("<td class=\"text\">", out);
    html(e->peer, out);
    for (size_t i = 0; i < b->n; i++) {
        const bench_entry *was = bench_set_find(&b->sets[i], e->workload, e->name, e->peer);

        if (was)
            figure(was->median, out);
        else
            fputs("<td>", out);
    }
    fputs("<td class=\"text\">", out);
    html(e->unit, out);
    fputc('\n', out);
}

static void history(const book *b, FILE *out)
{
    fputs("<h2 id=\"history\">History</h2>\n", out);
    if (b->n < 2) {
        fputs("<p>There is one run so far. Given several results, the report shows how each figure "
              "moved.</p>\n",
              out);
        return;
    }
    fputs("<p>Ratio of the library to what each case is measured by, over the stored runs; the times are in "
          "the "
          "figures.</p>\n<div class=\"grid\">\n",
          out);
    for (size_t i = 0; i < newest(b)->n; i++) {
        if (begins_workload(newest(b), i))
            chart_box("history", newest(b)->entries[i].workload, out);
    }
    fputs("</div>\n<details><summary>Figures</summary>\n<table>\n<tr><th>case<th class=\"text\">peer", out);
    for (size_t i = 0; i < b->n; i++) {
        const bench_header *h = &b->sets[i].header;

        fputs("<th>", out);
        html(h->label[0] ? h->label : b->sets[i].path, out);
        fprintf(out, "<br><small>%.10s%s</small>", h->date,
                strcmp(h->cpu, newest(b)->header.cpu) == 0 ? "" : ", another machine");
    }
    fputs("<th class=\"text\">unit\n", out);
    for (size_t i = 0; i < newest(b)->n; i++) {
        if (bench_peer_is_ours(newest(b)->entries[i].peer))
            history_row(b, &newest(b)->entries[i], out);
    }
    fputs("</table>\n</details>\n", out);
}

/* --------------------------------------------------------------------- page -- */

static void page(const book *b, FILE *out)
{
    bool charts = page_uplot_js[0] != '\0';

    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n<title>resqlite: "
          "benchmark</title>\n<style>\n",
          out);
    fputs(page_uplot_css, out);
    fputs(page_css, out);
    fputs("</style>\n</head>\n<body>\n", out);
    page_header(b, out);
    fputs("<nav><a href=\"#workloads\">Workloads</a> <a href=\"#scaling\">Scaling</a> <a "
          "href=\"#latency\">Latency</a> "
          "<a href=\"#memory\">Memory</a> <a href=\"#history\">History</a> "
          "<a href=\"#published\">Published elsewhere</a></nav>\n",
          out);
    if (!charts)
        fputs("<p>This page was made by a program without uPlot, so it has tables only.</p>\n", out);
    workloads(newest(b), out);
    curves(newest(b), out);
    distributions(newest(b), out);
    memory(newest(b), out);
    history(b, out);
    published_section(out);
    if (charts) {
        data(b, out);
        fprintf(out, "<!-- uPlot:\n%s-->\n<script>\n%s\n</script>\n<script>\n%s</script>\n",
                page_uplot_license, page_uplot_js, page_js);
    }
    fputs("</body>\n</html>\n", out);
}

static int by_date(const void *a, const void *b)
{
    return strcmp(((const bench_set *)a)->header.date, ((const bench_set *)b)->header.date);
}

int bench_report(const bench_options *o)
{
    book *b = calloc(1, sizeof *b);
    int status = b ? BENCH_EXIT_OK : BENCH_EXIT_MISSED;

    for (size_t i = 0; b && i < o->nwords && status == BENCH_EXIT_OK; i++) {
        if (!bench_set_read(&b->sets[b->n++], o->words[i]))
            status = BENCH_EXIT_USAGE;
    }
    if (status == BENCH_EXIT_OK) {
        qsort(b->sets, b->n, sizeof b->sets[0], by_date);
        page(b, stdout);
        errno = 0;
        if (fflush(stdout) != 0 || ferror(stdout)) {
            fprintf(stderr, "rsq-bench: standard output: %s\n", errno ? strerror(errno) : "write error");
            status = BENCH_EXIT_MISSED;
        }
    }
    for (size_t i = 0; b && i < b->n; i++)
        bench_set_free(&b->sets[i]);
    free(b);
    return status;
}
