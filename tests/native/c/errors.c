/* Errors: each status that can be brought about, and what an error says. Those of replies are in replies.c, of
 * transactions in waiting.c. */
#include "peer.h"

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>

static keyless_client *client;

static int connected(void **state)
{
    (void)state;
    client = client_here();
    return 0;
}

static int closed(void **state)
{
    (void)state;
    keyless_client_free(client);
    return 0;
}

/* The emulator's options with one changed, and a first connection that may fail. */
static keyless_options *with(const char *name, const char *value)
{
    keyless_options *options = options_here();
    OK(keyless_options_set_abort_on_connect_fail(options, true, &problem));
    OK(keyless_options_set_connect_retry(options, 1, &problem));
    OK(keyless_options_set_refresh_retry_min_ms(options, 10, &problem));
    OK(keyless_options_set_refresh_retry_max_ms(options, 20, &problem));
    OK(keyless_options_set(options, KEYLESS_TEXT(name), KEYLESS_TEXT(value), &problem));
    return options;
}

static keyless_options *at(const char *endpoint)
{
    char text[300];
    keyless_options *options;
    snprintf(text, sizeof text, "%s,abortConnect=true,connectRetry=1,ssl=false,password=any", endpoint);
    OK(keyless_options_parse(KEYLESS_TEXT(text), &options, &problem));
    return options;
}

static void cannot_connect(keyless_status why, keyless_options *options)
{
    keyless_client *none = client;
    FAILS(why, keyless_client_connect(options, NULL, &none, &problem));
    assert_null(none);
    keyless_options_free(options);
}

/* A port on which nobody listens, kept from others. */
static int unused_port(char *endpoint, size_t room)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int keeper = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(keeper, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(keeper, (struct sockaddr *)&address, &length), 0);
    snprintf(endpoint, room, "127.0.0.1:%u", ntohs(address.sin_port));
    return keeper;
}

static void options_that_contradict_themselves(void **state)
{
    (void)state;
    cannot_connect(KEYLESS_TLS_REQUIRED, with("tls", "false"));
    cannot_connect(KEYLESS_INVALID_OPTION, with("user", "someone"));
    cannot_connect(KEYLESS_INVALID_OPTION, with("refresh_ratio", "0.05"));
    cannot_connect(KEYLESS_INVALID_OPTION, with("ca_file", "/nothing/here"));
}

static void an_endpoint_that_is_not_there(void **state)
{
    (void)state;
    char endpoint[100];
    int keeper = unused_port(endpoint, sizeof endpoint);
    cannot_connect(KEYLESS_CONNECT_FAILED, at(endpoint));
    close(keeper);
    cannot_connect(KEYLESS_NAME_RESOLUTION, at("no-such-host.invalid:6379"));
}

static void a_certificate_of_somebody_else(void **state)
{
    (void)state;
    char port[16];
    char *gateway = control("POST", "/gateways", "{\"certificate\":\"wrong_host\"}");
    snprintf(port, sizeof port, "%ld", strtol(strstr(gateway, "\"port\":") + strlen("\"port\":"), NULL, 10));
    free(gateway);
    char *usual = strdup(getenv("REDIS_PORT"));
    setenv("REDIS_PORT", port, 1);
    cannot_connect(KEYLESS_TLS_FAILED, with("connect_retry", "1"));
    setenv("REDIS_PORT", usual, 1);
    free(usual);
}

static const struct answer UNWILLING[] = {{"HELLO", "-ERR not today\r\n"}, {NULL, NULL}};
static const struct answer CLOSED_DOOR[] = {{"HELLO", "-WRONGPASS no\r\n"}, {NULL, NULL}};

static void a_server_that_does_not_want(void **state)
{
    (void)state;
    const struct answer *servers[] = {UNWILLING, CLOSED_DOOR};
    const keyless_status why[] = {KEYLESS_HANDSHAKE_FAILED, KEYLESS_AUTH_REFUSED};
    for (int which = 0; which < 2; which++) {
        char endpoint[100];
        struct peer *peer = peer_start(servers[which]);
        snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", peer_port(peer));
        cannot_connect(why[which], at(endpoint));
        peer_stop(peer);
    }
}

