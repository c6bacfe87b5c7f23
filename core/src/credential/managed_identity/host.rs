//! Which service hands out this machine's tokens, as the environment tells it, and how each one is asked: pure but
//! for a look at whether the agent of Azure Arc is there.
//!
//! Sources: "How to use managed identities on an Azure VM to acquire an access token", "How to use managed
//! identities for App Service and Azure Functions", "Authenticate against Azure resources with Azure Arc-enabled
//! servers", "How to use managed identity with a Service Fabric application", Microsoft Learn; Cloud Shell and Azure
//! Machine Learning as the Azure SDKs ask them.

use super::super::http::Http;
use super::super::options::{CredentialOptions, Environment};
use super::ManagedIdentityId;
use crate::error::{Error, ErrorCode, Result};
use crate::secret::Secret;
use reqwest::{RequestBuilder, Url};
use std::path::Path;

/// Where to ask.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Host {
    /// The metadata service of virtual machines, scale sets and AKS nodes.
    Imds {
        host: String,
    },
    /// App Service, Functions, Container Apps.
    AppService {
        endpoint: String,
        header: Secret,
    },
    AzureArc {
        endpoint: String,
    },
    ServiceFabric {
        endpoint: String,
        header: Secret,
        thumbprint: String,
    },
    CloudShell {
        endpoint: String,
    },
    MachineLearning {
        endpoint: String,
        secret: Secret,
    },
}

/// Where the agent of Azure Arc listens if the environment does not say it.
const ARC_ENDPOINT: &str = "http://localhost:40342/metadata/identity/oauth2/token";
const ARC_AGENT: &str = "/opt/azcmagent/bin/himds";

impl Host {
    /// In the order of the Azure SDKs.
    pub(super) fn found(environment: &Environment, options: &CredentialOptions) -> Self {
        let get = |name| environment.get(name);
        let identity = (get("IDENTITY_ENDPOINT"), get("IDENTITY_HEADER").map(Secret::new));
        match (identity, get("IDENTITY_SERVER_THUMBPRINT")) {
            ((Some(endpoint), Some(header)), Some(thumbprint)) => {
                return Self::ServiceFabric { endpoint, header, thumbprint };
            }
            ((Some(endpoint), Some(header)), None) => return Self::AppService { endpoint, header },
            ((Some(endpoint), None), _) if get("IMDS_ENDPOINT").is_some() => {
                return Self::AzureArc { endpoint };
            }
            _ => {}
        }
        match (get("MSI_ENDPOINT"), get("MSI_SECRET")) {
            (Some(endpoint), Some(secret)) => Self::MachineLearning { endpoint, secret: secret.into() },
            (Some(endpoint), None) => Self::CloudShell { endpoint },
            (None, _) if !options.metadata_is_given() && Path::new(ARC_AGENT).exists() => {
                Self::AzureArc { endpoint: ARC_ENDPOINT.into() }
            }
            (None, _) => Self::Imds { host: options.metadata() },
        }
    }

