/* What was made before a fork and is used in the child: clients and token sources connect and sign in anew there,
 * subscriptions end, nothing hangs, and the parent's go on undisturbed. */
#include "common.h"

#include <poll.h>
#include <sys/wait.h>

static keyless_client *client;
static keyless_token_source *source;
static keyless_subscription *subscription;
static int events;

/* In a child: no test framework. */
#define CHECK(condition)                                                                            \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            fprintf(stderr, "%s:%d: in a child: %s\n", __FILE__, __LINE__, #condition);             \
            _exit(1);                                                                               \
        }                                                                                           \
    } while (0)

static void on_event(const keyless_event *event, void *data)
{
    (void)event;
    (void)data;
    ADD(events, 1);
}

static int made(void **state)
{
    (void)state;
    const char *name = "before";
    keyless_options *options = options_here();
    OK(keyless_token_source_new(options, NULL, &source, &problem));
    OK(keyless_client_connect(options, NULL, &client, &problem));
    keyless_options_free(options);
    OK(keyless_client_on_event(client, KEYLESS_ALL_EVENTS, on_event, NULL, NULL, NULL, &problem));
    OK(keyless_subscription_new(client, 0, KEYLESS_DROP_OLDEST, &subscription, &problem));
    OK(keyless_subscription_subscribe(subscription, KEYLESS_CHANNEL, 1, &name, NULL, &problem));
    tell(client, "PONG", COMMAND("PING"));
    return 0;
}

static int freed(void **state)
{
    (void)state;
    keyless_subscription_free(subscription);
    keyless_client_free(client);
    keyless_token_source_free(source);
    return 0;
}

/* Ends a child. The leak check of the sanitizer would count what only threads of the parent can reach. */
static void leave(void)
{
    if (strcmp(getenv("KEYLESS_TEST_UNDER"), "Sanitizers") == 0) {
        _exit(0);
    }
    exit(0);
}

static void child_ends_well(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        fail_msg("a child hangs");
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Runs in a child, which must end well, and in time. */
static void in_child(void (*work)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        work();
        leave();
    }
    child_ends_well(child);
}

static void the_parent_goes_on(void)
{
    keyless_message *message;
    keyless_token *token;
    tell(client, "PONG", COMMAND("PING"));
    keyless_reply_free(ask(client, COMMAND("PUBLISH", "before", "x")));
    OK(keyless_subscription_next(subscription, SOON_MS, &message, &problem));
    assert_non_null(message);
    assert_int_equal(keyless_message_get_type(message), KEYLESS_MESSAGE);
    keyless_message_free(message);
    OK(keyless_token_source_get(source, SOON_MS, &token, &problem));
    keyless_token_free(token);
}

static void execute(void)
{
    keyless_reply *reply = NULL;
    CHECK(keyless_client_execute(client, COMMAND("PING"), 0, &reply, NULL) == KEYLESS_OK);
    CHECK(reply_is(reply, "PONG"));
    keyless_reply_free(reply);
    CHECK(keyless_client_is_ready(client));
}

static void execute_and_free(void)
{
    execute();
    keyless_client_free(client);
}

static void free_unused(void)
{
    keyless_subscription_free(subscription);
    keyless_client_free(client);
    keyless_token_source_free(source);
}

static void close_unused(void)
{
    CHECK(keyless_client_close(client, NULL) == KEYLESS_OK);
}

static void submit_and_drain(void)
{
    keyless_completions *room = keyless_completions_new();
    const keyless_completion *list;
    size_t count = 0;
    struct pollfd one = {.fd = keyless_client_fd(client), .events = POLLIN};
    CHECK(one.fd >= 0);
    CHECK(keyless_client_submit(client, COMMAND("PING"), 0, NULL, room, NULL) == KEYLESS_OK);
    CHECK(poll(&one, 1, SOON_MS) == 1);
    CHECK(keyless_client_drain(client, room, 10, &list, &count, NULL) == KEYLESS_OK && count == 1);
    CHECK(list[0].user_data == room && reply_is(list[0].reply, "PONG"));
    keyless_completions_free(room);
}

static void called(const keyless_reply *reply, const keyless_error *error, void *data)
{
    (void)error;
    SET(*(int *)data, reply != NULL ? 1 : -1);
}

static void submit_with_callback(void)
{
    int answered = 0;
    CHECK(keyless_client_submit(client, COMMAND("BLPOP", "nothing", "0.01"), 0, called, &answered, NULL) == KEYLESS_OK);
    for (int waited = 0; LOOK(answered) == 0 && waited < SOON_MS; waited += 5) {
        pause_ms(5);
    }
    CHECK(answered == 1);
}

static void get_a_token(void)
{
    keyless_token *token = NULL;
    CHECK(keyless_token_source_get(source, SOON_MS, &token, NULL) == KEYLESS_OK);
    CHECK(keyless_token_generation(token) == 1);
    keyless_token_free(token);
    keyless_token_source_free(source);
}

