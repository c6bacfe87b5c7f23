#include "common.h"

#include <dirent.h>
#include <netdb.h>
#include <sys/socket.h>

keyless_error *problem;

void expect(keyless_status wanted, keyless_status found, const char *call, const char *file, int line)
{
    if (wanted != found) {
        fprintf(stderr, "%s:%d: %s: %d instead of %d: %s\n", file, line, call, (int)found, (int)wanted,
                keyless_error_text(problem));
        _fail(file, line);
    }
    if (wanted == KEYLESS_OK) {
        if (problem != NULL) {
            fprintf(stderr, "%s:%d: %s: an error beside success\n", file, line, call);
            _fail(file, line);
        }
        return;
    }
    size_t length = 0;
    if (keyless_error_code(problem) != wanted || keyless_error_message(problem, &length) == NULL || length == 0) {
        fprintf(stderr, "%s:%d: %s: no words for it\n", file, line, call);
        _fail(file, line);
    }
    keyless_error_free(problem);
    problem = NULL;
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_ms(long milliseconds)
{
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

bool soak(void)
{
    const char *asked = getenv("KEYLESS_SOAK");
    return asked != NULL && strcmp(asked, "1") == 0;
}

keyless_options *options_here(void)
{
    keyless_options *options;
    OK(keyless_options_from_env(&options, &problem));
    OK(keyless_options_set_ca_file(options, KEYLESS_TEXT(getenv("KEYLESS_TEST_CA")), &problem));
    OK(keyless_options_set_token_ca_file(options, KEYLESS_TEXT(getenv("KEYLESS_TEST_CA")), &problem));
    OK(keyless_options_set_connect_timeout_ms(options, SOON_MS, &problem));
    OK(keyless_options_set_command_timeout_ms(options, SOON_MS, &problem));
    OK(keyless_options_set_token_request_timeout_ms(options, SOON_MS, &problem));
    return options;
}

keyless_client *client_here(void)
{
    keyless_options *options = options_here();
    keyless_client *client;
    OK(keyless_client_connect(options, NULL, &client, &problem));
    keyless_options_free(options);
    return client;
}

keyless_client *client_of(uint16_t port, const char *more)
{
    char text[200];
    keyless_options *options;
    keyless_client *client;
    snprintf(text, sizeof text, "127.0.0.1:%u,ssl=false,password=any,abortConnect=false%s", port, more);
    OK(keyless_options_parse(KEYLESS_TEXT(text), &options, &problem));
    OK(keyless_client_connect(options, NULL, &client, &problem));
    keyless_options_free(options);
    return client;
}

keyless_reply *ask(const keyless_client *client, size_t argc, const char *const *argv, const size_t *argvlen)
{
    keyless_reply *reply;
    OK(keyless_client_execute(client, argc, argv, argvlen, 0, &reply, &problem));
    assert_non_null(reply);
    return reply;
}

void tell(const keyless_client *client, const char *answer, size_t argc, const char *const *argv,
          const size_t *argvlen)
{
    keyless_reply *reply = ask(client, argc, argv, argvlen);
    assert_true(reply_is(reply, answer));
    keyless_reply_free(reply);
}

bool is_text(const char *view, size_t length, const char *text)
{
    return view != NULL && length == strlen(text) && memcmp(view, text, length) == 0;
}

bool reply_is(const keyless_reply *reply, const char *text)
{
    size_t length = 0;
    const char *view = keyless_reply_string(reply, &length);
    return is_text(view, length, text);
}

char *control(const char *method, const char *path, const char *body)
{
    char host[64], port[16], *answer = NULL, *start;
    size_t length = 0, room = 0;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *address;
    if (sscanf(getenv("KEYLESS_TEST_CONTROL"), "http://%63[^:]:%15s", host, port) != 2 ||
        getaddrinfo(host, port, &hints, &address) != 0) {
        fail_msg("no control endpoint");
    }
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(peer, address->ai_addr, address->ai_addrlen), 0);
    freeaddrinfo(address);
    dprintf(peer,
            "%s %s HTTP/1.1\r\nHost: control\r\nConnection: close\r\nContent-Type: application/json\r\n"
            "Content-Length: %zu\r\n\r\n%s",
            method, path, body == NULL ? 0 : strlen(body), body == NULL ? "" : body);
    for (;;) {
        if (room - length < 4096) {
            room = room * 2 + 8192;
            answer = realloc(answer, room);
            assert_non_null(answer);
        }
        ssize_t got = read(peer, answer + length, room - length - 1);
        if (got <= 0) {
            break;
        }
        length += (size_t)got;
    }
    close(peer);
    answer[length] = '\0';
    if (strstr(answer, "HTTP/1.1 2") != answer) {
        fail_msg("%s %s: %s", method, path, answer);
    }
    start = strstr(answer, "\r\n\r\n");
    assert_non_null(start);
    memmove(answer, start + 4, strlen(start + 4) + 1);
    return answer;
}

double counted(const char *section, const char *name)
{
    char key[64];
    char *stats = control("GET", "/stats", NULL);
    snprintf(key, sizeof key, "\"%s\":{", section);
    char *at = strstr(stats, key);
    snprintf(key, sizeof key, "\"%s\":", name);
    at = at == NULL ? NULL : strstr(at, key);
    if (at == NULL) {
        fail_msg("no %s of %s in %s", name, section, stats);
    }
    double value = strtod(at + strlen(key), NULL);
    free(stats);
    return value;
}

void fault(const char *body)
{
    free(control("POST", "/faults", body));
}

char *issued_token(double lifetime_seconds)
{
    char body[200];
    snprintf(body, sizeof body, "{\"oid\":\"%s\",\"lifetime_seconds\":%.3f}", getenv("KEYLESS_TEST_OID"),
             lifetime_seconds);
    char *answer = control("POST", "/tokens", body);
    char *token = strstr(answer, "\"access_token\":\"");
    if (token == NULL) {
        fail_msg("no token in %s", answer);
    }
    token += strlen("\"access_token\":\"");
    *strchr(token, '"') = '\0';
    memmove(answer, token, strlen(token) + 1);
    return answer;
}

keyless_status refusal(const keyless_token_source *source)
{
    keyless_status status;
    keyless_token *token;
    int64_t begun = now_ms();
    do {
        keyless_error_free(problem);
        status = keyless_token_source_get(source, 50, &token, &problem);
        assert_null(token);
    } while (status == KEYLESS_TIMEOUT && now_ms() - begun < SOON_MS);
    return status;
}

long memory_kib(void)
{
    char line[200];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    assert_non_null(status);
    while (fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "VmRSS: %ld kB", &kib) == 1) {
            break;
        }
    }
    fclose(status);
    return kib;
}

int descriptors(void)
{
    int count = 0;
    DIR *open = opendir("/proc/self/fd");
    assert_non_null(open);
    while (readdir(open) != NULL) {
        count++;
    }
    closedir(open);
    return count;
}
