//! Which cache, and by which of the seven ways: from flags and the environment, and what is missing there
//! from questions.

use crate::args::{Args, Method};
use crate::ask;
use clap::ValueEnum;
use keyless::credential::{ClientCertificate, Credential, ManagedIdentityId};
use keyless::{Identity, Options};
use std::env;
use std::error::Error;

/// Everything a connection needs.
pub(crate) struct SignIn {
    pub(crate) options: Options,
    pub(crate) method: Method,
    pub(crate) identity: Identity,
}

/// Settles cache and identity.
pub(crate) fn resolve(args: &Args) -> Result<SignIn, Box<dyn Error>> {
    let mut options = options(args)?;
    let method = method(args)?;
    let client_id = |what: &str| given(args.client_id.as_ref(), what, "--client-id or AZURE_CLIENT_ID");
    let identity = match method {
        Method::Default => Credential::default_chain_with(&options.credential_options()?)?.into(),
        Method::UserAssignedManagedIdentity => {
            let id = ManagedIdentityId::ClientId(client_id("Client id of the managed identity")?);
            Credential::managed_identity_with(id, &options.credential_options()?)?.into()
        }
        Method::SystemAssignedManagedIdentity => {
            let id = ManagedIdentityId::SystemAssigned;
            Credential::managed_identity_with(id, &options.credential_options()?)?.into()
        }
        Method::ServicePrincipalSecret => {
            let client = client_id("Client id of the application")?;
            let tenant = given(args.tenant_id.as_ref(), "Tenant id", "--tenant-id or AZURE_TENANT_ID")?;
            let secret = secret("AZURE_CLIENT_SECRET", "Client secret")?;
            Credential::client_secret_with(tenant, client, secret, &options.credential_options()?)?.into()
        }
        Method::ServicePrincipalCertificate | Method::ServicePrincipalCertificateSni => {
            let client = client_id("Client id of the application")?;
            let tenant = given(args.tenant_id.as_ref(), "Tenant id", "--tenant-id or AZURE_TENANT_ID")?;
            let path = given(
                args.certificate.as_ref(),
                "PEM or PKCS#12 file with the certificate and its key",
                "--certificate or AZURE_CLIENT_CERTIFICATE_PATH",
            )?;
            let mut certificate =
                ClientCertificate::file(path).send_x5c(method == Method::ServicePrincipalCertificateSni);
            if let Some(password) = variable("AZURE_CLIENT_CERTIFICATE_PASSWORD") {
                certificate = certificate.password(password);
            }
            let with = options.credential_options()?;
            Credential::client_certificate_with(tenant, client, certificate, &with)?.into()
        }
        Method::AccessKey => {
            if options.password().is_none() {
                options = options.with_password(secret("REDIS_ACCESS_KEY", "Access key")?);
            }
            Identity::AccessKey
        }
    };
    Ok(SignIn { options, method, identity })
}

/// The cache and how to talk to it. A sample that cannot connect says so at once: unlike the library's default,
/// the first connection ends with an error after a few attempts, unless `--options` say otherwise.
fn options(args: &Args) -> Result<Options, Box<dyn Error>> {
    let endpoint = match (&args.endpoint, variable("REDIS_HOST")) {
        (Some(endpoint), _) => endpoint.clone(),
        (None, Some(host)) => match variable("REDIS_PORT") {
            Some(port) => format!("{host}:{port}"),
            None => host,
        },
        (None, None) => ask::text(
            "Endpoint of the cache, such as mycache.westeurope.redis.azure.net:10000",
            "--endpoint or REDIS_HOST",
        )?,
    };
    let mut options = if endpoint.contains("://") {
        if args.options.is_some() {
            return Err(
                "--options goes with a host name or a connection string; write them into the URL.".into()
            );
        }
        Options::parse(&endpoint)?
    } else {
        let further = args.options.as_deref().unwrap_or_default();
        Options::parse(&format!("abortConnect=true,{endpoint},{further}"))?
    };
    if let Some(path) = &args.ca_file {
        let path = path.to_str().ok_or("--ca-file is not a path in UTF-8.")?;
        options = options.with_ca_file(path).with_token_ca_file(path);
    }
    if let Some(tenant) = &args.tenant_id {
        options = options.with_tenant_id(tenant);
    }
    Ok(options)
}

/// The flag, the answer to the menu, or what the environment suggests.
fn method(args: &Args) -> Result<Method, Box<dyn Error>> {
    if let Some(method) = args.auth {
        return Ok(method);
    }
    if !ask::possible() {
        let key = variable("REDIS_ACCESS_KEY").is_some();
        return Ok(if key { Method::AccessKey } else { Method::Default });
    }
    println!("Ways to sign in:");
    for (index, method) in Method::value_variants().iter().enumerate() {
        println!("  {}. {method}", index + 1);
    }
    loop {
        let answer = ask::text("Which one", "--auth")?;
        let index = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match index.and_then(|index| Method::value_variants().get(index)) {
            Some(method) => return Ok(*method),
            None => println!("Type a number from 1 to {}.", Method::value_variants().len()),
        }
    }
}

fn given(flag: Option<&String>, question: &str, instead: &str) -> Result<String, String> {
    match flag {
        Some(value) if !value.is_empty() => Ok(value.clone()),
        _ => ask::text(question, instead),
    }
}

fn secret(name: &str, question: &str) -> Result<String, String> {
    match variable(name) {
        Some(value) => Ok(value),
        None => ask::secret(question, name),
    }
}

/// A variable of the environment, unless it is empty.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
