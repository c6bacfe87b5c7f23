//! The one table of the kinds of credential: their names, options and summaries, for whoever makes one by name: other
//! languages, configuration files. What each kind does is in its own file.

use super::{ClientCertificate, Credential, CredentialOptions, ManagedIdentityId, WorkloadIdentity};
use crate::error::{Error, ErrorCode, Result};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::time::Duration;

/// What kind of value an option of a credential takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueKind {
    /// A text.
    Text,
    /// A text that is never shown.
    Secret,
    /// `true` or `false`.
    Flag,
    /// The path of a file or directory.
    Path,
    /// A time in whole milliseconds.
    Milliseconds,
    /// Texts with commas between them.
    List,
}

/// One option of a kind of credential.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct KindOption {
    /// Its name in every language: `tenant_id`.
    pub name: &'static str,
    /// What kind of value it takes.
    pub kind: ValueKind,
    /// Whether it must be there, by name or in its variable of the environment.
    pub required: bool,
    /// The variable of the environment that stands in for it.
    pub environment: Option<&'static str>,
    /// What it does.
    pub documentation: &'static str,
}

/// How a kind of credential is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Made {
    /// Of its options alone: [`Credential::of_kind`].
    OfOptions,
    /// Of its options and a function of the application, by the constructor of this name.
    OfAFunction(&'static str),
    /// Not as a [`Credential`]: the cache's key is the option `password` of a client.
    OfThePassword,
}

/// One kind of credential: a row of the table.
#[non_exhaustive]
pub struct KindInfo {
    /// Its name in every language: `client_secret`.
    pub name: &'static str,
    /// Who signs in by it, in a few words.
    pub summary: &'static str,
    /// What can be set.
    pub options: &'static [KindOption],
    /// How it is made.
    pub made: Made,
    build: fn(&Given<'_>) -> Result<Credential>,
}

impl std::fmt::Debug for KindInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KindInfo").field("name", &self.name).field("made", &self.made).finish_non_exhaustive()
    }
}

