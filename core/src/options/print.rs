//! Prints options as a connection string, or as a URL where a value would not survive in one.

use super::{Kind, OptionInfo, Options, table};
use std::fmt;
use url::form_urlencoded::Serializer;

/// What differs from the defaults, in the table's order.
fn changed(options: &Options) -> Vec<(&'static OptionInfo, String)> {
    table()
        .iter()
        .filter_map(|info| {
            let value = info.value(options);
            if value == info.default() { None } else { Some((info, value.unwrap_or_default())) }
        })
        .collect()
}

/// Whether a connection string keeps a value as it is.
fn survives(value: &str) -> bool {
    value.trim() == value && !value.contains(|c: char| c == ',' || c.is_control())
}

fn write_connection_string(
    f: &mut fmt::Formatter<'_>,
    options: &Options,
    changed: &[(&OptionInfo, String)],
) -> fmt::Result {
    let mut parts: Vec<String> = options.endpoints().iter().map(ToString::to_string).collect();
    for (info, value) in changed {
        if matches!(info.kind, Kind::Commands) {
            parts.extend(value.split(' ').map(|command| format!("${command}=")));
        } else {
            parts.push(format!("{}={value}", info.connection_string[0]));
        }
    }
    f.write_str(&parts.join(","))
}

fn write_url(
    f: &mut fmt::Formatter<'_>,
    options: &Options,
    changed: &[(&OptionInfo, String)],
) -> fmt::Result {
    let mut endpoints = options.endpoints().iter().map(ToString::to_string);
    let mut query = Serializer::new(String::new());
    let scheme = if options.tls() { "rediss" } else { "redis" };
    write!(f, "{scheme}://{}/", endpoints.next().unwrap_or_default())?;
    for endpoint in endpoints {
        query.append_pair("endpoint", &endpoint);
    }
    for (info, value) in changed.iter().filter(|(info, _)| info.name != "tls") {
        query.append_pair(info.connection_string[0], value);
    }
    // Asterisks stay as they are: secrets read `***` here too.
    write!(f, "?{}", query.finish())
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = changed(self);
        if self.endpoints().is_empty() || changed.iter().all(|(_, value)| survives(value)) {
            write_connection_string(f, self, &changed)
        } else {
            write_url(f, self, &changed)
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Options({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_printed_and_no_secret() {
        let options = Options::new("localhost")
            .unwrap()
            .with_tls(false)
            .with_password("hunter2")
            .with_client_secret("hunter3")
            .with_ca_certificates("-----BEGIN CERTIFICATE-----")
            .with_disabled_commands(["flushall", "CONFIG"]);
        let text =
            "localhost:6379,ssl=false,caCertificates=***,password=***,$CONFIG=,$FLUSHALL=,clientSecret=***";
        assert_eq!(options.to_string(), text);
        assert_eq!(format!("{options:?}"), format!("Options({text})"));
    }

    #[test]
    fn a_value_with_a_comma_makes_it_a_url() {
        let options = Options::parse("a,b:1").unwrap().with_channel_prefix("x, ").with_password("hunter2");
        assert_eq!(options.to_string(), "rediss://a:6380/?endpoint=b%3A1&password=***&channelPrefix=x%2C+");
        assert_eq!(
            Options::parse(&options.clone().with_password("").to_string()).unwrap(),
            options.with_password("")
        );
    }
}
