/* Commands with tables of their own; see tables.h. */
#include "tables.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "machine.h"

static void print_machine(const bench_tables *t)
{
    bench_machine machine = {.label = "", .passes = 1};

    bench_machine_look(&machine, t->place.dir);
    bench_machine_print(&machine, stdout);
    if (t->json) {
        fprintf(t->json, "{\"header\":");
        bench_machine_json(&machine, t->json);
        fprintf(t->json, "}\n");
    }
    fflush(stdout);
}

bool bench_tables_begin(bench_tables *t, const bench_options *options)
{
    *t = (bench_tables){.options = options, .quick = options->effort == &bench_effort_quick};
    if (options->json_path) {
        t->json = fopen(options->json_path, "we");
        if (!t->json) {
            fprintf(stderr, "rsq-bench: %s: %s\n", options->json_path, strerror(errno));
            return false;
        }
    }
    if (bench_place_open(&t->place, options->dir)) {
        print_machine(t);
        return true;
    }
    if (t->json)
        fclose(t->json);
    return false;
}

bool bench_tables_want(bench_tables *t, const char *name)
{
    bool wanted = !t->options->filter || fnmatch(t->options->filter, name, 0) == 0;

    t->wanted += wanted;
    return wanted;
}

int bench_tables_end(bench_tables *t, int status)
{
    bool ok = bench_place_close(&t->place);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "rsq-bench: standard output: write error\n");
        ok = false;
    }
    if (t->json && (ferror(t->json) | fclose(t->json)) != 0) {
        fprintf(stderr, "rsq-bench: %s: write error\n", t->options->json_path);
        ok = false;
    }
    if (t->wanted == 0)
        return bench_usage_error("nothing matches", t->options->filter);
    return ok || status != BENCH_EXIT_OK ? status : BENCH_EXIT_MISSED;
}
