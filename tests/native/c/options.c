/* Options: from an endpoint, a connection string, the environment; every setter read back; printing, warnings, secrets. */
#include "common.h"

#include <math.h>

static keyless_options *options;

static int made(void **state)
{
    (void)state;
    OK(keyless_options_new(KEYLESS_TEXT("mycache.westeurope.redis.azure.net"), &options, &problem));
    return 0;
}

static int freed(void **state)
{
    (void)state;
    keyless_options_free(options);
    return 0;
}

static void is(const char *name, const char *wanted)
{
    char value[300];
    size_t length;
    OK(keyless_options_get(options, KEYLESS_TEXT(name), value, sizeof value, &length, &problem));
    assert_int_equal(length, strlen(wanted));
    assert_string_equal(value, wanted);
}

/* A setter of text: a value that it takes, how that is printed, and one that it refuses, or NULL. */
typedef keyless_status text_setter(keyless_options *, const char *, size_t, keyless_error **);

static void takes_text(text_setter *set, const char *name, const char *value, const char *printed, const char *refused)
{
    OK(set(options, KEYLESS_TEXT(value), &problem));
    is(name, printed);
    if (refused != NULL) {
        FAILS(KEYLESS_INVALID_OPTION, set(options, KEYLESS_TEXT(refused), &problem));
        is(name, printed);
    }
    FAILS(KEYLESS_INVALID_ARGUMENT, set(options, "\xff", 1, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, set(options, NULL, 3, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, set(options, value, SIZE_MAX, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, set(NULL, KEYLESS_TEXT(value), &problem));
    is(name, printed);
}

static void every_setter_of_text(void **state)
{
    (void)state;
    const char *pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    takes_text(keyless_options_set_tls_host, "tls_host", "other.example", "other.example", "not a host");
    takes_text(keyless_options_set_tls_min_version, "tls_min_version", "tls13", "tls13", "tls11");
    OK(keyless_options_set_ca_certificates(options, KEYLESS_TEXT(pem), &problem));
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_set_ca_certificates(options, KEYLESS_TEXT("none"), &problem));
    takes_text(keyless_options_set_ca_file, "ca_file", "/tmp/ca.pem", "/tmp/ca.pem", NULL);
    takes_text(keyless_options_set_protocol, "protocol", "RESP2", "resp2", "resp4");
    takes_text(keyless_options_set_client_name, "client_name", "worker-1", "worker-1", "with a space");
    takes_text(keyless_options_set_user, "user", "someone", "someone", NULL);
    takes_text(keyless_options_set_password, "password", "hunter2", "***", NULL);
    takes_text(keyless_options_set_channel_prefix, "channel_prefix", "app:", "app:", NULL);
    takes_text(keyless_options_set_backlog, "backlog", "fail_fast", "fail_fast", "forget");
    takes_text(keyless_options_set_read_from, "read_from", "replica", "replica", "anyone");
    takes_text(keyless_options_set_cluster, "cluster", "off", "off", "maybe");
    takes_text(keyless_options_set_disabled_commands, "disabled_commands", "KEYS", "KEYS", NULL);
    takes_text(keyless_options_set_tunnel, "tunnel", "http:proxy:3128", "http:proxy:3128", "ftp:proxy");
    takes_text(keyless_options_set_scope, "scope", "https://example/.default", "https://example/.default", NULL);
    takes_text(keyless_options_set_cloud, "cloud", "china", "china", "moon");
    takes_text(keyless_options_set_authority_host, "authority_host", "https://login.example", "https://login.example",
               "http://login.example");
    takes_text(keyless_options_set_client_id, "client_id", "an-id", "an-id", NULL);
    takes_text(keyless_options_set_tenant_id, "tenant_id", "a-tenant", "a-tenant", NULL);
    takes_text(keyless_options_set_client_secret, "client_secret", "hunter3", "***", NULL);
    takes_text(keyless_options_set_user_name, "user_name", "an-oid", "an-oid", NULL);
    takes_text(keyless_options_set_token_credentials, "token_credentials", "prod", "prod", NULL);
    takes_text(keyless_options_set_token_ca_file, "token_ca_file", "/tmp/ca.pem", "/tmp/ca.pem", NULL);
    OK(keyless_options_add_endpoint(options, KEYLESS_TEXT("other.westeurope.redis.azure.net:10001"), &problem));
    is("endpoint", "mycache.westeurope.redis.azure.net:10000,other.westeurope.redis.azure.net:10001");
}

typedef keyless_status number_setter(keyless_options *, uint64_t, keyless_error **);

static void takes_number(number_setter *set, const char *name, uint64_t value, const char *printed, uint64_t refused)
{
    OK(set(options, value, &problem));
    is(name, printed);
    if (refused != 0) {
        FAILS(KEYLESS_INVALID_OPTION, set(options, refused, &problem));
        is(name, printed);
    }
    FAILS(KEYLESS_INVALID_ARGUMENT, set(NULL, value, &problem));
    OK(set(options, value, NULL));
}

static void every_setter_of_a_number(void **state)
{
    (void)state;
    const uint64_t much = UINT64_MAX;
    takes_number(keyless_options_set_connect_timeout_ms, "connect_timeout", 1234, "1234", much);
    takes_number(keyless_options_set_connect_retry, "connect_retry", 7, "7", much);
    takes_number(keyless_options_set_command_timeout_ms, "command_timeout", 4321, "4321", much);
    takes_number(keyless_options_set_keep_alive_ms, "keep_alive", 1500, "1.5", much);
    takes_number(keyless_options_set_database, "database", 3, "3", 65536);
    takes_number(keyless_options_set_topology_refresh_interval_ms, "topology_refresh_interval", 30000, "30", much);
    takes_number(keyless_options_set_backlog_limit, "backlog_limit", 10, "10", much);
    takes_number(keyless_options_set_backlog_limit_bytes, "backlog_limit_bytes", 4096, "4096", 1);
    takes_number(keyless_options_set_reconnect_backoff_min_ms, "reconnect_backoff_min", 20, "20", much);
    takes_number(keyless_options_set_reconnect_backoff_max_ms, "reconnect_backoff_max", 200, "200", much);
    takes_number(keyless_options_set_blocking_connections, "blocking_connections", 2, "2", 10001);
    takes_number(keyless_options_set_io_threads, "io_threads", 2, "2", 65);
    takes_number(keyless_options_set_max_reply_bytes, "max_reply_bytes", 4096, "4096", 1);
    takes_number(keyless_options_set_cache_size, "cache_size", 65536, "65536", much);
    takes_number(keyless_options_set_cache_max_age_ms, "cache_max_age", 1000, "1000", much);
    takes_number(keyless_options_set_refresh_margin_ms, "refresh_margin", 0, "0", much);
    takes_number(keyless_options_set_refresh_retry_min_ms, "refresh_retry_min", 10, "10", much);
    takes_number(keyless_options_set_refresh_retry_max_ms, "refresh_retry_max", 100, "100", much);
    takes_number(keyless_options_set_token_request_timeout_ms, "token_request_timeout", 100, "100", much);
    takes_number(keyless_options_set_reauth_stagger_ms, "reauth_stagger", 5, "5", 0);
    takes_number(keyless_options_set_reauth_stagger_ms, "reauth_stagger", UINT64_MAX, "auto", 0);
    takes_number(keyless_options_set_reauth_retry_min_ms, "reauth_retry_min", 5, "5", much);
}

static void every_setter_of_something_else(void **state)
{
    (void)state;
    OK(keyless_options_set_tls(options, false, &problem));
    is("tls", "false");
    OK(keyless_options_set_tcp_keep_alive(options, false, &problem));
    is("tcp_keep_alive", "false");
    OK(keyless_options_set_set_client_info(options, false, &problem));
    is("set_client_info", "false");
    OK(keyless_options_set_abort_on_connect_fail(options, true, &problem));
    is("abort_on_connect_fail", "true");
    OK(keyless_options_set_access_key_fallback(options, true, &problem));
    is("access_key_fallback", "true");
    OK(keyless_options_set_refresh_ratio(options, 0.5, &problem));
    is("refresh_ratio", "0.5");
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_set_refresh_ratio(options, 1.5, &problem));
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_set_refresh_ratio(options, NAN, &problem));
    OK(keyless_options_set_refresh_jitter(options, 0.25, &problem));
    is("refresh_jitter", "0.25");
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_set_refresh_jitter(options, -1, &problem));
}