impl KindOption {
    const fn new(name: &'static str, kind: ValueKind, documentation: &'static str) -> Self {
        Self { name, kind, required: false, environment: None, documentation }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn or(mut self, variable: &'static str) -> Self {
        self.environment = Some(variable);
        self
    }
}

use ValueKind::{Flag, List, Milliseconds, Path, Secret, Text};

const TENANT: KindOption =
    KindOption::new("tenant_id", Text, "The directory (tenant): its id or a domain of it.")
        .or("AZURE_TENANT_ID");
const CLIENT: KindOption =
    KindOption::new("client_id", Text, "The application (client) id.").or("AZURE_CLIENT_ID");
const AUTHORITY: KindOption = KindOption::new(
    "authority_host",
    Text,
    "Where Microsoft Entra ID is, an https URL. Default: that of the public cloud.",
)
.or("AZURE_AUTHORITY_HOST");
const CA_FILE: KindOption = KindOption::new(
    "ca_file",
    Path,
    "A PEM file of certificate authorities that are trusted for the token endpoint beside the platform's.",
);
const CA_CERTIFICATES: KindOption =
    KindOption::new("ca_certificates", Text, "The same authorities as PEM text; goes before `ca_file`.");
const CONNECT_TIMEOUT: KindOption = KindOption::new(
    "connect_timeout",
    Milliseconds,
    "How long the connection to the token endpoint may take. Default 5000.",
);
const METADATA_HOST: KindOption = KindOption::new(
    "metadata_host",
    Text,
    "Where the instance metadata service is, as http://host:port. Default: http://169.254.169.254.",
)
.or("AZURE_POD_IDENTITY_AUTHORITY_HOST");
const ARC_DIRECTORY: KindOption = KindOption::new(
    "arc_token_directory",
    Path,
    "Where the agent of Azure Arc keeps its keys. Default: where the agent is installed.",
);
const TOOL_TENANT: KindOption =
    KindOption::new("tenant_id", Text, "The tenant that the tool is asked for. Default: its own.");

static KINDS: &[KindInfo] = &[
    KindInfo {
        name: "default",
        summary: "whatever works first: environment, workload identity, managed identity, Azure CLI, Azure PowerShell, Azure Developer CLI",
        options: &[
            KindOption::new("client_id", Text, "The user-assigned managed identity or workload identity.")
                .or("AZURE_CLIENT_ID"),
            TOOL_TENANT,
            KindOption::new("token_credentials", Text, "`prod`, `dev`, or the one kind to use. Default: all.")
                .or("AZURE_TOKEN_CREDENTIALS"),
            KindOption::new("exclude", List, "Kinds that are left out. Default: none."),
            METADATA_HOST,
            ARC_DIRECTORY,
            AUTHORITY,
            CA_FILE, CA_CERTIFICATES,
            CONNECT_TIMEOUT,
        ],
        made: Made::OfOptions,
        build: |given| Credential::default_chain_with(&given.common()?),
    },
    KindInfo {
        name: "environment",
        summary: "the application that AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or AZURE_CLIENT_CERTIFICATE_PATH) describe",
        options: &[AUTHORITY, CA_FILE, CA_CERTIFICATES, CONNECT_TIMEOUT],
        made: Made::OfOptions,
        build: |given| Credential::environment_with(&given.common()?),
    },
    KindInfo {
        name: "workload_identity",
        summary: "the identity that a pod's service account on Kubernetes (AKS) is federated with",
        options: &[
            TENANT,
            CLIENT,
            KindOption::new("token_file", Path, "The file with the service account's token, read at each attempt.")
                .or("AZURE_FEDERATED_TOKEN_FILE"),
            AUTHORITY,
            CA_FILE, CA_CERTIFICATES,
            CONNECT_TIMEOUT,
        ],
        made: Made::OfOptions,
        build: |given| {
            // What is not given is read from the environment at each attempt.
            let mut identity = WorkloadIdentity::new();
            if let Some(tenant) = given.get("tenant_id") {
                identity = identity.tenant_id(tenant);
            }
            if let Some(client) = given.get("client_id") {
                identity = identity.client_id(client);
            }
            if let Some(file) = given.get("token_file") {
                identity = identity.token_file(file);
            }
            Credential::workload_identity_with(identity, &given.common()?)
        },
    },
    KindInfo {
        name: "managed_identity",
        summary: "the managed identity of the machine or app; a user-assigned one by one of its ids",
        options: &[
            KindOption::new("client_id", Text, "A user-assigned identity's client id."),
            KindOption::new("object_id", Text, "A user-assigned identity's object (principal) id."),
            KindOption::new("resource_id", Text, "A user-assigned identity's resource id: `/subscriptions/...`."),
            METADATA_HOST,
            ARC_DIRECTORY,
            CA_FILE, CA_CERTIFICATES, CONNECT_TIMEOUT,
        ],
        made: Made::OfOptions,
        build: |given| {
            let ids = ["client_id", "object_id", "resource_id"].map(|name| given.get(name).map(str::to_owned));
            let id = match ids {
                [None, None, None] => ManagedIdentityId::SystemAssigned,
                [Some(id), None, None] => ManagedIdentityId::ClientId(id),
                [None, Some(id), None] => ManagedIdentityId::ObjectId(id),
                [None, None, Some(id)] => ManagedIdentityId::ResourceId(id),
                _ => {
                    return Err(refusal(
                        "The options client_id, object_id and resource_id of a managed identity exclude each other.",
                        "Give one of them, or none for the system-assigned identity.",
                    ));
                }
            };
            Credential::managed_identity_with(id, &given.common()?)
        },
    },
    KindInfo {
        name: "azure_cli",
        summary: "whoever is signed in to the Azure CLI (`az login`)",
        options: &[TOOL_TENANT],
        made: Made::OfOptions,
        build: |given| Credential::azure_cli_with(&given.common()?),
    },
    KindInfo {
        name: "azure_powershell",
        summary: "whoever is signed in to Azure PowerShell (`Connect-AzAccount`)",
        options: &[TOOL_TENANT],
        made: Made::OfOptions,
        build: |given| Credential::azure_powershell_with(&given.common()?),
    },
    KindInfo {
        name: "azure_developer_cli",
        summary: "whoever is signed in to the Azure Developer CLI (`azd auth login`)",
        options: &[TOOL_TENANT],
        made: Made::OfOptions,
        build: |given| Credential::azure_developer_cli_with(&given.common()?),
    },
    KindInfo {
        name: "azure_pipelines",
        summary: "the service connection of a run of Azure Pipelines",
        options: &[
            TENANT.or("AZURESUBSCRIPTION_TENANT_ID").required(),
            CLIENT.or("AZURESUBSCRIPTION_CLIENT_ID").required(),
            KindOption::new("service_connection_id", Text, "The id of the service connection.")
                .or("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
                .required(),
            KindOption::new("access_token", Secret, "The run's `System.AccessToken`.")
                .or("SYSTEM_ACCESSTOKEN")
                .required(),
            AUTHORITY,
            CA_FILE, CA_CERTIFICATES,
            CONNECT_TIMEOUT,
        ],
        made: Made::OfOptions,
        build: |given| {
            Credential::azure_pipelines_with(
                given.needed("tenant_id")?,
                given.needed("client_id")?,
                given.needed("service_connection_id")?,
                given.needed("access_token")?,
                &given.common()?,
            )
        },
    },
    KindInfo {
        name: "client_secret",
        summary: "an application (service principal) with a secret",
        options: &[
            TENANT.required(),
            CLIENT.required(),
            KindOption::new("client_secret", Secret, "The secret's value.").or("AZURE_CLIENT_SECRET").required(),
            AUTHORITY,
            CA_FILE, CA_CERTIFICATES,
            CONNECT_TIMEOUT,
        ],
        made: Made::OfOptions,
        build: |given| {
            Credential::client_secret_with(
                given.needed("tenant_id")?,
                given.needed("client_id")?,
                given.needed("client_secret")?,
                &given.common()?,
            )
        },
    },
    KindInfo {
        name: "client_certificate",
        summary: "an application (service principal) with a certificate",
        options: &[
            TENANT.required(),
            CLIENT.required(),
            KindOption::new(
                "certificate_file",
                Path,
                "A PEM or PKCS#12 file with the certificate and its RSA key, read at each attempt.",
            )
            .or("AZURE_CLIENT_CERTIFICATE_PATH")
            .required(),
            KindOption::new("certificate_password", Secret, "The file's password. Default: none.")
                .or("AZURE_CLIENT_CERTIFICATE_PASSWORD"),
            KindOption::new(
                "send_x5c",
                Flag,
                "Whether the certificate is sent along, for trust by subject name and issuer (.NET: `SendX5C`). Default false.",
            )
            .or("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"),
            AUTHORITY,
            CA_FILE, CA_CERTIFICATES,
            CONNECT_TIMEOUT,
        ],
        made: Made::OfOptions,
        build: |given| {
            let mut file = ClientCertificate::file(given.needed("certificate_file")?);
            if let Some(password) = given.value("certificate_password") {
                file = file.password(password);
            }
            let file = file.send_x5c(given.flag("send_x5c")?.unwrap_or(false));
            let (tenant, client) = (given.needed("tenant_id")?, given.needed("client_id")?);
            Credential::client_certificate_with(tenant, client, file, &given.common()?)
        },
    },
    KindInfo {
        name: "client_assertion",
        summary: "an application (service principal) whose assertions a function makes",
        options: &[TENANT.required(), CLIENT.required(), AUTHORITY, CA_FILE, CA_CERTIFICATES, CONNECT_TIMEOUT],
        made: Made::OfAFunction("client_assertion"),
        build: |given| Err(by_code(given.kind)),
    },
    KindInfo {
        name: "custom",
        summary: "whoever a function of the application returns tokens for",
        options: &[KindOption::new("name", Text, "How errors and logs call it.").required()],
        made: Made::OfAFunction("custom"),
        build: |given| Err(by_code(given.kind)),
    },
    KindInfo {
        name: "access_key",
        summary: "nobody: the cache's key",
        options: &[KindOption::new("password", Secret, "The key.").or("REDIS_ACCESS_KEY").required()],
        made: Made::OfThePassword,
        build: |given| Err(by_code(given.kind)),
    },
];

/// Every kind of credential.
pub fn kinds() -> &'static [KindInfo] {
    KINDS
}

/// The kind of a name; the Azure SDKs' names (`ManagedIdentityCredential`) are known too. Case, underscores and hyphens
/// do not count.
///
/// # Errors
/// [`ErrorCode::InvalidOption`] for an unknown one, with the nearest there is.
pub fn kind(name: &str) -> Result<&'static KindInfo> {
    let plain = plain(name);
    let plain = plain.strip_suffix("credential").unwrap_or(&plain);
    let plain = if plain == "defaultazure" { "default" } else { plain };
    KINDS.iter().find(|kind| self::plain(kind.name) == plain).ok_or_else(|| {
        refusal(
            format!("There is no kind of credential \"{}\".", short(name)),
            match nearest(plain, KINDS.iter().map(|kind| kind.name)) {
                Some(near) => format!("Did you mean {near}?"),
                None => format!(
                    "There are {}.",
                    KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
                ),
            },
        )
    })
}

