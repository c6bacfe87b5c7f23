#include "peer.h"

#include <arpa/inet.h>
#include <strings.h>
#include <sys/socket.h>

struct peer {
    const struct answer *answers;
    int listener;
    uint16_t port;
    pthread_t thread;
};

static const struct answer HANDSHAKE[] = {
    {"HELLO", "%1\r\n+proto\r\n:3\r\n"}, {"CLIENT", "+OK\r\n"}, {"PING", "+PONG\r\n"}, {"AUTH", "+OK\r\n"}, {NULL, NULL},
};

static const char *answer_of(const struct answer *answers, const char *command)
{
    for (; answers->command != NULL; answers++) {
        if (strcasecmp(answers->command, command) == 0) {
            return answers->bytes == NULL ? "" : answers->bytes;
        }
    }
    return NULL;
}

/* Reads "*2" or "$5": its number. */
static long header(FILE *from)
{
    char line[64];
    return fgets(line, sizeof line, from) == NULL ? -1 : strtol(line + 1, NULL, 10);
}

static void serve(const struct peer *peer, int connection)
{
    FILE *from = fdopen(connection, "r");
    char name[64], ignored[4096];
    for (;;) {
        long arguments = header(from);
        if (arguments < 1) {
            break;
        }
        for (long index = 0; index < arguments; index++) {
            long length = header(from);
            char *into = index == 0 ? name : ignored;
            size_t room = index == 0 ? sizeof name - 2 : sizeof ignored;
            if (length < 0 || (size_t)length + 2 > room || fread(into, 1, (size_t)length + 2, from) == 0) {
                fclose(from);
                return;
            }
            into[length] = '\0';
        }
        const char *answer = answer_of(peer->answers, name);
        if (answer == NULL) {
            answer = answer_of(HANDSHAKE, name);
        }
        if (answer == NULL) {
            answer = "-ERR unknown command\r\n";
        }
        if (*answer == '\0' || send(connection, answer, strlen(answer), MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    fclose(from);
}

static void *run(void *data)
{
    struct peer *peer = data;
    for (;;) {
        int connection = accept(peer->listener, NULL, NULL);
        if (connection < 0) {
            return NULL;
        }
        serve(peer, connection);
    }
}

struct peer *peer_start(const struct answer *answers)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    struct peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    peer->answers = answers;
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer->listener, 8), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &length), 0);
    peer->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&peer->thread, NULL, run, peer), 0);
    return peer;
}

uint16_t peer_port(const struct peer *peer)
{
    return peer->port;
}

void peer_stop(struct peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    free(peer);
}
