//! What can be asked of a running emulator; the handle and the control endpoint both speak to this.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, mpsc},
    time::Duration,
};

use rustls::ServerConfig;

use crate::{
    ca::{CertificateAuthority, ClientCertificate, client_certificate},
    cache::FULL_ACCESS,
    entra::assertion::federated_token,
    error::Error,
    faults::Faults,
    gateway::{Gateway, Target},
    identity::{ManagedIdentity, ServicePrincipal},
    listener::Listener,
    nodes::{Action, Node, users},
    options::{GatewayCertificate, Profile},
    state::Shared,
    stats::Stats,
    tls,
    token::{IssuedToken, TokenOverrides},
};

/// A running emulator, without its thread.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) ca: CertificateAuthority,
}

impl Core {
    /// Does the work on the emulator's own runtime, whichever one waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.shared.runtime.spawn(work).await.unwrap_or(Err(Error::Stopped))
    }

    /// The same for code that is not asynchronous.
    pub(crate) fn run_blocking<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, done) = mpsc::channel();
        self.shared.runtime.spawn(async move { sender.send(work.await) });
        done.recv().unwrap_or(Err(Error::Stopped))
    }

    pub(crate) fn faults(&self) -> Faults {
        Faults { shared: self.shared.clone() }
    }

    pub(crate) fn grant(&self, oid: &str, rules: &str) -> Result<(), Error> {
        self.shared.cache.grant(oid, rules);
        users::set(&self.shared, oid, rules)
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
        self.register(client_id, client_certificate(client_id, false)?)
    }

    /// The same with a certificate that expired long ago.
    pub(crate) fn expired_client_certificate(&self, client_id: &str) -> Result<ClientCertificate, Error> {
        self.register(client_id, client_certificate(client_id, true)?)
    }

    /// A new certificate that this client may sign in with if it sends the certificate along.
    pub(crate) fn client_certificate_by_name(&self, client_id: &str) -> Result<ClientCertificate, Error> {
        let (certificate, leaf) = self.ca.issue_client(client_id)?;
        self.shared.directory.edit_service_principal(client_id, |principal| {
            principal.certificates_by_name.push(leaf);
        })?;
        Ok(certificate)
    }

    fn register(&self, client_id: &str, certificate: ClientCertificate) -> Result<ClientCertificate, Error> {
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
        federated_token(&self.shared, subject, lifetime)
    }

    /// Opens a gateway that leads to whichever node runs; returns its port.
    pub(crate) async fn open_gateway(&self, certificate: GatewayCertificate) -> Result<u16, Error> {
        let listener = Listener::bind().await?;
        let port = listener.port();
        Gateway::open(self.shared.clone(), self.tls(certificate)?, Target::Any, listener);
        Ok(port)
    }

    /// Starts a server with a gateway of its own.
    pub(crate) async fn add_node(&self) -> Result<Arc<Node>, Error> {
        let listener = Listener::bind().await?;
        let node = self.shared.nodes.add(&self.shared, listener.port())?;
        if let Err(error) = node.act(&self.shared, Action::Restart).await {
            self.shared.nodes.remove(node.port);
            return Err(error);
        }
        let tls = self.tls(GatewayCertificate::default())?;
        let listening = Gateway::open(self.shared.clone(), tls, Target::Node(node.clone()), listener);
        // Set once, here.
        let _ = node.listening.set(listening);
        Ok(node)
    }

    fn tls(&self, certificate: GatewayCertificate) -> Result<Option<Arc<ServerConfig>>, Error> {
        let options = &self.shared.options;
        let names = match certificate {
            GatewayCertificate::Right => options.gateway_names(),
            GatewayCertificate::WrongHost => vec!["wrong.emulator.test".to_owned()],
        };
        Ok(match options.profile {
            Profile::Amr => Some(tls::managed_redis(self.ca.issue(&names)?)?),
            Profile::Plain => None,
        })
    }

    /// Does the same to every server.
    pub(crate) async fn redis(&self, action: Action) -> Result<(), Error> {
        self.shared.nodes.act(&self.shared, action).await
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
