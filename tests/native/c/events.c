/* Events, figures and log lines: masks, order, handlers that remove themselves or free their client. */
#include "common.h"

struct heard {
    keyless_client *client;
    uint64_t id;
    int each[7];
    int all;
    int wrong;
    int freed;
    int ended;
};

static keyless_client *impatient_client(void)
{
    keyless_options *options = options_here();
    keyless_client *client;
    OK(keyless_options_set_reconnect_backoff_min_ms(options, 5, &problem));
    OK(keyless_options_set_reconnect_backoff_max_ms(options, 20, &problem));
    OK(keyless_options_set_refresh_retry_min_ms(options, 10, &problem));
    OK(keyless_options_set_refresh_retry_max_ms(options, 50, &problem));
    OK(keyless_options_set_reauth_retry_min_ms(options, 10, &problem));
    OK(keyless_client_connect(options, NULL, &client, &problem));
    keyless_options_free(options);
    return client;
}

static void hear(const keyless_event *event, void *data)
{
    struct heard *heard = data;
    size_t name = 0, endpoint = 0, user = 0;
    uint32_t type = keyless_event_get_type(event);
    bool of_token = (type & (KEYLESS_EVENT_TOKEN_REFRESHED | KEYLESS_EVENT_TOKEN_REFRESH_FAILED)) != 0;
    bool failure = (type & (KEYLESS_EVENT_TOKEN_REFRESH_FAILED | KEYLESS_EVENT_CONNECTION_REAUTHENTICATION_FAILED |
                            KEYLESS_EVENT_CONNECTION_LOST)) != 0;
    bool right = keyless_event_name(event, &name) != NULL && name > 0 && keyless_event_time_ms(event) > 0;
    right = right && (keyless_event_endpoint(event, &endpoint) == NULL) == of_token && (endpoint == 0) == of_token;
    right = right && (keyless_event_user(event, &user) != NULL) == (type == KEYLESS_EVENT_TOKEN_REFRESHED);
    right = right && (keyless_event_error(event) != NULL) == failure;
    right = right && (!failure || keyless_error_code(keyless_event_error(event)) != KEYLESS_OK);
    switch (type) {
    case KEYLESS_EVENT_TOKEN_REFRESHED:
        right = right && keyless_event_expires_at_ms(event) > keyless_event_next_refresh_ms(event) &&
                keyless_event_next_refresh_ms(event) > 0 && keyless_event_generation(event) > 0;
        break;
    case KEYLESS_EVENT_CONNECTION_REAUTHENTICATED:
        right = right && keyless_event_expires_at_ms(event) > 0 && keyless_event_generation(event) > 0 &&
                keyless_event_next_refresh_ms(event) == 0;
        break;
    case KEYLESS_EVENT_TOKEN_REFRESH_FAILED:
    case KEYLESS_EVENT_CONNECTION_REAUTHENTICATION_FAILED:
        right = right && keyless_event_attempt(event) > 0 && keyless_event_next_attempt_ms(event) > 0;
        break;
    case KEYLESS_EVENT_CONNECTION_RESTORED:
        right = right && keyless_event_attempt(event) > 0 && keyless_event_outage_ms(event) < SOON_MS;
        break;
    case KEYLESS_EVENT_SUBSCRIPTION_GAP:
        right = right && keyless_event_subscriptions(event) == 2;
        break;
    default:
        right = right && type == KEYLESS_EVENT_CONNECTION_LOST && keyless_event_attempt(event) == 0;
    }
    if (!right) {
        fprintf(stderr, "something is wrong with an event of type %u\n", type);
        ADD(heard->wrong, 1);
    }
    for (int bit = 0; bit < 7; bit++) {
        if (type == UINT32_C(1) << bit) {
            ADD(heard->each[bit], 1);
        }
    }
    ADD(heard->all, 1);
}

static void freed(void *data)
{
    ADD(((struct heard *)data)->freed, 1);
}

