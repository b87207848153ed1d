//! A place of its own for each test: data directory, home, files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary;
use crate::document::RunDocument;
use crate::invocation::Invocation;

/// A temporary folder, and the binary that works in it.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// A new one.
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Sandbox {
        let folder = tempfile::Builder::new().prefix("penstock-test-").tempdir().expect("a temporary folder");
        let sandbox = Sandbox { folder };
        fs::create_dir(sandbox.path("home")).expect("a home in the temporary folder");
        sandbox
    }

    /// A path in the sandbox.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file in the temporary folder");
        path
    }

    /// Writes a pipeline.
    pub fn write_pipeline(&self, name: &str, pipeline: &Value) -> PathBuf {
        self.write(name, serde_json::to_vec_pretty(pipeline).expect("JSON of JSON"))
    }

    /// The binary in this sandbox: it sees nothing of the environment of the tests but `PATH`.
    pub fn penstock(&self) -> Invocation {
        Invocation::new(&binary::penstock()).environment(&self.path("home"), &self.data_dir())
    }

    /// `penstock run -o json` of a pipeline made of shell commands.
    pub fn run_commands(&self, pipeline: &Value) -> Invocation {
        let file = self.write_pipeline("pipeline.json", pipeline);
        self.penstock().args(["run", "-o", "json", "--host-commands"]).arg(file)
    }

    /// The only run there is, as a second process sees it.
    pub fn get_latest(&self) -> RunDocument {
        self.penstock().args(["get", "latest", "-o", "json"]).run().expect_code(0).document()
    }

    /// Whether the sandbox has a file.
    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Text of a file; empty when there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
