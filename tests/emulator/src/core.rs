//! What can be asked of a running emulator; the handle and the control endpoint both speak to this.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use crate::{
    ca::{CertificateAuthority, ClientCertificate, client_certificate},
    cache::FULL_ACCESS,
    entra::assertion::{EXCHANGE_AUDIENCE, issuer},
    error::Error,
    faults::Faults,
    gateway::Gateway,
    identity::{ManagedIdentity, ServicePrincipal},
    options::{GatewayCertificate, Profile},
    redis_server::{Action, Order, set_user},
    state::Shared,
    stats::{Stats, now},
    tls,
    token::{IssuedToken, TokenOverrides, federation_key, whole_seconds},
};

/// A running emulator, without its thread.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) ca: CertificateAuthority,
    pub(crate) orders: mpsc::UnboundedSender<Order>,
}

impl Core {
    pub(crate) fn faults(&self) -> Faults {
        Faults { shared: self.shared.clone() }
    }

    pub(crate) fn grant(&self, oid: &str, rules: &str) -> Result<(), Error> {
        self.shared.cache.grant(oid, rules);
        set_user(&self.shared, oid, rules)
    }

    /// Registers a service principal and grants it the cache.
    pub(crate) fn put_service_principal(&self, principal: ServicePrincipal) -> Result<(), Error> {
        let oid = principal.oid.clone();
        self.shared.directory.put_service_principal(principal);
        self.grant(&oid, FULL_ACCESS)
    }

    /// Registers a managed identity and grants it the cache.
    pub(crate) fn put_managed_identity(&self, identity: ManagedIdentity) -> Result<(), Error> {
        let oid = identity.oid.clone();
        self.shared.directory.put_managed_identity(identity);
        self.grant(&oid, FULL_ACCESS)
    }

    /// A new certificate that this client may sign in with from now on.
    pub(crate) fn client_certificate(&self, client_id: &str) -> Result<ClientCertificate, Error> {
        let (certificate, _) = client_certificate(client_id)?;
        self.shared.directory.edit_service_principal(client_id, |principal| {
            principal.certificates.push(certificate.certificate_pem.clone());
        })?;
        Ok(certificate)
    }

    pub(crate) fn issue_token(
        &self,
        oid: &str,
        lifetime: Duration,
        overrides: &TokenOverrides,
    ) -> Result<IssuedToken, Error> {
        let subject = self.shared.directory.subject(oid).ok_or_else(|| Error::UnknownIdentity(oid.into()))?;
        self.shared.tokens.issue(&subject, crate::token::RESOURCE, lifetime, overrides)
    }

    /// A federated token as Kubernetes projects it into a pod.
    pub(crate) fn federated_token(&self, subject: &str, lifetime: Duration) -> Result<String, Error> {
        let now = now();
        federation_key()?.sign(&serde_json::json!({
            "iss": issuer(&self.shared), "sub": subject, "aud": EXCHANGE_AUDIENCE,
            "iat": whole_seconds(now), "nbf": whole_seconds(now),
            "exp": whole_seconds((now + lifetime.as_secs_f64()).ceil()),
        }))
    }

    /// Opens another gateway; returns its port.
    pub(crate) async fn open_gateway(&self, certificate: GatewayCertificate) -> Result<u16, Error> {
        let options = &self.shared.options;
        let wrong = ["wrong.emulator.test".to_owned()];
        let names = match certificate {
            GatewayCertificate::Right => options.host_names.as_slice(),
            GatewayCertificate::WrongHost => &wrong,
        };
        let tls = match options.profile {
            Profile::Amr => Some(tls::managed_redis(self.ca.issue(names)?)?),
            Profile::Plain => None,
        };
        let gateway = Gateway { shared: self.shared.clone(), tls, upstream: self.shared.redis_socket() };
        Ok(gateway.open().await?.port())
    }

    pub(crate) fn redis(
        &self,
        action: Action,
        done: impl FnOnce(Result<(), Error>) + Send + 'static,
    ) -> Result<(), Error> {
        self.orders.send(Order { action, done: Box::new(done) }).map_err(|_| Error::Stopped)
    }

    /// Completes with the counters once they satisfy the condition; to be awaited on the emulator's runtime.
    pub(crate) async fn wait_until(
        &self,
        condition: impl FnMut(&Stats) -> bool,
        timeout: Duration,
    ) -> Result<Stats, Error> {
        let journal = &self.shared.journal;
        tokio::time::timeout(timeout, journal.wait_until(condition)).await.map_err(|_| Error::Timeout {
            waited: timeout,
            stats: serde_json::to_string(&journal.snapshot()).unwrap_or_default(),
        })
    }

    /// The file a pod's federated token stands in.
    pub(crate) fn federated_token_file(&self) -> PathBuf {
        self.shared.temp_dir.join("federated-token")
    }

    /// Writes a federated token of the default service principal to that file.
    pub(crate) fn write_federated_token(&self) -> Result<(), Error> {
        let principal = self.shared.directory.default_principal();
        let Some(subject) = principal.federated_subjects.first() else {
            return Err(io::Error::other("the default service principal trusts no federated subject").into());
        };
        let token = self.federated_token(subject, Duration::from_hours(24))?;
        Ok(std::fs::write(self.federated_token_file(), token)?)
    }
}
