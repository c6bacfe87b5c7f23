//! Reads StackExchange.Redis' connection string: `host:port,option=value,$COMMAND=`. Which options there
//! are lives in the table; URLs are read in `redis_url`.

use super::{Kind, Options, find, nearest, refusal, short};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorCode, Result};
use std::time::Duration;

const COMMA: &str = "A value with a comma cannot stand in a connection string: set it in code, or use a rediss:// URL where it is written %2C.";

/// Reads the parts between commas; blanks around them and empty parts do not count.
pub(super) fn read(text: &str) -> Result<Options> {
    let mut reader = Reader::of_parts();
    let mut endpoints = Vec::new();
    for (index, part) in text.split(',').map(str::trim).enumerate().filter(|(_, part)| !part.is_empty()) {
        reader.place = index + 1;
        match part.split_once('=') {
            None => endpoints.push(reader.endpoint(part)?),
            Some((name, value)) => reader.option(name.trim(), value.trim())?,
        }
    }
    // Added last: whether two are the same can depend on the default port, which depends on TLS.
    Ok(endpoints.into_iter().fold(reader.options, Options::with_endpoint))
}

/// What is known while the parts of one string or URL are read.
pub(super) struct Reader {
    pub(super) options: Options,
    commas: bool,
    timeout: Option<Duration>,
    /// Which part is read, from 1.
    place: usize,
    /// The secret option of the part before: what follows may be the rest of it, after a comma.
    after_secret: Option<&'static str>,
    /// Whether the last part was an option, whose value may have held a comma.
    after_option: bool,
}

impl Reader {
    /// A reader of parts between commas, which a value may have been meant to hold.
    fn of_parts() -> Self {
        Self { commas: true, ..Self::of_url() }
    }

    /// A reader of a URL's parts, which are told apart without doubt.
    pub(super) fn of_url() -> Self {
        Self {
            options: Options::empty(),
            commas: false,
            timeout: None,
            place: 1,
            after_secret: None,
            after_option: false,
        }
    }

    fn endpoint(&self, part: &str) -> Result<Endpoint> {
        Endpoint::parse(part).map_err(|error| {
            if let Some(secret) = self.after_secret {
                Error::new(
                    error.code(),
                    format!("Part {} of the connection string, behind {secret}, is no endpoint.", self.place),
                    COMMA,
                )
            } else if self.after_option {
                Error::new(error.code(), error.message().to_owned(), format!("{} {COMMA}", error.advice()))
            } else {
                error
            }
        })
    }

    /// Sets an option from its name and value.
    pub(super) fn option(&mut self, name: &str, value: &str) -> Result<()> {
        if let Some(command) = name.strip_prefix('$') {
            self.after_option = true;
            return self.command(command, value);
        }
        let info = find(name).map_err(|error| match self.after_secret {
            None => error,
            Some(secret) => Error::new(
                error.code(),
                format!(
                    "Part {} of the connection string, behind {secret}, is not a known option.",
                    self.place
                ),
                nearest(name)
                    .map_or_else(|| COMMA.to_owned(), |near| format!("Did you mean {near}? {COMMA}")),
            ),
        })?;
        self.options.put(name, value, true)?;
        if info.name == "command_timeout" {
            self.smaller_timeout();
        }
        self.after_option = true;
        if self.commas && matches!(info.kind, Kind::Secret) {
            self.after_secret = Some(info.name);
        }
        Ok(())
    }

    /// .NET has a timeout for each way to call; here there is one, and the stricter wish counts.
    fn smaller_timeout(&mut self) {
        let given = self.options.values.command_timeout;
        if let Some(earlier) = self.timeout.filter(|&earlier| earlier != given) {
            self.options.values.command_timeout = earlier.min(given);
            self.options.warn(format!(
                "syncTimeout and asyncTimeout are one option, command_timeout: the smaller one counts, {} ms.",
                earlier.min(given).as_millis()
            ));
        }
        self.timeout = Some(self.options.values.command_timeout);
    }

