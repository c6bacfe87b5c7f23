//! Which commands wait on the server, and where each says how long. Knows nothing of connections.

use std::time::Duration;

/// How a command says how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A decimal number of seconds.
    Seconds,
    /// A whole number of milliseconds.
    Milliseconds,
}

/// What a command waits for, which decides what may be done when the wait is cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// An element, which is taken away or handed to a consumer: at most once.
    Element,
    /// Entries of streams, which are only read: may be asked for again.
    Entries,
    /// Replicas (`WAIT`) or disks (`WAITAOF`) that have the writes of this very connection.
    Acknowledgements,
}

/// The wait of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) what: For,
    /// Which argument says how long; the name is argument 0.
    pub(crate) at: usize,
    pub(crate) unit: Unit,
}

/// How long a command wants to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// 0 on the wire.
    Never,
    After(Duration),
    /// The server refuses it: that is its business.
    Unreadable,
}

/// The longest name in [`of`].
const LONGEST_NAME: usize = 10;

/// The wait of the command with this name and these arguments (behind the name), if it waits.
pub(crate) fn of<'a>(name: &[u8], mut args: impl Iterator<Item = &'a [u8]>) -> Option<Wait> {
    // Nearly every command ends here.
    if !matches!(name.first(), Some(b'b' | b'B' | b'x' | b'X' | b'w' | b'W')) || name.len() > LONGEST_NAME {
        return None;
    }
    let mut lower = [0u8; LONGEST_NAME];
    let lower = &mut lower[..name.len()];
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let (what, at, unit) = match &*lower {
        b"blpop" | b"brpop" | b"bzpopmin" | b"bzpopmax" | b"brpoplpush" | b"blmove" => {
            (For::Element, args.count(), Unit::Seconds)
        }
        b"blmpop" | b"bzmpop" => (For::Element, 1, Unit::Seconds),
        b"xread" => (For::Entries, block(args)?, Unit::Milliseconds),
        // A group and a consumer may have any name, also this one.
        b"xreadgroup" => (For::Element, block(args.by_ref().skip(3))? + 3, Unit::Milliseconds),
        b"wait" => (For::Acknowledgements, 2, Unit::Milliseconds),
        b"waitaof" => (For::Acknowledgements, 3, Unit::Milliseconds),
        _ => return None,
    };
    Some(Wait { what, at, unit })
}

/// The place of the number behind `BLOCK`, counting the command's name as 0. Names of streams are not looked at.
fn block<'a>(mut args: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
    let mut at = 0;
    loop {
        at += 1;
        let arg = args.next()?;
        if arg.eq_ignore_ascii_case(b"streams") {
            return None;
        }
        if arg.eq_ignore_ascii_case(b"block") {
            return Some(at + 1);
        }
    }
}

impl Unit {
    /// What an argument says.
    pub(crate) fn read(self, text: &[u8]) -> Limit {
        let Ok(text) = std::str::from_utf8(text) else { return Limit::Unreadable };
        let read = match self {
            Self::Seconds => {
                text.parse().ok().and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok())
            }
            Self::Milliseconds => text.parse().ok().map(Duration::from_millis),
        };
        match read {
            Some(Duration::ZERO) => Limit::Never,
            // Redis counts milliseconds, and rounds up so that nothing becomes "for ever".
            Some(time) => Limit::After(time.max(Duration::from_millis(1))),
            None => Limit::Unreadable,
        }
    }

    /// A time as the argument says it, in whole milliseconds, rounded up; never "for ever".
    pub(crate) fn write(self, time: Duration) -> String {
        let milliseconds = u64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(u64::MAX).max(1);
        match self {
            Self::Seconds => format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000),
            Self::Milliseconds => milliseconds.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wait(command: &str) -> Option<Wait> {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        of(args[0], args[1..].iter().copied())
    }

    /// The argument that says how long, and what it says.
    fn limit(command: &str) -> Option<(Limit, For)> {
        let wait = wait(command)?;
        Some((wait.unit.read(command.split(' ').nth(wait.at)?.as_bytes()), wait.what))
    }

    #[test]
    fn each_command_s_timeout_is_found_where_it_stands() {
        let seconds = |seconds| Limit::After(Duration::from_secs_f64(seconds));
        for (command, expected, what) in [
            ("BLPOP a b 1.5", seconds(1.5), For::Element),
            ("brpop a 0", Limit::Never, For::Element),
            ("BZPOPMIN a 0.25", seconds(0.25), For::Element),
            ("BZPOPMAX a 2", seconds(2.0), For::Element),
            ("BLMOVE a b LEFT RIGHT 3", seconds(3.0), For::Element),
            ("BRPOPLPUSH a b 4", seconds(4.0), For::Element),
            ("BLMPOP 5 2 a b LEFT COUNT 3", seconds(5.0), For::Element),
            ("BZMPOP 0.0 1 a MIN", Limit::Never, For::Element),
            ("XREAD COUNT 2 BLOCK 1500 STREAMS s $", seconds(1.5), For::Entries),
            ("XREADGROUP GROUP block block COUNT 1 NOACK block 0 STREAMS s >", Limit::Never, For::Element),
            ("WAIT 1 100", seconds(0.1), For::Acknowledgements),
            ("WAITAOF 1 0 7", seconds(0.007), For::Acknowledgements),
            ("BLPOP a 0.0001", seconds(0.001), For::Element),
            ("BLPOP a soon", Limit::Unreadable, For::Element),
            ("BLPOP a -1", Limit::Unreadable, For::Element),
            ("XREAD BLOCK 1.5 STREAMS s $", Limit::Unreadable, For::Entries),
        ] {
            assert_eq!(limit(command), Some((expected, what)), "{command}");
        }
    }

    #[test]
    fn what_does_not_wait_is_left_alone() {
        for command in [
            "XREAD STREAMS block 0",
            "XREADGROUP GROUP block block STREAMS s >",
            "LPOP blpop",
            "BITCOUNT k",
            "XADD s * block 1",
            "XREADGROUP GROUP g",
            "WATCH k",
        ] {
            assert_eq!(wait(command), None, "{command}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(milliseconds in 1u64..10_000_000_000) {
            let time = Duration::from_millis(milliseconds);
            for unit in [Unit::Seconds, Unit::Milliseconds] {
                let Limit::After(read) = unit.read(unit.write(time).as_bytes()) else { panic!("{time:?}") };
                prop_assert!(read.abs_diff(time) < Duration::from_micros(2), "{read:?} {time:?}");
            }
        }
    }
}
