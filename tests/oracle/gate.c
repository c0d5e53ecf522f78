#include "gate.h"

#include <sqlite3.h>

#include <pthread.h>
#include <stdlib.h>

static struct {
    pthread_mutex_t mu;
    pthread_cond_t opened;
    pthread_t keeper; /* who closed it */
    bool closed;
    unsigned guests;
} gate = {.mu = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};

static void pass(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    (void)n;
    (void)values;
    pthread_mutex_lock(&gate.mu);
    gate.guests++;
    while (gate.closed && !pthread_equal(gate.keeper, pthread_self()))
        pthread_cond_wait(&gate.opened, &gate.mu);
    gate.guests--;
    pthread_mutex_unlock(&gate.mu);
    sqlite3_result_int(ctx, 1);
}

static int add_function(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
    (void)message;
    (void)api;
    return sqlite3_create_function(db, "gate", 0, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                   pass, NULL, NULL);
}

void gate_register(void)
{
    if (sqlite3_auto_extension((void (*)(void))add_function) != SQLITE_OK)
        abort();
}

void gate_close(void)
{
    pthread_mutex_lock(&gate.mu);
    gate.closed = true;
    gate.keeper = pthread_self();
    pthread_mutex_unlock(&gate.mu);
}

void gate_open(void)
{
    pthread_mutex_lock(&gate.mu);
    gate.closed = false;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.mu);
}

bool gate_is_closed(void)
{
    bool closed;

    pthread_mutex_lock(&gate.mu);
    closed = gate.closed;
    pthread_mutex_unlock(&gate.mu);
    return closed;
}

unsigned gate_guests(void)
{
    unsigned guests;

    pthread_mutex_lock(&gate.mu);
    guests = gate.guests;
    pthread_mutex_unlock(&gate.mu);
    return guests;
}
