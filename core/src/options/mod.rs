//! Everything a caller can choose, filled from code, by name, from a connection string, a URL or the
//! environment, always through the one table. Nothing here connects or signs in.

mod authority;
mod choices;
mod connection_string;
mod define;
mod environment;
mod info;
mod print;
#[cfg(test)]
mod properties;
mod redis_url;
mod table;
mod text;
mod validate;
mod value;

pub use choices::{Backlog, ClusterMode, Protocol, ReadFrom, TlsVersion, Tunnel};
pub use info::{Effect, Kind, OptionInfo};
pub use table::table;

use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorCode, Result};
use std::str::FromStr;
use table::Values;

/// What a client connects to and how.
///
/// ```
/// use keyless::options::Options;
/// use std::time::Duration;
///
/// # fn main() -> keyless::Result<()> {
/// let options = Options::new("mycache.westeurope.redis.azure.net")?
///     .with_connect_timeout(Duration::from_secs(10))
///     .with_client_name("worker");
/// assert_eq!(options.to_string(), "mycache.westeurope.redis.azure.net:10000,connectTimeout=10000,name=worker");
/// # Ok(())
/// # }
/// ```
///
/// Prints as a connection string, with secrets as `***`; where a value holds a comma, blanks at its ends
/// or a line end, as a URL. Parsing what is printed gives equal options, but for secrets and
/// [`ca_certificates`](Self::ca_certificates). Times are kept in whole milliseconds, rounded up.
/// Contradictions between options are found when a client connects.
#[derive(Clone)]
pub struct Options {
    values: Values,
    warnings: Vec<String>,
}

impl Options {
    /// The defaults for a cache, from its `host` or `host:port` alone.
    ///
    /// [`ErrorCode::InvalidEndpoint`] for anything else; a connection string or URL is read by
    /// [`parse`](Self::parse).
    pub fn new(endpoint: &str) -> Result<Self> {
        Endpoint::parse(endpoint).map(Self::builder)
    }

    /// The defaults for a cache at an endpoint; the `with_...` functions change them.
    pub fn builder(endpoint: Endpoint) -> Self {
        Self::empty().with_endpoint(endpoint)
    }

    /// Reads a connection string (`host:port,option=value,...`, as StackExchange.Redis takes it) or a URL
    /// (`rediss://user:password@host:port/database?option=value`).
    ///
    /// [`ErrorCode::InvalidEndpoint`] or [`ErrorCode::InvalidOption`] where something cannot be read, is
    /// unknown or is refused; the error names it, but never shows a secret.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let options = if redis_url::looks_like_one(text) {
            redis_url::read(text)?
        } else {
            connection_string::read(text)?
        };
        if options.endpoints().is_empty() {
            return Err(Error::new(
                ErrorCode::InvalidEndpoint,
                "The options name no endpoint.",
                "Put host or host:port in front, for example mycache.westeurope.redis.azure.net:10000.",
            ));
        }
        Ok(options)
    }

    /// Reads `REDIS_HOST`, `REDIS_PORT`, `REDIS_ACCESS_KEY` and the `AZURE_...` variables from the
    /// environment; an empty variable counts as not set.
    ///
    /// `REDIS_ACCESS_KEY` means: sign in with the access key; without it, Microsoft Entra ID signs in.
    /// [`ErrorCode::InvalidOption`] or [`ErrorCode::InvalidEndpoint`] with the variable's name.
    pub fn from_env() -> Result<Self> {
        environment::read(|name| std::env::var_os(name))
    }

    fn empty() -> Self {
        Self { values: Values::default(), warnings: Vec::new() }
    }

    /// Sets one option by its name, from text in the unit of the [`table`]; `endpoint` adds one.
    ///
    /// [`ErrorCode::InvalidOption`] for an unknown name (with the nearest known one) or a value that
    /// cannot be read; then nothing changes.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.put(name, value, false)
    }

    /// Sets one option; `in_string` says whether it stood in a connection string or URL.
    fn put(&mut self, name: &str, value: &str, in_string: bool) -> Result<()> {
        let info = find(name)?;
        match info.effect {
            Effect::Refused(advice) => return Err(refusal(info, "is not offered.", advice)),
            Effect::NotInStrings(advice) if in_string => {
                return Err(refusal(info, "cannot stand in a connection string or URL.", advice));
            }
            _ => {}
        }
        let text =
            if matches!(info.kind, Kind::Text | Kind::Secret | Kind::Pem) { value } else { value.trim() };
        (info.read)(&mut self.values, text).map_err(|why| {
            let advice = why.map_or_else(|| info.kind.advice(), std::borrow::Cow::into_owned);
            refusal(info, &format!("cannot be {}.", shown(info, value)), advice)
        })?;
        if let Effect::Warned(why) = info.effect {
            self.warn(format!("The option {} has no effect: {why}.", info.connection_string[0]));
        }
        self.settle();
        Ok(())
    }

    /// Adds an endpoint; one that is there already counts once.
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.values.endpoints.push(endpoint);
        self.settled()
    }

    /// Where the cache is; the first one that answers is used. Never empty but for options that were
    /// filled by name only.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.values.endpoints
    }

    /// What should be told to whoever wrote the options: options that have no effect, names that are
    /// nearly Azure's. Empty in the usual case.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Brings into line what follows from other options: default ports, endpoints named twice, hints.
    fn settle(&mut self) {
        let tls = self.values.tls;
        let mut endpoints: Vec<Endpoint> = Vec::with_capacity(self.values.endpoints.len());
        for mut endpoint in std::mem::take(&mut self.values.endpoints) {
            endpoint.assume_tls(tls);
            if !endpoints.contains(&endpoint) {
                if let Some(hint) = endpoint.hint() {
                    self.warn(hint);
                }
                endpoints.push(endpoint);
            }
        }
        self.values.endpoints = endpoints;
    }

    fn settled(mut self) -> Self {
        self.settle();
        self
    }
}

