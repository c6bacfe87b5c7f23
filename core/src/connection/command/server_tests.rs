//! Keys and slots, compared with what a real server says of the same requests.

use super::keys::keys;
use super::slot::{SLOTS, slot};
use super::spec::Command;
use crate::connection::Batch;
use crate::connection::test_server::{Connection, Server};
use redis::{FromRedisValue, Value};
use serde_json::Value as Json;

/// Makes requests up as the arguments in `commands.json` allow.
struct Maker {
    random: fastrand::Rng,
    args: Vec<String>,
    /// What the last `num...` argument said.
    number: Option<usize>,
}

impl Maker {
    fn request(&mut self, entry: &Json) -> Vec<String> {
        self.args = entry["name"].as_str().unwrap().split(' ').map(str::to_owned).collect();
        self.number = None;
        self.arguments(&entry["arguments"]);
        std::mem::take(&mut self.args)
    }

    fn arguments(&mut self, arguments: &Json) {
        for argument in arguments.as_array().into_iter().flatten() {
            self.argument(argument);
        }
    }

    fn argument(&mut self, argument: &Json) {
        let is = |flag: &str| argument[flag] == true;
        if is("optional") && self.random.bool() {
            return;
        }
        let times = match self.number {
            Some(number) if is("multiple") => number,
            _ if is("multiple") => self.random.usize(1..4),
            _ => 1,
        };
        for time in 0..times {
            if let Some(token) = argument["token"].as_str().filter(|_| time == 0 || is("multiple_token")) {
                self.args.push(token.to_owned());
            }
            let name = argument["name"].as_str().unwrap();
            match argument["type"].as_str().unwrap() {
                "pure-token" => {}
                "block" => self.arguments(&argument["arguments"]),
                "oneof" => {
                    let choices = argument["arguments"].as_array().unwrap();
                    let choice = self.random.choice(choices).unwrap();
                    self.argument(choice);
                }
                "integer" if name.starts_with("num") => {
                    let number = self.random.usize(1..4);
                    self.number = Some(number);
                    self.args.push(number.to_string());
                }
                "integer" | "double" | "unix-time" => self.args.push(self.random.u8(1..100).to_string()),
                kind => {
                    let letter = self.random.lowercase();
                    self.args.push(format!(
                        "{}:{letter}{{{}}}",
                        if kind == "key" { "key" } else { "value" },
                        name
                    ));
                }
            }
        }
    }
}

fn batch_of<T: AsRef<str>>(requests: &[Vec<T>], before: &[&str]) -> Batch {
    let mut batch = Batch::new();
    for request in requests {
        let args: Vec<&str> = before.iter().copied().chain(request.iter().map(AsRef::as_ref)).collect();
        batch.push_own(&args);
    }
    batch
}

/// Compares the keys of requests with what the server says, and returns how many had keys by both accounts.
fn compare(server: &mut Connection, requests: &[Vec<String>]) -> usize {
    let replies = server.ask(&batch_of(requests, &["COMMAND", "GETKEYS"]));
    let plain = batch_of(requests, &[]);
    let (mut start, mut equal) = (0, 0);
    for ((request, reply), end) in requests.iter().zip(replies).zip(plain.ends) {
        let encoded = &plain.bytes[start..end];
        start = end;
        let ours: Vec<String> =
            keys(encoded).map(|key| String::from_utf8(encoded[key.payload].to_vec()).unwrap()).collect();
        match reply {
            Ok(theirs) => {
                assert_eq!(ours, Vec::<String>::from_redis_value(theirs).unwrap(), "{request:?}");
                equal += 1;
            }
            Err(error) if error.message().contains("no key arguments") => {
                let channels =
                    Command::of(encoded).is_some_and(|command| command.keys.iter().any(|spec| spec.channel));
                assert!(ours.is_empty() || channels, "{request:?} has no keys, but we found {ours:?}");
            }
            // The server is older than the command, or the request is not as it should be.
            Err(_) => {}
        }
    }
    equal
}

