/*
 * hiredis stays the client; keyless is its token engine.
 *
 *     ./hiredis [seconds]
 *
 * A program that has hiredis everywhere needs three things for Microsoft Entra ID: a user and a token to sign in with,
 * to hear of the next token long before this one ends, and to sign the open connection in again with it. The first two
 * come from a keyless_token_source. The third is an AUTH like any other command, sent by the thread that owns the
 * redisContext: hiredis' contexts belong to one thread, so keyless' callback only rings a bell, here a pipe.
 *
 * Sends a SET and a GET a hundred times a second over one TLS connection until the time is over (without one: for
 * ever); its result is 0 if no command failed.
 */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <keyless.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if HIREDIS_MAJOR < 1 || (HIREDIS_MAJOR == 1 && HIREDIS_MINOR < 5)
#error "Before 1.5 hiredis does not compare the server's name with its certificate: a token might go to a stranger."
#endif

struct session {
    char host[256];
    int port;
    keyless_token_source *source;
    redisSSLContext *tls;
    redisContext *redis; /* NULL: no connection. */
    uint64_t generation; /* The token that the connection is signed in with. */
    int bell[2];
    unsigned long connections, sign_ins, commands, failed;
};

static bool complain(keyless_error *error)
{
    fprintf(stderr, "%s\n", keyless_error_text(error));
    keyless_error_free(error);
    return false;
}

/* There is a new token. On a thread of keyless: no hiredis here. A full pipe rings already. */
static void on_token(const keyless_token *token, void *user_data)
{
    const struct session *session = user_data;
    const char ring = 1;

    (void)token;
    if (write(session->bell[1], &ring, 1) < 0) {
        return;
    }
}

/* Signs the connection in with the token of now. False if it was refused or the connection is gone. */
static bool sign_in(struct session *session)
{
    keyless_token *token = NULL;
    keyless_error *error = NULL;
    size_t user_length = 0, secret_length = 0;
    const char *user, *secret;
    redisReply *reply;
    bool done;

    /* At once while there is a token: keyless has the next one before this one ends. */
    if (keyless_token_source_get(session->source, 10000, &token, &error) != KEYLESS_OK) {
        return complain(error);
    }
    if (keyless_token_generation(token) == session->generation) {
        keyless_token_free(token); /* Rung for the token that the connection has already. */
        return true;
    }
    user = keyless_token_user(token, &user_length);
    secret = keyless_token_secret(token, &secret_length);
    reply = redisCommand(session->redis, "AUTH %b %b", user, user_length, secret, secret_length);
    done = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (done) {
        session->generation = keyless_token_generation(token);
        session->sign_ins++;
        printf("signed in with token %llu\n", (unsigned long long)session->generation);
        fflush(stdout);
    } else if (reply == NULL) {
        fprintf(stderr, "AUTH: %s\n", session->redis->errstr);
    } else {
        fprintf(stderr, "AUTH: %s\n", reply->str);
        /* Perhaps the token is to blame: keyless asks for another one, and rings when it is there. */
        keyless_token_source_reject(session->source, keyless_token_generation(token));
    }
    freeReplyObject(reply);
    keyless_token_free(token);
    return done;
}

static void disconnect(struct session *session)
{
    if (session->redis != NULL) {
        redisFree(session->redis);
        session->redis = NULL;
    }
}

/* A new connection: TCP, TLS, AUTH. Where a program on hiredis connects today. */
static bool open_connection(struct session *session)
{
    const struct timeval limit = {5, 0};

    session->redis = redisConnectWithTimeout(session->host, session->port, limit);
    session->generation = 0;
    if (session->redis == NULL || session->redis->err != 0 || redisSetTimeout(session->redis, limit) != REDIS_OK ||
        redisInitiateSSLWithContext(session->redis, session->tls) != REDIS_OK) {
        fprintf(stderr, "%s:%d: %s\n", session->host, session->port,
                session->redis != NULL ? session->redis->errstr : "no memory");
        disconnect(session);
        return false;
    }
    session->connections++;
    if (!sign_in(session)) {
        disconnect(session);
        return false;
    }
    return true;
}

/* One command, as everywhere in a program on hiredis. */
static redisReply *command(struct session *session, int argc, const char **argv)
{
    redisReply *reply = redisCommandArgv(session->redis, argc, argv, NULL);

    session->commands++;
    if (reply == NULL) { /* The context is of no use any more: the next round connects again. */
        session->failed++;
        fprintf(stderr, "%s: %s\n", argv[0], session->redis->errstr);
        disconnect(session);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        session->failed++;
        fprintf(stderr, "%s: %s\n", argv[0], reply->str);
    }
    return reply;
}

