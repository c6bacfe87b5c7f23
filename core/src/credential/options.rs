//! What can be set on every kind of credential, and the environment they read.

use super::answer::one_line;
use super::http::Http;
use crate::error::{Error, ErrorCode, Result};
use reqwest::Url;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The authority of Azure's public cloud.
pub const AUTHORITY_PUBLIC: &str = "https://login.microsoftonline.com";
/// The authority of Azure Government.
pub const AUTHORITY_US_GOVERNMENT: &str = "https://login.microsoftonline.us";
/// The authority of Azure operated by 21Vianet in China.
pub const AUTHORITY_CHINA: &str = "https://login.chinacloudapi.cn";

/// Options that every kind of credential understands. Every default suits production.
#[derive(Clone, Debug)]
pub struct CredentialOptions {
    authority_host: Option<String>,
    metadata_host: Option<String>,
    ca_certificates: Vec<u8>,
    pub(super) tenant_id: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) excluded: Vec<String>,
    pub(super) token_credentials: Option<String>,
    pub(super) arc_token_directory: Option<PathBuf>,
    pub(super) connect_timeout: Duration,
    pub(super) environment: Environment,
}

impl Default for CredentialOptions {
    fn default() -> Self {
        Self {
            authority_host: None,
            metadata_host: None,
            ca_certificates: Vec::new(),
            tenant_id: None,
            client_id: None,
            excluded: Vec::new(),
            token_credentials: None,
            arc_token_directory: None,
            connect_timeout: Duration::from_secs(5),
            environment: Environment::default(),
        }
    }
}

impl CredentialOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where Microsoft Entra ID is asked, an `https` URL; default the variable `AZURE_AUTHORITY_HOST`, then
    /// [`AUTHORITY_PUBLIC`].
    pub fn authority_host(mut self, url: impl Into<String>) -> Self {
        self.authority_host = Some(url.into());
        self
    }

    /// Where the instance metadata service is asked, as `http://host:port`; default the variable
    /// `AZURE_POD_IDENTITY_AUTHORITY_HOST`, then `http://169.254.169.254`.
    pub fn metadata_host(mut self, url: impl Into<String>) -> Self {
        self.metadata_host = Some(url.into());
        self
    }

    /// Certificate authorities, in PEM, that are trusted for the token endpoint in addition to the platform's:
    /// for proxies that open TLS.
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates = pem.into();
        self
    }

    /// The tenant that the developer tools are asked for; default their own. Other kinds name their tenant
    /// themselves.
    pub fn tenant_id(mut self, tenant_id: impl Into<String>) -> Self {
        self.tenant_id = Some(tenant_id.into());
        self
    }

    /// The user-assigned managed identity, or the workload identity, that the default chain uses; default the
    /// variable `AZURE_CLIENT_ID`. Other kinds name theirs themselves.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// A kind of credential, by its name in [`kinds`](fn@super::kinds), that the default chain leaves out; may be called for
    /// several.
    pub fn exclude(mut self, kind: impl Into<String>) -> Self {
        self.excluded.push(kind.into());
        self
    }

    /// What the default chain consists of: `prod`, `dev`, or one kind by its name here (`managed_identity`) or in
    /// the Azure SDKs (`ManagedIdentityCredential`); default the variable `AZURE_TOKEN_CREDENTIALS`, then all.
    pub fn token_credentials(mut self, name: impl Into<String>) -> Self {
        self.token_credentials = Some(name.into());
        self
    }

    /// Where the agent of Azure Arc keeps its keys, if not in `/var/opt/azcmagent/tokens` (on Windows
    /// `%ProgramData%\AzureConnectedMachineAgent\Tokens`): no other file is ever shown to it.
    pub fn arc_token_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.arc_token_directory = Some(path.into());
        self
    }

    /// Where variables of the environment are looked up; default the process' own. For programs that keep such
    /// settings elsewhere.
    pub fn environment(mut self, lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.environment = Environment(Arc::new(lookup));
        self
    }

    /// How long the TCP and TLS connection to a token endpoint may take; default 5 s. The whole attempt is
    /// bounded by the token source.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The HTTP clients of one credential, built when first used. Fails with [`ErrorCode::InvalidOption`] when
    /// the CA certificates cannot be read.
    pub(super) fn http(&self) -> Result<Arc<Http>> {
        Ok(Arc::new(Http::new(&self.ca_certificates, self.connect_timeout)?))
    }

    /// The authority to ask. Fails with [`ErrorCode::InvalidOption`] unless it is an `https` URL.
    pub(super) fn authority(&self) -> Result<String> {
        let (text, set_by) = match (&self.authority_host, self.environment.get("AZURE_AUTHORITY_HOST")) {
            (Some(option), _) => (option.clone(), "authority_host"),
            (None, Some(variable)) => (variable, "AZURE_AUTHORITY_HOST"),
            (None, None) => return Ok(AUTHORITY_PUBLIC.to_owned()),
        };
        let text = if text.contains("://") { text } else { format!("https://{text}") };
        match Url::parse(&text) {
            Ok(url) if url.scheme() == "https" && url.has_host() => Ok(text),
            _ => Err(Error::new(
                ErrorCode::InvalidOption,
                format!("{set_by} is \"{text}\", which is not an https URL."),
                format!("Set it to the authority of your cloud, such as {AUTHORITY_PUBLIC}."),
            )),
        }
    }

    fn given_metadata(&self) -> Option<String> {
        self.metadata_host.clone().or_else(|| self.environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST"))
    }

    /// Whether somebody said where the instance metadata service is.
    pub(super) fn metadata_is_given(&self) -> bool {
        self.given_metadata().is_some()
    }

    /// The instance metadata service to ask.
    pub(super) fn metadata(&self) -> String {
        self.given_metadata().unwrap_or_else(|| "http://169.254.169.254".to_owned())
    }
}

