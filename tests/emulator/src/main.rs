//! The emulator as a program: starts everything, prints one line of JSON, and ends on a signal or at the end
//! of its standard input. Also the work behind the stand-ins of tools.

#![forbid(unsafe_code)]

use std::{error::Error, io::IsTerminal as _, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use keyless_emulator::{
    ClusterNode, ClusterOptions, ClusterPolicy, Emulator, EmulatorOptions, Profile, Tool, tool_stand_in,
};
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt as _,
    signal::unix::{SignalKind, signal},
};

/// Entra ID, managed identities and a token-checking Redis on loopback, for tests.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How long tokens live: `20s`, `5m`, `24h`, `1500ms`.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    token_lifetime: Duration,
    /// Which service the gateway resembles.
    #[arg(long, value_enum, default_value = "amr")]
    profile: Profile,
    /// A Redis Cluster with so many primaries, each behind a gateway of its own, instead of a single server.
    #[arg(long, value_name = "PRIMARIES", value_parser = clap::value_parser!(u8).range(1..))]
    cluster: Option<u8>,
    /// How many replicas each primary of the cluster has.
    #[arg(long, default_value = "0", requires = "cluster")]
    replicas: u8,
    /// The clustering policy: `enterprise` shows one endpoint and no cluster.
    #[arg(long, value_enum, default_value = "oss", requires = "cluster")]
    policy: ClusterPolicy,
    /// After how long a silent node of the cluster counts as failed.
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration, requires = "cluster")]
    node_timeout: Duration,
    /// Managed identity endpoints return the same token until this long before its expiry.
    #[arg(long, value_parser = humantime::parse_duration)]
    managed_identity_cache: Option<Duration>,
    /// How far `iat` and `nbf` lie in the past.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    backdate: Duration,
    /// An object id (or `service-principal`, `system-assigned`, `user-assigned`, `user`) without access to the
    /// cache; may be repeated.
    #[arg(long, value_name = "OID")]
    refuse: Vec<String>,
    /// Also make a certificate for the service principal; it takes a moment.
    #[arg(long)]
    client_certificate: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Answers in place of the Azure CLI.
    #[command(hide = true)]
    StandIn {
        #[arg(long)]
        control: String,
        #[arg(long)]
        tool: Tool,
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("keyless_emulator=info"));
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .init();
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::StandIn { control, tool, arguments }) => stand_in(control, *tool, arguments).await,
        None => run(&arguments).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("keyless-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn stand_in(control: &str, tool: Tool, arguments: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let (good, output) = tool_stand_in(control, tool, arguments).await?;
    if good {
        print!("{output}");
        Ok(ExitCode::SUCCESS)
    } else {
        eprint!("{output}");
        Ok(ExitCode::FAILURE)
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    // Caught from here on, so that nothing is left behind by a signal during the start.
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let emulator = Emulator::start(EmulatorOptions {
        token_lifetime: arguments.token_lifetime,
        profile: arguments.profile,
        cluster: arguments.cluster.map(|primaries| ClusterOptions {
            policy: arguments.policy,
            primaries,
            replicas: arguments.replicas,
            node_timeout: arguments.node_timeout,
            ..ClusterOptions::default()
        }),
        managed_identity_cache: arguments.managed_identity_cache,
        backdate: arguments.backdate,
        az_program: Some(std::env::current_exe()?),
        ..EmulatorOptions::default()
    })
    .await?;
    for refused in &arguments.refuse {
        emulator.revoke(&named(&emulator, refused));
    }
    let nodes = emulator.cluster().nodes().await?;
    println!("{}", describe(&emulator, arguments, &nodes)?);
    let end_of_input = tokio::task::spawn(async {
        let (mut input, mut buffer) = (tokio::io::stdin(), [0; 1024]);
        while matches!(input.read(&mut buffer).await, Ok(1..)) {}
    });
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        _ = end_of_input => {}
    }
    drop(emulator);
    // The thread that reads the standard input would keep the runtime from ending.
    std::process::exit(0)
}

