//! One waiting command as it was handed over, and as each slice of it goes over the wire.

use super::wait::{self, For, Limit, Wait};
use crate::connection::batch::{Batch, check_lengths};
use crate::connection::decode::decode;
use crate::error::Result;
use bytes::Bytes;
use redis::Value;
use std::time::Duration;

/// The replies of one call: one per command, as whole frames.
pub(crate) type Answers = Vec<Bytes>;

/// A command that waits.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What goes before it on the same connection: the writes that `WAIT` is about.
    pub(super) before: Batch,
    pub(super) args: Vec<Vec<u8>>,
    pub(super) wait: Wait,
    pub(super) limit: Limit,
}

impl Call {
    /// The call that this command is, if it waits.
    pub(crate) fn of(command: &redis::Cmd) -> Option<Self> {
        let args = || {
            command.args_iter().filter_map(|arg| match arg {
                redis::Arg::Simple(arg) => Some(arg),
                _ => None,
            })
        };
        let wait = wait::of(args().next()?, args().skip(1))?;
        Some(Self::new(wait, args().map(<[u8]>::to_vec).collect()))
    }

    /// The call that this name with these arguments is, if it waits.
    pub(crate) fn of_args<A: AsRef<[u8]>>(args: &[A]) -> Option<Self> {
        let wait = wait::of(args.first()?.as_ref(), args.iter().skip(1).map(AsRef::as_ref))?;
        Some(Self::new(wait, args.iter().map(|arg| arg.as_ref().to_vec()).collect()))
    }

    fn new(wait: Wait, args: Vec<Vec<u8>>) -> Self {
        let limit = args.get(wait.at).map_or(Limit::Unreadable, |text| wait.unit.read(text));
        Self { before: Batch::new(), args, wait, limit }
    }

    /// The command's name as it was given.
    pub(crate) fn name(&self) -> &[u8] {
        self.args.first().map_or(&[], |name| name)
    }

    /// The same with these commands before it, in one piece.
    pub(crate) fn after(mut self, before: Batch) -> Self {
        self.before = before;
        self
    }

    /// Whether it takes nothing out: it may be asked again.
    pub(crate) fn only_reads(&self) -> bool {
        self.wait.what == For::Entries
    }

    /// Whether it counts who has this connection's writes.
    pub(crate) fn acknowledges(&self) -> bool {
        self.wait.what == For::Acknowledgements
    }

    /// The same after some of its time has gone by.
    pub(crate) fn later(&self, spent: Duration) -> Self {
        let limit = match self.limit {
            // Zero would be for ever.
            Limit::After(time) => Limit::After(time.saturating_sub(spent).max(Duration::from_millis(1))),
            limit => limit,
        };
        Self { limit, ..self.clone() }
    }

    /// All of its commands, encoded.
    pub(crate) fn requests(&self) -> Batch {
        let mut batch = self.before.clone();
        batch.push_own(&self.args);
        batch
    }

    /// Refuses what can or may not be sent; see [`Batch::push`].
    pub(crate) fn check(&self, disabled: &[String]) -> Result<()> {
        check_lengths(self.args.iter().map(Vec::len))?;
        self.requests().check_disabled(disabled)
    }

    /// What is sent so that the server waits for `slice`.
    pub(super) fn encode(&self, slice: Duration, with_before: bool) -> Batch {
        let mut batch = Batch::new();
        if with_before {
            batch.bytes.extend_from_slice(&self.before.bytes);
            batch.ends.extend_from_slice(&self.before.ends);
        }
        if self.limit == Limit::Unreadable {
            batch.push_own(&self.args);
        } else {
            let slice = self.wait.unit.write(slice);
            let args: Vec<&[u8]> = self
                .args
                .iter()
                .enumerate()
                .map(|(at, arg)| if at == self.wait.at { slice.as_bytes() } else { arg })
                .collect();
            batch.push_own(&args);
        }
        batch
    }

