//! The handle of an emulator: it runs on threads of its own and stops when it is dropped.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc as blocking},
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    ca::{CertificateAuthority, ClientCertificate, self_signed},
    cache::FULL_ACCESS,
    cluster::{self, Cluster},
    control,
    core::Core,
    entra,
    error::Error,
    faults::Faults,
    http,
    identity::{CliUser, ManagedIdentity, ServicePrincipal},
    managed_identity,
    nodes::Action,
    options::{EmulatorOptions, GatewayCertificate},
    state::Shared,
    stats::Stats,
    tls,
    token::{IssuedToken, TokenOverrides},
    tools,
};

/// An emulator. Its methods are synchronous and quick unless they say otherwise, so that they serve tests of
/// every kind; dropping it ends everything it started and removes its files.
pub struct Emulator {
    core: Arc<Core>,
    ports: Ports,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Clone, Copy)]
struct Ports {
    gateway: u16,
    imds: u16,
    service_fabric: u16,
    control: u16,
}

type Started = Result<(Arc<Core>, Ports), Error>;

impl Emulator {
    /// Starts an emulator; completes when everything listens.
    pub async fn start(options: EmulatorOptions) -> Result<Self, Error> {
        let (ready, started) = oneshot::channel();
        let (stop, thread) = spawn(options, |outcome| {
            // Whoever no longer waits has dropped the sender of `stop` too.
            let _ = ready.send(outcome);
        })?;
        let (core, ports) = started.await.unwrap_or(Err(Error::Stopped))?;
        Ok(Self { core, ports, stop: Some(stop), thread: Some(thread) })
    }

    /// Starts an emulator from code that is not asynchronous.
    pub fn start_blocking(options: EmulatorOptions) -> Result<Self, Error> {
        let (ready, started) = blocking::channel();
        let (stop, thread) = spawn(options, move |outcome| {
            let _ = ready.send(outcome);
        })?;
        let (core, ports) = started.recv().unwrap_or(Err(Error::Stopped))?;
        Ok(Self { core, ports, stop: Some(stop), thread: Some(thread) })
    }

    /// The cache, as `localhost:port`. The port of a cluster leads to any node and is none of theirs, as on Azure.
    pub fn endpoint(&self) -> String {
        format!("localhost:{}", self.ports.gateway)
    }

    /// The port of the cache.
    pub fn port(&self) -> u16 {
        self.ports.gateway
    }

    /// The certificate authority, PEM.
    pub fn ca_pem(&self) -> String {
        self.core.ca.pem()
    }

    /// A file with the certificate authority, PEM; for `SSL_CERT_FILE`.
    pub fn ca_file(&self) -> PathBuf {
        self.temp_dir().join("ca.pem")
    }

    /// The authority: `https://localhost:port`, without a slash at the end; for `AZURE_AUTHORITY_HOST`.
    pub fn authority(&self) -> String {
        self.core.shared.authority().to_owned()
    }

    /// The tenant of all identities of the start.
    pub fn tenant(&self) -> String {
        self.core.shared.directory.tenant().to_owned()
    }

    /// The service principal of the start.
    pub fn service_principal(&self) -> ServicePrincipal {
        self.core.shared.directory.default_principal()
    }

    /// The managed identities: the system-assigned one of the start, the user-assigned one, then those added.
    pub fn managed_identities(&self) -> Vec<ManagedIdentity> {
        self.core.shared.directory.managed_identities()
    }

    /// The user of the stand-in `az`.
    pub fn cli_user(&self) -> CliUser {
        self.core.shared.directory.cli_user.clone()
    }

