//! What is known of one command, and how it is found by its name. The list is `table`.

use super::args::Args;
use super::table::COMMANDS;

/// It only reads data.
pub(super) const READONLY: u8 = 1;
/// It may change data.
pub(super) const WRITE: u8 = 2;
/// It may wait, and whatever comes behind it on its connection waits too.
pub(super) const BLOCKING: u8 = 4;
/// The same command on the same data may give another answer (time, chance).
pub(super) const VOLATILE: u8 = 8;

/// Where a search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// At this argument.
    Index(usize),
    /// Behind this word, looked for from this argument on.
    Keyword(&'static str, usize),
    /// Behind the last `STORE` of a `SORT`, which is not an option's value.
    SortStore,
    /// The one key of a `MIGRATE`, which is empty where `KEYS` follows.
    MigrateKey,
    /// Behind the `KEYS` of a `MIGRATE` whose one key is empty.
    MigrateKeys,
}

/// Which arguments are keys from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Find {
    /// Up to the last one, counted from the first one or, if negative, from the end; in such steps; of what
    /// is left one in so many, if not 0.
    Range(isize, usize, usize),
    /// As many as the argument at the first offset says, from the second offset on, in such steps.
    KeyNum(usize, usize, usize),
}

/// One rule for where keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeySpec {
    pub(super) begin: Begin,
    pub(super) find: Find,
    /// No key but the name of a shard channel: it chooses the slot as a key does.
    pub(super) channel: bool,
}

impl KeySpec {
    pub(super) const fn key(begin: Begin, find: Find) -> Self {
        Self { begin, find, channel: false }
    }

    pub(super) const fn channel(begin: Begin, find: Find) -> Self {
        Self { begin, find, channel: true }
    }
}

/// Which nodes of a cluster a command is for (Redis' `request_policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The node of its keys; any node if it has none.
    Default,
    /// Every node, replicas included.
    AllNodes,
    /// Every primary.
    AllShards,
    /// The nodes of its keys, to each its own.
    MultiShard,
    /// As no rule says: see the command's documentation.
    Special,
}

/// What becomes of the replies of several nodes (Redis' `response_policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// Put together: in the order of the keys if it has some, otherwise in any.
    Default,
    /// The first one that is no error.
    OneSucceeded,
    /// Any of them if none is an error.
    AllSucceeded,
    /// Whether all say 1, for each element.
    AggLogicalAnd,
    /// The least number.
    AggMin,
    /// The sum.
    AggSum,
    /// As no rule says: see the command's documentation.
    Special,
}

/// What is known of a command.
#[derive(Debug)]
pub(crate) struct Command {
    /// In upper case; of a subcommand its own name alone.
    pub(super) name: &'static str,
    flags: u8,
    pub(super) keys: &'static [KeySpec],
    /// Its only key is the first argument, as with most commands.
    pub(super) first_is_key: bool,
    /// Which nodes of a cluster it is for.
    pub(crate) request: Request,
    /// What becomes of their replies.
    pub(crate) response: Response,
    subcommands: &'static [Self],
}

pub(super) const fn command(name: &'static str, flags: u8, keys: &'static [KeySpec]) -> Command {
    Command {
        name,
        flags,
        keys,
        first_is_key: matches!(
            keys,
            [KeySpec { begin: Begin::Index(1), find: Find::Range(0, ..), channel: false }]
        ),
        request: Request::Default,
        response: Response::Default,
        subcommands: &[],
    }
}

impl Command {
    pub(super) const fn policy(mut self, request: Request, response: Response) -> Self {
        self.request = request;
        self.response = response;
        self
    }

    pub(super) const fn with(mut self, subcommands: &'static [Self]) -> Self {
        self.subcommands = subcommands;
        self
    }

