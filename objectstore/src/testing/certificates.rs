//! An authority of the test's own, and a certificate of it for the server.

use std::{fs, io, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Certificate of the authority, PEM.
pub(super) const AUTHORITY: &str = "authority.pem";
/// Certificate of the server, PEM.
pub(super) const CERTIFICATE: &str = "server.pem";
/// Key of the server, PEM.
pub(super) const KEY: &str = "server-key.pem";

/// Writes the three files for a server with these names and addresses.
pub(super) fn write(directory: &Path, names: &[&str]) -> io::Result<()> {
    let (authority, certificate, key) = make(names).map_err(io::Error::other)?;
    fs::write(directory.join(AUTHORITY), authority)?;
    fs::write(directory.join(CERTIFICATE), certificate)?;
    fs::write(directory.join(KEY), key)
}

fn make(names: &[&str]) -> Result<(String, String, String), rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Authority of a test");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    Ok((authority.pem(), certificate.pem(), key.serialize_pem()))
}
