//! The endpoints that hand out tokens: what they accept, what they refuse and in which words.

mod common;

use std::{io, process::Command, time::Duration};

use common::{emulator, http, json, token_request, value};
use jsonwebtoken::{Algorithm, EncodingKey, Header, dangerous::insecure_decode_claims};
use keyless_emulator::{Emulator, EmulatorOptions};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn refusals_carry_the_codes_of_entra() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let cases = [
        ("tenant", "00000000-0000-0000-0000-000000000000", 400, "invalid_request", 90002),
        ("client_id", "00000000-0000-0000-0000-000000000000", 400, "unauthorized_client", 700_016),
        ("client_secret", "wrong", 401, "invalid_client", 7_000_215),
        ("client_secret", "", 401, "invalid_client", 7_000_218),
        ("scope", "https://management.azure.com/.default", 400, "invalid_scope", 70011),
        ("grant_type", "", 400, "invalid_request", 900_144),
        ("grant_type", "password", 400, "unsupported_grant_type", 70003),
    ];
    for (field, wrong, status, error, code) in cases {
        let response = token_request(&emulator, &[(field, wrong)]).await?;
        let body = value(&response);
        assert_eq!(response.status().as_u16(), status, "{field}");
        assert_eq!((&body["error"], &body["error_codes"][0]), (&json!(error), &json!(code)), "{field}");
        let description = body["error_description"].as_str().expect("a description");
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
        for name in ["timestamp", "trace_id", "correlation_id"] {
            assert!(description.contains(body[name].as_str().expect(name)), "{name} in {description}");
        }
    }
    assert_eq!(emulator.stats().tokens.failed, 7);
    Ok(())
}

#[tokio::test]
async fn a_token_has_the_claims_of_entra_for_either_scope() -> io::Result<()> {
    let emulator = emulator(Duration::from_secs(90)).await;
    let id = "acca5fbb-b7e4-4009-81f1-37e38fd66d78";
    for audience in [id, "https://redis.azure.com"] {
        let response = token_request(&emulator, &[("scope", &format!("{audience}/.default"))]).await?;
        let body = value(&response);
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(90)));
        let token = body["access_token"].as_str().expect("a token");
        let claims: Value = insecure_decode_claims(token).expect("a JWT");
        let principal = emulator.service_principal();
        assert_eq!(claims["aud"], audience);
        assert_eq!(claims["oid"], principal.oid);
        assert_eq!(claims["appid"], principal.client_id);
        assert_eq!(claims["iss"], format!("https://sts.windows.net/{}/", emulator.tenant()));
        let lifetime = claims["exp"].as_u64().zip(claims["iat"].as_u64()).map(|(exp, iat)| exp - iat);
        assert!(matches!(lifetime, Some(90 | 91)), "{lifetime:?}");
    }
    let base = format!("{}/{}", emulator.authority(), emulator.tenant());
    let metadata = value(
        &http(&emulator, "GET", &format!("{base}/v2.0/.well-known/openid-configuration"), &[], String::new())
            .await?,
    );
    assert_eq!(metadata["token_endpoint"], format!("{base}/oauth2/v2.0/token"));
    let keys =
        http(&emulator, "GET", metadata["jwks_uri"].as_str().expect("a URL"), &[], String::new()).await?;
    assert_eq!(value(&keys)["keys"][0]["kty"], "RSA");
    let instance = format!("{}/common/discovery/instance?api-version=1.1", emulator.authority());
    let instance = value(&http(&emulator, "GET", &instance, &[], String::new()).await?);
    assert!(instance["tenant_discovery_endpoint"].is_string());
    Ok(())
}

