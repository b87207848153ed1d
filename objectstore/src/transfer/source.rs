//! What is uploaded: files opened beneath a trusted directory, never through a link that leaves it (T-04, I-16).
//!
//! Everything here blocks, but for the making of an [`UploadSource`].

use std::{
    fmt,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, FileType, OFlags},
    io::Errno,
};

use super::TransferError;

mod lookup;

pub use lookup::open_without_links;

use lookup::{entries_of, open_beneath, open_trusted};

/// Directories below each other.
const MAX_DEPTH: usize = 256;
/// Opens what this process may not read, on behalf of whoever may.
pub trait Opener: Send + Sync + fmt::Debug {
    /// Opens a file or directory for reading by its absolute path. Blocks, within bounds. It must not follow a link at
    /// the end of the path, nor wait for the other end of a FIFO.
    fn open(&self, path: &Path) -> io::Result<OwnedFd>;
}

/// What to upload, and how far it is trusted. What is found there is treated as
/// [`Transfer::upload_beneath`](super::Transfer::upload_beneath) says.
#[derive(Debug)]
pub struct UploadSource {
    place: Place,
    path: PathBuf,
    opener: Option<Arc<dyn Opener>>,
}

#[derive(Debug)]
enum Place {
    /// Below a directory that is opened as its path says.
    Beneath(PathBuf),
    /// Nothing on the way to it may be a link.
    WithoutLinks,
    /// Only the opener can reach it.
    ByOpener,
}

impl UploadSource {
    /// `path`, below the trusted directory `root`.
    pub fn beneath(root: impl Into<PathBuf>, path: impl Into<PathBuf>) -> UploadSource {
        UploadSource { place: Place::Beneath(root.into()), path: path.into(), opener: None }
    }

    /// The absolute `path` in a tree that others write to: no directory above it may be a symbolic link.
    pub fn without_links(path: impl Into<PathBuf>) -> UploadSource {
        UploadSource { place: Place::WithoutLinks, path: path.into(), opener: None }
    }

    /// A path that only `opener` can reach, such as one of another mount namespace.
    pub fn by_opener(path: impl Into<PathBuf>, opener: Arc<dyn Opener>) -> UploadSource {
        UploadSource { place: Place::ByOpener, path: path.into(), opener: Some(opener) }
    }

    /// The same, asking `opener` for what this process is not permitted to open.
    #[must_use]
    pub fn with_opener(mut self, opener: Arc<dyn Opener>) -> UploadSource {
        self.opener = Some(opener);
        self
    }

    /// Opens it.
    pub(super) fn open(self) -> Result<Source, TransferError> {
        let UploadSource { place, path, opener } = self;
        match place {
            Place::ByOpener => source_of(reopen(opener.as_deref(), &path)?, &path, opener),
            Place::Beneath(root) => open(&root, &path, open_trusted, opener),
            Place::WithoutLinks => {
                let Some(parent) = path.parent().filter(|_| path.is_absolute()).map(Path::to_owned) else {
                    return Err(TransferError::NotBelow { path, root: PathBuf::from("/") });
                };
                open(&parent, &path, |parent| open_without_links(parent, OFlags::DIRECTORY), opener)
            }
        }
    }
}

/// A file or a directory that was opened.
pub(super) enum Source {
    /// A regular file and its size.
    File(Opened),
    /// A directory.
    Directory(Tree),
}

/// An open regular file.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) size: u64,
    pub(super) path: PathBuf,
}

/// An open directory; clones share the descriptor.
#[derive(Clone)]
pub(super) struct Tree {
    directory: Arc<OwnedFd>,
    path: Arc<Path>,
    opener: Option<Arc<dyn Opener>>,
}

/// Opens `path`, which must lie below `root`.
fn open(
    root: &Path,
    path: &Path,
    open_root: impl FnOnce(&Path) -> Result<OwnedFd, Errno>,
    opener: Option<Arc<dyn Opener>>,
) -> Result<Source, TransferError> {
    let not_below = || TransferError::NotBelow { path: path.to_owned(), root: root.to_owned() };
    let relative = path.strip_prefix(root).map_err(|_| not_below())?;
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if relative.as_os_str().is_empty() || !plain {
        return Err(not_below());
    }
    let directory = match open_root(root) {
        Ok(directory) => directory,
        Err(Errno::NOENT | Errno::NOTDIR) => return Err(TransferError::NoSource { path: path.to_owned() }),
        Err(Errno::LOOP) => {
            return Err(TransferError::BadLink {
                path: root.to_owned(),
                reason: "leads to where the output should be",
            });
        }
        Err(Errno::ACCESS) if opener.is_some() => {
            return source_of(reopen(opener.as_deref(), path)?, path, opener);
        }
        Err(errno) => return Err(TransferError::file("open", root)(errno.into())),
    };
    let parent = Tree { directory: Arc::new(directory), path: Arc::from(root), opener: opener.clone() };
    let (descriptor, kind, size) = parent.open_any(relative)?;
    Source::new(descriptor, kind, size, path, opener)
}

