/*
 * Header of a report; see machine.h. What cannot be found out is "unknown": a
 * report without a CPU's name is still one.
 */
#define _GNU_SOURCE /* sched_getaffinity() */

#include "machine.h"

#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>

#include <resqlite.h>

#include "commit.h"
#include "json.h"
#include "raw/raw.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

#if defined(__OPTIMIZE__)
#define OPTIMIZED ""
#else
#define OPTIMIZED ", NOT OPTIMISED: the figures mean nothing"
#endif

static long count_cores(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static void find_cpu(char *name, size_t size)
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[512];

    snprintf(name, size, "unknown");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        char *value = strstr(line, ": ");

        if (strncmp(line, "model name", 10) == 0 && value) {
            value[strcspn(value, "\n")] = '\0';
            snprintf(name, size, "%s", value + 2);
            break;
        }
    }
    fclose(f);
}

static void find_kernel(char *name, size_t size)
{
    struct utsname u;

    if (uname(&u) == 0)
        snprintf(name, size, "%.40s %.60s %.20s", u.sysname, u.release, u.machine);
    else
        snprintf(name, size, "unknown");
}

static void find_file_system(const char *dir, char *name, size_t size)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } known[] = {
        {0xef53, "ext4"},        {0x58465342, "xfs"}, {0x9123683e, "btrfs"}, {0x01021994, "tmpfs"},
        {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"}, {0x6969, "nfs"},
    };
    struct statfs s;

    snprintf(name, size, "unknown");
    if (statfs(dir, &s) != 0)
        return;
    snprintf(name, size, "0x%lx", (unsigned long)s.f_type);
    for (size_t i = 0; i < BENCH_LENGTH(known); i++) {
        if (known[i].magic == (unsigned long)s.f_type)
            snprintf(name, size, "%s", known[i].name);
    }
}

/* Ticks of all cores since the machine started: idle, and altogether. */
static bool read_ticks(unsigned long long *idle, unsigned long long *all)
{
    FILE *f = fopen("/proc/stat", "re");
    unsigned long long t[8]; /* user nice system idle iowait irq softirq steal */
    bool ok;

    if (!f)
        return false;
    ok = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5],
                &t[6], &t[7]) == 8;
    fclose(f);
    if (!ok)
        return false;
    *idle = t[3] + t[4];
    *all = 0;
    for (size_t i = 0; i < BENCH_LENGTH(t); i++)
        *all += t[i];
    return true;
}

/*
 * The load average would still contain the compiler that built this program; so
 * look for a moment at what the cores do while this program does nothing.
 */
static void find_others(char *text, size_t size)
{
    const struct timespec moment = {.tv_nsec = 300000000};
    unsigned long long idle[2];
    unsigned long long all[2];
    double busy;

    snprintf(text, size, "unknown");
    if (!read_ticks(&idle[0], &all[0]))
        return;
    nanosleep(&moment, NULL);
    if (!read_ticks(&idle[1], &all[1]) || all[1] == all[0])
        return;
    busy = 1 - (double)(idle[1] - idle[0]) / (double)(all[1] - all[0]);
    snprintf(text, size, "%.0f %% of the cores%s", 100 * busy,
             busy > 0.1 ? ": THE MACHINE IS NOT IDLE, the figures are worth little" : "");
}

static void find_date(char *text, size_t size)
{
    time_t now = time(NULL);
    struct tm parts;

    if (!gmtime_r(&now, &parts) || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(text, size, "unknown");
}

/* Limits are left out: they are many and decide nothing here. */
static void find_flags(char *flags, size_t size)
{
    const char *flag;
    size_t used = 0;

    flags[0] = '\0';
    for (int i = 0; (flag = raw_compile_option(i)) != NULL; i++) {
        int len;

        if (strncmp(flag, "MAX_", 4) == 0)
            continue;
        len = snprintf(flags + used, size - used, "%s%s", used > 0 ? " " : "", flag);
        if (len < 0 || (size_t)len >= size - used)
            break;
        used += (size_t)len;
    }
}

void bench_machine_look(bench_machine *m, const char *dir)
{
    m->cores = count_cores();
    find_cpu(m->cpu, sizeof m->cpu);
    find_kernel(m->kernel, sizeof m->kernel);
    snprintf(m->compiler, sizeof m->compiler, "%s%s", COMPILER, OPTIMIZED);
    find_file_system(dir, m->file_system, sizeof m->file_system);
    find_others(m->others, sizeof m->others);
    find_date(m->date, sizeof m->date);
    m->commit = bench_commit;
    snprintf(m->resqlite, sizeof m->resqlite, "%s", rsq_version());
    snprintf(m->sqlite, sizeof m->sqlite, "%s (%s)", rsq_sqlite_version(),
             rsq_features() & RSQ_FEATURE_BUNDLED_SQLITE ? "bundled" : "system");
    find_flags(m->sqlite_flags, sizeof m->sqlite_flags);
    m->programs = bench_peers_found(&m->nprograms);
}

void bench_machine_print(const bench_machine *m, FILE *out)
{
    fprintf(out, "resqlite  %s (%s)\n", m->resqlite, m->commit);
    fprintf(out, "SQLite    %s\n", m->sqlite);
    fprintf(out, "flags     %s\n", m->sqlite_flags);
    fprintf(out, "machine   %ld cores, %s\n", m->cores, m->cpu);
    fprintf(out, "kernel    %s\n", m->kernel);
    fprintf(out, "compiler  %s\n", m->compiler);
    fprintf(out, "files on  %s\n", m->file_system);
    fprintf(out, "others    %s\n", m->others);
    fprintf(out, "date      %s\n", m->date);
    for (size_t i = 0; i < m->nprograms; i++)
        fprintf(out, "peer      %s: %s\n", m->programs[i].name, m->programs[i].version);
    fprintf(out, "\n");
}

void bench_machine_json(const bench_machine *m, FILE *out)
{
    const struct {
        const char *key;
        const char *value;
    } texts[] = {
        {"cpu", m->cpu},           {"kernel", m->kernel},
        {"compiler", m->compiler}, {"files_on", m->file_system},
        {"others", m->others},     {"resqlite", m->resqlite},
        {"sqlite", m->sqlite},     {"sqlite_flags", m->sqlite_flags},
        {"date", m->date},         {"commit", m->commit},
        {"label", m->label},
    };

    fprintf(out, "{\"cores\":%ld,\"passes\":%zu", m->cores, m->passes);
    for (size_t i = 0; i < BENCH_LENGTH(texts); i++) {
        fprintf(out, ",\"%s\":", texts[i].key);
        bench_json_text(out, texts[i].value);
    }
    for (size_t i = 0; i < m->nprograms; i++) {
        fprintf(out, "%s\"%s\":", i > 0 ? "," : ",\"peers\":{", m->programs[i].name);
        bench_json_text(out, m->programs[i].version);
    }
    fprintf(out, "%s}", m->nprograms > 0 ? "}" : "");
}
