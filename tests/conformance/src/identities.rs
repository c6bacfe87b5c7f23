//! Every kind of credential in surroundings where it works, for tests of each language.

use keyless_emulator::Emulator;
use std::path::Path;

/// Variables of the environment.
pub type Variables = Vec<(&'static str, String)>;

/// A kind of credential in surroundings where it works.
#[derive(Clone, Debug)]
pub struct Case {
    /// The kind's name.
    pub kind: &'static str,
    /// What tells it from others of the kind.
    pub what: &'static str,
    /// What the surroundings say.
    pub variables: Variables,
    /// Who signs in.
    pub oid: String,
    /// By which of the emulator's endpoints.
    pub grant: &'static str,
}

impl Case {
    /// The whole environment of a program in these surroundings.
    pub fn environment(&self, emulator: &Emulator) -> Vec<(&'static str, String)> {
        let ca = text(&emulator.ca_file());
        let mut environment = vec![
            ("PATH", format!("{}:/usr/bin:/bin", emulator.az_path().display())),
            ("HOME", text(emulator.temp_dir())),
            ("AZURE_AUTHORITY_HOST", emulator.authority()),
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", emulator.imds_url()),
            ("NO_PROXY", "*".to_owned()),
        ];
        // The authorities that programs of each language trust.
        environment.extend(
            ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"].map(|name| (name, ca.clone())),
        );
        environment.extend(self.variables.iter().cloned());
        environment
    }
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
pub fn cases(emulator: &Emulator) -> Vec<Case> {
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
pub fn chains(emulator: &Emulator) -> Vec<Case> {
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