    /// The command, or the subcommand, that a request is; `None` if it is not in the table.
    pub(crate) fn of(request: &[u8]) -> Option<&'static Self> {
        let mut args = Args::new(request);
        Self::next_of(&mut args)
    }

    /// As [`Command::of`]; the name is taken from the arguments.
    #[inline]
    pub(super) fn next_of(args: &mut Args<'_>) -> Option<&'static Self> {
        let name = args.next()?;
        let command = named(args.bytes(&name))?;
        if command.subcommands.is_empty() {
            return Some(command);
        }
        let mut ahead = args.clone();
        let Some(name) = ahead.next() else { return Some(command) };
        let name = ahead.bytes(&name);
        let subcommands = command.subcommands.iter();
        Some(subcommands.into_iter().find(|each| is(each.name, name)).unwrap_or(command))
    }

    /// Whether it is the command of this name (upper case).
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Whether it may have keys.
    pub(crate) fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether its only key is the first argument, as with most commands.
    pub(crate) fn first_is_key(&self) -> bool {
        self.first_is_key
    }

    /// It only reads data, says Redis; [`only_reads`] says whether it may be repeated.
    pub(crate) fn is_readonly(&self) -> bool {
        self.flags & READONLY != 0
    }

    /// It may change data.
    pub(crate) fn is_write(&self) -> bool {
        self.flags & WRITE != 0
    }

    /// It may wait. `XREAD` and `XREADGROUP` do so only with `BLOCK`.
    #[cfg(test)]
    pub(crate) fn is_blocking(&self) -> bool {
        self.flags & BLOCKING != 0
    }

    /// The same command on the same data may give another answer.
    pub(crate) fn is_volatile(&self) -> bool {
        self.flags & VOLATILE != 0
    }
}

/// These only read, and Redis does not flag them so because they read no keys.
const READ_NO_KEYS: [&str; 6] = ["ECHO", "INFO", "LASTSAVE", "PING", "ROLE", "TIME"];

/// Whether running the encoded request twice does no harm: no effect on data, on the state of the connection,
/// or on a position in a stream. What is not in the table counts as writing.
pub(crate) fn only_reads(request: &[u8]) -> bool {
    Command::of(request).is_some_and(|command| command.is_readonly() || READ_NO_KEYS.contains(&command.name))
}

/// A table of positions in `COMMANDS`, open addressing, less than half full: 0 is free, otherwise one more.
const PLACES: usize = 1024;
static INDEX: [u16; PLACES] = index();

const fn index() -> [u16; PLACES] {
    assert!(COMMANDS.len() * 2 < PLACES);
    let mut index = [0; PLACES];
    let mut at = 0u16;
    while (at as usize) < COMMANDS.len() {
        let mut place = hash(COMMANDS[at as usize].name.as_bytes());
        while index[place] != 0 {
            place = (place + 1) % PLACES;
        }
        at += 1;
        index[place] = at;
    }
    index
}

/// Where a name is looked for first. Does not tell upper from lower case.
#[allow(clippy::cast_possible_truncation)]
const fn hash(name: &[u8]) -> usize {
    // Two overlapping halves of a long name tell all commands apart well enough.
    let (mut head, mut tail, mut at) = (0u64, name.len() as u64, 0);
    while at < name.len() && at < 8 {
        head = head << 8 | (name[at] & 0xdf) as u64;
        at += 1;
    }
    let mut at = if name.len() > 16 { name.len() - 8 } else { 8 };
    while at < name.len() {
        tail = tail << 8 | (name[at] & 0xdf) as u64;
        at += 1;
    }
    let mixed = (head ^ tail.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 54) as usize % PLACES
}

/// The command of a name in any case.
fn named(name: &[u8]) -> Option<&'static Command> {
    let mut place = hash(name);
    loop {
        let command = &COMMANDS[usize::from(INDEX[place].checked_sub(1)?)];
        if is(command.name, name) {
            return Some(command);
        }
        place = (place + 1) % PLACES;
    }
}

