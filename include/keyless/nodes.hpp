/**
 * @file
 * The nodes that serve keys.
 */

#ifndef KEYLESS_NODES_HPP
#define KEYLESS_NODES_HPP

#include "error.hpp"

#include <optional>
#include <string>
#include <vector>

namespace keyless {

/** A node that serves keys: a single server, or a primary of a cluster. */
struct Node {
    /** `host:port`, as it announces it; for Client::on(). */
    std::string endpoint;
    /** How many of a cluster's 16,384 slots it serves; nothing where the server is no cluster. */
    std::optional<std::size_t> slots;
    /** Whether it had a signed-in connection. */
    bool ready;
};

namespace detail {

/** The nodes that a client knows now. */
inline Result<std::vector<Node>> nodes_of(const keyless_client *client) {
    keyless_nodes *handle = nullptr;
    keyless_error *error = nullptr;
    keyless_client_nodes(client, &handle, &error);
    if (error != nullptr) {
        return Error(error);
    }
    const Owned<keyless_nodes, keyless_nodes_free> nodes(handle);
    std::vector<Node> all;
    for (std::size_t index = 0; index < keyless_nodes_count(handle); ++index) {
        std::size_t length = 0;
        const char *endpoint = keyless_nodes_endpoint(handle, index, &length);
        const std::int64_t slots = keyless_nodes_slots(handle, index);
        all.push_back({std::string(endpoint, length),
                       slots >= 0 ? std::optional(static_cast<std::size_t>(slots)) : std::nullopt,
                       keyless_nodes_ready(handle, index)});
    }
    return all;
}

} // namespace detail

} // namespace keyless

#endif
