//! Where a token comes from and for what: cloud, authority host and scope, as the options and the
//! endpoint's suffix decide them together. Signing in itself lives in `credential`.

use super::Options;
use super::text::Rule;
use crate::endpoint::Cloud;
use crate::error::{Error, ErrorCode, Result};
use std::borrow::Cow;
use url::Url;

/// An `https://` URL or a bare host.
pub(super) struct AuthorityHost;

impl Rule for AuthorityHost {
    fn check(text: &str) -> std::result::Result<(), Cow<'static, str>> {
        normal(text).map(|_| ()).ok_or_else(|| {
            "Write an https:// URL without user, query and fragment, such as https://login.microsoftonline.com.".into()
        })
    }
}

/// The URL without a slash at its end; a bare host gets its scheme.
fn normal(text: &str) -> Option<String> {
    let url =
        if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("https://{text}")) }.ok()?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.host_str().is_some();
    (url.scheme() == "https" && bare).then(|| url.as_str().trim_end_matches('/').to_owned())
}

impl Options {
    /// The cloud that is signed in to: the option, otherwise what the endpoint's suffix tells, otherwise
    /// the public one.
    pub fn effective_cloud(&self) -> Cloud {
        self.cloud()
            .or_else(|| self.endpoints().iter().find_map(crate::endpoint::Endpoint::cloud))
            .unwrap_or(Cloud::Public)
    }

    /// The scope of the tokens: the option, otherwise the cloud's.
    pub fn effective_scope(&self) -> &str {
        self.scope().unwrap_or_else(|| self.effective_cloud().scope())
    }

    /// Where Microsoft Entra ID is, an `https://` URL without a slash at its end: the option, otherwise
    /// the cloud's.
    ///
    /// [`ErrorCode::InvalidOption`] for a cloud of which no address is published.
    pub fn effective_authority_host(&self) -> Result<String> {
        if let Some(text) = self.authority_host() {
            return normal(text).ok_or_else(|| {
                Error::new(
                    ErrorCode::InvalidOption,
                    "The option authority_host is not an https:// URL.",
                    "Write a URL such as https://login.microsoftonline.com.",
                )
            });
        }
        let cloud = self.effective_cloud();
        cloud.authority_host().map(str::to_owned).ok_or_else(|| {
            Error::new(
                ErrorCode::InvalidOption,
                format!("No address of Microsoft Entra ID is known for the cloud {cloud}."),
                "Set the option authority_host (authorityHost=, or AZURE_AUTHORITY_HOST) to the address your cloud's operator gives.",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_goes_before_the_suffix_and_the_suffix_before_the_public_cloud() {
        let host = |text: &str| Options::parse(text).unwrap().effective_authority_host();
        assert_eq!(host("localhost").unwrap(), "https://login.microsoftonline.com");
        assert_eq!(host("a.redis.chinacloudapi.cn").unwrap(), "https://login.chinacloudapi.cn");
        assert_eq!(host("localhost,cloud=usgov").unwrap(), "https://login.microsoftonline.us");
        assert_eq!(
            host("a.redis.azure.net,authorityHost=login.test:8443/").unwrap(),
            "https://login.test:8443"
        );
        let error = host("a.redis.sovcloud-api.fr").unwrap_err();
        assert!(error.to_string().contains("authority_host"), "{error}");
        assert_eq!(
            Options::parse("localhost").unwrap().effective_scope(),
            "https://redis.azure.com/.default"
        );
        assert_eq!(Options::parse("localhost,scope=x/.default").unwrap().effective_scope(), "x/.default");
    }

    #[test]
    fn an_authority_without_encryption_is_refused() {
        for text in
            ["http://login.test", "https://user@login.test", "https://login.test/?a", "https://", "a b"]
        {
            assert!(AuthorityHost::check(text).is_err(), "{text}");
        }
    }
}
