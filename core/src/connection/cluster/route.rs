//! Which nodes a request is for, and how it is cut where its keys live on several. Pure.

use super::gather::Combine;
use crate::connection::Batch;
use crate::connection::command::{self, Args, Command, Request, Response, Slot};
use crate::error::{Error, ErrorCode, Result};
use std::collections::BTreeMap;

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Route {
    /// It has no key: any primary.
    Any,
    /// To the node of a slot; to a replica of it if it `reads` and the options say so.
    Slot { slot: u16, reads: bool },
    /// To every primary.
    Primaries(Combine),
    /// In parts, each to the node of its slot.
    Slots(Vec<Part>, Combine),
}

/// The part of a request whose keys are in one slot.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) slot: u16,
    /// The encoded request with these keys only.
    pub(crate) bytes: Vec<u8>,
}

/// Where an encoded request goes.
///
/// # Errors
/// [`ErrorCode::InvalidCommand`] when its keys are in several slots and it cannot be cut.
pub(crate) fn route(request: &[u8]) -> Result<Route> {
    match command::key_slot(request) {
        Slot::One(slot) => Ok(Route::Slot { slot, reads: command::only_reads(request) }),
        Slot::Several => {
            let Some(command) = Command::of(request).filter(|command| command.request == Request::MultiShard)
            else {
                return Err(crossslot(&name(request)));
            };
            let (parts, places) = cut(request);
            let combine = combine(command.response, Some(places)).ok_or_else(|| crossslot(&name(request)))?;
            Ok(Route::Slots(parts, combine))
        }
        Slot::None => without_key(request),
    }
}

fn without_key(request: &[u8]) -> Result<Route> {
    let Some(command) = Command::of(request) else { return Ok(Route::Any) };
    if command::name(request).is_some_and(|name| name.eq_ignore_ascii_case(b"SCAN")) {
        return Err(Error::new(
            ErrorCode::InvalidCommand,
            "SCAN sees the keys of one node only, and this is a cluster.",
            "Use Client::scan, which goes through all nodes, or Client::execute_on for one of them.",
        ));
    }
    Ok(match command.request {
        Request::AllShards | Request::AllNodes => {
            combine(command.response, None).map_or(Route::Any, Route::Primaries)
        }
        _ => Route::Any,
    })
}

/// The slot that all requests of a transaction share; `None` if none of them has a key.
///
/// # Errors
/// [`ErrorCode::InvalidCommand`] when they do not share one.
pub(crate) fn common_slot<'a>(requests: impl Iterator<Item = &'a [u8]>) -> Result<Option<u16>> {
    let mut common = None;
    for request in requests {
        match command::key_slot(request) {
            Slot::None => {}
            Slot::One(slot) if common.is_none_or(|common| common == slot) => common = Some(slot),
            Slot::One(_) | Slot::Several => return Err(crossslot("A transaction")),
        }
    }
    Ok(common)
}

fn combine(response: Response, places: Option<Vec<Vec<usize>>>) -> Option<Combine> {
    Some(match response {
        Response::OneSucceeded => Combine::OneSucceeded,
        Response::AllSucceeded => Combine::AllSucceeded,
        Response::AggLogicalAnd => Combine::And,
        Response::AggMin => Combine::Min,
        Response::AggSum => Combine::Sum,
        Response::Default => places.map_or(Combine::Join, Combine::ByArgument),
        Response::Special => return None,
    })
}

/// Cuts a request whose arguments are its keys, each with what belongs to it, by slots. Says also which of
/// the keys each part has.
fn cut(request: &[u8]) -> (Vec<Part>, Vec<Vec<usize>>) {
    struct Share {
        args: usize,
        bulks: Vec<u8>,
        places: Vec<usize>,
    }
    let args: Vec<_> = Args::new(request).collect();
    let mut keys = command::keys(request);
    let mut shares: BTreeMap<u16, Share> = BTreeMap::new();
    let mut place = 0;
    while let Some(key) = keys.next() {
        let slot = command::slot(&request[key.payload]);
        let share = shares.entry(slot).or_insert_with(|| Share {
            args: 1,
            bulks: request[args[0].bulk.clone()].to_vec(),
            places: Vec::new(),
        });
        for arg in args.iter().skip(key.index).take(keys.step()) {
            share.args += 1;
            share.bulks.extend_from_slice(&request[arg.bulk.clone()]);
        }
        share.places.push(place);
        place += 1;
    }
    shares
        .into_iter()
        .map(|(slot, share)| {
            let mut bytes = format!("*{}\r\n", share.args).into_bytes();
            bytes.extend_from_slice(&share.bulks);
            (Part { slot, bytes }, share.places)
        })
        .unzip()
}