static void a_sign_in_that_fails(void **state)
{
    (void)state;
    cannot_connect(KEYLESS_SIGN_IN_REFUSED, with("client_secret", "a wrong one"));
    fault("{\"auth\":{}}");
    cannot_connect(KEYLESS_AUTH_REFUSED, with("connect_retry", "1"));
    fault("{\"auth\":null,\"token\":{\"mode\":\"not_a_jwt\"}}");
    cannot_connect(KEYLESS_INVALID_TOKEN, with("connect_retry", "1"));
    fault("{\"token\":{\"mode\":\"too_many_requests\",\"retry_after\":7}}");
    keyless_options *options = with("connect_retry", "1");
    keyless_token_source *source;
    OK(keyless_token_source_new(options, NULL, &source, &problem));
    assert_int_equal(refusal(source), KEYLESS_TOKEN_ENDPOINT_UNAVAILABLE);
    assert_int_equal(keyless_error_retry_after_ms(problem), 7000);
    assert_true(keyless_error_retryable(problem));
    keyless_error_free(problem);
    problem = NULL;
    keyless_token_source_free(source);
    keyless_options_free(options);
    fault("{\"token\":null}");
}

static void commands_that_cannot_be_sent(void **state)
{
    (void)state;
    keyless_reply *reply;
    keyless_options *options = options_here();
    keyless_client *own;
    const char *null_inside[] = {"GET", NULL};
    const size_t beyond[] = {3, SIZE_MAX};
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_execute(client, 0, NULL, NULL, 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_execute(client, COMMAND(""), 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_execute(client, COMMAND("MULTI"), 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_execute(client, COMMAND("WAIT", "1", "0"), 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_client_execute(client, 2, null_inside, NULL, 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_client_execute(client, 2, null_inside, beyond, 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_client_execute(client, SIZE_MAX, null_inside, NULL, 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_client_execute(client, 2, NULL, beyond, 0, &reply, &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_submit(client, COMMAND("SUBSCRIBE", "a"), 0, NULL, NULL, &problem));
    assert_null(reply);

    OK(keyless_options_set_disabled_commands(options, KEYLESS_TEXT("KEYS"), &problem));
    OK(keyless_client_connect(options, NULL, &own, &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_execute(own, COMMAND("keys", "*"), 0, &reply, &problem));
    tell(own, "PONG", COMMAND("PING"));
    keyless_client_free(own);
    keyless_options_free(options);
}

static void no_connection_and_no_patience(void **state)
{
    (void)state;
    char endpoint[100], text[200];
    keyless_options *options;
    keyless_client *own;
    keyless_reply *reply;
    int keeper = unused_port(endpoint, sizeof endpoint);
    snprintf(text, sizeof text, "%s,ssl=false,password=any,abortConnect=false,backlog=fail_fast", endpoint);
    OK(keyless_options_parse(KEYLESS_TEXT(text), &options, &problem));
    OK(keyless_client_connect(options, NULL, &own, &problem));
    assert_false(keyless_client_is_ready(own));
    keyless_error *why = keyless_client_last_error(own);
    assert_int_equal(keyless_error_code(why), KEYLESS_CONNECT_FAILED);
    size_t length;
    const char *where = keyless_error_endpoint(why, &length);
    assert_true(is_text(where, length, endpoint));
    keyless_error_free(why);
    FAILS(KEYLESS_NOT_CONNECTED, keyless_client_execute(own, COMMAND("PING"), 0, &reply, &problem));
    keyless_client_free(own);

    OK(keyless_options_set_backlog(options, KEYLESS_TEXT("queue"), &problem));
    OK(keyless_options_set_backlog_limit(options, 1, &problem));
    OK(keyless_client_connect(options, NULL, &own, &problem));
    OK(keyless_client_submit(own, COMMAND("PING"), 0, NULL, NULL, &problem));
    FAILS(KEYLESS_BACKLOG_FULL, keyless_client_submit(own, COMMAND("PING"), 0, NULL, NULL, &problem));
    keyless_client_free(own);
    OK(keyless_client_connect(options, NULL, &own, &problem));
    keyless_status late = keyless_client_execute(own, COMMAND("PING"), 30, &reply, &problem);
    assert_true(late == KEYLESS_CONNECT_FAILED || late == KEYLESS_TIMEOUT);
    assert_false(keyless_error_maybe_executed(problem));
    keyless_error_free(problem);
    problem = NULL;
    keyless_client_free(own);
    keyless_options_free(options);
    close(keeper);
}

static void an_answer_that_does_not_come(void **state)
{
    (void)state;
    keyless_reply *reply;
    SOON(keyless_client_is_ready(client));
    fault("{\"data\":{\"freeze\":\"to_client\"}}");
    assert_int_equal(keyless_client_execute(client, COMMAND("INCR", "late"), 50, &reply, &problem), KEYLESS_TIMEOUT);
    assert_true(keyless_error_maybe_executed(problem));
    keyless_error_free(problem);
    problem = NULL;
    fault("{\"data\":null}");
    tell(client, "1", COMMAND("GET", "late"));
}

static void a_client_that_was_closed(void **state)
{
    (void)state;
    keyless_client *own = client_here();
    keyless_reply *reply;
    size_t length;
    assert_non_null(keyless_client_endpoint(own, &length));
    assert_true(length > strlen("localhost:"));
    assert_null(keyless_client_last_error(own));
    OK(keyless_client_close(own, &problem));
    OK(keyless_client_close(own, &problem));
    FAILS(KEYLESS_CLOSED, keyless_client_execute(own, COMMAND("PING"), 0, &reply, &problem));
    FAILS(KEYLESS_CLOSED, keyless_client_submit(own, COMMAND("PING"), 0, NULL, NULL, &problem));
    assert_false(keyless_client_is_ready(own));
    keyless_client_free(own);
}

static void *execute_without_descriptors(void *data)
{
    keyless_error *error = NULL;
    keyless_reply *reply;
    *(int *)data = (int)keyless_client_execute(client, COMMAND("PING"), 0, &reply, &error);
    keyless_error_free(error);
    return NULL;
}

static void a_process_without_descriptors(void **state)
{
    (void)state;
    struct rlimit usual, none;
    pthread_t thread;
    int found = 0;
    keyless_client *own = client_here();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = usual;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int created = pthread_create(&thread, NULL, execute_without_descriptors, &found);
    int descriptor = keyless_client_fd(own);
    if (created == 0) {
        pthread_join(thread, NULL);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(created, 0);
    assert_int_equal(found, KEYLESS_INTERNAL);
    assert_int_equal(descriptor, -1);
    assert_true(keyless_client_fd(own) >= 0);
    tell(own, "PONG", COMMAND("PING"));
    keyless_client_free(own);
}

static void an_error_tells_everything(void **state)
{
    (void)state;
    size_t length;
    keyless_reply *reply;
    tell(client, "OK", COMMAND("SET", "text", "value"));
    assert_int_equal(keyless_client_execute(client, COMMAND("LPUSH", "text", "x"), 0, &reply, &problem), KEYLESS_SERVER);
    assert_null(reply);
    keyless_error *copy = keyless_error_clone(problem);
    keyless_error_free(problem);
    problem = NULL;
    assert_int_equal(keyless_error_code(copy), KEYLESS_SERVER);
    const char *view = keyless_error_name(copy, &length);
    assert_true(is_text(view, length, "server"));
    view = keyless_error_server_code(copy, &length);
    assert_true(is_text(view, length, "WRONGTYPE"));
    view = keyless_error_message(copy, &length);
    assert_true(length > strlen("WRONGTYPE") && view != NULL);
    assert_null(keyless_error_endpoint(copy, &length));
    assert_int_equal(length, 0);
    assert_non_null(keyless_error_advice(copy, &length));
    assert_non_null(strstr(keyless_error_text(copy), "WRONGTYPE"));
    assert_false(keyless_error_retryable(copy));
    assert_int_equal(keyless_error_retry_after_ms(copy), 0);
    keyless_error_free(copy);
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_execute(client, COMMAND("QUIT"), 0, &reply, &problem));
    /* NULL stands for no error. */
    assert_int_equal(keyless_error_code(NULL), KEYLESS_OK);
    assert_string_equal(keyless_error_text(NULL), "");
    assert_null(keyless_error_clone(NULL));
    keyless_error_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_contradict_themselves),
        cmocka_unit_test(an_endpoint_that_is_not_there),
        cmocka_unit_test(a_certificate_of_somebody_else),
        cmocka_unit_test(a_server_that_does_not_want),
        cmocka_unit_test(a_sign_in_that_fails),
        cmocka_unit_test(commands_that_cannot_be_sent),
        cmocka_unit_test(no_connection_and_no_patience),
        cmocka_unit_test(an_answer_that_does_not_come),
        cmocka_unit_test(a_client_that_was_closed),
        cmocka_unit_test(a_process_without_descriptors),
        cmocka_unit_test(an_error_tells_everything),
    };
    return cmocka_run_group_tests(tests, connected, closed);
}
