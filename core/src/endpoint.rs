//! A host name or address and a port, and what Azure's suffixes say about them: port, service, cloud.
//! Nothing here resolves a name or opens a socket; URLs and option strings are read in `options`.

mod cloud;

pub use cloud::{Cloud, DEFAULT_SCOPE, Service};

use crate::error::{Error, ErrorCode, Result};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Where a cache is: a host and a port.
///
/// Read from `host`, `host:port`, an IPv4 address, `[v6]`, `[v6]:port` or a bare IPv6 address. Without a
/// port it is the default of Azure's suffix (10000 for Azure Managed Redis, 6380 for Azure Cache for
/// Redis), elsewhere 6380 with TLS and 6379 without. Host names are kept in lower case, without a trailing
/// dot. Prints as `host:port`. Two endpoints are equal if host and port are.
#[derive(Clone)]
pub struct Endpoint {
    host: String,
    port: u16,
    port_given: bool,
    suffix: Option<&'static cloud::Suffix>,
}

impl Endpoint {
    /// Reads an endpoint; a port that is not given is the one with TLS.
    ///
    /// [`ErrorCode::InvalidEndpoint`] where the text is not an endpoint, with what to write instead.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        refuse_what_is_no_endpoint(text)?;
        let (host, port) = split_port(text)?;
        let host = normal_host(host)?;
        let suffix = cloud::suffix_of(&host);
        let mut endpoint = Self { host, port: port.unwrap_or(0), port_given: port.is_some(), suffix };
        endpoint.assume_tls(true);
        Ok(endpoint)
    }

    /// The host name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, given or default.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the port was given, not a default.
    pub fn port_is_given(&self) -> bool {
        self.port_given
    }

    /// The IP address, where the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Which of Azure's services the host name belongs to; `None` for a host that is not Azure's.
    pub fn service(&self) -> Option<Service> {
        self.suffix.map(|suffix| suffix.service)
    }

    /// Which cloud the host name belongs to; `None` for a host that is not Azure's.
    pub fn cloud(&self) -> Option<Cloud> {
        self.suffix.map(|suffix| suffix.cloud)
    }

    /// Whether nodes of a cluster behind this endpoint are dialled by *its* host name with the port that
    /// they announce, and not by the address that they announce.
    ///
    /// True on Azure's suffixes: nodes announce addresses that no certificate carries and that may not be
    /// reachable, while the endpoint's name routes by port.
    pub fn dials_nodes_by_name(&self) -> bool {
        self.suffix.is_some()
    }

    /// The same host with another port.
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self.port_given = true;
        self
    }

    /// Sets a port that was not given to the default with or without TLS; a given one stays.
    pub(crate) fn assume_tls(&mut self, tls: bool) {
        if !self.port_given {
            self.port = self
                .service()
                .map_or_else(|| cloud::other_default_port(tls), |service| service.default_port(tls));
        }
    }

    /// What is suspicious about the host name: an ending that only nearly is one of Azure's. For logs, and
    /// to add to the error when the name cannot be resolved.
    pub fn hint(&self) -> Option<String> {
        if self.suffix.is_some() || self.ip().is_some() {
            return None;
        }
        let ending = cloud::nearly(&self.host)?;
        Some(format!(
            "The host name {} does not end like a cache on Azure: did you mean {ending}?",
            self.host
        ))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.host, self.port).hash(state);
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

fn refusal(message: impl Into<String>, advice: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidEndpoint, message.into(), advice.into())
}

/// The text as an error may show it. What could hold a password is not shown at all.
fn shown(text: &str) -> String {
    if text.contains(['@', '=', ',']) || text.len() > 260 {
        "The text".to_owned()
    } else {
        format!("\"{}\"", text.escape_debug())
    }
}

const WRITE: &str = "Write host or host:port, for example mycache.westeurope.redis.azure.net:10000.";

fn refuse_what_is_no_endpoint(text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(refusal("The endpoint is empty.", WRITE));
    }
    if let Some((scheme, _)) = text.split_once("://") {
        let scheme = if scheme.len() <= 20 { scheme } else { "..." };
        return Err(refusal(
            format!("An endpoint has no scheme in front, this one has \"{}://\".", scheme.escape_debug()),
            "Leave the scheme away, or give a whole rediss:// URL where options are read.",
        ));
    }
    if text.contains('@') {
        return Err(refusal(
            "An endpoint holds no user and password, this one has an \"@\".",
            "Give the options user and password, or a rediss://user:password@host:port URL.",
        ));
    }
    if text.contains([',', '=']) {
        return Err(refusal(
            "The text holds \",\" or \"=\": it is a connection string, not an endpoint.",
            "Read it as options, or give host:port alone.",
        ));
    }
    if text.contains(['/', '?', '#', '\\']) {
        return Err(refusal(format!("{} has a path behind the host.", shown(text)), WRITE));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(refusal(format!("{} holds blanks or control characters.", shown(text)), WRITE));
    }
    Ok(())
}

