//! The default chain in surroundings of every kind.

use keyless::credential::{Credential, CredentialOptions};
use keyless::token::TokenSource;
use keyless::{Error, ErrorCode, Result};
use keyless_conformance::{check, credential_options, emulator, options};
use keyless_emulator::{Emulator, TokenFault};
use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_hours(1);

/// The chain in an environment of these variables, asked for one token: by which kind it came, and whose it is.
async fn asked(
    emulator: &Emulator,
    with: CredentialOptions,
    variables: &[(&str, &str)],
) -> Result<(String, String)> {
    let given: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let with = with.environment(move |name| given.get(name).cloned());
    let source =
        TokenSource::new(Credential::default_chain_with(&with)?, options(emulator).token_source_options())?;
    let token = source.get(Duration::from_secs(9)).await?;
    Ok((source.credential_name().to_owned(), token.user.to_string()))
}

/// The rows of the table in the error: credential, reason, remedy.
fn table(error: &Error) -> Vec<Vec<&str>> {
    println!("{error}");
    assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
    let rows = error.message().lines().skip(1);
    rows.map(|row| row.split(" | ").map(str::trim).collect()).collect()
}

#[tokio::test]
async fn each_link_is_found_when_those_before_it_are_not_there() {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let (tools, federated) = (emulator.az_path(), emulator.federated_token_file());
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let ids =
        [("AZURE_TENANT_ID", principal.tenant.as_str()), ("AZURE_CLIENT_ID", principal.client_id.as_str())];
    let secret = [("AZURE_CLIENT_SECRET", principal.secrets[0].as_str())];
    let file = [("AZURE_FEDERATED_TOKEN_FILE", federated.to_str().unwrap())];
    let with_tools = [("PATH", path.as_str())];
    let nowhere = || credential_options(&emulator).metadata_host("http://127.0.0.1:9");
    let found = async |with, variables: &[&[(&str, &str)]]| {
        let found = asked(&emulator, with, &variables.concat()).await.unwrap();
        println!("{found:?}");
        found
    };
    let here = || credential_options(&emulator);
    let all = [&ids[..], &secret, &file, &with_tools];
    let (application, system) = (principal.oid.clone(), emulator.managed_identities()[0].oid.clone());
    let user = emulator.cli_user().oid;
    assert_eq!(found(here(), &all).await, ("environment".into(), application.clone()));
    assert_eq!(found(here(), &[&ids, &file, &with_tools]).await, ("workload identity".into(), application));
    assert_eq!(found(here(), &[&with_tools]).await, ("managed identity".into(), system.clone()));
    assert_eq!(found(nowhere(), &[&with_tools]).await, ("Azure CLI".into(), user.clone()));
    std::fs::remove_file(tools.join("az")).unwrap();
    assert_eq!(found(nowhere(), &[&with_tools]).await, ("Azure PowerShell".into(), user.clone()));
    std::fs::remove_file(tools.join("pwsh")).unwrap();
    assert_eq!(found(nowhere(), &[&with_tools]).await, ("Azure Developer CLI".into(), user));
    // What is named goes before the order.
    let named = [("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")];
    assert_eq!(
        found(here(), &[&secret, &ids[..1], &named]).await,
        ("managed identity".into(), system.clone())
    );
    let excluded = here().exclude("environment").exclude("workload_identity");
    assert_eq!(found(excluded, &[&secret, &file, &ids[..1]]).await, ("managed identity".into(), system));
}

