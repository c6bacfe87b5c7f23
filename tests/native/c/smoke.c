/* Connect, set, get, close. */
#include <keyless.h>
#include <stdio.h>

int main(void)
{
    keyless_error *error = NULL;
    keyless_options *options = NULL;
    keyless_client *client = NULL;
    keyless_reply *reply = NULL;
    const char *set[] = {"SET", "key", "value"};
    const char *get[] = {"GET", "key"};
    const char *text;
    size_t length;

    if (keyless_options_from_env(&options, &error) != KEYLESS_OK ||
        keyless_client_connect(options, NULL, &client, &error) != KEYLESS_OK ||
        keyless_client_execute(client, 3, set, NULL, 0, NULL, &error) != KEYLESS_OK ||
        keyless_client_execute(client, 2, get, NULL, 0, &reply, &error) != KEYLESS_OK) {
        fprintf(stderr, "%s\n", keyless_error_text(error));
        keyless_error_free(error);
        return 1;
    }
    text = keyless_reply_string(reply, &length);
    printf("%.*s\n", (int)length, text);
    keyless_reply_free(reply);
    keyless_client_free(client);
    keyless_options_free(options);
    return 0;
}