/// The kind of a name, if it is made of options alone.
fn makeable(name: &str) -> Result<&'static KindInfo> {
    let kind = self::kind(name)?;
    if kind.made == Made::OfOptions { Ok(kind) } else { Err(by_code(kind)) }
}

fn by_code(kind: &KindInfo) -> Error {
    match kind.made {
        Made::OfAFunction(constructor) => refusal(
            format!("The credential {} needs a function of the application.", kind.name),
            format!("Make it in code: {constructor}."),
        ),
        _ => refusal(
            format!("The kind {} is no credential of Microsoft Entra ID.", kind.name),
            "Set the option password (REDIS_ACCESS_KEY) and connect without a credential.",
        ),
    }
}

impl KindInfo {
    /// Its option of a name; case, underscores and hyphens do not count.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOption`] for an unknown one, with the nearest there is.
    pub fn option(&self, name: &str) -> Result<&'static KindOption> {
        self.options.iter().find(|option| plain(option.name) == plain(name)).ok_or_else(|| {
            let names = || self.options.iter().map(|option| option.name);
            refusal(
                format!("The credential {} has no option \"{}\".", self.name, short(name)),
                match nearest(&plain(name), names()) {
                    Some(near) => format!("Did you mean {near}?"),
                    None => format!("It has {}.", names().collect::<Vec<_>>().join(", ")),
                },
            )
        })
    }
}

