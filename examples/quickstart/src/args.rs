//! What can be said on the command line. Secrets cannot: they come from the environment or a prompt.

use clap::{Parser, ValueEnum};
use std::fmt;
use std::path::PathBuf;

/// Sign in to an Azure Managed Redis cache with Microsoft Entra ID, use it every second, and watch the token
/// being replaced without losing a command.
///
/// What is not given is asked for when this runs on a terminal. Without one the endpoint comes from
/// `REDIS_HOST` and `REDIS_PORT`, and the sign-in is the access key if `REDIS_ACCESS_KEY` is set, otherwise `default`.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The cache's host name, `host:port`, or a connection string. Default: `REDIS_HOST` and `REDIS_PORT`.
    #[arg(long)]
    pub(crate) endpoint: Option<String>,
    /// How to sign in.
    #[arg(long, value_enum)]
    pub(crate) auth: Option<Method>,
    /// The application, or the user-assigned managed identity.
    #[arg(long, env = "AZURE_CLIENT_ID", hide_env_values = true)]
    pub(crate) client_id: Option<String>,
    /// The application's tenant.
    #[arg(long, env = "AZURE_TENANT_ID", hide_env_values = true)]
    pub(crate) tenant_id: Option<String>,
    /// The application's certificate with its key, PEM or PKCS#12; its password comes from
    /// `AZURE_CLIENT_CERTIFICATE_PASSWORD`.
    #[arg(long, env = "AZURE_CLIENT_CERTIFICATE_PATH", hide_env_values = true)]
    pub(crate) certificate: Option<String>,
    /// A PEM file of certificate authorities to trust beside the platform's, for the cache and for the sign-in.
    #[arg(long)]
    pub(crate) ca_file: Option<PathBuf>,
    /// Any further options, as in a connection string: `connectTimeout=3000,backlog=fail_fast`.
    #[arg(long, value_name = "NAME=VALUE,...")]
    pub(crate) options: Option<String>,
    /// End after so many seconds. Default: run until Ctrl-C.
    #[arg(long)]
    pub(crate) seconds: Option<u64>,
    /// Milliseconds between two rounds of a write and a read of the key `sample`.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) interval_ms: u64,
    /// So many workers beside it write and read keys of their own without a pause.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub(crate) load: u32,
    /// Fail unless a token was replaced meanwhile.
    #[arg(long)]
    pub(crate) expect_refresh: bool,
}

/// The ways to sign in, in the order of the .NET sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// `DefaultAzureCredential`: environment, workload identity, managed identity, developer tools, whichever works first.
    Default,
    /// A user-assigned managed identity.
    UserAssignedManagedIdentity,
    /// The system-assigned managed identity.
    SystemAssignedManagedIdentity,
    /// A service principal with a client secret.
    ServicePrincipalSecret,
    /// A service principal with a certificate.
    ServicePrincipalCertificate,
    /// A service principal with a certificate, trusted by subject name and issuer.
    ServicePrincipalCertificateSni,
    /// The cache's access key, without Microsoft Entra ID.
    AccessKey,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "DefaultAzureCredential",
            Self::UserAssignedManagedIdentity => "user-assigned managed identity",
            Self::SystemAssignedManagedIdentity => "system-assigned managed identity",
            Self::ServicePrincipalSecret => "service principal (secret)",
            Self::ServicePrincipalCertificate => "service principal (certificate)",
            Self::ServicePrincipalCertificateSni => "service principal (certificate, SendX5C)",
            Self::AccessKey => "access key",
        })
    }
}
