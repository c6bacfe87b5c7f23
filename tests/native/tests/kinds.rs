//! Every kind of credential from C and C++, in the surroundings in which Rust and the Azure SDKs are tested with it too.

use keyless_conformance::identities::{Case, cases, chains};
use keyless_emulator::Emulator;
use keyless_native::{Build, emulator, libraries};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Whom the program says it signed in as.
fn ask(program: &Path, emulator: &Emulator, case: &Case, options: &[&str]) -> String {
    emulator.reset();
    let output = Command::new(program)
        .arg(case.kind)
        .args(options)
        .env_clear()
        .envs(case.environment(emulator))
        .env("LD_LIBRARY_PATH", libraries())
        .output()
        .expect("the program runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn every_kind_signs_in_as_whom_its_surroundings_say() {
    for source in ["c/kind.c", "cpp/kind.cpp"] {
        every_kind_signs_in(&Build::default().compile(source));
    }
}

fn every_kind_signs_in(program: &Path) {
    let emulator = emulator(Duration::from_hours(1));
    let mut wrong = Vec::new();
    let all: Vec<Case> = cases(&emulator).into_iter().chain(chains(&emulator)).collect();
    for case in &all {
        let said = ask(program, &emulator, case, &[]);
        let grants: Vec<_> =
            emulator.stats().tokens.requests.iter().map(|request| request.grant.clone()).collect();
        println!("{:20} {:28} {said}", case.kind, case.what);
        if said != format!("oid: {}", case.oid) || !grants.iter().any(|grant| grant == case.grant) {
            wrong.push(format!("{} ({}): {said} by {grants:?}", case.kind, case.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A kind of the table without a case of its own is made otherwise.
    let elsewhere = ["client_secret", "client_certificate", "client_assertion", "custom", "access_key"];
    for kind in keyless::credential::kinds() {
        let has = all.iter().any(|case| case.kind == kind.name) || elsewhere.contains(&kind.name);
        assert!(has, "nothing tests {} here", kind.name);
    }
}

#[test]
fn options_by_name_make_a_secret_and_a_certificate() {
    for source in ["c/kind.c", "cpp/kind.cpp"] {
        options_by_name_make(&Build { name: "-options", ..Build::default() }.compile(source));
    }
}

fn options_by_name_make(program: &Path) {
    let emulator = emulator(Duration::from_hours(1));
    let principal = emulator.service_principal();
    let certificate = emulator.client_certificate(&principal.client_id).expect("a certificate");
    let file = emulator.temp_dir().join("kind.pem");
    std::fs::write(&file, certificate.key_pem + &certificate.certificate_pem).expect("a file");
    let file = file.to_str().expect("text");
    for (kind, option, value) in [
        ("client_secret", "client_secret", principal.secrets[0].as_str()),
        ("client_certificate", "certificate_file", file),
    ] {
        let case = Case {
            kind,
            what: "options",
            variables: Vec::new(),
            oid: principal.oid.clone(),
            grant: "client_secret",
        };
        let options = ["tenant_id", &principal.tenant, "client_id", &principal.client_id, option, value];
        assert_eq!(ask(program, &emulator, &case, &options), format!("oid: {}", principal.oid), "{kind}");
        let said = ask(program, &emulator, &case, &options[..4]);
        assert!(said.starts_with("error: ") && said.contains(option), "{said}");
    }
}