    fn command(&mut self, command: &str, value: &str) -> Result<()> {
        let info = find("disabled_commands")?;
        if !value.is_empty() && !value.eq_ignore_ascii_case(command) {
            return Err(refusal(
                info,
                &format!("cannot rename the command ${}.", short(command)),
                "Azure's caches rename no commands; write $COMMAND= to disable one on the client.",
            ));
        }
        if command.is_empty() || command.contains(char::is_whitespace) {
            return Err(Error::new(
                ErrorCode::InvalidOption,
                "The option disabled_commands has no command name behind its $.",
                "Write $COMMAND=, for example $FLUSHALL=.",
            ));
        }
        if value.is_empty() {
            let mut all = self.options.values.disabled_commands.clone();
            all.push(command.to_owned());
            self.options.put("disabled_commands", &all.join(" "), true)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorCode;
    use crate::options::{Backlog, ClusterMode, Effect, Options, Protocol, ReadFrom, TlsVersion, table};
    use std::time::Duration;

    fn parse(text: &str) -> Options {
        Options::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_grammar_is_dotnets() {
        let options = parse(
            " , a.westeurope.redis.azure.net:10000 ,SSL=True, abortConnect = false,,name=x=y=,b:1,B:1,",
        );
        let endpoints: Vec<_> = options.endpoints().iter().map(ToString::to_string).collect();
        assert_eq!(endpoints, ["a.westeurope.redis.azure.net:10000", "b:1"]);
        assert_eq!(options.client_name(), Some("x=y="));
        assert_eq!(parse("[::1]:7,password=abc=").password().unwrap().expose(), "abc=");
        for (text, value) in
            [("yes", true), ("no", false), ("ON", true), ("off", false), ("1", true), ("0", false)]
        {
            assert_eq!(parse(&format!("a,tcpKeepAlive={text}")).tcp_keep_alive(), value);
        }
        assert_eq!(parse("a").endpoints()[0].port(), 6380);
        assert_eq!(parse("a,ssl=false").endpoints()[0].port(), 6379);
        assert_eq!(parse("ssl=false,a,a:6379,ssl=true").endpoints().len(), 2);
        assert_eq!(parse("a,a:6379,ssl=false").endpoints().len(), 1);
    }

    /// One check for every row of .NET's options that has an effect here, and for ours.
    #[test]
    fn every_option_does_what_is_promised() {
        type Check = fn(&Options) -> bool;
        let seconds = |options: fn(&Options) -> Duration, s: &Options| options(s).as_secs();
        assert_eq!(seconds(Options::keep_alive, &parse("a,keepAlive=30")), 30);
        let rows: &[(&str, Check)] = &[
            ("", |o| !o.abort_on_connect_fail() && o.connect_retry() == 3 && o.tls() && o.tcp_keep_alive()),
            ("", |o| {
                o.connect_timeout() == Duration::from_secs(5) && o.command_timeout() == Duration::from_secs(5)
            }),
            ("", |o| {
                o.keep_alive() == Duration::from_mins(1)
                    && o.topology_refresh_interval() == Duration::from_mins(1)
            }),
            ("", |o| {
                o.protocol() == Protocol::Resp3
                    && o.set_client_info()
                    && o.database() == 0
                    && o.user().is_none()
            }),
            ("abortConnect=true", Options::abort_on_connect_fail),
            ("connectTimeout=7", |o| o.connect_timeout() == Duration::from_millis(7)),
            ("connectRetry=9", |o| o.connect_retry() == 9),
            ("syncTimeout=7", |o| o.command_timeout() == Duration::from_millis(7) && o.warnings().is_empty()),
            ("asyncTimeout=8000", |o| o.command_timeout() == Duration::from_secs(8)),
            ("syncTimeout=7,asyncTimeout=9", |o| {
                o.command_timeout() == Duration::from_millis(7) && o.warnings().len() == 1
            }),
            ("asyncTimeout=9000,syncTimeout=7000", |o| o.command_timeout() == Duration::from_secs(7)),
            ("syncTimeout=7,asyncTimeout=7", |o| o.warnings().is_empty()),
            ("tcpKeepAlive=off", |o| !o.tcp_keep_alive()),
            ("name=web", |o| o.client_name() == Some("web")),
            ("user=u,password=p", |o| o.user() == Some("u") && o.password().unwrap().expose() == "p"),
            ("sslHost=x.test", |o| o.tls_host() == Some("x.test")),
            ("sslProtocols=tls13", |o| o.tls_min_version() == TlsVersion::Tls13),
            ("sslProtocols=Tls12|Tls13", |o| o.tls_min_version() == TlsVersion::Tls12),
            ("protocol=resp2", |o| o.protocol() == Protocol::Resp2),
            ("protocol=2", |o| o.protocol() == Protocol::Resp2),
            ("protocol=3", |o| o.protocol() == Protocol::Resp3),
            ("defaultDatabase=4", |o| o.database() == 4),
            ("channelPrefix=app:", |o| o.channel_prefix() == Some("app:")),
            ("configCheckSeconds=5", |o| o.topology_refresh_interval() == Duration::from_secs(5)),
            ("setlib=false", |o| !o.set_client_info()),
            ("tunnel=http:proxy:8080", |o| o.tunnel().unwrap().port() == 8080),
            ("$INFO=,$config=,$GET=get", |o| o.disabled_commands() == ["CONFIG", "INFO"]),
            ("backlog=fail_fast", |o| o.backlog() == Backlog::FailFast),
            ("backlogLimit=5", |o| o.backlog_limit() == 5),
            ("refreshRatio=0.5", |o| (o.refresh_ratio() - 0.5).abs() < 1e-9),
            ("scope=s,cloud=china,authorityHost=https://h", |o| {
                o.scope() == Some("s") && o.cloud().is_some()
            }),
            ("clientId=c,tenantId=t", |o| o.client_id() == Some("c") && o.tenant_id() == Some("t")),
            ("reauthStagger=50", |o| o.reauth_stagger() == Some(Duration::from_millis(50))),
            ("reauthStagger=auto", |o| o.reauth_stagger().is_none()),
            ("readFrom=replica", |o| o.read_from() == ReadFrom::Replica),
            ("cluster=off", |o| o.cluster() == ClusterMode::Off),
        ];
        for (text, check) in rows {
            assert!(check(&parse(&format!("a,{text}"))), "{text}");
        }
    }

    #[test]
    fn options_without_effect_are_accepted_with_one_warning_or_none() {
        for name in ["checkCertificateRevocation", "allowAdmin", "resolveDns", "highIntegrity"] {
            let options = parse(&format!("a,{name}=true,{name}=false"));
            assert_eq!(options.warnings().len(), 1, "{name}");
            assert!(options.warnings()[0].contains(name), "{:?}", options.warnings());
            assert_eq!(options, parse("a"));
        }
        for name in [
            "configChannel",
            "tiebreaker",
            "version",
            "responseTimeout",
            "writeBuffer",
            "highPriorityThreads",
            "preserveAsyncOrder",
        ] {
            assert!(parse(&format!("a,{name}=1.0")).warnings().is_empty(), "{name}");
        }
        assert!(parse("a.redis.azure.com").warnings()[0].contains(".redis.azure.net"));
    }

    #[test]
    fn errors_name_the_option_and_the_remedy() {
        for (text, says) in [
            ("connectTimeout=abc", &["connect_timeout", "\"abc\"", "milliseconds"][..]),
            ("connectTimeout=0", &["connect_timeout", "from 1"]),
            ("connectTimeout=-1", &["connect_timeout", "from 1"]),
            ("connectTimeout=", &["connect_timeout", "empty", "milliseconds"]),
            ("ssl=maybe", &["tls (ssl)", "true or false"]),
            ("allowAdmin=maybe", &["allow_admin", "true or false"]),
            ("sslProtocols=tls11", &["tls_min_version (sslProtocols)", "tls12 or tls13"]),
            ("sslHost=a b", &["tls_host (sslHost)", "host name alone"]),
            ("sslHost=a:1", &["tls_host (sslHost)", "without a port"]),
            ("protocol=resp4", &["protocol", "resp2, resp3."]),
            ("defaultDatabase=x", &["database (defaultDatabase)", "whole number"]),
            ("refreshRatio=2", &["refresh_ratio", "from 0.05 to 0.95"]),
            ("name=a b", &["client_name (name)", "without blanks"]),
            ("cloud=moon", &["cloud", "us_government"]),
            ("serviceName=x", &["service_name", "Sentinel is not offered"]),
            ("sentinelUser=x", &["sentinel_user", "Sentinel is not offered"]),
            ("sentinelPassword=hunter2", &["sentinel_password", "Sentinel is not offered"]),
            ("proxy=twemproxy", &["proxy", "tunnel=http:host:port"]),
            ("tunnel=socks:a:1", &["tunnel", "tunnel=http:host:port"]),
            ("clientSecret=hunter2", &["client_secret", "AZURE_CLIENT_SECRET"]),
            ("caCertificates=x", &["ca_certificates", "ca_file"]),
            ("$INFO=hunter", &["disabled_commands", "rename no commands"]),
            ("$=", &["disabled_commands", "$FLUSHALL="]),
            ("conectTimeout=1", &["\"conectTimeout\"", "Did you mean connectTimeout?"]),
            ("connect_timeut=1", &["Did you mean connect_timeout?"]),
            ("slsHost=a", &["Did you mean sslHost?"]),
            ("entirelyUnheardOf=1", &["There is no option", "documentation"]),
            ("=1", &["There is no option"]),
            ("password=***", &["password", "give the secret itself"]),
            ("name=a,b c", &["comma", "rediss://"]),
            ("password=ab,hunter2!", &["Part 3", "behind password", "%2C"]),
            ("password=ab,hunter2=", &["Part 3", "behind password", "%2C"]),
            ("password=ab,nmae=x", &["Part 3", "Did you mean name?"]),
        ] {
            let error = Options::parse(&format!("a,{text}")).expect_err(text);
            for part in says {
                assert!(error.to_string().contains(part), "{text}: {error}");
            }
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(!error.advice().is_empty() && !error.is_retryable(), "{text}");
        }
        let error = Options::parse("ssl=true").unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidEndpoint);
        assert!(error.to_string().contains("no endpoint"));
    }

    /// Every row names itself in its error, whatever its kind.
    #[test]
    fn no_row_refuses_without_its_name_and_a_remedy() {
        for info in table() {
            for value in ["\u{1}", "a b \u{7f} c", "-1", "@"] {
                let mut options = Options::new("a").unwrap();
                if let Err(error) = options.set(info.name, value) {
                    assert!(error.message().contains(info.name) && !error.advice().is_empty(), "{error}");
                    assert_eq!(options, Options::new("a").unwrap());
                }
            }
            if matches!(info.effect, Effect::Refused(_)) {
                assert!(Options::new("a").unwrap().set(info.name, "x").is_err());
            }
        }
    }
}
