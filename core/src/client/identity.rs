//! Who signs in, and how it follows from the options.

use crate::credential::{Credential, CredentialOptions};
use crate::endpoint::Cloud;
use crate::error::{Error, ErrorCode, Result};
use crate::options::Options;
use crate::token::{TokenSource, TokenSourceOptions, UserName};

/// Who signs in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Identity {
    /// Microsoft Entra ID, with a source of tokens for this client alone.
    Credential(Credential),
    /// Microsoft Entra ID, by a source of tokens that other clients may share: one request per refresh.
    TokenSource(TokenSource),
    /// Microsoft Entra ID; where no token can be had when the client connects, the access key that the options hold.
    ///
    /// The choice is made once, within the time to connect, and holds as long as the client does; a fallback is a
    /// warning in the log. A token that the cache refuses is an error and no reason to fall back: then the identity
    /// lacks access, and a key would hide it.
    EntraOrAccessKey(Credential),
    /// The access key, or the password of an ACL user, that the options hold; nobody if they hold none.
    AccessKey,
}

impl From<Credential> for Identity {
    fn from(credential: Credential) -> Self {
        Self::Credential(credential)
    }
}

impl From<TokenSource> for Identity {
    fn from(source: TokenSource) -> Self {
        Self::TokenSource(source)
    }
}

impl Identity {
    /// The identity that the options describe: the access key if `password` is set, a client secret if
    /// `tenant_id`, `client_id` and `client_secret` are, otherwise the default chain. With `access_key_fallback` the
    /// access key comes last.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOption`] when the identity's options are incomplete or malformed.
    pub fn from_options(options: &Options) -> Result<Self> {
        match (options.password().is_some(), options.access_key_fallback()) {
            (true, false) => Ok(Self::AccessKey),
            (true, true) => Self::entra(options).map(Self::EntraOrAccessKey),
            (false, false) => Self::entra(options).map(Self::Credential),
            (false, true) => Err(Error::new(
                ErrorCode::InvalidOption,
                "The option access_key_fallback is set without an access key.",
                "Set password (REDIS_ACCESS_KEY) as well, or remove access_key_fallback.",
            )),
        }
    }

    fn entra(options: &Options) -> Result<Credential> {
        let with = options.credential_options()?;
        // Who names another kind does not mean the secret that happens to be there.
        let secret = options.client_secret().filter(|_| with.chain_has_environment());
        match (secret, options.tenant_id(), options.client_id()) {
            (Some(secret), Some(tenant), Some(client)) => {
                Credential::client_secret_with(tenant, client, secret.clone(), &with)
            }
            (Some(_), _, _) => Err(Error::new(
                ErrorCode::InvalidOption,
                "A client_secret needs tenant_id and client_id beside it.",
                "Set AZURE_TENANT_ID and AZURE_CLIENT_ID, or the options of these names.",
            )),
            (None, _, _) => Credential::default_chain_with(&with),
        }
    }
}

impl Options {
    /// How credentials reach Microsoft Entra ID: authority, tenant and additional certificate authorities, and what
    /// the default chain consists of.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOption`]: `token_ca_file` cannot be read, or the cloud's authority is not known.
    pub fn credential_options(&self) -> Result<CredentialOptions> {
        let mut with = CredentialOptions::new();
        if self.authority_host().is_some() || self.effective_cloud() != Cloud::Public {
            with = with.authority_host(self.effective_authority_host()?);
        }
        if let Some(tenant) = self.tenant_id() {
            with = with.tenant_id(tenant);
        }
        if let Some(client) = self.client_id() {
            with = with.client_id(client);
        }
        if let Some(name) = self.token_credentials() {
            with = with.token_credentials(name);
        }
        if let Some(path) = self.token_ca_file() {
            with = with.ca_certificates(super::connect::read_pem("token_ca_file", path)?);
        }
        Ok(with)
    }

    /// Scope, user name and refresh figures for a [`TokenSource`].
    pub fn token_source_options(&self) -> TokenSourceOptions {
        let options = TokenSourceOptions::new()
            .scope(self.effective_scope())
            .refresh_ratio(self.refresh_ratio())
            .refresh_jitter(self.refresh_jitter())
            .refresh_margin(self.refresh_margin())
            .retry_min(self.refresh_retry_min())
            .retry_max(self.refresh_retry_max())
            .request_timeout(self.token_request_timeout());
        match self.user_name() {
            Some(user) => options.user_name(UserName::Fixed(user.into())),
            None => options,
        }
    }
}