static void use_the_subscription(void)
{
    keyless_message *message;
    const char *name = "child";
    keyless_subscription *own;
    int descriptor = keyless_subscription_fd(subscription);
    CHECK(keyless_subscription_next(subscription, SOON_MS, &message, NULL) == KEYLESS_CLOSED && message == NULL);
    CHECK(keyless_subscription_subscribe(subscription, KEYLESS_CHANNEL, 1, &name, NULL, NULL) == KEYLESS_CLOSED);
    CHECK(keyless_subscription_unsubscribe(subscription, KEYLESS_CHANNEL, 1, &name, NULL, NULL) == KEYLESS_CLOSED);
    CHECK(keyless_subscription_dropped(subscription) == 0);
    (void)descriptor;
    keyless_subscription_free(subscription);
    CHECK(keyless_subscription_new(client, 0, KEYLESS_DROP_OLDEST, &own, NULL) == KEYLESS_OK);
    CHECK(keyless_subscription_subscribe(own, KEYLESS_CHANNEL, 1, &name, NULL, NULL) == KEYLESS_OK);
    CHECK(keyless_client_execute(client, COMMAND("PUBLISH", "child", "x"), 0, NULL, NULL) == KEYLESS_OK);
    CHECK(keyless_subscription_next(own, SOON_MS, &message, NULL) == KEYLESS_OK && message != NULL);
    keyless_message_free(message);
    keyless_subscription_free(own);
}

static void hear_of_events(void)
{
    int before = LOOK(events);
    uint64_t id;
    CHECK(keyless_client_on_event(client, KEYLESS_ALL_EVENTS, on_event, NULL, NULL, &id, NULL) == KEYLESS_OK);
    execute();
    CHECK(keyless_client_remove_handler(client, id));
    CHECK(keyless_client_execute(client, COMMAND("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"), 0, NULL, NULL) !=
          KEYLESS_INTERNAL);
    for (int waited = 0; LOOK(events) == before && waited < SOON_MS; waited += 5) {
        pause_ms(5);
    }
    CHECK(events > before);
}

static void fork_again(void)
{
    execute();
    pid_t grandchild = fork();
    CHECK(grandchild >= 0);
    if (grandchild == 0) {
        execute_and_free();
        leave();
    }
    int status;
    CHECK(waitpid(grandchild, &status, 0) == grandchild && status == 0);
    execute();
}

static void children_use_what_the_parent_made(void **state)
{
    (void)state;
    void (*const works[])(void) = {
        execute,     execute_and_free,     free_unused,          close_unused, submit_and_drain, submit_with_callback,
        get_a_token, use_the_subscription, fork_again,
    };
    double before = counted("connections", "opened");
    for (size_t which = 0; which < sizeof works / sizeof *works; which++) {
        in_child(works[which]);
        the_parent_goes_on();
    }
    /* One each of those that used it: the grandchild makes one more. */
    assert_in_range((int)(counted("connections", "opened") - before), 7, 9);
}

static void handlers_go_along(void **state)
{
    (void)state;
    in_child(hear_of_events);
    SOON(keyless_client_is_ready(client));
}

static int stop;

static void again(const keyless_reply *reply, const keyless_error *error, void *data)
{
    (void)reply;
    (void)error;
    int *under_way = data;
    if (LOOK(stop) || keyless_client_submit(client, COMMAND("PING"), 0, again, data, NULL) != KEYLESS_OK) {
        ADD(*under_way, -1);
    }
}

static void *busy(void *data)
{
    long failed = 0;
    int under_way = 1;
    (void)data;
    if (keyless_client_submit(client, COMMAND("PING"), 0, again, &under_way, NULL) != KEYLESS_OK) {
        return (void *)1;
    }
    while (!LOOK(stop)) {
        keyless_reply *reply = NULL;
        keyless_pipeline *pipeline = keyless_pipeline_new();
        uint64_t id;
        failed += keyless_client_execute(client, COMMAND("PING"), 0, &reply, NULL) != KEYLESS_OK;
        keyless_reply_free(reply);
        keyless_pipeline_append(pipeline, COMMAND("PING"), NULL);
        failed += keyless_client_execute_pipeline(client, pipeline, 0, &reply, NULL) != KEYLESS_OK;
        keyless_reply_free(reply);
        keyless_pipeline_free(pipeline);
        failed += keyless_client_on_event(client, 1, on_event, NULL, NULL, &id, NULL) != KEYLESS_OK;
        failed += !keyless_client_remove_handler(client, id);
    }
    while (LOOK(under_way) != 0) {
        pause_ms(1);
    }
    return (void *)failed;
}

static void everything(void)
{
    submit_with_callback();
    submit_and_drain();
    execute();
    get_a_token();
}

static void forks_while_four_threads_are_busy(void **state)
{
    (void)state;
    const char *asked = getenv("KEYLESS_TEST_FORKS");
    if (strcmp(getenv("KEYLESS_TEST_UNDER"), "Sanitizers") == 0) {
        /* A lock of the sanitizer's own allocator, held by another thread, stays locked in the child. */
        skip();
    }
    const int forks = asked != NULL ? atoi(asked) : soak() ? 1000 : 40;
    pthread_t threads[4];
    SET(stop, 0);
    for (int thread = 0; thread < 4; thread++) {
        assert_int_equal(pthread_create(&threads[thread], NULL, busy, NULL), 0);
    }
    for (int round = 0; round < forks; round++) {
        in_child(everything);
    }
    SET(stop, 1);
    for (int thread = 0; thread < 4; thread++) {
        void *failed;
        pthread_join(threads[thread], &failed);
        assert_null(failed);
    }
    the_parent_goes_on();
    print_message("%d forks\n", forks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(children_use_what_the_parent_made, made, freed),
        cmocka_unit_test_setup_teardown(handlers_go_along, made, freed),
        cmocka_unit_test_setup_teardown(forks_while_four_threads_are_busy, made, freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
