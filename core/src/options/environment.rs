//! Reads options from the environment. The names of the variables are the Container Apps recipe's
//! (`REDIS_...`) and the Azure SDKs' (`AZURE_...`); they stand in the table.

use super::{Options, table};
use crate::endpoint::{Endpoint, read_port};
use crate::error::{Error, ErrorCode, Result};
use std::ffi::OsString;

/// Reads the variables through a function, so that the environment itself is no part of the rule.
pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Options> {
    let read = |name: &str| -> Result<Option<String>> {
        let Some(value) = variable(name) else { return Ok(None) };
        let text = value.into_string().map_err(|_| {
            Error::new(
                ErrorCode::InvalidOption,
                format!("The environment variable {name} is not UTF-8 text."),
                format!("Set {name} again, or remove it."),
            )
        })?;
        let text = text.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    };
    let mut options = Options::builder(endpoint(read("REDIS_HOST")?, read("REDIS_PORT")?)?);
    for info in table().iter().filter(|info| info.name != "endpoint") {
        for name in info.environment {
            if let Some(value) = read(name)? {
                options.put(info.name, &value, false).map_err(|error| in_variable(name, &error))?;
            }
        }
    }
    Ok(options)
}

fn endpoint(host: Option<String>, port: Option<String>) -> Result<Endpoint> {
    let host = host.ok_or_else(|| {
        Error::new(
            ErrorCode::InvalidEndpoint,
            "The environment variable REDIS_HOST is not set.",
            "Set REDIS_HOST to the cache's host name, for example mycache.westeurope.redis.azure.net.",
        )
    })?;
    let endpoint = Endpoint::parse(&host).map_err(|error| in_variable("REDIS_HOST", &error))?;
    let Some(port) = port else { return Ok(endpoint) };
    let port = read_port(&port).map_err(|error| in_variable("REDIS_PORT", &error))?;
    if endpoint.port_is_given() && endpoint.port() != port {
        return Err(Error::new(
            ErrorCode::InvalidEndpoint,
            format!("REDIS_HOST names port {} and REDIS_PORT names port {port}.", endpoint.port()),
            "Set REDIS_HOST to the host name alone.",
        ));
    }
    Ok(endpoint.with_port(port))
}

fn in_variable(name: &str, error: &Error) -> Error {
    Error::new(
        error.code(),
        format!("The environment variable {name} cannot be used: {}", error.message()),
        error.advice().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Options> {
        read(|name| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_recipe_of_container_apps_works() {
        let host = ("REDIS_HOST", "a.redis.cache.windows.net");
        let options = from(&[host, ("REDIS_PORT", "6380"), ("REDIS_ACCESS_KEY", "")]).unwrap();
        assert_eq!(options.endpoints()[0].to_string(), "a.redis.cache.windows.net:6380");
        assert_eq!(options.password(), None);
        let options = from(&[host, ("REDIS_ACCESS_KEY", "hunter2,=")]).unwrap();
        assert_eq!(options.password().unwrap().expose(), "hunter2,=");
        assert_eq!(options.endpoints()[0].port(), 6380);
    }

    #[test]
    fn the_variables_of_azures_sdks_are_read() {
        let options = from(&[
            ("REDIS_HOST", "a.westeurope.redis.azure.net"),
            ("REDIS_PORT", " "),
            ("AZURE_CLIENT_ID", "client"),
            ("AZURE_TENANT_ID", "tenant"),
            ("AZURE_CLIENT_SECRET", "hunter2"),
            ("AZURE_AUTHORITY_HOST", "https://login.test/"),
        ])
        .unwrap();
        assert_eq!(options.endpoints()[0].port(), 10_000);
        assert_eq!((options.client_id(), options.tenant_id()), (Some("client"), Some("tenant")));
        assert_eq!(options.client_secret().unwrap().expose(), "hunter2");
        assert_eq!(options.effective_authority_host().unwrap(), "https://login.test");
    }

    #[test]
    fn errors_name_the_variable_and_the_remedy() {
        for (variables, says) in [
            (&[][..], "Set REDIS_HOST to"),
            (&[("REDIS_HOST", " ")], "REDIS_HOST is not set"),
            (&[("REDIS_HOST", "https://a")], "REDIS_HOST cannot be used"),
            (&[("REDIS_HOST", "a"), ("REDIS_PORT", "x")], "REDIS_PORT cannot be used"),
            (&[("REDIS_HOST", "a:1"), ("REDIS_PORT", "2")], "REDIS_HOST to the host name alone"),
            (
                &[("REDIS_HOST", "a"), ("AZURE_AUTHORITY_HOST", "http://a")],
                "AZURE_AUTHORITY_HOST cannot be used",
            ),
        ] {
            let error = from(variables).expect_err(says);
            assert!(error.to_string().contains(says), "{error}");
            assert!(!error.advice().is_empty());
        }
    }
}
