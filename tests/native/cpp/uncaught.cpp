// A callback that throws, and nobody who hears of that: the process ends, and says what was thrown.

#include <keyless.hpp>

#include <stdexcept>

int main() {
    keyless::Client client(keyless::Options::from_env());
    client.async([](auto) { throw std::runtime_error("nobody catches this"); }).ping();
    // Waits for the callback, which is never over.
    client.close();
    std::promise<void>().get_future().wait();
}
