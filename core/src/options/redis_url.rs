//! Reads `redis://` and `rediss://` URLs. Options behind the `?` have the names of the connection string.

use super::Options;
use super::connection_string::Reader;
use crate::error::{Error, ErrorCode, Result};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use url::Url;

/// Whether a text is meant as a URL: a scheme stands in front, before any comma or option.
pub(super) fn looks_like_one(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

fn refusal(message: impl Into<String>, advice: &'static str) -> Error {
    Error::new(ErrorCode::InvalidEndpoint, message.into(), advice)
}

const WRITE: &str = "Write rediss://user:password@host:port/database?option=value; percent-encode signs such as / @ # ? % in a password.";

/// Reads a URL. No error shows any part of it, as it may hold a password.
pub(super) fn read(text: &str) -> Result<Options> {
    let (scheme, _) = text.split_once("://").unwrap_or_default();
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "rediss" => true,
        "redis" => false,
        "http" | "https" => {
            return Err(refusal(
                "A cache is not reached by an http:// or https:// URL.",
                "Give host or host:port alone, or write rediss:// in front.",
            ));
        }
        _ => return Err(refusal("The URL's scheme is neither rediss nor redis.", WRITE)),
    };
    let url =
        Url::parse(text).map_err(|error| refusal(format!("The URL cannot be read: {error}."), WRITE))?;
    if url.fragment().is_some() {
        return Err(refusal("The URL has a part behind a #, which has no meaning.", WRITE));
    }
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| refusal("The URL has no host.", WRITE))?;
    let endpoint = url
        .port()
        .map_or_else(|| decoded(host), |port| decoded(host).map(|host| format!("{host}:{port}")))?;

    let mut reader = Reader::of_url();
    reader.option("tls", if tls { "true" } else { "false" })?;
    reader.option("endpoint", &endpoint)?;
    if !url.username().is_empty() {
        reader.option("user", &decoded(url.username())?)?;
    }
    if let Some(password) = url.password() {
        reader.option("password", &decoded(password)?)?;
    }
    match url.path().trim_matches('/') {
        "" => {}
        database => reader.option("database", &decoded(database)?)?,
    }
    for (name, value) in url.query_pairs() {
        reader.option(name.trim(), &value)?;
    }
    if reader.options.tls() != tls {
        return Err(Error::new(
            ErrorCode::InvalidOption,
            "The option tls (ssl) contradicts the URL's scheme.",
            "Write rediss:// for TLS and redis:// without, and leave the option away.",
        ));
    }
    Ok(reader.options)
}

/// The text behind percent signs.
fn decoded(text: &str) -> Result<String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| refusal("The URL holds percent-encoded bytes that are not UTF-8 text.", WRITE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn every_part_of_a_url_is_read() {
        let options = Options::parse(
            "rediss://me:p%40ss%2C%2F=@Cache:7000/3?name=web&connectTimeout=1000&channelPrefix=a%2Cb",
        )
        .unwrap();
        assert_eq!(options.endpoints()[0].to_string(), "cache:7000");
        assert_eq!((options.user(), options.password().unwrap().expose()), (Some("me"), "p@ss,/="));
        assert_eq!((options.database(), options.client_name()), (3, Some("web")));
        assert_eq!(options.connect_timeout().as_secs(), 1);
        assert_eq!(options.channel_prefix(), Some("a,b"));
        assert!(options.tls());
    }

    #[test]
    fn scheme_and_suffix_give_the_port() {
        for (text, endpoint, tls) in [
            ("rediss://a", "a:6380", true),
            ("redis://a", "a:6379", false),
            ("REDIS://a/", "a:6379", false),
            ("redis://[::1]", "[::1]:6379", false),
            ("rediss://[::1]:1/0", "[::1]:1", true),
            ("rediss://:key@a.redis.cache.windows.net", "a.redis.cache.windows.net:6380", true),
            ("rediss://a.westeurope.redis.azure.net/0", "a.westeurope.redis.azure.net:10000", true),
        ] {
            let options = Options::parse(text).unwrap();
            assert_eq!(
                (options.endpoints()[0].to_string().as_str(), options.tls()),
                (endpoint, tls),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_the_password() {
        for (text, code, says) in [
            ("https://a.redis.azure.net", ErrorCode::InvalidEndpoint, "rediss://"),
            ("unix://me:hunter2@a", ErrorCode::InvalidEndpoint, "scheme"),
            ("rediss://", ErrorCode::InvalidEndpoint, "host"),
            ("rediss://me:hunter2@", ErrorCode::InvalidEndpoint, "host"),
            ("rediss://me:hunter2/x@a", ErrorCode::InvalidEndpoint, "percent-encode"),
            ("rediss://me:hunter2@a:99999", ErrorCode::InvalidEndpoint, "port"),
            ("rediss://me:hunter2@a#insecure", ErrorCode::InvalidEndpoint, "#"),
            ("rediss://me:hunter2%ff@a", ErrorCode::InvalidEndpoint, "UTF-8"),
            ("rediss://me:hunter2@a/x", ErrorCode::InvalidOption, "database"),
            ("rediss://me:hunter2@a?ssl=false", ErrorCode::InvalidOption, "scheme"),
            ("rediss://a?clientSecret=hunter2", ErrorCode::InvalidOption, "AZURE_CLIENT_SECRET"),
            ("rediss://:hunter2@a?connectTimeoutt=1", ErrorCode::InvalidOption, "connectTimeout?"),
            ("rediss://:hunter2@a?unheardOf=1", ErrorCode::InvalidOption, "no option \"unheardOf\""),
        ] {
            let error = Options::parse(text).expect_err(text);
            assert_eq!(error.code(), code, "{text}: {error}");
            assert!(error.to_string().contains(says), "{text}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{text}: {error}");
        }
    }
}