impl FromStr for Options {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// Equal options connect to the same place in the same way; warnings do not count.
impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

/// The option of a name, or an error with the nearest one.
fn find(name: &str) -> Result<&'static OptionInfo> {
    table().iter().find(|info| info.is_named(name)).ok_or_else(|| {
        Error::new(
            ErrorCode::InvalidOption,
            format!("There is no option \"{}\".", short(name)),
            nearest(name).map_or_else(
                || "The documentation lists every option.".to_owned(),
                |near| format!("Did you mean {near}?"),
            ),
        )
    })
}

/// The known name that a wrong one was probably meant to be.
fn nearest(name: &str) -> Option<&'static str> {
    let wrong = info::plain_name(&name.chars().take(64).collect::<String>());
    table()
        .iter()
        .filter(|info| !matches!(info.effect, Effect::Refused(_)))
        .flat_map(|info| {
            // Whoever writes underscores is shown the name with underscores.
            let (code, string) = (std::iter::once(info.name), info.connection_string.iter().copied());
            let names: Vec<&'static str> =
                if name.contains('_') { code.chain(string).collect() } else { string.chain(code).collect() };
            names
        })
        .map(|known| (strsim::damerau_levenshtein(&info::plain_name(known), &wrong), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 1 + wrong.chars().count() / 4)
        .map(|(_, known)| known)
}

fn refusal(info: &OptionInfo, what: &str, advice: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidOption, format!("The option {} {what}", named(info)), advice.into())
}

/// An option's name as errors show it, with the name in connection strings where that is another one.
fn named(info: &OptionInfo) -> String {
    match info.connection_string.first() {
        Some(first) if info::plain_name(first) != info::plain_name(info.name) => {
            format!("{} ({first})", info.name)
        }
        _ => info.name.to_owned(),
    }
}

/// A value as errors show it: never a secret, never long.
fn shown(info: &OptionInfo, value: &str) -> String {
    match info.kind {
        Kind::Secret => "what was given".to_owned(),
        // An address may hold a user and a password.
        _ if value.contains('@') => "what was given".to_owned(),
        Kind::Endpoint | Kind::Pem => "what was given".to_owned(),
        _ if value.is_empty() => "empty".to_owned(),
        _ => format!("\"{}\"", short(value)),
    }
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short.escape_debug().to_string()
}