static void every_event_is_heard_of(void **state)
{
    (void)state;
    struct heard all = {0}, lost = {0}, none = {0};
    keyless_subscription *subscription;
    uint64_t id;
    const char *names[] = {"a", "b"};
    keyless_client *client = impatient_client();
    OK(keyless_client_on_event(client, KEYLESS_ALL_EVENTS, hear, &all, freed, &all.id, &problem));
    OK(keyless_client_on_event(client, KEYLESS_EVENT_CONNECTION_LOST, hear, &lost, freed, &id, &problem));
    OK(keyless_client_on_event(client, 0, hear, &none, freed, NULL, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_client_on_event(client, 1, NULL, &none, freed, &id, &problem));
    assert_int_equal(none.freed, 0);
    OK(keyless_subscription_new(client, 0, KEYLESS_DROP_OLDEST, &subscription, &problem));
    OK(keyless_subscription_subscribe(subscription, KEYLESS_CHANNEL, 2, names, NULL, &problem));
    fault("{\"connections\":\"reset\"}");
    SOON(LOOK(all.each[5]) == 1 && LOOK(all.each[6]) == 1);
    /* The token is refused, and there is no other one at first. */
    free(control("POST", "/token-lifetime", "{\"seconds\":4}"));
    fault("{\"auth\":{\"count\":1},\"token\":{\"mode\":\"status\",\"status\":503}}");
    fault("{\"connections\":\"reset\"}");
    SOON(LOOK(all.each[1]) >= 1);
    fault("{\"token\":null}");
    /* From now on tokens are short, and each new one signs the connection in again. */
    SOON(LOOK(all.each[5]) == 2 && LOOK(all.each[0]) >= 2 && LOOK(all.each[2]) >= 1);
    fault("{\"auth\":{\"count\":1}}");
    SOON(LOOK(all.each[3]) >= 1);
    fault("{\"token\":null,\"auth\":null}");
    free(control("POST", "/token-lifetime", "{\"seconds\":3600}"));
    assert_true(LOOK(all.each[4]) >= 1);
    assert_int_equal(LOOK(lost.all), LOOK(lost.each[4]));
    assert_true(keyless_client_remove_handler(client, id));
    assert_false(keyless_client_remove_handler(client, id));
    assert_false(keyless_client_remove_handler(client, 12345));
    assert_int_equal(LOOK(lost.freed), 1);
    keyless_subscription_free(subscription);
    keyless_client_free(client);
    assert_int_equal(LOOK(all.freed), 1);
    assert_int_equal(LOOK(none.freed), 1);
    assert_int_equal(none.all, 0);
    assert_int_equal(all.wrong + lost.wrong, 0);
}

static void remove_itself(const keyless_event *event, void *data)
{
    struct heard *heard = data;
    (void)event;
    if (!keyless_client_remove_handler(heard->client, heard->id)) {
        heard->wrong++;
    }
    ADD(heard->all, 1);
}

static void a_handler_removes_itself(void **state)
{
    (void)state;
    struct heard once = {0}, all = {0};
    keyless_client *client = impatient_client();
    once.client = client;
    OK(keyless_client_on_event(client, KEYLESS_ALL_EVENTS, remove_itself, &once, freed, &once.id, &problem));
    OK(keyless_client_on_event(client, KEYLESS_EVENT_CONNECTION_RESTORED, hear, &all, freed, NULL, &problem));
    fault("{\"connections\":\"close\"}");
    SOON(LOOK(all.each[5]) == 1);
    fault("{\"connections\":\"close\"}");
    SOON(LOOK(all.each[5]) == 2);
    assert_int_equal(LOOK(once.all), 1);
    assert_int_equal(once.wrong, 0);
    SOON(LOOK(once.freed) == 1);
    keyless_client_free(client);
}

static void call_and_free(const keyless_event *event, void *data)
{
    struct heard *heard = data;
    keyless_reply *reply = NULL;
    keyless_error *error = NULL;
    size_t length;
    if (keyless_client_execute(heard->client, COMMAND("PING"), 0, &reply, &error) != KEYLESS_OK ||
        !reply_is(reply, "PONG")) {
        heard->wrong++;
    }
    keyless_reply_free(reply);
    keyless_error_free(error);
    keyless_client_free(heard->client);
    /* Still there, though the client is not. */
    if (keyless_event_name(event, &length) == NULL || keyless_event_get_type(event) == 0) {
        heard->wrong++;
    }
    SET(heard->ended, 1);
}

static void a_handler_frees_its_client(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct heard heard = {0};
        heard.client = impatient_client();
        OK(keyless_client_on_event(heard.client, KEYLESS_EVENT_CONNECTION_RESTORED, call_and_free, &heard, freed, NULL,
                                   &problem));
        fault("{\"connections\":\"reset\"}");
        SOON(LOOK(heard.ended) == 1 && LOOK(heard.freed) == 1);
        assert_int_equal(heard.wrong, 0);
    }
}

