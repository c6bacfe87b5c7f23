//! The Azure SDKs for Python and JavaScript beside keyless: the same variables of the environment lead each of them to
//! the same endpoint and the same identity, kind by kind. The SDKs are installed below the build directory when this
//! first runs; where that cannot be done, the test says so and looks at keyless alone.

use keyless::credential::Credential;
use keyless::token::{TokenSource, TokenSourceOptions};
use keyless_emulator::{Emulator, EmulatorOptions};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PYTHON: &str = "azure-identity==1.27.0";
const JAVASCRIPT: &str = "@azure/identity@4.13.1";
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sdk");

/// What the program does when it runs again: says whom the kind in `CASE` signs in as.
#[test]
fn child() {
    let Ok(kind) = env::var("KEYLESS_CONFORMANCE_CASE") else { return };
    let credential = Credential::of_kind(&kind, &[]).unwrap();
    let source = TokenSource::new(credential, TokenSourceOptions::new()).unwrap();
    match source.get_blocking(Duration::from_secs(20)) {
        Ok(token) => println!("oid: {}", token.user),
        Err(error) => println!("error: {error}"),
    }
}

/// Variables of the environment.
type Variables = Vec<(&'static str, String)>;

/// A kind of credential in surroundings where it works.
struct Case {
    kind: &'static str,
    what: &'static str,
    variables: Variables,
    /// Who signs in, and by which of the emulator's endpoints.
    oid: String,
    grant: &'static str,
}

/// The variables of the emulator's application, with these more.
fn application(emulator: &Emulator, more: Variables) -> Variables {
    let principal = emulator.service_principal();
    let mut variables = vec![("AZURE_TENANT_ID", principal.tenant), ("AZURE_CLIENT_ID", principal.client_id)];
    variables.extend(more);
    variables
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn secret(emulator: &Emulator) -> Variables {
    application(emulator, vec![("AZURE_CLIENT_SECRET", emulator.service_principal().secrets[0].clone())])
}

fn federated(emulator: &Emulator) -> Variables {
    let file = text(&emulator.federated_token_file());
    application(emulator, vec![("AZURE_FEDERATED_TOKEN_FILE", file)])
}

fn case(
    kind: &'static str,
    what: &'static str,
    variables: Variables,
    oid: &str,
    grant: &'static str,
) -> Case {
    Case { kind, what, variables, oid: oid.to_owned(), grant }
}

/// Each kind by itself.
fn cases(emulator: &Emulator) -> Vec<Case> {
    let principal = emulator.service_principal();
    let file = |name: &str, certificate: &keyless_emulator::ClientCertificate| {
        let path = emulator.temp_dir().join(name);
        std::fs::write(&path, format!("{}{}", certificate.key_pem, certificate.certificate_pem)).unwrap();
        text(&path)
    };
    let certificate = file("registered.pem", &emulator.client_certificate(&principal.client_id).unwrap());
    let by_name = file("by-name.pem", &emulator.client_certificate_by_name(&principal.client_id).unwrap());
    let (app, app_header) = emulator.app_service();
    let (fabric, fabric_header, thumbprint) = emulator.service_fabric();
    let (uri, access_token, connection) = emulator.azure_pipelines();
    let managed = emulator.managed_identities();
    let (system, user) = (&managed[0].oid, &emulator.cli_user().oid);
    vec![
        case("environment", "secret", secret(emulator), &principal.oid, "client_secret"),
        case(
            "environment",
            "certificate",
            application(emulator, vec![("AZURE_CLIENT_CERTIFICATE_PATH", certificate)]),
            &principal.oid,
            "client_assertion",
        ),
        case(
            "environment",
            "certificate sent along",
            application(
                emulator,
                vec![
                    ("AZURE_CLIENT_CERTIFICATE_PATH", by_name),
                    ("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "true".into()),
                ],
            ),
            &principal.oid,
            "client_assertion",
        ),
        case(
            "workload_identity",
            "federated token file",
            federated(emulator),
            &principal.oid,
            "client_assertion",
        ),
        case("managed_identity", "IMDS", vec![], system, "imds"),
        case(
            "managed_identity",
            "App Service",
            vec![("IDENTITY_ENDPOINT", app), ("IDENTITY_HEADER", app_header)],
            system,
            "app_service",
        ),
        case(
            "managed_identity",
            "Service Fabric",
            vec![
                ("IDENTITY_ENDPOINT", fabric),
                ("IDENTITY_HEADER", fabric_header),
                ("IDENTITY_SERVER_THUMBPRINT", thumbprint),
            ],
            system,
            "service_fabric",
        ),
        case(
            "managed_identity",
            "Cloud Shell",
            vec![("MSI_ENDPOINT", emulator.cloud_shell())],
            user,
            "cloud_shell",
        ),
        case("azure_cli", "az", vec![], user, "az"),
        case("azure_powershell", "pwsh", vec![], user, "pwsh"),
        case("azure_developer_cli", "azd", vec![], user, "azd"),
        case(
            "azure_pipelines",
            "service connection",
            vec![
                ("AZURESUBSCRIPTION_TENANT_ID", principal.tenant.clone()),
                ("AZURESUBSCRIPTION_CLIENT_ID", principal.client_id.clone()),
                ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", connection),
                ("SYSTEM_ACCESSTOKEN", access_token),
                ("SYSTEM_OIDCREQUESTURI", uri),
            ],
            &principal.oid,
            "client_assertion",
        ),
    ]
}

/// The default chain, and what makes it shorter.
fn chains(emulator: &Emulator) -> Vec<Case> {
    let principal = emulator.service_principal();
    let managed = emulator.managed_identities();
    let (system, user) = (&managed[0].oid, &emulator.cli_user().oid);
    let mut cases = vec![
        case(
            "default",
            "everything",
            [secret(emulator), federated(emulator)].concat(),
            &principal.oid,
            "client_secret",
        ),
        case("default", "federated token file", federated(emulator), &principal.oid, "client_assertion"),
        case("default", "IMDS", vec![], system, "imds"),
        case(
            "default",
            "IMDS, user-assigned",
            vec![("AZURE_CLIENT_ID", managed[1].client_id.clone())],
            &managed[1].oid,
            "imds",
        ),
    ];
    for (name, oid, grant) in [
        ("dev", user, "az"),
        ("AzurePowerShellCredential", user, "pwsh"),
        ("AzureDeveloperCliCredential", user, "azd"),
        ("ManagedIdentityCredential", system, "imds"),
        ("prod", system, "imds"),
    ] {
        let mut variables = vec![("AZURE_TOKEN_CREDENTIALS", name.to_owned())];
        if name == "ManagedIdentityCredential" {
            // A secret that happens to be there is not what was meant.
            variables.push(("AZURE_TENANT_ID", principal.tenant.clone()));
            variables.push(("AZURE_CLIENT_SECRET", principal.secrets[0].clone()));
        }
        cases.push(case("default", name, variables, oid, grant));
    }
    cases
}

/// Somebody who signs in: a program that is told the kind, and how it is called.
struct Sdk {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    directory: PathBuf,
}

fn keyless() -> Sdk {
    let arguments = ["--exact", "child", "--nocapture", "--test-threads=1"].map(str::to_owned).to_vec();
    Sdk {
        name: "keyless",
        program: env::current_exe().unwrap(),
        arguments,
        directory: env::current_dir().unwrap(),
    }
}

/// Runs one step of an installation; says how it failed.
fn step(program: impl AsRef<Path>, arguments: &[&str], directory: &Path) -> Result<(), String> {
    let program = program.as_ref();
    let failed = |why: String| format!("{} {}: {why}", program.display(), arguments.join(" "));
    let output = Command::new(program).args(arguments).current_dir(directory).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    let last = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
    output.status.success().then_some(()).ok_or_else(|| failed(last))
}

/// A directory that is made once and by `make`, below the build directory.
fn installed(name: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let version = name.replace(['/', '@', '='], "-");
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sdk-{}", version.trim_start_matches('-')));
    let done = directory.join("installed");
    if !done.exists() {
        println!("installing {name} in {}", directory.display());
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        make(&directory)?;
        std::fs::write(done, "").map_err(|error| error.to_string())?;
    }
    Ok(directory)
}

fn python() -> Result<Sdk, String> {
    let directory = installed(PYTHON, |directory| {
        step("python3", &["-m", "venv", "venv"], directory)?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYTHON];
        step(directory.join("venv/bin/python"), &pip, directory)
    })?;
    let program = directory.join("venv/bin/python");
    Ok(Sdk { name: "Python", program, arguments: vec![format!("{SCRIPTS}/python.py")], directory })
}

fn javascript() -> Result<Sdk, String> {
    let directory = installed(JAVASCRIPT, |directory| {
        std::fs::write(directory.join("package.json"), "{\"private\": true}")
            .map_err(|error| error.to_string())?;
        step("npm", &["install", "--silent", "--no-audit", "--no-fund", JAVASCRIPT], directory)
    })?;
    let arguments = vec![format!("{SCRIPTS}/javascript.mjs")];
    Ok(Sdk { name: "JavaScript", program: "node".into(), arguments, directory })
}

impl Sdk {
    /// Who signed in, by which grant; or why nobody did.
    fn ask(&self, emulator: &Emulator, case: &Case) -> Result<(String, String), String> {
        emulator.reset();
        let ca = emulator.ca_file();
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.directory);
        if self.name != "keyless" {
            command.arg(case.kind);
        }
        command
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", emulator.az_path().display()))
            .env("HOME", emulator.temp_dir())
            .env("AZURE_AUTHORITY_HOST", emulator.authority())
            .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", emulator.imds_url())
            // The authorities that each of them trusts.
            .envs(["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"].map(|name| (name, &ca)))
            .env("NO_PROXY", "*")
            .env("KEYLESS_CONFORMANCE_CASE", case.kind)
            .envs(case.variables.iter().map(|(name, value)| (*name, value.as_str())));
        let output = command.output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.contains("error:") || line.contains("oid: "));
        let line = line.or_else(|| text.lines().last()).unwrap_or_default();
        let said = line.rsplit("oid: ").next().unwrap_or_default().to_owned();
        let tokens = emulator.stats().tokens;
        match tokens.requests.iter().rev().find(|request| request.oid.is_some()) {
            Some(request) if request.oid.as_deref() == Some(said.as_str()) => {
                Ok((said, request.grant.clone()))
            }
            _ => {
                Err(if said.is_empty() { String::from_utf8_lossy(&output.stderr).into_owned() } else { said })
            }
        }
    }
}

