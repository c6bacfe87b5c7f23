//! Finds what contradicts itself in options, before anything is sent. What one value alone may be is
//! decided in `value`.

use super::{ClusterMode, Kind, Options, refusal, table};
use crate::endpoint::{Cloud, Service};
use crate::error::{Error, ErrorCode, Result};

fn contradiction(message: impl Into<String>, advice: impl Into<String>) -> Error {
    Error::new(ErrorCode::InvalidOption, message.into(), advice.into())
}

impl Options {
    /// Whether these options can be used to connect; `with_token` says whether Microsoft Entra ID signs in.
    ///
    /// `connect` calls it before anything is sent. [`ErrorCode::InvalidOption`] for values out of their
    /// bounds and for contradictions, [`ErrorCode::TlsRequired`] for a token without TLS,
    /// [`ErrorCode::InvalidEndpoint`] without an endpoint.
    pub fn validate(&self, with_token: bool) -> Result<()> {
        if self.endpoints().is_empty() {
            return Err(Error::new(
                ErrorCode::InvalidEndpoint,
                "The options name no endpoint.",
                "Set the option endpoint to host or host:port.",
            ));
        }
        self.check_each()?;
        self.check_sign_in(with_token)?;
        self.check_pairs()?;
        if with_token {
            self.check_authority()?;
        }
        self.check_endpoints()
    }

    /// Values set from code pass the same gate as those from text.
    fn check_each(&self) -> Result<()> {
        for info in table().iter().filter(|info| !matches!(info.kind, Kind::Secret | Kind::Pem)) {
            let Some(value) = info.value(self) else { continue };
            if let Err(why) = (info.read)(&mut super::Values::default(), &value) {
                let advice = why.map_or_else(|| info.kind.advice(), std::borrow::Cow::into_owned);
                return Err(refusal(info, &format!("cannot be {}.", super::shown(info, &value)), advice));
            }
        }
        let marker = b"-----BEGIN CERTIFICATE-----";
        if self.ca_certificates().is_some_and(|pem| !pem.windows(marker.len()).any(|window| window == marker))
        {
            return Err(contradiction(
                "The option ca_certificates holds no certificate.",
                Kind::Pem.advice(),
            ));
        }
        Ok(())
    }

    fn check_sign_in(&self, with_token: bool) -> Result<()> {
        if with_token {
            if !self.tls() {
                return Err(Error::new(
                    ErrorCode::TlsRequired,
                    "A Microsoft Entra sign-in needs TLS, and the option tls (ssl) is false or the URL starts with redis://.",
                    "Write rediss:// or tls=true, or sign in with a password.",
                ));
            }
            for (name, set) in [("password", self.password().is_some()), ("user", self.user().is_some())] {
                if set {
                    return Err(contradiction(
                        format!("The option {name} and a Microsoft Entra sign-in exclude each other."),
                        "Remove user and password (REDIS_ACCESS_KEY), or connect without a credential; user_name sets the Redis user of a token.",
                    ));
                }
            }
        } else if self.user().is_some() && self.password().is_none() {
            return Err(contradiction(
                "The option user is set without a password.",
                "Set password as well, or remove user.",
            ));
        }
        Ok(())
    }

    fn check_pairs(&self) -> Result<()> {
        for (min, low, max, high) in [
            (
                "reconnect_backoff_min",
                self.reconnect_backoff_min(),
                "reconnect_backoff_max",
                self.reconnect_backoff_max(),
            ),
            ("refresh_retry_min", self.refresh_retry_min(), "refresh_retry_max", self.refresh_retry_max()),
        ] {
            if low > high {
                return Err(contradiction(
                    format!(
                        "The option {min} ({} ms) is greater than {max} ({} ms).",
                        low.as_millis(),
                        high.as_millis()
                    ),
                    format!("Lower {min} or raise {max}."),
                ));
            }
        }
        if self.refresh_jitter() >= self.refresh_ratio() {
            return Err(contradiction(
                format!(
                    "The option refresh_jitter ({}) is not less than refresh_ratio ({}).",
                    self.refresh_jitter(),
                    self.refresh_ratio()
                ),
                "Lower refresh_jitter or raise refresh_ratio: the jitter is taken off the ratio.",
            ));
        }
        if self.database() != 0 && self.cluster() == ClusterMode::On {
            return Err(contradiction(
                format!("The option database is {}, and a cluster has database 0 only.", self.database()),
                "Remove database, or set cluster=off.",
            ));
        }
        Ok(())
    }

    /// Whether the authority is that of another cloud than the endpoint's; one that is nobody's is the user's own.
    fn check_authority(&self) -> Result<()> {
        let Some(authority) = self.authority_host() else { return Ok(()) };
        let host = |url: &str| {
            url.split("://").last().unwrap_or_default().trim_end_matches('/').to_ascii_lowercase()
        };
        let of = |cloud: &Cloud| cloud.authority_host().is_some_and(|known| host(known) == host(authority));
        let Some(cloud) = Cloud::ALL.into_iter().find(of) else { return Ok(()) };
        for endpoint in self.endpoints() {
            if let Some(own) = endpoint.cloud().filter(|&own| own != cloud) {
                return Err(contradiction(
                    format!(
                        "The option authority_host (AZURE_AUTHORITY_HOST) is that of the cloud {cloud}, but the endpoint {endpoint} is in the cloud {own}."
                    ),
                    format!("Remove it, or set it to the authority of the cloud {own}."),
                ));
            }
        }
        Ok(())
    }

