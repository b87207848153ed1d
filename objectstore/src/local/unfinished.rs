//! Files that get their names once they are whole, and keep them when the machine stops.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::error::StoreError;

/// How names of unfinished files begin. No key may have a part that begins so.
pub(super) const TEMPORARY: &str = ".penstock-tmp-";

/// A file that has been written under a temporary name and not been put in place.
pub(super) struct Unfinished<'a> {
    pub(super) path: PathBuf,
    pub(super) file: File,
    place: &'a Path,
    /// Directories that hold new directories and have not been synced since.
    unsynced: Vec<PathBuf>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // After the rename there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

impl<'a> Unfinished<'a> {
    /// Creates the temporary file, and the directories above it where they are missing.
    pub(super) fn create(place: &'a Path, root: &Path) -> io::Result<Unfinished<'a>> {
        let path = place.with_file_name(format!("{TEMPORARY}{}", Uuid::new_v4()));
        let create = || fs::OpenOptions::new().write(true).create_new(true).open(&path);
        let mut unsynced = Vec::new();
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                unsynced = create_directories(place.parent().unwrap_or(root))?;
                create()
            }
            other => other,
        }?;
        Ok(Unfinished { path, file, place, unsynced })
    }

    /// Syncs the file and puts it in its place; returns the directory that remains to be synced.
    ///
    /// New directories are synced after the file: a file system with a journal has written them with the file by then,
    /// so that this costs next to nothing, while the other order costs a write of the journal for each.
    pub(super) fn finish(mut self) -> io::Result<PathBuf> {
        self.file.sync_data()?;
        self.sync_new_directories()?;
        fs::rename(&self.path, self.place)?;
        Ok(self.place.parent().unwrap_or(Path::new("/")).to_owned())
    }

    pub(super) fn sync_new_directories(&mut self) -> io::Result<()> {
        self.unsynced.drain(..).try_for_each(|directory| sync_directory(&directory))
    }
}

/// Creates a directory and those above it where they are missing. Returns the directories to sync to make that last, the
/// upper ones first.
pub(super) fn create_directories(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    let mut at = path;
    while !at.as_os_str().is_empty() && !at.try_exists()? {
        missing.push(at);
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    fs::create_dir_all(path)?;
    Ok(missing.into_iter().rev().map(|created| created.parent().unwrap_or(Path::new("/")).to_owned()).collect())
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

/// Makes the names in these directories last through a crash. Blocks.
pub fn sync_directories<'a>(directories: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), StoreError> {
    for directory in directories {
        sync_directory(directory).map_err(|error| StoreError::io("sync", format!("{directory:?}"), error))?;
    }
    Ok(())
}