#[tokio::test]
async fn assertions_are_accepted_from_certificates_and_federation() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let principal = emulator.service_principal();
    let assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let send = async |assertion: &str| {
        let changes = [
            ("client_secret", ""),
            ("client_assertion_type", assertion_type),
            ("client_assertion", assertion),
        ];
        token_request(&emulator, &changes).await.expect("an answer")
    };
    let certificate = emulator.client_certificate(&principal.client_id).expect("a certificate");
    let other = emulator.client_certificate(&principal.client_id).expect("a certificate");
    let sign = |key_pem: &str, audience: &str, exp: u64| {
        let mut header = Header::new(Algorithm::RS256);
        let pem = certificate.certificate_pem.lines().filter(|line| !line.starts_with('-'));
        header.x5c = Some(vec![pem.collect()]);
        let claims =
            json!({"iss": principal.client_id, "sub": principal.client_id, "aud": audience, "exp": exp});
        let key = EncodingKey::from_rsa_pem(key_pem.as_bytes()).expect("a key");
        jsonwebtoken::encode(&header, &claims, &key).expect("an assertion")
    };
    let audience = format!("{}/{}/oauth2/v2.0/token", emulator.authority(), emulator.tenant());
    let cases = [
        (sign(&certificate.key_pem, &audience, 4_000_000_000), None),
        (sign(&other.key_pem, &audience, 4_000_000_000), Some(700_027)),
        (sign(&certificate.key_pem, "https://elsewhere", 4_000_000_000), Some(700_023)),
        (sign(&certificate.key_pem, &audience, 1_000_000_000), Some(700_024)),
        (std::fs::read_to_string(emulator.federated_token_file())?, None),
        (emulator.federated_token("system:serviceaccount:other:one", HOUR).expect("a token"), Some(700_213)),
        ("nonsense".into(), Some(50027)),
    ];
    for (assertion, code) in cases {
        let body = value(&send(&assertion).await);
        assert_eq!(body["error_codes"][0].as_u64(), code, "{body}");
        assert_eq!(body["access_token"].is_string(), code.is_none(), "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn managed_identities_are_served_as_imds_and_app_service_do() -> io::Result<()> {
    let emulator = emulator(HOUR).await;
    let identities = emulator.managed_identities();
    let get = async |url: &str, headers: &[(&str, &str)]| {
        let response = http(&emulator, "GET", url, headers, String::new()).await.expect("an answer");
        (response.status().as_u16(), value(&response))
    };
    let imds = format!("{}/metadata/identity/oauth2/token", emulator.imds_url());
    let metadata = [("metadata", "true")];
    let query = "api-version=2018-02-01&resource=https://redis.azure.com";
    for (select, expected) in [
        (String::new(), 0),
        (format!("&client_id={}", identities[1].client_id), 1),
        (format!("&object_id={}", identities[1].oid), 1),
        (format!("&msi_res_id={}", identities[1].resource_id), 1),
    ] {
        let (status, body) = get(&format!("{imds}?{query}{select}"), &metadata).await;
        assert_eq!((status, &body["client_id"]), (200, &json!(identities[expected].client_id)), "{body}");
        for name in ["expires_in", "expires_on", "ext_expires_in", "not_before"] {
            assert!(body[name].as_str().is_some_and(|text| text.parse::<u64>().is_ok()), "{name} in {body}");
        }
    }
    let (status, body) = get(&format!("{imds}?{query}&client_id=unknown"), &metadata).await;
    assert_eq!((status, &body["error_description"]), (400, &json!("Identity not found")));
    assert_eq!(get(&format!("{imds}?{query}"), &[]).await.0, 400);
    assert_eq!(get(&format!("{imds}?api-version=2018-02-01"), &metadata).await.0, 400);
    let (status, body) = get(&format!("{imds}?{query}/.default"), &metadata).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_resource")));
    let (endpoint, header) = emulator.app_service();
    let url = format!("{endpoint}?api-version=2019-08-01&resource=https://redis.azure.com");
    assert_eq!(get(&url, &[("x-identity-header", &header)]).await.0, 200);
    assert_eq!(get(&url, &[("x-identity-header", "wrong")]).await.0, 401);
    Ok(())
}

#[tokio::test]
async fn managed_identity_tokens_can_be_held() -> io::Result<()> {
    let options =
        EmulatorOptions { managed_identity_cache: Some(Duration::from_mins(1)), ..Default::default() };
    let emulator = Emulator::start(options).await.expect("an emulator");
    let url = format!(
        "{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://redis.azure.com",
        emulator.imds_url()
    );
    let get = async || {
        value(&http(&emulator, "GET", &url, &[("metadata", "true")], String::new()).await.expect("it"))
    };
    assert_eq!(get().await["access_token"], get().await["access_token"]);
    emulator.set_token_lifetime(Duration::from_secs(30));
    assert_ne!(get().await["access_token"], get().await["access_token"]);
    Ok(())
}

#[tokio::test]
async fn the_stand_in_for_az_answers_and_refuses() {
    let by_script = emulator(HOUR).await;
    let program = env!("CARGO_BIN_EXE_keyless-emulator").into();
    let by_program = Emulator::start(EmulatorOptions { az_program: Some(program), ..Default::default() })
        .await
        .expect("it");
    for emulator in [by_script, by_program] {
        let run = |more: &[&str]| {
            let mut command = Command::new(emulator.az_path().join("az"));
            command.args(["account", "get-access-token", "-o", "json", "--scope", common::SCOPE]).args(more);
            command.output().expect("az runs")
        };
        let output = run(&["--tenant", &emulator.tenant()]);
        let body: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let claims: Value =
            insecure_decode_claims(body["accessToken"].as_str().expect("a token")).expect("a JWT");
        assert_eq!((&claims["oid"], &claims["exp"]), (&json!(emulator.cli_user().oid), &body["expires_on"]));
        let response = json(&emulator, "POST", "/faults", json!({"az_logged_out": true})).await;
        assert!(response.status().is_success());
        let output = run(&[]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            String::from_utf8_lossy(&output.stderr).trim(),
            "ERROR: Please run 'az login' to setup account."
        );
        assert_eq!(emulator.stats().tokens.by_grant["az"].failed, 1);
    }
}

#[tokio::test]
async fn the_stand_ins_for_azd_and_pwsh_answer_and_refuse() {
    let program = env!("CARGO_BIN_EXE_keyless-emulator").into();
    let emulator = Emulator::start(EmulatorOptions { az_program: Some(program), ..Default::default() })
        .await
        .expect("it");
    let run = |tool: &str, arguments: &[&str]| {
        Command::new(emulator.az_path().join(tool)).args(arguments).output().expect("it runs")
    };
    let azd = ["auth", "token", "-o", "json", "--no-prompt", "--scope", common::SCOPE];
    let script = "$x = @{ ResourceUrl = 'https://redis.azure.com' }; $tenantId = ''; Get-AzAccessToken @x";
    let pwsh = ["-NoProfile", "-NonInteractive", "-Command", script];
    for (tool, arguments, signed_out) in
        [("azd", &azd[..], "not logged in, run `azd auth login`"), ("pwsh", &pwsh[..], "Connect-AzAccount")]
    {
        emulator.reset();
        let output = run(tool, arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let token = match tool {
            "azd" => serde_json::from_str::<Value>(&text).expect("JSON")["token"].as_str().map(str::to_owned),
            _ => text.split('%').nth(1).map(str::to_owned),
        };
        let claims: Value = insecure_decode_claims(token.expect("a token")).expect("a JWT");
        assert_eq!(claims["oid"], emulator.cli_user().oid);
        emulator.faults().az_logged_out(true);
        let output = run(tool, arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains(signed_out), "{output:?}");
        // What is not how the tool is asked is not understood.
        assert_eq!(run(tool, &["login"]).status.code(), Some(1));
        assert_eq!(emulator.stats().tokens.by_grant[tool].failed, 2);
    }
}