fn reopen(opener: Option<&dyn Opener>, path: &Path) -> Result<OwnedFd, TransferError> {
    let opened = opener.map_or_else(|| Err(Errno::ACCESS.into()), |opener| opener.open(path));
    opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::LOOP) => TransferError::BadLink { path: path.to_owned(), reason: "cannot be followed" },
        Some(Errno::NOENT | Errno::NOTDIR) => TransferError::NoSource { path: path.to_owned() },
        Some(Errno::NXIO) => TransferError::NotRegular { path: path.to_owned(), kind: "a socket or a FIFO" },
        _ => TransferError::file("open", path)(error),
    })
}

/// Finds out what a descriptor is that somebody else opened.
fn source_of(descriptor: OwnedFd, path: &Path, opener: Option<Arc<dyn Opener>>) -> Result<Source, TransferError> {
    let (kind, size) = look_at(&descriptor, path)?;
    Source::new(descriptor, kind, size, path, opener)
}

fn look_at(descriptor: &OwnedFd, path: &Path) -> Result<(FileType, u64), TransferError> {
    let stat = rustix::fs::fstat(descriptor).map_err(|errno| TransferError::file("look at", path)(errno.into()))?;
    Ok((FileType::from_raw_mode(stat.st_mode), u64::try_from(stat.st_size).unwrap_or_default()))
}

impl Source {
    fn new(
        descriptor: OwnedFd,
        kind: FileType,
        size: u64,
        path: &Path,
        opener: Option<Arc<dyn Opener>>,
    ) -> Result<Source, TransferError> {
        match kind {
            FileType::Directory => {
                Ok(Source::Directory(Tree { directory: Arc::new(descriptor), path: Arc::from(path), opener }))
            }
            FileType::RegularFile => {
                Ok(Source::File(Opened { file: File::from(descriptor), size, path: path.to_owned() }))
            }
            kind => Err(TransferError::NotRegular { path: path.to_owned(), kind: kind_name(kind) }),
        }
    }
}

