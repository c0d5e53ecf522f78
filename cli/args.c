/* The words of a command line; see args.h. */
#include "args.h"

#include <stddef.h>
#include <string.h>

#include "diag.h"

/* "-5" and "-.5" are numbers, "-" is standard input. */
static bool is_plain(const char *word)
{
    if (word[0] != '-' || word[1] == '\0')
        return true;
    return strchr("0123456789.", word[1]) != NULL;
}

static const arg_option *find(const args *a, const char *word, const char **inline_value)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);

    *inline_value = NULL;
    for (const arg_option *o = a->options; o->name; o++) {
        if (word[1] != '-') {
            if (o->letter && word[1] == o->letter && word[2] == '\0')
                return o;
        } else if (strlen(o->name) == len && memcmp(o->name, name, len) == 0) {
            *inline_value = equals ? equals + 1 : NULL;
            return o;
        }
    }
    return NULL;
}

static int wrong(const args *a, const char *word, const char *what)
{
    diag_usage(a->command, "%s%s%s %s", a->command ? a->command : "", a->command ? ": " : "", word, what);
    return ARGS_WRONG;
}

int args_next(args *a, const char **value)
{
    const char *word = *a->words, *inline_value;
    const arg_option *o;

    *value = NULL;
    if (!word)
        return ARGS_END;
    a->words++;
    if (a->plain_only || is_plain(word)) {
        *value = word;
        return ARGS_PLAIN;
    }
    if (strcmp(word, "--") == 0) {
        a->plain_only = true;
        return args_next(a, value);
    }
    o = find(a, word, &inline_value);
    if (!o)
        return wrong(a, word, "is not an option");
    if (!o->has_value)
        return inline_value ? wrong(a, word, "takes no value") : o->id;
    *value = inline_value ? inline_value : *a->words;
    if (!*value)
        return wrong(a, word, "needs a value");
    if (!inline_value)
        a->words++;
    return o->id;
}