#[test]
fn the_same_variables_lead_everybody_to_the_same_identity() {
    let options = EmulatorOptions { token_lifetime: Duration::from_hours(1), ..EmulatorOptions::default() };
    let emulator = Emulator::start_blocking(options).unwrap();
    let mut sdks = vec![keyless()];
    for sdk in [python(), javascript()] {
        match sdk {
            Ok(sdk) => sdks.push(sdk),
            Err(why) => println!("not compared: {why}"),
        }
    }
    let mut wrong = Vec::new();
    print!("{:20} {:28}", "credential", "surroundings");
    for sdk in &sdks {
        print!(" {:17}", sdk.name);
    }
    println!();
    for case in cases(&emulator).into_iter().chain(chains(&emulator)) {
        print!("{:20} {:28}", case.kind, case.what);
        for sdk in &sdks {
            // It trusts the system's authorities alone, none of which signs the certificates of Service Fabric.
            if sdk.name == "JavaScript" && case.what == "Service Fabric" {
                print!(" {:17}", "cannot");
                continue;
            }
            let answer = sdk.ask(&emulator, &case);
            let right = answer.as_ref().is_ok_and(|(oid, grant)| *oid == case.oid && grant == case.grant);
            let shown = match &answer {
                Ok((_, grant)) if right => grant.clone(),
                Ok((_, grant)) => format!("other: {grant}"),
                Err(_) => "none".to_owned(),
            };
            print!(" {shown:17}");
            if !right {
                wrong.push(format!("{} as {} ({}): {answer:?}", sdk.name, case.kind, case.what));
            }
        }
        println!();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
