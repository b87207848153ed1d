//! Reading small files that user code wrote: never following a link, never waiting on a pipe, never more than a cap.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use super::FileError;
use crate::places::Locate;

/// Reads a regular file of at most `cap` bytes.
pub fn read_output_file(locate: &dyn Locate, path: &Path, cap: u64) -> Result<Vec<u8>, FileError> {
    let file = locate.open(path).map(File::from).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => FileError::Kind("a symbolic link"),
        Some(Errno::NXIO) => FileError::Kind("a socket or a pipe"),
        _ => FileError::Io(error),
    })?;
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
    use rustix::fs::{CWD, Mode};

    use super::*;
    use crate::places::Located;

    /// The machine as it is.
    struct Plain;

    impl Locate for Plain {
        fn locate(&self, uri: &str) -> Result<Located, String> {
            Ok(Located::Foreign { store_uri: uri.to_owned() })
        }

        fn locate_custom_path(&self, path: &str) -> Result<std::path::PathBuf, String> {
            Ok(path.into())
        }

        fn uri_of(&self, _: &str) -> Option<String> {
            None
        }
    }

    #[test]
    fn i18_only_regular_files_within_the_cap_are_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("file"), b"12345").expect("a file");
        std::fs::create_dir(at("directory")).expect("a directory");
        std::os::unix::fs::symlink(at("file"), at("link")).expect("a link");
        rustix::fs::mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a fifo");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket");

        assert_eq!(read_output_file(&Plain, &at("file"), 5).expect("it is read"), b"12345");
        let reason = |name: &str, cap| read_output_file(&Plain, &at(name), cap).expect_err("it is refused").to_string();
        assert_eq!(reason("file", 4), "it has more than 4 bytes");
        assert_eq!(reason("directory", 9), "it is not a regular file but a directory");
        assert_eq!(reason("link", 9), "it is not a regular file but a symbolic link");
        assert_eq!(reason("fifo", 9), "it is not a regular file but a socket or a pipe");
        assert_eq!(reason("socket", 9), "it is not a regular file but a socket or a pipe");
        assert_eq!(reason("none", 9), "no such file or directory");
    }
}
