/* Replies: every type of RESP3 from a real server and from bytes of our own, the wrong accessor, what RESP2 makes of it. */
#include "peer.h"

#include <math.h>

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

/* Every accessor but those named answers nothing, and changes nothing. */
static void only(const keyless_reply *reply, const char *accessors)
{
    size_t length = 7;
    int64_t integer = 42;
    double number = 42;
    bool boolean = true;
    const keyless_reply *key = reply, *value = reply;
    if (strchr(accessors, 's') == NULL) {
        assert_null(keyless_reply_string(reply, &length));
        assert_int_equal(length, 0);
    }
    if (strchr(accessors, 'v') == NULL) {
        length = 7;
        assert_null(keyless_reply_verbatim_format(reply, &length));
        assert_int_equal(length, 0);
    }
    if (strchr(accessors, 'i') == NULL) {
        assert_false(keyless_reply_integer(reply, &integer));
        assert_int_equal(integer, 42);
    }
    if (strchr(accessors, 'd') == NULL) {
        assert_false(keyless_reply_double(reply, &number));
        assert_true(number == 42);
    }
    if (strchr(accessors, 'b') == NULL) {
        assert_false(keyless_reply_boolean(reply, &boolean));
        assert_true(boolean);
    }
    if (strchr(accessors, 'c') == NULL) {
        assert_null(keyless_reply_child(reply, 0));
        assert_null(keyless_reply_child(reply, SIZE_MAX));
    }
    if (strchr(accessors, 'p') == NULL) {
        assert_false(keyless_reply_pair(reply, 0, &key, &value));
        assert_true(key == reply && value == reply);
    }
    if (strchr(accessors, 'c') == NULL && strchr(accessors, 'p') == NULL) {
        assert_int_equal(keyless_reply_count(reply), 0);
    }
    if (strchr(accessors, 'e') == NULL) {
        assert_null(keyless_reply_error(reply));
    }
}

static keyless_reply *of_type(const char *name, keyless_reply_type type, const char *accessors)
{
    keyless_reply *reply = ask(client, COMMAND("DEBUG", "PROTOCOL", name));
    assert_int_equal(keyless_reply_get_type(reply), type);
    only(reply, accessors);
    return reply;
}

static void a_real_server_gives_each_type(void **state)
{
    (void)state;
    size_t length;
    int64_t integer;
    double number;
    bool boolean;
    const keyless_reply *key, *value;

    keyless_reply *reply = of_type("string", KEYLESS_REPLY_STRING, "s");
    assert_true(reply_is(reply, "Hello World"));
    keyless_reply_free(reply);

    reply = of_type("integer", KEYLESS_REPLY_INTEGER, "i");
    assert_true(keyless_reply_integer(reply, &integer));
    assert_int_equal(integer, 12345);
    keyless_reply_free(reply);

    reply = of_type("double", KEYLESS_REPLY_DOUBLE, "d");
    assert_true(keyless_reply_double(reply, &number));
    assert_true(fabs(number - 3.141) < 1e-9);
    keyless_reply_free(reply);

    keyless_reply_free(of_type("null", KEYLESS_REPLY_NIL, ""));

    reply = of_type("array", KEYLESS_REPLY_ARRAY, "cp");
    assert_int_equal(keyless_reply_count(reply), 3);
    for (size_t index = 0; index < 3; index++) {
        assert_true(keyless_reply_integer(keyless_reply_child(reply, index), &integer));
        assert_int_equal(integer, index);
    }
    assert_null(keyless_reply_child(reply, 3));
    keyless_reply_free(reply);

    reply = of_type("set", KEYLESS_REPLY_SET, "c");
    assert_int_equal(keyless_reply_count(reply), 3);
    keyless_reply_free(reply);

    reply = of_type("map", KEYLESS_REPLY_MAP, "p");
    assert_int_equal(keyless_reply_count(reply), 3);
    assert_true(keyless_reply_pair(reply, 1, &key, &value));
    assert_true(keyless_reply_integer(key, &integer) && integer == 1);
    assert_true(keyless_reply_boolean(value, &boolean) && boolean);
    assert_true(keyless_reply_pair(reply, 1, NULL, NULL));
    assert_false(keyless_reply_pair(reply, 3, &key, &value));
    assert_false(keyless_reply_pair(reply, SIZE_MAX, &key, &value));
    keyless_reply_free(reply);

    /* Passed over: what follows is the reply. */
    keyless_reply_free(of_type("attrib", KEYLESS_REPLY_STRING, "s"));
    keyless_reply_free(of_type("push", KEYLESS_REPLY_STRING, "s"));

    reply = of_type("verbatim", KEYLESS_REPLY_VERBATIM, "sv");
    assert_true(reply_is(reply, "This is a verbatim\nstring"));
    assert_true(is_text(keyless_reply_verbatim_format(reply, &length), 3, "txt"));
    assert_int_equal(length, 3);
    keyless_reply_free(reply);

    reply = of_type("true", KEYLESS_REPLY_BOOLEAN, "b");
    assert_true(keyless_reply_boolean(reply, &boolean) && boolean);
    keyless_reply_free(reply);
    reply = of_type("false", KEYLESS_REPLY_BOOLEAN, "b");
    assert_true(keyless_reply_boolean(reply, &boolean) && !boolean);
    keyless_reply_free(reply);

    reply = of_type("bignum", KEYLESS_REPLY_BIG_NUMBER, "s");
    assert_true(reply_is(reply, "1234567999999999999999999999999999999"));
    keyless_reply_free(reply);

    reply = ask(client, COMMAND("PING"));
    assert_int_equal(keyless_reply_get_type(reply), KEYLESS_REPLY_STATUS);
    only(reply, "s");
    keyless_reply_free(reply);
}

