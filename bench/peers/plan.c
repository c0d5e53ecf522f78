/* Plans; see plan.h. */
#include "peers/plan.h"

#include <inttypes.h>
#include <string.h>

#include "bench.h"
#include "json.h"

const char *const plan_pragmas[] = {
    "PRAGMA journal_mode = wal",    "PRAGMA synchronous = NORMAL", "PRAGMA cache_size = -8192",
    "PRAGMA mmap_size = 268435456", "PRAGMA temp_store = 2",       "PRAGMA foreign_keys = ON",
};
const size_t plan_npragmas = BENCH_LENGTH(plan_pragmas);

const char *const plan_steps[PLAN_STEPS][PLAN_STEP_STATEMENTS] = {
    {"INSERT INTO items(id, name, value) VALUES (900001, 'inserted', 1)"},
    {"UPDATE items SET value = 2, name = 'updated' WHERE id = 900001"},
    {"INSERT INTO items(id, name, value) VALUES (900002, 'first', 3)",
     "INSERT INTO items(id, name, value) VALUES (900003, 'second', 4)"},
    {"DELETE FROM items WHERE id > 900000"},
    {"INSERT OR REPLACE INTO items(id, name, value) VALUES (100, 'replaced', 5)"},
};
const char plan_replace_elsewhere[] =
    "INSERT INTO items(id, name, value) VALUES (100, 'replaced', 5) "
    "ON CONFLICT (id) DO UPDATE SET name = excluded.name, value = excluded.value";

/* The same few lines are in each peer; a small integer hash by multiplication and shifts. */
static uint32_t mix(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x45d9f3bu;
    x = (x ^ (x >> 16)) * 0x45d9f3bu;
    return x ^ (x >> 16);
}

rsq_value plan_value(const plan_param *p, uint64_t number, uint64_t *calls, char text[PLAN_TEXT_MAX])
{
    uint64_t rest = number % p->mod;
    int len;

    switch (p->from) {
    case PLAN_INTEGER:
        return rsq_integer((int64_t)(rest + p->add));
    case PLAN_HALVES:
        return rsq_real((double)rest * 1.5);
    case PLAN_RANDOM:
        return rsq_integer((int64_t)(mix((uint32_t)number + p->add) % p->mod) + 1);
    case PLAN_CALL:
        return rsq_integer((int64_t)(p->add + ++*calls));
    case PLAN_TEXT:
    default:
        len = snprintf(text, PLAN_TEXT_MAX, "%s%" PRIu64, p->prefix, rest);
        return rsq_text_n(text, (uint32_t)len);
    }
}

/* ----------------------------------------------------------------- as JSON -- */

static void write_member(const char *name, const char *text, FILE *out)
{
    fprintf(out, ",\"%s\":", name);
    if (text)
        bench_json_text(out, text);
    else
        fprintf(out, "null");
}

static void write_texts(const char *name, const char *const *texts, size_t n, FILE *out)
{
    fprintf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < n && texts[i]; i++) {
        fprintf(out, "%s", i > 0 ? "," : "");
        bench_json_text(out, texts[i]);
    }
    fprintf(out, "]");
}

static void write_params(const plan *p, FILE *out)
{
    static const char *const sources[] = {[PLAN_INTEGER] = "integer",
                                          [PLAN_HALVES] = "halves",
                                          [PLAN_TEXT] = "text",
                                          [PLAN_RANDOM] = "random",
                                          [PLAN_CALL] = "call"};

    fprintf(out, ",\"params\":[");
    for (size_t i = 0; i < p->nparams; i++) {
        const plan_param *q = &p->params[i];

        fprintf(out, "%s{\"from\":\"%s\",\"mod\":%" PRIu32 ",\"add\":%" PRIu32, i > 0 ? "," : "",
                sources[q->from], q->mod, q->add);
        write_member("prefix", q->prefix, out);
        fprintf(out, "}");
    }
    fprintf(out, "]");
}

static void write_steps(FILE *out)
{
    fprintf(out, ",\"steps\":[");
    for (int i = 0; i < PLAN_STEPS; i++) {
        fprintf(out, "%s[", i > 0 ? "," : "");
        for (int k = 0; k < PLAN_STEP_STATEMENTS && plan_steps[i][k]; k++) {
            fprintf(out, "%s", k > 0 ? "," : "");
            bench_json_text(out, plan_steps[i][k]);
        }
        fprintf(out, "]");
    }
    fprintf(out, "]");
    write_member("replace_elsewhere", plan_replace_elsewhere, out);
}

void plan_write(const plan *p, const char *path, FILE *out)
{
    static const char *const kinds[] = {[PLAN_ROWS] = "rows",
                                        [PLAN_JSON] = "json",
                                        [PLAN_EXECUTE] = "execute",
                                        [PLAN_BATCH] = "batch",
                                        [PLAN_LIVE] = "live"};

    fprintf(out, "{\"open\":");
    bench_json_text(out, path);
    fprintf(out, ",\"plan\":{\"kind\":\"%s\"", kinds[p->kind]);
    write_member("name", p->name, out);
    write_texts("pragmas", plan_pragmas, plan_npragmas, out);
    write_texts("schema", p->schema, PLAN_STATEMENTS_MAX, out);
    write_member("sql", p->sql, out);
    write_member("sql_json1", p->sql_json1, out);
    write_params(p, out);
    fprintf(out, ",\"batch\":%zu", p->batch);
    write_member("empty", p->empty, out);
    write_member("content", p->content, out);
    write_member("watch", p->watch, out);
    write_member("expect", p->expect, out);
    fprintf(out, ",\"expect_add\":%" PRIu32, p->expect_add);
    if (p->kind == PLAN_LIVE)
        write_steps(out);
    fprintf(out, "}}\n");
    fflush(out);
}

/* ------------------------------------------------------------------- hashes -- */

uint32_t plan_hash_bytes(uint32_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 16777619u;
    return hash;
}

uint32_t plan_hash_cell(uint32_t hash, const rsq_value *v)
{
    char head[48];
    int len;

    switch (v->type) {
    case RSQ_INTEGER:
        len = snprintf(head, sizeof head, "n%" PRId64 ";", 2 * v->as.i);
        return plan_hash_bytes(hash, head, (size_t)len);
    case RSQ_REAL:
        len = snprintf(head, sizeof head, "n%.0f;", 2 * v->as.d);
        return plan_hash_bytes(hash, head, (size_t)len);
    case RSQ_TEXT:
        len = snprintf(head, sizeof head, "t%" PRIu32 ":", v->len);
        return plan_hash_bytes(plan_hash_bytes(hash, head, (size_t)len), v->as.text, v->len);
    default:
        return plan_hash_bytes(hash, "z;", 2);
    }
}

uint32_t plan_hash_row(uint32_t hash)
{
    return plan_hash_bytes(hash, "\n", 1);
}

uint32_t plan_hash_json(uint32_t hash, const char *json, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (i + 2 < len && json[i] == '.' && json[i + 1] == '0' && (json[i + 2] == ',' || json[i + 2] == '}'))
            i += 2;
        hash = plan_hash_bytes(hash, &json[i], 1);
    }
    return hash;
}
