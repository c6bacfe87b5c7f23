/*
 * keyless: Azure Managed Redis and Azure Cache for Redis without access keys.
 *
 * Generated from the sources in ffi/src; do not change it here.
 *
 * Rules that hold everywhere
 *
 * Handles. Every type named keyless_... whose members are not shown is a handle: it comes from a function that makes it
 * (_new, _connect, _clone ...), and goes to the _free of its type, once. _free takes NULL. What is "borrowed" belongs to
 * something else, lives as long as that, and is not freed.
 *
 * Text and bytes. A pointer and a length in bytes; the pointer needs to be valid during the call only, and what is kept
 * is copied. Text is UTF-8. Text that comes back is not ended by a NUL unless that is said; its length is put into the
 * last parameter. KEYLESS_TEXT("...") gives a C string's pointer and length as two arguments.
 *
 * Failures. A function that can fail returns a keyless_status, 0 for success, and has a last parameter `error`: if it is
 * not NULL, *error is set to NULL on success, and otherwise to an error that the caller frees. Other out parameters hold
 * NULL or 0 after a failure. Functions that only look at a handle take NULL and answer nothing, 0 or false. Passing NULL
 * where something is needed is KEYLESS_INVALID_ARGUMENT, never a crash. A fault inside keyless is KEYLESS_INTERNAL and
 * never ends the process.
 *
 * Threads. keyless_client, keyless_token_source and keyless_subscription may be used by any number of threads at a time,
 * but freed by one, when no other one uses them. Replies, errors, tokens, messages, figures and nodes do not change, and
 * may be looked at by any number. Options, credentials, pipelines, completions and scans belong to one thread at a time.
 *
 * Callbacks. They run on threads of keyless: "keyless-events" for events and tokens, "keyless-calls" for replies and
 * messages, a thread of its own for a credential's. They never run with a lock of keyless held, so they may call keyless,
 * also to free what calls them. Two callbacks of the same thread never run at the same time. A C++ exception must not
 * leave a callback (the process would end), and longjmp must not jump out of one (its thread's locks would stay held).
 *
 * fork. A client or token source that is used in a forked child connects and signs in anew there; the parent's goes on.
 * A subscription or scan ends in the child. Commands that the parent had under way are not heard of in the child.
 *
 * Signals. The library sets no handlers; writing to a closed connection raises no SIGPIPE.
 *
 * Unloading. The library has threads of its own: dlclose leaves it loaded.
 */

#ifndef KEYLESS_H
#define KEYLESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/** A C string as the two arguments that text takes: its pointer and its length. */
#define KEYLESS_TEXT(text) (text), strlen(text)


/**
 * The mask of every event, also of those that later versions add.
 */
#define KEYLESS_ALL_EVENTS UINT32_MAX

/**
 * The version of this interface: raised when something that exists changes or goes away. Compare it with
 * `keyless_abi_version()` after loading the library at run time.
 */
#define KEYLESS_ABI_VERSION 1

/**
 * What a function answers: 0, or what went wrong. The numbers never change and are never used again.
 *
 * Hundreds group by the step that failed: 1xx input, 2xx sign-in, 3xx connection, 4xx waiting, 5xx replies, 9xx a
 * fault of keyless itself. Later versions may add numbers.
 */
typedef enum {
    /**
     * Success.
     */
    KEYLESS_OK = 0,
    /**
     * The endpoint is not a host name, `host:port` or IP address.
     */
    KEYLESS_INVALID_ENDPOINT = 101,
    /**
     * An option is unknown, has a value that cannot be read, or contradicts another one.
     */
    KEYLESS_INVALID_OPTION = 102,
    /**
     * The command cannot be sent as it is: empty, disabled, too long, or one that would break a shared connection.
     */
    KEYLESS_INVALID_COMMAND = 103,
    /**
     * A token was about to be used on a connection without TLS.
     */
    KEYLESS_TLS_REQUIRED = 104,
    /**
     * A function was called with an argument that it cannot take: NULL, text that is not UTF-8, an unknown number.
     */
    KEYLESS_INVALID_ARGUMENT = 105,
    /**
     * No credential could be used here: nothing is configured, or a tool is missing or not signed in.
     */
    KEYLESS_CREDENTIAL_UNAVAILABLE = 201,
    /**
     * Microsoft Entra ID refused the credential: wrong secret, unknown tenant or application.
     */
    KEYLESS_SIGN_IN_REFUSED = 202,
    /**
     * The token endpoint could not be reached, timed out, throttled, or answered with a fault.
     */
    KEYLESS_TOKEN_ENDPOINT_UNAVAILABLE = 203,
    /**
     * What came back is not a usable token: not a JWT, expired, or without the `oid` claim.
     */
    KEYLESS_INVALID_TOKEN = 204,
    /**
     * The cache refused AUTH (`WRONGPASS`, `NOAUTH`).
     */
    KEYLESS_AUTH_REFUSED = 205,
    /**
     * The host name could not be resolved.
     */
    KEYLESS_NAME_RESOLUTION = 301,
    /**
     * No TCP connection could be made.
     */
    KEYLESS_CONNECT_FAILED = 302,
    /**
     * The TLS handshake failed: unknown certificate authority, wrong host name, no common version.
     */
    KEYLESS_TLS_FAILED = 303,
    /**
     * The server did not complete the Redis handshake.
     */
    KEYLESS_HANDSHAKE_FAILED = 304,
    /**
     * The connection was lost while the command was under way.
     */
    KEYLESS_CONNECTION_LOST = 305,
    /**
     * The peer sent bytes that are not the Redis protocol.
     */
    KEYLESS_PROTOCOL = 306,
    /**
     * There is no connection now and the option `backlog` is `fail_fast`.
     */
    KEYLESS_NOT_CONNECTED = 401,
    /**
     * Too many commands or bytes are already waiting.
     */
    KEYLESS_BACKLOG_FULL = 402,
    /**
     * No answer came in time.
     */
    KEYLESS_TIMEOUT = 403,
    /**
     * The client, or what belongs to it, was closed.
     */
    KEYLESS_CLOSED = 404,
    /**
     * Redis answered with an error.
     */
    KEYLESS_SERVER = 501,
    /**
     * Redis answered `NOPERM`: the identity's access policy does not allow the command or key.
     */
    KEYLESS_NO_PERMISSION = 502,
    /**
     * The reply does not have the type that the caller asked for.
     */
    KEYLESS_UNEXPECTED_REPLY = 503,
    /**
     * A transaction was discarded by the server.
     */
    KEYLESS_TRANSACTION_ABORTED = 504,
    /**
     * A fault of keyless itself. Please report it.
     */
    KEYLESS_INTERNAL = 901,
} keyless_status;

/**
 * How important a log line is.
 */
typedef enum {
    /**
     * Nothing is logged.
     */
    KEYLESS_LOG_OFF = 0,
    /**
     * Something failed that keyless cannot mend.
     */
    KEYLESS_LOG_ERROR = 1,
    /**
     * Something failed that keyless goes on to mend: a lost connection, a refused token request.
     */
    KEYLESS_LOG_WARN = 2,
    /**
     * One line per change of state: connected, token refreshed, signed in again.
     */
    KEYLESS_LOG_INFO = 3,
    /**
     * What helps to find a fault.
     */
    KEYLESS_LOG_DEBUG = 4,
    /**
     * Everything.
     */
    KEYLESS_LOG_TRACE = 5,
} keyless_log_level;

/**
 * What a reply is: the types of RESP3, under which RESP2's go too.
 */
typedef enum {
    /**
     * Nothing there.
     */
    KEYLESS_REPLY_NIL = 0,
    /**
     * A simple string, such as `OK`. Read it with `keyless_reply_string`.
     */
    KEYLESS_REPLY_STATUS = 1,
    /**
     * A string of any bytes. Read it with `keyless_reply_string`.
     */
    KEYLESS_REPLY_STRING = 2,
    /**
     * A string with its format. Read it with `keyless_reply_string` and `keyless_reply_verbatim_format`.
     */
    KEYLESS_REPLY_VERBATIM = 3,
    /**
     * A whole number of 64 bits. Read it with `keyless_reply_integer`.
     */
    KEYLESS_REPLY_INTEGER = 4,
    /**
     * A floating point number. Read it with `keyless_reply_double`.
     */
    KEYLESS_REPLY_DOUBLE = 5,
    /**
     * True or false. Read it with `keyless_reply_boolean`.
     */
    KEYLESS_REPLY_BOOLEAN = 6,
    /**
     * A whole number of any length, as decimal text. Read it with `keyless_reply_string`.
     */
    KEYLESS_REPLY_BIG_NUMBER = 7,
    /**
     * Replies in order. Read them with `keyless_reply_child`.
     */
    KEYLESS_REPLY_ARRAY = 8,
    /**
     * Pairs of a key and a value. Read them with `keyless_reply_pair`.
     */
    KEYLESS_REPLY_MAP = 9,
    /**
     * Replies without order, each once. Read them with `keyless_reply_child`.
     */
    KEYLESS_REPLY_SET = 10,
    /**
     * A message that answers no command. Read its parts with `keyless_reply_child`.
     */
    KEYLESS_REPLY_PUSH = 11,
    /**
     * An error, in a pipeline or inside an array. Read it with `keyless_reply_error`.
     */
    KEYLESS_REPLY_ERROR = 12,
} keyless_reply_type;

/**
 * What a subscription delivers.
 */
typedef enum {
    /**
     * A published message.
     */
    KEYLESS_MESSAGE = 0,
    /**
     * There was no connection for a time: messages published meanwhile were not received.
     */
    KEYLESS_MESSAGE_GAP = 1,
    /**
     * Messages were dropped here, because they were taken too slowly.
     */
    KEYLESS_MESSAGE_DROPPED = 2,
} keyless_message_type;

