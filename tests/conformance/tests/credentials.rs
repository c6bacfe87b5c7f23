//! Every kind of credential against the emulator: who signs in by it, and that what goes over the wire is what the
//! services document.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keyless::credential::{
    ClientCertificate, Credential, CredentialOptions, ManagedIdentityId, WorkloadIdentity,
};
use keyless::redis::cmd;
use keyless::token::TokenSource;
use keyless::{Client, ErrorCode, Result, Secret};
use keyless_conformance::{check, credential_options, emulator, options, refusal};
use keyless_emulator::{Emulator, TokenFault, WireRequest};
use serde_json::Value;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const SCOPE: &str = "https://redis.azure.com/.default";
const RESOURCE: &str = "https://redis.azure.com";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Signs in by the credential and returns how the one token was asked for.
async fn signs_in(emulator: &Emulator, credential: Credential, user: &str, grant: &str) -> WireRequest {
    emulator.reset();
    let kind = credential.name().to_owned();
    let client = Client::connect_as(&options(emulator), credential).await.unwrap();
    let me: String = client.execute(cmd("ACL").arg("WHOAMI")).await.unwrap();
    client.close().await;
    let tokens = emulator.stats().tokens;
    let served: Vec<_> = tokens.requests.iter().filter(|request| request.grant == grant).collect();
    println!("{kind:20} {grant:18} {me}");
    assert_eq!((me.as_str(), served.len(), tokens.failed), (user, 1, 0), "{kind}: {tokens:?}");
    served[0].request.clone()
}

