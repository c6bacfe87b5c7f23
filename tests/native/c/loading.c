/* The library loaded at run time, used, and unloaded: it stays, with its threads, and can be loaded again. */
#include <dlfcn.h>
#include <keyless.h>
#include <stdio.h>

#define FUNCTION(library, name) (*(void **)&name = dlsym((library), "keyless_" #name), name != NULL)

int main(int argc, char **argv)
{
    for (int round = 0; round < 20 && argc == 2; round++) {
        int (*abi_version)(void);
        keyless_status (*options_from_env)(keyless_options **, keyless_error **);
        void (*options_free)(keyless_options *);
        keyless_status (*client_connect)(const keyless_options *, const keyless_credential *, keyless_client **,
                                         keyless_error **);
        keyless_status (*client_execute)(const keyless_client *, size_t, const char *const *, const size_t *, uint64_t,
                                         keyless_reply **, keyless_error **);
        void (*client_free)(keyless_client *);
        const char *ping[] = {"PING"};
        keyless_options *options;
        keyless_client *client;
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL || !FUNCTION(library, abi_version) || !FUNCTION(library, options_from_env) ||
            !FUNCTION(library, options_free) || !FUNCTION(library, client_connect) ||
            !FUNCTION(library, client_execute) || !FUNCTION(library, client_free)) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        if (abi_version() != KEYLESS_ABI_VERSION || options_from_env(&options, NULL) != KEYLESS_OK ||
            client_connect(options, NULL, &client, NULL) != KEYLESS_OK ||
            client_execute(client, 1, ping, NULL, 0, NULL, NULL) != KEYLESS_OK) {
            return 2;
        }
        options_free(options);
        client_free(client);
        if (dlclose(library) != 0) {
            return 3;
        }
    }
    return argc == 2 ? 0 : 4;
}
