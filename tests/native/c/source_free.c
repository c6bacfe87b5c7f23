/*
 * A token source is freed while its callback runs and a client uses it: the callback has ended then, it does not run
 * again, its destructor has run, and the client goes on with new tokens.
 */
#include <keyless.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct watcher {
    sem_t entered;
    int calls, ended, destroyed;
};

static void fail(const char *what, const keyless_error *error)
{
    fprintf(stderr, "%s: %s\n", what, keyless_error_text(error));
    exit(1);
}

static void on_token(const keyless_token *token, void *user_data)
{
    const struct timespec slow = {0, 300 * 1000 * 1000};
    struct watcher *watcher = user_data;

    if (keyless_token_generation(token) == 0) {
        fail("a token without a number", NULL);
    }
    watcher->calls++;
    sem_post(&watcher->entered);
    nanosleep(&slow, NULL);
    watcher->ended++;
}

static void destroy(void *user_data)
{
    struct watcher *watcher = user_data;
    watcher->destroyed++;
}

static uint64_t refreshes(const keyless_client *client)
{
    keyless_stats *stats = NULL;
    keyless_error *error = NULL;
    uint64_t count;

    if (keyless_client_stats(client, &stats, &error) != KEYLESS_OK) {
        fail("stats", error);
    }
    count = keyless_stats_token_refreshes(stats);
    keyless_stats_free(stats);
    return count;
}

int main(void)
{
    const char *ping[] = {"PING"};
    const struct timespec pause = {0, 20 * 1000 * 1000};
    struct watcher watcher = {.calls = 0};
    keyless_options *options = NULL;
    keyless_token_source *source = NULL;
    keyless_client *client = NULL;
    keyless_error *error = NULL;
    uint64_t before;
    int calls;

    sem_init(&watcher.entered, 0, 0);
    if (keyless_options_from_env(&options, &error) != KEYLESS_OK ||
        keyless_token_source_new(options, NULL, &source, &error) != KEYLESS_OK ||
        keyless_client_connect_with_source(options, source, &client, &error) != KEYLESS_OK ||
        keyless_token_source_subscribe(source, on_token, &watcher, destroy, NULL, &error) != KEYLESS_OK) {
        fail("connect", error);
    }
    sem_wait(&watcher.entered);
    keyless_token_source_free(source);
    calls = watcher.calls;
    if (watcher.ended != calls) {
        fail("the callback outlives the source", NULL);
    }
    /* The thread for events may let go of the callback a moment later. */
    for (int waits = 0; watcher.destroyed == 0 && waits < 500; waits++) {
        nanosleep(&pause, NULL);
    }
    if (watcher.destroyed != 1) {
        fail("what the callback uses is not freed, or twice", NULL);
    }
    for (before = refreshes(client); refreshes(client) < before + 2;) {
        if (keyless_client_execute(client, 1, ping, NULL, 0, NULL, &error) != KEYLESS_OK) {
            fail("PING", error);
        }
        nanosleep(&pause, NULL);
    }
    if (watcher.calls != calls) {
        fail("the callback was called again", NULL);
    }
    keyless_client_free(client);
    keyless_options_free(options);
    sem_destroy(&watcher.entered);
    printf("%d\n", calls > 0);
    return 0;
}
