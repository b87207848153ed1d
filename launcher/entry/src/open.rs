//! Opens files for the launcher, which runs under another UID and in another container.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::protocol::{MAX_TEXT, OpenError};

/// Opens a file or directory for reading. The last component must not be a symbolic link; a FIFO without a writer or
/// a terminal does not block and is not taken over.
pub fn open_for_launcher(path: &str) -> Result<OwnedFd, OpenError> {
    // The path is the user's own and may be longer than an answer.
    let refused = |errno: Errno, mut message: String| {
        message.truncate(message.floor_char_boundary(MAX_TEXT));
        OpenError { code: errno.raw_os_error(), message }
    };
    if !path.starts_with('/') {
        return Err(refused(Errno::INVAL, format!("cannot open {path:?}: the path is not absolute")));
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NOCTTY;
    open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP => refused(errno, format!("cannot open {path:?}: it is a symbolic link")),
        _ => refused(errno, format!("cannot open {path:?}: {errno}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_opened_has_its_errno() {
        let code = |path: &str| open_for_launcher(path).expect_err("refused").code;
        assert_eq!(code("relative"), Errno::INVAL.raw_os_error());
        assert_eq!(code("/no/such/file"), Errno::NOENT.raw_os_error());
        assert_eq!(code("/nul\0"), Errno::INVAL.raw_os_error());
        assert_eq!(code("/proc/self"), Errno::LOOP.raw_os_error());
        assert!(open_for_launcher("/").is_ok());
    }
}