    /// How errors call it: what it is and where.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Imds { host } => host.clone(),
            Self::AppService { endpoint, .. } => format!("{endpoint} (App Service)"),
            Self::AzureArc { endpoint } => format!("{endpoint} (Azure Arc)"),
            Self::ServiceFabric { endpoint, .. } => format!("{endpoint} (Service Fabric)"),
            Self::CloudShell { endpoint } => format!("{endpoint} (Cloud Shell)"),
            Self::MachineLearning { endpoint, .. } => format!("{endpoint} (Azure Machine Learning)"),
        }
    }

    /// The address of the metadata service's tokens.
    pub(super) fn imds_url(host: &str) -> String {
        format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/'))
    }

    /// The request for a token. Fails where the service offers no choice of an identity, or none by this kind of id.
    pub(super) fn request(
        &self,
        http: &Http,
        id: &ManagedIdentityId,
        resource: &str,
    ) -> Result<RequestBuilder> {
        let (base, version) = match self {
            Self::Imds { host } => (Self::imds_url(host), Some("2018-02-01")),
            Self::AppService { endpoint, .. } => (endpoint.clone(), Some("2019-08-01")),
            Self::AzureArc { endpoint } => (endpoint.clone(), Some("2020-06-01")),
            Self::ServiceFabric { endpoint, .. } => (endpoint.clone(), Some("2019-07-01-preview")),
            Self::MachineLearning { endpoint, .. } => (endpoint.clone(), Some("2017-09-01")),
            Self::CloudShell { endpoint } => (endpoint.clone(), None),
        };
        let mut query: Vec<(&str, &str)> = Vec::new();
        if let Some(version) = version {
            query.extend([("api-version", version), ("resource", resource)]);
        }
        query.extend(self.parameter(id)?);
        let url = if query.is_empty() { Url::parse(&base) } else { Url::parse_with_params(&base, query) };
        let url = url.map_err(|_| {
            Error::new(
                ErrorCode::InvalidOption,
                format!("\"{base}\" is not a URL to ask for a managed identity."),
                "Correct metadata_host, AZURE_POD_IDENTITY_AUTHORITY_HOST, IDENTITY_ENDPOINT or MSI_ENDPOINT.",
            )
        })?;
        Ok(match self {
            Self::Imds { .. } | Self::AzureArc { .. } => http.metadata()?.get(url).header("Metadata", "true"),
            Self::AppService { header, .. } => {
                http.metadata()?.get(url).header("X-IDENTITY-HEADER", header.expose())
            }
            Self::ServiceFabric { header, thumbprint, .. } => {
                http.with_certificate(thumbprint)?.get(url).header("Secret", header.expose())
            }
            Self::MachineLearning { secret, .. } => {
                http.metadata()?.get(url).header("secret", secret.expose())
            }
            Self::CloudShell { .. } => {
                let body: String = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("resource", resource)
                    .finish();
                let request = http.metadata()?.post(url).header("Metadata", "true");
                request.header("content-type", "application/x-www-form-urlencoded").body(body)
            }
        })
    }

    /// How this service is told which identity.
    fn parameter<'a>(&self, id: &'a ManagedIdentityId) -> Result<Option<(&'static str, &'a str)>> {
        let resource_id = if matches!(self, Self::AppService { .. }) { "mi_res_id" } else { "msi_res_id" };
        let parameter = match id {
            ManagedIdentityId::SystemAssigned => return Ok(None),
            ManagedIdentityId::ClientId(id) => ("client_id", id),
            ManagedIdentityId::ObjectId(id) => ("object_id", id),
            ManagedIdentityId::ResourceId(id) => (resource_id, id),
        };
        let refused = |what: &str, advice: &'static str| {
            Err(Error::new(ErrorCode::CredentialUnavailable, what.to_owned(), advice))
        };
        match (self, parameter) {
            (Self::ServiceFabric { .. }, _) => refused(
                "Service Fabric offers no choice of a managed identity: the application's manifest names it.",
                "Leave the id of the managed identity away.",
            ),
            (Self::CloudShell { .. }, _) => refused(
                "Cloud Shell has the identity of its user only.",
                "Leave the id of the managed identity away.",
            ),
            (Self::MachineLearning { .. }, ("client_id", id)) => Ok(Some(("clientid", id.as_str()))),
            (Self::MachineLearning { .. }, _) => refused(
                "Azure Machine Learning knows managed identities by their client id only.",
                "Give the identity's client id.",
            ),
            (_, (name, id)) => Ok(Some((name, id.as_str()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Host {
        let options = CredentialOptions::new().in_environment(variables).metadata_host("http://imds.test");
        Host::found(&options.environment, &options)
    }

    #[test]
    fn the_environment_tells_which_service_it_is() {
        let (endpoint, header) = (("IDENTITY_ENDPOINT", "x"), ("IDENTITY_HEADER", "h"));
        for (variables, label) in [
            (vec![], "http://imds.test"),
            (vec![endpoint, header], "x (App Service)"),
            (vec![endpoint, header, ("MSI_ENDPOINT", "y"), ("MSI_SECRET", "h")], "x (App Service)"),
            (vec![endpoint, header, ("IDENTITY_SERVER_THUMBPRINT", "t")], "x (Service Fabric)"),
            (vec![endpoint, ("IMDS_ENDPOINT", "z")], "x (Azure Arc)"),
            (vec![("MSI_ENDPOINT", "y")], "y (Cloud Shell)"),
            (vec![("MSI_ENDPOINT", "y"), ("MSI_SECRET", "h")], "y (Azure Machine Learning)"),
            (vec![endpoint], "http://imds.test"),
        ] {
            let service = found(&variables);
            assert_eq!(service.label(), label);
            assert!(!format!("{service:?}").contains("\"h\""), "{service:?}");
        }
    }

    #[test]
    fn where_there_is_no_choice_of_an_identity_it_is_said() {
        let id = ManagedIdentityId::ResourceId("/subscriptions/s".into());
        for (service, says) in [
            (found(&[("MSI_ENDPOINT", "y")]), "its user"),
            (found(&[("MSI_ENDPOINT", "y"), ("MSI_SECRET", "h")]), "client id only"),
        ] {
            let error = service.parameter(&id).unwrap_err();
            assert_eq!(error.code(), ErrorCode::CredentialUnavailable);
            assert!(error.message().contains(says), "{error}");
        }
        let id = ManagedIdentityId::ClientId("c".into());
        let service = found(&[("MSI_ENDPOINT", "y"), ("MSI_SECRET", "h")]);
        assert_eq!(service.parameter(&id).unwrap(), Some(("clientid", "c")));
    }
}
