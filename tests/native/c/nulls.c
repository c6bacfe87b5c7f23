/* Every function with NULL for each pointer in turn and for all of them: an error, or nothing, and never a crash. The
 * calls are generated from the header (see src/nulls.rs). */
#include "common.h"

static keyless_client *one_client;
static keyless_options *one_options;
static keyless_credential *one_credential;
static keyless_token_source *one_token_source;
static keyless_token *one_token;
static keyless_pipeline *one_pipeline;
static keyless_completions *one_completions;
static keyless_subscription *one_subscription;
static keyless_message *one_message;
static keyless_stats *one_stats;
static keyless_nodes *one_nodes;
static keyless_scan *one_scan;
static keyless_reply *one_reply;
static keyless_error *one_error;
static const keyless_event *one_event;
static const keyless_token_request *one_token_request;
static keyless_claims *one_claims;

static keyless_client *made_client;
static keyless_options *made_options;
static keyless_credential *made_credential;
static keyless_token_source *made_token_source;
static keyless_token *made_token;
static keyless_subscription *made_subscription;
static keyless_message *made_message;
static keyless_stats *made_stats;
static keyless_nodes *made_nodes;
static keyless_scan *made_scan;
static keyless_reply *made_reply;
static const keyless_reply *borrowed_reply;
static const keyless_completion *borrowed_completion;

static keyless_error *error;
/* Also the name of an option. */
static const char *const text = "user";
static const char *const ping[] = {"PING"};
static const char *const names[] = {"name"};
static const size_t lengths[] = {4};
static char buffer[64];
static size_t length;
static int64_t integer;
static uint64_t identity;
static double number;
static bool boolean;
static int nothing, calls;

static void on_reply(const keyless_reply *reply, const keyless_error *why, void *data)
{
    (void)reply, (void)why, (void)data;
}

static void on_message(const keyless_message *message, const keyless_error *why, void *data)
{
    (void)message, (void)why, (void)data;
}

static void on_event(const keyless_event *event, void *data)
{
    (void)event, (void)data;
}

static void on_token(const keyless_token *token, void *data)
{
    (void)token, (void)data;
}

static void on_credential(keyless_token_request *request, void *data)
{
    (void)data;
    keyless_token_request_fail(request, "no", 2, true, NULL);
}

static void on_log(keyless_log_level level, const char *target, const char *line, void *data)
{
    (void)level, (void)target, (void)line, (void)data;
}

static void on_user_name(keyless_claims *claims, void *data)
{
    (void)claims, (void)data;
}

static bool on_should_refresh(int64_t received_at_ms, int64_t expires_at_ms, void *data)
{
    (void)received_at_ms, (void)expires_at_ms, (void)data;
    return false;
}

static void on_destruction(void *data)
{
    (void)data;
}

static void wrong(const char *call)
{
    fprintf(stderr, "%s: not as the header says\n", call);
    exit(1);
}

/* A NULL where something is needed is KEYLESS_INVALID_ARGUMENT; other failures are the other arguments'. */
static void check_status(keyless_status status, bool refused, const char *call)
{
    calls++;
    if (refused ? status != KEYLESS_INVALID_ARGUMENT : status == KEYLESS_INTERNAL) {
        fprintf(stderr, "status %d: ", (int)status);
        wrong(call);
    }
    if (strstr(call, "&error") != NULL && (error != NULL) != (status != KEYLESS_OK)) {
        wrong(call);
    }
}

#define STATUS(call, refused) check_status((call), (refused), #call)
#define NO_TEXT(call) no_text((call), #call)
#define NOTHING(call) (calls++, (call) == NULL ? (void)0 : wrong(#call))
#define NO_NUMBER(call) no_number((double)(call), #call)

static void no_text(const char *view, const char *call)
{
    calls++;
    if (view != NULL && *view != '\0') {
        wrong(call);
    }
}

static void no_number(double found, const char *call)
{
    calls++;
    if (found != 0 && found != -1) {
        wrong(call);
    }
}

static void again(void)
{
    keyless_error_free(error);
    error = NULL;
    keyless_client_free(made_client);
    made_client = NULL;
    keyless_options_free(made_options);
    made_options = NULL;
    keyless_credential_free(made_credential);
    made_credential = NULL;
    keyless_token_source_free(made_token_source);
    made_token_source = NULL;
    keyless_token_free(made_token);
    made_token = NULL;
    keyless_subscription_free(made_subscription);
    made_subscription = NULL;
    keyless_message_free(made_message);
    made_message = NULL;
    keyless_stats_free(made_stats);
    made_stats = NULL;
    keyless_nodes_free(made_nodes);
    made_nodes = NULL;
    keyless_scan_free(made_scan);
    made_scan = NULL;
    keyless_reply_free(made_reply);
    made_reply = NULL;
}