    fn check_endpoints(&self) -> Result<()> {
        let first = self.endpoints().iter().find_map(crate::endpoint::Endpoint::cloud);
        for endpoint in self.endpoints() {
            if self.database() != 0 && endpoint.service() == Some(Service::AzureManagedRedis) {
                return Err(contradiction(
                    format!(
                        "The option database is {}, and Azure Managed Redis has database 0 only.",
                        self.database()
                    ),
                    "Remove database (defaultDatabase), and tell kinds of keys apart by a prefix.",
                )
                .at(endpoint.to_string()));
            }
            let Some(own) = endpoint.cloud() else { continue };
            if let Some(cloud) = self.cloud().filter(|&cloud| cloud != own) {
                return Err(contradiction(
                    format!(
                        "The option cloud is {cloud}, but the endpoint {endpoint} is in the cloud {own}."
                    ),
                    format!("Remove the option cloud, or set it to {own}."),
                ));
            }
            if let Some(other) = first.filter(|&other| other != own) {
                return Err(contradiction(
                    format!("The endpoints are in different clouds, {other} and {own}."),
                    "Name endpoints of one cache only.",
                ));
            }
            if endpoint.service() == Some(Service::AzureCacheForRedis) {
                let (right, wrong) = if self.tls() { (6380, 6379) } else { (6379, 6380) };
                if endpoint.port() == wrong {
                    return Err(contradiction(
                        format!("Port {wrong} of Azure Cache for Redis contradicts the option tls (ssl), which is {}.", self.tls()),
                        format!("Use port {right}, or set tls={}.", !self.tls()),
                    )
                    .at(endpoint.to_string()));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check(text: &str, with_token: bool) -> Result<()> {
        Options::parse(text).unwrap().validate(with_token)
    }

    #[test]
    fn the_usual_options_pass() {
        for text in [
            "localhost",
            "a.westeurope.redis.azure.net",
            "a.redis.cache.windows.net,cloud=public",
            "a,b:1,defaultDatabase=3",
            "a.redis.chinacloudapi.cn,authorityHost=https://LOGIN.chinacloudapi.cn/",
            "a.redis.chinacloudapi.cn,authorityHost=login.test",
        ] {
            check(text, true).unwrap();
            check(text, false).unwrap();
        }
        check("redis://:key@localhost/2", false).unwrap();
        check("a.redis.cache.windows.net,ssl=false,password=key", false).unwrap();
        Options::new("a")
            .unwrap()
            .with_ca_certificates("-----BEGIN CERTIFICATE-----\n")
            .validate(true)
            .unwrap();
    }

    #[test]
    fn contradictions_are_named_with_the_remedy() {
        for (text, with_token, says) in [
            ("a,password=x", true, &["password", "Remove user and password"][..]),
            ("a,user=x", true, &["user ", "user_name"]),
            ("a,user=x", false, &["user ", "Set password"]),
            ("a,refreshRatio=0.2,refreshJitter=0.2", true, &["refresh_jitter", "refresh_ratio"]),
            ("a,reconnectBackoffMin=20000", false, &["reconnect_backoff_min", "raise reconnect_backoff_max"]),
            ("a,refreshRetryMin=31000", false, &["refresh_retry_min", "raise refresh_retry_max"]),
            ("a,cluster=on,defaultDatabase=1", false, &["database", "cluster=off"]),
            ("a.redis.azure.net,defaultDatabase=1", false, &["database", "prefix"]),
            ("a.redis.azure.net,cloud=china", true, &["cloud is china", "set it to public"]),
            (
                "a.redis.chinacloudapi.cn,authorityHost=login.microsoftonline.com",
                true,
                &["authority_host", "cloud public", "authority of the cloud china"],
            ),
            ("a.redis.azure.net,a.redis.chinacloudapi.cn", true, &["different clouds", "one cache"]),
            ("a.redis.cache.windows.net:6379", true, &["tls", "6380"]),
            ("a.redis.cache.windows.net:6380,ssl=false", false, &["tls", "6379"]),
        ] {
            let error = check(text, with_token).expect_err(text);
            assert_eq!(error.code(), ErrorCode::InvalidOption, "{text}");
            for part in says {
                assert!(error.to_string().contains(part), "{text}: {error}");
            }
        }
    }

    #[test]
    fn a_token_never_travels_without_tls() {
        for text in ["a,ssl=false", "redis://a"] {
            let error = check(text, true).unwrap_err();
            assert_eq!(error.code(), ErrorCode::TlsRequired);
            assert!(error.advice().contains("rediss://"), "{error}");
        }
    }

    #[test]
    fn values_set_from_code_have_the_same_bounds() {
        let base = || Options::new("a").unwrap();
        for (options, name) in [
            (base().with_connect_timeout(Duration::ZERO), "connect_timeout"),
            (base().with_command_timeout(Duration::ZERO), "command_timeout"),
            (base().with_token_request_timeout(Duration::MAX), "token_request_timeout"),
            (base().with_keep_alive(Duration::MAX), "keep_alive"),
            (base().with_refresh_ratio(f64::NAN), "refresh_ratio"),
            (base().with_refresh_ratio(1.0), "refresh_ratio"),
            (base().with_io_threads(0), "io_threads"),
            (base().with_client_name("a b"), "client_name"),
            (base().with_disabled_commands(["a=b"]), "disabled_commands"),
            (base().with_ca_certificates("x"), "ca_certificates"),
            (base().with_authority_host("http://a"), "authority_host"),
        ] {
            let error = options.validate(false).expect_err(name);
            assert!(error.message().contains(name) && !error.advice().is_empty(), "{error}");
        }
    }
}
