//! Identities that come from the surroundings of a process: the environment, App Service, the Azure CLI and
//! the default chain, through nothing but what every Azure SDK honours. Since the environment belongs to a
//! whole process, each case runs this program again with an environment of its own.

use keyless::credential::Credential;
use keyless::redis::cmd;
use keyless::{Client, Options};
use keyless_emulator::{Emulator, EmulatorOptions, Stats};
use std::env;
use std::process::Command;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

/// What the program does when it runs again: connects as `CASE` says and prints whom it signed in as.
#[tokio::test]
async fn child() {
    let Ok(case) = env::var("KEYLESS_CONFORMANCE_CASE") else { return };
    let options = Options::from_env().unwrap().with_abort_on_connect_fail(true).with_connect_retry(1);
    let connected = match case.as_str() {
        "connect" => Client::connect(&options).await,
        "azure_cli" => Client::connect_as(&options, Credential::azure_cli().unwrap()).await,
        "chain" => Client::connect_as(&options, Credential::default_chain().unwrap()).await,
        other => panic!("no case {other}"),
    };
    match connected {
        Ok(client) => {
            let me: String = client.execute(cmd("ACL").arg("WHOAMI")).await.unwrap();
            let kind =
                client.token_source().map_or("access key", |source| source.credential_name()).to_owned();
            println!("signed in as <{me}> by <{kind}>");
        }
        Err(error) => println!("refused: <{}> {error}", error.code()),
    }
}

/// An emulator, and the environment of a process that shall use its cache.
struct Stage {
    emulator: Emulator,
    variables: Vec<(&'static str, String)>,
}

fn stage() -> Stage {
    let options = EmulatorOptions { token_lifetime: HOUR, ..EmulatorOptions::default() };
    let emulator = Emulator::start_blocking(options).unwrap();
    let variables = vec![
        ("REDIS_HOST", "localhost".into()),
        ("REDIS_PORT", emulator.port().to_string()),
        ("SSL_CERT_FILE", emulator.ca_file().to_str().unwrap().to_owned()),
        ("AZURE_AUTHORITY_HOST", emulator.authority()),
        // Nobody may be asked outside this machine: there is no metadata service unless a case names one.
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9".into()),
        ("PATH", "/nowhere".into()),
    ];
    Stage { emulator, variables }
}

impl Stage {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.into()));
        self
    }

    /// Runs the case and returns what it printed, and what the emulator saw.
    fn run(&self, case: &str) -> (String, Stats) {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (*name, value.as_str())))
            .env("KEYLESS_CONFORMANCE_CASE", case)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let said = text.find("signed in as <").or_else(|| text.find("refused: ")).map(|start| &text[start..]);
        let said = said.and_then(|said| said.split("\ntest ").next());
        let said = said.unwrap_or_else(|| panic!("nothing said: {text}")).to_owned();
        println!("{said}");
        (said, self.emulator.stats())
    }

    fn signs_in_as(&self, case: &str, user: &str, kind: &str, grant: Option<&str>) {
        let (said, stats) = self.run(case);
        assert!(said.contains(&format!("signed in as <{user}> by <{kind}>")), "{said}");
        match grant {
            Some(grant) => assert_eq!(stats.tokens.by_grant[grant].served, 1, "{:?}", stats.tokens),
            None => assert!(stats.tokens.requests.is_empty(), "{:?}", stats.tokens),
        }
    }
}

fn with_application(stage: Stage) -> Stage {
    let principal = stage.emulator.service_principal();
    stage
        .with("AZURE_TENANT_ID", principal.tenant)
        .with("AZURE_CLIENT_ID", principal.client_id)
        .with("AZURE_CLIENT_SECRET", principal.secrets[0].as_str())
}

#[test]
fn t_1_1_an_application_in_the_environment() {
    let stage = with_application(stage());
    let oid = stage.emulator.service_principal().oid;
    stage.signs_in_as("connect", &oid, "client secret", Some("client_secret"));
    stage.emulator.reset();
    stage.signs_in_as("chain", &oid, "environment", Some("client_secret"));
}

#[test]
fn t_1_1_a_managed_identity_of_a_virtual_machine() {
    let stage = stage();
    let identities = stage.emulator.managed_identities();
    let [system, user] = &identities[..] else { panic!("two identities") };
    let imds = stage.emulator.imds_url();
    let stage = stage.with("AZURE_POD_IDENTITY_AUTHORITY_HOST", imds);
    stage.signs_in_as("connect", &system.oid, "managed identity", Some("imds"));
    stage.emulator.reset();
    let stage = stage.with("AZURE_CLIENT_ID", user.client_id.as_str());
    stage.signs_in_as("connect", &user.oid, "managed identity", Some("imds"));
}

#[test]
fn t_1_1_a_managed_identity_of_app_service() {
    let stage = stage();
    let oid = stage.emulator.managed_identities()[0].oid.clone();
    let (endpoint, header) = stage.emulator.app_service();
    let stage = stage.with("IDENTITY_ENDPOINT", endpoint).with("IDENTITY_HEADER", header);
    stage.signs_in_as("connect", &oid, "managed identity", Some("app_service"));
}

#[test]
fn t_1_1_the_azure_cli() {
    let stage = stage();
    let (oid, path) = (stage.emulator.cli_user().oid, stage.emulator.az_path());
    let stage = stage.with("PATH", format!("{}:/usr/bin:/bin", path.display()));
    stage.signs_in_as("azure_cli", &oid, "Azure CLI", Some("az"));
    stage.emulator.reset();
    // Last in the chain: nothing else works here.
    stage.signs_in_as("connect", &oid, "Azure CLI", Some("az"));
    stage.emulator.faults().az_logged_out(true);
    let (said, _) = stage.run("azure_cli");
    assert!(said.contains("refused: <credential_unavailable>") && said.contains("az login"), "{said}");
}

#[test]
fn an_access_key_in_the_environment_goes_before_everything() {
    let stage = with_application(stage());
    let key = stage.emulator.access_key().unwrap();
    stage.with("REDIS_ACCESS_KEY", key).signs_in_as("connect", "default", "access key", None);
}

#[test]
fn a_wrong_secret_is_not_hidden_by_another_identity() {
    let stage = with_application(stage()).with("AZURE_CLIENT_SECRET", "hunter2");
    let imds = stage.emulator.imds_url();
    let (said, stats) = stage.with("AZURE_POD_IDENTITY_AUTHORITY_HOST", imds).run("chain");
    assert!(said.contains("refused: <sign_in_refused>") && said.contains("AADSTS7000215"), "{said}");
    assert!(!said.contains("hunter2") && stats.tokens.served == 0);
}

#[test]
fn when_nothing_is_there_each_kind_says_why() {
    let (said, stats) = stage().run("connect");
    assert!(said.contains("refused: <credential_unavailable>"), "{said}");
    for part in ["environment ", "AZURE_TENANT_ID", "managed identity ", "127.0.0.1:9", "Azure CLI "] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert!(stats.tokens.requests.is_empty() && stats.connections.opened == 0);
    let (said, _) =
        stage().with("SSL_CERT_FILE", "/nowhere.pem").with("REDIS_ACCESS_KEY", "key").run("connect");
    assert!(said.contains("refused: <tls_failed>") && said.contains("SSL_CERT_FILE"), "{said}");
}