    /// IMDS: `http://127.0.0.1:port`; for `AZURE_POD_IDENTITY_AUTHORITY_HOST`.
    pub fn imds_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.imds)
    }

    /// `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` of App Service.
    pub fn app_service(&self) -> (String, String) {
        (format!("{}/msi/token", self.imds_url()), self.core.shared.app_service_secret.clone())
    }

    /// `IDENTITY_ENDPOINT` and `IMDS_ENDPOINT` of a machine with the agent of Azure Arc, and the directory that the
    /// agent puts its keys in.
    pub fn azure_arc(&self) -> (String, String, PathBuf) {
        let imds = self.imds_url();
        (format!("{imds}/arc/token"), imds, self.core.shared.hosts.arc_keys())
    }

    /// The next challenge of Azure Arc names this file instead of one that the agent made.
    pub fn set_arc_challenge(&self, realm: Option<String>) {
        self.core.shared.hosts.set_arc_challenge(realm);
    }

    /// `IDENTITY_ENDPOINT`, `IDENTITY_HEADER` and `IDENTITY_SERVER_THUMBPRINT` of a node of Service Fabric.
    pub fn service_fabric(&self) -> (String, String, String) {
        let hosts = &self.core.shared.hosts;
        let endpoint = format!("https://localhost:{}/fabric/token", self.ports.service_fabric);
        (endpoint, hosts.secret.clone(), hosts.thumbprint())
    }

    /// `MSI_ENDPOINT` of Cloud Shell.
    pub fn cloud_shell(&self) -> String {
        format!("{}/cloud-shell/token", self.imds_url())
    }

    /// `MSI_ENDPOINT` and `MSI_SECRET` of Azure Machine Learning.
    pub fn machine_learning(&self) -> (String, String) {
        (format!("{}/ml/token", self.imds_url()), self.core.shared.hosts.secret.clone())
    }

    /// `SYSTEM_OIDCREQUESTURI`, `SYSTEM_ACCESSTOKEN` and the id of the service connection of a run of Azure
    /// Pipelines; the default service principal trusts it.
    pub fn azure_pipelines(&self) -> (String, String, String) {
        let hosts = &self.core.shared.hosts;
        (
            format!("{}/pipelines/oidctoken", self.authority()),
            hosts.secret.clone(),
            hosts.connection_id.clone(),
        )
    }

    /// The directory with the stand-ins `az`, `azd` and `pwsh`, to be put first on `PATH`.
    pub fn az_path(&self) -> PathBuf {
        self.temp_dir().join("bin")
    }

    /// The control endpoint: `http://127.0.0.1:port`.
    pub fn control_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.control)
    }

    /// The directory with all files of the emulator; it goes when the emulator goes.
    pub fn temp_dir(&self) -> &Path {
        &self.core.shared.temp_dir
    }

    /// The access key; `None` while access keys are disabled.
    pub fn access_key(&self) -> Option<String> {
        self.core.shared.cache.access_key()
    }

    /// Sets another access key, or disables access keys. Open connections stay.
    pub fn set_access_key(&self, key: Option<String>) {
        self.core.shared.cache.set_access_key(key);
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.core.shared.journal.snapshot()
    }

    /// Clears all faults and counters; identities, grants and connections stay.
    pub fn reset(&self) {
        self.faults().clear();
        self.core.shared.held_tokens.forget();
        self.core.shared.journal.reset();
    }

    /// The switches of the faults.
    pub fn faults(&self) -> Faults {
        self.core.faults()
    }

    /// The lifetime of tokens issued from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.core.shared.tokens.set_lifetime(lifetime);
        self.core.shared.held_tokens.forget();
    }

    /// A token for a registered identity, past all endpoints and not counted.
    pub fn issue_token(
        &self,
        oid: &str,
        lifetime: Duration,
        overrides: &TokenOverrides,
    ) -> Result<IssuedToken, Error> {
        self.core.issue_token(oid, lifetime, overrides)
    }

    /// A federated token as Kubernetes projects it into a pod, for this subject.
    pub fn federated_token(&self, subject: &str, lifetime: Duration) -> Result<String, Error> {
        self.core.federated_token(subject, lifetime)
    }

    /// A file with a federated token of the default service principal; for `AZURE_FEDERATED_TOKEN_FILE`.
    pub fn federated_token_file(&self) -> PathBuf {
        self.core.federated_token_file()
    }

    /// Registers a service principal (or replaces the one with its client id) and grants it the cache.
    pub fn put_service_principal(&self, principal: ServicePrincipal) -> Result<(), Error> {
        self.core.put_service_principal(principal)
    }

    /// Registers a managed identity and grants it the cache.
    pub fn put_managed_identity(&self, identity: ManagedIdentity) -> Result<(), Error> {
        self.core.put_managed_identity(identity)
    }

    /// A new certificate that this client may sign in with from now on. Takes a moment.
    pub fn client_certificate(&self, client_id: &str) -> Result<ClientCertificate, Error> {
        self.core.client_certificate(client_id)
    }

    /// The same with a certificate that expired long ago.
    pub fn expired_client_certificate(&self, client_id: &str) -> Result<ClientCertificate, Error> {
        self.core.expired_client_certificate(client_id)
    }

    /// A new certificate of the emulator's authority that this client may sign in with, trusted by subject name and
    /// issuer: only if it comes along with the assertion (`x5c`).
    pub fn client_certificate_by_name(&self, client_id: &str) -> Result<ClientCertificate, Error> {
        self.core.client_certificate_by_name(client_id)
    }

    /// Grants this object id full access to the cache.
    pub fn grant(&self, oid: &str) -> Result<(), Error> {
        self.core.grant(oid, FULL_ACCESS)
    }

    /// Grants this object id what these ACL rules say, as a custom access policy does.
    pub fn grant_with(&self, oid: &str, rules: &str) -> Result<(), Error> {
        self.core.grant(oid, rules)
    }

    /// Takes the cache away from this object id. Open connections stay.
    pub fn revoke(&self, oid: &str) {
        self.core.shared.cache.revoke(oid);
    }

    /// Opens another gateway to the same cache; returns it as `localhost:port`.
    pub fn open_gateway(&self, certificate: GatewayCertificate) -> Result<String, Error> {
        let core = self.core.clone();
        let port = self.core.run_blocking(async move { core.open_gateway(certificate).await })?;
        Ok(format!("localhost:{port}"))
    }

    /// The nodes of a cluster, and what can be done to them. A single server is the only node.
    pub fn cluster(&self) -> Cluster {
        Cluster { core: self.core.clone() }
    }

    /// Kills `redis-server` (of every node) and waits for its end.
    pub fn kill_redis(&self) -> Result<(), Error> {
        self.redis(Action::Kill)
    }

    /// Starts `redis-server` (of every node) again, empty, and waits until it is ready.
    pub fn restart_redis(&self) -> Result<(), Error> {
        self.redis(Action::Restart)
    }

    /// Stops `redis-server` (of every node, `SIGSTOP`): it keeps its connections and answers nothing.
    pub fn pause_redis(&self) -> Result<(), Error> {
        self.redis(Action::Stop)
    }

    /// Lets every stopped `redis-server` go on.
    pub fn resume_redis(&self) -> Result<(), Error> {
        self.redis(Action::Continue)
    }

    fn redis(&self, action: Action) -> Result<(), Error> {
        let core = self.core.clone();
        self.core.run_blocking(async move { core.redis(action).await })
    }

    /// Completes with the counters once they satisfy `condition`. Works on any runtime, paused or not: the
    /// time is the emulator's own.
    pub async fn wait_until(
        &self,
        condition: impl FnMut(&Stats) -> bool + Send + 'static,
        timeout: Duration,
    ) -> Result<Stats, Error> {
        let core = self.core.clone();
        self.core.run(async move { core.wait_until(condition, timeout).await }).await
    }

    /// Like [`Emulator::wait_until`], from code that is not asynchronous.
    pub fn wait_until_blocking(
        &self,
        condition: impl FnMut(&Stats) -> bool + Send + 'static,
        timeout: Duration,
    ) -> Result<Stats, Error> {
        let core = self.core.clone();
        self.core.run_blocking(async move { core.wait_until(condition, timeout).await })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported there.
            let _ = thread.join();
        }
    }
}

