/* Credentials of every kind, one that the application brings, and token sources: asked, subscribed, rejected, shared. */
#include "common.h"

static keyless_client *connect_with(const keyless_credential *credential)
{
    keyless_options *options = options_here();
    keyless_client *client;
    OK(keyless_options_set_refresh_retry_min_ms(options, 10, &problem));
    OK(keyless_options_set_refresh_retry_max_ms(options, 50, &problem));
    OK(keyless_options_set_abort_on_connect_fail(options, true, &problem));
    OK(keyless_options_set_connect_retry(options, 1, &problem));
    OK(keyless_client_connect(options, credential, &client, &problem));
    keyless_options_free(options);
    return client;
}

static void kinds_by_name(void **state)
{
    (void)state;
    keyless_credential *credential;
    size_t length;
    char *pem;
    OK(keyless_credential_new(KEYLESS_TEXT("client_secret"), &credential, &problem));
    OK(keyless_credential_set(credential, KEYLESS_TEXT("tenant_id"), KEYLESS_TEXT("to be replaced"), &problem));
    OK(keyless_credential_set(credential, KEYLESS_TEXT("tenant_id"), KEYLESS_TEXT(getenv("AZURE_TENANT_ID")), &problem));
    OK(keyless_credential_set(credential, KEYLESS_TEXT("client_id"), KEYLESS_TEXT(getenv("AZURE_CLIENT_ID")), &problem));
    FAILS(KEYLESS_INVALID_OPTION,
          keyless_credential_set(credential, KEYLESS_TEXT("clientis"), KEYLESS_TEXT("x"), &problem));
    FAILS(KEYLESS_INVALID_OPTION, keyless_credential_set(credential, "", 0, KEYLESS_TEXT("x"), &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT,
          keyless_credential_set(credential, KEYLESS_TEXT("client_id"), "\xff", 1, &problem));
    /* Whether they suffice shows when it is used: what is missing may be in the environment. */
    keyless_token_source *source = NULL;
    char *secret = strdup(getenv("AZURE_CLIENT_SECRET"));
    unsetenv("AZURE_CLIENT_SECRET");
    FAILS(KEYLESS_INVALID_OPTION, keyless_token_source_new(NULL, credential, &source, &problem));
    assert_null(source);
    setenv("AZURE_CLIENT_SECRET", secret, 1);
    OK(keyless_credential_set(credential, KEYLESS_TEXT("client_secret"), KEYLESS_TEXT(secret), &problem));
    free(secret);
    OK(keyless_credential_set(credential, KEYLESS_TEXT("authority_host"), KEYLESS_TEXT(getenv("AZURE_AUTHORITY_HOST")),
                              &problem));
    FILE *file = fopen(getenv("KEYLESS_TEST_CA"), "r");
    assert_non_null(file);
    pem = calloc(1, 1 << 16);
    length = fread(pem, 1, (1 << 16) - 1, file);
    fclose(file);
    OK(keyless_credential_set(credential, KEYLESS_TEXT("ca_certificates"), pem, length, &problem));
    free(pem);
    keyless_client *client = connect_with(credential);
    keyless_credential_free(credential);
    tell(client, "PONG", COMMAND("PING"));
    keyless_client_free(client);

    OK(keyless_credential_new(KEYLESS_TEXT("managed_identity"), &credential, &problem));
    client = connect_with(credential);
    keyless_credential_free(credential);
    tell(client, "PONG", COMMAND("PING"));
    keyless_client_free(client);

    FAILS(KEYLESS_INVALID_OPTION, keyless_credential_new(KEYLESS_TEXT("client_secrets"), &credential, &problem));
    assert_null(credential);
    FAILS(KEYLESS_INVALID_OPTION, keyless_credential_new("", 0, &credential, &problem));
    keyless_credential_free(NULL);
}

/* How a credential of the application's own answers. */
enum manner { AT_ONCE, LATER, FAILING, NEVER, NO_JWT, BAD_TIME };

struct own {
    enum manner manner;
    double lifetime;
    int asked;
    int forced;
    int freed;
    int wrong;
    keyless_token_request *unanswered;
    pthread_t thread;
    bool threaded;
};


static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static keyless_status answer(keyless_token_request *request, double lifetime)
{
    char *token = issued_token(lifetime);
    int64_t end = wall_ms() + (int64_t)(lifetime * 1000);
    keyless_status status = keyless_token_request_complete(request, KEYLESS_TEXT(token), end, NULL);
    free(token);
    return status;
}

static void *answer_later(void *data)
{
    struct own *own = data;
    pause_ms(30);
    if (answer(own->unanswered, own->lifetime) != KEYLESS_OK) {
        ADD(own->wrong, 1);
    }
    return NULL;
}

static void asked(keyless_token_request *request, void *data)
{
    struct own *own = data;
    size_t length = 0;
    const char *scope = keyless_token_request_scope(request, &length);
    if (scope == NULL || length < strlen("https://") || memcmp(scope, "https://", 8) != 0) {
        ADD(own->wrong, 1);
    }
    if (keyless_token_request_forced(request)) {
        ADD(own->forced, 1);
    }
    ADD(own->asked, 1);
    keyless_status status = KEYLESS_OK;
    switch (own->manner) {
    case AT_ONCE:
        status = answer(request, own->lifetime);
        break;
    case LATER:
        if (own->threaded) {
            pthread_join(own->thread, NULL);
        }
        own->unanswered = request;
        own->threaded = pthread_create(&own->thread, NULL, answer_later, own) == 0;
        break;
    case FAILING:
        status = keyless_token_request_fail(request, KEYLESS_TEXT("the vault is closed\xff"), true, NULL);
        break;
    case NEVER:
        if (own->unanswered == NULL) {
            own->unanswered = request;
        } else {
            keyless_token_request_fail(request, "", 0, false, NULL);
        }
        break;
    case NO_JWT:
        status = keyless_token_request_complete(request, KEYLESS_TEXT("no JWT"), wall_ms() + 60000, NULL);
        break;
    case BAD_TIME:
        status = keyless_token_request_complete(request, KEYLESS_TEXT("x"), -1, NULL);
        status = status == KEYLESS_INVALID_ARGUMENT ? KEYLESS_OK : KEYLESS_INTERNAL;
        break;
    }
    if (status != KEYLESS_OK) {
        ADD(own->wrong, 1);
    }
}

static void freed(void *data)
{
    ADD(((struct own *)data)->freed, 1);
}

static keyless_credential *custom(struct own *own)
{
    keyless_credential *credential;
    OK(keyless_credential_custom(KEYLESS_TEXT("vault"), asked, own, freed, &credential, &problem));
    return credential;
}

static void own_credentials_answer_at_once_or_later(void **state)
{
    (void)state;
    const enum manner manners[] = {AT_ONCE, LATER};
    for (int which = 0; which < 2; which++) {
        struct own own = {.manner = manners[which], .lifetime = 3600};
        keyless_credential *credential = custom(&own);
        FAILS(KEYLESS_INVALID_OPTION,
              keyless_credential_set(credential, KEYLESS_TEXT("client_id"), KEYLESS_TEXT("x"), &problem));
        keyless_client *client = connect_with(credential);
        keyless_credential_free(credential);
        tell(client, "PONG", COMMAND("PING"));
        assert_int_equal(LOOK(own.freed), 0);
        keyless_client_free(client);
        SOON(LOOK(own.freed) == 1);
        if (own.threaded) {
            pthread_join(own.thread, NULL);
        }
        assert_int_equal(own.asked, 1);
        assert_int_equal(own.wrong, 0);
    }
}

static void own_credentials_that_fail(void **state)
{
    (void)state;
    const enum manner manners[] = {FAILING, NEVER, NO_JWT, BAD_TIME};
    const keyless_status why[] = {KEYLESS_CREDENTIAL_UNAVAILABLE, KEYLESS_CREDENTIAL_UNAVAILABLE, KEYLESS_INVALID_TOKEN,
                                  KEYLESS_INVALID_ARGUMENT};
    for (int which = 0; which < 4; which++) {
        struct own own = {.manner = manners[which]};
        keyless_options *options = options_here();
        keyless_credential *credential = custom(&own);
        keyless_token_source *source;
        OK(keyless_options_set_token_request_timeout_ms(options, which == 1 ? 100 : SOON_MS, &problem));
        OK(keyless_options_set_refresh_retry_min_ms(options, 10, &problem));
        OK(keyless_options_set_refresh_retry_max_ms(options, 20, &problem));
        OK(keyless_token_source_new(options, credential, &source, &problem));
        keyless_options_free(options);
        keyless_credential_free(credential);
        keyless_status status = refusal(source);
        /* Of the one that never answers, the time limit and the answers to later requests both are reasons. */
        assert_true(status == why[which] || (which == 1 && status == KEYLESS_TOKEN_ENDPOINT_UNAVAILABLE));
        if (which == 0) {
            assert_non_null(strstr(keyless_error_text(problem), "the vault is closed"));
        }
        keyless_error_free(problem);
        problem = NULL;
        SOON(LOOK(own.asked) >= 2);
        keyless_token_source_free(source);
        if (own.unanswered != NULL) {
            /* Too late does no harm, also after everything else is gone. */
            OK(keyless_token_request_fail(own.unanswered, KEYLESS_TEXT("too late"), true, &problem));
        }
        SOON(LOOK(own.freed) == 1);
        assert_int_equal(own.wrong, 0);
    }
}

/* Proves the application with a token of another identity, as in a pod. */
static void asserted(keyless_token_request *request, void *data)
{
    char body[200];
    size_t scope = 7;
    keyless_token_request_scope(request, &scope);
    snprintf(body, sizeof body, "{\"subject\":\"%s\"}", getenv("KEYLESS_TEST_SUBJECT"));
    char *answered = control("POST", "/federated-tokens", body);
    char *token = strstr(answered, "\"token\":\"") + strlen("\"token\":\"");
    *strchr(token, '"') = '\0';
    keyless_status status = keyless_token_request_complete(request, KEYLESS_TEXT(token), 0, NULL);
    free(answered);
    ADD(*(int *)data, status == KEYLESS_OK && scope == 0 ? 1 : 1000);
}

static void counted_free(void *data)
{
    ADD(*(int *)data, 100);
}

static void an_application_proves_itself_with_assertions(void **state)
{
    (void)state;
    int asked = 0;
    keyless_credential *credential;
    FAILS(KEYLESS_INVALID_ARGUMENT,
          keyless_credential_client_assertion(NULL, &asked, counted_free, &credential, &problem));
    assert_null(credential);
    OK(keyless_credential_client_assertion(asserted, &asked, counted_free, &credential, &problem));
    OK(keyless_credential_set(credential, KEYLESS_TEXT("tenant_id"), KEYLESS_TEXT(getenv("AZURE_TENANT_ID")), &problem));
    OK(keyless_credential_set(credential, KEYLESS_TEXT("client_id"), KEYLESS_TEXT(getenv("AZURE_CLIENT_ID")), &problem));
    OK(keyless_credential_set(credential, KEYLESS_TEXT("authority_host"), KEYLESS_TEXT(getenv("AZURE_AUTHORITY_HOST")),
                              &problem));
    keyless_client *client = connect_with(credential);
    keyless_credential_free(credential);
    tell(client, "PONG", COMMAND("PING"));
    keyless_client_free(client);
    SOON(LOOK(asked) == 101);
}

struct chooser {
    int asked;
    int wrong;
    int freed;
    int decided;
};

static void choose(keyless_claims *claims, void *data)
{
    struct chooser *chooser = data;
    size_t oid, tenant, application, audience;
    const char *user = keyless_claims_object_id(claims, &oid);
    const char *found = keyless_claims_tenant_id(claims, &tenant);
    if (!is_text(user, oid, getenv("KEYLESS_TEST_OID")) || !is_text(found, tenant, getenv("AZURE_TENANT_ID")) ||
        keyless_claims_application_id(claims, &application) == NULL || application == 0 ||
        keyless_claims_audience(claims, &audience) == NULL || audience == 0) {
        ADD(chooser->wrong, 1);
    }
    if (keyless_claims_choose_user(claims, user, oid, NULL) != KEYLESS_OK) {
        ADD(chooser->wrong, 1);
    }
    ADD(chooser->asked, 1);
}

static void choose_nobody(keyless_claims *claims, void *data)
{
    (void)claims;
    ADD(((struct chooser *)data)->asked, 1);
}

static bool decide(int64_t received_at_ms, int64_t expires_at_ms, void *data)
{
    struct chooser *chooser = data;
    if (received_at_ms <= 0 || expires_at_ms <= received_at_ms) {
        ADD(chooser->wrong, 1);
    }
    return ADD(chooser->decided, 1) == 2;
}

static void chooser_freed(void *data)
{
    ADD(((struct chooser *)data)->freed, 1);
}

static void the_application_chooses_the_user_and_when_to_refresh(void **state)
{
    (void)state;
    struct chooser chooser = {0}, nobody = {0};
    keyless_options *options = options_here();
    keyless_client *client;
    keyless_token_source *source;
    FAILS(KEYLESS_INVALID_ARGUMENT,
          keyless_options_set_user_name_callback(options, NULL, &nobody, chooser_freed, &problem));
    FAILS(KEYLESS_INVALID_ARGUMENT,
          keyless_options_set_should_refresh_callback(options, 1000, NULL, &nobody, chooser_freed, &problem));
    assert_int_equal(nobody.freed, 0);
    OK(keyless_options_set_user_name_callback(options, choose, &chooser, chooser_freed, &problem));
    OK(keyless_options_set_should_refresh_callback(options, 20, decide, &chooser, chooser_freed, &problem));
    OK(keyless_client_connect(options, NULL, &client, &problem));
    tell(client, "PONG", COMMAND("PING"));
    SOON(LOOK(chooser.asked) == 2);
    keyless_client_free(client);
    OK(keyless_options_set_user_name_callback(options, choose_nobody, &nobody, chooser_freed, &problem));
    OK(keyless_token_source_new(options, NULL, &source, &problem));
    keyless_options_free(options);
    assert_int_equal(refusal(source), KEYLESS_INVALID_TOKEN);
    keyless_error_free(problem);
    problem = NULL;
    keyless_token_source_free(source);
    SOON(LOOK(chooser.freed) == 2 && LOOK(nobody.freed) == 1);
    assert_true(LOOK(nobody.asked) >= 1);
    assert_int_equal(LOOK(chooser.wrong), 0);
}

struct renewed {
    int heard;
    uint64_t generation;
    int wrong;
    int freed;
    keyless_token_source *source;
    uint64_t id;
};

static void on_token(const keyless_token *token, void *data)
{
    struct renewed *renewed = data;
    size_t user = 0, secret = 0;
    if (keyless_token_user(token, &user) == NULL || keyless_token_secret(token, &secret) == NULL || user == 0 ||
        secret == 0 || keyless_token_generation(token) <= renewed->generation ||
        keyless_token_expires_at_ms(token) < wall_ms()) {
        renewed->wrong++;
    }
    renewed->generation = keyless_token_generation(token);
    ADD(renewed->heard, 1);
}

static void remove_itself(const keyless_token *token, void *data)
{
    struct renewed *renewed = data;
    on_token(token, data);
    if (!keyless_token_source_remove_handler(renewed->source, renewed->id)) {
        renewed->wrong++;
    }
}

static void on_token_freed(void *data)
{
    ADD(((struct renewed *)data)->freed, 1);
}

static void on_event(const keyless_event *event, void *data)
{
    size_t length;
    struct renewed *renewed = data;
    if (keyless_event_get_type(event) != KEYLESS_EVENT_TOKEN_REFRESHED || keyless_event_user(event, &length) == NULL) {
        renewed->wrong++;
    }
    ADD(renewed->heard, 1);
}

static void a_source_is_asked_subscribed_and_told_of_refusals(void **state)
{
    (void)state;
    struct own own = {.manner = AT_ONCE, .lifetime = 3600};
    struct renewed renewed = {0}, once = {0}, events = {0};
    keyless_credential *credential = custom(&own);
    keyless_options *options = options_here();
    keyless_token_source *source;
    keyless_token *token, *same;
    size_t length;
    OK(keyless_token_source_new(options, credential, &source, &problem));
    keyless_credential_free(credential);
    keyless_options_free(options);
    assert_int_equal(LOOK(own.asked), 0);
    once.source = source;
    OK(keyless_token_source_subscribe(source, on_token, &renewed, on_token_freed, &renewed.id, &problem));
    OK(keyless_token_source_subscribe(source, remove_itself, &once, on_token_freed, &once.id, &problem));
    OK(keyless_token_source_on_event(source, KEYLESS_EVENT_TOKEN_REFRESHED, on_event, &events, on_token_freed, &events.id,
                                     &problem));
    assert_true(renewed.id != once.id);
    OK(keyless_token_source_get(source, SOON_MS, &token, &problem));
    OK(keyless_token_source_get(source, 0, &same, &problem));
    assert_int_equal(keyless_token_generation(token), keyless_token_generation(same));
    assert_ptr_not_equal(token, same);
    keyless_token_free(same);
    const char *user = keyless_token_user(token, &length);
    assert_true(is_text(user, length, getenv("KEYLESS_TEST_OID")));
    assert_non_null(keyless_token_secret(token, &length));
    assert_in_range(keyless_token_expires_at_ms(token) - wall_ms(), 3000000, 3600000);
    SOON(LOOK(renewed.heard) == 1 && LOOK(once.heard) == 1);
    assert_true(keyless_token_source_reject(source, keyless_token_generation(token)));
    assert_false(keyless_token_source_reject(source, keyless_token_generation(token)));
    assert_false(keyless_token_source_reject(source, 999));
    SOON(LOOK(renewed.heard) == 2 && LOOK(events.heard) == 2);
    OK(keyless_token_source_get(source, SOON_MS, &same, &problem));
    assert_int_equal(keyless_token_generation(same), keyless_token_generation(token) + 1);
    keyless_token_free(same);
    keyless_token_free(token);
    keyless_token_free(NULL);
    assert_int_equal(LOOK(own.forced), 1);
    assert_int_equal(LOOK(once.heard), 1);
    SOON(LOOK(once.freed) == 1);
    assert_true(keyless_token_source_remove_handler(source, renewed.id));
    assert_false(keyless_token_source_remove_handler(source, renewed.id));
    SOON(LOOK(renewed.freed) == 1);
    keyless_token_source_free(source);
    SOON(LOOK(events.freed) == 1 && LOOK(own.freed) == 1);
    assert_int_equal(renewed.wrong + once.wrong + events.wrong + own.wrong, 0);
    keyless_token_source_free(NULL);
}

static void clients_share_a_source(void **state)
{
    (void)state;
    keyless_options *options = options_here();
    keyless_token_source *source;
    keyless_client *clients[2];
    OK(keyless_token_source_new(options, NULL, &source, &problem));
    double before = counted("tokens", "served");
    for (int which = 0; which < 2; which++) {
        OK(keyless_client_connect_with_source(options, source, &clients[which], &problem));
    }
    keyless_token_source_free(source);
    for (int which = 0; which < 2; which++) {
        tell(clients[which], "PONG", COMMAND("PING"));
        keyless_client_free(clients[which]);
    }
    assert_true(counted("tokens", "served") == before + 1);
    /* An access key has no tokens. */
    OK(keyless_options_set_password(options, KEYLESS_TEXT("key"), &problem));
    FAILS(KEYLESS_INVALID_OPTION, keyless_token_source_new(options, NULL, &source, &problem));
    keyless_options_free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_by_name),
        cmocka_unit_test(own_credentials_answer_at_once_or_later),
        cmocka_unit_test(own_credentials_that_fail),
        cmocka_unit_test(an_application_proves_itself_with_assertions),
        cmocka_unit_test(the_application_chooses_the_user_and_when_to_refresh),
        cmocka_unit_test(a_source_is_asked_subscribed_and_told_of_refusals),
        cmocka_unit_test(clients_share_a_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