/// Takes `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address apart.
fn split_port(text: &str) -> Result<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let advice = "Write [2001:db8::1]:6380.";
        let (host, rest) = rest
            .split_once(']')
            .ok_or_else(|| refusal(format!("{} opens a bracket that never closes.", shown(text)), advice))?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(refusal(format!("{} has no IPv6 address in its brackets.", shown(text)), advice));
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(read_port(port)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(refusal(format!("{} goes on behind the bracket.", shown(text)), advice)),
        };
    }
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((_, rest)) if rest.contains(':') => {
            if text.parse::<Ipv6Addr>().is_err() {
                return Err(refusal(
                    format!("{} has more than one colon and is not an IPv6 address.", shown(text)),
                    "Write host:port, or an IPv6 address in brackets: [2001:db8::1]:6380.",
                ));
            }
            Ok((text, None))
        }
        Some((host, port)) => Ok((host, Some(read_port(port)?))),
    }
}

/// A port from its text: 1 to 65535, digits only.
pub(crate) fn read_port(text: &str) -> Result<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|&port| port != 0).ok_or_else(|| {
        refusal(
            format!("The port {} is not a number from 1 to 65535.", shown(text)),
            "Azure Managed Redis listens on 10000, Azure Cache for Redis on 6380.",
        )
    })
}

/// The host as it is kept: lower case, no trailing dot, an address in its usual form.
fn normal_host(host: &str) -> Result<String> {
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return Ok(address.to_string());
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(address.to_string());
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    check_labels(&host)?;
    if cloud::suffix_of(&host).is_some() && host.split('.').any(|label| label == "privatelink") {
        let public: Vec<_> = host.split('.').filter(|&label| label != "privatelink").collect();
        return Err(refusal(
            format!("{host} is the name of a private link, which the cache's certificate does not carry."),
            format!(
                "Use the public name {}: inside the network it leads to the private address.",
                public.join(".")
            ),
        ));
    }
    Ok(host)
}

