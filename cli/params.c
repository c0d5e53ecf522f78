/* Parameters from the command line; see params.h. */
#include "params.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "diag.h"
#include "mem.h"
#include "number.h"
#include "utf8.h"

static void add(params *p, rsq_value v, bool plain)
{
    if (p->count == p->capacity) {
        p->capacity = mem_grow(p->capacity, 8);
        p->values = mem_resize(p->values, p->capacity, sizeof *p->values);
        p->plain = mem_resize(p->plain, p->capacity, sizeof *p->plain);
    }
    p->values[p->count] = v;
    p->plain[p->count] = plain;
    p->count++;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int add_blob(params *p, const char *command, const char *hex)
{
    size_t n = strlen(hex);
    unsigned char *bytes = mem_alloc(n / 2, 1);

    for (size_t i = 0; i < n; i++) {
        int digit = hex_digit(hex[i]);

        if (digit < 0 || n % 2) {
            free(bytes);
            return diag_usage(command, "%s: --blob-hex %s: an even number of hex digits is expected", command,
                              hex);
        }
        bytes[i / 2] = (unsigned char)(bytes[i / 2] << 4 | digit);
    }
    add(p, rsq_blob(bytes, (uint32_t)(n / 2)), false);
    return STATUS_OK;
}

static int add_number(params *p, const char *command, const char *text, bool real)
{
    number v = number_read(text, strlen(text));

    if (!real && v.kind != NUMBER_INTEGER)
        return diag_usage(command, "%s: --int %s: not an integer of 64 bits", command, text);
    if (real && (v.kind == NUMBER_NONE || v.kind == NUMBER_RANGE))
        return diag_usage(command, "%s: --real %s: not a number, or too large for one", command, text);
    add(p, real ? rsq_real(v.d) : rsq_integer(v.i), false);
    return STATUS_OK;
}

static int add_text(params *p, const char *command, const char *text, bool plain)
{
    size_t n = strlen(text), bad = utf8_check(text, n);

    if (bad < n)
        return diag_usage(command, "%s: parameter %zu is not UTF-8 at byte %zu", command, p->count + 1,
                          bad + 1);
    add(p, rsq_text(text), plain);
    return STATUS_OK;
}

int params_take(params *p, const char *command, int option, const char *value)
{
    switch (option) {
    case ARGS_PLAIN:
        return add_text(p, command, value, true);
    case OPTION_TEXT:
        return add_text(p, command, value, false);
    case OPTION_INT:
        return add_number(p, command, value, false);
    case OPTION_REAL:
        return add_number(p, command, value, true);
    case OPTION_BLOB_HEX:
        return add_blob(p, command, value);
    case OPTION_NULL:
        add(p, rsq_null(), false);
        return STATUS_OK;
    case OPTION_INFER:
        p->infer = true;
        return STATUS_OK;
    default:
        return -1;
    }
}

void params_finish(params *p)
{
    for (size_t i = 0; p->infer && i < p->count; i++) {
        number v;

        if (!p->plain[i])
            continue;
        v = number_infer(p->values[i].as.text, p->values[i].len);
        if (v.kind == NUMBER_INTEGER)
            p->values[i] = rsq_integer(v.i);
        else if (v.kind == NUMBER_REAL)
            p->values[i] = rsq_real(v.d);
    }
}

void params_fini(params *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->values[i].type == RSQ_BLOB)
            free((void *)(uintptr_t)p->values[i].as.blob);
    }
    free(p->values);
    free(p->plain);
    memset(p, 0, sizeof *p);
}