static void an_error_inside_an_array_has_words(void **state)
{
    (void)state;
    size_t length;
    keyless_reply *reply =
        ask(client, COMMAND("EVAL", "return {redis.error_reply('WRONGTYPE of a part'), false, 'x'}", "0"));
    const keyless_reply *part = keyless_reply_child(reply, 0);
    assert_int_equal(keyless_reply_get_type(part), KEYLESS_REPLY_ERROR);
    only(part, "e");
    keyless_error *error = keyless_reply_error(part);
    assert_int_equal(keyless_error_code(error), KEYLESS_SERVER);
    assert_true(is_text(keyless_error_server_code(error, &length), 9, "WRONGTYPE"));
    keyless_error_free(error);
    assert_int_equal(keyless_reply_get_type(keyless_reply_child(reply, 1)), KEYLESS_REPLY_NIL);
    keyless_reply_free(reply);
}

static void another_type_than_wanted_has_words(void **state)
{
    (void)state;
    keyless_reply *reply = ask(client, COMMAND("PING"));
    keyless_error *each[] = {keyless_reply_unexpected(reply, KEYLESS_TEXT("a whole number")),
                             keyless_reply_unexpected(NULL, KEYLESS_TEXT("a whole number"))};
    for (int which = 0; which < 2; which++) {
        assert_int_equal(keyless_error_code(each[which]), KEYLESS_UNEXPECTED_REPLY);
        assert_non_null(strstr(keyless_error_text(each[which]), "a whole number"));
        keyless_error_free(each[which]);
    }
    keyless_reply_free(reply);
}

static void a_clone_outlives_the_whole(void **state)
{
    (void)state;
    keyless_reply *reply = ask(client, COMMAND("EVAL", "return {{'inner', 'text'}, 'x'}", "0"));
    keyless_reply *part = keyless_reply_clone(keyless_reply_child(reply, 0));
    keyless_reply_free(reply);
    assert_true(reply_is(keyless_reply_child(part, 1), "text"));
    keyless_reply *again = keyless_reply_clone(part);
    keyless_reply_free(part);
    assert_true(reply_is(keyless_reply_child(again, 0), "inner"));
    keyless_reply_free(again);
    assert_null(keyless_reply_clone(NULL));
    keyless_reply_free(NULL);
}

static void bytes_may_be_any(void **state)
{
    (void)state;
    const char *arguments[] = {"SET", "a\0key", "a\0\r\n\xff", "", ""};
    size_t lengths[] = {3, 5, 5, 0, 0}, length;
    OK(keyless_client_execute(client, 3, arguments, lengths, 0, NULL, &problem));
    arguments[0] = "GET";
    keyless_reply *reply = ask(client, 2, arguments, lengths);
    const char *bytes = keyless_reply_string(reply, &length);
    assert_int_equal(length, 5);
    assert_memory_equal(bytes, "a\0\r\n\xff", 5);
    keyless_reply_free(reply);
    /* Nothing at all, also by NULL, is an argument as good as any. */
    const char *empty[] = {"ECHO", NULL};
    size_t none[] = {4, 0};
    reply = ask(client, 2, empty, none);
    assert_int_equal(keyless_reply_get_type(reply), KEYLESS_REPLY_STRING);
    assert_non_null(keyless_reply_string(reply, &length));
    assert_int_equal(length, 0);
    keyless_reply_free(reply);
}

static const struct answer STRANGE[] = {
    {"NESTED", "*3\r\n*2\r\n+message\r\n:1\r\n%1\r\n+key\r\n~1\r\n#t\r\n|1\r\n+ttl\r\n:5\r\n,inf\r\n"},
    {"NAN", ",nan\r\n"},
    {"NULLARRAY", "*-1\r\n"},
    {"NULLSTRING", "$-1\r\n"},
    {"EMPTY", "*0\r\n"},
    {"BLOBERROR", "!11\r\nBAD not \r\nx\r\n"},
    {"DENIED", "-NOPERM no\r\n"},
    {"NOISE", "what is this?\r\n"},
    {"HANGUP", NULL},
    {NULL, NULL},
};

