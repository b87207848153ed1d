//! Flags about who may ask the API for what.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum, ValueHint};
use kube::Client;
use penstock_apiserver::auth::{
    AccessSettings, AllowedHost, Authenticator, Authorizer, Oidc, OidcSettings, RulesFile, Sharing,
    SubjectAccessReviews, TokenReviews, TrustedHeader, TrustedPeers,
};
use prometheus::Registry;

use crate::failure::Refusal;

const ACCESS: &str = "Access options";
/// What KFP's own server asks tokens to be meant for, and where its proxies name users.
const AUDIENCE: &str = "pipelines.kubeflow.org";
const HEADER: &str = "kubeflow-userid";
const USER_CLAIM: &str = "email";
const GROUPS_CLAIM: &str = "groups";

/// How callers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthMethod {
    /// By bearer tokens of Kubernetes, which its API server reviews
    TokenReview,
    /// By bearer tokens of an issuer of OpenID Connect
    Oidc,
    /// By a header that a proxy in front sets
    Header,
}

/// Who may ask the API for what.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = ACCESS)]
pub(crate) struct AccessArgs {
    /// How callers are known; give it once for each way. What they may do is said by the roles of the cluster, or by
    /// --access-rules [default: nobody is asked who they are]
    #[arg(long = "auth", env = "PENSTOCK_AUTH", value_enum, value_delimiter = ',', value_name = "METHOD")]
    pub(crate) auth: Vec<AuthMethod>,
    /// Keep namespaces apart: everything belongs to the one that requests name, and takes rights there
    #[arg(long, env = "PENSTOCK_MULTI_USER")]
    pub(crate) multi_user: bool,
    /// Let everybody who is known look at what is in every namespace, with --multi-user; KFP has MULTIUSER_SHARED_READ
    /// for it
    #[arg(long, env = "PENSTOCK_SHARED_READ")]
    pub(crate) shared_read: bool,
    /// Refuse pipelines of no namespace, which everybody may look at, with --multi-user; KFP has
    /// REQUIRE_NAMESPACE_FOR_PIPELINES for it
    #[arg(long, env = "PENSTOCK_REQUIRE_NAMESPACE_FOR_PIPELINES")]
    pub(crate) require_namespace_for_pipelines: bool,
    /// Name by which the API may be asked, such as kfp.example.com or *.example.com; give it once for each. Names of this
    /// machine always count, and where others can connect addresses do [default: there every name does]
    #[arg(long, env = "PENSTOCK_ALLOWED_HOST", value_delimiter = ',', value_name = "HOST")]
    pub(crate) allowed_host: Vec<AllowedHost>,
    /// Audience that tokens of Kubernetes must be meant for, with --auth token-review [default: pipelines.kubeflow.org]
    #[arg(long, env = "PENSTOCK_AUTH_AUDIENCE", value_name = "AUDIENCE")]
    pub(crate) auth_audience: Option<String>,
    /// URL of the issuer, as its tokens have it, with --auth oidc
    #[arg(long, env = "PENSTOCK_OIDC_ISSUER", value_name = "URL")]
    pub(crate) oidc_issuer: Option<String>,
    /// Client id that tokens must be meant for, with --auth oidc
    #[arg(long, env = "PENSTOCK_OIDC_CLIENT_ID", value_name = "ID")]
    pub(crate) oidc_client_id: Option<String>,
    /// Claim with the name of the user, with --auth oidc [default: email]
    #[arg(long, env = "PENSTOCK_OIDC_USER_CLAIM", value_name = "CLAIM")]
    pub(crate) oidc_user_claim: Option<String>,
    /// Claim with the groups of the user, with --auth oidc [default: groups]
    #[arg(long, env = "PENSTOCK_OIDC_GROUPS_CLAIM", value_name = "CLAIM")]
    pub(crate) oidc_groups_claim: Option<String>,
    /// File with the certificates (PEM) of authorities to trust for the issuer, beside those of this machine
    #[arg(long, env = "PENSTOCK_OIDC_CA_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) oidc_ca_file: Option<PathBuf>,
    /// Header with the name of the user, with --auth header [default: kubeflow-userid]
    #[arg(long, env = "PENSTOCK_AUTH_HEADER", value_name = "NAME")]
    pub(crate) auth_header: Option<String>,
    /// What stands before the name in that header [default: nothing]
    #[arg(long, env = "PENSTOCK_AUTH_HEADER_PREFIX", value_name = "PREFIX")]
    pub(crate) auth_header_prefix: Option<String>,
    /// Address, or range of addresses, of proxies whose header is believed, with --auth header; give it once for each.
    /// Where only this machine can connect, everybody is
    #[arg(long, env = "PENSTOCK_TRUSTED_PROXY", value_delimiter = ',', value_name = "CIDR")]
    pub(crate) trusted_proxy: Vec<TrustedPeers>,
    /// File that says what callers may do, instead of the roles of the cluster; it is read again when it changes
    #[arg(long, env = "PENSTOCK_ACCESS_RULES", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) access_rules: Option<PathBuf>,
}