/**
 * What kind of name is subscribed to.
 */
typedef enum {
    /**
     * A channel (`SUBSCRIBE`).
     */
    KEYLESS_CHANNEL = 0,
    /**
     * A pattern of channel names (`PSUBSCRIBE`).
     */
    KEYLESS_PATTERN = 1,
    /**
     * A shard channel (`SSUBSCRIBE`, Redis 7).
     */
    KEYLESS_SHARD_CHANNEL = 2,
} keyless_channel_type;

/**
 * What happened; each is one bit, so that they can be put together as a mask.
 */
typedef enum {
    /**
     * A new token was acquired and is in use from now on.
     */
    KEYLESS_EVENT_TOKEN_REFRESHED = 1,
    /**
     * An attempt to acquire a token failed. The old one stays in use; attempts go on.
     */
    KEYLESS_EVENT_TOKEN_REFRESH_FAILED = 2,
    /**
     * A live connection was signed in again with a new token.
     */
    KEYLESS_EVENT_CONNECTION_REAUTHENTICATED = 4,
    /**
     * A live connection could not be signed in again. It is tried again until its own token expires.
     */
    KEYLESS_EVENT_CONNECTION_REAUTHENTICATION_FAILED = 8,
    /**
     * A connection was lost, or the first one could not be made. Redialling goes on by itself.
     */
    KEYLESS_EVENT_CONNECTION_LOST = 16,
    /**
     * A lost connection was restored and is signed in.
     */
    KEYLESS_EVENT_CONNECTION_RESTORED = 32,
    /**
     * Subscriptions were without a connection and have one again: messages may have been missed.
     */
    KEYLESS_EVENT_SUBSCRIPTION_GAP = 64,
} keyless_event_type;

/**
 * What happens when a subscription's messages are taken too slowly.
 */
typedef enum {
    /**
     * The oldest messages give way, and a message of type `KEYLESS_MESSAGE_DROPPED` says how many.
     */
    KEYLESS_DROP_OLDEST = 0,
    /**
     * The subscription ends with `KEYLESS_BACKLOG_FULL`.
     */
    KEYLESS_DISCONNECT = 1,
} keyless_overflow;

/**
 * What a new token says of itself. Borrowed: valid until the callback returns.
 */
typedef struct keyless_claims keyless_claims;

/**
 * A client of one cache: one connection, or one per node of a cluster, shared by all who use it. Any thread may use
 * it, any number at a time.
 *
 * In a forked child it connects anew, without touching the parent's connection, when it is first used there.
 */
typedef struct keyless_client keyless_client;

/**
 * Room for completions that were drained; used again and again. One thread at a time may use it.
 */
typedef struct keyless_completions keyless_completions;

/**
 * An identity to sign in with: a kind, and its options.
 *
 * One thread at a time may change it; clients and token sources copy what they need, so it can be freed once they
 * exist. Holds secrets, and shows none.
 */
typedef struct keyless_credential keyless_credential;

/**
 * What went wrong, and what to do about it.
 *
 * Comes through the last parameter of functions that fail, or is borrowed from a reply, completion or event. Does not
 * change: any number of threads may look at it. Holds no secret.
 */
typedef struct keyless_error keyless_error;

/**
 * Something that happened to a token or a connection. Borrowed: valid until the callback returns.
 */
typedef struct keyless_event keyless_event;

/**
 * What a subscription delivered. Does not change.
 */
typedef struct keyless_message keyless_message;

/**
 * The nodes that served keys when it was made: one for a single server, one per primary for a cluster. Does not change.
 */
typedef struct keyless_nodes keyless_nodes;

/**
 * Options of a client: where the cache is, and how to reach it.
 *
 * One thread at a time may change them; a client copies what it needs, so they can be freed once it is connected.
 */
typedef struct keyless_options keyless_options;

/**
 * Commands to be sent together. One thread at a time may use it; it can be filled and sent again and again.
 */
typedef struct keyless_pipeline keyless_pipeline;

/**
 * A reply, or a part of one: a view of what the server sent.
 *
 * Does not change: any number of threads may look at it. Parts are borrowed from the whole; so is all text. Looking
 * for something that is not there, a number in an array say, gives NULL, 0 or false, and never reads beyond the
 * reply.
 */
typedef struct keyless_reply keyless_reply;

/**
 * A walk over all keys, on a cluster over those of all nodes. One thread at a time may use it. It belongs to the process
 * that made it: a forked child makes its own.
 *
 * Every key that exists from the walk's begin to its end comes at least once, also where slots move from one node to
 * another meanwhile; a key may come twice.
 */
typedef struct keyless_scan keyless_scan;

/**
 * Figures of a client: counts since it was made, and how things stood when they were taken. Does not change.
 */
typedef struct keyless_stats keyless_stats;

/**
 * Receives messages of any number of channels, patterns and shard channels, over the client's own connection. Any
 * thread may use it.
 *
 * Subscriptions outlive tokens and connections; after a cut they are made anew, and a message of type
 * `KEYLESS_MESSAGE_GAP` says that others may have been missed. It ends with its client, and in a forked child. Messages
 * are taken in one way: by `keyless_subscription_next`, also in an event loop, or by a callback.
 */
typedef struct keyless_subscription keyless_subscription;

/**
 * A token in use. Does not change; holds a secret, which is wiped when the last copy is freed.
 */
typedef struct keyless_token keyless_token;

/**
 * A token that is wanted of the application. It is answered once, with `keyless_token_request_complete` or
 * `keyless_token_request_fail`, from any thread, now or later; both free it.
 */
typedef struct keyless_token_request keyless_token_request;

/**
 * One identity's token, always fresh: one token request per refresh, any number of users. Any thread may use it, any
 * number at a time.
 *
 * In a forked child it asks for tokens of its own.
 */
typedef struct keyless_token_source keyless_token_source;

/**
 * Hears of an event. Runs on the thread `keyless-events`, one call at a time and in order; a call that blocks delays
 * other handlers of the process and nothing else. It may call keyless, also to remove itself or to free the client.
 * It must not throw, and must not leave with `longjmp`.
 */
typedef void (*keyless_event_callback)(const keyless_event *event,
                                       void *user_data);

/**
 * Frees what the caller gave along with a callback. NULL: nothing to free.
 */
typedef void (*keyless_destructor)(void *user_data);

/**
 * Hears what became of a command or pipeline: either `reply` or `error` is NULL, and both are borrowed until it
 * returns.
 *
 * Runs once for each submission, on the thread `keyless-calls`, one call at a time, in the order in which replies came.
 * It may call keyless, also to submit, to wait for a reply and to free the client; while it blocks, other callbacks
 * wait. It must not throw, and must not leave with `longjmp`.
 */
typedef void (*keyless_reply_callback)(const keyless_reply *reply,
                                       const keyless_error *error,
                                       void *user_data);

/**
 * What became of one command or pipeline. Either `reply` or `error` is NULL.
 */
typedef struct {
    /**
     * What was given when it was submitted.
     */
    void *user_data;
    /**
     * The reply; of a pipeline, an array with one part per command. Borrowed.
     */
    const keyless_reply *reply;
    /**
     * Why there is none: also an error reply of the server. Borrowed.
     */
    const keyless_error *error;
} keyless_completion;

/**
 * Is asked for a token: answers `request`, at once or later from any thread.
 *
 * Runs on a thread of its own, which it may block; a call begins only when the one before was answered. A request
 * that stays unanswered runs into the option `token_request_timeout`, and is asked again. It must not throw, and must
 * not leave with `longjmp`.
 */
typedef void (*keyless_credential_callback)(keyless_token_request *request,
                                            void *user_data);

/**
 * Gets one log line: its level, the part of keyless that it comes from, and its text, both in UTF-8 and ended by a
 * NUL, valid until the call returns. Never holds a secret.
 *
 * Runs on whatever thread logs, also on the I/O thread: it must be quick, and must not call keyless.
 */
typedef void (*keyless_log_callback)(keyless_log_level level,
                                     const char *target,
                                     const char *text,
                                     void *user_data);

/**
 * Chooses the Redis user of a new token with `keyless_claims_choose_user`; without a choice the token cannot be used, and
 * another one is asked for. Once per token, on the thread `keyless-token`, which it must not block. It must not throw, and
 * must not leave with `longjmp`.
 */
typedef void (*keyless_user_name_callback)(keyless_claims *claims,
                                           void *user_data);

/**
 * Says whether a token that was received and expires at these times (milliseconds since 1970-01-01 UTC) is replaced now.
 * On the thread `keyless-token`, which it must not block. It must not throw, and must not leave with `longjmp`.
 */
typedef bool (*keyless_should_refresh_callback)(int64_t received_at_ms,
                                                int64_t expires_at_ms,
                                                void *user_data);

/**
 * Hears of a message, or, once and last, why none come any more; the other one is NULL, and both are borrowed until it
 * returns. On the thread of `keyless_reply_callback`, with its rules.
 */
typedef void (*keyless_message_callback)(const keyless_message *message,
                                         const keyless_error *error,
                                         void *user_data);

/**
 * Hears of a new token, which is borrowed until it returns. On the thread of `keyless_event_callback`, with its rules.
 */
