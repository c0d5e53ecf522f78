/*
 * What libraries for Dart were published with; see published.h. docs/benchmarks.md has the same table, and
 * says what is uneven in it. Nothing here is computed with: figures are the texts that were published.
 */
#include "published.h"

#include "bench.h"

enum { RESQLITE, SQLITE3, SQLITE_ASYNC, DRIFT, LIBRARIES };

static const char *const libraries[LIBRARIES] = {"resqlite", "sqlite3", "sqlite_async", "drift"};

/* All are medians of wall time on the caller's side. */
static const struct {
    const char *job;
    const char *here; /* the case that does the nearest thing */
    const char *unit;
    const char *figures[LIBRARIES]; /* "": not published */
} rows[] = {
    {"10 rows, every field visited", "rows/10", "ms", {"0.010", "0.016", "0.031", "0.037"}},
    {"100 rows, every field visited", "rows/100", "ms", {"0.038", "0.123", "0.131", "0.182"}},
    {"1,000 rows, every field visited", "rows/1000", "ms", {"0.302", "1.177", "1.077", "1.583"}},
    {"10,000 rows, every field visited", "rows/10000", "ms", {"3.241", "14.444", "12.484", "21.346"}},
    {"20,000 rows, every field visited", "rows/20000", "ms", {"7.392", "33.397", "35.283", "49.683"}},
    {"10 rows as JSON", "json/10", "ms", {"0.011", "0.033", "", ""}},
    {"100 rows as JSON", "json/100", "ms", {"0.035", "0.275", "", ""}},
    {"1,000 rows as JSON", "json/1000", "ms", {"0.264", "2.679", "2.570", "3.078"}},
    {"10,000 rows as JSON", "json/10000", "ms", {"2.638", "30.232", "29.5", "40.7"}},
    {"20,000 rows as JSON", "json/20000", "ms", {"5.376", "65.7", "", ""}},
    {"1,000 rows, schema narrow", "shape/narrow", "ms", {"0.086", "0.338", "0.375", "0.575"}},
    {"1,000 rows, schema wide", "shape/wide", "ms", {"0.782", "3.351", "2.966", "4.811"}},
    {"1,000 rows, schema text", "shape/text", "ms", {"0.370", "1.486", "1.394", "1.960"}},
    {"1,000 rows, schema numeric", "shape/numeric", "ms", {"0.242", "1.024", "0.953", "1.445"}},
    {"1,000 rows, schema nullable", "shape/nullable", "ms", {"0.249", "0.994", "0.957", "1.428"}},
    {"1 read of 1,000 rows, not visited", "concurrent/1", "ms", {"0.26", "", "0.99", "1.49"}},
    {"2 reads of 1,000 rows, not visited, together", "concurrent/2", "ms", {"0.28", "", "1.47", "2.73"}},
    {"4 reads of 1,000 rows, not visited, together", "concurrent/4", "ms", {"0.35", "", "2.46", "5.22"}},
    {"8 reads of 1,000 rows, not visited, together", "concurrent/8", "ms", {"0.72", "", "5.04", "10.56"}},
    {"point queries", "point/key", "a second", {"165,123", "186,189", "50,117", "48,861"}},
    {"100 queries of 500 rows, not visited",
     "parameterised/category",
     "ms",
     {"13.60", "24.27", "36.81", "52.76"}},
    {"100 single inserts", "insert/sequential-100", "ms", {"1.555", "0.924", "2.653", "2.622"}},
    {"100 single inserts, together", "insert/together-100", "ms", {"0.840", "0.887", "2.659", "1.667"}},
    {"batch of 100", "batch/100", "ms", {"0.051", "0.048", "0.096", "0.112"}},
    {"batch of 1,000", "batch/1000", "ms", {"0.415", "0.436", "0.516", "0.652"}},
    {"batch of 10,000", "batch/10000", "ms", {"3.792", "4.041", "4.681", "6.111"}},
    {"batch of 10,000, 20 columns", "batch/wide-10000", "ms", {"12.589", "19.196", "21.555", "25.294"}},
    {"interactive transaction", "transaction/dialogue", "ms", {"0.044", "", "0.082", ""}},
    {"batch of 100 in a transaction", "transaction/batch-100", "ms", {"0.064", "", "", ""}},
    {"batch of 1,000 in a transaction", "transaction/batch-1000", "ms", {"0.407", "", "", ""}},
    {"500 rows in a transaction", "transaction-read/500", "ms", {"0.094", "", "0.203", ""}},
    {"1,000 rows in a transaction", "transaction-read/1000", "ms", {"0.170", "", "0.382", ""}},
    {"50 nested transactions", "transaction/nested-50", "ms", {"0.840", "", "", ""}},
    {"first event of 100 rows", "subscribe/initial", "ms", {"0.026", "", "0.104", ""}},
    {"insert, then the event of a count", "event/count", "ms", {"0.040", "", "0.065", ""}},
    {"insert, then 10 events", "event/fan-out-10", "ms", {"0.184", "", "0.285", ""}},
    {"insert, 10 streams unchanged", "unchanged/fan-out-10", "ms", {"0.097", "", "0.525", ""}},
    {"subscribe, first event, cancel, 100 times", "subscribe/churn", "ms", {"1.354", "", "7.888", ""}},
    {"200 inserts, no streams", "insert/sequential-200", "ms", {"3.033", "", "5.497", ""}},
    {"500 rows growing by 100, to the event", "event/growing", "ms", {"0.477", "", "", ""}},
    {"256 rows of 4 KB, 8 streams unchanged", "unchanged/long-text-8", "ms", {"1.757", "", "", ""}},
    {"500 updates beside 10 streams, disjoint columns",
     "same/disjoint",
     "ms",
     {"65.8", "", "1105.7", "1004.7"}},
    {"500 updates beside 10 streams, same column", "same/overlap", "ms", {"71.7", "", "1007.6", "1004.5"}},
    {"updates beside 50 ranges, disjoint columns",
     "range/disjoint",
     "a second",
     {"23,045", "", "2,451", "201"}},
    {"updates beside 50 ranges, same column", "range/overlap", "a second", {"7,915", "", "2,228", "200"}},
    {"200 updates beside 50 keys (200 ms of pause)",
     "keyed/random-50",
     "ms",
     {"217.1", "", "433.8", "532.1"}},
    {"200 updates beside 100 owners (200 ms of pause)", "keyed/owner-100", "ms", {"235", "", "476", "1665"}},
    {"chat: insert", "chat/insert", "ms", {"0.018", "0.019", "0.036", "0.037"}},
    {"chat: update", "chat/update", "ms", {"0.014", "0.012", "0.029", "0.030"}},
    {"chat: last 20 messages", "chat/last-20", "ms", {"0.018", "0.031", "0.056", "0.053"}},
    {"chat: a user", "chat/user", "ms", {"0.006", "0.005", "0.020", "0.020"}},
    {"feed: a page of 50", "feed/pages-20", "ms", {"0.039", "0.067", "0.083", "0.090"}},
    {"feed: 100 updates and a stream (100 ms of pause)",
     "feed/likes-100",
     "ms",
     {"108.7", "", "213.0", "223.3"}},
    {"sync: 50,000 rows in batches of 500", "sync/burst", "ms", {"71.95", "66.77", "61.73", "92.61"}},
    {"sync: 10 batches of 100 more", "sync/burst", "ms", {"3.21", "0.96", "2.07", "2.47"}},
    {"large: 1 of 5,000,000 rows", "large/5000000", "ms", {"0.112", "0.092", "0.131", "0.130"}},
    {"large: a range of 500 rows", "large/5000000", "ms", {"0.727", "0.772", "0.901", "1.058"}},
    {"growth of the process, 10,000 rows",
     "memory/process-rows-10000",
     "MB",
     {"1.28", "4.53", "1.00", "11.05"}},
};

