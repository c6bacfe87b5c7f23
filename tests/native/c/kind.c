/*
 * Signs in by the kind of credential that is named, from the environment alone, and prints who that was.
 *
 * With arguments behind the kind, the credential gets them as options: name, value, name, value ...
 */
#include <keyless.h>
#include <stdio.h>

static int failed(keyless_error *error)
{
    printf("error: %s\n", keyless_error_text(error));
    keyless_error_free(error);
    return 1;
}

int main(int argc, char **argv)
{
    keyless_error *error = NULL;
    keyless_credential *credential = NULL;
    keyless_token_source *source = NULL;
    keyless_token *token = NULL;
    const char *user;
    size_t length;
    int i;

    if (argc < 2)
        return 2;
    if (keyless_credential_new(KEYLESS_TEXT(argv[1]), &credential, &error) != KEYLESS_OK)
        return failed(error);
    for (i = 2; i + 1 < argc; i += 2)
        if (keyless_credential_set(credential, KEYLESS_TEXT(argv[i]), KEYLESS_TEXT(argv[i + 1]), &error) != KEYLESS_OK)
            return failed(error);
    if (keyless_token_source_new(NULL, credential, &source, &error) != KEYLESS_OK ||
        keyless_token_source_get(source, 20000, &token, &error) != KEYLESS_OK)
        return failed(error);
    user = keyless_token_user(token, &length);
    printf("oid: %.*s\n", (int)length, user);
    keyless_token_free(token);
    keyless_token_source_free(source);
    keyless_credential_free(credential);
    return 0;
}
