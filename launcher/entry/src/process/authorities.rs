//! Certificate authorities of the installation's own, for the user's program: what the image trusts and what is mounted,
//! in one file. The usual libraries take one file or another, and public servers are to work as before.

use std::fs::{File, OpenOptions, remove_file, rename};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};

/// Variables by which the usual libraries are told of authorities.
pub const VARIABLES: [&str; 3] = ["REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", SSL_CERT_FILE];
/// The one among them in which an image may say what it trusts.
pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// Where distributions keep what they trust: Debian, Alpine and Arch; Fedora and older Red Hat; SUSE; Red Hat; Alpine and
/// the BSDs.
const SYSTEM: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
];
/// The most bytes of each part. What distributions trust is a quarter of a mebibyte.
const MAX_BYTES: u64 = 16 << 20;
/// Nobody is to change it.
const MODE: u32 = 0o444;

/// Writes `combined`: what the image trusts (`chosen` by its own variable, or the first of the usual places) and what is in
/// `mounted`. The path that the program is to use: `mounted` itself where the image trusts nobody. An error is the reason.
pub fn combine(mounted: &Path, chosen: Option<&Path>, combined: &Path) -> Result<PathBuf, String> {
    let own = read(mounted)
        .map_err(|error| format!("cannot read the certificates of authorities at {}: {error}", mounted.display()))?;
    let candidates = chosen.into_iter().chain(SYSTEM.iter().map(Path::new));
    let system = candidates.filter(|path| *path != mounted).find_map(|path| read(path).ok());
    let Some(mut all) = system else { return Ok(mounted.to_owned()) };
    if !all.ends_with(b"\n") {
        all.push(b'\n');
    }
    all.extend(own);
    write(combined, &all).map_err(|error| {
        let combined = combined.display();
        format!("cannot write the certificates of authorities of image and installation to {combined}: {error}")
    })?;
    Ok(combined.to_owned())
}

/// A regular file of a bearable size. A FIFO in its place does not block.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file =
        File::from(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Whole or not at all; in place of what an earlier start of the container has left.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary)?;
    file.write_all(bytes)?;
    rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_the_image_chose_comes_first_and_what_is_mounted_follows() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("mounted"), "mounted\n").expect("a file");
        std::fs::write(at("chosen"), "chosen").expect("a file");
        for _ in 0..2 {
            let used = combine(&at("mounted"), Some(&at("chosen")), &at("combined")).expect("it is written");
            assert_eq!(used, at("combined"));
            assert_eq!(std::fs::read_to_string(&used).expect("text"), "chosen\nmounted\n");
            assert_eq!(used.metadata().expect("a file").permissions().mode() & 0o777, MODE);
        }
        assert!(!at("combined.new").exists());
    }

    #[test]
    fn what_cannot_be_had_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let missing = combine(&at("none"), None, &at("combined")).expect_err("nothing is mounted");
        assert!(missing.contains("none") && missing.contains("No such file"), "{missing}");
        let directory = combine(folder.path(), None, &at("combined")).expect_err("a directory");
        assert!(directory.contains("no regular file"), "{directory}");
        std::fs::write(at("mounted"), "mounted\n").expect("a file");
        std::fs::write(at("chosen"), "chosen").expect("a file");
        let nowhere = combine(&at("mounted"), Some(&at("chosen")), &at("no/where")).expect_err("no directory");
        assert!(nowhere.contains("no/where"), "{nowhere}");
    }
}