/// Why the first attempt fails.
async fn fails(emulator: &Emulator, credential: Credential) -> keyless::Error {
    let source = TokenSource::new(credential, options(emulator).token_source_options()).unwrap();
    let events = keyless_conformance::Events::of_source(&source);
    let _following = source.subscribe().unwrap();
    events.wait(keyless::event::EventMask::TOKEN_REFRESH_FAILED, 1, Duration::from_secs(20)).await;
    match events.all().into_iter().next() {
        Some(keyless::event::Event::TokenRefreshFailed { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

/// A part of a JWT.
fn decoded(jwt: &str, part: usize) -> Value {
    let part = jwt.split('.').nth(part).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn pem(certificate: &keyless_emulator::ClientCertificate) -> ClientCertificate {
    ClientCertificate::bytes(format!("{}{}", certificate.certificate_pem, certificate.key_pem))
}

fn application(emulator: &Emulator, certificate: ClientCertificate) -> Result<Credential> {
    let principal = emulator.service_principal();
    let with = credential_options(emulator);
    Credential::client_certificate_with(principal.tenant, principal.client_id, certificate, &with)
}

#[tokio::test]
async fn a_client_secret_goes_out_as_documented() {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let credential = keyless_conformance::client_secret(&emulator);
    let asked = signs_in(&emulator, credential, &principal.oid, "client_secret").await;
    assert_eq!(
        (asked.method.as_str(), asked.path.clone()),
        ("POST", format!("/{}/oauth2/v2.0/token", principal.tenant))
    );
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    let mut names: Vec<_> = asked.form.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["client_id", "client_secret", "grant_type", "scope"]);
}

#[tokio::test]
async fn a_certificate_signs_and_is_named_by_its_thumbprint_and_sent_along_if_asked_to() {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let endpoint = format!("{}/{}/oauth2/v2.0/token", emulator.authority(), principal.tenant);
    let registered = emulator.client_certificate(&principal.client_id).unwrap();
    let by_name = emulator.client_certificate_by_name(&principal.client_id).unwrap();
    for (certificate, send) in [(&registered, false), (&registered, true), (&by_name, true)] {
        let credential = application(&emulator, pem(certificate).send_x5c(send)).unwrap();
        let asked = signs_in(&emulator, credential, &principal.oid, "client_assertion").await;
        let mut names: Vec<_> = asked.form.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["client_assertion", "client_assertion_type", "client_id", "grant_type", "scope"]);
        assert_eq!(asked.value("client_assertion_type"), Some(ASSERTION_TYPE));
        assert_eq!(asked.value("scope"), Some(SCOPE));
        // The emulator has verified signature and thumbprint with the certificate.
        let assertion = asked.value("client_assertion").unwrap();
        let (header, claims) = (decoded(assertion, 0), decoded(assertion, 1));
        assert_eq!(header["alg"], "PS256");
        assert!(header["x5t#S256"].is_string() && header["x5c"].is_array() == send, "{header}");
        assert_eq!(claims["aud"], endpoint);
        let lifetime = claims["exp"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap();
        assert!((300..=600).contains(&lifetime), "{lifetime}");
    }
    // Trust by name needs the certificate itself.
    let error = fails(&emulator, application(&emulator, pem(&by_name)).unwrap()).await;
    check(&error, ErrorCode::SignInRefused, &["AADSTS700027"], &["upload it under Certificates & secrets"]);
}

#[tokio::test]
async fn certificates_that_expired_or_are_unknown_are_told_apart() {
    let emulator = emulator(HOUR).await;
    let client_id = emulator.service_principal().client_id;
    let expired = emulator.expired_client_certificate(&client_id).unwrap();
    let error = fails(&emulator, application(&emulator, pem(&expired)).unwrap()).await;
    check(&error, ErrorCode::SignInRefused, &["AADSTS700027", "expired"], &["has expired"]);
    let other = keyless_emulator::ServicePrincipal::random(emulator.tenant());
    emulator.put_service_principal(other.clone()).unwrap();
    let unknown = emulator.client_certificate(&other.client_id).unwrap();
    let error = fails(&emulator, application(&emulator, pem(&unknown)).unwrap()).await;
    check(&error, ErrorCode::SignInRefused, &["AADSTS700027"], &["not registered"]);
}

#[tokio::test]
async fn an_assertion_comes_from_the_applications_own_function() {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let subject = principal.federated_subjects[0].clone();
    let assertion = emulator.federated_token(&subject, HOUR).unwrap();
    let wrong_subject = emulator.federated_token("system:serviceaccount:other:one", HOUR).unwrap();
    let make = |function: Box<dyn Fn() -> Result<Secret, String> + Send + Sync>| {
        let with = credential_options(&emulator);
        let function = move || std::future::ready(function());
        Credential::client_assertion_with(&principal.tenant, &principal.client_id, function, &with).unwrap()
    };
    let good = assertion.clone();
    let asked = signs_in(
        &emulator,
        make(Box::new(move || Ok(good.as_str().into()))),
        &principal.oid,
        "client_assertion",
    )
    .await;
    assert_eq!(asked.value("client_assertion"), Some(assertion.as_str()));
    let error = fails(&emulator, make(Box::new(|| Err("the vault is sealed".into())))).await;
    check(&error, ErrorCode::CredentialUnavailable, &["the vault is sealed"], &["function"]);
    let error = fails(&emulator, make(Box::new(move || Ok(wrong_subject.as_str().into())))).await;
    check(&error, ErrorCode::SignInRefused, &["AADSTS700213"], &["issuer, subject and audience"]);
    // An assertion that was made for another endpoint: here one that this application signed itself.
    let elsewhere = {
        let certificate = emulator.client_certificate(&principal.client_id).unwrap();
        let with = credential_options(&emulator)
            .authority_host(emulator.authority().replace("localhost", "127.0.0.1"));
        let (tenant, client) = (principal.tenant.clone(), principal.client_id.clone());
        Credential::client_certificate_with(tenant, client, pem(&certificate), &with).unwrap()
    };
    let error = fails(&emulator, elsewhere).await;
    check(&error, ErrorCode::SignInRefused, &["AADSTS700023"], &["authority"]);
}

#[tokio::test]
async fn a_federated_token_is_read_again_each_time() {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let file = emulator.temp_dir().join("projected");
    let identity = WorkloadIdentity::new()
        .tenant_id(&principal.tenant)
        .client_id(&principal.client_id)
        .token_file(&file);
    let make =
        || Credential::workload_identity_with(identity.clone(), &credential_options(&emulator)).unwrap();
    let error = fails(&emulator, make()).await;
    check(&error, ErrorCode::CredentialUnavailable, &["projected"], &["service account"]);
    for subject in ["system:serviceaccount:other:one", &principal.federated_subjects[0]] {
        std::fs::write(&file, emulator.federated_token(subject, HOUR).unwrap()).unwrap();
        if subject.contains("other") {
            check(&fails(&emulator, make()).await, ErrorCode::SignInRefused, &["AADSTS700213"], &["subject"]);
        } else {
            let asked = signs_in(&emulator, make(), &principal.oid, "client_assertion").await;
            assert_eq!(
                asked.value("client_assertion"),
                Some(std::fs::read_to_string(&file).unwrap().as_str())
            );
        }
    }
}

/// The only variables are those of a case.
fn within(emulator: &Emulator, variables: &[(&str, &str)]) -> CredentialOptions {
    let given: std::collections::HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    credential_options(emulator).environment(move |name| given.get(name).cloned())
}

/// The grant, the variables of its surroundings, version, header, and how it is told which identity.
type Service<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str, &'a str, &'a [&'a str]);

#[tokio::test]
async fn managed_identities_are_asked_for_as_each_service_documents() {
    let emulator = emulator(HOUR).await;
    let identities = emulator.managed_identities();
    let [system, user] = &identities[..] else { panic!("two identities") };
    let (app, app_header) = emulator.app_service();
    let (arc, arc_imds, arc_keys) = emulator.azure_arc();
    let (fabric, fabric_header, thumbprint) = emulator.service_fabric();
    let shell = emulator.cloud_shell();
    let (ml, ml_secret) = emulator.machine_learning();
    let by = |kind: &str| match kind {
        "client_id" | "clientid" => ManagedIdentityId::ClientId(user.client_id.clone()),
        "object_id" => ManagedIdentityId::ObjectId(user.oid.clone()),
        _ => ManagedIdentityId::ResourceId(user.resource_id.clone()),
    };
    let services: [Service<'_>; 5] = [
        ("imds", vec![], "2018-02-01", "metadata", &["client_id", "object_id", "msi_res_id"]),
        (
            "app_service",
            vec![("IDENTITY_ENDPOINT", &app), ("IDENTITY_HEADER", &app_header)],
            "2019-08-01",
            "x-identity-header",
            &["client_id", "object_id", "mi_res_id"],
        ),
        (
            "arc",
            vec![("IDENTITY_ENDPOINT", &arc), ("IMDS_ENDPOINT", &arc_imds)],
            "2020-06-01",
            "metadata",
            &["client_id", "object_id", "msi_res_id"],
        ),
        (
            "service_fabric",
            vec![
                ("IDENTITY_ENDPOINT", &fabric),
                ("IDENTITY_HEADER", &fabric_header),
                ("IDENTITY_SERVER_THUMBPRINT", &thumbprint),
            ],
            "2019-07-01-preview",
            "secret",
            &[],
        ),
        (
            "machine_learning",
            vec![("MSI_ENDPOINT", &ml), ("MSI_SECRET", &ml_secret)],
            "2017-09-01",
            "secret",
            &["clientid"],
        ),
    ];
    for (grant, variables, version, header, selectors) in services {
        let with = within(&emulator, &variables).arc_token_directory(&arc_keys);
        let make = |id| Credential::managed_identity_with(id, &with).unwrap();
        let asked = signs_in(&emulator, make(ManagedIdentityId::SystemAssigned), &system.oid, grant).await;
        assert_eq!((asked.method.as_str(), asked.query.len()), ("GET", 2), "{asked:?}");
        assert_eq!((asked.value("api-version"), asked.value("resource")), (Some(version), Some(RESOURCE)));
        assert!(asked.header(header).is_some(), "{grant}: {:?}", asked.headers);
        for selector in selectors {
            let asked = signs_in(&emulator, make(by(selector)), &user.oid, grant).await;
            assert!(asked.value(selector).is_some() && asked.query.len() == 3, "{selector}: {asked:?}");
        }
    }
    let with = within(&emulator, &[("MSI_ENDPOINT", &shell)]);
    let credential = Credential::managed_identity_with(ManagedIdentityId::SystemAssigned, &with).unwrap();
    let asked = signs_in(&emulator, credential, &emulator.cli_user().oid, "cloud_shell").await;
    assert_eq!(
        (asked.method.as_str(), asked.form.len(), asked.value("resource")),
        ("POST", 1, Some(RESOURCE))
    );
    assert_eq!(asked.header("metadata"), Some("true"));
}

#[tokio::test]
async fn azure_arc_and_service_fabric_are_not_trusted_blindly() {
    let emulator = emulator(HOUR).await;
    let (arc, arc_imds, keys) = emulator.azure_arc();
    let variables = [("IDENTITY_ENDPOINT", arc.as_str()), ("IMDS_ENDPOINT", &arc_imds)];
    let secret = emulator.temp_dir().join("secret.key");
    std::fs::write(&secret, "hunter2").unwrap();
    std::fs::create_dir_all(&keys).unwrap();
    std::fs::write(keys.join("long.key"), "k".repeat(4097)).unwrap();
    for (realm, says) in [
        (secret.to_str().unwrap().to_owned(), "not where the agent keeps its keys"),
        (keys.join("long.key").to_str().unwrap().to_owned(), "4096"),
        (String::new(), "names no file"),
    ] {
        emulator.set_arc_challenge(Some(realm));
        let with = within(&emulator, &variables).arc_token_directory(&keys);
        let credential = Credential::managed_identity_with(ManagedIdentityId::SystemAssigned, &with).unwrap();
        let error = fails(&emulator, credential).await;
        check(&error, ErrorCode::CredentialUnavailable, &[says], &["agent"]);
    }
    assert_eq!(emulator.stats().tokens.served, 0);
    let (endpoint, header, thumbprint) = emulator.service_fabric();
    let wrong = thumbprint.chars().rev().collect::<String>();
    let variables = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", &header),
        ("IDENTITY_SERVER_THUMBPRINT", &wrong),
    ];
    let with = within(&emulator, &variables);
    let credential = Credential::managed_identity_with(ManagedIdentityId::SystemAssigned, &with).unwrap();
    let error = fails(&emulator, credential).await;
    check(&error, ErrorCode::CredentialUnavailable, &["Service Fabric", "certificate"], &["Azure resource"]);
    assert!(emulator.stats().tokens.requests.iter().all(|request| request.grant != "service_fabric"));
    let named = ManagedIdentityId::ClientId("c".into());
    let error = fails(&emulator, Credential::managed_identity_with(named, &with).unwrap()).await;
    check(&error, ErrorCode::CredentialUnavailable, &["no choice"], &["Leave the id"]);
}

#[tokio::test]
async fn imds_is_tried_again_when_it_asks_for_that_and_an_unknown_identity_is_told() {
    let emulator = emulator(HOUR).await;
    let with = credential_options(&emulator);
    for fault in [
        TokenFault::Status { status: 410 },
        TokenFault::TooManyRequests { retry_after: 0 },
        TokenFault::Status { status: 500 },
        TokenFault::Drop,
    ] {
        emulator.reset();
        emulator.faults().token_for(Some("imds"), fault.clone(), Some(2));
        let credential = Credential::managed_identity_with(ManagedIdentityId::SystemAssigned, &with).unwrap();
        let client = Client::connect_as(&options(&emulator), credential).await.unwrap();
        let () = client.execute(&cmd("PING")).await.unwrap();
        let tokens = emulator.stats().tokens;
        println!("{fault:?}: {} refused, then {} served", tokens.failed, tokens.served);
        assert_eq!((tokens.failed, tokens.served), (2, 1));
        client.close().await;
    }
    emulator.reset();
    let unknown = ManagedIdentityId::ClientId("00000000-0000-0000-0000-000000000000".into());
    let error = fails(&emulator, Credential::managed_identity_with(unknown, &with).unwrap()).await;
    check(
        &error,
        ErrorCode::CredentialUnavailable,
        &["400", "Identity not found"],
        &["Assign the managed identity"],
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn azure_pipelines_exchanges_its_own_token_for_one_of_entra() {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let (uri, access_token, connection) = emulator.azure_pipelines();
    let with = within(&emulator, &[("SYSTEM_OIDCREQUESTURI", &uri)]);
    let make = |connection: &str, access_token: &str, with: &CredentialOptions| {
        let (tenant, client) = (&principal.tenant, &principal.client_id);
        Credential::azure_pipelines_with(tenant, client, connection, access_token, with).unwrap()
    };
    signs_in(&emulator, make(&connection, &access_token, &with), &principal.oid, "client_assertion").await;
    let error = fails(&emulator, make(&connection, "hunter2", &with)).await;
    check(&error, ErrorCode::SignInRefused, &["401", "x-vss-e2eid"], &["SYSTEM_ACCESSTOKEN"]);
    let asked = emulator.stats().tokens.requests.pop().unwrap().request;
    assert_eq!((asked.method.as_str(), asked.value("api-version")), ("POST", Some("7.1")));
    assert_eq!(asked.value("serviceConnectionId"), Some(connection.as_str()));
    assert_eq!(asked.header("x-tfs-fedauthredirect"), Some("Suppress"));
    let error = fails(&emulator, make("another", &access_token, &with)).await;
    check(&error, ErrorCode::SignInRefused, &["404"], &["service connection"]);
    let error = fails(&emulator, make(&connection, &access_token, &within(&emulator, &[]))).await;
    check(&error, ErrorCode::CredentialUnavailable, &["SYSTEM_OIDCREQUESTURI"], &["Azure Pipelines"]);
}

type Make = fn(&CredentialOptions) -> Result<Credential>;

#[tokio::test]
async fn the_tools_of_developers_are_run_as_they_document() {
    let emulator = emulator(HOUR).await;
    let (oid, tenant) = (emulator.cli_user().oid, emulator.tenant());
    let path = format!("{}:/usr/bin:/bin", emulator.az_path().display());
    let tools: [(&str, Make, &str, &str); 3] = [
        ("az", Credential::azure_cli_with, "az login", "account get-access-token"),
        ("azd", Credential::azure_developer_cli_with, "azd auth login", "auth token"),
        ("pwsh", Credential::azure_powershell_with, "Connect-AzAccount", "-NoProfile -NonInteractive"),
    ];
    for (tool, make, sign_in, arguments) in tools {
        let with = within(&emulator, &[("PATH", &path)]).tenant_id(&tenant);
        let asked = signs_in(&emulator, make(&with).unwrap(), &oid, tool).await;
        let said = asked.form.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ");
        assert!(said.starts_with(arguments), "{said}");
        // Slow is not wrong.
        emulator.faults().token_for(Some(tool), TokenFault::Slow { delay_ms: 1_000 }, Some(1));
        let source =
            TokenSource::new(make(&with).unwrap(), options(&emulator).token_source_options()).unwrap();
        source.get(Duration::from_secs(20)).await.unwrap();
        emulator.faults().token_for(Some(tool), TokenFault::Malformed, Some(1));
        check(
            &fails(&emulator, make(&with).unwrap()).await,
            ErrorCode::CredentialUnavailable,
            &["output"],
            &["Update"],
        );
        emulator.faults().az_logged_out(true);
        let error = fails(&emulator, make(&with).unwrap()).await;
        check(&error, ErrorCode::CredentialUnavailable, &["not signed in"], &[sign_in]);
        emulator.faults().az_logged_out(false);
        let error = fails(&emulator, make(&within(&emulator, &[("PATH", "/nowhere")])).unwrap()).await;
        check(&error, ErrorCode::CredentialUnavailable, &["not on PATH"], &["Install"]);
        let other = within(&emulator, &[("PATH", &path)]).tenant_id("contoso.onmicrosoft.com");
        let error = fails(&emulator, make(&other).unwrap()).await;
        check(&error, ErrorCode::CredentialUnavailable, &["AADSTS90002"], &[sign_in]);
    }
}

#[tokio::test]
async fn answers_that_are_no_token_or_for_somebody_else_are_told() {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let make = || keyless_conformance::client_secret(&emulator);
    emulator.faults().token(TokenFault::Malformed, Some(1));
    let error = fails(&emulator, make()).await;
    check(&error, ErrorCode::TokenEndpointUnavailable, &["not a token"], &["proxy"]);
    emulator.faults().token(TokenFault::WrongAudience, None);
    let error = refusal(&options(&emulator), make()).await;
    check(&error, ErrorCode::AuthRefused, &[], &["scope"]);
    emulator.faults().clear();
    for tenant in ["not a tenant", "tenant", "a/b"] {
        let with = credential_options(&emulator);
        let error = Credential::client_secret_with(tenant, &principal.client_id, "s", &with).unwrap_err();
        check(&error, ErrorCode::InvalidOption, &["neither a GUID nor a domain"], &["directory (tenant) id"]);
    }
}
