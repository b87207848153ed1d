//! The dashboard as it is in the program: files that were built before it.

/// Name of the page.
pub(crate) const PAGE: &str = "index.html";

/// The files of a dashboard. None where none was built when this was compiled.
#[derive(Debug, Clone, Copy)]
pub struct Dashboard(&'static [DashboardFile]);

/// A file of the dashboard.
#[derive(Debug)]
pub struct DashboardFile {
    /// Its path below the dashboard, such as `assets/index-4f2a.js`.
    pub name: &'static str,
    /// Its type.
    pub content_type: &'static str,
    /// What tells this content from others.
    pub version: &'static str,
    /// The content.
    pub content: &'static [u8],
    /// The same compressed, where that is worth it.
    pub gzip: Option<&'static [u8]>,
}

impl Dashboard {
    /// The one that is in this program.
    pub const fn embedded() -> Self {
        Self(include!(concat!(env!("OUT_DIR"), "/dashboard.rs")))
    }

    /// Some other one.
    pub const fn of(files: &'static [DashboardFile]) -> Self {
        Self(files)
    }

    /// Its files.
    pub fn files(&self) -> &'static [DashboardFile] {
        self.0
    }

    /// The file of a name.
    pub(crate) fn file(&self, name: &str) -> Option<&'static DashboardFile> {
        self.0.iter().find(|file| file.name == name)
    }
}

impl Default for Dashboard {
    fn default() -> Self {
        Self::embedded()
    }
}