#include "nulls-generated.h"

static void in_an_event(const keyless_event *event, void *data)
{
    one_event = event;
    functions_of_event();
    SET(*(int *)data, 1);
}

static void in_a_request(keyless_token_request *request, void *data)
{
    one_token_request = request;
    functions_of_token_request();
    keyless_token_request_fail(request, NULL, 0, true, NULL);
    SET(*(int *)data, 1);
}

static void in_a_choice(keyless_claims *claims, void *data)
{
    one_claims = claims;
    functions_of_claims();
    keyless_claims_choose_user(claims, KEYLESS_TEXT(getenv("KEYLESS_TEST_OID")), NULL);
    SET(*(int *)data, 1);
}

static void every_pointer_of_every_function(void **state)
{
    (void)state;
    static int heard, asked, chosen;
    keyless_credential *own;
    keyless_token_source *source;
    one_options = options_here();
    OK(keyless_credential_new(KEYLESS_TEXT("client_secret"), &one_credential, &problem));
    keyless_options *choosing = keyless_options_clone(one_options);
    OK(keyless_options_set_user_name_callback(choosing, in_a_choice, &chosen, NULL, &problem));
    OK(keyless_token_source_new(choosing, NULL, &one_token_source, &problem));
    OK(keyless_token_source_get(one_token_source, SOON_MS, &one_token, &problem));
    keyless_options_free(choosing);
    assert_true(LOOK(chosen));
    OK(keyless_client_connect(one_options, NULL, &one_client, &problem));
    one_pipeline = keyless_pipeline_new();
    one_completions = keyless_completions_new();
    OK(keyless_subscription_new(one_client, 0, KEYLESS_DROP_OLDEST, &one_subscription, &problem));
    OK(keyless_subscription_subscribe(one_subscription, KEYLESS_CHANNEL, 1, names, NULL, &problem));
    keyless_reply_free(ask(one_client, COMMAND("PUBLISH", "name", "x")));
    OK(keyless_subscription_next(one_subscription, SOON_MS, &one_message, &problem));
    OK(keyless_client_stats(one_client, &one_stats, &problem));
    OK(keyless_client_nodes(one_client, &one_nodes, &problem));
    OK(keyless_scan_new(one_client, NULL, 0, NULL, 0, 0, &one_scan, &problem));
    one_reply = ask(one_client, COMMAND("PING"));
    assert_int_equal(keyless_client_execute(one_client, COMMAND("QUIT"), 0, NULL, &one_error), KEYLESS_INVALID_COMMAND);

    OK(keyless_client_on_event(one_client, KEYLESS_ALL_EVENTS, in_an_event, &heard, NULL, NULL, &problem));
    fault("{\"connections\":\"reset\"}");
    SOON(LOOK(heard));
    OK(keyless_credential_custom(KEYLESS_TEXT("own"), in_a_request, &asked, NULL, &own, &problem));
    OK(keyless_token_source_new(NULL, own, &source, &problem));
    assert_int_equal(refusal(source), KEYLESS_CREDENTIAL_UNAVAILABLE);
    keyless_error_free(problem);
    problem = NULL;
    assert_true(LOOK(asked));
    keyless_token_source_free(source);
    keyless_credential_free(own);
    SOON(keyless_client_is_ready(one_client));
    all_functions();
    print_message("%d calls with NULL\n", calls);

    keyless_log_set(KEYLESS_LOG_OFF, NULL, NULL, NULL, NULL);
    keyless_error_free(one_error);
    keyless_reply_free(one_reply);
    keyless_stats_free(one_stats);
    keyless_nodes_free(one_nodes);
    keyless_scan_free(one_scan);
    keyless_message_free(one_message);
    keyless_subscription_free(one_subscription);
    keyless_completions_free(one_completions);
    keyless_pipeline_free(one_pipeline);
    keyless_client_free(one_client);
    keyless_token_free(one_token);
    keyless_token_source_free(one_token_source);
    keyless_credential_free(one_credential);
    keyless_options_free(one_options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_pointer_of_every_function)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
