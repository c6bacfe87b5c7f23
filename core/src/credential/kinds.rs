//! Credentials by the name of their kind and the names of their options: for languages that have no types for them.

use super::{Credential, CredentialOptions, ManagedIdentityId};
use crate::error::{Error, ErrorCode, Result};

/// Each kind with its options.
const KINDS: &[(&str, &[&str])] = &[
    ("default", COMMON),
    ("environment", COMMON),
    ("client_secret", &["tenant_id", "client_id", "client_secret", "authority_host", "ca_certificates"]),
    ("managed_identity", &["client_id", "object_id", "resource_id", "metadata_host", "ca_certificates"]),
    ("azure_cli", &["tenant_id"]),
];

const COMMON: &[&str] = &["tenant_id", "authority_host", "metadata_host", "ca_certificates"];

impl Credential {
    /// Fails with [`ErrorCode::InvalidOption`] unless there is a kind of this name.
    pub fn check_kind(kind: &str) -> Result<()> {
        options(kind).map(|_| ())
    }

    /// Fails with [`ErrorCode::InvalidOption`] unless the kind has an option of this name.
    pub fn check_option(kind: &str, option: &str) -> Result<()> {
        let known = options(kind)?;
        if known.contains(&option) {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::InvalidOption,
            format!("The credential {kind} has no option \"{option}\"."),
            format!("It has {}.", known.join(", ")),
        ))
    }

    /// A credential of a kind with options, all by their names.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOption`]: an unknown kind or option, or one that is missing or malformed.
    pub fn of_kind(kind: &str, options: &[(&str, &str)]) -> Result<Self> {
        Self::check_kind(kind)?;
        for (name, _) in options {
            Self::check_option(kind, name)?;
        }
        let get = |name: &str| options.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let need = |name: &str| {
            get(name).ok_or_else(|| {
                Error::new(
                    ErrorCode::InvalidOption,
                    format!("The credential {kind} needs {name}."),
                    "Set the option.",
                )
            })
        };
        let mut with = CredentialOptions::new();
        if let Some(tenant) = get("tenant_id") {
            with = with.tenant_id(tenant);
        }
        if let Some(host) = get("authority_host") {
            with = with.authority_host(host);
        }
        if let Some(host) = get("metadata_host") {
            with = with.metadata_host(host);
        }
        if let Some(pem) = get("ca_certificates") {
            with = with.ca_certificates(pem);
        }
        match kind {
            "environment" => Self::environment_with(&with),
            "client_secret" => Self::client_secret_with(
                need("tenant_id")?,
                need("client_id")?,
                need("client_secret")?,
                &with,
            ),
            "managed_identity" => {
                let id = match (get("client_id"), get("object_id"), get("resource_id")) {
                    (None, None, None) => ManagedIdentityId::SystemAssigned,
                    (Some(id), None, None) => ManagedIdentityId::ClientId(id.to_owned()),
                    (None, Some(id), None) => ManagedIdentityId::ObjectId(id.to_owned()),
                    (None, None, Some(id)) => ManagedIdentityId::ResourceId(id.to_owned()),
                    _ => {
                        return Err(Error::new(
                            ErrorCode::InvalidOption,
                            "A managed identity is named in more than one way.",
                            "Set one of client_id, object_id and resource_id.",
                        ));
                    }
                };
                Self::managed_identity_with(id, &with)
            }
            "azure_cli" => Self::azure_cli_with(&with),
            _ => Self::default_chain_with(&with),
        }
    }
}

fn options(kind: &str) -> Result<&'static [&'static str]> {
    KINDS.iter().find(|(name, _)| *name == kind).map(|(_, options)| *options).ok_or_else(|| {
        let known: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
        Error::new(
            ErrorCode::InvalidOption,
            format!("There is no kind of credential \"{}\".", kind.escape_debug()),
            format!("The kinds are {}.", known.join(", ")),
        )
    })
}
