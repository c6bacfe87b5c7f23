//! What keyless must know of a command by its name: which ones would break a connection that many
//! callers share, and which ones only read. Knows nothing of connections.

use super::blocking::wait::{self, For};
use crate::error::{Error, ErrorCode, Result};

/// Refuses commands that would break a shared connection, before anything is sent.
///
/// `args` yields the arguments behind the name.
///
/// # Errors
/// [`ErrorCode::InvalidCommand`], with the call to use instead as its advice.
pub(crate) fn check<'a>(name: &[u8], mut args: impl Iterator<Item = &'a [u8]>) -> Result<()> {
    if let Some(found) = wait::of(name, args.by_ref()) {
        return Err(would_wait(name, found.what));
    }
    let mut lower = [0u8; 12];
    let lower = match name.len() {
        0 => {
            return Err(Error::new(
                ErrorCode::InvalidCommand,
                "A command without a name.",
                "Give the command's name as the first argument.",
            ));
        }
        length if length > lower.len() => return Ok(()),
        length => {
            lower[..length].copy_from_slice(name);
            lower[..length].make_ascii_lowercase();
            &lower[..length]
        }
    };
    let (what, advice) = match lower {
        b"multi" | b"exec" | b"discard" => (
            "commands of other callers could land inside a transaction that is built by hand",
            "Use a transaction (Pipeline::transaction): it is sent as one piece.",
        ),
        b"watch" | b"unwatch" => (
            "it would guard the commands of all other callers too",
            "Use a script (EVAL) to check and set in one step.",
        ),
        b"subscribe" | b"unsubscribe" | b"psubscribe" | b"punsubscribe" | b"ssubscribe" | b"sunsubscribe" => {
            (
                "its messages answer no request",
                "Use Client::subscriber: its subscriptions outlive tokens and connections.",
            )
        }
        b"auth" | b"hello" => {
            ("keyless signs in by itself", "Give the credential when the client is created.")
        }
        b"select" => ("it would move all other callers to another database", "Set the option `database`."),
        b"quit" | b"reset" => ("it would end the connection of all other callers", "Use Client::close."),
        b"monitor" | b"sync" | b"psync" => {
            ("the server would stop answering commands on it", "Use redis-cli for it.")
        }
        b"client" if args.next().is_some_and(|arg| arg.eq_ignore_ascii_case(b"reply")) => {
            ("replies are what requests are matched by", "Leave replies on; ignore those you do not need.")
        }
        _ => return Ok(()),
    };
    Err(refusal(name, what, advice))
}

fn refusal(name: &[u8], what: &str, advice: &'static str) -> Error {
    Error::new(
        ErrorCode::InvalidCommand,
        format!(
            "{} is not possible on a shared connection: {what}.",
            String::from_utf8_lossy(name).to_ascii_uppercase()
        ),
        advice,
    )
}

/// The error of a command that waits, where it cannot.
pub(crate) fn would_wait(name: &[u8], what: For) -> Error {
    match what {
        For::Acknowledgements => refusal(
            name,
            "it counts who has the writes of its own connection, and every other command would wait behind it",
            "Add it to the pipeline that writes, as the last command (no transaction): both then have a connection of their own.",
        ),
        For::Element | For::Entries => refusal(
            name,
            "every other command would wait behind it",
            "Give it to Client::execute by itself: it then waits on a connection of its own.",
        ),
    }
}

/// Whether running the encoded request twice does no harm: all of its commands only read.
///
/// A name that is not in the list counts as writing.
pub(crate) fn only_reads(request: &[u8]) -> bool {
    let Some(name) = name(request) else { return false };
    let mut lower = [0u8; 24];
    if name.len() > lower.len() {
        return false;
    }
    lower[..name.len()].copy_from_slice(name);
    lower[..name.len()].make_ascii_lowercase();
    std::str::from_utf8(&lower[..name.len()]).is_ok_and(|name| READ_ONLY.binary_search(&name).is_ok())
}

/// The name of an encoded command.
pub(crate) fn name(request: &[u8]) -> Option<&[u8]> {
    let rest = &request[memchr::memchr(b'\n', request)? + 1..];
    let rest = &rest[memchr::memchr(b'\n', rest)? + 1..];
    Some(&rest[..memchr::memchr(b'\r', rest)?])
}

/// The commands that Redis itself flags `readonly` or `fast` without any effect on data, connection or
/// position (Redis 7.4, `COMMAND`; without those of a connection's own state). Sorted.
const READ_ONLY: &[&str] = &[
    "bitcount",
    "bitfield_ro",
    "bitpos",
    "dbsize",
    "dump",
    "echo",
    "eval_ro",
    "evalsha_ro",
    "exists",
    "expiretime",
    "fcall_ro",
    "geodist",
    "geohash",
    "geopos",
    "georadius_ro",
    "georadiusbymember_ro",
    "geosearch",
    "get",
    "getbit",
    "getrange",
    "hexists",
    "hexpiretime",
    "hget",
    "hgetall",
    "hkeys",
    "hlen",
    "hmget",
    "hpexpiretime",
    "hpttl",
    "hrandfield",
    "hscan",
    "hstrlen",
    "httl",
    "hvals",
    "info",
    "keys",
    "lastsave",
    "lcs",
    "lindex",
    "llen",
    "lolwut",
    "lpos",
    "lrange",
    "mget",
    "object",
    "pexpiretime",
    "pfcount",
    "ping",
    "pttl",
    "randomkey",
    "role",
    "scan",
    "scard",
    "sdiff",
    "sinter",
    "sintercard",
    "sismember",
    "smembers",
    "smismember",
    "sort_ro",
    "srandmember",
    "sscan",
    "strlen",
    "substr",
    "sunion",
    "time",
    "touch",
    "ttl",
    "type",
    "xinfo",
    "xlen",
    "xpending",
    "xrange",
    "xread",
    "xrevrange",
    "zcard",
    "zcount",
    "zdiff",
    "zinter",
    "zintercard",
    "zlexcount",
    "zmscore",
    "zrandmember",
    "zrange",
    "zrangebylex",
    "zrangebyscore",
    "zrank",
    "zrevrange",
    "zrevrangebylex",
    "zrevrangebyscore",
    "zrevrank",
    "zscan",
    "zscore",
    "zunion",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(args: &[&str]) -> Result<()> {
        check(args[0].as_bytes(), args[1..].iter().map(|arg| arg.as_bytes()))
    }

    #[test]
    fn what_would_break_a_shared_connection_is_refused_with_the_call_to_use() {
        let error = checked(&["MULTI"]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidCommand);
        assert!(error.advice().contains("transaction"), "{error}");
        for args in [
            &["subscribe", "a"][..],
            &["XREAD", "BLOCK", "0", "STREAMS", "s", "$"],
            &["Client", "reply", "off"],
            &["auth", "x"],
            &[""],
        ] {
            assert!(checked(args).is_err(), "{args:?}");
        }
        for args in [
            &["GET", "multi"][..],
            &["XREAD", "STREAMS", "block", "0"],
            &["CLIENT", "ID"],
            &["A.VERY.LONG.COMMAND.NAME"],
        ] {
            assert!(checked(args).is_ok(), "{args:?}");
        }
    }

    #[test]
    fn the_list_of_reading_commands_is_sorted_and_found() {
        assert!(READ_ONLY.is_sorted());
        assert!(only_reads(b"*2\r\n$3\r\nGet\r\n$1\r\nk\r\n"));
        assert!(!only_reads(b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n"));
        assert!(!only_reads(b"*1\r\n$5\r\nMULTI\r\n"));
    }
}
