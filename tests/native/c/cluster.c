/* A cluster: its nodes, what is asked of one of them, and walks over all keys. */
#include "common.h"

#define KEYS 1000

static keyless_client *client;

static int begin(void **state)
{
    (void)state;
    client = client_here();
    SOON(keyless_client_is_ready(client));
    keyless_pipeline *pipeline = keyless_pipeline_new();
    for (int index = 0; index < KEYS; index++) {
        char key[32];
        snprintf(key, sizeof key, "key:%d", index);
        OK(keyless_pipeline_append(pipeline, COMMAND("SET", key, "value"), &problem));
    }
    OK(keyless_pipeline_append(pipeline, COMMAND("RPUSH", "list", "element"), &problem));
    OK(keyless_client_execute_pipeline(client, pipeline, 0, NULL, &problem));
    keyless_pipeline_free(pipeline);
    return 0;
}

static int end(void **state)
{
    (void)state;
    keyless_client_free(client);
    return 0;
}

static keyless_nodes *nodes_of(const keyless_client *client)
{
    keyless_nodes *nodes;
    OK(keyless_client_nodes(client, &nodes, &problem));
    return nodes;
}

static void the_nodes_share_slots_and_keys(void **state)
{
    (void)state;
    int64_t slots = 0, keys = 0;
    keyless_nodes *nodes = nodes_of(client);
    assert_int_equal(keyless_nodes_count(nodes), 3);
    for (size_t index = 0; index < 3; index++) {
        size_t length;
        int64_t size;
        keyless_reply *reply;
        const char *endpoint = keyless_nodes_endpoint(nodes, index, &length);
        assert_true(keyless_nodes_ready(nodes, index));
        slots += keyless_nodes_slots(nodes, index);
        OK(keyless_client_execute_on(client, endpoint, length, COMMAND("DBSIZE"), 0, &reply, &problem));
        assert_true(keyless_reply_integer(reply, &size));
        assert_in_range(size, 1, KEYS);
        keys += size;
        keyless_reply_free(reply);
        OK(keyless_client_execute_on(client, endpoint, length, COMMAND("PING"), SOON_MS, NULL, &problem));
    }
    assert_int_equal(slots, 16384);
    assert_int_equal(keys, KEYS + 1);
    size_t length = 1;
    assert_null(keyless_nodes_endpoint(nodes, 3, &length));
    assert_int_equal(length, 0);
    assert_int_equal(keyless_nodes_slots(nodes, 3), -1);
    assert_false(keyless_nodes_ready(nodes, 3));
    keyless_nodes_free(nodes);
}

static void what_one_node_cannot_answer_fails(void **state)
{
    (void)state;
    keyless_nodes *nodes = nodes_of(client);
    size_t length;
    const char *endpoint = keyless_nodes_endpoint(nodes, 0, &length);
    FAILS(KEYLESS_INVALID_ENDPOINT, keyless_client_execute_on(client, KEYLESS_TEXT("localhost:1"), COMMAND("PING"), 0,
                                                              NULL, &problem));
    FAILS(KEYLESS_INVALID_COMMAND,
          keyless_client_execute_on(client, endpoint, length, COMMAND("BLPOP", "list", "1"), 0, NULL, &problem));
    FAILS(KEYLESS_SERVER,
          keyless_client_execute_on(client, endpoint, length, COMMAND("NO_SUCH_COMMAND"), 0, NULL, &problem));
    FAILS(KEYLESS_INVALID_COMMAND, keyless_client_execute(client, COMMAND("SCAN", "0"), 0, NULL, &problem));
    keyless_nodes_free(nodes);
}

/* Walks to the end; says how many of the keys came at least once, and checks that no others did. */
static int walk(const char *pattern, const char *key_type, uint32_t count, int *pages)
{
    bool seen[KEYS + 1] = {false};
    int different = 0;
    keyless_scan *scan;
    keyless_reply *page;
    OK(keyless_scan_new(client, KEYLESS_TEXT(pattern), KEYLESS_TEXT(key_type), count, &scan, &problem));
    for (*pages = 0;; ++*pages) {
        OK(keyless_scan_next(scan, &page, &problem));
        if (page == NULL) {
            break;
        }
        assert_int_equal(keyless_reply_get_type(page), KEYLESS_REPLY_ARRAY);
        for (size_t index = 0; index < keyless_reply_count(page); index++) {
            char key[32] = "";
            int number;
            size_t length;
            const char *found = keyless_reply_string(keyless_reply_child(page, index), &length);
            assert_non_null(found);
            assert_in_range(length, 1, sizeof key - 1);
            memcpy(key, found, length);
            if (sscanf(key, "key:%d", &number) != 1) {
                assert_string_equal(key, "list");
                number = KEYS;
            }
            assert_in_range(number, 0, KEYS);
            different += !seen[number];
            seen[number] = true;
        }
        keyless_reply_free(page);
    }
    /* The end stays the end. */
    OK(keyless_scan_next(scan, &page, &problem));
    assert_null(page);
    keyless_scan_free(scan);
    return different;
}

static void every_key_of_every_node_comes(void **state)
{
    (void)state;
    int pages, larger;
    assert_int_equal(walk("", "", 0, &pages), KEYS + 1);
    assert_int_equal(walk("", "", 400, &larger), KEYS + 1);
    assert_true(larger < pages);
    assert_int_equal(walk("key:*", "", 100, &pages), KEYS);
    assert_int_equal(walk("key:1?", "", 100, &pages), 10);
    assert_int_equal(walk("*", "list", 100, &pages), 1);
    assert_int_equal(walk("nothing:*", "", 1000, &pages), 0);
    keyless_scan *scan = NULL;
    FAILS(KEYLESS_INVALID_ARGUMENT, keyless_scan_new(client, "", 0, "\xff", 1, 0, &scan, &problem));
    assert_null(scan);
}

static void a_walk_fails_with_its_client_and_is_freed_after_it(void **state)
{
    (void)state;
    keyless_client *own = client_here();
    keyless_scan *scan;
    keyless_reply *page;
    SOON(keyless_client_is_ready(own));
    OK(keyless_scan_new(own, NULL, 0, NULL, 0, 10, &scan, &problem));
    OK(keyless_scan_next(scan, &page, &problem));
    assert_non_null(page);
    keyless_reply_free(page);
    keyless_client_free(own);
    FAILS(KEYLESS_CLOSED, keyless_scan_next(scan, &page, &problem));
    assert_null(page);
    keyless_scan_free(scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nodes_share_slots_and_keys),
        cmocka_unit_test(what_one_node_cannot_answer_fails),
        cmocka_unit_test(every_key_of_every_node_comes),
        cmocka_unit_test(a_walk_fails_with_its_client_and_is_freed_after_it),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