typedef void (*keyless_token_callback)(const keyless_token *token,
                                       void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Connects to the cache that the options name.
 *
 * `credential` says who signs in; with NULL the options do: the access key if they hold one, the application's secret
 * if they hold one, otherwise the default chain. Returns when the first attempt has ended. Should it have failed,
 * attempts go on in the background and the call succeeds (see `keyless_client_last_error`), unless the option
 * `abort_on_connect_fail` is set. The caller frees `*client`. Any thread.
 */
keyless_status keyless_client_connect(const keyless_options *options,
                                      const keyless_credential *credential,
                                      keyless_client **client,
                                      keyless_error **error);

/**
 * The same with a token source that other clients share: one token request per refresh for all of them.
 */
keyless_status keyless_client_connect_with_source(const keyless_options *options,
                                                  const keyless_token_source *source,
                                                  keyless_client **client,
                                                  keyless_error **error);

/**
 * Takes no more commands, waits for those that were handed over, at the most for the option `command_timeout`, and
 * closes the connection.
 *
 * What is not answered then fails with `KEYLESS_CLOSED`, as does every later command. Completions that were not
 * drained yet stay. Closing twice does no harm. Not to be called in a callback of this client's commands while others
 * of them have yet to run: `keyless_client_free` may.
 */
keyless_status keyless_client_close(const keyless_client *client,
                                    keyless_error **error);

/**
 * Frees a client, and closes its connection at once unless it is closed. NULL is fine.
 *
 * What is not answered fails with `KEYLESS_CLOSED`, and its callbacks still run: when this returns, no callback of the
 * client runs any more. In a callback of keyless it does not wait for that, and the rest run afterwards. Completions
 * that were not drained are dropped, and the descriptor of `keyless_client_fd` is closed: take it out of the event loop
 * first. Subscriptions of the client end; they are freed on their own.
 */
void keyless_client_free(keyless_client *client);

/**
 * Whether there is a signed-in connection now, or one to every node of a cluster. False for NULL.
 */
bool keyless_client_is_ready(const keyless_client *client);

/**
 * Why there is no connection now; NULL while there is one or the first one is being made. The caller frees it.
 */
keyless_error *keyless_client_last_error(const keyless_client *client);

/**
 * `host:port` of the cache, in UTF-8, not ended by a NUL. Borrowed from the client. NULL for NULL.
 */
const char *keyless_client_endpoint(const keyless_client *client,
                                    size_t *length);

/**
 * Calls `callback` for the events in `mask` (bits of `keyless_event_type`, or `KEYLESS_ALL_EVENTS`): those of this
 * client's connections and of its token source.
 *
 * `destructor` (may be NULL) frees `user_data` when the handler is gone and its last call has ended. `*id` (may be NULL)
 * gets what `keyless_client_remove_handler` takes. Fails with `KEYLESS_INVALID_ARGUMENT`; `user_data` is the caller's
 * then.
 */
keyless_status keyless_client_on_event(const keyless_client *client,
                                       uint32_t mask,
                                       keyless_event_callback callback,
                                       void *user_data,
                                       keyless_destructor destructor,
                                       uint64_t *id,
                                       keyless_error **error);

/**
 * Removes a handler by its id; false if there is none. Afterwards it is not called any more: a call that runs has
 * ended, unless that call is the caller.
 */
bool keyless_client_remove_handler(const keyless_client *client,
                                   uint64_t id);

/**
 * The descriptor that is readable while completions wait in the client's queue: for epoll, libuv, libevent.
 *
 * Watch it for reading, and call `keyless_client_drain` when it is; do not read from it and do not close it. It is the
 * same for the client's whole life, but another one in a forked child. -1 on systems that have no such thing (use
 * callbacks there), for NULL, and when the process has no descriptor to spare.
 */
int keyless_client_fd(const keyless_client *client);

/**
 * Sends a command and waits for its reply.
 *
 * `argc` arguments, the first one the command's name, such as `SET`, `key`, `value`; `argvlen` gives the length of each
 * in bytes, and with NULL every argument ends with a NUL. They are copied. `timeout_ms` 0 stands for the option
 * `command_timeout`. `*reply` (may be NULL if it does not matter) gets the reply, which the caller frees.
 *
 * An error reply of the server is an error here: `KEYLESS_SERVER`, `KEYLESS_NO_PERMISSION`. Other failures:
 * `KEYLESS_INVALID_COMMAND` before anything is sent; `KEYLESS_TIMEOUT`, `KEYLESS_CONNECTION_LOST`,
 * `KEYLESS_NOT_CONNECTED`, `KEYLESS_BACKLOG_FULL`, `KEYLESS_CLOSED`, or what keeps the connection from being made;
 * `keyless_error_maybe_executed` says whether the server may have executed it.
 *
 * Commands that wait on the server (`BLPOP`, `XREAD BLOCK` ...) have a connection of their own meanwhile, and their own
 * time limit. Any thread, also in callbacks of commands, but then other callbacks wait.
 */
keyless_status keyless_client_execute(const keyless_client *client,
                                      size_t argc,
                                      const char *const *argv,
                                      const size_t *argvlen,
                                      uint64_t timeout_ms,
                                      keyless_reply **reply,
                                      keyless_error **error);

/**
 * Sends a command to one node of a cluster, wherever its keys are, and waits for its reply: for what is asked of a single
 * node, such as `INFO` or `SLOWLOG GET`.
 *
 * `endpoint` is the node's `host:port`, as `keyless_nodes_endpoint` gives it. Everything else as in
 * `keyless_client_execute`; fails with `KEYLESS_INVALID_ENDPOINT` if there is no such node now, and with
 * `KEYLESS_INVALID_COMMAND` for a command that waits on the server.
 */
keyless_status keyless_client_execute_on(const keyless_client *client,
                                         const char *endpoint,
                                         size_t endpoint_length,
                                         size_t argc,
                                         const char *const *argv,
                                         const size_t *argvlen,
                                         uint64_t timeout_ms,
                                         keyless_reply **reply,
                                         keyless_error **error);

/**
 * Sends a pipeline or transaction and waits for all replies: `*reply` is an array with one part per command, in order.
 *
 * A command that failed has a part of type `KEYLESS_REPLY_ERROR`. The pipeline is empty afterwards; if nothing was sent
 * it is as it was. Fails as `keyless_client_execute` if nothing was sent, and with `KEYLESS_TRANSACTION_ABORTED` if the
 * server refused one of a transaction's commands.
 */
keyless_status keyless_client_execute_pipeline(const keyless_client *client,
                                               keyless_pipeline *pipeline,
                                               uint64_t timeout_ms,
                                               keyless_reply **reply,
                                               keyless_error **error);

/**
 * Sends a command and does not wait: `callback` hears of its reply, or, with NULL, a completion with `user_data` is put
 * into the client's queue (see `keyless_client_drain`).
 *
 * Arguments and failures as in `keyless_client_execute`; what can be known only later reaches the callback or the
 * completion. When this fails, nothing was sent and nothing else is heard. Never blocks, but in a forked child, where
 * the first use connects. Any thread.
 */
keyless_status keyless_client_submit(const keyless_client *client,
                                     size_t argc,
                                     const char *const *argv,
                                     const size_t *argvlen,
                                     uint64_t timeout_ms,
                                     keyless_reply_callback callback,
                                     void *user_data,
                                     keyless_error **error);

/**
 * Sends a pipeline or transaction and does not wait: one callback, or one completion, tells of all replies, in an array
 * as in `keyless_client_execute_pipeline`.
 *
 * The pipeline is empty afterwards; when this fails it is as it was. Otherwise as `keyless_client_submit`.
 */
keyless_status keyless_client_submit_pipeline(const keyless_client *client,
                                              keyless_pipeline *pipeline,
                                              uint64_t timeout_ms,
                                              keyless_reply_callback callback,
                                              void *user_data,
                                              keyless_error **error);

/**
 * Takes up to `most` completions out of the client's queue: `*list` gets an array of `*count` of them.
 *
 * Never blocks: `*count` is 0 if there are none. The array, its replies and errors are borrowed from `completions`: they
 * are valid until the next drain into it. While more completions wait the client's descriptor stays readable. Any
 * thread, each with a `completions` of its own.
 */
keyless_status keyless_client_drain(const keyless_client *client,
                                    keyless_completions *completions,
                                    size_t most,
                                    const keyless_completion **list,
                                    size_t *count,
                                    keyless_error **error);

/**
 * Room for completions. The caller frees it. NULL only if there is no memory.
 */
keyless_completions *keyless_completions_new(void);

/**
 * Frees the room, and with it the replies and errors that were borrowed from it. NULL is fine.
 */
void keyless_completions_free(keyless_completions *completions);

/**
 * A credential of a kind, named as in README.md, such as `managed_identity`, `client_secret`, `default`.
 *
 * Its options are set with `keyless_credential_set`. `access_key` stands for the cache's key: its option `password`, or
 * the `password` of the client's options, or nobody. `custom` and `client_assertion` need a callback, and have
 * functions of their own. The caller frees `*credential`. Fails with
 * `KEYLESS_INVALID_OPTION` for an unknown kind; the error names the nearest known one. Any thread.
 */
keyless_status keyless_credential_new(const char *kind,
                                      size_t kind_length,
                                      keyless_credential **credential,
                                      keyless_error **error);

/**
 * Sets an option of a credential by its name, such as `tenant_id`, `client_id`, `client_secret`.
 *
 * The last value counts. Fails with `KEYLESS_INVALID_OPTION` if the kind has no such option. Whether the options
 * suffice is known when a client or a token source is made.
 */
keyless_status keyless_credential_set(keyless_credential *credential,
                                      const char *name,
                                      size_t name_length,
                                      const char *value,
                                      size_t value_length,
                                      keyless_error **error);

/**
 * Frees a credential. NULL is fine.
 */
void keyless_credential_free(keyless_credential *credential);

/**
 * A credential that the application brings: a callback that yields tokens.
 *
 * `name` is how logs and errors call it. `destructor` (may be NULL) frees `user_data` when neither the credential nor
 * anything made with it needs it any more. The caller frees `*credential`. On failure `user_data` is the caller's.
 * Any thread.
 */
keyless_status keyless_credential_custom(const char *name,
                                         size_t name_length,
                                         keyless_credential_callback callback,
                                         void *user_data,
                                         keyless_destructor destructor,
                                         keyless_credential **credential,
                                         keyless_error **error);

/**
 * An application (service principal) that proves itself with assertions that a callback makes: signed JWTs, or tokens of
 * another identity that the application trusts.
 *
 * Its options (`tenant_id`, `client_id` ...) are set with `keyless_credential_set`. The callback answers with the
 * assertion in place of a token; its scope is empty, and the time that it expires does not matter. Otherwise as
 * `keyless_credential_custom`.
 */
keyless_status keyless_credential_client_assertion(keyless_credential_callback callback,
                                                   void *user_data,
                                                   keyless_destructor destructor,
                                                   keyless_credential **credential,
                                                   keyless_error **error);

/**
 * The scope that the token must have, in UTF-8, not ended by a NUL. Borrowed from the request. NULL for NULL.
 */
const char *keyless_token_request_scope(const keyless_token_request *request,
                                        size_t *length);

/**
 * Whether a token that a cache of the application's still holds must be passed over. False for NULL.
 */
bool keyless_token_request_forced(const keyless_token_request *request);

/**
 * Answers a request with a token that expires at `expires_at_ms` (milliseconds since 1970-01-01 UTC), and frees the
 * request.
 *
 * The token is copied. Fails with `KEYLESS_INVALID_ARGUMENT`, and the request fails then too. Any thread.
 */
keyless_status keyless_token_request_complete(keyless_token_request *request,
                                              const char *token,
                                              size_t token_length,
                                              int64_t expires_at_ms,
                                              keyless_error **error);

/**
 * Answers a request with a failure, and frees the request. `message` (UTF-8) reaches logs, events and errors: it must
 * not hold a secret. `retryable`: whether asking again may help; it is asked again in either case.
 *
 * Any thread.
 */
keyless_status keyless_token_request_fail(keyless_token_request *request,
                                          const char *message,
                                          size_t message_length,
                                          bool retryable,
                                          keyless_error **error);

/**
 * The error's number. `KEYLESS_OK` for NULL.
 */
keyless_status keyless_error_code(const keyless_error *error);

/**
 * The code's name, such as `auth_refused`: for logs, and to look it up in the documentation.
 *
 * `length` (may be NULL) gets its bytes; not ended by a NUL. Belongs to the library; valid for ever. NULL for NULL.
 */
const char *keyless_error_name(const keyless_error *error,
                               size_t *length);

/**
 * What happened: one sentence in UTF-8, without the advice. Not ended by a NUL: use `length`.
 *
 * Borrowed from the error. NULL for NULL.
 */
const char *keyless_error_message(const keyless_error *error,
                                  size_t *length);

/**
 * What to do about it: one sentence in UTF-8; length 0 where nothing can be advised. Not ended by a NUL.
 *
 * Borrowed from the error. NULL for NULL.
 */
const char *keyless_error_advice(const keyless_error *error,
                                 size_t *length);

/**
 * `host:port` of the server that the error belongs to; NULL and length 0 if it belongs to none. Not ended by a NUL.
 *
 * Borrowed from the error.
 */
const char *keyless_error_endpoint(const keyless_error *error,
                                   size_t *length);

/**
 * The first word of a Redis error reply, such as `WRONGTYPE`; NULL and length 0 for other errors. Not ended by a NUL.
 *
 * Borrowed from the error.
 */
const char *keyless_error_server_code(const keyless_error *error,
                                      size_t *length);

/**
 * Endpoint, message and advice in one text that ends with a NUL: for `printf("%s")`.
 *
 * Borrowed from the error. An empty text for NULL.
 */
const char *keyless_error_text(const keyless_error *error);

/**
 * Whether the same call can succeed later without anybody changing anything. False for NULL.
 */
bool keyless_error_retryable(const keyless_error *error);

/**
 * Whether the command may have been executed although it failed; false means that it certainly was not. False for
 * NULL.
 */
bool keyless_error_maybe_executed(const keyless_error *error);

/**
 * How long the other side asked to wait before the next attempt, in milliseconds; 0 if it did not.
 */
uint64_t keyless_error_retry_after_ms(const keyless_error *error);

/**
 * A copy of an error that was borrowed, to keep it. The caller frees it. NULL for NULL.
 */
keyless_error *keyless_error_clone(const keyless_error *error);

/**
 * Frees an error that the caller owns. NULL is fine.
 */
void keyless_error_free(keyless_error *error);

/**
 * What happened: one of `keyless_event_type`, or a bit that a later version has added; 0 for NULL.
 */
uint32_t keyless_event_get_type(const keyless_event *event);

/**
 * The event's name, such as `token_refreshed`: for logs. Not ended by a NUL. Valid for ever. NULL for NULL.
 */
const char *keyless_event_name(const keyless_event *event,
                               size_t *length);

/**
 * When it happened, in milliseconds since 1970-01-01 UTC. 0 for NULL.
 */
int64_t keyless_event_time_ms(const keyless_event *event);

/**
 * `host:port` of the connection, in UTF-8, not ended by a NUL; NULL and length 0 for events of the token.
 *
 * Borrowed from the event.
 */
const char *keyless_event_endpoint(const keyless_event *event,
                                   size_t *length);

/**
 * The Redis user of a refreshed token, in UTF-8, not ended by a NUL; NULL and length 0 for other events.
 *
 * Borrowed from the event.
 */
const char *keyless_event_user(const keyless_event *event,
                               size_t *length);

/**
 * When the token in use expires, in milliseconds since 1970-01-01 UTC; 0 where there is none.
 */
int64_t keyless_event_expires_at_ms(const keyless_event *event);

/**
 * When the next refresh is due after `KEYLESS_EVENT_TOKEN_REFRESHED`, in milliseconds since 1970-01-01 UTC; 0 for other
 * events.
 */
int64_t keyless_event_next_refresh_ms(const keyless_event *event);

/**
 * Which token of its source it was, counted from 1; 0 for other events.
 */
uint64_t keyless_event_generation(const keyless_event *event);

/**
 * How many attempts have failed in a row, or how many dials a restored connection took; 0 for other events.
 */
uint32_t keyless_event_attempt(const keyless_event *event);

/**
 * How long until the next attempt after one that failed, in milliseconds; 0 for other events.
 */
uint64_t keyless_event_next_attempt_ms(const keyless_event *event);

/**
 * How long there was no connection, in milliseconds, of a restored connection or a gap; 0 for other events.
 */
uint64_t keyless_event_outage_ms(const keyless_event *event);

/**
 * How many channels, patterns and shard channels had a gap; 0 for other events.
 */
size_t keyless_event_subscriptions(const keyless_event *event);

/**
 * Why it happened, of events that tell of a failure; NULL for others. Borrowed from the event.
 */
const keyless_error *keyless_event_error(const keyless_event *event);

/**
 * Sends log lines up to `level` (a `keyless_log_level`) to `callback`, in place of an earlier one. NULL or
 * `KEYLESS_LOG_OFF` ends it. Without a callback nothing is logged.
 *
 * One callback for the whole process. `destructor` (may be NULL) frees `user_data` when the callback is replaced and
 * its last call has ended. Fails with `KEYLESS_INVALID_ARGUMENT` for an unknown level; `user_data` is the caller's
 * then. Any thread, but not from the callback.
 */
keyless_status keyless_log_set(int level,
                               keyless_log_callback callback,
                               void *user_data,
                               keyless_destructor destructor,
                               keyless_error **error);

/**
 * The nodes of now, as the client knows them: nothing is sent. The caller frees `*nodes`. Any thread.
 */
keyless_status keyless_client_nodes(const keyless_client *client,
                                    keyless_nodes **nodes,
                                    keyless_error **error);

/**
 * How many there are. The functions below take an index from 0. 0 for NULL.
 */
size_t keyless_nodes_count(const keyless_nodes *nodes);

/**
 * `host:port` of a node, as it announces it, for `keyless_client_execute_on`. In UTF-8, not ended by a NUL; NULL if there
 * is none. Borrowed from the nodes.
 */
const char *keyless_nodes_endpoint(const keyless_nodes *nodes,
                                   size_t index,
                                   size_t *length);

/**
 * How many of a cluster's 16,384 slots a node serves; -1 where the server is no cluster, and if there is no such node.
 */
int64_t keyless_nodes_slots(const keyless_nodes *nodes,
                            size_t index);

/**
 * Whether a node had a signed-in connection. False if there is no such node.
 */
bool keyless_nodes_ready(const keyless_nodes *nodes,
                         size_t index);

/**
 * Frees nodes. NULL is fine.
 */
void keyless_nodes_free(keyless_nodes *nodes);

/**
 * The defaults for a cache, from its `host` or `host:port` alone, such as `mycache.westeurope.redis.azure.net`.
 *
 * Port, TLS and cloud follow from Azure's suffixes. The caller frees `*options`. Fails with
 * `KEYLESS_INVALID_ENDPOINT`. Any thread.
 */
keyless_status keyless_options_new(const char *endpoint,
                                   size_t endpoint_length,
                                   keyless_options **options,
                                   keyless_error **error);

/**
 * Reads a connection string as StackExchange.Redis takes it (`host:port,option=value,...`) or a URL
 * (`rediss://user:password@host:port/database`).
 *
 * The caller frees `*options`. Fails with `KEYLESS_INVALID_ENDPOINT` or `KEYLESS_INVALID_OPTION`; the error names
 * what cannot be read, and the nearest known option, and shows no secret. Any thread.
 */
keyless_status keyless_options_parse(const char *connection_string,
                                     size_t connection_string_length,
                                     keyless_options **options,
                                     keyless_error **error);

/**
 * Reads `REDIS_HOST`, `REDIS_PORT`, `REDIS_ACCESS_KEY` and the `AZURE_...` variables from the environment.
 *
 * With `REDIS_ACCESS_KEY` the access key signs in, otherwise Microsoft Entra ID. The caller frees `*options`. Fails
 * with `KEYLESS_INVALID_ENDPOINT` or `KEYLESS_INVALID_OPTION`, which name the variable. Any thread, but no other one
 * may change the environment meanwhile.
 */
keyless_status keyless_options_from_env(keyless_options **options,
                                        keyless_error **error);

/**
 * A copy, which the caller frees. NULL for NULL.
 */
keyless_options *keyless_options_clone(const keyless_options *options);

/**
 * Sets any option by its name, such as `connect_timeout`, from text in the option's unit.
 *
 * For programs that read their configuration from a file; `keyless_options_set_...` does the same with types. Fails
 * with `KEYLESS_INVALID_OPTION`, and nothing changes then.
 */
keyless_status keyless_options_set(keyless_options *options,
                                   const char *name,
                                   size_t name_length,
                                   const char *value,
                                   size_t value_length,
                                   keyless_error **error);

/**
 * Writes an option's value as text, in the option's unit, into `buffer`, ended by a NUL; secrets as `***`.
 *
 * `*length` gets the length of the whole value without the NUL, 0 if the option is not set; what does not fit into
 * `capacity` bytes is left out. `buffer` may be NULL if `capacity` is 0. Fails with `KEYLESS_INVALID_OPTION` for an
 * unknown name.
 */
keyless_status keyless_options_get(const keyless_options *options,
                                   const char *name,
                                   size_t name_length,
                                   char *buffer,
                                   size_t capacity,
                                   size_t *length,
                                   keyless_error **error);

/**
 * Writes the options as a connection string into `buffer`, ended by a NUL; secrets as `***`.
 *
 * `length`, `buffer` and `capacity` as in `keyless_options_get`.
 */
keyless_status keyless_options_print(const keyless_options *options,
                                     char *buffer,
                                     size_t capacity,
                                     size_t *length,
                                     keyless_error **error);

/**
 * What should be told to whoever wrote the options: the warning with this index, in UTF-8, not ended by a NUL. NULL
 * when there are no more.
 *
 * Borrowed until the options change. Options that have no effect are warned of, and names that are nearly Azure's.
 */
const char *keyless_options_warning(const keyless_options *options,
                                    size_t index,
                                    size_t *length);

/**
 * Frees options. NULL is fine.
 */
void keyless_options_free(keyless_options *options);

/**
 * The object id of the identity (`oid`), in UTF-8, not ended by a NUL; NULL and length 0 if the token has none.
 */
const char *keyless_claims_object_id(const keyless_claims *claims,
                                     size_t *length);

/**
 * The tenant (`tid`), in UTF-8, not ended by a NUL; NULL and length 0 if the token has none.
 */
const char *keyless_claims_tenant_id(const keyless_claims *claims,
                                     size_t *length);

/**
 * The application (`appid`, `azp`), in UTF-8, not ended by a NUL; NULL and length 0 if the token has none.
 */
const char *keyless_claims_application_id(const keyless_claims *claims,
                                          size_t *length);

/**
 * Whom the token is for (`aud`), in UTF-8, not ended by a NUL; NULL and length 0 if the token does not say.
 */
const char *keyless_claims_audience(const keyless_claims *claims,
                                    size_t *length);

/**
 * Chooses the Redis user that the token signs in. It is copied. Only in the callback that was given the claims.
 */
keyless_status keyless_claims_choose_user(keyless_claims *claims,
                                          const char *user,
                                          size_t user_length,
                                          keyless_error **error);

/**
 * Lets `callback` choose the Redis user of each token, in place of its object id and of the option `user_name`.
 *
 * `destructor` (may be NULL) frees `user_data` when neither these options nor anything made with them needs it any more.
 * On failure `user_data` is the caller's.
 */
keyless_status keyless_options_set_user_name_callback(keyless_options *options,
                                                      keyless_user_name_callback callback,
                                                      void *user_data,
                                                      keyless_destructor destructor,
                                                      keyless_error **error);

/**
 * Lets `callback`, asked every `every_ms` milliseconds, decide when a token is replaced, in place of the options
 * `refresh_ratio` and `refresh_jitter`. Should it never say yes, the token is replaced `refresh_margin` before its end.
 *
 * `destructor` and `user_data` as in `keyless_options_set_user_name_callback`.
 */
keyless_status keyless_options_set_should_refresh_callback(keyless_options *options,
                                                           uint64_t every_ms,
                                                           keyless_should_refresh_callback callback,
                                                           void *user_data,
                                                           keyless_destructor destructor,
                                                           keyless_error **error);

/**
 * Whether connections are encrypted. Default true; a Microsoft Entra sign-in needs it.
 */
keyless_status keyless_options_set_tls(keyless_options *options,
                                       bool tls,
                                       keyless_error **error);

/**
 * The name that the server's certificate must carry. Default: the endpoint's host.
 */
keyless_status keyless_options_set_tls_host(keyless_options *options,
                                            const char *tls_host,
                                            size_t tls_host_length,
                                            keyless_error **error);

/**
 * The oldest version of TLS that is accepted. Default `tls12`. Azure: 1.2 and 1.3 only.
 */
keyless_status keyless_options_set_tls_min_version(keyless_options *options,
                                                   const char *tls_min_version,
                                                   size_t tls_min_version_length,
                                                   keyless_error **error);

/**
 * Certificates in PEM of authorities that are trusted beside the platform's. Default none.
 */
keyless_status keyless_options_set_ca_certificates(keyless_options *options,
                                                   const char *ca_certificates,
                                                   size_t ca_certificates_length,
                                                   keyless_error **error);

/**
 * The path of a PEM file of authorities that are trusted beside the platform's. Default none. It is read
 * when a connection is made.
 */
keyless_status keyless_options_set_ca_file(keyless_options *options,
                                           const char *ca_file,
                                           size_t ca_file_length,
                                           keyless_error **error);

/**
 * The version of the Redis protocol. Default `resp3`; falls back when the server refuses `HELLO`.
 */
keyless_status keyless_options_set_protocol(keyless_options *options,
                                            const char *protocol,
                                            size_t protocol_length,
                                            keyless_error **error);

/**
 * The time from name resolution to the answer of `AUTH`, in milliseconds. Default 5 s (Azure's advice).
 */
keyless_status keyless_options_set_connect_timeout_ms(keyless_options *options,
                                                      uint64_t connect_timeout_ms,
                                                      keyless_error **error);

/**
 * How many attempts a first connection has, if `abort_on_connect_fail` is set; otherwise attempts never end.
 * Default 3.
 */
keyless_status keyless_options_set_connect_retry(keyless_options *options,
                                                 uint64_t connect_retry,
                                                 keyless_error **error);

/**
 * The time a command may take from the call to its reply, in milliseconds. Default 5 s. A connection
 * string's `syncTimeout` and `asyncTimeout` are both this; the smaller one counts.
 */
keyless_status keyless_options_set_command_timeout_ms(keyless_options *options,
                                                      uint64_t command_timeout_ms,
                                                      keyless_error **error);

/**
 * How long a connection may be idle before it is pinged, in seconds. Default 60 s; 0 switches it off. Azure
 * closes a connection after 10 idle minutes. Here in milliseconds.
 */
keyless_status keyless_options_set_keep_alive_ms(keyless_options *options,
                                                 uint64_t keep_alive_ms,
                                                 keyless_error **error);

/**
 * Whether TCP's own keep-alive is on. Default true.
 */
keyless_status keyless_options_set_tcp_keep_alive(keyless_options *options,
                                                  bool tcp_keep_alive,
                                                  keyless_error **error);

/**
 * The name that `CLIENT SETNAME` gives each connection. Default none.
 */
keyless_status keyless_options_set_client_name(keyless_options *options,
                                               const char *client_name,
                                               size_t client_name_length,
                                               keyless_error **error);

/**
 * The user of an access key or an ACL password. Default none: Redis' `default`. Not for a Microsoft Entra
 * sign-in, which has `user_name`.
 */
keyless_status keyless_options_set_user(keyless_options *options,
                                        const char *user,
                                        size_t user_length,
                                        keyless_error **error);

/**
 * The access key, or the password of `user`. Default none. Not together with a Microsoft Entra sign-in.
 */
keyless_status keyless_options_set_password(keyless_options *options,
                                            const char *password,
                                            size_t password_length,
                                            keyless_error **error);

/**
 * The number of the database. Default 0, the only one on a cluster and on Azure Managed Redis.
 */
keyless_status keyless_options_set_database(keyless_options *options,
                                            uint64_t database,
                                            keyless_error **error);

/**
 * What is put in front of every channel's name in publish and subscribe. Default none.
 */
keyless_status keyless_options_set_channel_prefix(keyless_options *options,
                                                  const char *channel_prefix,
                                                  size_t channel_prefix_length,
                                                  keyless_error **error);

/**
 * How often the map of a cluster is read again, in seconds. Default 60 s; 0: only after a redirection or a
 * cut. Here in milliseconds.
 */
keyless_status keyless_options_set_topology_refresh_interval_ms(keyless_options *options,
                                                                uint64_t topology_refresh_interval_ms,
                                                                keyless_error **error);

/**
 * Whether connections tell the library's name and version (`CLIENT SETINFO`). Default true.
 */
keyless_status keyless_options_set_set_client_info(keyless_options *options,
                                                   bool set_client_info,
                                                   keyless_error **error);

/**
 * Whether a failed first connection ends `connect` with an error, after `connect_retry` attempts. Default
 * false: attempts go on in the background.
 */
keyless_status keyless_options_set_abort_on_connect_fail(keyless_options *options,
                                                         bool abort_on_connect_fail,
                                                         keyless_error **error);

/**
 * What happens to commands while there is no connection: they wait (`queue`, the default) or fail at once
 * (`fail_fast`).
 */
keyless_status keyless_options_set_backlog(keyless_options *options,
                                           const char *backlog,
                                           size_t backlog_length,
                                           keyless_error **error);

/**
 * How many requests may wait or be under way for one node. Default 100,000.
 */
keyless_status keyless_options_set_backlog_limit(keyless_options *options,
                                                 uint64_t backlog_limit,
                                                 keyless_error **error);

/**
 * How many bytes of requests may wait or be under way for one node. Default 1 GiB.
 */
keyless_status keyless_options_set_backlog_limit_bytes(keyless_options *options,
                                                       uint64_t backlog_limit_bytes,
                                                       keyless_error **error);

/**
 * The shortest wait between two attempts to connect, in milliseconds; it grows up to
 * `reconnect_backoff_max`, with jitter. Default 100 ms.
 */
keyless_status keyless_options_set_reconnect_backoff_min_ms(keyless_options *options,
                                                            uint64_t reconnect_backoff_min_ms,
                                                            keyless_error **error);

/**
 * The longest wait between two attempts to connect, in milliseconds. Default 10 s.
 */
keyless_status keyless_options_set_reconnect_backoff_max_ms(keyless_options *options,
                                                            uint64_t reconnect_backoff_max_ms,
                                                            keyless_error **error);

/**
 * How many connections of one node are there for commands that wait (`BLPOP`, `XREAD BLOCK` ...), one each
 * at a time; they are made when needed and kept for a minute. Default 16; further calls wait for a free one.
 */
keyless_status keyless_options_set_blocking_connections(keyless_options *options,
                                                        uint64_t blocking_connections,
                                                        keyless_error **error);

/**
 * Which nodes of a cluster answer commands that only read: `primary` (default) or `replica`.
 */
keyless_status keyless_options_set_read_from(keyless_options *options,
                                             const char *read_from,
                                             size_t read_from_length,
                                             keyless_error **error);

/**
 * Whether the server is a cluster: `auto` (default: it is asked), `on` or `off`.
 */
keyless_status keyless_options_set_cluster(keyless_options *options,
                                           const char *cluster,
                                           size_t cluster_length,
                                           keyless_error **error);

/**
 * Commands that this client refuses to send. Default none. In a connection string also `$COMMAND=`.
 */
keyless_status keyless_options_set_disabled_commands(keyless_options *options,
                                                     const char *disabled_commands,
                                                     size_t disabled_commands_length,
                                                     keyless_error **error);

/**
 * An HTTP proxy for connections to the cache, `http:host:port` (method CONNECT). Default none.
 */
keyless_status keyless_options_set_tunnel(keyless_options *options,
                                          const char *tunnel,
                                          size_t tunnel_length,
                                          keyless_error **error);

/**
 * How many threads do the I/O of connections. Default 1; more pay off only with many nodes and free cores.
 */
keyless_status keyless_options_set_io_threads(keyless_options *options,
                                              uint64_t io_threads,
                                              keyless_error **error);

/**
 * The longest reply that is accepted, in bytes. Default 513 MiB: Redis' longest value (512 MiB) and room for
 * what is around it.
 */
keyless_status keyless_options_set_max_reply_bytes(keyless_options *options,
                                                   uint64_t max_reply_bytes,
                                                   keyless_error **error);

/**
 * How many bytes of replies are kept on this side for reads to come (client-side caching, RESP3). Default 0:
 * off. Needs `CLIENT TRACKING`; each node of a cluster has as much.
 */
keyless_status keyless_options_set_cache_size(keyless_options *options,
                                              uint64_t cache_size,
                                              keyless_error **error);

/**
 * How long a reply is kept at the most, in milliseconds, if nothing changes. Default 30 min.
 */
keyless_status keyless_options_set_cache_max_age_ms(keyless_options *options,
                                                    uint64_t cache_max_age_ms,
                                                    keyless_error **error);

/**
 * The scope of the tokens. Default: the cloud's, `https://redis.azure.com/.default`.
 */
keyless_status keyless_options_set_scope(keyless_options *options,
                                         const char *scope,
                                         size_t scope_length,
                                         keyless_error **error);

/**
 * The cloud that is signed in to. Default: the one that the endpoint's suffix tells, otherwise `public`.
 */
keyless_status keyless_options_set_cloud(keyless_options *options,
                                         const char *cloud,
                                         size_t cloud_length,
                                         keyless_error **error);

/**
 * Where Microsoft Entra ID is, an `https://` URL. Default: the cloud's. It goes before `cloud`.
 */
keyless_status keyless_options_set_authority_host(keyless_options *options,
                                                  const char *authority_host,
                                                  size_t authority_host_length,
                                                  keyless_error **error);

/**
 * The application, or the user-assigned managed identity, that signs in. Default none.
 */
keyless_status keyless_options_set_client_id(keyless_options *options,
                                             const char *client_id,
                                             size_t client_id_length,
                                             keyless_error **error);

/**
 * The tenant in which the application signs in. Default none.
 */
keyless_status keyless_options_set_tenant_id(keyless_options *options,
                                             const char *tenant_id,
                                             size_t tenant_id_length,
                                             keyless_error **error);

/**
 * What the default chain of credentials consists of: `prod`, `dev`, or one kind's name. Default: all kinds.
 */
keyless_status keyless_options_set_token_credentials(keyless_options *options,
                                                     const char *token_credentials,
                                                     size_t token_credentials_length,
                                                     keyless_error **error);

/**
 * Whether an access key is used only if no token can be had when a client connects. Default false: where
 * there is a key, it signs in.
 */
keyless_status keyless_options_set_access_key_fallback(keyless_options *options,
                                                       bool access_key_fallback,
                                                       keyless_error **error);

/**
 * The application's secret. Default none.
 */
keyless_status keyless_options_set_client_secret(keyless_options *options,
                                                 const char *client_secret,
                                                 size_t client_secret_length,
                                                 keyless_error **error);

/**
 * The Redis user name of a Microsoft Entra sign-in. Default: the token's `oid` claim.
 */
keyless_status keyless_options_set_user_name(keyless_options *options,
                                             const char *user_name,
                                             size_t user_name_length,
                                             keyless_error **error);

/**
 * The path of a PEM file of authorities that are trusted for the token endpoint beside the platform's.
 * Default none.
 */
keyless_status keyless_options_set_token_ca_file(keyless_options *options,
                                                 const char *token_ca_file,
                                                 size_t token_ca_file_length,
                                                 keyless_error **error);

/**
 * The part of a token's lifetime after which it is replaced. Default 0.75.
 */
keyless_status keyless_options_set_refresh_ratio(keyless_options *options,
                                                 double refresh_ratio,
                                                 keyless_error **error);

/**
 * The part of a token's lifetime by which a refresh may come earlier, at random. Default 0.1; less than
 * `refresh_ratio`.
 */
keyless_status keyless_options_set_refresh_jitter(keyless_options *options,
                                                  double refresh_jitter,
                                                  keyless_error **error);

/**
 * How long before a token's end it is replaced at the latest, in milliseconds, where its lifetime allows.
 * Default 5 min; Azure asks for at least 3.
 */
keyless_status keyless_options_set_refresh_margin_ms(keyless_options *options,
                                                     uint64_t refresh_margin_ms,
                                                     keyless_error **error);

/**
 * The shortest wait between two attempts to get a token, in milliseconds. Default 1 s.
 */
keyless_status keyless_options_set_refresh_retry_min_ms(keyless_options *options,
                                                        uint64_t refresh_retry_min_ms,
                                                        keyless_error **error);

/**
 * The longest wait between two attempts to get a token, in milliseconds. Default 30 s.
 */
keyless_status keyless_options_set_refresh_retry_max_ms(keyless_options *options,
                                                        uint64_t refresh_retry_max_ms,
                                                        keyless_error **error);

/**
 * The time the first attempt to get a token may take, in milliseconds; later ones get more. Default 10 s.
 */
keyless_status keyless_options_set_token_request_timeout_ms(keyless_options *options,
                                                            uint64_t token_request_timeout_ms,
                                                            keyless_error **error);

/**
 * Over how long the `AUTH` of live connections is spread after a refresh, in milliseconds. Default `auto`: a
 * small part of the old token's remaining life, at most 10 s. `UINT64_MAX` stands for `auto`.
 */
keyless_status keyless_options_set_reauth_stagger_ms(keyless_options *options,
                                                     uint64_t reauth_stagger_ms,
                                                     keyless_error **error);

/**
 * The shortest wait before a refused `AUTH` of a live connection is tried again, in milliseconds; it doubles
 * up to 30 s, and ends before the connection's own token does. Default 100 ms.
 */
keyless_status keyless_options_set_reauth_retry_min_ms(keyless_options *options,
                                                       uint64_t reauth_retry_min_ms,
                                                       keyless_error **error);

/**
 * The cache's `host` or `host:port`; more than one are tried in turn. In a connection string a part without
 * `=`.
 */
keyless_status keyless_options_add_endpoint(keyless_options *options,
                                            const char *endpoint,
                                            size_t endpoint_length,
                                            keyless_error **error);

/**
 * An empty pipeline: each of its commands succeeds or fails for itself. The caller frees it. Any thread.
 */
keyless_pipeline *keyless_pipeline_new(void);

/**
 * An empty transaction (`MULTI` ... `EXEC`): the server runs all of its commands with no other one in between, or
 * none. The caller frees it. Any thread.
 */
keyless_pipeline *keyless_pipeline_new_transaction(void);

/**
 * Adds a command: `argc` arguments, the first one its name. They are copied.
 *
 * `argvlen` gives the length of each argument in bytes; with NULL every argument ends with a NUL. Fails with
 * `KEYLESS_INVALID_COMMAND` if the command cannot be sent; the pipeline is as it was then.
 */
keyless_status keyless_pipeline_append(keyless_pipeline *pipeline,
                                       size_t argc,
                                       const char *const *argv,
                                       const size_t *argvlen,
                                       keyless_error **error);

/**
 * How many commands it holds; 0 for NULL.
 */
size_t keyless_pipeline_count(const keyless_pipeline *pipeline);

/**
 * Forgets all commands and keeps the memory.
 */
void keyless_pipeline_clear(keyless_pipeline *pipeline);

/**
 * Frees a pipeline. NULL is fine.
 */
void keyless_pipeline_free(keyless_pipeline *pipeline);

/**
 * What the reply is. `KEYLESS_REPLY_NIL` for NULL.
 */
keyless_reply_type keyless_reply_get_type(const keyless_reply *reply);

/**
 * The bytes of a string, status, verbatim string (without its format) or big number; NULL and length 0 for anything
 * else.
 *
 * `length` (may be NULL) gets how many. Redis' strings may hold any bytes, also NUL: the length counts, and no NUL is
 * added at the end. Borrowed from the reply.
 */
const char *keyless_reply_string(const keyless_reply *reply,
                                 size_t *length);

/**
 * The three letters of a verbatim string's format, `txt` or `mkd`, not ended by a NUL; NULL for anything else.
 *
 * Borrowed from the reply.
 */
const char *keyless_reply_verbatim_format(const keyless_reply *reply,
                                          size_t *length);

/**
 * Puts the number of an integer into `*value`. False, and `*value` is left alone, for anything else.
 */
bool keyless_reply_integer(const keyless_reply *reply,
                           int64_t *value);

/**
 * Puts the number of a double, which may be infinite or not a number, into `*value`. False, and `*value` is left
 * alone, for anything else.
 */
bool keyless_reply_double(const keyless_reply *reply,
                          double *value);

/**
 * Puts the value of a boolean into `*value`. False, and `*value` is left alone, for anything else.
 */
bool keyless_reply_boolean(const keyless_reply *reply,
                           bool *value);

/**
 * How many parts an array, set or push has, or pairs a map; 0 for anything else. Not the length of a string.
 */
size_t keyless_reply_count(const keyless_reply *reply);

/**
 * The part of an array, set or push with this index, from 0; NULL if there is none, and for a map.
 *
 * Borrowed from the whole reply.
 */
const keyless_reply *keyless_reply_child(const keyless_reply *reply,
                                         size_t index);

/**
 * Puts the key and the value of a map's pair with this index into `*key` and `*value`; either may be NULL.
 *
 * False, and nothing is put, if there is no such pair. RESP2 has no maps: there a map's keys and values stand in an
 * array in turn, which this reads too. Borrowed from the whole reply.
 */
bool keyless_reply_pair(const keyless_reply *reply,
                        size_t index,
                        const keyless_reply **key,
                        const keyless_reply **value);

/**
 * The error that a part of a pipeline's reply, or of another array, is; NULL for anything else. The caller frees it.
 *
 * A part whose command was never answered says why, and whether it may have been executed.
 */
keyless_error *keyless_reply_error(const keyless_reply *reply);

/**
 * The error of whoever wanted another type: `KEYLESS_UNEXPECTED_REPLY`, with what the reply is and `wanted`, such as
 * `a whole number`; of a part of type `KEYLESS_REPLY_ERROR` the same as `keyless_reply_error`. The caller frees it.
 *
 * For wrappers in other languages, so that all say the same. A reply of NULL stands for a part that does not exist.
 */
keyless_error *keyless_reply_unexpected(const keyless_reply *reply,
                                        const char *wanted,
                                        size_t wanted_length);

/**
 * A reply of its own from a borrowed one or a part, to keep it. Shares the memory of what was received. The caller
 * frees it. NULL for NULL.
 */
keyless_reply *keyless_reply_clone(const keyless_reply *reply);

/**
 * Frees a reply that the caller owns: one that came from a call or `keyless_reply_clone`, no part and none that is
 * borrowed. NULL is fine.
 */
void keyless_reply_free(keyless_reply *reply);

/**
 * A walk that has not begun. It asks for nothing yet.
 *
 * Only keys that match `pattern` (bytes, as for `MATCH`; length 0: all) and are of the type `key_type`, such as `string`
 * or `hash` (length 0: any). `count` is about how many keys the server looks at for a page (`COUNT`); with 0 it decides.
 * Both pointers may be NULL where their length is 0. The caller frees `*scan`, before or after the client. Any thread.
 */
keyless_status keyless_scan_new(const keyless_client *client,
                                const char *pattern,
                                size_t pattern_length,
                                const char *key_type,
                                size_t key_type_length,
                                uint32_t count,
                                keyless_scan **scan,
                                keyless_error **error);

/**
 * Waits for the next page: `*reply` gets an array of keys, which may be empty before the walk is over, and which the
 * caller frees; NULL with `KEYLESS_OK` when all keys have come.
 *
 * Fails as `keyless_client_execute`, within the option `command_timeout`. The next call asks for the same page again.
 */
keyless_status keyless_scan_next(keyless_scan *scan,
                                 keyless_reply **reply,
                                 keyless_error **error);

/**
 * Frees a walk, over or not. NULL is fine.
 */
void keyless_scan_free(keyless_scan *scan);

/**
 * Takes the figures of now; it costs a few microseconds. The caller frees `*stats`. Any thread.
 */
keyless_status keyless_client_stats(const keyless_client *client,
                                    keyless_stats **stats,
                                    keyless_error **error);

/**
 * Commands handed over so far; each command of a pipeline or transaction counts.
 */
uint64_t keyless_stats_commands(const keyless_stats *stats);

/**
 * Commands that ended in an error with this code (a `keyless_status`); 0 counts every error.
 */
uint64_t keyless_stats_errors(const keyless_stats *stats,
                              int code);

/**
 * Commands that wait to be written.
 */
size_t keyless_stats_queued(const keyless_stats *stats);

/**
 * Commands that were written and wait for their reply.
 */
size_t keyless_stats_in_flight(const keyless_stats *stats);

/**
 * Connections made, the first one included.
 */
uint64_t keyless_stats_connections(const keyless_stats *stats);

/**
 * Connections made after one was lost.
 */
uint64_t keyless_stats_reconnects(const keyless_stats *stats);

/**
 * Live connections signed in again.
 */
uint64_t keyless_stats_reauthentications(const keyless_stats *stats);

/**
 * Attempts to sign a live connection in again that failed.
 */
uint64_t keyless_stats_reauthentication_failures(const keyless_stats *stats);

/**
 * Tokens acquired, the first one included; 0 with an access key.
 */
uint64_t keyless_stats_token_refreshes(const keyless_stats *stats);

/**
 * Attempts to acquire a token that failed.
 */
uint64_t keyless_stats_token_refresh_failures(const keyless_stats *stats);

/**
 * How long ago the token in use was received, in milliseconds; -1 when there is none.
 */
int64_t keyless_stats_token_age_ms(const keyless_stats *stats);

/**
 * How long the token in use is still valid, in milliseconds, 0 when it has expired; -1 when there is none.
 */
int64_t keyless_stats_token_remaining_ms(const keyless_stats *stats);

/**
 * Reads that client-side caching answered.
 */
uint64_t keyless_stats_cache_hits(const keyless_stats *stats);

/**
 * Reads that client-side caching could have answered, and had not.
 */
uint64_t keyless_stats_cache_misses(const keyless_stats *stats);

/**
 * Replies that client-side caching holds.
 */
size_t keyless_stats_cache_entries(const keyless_stats *stats);

/**
 * Bytes that client-side caching holds.
 */
size_t keyless_stats_cache_bytes(const keyless_stats *stats);

/**
 * Messages that subscriptions lost by being slow.
 */
uint64_t keyless_stats_messages_dropped(const keyless_stats *stats);

/**
 * Events that no handler heard of because the queue was full.
 */
uint64_t keyless_stats_events_dropped(const keyless_stats *stats);

/**
 * How many commands the latency is about.
 */
uint64_t keyless_stats_latency_count(const keyless_stats *stats);

/**
 * The time, in microseconds, within which half of the commands were answered.
 */
uint64_t keyless_stats_latency_p50_us(const keyless_stats *stats);

/**
 * The time, in microseconds, within which 90 % of the commands were answered.
 */
uint64_t keyless_stats_latency_p90_us(const keyless_stats *stats);

/**
 * The time, in microseconds, within which 99 % of the commands were answered.
 */
uint64_t keyless_stats_latency_p99_us(const keyless_stats *stats);

/**
 * The time, in microseconds, within which 99.9 % of the commands were answered.
 */
uint64_t keyless_stats_latency_p99_9_us(const keyless_stats *stats);

/**
 * The longest time, in microseconds, that a command took to be answered.
 */
uint64_t keyless_stats_latency_max_us(const keyless_stats *stats);

/**
 * How many endpoints there are: one, or a cluster's nodes. The functions below take an index from 0.
 */
size_t keyless_stats_endpoint_count(const keyless_stats *stats);

/**
 * `host:port` of an endpoint, in UTF-8, not ended by a NUL; NULL if there is none. Borrowed from the figures.
 */
const char *keyless_stats_endpoint_name(const keyless_stats *stats,
                                        size_t index,
                                        size_t *length);

/**
 * Whether an endpoint had a signed-in connection.
 */
bool keyless_stats_endpoint_connected(const keyless_stats *stats,
                                      size_t index);

/**
 * Commands that waited to be written to an endpoint.
 */
size_t keyless_stats_endpoint_queued(const keyless_stats *stats,
                                     size_t index);

/**
 * Commands that waited for an endpoint's reply.
 */
size_t keyless_stats_endpoint_in_flight(const keyless_stats *stats,
                                        size_t index);

/**
 * How long ago an endpoint last sent anything, in milliseconds; -1 without a connection.
 */
int64_t keyless_stats_endpoint_last_reply_ms(const keyless_stats *stats,
                                             size_t index);

/**
 * Frees figures. NULL is fine.
 */
void keyless_stats_free(keyless_stats *stats);

/**
 * A subscription of a client, to nothing yet.
 *
 * `capacity` messages may wait (0: 10,000); `overflow`, a `keyless_overflow`, says what happens when there are more. The
 * caller frees `*subscription`, before or after the client.
 */
keyless_status keyless_subscription_new(const keyless_client *client,
                                        size_t capacity,
                                        int overflow,
                                        keyless_subscription **subscription,
                                        keyless_error **error);

/**
 * Subscribes to `count` names of a type (a `keyless_channel_type`) and waits for the server's confirmation.
 *
 * `lengths` gives the length of each name in bytes; with NULL every name ends with a NUL. Fails with
 * `KEYLESS_INVALID_COMMAND` for a name beyond 512 MiB, with the server's refusal (`KEYLESS_NO_PERMISSION` ...), with `KEYLESS_TIMEOUT` if no confirmation comes within the option
 * `command_timeout` (the subscription is made as soon as it can be), or with `KEYLESS_CLOSED`.
 */
keyless_status keyless_subscription_subscribe(const keyless_subscription *subscription,
                                              int channel_type,
                                              size_t count,
                                              const char *const *names,
                                              const size_t *lengths,
                                              keyless_error **error);

/**
 * Ends the subscription to `count` names of a type; see `keyless_subscription_subscribe`. Does not wait; messages that
 * wait already are still delivered.
 */
keyless_status keyless_subscription_unsubscribe(const keyless_subscription *subscription,
                                                int channel_type,
                                                size_t count,
                                                const char *const *names,
                                                const size_t *lengths,
                                                keyless_error **error);

/**
 * The next message, after up to `timeout_ms`; 0 does not wait. `*message` is NULL if none came in time; the caller frees
 * it.
 *
 * Fails with `KEYLESS_CLOSED` when the client was closed, and with `KEYLESS_BACKLOG_FULL` when the subscription was cut
 * off for being slow; what waited before comes first.
 */
keyless_status keyless_subscription_next(const keyless_subscription *subscription,
                                         uint64_t timeout_ms,
                                         keyless_message **message,
                                         keyless_error **error);

/**
 * The descriptor that is readable while messages may wait: for event loops. When it is, call
 * `keyless_subscription_next` with a time of 0 until there is no message.
 *
 * Do not read from it and do not close it. -1 as with `keyless_client_fd`.
 */
int keyless_subscription_fd(const keyless_subscription *subscription);

/**
 * Has `callback` called for each message from now on, those that wait already included. Once per subscription.
 *
 * `destructor` (may be NULL) frees `user_data` when the subscription was freed and the last call has ended. On failure
 * `user_data` is the caller's.
 */
keyless_status keyless_subscription_on_message(const keyless_subscription *subscription,
                                               keyless_message_callback callback,
                                               void *user_data,
                                               keyless_destructor destructor,
                                               keyless_error **error);

/**
 * How many messages this subscription has lost by being slow. 0 for NULL.
 */
uint64_t keyless_subscription_dropped(const keyless_subscription *subscription);

/**
 * Ends all of its subscriptions and frees it; when this returns its callback does not run any more, unless it is
 * called in a callback of keyless. NULL is fine.
 */
void keyless_subscription_free(keyless_subscription *subscription);

/**
 * What it is. `KEYLESS_MESSAGE` for NULL.
 */
keyless_message_type keyless_message_get_type(const keyless_message *delivery);

/**
 * What a published message was subscribed by. `KEYLESS_CHANNEL` for anything else.
 */
keyless_channel_type keyless_message_channel_type(const keyless_message *delivery);

/**
 * The channel that a message was published to. Not ended by a NUL; borrowed from the message. NULL and length 0 for
 * anything else.
 */
const char *keyless_message_channel(const keyless_message *delivery,
                                    size_t *length);

/**
 * The pattern that matched, of a pattern's subscription. Not ended by a NUL; borrowed from the message. NULL and length
 * 0 for anything else.
 */
const char *keyless_message_pattern(const keyless_message *delivery,
                                    size_t *length);

/**
 * What was published. Not ended by a NUL; borrowed from the message. NULL and length 0 for anything else.
 */
const char *keyless_message_payload(const keyless_message *delivery,
                                    size_t *length);

/**
 * How long there was no connection, in milliseconds, of a gap; 0 for anything else.
 */
uint64_t keyless_message_gap_ms(const keyless_message *delivery);

/**
 * How many messages were dropped, of a message of type `KEYLESS_MESSAGE_DROPPED`; 0 for anything else.
 */
uint64_t keyless_message_dropped(const keyless_message *delivery);

/**
 * Frees a message that the caller owns. NULL is fine.
 */
void keyless_message_free(keyless_message *delivery);

/**
 * A source of tokens.
 *
 * `options` (may be NULL: defaults) gives scope, user name and refresh figures; `credential` (may be NULL) who signs
 * in: without it what the options say, otherwise the default chain. Nothing is asked for yet. The caller frees
 * `*source`. Fails with `KEYLESS_INVALID_OPTION`. Any thread.
 */
keyless_status keyless_token_source_new(const keyless_options *options,
                                        const keyless_credential *credential,
                                        keyless_token_source **source,
                                        keyless_error **error);

/**
 * A token that has not expired and is not about to; at once while there is one, otherwise after up to `timeout_ms`.
 *
 * From the first call on the token is kept fresh in the background. The caller frees `*token`. Fails with why the last
 * attempt failed, or with `KEYLESS_TIMEOUT`. Not to be called in a callback of a credential.
 */
keyless_status keyless_token_source_get(const keyless_token_source *source,
                                        uint64_t timeout_ms,
                                        keyless_token **token,
                                        keyless_error **error);

/**
 * Calls `callback` for each new token from now on, and starts to keep the token fresh: to sign a client of another
 * kind in again before its token expires.
 *
 * `destructor` (may be NULL) frees `user_data` when the callback was removed and its last call has ended. `*id` (may be
 * NULL) gets what `keyless_token_source_remove_handler` takes. On failure `user_data` is the caller's.
 */
keyless_status keyless_token_source_subscribe(const keyless_token_source *source,
                                              keyless_token_callback callback,
                                              void *user_data,
                                              keyless_destructor destructor,
                                              uint64_t *id,
                                              keyless_error **error);

/**
 * Calls `callback` for the events of this source that are in `mask`; see `keyless_client_on_event`.
 */
keyless_status keyless_token_source_on_event(const keyless_token_source *source,
                                             uint32_t mask,
                                             keyless_event_callback callback,
                                             void *user_data,
                                             keyless_destructor destructor,
                                             uint64_t *id,
                                             keyless_error **error);

/**
 * Removes a handler or subscription by its id; false if there is none. Afterwards it is not called any more: a call
 * that runs has ended, unless that call is the caller.
 */
bool keyless_token_source_remove_handler(const keyless_token_source *source,
                                         uint64_t id);

/**
 * Says that a server refused the token of this generation (`WRONGPASS`): one fresh token is asked for. Says whether
 * that had an effect: any number of connections may report the same token.
 */
bool keyless_token_source_reject(const keyless_token_source *source,
                                 uint64_t generation);

/**
 * Frees a source. When this returns none of its callbacks runs any more, unless that is the caller. Clients that were
 * made with it go on; the refreshing ends with the last of them. NULL is fine.
 */
void keyless_token_source_free(keyless_token_source *source);

/**
 * The Redis user: the first argument of `AUTH`. UTF-8, not ended by a NUL. Borrowed from the token. NULL for NULL.
 */
const char *keyless_token_user(const keyless_token *token,
                               size_t *length);

/**
 * The access token itself: the second argument of `AUTH`. Not ended by a NUL. Borrowed from the token. A secret: keep
 * it out of logs. NULL for NULL.
 */
const char *keyless_token_secret(const keyless_token *token,
                                 size_t *length);

/**
 * When it expires, in milliseconds since 1970-01-01 UTC: the server closes connections that stand on it then. 0 for
 * NULL.
 */
int64_t keyless_token_expires_at_ms(const keyless_token *token);

/**
 * Counts the tokens of one source, from 1: two tokens of a source are the same if these are. 0 for NULL.
 */
uint64_t keyless_token_generation(const keyless_token *token);

/**
 * Frees a token that the caller owns. NULL is fine.
 */
void keyless_token_free(keyless_token *token);

/**
 * The version of the interface that the library in use has.
 *
 * Any thread. Equal to `KEYLESS_ABI_VERSION` unless header and library are of different versions.
 */
int keyless_abi_version(void);

/**
 * The version of the library in use, such as `0.1.0`. Belongs to the library; valid for ever. Any thread.
 */
const char *keyless_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KEYLESS_H */
