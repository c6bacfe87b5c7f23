//! Azure's services and clouds as a host name's ending tells them: the suffix table. How a host name is
//! read lives one level up; who signs in where lives in `credential`.

use std::fmt;

/// The scope of a token for Azure's caches, in every cloud unless configured otherwise.
///
/// Source: Microsoft's page "Use Microsoft Entra for cache authentication".
pub const DEFAULT_SCOPE: &str = "https://redis.azure.com/.default";

/// Which of Azure's two Redis services an endpoint belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// Azure Managed Redis: port 10000, Redis 7.4 or later, database 0 only.
    AzureManagedRedis,
    /// Azure Cache for Redis: port 6380 with TLS, 6379 without, Redis 6.0 or later.
    AzureCacheForRedis,
}

impl Service {
    /// The port of the service when none is given: 10000, or 6380 with TLS and 6379 without.
    pub fn default_port(self, tls: bool) -> u16 {
        match self {
            Self::AzureManagedRedis => 10_000,
            Self::AzureCacheForRedis => other_default_port(tls),
        }
    }

    /// The oldest Redis version (major, minor) that the service runs.
    pub fn minimum_version(self) -> (u8, u8) {
        match self {
            Self::AzureManagedRedis => (7, 4),
            Self::AzureCacheForRedis => (6, 0),
        }
    }

    /// The channel on which the service announces maintenance; `None` where there is none.
    pub fn maintenance_channel(self) -> Option<&'static str> {
        match self {
            Self::AzureManagedRedis => None,
            Self::AzureCacheForRedis => Some("AzureRedisEvents"),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AzureManagedRedis => "Azure Managed Redis",
            Self::AzureCacheForRedis => "Azure Cache for Redis",
        })
    }
}

/// The port of a server that is not Azure's when none is given: 6380 with TLS, 6379 without.
pub(super) fn other_default_port(tls: bool) -> u16 {
    if tls { 6_380 } else { 6_379 }
}

/// One of the separate worlds Azure runs in, each with its own sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cloud {
    /// Azure's public cloud.
    Public,
    /// Azure operated by 21Vianet in China.
    China,
    /// Azure for the government of the United States.
    UsGovernment,
    /// The sovereign cloud in Germany.
    Germany,
    /// The sovereign cloud in France.
    France,
    /// The sovereign cloud in Singapore.
    Singapore,
}

impl Cloud {
    /// Every cloud.
    pub const ALL: [Self; 6] =
        [Self::Public, Self::China, Self::UsGovernment, Self::Germany, Self::France, Self::Singapore];

    /// The cloud's name as options take and print it: `public`, `us_government` ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::China => "china",
            Self::UsGovernment => "us_government",
            Self::Germany => "germany",
            Self::France => "france",
            Self::Singapore => "singapore",
        }
    }

    /// Where Microsoft Entra ID is signed in to, without a path; `None` where no address is published, so
    /// that the option `authority_host` is needed.
    pub fn authority_host(self) -> Option<&'static str> {
        match self {
            Self::Public => Some("https://login.microsoftonline.com"),
            Self::China => Some("https://login.chinacloudapi.cn"),
            Self::UsGovernment => Some("https://login.microsoftonline.us"),
            Self::Germany | Self::France | Self::Singapore => None,
        }
    }

    /// The scope that tokens for caches in this cloud have unless configured otherwise.
    ///
    /// The .NET extension keeps the public scope in every cloud; the option `scope` overrides it.
    pub fn scope(self) -> &'static str {
        DEFAULT_SCOPE
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a host name's ending says.
#[derive(Debug)]
pub(super) struct Suffix {
    /// The ending, with its leading dot.
    pub(super) ending: &'static str,
    pub(super) service: Service,
    pub(super) cloud: Cloud,
}

const fn managed(ending: &'static str, cloud: Cloud) -> Suffix {
    Suffix { ending, service: Service::AzureManagedRedis, cloud }
}

const fn cache(ending: &'static str, cloud: Cloud) -> Suffix {
    Suffix { ending, service: Service::AzureCacheForRedis, cloud }
}

/// Every ending of Azure's caches. No ending is an ending of another one.
///
/// Source: StackExchange.Redis' options providers and the sample of Microsoft.Azure.StackExchangeRedis.
pub(super) static SUFFIXES: [Suffix; 12] = [
    managed(".redis.azure.net", Cloud::Public),
    managed(".redisenterprise.cache.azure.net", Cloud::Public),
    managed(".redis.chinacloudapi.cn", Cloud::China),
    managed(".redis.usgovcloudapi.net", Cloud::UsGovernment),
    managed(".redis.sovcloud-api.de", Cloud::Germany),
    managed(".redis.sovcloud-api.fr", Cloud::France),
    managed(".redis.sovcloud-api.sg", Cloud::Singapore),
    cache(".redis.cache.windows.net", Cloud::Public),
    cache(".redis.cache.chinacloudapi.cn", Cloud::China),
    cache(".redis.cache.usgovcloudapi.net", Cloud::UsGovernment),
    cache(".redis.cache.sovcloud-api.de", Cloud::Germany),
    cache(".redis.cache.sovcloud-api.fr", Cloud::France),
];

/// The row of the table that a normalised host name belongs to.
pub(super) fn suffix_of(host: &str) -> Option<&'static Suffix> {
    SUFFIXES.iter().find(|suffix| host.len() > suffix.ending.len() && host.ends_with(suffix.ending))
}

/// The ending that somebody probably meant who wrote a host name that only nearly has one.
pub(super) fn nearly(host: &str) -> Option<&'static str> {
    let mut best = None;
    for suffix in &SUFFIXES {
        let labels = suffix.ending.matches('.').count();
        let Some((start, _)) = host.rmatch_indices('.').nth(labels - 1) else { continue };
        let distance = strsim::damerau_levenshtein(&host[start..], suffix.ending);
        if distance <= 3 && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, suffix.ending));
        }
    }
    best.map(|(_, ending)| ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_ending_shadows_another() {
        for a in &SUFFIXES {
            assert!(a.ending.starts_with(".redis"));
            assert!(!SUFFIXES.iter().any(|b| a.ending != b.ending && a.ending.ends_with(b.ending)));
        }
    }

    #[test]
    fn near_misses_are_recognised_and_strangers_are_not() {
        for (host, ending) in [
            ("a.westeurope.redis.azure.com", ".redis.azure.net"),
            ("a.westeurope.redis.auzre.net", ".redis.azure.net"),
            ("a.redis.cache.window.net", ".redis.cache.windows.net"),
            ("a.redis.cache.windows.com", ".redis.cache.windows.net"),
            ("a.redis.chinacloudapi.com", ".redis.chinacloudapi.cn"),
        ] {
            assert_eq!(nearly(host), Some(ending), "{host}");
        }
        for host in
            ["localhost", "redis.example.com", "cache.redis.example.net", "redis", "redis.svc.cluster.local"]
        {
            assert_eq!(nearly(host), None, "{host}");
        }
    }
}
