//! Finds sign-ins, and commands that somebody else looks for, in a client's byte stream, whatever pieces it arrives
//! in. Everything else passes untouched, in spans as long as they come; nothing here judges what it finds.

use memchr::memchr;

/// A client's bytes, understood just far enough.
#[derive(Debug)]
pub struct Scanner {
    /// The commands to find, upper case.
    names: Vec<&'static str>,
    /// A bit for each length that one of the names has: most commands are told from them by that alone.
    lengths: u32,
    state: State,
    /// The beginning of something that has to be whole before it can be judged.
    held: Vec<u8>,
    commands: u64,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    /// Between commands.
    #[default]
    Start,
    /// Inside a command that passes: so many arguments are still to come.
    Arguments(u64),
    /// Inside an argument that passes: so many bytes of it, then so many arguments.
    Argument(u64, u64),
    /// After bytes that are not RESP: the server closes such a connection, so all of it is for the server.
    Lost,
}

/// A command with its arguments.
pub type Command<'a> = &'a [&'a [u8]];

// A token is a few kilobytes; whatever is longer is none of the commands to find.
const LONGEST_COMMAND: usize = 128 * 1024;

enum Step {
    /// So many bytes pass, and then this state.
    Pass(usize, State),
    /// A whole command of so many bytes that was looked for.
    Found(usize),
    /// More bytes are needed.
    Hold,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::looking_for(&[])
    }
}