/// Refuses what cannot be a tenant before anything is sent: it would end up in the URL.
pub(super) fn check_tenant(tenant_id: &str) -> Result<()> {
    let is_guid = || {
        let lengths = tenant_id.split('-').map(str::len);
        lengths.eq([8, 4, 4, 4, 12]) && tenant_id.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
    };
    let is_domain = || {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let good = |label: &str| !label.is_empty() && label.chars().all(allowed);
        tenant_id.contains('.') && tenant_id.split('.').all(good)
    };
    if is_guid() || is_domain() {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::InvalidOption,
        format!("\"{}\" is not a tenant id: neither a GUID nor a domain.", one_line(tenant_id)),
        "Use the directory (tenant) id or a domain of it, as the Azure portal shows it under Microsoft Entra ID.",
    ))
}

/// The process' environment; tests bring their own.
#[derive(Clone)]
pub(super) struct Environment(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// The variable's value, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self(Arc::new(|name| std::env::var(name).ok()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

#[cfg(test)]
impl CredentialOptions {
    /// The same options in an environment of exactly these variables.
    pub(super) fn in_environment(self, variables: &[(&str, &str)]) -> Self {
        let variables: std::collections::HashMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.environment(move |name| variables.get(name).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_wins_over_the_environment_over_the_public_cloud() {
        let set = [("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")];
        assert_eq!(CredentialOptions::new().in_environment(&[]).authority().unwrap(), AUTHORITY_PUBLIC);
        let options = CredentialOptions::new().in_environment(&set);
        assert_eq!(options.authority().unwrap(), AUTHORITY_US_GOVERNMENT);
        assert_eq!(options.authority_host(AUTHORITY_CHINA).authority().unwrap(), AUTHORITY_CHINA);
    }

    #[test]
    fn an_authority_without_tls_is_refused() {
        for text in ["http://login.example", "https://", "ftp://x"] {
            let error = CredentialOptions::new().authority_host(text).authority().unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidOption);
        }
    }

    #[test]
    fn a_tenant_that_could_change_the_url_is_refused() {
        for text in ["", "a/b", "a b", "..%2f", "a?b", "töchter", "tenant", "a..b", "72f988bf-86f1-41af-91ab"]
        {
            assert_eq!(check_tenant(text).unwrap_err().code(), ErrorCode::InvalidOption, "{text}");
        }
        check_tenant("72f988bf-86f1-41af-91ab-2d7cd011db47").unwrap();
        check_tenant("contoso.onmicrosoft.com").unwrap();
    }
}