/// The rules of host names (RFC 1123), and the underscore that container networks use.
fn check_labels(host: &str) -> Result<()> {
    if host.is_empty() {
        return Err(refusal("The endpoint has no host name.", WRITE));
    }
    if host.len() > 253 {
        return Err(refusal("The host name is longer than 253 characters.", WRITE));
    }
    for label in host.split('.') {
        let wrong = if label.is_empty() {
            "has an empty part between dots"
        } else if label.len() > 63 {
            "has a part of more than 63 characters"
        } else if !label.is_ascii() {
            "holds characters that are not ASCII (an international name is written as xn--...)"
        } else if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            "holds characters that host names do not have"
        } else if label.starts_with('-') || label.ends_with('-') {
            "has a part that starts or ends with a hyphen"
        } else {
            continue;
        };
        return Err(refusal(format!("The host name {} {wrong}.", shown(host)), WRITE));
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refusal(
            format!("{} looks like an IPv4 address and is none.", shown(host)),
            "Write four numbers from 0 to 255 with dots between them, or a host name.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(text: &str) -> String {
        Endpoint::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
    }

    #[test]
    fn every_form_is_read_and_normalised() {
        for (text, expected) in [
            ("localhost", "localhost:6380"),
            (" LocalHost. ", "localhost:6380"),
            ("redis_1:7000", "redis_1:7000"),
            ("10.0.0.4", "10.0.0.4:6380"),
            ("10.0.0.4:1", "10.0.0.4:1"),
            ("[2001:DB8::1]", "[2001:db8::1]:6380"),
            ("[::1]:65535", "[::1]:65535"),
            ("::1", "[::1]:6380"),
            ("Cache.WestEurope.Redis.Azure.Net", "cache.westeurope.redis.azure.net:10000"),
            ("cache.redis.cache.windows.net.:15000", "cache.redis.cache.windows.net:15000"),
        ] {
            assert_eq!(printed(text), expected, "{text}");
        }
    }

    #[test]
    fn azures_suffixes_give_port_service_and_cloud() {
        use Service::{AzureCacheForRedis as Acr, AzureManagedRedis as Amr};
        for (suffix, port, service, cloud) in [
            (".redis.azure.net", 10_000, Amr, Cloud::Public),
            (".redisenterprise.cache.azure.net", 10_000, Amr, Cloud::Public),
            (".redis.chinacloudapi.cn", 10_000, Amr, Cloud::China),
            (".redis.usgovcloudapi.net", 10_000, Amr, Cloud::UsGovernment),
            (".redis.sovcloud-api.de", 10_000, Amr, Cloud::Germany),
            (".redis.sovcloud-api.fr", 10_000, Amr, Cloud::France),
            (".redis.sovcloud-api.sg", 10_000, Amr, Cloud::Singapore),
            (".redis.cache.windows.net", 6_380, Acr, Cloud::Public),
            (".redis.cache.chinacloudapi.cn", 6_380, Acr, Cloud::China),
            (".redis.cache.usgovcloudapi.net", 6_380, Acr, Cloud::UsGovernment),
            (".redis.cache.sovcloud-api.de", 6_380, Acr, Cloud::Germany),
            (".redis.cache.sovcloud-api.fr", 6_380, Acr, Cloud::France),
        ] {
            let mut endpoint = Endpoint::parse(&format!("a{suffix}")).unwrap();
            assert_eq!(
                (endpoint.port(), endpoint.service(), endpoint.cloud()),
                (port, Some(service), Some(cloud))
            );
            assert!(endpoint.dials_nodes_by_name());
            endpoint.assume_tls(false);
            assert_eq!(endpoint.port(), if service == Amr { 10_000 } else { 6_379 });
            assert_eq!(Endpoint::parse(&suffix[1..]).unwrap().service(), None);
        }
        assert!(!Endpoint::parse("localhost").unwrap().dials_nodes_by_name());
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_a_remedy() {
        let long_label = format!("{}.net", "a".repeat(64));
        let long_name = "a.".repeat(130) + "net";
        for (text, says) in [
            ("", "empty"),
            ("  ", "empty"),
            ("https://a.redis.azure.net", "scheme"),
            ("redis://a", "rediss://"),
            ("a b", "blanks"),
            ("a:0", "1 to 65535"),
            ("a:65536", "1 to 65535"),
            ("a:+1", "1 to 65535"),
            ("a:", "1 to 65535"),
            ("a:http", "1 to 65535"),
            ("a/0", "path"),
            ("user:pass@a", "user and password"),
            ("a,ssl=true", "connection string"),
            (":6380", "no host name"),
            ("a..b", "empty part"),
            (".redis.azure.net", "empty part"),
            ("-a.b", "hyphen"),
            ("a!b", "do not have"),
            ("bücher.example", "xn--"),
            ("1.2.3", "IPv4"),
            ("256.1.1.1", "IPv4"),
            ("[::1", "never closes"),
            ("[a]:1", "no IPv6"),
            ("[::1]1", "behind the bracket"),
            ("a:1:2", "more than one colon"),
            (long_label.as_str(), "63 characters"),
            (long_name.as_str(), "253 characters"),
            ("a.privatelink.redis.cache.windows.net", "public name a.redis.cache.windows.net"),
        ] {
            let error = Endpoint::parse(text).expect_err(text);
            assert_eq!(error.code(), ErrorCode::InvalidEndpoint);
            assert!(error.to_string().contains(says), "{text}: {error}");
            assert!(!error.advice().is_empty(), "{text}");
        }
        assert!(!Endpoint::parse("me:hunter2@a").unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn a_near_miss_of_a_suffix_is_hinted_at() {
        let hint = Endpoint::parse("a.westeurope.redis.azure.com").unwrap().hint().unwrap();
        assert!(hint.contains("did you mean .redis.azure.net"), "{hint}");
        assert_eq!(Endpoint::parse("a.westeurope.redis.azure.net").unwrap().hint(), None);
        assert_eq!(Endpoint::parse("10.0.0.1").unwrap().hint(), None);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_read_prints_back(text in "\\PC*") {
            if let Ok(endpoint) = Endpoint::parse(&text) {
                prop_assert_eq!(&Endpoint::parse(&endpoint.to_string()).unwrap(), &endpoint);
            }
        }

        #[test]
        fn names_and_ports_survive(host in "[a-zA-Z][a-zA-Z0-9]{0,20}(\\.[a-z][a-z0-9]{0,10}){0,3}", port in 1u16..) {
            let endpoint = Endpoint::parse(&format!("{host}:{port}")).unwrap();
            prop_assert_eq!(endpoint.host(), host.to_ascii_lowercase());
            prop_assert_eq!(endpoint.port(), port);
        }
    }
}
