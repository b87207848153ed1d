//! Reading small files that user code wrote: never following a link, never waiting on a pipe, never more than a cap.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use super::FileError;

/// Reads a regular file of at most `cap` bytes.
pub fn read_output_file(path: &Path, cap: u64) -> Result<Vec<u8>, FileError> {
    // NONBLOCK: opening a FIFO must not wait for a writer. It means nothing to regular files.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) => return Err(FileError::Kind("a symbolic link")),
        Err(rustix::io::Errno::NXIO) => return Err(FileError::Kind("a socket or a pipe")),
        Err(error) => return Err(FileError::Io(error.into())),
    };
    let stat = fstat(&file).map_err(|error| FileError::Io(error.into()))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(FileError::Kind("a directory")),
        FileType::Fifo | FileType::Socket => return Err(FileError::Kind("a socket or a pipe")),
        _ => return Err(FileError::Kind("a device")),
    }
    let mut bytes = Vec::new();
    file.take(cap + 1).read_to_end(&mut bytes).map_err(FileError::Io)?;
    if bytes.len() as u64 > cap { Err(FileError::Size(cap)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i18_only_regular_files_within_the_cap_are_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("file"), b"12345").expect("a file");
        std::fs::create_dir(at("directory")).expect("a directory");
        std::os::unix::fs::symlink(at("file"), at("link")).expect("a link");
        rustix::fs::mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a fifo");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket");

        assert_eq!(read_output_file(&at("file"), 5).expect("it is read"), b"12345");
        let reason = |name: &str, cap| read_output_file(&at(name), cap).expect_err("it is refused").to_string();
        assert_eq!(reason("file", 4), "it has more than 4 bytes");
        assert_eq!(reason("directory", 9), "it is not a regular file but a directory");
        assert_eq!(reason("link", 9), "it is not a regular file but a symbolic link");
        assert_eq!(reason("fifo", 9), "it is not a regular file but a socket or a pipe");
        assert_eq!(reason("socket", 9), "it is not a regular file but a socket or a pipe");
        assert_eq!(reason("none", 9), "no such file or directory");
    }
}
