#include "base/values.h"

#include "base/error.h"
#include "base/hash.h"

static bool has_bytes(const rsq_value *v)
{
    return v->type >= RSQ_TEXT && v->len > 0;
}

static rsq_code check_one(const rsq_value *v, size_t index, rsq_error *err)
{
    if (v->type > RSQ_BLOB)
        return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has the unknown type %u", index + 1, v->type);
    if (has_bytes(v) && !v->as.blob)
        return rsq_error_set(err, RSQ_EINVAL, "parameter %zu has %u bytes at NULL", index + 1, v->len);
    /* No SQLite takes so much; and -1 is told before so many bytes are copied. */
    if (has_bytes(v) && v->len > INT32_MAX)
        return rsq_error_set(err, RSQ_ETOOBIG, "parameter %zu is too long: %u bytes", index + 1, v->len);
    return RSQ_OK;
}

bool rsq_value_same(const rsq_value *a, const rsq_value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type >= RSQ_TEXT)
        return a->len == b->len && (a->len == 0 || memcmp(a->as.blob, b->as.blob, a->len) == 0);
    return a->type == RSQ_NULL || a->as.i == b->as.i;
}

uint64_t rsq_value_hash(uint64_t h, const rsq_value *v)
{
    h = rsq_hash_mix(h, v->type);
    if (v->type >= RSQ_TEXT)
        return rsq_hash_bytes(h, v->as.blob, v->len);
    return v->type == RSQ_NULL ? h : rsq_hash_mix(h, (uint64_t)v->as.i);
}

rsq_code rsq_values_check(const rsq_value *values, size_t n, rsq_error *err)
{
    rsq_code code = RSQ_OK;

    if (n && !values)
        return rsq_error_set(err, RSQ_EINVAL, "there are %zu parameters at NULL", n);
    for (size_t i = 0; code == RSQ_OK && i < n; i++)
        code = check_one(&values[i], i, err);
    return code;
}

size_t rsq_values_size(const rsq_value *values, size_t n)
{
    size_t size = n * sizeof *values;

    for (size_t i = 0; i < n; i++)
        size += has_bytes(&values[i]) ? values[i].len : 0;
    return size;
}

char *rsq_values_pack(void *to, const rsq_value *values, size_t n)
{
    rsq_value *copy = to;
    char *bytes = (char *)(copy + n);

    for (size_t i = 0; i < n; i++) {
        copy[i] = values[i];
        if (!has_bytes(&values[i]))
            continue;
        memcpy(bytes, values[i].as.blob, values[i].len);
        copy[i].as.text = bytes;
        bytes += values[i].len;
    }
    return bytes;
}

rsq_code rsq_named_check(const rsq_named *named, size_t n, rsq_error *err)
{
    rsq_code code = RSQ_OK;

    if (n && !named)
        return rsq_error_set(err, RSQ_EINVAL, "there are %zu parameters at NULL", n);
    for (size_t i = 0; code == RSQ_OK && i < n; i++) {
        if (!named[i].name)
            return rsq_error_set(err, RSQ_EINVAL, "named parameter %zu has no name", i + 1);
        code = check_one(&named[i].value, i, err);
    }
    return code;
}

size_t rsq_named_size(const rsq_named *named, size_t n)
{
    size_t size = n * sizeof *named;

    for (size_t i = 0; i < n; i++)
        size += strlen(named[i].name) + 1 + (has_bytes(&named[i].value) ? named[i].value.len : 0);
    return size;
}

static char *copy_bytes(char *to, const void *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

void rsq_named_pack(void *to, const rsq_named *named, size_t n)
{
    rsq_named *copy = to;
    char *bytes = (char *)(copy + n);

    for (size_t i = 0; i < n; i++) {
        const rsq_value *v = &named[i].value;

        copy[i] = named[i];
        copy[i].name = bytes;
        bytes = copy_bytes(bytes, named[i].name, strlen(named[i].name) + 1);
        if (!has_bytes(v))
            continue;
        copy[i].value.as.text = bytes;
        bytes = copy_bytes(bytes, v->as.blob, v->len);
    }
}