/// What was given for one kind.
struct Given<'a> {
    kind: &'static KindInfo,
    values: BTreeMap<&'static str, &'a str>,
    base: &'a CredentialOptions,
}

impl Credential {
    /// A credential of the kind with this name, from options by name: `client_secret`, `tenant_id` ... Names and
    /// values are those of [`kinds`](fn@kinds); an empty value counts as not given.
    ///
    /// Fails with [`ErrorCode::InvalidOption`]: for an unknown kind or option (with the nearest known one), a
    /// missing option, a value that cannot be read, and for kinds that are not made of options alone.
    ///
    /// ```
    /// use keyless::credential::Credential;
    ///
    /// # fn main() -> keyless::Result<()> {
    /// let credential = Credential::of_kind("managed_identity", &[("client_id", "1f5c6c9a-...")])?;
    /// assert_eq!(credential.name(), "managed identity");
    /// let error = Credential::of_kind("managed_identity", &[("cliend_id", "1f5c6c9a-...")]).unwrap_err();
    /// assert_eq!(error.advice(), "Did you mean client_id?");
    /// # Ok(())
    /// # }
    /// ```
    pub fn of_kind(name: &str, options: &[(&str, &str)]) -> Result<Self> {
        Self::of_kind_with(name, options, &CredentialOptions::default())
    }

    /// [`of_kind`](Self::of_kind) on top of options that are there already.
    pub fn of_kind_with(name: &str, options: &[(&str, &str)], base: &CredentialOptions) -> Result<Self> {
        let kind = makeable(name)?;
        (kind.build)(&Given::new(kind, options, base)?)
    }

    /// A [`client_assertion`](Self::client_assertion) by the names of its options.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOption`]: an option is unknown, missing or malformed.
    pub fn client_assertion_from<F, T, E>(options: &[(&str, &str)], function: F) -> Result<Self>
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<crate::Secret, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let base = CredentialOptions::default();
        let given = Given::new(kind("client_assertion")?, options, &base)?;
        let (tenant, client) = (given.needed("tenant_id")?, given.needed("client_id")?);
        Self::client_assertion_with(tenant, client, function, &given.common()?)
    }
}

