//! What callers hand over: commands already encoded as RESP, and who is told of their replies. This is
//! the interface on which the C ABI and the bindings stand.

use super::command;
use super::frame::Scanner;
use crate::error::{Error, ErrorCode, Result};
use crate::reply::Reply;
use bytes::Bytes;
use std::task::Waker;

/// The longest argument that can be sent, in bytes: Redis' own limit (`proto-max-bulk-len`, 512 MiB).
pub const MAX_ARGUMENT_BYTES: usize = 512 << 20;

/// Encoded commands that are sent as one contiguous piece: nothing of another caller lands between them.
///
/// A batch may be filled again after it was submitted; its memory is kept.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// One past the last byte of each command.
    pub(crate) ends: Vec<usize>,
    /// All or nothing: the commands stand between a `MULTI` and an `EXEC`.
    pub(crate) atomic: bool,
    /// For the node it is handed to and for no other one.
    pub(crate) pinned: bool,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many commands it holds.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it holds no command.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets all commands and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.atomic = false;
        self.pinned = false;
    }

    /// The same commands as a transaction: a `MULTI` before them, an `EXEC` behind them.
    ///
    /// Replies are those of the wire: `OK`, one `QUEUED` per command, then the array of `EXEC`. A
    /// transaction whose `EXEC` never left is sent anew as a whole on the next connection; its sink then
    /// hears the replies from the first tag on again.
    pub fn into_transaction(self) -> Self {
        let mut whole = Self { atomic: true, ..Self::default() };
        whole.push_own(&["MULTI"]);
        let base = whole.bytes.len();
        whole.bytes.extend_from_slice(&self.bytes);
        whole.ends.extend(self.ends.iter().map(|end| base + end));
        whole.push_own(&["EXEC"]);
        whole
    }

    /// Adds a command given as its name and arguments.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidCommand`]: no name, a command that would break a shared connection, or an
    /// argument longer than [`MAX_ARGUMENT_BYTES`]. The batch is unchanged then.
    pub fn push<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<()> {
        let name = args.first().map_or(&b""[..], AsRef::as_ref);
        command::check(name, args.iter().skip(1).map(AsRef::as_ref))?;
        check_lengths(args.iter().map(|arg| arg.as_ref().len()))?;
        encode(&mut self.bytes, args);
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Adds a command of the redis crate.
    ///
    /// # Errors
    /// As [`Batch::push`].
    pub fn push_cmd(&mut self, cmd: &redis::Cmd) -> Result<()> {
        let cursor = || {
            cmd.args_iter().filter_map(|arg| if let redis::Arg::Simple(arg) = arg { Some(arg) } else { None })
        };
        command::check(cursor().next().unwrap_or_default(), cursor().skip(1))?;
        check_lengths(cursor().map(<[u8]>::len))?;
        cmd.write_packed_command(&mut self.bytes);
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Adds commands that are already encoded as RESP arrays of bulk strings, and says how many.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidCommand`] when the bytes are not whole RESP commands, and as [`Batch::push`].
    /// The batch is unchanged then.
    pub fn push_encoded(&mut self, bytes: &[u8]) -> Result<usize> {
        let (had_bytes, had_ends) = (self.bytes.len(), self.ends.len());
        let added = self.scan_encoded(bytes);
        if added.is_err() {
            self.bytes.truncate(had_bytes);
            self.ends.truncate(had_ends);
        }
        added
    }

    fn scan_encoded(&mut self, bytes: &[u8]) -> Result<usize> {
        let broken = || {
            Error::new(
                ErrorCode::InvalidCommand,
                "The bytes are not whole commands encoded as RESP arrays of bulk strings.",
                "Encode each command as *<count>, then $<length> and bytes for each argument.",
            )
        };
        let base = self.bytes.len();
        let (mut start, mut count) = (0, 0);
        let mut scanner = Scanner::new(usize::MAX / 4);
        while start < bytes.len() {
            let frame = scanner.scan(&bytes[start..]).map_err(|_| broken())?.ok_or_else(broken)?;
            let args = arguments(&bytes[start..start + frame.end]).ok_or_else(broken)?;
            command::check(args.first().copied().unwrap_or_default(), args.iter().skip(1).copied())?;
            check_lengths(args.iter().map(|arg| arg.len()))?;
            start += frame.end;
            count += 1;
            self.ends.push(base + start);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(count)
    }

    /// Refuses the batch if it holds one of these commands (upper case).
    pub(crate) fn check_disabled(&self, disabled: &[String]) -> Result<()> {
        let mut start = 0;
        for &end in &self.ends {
            let name = command::name(&self.bytes[start..end]).unwrap_or_default();
            if let Some(name) =
                disabled.iter().find(|disabled| disabled.as_bytes().eq_ignore_ascii_case(name))
            {
                return Err(Error::new(
                    ErrorCode::InvalidCommand,
                    format!("{name} is disabled on this client."),
                    "It is named by the option disabled_commands, or by $COMMAND= in the connection string.",
                ));
            }
            start = end;
        }
        Ok(())
    }

    /// Adds a command without any check: for keyless' own requests.
    pub(crate) fn push_own<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        encode(&mut self.bytes, args);
        self.ends.push(self.bytes.len());
    }
}

pub(crate) fn check_lengths(lengths: impl Iterator<Item = usize>) -> Result<()> {
    for length in lengths {
        if length > MAX_ARGUMENT_BYTES {
            return Err(Error::new(
                ErrorCode::InvalidCommand,
                format!("An argument has {length} bytes; Redis takes {MAX_ARGUMENT_BYTES} at the most."),
                "Split the value, or shorten the name.",
            ));
        }
    }
    Ok(())
}

/// The arguments of one encoded command; `None` when it is not an array of bulk strings.
fn arguments(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    fn number(bytes: &[u8], kind: u8) -> Option<(usize, &[u8])> {
        let end = memchr::memchr(b'\r', bytes)?;
        let digits = std::str::from_utf8(bytes.strip_prefix(&[kind])?.get(..end - 1)?).ok()?;
        Some((digits.parse().ok()?, bytes.get(end + 2..)?))
    }
    let (count, rest) = number(bytes, b'*')?;
    bytes = rest;
    let mut args = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let (length, rest) = number(bytes, b'$')?;
        args.push(rest.get(..length)?);
        bytes = rest.get(length + 2..)?;
    }
    bytes.is_empty().then_some(args)
}

fn encode<A: AsRef<[u8]>>(out: &mut Vec<u8>, args: &[A]) {
    let payload: usize = args.iter().map(|arg| arg.as_ref().len() + 16).sum();
    out.reserve(payload + 16);
    header(out, b'*', args.len());
    for arg in args {
        let arg = arg.as_ref();
        header(out, b'$', arg.len());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

fn header(out: &mut Vec<u8>, kind: u8, number: usize) {
    let mut digits = itoa::Buffer::new();
    out.push(kind);
    out.extend_from_slice(digits.format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Whole reply frames, in order, as slices of the buffer they were read into.
#[derive(Clone, Copy, Debug)]
pub struct Replies<'a> {
    pub(crate) block: &'a Bytes,
    pub(crate) start: usize,
    pub(crate) ends: &'a [usize],
}

impl<'a> Replies<'a> {
    /// How many replies.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all replies, back to back, sharing the read buffer's memory.
    pub fn bytes(&self) -> Bytes {
        self.block.slice(self.start..self.ends.last().copied().unwrap_or(self.start))
    }

    /// The bytes of the reply with this index, sharing the read buffer's memory.
    ///
    /// # Panics
    /// If there are not that many replies.
    pub fn get(&self, index: usize) -> Bytes {
        let start = if index == 0 { self.start } else { self.ends[index - 1] };
        self.block.slice(start..self.ends[index])
    }

    /// The reply with this index, to be looked at; shares the read buffer's memory.
    ///
    /// # Panics
    /// If there are not that many replies.
    pub fn reply(&self, index: usize) -> Reply {
        Reply::scanned(self.get(index))
    }

    /// Each reply's bytes, borrowed.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (block, mut start) = (self.block, self.start);
        self.ends.iter().map(move |&end| {
            let reply = &block[start..end];
            start = end;
            reply
        })
    }
}

/// Who is told what became of submitted commands.
///
/// Every command ends in exactly one call: `complete` with its reply (an error reply of the server is a
/// reply) or `fail`. Replies of one submission come in order; on a cluster those of one node do. The calls come from keyless' I/O thread,
/// with locks held: they store what they are given and return; they must not block, panic or call back
/// into keyless. Whoever waits is woken through the returned waker, once per batch of replies and
/// without any lock: consecutive equal wakers are called once.
pub trait CompletionSink: Send + Sync + 'static {
    /// The replies to the commands tagged `first_tag`, `first_tag + 1`, ...
    fn complete(&self, first_tag: u64, replies: Replies<'_>) -> Option<Waker>;

    /// The commands tagged `first_tag` up to `first_tag + count - 1` get no reply any more.
    fn fail(&self, first_tag: u64, count: usize, error: &Error) -> Option<Waker>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_ways_to_say_a_command_give_the_same_bytes() {
        let (mut by_args, mut by_cmd, mut encoded) = (Batch::new(), Batch::new(), Batch::new());
        by_args.push(&["SET", "key", "a value"]).unwrap();
        by_cmd.push_cmd(redis::cmd("SET").arg("key").arg("a value")).unwrap();
        assert_eq!(encoded.push_encoded(&by_args.bytes).unwrap(), 1);
        assert_eq!(by_args.bytes, by_cmd.bytes);
        assert_eq!(by_args.bytes, encoded.bytes);
        assert_eq!(by_args.ends, encoded.ends);
    }

    #[test]
    fn a_bad_command_leaves_the_batch_as_it_was() {
        let mut batch = Batch::new();
        batch.push(&["GET", "k"]).unwrap();
        let before = batch.bytes.clone();
        assert!(batch.push(&["MULTI"]).is_err());
        assert!(batch.push::<&str>(&[]).is_err());
        assert!(batch.push_encoded(b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nEXEC\r\n").is_err());
        assert!(batch.push_encoded(b"*1\r\n:1\r\n").is_err());
        assert!(batch.push_encoded(b"*2\r\n$4\r\nPING\r\n").is_err());
        assert!(batch.push_encoded(b"PING\r\n").is_err());
        assert_eq!(batch.bytes, before);
        assert_eq!(batch.len(), 1);
    }

    proptest! {
        #[test]
        fn any_encoded_commands_are_split_as_they_were_pushed(
            commands in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..4), 0..6),
        ) {
            let (mut one_by_one, mut at_once) = (Batch::new(), Batch::new());
            for args in &commands {
                let args = [&[b"x.command".to_vec()][..], args].concat();
                one_by_one.push(&args).unwrap();
            }
            at_once.push_encoded(&one_by_one.bytes).unwrap();
            prop_assert_eq!(one_by_one.ends, at_once.ends);
        }

        #[test]
        fn garbage_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Batch::new().push_encoded(&bytes);
        }
    }
}
