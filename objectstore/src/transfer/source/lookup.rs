//! How a path is opened: beneath a directory, or following no link at all (T-04).

use std::{
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path},
};

use rustix::{
    fs::{CWD, Dir, Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// Tries of a lookup that the kernel gave up because of a rename elsewhere.
const LOOKUP_TRIES: u32 = 16;

pub(super) fn open_trusted(root: &Path) -> Result<OwnedFd, Errno> {
    let trusted = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    rustix::fs::openat(CWD, trusted, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens an absolute path for reading, following no link at all and waiting for nobody (T-04).
pub fn open_without_links(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let root = open_trusted(Path::new("/"))?;
    match path.strip_prefix("/") {
        Ok(relative) if relative.as_os_str().is_empty() => Ok(root),
        Ok(relative) => open_beneath(&root, relative, flags, false),
        Err(_) => Err(Errno::INVAL),
    }
}

/// The entries of an open directory, from the first. The descriptor itself is read: opening it anew would need rights that
/// this process may lack.
pub(super) fn entries_of(directory: &OwnedFd) -> Result<Dir, Errno> {
    let mut entries = Dir::new(rustix::io::fcntl_dupfd_cloexec(directory, 0)?)?;
    entries.rewind();
    Ok(entries)
}

/// Opens for reading, never leaving the directory, never waiting for a writer of a FIFO, never becoming the owner of a
/// terminal.
pub(super) fn open_beneath(
    directory: &OwnedFd,
    relative: &Path,
    flags: OFlags,
    follow: bool,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if !follow {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(directory, relative, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) if tries < LOOKUP_TRIES => tries += 1,
            // Kernels before 5.6, and sandboxes that forbid what they do not know.
            Err(Errno::NOSYS | Errno::PERM) => return open_by_parts(directory, relative, flags),
            result => return result,
        }
    }
}

/// Without `openat2`: part by part, following no link at all.
fn open_by_parts(directory: &OwnedFd, relative: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut parts = relative.components().peekable();
    let mut at: Option<OwnedFd> = None;
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Err(Errno::XDEV) };
        let flags = match parts.peek() {
            Some(_) => OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            None => flags,
        };
        let from = at.as_ref().map_or(directory.as_fd(), AsFd::as_fd);
        let next = rustix::fs::openat(from, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
        at = Some(next);
    }
    at.ok_or(Errno::NOENT)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::symlink,
    };

    use super::*;

    #[test]
    fn t04_without_openat2_files_open_and_links_do_not() {
        let root = tempfile::tempdir().expect("temporary directory");
        fs::create_dir(root.path().join("d")).expect("made");
        fs::write(root.path().join("d/f"), b"x").expect("written");
        symlink("d", root.path().join("link")).expect("linked");
        symlink("f", root.path().join("d/link")).expect("linked");
        let directory: OwnedFd = File::open(root.path()).expect("opens").into();
        let open = |path: &str| open_by_parts(&directory, Path::new(path), OFlags::RDONLY | OFlags::NONBLOCK);
        assert!(open("d/f").is_ok());
        for path in ["link/f", "d/link", "d/../d/f", "/etc/passwd", ""] {
            assert!(open(path).is_err(), "{path}");
        }
    }
}
