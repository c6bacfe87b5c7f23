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
