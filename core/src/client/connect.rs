//! From options and an identity to a client: everything is checked before anything is sent.

use super::{Client, Identity};
use crate::connection::cache::CacheLimits;
use crate::connection::outbox::Limits;
use crate::connection::settings::{ClusterSettings, Settings, SignIn, Target, TlsSettings};
use crate::connection::tls::{TlsConfig, server_name};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorCode, Result};
use crate::options::{Backlog, ClusterMode, Options, Protocol, ReadFrom};
use crate::token::TokenSource;
use std::sync::Arc;
use std::time::Duration;

impl Client {
    /// Connects with what the options say: the access key if they hold one, otherwise Microsoft Entra ID with
    /// the application's secret if they hold one, otherwise the first credential of the default chain that
    /// works here (see [`Identity::from_options`]).
    ///
    /// Returns when the first attempt has ended; see [`Client::connect_as`].
    ///
    /// ```no_run
    /// # async fn example() -> keyless::Result<()> {
    /// let options = keyless::Options::parse("mycache.westeurope.redis.azure.net")?;
    /// let client = keyless::Client::connect(&options).await?;
    /// let _: () = client.execute(redis::cmd("SET").arg("key").arg("value")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::connect_as`].
    pub async fn connect(options: &Options) -> Result<Self> {
        Self::connect_as(options, Identity::from_options(options)?).await
    }

    /// Connects with an identity of the caller's choice.
    ///
    /// Returns when the first attempt has ended. If it failed, attempts go on in the background (see
    /// [`Client::last_error`] and the events), unless `abort_on_connect_fail` is set.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOption`], [`ErrorCode::InvalidEndpoint`], [`ErrorCode::TlsRequired`] before anything
    /// is sent. With `abort_on_connect_fail`, whatever the connection failed with.
    pub async fn connect_as(options: &Options, identity: impl Into<Identity>) -> Result<Self> {
        let identity = identity.into();
        match &identity {
            Identity::EntraOrAccessKey(_) => validate_both(options)?,
            _ => options.validate(!matches!(identity, Identity::AccessKey))?,
        }
        for warning in options.warnings() {
            tracing::warn!("{warning}");
        }
        if options.channel_prefix().is_some() {
            tracing::warn!("the option channel_prefix has no effect yet: give channels their whole names");
        }
        let sign_in = match identity {
            Identity::TokenSource(source) => SignIn::Token(source),
            Identity::Credential(credential) => {
                SignIn::Token(TokenSource::new(credential, options.token_source_options())?)
            }
            Identity::EntraOrAccessKey(credential) => {
                let source = TokenSource::new(credential, options.token_source_options())?;
                match source.get(options.connect_timeout()).await {
                    Ok(_) => SignIn::Token(source),
                    Err(error) => {
                        tracing::warn!(%error, "no token can be had: this client signs in with the access key");
                        by_key(options)
                    }
                }
            }
            Identity::AccessKey => by_key(options),
        };
        let io_threads = options.io_threads() as usize;
        Self::start(settings(options, sign_in)?, options.disabled_commands().to_vec(), io_threads).await
    }
}

/// What is wrong with options for a sign-in by token, or else by the access key in them.
fn validate_both(options: &Options) -> Result<()> {
    if options.password().is_none() {
        return Err(Error::new(
            ErrorCode::InvalidOption,
            "A sign-in that may fall back to the access key needs one.",
            "Set password (REDIS_ACCESS_KEY), or connect with the credential alone.",
        ));
    }
    options.clone().with_password("").with_user("").validate(true)?;
    options.validate(false)
}

fn by_key(options: &Options) -> SignIn {
    match options.password() {
        Some(key) => SignIn::Key { user: options.user().map(Into::into), key: key.clone() },
        None => SignIn::Nobody,
    }
}

