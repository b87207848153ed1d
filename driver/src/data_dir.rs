//! Which data directory this is: processes that share one share files, task processes and the locks of runs, whichever path
//! or machine they reach it by.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

use uuid::Uuid;

/// Where a directory's identity is.
const FILE: &str = "data-dir.id";
/// A little more than an identity has.
const MAX_BYTES: u64 = 64;

/// The identity of a data directory; a new one gets one.
pub(crate) fn identity(data_dir: &Path) -> io::Result<Uuid> {
    if let Some(id) = read(data_dir)? {
        return Ok(id);
    }
    let path = data_dir.join(FILE);
    let id = Uuid::new_v4();
    let new = data_dir.join(format!("{FILE}.{}", id.simple()));
    let mut file = File::create_new(&new)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    // Whoever is faster names it, and nobody reads a half of it.
    let linked = fs::hard_link(&new, &path);
    fs::remove_file(&new)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    read(data_dir)?.ok_or_else(|| io::Error::new(ErrorKind::NotFound, format!("{} went away", path.display())))
}

/// The identity of a data directory that has one.
pub(crate) fn read(data_dir: &Path) -> io::Result<Option<Uuid>> {
    let path = data_dir.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text)?;
    let id = text.trim().parse().map_err(|error| {
        io::Error::new(ErrorKind::InvalidData, format!("{} holds no identity: {error}", path.display()))
    })?;
    Ok(Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t28_a_directory_has_one_identity_whoever_opens_it_first() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let ids: Vec<Uuid> = std::thread::scope(|scope| {
            let openers: Vec<_> = (0..16).map(|_| scope.spawn(|| identity(path).expect("an identity"))).collect();
            openers.into_iter().map(|opener| opener.join().expect("it ends")).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(identity(path).expect("an identity"), ids[0]);
        assert_eq!(fs::read_dir(path).expect("a directory").count(), 1, "nothing is left beside it");
        assert_ne!(identity(tempfile::tempdir().expect("a directory").path()).expect("another"), ids[0]);
        fs::write(path.join(FILE), "damaged").expect("a file");
        let error = identity(path).expect_err("it is damaged");
        assert!(error.to_string().contains(FILE), "{error}");
    }
}
