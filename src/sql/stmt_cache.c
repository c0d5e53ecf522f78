#include "sql/stmt_cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

uint64_t rsq_stmt_hash(const char *sql, size_t len)
{
    return rsq_hash_bytes(0, sql, len);
}

static rsq_stmt **bucket_of(rsq_stmt_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & (RSQ_STMT_CACHE_BUCKETS - 1)];
}

static void unlink_order(rsq_stmt_cache *cache, rsq_stmt *s)
{
    if (s->newer)
        s->newer->older = s->older;
    else
        cache->newest = s->older;
    if (s->older)
        s->older->newer = s->newer;
    else
        cache->oldest = s->newer;
}

static void link_newest(rsq_stmt_cache *cache, rsq_stmt *s)
{
    s->newer = NULL;
    s->older = cache->newest;
    if (cache->newest)
        cache->newest->newer = s;
    else
        cache->oldest = s;
    cache->newest = s;
}

rsq_stmt *rsq_stmt_cache_find(rsq_stmt_cache *cache, uint64_t hash, const char *sql, size_t len)
{
    rsq_stmt *s = *bucket_of(cache, hash);

    while (s && (s->hash != hash || s->sql_len != len || memcmp(s->sql, sql, len) != 0))
        s = s->bucket_next;
    if (s && s != cache->newest) {
        unlink_order(cache, s);
        link_newest(cache, s);
    }
    return s;
}

static void evict_oldest(rsq_stmt_cache *cache)
{
    rsq_stmt *s = cache->oldest;
    rsq_stmt **at = bucket_of(cache, s->hash);

    while (*at != s)
        at = &(*at)->bucket_next;
    *at = s->bucket_next;
    unlink_order(cache, s);
    cache->count--;
    rsq_stmt_free(s);
}

void rsq_stmt_cache_add(rsq_stmt_cache *cache, rsq_stmt *s)
{
    rsq_stmt **at = bucket_of(cache, s->hash);

    if (cache->count >= RSQ_STMT_CACHE_MAX)
        evict_oldest(cache);
    s->bucket_next = *at;
    *at = s;
    link_newest(cache, s);
    cache->count++;
}

void rsq_stmt_free(rsq_stmt *s)
{
    if (!s)
        return;
    sqlite3_finalize(s->h);
    rsq_columns_unref(s->columns);
    rsq_depends_unref(s->depends);
    rsq_column_set_fini(&s->sets);
    rsq_free(s->keys);
    rsq_free(s->key_text);
    rsq_free(s->target);
    rsq_free(s->sql);
    rsq_free(s);
}

void rsq_stmt_cache_fini(rsq_stmt_cache *cache)
{
    while (cache->oldest)
        evict_oldest(cache);
}
