// Signs in by the kind of credential that is named, from the environment alone, and prints who that was. With arguments
// behind the kind, the credential gets them as options: name, value, name, value ...
#include <keyless.hpp>

#include <iostream>

int main(int argc, char **argv) try {
    keyless::Credential credential(argv[1]);
    for (int i = 2; i + 1 < argc; i += 2) {
        credential.set(argv[i], argv[i + 1]);
    }
    const keyless::Token token = keyless::TokenSource(credential).token(std::chrono::seconds(20));
    std::cout << "oid: " << token.user() << '\n';
    return 0;
} catch (const keyless::Error &error) {
    std::cout << "error: " << error.what() << '\n';
    return 1;
}
