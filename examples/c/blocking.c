/*
 * The shortest way: every call waits for its reply.
 *
 *     ./blocking [seconds]
 *
 * Connects as the environment says, prints what happens to tokens and connections, and sets and gets a key ten times a
 * second until the time is over (without one: for ever). Its result is 0 if no command failed.
 */
#define _POSIX_C_SOURCE 200809L

#include <keyless.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Endpoint, message and advice; the error belongs to us and is freed. */
static void complain(keyless_error *error)
{
    fprintf(stderr, "%s\n", keyless_error_text(error));
    keyless_error_free(error);
}

/* Runs on the thread "keyless-events": while it prints, commands go on. The event is borrowed until it returns. */
static void on_event(const keyless_event *event, void *user_data)
{
    size_t length = 0, endpoint_length = 0;
    const char *name = keyless_event_name(event, &length);
    const char *endpoint = keyless_event_endpoint(event, &endpoint_length);
    const keyless_error *error = keyless_event_error(event);

    (void)user_data;
    /* Texts of keyless have a length and no NUL at their end. */
    printf("event: %.*s", (int)length, name);
    if (endpoint != NULL) {
        printf(", %.*s", (int)endpoint_length, endpoint);
    }
    if (keyless_event_get_type(event) == KEYLESS_EVENT_TOKEN_REFRESHED) {
        printf(", expires in %.0f s",
               (double)(keyless_event_expires_at_ms(event) - keyless_event_time_ms(event)) / 1000);
    }
    if (error != NULL) {
        printf(": %s", keyless_error_text(error));
    }
    printf("\n");
    fflush(stdout);
}

/* One SET and one GET; whether what was read is what was written. */
static bool round_trip(const keyless_client *client, unsigned long number)
{
    char value[32];
    const char *set[] = {"SET", "example:blocking", value};
    const char *get[] = {"GET", "example:blocking"};
    keyless_reply *reply = NULL;
    keyless_error *error = NULL;
    size_t length = 0;
    const char *text;
    bool same;

    snprintf(value, sizeof value, "%lu", number);
    /* Without lengths every argument ends with a NUL. Time limit 0: the option `command_timeout`. */
    if (keyless_client_execute(client, 3, set, NULL, 0, NULL, &error) != KEYLESS_OK ||
        keyless_client_execute(client, 2, get, NULL, 0, &reply, &error) != KEYLESS_OK) {
        complain(error);
        return false;
    }
    /* The text is borrowed from the reply: look at it first, free it then. */
    text = keyless_reply_string(reply, &length);
    same = length == strlen(value) && memcmp(text, value, length) == 0;
    keyless_reply_free(reply);
    return same;
}

int main(int argc, char **argv)
{
    const long seconds = argc > 1 ? atol(argv[1]) : 0;
    const struct timespec pause = {0, 100 * 1000 * 1000};
    unsigned long rounds = 0, failed = 0;
    time_t start;
    keyless_options *options = NULL;
    keyless_client *client = NULL;
    keyless_error *error = NULL;

    /* REDIS_HOST, REDIS_PORT, and who signs in: AZURE_... variables, a managed identity, or `az login`. */
    if (keyless_options_from_env(&options, &error) != KEYLESS_OK ||
        keyless_client_connect(options, NULL, &client, &error) != KEYLESS_OK ||
        keyless_client_on_event(client, KEYLESS_ALL_EVENTS, on_event, NULL, NULL, NULL, &error) != KEYLESS_OK) {
        complain(error);
        keyless_client_free(client);
        keyless_options_free(options);
        return 1;
    }
    keyless_options_free(options); /* The client has copied what it needs. */

    /* Connecting goes on in the background if the first attempt failed; commands wait meanwhile. */
    if ((error = keyless_client_last_error(client)) != NULL) {
        complain(error);
    }
    start = time(NULL);
    while (seconds == 0 || time(NULL) - start < seconds) {
        failed += !round_trip(client, ++rounds);
        nanosleep(&pause, NULL);
    }
    keyless_client_close(client, NULL);
    keyless_client_free(client); /* From here on on_event does not run any more. */
    printf("%lu rounds, %lu failed\n", rounds, failed);
    return failed != 0;
}