static void by_name(void **state)
{
    (void)state;
    char small[4] = "xyz";
    size_t length;
    OK(keyless_options_set(options, KEYLESS_TEXT("connectTimeout"), KEYLESS_TEXT("250"), &problem));
    is("connect_timeout", "250");
    FAILS(KEYLESS_INVALID_OPTION,
          keyless_options_set(options, KEYLESS_TEXT("conect_timeout"), KEYLESS_TEXT("250"), &problem));
    FAILS(KEYLESS_INVALID_OPTION,
          keyless_options_set(options, KEYLESS_TEXT("connect_timeout"), KEYLESS_TEXT("soon"), &problem));
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_set(options, "", 0, "", 0, &problem));
    /* An embedded NUL is part of the text, not its end. */
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_set(options, "connect_timeout\0x", 17, "250", 3, &problem));
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_set(options, "connect_timeout", 15, "250\0", 4, &problem));

    OK(keyless_options_get(options, KEYLESS_TEXT("connect_timeout"), NULL, 0, &length, &problem));
    assert_int_equal(length, 3);
    OK(keyless_options_get(options, KEYLESS_TEXT("connect_timeout"), small, 3, &length, &problem));
    assert_int_equal(length, 3);
    assert_string_equal(small, "25");
    OK(keyless_options_get(options, KEYLESS_TEXT("connect_timeout"), small, 4, NULL, &problem));
    assert_string_equal(small, "250");
    OK(keyless_options_get(options, KEYLESS_TEXT("ca_file"), small, 4, &length, &problem));
    assert_int_equal(length, 0);
    assert_string_equal(small, "");
    FAILS(KEYLESS_INVALID_ARGUMENT,
          keyless_options_get(options, KEYLESS_TEXT("connect_timeout"), NULL, 4, &length, &problem));
    assert_int_equal(length, 0);
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_get(options, KEYLESS_TEXT("nothing"), small, 4, &length, &problem));
    assert_int_equal(length, 0);
}