#[test]
fn keys_are_where_the_server_finds_them() {
    let server = Server::start();
    let mut server = server.connect();
    let entries: Vec<Json> = serde_json::from_str(include_str!("../../../commands.json")).unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut maker = Maker { random: fastrand::Rng::with_seed(seed), args: Vec::new(), number: None };
    let (mut requests, mut commands) = (0, 0);
    for entry in &entries {
        let name = entry["name"].as_str().unwrap();
        // Options that are keywords elsewhere make their requests ambiguous, to the server as well: told below.
        if matches!(name, "SORT" | "SORT_RO" | "MIGRATE" | "GEORADIUS" | "GEORADIUSBYMEMBER") {
            continue;
        }
        let made: Vec<_> = (0..50).map(|_| maker.request(entry)).collect();
        let equal = compare(&mut server, &made);
        requests += equal;
        commands += usize::from(equal > 0);
        let known = entry["since"].as_str() < Some("7.0");
        let has_keys =
            entry["key_specs"][0]["flags"].as_array().is_some_and(|flags| !flags.contains(&"not_key".into()));
        assert!(
            equal > 0 || !known || !has_keys,
            "no request of {name} was understood, such as {:?}",
            made[0]
        );
    }
    println!("{requests} requests of {commands} commands");
    assert!(commands > 170, "only {commands} commands with keys were understood");
}

#[test]
fn keys_behind_keywords_are_where_the_server_finds_them() {
    let requests: Vec<Vec<String>> = [
        "SORT k",
        "SORT k STORE d",
        "sort k by store get get limit 0 1 store d",
        "SORT k LIMIT 0 STORE STORE d",
        "SORT k STORE a STORE b",
        "SORT k DESC ALPHA STORE d",
        "SORT_RO k BY x GET y",
        "MIGRATE h 1 k 0 100",
        "MIGRATE h 1 k 0 100 COPY REPLACE",
        "MIGRATE h 1 k 0 100 AUTH KEYS",
        "MIGRATE h 1  0 100 KEYS a b c",
        "MIGRATE h 1  0 100 COPY AUTH KEYS KEYS a b",
        "MIGRATE h 1  0 100 AUTH2 KEYS KEYS KEYS a b",
        "GEORADIUS k 1 2 3 m",
        "GEORADIUS k 1 2 3 m STORE d",
        "GEORADIUS k 1 2 3 m COUNT 1 STOREDIST d",
        "GEORADIUSBYMEMBER k m 3 m STORE d",
        "XREAD COUNT 2 STREAMS a b 0 0",
        "XREADGROUP GROUP g c NOACK STREAMS a b > >",
        "XREADGROUP GROUP STREAMS STREAMS STREAMS a >",
        "EVAL s 2 a b c",
        "FCALL f 0 a",
        "FCALL_RO f 1 a b",
        "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
        "BZMPOP 0 2 a b MIN",
        "LMPOP 2 a b LEFT",
        "SINTERCARD 2 a b LIMIT 1",
        "OBJECT ENCODING k",
        "MEMORY USAGE k SAMPLES 5",
        "XINFO CONSUMERS k g",
        "BITOP AND d a b",
        "LCS a b LEN",
        "MSET a 1 b 2",
        "PFCOUNT a b",
    ]
    .iter()
    .map(|request| request.split(' ').map(str::to_owned).collect())
    .collect();
    let server = Server::start();
    let mut server = server.connect();
    assert_eq!(compare(&mut server, &requests), requests.len(), "the server found keys in all of them");
}

#[test]
fn slots_are_those_of_the_server() {
    let server = Server::start_cluster();
    let mut server = server.connect();
    let mut random = fastrand::Rng::new();
    let mut keys: Vec<String> =
        ["", "{", "}", "{}", "{}a", "a{}b{c}", "{a}b", "a{b", "a}b{c}", "{{a}}", "{a}{b}"]
            .map(str::to_owned)
            .to_vec();
    for length in 0..200 {
        keys.extend(
            (0..20).map(|_| (0..length).map(|_| *random.choice(b"ab{}\x7f:\n").unwrap() as char).collect()),
        );
    }
    let requests: Vec<Vec<&str>> = keys.iter().map(|key| vec!["CLUSTER", "KEYSLOT", key.as_str()]).collect();
    for (key, reply) in keys.iter().zip(server.ask(&batch_of(&requests, &[]))) {
        assert_eq!(Value::Int(slot(key.as_bytes()).into()), reply.unwrap(), "{key:?}");
        assert!(slot(key.as_bytes()) < SLOTS);
    }
}
