//! Paths in containers, compared by their segments.

pub(super) use penstock_spec::mount_path::{is_reserved, is_within, normal};

/// Directories of images that nothing may be mounted over.
const SYSTEM: [&str; 20] = [
    "/",
    "/etc",
    "/home",
    "/opt",
    "/root",
    "/run",
    "/usr",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/sbin",
    "/usr/share",
    "/usr/src",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/opt",
    "/var/run",
    "/var/spool",
];
/// Directories within which nothing may be mounted either: a launcher or a program without them does not start, or
/// they are the kernel's or Kubernetes' own.
const SYSTEM_TREES: [&str; 17] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc/ssl",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/run/secrets",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/sbin",
    "/var/run/secrets",
];

/// The directory that a path lies in.
pub(super) fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(slash) => &path[..slash],
    }
}

/// Whether a volume at this directory would hide what images need.
pub(super) fn is_system(directory: &str) -> bool {
    SYSTEM.contains(&directory) || SYSTEM_TREES.iter().any(|tree| is_within(directory, tree))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_images_are_told_from_others() {
        for directory in ["/", "/etc", "/usr/lib/python3", "/dev/shm", "/proc/self", "/var/run/secrets/x", "/lib64"] {
            assert!(is_system(directory), "{directory}");
        }
        for directory in ["/data", "/tmp", "/etc/app", "/home/app/data", "/opt/app", "/usr/src/app", "/library"] {
            assert!(!is_system(directory), "{directory}");
        }
    }

    #[test]
    fn the_directory_of_a_path() {
        assert_eq!((parent("/a/b"), parent("/a"), parent("/")), ("/a", "/", "/"));
    }
}