fn is(known: &str, name: &[u8]) -> bool {
    known.as_bytes().eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Batch;
    use serde_json::Value;

    fn request(args: &[&str]) -> Vec<u8> {
        let mut batch = Batch::new();
        batch.push_own(args);
        batch.bytes
    }

    fn reads(command: &str) -> bool {
        only_reads(&request(&command.split(' ').collect::<Vec<_>>()))
    }

    /// The words of a list in `commands.json`.
    fn words<'a>(entry: &'a Value, list: &str) -> Vec<&'a str> {
        let list = entry[list].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect()
    }

    fn spec(raw: &Value) -> Option<KeySpec> {
        let number = |value: &Value| value.as_i64().and_then(|value| isize::try_from(value).ok());
        let positive = |value: &Value| number(value)?.try_into().ok();
        let (begin, find) = (&raw["begin_search"]["spec"], &raw["find_keys"]["spec"]);
        let begin = match raw["begin_search"]["type"].as_str()? {
            "index" => Begin::Index(positive(&begin["index"])?),
            "keyword" => {
                let word = begin["keyword"].as_str()?.to_owned();
                Begin::Keyword(word.leak(), positive(&begin["startfrom"])?)
            }
            _ => return None,
        };
        let find = match raw["find_keys"]["type"].as_str()? {
            "range" => {
                Find::Range(number(&find["lastkey"])?, positive(&find["keystep"])?, positive(&find["limit"])?)
            }
            "keynum" => Find::KeyNum(
                positive(&find["keynumidx"])?,
                positive(&find["firstkey"])?,
                positive(&find["keystep"])?,
            ),
            _ => return None,
        };
        Some(KeySpec { begin, find, channel: words(raw, "flags").contains(&"not_key") })
    }

    #[test]
    fn the_table_says_what_commands_json_says() {
        let entries: Vec<Value> = serde_json::from_str(include_str!("../../../commands.json")).unwrap();
        let mut known = COMMANDS.iter().map(|command| 1 + command.subcommands.len()).sum::<usize>();
        for entry in &entries {
            let name = entry["name"].as_str().unwrap();
            for name in [name.to_owned(), name.to_ascii_lowercase()] {
                let own = name.split(' ').next_back().unwrap();
                let command = Command::of(&request(&name.split(' ').collect::<Vec<_>>())).unwrap();
                assert!(command.name.eq_ignore_ascii_case(own), "{name} is found as {}", command.name);
                let flags = words(entry, "flags");
                assert_eq!(command.is_readonly(), flags.contains(&"readonly"), "{name}");
                assert_eq!(command.is_write(), flags.contains(&"write"), "{name}");
                assert_eq!(command.is_blocking(), flags.contains(&"blocking"), "{name}");
                let tips = words(entry, "tips");
                assert_eq!(command.is_volatile(), tips.contains(&"nondeterministic_output"), "{name}");
                for (kind, policy) in [
                    ("request_policy:", format!("{:?}", command.request)),
                    ("response_policy:", format!("{:?}", command.response)),
                ] {
                    let told = tips.iter().find_map(|tip| tip.strip_prefix(kind)).unwrap_or("default");
                    assert_eq!(policy.to_lowercase(), told.replace('_', ""), "{name}");
                }
                if !matches!(command.name, "SORT" | "SORT_RO" | "MIGRATE") {
                    let specs = entry["key_specs"].as_array().map(Vec::as_slice).unwrap_or_default();
                    let specs: Option<Vec<_>> = specs.iter().map(spec).collect();
                    assert_eq!(command.keys, specs.expect(&name), "{name}");
                }
            }
            known -= 1;
        }
        assert_eq!(known, 0, "the table has commands that commands.json has not");
    }

    #[test]
    fn what_only_reads_is_known_by_command_and_subcommand() {
        for command in
            ["GET k", "get k", "XINFO STREAM s", "OBJECT ENCODING k", "MEMORY USAGE k", "PING", "TIME"]
        {
            assert!(reads(command), "{command}");
        }
        for command in
            ["INCR k", "MULTI", "XGROUP CREATE s g $", "OBJECT", "GETEX k", "XREADGROUP GROUP g c", "NO"]
        {
            assert!(!reads(command), "{command}");
        }
    }

    #[test]
    fn nothing_that_changes_a_connection_or_a_position_counts_as_reading() {
        for name in ["AUTH", "HELLO", "SELECT", "WATCH", "CLIENT TRACKING", "ASKING", "READONLY", "SUBSCRIBE"]
        {
            assert!(!reads(name), "{name}");
        }
    }

    #[test]
    fn strange_names_are_not_found() {
        for name in ["", "G", "GETT", "A.VERY.LONG.COMMAND.NAME.THAT.NOBODY.HAS", "gEt\0"] {
            assert!(named(name.as_bytes()).is_none(), "{name:?}");
        }
        // Differs from GET only in bits that upper and lower case differ in.
        assert!(named(&[b'G', b'E', b'T' & 0x5f ^ 0x20, 0][..3]).is_some());
        assert!(named(&[b'G' | 0x80, b'E', b'T']).is_none());
    }
}