static void round_trip(struct session *session)
{
    char value[32];
    const char *set[] = {"SET", "example:hiredis", value};
    const char *get[] = {"GET", "example:hiredis"};
    redisReply *reply;

    snprintf(value, sizeof value, "%lu", session->commands);
    reply = command(session, 3, set);
    freeReplyObject(reply);
    if (reply == NULL) {
        return;
    }
    reply = command(session, 2, get);
    if (reply != NULL && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, value) != 0) {
        session->failed++;
        fprintf(stderr, "read %s, wrote %s\n", reply->str, value);
    }
    freeReplyObject(reply);
}

/* Waits until the bell rings or it is time for the next round; in an event loop it is one more descriptor. */
static bool rung(const struct session *session, int timeout_ms)
{
    struct pollfd bell = {session->bell[0], POLLIN, 0};
    char rings[16];

    if (poll(&bell, 1, timeout_ms) <= 0) {
        return false;
    }
    return read(session->bell[0], rings, sizeof rings) > 0;
}

static void run(struct session *session, long seconds)
{
    const time_t start = time(NULL);
    int pause = 10;

    while (seconds == 0 || time(NULL) - start < seconds) {
        const bool renewed = rung(session, pause);

        if (session->redis == NULL) {
            /* Farther and farther apart while it fails. */
            pause = open_connection(session) ? 10 : (pause < 5000 ? 2 * pause : 10000);
        } else if (renewed && !sign_in(session)) {
            /* Refused, long before the connection's own token ends: keyless rings again. */
            if (session->redis->err != 0) {
                disconnect(session);
            }
        } else {
            round_trip(session);
        }
    }
}

/* `host:port`, with Azure's port where the environment names none, split for hiredis. */
static keyless_status find_endpoint(struct session *session, const keyless_options *options, keyless_error **error)
{
    size_t length = 0;
    keyless_status status = keyless_options_get(options, KEYLESS_TEXT("endpoint"), session->host, sizeof session->host,
                                                &length, error);
    char *colon = strrchr(session->host, ':');

    if (colon != NULL) {
        *colon = '\0';
        session->port = atoi(colon + 1);
    }
    return status;
}

static bool prepare(struct session *session)
{
    redisSSLContextError tls_error = REDIS_SSL_CTX_NONE;
    redisSSLOptions tls = {0};
    keyless_options *options = NULL;
    keyless_error *error = NULL;
    bool done;

    /* Who signs in: AZURE_... variables, a managed identity, or `az login`. Nothing is asked for yet. */
    done = keyless_options_from_env(&options, &error) == KEYLESS_OK &&
           find_endpoint(session, options, &error) == KEYLESS_OK &&
           keyless_token_source_new(options, NULL, &session->source, &error) == KEYLESS_OK;
    keyless_options_free(options);
    if (!done) {
        return complain(error);
    }

    if (pipe(session->bell) != 0 || fcntl(session->bell[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(session->bell[1], F_SETFL, O_NONBLOCK) != 0) {
        perror("pipe");
        return false;
    }
    /* From now on the token is replaced in time, in the background, and the bell rings for each. */
    if (keyless_token_source_subscribe(session->source, on_token, session, NULL, NULL, &error) != KEYLESS_OK) {
        return complain(error);
    }

    /* No file given: OpenSSL's own authorities, or those of SSL_CERT_FILE. */
    redisInitOpenSSL();
    tls.server_name = session->host; /* What is asked for (SNI) ... */
    tls.verify_name = session->host; /* ... and what the certificate must say. */
    tls.verify_mode = REDIS_SSL_VERIFY_PEER;
    session->tls = redisCreateSSLContextWithOptions(&tls, &tls_error);
    if (session->tls == NULL) {
        fprintf(stderr, "TLS: %s\n", redisSSLContextGetError(tls_error));
    }
    return session->tls != NULL;
}

int main(int argc, char **argv)
{
    static struct session session;

    /* OpenSSL writes to a connection that was cut as to any other; keyless itself raises no SIGPIPE. */
    signal(SIGPIPE, SIG_IGN);
    if (!prepare(&session) || !open_connection(&session)) {
        return 1;
    }
    run(&session, argc > 1 ? atol(argv[1]) : 0);

    disconnect(&session);
    keyless_token_source_free(session.source); /* Removes on_token: from here on it does not run any more. */
    redisFreeSSLContext(session.tls);
    close(session.bell[0]);
    close(session.bell[1]);
    printf("%lu commands, %lu failed, %lu sign-ins, %lu connections\n", session.commands, session.failed,
           session.sign_ins, session.connections);
    return session.failed != 0;
}
