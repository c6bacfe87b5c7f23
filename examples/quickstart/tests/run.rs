//! The sample as a program, against the emulator.

use keyless_emulator::{Emulator, EmulatorOptions};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn emulator(token_lifetime: Duration) -> Emulator {
    let emulator = Emulator::start_blocking(EmulatorOptions { token_lifetime, ..EmulatorOptions::default() });
    emulator.expect("the emulator")
}

/// The sample in an environment that holds nothing but what it is given.
fn sample(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyless-quickstart"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// The sample with the environment of an application that has a client secret.
fn application(emulator: &Emulator, arguments: &[&str]) -> Command {
    let principal = emulator.service_principal();
    let mut command = sample(arguments);
    command
        .env("REDIS_HOST", "localhost")
        .env("REDIS_PORT", emulator.port().to_string())
        .env("SSL_CERT_FILE", emulator.ca_file())
        .env("AZURE_AUTHORITY_HOST", emulator.authority())
        .env("AZURE_TENANT_ID", &principal.tenant)
        .env("AZURE_CLIENT_ID", &principal.client_id)
        .env("AZURE_CLIENT_SECRET", &principal.secrets[0]);
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn it_lives_through_a_refresh_and_tells_of_it() {
    let emulator = emulator(Duration::from_secs(3));
    let arguments = ["--seconds", "5", "--interval-ms", "100", "--load", "2", "--expect-refresh"];
    let output = application(&emulator, &arguments).output().expect("the sample");
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for part in ["token refreshed: number 2", "connection re-authenticated", "++++", "latency p99"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let principal = emulator.service_principal();
    assert!(!text.contains(&principal.secrets[0]), "a secret was printed");
}

#[test]
fn without_a_refresh_it_fails_when_one_is_expected() {
    let emulator = emulator(Duration::from_hours(1));
    let arguments = ["--seconds", "1", "--auth", "service-principal-secret", "--expect-refresh"];
    let output = application(&emulator, &arguments).output().expect("the sample");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("no token was replaced"));
}

#[test]
fn managed_identities_and_the_access_key_sign_in() {
    let emulator = emulator(Duration::from_hours(1));
    emulator.set_access_key(Some("key-of-the-cache".into()));
    let user_assigned = emulator.managed_identities().into_iter().find(|identity| !identity.system_assigned);
    let client_id = user_assigned.expect("a user-assigned identity").client_id;
    let endpoint = emulator.endpoint();
    let ca_file = emulator.ca_file();
    for (method, client_id) in [
        ("system-assigned-managed-identity", ""),
        ("user-assigned-managed-identity", client_id.as_str()),
        ("access-key", ""),
    ] {
        let output = sample(&["--endpoint", &endpoint, "--auth", method, "--seconds", "1", "--ca-file"])
            .arg(&ca_file)
            .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", emulator.imds_url())
            .env("AZURE_CLIENT_ID", client_id)
            .env("REDIS_ACCESS_KEY", if method == "access-key" { "key-of-the-cache" } else { "" })
            .output()
            .expect("the sample");
        assert!(output.status.success(), "{method}: {}", text(&output));
        assert!(!text(&output).contains("key-of-the-cache"));
    }
}

#[test]
fn certificates_sign_in_registered_or_by_name() {
    let emulator = emulator(Duration::from_hours(1));
    let client_id = emulator.service_principal().client_id;
    for (method, certificate) in [
        ("service-principal-certificate", emulator.client_certificate(&client_id)),
        ("service-principal-certificate-sni", emulator.client_certificate_by_name(&client_id)),
    ] {
        let certificate = certificate.expect("a certificate");
        let path = emulator.temp_dir().join("client.pem");
        std::fs::write(&path, certificate.key_pem + &certificate.certificate_pem).expect("a file");
        let path = path.to_str().expect("a path");
        let arguments = ["--auth", method, "--certificate", path, "--seconds", "1"];
        let output = application(&emulator, &arguments).output().expect("the sample");
        assert!(output.status.success(), "{method}: {}", text(&output));
    }
}

#[test]
fn what_is_missing_is_named() {
    for (arguments, says) in [
        (&[][..], "REDIS_HOST"),
        (&["--endpoint", "localhost:1", "--auth", "user-assigned-managed-identity"], "--client-id"),
        (&["--endpoint", "localhost:1", "--auth", "access-key"], "REDIS_ACCESS_KEY"),
        (
            &[
                "--endpoint",
                "localhost:1",
                "--auth",
                "service-principal-certificate",
                "--client-id",
                "c",
                "--tenant-id",
                "t",
            ],
            "--certificate",
        ),
        (
            &["--endpoint", "localhost:1", "--auth", "default", "--options", "conectTimeout=1"],
            "connectTimeout",
        ),
    ] {
        let output = sample(arguments).output().expect("the sample");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains(says), "{says} in {}", text(&output));
    }
}

/// SIGTERM finishes what is under way and prints the table.
#[cfg(unix)]
#[test]
fn it_ends_in_good_order_on_a_signal() {
    let emulator = emulator(Duration::from_hours(1));
    let child = application(&emulator, &["--interval-ms", "50"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the sample");
    std::thread::sleep(Duration::from_secs(2));
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
    assert!(killed.success());
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("latency p99"));
}
