//! The default chain: the first kind of credential that works here, and from then on that one alone.

use super::azure_cli::AzureCli;
use super::environment::FromEnvironment;
use super::managed_identity::{ManagedIdentity, ManagedIdentityId};
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::timeout;

const NAME: &str = "default chain";

/// No link may keep the others waiting for longer while it is not known to work.
const LINK_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Chain {
    links: Vec<Arc<dyn TokenProvider>>,
    /// The link that worked first.
    works: OnceLock<usize>,
}

impl Credential {
    /// Whatever works here, in the order of .NET's `DefaultAzureCredential`: the
    /// [environment](Self::environment), a [managed identity](Self::managed_identity) (the one that
    /// `AZURE_CLIENT_ID` names if it is set), the [Azure CLI](Self::azure_cli).
    ///
    /// The first one that yields a token is kept. One that is not available here passes the turn on; one that
    /// is there and is refused does not, because a wrong secret must not be hidden by another identity. When
    /// none is available the error lists each with its reason and its remedy.
    pub fn default_chain() -> Result<Self> {
        Self::default_chain_with(&CredentialOptions::default())
    }

    /// [`default_chain`](Self::default_chain) with options.
    pub fn default_chain_with(options: &CredentialOptions) -> Result<Self> {
        let http = options.http()?;
        let id = options
            .environment
            .get("AZURE_CLIENT_ID")
            .map_or(ManagedIdentityId::SystemAssigned, ManagedIdentityId::ClientId);
        Ok(Self::from_provider(Arc::new(Chain {
            links: vec![
                Arc::new(FromEnvironment::new(options, Arc::clone(&http))),
                Arc::new(ManagedIdentity::new(id, options, http)),
                Arc::new(AzureCli::new(options)?),
            ],
            works: OnceLock::new(),
        })))
    }
}

impl Chain {
    async fn ask(&self, request: &TokenRequest) -> Result<AccessToken> {
        if let Some(link) = self.works.get() {
            return self.links[*link].token(request).await;
        }
        let mut failures = Vec::new();
        for (index, link) in self.links.iter().enumerate() {
            let error = match timeout(LINK_TIMEOUT, link.token(request)).await {
                Ok(Ok(token)) => {
                    tracing::info!(
                        credential = link.name(),
                        "the default chain found a credential that works"
                    );
                    let _ = self.works.set(index);
                    return Ok(token);
                }
                Ok(Err(error)) if error.code() != ErrorCode::CredentialUnavailable => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => Error::new(
                    ErrorCode::CredentialUnavailable,
                    format!("It did not answer within {} s.", LINK_TIMEOUT.as_secs()),
                    "",
                ),
            };
            failures.push((link.name(), error));
        }
        Err(none_works(&failures))
    }
}

/// One error of many: each credential with its reason and its remedy.
fn none_works(failures: &[(&str, Error)]) -> Error {
    let reasons: Vec<_> = failures.iter().map(|(name, error)| format!("[{name}] {error}")).collect();
    Error::new(
        ErrorCode::CredentialUnavailable,
        format!("No credential of the default chain is available here. {}", reasons.join(" ")),
        "Remedy one of these, or name the credential to use.",
    )
}

impl TokenProvider for Chain {
    fn name(&self) -> &str {
        self.works.get().map_or(NAME, |link| self.links[*link].name())
    }

    fn token<'a>(&'a self, request: &'a TokenRequest) -> TokenFuture<'a> {
        Box::pin(self.ask(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::time::SystemTime;

    /// Answers with its own error until it is given a token.
    #[derive(Debug)]
    struct Link {
        name: &'static str,
        error: Mutex<Option<Error>>,
        calls: Mutex<u32>,
    }

    impl TokenProvider for Link {
        fn name(&self) -> &str {
            self.name
        }

        fn token<'a>(&'a self, _: &'a TokenRequest) -> TokenFuture<'a> {
            *self.calls.lock() += 1;
            let answer = match self.error.lock().clone() {
                Some(error) => Err(error),
                None => Ok(AccessToken { secret: self.name.into(), expires_at: SystemTime::UNIX_EPOCH }),
            };
            Box::pin(std::future::ready(answer))
        }
    }

    fn link(name: &'static str, error: Option<ErrorCode>) -> Arc<Link> {
        let error = error.map(|code| Error::new(code, format!("{name} failed."), format!("Mend {name}.")));
        Arc::new(Link { name, error: Mutex::new(error), calls: Mutex::default() })
    }

    fn chain(links: &[&Arc<Link>]) -> Chain {
        let links = links.iter().map(|link| Arc::clone(link) as Arc<dyn TokenProvider>).collect();
        Chain { links, works: OnceLock::new() }
    }

    fn request() -> TokenRequest {
        TokenRequest { scope: "https://redis.azure.com/.default".into(), force: false }
    }

    const UNAVAILABLE: Option<ErrorCode> = Some(ErrorCode::CredentialUnavailable);

    #[tokio::test]
    async fn the_first_that_works_is_kept() {
        let (first, second, third) = (link("a", UNAVAILABLE), link("b", None), link("c", None));
        let chain = chain(&[&first, &second, &third]);
        assert_eq!(chain.name(), "default chain");
        for _ in 0..3 {
            assert_eq!(chain.ask(&request()).await.unwrap().secret.expose(), "b");
        }
        assert_eq!((*first.calls.lock(), *second.calls.lock(), *third.calls.lock()), (1, 3, 0));
        assert_eq!(chain.name(), "b");
        *second.error.lock() = Some(Error::new(ErrorCode::CredentialUnavailable, "Gone.", ""));
        assert_eq!(chain.ask(&request()).await.unwrap_err().message(), "Gone.");
        assert_eq!(*third.calls.lock(), 0);
    }

    #[tokio::test]
    async fn when_none_works_one_error_lists_each_with_reason_and_remedy() {
        let (first, second) = (link("a", UNAVAILABLE), link("b", UNAVAILABLE));
        let error = chain(&[&first, &second]).ask(&request()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
        assert!(error.message().contains("[a] a failed. Mend a. [b] b failed. Mend b."), "{error}");
    }

    #[tokio::test]
    async fn a_refusal_is_not_hidden_by_the_next_credential() {
        let (first, second) = (link("a", Some(ErrorCode::SignInRefused)), link("b", None));
        let error = chain(&[&first, &second]).ask(&request()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::SignInRefused);
    }

    #[tokio::test]
    async fn outside_azure_it_ends_within_seconds_and_names_all_three() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = CredentialOptions::new()
            .in_environment(&[("PATH", "/nowhere")])
            .metadata_host(format!("http://127.0.0.1:{port}"));
        let credential = Credential::default_chain_with(&options).unwrap();
        let error = credential.into_provider().token(&request()).await.unwrap_err();
        assert!(!error.is_retryable());
        for part in ["[environment]", "AZURE_TENANT_ID", "[managed identity]", "[Azure CLI]", "az login"] {
            assert!(error.message().contains(part), "{part} in {error}");
        }
    }
}
