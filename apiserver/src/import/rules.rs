//! From where pipelines may be fetched: hosts by name, and networks that are not public.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::LazyLock;

use ipnet::IpNet;
use reqwest::Url;
use url::Host;

/// What is not the public internet: private, local, shared, reserved, for documentation, and what carries IPv4 addresses
/// within IPv6 ones (from IANA's registries of special-purpose addresses).
static NOT_PUBLIC: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    const NETWORKS: [&str; 20] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "2620:4f:8000::/48",
    ];
    NETWORKS.iter().filter_map(|network| network.parse().ok()).collect()
});

/// All IPv6 addresses of hosts on the public internet.
static GLOBAL_UNICAST: LazyLock<Option<IpNet>> = LazyLock::new(|| "2000::/3".parse().ok());

/// One place that pipelines may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportRule {
    /// Any host, at its scheme's own port.
    AnyHost,
    /// This host.
    Host(HostRule),
    /// Hosts below this one.
    Below(HostRule),
    /// Addresses that are not public, or that URLs may name themselves.
    Network(IpNet),
}

/// A host, and the port that is not its scheme's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    name: String,
    port: Option<u16>,
}

/// A text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host (example.com, example.com:8443, *.example.com, *) and no network (10.1.0.0/16)")]
pub struct ImportRuleError(String);

impl FromStr for ImportRule {
    type Err = ImportRuleError;

    fn from_str(text: &str) -> Result<Self, ImportRuleError> {
        let refused = || ImportRuleError(text.to_owned());
        if text == "*" {
            return Ok(Self::AnyHost);
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        let (name, is_below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let (name, port) = match name.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| refused())?)),
            None => (name, None),
        };
        match Host::parse(name) {
            Ok(Host::Domain(name)) if !name.is_empty() && !name.contains('*') => {
                let rule = HostRule { name: without_dot(&name).to_owned(), port };
                Ok(if is_below { Self::Below(rule) } else { Self::Host(rule) })
            }
            _ => Err(refused()),
        }
    }
}

/// All places that pipelines may be fetched from.
#[derive(Debug)]
pub(super) struct ImportRules(Vec<ImportRule>);

impl ImportRules {
    pub(super) fn new(rules: Vec<ImportRule>) -> Self {
        Self(rules)
    }

    /// Refuses a URL whose host is not allowed. Where its name leads is checked by [`ImportRules::may_connect`].
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        let address = match url.host() {
            Some(Host::Domain(name)) => return self.check_name(without_dot(name), url),
            Some(Host::Ipv4(address)) => IpAddr::from(address),
            Some(Host::Ipv6(address)) => IpAddr::from(address),
            None => return Err("It has no host".to_owned()),
        };
        // Names can be vouched for, addresses belong to whoever has them now.
        match self.is_in_network(address) {
            true => Ok(()),
            false => Err("Its host is an address that is in no network of --import-from".to_owned()),
        }
    }

    fn check_name(&self, name: &str, url: &Url) -> Result<(), String> {
        let fits = |rule: &&ImportRule| match rule {
            ImportRule::AnyHost => url.port().is_none(),
            ImportRule::Host(host) => host.name == name && host.port == url.port(),
            ImportRule::Below(host) => {
                let above = name.strip_suffix(host.name.as_str()).and_then(|above| above.strip_suffix('.'));
                above.is_some_and(|above| !above.is_empty()) && host.port == url.port()
            }
            ImportRule::Network(_) => false,
        };
        match self.0.iter().any(|rule| fits(&rule)) {
            true => Ok(()),
            false => Err(format!("Host {name} (and its port) is not one of --import-from")),
        }
    }

    /// Whether a connection may be made.
    pub(super) fn may_connect(&self, address: IpAddr) -> bool {
        is_public(address) || self.is_in_network(address)
    }

    fn is_in_network(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|rule| matches!(rule, ImportRule::Network(network) if network.contains(&address)))
    }
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_global = match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(_) => GLOBAL_UNICAST.is_some_and(|network| network.contains(&address)),
    };
    is_global && !NOT_PUBLIC.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> ImportRules {
        ImportRules::new(texts.iter().map(|text| text.parse().expect(text)).collect())
    }

    #[test]
    fn t09_only_the_public_internet_is_public() {
        assert_eq!(NOT_PUBLIC.len(), 20, "a network cannot be read");
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "fec0::1",
            "100::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn i31_rules_are_hosts_or_networks() {
        for text in [
            "",
            "*.",
            "a b",
            "http://example.com",
            "example.com/x",
            "10.0.0.0/33",
            "a:b",
            "a:70000",
            "*.*",
            "**",
            "[::1",
            "@",
        ] {
            assert!(text.parse::<ImportRule>().is_err(), "{text:?}");
        }
        let network: ImportRule = "10.1.2.3/16".parse().unwrap();
        assert_eq!(network, ImportRule::Network("10.1.0.0/16".parse().unwrap()));
        assert_eq!("::1".parse::<ImportRule>().unwrap(), ImportRule::Network("::1/128".parse().unwrap()));
    }

    #[test]
    fn t09_hosts_are_compared_whole() {
        let rules = rules(&["Example.com", "*.trusted.org", "odd.net:8443", "10.1.0.0/16"]);
        let checked = |url: &str| rules.check(&Url::parse(url).unwrap());
        for url in [
            "https://example.com/x",
            "https://EXAMPLE.com./x",
            "http://example.com:80/x",
            "https://a.trusted.org/",
            "https://a.b.trusted.org",
            "https://odd.net:8443/",
            "https://10.1.2.3:9000/x",
            "https://0x0a010203/x",
        ] {
            assert!(checked(url).is_ok(), "{url}: {:?}", checked(url));
        }
        for url in [
            "https://example.com:8443/x",
            "https://example.com.evil.net/",
            "https://notexample.com/",
            "https://trusted.org",
            "https://evil-trusted.org",
            "https://odd.net/",
            "https://10.2.0.1/",
            "https://1.1.1.1/",
            "https://[::1]/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::ffff:10.2.0.1]/",
            "https://sub.example.com/",
        ] {
            assert!(checked(url).is_err(), "{url}");
        }
    }

    #[test]
    fn t09_networks_that_are_named_may_be_connected_to() {
        let rules = rules(&["*", "10.1.0.0/16", "fd00::/8"]);
        for (address, expected) in [
            ("10.1.9.9", true),
            ("::ffff:10.1.9.9", true),
            ("10.2.0.1", false),
            ("fd12::1", true),
            ("8.8.8.8", true),
            ("127.0.0.1", false),
        ] {
            assert_eq!(rules.may_connect(address.parse().unwrap()), expected, "{address}");
        }
    }
}
