//! Where the keys of an encoded request are, by the rules that Redis gives for each command.

use super::args::{Arg, Args, decimal};
use super::spec::{Begin, Command, Find, KeySpec};

/// For commands that the table does not know (those of modules above all): the first argument, as nearly all
/// of them have it.
static FIRST: [KeySpec; 1] = [KeySpec::key(Begin::Index(1), Find::Range(0, 1, 0))];

/// The keys of a request, and names of shard channels, which choose a slot as keys do. Those of a command that
/// is not in the table: its first argument.
pub(crate) fn keys(request: &[u8]) -> Keys<'_> {
    Keys::new(Args::new(request), Command::of(request))
}

/// Iterates over the keys of a request.
#[derive(Clone, Debug)]
pub(crate) struct Keys<'a> {
    start: Args<'a>,
    walk: Args<'a>,
    specs: std::slice::Iter<'static, KeySpec>,
    /// The keys of the rule at hand that are left: position of the next one, of the last one, step.
    left: (usize, usize, usize),
}

impl<'a> Keys<'a> {
    pub(super) fn new(start: Args<'a>, command: Option<&'static Command>) -> Self {
        let specs = command.map_or(&FIRST[..], |command| command.keys).iter();
        Self { walk: start.clone(), start, specs, left: NOTHING }
    }

    /// How many arguments belong together from one key to the next: 2 with `MSET`, 1 with most commands.
    pub(crate) fn step(&self) -> usize {
        self.left.2
    }

    /// An argument at any position.
    fn arg(&self, index: usize) -> Option<&'a [u8]> {
        let mut walk = self.start.clone();
        let arg = walk.skip_to(index)?;
        Some(walk.bytes(&arg))
    }

    fn first(&self, begin: Begin) -> Option<usize> {
        let is = |index: usize, word: &str| {
            self.arg(index).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
        };
        match begin {
            Begin::Index(index) => Some(index),
            Begin::Keyword(word, from) => self.behind(from, word),
            Begin::SortStore => {
                let (mut at, mut found) = (2, None);
                while at < self.start.total() {
                    at += match () {
                        () if is(at, "LIMIT") => 3,
                        () if is(at, "BY") || is(at, "GET") => 2,
                        () if is(at, "STORE") => {
                            found = Some(at + 1);
                            2
                        }
                        () => 1,
                    };
                }
                found
            }
            Begin::MigrateKey => self.arg(3).filter(|key| !key.is_empty()).map(|_| 3),
            Begin::MigrateKeys => {
                if !self.arg(3)?.is_empty() {
                    return None;
                }
                let mut at = 6;
                while at < self.start.total() {
                    at += match () {
                        () if is(at, "KEYS") => return Some(at + 1),
                        () if is(at, "AUTH") => 2,
                        () if is(at, "AUTH2") => 3,
                        () => 1,
                    };
                }
                None
            }
        }
    }

    /// The position behind a word.
    fn behind(&self, from: usize, word: &str) -> Option<usize> {
        let mut walk = self.start.clone();
        let mut arg = walk.skip_to(from)?;
        loop {
            if walk.bytes(&arg).eq_ignore_ascii_case(word.as_bytes()) {
                return Some(arg.index + 1);
            }
            arg = walk.next()?;
        }
    }

    /// What a rule says of this request.
    fn resolve(&self, spec: &KeySpec) -> Option<(usize, usize, usize)> {
        let first = self.first(spec.begin)?;
        let count = self.start.total();
        match spec.find {
            Find::Range(last, step, _) if last >= 0 => Some((first, first.checked_add_signed(last)?, step)),
            Find::Range(last, step, 0) => Some((first, count.checked_add_signed(last)?, step)),
            Find::Range(last, step, part) => {
                let last = (count.checked_sub(first)? / part).checked_add_signed(last)?;
                Some((first, first + last, step))
            }
            Find::KeyNum(number, from, step) => {
                let keys = decimal(self.arg(first + number)?)?;
                let first = first + from;
                Some((first, first.checked_add(keys.checked_sub(1)?.checked_mul(step)?)?, step))
            }
        }
    }
}

const NOTHING: (usize, usize, usize) = (1, 0, 1);

impl Iterator for Keys<'_> {
    type Item = Arg;

    fn next(&mut self) -> Option<Arg> {
        loop {
            let (next, last, step) = self.left;
            if next <= last {
                self.left.0 = next + step;
                if let Some(arg) = self.walk.skip_to(next) {
                    return Some(arg);
                }
            }
            let spec = self.specs.next()?;
            self.left = self.resolve(spec).unwrap_or(NOTHING);
            if self.left.0 < self.walk.index() {
                self.walk = self.start.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Batch;
    use proptest::prelude::*;

    fn keys_of(command: &str) -> Vec<String> {
        let mut batch = Batch::new();
        batch.push_own(&command.split(' ').collect::<Vec<_>>());
        let keys = keys(&batch.bytes).map(|key| &batch.bytes[key.payload]);
        keys.map(|key| String::from_utf8(key.to_vec()).unwrap()).collect()
    }

    #[test]
    fn channels_of_shards_and_unknown_commands_have_keys_too() {
        assert_eq!(keys_of("SPUBLISH c m"), ["c"]);
        assert_eq!(keys_of("SSUBSCRIBE a b"), ["a", "b"]);
        assert_eq!(keys_of("JSON.GET doc $"), ["doc"]);
        assert!(keys_of("PUBLISH c m").is_empty());
        assert!(keys_of("FOO").is_empty());
    }

    #[test]
    fn steps_are_told() {
        let mut batch = Batch::new();
        batch.push_own(&["MSET", "a", "1", "b", "2"]);
        let mut keys = keys(&batch.bytes);
        assert_eq!(keys.next().map(|key| key.index), Some(1));
        assert_eq!(keys.step(), 2);
        assert_eq!(keys.next().map(|key| key.index), Some(3));
        assert!(keys.next().is_none());
    }

    #[test]
    fn too_few_arguments_give_fewer_keys() {
        for command in
            ["GET", "EVAL s", "EVAL s 9 a", "EVAL s x a", "EVAL s 0", "XREAD STREAMS", "MIGRATE h 1", "BITOP"]
        {
            assert!(keys_of(command).len() <= 1, "{command}");
        }
        assert_eq!(keys_of("EVAL s 18446744073709551615 a"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn no_request_makes_it_panic(
            name in prop::sample::select(super::super::table::COMMANDS.iter().map(|command| command.name).collect::<Vec<_>>()),
            words in prop::collection::vec("[a-c]{0,2}|[0-9]{1,20}|STORE|KEYS|STREAMS|USAGE|LIMIT|AUTH2", 0..8),
        ) {
            let mut batch = Batch::new();
            let args: Vec<&str> = std::iter::once(name).chain(words.iter().map(String::as_str)).collect();
            batch.push_own(&args);
            prop_assert!(keys(&batch.bytes).count() <= args.len() * 3);
        }
    }
}
