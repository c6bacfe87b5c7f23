//! Which commands would break a connection that many callers share, and what to use instead.

use crate::connection::blocking::wait::{self, For};
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
        b"client" => match args.next() {
            Some(word) if word.eq_ignore_ascii_case(b"reply") => (
                "replies are what requests are matched by",
                "Leave replies on; ignore those you do not need.",
            ),
            Some(word) if word.eq_ignore_ascii_case(b"tracking") || word.eq_ignore_ascii_case(b"caching") => {
                (
                    "it would be switched for all other callers",
                    "Set the option cache_size for client-side caching.",
                )
            }
            _ => return Ok(()),
        },
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
            &["CLIENT", "TRACKING", "OFF"],
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
}
