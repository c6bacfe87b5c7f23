/*
 * libkeyless against hiredis: the same commands, the same server, in turn within one run.
 *
 * 80 % GET, 20 % SET on 10,000 keys, a number of commands always outstanding. hiredis writes a batch and reads its
 * replies. Prints commands per second, processor seconds per million commands, and the ratio of each way of keyless to
 * hiredis: the median over the rounds, each of which measures everything once, in an order that turns round.
 *
 * Usage: bench PLAIN_PORT TLS_PORT CA_FILE ROUNDS MILLISECONDS
 */
#include <keyless.h>
#include <hiredis.h>
#include <hiredis_ssl.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS 10000
#define WAYS 4
#define MOST_ROUNDS 101

static const char *WAY[WAYS] = {"hiredis", "execute", "submit", "pipeline"};

struct load {
    size_t size;
    size_t outstanding;
    double seconds;
    char *value;
    unsigned state;
};

struct figure {
    double rate;
    double cpu;
};

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static unsigned next_random(struct load *load)
{
    load->state = load->state * 1664525u + 1013904223u;
    return load->state >> 8;
}

/* The next command: its arguments, and how many. */
static int next_command(struct load *load, const char **argv, size_t *lengths, char *key)
{
    int set = next_random(load) % 10 < 2;
    argv[0] = set ? "SET" : "GET";
    lengths[0] = 3;
    argv[1] = key;
    lengths[1] = (size_t)sprintf(key, "key:%u", next_random(load) % KEYS);
    argv[2] = load->value;
    lengths[2] = load->size;
    return set ? 3 : 2;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* The error by its address: it is set by the call whose status stands beside it. */
static void check(keyless_status status, keyless_error **error, const char *what)
{
    if (status != KEYLESS_OK)
        fail(what, keyless_error_text(*error));
}

/* hiredis: a batch written, its replies read. */
static size_t run_hiredis(redisContext *redis, struct load *load)
{
    double end = now(CLOCK_MONOTONIC) + load->seconds;
    size_t done = 0, bytes = 0, i;
    do {
        for (i = 0; i < load->outstanding; i++) {
            const char *argv[3];
            size_t lengths[3];
            char key[32];
            int argc = next_command(load, argv, lengths, key);
            if (redisAppendCommandArgv(redis, argc, argv, lengths) != REDIS_OK)
                fail("hiredis", redis->errstr);
        }
        for (i = 0; i < load->outstanding; i++) {
            void *reply;
            if (redisGetReply(redis, &reply) != REDIS_OK)
                fail("hiredis", redis->errstr);
            bytes += ((redisReply *)reply)->len;
            freeReplyObject(reply);
        }
        done += load->outstanding;
    } while (now(CLOCK_MONOTONIC) < end);
    return bytes ? done : 0;
}

/* keyless, in calls that wait: one command, or a pipeline of as many as may be outstanding. */
static size_t run_execute(keyless_client *client, struct load *load)
{
    double end = now(CLOCK_MONOTONIC) + load->seconds;
    keyless_pipeline *pipeline = keyless_pipeline_new();
    size_t done = 0, bytes = 0, i;
    keyless_error *error = NULL;
    do {
        const char *argv[3];
        size_t lengths[3], length;
        char key[32];
        keyless_reply *reply;
        if (load->outstanding == 1) {
            size_t argc = (size_t)next_command(load, argv, lengths, key);
            check(keyless_client_execute(client, argc, argv, lengths, 0, &reply, &error), &error, "execute");
            keyless_reply_string(reply, &length);
            bytes += length;
        } else {
            for (i = 0; i < load->outstanding; i++) {
                size_t argc = (size_t)next_command(load, argv, lengths, key);
                check(keyless_pipeline_append(pipeline, argc, argv, lengths, &error), &error, "append");
            }
            check(keyless_client_execute_pipeline(client, pipeline, 0, &reply, &error), &error, "execute");
            for (i = 0; i < load->outstanding; i++) {
                keyless_reply_string(keyless_reply_child(reply, i), &length);
                bytes += length;
            }
        }
        keyless_reply_free(reply);
        done += load->outstanding;
    } while (now(CLOCK_MONOTONIC) < end);
    keyless_pipeline_free(pipeline);
    return bytes ? done : 0;
}

/* keyless, through the completion queue: as soon as a reply is there the next command is submitted. */
static size_t run_submit(keyless_client *client, struct load *load)
{
    double end = now(CLOCK_MONOTONIC) + load->seconds;
    keyless_completions *completions = keyless_completions_new();
    size_t done = 0, bytes = 0, free_places = load->outstanding, waiting = 0, length, i;
    struct pollfd wake = {keyless_client_fd(client), POLLIN, 0};
    keyless_error *error = NULL;
    int over = 0;
    while (!over || waiting > 0) {
        const keyless_completion *list;
        size_t count;
        if (!over) {
            for (; free_places > 0; free_places--, waiting++) {
                const char *argv[3];
                size_t lengths[3];
                char key[32];
                size_t argc = (size_t)next_command(load, argv, lengths, key);
                check(keyless_client_submit(client, argc, argv, lengths, 0, NULL, NULL, &error), &error, "submit");
            }
        }
        poll(&wake, 1, -1);
        check(keyless_client_drain(client, completions, load->outstanding, &list, &count, &error), &error, "drain");
        for (i = 0; i < count; i++) {
            if (list[i].error != NULL)
                fail("submit", keyless_error_text(list[i].error));
            keyless_reply_string(list[i].reply, &length);
            bytes += length;
        }
        done += count;
        waiting -= count;
        free_places += count;
        over = over || now(CLOCK_MONOTONIC) >= end;
    }
    keyless_completions_free(completions);
    return bytes ? done : 0;
}

/* keyless, through the completion queue with pipelines: two of them, so that one is made while the other is answered. */
static size_t run_pipeline(keyless_client *client, struct load *load)
{
    double end = now(CLOCK_MONOTONIC) + load->seconds;
    keyless_completions *completions = keyless_completions_new();
    keyless_pipeline *pipeline = keyless_pipeline_new();
    size_t half = load->outstanding > 1 ? load->outstanding / 2 : 1, most = load->outstanding > 1 ? 2 : 1;
    size_t done = 0, bytes = 0, waiting = 0, length, i, k;
    struct pollfd wake = {keyless_client_fd(client), POLLIN, 0};
    keyless_error *error = NULL;
    int over = 0;
    while (!over || waiting > 0) {
        const keyless_completion *list;
        size_t count;
        for (; !over && waiting < most; waiting++) {
            for (i = 0; i < half; i++) {
                const char *argv[3];
                size_t lengths[3];
                char key[32];
                size_t argc = (size_t)next_command(load, argv, lengths, key);
                check(keyless_pipeline_append(pipeline, argc, argv, lengths, &error), &error, "append");
            }
            check(keyless_client_submit_pipeline(client, pipeline, 0, NULL, NULL, &error), &error, "submit");
        }
        poll(&wake, 1, -1);
        check(keyless_client_drain(client, completions, most, &list, &count, &error), &error, "drain");
        for (k = 0; k < count; k++) {
            if (list[k].error != NULL)
                fail("pipeline", keyless_error_text(list[k].error));
            for (i = 0; i < half; i++) {
                keyless_reply_string(keyless_reply_child(list[k].reply, i), &length);
                bytes += length;
            }
        }
        done += count * half;
        waiting -= count;
        over = over || now(CLOCK_MONOTONIC) >= end;
    }
    keyless_completions_free(completions);
    keyless_pipeline_free(pipeline);
    return bytes ? done : 0;
}

static struct figure measure(int way, redisContext *redis, keyless_client *client, struct load *load)
{
    double begun = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    struct figure figure;
    size_t done = 0;
    switch (way) {
    case 0: done = run_hiredis(redis, load); break;
    case 1: done = run_execute(client, load); break;
    case 2: done = run_submit(client, load); break;
    case 3: done = run_pipeline(client, load); break;
    }
    if (done == 0)
        fail(WAY[way], "no bytes came");
    figure.rate = (double)done / (now(CLOCK_MONOTONIC) - begun);
    figure.cpu = (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / ((double)done / 1e6);
    return figure;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *figures, size_t count)
{
    qsort(figures, count, sizeof *figures, compare);
    return figures[count / 2];
}

static redisContext *connect_hiredis(int port, redisSSLContext *ssl)
{
    redisContext *redis = redisConnect("localhost", port);
    if (redis == NULL || redis->err != 0)
        fail("hiredis", redis != NULL ? redis->errstr : "no memory");
    if (ssl != NULL && redisInitiateSSLWithContext(redis, ssl) != REDIS_OK)
        fail("hiredis over TLS", redis->errstr);
    return redis;
}

static keyless_client *connect_keyless(int port, int tls, const char *ca)
{
    char text[512];
    keyless_options *options = NULL;
    keyless_client *client = NULL;
    keyless_error *error = NULL;
    keyless_credential *nobody = NULL;
    snprintf(text, sizeof text, "localhost:%d,ssl=%s,caFile=%s,abortConnect=true", port, tls ? "true" : "false", ca);
    check(keyless_options_parse(KEYLESS_TEXT(text), &options, &error), &error, "options");
    check(keyless_credential_new(KEYLESS_TEXT("access_key"), &nobody, &error), &error, "credential");
    check(keyless_client_connect(options, nobody, &client, &error), &error, "connect");
    keyless_credential_free(nobody);
    keyless_options_free(options);
    return client;
}

static void row(redisContext *redis, keyless_client *client, int tls, struct load *load, int rounds)
{
    static struct figure figures[WAYS][MOST_ROUNDS];
    double values[MOST_ROUNDS];
    int round, way, i;
    /* The first round warms up. */
    for (round = -1; round < rounds; round++) {
        for (i = 0; i < WAYS; i++) {
            struct figure figure;
            way = round % 2 ? WAYS - 1 - i : i;
            figure = measure(way, redis, client, load);
            if (round >= 0)
                figures[way][round] = figure;
        }
    }
    printf("| %-5s | %6zu | %4zu |", tls ? "TLS" : "plain", load->size, load->outstanding);
    for (way = 0; way < WAYS; way++) {
        double rate, cpu;
        for (i = 0; i < rounds; i++)
            values[i] = figures[way][i].rate;
        rate = median(values, (size_t)rounds);
        for (i = 0; i < rounds; i++)
            values[i] = figures[way][i].cpu;
        cpu = median(values, (size_t)rounds);
        printf(" %7.1f k (%5.2f) |", rate / 1000, cpu);
        if (way > 0) {
            for (i = 0; i < rounds; i++)
                values[i] = figures[way][i].rate / figures[0][i].rate;
            printf(" %4.2f |", median(values, (size_t)rounds));
        }
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {100, 16384}, outstanding[] = {1, 50, 1000};
    redisSSLContextError ssl_error;
    redisSSLContext *ssl;
    int tls, rounds;
    size_t s, o, key;
    if (argc != 6)
        fail("usage", "bench PLAIN_PORT TLS_PORT CA_FILE ROUNDS MILLISECONDS");
    rounds = atoi(argv[4]);
    if (rounds < 1 || rounds > MOST_ROUNDS)
        fail("ROUNDS", "is not from 1 to 101");
    redisInitOpenSSL();
    ssl = redisCreateSSLContext(argv[3], NULL, NULL, NULL, "localhost", &ssl_error);
    if (ssl == NULL)
        fail("hiredis' TLS", redisSSLContextGetError(ssl_error));
    printf("80 %% GET, 20 %% SET, 10,000 keys. Commands per second (processor seconds of the client per million).\n");
    printf("Medians of %d measurements of %s ms in turn; ratios are to hiredis.\n\n", rounds, argv[5]);
    printf("|       | value  | outst. | hiredis | execute | ratio | submit | ratio | submit_pipeline | ratio |\n");
    printf("| ----- | ------ | ---- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (tls = 0; tls < 2; tls++) {
        int port = atoi(argv[tls ? 2 : 1]);
        redisContext *redis = connect_hiredis(port, tls ? ssl : NULL);
        keyless_client *client = connect_keyless(port, tls, argv[3]);
        for (s = 0; s < 2; s++) {
            struct load load = {sizes[s], 0, atof(argv[5]) / 1000, NULL, 1};
            load.value = malloc(load.size);
            memset(load.value, 'v', load.size);
            for (key = 0; key < KEYS; key++) {
                redisReply *reply = redisCommand(redis, "SET key:%u %b", (unsigned)key, load.value, load.size);
                if (reply == NULL)
                    fail("hiredis", redis->errstr);
                freeReplyObject(reply);
            }
            for (o = 0; o < 3; o++) {
                load.outstanding = outstanding[o];
                row(redis, client, tls, &load, rounds);
            }
            free(load.value);
        }
        keyless_client_free(client);
        redisFree(redis);
    }
    redisFreeSSLContext(ssl);
    return 0;
}
