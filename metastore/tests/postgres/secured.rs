//! PostgreSQL servers that others reach only over TLS.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use super::server::Server;

/// The name that the server's certificate is for.
pub(crate) const HOST: &str = "localhost";
/// The user who shows a certificate.
pub(crate) const CERTIFIED: &str = "certified";
/// Over TLS everybody, or one who shows a certificate; without TLS only through the socket.
const RULES: &str = "local all all trust\n\
                     hostssl all certified 127.0.0.1/32 cert\n\
                     hostssl all all 127.0.0.1/32 trust\n";

/// A server, and what its clients need.
pub(crate) struct Secured {
    server: Server,
    port: u16,
    folder: TempDir,
}

impl Secured {
    /// One with a database `penstock`. `None` after saying that the test is skipped.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority("Authority of a test");
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("authority.pem", authority.pem());
        write("other.pem", self::authority("Somebody else").pem());
        let (certificate, key) = signed(&authority, &[], CERTIFIED);
        write("client.pem", certificate);
        write("client.key", key);
        // Free a moment ago; who takes it meanwhile makes the server end with an error, and the test fail.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c ssl_cert_file=own.pem -c ssl_key_file=own.key \
             -c ssl_ca_file=clients.pem"
        );
        let server = Server::start_with(&settings, |data| {
            let (certificate, key) = signed(&authority, &[HOST], HOST);
            for (name, text) in [
                ("own.pem", certificate),
                ("own.key", key),
                ("clients.pem", authority.pem()),
                ("pg_hba.conf", RULES.to_owned()),
            ] {
                write_for_the_owner(data, name, &text);
            }
        })?;
        let secured = Self { server, port, folder };
        for sql in ["CREATE DATABASE penstock", "CREATE ROLE certified SUPERUSER LOGIN"] {
            secured.server.sql_at(port, "postgres", sql);
        }
        Some(secured)
    }

    /// URL of the database for a user who calls the server by a name, with these parameters.
    pub(crate) fn url(&self, user: &str, host: &str, parameters: &str) -> String {
        format!("postgres://{user}@{host}:{}/penstock?{parameters}", self.port)
    }

    /// A file of those who connect.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What SQL answers.
    #[allow(dead_code, reason = "not every program that starts such servers asks them")]
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.sql_at(self.port, "penstock", sql)
    }

    /// Ends all sessions and starts the server again.
    #[allow(dead_code, reason = "not every program that starts servers restarts them")]
    pub(crate) fn restart(&self) {
        self.server.restart();
    }
}

/// As the server wants its key to be.
fn write_for_the_owner(data: &Path, name: &str, text: &str) {
    let (path, owner) = (data.join(name), fs::metadata(data).unwrap());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for hosts, and its key. Users are known by the common name.
fn signed(authority: &CertifiedIssuer<'static, KeyPair>, hosts: &[&str], name: &str) -> (String, String) {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}