fn name(request: &[u8]) -> String {
    String::from_utf8_lossy(command::name(request).unwrap_or_default()).to_ascii_uppercase()
}

fn crossslot(what: &str) -> Error {
    Error::new(
        ErrorCode::InvalidCommand,
        format!(
            "{what} has keys in several slots of the cluster (CROSSSLOT), and no single node has them all."
        ),
        "Give the keys that belong together the same {hash tag}, as in {user:1}:name and {user:1}:mail, or send one command per key.",
    )
}

/// The requests of a batch.
pub(crate) fn requests(batch: &Batch) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    batch.ends.iter().map(move |&end| {
        let request = &batch.bytes[start..end];
        start = end;
        request
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(command: &str) -> Vec<u8> {
        let mut batch = Batch::new();
        batch.push_own(&command.split(' ').collect::<Vec<_>>());
        batch.bytes
    }

    fn routed(command: &str) -> Result<Route> {
        route(&encoded(command))
    }

    #[test]
    fn a_command_goes_to_its_keys_node() {
        assert!(matches!(routed("GET a"), Ok(Route::Slot { slot: 15_495, reads: true })));
        assert!(matches!(routed("SET a 1"), Ok(Route::Slot { slot: 15_495, reads: false })));
        assert!(matches!(routed("MGET {a}1 {a}2"), Ok(Route::Slot { slot: 15_495, reads: true })));
        assert!(matches!(routed("TIME"), Ok(Route::Any)));
        assert!(matches!(routed("EVAL x 0"), Ok(Route::Any)));
        assert!(matches!(routed("DBSIZE"), Ok(Route::Primaries(Combine::Sum))));
        assert!(matches!(routed("FLUSHALL"), Ok(Route::Primaries(Combine::AllSucceeded))));
        assert!(matches!(routed("KEYS *"), Ok(Route::Primaries(Combine::Join))));
    }

    #[test]
    fn commands_over_several_slots_are_cut_by_slot() {
        let Ok(Route::Slots(parts, combine)) = routed("MSET a 1 b 2 {a}c 3") else { panic!("not cut") };
        let bytes: Vec<_> = parts.iter().map(|part| (part.slot, part.bytes.clone())).collect();
        assert_eq!(bytes, [(3300, encoded("MSET b 2")), (15_495, encoded("MSET a 1 {a}c 3"))]);
        assert_eq!(combine, Combine::AllSucceeded);
        let Ok(Route::Slots(parts, combine)) = routed("mget a b a") else { panic!("not cut") };
        assert_eq!(parts[1].bytes, encoded("mget a a"));
        assert_eq!(combine, Combine::ByArgument(vec![vec![1], vec![0, 2]]));
        assert!(matches!(routed("DEL a b"), Ok(Route::Slots(_, Combine::Sum))));
    }

    #[test]
    fn what_cannot_be_cut_is_refused_with_the_way_out() {
        for command in ["RENAME a b", "SUNION a b", "EVAL x 2 a b", "MSETNX a 1 b 2"] {
            let error = routed(command).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidCommand);
            assert!(error.message().contains("CROSSSLOT"), "{error}");
            assert!(error.advice().contains("hash tag"), "{error}");
        }
        assert!(routed("SCAN 0").unwrap_err().advice().contains("Client::scan"));
    }

    #[test]
    fn a_transaction_has_one_slot() {
        let slot = |commands: &[&str]| {
            let encoded: Vec<_> = commands.iter().map(|command| encoded(command)).collect();
            common_slot(encoded.iter().map(Vec::as_slice))
        };
        assert_eq!(slot(&["MULTI", "INCR a", "GET {a}b", "EXEC"]).unwrap(), Some(15_495));
        assert_eq!(slot(&["MULTI", "PING", "EXEC"]).unwrap(), None);
        assert!(slot(&["INCR a", "INCR b"]).is_err());
    }
}