static void bytes_of_our_own(void **state)
{
    (void)state;
    double number;
    int64_t integer;
    struct peer *peer = peer_start(STRANGE);
    keyless_client *own = client_of(peer_port(peer), "");

    keyless_reply *reply = ask(own, COMMAND("NESTED"));
    assert_int_equal(keyless_reply_count(reply), 3);
    const keyless_reply *inner = keyless_reply_child(reply, 0);
    assert_int_equal(keyless_reply_get_type(inner), KEYLESS_REPLY_ARRAY);
    only(inner, "cp");
    assert_int_equal(keyless_reply_count(inner), 2);
    assert_true(reply_is(keyless_reply_child(inner, 0), "message"));
    assert_true(keyless_reply_integer(keyless_reply_child(inner, 1), &integer) && integer == 1);
    const keyless_reply *key, *set;
    assert_true(keyless_reply_pair(keyless_reply_child(reply, 1), 0, &key, &set));
    assert_int_equal(keyless_reply_get_type(set), KEYLESS_REPLY_SET);
    assert_true(keyless_reply_double(keyless_reply_child(reply, 2), &number) && isinf(number));
    /* As RESP2 gives maps: keys and values in turn; an odd one is no pair. */
    assert_true(keyless_reply_pair(reply, 0, &key, NULL));
    assert_true(key == inner);
    assert_false(keyless_reply_pair(reply, 1, NULL, NULL));
    keyless_reply_free(reply);

    reply = ask(own, COMMAND("NAN"));
    assert_true(keyless_reply_double(reply, &number) && isnan(number));
    keyless_reply_free(reply);
    reply = ask(own, COMMAND("NULLARRAY"));
    assert_int_equal(keyless_reply_get_type(reply), KEYLESS_REPLY_NIL);
    keyless_reply_free(reply);
    reply = ask(own, COMMAND("NULLSTRING"));
    assert_int_equal(keyless_reply_get_type(reply), KEYLESS_REPLY_NIL);
    keyless_reply_free(reply);
    reply = ask(own, COMMAND("EMPTY"));
    assert_int_equal(keyless_reply_get_type(reply), KEYLESS_REPLY_ARRAY);
    only(reply, "");
    keyless_reply_free(reply);
    FAILS(KEYLESS_SERVER, keyless_client_execute(own, COMMAND("BLOBERROR"), 0, &reply, &problem));
    assert_null(reply);
    FAILS(KEYLESS_NO_PERMISSION, keyless_client_execute(own, COMMAND("DENIED"), 0, &reply, &problem));
    FAILS(KEYLESS_PROTOCOL, keyless_client_execute(own, COMMAND("NOISE"), 0, &reply, &problem));
    SOON(keyless_client_is_ready(own));
    keyless_status lost = keyless_client_execute(own, COMMAND("HANGUP"), 0, &reply, &problem);
    assert_int_equal(lost, KEYLESS_CONNECTION_LOST);
    assert_true(keyless_error_maybe_executed(problem));
    keyless_error_free(problem);
    problem = NULL;
    keyless_client_free(own);
    peer_stop(peer);
}

static void resp2_has_fewer_types(void **state)
{
    (void)state;
    keyless_options *options = options_here();
    keyless_client *own;
    const keyless_reply *key, *value;
    OK(keyless_options_set_protocol(options, KEYLESS_TEXT("resp2"), &problem));
    OK(keyless_client_connect(options, NULL, &own, &problem));
    keyless_options_free(options);
    tell(own, "OK", COMMAND("CONFIG", "SET", "maxclients", "1000"));
    keyless_reply *reply = ask(own, COMMAND("CONFIG", "GET", "maxclients"));
    assert_int_equal(keyless_reply_get_type(reply), KEYLESS_REPLY_ARRAY);
    assert_true(keyless_reply_pair(reply, 0, &key, &value));
    assert_true(reply_is(key, "maxclients") && reply_is(value, "1000"));
    keyless_reply_free(reply);
    keyless_client_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_server_gives_each_type),
        cmocka_unit_test(an_error_inside_an_array_has_words),
        cmocka_unit_test(another_type_than_wanted_has_words),
        cmocka_unit_test(a_clone_outlives_the_whole),
        cmocka_unit_test(bytes_may_be_any),
        cmocka_unit_test(bytes_of_our_own),
        cmocka_unit_test(resp2_has_fewer_types),
    };
    return cmocka_run_group_tests(tests, connected, closed);
}