/// The object id behind a name on the command line.
fn named(emulator: &Emulator, name: &str) -> String {
    let managed = |system_assigned| {
        let identities = emulator.managed_identities();
        identities.into_iter().find(|identity| identity.system_assigned == system_assigned)
    };
    match name {
        "service-principal" => Some(emulator.service_principal().oid),
        "system-assigned" => managed(true).map(|identity| identity.oid),
        "user-assigned" => managed(false).map(|identity| identity.oid),
        "user" => Some(emulator.cli_user().oid),
        _ => None,
    }
    .unwrap_or_else(|| name.into())
}

/// The line on standard output.
fn describe(
    emulator: &Emulator,
    arguments: &Arguments,
    nodes: &[ClusterNode],
) -> Result<Value, Box<dyn Error>> {
    let principal = emulator.service_principal();
    let (identity_endpoint, identity_header) = emulator.app_service();
    let (arc_endpoint, arc_imds, arc_keys) = emulator.azure_arc();
    let (fabric_endpoint, fabric_header, thumbprint) = emulator.service_fabric();
    let (ml_endpoint, ml_secret) = emulator.machine_learning();
    let (oidc_uri, access_token, connection) = emulator.azure_pipelines();
    let (authority, tenant) = (emulator.authority(), emulator.tenant());
    let mut line = json!({
        "redis": {"host": "localhost", "port": emulator.port(), "tls": arguments.profile != Profile::Plain},
        "endpoint": emulator.endpoint(),
        "nodes": nodes,
        "ca_file": emulator.ca_file(),
        "authority": authority,
        "imds_url": emulator.imds_url(),
        "control_url": emulator.control_url(),
        "tenant_id": tenant,
        "client_id": principal.client_id,
        "client_secret": principal.secrets.first(),
        "oid": principal.oid,
        "access_key": emulator.access_key(),
        "managed_identities": emulator.managed_identities(),
        "user": emulator.cli_user(),
        "az_path": emulator.az_path(),
        "env": {
            "AZURE_AUTHORITY_HOST": authority,
            "AZURE_TENANT_ID": tenant,
            "AZURE_CLIENT_ID": principal.client_id,
            "AZURE_CLIENT_SECRET": principal.secrets.first(),
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": emulator.imds_url(),
            "SSL_CERT_FILE": emulator.ca_file(),
            "REDIS_HOST": "localhost",
            "REDIS_PORT": emulator.port().to_string(),
        },
        "azure_arc_env": {"IDENTITY_ENDPOINT": arc_endpoint, "IMDS_ENDPOINT": arc_imds},
        "azure_arc_keys": arc_keys,
        "service_fabric_env": {
            "IDENTITY_ENDPOINT": fabric_endpoint,
            "IDENTITY_HEADER": fabric_header,
            "IDENTITY_SERVER_THUMBPRINT": thumbprint,
        },
        "cloud_shell_env": {"MSI_ENDPOINT": emulator.cloud_shell()},
        "machine_learning_env": {"MSI_ENDPOINT": ml_endpoint, "MSI_SECRET": ml_secret},
        "azure_pipelines_env": {
            "AZURESUBSCRIPTION_TENANT_ID": tenant,
            "AZURESUBSCRIPTION_CLIENT_ID": principal.client_id,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": connection,
            "SYSTEM_ACCESSTOKEN": access_token,
            "SYSTEM_OIDCREQUESTURI": oidc_uri,
        },
        "app_service_env": {"IDENTITY_ENDPOINT": identity_endpoint, "IDENTITY_HEADER": identity_header},
        "workload_identity_env": {
            "AZURE_AUTHORITY_HOST": authority,
            "AZURE_TENANT_ID": tenant,
            "AZURE_CLIENT_ID": principal.client_id,
            "AZURE_FEDERATED_TOKEN_FILE": emulator.federated_token_file(),
        },
    });
    if arguments.client_certificate {
        let certificate = emulator.client_certificate(&principal.client_id)?;
        let path = emulator.temp_dir().join("client.pem");
        std::fs::write(&path, certificate.key_pem + &certificate.certificate_pem)?;
        line["client_certificate"] = json!(path);
    }
    Ok(line)
}
