//! Who exists: tenants, service principals, managed identities and the user of the stand-in `az`.

use std::collections::BTreeSet;

use parking_lot::RwLock;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A fresh GUID.
pub(crate) fn guid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A fresh secret of 64 hexadecimal digits.
pub(crate) fn secret() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

/// An application with its service principal in a tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServicePrincipal {
    /// The tenant it lives in.
    pub tenant: String,
    /// The application (client) id.
    pub client_id: String,
    /// The object id of the service principal: the user name for Redis.
    pub oid: String,
    /// Its client secrets; any of them is accepted.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Certificates it may sign assertions with, PEM.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// Certificates that are trusted by subject name and issuer, PEM: accepted if the assertion brings them along
    /// (`x5c`).
    #[serde(default)]
    pub certificates_by_name: Vec<String>,
    /// Subjects of the emulator's own issuer of federated tokens that may act as this application.
    #[serde(default)]
    pub federated_subjects: Vec<String>,
}

impl ServicePrincipal {
    /// A new one with random ids and one random secret.
    pub fn random(tenant: impl Into<String>) -> Self {
        Self {
            tenant: tenant.into(),
            client_id: guid(),
            oid: guid(),
            secrets: vec![secret()],
            certificates: Vec::new(),
            certificates_by_name: Vec::new(),
            federated_subjects: Vec::new(),
        }
    }

    /// The registered certificates, DER; with `by_name`, those that are trusted by name too.
    pub(crate) fn certificates_der(
        &self,
        by_name: bool,
    ) -> impl Iterator<Item = (&str, CertificateDer<'static>)> {
        let by_name = if by_name { &self.certificates_by_name[..] } else { &[] };
        self.certificates
            .iter()
            .chain(by_name)
            .filter_map(|pem| Some((pem.as_str(), CertificateDer::from_pem_slice(pem.as_bytes()).ok()?)))
    }
}

/// An identity that Azure manages for a resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// Its client id.
    pub client_id: String,
    /// Its object (principal) id: the user name for Redis.
    pub oid: String,
    /// Its Azure resource id.
    pub resource_id: String,
    /// Whether it is the one that answers when no identity is named.
    pub system_assigned: bool,
}

/// The user who is signed in to the stand-in `az`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CliUser {
    /// The user principal name.
    pub name: String,
    /// The object id: the user name for Redis.
    pub oid: String,
    /// The subscription `az` reports.
    pub subscription: String,
}

/// Whom a token is for, whatever kind of identity it is.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) tenant: String,
    pub(crate) client_id: String,
    pub(crate) oid: String,
    pub(crate) kind: SubjectKind,
}

#[derive(Clone, Debug)]
pub(crate) enum SubjectKind {
    ServicePrincipal,
    ManagedIdentity { resource_id: String },
    User { name: String },
}

/// The client id of the Azure CLI, which every user's token from `az` carries.
const AZURE_CLI_CLIENT_ID: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";

/// The subject of the emulator's service connection of Azure Pipelines.
pub(crate) const SERVICE_CONNECTION: &str = "sc://emulator/project/connection";

/// Every identity the emulator knows.
pub(crate) struct Directory {
    tenant: String,
    service_principals: RwLock<Vec<ServicePrincipal>>,
    managed_identities: RwLock<Vec<ManagedIdentity>>,
    pub(crate) cli_user: CliUser,
}

impl Directory {
    /// One tenant, one service principal, a system-assigned and a user-assigned identity, one user.
    pub(crate) fn new() -> Self {
        let tenant = guid();
        let subscription = guid();
        let group = format!("/subscriptions/{subscription}/resourceGroups/emulator/providers");
        let managed = |system_assigned, resource: &str| ManagedIdentity {
            client_id: guid(),
            oid: guid(),
            resource_id: format!("{group}/{resource}"),
            system_assigned,
        };
        let mut principal = ServicePrincipal::random(&tenant);
        principal.federated_subjects.push("system:serviceaccount:default:emulator".into());
        principal.federated_subjects.push(SERVICE_CONNECTION.into());
        Self {
            service_principals: RwLock::new(vec![principal]),
            managed_identities: RwLock::new(vec![
                managed(true, "Microsoft.Compute/virtualMachines/emulator"),
                managed(false, "Microsoft.ManagedIdentity/userAssignedIdentities/emulator"),
            ]),
            cli_user: CliUser { name: "user@emulator.test".into(), oid: guid(), subscription },
            tenant,
        }
    }

