//! The cache against a model of a server, and what a real one promises: no read goes back behind what this client
//! has seen or written.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

const LIMITS: CacheLimits = CacheLimits { bytes: 1 << 20, max_age: Duration::from_mins(5) };

fn batch(args: &[&str]) -> Batch {
    let mut batch = Batch::new();
    batch.push_own(args);
    batch
}

fn following(limits: CacheLimits) -> Arc<ReplyCache> {
    let cache = Arc::new(ReplyCache::new(limits, Arc::default()));
    cache.follow(Some(1));
    cache
}

fn figures(cache: &ReplyCache) -> CacheStats {
    let (entries, bytes) = cache.size();
    CacheStats { entries, bytes, ..cache.state.lock().counters.stats() }
}

fn miss(cache: &Arc<ReplyCache>, args: &[&str]) -> Ticket {
    assert!(cache.recall(&batch(args).bytes).is_none(), "{args:?} is kept");
    cache.expect_only(&batch(args)).expect("the right to keep it")
}

fn hit(cache: &Arc<ReplyCache>, args: &[&str]) -> Option<Bytes> {
    cache.recall(&batch(args).bytes)
}

fn push_of(keys: &[&str]) -> Vec<u8> {
    let mut push = b">2\r\n$10\r\ninvalidate\r\n".to_vec();
    push.extend(batch(keys).bytes);
    push
}

#[test]
fn a_reply_is_kept_until_its_key_changes() {
    let cache = following(LIMITS);
    miss(&cache, &["HGET", "h", "a"]).keep(b"$1\r\n1\r\n");
    miss(&cache, &["HGETALL", "h"]).keep(b"%0\r\n");
    miss(&cache, &["GET", "k"]).keep(b"_\r\n");
    assert_eq!(hit(&cache, &["HGET", "h", "a"]).unwrap(), &b"$1\r\n1\r\n"[..]);
    cache.invalidate(2, &push_of(&["h"]));
    assert!(hit(&cache, &["HGETALL", "h"]).is_some(), "another connection's news is not ours");
    cache.invalidate(1, &push_of(&["h", "other"]));
    assert!(hit(&cache, &["HGET", "h", "a"]).is_none() && hit(&cache, &["HGETALL", "h"]).is_none());
    assert!(hit(&cache, &["GET", "k"]).is_some());
    let stats = figures(&cache);
    assert_eq!((stats.hits, stats.misses, stats.invalidations, stats.entries), (3, 3, 1, 1));
    cache.invalidate(1, b">2\r\n$10\r\ninvalidate\r\n_\r\n");
    assert!(hit(&cache, &["GET", "k"]).is_none());
    assert_eq!((figures(&cache).entries, figures(&cache).bytes), (0, 0));
}

#[test]
fn a_reply_that_was_overtaken_is_not_kept() {
    let cache = following(LIMITS);
    let get = ["GET", "k"];
    let overtaken: [&dyn Fn(); 8] = [
        &|| cache.invalidate(1, &push_of(&["k"])),
        &|| cache.invalidate(1, b">2\r\n$10\r\ninvalidate\r\n_\r\n"),
        &|| cache.forget_changed(&batch(&["SET", "k", "v"])),
        &|| cache.forget_changed(&batch(&["FLUSHALL"])),
        &|| cache.void(&batch(&get).bytes),
        &|| cache.forget_all(),
        &|| cache.leave(1),
        &|| cache.follow(Some(1)),
    ];
    for overtake in overtaken {
        cache.follow(Some(1));
        let ticket = miss(&cache, &get);
        overtake();
        ticket.keep(b"+old\r\n");
        assert!(hit(&cache, &get).is_none());
        // Nor does it take the place of a later one.
        cache.follow(Some(1));
        let old = miss(&cache, &get);
        cache.invalidate(1, &push_of(&["k"]));
        let new = miss(&cache, &get);
        old.keep(b"+old\r\n");
        new.keep(b"+new\r\n");
        assert_eq!(hit(&cache, &get).unwrap(), &b"+new\r\n"[..]);
    }
}

#[test]
fn what_commands_may_change_is_forgotten() {
    let kept = |command: &str| {
        let cache = following(LIMITS);
        for key in ["a", "b"] {
            miss(&cache, &["GET", key]).keep(b"+v\r\n");
        }
        cache.forget_changed(&batch(&command.split(' ').collect::<Vec<_>>()));
        ["a", "b"].into_iter().filter(|key| hit(&cache, &["GET", key]).is_some()).collect::<String>()
    };
    for (command, left) in [
        ("SET a 1", "b"),
        ("SET c a", "ab"),
        ("MSET a 1 b 2", ""),
        ("RENAME c b", "a"),
        ("EVAL script 1 a", "b"),
        ("EVAL script 0 b", "a"),
        ("FCALL f 1 c a", "b"),
        ("EVAL_RO script 1 a", "ab"),
        ("JSON.MSET a $ 1 b $ 1", ""),
        ("FLUSHDB", ""),
        ("SWAPDB 0 1", ""),
        ("PING a", "ab"),
        ("PUBLISH a b", "ab"),
        ("GETDEL a", "b"),
        ("EXPIRE a 1", "b"),
        ("SORT c STORE a", "b"),
        ("MULTI", "ab"),
        ("EXEC", "ab"),
    ] {
        assert_eq!(kept(command), left, "{command}");
    }
}

