/*
 * keyless in an event loop: one thread, which never waits for a reply.
 *
 *     ./epoll [seconds]
 *
 * The loop watches four descriptors: a timer, standard input, the client's completions and a subscription's messages.
 * Ten times a second the timer submits an INCR and a PUBLISH, whose message comes back over the subscription. A line of
 * standard input is sent as a command, its words being the arguments, and the reply is printed. It ends with the time
 * or with standard input; its result is 0 if no command failed and every message arrived.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <keyless.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS = 64, LINE = 4096, BATCH = 256 };

/* What the loop knows. No lock: everything happens on its thread. */
struct loop {
    keyless_client *client;
    keyless_completions *completions;
    keyless_subscription *subscription;
    int epoll, timer;
    char line[LINE];
    size_t filled;
    unsigned long submitted, answered, failed, published, received;
    bool ends;
};

/* A submission's user_data says what to do with its completion. */
static const char TICK[] = "tick", PUBLISH[] = "publish", TYPED[] = "typed";

static void complain(keyless_error *error)
{
    fprintf(stderr, "%s\n", keyless_error_text(error));
    keyless_error_free(error);
}

/* Prints a reply with all of its parts; they are borrowed from the whole. */
static void print(const keyless_reply *reply, int depth)
{
    const keyless_reply *key, *value;
    keyless_error *error;
    size_t length = 0, index;
    int64_t integer;
    double number;
    bool boolean;

    printf("%*s", 2 * depth, "");
    switch (keyless_reply_get_type(reply)) {
    case KEYLESS_REPLY_NIL:
        printf("(nil)\n");
        break;
    case KEYLESS_REPLY_INTEGER:
        keyless_reply_integer(reply, &integer);
        printf("%" PRId64 "\n", integer);
        break;
    case KEYLESS_REPLY_DOUBLE:
        keyless_reply_double(reply, &number);
        printf("%.17g\n", number);
        break;
    case KEYLESS_REPLY_BOOLEAN:
        keyless_reply_boolean(reply, &boolean);
        printf("%s\n", boolean ? "true" : "false");
        break;
    case KEYLESS_REPLY_ARRAY:
    case KEYLESS_REPLY_SET:
    case KEYLESS_REPLY_PUSH:
        printf("%zu:\n", keyless_reply_count(reply));
        for (index = 0; index < keyless_reply_count(reply); index++) {
            print(keyless_reply_child(reply, index), depth + 1);
        }
        break;
    case KEYLESS_REPLY_MAP:
        printf("%zu pairs:\n", keyless_reply_count(reply));
        for (index = 0; keyless_reply_pair(reply, index, &key, &value); index++) {
            print(key, depth + 1);
            print(value, depth + 2);
        }
        break;
    case KEYLESS_REPLY_ERROR:
        error = keyless_reply_error(reply);
        printf("%s\n", keyless_error_text(error));
        keyless_error_free(error);
        break;
    default: { /* Everything that is text. */
        const char *text = keyless_reply_string(reply, &length);
        printf("%.*s\n", (int)length, text);
    }
    }
}

/* Hands a command over; what becomes of it is heard in on_completions. */
static void submit(struct loop *loop, size_t argc, const char *const *argv, const char *kind)
{
    keyless_error *error = NULL;

    /* No callback: the completion goes into the client's queue, with our user_data. */
    if (keyless_client_submit(loop->client, argc, argv, NULL, 0, NULL, (void *)kind, &error) == KEYLESS_OK) {
        loop->submitted++;
        return;
    }
    /* Nothing was sent and no completion will come. */
    loop->failed += kind != TYPED;
    complain(error);
}

/* Takes what has been answered. The descriptor stays readable while more waits, so one batch per turn is enough. */
static bool on_completions(struct loop *loop)
{
    const keyless_completion *list = NULL;
    keyless_error *error = NULL;
    size_t count = 0, index;

    if (keyless_client_drain(loop->client, loop->completions, BATCH, &list, &count, &error) != KEYLESS_OK) {
        complain(error);
        loop->ends = true;
        return false;
    }
    for (index = 0; index < count; index++) {
        /* Replies and errors are borrowed from the completions until the next drain. */
        loop->answered++;
        if (list[index].user_data == TYPED) {
            if (list[index].error != NULL) {
                printf("%s\n", keyless_error_text(list[index].error));
            } else {
                print(list[index].reply, 0);
            }
        } else if (list[index].error != NULL) {
            loop->failed++;
            fprintf(stderr, "%s\n", keyless_error_text(list[index].error));
        } else if (list[index].user_data == PUBLISH) {
            loop->published++;
        }
    }
    return true;
}

/* Takes all messages that wait: the descriptor is readable again only when another one comes. */
static void on_messages(struct loop *loop)
{
    keyless_message *message = NULL;
    keyless_error *error = NULL;

    while (keyless_subscription_next(loop->subscription, 0, &message, &error) == KEYLESS_OK && message != NULL) {
        switch (keyless_message_get_type(message)) {
        case KEYLESS_MESSAGE:
            loop->received++;
            break;
        case KEYLESS_MESSAGE_GAP:
            printf("no connection for %" PRIu64 " ms: messages may be missing\n", keyless_message_gap_ms(message));
            break;
        case KEYLESS_MESSAGE_DROPPED:
            printf("too slow: %" PRIu64 " messages dropped\n", keyless_message_dropped(message));
            break;
        }
        keyless_message_free(message);
    }
    if (error != NULL) {
        complain(error);
        loop->ends = true;
    }
}

