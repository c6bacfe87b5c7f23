/* A server that answers commands with bytes that the test chose: for what a real one does not say. */
#ifndef PEER_H
#define PEER_H

#include "common.h"

/* The answer to a command by its name, which is matched without regard to case; more answers than one command needs may
 * stand in one text. NULL closes the connection. */
struct answer {
    const char *command;
    const char *bytes;
};

struct peer;

/* Starts a server with these answers, the last one with the command NULL. It knows the handshake by itself. */
struct peer *peer_start(const struct answer *answers);
uint16_t peer_port(const struct peer *peer);
void peer_stop(struct peer *peer);

#endif
