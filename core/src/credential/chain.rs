//! The default chain: the first kind of credential that works here, and from then on that one alone.

use super::answer::one_line;
use super::azure_cli::AzureCli;
use super::azure_developer_cli::AzureDeveloperCli;
use super::azure_powershell::AzurePowerShell;
use super::environment::FromEnvironment;
use super::kinds;
use super::managed_identity::{ManagedIdentity, ManagedIdentityId};
use super::workload_identity::{FromFile, WorkloadIdentity};
use super::{AccessToken, Credential, CredentialOptions, TokenFuture, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::timeout;

const NAME: &str = "default chain";

/// No tool may keep the others waiting for longer while it is not known to work.
const TOOL_TIMEOUT: Duration = Duration::from_secs(8);

/// The kinds in the order of .NET's `DefaultAzureCredential`: first those of servers, then the tools of developers.
const SERVERS: [&str; 3] = ["environment", "workload_identity", "managed_identity"];
const TOOLS: [&str; 3] = ["azure_cli", "azure_powershell", "azure_developer_cli"];

#[derive(Debug)]
struct Chain {
    links: Vec<Link>,
    /// The link that worked first.
    works: OnceLock<usize>,
}

#[derive(Debug)]
enum Link {
    /// One that is configured or not: if it is and fails, the chain ends there.
    Server(Arc<dyn TokenProvider>),
    /// One that first has to be looked for.
    Probed(Arc<ManagedIdentity>),
    /// One whose failures never hide the others.
    Tool(Arc<dyn TokenProvider>),
}

impl Credential {
    /// Whatever works here, in the order of .NET's `DefaultAzureCredential`: the
    /// [environment](Self::environment), [workload identity](Self::workload_identity), a
    /// [managed identity](Self::managed_identity) (the one that `AZURE_CLIENT_ID` names if it is set), the
    /// [Azure CLI](Self::azure_cli), [Azure PowerShell](Self::azure_powershell), the
    /// [Azure Developer CLI](Self::azure_developer_cli).
    ///
    /// The variable `AZURE_TOKEN_CREDENTIALS` (`prod`, `dev` or one kind's name) and
    /// [`CredentialOptions::exclude`] make it shorter. The first one that yields a token is kept. One that is not
    /// available here passes the turn on; one that is there and is refused does not, because a wrong secret must not
    /// be hidden by another identity. When none is available the error is a table of each with its reason and its
    /// remedy.
    ///
    /// Fails with [`ErrorCode::InvalidOption`] when `AZURE_TOKEN_CREDENTIALS` names nothing that is known.
    pub fn default_chain() -> Result<Self> {
        Self::default_chain_with(&CredentialOptions::default())
    }

    /// [`default_chain`](Self::default_chain) with options.
    pub fn default_chain_with(options: &CredentialOptions) -> Result<Self> {
        let http = options.http()?;
        let (chosen, alone) = chosen(options)?;
        let links = chosen
            .into_iter()
            .map(|kind| {
                Ok(match kind {
                    "environment" => Link::Server(Arc::new(FromEnvironment::new(options, Arc::clone(&http)))),
                    "workload_identity" => {
                        let mut identity = WorkloadIdentity::new();
                        if let Some(id) = &options.client_id {
                            identity = identity.client_id(id);
                        }
                        if let Some(tenant) = &options.tenant_id {
                            identity = identity.tenant_id(tenant);
                        }
                        Link::Server(Arc::new(FromFile::new(identity, options, Arc::clone(&http))))
                    }
                    "managed_identity" => {
                        let id =
                            options.client_id.clone().or_else(|| options.environment.get("AZURE_CLIENT_ID"));
                        let id = id.map_or(ManagedIdentityId::SystemAssigned, ManagedIdentityId::ClientId);
                        let identity = Arc::new(ManagedIdentity::new(id, options, Arc::clone(&http)));
                        if alone { Link::Server(identity) } else { Link::Probed(identity) }
                    }
                    "azure_cli" => Link::Tool(Arc::new(AzureCli::new(options)?)),
                    "azure_powershell" => Link::Tool(Arc::new(AzurePowerShell::new(options)?)),
                    _ => Link::Tool(Arc::new(AzureDeveloperCli::new(options)?)),
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self::from_provider(Arc::new(Chain { links, works: OnceLock::new() })))
    }
}

/// The kinds that the chain consists of, and whether it is one that was named.
fn chosen(options: &CredentialOptions) -> Result<(Vec<&'static str>, bool)> {
    let (name, set_by) =
        match (&options.token_credentials, options.environment.get("AZURE_TOKEN_CREDENTIALS")) {
            (Some(name), _) => (name.clone(), "token_credentials"),
            (None, Some(name)) => (name, "AZURE_TOKEN_CREDENTIALS"),
            (None, None) => (String::new(), ""),
        };
    let all = SERVERS.into_iter().chain(TOOLS);
    let name = name.trim();
    let (mut chosen, alone) = match name.to_ascii_lowercase().as_str() {
        "" => (all.collect(), false),
        "prod" => (SERVERS.to_vec(), false),
        "dev" => (TOOLS.to_vec(), false),
        _ => {
            let named = kinds::kind(name).ok();
            let Some(kind) = all.clone().find(|known| named.is_some_and(|kind| kind.name == *known)) else {
                return Err(unknown(set_by, name));
            };
            (vec![kind], true)
        }
    };
    for excluded in &options.excluded {
        let kind = kinds::kind(excluded)?;
        chosen.retain(|known| *known != kind.name);
    }
    if chosen.is_empty() {
        return Err(Error::new(
            ErrorCode::InvalidOption,
            "Every credential of the default chain is excluded.",
            "Leave one in, or name the credential to use.",
        ));
    }
    Ok((chosen, alone))
}

fn unknown(set_by: &str, name: &str) -> Error {
    let known: Vec<_> = SERVERS.into_iter().chain(TOOLS).collect();
    Error::new(
        ErrorCode::InvalidOption,
        format!("{set_by} is \"{}\", which the default chain does not have.", one_line(name)),
        format!(
            "Set it to prod, dev, or one of {}; the Azure SDKs' names (AzureCliCredential ...) are known too.",
            known.join(", ")
        ),
    )
}

impl CredentialOptions {
    /// Whether the default chain would look at the environment; what it cannot be made of is its own error.
    pub(crate) fn chain_has_environment(&self) -> bool {
        chosen(self).is_ok_and(|(kinds, _)| kinds.contains(&"environment"))
    }
}

impl Link {
    fn provider(&self) -> &dyn TokenProvider {
        match self {
            Self::Server(provider) | Self::Tool(provider) => &**provider,
            Self::Probed(identity) => &**identity,
        }
    }

    /// A token, or how this link failed and whether the turn passes on.
    async fn first_token(&self, request: &TokenRequest) -> Result<AccessToken, (Error, bool)> {
        match self {
            Self::Server(provider) => provider.token(request).await.map_err(passes_if_unavailable),
            Self::Probed(identity) => {
                identity.probe().await.map_err(|error| (error, true))?;
                identity.token(request).await.map_err(passes_if_unavailable)
            }
            Self::Tool(provider) => {
                let late = |_| {
                    let message = format!("It did not answer within {} s.", TOOL_TIMEOUT.as_secs());
                    let advice = "Run it by hand to see what it waits for.";
                    Err(Error::new(ErrorCode::CredentialUnavailable, message, advice))
                };
                let answer = timeout(TOOL_TIMEOUT, provider.token(request)).await;
                answer.unwrap_or_else(late).map_err(|error| (error, true))
            }
        }
    }
}

fn passes_if_unavailable(error: Error) -> (Error, bool) {
    let passes = error.code() == ErrorCode::CredentialUnavailable;
    (error, passes)
}

impl Chain {
    async fn ask(&self, request: &TokenRequest) -> Result<AccessToken> {
        if let Some(link) = self.works.get() {
            return self.links[*link].provider().token(request).await;
        }
        let mut failures = Vec::new();
        for (index, link) in self.links.iter().enumerate() {
            let name = link.provider().name();
            match link.first_token(request).await {
                Ok(token) => {
                    tracing::info!(credential = name, "the default chain found a credential that works");
                    let _ = self.works.set(index);
                    return Ok(token);
                }
                Err((error, false)) => return Err(error),
                Err((error, true)) => {
                    tracing::debug!(credential = name, %error, "the default chain goes on");
                    failures.push((name, error));
                }
            }
        }
        Err(none_works(&failures))
    }
}

/// One error of many: a table of each credential with its reason and its remedy.
fn none_works(failures: &[(&str, Error)]) -> Error {
    let width = failures.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut message = "No credential of the default chain is available here.".to_owned();
    for (name, error) in failures {
        let _ = write!(message, "\n  {name:width$} | {} | {}", error.message(), error.advice());
    }
    message.push('\n');
    Error::new(
        ErrorCode::CredentialUnavailable,
        message,
        "Remedy one of these, or name the credential to use.",
    )
}

impl TokenProvider for Chain {
    fn name(&self) -> &str {
        self.works.get().map_or(NAME, |link| self.links[*link].provider().name())
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
        let links = links
            .iter()
            .map(|link| super::Link::Server(Arc::clone(link) as Arc<dyn TokenProvider>))
            .collect();
        Chain { links, works: OnceLock::new() }
    }

    fn names(options: &CredentialOptions) -> Vec<&'static str> {
        chosen(options).unwrap().0
    }

    #[test]
    fn the_environment_and_exclusions_make_it_shorter() {
        let set = |name| CredentialOptions::new().in_environment(&[("AZURE_TOKEN_CREDENTIALS", name)]);
        let all = names(&set(""));
        assert_eq!(all, [SERVERS, TOOLS].concat());
        assert_eq!(names(&set("Prod")), SERVERS);
        assert_eq!(names(&set(" dev ")), TOOLS);
        for (name, kind) in [
            ("EnvironmentCredential", "environment"),
            ("workloadidentitycredential", "workload_identity"),
            ("ManagedIdentityCredential", "managed_identity"),
            ("AzureCliCredential", "azure_cli"),
            ("AzurePowerShellCredential", "azure_powershell"),
            ("AzureDeveloperCliCredential", "azure_developer_cli"),
            ("managed_identity", "managed_identity"),
        ] {
            assert_eq!(chosen(&set(name)).unwrap(), (vec![kind], true));
        }
        // What is said in code goes before the environment.
        assert_eq!(names(&set("dev").token_credentials("prod")), SERVERS);
        assert_eq!(
            names(&set("prod").exclude("environment").exclude("ManagedIdentityCredential")),
            ["workload_identity"]
        );
        for (options, says) in [
            (set("VisualStudioCodeCredential"), "VisualStudioCodeCredential"),
            (set("client_secret"), "client_secret"),
            (set("dev").exclude("azure_clo"), "azure_clo"),
            (set("azure_cli").exclude("azure_cli"), "excluded"),
        ] {
            let error = Credential::default_chain_with(&options).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidOption);
            assert!(error.message().contains(says) && !error.advice().is_empty(), "{error}");
        }
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
        assert!(
            error.message().contains("\n  a | a failed. | Mend a.\n  b | b failed. | Mend b.\n"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_refusal_is_not_hidden_by_the_next_credential() {
        let (first, second) = (link("a", Some(ErrorCode::SignInRefused)), link("b", None));
        let error = chain(&[&first, &second]).ask(&request()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::SignInRefused);
    }

    #[tokio::test]
    async fn outside_azure_it_ends_within_seconds_and_names_them_all() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = CredentialOptions::new()
            .in_environment(&[("PATH", "/nowhere")])
            .metadata_host(format!("http://127.0.0.1:{port}"));
        let credential = Credential::default_chain_with(&options).unwrap();
        let error = credential.into_provider().token(&request()).await.unwrap_err();
        assert!(!error.is_retryable());
        let table: Vec<_> =
            error.message().lines().skip(1).map(|row| row.split(" | ").collect::<Vec<_>>()).collect();
        let parts = [
            "AZURE_CLIENT_SECRET",
            "AZURE_FEDERATED_TOKEN_FILE",
            "127.0.0.1",
            "az login",
            "Connect-AzAccount",
            "azd auth login",
        ];
        assert_eq!(table.len(), parts.len(), "{error}");
        for (row, part) in table.iter().zip(parts) {
            assert!(row.len() == 3 && row.concat().contains(part), "{row:?}");
        }
    }
}