impl<'a> Given<'a> {
    fn new(
        kind: &'static KindInfo,
        options: &[(&'a str, &'a str)],
        base: &'a CredentialOptions,
    ) -> Result<Self> {
        let mut values = BTreeMap::new();
        for (name, value) in options {
            let option = kind.option(name)?;
            if !value.is_empty() {
                values.insert(option.name, *value);
            }
        }
        Ok(Self { kind, values, base })
    }

    /// What was given by name.
    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).copied()
    }

    /// What was given by name or stands in the option's variable of the environment.
    fn value(&self, name: &str) -> Option<String> {
        let variable = || self.kind.options.iter().find(|option| option.name == name)?.environment;
        self.get(name).map(str::to_owned).or_else(|| self.base.environment.get(variable()?))
    }

    fn needed(&self, name: &str) -> Result<String> {
        self.value(name).ok_or_else(|| {
            let variable =
                self.kind.options.iter().find(|option| option.name == name).and_then(|own| own.environment);
            let or = variable.map(|variable| format!(", or the variable {variable}")).unwrap_or_default();
            refusal(
                format!("The credential {} needs the option {name}.", self.kind.name),
                format!("Give it{or}."),
            )
        })
    }

    fn flag(&self, name: &str) -> Result<Option<bool>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(refusal(format!("The option {name} is \"{}\".", short(&value)), "Write true or false.")),
        }
    }

    /// The options that kinds have in common. What is not given is left to the environment.
    fn common(&self) -> Result<CredentialOptions> {
        let mut options = self.base.clone();
        if let Some(url) = self.get("authority_host") {
            options = options.authority_host(url);
        }
        if let Some(url) = self.get("metadata_host") {
            options = options.metadata_host(url);
        }
        if let Some(path) = self.get("arc_token_directory") {
            options = options.arc_token_directory(path);
        }
        if let Some(tenant) = self.get("tenant_id") {
            options = options.tenant_id(tenant);
        }
        if let Some(client) = self.get("client_id") {
            options = options.client_id(client);
        }
        if let Some(name) = self.get("token_credentials") {
            options = options.token_credentials(name);
        }
        for kind in self.get("exclude").unwrap_or_default().split(',').filter(|kind| !kind.trim().is_empty())
        {
            options = options.exclude(kind.trim());
        }
        if let Some(pem) = self.get("ca_certificates") {
            options = options.ca_certificates(pem);
        } else if let Some(path) = self.get("ca_file") {
            let pem = std::fs::read(path).map_err(|error| {
                refusal(
                    format!("The option ca_file names {path}, which cannot be read: {error}."),
                    "Give the path of a PEM file that this process may read.",
                )
            })?;
            options = options.ca_certificates(pem);
        }
        if let Some(text) = self.get("connect_timeout") {
            let milliseconds =
                text.trim().parse().ok().filter(|milliseconds| (1..=3_600_000).contains(milliseconds));
            let milliseconds = milliseconds.ok_or_else(|| {
                refusal(
                    format!("The option connect_timeout is \"{}\".", short(text)),
                    "Write whole milliseconds from 1 to 3600000.",
                )
            })?;
            options = options.connect_timeout(Duration::from_millis(milliseconds));
        }
        Ok(options)
    }
}

fn refusal(
    message: impl Into<std::borrow::Cow<'static, str>>,
    advice: impl Into<std::borrow::Cow<'static, str>>,
) -> Error {
    Error::new(ErrorCode::InvalidOption, message, advice)
}

