//! The Azure SDKs for Python and JavaScript beside keyless: the same variables of the environment lead each of them to
//! the same endpoint and the same identity, kind by kind. The SDKs are installed below the build directory when this
//! first runs; where that cannot be done, the test says so and looks at keyless alone.

use keyless::credential::Credential;
use keyless::token::{TokenSource, TokenSourceOptions};
use keyless_conformance::identities::{Case, cases, chains};
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
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.directory);
        if self.name != "keyless" {
            command.arg(case.kind);
        }
        command.env_clear().env("KEYLESS_CONFORMANCE_CASE", case.kind).envs(case.environment(emulator));
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