fn settings(options: &Options, sign_in: SignIn) -> Result<Settings> {
    let tls = if options.tls() { Some(tls_config(options)?) } else { None };
    let targets = options
        .endpoints()
        .iter()
        .map(|endpoint| target(endpoint, options, tls.as_ref()))
        .collect::<Result<_>>()?;
    Ok(Settings {
        targets,
        resp3: options.protocol() == Protocol::Resp3,
        connect_timeout: options.connect_timeout(),
        command_timeout: options.command_timeout(),
        keep_alive: keep_alive(options),
        tcp_keep_alive: options.tcp_keep_alive(),
        client_name: options.client_name().map(Into::into),
        set_client_info: options.set_client_info(),
        database: options.database(),
        fail_fast: options.backlog() == Backlog::FailFast,
        first_dials: options.abort_on_connect_fail().then(|| options.connect_retry()),
        backoff_min: options.reconnect_backoff_min(),
        backoff_max: options.reconnect_backoff_max(),
        reauth_stagger: options.reauth_stagger(),
        reauth_retry_min: options.reauth_retry_min(),
        max_reply_bytes: usize::try_from(options.max_reply_bytes()).unwrap_or(usize::MAX),
        limits: Limits {
            requests: usize::try_from(options.backlog_limit()).unwrap_or(usize::MAX),
            bytes: usize::try_from(options.backlog_limit_bytes()).unwrap_or(usize::MAX),
        },
        blocking_connections: options.blocking_connections() as usize,
        cache: (options.cache_size() > 0).then(|| CacheLimits {
            bytes: usize::try_from(options.cache_size()).unwrap_or(usize::MAX),
            max_age: options.cache_max_age(),
        }),
        tunnel: options.tunnel().map(|tunnel| (tunnel.host().to_owned(), tunnel.port())),
        sign_in,
        cluster: (options.cluster() != ClusterMode::Off).then(|| ClusterSettings {
            required: options.cluster() == ClusterMode::On,
            reads_replicas: options.read_from() == ReadFrom::Replica,
            refresh_every: Some(options.topology_refresh_interval()).filter(|every| !every.is_zero()),
        }),
        nodes_by_name: options.endpoints().iter().all(Endpoint::dials_nodes_by_name),
        fixed_tls_name: options.tls_host().is_some(),
        readonly: false,
    })
}

/// After how much silence a connection is pinged.
fn keep_alive(options: &Options) -> Option<Duration> {
    let wanted = Some(options.keep_alive()).filter(|after| !after.is_zero());
    if options.cache_size() == 0 {
        return wanted;
    }
    // Reads that are answered here do not notice that the connection, and with it all news, is gone.
    Some(wanted.map_or(options.command_timeout(), |after| after.min(options.command_timeout())))
}

fn tls_config(options: &Options) -> Result<TlsConfig> {
    let mut ca = options.ca_certificates().map(<[u8]>::to_vec);
    if let Some(path) = options.ca_file() {
        let pem = read_pem("ca_file", path)?;
        let ca = ca.get_or_insert_default();
        ca.push(b'\n');
        ca.extend(pem);
    }
    TlsConfig::new(ca.as_deref(), options.tls_min_version())
}

/// The bytes of a PEM file that an option names.
pub(super) fn read_pem(option: &str, path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        Error::new(
            ErrorCode::InvalidOption,
            format!("The option {option} names {path}, which cannot be read: {error}."),
            "Give the path of a PEM file that this process may read.",
        )
    })
}

fn target(endpoint: &Endpoint, options: &Options, tls: Option<&TlsConfig>) -> Result<Target> {
    let tls = match tls {
        Some(config) => {
            let name = server_name(options.tls_host().unwrap_or_else(|| endpoint.host()))?;
            Some(TlsSettings { config: config.clone(), name })
        }
        None => None,
    };
    Ok(Target {
        label: Arc::from(endpoint.to_string()),
        host: endpoint.host().to_owned(),
        port: endpoint.port(),
        hint: endpoint.hint(),
        tls,
    })
}