/// Runs an emulator on a thread of its own until the sender is used or dropped.
fn spawn(
    options: EmulatorOptions,
    ready: impl FnOnce(Started) + Send + 'static,
) -> Result<(oneshot::Sender<()>, thread::JoinHandle<()>), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.worker_threads.max(1))
        .thread_name("keyless-emulator")
        .enable_all()
        .build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("keyless-emulator".into()).spawn(move || {
        match runtime.block_on(start(options)) {
            Err(error) => ready(Err(error)),
            Ok((started, temp_dir)) => {
                let shared = started.0.shared.clone();
                ready(Ok(started));
                runtime.block_on(async {
                    // Used or dropped, it says the same.
                    let _ = stopped.await;
                    shared.nodes.close().await;
                });
                // Files that cannot be removed are in a directory for such files.
                let _ = temp_dir.close();
            }
        }
        runtime.shutdown_timeout(Duration::from_secs(1));
    })?;
    Ok((stop, thread))
}

type Parts = ((Arc<Core>, Ports), tempfile::TempDir);

async fn start(options: EmulatorOptions) -> Result<Parts, Error> {
    let temp_dir = tempfile::Builder::new().prefix("keyless-emulator-").tempdir()?;
    let runtime = tokio::runtime::Handle::current();
    let shared = Arc::new(Shared::new(options, runtime, temp_dir.path().to_owned())?);
    let core = Arc::new(Core { shared: shared.clone(), ca: CertificateAuthority::new()? });
    std::fs::write(temp_dir.path().join("ca.pem"), core.ca.pem())?;
    let gateway = match cluster::start(&core).await {
        Ok(port) => port,
        Err(error) => {
            shared.nodes.close().await;
            return Err(error);
        }
    };

    let open = shared.faults.token_endpoints_open.subscribe();
    let certificate = core.ca.issue(&shared.options.host_names)?;
    let entra =
        http::serve(entra::router(shared.clone()), Some(tls::entra(certificate)?), open.clone()).await?;
    let imds = http::serve(managed_identity::router(shared.clone()), None, open.clone()).await?;
    let (certificate, thumbprint) = self_signed()?;
    shared.hosts.set_thumbprint(thumbprint);
    let routes = managed_identity::hosts::service_fabric(shared.clone());
    let service_fabric = http::serve(routes, Some(tls::entra(certificate)?), open).await?;
    let (_, always) = tokio::sync::watch::channel(true);
    let routes = control::router(core.clone()).merge(tools::router(shared.clone()));
    let control = http::serve(routes, None, always).await?;
    // Set once, here.
    let _ = shared.authority.set(format!("https://localhost:{}", entra.port()));
    let control_url = format!("http://{control}");
    tools::install(&temp_dir.path().join("bin"), shared.options.az_program.as_deref(), &control_url)?;
    core.write_federated_token()?;
    let ports =
        Ports { gateway, imds: imds.port(), service_fabric: service_fabric.port(), control: control.port() };
    Ok(((core, ports), temp_dir))
}