static void figures_add_up(void **state)
{
    (void)state;
    keyless_stats *stats;
    size_t length;
    keyless_reply *reply;
    keyless_options *options = options_here();
    keyless_client *client;
    OK(keyless_options_set_cache_size(options, 1 << 20, &problem));
    OK(keyless_client_connect(options, NULL, &client, &problem));
    keyless_options_free(options);
    tell(client, "OK", COMMAND("SET", "figure", "1"));
    for (int index = 0; index < 10; index++) {
        tell(client, "1", COMMAND("GET", "figure"));
    }
    FAILS(KEYLESS_SERVER, keyless_client_execute(client, COMMAND("NOSUCHCOMMAND"), 0, &reply, &problem));
    OK(keyless_client_stats(client, &stats, &problem));
    assert_in_range(keyless_stats_commands(stats), 2, 12);
    assert_int_equal(keyless_stats_errors(stats, 0), 1);
    assert_int_equal(keyless_stats_errors(stats, KEYLESS_SERVER), 1);
    assert_int_equal(keyless_stats_errors(stats, KEYLESS_TIMEOUT), 0);
    assert_int_equal(keyless_stats_errors(stats, -1), 0);
    assert_int_equal(keyless_stats_queued(stats) + keyless_stats_in_flight(stats), 0);
    assert_int_equal(keyless_stats_connections(stats), 1);
    assert_int_equal(keyless_stats_reconnects(stats), 0);
    assert_int_equal(keyless_stats_reauthentications(stats) + keyless_stats_reauthentication_failures(stats), 0);
    assert_int_equal(keyless_stats_token_refreshes(stats), 1);
    assert_int_equal(keyless_stats_token_refresh_failures(stats), 0);
    assert_in_range(keyless_stats_token_age_ms(stats), 0, SOON_MS);
    assert_in_range(keyless_stats_token_remaining_ms(stats), 1, 3600000);
    assert_int_equal(keyless_stats_cache_hits(stats), 9);
    assert_int_equal(keyless_stats_cache_misses(stats), 1);
    assert_int_equal(keyless_stats_cache_entries(stats), 1);
    assert_true(keyless_stats_cache_bytes(stats) > 0);
    assert_int_equal(keyless_stats_messages_dropped(stats) + keyless_stats_events_dropped(stats), 0);
    assert_true(keyless_stats_latency_count(stats) >= 2);
    assert_true(keyless_stats_latency_p50_us(stats) <= keyless_stats_latency_p90_us(stats));
    assert_true(keyless_stats_latency_p90_us(stats) <= keyless_stats_latency_p99_us(stats));
    assert_true(keyless_stats_latency_p99_us(stats) <= keyless_stats_latency_p99_9_us(stats));
    assert_true(keyless_stats_latency_p99_9_us(stats) <= keyless_stats_latency_max_us(stats));
    assert_int_equal(keyless_stats_endpoint_count(stats), 1);
    assert_non_null(keyless_stats_endpoint_name(stats, 0, &length));
    assert_true(keyless_stats_endpoint_connected(stats, 0));
    assert_int_equal(keyless_stats_endpoint_queued(stats, 0) + keyless_stats_endpoint_in_flight(stats, 0), 0);
    assert_in_range(keyless_stats_endpoint_last_reply_ms(stats, 0), 0, SOON_MS);
    assert_null(keyless_stats_endpoint_name(stats, 1, &length));
    assert_false(keyless_stats_endpoint_connected(stats, SIZE_MAX));
    assert_int_equal(keyless_stats_endpoint_last_reply_ms(stats, 1), -1);
    assert_int_equal(keyless_stats_token_age_ms(NULL), -1);
    keyless_stats_free(stats);
    keyless_client_free(client);
    keyless_stats_free(NULL);
}

struct lines {
    int count;
    int wrong;
    int freed;
};

static void log_line(keyless_log_level level, const char *target, const char *text, void *data)
{
    struct lines *lines = data;
    if (level < KEYLESS_LOG_ERROR || level > KEYLESS_LOG_DEBUG || strncmp(target, "keyless", 7) != 0 || *text == '\0' ||
        strstr(text, getenv("AZURE_CLIENT_SECRET")) != NULL) {
        ADD(lines->wrong, 1);
    }
    ADD(lines->count, 1);
}

static void lines_freed(void *data)
{
    ADD(((struct lines *)data)->freed, 1);
}

static void log_lines_come_while_somebody_listens(void **state)
{
    (void)state;
    struct lines lines = {0}, errors = {0};
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_log_set(6, log_line, &lines, lines_freed, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_log_set(-1, log_line, &lines, lines_freed, &problem));
    assert_int_equal(lines.freed, 0);
    OK(keyless_log_set(KEYLESS_LOG_DEBUG, log_line, &lines, lines_freed, &problem));
    keyless_client_free(client_here());
    assert_true(LOOK(lines.count) > 0);
    OK(keyless_log_set(KEYLESS_LOG_ERROR, log_line, &errors, lines_freed, &problem));
    SOON(LOOK(lines.freed) == 1);
    keyless_client_free(client_here());
    OK(keyless_log_set(KEYLESS_LOG_OFF, log_line, &lines, lines_freed, &problem));
    SOON(LOOK(lines.freed) == 2 || LOOK(errors.freed) == 1);
    OK(keyless_log_set(KEYLESS_LOG_TRACE, NULL, NULL, NULL, &problem));
    SOON(LOOK(errors.freed) == 1 && LOOK(lines.freed) == 2);
    assert_int_equal(lines.wrong, 0);
    assert_int_equal(errors.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_is_heard_of),
        cmocka_unit_test(a_handler_removes_itself),
        cmocka_unit_test(a_handler_frees_its_client),
        cmocka_unit_test(figures_add_up),
        cmocka_unit_test(log_lines_come_while_somebody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