void published_section(FILE *out)
{
    fputs(
        "<h2 id=\"published\">Published elsewhere</h2>\n"
        "<p>Medians that libraries for Dart were published with: MacBook Pro 14&quot;, M1 Pro, 10 cores, "
        "macOS "
        "26.2, Dart 3.11; resqlite for Dart, and the packages sqlite3 3.3.0, sqlite_async 0.14.0-wip.0 and "
        "drift "
        "2.21.0. Another machine, another language and often another contract: no figure of this page is set "
        "against them.</p>\n"
        "<details><summary>Figures</summary>\n<table>\n<tr><th>job<th class=\"text\">case here"
        "<th class=\"text\">unit",
        out);
    for (size_t k = 0; k < LIBRARIES; k++)
        fprintf(out, "<th>%s", libraries[k]);
    fputc('\n', out);
    for (size_t i = 0; i < BENCH_LENGTH(rows); i++) {
        fprintf(out, "<tr><th>%s<td class=\"text\">%s<td class=\"text\">%s", rows[i].job, rows[i].here,
                rows[i].unit);
        for (size_t k = 0; k < LIBRARIES; k++)
            fprintf(out, "<td>%s", rows[i].figures[k][0] ? rows[i].figures[k] : "–");
        fputc('\n', out);
    }
    fputs("</table>\n</details>\n", out);
}