impl Tree {
    /// For messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The relative paths of all files, links included, sorted.
    pub(super) fn walk(&self, max_files: u64) -> Result<Vec<String>, TransferError> {
        let mut files = Vec::new();
        let mut pending = vec![(String::new(), 0_usize)];
        while let Some((below, depth)) = pending.pop() {
            let path = self.path.join(&below);
            let failed = |errno: Errno| TransferError::file("read the directory", &path)(errno.into());
            let directory = match below.as_str() {
                "" => None,
                _ => match open_beneath(&self.directory, Path::new(&below), OFlags::DIRECTORY, false) {
                    Err(Errno::ACCESS) if self.opener.is_some() => Some(self.reopen_directory(&path)?),
                    opened => Some(opened.map_err(failed)?),
                },
            };
            let directory = directory.as_ref().unwrap_or(&self.directory);
            let mut entries = entries_of(directory).map_err(failed)?;
            while let Some(entry) = entries.read() {
                let entry = entry.map_err(failed)?;
                let name = match entry.file_name().to_bytes() {
                    b"." | b".." => continue,
                    name => std::str::from_utf8(name).map_err(|_| {
                        use std::os::unix::ffi::OsStrExt;
                        TransferError::NotUtf8 { path: path.join(std::ffi::OsStr::from_bytes(name)) }
                    })?,
                };
                let kind = match entry.file_type() {
                    FileType::Unknown => {
                        let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
                        FileType::from_raw_mode(stat.st_mode)
                    }
                    kind => kind,
                };
                let name = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
                match kind {
                    FileType::Directory if depth >= MAX_DEPTH => {
                        return Err(TransferError::TooDeep { path: self.path.join(name), limit: MAX_DEPTH });
                    }
                    FileType::Directory => pending.push((name, depth + 1)),
                    FileType::RegularFile | FileType::Symlink => files.push(name),
                    kind => {
                        return Err(TransferError::NotRegular { path: self.path.join(name), kind: kind_name(kind) });
                    }
                }
                if files.len() as u64 > max_files {
                    return Err(TransferError::TooManyFiles { what: format!("{:?}", self.path), limit: max_files });
                }
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn reopen_directory(&self, path: &Path) -> Result<OwnedFd, TransferError> {
        let descriptor = reopen(self.opener.as_deref(), path)?;
        match look_at(&descriptor, path)? {
            (FileType::Directory, _) => Ok(descriptor),
            _ => Err(TransferError::Changed { path: path.to_owned() }),
        }
    }

    /// Opens a file that [`Tree::walk`] found.
    pub(super) fn open_file(&self, relative: &str) -> Result<Opened, TransferError> {
        let path = self.path.join(relative);
        match self.open_any(Path::new(relative))? {
            (descriptor, FileType::RegularFile, size) => Ok(Opened { file: File::from(descriptor), size, path }),
            // The walk saw no directory of this name, so a link leads to it.
            (_, FileType::Directory, _) => Err(TransferError::BadLink { path, reason: "leads to a directory" }),
            (_, kind, _) => Err(TransferError::NotRegular { path, kind: kind_name(kind) }),
        }
    }

    /// Opens whatever is there without blocking, and says what it is.
    fn open_any(&self, relative: &Path) -> Result<(OwnedFd, FileType, u64), TransferError> {
        let path = self.path.join(relative);
        // Opening a device can have effects, so what is one is found out before.
        let kind = rustix::fs::statat(&self.directory, relative, AtFlags::SYMLINK_NOFOLLOW)
            .map(|stat| FileType::from_raw_mode(stat.st_mode));
        let is_link = match kind {
            Ok(FileType::Symlink) => true,
            Ok(FileType::Directory | FileType::RegularFile) => false,
            Ok(kind) => return Err(TransferError::NotRegular { path, kind: kind_name(kind) }),
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(TransferError::NoSource { path }),
            Err(Errno::ACCESS) if self.opener.is_some() => return self.reopen_any(&path),
            Err(errno) => return Err(TransferError::file("look at", path)(errno.into())),
        };
        let opened = match open_beneath(&self.directory, relative, OFlags::empty(), true) {
            Err(Errno::XDEV) if is_link => self.open_absolute_link(relative),
            // Whoever opens in our place follows no link.
            Err(Errno::ACCESS) if self.opener.is_some() && !is_link => return self.reopen_any(&path),
            opened => opened,
        };
        let descriptor = opened.map_err(|errno| match errno {
            Errno::XDEV => TransferError::BadLink { path: path.clone(), reason: "leads out of the directory" },
            Errno::NOENT if is_link => TransferError::BadLink { path: path.clone(), reason: "leads nowhere" },
            Errno::LOOP => TransferError::BadLink { path: path.clone(), reason: "cannot be followed" },
            Errno::NOENT => TransferError::NoSource { path: path.clone() },
            errno => TransferError::file("open", &path)(errno.into()),
        })?;
        let (kind, size) = look_at(&descriptor, &path)?;
        Ok((descriptor, kind, size))
    }

    fn reopen_any(&self, path: &Path) -> Result<(OwnedFd, FileType, u64), TransferError> {
        let descriptor = reopen(self.opener.as_deref(), path)?;
        let (kind, size) = look_at(&descriptor, path)?;
        Ok((descriptor, kind, size))
    }

    /// Follows a link that spells its target from the root of the file system but stays inside this directory.
    fn open_absolute_link(&self, relative: &Path) -> Result<OwnedFd, Errno> {
        use std::os::unix::ffi::OsStrExt;

        let target = rustix::fs::readlinkat(&self.directory, relative, Vec::new())?;
        let target = Path::new(std::ffi::OsStr::from_bytes(target.as_bytes()));
        let inside = target.strip_prefix(&self.path).map_err(|_| Errno::XDEV)?;
        open_beneath(&self.directory, inside, OFlags::empty(), true)
    }
}

fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Symlink => "a symbolic link",
        _ => "of an unknown kind",
    }
}

impl Opened {
    /// Reads `length` bytes at `offset`; the end of the file before that is a change.
    pub(super) fn read_at(&self, offset: u64, length: u64) -> Result<bytes::Bytes, TransferError> {
        use std::os::unix::fs::FileExt;

        let mut buffer = bytes::BytesMut::zeroed(usize::try_from(length).unwrap_or_default());
        match self.file.read_exact_at(&mut buffer, offset) {
            Ok(()) => Ok(buffer.freeze()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.changed()),
            Err(error) => Err(TransferError::file("read", &self.path)(error)),
        }
    }

    /// Checks that the file ends where it ended when it was opened.
    pub(super) fn check_end(&self) -> Result<(), TransferError> {
        let metadata = self.file.metadata().map_err(TransferError::file("look at", &self.path))?;
        if metadata.len() == self.size { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> TransferError {
        TransferError::Changed { path: self.path.clone() }
    }
}
