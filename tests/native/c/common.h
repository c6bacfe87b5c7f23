/* What the tests in C share: calls that must succeed or fail, commands in one line, waiting for something to come true,
 * and the emulator's control endpoint. */
#ifndef COMMON_H
#define COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <keyless.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Long enough for a busy machine under valgrind. */
#define SOON_MS 30000

/* The arguments argc, argv and argvlen of a command of C strings. */
#define COMMAND(...) \
    sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *), (const char *[]){__VA_ARGS__}, NULL

/* Counters that callbacks on other threads change. */
#define ADD(counter, number) __atomic_add_fetch(&(counter), (number), __ATOMIC_SEQ_CST)
#define LOOK(counter) __atomic_load_n(&(counter), __ATOMIC_SEQ_CST)
#define SET(counter, number) __atomic_store_n(&(counter), (number), __ATOMIC_SEQ_CST)

/* Where the calls below put their error; of the thread that runs the tests. */
extern keyless_error *problem;

/* Fails the test unless the call, whose last argument is &problem, succeeds. */
#define OK(call) expect(KEYLESS_OK, (call), #call, __FILE__, __LINE__)
/* Fails the test unless the call fails with this status, in words. Its error stays in `problem` until the next one. */
#define FAILS(status, call) expect((status), (call), #call, __FILE__, __LINE__)
/* Fails the test unless the condition comes true soon. */
#define SOON(condition)                                                        \
    do {                                                                       \
        int64_t begun_ = now_ms();                                             \
        while (!(condition)) {                                                 \
            if (now_ms() - begun_ > SOON_MS) {                                 \
                fail_msg("in vain: %s", #condition);                           \
            }                                                                  \
            pause_ms(2);                                                       \
        }                                                                      \
    } while (0)

void expect(keyless_status wanted, keyless_status found, const char *call, const char *file, int line);

int64_t now_ms(void);
void pause_ms(long milliseconds);
/* KEYLESS_SOAK=1 asks for the long forms. */
bool soak(void);

/* What the environment says, with the emulator's authority trusted. */
keyless_options *options_here(void);
/* A client of the emulator that signs in with tokens. */
keyless_client *client_here(void);
/* A client of a server without TLS on a port of this machine, which takes any password. */
keyless_client *client_of(uint16_t port, const char *more);

/* Executes, and gives the reply, which must be one. */
keyless_reply *ask(const keyless_client *client, size_t argc, const char *const *argv, const size_t *argvlen);
/* Executes and checks that the reply is this status or string. */
void tell(const keyless_client *client, const char *answer, size_t argc, const char *const *argv,
          const size_t *argvlen);
/* Whether a view is this text. */
bool is_text(const char *view, size_t length, const char *text);
bool reply_is(const keyless_reply *reply, const char *text);

/* Asks the control endpoint; the answer's body is to be freed. The body may be NULL. */
char *control(const char *method, const char *path, const char *body);
/* A number in the emulator's counters, by its section and name. */
double counted(const char *section, const char *name);
/* Switches a fault. */
void fault(const char *body);
/* A signed token of the service principal, for so long; to be freed. */
char *issued_token(double lifetime_seconds);

/* Why a source has no token, as soon as an attempt has ended; the error stays in `problem`. */
keyless_status refusal(const keyless_token_source *source);

/* Bytes of memory in use, and open descriptors, of this process. */
long memory_kib(void);
int descriptors(void);

#endif