static void a_connection_string_comes_back(void **state)
{
    (void)state;
    char printed[600], again[600], tiny[1];
    size_t length, warned;
    keyless_options *parsed, *copy;
    const char *text = "mycache.redis.cache.windows.net:6380,password=a=secret,connectRetry=5,checkCertificateRevocation=true";
    OK(keyless_options_parse(KEYLESS_TEXT(text), &parsed, &problem));
    OK(keyless_options_print(parsed, printed, sizeof printed, &length, &problem));
    assert_int_equal(length, strlen(printed));
    assert_null(strstr(printed, "secret"));
    assert_non_null(strstr(printed, "***"));
    assert_non_null(strstr(printed, "mycache.redis.cache.windows.net:6380"));
    assert_non_null(keyless_options_warning(parsed, 0, &warned));
    assert_true(warned > 0);
    assert_null(keyless_options_warning(parsed, 99, &warned));
    assert_int_equal(warned, 0);
    assert_null(keyless_options_warning(NULL, 0, &warned));
    OK(keyless_options_print(parsed, tiny, 1, &warned, &problem));
    assert_true(warned == length && tiny[0] == '\0');
    OK(keyless_options_print(parsed, NULL, 0, &warned, &problem));
    assert_int_equal(warned, length);

    copy = keyless_options_clone(parsed);
    OK(keyless_options_set_connect_retry(copy, 6, &problem));
    keyless_options_free(parsed);
    OK(keyless_options_print(copy, again, sizeof again, NULL, &problem));
    assert_string_not_equal(printed, again);
    keyless_options_free(copy);
    assert_null(keyless_options_clone(NULL));
    keyless_options_free(NULL);
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    keyless_options *none = options;
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_parse(KEYLESS_TEXT("host,connectRetri=5"), &none, &problem));
    assert_null(none);
    FAILS(KEYLESS_INVALID_OPTION, keyless_options_parse(KEYLESS_TEXT("host,connectRetry=many"), &none, &problem));
    FAILS(KEYLESS_INVALID_ENDPOINT, keyless_options_parse(KEYLESS_TEXT("host:99999"), &none, &problem));
    FAILS(KEYLESS_INVALID_ENDPOINT, keyless_options_parse("", 0, &none, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_options_parse("a\xff", 2, &none, &problem));
    FAILS(KEYLESS_INVALID_ENDPOINT, keyless_options_new(KEYLESS_TEXT("not a host"), &none, &problem));
    FAILS(KEYLESS_INVALID_ENDPOINT, keyless_options_new("", 0, &none, &problem));
    FAILS(KEYLESS_INVALID_ENDPOINT, keyless_options_new("host\0name", 9, &none, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_options_new("\xc3(", 2, &none, &problem));
    assert_null(none);
    OK(keyless_options_parse(KEYLESS_TEXT("rediss://user:pass@host.example:7000/2"), &none, &problem));
    keyless_options_free(none);
}

static void the_environment_is_read(void **state)
{
    (void)state;
    keyless_options *read = NULL;
    char value[100];
    char *host = strdup(getenv("REDIS_HOST"));
    OK(keyless_options_from_env(&read, &problem));
    OK(keyless_options_get(read, KEYLESS_TEXT("client_id"), value, sizeof value, NULL, &problem));
    assert_string_equal(value, getenv("AZURE_CLIENT_ID"));
    OK(keyless_options_get(read, KEYLESS_TEXT("client_secret"), value, sizeof value, NULL, &problem));
    assert_string_equal(value, "***");
    keyless_options_free(read);
    unsetenv("REDIS_HOST");
    keyless_status missing = keyless_options_from_env(&read, &problem);
    assert_true(missing == KEYLESS_INVALID_ENDPOINT || missing == KEYLESS_INVALID_OPTION);
    assert_non_null(strstr(keyless_error_text(problem), "REDIS_HOST"));
    keyless_error_free(problem);
    problem = NULL;
    setenv("REDIS_HOST", "no host", 1);
    FAILS(KEYLESS_INVALID_ENDPOINT, keyless_options_from_env(&read, &problem));
    assert_null(read);
    setenv("REDIS_HOST", host, 1);
    free(host);
}

static void the_version_is_the_headers(void **state)
{
    (void)state;
    assert_int_equal(keyless_abi_version(), KEYLESS_ABI_VERSION);
    assert_true(strlen(keyless_version()) >= strlen("0.1.0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_setter_of_text, made, freed),
        cmocka_unit_test_setup_teardown(every_setter_of_a_number, made, freed),
        cmocka_unit_test_setup_teardown(every_setter_of_something_else, made, freed),
        cmocka_unit_test_setup_teardown(by_name, made, freed),
        cmocka_unit_test(a_connection_string_comes_back),
        cmocka_unit_test(what_cannot_be_read_is_named),
        cmocka_unit_test(the_environment_is_read),
        cmocka_unit_test(the_version_is_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