/// Where the API listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listening {
    /// The flag that says so.
    pub(crate) flag: &'static str,
    /// The address.
    pub(crate) address: SocketAddr,
    /// Whether others may connect although nobody is asked who they are.
    pub(crate) allow_unauthenticated: bool,
}

impl AccessArgs {
    fn has(&self, method: AuthMethod) -> bool {
        self.auth.contains(&method)
    }

    /// Whether a cluster has to be asked.
    pub(crate) fn needs_cluster(&self) -> bool {
        self.has(AuthMethod::TokenReview) || (!self.auth.is_empty() && self.access_rules.is_none())
    }

    /// Refuses flags that contradict each other, or that let others in without a word for it.
    pub(crate) fn check(&self, listening: &Listening) -> Result<(), Refusal> {
        let Listening { flag, address, allow_unauthenticated } = listening;
        let is_local = address.ip().is_loopback();
        if self.auth.is_empty() {
            self.check_without_auth()?;
            if !is_local && !allow_unauthenticated {
                let text = format!(
                    "{flag} {address} lets others in, and nobody is asked who they are: they could run code here"
                );
                return Err(Refusal::new(text).with_hint(
                    "say with --auth how callers are known, listen on 127.0.0.1, or say --allow-unauthenticated where \
                     only those can connect who may",
                ));
            }
            return Ok(());
        }
        if *allow_unauthenticated {
            return Err(Refusal::new("--auth asks callers who they are, and --allow-unauthenticated does not")
                .with_hint("leave one of them out"));
        }
        self.check_belonging()?;
        self.check_sharing()?;
        if self.has(AuthMethod::Header) && !is_local && self.trusted_proxy.is_empty() {
            let text = format!("--auth header believes whoever connects to {flag} {address}, unless it is said whom");
            return Err(Refusal::new(text).with_hint("name the addresses of the proxy with --trusted-proxy"));
        }
        Ok(())
    }