static void on_timer(struct loop *loop)
{
    const char *increment[] = {"INCR", "example:epoll"};
    const char *publish[] = {"PUBLISH", "example:ticks", "tick"};
    uint64_t expirations;

    if (read(loop->timer, &expirations, sizeof expirations) == (ssize_t)sizeof expirations) {
        submit(loop, 2, increment, TICK);
        submit(loop, 3, publish, PUBLISH);
    }
}

/* Sends a line as a command. */
static void on_line(struct loop *loop, char *line)
{
    const char *argv[ARGUMENTS];
    size_t argc = 0;
    char *word;

    for (word = strtok(line, " \t\r"); word != NULL && argc < ARGUMENTS; word = strtok(NULL, " \t\r")) {
        argv[argc++] = word;
    }
    if (argc > 0) {
        submit(loop, argc, argv, TYPED);
    }
}

static void on_input(struct loop *loop)
{
    const ssize_t got = read(STDIN_FILENO, loop->line + loop->filled, LINE - 1 - loop->filled);
    char *start = loop->line, *end;

    if (got <= 0) {
        loop->ends = got == 0 || (errno != EAGAIN && errno != EINTR);
        return;
    }
    loop->filled += (size_t)got;
    loop->line[loop->filled] = '\0';
    while ((end = strchr(start, '\n')) != NULL) {
        *end = '\0';
        on_line(loop, start);
        start = end + 1;
    }
    loop->filled = strlen(start);
    memmove(loop->line, start, loop->filled);
    if (loop->filled == LINE - 1) {
        fprintf(stderr, "the line is too long\n");
        loop->filled = 0;
    }
}

static bool watch(struct loop *loop, int fd)
{
    struct epoll_event event = {0};

    event.events = EPOLLIN;
    event.data.fd = fd;
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool connect_and_subscribe(struct loop *loop)
{
    const char *channels[] = {"example:ticks"};
    keyless_options *options = NULL;
    keyless_error *error = NULL;
    keyless_status status = keyless_options_from_env(&options, &error);

    if (status == KEYLESS_OK) {
        status = keyless_client_connect(options, NULL, &loop->client, &error);
        keyless_options_free(options);
    }
    if (status == KEYLESS_OK) {
        status = keyless_subscription_new(loop->client, 0, KEYLESS_DROP_OLDEST, &loop->subscription, &error);
    }
    if (status == KEYLESS_OK) {
        status = keyless_subscription_subscribe(loop->subscription, KEYLESS_CHANNEL, 1, channels, NULL, &error);
    }
    if (status != KEYLESS_OK) {
        complain(error);
    }
    return status == KEYLESS_OK;
}

static void run(struct loop *loop, long seconds)
{
    const time_t start = time(NULL);
    const int completions = keyless_client_fd(loop->client), messages = keyless_subscription_fd(loop->subscription);
    struct epoll_event events[8];

    while (!loop->ends && (seconds == 0 || time(NULL) - start < seconds)) {
        const int count = epoll_wait(loop->epoll, events, 8, 1000);

        for (int index = 0; index < count; index++) {
            const int fd = events[index].data.fd;

            if (fd == completions) {
                on_completions(loop);
            } else if (fd == messages) {
                on_messages(loop);
            } else if (fd == loop->timer) {
                on_timer(loop);
            } else {
                on_input(loop);
            }
        }
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    const struct itimerspec tenth = {{0, 100 * 1000 * 1000}, {0, 100 * 1000 * 1000}};
    struct pollfd completions = {0};
    static struct loop loop;
    keyless_message *last = NULL;

    loop.epoll = epoll_create1(EPOLL_CLOEXEC);
    loop.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    loop.completions = keyless_completions_new();
    if (!connect_and_subscribe(&loop)) {
        return 1;
    }
    if (timerfd_settime(loop.timer, 0, &tenth, NULL) != 0 || !watch(&loop, loop.timer) ||
        !watch(&loop, keyless_client_fd(loop.client)) || !watch(&loop, keyless_subscription_fd(loop.subscription))) {
        perror("epoll");
        return 1;
    }
    /* A file or /dev/null as standard input cannot be watched, and is left alone. */
    if (!watch(&loop, STDIN_FILENO) && errno != EPERM) {
        perror("standard input");
    }

    run(&loop, argc > 1 ? atol(argv[1]) : 0);

    /* What is under way: each submission ends, at the latest by its time limit. */
    completions.fd = keyless_client_fd(loop.client);
    completions.events = POLLIN;
    while (loop.answered < loop.submitted && poll(&completions, 1, -1) == 1 && on_completions(&loop)) {
    }
    while (loop.received < loop.published &&
           keyless_subscription_next(loop.subscription, 1000, &last, NULL) == KEYLESS_OK && last != NULL) {
        loop.received += keyless_message_get_type(last) == KEYLESS_MESSAGE;
        keyless_message_free(last);
    }

    close(loop.epoll); /* Before the client is freed, which closes the descriptor that is watched. */
    close(loop.timer);
    keyless_subscription_free(loop.subscription);
    keyless_client_close(loop.client, NULL);
    keyless_client_free(loop.client);
    keyless_completions_free(loop.completions);
    printf("%lu submitted, %lu answered, %lu failed, %lu published, %lu received\n", loop.submitted, loop.answered,
           loop.failed, loop.published, loop.received);
    return loop.failed != 0 || loop.received < loop.published;
}
