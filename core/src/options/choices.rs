//! The values of options that are one of a few words. What each option means lives in the table.

use crate::endpoint::{Cloud, Endpoint, read_port};
use std::fmt;

/// A value that is one of a few words. The first spelling of a value is the one that is printed.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// Every spelling, in lower case, and what it stands for.
    const WORDS: &'static [(&'static str, Self)];
}

/// Which version of the Redis protocol is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// Version 2: subscriptions have a connection of their own.
    Resp2,
    /// Version 3; falls back to version 2 when the server refuses `HELLO`.
    Resp3,
}

impl Choice for Protocol {
    const WORDS: &'static [(&'static str, Self)] =
        &[("resp2", Self::Resp2), ("resp3", Self::Resp3), ("2", Self::Resp2), ("3", Self::Resp3)];
}

/// The oldest version of TLS that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

impl Choice for TlsVersion {
    const WORDS: &'static [(&'static str, Self)] = &[("tls12", Self::Tls12), ("tls13", Self::Tls13)];
}

/// What happens to commands while there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backlog {
    /// They wait, within the backlog's limits and their own deadline.
    Queue,
    /// They fail at once with `not_connected`.
    FailFast,
}

impl Choice for Backlog {
    const WORDS: &'static [(&'static str, Self)] = &[("queue", Self::Queue), ("fail_fast", Self::FailFast)];
}

/// Which nodes of a cluster answer commands that only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadFrom {
    /// The primaries.
    Primary,
    /// Replicas where there are some; what they answer may be behind.
    Replica,
}

impl Choice for ReadFrom {
    const WORDS: &'static [(&'static str, Self)] = &[("primary", Self::Primary), ("replica", Self::Replica)];
}

/// Whether the server is talked to as a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClusterMode {
    /// The server itself is asked (`CLUSTER SLOTS`).
    Auto,
    /// It is a cluster; anything else fails the connection.
    On,
    /// It is one endpoint; the server is not asked.
    Off,
}

impl Choice for ClusterMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("on", Self::On), ("off", Self::Off)];
}

impl Choice for Cloud {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("public", Self::Public),
        ("china", Self::China),
        ("us_government", Self::UsGovernment),
        ("germany", Self::Germany),
        ("france", Self::France),
        ("singapore", Self::Singapore),
        ("azure_cloud", Self::Public),
        ("azurecloud", Self::Public),
        ("azurepublic", Self::Public),
        ("azurechina", Self::China),
        ("azurechinacloud", Self::China),
        ("azuregovernment", Self::UsGovernment),
        ("azureusgovernment", Self::UsGovernment),
        ("usgovernment", Self::UsGovernment),
        ("usgov", Self::UsGovernment),
    ];
}

/// A proxy through which connections are made with HTTP `CONNECT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tunnel {
    host: String,
    port: u16,
}

impl Tunnel {
    /// Reads `http:host:port`; the port has no default. The error says what to write.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        const WRITE: &str = "Write tunnel=http:host:port; other kinds of tunnels are not offered.";
        let (scheme, rest) = text.split_once(':').ok_or(WRITE)?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(WRITE);
        }
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (_, port) = rest.rsplit_once(':').ok_or(WRITE)?;
        read_port(port).map_err(|_| WRITE)?;
        let endpoint = Endpoint::parse(rest).map_err(|_| WRITE)?;
        if !endpoint.port_is_given() {
            return Err(WRITE);
        }
        Ok(Self { host: endpoint.host().to_owned(), port: endpoint.port() })
    }

    /// A tunnel through the proxy at an endpoint.
    pub fn http(proxy: &Endpoint) -> Self {
        Self { host: proxy.host().to_owned(), port: proxy.port() }
    }

    /// The proxy's host name or IP address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The proxy's port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "http:[{}]:{}", self.host, self.port)
        } else {
            write!(f, "http:{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_print_back() {
        for text in ["http:proxy:8080", "http:[::1]:3128", "http:10.0.0.1:1"] {
            assert_eq!(Tunnel::read(text).unwrap().to_string(), text);
        }
        assert_eq!(Tunnel::read("HTTP://proxy:8080").unwrap().to_string(), "http:proxy:8080");
        for text in ["", "proxy:8080", "socks:proxy:1", "http:proxy", "http:::1", "http:proxy:0", "http::1"] {
            assert!(Tunnel::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_cloud_has_its_own_name_as_a_word() {
        for cloud in Cloud::ALL {
            assert!(Cloud::WORDS.contains(&(cloud.name(), cloud)));
        }
    }
}
