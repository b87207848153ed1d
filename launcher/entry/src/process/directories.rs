//! Directories for the outputs of the user's program.

use std::fs::{DirBuilder, Permissions, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Makes a directory and its missing parents. Whoever writes there may have another UID than whoever reads, so what is
/// made is open to all; what exists stays as it is.
pub fn make_directory(path: &Path) -> Result<(), String> {
    if !path.is_absolute() {
        return Err(format!("cannot create the directory {}: the path is not absolute", path.display()));
    }
    let mut parents: Vec<&Path> = path.ancestors().collect();
    parents.reverse();
    for parent in parents {
        if let Err(error) = make_one(parent) {
            return Err(format!("cannot create the directory {}: {}: {error}", path.display(), parent.display()));
        }
    }
    Ok(())
}

fn make_one(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().create(path)?;
    // The umask took its part.
    set_permissions(path, Permissions::from_mode(0o777))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_made_and_open_to_all() {
        let folder = tempfile::tempdir().unwrap();
        set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("a/b/c");
        make_directory(&path).unwrap();
        make_directory(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!([mode(&path), mode(&folder.path().join("a")), mode(folder.path())], [0o777, 0o777, 0o755]);
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = make_directory(&file.join("inner")).expect_err("refused");
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        assert!(make_directory(Path::new("relative")).is_err());
    }
}