/// A name without what does not count in it.
fn plain(name: &str) -> String {
    name.chars().take(64).filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

fn short(text: &str) -> String {
    text.chars().take(40).collect::<String>().escape_debug().to_string()
}

/// The known name that a wrong one was probably meant to be.
fn nearest(wrong: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    known
        .map(|name| (strsim::damerau_levenshtein(&plain(name), wrong), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 1 + wrong.chars().count() / 4)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: (&str, &str) = ("tenant_id", "contoso.onmicrosoft.com");

    fn from(kind: &str, options: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Credential> {
        Credential::of_kind_with(kind, options, &CredentialOptions::new().in_environment(variables))
    }

    #[test]
    fn names_and_options_are_in_order() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..index].iter().all(|other| other.name != kind.name));
            assert!(!kind.summary.is_empty());
            assert_eq!(super::kind(kind.name).unwrap().name, kind.name);
            for (index, option) in kind.options.iter().enumerate() {
                assert!(
                    kind.options[..index].iter().all(|other| other.name != option.name),
                    "{}",
                    option.name
                );
                assert!(option.documentation.ends_with('.'), "{}", option.name);
                let words =
                    option.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
                assert!(words, "{}", option.name);
            }
        }
    }

    #[test]
    fn every_kind_that_can_be_is_made_of_its_options() {
        let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/src/credential/testdata/plain.pem");
        for kind in KINDS {
            // A value for each option that fits it.
            let options: Vec<(&str, &str)> = kind
                .options
                .iter()
                .filter(|option| !matches!(option.name, "object_id" | "resource_id" | "token_credentials"))
                .map(|option| {
                    let value = match (option.name, option.kind) {
                        ("tenant_id", _) => TENANT.1,
                        ("authority_host" | "metadata_host", _) => "https://login.test",
                        ("certificate_file" | "ca_file", _) => pem,
                        ("ca_certificates", _) => include_str!("testdata/plain.pem"),
                        ("exclude", _) => "azure_cli, environment",
                        (_, ValueKind::Flag) => "true",
                        (_, ValueKind::Milliseconds) => "1000",
                        _ => "value",
                    };
                    (option.name, value)
                })
                .collect();
            let made = from(kind.name, &options, &[]);
            match kind.made {
                Made::OfOptions => {
                    assert!(made.is_ok(), "{}: {made:?}", kind.name);
                    for (name, _) in &options {
                        kind.option(name).unwrap();
                    }
                }
                _ => assert!(!made.unwrap_err().advice().is_empty()),
            }
            assert!(kind.option("nonsense").is_err());
            // Without what is required it is not made.
            for missing in kind.options.iter().filter(|option| option.required) {
                let rest: Vec<_> =
                    options.iter().copied().filter(|(name, _)| *name != missing.name).collect();
                let error = from(kind.name, &rest, &[]).unwrap_err();
                assert_eq!(error.code(), ErrorCode::InvalidOption);
                if kind.made == Made::OfOptions {
                    assert!(error.message().contains(missing.name), "{error}");
                    let variable = missing.environment.unwrap();
                    assert!(error.advice().contains(variable), "{error}");
                    let value = options.iter().find(|(name, _)| *name == missing.name).unwrap().1;
                    assert!(from(kind.name, &rest, &[(variable, value)]).is_ok());
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_meant() {
        for (kind, options, says, advice) in [
            ("client_secrte", vec![], "client_secrte", "client_secret?"),
            ("kerberos", vec![], "kerberos", "managed_identity"),
            ("managed_identity", vec![("cliend_id", "x")], "cliend_id", "client_id?"),
            ("azure_cli", vec![("zzz", "hunter2")], "zzz", "tenant_id"),
            (
                "managed_identity",
                vec![("client_id", "a"), ("object_id", "b")],
                "exclude each other",
                "one of them",
            ),
            ("managed_identity", vec![("connect_timeout", "soon")], "soon", "milliseconds"),
            ("environment", vec![("ca_file", "/nowhere.pem")], "/nowhere.pem", "PEM"),
            ("azure_cli", vec![("tenant_id", "a b")], "a b", "tenant"),
            ("custom", vec![], "function", "custom"),
            ("access_key", vec![], "access_key", "REDIS_ACCESS_KEY"),
        ] {
            let error = from(kind, &options, &[]).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidOption, "{error}");
            assert!(error.message().contains(says) && error.advice().contains(advice), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn names_are_known_however_they_are_written() {
        for (written, name) in [
            ("Client-Secret", "client_secret"),
            ("ManagedIdentityCredential", "managed_identity"),
            ("DefaultAzureCredential", "default"),
            ("AzurePowerShellCredential", "azure_powershell"),
        ] {
            assert_eq!(super::kind(written).unwrap().name, name);
        }
    }
}
