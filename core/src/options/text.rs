//! The kinds of values that are free text: texts with a rule, secrets, commands, certificates. Numbers, times
//! and words live in `value`.

use super::choices::Tunnel;
use super::info::Kind;
use super::value::{Codec, Refusal};
use crate::secret::Secret;
use std::borrow::Cow;
use std::marker::PhantomData;

/// What a text may hold, beyond not being empty.
pub(super) trait Rule {
    /// Says what to write instead.
    fn check(text: &str) -> Result<(), Cow<'static, str>>;
}

/// A text that need not be set. The empty text means: not set.
pub(super) struct Text<R>(PhantomData<R>);

impl<R: Rule> Codec for Text<R> {
    type Value = Option<String>;
    const KIND: Kind = Kind::Text;

    fn read(text: &str) -> Result<Option<String>, Refusal> {
        if text.is_empty() {
            return Ok(None);
        }
        R::check(text).map_err(Some)?;
        Ok(Some(text.to_owned()))
    }

    fn show(value: &Option<String>) -> Option<String> {
        value.clone()
    }

    fn settle(value: Option<String>) -> Option<String> {
        value.filter(|text| !text.is_empty())
    }
}

/// Anything without control characters.
pub(super) struct AnyText;

impl Rule for AnyText {
    fn check(text: &str) -> Result<(), Cow<'static, str>> {
        if text.chars().any(char::is_control) {
            return Err("Leave control characters and line ends away.".into());
        }
        Ok(())
    }
}

/// What `CLIENT SETNAME` takes: printable ASCII without blanks.
pub(super) struct ClientName;

impl Rule for ClientName {
    fn check(text: &str) -> Result<(), Cow<'static, str>> {
        if !text.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
            return Err(
                "Use letters, digits and signs without blanks: Redis takes no others in a client name."
                    .into(),
            );
        }
        Ok(())
    }
}

/// A host name or IP address without a port.
pub(super) struct HostName;

impl Rule for HostName {
    fn check(text: &str) -> Result<(), Cow<'static, str>> {
        match crate::endpoint::Endpoint::parse(text) {
            Ok(endpoint) if !endpoint.port_is_given() => Ok(()),
            Ok(_) => Err("Give the host name alone, without a port.".into()),
            Err(error) => Err(format!("{} Give a host name alone.", error.message()).into()),
        }
    }
}

/// A secret that need not be set. The empty text means: not set.
pub(super) struct SecretText;

impl Codec for SecretText {
    type Value = Option<Secret>;
    const KIND: Kind = Kind::Secret;

    fn read(text: &str) -> Result<Option<Secret>, Refusal> {
        if text == REDACTED {
            return Err(Some(
                "This is the text that stands for a secret in printed options: give the secret itself."
                    .into(),
            ));
        }
        Ok(Self::settle(Some(Secret::new(text))))
    }

    fn show(value: &Option<Secret>) -> Option<String> {
        value.as_ref().map(|_| REDACTED.to_owned())
    }

    fn settle(value: Option<Secret>) -> Option<Secret> {
        value.filter(|secret| !secret.expose().is_empty())
    }
}

/// What stands for a secret in printed options.
pub(super) const REDACTED: &str = "***";

/// A proxy: `http:host:port`, or not set.
pub(super) struct TunnelText;

impl Codec for TunnelText {
    type Value = Option<Tunnel>;
    const KIND: Kind = Kind::Text;

    fn read(text: &str) -> Result<Option<Tunnel>, Refusal> {
        if text.is_empty() {
            return Ok(None);
        }
        Tunnel::read(text).map(Some).map_err(|advice| Some(advice.into()))
    }

    fn show(value: &Option<Tunnel>) -> Option<String> {
        value.as_ref().map(ToString::to_string)
    }
}

/// Names of commands with blanks between them, kept in upper case, sorted, each once.
pub(super) struct Commands;

impl Codec for Commands {
    type Value = Vec<String>;
    const KIND: Kind = Kind::Commands;

    fn read(text: &str) -> Result<Vec<String>, Refusal> {
        let names: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let valid = |name: &String| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'|'))
        };
        if names.iter().all(valid) { Ok(Self::settle(names)) } else { Err(None) }
    }

    fn show(value: &Vec<String>) -> Option<String> {
        (!value.is_empty()).then(|| value.join(" "))
    }

    fn settle(mut names: Vec<String>) -> Vec<String> {
        for name in &mut names {
            name.make_ascii_uppercase();
        }
        names.sort();
        names.dedup();
        names
    }
}

/// Certificates in PEM, as bytes.
pub(super) struct Pem;

impl Codec for Pem {
    type Value = Option<Vec<u8>>;
    const KIND: Kind = Kind::Pem;

    fn read(text: &str) -> Result<Self::Value, Refusal> {
        if text.is_empty() {
            return Ok(None);
        }
        if text.contains("-----BEGIN CERTIFICATE-----") {
            Ok(Some(text.as_bytes().to_vec()))
        } else {
            Err(None)
        }
    }

    fn show(value: &Self::Value) -> Option<String> {
        value.as_ref().map(|_| REDACTED.to_owned())
    }

    fn settle(value: Self::Value) -> Self::Value {
        value.filter(|bytes| !bytes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_text_means_not_set() {
        assert_eq!(Text::<AnyText>::read(""), Ok(None));
        assert_eq!(SecretText::read(""), Ok(None));
        assert_eq!(SecretText::settle(Some(Secret::new(""))), None);
        assert_eq!(TunnelText::read(""), Ok(None));
        assert_eq!(Pem::read(""), Ok(None));
    }

    #[test]
    fn commands_are_kept_in_one_form() {
        assert_eq!(Commands::read("get  Config GET").unwrap(), ["CONFIG", "GET"]);
        assert_eq!(Commands::read("a=b"), Err(None));
    }

    #[test]
    fn a_redacted_secret_is_not_taken_for_one() {
        assert!(matches!(SecretText::read(REDACTED), Err(Some(_))));
    }
}