#[test]
fn only_reads_of_one_key_that_nothing_else_decides_are_kept() {
    let cache = following(LIMITS);
    for command in [
        "GET k",
        "hget k f",
        "ZRANGE k 0 -1",
        "SMEMBERS k",
        "TYPE k",
        "GEOSEARCH k FROMMEMBER m BYRADIUS 1 m",
    ] {
        drop(miss(&cache, &command.split(' ').collect::<Vec<_>>()));
    }
    for command in [
        "SET k v",
        "MGET k l",
        "TTL k",
        "SRANDMEMBER k",
        "SCAN 0",
        "PING",
        "TIME",
        "SORT_RO k BY w_*",
        "XREAD STREAMS k 0",
        "OBJECT FREQ k",
        "DUMP k",
        "JSON.GET k",
        "GETEX k",
        "RANDOMKEY",
        "EVAL_RO s 1 k",
        "GET",
    ] {
        let request = batch(&command.split(' ').collect::<Vec<_>>());
        assert!(cache.expect_only(&request).is_none(), "{command}");
    }
    assert_eq!((figures(&cache).entries, figures(&cache).bytes), (0, 0), "dropped tickets leave nothing");
}

#[test]
fn room_and_age_are_limited() {
    let one = b"+1234567890\r\n";
    let cache = following(CacheLimits { bytes: 10 * (ENTRY_BYTES + 50), ..LIMITS });
    let name = |key: u32| format!("key:{key:03}");
    for key in 0..50 {
        miss(&cache, &["GET", &name(key)]).keep(one);
        assert!(key == 0 || hit(&cache, &["GET", &name(0)]).is_some(), "what is asked for stays");
    }
    let stats = figures(&cache);
    assert!(stats.bytes <= 10 * (ENTRY_BYTES + 50) && stats.entries >= 8, "{stats:?}");
    assert_eq!(stats.evictions + stats.entries as u64, 50);
    assert!(hit(&cache, &["GET", &name(1)]).is_none() && hit(&cache, &["GET", &name(49)]).is_some());
    miss(&cache, &["GET", "huge"]).keep(&[b'+'; 5_000]);
    assert!(hit(&cache, &["GET", "huge"]).is_none(), "one reply does not drive out all others");
    miss(&cache, &["GET", "error"]).keep(b"-WRONGTYPE\r\n");
    assert!(hit(&cache, &["GET", "error"]).is_none());

    let short = following(CacheLimits { max_age: Duration::ZERO, ..LIMITS });
    miss(&short, &["GET", "k"]).keep(one);
    assert!(hit(&short, &["GET", "k"]).is_none());
}

/// What a client puts on the wire.
enum Sent {
    Get(usize, Option<Ticket>),
    Set(usize),
}

/// What comes back.
enum Back {
    Value(usize, u64, Option<Ticket>),
    Done(usize, u64),
    Changed(usize),
}

const KEYS: [&str; 3] = ["a", "b", "c"];

#[derive(Default)]
struct Model {
    versions: [u64; 3],
    tracked: [bool; 3],
    sent: VecDeque<Sent>,
    back: VecDeque<Back>,
    /// What this client has seen, or has been told that it wrote.
    floor: [u64; 3],
}

impl Model {
    fn change(&mut self, key: usize) {
        self.versions[key] += 1;
    }

    fn tell(&mut self, key: usize) {
        if std::mem::take(&mut self.tracked[key]) {
            self.back.push_back(Back::Changed(key));
        }
    }

    fn see(&mut self, key: usize, version: u64) {
        assert!(version >= self.floor[key], "{} went back to {version} from {}", KEYS[key], self.floor[key]);
        self.floor[key] = version;
    }

