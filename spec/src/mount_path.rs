//! Paths in containers, compared by their segments.

/// A path as the container runtime takes it: absolute, without empty segments, `.` and `..`.
pub fn normal(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Whether a path is a directory or lies in it. Both are normal.
pub fn is_within(path: &str, directory: &str) -> bool {
    directory == "/" || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a normal path is kept for what is injected: its mounts, and the programs of the launcher's image.
pub fn is_reserved(path: &str) -> bool {
    let reserved = crate::keys::RESERVED_MOUNT;
    is_within(path, reserved) || path.strip_prefix(reserved).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t16_paths_are_made_normal_before_they_are_compared() {
        for (path, expected) in [
            ("/penstock/", "/penstock"),
            ("//penstock//bin/.", "/penstock/bin"),
            ("/x/../penstock", "/penstock"),
            ("penstock", "/penstock"),
            ("/../..", "/"),
            ("", "/"),
        ] {
            assert_eq!(normal(path), expected, "{path}");
        }
        assert!(is_reserved("/penstock") && is_reserved("/penstock/bin") && is_reserved("/penstock-launcher"));
        assert!(!is_reserved("/penstocks") && !is_reserved("/data/penstock"));
        assert!(is_within("/a/b", "/a") && is_within("/a", "/a") && is_within("/a", "/"));
        assert!(!is_within("/ab", "/a") && !is_within("/", "/a"));
    }
}