    /// Flags that say something of callers say nothing when nobody is asked.
    fn check_without_auth(&self) -> Result<(), Refusal> {
        let given = [("--multi-user", self.multi_user), ("--access-rules", self.access_rules.is_some())];
        let given =
            given.into_iter().chain(self.sharing()).chain(self.belonging().map(|(flag, _, is_given)| (flag, is_given)));
        match given.filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).next() {
            None => Ok(()),
            Some(flag) => Err(Refusal::new(format!("{flag} is about callers, and nobody is asked who they are"))
                .with_hint("say with --auth how callers are known: token-review, oidc or header")),
        }
    }

    /// Flags about what namespaces share, and whether they are given.
    fn sharing(&self) -> [(&'static str, bool); 2] {
        let pipelines = ("--require-namespace-for-pipelines", self.require_namespace_for_pipelines);
        [("--shared-read", self.shared_read), pipelines]
    }

    fn check_sharing(&self) -> Result<(), Refusal> {
        match self.sharing().into_iter().find(|(_, is_given)| *is_given && !self.multi_user) {
            None => Ok(()),
            Some((flag, _)) => Err(Refusal::new(format!("{flag} is about namespaces, which are not kept apart"))
                .with_hint(format!("add --multi-user, or leave {flag} out"))),
        }
    }

    /// Flags, the way that they belong to, and whether they are given.
    fn belonging(&self) -> impl Iterator<Item = (&'static str, AuthMethod, bool)> {
        [
            ("--auth-audience", AuthMethod::TokenReview, self.auth_audience.is_some()),
            ("--oidc-issuer", AuthMethod::Oidc, self.oidc_issuer.is_some()),
            ("--oidc-client-id", AuthMethod::Oidc, self.oidc_client_id.is_some()),
            ("--oidc-user-claim", AuthMethod::Oidc, self.oidc_user_claim.is_some()),
            ("--oidc-groups-claim", AuthMethod::Oidc, self.oidc_groups_claim.is_some()),
            ("--oidc-ca-file", AuthMethod::Oidc, self.oidc_ca_file.is_some()),
            ("--auth-header", AuthMethod::Header, self.auth_header.is_some()),
            ("--auth-header-prefix", AuthMethod::Header, self.auth_header_prefix.is_some()),
            ("--trusted-proxy", AuthMethod::Header, !self.trusted_proxy.is_empty()),
        ]
        .into_iter()
    }

    fn check_belonging(&self) -> Result<(), Refusal> {
        for (flag, method, is_given) in self.belonging() {
            if is_given && !self.has(method) {
                let word = method.to_possible_value().map_or_else(String::new, |word| word.get_name().to_owned());
                return Err(Refusal::new(format!("{flag} says something of --auth {word}, which is not given"))
                    .with_hint(format!("add --auth {word}, or leave {flag} out")));
            }
        }
        Ok(())
    }

    /// What the API is told. `client` is needed when [`AccessArgs::needs_cluster`] says so; `registry` has numbers about
    /// the file of rules, if there is one.
    pub(crate) async fn settings(
        &self,
        client: Option<&Client>,
        registry: &Registry,
    ) -> Result<AccessSettings, Refusal> {
        if self.auth.is_empty() {
            return Ok(AccessSettings::open().with_hosts(self.allowed_host.clone()));
        }
        let cluster = || client.cloned().ok_or_else(no_cluster);
        let mut authenticators: Vec<Arc<dyn Authenticator>> = Vec::new();
        // As in KFP the header comes first. An issuer leaves tokens of others to the cluster, which has to know all.
        if self.has(AuthMethod::Header) {
            authenticators.push(Arc::new(self.header()?));
        }
        if self.has(AuthMethod::Oidc) {
            authenticators.push(Arc::new(self.oidc()?));
        }
        if self.has(AuthMethod::TokenReview) {
            let audience = self.auth_audience.as_deref().unwrap_or(AUDIENCE);
            authenticators.push(Arc::new(TokenReviews::new(cluster()?, audience)));
        }
        let authorizer: Arc<dyn Authorizer> = match &self.access_rules {
            Some(file) => Arc::new(rules(file, registry).await?),
            None => Arc::new(SubjectAccessReviews::new(cluster()?)),
        };
        let sharing =
            Sharing { reading: self.shared_read, pipelines_need_namespace: self.require_namespace_for_pipelines };
        let settings = AccessSettings::guarded(self.multi_user, authenticators, authorizer);
        Ok(settings.with_sharing(sharing).with_hosts(self.allowed_host.clone()))
    }

    fn header(&self) -> Result<TrustedHeader, Refusal> {
        let name = self.auth_header.as_deref().unwrap_or(HEADER);
        let prefix = self.auth_header_prefix.as_deref().unwrap_or_default();
        TrustedHeader::new(name, prefix, self.trusted_proxy.clone())
            .map_err(|error| Refusal::new(format!("cannot use --auth-header: {error}")))
    }

    fn oidc(&self) -> Result<Oidc, Refusal> {
        let lacking = |flag: &str| {
            Refusal::new(format!("--auth oidc needs {flag}")).with_hint("name both --oidc-issuer and --oidc-client-id")
        };
        let issuer = self.oidc_issuer.clone().ok_or_else(|| lacking("--oidc-issuer"))?;
        let audience = self.oidc_client_id.clone().ok_or_else(|| lacking("--oidc-client-id"))?;
        let word = |given: &Option<String>, default: &str| given.clone().unwrap_or_else(|| default.to_owned());
        let authorities = self.oidc_ca_file.as_deref().map(|file| read("--oidc-ca-file", file)).transpose()?;
        let settings = OidcSettings {
            issuer,
            audience,
            user_claim: word(&self.oidc_user_claim, USER_CLAIM),
            groups_claim: word(&self.oidc_groups_claim, GROUPS_CLAIM),
            authorities,
        };
        Oidc::new(settings).map_err(|error| {
            Refusal::new(format!("cannot use --auth oidc: {error}")).with_hint("check --oidc-issuer and --oidc-ca-file")
        })
    }
}

fn no_cluster() -> Refusal {
    Refusal::new("--auth needs a cluster that says what callers may do, and there is none")
        .with_hint("name a file that says it with --access-rules, or a cluster with --kubeconfig")
}

async fn rules(file: &Path, registry: &Registry) -> Result<RulesFile, Refusal> {
    RulesFile::open(file.to_owned(), registry).await.map_err(|error| {
        Refusal::new(format!("cannot use --access-rules {}: {error}", file.display())).with_hint(
            "write rules as {rules: [{users: [ann@example.com], groups: [ml], namespaces: [team-a], may: edit}]}",
        )
    })
}