    /// Whether the answer is that nothing came in time, so that the wait may go on.
    pub(super) fn is_unfulfilled(&self, answer: &[u8]) -> bool {
        match self.wait.what {
            For::Element | For::Entries => matches!(answer, b"_\r\n" | b"*-1\r\n" | b"$-1\r\n"),
            For::Acknowledgements => acknowledged(answer).is_some_and(|have| {
                let wanted = self.args[1..self.wait.at].iter().map(|arg| {
                    std::str::from_utf8(arg).ok().and_then(|text| text.parse().ok()).unwrap_or(i64::MIN)
                });
                have.into_iter().zip(wanted).any(|(have, wanted)| have < wanted)
            }),
        }
    }
}

/// How many acknowledged, as `WAIT` (one number) or `WAITAOF` (two) says.
fn acknowledged(answer: &[u8]) -> Option<Vec<i64>> {
    let number = |value: &Value| if let Value::Int(number) = value { Some(*number) } else { None };
    match decode(answer).ok()? {
        Value::Array(values) => values.iter().map(number).collect(),
        value => Some(vec![number(&value)?]),
    }
}

/// The better one of two answers to `WAIT`: who acknowledged once has the writes, also when it is gone later.
pub(super) fn better(before: Bytes, after: Bytes) -> Bytes {
    match (acknowledged(&before), acknowledged(&after)) {
        (Some(had), Some(has)) if had.iter().sum::<i64>() > has.iter().sum() => before,
        (Some(_), None) => before,
        _ => after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(command: &str) -> Call {
        let mut words = command.split(' ');
        let mut cmd = redis::cmd(words.next().unwrap());
        words.for_each(|word| _ = cmd.arg(word));
        Call::of(&cmd).unwrap()
    }

    fn text(batch: &Batch) -> String {
        String::from_utf8(batch.bytes.clone()).unwrap().replace("\r\n", " ")
    }

    #[test]
    fn only_the_timeout_is_rewritten() {
        let slice = Duration::from_millis(1500);
        let sent = call("BLPOP 0 0 0").encode(slice, true);
        assert_eq!(text(&sent), "*4 $5 BLPOP $1 0 $1 0 $5 1.500 ");
        let sent = call("XREAD BLOCK 0 STREAMS s $").encode(slice, true);
        assert_eq!(text(&sent), "*6 $5 XREAD $5 BLOCK $4 1500 $7 STREAMS $1 s $1 $ ");
        let sent = call("BLPOP k never").encode(slice, true);
        assert_eq!(text(&sent), "*3 $5 BLPOP $1 k $5 never ", "the server says what is wrong with it");
    }

    #[test]
    fn what_is_before_it_is_sent_once_and_in_one_piece() {
        let mut before = Batch::new();
        before.push(&["INCR", "k"]).unwrap();
        let call = call("WAIT 1 100").after(before);
        let first = call.encode(Duration::from_millis(100), true);
        assert_eq!((first.len(), text(&first)), (2, "*2 $4 INCR $1 k *3 $4 WAIT $1 1 $3 100 ".into()));
        assert_eq!(call.encode(Duration::from_millis(7), false).len(), 1);
    }

    #[test]
    fn an_unfulfilled_wait_is_told_from_an_answer() {
        for (command, answer, unfulfilled) in [
            ("BLPOP k 0", "_\r\n", true),
            ("BLPOP k 0", "*-1\r\n", true),
            ("BLMOVE a b LEFT LEFT 0", "$-1\r\n", true),
            ("BLMOVE a b LEFT LEFT 0", "$0\r\n\r\n", false),
            ("BLPOP k 0", "-WRONGTYPE x\r\n", false),
            ("WAIT 2 100", ":1\r\n", true),
            ("WAIT 2 100", ":2\r\n", false),
            ("WAIT 2 100", "-ERR x\r\n", false),
            ("WAITAOF 1 1 100", "*2\r\n:1\r\n:0\r\n", true),
            ("WAITAOF 1 0 100", "*2\r\n:1\r\n:0\r\n", false),
        ] {
            assert_eq!(call(command).is_unfulfilled(answer.as_bytes()), unfulfilled, "{command} {answer:?}");
        }
        let [one, two] = [":1\r\n", ":2\r\n"].map(Bytes::from);
        assert_eq!(better(two.clone(), one.clone()), two);
        assert_eq!(better(one, two.clone()), two);
    }
}