impl Scanner {
    /// Finds `AUTH`, `HELLO` and these, upper case here and of either case in the stream.
    pub fn looking_for(names: &[&'static str]) -> Self {
        let names = [&["AUTH", "HELLO"], names].concat();
        let lengths = names.iter().fold(0, |lengths, name| lengths | 1 << name.len().min(31));
        Self { names, lengths, state: State::default(), held: Vec::new(), commands: 0 }
    }

    /// Commands begun since the last call.
    pub fn take_commands(&mut self) -> u64 {
        std::mem::take(&mut self.commands)
    }

    /// Takes the next piece of the stream and appends what goes to the server to `out`. A command that is looked
    /// for is given to `rewrite`, which appends what goes in its place, or returns `false` to let it pass.
    pub fn feed(
        &mut self,
        piece: &[u8],
        out: &mut Vec<u8>,
        mut rewrite: impl FnMut(Command<'_>, &mut Vec<u8>) -> bool,
    ) {
        if self.held.is_empty() {
            let used = self.scan(piece, out, &mut rewrite);
            self.held.extend_from_slice(&piece[used..]);
        } else {
            let mut buffer = std::mem::take(&mut self.held);
            buffer.extend_from_slice(piece);
            let used = self.scan(&buffer, out, &mut rewrite);
            buffer.drain(..used);
            self.held = buffer;
        }
    }

    /// Works through the bytes and returns how many of them are dealt with.
    fn scan(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        rewrite: &mut impl FnMut(Command<'_>, &mut Vec<u8>) -> bool,
    ) -> usize {
        let (mut passed, mut at) = (0, 0);
        while at < bytes.len() {
            let begins = matches!(self.state, State::Start);
            match self.step(&bytes[at..]) {
                Step::Pass(length, state) => {
                    // An argument cut short goes on as the same one; a command is counted where it begins.
                    self.commands += u64::from(begins);
                    at += length;
                    self.state = state;
                }
                Step::Found(length) => {
                    self.commands += 1;
                    out.extend_from_slice(&bytes[passed..at]);
                    let command = &bytes[at..at + length];
                    if !with_arguments(command, |arguments| rewrite(arguments, out)) {
                        out.extend_from_slice(command);
                    }
                    at += length;
                    passed = at;
                }
                Step::Hold => break,
            }
        }
        out.extend_from_slice(&bytes[passed..at]);
        at
    }

    fn step(&self, bytes: &[u8]) -> Step {
        match self.state {
            State::Start if bytes[0] == b'*' => self.command(bytes),
            State::Start => self.inline(bytes),
            State::Arguments(left) => match header(bytes, b'$') {
                Header::Whole(length, used) => Step::Pass(used, after_header(length, left)),
                Header::Partial => Step::Hold,
                Header::Broken => Step::Pass(0, State::Lost),
            },
            State::Argument(rest, left) => {
                let length = rest.min(bytes.len() as u64);
                let state = match (rest - length, left) {
                    (0, 0) => State::Start,
                    (0, left) => State::Arguments(left),
                    (rest, left) => State::Argument(rest, left),
                };
                Step::Pass(usize::try_from(length).unwrap_or(bytes.len()), state)
            }
            State::Lost => Step::Pass(bytes.len(), State::Lost),
        }
    }

    /// The beginning of a RESP command.
    fn command(&self, bytes: &[u8]) -> Step {
        let (count, start) = match header(bytes, b'*') {
            Header::Whole(count, used) => (u64::try_from(count).unwrap_or(0), used),
            Header::Partial => return Step::Hold,
            Header::Broken => return Step::Pass(0, State::Lost),
        };
        if count == 0 {
            return Step::Pass(start, State::Start);
        }
        let (length, name) = match header(&bytes[start..], b'$') {
            Header::Whole(length, used) => (length, start + used),
            Header::Partial => return Step::Hold,
            Header::Broken => return Step::Pass(start, State::Lost),
        };
        if !self.may_be(length, &bytes[name..]) {
            return Step::Pass(name, after_header(length, count));
        }
        match whole_command(bytes, start, count) {
            Header::Whole(_, end) => Step::Found(end),
            Header::Partial if bytes.len() < LONGEST_COMMAND => Step::Hold,
            _ => Step::Pass(name, after_header(length, count)),
        }
    }

    /// Whether a name of this length, of which this is the beginning and what follows, can be one to find.
    fn may_be(&self, length: i64, bytes: &[u8]) -> bool {
        let Ok(length) = usize::try_from(length) else { return false };
        if length >= 31 || self.lengths & 1 << length == 0 {
            return false;
        }
        let seen = &bytes[..bytes.len().min(length)];
        let mut candidates = self.names.iter().filter(|name| name.len() == length);
        candidates.any(|name| seen.eq_ignore_ascii_case(&name.as_bytes()[..seen.len()]))
    }

    /// A line typed by hand.
    fn inline(&self, bytes: &[u8]) -> Step {
        match memchr(b'\n', bytes) {
            Some(end) => {
                let name = bytes[..=end].split(u8::is_ascii_whitespace).find(|word| !word.is_empty());
                if name.is_some_and(|name| {
                    self.names.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
                }) {
                    Step::Found(end + 1)
                } else {
                    Step::Pass(end + 1, State::Start)
                }
            }
            None if bytes.len() < LONGEST_COMMAND => Step::Hold,
            None => Step::Pass(bytes.len(), State::Lost),
        }
    }
}

/// The state after the header of an argument of this length, `left` arguments including it.
fn after_header(length: i64, left: u64) -> State {
    match u64::try_from(length) {
        Ok(length) => State::Argument(length + 2, left - 1),
        Err(_) => State::Lost,
    }
}

/// Where the command ends whose `count` arguments start here: its last argument and its end.
fn whole_command(bytes: &[u8], mut at: usize, count: u64) -> Header {
    let mut last = 0;
    for _ in 0..count {
        let Some(rest) = bytes.get(at..) else { return Header::Partial };
        let (length, used) = match header(rest, b'$') {
            Header::Whole(length, used) => (length, used),
            partial_or_broken => return partial_or_broken,
        };
        let Some(size) = usize::try_from(length).ok().filter(|size| *size < LONGEST_COMMAND) else {
            return Header::Broken;
        };
        last = length;
        at += used + size + 2;
    }
    if at <= bytes.len() { Header::Whole(last, at) } else { Header::Partial }
}

enum Header {
    /// The number, and how many bytes it took with its line end.
    Whole(i64, usize),
    Partial,
    Broken,
}

/// Reads `*3\r\n` or `$5\r\n`.
fn header(bytes: &[u8], marker: u8) -> Header {
    // The longest number the server itself would accept, with marker and line end.
    const LONGEST: usize = 24;
    match bytes.first() {
        None => return Header::Partial,
        Some(first) if *first != marker => return Header::Broken,
        Some(_) => {}
    }
    let line = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = memchr(b'\n', line) else {
        return if line.len() < LONGEST { Header::Partial } else { Header::Broken };
    };
    let number =
        line[1..end].strip_suffix(b"\r").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    number.map_or(Header::Broken, |number| Header::Whole(number, end + 1))
}

/// Gives the arguments of a whole command to `use_them`.
fn with_arguments<T>(command: &[u8], use_them: impl FnOnce(Command<'_>) -> T) -> T {
    let mut arguments = Vec::new();
    if command[0] == b'*' {
        let mut at = memchr(b'\n', command).map_or(command.len(), |end| end + 1);
        while let Header::Whole(length, used) = header(&command[at..], b'$') {
            let start = at + used;
            let end = start + usize::try_from(length).unwrap_or(0);
            arguments.push(&command[start..end]);
            at = end + 2;
        }
    } else {
        arguments.extend(command.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()));
    }
    use_them(&arguments)
}