    pub(crate) fn tenant(&self) -> &str {
        &self.tenant
    }

    pub(crate) fn tenant_exists(&self, tenant: &str) -> bool {
        tenant == self.tenant || self.service_principals.read().iter().any(|known| known.tenant == tenant)
    }

    /// The service principal of the start; it stays first.
    pub(crate) fn default_principal(&self) -> ServicePrincipal {
        self.service_principals.read()[0].clone()
    }

    pub(crate) fn service_principal(&self, tenant: &str, client_id: &str) -> Option<ServicePrincipal> {
        let principals = self.service_principals.read();
        principals.iter().find(|known| known.tenant == tenant && known.client_id == client_id).cloned()
    }

    /// Adds a service principal, or replaces the one with its client id.
    pub(crate) fn put_service_principal(&self, principal: ServicePrincipal) {
        let mut principals = self.service_principals.write();
        match principals.iter_mut().find(|known| known.client_id == principal.client_id) {
            Some(known) => *known = principal,
            None => principals.push(principal),
        }
    }

    /// Changes the service principal with this client id.
    pub(crate) fn edit_service_principal(
        &self,
        client_id: &str,
        change: impl FnOnce(&mut ServicePrincipal),
    ) -> Result<(), Error> {
        let mut principals = self.service_principals.write();
        let known = principals.iter_mut().find(|known| known.client_id == client_id);
        change(known.ok_or_else(|| Error::UnknownIdentity(client_id.into()))?);
        Ok(())
    }

    pub(crate) fn managed_identities(&self) -> Vec<ManagedIdentity> {
        self.managed_identities.read().clone()
    }

    pub(crate) fn put_managed_identity(&self, identity: ManagedIdentity) {
        let mut identities = self.managed_identities.write();
        identities.retain(|known| known.client_id != identity.client_id);
        identities.push(identity);
    }

    /// Whom this object id belongs to.
    pub(crate) fn subject(&self, oid: &str) -> Option<Subject> {
        if oid == self.cli_user.oid {
            return Some(self.cli_subject());
        }
        let principal =
            self.service_principals.read().iter().find(|known| known.oid == oid).map(Subject::from);
        principal.or_else(|| {
            let identities = self.managed_identities.read();
            identities.iter().find(|known| known.oid == oid).map(|identity| self.managed_subject(identity))
        })
    }

    pub(crate) fn managed_subject(&self, identity: &ManagedIdentity) -> Subject {
        Subject {
            tenant: self.tenant.clone(),
            client_id: identity.client_id.clone(),
            oid: identity.oid.clone(),
            kind: SubjectKind::ManagedIdentity { resource_id: identity.resource_id.clone() },
        }
    }

    pub(crate) fn cli_subject(&self) -> Subject {
        Subject {
            tenant: self.tenant.clone(),
            client_id: AZURE_CLI_CLIENT_ID.into(),
            oid: self.cli_user.oid.clone(),
            kind: SubjectKind::User { name: self.cli_user.name.clone() },
        }
    }

    /// The object ids of all identities of the start: those the cache is granted to.
    pub(crate) fn oids(&self) -> BTreeSet<String> {
        let principals =
            self.service_principals.read().iter().map(|known| known.oid.clone()).collect::<Vec<_>>();
        let managed =
            self.managed_identities.read().iter().map(|known| known.oid.clone()).collect::<Vec<_>>();
        principals.into_iter().chain(managed).chain([self.cli_user.oid.clone()]).collect()
    }
}

impl From<&ServicePrincipal> for Subject {
    fn from(principal: &ServicePrincipal) -> Self {
        Self {
            tenant: principal.tenant.clone(),
            client_id: principal.client_id.clone(),
            oid: principal.oid.clone(),
            kind: SubjectKind::ServicePrincipal,
        }
    }
}