#[tokio::test]
async fn outside_azure_it_gives_up_on_managed_identity_within_two_seconds() {
    let emulator = emulator(HOUR).await;
    // Nobody there, and somebody who takes every connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [gone, silent.local_addr().unwrap()] {
        let with = credential_options(&emulator).metadata_host(format!("http://{address}"));
        let begun = Instant::now();
        let error = asked(&emulator, with, &[("PATH", "/nowhere")]).await.unwrap_err();
        let took = begun.elapsed();
        println!("gave up after {took:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        let table = table(&error);
        let names: Vec<_> = table.iter().map(|row| row[0]).collect();
        let all = [
            "environment",
            "workload identity",
            "managed identity",
            "Azure CLI",
            "Azure PowerShell",
            "Azure Developer CLI",
        ];
        assert_eq!(names, all);
        let [_, reason, remedy] = table[2][..] else { panic!("three cells: {table:?}") };
        assert!(
            reason.contains(&address.to_string()) && remedy.contains("Azure resource"),
            "{reason} {remedy}"
        );
        assert!(
            table.iter().all(|row| row.len() == 3 && row.iter().all(|cell| !cell.is_empty())),
            "{table:?}"
        );
    }
}

#[tokio::test]
async fn what_is_there_and_refused_hides_no_other_identity_and_is_not_hidden() {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let ids = [
        ("AZURE_TENANT_ID", principal.tenant.as_str()),
        ("AZURE_CLIENT_ID", principal.client_id.as_str()),
        ("AZURE_CLIENT_SECRET", "hunter2"),
    ];
    let error = asked(&emulator, credential_options(&emulator), &ids).await.unwrap_err();
    check(&error, ErrorCode::SignInRefused, &["AADSTS7000215"], &["Secret ID"]);
    // An identity that is not assigned passes the turn on; a metadata service in trouble does not.
    let path = format!("{}:/usr/bin:/bin", emulator.az_path().display());
    let with = || credential_options(&emulator).client_id("00000000-0000-0000-0000-000000000000");
    let found = asked(&emulator, with(), &[("PATH", &path)]).await.unwrap();
    assert_eq!(found.0, "Azure CLI");
    emulator.faults().token_for(Some("imds"), TokenFault::Status { status: 500 }, None);
    let error = asked(&emulator, credential_options(&emulator), &[("PATH", &path)]).await.unwrap_err();
    check(&error, ErrorCode::TokenEndpointUnavailable, &["500"], &["tried again"]);
}

#[tokio::test]
async fn a_tool_that_hangs_keeps_nobody_waiting_for_long() {
    let emulator = emulator(HOUR).await;
    let path = format!("{}:/usr/bin:/bin", emulator.az_path().display());
    emulator.faults().token_for(Some("az"), TokenFault::Hang, Some(1));
    let with = credential_options(&emulator).token_credentials("dev");
    let begun = Instant::now();
    let found = asked(&emulator, with, &[("PATH", &path)]).await.unwrap();
    println!("{found:?} after {:?}", begun.elapsed());
    assert_eq!(found.0, "Azure PowerShell");
}

#[tokio::test]
async fn the_one_that_worked_is_kept() {
    let emulator = emulator(HOUR).await;
    let options = options(&emulator).with_refresh_ratio(0.05).with_refresh_jitter(0.0);
    emulator.set_token_lifetime(Duration::from_secs(10));
    let principal = emulator.service_principal();
    let appears = Arc::new(AtomicBool::new(false));
    let there = Arc::clone(&appears);
    let with = credential_options(&emulator).environment(move |name| {
        let value = match name {
            "AZURE_TENANT_ID" => &principal.tenant,
            "AZURE_CLIENT_SECRET" => &principal.secrets[0],
            "AZURE_CLIENT_ID" => &principal.client_id,
            _ => return None,
        };
        there.load(Ordering::SeqCst).then(|| value.clone())
    });
    let credential = Credential::default_chain_with(&with).unwrap();
    let source = TokenSource::new(credential, options.token_source_options()).unwrap();
    let mut following = source.subscribe().unwrap();
    following.changed().await.unwrap();
    // From now on an application would come first, and is not looked at.
    appears.store(true, Ordering::SeqCst);
    emulator.faults().token_for(Some("imds"), TokenFault::Status { status: 400 }, Some(1));
    following.changed().await.unwrap();
    let tokens = emulator.stats().tokens;
    assert_eq!(source.credential_name(), "managed identity");
    assert!(tokens.by_grant.len() == 1 && tokens.by_grant["imds"].served >= 2, "{tokens:?}");
}