/// Reads a file of settings, which is small.
fn read(flag: &str, file: &Path) -> Result<Vec<u8>, Refusal> {
    const LARGEST: u64 = 1 << 20;
    let refuse = |reason: String| Refusal::new(format!("cannot use {flag} {}: {reason}", file.display()));
    let size = std::fs::metadata(file).map_err(|error| refuse(error.to_string()))?.len();
    if size > LARGEST {
        return Err(refuse(format!("it has {size} bytes, more than {LARGEST}")));
    }
    std::fs::read(file).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: AccessArgs,
    }

    fn args(line: &str) -> AccessArgs {
        Line::try_parse_from(std::iter::once("test").chain(line.split_whitespace())).expect("it is understood").args
    }

    fn check(line: &str, address: &str, allow_unauthenticated: bool) -> Result<(), String> {
        let address = address.parse().expect("an address");
        let listening = Listening { flag: "--listen", address, allow_unauthenticated };
        args(line).check(&listening).map_err(|refusal| format!("{refusal:?}"))
    }

    const LOCAL: &str = "127.0.0.1:8888";
    const OPEN: &str = "0.0.0.0:8888";

    #[test]
    fn t30_others_are_let_in_by_a_word_for_it_or_by_asking_them() {
        assert_eq!(check("", LOCAL, false), Ok(()));
        assert!(check("", OPEN, false).unwrap_err().contains("--auth"));
        assert_eq!(check("", OPEN, true), Ok(()));
        assert_eq!(check("--auth token-review", OPEN, false), Ok(()));
    }

    #[test]
    fn t12_a_header_is_believed_of_somebody_who_is_named() {
        assert!(check("--auth header", OPEN, false).unwrap_err().contains("--trusted-proxy"));
        assert_eq!(check("--auth header --trusted-proxy 10.0.0.0/8,fd00::/8", OPEN, false), Ok(()));
        assert_eq!(check("--auth header", LOCAL, false), Ok(()));
        let line = ["test", "--auth", "header", "--trusted-proxy", "10.0.0.0/40"];
        assert!(Line::try_parse_from(line).unwrap_err().to_string().contains("10.0.0.0/40"));
    }

    #[test]
    fn i31_flags_that_contradict_each_other_are_refused() {
        for (line, reason) in [
            ("--multi-user", "--multi-user is about callers"),
            ("--access-rules x", "--access-rules is about callers"),
            ("--shared-read", "--shared-read is about callers"),
            ("--auth header --shared-read", "add --multi-user"),
            ("--auth header --require-namespace-for-pipelines", "add --multi-user"),
            ("--oidc-issuer https://x", "--oidc-issuer is about callers"),
            ("--auth header --auth-audience x", "add --auth token-review"),
            ("--auth token-review --oidc-client-id x", "add --auth oidc"),
            ("--auth oidc --trusted-proxy 10.0.0.1", "add --auth header"),
        ] {
            let refusal = check(line, LOCAL, false).expect_err(line);
            assert!(refusal.contains(reason), "{line}: {refusal}");
        }
        assert!(check("--auth header", LOCAL, true).unwrap_err().contains("leave one of them out"));
        assert_eq!(
            check("--auth header --multi-user --shared-read --allowed-host a.example,*.b", LOCAL, false),
            Ok(())
        );
        assert_eq!(check("--allowed-host a.example", OPEN, true), Ok(()));
        assert!(Line::try_parse_from(["test", "--allowed-host", "a.example:80"]).is_err());
    }

    async fn settings(line: &str) -> Result<AccessSettings, String> {
        args(line).settings(None, &Registry::new()).await.map_err(|refusal| format!("{refusal:?}"))
    }

    #[tokio::test]
    async fn what_callers_may_do_is_said_by_a_file_or_by_a_cluster() {
        assert!(!args("").needs_cluster());
        assert!(!args("--auth header --access-rules x").needs_cluster());
        assert!(args("--auth header").needs_cluster());
        assert!(args("--auth token-review --access-rules x").needs_cluster());
        assert!(!settings("").await.expect("settings").is_multi_user());
        assert!(settings("--auth header").await.unwrap_err().contains("--access-rules"));
        assert!(settings("--auth oidc --access-rules x").await.unwrap_err().contains("--oidc-issuer"));
        let http = "--auth oidc --oidc-issuer http://x.example --oidc-client-id y --access-rules x";
        assert!(settings(http).await.unwrap_err().contains("not an https URL"));
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("rules.yaml");
        let line = format!("--multi-user --auth header --access-rules {}", file.display());
        assert!(settings(&line).await.unwrap_err().contains("cannot use --access-rules"));
        std::fs::write(&file, "rules: [{users: [ann], namespaces: [team-a], may: all}]").expect("it is written");
        assert!(settings(&line).await.unwrap_err().contains("unknown variant `all`"));
        std::fs::write(&file, "rules: [{users: [ann], namespaces: [team-a], may: edit}]").expect("it is written");
        assert!(settings(&line).await.expect("settings").is_multi_user());
    }
}