    fn step(&mut self, cache: &Arc<ReplyCache>, op: u8, key: usize) {
        match op {
            0..=3 => {
                if let Some(reply) = hit(cache, &["GET", KEYS[key]]) {
                    let text = std::str::from_utf8(&reply[1..reply.len() - 2]).unwrap();
                    self.see(key, text.parse().unwrap());
                } else {
                    let ticket = cache.expect_only(&batch(&["GET", KEYS[key]]));
                    self.sent.push_back(Sent::Get(key, ticket));
                }
            }
            4 => {
                cache.forget_changed(&batch(&["INCR", KEYS[key]]));
                self.sent.push_back(Sent::Set(key));
            }
            5 => {
                self.change(key);
                self.tell(key);
            }
            6..=8 => match self.sent.pop_front() {
                Some(Sent::Get(key, ticket)) => {
                    self.tracked[key] = true;
                    self.back.push_back(Back::Value(key, self.versions[key], ticket));
                }
                Some(Sent::Set(key)) => {
                    self.change(key);
                    // A client's own changes are told after they were answered.
                    self.back.push_back(Back::Done(key, self.versions[key]));
                    self.tell(key);
                }
                None => {}
            },
            9..=12 => match self.back.pop_front() {
                Some(Back::Value(key, version, ticket)) => {
                    if let Some(ticket) = ticket {
                        ticket.keep(format!(":{version}\r\n").as_bytes());
                    }
                    // Replies come in order, so one may be older than a hit only if it was sent before it.
                    self.floor[key] = self.floor[key].max(version);
                }
                Some(Back::Done(key, version)) => self.floor[key] = self.floor[key].max(version),
                Some(Back::Changed(key)) => cache.invalidate(1, &push_of(&[KEYS[key]])),
                None => {}
            },
            // The connection is replaced: its requests are lost, or sent again without their tickets' effect.
            _ => {
                cache.leave(1);
                self.back.clear();
                self.tracked = [false; 3];
                cache.follow(Some(1));
            }
        }
    }
}

proptest! {
    #[test]
    fn no_hit_is_older_than_what_was_seen_or_written(ops in prop::collection::vec((0u8..14, 0usize..3), 0..300)) {
        let cache = following(LIMITS);
        let mut model = Model::default();
        for (op, key) in ops {
            model.step(&cache, op, key);
        }
        // In the end, when everything was told, what is kept is the truth.
        while !model.sent.is_empty() || !model.back.is_empty() {
            model.step(&cache, 6, 0);
            model.step(&cache, 9, 0);
        }
        for (key, name) in KEYS.iter().enumerate() {
            if let Some(reply) = hit(&cache, &["GET", name]) {
                prop_assert_eq!(reply, format!(":{}\r\n", model.versions[key]).into_bytes());
            }
        }
    }
}

#[cfg(unix)]
mod promises {
    use super::*;
    use crate::connection::push;
    use crate::connection::test_server::{Connection, Received, Server};
    use redis::Value;

    /// Whether a connection is told of a change of `key`; the `PING` says when to stop waiting.
    fn is_told(connection: &mut Connection, key: &str) -> bool {
        connection.send(&batch(&["PING"]));
        let mut told = false;
        loop {
            match connection.receive() {
                Received::Push(push) => {
                    assert_eq!(push::kind(&push), b"invalidate");
                    told |= invalidated(&push) == Some(Invalidated::Keys(vec![key.as_bytes()]));
                }
                Received::Reply(reply) => {
                    assert_eq!(reply.unwrap(), Value::SimpleString("PONG".into()));
                    return told;
                }
            }
        }
    }

    #[test]
    fn a_server_goes_on_telling_of_changes_after_another_sign_in() {
        let server = Server::start();
        let (mut reader, mut writer) = (server.connect(), server.connect());
        for user in ["one", "two"] {
            writer.call(&["ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all"]);
        }
        let set = |writer: &mut Connection| {
            writer.call(&["INCR", "key"]);
        };
        reader.call(&["HELLO", "3", "AUTH", "one", "secret"]);
        reader.call(&["CLIENT", "TRACKING", "ON"]);
        for user in ["one", "one", "two", "one"] {
            // Of what was read before the sign-in, and of what was read after it.
            reader.call(&["GET", "key"]);
            reader.call(&["AUTH", user, "secret"]);
            set(&mut writer);
            assert!(is_told(&mut reader, "key"), "read before AUTH {user}");
            reader.call(&["GET", "key"]);
            set(&mut writer);
            assert!(is_told(&mut reader, "key"), "read after AUTH {user}");
        }
        // Without a read there is nothing to tell of, so the above was no accident.
        set(&mut writer);
        assert!(!is_told(&mut reader, "key"));
    }

    #[test]
    fn a_server_tells_of_a_connections_own_change_behind_the_answer_to_it() {
        let server = Server::start();
        let mut connection = server.connect();
        connection.call(&["HELLO", "3"]);
        connection.call(&["CLIENT", "TRACKING", "ON"]);
        connection.call(&["GET", "key"]);
        connection.send(&batch(&["SET", "key", "v"]));
        assert!(matches!(connection.receive(), Received::Reply(Ok(Value::Okay))));
        assert!(matches!(connection.receive(), Received::Push(_)));
    }
}
