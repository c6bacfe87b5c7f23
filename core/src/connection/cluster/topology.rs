//! The map of a cluster: which node serves which slots, as `CLUSTER SLOTS` tells it. Pure.

use crate::connection::command::SLOTS;
use redis::Value;
use std::fmt;
use std::sync::Arc;

/// Where a node says it is. Nodes are told apart by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
}

impl Address {
    /// Reads `host:port`; an empty host stands for the node that says so.
    pub(crate) fn read(text: &str, teller: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self { host: known(host, teller)?.into(), port: port.parse().ok()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Slots `first..=last` and who serves them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotRange {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) primary: Address,
    pub(crate) replicas: Vec<Address>,
}

/// All ranges of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SlotMap(pub(crate) Vec<SlotRange>);

impl SlotMap {
    /// Reads the reply to `CLUSTER SLOTS`; `None` when it is none, or serves no slot at all. `teller` is the
    /// host of the node that sent it.
    pub(crate) fn read(reply: &Value, teller: &str) -> Option<Self> {
        let Value::Array(ranges) = reply else { return None };
        let map = Self(ranges.iter().filter_map(|range| read_range(range, teller)).collect());
        (!map.0.is_empty()).then_some(map)
    }

    /// Whether every slot is served.
    pub(crate) fn is_complete(&self) -> bool {
        self.0.iter().map(|range| u32::from(range.last - range.first) + 1).sum::<u32>() >= u32::from(SLOTS)
    }
}

fn read_range(range: &Value, teller: &str) -> Option<SlotRange> {
    let Value::Array(parts) = range else { return None };
    let [Value::Int(first), Value::Int(last), nodes @ ..] = &parts[..] else { return None };
    let slot = |number: &i64| u16::try_from(*number).ok().filter(|slot| *slot < SLOTS);
    let (first, last) = (slot(first)?, slot(last)?);
    let mut nodes = nodes.iter().map(|node| read_node(node, teller));
    let primary = nodes.next()??;
    (first <= last).then(|| SlotRange { first, last, primary, replicas: nodes.flatten().collect() })
}

fn read_node(node: &Value, teller: &str) -> Option<Address> {
    let Value::Array(parts) = node else { return None };
    let [host, Value::Int(port), ..] = &parts[..] else { return None };
    let host = match host {
        Value::BulkString(host) => String::from_utf8_lossy(host).into_owned(),
        Value::SimpleString(host) => host.clone(),
        // Where a node does not know its own name, the one that was asked is meant.
        Value::Nil => String::new(),
        _ => return None,
    };
    Some(Address { host: known(&host, teller)?.into(), port: u16::try_from(*port).ok()? })
}

/// The host itself, or the teller's where it is not given; `None` where the server does not know it.
fn known<'a>(host: &'a str, teller: &'a str) -> Option<&'a str> {
    match host {
        "?" => None,
        "" => Some(teller),
        host => Some(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())])
    }

    fn name(host: &str) -> Value {
        Value::BulkString(host.as_bytes().to_vec())
    }

    fn range(first: i64, last: i64, nodes: Vec<Value>) -> Value {
        Value::Array([Value::Int(first), Value::Int(last)].into_iter().chain(nodes).collect())
    }

    #[test]
    fn a_map_names_primaries_and_replicas() {
        let reply = Value::Array(vec![
            range(0, 8191, vec![node(name("10.0.0.4"), 8500), node(name("10.0.0.5"), 8501)]),
            range(8192, 16383, vec![node(name("node.example"), 8502)]),
        ]);
        let map = SlotMap::read(&reply, "cache").unwrap();
        assert!(map.is_complete());
        assert_eq!(map.0[0].primary.to_string(), "10.0.0.4:8500");
        assert_eq!(map.0[0].replicas[0].to_string(), "10.0.0.5:8501");
        assert_eq!((map.0[1].first, map.0[1].last), (8192, 16383));
    }

    #[test]
    fn a_node_without_a_name_is_the_one_that_was_asked() {
        let reply = Value::Array(vec![
            range(0, 1, vec![node(Value::Nil, 1), node(name("?"), 2), node(name("::1"), 3)]),
            range(5, 6, vec![node(name(""), 4)]),
        ]);
        let map = SlotMap::read(&reply, "cache").unwrap();
        assert_eq!(map.0[0].primary.to_string(), "cache:1");
        assert_eq!(map.0[0].replicas.iter().map(ToString::to_string).collect::<Vec<_>>(), ["[::1]:3"]);
        assert_eq!(map.0[1].primary.to_string(), "cache:4");
        assert!(!map.is_complete());
    }

    #[test]
    fn what_is_no_map_is_none() {
        for reply in [
            Value::Nil,
            Value::Array(Vec::new()),
            Value::Array(vec![range(0, 99_999, vec![node(name("a"), 1)])]),
            Value::Array(vec![range(3, 2, vec![node(name("a"), 1)])]),
            Value::Array(vec![range(0, 1, vec![node(name("?"), 1)])]),
            Value::Array(vec![range(0, 1, vec![node(name("a"), 70_000)])]),
        ] {
            assert_eq!(SlotMap::read(&reply, "cache"), None, "{reply:?}");
        }
    }
}
